//! The same input gives the same report bytes, whatever the number of threads
//! or shards, and wherever records and reports lie.

use std::collections::BTreeMap;

use crate::place::{Export, Place, main_job, population, population_omop};

/// The files of a run, which lies in a place of its own.
fn files(export: &Export, zone: &str, threads: u32, shards: u32) -> BTreeMap<String, Vec<u8>> {
    let place = Place::new();
    let threads = threads.to_string();
    let shards = format!("records.shards={shards}");
    let zone = format!("locations.reports.zone={zone}");
    let more = ["--threads", &threads, "--set", &shards, "--set", &zone];
    place.run(&main_job(), export, &more).ends_with(0);
    place.report().files()
}

fn same(export: &Export, zone: &str) {
    let first = files(export, zone, 1, 1);
    assert_eq!(first.len(), 10, "nine tables and a manifest");
    for (threads, shards) in [(2, 1), (16, 1), (1, 4), (16, 64)] {
        let other = files(export, zone, threads, shards);
        assert!(first.keys().eq(other.keys()));
        for (name, bytes) in &first {
            let same = *bytes == other[name];
            assert!(same, "{name} differs with {threads} threads and {shards} shards");
        }
    }
}

#[test]
fn of_a_restricted_report() {
    same(&population(), "restricted");
}

#[test]
fn of_an_open_report() {
    same(&population(), "open");
}

#[test]
fn of_an_omop_source() {
    same(&population_omop(), "restricted");
}
