//! Binomial, Poisson and hypergeometric distributions.

use super::beta::beta_tails;
use super::density::{binomial_density, ln_binomial_density, poisson_density};
use super::gamma::unit_gamma_tails;

/// Two probabilities count as tied within this factor, as in R's
/// `binom.test` and `fisher.test`: mirrored outcomes differ by rounding only.
const TIED: f64 = 1.0 + 1e-7;

/// P(X = k) of n trials with probability p.
pub fn binomial_probability(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if k > n {
        return 0.0;
    }
    binomial_density(k as f64, (n - k) as f64, p, 1.0 - p)
}

/// P(X <= k) of n trials with probability p.
pub fn binomial_at_most(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if k >= n {
        return 1.0;
    }
    beta_tails(p, 1.0 - p, k as f64 + 1.0, (n - k) as f64).upper
}

/// P(X >= k) of n trials with probability p.
pub fn binomial_at_least(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    beta_tails(p, 1.0 - p, k as f64, (n - k) as f64 + 1.0).lower
}

/// The two-sided p value of k by minimum likelihood: the probability of all
/// outcomes that are no likelier than k (R's `binom.test`). O(log n) densities.
pub fn binomial_two_sided(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || k > n {
        return f64::NAN;
    }
    let mode = (((n as f64 + 1.0) * p).floor() as u64).min(n);
    let probability = |i| binomial_probability(i, n, p);
    let at_most = |i| binomial_at_most(i, n, p);
    let at_least = |i| binomial_at_least(i, n, p);
    two_sided(Support { k, first: 0, last: n, mode }, probability, at_most, at_least)
}

/// P(X = k) with the given mean.
pub fn poisson_probability(k: u64, mean: f64) -> f64 {
    if mean >= 0.0 { poisson_density(k as f64, mean) } else { f64::NAN }
}

/// P(X <= k) with the given mean.
pub fn poisson_at_most(k: u64, mean: f64) -> f64 {
    if mean >= 0.0 { unit_gamma_tails(k as f64 + 1.0, mean).upper } else { f64::NAN }
}

/// P(X >= k) with the given mean.
pub fn poisson_at_least(k: u64, mean: f64) -> f64 {
    if mean.is_nan() || mean < 0.0 {
        return f64::NAN;
    }
    if k == 0 { 1.0 } else { unit_gamma_tails(k as f64, mean).lower }
}

/// `ln P(X = k)` where X is Poisson with a mean that is gamma distributed with
/// the given shape and rate, times `exposure`: negative binomial.
pub fn negative_binomial_ln_probability(k: u64, exposure: f64, shape: f64, rate: f64) -> f64 {
    if !(exposure >= 0.0 && shape > 0.0 && rate > 0.0) {
        return f64::NAN;
    }
    let (k, total) = (k as f64, rate + exposure);
    (shape / (shape + k)).ln() + ln_binomial_density(shape, k, rate / total, exposure / total)
}

/// P(X = k): k marked ones among `drawn` out of `marked` and `unmarked`.
pub fn hypergeometric_probability(k: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let (first, last) = hypergeometric_support(marked, unmarked, drawn);
    if drawn > marked + unmarked {
        return f64::NAN;
    }
    if k < first || k > last {
        return 0.0;
    }
    let (x, total) = (k as f64, (marked + unmarked) as f64);
    let (p, q) = (drawn as f64 / total, (marked + unmarked - drawn) as f64 / total);
    if p == 0.0 || q == 0.0 || total == 0.0 {
        return 1.0;
    }
    // Three binomials at p = drawn / total, whose powers of p cancel (Loader).
    let of_marked = binomial_density(x, (marked - k) as f64, p, q);
    let drawn_unmarked = drawn - k;
    let of_unmarked =
        binomial_density(drawn_unmarked as f64, (unmarked - drawn_unmarked) as f64, p, q);
    let of_all = binomial_density(drawn as f64, (marked + unmarked - drawn) as f64, p, q);
    of_marked * (of_unmarked / of_all)
}

