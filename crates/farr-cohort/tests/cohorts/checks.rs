//! The checks of definitions: OHDSI's own examples, ours, and what must hold
//! of every definition.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use farr_cohort::{Check, Finding, Severity, check_circe, check_short, parse_circe, parse_short};

/// Where the shared data is; `None`, said aloud, if it is not there.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// The JSON files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let json = entries.filter(|path| path.extension().is_some_and(|e| e == "json"));
    json.map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    })
    .collect()
}

fn found_by(findings: &[Finding], check: Check) -> usize {
    findings.iter().filter(|finding| finding.check == check).count()
}

/// Which checks a file of OHDSI's examples is for, by the first part of its
/// name, and how often something must be found in the incorrect one, at least:
/// as often as the reference finds it, a range without both values once.
const EXAMPLES: &[(&str, &[(Check, usize)])] = &[
    (
        "primaryCriteriaCheckValue",
        &[(Check::Range, 75), (Check::EmptyConcepts, 61), (Check::EmptyText, 5)],
    ),
    (
        "additionalCriteriaCheckValue",
        &[(Check::Range, 33), (Check::EmptyConcepts, 23), (Check::EmptyText, 2)],
    ),
    (
        "inclusionRulesCheckValue",
        &[(Check::Range, 28), (Check::EmptyConcepts, 18), (Check::EmptyText, 2)],
    ),
    (
        "censoringEventCheckValue",
        &[(Check::Range, 23), (Check::EmptyConcepts, 9), (Check::EmptyText, 6)],
    ),
    ("conceptSetCriteriaCheck", &[(Check::NoConceptSet, 13)]),
    ("contradictionsCriteriaCheck", &[(Check::Contradiction, 2)]),
    ("deathTimeWindowCheck", &[(Check::DeathBeforeIndex, 2)]),
    ("domainTypeCheck", &[(Check::RecordType, 1)]),
    ("drugDomainCheck", &[(Check::DrugNotInExit, 1)]),
    ("drugEraCheck", &[(Check::DrugEra, 1)]),
    ("duplicatesConceptSetCheck", &[(Check::DuplicateConceptSets, 1)]),
    ("duplicatesCriteriaCheck", &[(Check::DuplicateCriteria, 17)]),
    ("emptyDemographicCheck", &[(Check::EmptyDemographic, 1)]),
    ("eventsProgressionCheck", &[(Check::LimitProgression, 2)]),
    ("timePatternCheck", &[(Check::WindowPattern, 3)]),
];

/// Every incorrect example is found by the check it is for, every correct one
/// is not.
#[test]
fn ohdsi_examples_are_told_apart() {
    let Some(folder) = shared("data/circe-checks") else { return };
    let files = files(&folder);
    let mut unknown: Vec<&String> = files.keys().collect();
    for (name, checks) in EXAMPLES {
        let correct = format!("{name}Correct");
        let incorrect = format!("{name}Incorrect");
        unknown.retain(|file| **file != correct && **file != incorrect);
        let correct = check_circe(&files[&correct]);
        let incorrect = check_circe(&files[&incorrect]);
        for (check, times) in *checks {
            assert_eq!(found_by(&correct, *check), 0, "{name}, {check}: {correct:#?}");
            let found = found_by(&incorrect, *check);
            assert!(found >= *times, "{name}, {check}: {found} times, not {times}");
        }
    }
    // Files named otherwise: the check, and how often it finds something.
    let others = [
        ("childGroupExpression", Check::UnusedConceptSet, 0),
        ("conceptSetWithDuplicateItems", Check::Malformed, 1),
        ("emptyCensoringCriteriaList", Check::EmptyDemographic, 0),
        ("emptyCorrelatedCriteria", Check::Range, 0),
        ("emptyInclusionRules", Check::Range, 0),
        ("emptyInclusionRules", Check::IncompleteRule, 1),
        ("emptyPrimaryCriteriaList", Check::Range, 0),
        ("emptyPrimaryCriteriaList", Check::NoInitialEvent, 1),
        ("noExitCriteriaCheck", Check::NoExit, 0),
        ("noExitCriteriaCheckEarliestEvent", Check::NoExit, 1),
        ("unusedConceptSet", Check::UnusedConceptSet, 13),
        ("unusedConceptSetCorrect", Check::UnusedConceptSet, 0),
    ];
    for (name, check, times) in others {
        unknown.retain(|file| *file != name);
        let findings = check_circe(&files[name]);
        assert_eq!(found_by(&findings, check), times, "{name}, {check}: {findings:#?}");
    }
    assert!(unknown.is_empty(), "examples that no test reads: {unknown:?}");
}

