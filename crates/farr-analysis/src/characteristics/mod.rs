//! Table 1: age, sex, and records in windows around the index date.
//!
//! Each person counts once, by their first entry. A window counts the records
//! that start in it, both ends included.

mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::Array;
use farr_disclosure::AggregateTable;
use farr_records::{Day, Table};
use serde::{Deserialize, Serialize};

use crate::age::{AgeGroup, Persons, check_breaks, person_columns};
use crate::error::check_each_once;
use crate::{
    AgeMethod, Analysis, CharacteristicsDomain, CharacteristicsSettings, CohortRow, Concepts,
    Error, Needs, ShardView,
};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Characteristics {
    name: String,
    cohorts: Vec<i64>,
    windows: Vec<(i32, i32)>,
    domains: Vec<CharacteristicsDomain>,
    age_groups: Vec<AgeGroup>,
    age: AgeMethod,
    persons_min: i64,
}

/// A 0/1 variable of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Variable {
    /// Age in years: the one that is a number.
    Age,
    /// `gender_concept_id`.
    Sex(i64),
    /// The place of an age group.
    AgeGroup(usize),
    /// A record with the concept in the window of that place.
    Concept { domain: CharacteristicsDomain, window: usize, concept: i64 },
}

/// Counts of one cohort.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Cohort {
    persons: i64,
    /// Persons by age in years.
    ages: BTreeMap<i32, i64>,
    counts: BTreeMap<Variable, i64>,
}

/// Counts by cohort.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    cohorts: BTreeMap<i64, Cohort>,
}

impl CharacteristicsDomain {
    pub(crate) fn table(self) -> Table {
        match self {
            Self::Condition => Table::ConditionOccurrence,
            Self::Drug => Table::DrugExposure,
            Self::Procedure => Table::ProcedureOccurrence,
            Self::Measurement => Table::Measurement,
            Self::Observation => Table::Observation,
            Self::Device => Table::DeviceExposure,
            Self::Visit => Table::VisitOccurrence,
        }
    }

    pub(crate) fn concept_column(self) -> &'static str {
        match self {
            Self::Condition => "condition_concept_id",
            Self::Drug => "drug_concept_id",
            Self::Procedure => "procedure_concept_id",
            Self::Measurement => "measurement_concept_id",
            Self::Observation => "observation_concept_id",
            Self::Device => "device_concept_id",
            Self::Visit => "visit_concept_id",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Drug => "drug",
            Self::Procedure => "procedure",
            Self::Measurement => "measurement",
            Self::Observation => "observation",
            Self::Device => "device",
            Self::Visit => "visit",
        }
    }
}

impl Characteristics {
    /// Checks the settings.
    pub(crate) fn new(
        settings: &CharacteristicsSettings,
        cohorts: Vec<i64>,
    ) -> Result<Self, Error> {
        check_breaks(&settings.name, &settings.age_breaks)?;
        if let Some((start, end)) = settings.windows.iter().find(|(start, end)| start > end) {
            return Err(Error::Settings {
                analysis: settings.name.clone(),
                key: "windows",
                reason: format!("[{start}, {end}] ends before it starts; expected like [-365, -1]"),
            });
        }
        check_each_once(&settings.name, "windows", &settings.windows)?;
        let mut domains = settings.domains.clone();
        domains.sort_unstable();
        domains.dedup();
        Ok(Self {
            name: settings.name.clone(),
            cohorts,
            windows: settings.windows.clone(),
            domains,
            age_groups: AgeGroup::between(&settings.age_breaks),
            age: settings.age,
            persons_min: i64::try_from(settings.persons_min).unwrap_or(i64::MAX),
        })
    }

