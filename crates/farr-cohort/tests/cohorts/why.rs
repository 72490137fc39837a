//! Why a person is in or out: the account agrees with the rows, with itself,
//! and names the right reason.

use std::fs;
use std::path::Path;

use crate::checks::shared;
use crate::common::World;
use farr_cohort::why::{AskedGroup, AskedPart, Fate, Found};
use farr_cohort::{Definition, Plan, Site, Why, parse_circe};
use farr_records::{Interval, OmopParquet, Table};

/// Whether a group's verdict is that of its parts, where one index event has
/// one row.
fn hangs_together(group: &AskedGroup) -> bool {
    let verdicts: Vec<bool> = group
        .parts
        .iter()
        .map(|part| match part {
            AskedPart::Events(asked) => asked.holds,
            AskedPart::Person { holds, .. } => *holds,
            AskedPart::Group(group) => group.holds,
        })
        .collect();
    let held = verdicts.iter().filter(|holds| **holds).count();
    let number = |rest: &str| rest.trim_end_matches(" of:").parse::<usize>().unwrap();
    let words = group.words.as_str();
    let expected = match words {
        "nothing is asked" => true,
        "all of:" => held == verdicts.len(),
        "any of:" => held > 0,
        _ => match (words.strip_prefix("at least "), words.strip_prefix("at most ")) {
            (Some(least), _) => held >= number(least),
            (_, Some(most)) => held <= number(most),
            _ => panic!("{words}"),
        },
    };
    let inner = group.parts.iter().all(|part| match part {
        AskedPart::Group(group) => hangs_together(group),
        _ => true,
    });
    expected == group.holds && inner
}

/// What must hold of every account.
fn is_sound(why: &Why, rows: &[Interval]) {
    let place = format!("definition {}", why.definition);
    assert_eq!(why.rows, rows, "{place}: {}", why.text());
    assert_eq!(why.is_in(), why.conclusion().starts_with("In the cohort"), "{place}");
    for event in &why.events {
        let additional = event.additional.as_ref().is_none_or(|group| group.holds);
        let rules = event.rules.iter().all(|rule| rule.group.holds);
        match event.fate {
            Fate::OutsideObservation => assert!(event.period.is_none(), "{place}"),
            Fate::TooLittleObservation | Fate::PrimaryLimit => {
                assert!(event.additional.is_none() && event.rules.is_empty(), "{place}");
            }
            Fate::Additional => assert!(!additional, "{place}: {}", why.text()),
            Fate::QualifiedLimit => assert!(additional && event.rules.is_empty(), "{place}"),
            Fate::Rules => assert!(additional && !rules, "{place}: {}", why.text()),
            Fate::ExpressionLimit | Fate::NoExit => assert!(additional && rules, "{place}"),
            Fate::Row => {
                assert!(additional && rules, "{place}: {}", why.text());
                // The first of the exits that are not before the event.
                let open = event.exits.iter().map(|(day, _)| *day).filter(|d| *d >= event.start);
                assert_eq!(event.exit, open.min(), "{place}: {}", why.text());
            }
        }
        let groups = event.additional.iter().chain(event.rules.iter().map(|rule| &rule.group));
        assert!(groups.into_iter().all(hangs_together), "{place}: {}", why.text());
        let found = &why.entry[event.criterion].found;
        let is_found = found.iter().any(|found| {
            let is_event = matches!(found.fate, Found::Event { .. });
            is_event && (found.start, found.end, found.id) == (event.start, event.end, event.id)
        });
        assert!(is_found, "{place}: {}", why.text());
    }
}

