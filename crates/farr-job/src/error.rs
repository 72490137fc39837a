//! What can go wrong with a job, and what kind of failure each is.

use std::fmt;

fn hinted(hint: Option<&String>) -> String {
    hint.map_or(String::new(), |hint| format!("; {hint}"))
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
    /// A `--set` that cannot be applied.
    #[error("--set {parameter}: {reason}")]
    Parameter {
        /// The parameter's path.
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
}

/// What kind of failure it is: the exit code, and what a scheduler does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        })
    }
}
