//! Looks at jobs, records and reports, for a person at a shell.

use std::fmt::Write;
use std::path::Path;

use farr_disclosure::Zone;
use farr_records::{RecordsStore, Scope, Table};
use farr_store::{Location, Publication};

use crate::plan::{JobRequest, Plan};
use crate::{Error, JobFile, number};

/// Checks a job and its cohorts; the text says what would be run.
///
/// # Errors
/// As [`Plan::load`].
pub fn check(request: &JobRequest) -> Result<String, Error> {
    let plan = Plan::load(request)?;
    plan.check_apart()?;
    let mut text = format!("job '{}' is well-formed\n", plan.job.job.name);
    for source in &plan.job.source {
        let place = &plan.job.locations[&source.location];
        let _ = writeln!(text, "source '{}': {} ({:?})", source.system, place.url, source.format);
    }
    for definition in &plan.definitions {
        let rules = definition.expression.inclusion_rules.len();
        let _ = writeln!(text, "cohort {} '{}': {rules} rules", definition.id, definition.name);
    }
    for derived in plan.algebra.derived() {
        let _ = writeln!(text, "cohort {} '{}': {}", derived.id, derived.name, derived.words());
    }
    for settings in &plan.job.analysis {
        let _ = writeln!(text, "analysis '{}'", settings.name());
    }
    let report = &plan.job.locations[&plan.job.report.location];
    let _ = writeln!(text, "reports: {} (zone {})", report.url, report.zone);
    let _ = writeln!(text, "job hash: {}", plan.job_hash);
    Ok(text)
}

/// The JSON Schema of the job file.
pub fn job_schema() -> String {
    let schema = schemars::schema_for!(JobFile);
    // A schema is plain JSON: printing it cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

/// The folder itself, or the current run where it holds runs.
pub(crate) fn current(folder: &Path) -> Result<Location, Error> {
    if !folder.is_dir() {
        let file = folder.display().to_string();
        let source = if folder.exists() {
            let found =
                "a file, where a folder that farr wrote was expected: name the one it is in";
            std::io::Error::new(std::io::ErrorKind::NotADirectory, found)
        } else {
            std::io::Error::new(std::io::ErrorKind::NotFound, "no such folder")
        };
        return Err(Error::File { file, source });
    }
    let location = Location::folder(folder, Zone::Restricted)?;
    Ok(Publication::current(&location)?.map_or(location, |published| published.folder))
}

/// Describes a records store or a report.
///
/// # Errors
/// [`Error::File`] without such a folder, or for one that is nothing of farr's;
/// what fails in reading.
pub fn describe(folder: &Path) -> Result<String, Error> {
    let location = current(folder)?;
    let objects = location.list("")?;
    let has = |start: &str| objects.iter().any(|object| object.path.starts_with(start));
    if has("tables/") {
        return describe_records(&RecordsStore::open(&location)?);
    }
    let paths = objects.iter().map(|object| object.path.as_str());
    let described = describe_report(&location, paths)?;
    if !described.is_empty() {
        return Ok(described);
    }
    if has("run.json") {
        return Ok("a report without tables: its job has no analysis\n".to_owned());
    }
    let found = "neither a records store nor a report is there: expected a folder that farr \
                 wrote, or a run in it";
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, found);
    Err(Error::File { file: folder.display().to_string(), source })
}

fn describe_records(store: &RecordsStore) -> Result<String, Error> {
    let manifest = store.manifest();
    let mut text = format!(
        "records of {} persons in {} shards, OMOP CDM {}\n\n{:<24}{:>12}{:>10}  starts\n",
        number(manifest.persons),
        manifest.shard_count,
        manifest.omop_version,
        "table",
        "rows",
        "persons"
    );
    for table in Table::ALL {
        let Some(summary) = store.summarise(table)? else { continue };
        let starts =
            summary.starts.map_or_else(String::new, |(first, last)| format!("{first} to {last}"));
        let persons = match table.scope() {
            Scope::Person => number(summary.persons),
            Scope::Site | Scope::Vocabulary => String::new(),
        };
        let _ = writeln!(
            text,
            "{:<24}{:>12}{persons:>10}  {starts}",
            table.name(),
            number(summary.rows)
        );
    }
    Ok(text)
}

fn describe_report<'a>(
    location: &Location,
    paths: impl Iterator<Item = &'a str>,
) -> Result<String, Error> {
    let mut text = String::new();
    for path in paths.filter(|path| path.ends_with(".parquet")) {
        let bytes = location.read(path)?;
        let description = farr_records::guarded(|| Ok(farr_report::describe(bytes)))
            .unwrap_or_else(|source| Err(farr_report::Error::Decode { source }))
            .map_err(|source| Error::DamagedReport { file: location.url_of(path), source })?;
        let _ = writeln!(text, "{path}: {} rows", number(description.rows));
        for column in &description.columns {
            let unit = column.unit.as_ref().map_or_else(String::new, |u| format!(" [{u}]"));
            let _ = writeln!(
                text,
                "  {:<34}{:<10}{:<9}{}{unit}",
                column.name, column.data_type, column.role, column.description
            );
        }
        text.push('\n');
    }
    Ok(text)
}
