//! Reading Parquet objects of a table, row group by row group.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use bytes::{Buf, Bytes};
use farr_records::{
    Intake, Line, RangeRead, Scope, Table, batches, check_footer, dictionary_of_texts, guarded,
};
use farr_store::{ObjectInfo, Pinned, Sha256Hash};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use rayon::prelude::*;

use crate::Error;
use crate::layout::{Header, Reading};
use crate::pipeline::{Context, MapRows, TableReader, fixed_of};
use crate::rows::{RawColumn, Rows, can_read, typed};
use crate::tokens::Fault;

const ROWS_A_BATCH: usize = 131_072;

/// Bytes in which the footer is looked for at first.
const FOOTER_BYTES: u64 = 1 << 16;

/// Row groups of about so many bytes are read at a time.
const STRETCH_BYTES: u64 = 64 << 20;

/// An object's footer, with its columns resolved.
struct Opened {
    pinned: Pinned,
    metadata: ArrowReaderMetadata,
    header: Header,
}

/// Bytes of an object, from `start` on.
#[derive(Clone)]
struct Part {
    start: u64,
    bytes: Bytes,
    size: u64,
}

/// Row groups that are read together, and the blocks that are hashed with them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    groups: Range<usize>,
    blocks: Range<u64>,
}

fn open<I>(
    context: &Context<'_, I>,
    table: &TableReader,
    object: &ObjectInfo,
) -> Result<Opened, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let pinned = context.pin(object)?;
    let url = pinned.url().to_owned();
    let failed = |source| Error::Parquet { object: url.clone(), source };
    let mut reader = ParquetMetaDataReader::new();
    let size = pinned.size();
    let mut start = size.saturating_sub(FOOTER_BYTES);
    loop {
        let tail = pinned.read(start..size)?;
        match guarded(|| reader.try_parse_sized(&tail, size)) {
            Ok(()) => break,
            Err(ParquetError::NeedMoreData(bytes)) if (bytes as u64) <= size && start > 0 => {
                start = size.saturating_sub((bytes as u64).max(2 * (size - start)));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let metadata = reader.finish().map_err(failed)?;
    check_footer(&metadata, size).map_err(failed)?;
    let options = ArrowReaderOptions::default();
    let resolve = || ArrowReaderMetadata::try_new(metadata.into(), options);
    let mut metadata = guarded(resolve).map_err(failed)?;
    let fields = metadata.schema().fields();
    let found: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let header = table.layout.resolve(context.settings, (&url, &object.path), &found)?;
    for (index, place, name) in &header.read {
        let data_type = fields[*place].data_type();
        can_read(data_type, table.layout.columns[*index].reading).map_err(|expected| {
            Error::WrongType {
                object: url.clone(),
                column: name.clone(),
                found: data_type.to_string(),
                expected,
            }
        })?;
    }
    let is_of_persons =
        Table::from_name(table.layout.name).is_some_and(|table| table.scope() == Scope::Person);
    if is_of_persons {
        let texts = header
            .read
            .iter()
            .filter(|(index, _, _)| table.layout.columns[*index].reading == Reading::Text);
        metadata = with_keys(metadata, &texts.map(|(_, place, _)| *place).collect::<Vec<_>>());
    }
    Ok(Opened { pinned, metadata, header })
}

/// The footer with those columns of texts read as keys of which the file has
/// small dictionaries.
fn with_keys(metadata: ArrowReaderMetadata, places: &[usize]) -> ArrowReaderMetadata {
    let is_text =
        |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let field = |(place, field): (usize, &FieldRef)| {
        let is_keyed = places.contains(&place)
            && is_text(field.data_type())
            && metadata.metadata().row_groups().iter().all(|g| has_few_texts(g, field.name()));
        let field = field.as_ref().clone();
        if is_keyed { field.with_data_type(dictionary_of_texts()) } else { field }
    };
    let fields: Vec<Field> = metadata.schema().fields().iter().enumerate().map(field).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    let keyed = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options);
    keyed.unwrap_or(metadata)
}

/// Whether a group keeps a column in a dictionary of a size at which no more
/// than keys are left beside it; or has few bytes of it at all, as a last group
/// or one of nulls.
fn has_few_texts(group: &RowGroupMetaData, name: &str) -> bool {
    const BYTES_MAX: i64 = 1 << 16;
    let mut columns = group.columns().iter();
    let column = columns.find(|column| column.column_path().parts() == [name]);
    column.is_some_and(|column| {
        let starts = column.dictionary_page_offset();
        let bytes = starts.and_then(|start| column.data_page_offset().checked_sub(start));
        let is_small = || (0..=BYTES_MAX).contains(&column.uncompressed_size());
        bytes.map_or_else(is_small, |bytes| (1..=BYTES_MAX).contains(&bytes))
    })
}

/// What is done with the typed rows of a batch: how many were read, those that
/// could be typed, and the faults of the others.
type TakeRows<'t> = dyn FnMut(u64, &Rows, Vec<Fault>) -> Result<(), Error> + 't;

impl Opened {
    fn groups(&self) -> &[RowGroupMetaData] {
        self.metadata.metadata().row_groups()
    }

    fn mask(&self) -> ProjectionMask {
        let places = self.header.read.iter().map(|(_, place, _)| *place);
        ProjectionMask::roots(self.metadata.metadata().file_metadata().schema_descr(), places)
    }

    fn row_group<I>(
        &self,
        context: &Context<'_, I>,
        table: &TableReader,
        (group, part): (usize, Part),
        take: &mut TakeRows,
    ) -> Result<(), Error> {
        let url = || self.pinned.url().to_owned();
        let failed = |source| Error::Parquet { object: url(), source };
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(part, self.metadata.clone());
        let builder = builder
            .with_row_groups(vec![group])
            .with_projection(self.mask())
            .with_batch_size(ROWS_A_BATCH);
        let reader = guarded(|| builder.build()).map_err(failed)?;
        let before = self.groups()[..group].iter().map(RowGroupMetaData::num_rows);
        let mut line = before.sum::<i64>() as u64;
        for batch in batches(reader) {
            let batch = batch.map_err(failed)?;
            let lines = (0..batch.num_rows() as u64).map(|row| Line(line + row + 1)).collect();
            line += batch.num_rows() as u64;
            let raw = self.raw(&batch);
            let (rows, faults) = typed(lines, &raw, &table.layout, &context.clock)?;
            take(batch.num_rows() as u64, &rows, faults)?;
        }
        Ok(())
    }

    fn raw(&self, batch: &RecordBatch) -> Vec<RawColumn<'_>> {
        let raw =
            |(index, _, name): &'_ (usize, usize, String)| (*index, batch.column_by_name(name));
        let columns = self.header.read.iter().filter_map(|column| {
            let (index, values) = raw(column);
            Some(RawColumn { index, name: &column.2, values: values?.clone() })
        });
        columns.chain(fixed_of(&self.header, batch.num_rows())).collect()
    }

    /// Reads bytes, as far as the object has them.
    fn part(&self, bytes: Range<u64>) -> Result<Part, Error> {
        let size = self.pinned.size();
        let bytes = bytes.start.min(size)..bytes.end.min(size);
        Ok(Part { start: bytes.start, bytes: self.pinned.read(bytes)?, size })
    }
}

