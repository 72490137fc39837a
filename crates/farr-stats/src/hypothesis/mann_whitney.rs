//! The Mann-Whitney (Wilcoxon rank sum) test.

use crate::distribution::normal_two_sided;
use crate::estimate::{EstimateError, check_finite};

/// The test by the normal approximation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the exposed one is larger, ties counting one half.
    pub w: f64,
    /// Two-sided p without continuity correction.
    pub p: f64,
    /// Two-sided p with W half a step nearer to its mean.
    pub p_corrected: f64,
}

/// The test by the exact distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitneyExact {
    /// Pairs in which the exposed one is larger.
    pub w: f64,
    /// Two-sided p, twice the smaller tail.
    pub p: f64,
}

/// Tests whether values of `exposed` and of `reference` tend to be equally
/// large, by the normal approximation with the tie-corrected variance (R's
/// `wilcox.test(exact = FALSE)`).
///
/// W is exposed's rank sum less n1 (n1 + 1) / 2, its variance
/// `n1 n0 / 12 (n + 1 - sum (t^3 - t) / (n (n - 1)))`. Errors: an empty group,
/// missing values, all values equal. Cost O(n log n).
pub fn mann_whitney(exposed: &[f64], reference: &[f64]) -> Result<MannWhitney, EstimateError> {
    let RankSum { w, tie_sum } = rank_sum(exposed, reference)?;
    let (n1, n0) = (exposed.len() as f64, reference.len() as f64);
    let n = n1 + n0;
    let variance = n1 * n0 / 12.0 * ((n + 1.0) - tie_sum / (n * (n - 1.0)));
    if tie_sum >= n * (n * n - 1.0) {
        return Err(EstimateError::NoSpread { what: "the Mann-Whitney test", column: "value" });
    }
    let distance = (w - n1 * n0 / 2.0).abs();
    let std_dev = variance.sqrt();
    Ok(MannWhitney {
        w,
        p: normal_two_sided(distance / std_dev),
        // W moves in halves under ties, so half a step may pass the mean by.
        p_corrected: normal_two_sided((distance - 0.5).max(0.0) / std_dev),
    })
}

/// The same by the exact distribution of W, for values without ties (R's
/// `wilcox.test(exact = TRUE)`).
///
/// Errors: those of [`mann_whitney`], and ties. Cost O(n1^2 n0^2) time and
/// O(n1^2 n0) memory: meant for groups of up to a hundred.
pub fn mann_whitney_exact(
    exposed: &[f64],
    reference: &[f64],
) -> Result<MannWhitneyExact, EstimateError> {
    let RankSum { w, tie_sum } = rank_sum(exposed, reference)?;
    if tie_sum > 0.0 {
        return Err(EstimateError::Ties { what: "the exact Mann-Whitney test" });
    }
    let probabilities = distribution(exposed.len(), reference.len());
    // W is symmetric about its mean, so the nearer end's tail is the smaller.
    let pairs = exposed.len() * reference.len();
    let steps = (w as usize).min(pairs - w as usize);
    let tail: f64 = probabilities[..=steps].iter().sum();
    Ok(MannWhitneyExact { w, p: (2.0 * tail).min(1.0) })
}

struct RankSum {
    w: f64,
    /// `sum (t^3 - t)` over groups of t tied values.
    tie_sum: f64,
}

fn rank_sum(exposed: &[f64], reference: &[f64]) -> Result<RankSum, EstimateError> {
    for (column, values) in [("exposed", exposed), ("reference", reference)] {
        if values.is_empty() {
            return Err(EstimateError::TooFew { what: column, found: 0, expected: 1 });
        }
        check_finite(column, values)?;
    }
    let mut pooled: Vec<(f64, bool)> = exposed.iter().map(|v| (*v, true)).collect();
    pooled.extend(reference.iter().map(|v| (*v, false)));
    // 0 and -0 are equal to everybody but total_cmp.
    pooled.sort_unstable_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)));
    let (mut w, mut tie_sum, mut reference_before) = (0.0, 0.0, 0.0);
    for tied in pooled.chunk_by(|a, b| a.0 == b.0) {
        let exposed_here = tied.iter().filter(|(_, is_exposed)| *is_exposed).count() as f64;
        let size = tied.len() as f64;
        let reference_here = size - exposed_here;
        w += exposed_here * (reference_before + reference_here / 2.0);
        reference_before += reference_here;
        tie_sum += size * (size * size - 1.0);
    }
    Ok(RankSum { w, tie_sum })
}

