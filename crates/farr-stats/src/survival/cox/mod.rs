//! Cox's proportional hazards model: the fit and what is read off it.
//!
//! [`cox`] sorts the rows, maximises the partial likelihood and gives a
//! [`CoxModel`]; its methods walk over the same sorted rows. Source of all
//! conventions: survival 3.5-3 `coxph` and its methods.

mod baseline;
mod design;
mod fit;
mod proportionality;
mod residuals;
mod risk_sets;
mod summary;
#[cfg(test)]
mod tests;

pub use baseline::{BaselineAt, BaselineHazard, CoxSurvival, Profile};
pub use design::CoxData;
pub use fit::{ChiSquareTest, CoxFit, CoxOptions, Ridge};
pub use proportionality::{ProportionalityTest, TimeTransform};
pub use residuals::{CoxResiduals, RobustCovariance};
pub use summary::{CoxSummary, HazardRatio};

pub(crate) use self::design::Design;
pub(crate) use self::fit::std_err;
use super::concordance::{Concordance, concordance_of};
use crate::error::Result;

/// How tied event times are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ties {
    /// Efron: those with the event leave one after the other, on average.
    #[default]
    Efron,
    /// Breslow: all of them are at risk for each of them.
    Breslow,
}

/// A fitted model together with its sorted rows.
#[derive(Debug, Clone)]
pub struct CoxModel {
    /// Coefficients, covariance, likelihood, tests.
    pub fit: CoxFit,
    ties: Ties,
    /// Coefficients of the centred and scaled columns; 0 for aliased ones.
    beta: Vec<f64>,
    /// Their covariance, row by row.
    scaled_covariance: Vec<f64>,
    design: Design,
}

/// Fits the model by Newton's method with step halving.
///
/// `data`: n rows and p columns; a row is at risk at t when
/// entry < t <= time, within its stratum. With weights Efron's ties use the
/// mean weight of the tied events. Covariates that are constant or depend on
/// earlier ones are named in [`CoxFit::aliased`] and left out. Coefficients
/// are iterated to about 1e-9 of their standard errors. Errors: bad rows or
/// covariates, no event, a coefficient that runs to infinity, no
/// convergence. Source: survival 3.5-3 `coxph`. Cost: one sort, then
/// O(n p^2) a step.
pub fn cox(data: &CoxData, options: &CoxOptions) -> Result<CoxModel> {
    fit::fit(data, options)
}

impl CoxModel {
    /// x beta of each row, 0 at [`CoxFit::centers`].
    pub fn linear_predictor(&self) -> Vec<f64> {
        let shift = self.predictor_at_centers();
        let eta = self.design.linear_predictor(&self.beta);
        let eta: Vec<f64> = eta.into_iter().map(|eta| eta - shift).collect();
        self.design.unsort(&eta)
    }

    /// Concordance of the linear predictor with the outcome, within strata;
    /// standard error by infinitesimal jackknife, `cluster` (labels of rows)
    /// by cluster. Cost: O(n log n).
    pub fn concordance(&self, cluster: Option<&[u32]>) -> Result<Concordance> {
        let eta = self.design.linear_predictor(&self.beta);
        concordance_of(&self.design, &eta, cluster)
    }

    /// The predictor of a covariate row, 0 at the column means.
    fn predictor_at(&self, covariates: &[f64]) -> f64 {
        let d = &self.design;
        let scaled = |j: usize| (covariates[j] - d.mean[j]) / d.scale[j] * self.beta[j];
        (0..d.columns).map(scaled).sum()
    }

    fn predictor_at_centers(&self) -> f64 {
        self.predictor_at(&self.fit.centers)
    }

    /// w exp(x beta) of each position.
    fn weighted_risk(&self) -> Vec<f64> {
        let eta = self.design.linear_predictor(&self.beta);
        eta.iter().zip(&self.design.weight).map(|(eta, w)| w * eta.exp()).collect()
    }
}
