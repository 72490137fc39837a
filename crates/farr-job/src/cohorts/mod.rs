//! A folder of definitions over a records store, or over OMOP Parquet as it
//! lies.

mod folder;
mod parts;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use farr_cohort::{CohortResults, Definition, Plan, ShardCohorts, Site};
use farr_disclosure::{Labelled, Zone};
use farr_records::{
    Batches, OmopParquet, OmopParts, RecordsStore, SHARDS_MAX, Shard, ShardId, Table, Vocabulary,
    parquet_bytes,
};
use farr_store::Location;
use rayon::prelude::*;

use crate::evaluate::{concept_sets, lookups, warn_of_sets};
use crate::executor::{Executor, Threads};
use crate::ingest::{finished, stop_if_asked};
use crate::inspect::current;
use crate::limits::Memory;
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::{Error, counted, number};
use folder::Folder;
pub(crate) use folder::read_definition;
pub use parts::CohortSeconds;
use parts::Stopwatch;

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
    /// A folder of Circe JSON (`.json`) and of the short form (`.toml`).
    pub definitions: PathBuf,
    /// Where the persons are.
    pub input: CohortInput,
    /// The folder for the tables.
    pub out: PathBuf,
    /// How many threads; `None`: one a core.
    pub threads: Option<usize>,
    /// What OMOP Parquet may take in memory; what does not fit goes through a
    /// temporary records store.
    pub memory: Memory,
}

/// What the definitions gave.
#[derive(Debug, Clone)]
pub struct CohortOutcome {
    /// Rows and persons, definition by definition, and how long the parts took,
    /// for a person.
    pub summary: String,
    /// How many definitions were run.
    pub run: usize,
    /// How many concepts their sets hold, all sets added up.
    pub concepts: u64,
    /// What could not be run, by the definition's file, and why.
    pub refused: BTreeMap<String, String>,
    /// The columns read, by table.
    pub columns: BTreeMap<&'static str, Vec<&'static str>>,
    /// How long the parts took.
    pub seconds: CohortSeconds,
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
    let start = Instant::now();
    observer.event(Event::Started { stage: Stage::Cohorts, steps: None });
    let watches = Watches::default();
    let parse = || watches.parse.time(|| Folder::read(&request.definitions));
    let (folder, opened) = threads.run_beside(parse, || Opened::new(&request.input));
    let (folder, opened) = (folder?, opened?);
    let memory = request.memory;
    let (concepts, columns) = (0, BTreeMap::new());
    let mut run = Run { folder, threads, watches, memory, concepts, columns, observer, cancel };
    let results = match &opened {
        Opened::Records(store) => run.over_records(store)?,
        Opened::Omop(omop) => run.over_omop(omop)?,
    };
    stop_if_asked(cancel)?;
    let Run { folder, threads, watches, concepts, columns, .. } = run;
    let mut summary = summary(&folder, &results);
    watches.write.time(|| threads.run(|| write_tables(&request.out, results)))?;
    let seconds = watches.seconds(threads.count());
    let _ = writeln!(summary, "{seconds}");
    let definitions = counted(folder.definitions.len() as u64, "definition", "definitions");
    finished(observer, Stage::Cohorts, start, definitions);
    for (file, reason) in &folder.refused {
        observer.event(Event::Warning { message: format!("{file} not run: {reason}") });
    }
    let run = folder.definitions.len();
    Ok(CohortOutcome { summary, run, concepts, refused: folder.refused, columns, seconds })
}

/// Where the persons are, opened.
enum Opened {
    Records(RecordsStore),
    Omop(OmopParquet),
}

impl Opened {
    fn new(input: &CohortInput) -> Result<Self, Error> {
        Ok(match input {
            CohortInput::Records(path) => Self::Records(RecordsStore::open(&current(path)?)?),
            CohortInput::Omop(path) => Self::Omop(OmopParquet::open(path)?),
        })
    }
}

/// The parts of a run, timed.
#[derive(Default)]
struct Watches {
    parse: Stopwatch,
    resolve: Stopwatch,
    /// Of all threads.
    decode: Stopwatch,
    /// Of all threads.
    evaluate: Stopwatch,
    write: Stopwatch,
}

