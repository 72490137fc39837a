//! What a run found, in a few lines.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use farr_analysis::{IncidenceSettings, RegressionSettings, Settings};
use farr_disclosure::{AggregateTable, Document, Labelled, Level, Node};
use farr_records::Day;

use crate::job_file::JobFile;
use crate::number;

/// The cohorts' sizes and the main estimates, read off the tables as they are
/// written, so that nothing is shown that the reports withhold.
pub(crate) fn lines<L: Level>(
    job: &JobFile,
    tables: &[Labelled<L, AggregateTable>],
    counts: &Document,
) -> Vec<String> {
    let mut lines = cohort_lines(counts);
    let batch = |name: &str| {
        let table = tables.iter().find(|table| table.get().name() == name);
        table.map(|table| table.get().batch())
    };
    for settings in &job.analysis {
        let name = settings.name();
        let found = match settings {
            Settings::Incidence(s) => batch(name).map(|batch| incidence_lines(batch, s)),
            Settings::Survival(_) | Settings::CumulativeIncidence(_) => {
                batch(&format!("{name}_summary")).map(survival_lines)
            }
            Settings::Prevalence(_) => batch(name).map(prevalence_lines),
            Settings::Regression(s) => batch(name).map(|batch| regression_lines(batch, s)),
            Settings::Attrition(_) | Settings::Characteristics(_) | Settings::Overlap(_) => None,
        };
        for line in found.into_iter().flatten() {
            lines.push(format!("{name}: {line}"));
        }
    }
    lines
}

fn cohort_lines(counts: &Document) -> Vec<String> {
    let cohorts = counts.entries().iter().find(|(key, _)| key == "cohorts").map(|(_, node)| node);
    let Some(Node::List(cohorts)) = cohorts else { return Vec::new() };
    let line = |cohort: &Node| {
        let Node::Map(entries) = cohort else { return None };
        let part = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, node)| node);
        let (Some(Node::Integer(id)), Some(Node::Text(name))) =
            (part("cohort_definition_id"), part("name"))
        else {
            return None;
        };
        let Some(Node::Count(persons)) = part("n_persons") else { return None };
        Some(match persons.number() {
            Some(1) => format!("cohort {id} '{name}': 1 person"),
            Some(persons) => format!("cohort {id} '{name}': {} persons", number(persons)),
            None => format!("cohort {id} '{name}': withheld"),
        })
    };
    cohorts.iter().filter_map(line).collect()
}

