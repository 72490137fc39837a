//! Standardised mean differences and effective sample size.

use super::error::{Error, check_groups};
use super::moments::{mean_and_variance, weighted_mean};
use crate::regression::checks;

/// What a difference of means is divided by; always of the unweighted groups,
/// so that balance before and after is measured on one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// sqrt((s1^2 + s0^2) / 2), variances with n - 1 (Austin 2009, Stat Med
    /// 28:3083).
    Pooled,
    /// The treated's standard deviation, n - 1.
    Treated,
    /// sqrt((p1 (1 - p1) + p0 (1 - p0)) / 2) for 0/1 values.
    PooledBinary,
}

/// The treated's (weighted) mean minus the reference's, divided by `scale`.
///
/// `values` and `weights` (0 or more; 1 if `None`): one a row, finite. NaN
/// where the scale is 0 or a group has no weight.
pub fn standardised_mean_difference(
    values: &[f64],
    treated: &[bool],
    weights: Option<&[f64]>,
    scale: Scale,
) -> Result<f64, Error> {
    let rows = values.len();
    checks::finite("values", values, rows)?;
    check_groups(treated, rows)?;
    let weights = checks::weights_or_ones(weights, rows)?;
    let group = |wanted: bool| {
        let rows = values.iter().zip(&weights).zip(treated);
        rows.filter(move |(_, t)| **t == wanted).map(|((v, w), _)| (*v, *w))
    };
    let difference = weighted_mean(group(true)) - weighted_mean(group(false));
    let of = |wanted| mean_and_variance(&group(wanted).map(|(v, _)| v).collect::<Vec<f64>>());
    let ((mean1, variance1), (mean0, variance0)) = (of(true), of(false));
    let square = match scale {
        Scale::Pooled => f64::midpoint(variance1, variance0),
        Scale::Treated => variance1,
        Scale::PooledBinary => f64::midpoint(mean1 * (1.0 - mean1), mean0 * (1.0 - mean0)),
    };
    Ok(if square > 0.0 { difference / square.sqrt() } else { f64::NAN })
}

/// (sum of w)^2 / sum of w^2 (Kish): the number of equally weighted rows
/// whose mean would vary as much. NaN without weight.
pub fn effective_sample_size(weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().sum();
    let square: f64 = weights.iter().map(|w| w * w).sum();
    sum * sum / square
}
