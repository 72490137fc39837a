//! Kaplan and Meier's product-limit estimate.

use super::confidence::{Confidence, Interval};
use super::curve::SurvivalCurve;
use super::follow_up::{FollowUp, ascending, ascending_by_code, check_length, codes};
use super::risk_table::RiskTable;
use super::twofold::Twofold;
use crate::error::Result;

/// Which standard error a curve gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CurveVariance {
    /// Greenwood's, with sums of weights for counts.
    #[default]
    Greenwood,
    /// The infinitesimal jackknife, each row on its own: right when weights
    /// are sampling or propensity weights rather than counts.
    InfinitesimalJackknife,
}

/// Settings of [`kaplan_meier`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct KaplanMeierOptions {
    /// The interval.
    pub confidence: Confidence,
    /// The standard error.
    pub variance: CurveVariance,
}

/// The product-limit curve of all rows, S(t) = prod (1 - d / n) over event
/// times up to t, and Nelson and Aalen's hazard sum d / n.
///
/// With entry times a row is at risk at t when entry < t <= time. Greenwood:
/// Var log S = sum d / (n (n - d)), Var H = sum d / n^2. Source: survival
/// 3.5-3 `survfit(Surv(...) ~ 1, weights, robust)`. Errors: bad rows. Cost:
/// one sort, then linear.
pub fn kaplan_meier(rows: &FollowUp, options: &KaplanMeierOptions) -> Result<SurvivalCurve> {
    rows.check("Kaplan-Meier")?;
    let interval = options.confidence.interval()?;
    Ok(curve_of(rows, &ascending(rows.time), options.variance, interval))
}

/// One curve a group: pairs of label and curve, by ascending label. One sort
/// serves all groups. `group`: one label a row.
pub fn kaplan_meier_by_group(
    rows: &FollowUp,
    group: &[u32],
    options: &KaplanMeierOptions,
) -> Result<Vec<(u32, SurvivalCurve)>> {
    rows.check("Kaplan-Meier")?;
    check_length("group", rows.rows(), group.len())?;
    let interval = options.confidence.interval()?;
    let (code, labels) = codes(group);
    let (order, starts) = ascending_by_code(&ascending(rows.time), &code, labels.len());
    let one = |(c, label): (usize, u32)| {
        let order = &order[starts[c]..starts[c + 1]];
        (label, curve_of(rows, order, options.variance, interval))
    };
    Ok(labels.into_iter().enumerate().map(one).collect())
}

fn curve_of(
    rows: &FollowUp,
    order: &[u32],
    variance: CurveVariance,
    interval: Interval,
) -> SurvivalCurve {
    let table = RiskTable::of_sorted(rows, order);
    let steps = table.time.len();
    let mut curve = SurvivalCurve {
        survival: Vec::with_capacity(steps),
        cumulative_hazard: Vec::with_capacity(steps),
        std_err_survival: Vec::with_capacity(steps),
        lower: Vec::with_capacity(steps),
        upper: Vec::with_capacity(steps),
        ..SurvivalCurve::default()
    };
    let (mut survival, mut hazard) = (1.0, 0.0);
    for i in 0..steps {
        let (n, d) = (table.n_risk[i], table.n_event[i]);
        if d > 0.0 {
            survival *= (n - d) / n;
            hazard += d / n;
        }
        curve.survival.push(survival);
        curve.cumulative_hazard.push(hazard);
    }
    // Once everyone has had the event no change of weights moves S from 0, so
    // the jackknife's error is 0; Greenwood's is not defined.
    let (at_zero, (variance_log, variance_hazard)) = match variance {
        CurveVariance::Greenwood => (f64::NAN, greenwood(&table)),
        CurveVariance::InfinitesimalJackknife => (0.0, jackknife(rows, order, &table)),
    };
    for (&s, variance) in curve.survival.iter().zip(variance_log) {
        let se_log = if s == 0.0 { at_zero } else { variance.sqrt() };
        let (lower, upper) = interval.bounds(s, se_log);
        curve.std_err_survival.push(s * se_log);
        curve.lower.push(lower);
        curve.upper.push(upper);
    }
    curve.std_err_cumulative_hazard = variance_hazard.into_iter().map(f64::sqrt).collect();
    let RiskTable { time, n_risk, n_event, n_censor, .. } = table;
    SurvivalCurve { time, n_risk, n_event, n_censor, ..curve }
}

/// Variances of log S and of H.
fn greenwood(table: &RiskTable) -> (Vec<f64>, Vec<f64>) {
    let (mut log_sum, mut hazard_sum) = (0.0, 0.0);
    let step = |(&n, &d): (&f64, &f64)| {
        if d > 0.0 {
            log_sum += d / (n * (n - d));
            hazard_sum += d / (n * n);
        }
        (log_sum, hazard_sum)
    };
    table.n_risk.iter().zip(&table.n_event).map(step).unzip()
}

