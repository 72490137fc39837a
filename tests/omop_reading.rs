//! OMOP Parquet as tools write it, through `cohort run` and `cohort why`.

use std::fs::{self, File};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::binary::{Said, say};
use crate::place::Place;

const HYPERTENSION: &str = r#"{
  "ConceptSets": [{ "id": 0, "name": "hypertension", "expression": { "items": [
    { "concept": { "CONCEPT_ID": 320128 } }
  ] } }],
  "PrimaryCriteria": { "CriteriaList": [{ "ConditionOccurrence": { "CodesetId": 0 } }] }
}"#;

fn whole(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[expect(clippy::disallowed_methods, reason = "a test makes its input")]
fn write(place: &Place, file: &str, columns: &[(&str, ArrayRef)]) {
    let batch = RecordBatch::try_from_iter(columns.to_vec()).unwrap();
    let path = place.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None);
    writer.as_mut().unwrap().write(&batch).unwrap();
    writer.unwrap().close().unwrap();
}

/// Two persons who are seen from 2010 to 2019, and a definition.
fn site() -> Place {
    let place = Place::new();
    place.write("definitions/4.json", HYPERTENSION);
    write(
        &place,
        "cdm/person.parquet",
        &[("person_id", text(&["1.0", "2"])), ("year_of_birth", whole(&[1950, 1960]))],
    );
    write(
        &place,
        "cdm/observation_period.parquet",
        &[
            ("observation_period_id", whole(&[1, 2])),
            ("person_id", whole(&[1, 2])),
            ("observation_period_start_date", text(&["2010-01-01", "20100101"])),
            ("observation_period_end_date", text(&["2019-12-31", "2019-12-31 00:00:00"])),
        ],
    );
    write(&place, "cdm/concept.parquet", &[("concept_id", whole(&[320_128]))]);
    place
}

fn conditions(persons: ArrayRef, days: ArrayRef) -> [(&'static str, ArrayRef); 4] {
    let rows = persons.len() as i64;
    [
        ("condition_occurrence_id", whole(&(1..=rows).collect::<Vec<_>>())),
        ("person_id", persons),
        ("condition_start_date", days),
        ("condition_end_date", text(&vec![""; rows as usize])),
    ]
}

fn run(place: &Place) -> Said {
    let path = |name: &str| place.path(name).display().to_string();
    let (definitions, omop, out) = (path("definitions"), path("cdm"), path("out"));
    say(&["cohort", "run", "--definitions", &definitions, "--omop", &omop, "--out", &out])
}

/// Persons and first days of the cohort's rows.
fn cohort(place: &Place) -> Vec<(i64, i32)> {
    let file = File::open(place.path("out/cohort.parquet")).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let persons = batch.column_by_name("subject_id").unwrap().as_primitive::<Int64Type>();
        let days = batch.column_by_name("cohort_start_date").unwrap();
        let days = days.as_primitive::<Date32Type>();
        rows.extend(persons.values().iter().copied().zip(days.values().iter().copied()));
    }
    rows
}

/// As DuckDB's `PARTITION_BY` writes a table.
#[test]
fn tables_divided_by_columns_are_whole() {
    let place = site();
    let days = || text(&["2012-01-01", "2013-01-01"]);
    let folder = "cdm/condition_occurrence";
    let of_both = conditions(whole(&[1, 2]), days());
    write(&place, &format!("{folder}/condition_concept_id=320128/data_0.parquet"), &of_both);
    write(&place, &format!("{folder}/condition_concept_id=5/data_0.parquet"), &of_both);
    write(&place, &format!("{folder}/_temporary/condition_concept_id=320128/0.parquet"), &of_both);
    run(&place).ends_with(0);
    assert_eq!(cohort(&place), [(1, 15_340), (2, 15_706)]);

    place.write("cdm/condition_occurrence/_delta_log/00000000000000000000.json", "{}");
    run(&place).ends_with(3).says(&["condition_occurrence", "Delta Lake", "plain Parquet"]);
    fs::remove_dir_all(place.path(folder)).unwrap();
    fs::create_dir(place.path(folder)).unwrap();
    run(&place).ends_with(3).says(&["condition_occurrence", "no file"]);
}

/// What is no id, no date or no text ends as bad data, placed, and is not shown.
#[test]
fn values_that_do_not_fit_are_placed_and_not_shown() {
    let place = site();
    let persons = text(&["1", "2", "MRN-JOHN-SMITH-0"]);
    let of = |persons, days: ArrayRef| {
        let concepts = whole(&vec![320_128; days.len()]);
        let mut columns = conditions(persons, days).to_vec();
        columns.push(("condition_concept_id", concepts));
        columns
    };
    let days = text(&["2012-01-01", "2012-01-01", "2012-01-01"]);
    let file = "cdm/condition_occurrence.parquet";
    write(&place, file, &of(persons, days));
    let placed = ["condition_occurrence.parquet", "row 3", "'person_id'", "Utf8", "farr ingest"];
    let shown = |said: &Said| said.out.contains("SMITH") || said.err.contains("SMITH");
    let said = run(&place).ends_with(3).says(&placed);
    assert!(!shown(&said), "{}", said.err);

    let (definition, cdm) = (place.path("definitions/4.json"), place.path("cdm"));
    let paths = [cdm.to_str().unwrap(), definition.to_str().unwrap()];
    let why = ["cohort", "why", "--person", "1", "--restricted", "--omop", paths[0], paths[1]];
    let said = say(&why).ends_with(3).says(&placed);
    assert!(!shown(&said), "{}", said.err);

    write(&place, file, &of(whole(&[1]), whole(&[20_120_101])));
    run(&place).ends_with(3).says(&[
        "condition_occurrence.parquet",
        "'condition_start_date'",
        "Int64",
        "expected dates",
    ]);
    write(&place, file, &of(text(&["1.7"]), text(&["2012-01-01"])));
    run(&place).ends_with(3).says(&["row 1", "'person_id'", "whole number"]);
    write(&place, file, &of(text(&["1.0"]), text(&["2012-01-01"])));
    run(&place).ends_with(0);
    assert_eq!(cohort(&place), [(1, 15_340)]);
}
