//! The standard normal distribution.

use std::f64::consts::TAU;

use super::gamma::unit_gamma_tails;

/// `exp(-z^2 / 2) / sqrt(2 pi)`.
pub fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / TAU.sqrt()
}

/// P(Z <= z).
pub fn normal_cdf(z: f64) -> f64 {
    normal_upper_tail(-z)
}

/// P(Z > z). `Z^2 / 2` has a gamma distribution of shape one half.
pub fn normal_upper_tail(z: f64) -> f64 {
    let tails = unit_gamma_tails(0.5, 0.5 * z * z);
    if z > 0.0 { 0.5 * tails.upper } else { 0.5 + 0.5 * tails.lower }
}

/// P(|Z| > |z|), the two-sided p value of a normal statistic.
pub fn normal_two_sided(z: f64) -> f64 {
    unit_gamma_tails(0.5, 0.5 * z * z).upper
}

/// The z with P(Z <= z) = p; infinite at 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 { normal_upper_quantile(1.0 - p) } else { -normal_upper_quantile(p) }
}

/// The z with P(Z > z) = p; infinite at 0 and 1.
///
/// Newton steps: on the probability between 0 and z while z is small, on the
/// logarithm of the tail beyond, so that both keep their relative accuracy.
pub fn normal_upper_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -normal_upper_quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::INFINITY;
    }
    if p > 0.25 {
        return central_quantile(0.5 - p);
    }
    // Near the root by Abramowitz and Stegun 26.2.23 (4.5e-4); the tail's
    // logarithm is concave, so Newton comes down to it from above.
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = t - above / below;
    for _ in 0..60 {
        let tail = 0.5 * unit_gamma_tails(0.5, 0.5 * z * z).upper;
        if tail == 0.0 {
            z *= 0.99;
            continue;
        }
        let step = (tail / p).ln() * tail / normal_density(z);
        z += step;
        if step.abs() < 1e-9 * z {
            break;
        }
    }
    z
}

/// The z with P(0 < Z <= z) = p, for p < 1/4.
fn central_quantile(p: f64) -> f64 {
    let mut z = p * TAU.sqrt();
    for _ in 0..60 {
        let step = (p - 0.5 * unit_gamma_tails(0.5, 0.5 * z * z).lower) / normal_density(z);
        z += step;
        if step.abs() <= 1e-9 * z {
            break;
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    /// Values of mpmath 1.4 at 40 digits.
    #[test]
    fn tails_are_known() {
        close(normal_cdf(1.0), 0.841_344_746_068_542_9, 1e-15);
        close(normal_upper_tail(0.1), 0.460_172_162_722_971, 2e-13);
        close(normal_upper_tail(1.96), 0.024_997_895_148_220_435, 2e-13);
        close(normal_upper_tail(6.0), 9.865_876_450_376_98e-10, 2e-13);
        close(normal_upper_tail(20.0), 2.753_624_118_606_233_7e-89, 2e-13);
        close(normal_upper_tail(37.5), 4.605_353_009_581_955e-308, 2e-13);
    }

    proptest! {
        #[test]
        fn quantile_undoes_the_tail(z in -37.0..37.0f64) {
            let (lower, upper) = (normal_cdf(z), normal_upper_tail(z));
            let back = if z < 0.0 { normal_quantile(lower) } else { normal_upper_quantile(upper) };
            prop_assert!((back - z).abs() <= 1e-13 * z.abs().max(1e-3), "{} {}", back, z);
            prop_assert!((lower + upper - 1.0).abs() <= 1e-15);
        }
    }
}
