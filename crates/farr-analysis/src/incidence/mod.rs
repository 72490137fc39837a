//! Incidence proportions and rates, as OHDSI's CohortIncidence 4 defines them.
//!
//! A target row gives a time at risk, clipped to the observation period in
//! which the row starts; overlapping ones of a person are joined. After the
//! start of an outcome a person is not at risk until the outcome's end and its
//! clean window have passed, nor inside the excluded cohort. Numbers before
//! that exclusion end in `_pe`.

mod person;
mod table;

use std::collections::{BTreeMap, HashMap};

use farr_disclosure::AggregateTable;
use farr_records::{Day, Interval, Table};
use serde::{Deserialize, Serialize};

use crate::age::{AgeGroup, PERSON_COLUMNS, Persons, check_breaks};
use crate::{
    AgeMethod, Analysis, Concepts, Error, IncidenceSettings, Needs, ShardView, Stratum,
    SubgroupSettings, TimeAtRiskSettings,
};
use person::{PersonTime, eras, risk_eras};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Incidence {
    name: String,
    targets: Vec<i64>,
    outcomes: Vec<Outcome>,
    times_at_risk: Vec<TimeAtRiskSettings>,
    strata: Vec<Stratum>,
    age_groups: Vec<AgeGroup>,
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

/// Counts of some shards.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    risk: BTreeMap<(TargetKey, StratumKey), RiskCounts>,
    outcomes: BTreeMap<(TargetKey, i64, StratumKey), OutcomeCounts>,
}

/// Counts of one shard: what becomes a [`Partial`], found faster.
type Tallies = HashMap<(TargetKey, StratumKey), Tally>;

/// Counts of a stratum of a target's time at risk.
struct Tally {
    risk: RiskCounts,
    /// In the order of the outcomes.
    outcomes: Vec<OutcomeCounts>,
}

/// Whether no id stands twice.
pub(crate) fn all_differ(ids: &[i64]) -> bool {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
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
            if !all_differ(&ids) {
                return Err(failed(key, "one stands twice and would be counted twice"));
            }
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
            age_groups: divisions.into_iter().flat_map(AgeGroup::between).collect(),
            age: settings.age,
            subgroups: settings.subgroups.clone(),
            study_start,
            study_end,
            confidence_level: settings.confidence_level,
        })
    }

    /// Every stratum that a time at risk starting on `day` belongs to: the
    /// total, and each combination of the divisions asked for.
    fn strata_of(&self, persons: &Persons<'_>, person: u32, day: Day, into: &mut Vec<StratumKey>) {
        into.clear();
        into.push(StratumKey::default());
        for stratum in &self.strata {
            let so_far = into.len();
            for i in 0..so_far {
                let key = into[i];
                match stratum {
                    Stratum::Age => {
                        let age = persons.age(person, day, self.age);
                        let groups = (1_i64..).zip(&self.age_groups);
                        into.extend(
                            groups
                                .filter(|(_, group)| age.is_some_and(|age| group.contains(age)))
                                .map(|(id, _)| StratumKey { age_group: Some(id), ..key }),
                        );
                    }
                    Stratum::Sex => {
                        into.push(StratumKey { gender: Some(persons.gender(person)), ..key });
                    }
                    Stratum::Year => {
                        into.push(StratumKey { year: Some(i64::from(day.year())), ..key });
                    }
                }
            }
        }
    }

    /// The joined times at risk of a person, inside the study window.
    fn person_eras(
        &self,
        view: &ShardView<'_>,
        person: u32,
        target: i64,
        time: &TimeAtRiskSettings,
        periods: &[Interval],
    ) -> Vec<Interval> {
        let rows = view.rows_of(target, person);
        let mut eras = risk_eras(rows, time, periods);
        eras.retain_mut(|era| {
            let inside = self.study_start.is_none_or(|start| era.start >= start)
                && self.study_end.is_none_or(|end| era.start <= end);
            if let Some(end) = self.study_end {
                era.end = era.end.min(end);
            }
            inside
        });
        eras
    }

    /// Days on which a person is not at risk of an outcome.
    fn excluded_eras(view: &ShardView<'_>, person: u32, outcome: &Outcome) -> Vec<Interval> {
        let after = view.rows_of(outcome.cohort, person).iter().filter_map(|row| {
            Interval::new(
                row.interval.start.plus(1),
                row.interval.end.plus(outcome.clean_window_days),
            )
        });
        let excluded = outcome
            .excluded_cohort
            .into_iter()
            .flat_map(|cohort| view.rows_of(cohort, person).iter().map(|row| row.interval));
        eras(after.chain(excluded).collect())
    }

    fn count_person(
        &self,
        view: &ShardView<'_>,
        persons: &Persons<'_>,
        (person, key): (u32, TargetKey),
        eras: &[Interval],
        tallies: &mut Tallies,
    ) {
        let mut strata = Vec::new();
        let mut risk: PersonTime<RiskCounts> = PersonTime::default();
        for era in eras {
            self.strata_of(persons, person, era.start, &mut strata);
            for stratum in &strata {
                let counts = risk.of(*stratum);
                counts.persons = 1;
                counts.days += i64::from(era.days());
            }
        }
        let of_outcome = |outcome: &Outcome| {
            let excluded = Self::excluded_eras(view, person, outcome);
            let rows = view.rows_of(outcome.cohort, person);
            let mut at_risk: PersonTime<(OutcomeCounts, bool)> = PersonTime::default();
            for era in eras {
                let overlaps = excluded.iter().filter_map(|other| era.intersect(*other));
                let days: i64 = overlaps.map(|overlap| i64::from(overlap.days())).sum();
                let starts = rows.iter().map(|row| row.interval.start);
                let inside = starts.filter(|day| era.contains(*day));
                let (mut before, mut counted) = (0, 0);
                for day in inside {
                    before += 1;
                    counted += i64::from(!excluded.iter().any(|other| other.contains(day)));
                }
                self.strata_of(persons, person, era.start, &mut strata);
                for stratum in &strata {
                    let (counts, stays) = at_risk.of(*stratum);
                    counts.excluded_days += days;
                    counts.outcomes_before += before;
                    counts.outcomes += counted;
                    *stays |= i64::from(era.days()) > days;
                }
            }
            at_risk
        };
        // Of the same eras, so with the strata of `risk`, in its order.
        let at_risk: Vec<PersonTime<(OutcomeCounts, bool)>> =
            self.outcomes.iter().map(of_outcome).collect();
        let mut at_risk: Vec<_> = at_risk.iter().map(PersonTime::iter).collect();
        for (stratum, counts) in risk.iter() {
            let tally = tallies.entry((key, *stratum)).or_insert_with(|| Tally {
                risk: RiskCounts::default(),
                outcomes: vec![OutcomeCounts::default(); self.outcomes.len()],
            });
            tally.risk.persons += counts.persons;
            tally.risk.days += counts.days;
            for (total, own) in tally.outcomes.iter_mut().zip(&mut at_risk) {
                let Some((_, (counts, stays))) = own.next() else { continue };
                total.excluded_persons += i64::from(!stays);
                total.excluded_days += counts.excluded_days;
                total.persons_before += i64::from(counts.outcomes_before > 0);
                total.persons += i64::from(counts.outcomes > 0);
                total.outcomes_before += counts.outcomes_before;
                total.outcomes += counts.outcomes;
            }
        }
    }

    fn partial(&self, tallies: Tallies) -> Partial {
        let mut partial = Partial::default();
        for ((key, stratum), tally) in tallies {
            partial.risk.insert((key, stratum), tally.risk);
            for (outcome, counts) in self.outcomes.iter().zip(tally.outcomes) {
                partial.outcomes.insert((key, outcome.id, stratum), counts);
            }
        }
        partial
    }
}

