//! How well a risk score orders the times of events: Harrell's C and its
//! relatives.

use super::cox::{CoxData, Design};
use super::fenwick::{Fenwick, dense_ranks};
use super::follow_up::{FollowUp, check_finite, check_length, codes};
use super::risk_table::RiskTable;
use crate::error::{Error, Result};

/// How much the pairs of an event time count. R's `timewt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeWeight {
    /// All pairs alike: Harrell.
    #[default]
    Pairs,
    /// n S(t-) / n(t).
    Survival,
    /// n S(t-) / (G(t-) n(t)): Schemper.
    SurvivalOverCensoring,
    /// 1 / G(t-)^2: Uno.
    InverseCensoringSquared,
}

/// Settings of [`concordance`]. Slices have one label a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConcordanceOptions<'a> {
    /// Weight of event times.
    pub time_weight: TimeWeight,
    /// Only pairs within a stratum are compared.
    pub strata: Option<&'a [u32]>,
    /// The standard error treats a cluster's rows as one.
    pub cluster: Option<&'a [u32]>,
}

/// Concordance and the (weighted) numbers of pairs that it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concordance {
    /// (concordant + tied on risk / 2) / all comparable pairs.
    pub concordance: f64,
    /// Its standard error, by infinitesimal jackknife.
    pub std_err: f64,
    /// Pairs in which the higher risk has the event first.
    pub concordant: f64,
    /// Pairs in which the lower risk has the event first.
    pub discordant: f64,
    /// Comparable pairs with the same risk.
    pub tied_risk: f64,
    /// Pairs of events at one time, different risks: not comparable.
    pub tied_time: f64,
    /// Pairs of events at one time with the same risk.
    pub tied_both: f64,
}

/// Concordance of `risk` (one finite number a row; high should mean early)
/// with the outcome.
///
/// A pair counts when one row has the event while the other is at risk
/// (entry < t <= time, and not an event at t itself). G is the censoring
/// curve with the events of a time taken out before its censorings. Weights
/// count products of case weights. Source: survival 3.5-3
/// `concordance(reverse = TRUE)`. Errors: bad rows, no comparable pair, a
/// censoring curve asked for with entry times. Cost: O(n log n).
pub fn concordance(
    rows: &FollowUp,
    risk: &[f64],
    options: &ConcordanceOptions,
) -> Result<Concordance> {
    let data = CoxData { rows: *rows, covariates: &[], strata: options.strata };
    let design = Design::of(&data, "concordance")?;
    check_length("risk", rows.rows(), risk.len())?;
    check_finite("risk", risk)?;
    let sorted: Vec<f64> = design.order.iter().map(|&row| risk[row as usize]).collect();
    weighted_concordance(&design, &sorted, options.cluster, options.time_weight)
}

/// `risk`: by the design's positions.
pub(crate) fn concordance_of(
    design: &Design,
    risk: &[f64],
    cluster: Option<&[u32]>,
) -> Result<Concordance> {
    weighted_concordance(design, risk, cluster, TimeWeight::Pairs)
}

fn weighted_concordance(
    design: &Design,
    risk: &[f64],
    cluster: Option<&[u32]>,
    time_weight: TimeWeight,
) -> Result<Concordance> {
    let mut pairs = Pairs::new(design.size);
    for (s, bounds) in design.starts.windows(2).enumerate() {
        let range = bounds[0]..bounds[1];
        let weights = time_weights(design, range.clone(), time_weight)?;
        pairs.add_stratum(design, s, &risk[range], &weights);
    }
    pairs.finish(design, cluster)
}