/// P(W = w) for w up to `n1 n0`, by whose the largest value is: an exposed
/// one's adds all of the reference to W, a reference one's adds nothing. Sums
/// of probabilities, so nothing overflows and nothing cancels.
fn distribution(n1: usize, n0: usize) -> Vec<f64> {
    // by_exposed[i] holds the distribution of i exposed and j reference values.
    let mut by_exposed: Vec<Vec<f64>> = vec![vec![1.0]; n1 + 1];
    for j in 1..=n0 {
        for i in 1..=n1 {
            let share = i as f64 / (i + j) as f64;
            let mut next = vec![0.0; i * j + 1];
            for (w, p) in by_exposed[i].iter().enumerate() {
                next[w] += (1.0 - share) * p;
            }
            for (w, p) in by_exposed[i - 1].iter().enumerate() {
                next[w + j] += share * p;
            }
            by_exposed[i] = next;
        }
    }
    by_exposed.swap_remove(n1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // Exposed 4, 5 above reference 1, 2, 3: W = 6, one of C(5, 2) = 10 orders.
        let found = mann_whitney_exact(&[4.0, 5.0], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(found.w, 6.0);
        close(found.p, 0.2, 1e-15);
        // Variance 2 * 3 / 12 * 6 = 3, three steps away from the mean 3.
        let found = mann_whitney(&[4.0, 5.0], &[1.0, 2.0, 3.0]).unwrap();
        close(found.p, normal_two_sided(3f64.sqrt()), 1e-15);
        close(found.p_corrected, normal_two_sided(2.5 / 3f64.sqrt()), 1e-15);
        // 1 | 1, 2: W = 1/2, tie sum 6, variance 2/12 (4 - 6/6) = 1/2.
        let found = mann_whitney(&[1.0], &[1.0, 2.0]).unwrap();
        assert_eq!(found.w, 0.5);
        close(found.p, normal_two_sided(0.5 / 0.5f64.sqrt()), 1e-15);
        close(found.p_corrected, 1.0, 1e-15);
    }

    #[test]
    fn bad_groups_are_named() {
        let error = EstimateError::TooFew { what: "reference", found: 0, expected: 1 };
        assert_eq!(mann_whitney(&[1.0], &[]), Err(error));
        let error = EstimateError::Ties { what: "the exact Mann-Whitney test" };
        assert_eq!(mann_whitney_exact(&[1.0], &[1.0, 2.0]), Err(error));
        assert!(mann_whitney(&[1.0, 1.0], &[1.0]).is_err());
        assert!(mann_whitney(&[f64::NAN, 1.0], &[1.0]).is_err());
    }

    proptest! {
        #[test]
        fn w_counts_pairs(
            x in prop::collection::vec(0u8..6, 1..20), y in prop::collection::vec(0u8..6, 1..20),
        ) {
            let x: Vec<f64> = x.into_iter().map(f64::from).collect();
            let y: Vec<f64> = y.into_iter().map(f64::from).collect();
            let pairs = x.iter().flat_map(|a| y.iter().map(move |b| (a, b)));
            let w: f64 = pairs.map(|(a, b)| f64::from(a > b) + f64::from(a == b) / 2.0).sum();
            prop_assert_eq!(rank_sum(&x, &y).unwrap().w, w);
        }

        #[test]
        fn distribution_counts_subsets(n1 in 1usize..6, n0 in 1usize..6) {
            // Every subset of n1 ranks is equally likely.
            let n = n1 + n0;
            let mut counts = vec![0.0; n1 * n0 + 1];
            for set in 0u32..1 << n {
                if set.count_ones() as usize == n1 {
                    let sum: usize = (0..n).filter(|i| set >> i & 1 == 1).sum();
                    counts[sum - n1 * (n1 - 1) / 2] += 1.0;
                }
            }
            let total: f64 = counts.iter().sum();
            for (p, count) in distribution(n1, n0).iter().zip(&counts) {
                prop_assert!((p - count / total).abs() < 1e-14);
            }
        }
    }
}
