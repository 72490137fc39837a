//! A folder of definitions over a records store, or over OMOP Parquet as it
//! lies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use farr_cohort::{CohortResults, Definition, Plan, ShardCohorts, Site, parse_circe, parse_short};
use farr_disclosure::{Labelled, Zone};
use farr_records::{OmopParquet, RecordsStore, Shard, ShardId, Table, Vocabulary, parquet_bytes};
use farr_store::Location;
use rayon::prelude::*;

use crate::evaluate::{lookups, vocabulary_of, warn_of_sets};
use crate::executor::{Executor, Threads};
use crate::ingest::{finished, stop_if_asked};
use crate::inspect::current;
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::{Error, number};

/// Where the persons are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CohortInput {
    /// The folder of a records store.
    Records(PathBuf),
    /// A folder of OMOP Parquet, in any order of rows.
    Omop(PathBuf),
}

/// Which definitions, over whom, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortRequest {
    /// A folder of `<id>.json` (Circe) and `<id>.toml` (short form).
    pub definitions: PathBuf,
    /// Where the persons are.
    pub input: CohortInput,
    /// The folder for the tables.
    pub out: PathBuf,
    /// How many threads; `None`: one a core.
    pub threads: Option<usize>,
}

/// What the definitions gave.
#[derive(Debug, Clone)]
pub struct CohortOutcome {
    /// Rows and persons, definition by definition, for a person.
    pub summary: String,
    /// How many definitions could not be run.
    pub refused: usize,
}

/// Definitions of a folder: those that can be read, and what is wrong with the
/// others, by id.
struct Folder {
    definitions: Vec<Definition>,
    refused: BTreeMap<i64, String>,
}

/// Runs every definition of a folder; those that cannot be run are named and
/// left out.
///
/// # Errors
/// A folder that cannot be read or holds no definition; what fails in reading
/// the records or writing the tables.
pub fn run_cohorts(
    request: &CohortRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<CohortOutcome, Error> {
    let threads = Threads::new(request.threads)
        .map_err(|source| Error::File { file: "threads".to_owned(), source })?;
    let mut folder = threads.run(|| read_folder(&request.definitions))?;
    let start = Instant::now();
    observer.event(Event::Started { stage: Stage::Cohorts, steps: None });
    let results = match &request.input {
        CohortInput::Records(path) => {
            let store = RecordsStore::open(&current(path)?)?;
            let has = |table| store.manifest().table(table).is_some();
            let plan = plan(&mut folder, &vocabulary_of(&store)?, has, observer);
            let site = lookups(&store, plan.needs())?;
            over_records(&plan, &store, &site, &threads, cancel)?
        }
        CohortInput::Omop(path) => {
            let omop = OmopParquet::open(path)?;
            let plan = plan(&mut folder, &omop.vocabulary()?, |table| omop.has(table), observer);
            let site = Site::new(&omop.site(plan.needs())?);
            over_shard(&plan, &omop.shard(plan.needs())?, &site, &threads)?
        }
    };
    stop_if_asked(cancel)?;
    let summary = summary(&folder, &results);
    write_tables(&request.out, results)?;
    let run = number(folder.definitions.len() as u64);
    finished(observer, Stage::Cohorts, start, format!("{run} definitions"));
    for (id, reason) in &folder.refused {
        observer.event(Event::Warning { message: format!("definition {id} not run: {reason}") });
    }
    Ok(CohortOutcome { summary, refused: folder.refused.len() })
}

fn read_folder(path: &Path) -> Result<Folder, Error> {
    let failed = |source| Error::File { file: path.display().to_string(), source };
    let mut files: BTreeMap<i64, PathBuf> = BTreeMap::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let ending = file.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
        let id = file.file_stem().and_then(|stem| stem.to_str()).and_then(|s| s.parse().ok());
        if let (Some("json" | "toml"), Some(id)) = (ending.as_deref(), id) {
            files.insert(id, file);
        }
    }
    if files.is_empty() {
        let reason = "no definitions here; expected files named <id>.json or <id>.toml";
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, reason)));
    }
    let files: Vec<(i64, PathBuf)> = files.into_iter().collect();
    let parsed: Vec<(i64, Result<Definition, String>)> =
        files.into_par_iter().map(|(id, file)| (id, parse(id, &file))).collect();
    let mut folder = Folder { definitions: Vec::new(), refused: BTreeMap::new() };
    for (id, definition) in parsed {
        match definition {
            Ok(definition) => folder.definitions.push(definition),
            Err(reason) => {
                folder.refused.insert(id, reason);
            }
        }
    }
    Ok(folder)
}

