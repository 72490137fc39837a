//! Rows on their way to where they lie until they are built.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use super::BuildSettings;
use super::at_rest::{Flush, Held, spill_schema};
use super::divided::{Divided, FINE, Origin};
use super::packed::{Run, pack};
use super::spill::{RowsFile, RowsIn, RowsOut, Segment};
use super::texts::{TextLists, Texts};
use crate::incoming::{PROVISIONAL, dictionary_of_texts};
use crate::narrow::bytes_of_texts;
use crate::{ConceptId, Error, Incoming, Kind, Scope, Table};

/// Columns of a table's schema, as a set of their places.
pub(super) type ColumnSet = u64;

/// What came in for one table.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct TableSeen {
    /// The columns that any batch had.
    pub(super) columns: ColumnSet,
    /// Rows.
    pub(super) rows: u64,
}

#[derive(Default)]
struct Pending {
    held: Held,
    /// Bytes that are held, by table and of all.
    bytes_of: BTreeMap<Table, u64>,
    bytes: u64,
    seen: BTreeMap<Table, TableSeen>,
    decoded_bytes: u64,
    local_id_max: Option<i64>,
}

/// Buffers of bounded size in front of the spill file.
pub(super) struct Buffers {
    rows: RowsOut,
    texts: Texts,
    settings: BuildSettings,
    pending: Mutex<Pending>,
    flushes: Mutex<Vec<Flush>>,
}

/// What came in: its rows at rest, or, as long as no buffer was full, held.
pub(super) struct Closed {
    pub(super) rows: (RowsIn, Vec<RowsFile>),
    pub(super) flushes: Vec<Flush>,
    pub(super) texts: TextLists,
    pub(super) held: Held,
    pub(super) seen: BTreeMap<Table, TableSeen>,
    /// The largest id that a source uses for a local concept of its own.
    pub(super) local_id_max: Option<i64>,
    /// Decoded bytes of persons' rows.
    pub(super) decoded_bytes: u64,
}

/// What is written out at a time is about so small a part of the buffers: it stays
/// in memory until it is.
const FLUSHES: u64 = 16;

/// Into how many parts it is divided at least; into more only while each takes so
/// many bytes, and where it could be many more into a quarter of them.
const FLUSHED_MIN: u32 = 256;
const SEGMENT_BYTES_MIN: u64 = 1 << 14;

/// Segments are written together, about so many bytes.
const WRITTEN_BYTES: usize = 1 << 20;

impl Pending {
    /// Takes the first rows of a table, about so many bytes, of one batch at least.
    fn take(&mut self, table: Table, bytes: u64) -> Vec<Divided> {
        let (mut taken, mut count) = (0, 0);
        let mut first = self.held.remove(&table).unwrap_or_default();
        while taken < bytes.max(1) && count < first.len() {
            taken += first[count].bytes();
            count += 1;
        }
        let rest = first.split_off(count);
        let left = self.bytes_of.remove(&table).unwrap_or(0) - taken;
        if !rest.is_empty() {
            self.held.insert(table, rest);
            self.bytes_of.insert(table, left);
        }
        self.bytes -= taken;
        first
    }
}

impl Buffers {
    pub(super) fn new(rows: RowsOut, settings: BuildSettings) -> Self {
        let (texts, pending, flushes) = (Texts::default(), Mutex::default(), Mutex::default());
        Self { rows, texts, settings, pending, flushes }
    }