/// What cannot be run is critical, and what is malformed cannot be run.
fn agrees_with_the_reader(name: &str, text: &str) {
    let findings = check_circe(text);
    let is_critical = findings.iter().any(|f| f.severity == Severity::Critical);
    let is_malformed = found_by(&findings, Check::Malformed) > 0;
    match parse_circe(0, text) {
        Ok(_) => assert!(!is_malformed, "{name} can be run: {findings:#?}"),
        Err(error) => assert!(is_critical, "{name} cannot be run: {error}"),
    }
}

#[test]
fn the_checks_agree_with_the_reader() {
    for folder in [
        "data/circe-checks",
        "reference/circe/cohorts",
        "reference/circe-random/cohorts",
        "reference/gibleed/cohorts",
    ] {
        let Some(folder) = shared(folder) else { return };
        for (name, text) in files(&folder) {
            agrees_with_the_reader(&name, &text);
        }
    }
}

/// Puts each of some odd values in each place of a JSON value, one at a time.
fn with_odd_values(value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    let odd = [
        json!(null),
        json!(3),
        json!(-1),
        json!(i64::MIN),
        json!(1e300),
        json!(true),
        json!("x"),
        json!(""),
        json!("2010-13-45"),
        json!([]),
        json!([{}]),
        json!({}),
    ];
    let mut places = Vec::new();
    pointers(value, String::new(), &mut places);
    for place in &places {
        for odd in &odd {
            let mut changed = value.clone();
            *changed.pointer_mut(place).unwrap() = odd.clone();
            visit(&format!("{odd} at {place}"), &changed);
        }
    }
}

/// JSON pointers to every value.
fn pointers(value: &Value, here: String, places: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| pointers(inner, format!("{here}/{key}"), places));
        }
        Value::Array(list) => {
            let places_of = |(i, inner): (usize, &Value)| {
                pointers(inner, format!("{here}/{i}"), places);
            };
            list.iter().enumerate().for_each(places_of);
        }
        _ => {}
    }
    places.push(here);
}

/// Whatever stands in a place, nothing panics, what cannot be run is critical,
/// and what can be run is not malformed.
#[test]
fn odd_values_anywhere_are_findings() {
    let mut sources = vec![("a sound definition".to_owned(), SOUND.to_owned())];
    if let Some(folder) = shared("reference/circe-random/cohorts") {
        // The small ones, about two features each.
        let small = files(&folder).into_iter().filter(|(_, text)| text.len() < 3_000);
        sources.extend(small.step_by(60));
    }
    for (name, text) in sources {
        let value: Value = serde_json::from_str(&text).unwrap();
        with_odd_values(&value, &mut |change, changed| {
            agrees_with_the_reader(&format!("{name} with {change}"), &changed.to_string());
        });
    }
}

/// A definition in which some text is exchanged.
fn with(from: &str, to: &str) -> Vec<Finding> {
    assert!(SOUND.contains(from), "{from}");
    check_circe(&SOUND.replacen(from, to, 1))
}

/// A definition of which nothing bad is to be said.
const SOUND: &str = r#"{
  "ConceptSets": [
    {"id": 0, "name": "stroke", "expression": {"items": [{"concept": {"CONCEPT_ID": 372924}, "includeDescendants": true}]}},
    {"id": 1, "name": "aspirin", "expression": {"items": [{"concept": {"CONCEPT_ID": 1112807}, "isExcluded": false}]}}
  ],
  "PrimaryCriteria": {
    "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0, "First": true, "Age": {"Value": 18, "Op": "gte"}}}],
    "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
    "PrimaryCriteriaLimit": {"Type": "First"}
  },
  "InclusionRules": [{"name": "no aspirin", "expression": {
    "Type": "ALL",
    "CriteriaList": [{
      "Criteria": {"DrugExposure": {"CodesetId": 1, "First": false}},
      "StartWindow": {"Start": {"Days": 365, "Coeff": -1}, "End": {"Days": 0, "Coeff": -1}},
      "Occurrence": {"Type": 0, "Count": 0}
    }],
    "DemographicCriteriaList": [{"Age": {"Value": 90, "Op": "lt"}}],
    "Groups": []
  }}],
  "EndStrategy": {"DateOffset": {"DateField": "StartDate", "Offset": 30}},
  "CensorWindow": {"StartDate": "2010-01-01"}
}"#;

#[test]
fn a_sound_definition_has_no_finding_but_record_types() {
    let findings = check_circe(SOUND);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].check, Check::RecordType);
    assert_eq!(findings[0].severity, Severity::Info);
}

