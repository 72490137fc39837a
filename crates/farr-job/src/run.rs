//! A run: pull, records, cohorts, analyses, reports, in that order; each is
//! done once, however often the run is started.

use std::time::Duration;

use farr_disclosure::{Document, Labelled, Node, PersonLevel, Zone};
use farr_records::{CohortSort, Manifest, ObjectRead, RecordsStore};
use farr_source::Share;
use farr_store::{Lease, LeaseTiming, Location, Publication, Published};

use crate::clean::CLEAN;
use crate::evaluate::{Evaluated, evaluate};
use crate::executor::Threads;
use crate::identity::{Identity, Inputs, Standing};
use crate::ingest::{Ingest, stop_if_asked, warn};
use crate::job_file::RejectsMax;
use crate::limits::{Memory, parse_time};
use crate::plan::{JobRequest, Plan, rejects_max};
use crate::progress::{Cancel, Event, Figures, Observer, Recorder, Stage, StageClock};
use crate::publish::write_report;
use crate::work::{KeptCohorts, Work};
use crate::{Error, counted, number};

/// How a job is run; nothing of it changes an answer.
#[derive(Debug, Clone, Default)]
pub struct RunOptions<'a> {
    /// How many threads; `None`: one a core.
    pub threads: Option<usize>,
    /// The most memory, like `4GiB`; `None`: what the process may have.
    pub memory: Option<&'a str>,
    /// The longest time, like `2h`; `None`: any.
    pub timeout: Option<&'a str>,
    /// The most rejects, a count or a share like `1%`; stands above the job
    /// file's.
    pub max_rejects: Option<&'a str>,
    /// Does everything anew, though the same run has been done.
    pub force: bool,
    /// Fails at once if another run of the job is going on.
    pub no_wait: bool,
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct RunRequest {
    pub(crate) job: JobRequest,
    threads: Option<usize>,
    pub(crate) memory: Memory,
    timeout: Option<Duration>,
    rejects_max: Option<farr_records::RejectsMax>,
    force: bool,
    no_wait: bool,
}

impl RunRequest {
    /// A run of a job.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an option that is not what it should be.
    pub fn new(job: JobRequest, options: &RunOptions<'_>) -> Result<Self, Error> {
        let bound = |text: &str| {
            let bound = text
                .parse::<u64>()
                .map_or_else(|_| RejectsMax::Share(text.to_owned()), RejectsMax::Count);
            rejects_max(&bound).ok_or_else(|| Error::Parameter {
                parameter: "--max-rejects".to_owned(),
                reason: "expected a count, or a share like 1%".to_owned(),
            })
        };
        if options.threads == Some(0) {
            let (parameter, reason) = ("--threads".to_owned(), "expected 1 or more".to_owned());
            return Err(Error::Parameter { parameter, reason });
        }
        Ok(Self {
            job,
            threads: options.threads,
            memory: Memory::new(options.memory)?,
            timeout: options.timeout.map(|text| parse_time("--timeout", text)).transpose()?,
            rejects_max: options.max_rejects.map(bound).transpose()?,
            force: options.force,
            no_wait: options.no_wait,
        })
    }
}

/// Whether there was anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It was done now.
    Done,
    /// The same job over the same input had been done already.
    Unchanged,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// Whether there was anything to do.
    pub status: RunStatus,
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
    /// Whether there was anything to do.
    pub status: RunStatus,
    /// The run's id, which names its folder.
    pub run_id: String,
    /// Where the records are.
    pub records: String,
    /// What became of the source's rows, for a person.
    pub summary: String,
}

/// What records are built of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// The sources, read now.
    Whole,
    /// The shares that parts of an ingest have pulled.
    Kept,
}

/// What a run does, and hence whom it keeps out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// Records and reports.
    Run,
    /// Records only.
    Ingest,
    /// A share of either: other shares go on meanwhile.
    Part(&'static str, Share),
}

