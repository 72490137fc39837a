//! How well predicted risks rank, agree with and serve decisions on a
//! yes-or-no outcome. (Risks of censored outcomes are in `survival`.)
//!
//! All take one outcome and one risk a person, in the same order.

mod calibration;
mod decision;
mod discrimination;
mod logistic;

pub use calibration::{Calibration, CalibrationBin, CalibrationLine, calibration};
pub use decision::{DecisionPoint, net_benefit};
pub use discrimination::{Auc, AucComparison, auc, average_precision, compare_auc};

use crate::estimate::{EstimateError, check_finite, check_length, check_probability};

/// The mean squared distance of risk and outcome (Brier 1950); 0 is perfect.
///
/// Errors: no persons, unequal lengths, risks outside of [0, 1].
pub fn brier(outcome: &[bool], risk: &[f64]) -> Result<f64, EstimateError> {
    check_persons(outcome, risk)?;
    check_probability("risk", risk)?;
    let squares = outcome.iter().zip(risk).map(|(y, p)| (p - f64::from(u8::from(*y))).powi(2));
    Ok(squares.sum::<f64>() / outcome.len() as f64)
}

/// Fails without persons, at unequal lengths and at a missing risk.
fn check_persons(outcome: &[bool], risk: &[f64]) -> Result<(), EstimateError> {
    check_length("risk", risk.len(), "outcome", outcome.len())?;
    check_finite("risk", risk)?;
    if outcome.is_empty() {
        return Err(EstimateError::TooFew { what: "persons", found: 0, expected: 1 });
    }
    Ok(())
}

/// The number of events and of non-events, at least one of each.
fn count_both(outcome: &[bool]) -> Result<(usize, usize), EstimateError> {
    let events = outcome.iter().filter(|y| **y).count();
    let non_events = outcome.len() - events;
    for (what, found) in [("persons with the event", events), ("persons without it", non_events)] {
        if found == 0 {
            return Err(EstimateError::TooFew { what, found, expected: 1 });
        }
    }
    Ok((events, non_events))
}

/// Persons as (risk, event), by rising risk.
fn by_risk(outcome: &[bool], risk: &[f64]) -> Vec<(f64, bool)> {
    // Adding 0 makes -0 and 0, which are equal, sort as equals.
    let mut sorted: Vec<(f64, bool)> =
        risk.iter().map(|p| p + 0.0).zip(outcome.iter().copied()).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brier_by_hand() {
        // (0.25 + 0.0625) / 2
        assert_eq!(brier(&[true, false], &[0.5, 0.25]), Ok(0.15625));
        let error = EstimateError::NotAProbability { column: "risk", row: 1 };
        assert_eq!(brier(&[true, false], &[0.5, 1.25]), Err(error));
        assert!(brier(&[true], &[0.5, 0.5]).is_err());
        assert!(brier(&[], &[]).is_err());
    }
}
