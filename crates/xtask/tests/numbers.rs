//! The reference folders of incidence and of the statistical methods: every
//! case, to the digits that their READMEs name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use xtask::reference::{incidence, stats};

/// A folder of `../shared`, or `None` where it is missing and may be.
fn shared(folder: &str) -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", dir.display());
    println!("skipped: {} is missing", dir.display());
    None
}

#[test]
fn methods() {
    let Some(dir) = shared("reference/stats") else { return };
    assert_eq!(stats::run(&dir, None), Ok(true));
}

#[test]
fn designs_of_cohort_incidence() {
    let Some(dir) = shared("data/cohort-incidence-cases") else { return };
    assert_eq!(incidence::run(&dir, None), Ok(true));
}
