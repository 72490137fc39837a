//! Patterns that many persons share: items that come together, and items that
//! follow each other.
//!
//! Items are numbers that the caller hands out; results come ordered by length
//! and then by these numbers, so number the items in the order to be shown.
//! Whether a pattern is frequent is decided by counts, never by shares.

mod association;
mod sequence;

pub use association::{
    AssociationRule, FrequentItemsets, Itemset, association_rules, frequent_itemsets,
};
pub use sequence::{SequentialPattern, sequential_patterns};

use crate::estimate::EstimateError;

/// What counts as frequent, and how long a pattern may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternLimits {
    /// The fewest baskets or persons that must show the pattern; at least 1.
    pub min_count: usize,
    /// The most items of a pattern; at least 1.
    pub max_length: usize,
}

impl PatternLimits {
    fn check(self) -> Result<(), EstimateError> {
        for (what, found) in [("min_count", self.min_count), ("max_length", self.max_length)] {
            if found == 0 {
                return Err(EstimateError::TooFew { what, found, expected: 1 });
            }
        }
        Ok(())
    }
}
