//! Pure numbers: slices in, structs out.

pub mod charlson;
pub mod distribution;
pub mod estimate;
pub mod hypothesis;
pub mod mining;
pub mod multiplicity;
pub mod prediction;
pub mod proportion;
pub mod rates;
pub mod signal;
pub mod tables;
