//! Parquet files of a store: to bytes, and from an object, column by column.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, Int64Array, RecordBatch,
    RecordBatchReader, new_null_array,
};
use arrow::compute::{concat, concat_batches, filter_record_batch, or};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::{Buf, Bytes};
use farr_store::{Location, Ranges};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};
use parquet::file::properties::{
    DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT, EnabledStatistics, WriterProperties,
    WriterPropertiesBuilder,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use crate::Error;
use crate::coded::{Coded, Dictionary};
use crate::encoding::{Sequences, Steps, steps};
use crate::known_schema::KnownSchema;
use crate::narrow::{bytes_of_texts, widened};
use crate::plain;
use crate::vocabulary::{RowKey, Scanned};

/// Rows of a row group, where most readers read all of them: fixed, so that
/// bytes depend on rows alone.
pub(crate) const ROW_GROUP_ROWS: usize = 1 << 17;

/// A column that takes fewer bytes, before it is encoded, is not compressed: to
/// set up the machinery takes longer than to write and read what it saves.
const FEW_BYTES: usize = if cfg!(test) { 64 } else { 1 << 16 };

/// About how many row groups a table has of which readers want a few rows.
const LOOKUP_GROUPS: usize = 256;

/// Rows of a row group of a table of so many rows, of which readers want a few.
pub(crate) fn lookup_group_rows(rows: usize) -> usize {
    rows.div_ceil(LOOKUP_GROUPS).next_power_of_two().clamp(1 << 12, ROW_GROUP_ROWS)
}

/// Who has written a file, as its footer says.
const WRITER: &str = "farr";

// A dictionary of whole numbers never grows so large that the writer goes on
// without it: where nothing in it is wanted, nothing in the row group is.
const _: () = assert!(ROW_GROUP_ROWS * size_of::<i64>() <= DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT);

/// How objects are read where a request costs much: up to this size whole, and
/// ranges nearer to each other than this as one.
const REMOTE: Reach = Reach { whole_bytes: 1 << 20, gap_bytes: 1 << 18, tail_bytes: 1 << 16 };

/// ... and where it costs little.
const LOCAL: Reach = Reach { whole_bytes: 1 << 15, gap_bytes: 1 << 13, tail_bytes: 1 << 13 };

/// How much more is read than is asked for, to save requests.
#[expect(clippy::struct_field_names, reason = "units come last")]
#[derive(Clone, Copy)]
struct Reach {
    whole_bytes: u64,
    gap_bytes: u64,
    /// What is read of the end of any other object, for its footer.
    tail_bytes: u64,
}

impl Reach {
    fn of(location: &Location) -> Self {
        if location.local_folder().is_some() { LOCAL } else { REMOTE }
    }
}

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
    let kind = |field: &Field| match rows.column_by_name(field.name()) {
        Some(column) if column.null_count() < column.len() => {
            let name = field.name().as_str();
            let looked_at = sequences.unique.contains(&name) || sequences.near.contains(&name);
            let steps = if looked_at { steps(column, field.data_type()) } else { Steps::Far };
            Kind { steps: Some(steps), is_small: bytes_of(column, field.data_type()) < FEW_BYTES }
        }
        _ => Kind { steps: None, is_small: true },
    };
    let properties = properties(schema, &sequences.unique, kind, group_rows)?.build();
    let mut file = ParquetFile::with(&mut bytes, schema.clone(), properties, group_rows)?;
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

/// How columns are written: `unique` whole numbers, and those near to each
/// other, as differences. What compression does not make smaller, days that are
/// near to each other and scattered ids, goes without it, as do small columns.
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
        let is_near = steps == Some(Steps::Near);
        let is_scattered = is_unique && steps == Some(Steps::Scattered);
        if is_near || is_unique && !is_scattered && field.data_type().is_integer() {
            let encoding = Encoding::DELTA_BINARY_PACKED;
            properties = properties.set_column_encoding(column.clone(), encoding);
        }
        if is_near || is_unique || steps.is_none() {
            properties = properties.set_column_dictionary_enabled(column.clone(), false);
        }
        if is_small || is_near && *field.data_type() == DataType::Date32 || is_scattered {
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

/// The footer of a Parquet object of known size.
pub(crate) fn footer(location: &Location, path: &str, size: u64) -> Result<ParquetMetaData, Error> {
    let object = (&location.ranges(path), size);
    Ok(open(object, Reach::of(location), Needed::ALL)?.1)
}

/// The named columns of a Parquet object (`None`: all), as one batch, in the
/// file's order. Only their bytes are fetched. Names that the file lacks are
/// left out.
pub(crate) fn read(
    object: (&Location, &str, u64),
    known: Option<&KnownSchema>,
    columns: Option<&[&str]>,
) -> Result<RecordBatch, Error> {
    let (location, path, _) = object;
    let (opened, leaves) = Opened::fetch(object, known, columns)?;
    let failed = |source| Error::Parquet { object: location.url_of(path), source };
    opened.decode(&leaves, None).map_err(failed)
}

/// The named columns of at least the rows that any of the keys asks for: other
/// rows come along where leaving them out would take longer.
pub(crate) fn read_rows(
    object: (&Location, &str, u64),
    known: Option<&KnownSchema>,
    columns: &[&str],
    keys: &[RowKey],
) -> Result<RecordBatch, Error> {
    let (location, path, _) = object;
    let failed = |source| Error::Parquet { object: location.url_of(path), source };
    let (opened, leaves) = Opened::fetch(object, known, Some(columns))?;
    let is_key = |leaf: &usize| keys.iter().any(|key| key.column == opened.name_of(*leaf));
    let (of_keys, others): (Vec<usize>, Vec<usize>) = leaves.iter().copied().partition(is_key);
    if keys.is_empty() || of_keys.len() < keys.len() || others.is_empty() {
        return opened.decode(&leaves, None).map_err(failed);
    }
    let decode = || {
        let by_places = || opened.select_by_places(&of_keys, &others, keys);
        let selected = match opened.is_ours().then(by_places).flatten() {
            Some(selected) => selected,
            None => opened.select(&of_keys, &others, keys)?,
        };
        let Some(Selected { known, wanted, others }) = selected else {
            return opened.decode(&leaves, None);
        };
        if others.is_empty() {
            return Ok(known);
        }
        let others = if known.num_rows() * FEW_SHARE <= opened.n_rows() {
            opened.decode(&others, Some(RowSelection::from_filters(&wanted)))?
        } else {
            let wanted: Vec<&dyn Array> = wanted.iter().map(|part| part as &dyn Array).collect();
            let wanted = concat(&wanted)?;
            filter_record_batch(&opened.decode(&others, None)?, wanted.as_boolean())?
        };
        let fields =
            [others.schema_ref(), known.schema_ref()].map(|schema| schema.fields().to_vec());
        let columns = [others.columns(), known.columns()].concat();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields.concat())), columns)?)
    };
    decode().map_err(failed)
}