/// A definition in plain English, as Markdown.
///
/// # Errors
/// [`Error::File`] and [`Error::Definition`].
pub fn explain_cohort(path: &Path) -> Result<String, Error> {
    let definition = read_definition(0, path)?;
    Ok(farr_cohort::explain(&definition))
}

/// A definition by its file's ending: `.toml` is the short form, all else
/// Circe JSON.
pub(crate) fn read_definition(id: i64, path: &Path) -> Result<Definition, Error> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::File { file: file.clone(), source })?;
    let is_short = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    let parsed = if is_short { parse_short(id, &text) } else { parse_circe(id, &text) };
    parsed.map_err(|source| Error::Definition { file, source })
}

fn parse(id: i64, file: &Path) -> Result<Definition, String> {
    read_definition(id, file).map_err(|e| e.to_string())
}

/// The plan of the definitions that the tables at hand can answer.
fn plan(
    folder: &mut Folder,
    vocabulary: &Vocabulary,
    has: impl Fn(Table) -> bool,
    observer: &dyn Observer,
) -> Plan {
    let mut plan = Plan::new(&folder.definitions, vocabulary);
    let lacking = plan.lacking(has);
    if !lacking.is_empty() {
        let ids: BTreeSet<i64> = lacking.iter().map(|(id, _)| *id).collect();
        folder.definitions.retain(|definition| !ids.contains(&definition.id));
        folder.refused.extend(lacking.into_iter().map(|(id, error)| (id, error.to_string())));
        plan = Plan::new(&folder.definitions, vocabulary);
    }
    warn_of_sets(plan.warnings(), observer);
    plan
}

fn of_evaluation(source: farr_cohort::Error) -> Error {
    Error::Cohort { id: 0, name: "all".to_owned(), source }
}

fn over_records(
    plan: &Plan,
    store: &RecordsStore,
    site: &Site,
    threads: &Threads,
    cancel: &Cancel,
) -> Result<CohortResults, Error> {
    let shards: Vec<ShardId> = store.shards().collect();
    let mut results = CohortResults::default();
    if shards.len() < threads.count() {
        for shard in shards {
            let shard = store.read_shard(shard, plan.needs())?;
            add_ranges(plan, &shard, site, threads, &mut results)?;
        }
        return Ok(results);
    }
    let map = |id: ShardId| {
        stop_if_asked(cancel)?;
        let shard = store.read_shard(id, plan.needs())?;
        let cohorts = plan.evaluate(&shard, site).map_err(of_evaluation)?;
        Ok::<_, Error>((cohorts, shard.persons().to_vec()))
    };
    threads.map_shards(&shards, map, |(cohorts, persons)| results.add(&cohorts, &persons))?;
    Ok(results)
}

fn over_shard(
    plan: &Plan,
    shard: &Shard,
    site: &Site,
    threads: &Threads,
) -> Result<CohortResults, Error> {
    let mut results = CohortResults::default();
    add_ranges(plan, shard, site, threads, &mut results)?;
    Ok(results)
}

/// One shard, its persons in as many ranges as there are threads.
fn add_ranges(
    plan: &Plan,
    shard: &Shard,
    site: &Site,
    threads: &Threads,
    results: &mut CohortResults,
) -> Result<(), Error> {
    let persons = shard.persons().len();
    let size = persons.div_ceil(threads.count()).max(1);
    let starts: Vec<usize> = (0..persons).step_by(size).collect();
    let parts: Vec<Result<ShardCohorts, farr_cohort::Error>> = threads.run(|| {
        let ranges = starts.par_iter().map(|start| *start..(*start + size).min(persons));
        ranges.map(|range| plan.evaluate_range(shard, site, range)).collect()
    });
    for part in parts {
        results.add(&part.map_err(of_evaluation)?, shard.persons());
    }
    Ok(())
}

/// The tables are persons' rows and exact counts: a restricted place.
fn write_tables(out: &Path, results: CohortResults) -> Result<(), Error> {
    let location = Location::folder(out, Zone::Restricted)?;
    let tables = results.tables().map_err(|source| {
        Error::Records(farr_records::Error::Arrow { table: Table::Person, source })
    })?;
    for (name, table) in tables {
        let file = format!("{name}.parquet");
        let bytes: Bytes = parquet_bytes(&location.url_of(&file), &table)?;
        location.write(&file, Labelled::person_level(bytes))?;
    }
    Ok(())
}

fn summary(folder: &Folder, results: &CohortResults) -> String {
    let mut text = format!("{:>12}{:>12}{:>12}  name\n", "definition", "rows", "persons");
    for definition in &folder.definitions {
        let (rows, persons) = results.size(definition.id);
        let _ = writeln!(
            text,
            "{:>12}{:>12}{:>12}  {}",
            definition.id,
            number(rows),
            number(persons),
            definition.name
        );
    }
    text
}
