//! `cargo xtask reference incidence DIR`: designs of OHDSI's CohortIncidence.
//!
//! A case is three files: `<name>_PREP.json` (tables before), `<name>Test.json`
//! (the design) and `<name>_VERIFY.json` (rows of `incidence_summary` after).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use farr_analysis::{
    AgeBreaks, AgeMethod, Anchor, AnchorSettings, CohortRow, CohortRows, Concepts,
    IncidenceSettings, OutcomeSettings, Settings, ShardView, Stratum, StudyWindowSettings,
    SubgroupSettings, TimeAtRiskSettings, analysis_of,
};
use farr_records::{Day, Interval, PersonId, Shard, ShardId, Table, sorted_by_person};
use serde_json::{Map, Value, json};

use super::stats::Tolerance;

type Row = Map<String, Value>;

/// Runs every case of `dir` and prints `N of M`; true if all agree.
pub fn run(dir: &Path, out: Option<&Path>) -> Result<bool, String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))? {
        let entry = entry.map_err(|e| format!("{}: {e}", dir.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix("_PREP.json").map(str::to_owned));
    }
    names.sort();
    if names.is_empty() {
        return Err(format!("{}: no cases (<name>_PREP.json)", dir.display()));
    }
    let mut agreed = 0;
    for name in &names {
        let read = |ending: &str| read_json(&dir.join(format!("{name}{ending}")));
        let given = read("_PREP.json").and_then(|tables| case(&tables, &read("Test.json")?))?;
        if let Some(out) = out {
            super::write_json(&out.join(format!("{name}_VERIFY.json")), &json!(given))?;
        }
        match compare(&read("_VERIFY.json")?, &given) {
            Ok(()) => agreed += 1,
            Err(difference) => println!("{name}: {difference}"),
        }
    }
    println!("{agreed} of {} cases agree", names.len());
    Ok(agreed == names.len())
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The rows of a table whatever its schema's name.
fn table<'a>(tables: &'a Value, name: &str) -> Vec<&'a Row> {
    let found = tables.as_object().and_then(|tables| {
        tables.iter().find(|(key, _)| key.rsplit('.').next() == Some(name)).map(|(_, rows)| rows)
    });
    found.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect()
}

fn integer(row: &Row, key: &str) -> Option<i64> {
    row.get(key).and_then(Value::as_i64)
}

fn day(row: &Row, key: &str) -> Result<Day, String> {
    let text = row.get(key).and_then(Value::as_str).unwrap_or_default();
    Day::parse(text.get(..10).unwrap_or(text)).ok_or_else(|| format!("'{key}' is no day"))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, String> {
    let field = |(name, array): &(&str, ArrayRef)| {
        let data_type: &DataType = array.data_type();
        Field::new(*name, data_type.clone(), true)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(schema), arrays).map_err(|e| e.to_string())
}

fn shard(tables: &Value) -> Result<Shard, String> {
    let integers = |rows: &[&Row], key: &str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| integer(row, key)).collect::<Int64Array>())
    };
    let days = |rows: &[&Row], key: &str| -> Result<ArrayRef, String> {
        let days = rows.iter().map(|row| day(row, key).map(|day| day.0));
        Ok(Arc::new(Date32Array::from(days.collect::<Result<Vec<i32>, String>>()?)))
    };
    let persons = table(tables, "person");
    let person_columns = ["person_id", "gender_concept_id", "year_of_birth"];
    let person = batch(person_columns.iter().map(|key| (*key, integers(&persons, key))).collect())?;
    let rows = table(tables, "observation_period");
    let (start, end) = ("observation_period_start_date", "observation_period_end_date");
    let periods = batch(vec![
        ("person_id", integers(&rows, "person_id")),
        ("observation_period_id", integers(&rows, "observation_period_id")),
        (start, days(&rows, start)?),
        (end, days(&rows, end)?),
    ])?;
    let mut sorted = BTreeMap::new();
    for (table, rows) in [(Table::Person, person), (Table::ObservationPeriod, periods)] {
        sorted.insert(table, sorted_by_person(table, &rows).map_err(|e| e.to_string())?);
    }
    let whole = ShardId::new(0, 1).ok_or("no shard")?;
    Shard::new(whole, sorted).map_err(|e| e.to_string())
}

