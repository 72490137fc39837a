//! Comparisons with the answers of reference implementations, for any folder
//! laid out like the ones in `../shared`.

pub mod circe;
pub mod stats;
