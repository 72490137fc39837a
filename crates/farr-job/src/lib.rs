//! A job file becomes a plan, a plan becomes a run: order, manifest, and the
//! executor that maps over shards.
//!
//! The one central decision: a stage is a map over shards plus a merge in
//! shard order, behind the trait [`Executor`]; this crate brings the one that
//! uses the threads of one machine, and an existing distributed engine can
//! bring another. The road not taken: an engine of our own.
//!
//! It does not know terminals and logs: it tells an [`Observer`] what happens.

mod clean;
mod cohort_check;
mod cohort_why;
mod cohorts;
mod concepts;
mod derive;
mod error;
mod evaluate;
mod executor;
mod identity;
mod ingest;
mod inspect;
mod job_file;
mod kept;
mod limits;
mod near;
mod parse;
mod parts;
mod plan;
mod progress;
mod publish;
mod run;
mod summary;
mod synth;
mod work;

pub use clean::{CleanOutcome, clean};
pub use cohort_check::{CheckOutcome, CheckRequest, check_cohorts};
pub use cohort_why::{WHY_FILE, WhyDestination, WhyOutcome, WhyRequest, why_cohort};
pub use cohorts::{
    CohortInput, CohortOutcome, CohortRequest, CohortSeconds, explain_cohort, run_cohorts,
};
pub use concepts::{ConceptsOf, ConceptsOutcome, ConceptsRequest, concepts};
pub use error::{DONE_IN_PART, Error, Failure};
pub use executor::{Executor, Threads};
pub use farr_cohort::Severity;
pub use farr_records::PersonId;
pub use inspect::{check, describe, job_schema};
pub use job_file::{
    CohortSettings, FormatName, JobFile, JobSettings, LocationSettings, RecordsSettings,
    RejectsMax, ReportSettings, SourceSettings,
};
pub use limits::Memory;
pub use parse::{Parameter, parse_job};
pub use parts::{Merged, Part, PartOutcome, ingest_part, merge, run_part};
pub use plan::{JobRequest, Plan};
pub use progress::{Cancel, Event, Figures, Observer, Stage};
pub use run::{IngestOutcome, RunOptions, RunOutcome, RunRequest, RunStatus, ingest, run};
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
