//! Pure numbers: slices in, structs out.

pub mod distribution;
pub mod estimate;
pub mod proportion;
pub mod rates;
