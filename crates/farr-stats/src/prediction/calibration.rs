//! Whether risks are as high as they say.

use super::logistic::{Slope, fit};
use super::{brier, check_persons, count_both};
use crate::estimate::{EstimateError, check_probability};

/// Agreement of risks and outcomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The logistic line through the risks, or why there is none.
    pub line: Result<CalibrationLine, EstimateError>,
    /// Events.
    pub observed: usize,
    /// The sum of risks.
    pub expected: f64,
    /// Expected over observed.
    pub expected_over_observed: f64,
    /// The mean squared distance of risk and outcome.
    pub brier: f64,
    /// One minus the Brier score over that of everybody at the mean risk.
    pub scaled_brier: f64,
    /// Groups by risk, lowest first.
    pub bins: Vec<CalibrationBin>,
}

/// Logistic regressions of the outcome on the logit of the risk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationLine {
    /// The slope; 1 is perfect, below 1 the risks are too extreme.
    pub slope: f64,
    /// Its standard error.
    pub slope_std_err: f64,
    /// The intercept that goes with the slope.
    pub slope_intercept: f64,
    /// The intercept with the slope held at 1: calibration in the large; 0 is
    /// perfect, above 0 the risks are too low.
    pub intercept_in_the_large: f64,
    /// Its standard error.
    pub intercept_std_err: f64,
}

/// One group of persons with similar risk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// Persons; 0 where ties of the risk leave a gap.
    pub n: usize,
    /// Their mean risk; NaN without persons.
    pub mean_risk: f64,
    /// The share of them with the event; NaN without persons.
    pub observed: f64,
}

/// Calibration of `risk`, with `bins` groups at quantiles of the risk.
///
/// The line is by maximum likelihood (R's `glm`). Bins are cut at type 7
/// quantiles, right closed, the lowest risk included (R's `cut` of
/// `unique(quantile(risk))`), so ties can make fewer than `bins`. A risk of
/// exactly 0 or 1 has no logit: the line is then an error and all else stands.
///
/// Errors: no persons, unequal lengths, risks outside of [0, 1], no events or
/// only events, no bins. Cost O(n log n).
pub fn calibration(
    outcome: &[bool],
    risk: &[f64],
    bins: usize,
) -> Result<Calibration, EstimateError> {
    check_persons(outcome, risk)?;
    check_probability("risk", risk)?;
    let (events, non_events) = count_both(outcome)?;
    if bins == 0 {
        return Err(EstimateError::TooFew { what: "bins", found: 0, expected: 1 });
    }
    let n = outcome.len() as f64;
    let expected: f64 = risk.iter().sum();
    let brier = brier(outcome, risk)?;
    let constant_brier = (events as f64 / n) * (non_events as f64 / n);
    Ok(Calibration {
        line: calibration_line(outcome, risk),
        observed: events,
        expected,
        expected_over_observed: expected / events as f64,
        brier,
        scaled_brier: 1.0 - brier / constant_brier,
        bins: bins_by_risk(outcome, risk, bins),
    })
}

fn calibration_line(outcome: &[bool], risk: &[f64]) -> Result<CalibrationLine, EstimateError> {
    let what = "the calibration line";
    if let Some(row) = risk.iter().position(|p| *p == 0.0 || *p == 1.0) {
        return Err(EstimateError::CertainRisk { row });
    }
    if risk.iter().all(|p| *p == risk[0]) {
        return Err(EstimateError::NoSpread { what, column: "risk" });
    }
    let logit: Vec<f64> = risk.iter().map(|p| (p / (1.0 - p)).ln()).collect();
    let free = fit(outcome, &logit, Slope::Free)?;
    let held = fit(outcome, &logit, Slope::One)?;
    Ok(CalibrationLine {
        slope: free.slope,
        slope_std_err: free.slope_std_err,
        slope_intercept: free.intercept,
        intercept_in_the_large: held.intercept,
        intercept_std_err: held.intercept_std_err,
    })
}