impl Watches {
    fn seconds(&self, threads: usize) -> CohortSeconds {
        let threads = threads.max(1) as f64;
        CohortSeconds {
            parse: self.parse.seconds(),
            resolve: self.resolve.seconds(),
            decode: self.decode.seconds() / threads,
            evaluate: self.evaluate.seconds() / threads,
            write: self.write.seconds(),
        }
    }
}

/// A run of definitions, on its way.
struct Run<'a> {
    folder: Folder,
    threads: Threads,
    watches: Watches,
    memory: Memory,
    /// Of all sets, once they are resolved.
    concepts: u64,
    /// That are read, by table.
    columns: BTreeMap<&'static str, Vec<&'static str>>,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl Run<'_> {
    fn over_records(&mut self, store: &RecordsStore) -> Result<CohortResults, Error> {
        // Resolving sets keeps one thread: the other reads what every definition
        // needs of the shards that come first.
        let shards: Vec<ShardId> = store.shards().collect();
        let first = &shards[..shards.len().min(2 * self.threads.count())];
        let mut ahead = BTreeMap::new();
        let vocabulary = |of: &[Definition]| {
            let resolve = || store.vocabulary_for(concept_sets(of));
            let (vocabulary, read) = rayon::join(resolve, || read_ahead(store, first));
            ahead = read;
            vocabulary
        };
        let has = |table| store.manifest().table(table).is_some();
        let plan = self.plan(vocabulary, has, &|table| store.has_unique_ids(table))?;
        let site = lookups(store, plan.needs())?;
        let mut results = CohortResults::default();
        if shards.len() < self.threads.count() {
            for id in shards {
                let read = || store.read_shard_rows(id, plan.needs(), plan.keys());
                let shard = self.alone(&self.watches.decode, read)?;
                self.add_ranges(&plan, &shard, &site, &mut results)?;
            }
            return Ok(results);
        }
        let nothing = Batches::new();
        let map = |id: ShardId| {
            stop_if_asked(self.cancel)?;
            let ahead = ahead.get(&id).unwrap_or(&nothing);
            let read = || store.read_shard_after(id, plan.needs(), plan.keys(), ahead);
            let shard = self.watches.decode.time(read)?;
            let cohorts = self.watches.evaluate.time(|| plan.evaluate(&shard, &site));
            Ok::<_, Error>((cohorts.map_err(of_evaluation)?, shard.persons().to_vec()))
        };
        self.threads.map_shards(&shards, map, |(cohorts, persons)| {
            results.add(&cohorts, &persons);
            Ok(())
        })?;
        Ok(results)
    }

    fn over_omop(&mut self, omop: &OmopParquet) -> Result<CohortResults, Error> {
        let plan = self.plan(
            |definitions| omop.vocabulary_for(concept_sets(definitions)),
            |table| omop.has(table),
            &|_| false,
        )?;
        let site = Site::new(&omop.site(plan.needs())?);
        let mut results = CohortResults::default();
        let shards = shards_for(omop.decoded_bytes(plan.needs())?, self.memory);
        if shards == 1 {
            let shard = self.alone(&self.watches.decode, || omop.shard(plan.needs()))?;
            self.add_ranges(&plan, &shard, &site, &mut results)?;
            return Ok(results);
        }
        let make = || OmopParts::new(omop, plan.needs(), shards, None);
        let parts = self.alone(&self.watches.decode, make)?;
        for id in parts.shards() {
            stop_if_asked(self.cancel)?;
            let shard = self.alone(&self.watches.decode, || parts.shard(id))?;
            self.add_ranges(&plan, &shard, &site, &mut results)?;
        }
        Ok(results)
    }

    /// Times what is done while the other threads wait.
    fn alone<T>(&self, watch: &Stopwatch, work: impl FnOnce() -> T) -> T {
        watch.time_of(self.threads.count(), work)
    }

    /// The plan of the definitions that the tables at hand can answer.
    fn plan(
        &mut self,
        vocabulary: impl FnOnce(&[Definition]) -> Result<Vocabulary, farr_records::Error> + Send,
        has: impl Fn(Table) -> bool,
        has_unique_ids: &dyn Fn(Table) -> bool,
    ) -> Result<Plan, Error> {
        let Self { folder, threads, watches, observer, concepts, columns, .. } = self;
        watches.resolve.time(|| {
            let vocabulary = threads.run(|| vocabulary(&folder.definitions))?;
            let plan_of = |definitions: &[Definition]| {
                Plan::over_unique_ids(definitions, &vocabulary, has_unique_ids)
            };
            let mut plan = plan_of(&folder.definitions);
            let lacking = plan.lacking(has);
            if !lacking.is_empty() {
                for (id, error) in lacking {
                    folder.refuse(id, error.to_string());
                }
                plan = plan_of(&folder.definitions);
            }
            warn_of_sets(plan.warnings(), *observer);
            *concepts = plan.n_concepts();
            let needs = plan.needs().iter();
            *columns = needs.map(|(table, names)| (table.name(), names.clone())).collect();
            Ok(plan)
        })
    }

    /// One shard, its persons in as many ranges as there are threads.
    fn add_ranges(
        &self,
        plan: &Plan,
        shard: &Shard,
        site: &Site,
        results: &mut CohortResults,
    ) -> Result<(), Error> {
        let persons = shard.persons().len();
        let size = persons.div_ceil(self.threads.count()).max(1);
        let starts: Vec<usize> = (0..persons).step_by(size).collect();
        let parts: Vec<Result<ShardCohorts, farr_cohort::Error>> = self.threads.run(|| {
            let ranges = starts.par_iter().map(|start| *start..(*start + size).min(persons));
            let evaluate = |range| plan.evaluate_range(shard, site, range);
            ranges.map(|range| self.watches.evaluate.time(|| evaluate(range))).collect()
        });
        for part in parts {
            results.add(&part.map_err(of_evaluation)?, shard.persons());
        }
        Ok(())
    }
}

