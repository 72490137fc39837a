//! Point and period prevalence by calendar interval, as DARWIN EU's
//! IncidencePrevalence defines them.
//!
//! A person is in the denominator on the days of an observation period, from
//! the day on which the prior observation is reached, and inside a target
//! cohort's row where targets are named; in an age group from one birthday to
//! the day before another. Those without a year of birth, or of another sex
//! than 8507 and 8532, are left out. A person has the outcome in an interval
//! if a row of the outcome has a day there on which the person is in the
//! denominator. Complete intervals are judged by the first and last day of the
//! target's whole denominator, whatever the sex and age.

mod calendar;
mod standardised;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::{Day, Interval, Table};
use serde::{Deserialize, Serialize};

use crate::age::{AgeGroup, Persons, check_breaks, person_columns};
use crate::error::check_each_once;
use crate::survival::check_level;
use crate::view::Periods;
use crate::{
    AgeMethod, Analysis, CalendarInterval, Concepts, Error, Needs, PrevalenceMeasure,
    PrevalenceSettings, ShardView, Stratum,
};
use calendar::Window;
use tally::{Tally, joined};

/// `gender_concept_id` of men and women.
const SEXES: [i64; 2] = [8507, 8532];

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Prevalence {
    settings: PrevalenceSettings,
    /// `None` is everybody under observation.
    targets: Vec<Option<i64>>,
    window: Window,
    intervals: Vec<CalendarInterval>,
    by_sex: bool,
    age_groups: Vec<AgeGroup>,
    /// The weight of each age group; empty without a standard population.
    weights: Vec<f64>,
    study: Interval,
}

/// A denominator: a target, and which of its persons; `None` is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Key {
    target: Option<i64>,
    interval: CalendarInterval,
    gender: Option<i64>,
    /// The place of an age group.
    age: Option<usize>,
}

/// Persons of a target.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Membership {
    all: i64,
    without_birth: i64,
    without_sex: i64,
    without_time: i64,
}

/// Counts of some shards.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    tallies: BTreeMap<Key, Tally>,
    /// First and last day of each target's denominator.
    extents: BTreeMap<Option<i64>, Interval>,
    persons: BTreeMap<Option<i64>, Membership>,
}

impl Prevalence {
    /// Checks the settings.
    pub(crate) fn new(settings: &PrevalenceSettings) -> Result<Self, Error> {
        let failed = |key: &'static str, reason: &str| Error::Settings {
            analysis: settings.name.clone(),
            key,
            reason: reason.to_owned(),
        };
        check_level(&settings.name, settings.confidence_level)?;
        if settings.outcomes.is_empty() {
            return Err(failed("outcomes", "expected one or more cohort ids"));
        }
        check_each_once(&settings.name, "outcomes", &settings.outcomes)?;
        check_each_once(&settings.name, "targets", &settings.targets)?;
        let mut intervals = settings.intervals.clone();
        intervals.sort_unstable();
        intervals.dedup();
        if intervals.is_empty() {
            return Err(failed("intervals", "expected one or more, like [\"years\"]"));
        }
        let is_point = settings.measure == PrevalenceMeasure::Point;
        if is_point && intervals.contains(&CalendarInterval::Overall) {
            return Err(failed("intervals", "'overall' has no point; expected weeks to years"));
        }
        if settings.strata.contains(&Stratum::Year) {
            return Err(failed("strata", "expected sex or age; calendar time is in `intervals`"));
        }
        let by_age = settings.strata.contains(&Stratum::Age);
        check_breaks(&settings.name, &settings.age_breaks)?;
        let age_groups = if by_age { AgeGroup::between(&settings.age_breaks) } else { Vec::new() };
        let day = |text: &Option<String>, open: i32| match text {
            None => Ok(Day(open)),
            Some(text) => Day::parse(text)
                .ok_or_else(|| failed("study_window", "expected a day like 2020-01-31")),
        };
        let start = day(&settings.study_window.start, i32::MIN)?;
        let study = Interval::new(start, day(&settings.study_window.end, i32::MAX)?)
            .ok_or_else(|| failed("study_window", "ends before it starts"))?;
        let targets = settings.targets.iter().copied().map(Some);
        Ok(Self {
            targets: if settings.targets.is_empty() { vec![None] } else { targets.collect() },
            window: if is_point { Window::Day(settings.time_point) } else { Window::All },
            intervals,
            by_sex: settings.strata.contains(&Stratum::Sex),
            weights: standardised::weights(settings, &age_groups)?,
            age_groups,
            study,
            settings: settings.clone(),
        })
    }

    /// Whether only persons count who are there for a whole interval.
    fn is_full(&self) -> bool {
        self.settings.full_contribution && self.window == Window::All
    }

    /// A person's days in the denominator of a target.
    fn spans(
        &self,
        view: &ShardView<'_>,
        periods: &Periods,
        target: Option<i64>,
        person: u32,
    ) -> Vec<Interval> {
        let prior = i32::try_from(self.settings.prior_observation_days).unwrap_or(i32::MAX);
        let mut spans = Vec::new();
        for period in periods.of(person) {
            let known = Interval::new(period.start.plus(prior), period.end)
                .and_then(|known| known.intersect(self.study));
            let Some(known) = known else { continue };
            match target {
                None => spans.push(known),
                // A row counts in the observation period in which it starts.
                Some(id) => spans.extend(
                    view.rows_of(id, person)
                        .iter()
                        .filter(|row| period.contains(row.interval.start))
                        .filter_map(|row| row.interval.intersect(known)),
                ),
            }
        }
        joined(spans)
    }

    /// The days on which a person is in an age group.
    fn days_of_age(&self, persons: &Persons<'_>, person: u32, group: AgeGroup) -> Option<Interval> {
        let day = |age: i32| persons.birthday(person, age, self.settings.age);
        let start = match group.min {
            None => Day(i32::MIN),
            Some(age) => day(age)?,
        };
        let end = group.max.and_then(day).map_or(Day(i32::MAX), |day| day.plus(-1));
        Interval::new(start, end)
    }

    fn count_person(
        &self,
        view: &ShardView<'_>,
        persons: &Persons<'_>,
        (target, person): (Option<i64>, u32),
        spans: &[Interval],
        partial: &mut Partial,
    ) {
        let outcomes: Vec<Vec<Interval>> = self
            .settings
            .outcomes
            .iter()
            .map(|id| view.rows_of(*id, person).iter().map(|row| row.interval).collect())
            .collect();
        let mut parts = vec![(None, spans.to_vec())];
        for (place, group) in self.age_groups.iter().enumerate() {
            let Some(days) = self.days_of_age(persons, person, *group) else { continue };
            let inside = spans.iter().filter_map(|span| span.intersect(days)).collect();
            parts.push((Some(place), inside));
        }
        let gender = persons.gender(person);
        let genders = if self.by_sex { vec![None, Some(gender)] } else { vec![None] };
        for (age, spans) in parts.iter().filter(|(_, spans)| !spans.is_empty()) {
            for &gender in &genders {
                for &interval in &self.intervals {
                    let tally = partial
                        .tallies
                        .entry(Key { target, interval, gender, age: *age })
                        .or_insert_with(|| Tally::new(outcomes.len()));
                    if self.is_full() {
                        tally.count_full(interval, spans, &outcomes);
                    } else {
                        tally.count(interval, self.window, spans, &outcomes);
                    }
                }
            }
        }
    }
}

