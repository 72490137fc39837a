//! Means, variances and quantiles of a group.

/// Weighted mean; NaN without weight.
pub(crate) fn weighted_mean(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, weight) in pairs {
        sum += value * weight;
        total += weight;
    }
    sum / total
}

/// Mean and variance (n - 1); the variance of one value is NaN.
pub(crate) fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, square / (n - 1.0))
}

/// Quantile of ascending values at `p` in [0, 1], R's type 7: linear between
/// the order statistics around 1 + (n - 1) p. NaN without values.
pub(crate) fn quantile(ascending: &[f64], p: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return f64::NAN };
    // Counted from 1, which rounds as R does.
    let index = 1.0 + last as f64 * p;
    let below = index.floor();
    let part = index - below;
    let (low, high) = (ascending[below as usize - 1], ascending[(below as usize).min(last)]);
    // Equal neighbours must give themselves, not a rounded mixture.
    if part == 0.0 || low == high { low } else { (1.0 - part) * low + part * high }
}

/// The values in ascending order.
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