/// The bytes that the chosen columns of a row group take, and what lies between.
fn bytes_of(group: &RowGroupMetaData, is_chosen: impl Fn(usize) -> bool) -> Range<u64> {
    let columns = group.columns().iter().enumerate().filter(|(place, _)| is_chosen(*place));
    let ranges = columns.map(|(_, column)| column.byte_range());
    let joined = ranges.fold(None, |joined: Option<Range<u64>>, (start, length)| {
        let end = start.saturating_add(length);
        let known = joined.unwrap_or(start..end);
        Some(known.start.min(start)..known.end.max(end))
    });
    joined.unwrap_or(0..0)
}

/// Whether a column of whole numbers has a value in each row of a group, for
/// certain.
fn is_full(group: &RowGroupMetaData, name: &str) -> bool {
    let mut columns = group.columns().iter();
    let column = columns.find(|column| column.column_path().parts() == [name]);
    let nulls = column.and_then(|column| match column.statistics()? {
        Statistics::Int32(known) => known.null_count_opt(),
        Statistics::Int64(known) => known.null_count_opt(),
        _ => None,
    });
    nulls == Some(0)
}

/// Divides the row groups that start in `range` into stretches. Together they
/// hash every block of the range, and each reads a block twice at most.
fn stretches(
    starts: &[u64],
    range: &Range<u64>,
    block_bytes: u64,
    stretch_bytes: u64,
) -> Vec<Stretch> {
    let place = |byte: u64| starts.partition_point(|start| *start < byte);
    let groups = place(range.start)..place(range.end);
    let last_block = range.end.div_ceil(block_bytes);
    let mut open = Stretch { groups: groups.start..groups.start, blocks: 0..0 };
    open.blocks.start = range.start / block_bytes;
    let mut found = Vec::new();
    for group in groups.clone() {
        let block = starts[group] / block_bytes;
        let is_full = (block.saturating_sub(open.blocks.start)) * block_bytes >= stretch_bytes;
        if is_full && group > open.groups.start {
            open.groups.end = group;
            open.blocks.end = block;
            let next = Stretch { groups: group..group, blocks: block..block };
            found.push(std::mem::replace(&mut open, next));
        }
    }
    open.groups.end = groups.end;
    open.blocks.end = last_block;
    found.push(open);
    found
}

