//! Kaplan-Meier curves from cohort entry to an outcome.
//!
//! Time counts in days from the index date (`cohort_start_date`). An outcome
//! that starts on or before the index date is a prior one: it removes the
//! person, or is passed over. Time ends, without event, with the observation
//! period, and with death, the cohort's end or a longest follow-up as set; an
//! outcome on the last day counts.

mod table;

use std::collections::BTreeMap;

use arrow::array::Array;
use farr_disclosure::AggregateTable;
use farr_records::{Day, Table};

use crate::view::Periods;
use crate::{Analysis, CohortRow, Error, Needs, ShardView, SurvivalSettings};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Survival {
    settings: SurvivalSettings,
}

/// Follow-up of one target: how many left on which day, and how.
#[derive(Debug, Clone, Default)]
struct Target {
    /// By day: events and censored.
    leaving: BTreeMap<i32, (i64, i64)>,
    /// Entries removed for a prior outcome.
    prior: i64,
}

/// Follow-up by target.
#[derive(Debug, Default)]
pub struct Partial {
    targets: BTreeMap<i64, Target>,
}

/// How an entry's follow-up went.
#[derive(Debug, Clone, Copy)]
enum FollowUp {
    PriorOutcome,
    Event(i32),
    Censored(i32),
}

impl Survival {
    /// Checks the settings.
    pub(crate) fn new(settings: &SurvivalSettings) -> Result<Self, Error> {
        let failed = |key: &'static str, reason: &str| Error::Settings {
            analysis: settings.name.clone(),
            key,
            reason: reason.to_owned(),
        };
        if settings.targets.is_empty() {
            return Err(failed("targets", "expected one or more cohort ids"));
        }
        if !(settings.confidence_level > 0.0 && settings.confidence_level < 1.0) {
            return Err(failed("confidence_level", "expected a number between 0 and 1"));
        }
        if settings.prior_outcome_days.is_some_and(|days| days < 0) {
            return Err(failed("prior_outcome_days", "expected 0 or more days"));
        }
        if settings.follow_up_days_max.is_some_and(|days| days < 0) {
            return Err(failed("follow_up_days_max", "expected 0 or more days"));
        }
        Ok(Self { settings: settings.clone() })
    }

    fn follow_up(
        &self,
        row: &CohortRow,
        outcomes: &[CohortRow],
        observed_until: Day,
        death: Option<Day>,
    ) -> FollowUp {
        let settings = &self.settings;
        let index = row.interval.start;
        let earliest = settings.prior_outcome_days.map(|days| index.plus(-days));
        let is_prior = |outcome: &&CohortRow| {
            let start = outcome.interval.start;
            start <= index && earliest.is_none_or(|earliest| start >= earliest)
        };
        if settings.remove_prior_outcome && outcomes.iter().any(|row| is_prior(&row)) {
            return FollowUp::PriorOutcome;
        }
        let last = [
            Some(observed_until),
            settings.censor_at_cohort_end.then_some(row.interval.end),
            death.filter(|_| settings.censor_at_death),
            settings.follow_up_days_max.map(|days| index.plus(days)),
        ];
        let last = last.into_iter().flatten().min().unwrap_or(observed_until).max(index);
        let event = outcomes.iter().map(|row| row.interval.start).find(|start| *start > index);
        match event {
            Some(day) if day <= last => FollowUp::Event(day.days_since(index)),
            _ => FollowUp::Censored(last.days_since(index)),
        }
    }

    fn count_target(&self, view: &ShardView<'_>, periods: &Periods<'_>, id: i64) -> Target {
        let mut target = Target::default();
        let mut last_person = None;
        for row in view.cohort(id) {
            let first = last_person.replace(row.person) != Some(row.person);
            if self.settings.first_entry_only && !first {
                continue;
            }
            let periods = periods.of(row.person);
            let Some(period) = periods.iter().find(|p| p.contains(row.interval.start)) else {
                continue;
            };
            let outcomes = view.rows_of(self.settings.outcome, row.person);
            let death = death_of(view, row.person);
            match self.follow_up(row, outcomes, period.end, death) {
                FollowUp::PriorOutcome => target.prior += 1,
                FollowUp::Event(day) => target.leaving.entry(day).or_default().0 += 1,
                FollowUp::Censored(day) => target.leaving.entry(day).or_default().1 += 1,
            }
        }
        target
    }
}

