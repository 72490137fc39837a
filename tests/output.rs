//! What people and schedulers get to see, and what becomes visible when.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{farr, say};
use crate::place::{Place, main_job, population};

fn lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    text.lines().map(parse).collect()
}

#[test]
fn a_new_report_is_seen_when_it_is_whole_and_a_failed_run_not_at_all() {
    let place = Place::new();
    let export = population();
    let latest = || fs::read_link(place.path("reports/latest")).unwrap();
    place.run(&main_job(), &export, &[]).ends_with(0);
    let (first, files) = (latest(), place.report().files());
    assert_eq!(place.published(), 1);
    let unknown = ["--set", "source.0.columns={patients={birthdate=\"NOWHERE\"}}"];
    place.run(&main_job(), &export, &unknown).ends_with(3);
    let lacking = ["--set", "source.0.files={conditions=\"nowhere.csv\"}"];
    place.run(&main_job(), &export, &lacking).ends_with(2);
    assert_eq!((latest(), place.published()), (first.clone(), 1));
    assert_eq!(place.report().files(), files);
    place.run(&main_job(), &export, &["--force"]).ends_with(0);
    assert_ne!(latest(), first);
    assert_eq!(place.published(), 2);
    assert_eq!(place.report().files(), files);
    // The old report still stands where it stood.
    assert!(place.path("reports").join(first).join("manifest.json").exists());
}

#[test]
fn json_lines_for_machines() {
    let place = Place::new();
    let said = place.run(&main_job(), &population(), &["--log", "json"]).ends_with(0);
    assert_eq!(said.err, "");
    let lines = lines(&said.out);
    let (last, events) = lines.split_last().unwrap();
    for stage in ["pull", "records", "cohorts", "reports"] {
        for event in ["started", "finished"] {
            let is = |line: &&Value| line["event"] == event && line["stage"] == stage;
            assert_eq!(events.iter().filter(is).count(), 1, "{event} {stage}");
        }
    }
    assert_eq!(last["status"], "done");
    let report = last["report"].as_str().unwrap();
    assert!(report.ends_with(last["run_id"].as_str().unwrap()), "{report}");
    assert!(fs::exists(format!("{report}/manifest.json")).unwrap());
    assert_eq!(last["job_hash"], place.report().manifest()["origin"]["job_hash"]);
}

#[test]
fn a_failure_is_the_last_json_line() {
    let place = Place::new();
    let more = [
        "--log",
        "json",
        "--max-rejects",
        "0",
        "--set",
        "source.0.columns.patients={gender=\"x\"}",
    ];
    let said = place.run(&main_job(), &population(), &more).ends_with(3);
    let last = lines(&said.out).pop().unwrap();
    assert_eq!((&last["status"], &last["failure"]), (&"failed".into(), &"data".into()));
    assert_eq!(last["exit_code"], 3);
    assert!(last["message"].as_str().unwrap().contains("'patients'"), "{last}");
}

