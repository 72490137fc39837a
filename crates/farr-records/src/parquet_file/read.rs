//! Columns and rows of Parquet objects.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, Int64Array, RecordBatch,
    RecordBatchReader,
};
use arrow::compute::{concat, concat_batches, filter_record_batch, or};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use farr_store::Location;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetStatisticsPolicy, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::coded::{Coded, Dictionary};
use super::fetch::{Fetched, Needed, Reach, arrow_metadata, open, ranges_of};
use super::{KnownSchema, WRITER, guarded, plain};
use crate::Error;
use crate::vocabulary::{RowKey, Scanned};

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
    guarded(|| opened.decode(&leaves, None)).map_err(failed)
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
        return guarded(|| opened.decode(&leaves, None)).map_err(failed);
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
    guarded(decode).map_err(failed)
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
