//! A seeded synthetic population, as records.
