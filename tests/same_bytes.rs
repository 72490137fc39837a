//! The same input gives the same report bytes, whatever the number of threads
//! or shards, and wherever records and reports lie.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Int64Type};

use crate::binary::{Said, root};
use crate::place::{Export, Place, main_job, population, population_omop, read_parquet};

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

/// A job with so many cohort rows that they go by way of a temporary file: all
/// visits, again and again.
fn job_of_many_rows(place: &Place) -> std::process::Command {
    let text = "name = \"visits\"\n[entry]\ndomain = \"visit\"\nlimit = \"all\"\n\
                [exit]\nafter_days = 1\n";
    let file = place.write("visits.toml", text).display().to_string();
    let cohort = |id: i64| format!("{{id = {id}, name = \"visits {id}\", file = \"{file}\"}}");
    let cohorts = (-11..12).map(cohort).collect::<Vec<_>>().join(", ");
    let mut command = place.command(&main_job(), &population());
    command.arg("--set").arg(format!("cohort=[{cohorts}]"));
    command.args(["--set", "analysis=[{kind = \"overlap\"}]"]);
    command
}

const COHORT_ROWS: &str = "records/latest/cohort/diabetes-outcomes.parquet";

#[test]
fn of_many_cohort_rows() {
    let file_of = |(threads, shards): (u32, u32)| {
        let place = Place::new();
        let mut job = job_of_many_rows(&place);
        job.args(["--threads", &threads.to_string()]);
        job.arg("--set").arg(format!("records.shards={shards}"));
        Said::of(&job.output().unwrap()).ends_with(0);
        let path = place.path(COHORT_ROWS);
        (read_parquet(&path), fs::read(path).unwrap())
    };
    let (rows, first) = file_of((1, 1));
    assert!(rows.num_rows() > 1 << 16, "{} rows", rows.num_rows());
    let ids = rows.column(0).as_primitive::<Int64Type>().values();
    let persons = rows.column(1).as_primitive::<Int64Type>().values();
    let days = |place: usize| rows.column(place).as_primitive::<Date32Type>().values();
    let of_rows = ids.iter().zip(persons).zip(days(2)).zip(days(3));
    assert!(of_rows.is_sorted());
    for divided in [(2, 4), (16, 64)] {
        assert!(file_of(divided).1 == first, "{divided:?}");
    }
}

#[test]
fn cohort_rows_without_room_for_a_temporary_file_fail() {
    let place = Place::new();
    // The records are made before.
    place.run(&main_job(), &population(), &["--set", "job.name=other"]).ends_with(0);
    let failed = job_of_many_rows(&place).env("TMPDIR", place.path("nowhere")).output().unwrap();
    Said::of(&failed).ends_with(4).says(&["temporary file: could not make", "set TMPDIR"]);
    assert!(!place.path(COHORT_ROWS).exists());
    Said::of(&job_of_many_rows(&place).output().unwrap()).ends_with(0);
    assert!(read_parquet(&place.path(COHORT_ROWS)).num_rows() > 1 << 16);
}