/// A run on its way.
pub(crate) struct Running<'a> {
    /// Of the report's place first, where the run has one, then of the
    /// records'. They are let go first of all: others may wait for them, and
    /// threads that end meanwhile would take their time.
    leases: Vec<Lease>,
    pub(crate) plan: Plan,
    pub(crate) request: &'a RunRequest,
    pub(crate) threads: Threads,
    started: jiff::Timestamp,
    pub(crate) recorder: Recorder<'a>,
    pub(crate) cancel: &'a Cancel,
}

/// The records of a run.
pub(crate) struct Records {
    pub(crate) store: RecordsStore,
    pub(crate) run_id: String,
    /// The objects read, with their entity tags where they were read now.
    objects: Vec<ObjectRead>,
    /// What the sources lack.
    absent: Vec<String>,
    pub(crate) status: RunStatus,
}

impl<'a> Running<'a> {
    /// Checks the job, and keeps other runs of it out.
    pub(crate) fn start(
        request: &'a RunRequest,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
        scope: Scope,
    ) -> Result<Self, Error> {
        if let Some(time) = request.timeout {
            cancel.after(time);
        }
        let plan = Plan::load(&request.job)?;
        plan.check_apart()?;
        let threads = Threads::new(request.threads)
            .map_err(|source| Error::File { file: "threads".to_owned(), source })?;
        let started = jiff::Timestamp::now();
        let recorder = Recorder::new(observer);
        let leases = Vec::new();
        let mut running = Self { leases, plan, request, threads, started, recorder, cancel };
        // A place that does not answer is found before anything is read.
        let job = &running.plan.job;
        let places = match scope {
            Scope::Run => vec![&job.report.location, &job.records.location],
            Scope::Ingest | Scope::Part(..) => vec![&job.records.location],
        };
        let name = match scope {
            Scope::Run | Scope::Ingest => job.job.name.clone(),
            Scope::Part(what, share) => {
                format!("{}.{what}-{}-of-{}", job.job.name, share.index() + 1, share.of())
            }
        };
        for place in places {
            let location = running.plan.location(place)?;
            let lease = running.take_lease(&location, &name)?;
            running.leases.push(lease);
        }
        Ok(running)
    }

    fn take_lease(&self, location: &Location, name: &str) -> Result<Lease, Error> {
        let started = self.started.strftime("%Y%m%dT%H%M%S%6f");
        let holder = format!("{started}-{}", std::process::id());
        let mut told = false;
        let mut is_own = false;
        let goes_on = |other: &str| {
            is_own = other == holder;
            if is_own {
                return false;
            }
            if !told && !self.request.no_wait {
                told = true;
                let message = if other.starts_with(CLEAN) {
                    format!("waiting for `farr clean` ({other})")
                } else {
                    format!("waiting for another run of job '{name}' ({other})")
                };
                self.recorder.event(Event::Warning { message });
            }
            !self.request.no_wait && !self.cancel.is_asked()
        };
        let taken = Lease::take(location, name, &holder, LeaseTiming::default(), goes_on);
        // Who was told to stop meanwhile was not refused.
        self.cancel.check()?;
        if is_own {
            return Err(self.plan.one_place());
        }
        Ok(taken?)
    }

    /// Nothing is made visible by a run that has lost its place.
    pub(crate) fn confirm(&self) -> Result<(), Error> {
        stop_if_asked(self.cancel)?;
        self.leases.iter().try_for_each(|lease| Ok(lease.confirm()?))
    }

    /// Makes a run that was published before the current one. Where it is, only
    /// the link to it may have to be mended, for which no lease is needed.
    fn show_again(
        &self,
        location: &Location,
        published: &Published,
        is_current: bool,
    ) -> Result<(), Error> {
        if is_current {
            stop_if_asked(self.cancel)?;
            return Ok(Publication::mend_link(location)?);
        }
        self.confirm()?;
        Publication::point_again(location, &published.run)?;
        Ok(())
    }

