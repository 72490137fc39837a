//! Damaged Parquet files end in errors, whatever their reader does with them.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

thread_local! {
    /// Where the reader at work on this thread has panicked; `None` where none is.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What the Parquet reader gives; an error where it panics, as it may over bytes
/// that no writer writes. Of the panic only its place is said: its message may
/// quote the file.
///
/// # Errors
/// The reader's, and [`ParquetError::General`] instead of a panic.
pub fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_guarded = PANIC.with_borrow_mut(|place| {
                let place = place.as_mut()?;
                let location = panic.location()?;
                let file = Path::new(location.file()).file_name()?.to_string_lossy();
                *place = format!(" at {file}:{}", location.line());
                Some(())
            });
            if is_guarded.is_none() {
                others(panic);
            }
        }));
    });
    let outer = PANIC.replace(Some(String::new()));
    let found = panic::catch_unwind(AssertUnwindSafe(read));
    let place = PANIC.replace(outer).unwrap_or_default();
    let damaged = || ParquetError::General(format!("damaged: its reader gave up{place}"));
    found.unwrap_or_else(|_| Err(damaged()))
}

/// The batches of a reader, [`guarded`].
pub fn batches(
    mut reader: ParquetRecordBatchReader,
) -> impl Iterator<Item = Result<RecordBatch, ParquetError>> {
    std::iter::from_fn(move || guarded(|| Ok(reader.next().transpose()?)).transpose())
}

/// Checks that all that a footer names lies within the file, whose readers would
/// else ask for bytes that are not there.
///
/// # Errors
/// [`ParquetError::General`], with the row group and the column.
pub fn check_footer(metadata: &ParquetMetaData, size: u64) -> Result<(), ParquetError> {
    for (place, group) in metadata.row_groups().iter().enumerate() {
        let damaged = |what: String| {
            ParquetError::General(format!("cut short or damaged: row group {place}{what}"))
        };
        if group.num_rows() < 0 {
            return Err(damaged(" has fewer than no rows".to_owned()));
        }
        if let Some(column) = group.columns().iter().find(|column| !is_within(column, size)) {
            let path = column.column_path().string();
            return Err(damaged(format!(", column '{path}': not within the file's {size} bytes")));
        }
    }
    Ok(())
}

fn is_within(column: &ColumnChunkMetaData, size: u64) -> bool {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let (start, length) = (u64::try_from(start), u64::try_from(column.compressed_size()));
    let end = start.ok().zip(length.ok()).and_then(|(start, length)| start.checked_add(length));
    end.is_some_and(|end| end <= size) && column.num_values() >= 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_where() {
        let error = guarded::<()>(|| panic!("a person's name")).unwrap_err().to_string();
        assert!(error.contains("damaged: its reader gave up at guard.rs:"), "{error}");
        assert!(!error.contains("name"), "{error}");
        let outer = guarded::<()>(|| guarded(|| Ok(())).and_then(|()| panic!()));
        assert!(outer.unwrap_err().to_string().contains("guard.rs:"));
    }
}
