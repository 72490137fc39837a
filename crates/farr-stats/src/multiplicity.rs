//! P values adjusted for being many (R's `p.adjust`).
//!
//! All take the p values in any order and give the adjusted ones in the same.
//! A NaN stands for a test that could not be made: it stays NaN and does not
//! count as a test. Errors: a p outside of [0, 1]. Cost O(n log n).

use crate::estimate::EstimateError;

/// Bonferroni: `min(1, n p)`.
pub fn bonferroni(p: &[f64]) -> Result<Vec<f64>, EstimateError> {
    let order = ascending(p)?;
    let n = order.len() as f64;
    Ok(p.iter().map(|p| if p.is_nan() { *p } else { (n * p).min(1.0) }).collect())
}

/// Holm (1979): step down, `(n - i + 1) p` of the i-th smallest, never falling.
pub fn holm(p: &[f64]) -> Result<Vec<f64>, EstimateError> {
    let order = ascending(p)?;
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut largest = 0.0f64;
    for (i, &row) in order.iter().enumerate() {
        largest = largest.max((order.len() - i) as f64 * p[row]).min(1.0);
        adjusted[row] = largest;
    }
    Ok(adjusted)
}

/// Hochberg (1988): step up with Holm's factors.
pub fn hochberg(p: &[f64]) -> Result<Vec<f64>, EstimateError> {
    step_up(p, |n, rank| (n - rank + 1) as f64)
}

/// Benjamini and Hochberg (1995): step up, `n / i p` of the i-th smallest. The
/// false discovery rate for independent tests.
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>, EstimateError> {
    step_up(p, |n, rank| n as f64 / rank as f64)
}

/// Benjamini and Yekutieli (2001): the same times `1 + 1/2 + ... + 1/n`, for
/// tests that depend on each other in any way.
pub fn benjamini_yekutieli(p: &[f64]) -> Result<Vec<f64>, EstimateError> {
    let n = p.iter().filter(|p| !p.is_nan()).count();
    let harmonic: f64 = (1..=n).map(|i| 1.0 / i as f64).sum();
    step_up(p, |n, rank| harmonic * n as f64 / rank as f64)
}

/// Each p times `factor(n, rank)`, never above a larger p's.
fn step_up(p: &[f64], factor: impl Fn(usize, usize) -> f64) -> Result<Vec<f64>, EstimateError> {
    let order = ascending(p)?;
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut smallest = 1.0f64;
    for (i, &row) in order.iter().enumerate().rev() {
        smallest = smallest.min(factor(order.len(), i + 1) * p[row]);
        adjusted[row] = smallest;
    }
    Ok(adjusted)
}

/// The rows of the p values that are not NaN, smallest first.
fn ascending(p: &[f64]) -> Result<Vec<usize>, EstimateError> {
    if let Some(row) = p.iter().position(|p| !(p.is_nan() || (0.0..=1.0).contains(p))) {
        return Err(EstimateError::NotAProbability { column: "p", row });
    }
    let mut order: Vec<usize> = (0..p.len()).filter(|row| !p[*row].is_nan()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // n = 3, in order 0.01, 0.02, 0.9: Holm 0.03, 0.04, 0.9; BH 0.03 both
        // and 0.9; the NaN is no test.
        let p = [0.02, f64::NAN, 0.01, 0.9];
        let near = |found: Vec<f64>, expected: [f64; 3]| {
            assert!(found[1].is_nan());
            for (i, e) in [0, 2, 3].into_iter().zip(expected) {
                assert!((found[i] - e).abs() < 1e-15, "{found:?}");
            }
        };
        near(bonferroni(&p).unwrap(), [0.06, 0.03, 1.0]);
        near(holm(&p).unwrap(), [0.04, 0.03, 0.9]);
        near(hochberg(&p).unwrap(), [0.04, 0.03, 0.9]);
        near(benjamini_hochberg(&p).unwrap(), [0.03, 0.03, 0.9]);
        near(benjamini_yekutieli(&p).unwrap(), [0.055, 0.055, 1.0]);
        let error = EstimateError::NotAProbability { column: "p", row: 1 };
        assert_eq!(holm(&[0.5, -0.1]), Err(error));
        assert!(holm(&[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn adjusted_keep_the_order(p in prop::collection::vec(0.0..=1.0f64, 1..40)) {
            for adjust in [bonferroni, holm, hochberg, benjamini_hochberg, benjamini_yekutieli] {
                let adjusted = adjust(&p).unwrap();
                for i in 0..p.len() {
                    prop_assert!(p[i] <= adjusted[i] && adjusted[i] <= 1.0);
                    for j in 0..p.len() {
                        prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                    }
                }
            }
        }
    }
}
