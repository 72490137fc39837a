//! Poisson regression of counts or rates.

use statrs::function::gamma::ln_gamma;

use super::design::{Covariate, Design};
use super::error::Error;
use super::generalised_linear::{
    Family, Fit, Problem, check_counts, checked_weights, fit, log_person_time,
};

/// Poisson regression by maximum likelihood, with an intercept:
/// ln(mean / person-time) = b0 + sum of b x.
///
/// - `count`: 0 or more, one a row; a 0/1 outcome gives the modified Poisson
///   model of risk ratios (Zou 2004, Am J Epidemiol 159:702), which needs a
///   robust variance.
/// - `person_time`: above 0, one a row; enters as the offset ln(person-time).
/// - `covariates`, `weights`: as for logistic regression.
///
/// Errors as there; a group of rows without any event is reported as
/// separation, since its rate ratio is 0. Agrees with R's
/// `glm(family = poisson, offset = log(person_time))`.
pub fn poisson(
    count: &[f64],
    person_time: Option<&[f64]>,
    covariates: &[Covariate<'_>],
    weights: Option<&[f64]>,
) -> Result<Fit, Error> {
    let rows = count.len();
    let weights = checked_weights(weights, rows)?;
    check_counts(count, &weights)?;
    let offset = log_person_time(person_time, rows)?;
    let design = Design::with_intercept(covariates, &weights)?;
    let problem =
        Problem { family: Family::Poisson, outcome: count, offset: &offset, weights: &weights };
    let (mut fit, _) = fit(&problem, &design, None)?;
    fit.log_likelihood -=
        count.iter().zip(&weights).map(|(y, w)| w * ln_gamma(y + 1.0)).sum::<f64>();
    Ok(fit)
}
