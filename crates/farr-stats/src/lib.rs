//! Pure numbers: slices in, structs out.

pub mod regression;