/// One mistake at a time: its check, its place, and a word of how to mend it.
#[test]
fn each_mistake_is_named_with_its_place() {
    let rule = "$.InclusionRules[0].expression";
    let window = format!("{rule}.CriteriaList[0].StartWindow");
    let entry = "$.PrimaryCriteria.CriteriaList[0].ConditionOccurrence";
    let second = r#"{"Criteria": {"DrugExposure": {"CodesetId": 1, "First": false}},
      "StartWindow": {"Start": {"Days": 30, "Coeff": -1}, "End": {"Days": 0, "Coeff": -1}},
      "Occurrence": {"Type": 2, "Count": 1}}, {
      "Criteria": {"DrugExposure""#;
    let cases: &[(&str, &str, Check, Severity, &str, &str)] = &[
        (
            "\"First\": true",
            "\"Fist\": true",
            Check::Malformed,
            Severity::Critical,
            &format!("{entry}.Fist"),
            "no key 'Fist'",
        ),
        (
            "\"PriorDays\": 365",
            "\"PriorDays\": \"many\"",
            Check::Malformed,
            Severity::Critical,
            "$.PrimaryCriteria.ObservationWindow.PriorDays",
            "expected a number",
        ),
        (
            "{\"CodesetId\": 0,",
            "{\"CodesetId\": 7,",
            Check::Malformed,
            Severity::Critical,
            &format!("{entry}.CodesetId"),
            "no concept set 7",
        ),
        (
            "{\"ConditionOccurrence\": {\"CodesetId\": 0, \"First\": true, \"Age\": {\"Value\": 18, \"Op\": \"gte\"}}}",
            "",
            Check::NoInitialEvent,
            Severity::Critical,
            "$.PrimaryCriteria",
            "nobody can enter",
        ),
        (
            "{\"concept\": {\"CONCEPT_ID\": 1112807}, \"isExcluded\": false}",
            "",
            Check::EmptyConceptSet,
            Severity::Critical,
            "$.ConceptSets[1]",
            "holds no concept",
        ),
        (
            "\"isExcluded\": false",
            "\"isExcluded\": true",
            Check::EmptyConceptSet,
            Severity::Critical,
            "$.ConceptSets[1]",
            "only takes concepts out",
        ),
        (
            "{\"CodesetId\": 1,",
            "{\"CodesetId\": 0,",
            Check::UnusedConceptSet,
            Severity::Warning,
            "$.ConceptSets[1]",
            "'aspirin' is used by no criterion",
        ),
        (
            "{\"concept\": {\"CONCEPT_ID\": 1112807}, \"isExcluded\": false}",
            "{\"concept\": {\"CONCEPT_ID\": 372924}, \"includeDescendants\": true}",
            Check::DuplicateConceptSets,
            Severity::Warning,
            "$.ConceptSets[1]",
            "holds the same concepts as concept set 'stroke'",
        ),
        (
            "\"CONCEPT_ID\": 1112807",
            "\"CONCEPT_ID\": 372924",
            Check::DuplicateConceptSets,
            Severity::Info,
            "$.ConceptSets[1]",
            "differs only in",
        ),
        (
            "{\"id\": 1,",
            "{\"id\": 0,",
            Check::DuplicateConceptSets,
            Severity::Warning,
            "$.ConceptSets[1]",
            "an id of its own",
        ),
        ("{\"CodesetId\": 0, ", "{", Check::NoConceptSet, Severity::Warning, entry, "any counts"),
        (
            "{\"CONCEPT_ID\": 372924}",
            "{\"CONCEPT_ID\": 372924, \"DOMAIN_ID\": \"Drug\"}",
            Check::DrugNotInExit,
            Severity::Info,
            entry,
            "does not follow exposure",
        ),
        (
            "{\"Value\": 18, \"Op\": \"gte\"}",
            "{\"Op\": \"gte\"}",
            Check::Range,
            Severity::Critical,
            &format!("{entry}.Age"),
            "no value to compare",
        ),
        (
            "{\"Value\": 18, \"Op\": \"gte\"}",
            "{\"Value\": 18, \"Op\": \"bt\"}",
            Check::Range,
            Severity::Critical,
            &format!("{entry}.Age"),
            "add 'Extent'",
        ),
        (
            "{\"Value\": 18, \"Op\": \"gte\"}",
            "{\"Value\": 18, \"Extent\": 12, \"Op\": \"bt\"}",
            Check::Range,
            Severity::Critical,
            &format!("{entry}.Age"),
            "from 18 to 12",
        ),
        (
            "{\"Value\": 18, \"Op\": \"gte\"}",
            "{\"Value\": 0, \"Op\": \"lt\"}",
            Check::Range,
            Severity::Warning,
            &format!("{entry}.Age"),
            "never negative",
        ),
        (
            "\"2010-01-01\"",
            "\"soon\"",
            Check::Range,
            Severity::Critical,
            "$.CensorWindow",
            "'soon' is no date",
        ),
        (
            "\"2010-01-01\"",
            "\"2010-01-01\", \"EndDate\": \"2009-01-01\"",
            Check::Range,
            Severity::Critical,
            "$.CensorWindow",
            "before it",
        ),
        (
            "\"PriorDays\": 365",
            "\"PriorDays\": -365",
            Check::Range,
            Severity::Critical,
            "$.PrimaryCriteria",
            "not negative",
        ),
        (
            "\"Days\": 365, \"Coeff\": -1",
            "\"Days\": -365, \"Coeff\": 1",
            Check::Range,
            Severity::Critical,
            &window,
            "let Coeff say",
        ),
        (
            "\"First\": true",
            "\"Gender\": []",
            Check::EmptyConcepts,
            Severity::Critical,
            &format!("{entry}.Gender"),
            "has no concept",
        ),
        (
            "\"First\": true",
            "\"GenderCS\": {}",
            Check::EmptySelection,
            Severity::Critical,
            &format!("{entry}.GenderCS"),
            "CodesetId",
        ),
        (
            "\"First\": true",
            "\"StopReason\": {\"Op\": \"contains\"}",
            Check::EmptyText,
            Severity::Warning,
            &format!("{entry}.StopReason"),
            "no text",
        ),
        (
            "{\"Age\": {\"Value\": 90, \"Op\": \"lt\"}}",
            "{}",
            Check::EmptyDemographic,
            Severity::Warning,
            &format!("{rule}.DemographicCriteriaList[0]"),
            "asks nothing",
        ),
        (
            "{\"Age\": {\"Value\": 90, \"Op\": \"lt\"}}",
            "{\"Age\": {\"Value\": 90, \"Op\": \"lt\"}}, {\"Age\": {\"Value\": 90, \"Op\": \"gte\"}}",
            Check::DemographicConflict,
            Severity::Warning,
            &format!("{rule}.DemographicCriteriaList[1]"),
            "no person meets both",
        ),
        (
            "{\"Age\": {\"Value\": 90, \"Op\": \"lt\"}}",
            "{\"Age\": {\"Value\": 90, \"Op\": \"lt\"}}, {\"Age\": {\"Value\": 90, \"Op\": \"lt\"}}",
            Check::DemographicConflict,
            Severity::Warning,
            &format!("{rule}.DemographicCriteriaList[1]"),
            "repeats",
        ),
        (
            "\"Type\": \"ALL\"",
            "\"Type\": \"AT_LEAST\", \"Count\": 3",
            Check::GroupCount,
            Severity::Warning,
            rule,
            "never holds",
        ),
        (
            "\"Type\": 0, \"Count\": 0",
            "\"Type\": 2, \"Count\": 0",
            Check::AtLeastNone,
            Severity::Warning,
            &format!("{rule}.CriteriaList[0]"),
            "exactly 0",
        ),
        (
            "{\n      \"Criteria\": {\"DrugExposure\"",
            second,
            Check::Contradiction,
            Severity::Warning,
            &format!("{rule}.CriteriaList[1]"),
            "nobody meets both",
        ),
        (
            "{\n      \"Criteria\": {\"DrugExposure\"",
            second,
            Check::DuplicateCriteria,
            Severity::Info,
            &format!("{rule}.CriteriaList[1].Criteria.DrugExposure"),
            "the same events",
        ),
        (
            "\"Days\": 365, \"Coeff\": -1",
            "\"Days\": 365, \"Coeff\": 1",
            Check::ImpossibleWindow,
            Severity::Critical,
            &window,
            "exchange its ends",
        ),
        (
            "\"Days\": 365, \"Coeff\": -1",
            "\"Days\": 366, \"Coeff\": -1",
            Check::WindowBeyondObservation,
            Severity::Info,
            &window,
            "366 days long",
        ),
        (
            "\"DrugExposure\": {\"CodesetId\": 1, \"First\": false}",
            "\"Death\": {\"CodesetId\": 1}",
            Check::DeathBeforeIndex,
            Severity::Warning,
            &window,
            "no later events",
        ),
        (
            ", \"First\": false",
            "",
            Check::NotFirstInHistory,
            Severity::Info,
            &format!("{rule}.CriteriaList[0].Criteria.DrugExposure"),
            "set First",
        ),
        (
            "\"EndStrategy\": {\"DateOffset\": {\"DateField\": \"StartDate\", \"Offset\": 30}}",
            "\"EndStrategy\": {\"CustomEra\": {\"GapDays\": 30}}",
            Check::ExitDrugs,
            Severity::Critical,
            "$.EndStrategy",
            "names no drugs",
        ),
        (
            "\"Offset\": 30",
            "\"Offset\": 0",
            Check::ExitOffset,
            Severity::Warning,
            "$.EndStrategy",
            "greater than 0",
        ),
        (
            "\"EndStrategy\"",
            "\"QualifiedLimit\": {\"Type\": \"All\"}, \"EndStrategy\"",
            Check::LimitProgression,
            Severity::Warning,
            "$.QualifiedLimit",
            "loosen",
        ),
    ];
    for (from, to, check, severity, path, words) in cases {
        let findings = with(from, to);
        let is_it = |finding: &&Finding| {
            finding.check == *check && finding.path == *path && finding.message.contains(words)
        };
        let Some(finding) = findings.iter().find(is_it) else {
            panic!("{check} at {path} is not in {findings:#?}");
        };
        assert_eq!(finding.severity, *severity, "{finding:?}");
    }
    let tried: Vec<Check> = cases.iter().map(|case| case.2).collect();
    // These have examples of their own above.
    let others = [Check::IncompleteRule, Check::WindowPattern, Check::DrugEra, Check::NoExit];
    for check in Check::ALL {
        let has_case = tried.contains(check) || others.contains(check);
        assert!(has_case || *check == Check::RecordType, "{check} has no case");
    }
}

#[test]
fn what_is_no_definition_is_named() {
    for text in ["", "{", "[]", "3", "{\"items\": []}", "{\"expression\": \"{\"}"] {
        let findings = check_circe(text);
        assert!(findings.iter().any(|f| f.check == Check::Malformed), "{text}: {findings:?}");
        assert_eq!(findings[0].severity, Severity::Critical);
    }
}

#[test]
fn atlas_wrappers_are_taken_off() {
    let object = format!("{{\"id\": 1, \"name\": \"n\", \"expression\": {SOUND}}}");
    let text = serde_json::json!({"id": 1, "expression": SOUND}).to_string();
    for wrapped in [object, text] {
        let findings = check_circe(&wrapped);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].path.starts_with("$.expression."), "{findings:?}");
    }
}

