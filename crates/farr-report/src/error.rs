//! What can go wrong with reports.

/// What can go wrong with reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table whose name cannot be a file's.
    #[error("table name '{table}': expected small letters, digits and '_'")]
    Name {
        /// The name.
        table: String,
    },
    /// A table that Parquet cannot hold.
    #[error("table '{table}': could not be encoded: {source}")]
    Encode {
        /// The table.
        table: String,
        /// What Parquet says.
        source: parquet::errors::ParquetError,
    },
    /// A report that is no Parquet file, or a damaged one.
    #[error("report: could not be read as Parquet: {source}")]
    Decode {
        /// What Parquet says.
        source: parquet::errors::ParquetError,
    },
    /// A report whose values cannot be summed up.
    #[error("report, column '{column}': {source}")]
    Column {
        /// The column.
        column: String,
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
    /// A document or a description that is no valid JSON.
    #[error("{object}: {source}")]
    Json {
        /// Which one.
        object: String,
        /// What the parser or writer says.
        source: serde_json::Error,
    },
    /// A report that could not be written.
    #[error(transparent)]
    Store(#[from] farr_store::Error),
}
