//! What likelihoods that condition on a stratum or person give.

use super::error::Error;
use super::estimates::Estimates;
use super::linear_algebra::Cholesky;
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
}

/// Maximises from zero.
pub(crate) fn fit(
    likelihood: &mut impl Likelihood,
    groups: usize,
    events: f64,
) -> Result<ConditionalFit, Error> {
    let maximum = maximise(likelihood, &vec![0.0; likelihood.design().size()])?;
    let (_, information) = likelihood.derivatives(&maximum.at);
    let design = likelihood.design();
    let covariance = Cholesky::new(&information)
        .ok_or_else(|| Error::Separation { terms: design.terms_moved(&maximum.at) })?
        .inverse();
    let estimates = Estimates {
        terms: design.terms.clone(),
        coefficients: design.coefficients(&maximum.at),
        covariance: design.covariance(&covariance),
        aliased: design.aliased.clone(),
    };
    Ok(ConditionalFit {
        estimates,
        log_likelihood: maximum.value,
        groups,
        events,
        iterations: maximum.iterations,
    })
}