/// Rows are left out where fewer than one in so many is wanted.
const SPARSE_SHARE: usize = 4;

/// And the others are not decoded where it is fewer than one in so many: it
/// takes longer to pass over some rows than to decode them.
const FEW_SHARE: usize = 32;

/// Rows looked at together: few enough to stay in the processor's cache.
const KEY_ROWS: usize = 1 << 13;

fn wanted_rows(batch: &RecordBatch, keys: &[RowKey]) -> Result<BooleanArray, ParquetError> {
    let mut wanted: Option<BooleanArray> = None;
    for key in keys {
        let column = batch.column_by_name(key.column).ok_or(ParquetError::EOF(String::new()))?;
        let mine = key.wanted(column)?;
        wanted = Some(match wanted {
            Some(others) => or(&others, &mine)?,
            None => mine,
        });
    }
    Ok(wanted.unwrap_or_else(|| BooleanArray::from(vec![true; batch.num_rows()])))
}

/// The rows that are wanted, where they are few.
struct Selected {
    /// Their keys, and what else has been read of them.
    known: RecordBatch,
    /// Which of all they are, some rows at a time.
    wanted: Vec<BooleanArray>,
    /// The columns that have not been read.
    others: Vec<usize>,
}

/// The rows of a row group that are wanted, and its keys, if there are any.
struct WantedOfGroup {
    rows: Vec<u32>,
    keys: Vec<Coded>,
}