/// The persons and observation periods of some shards. What cannot be read is
/// left to whoever needs it, and says so.
fn read_ahead(store: &RecordsStore, shards: &[ShardId]) -> BTreeMap<ShardId, Batches> {
    let periods = vec!["observation_period_start_date", "observation_period_end_date"];
    let tables = BTreeMap::from([(Table::Person, vec![]), (Table::ObservationPeriod, periods)]);
    let read = |shard: &ShardId| Some((*shard, store.read_ahead(*shard, &tables).ok()?));
    shards.iter().filter_map(read).collect()
}

/// Reading, sorting and evaluating a shard takes about so many times the bytes
/// of its columns.
const SHARD_FACTOR: u64 = 4;

/// How many shards rows of so many bytes go into, so that one of them fits: one
/// if all do.
fn shards_for(decoded_bytes: u64, memory: Memory) -> u32 {
    let fitting = (memory.bytes() / SHARD_FACTOR).max(1);
    let shards = decoded_bytes.div_ceil(fitting).max(1).next_power_of_two();
    u32::try_from(shards).unwrap_or(SHARDS_MAX).min(SHARDS_MAX)
}

fn of_evaluation(source: farr_cohort::Error) -> Error {
    Error::Cohort { id: 0, name: "all".to_owned(), source }
}

/// A definition in plain English, as Markdown.
///
/// # Errors
/// [`Error::File`] and [`Error::Definition`].
pub fn explain_cohort(path: &Path) -> Result<String, Error> {
    let definition = read_definition(Some(0), path)?;
    Ok(farr_cohort::explain(&definition))
}

/// The tables are persons' rows and exact counts: a restricted place.
fn write_tables(out: &Path, results: CohortResults) -> Result<(), Error> {
    let location = Location::folder(out, Zone::Restricted)?;
    let tables = results.tables().map_err(|source| {
        Error::Records(farr_records::Error::Arrow { table: Table::Person, source })
    })?;
    tables.into_par_iter().try_for_each(|(name, table)| {
        let file = format!("{name}.parquet");
        let bytes: Bytes = parquet_bytes(&location.url_of(&file), &table)?;
        Ok(location.write(&file, Labelled::person_level(bytes))?)
    })
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
