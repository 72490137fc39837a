//! Rows of a Parquet file whose key is one of some ids: row groups that
//! cannot hold any are not read, and of the others only what the rows need.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;
use rayon::prelude::*;

use super::IdSet;
use crate::Error;
use crate::parquet_file::{batches, guarded};

/// Rows read at a time.
const BATCH_ROWS: usize = 1 << 15;

/// Rows of a table: those of which a column holds one of some ids.
#[derive(Debug, Clone)]
pub struct RowKey {
    pub(crate) column: &'static str,
    pub(crate) ids: std::sync::Arc<IdSet>,
}

impl RowKey {
    /// The rows of which `column` holds one of `ids`, given in any order.
    pub fn new(column: &'static str, ids: Vec<i64>) -> Self {
        Self { column, ids: std::sync::Arc::new(IdSet::new(ids)) }
    }

    /// The column.
    pub fn column(&self) -> &'static str {
        self.column
    }

    /// Which values of its column it asks for: none that is missing.
    ///
    /// # Errors
    /// A column of another type than an id's.
    pub fn wanted(&self, column: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        is_wanted(column, &self.ids)
    }
}

/// One Parquet file that is scanned.
pub(crate) struct Scanned<'a, C, F> {
    pub(crate) metadata: &'a ArrowReaderMetadata,
    /// The columns wanted, as they are named in the file, in any case.
    pub(crate) columns: &'a [&'static str],
    pub(crate) key: Option<&'a RowKey>,
    /// Opens the file for some columns of one row group.
    pub(crate) open: C,
    /// What Parquet's errors become.
    pub(crate) failed: F,
}

impl<C, F, R> Scanned<'_, C, F>
where
    C: Fn(usize, &[usize]) -> Result<R, Error> + Sync,
    F: Fn(ParquetError) -> Error + Sync,
    R: ChunkReader + 'static,
{
    /// What becomes of the rows, in the file's order; row groups are read on
    /// the threads of the pool at hand, as many at a time as there are threads.
    pub(crate) fn map<T: Send>(
        &self,
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        self.map_groups(|_| true, map)
    }

    /// The same of those row groups alone that something else leaves room in.
    pub(crate) fn map_groups<T: Send>(
        &self,
        may_hold: impl Fn(&RowGroupMetaData) -> bool,
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let metadata = self.metadata.metadata();
        let groups: Vec<usize> = (0..metadata.num_row_groups())
            .filter(|group| self.may_hold(*group) && may_hold(metadata.row_group(*group)))
            .collect();
        let scanned: Result<Vec<Vec<T>>, Error> =
            groups.into_par_iter().map(|group| self.group(group, &map)).collect();
        Ok(scanned?.into_iter().flatten().collect())
    }

    fn group<T>(
        &self,
        group: usize,
        map: &impl Fn(&RecordBatch) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let leaves = self.leaves();
        let descriptor = self.metadata.metadata().file_metadata().schema_descr();
        let mask = ProjectionMask::leaves(descriptor, leaves.iter().copied());
        let reader = (self.open)(group, &leaves)?;
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(reader, self.metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS);
        if let Some((key, place)) = self.whole_key() {
            let mask = ProjectionMask::leaves(descriptor, [place]);
            let ids = key.ids.clone();
            let filter = ArrowPredicateFn::new(mask, move |batch| is_wanted(batch.column(0), &ids));
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(filter)]));
        }
        let reader = guarded(|| builder.build()).map_err(&self.failed)?;
        batches(reader).map(|batch| map(&batch.map_err(&self.failed)?)).collect()
    }

    /// Whether all rows that come are those that the key asks for: so where the
    /// file keeps it as whole numbers.
    pub(crate) fn is_exact(&self) -> bool {
        self.key.is_none() || self.whole_key().is_some()
    }

    /// The wanted columns' places.
    fn leaves(&self) -> Vec<usize> {
        let descriptor = self.metadata.metadata().file_metadata().schema_descr();
        // Lists and structs come too, by their outer name: that they are no
        // such column is for the reader to say.
        let is_wanted = |place: &usize| {
            let name = descriptor.get_column_root(*place).name().to_ascii_lowercase();
            self.columns.contains(&name.as_str())
        };
        (0..descriptor.num_columns()).filter(is_wanted).collect()
    }

    /// The key and its column's place, if the file keeps it as whole numbers.
    fn whole_key(&self) -> Option<(&RowKey, usize)> {
        let key = self.key?;
        let fields = self.metadata.schema().fields();
        let is_key =
            |field: &arrow::datatypes::FieldRef| field.name().eq_ignore_ascii_case(key.column);
        let root = fields.iter().position(is_key)?;
        let is_whole = matches!(fields[root].data_type(), DataType::Int32 | DataType::Int64);
        // A column of lists or structs before it has another number of leaves.
        let descriptor = self.metadata.metadata().file_metadata().schema_descr();
        let is_leaf = |place: &usize| descriptor.get_column_root_idx(*place) == root;
        let place = (0..descriptor.num_columns()).find(is_leaf)?;
        is_whole.then_some((key, place))
    }

    /// Whether a row group's statistics leave room for a row that is wanted.
    fn may_hold(&self, group: usize) -> bool {
        let Some((key, place)) = self.whole_key() else { return true };
        let statistics = self.metadata.metadata().row_group(group).column(place).statistics();
        let bounds = match statistics {
            Some(Statistics::Int64(s)) => s.min_opt().copied().zip(s.max_opt().copied()),
            Some(Statistics::Int32(s)) => {
                s.min_opt().zip(s.max_opt()).map(|(min, max)| (i64::from(*min), i64::from(*max)))
            }
            _ => None,
        };
        bounds.is_none_or(|(least, greatest)| key.ids.meets(least, greatest))
    }
}

/// Which values of a column are among the ids.
fn is_wanted(column: &ArrayRef, ids: &IdSet) -> Result<BooleanArray, ArrowError> {
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Ok(known(ids.contains_each(values.values()), values.nulls()));
    }
    if let Some(values) = column.as_primitive_opt::<Int32Type>() {
        return Ok(known(ids.contains_each(values.values()), values.nulls()));
    }
    Err(ArrowError::SchemaError(format!("an id of type {}", column.data_type())))
}

/// Those that are wanted and not missing.
fn known(wanted: BooleanBuffer, nulls: Option<&NullBuffer>) -> BooleanArray {
    match nulls {
        None => BooleanArray::new(wanted, None),
        Some(nulls) => BooleanArray::new(&wanted & nulls.inner(), None),
    }
}
