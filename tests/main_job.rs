//! The main job runs on every export at hand, changed only in `[[source]]` and
//! the url of its location; nothing is lost on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::root;
use crate::place::{Export, Place, main_job, population, population_omop, shared};

/// Runs the main job and checks what it says of itself; gives persons by
/// cohort.
fn runs(export: &Export) -> BTreeMap<i64, u64> {
    let place = Place::new();
    place.run(&main_job(), export, &[]).ends_with(0).says(&["reports: ", "rejected"]);
    let report = place.report();
    let manifest = report.manifest();
    closes(&manifest, export);
    assert_eq!(place.records_manifest()["balance"], manifest["balance"]);
    let tables = report.tables();
    let names: Vec<&str> = tables.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "attrition",
            "characteristics",
            "characteristics_age",
            "characteristics_smd",
            "heart_failure_free",
            "heart_failure_free_log_rank",
            "heart_failure_free_summary",
            "incidence",
            "overlap"
        ]
    );
    for entry in manifest["tables"].as_array().unwrap() {
        let table = &tables[entry["name"].as_str().unwrap()];
        assert_eq!(table.num_rows() as u64, entry["rows"]);
    }
    let cohorts = manifest["cohorts"].as_array().unwrap().iter();
    let number = |value: &Value| value.as_i64().unwrap();
    cohorts.map(|c| (number(&c["cohort_definition_id"]), number(&c["n_persons"]) as u64)).collect()
}

/// Read = kept + merged + rejected for every table, and what was read is what
/// the files have.
fn closes(manifest: &Value, export: &Export) {
    let mut read = BTreeMap::new();
    for row in manifest["balance"].as_array().unwrap() {
        let count = |key: &str| row[key].as_u64().unwrap();
        assert_eq!(count("read"), count("kept") + count("merged") + count("rejected"), "{row}");
        read.insert(row["source_table"].as_str().unwrap(), count("read"));
    }
    assert!(read.values().sum::<u64>() > 0);
    let mut files = 0;
    for entry in fs::read_dir(&export.folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().to_lowercase();
        if path.extension().is_some_and(|ending| ending == "csv")
            && let Some(read) = read.get(stem.as_str())
        {
            assert_eq!(*read, rows_of(&path), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 0 || !has_csv(&export.folder));
}

fn has_csv(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).unwrap();
    entries.any(|entry| entry.unwrap().path().extension().is_some_and(|e| e == "csv"))
}

/// Rows of a CSV file below its header: line ends outside quotes.
fn rows_of(path: &Path) -> u64 {
    let content = fs::read(path).unwrap();
    let (mut rows, mut quoted, mut empty) = (0, false, true);
    for byte in content {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => {
                rows += u64::from(!empty);
                empty = true;
                continue;
            }
            _ => {}
        }
        empty &= byte == b'\r';
    }
    (rows + u64::from(!empty)).saturating_sub(1)
}

fn of_shared(format: &'static str, folder: &str) -> Option<BTreeMap<i64, u64>> {
    Some(runs(&Export { format, folder: shared(folder)? }))
}

#[test]
fn on_synthea_2017() {
    of_shared("synthea-csv", "data/synthea-csv-2017");
}

#[test]
fn on_synthea_2023() {
    of_shared("synthea-csv", "data/synthea-csv-2023");
}

#[test]
fn on_synthea_2024() {
    of_shared("synthea-csv", "data/synthea-csv-2024");
}

/// The same data in two forms.
#[test]
fn on_omop_csv_and_parquet() {
    let csv = of_shared("omop", "data/omop-synthea27nj-csv");
    let parquet = of_shared("omop", "data/omop-synthea27nj-parquet");
    assert_eq!(csv, parquet);
}

#[test]
fn on_gibleed() {
    of_shared("omop", "reference/gibleed/cdm");
}

#[test]
fn on_a_synthetic_population() {
    let persons = runs(&population());
    assert!(persons.values().all(|n| *n > 0), "{persons:?}");
    assert_eq!(persons, runs(&population_omop()));
}

/// As the README has it: the sample data, untouched settings but for where the
/// results go.
#[test]
fn on_the_sample_data() {
    let folder = root().join("sample-data/synthea-csv");
    let persons = runs(&Export { format: "synthea-csv", folder });
    assert!(persons.values().all(|n| *n >= 5), "{persons:?}");
}
