//! The same input gives the same report bytes, whatever the number of threads
//! or shards, and wherever records and reports lie.

use std::collections::BTreeMap;
use std::path::Path;

use crate::binary::root;
use crate::place::{Export, Place, main_job, population, population_omop};

/// The files of a run, which lies in a place of its own.
fn files(
    job: &Path,
    export: &Export,
    zone: &str,
    (threads, shards): (u32, u32),
) -> BTreeMap<String, Vec<u8>> {
    let place = Place::new();
    let threads = threads.to_string();
    let shards = format!("records.shards={shards}");
    let zone = format!("locations.reports.zone={zone}");
    let more = ["--threads", &threads, "--set", &shards, "--set", &zone];
    place.run(job, export, &more).ends_with(0);
    place.report().files()
}

fn same(job: &Path, export: &Export, zone: &str, tables: usize) {
    let first = files(job, export, zone, (1, 1));
    assert_eq!(first.len(), tables + 1, "the tables and a manifest");
    for (threads, shards) in [(2, 1), (16, 1), (1, 4), (16, 64)] {
        let other = files(job, export, zone, (threads, shards));
        assert!(first.keys().eq(other.keys()));
        for (name, bytes) in &first {
            let same = *bytes == other[name];
            assert!(same, "{name} differs with {threads} threads and {shards} shards");
        }
    }
}

#[test]
fn of_a_restricted_report() {
    same(&main_job(), &population(), "restricted", 9);
}

#[test]
fn of_an_open_report() {
    same(&main_job(), &population(), "open", 9);
}

#[test]
fn of_an_omop_source() {
    same(&main_job(), &population_omop(), "restricted", 9);
}

/// Models are fitted to rows in one order, whatever the shards.
#[test]
fn of_every_analysis() {
    let folder = root().join("sample-data/synthea-csv");
    let export = Export { format: "synthea-csv", folder };
    same(&root().join("pipelines/outcomes.toml"), &export, "restricted", 19);
}
