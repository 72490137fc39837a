//! What can go wrong with a population.

use arrow::error::ArrowError;
use farr_records::Table;

use crate::PERSONS_MAX;

/// What can go wrong with a population.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A population of no or too many persons.
    #[error("a population has 1 to {PERSONS_MAX} persons, not {found}; ask for fewer or more")]
    Persons {
        /// How many were asked for.
        found: u64,
    },
    /// A chunk that reaches beyond the population.
    #[error("persons {start} to {end} of {persons}: a chunk lies within the population")]
    Chunk {
        /// The first person asked for.
        start: u64,
        /// One past the last.
        end: u64,
        /// How many there are.
        persons: u64,
    },
    /// Arrow refused a batch.
    #[error("table {table}: {source}")]
    Arrow {
        /// The table.
        table: Table,
        /// What Arrow says.
        source: ArrowError,
    },
}
