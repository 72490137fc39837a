//! What can go wrong with a job, and what kind of failure each is.

use std::fmt;

fn hinted(hint: Option<&String>) -> String {
    hint.map_or(String::new(), |hint| format!("; {hint}"))
}

/// Names the system, unless the error does so itself.
fn system_of(system: &str, source: &farr_source::Error) -> String {
    match source {
        farr_source::Error::Setting { .. } => String::new(),
        _ => format!("source '{system}': "),
    }
}

/// What can go wrong with a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The job file is no TOML.
    #[error("{file}, line {line}: {reason}")]
    Syntax {
        /// The job file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key that is unknown, missing or of the wrong type.
    #[error("{file}, line {line}, key '{key}': {reason}{}", hinted(hint.as_ref()))]
    Key {
        /// The job file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key's path.
        key: String,
        /// What is wrong.
        reason: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// A job that is well-formed, but does not hang together.
    #[error("{file}, {key}: {reason}{}", hinted(hint.as_ref()))]
    Job {
        /// The job file.
        file: String,
        /// The key's path.
        key: String,
        /// What is wrong.
        reason: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// A file that cannot be read.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A `--set` or another flag that cannot be applied.
    #[error("{parameter}: {reason}")]
    Parameter {
        /// The flag, with the path that it sets.
        parameter: String,
        /// What is wrong.
        reason: String,
    },
    /// An environment variable that is not there.
    #[error("{file}, key '{key}': the environment has no variable {name}")]
    Variable {
        /// The job file.
        file: String,
        /// The key's path.
        key: String,
        /// The variable.
        name: String,
    },
    /// A secret written into the job file.
    #[error("{file}, key '{key}': secrets come from the environment only; write \"${{VARIABLE}}\"")]
    Secret {
        /// The job file.
        file: String,
        /// The key's path.
        key: String,
    },
    /// A cohort definition that cannot be read.
    #[error("{file}: {source}")]
    Definition {
        /// The definition's file.
        file: String,
        /// What is wrong.
        source: farr_cohort::Error,
    },
    /// A definition of a folder that has no id.
    #[error(
        "{file}: no id; put one number into the file's name, as in 12.json, or wrap the definition \
         as ATLAS does, with an id"
    )]
    NoDefinitionId {
        /// The definition's file.
        file: String,
    },
    /// Two definitions of a folder with one id.
    #[error(
        "definition {id}: both {first} and {second} have this id; rename one, or give it another id"
    )]
    RepeatedDefinition {
        /// The id.
        id: i64,
        /// The one file.
        first: String,
        /// The other.
        second: String,
    },
    /// Cohorts that the records at hand cannot answer.
    #[error("cohort {id} '{name}': {source}")]
    Cohort {
        /// The cohort's id in the job.
        id: i64,
        /// Its name.
        name: String,
        /// What is wrong.
        source: farr_cohort::Error,
    },
    /// An export that cannot be read.
    #[error("{}{source}", system_of(system, source))]
    Source {
        /// The source system.
        system: String,
        /// What is wrong.
        source: farr_source::Error,
    },
    /// Records that cannot be built or read.
    #[error(transparent)]
    Records(#[from] farr_records::Error),
    /// An analysis that cannot be run.
    #[error(transparent)]
    Analysis(#[from] farr_analysis::Error),
    /// A place that cannot be used.
    #[error(transparent)]
    Store(#[from] farr_store::Error),
    /// Reports that cannot be released.
    #[error("disclosure control: {0}")]
    Disclosure(#[from] farr_disclosure::Error),
    /// Reports that cannot be written or read.
    #[error(transparent)]
    Report(#[from] farr_report::Error),
    /// A report that cannot be described.
    #[error("{file}: {source}")]
    DamagedReport {
        /// The report's file.
        file: String,
        /// What is wrong.
        source: farr_report::Error,
    },
    /// Persons' data bound for an open zone.
    #[error(
        "{what} '{location}' lies in an open zone; persons' data goes to restricted zones only"
    )]
    OpenZone {
        /// What would be written.
        what: &'static str,
        /// The location's name.
        location: String,
    },
    /// Persons' data bound for a place that nobody says is restricted.
    #[error(
        "{what} goes to a terminal or to a restricted zone only, and standard output is neither; \
         name a folder with --out, or say --restricted if what reads it is a restricted zone"
    )]
    NotRestricted {
        /// What would be shown.
        what: &'static str,
    },
    /// A person who is not in the records.
    #[error("--person: these records have no such person")]
    NoPerson,
    /// A synthetic population that cannot be made.
    #[error("synthetic population: {reason}")]
    Synth {
        /// What is wrong.
        reason: String,
    },
    /// An input that changed while the run read it.
    #[error(
        "the input changed while it was read; nothing was published: run again when the export \
         is complete"
    )]
    InputChanged,
    /// Parts of a run that are to be joined and are not all there.
    #[error("parts are missing: {reason}")]
    Parts {
        /// Which, and what makes them.
        reason: String,
    },
    /// Work that cannot be kept.
    #[error("{object}: this part of the work cannot be kept")]
    Work {
        /// The object's url.
        object: String,
    },
    /// The run took longer than it may.
    #[error(
        "stopped after the time that --timeout allows; nothing was published: the same \
             command goes on where it was"
    )]
    TimedOut,
    /// The run was asked to stop.
    #[error("stopped; nothing was published")]
    Stopped,
}

