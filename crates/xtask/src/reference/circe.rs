//! `cargo xtask reference circe DIR`: every definition of `cohorts/` over the
//! OMOP Parquet of `cdm/`, against every row of `expected/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use farr_cohort::{CohortEntries, Definition, Mode, Plan, Site, parse_circe};
use farr_records::{OmopParquet, Shard};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A table of whole numbers (days among them) by name, with its columns.
struct Layout {
    file: &'static str,
    columns: &'static [(&'static str, DataType)],
}

/// The tables of `expected/`; each begins with the definition's id.
static LAYOUTS: [Layout; 5] = [
    Layout {
        file: "cohort",
        columns: &[
            ("cohort_definition_id", DataType::Int64),
            ("subject_id", DataType::Int64),
            ("cohort_start_date", DataType::Date32),
            ("cohort_end_date", DataType::Date32),
        ],
    },
    Layout {
        file: "cohort_inclusion_result",
        columns: &[
            ("cohort_definition_id", DataType::Int64),
            ("mode_id", DataType::Int32),
            ("inclusion_rule_mask", DataType::Int64),
            ("person_count", DataType::Int64),
        ],
    },
    Layout {
        file: "cohort_inclusion_stats",
        columns: &[
            ("cohort_definition_id", DataType::Int64),
            ("rule_sequence", DataType::Int32),
            ("mode_id", DataType::Int32),
            ("person_count", DataType::Int64),
            ("gain_count", DataType::Int64),
            ("person_total", DataType::Int64),
        ],
    },
    Layout {
        file: "cohort_summary_stats",
        columns: &[
            ("cohort_definition_id", DataType::Int64),
            ("mode_id", DataType::Int32),
            ("base_count", DataType::Int64),
            ("final_count", DataType::Int64),
        ],
    },
    Layout {
        file: "cohort_censor_stats",
        columns: &[("cohort_definition_id", DataType::Int64), ("lost_count", DataType::Int64)],
    },
];

/// Rows of a table by definition, sorted.
type Rows = BTreeMap<i64, Vec<Vec<i64>>>;

/// Runs every definition and prints a line for each and `N of M`; true if
/// every row of every table agrees.
///
/// # Errors
/// A folder or file that cannot be read or written.
pub fn run(dir: &Path, out: Option<&Path>) -> Result<bool, String> {
    let expected = LAYOUTS
        .iter()
        .map(|layout| read(&dir.join("expected").join(format!("{}.parquet", layout.file)), layout))
        .collect::<Result<Vec<Rows>, String>>()?;
    let (ids, answers, mut refused) = evaluate(dir)?;
    if let Some(out) = out {
        fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
        for (layout, rows) in LAYOUTS.iter().zip(&answers) {
            write(&out.join(format!("{}.parquet", layout.file)), layout, rows)?;
        }
    }
    println!("{:>12} {:>9} {:>9} verdict", "definition", "expected", "given");
    let mut agreed = 0;
    let none = Vec::new();
    for id in &ids {
        let verdict = match refused.remove(id) {
            Some(error) => format!("refused: {error}"),
            None => verdict(*id, &expected, &answers),
        };
        agreed += usize::from(verdict == AGREES);
        let rows = |tables: &[Rows]| tables[0].get(id).unwrap_or(&none).len();
        println!("{id:>12} {:>9} {:>9} {verdict}", rows(&expected), rows(&answers));
    }
    println!("{agreed} of {} definitions agree", ids.len());
    Ok(agreed == ids.len())
}

const AGREES: &str = "agrees";

fn verdict(id: i64, expected: &[Rows], answers: &[Rows]) -> String {
    let none = Vec::new();
    for ((layout, expected), given) in LAYOUTS.iter().zip(expected).zip(answers) {
        let expected: BTreeSet<_> = expected.get(&id).unwrap_or(&none).iter().collect();
        let given_rows = given.get(&id).unwrap_or(&none);
        let given: BTreeSet<_> = given_rows.iter().collect();
        if expected != given || given.len() != given_rows.len() {
            let missing = expected.difference(&given).count();
            let extra = given.difference(&expected).count();
            return format!("differs in {}: {missing} missing, {extra} extra", layout.file);
        }
    }
    AGREES.to_owned()
}

/// What could not be run, by definition.
type Refused = BTreeMap<i64, String>;

