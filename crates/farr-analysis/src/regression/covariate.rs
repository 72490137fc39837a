//! One covariate: what is read for it, and each person's value.

use arrow::array::{Array, Int64Array};
use farr_records::{Day, Table, TableRows};
use farr_stats::charlson::{ComorbidityIndex, Condition, HIERARCHY, QuanWeights, quan_icd10};

use crate::age::{AgeGroup, Persons, check_breaks};
use crate::{
    AgeMethod, CharacteristicsDomain, CharlsonCondition, CharlsonCovariate, CharlsonWeights,
    CohortRow, CovariateSettings, Error, MissingValue, Needs, ShardView,
};

/// A covariate, checked.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) age: AgeMethod,
}

/// From what a covariate is taken.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Age divided by so many years.
    Age {
        per_years: f64,
    },
    /// The place of an age group; `reference` is that of the one compared with.
    AgeGroup {
        groups: Vec<AgeGroup>,
        reference: usize,
    },
    /// The concept, as a number.
    Sex {
        reference: i64,
    },
    Cohort {
        cohort: i64,
        window: (i32, i32),
    },
    Concept {
        domain: CharacteristicsDomain,
        concepts: Vec<i64>,
        window: (i32, i32),
    },
    Visits {
        concepts: Vec<i64>,
        window: (i32, i32),
    },
    Measurement {
        concepts: Vec<i64>,
        window: (i32, i32),
        missing: MissingValue,
    },
    Charlson {
        index: Box<ComorbidityIndex>,
        window: (i32, i32),
    },
}

/// Records of a domain, by their day.
struct Records<'a> {
    rows: &'a TableRows,
    days: &'a arrow::array::Date32Array,
}

impl Source {
    /// Checks a covariate.
    pub(super) fn new(
        analysis: &str,
        settings: &CovariateSettings,
        age: AgeMethod,
    ) -> Result<Self, Error> {
        let failed = |name: &str, reason: &str| Error::Settings {
            analysis: analysis.to_owned(),
            key: "covariates",
            reason: format!("'{name}': {reason}"),
        };
        let window = |name: &str, window: (i32, i32)| {
            let reason = "the window ends before it starts; expected like [-365, -1]";
            if window.0 <= window.1 { Ok(window) } else { Err(failed(name, reason)) }
        };
        let named = |name: &str, concepts: &[i64]| {
            let mut sorted = concepts.to_vec();
            sorted.sort_unstable();
            if sorted.is_empty() { Err(failed(name, "expected concept ids")) } else { Ok(sorted) }
        };
        let (name, kind) = match settings {
            CovariateSettings::Age(c) => {
                if !(c.per_years.is_finite() && c.per_years > 0.0) {
                    return Err(failed(&c.name, "per_years is not above 0"));
                }
                (&c.name, Kind::Age { per_years: c.per_years })
            }
            CovariateSettings::AgeGroup(c) => {
                check_breaks(analysis, &c.age_breaks)?;
                let groups = AgeGroup::between(&c.age_breaks);
                let reference = match &c.reference {
                    None => Some(0),
                    Some(group) => groups.iter().position(|g| g.name() == *group),
                };
                let reference = reference
                    .ok_or_else(|| failed(&c.name, "the reference is none of the groups"))?;
                (&c.name, Kind::AgeGroup { groups, reference })
            }
            CovariateSettings::Sex(c) => (&c.name, Kind::Sex { reference: c.reference }),
            CovariateSettings::Cohort(c) => {
                (&c.name, Kind::Cohort { cohort: c.cohort, window: window(&c.name, c.window)? })
            }
            CovariateSettings::Concept(c) => (
                &c.name,
                Kind::Concept {
                    domain: c.domain,
                    concepts: named(&c.name, &c.concepts)?,
                    window: window(&c.name, c.window)?,
                },
            ),
            CovariateSettings::Visits(c) => {
                let mut concepts = c.concepts.clone();
                concepts.sort_unstable();
                (&c.name, Kind::Visits { concepts, window: window(&c.name, c.window)? })
            }
            CovariateSettings::Measurement(c) => (
                &c.name,
                Kind::Measurement {
                    concepts: named(&c.name, &c.concepts)?,
                    window: window(&c.name, c.window)?,
                    missing: c.missing,
                },
            ),
            CovariateSettings::Charlson(c) => {
                let conditions = conditions_of(c);
                let has = |name: &str| conditions.iter().any(|c| c.name == name);
                let hierarchy: Vec<(&str, &str)> = HIERARCHY
                    .into_iter()
                    .filter(|(milder, severer)| has(milder) && has(severer))
                    .collect();
                let index = ComorbidityIndex::new(&conditions, &hierarchy)
                    .map_err(|e| failed(&c.name, &e.to_string()))?;
                let window = window(&c.name, c.window)?;
                (&c.name, Kind::Charlson { index: Box::new(index), window })
            }
        };
        Ok(Self { name: name.clone(), kind, age })
    }