fn cohorts(tables: &Value, shard: &Shard) -> Result<Vec<CohortRows>, String> {
    let mut by_id: BTreeMap<i64, Vec<CohortRow>> = BTreeMap::new();
    for row in table(tables, "cohort") {
        let person = integer(row, "subject_id").map(PersonId).and_then(|p| shard.place_of(p));
        let (Some(person), Some(id)) = (person, integer(row, "cohort_definition_id")) else {
            continue;
        };
        let ends = Interval::new(day(row, "cohort_start_date")?, day(row, "cohort_end_date")?);
        let interval = ends.ok_or("a cohort row ends before it starts")?;
        by_id.entry(id).or_default().push(CohortRow { person: person as u32, interval });
    }
    Ok(by_id
        .into_iter()
        .map(|(id, mut rows)| {
            rows.sort_unstable();
            CohortRows { id, rows }
        })
        .collect())
}

fn case(tables: &Value, design: &Value) -> Result<Vec<Row>, String> {
    let shard = shard(tables)?;
    let cohorts = cohorts(tables, &shard)?;
    let view = ShardView { shard: &shard, cohorts: &cohorts, inclusions: &[] };
    let mut rows = Vec::new();
    for settings in designs(design)? {
        let failed = |e: farr_analysis::Error| e.to_string();
        let analysis = analysis_of(&Settings::Incidence(settings), &[]).map_err(failed)?;
        let mut merged = analysis.empty();
        analysis.merge(&mut merged, analysis.shard(&view).map_err(failed)?);
        for table in analysis.finish(merged, &Concepts::default()).map_err(failed)? {
            rows.extend(summary_rows(table.get().batch()));
        }
    }
    Ok(rows)
}

fn list<'a>(design: &'a Value, key: &str) -> Vec<&'a Row> {
    let items = design.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn ids(analysis: &Row, key: &str) -> Vec<i64> {
    let items = analysis.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_i64).collect()
}

/// One setting for each entry of `analysisList`.
fn designs(design: &Value) -> Result<Vec<IncidenceSettings>, String> {
    let by_id = |key: &str, id: i64| {
        let found = list(design, key).into_iter().find(|item| integer(item, "id") == Some(id));
        found.ok_or_else(|| format!("{key} has no id {id}"))
    };
    list(design, "analysisList")
        .into_iter()
        .map(|analysis| {
            let outcomes = ids(analysis, "outcomes").into_iter().map(|id| {
                let outcome = by_id("outcomeDefs", id)?;
                Ok(OutcomeSettings {
                    id: Some(id),
                    cohort: integer(outcome, "cohortId").ok_or("an outcome without cohortId")?,
                    clean_window_days: integer(outcome, "cleanWindow").unwrap_or(0) as i32,
                    excluded_cohort: integer(outcome, "excludeCohortId").filter(|id| *id != 0),
                })
            });
            let times = ids(analysis, "tars").into_iter().map(|id| {
                let time = by_id("timeAtRiskDefs", id)?;
                Ok(TimeAtRiskSettings {
                    id,
                    start: anchor(time, "start"),
                    end: anchor(time, "end"),
                })
            });
            let (strata, age_breaks) = strata(design);
            Ok(IncidenceSettings {
                name: "incidence".to_owned(),
                targets: ids(analysis, "targets"),
                outcomes: outcomes.collect::<Result<_, String>>()?,
                time_at_risk: times.collect::<Result<_, String>>()?,
                strata,
                age_breaks,
                age: AgeMethod::YearDifference,
                subgroups: list(design, "subgroups").into_iter().filter_map(subgroup).collect(),
                study_window: StudyWindowSettings {
                    start: study_day(design, "startDate"),
                    end: study_day(design, "endDate"),
                },
                confidence_level: 0.95,
            })
        })
        .collect()
}

