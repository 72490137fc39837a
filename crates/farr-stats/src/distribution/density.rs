//! Loader's saddle-point form of the Poisson and binomial densities, for real
//! arguments: the prefactors of the incomplete gamma and beta functions.

use std::f64::consts::TAU;

/// `lambda^x e^-lambda / Gamma(x + 1)` for real `x >= 0`, `lambda >= 0`.
pub(super) fn poisson_density(x: f64, lambda: f64) -> f64 {
    if lambda == 0.0 {
        return f64::from(x == 0.0);
    }
    if x <= lambda * f64::MIN_POSITIVE {
        return (-lambda).exp();
    }
    (-stirling_error(x) - deviance(x, lambda)).exp() / (TAU * x).sqrt()
}

/// `Gamma(x + y + 1) / (Gamma(x + 1) Gamma(y + 1)) p^x q^y` for real
/// `x, y >= 0` and `q = 1 - p`, which is given so that neither is rounded away.
pub(super) fn binomial_density(x: f64, y: f64, p: f64, q: f64) -> f64 {
    let n = x + y;
    if x == 0.0 {
        return (n * ln_complement(q, p)).exp();
    }
    if y == 0.0 {
        return (n * ln_complement(p, q)).exp();
    }
    if p == 0.0 || q == 0.0 {
        return 0.0;
    }
    // n / x / y and not n / (x y), which underflows for tiny shapes.
    binomial_exponent(x, y, p, q).exp() * (n / x / y / TAU).sqrt()
}

/// The logarithm of [`binomial_density`], which cannot underflow.
pub(super) fn ln_binomial_density(x: f64, y: f64, p: f64, q: f64) -> f64 {
    let n = x + y;
    if x == 0.0 {
        return n * ln_complement(q, p);
    }
    if y == 0.0 {
        return n * ln_complement(p, q);
    }
    binomial_exponent(x, y, p, q) + 0.5 * (n / x / y / TAU).ln()
}

fn binomial_exponent(x: f64, y: f64, p: f64, q: f64) -> f64 {
    let n = x + y;
    stirling_error(n)
        - stirling_error(x)
        - stirling_error(y)
        - deviance(x, n * p)
        - deviance(y, n * q)
}

/// `ln(kept)` where `kept = 1 - removed`, from whichever is the smaller.
fn ln_complement(kept: f64, removed: f64) -> f64 {
    if removed < 0.5 { (-removed).ln_1p() } else { kept.ln() }
}

/// `ln(Gamma(n + 1)) - ln(sqrt(2 pi n) (n / e)^n)` for `n > 0`.
///
/// Stirling's series from 16 on; below, the exact difference of two
/// neighbours, `error(n) - error(n + 1) = (n + 1/2) ln(1 + 1/n) - 1`.
pub(super) fn stirling_error(n: f64) -> f64 {
    const SERIES: [f64; 6] =
        [1.0 / 12.0, 1.0 / 360.0, 1.0 / 1260.0, 1.0 / 1680.0, 1.0 / 1188.0, 691.0 / 360_360.0];
    let (mut n, mut sum) = (n, 0.0);
    while n < 16.0 {
        sum += stirling_step(n);
        n += 1.0;
    }
    let s = 1.0 / (n * n);
    sum + SERIES.iter().rev().fold(0.0, |tail, coefficient| coefficient - s * tail) / n
}

/// `(n + 1/2) ln(1 + 1/n) - 1`, whose leading terms cancel: with
/// `z = 1 / (2n + 1)` it is `atanh(z) / z - 1 = z^2/3 + z^4/5 + ...`.
fn stirling_step(n: f64) -> f64 {
    if n < 1.0 {
        return (n + 0.5) * n.recip().ln_1p() - 1.0;
    }
    let z = 1.0 / (2.0 * n + 1.0);
    let z2 = z * z;
    let (mut power, mut sum, mut odd) = (z2, 0.0, 3.0);
    while power > f64::EPSILON * 1e-3 {
        sum += power / odd;
        power *= z2;
        odd += 2.0;
    }
    sum
}

/// `x ln(x / mean) + mean - x`, never negative.
///
/// Near the mean it is `-x (ln(1 + u) - u)` at `u = (mean - x) / x`; with
/// `z = u / (2 + u)` that bracket is `-u z + 2 (z^3/3 + z^5/5 + ...)`, whose
/// terms do not cancel.
fn deviance(x: f64, mean: f64) -> f64 {
    let u = (mean - x) / x;
    if !(-0.5..=1.0).contains(&u) {
        return x * (x / mean).ln() + mean - x;
    }
    let z = u / (2.0 + u);
    let z2 = z * z;
    let (mut power, mut sum, mut odd) = (z * z2, 0.0, 3.0);
    while power.abs() > f64::EPSILON * 1e-3 * z2 {
        sum += power / odd;
        power *= z2;
        odd += 2.0;
    }
    x * (u * z - 2.0 * sum)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::distribution::tests::close;

    #[test]
    fn densities_are_those_of_the_definition() {
        // 3^2 e^-3 / 2! and C(5, 2) 0.3^2 0.7^3.
        close(poisson_density(2.0, 3.0), 4.5 * (-3f64).exp(), 1e-15);
        close(binomial_density(2.0, 3.0, 0.3, 0.7), 10.0 * 0.09 * 0.343, 1e-15);
        close(binomial_density(0.0, 3.0, 0.3, 0.7), 0.343, 1e-15);
    }

    #[test]
    fn stirling_error_of_one_is_that_of_one_factorial() {
        // ln(1!) - ln(sqrt(2 pi) / e) = 1 - ln(2 pi) / 2.
        close(stirling_error(1.0), 1.0 - TAU.ln() / 2.0, 1e-14);
        // Gamma(3/2) = sqrt(pi) / 2.
        let half = (PI.sqrt() / 2.0).ln() - (PI.sqrt() * (0.5f64).sqrt()).ln() + 0.5;
        close(stirling_error(0.5), half, 1e-14);
    }
}
