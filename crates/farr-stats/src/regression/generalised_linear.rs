//! What logistic, Poisson and negative binomial regression share: a
//! log-likelihood that is a sum over rows of a concave function of the
//! linear predictor.

use super::design::{Covariate, Design, INTERCEPT};
use super::error::{Error, check_finite, check_range};
use super::estimates::Estimates;
use super::linear_algebra::{Cholesky, SquareMatrix};
use super::newton::{Likelihood, maximise};

/// One row's part in the likelihood, at a linear predictor.
pub(crate) struct RowTerms {
    /// The mean.
    pub(crate) mean: f64,
    /// First derivative of the log-likelihood.
    pub(crate) score: f64,
    /// Minus the second derivative.
    pub(crate) observed: f64,
    /// Minus the second derivative's expectation.
    pub(crate) expected: f64,
}

/// The distribution of the outcome given its mean; the link is fixed by it
/// (logit, log, log).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Family {
    Binomial,
    Poisson,
    /// Variance mu + mu^2 / theta.
    NegativeBinomial {
        theta: f64,
    },
}

/// ln(1 + e^x) without overflow.
pub(crate) fn ln_one_plus_exp(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Family {
    /// The log-likelihood of `y` up to terms free of `eta`.
    pub(crate) fn value(self, y: f64, eta: f64) -> f64 {
        match self {
            Self::Binomial => y * eta - ln_one_plus_exp(eta),
            Self::Poisson => y * eta - eta.exp(),
            Self::NegativeBinomial { theta } => {
                // y ln mu - (theta + y) ln(1 + mu / theta), and mu = e^eta.
                y * eta - (theta + y) * ln_one_plus_exp(eta - theta.ln())
            }
        }
    }

    pub(crate) fn terms(self, y: f64, eta: f64) -> RowTerms {
        match self {
            Self::Binomial => {
                // Both tails from the small side, so that neither cancels.
                let small = (-eta.abs()).exp() / (1.0 + (-eta.abs()).exp());
                let (mean, rest) =
                    if eta > 0.0 { (1.0 - small, small) } else { (small, 1.0 - small) };
                let score = y * rest - (1.0 - y) * mean;
                RowTerms { mean, score, observed: mean * rest, expected: mean * rest }
            }
            Self::Poisson => {
                let mean = eta.exp();
                RowTerms { mean, score: y - mean, observed: mean, expected: mean }
            }
            Self::NegativeBinomial { theta } => {
                let mean = eta.exp();
                let part = theta / (theta + mean);
                let observed = mean * part * (theta + y) / (theta + mean);
                RowTerms { mean, score: (y - mean) * part, observed, expected: mean * part }
            }
        }
    }

    /// The unit deviance of `y` at mean `mean`.
    fn deviance(self, y: f64, mean: f64) -> f64 {
        let part = |y: f64, m: f64| if y > 0.0 { y * (y / m).ln() } else { 0.0 };
        match self {
            Self::Binomial => 2.0 * (part(y, mean) + part(1.0 - y, 1.0 - mean)),
            Self::Poisson => 2.0 * (part(y, mean) - (y - mean)),
            Self::NegativeBinomial { theta } => {
                let rest = (theta + y) * ((theta + mean) / (theta + y)).ln();
                2.0 * (part(y, mean) + rest)
            }
        }
    }
}

/// A fitted generalised linear model.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Coefficients and their model covariance, the inverse expected
    /// information.
    pub estimates: Estimates,
    /// The maximised log-likelihood, constants included.
    pub log_likelihood: f64,
    /// Twice the gap to the saturated model's log-likelihood.
    pub deviance: f64,
    /// The deviance of the model with an intercept (and offset) only.
    pub null_deviance: f64,
    /// Fitted means, one a row.
    pub fitted: Vec<f64>,
    /// Linear predictors, one a row, offset included.
    pub linear_predictor: Vec<f64>,
    /// Rows of positive weight.
    pub observations: usize,
    /// Estimated coefficients.
    pub parameters: usize,
    /// Newton steps taken.
    pub iterations: usize,
    /// The standardised design, for robust variances.
    pub(crate) design: Design,
    /// The score of each row's linear predictor, prior weight included.
    pub(crate) row_scores: Vec<f64>,
    /// Covariance of the standardised coefficients.
    pub(crate) bread: SquareMatrix,
}