fn anchor(time: &Row, key: &str) -> AnchorSettings {
    let end = time.get(key).and_then(Value::as_object);
    let field = end.and_then(|end| end.get("dateField")).and_then(Value::as_str);
    AnchorSettings {
        anchor: if field == Some("end") { Anchor::CohortEnd } else { Anchor::CohortStart },
        offset_days: end.and_then(|end| integer(end, "offset")).unwrap_or(0) as i32,
    }
}

fn strata(design: &Value) -> (Vec<Stratum>, AgeBreaks) {
    let Some(settings) = design.get("strataSettings").and_then(Value::as_object) else {
        return (Vec::new(), AgeBreaks::default());
    };
    let asked = [("byAge", Stratum::Age), ("byGender", Stratum::Sex), ("byYear", Stratum::Year)];
    let is_asked = |key: &str| settings.get(key).and_then(Value::as_bool) == Some(true);
    let strata = asked.into_iter().filter(|(key, _)| is_asked(key)).map(|(_, s)| s).collect();
    let numbers = |list: &Value| -> Vec<i32> {
        list.as_array().into_iter().flatten().filter_map(Value::as_i64).map(|n| n as i32).collect()
    };
    let first = settings.get("ageBreaks").map(numbers).filter(|breaks| !breaks.is_empty());
    let more = settings.get("ageBreakList").and_then(Value::as_array);
    let divisions: Vec<Vec<i32>> =
        first.into_iter().chain(more.into_iter().flatten().map(numbers)).collect();
    let breaks =
        if divisions.is_empty() { AgeBreaks::default() } else { AgeBreaks::Several(divisions) };
    (strata, breaks)
}

fn subgroup(item: &Row) -> Option<SubgroupSettings> {
    let inner = item.get("CohortSubgroup").and_then(Value::as_object).unwrap_or(item);
    let cohort = inner.get("cohort").and_then(Value::as_object)?;
    Some(SubgroupSettings {
        id: integer(inner, "id")?,
        name: inner.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        cohort: integer(cohort, "id")?,
    })
}

fn study_day(design: &Value, key: &str) -> Option<String> {
    let text = design.get("studyWindow")?.get(key)?.as_str()?;
    Some(text.get(..10).unwrap_or(text).to_owned())
}

/// The report's rows as CohortIncidence's `incidence_summary` has them.
fn summary_rows(report: &RecordBatch) -> Vec<Row> {
    (0..report.num_rows())
        .map(|row| {
            let mut values = Row::new();
            values.insert("ref_id".to_owned(), json!(1));
            for (field, column) in report.schema().fields().iter().zip(report.columns()) {
                let value = if column.is_null(row) {
                    Value::Null
                } else if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
                    json!(numbers.value(row))
                } else if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
                    super::stats::number(numbers.value(row))
                } else {
                    continue;
                };
                values.insert(field.name().clone(), value);
            }
            values
        })
        .collect()
}

/// What a row is about.
const KEYS: [&str; 7] = [
    "target_cohort_definition_id",
    "tar_id",
    "subgroup_id",
    "outcome_id",
    "age_group_id",
    "gender_id",
    "start_year",
];

/// The expected rows, keyed by what they are about, and no others.
fn compare(expected: &Value, given: &[Row]) -> Result<(), String> {
    let expected = table(expected, "incidence_summary");
    if expected.len() != given.len() {
        return Err(format!("{} rows expected, {} given", expected.len(), given.len()));
    }
    // The reference writes its ratios with four decimals or so.
    let tolerance = Tolerance { relative: 1e-6, absolute: 1e-3 };
    for row in expected {
        let same = |other: &&Row| KEYS.iter().all(|key| integer(row, key) == integer(other, key));
        let found = given.iter().find(same).ok_or("an expected row is missing")?;
        for (key, value) in row {
            if key == "gender_name" || key == "source_name" {
                continue;
            }
            let given = found.get(key).unwrap_or(&Value::Null);
            if value.is_null() && !given.is_null() {
                return Err(format!("{key}: null expected, {given} given"));
            }
            tolerance.compare(key, value, given)?;
        }
    }
    Ok(())
}