fn bins_by_risk(outcome: &[bool], risk: &[f64], bins: usize) -> Vec<CalibrationBin> {
    let mut sorted = risk.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // The upper ends; the lowest risk itself only opens the first bin.
    let mut ends: Vec<f64> = (0..=bins).map(|i| quantile(&sorted, i, bins)).collect();
    ends.dedup();
    if ends.len() > 1 {
        ends.remove(0);
    }
    let mut sums = vec![(0usize, 0.0, 0usize); ends.len()];
    for (event, p) in outcome.iter().zip(risk) {
        let bin = ends.partition_point(|end| end < p).min(ends.len() - 1);
        sums[bin].0 += 1;
        sums[bin].1 += p;
        sums[bin].2 += usize::from(*event);
    }
    sums.into_iter()
        .map(|(n, risk, events)| CalibrationBin {
            n,
            mean_risk: risk / n as f64,
            observed: events as f64 / n as f64,
        })
        .collect()
}

/// The type 7 quantile at `i / bins`. The arithmetic follows R's, whose
/// rounding decides on which side of a cut a risk comes that equals it.
fn quantile(sorted: &[f64], i: usize, bins: usize) -> f64 {
    let last = sorted.len() - 1;
    if i == bins {
        return sorted[last];
    }
    let position = last as f64 * (i as f64 * (1.0 / bins as f64));
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let fraction = position - position.floor();
    if sorted[below] == sorted[above] {
        return sorted[below];
    }
    (1.0 - fraction) * sorted[below] + fraction * sorted[above]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn bins_by_hand() {
        // Quartiles of 0.1, 0.2, 0.3, 0.4, 0.5 are the values themselves; each
        // goes to the bin that it closes, 0.1 and 0.2 to the first.
        let outcome = [false, true, false, true, true];
        let found = calibration(&outcome, &[0.1, 0.2, 0.3, 0.4, 0.5], 4).unwrap();
        let n: Vec<usize> = found.bins.iter().map(|bin| bin.n).collect();
        assert_eq!(n, [2, 1, 1, 1]);
        close(found.bins[0].mean_risk, 0.15, 1e-15);
        assert_eq!(found.bins[0].observed, 0.5);
        close(found.expected_over_observed, 0.5, 1e-15);
        // Squares 0.01 + 0.64 + 0.09 + 0.36 + 0.25 = 1.35 over 5; 0.6 * 0.4.
        close(found.scaled_brier, 1.0 - 0.27 / 0.24, 1e-13);
    }

    #[test]
    fn bad_risks_are_named() {
        let certain = calibration(&[true, false, true], &[0.0, 0.2, 0.9], 2).unwrap();
        assert_eq!(certain.line, Err(EstimateError::CertainRisk { row: 0 }));
        let same = calibration(&[true, false], &[0.2, 0.2], 10).unwrap();
        assert!(matches!(same.line, Err(EstimateError::NoSpread { .. })));
        assert_eq!(same.bins.len(), 1);
        assert!(calibration(&[true, false], &[0.2, 1.2], 2).is_err());
        assert!(calibration(&[true, true], &[0.2, 0.3], 2).is_err());
        assert!(calibration(&[true, false], &[0.2, 0.3], 0).is_err());
    }

    proptest! {
        #[test]
        fn bins_hold_everybody(
            persons in prop::collection::vec((any::<bool>(), 1u8..30), 2..80), bins in 1usize..15,
        ) {
            let outcome: Vec<bool> = persons.iter().map(|p| p.0).collect();
            let risk: Vec<f64> = persons.iter().map(|p| f64::from(p.1) / 30.0).collect();
            let found = bins_by_risk(&outcome, &risk, bins);
            prop_assert!(found.len() <= bins);
            prop_assert_eq!(found.iter().map(|bin| bin.n).sum::<usize>(), risk.len());
        }

        /// The score equations: the fitted risks sum to the events.
        #[test]
        fn the_intercept_in_the_large_evens_out(
            persons in prop::collection::vec((any::<bool>(), 0.02..0.98f64), 5..60),
        ) {
            let outcome: Vec<bool> = persons.iter().map(|p| p.0).collect();
            let events = outcome.iter().filter(|y| **y).count();
            prop_assume!(events > 0 && events < outcome.len());
            let logit: Vec<f64> = persons.iter().map(|p| (p.1 / (1.0 - p.1)).ln()).collect();
            let line = fit(&outcome, &logit, Slope::One).ok().unwrap();
            let sum: f64 = logit.iter().map(|x| 1.0 / (1.0 + (-x - line.intercept).exp())).sum();
            prop_assert!((sum - events as f64).abs() < 1e-8);
        }
    }
}
