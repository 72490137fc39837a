//! Pure numbers: slices in, structs out.

pub mod balance;
pub mod elastic_net;
pub mod regression;
