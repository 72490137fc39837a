//! `cargo xtask reference circe DIR`: every definition of `cohorts/` over the
//! OMOP Parquet of `cdm/`, against every row of `expected/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use farr_cohort::{CohortResults, Definition, NamedTable, Plan, Site, parse_circe};
use farr_records::{OmopParquet, parquet_bytes};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows of a table by definition, sorted.
type Rows = BTreeMap<i64, Vec<Vec<i64>>>;

/// Runs every definition and prints a line for each and `N of M`; true if
/// every row of every table agrees.
///
/// # Errors
/// A folder or file that cannot be read or written.
pub fn run(dir: &Path, out: Option<&Path>) -> Result<bool, String> {
    let (ids, tables, mut refused) = evaluate(dir)?;
    let expected = tables
        .iter()
        .map(|(name, given)| read(&dir.join("expected").join(format!("{name}.parquet")), given))
        .collect::<Result<Vec<Rows>, String>>()?;
    let answers = tables
        .iter()
        .map(|(_, given)| rows_of(given, given))
        .collect::<Result<Vec<Rows>, String>>()?;
    if let Some(out) = out {
        fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
        for (name, given) in &tables {
            write(&out.join(format!("{name}.parquet")), given)?;
        }
    }
    println!("{:>12} {:>9} {:>9} verdict", "definition", "expected", "given");
    let mut agreed = 0;
    let none = Vec::new();
    for id in &ids {
        let verdict = match refused.remove(id) {
            Some(error) => format!("refused: {error}"),
            None => verdict(*id, &tables, &expected, &answers),
        };
        agreed += usize::from(verdict == AGREES);
        let rows = |tables: &[Rows]| tables[0].get(id).unwrap_or(&none).len();
        println!("{id:>12} {:>9} {:>9} {verdict}", rows(&expected), rows(&answers));
    }
    println!("{agreed} of {} definitions agree", ids.len());
    Ok(agreed == ids.len())
}

const AGREES: &str = "agrees";

fn verdict(id: i64, tables: &[NamedTable], expected: &[Rows], answers: &[Rows]) -> String {
    let none = Vec::new();
    for (((name, _), expected), given) in tables.iter().zip(expected).zip(answers) {
        let expected: BTreeSet<_> = expected.get(&id).unwrap_or(&none).iter().collect();
        let given_rows = given.get(&id).unwrap_or(&none);
        let given: BTreeSet<_> = given_rows.iter().collect();
        if expected != given || given.len() != given_rows.len() {
            let missing = expected.difference(&given).count();
            let extra = given.difference(&expected).count();
            return format!("differs in {name}: {missing} missing, {extra} extra");
        }
    }
    AGREES.to_owned()
}

/// What could not be run, by definition.
type Refused = BTreeMap<i64, String>;

fn evaluate(dir: &Path) -> Result<(BTreeSet<i64>, Vec<NamedTable>, Refused), String> {
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
    let sets =
        definitions.iter().flat_map(|definition: &Definition| &definition.expression.concept_sets);
    let vocabulary = folder.vocabulary_for(sets.map(|set| &set.expression));
    let vocabulary = vocabulary.map_err(|e| e.to_string())?;
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
    let mut results = CohortResults::default();
    results.add(&plan.evaluate(&shard, &site).map_err(|e| e.to_string())?, shard.persons());
    Ok((ids, results.tables().map_err(|e| e.to_string())?, refused))
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

/// The rows of a file, with the columns of `like`.
fn read(path: &Path, like: &RecordBatch) -> Result<Rows, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = File::open(path).map_err(|e| failed(&e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
    let mut rows = Rows::new();
    for batch in reader.build().map_err(|e| failed(&e))? {
        let batch = batch.map_err(|e| failed(&e))?;
        for (id, more) in rows_of(&batch, like).map_err(|e| failed(&e))? {
            rows.entry(id).or_default().extend(more);
        }
    }
    Ok(rows)
}

/// The rows of a batch, with the columns of `like`, the definition's id first.
fn rows_of(batch: &RecordBatch, like: &RecordBatch) -> Result<Rows, String> {
    let schema = like.schema();
    let names = schema.fields().iter().map(|field| field.name());
    let columns = names.map(|name| whole_numbers(batch, name)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Rows::new();
    for row in 0..batch.num_rows() {
        let values: Vec<i64> = columns.iter().map(|column| column[row]).collect();
        rows.entry(values[0]).or_default().push(values);
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
fn write(path: &Path, batch: &RecordBatch) -> Result<(), String> {
    let bytes = parquet_bytes(&path.display().to_string(), batch).map_err(|e| e.to_string())?;
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}
