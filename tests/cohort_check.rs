//! `farr cohort check`: exit codes, text, JSON lines.

use serde_json::Value;

use crate::binary::{root, say};
use crate::place::{Place, shared};

const SOUND: &str = r#"{
  "ConceptSets": [{"id": 0, "name": "stroke", "expression": {"items": [{"concept": {"CONCEPT_ID": 372924}}]}}],
  "PrimaryCriteria": {"CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}]}
}"#;

/// What `--log json` says, line by line.
fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_can_be_run_passes() {
    let pipelines = root().join("pipelines/cohorts").display().to_string();
    say(&["cohort", "check", &pipelines]).ends_with(0).says(&[
        "4 definitions: 0 critical, 0 warnings",
        "stroke.json",
        "record-type at entry",
    ]);
    say(&["cohort", "check", &pipelines, "--severity", "warning"])
        .ends_with(0)
        .keeps(&["record-type"]);
}

#[test]
fn a_critical_finding_fails() {
    let place = Place::new();
    let sound = place.write("definitions/1.json", SOUND);
    let unused = SOUND.replace("{\"CodesetId\": 0}", "{}");
    place.write("definitions/2.json", unused);
    let folder = place.path("definitions").display().to_string();
    say(&["cohort", "check", &sound.display().to_string()]).ends_with(0);
    // A warning is no failure.
    say(&["cohort", "check", &folder]).ends_with(0).says(&[
        "2 definitions: 0 critical, 2 warnings, 2 notes",
        "warning   unused-concept-set at $.ConceptSets[0]",
        "concept set 'stroke' is used by no criterion; use it, or take it out",
    ]);
    place.write("definitions/3.json", "{\"ConceptSets\": [");
    place.write("definitions/4.toml", "[entry]\ndomain = \"conditon\"\n");
    place.write("definitions/5.json", SOUND.replace("\"CodesetId\": 0", "\"CodesetId\": 9"));
    let said = say(&["cohort", "check", &folder, "--log", "json"]).ends_with(2);
    let lines = lines(&said.out);
    let (last, findings) = lines.split_last().unwrap();
    assert_eq!(last["status"], "failed");
    assert_eq!(last["definitions"], 5);
    assert_eq!(last["critical"], 3);
    assert_eq!(last["exit_code"], 2);
    let critical: Vec<&Value> = findings.iter().filter(|f| f["severity"] == "critical").collect();
    assert_eq!(critical.len(), 3, "{findings:?}");
    for (finding, (file, path)) in critical.iter().zip([
        ("3.json", "$"),
        ("4.toml", "file"),
        ("5.json", "$.PrimaryCriteria.CriteriaList[0].ConditionOccurrence.CodesetId"),
    ]) {
        assert!(finding["file"].as_str().unwrap().ends_with(file), "{finding}");
        assert_eq!(finding["check"], "malformed");
        assert_eq!(finding["path"], path);
        assert!(!finding["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    let missing = place.path("missing.json").display().to_string();
    say(&["cohort", "check", &missing]).ends_with(2).says(&["missing.json"]);
    let empty = place.write("empty/readme.md", "").parent().unwrap().display().to_string();
    say(&["cohort", "check", &empty]).ends_with(2).says(&["no definitions here"]);
    say(&["cohort", "check"]).ends_with(2);
}

/// The field's own examples: the incorrect ones of a critical check fail.
#[test]
fn ohdsi_examples_fail_as_they_should() {
    let Some(folder) = shared("data/circe-checks") else { return };
    let check = |name: &str| {
        let file = folder.join(name).display().to_string();
        say(&["cohort", "check", &file, "--log", "json"])
    };
    let found = |out: &str, check: &str| lines(out).iter().any(|line| line["check"] == check);
    let incorrect = check("censoringEventCheckValueIncorrect.json").ends_with(2);
    assert!(found(&incorrect.out, "range"));
    let correct = check("censoringEventCheckValueCorrect.json");
    assert!(!found(&correct.out, "range"));
    // Warnings only.
    let incorrect = check("eventsProgressionCheckIncorrect.json").ends_with(0);
    assert!(found(&incorrect.out, "limit-progression"));
}

#[test]
fn help_teaches() {
    say(&["cohort", "check", "--help"]).ends_with(0).says(&[
        "Examples:",
        "Exit codes:",
        "critical",
    ]);
}