impl Fit {
    /// -2 log-likelihood + 2 parameters.
    pub fn aic(&self) -> f64 {
        -2.0 * self.log_likelihood + 2.0 * self.parameters as f64
    }

    /// -2 log-likelihood + ln(observations) parameters.
    pub fn bic(&self) -> f64 {
        -2.0 * self.log_likelihood + (self.observations as f64).ln() * self.parameters as f64
    }
}

/// What a generalised linear model is fitted to.
pub(crate) struct Problem<'a> {
    pub(crate) family: Family,
    pub(crate) outcome: &'a [f64],
    pub(crate) offset: &'a [f64],
    pub(crate) weights: &'a [f64],
}

struct GeneralisedLinear<'a> {
    problem: &'a Problem<'a>,
    design: &'a Design,
    eta: Vec<f64>,
}

impl Likelihood for GeneralisedLinear<'_> {
    fn design(&self) -> &Design {
        self.design
    }

    fn value(&mut self, at: &[f64]) -> f64 {
        let Problem { family, outcome, offset, weights } = *self.problem;
        self.design.linear_predictor(at, offset, &mut self.eta);
        self.eta
            .iter()
            .zip(outcome)
            .zip(weights)
            .filter(|(_, w)| **w > 0.0)
            .map(|((&eta, &y), &w)| w * family.value(y, eta))
            .sum()
    }

    fn derivatives(&mut self, at: &[f64]) -> (Vec<f64>, SquareMatrix) {
        let Problem { family, outcome, offset, weights } = *self.problem;
        self.design.linear_predictor(at, offset, &mut self.eta);
        let (mut score, mut information) = (Vec::new(), Vec::new());
        for ((&eta, &y), &w) in self.eta.iter().zip(outcome).zip(weights) {
            let row = family.terms(y, eta);
            score.push(w * row.score);
            information.push(w * row.observed);
        }
        let score = self.design.transpose_times(&score);
        (score, self.design.weighted_cross_product(&information))
    }
}

