//! Normal and chi-square tails, accurate to the last digits far out.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use statrs::distribution::{ContinuousCDF, Normal};

use crate::error::{Error, Result};

/// P(Z > z) of a standard normal, accurate for any z.
pub(crate) fn normal_upper_tail(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// P(|Z| > |z|) of a standard normal.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() * FRAC_1_SQRT_2)
}

/// The z with P(|Z| <= z) = `conf_level`; 1.96 at 0.95.
pub(crate) fn normal_quantile_two_sided(conf_level: f64) -> Result<f64> {
    if !(conf_level > 0.0 && conf_level < 1.0) {
        return Err(Error::Setting {
            setting: "conf_level",
            found: conf_level,
            expected: "a number between 0 and 1",
        });
    }
    let tail = (1.0 - conf_level) / 2.0;
    let mut z = -Normal::standard().inverse_cdf(tail);
    // Newton's steps remove what the rational approximation leaves (1e-11).
    for _ in 0..2 {
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        if density > 0.0 {
            z += (normal_upper_tail(z) - tail) / density;
        }
    }
    Ok(z)
}

/// The complementary error function, to 1e-13 of its value or better at any
/// x (that of statrs 0.18 has ten digits).
///
/// Below 1 one less the series erf(x) = 2 / sqrt(pi) e^(-x^2) sum of
/// 2^n x^(2n+1) / (2n+1)!!, whose terms are all positive; above 1 the
/// continued fraction of Abramowitz and Stegun 7.1.14, from its tail.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let square = x * x;
    if x < 1.0 {
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * square / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-square).exp() * sum;
    }
    let fraction = (1..400).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
    (-square).exp() / PI.sqrt() / fraction
}

/// P(X > x) of a chi-square with `df` degrees of freedom; 1 for x <= 0.
///
/// The finite sum of the incomplete gamma function's recursion: all terms are
/// positive, so the tail keeps its relative accuracy. Cost: `df` / 2 terms.
pub(crate) fn chi_square_upper_tail(x: f64, df: usize) -> f64 {
    if x.is_nan() || df == 0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    let half = x / 2.0;
    // Q(a + 1, h) = Q(a, h) + h^a e^-h / gamma(a + 1), from a = 1/2 or 1.
    let (mut tail, mut a, mut term) = if df % 2 == 1 {
        let term = 2.0 * (half / PI).sqrt() * (-half).exp();
        (erfc(half.sqrt()), 0.5, term)
    } else {
        ((-half).exp(), 1.0, half * (-half).exp())
    };
    while a + 0.75 < df as f64 / 2.0 {
        tail += term;
        a += 1.0;
        term *= half / a;
    }
    tail.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-13 * expected.abs(), "{found} {expected}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        close(normal_quantile_two_sided(0.95).unwrap(), 1.959_963_984_540_054);
        close(normal_quantile_two_sided(0.9).unwrap(), 1.644_853_626_951_472_7);
        close(normal_quantile_two_sided(0.99).unwrap(), 2.575_829_303_548_9);
        assert!(normal_quantile_two_sided(1.0).is_err());
        assert!(normal_quantile_two_sided(f64::NAN).is_err());
    }

    #[test]
    fn error_function_has_its_digits() {
        // mpmath 1.3.0: erfc(x)
        for (x, expected) in [
            (0.1, 0.887_537_083_981_715),
            (1.0, 0.157_299_207_050_285_13),
            (1.999, 0.004_698_443_348_629_49),
            (2.0, 0.004_677_734_981_047_266),
            (3.5, 7.430_983_723_414_128e-7),
            (15.0, 7.212_994_172_451_207e-100),
            (-0.5, 1.520_499_877_813_046_6),
        ] {
            close(erfc(x), expected);
        }
    }

    #[test]
    fn tails_keep_their_digits() {
        // R 4.2.2: pchisq(x, df, lower.tail = FALSE)
        close(chi_square_upper_tail(3.841_458_820_694_124, 1), 0.05);
        close(chi_square_upper_tail(5.991_464_547_107_98, 2), 0.05);
        close(chi_square_upper_tail(7.814_727_903_251_179, 3), 0.05);
        close(chi_square_upper_tail(18.307_038_053_275_146, 10), 0.05);
        close(chi_square_upper_tail(400.0, 1), 5.507_248_237_212_467e-89);
        assert_eq!(chi_square_upper_tail(0.0, 4), 1.0);
    }
}
