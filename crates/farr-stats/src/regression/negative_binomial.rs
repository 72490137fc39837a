//! Negative binomial regression of overdispersed counts.

use statrs::function::gamma::{digamma, ln_gamma};

use super::design::{Covariate, Design};
use super::error::Error;
use super::generalised_linear::{
    Family, Fit, Problem, check_counts, checked_weights, fit, log_person_time,
};
use super::trigamma::trigamma;

/// A negative binomial fit.
#[derive(Debug, Clone)]
pub struct NegativeBinomialFit {
    /// The regression at the estimated theta, which its covariance takes as
    /// known.
    pub fit: Fit,
    /// The variance is mean + mean^2 / theta; other programs report 1 / theta.
    pub theta: f64,
    /// Standard error of theta: 1 / sqrt(observed information), as MASS's
    /// `theta.ml` from the information before its last step.
    pub theta_std_err: f64,
}

impl NegativeBinomialFit {
    /// Twice the log-likelihood, as MASS's `twologlik`.
    pub fn two_log_likelihood(&self) -> f64 {
        2.0 * self.fit.log_likelihood
    }
}

const ALTERNATIONS_MAX: usize = 100;
const THETA_STEPS_MAX: usize = 100;
/// The `limit` that `glm.nb` hands to `theta.ml`.
const THETA_ML_STEPS_MAX: usize = 25;
/// Beyond these theta has run off to infinity or to zero.
const LN_THETA_MAX: f64 = 21.0;

/// Negative binomial regression with log link (NB2) by maximum likelihood,
/// as MASS's `glm.nb`: coefficients at given theta and theta at given means
/// in turn, until neither moves. Arguments and errors as for Poisson
/// regression; [`Error::NoOverdispersion`] where theta would be infinite.
///
/// The log-likelihood, with mu the mean:
/// ln G(theta + y) - ln G(theta) - ln y! + theta ln theta + y ln mu
/// - (theta + y) ln(theta + mu).
pub fn negative_binomial(
    count: &[f64],
    person_time: Option<&[f64]>,
    covariates: &[Covariate<'_>],
    weights: Option<&[f64]>,
) -> Result<NegativeBinomialFit, Error> {
    let rows = count.len();
    let weights = checked_weights(weights, rows)?;
    check_counts(count, &weights)?;
    let offset = log_person_time(person_time, rows)?;
    let design = Design::with_intercept(covariates, &weights)?;
    let at = |family| Problem { family, outcome: count, offset: &offset, weights: &weights };
    let (mut current, mut coefficients) = fit(&at(Family::Poisson), &design, None)?;

    let mut theta = f64::NAN;
    let mut iterations = current.iterations;
    for _ in 0..ALTERNATIONS_MAX {
        let (next, theta_std_err) = estimate_theta(count, &current.fitted, &weights)?;
        let moved = (next / theta - 1.0).abs();
        theta = next;
        let family = Family::NegativeBinomial { theta };
        (current, coefficients) = fit(&at(family), &design, Some(&coefficients))?;
        iterations += current.iterations;
        if moved < 1e-11 {
            current.iterations = iterations;
            current.log_likelihood += constant(theta, count, &weights);
            return Ok(NegativeBinomialFit { fit: current, theta, theta_std_err });
        }
    }
    Err(Error::NotConverged { iterations, decrement: f64::NAN })
}

/// What the log-likelihood adds to the terms that depend on the mean alone
/// (`Family::value` leaves out everything free of the linear predictor).
fn constant(theta: f64, count: &[f64], weights: &[f64]) -> f64 {
    let row = |y: f64| ln_gamma(theta + y) - ln_gamma(theta) - ln_gamma(y + 1.0) - y * theta.ln();
    count.iter().zip(weights).map(|(&y, &w)| w * row(y)).sum()
}

/// The log-likelihood's first and second derivative in theta.
fn theta_derivatives(theta: f64, count: &[f64], mean: &[f64], weights: &[f64]) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for ((&y, &mu), &w) in count.iter().zip(mean).zip(weights) {
        let sum = theta + mu;
        let (one, two) = polygamma_differences(theta, y);
        first += w * (one - (mu / theta).ln_1p() + (mu - y) / sum);
        second += w * (two + 1.0 / theta - 2.0 / sum + (theta + y) / (sum * sum));
    }
    (first, second)
}

