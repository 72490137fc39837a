//! A synthetic population, made in chunks and written in a format.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use farr_disclosure::{Labelled, Zone};
use farr_source::export::{Piece, SyntheaCsv, Totals, omop_parquet};
use farr_store::{Location, ObjectWriter};
use farr_synth::Population;
use rayon::prelude::*;

use crate::executor::Threads;
use crate::ingest::{finished, stop_if_asked};
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::{Error, number};

/// Persons made at a time by one thread.
const CHUNK_PERSONS: u64 = 2_000;

/// The format of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SynthFormat {
    /// Synthea's CSV layout of 2024.
    SyntheaCsv,
    /// OMOP CDM 5.4 as Parquet.
    Omop,
}

/// Which population, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthRequest {
    /// How many persons.
    pub persons: u64,
    /// The seed.
    pub seed: u64,
    /// The format.
    pub format: SynthFormat,
    /// The folder.
    pub folder: PathBuf,
}

/// Writes a population; the same seed gives the same bytes. The text says what
/// was written.
///
/// # Errors
/// [`Error::Synth`] for no persons or too many; what fails in writing.
pub fn synth(
    request: &SynthRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<String, Error> {
    let failed = |e: farr_synth::Error| Error::Synth { reason: e.to_string() };
    let population = Population::new(request.seed, request.persons).map_err(failed)?;
    let location = Location::folder(&request.folder, Zone::Restricted)?;
    let threads =
        Threads::new(None).map_err(|source| Error::File { file: "threads".to_owned(), source })?;
    let start = Instant::now();
    let chunks: Vec<_> = population.chunks(CHUNK_PERSONS).collect();
    observer.event(Event::Started { stage: Stage::Synth, steps: Some(chunks.len() as u64) });
    let site = population.site_tables().map_err(failed)?;
    let mut sink = Sink::new(request.format, &location, &site)?;
    for (group_number, group) in chunks.chunks(threads.count()).enumerate() {
        stop_if_asked(cancel)?;
        let first = group_number * threads.count();
        let parts: Vec<Result<Part, Error>> = threads.run(|| {
            let numbered = group.par_iter().enumerate();
            numbered
                .map(|(i, range)| {
                    let tables = population.chunk(range.clone()).map_err(failed)?;
                    sink.format.render(&tables, first + i)
                })
                .collect()
        });
        for part in parts {
            sink.take(part?)?;
            observer.event(Event::Stepped { stage: Stage::Synth });
        }
    }
    let files = sink.finish()?;
    let persons = number(request.persons);
    finished(observer, Stage::Synth, start, format!("{persons} persons"));
    Ok(format!("{persons} synthetic persons in {files} files of {}", location.url()))
}

/// What a chunk becomes.
struct Part {
    pieces: Vec<Piece>,
    totals: Totals,
}

/// Where pieces of files go.
struct Sink<'a> {
    location: &'a Location,
    format: Rendering,
    /// CSV files being written, by path.
    open: BTreeMap<String, ObjectWriter>,
    files: u64,
}

enum Rendering {
    Synthea { csv: Box<SyntheaCsv>, totals: Totals },
    Omop,
}

impl Rendering {
    fn render(
        &self,
        tables: &BTreeMap<farr_records::Table, arrow::array::RecordBatch>,
        number: usize,
    ) -> Result<Part, Error> {
        let rendered = match self {
            Self::Omop => omop_parquet(tables, number)
                .map(|pieces| Part { pieces, totals: Totals::default() }),
            Self::Synthea { csv, .. } => {
                csv.chunk(tables).map(|(pieces, totals)| Part { pieces, totals })
            }
        };
        rendered.map_err(|source| Error::Source { system: "synth".to_owned(), source })
    }
}

impl<'a> Sink<'a> {
    fn new(
        format: SynthFormat,
        location: &'a Location,
        site: &BTreeMap<farr_records::Table, arrow::array::RecordBatch>,
    ) -> Result<Self, Error> {
        let of_export = |source| Error::Source { system: "synth".to_owned(), source };
        let mut sink = Self { location, format: Rendering::Omop, open: BTreeMap::new(), files: 0 };
        match format {
            SynthFormat::Omop => {
                let pieces = omop_parquet(site, 0).map_err(of_export)?;
                sink.take(Part { pieces, totals: Totals::default() })?;
            }
            SynthFormat::SyntheaCsv => {
                let csv = Box::new(SyntheaCsv::new(site).map_err(of_export)?);
                let pieces = csv.headers();
                sink.format = Rendering::Synthea { csv, totals: Totals::default() };
                sink.take(Part { pieces, totals: Totals::default() })?;
            }
        }
        Ok(sink)
    }

    fn take(&mut self, part: Part) -> Result<(), Error> {
        match &mut self.format {
            Rendering::Omop => {
                for piece in part.pieces {
                    self.files += 1;
                    let bytes = Labelled::person_level(Bytes::from(piece.bytes));
                    self.location.write(&piece.file, bytes)?;
                }
            }
            Rendering::Synthea { totals, .. } => {
                totals.merge(&part.totals);
                for piece in part.pieces {
                    self.append(&piece)?;
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, piece: &Piece) -> Result<(), Error> {
        if !self.open.contains_key(&piece.file) {
            self.open.insert(piece.file.clone(), self.location.writer(&piece.file)?);
        }
        let Some(writer) = self.open.get_mut(&piece.file) else { return Ok(()) };
        let file = || self.location.url_of(&piece.file);
        writer.write_all(&piece.bytes).map_err(|source| Error::File { file: file(), source })
    }

    fn finish(mut self) -> Result<u64, Error> {
        let last = match &self.format {
            Rendering::Omop => Vec::new(),
            Rendering::Synthea { csv, totals } => csv.finish(totals),
        };
        for piece in last {
            self.append(&piece)?;
        }
        for writer in std::mem::take(&mut self.open).into_values() {
            writer.finish()?;
            self.files += 1;
        }
        Ok(self.files)
    }
}