    /// What must be read of the records.
    pub(super) fn add_needs(&self, needs: &mut Needs) {
        let (table, columns) = match &self.kind {
            Kind::Age { .. } | Kind::AgeGroup { .. } | Kind::Sex { .. } | Kind::Cohort { .. } => {
                return;
            }
            Kind::Concept { domain, .. } => (domain.table(), vec![domain.concept_column()]),
            Kind::Visits { .. } => (Table::VisitOccurrence, vec!["visit_concept_id"]),
            Kind::Measurement { .. } => {
                (Table::Measurement, vec!["measurement_concept_id", "value_as_number"])
            }
            Kind::Charlson { .. } => (Table::ConditionOccurrence, vec!["condition_source_value"]),
        };
        let needed = needs.entry(table).or_default();
        needed.extend(table.start_column());
        needed.extend(columns);
    }

    /// Each entry's value; NaN where missing.
    pub(super) fn values(
        &self,
        analysis: &str,
        view: &ShardView<'_>,
        entries: &[CohortRow],
    ) -> Result<Vec<f64>, Error> {
        let flag = |is_so: bool| f64::from(u8::from(is_so));
        Ok(match &self.kind {
            Kind::Age { .. } | Kind::AgeGroup { .. } | Kind::Sex { .. } => {
                let persons = Persons::of(analysis, view.shard)?;
                entries.iter().map(|entry| self.of_person(&persons, entry)).collect()
            }
            Kind::Cohort { cohort, window } => {
                let is_in = |entry: &CohortRow| {
                    let (first, last) = days_of(entry, *window);
                    let rows = view.rows_of(*cohort, entry.person).iter();
                    flag(rows.map(|row| row.interval).any(|i| i.start <= last && i.end >= first))
                };
                entries.iter().map(is_in).collect()
            }
            Kind::Concept { domain, concepts, window } => {
                let counts = count(analysis, view, (*domain, concepts), *window, entries)?;
                counts.into_iter().map(|n| flag(n > 0)).collect()
            }
            Kind::Visits { concepts, window } => {
                let of = (CharacteristicsDomain::Visit, concepts.as_slice());
                let counts = count(analysis, view, of, *window, entries)?;
                counts.into_iter().map(|n| n as f64).collect()
            }
            Kind::Measurement { concepts, window, .. } => {
                latest(analysis, view, concepts, *window, entries)?
            }
            Kind::Charlson { index, window } => {
                scores(analysis, view, (&self.name, index), *window, entries)?
            }
        })
    }

    fn of_person(&self, persons: &Persons<'_>, entry: &CohortRow) -> f64 {
        let age = persons.age(entry.person, entry.interval.start, self.age);
        match &self.kind {
            Kind::Age { per_years } => age.map_or(f64::NAN, |age| f64::from(age) / per_years),
            Kind::AgeGroup { groups, .. } => age
                .and_then(|age| groups.iter().position(|group| group.contains(age)))
                .map_or(f64::NAN, |place| place as f64),
            // Concept ids are far below 2^53, where f64 is exact.
            _ => persons.gender(entry.person) as f64,
        }
    }
}

/// The conditions of a comorbidity index: those named, or Quan's.
fn conditions_of(covariate: &CharlsonCovariate) -> Vec<Condition> {
    if covariate.conditions.is_empty() {
        return quan_icd10(match covariate.weights {
            CharlsonWeights::Charlson => QuanWeights::Charlson,
            CharlsonWeights::Quan => QuanWeights::Quan,
        });
    }
    let condition = |named: &CharlsonCondition| Condition {
        name: named.name.clone(),
        weight: named.weight,
        prefixes: named.prefixes.clone(),
    };
    covariate.conditions.iter().map(condition).collect()
}