/// A person's earliest date of death.
fn death_of(view: &ShardView<'_>, person: u32) -> Option<Day> {
    let rows = view.shard.table(Table::Death)?;
    let dates = rows.days("death_date")?;
    let valid = rows.rows_of(person as usize).filter(|row| dates.is_valid(*row));
    valid.map(|row| Day(dates.value(row))).min()
}

impl Analysis for Survival {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let period = vec!["observation_period_start_date", "observation_period_end_date"];
        let mut needs = BTreeMap::from([
            (Table::Person, vec!["person_id"]),
            (Table::ObservationPeriod, period),
        ]);
        if self.settings.censor_at_death {
            needs.insert(Table::Death, vec!["death_date"]);
        }
        needs
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let periods = view.observation_periods(&self.settings.name)?;
        let target = |id: &i64| (*id, self.count_target(view, &periods, *id));
        Ok(Partial { targets: self.settings.targets.iter().map(target).collect() })
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (id, target) in later.targets {
            let total = into.targets.entry(id).or_default();
            total.prior += target.prior;
            for (day, (events, censored)) in target.leaving {
                let sum = total.leaving.entry(day).or_default();
                sum.0 += events;
                sum.1 += censored;
            }
        }
    }

    fn finish(&self, merged: Partial) -> Result<Vec<AggregateTable>, Error> {
        table::tables(&self.settings, &merged)
    }
}

#[cfg(test)]
mod tests {
    use farr_records::Interval;

    use super::*;

    fn row(start: i32, end: i32) -> CohortRow {
        CohortRow { person: 0, interval: Interval::new(Day(start), Day(end)).unwrap() }
    }

    fn survival(change: impl Fn(&mut SurvivalSettings)) -> Survival {
        let text = r#"{"targets": [1], "outcome": 2}"#;
        let mut settings: SurvivalSettings = serde_json::from_str(text).unwrap();
        change(&mut settings);
        Survival::new(&settings).unwrap()
    }

    fn days(follow_up: FollowUp) -> (char, i32) {
        match follow_up {
            FollowUp::PriorOutcome => ('p', 0),
            FollowUp::Event(day) => ('e', day),
            FollowUp::Censored(day) => ('c', day),
        }
    }

    /// Index day 10, observed until 100; outcomes at 40 and 70.
    #[test]
    fn the_first_outcome_in_time_counts() {
        let outcomes = [row(40, 45), row(70, 70)];
        let default = survival(|_| {});
        let of = |s: &Survival, outcomes: &[CohortRow], death: Option<i32>| {
            days(s.follow_up(&row(10, 60), outcomes, Day(100), death.map(Day)))
        };
        assert_eq!(of(&default, &outcomes, None), ('e', 30));
        assert_eq!(of(&default, &[], None), ('c', 90));
        assert_eq!(of(&default, &outcomes, Some(39)), ('c', 29));
        assert_eq!(of(&default, &outcomes, Some(40)), ('e', 30));
        assert_eq!(of(&default, &[row(101, 101)], None), ('c', 90));
        let until_cohort_end = survival(|s| s.censor_at_cohort_end = true);
        assert_eq!(of(&until_cohort_end, &outcomes[1..], None), ('c', 50));
        let short = survival(|s| s.follow_up_days_max = Some(29));
        assert_eq!(of(&short, &outcomes, None), ('c', 29));
    }

    #[test]
    fn prior_outcomes_remove_or_are_passed_over() {
        let outcomes = [row(5, 5), row(10, 10), row(50, 50)];
        let of = |s: &Survival, outcomes: &[CohortRow]| {
            days(s.follow_up(&row(10, 60), outcomes, Day(100), None))
        };
        assert_eq!(of(&survival(|_| {}), &outcomes), ('p', 0));
        assert_eq!(of(&survival(|s| s.remove_prior_outcome = false), &outcomes), ('e', 40));
        let recent = survival(|s| s.prior_outcome_days = Some(4));
        assert_eq!(of(&recent, &[row(5, 5), row(50, 50)]), ('e', 40));
        assert_eq!(of(&recent, &[row(6, 6), row(50, 50)]), ('p', 0));
    }
}
