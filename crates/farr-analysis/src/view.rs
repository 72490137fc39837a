//! What an analysis sees of one shard.

use arrow::array::Array;
use farr_records::{Day, Interval, Shard, Table};
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

/// The rows of a cohort, person by person. Persons are asked for in ascending
/// order nearly always, so each search starts where the last one ended.
pub(crate) struct Walk<'a> {
    rows: &'a [CohortRow],
    at: usize,
}

impl<'a> Walk<'a> {
    /// The rows of the person at a place of the shard.
    #[inline]
    pub(crate) fn of(&mut self, person: u32) -> &'a [CohortRow] {
        if self.at > 0 && self.rows[self.at - 1].person >= person {
            self.at = 0;
        }
        let before = self.rows[self.at..].iter().take_while(|row| row.person < person);
        self.at += before.count();
        let rest = &self.rows[self.at..];
        &rest[..rest.iter().take_while(|row| row.person == person).count()]
    }

    /// The next person, and their rows.
    #[inline]
    pub(crate) fn next_person(&mut self) -> Option<(u32, &'a [CohortRow])> {
        let person = self.rows.get(self.at)?.person;
        let rows = self.of(person);
        self.at += rows.len();
        Some((person, rows))
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

    /// A cohort's rows, to be walked through.
    pub(crate) fn walk(&self, id: i64) -> Walk<'a> {
        Walk { rows: self.cohort(id), at: 0 }
    }

    /// The persons of a cohort, each once, ascending.
    pub(crate) fn persons_in(&self, id: i64) -> impl Iterator<Item = u32> + use<'a> {
        let mut last = None;
        self.cohort(id).iter().filter_map(move |row| {
            (last.replace(row.person) != Some(row.person)).then_some(row.person)
        })
    }

    /// The observation periods of the shard.
    pub(crate) fn observation_periods(&self, analysis: &str) -> Result<Periods, Error> {
        let table = Table::ObservationPeriod;
        let missing = |column| Error::Missing { analysis: analysis.to_owned(), table, column };
        let rows = self.shard.table(table).ok_or(missing("person_id"))?;
        let days = |column| rows.days(column).ok_or(missing(column));
        let starts = days("observation_period_start_date")?;
        let ends = days("observation_period_end_date")?;
        let n_persons = self.shard.persons().len();
        let mut periods = Periods {
            intervals: Vec::with_capacity(rows.len()),
            offsets: Vec::with_capacity(n_persons + 1),
        };
        periods.offsets.push(0);
        for person in 0..n_persons {
            for row in rows.rows_of(person) {
                if starts.is_valid(row)
                    && ends.is_valid(row)
                    && let (start, end) = (Day(starts.value(row)), Day(ends.value(row)))
                    && let Some(period) = Interval::new(start, end)
                {
                    periods.intervals.push(period);
                }
            }
            periods.offsets.push(periods.intervals.len());
        }
        Ok(periods)
    }
}

/// The observation periods of a shard.
pub(crate) struct Periods {
    intervals: Vec<Interval>,
    /// Where each person's begin; one more than there are persons.
    offsets: Vec<usize>,
}

impl Periods {
    /// A person's periods; one without a start or end, or that ends before it
    /// starts, is none.
    #[inline]
    pub(crate) fn of(&self, person: u32) -> &[Interval] {
        &self.intervals[self.offsets[person as usize]..self.offsets[person as usize + 1]]
    }
}
