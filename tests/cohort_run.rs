//! `farr cohort run`: a folder of definitions, some of which cannot be run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::{Said, farr, say};
use crate::place::{Place, population_omop, shared};

const HYPERTENSION: &str = r#"{
  "ConceptSets": [{ "id": 0, "name": "hypertension", "expression": { "items": [
    { "concept": { "CONCEPT_ID": 320128, "CONCEPT_CODE": "59621000", "VOCABULARY_ID": "SNOMED" } }
  ] } }],
  "PrimaryCriteria": { "CriteriaList": [{ "ConditionOccurrence": { "CodesetId": 0 } }] }
}"#;

/// An entry criterion with what is put in for the dots.
fn with_group(group: &str) -> String {
    HYPERTENSION.replace(
        r#""CodesetId": 0 }"#,
        &format!(r#""CodesetId": 0, "CorrelatedCriteria": {group} }}"#),
    )
}

fn run(place: &Place, more: &[&str]) -> Said {
    let path = |name: &str| place.path(name).display().to_string();
    let omop = population_omop().folder.display().to_string();
    let (definitions, out) = (path("definitions"), path("out"));
    let arguments =
        ["cohort", "run", "--definitions", &definitions, "--omop", &omop, "--out", &out];
    Said::of(&farr().args(arguments).args(more).output().unwrap())
}

#[test]
fn what_cannot_be_run_is_named_and_the_others_run() {
    let place = Place::new();
    let write = |name: &str, text: &str| drop(place.write(&format!("definitions/{name}"), text));
    write("stroke 4.json", HYPERTENSION);
    write("5.json", &HYPERTENSION.replace("CodesetId\": 0", "CodesetId\": \"none\""));
    write("6.json", &HYPERTENSION.replace("CodesetId\": 0", "CodesetIds\": 0"));
    write("7.json", &HYPERTENSION.replace("CodesetId\": 0", "CodesetId\": 1"));
    write("8.json", &HYPERTENSION.replace('}', ""));
    write("hypertension.json", HYPERTENSION);
    write("9.json", &with_group(r#"{ "Type": "SOME", "CriteriaList": [] }"#));
    // A group that asks for nothing always holds.
    write("10.json", &with_group(r#"{ "Type": "ALL", "CriteriaList": [], "Groups": [] }"#));
    let nested = r#"{ "Type": "ALL", "Groups": ["#.repeat(200) + &"]}".repeat(200);
    write("11.json", &with_group(&nested));
    let said = run(&place, &["--log", "json"]).ends_with(6);
    let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["status"], "done_in_part");
    assert_eq!(last["definitions"], 2);
    assert!(last["seconds"]["evaluate"].is_number());
    let refused = last["refused"].as_object().unwrap();
    let reasons = [
        ("5.json", "$.PrimaryCriteria.CriteriaList[0].ConditionOccurrence.CodesetId: found 'none'"),
        (
            "6.json",
            "$.PrimaryCriteria.CriteriaList[0].ConditionOccurrence: unknown key 'CodesetIds'",
        ),
        ("7.json", "CodesetId: the definition has no concept set 1"),
        ("8.json", "not JSON"),
        ("9.json", "$.PrimaryCriteria.CriteriaList[0].ConditionOccurrence.CorrelatedCriteria.Type"),
        ("11.json", "not JSON"),
        ("hypertension.json", "no id"),
    ];
    assert_eq!(refused.len(), reasons.len(), "{refused:?}");
    for (file, reason) in reasons {
        assert!(refused[file].as_str().unwrap().contains(reason), "{file}: {}", refused[file]);
    }
    let rows = fs::metadata(place.path("out/cohort.parquet")).unwrap().len();
    assert!(rows > 0);
}

#[test]
fn little_memory_gives_the_same_bytes() {
    let place = Place::new();
    place.write("definitions/4.json", HYPERTENSION);
    run(&place, &[]).ends_with(0).says(&["evaluate"]);
    let whole = fs::read(place.path("out/cohort.parquet")).unwrap();
    run(&place, &["--memory", "64MiB", "--threads", "1"]).ends_with(0);
    assert_eq!(fs::read(place.path("out/cohort.parquet")).unwrap(), whole);
    run(&place, &["--memory", "little"]).ends_with(2).says(&["--memory", "4GiB"]);
}

/// The tables that definitions give, as they lie.
fn tables(place: &Place, definitions: &Path, input: [&str; 2]) -> BTreeMap<PathBuf, Vec<u8>> {
    let (definitions, out) = (definitions.display().to_string(), place.path("out"));
    let arguments = ["cohort", "run", "--definitions", &definitions, "--out"];
    let command = [&arguments[..], &[out.to_str().unwrap()], &input].concat();
    say(&command).ends_with(0);
    let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// Over records, ids and ends of events are read only where something asks for
/// them. Every definition still gives what it gives over the tables as they lie,
/// which `farr-xtask` holds against the reference: all at once, and alone.
#[test]
fn records_give_what_the_tables_give() {
    for folder in ["reference/circe", "reference/circe-random", "reference/gibleed"] {
        let Some(folder) = shared(folder) else { return };
        let place = Place::new();
        let (records, cdm) = (place.path("records"), folder.join("cdm"));
        let (records, cdm) = (records.to_str().unwrap(), cdm.to_str().unwrap());
        let job = format!(
            "[job]\nname = \"job\"\n[locations]\nexports.url = {cdm:?}\nrecords.url = {records:?}\n\
             reports.url = \"reports\"\n[[source]]\nformat = \"omop\"\nlocation = \"exports\"\n\
             system = \"reference\"\n[records]\nlocation = \"records\"\nshards = 4\n[report]\n\
             location = \"reports\"\n"
        );
        place.write("job.toml", &job);
        say(&["ingest", place.path("job.toml").to_str().unwrap()]).ends_with(0);
        let over = |definitions: &Path| {
            let given = tables(&place, definitions, ["--records", records]);
            assert_eq!(given.len(), 5);
            let expected = tables(&place, definitions, ["--omop", cdm]);
            assert!(given == expected, "{} gives other rows", definitions.display());
        };
        over(&folder.join("cohorts"));
        let definitions = fs::read_dir(folder.join("cohorts")).unwrap();
        let mut definitions: Vec<PathBuf> = definitions.map(|file| file.unwrap().path()).collect();
        definitions.sort();
        for definition in definitions.iter().step_by(10) {
            let name = definition.file_name().unwrap().to_str().unwrap();
            let alone = place.path(&format!("alone-{name}"));
            fs::create_dir(&alone).unwrap();
            fs::copy(definition, alone.join(name)).unwrap();
            over(&alone);
        }
    }
}

#[test]
fn two_definitions_with_one_id_stop_the_run() {
    let place = Place::new();
    place.write("definitions/4.json", HYPERTENSION);
    place.write("definitions/stroke 4.json", HYPERTENSION);
    run(&place, &[]).ends_with(2).says(&["4.json", "stroke 4.json"]);
}

#[test]
fn records_need_no_memory_flag() {
    let arguments =
        ["cohort", "run", "--definitions", "d", "--records", "r", "--memory", "1GB", "--out", "o"];
    say(&arguments).ends_with(2);
}
