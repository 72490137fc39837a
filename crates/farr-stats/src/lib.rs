//! Pure numbers: slices in, structs out.

pub mod elastic_net;
pub mod regression;
