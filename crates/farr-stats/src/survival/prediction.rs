//! How good predictions of time to event are, corrected for censoring by
//! weighting: Brier score, AUC at given times, Uno's C.

use super::fenwick::{Fenwick, dense_ranks};
use super::follow_up::{FollowUp, ascending, check_finite, check_length};
use super::kaplan_meier::{KaplanMeierOptions, kaplan_meier};
use super::risk_table::RiskTable;
use crate::error::{Error, Result};

/// Two risks nearer than this are tied (scikit-survival's `tied_tol`).
const TIED: f64 = 1e-8;

/// AUC at each time and its mean over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeDependentAuc {
    /// One AUC a time; NaN where there is no case yet.
    pub auc: Vec<f64>,
    /// Mean weighted by how much survival falls between the times; NaN with
    /// any of them.
    pub mean: f64,
}

/// The censoring curve G of some rows: a Kaplan-Meier curve in which the
/// events of a time leave before its censorings.
#[derive(Debug, Clone, PartialEq)]
pub struct CensoringCurve {
    time: Vec<f64>,
    probability: Vec<f64>,
}

impl CensoringCurve {
    /// The curve of `rows`: of those that a model was trained on, as a rule.
    /// Errors: bad rows, entry times or weights (the curve has no such form).
    pub fn of(rows: &FollowUp) -> Result<Self> {
        check_rows(rows, "censoring curve")?;
        let table = RiskTable::of(rows);
        let mut curve = 1.0;
        let step = |i: usize| {
            let (left, censored) = (table.n_risk[i] - table.n_event[i], table.n_censor[i]);
            if censored > 0.0 {
                curve *= 1.0 - censored / left;
            }
            curve
        };
        let probability = (0..table.time.len()).map(step).collect();
        Ok(Self { time: table.time, probability })
    }

    /// G(t), censorings at t included; an error after the last time unless
    /// the curve has come down to 0.
    pub fn at(&self, time: f64) -> Result<f64> {
        let last = self.probability.last().copied().unwrap_or(1.0);
        match self.time.partition_point(|&t| t <= time).checked_sub(1) {
            None => Ok(1.0),
            Some(i) if i + 1 < self.time.len() || time <= self.time[i] => Ok(self.probability[i]),
            Some(_) if last == 0.0 => Ok(0.0),
            Some(_) => Err(Error::Setting {
                setting: "time",
                found: time,
                expected: "a time up to the last one of the censoring curve",
            }),
        }
    }
}

fn check_rows(rows: &FollowUp, what: &'static str) -> Result<()> {
    rows.check(what)?;
    if rows.entry.is_some() || rows.weight.is_some() {
        let expected = "none: censoring weights have no such form";
        let column = if rows.entry.is_some() { "entry" } else { "weight" };
        return Err(Error::OutOfRange { column, row: 0, expected });
    }
    Ok(())
}

/// `times` ascend and lie within follow-up: at or after the first exit,
/// before the last.
fn check_times(rows: &FollowUp, times: &[f64]) -> Result<()> {
    check_finite("times", times)?;
    if times.is_empty() {
        return Err(Error::Empty { what: "times" });
    }
    let first = rows.time.iter().copied().fold(f64::INFINITY, f64::min);
    let last = rows.time.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let increasing = |i: usize| i == 0 || times[i - 1] < times[i];
    match (0..times.len()).find(|&i| !(times[i] >= first && times[i] < last && increasing(i))) {
        None => Ok(()),
        Some(i) => Err(Error::Setting {
            setting: "times",
            found: times[i],
            expected: "ascending times from the first exit to before the last",
        }),
    }
}

/// Brier scores at `times`, one predicted survival curve a row.
///
/// `survival[k][row]`: predicted `S(times[k])`. The mean over rows of
/// S^2 / G(time) for those with the event up to t and (1 - S)^2 / G(t) for
/// those still there; censored before t count 0, as do rows where G is 0.
/// Source: Graf et al. (1999); scikit-survival 0.28.0 `brier_score`. Errors:
/// bad rows, times outside of follow-up. Cost: O(n) a time.
pub fn brier_score(
    censoring: &CensoringCurve,
    rows: &FollowUp,
    survival: &[&[f64]],
    times: &[f64],
) -> Result<Vec<f64>> {
    check_rows(rows, "Brier score")?;
    check_times(rows, times)?;
    check_length("survival", times.len(), survival.len())?;
    let inverse = |g: f64| if g > 0.0 { 1.0 / g } else { 0.0 };
    let own: Result<Vec<f64>> =
        rows.time.iter().map(|&time| censoring.at(time).map(inverse)).collect();
    let own = own?;
    let one = |(&t, predicted): (&f64, &&[f64])| {
        check_length("survival", rows.rows(), predicted.len())?;
        check_finite("survival", predicted)?;
        let still = inverse(censoring.at(t)?);
        let share = |row: usize| {
            if rows.time[row] > t {
                (1.0 - predicted[row]).powi(2) * still
            } else if rows.event[row] {
                predicted[row].powi(2) * own[row]
            } else {
                0.0
            }
        };
        Ok((0..rows.rows()).map(share).sum::<f64>() / rows.rows() as f64)
    };
    times.iter().zip(survival).map(one).collect()
}

