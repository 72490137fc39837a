//! Area under the ROC curve and average precision.

use super::{by_risk, check_persons, count_both};
use crate::distribution::normal_two_sided;
use crate::estimate::{Estimate, EstimateError, interval_deviate};

/// The area under the ROC curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    /// The area with DeLong's interval, cut to [0, 1]; bounds are NaN with a
    /// single event or non-event.
    pub auc: Estimate,
    /// DeLong's variance; NaN with a single event or non-event.
    pub variance: f64,
}

/// Two risks of the same persons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AucComparison {
    /// The first risk's area.
    pub auc: f64,
    /// The other risk's area.
    pub auc_other: f64,
    /// DeLong's variance of the first.
    pub variance: f64,
    /// DeLong's variance of the other.
    pub variance_other: f64,
    /// Their covariance.
    pub covariance: f64,
    /// Difference over its standard error; 0 for risks that rank alike.
    pub z: f64,
    /// Two-sided p of equal areas.
    pub p: f64,
}

/// The probability that a person with the event has the higher risk, ties
/// counting one half, with the variance of DeLong, DeLong and Clarke-Pearson
/// (1988, Biometrics 44; pROC's `ci.auc(method = "delong")`).
///
/// Higher risk means event; the direction is never turned round. The risk may
/// be any score. Errors: unequal lengths, missing risks, no events or only
/// events, a level outside of (0, 1). Cost O(n log n).
pub fn auc(outcome: &[bool], risk: &[f64], level: f64) -> Result<Auc, EstimateError> {
    let z = interval_deviate(level)?;
    let placements = Placements::new(outcome, risk)?;
    let area = placements.auc();
    let variance = placements.covariance(&placements);
    let interval = Estimate::from_difference(area, variance.sqrt(), z);
    let cut = |bound: f64| if bound.is_nan() { bound } else { bound.clamp(0.0, 1.0) };
    let (lower, upper) = (cut(interval.lower), cut(interval.upper));
    Ok(Auc { auc: Estimate { estimate: area, lower, upper }, variance })
}

/// DeLong's paired test that two risks of the same persons have equal areas
/// (pROC's `roc.test(method = "delong", paired = TRUE)`).
///
/// Errors and cost as [`auc`].
pub fn compare_auc(
    outcome: &[bool],
    risk: &[f64],
    risk_other: &[f64],
) -> Result<AucComparison, EstimateError> {
    let placements = Placements::new(outcome, risk)?;
    let other = Placements::new(outcome, risk_other)?;
    let (area, area_other) = (placements.auc(), other.auc());
    let variance = placements.covariance(&placements);
    let variance_other = other.covariance(&other);
    let covariance = placements.covariance(&other);
    let difference = area - area_other;
    // Equal ranks leave a variance of rounding only, or none.
    let z = if difference == 0.0 {
        0.0
    } else {
        difference / (variance + variance_other - 2.0 * covariance).sqrt()
    };
    Ok(AucComparison {
        auc: area,
        auc_other: area_other,
        variance,
        variance_other,
        covariance,
        z,
        p: normal_two_sided(z),
    })
}

/// Average precision: the sum over distinct thresholds, from the highest down,
/// of precision times the gain in recall; a step sum without interpolation
/// (scikit-learn's `average_precision_score`).
///
/// Errors: unequal lengths, missing risks, no events. Cost O(n log n).
pub fn average_precision(outcome: &[bool], risk: &[f64]) -> Result<f64, EstimateError> {
    check_persons(outcome, risk)?;
    let events = outcome.iter().filter(|y| **y).count();
    if events == 0 {
        let what = "persons with the event";
        return Err(EstimateError::TooFew { what, found: 0, expected: 1 });
    }
    let sorted = by_risk(outcome, risk);
    let (mut positives, mut hits, mut sum) = (0, 0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0).rev() {
        let events_here = tied.iter().filter(|(_, event)| *event).count();
        positives += tied.len();
        hits += events_here;
        sum += hits as f64 / positives as f64 * (events_here as f64 / events as f64);
    }
    Ok(sum)
}

/// Each person's share of the other group that is ranked below (for events) or
/// above (for non-events), ties counting one half; in the order of the input.
struct Placements {
    of_events: Vec<f64>,
    of_non_events: Vec<f64>,
}

