//! Pull and records: sources are read into a records store.

use std::collections::BTreeMap;
use std::time::Instant;

use farr_records::{
    BuildSettings, Builder, Built, Derivations, Incoming, Intake, LocalCodes, ObjectId, ObjectRead,
    RangeRead, Reject, RejectsMax, SourceTableId,
};
use farr_source::{Share, SourceSummary};
use farr_store::Location;

use crate::executor::Threads;
use crate::plan::Plan;
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::{Error, counted};

/// What ingest gave.
#[derive(Debug)]
pub(crate) struct Ingested {
    /// The store's manifest and the objects read.
    pub(crate) built: Built,
    /// What was found in each source, by system.
    pub(crate) sources: Vec<(String, SourceSummary)>,
}

/// Reads every source and writes the records to `target`, which holds none.
pub(crate) fn ingest(
    plan: &Plan,
    rejects_max: Option<RejectsMax>,
    target: &Location,
    threads: &Threads,
    (observer, cancel): (&dyn Observer, &Cancel),
) -> Result<Ingested, Error> {
    let job = &plan.job;
    let timezones: BTreeMap<String, String> =
        job.source.iter().map(|s| (s.system.clone(), s.timezone.clone())).collect();
    let builder = Builder::new(BuildSettings {
        shards: job.records.shards,
        shards_in_flight: threads.count(),
        rejects_max: rejects_max.or_else(|| plan.rejects_max()),
        timezones,
        ..BuildSettings::default()
    })?;
    let start = Instant::now();
    let steps = Some(job.source.len() as u64);
    observer.event(Event::Started { stage: Stage::Pull, steps });
    let mapping = match &job.records.vocabulary {
        None => None,
        Some(name) => {
            let location = plan.location(name)?;
            let read =
                threads.run(|| farr_source::read_vocabulary(&location, Share::WHOLE, &builder));
            let of_vocabulary = |source| Error::Source { system: name.clone(), source };
            let (mapping, _) = read.map_err(of_vocabulary)?;
            Some(mapping)
        }
    };
    let mut sources = Vec::new();
    for source in &job.source {
        stop_if_asked(cancel)?;
        let location = plan.location(&source.location)?;
        let settings = Plan::source_settings(source);
        let intake = Stoppable { builder: &builder, cancel };
        let read = threads.run(|| {
            farr_source::read(&settings, &location, mapping.as_ref(), Share::WHOLE, &intake)
        });
        let summary = read.map_err(|error| of_read(&source.system, error))?;
        warn_of(&source.system, &summary, observer);
        sources.push((source.system.clone(), summary));
        observer.event(Event::Stepped { stage: Stage::Pull });
    }
    let rows: u64 = sources.iter().flat_map(|(_, s)| &s.tables).map(|t| t.rows_read).sum();
    let objects: usize = sources.iter().map(|(_, s)| s.objects.len()).sum();
    let shows = plan.shows_counts();
    let mut summary = counted(objects as u64, "object", "objects");
    if shows {
        summary = format!("{} of {summary}", counted(rows, "row", "rows"));
    }
    finished(observer, Stage::Pull, start, summary);

    stop_if_asked(cancel)?;
    let start = Instant::now();
    observer.event(Event::Started { stage: Stage::Records, steps: None });
    let built = threads.run(|| builder.finish(target))?;
    let manifest = &built.manifest;
    let records: u64 = manifest.tables.values().map(|table| table.rows).sum();
    let mut summary = counted(u64::from(manifest.shard_count), "shard", "shards");
    if shows {
        let persons = counted(manifest.persons, "person", "persons");
        summary = format!("{persons}, {}, {summary}", counted(records, "record", "records"));
    }
    finished(observer, Stage::Records, start, summary);
    Ok(Ingested { built, sources })
}

/// An intake that takes no more rows once the run was asked to stop.
struct Stoppable<'a> {
    builder: &'a Builder,
    cancel: &'a Cancel,
}

/// Why the intake takes no more.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Records(#[from] farr_records::Error),
    #[error("stopped")]
    Stopped,
}

impl Intake for Stoppable<'_> {
    type Error = Refused;

    fn source_table(&self, system: &str, name: &str, derive: Derivations) -> SourceTableId {
        self.builder.source_table(system, name, derive)
    }

    fn object(&self, object: ObjectRead) -> ObjectId {
        self.builder.object(object)
    }

    fn range_read(&self, object: ObjectId, range: RangeRead) {
        self.builder.range_read(object, range);
    }

    fn rows_read(&self, source_table: SourceTableId, rows: u64) {
        self.builder.rows_read(source_table, rows);
    }

    fn rows(&self, incoming: Incoming) -> Result<(), Refused> {
        if self.cancel.is_asked() {
            return Err(Refused::Stopped);
        }
        Ok(self.builder.rows(incoming)?)
    }

    fn rejects(&self, rejects: Vec<Reject>) -> Result<(), Refused> {
        Ok(self.builder.rejects(rejects)?)
    }

    fn local_codes(&self) -> &LocalCodes {
        self.builder.local_codes()
    }
}

/// What ended the reading of a source: what the records refused is theirs.
fn of_read(system: &str, error: farr_source::Error) -> Error {
    let of_source = |source| Error::Source { system: system.to_owned(), source };
    let farr_source::Error::Intake(refused) = error else { return of_source(error) };
    match refused.downcast::<Refused>() {
        Ok(refused) => match *refused {
            Refused::Records(error) => Error::Records(error),
            Refused::Stopped => Error::Stopped,
        },
        Err(other) => of_source(farr_source::Error::Intake(other)),
    }
}

pub(crate) fn stop_if_asked(cancel: &Cancel) -> Result<(), Error> {
    if cancel.is_asked() { Err(Error::Stopped) } else { Ok(()) }
}

pub(crate) fn finished(observer: &dyn Observer, stage: Stage, start: Instant, summary: String) {
    let seconds = start.elapsed().as_secs_f64();
    observer.event(Event::Finished { stage, seconds, summary });
}

/// Names what an export has that farr does not keep.
fn warn_of(system: &str, summary: &SourceSummary, observer: &dyn Observer) {
    if !summary.unknown_objects.is_empty() {
        let message = format!(
            "source '{system}': no table of the format, not read: {}",
            summary.unknown_objects.join(", ")
        );
        observer.event(Event::Warning { message });
    }
    for table in summary.tables.iter().filter(|table| !table.unknown_columns.is_empty()) {
        let message = format!(
            "source '{system}', table '{}': unknown columns, not kept: {}",
            table.table,
            table.unknown_columns.join(", ")
        );
        observer.event(Event::Warning { message });
    }
}