    /// Makes the records and cohorts of a report the current ones again, should
    /// others have come between, or the run that made it have died too soon.
    fn show_records_again(&self, inputs: &Inputs, report: &Identity) -> Result<(), Error> {
        let (identity, _) = self.records_work(inputs)?;
        if let Standing::Published(published, is_current) = self.records_standing(&identity)? {
            let store = RecordsStore::open(&published.folder)?;
            let name = (self.plan.job.job.name.as_str(), report.as_str());
            if !store.shows_cohorts(name)? {
                self.confirm()?;
                store.show_cohorts(name)?;
            }
            self.show_again(&self.records_location()?, &published, is_current)?;
        }
        Ok(())
    }

    pub(crate) fn records_location(&self) -> Result<Location, Error> {
        self.plan.location(&self.plan.job.records.location)
    }

    /// The records of the input: those that are there, or built now and made
    /// the current ones.
    pub(crate) fn records(&self, inputs: &Inputs, parts: Parts) -> Result<Records, Error> {
        let location = self.records_location()?;
        let (identity, work) = self.records_work(inputs)?;
        if self.request.force && parts == Parts::Whole {
            work.remove()?;
        }
        let run_id = match self.records_standing(&identity)? {
            Standing::Published(published, is_current) => {
                let clock = StageClock::start(&self.recorder, Stage::Records, None);
                let store = RecordsStore::open(&published.folder)?;
                self.show_again(&location, &published, is_current)?;
                let objects = store.manifest().objects.clone();
                let status = RunStatus::Unchanged;
                let summary = format!("as run {} built them", published.run);
                clock.finish(&self.recorder, Figures::default(), summary);
                let (run_id, absent) = (published.run, Vec::new());
                return Ok(Records { store, run_id, objects, absent, status });
            }
            Standing::Unfinished(run_id) | Standing::New(run_id) => run_id,
        };
        let ingest = self.ingest_of(&work);
        let publication = Publication::begin(&location, &run_id)?;
        let (parts, found) = match parts {
            Parts::Whole => {
                let (pulled, found) = ingest.pull(Share::WHOLE)?;
                (vec![pulled], found)
            }
            Parts::Kept => ingest.all_pulled()?.ok_or_else(|| Error::Parts {
                reason: "run `farr ingest --shard I/N` for each of N parts first".to_owned(),
            })?,
        };
        warn(&found, self.plan.shows_counts(), &self.recorder);
        let built = ingest.build(parts, publication.folder())?;
        if Inputs::list(&self.plan)? != *inputs {
            work.remove()?;
            return Err(Error::InputChanged);
        }
        let store = RecordsStore::open(publication.folder())?;
        self.confirm()?;
        publication.commit()?;
        work.remove()?;
        let absent = found.iter().flat_map(|(system, summary)| {
            let tables = summary.tables.iter();
            let absent = tables.filter_map(|t| t.absent.as_ref().map(|why| (t, why)));
            absent.map(move |(table, why)| format!("{system}: no {}: {why}", table.table))
        });
        let absent = absent.collect();
        let (objects, status) = (built.objects, RunStatus::Done);
        Ok(Records { store, run_id, objects, absent, status })
    }

    pub(crate) fn records_standing(&self, identity: &Identity) -> Result<Standing, Error> {
        Standing::of(&self.records_location()?, identity, self.started, self.request.force)
    }

    /// How sources become records, with its work kept there.
    pub(crate) fn ingest_of<'b>(&'b self, work: &'b Work) -> Ingest<'b> {
        Ingest {
            plan: &self.plan,
            rejects_max: self.rejects_max(),
            threads: &self.threads,
            memory: self.request.memory,
            work,
            observer: &self.recorder,
            cancel: self.cancel,
        }
    }