/// Exit times of the stratum, ascending, with the weight of each.
fn time_weights(
    design: &Design,
    range: std::ops::Range<usize>,
    time_weight: TimeWeight,
) -> Result<Vec<(f64, f64)>> {
    let uses_censoring = matches!(
        time_weight,
        TimeWeight::SurvivalOverCensoring | TimeWeight::InverseCensoringSquared
    );
    if uses_censoring && design.entry.is_some() {
        let expected = "none: entry times do not identify the censoring curve of this weight";
        return Err(Error::OutOfRange { column: "entry", row: 0, expected });
    }
    let rows = FollowUp {
        entry: design.entry.as_deref(),
        time: &design.time,
        event: &design.event,
        weight: Some(&design.weight),
    };
    let order: Vec<u32> = range.clone().map(|i| i as u32).collect();
    let table = RiskTable::of_sorted(&rows, &order);
    let total: f64 = design.weight[range].iter().sum();
    // A single event time has nothing to be weighted against.
    let alike = table.events.iter().sum::<u32>() < 2;
    let (mut survival, mut censoring) = (1.0, 1.0);
    let mut out = Vec::with_capacity(table.time.len());
    for i in 0..table.time.len() {
        let (n, d, c) = (table.n_risk[i], table.n_event[i], table.n_censor[i]);
        let weight = match time_weight {
            _ if alike => 1.0,
            TimeWeight::Pairs => 1.0,
            TimeWeight::Survival => total * survival / n,
            TimeWeight::SurvivalOverCensoring => total * survival / (censoring * n),
            TimeWeight::InverseCensoringSquared => 1.0 / (censoring * censoring),
        };
        out.push((table.time[i], weight));
        if d > 0.0 {
            survival *= (n - d) / n;
        }
        if c > 0.0 {
            censoring *= (n - d - c) / (n - d);
        }
    }
    Ok(out)
}

struct Pairs {
    concordant: f64,
    discordant: f64,
    tied_risk: f64,
    tied_time: f64,
    tied_both: f64,
    /// Weights of each position's concordant less discordant pairs.
    difference: Vec<f64>,
    /// Weights of all of its comparable pairs.
    comparable: Vec<f64>,
}

impl Pairs {
    fn new(rows: usize) -> Self {
        Self {
            concordant: 0.0,
            discordant: 0.0,
            tied_risk: 0.0,
            tied_time: 0.0,
            tied_both: 0.0,
            difference: vec![0.0; rows],
            comparable: vec![0.0; rows],
        }
    }

    /// Backwards in time: those seen so far are at risk. What an event takes
    /// part in as the earlier one is known at once; as the later one each row
    /// meets the events that come while it is in the tree, which are the
    /// difference of the events' tree between its going and its coming.
    fn add_stratum(
        &mut self,
        design: &Design,
        stratum: usize,
        risk: &[f64],
        weights: &[(f64, f64)],
    ) {
        let (start, mut end) = (design.starts[stratum], design.starts[stratum + 1]);
        let last = end;
        let (rank, distinct) = dense_ranks(risk);
        let rank = |i: usize| rank[i - start] as usize;
        let mut at_risk = Fenwick::new(distinct.len());
        let mut events = Fenwick::new(distinct.len());
        let by_entry = design.by_entry.get(start..last).unwrap_or_default();
        let mut gone = 0;
        for &(time, time_weight) in weights.iter().rev() {
            let until = end;
            while end > start && design.time[end - 1] == time {
                end -= 1;
                if !design.event[end] {
                    self.meet(&events, end, rank(end), -1.0);
                    at_risk.add(rank(end), design.weight[end]);
                }
            }
            let tied: Vec<usize> = (end..until).filter(|&i| design.event[i]).collect();
            if tied.is_empty() {
                continue;
            }
            while let Some(&i) = by_entry.get(gone) {
                let i = i as usize;
                if design.entry.as_ref().is_none_or(|entry| entry[i] < time) {
                    break;
                }
                self.meet(&events, i, rank(i), 1.0);
                at_risk.add(rank(i), -design.weight[i]);
                gone += 1;
            }
            self.add_ties(design, &tied, &rank, time_weight);
            for &i in &tied {
                let (below, same, above) = at_risk.around(rank(i));
                let w = design.weight[i] * time_weight;
                self.concordant += w * below;
                self.tied_risk += w * same;
                self.discordant += w * above;
                self.difference[i] += time_weight * (below - above);
                self.comparable[i] += time_weight * at_risk.total();
                events.add(rank(i), w);
            }
            for &i in &tied {
                self.meet(&events, i, rank(i), -1.0);
                at_risk.add(rank(i), design.weight[i]);
            }
        }
        // Those that never left the tree on account of their entry.
        let mut left = vec![false; last - start];
        by_entry[..gone].iter().for_each(|&i| left[i as usize - start] = true);
        for i in (start..last).filter(|&i| !left[i - start]) {
            self.meet(&events, i, rank(i), 1.0);
        }
    }

