//! Aggregate tables to Parquet with documented columns, and the manifest that
//! lists them.
//!
//! The one central decision: what a column means travels inside the file (in
//! the fields' metadata for Arrow's readers, as JSON under `farr.columns` for
//! all others), so that a report explains itself wherever it is copied. The
//! road not taken: a data dictionary beside the files.
//!
//! The same table and metadata give the same bytes. A table's label stays on
//! its bytes, so that the store's door can judge them.
//!
//! It does not know how the tables came about, nor what may be shown.

mod describe;
mod error;
mod manifest;
mod parquet_file;

pub use describe::{ColumnSummary, Description, describe};
pub use error::Error;
pub use manifest::{Manifest, ReportTable, json};
pub use parquet_file::{Metadata, REPORT_SCHEMA_VERSION, encode, write};
