//! Cohort definitions: Circe JSON and a short form, one expression tree, one
//! evaluator.
//!
//! The one central decision is the tree of `model`: a closed set of nodes that
//! both parsers make and everything else reads. A plan resolves concept sets
//! and shares equal criteria over a whole set of definitions; evaluation
//! gathers each criterion's events once per shard, by an index from concepts
//! to rows, and then walks persons, so that a person without a definition's
//! entry concepts costs nothing. The road not taken: SQL out of text
//! templates, as circe-be has it. Its semantics are kept to the row.
//!
//! It does not know where definitions or records are stored, nor threads: the
//! job maps [`Plan::evaluate`] over shards.

pub mod algebra;
mod check;
mod circe;
mod count;
mod domain;
mod error;
mod evaluate;
mod explain;
pub mod model;
mod plan;
mod results;
pub mod short;
mod statistics;
pub mod why;

pub use check::{Check, Finding, Severity, check_circe, check_short};
pub use circe::{circe_keys, parse_circe, parse_circe_file};
pub use domain::Domain;
pub use error::Error;
pub use evaluate::{CohortEntries, ShardCohorts, Site};
pub use explain::explain;
pub use model::Definition;
pub use plan::{Plan, Warning};
pub use results::{CohortResults, NamedTable};
pub use short::parse_short;
pub use statistics::{CensorCounts, InclusionCounts, Mode, RuleCounts};
pub use why::Why;
