//! The few distribution functions that regressions need.

use statrs::function::erf::erfc_inv;
use statrs::function::gamma::gamma_ur;

/// Two-sided p-value of a standard normal `z`: z^2 is chi-square with one
/// degree of freedom (statrs's erfc is good to 1e-10 only).
pub fn normal_p_two_sided(z: f64) -> f64 {
    chi_square_upper(z * z, 1.0)
}

/// The quantile of the standard normal distribution at `p` in (0, 1).
pub fn normal_quantile(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

/// The upper tail of the chi-square distribution with `df` degrees of freedom.
pub fn chi_square_upper(x: f64, df: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if x <= 0.0 {
        1.0
    } else {
        gamma_ur(df / 2.0, x / 2.0)
    }
}

/// psi'(x), the second derivative of log gamma, for x > 0: recurrence up to
/// 15, then the asymptotic series (Abramowitz and Stegun 6.4.12).
pub(crate) fn trigamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut sum = 0.0;
    while shifted < 15.0 {
        sum += 1.0 / (shifted * shifted);
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = 1.0 / 6.0
        - square
            * (1.0 / 30.0 - square * (1.0 / 42.0 - square * (1.0 / 30.0 - square * 5.0 / 66.0)));
    sum + inverse + square / 2.0 + square * inverse * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // pi^2 / 6 and pi^2 / 2.
        let pi_square = std::f64::consts::PI.powi(2);
        assert!((trigamma(1.0) - pi_square / 6.0).abs() < 1e-13);
        assert!((trigamma(0.5) - pi_square / 2.0).abs() < 1e-13);
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-13);
        assert!((normal_p_two_sided(1.959_963_984_540_054) - 0.05).abs() < 1e-14);
        assert!((chi_square_upper(2.0, 2.0) - (-1.0f64).exp()).abs() < 1e-14);
    }
}
