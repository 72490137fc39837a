//! A job in parts is the whole job, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::binary::{Said, farr};
use crate::place::{Export, Place, main_job, population, population_omop};

fn farr_of(place: &Place, verb: &str, export: &Export, more: &[&str]) -> Said {
    let mut command = farr();
    command.arg(verb).arg(main_job());
    for (key, value) in [
        ("source.0.format", export.format.to_owned()),
        ("locations.exports.url", export.folder.display().to_string()),
        ("locations.records.url", place.path("records").display().to_string()),
        ("locations.reports.url", place.path("reports").display().to_string()),
        ("records.shards", "4".to_owned()),
    ] {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    Said::of(&command.args(more).output().unwrap())
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(k, v)| (format!("{name}/{k}"), v)));
        } else if name != "run.json" {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

fn same(export: &Export, shares: u32) {
    let whole = Place::new();
    farr_of(&whole, "run", export, &[]).ends_with(0);
    let place = Place::new();
    let each = |verb: &str| {
        for share in 1..=shares {
            let part = format!("{share}/{shares}");
            farr_of(&place, verb, export, &["--shard", &part]).ends_with(0).says(&["farr merge"]);
        }
    };
    farr_of(&place, "merge", export, &[]).ends_with(2).says(&["farr ingest --shard"]);
    farr_of(&place, "run", export, &["--shard", "1/2"]).ends_with(2).says(&["no records yet"]);
    each("ingest");
    farr_of(&place, "merge", export, &[]).ends_with(0).says(&["records:", "farr run --shard"]);
    assert_eq!(place.published(), 0);
    each("run");
    farr_of(&place, "merge", export, &[]).ends_with(0).says(&["reports:"]);
    for of in ["records/latest", "reports/latest"] {
        let (given, expected) = (files(&place.path(of)), files(&whole.path(of)));
        assert!(given.keys().eq(expected.keys()), "{of}");
        for (name, bytes) in &expected {
            assert!(given[name] == *bytes, "{of}: {name} differs in {shares} parts");
        }
    }
    farr_of(&place, "run", export, &[]).ends_with(0).says(&["nothing to do"]);
    farr_of(&place, "merge", export, &[]).ends_with(0).says(&["nothing to do"]);
}

#[test]
fn of_csv() {
    same(&population(), 3);
}

#[test]
fn of_parquet() {
    same(&population_omop(), 2);
}

#[test]
fn missing_parts_are_named() {
    let place = Place::new();
    let export = population();
    farr_of(&place, "ingest", &export, &["--shard", "1/3"]).ends_with(0);
    let merged = farr_of(&place, "merge", &export, &[]).ends_with(2);
    merged.says(&["2/3, 3/3"]);
    for share in ["2/3", "3/3"] {
        farr_of(&place, "ingest", &export, &["--shard", share]).ends_with(0);
    }
    farr_of(&place, "merge", &export, &[]).ends_with(0);
    farr_of(&place, "run", &export, &["--shard", "2/4"]).ends_with(0);
    farr_of(&place, "merge", &export, &[]).ends_with(2).says(&["0, 2, 3"]);
    for share in ["0/4", "5/4", "1", "x/y"] {
        farr_of(&place, "run", &export, &["--shard", share]).ends_with(2).says(&["I/N"]);
    }
}
