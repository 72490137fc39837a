//! Aalen and Johansen's cumulative incidence with competing causes.

use super::competing::CompetingRisks;
use super::follow_up::ascending;
use super::twofold::Twofold;
use crate::error::Result;

/// Cumulative incidence curves: one entry a distinct exit time, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct AalenJohansen {
    /// Exit times, of events and censorings.
    pub time: Vec<f64>,
    /// At risk just before the time (sum of weights).
    pub n_risk: Vec<f64>,
    /// Probability of no event up to and at the time.
    pub event_free: Vec<f64>,
    /// One curve a cause, by ascending code; none where all are censored.
    pub causes: Vec<CauseCurve>,
}

/// The curve of one cause, as long as the times.
#[derive(Debug, Clone, PartialEq)]
pub struct CauseCurve {
    /// The cause's code.
    pub cause: u32,
    /// Sum of weights of this cause's events at the time.
    pub n_event: Vec<f64>,
    /// Probability of this cause up to and at the time.
    pub incidence: Vec<f64>,
    /// Its standard error, by infinitesimal jackknife over rows.
    pub std_err: Vec<f64>,
}

/// A cause's curve at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IncidenceAt {
    /// Probability of the cause up to and at the time.
    pub incidence: f64,
    /// Its standard error.
    pub std_err: f64,
}

impl AalenJohansen {
    /// At risk at `times`: of the first exit at or after each; 0 after the
    /// last.
    pub fn n_risk_at(&self, times: &[f64]) -> Vec<f64> {
        let next = |&time: &f64| self.time.partition_point(|&t| t < time);
        times.iter().map(|t| self.n_risk.get(next(t)).copied().unwrap_or(0.0)).collect()
    }

    /// Curve number `cause` (an index of `causes`) at `times`: 0 before the
    /// first exit, flat after the last.
    pub fn at(&self, cause: usize, times: &[f64]) -> Vec<IncidenceAt> {
        let curve = &self.causes[cause];
        let one = |&time: &f64| match self.time.partition_point(|&t| t <= time).checked_sub(1) {
            None => IncidenceAt { incidence: 0.0, std_err: 0.0 },
            Some(i) => IncidenceAt { incidence: curve.incidence[i], std_err: curve.std_err[i] },
        };
        times.iter().map(one).collect()
    }
}

/// `F_k(t) = sum over s <= t of S(s-) d_k(s) / n(s)`, S the curve of no event.
///
/// The standard error is the root of the sum over rows of squared influences
/// w dF/dw; rows are persons (with entry times: each person one row). Source:
/// survival 3.5-3 `survfit` of a multi-state `Surv`. Errors: bad rows. Cost:
/// one sort, then O(n causes).
pub fn aalen_johansen(rows: &CompetingRisks) -> Result<AalenJohansen> {
    rows.check("Aalen-Johansen")?;
    let labels = rows.causes();
    let mut out = AalenJohansen {
        time: Vec::new(),
        n_risk: Vec::new(),
        event_free: Vec::new(),
        causes: labels.iter().map(|&cause| CauseCurve::new(cause)).collect(),
    };
    let order = ascending(rows.time);
    let counts = Counts::of(rows, &order, &labels);
    let mut entering = order.clone();
    if let Some(entry) = rows.entry {
        entering.sort_by(|&a, &b| entry[a as usize].total_cmp(&entry[b as usize]));
    }
    let mut walk = Walk::new(rows, &labels);
    let (mut entered, mut exited) = (0, 0);
    for (i, &time) in counts.time.iter().enumerate() {
        let enters = |row: u32| rows.entry.is_none_or(|entry| entry[row as usize] < time);
        while let Some(&row) = entering.get(entered).filter(|&&row| enters(row)) {
            walk.enter(row as usize);
            entered += 1;
        }
        let n = counts.n_risk[i];
        let events = &counts.n_event[i * labels.len()..(i + 1) * labels.len()];
        let step = walk.step(n, events);
        while let Some(&row) = order.get(exited).filter(|&&r| rows.time[r as usize] == time) {
            walk.leave(row as usize, &step);
            exited += 1;
        }
        out.time.push(time);
        out.n_risk.push(n);
        out.event_free.push(walk.survival);
        for ((curve, s), d_k) in out.causes.iter_mut().zip(&walk.spread).zip(events) {
            curve.n_event.push(*d_k);
            curve.incidence.push(s.incidence);
            curve.std_err.push(s.variance().sqrt());
        }
    }
    Ok(out)
}

/// The curves and their spread on the way through time.
struct Walk<'a> {
    rows: &'a CompetingRisks<'a>,
    labels: &'a [u32],
    survival: f64,
    /// C(t): the influence on log S of a weight that was at risk from the
    /// start.
    log_influence: f64,
    spread: Vec<Spread>,
    /// C(e) and, cause by cause, a of each row; empty without entry times.
    at_entry: Vec<(f64, Vec<f64>)>,
}

