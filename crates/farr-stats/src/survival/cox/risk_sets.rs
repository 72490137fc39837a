//! The walk over risk sets that everything about a Cox model is made of.

use super::Ties;
use super::design::Design;

/// Sums over those at risk at an event time and over those with the event.
pub(crate) struct RiskSet<'a> {
    pub(crate) stratum: usize,
    /// Positions that leave at this time, events and censorings.
    pub(crate) leaving: std::ops::Range<usize>,
    pub(crate) time: f64,
    /// Rows with the event (and a positive weight).
    pub(crate) events: u32,
    /// Their sum of weights.
    pub(crate) event_weight: f64,
    /// Sum of w r over those at risk; r = exp(x beta).
    pub(crate) s0: f64,
    /// Sum of w r x over those at risk.
    pub(crate) s1: &'a [f64],
    /// Sum of w r x x' over those at risk, lower triangle row by row.
    pub(crate) s2: &'a [f64],
    /// The same sums over those with the event; zero unless Efron's ties ask.
    pub(crate) e0: f64,
    pub(crate) e1: &'a [f64],
    pub(crate) e2: &'a [f64],
    ties: Ties,
}

/// Sums over the d steps k of a tied event time, f = k / d of those with the
/// event being gone (Efron; f = 0 throughout for Breslow), with
/// D = s0 - f e0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TieSums {
    /// Sum of log D.
    pub(crate) log: f64,
    /// Sums of 1 / D and f / D.
    pub(crate) one: f64,
    pub(crate) f: f64,
    /// Sums of 1 / D^2, f / D^2 and f^2 / D^2.
    pub(crate) one_sq: f64,
    pub(crate) f_sq: f64,
    pub(crate) ff_sq: f64,
}

impl RiskSet<'_> {
    /// Whether tied events are treated one after the other.
    pub(crate) fn is_efron(&self) -> bool {
        self.ties == Ties::Efron && self.events > 1
    }

    /// The weight of each of the d steps.
    pub(crate) fn step_weight(&self) -> f64 {
        self.event_weight / f64::from(self.events)
    }

    pub(crate) fn tie_sums(&self) -> TieSums {
        let d = f64::from(self.events);
        if !self.is_efron() {
            let one = d / self.s0;
            return TieSums {
                log: d * self.s0.ln(),
                one,
                one_sq: one / self.s0,
                ..TieSums::default()
            };
        }
        let mut sums = TieSums::default();
        for k in 0..self.events {
            let f = f64::from(k) / d;
            let denominator = self.s0 - f * self.e0;
            let inverse = 1.0 / denominator;
            sums.log += denominator.ln();
            sums.one += inverse;
            sums.f += f * inverse;
            sums.one_sq += inverse * inverse;
            sums.f_sq += f * inverse * inverse;
            sums.ff_sq += f * f * inverse * inverse;
        }
        sums
    }

    /// Takes the part of the steps' means from a lower triangle: sum over steps
    /// of mean mean'. What is left of [`add_information`](Self::add_information)
    /// is a sum over rows.
    pub(crate) fn subtract_means(&self, sums: &TieSums, into: &mut [f64]) {
        let w = self.step_weight();
        let mut cell = 0;
        for (i, (&s_i, &e_i)) in self.s1.iter().zip(self.e1).enumerate() {
            for (&s_j, &e_j) in self.s1[..=i].iter().zip(self.e1) {
                into[cell] -= w
                    * (s_i * s_j * sums.one_sq - (s_i * e_j + e_i * s_j) * sums.f_sq
                        + e_i * e_j * sums.ff_sq);
                cell += 1;
            }
        }
    }

    /// Adds factor times this time's share of the information matrix (lower
    /// triangle): sum over steps of the covariance of x among those at risk.
    pub(crate) fn add_information(&self, sums: &TieSums, factor: f64, into: &mut [f64]) {
        let w = factor * self.step_weight();
        let mut cell = 0;
        for (i, (&s_i, &e_i)) in self.s1.iter().zip(self.e1).enumerate() {
            for (&s_j, &e_j) in self.s1[..=i].iter().zip(self.e1) {
                let second = self.s2[cell] * sums.one - self.e2[cell] * sums.f;
                let means = s_i * s_j * sums.one_sq - (s_i * e_j + e_i * s_j) * sums.f_sq
                    + e_i * e_j * sums.ff_sq;
                into[cell] += w * (second - means);
                cell += 1;
            }
        }
    }
}

