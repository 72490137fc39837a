//! Elastic net regression: logistic, Poisson and Cox, over sparse columns.
//!
//! One descent serves all three, on a quadratic model of the likelihood that
//! each renews (see `descent`). The road not taken is a dense or centred
//! copy of the columns: patient data has tens of thousands of columns, nearly
//! all zero.

mod columns;
mod cox;
mod cross_validation;
mod descent;
mod error;
mod likelihood;
mod newton;
mod options;
mod path;
#[cfg(test)]
mod tests;

pub use columns::SparseColumns;
pub use cross_validation::{CrossValidation, Measure, cross_validate};
pub use error::Error;
pub use options::{Lambdas, Options, Response};
pub use path::{Path, Point, fit};