    /// Takes rows; when the buffers are full, some of the largest are written
    /// out.
    pub(super) fn push(&self, incoming: Incoming) -> Result<(), Error> {
        let table = incoming.table;
        let (columns, batch, decoded_bytes) = checked(&incoming)?;
        let rows = batch.num_rows() as u64;
        if rows == 0 {
            self.pending().seen.entry(table).or_default().columns |= columns;
            return Ok(());
        }
        let Incoming { lines, source_table, object, stands_for_source, .. } = incoming;
        let local = local_id_max(table, &batch);
        let origin =
            Origin { source_table: source_table.0, object: object.0, stands: stands_for_source };
        let shared = self.texts.shared(table, &batch);
        let divided = shared.and_then(|batch| Divided::of(table, &batch, lines, origin));
        let divided = divided.map_err(|source| Error::Arrow { table, source })?;
        let mut guard = self.pending();
        let pending = &mut *guard;
        let seen = pending.seen.entry(table).or_default();
        seen.columns |= columns;
        seen.rows += rows;
        pending.local_id_max = pending.local_id_max.max(local);
        if table.scope() == Scope::Person {
            pending.decoded_bytes += decoded_bytes;
        }
        pending.bytes += divided.bytes();
        *pending.bytes_of.entry(table).or_default() += divided.bytes();
        pending.held.entry(table).or_default().push(divided);
        if pending.bytes <= self.settings.buffer_bytes {
            return Ok(());
        }
        let largest = pending.bytes_of.iter().max_by_key(|(table, bytes)| (**bytes, **table));
        let Some(table) = largest.map(|(table, _)| *table) else { return Ok(()) };
        let held = pending.take(table, self.settings.buffer_bytes / FLUSHES);
        // As many parts as there would be shards if twice as much came: what is
        // divided less finely than the shards is read once for each of them.
        let expected = self.settings.expected_shards(pending.decoded_bytes.saturating_mul(2));
        drop(guard);
        let worthwhile = self.settings.buffer_bytes / FLUSHES / SEGMENT_BYTES_MIN;
        let most = u32::try_from(worthwhile).unwrap_or(FINE).clamp(FLUSHED_MIN, FINE);
        let most = most.next_power_of_two();
        self.flush(table, &held, expected.clamp((most / 4).max(FLUSHED_MIN), most))
    }

    /// Decoded bytes of persons' rows so far.
    pub(super) fn decoded_bytes(&self) -> u64 {
        self.pending().decoded_bytes
    }

    /// Whether some rows have been written out.
    pub(super) fn has_flushed(&self) -> bool {
        !self.flushes().is_empty()
    }

