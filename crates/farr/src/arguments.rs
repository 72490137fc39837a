//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use farr_job::{
    CheckRequest, CohortInput, CohortRequest, ConceptsOf, ConceptsRequest, Error, JobRequest,
    Memory, Parameter, Part, PersonId, RunOptions, RunRequest, Severity, SynthFormat, SynthRequest,
    WhyDestination, WhyRequest,
};

/// Analyses of patients' records: cohorts and outcomes, from exports to Parquet
/// reports.
#[derive(Debug, Parser)]
#[command(name = "farr", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What is told meanwhile: plain lines, or one JSON object a line.
    #[arg(long, global = true, value_enum, default_value_t = Log::Plain)]
    pub(crate) log: Log,
    /// Say nothing but errors and what was asked for.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

const AFTER_HELP: &str = "\
Examples:
  farr run pipelines/diabetes-outcomes.toml
  farr run job.toml --set locations.exports.url=s3://bucket/exports --threads 8
  farr check job.toml
  farr clean job.toml
  farr cohort run --definitions phenotypes --omop cdm --out cohorts
  farr cohort explain pipelines/cohorts/stroke.json
  farr cohort check phenotypes --severity warning
  farr cohort why --person 17 --records out/records pipelines/cohorts/stroke.json
  farr concepts --records out/records --search diabetes
  farr concepts --records out/records --definitions pipelines/cohorts
  farr synth --persons 1000 --seed 1 --format omop --out population

Exit codes:
  0  done
  2  bad job or usage: mend the job
  3  bad data: mend the export
  4  storage unreachable: try again later
  5  refused by policy: persons' data bound for an open zone
  6  done in part
  70 internal: a mistake in farr
  75 another run of the job is going on (--no-wait): try again later
  124 stopped by --timeout; nothing was published, the same command goes on
  130 stopped by Ctrl-C; nothing was published";

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Log {
    /// Bars on a terminal, lines elsewhere.
    Plain,
    /// One JSON object a line; the last names status, run id and reports.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a job: pull exports, build records, enter cohorts, analyse, report.
    Run(Run),
    /// Build a job's records only.
    Ingest(Run),
    /// Join the parts that `ingest --shard` or `run --shard` made.
    ///
    /// On N machines that share the job's places: `farr ingest JOB --shard I/N`,
    /// then `farr merge JOB` once: the records are there. Then `farr run JOB
    /// --shard I/N`, and `farr merge JOB` once: the reports are there, byte for
    /// byte those of `farr run JOB`.
    Merge(Bounded),
    /// Check a job and its cohorts without reading data.
    Check(Job),
    /// Remove what dead runs of a job left; nothing that was published.
    Clean(Job),
    /// Describe a records store or a report: tables, counts, ranges, columns.
    Describe {
        /// The folder of a records store or report (or of its runs).
        folder: PathBuf,
    },
    /// Cohort definitions on their own.
    #[command(subcommand)]
    Cohort(Cohort),
    /// Find codes in a records store, with their counts: by name, or those of
    /// the concept sets of definitions and what is near but not in them.
    #[command(after_help = CONCEPTS_HELP)]
    Concepts(Concepts),
    /// Print a JSON Schema.
    Schema {
        /// Of what.
        #[arg(value_enum)]
        of: Schema,
    },
    /// Write a synthetic population.
    Synth(Synth),
    /// Print shell completions.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cohort {
    /// Run a folder of definitions over a records store, or over OMOP Parquet as
    /// it lies; definitions that cannot be run are named, and the exit code is 6.
    Run(CohortRun),
    /// Find mistakes in definitions; the exit code is 2 if one is critical.
    Check(CohortCheck),
    /// Show why a person is in a cohort or out of it, event by event and rule by
    /// rule: to a terminal, or to a restricted zone.
    Why(CohortWhy),
    /// Print a definition in plain English, so that a clinician can check it.
    Explain {
        /// A definition: Circe JSON (`.json`) or the short form (`.toml`).
        file: PathBuf,
    },
}

const CONCEPTS_HELP: &str = "\
Examples:
  farr concepts --records out/records --search diabetes
  farr concepts --records out/records --definitions pipelines/cohorts/stroke.json
  farr concepts --records out/records --job job.toml --out out/concepts.parquet";

