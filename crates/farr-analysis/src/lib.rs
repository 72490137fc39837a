//! One module per analysis that a reader would ask for by name.
//!
//! The one central decision: an analysis is three functions and a type of
//! partial result ([`Analysis`]): a shard becomes a partial, partials are
//! merged in shard order, the merged one becomes an aggregate table. Partials
//! are made of integers, or folded over fixed ranges of persons, so that the
//! answer has the same bytes for any number of shards and threads.
//!
//! It does not know where records lie, how shards are spread over threads or
//! machines, nor how a table is written.

mod settings;
mod view;

pub use settings::{
    AgeMethod, Anchor, AnchorSettings, AttritionSettings, CharacteristicsDomain,
    CharacteristicsSettings, IncidenceSettings, OutcomeSettings, OverlapSettings, Settings,
    Stratum, StudyWindowSettings, SubgroupSettings, SurvivalSettings, TimeAtRiskSettings,
};
pub use view::{CohortRow, CohortRows, ShardView};