/// P(X <= k), see [`hypergeometric_probability`]. O(length of the tail), which
/// ends when its terms no longer count.
pub fn hypergeometric_at_most(k: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let (first, last) = hypergeometric_support(marked, unmarked, drawn);
    if k < first {
        return 0.0;
    }
    if k >= last {
        return 1.0;
    }
    if k <= hypergeometric_mode(marked, unmarked, drawn) {
        downward_sum(k, first, marked, unmarked, drawn)
    } else {
        1.0 - upward_sum(k + 1, last, marked, unmarked, drawn)
    }
}

/// P(X >= k), see [`hypergeometric_probability`].
pub fn hypergeometric_at_least(k: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let (first, last) = hypergeometric_support(marked, unmarked, drawn);
    if k > last {
        return 0.0;
    }
    if k <= first {
        return 1.0;
    }
    if k >= hypergeometric_mode(marked, unmarked, drawn) {
        upward_sum(k, last, marked, unmarked, drawn)
    } else {
        1.0 - downward_sum(k - 1, first, marked, unmarked, drawn)
    }
}

/// The two-sided p value of k by minimum likelihood (R's `fisher.test`).
pub fn hypergeometric_two_sided(k: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let (first, last) = hypergeometric_support(marked, unmarked, drawn);
    if drawn > marked + unmarked || k < first || k > last {
        return f64::NAN;
    }
    let mode = hypergeometric_mode(marked, unmarked, drawn);
    let probability = |i| hypergeometric_probability(i, marked, unmarked, drawn);
    let at_most = |i| hypergeometric_at_most(i, marked, unmarked, drawn);
    let at_least = |i| hypergeometric_at_least(i, marked, unmarked, drawn);
    two_sided(Support { k, first, last, mode }, probability, at_most, at_least)
}

fn hypergeometric_support(marked: u64, unmarked: u64, drawn: u64) -> (u64, u64) {
    (drawn.saturating_sub(unmarked), marked.min(drawn))
}

fn hypergeometric_mode(marked: u64, unmarked: u64, drawn: u64) -> u64 {
    let (first, last) = hypergeometric_support(marked, unmarked, drawn);
    let numerator = (u128::from(marked) + 1) * (u128::from(drawn) + 1);
    let mode = numerator / (u128::from(marked) + u128::from(unmarked) + 2);
    (mode as u64).clamp(first, last)
}