impl WantedOfGroup {
    /// The rows' key, by its place.
    fn key(&self, place: usize) -> Option<ArrayRef> {
        let numbers = match self.keys.get(place) {
            Some(key) => key.numbers_at(&self.rows)?,
            None => Vec::new(),
        };
        Some(Arc::new(Int64Array::from(numbers)))
    }
}

fn batch_of(columns: Vec<(Field, ArrayRef)>) -> Option<RecordBatch> {
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).ok()
}

/// A Parquet object of which some columns have been fetched.
struct Opened {
    fetched: Arc<Fetched>,
    footer: Arc<ParquetMetaData>,
}

impl Opened {
    /// Fetches the named columns (`None`: all), and says which they are.
    fn fetch(
        (location, path, size): (&Location, &str, u64),
        known: Option<&KnownSchema>,
        columns: Option<&[&str]>,
    ) -> Result<(Self, Vec<usize>), Error> {
        let (ranges, reach) = (location.ranges(path), Reach::of(location));
        let needed = Needed { statistics: ParquetStatisticsPolicy::SkipAll, known };
        let (mut fetched, metadata) = open((&ranges, size), reach, needed)?;
        let descriptor = metadata.file_metadata().schema_descr();
        let leaves: Vec<usize> = (0..descriptor.num_columns())
            .filter(|i| columns.is_none_or(|names| names.contains(&descriptor.column(*i).name())))
            .collect();
        for range in ranges_of(metadata.row_groups(), &leaves, reach.gap_bytes) {
            if !fetched.holds(&range) {
                let bytes = ranges.read(range.clone())?;
                fetched.pieces.push((range.start, bytes));
            }
        }
        Ok((Self { fetched: Arc::new(fetched), footer: Arc::new(metadata) }, leaves))
    }

    /// `None` where they are not few.
    fn select(
        &self,
        of_keys: &[usize],
        others: &[usize],
        keys: &[RowKey],
    ) -> Result<Option<Selected>, ParquetError> {
        let mut reader = self.reader(of_keys, None, KEY_ROWS)?;
        let schema = reader.schema();
        let (mut keyed, mut all_wanted) = (Vec::new(), Vec::new());
        let (mut n_rows, mut n_wanted) = (0, 0);
        for batch in &mut reader {
            let batch = batch?;
            let wanted = wanted_rows(&batch, keys)?;
            n_rows += batch.num_rows();
            n_wanted += wanted.true_count();
            if n_wanted * SPARSE_SHARE >= n_rows {
                return Ok(None);
            }
            keyed.push(filter_record_batch(&batch, &wanted)?);
            all_wanted.push(wanted);
        }
        let known = concat_batches(&schema, &keyed)?;
        Ok(Some(Selected { known, wanted: all_wanted, others: others.to_vec() }))
    }