/// Area under Brier scores by the trapezoidal rule, over the span of `times`
/// (at least two, ascending). Source: scikit-survival 0.28.0
/// `integrated_brier_score`.
pub fn integrated_brier_score(times: &[f64], scores: &[f64]) -> Result<f64> {
    check_length("scores", times.len(), scores.len())?;
    let ([first, .., last], true) = (times, times.is_sorted_by(|a, b| a < b)) else {
        return Err(Error::Setting {
            setting: "number of ascending times",
            found: times.len() as f64,
            expected: "at least 2",
        });
    };
    let pieces = times.windows(2).zip(scores.windows(2));
    let area: f64 = pieces.map(|(t, s)| (t[1] - t[0]) * f64::midpoint(s[0], s[1])).sum();
    Ok(area / (last - first))
}

/// Cumulative/dynamic AUC of `risk` at `times`: those with the event up to t,
/// weighted by 1 / G(time), against those with a later time.
///
/// Risks within 1e-8 of the next one are tied. The mean weighs each AUC by
/// the fall of the Kaplan-Meier curve of `rows` since the time before. Source:
/// scikit-survival 0.28.0 `cumulative_dynamic_auc`. Errors: bad rows, times
/// outside of follow-up, G = 0 at an event.
/// Cost: one sort, then O(n) a time.
pub fn time_dependent_auc(
    censoring: &CensoringCurve,
    rows: &FollowUp,
    risk: &[f64],
    times: &[f64],
) -> Result<TimeDependentAuc> {
    const WHAT: &str = "time-dependent AUC";
    check_rows(rows, WHAT)?;
    check_times(rows, times)?;
    check_length("risk", rows.rows(), risk.len())?;
    check_finite("risk", risk)?;
    let weights = inverse_censoring(censoring, rows)?;
    let descending: Vec<usize> = ascending(risk).into_iter().rev().map(|r| r as usize).collect();
    let auc: Vec<f64> =
        times.iter().map(|&t| area_at(rows, risk, &weights, &descending, t)).collect();
    let curve = kaplan_meier(rows, &KaplanMeierOptions::default())?;
    let (mut before, mut sum) = (1.0, 0.0);
    for (auc, at) in auc.iter().zip(curve.at(times)) {
        sum += auc * (before - at.survival);
        before = at.survival;
    }
    let mean = if let [only] = auc.as_slice() { *only } else { sum / (1.0 - before) };
    Ok(TimeDependentAuc { auc, mean })
}

/// 1 / G(time) of rows with the event, 0 of others.
fn inverse_censoring(censoring: &CensoringCurve, rows: &FollowUp) -> Result<Vec<f64>> {
    let one = |row: usize| {
        if !rows.event[row] {
            return Ok(0.0);
        }
        let time = rows.time[row];
        match censoring.at(time)? {
            g if g > 0.0 => Ok(1.0 / g),
            _ => Err(Error::CurveIsZero { what: "censoring", time }),
        }
    };
    (0..rows.rows()).map(one).collect()
}

/// Trapezoidal area under the weighted curve of true by false positives;
/// NaN without a case. `descending`: rows by falling risk.
fn area_at(rows: &FollowUp, risk: &[f64], weights: &[f64], descending: &[usize], t: f64) -> f64 {
    let (mut cases, mut controls, mut area) = (0.0, 0.0, 0.0);
    let mut start = 0;
    while start < descending.len() {
        let (cases_before, controls_before) = (cases, controls);
        loop {
            let row = descending[start];
            if rows.time[row] > t {
                controls += 1.0;
            } else if rows.event[row] {
                cases += weights[row];
            }
            start += 1;
            let next = descending.get(start);
            if next.is_none_or(|&next| (risk[row] - risk[next]).abs() > TIED) {
                break;
            }
        }
        area += (controls - controls_before) * f64::midpoint(cases_before, cases);
    }
    area / (cases * controls)
}

/// Uno's C of `risk`, up to `tau` where given: concordance in which the pairs
/// of an event count 1 / G(time)^2, events at tau or later nothing.
///
/// Pairs: a row with an event against all with a later time, or censored at
/// the same. Risks within 1e-8 are tied and count 1/2. Source: Uno et al.
/// (2011); scikit-survival 0.28.0 `concordance_index_ipcw`. Errors: bad rows,
/// G = 0 at an event, no pair. Cost: O(n log n).
pub fn uno_concordance(
    censoring: &CensoringCurve,
    rows: &FollowUp,
    risk: &[f64],
    tau: Option<f64>,
) -> Result<f64> {
    const WHAT: &str = "Uno's C";
    check_rows(rows, WHAT)?;
    let used: Vec<bool> = (0..rows.rows())
        .map(|row| rows.event[row] && tau.is_none_or(|tau| rows.time[row] < tau))
        .collect();
    let weights = inverse_censoring(censoring, &FollowUp::new(rows.time, &used))?;
    let squares: Vec<f64> = weights.iter().map(|w| w * w).collect();
    ordered_pairs(rows, risk, &squares)?.ok_or(Error::NoPairs { what: WHAT })
}