/// Every so many definitions of a reference folder, over every so many of its
/// persons.
fn agrees_with(folder: &str, definition_step: usize, person_step: usize) {
    let Some(folder) = shared(folder) else { return };
    let mut ids: Vec<i64> = fs::read_dir(folder.join("cohorts"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().path().file_stem()?.to_str()?.parse().ok())
        .collect();
    ids.sort_unstable();
    let read = |id: &i64| -> Definition {
        let text = fs::read_to_string(folder.join(format!("cohorts/{id}.json"))).unwrap();
        parse_circe(*id, &text).unwrap()
    };
    let definitions: Vec<Definition> = ids.iter().step_by(definition_step).map(read).collect();
    let omop = OmopParquet::open(Path::new(&folder.join("cdm"))).unwrap();
    let plan = Plan::new(
        &definitions,
        &omop
            .vocabulary_for(
                definitions
                    .iter()
                    .flat_map(|d| &d.expression.concept_sets)
                    .map(|set| &set.expression),
            )
            .unwrap(),
    );
    let shard = omop.shard(plan.needs()).unwrap();
    let site = Site::new(&omop.site(plan.needs()).unwrap());
    let cohorts = plan.evaluate(&shard, &site).unwrap().cohorts;
    let (mut inside, mut outside) = (0, 0);
    for person in (0..shard.persons().len()).step_by(person_step) {
        let accounts = plan.why(&definitions, &shard, &site, person).unwrap();
        for (why, cohort) in accounts.iter().zip(&cohorts) {
            let mine = cohort.entries.iter().filter(|(of, _)| *of as usize == person);
            let rows: Vec<Interval> = mine.map(|(_, days)| *days).collect();
            is_sound(why, &rows);
            if why.is_in() { inside += 1 } else { outside += 1 }
        }
    }
    assert!(inside > 20 && outside > 20, "{inside} in, {outside} out");
}

#[test]
fn accounts_agree_with_the_rows_of_phenotypes() {
    agrees_with("reference/circe", 4, 29);
}

#[test]
fn accounts_agree_with_the_rows_of_random_definitions() {
    agrees_with("reference/circe-random", 9, 41);
}

/// The account of person 1 in a small world.
fn account(definition: &str, tables: &[(Table, &str)]) -> Why {
    let definition = parse_circe(7, definition).unwrap();
    let mut world = World::default();
    for (table, text) in tables {
        world.add(*table, text);
    }
    world.complete();
    let mut accounts = world.why(&definition, 1);
    let (_, rows) = world.evaluate(&definition);
    let why = accounts.remove(0);
    let mine = rows.into_iter().filter(|(person, ..)| *person == 1);
    is_sound(&why, &mine.map(|(_, start, end)| Interval { start, end }).collect::<Vec<_>>());
    why
}

/// Stroke at 18 or older, a year of observation before, aspirin at most once
/// in the year before; out at death or 30 days later.
const STROKE: &str = r#"{
  "Title": "Stroke",
  "ConceptSets": [
    {"id": 0, "name": "stroke", "expression": {"items": [{"concept": {"CONCEPT_ID": 1}}]}},
    {"id": 1, "name": "aspirin", "expression": {"items": [{"concept": {"CONCEPT_ID": 2}}]}}
  ],
  "PrimaryCriteria": {
    "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0, "Age": {"Value": 18, "Op": "gte"}}}],
    "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
    "PrimaryCriteriaLimit": {"Type": "All"}
  },
  "ExpressionLimit": {"Type": "First"},
  "InclusionRules": [{"name": "little aspirin", "expression": {
    "Type": "ALL",
    "CriteriaList": [{
      "Criteria": {"DrugExposure": {"CodesetId": 1}},
      "StartWindow": {"Start": {"Days": 365, "Coeff": -1}, "End": {"Days": 1, "Coeff": -1}},
      "Occurrence": {"Type": 1, "Count": 1}
    }],
    "DemographicCriteriaList": [{"Gender": [{"CONCEPT_ID": 8532}]}],
    "Groups": []
  }}],
  "EndStrategy": {"DateOffset": {"DateField": "StartDate", "Offset": 30}},
  "CensoringCriteria": [{"Death": {}}]
}"#;

const DIAGNOSES: &str = "person_id condition_concept_id condition_start_date condition_end_date\n";
const DRUGS: &str = "person_id drug_concept_id drug_exposure_start_date\n";
const PERIOD: &str = "person_id observation_period_id observation_period_start_date \
                      observation_period_end_date\n1 1 2000-01-01 2029-12-31\n";

/// Diagnoses, drugs, and the day of death; what the account must say.
#[track_caller]
fn says(diagnoses: &str, drugs: &str, death: Option<&str>, parts: &[&str]) {
    let diagnoses = format!("{DIAGNOSES}{diagnoses}");
    let drugs = format!("{DRUGS}{drugs}");
    let died = death.map(|day| format!("1 {day}\n")).unwrap_or_default();
    let died = format!("person_id death_date\n{died}");
    let persons = "person_id gender_concept_id year_of_birth\n1 8532 1980\n";
    let why = account(
        STROKE,
        &[
            (Table::Person, persons),
            (Table::ObservationPeriod, PERIOD),
            (Table::ConditionOccurrence, &diagnoses),
            (Table::DrugExposure, &drugs),
            (Table::Death, &died),
        ],
    );
    let text = why.text();
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
}

#[test]
fn the_reason_is_named() {
    says(
        "1 9 2010-01-01 -\n",
        "",
        None,
        &["Not in the cohort: the person has no event with the concepts of the entry criteria."],
    );
    says(
        "1 1 1990-01-01 -\n1 1 1997-12-31 -\n",
        "",
        None,
        &[
            "of 2 events with the concepts of the entry criteria none meets what they ask",
            "1990-01-01 to 1990-01-02 (id 1): dropped: not true that age at least 18 years",
        ],
    );
    says(
        "1 1 2030-02-01 -\n",
        "",
        None,
        &["no observation period contains the entry event of 2030-02-01"],
    );
    says(
        "1 1 2000-04-10 -\n",
        "",
        None,
        &[
            "no entry event has 365 days of observation before it and 0 after it",
            "dropped: 100 days of observation before and 10857 after it in 2000-01-01 to 2029-12-31",
        ],
    );
    says(
        "1 1 2010-06-01 -\n",
        "1 2 2010-01-01\n1 2 2010-02-01\n1 2 2010-06-01\n",
        None,
        &[
            "the entry event of 2010-06-01 does not meet inclusion rule 1 'little aspirin'",
            "- not met: all of:",
            "- met: gender is one of the concepts 8532; gender concept 8532",
            "- not met: at most 1: drug exposure of 'aspirin'",
            "found 2: 2010-01-01, 2010-02-01",
            "- 2010-06-01 to 2010-06-02 (id 3): outside the window",
        ],
    );
}

#[test]
fn the_way_in_is_shown() {
    says(
        "1 1 2010-06-01 -\n1 1 2012-06-01 -\n",
        "",
        Some("2010-06-11"),
        &[
            "In the cohort: 2010-06-01 to 2010-06-11.",
            "2010-06-01 to 2010-06-02 (id 1): included",
            "dropped: it meets all rules, but the limit takes another event",
            "### Rule 1. little aspirin: met",
            "found 0",
            "2010-07-01: 30 days after the event's start, within observation; later than another",
            "2010-06-11: censored by death; the person leaves",
            "- row: 2010-06-01 to 2010-06-11",
        ],
    );
}
