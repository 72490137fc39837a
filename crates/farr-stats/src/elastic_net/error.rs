//! What can be wrong with an elastic net's input or stand in its way.

use crate::regression;

/// Why an elastic net has no answer. Rows and columns are counted from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// An outcome, weight or the like is missing, wrong or constant.
    #[error(transparent)]
    Input(#[from] regression::Error),
    /// A column holds a row number that does not exist, or out of order.
    #[error("column {column}: row number {found} is not above the one before and below {rows}")]
    RowNumber {
        /// The column.
        column: usize,
        /// The row number found.
        found: u32,
        /// How many rows there are.
        rows: usize,
    },
    /// A column's value is missing or infinite, or there are too few.
    #[error("column {column}: entry {entry} has no finite value; give one a row number")]
    ColumnValue {
        /// The column.
        column: usize,
        /// The position among the column's entries.
        entry: usize,
    },
    /// There are more rows than a column's row numbers can name.
    #[error("{rows} rows are more than row numbers of 32 bits can name")]
    TooManyRows {
        /// Rows asked.
        rows: usize,
    },
    /// The outcome and the columns differ in rows.
    #[error("the columns have {found} rows, the outcome has {expected}")]
    Rows {
        /// Rows of the columns.
        found: usize,
        /// Rows of the outcome.
        expected: usize,
    },
    /// A setting is out of its range.
    #[error("{setting} must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is allowed, in words.
        expected: &'static str,
    },
    /// Penalty factors do not fit the columns.
    #[error("there are {found} penalty factors for {expected} columns")]
    PenaltyFactors {
        /// Factors given.
        found: usize,
        /// Columns.
        expected: usize,
    },
    /// The descent came to its limit of passes.
    #[error(
        "no convergence at lambda {lambda} in {passes} passes; raise passes_max or the smallest \
         lambda, or penalise columns of factor 0 that separate the outcome"
    )]
    NotConverged {
        /// The penalty at which it stopped.
        lambda: f64,
        /// Passes over columns done at this lambda.
        passes: usize,
    },
    /// Cross-validation needs two folds or more, each with rows to train on.
    #[error("cross-validation needs two folds or more, found {found}")]
    Folds {
        /// Distinct folds.
        found: usize,
    },
    /// A loss that the kind of outcome does not have.
    #[error("the loss '{measure}' is not defined for this kind of outcome")]
    Measure {
        /// The loss.
        measure: &'static str,
    },
}
