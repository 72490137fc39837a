//! Weights from a propensity score.

use super::error::{Error, check_groups};
use super::moments::{quantile, sorted, weighted_mean};
use crate::regression::checks;

/// Whom the weighted groups stand for. With score e, the weights of the
/// treated and of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// Everybody: 1 / e and 1 / (1 - e).
    Ate,
    /// Everybody, each group's weights times its share of rows.
    AteStabilised,
    /// The treated: 1 and e / (1 - e).
    Att,
    /// The reference: (1 - e) / e and 1.
    Atc,
    /// The overlap: 1 - e and e (Li, Morgan and Zaslavsky 2018, JASA
    /// 113:390).
    Overlap,
    /// min(e, 1 - e) over e and over 1 - e (Li and Greene 2013, Int J
    /// Biostat 9:215).
    Matching,
}

/// One weight a row. `score` in [0, 1]. Errors: a score out of range, an
/// empty group, and [`Error::InfiniteWeight`] for a treated row of score 0 or
/// a reference row of score 1 where the weighting divides by that.
pub fn propensity_weights(
    score: &[f64],
    treated: &[bool],
    weighting: Weighting,
) -> Result<Vec<f64>, Error> {
    checks::share("score", score, score.len())?;
    check_groups(treated, score.len())?;
    let share = treated.iter().filter(|t| **t).count() as f64 / treated.len() as f64;
    let rows = score.iter().zip(treated).enumerate();
    rows.map(|(row, (&e, &treated))| {
        // The probability of the group that the row is in, and of the other.
        let (own, other) = if treated { (e, 1.0 - e) } else { (1.0 - e, e) };
        let weight = match (weighting, treated) {
            (Weighting::Ate, _) => 1.0 / own,
            (Weighting::AteStabilised, true) => share / own,
            (Weighting::AteStabilised, false) => (1.0 - share) / own,
            (Weighting::Att, true) | (Weighting::Atc, false) => 1.0,
            (Weighting::Att, false) | (Weighting::Atc, true) => other / own,
            (Weighting::Overlap, _) => other,
            (Weighting::Matching, _) => own.min(other) / own,
        };
        if weight.is_finite() { Ok(weight) } else { Err(Error::InfiniteWeight { row }) }
    })
    .collect()
}

/// Weights cut to their own quantiles at `lower` and `upper` (type 7, over
/// all rows), 0 <= lower <= upper <= 1.
pub fn truncated_weights(weights: &[f64], lower: f64, upper: f64) -> Result<Vec<f64>, Error> {
    if !(0.0 <= lower && lower <= upper && upper <= 1.0) {
        let (setting, expected) = ("the quantiles to cut at", "between 0 and 1 and in order");
        return Err(Error::Setting { setting, expected });
    }
    let weights = checks::weights(Some(weights), weights.len())?;
    let ascending = sorted(weights.clone());
    let (low, high) = (quantile(&ascending, lower), quantile(&ascending, upper));
    Ok(weights.into_iter().map(|w| w.clamp(low, high)).collect())
}

/// A difference of weighted means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanDifference {
    /// The treated's weighted mean minus the reference's.
    pub difference: f64,
    /// Its robust (HC0) standard error, the weights taken as known:
    /// the root of the sum over groups of
    /// sum of w^2 (y - mean)^2 / (sum of w)^2.
    pub robust_std_err: f64,
}

/// The difference of weighted means of `outcome`, with the sandwich error of
/// weighted least squares on treatment. One finite value and one weight (0 or
/// more) a row.
pub fn weighted_mean_difference(
    outcome: &[f64],
    treated: &[bool],
    weights: &[f64],
) -> Result<MeanDifference, Error> {
    let rows = outcome.len();
    checks::finite("outcome", outcome, rows)?;
    check_groups(treated, rows)?;
    let weights = checks::weights(Some(weights), rows)?;
    let group = |wanted: bool| {
        let group: Vec<(f64, f64)> =
            (0..rows).filter(|&i| treated[i] == wanted).map(|i| (outcome[i], weights[i])).collect();
        let mean = weighted_mean(group.iter().copied());
        let total: f64 = group.iter().map(|(_, w)| w).sum();
        let square: f64 = group.iter().map(|(y, w)| (w * (y - mean) / total).powi(2)).sum();
        (mean, square)
    };
    let ((mean1, variance1), (mean0, variance0)) = (group(true), group(false));
    Ok(MeanDifference { difference: mean1 - mean0, robust_std_err: (variance1 + variance0).sqrt() })
}
