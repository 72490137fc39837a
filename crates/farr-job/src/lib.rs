//! A job file becomes a plan, a plan becomes a run: order, manifest, and the
//! executor that maps over shards.
//!
//! The one central decision: a stage is a map over shards plus a merge in
//! shard order, behind the trait [`Executor`]; this crate brings the one that
//! uses the threads of one machine, and an existing distributed engine can
//! bring another. The road not taken: an engine of our own.
//!
//! It does not know terminals and logs: it tells an [`Observer`] what happens.

mod cohorts;
mod error;
mod evaluate;
mod executor;
mod ingest;
mod inspect;
mod job_file;
mod limits;
mod near;
mod parse;
mod plan;
mod progress;
mod publish;
mod run;
mod summary;
mod synth;

pub use cohorts::{
    CohortInput, CohortOutcome, CohortRequest, CohortSeconds, explain_cohort, run_cohorts,
};
pub use error::{DONE_IN_PART, Error, Failure};
pub use executor::{Executor, Threads};
pub use inspect::{check, concepts, describe, job_schema};
pub use job_file::{
    CohortSettings, FormatName, JobFile, JobSettings, LocationSettings, RecordsSettings,
    RejectsMax, ReportSettings, SourceSettings,
};
pub use limits::Memory;
pub use parse::{Parameter, parse_job};
pub use plan::{JobRequest, Plan};
pub use progress::{Cancel, Event, Observer, Stage};
pub use run::{IngestOutcome, RunOutcome, RunRequest, ingest, run};
pub use synth::{SynthFormat, SynthRequest, synth};

/// farr's version, which stands in every report.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// So many of something: `1 shard`, `1,024 shards`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A whole number with its thousands apart, as people read it.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
