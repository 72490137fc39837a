//! The arrows between the rooms are those that ARCHITECTURE.md draws.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::{cargo, root};

/// Packages that may use any room, and that no room uses.
const AROUND: [&str; 3] = ["xtask", "farr-tests", "farr-benches"];

/// Rooms that the tests of a room use though it does not: a population is read
/// back by the source whose format it was written in.
const OF_TESTS: [(&str, &str); 1] = [("farr-source", "farr-synth")];

type Arrows = BTreeMap<String, BTreeSet<String>>;

struct Package {
    name: String,
    folder: String,
    used: BTreeSet<String>,
    used_by_tests: BTreeSet<String>,
}

/// The workspace's packages with the packages of ours that they use.
fn packages() -> Vec<Package> {
    let metadata = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let used = |package: &Value, of_tests: bool| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let ours = dependencies.filter(|used| used["path"].is_string());
        let of_kind = ours.filter(|used| (used["kind"] == "dev") == of_tests);
        of_kind.map(|used| used["name"].as_str().unwrap().to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap();
            Package {
                name: package["name"].as_str().unwrap().to_owned(),
                folder: folder.display().to_string(),
                used: used(package, false),
                used_by_tests: used(package, true),
            }
        })
        .collect()
}

/// The arrows of ARCHITECTURE.md: lines like `job → store` or `store →
/// disclosure`, where `every room below` stands for all but the line's own
/// room and those that use it.
fn drawn(rooms: &BTreeSet<String>) -> Arrows {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let full = |name: &str| match name.trim() {
        "farr" => "farr".to_owned(),
        name => format!("farr-{name}"),
    };
    let mut arrows: Arrows = rooms.iter().map(|room| (room.clone(), BTreeSet::new())).collect();
    let lines = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    for (from, to) in lines.filter_map(|line| line.split_once('→')) {
        let from = full(from);
        let to = if to.trim() == "every room below" {
            let above: Vec<_> = arrows
                .iter()
                .filter(|(_, used)| used.contains(&from))
                .map(|(room, _)| room.clone())
                .collect();
            let below = rooms.iter().filter(|room| **room != from && !above.contains(room));
            below.cloned().collect()
        } else {
            to.split(',').map(full).collect()
        };
        assert!(arrows.contains_key(&from), "ARCHITECTURE.md draws {from}, which is no room");
        arrows.insert(from, to);
    }
    arrows
}

/// All rooms that a room uses, and those that they use.
fn reach(arrows: &Arrows, room: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![room.to_owned()];
    while let Some(next) = open.pop() {
        for used in &arrows[&next] {
            if found.insert(used.clone()) {
                open.push(used.clone());
            }
        }
    }
    found
}

#[test]
fn arrows_are_those_that_are_drawn() {
    let packages = packages();
    let (around, rooms): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| AROUND.contains(&package.name.as_str()));
    assert_eq!(around.len(), AROUND.len());
    let drawn = drawn(&rooms.iter().map(|room| room.name.clone()).collect());
    assert_eq!(drawn.values().map(BTreeSet::len).sum::<usize>(), 9 + 14, "{drawn:?}");
    for room in rooms {
        assert_eq!(room.used, drawn[&room.name], "what {} uses", room.name);
        let mut of_tests = reach(&drawn, &room.name);
        let more = OF_TESTS.iter().filter(|(from, _)| *from == room.name);
        of_tests.extend(more.map(|(_, to)| (*to).to_owned()));
        for used in &room.used_by_tests {
            assert!(of_tests.contains(used), "the tests of {} use {used}", room.name);
        }
    }
}

#[test]
fn no_arrows_make_a_ring() {
    let packages = packages();
    let arrows: Arrows = packages.into_iter().map(|p| (p.name, p.used)).collect();
    for room in arrows.keys() {
        assert!(!reach(&arrows, room).contains(room), "{room} uses itself");
    }
}

#[test]
fn folders_and_crates_share_a_name() {
    for package in packages() {
        let expected = match package.name.as_str() {
            "farr-tests" => "tests".to_owned(),
            "farr-benches" => "benches".to_owned(),
            name => format!("crates/{name}"),
        };
        assert_eq!(package.folder, expected);
    }
}

#[test]
fn every_room_is_described() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for package in packages() {
        if package.folder.starts_with("crates/") {
            let row = format!("| `{}` |", package.name);
            assert!(text.contains(&row), "ARCHITECTURE.md has no row for {}", package.name);
        }
    }
}
