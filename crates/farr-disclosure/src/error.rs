//! What can go wrong with tables and their release: faults of a declaration.

/// What can go wrong with tables and their release: each is a fault in how an
/// analysis declares its table, not in the data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table whose columns and declarations do not fit together.
    #[error("table '{table}', column '{column}': {reason}")]
    Table {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What does not fit.
        reason: String,
    },
    /// Arrow refused to make or change a table.
    #[error("table '{table}': {source}")]
    Arrow {
        /// The table.
        table: String,
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
    /// A declared relation that the numbers do not fulfil.
    #[error("table '{table}': the declared relation '{relation}' does not hold at row {row}")]
    Relation {
        /// The table.
        table: String,
        /// The relation, with its columns.
        relation: String,
        /// A row of the relation, from 0.
        row: usize,
    },
    /// Two cells that are declared to be one quantity and differ.
    #[error(
        "table '{table}', column '{column}', row {row}: differs from the other values of \
         quantity '{quantity}'"
    )]
    Quantity {
        /// The table of the later cell.
        table: String,
        /// Its column.
        column: String,
        /// Its row, from 0.
        row: usize,
        /// The quantity.
        quantity: String,
    },
    /// A threshold under which a withheld count could not be in doubt.
    #[error(
        "a threshold of {threshold}: expected 3 or more, since below that a withheld count can \
         only be 1"
    )]
    Threshold {
        /// The threshold given.
        threshold: u32,
    },
}
