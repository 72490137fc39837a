//! Newton's method for log partial likelihoods.

use super::linear::{Cholesky, dot};
use crate::error::{Error, Result};

/// Log likelihood, score and information (p by p) at some coefficients.
pub(crate) struct Derivatives {
    pub(crate) log_likelihood: f64,
    pub(crate) score: Vec<f64>,
    pub(crate) information: Vec<f64>,
}

/// What is maximised: the log likelihood less half the penalty of squared
/// coefficients.
pub(crate) struct Problem<'a> {
    pub(crate) what: &'static str,
    pub(crate) derivatives: &'a dyn Fn(&[f64]) -> Derivatives,
    /// Factor of half of each squared coefficient.
    pub(crate) penalty: &'a [f64],
    /// Largest less smallest value of each column.
    pub(crate) range: &'a [f64],
    pub(crate) max_iterations: usize,
}

pub(crate) struct Maximum {
    /// Coefficients; 0 for aliased columns.
    pub(crate) beta: Vec<f64>,
    pub(crate) at: Derivatives,
    /// Factor of the (penalised) information at the maximum.
    pub(crate) factor: Cholesky,
    pub(crate) iterations: usize,
}

/// Newton's method with step halving, from 0.
///
/// It stops when the score, in units of the standard errors, is so small that
/// a further step would move no coefficient by more than 1e-12 of its error.
pub(crate) fn maximise(problem: &Problem, start: &Derivatives) -> Result<Maximum> {
    let (what, penalty) = (problem.what, problem.penalty);
    let p = penalty.len();
    let mut beta = vec![0.0; p];
    let mut at = Derivatives {
        log_likelihood: start.log_likelihood,
        score: start.score.clone(),
        information: start.information.clone(),
    };
    let aliased = factor_of(&at, penalty, &vec![false; p]).aliased().to_vec();
    let (mut iterations, mut last_decrement) = (0, f64::INFINITY);
    loop {
        let factor = factor_of(&at, penalty, &aliased);
        if let Some(covariate) = (0..p).find(|&j| factor.aliased()[j] && !aliased[j]) {
            return Err(Error::MonotoneLikelihood { covariate });
        }
        let score: Vec<f64> = (0..p).map(|j| at.score[j] - penalty[j] * beta[j]).collect();
        let step = factor.solve(&score);
        let decrement = dot(&score, &step);
        // Below 1e-10 Newton squares the decrement; if it does not even fall
        // to a quarter, what is left is rounding.
        let is_rounding = decrement < 1e-10 && decrement > last_decrement / 4.0;
        if decrement <= 1e-24 || is_rounding {
            return Ok(Maximum { beta, at, factor, iterations });
        }
        if iterations == problem.max_iterations || decrement.is_nan() {
            return Err(Error::NotConverged { what, iterations });
        }
        let before = penalised(&at, penalty, &beta);
        let (next, next_at) = search(problem, &beta, &step, before)
            .ok_or(Error::NotConverged { what, iterations })?;
        let gain = penalised(&next_at, penalty, &next) - before;
        check_monotone(problem.range, &step, gain, before)?;
        (beta, at) = (next, next_at);
        last_decrement = decrement;
        iterations += 1;
    }
}

fn penalised(at: &Derivatives, penalty: &[f64], beta: &[f64]) -> f64 {
    at.log_likelihood - penalty_at(penalty, beta)
}

pub(crate) fn penalty_at(penalty: &[f64], beta: &[f64]) -> f64 {
    penalty.iter().zip(beta).map(|(p, b)| 0.5 * p * b * b).sum()
}

fn factor_of(at: &Derivatives, penalty: &[f64], aliased: &[bool]) -> Cholesky {
    let p = penalty.len();
    let mut matrix = at.information.clone();
    for i in 0..p {
        matrix[i * p + i] += penalty[i];
        for j in 0..p {
            if aliased[i] || aliased[j] {
                matrix[i * p + j] = 0.0;
            }
        }
    }
    Cholesky::of(matrix, p)
}

/// The first of the full step, its half, quarter ... that does not lose.
fn search(
    problem: &Problem,
    beta: &[f64],
    step: &[f64],
    before: f64,
) -> Option<(Vec<f64>, Derivatives)> {
    let mut length = 1.0;
    for _ in 0..30 {
        let next: Vec<f64> = beta.iter().zip(step).map(|(b, s)| b + length * s).collect();
        let at = (problem.derivatives)(&next);
        // Rounding may take a hair off at the very top.
        let loss = before - penalised(&at, problem.penalty, &next);
        if loss <= 1e-12 * (1.0 + before.abs()) {
            return Some((next, at));
        }
        length /= 2.0;
    }
    None
}

/// The likelihood hardly rises, but the step is as large as the data are wide:
/// some coefficient is on its way to infinity. (At a finite maximum such a
/// gain goes with steps below 1e-3.)
fn check_monotone(range: &[f64], step: &[f64], gain: f64, before: f64) -> Result<()> {
    let moves = |j: usize| step[j].abs() * range[j];
    let moved: f64 = (0..step.len()).map(moves).sum();
    if gain > 1e-9 * (1.0 + before.abs()) || moved < 0.5 {
        return Ok(());
    }
    let covariate =
        (0..step.len()).max_by(|&a, &b| moves(a).total_cmp(&moves(b))).unwrap_or_default();
    Err(Error::MonotoneLikelihood { covariate })
}