/// What a row's own event at the current time adds to its influences.
struct Step {
    on_incidence: f64,
    on_log_survival: f64,
}

impl<'a> Walk<'a> {
    fn new(rows: &'a CompetingRisks<'a>, labels: &'a [u32]) -> Self {
        let none = (0.0, vec![0.0; labels.len()]);
        Self {
            rows,
            labels,
            survival: 1.0,
            log_influence: 0.0,
            spread: vec![Spread::default(); labels.len()],
            at_entry: vec![none; rows.entry.map_or(0, <[f64]>::len)],
        }
    }

    fn enter(&mut self, row: usize) {
        if let Some((log, offsets)) = self.at_entry.get_mut(row) {
            *log = self.log_influence;
            for (offset, s) in offsets.iter_mut().zip(&self.spread) {
                *offset = s.common - self.log_influence * s.incidence;
            }
        }
        let weight = self.rows.weight_of(row);
        for (k, s) in self.spread.iter_mut().enumerate() {
            let (log, offset) = self.at_entry.get(row).map_or((0.0, 0.0), |e| (e.0, e.1[k]));
            s.enter(weight, log, offset);
        }
    }

    /// `n`: at risk; `events`: by cause.
    fn step(&mut self, n: f64, events: &[f64]) -> Step {
        let d: f64 = events.iter().sum();
        if d <= 0.0 {
            return Step { on_incidence: 0.0, on_log_survival: 0.0 };
        }
        for (s, d_k) in self.spread.iter_mut().zip(events) {
            s.common += self.survival * d_k / n * (self.log_influence - 1.0 / n);
            s.incidence += self.survival * d_k / n;
        }
        let on_incidence = self.survival / n;
        self.survival *= (n - d) / n;
        // Once nobody is left event-free no curve moves any more.
        if n <= d {
            return Step { on_incidence, on_log_survival: 0.0 };
        }
        self.log_influence += d / (n * (n - d));
        Step { on_incidence, on_log_survival: -1.0 / (n - d) }
    }

    fn leave(&mut self, row: usize, step: &Step) {
        let (weight, cause) = (self.rows.weight_of(row), self.rows.cause[row]);
        let jump = if cause == 0 { 0.0 } else { step.on_log_survival };
        for (k, s) in self.spread.iter_mut().enumerate() {
            let (log, offset) = self.at_entry.get(row).map_or((0.0, 0.0), |e| (e.0, e.1[k]));
            let own = if cause == self.labels[k] { step.on_incidence } else { 0.0 };
            s.leave(weight, log, offset, own, self.log_influence - log + jump);
        }
    }
}

impl CauseCurve {
    fn new(cause: u32) -> Self {
        Self { cause, n_event: Vec::new(), incidence: Vec::new(), std_err: Vec::new() }
    }
}

/// At each distinct time: at risk, and events by cause.
struct Counts {
    time: Vec<f64>,
    n_risk: Vec<f64>,
    n_event: Vec<f64>,
}

impl Counts {
    fn of(rows: &CompetingRisks, order: &[u32], labels: &[u32]) -> Self {
        let mut time: Vec<f64> = order.iter().map(|&row| rows.time[row as usize]).collect();
        time.dedup();
        let mut n_risk = vec![0.0; time.len()];
        let mut n_event = vec![0.0; time.len() * labels.len()];
        let mut leaving = order.iter().rev().map(|&row| row as usize).peekable();
        let mut entering: Vec<(f64, f64)> = rows.entry.map_or_else(Vec::new, |entry| {
            (0..entry.len()).map(|row| (entry[row], rows.weight_of(row))).collect()
        });
        entering.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut entering = entering.into_iter().peekable();
        let mut n = 0.0;
        for i in (0..time.len()).rev() {
            while let Some(row) = leaving.next_if(|&row| rows.time[row] == time[i]) {
                n += rows.weight_of(row);
                if let Ok(k) = labels.binary_search(&rows.cause[row]) {
                    n_event[i * labels.len() + k] += rows.weight_of(row);
                }
            }
            while let Some((_, weight)) = entering.next_if(|(entry, _)| *entry >= time[i]) {
                n -= weight;
            }
            n_risk[i] = n;
        }
        Self { time, n_risk, n_event }
    }
}

/// The sum of squared influences on one cause's incidence F, row by row in
/// closed form.
///
/// With C(t) = sum d / (n (n - d)) and `A(t) = sum S(s-) d_k / n (C(s-) - 1 / n)`
/// a row with weight w that entered at e and is at risk at t has influence
/// w (A(t) - a - C(e) F(t)), a = A(e) - C(e) F(e). When it leaves, its own
/// event adds w S(s-) / n; from then on F moves it by w c, where
/// c = C(t) - C(e) - [event] / (n - d) is its influence on log S. Influences
/// may cancel to nothing, as where F comes to 1: hence sums of 32 digits.
#[derive(Clone, Default)]
struct Spread {
    incidence: f64,
    common: f64,
    /// Sums over those at risk of w^2 times 1, a, C(e), a^2, a C(e), C(e)^2.
    at_risk: [Twofold; 6],
    /// Sums over those gone of alpha^2, alpha c, c^2 with influence
    /// alpha + c F.
    gone: [Twofold; 3],
}