#[derive(Debug, Args)]
pub(crate) struct Concepts {
    /// The folder of a records store.
    #[arg(long)]
    records: PathBuf,
    /// Part of a name or a code, in any case.
    #[arg(long, required_unless_present_any = ["definitions", "job"])]
    search: Option<String>,
    /// A definition, or a folder of them (`.json`, `.toml`): what their
    /// concept sets hold.
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "search")]
    definitions: Option<PathBuf>,
    /// A job: what the concept sets of its cohorts hold.
    #[arg(long, conflicts_with_all = ["search", "definitions"])]
    job: Option<PathBuf>,
    /// At most so many codes near a set are printed; a file has all.
    #[arg(long, default_value_t = 20)]
    near: usize,
    /// A file for the table, with exact counts: .parquet or .json.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Concepts {
    pub(crate) fn request(self) -> ConceptsRequest {
        let of = match (self.definitions, self.job) {
            (Some(definitions), _) => ConceptsOf::Definitions(definitions),
            (None, Some(file)) => ConceptsOf::Job(JobRequest { file, parameters: Vec::new() }),
            (None, None) => ConceptsOf::Search(self.search.unwrap_or_default()),
        };
        ConceptsRequest { records: self.records, of, near_max: self.near, out: self.out }
    }
}

#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(crate) struct CohortCheck {
    /// Definitions, or folders of them: Circe JSON (`.json`) and the short form
    /// (`.toml`).
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// The least severe findings that are shown.
    #[arg(long, value_enum, default_value_t = Least::Info)]
    severity: Least,
}

const CHECK_HELP: &str = "\
Examples:
  farr cohort check stroke.json
  farr cohort check phenotypes --severity warning
  farr cohort check phenotypes --log json | jq 'select(.check == \"range\")'

Severities, as OHDSI's tools have them:
  critical  it cannot be run, or a part of it means nothing: mend it
  warning   it runs, but may not do what was meant
  info      worth a look

A finding names its check, its place (a JSON path; in the short form a key),
what is wrong, and how to mend it. With --log json each is one JSON object a
line (file, severity, check, path, message); the last line counts them.

Exit codes:
  0  nothing critical
  2  a critical finding, or a definition that cannot be read";

/// How severe a finding is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Least {
    /// All.
    Info,
    /// Probable mistakes, and critical ones.
    Warning,
    /// What must be mended.
    Critical,
}

