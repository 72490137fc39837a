//! Gamma and chi-square distributions.

use super::Tails;
use super::density::{poisson_density, stirling_error};
use super::solve::{ANYWHERE, Target, solve};

/// Density at x of the gamma distribution with the given shape and rate.
pub fn gamma_density(x: f64, shape: f64, rate: f64) -> f64 {
    if x < 0.0 {
        return 0.0;
    }
    if !(shape > 0.0 && rate > 0.0) {
        return f64::NAN;
    }
    poisson_density(shape, x * rate) * shape / x
}

/// P(X <= x) of the gamma distribution with the given shape and rate.
pub fn gamma_cdf(x: f64, shape: f64, rate: f64) -> f64 {
    scaled_tails(x, shape, rate).lower
}

/// P(X > x) of the gamma distribution with the given shape and rate.
pub fn gamma_upper_tail(x: f64, shape: f64, rate: f64) -> f64 {
    scaled_tails(x, shape, rate).upper
}

/// The x with P(X <= x) = p; 0 at p = 0, infinite at 1.
pub fn gamma_quantile(p: f64, shape: f64, rate: f64) -> f64 {
    GammaQuantile::lower(p).at(shape, rate)
}

/// The x with P(X > x) = p; infinite at p = 0, 0 at 1.
pub fn gamma_upper_quantile(p: f64, shape: f64, rate: f64) -> f64 {
    GammaQuantile::upper(p).at(shape, rate)
}

/// The quantile at one probability of many gamma distributions: the normal
/// deviate that each search starts from is found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GammaQuantile {
    target: Target,
    deviate: f64,
}

impl GammaQuantile {
    /// As [`gamma_quantile`].
    pub(crate) fn lower(p: f64) -> Self {
        Self::of(Target::from_lower(p))
    }

    /// As [`gamma_upper_quantile`].
    pub(crate) fn upper(p: f64) -> Self {
        Self::of(Target::from_upper(p))
    }

    fn of(target: Target) -> Self {
        Self { target, deviate: target.normal_deviate() }
    }

    /// The quantile of the distribution with the given shape and rate.
    pub(crate) fn at(self, shape: f64, rate: f64) -> f64 {
        // Of what is no probability there is no deviate.
        let is_known = shape > 0.0 && shape.is_finite() && rate > 0.0 && !self.deviate.is_nan();
        if is_known { self.unit(shape) / rate } else { f64::NAN }
    }

    fn unit(self, shape: f64) -> f64 {
        match self.target {
            Target::Lower(0.0) => return 0.0,
            Target::Upper(0.0) => return f64::INFINITY,
            _ => {}
        }
        // Wilson and Hilferty's cube; where it fails, the leading terms.
        let cube = 1.0 - 1.0 / (9.0 * shape) + self.deviate / (3.0 * shape.sqrt());
        let start = match self.target {
            _ if cube > 0.3 => shape * cube.powi(3),
            Target::Lower(p) => ((p.ln() + ln_gamma_1p(shape)) / shape).exp(),
            Target::Upper(p) => shape + 0.5 - p.ln(),
        };
        if start == 0.0 {
            return 0.0;
        }
        solve(self.target, start, ANYWHERE, |x| {
            (unit_gamma_tails(shape, x), poisson_density(shape, x) * shape)
        })
    }
}

/// P(X <= x) of the chi-square distribution.
pub fn chi_square_cdf(x: f64, degrees_of_freedom: f64) -> f64 {
    gamma_cdf(x, degrees_of_freedom / 2.0, 0.5)
}

/// P(X > x) of the chi-square distribution, the p value of a chi-square test.
pub fn chi_square_upper_tail(x: f64, degrees_of_freedom: f64) -> f64 {
    gamma_upper_tail(x, degrees_of_freedom / 2.0, 0.5)
}

/// The x with P(X <= x) = p of the chi-square distribution.
pub fn chi_square_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    gamma_quantile(p, degrees_of_freedom / 2.0, 0.5)
}

/// The x with P(X > x) = p of the chi-square distribution.
pub fn chi_square_upper_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    gamma_upper_quantile(p, degrees_of_freedom / 2.0, 0.5)
}

/// Both tails of the gamma distribution with the given shape and rate.
pub(super) fn scaled_tails(x: f64, shape: f64, rate: f64) -> Tails {
    if shape > 0.0 && shape.is_finite() && rate > 0.0 {
        unit_gamma_tails(shape, x * rate)
    } else {
        Tails::NAN
    }
}

/// Both tails of the gamma distribution with rate 1.
pub(super) fn unit_gamma_tails(shape: f64, x: f64) -> Tails {
    if x.is_nan() {
        return Tails::NAN;
    }
    if x <= 0.0 {
        return Tails::from_lower(0.0);
    }
    if x == f64::INFINITY {
        return Tails::from_upper(0.0);
    }
    // Below 1, the upper tail is small already before the mean.
    let split = if shape < 1.0 { 0.5 } else { shape + 1.0 };
    let density = poisson_density(shape, x);
    if x < split {
        Tails::from_lower(density * lower_series(shape, x))
    } else {
        Tails::from_upper(density * shape * upper_fraction(shape, x))
    }
}