/// P(first <= X <= k), summed from k down.
fn downward_sum(k: u64, first: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let mut term = hypergeometric_probability(k, marked, unmarked, drawn);
    let mut sum = term;
    for i in (first..k).rev() {
        // P(i) / P(i + 1)
        let up = (i + 1) as f64 * (unmarked + i + 1 - drawn) as f64;
        term *= up / ((marked - i) as f64 * (drawn - i) as f64);
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    sum
}

/// P(k <= X <= last), summed from k up.
fn upward_sum(k: u64, last: u64, marked: u64, unmarked: u64, drawn: u64) -> f64 {
    let mut term = hypergeometric_probability(k, marked, unmarked, drawn);
    let mut sum = term;
    for i in k..last {
        // P(i + 1) / P(i)
        let up = (i + 1) as f64 * (unmarked + i + 1 - drawn) as f64;
        term *= (marked - i) as f64 * (drawn - i) as f64 / up;
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    sum
}

/// Where an outcome stands in a distribution with one peak.
#[derive(Clone, Copy)]
struct Support {
    k: u64,
    first: u64,
    last: u64,
    mode: u64,
}

/// The tail of k on its own side of the mode, and on the other side all
/// outcomes that are no likelier; one peak makes them a tail, too.
fn two_sided(
    support: Support,
    probability: impl Fn(u64) -> f64,
    at_most: impl Fn(u64) -> f64,
    at_least: impl Fn(u64) -> f64,
) -> f64 {
    let Support { k, first, last, mode } = support;
    let limit = probability(k) * TIED;
    if probability(mode) <= limit {
        return 1.0;
    }
    let p = if k < mode {
        // The smallest i > mode that is no likelier.
        let i = first_true(mode + 1, last + 1, |i| probability(i) <= limit);
        at_most(k) + if i > last { 0.0 } else { at_least(i) }
    } else {
        // The largest i < mode that is no likelier, counted from the mode down.
        let distance = first_true(1, mode - first + 1, |d| probability(mode - d) <= limit);
        at_least(k) + if distance > mode - first { 0.0 } else { at_most(mode - distance) }
    };
    p.min(1.0)
}

/// The first of `from..until` that holds, or `until`; what holds once holds on.
fn first_true(from: u64, until: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (from, until);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn small_distributions_by_hand() {
        // C(4, 1) C(6, 2) / C(10, 3) = 4 * 15 / 120.
        close(hypergeometric_probability(1, 4, 6, 3), 0.5, 1e-14);
        // P(0) = C(6, 3) / C(10, 3) = 20 / 120.
        close(hypergeometric_at_most(0, 4, 6, 3), 1.0 / 6.0, 1e-14);
        close(hypergeometric_at_least(3, 4, 6, 3), 4.0 / 120.0, 1e-14);
        // Five coins: P(X <= 1) = 6 / 32, and by symmetry twice that.
        close(binomial_at_most(1, 5, 0.5), 6.0 / 32.0, 1e-14);
        close(binomial_two_sided(1, 5, 0.5), 12.0 / 32.0, 1e-14);
        assert_eq!(binomial_two_sided(2, 5, 0.5), 1.0);
        close(poisson_at_most(1, 2.0), 3.0 * (-2f64).exp(), 1e-14);
        close(poisson_at_least(1, 2.0), 1.0 - (-2f64).exp(), 1e-14);
        assert_eq!(poisson_at_least(0, 2.0), 1.0);
        assert_eq!(hypergeometric_two_sided(0, 0, 5, 3), 1.0);
        // Shape 1 is geometric: (1/3) (2/3)^2 with rate 1 and exposure 2.
        let found = negative_binomial_ln_probability(2, 2.0, 1.0, 1.0);
        close(found, (4.0f64 / 27.0).ln(), 1e-14);
        assert_eq!(negative_binomial_ln_probability(0, 0.0, 1.0, 1.0), 0.0);
        let certain = negative_binomial_ln_probability(1, 0.0, 1.0, 1.0);
        assert_eq!(certain, f64::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn binomial_tails_are_sums(n in 1u64..60, p in 0.001..0.999f64, k in 0u64..60) {
            let k = k.min(n);
            let sum: f64 = (0..=k).map(|i| binomial_probability(i, n, p)).sum();
            prop_assert!((binomial_at_most(k, n, p) / sum - 1.0).abs() < 1e-12);
            let sum: f64 = (k..=n).map(|i| binomial_probability(i, n, p)).sum();
            prop_assert!((binomial_at_least(k, n, p) / sum - 1.0).abs() < 1e-12);
            let limit = binomial_probability(k, n, p) * TIED;
            let sum: f64 =
                (0..=n).map(|i| binomial_probability(i, n, p)).filter(|d| *d <= limit).sum();
            prop_assert!((binomial_two_sided(k, n, p) / sum - 1.0).abs() < 1e-12);
        }

        #[test]
        fn hypergeometric_tails_are_sums(
            marked in 0u64..40, unmarked in 0u64..40, drawn in 0u64..80, k in 0u64..40,
        ) {
            let drawn = drawn.min(marked + unmarked);
            let (first, last) = hypergeometric_support(marked, unmarked, drawn);
            let k = k.clamp(first, last);
            let all: Vec<f64> = (first..=last)
                .map(|i| hypergeometric_probability(i, marked, unmarked, drawn)).collect();
            prop_assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let at = (k - first) as usize;
            let lower: f64 = all[..=at].iter().sum();
            let found = hypergeometric_at_most(k, marked, unmarked, drawn);
            prop_assert!((found / lower - 1.0).abs() < 1e-12);
            let limit = all[at] * TIED;
            let two_sided: f64 = all.iter().filter(|d| **d <= limit).sum();
            let found = hypergeometric_two_sided(k, marked, unmarked, drawn);
            prop_assert!((found / two_sided - 1.0).abs() < 1e-12);
        }
    }
}