    /// The same where all keys are places in dictionaries, with what else are: of a
    /// row group whose dictionaries have nothing that is wanted no rows are read.
    /// The outer `None` is for keys that are kept in any other way.
    fn select_by_places(
        &self,
        of_keys: &[usize],
        others: &[usize],
        keys: &[RowKey],
    ) -> Option<Option<Selected>> {
        let groups = self.footer.row_groups();
        let of_group = |group| self.wanted_of_group(group, of_keys, keys);
        let wanted: Vec<WantedOfGroup> = groups.iter().map(of_group).collect::<Option<_>>()?;
        let n_wanted: usize = wanted.iter().map(|group| group.rows.len()).sum();
        if n_wanted * SPARSE_SHARE >= self.n_rows() {
            return Some(None);
        }
        let (mut known, mut not_plain) = (Vec::new(), Vec::new());
        for (place, leaf) in of_keys.iter().enumerate() {
            let of_group = |wanted: &WantedOfGroup| wanted.key(place);
            known.push(self.plain_column(*leaf, wanted.iter().map(of_group))?);
        }
        for leaf in others {
            let of_group = |(group, wanted): (&RowGroupMetaData, &WantedOfGroup)| {
                plain::read_at(&self.fetched, group, *leaf, &wanted.rows)
            };
            match self.plain_column(*leaf, groups.iter().zip(&wanted).map(of_group)) {
                Some(column) => known.push(column),
                None => not_plain.push(*leaf),
            }
        }
        let wanted = groups.iter().zip(&wanted).map(|(group, wanted)| {
            let mut bits = BooleanBufferBuilder::new(group.num_rows() as usize);
            bits.append_n(group.num_rows() as usize, false);
            wanted.rows.iter().for_each(|row| bits.set_bit(*row as usize, true));
            BooleanArray::from(bits.finish())
        });
        let (wanted, known) = (wanted.collect(), batch_of(known)?);
        Some(Some(Selected { known, wanted, others: not_plain }))
    }

    fn wanted_of_group(
        &self,
        group: &RowGroupMetaData,
        of_keys: &[usize],
        keys: &[RowKey],
    ) -> Option<WantedOfGroup> {
        let mut dictionaries = Vec::with_capacity(of_keys.len());
        for leaf in of_keys {
            let key = keys.iter().find(|key| key.column == self.name_of(*leaf))?;
            let dictionary = Dictionary::read(self.fetched.clone(), group, *leaf)?;
            let wanted = key.ids.contains_each(dictionary.numbers());
            dictionaries.push((dictionary, wanted));
        }
        let mut found = WantedOfGroup { rows: Vec::new(), keys: Vec::new() };
        if dictionaries.iter().all(|(_, wanted)| wanted.count_set_bits() == 0) {
            return Some(found);
        }
        for (dictionary, wanted) in dictionaries {
            let coded = dictionary.places()?;
            let rows = coded.rows_where(&wanted)?;
            found.rows = if found.rows.is_empty() { rows } else { [found.rows, rows].concat() };
            found.keys.push(coded);
        }
        if of_keys.len() > 1 {
            found.rows.sort_unstable();
            found.rows.dedup();
        }
        Some(found)
    }

    /// A column that is read plainly, from what its row groups give.
    fn plain_column(
        &self,
        leaf: usize,
        parts: impl Iterator<Item = Option<ArrayRef>>,
    ) -> Option<(Field, ArrayRef)> {
        let field =
            plain::field_of(self.footer.file_metadata().schema_descr().column(leaf).as_ref())?;
        let column = plain::joined(parts.collect::<Option<_>>()?, &field)?;
        Some((field, column))
    }

    /// Columns that all are read plainly, as one batch.
    fn decode_plainly(&self, leaves: &[usize]) -> Option<RecordBatch> {
        let columns = self.footer.file_metadata().schema_descr().columns();
        if leaves.iter().any(|leaf| plain::field_of(&columns[*leaf]).is_none()) {
            return None;
        }
        let column = |leaf: &usize| {
            let of_group = |group| plain::read(&self.fetched, group, *leaf);
            self.plain_column(*leaf, self.footer.row_groups().iter().map(of_group))
        };
        let batch = batch_of(leaves.iter().map(column).collect::<Option<_>>()?);
        batch.filter(|batch| batch.num_rows() == self.n_rows())
    }

    /// Whether our writer made it, whose dictionaries hold all of a row group.
    fn is_ours(&self) -> bool {
        self.footer.file_metadata().created_by() == Some(WRITER)
    }

    fn n_rows(&self) -> usize {
        self.footer.file_metadata().num_rows() as usize
    }

