//! Pure numbers: slices in, structs out.

pub mod distribution;
pub mod estimate;
pub mod hypothesis;
pub mod multiplicity;
pub mod proportion;
pub mod rates;
pub mod tables;