impl Analysis for Prevalence {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let period = vec!["observation_period_start_date", "observation_period_end_date"];
        BTreeMap::from([
            (Table::Person, person_columns(self.settings.age)),
            (Table::ObservationPeriod, period),
        ])
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let name = &self.settings.name;
        let persons = Persons::of(name, view.shard)?;
        let periods = view.observation_periods(name)?;
        let mut partial = Partial::default();
        for &target in &self.targets {
            let members: Vec<u32> = match target {
                None => (0..view.shard.persons().len() as u32).collect(),
                Some(id) => view.persons_in(id).collect(),
            };
            for person in members {
                let spans = self.spans(view, &periods, target, person);
                let counts = partial.persons.entry(target).or_default();
                counts.all += 1;
                let first = spans.first().map(|span| span.start);
                let last = spans.last().map(|span| span.end);
                let (Some(start), Some(end)) = (first, last) else {
                    counts.without_time += 1;
                    continue;
                };
                if persons.birthday(person, 0, AgeMethod::YearDifference).is_none() {
                    counts.without_birth += 1;
                    continue;
                }
                if !SEXES.contains(&persons.gender(person)) {
                    counts.without_sex += 1;
                    continue;
                }
                widen(&mut partial.extents, target, Interval { start, end });
                self.count_person(view, &persons, (target, person), &spans, &mut partial);
            }
        }
        Ok(partial)
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (key, tally) in later.tallies {
            let empty = || Tally::new(self.settings.outcomes.len());
            into.tallies.entry(key).or_insert_with(empty).add(tally);
        }
        for (target, extent) in later.extents {
            widen(&mut into.extents, target, extent);
        }
        for (target, counts) in later.persons {
            let total = into.persons.entry(target).or_default();
            total.all += counts.all;
            total.without_birth += counts.without_birth;
            total.without_sex += counts.without_sex;
            total.without_time += counts.without_time;
        }
    }

    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        table::tables(self, &merged)
    }
}

fn widen(extents: &mut BTreeMap<Option<i64>, Interval>, target: Option<i64>, by: Interval) {
    let extent = extents.entry(target).or_insert(by);
    *extent = Interval { start: extent.start.min(by.start), end: extent.end.max(by.end) };
}