    /// Position i as the later one of a pair with each event of the tree.
    fn meet(&mut self, events: &Fenwick, i: usize, rank: usize, sign: f64) {
        let (below, _, above) = events.around(rank);
        self.difference[i] += sign * (above - below);
        self.comparable[i] += sign * events.total();
    }

    fn add_ties(
        &mut self,
        design: &Design,
        tied: &[usize],
        rank: &dyn Fn(usize) -> usize,
        time_weight: f64,
    ) {
        if tied.len() < 2 {
            return;
        }
        let mut tied: Vec<(usize, f64)> =
            tied.iter().map(|&i| (rank(i), design.weight[i])).collect();
        tied.sort_unstable_by_key(|&(rank, _)| rank);
        let (mut all, mut both) = (0.0, 0.0);
        let (mut sum, mut same, mut last) = (0.0, 0.0, None);
        for (rank, weight) in tied {
            if last != Some(rank) {
                (same, last) = (0.0, Some(rank));
            }
            all += weight * sum;
            both += weight * same;
            sum += weight;
            same += weight;
        }
        self.tied_both += time_weight * both;
        self.tied_time += time_weight * (all - both);
    }

    fn finish(self, design: &Design, cluster: Option<&[u32]>) -> Result<Concordance> {
        let pairs = self.concordant + self.discordant + self.tied_risk;
        if pairs <= 0.0 || pairs.is_nan() {
            return Err(Error::NoPairs { what: "concordance" });
        }
        let somers = (self.concordant - self.discordant) / pairs;
        let influence = |i: usize| {
            design.weight[i] * (self.difference[i] - somers * self.comparable[i]) / pairs
        };
        let sum_of_squares: f64 = match cluster {
            None => (0..design.size).map(|i| influence(i).powi(2)).sum(),
            Some(cluster) => {
                check_length("cluster", design.size, cluster.len())?;
                let (code, labels) = codes(cluster);
                let mut sums = vec![0.0; labels.len()];
                for (i, &row) in design.order.iter().enumerate() {
                    sums[code[row as usize] as usize] += influence(i);
                }
                sums.iter().map(|sum| sum * sum).sum()
            }
        };
        Ok(Concordance {
            concordance: f64::midpoint(somers, 1.0),
            std_err: sum_of_squares.sqrt() / 2.0,
            concordant: self.concordant,
            discordant: self.discordant,
            tied_risk: self.tied_risk,
            tied_time: self.tied_time,
            tied_both: self.tied_both,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_by_hand() {
        // Time, event, risk: (1, yes, 3), (2, yes, 1), (2, yes, 1), (3, no, 2),
        // (4, yes, 3). Event at 1 (risk 3) against 1, 1, 2, 3: three in order,
        // one tie. Each event at 2 (risk 1) against 2 and 3: none of two in
        // order. The two at 2 are tied in time and in risk. The event at 4 has
        // nobody left. So (3 + 1/2) / 8.
        let rows = FollowUp::new(&[1.0, 2.0, 2.0, 3.0, 4.0], &[true, true, true, false, true]);
        let risk = [3.0, 1.0, 1.0, 2.0, 3.0];
        let found = concordance(&rows, &risk, &ConcordanceOptions::default()).unwrap();
        assert_eq!((found.concordant, found.discordant, found.tied_risk), (3.0, 4.0, 1.0));
        assert_eq!((found.tied_time, found.tied_both), (0.0, 1.0));
        assert_eq!(found.concordance, 3.5 / 8.0);
    }

    #[test]
    fn no_pair_is_named() {
        let rows = FollowUp::new(&[1.0, 1.0], &[true, true]);
        let found = concordance(&rows, &[0.0, 1.0], &ConcordanceOptions::default());
        assert_eq!(found, Err(Error::NoPairs { what: "concordance" }));
    }
}
