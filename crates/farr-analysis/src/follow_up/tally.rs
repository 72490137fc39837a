//! How many leave on which day, by target and stratum: whole numbers, so that
//! sums do not depend on the order of shards.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::{Exit, Rules};
use crate::strata::{Level, Strata};
use crate::{Error, ShardView};

/// Who leaves on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leaving {
    pub(crate) outcome: i64,
    pub(crate) competing: i64,
    pub(crate) censored: i64,
}

impl Leaving {
    pub(crate) fn all(self) -> i64 {
        self.outcome + self.competing + self.censored
    }

    fn add(&mut self, other: Self) {
        self.outcome += other.outcome;
        self.competing += other.competing;
        self.censored += other.censored;
    }
}

/// Follow-up of one target or stratum.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// By day from time zero.
    pub(crate) leaving: BTreeMap<i32, Leaving>,
    /// Entries removed for a prior outcome.
    pub(crate) prior: i64,
    /// Entries outside every observation period.
    pub(crate) unobserved: i64,
    /// Entries whose follow-up ends before time zero.
    pub(crate) not_at_risk: i64,
}

impl Tally {
    fn count(&mut self, exit: Exit) {
        match exit {
            Exit::Unobserved => self.unobserved += 1,
            Exit::PriorOutcome => self.prior += 1,
            Exit::NotAtRisk => self.not_at_risk += 1,
            Exit::Outcome(day) => self.leaving.entry(day).or_default().outcome += 1,
            Exit::Competing(day) => self.leaving.entry(day).or_default().competing += 1,
            Exit::Censored(day) => self.leaving.entry(day).or_default().censored += 1,
        }
    }

    /// Sum over all days.
    pub(crate) fn total(&self) -> Leaving {
        let mut total = Leaving::default();
        self.leaving.values().for_each(|day| total.add(*day));
        total
    }

    /// Days of follow-up of all entries.
    pub(crate) fn follow_up_days(&self) -> i64 {
        self.leaving.iter().map(|(day, leaving)| i64::from(*day) * leaving.all()).sum()
    }

    /// The last day on which somebody leaves.
    pub(crate) fn last_day(&self) -> Option<i32> {
        self.leaving.keys().next_back().copied()
    }

    /// Who leaves on the days of a grid, and how many are at risk just before
    /// each: the grid holds every day of this tally.
    pub(crate) fn on(&self, grid: &BTreeSet<i32>) -> Vec<(i64, Leaving)> {
        let mut at_risk = self.total().all();
        let day = |day: &i32| {
            let leaving = self.leaving.get(day).copied().unwrap_or_default();
            let before = at_risk;
            at_risk -= leaving.all();
            (before, leaving)
        };
        grid.iter().map(day).collect()
    }
}

/// Follow-up by target and stratum.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tallies {
    by_level: BTreeMap<(i64, Level), Tally>,
}

impl Tallies {
    /// The follow-up of all entries of the targets in a shard.
    pub(crate) fn count(
        analysis: &str,
        (rules, strata): (&Rules, &Strata),
        targets: &[i64],
        view: &ShardView<'_>,
    ) -> Result<Self, Error> {
        let persons = strata.persons(analysis, view)?;
        let mut tallies = Self::default();
        for &target in targets {
            tallies.by_level.entry((target, Level::All)).or_default();
            rules.visit(analysis, view, target, |row, exit| {
                for level in strata.levels(persons.as_ref(), row.person, row.interval.start) {
                    tallies.by_level.entry((target, level)).or_default().count(exit);
                }
            })?;
        }
        Ok(tallies)
    }

    pub(crate) fn add(&mut self, later: Self) {
        for (key, tally) in later.by_level {
            let total = self.by_level.entry(key).or_default();
            total.prior += tally.prior;
            total.unobserved += tally.unobserved;
            total.not_at_risk += tally.not_at_risk;
            for (day, leaving) in tally.leaving {
                total.leaving.entry(day).or_default().add(leaving);
            }
        }
    }

    /// The levels of a target with their follow-up: everybody first.
    pub(crate) fn of(&self, target: i64) -> impl Iterator<Item = (Level, &Tally)> {
        let levels = self.by_level.range((target, Level::All)..);
        levels
            .take_while(move |((other, _), _)| *other == target)
            .map(|((_, level), tally)| (*level, tally))
    }

    /// The days on which somebody of a target leaves, and those of `chosen`
    /// until the last of them.
    pub(crate) fn grid(&self, target: i64, chosen: &[i32]) -> BTreeSet<i32> {
        let Some(all) = self.by_level.get(&(target, Level::All)) else { return BTreeSet::new() };
        let last = all.last_day().unwrap_or(-1);
        let chosen = chosen.iter().copied().filter(|day| (0..=last).contains(day));
        all.leaving.keys().copied().chain(chosen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five entries leave on day 1 (outcome, censored), 3 (competing) and 4
    /// (two outcomes); one more is removed.
    #[test]
    fn at_risk_by_hand() {
        let mut tally = Tally::default();
        for exit in [
            Exit::Outcome(1),
            Exit::Censored(1),
            Exit::Competing(3),
            Exit::Outcome(4),
            Exit::Outcome(4),
            Exit::PriorOutcome,
        ] {
            tally.count(exit);
        }
        let at_risk: Vec<i64> =
            tally.on(&BTreeSet::from([0, 1, 2, 3, 4])).into_iter().map(|(n, _)| n).collect();
        assert_eq!(at_risk, [5, 5, 3, 3, 2]);
        assert_eq!(tally.total(), Leaving { outcome: 3, competing: 1, censored: 1 });
        assert_eq!((tally.follow_up_days(), tally.prior), (13, 1));
    }
}
