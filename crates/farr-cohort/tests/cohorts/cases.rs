//! Spec cases: small tables in, cohort rows out.
//!
//! A case is a TOML file below `tests/spec`: what it shows, tables as text, a
//! Circe definition (its concept sets may be given as lists of ids) and the
//! rows that come out. A file of `tests/spec/attributes` holds the cases of one
//! domain: each is one criterion, and the events that meet it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::literal::Literal;
use crate::common::{World, day};
use farr_cohort::{Mode, parse_circe};
use farr_records::{Day, Table};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A file of one case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
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

/// The cases of one domain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributesFile {
    about: String,
    domain: String,
    /// The row of each event: person, first day, last day.
    events: BTreeMap<String, String>,
    concept_sets: BTreeMap<String, Vec<i64>>,
    tables: BTreeMap<String, String>,
    case: Vec<AttributeCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeCase {
    criterion: Map<String, Value>,
    /// The events that meet the criterion, as they are,
    #[serde(default, rename = "in")]
    events: Vec<String>,
    /// or, if they are changed, their rows.
    #[serde(default)]
    rows: String,
}

/// What a definition gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    pub(crate) rows: Vec<(i64, Day, Day)>,
    /// Mode, mask, count, as text.
    masks: Vec<String>,
    lost: u64,
}

/// A definition over a small world, and what must come out.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) world: World,
    pub(crate) definition: Value,
    rows: Vec<(i64, Day, Day)>,
    masks: Option<Vec<String>>,
    lost: Option<u64>,
}

impl Case {
    /// What a definition gives over the case's world; none if it is none.
    pub(crate) fn evaluate(&self, definition: &Value) -> Option<Given> {
        let definition = parse_circe(1, &definition.to_string()).ok()?;
        let (cohort, rows) = self.world.evaluate(&definition);
        let masks = Mode::ALL.into_iter().flat_map(|mode| {
            let counts = cohort.statistics.masks(mode);
            counts.iter().map(move |(mask, count)| format!("{} {mask} {count}", mode.id()))
        });
        Some(Given { rows, masks: masks.collect(), lost: cohort.censored.lost() })
    }

    fn check(&self) {
        let name = &self.name;
        let given = self.evaluate(&self.definition).unwrap_or_else(|| {
            let error = parse_circe(1, &self.definition.to_string()).map(drop);
            panic!("{name}: {error:?}")
        });
        assert_eq!(given.rows, self.rows, "{name}: {}", self.definition);
        if let Some(lost) = self.lost {
            assert_eq!(given.lost, lost, "{name}");
        }
        if let Some(masks) = &self.masks {
            assert_eq!(given.masks, *masks, "{name}");
        }
        let definition = parse_circe(1, &self.definition.to_string()).expect("a definition");
        let (world, expression) = (&self.world, &definition.expression);
        let vocabulary = world.vocabulary(&definition);
        let literal = Literal { world, expression, vocabulary: &vocabulary }.answer();
        let literal = literal.rows.iter().map(|(person, a, b)| (*person, Day(*a), Day(*b)));
        assert_eq!(literal.collect::<Vec<_>>(), self.rows, "{name}, read literally");
    }
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut cases: Vec<Case> = files::<CaseFile>(&folder).map(of_file).collect();
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    cases.extend(files::<AttributesFile>(&folder.join("attributes")).flat_map(of_domain));
    cases
}

/// The files of a folder, by name without its ending.
fn files<F: DeserializeOwned>(folder: &Path) -> impl Iterator<Item = (String, F)> {
    let entries = fs::read_dir(folder).expect("the folder of cases");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a file");
        let file = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), file)
    })
}

fn of_file((name, file): (String, CaseFile)) -> Case {
    assert!(!file.about.is_empty());
    let mut definition = file.definition;
    if !file.concept_sets.is_empty() {
        definition.insert("ConceptSets".to_owned(), concept_sets(&file.concept_sets));
    }
    let lines = file.masks.lines().map(str::trim).filter(|line| !line.is_empty());
    let masks: Vec<String> = lines.map(str::to_owned).collect();
    Case {
        name,
        world: world_of(&file.tables),
        definition: Value::Object(definition),
        rows: rows_of(&file.rows),
        masks: (!masks.is_empty()).then_some(masks),
        lost: file.lost,
    }
}

fn of_domain((name, file): (String, AttributesFile)) -> Vec<Case> {
    assert!(!file.about.is_empty());
    let world = world_of(&file.tables);
    let case = |(place, case): (usize, AttributeCase)| {
        let events = case.events.iter().map(|event| file.events[event].as_str());
        let rows = events.chain([case.rows.as_str()]).collect::<Vec<_>>().join("\n");
        let all = json!({ "Type": "All" });
        let definition = json!({
            "ConceptSets": concept_sets(&file.concept_sets),
            "PrimaryCriteria": {
                "CriteriaList": [{ file.domain.as_str(): case.criterion }],
                "PrimaryCriteriaLimit": all,
            },
            "QualifiedLimit": all,
            "ExpressionLimit": all,
            "EndStrategy": { "DateOffset": { "DateField": "EndDate", "Offset": 0 } },
        });
        let name = format!("{name}, case {}", place + 1);
        let rows = rows_of(&rows);
        Case { name, world: world.clone(), definition, rows, masks: None, lost: None }
    };
    file.case.into_iter().enumerate().map(case).collect()
}

fn concept_sets(sets: &BTreeMap<String, Vec<i64>>) -> Value {
    let set = |(id, concepts): (&String, &Vec<i64>)| {
        let items: Vec<Value> =
            concepts.iter().map(|c| json!({ "concept": { "CONCEPT_ID": c } })).collect();
        json!({ "id": id, "name": id, "expression": { "items": items } })
    };
    sets.iter().map(set).collect()
}

fn world_of(tables: &BTreeMap<String, String>) -> World {
    let mut world = World::default();
    for (name, rows) in tables {
        world.add(Table::from_name(name).unwrap_or_else(|| panic!("no table {name}")), rows);
    }
    world.complete();
    world
}

fn rows_of(text: &str) -> Vec<(i64, Day, Day)> {
    let mut rows: Vec<(i64, Day, Day)> = text
        .lines()
        .map(str::split_whitespace)
        .filter_map(|mut cells| {
            let person = cells.next()?.parse().expect("a person");
            let mut next = || Day(day(cells.next().expect("a day")));
            Some((person, next(), next()))
        })
        .collect();
    rows.sort_unstable();
    rows
}

#[test]
fn every_case() {
    for case in all() {
        case.check();
    }
}
