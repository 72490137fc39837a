//! What to fit and how.

use super::error::Error;

/// The outcome, and with it the likelihood. One value a row each.
#[derive(Debug, Clone, Copy)]
pub enum Response<'a> {
    /// Logistic regression of 0/1.
    Binary {
        /// 0 or 1.
        outcome: &'a [f64],
    },
    /// Poisson regression of counts.
    Counts {
        /// 0 or more.
        count: &'a [f64],
        /// Above 0; enters as the offset ln(person-time).
        person_time: Option<&'a [f64]>,
    },
    /// Cox regression with Breslow's ties, no intercept.
    Survival {
        /// Time of event or censoring, any unit.
        time: &'a [f64],
        /// 1 at an event, 0 at a censoring. Censored rows are at risk at
        /// events of the same time.
        event: &'a [f64],
    },
}

/// Which penalties to fit.
#[derive(Debug, Clone, Copy)]
pub enum Lambdas<'a> {
    /// These, in any order; answers come in the order given.
    Given(&'a [f64]),
    /// From the smallest lambda at which all penalised coefficients are zero
    /// downwards, evenly on the log scale.
    Path {
        /// How many.
        count: usize,
        /// The last as a part of the first; by default 0.0001, or 0.01 with
        /// fewer rows than columns.
        min_ratio: Option<f64>,
        /// Stop once the deviance hardly falls any more, as glmnet does.
        stop_early: bool,
    },
}

/// Settings of a fit; the defaults are glmnet's but for a tighter threshold.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Part of the L1 penalty, 0 (ridge) to 1 (lasso).
    pub alpha: f64,
    /// The penalties.
    pub lambdas: Lambdas<'a>,
    /// Penalise coefficients of columns divided by their standard deviation
    /// (weighted, 1/n). Answers are for columns as given all the same.
    pub standardise: bool,
    /// Weights of rows, 0 or more; only their proportions matter.
    pub weights: Option<&'a [f64]>,
    /// Factors on lambda by column, 0 or more: 0 is not penalised, infinity
    /// leaves the column out. Scaled to sum to the number of columns.
    pub penalty_factors: Option<&'a [f64]>,
    /// A pass over columns that gains less than half of this, as a part of
    /// the null deviance, ends the descent. The default of 1e-20 gives
    /// coefficients to 1e-9 standard deviations.
    pub threshold: f64,
    /// Passes over columns at one lambda before giving up.
    pub passes_max: usize,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            lambdas: Lambdas::Path { count: 100, min_ratio: None, stop_early: true },
            standardise: true,
            weights: None,
            penalty_factors: None,
            threshold: 1e-20,
            passes_max: 100_000,
        }
    }
}

impl Options<'_> {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |setting, expected| Err(Error::Setting { setting, expected });
        if !(0.0..=1.0).contains(&self.alpha) {
            return wrong("alpha", "between 0 and 1");
        }
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return wrong("threshold", "above 0 and below 1");
        }
        match self.lambdas {
            Lambdas::Given(lambdas) => {
                if lambdas.is_empty() || lambdas.iter().any(|l| !(l.is_finite() && *l >= 0.0)) {
                    return wrong("lambda", "at least one finite number of 0 or more");
                }
            }
            Lambdas::Path { count, min_ratio, .. } => {
                if count == 0 {
                    return wrong("the number of lambdas", "1 or more");
                }
                if min_ratio.is_some_and(|ratio| !(ratio > 0.0 && ratio < 1.0)) {
                    return wrong("min_ratio", "above 0 and below 1");
                }
            }
        }
        Ok(())
    }
}
