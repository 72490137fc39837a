//! Derived cohorts, from job file to cohort rows and reports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};

use crate::binary::root;
use crate::place::{Place, population, read_parquet};

fn job() -> PathBuf {
    root().join("pipelines/cohort-algebra.toml")
}

/// Reports and cohort rows of a run.
fn ran(zone: &str, threads: u32, shards: u32) -> BTreeMap<String, Vec<u8>> {
    let place = Place::new();
    let threads = threads.to_string();
    let shards = format!("records.shards={shards}");
    let zone = format!("locations.reports.zone={zone}");
    let more = ["--threads", &threads, "--set", &shards, "--set", &zone];
    place.run(&job(), &population(), &more).ends_with(0);
    let mut files = place.report().files();
    let rows = place.path("records/latest/cohort/cohort-algebra.parquet");
    files.insert("rows".to_owned(), std::fs::read(rows).unwrap());
    files
}

#[test]
fn neither_threads_nor_shards_matter() {
    for zone in ["restricted", "open"] {
        let first = ran(zone, 1, 1);
        assert!(first.contains_key("derivation.parquet"));
        for (threads, shards) in [(2, 1), (1, 4), (16, 64)] {
            for (name, bytes) in ran(zone, threads, shards) {
                let same = bytes == first[&name];
                assert!(same, "{name} differs with {threads} threads and {shards} shards, {zone}");
            }
        }
    }
}

/// A person's rows of a cohort: first and last days.
type Rows = BTreeMap<i64, Vec<(i32, i32)>>;

fn rows(place: &Place) -> BTreeMap<i64, Rows> {
    let batch = read_parquet(&place.path("records/latest/cohort/cohort-algebra.parquet"));
    let longs = |name: &str| column(&batch, name);
    let days = |name: &str| {
        let days = batch.column_by_name(name).unwrap().as_primitive::<Date32Type>();
        days.values().to_vec()
    };
    let (cohorts, persons) = (longs("cohort_definition_id"), longs("subject_id"));
    let (starts, ends) = (days("cohort_start_date"), days("cohort_end_date"));
    let mut all: BTreeMap<i64, Rows> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let rows = all.entry(cohorts[row]).or_default().entry(persons[row]).or_default();
        rows.push((starts[row], ends[row]));
    }
    all
}

fn column(batch: &RecordBatch, name: &str) -> Vec<i64> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn days(rows: Option<&Vec<(i32, i32)>>) -> BTreeSet<i32> {
    rows.into_iter().flatten().flat_map(|(start, end)| *start..=*end).collect()
}

/// Each derived cohort of the job, worked out anew from the rows of those that
/// it is derived from, day by day.
#[test]
fn rows_are_what_the_job_says() {
    let place = Place::new();
    place.run(&job(), &population(), &[]).ends_with(0);
    let all = rows(&place);
    let none = Rows::new();
    let cohort = |id: i64| all.get(&id).unwrap_or(&none);
    let persons = |id: i64| cohort(id).keys().copied().collect::<BTreeSet<i64>>();
    let (diabetes, hypertension) = (cohort(1), cohort(4));
    assert!(!diabetes.is_empty() && !hypertension.is_empty());

    let either: BTreeSet<i64> = persons(1).union(&persons(4)).copied().collect();
    assert_eq!(persons(10), either);
    for person in &either {
        let (one, other) = (days(diabetes.get(person)), days(hypertension.get(person)));
        let union: BTreeSet<i32> = one.union(&other).copied().collect();
        assert_eq!(days(cohort(10).get(person)), union);
        let both: BTreeSet<i32> = one.intersection(&other).copied().collect();
        assert_eq!(days(cohort(11).get(person)), both);
    }
    let apart: BTreeSet<i64> = persons(4).difference(&persons(1)).copied().collect();
    assert_eq!(persons(12), apart);
    let (stroke, before) = (cohort(3), |start: i32| start - 365..=start);
    for (person, rows) in cohort(12) {
        let strokes = stroke.get(person);
        let near = |row: &&(i32, i32)| {
            strokes.into_iter().flatten().any(|stroke| before(row.0).contains(&stroke.0))
        };
        let kept: Vec<_> = rows.iter().filter(|row| !near(row)).copied().collect();
        assert_eq!(cohort(13).get(person).cloned().unwrap_or_default(), kept);
    }
    assert_eq!(persons(16).len(), either.len().min(100));
    assert!(persons(16).is_subset(&either));
    let since_2010 = 14_610;
    for (person, rows) in cohort(16) {
        let kept: Vec<_> = rows.iter().filter(|row| row.0 >= since_2010).copied().collect();
        assert_eq!(cohort(17).get(person).cloned().unwrap_or_default(), kept);
    }
    matches(&all);
}

