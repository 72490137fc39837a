//! Pull and records: sources are read into a records store.

use std::collections::BTreeMap;
use std::time::Instant;

use farr_records::{BuildSettings, Builder, Built, RejectsMax};
use farr_source::SourceSummary;
use farr_store::Location;

use crate::executor::Threads;
use crate::plan::Plan;
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::{Error, number};

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
            let read = threads.run(|| farr_source::read_vocabulary(&location, &builder));
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
        let read =
            threads.run(|| farr_source::read(&settings, &location, mapping.as_ref(), &builder));
        let summary =
            read.map_err(|error| Error::Source { system: source.system.clone(), source: error })?;
        warn_of(&source.system, &summary, observer);
        sources.push((source.system.clone(), summary));
        observer.event(Event::Stepped { stage: Stage::Pull });
    }
    let rows: u64 = sources.iter().flat_map(|(_, s)| &s.tables).map(|t| t.rows_read).sum();
    let objects: usize = sources.iter().map(|(_, s)| s.objects.len()).sum();
    let summary = format!("{} rows of {} objects", number(rows), number(objects as u64));
    finished(observer, Stage::Pull, start, summary);

    stop_if_asked(cancel)?;
    let start = Instant::now();
    observer.event(Event::Started { stage: Stage::Records, steps: None });
    let built = threads.run(|| builder.finish(target))?;
    let manifest = &built.manifest;
    let records: u64 = manifest.tables.values().map(|table| table.rows).sum();
    let summary = format!(
        "{} persons, {} records, {} shards",
        number(manifest.persons),
        number(records),
        number(u64::from(manifest.shard_count))
    );
    finished(observer, Stage::Records, start, summary);
    Ok(Ingested { built, sources })
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