/// First and last day of an entry's window.
fn days_of(entry: &CohortRow, window: (i32, i32)) -> (Day, Day) {
    let index = entry.interval.start;
    (index.plus(window.0), index.plus(window.1))
}

/// The records of a table; `None` where the store has no such table.
fn records<'a>(
    analysis: &str,
    view: &ShardView<'a>,
    table: Table,
) -> Result<Option<Records<'a>>, Error> {
    let Some(rows) = view.shard.table(table) else { return Ok(None) };
    let column = table.start_column().unwrap_or_default();
    let days = rows.days(column).ok_or_else(|| missing(analysis, table, column))?;
    Ok(Some(Records { rows, days }))
}

fn missing(analysis: &str, table: Table, column: &'static str) -> Error {
    Error::Missing { analysis: analysis.to_owned(), table, column }
}

impl Records<'_> {
    /// The rows of an entry that start in its window, by day.
    fn within(&self, entry: &CohortRow, window: (i32, i32)) -> impl Iterator<Item = usize> {
        let (first, last) = days_of(entry, window);
        self.rows.rows_of(entry.person as usize).filter(move |row| {
            let day = Day(self.days.value(*row));
            self.days.is_valid(*row) && first <= day && day <= last
        })
    }
}

fn is_one_of(column: &Int64Array, row: usize, concepts: &[i64]) -> bool {
    column.is_valid(row) && concepts.binary_search(&column.value(row)).is_ok()
}

/// How many records of a domain have one of the concepts (any, if none is
/// named) in the window.
fn count(
    analysis: &str,
    view: &ShardView<'_>,
    (domain, concepts): (CharacteristicsDomain, &[i64]),
    window: (i32, i32),
    entries: &[CohortRow],
) -> Result<Vec<usize>, Error> {
    let (table, column) = (domain.table(), domain.concept_column());
    let Some(records) = records(analysis, view, table)? else { return Ok(vec![0; entries.len()]) };
    let column = records.rows.integers(column).ok_or_else(|| missing(analysis, table, column))?;
    let is_counted = |row: &usize| concepts.is_empty() || is_one_of(column, *row, concepts);
    Ok(entries.iter().map(|e| records.within(e, window).filter(is_counted).count()).collect())
}

/// The latest value in the window; of several on that day, the one of the
/// highest id. Rows lie by day, then id.
fn latest(
    analysis: &str,
    view: &ShardView<'_>,
    concepts: &[i64],
    window: (i32, i32),
    entries: &[CohortRow],
) -> Result<Vec<f64>, Error> {
    let table = Table::Measurement;
    let Some(records) = records(analysis, view, table)? else {
        return Ok(vec![f64::NAN; entries.len()]);
    };
    let (concept, value) = ("measurement_concept_id", "value_as_number");
    let column = records.rows.integers(concept).ok_or_else(|| missing(analysis, table, concept))?;
    let values = records.rows.numbers(value).ok_or_else(|| missing(analysis, table, value))?;
    let usable = |row: &usize| {
        let is_number = values.is_valid(*row) && values.value(*row).is_finite();
        is_number && is_one_of(column, *row, concepts)
    };
    let last = |entry: &CohortRow| records.within(entry, window).filter(usable).last();
    Ok(entries.iter().map(|e| last(e).map_or(f64::NAN, |row| values.value(row))).collect())
}

/// The comorbidity score of the condition codes in the window.
fn scores(
    analysis: &str,
    view: &ShardView<'_>,
    (name, index): (&str, &ComorbidityIndex),
    window: (i32, i32),
    entries: &[CohortRow],
) -> Result<Vec<f64>, Error> {
    let (table, column) = (Table::ConditionOccurrence, "condition_source_value");
    let Some(records) = records(analysis, view, table)? else {
        return Ok(vec![0.0; entries.len()]);
    };
    let codes = records.rows.texts(column).ok_or_else(|| missing(analysis, table, column))?;
    let score = |entry: &CohortRow| {
        let rows = records.within(entry, window).filter(|row| codes.is_valid(*row));
        // The plain score does not use age.
        index.score(rows.map(|row| codes.value(row)), 0.0).map(|score| score.score)
    };
    entries.iter().map(score).collect::<Result<Vec<f64>, _>>().map_err(|e| Error::Kernel {
        analysis: analysis.to_owned(),
        reason: format!("covariate '{name}': {e}"),
    })
}
