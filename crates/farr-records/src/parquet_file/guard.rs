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
/// quote the file. A panic of our own code stays one. `read` stays on its thread.
///
/// # Errors
/// The reader's, and [`ParquetError::General`] instead of a panic.
pub fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let guarded = |place: &RefCell<Option<String>>| {
                let (mut place, location) = (place.try_borrow_mut().ok()?, panic.location()?);
                let file = Path::new(location.file());
                // Ours are compiled by paths in the workspace.
                let is_ours = file.starts_with("crates");
                let file = file.file_name().filter(|_| !is_ours)?.to_string_lossy();
                *place.as_mut()? = format!(" at {file}:{}", location.line());
                Some(())
            };
            if PANIC.try_with(guarded).ok().flatten().is_none() {
                others(panic);
            }
        }));
    });
    let outer = PANIC.replace(Some(String::new()));
    let found = panic::catch_unwind(AssertUnwindSafe(read));
    let place = PANIC.replace(outer).unwrap_or_default();
    match found {
        Ok(found) => found,
        Err(panic) if place.is_empty() => panic::resume_unwind(panic),
        Err(_) => Err(ParquetError::General(format!("damaged: its reader gave up{place}"))),
    }
}

/// The batches of a reader, [`guarded`].
pub fn batches(
    mut reader: ParquetRecordBatchReader,
) -> impl Iterator<Item = Result<RecordBatch, ParquetError>> {
    std::iter::from_fn(move || guarded(|| Ok(reader.next().transpose()?)).transpose())
}

/// Checks that all that a footer names lies within the file, whose readers would
/// else ask for bytes that are not there; and that its rows add up, for which
/// readers make room.
///
/// # Errors
/// [`ParquetError::General`], with the row group and the column.
pub fn check_footer(metadata: &ParquetMetaData, size: u64) -> Result<(), ParquetError> {
    let damaged = |what: String| ParquetError::General(format!("cut short or damaged: {what}"));
    let mut rows = Some(0_u64);
    for (place, group) in metadata.row_groups().iter().enumerate() {
        if let Some(column) = group.columns().iter().find(|column| !is_within(column, size)) {
            let path = column.column_path().string();
            return Err(damaged(format!(
                "row group {place}, column '{path}': not within the file's {size} bytes"
            )));
        }
        let of_group = u64::try_from(group.num_rows()).ok();
        rows = rows.zip(of_group).and_then(|(rows, more)| rows.checked_add(more));
    }
    if rows.is_none() || rows != u64::try_from(metadata.file_metadata().num_rows()).ok() {
        return Err(damaged("its rows are not those of its row groups".to_owned()));
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
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_panic_of_the_reader_is_an_error_that_says_where() {
        let theirs = || Ok(Bytes::from_static(b"a name").slice(7..));
        for found in [guarded(theirs), guarded(|| guarded(theirs))] {
            let error = found.unwrap_err().to_string();
            assert!(error.contains("damaged: its reader gave up at bytes.rs:"), "{error}");
        }
    }

    #[test]
    #[should_panic(expected = "our own")]
    fn a_panic_of_ours_stays_one() {
        let _ = guarded::<()>(|| panic!("our own"));
    }
}