    /// First entries, by person.
    fn first_entries<'a>(view: &ShardView<'a>, cohort: i64) -> Vec<&'a CohortRow> {
        let mut last = None;
        let rows = view.cohort(cohort).iter();
        rows.filter(|row| last.replace(row.person) != Some(row.person)).collect()
    }

    /// Persons of the entries with each concept of a domain in each window.
    /// `seen` holds, for each (window, concept), the last person counted, so
    /// that nobody counts twice; records lie by person.
    fn count_domain(
        &self,
        view: &ShardView<'_>,
        entries: &[&CohortRow],
        domain: CharacteristicsDomain,
        into: &mut Cohort,
    ) -> Result<(), Error> {
        let table = domain.table();
        // A store without the table has no records of the domain.
        let Some(rows) = view.shard.table(table) else { return Ok(()) };
        let missing = |column| Error::Missing { analysis: self.name.clone(), table, column };
        let start = table.start_column().unwrap_or_default();
        let concepts = rows
            .integers(domain.concept_column())
            .ok_or_else(|| missing(domain.concept_column()))?;
        let days = rows.days(start).ok_or_else(|| missing(start))?;
        let mut seen: HashMap<(usize, i64), (u32, i64)> = HashMap::new();
        let (Some(earliest), Some(latest)) = (
            self.windows.iter().map(|(first, _)| *first).min(),
            self.windows.iter().map(|(_, last)| *last).max(),
        ) else {
            return Ok(());
        };
        for entry in entries {
            let day_of = |row: usize| Day(days.value(row)).days_since(entry.interval.start);
            let mine = rows.rows_of(entry.person as usize);
            // They lie by start date, those without one first.
            let is_before = |row: &usize| days.is_null(*row) || day_of(*row) < earliest;
            for row in mine.skip_while(is_before).take_while(|row| day_of(*row) <= latest) {
                if concepts.is_null(row) {
                    continue;
                }
                let day = day_of(row);
                for (window, (first, last)) in self.windows.iter().enumerate() {
                    if !(*first..=*last).contains(&day) {
                        continue;
                    }
                    let known = seen.entry((window, concepts.value(row)));
                    let (person, count) = known.or_insert((u32::MAX, 0));
                    if *person != entry.person {
                        *person = entry.person;
                        *count += 1;
                    }
                }
            }
        }
        into.counts.extend(seen.into_iter().map(|((window, concept), (_, count))| {
            (Variable::Concept { domain, window, concept }, count)
        }));
        Ok(())
    }
}

impl Analysis for Characteristics {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let mut needs = BTreeMap::from([(Table::Person, person_columns(self.age))]);
        for domain in &self.domains {
            let table = domain.table();
            let columns = [Some(domain.concept_column()), table.start_column()];
            needs.insert(table, columns.into_iter().flatten().collect());
        }
        needs
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let persons = Persons::of(&self.name, view.shard)?;
        let mut partial = Partial::default();
        for &id in &self.cohorts {
            let entries = Self::first_entries(view, id);
            let mut cohort = Cohort { persons: entries.len() as i64, ..Cohort::default() };
            for entry in &entries {
                let sex = Variable::Sex(persons.gender(entry.person));
                *cohort.counts.entry(sex).or_default() += 1;
                let age = persons.age(entry.person, entry.interval.start, self.age);
                let Some(age) = age else { continue };
                *cohort.ages.entry(age).or_default() += 1;
                if let Some(group) = self.age_groups.iter().position(|g| g.contains(age)) {
                    *cohort.counts.entry(Variable::AgeGroup(group)).or_default() += 1;
                }
            }
            for &domain in &self.domains {
                self.count_domain(view, &entries, domain, &mut cohort)?;
            }
            partial.cohorts.insert(id, cohort);
        }
        Ok(partial)
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (id, cohort) in later.cohorts {
            let total = into.cohorts.entry(id).or_default();
            total.persons += cohort.persons;
            for (age, persons) in cohort.ages {
                *total.ages.entry(age).or_default() += persons;
            }
            for (variable, count) in cohort.counts {
                *total.counts.entry(variable).or_default() += count;
            }
        }
    }

    fn named(&self, merged: &Partial) -> BTreeSet<i64> {
        table::named(self, merged)
    }

    fn finish(&self, merged: Partial, concepts: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        table::tables(self, &merged, concepts)
    }
}
