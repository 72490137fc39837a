//! Cohorts over small worlds: spec cases, and random definitions.

mod cases;
mod checks;
mod common;
mod generative;