/// `1 + x/(a+1) + x^2/((a+1)(a+2)) + ...` (Abramowitz and Stegun 6.5.29).
fn lower_series(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut divisor) = (1.0, 1.0, shape);
    while term > sum * (f64::EPSILON / 8.0) {
        divisor += 1.0;
        term *= x / divisor;
        sum += term;
    }
    sum
}

/// `Gamma(a, x) e^x x^-a` by Legendre's continued fraction (Abramowitz and
/// Stegun 6.5.31, contracted), evaluated forwards by Lentz's method.
fn upper_fraction(shape: f64, x: f64) -> f64 {
    let mut partial_denominator = x + 1.0 - shape;
    let mut inverse_d = 1.0 / partial_denominator;
    let mut c = f64::INFINITY;
    let mut fraction = inverse_d;
    let mut i = 0.0;
    // Where rounding keeps the factor from 1 for good, the terms are long spent.
    let terms_max = 1000.0 + 20.0 * shape.sqrt();
    while i < terms_max {
        i += 1.0;
        let partial_numerator = -i * (i - shape);
        partial_denominator += 2.0;
        inverse_d = 1.0 / (partial_numerator * inverse_d + partial_denominator);
        c = partial_denominator + partial_numerator / c;
        let factor = c * inverse_d;
        fraction *= factor;
        if (factor - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

/// `ln Gamma(a + 1)` for `a > 0`.
fn ln_gamma_1p(a: f64) -> f64 {
    stirling_error(a) + 0.5 * (std::f64::consts::TAU * a).ln() + a * (a.ln() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    /// Values of mpmath 1.4 at 40 digits.
    #[test]
    fn tails_are_known() {
        close(gamma_cdf(0.3, 0.5, 1.0), 0.561_421_973_919_000_2, 1e-13);
        close(gamma_cdf(0.001, 3.0, 1.0), 1.665_417_166_527_807_6e-10, 1e-13);
        close(gamma_cdf(4.0, 10.0, 1.0), 0.008_132_242_796_933_864, 1e-13);
        close(gamma_cdf(900.0, 1000.0, 1.0), 0.000_549_902_265_711_782_9, 1e-13);
        close(gamma_cdf(98000.0, 100_000.0, 1.0), 9.690_835_158_160_487e-11, 1e-13);
        close(gamma_cdf(1e-20, 0.2, 1.0), 0.000_108_912_442_105_833_57, 1e-13);
        close(gamma_upper_tail(3.0, 0.2, 1.0), 0.003_703_171_841_290_683_7, 1e-13);
        close(gamma_upper_tail(0.5, 0.1, 1.0), 0.058_597_554_109_866_48, 1e-13);
        close(gamma_upper_tail(100.0, 3.0, 1.0), 1.897_610_755_368_228_5e-40, 1e-13);
        close(gamma_upper_tail(700.0, 0.5, 1.0), 2.101_014_516_264_217_6e-306, 1e-13);
        close(gamma_upper_tail(1100.0, 1000.0, 1.0), 0.001_059_323_253_929_977_3, 1e-13);
        close(gamma_upper_tail(103_000.0, 100_000.0, 1.0), 2.870_623_691_781_466_7e-21, 1e-13);
    }

    #[test]
    fn edges_and_bad_arguments() {
        assert_eq!(gamma_quantile(0.0, 2.0, 1.0), 0.0);
        assert_eq!(gamma_quantile(1.0, 2.0, 1.0), f64::INFINITY);
        assert_eq!(gamma_cdf(-1.0, 2.0, 1.0), 0.0);
        assert!(gamma_cdf(f64::NAN, 2.0, 1.0).is_nan());
        assert!(gamma_cdf(1.0, -2.0, 1.0).is_nan());
        assert!(gamma_quantile(1.5, 2.0, 1.0).is_nan());
        // An exponential distribution: the median is ln 2.
        close(gamma_quantile(0.5, 1.0, 1.0), std::f64::consts::LN_2, 1e-15);
    }

    proptest! {
        #[test]
        fn tail_undoes_the_quantile(ln_p in -600.0..-0.7f64, ln_shape in -3.0..11.0f64) {
            let (p, shape) = (ln_p.exp(), ln_shape.exp());
            // The logarithm of a tail changes by 2 x - shape times the relative
            // change of x, so that much of its rounding; the tail's own comes to it.
            let allowed = |x: f64| 1e-12 + 4e-16 * (2.0 * x - shape).abs();
            let x = gamma_upper_quantile(p, shape, 2.0);
            let upper = gamma_upper_tail(x, shape, 2.0);
            prop_assert!((upper / p - 1.0).abs() < allowed(x), "{upper} {p}");
            let x = gamma_quantile(p, shape, 2.0);
            if x > 1e-290 {
                let lower = gamma_cdf(x, shape, 2.0);
                prop_assert!((lower / p - 1.0).abs() < allowed(x), "{lower} {p}");
            }
        }
    }
}