/// psi(theta + y) - psi(theta) and the same of psi'. For whole counts these
/// are short sums, which do not cancel at large theta as the functions do.
fn polygamma_differences(theta: f64, y: f64) -> (f64, f64) {
    if y <= 100.0 && y.fract() == 0.0 {
        return (0..y as u32).fold((0.0, 0.0), |(one, two), k| {
            let part = 1.0 / (theta + f64::from(k));
            (one + part, two - part * part)
        });
    }
    (digamma(theta + y) - digamma(theta), trigamma(theta + y) - trigamma(theta))
}

/// Theta at the given means and its standard error.
fn estimate_theta(count: &[f64], mean: &[f64], weights: &[f64]) -> Result<(f64, f64), Error> {
    let total: f64 = weights.iter().sum();
    let rows = count.iter().zip(mean).zip(weights);
    let excess: f64 = rows.map(|((&y, &mu), &w)| w * (y / mu - 1.0).powi(2)).sum();
    let moment = total / excess;
    if let Some(estimate) = theta_ml(moment, count, mean, weights) {
        return Ok(estimate);
    }
    let theta = maximise_theta(moment.clamp(1e-3, 1e3), count, mean, weights)?;
    let (_, second) = theta_derivatives(theta, count, mean, weights);
    Ok((theta, (-1.0 / second).sqrt()))
}

/// Newton's method on theta from the moment estimate, stopped as soon as
/// `theta.ml` stops: theta is then within about 1e-8 of the maximum, but the
/// standard error belongs to the step before and shows it in its fifth digit.
/// `None` where `theta.ml` would warn rather than answer.
fn theta_ml(moment: f64, count: &[f64], mean: &[f64], weights: &[f64]) -> Option<(f64, f64)> {
    let step_min = f64::EPSILON.powf(0.25);
    let mut theta = moment;
    for _ in 0..THETA_ML_STEPS_MAX {
        theta = theta.abs();
        let (first, second) = theta_derivatives(theta, count, mean, weights);
        let step = -first / second;
        theta += step;
        if step.abs() <= step_min {
            return (theta > 0.0 && second < 0.0).then(|| (theta, (-1.0 / second).sqrt()));
        }
    }
    None
}

/// Newton's method on ln theta, falling back to unit steps uphill where the
/// log-likelihood is not concave.
fn maximise_theta(start: f64, count: &[f64], mean: &[f64], weights: &[f64]) -> Result<f64, Error> {
    let mut ln_theta = start.ln();
    for _ in 0..THETA_STEPS_MAX {
        let theta = ln_theta.exp();
        let (first, second) = theta_derivatives(theta, count, mean, weights);
        let (slope, curvature) = (theta * first, theta * theta * second + theta * first);
        let step = if curvature < 0.0 { -slope / curvature } else { slope.signum() };
        ln_theta += step.clamp(-1.0, 1.0);
        if ln_theta > LN_THETA_MAX {
            return Err(Error::NoOverdispersion);
        }
        if ln_theta.is_nan() || ln_theta < -LN_THETA_MAX {
            break;
        }
        if step.abs() < 1e-13 {
            return Ok(ln_theta.exp());
        }
    }
    // Rounding can keep the step just above the bound.
    let (first, second) = theta_derivatives(ln_theta.exp(), count, mean, weights);
    let decrement = -first * first / second;
    if decrement.abs() < 1e-16 {
        return Ok(ln_theta.exp());
    }
    Err(Error::NotConverged { iterations: THETA_STEPS_MAX, decrement })
}
