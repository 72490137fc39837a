//! Hazard ratios with intervals, information criteria: the table of a paper.

use super::CoxModel;
use super::fit::std_err;
use crate::distribution::normal_two_sided;
use crate::error::Result;
use crate::survival::confidence::normal_quantile_two_sided;

/// One covariate's line; all NaN for an aliased one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HazardRatio {
    /// exp(coefficient).
    pub hazard_ratio: f64,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Coefficient over its standard error.
    pub z: f64,
    /// Two-sided p of the coefficient being 0.
    pub p: f64,
}

/// A fitted model as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct CoxSummary {
    /// One line a covariate.
    pub hazard_ratios: Vec<HazardRatio>,
    /// Akaike's criterion, -2 l + 2 k.
    pub aic: f64,
    /// Bayesian criterion, -2 l + k log(events): events, not rows.
    pub bic: f64,
}

impl CoxModel {
    /// Wald intervals of coverage `conf_level`, from `covariance` (the
    /// model's own if `None`). Source: survival 3.5-3 `summary.coxph`.
    pub fn summary(&self, conf_level: f64, covariance: Option<&[Vec<f64>]>) -> Result<CoxSummary> {
        let z_of_level = normal_quantile_two_sided(conf_level)?;
        let fit = &self.fit;
        let errors = std_err(&fit.coefficients, covariance.unwrap_or(&fit.covariance));
        let line = |(&b, se): (&f64, f64)| {
            let z = b / se;
            let (hazard_ratio, p) = (b.exp(), normal_two_sided(z));
            let (lower, upper) = ((b - z_of_level * se).exp(), (b + z_of_level * se).exp());
            HazardRatio { hazard_ratio, lower, upper, z, p }
        };
        let k = (fit.coefficients.len() - fit.aliased.len()) as f64;
        let deviance = -2.0 * fit.log_likelihood;
        Ok(CoxSummary {
            hazard_ratios: fit.coefficients.iter().zip(errors).map(line).collect(),
            aic: deviance + 2.0 * k,
            bic: deviance + k * (fit.events as f64).ln(),
        })
    }
}