#[test]
fn quiet_says_nothing_but_errors() {
    let place = Place::new();
    let said = place.run(&main_job(), &population(), &["--quiet"]).ends_with(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    let said = place.run(&main_job(), &population(), &["--quiet", "--threads", "0"]).ends_with(2);
    assert_eq!((said.out.as_str(), said.err.lines().count()), ("", 1));
}

/// What is printed of an open report gives nobody away either.
#[test]
fn the_terminal_follows_the_reports_zone() {
    let place = Place::new();
    let counts = |text: &str| text.lines().any(|line| line.contains("rejected"));
    let said = place.run(&main_job(), &population(), &[]).ends_with(0);
    assert!(counts(&said.out) && said.err.contains("300 persons"), "{}\n{}", said.out, said.err);
    let open = ["--force", "--set", "locations.reports.zone=open"];
    let said = place.run(&main_job(), &population(), &open).ends_with(0);
    assert!(!counts(&said.out), "{}", said.out);
    for (stage, summary) in
        [("pull", "18 objects ("), ("records", "1 shard ("), ("cohorts", "4 cohorts, 5 analyses (")]
    {
        let line = said.err.lines().find(|line| line.starts_with(stage)).unwrap();
        assert!(line[stage.len()..].trim_start().starts_with(summary), "{line}");
    }
    // Of all but the run's id, whose digits are a time's.
    let of_persons = said.out.lines().filter(|line| !line.starts_with("reports: "));
    assert!(of_persons.clone().count() > 8, "{}", said.out);
    assert!(!of_persons.clone().any(|line| line.contains("300")), "{}", said.out);
    // With a high threshold no cohort's size is told.
    let high = ["--set", "locations.reports.zone=open", "--set", "report.threshold=290"];
    let said = place.run(&main_job(), &population(), &high).ends_with(0);
    assert_eq!(said.out.matches("': withheld").count(), 4, "{}", said.out);
}

#[test]
fn check_reads_no_data() {
    let job = main_job().display().to_string();
    let nowhere = "locations.exports.url=nowhere";
    say(&["check", &job, "--set", nowhere]).ends_with(0).says(&[
        "job 'diabetes-outcomes' is well-formed",
        "cohort 1 'type 2 diabetes'",
        "analysis 'heart_failure_free'",
        "zone restricted",
    ]);
    for (parameter, part) in [
        ("cohort.0.file=nothing.json", "nothing.json"),
        ("records.shards=3", "a power of two"),
        ("source.0.timezone=Mars", "is no IANA time zone"),
        ("locations.exports.url=s4://bucket", "'s4' is not known"),
        ("locations.records.zone=open", "open zone"),
    ] {
        let said = say(&["check", &job, "--set", parameter]).says(&[part]);
        assert!(matches!(said.code, Some(2 | 5)), "{parameter}: {:?}", said.code);
    }
}

#[test]
fn records_and_reports_are_described_and_searched() {
    let place = Place::new();
    place.run(&main_job(), &population(), &[]).ends_with(0);
    let (records, reports) = (place.path("records"), place.path("reports"));
    let (records, reports) = (records.to_str().unwrap(), reports.to_str().unwrap());
    let described = say(&["describe", records]).ends_with(0);
    described.says(&["records of 300 persons", "condition_occurrence", "drug_era", " to "]);
    let described = say(&["describe", reports]).ends_with(0);
    described.says(&["incidence.parquet", "person_years", "incidence_rate_p100py", "Float64"]);
    let found = say(&["concepts", "--records", records, "--search", "44054006"]).ends_with(0);
    let row = found.out.lines().find(|line| line.contains("44054006")).unwrap();
    let columns: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(columns[1..3], ["SNOMED", "44054006"]);
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    assert!(number(columns[3]) >= number(columns[4]) && number(columns[4]) > 0, "{row}");
    say(&["concepts", "--records", records, "--search", "HEART FAILURE"]).says(&["84114007"]);
    say(&["concepts", "--records", records, "--search", "zzz"]).says(&["no concept", "'zzz'"]);
    say(&["describe", place.path("nowhere").to_str().unwrap()]).ends_with(2).says(&["no such"]);
    let file = format!("{reports}/latest/incidence.parquet");
    say(&["describe", &file]).ends_with(2).says(&["a file", "name the one it is in"]);
    place.write("damaged/report.parquet", "no Parquet");
    let damaged = say(&["describe", place.path("damaged").to_str().unwrap()]);
    damaged.ends_with(3).says(&["report.parquet"]);
}

#[test]
fn ingest_builds_records_only() {
    let place = Place::new();
    let export = population();
    let mut command = place.command(&main_job(), &export);
    let arguments: Vec<_> = command.get_args().skip(1).map(ToOwned::to_owned).collect();
    command = farr();
    let output = command.arg("ingest").args(arguments).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("records: ") && text.contains("sample.patients"), "{text}");
    assert_eq!(place.records_manifest()["persons"], 300);
    assert!(!place.path("reports").exists());
}

#[test]
fn the_shell_is_served() {
    say(&["completions", "bash"]).ends_with(0).says(&["_farr()", "--max-rejects"]);
    say(&["completions", "zsh"]).ends_with(0).says(&["#compdef farr"]);
    say(&["man"]).ends_with(0).says(&[".TH farr 1", "diabetes\\-outcomes"]);
    say(&["--version"]).ends_with(0).says(&["farr 0."]);
    say(&["--help"]).ends_with(0).says(&["Examples:", "Exit codes:", "130"]);
    say(&["run", "--help"]).ends_with(0).says(&["--threads", "--max-rejects"]);
    say(&["run"]).ends_with(2).says(&["<JOB>"]);
    say(&["dance"]).ends_with(2).says(&["dance"]);
}

/// A reader that goes away is no mistake of farr's.
#[test]
#[cfg(unix)]
fn a_closed_pipe_is_no_failure() {
    for command in ["completions bash", "man", "schema job"] {
        let binary = farr().get_program().to_owned();
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("set -o pipefail; \"$0\" {command} | true")]).arg(binary);
        let output = shell.stdout(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{command}: {said}");
    }
}
