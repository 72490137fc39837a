//! A population, chunk by chunk.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use farr_records::Table;

use crate::concepts::Concepts;
use crate::records::Records;
use crate::{Error, Patient, care, site_tables};

/// How many persons a population has at most.
pub const PERSONS_MAX: u64 = 10_000_000;

/// A population: a seed and a number of persons.
#[derive(Debug)]
pub struct Population {
    seed: u64,
    persons: u64,
    concepts: Concepts,
}

impl Population {
    /// The population of a seed. A smaller one of the same seed is its start.
    ///
    /// # Errors
    /// [`Error::Persons`] for none or more than [`PERSONS_MAX`].
    pub fn new(seed: u64, persons: u64) -> Result<Self, Error> {
        if persons == 0 || persons > PERSONS_MAX {
            return Err(Error::Persons { found: persons });
        }
        Ok(Self { seed, persons, concepts: Concepts::new() })
    }

    /// How many persons there are.
    pub fn persons(&self) -> u64 {
        self.persons
    }

    /// The chunks of at most so many persons, in order.
    pub fn chunks(&self, persons: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        let (all, each) = (self.persons, persons.max(1));
        (0..all.div_ceil(each)).map(move |chunk| chunk * each..((chunk + 1) * each).min(all))
    }

    /// A person by number, from 0.
    pub fn patient(&self, number: u64) -> Patient {
        care::patient(self.seed, number)
    }

    /// The tables without persons: `location`, `care_site`, `provider`,
    /// `metadata` (payers), `cdm_source`, `concept`, `vocabulary`. They are the
    /// same for every population.
    ///
    /// # Errors
    /// [`Error::Arrow`] if a batch cannot be made.
    pub fn site_tables(&self) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        site_tables::site_tables(&self.concepts)
    }

    /// The rows of a range of persons, all tables of persons but eras, every
    /// column of each table, sorted by person and start date.
    ///
    /// # Errors
    /// [`Error::Chunk`] if the range reaches beyond the population;
    /// [`Error::Arrow`] if a batch cannot be made.
    pub fn chunk(&self, range: Range<u64>) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        if range.start > range.end || range.end > self.persons {
            let Range { start, end } = range;
            return Err(Error::Chunk { start, end, persons: self.persons });
        }
        let mut records = Records::default();
        for number in range {
            records.push(&self.patient(number), &self.concepts);
        }
        records.batches()
    }
}
