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

mod age;
mod attrition;
mod characteristics;
mod composition;
mod concepts;
mod cumulative_incidence;
mod error;
mod follow_up;
mod incidence;
mod overlap;
mod prevalence;
mod regression;
mod run;
mod settings;
mod strata;
mod survival;
#[cfg(test)]
mod testing;
mod view;

pub use composition::Composition;
pub use concepts::Concepts;
pub use error::Error;
pub use follow_up::RiskWindowSettings;
pub use regression::settings::{
    AgeCovariate, AgeGroupCovariate, CharlsonCondition, CharlsonCovariate, CharlsonWeights,
    CohortCovariate, ConceptCovariate, CovariateSettings, MeasurementCovariate, MissingValue,
    RegressionModel, RegressionSettings, SexCovariate, VisitsCovariate,
};
pub use run::{Analysis, AnyAnalysis, AnyPartial, Needs, analysis_of};
pub use settings::{
    AgeBreaks, AgeMethod, Anchor, AnchorSettings, AttritionSettings, CalendarInterval,
    CharacteristicsDomain, CharacteristicsSettings, CumulativeIncidenceSettings, IncidenceSettings,
    OutcomeSettings, OverlapSettings, PrevalenceMeasure, PrevalenceSettings, Settings,
    StandardWeightSettings, Stratum, StudyWindowSettings, SubgroupSettings, SurvivalSettings,
    TimeAtRiskSettings, TimePoint,
};
pub use view::{Chain, CohortRow, CohortRows, Inclusion, MaskCount, ShardView};
