//! What comes of treating everybody above a threshold.

use super::{by_risk, check_persons, count_both};
use crate::estimate::{EstimateError, check_probability};

/// The decision at one threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecisionPoint {
    /// Persons at or above this risk count as positive.
    pub threshold: f64,
    /// True less false positives, these weighted by the threshold's odds, per
    /// person; NaN at threshold 1, whose odds are infinite.
    pub net_benefit: f64,
    /// The net benefit if everybody were positive; NaN at threshold 1.
    pub treat_all: f64,
    /// Positives among persons with the event.
    pub sensitivity: f64,
    /// Negatives among persons without it.
    pub specificity: f64,
    /// Events among positives; NaN without positives.
    pub positive_predictive_value: f64,
    /// Non-events among negatives; NaN without negatives.
    pub negative_predictive_value: f64,
}

/// Decision curve analysis (Vickers and Elkin 2006) at each threshold:
/// `TP/n - FP/n t/(1 - t)`, where a risk equal to the threshold is positive.
///
/// Errors: no persons, unequal lengths, risks or thresholds outside of [0, 1],
/// no events or only events. Cost O((n + thresholds) log n).
pub fn net_benefit(
    outcome: &[bool],
    risk: &[f64],
    thresholds: &[f64],
) -> Result<Vec<DecisionPoint>, EstimateError> {
    check_persons(outcome, risk)?;
    check_probability("risk", risk)?;
    check_probability("threshold", thresholds)?;
    let (events, non_events) = count_both(outcome)?;
    let sorted = by_risk(outcome, risk);
    let mut events_below = vec![0usize];
    for (_, event) in &sorted {
        events_below.push(events_below[events_below.len() - 1] + usize::from(*event));
    }
    let (events, non_events) = (events as f64, non_events as f64);
    let n = events + non_events;
    let point = |&threshold: &f64| {
        let negatives = sorted.partition_point(|(p, _)| *p < threshold);
        let false_negatives = events_below[negatives] as f64;
        let true_negatives = negatives as f64 - false_negatives;
        let (hits, false_positives) = (events - false_negatives, non_events - true_negatives);
        let odds = if threshold < 1.0 { threshold / (1.0 - threshold) } else { f64::NAN };
        DecisionPoint {
            threshold,
            net_benefit: hits / n - false_positives / n * odds,
            treat_all: events / n - non_events / n * odds,
            sensitivity: hits / events,
            specificity: true_negatives / non_events,
            positive_predictive_value: hits / (hits + false_positives),
            negative_predictive_value: true_negatives / negatives as f64,
        }
    };
    Ok(thresholds.iter().map(point).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;

    #[test]
    fn by_hand() {
        // At 0.5: positives 0.9 and 0.5, of which one has the event, of 5 persons
        // with 2 events; odds 1.
        let outcome = [true, false, true, false, false];
        let risk = [0.9, 0.5, 0.4, 0.2, 0.1];
        let found = net_benefit(&outcome, &risk, &[0.5, 0.2, 1.0]).unwrap();
        assert_eq!(found[0].net_benefit, 0.0);
        close(found[0].treat_all, -0.2, 1e-14);
        assert_eq!((found[0].sensitivity, found[0].positive_predictive_value), (0.5, 0.5));
        close(found[0].specificity, 2.0 / 3.0, 1e-15);
        close(found[0].negative_predictive_value, 2.0 / 3.0, 1e-15);
        close(found[1].net_benefit, 0.4 - 0.4 / 4.0, 1e-14);
        assert!(found[2].net_benefit.is_nan());
        assert!(found[2].positive_predictive_value.is_nan());
        let error = EstimateError::NotAProbability { column: "threshold", row: 0 };
        assert_eq!(net_benefit(&outcome, &risk, &[1.5]), Err(error));
    }
}