    fn name_of(&self, leaf: usize) -> &str {
        self.footer.file_metadata().schema_descr().columns()[leaf].name()
    }

    /// Columns as one batch, of some rows (`None`: all).
    fn decode(
        &self,
        leaves: &[usize],
        rows: Option<RowSelection>,
    ) -> Result<RecordBatch, ParquetError> {
        if rows.is_none()
            && let Some(batch) = self.decode_plainly(leaves)
        {
            return Ok(batch);
        }
        let n_rows = rows.as_ref().map_or(self.n_rows(), RowSelection::row_count);
        let mut reader = self.reader(leaves, rows, n_rows)?;
        let schema = reader.schema();
        match reader.next().transpose()? {
            None => Ok(RecordBatch::new_empty(schema)),
            Some(batch) if batch.num_rows() == n_rows => Ok(batch),
            Some(_) => Err(ParquetError::General("fewer rows than stated".to_owned())),
        }
    }

    fn reader(
        &self,
        leaves: &[usize],
        rows: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let metadata = arrow_metadata(self.footer.clone())?;
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves.iter().copied());
        let fetched = Fetched::clone(&self.fetched);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(fetched, metadata)
            .with_projection(mask)
            .with_batch_size(batch_rows.max(1));
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        builder.build()
    }
}

/// The named columns of a Parquet object whose bytes are at hand, as one batch.
pub(crate) fn decode(bytes: Bytes, columns: &[&str]) -> Result<RecordBatch, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let rows = builder.metadata().file_metadata().num_rows() as usize;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let mut reader = builder.with_projection(mask).with_batch_size(rows.max(1)).build()?;
    let schema = reader.schema();
    let batch = reader.next().transpose()?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// Columns of the rows that a key asks for, batch by batch, from the row groups