impl CohortCheck {
    pub(crate) fn request(self) -> CheckRequest {
        CheckRequest {
            paths: self.paths,
            least: match self.severity {
                Least::Info => Severity::Info,
                Least::Warning => Severity::Warning,
                Least::Critical => Severity::Critical,
            },
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = WHY_HELP)]
pub(crate) struct CohortWhy {
    /// Definitions: Circe JSON (`.json`) or the short form (`.toml`).
    #[arg(required = true, value_name = "FILE")]
    definitions: Vec<PathBuf>,
    /// The person's `person_id`.
    #[arg(long)]
    person: i64,
    /// The folder of a records store.
    #[arg(long, required_unless_present = "omop", conflicts_with = "omop")]
    records: Option<PathBuf>,
    /// A folder of OMOP CDM 5.3 or 5.4 Parquet.
    #[arg(long)]
    omop: Option<PathBuf>,
    /// Write to why.md in this folder, a restricted zone, instead of showing it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Standard output is no terminal, but what reads it is a restricted zone.
    #[arg(long, conflicts_with = "out")]
    restricted: bool,
}

const WHY_HELP: &str = "\
Examples:
  farr cohort why --person 17 --records out/records stroke.json
  farr cohort why --person 17 --omop cdm stroke.json diabetes.toml
  farr cohort why --person 17 --omop cdm --out restricted/questions stroke.json
  farr cohort why --person 17 --omop cdm --restricted stroke.json | less

What is shown, as Markdown: the answer in a sentence; every event with the
concepts of the entry criteria and what became of it; for each event that got so
far the additional criteria and each inclusion rule, group by group and criterion
by criterion, with the number of events found, their dates, and the person's other
events of that kind; the exits; the rows.

The account holds a person's dates. It goes to a terminal, or with --out to a
folder that only those may read who may read the records. If standard output is a
file or a pipe it is refused, before anything is read, unless --restricted says
that what reads it is such a place too.

Exit codes:
  0  done, in or out
  2  bad usage, a definition that cannot be read, or no such person
  5  refused: standard output is neither a terminal nor said to be restricted";

impl CohortWhy {
    pub(crate) fn request(self, is_terminal: bool) -> WhyRequest {
        WhyRequest {
            definitions: self.definitions,
            input: match (self.records, self.omop) {
                (Some(records), _) => CohortInput::Records(records),
                (None, omop) => CohortInput::Omop(omop.unwrap_or_default()),
            },
            person: PersonId(self.person),
            destination: match self.out {
                Some(folder) => WhyDestination::Folder(folder),
                None if is_terminal => WhyDestination::Terminal,
                None => WhyDestination::Stream { is_restricted: self.restricted },
            },
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CohortRun {
    /// A folder of Circe JSON (`.json`) and the short form (`.toml`); an id is
    /// ATLAS's, or the number in the file's name.
    #[arg(long)]
    definitions: PathBuf,
    /// The folder of a records store.
    #[arg(long, required_unless_present = "omop", conflicts_with = "omop")]
    records: Option<PathBuf>,
    /// A folder of OMOP CDM 5.3 or 5.4 Parquet.
    #[arg(long)]
    omop: Option<PathBuf>,
    /// The folder for cohort.parquet and the tables of inclusion statistics.
    #[arg(long)]
    out: PathBuf,
    /// How many threads; left out: one a core.
    #[arg(long)]
    threads: Option<usize>,
    /// What the OMOP Parquet may take in memory, like 800MB or 4GiB; what does
    /// not fit goes through a temporary file. Left out: what the process may have.
    #[arg(long, value_name = "SIZE", conflicts_with = "records")]
    memory: Option<String>,
}

impl CohortRun {
    pub(crate) fn request(self) -> Result<CohortRequest, Error> {
        Ok(CohortRequest {
            definitions: self.definitions,
            input: match (self.records, self.omop) {
                (Some(records), _) => CohortInput::Records(records),
                (None, omop) => CohortInput::Omop(omop.unwrap_or_default()),
            },
            out: self.out,
            threads: self.threads,
            memory: Memory::new(self.memory.as_deref())?,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schema {
    /// The job file.
    Job,
}

#[derive(Debug, Args)]
pub(crate) struct Job {
    /// The job file (TOML).
    job: PathBuf,
    /// Set a key of the job file, e.g. `locations.exports.url=s3://bucket`;
    /// places in lists count from 0: `source.0.timezone=Europe/London`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    parameters: Vec<String>,
}

impl Job {
    pub(crate) fn request(&self) -> Result<JobRequest, Error> {
        let parameters = self.parameters.iter().map(|text| Parameter::parse(text));
        Ok(JobRequest { file: self.job.clone(), parameters: parameters.collect::<Result<_, _>>()? })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    bounded: Bounded,
    /// Do all of it again, though this job has been done over this input.
    #[arg(long, conflicts_with = "shard")]
    force: bool,
    /// Do part I of N only, beside the others; then `farr merge` joins them.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
}

impl Run {
    pub(crate) fn request(&self) -> Result<RunRequest, Error> {
        self.bounded.request(self.force)
    }

    pub(crate) fn part(&self) -> Result<Option<Part>, Error> {
        self.shard.as_deref().map(Part::parse).transpose()
    }
}

/// A job, and how much of the machine it may take.
#[derive(Debug, Args)]
pub(crate) struct Bounded {
    #[command(flatten)]
    job: Job,
    /// How many threads; left out: one a core.
    #[arg(long)]
    threads: Option<usize>,
    /// The most memory, like 4GiB: bounds the shards in memory and the buffers;
    /// left out: three quarters of what the cgroup or the machine has.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Stop after so long, like 90s, 30m or 2h; the same command goes on later.
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Fail above so many rejected rows: a count, or a share like 1%.
    #[arg(long, value_name = "COUNT|SHARE%")]
    max_rejects: Option<String>,
    /// Fail at once (exit code 75) if another run of this job is going on,
    /// instead of waiting for it.
    #[arg(long)]
    no_wait: bool,
}

impl Bounded {
    pub(crate) fn request(&self, force: bool) -> Result<RunRequest, Error> {
        let options = RunOptions {
            threads: self.threads,
            memory: self.memory.as_deref(),
            timeout: self.timeout.as_deref(),
            max_rejects: self.max_rejects.as_deref(),
            force,
            no_wait: self.no_wait,
        };
        RunRequest::new(self.job.request()?, &options)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Synth {
    /// How many persons, 1 to 10,000,000.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    persons: u64,
    /// The seed: the same seed gives the same population.
    #[arg(long, default_value_t = 1839)]
    seed: u64,
    /// The format.
    #[arg(long, value_enum)]
    format: Format,
    /// The folder to write to.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Synthea's CSV layout.
    SyntheaCsv,
    /// OMOP CDM 5.4 as Parquet.
    Omop,
}

impl Synth {
    pub(crate) fn request(&self) -> SynthRequest {
        SynthRequest {
            persons: self.persons,
            seed: self.seed,
            format: match self.format {
                Format::SyntheaCsv => SynthFormat::SyntheaCsv,
                Format::Omop => SynthFormat::Omop,
            },
            folder: self.out.clone(),
        }
    }
}