    /// Ends what comes in. Writes out what is left, divided by shard; where
    /// `in_memory` is set, holds it.
    pub(super) fn close(self, shard_count: u32, in_memory: bool) -> Result<Closed, Error> {
        let mut pending = std::mem::take(&mut *self.pending());
        let mut left = Vec::new();
        while !in_memory && let Some((table, _)) = pending.held.first_key_value() {
            let table = *table;
            left.push((table, pending.take(table, self.settings.buffer_bytes / FLUSHES)));
        }
        let flush =
            |(table, held): (Table, Vec<Divided>)| self.flush(table, &held, shard_count.min(FINE));
        left.into_par_iter().try_for_each(flush)?;
        Ok(Closed {
            rows: self.rows.close()?,
            flushes: self.flushes.into_inner().unwrap_or_else(PoisonError::into_inner),
            texts: self.texts.list(),
            held: pending.held,
            seen: pending.seen,
            local_id_max: pending.local_id_max,
            decoded_bytes: pending.decoded_bytes,
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flushes(&self) -> MutexGuard<'_, Vec<Flush>> {
        self.flushes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes rows out in so many parts.
    fn flush(&self, table: Table, held: &[Divided], parts: u32) -> Result<(), Error> {
        let failed = |source| Error::Arrow { table, source };
        let schema = spill_schema(table, all_columns(table));
        let texts = LazyCell::new(|| self.texts.of(table));
        let texts_of = |place: usize, keys: &ArrayRef| texts.texts_of(table, place, keys);
        let columns: Vec<_> = held.iter().map(|divided| divided.columns(&schema)).collect();
        let fine = held.iter().map(Divided::parts).max().unwrap_or(1);
        let each = fine / parts.min(fine);
        let mut out = Written {
            rows: &self.rows,
            bytes: Vec::new(),
            waiting: Vec::new(),
            segments: Vec::new(),
        };
        for part in 0..fine / each {
            let part = part * each..(part + 1) * each;
            let runs = held.iter().zip(&columns);
            let runs =
                runs.map(|(divided, columns)| Run { columns, rows: divided.rows_of(part.clone()) });
            let runs: Vec<Run<'_>> = runs.filter(|run| !run.rows.is_empty()).collect();
            out.segment(|bytes| match &runs[..] {
                [] => Ok(()),
                runs => pack(&schema, runs, &texts_of, bytes).map_err(failed),
            })?;
        }
        self.flushes().push(Flush { table, segments: out.finish()? });
        Ok(())
    }
}

/// Segments on their way out, some at a time.
struct Written<'a> {
    rows: &'a RowsOut,
    bytes: Vec<u8>,
    /// Where each segment lies in the bytes.
    waiting: Vec<Range<u64>>,
    segments: Vec<Option<Segment>>,
}

impl Written<'_> {
    /// Adds what is put behind the bytes; nothing is no segment.
    fn segment(
        &mut self,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let start = self.bytes.len() as u64;
        put(&mut self.bytes)?;
        self.waiting.push(start..self.bytes.len() as u64);
        if self.bytes.len() < WRITTEN_BYTES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), Error> {
        let whole = self.rows.append(&self.bytes)?;
        self.bytes.clear();
        let segment = |bytes: Range<u64>| (!bytes.is_empty()).then(|| whole.part(bytes));
        self.segments.extend(self.waiting.drain(..).map(segment));
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Option<Segment>>, Error> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        Ok(self.segments)
    }
}

/// Every column of a table.
pub(super) fn all_columns(table: Table) -> ColumnSet {
    (1 << table.columns().len()) - 1
}

/// The set of one column; empty if the table has none of that name.
pub(super) fn column_set(table: Table, name: &str) -> ColumnSet {
    table.columns().iter().position(|column| column.name == name).map_or(0, |place| 1 << place)
}

/// The fields of a set of columns, all nullable.
pub(super) fn fields(table: Table, columns: ColumnSet) -> impl Iterator<Item = Field> {
    let chosen = table.columns().iter().enumerate().filter(move |(i, _)| columns & (1 << i) != 0);
    chosen.map(|(_, column)| Field::new(column.name, column.kind.data_type(), true))
}

/// Checks the batch against the table and orders its columns as the schema
/// does. Gives the columns it has, and its decoded bytes with its provenance,
/// which do not depend on how rows were cut into batches.
fn checked(incoming: &Incoming) -> Result<(ColumnSet, RecordBatch, u64), Error> {
    let Incoming { table, rows, lines, .. } = incoming;
    let table = *table;
    if lines.len() != rows.num_rows() {
        return Err(Error::Bug { table, broken: "not every row has its line" });
    }
    let mut columns: ColumnSet = 0;
    for field in rows.schema().fields() {
        let known = table.column(field.name());
        let column =
            known.ok_or_else(|| Error::UnknownColumn { table, column: field.name().clone() })?;
        let expected = column.kind.data_type();
        let is_text = *field.data_type() == dictionary_of_texts() && expected == DataType::Utf8;
        if *field.data_type() != expected && !is_text {
            let (found, expected) = (field.data_type().to_string(), expected.to_string());
            return Err(Error::WrongType { table, column: field.name().clone(), found, expected });
        }
        columns |= column_set(table, column.name);
    }
    if let Some(person) = table.person_column()
        && columns & column_set(table, person) == 0
    {
        let names: Vec<_> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
        let (column, found) = (person.to_owned(), names.join(", "));
        return Err(Error::MissingColumn { table, column, found });
    }
    let count = rows.num_rows();
    let mut bytes = 17 * count as u64;
    let (mut known, mut arrays) = (Vec::new(), Vec::new());
    for field in fields(table, columns) {
        let Some(array) = rows.column_by_name(field.name()) else { continue };
        bytes += decoded_bytes(array.as_ref());
        arrays.push(Arc::clone(array));
        known.push(field.with_data_type(array.data_type().clone()));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(known)), arrays, &options);
    Ok((columns, batch.map_err(|source| Error::Arrow { table, source })?, bytes))
}

/// The largest id of a local concept in any concept column, provisional ones
/// apart.
fn local_id_max(table: Table, batch: &RecordBatch) -> Option<i64> {
    let local = ConceptId::FIRST_LOCAL.0..PROVISIONAL;
    let columns = concept_columns(table).filter_map(|name| batch.column_by_name(name));
    let largest = columns.filter_map(|column| {
        let ids = column.as_primitive_opt::<Int64Type>()?;
        // Values under nulls are anything.
        match ids.null_count() {
            0 => ids.values().iter().copied().filter(|id| local.contains(id)).max(),
            _ => ids.iter().flatten().filter(|id| local.contains(id)).max(),
        }
    });
    largest.max()
}

fn decoded_bytes(array: &dyn Array) -> u64 {
    let rows = array.len() as u64;
    match bytes_of_texts(array) {
        Some(bytes) => 4 * rows + bytes,
        None => rows * array.data_type().primitive_width().unwrap_or(8) as u64,
    }
}

/// The concept columns of a table.
pub(super) fn concept_columns(table: Table) -> impl Iterator<Item = &'static str> {
    table.columns().iter().filter(|c| c.kind == Kind::Concept).map(|column| column.name)
}
