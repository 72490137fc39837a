//! Follow-up from cohort entry to an outcome, which `survival`,
//! `cumulative_incidence` and `regression` share.
//!
//! Time at risk starts on a day that an anchor names, by default the day after
//! the index date (`cohort_start_date`). Time counts in days from the day
//! before it, time zero: an outcome on the first day at risk has time 1. An
//! outcome before time at risk is a prior one: it removes the entry, or is
//! passed over. Time ends with the first outcome; with what competes (death,
//! other cohorts), where anything does; else, without event, with the
//! observation period, and with death, the cohort's end, an end anchor or a
//! longest follow-up as set. What happens on the last day counts, and an
//! outcome on the day of a competing event counts as the outcome. Whose time
//! ends before time zero is not at risk.

mod quantity;
mod tally;
mod time_at_risk;

use arrow::array::Array;
use farr_records::{Day, Interval, Table};
use serde::{Deserialize, Serialize};

use crate::{CohortRow, Error, Needs, ShardView};
pub(crate) use quantity::Counted;
pub(crate) use tally::{Tallies, Tally};
pub use time_at_risk::RiskWindowSettings;

/// Which follow-up is asked for.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Rules {
    pub(crate) outcome: i64,
    pub(crate) time_at_risk: RiskWindowSettings,
    pub(crate) first_entry_only: bool,
    pub(crate) remove_prior_outcome: bool,
    pub(crate) prior_outcome_days: Option<i32>,
    pub(crate) censor_at_cohort_end: bool,
    pub(crate) censor_at_death: bool,
    pub(crate) follow_up_days_max: Option<i32>,
    /// Whether death competes.
    pub(crate) death_competes: bool,
    /// Cohorts whose first start in the time at risk competes.
    pub(crate) competing_cohorts: Vec<i64>,
}

/// How an entry's follow-up ended, and after how many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Exit {
    /// The index date lies in no observation period.
    Unobserved,
    PriorOutcome,
    /// Follow-up ends before time zero.
    NotAtRisk,
    Outcome(i32),
    Competing(i32),
    Censored(i32),
}

/// What ends follow-up besides the cohort row itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// The observation period of the index date.
    pub(crate) observed: Interval,
    pub(crate) death: Option<Day>,
    /// The first competing cohort start in the time at risk.
    pub(crate) competing: Option<Day>,
}

impl Rules {
    /// What must be read of the records.
    pub(crate) fn add_needs(&self, needs: &mut Needs) {
        let period = ["observation_period_start_date", "observation_period_end_date"];
        needs.entry(Table::ObservationPeriod).or_default().extend(period);
        if self.censor_at_death || self.death_competes {
            needs.entry(Table::Death).or_default().push("death_date");
        }
    }

    /// The first day at risk of an entry: never before the person is observed.
    fn first_day(&self, row: &CohortRow, observed: Interval) -> Day {
        self.time_at_risk.start.day(row.interval).max(observed.start)
    }

    /// How the follow-up of an entry ends. `outcomes` are in order of start.
    pub(crate) fn exit(&self, row: &CohortRow, outcomes: &[CohortRow], ends: Ends) -> Exit {
        let index = row.interval.start;
        let first_day = self.first_day(row, ends.observed);
        let time_zero = first_day.plus(-1);
        let earliest = self.prior_outcome_days.map(|days| index.plus(-days));
        let is_prior = |outcome: &CohortRow| {
            let start = outcome.interval.start;
            start < first_day && earliest.is_none_or(|earliest| start >= earliest)
        };
        if self.remove_prior_outcome && outcomes.iter().any(is_prior) {
            return Exit::PriorOutcome;
        }
        // Who enters a cohort lives: an earlier death counts on that day.
        let death = ends.death.map(|day| day.max(index));
        let last = [
            Some(ends.observed.end),
            self.time_at_risk.end.map(|end| end.day(row.interval)),
            self.censor_at_cohort_end.then_some(row.interval.end),
            death.filter(|_| self.censor_at_death && !self.death_competes),
            self.follow_up_days_max.map(|days| index.plus(days)),
        ];
        let last = last.into_iter().flatten().min().unwrap_or(ends.observed.end);
        let death = death.filter(|_| self.death_competes);
        if last < time_zero || death.is_some_and(|day| day < time_zero) {
            return Exit::NotAtRisk;
        }
        let within = |day: &Day| *day <= last;
        let event = outcomes.iter().map(|row| row.interval.start).find(|start| *start >= first_day);
        let rival = [death, ends.competing].into_iter().flatten().min().filter(within);
        match (event.filter(within), rival) {
            (Some(day), rival) if rival.is_none_or(|rival| day <= rival) => {
                Exit::Outcome(day.days_since(time_zero))
            }
            (_, Some(day)) => Exit::Competing(day.days_since(time_zero)),
            _ => Exit::Censored(last.days_since(time_zero)),
        }
    }

    /// Calls `visit` with each entry of a target, and with how its follow-up
    /// ends.
    pub(crate) fn visit(
        &self,
        analysis: &str,
        view: &ShardView<'_>,
        target: i64,
        mut visit: impl FnMut(&CohortRow, Exit),
    ) -> Result<(), Error> {
        let periods = view.observation_periods(analysis)?;
        let mut outcome = view.walk(self.outcome);
        let mut competing: Vec<_> =
            self.competing_cohorts.iter().map(|id| view.walk(*id)).collect();
        let mut last_person = None;
        for row in view.cohort(target) {
            let first = last_person.replace(row.person) != Some(row.person);
            if self.first_entry_only && !first {
                continue;
            }
            let index = row.interval.start;
            let periods = periods.of(row.person);
            let Some(period) = periods.iter().find(|p| p.contains(index)) else {
                visit(row, Exit::Unobserved);
                continue;
            };
            let first_day = self.first_day(row, *period);
            let starts = competing.iter_mut().filter_map(|walk| {
                let rows = walk.of(row.person).iter();
                rows.map(|row| row.interval.start).find(|start| *start >= first_day)
            });
            let ends = Ends {
                observed: *period,
                death: death_of(view, row.person),
                competing: starts.min(),
            };
            visit(row, self.exit(row, outcome.of(row.person), ends));
        }
        Ok(())
    }
}

/// A person's earliest date of death.
fn death_of(view: &ShardView<'_>, person: u32) -> Option<Day> {
    let rows = view.shard.table(Table::Death)?;
    let dates = rows.days("death_date")?;
    let valid = rows.rows_of(person as usize).filter(|row| dates.is_valid(*row));
    valid.map(|row| Day(dates.value(row))).min()
}

#[cfg(test)]
mod tests;
