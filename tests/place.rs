//! Folders to run jobs in, and what the runs leave there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{Said, farr, root, say};

/// An export that is there to be read.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) format: &'static str,
    pub(crate) folder: PathBuf,
}

/// A folder of `../shared`, or `None` where it is missing and may be.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", path.display());
    println!("skipped: {} is missing", path.display());
    None
}

/// One population of 300, as Synthea's CSV.
pub(crate) fn population() -> Export {
    static MADE: OnceLock<Export> = OnceLock::new();
    MADE.get_or_init(|| synth("synthea-csv", 300)).clone()
}

/// The same population, as OMOP's Parquet.
pub(crate) fn population_omop() -> Export {
    static MADE: OnceLock<Export> = OnceLock::new();
    MADE.get_or_init(|| synth("omop", 300)).clone()
}

fn synth(format: &'static str, persons: u32) -> Export {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("population-{format}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let persons = persons.to_string();
    let out = folder.display().to_string();
    say(&["synth", "--persons", &persons, "--seed", "7", "--format", format, "--out", &out])
        .ends_with(0);
    Export { format, folder }
}

/// The main job's file.
pub(crate) fn main_job() -> PathBuf {
    root().join("pipelines/diabetes-outcomes.toml")
}

/// A folder of its own for a test, removed afterwards.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    #[expect(clippy::disallowed_methods, reason = "a test makes its input")]
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs a job over an export, its records and reports kept in this place;
    /// `more` are further arguments.
    pub(crate) fn run(&self, job: &Path, export: &Export, more: &[&str]) -> Said {
        Said::of(&self.command(job, export).args(more).output().unwrap())
    }

    /// The command of [`run`](Self::run).
    pub(crate) fn command(&self, job: &Path, export: &Export) -> std::process::Command {
        let mut command = farr();
        command.arg("run").arg(job);
        for (key, value) in [
            ("source.0.format", export.format.to_owned()),
            ("locations.exports.url", export.folder.display().to_string()),
            ("locations.records.url", self.path("records").display().to_string()),
            ("locations.reports.url", self.path("reports").display().to_string()),
        ] {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command
    }

    /// The current report.
    pub(crate) fn report(&self) -> Report {
        Report { folder: self.path("reports/latest") }
    }

    /// What the manifest of the current records says.
    pub(crate) fn records_manifest(&self) -> Value {
        read_json(&self.path("records/latest/manifest.json"))
    }

    /// The rejects of the current records.
    pub(crate) fn rejects(&self) -> Vec<Reject> {
        let batch = read_parquet(&self.path("records/latest/rejects.parquet"));
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (objects, columns, reasons) = (text("object"), text("column"), text("reason"));
        let lines = batch.column_by_name("line").unwrap().as_primitive::<Int64Type>();
        (0..batch.num_rows())
            .map(|row| Reject {
                object: objects.value(row).to_owned(),
                line: lines.value(row),
                column: columns.value(row).to_owned(),
                reason: reasons.value(row).to_owned(),
            })
            .collect()
    }

    /// How many reports are published.
    pub(crate) fn published(&self) -> usize {
        fs::read_dir(self.path("reports/pointers")).map_or(0, Iterator::count)
    }
}

/// A row of the rejects, as texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reject {
    pub(crate) object: String,
    pub(crate) line: i64,
    pub(crate) column: String,
    pub(crate) reason: String,
}

/// The folder of a run's reports.
pub(crate) struct Report {
    pub(crate) folder: PathBuf,
}

impl Report {
    /// The bytes of every file that does not change from run to run.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap());
        let named = entries.map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        });
        named.filter(|(name, _)| name != "run.json").collect()
    }

    pub(crate) fn manifest(&self) -> Value {
        read_json(&self.folder.join("manifest.json"))
    }

    /// Every table by name.
    pub(crate) fn tables(&self) -> BTreeMap<String, RecordBatch> {
        let names = self.files().into_keys().filter_map(|name| {
            let stem = name.strip_suffix(".parquet")?.to_owned();
            Some((stem, read_parquet(&self.folder.join(name))))
        });
        names.collect()
    }
}

fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A whole Parquet file.
pub(crate) fn read_parquet(path: &Path) -> RecordBatch {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}