/// Sums over rows of squared influences on log S and on H.
///
/// The influence of a row with weight w on log S at t is
/// w (C(min(t, time)) - C(entry)) - [event <= t] w / (n - d), with
/// C(t) = sum d / (n (n - d)); on H it is -w (D(..) - D(entry)) + [event] w / n
/// with D(t) = sum d / n^2. So sums over those still at risk follow from three
/// moments, and the cost is linear once the entries are sorted.
fn jackknife(rows: &FollowUp, order: &[u32], table: &RiskTable) -> (Vec<f64>, Vec<f64>) {
    let mut entering: Vec<u32> = order.to_vec();
    if let Some(entry) = rows.entry {
        entering.sort_by(|&a, &b| entry[a as usize].total_cmp(&entry[b as usize]));
    }
    let mut at_entry = vec![(0.0, 0.0); rows.entry.map_or(0, <[f64]>::len)];
    let (mut entered, mut exited) = (0, 0);
    let (mut log, mut hazard) = (Influence::default(), Influence::default());
    let (mut log_out, mut hazard_out) = (Vec::new(), Vec::new());
    for i in 0..table.time.len() {
        let (time, n, d) = (table.time[i], table.n_risk[i], table.n_event[i]);
        while let Some(&row) = entering.get(entered) {
            let row = row as usize;
            if let Some(entry) = rows.entry {
                if entry[row] >= time {
                    break;
                }
                at_entry[row] = (log.common, hazard.common);
            }
            log.enter(rows.weight_of(row));
            hazard.enter(rows.weight_of(row));
            entered += 1;
        }
        if d > 0.0 {
            log.common += d / (n * (n - d));
            hazard.common -= d / (n * n);
        }
        while let Some(&row) = order.get(exited).filter(|&&r| rows.time[r as usize] == time) {
            let row = row as usize;
            let (log_entry, hazard_entry) = at_entry.get(row).copied().unwrap_or_default();
            let (w, event) = (rows.weight_of(row), rows.event[row] && d > 0.0);
            log.leave(w, log_entry, if event { -1.0 / (n - d) } else { 0.0 });
            hazard.leave(w, hazard_entry, if event { 1.0 / n } else { 0.0 });
            exited += 1;
        }
        log_out.push(log.sum_of_squares());
        hazard_out.push(hazard.sum_of_squares());
    }
    (log_out, hazard_out)
}

/// Running sum of squares of influences that are w (common - common at entry)
/// while at risk. Those with large weights may leave first: what is left of
/// the moments must then be that of the others.
#[derive(Default)]
struct Influence {
    common: f64,
    /// Sums over those at risk of w^2 times entry^0, entry^1, entry^2.
    moments: [Twofold; 3],
    gone: f64,
}

impl Influence {
    fn enter(&mut self, weight: f64) {
        self.add(weight, self.common, Twofold::plus);
    }

    fn add(&mut self, weight: f64, entry: f64, add: fn(Twofold, Twofold) -> Twofold) {
        let shifted = weight * entry;
        let pairs = [(weight, weight), (weight, shifted), (shifted, shifted)];
        for (sum, (a, b)) in self.moments.iter_mut().zip(pairs) {
            *sum = add(*sum, Twofold::product(a, b));
        }
    }

    fn leave(&mut self, weight: f64, entry: f64, jump: f64) {
        self.add(weight, entry, Twofold::minus);
        self.gone += (weight * (self.common - entry + jump)).powi(2);
    }

    fn sum_of_squares(&self) -> f64 {
        let [m0, m1, m2] = self.moments;
        let c = self.common;
        let at_risk = m0.times(c).minus(m1.times(2.0)).times(c).plus(m2);
        self.gone + at_risk.value().max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    }

    #[test]
    fn product_limit_by_hand() {
        // Times 1 2+ 3 4 (+: censored). S: 3/4, 3/4, 3/4 * 1/2, 0. Greenwood's
        // sum: 1 / (4 * 3) at 1, and 1 / (2 * 1) more at 3.
        let rows = FollowUp::new(&[1.0, 2.0, 3.0, 4.0], &[true, false, true, true]);
        let curve = kaplan_meier(&rows, &KaplanMeierOptions::default()).unwrap();
        assert_eq!(curve.n_risk, [4.0, 3.0, 2.0, 1.0]);
        assert_eq!(curve.survival, [0.75, 0.75, 0.375, 0.0]);
        close(curve.std_err_survival[1], 0.75 * (1.0_f64 / 12.0).sqrt());
        close(curve.std_err_survival[2], 0.375 * (1.0_f64 / 12.0 + 0.5).sqrt());
        assert!(curve.std_err_survival[3].is_nan() && curve.lower[3].is_nan());
        close(curve.std_err_cumulative_hazard[2], (1.0_f64 / 16.0 + 0.25).sqrt());
    }

    #[test]
    fn jackknife_by_hand() {
        // Without censoring S(t) is a mean of n indicators, so its jackknife
        // variance is S (1 - S) / n: at 2 of the times 1 2 3 4, 0.25 / 4.
        let rows = FollowUp::new(&[1.0, 2.0, 3.0, 4.0], &[true; 4]);
        let variance = CurveVariance::InfinitesimalJackknife;
        let options = KaplanMeierOptions { variance, ..Default::default() };
        let curve = kaplan_meier(&rows, &options).unwrap();
        close(curve.std_err_survival[1], 0.25);
        close(curve.std_err_survival[3], 0.0);
    }

    #[test]
    fn a_weight_that_has_left_leaves_no_trace() {
        // Weights 1e6 1 1e-6 at times 1+ 2 3: at 2 D = 1 / (1 + 1e-6)^2, and
        // H moves by w (1 / n - D) of the second, - w D of the third; the
        // first, censored before, has none. Both are 1e-6 to six digits.
        let weight = [1e6, 1.0, 1e-6];
        let rows = FollowUp::new(&[1.0, 2.0, 3.0], &[false, true, true]).with_weight(&weight);
        let variance = CurveVariance::InfinitesimalJackknife;
        let options = KaplanMeierOptions { variance, ..Default::default() };
        let curve = kaplan_meier(&rows, &options).unwrap();
        let n = 1.0 + 1e-6_f64;
        let by_hand = 1e-6 / (n * n) * 2.0_f64.sqrt();
        assert!((curve.std_err_cumulative_hazard[1] / by_hand - 1.0).abs() < 1e-9);
    }
}
