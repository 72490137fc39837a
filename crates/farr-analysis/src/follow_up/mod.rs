//! Follow-up from cohort entry to an outcome, which `survival`,
//! `cumulative_incidence` and `regression` share.
//!
//! Time counts in days from the index date (`cohort_start_date`). An outcome
//! that starts on or before the index date is a prior one: it removes the
//! entry, or is passed over. Time ends with the first outcome; with what
//! competes (death, other cohorts), where anything does; else, without event,
//! with the observation period, and with death, the cohort's end or a longest
//! follow-up as set. What happens on the last day counts, and an outcome on
//! the day of a competing event counts as the outcome.

mod tally;

use arrow::array::Array;
use farr_records::{Day, Table};
use serde::{Deserialize, Serialize};

use crate::{CohortRow, Error, Needs, ShardView};
pub(crate) use tally::{Tallies, Tally};

/// Which follow-up is asked for.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Rules {
    pub(crate) outcome: i64,
    pub(crate) first_entry_only: bool,
    pub(crate) remove_prior_outcome: bool,
    pub(crate) prior_outcome_days: Option<i32>,
    pub(crate) censor_at_cohort_end: bool,
    pub(crate) censor_at_death: bool,
    pub(crate) follow_up_days_max: Option<i32>,
    /// Whether death competes.
    pub(crate) death_competes: bool,
    /// Cohorts whose first start after the index date competes.
    pub(crate) competing_cohorts: Vec<i64>,
}

/// What a count of follow-up counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Entries,
    PriorOutcome,
    Unobserved,
    Outcome,
    Competing,
    Censored,
}

/// How an entry's follow-up ended, and after how many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Exit {
    /// The index date lies in no observation period.
    Unobserved,
    PriorOutcome,
    Outcome(i32),
    Competing(i32),
    Censored(i32),
}

/// What ends follow-up besides the cohort row itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) observed_until: Day,
    pub(crate) death: Option<Day>,
    /// The first competing cohort start after the index date.
    pub(crate) competing: Option<Day>,
}

impl Rules {
    /// The name, without the target, of the quantity that a count is: analyses
    /// with the same rules have the same number, whatever their names.
    pub(crate) fn quantity(&self, counted: Counted) -> String {
        let of = if self.first_entry_only { "first entries" } else { "entries" };
        if counted == Counted::Unobserved {
            return format!("{of} unobserved");
        }
        let outcome = self.outcome;
        let prior = match (self.remove_prior_outcome, self.prior_outcome_days) {
            (false, _) => format!("{of} before {outcome}"),
            (true, None) => format!("{of} without earlier {outcome}"),
            (true, Some(days)) => format!("{of} without {outcome} in {days} days"),
        };
        match counted {
            Counted::PriorOutcome => return format!("{prior} removed"),
            Counted::Entries | Counted::Unobserved => return prior,
            Counted::Outcome | Counted::Competing | Counted::Censored => {}
        }
        let (cohort_end, most) = (self.censor_at_cohort_end, self.follow_up_days_max);
        let until_death = self.censor_at_death || self.death_competes;
        let rivals = &self.competing_cohorts;
        let outcomes =
            format!("{prior} until {cohort_end} {until_death} {most:?} rivals {rivals:?}");
        match counted {
            // Death is the end of follow-up, whether it competes or not.
            Counted::Outcome => format!("{outcomes} outcomes"),
            _ => format!("{outcomes} {counted:?} death competes {}", self.death_competes),
        }
    }

    /// Refuses numbers of days that cannot be.
    pub(crate) fn check(&self, analysis: &str) -> Result<(), Error> {
        for (key, days) in [
            ("prior_outcome_days", self.prior_outcome_days),
            ("follow_up_days_max", self.follow_up_days_max),
        ] {
            if days.is_some_and(|days| days < 0) {
                let (analysis, reason) = (analysis.to_owned(), "expected 0 or more days");
                return Err(Error::Settings { analysis, key, reason: reason.to_owned() });
            }
        }
        Ok(())
    }

    /// What must be read of the records.
    pub(crate) fn add_needs(&self, needs: &mut Needs) {
        let period = ["observation_period_start_date", "observation_period_end_date"];
        needs.entry(Table::ObservationPeriod).or_default().extend(period);
        if self.censor_at_death || self.death_competes {
            needs.entry(Table::Death).or_default().push("death_date");
        }
    }