fn evaluate(dir: &Path) -> Result<(BTreeSet<i64>, Vec<Rows>, Refused), String> {
    let mut refused = Refused::new();
    let mut definitions = Vec::new();
    let mut ids = BTreeSet::new();
    for (id, text) in definition_texts(&dir.join("cohorts"))? {
        ids.insert(id);
        match parse_circe(id, &text) {
            Ok(definition) => definitions.push(definition),
            Err(error) => drop(refused.insert(id, error.to_string())),
        }
    }
    let folder = OmopParquet::open(&dir.join("cdm")).map_err(|e| e.to_string())?;
    let vocabulary = folder.vocabulary().map_err(|e| e.to_string())?;
    let mut plan = Plan::new(&definitions, &vocabulary);
    for (id, error) in plan.lacking(|table| folder.has(table)) {
        refused.insert(id, error.to_string());
    }
    definitions.retain(|definition: &Definition| !refused.contains_key(&definition.id));
    if definitions.len() < plan.len() {
        plan = Plan::new(&definitions, &vocabulary);
    }
    let shard = folder.shard(plan.needs()).map_err(|e| e.to_string())?;
    let site = Site::new(&folder.site(plan.needs()).map_err(|e| e.to_string())?);
    let cohorts = plan.evaluate(&shard, &site).map_err(|e| e.to_string())?.cohorts;
    Ok((ids, tables(&shard, &cohorts), refused))
}

/// Every `<id>.json` of a folder, by id.
fn definition_texts(folder: &Path) -> Result<BTreeMap<i64, String>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|s| s.parse().ok());
        if let Some(id) = id
            && path.extension().is_some_and(|ending| ending == "json")
        {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            texts.insert(id, text);
        }
    }
    if texts.is_empty() {
        return Err(format!("{}: no definitions", folder.display()));
    }
    Ok(texts)
}

/// The answers as the tables of `LAYOUTS`.
fn tables(shard: &Shard, cohorts: &[CohortEntries]) -> Vec<Rows> {
    let mut tables = vec![Rows::new(); LAYOUTS.len()];
    for cohort in cohorts {
        let id = cohort.definition;
        let mut add = |table: usize, row: Vec<i64>| {
            tables[table].entry(id).or_default().push([vec![id], row].concat());
        };
        for (person, days) in &cohort.entries {
            let subject = shard.persons()[*person as usize].0;
            add(0, vec![subject, i64::from(days.start.0), i64::from(days.end.0)]);
        }
        if cohort.censored.has_window {
            add(4, vec![cohort.censored.lost() as i64]);
        }
        if cohort.statistics.rules == 0 {
            continue;
        }
        for mode in Mode::ALL {
            let mode_id = i64::from(mode.id());
            for (mask, count) in cohort.statistics.masks(mode) {
                add(1, vec![mode_id, *mask as i64, *count as i64]);
            }
            for rule in cohort.statistics.by_rule(mode) {
                let counts = [rule.person_count, rule.gain_count, rule.person_total];
                let counts = counts.map(|count| count as i64);
                add(2, [vec![rule.rule_sequence as i64, mode_id], counts.to_vec()].concat());
            }
            let (base, kept) = cohort.statistics.summary(mode);
            add(3, vec![mode_id, base as i64, kept as i64]);
        }
    }
    tables
}

fn read(path: &Path, layout: &Layout) -> Result<Rows, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = File::open(path).map_err(|e| failed(&e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
    let mut rows = Rows::new();
    for batch in reader.build().map_err(|e| failed(&e))? {
        let batch = batch.map_err(|e| failed(&e))?;
        let columns = layout
            .columns
            .iter()
            .map(|(name, _)| whole_numbers(&batch, name).map_err(|e| failed(&e)))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let values: Vec<i64> = columns.iter().map(|column| column[row]).collect();
            rows.entry(values[0]).or_default().push(values);
        }
    }
    Ok(rows)
}

fn whole_numbers(batch: &RecordBatch, name: &str) -> Result<Vec<i64>, String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("no column '{name}'"))?;
    // Days have no direct cast to 64 bits.
    let column = match column.data_type() {
        DataType::Date32 => cast(column, &DataType::Int32).map_err(|e| e.to_string())?,
        _ => column.clone(),
    };
    let column = cast(&column, &DataType::Int64).map_err(|e| e.to_string())?;
    if column.null_count() > 0 {
        return Err(format!("column '{name}' has missing values"));
    }
    Ok(column.as_primitive::<Int64Type>().values().to_vec())
}

#[expect(clippy::disallowed_methods, reason = "a developer's local file of synthetic persons")]
fn write(path: &Path, layout: &Layout, rows: &Rows) -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let fields: Vec<Field> = layout
        .columns
        .iter()
        .map(|(name, data_type)| Field::new(*name, data_type.clone(), false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = layout.columns.iter().enumerate().map(|(place, (_, data_type))| {
        let values = rows.values().flatten().map(|row| row[place]);
        let whole: ArrayRef = Arc::new(arrow::array::Int64Array::from_iter_values(values));
        match data_type {
            DataType::Date32 => cast(&cast(&whole, &DataType::Int32)?, data_type),
            _ => cast(&whole, data_type),
        }
    });
    let arrays = arrays.collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|e| failed(&e))?;
    let file = File::create(path).map_err(|e| failed(&e))?;
    let mut writer = ArrowWriter::try_new(file, schema, None).map_err(|e| failed(&e))?;
    writer.write(&batch).map_err(|e| failed(&e))?;
    writer.close().map_err(|e| failed(&e))?;
    Ok(())
}