/// Calls `visit` for each event time, the last one of each stratum first.
///
/// `risk`: w exp(x beta) of each position. `second`: whether s2 and e2 are
/// needed. At risk at t: entry < t <= time. Cost: O(n p^2), O(n p) without
/// the second moments.
pub(crate) fn walk(
    design: &Design,
    risk: &[f64],
    ties: Ties,
    second: bool,
    mut visit: impl FnMut(&RiskSet),
) {
    let p = design.columns;
    let cells = if second { p * (p + 1) / 2 } else { 0 };
    let mut at_risk = Moments::new(p, cells);
    let mut with_event = Moments::new(p, cells);
    let mut lost = vec![0.0; if design.entry.is_some() { 1 + p + cells } else { 0 }];
    for (stratum, bounds) in design.starts.windows(2).enumerate() {
        let (start, mut end) = (bounds[0], bounds[1]);
        at_risk.clear();
        lost.fill(0.0);
        let mut entering = design.by_entry.get(start..end).unwrap_or_default().iter().peekable();
        while end > start {
            let (last, time) = (end, design.time[end - 1]);
            let (mut events, mut event_weight) = (0, 0.0);
            while end > start && design.time[end - 1] == time {
                end -= 1;
                if lost.is_empty() {
                    at_risk.add(risk[end], design.x(end));
                } else {
                    at_risk.add_exactly(risk[end], design.x(end), &mut lost);
                }
                if design.event[end] && design.weight[end] > 0.0 {
                    events += 1;
                    event_weight += design.weight[end];
                }
            }
            if events == 0 {
                continue;
            }
            if let Some(entry) = &design.entry {
                while let Some(&i) = entering.next_if(|&&i| entry[i as usize] >= time) {
                    at_risk.add_exactly(-risk[i as usize], design.x(i as usize), &mut lost);
                }
                at_risk.settle(&mut lost);
            }
            with_event.clear();
            if events > 1 && ties == Ties::Efron {
                (end..last)
                    .filter(|&i| design.event[i] && design.weight[i] > 0.0)
                    .for_each(|i| with_event.add(risk[i], design.x(i)));
            }
            visit(&RiskSet {
                stratum,
                leaving: end..last,
                time,
                events,
                event_weight,
                s0: at_risk.zero,
                s1: &at_risk.first,
                s2: &at_risk.second,
                e0: with_event.zero,
                e1: &with_event.first,
                e2: &with_event.second,
                ties,
            });
        }
    }
}

/// Sums of w r, w r x and w r x x'.
struct Moments {
    zero: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Moments {
    fn new(columns: usize, cells: usize) -> Self {
        Self { zero: 0.0, first: vec![0.0; columns], second: vec![0.0; cells] }
    }

    fn clear(&mut self) {
        self.zero = 0.0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    fn add(&mut self, risk: f64, x: &[f64]) {
        self.zero += risk;
        for (sum, x) in self.first.iter_mut().zip(x) {
            *sum += risk * x;
        }
        if self.second.is_empty() {
            return;
        }
        let mut rest = self.second.as_mut_slice();
        for (i, x_i) in x.iter().enumerate() {
            let (row, after) = rest.split_at_mut(i + 1);
            let scaled = risk * x_i;
            for (sum, x_j) in row.iter_mut().zip(x) {
                *sum += scaled * x_j;
            }
            rest = after;
        }
    }

    /// Adds and keeps in `lost` what rounding took (Neumaier): where rows also
    /// leave, a large risk that has come and gone must leave no trace among
    /// small ones. `lost` has one number a sum, in the order of the fields.
    fn add_exactly(&mut self, risk: f64, x: &[f64], lost: &mut [f64]) {
        let keep = |(sum, lost): (&mut f64, &mut f64), value: f64| {
            let total = *sum + value;
            let is_larger = sum.abs() >= value.abs();
            *lost += if is_larger { (*sum - total) + value } else { (value - total) + *sum };
            *sum = total;
        };
        let (lost_zero, lost_rest) = lost.split_at_mut(1);
        let (lost_first, lost_second) = lost_rest.split_at_mut(x.len());
        keep((&mut self.zero, &mut lost_zero[0]), risk);
        for (pair, x) in self.first.iter_mut().zip(lost_first).zip(x) {
            keep(pair, risk * x);
        }
        if self.second.is_empty() {
            return;
        }
        let mut pairs = self.second.iter_mut().zip(lost_second);
        for (i, x_i) in x.iter().enumerate() {
            let scaled = risk * x_i;
            for (pair, x_j) in pairs.by_ref().take(i + 1).zip(x) {
                keep(pair, scaled * x_j);
            }
        }
    }

    /// What rounding took goes back in: the sums as near as doubles can be.
    fn settle(&mut self, lost: &mut [f64]) {
        let sums = std::iter::once(&mut self.zero).chain(&mut self.first).chain(&mut self.second);
        for (sum, lost) in sums.zip(lost) {
            let total = *sum + *lost;
            *lost += *sum - total;
            *sum = total;
        }
    }
}