/// Reads the rows of the row groups that start in `range`: they go through
/// `map` to the intake.
pub(super) fn read<I>(
    context: &Context<'_, I>,
    table: &TableReader,
    (place, range): (usize, Range<u64>),
    map: &MapRows,
) -> Result<(), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let opened = open(context, table, &table.objects[place])?;
    table.saw(&opened.header);
    let block_bytes = context.division.block_bytes;
    // Row groups in a file that lies otherwise go with the one before.
    let starts = opened.groups().iter().scan(0, |furthest, group| {
        *furthest = bytes_of(group, |_| true).start.max(*furthest);
        Some(*furthest)
    });
    let starts: Vec<u64> = starts.collect();
    let stretches = stretches(&starts, &range, block_bytes, STRETCH_BYTES.min(8 * block_bytes));
    stretches.into_par_iter().try_for_each(|stretch| {
        let started = context.start(table, place);
        let blocks = stretch.blocks.start * block_bytes
            ..(stretch.blocks.end * block_bytes).min(opened.pinned.size());
        let rows = opened.groups()[stretch.groups.clone()].iter().map(|g| bytes_of(g, |_| true));
        let all = rows
            .fold(blocks.clone(), |all, group| all.start.min(group.start)..all.end.max(group.end));
        let part = opened.part(all)?;
        stretch.groups.clone().into_par_iter().try_for_each(|group| {
            opened.row_group(context, table, (group, part.clone()), &mut |read, rows, faults| {
                context.take(table, &started, rows, read, faults, map)
            })
        })?;
        if stretch.blocks.start == 0 && !started.has_rows() {
            context.take_none(table, &started, &opened.header, map)?;
        }
        let hashed = (blocks.start - part.start) as usize..(blocks.end - part.start) as usize;
        let hashes = part.bytes[hashed].par_chunks(block_bytes as usize).map(Sha256Hash::of);
        let read = RangeRead {
            start: stretch.groups.start as u64,
            end: stretch.groups.end as u64,
            of: starts.len() as u64,
            lines: 0,
            first_block: stretch.blocks.start,
            blocks: hashes.collect(),
        };
        context.finish(table, started, read);
        Ok(())
    })
}

/// Reads some columns of an object ahead: nothing goes to the intake. Row groups
/// in which, by their statistics, `lacking` lacks nothing are passed over.
pub(super) fn peek<I>(
    context: &Context<'_, I>,
    table: &TableReader,
    object: &ObjectInfo,
    (columns, lacking): (&[&str], Option<&str>),
    look: &mut dyn FnMut(&Rows),
) -> Result<(), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let mut opened = open(context, table, object)?;
    opened.header.keep(&table.layout, columns);
    let mask = opened.mask();
    let named = |(index, _, _): &&(usize, usize, String)| {
        lacking == Some(table.layout.columns[*index].name)
    };
    let lacking = opened.header.read.iter().find(named).map(|(_, _, name)| name.clone());
    for (group, metadata) in opened.groups().iter().enumerate() {
        if lacking.as_ref().is_some_and(|name| is_full(metadata, name)) {
            continue;
        }
        let part = opened.part(bytes_of(metadata, |leaf| mask.leaf_included(leaf)))?;
        opened.row_group(context, table, (group, part), &mut |_, rows, _| {
            look(rows);
            Ok(())
        })?;
    }
    Ok(())
}

impl Part {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let missing = || ParquetError::EOF("the object ends within a row group".to_owned());
        let offset = start.checked_sub(self.start).ok_or_else(missing)? as usize;
        if offset > self.bytes.len() {
            return Err(missing());
        }
        Ok(self.bytes.slice(offset..))
    }
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF("the object ends within a row group".to_owned()));
        }
        Ok(bytes.slice(..length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_hold_every_group_and_block_once(
            sizes in prop::collection::vec(1..40_u64, 0..20),
            cuts in prop::collection::btree_set(1..30_u64, 0..4),
        ) {
            let starts: Vec<u64> = sizes.iter().scan(4, |at, size| {
                *at += size;
                Some(*at - size)
            }).collect();
            let size = 4 + sizes.iter().sum::<u64>() + 30;
            let inner = cuts.into_iter().map(|cut| cut * 10).filter(|cut| *cut < size);
            let bounds: Vec<u64> = [0].into_iter().chain(inner).chain([size]).collect();
            let (mut group, mut block) = (0, 0);
            for bounds in bounds.windows(2) {
                for stretch in stretches(&starts, &(bounds[0]..bounds[1]), 10, 50) {
                    prop_assert_eq!(stretch.groups.start, group);
                    prop_assert_eq!(stretch.blocks.start, block);
                    prop_assert!(stretch.blocks.end > block);
                    (group, block) = (stretch.groups.end, stretch.blocks.end);
                }
            }
            prop_assert_eq!(group, starts.len());
            prop_assert_eq!(block, size.div_ceil(10));
        }
    }
}
