//! Cohorts over small worlds: spec cases, and random definitions.

mod cases;
mod common;
mod generative;
mod language;
mod semantics;
