//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use farr_job::{
    CohortInput, CohortRequest, Error, JobRequest, Memory, Parameter, RunRequest, SynthFormat,
    SynthRequest,
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
  farr cohort run --definitions phenotypes --omop cdm --out cohorts
  farr cohort explain pipelines/cohorts/stroke.json
  farr concepts --records out/records --search diabetes
  farr synth --persons 1000 --seed 1 --format omop --out population

Exit codes:
  0  done
  2  bad job or usage: mend the job
  3  bad data: mend the export
  4  storage unreachable: try again later
  5  refused by policy: persons' data bound for an open zone
  6  done in part
  70 internal: a mistake in farr
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
    /// Check a job and its cohorts without reading data.
    Check(Job),
    /// Describe a records store or a report: tables, counts, ranges, columns.
    Describe {
        /// The folder of a records store or report (or of its runs).
        folder: PathBuf,
    },
    /// Cohort definitions on their own.
    #[command(subcommand)]
    Cohort(Cohort),
    /// Find codes in a records store, with their counts.
    Concepts {
        /// The folder of a records store.
        #[arg(long)]
        records: PathBuf,
        /// Part of a name or a code, in any case.
        #[arg(long)]
        search: String,
    },
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
    /// Print a definition in plain English, so that a clinician can check it.
    Explain {
        /// A definition: Circe JSON (`.json`) or the short form (`.toml`).
        file: PathBuf,
    },
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
    job: Job,
    /// How many threads; left out: one a core.
    #[arg(long)]
    threads: Option<usize>,
    /// Fail above so many rejected rows: a count, or a share like 1%.
    #[arg(long, value_name = "COUNT|SHARE%")]
    max_rejects: Option<String>,
}

impl Run {
    pub(crate) fn request(&self) -> Result<RunRequest, Error> {
        RunRequest::new(self.job.request()?, self.threads, self.max_rejects.as_deref())
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
