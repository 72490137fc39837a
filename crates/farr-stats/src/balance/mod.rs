//! Making groups comparable, and showing that they are: propensity score,
//! weights, matching, strata, standardised differences and Table 1.
//!
//! Each step takes and gives plain slices, so that a score may come from
//! anywhere (`propensity_score`, or an elastic net).

mod difference;
mod error;
mod matching;
mod moments;
mod pool;
mod propensity;
mod stratification;
pub mod table_one;
#[cfg(test)]
mod tests;
mod weighting;

pub use difference::{Scale, effective_sample_size, standardised_mean_difference};
pub use error::Error;
pub use matching::{Caliper, CaliperScale, Matching, MatchingOptions, Order, match_nearest};
pub use propensity::{PropensityScore, propensity_score};
pub use stratification::{QuantilesOf, Stratification, stratify};
pub use weighting::{
    MeanDifference, Weighting, propensity_weights, truncated_weights, weighted_mean_difference,
};
