//! Pure numbers: slices in, structs out.
//!
//! Every kernel takes columns as slices and gives a struct of plain numbers;
//! nothing here reads a file, starts a thread or knows what a cohort is. The
//! conventions (ties, intervals, variances) are those of R's packages, named
//! function by function, so that a study can be compared digit by digit.

pub mod balance;
pub mod charlson;
pub mod distribution;
pub mod elastic_net;
pub mod error;
pub mod estimate;
pub mod hypothesis;
pub mod mining;
pub mod multiplicity;
pub mod prediction;
pub mod proportion;
pub mod rates;
pub mod regression;
pub mod signal;
pub mod survival;
pub mod tables;

pub use error::{Error, Result};
