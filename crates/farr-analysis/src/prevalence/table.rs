//! The reports of `prevalence`: one row an interval, outcome, sex and age
//! group; and who was left out of the denominator.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array};
use farr_disclosure::{AggregateTable, CellReference, TableBuilder, Term};
use farr_records::Interval;
use farr_stats::proportion;

use super::calendar::Window;
use super::tally::Counts;
use super::{Key, Membership, Partial, Prevalence, SEXES, standardised};
use crate::overlap::persons_of;
use crate::{CalendarInterval, Error};

/// One row of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) outcome: i64,
    /// The days that are observed.
    pub(super) days: Interval,
    pub(super) persons: i64,
    pub(super) cases: i64,
}

pub(super) fn tables(
    analysis: &Prevalence,
    merged: &Partial,
) -> Result<Vec<AggregateTable>, Error> {
    let rows = rows(analysis, merged);
    let failed = |source| Error::Table { analysis: analysis.settings.name.clone(), source };
    let mut tables = vec![prevalence(analysis, &rows)?];
    if !analysis.weights.is_empty() {
        tables.push(standardised::table(analysis, &rows)?);
    }
    tables.push(persons(analysis, merged).map_err(failed)?);
    Ok(tables)
}

/// Intervals of a denominator that are reported, with the days observed.
fn observed(
    analysis: &Prevalence,
    interval: CalendarInterval,
    extent: Interval,
) -> Vec<(i32, Interval)> {
    let window = analysis.window;
    let complete = analysis.settings.complete_database_intervals
        && window == Window::All
        && interval != CalendarInterval::Overall;
    let range = if complete { interval.covered(extent) } else { interval.touched(extent, window) };
    let Some((first, last)) = range else { return Vec::new() };
    (first..=last)
        .filter_map(|number| {
            let days = interval.window(number, window).intersect(extent)?;
            Some((number, days))
        })
        .collect()
}

/// Every target, interval, outcome, sex and age group, empty ones too.
fn rows(analysis: &Prevalence, merged: &Partial) -> Vec<Row> {
    let genders: Vec<Option<i64>> = if analysis.by_sex {
        [None].into_iter().chain(SEXES.map(Some)).collect()
    } else {
        vec![None]
    };
    let ages: Vec<Option<usize>> =
        [None].into_iter().chain((0..analysis.age_groups.len()).map(Some)).collect();
    let mut rows = Vec::new();
    for (&target, &extent) in &merged.extents {
        for &interval in &analysis.intervals {
            let observed = observed(analysis, interval, extent);
            for &gender in &genders {
                for &age in &ages {
                    let key = Key { target, interval, gender, age };
                    let none =
                        Counts { persons: 0, cases: vec![0; analysis.settings.outcomes.len()] };
                    let counts = merged
                        .tallies
                        .get(&key)
                        .map_or_else(|| vec![none; observed.len()], |t| t.of(&observed));
                    for ((_, days), counts) in observed.iter().zip(counts) {
                        let persons = counts.persons;
                        let outcomes = analysis.settings.outcomes.iter().zip(counts.cases);
                        rows.extend(outcomes.map(|(outcome, cases)| Row {
                            key,
                            outcome: *outcome,
                            days: *days,
                            persons,
                            cases,
                        }));
                    }
                }
            }
        }
    }
    rows
}

/// The name of a row's quantity, by which tables and intervals of the same
/// days agree.
#[expect(clippy::unnecessary_wraps, reason = "what `quantities` takes")]
pub(super) fn quantity(analysis: &Prevalence, row: &Row, outcome: Option<i64>) -> Option<String> {
    let Key { target, gender, age, .. } = row.key;
    let days = row.days;
    let name = &analysis.settings.name;
    Some(format!("{name}/{target:?}/{gender:?}/{age:?}/{days:?}/{outcome:?}"))
}

/// The key columns of rows.
pub(super) fn keys(table: TableBuilder, rows: &[&Row]) -> TableBuilder {
    let day = |of: fn(&Interval) -> i32| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| of(&row.days))))
    };
    let column =
        |of: fn(&Row) -> Option<i64>| rows.iter().map(|row| of(row)).collect::<Vec<Option<i64>>>();
    table
        .key("target_cohort_definition_id", "Target cohort; null: everybody observed.", {
            column(|row| row.key.target)
        })
        .key("outcome_cohort_definition_id", "Outcome cohort.", column(|row| Some(row.outcome)))
        .key("analysis_interval", "weeks, months, quarters, years or overall.", {
            rows.iter().map(|row| row.key.interval.name()).collect::<Vec<&str>>()
        })
        .key("prevalence_start_date", "First day observed.", day(|days| days.start.0))
        .key("prevalence_end_date", "Last day observed.", day(|days| days.end.0))
        .key("gender_id", "`gender_concept_id`; null: both.", column(|row| row.key.gender))
}

