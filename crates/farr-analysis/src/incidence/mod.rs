//! Incidence proportions and rates, as OHDSI's CohortIncidence 4 defines them.
//!
//! A target row gives a time at risk, clipped to the observation period in
//! which the row starts; overlapping ones of a person are joined. After the
//! start of an outcome a person is not at risk until the outcome's end and its
//! clean window have passed, nor inside the excluded cohort. Numbers before
//! that exclusion end in `_pe`.

mod person;
mod table;

use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::{Day, Interval, Table};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::age::{AgeGroup, Persons, check_breaks, person_columns};
use crate::error::check_each_once;
use crate::{
    AgeMethod, Analysis, CohortRow, Concepts, Error, IncidenceSettings, Needs, ShardView, Stratum,
    SubgroupSettings, TimeAtRiskSettings,
};
use person::{PersonOutcome, risk_eras};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Incidence {
    name: String,
    targets: Vec<i64>,
    outcomes: Vec<Outcome>,
    times_at_risk: Vec<TimeAtRiskSettings>,
    strata: Vec<Stratum>,
    age_groups: Vec<AgeGroup>,
    age_classes: AgeClasses,
    age_divisions: usize,
    age: AgeMethod,
    subgroups: Vec<SubgroupSettings>,
    study_start: Option<Day>,
    study_end: Option<Day>,
    confidence_level: f64,
}

#[derive(Debug, Clone)]
struct Outcome {
    id: i64,
    cohort: i64,
    clean_window_days: i32,
    excluded_cohort: Option<i64>,
}

/// What the counts are divided by; `None` is the total.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) struct StratumKey {
    /// Number of the age group, from 1.
    pub(crate) age_group: Option<i64>,
    pub(crate) gender: Option<i64>,
    pub(crate) year: Option<i64>,
}

/// The finest stratum: of each division asked for, where a time at risk lies;
/// 0 for the others.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) struct Cell {
    /// A place in [`AgeClasses`].
    age_class: usize,
    gender: i64,
    year: i64,
}

/// Which time at risk of which target, in which subgroup (0: all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct TargetKey {
    pub(crate) target: i64,
    pub(crate) time_at_risk: i64,
    pub(crate) subgroup: i64,
}

/// Time at risk before exclusion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RiskCounts {
    pub(crate) persons: i64,
    pub(crate) days: i64,
}

/// What an outcome and its exclusions do to a time at risk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutcomeCounts {
    pub(crate) excluded_persons: i64,
    pub(crate) excluded_days: i64,
    pub(crate) persons_before: i64,
    pub(crate) persons: i64,
    pub(crate) outcomes_before: i64,
    pub(crate) outcomes: i64,
}

/// Counts of a stratum of a target's time at risk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) risk: RiskCounts,
    /// In the order of the outcomes; those that come after are 0.
    pub(crate) outcomes: Vec<OutcomeCounts>,
}

/// Counts of some shards.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    /// Of persons whose whole time at risk lies in one finest stratum: they
    /// count once in each that this one is part of, which is added up at the
    /// end.
    cells: Tallies<Cell>,
    /// Of the others.
    strata: Tallies<StratumKey>,
}

/// Counts that are found by hash, one a person: its keys are ours, so that it
/// need not be one that withstands made-up keys.
type Tallies<K> = FxHashMap<(TargetKey, K), Tally>;

impl Tally {
    fn add(&mut self, later: &Self) {
        self.risk.persons += later.risk.persons;
        self.risk.days += later.risk.days;
        for (place, counts) in later.outcomes.iter().enumerate() {
            self.outcome(place).add(counts);
        }
    }

    fn outcome(&mut self, place: usize) -> &mut OutcomeCounts {
        if self.outcomes.len() <= place {
            self.outcomes.resize(place + 1, OutcomeCounts::default());
        }
        &mut self.outcomes[place]
    }
}

impl OutcomeCounts {
    fn add(&mut self, later: &Self) {
        self.excluded_persons += later.excluded_persons;
        self.excluded_days += later.excluded_days;
        self.persons_before += later.persons_before;
        self.persons += later.persons;
        self.outcomes_before += later.outcomes_before;
        self.outcomes += later.outcomes;
    }
}

/// Ages that belong to the same groups, whatever divisions these are of.
#[derive(Debug, Clone)]
struct AgeClasses {
    /// Where a class ends and the next begins, ascending.
    bounds: Vec<i32>,
    /// The numbers of each class's groups; of the first, whose age is unknown,
    /// none.
    groups: Vec<Vec<i64>>,
}

impl AgeClasses {
    fn of(groups: &[AgeGroup]) -> Self {
        let mut bounds: Vec<i32> = groups.iter().filter_map(|group| group.min).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let numbered = || (1_i64..).zip(groups);
        let of_age = |age: i32| {
            numbered().filter(|(_, group)| group.contains(age)).map(|(id, _)| id).collect()
        };
        let ages = [i32::MIN].into_iter().chain(bounds.iter().copied());
        let groups = [Vec::new()].into_iter().chain(ages.map(of_age)).collect();
        Self { bounds, groups }
    }

