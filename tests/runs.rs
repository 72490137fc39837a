//! A run is done once: again it is a no-op, changed input makes a new one, a
//! dead one is taken up, and what the dead left can be cleaned away.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::{Said, say};
use crate::place::{Export, Place, main_job, population};

/// A copy of the population, for a test to change.
fn copy(place: &Place) -> Export {
    let from = population();
    for entry in fs::read_dir(&from.folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("exports/{}", entry.file_name().to_string_lossy());
        place.write(&name, fs::read(entry.path()).unwrap());
    }
    Export { folder: place.path("exports"), ..from }
}

fn run(place: &Place, export: &Export, more: &[&str]) -> Said {
    place.run(&main_job(), export, &[&["--log", "json"], more].concat())
}

fn clean(place: &Place) -> Said {
    let url = |of: &str| format!("locations.{of}.url={}", place.path(of).display());
    let job = main_job().display().to_string();
    say(&["clean", &job, "--set", &url("records"), "--set", &url("reports")])
}

/// The last line of a run: its status and its id.
fn last(said: &Said) -> (String, String) {
    let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    let text = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("run_id"))
}

fn runs(place: &Place, of: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(&format!("{of}/runs"))).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Overwrites a file's content with as many other bytes, and lets it look
/// untouched.
fn spoil(file: &Path) {
    let before = fs::metadata(file).unwrap();
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    let zeros = vec![0; usize::try_from(before.len()).unwrap()];
    std::io::Write::write_all(&mut &file, &zeros).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

#[test]
fn the_same_run_again_reads_no_data_and_does_nothing() {
    let place = Place::new();
    let export = copy(&place);
    let first = run(&place, &export, &[]).ends_with(0);
    let files = place.report().files();
    // Had anything been read, it would fail.
    for entry in fs::read_dir(&export.folder).unwrap() {
        spoil(&entry.unwrap().path());
    }
    let again = run(&place, &export, &["--threads", "1"]).ends_with(0);
    assert_eq!(last(&first).0, "done");
    assert_eq!(last(&again), ("unchanged".to_owned(), last(&first).1));
    place.run(&main_job(), &export, &[]).ends_with(0).says(&["nothing to do", "--force"]);
    assert_eq!((place.published(), runs(&place, "reports").len()), (1, 1));
    let kept = "records/latest/cohort/diabetes-outcomes.parquet";
    let cohorts = fs::read(place.path(kept)).unwrap();
    place.write(kept, "of another definition");
    run(&place, &export, &[]).ends_with(0);
    assert!(fs::read(place.path(kept)).unwrap() == cohorts);
    // Another report over the same records: these are not read anew either.
    run(&place, &export, &["--set", "report.threshold=7"]).ends_with(0);
    assert_eq!((place.published(), runs(&place, "records").len()), (2, 1));
    run(&place, &export, &["--force"]).ends_with(3);
    assert_eq!(place.published(), 2);
    // Back to the first job: its report is there, and is the current one again.
    let back = run(&place, &export, &[]).ends_with(0);
    assert_eq!(last(&back), ("unchanged".to_owned(), last(&first).1));
    assert_eq!(place.published(), 3);
    assert!(place.report().files() == files);
    assert!(fs::read(place.path(kept)).unwrap() == cohorts);
}

#[test]
fn force_does_all_of_it_again() {
    let place = Place::new();
    let first = run(&place, &population(), &[]).ends_with(0);
    let files = place.report().files();
    let again = run(&place, &population(), &["--force"]).ends_with(0);
    assert_eq!(last(&again).0, "done");
    assert_ne!(last(&again).1, last(&first).1);
    assert!(place.report().files() == files);
    assert_eq!((runs(&place, "records").len(), runs(&place, "reports").len()), (2, 2));
}

#[test]
fn changed_input_is_another_run() {
    let place = Place::new();
    let export = copy(&place);
    let first = last(&run(&place, &export, &[]).ends_with(0));
    let patients = place.path("exports/patients.csv");
    let text = fs::read_to_string(&patients).unwrap();
    // One person fewer.
    let cut = text.trim_end().rfind('\n').unwrap();
    place.write("exports/patients.csv", &text[..=cut]);
    let second = last(&run(&place, &export, &[]).ends_with(0));
    assert_eq!(second.0, "done");
    assert_ne!(second.1, first.1);
    assert_eq!(place.records_manifest()["persons"], 299);
}

#[test]
fn a_run_that_died_is_taken_up_and_its_parts_are_not_done_again() {
    let place = Place::new();
    let export = copy(&place);
    let whole = run(&place, &export, &["--set", "records.shards=4"]).ends_with(0);
    let files = place.report().files();
    // As if the run had died before its pointer was put.
    fs::remove_dir_all(place.path("reports/pointers")).unwrap();
    fs::remove_file(place.path("reports/latest")).unwrap();
    for entry in fs::read_dir(&export.folder).unwrap() {
        spoil(&entry.unwrap().path());
    }
    let again = run(&place, &export, &["--set", "records.shards=4"]).ends_with(0);
    assert_eq!(last(&again), ("done".to_owned(), last(&whole).1));
    assert!(place.report().files() == files);
    assert_eq!(runs(&place, "reports").len(), 1);
}

/// A run died before its report was there; the same job, with its reports at
/// another place, took up what was kept, and died once its report was.
#[test]
fn clean_leaves_the_cohorts_of_a_report_at_another_place() {
    let place = Place::new();
    let one = ["--set", "report.threshold=7"];
    run(&place, &population(), &[]).ends_with(0);
    fs::rename(place.path("reports/pointers"), place.path("aside")).unwrap();
    place.write("reports/pointers", "in the way");
    run(&place, &population(), &one).ends_with(4);
    fs::remove_file(place.path("reports/pointers")).unwrap();
    fs::rename(place.path("aside"), place.path("reports/pointers")).unwrap();
    let shown = "records/latest/cohort/diabetes-outcomes.parquet";
    fs::remove_file(place.path(shown)).unwrap();
    place.write(&format!("{shown}/in the way"), "");
    let elsewhere = format!("locations.reports.url={}", place.path("others").display());
    run(&place, &population(), &[&one[..], &["--set", &elsewhere]].concat()).ends_with(4);
    assert_eq!(fs::read_dir(place.path("others/pointers")).unwrap().count(), 1);
    let kept = || fs::read_dir(place.path("records/latest/cohort/diabetes-outcomes")).unwrap();
    assert_eq!(kept().count(), 2);
    clean(&place).ends_with(0).says(&["1 dead run,", "1 folder of unfinished work"]);
    assert_eq!(kept().count(), 2);
    // The other way round: nobody knows any more whose they are, and they stay.
    let one = ["--set", "report.threshold=8"];
    run(&place, &population(), &[&one[..], &["--set", &elsewhere]].concat()).ends_with(4);
    fs::rename(place.path("reports/pointers"), place.path("aside")).unwrap();
    place.write("reports/pointers", "in the way");
    run(&place, &population(), &one).ends_with(4);
    fs::remove_file(place.path("reports/pointers")).unwrap();
    fs::rename(place.path("aside"), place.path("reports/pointers")).unwrap();
    clean(&place).ends_with(0).says(&["1 dead run,", "1 folder of unfinished work"]);
    assert_eq!(
        (fs::read_dir(place.path("others/pointers")).unwrap().count(), kept().count()),
        (2, 3)
    );
}

/// However the place is spelled.
#[cfg(unix)]
#[test]
fn records_and_reports_at_one_place_are_refused() {
    let place = Place::new();
    let folder = place.path("records");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(&folder, place.path("link")).unwrap();
    for url in [folder.clone(), place.path("./records/"), place.path("link")] {
        let reports = format!("locations.reports.url={}", url.display());
        let said = run(&place, &population(), &["--set", &reports]).ends_with(2);
        said.says(&["locations.reports", "records and reports lie at one place"]);
    }
    let [one, same] = ["s3://bucket/a", "s3a://bucket/a/"];
    let urls = [format!("locations.records.url={one}"), format!("locations.reports.url={same}")];
    let job = main_job().display().to_string();
    let said = say(&["check", &job, "--set", &urls[0], "--set", &urls[1]]).ends_with(2);
    said.says(&["records and reports lie at one place"]);
}

#[test]
fn clean_removes_what_the_dead_left_and_nothing_else() {
    let place = Place::new();
    run(&place, &population(), &[]).ends_with(0);
    let files = place.report().files();
    let dead = "20200101T000000000-0123456789abcdef";
    place.write(&format!("reports/runs/{dead}/incidence.parquet"), "half");
    place.write(&format!("records/runs/{dead}/tables/person/00000.parquet"), "half");
    place.write("records/work/records-0123456789abcdef/pull/rows", "half");
    place.write("reports/pointers/00000000000000000002.json#1", "half");
    let said = say(&["check", &main_job().display().to_string(), "--log", "json"]).ends_with(0);
    let check: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(check["status"], "done");
    clean(&place).ends_with(0).says(&[
        "1 dead run,",
        "1 folder of unfinished work",
        "1 half-written file",
    ]);
    assert_eq!((runs(&place, "records").len(), runs(&place, "reports").len()), (1, 1));
    assert!(fs::read_dir(place.path("records/work")).map_or(0, Iterator::count) == 0);
    assert!(!place.path("reports/pointers/00000000000000000002.json#1").exists());
    assert!(place.report().files() == files);
}

#[test]
fn clean_removes_the_cohorts_of_a_report_that_never_came() {
    let place = Place::new();
    run(&place, &population(), &[]).ends_with(0);
    let kept = || {
        let folder = place.path("records/latest/cohort/diabetes-outcomes");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        files.collect::<std::collections::BTreeSet<_>>()
    };
    let of_first = kept();
    // No pointer can be put where it belongs.
    fs::rename(place.path("reports/pointers"), place.path("aside")).unwrap();
    place.write("reports/pointers", "in the way");
    run(&place, &population(), &["--set", "report.threshold=7"]).ends_with(4);
    assert_eq!((of_first.len(), kept().len()), (1, 2));
    fs::remove_file(place.path("reports/pointers")).unwrap();
    fs::rename(place.path("aside"), place.path("reports/pointers")).unwrap();
    clean(&place).ends_with(0).says(&["1 dead run,", "1 folder of unfinished work"]);
    assert_eq!(kept(), of_first);
    // It dies once its report is there: these cohorts are of a report.
    let shown = place.path("records/latest/cohort/diabetes-outcomes.parquet");
    fs::remove_file(&shown).unwrap();
    place.write("records/latest/cohort/diabetes-outcomes.parquet/in the way", "");
    run(&place, &population(), &["--set", "report.threshold=7"]).ends_with(4);
    assert_eq!((place.published(), kept().len()), (2, 2));
    fs::remove_dir_all(&shown).unwrap();
    clean(&place).ends_with(0).says(&["0 dead runs", "1 folder of unfinished work"]);
    assert_eq!(kept().len(), 2);
    let again = run(&place, &population(), &["--set", "report.threshold=7"]).ends_with(0);
    assert_eq!(last(&again).0, "unchanged");
    assert!(shown.is_file());
}

#[test]
fn a_run_has_its_time_and_its_memory() {
    let place = Place::new();
    run(&place, &population(), &["--timeout", "0s"]).ends_with(124).says(&["timed_out"]);
    assert_eq!(place.published(), 0);
    let one = run(&place, &population(), &["--timeout", "1h", "--memory", "64MiB"]).ends_with(0);
    for line in one.out.lines().filter(|line| line.contains("\"finished\"")) {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["seconds"].is_f64(), "{line}");
        #[cfg(target_os = "linux")]
        assert!(event["peak_memory"].as_u64().unwrap() > 1 << 20, "{line}");
    }
    let stages: Value =
        serde_json::from_slice(&fs::read(place.path("reports/latest/run.json")).unwrap()).unwrap();
    let stages = stages["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(names, ["pull", "records", "cohorts"]);
    assert_eq!(stages[1]["persons"], 300);
    for (flag, value) in [("--memory", "little"), ("--memory", "1MB"), ("--timeout", "soon")] {
        run(&place, &population(), &[flag, value]).ends_with(2).says(&[flag, "expected"]);
    }
}