fn integer(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn real(batch: &RecordBatch, column: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(column)?.as_primitive_opt::<Float64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn day(batch: &RecordBatch, column: &str, row: usize) -> Option<Day> {
    let column = batch.column_by_name(column)?.as_primitive_opt::<Date32Type>()?;
    column.is_valid(row).then(|| Day(column.value(row)))
}

/// The rows of all strata and subgroups together.
fn incidence_lines(batch: &RecordBatch, settings: &IncidenceSettings) -> Vec<String> {
    let level = settings.confidence_level * 100.0;
    let is_total = |row: &usize| {
        let strata = ["age_group_id", "gender_id", "start_year"];
        strata.iter().all(|key| integer(batch, key, *row).is_none())
            && integer(batch, "subgroup_id", *row) == Some(0)
    };
    let line = |row: usize| {
        let target = integer(batch, "target_cohort_definition_id", row)?;
        let outcome = integer(batch, "outcome_id", row)?;
        let mut about = format!("cohort {target}, outcome {outcome}");
        if settings.time_at_risk.len() > 1 {
            let id = integer(batch, "tar_id", row)?;
            about = format!("{about}, time at risk {id}");
        }
        let rate = |end: &str| real(batch, &format!("incidence_rate_p100py{end}"), row);
        let (Some(rate), Some(lower), Some(upper)) = (rate(""), rate("_lower"), rate("_upper"))
        else {
            return Some(format!("{about}: no rate (nobody at risk, or withheld)"));
        };
        let outcomes = match integer(batch, "outcomes", row).unwrap_or_default() {
            1 => "1 outcome".to_owned(),
            n => format!("{} outcomes", number(n.unsigned_abs())),
        };
        Some(format!(
            "{about}: {rate:.2} per 100 person-years ({level} % {lower:.2} to {upper:.2}), {outcomes}"
        ))
    };
    (0..batch.num_rows()).filter(is_total).filter_map(line).collect()
}

/// The rows of all strata together.
fn survival_lines(batch: &RecordBatch) -> Vec<String> {
    let is_total = |row: &usize| {
        let strata = ["gender_id", "age_group", "start_year"];
        let is_null = |key: &&str| batch.column_by_name(key).is_none_or(|c| c.is_null(*row));
        strata.iter().all(is_null)
    };
    let line = |row: usize| {
        let target = integer(batch, "target_cohort_definition_id", row)?;
        let count = |column| {
            integer(batch, column, row)
                .map_or_else(|| "withheld".to_owned(), |n| number(n.unsigned_abs()))
        };
        let median = real(batch, "median_days", row);
        let median = median.map_or_else(String::new, |days| format!(", median {days:.0} days"));
        Some(format!(
            "cohort {target}: {} followed, {} with the outcome{median}",
            count("n_entries"),
            count("n_event")
        ))
    };
    (0..batch.num_rows()).filter(is_total).filter_map(line).collect()
}

/// The last interval of each kind, of both sexes and all ages.
fn prevalence_lines(batch: &RecordBatch) -> Vec<String> {
    let is_total = |row: &usize| {
        ["gender_id", "age_group"]
            .iter()
            .all(|key| batch.column_by_name(key).is_none_or(|c| c.is_null(*row)))
    };
    let mut last: BTreeMap<_, usize> = BTreeMap::new();
    for row in (0..batch.num_rows()).filter(is_total) {
        let id = |column| integer(batch, column, row);
        let kind = text(batch, "analysis_interval", row).unwrap_or_default();
        let key = (id("target_cohort_definition_id"), id("outcome_cohort_definition_id"), kind);
        let start = |row| day(batch, "prevalence_start_date", row);
        let known = last.entry(key).or_insert(row);
        if start(row) > start(*known) {
            *known = row;
        }
    }
    let line = |((target, outcome, kind), row): ((Option<i64>, Option<i64>, String), usize)| {
        let among = target.map_or_else(|| "everybody".to_owned(), |id| format!("cohort {id}"));
        let start = day(batch, "prevalence_start_date", row)?;
        let value = |column| real(batch, column, row);
        let bounds = (value("prevalence_lower"), value("prevalence_upper"));
        let found = match (value("prevalence"), bounds) {
            (Some(share), (Some(lower), Some(upper))) => {
                format!("{:.2} % ({:.2} to {:.2})", share * 100.0, lower * 100.0, upper * 100.0)
            }
            _ => "no number (nobody there, or withheld)".to_owned(),
        };
        Some(format!("{among}, outcome {}, {kind} from {start}: {found}", outcome?))
    };
    last.into_iter().filter_map(line).collect()
}

/// The model, then its terms.
fn regression_lines(batch: &RecordBatch, settings: &RegressionSettings) -> Vec<String> {
    let level = settings.confidence_level * 100.0;
    let count = |column, row| {
        integer(batch, column, row)
            .map_or_else(|| "withheld".to_owned(), |n| number(n.unsigned_abs()))
    };
    let line = |row: usize| {
        let outcome = text(batch, "outcome", row).unwrap_or_else(|| "withheld".to_owned());
        let Some(term) = text(batch, "term", row) else {
            let (persons, events) = (count("n_persons", row), count("n_event", row));
            return format!("{persons} persons, {events} with the outcome: {outcome}");
        };
        let value = |column| real(batch, column, row);
        match (value("ratio"), value("ratio_lower"), value("ratio_upper")) {
            (Some(ratio), Some(lower), Some(upper)) => {
                format!("{term}: {ratio:.3} ({level} % {lower:.3} to {upper:.3})")
            }
            _ => format!("{term}: {outcome}"),
        }
    };
    (0..batch.num_rows()).map(line).collect()
}
