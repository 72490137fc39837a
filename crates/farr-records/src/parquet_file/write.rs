//! Rows to the bytes of Parquet files.

use std::io::Write;

use arrow::array::{Array, RecordBatch, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{
    DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT, EnabledStatistics, WriterProperties,
    WriterPropertiesBuilder,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::{ROW_GROUP_ROWS, WRITER};
use crate::Error;
use crate::encoding::{Sequences, Steps, steps};
use crate::narrow::{bytes_of_texts, widened};

// A dictionary of whole numbers never grows so large that the writer goes on
// without it: where nothing in it is wanted, nothing in the row group is.
const _: () = assert!(ROW_GROUP_ROWS * size_of::<i64>() <= DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT);

/// A column that takes fewer bytes, before it is encoded, is not compressed: to
/// set up the machinery takes longer than to write and read what it saves.
const FEW_BYTES: usize = if cfg!(test) { 64 } else { 1 << 16 };

/// The bytes of a Parquet file with these rows in a schema's columns and types,
/// some of which they may lack or have narrower: zstd, statistics, row groups of
/// so many rows; differences instead of a dictionary for sequences. Columns are
/// encoded on the threads of the pool at hand.
pub(crate) fn encode(
    rows: &RecordBatch,
    schema: &SchemaRef,
    sequences: &Sequences,
    group_rows: usize,
) -> Result<Bytes, ParquetError> {
    let mut bytes = Vec::new();
    let mut file = ParquetFile::fitting(&mut bytes, rows, schema, sequences, group_rows)?;
    file.write(rows)?;
    file.finish()?;
    Ok(bytes.into())
}

/// Bytes of a column's values in its own type, however narrow they come: how
/// wide these are depends on the rows that came with them.
fn bytes_of(column: &dyn Array, kind: &DataType) -> usize {
    match (kind.primitive_width(), bytes_of_texts(column)) {
        (Some(width), _) => width * column.len(),
        (None, Some(bytes)) => bytes as usize + size_of::<i32>() * column.len(),
        _ => usize::MAX,
    }
}

/// What a column holds.
struct Kind {
    /// `None`: nothing but nulls.
    steps: Option<Steps>,
    /// Too small to be compressed.
    is_small: bool,
}

/// How columns are written: `unique` whole numbers, and those that follow each
/// other closely, as differences, without a dictionary. What compression does not
/// make smaller, days that are near to each other and ids that are not, goes
/// without it, as do small columns.
fn properties(
    schema: &Schema,
    unique: &[&str],
    kind: impl Fn(&Field) -> Kind,
    group_rows: usize,
) -> Result<WriterPropertiesBuilder, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(group_rows))
        .set_created_by(WRITER.to_owned());
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().clone());
        let Kind { steps, is_small } = kind(field);
        let is_unique = unique.contains(&field.name().as_str());
        let is_wide = steps == Some(Steps::Wide);
        let is_near = is_wide || steps == Some(Steps::Near);
        let is_scattered = steps == Some(Steps::Scattered);
        if is_near || is_unique && !is_scattered && field.data_type().is_integer() {
            let encoding = Encoding::DELTA_BINARY_PACKED;
            properties = properties.set_column_encoding(column.clone(), encoding);
        }
        if is_near || is_unique || is_scattered || steps.is_none() {
            properties = properties.set_column_dictionary_enabled(column.clone(), false);
        }
        let has_near_days = is_near && *field.data_type() == DataType::Date32;
        // Unique ones have no dictionary.
        let has_runs = steps == Some(Steps::Runs) && !is_unique;
        if is_small || has_near_days || is_wide || has_runs || is_scattered {
            properties = properties.set_column_compression(column, Compression::UNCOMPRESSED);
        }
    }
    Ok(properties)
}

/// A Parquet file whose rows come some at a time; its bytes depend on the rows
/// alone, not on how they come.
pub(crate) struct ParquetFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    group_rows: usize,
    groups: usize,
    /// Rows that do not fill a row group yet.
    rest: RecordBatch,
}

impl<W: Write + Send> ParquetFile<W> {
    pub(crate) fn new(
        sink: W,
        schema: SchemaRef,
        unique: &[&str],
        group_rows: usize,
    ) -> Result<Self, ParquetError> {
        let kind = |_: &Field| Kind { steps: Some(Steps::Far), is_small: false };
        let properties = properties(&schema, unique, kind, group_rows)?.build();
        Self::with(sink, schema, properties, group_rows)
    }

    /// The same, as these rows, the first of it, ask for: see [`encode`].
    pub(crate) fn fitting(
        sink: W,
        rows: &RecordBatch,
        schema: &SchemaRef,
        sequences: &Sequences,
        group_rows: usize,
    ) -> Result<Self, ParquetError> {
        let kind = |field: &Field| match rows.column_by_name(field.name()) {
            Some(column) if column.null_count() < column.len() => {
                let name = field.name().as_str();
                let looked_at = sequences.unique.contains(&name) || sequences.near.contains(&name);
                let steps = if looked_at { steps(column, field.data_type()) } else { Steps::Far };
                let is_small = bytes_of(column, field.data_type()) < FEW_BYTES;
                Kind { steps: Some(steps), is_small }
            }
            _ => Kind { steps: None, is_small: true },
        };
        let properties = properties(schema, &sequences.unique, kind, group_rows)?.build();
        Self::with(sink, schema.clone(), properties, group_rows)
    }

