//! Spec cases: small tables in, cohort rows out. A case is a TOML file below
//! `tests/spec`: what it shows, tables as text, a Circe definition (its
//! concept sets may be given as lists of ids) and the rows that come out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::{World, day};
use farr_cohort::{Mode, parse_circe};
use farr_records::{Day, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows: the text of the reference page.
    about: String,
    /// Concept sets: id to plain concept ids.
    #[serde(default)]
    concept_sets: BTreeMap<String, Vec<i64>>,
    tables: BTreeMap<String, String>,
    definition: Map<String, Value>,
    /// Person, first day, last day, a line a row.
    rows: String,
    /// Events by mask, `mode mask count` a line.
    #[serde(default)]
    masks: String,
    /// Persons lost to the censor window.
    #[serde(default)]
    lost: Option<u64>,
}

fn check(path: &Path) {
    let text = fs::read_to_string(path).expect("a file");
    let case: Case = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(!case.about.is_empty());
    let mut json = case.definition.clone();
    if !case.concept_sets.is_empty() {
        let sets = case.concept_sets.iter().map(|(id, concepts)| {
            let items: Vec<Value> =
                concepts.iter().map(|c| json!({"concept": {"CONCEPT_ID": c}})).collect();
            json!({"id": id, "name": id, "expression": {"items": items}})
        });
        json.insert("ConceptSets".to_owned(), Value::Array(sets.collect()));
    }
    let text = Value::Object(json).to_string();
    let definition = parse_circe(1, &text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut world = World::default();
    for (name, rows) in &case.tables {
        world.add(Table::from_name(name).unwrap_or_else(|| panic!("no table {name}")), rows);
    }
    world.complete();
    let (cohort, given) = world.evaluate(&definition);
    let mut expected: Vec<(i64, Day, Day)> = case
        .rows
        .lines()
        .map(str::split_whitespace)
        .filter_map(|mut cells| {
            let person = cells.next()?.parse().expect("a person");
            let mut next = || Day(day(cells.next().expect("a day")));
            Some((person, next(), next()))
        })
        .collect();
    expected.sort_unstable();
    assert_eq!(given, expected, "{}: {}", path.display(), case.about);
    if let Some(lost) = case.lost {
        assert_eq!(cohort.censored.lost(), lost, "{}", path.display());
    }
    if !case.masks.is_empty() {
        let masks = Mode::ALL.into_iter().flat_map(|mode| {
            let counts = cohort.statistics.masks(mode);
            counts.iter().map(move |(mask, count)| format!("{} {mask} {count}", mode.id()))
        });
        let expected: Vec<&str> =
            case.masks.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(masks.collect::<Vec<_>>(), expected, "{}: {}", path.display(), case.about);
    }
}

#[test]
fn every_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 20, "only {} cases", paths.len());
    for path in paths {
        check(&path);
    }
}
