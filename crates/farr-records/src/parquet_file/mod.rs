//! Parquet files of a store: to bytes, and from an object, column by column.

mod coded;
mod fetch;
mod guard;
mod known_schema;
mod plain;
mod read;
mod write;

pub use guard::{batches, check_footer, guarded};
pub(crate) use known_schema::KnownSchema;
pub(crate) use read::{CODE_COLUMNS, decode, footer, read, read_rows, scan, scan_codes};
pub use write::parquet_bytes;
pub(crate) use write::{ParquetFile, encode, of_parquet};

/// Rows of a row group, where most readers read all of them: fixed, so that
/// bytes depend on rows alone.
pub(crate) const ROW_GROUP_ROWS: usize = 1 << 17;

/// About how many row groups a table has of which readers want a few rows.
const LOOKUP_GROUPS: usize = 256;

/// Rows of a row group of a table of so many rows, of which readers want a few.
pub(crate) fn lookup_group_rows(rows: usize) -> usize {
    rows.div_ceil(LOOKUP_GROUPS).next_power_of_two().clamp(1 << 12, ROW_GROUP_ROWS)
}

/// Who has written a file, as its footer says.
const WRITER: &str = "farr";
