//! How many events, and how many persons by their best event, met which
//! inclusion rules. Counts are integers and add up over shards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which events are counted: the reference's `mode_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Every qualified event: 0.
    AllEvents,
    /// The best qualified event of each person: 1.
    BestEvent,
}

impl Mode {
    /// Both, in the order of `mode_id`.
    pub const ALL: [Self; 2] = [Self::AllEvents, Self::BestEvent];

    /// `mode_id`.
    pub fn id(self) -> i32 {
        match self {
            Self::AllEvents => 0,
            Self::BestEvent => 1,
        }
    }
}

/// Events by the set of rules that they met.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InclusionCounts {
    /// How many rules the definition has; with none nothing is counted.
    pub rules: usize,
    /// All events by mask: bit i is set if rule i was met.
    pub all_events: BTreeMap<u64, u64>,
    /// Best events by mask.
    pub best_events: BTreeMap<u64, u64>,
}

/// One row of `cohort_inclusion_stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleCounts {
    /// The rule's place, from 0.
    pub rule_sequence: usize,
    /// Events that met it.
    pub person_count: u64,
    /// Events that met every rule but it.
    pub gain_count: u64,
    /// Events in all.
    pub person_total: u64,
}

impl InclusionCounts {
    /// Counts by mask: `cohort_inclusion_result`.
    pub fn masks(&self, mode: Mode) -> &BTreeMap<u64, u64> {
        match mode {
            Mode::AllEvents => &self.all_events,
            Mode::BestEvent => &self.best_events,
        }
    }

    /// Adds the counts of other persons.
    pub fn merge(&mut self, other: &Self) {
        self.rules = self.rules.max(other.rules);
        for (mask, count) in &other.all_events {
            *self.all_events.entry(*mask).or_default() += count;
        }
        for (mask, count) in &other.best_events {
            *self.best_events.entry(*mask).or_default() += count;
        }
    }

    /// The mask of all rules.
    pub fn full_mask(&self) -> u64 {
        full_mask(self.rules)
    }

    /// Each rule's counts: `cohort_inclusion_stats`.
    pub fn by_rule(&self, mode: Mode) -> Vec<RuleCounts> {
        let masks = self.masks(mode);
        let person_total = masks.values().sum();
        let counts = |rule_sequence: usize| {
            let bit = 1u64 << rule_sequence;
            let met = masks.iter().filter(|(mask, _)| **mask & bit != 0);
            RuleCounts {
                rule_sequence,
                person_count: met.map(|(_, count)| count).sum(),
                gain_count: masks.get(&(self.full_mask() & !bit)).copied().unwrap_or(0),
                person_total,
            }
        };
        (0..self.rules).map(counts).collect()
    }

    /// Events in all, and those that met every rule: `cohort_summary_stats`.
    pub fn summary(&self, mode: Mode) -> (u64, u64) {
        let masks = self.masks(mode);
        (masks.values().sum(), masks.get(&self.full_mask()).copied().unwrap_or(0))
    }
}

/// The mask of so many rules.
pub(crate) fn full_mask(rules: usize) -> u64 {
    (1u64 << rules) - 1
}

/// Persons before and after the censor window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CensorCounts {
    /// Whether the definition has a censor window.
    pub has_window: bool,
    /// Persons with a row before it.
    pub persons_before: u64,
    /// Persons with a row after it.
    pub persons_after: u64,
}

impl CensorCounts {
    /// `lost_count` of `cohort_censor_stats`.
    pub fn lost(&self) -> u64 {
        self.persons_before - self.persons_after
    }

    /// Adds the counts of other persons.
    pub fn merge(&mut self, other: &Self) {
        self.has_window |= other.has_window;
        self.persons_before += other.persons_before;
        self.persons_after += other.persons_after;
    }
}