/// Harrell's C with risks within 1e-8 tied: scikit-survival 0.28.0
/// `concordance_index_censored`. Errors and cost: as [`uno_concordance`].
pub fn harrell_concordance(rows: &FollowUp, risk: &[f64]) -> Result<f64> {
    const WHAT: &str = "Harrell's C";
    check_rows(rows, WHAT)?;
    let weights: Vec<f64> = rows.event.iter().map(|&e| f64::from(u8::from(e))).collect();
    ordered_pairs(rows, risk, &weights)?.ok_or(Error::NoPairs { what: WHAT })
}

/// Weighted share of pairs in order; `None` if there are none. `weights`: of
/// the pairs in which a row has the event first.
fn ordered_pairs(rows: &FollowUp, risk: &[f64], weights: &[f64]) -> Result<Option<f64>> {
    check_length("risk", rows.rows(), risk.len())?;
    check_finite("risk", risk)?;
    let order = ascending(rows.time);
    let (rank, distinct) = dense_ranks(risk);
    let mut later = Fenwick::new(distinct.len());
    let (mut in_order, mut all) = (0.0, 0.0);
    let mut end = order.len();
    while end > 0 {
        let (last, time) = (end, rows.time[order[end - 1] as usize]);
        while end > 0 && rows.time[order[end - 1] as usize] == time {
            end -= 1;
        }
        let tied = || order[end..last].iter().map(|&row| row as usize);
        for row in tied().filter(|&row| !rows.event[row]) {
            later.add(rank[row] as usize, 1.0);
        }
        for row in tied().filter(|&row| rows.event[row]) {
            let own = risk[row];
            let below = later.below(distinct.partition_point(|&r| own - r > TIED));
            let until = later.below(distinct.partition_point(|&r| r - own <= TIED));
            in_order += weights[row] * (below + 0.5 * (until - below));
            all += weights[row] * later.total();
        }
        for row in tied().filter(|&row| rows.event[row]) {
            later.add(rank[row] as usize, 1.0);
        }
    }
    Ok((all > 0.0).then(|| in_order / all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        // Times 1, 2+, 3, 4 (+: censored). G is 1 before 2, 2/3 from then on.
        // At t = 2.5 with S = 0.5 for all: the event counts 0.25 / 1, the
        // censored nothing, the two left 0.25 / (2/3) each: mean (0.25 + 0.75) / 4.
        let rows = FollowUp::new(&[1.0, 2.0, 3.0, 4.0], &[true, false, true, true]);
        let censoring = CensoringCurve::of(&rows).unwrap();
        assert!((censoring.at(2.0).unwrap() - 2.0 / 3.0).abs() < 1e-15);
        let score = brier_score(&censoring, &rows, &[&[0.5; 4]], &[2.5]).unwrap();
        assert!((score[0] - 0.25).abs() < 1e-15);
        // AUC at 2.5: case 1 against controls 3 and 4, one above, one tied.
        let risk = [2.0, 9.0, 1.0, 2.0];
        let auc = time_dependent_auc(&censoring, &rows, &risk, &[2.5]).unwrap();
        assert_eq!((auc.auc[0], auc.mean), (0.75, 0.75));
        // Uno: event 1 against 9, 1, 2 at weight 1: 1.5 of 3; event 3 against 4
        // at weight 9/4: 0 of 1.
        let uno = uno_concordance(&censoring, &rows, &risk, None).unwrap();
        assert!((uno - 1.5 / 5.25).abs() < 1e-15);
        assert_eq!(harrell_concordance(&rows, &risk), Ok(1.5 / 4.0));
        assert_eq!(integrated_brier_score(&[1.0, 3.0], &[0.1, 0.3]), Ok(0.2));
        assert!(brier_score(&censoring, &rows, &[&[0.5; 4]], &[4.0]).is_err());
    }

    #[test]
    fn a_time_without_a_case_has_no_auc() {
        // The first to leave is censored: nobody has the event up to 1.5.
        let rows = FollowUp::new(&[1.0, 2.0, 3.0], &[false, true, true]);
        let censoring = CensoringCurve::of(&rows).unwrap();
        let found = time_dependent_auc(&censoring, &rows, &[0.0, 2.0, 1.0], &[1.5, 2.5]).unwrap();
        assert!(found.auc[0].is_nan() && found.mean.is_nan());
        assert_eq!(found.auc[1], 1.0);
    }
}