impl Placements {
    fn new(outcome: &[bool], risk: &[f64]) -> Result<Self, EstimateError> {
        check_persons(outcome, risk)?;
        let (events, non_events) = count_both(outcome)?;
        let mut order: Vec<usize> = (0..risk.len()).collect();
        order.sort_unstable_by(|a, b| (risk[*a] + 0.0).total_cmp(&(risk[*b] + 0.0)));
        let mut placement = vec![0.0; risk.len()];
        let (mut events_below, mut non_events_below) = (0, 0);
        for tied in order.chunk_by(|a, b| risk[*a] == risk[*b]) {
            let events_here = tied.iter().filter(|row| outcome[**row]).count();
            let non_events_here = tied.len() - events_here;
            for &row in tied {
                placement[row] = if outcome[row] {
                    (non_events_below as f64 + non_events_here as f64 / 2.0) / non_events as f64
                } else {
                    let not_above = events_below as f64 + events_here as f64 / 2.0;
                    (events as f64 - not_above) / events as f64
                };
            }
            events_below += events_here;
            non_events_below += non_events_here;
        }
        let of = |event: bool| {
            let rows = outcome.iter().zip(&placement).filter(|(y, _)| **y == event);
            rows.map(|(_, placement)| *placement).collect()
        };
        Ok(Self { of_events: of(true), of_non_events: of(false) })
    }

    fn auc(&self) -> f64 {
        mean(&self.of_events)
    }

    fn covariance(&self, other: &Self) -> f64 {
        sample_covariance(&self.of_events, &other.of_events) / self.of_events.len() as f64
            + sample_covariance(&self.of_non_events, &other.of_non_events)
                / self.of_non_events.len() as f64
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// With divisor n - 1; NaN of a single value.
fn sample_covariance(x: &[f64], y: &[f64]) -> f64 {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let products = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y));
    products.sum::<f64>() / (x.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // Events 0.8, 0.4; others 0.4, 0.2, 0.1: pairs 3 + 2.5 of 6. Placements
        // 1, 5/6 and 3/4, 1, 1: variances 1/72 and 1/48, over 2 and 3.
        let outcome = [true, true, false, false, false];
        let risk = [0.8, 0.4, 0.4, 0.2, 0.1];
        let found = auc(&outcome, &risk, 0.95).unwrap();
        close(found.auc.estimate, 5.5 / 6.0, 1e-15);
        close(found.variance, 1.0 / 144.0 + 1.0 / 144.0, 1e-14);
        assert_eq!(found.auc.upper, 1.0);
        // Thresholds 0.8: 1/1, 0.4: 2/3, each with half of the recall.
        close(average_precision(&outcome, &risk).unwrap(), 5.0 / 6.0, 1e-15);
        let same = compare_auc(&outcome, &risk, &risk).unwrap();
        assert_eq!((same.z, same.p), (0.0, 1.0));
    }

    #[test]
    fn bad_persons_are_named() {
        let what = "persons without it";
        let error = EstimateError::TooFew { what, found: 0, expected: 1 };
        assert_eq!(auc(&[true, true], &[0.1, 0.2], 0.95), Err(error));
        let error = EstimateError::NotFinite { column: "risk", row: 0 };
        assert_eq!(auc(&[true, false], &[f64::NAN, 0.2], 0.95), Err(error));
        assert!(average_precision(&[false], &[0.2]).is_err());
        let single = auc(&[true, false, false], &[0.3, 0.2, 0.1], 0.95).unwrap();
        assert!(single.variance.is_nan() && single.auc.estimate == 1.0);
    }

    proptest! {
        #[test]
        fn auc_counts_pairs(persons in prop::collection::vec((any::<bool>(), 0u8..9), 2..60)) {
            let outcome: Vec<bool> = persons.iter().map(|p| p.0).collect();
            prop_assume!(outcome.iter().any(|y| *y) && !outcome.iter().all(|y| *y));
            let risk: Vec<f64> = persons.iter().map(|p| f64::from(p.1) / 9.0).collect();
            let (mut pairs, mut won) = (0.0, 0.0);
            for i in (0..risk.len()).filter(|i| outcome[*i]) {
                for j in (0..risk.len()).filter(|j| !outcome[*j]) {
                    pairs += 1.0;
                    won += f64::from(risk[i] > risk[j]) + f64::from(risk[i] == risk[j]) / 2.0;
                }
            }
            let found = auc(&outcome, &risk, 0.95).unwrap();
            prop_assert!((found.auc.estimate - won / pairs).abs() < 1e-14);
            // Turning the risks round turns the area round, not its variance.
            let turned: Vec<f64> = risk.iter().map(|p| -p).collect();
            let turned = auc(&outcome, &turned, 0.95).unwrap();
            prop_assert!((turned.auc.estimate - (1.0 - won / pairs)).abs() < 1e-14);
            if found.variance.is_finite() {
                prop_assert!((turned.variance - found.variance).abs() < 1e-14);
                prop_assert!(found.auc.lower <= found.auc.estimate + 1e-15);
                prop_assert!(found.auc.upper >= found.auc.estimate - 1e-15);
            }
        }
    }
}
