//! What developers run: comparisons with reference answers, generated files,
//! tidy checks.
//!
//! A library and a thin binary, so that the tests call the very code that
//! `cargo xtask` runs. It may use any room of the house; no room uses it.

pub mod reference;
