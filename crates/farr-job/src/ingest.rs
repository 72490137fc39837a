//! Pull and records: sources are read into a records store.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use farr_records::{
    BuildSettings, Builder, Built, Derivations, Incoming, Intake, LocalCodes, ObjectId, ObjectRead,
    Progress, Pulled, RangeRead, Reject, RejectsMax, RepeatedIds, Scope, SourceTableId, SpillPlace,
    Table, TableRejects, build,
};
use farr_source::{Share, SourceSummary, TableSummary};
use farr_store::Location;

use crate::executor::Threads;
use crate::limits::{Memory, peak_memory};
use crate::plan::Plan;
use crate::progress::{Cancel, Event, Figures, Observer, Stage, StageClock};
use crate::work::Work;
use crate::{Error, counted, number};

/// What was found in each source, by system.
pub(crate) type Found = Vec<(String, SourceSummary)>;

/// How a job's sources become records.
#[derive(Clone, Copy)]
pub(crate) struct Ingest<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) rejects_max: Option<RejectsMax>,
    pub(crate) threads: &'a Threads,
    pub(crate) memory: Memory,
    /// Where rows lie until they are built, and what was built is marked.
    pub(crate) work: &'a Work,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a Cancel,
}

impl Ingest<'_> {
    /// A share of the sources' rows, at rest: pulled now, or before by a run
    /// that died later.
    pub(crate) fn pull(&self, share: Share) -> Result<(Pulled, Found), Error> {
        if let Some(pulled) = self.pulled(share)? {
            return Ok(pulled);
        }
        let folder = folder_of(share);
        let kept = self.work.below(&folder);
        kept.remove_all()?;
        let clock =
            StageClock::start(self.observer, Stage::Pull, Some(self.plan.job.source.len() as u64));
        let builder = Builder::new(self.settings(share, SpillPlace::Kept(kept)))?;
        let found = self.read(share, &builder)?;
        if builder.keeps() {
            // Summaries first: the index that `close` writes says that all is
            // there.
            self.work.keep(&format!("found/{}", name_of(share)), &found)?;
        }
        let pulled = self.threads.run(|| builder.close())?;
        self.finish_pull(clock, &found);
        Ok((pulled, found))
    }

    /// A share that was pulled; `None` if it was not, or not to its end.
    fn pulled(&self, share: Share) -> Result<Option<(Pulled, Found)>, Error> {
        let Some(pulled) = Pulled::open(&self.work.below(&folder_of(share)))? else {
            return Ok(None);
        };
        let found = self.work.find(&format!("found/{}", name_of(share)))?;
        Ok(found.map(|found| (pulled, found)))
    }

    /// All shares that were pulled, if there are any.
    ///
    /// # Errors
    /// [`Error::Parts`] if some but not all are there.
    pub(crate) fn all_pulled(&self) -> Result<Option<(Vec<Pulled>, Found)>, Error> {
        let names = self.work.names("found")?;
        let of = |name: &String| name.rsplit_once("-of-")?.1.parse::<u32>().ok();
        let Some(of) = names.iter().filter_map(of).max() else { return Ok(None) };
        let (mut parts, mut found, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for share in (0..of).filter_map(|index| Share::new(index, of)) {
            match self.pulled(share)? {
                Some((part, of_part)) => {
                    parts.push(part);
                    found.push(of_part);
                }
                None => missing.push(format!("{}/{of}", share.index() + 1)),
            }
        }
        if missing.is_empty() {
            return Ok(Some((parts, joined(found))));
        }
        let missing = missing.join(", ");
        Err(Error::Parts { reason: format!("run `farr ingest --shard` for {missing} first") })
    }

    /// Builds the records of shares to `target`, which holds none but what the
    /// same build, cut short, left there.
    pub(crate) fn build(&self, parts: Vec<Pulled>, target: &Location) -> Result<Built, Error> {
        self.cancel.check()?;
        let clock = StageClock::unannounced(Stage::Records);
        let watch = |progress: Progress| {
            // Only now the number of steps is known.
            if let Progress::Begins { shards } = progress {
                let (stage, steps) = (Stage::Records, Some(u64::from(shards)));
                self.observer.event(Event::Started { stage, steps });
            } else if let Progress::Shard { .. } = progress {
                self.observer.event(Event::Stepped { stage: Stage::Records });
            }
            match self.cancel.check() {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        let settings = self.settings(Share::WHOLE, SpillPlace::Temporary(None));
        let marks = self.work.below("marks");
        let built = self.threads.run(|| build(parts, &settings, target, Some(&marks), &watch));
        let built = match built {
            Err(farr_records::Error::Stopped) => {
                self.cancel.check()?;
                return Err(Error::Stopped);
            }
            Err(error) if !self.plan.shows_counts() => return Err(error.without_counts().into()),
            built => built?,
        };
        let manifest = &built.manifest;
        self.warn_of_rows(&built);
        let records: u64 = manifest.tables.values().map(|table| table.rows).sum();
        let shows = self.plan.shows_counts();
        let mut summary = counted(u64::from(manifest.shard_count), "shard", "shards");
        if shows {
            let persons = counted(manifest.persons, "person", "persons");
            summary = format!("{persons}, {}, {summary}", counted(records, "record", "records"));
        }
        let files = manifest.tables.values().flat_map(|table| &table.files);
        let figures = Figures {
            persons: shows.then_some(manifest.persons),
            rows: shows.then_some(records),
            bytes: shows.then(|| files.map(|file| file.size).sum()),
        };
        clock.finish(self.observer, figures, summary);
        Ok(built)
    }

    fn settings(&self, share: Share, spill: SpillPlace) -> BuildSettings {
        let job = &self.plan.job;
        let bytes_per_shard = self.memory.bytes_per_shard(self.threads.count());
        BuildSettings {
            shards: job.records.shards,
            bytes_per_shard,
            shards_in_flight: self.memory.shards_in_flight(bytes_per_shard, self.threads.count()),
            buffer_bytes: self.memory.buffer_bytes(),
            spill,
            parts: share.of(),
            rejects_max: self.rejects_max.or_else(|| self.plan.rejects_max()),
            timezones: job.source.iter().map(|s| (s.system.clone(), s.timezone.clone())).collect(),
        }
    }

    fn read(&self, share: Share, builder: &Builder) -> Result<Found, Error> {
        let (plan, threads, observer) = (self.plan, self.threads, self.observer);
        let job = &plan.job;
        let mapping = match &job.records.vocabulary {
            None => None,
            Some(name) => {
                let location = plan.location(name)?;
                let read = threads.run(|| farr_source::read_vocabulary(&location, share, builder));
                let of_vocabulary = |source| Error::Source { system: name.clone(), source };
                let (mapping, summary) = read.map_err(of_vocabulary)?;
                let is_lacking = |table: &TableSummary| {
                    table.table == Table::ConceptRelationship.name() && table.absent.is_some()
                };
                if summary.tables.iter().any(is_lacking) {
                    let message = format!(
                        "vocabulary '{name}' has no CONCEPT_RELATIONSHIP: no code is mapped to a \
                         standard concept, and none of the records has one"
                    );
                    observer.event(Event::Warning { message });
                }
                Some(mapping)
            }
        };
        let mut found = Vec::new();
        for source in &job.source {
            self.cancel.check()?;
            let location = plan.location(&source.location)?;
            let settings = Plan::source_settings(source);
            let intake = Stoppable { builder, cancel: self.cancel };
            let read = threads
                .run(|| farr_source::read(&settings, &location, mapping.as_ref(), share, &intake));
            let summary = read.map_err(|error| of_read(&source.system, self.cancel, error))?;
            found.push((source.system.clone(), summary));
            observer.event(Event::Stepped { stage: Stage::Pull });
        }
        Ok(found)
    }

    /// Names the tables that lost rows, and those whose ids repeat.
    fn warn_of_rows(&self, built: &Built) {
        let shows = self.plan.shows_counts();
        let warn = |message: String| self.observer.event(Event::Warning { message });
        for table in &built.rejects {
            let TableRejects { system, source_table, read, rejected, commonest } = table;
            let rows = match (read == rejected, shows) {
                (true, _) => "every row was rejected".to_owned(),
                (false, true) => {
                    format!(
                        "{} of {} were rejected",
                        number(*rejected),
                        counted(*read, "row", "rows")
                    )
                }
                (false, false) => "some rows were rejected".to_owned(),
            };
            warn(format!(
                "source '{system}', table '{source_table}': {rows}, most often since \
                 {commonest}; {} beside the records names each",
                built.manifest.rejects.path
            ));
        }
        let repeated = built.manifest.repeated_ids.iter();
        for (table, RepeatedIds { ids, rows, .. }) in repeated.filter(|(_, ids)| ids.rows > 0) {
            let found = if shows {
                let rows = counted(*rows, "row", "rows");
                format!("{rows} that differ have {} between them", counted(*ids, "id", "ids"))
            } else {
                "some rows that differ have the same id".to_owned()
            };
            let is_of_persons =
                Table::from_name(table).is_some_and(|table| table.scope() == Scope::Person);
            let cause = if is_of_persons || self.plan.job.source.len() < 2 {
                "is part of the export there twice?"
            } else {
                "do two sources mean different things by one id? The first counts"
            };
            warn(format!("records of '{table}': {found}; {cause}"));
        }
    }

    /// Says what a pull gave.
    fn finish_pull(&self, clock: StageClock, found: &Found) {
        let rows: u64 = found.iter().flat_map(|(_, s)| &s.tables).map(|t| t.rows_read).sum();
        let objects = found.iter().flat_map(|(_, s)| &s.objects);
        let bytes: u64 = objects.clone().map(|object| object.size).sum();
        let mut summary = counted(objects.count() as u64, "object", "objects");
        let shows = self.plan.shows_counts();
        if shows {
            summary = format!("{} of {summary}", counted(rows, "row", "rows"));
        }
        let shown = |n: u64| shows.then_some(n);
        let figures = Figures { persons: None, rows: shown(rows), bytes: shown(bytes) };
        clock.finish(self.observer, figures, summary);
    }
}

/// Names what exports have that farr does not keep, and what else one should know
/// of them; without numbers unless they may be shown.
pub(crate) fn warn(found: &Found, shows_counts: bool, observer: &dyn Observer) {
    for (system, summary) in found {
        warn_of((system, summary), shows_counts, observer);
    }
}

fn name_of(share: Share) -> String {
    format!("{}-of-{}", share.index() + 1, share.of())
}

fn folder_of(share: Share) -> String {
    format!("pull/{}", name_of(share))
}

/// What shares found, as one.
fn joined(shares: Vec<Found>) -> Found {
    let mut by_system: BTreeMap<usize, (String, Vec<SourceSummary>)> = BTreeMap::new();
    for (place, (system, summary)) in shares.into_iter().flat_map(|f| f.into_iter().enumerate()) {
        by_system.entry(place).or_insert_with(|| (system, Vec::new())).1.push(summary);
    }
    let join = |(system, summaries)| (system, SourceSummary::joined(summaries));
    by_system.into_values().map(join).collect()
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
fn of_read(system: &str, cancel: &Cancel, error: farr_source::Error) -> Error {
    let of_source = |source| Error::Source { system: system.to_owned(), source };
    let farr_source::Error::Intake(refused) = error else { return of_source(error) };
    match refused.downcast::<Refused>() {
        Ok(refused) => match *refused {
            Refused::Records(error) => Error::Records(error),
            Refused::Stopped => cancel.check().err().unwrap_or(Error::Stopped),
        },
        Err(other) => of_source(farr_source::Error::Intake(other)),
    }
}

pub(crate) fn stop_if_asked(cancel: &Cancel) -> Result<(), Error> {
    cancel.check()
}

pub(crate) fn finished(observer: &dyn Observer, stage: Stage, start: Instant, summary: String) {
    let seconds = start.elapsed().as_secs_f64();
    let (peak_memory, figures) = (peak_memory(), Figures::default());
    observer.event(Event::Finished { stage, seconds, peak_memory, figures, summary });
}

fn warn_of((system, summary): (&str, &SourceSummary), shows_counts: bool, observer: &dyn Observer) {
    let warn = |message: String| observer.event(Event::Warning { message });
    let starts_like_a_table = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        summary.tables.iter().any(|table| name.starts_with(&table.table))
    };
    let (like_tables, others): (Vec<String>, Vec<String>) =
        summary.unknown_objects.iter().cloned().partition(starts_like_a_table);
    if !like_tables.is_empty() {
        let objects = farr_source::listed(&like_tables);
        warn(format!(
            "source '{system}': named nearly like tables, not read: {objects}; if they are \
             tables, say so under the source's files"
        ));
    }
    if !others.is_empty() {
        let objects = farr_source::listed(&others);
        warn(format!("source '{system}': no table of the format, not read: {objects}"));
    }
    for table in &summary.tables {
        let of_table = format!("source '{system}', table '{}'", table.table);
        if !table.unknown_columns.is_empty() {
            let columns = farr_source::listed(&table.unknown_columns);
            warn(format!("{of_table}: unknown columns, not kept: {columns}"));
        }
        if table.rows_backward > 0 {
            let rows = if shows_counts {
                counted(table.rows_backward, "row", "rows")
            } else {
                "some rows".to_owned()
            };
            warn(format!("{of_table}: {rows} end before they start; kept as they are"));
        }
        if !table.columns_missing_somewhere.is_empty() {
            let columns = table.columns_missing_somewhere.join(", ");
            warn(format!(
                "{of_table}: some objects lack columns that others have; their rows have none: \
                 {columns}"
            ));
        }
        for note in &table.notes {
            warn(format!("{of_table}: {note}"));
        }
    }
}