    /// The records' identity and work.
    pub(crate) fn records_work(&self, inputs: &Inputs) -> Result<(Identity, Work), Error> {
        let identity = Identity::of_records(&self.plan, inputs, self.rejects_max());
        let name = format!("records-{}", identity.as_str());
        Ok((identity, Work::of(&self.records_location()?, &name)))
    }

    /// What `run.json` says: the run's own facts, which change from run to run.
    fn document(&self, run_id: &str, objects: &[ObjectRead], zone: Zone) -> Document {
        let document = Document::new("run")
            .with("run_id", run_id)
            .with("job", self.plan.job.job.name.as_str())
            .with("started", self.started.to_string())
            .with("finished", jiff::Timestamp::now().to_string())
            .with("threads", Node::Integer(self.threads.count() as i64))
            .with("memory", Node::Integer(self.request.memory.bytes() as i64))
            .with("stages", Node::List(self.recorder.stages().iter().filter_map(stage).collect()));
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

/// A stage in `run.json`. What an open zone withholds is not in the event.
fn stage(event: &Event) -> Option<Node> {
    let Event::Finished { stage, seconds, peak_memory, figures, .. } = event else { return None };
    let number = |n: Option<u64>| n.map_or(Node::Null, |n| Node::Integer(n as i64));
    let Figures { persons, rows, bytes } = *figures;
    Some(Node::map([
        ("stage", Node::from(stage.name())),
        ("seconds", Node::Float(*seconds)),
        ("peak_memory", number(*peak_memory)),
        ("persons", number(persons)),
        ("rows", number(rows)),
        ("bytes", number(bytes)),
    ]))
}

/// Runs a job: everything is done, or nothing is visible. What has been done
/// is not done again: the same job over the same input ends at once, and a run
/// that died goes on where it was.
///
/// # Errors
/// What is wrong with the job, its data or its places; see
/// [`Error::failure`](crate::Error::failure).
pub fn run(
    request: &RunRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<RunOutcome, Error> {
    let running = Running::start(request, observer, cancel, Scope::Run)?;
    let report = match running.report()? {
        Ok(done) => return Ok(done),
        Err(report) => report,
    };
    let records = running.records(&report.inputs, Parts::Whole)?;
    running.finish(report, &records)
}

/// A report that is to be made.
pub(crate) struct Report {
    pub(crate) inputs: Inputs,
    pub(crate) identity: Identity,
    location: Location,
    run_id: String,
    publication: Publication,
}

impl Running<'_> {
    /// The report of this job over this input: done already, or to be made.
    pub(crate) fn report(&self) -> Result<Result<RunOutcome, Report>, Error> {
        let plan = &self.plan;
        let location = plan.location(&plan.job.report.location)?;
        let inputs = Inputs::list(plan)?;
        let identity = self.report_identity(&inputs);
        let run_id = match Standing::of(&location, &identity, self.started, self.request.force)? {
            Standing::Published(published, is_current) => {
                self.show_records_again(&inputs, &identity)?;
                self.show_again(&location, &published, is_current)?;
                let line = if is_current {
                    "nothing to do: this job has been run over this input (--force runs it again)"
                } else {
                    "nothing to compute: this job was run over this input before; its reports \
                     are the current ones again (--force runs it again)"
                };
                let (status, url) = (RunStatus::Unchanged, published.folder.url().to_owned());
                return Ok(Ok(self.outcome(status, published.run, url, &[line.to_owned()])));
            }
            Standing::Unfinished(run_id) | Standing::New(run_id) => run_id,
        };
        let publication = Publication::begin(&location, &run_id)?;
        Ok(Err(Report { inputs, identity, location, run_id, publication }))
    }

    pub(crate) fn report_identity(&self, inputs: &Inputs) -> Identity {
        let rejects_max = self.rejects_max();
        Identity::of_report(&self.plan, &Identity::of_records(&self.plan, inputs, rejects_max))
    }

    fn rejects_max(&self) -> Option<farr_records::RejectsMax> {
        self.request.rejects_max.or_else(|| self.plan.rejects_max())
    }

    fn outcome(
        &self,
        status: RunStatus,
        run_id: String,
        report: String,
        lines: &[String],
    ) -> RunOutcome {
        RunOutcome {
            status,
            run_id,
            job_hash: self.plan.job_hash.to_string(),
            summary: [lines, &[format!("reports: {report}")]].concat().join("\n"),
            report,
        }
    }

    /// The work of a report, by its identity.
    pub(crate) fn report_work(&self, identity: &Identity) -> Result<Work, Error> {
        Ok(Work::of(&self.records_location()?, &format!("report-{}", identity.as_str())))
    }

    /// Cohorts, analyses and reports, of which parts may be kept already.
    pub(crate) fn finish(&self, report: Report, records: &Records) -> Result<RunOutcome, Error> {
        let (plan, recorder) = (&self.plan, &self.recorder);
        let work = self.report_work(&report.identity)?;
        if self.request.force {
            work.remove()?;
        }
        let kept = (&work, records.run_id.as_str());
        let machine = (&self.threads, self.request.memory);
        let shards = evaluate(plan, &records.store, machine, kept, (recorder, self.cancel))?;
        let zone = report.location.zone();
        let manifest = records.store.manifest();
        let folder = report.publication.folder();
        let write = |evaluated: Evaluated| {
            stop_if_asked(self.cancel)?;
            let clock = StageClock::start(recorder, Stage::Reports, None);
            let tables = counted(evaluated.tables.len() as u64, "table", "tables");
            let document = self.document(&report.run_id, &records.objects, zone);
            let lines = write_report(plan, folder, document, manifest, evaluated)?;
            Ok((lines, clock, tables))
        };
        // They stay with the records, by the job's name, since several jobs may
        // share these.
        let name = (plan.job.job.name.as_str(), report.identity.as_str());
        let keep = |rows: Labelled<PersonLevel, CohortSort>| {
            // Those that are there are of a report that is; or of a run that died, as
            // it said, perhaps for another place.
            let of_dead = work.kept_cohorts()?;
            if of_dead.is_some() || !records.store.keeps_cohorts(name)? {
                let here = report.location.url();
                let is_here = |of: &KeptCohorts| of.reports.as_deref() == Some(here);
                work.keeps_cohorts(&KeptCohorts {
                    records: records.run_id.clone(),
                    job: name.0.to_owned(),
                    reports: of_dead.as_ref().is_none_or(is_here).then(|| here.to_owned()),
                })?;
            }
            Ok(records.store.keep_cohorts(name, rows)?)
        };
        let finish = || shards.finish(plan, &records.store, recorder, write, keep);
        let (found, clock, tables) = self.threads.run(finish)?;
        self.confirm()?;
        let published = report.publication.commit()?;
        clock.finish(recorder, Figures::default(), tables);
        self.leases.iter().try_for_each(Lease::confirm)?;
        records.store.show_cohorts(name)?;
        work.remove()?;
        let mut lines = vec![String::new()];
        if zone == Zone::Restricted {
            lines.extend(balance_lines(manifest));
        }
        lines.extend(found);
        let url = published.folder.url().to_owned();
        Ok(self.outcome(RunStatus::Done, report.run_id, url, &lines))
    }
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
    let running = Running::start(request, observer, cancel, Scope::Ingest)?;
    let inputs = Inputs::list(&running.plan)?;
    let Records { store, run_id, absent, status, .. } = running.records(&inputs, Parts::Whole)?;
    let records = store.location().url().to_owned();
    let mut lines = Vec::new();
    if status == RunStatus::Unchanged {
        lines.push(
            "nothing to do: this input's records are there (--force builds them again)".into(),
        );
    }
    if running.plan.shows_counts() {
        lines.extend(balance_lines(store.manifest()));
    }
    lines.extend(absent);
    lines.push(format!("records: {records}"));
    Ok(IngestOutcome { status, run_id, records, summary: lines.join("\n") })
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