fn prevalence(analysis: &Prevalence, rows: &[Row]) -> Result<AggregateTable, Error> {
    let settings = &analysis.settings;
    let mut estimates: [Vec<Option<f64>>; 3] = Default::default();
    for row in rows {
        let estimate = (row.persons > 0).then(|| {
            let (cases, persons) = (row.cases as u64, row.persons as u64);
            proportion::wilson(cases, persons, settings.confidence_level)
        });
        let estimate = estimate.transpose().map_err(|e| Error::Kernel {
            analysis: settings.name.clone(),
            reason: e.to_string(),
        })?;
        let values = estimate.map(|e| [e.estimate, e.lower, e.upper]);
        for (place, column) in estimates.iter_mut().enumerate() {
            column.push(values.map(|values| values[place]));
        }
    }
    let [estimate, lower, upper] = estimates;
    let age = |row: &Row| row.key.age.and_then(|age| analysis.age_groups.get(age));
    let (persons, cases) = ("denominator_count", "outcome_count");
    let borrowed: Vec<&Row> = rows.iter().collect();
    let table = AggregateTable::build(
        &settings.name,
        "Prevalence by calendar interval, as DARWIN EU's IncidencePrevalence defines it.",
    );
    let mut table = keys(table, &borrowed)
        .key("age_group", "Ages in years; null: all.", {
            rows.iter().map(|row| age(row).map(|group| group.name())).collect::<Vec<_>>()
        })
        .count(persons, "Persons in the denominator.", "persons", {
            rows.iter().map(|row| row.persons).collect::<Vec<i64>>()
        })
        .count(cases, "Persons of them with the outcome.", "persons", {
            rows.iter().map(|row| row.cases).collect::<Vec<i64>>()
        })
        .derived("prevalence", "outcome_count / denominator_count.", "", estimate)
        .derived("prevalence_lower", "Wilson's lower bound.", "", lower)
        .derived("prevalence_upper", "Wilson's upper bound.", "", upper)
        .row_part(cases, persons)
        .total_over("gender_id", &[persons, cases])
        .quantities(persons, rows.iter().map(|row| quantity(analysis, row, None)).collect())
        .quantities(cases, {
            rows.iter().map(|row| quantity(analysis, row, Some(row.outcome))).collect()
        });
    if analysis.window != Window::All {
        // On one day a person has one age.
        table = table.total_over("age_group", &[persons, cases]);
    } else if !analysis.is_full() {
        table = table.union_over("age_group", &[persons, cases]);
    } else {
        // Those who have a birthday between groups are in none of them.
        for terms in ages_and_rest(rows, &[persons, cases]) {
            table = table.sum(terms);
        }
    }
    table.finish().map_err(|source| Error::Table { analysis: settings.name.clone(), source })
}

/// For each row of all ages: it is the rows of the age groups and a rest.
fn ages_and_rest(rows: &[Row], columns: &[&str]) -> Vec<Vec<Term>> {
    let whole = |row: &Row| (Key { age: None, ..row.key }, row.outcome, row.days);
    let mut parts: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.key.age.is_some()) {
        parts.entry(whole(row)).or_default().push(place);
    }
    let mut relations = Vec::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.key.age.is_none()) {
        let Some(parts) = parts.get(&whole(row)) else { continue };
        for column in columns {
            let term = |sign: i8, row: usize| {
                let cell = CellReference::Cell { column: (*column).to_owned(), row };
                Term { sign, cell }
            };
            let mut terms = vec![term(1, place)];
            terms.extend(parts.iter().map(|part| term(-1, *part)));
            terms.push(Term { sign: -1, cell: CellReference::Hidden });
            relations.push(terms);
        }
    }
    relations
}

/// Who is left out of the denominator.
fn persons(
    analysis: &Prevalence,
    merged: &Partial,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let targets: Vec<(Option<i64>, Membership)> = analysis
        .targets
        .iter()
        .map(|target| (*target, merged.persons.get(target).copied().unwrap_or_default()))
        .collect();
    let count =
        |of: fn(&Membership) -> i64| targets.iter().map(|(_, m)| of(m)).collect::<Vec<i64>>();
    let kept = |m: &Membership| m.all - m.without_time - m.without_birth - m.without_sex;
    let parts = ["n_denominator", "n_without_time", "n_without_birth_year", "n_without_sex"];
    let name = format!("{}_persons", analysis.settings.name);
    AggregateTable::build(&name, "Who is in the denominators of prevalence, and who is left out.")
        .key("target_cohort_definition_id", "Target cohort; null: everybody observed.", {
            targets.iter().map(|(target, _)| *target).collect::<Vec<Option<i64>>>()
        })
        .count(
            "n_persons",
            "Persons of the target, or of the records.",
            "persons",
            count(|m| m.all),
        )
        .count(parts[0], "Persons with a day in the denominator.", "persons", count(kept))
        .count(parts[1], "Without observation, enough of it before, or in the study.", "persons", {
            count(|m| m.without_time)
        })
        .count(parts[2], "Of the rest, without a year of birth.", "persons", {
            count(|m| m.without_birth)
        })
        .count(parts[3], "Of the rest, neither 8507 nor 8532.", "persons", {
            count(|m| m.without_sex)
        })
        .row_sum("n_persons", &parts)
        .quantities("n_persons", targets.iter().map(|(target, _)| target.map(persons_of)).collect())
        .finish()
}
