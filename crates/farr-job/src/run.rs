//! A run: pull, records, cohorts, analyses, reports, in that order.

use std::time::Instant;

use farr_disclosure::{Document, Labelled, Node, Zone};
use farr_records::{Manifest, ObjectRead, RecordsStore};
use farr_store::Publication;

use crate::evaluate::{Evaluated, evaluate};
use crate::executor::Threads;
use crate::ingest::{Ingested, finished, ingest as ingest_sources, stop_if_asked};
use crate::job_file::RejectsMax;
use crate::plan::{JobRequest, Plan, rejects_max};
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::publish::publish;
use crate::{Error, counted, number};

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct RunRequest {
    job: JobRequest,
    threads: Option<usize>,
    rejects_max: Option<farr_records::RejectsMax>,
}

impl RunRequest {
    /// A run of a job; `max_rejects` is a count or a share like `1%`, and
    /// stands above the job file's.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a bound that is neither, or no threads.
    pub fn new(
        job: JobRequest,
        threads: Option<usize>,
        max_rejects: Option<&str>,
    ) -> Result<Self, Error> {
        let bound = |text: &str| {
            let bound = text
                .parse::<u64>()
                .map_or_else(|_| RejectsMax::Share(text.to_owned()), RejectsMax::Count);
            rejects_max(&bound).ok_or_else(|| Error::Parameter {
                parameter: "--max-rejects".to_owned(),
                reason: "expected a count, or a share like 1%".to_owned(),
            })
        };
        if threads == Some(0) {
            let (parameter, reason) = ("--threads".to_owned(), "expected 1 or more".to_owned());
            return Err(Error::Parameter { parameter, reason });
        }
        Ok(Self { job, threads, rejects_max: max_rejects.map(bound).transpose()? })
    }
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// The run's id, which names its folder.
    pub run_id: String,
    /// The hash of all that can change an answer.
    pub job_hash: String,
    /// Where the reports are.
    pub report: String,
    /// What it found, for a person.
    pub summary: String,
}

/// What an ingest gave.
#[derive(Debug, Clone)]
pub struct IngestOutcome {
    /// The run's id, which names its folder.
    pub run_id: String,
    /// Where the records are.
    pub records: String,
    /// What became of the source's rows, for a person.
    pub summary: String,
}

