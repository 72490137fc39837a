//! Comparisons with the answers of reference implementations, for any folder
//! laid out like the ones in `../shared`.

pub mod circe;
pub mod incidence;
pub mod stats;

use std::fs;
use std::path::Path;

/// Writes what farr gave, for `--out`.
#[expect(clippy::disallowed_methods, reason = "a developer's local file, no records")]
fn write_json(path: &Path, answer: &serde_json::Value) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, format!("{answer:#}\n")).map_err(failed)
}
