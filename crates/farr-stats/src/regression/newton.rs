//! Newton's method with step halving for concave log-likelihoods.

use super::design::Design;
use super::error::Error;
use super::linear_algebra::{Cholesky, SquareMatrix, dot};

/// A log-likelihood of standardised coefficients, with its derivatives.
pub(crate) trait Likelihood {
    /// The columns that the coefficients belong to.
    fn design(&self) -> &Design;
    /// The log-likelihood at `at`, up to a constant.
    fn value(&mut self, at: &[f64]) -> f64;
    /// The score and the observed information at `at`.
    fn derivatives(&mut self, at: &[f64]) -> (Vec<f64>, SquareMatrix);
}

pub(crate) struct Maximum {
    pub(crate) at: Vec<f64>,
    /// The log-likelihood there, up to the likelihood's own constant.
    pub(crate) value: f64,
    pub(crate) iterations: usize,
}

const ITERATIONS_MAX: usize = 100;
const HALVINGS_MAX: usize = 40;
/// Squared step in standard errors at which the next, quadratically smaller
/// one is beyond rounding.
const DECREMENT_DONE: f64 = 1e-18;
/// Once steps are this small, a fit that still moves some row's linear
/// predictor by `REACH_SEPARATED` climbs towards infinity.
const DECREMENT_SMALL: f64 = 1e-7;
const REACH_SEPARATED: f64 = 0.3;

/// The maximum, from `start`. Separation shows as steps that hardly gain
/// anything and yet move predictions by a constant each time (each Newton
/// step adds about 1 to the diverging linear predictor).
pub(crate) fn maximise(likelihood: &mut impl Likelihood, start: &[f64]) -> Result<Maximum, Error> {
    let mut at = start.to_vec();
    let mut value = likelihood.value(&at);
    let mut last_step = vec![0.0; at.len()];
    let mut decrement = f64::NAN;
    for iteration in 1..=ITERATIONS_MAX {
        let (score, information) = likelihood.derivatives(&at);
        let Some(factor) = Cholesky::new(&information) else {
            // Collinear columns are out already: only weights that vanish
            // are left as a reason.
            let terms = likelihood.design().terms_moved(&last_step);
            return Err(Error::Separation { terms });
        };
        let step = factor.solve(&score);
        decrement = dot(&step, &score);
        if decrement < DECREMENT_SMALL && likelihood.design().reach(&step) > REACH_SEPARATED {
            return Err(Error::Separation { terms: likelihood.design().terms_moved(&step) });
        }
        let slack = 1e-13 * (1.0 + value.abs());
        let (mut part, mut halvings) = (1.0, 0);
        let next = loop {
            let trial: Vec<f64> = at.iter().zip(&step).map(|(a, s)| a + part * s).collect();
            let trial_value = likelihood.value(&trial);
            if trial_value >= value - slack {
                break Some((trial, trial_value));
            }
            if halvings == HALVINGS_MAX {
                break None;
            }
            part /= 2.0;
            halvings += 1;
        };
        match next {
            Some((trial, trial_value)) => (at, value) = (trial, trial_value),
            None if decrement < 1e-12 => {
                return Ok(Maximum { at, value, iterations: iteration });
            }
            None => break,
        }
        if decrement < DECREMENT_DONE && halvings == 0 {
            return Ok(Maximum { at, value, iterations: iteration });
        }
        last_step = step;
    }
    Err(Error::NotConverged { iterations: ITERATIONS_MAX, decrement })
}
