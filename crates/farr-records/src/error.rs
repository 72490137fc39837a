//! What can go wrong with records.

use arrow::error::ArrowError;

use crate::Table;

/// What can go wrong with records. No message holds a patient's value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch lacks a column that the table must have.
    #[error("table {table}: no column '{column}'; found {found}")]
    MissingColumn {
        /// The table.
        table: Table,
        /// The column's name.
        column: String,
        /// The columns that are there, joined by commas.
        found: String,
    },
    /// A column has another type than the table's schema says.
    #[error("table {table}, column '{column}': type {found}, expected {expected}")]
    WrongType {
        /// The table.
        table: Table,
        /// The column's name.
        column: String,
        /// The type found.
        found: String,
        /// The type expected.
        expected: String,
    },
    /// Rows break the shard contract.
    #[error("table {table}, row {row}: {broken}; build the records anew")]
    Contract {
        /// The table.
        table: Table,
        /// The row's place in the shard, from 0.
        row: usize,
        /// What is not so.
        broken: &'static str,
    },
    /// Arrow refused an operation.
    #[error("table {table}: {source}")]
    Arrow {
        /// The table.
        table: Table,
        /// What Arrow says.
        source: ArrowError,
    },
}
