//! A job file becomes a plan, a plan becomes a run: order, manifest, lineage,
//! and the executor that maps over shards.

mod error;
mod job_file;
mod near;
mod parse;

pub use error::{Error, Failure};
pub use job_file::{
    CohortSettings, FormatName, JobFile, JobSettings, LocationSettings, RecordsSettings,
    RejectsMax, ReportSettings, SourceSettings,
};
pub use parse::{Parameter, parse_job};
