//! Cohorts over small worlds: spec cases, and random definitions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cases;
mod checks;
mod common;
mod generative;
mod language;
mod semantics;
mod why;
