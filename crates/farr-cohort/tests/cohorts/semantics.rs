//! Whether the reference page of Circe's semantics names tests that exist, and
//! every case.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of files of a folder, without their ending.
fn stems(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let paths = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

/// Names of the tests in a folder's Rust files.
fn tests(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a file");
            // A property's attribute stands before it as a test's does.
            for part in text.split("#[test]").skip(1) {
                let name = part.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
                into.extend(name.map(|(name, _)| name.to_owned()));
            }
        }
    }
}

/// What a line of the page puts in backticks in its last column.
fn named(line: &str) -> impl Iterator<Item = String> {
    let last = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    last.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[test]
fn every_test_of_the_page_exists_and_every_case_is_on_it() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = package.join("../../docs/reference/circe-semantics.md");
    let page = fs::read_to_string(page).expect("the page");
    let cases = stems(&package.join("tests/spec"));
    let domains = stems(&package.join("tests/spec/attributes"));
    let mut known: BTreeSet<String> = cases.union(&domains).cloned().collect();
    for folder in ["src", "tests/cohorts", "../farr-records/src"] {
        tests(&package.join(folder), &mut known);
    }
    let rules = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule"));
    let mut on_page = BTreeSet::new();
    for rule in rules {
        let names: Vec<String> = named(rule).collect();
        assert!(!names.is_empty(), "no test pins: {rule}");
        on_page.extend(names);
    }
    let missing: Vec<_> = on_page.difference(&known).collect();
    assert!(missing.is_empty(), "the page names what is no test: {missing:?}");
    let unnamed: Vec<_> = cases.difference(&on_page).collect();
    assert!(unnamed.is_empty(), "not on the page: {unnamed:?}");
    for domain in &domains {
        assert!(page.contains(&format!("`{domain}`")), "not on the page: {domain}");
    }
}
