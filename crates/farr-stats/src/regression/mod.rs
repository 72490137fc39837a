//! Regressions fitted by maximum likelihood: logistic, Poisson, negative
//! binomial, conditional logistic and the self-controlled case series, with
//! Wald inference and robust variances.
//!
//! All run Newton's method with step halving on standardised columns, to
//! steps of 1e-9 standard errors. Aliased columns are left out and named, as
//! R gives NA; a likelihood without a maximum is an error that names the
//! terms, where R warns and returns large numbers.
//!
//! Rows with missing values are refused; [`complete_rows`] finds the others.

pub(crate) mod checks;
mod conditional;
mod conditional_logistic;
mod design;
mod error;
mod estimates;
mod generalised_linear;
mod groups;
pub(crate) mod linear_algebra;
mod logistic;
mod negative_binomial;
mod newton;
mod poisson;
mod robust;
#[cfg(test)]
mod robust_tests;
mod self_controlled;
#[cfg(test)]
mod tests;
mod trigamma;

pub use conditional::ConditionalFit;
pub use conditional_logistic::conditional_logistic;
pub use design::{Covariate, INTERCEPT};
pub use error::Error;
pub use estimates::{Estimates, Wald, std_errors};
pub use generalised_linear::{Fit, complete_rows, predict};
pub use groups::group_indices;
pub use linear_algebra::SquareMatrix;
pub(crate) use linear_algebra::{Cholesky, dot};
pub use logistic::{logistic, logistic_with_offset};
pub use negative_binomial::{NegativeBinomialFit, negative_binomial};
pub use poisson::poisson;
pub use robust::Sandwich;
pub use self_controlled::self_controlled_case_series;
