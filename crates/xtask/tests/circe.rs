//! The reference folders of Circe: every definition, row for row.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use xtask::reference::circe;

fn agrees(folder: &str) {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let dir = shared.join("reference").join(folder);
    if !dir.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", dir.display());
        println!("skipped: {} is missing", dir.display());
        return;
    }
    assert_eq!(circe::run(&dir, None), Ok(true));
}

#[test]
fn phenotype_library() {
    agrees("circe");
}

#[test]
fn the_whole_language() {
    agrees("circe-random");
}

#[test]
fn gibleed() {
    agrees("gibleed");
}