/// A run on its way.
struct Running<'a> {
    plan: Plan,
    threads: Threads,
    run_id: String,
    started: jiff::Timestamp,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl<'a> Running<'a> {
    fn start(
        request: &RunRequest,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Self, Error> {
        let plan = Plan::load(&request.job)?;
        let threads = Threads::new(request.threads)
            .map_err(|source| Error::File { file: "threads".to_owned(), source })?;
        let started = jiff::Timestamp::now();
        let run_id = run_id(started, &plan);
        Ok(Self { plan, threads, run_id, started, observer, cancel })
    }

    /// Builds the records and makes them the current ones.
    fn ingest(&self, request: &RunRequest) -> Result<(RecordsStore, Ingested), Error> {
        let location = self.plan.location(&self.plan.job.records.location)?;
        let publication = Publication::begin(&location, &self.run_id)?;
        let ingested = ingest_sources(
            &self.plan,
            request.rejects_max,
            publication.folder(),
            &self.threads,
            (self.observer, self.cancel),
        )?;
        let store = RecordsStore::open(publication.folder())?;
        stop_if_asked(self.cancel)?;
        publication.commit()?;
        Ok((store, ingested))
    }

    /// What `run.json` says: the run's own facts, which change from run to run.
    fn document(&self, objects: &[ObjectRead], zone: Zone) -> Document {
        let document = Document::new("run")
            .with("run_id", self.run_id.as_str())
            .with("job", self.plan.job.job.name.as_str())
            .with("started", self.started.to_string())
            .with("finished", jiff::Timestamp::now().to_string())
            .with("threads", Node::Integer(self.threads.count() as i64));
        if zone == Zone::Open {
            return document;
        }
        let objects = objects.iter().map(|object| {
            Node::map([
                ("system", Node::from(object.system.as_str())),
                ("path", Node::from(object.path.as_str())),
                ("etag", object.etag.as_deref().map_or(Node::Null, Node::from)),
            ])
        });
        document.with("objects", Node::List(objects.collect()))
    }
}

/// Runs a job: everything is done, or nothing is visible.
///
/// # Errors
/// What is wrong with the job, its data or its places; see
/// [`Error::failure`](crate::Error::failure).
pub fn run(
    request: &RunRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<RunOutcome, Error> {
    let running = Running::start(request, observer, cancel)?;
    let plan = &running.plan;
    let report = plan.location(&plan.job.report.location)?;
    // A place that does not answer is found before anything is read.
    let publication = Publication::begin(&report, &running.run_id)?;
    let (store, ingested) = running.ingest(request)?;
    let evaluated = evaluate(plan, &store, &running.threads, (observer, cancel))?;
    keep_cohorts(&store, &evaluated)?;
    stop_if_asked(cancel)?;
    let start = Instant::now();
    observer.event(Event::Started { stage: Stage::Reports, steps: None });
    let document = running.document(&ingested.built.objects, report.zone());
    let tables = evaluated.tables.len();
    let published = publish(plan, publication, document, &ingested.built.manifest, evaluated)?;
    finished(observer, Stage::Reports, start, counted(tables as u64, "table", "tables"));
    let mut lines = vec![String::new()];
    if report.zone() == Zone::Restricted {
        lines.extend(balance_lines(&ingested.built.manifest));
    }
    lines.extend(published.lines);
    lines.push(format!("reports: {}", published.url));
    Ok(RunOutcome {
        run_id: running.run_id.clone(),
        job_hash: plan.job_hash.to_string(),
        report: published.url,
        summary: lines.join("\n"),
    })
}

/// Builds a job's records only.
///
/// # Errors
/// As [`run`].
pub fn ingest(
    request: &RunRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<IngestOutcome, Error> {
    let running = Running::start(request, observer, cancel)?;
    let (store, ingested) = running.ingest(request)?;
    let records = store.location().url().to_owned();
    let mut lines = Vec::new();
    if running.plan.shows_counts() {
        lines.extend(balance_lines(&ingested.built.manifest));
    }
    lines.extend(ingested.sources.iter().flat_map(|(system, summary)| {
        let absent = summary.tables.iter().filter_map(|t| t.absent.as_ref().map(|why| (t, why)));
        absent.map(move |(table, why)| format!("{system}: no {}: {why}", table.table))
    }));
    lines.push(format!("records: {records}"));
    Ok(IngestOutcome { run_id: running.run_id.clone(), records, summary: lines.join("\n") })
}

/// The cohorts' rows are persons' data: they stay with the records.
fn keep_cohorts(store: &RecordsStore, evaluated: &Evaluated) -> Result<(), Error> {
    Ok(store.write_cohorts("cohort", Labelled::person_level(evaluated.rows.clone()))?)
}

/// Read = kept + merged + rejected, table by table.
fn balance_lines(manifest: &Manifest) -> Vec<String> {
    let head = format!(
        "{:<24}{:>12}{:>12}{:>10}{:>10}",
        "source table", "read", "kept", "merged", "rejected"
    );
    let row = |balance: &farr_records::Balance| {
        format!(
            "{:<24}{:>12}{:>12}{:>10}{:>10}",
            format!("{}.{}", balance.system, balance.source_table),
            number(balance.read),
            number(balance.kept),
            number(balance.merged),
            number(balance.rejected)
        )
    };
    let read = manifest.balance.iter().filter(|balance| balance.read > 0);
    [head].into_iter().chain(read.map(row)).chain([String::new()]).collect()
}

/// A name that sorts by time and that two runs hardly share: when, which job,
/// which process.
fn run_id(started: jiff::Timestamp, plan: &Plan) -> String {
    let when = started.strftime("%Y%m%dT%H%M%S%3f");
    let hash = plan.job_hash.as_str();
    format!("{when}-{}-{}", hash.get(..8).unwrap_or(hash), std::process::id())
}
