//! What can go wrong with sources.

use std::io;

/// What can go wrong with a source as a whole; bad rows are rejects instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The location cannot be listed, or an object not be read.
    #[error(transparent)]
    Store(#[from] farr_store::Error),
    /// An object that ends early or is damaged.
    #[error(
        "{object}: could not be read to its end ({source}); it is truncated or damaged, export or copy it again"
    )]
    Damaged {
        /// The object's url.
        object: String,
        /// What the decoder says.
        source: io::Error,
    },
    /// A table without which there is nothing to read.
    #[error("{location}: no object holds the table '{table}'; found {found}{hint}")]
    MissingTable {
        /// The location's url.
        location: String,
        /// The table's name.
        table: String,
        /// The names of the objects that are there.
        found: String,
        /// How to mend it.
        hint: String,
    },
    /// A column without which a table cannot be read.
    #[error("{object}: the table '{table}' has no column '{column}'; found {found}{hint}")]
    MissingColumn {
        /// The object's url.
        object: String,
        /// The table's name.
        table: String,
        /// The logical column.
        column: String,
        /// The columns that are there.
        found: String,
        /// How to mend it.
        hint: String,
    },
    /// A column of which it cannot be told which one is meant.
    #[error(
        "{object}: the table '{table}': the column '{column}' stands twice; \
         export it once, or name one of them otherwise"
    )]
    RepeatedColumn {
        /// The object's url.
        object: String,
        /// The table's name.
        table: String,
        /// The column.
        column: String,
    },
    /// An object in a form that is not read.
    #[error("{object}: {found}; {remedy}")]
    Form {
        /// The object's url.
        object: String,
        /// What it is.
        found: &'static str,
        /// How to mend it.
        remedy: &'static str,
    },
    /// A folder of a table format, of which not all files are the table's.
    #[error(
        "{location}: the folder '{folder}' is of the table format {form}: some of its files may \
         be rows of the past; \
         export what it holds now as plain Parquet or CSV"
    )]
    TableFormat {
        /// The location's url.
        location: String,
        /// The folder.
        folder: String,
        /// Delta Lake, Iceberg or Hudi.
        form: &'static str,
    },
    /// The same part of a table in several forms, so that it would count twice.
    #[error(
        "{location}: '{first}' and '{second}' hold the same part of the table '{table}'; keep one of them"
    )]
    Twice {
        /// The location's url.
        location: String,
        /// The table's name.
        table: String,
        /// One object.
        first: String,
        /// The other.
        second: String,
    },
    /// A setting that names nothing.
    #[error("{setting}: {reason}{hint}")]
    Setting {
        /// The source system.
        system: String,
        /// The setting's key.
        setting: String,
        /// What is wrong.
        reason: String,
        /// How to mend it.
        hint: String,
    },
    /// A Parquet object that is none.
    #[error("{object}: not readable as Parquet: {source}")]
    Parquet {
        /// The object's url.
        object: String,
        /// What the reader says.
        source: parquet::errors::ParquetError,
    },
    /// A Parquet column of a type that cannot hold what the table needs.
    #[error(
        "{object}: column '{column}' has type {found}; expected {expected}: \
         export it with such a type, or as text"
    )]
    WrongType {
        /// The object's url.
        object: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What the table needs.
        expected: &'static str,
    },
    /// Arrow refused an operation on rows.
    #[error("{object}: {source}")]
    Arrow {
        /// The object's url, or the table.
        object: String,
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
    /// Polars refused an operation on rows.
    #[error("{object}: {source}")]
    Frame {
        /// The object's url, or the table.
        object: String,
        /// What Polars says.
        source: polars::error::PolarsError,
    },
    /// The records could not take more.
    #[error("the records could not take the rows: {0}")]
    Intake(Box<dyn std::error::Error + Send + Sync>),
}

/// "; nearest is 'x'" with what to write, or nothing.
pub(crate) fn nearest<'a>(wanted: &str, found: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let score = |name: &str| strsim::jaro_winkler(&wanted, &name.to_lowercase());
    found
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