impl Analysis for Incidence {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let period = vec!["observation_period_start_date", "observation_period_end_date"];
        BTreeMap::from([
            (Table::Person, PERSON_COLUMNS.to_vec()),
            (Table::ObservationPeriod, period),
        ])
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let persons = Persons::of(&self.name, view.shard)?;
        let periods = view.observation_periods(&self.name)?;
        let mut tallies = Tallies::new();
        for &target in &self.targets {
            for person in view.persons_in(target) {
                for time in &self.times_at_risk {
                    let eras = self.person_eras(view, person, target, time, &periods.of(person));
                    let key = |subgroup| TargetKey { target, time_at_risk: time.id, subgroup };
                    self.count_person(view, &persons, (person, key(0)), &eras, &mut tallies);
                    for subgroup in &self.subgroups {
                        let members = view.rows_of(subgroup.cohort, person);
                        let inside: Vec<Interval> = eras
                            .iter()
                            .copied()
                            .filter(|era| {
                                members.iter().any(|row| row.interval.contains(era.start))
                            })
                            .collect();
                        let key = key(subgroup.id);
                        self.count_person(view, &persons, (person, key), &inside, &mut tallies);
                    }
                }
            }
        }
        Ok(self.partial(tallies))
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (key, counts) in later.risk {
            let total = into.risk.entry(key).or_default();
            total.persons += counts.persons;
            total.days += counts.days;
        }
        for (key, counts) in later.outcomes {
            let total = into.outcomes.entry(key).or_default();
            total.excluded_persons += counts.excluded_persons;
            total.excluded_days += counts.excluded_days;
            total.persons_before += counts.persons_before;
            total.persons += counts.persons;
            total.outcomes_before += counts.outcomes_before;
            total.outcomes += counts.outcomes;
        }
    }

    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        table::tables(self, &merged)
    }
}
