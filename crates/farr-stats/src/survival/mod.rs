//! Time to event: from who was followed for how long to curves, tests and
//! models.
//!
//! Every estimator takes a [`FollowUp`]: exit times, who had the event, and
//! when wished entry times and weights. Its one convention is R's: a row is
//! at risk at t when entry < t <= time, and the events of a time come before
//! its censorings. Bad rows are named errors, not dropped in silence: who is
//! left out of a study is decided before the arithmetic.
//!
//! A kernel sorts once and then passes over the rows; none is quadratic in
//! the number of rows. All run on one thread in a fixed order, so answers do
//! not depend on the machine.

mod aalen_johansen;
mod competing;
mod concordance;
mod confidence;
pub mod cox;
mod cumulative_incidence;
mod curve;
mod fenwick;
mod fine_gray;
mod follow_up;
mod gray;
mod kaplan_meier;
mod linear;
mod log_rank;
mod nelson_aalen;
mod newton;
mod prediction;
#[cfg(test)]
mod properties;
mod restricted_mean;
mod risk_table;
mod twofold;

pub use aalen_johansen::{AalenJohansen, CauseCurve, IncidenceAt, aalen_johansen};
pub use competing::CompetingRisks;
pub use concordance::{Concordance, ConcordanceOptions, TimeWeight, concordance};
pub use confidence::{Confidence, ConfidenceType};
pub use cumulative_incidence::{CumulativeIncidence, cumulative_incidence};
pub use curve::{RestrictedMean, SurvivalAt, SurvivalCurve, SurvivalQuantile};
pub use fine_gray::{FineGrayFit, fine_gray};
pub use follow_up::FollowUp;
pub use gray::{GrayTest, gray_test};
pub use kaplan_meier::{CurveVariance, KaplanMeierOptions, kaplan_meier, kaplan_meier_by_group};
pub use log_rank::{LogRank, log_rank};
pub use nelson_aalen::{fleming_harrington, nelson_aalen};
pub use prediction::{
    CensoringCurve, TimeDependentAuc, brier_score, harrell_concordance, integrated_brier_score,
    time_dependent_auc, uno_concordance,
};
pub use restricted_mean::{
    RestrictedMeanDifference, RestrictedMeanOptions, restricted_mean_difference,
};