    fn class_of(&self, age: Option<i32>) -> usize {
        age.map_or(0, |age| 1 + self.bounds.partition_point(|bound| *bound <= age))
    }
}

impl Incidence {
    /// Checks the settings.
    pub(crate) fn new(settings: &IncidenceSettings) -> Result<Self, Error> {
        let failed = |key: &'static str, reason: &str| Error::Settings {
            analysis: settings.name.clone(),
            key,
            reason: reason.to_owned(),
        };
        if settings.targets.is_empty() {
            return Err(failed("targets", "expected one or more cohort ids"));
        }
        if settings.outcomes.is_empty() {
            return Err(failed("outcomes", "expected one or more outcomes"));
        }
        if settings.time_at_risk.is_empty() {
            return Err(failed("time_at_risk", "expected one or more"));
        }
        if !(settings.confidence_level > 0.0 && settings.confidence_level < 1.0) {
            return Err(failed("confidence_level", "expected a number between 0 and 1"));
        }
        if settings.subgroups.iter().any(|subgroup| subgroup.id <= 0) {
            return Err(failed("subgroups", "expected ids above 0, which stands for all"));
        }
        let outcome_ids =
            settings.outcomes.iter().map(|outcome| outcome.id.unwrap_or(outcome.cohort));
        for (key, ids) in [
            ("targets", settings.targets.clone()),
            ("outcomes", outcome_ids.collect()),
            ("time_at_risk", settings.time_at_risk.iter().map(|time| time.id).collect()),
            ("subgroups", settings.subgroups.iter().map(|subgroup| subgroup.id).collect()),
            ("strata", settings.strata.iter().map(|stratum| *stratum as i64).collect()),
        ] {
            check_each_once(&settings.name, key, ids)?;
        }
        if settings.outcomes.iter().any(|outcome| outcome.clean_window_days < 0) {
            return Err(failed("outcomes", "expected clean_window_days of 0 or more"));
        }
        let day = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => Day::parse(text)
                .map(Some)
                .ok_or_else(|| failed("study_window", "expected a day like 2020-01-31")),
        };
        let (study_start, study_end) =
            (day(&settings.study_window.start)?, day(&settings.study_window.end)?);
        if study_start.zip(study_end).is_some_and(|(start, end)| start > end) {
            return Err(failed("study_window", "ends before it starts"));
        }
        let divisions = settings.age_breaks.divisions();
        for breaks in &divisions {
            check_breaks(&settings.name, breaks)?;
        }
        let age_groups: Vec<AgeGroup> =
            divisions.iter().flat_map(|b| AgeGroup::between(b)).collect();
        Ok(Self {
            name: settings.name.clone(),
            targets: settings.targets.clone(),
            outcomes: settings
                .outcomes
                .iter()
                .map(|outcome| Outcome {
                    id: outcome.id.unwrap_or(outcome.cohort),
                    cohort: outcome.cohort,
                    clean_window_days: outcome.clean_window_days,
                    excluded_cohort: outcome.excluded_cohort,
                })
                .collect(),
            times_at_risk: settings.time_at_risk.clone(),
            strata: settings.strata.clone(),
            age_divisions: divisions.len(),
            age_classes: AgeClasses::of(&age_groups),
            age_groups,
            age: settings.age,
            subgroups: settings.subgroups.clone(),
            study_start,
            study_end,
            confidence_level: settings.confidence_level,
        })
    }

    /// The finest stratum of a time at risk that starts on `day`.
    fn cell_of(&self, persons: &Persons<'_>, person: u32, day: Day) -> Cell {
        let mut cell = Cell::default();
        for stratum in &self.strata {
            match stratum {
                Stratum::Age => {
                    let age = persons.age(person, day, self.age);
                    cell.age_class = self.age_classes.class_of(age);
                }
                Stratum::Sex => cell.gender = persons.gender(person),
                Stratum::Year => cell.year = i64::from(day.year()),
            }
        }
        cell
    }

    /// Every stratum that a finest one is part of: the total, and each
    /// combination of the divisions asked for.
    fn strata_of(&self, cell: Cell) -> Vec<StratumKey> {
        let mut strata = vec![StratumKey::default()];
        for stratum in &self.strata {
            for i in 0..strata.len() {
                let key = strata[i];
                match stratum {
                    Stratum::Age => {
                        let groups = self.age_classes.groups[cell.age_class].iter();
                        strata.extend(groups.map(|id| StratumKey { age_group: Some(*id), ..key }));
                    }
                    Stratum::Sex => strata.push(StratumKey { gender: Some(cell.gender), ..key }),
                    Stratum::Year => strata.push(StratumKey { year: Some(cell.year), ..key }),
                }
            }
        }
        strata
    }

    /// The joined times at risk of a person's target rows, inside the study
    /// window.
    fn eras_of(
        &self,
        rows: &[CohortRow],
        time: &TimeAtRiskSettings,
        periods: &[Interval],
        eras: &mut Vec<Interval>,
    ) {
        risk_eras(rows, time, periods, eras);
        eras.retain_mut(|era| {
            let inside = self.study_start.is_none_or(|start| era.start >= start)
                && self.study_end.is_none_or(|end| era.start <= end);
            if let Some(end) = self.study_end {
                era.end = era.end.min(end);
            }
            inside
        });
    }

    fn count_person(
        &self,
        (key, persons, person): (TargetKey, &Persons<'_>, u32),
        (eras, outcomes): (&[Interval], &[PersonOutcome<'_>]),
        (cells, strata): (&mut Tallies<Cell>, &mut Tallies<StratumKey>),
    ) {
        let cell_of = |era: &Interval| self.cell_of(persons, person, era.start);
        let Some((first, others)) = eras.split_first() else { return };
        let cell = cell_of(first);
        if others.iter().all(|era| cell_of(era) == cell) {
            add_person(cells.entry((key, cell)).or_default(), eras, outcomes);
            return;
        }
        let mut placed: Vec<(StratumKey, Vec<Interval>)> = Vec::new();
        for era in eras {
            for stratum in self.strata_of(cell_of(era)) {
                match placed.iter_mut().find(|(known, _)| *known == stratum) {
                    Some((_, eras)) => eras.push(*era),
                    None => placed.push((stratum, vec![*era])),
                }
            }
        }
        for (stratum, eras) in placed {
            add_person(strata.entry((key, stratum)).or_default(), &eras, outcomes);
        }
    }

    /// Counts by stratum.
    fn added_up(&self, merged: Partial) -> BTreeMap<(TargetKey, StratumKey), Tally> {
        let mut strata = merged.strata;
        for ((key, cell), tally) in merged.cells {
            for stratum in self.strata_of(cell) {
                strata.entry((key, stratum)).or_default().add(&tally);
            }
        }
        strata.into_iter().collect()
    }
}

/// Adds a person's times at risk, all of one stratum.
fn add_person(tally: &mut Tally, eras: &[Interval], outcomes: &[PersonOutcome<'_>]) {
    tally.risk.persons += 1;
    tally.risk.days += eras.iter().map(|era| i64::from(era.days())).sum::<i64>();
    for (place, outcome) in outcomes.iter().enumerate() {
        if !outcome.is_nothing() {
            tally.outcome(place).add(&outcome.counts(eras));
        }
    }
}

impl Analysis for Incidence {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let period = vec!["observation_period_start_date", "observation_period_end_date"];
        let person = person_columns(self.age);
        BTreeMap::from([(Table::Person, person), (Table::ObservationPeriod, period)])
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let persons = Persons::of(&self.name, view.shard)?;
        let periods = view.observation_periods(&self.name)?;
        let (mut cells, mut strata) = (Tallies::default(), Tallies::default());
        for &target in &self.targets {
            let mut rows = view.walk(target);
            let of_outcome =
                |o: &Outcome| (view.walk(o.cohort), o.excluded_cohort.map(|c| view.walk(c)));
            let mut of_outcomes: Vec<_> = self.outcomes.iter().map(of_outcome).collect();
            let mut of_members: Vec<_> =
                self.subgroups.iter().map(|s| view.walk(s.cohort)).collect();
            let (mut outcomes, mut members, mut eras) = (Vec::new(), Vec::new(), Vec::new());
            while let Some((person, rows)) = rows.next_person() {
                outcomes.clear();
                let of_person = self.outcomes.iter().zip(&mut of_outcomes);
                outcomes.extend(of_person.map(|(outcome, (rows, excluded))| {
                    let excluded = excluded.as_mut().map_or(&[][..], |walk| walk.of(person));
                    PersonOutcome::new(rows.of(person), outcome.clean_window_days, excluded)
                }));
                members.clear();
                members.extend(of_members.iter_mut().map(|walk| walk.of(person)));
                for time in &self.times_at_risk {
                    self.eras_of(rows, time, periods.of(person), &mut eras);
                    let key = TargetKey { target, time_at_risk: time.id, subgroup: 0 };
                    let tallies = (&mut cells, &mut strata);
                    self.count_person((key, &persons, person), (&eras, &outcomes), tallies);
                    for (subgroup, members) in self.subgroups.iter().zip(&members) {
                        let starts_inside = |era: &&Interval| {
                            members.iter().any(|row| row.interval.contains(era.start))
                        };
                        let inside: Vec<Interval> =
                            eras.iter().filter(starts_inside).copied().collect();
                        let key = TargetKey { subgroup: subgroup.id, ..key };
                        let tallies = (&mut cells, &mut strata);
                        self.count_person((key, &persons, person), (&inside, &outcomes), tallies);
                    }
                }
            }
        }
        Ok(Partial { cells, strata })
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (key, tally) in later.cells {
            into.cells.entry(key).or_default().add(&tally);
        }
        for (key, tally) in later.strata {
            into.strata.entry(key).or_default().add(&tally);
        }
    }

    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        table::tables(self, &self.added_up(merged))
    }
}