impl Error {
    /// What kind of failure it is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Syntax { .. }
            | Self::Key { .. }
            | Self::Job { .. }
            | Self::File { .. }
            | Self::Parameter { .. }
            | Self::Variable { .. }
            | Self::Secret { .. }
            | Self::Definition { .. }
            | Self::NoDefinitionId { .. }
            | Self::RepeatedDefinition { .. }
            | Self::Cohort { .. }
            | Self::NoPerson
            | Self::Synth { .. }
            | Self::Parts { .. }
            | Self::Analysis(farr_analysis::Error::Settings { .. }) => Failure::Job,
            Self::Source { source, .. } => of_source(source),
            Self::Records(error) => of_records(error),
            Self::Analysis(farr_analysis::Error::Missing { .. }) | Self::DamagedReport { .. } => {
                Failure::Data
            }
            Self::Store(error) | Self::Report(farr_report::Error::Store(error)) => of_store(error),
            Self::Analysis(_) | Self::Disclosure(_) | Self::Report(_) | Self::Work { .. } => {
                Failure::Internal
            }
            Self::InputChanged => Failure::Data,
            Self::TimedOut => Failure::TimedOut,
            Self::OpenZone { .. } | Self::NotRestricted { .. } => Failure::Policy,
            Self::Stopped => Failure::Stopped,
        }
    }
}

fn of_store(error: &farr_store::Error) -> Failure {
    match error {
        farr_store::Error::Url { .. }
        | farr_store::Error::Option { .. }
        | farr_store::Error::ReadOnly { .. } => Failure::Job,
        farr_store::Error::Zone { .. } => Failure::Policy,
        farr_store::Error::Held { .. } | farr_store::Error::LeaseLost { .. } => Failure::Busy,
        _ => Failure::Storage,
    }
}

fn of_source(error: &farr_source::Error) -> Failure {
    match error {
        farr_source::Error::Store(farr_store::Error::Changed { .. }) => Failure::Data,
        farr_source::Error::Store(error) => of_store(error),
        farr_source::Error::Setting { .. } => Failure::Job,
        farr_source::Error::Intake(error) => {
            error.downcast_ref::<farr_records::Error>().map_or(Failure::Internal, of_records)
        }
        _ => Failure::Data,
    }
}

fn of_records(error: &farr_records::Error) -> Failure {
    use farr_records::Error as Records;
    match error {
        Records::Store(error) => of_store(error),
        Records::ShardCount { .. } => Failure::Job,
        Records::Spill { .. } | Records::Folder { .. } => Failure::Storage,
        Records::Balance { .. } | Records::Bug { .. } | Records::Arrow { .. } => Failure::Internal,
        _ => Failure::Data,
    }
}

/// The exit code of work that was done in part.
pub const DONE_IN_PART: u8 = 6;

/// What kind of failure it is: the exit code, and what a scheduler does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// A bad job or wrong usage: mend the job.
    Job,
    /// Bad data: mend the export.
    Data,
    /// Storage that cannot be reached: try again later.
    Storage,
    /// Refused by policy.
    Policy,
    /// A mistake in farr.
    Internal,
    /// Another run is at it: try again later.
    Busy,
    /// Took longer than `--timeout`.
    TimedOut,
    /// Stopped by whoever started it.
    Stopped,
}

impl Failure {
    /// The exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Job => 2,
            Self::Data => 3,
            Self::Storage => 4,
            Self::Policy => 5,
            Self::Internal => 70,
            Self::Busy => 75,
            Self::TimedOut => 124,
            Self::Stopped => 130,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Job => "bad job",
            Self::Data => "bad data",
            Self::Storage => "storage",
            Self::Policy => "policy",
            Self::Internal => "internal",
            Self::Busy => "busy",
            Self::TimedOut => "timed out",
            Self::Stopped => "stopped",
        })
    }
}
