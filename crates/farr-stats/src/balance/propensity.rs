//! The propensity score.

use super::error::Error;
use crate::regression::{Covariate, Fit, logistic};

/// Each row's probability of treatment given its covariates.
#[derive(Debug, Clone)]
pub struct PropensityScore {
    /// The score, one a row.
    pub score: Vec<f64>,
    /// ln(score / (1 - score)), the linear predictor.
    pub logit: Vec<f64>,
    /// Which rows are treated.
    pub treated: Vec<bool>,
    /// The logistic regression behind it.
    pub fit: Fit,
}

/// The propensity score by logistic regression of `treatment` (0 or 1, one a
/// row) on `covariates`. With many covariates use the elastic net instead.
/// Errors as for logistic regression: separation means that some rows could
/// only be treated, or never.
pub fn propensity_score(
    treatment: &[f64],
    covariates: &[Covariate<'_>],
) -> Result<PropensityScore, Error> {
    let fit = logistic(treatment, covariates, None)?;
    Ok(PropensityScore {
        score: fit.fitted.clone(),
        logit: fit.linear_predictor.clone(),
        treated: treatment.iter().map(|t| *t == 1.0).collect(),
        fit,
    })
}