    /// How the follow-up of an entry ends.
    pub(crate) fn exit(&self, row: &CohortRow, outcomes: &[CohortRow], ends: Ends) -> Exit {
        let index = row.interval.start;
        let earliest = self.prior_outcome_days.map(|days| index.plus(-days));
        let is_prior = |outcome: &&CohortRow| {
            let start = outcome.interval.start;
            start <= index && earliest.is_none_or(|earliest| start >= earliest)
        };
        if self.remove_prior_outcome && outcomes.iter().any(|row| is_prior(&row)) {
            return Exit::PriorOutcome;
        }
        let last = [
            Some(ends.observed_until),
            self.censor_at_cohort_end.then_some(row.interval.end),
            ends.death.filter(|_| self.censor_at_death && !self.death_competes),
            self.follow_up_days_max.map(|days| index.plus(days)),
        ];
        let last = last.into_iter().flatten().min().unwrap_or(ends.observed_until).max(index);
        let within = |day: &Day| *day <= last;
        let event = outcomes.iter().map(|row| row.interval.start).find(|start| *start > index);
        let death = ends.death.filter(|_| self.death_competes).map(|day| day.max(index));
        let rival = [death, ends.competing].into_iter().flatten().min().filter(within);
        match (event.filter(within), rival) {
            (Some(day), rival) if rival.is_none_or(|rival| day <= rival) => {
                Exit::Outcome(day.days_since(index))
            }
            (_, Some(day)) => Exit::Competing(day.days_since(index)),
            _ => Exit::Censored(last.days_since(index)),
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
            let starts = self.competing_cohorts.iter().filter_map(|id| {
                let rows = view.rows_of(*id, row.person).iter();
                rows.map(|row| row.interval.start).find(|start| *start > index)
            });
            let ends = Ends {
                observed_until: period.end,
                death: death_of(view, row.person),
                competing: starts.min(),
            };
            visit(row, self.exit(row, view.rows_of(self.outcome, row.person), ends));
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
mod tests {
    use farr_records::Interval;
    use proptest::prelude::*;

    use super::*;

    fn row(start: i32, end: i32) -> CohortRow {
        CohortRow { person: 0, interval: Interval::new(Day(start), Day(end)).unwrap() }
    }

    fn rules(change: impl Fn(&mut Rules)) -> Rules {
        let mut rules =
            Rules { remove_prior_outcome: true, censor_at_death: true, ..Rules::default() };
        change(&mut rules);
        rules
    }

    fn ends(death: Option<i32>, competing: Option<i32>) -> Ends {
        Ends { observed_until: Day(100), death: death.map(Day), competing: competing.map(Day) }
    }

    /// Index day 10, observed until 100; outcomes at 40 and 70.
    #[test]
    fn the_first_outcome_in_time_counts() {
        let outcomes = [row(40, 45), row(70, 70)];
        let default = rules(|_| {});
        let of = |rules: &Rules, outcomes: &[CohortRow], death: Option<i32>| {
            rules.exit(&row(10, 60), outcomes, ends(death, None))
        };
        assert_eq!(of(&default, &outcomes, None), Exit::Outcome(30));
        assert_eq!(of(&default, &[], None), Exit::Censored(90));
        assert_eq!(of(&default, &outcomes, Some(39)), Exit::Censored(29));
        assert_eq!(of(&default, &outcomes, Some(40)), Exit::Outcome(30));
        assert_eq!(of(&default, &[row(101, 101)], None), Exit::Censored(90));
        let until_cohort_end = rules(|r| r.censor_at_cohort_end = true);
        assert_eq!(of(&until_cohort_end, &outcomes[1..], None), Exit::Censored(50));
        let short = rules(|r| r.follow_up_days_max = Some(29));
        assert_eq!(of(&short, &outcomes, None), Exit::Censored(29));
    }

    #[test]
    fn prior_outcomes_remove_or_are_passed_over() {
        let outcomes = [row(5, 5), row(10, 10), row(50, 50)];
        let of = |rules: &Rules, outcomes: &[CohortRow]| {
            rules.exit(&row(10, 60), outcomes, ends(None, None))
        };
        assert_eq!(of(&rules(|_| {}), &outcomes), Exit::PriorOutcome);
        assert_eq!(of(&rules(|r| r.remove_prior_outcome = false), &outcomes), Exit::Outcome(40));
        let recent = rules(|r| r.prior_outcome_days = Some(4));
        assert_eq!(of(&recent, &[row(5, 5), row(50, 50)]), Exit::Outcome(40));
        assert_eq!(of(&recent, &[row(6, 6), row(50, 50)]), Exit::PriorOutcome);
    }

    #[test]
    fn the_outcome_wins_on_the_day_of_death() {
        let competing = rules(|r| r.death_competes = true);
        let of =
            |death, cohort| competing.exit(&row(10, 60), &[row(40, 45)], ends(Some(death), cohort));
        assert_eq!(of(40, None), Exit::Outcome(30));
        assert_eq!(of(39, None), Exit::Competing(29));
        assert_eq!(of(50, Some(20)), Exit::Competing(10));
        assert_eq!(of(10, None), Exit::Competing(0));
        // Death after the last day observed is not seen.
        assert_eq!(competing.exit(&row(10, 60), &[], ends(Some(101), None)), Exit::Censored(90));
    }

    proptest! {
        /// Without anything that competes no exit is a competing one, and what
        /// competes never makes follow-up longer.
        #[test]
        fn competition_only_shortens(
            outcome in 0..130_i32, death in proptest::option::of(0..130_i32),
            competing in proptest::option::of(11..130_i32),
        ) {
            let day = |exit| match exit {
                Exit::Unobserved | Exit::PriorOutcome => -1,
                Exit::Outcome(day) | Exit::Competing(day) | Exit::Censored(day) => day,
            };
            let outcomes = [row(outcome, outcome)];
            let alone = rules(|r| r.censor_at_death = false);
            let without = alone.exit(&row(10, 60), &outcomes, ends(death, None));
            prop_assert!(!matches!(without, Exit::Competing(_)));
            let both = rules(|r| r.death_competes = true);
            let with = both.exit(&row(10, 60), &outcomes, ends(death, competing));
            prop_assert!(day(with) <= day(without));
        }
    }
}