/// that may hold some.
pub(crate) fn scan<T: Send>(
    object: (&Location, &str, u64),
    columns: &[&'static str],
    key: Option<&RowKey>,
    map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    scan_groups(object, columns, key, |_| true, map)
}

/// The columns of a file of codes, in its order, by the first two of which it
/// is sorted.
pub(crate) const CODE_COLUMNS: [&str; 4] =
    ["vocabulary_id", "concept_code", "concept_id", "invalid_reason"];

/// The rows of a file of codes, batch by batch, from the row groups that may
/// hold one of some codes, each with its vocabulary, in order.
pub(crate) fn scan_codes<T: Send>(
    object: (&Location, &str, u64),
    codes: &[(&str, &str)],
    map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let may_hold = |group: &RowGroupMetaData| {
        // Truncated bounds are still bounds.
        let bounds = |place: usize| match group.column(place).statistics()? {
            Statistics::ByteArray(texts) => {
                Some((texts.min_opt()?.data(), texts.max_opt()?.data()))
            }
            _ => None,
        };
        let (Some(vocabularies), Some(texts)) = (bounds(0), bounds(1)) else { return true };
        let within = |text: &str, bounds: (&[u8], &[u8])| {
            bounds.0 <= text.as_bytes() && text.as_bytes() <= bounds.1
        };
        codes
            .iter()
            .any(|(vocabulary, code)| within(vocabulary, vocabularies) && within(code, texts))
    };
    scan_groups(object, &CODE_COLUMNS, None, may_hold, map)
}

fn scan_groups<T: Send>(
    (location, path, size): (&Location, &str, u64),
    columns: &[&'static str],
    key: Option<&RowKey>,
    may_hold: impl Fn(&RowGroupMetaData) -> bool,
    map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let (object, reach) = ((&location.ranges(path), size), Reach::of(location));
    let (fetched, metadata) = open(object, reach, Needed::ALL)?;
    let failed = |source| Error::Parquet { object: location.url_of(path), source };
    let metadata = arrow_metadata(Arc::new(metadata)).map_err(failed)?;
    let open = |group: usize, columns: &[usize]| {
        let mut pieces = fetched.pieces.clone();
        let group = std::slice::from_ref(metadata.metadata().row_group(group));
        for range in ranges_of(group, columns, reach.gap_bytes) {
            if !fetched.holds(&range) {
                pieces.push((range.start, location.read_range(path, range)?));
            }
        }
        Ok(Fetched { size, pieces })
    };
    Scanned { metadata: &metadata, columns, key, open, failed }.map_groups(may_hold, map)
}

/// Which bytes of the file the columns take, close ones joined.
fn ranges_of(groups: &[RowGroupMetaData], columns: &[usize], gap_bytes: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for group in groups {
        for column in columns {
            let (start, length) = group.column(*column).byte_range();
            ranges.push(start..start + length);
        }
    }
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end + gap_bytes => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// What of a footer has to be read.
struct Needed<'a> {
    statistics: ParquetStatisticsPolicy,
    /// A schema that is not read again.
    known: Option<&'a KnownSchema>,
}

impl Needed<'_> {
    const ALL: Self = Self { statistics: ParquetStatisticsPolicy::KeepAll, known: None };
}

/// Fetches the end of an object, and reads its footer.
fn open(
    (ranges, size): (&Ranges, u64),
    reach: Reach,
    needed: Needed,
) -> Result<(Fetched, ParquetMetaData), Error> {
    let failed = |source| Error::Parquet { object: ranges.url(), source };
    // A footer is small: the last part holds it as a rule.
    let start = if size <= reach.whole_bytes { 0 } else { size - reach.tail_bytes };
    let tail = ranges.read(start..size)?;
    let mut fetched = Fetched { size, pieces: vec![(start, tail)] };
    let trailer = fetched.bytes(size.saturating_sub(8), 8).map_err(failed)?;
    let length = u64::from((&trailer[..4]).get_u32_le());
    let footer_start = size.saturating_sub(8 + length);
    if footer_start < start {
        let bytes = ranges.read(footer_start..size)?;
        fetched.pieces.push((footer_start, bytes));
    }
    let footer = fetched.bytes(footer_start, length as usize).map_err(failed)?;
    let mut options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_column_stats_policy(needed.statistics);
    if let Some(schema) = needed.known.and_then(|known| known.if_of(&footer)) {
        options.set_schema(schema.clone());
    }
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options))
        .map_err(failed)?;
    Ok((fetched, metadata))
}

/// A footer as Arrow reads it: Parquet's own types are the schema's.
fn arrow_metadata(footer: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ArrowReaderMetadata::try_new(footer, options)
}

/// The parts of an object that have been fetched.
#[derive(Clone)]
struct Fetched {
    size: u64,
    /// Where each part starts, and its bytes.
    pieces: Vec<(u64, Bytes)>,
}

impl Fetched {
    fn holds(&self, range: &Range<u64>) -> bool {
        let holds = |(start, bytes): &(u64, Bytes)| {
            *start <= range.start && range.end <= start + bytes.len() as u64
        };
        self.pieces.iter().any(holds)
    }

    /// Bytes from `start` up to the end of the part that holds it.
    fn tail(&self, start: u64) -> Result<Bytes, ParquetError> {
        let holds = |(at, bytes): &&(u64, Bytes)| *at <= start && start - at < bytes.len() as u64;
        let missing = || ParquetError::EOF("a part that was not fetched".to_owned());
        let (at, bytes) = self.pieces.iter().rev().find(holds).ok_or_else(missing)?;
        Ok(bytes.slice((start - at) as usize..))
    }

    fn bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let range = start..start + length as u64;
        let holds = |(at, bytes): &&(u64, Bytes)| {
            *at <= range.start && range.end <= at + bytes.len() as u64
        };
        let missing = || ParquetError::EOF("a part that was not fetched".to_owned());
        let (at, bytes) = self.pieces.iter().find(holds).ok_or_else(missing)?;
        let offset = (start - at) as usize;
        Ok(bytes.slice(offset..offset + length))
    }
}

impl Length for Fetched {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Fetched {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(self.tail(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.bytes(start, length)
    }
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
}