/// At most two comparators a target, each once, none of them a target, and
/// for every matched target one of like entry.
fn matches(all: &BTreeMap<i64, Rows>) {
    let first = |id: i64| -> BTreeMap<i64, i32> {
        all.get(&id).into_iter().flatten().map(|(person, rows)| (*person, rows[0].0)).collect()
    };
    let (pool, targets) = (first(13), first(1));
    let (comparators, matched) = (first(14), first(15));
    assert!(!comparators.is_empty() && !matched.is_empty());
    assert!(comparators.len() <= 2 * matched.len() && matched.len() <= comparators.len());
    for (person, start) in &comparators {
        assert_eq!(pool.get(person), Some(start));
        assert!(!targets.contains_key(person));
        assert!(matched.values().any(|target| target.abs_diff(*start) <= 1826));
    }
    for (person, start) in &matched {
        assert_eq!(targets.get(person), Some(start));
    }
    for rows in [14, 15].into_iter().flat_map(|id| all[&id].values()) {
        assert_eq!(rows.len(), 1);
    }
}

/// What each step leaves: the persons of the cohort before, then its own.
#[test]
fn steps_are_counted() {
    let place = Place::new();
    place.run(&job(), &population(), &[]).ends_with(0);
    let all = rows(&place);
    let persons = |id: i64| all.get(&id).map_or(0, BTreeMap::len) as i64;
    let table = &place.report().tables()["derivation"];
    let cohorts = column(table, "cohort_definition_id");
    let remaining = column(table, "n_remaining");
    let of = |cohort: i64| -> Vec<i64> {
        let pairs = cohorts.iter().zip(&remaining);
        pairs.filter(|(id, _)| **id == cohort).map(|(_, n)| *n).collect()
    };
    assert_eq!(of(10), [persons(10), persons(10)]);
    assert_eq!(of(11), [persons(1), persons(11), persons(11)]);
    assert_eq!(of(13), [persons(4), persons(12), persons(13), persons(13)]);
    let of_comparators = [persons(4), persons(12), persons(13), persons(14), persons(14)];
    assert_eq!(of(14), of_comparators);
    let hashes = place.report().manifest()["cohorts"].clone();
    let hashes: BTreeSet<String> =
        hashes.as_array().unwrap().iter().map(|c| c["hash"].to_string()).collect();
    assert_eq!(hashes.len(), 12, "every cohort has a hash of its own");
}

#[test]
fn what_cannot_be_derived_is_refused() {
    let refused = |set: &str, parts: &[&str]| {
        let place = Place::new();
        place.run(&job(), &population(), &["--set", set]).ends_with(2).says(parts);
        assert_eq!(place.published(), 0);
    };
    refused(
        "cohort.4.derive.cohorts=[1, 16]",
        &["derived from itself: 10 'diabetes or hypertension' from 16 'chart review' from 10 \
             'diabetes or hypertension'"],
    );
    refused(
        "cohort.4.derive.cohorts=[\"type 2 diabets\", 4]",
        &[
            "cohort 10 'diabetes or hypertension'",
            "did you mean 'type 2 diabetes'?",
            "from it is derived 16 'chart review', and from that 17",
        ],
    );
    refused("cohort.6.derive.cohort=99", &["derived from 99, but the job has no such cohort"]);
    refused("cohort.4.file=a.json", &["found file and derive, expected one of them"]);
    refused("cohort.10.derive.person=5", &["cohort[10].derive", "did you mean 'persons'?"]);
    refused("cohort.10.derive.kind=sampel", &["did you mean 'sample'?"]);
    refused("cohort.11.derive.from=\"2010-13-01\"", &["expected a day like \"2015-01-31\""]);
    refused("analysis.0.name=derivation", &["two tables would be called 'derivation'"]);
}

/// A job with cohorts derived in another way is another job.
#[test]
fn derivations_are_part_of_the_job() {
    let hash = |set: &str| {
        let place = Place::new();
        place.run(&job(), &population(), &["--set", set]).ends_with(0);
        place.report().manifest()["origin"]["job_hash"].to_string()
    };
    assert_eq!(hash("cohort.10.derive.seed=1"), hash("cohort.10.derive.seed=1"));
    assert_ne!(hash("cohort.10.derive.seed=1"), hash("cohort.10.derive.seed=2"));
}
