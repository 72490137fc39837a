//! The beta distribution.

use super::Tails;
use super::density::binomial_density;
use super::solve::{ANYWHERE, Target, solve};

/// P(X <= x) of the beta distribution with shapes `a` and `b`.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    beta_tails(x, 1.0 - x, a, b).lower
}

/// P(X > x) of the beta distribution with shapes `a` and `b`.
pub fn beta_upper_tail(x: f64, a: f64, b: f64) -> f64 {
    beta_tails(x, 1.0 - x, a, b).upper
}

/// The x with P(X <= x) = p.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    quantile_and_complement(p, Target::from_lower(p), a, b).0
}

/// The x with P(X > x) = p.
pub fn beta_upper_quantile(p: f64, a: f64, b: f64) -> f64 {
    quantile_and_complement(p, Target::from_upper(p), a, b).0
}

/// Both tails at x; `y = 1 - x` is given so that neither is rounded away.
pub(super) fn beta_tails(x: f64, y: f64, a: f64, b: f64) -> Tails {
    if !(a > 0.0 && b > 0.0 && (a + b).is_finite()) || x.is_nan() || y.is_nan() {
        return Tails::NAN;
    }
    if x <= 0.0 {
        return Tails::from_lower(0.0);
    }
    if y <= 0.0 {
        return Tails::from_upper(0.0);
    }
    let power = power_term(x, y, a, b);
    if x * (a + b + 2.0) < a + 1.0 {
        Tails::from_lower(power / fraction(x, y, a, b))
    } else {
        Tails::from_upper(power / fraction(y, x, b, a))
    }
}

/// `x^a y^b / B(a, b)`.
fn power_term(x: f64, y: f64, a: f64, b: f64) -> f64 {
    binomial_density(a, b, x, y) * (a / (a + b)) * b
}

/// `x^a y^b / B(a, b)` over the lower tail: the continued fraction of Didonato
/// and Morris (1992, ACM TOMS 18, equation 9), evaluated forwards by Lentz's
/// method. Unlike the textbook's it knows `y`, so nothing cancels at x near 1.
fn fraction(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let excess = a * y - b * x + 1.0;
    let mut c = a * excess / (a + 1.0);
    let mut inverse_d = 0.0;
    let mut value = c;
    let mut m = 0.0;
    // Where rounding keeps the factor from 1 for good, the terms are long spent.
    let terms_max = 1000.0 + 20.0 * (a + b).sqrt();
    while m < terms_max {
        m += 1.0;
        let middle = a + 2.0 * m - 1.0;
        let shared = m * (b - m) * x / middle;
        let numerator = (a + m - 1.0) * (a + b + m - 1.0) * x / middle * shared;
        let denominator = m + shared + (a + m) * (excess + m * (1.0 + y)) / (middle + 2.0);
        inverse_d = 1.0 / (denominator + numerator * inverse_d);
        c = denominator + numerator / c;
        let factor = c * inverse_d;
        value *= factor;
        if (factor - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}

/// The quantile and one minus it, both to full relative accuracy: what is
/// solved for is the odds.
pub(super) fn quantile_and_complement(p: f64, target: Target, a: f64, b: f64) -> (f64, f64) {
    if !(a > 0.0 && b > 0.0 && (a + b).is_finite() && (0.0..=1.0).contains(&p)) {
        return (f64::NAN, f64::NAN);
    }
    match target {
        Target::Lower(0.0) => return (0.0, 1.0),
        Target::Upper(0.0) => return (1.0, 0.0),
        _ => {}
    }
    let spread = (1.0 / a + 1.0 / b).sqrt().min(2.0);
    let start = a / b * (target.normal_deviate() * spread).clamp(-300.0, 300.0).exp();
    let odds = solve(target, start, ANYWHERE, |odds| {
        let (x, y) = from_odds(odds);
        (beta_tails(x, y, a, b), power_term(x, y, a, b))
    });
    from_odds(odds)
}

fn from_odds(odds: f64) -> (f64, f64) {
    if odds == f64::INFINITY {
        return (1.0, 0.0);
    }
    (odds / (1.0 + odds), 1.0 / (1.0 + odds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    /// Values of mpmath 1.4 at 40 digits.
    #[test]
    fn tails_are_known() {
        close(beta_cdf(0.3, 0.5, 0.5), 0.369_010_119_565_545_36, 1e-13);
        close(beta_cdf(1e-5, 3.0, 2.0), 3.999_970_000_000_001e-15, 1e-13);
        close(beta_cdf(0.4, 50.0, 60.0), 0.124_706_858_343_100_36, 1e-13);
        close(beta_cdf(0.09, 1000.0, 9000.0), 0.000_302_281_350_816_919, 1e-13);
        close(beta_cdf(0.48, 20000.0, 20000.0), 6.063_666_676_301_753e-16, 1e-13);
        close(beta_cdf(1e-6, 1.0, 100_000.0), 0.095_162_627_205_940_36, 1e-13);
        close(beta_upper_tail(0.9, 0.5, 0.5), 0.204_832_764_699_133_42, 1e-13);
        close(beta_upper_tail(0.999, 2.0, 30.0), 3.097_000_000_000_082_6e-89, 1e-13);
        close(beta_upper_tail(0.11, 1000.0, 9000.0), 0.000_579_123_416_934_861_1, 1e-13);
        close(beta_upper_tail(6e-5, 2.0, 99999.0), 0.017_349_034_408_786_407, 1e-13);
    }

    #[test]
    fn edges_and_bad_arguments() {
        assert_eq!(beta_cdf(0.0, 2.0, 3.0), 0.0);
        assert_eq!(beta_cdf(1.0, 2.0, 3.0), 1.0);
        assert_eq!(beta_quantile(1.0, 2.0, 3.0), 1.0);
        assert!(beta_quantile(0.5, 0.0, 3.0).is_nan());
        // With a = 1: 1 - (1 - x)^b.
        close(beta_cdf(0.25, 1.0, 2.0), 1.0 - 0.75 * 0.75, 1e-15);
        close(beta_quantile(0.5, 1.0, 1.0), 0.5, 1e-15);
    }

    proptest! {
        #[test]
        fn tail_undoes_the_quantile(
            ln_p in -600.0..-0.7f64, ln_a in -2.0..10.0f64, ln_b in -2.0..10.0f64,
        ) {
            let (p, a, b) = (ln_p.exp(), ln_a.exp(), ln_b.exp());
            let (x, y) = quantile_and_complement(p, Target::Lower(p), a, b);
            if x > 1e-290 {
                let lower = beta_tails(x, y, a, b).lower;
                prop_assert!((lower / p - 1.0).abs() < 2e-12, "{lower} {p}");
            }
            let (x, y) = quantile_and_complement(p, Target::Upper(p), a, b);
            if y > 1e-290 {
                let upper = beta_tails(x, y, a, b).upper;
                prop_assert!((upper / p - 1.0).abs() < 2e-12, "{upper} {p}");
            }
        }
    }
}
