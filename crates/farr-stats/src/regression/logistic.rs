//! Logistic regression.

use super::checks;
use super::design::{Covariate, Design};
use super::error::{Error, check_finite};
use super::generalised_linear::{Family, Fit, Problem, checked_weights, fit};

/// Logistic regression of a 0/1 outcome by maximum likelihood, with an
/// intercept: ln(p / (1 - p)) = b0 + sum of b x.
///
/// - `outcome`: 0 or 1, one a row.
/// - `covariates`: any number of named columns of the same length.
/// - `weights`: prior weights, 0 or more (R's `weights`); 1 if `None`. The
///   model covariance takes them as counts of rows: ask for a robust one
///   when they are not.
///
/// Aliased columns are left out and named (`Estimates::aliased`). Errors: a
/// missing or wrong value, an outcome that does not vary, separation, no
/// convergence. Agrees with R's `glm(family = binomial)` run to convergence.
/// Cost n p^2 a Newton step, 5 to 8 steps.
pub fn logistic(
    outcome: &[f64],
    covariates: &[Covariate<'_>],
    weights: Option<&[f64]>,
) -> Result<Fit, Error> {
    logistic_with_offset(outcome, covariates, weights, None)
}

/// As [`logistic`], with a known term `offset` in each linear predictor, the
/// null model's included.
pub fn logistic_with_offset(
    outcome: &[f64],
    covariates: &[Covariate<'_>],
    weights: Option<&[f64]>,
    offset: Option<&[f64]>,
) -> Result<Fit, Error> {
    let rows = outcome.len();
    let weights = checked_weights(weights, rows)?;
    checks::binary("outcome", outcome, &weights)?;
    let zeros = vec![0.0; rows];
    if let Some(offset) = offset {
        check_finite("offset", offset, rows)?;
    }
    let design = Design::with_intercept(covariates, &weights)?;
    let problem = Problem {
        family: Family::Binomial,
        outcome,
        offset: offset.unwrap_or(&zeros),
        weights: &weights,
    };
    // The binomial log-likelihood of 0/1 rows has no constant.
    Ok(fit(&problem, &design, None)?.0)
}
