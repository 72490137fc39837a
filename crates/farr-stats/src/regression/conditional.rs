//! What likelihoods that condition on a stratum or person give.

use super::design::Design;
use super::error::Error;
use super::estimates::Estimates;
use super::linear_algebra::{Cholesky, SquareMatrix};
use super::newton::{Likelihood, maximise};

/// A fit by conditional maximum likelihood: no intercepts, since they cancel.
#[derive(Debug, Clone)]
pub struct ConditionalFit {
    /// Coefficients and the inverse observed information.
    pub estimates: Estimates,
    /// The maximised conditional log-likelihood.
    pub log_likelihood: f64,
    /// Strata or persons that the likelihood counts.
    pub groups: usize,
    /// Events in them.
    pub events: f64,
    /// Newton steps taken.
    pub iterations: usize,
    pub(crate) design: Design,
    /// Rows as given by estimated terms, standardised: see [`Conditional`].
    pub(crate) row_scores: Vec<f64>,
    /// Covariance of the standardised coefficients.
    pub(crate) bread: SquareMatrix,
}

/// A likelihood that conditions on groups of rows.
pub(crate) trait Conditional: Likelihood {
    /// Each row's part of the score at `at`, rows by terms; zero for the rows
    /// that the likelihood doesn't count.
    fn row_scores(&self, at: &[f64]) -> Vec<f64>;
}

/// Writes the scores of the rows of a group: (x - mean)(observed - expected),
/// the mean being that of x weighted by `expected`. As observed and expected
/// have the same sum in a group, the mean cancels in the sum of its rows,
/// which is the group's score whatever number of events it has.
/// `residuals` has observed - expected, and expected, one pair a row.
pub(crate) fn write_group_scores(
    design: &Design,
    rows: &[usize],
    residuals: &[(f64, f64)],
    scores: &mut [f64],
) {
    let p = design.size();
    let total: f64 = residuals.iter().map(|(_, expected)| expected).sum();
    let mut mean = vec![0.0; p];
    for (&i, (_, expected)) in rows.iter().zip(residuals) {
        for (m, x) in mean.iter_mut().zip(design.row(i)) {
            *m += expected / total * x;
        }
    }
    for (&i, (residual, _)) in rows.iter().zip(residuals) {
        let score = scores[i * p..].iter_mut().zip(design.row(i)).zip(&mean);
        for ((s, x), m) in score {
            *s = (x - m) * residual;
        }
    }
}

/// Maximises from zero.
pub(crate) fn fit(
    likelihood: &mut impl Conditional,
    groups: usize,
    events: f64,
) -> Result<ConditionalFit, Error> {
    let maximum = maximise(likelihood, &vec![0.0; likelihood.design().size()])?;
    let (_, information) = likelihood.derivatives(&maximum.at);
    let design = likelihood.design().clone();
    let bread = Cholesky::new(&information)
        .ok_or_else(|| Error::Separation { terms: design.terms_moved(&maximum.at) })?
        .inverse();
    let estimates = Estimates {
        terms: design.terms.clone(),
        coefficients: design.coefficients(&maximum.at),
        covariance: design.covariance(&bread),
        aliased: design.aliased.clone(),
    };
    Ok(ConditionalFit {
        estimates,
        log_likelihood: maximum.value,
        groups,
        events,
        iterations: maximum.iterations,
        row_scores: likelihood.row_scores(&maximum.at),
        design,
        bread,
    })
}