    fn with(
        sink: W,
        schema: SchemaRef,
        properties: WriterProperties,
        group_rows: usize,
    ) -> Result<Self, ParquetError> {
        let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties))?;
        let (writer, factory) = writer.into_serialized_writer()?;
        let rest = RecordBatch::new_empty(schema.clone());
        Ok(Self { writer, factory, schema, group_rows, groups: 0, rest })
    }

    /// Takes rows, and writes the row groups that they fill.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let joined = if self.rest.num_rows() == 0 {
            batch.clone()
        } else {
            concat_batches(&self.schema, [&self.rest, batch])?
        };
        let full = joined.num_rows() / self.group_rows * self.group_rows;
        self.rest = joined.slice(full, joined.num_rows() - full);
        self.write(&joined.slice(0, full))
    }

    /// Writes what is left, and the footer.
    pub(crate) fn finish(mut self) -> Result<(), ParquetError> {
        let rest = std::mem::replace(&mut self.rest, RecordBatch::new_empty(self.schema.clone()));
        self.write(&rest)?;
        self.writer.close().map(drop)
    }

    /// Writes row groups, the last of which may not be full.
    fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let starts: Vec<usize> = (0..rows.num_rows()).step_by(self.group_rows).collect();
        let encode = |(place, start): (usize, &usize)| {
            let count = self.group_rows.min(rows.num_rows() - start);
            let writers = self.factory.create_column_writers(self.groups + place)?;
            let columns = self.schema.fields().iter().zip(writers);
            columns
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(|(field, mut writer)| {
                    let column = match rows.column_by_name(field.name()) {
                        Some(column) => widened(&column.slice(*start, count), field.data_type()),
                        None => new_null_array(field.data_type(), count),
                    };
                    for leaf in compute_leaves(field, &column)? {
                        writer.write(&leaf)?;
                    }
                    writer.close()
                })
                .collect::<Result<Vec<_>, ParquetError>>()
        };
        let groups: Result<Vec<_>, ParquetError> =
            starts.par_iter().enumerate().map(encode).collect();
        for columns in groups? {
            let mut group = self.writer.next_row_group()?;
            for column in columns {
                column.append_to_row_group(&mut group)?;
            }
            group.close()?;
            self.groups += 1;
        }
        Ok(())
    }
}

/// What failed in writing: the store, or else the encoding.
pub(crate) fn of_parquet(object: String, source: ParquetError) -> Error {
    let source = match source {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => match source.downcast::<farr_store::Error>() {
                Ok(error) => return Error::Store(error),
                Err(source) => ParquetError::from(source),
            },
            Err(source) => ParquetError::External(source),
        },
        source => source,
    };
    Error::Parquet { object, source }
}

/// The bytes of a Parquet file with these rows: zstd, statistics, row groups
/// of fixed size; the same rows give the same bytes.
///
/// # Errors
/// [`Error::Parquet`] for a type that Parquet does not hold; `name` is for the
/// message.
pub fn parquet_bytes(name: &str, batch: &RecordBatch) -> Result<Bytes, Error> {
    encode(batch, &batch.schema(), &Sequences::default(), ROW_GROUP_ROWS)
        .map_err(|source| Error::Parquet { object: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use parquet::basic::ColumnOrder;
    use parquet::file::metadata::ParquetMetaDataReader;

    use super::*;
    use crate::Table;

    /// Readers of some years ago take an order that they do not know for damage.
    #[test]
    fn columns_have_the_order_that_all_readers_know() {
        for table in Table::ALL {
            let none = RecordBatch::new_empty(table.schema());
            let file = encode(&none, &table.schema(), &Sequences::of(table), ROW_GROUP_ROWS);
            let footer = ParquetMetaDataReader::new().parse_and_finish(&file.unwrap()).unwrap();
            for place in 0..table.columns().len() {
                let order = footer.file_metadata().column_order(place);
                assert!(matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)), "{table}: {order:?}");
            }
        }
    }

    #[test]
    fn persons_of_several_rows_have_a_dictionary_and_unique_ones_none() {
        let hash = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
        let persons = (0..1000).map(|i| (i / 6) << 40 | hash(i / 6)).map(|id| id as i64);
        let persons: arrow::array::ArrayRef =
            std::sync::Arc::new(arrow::array::Int64Array::from_iter_values(persons));
        let rows = RecordBatch::try_from_iter([("subject_id", persons)]).unwrap();
        let near = vec!["subject_id"];
        for (unique, encoding, compression) in [
            (vec![], Encoding::RLE_DICTIONARY, Compression::UNCOMPRESSED),
            (near.clone(), Encoding::DELTA_BINARY_PACKED, Compression::ZSTD(ZstdLevel::default())),
        ] {
            let sequences = Sequences { unique, near: near.clone() };
            let file = encode(&rows, &rows.schema(), &sequences, ROW_GROUP_ROWS).unwrap();
            let footer = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
            let column = footer.row_group(0).column(0);
            assert!(column.encodings().any(|used| used == encoding), "{column:?}");
            assert_eq!(column.compression(), compression);
        }
    }
}
