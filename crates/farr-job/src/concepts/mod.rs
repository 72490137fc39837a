//! Codes of a records store: by part of their name, or by the concept sets of
//! definitions, each with records and persons.

mod counts;
mod neighbours;
mod search;
mod sets;
mod table;

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use farr_cohort::Definition;
use farr_disclosure::{Labelled, Zone};
use farr_records::{RecordsStore, Table};
use farr_store::Location;

use crate::Error;
use crate::cohorts::read_definition;
use crate::executor::Threads;
use crate::inspect::current;
use crate::plan::{JobRequest, Plan};
use counts::Counts;
use table::{Row, batch_of, json_of};

/// Which codes are asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum ConceptsOf {
    /// Those whose name or code has this part, in any case.
    Search(String),
    /// Those of the concept sets of a definition, or of all of a folder.
    Definitions(PathBuf),
    /// Those of the concept sets of a job's cohorts.
    Job(JobRequest),
}

/// What is asked of a records store.
#[derive(Debug, Clone, PartialEq)]
pub struct ConceptsRequest {
    /// The folder of the records store.
    pub records: PathBuf,
    /// Which codes.
    pub of: ConceptsOf,
    /// At most so many codes near a set are printed; a file has all.
    pub near_max: usize,
    /// A file for the table: `.parquet` or `.json`.
    pub out: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConceptsOutcome {
    /// For a person.
    pub text: String,
    /// Definitions that cannot be read, and why.
    pub refused: Vec<String>,
}

/// What concepts are called, a row by its concept.
pub(crate) struct ConceptTable<'a> {
    batch: Option<&'a RecordBatch>,
    /// Concepts and rows, by concept.
    rows: Vec<(i64, u32)>,
}

/// What the concept table says of a concept; empty where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Described<'a> {
    pub(crate) name: &'a str,
    pub(crate) code: &'a str,
    pub(crate) vocabulary: &'a str,
}

impl<'a> ConceptTable<'a> {
    pub(crate) fn new(batch: Option<&'a RecordBatch>) -> Self {
        let ids = batch.and_then(|batch| batch.column_by_name("concept_id"));
        let ids = ids.and_then(|ids| ids.as_primitive_opt::<Int64Type>());
        let mut rows: Vec<(i64, u32)> =
            ids.into_iter().flat_map(|ids| ids.values().iter().copied().zip(0..)).collect();
        rows.sort_unstable();
        Self { batch, rows }
    }

    /// The concepts, ascending.
    pub(crate) fn ids(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|row| row.0)
    }

    pub(crate) fn describe(&self, concept: i64) -> Described<'a> {
        let Ok(place) = self.rows.binary_search_by_key(&concept, |row| row.0) else {
            return Described::default();
        };
        let row = self.rows[place].1 as usize;
        let text = |column: &str| -> &'a str {
            let values = self.batch.and_then(|batch| batch.column_by_name(column));
            let values = values.and_then(|values| values.as_string_opt::<i32>());
            values.filter(|values| values.is_valid(row)).map_or("", |values| values.value(row))
        };
        Described {
            name: text("concept_name"),
            code: text("concept_code"),
            vocabulary: text("vocabulary_id"),
        }
    }
}

/// Finds codes in a records store, with records and persons.
///
/// # Errors
/// [`Error::File`] without such a folder or definition; what fails in reading
/// records, definitions or the job, and in writing the table.
pub fn concepts(request: &ConceptsRequest) -> Result<ConceptsOutcome, Error> {
    let store = RecordsStore::open(&current(&request.records)?)?;
    let (definitions, refused) = definitions(&request.of)?;
    if store.manifest().table(Table::Concept).is_none() {
        return Ok(ConceptsOutcome { text: "the store has no concepts\n".to_owned(), refused });
    }
    let threads =
        Threads::new(None).map_err(|source| Error::File { file: "threads".to_owned(), source })?;
    let counts = Counts::of(&store, &threads)?;
    let (text, rows) = match &request.of {
        ConceptsOf::Search(part) => search::find(part, (&store, &threads), &counts)?,
        ConceptsOf::Definitions(_) | ConceptsOf::Job(_) => {
            sets::find(&definitions, (&store, &threads), &counts, request.near_max)?
        }
    };
    if let Some(out) = &request.out {
        write(out, &rows)?;
    }
    Ok(ConceptsOutcome { text, refused })
}

fn definitions(of: &ConceptsOf) -> Result<(Vec<Definition>, Vec<String>), Error> {
    match of {
        ConceptsOf::Search(_) => Ok((Vec::new(), Vec::new())),
        ConceptsOf::Job(job) => Ok((Plan::load(job)?.definitions, Vec::new())),
        ConceptsOf::Definitions(path) if path.is_dir() => of_folder(path),
        ConceptsOf::Definitions(path) => {
            Ok((vec![read_definition(Some(id_of(path, 1)), path)?], vec![]))
        }
    }
}

/// A file's id: its name if that is a number, else its place.
fn id_of(file: &Path, place: i64) -> i64 {
    file.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(place)
}

/// The definitions of a folder, by id, and what is wrong with the others.
fn of_folder(folder: &Path) -> Result<(Vec<Definition>, Vec<String>), Error> {
    let failed = |source| Error::File { file: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        if matches!(ending.as_deref(), Some("json" | "toml")) {
            files.push(file);
        }
    }
    if files.is_empty() {
        let reason = "no definitions here; expected .json or .toml files";
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, reason)));
    }
    files.sort();
    let (mut definitions, mut refused) = (Vec::new(), Vec::new());
    for (file, place) in files.iter().zip(1..) {
        match read_definition(Some(id_of(file, place)), file) {
            Ok(definition) => definitions.push(definition),
            Err(error) => refused.push(format!("not read: {error}")),
        }
    }
    definitions.sort_by_key(|definition| definition.id);
    Ok((definitions, refused))
}

/// Exact counts by code: a restricted place.
fn write(out: &Path, rows: &[Row]) -> Result<(), Error> {
    let failed = |reason: &str| Error::Parameter {
        parameter: format!("--out {}", out.display()),
        reason: reason.to_owned(),
    };
    let expected = "expected a file that ends in .parquet or .json";
    let name = out.file_name().and_then(|name| name.to_str()).ok_or_else(|| failed(expected))?;
    let ending = out.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
    let bytes = match ending.as_deref() {
        Some("parquet") => {
            let batch = batch_of(rows).map_err(|source| {
                Error::Records(farr_records::Error::Arrow { table: Table::Concept, source })
            })?;
            farr_records::parquet_bytes(name, &batch)?
        }
        Some("json") => json_of(rows),
        _ => return Err(failed(expected)),
    };
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let location = Location::folder(folder, Zone::Restricted)?;
    Ok(location.write(name, Labelled::aggregate(bytes))?)
}
