//! `farr cohort why`: the account agrees with the cohort, and goes nowhere but
//! to a terminal or a restricted zone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Int64Type};

use crate::binary::{Said, root, say};
use crate::place::{Place, main_job, population, population_omop, read_parquet};

/// The rows of a definition's cohort by subject, as days since 1970.
fn rows(place: &Place, input: &[&str]) -> BTreeMap<i64, Vec<(i32, i32)>> {
    let definition = fs::read_to_string(root().join("pipelines/cohorts/hypertension.toml"));
    place.write("definitions/3.toml", definition.unwrap());
    let definitions = place.path("definitions").display().to_string();
    let out = place.path("cohorts").display().to_string();
    let arguments = ["cohort", "run", "--definitions", &definitions, "--out", &out];
    say(&[&arguments, input].concat()).ends_with(0);
    let cohort = read_parquet(&place.path("cohorts/cohort.parquet"));
    let subjects = cohort.column_by_name("subject_id").unwrap().as_primitive::<Int64Type>();
    let days = |name: &str| cohort.column_by_name(name).unwrap().as_primitive::<Date32Type>();
    let (starts, ends) = (days("cohort_start_date"), days("cohort_end_date"));
    let mut rows: BTreeMap<i64, Vec<(i32, i32)>> = BTreeMap::new();
    for row in 0..cohort.num_rows() {
        let days = (starts.value(row), ends.value(row));
        rows.entry(subjects.value(row)).or_default().push(days);
    }
    rows
}

/// Everybody in the person table of an OMOP folder or a records store.
fn persons(folder: &Path) -> Vec<i64> {
    let mut persons = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let part = read_parquet(&entry.unwrap().path());
        let ids = part.column_by_name("person_id").unwrap().as_primitive::<Int64Type>();
        persons.extend_from_slice(ids.values());
    }
    persons
}

/// Asks why.
fn why(place: &Place, person: i64, input: &[&str], more: &[&str]) -> Said {
    let file = place.path("definitions/3.toml").display().to_string();
    let person = person.to_string();
    let arguments = ["cohort", "why", "--person", &person, &file];
    say(&[&arguments, input, more].concat())
}

/// A day as it is written.
fn date(days: i32) -> String {
    let day = Date32Type::to_naive_date_opt(days).unwrap();
    day.to_string()
}

fn accounts_agree(place: &Place, input: &[&str], persons: &[i64]) {
    let rows = rows(place, input);
    let outside = persons.iter().find(|person| !rows.contains_key(person)).unwrap();
    for (person, mine) in rows.iter().take(3) {
        let said = why(place, *person, input, &["--restricted"]).ends_with(0);
        let spans: Vec<String> =
            mine.iter().map(|(start, end)| format!("{} to {}", date(*start), date(*end))).collect();
        let said = said.says(&[&format!("In the cohort: {}.", spans.join("; "))]);
        said.says(&["## Entry events", ": included", "the person leaves"]);
    }
    why(place, *outside, input, &["--restricted"])
        .ends_with(0)
        .says(&["Not in the cohort: the person has no event with the concepts"]);
}

#[test]
fn over_omop_the_account_agrees_with_the_cohort() {
    let place = Place::new();
    let export = population_omop();
    let omop = export.folder.display().to_string();
    accounts_agree(&place, &["--omop", &omop], &persons(&export.folder.join("person")));
}

#[test]
fn over_records_the_account_agrees_with_the_cohort() {
    let place = Place::new();
    place.run(&main_job(), &population(), &[]).ends_with(0);
    let records = place.path("records").display().to_string();
    let persons = persons(&place.path("records/latest/tables/person"));
    accounts_agree(&place, &["--records", &records], &persons);
}

#[test]
fn the_account_stays_in_restricted_places() {
    let place = Place::new();
    let omop = population_omop().folder.display().to_string();
    let input = ["--omop", omop.as_str()];
    let rows = rows(&place, &input);
    let (person, mine) = rows.first_key_value().unwrap();
    let start = date(mine[0].0);
    // Standard output is a pipe here: refused, and nothing is told.
    let secrets = [start.as_str(), "In the cohort", "Entry events"];
    let refused = why(&place, *person, &input, &[]).ends_with(5).keeps(&secrets);
    refused.says(&["terminal", "--out", "--restricted"]);
    // Refused before anything is read.
    why(&place, *person, &["--omop", "nowhere"], &[]).ends_with(5);
    let shown = why(&place, *person, &input, &["--restricted"]).ends_with(0).says(&[&start]);
    // To a folder: the same text there, and on standard output only its place.
    let out = place.path("asked").display().to_string();
    let written = why(&place, *person, &input, &["--out", &out]).ends_with(0).keeps(&secrets);
    assert!(written.out.trim_end().ends_with("asked/why.md"), "{}", written.out);
    let text = fs::read_to_string(place.path("asked/why.md")).unwrap();
    assert_eq!(text.trim_end(), shown.out.trim_end());
}

#[test]
fn mistakes_are_named_without_the_person() {
    let place = Place::new();
    let omop = population_omop().folder.display().to_string();
    let input = ["--omop", omop.as_str()];
    rows(&place, &input);
    why(&place, 4_711_000_001, &input, &["--restricted"])
        .ends_with(2)
        .says(&["no such person"])
        .keeps(&["4711000001"]);
    why(&place, 1, &[], &["--restricted"]).ends_with(2).says(&["--records"]);
    say(&["cohort", "why", "--help"]).ends_with(0).says(&["Examples:", "Exit codes:"]);
}