#[test]
fn the_short_form_is_checked_too() {
    const FORM: &str = r#"
        name = "stroke"
        [entry]
        domain = "condition"
        concepts = [372924]
        prior_observation_days = 365
        [[rule]]
        name = "aspirin"
        domain = "drug"
        concepts = [1112807]
        window = [-365, -1]
        [exit]
        after_days = 30
    "#;
    assert!(parse_short(0, FORM).is_ok());
    let findings = check_short(FORM);
    assert!(findings.iter().all(|f| f.severity == Severity::Info), "{findings:#?}");
    let has = |text: &str, check: Check, path: &str| {
        let findings = check_short(text);
        let is_there = findings.iter().any(|f| f.check == check && f.path == path);
        assert!(is_there, "{check} at {path} is not in {findings:#?}");
    };
    has(&FORM.replace("after_days = 30", "after_days = 0"), Check::ExitOffset, "exit");
    has(
        &FORM.replace("[-365, -1]", "[-999, -1]"),
        Check::WindowBeyondObservation,
        "rule[0].window",
    );
    has(&FORM.replace("window =", "min = 0\nwindow ="), Check::AtLeastNone, "rule[0]");
    has(&FORM.replace("[-365, -1]", "[-1, -365]"), Check::Malformed, "rule[0] 'aspirin'.window");
    has(&FORM.replace("name = \"stroke\"", "nam = \"stroke\""), Check::Malformed, "file");
}

/// The reference page has a row for every check, with its severity and class.
#[test]
fn the_page_names_every_check() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cohort-check.md");
    let page = fs::read_to_string(page).unwrap();
    for check in Check::ALL {
        let start = format!("| `{check}` | {} | ", check.severity());
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row starts with '{start}'"));
        let class = check.reference().map_or_else(|| "| |".to_owned(), |c| format!("| `{c}` |"));
        assert!(row.ends_with(&class), "{row} does not end with {class}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Check::ALL.len());
}