/// Fits by Newton's method from `start` (standardised coefficients) or from
/// the intercept-only model. Returns the fit without the log-likelihood's
/// constant, and the standardised coefficients.
pub(crate) fn fit(
    problem: &Problem<'_>,
    design: &Design,
    start: Option<&[f64]>,
) -> Result<(Fit, Vec<f64>), Error> {
    let null = null_intercept(problem)?;
    let mut from = vec![0.0; design.size()];
    match start {
        Some(start) => from.copy_from_slice(start),
        None => from[0] = null,
    }
    let eta = vec![0.0; problem.outcome.len()];
    let mut likelihood = GeneralisedLinear { problem, design, eta };
    let maximum = maximise(&mut likelihood, &from)?;

    let mut eta = likelihood.eta;
    design.linear_predictor(&maximum.at, problem.offset, &mut eta);
    let (mut fitted, mut row_scores, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    let (mut deviance, mut null_deviance) = (0.0, 0.0);
    for (i, &eta) in eta.iter().enumerate() {
        let (y, w) = (problem.outcome[i], problem.weights[i]);
        let row = problem.family.terms(y, eta);
        let at_null = problem.family.terms(y, null + problem.offset[i]).mean;
        if w > 0.0 {
            deviance += w * problem.family.deviance(y, row.mean);
            null_deviance += w * problem.family.deviance(y, at_null);
        }
        fitted.push(row.mean);
        row_scores.push(w * row.score);
        expected.push(w * row.expected);
    }
    let separated = || Error::Separation { terms: design.terms_moved(&maximum.at) };
    let bread =
        Cholesky::new(&design.weighted_cross_product(&expected)).ok_or_else(separated)?.inverse();
    let estimates = Estimates {
        terms: design.terms.clone(),
        coefficients: design.coefficients(&maximum.at),
        covariance: design.covariance(&bread),
        aliased: design.aliased.clone(),
    };
    let fit = Fit {
        estimates,
        log_likelihood: maximum.value,
        deviance,
        null_deviance,
        fitted,
        linear_predictor: eta,
        observations: problem.weights.iter().filter(|w| **w > 0.0).count(),
        parameters: design.size(),
        iterations: maximum.iterations,
        design: design.clone(),
        row_scores,
        bread,
    };
    Ok((fit, maximum.at))
}

/// The intercept of the model without covariates: in closed form but for a
/// logistic model with an offset and for the negative binomial, which only
/// starts from the Poisson's.
fn null_intercept(problem: &Problem<'_>) -> Result<f64, Error> {
    let Problem { family, outcome, offset, weights } = *problem;
    let total: f64 = outcome.iter().zip(weights).map(|(y, w)| y * w).sum();
    if family == Family::Binomial {
        let mean = total / weights.iter().sum::<f64>();
        let start = (mean / (1.0 - mean)).ln();
        if offset.iter().all(|o| *o == 0.0) {
            return Ok(start);
        }
        let design = Design::with_intercept(&[], weights)?;
        let eta = vec![0.0; outcome.len()];
        let mut likelihood = GeneralisedLinear { problem, design: &design, eta };
        return Ok(maximise(&mut likelihood, &[start])?.at[0]);
    }
    let exposed: f64 = offset.iter().zip(weights).map(|(o, w)| o.exp() * w).sum();
    Ok((total / exposed).ln())
}

/// Checks prior weights, which may all be 0, or gives ones.
pub(crate) fn weights_or_ones(weights: Option<&[f64]>, rows: usize) -> Result<Vec<f64>, Error> {
    let Some(given) = weights else { return Ok(vec![1.0; rows]) };
    check_range("weights", given, rows, "a weight of 0 or more", |w| w >= 0.0)?;
    Ok(given.to_vec())
}

/// Checks prior weights, or gives ones; some are above 0.
pub(crate) fn checked_weights(weights: Option<&[f64]>, rows: usize) -> Result<Vec<f64>, Error> {
    let weights = weights_or_ones(weights, rows)?;
    if weights.iter().any(|w| *w > 0.0) { Ok(weights) } else { Err(Error::NoRows) }
}

/// Checks person-time and gives the offsets ln(person-time); zeros without it.
pub(crate) fn log_person_time(person_time: Option<&[f64]>, rows: usize) -> Result<Vec<f64>, Error> {
    let Some(person_time) = person_time else { return Ok(vec![0.0; rows]) };
    check_range("person_time", person_time, rows, "person-time above 0", |t| t > 0.0)?;
    Ok(person_time.iter().map(|t| t.ln()).collect())
}

/// Checks counts: finite, 0 or more, not all 0 among weighted rows.
pub(crate) fn check_counts(count: &[f64], weights: &[f64]) -> Result<(), Error> {
    check_range("count", count, weights.len(), "a count of 0 or more", |y| y >= 0.0)?;
    if count.iter().zip(weights).all(|(y, w)| y * w == 0.0) {
        return Err(Error::ConstantOutcome { always: "zero" });
    }
    Ok(())
}

/// Which rows have a finite value in every column: what R's `na.omit` keeps.
pub fn complete_rows(columns: &[&[f64]]) -> Vec<usize> {
    let rows = columns.iter().map(|c| c.len()).min().unwrap_or(0);
    (0..rows).filter(|&i| columns.iter().all(|c| c[i].is_finite())).collect()
}

/// The linear predictor of other rows at fitted coefficients: the intercept
/// plus the sum of coefficient times value; aliased terms count as 0.
/// `covariates` are named as in the fit and may come in any order.
pub fn predict(estimates: &Estimates, covariates: &[Covariate<'_>]) -> Result<Vec<f64>, Error> {
    let rows = covariates.first().map_or(0, |c| c.values.len());
    let mut out = vec![0.0; rows];
    for (term, &coefficient) in estimates.terms.iter().zip(&estimates.coefficients) {
        if coefficient.is_nan() {
            continue;
        }
        if term == INTERCEPT {
            for o in &mut out {
                *o += coefficient;
            }
            continue;
        }
        let column = covariates.iter().find(|c| c.name == term).ok_or_else(|| Error::Length {
            column: term.clone(),
            found: 0,
            expected: rows,
        })?;
        check_finite(term, column.values, rows)?;
        for (o, v) in out.iter_mut().zip(column.values) {
            *o += coefficient * v;
        }
    }
    Ok(out)
}
