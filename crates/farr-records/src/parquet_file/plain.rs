//! Columns of whole numbers and days, read page by page: to set up Arrow's reader
//! takes longer than to read as few rows as a table has in a shard.
//!
//! `None` is for whatever else there is, damage too: Arrow's reader says what.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, Int64Array, PrimitiveArray, UInt32Array, new_empty_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Date32Type, Field, Int64Type};
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::ROW_GROUP_ROWS;
use super::coded::Dictionary;

/// The field of a column, if it is one that is read here.
pub(crate) fn field_of(column: &ColumnDescriptor) -> Option<Field> {
    let kind = match (column.physical_type(), column.logical_type_ref()) {
        (Type::INT64, None) if column.converted_type() == ConvertedType::NONE => DataType::Int64,
        (Type::INT32, Some(LogicalType::Date)) => DataType::Date32,
        _ => return None,
    };
    let is_flat = column.max_rep_level() == 0 && column.path().parts().len() == 1;
    is_flat.then(|| Field::new(column.name(), kind, column.max_def_level() > 0))
}

/// A column of a row group.
pub(crate) fn read<R: ChunkReader + 'static>(
    reader: &Arc<R>,
    group: &RowGroupMetaData,
    leaf: usize,
) -> Option<ArrayRef> {
    match field_of(group.column(leaf).column_descr())?.data_type() {
        DataType::Int64 => values::<data_type::Int64Type, Int64Type, R>(reader, group, leaf),
        DataType::Date32 => values::<data_type::Int32Type, Date32Type, R>(reader, group, leaf),
        _ => None,
    }
}

/// A column of some rows of a row group, which ascend.
pub(crate) fn read_at<R: ChunkReader + 'static>(
    reader: &Arc<R>,
    group: &RowGroupMetaData,
    leaf: usize,
    rows: &[u32],
) -> Option<ArrayRef> {
    let field = field_of(group.column(leaf).column_descr())?;
    if rows.is_empty() {
        return Some(new_empty_array(field.data_type()));
    }
    let dictionary = Dictionary::read(reader.clone(), group, leaf);
    if let Some(coded) = dictionary.and_then(Dictionary::places) {
        return Some(Arc::new(Int64Array::from(coded.numbers_at(rows)?)));
    }
    let rows = UInt32Array::from_iter_values(rows.iter().copied());
    take(&read(reader, group, leaf)?, &rows, None).ok()
}

/// The parts of a column, one a row group.
pub(crate) fn joined(mut parts: Vec<ArrayRef>, field: &Field) -> Option<ArrayRef> {
    match parts.len() {
        0 => Some(new_empty_array(field.data_type())),
        1 => parts.pop(),
        _ => concat(&parts.iter().map(|part| part as &dyn Array).collect::<Vec<_>>()).ok(),
    }
}

fn values<P, A, R>(reader: &Arc<R>, group: &RowGroupMetaData, leaf: usize) -> Option<ArrayRef>
where
    P: data_type::DataType<T = A::Native>,
    A: ArrowPrimitiveType,
    R: ChunkReader + 'static,
{
    let chunk = group.column(leaf);
    let rows = usize::try_from(group.num_rows()).ok()?;
    let pages = SerializedPageReader::new(reader.clone(), chunk, rows, None).ok()?;
    let mut column = ColumnReaderImpl::<P>::new(chunk.column_descr_ptr(), Box::new(pages));
    // A damaged footer may state any number.
    let room = rows.min(ROW_GROUP_ROWS);
    let (mut levels, mut values) = (Vec::with_capacity(room), Vec::with_capacity(room));
    let read = column.read_records(rows, Some(&mut levels), None, &mut values).ok()?;
    if read.0 != rows {
        return None;
    }
    if values.len() == rows {
        return Some(Arc::new(PrimitiveArray::<A>::new(values.into(), None)));
    }
    let is_there: BooleanBuffer = levels.iter().map(|level| *level > 0).collect();
    let mut values = values.into_iter();
    let value =
        |is_there| if is_there { values.next().unwrap_or_default() } else { A::Native::default() };
    let values: Vec<A::Native> = is_there.iter().map(value).collect();
    let nulls = Some(NullBuffer::new(is_there));
    Some(Arc::new(PrimitiveArray::<A>::try_new(values.into(), nulls).ok()?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, RecordBatch};
    use arrow::compute::concat_batches;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::Sequences;
    use crate::parquet_file;

    proptest! {
        #[test]
        fn columns_are_those_of_arrow(
            numbers in prop::collection::vec((prop::option::of(-9..9_i64), 0..99_i32), 1..400),
            (near, unique, is_whole) in any::<(bool, bool, bool)>(),
            group_rows in 1..300_usize,
            one_in in 1..5_usize,
        ) {
            let (ids, days): (Vec<_>, Vec<_>) = numbers.into_iter().unzip();
            let ids = ids.into_iter().map(|id| id.or(is_whole.then_some(7)));
            let columns: [(&str, ArrayRef); 2] = [
                ("id", Arc::new(ids.collect::<Int64Array>())),
                ("day", Arc::new(Date32Array::from(days))),
            ];
            let rows = RecordBatch::try_from_iter_with_nullable(
                columns.into_iter().map(|(name, column)| (name, column, true)),
            )
            .unwrap();
            let sequences = Sequences {
                near: if near { vec!["id", "day"] } else { vec![] },
                unique: if unique { vec!["id"] } else { vec![] },
            };
            let file = parquet_file::encode(&rows, &rows.schema(), &sequences, group_rows).unwrap();
            let arrow = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
            let metadata = arrow.metadata().clone();
            let by_arrow: Vec<RecordBatch> = arrow.build().unwrap().map(Result::unwrap).collect();
            let by_arrow = concat_batches(&rows.schema(), &by_arrow).unwrap();
            let reader: Arc<Bytes> = Arc::new(file);
            let (mut start, some) = (0, |n: usize| (0..n as u32).step_by(one_in));
            for group in metadata.row_groups() {
                let n_rows = group.num_rows() as usize;
                let at: Vec<u32> = some(n_rows).collect();
                for leaf in 0..2 {
                    let expected = by_arrow.column(leaf).slice(start, n_rows);
                    let column = read(&reader, group, leaf).unwrap();
                    prop_assert_eq!(&column, &expected);
                    let expected = take(&expected, &UInt32Array::from(at.clone()), None).unwrap();
                    prop_assert_eq!(&read_at(&reader, group, leaf, &at).unwrap(), &expected);
                }
                start += n_rows;
            }
            prop_assert_eq!(start, rows.num_rows());
        }
    }
}
