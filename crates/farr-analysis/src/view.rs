//! What an analysis sees of one shard.

use farr_records::{Interval, Shard};

/// A person's stay in a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CohortRow {
    /// The person's place in the shard.
    pub person: u32,
    /// First and last day in the cohort.
    pub interval: Interval,
}

/// The rows of one cohort in one shard, by person, then start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortRows {
    /// The cohort's id in the job.
    pub id: i64,
    /// Its rows, sorted.
    pub rows: Vec<CohortRow>,
}

impl CohortRows {
    /// The rows of the person at a place of the shard.
    pub fn of(&self, person: u32) -> &[CohortRow] {
        let start = self.rows.partition_point(|row| row.person < person);
        let end = start + self.rows[start..].partition_point(|row| row.person == person);
        &self.rows[start..end]
    }
}

/// One shard of records with its cohorts.
#[derive(Debug, Clone, Copy)]
pub struct ShardView<'a> {
    /// The records.
    pub shard: &'a Shard,
    /// The cohorts, by id.
    pub cohorts: &'a [CohortRows],
}

impl<'a> ShardView<'a> {
    /// The rows of a cohort; none for a cohort that nobody of the shard is in.
    pub fn cohort(&self, id: i64) -> &'a [CohortRow] {
        self.cohorts.iter().find(|cohort| cohort.id == id).map_or(&[], |cohort| &cohort.rows)
    }
}