impl Spread {
    fn moments(w: f64, log: f64, offset: f64) -> [Twofold; 6] {
        let (o, l) = (w * offset, w * log);
        [(w, w), (w, o), (w, l), (o, o), (o, l), (l, l)].map(|(a, b)| Twofold::product(a, b))
    }

    fn enter(&mut self, weight: f64, log: f64, offset: f64) {
        let moments = Self::moments(weight, log, offset);
        self.at_risk.iter_mut().zip(moments).for_each(|(sum, m)| *sum = sum.plus(m));
    }

    fn leave(&mut self, weight: f64, log: f64, offset: f64, own: f64, slope: f64) {
        let moments = Self::moments(weight, log, offset);
        self.at_risk.iter_mut().zip(moments).for_each(|(sum, m)| *sum = sum.minus(m));
        let f = self.incidence;
        let alpha = weight * (self.common - offset - log * f + own - slope * f);
        let slope = weight * slope;
        let pairs = [(alpha, alpha), (alpha, slope), (slope, slope)];
        for (sum, (a, b)) in self.gone.iter_mut().zip(pairs) {
            *sum = sum.plus(Twofold::product(a, b));
        }
    }

    fn variance(&self) -> f64 {
        let (a, f) = (self.common, self.incidence);
        let [one, offset, log, offset_sq, offset_log, log_sq] = self.at_risk;
        // (a - offset - log f)^2 and (alpha + c f)^2, summed.
        let by_a = one.times(a).minus(offset.plus(log.times(f)).times(2.0)).times(a);
        let by_f = log_sq.times(f).plus(offset_log.times(2.0)).times(f);
        let [alpha_sq, alpha_slope, slope_sq] = self.gone;
        let gone = slope_sq.times(f).plus(alpha_slope.times(2.0)).times(f).plus(alpha_sq);
        by_a.plus(by_f).plus(offset_sq).plus(gone).value().max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_by_hand() {
        // Times 1 (cause 1), 2 (cause 2), 3 (censored), 4 (cause 1): F_1 is 1/4
        // from 1, S(1) 3/4; F_2 is 3/4 * 1/3; S(2) 1/2, all of it cause 1 at 4.
        let rows = CompetingRisks::new(&[1.0, 2.0, 3.0, 4.0], &[1, 2, 0, 1]);
        let curves = aalen_johansen(&rows).unwrap();
        assert_eq!(curves.causes[0].incidence, [0.25, 0.25, 0.25, 0.75]);
        assert_eq!(curves.causes[1].incidence, [0.0, 0.25, 0.25, 0.25]);
        assert_eq!(curves.event_free, [0.75, 0.5, 0.5, 0.0]);
        // Before any censoring F is a mean of n indicators: F (1 - F) / n.
        let std_err = (0.25_f64 * 0.75 / 4.0).sqrt();
        assert!((curves.causes[0].std_err[0] - std_err).abs() < 1e-15);
        assert!((curves.causes[1].std_err[1] - std_err).abs() < 1e-15);
        // At 4 F_1 and F_2 add up to 1, so their errors are one.
        let last = |cause: usize| curves.causes[cause].std_err[3];
        assert!((last(0) - last(1)).abs() < 1e-15);
        assert_eq!(curves.at(0, &[0.5, 3.5])[1].incidence, 0.25);
        assert_eq!(curves.n_risk_at(&[2.5, 5.0]), [2.0, 0.0]);
    }

    #[test]
    fn all_censored_are_event_free() {
        let curves = aalen_johansen(&CompetingRisks::new(&[1.0, 2.0], &[0, 0])).unwrap();
        assert_eq!((curves.event_free, curves.n_risk), (vec![1.0; 2], vec![2.0, 1.0]));
        assert!(curves.causes.is_empty());
    }

    #[test]
    fn certainty_has_no_error() {
        // One cause and nobody censored: F ends at 1 whatever the weights, and
        // its error with it, while at each time before it does not.
        let time: Vec<f64> = (1..60).map(f64::from).collect();
        let weight: Vec<f64> = time.iter().map(|t| 0.3 + 7.0 / t).collect();
        let cause = vec![1; time.len()];
        let rows = CompetingRisks::new(&time, &cause).with_weight(&weight);
        let std_err = &aalen_johansen(&rows).unwrap().causes[0].std_err;
        let (last, before) = std_err.split_last().unwrap();
        assert!(*last < 1e-14 && before.iter().all(|s| *s > 1e-3), "{last}");
    }
}
