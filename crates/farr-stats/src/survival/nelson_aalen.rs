//! Estimates of the cumulative hazard, and the survival curves exp(-H) that
//! go with them.

use super::confidence::Confidence;
use super::curve::SurvivalCurve;
use super::follow_up::FollowUp;
use super::risk_table::RiskTable;
use crate::error::Result;

/// Nelson and Aalen: H(t) = sum d / n, Var H = sum d / n^2, S = exp(-H).
///
/// Source: survival 3.5-3 `survfit(stype = 2, ctype = 1)`. Errors: bad rows.
/// Cost: one sort, then linear.
pub fn nelson_aalen(rows: &FollowUp, confidence: Confidence) -> Result<SurvivalCurve> {
    rows.check("Nelson-Aalen")?;
    exponential_curve(rows, confidence, |n, d, _| (d / n, d / (n * n)))
}

/// Fleming and Harrington: the tied events of a time enter one by one, so m
/// events with sum of weights d add sum over j < m of (d / m) / (n - j d / m);
/// the variance likewise with the squared denominator; S = exp(-H).
///
/// Source: survival 3.5-3 `survfit(stype = 2, ctype = 2)`. Errors: bad rows.
/// Cost: one sort, then linear.
pub fn fleming_harrington(rows: &FollowUp, confidence: Confidence) -> Result<SurvivalCurve> {
    rows.check("Fleming-Harrington")?;
    exponential_curve(rows, confidence, |n, d, m| {
        let share = d / f64::from(m);
        (0..m).fold((0.0, 0.0), |(hazard, variance), j| {
            let left = n - f64::from(j) * share;
            (hazard + share / left, variance + share / (left * left))
        })
    })
}

/// `step`: at risk, sum of weights and number of the events → what they add
/// to the hazard and to its variance.
fn exponential_curve(
    rows: &FollowUp,
    confidence: Confidence,
    step: impl Fn(f64, f64, u32) -> (f64, f64),
) -> Result<SurvivalCurve> {
    let interval = confidence.interval()?;
    let table = RiskTable::of(rows);
    let mut curve = SurvivalCurve::default();
    let (mut hazard, mut variance) = (0.0, 0.0);
    for i in 0..table.time.len() {
        if table.n_event[i] > 0.0 {
            let (h, v) = step(table.n_risk[i], table.n_event[i], table.events[i]);
            hazard += h;
            variance += v;
        }
        let (survival, std_err) = (f64::exp(-hazard), f64::sqrt(variance));
        let (lower, upper) = interval.bounds(survival, std_err);
        curve.survival.push(survival);
        curve.std_err_survival.push(survival * std_err);
        curve.lower.push(lower);
        curve.upper.push(upper);
        curve.cumulative_hazard.push(hazard);
        curve.std_err_cumulative_hazard.push(std_err);
    }
    let RiskTable { time, n_risk, n_event, n_censor, .. } = table;
    Ok(SurvivalCurve { time, n_risk, n_event, n_censor, ..curve })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazards_by_hand() {
        // Times 1 1 2+ 3 (two events at 1, one censored at 2, an event at 3).
        // Nelson-Aalen: 2/4, then + 1/1; Fleming-Harrington: 1/4 + 1/3, then + 1.
        let rows = FollowUp::new(&[1.0, 1.0, 2.0, 3.0], &[true, true, false, true]);
        let aalen = nelson_aalen(&rows, Confidence::default()).unwrap();
        assert_eq!(aalen.cumulative_hazard, [0.5, 0.5, 1.5]);
        assert_eq!(aalen.std_err_cumulative_hazard[0], (2.0_f64 / 16.0).sqrt());
        let harrington = fleming_harrington(&rows, Confidence::default()).unwrap();
        assert_eq!(harrington.cumulative_hazard[0], 0.25 + 1.0 / 3.0);
        assert_eq!(harrington.survival[2], (-(0.25 + 1.0 / 3.0 + 1.0_f64)).exp());
        let variance: f64 = 1.0 / 16.0 + 1.0 / 9.0;
        assert_eq!(harrington.std_err_cumulative_hazard[0], variance.sqrt());
    }
}
