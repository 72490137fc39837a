//! What an analysis sees of one shard.

use arrow::array::{Array, Date32Array};
use farr_records::{Day, Interval, Shard, Table, TableRows};
use serde::{Deserialize, Serialize};

use crate::Error;

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

/// How many events and persons met exactly the inclusion rules of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskCount {
    /// Bit i is set where rule i is met.
    pub mask: u64,
    /// Qualifying events.
    pub events: u64,
    /// Persons, by their best event.
    pub persons: u64,
}

/// How the inclusion rules of one cohort did in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The cohort's id in the job.
    pub id: i64,
    /// The rules' names, in order.
    pub rules: Vec<String>,
    /// Counts by mask.
    pub masks: Vec<MaskCount>,
    /// For a cohort that is derived from others: what its rules are.
    pub chain: Option<Chain>,
}

/// The cohorts that lead to a derived one: each takes some persons of the one
/// before away, and is what a rule leaves. Its masks have no gaps, and count
/// persons as events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The first, in words.
    pub base: String,
    /// Their ids, the cohort itself last: one more than there are rules.
    pub cohorts: Vec<i64>,
    /// For each rule that takes away exactly the persons of one cohort, which.
    pub without: Vec<Option<i64>>,
}

/// One shard of records with its cohorts.
#[derive(Debug, Clone, Copy)]
pub struct ShardView<'a> {
    /// The records.
    pub shard: &'a Shard,
    /// The cohorts, by id.
    pub cohorts: &'a [CohortRows],
    /// How their inclusion rules did, by id.
    pub inclusions: &'a [Inclusion],
}

impl<'a> ShardView<'a> {
    /// The rows of a cohort; none for a cohort that nobody of the shard is in.
    pub fn cohort(&self, id: i64) -> &'a [CohortRow] {
        self.cohorts.iter().find(|cohort| cohort.id == id).map_or(&[], |cohort| &cohort.rows)
    }

    /// The rows of a person in a cohort.
    pub(crate) fn rows_of(&self, id: i64, person: u32) -> &'a [CohortRow] {
        let cohort = self.cohorts.iter().find(|cohort| cohort.id == id);
        cohort.map_or(&[], |cohort| cohort.of(person))
    }

    /// The persons of a cohort, each once, ascending.
    pub(crate) fn persons_in(&self, id: i64) -> impl Iterator<Item = u32> + use<'a> {
        let mut last = None;
        self.cohort(id).iter().filter_map(move |row| {
            (last.replace(row.person) != Some(row.person)).then_some(row.person)
        })
    }

    /// The observation periods of the shard.
    pub(crate) fn observation_periods(&self, analysis: &str) -> Result<Periods<'a>, Error> {
        let table = Table::ObservationPeriod;
        let missing = |column| Error::Missing { analysis: analysis.to_owned(), table, column };
        let rows = self.shard.table(table).ok_or(missing("person_id"))?;
        let days = |column| rows.days(column).ok_or(missing(column));
        Ok(Periods {
            rows,
            start: days("observation_period_start_date")?,
            end: days("observation_period_end_date")?,
        })
    }
}

/// The observation periods of a shard.
pub(crate) struct Periods<'a> {
    rows: &'a TableRows,
    start: &'a Date32Array,
    end: &'a Date32Array,
}

impl Periods<'_> {
    /// A person's periods; one without a start or end, or that ends before it
    /// starts, is none.
    pub(crate) fn of(&self, person: u32) -> Vec<Interval> {
        let valid = |row: &usize| self.start.is_valid(*row) && self.end.is_valid(*row);
        self.rows
            .rows_of(person as usize)
            .filter(valid)
            .filter_map(|row| Interval::new(Day(self.start.value(row)), Day(self.end.value(row))))
            .collect()
    }
}
