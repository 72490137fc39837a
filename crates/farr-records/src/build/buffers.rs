//! Rows on their way to the spill file, and where they came to lie in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, UInt64Array,
    new_null_array,
};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use super::parts::Numbers;
use super::spill::{self, RowsFile, RowsIn, RowsOut, Segment};
use crate::incoming::PROVISIONAL;
use crate::{ConceptId, Error, Incoming, Kind, PersonId, Scope, ShardId, Table};

/// How finely a flush of persons' rows is divided before the number of shards
/// is known.
const FINE: u32 = 256;

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

/// Rows of one table that were divided by shard and written together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Flush {
    table: Table,
    /// The rows of shard `i` of so many lie in segment `i`.
    segments: Vec<Option<Segment>>,
}

#[derive(Default)]
struct Pending {
    batches: HashMap<(Table, ColumnSet), (u64, Vec<RecordBatch>)>,
    bytes: u64,
    seen: BTreeMap<Table, TableSeen>,
    decoded_bytes: u64,
    local_id_max: Option<i64>,
}

/// Buffers of bounded size in front of the spill file.
pub(super) struct Buffers {
    rows: RowsOut,
    bytes_max: u64,
    pending: Mutex<Pending>,
    flushes: Mutex<Vec<Flush>>,
}

/// What came in, its rows at rest.
pub(super) struct Closed {
    pub(super) rows: (RowsIn, Vec<RowsFile>),
    pub(super) flushes: Vec<Flush>,
    pub(super) seen: BTreeMap<Table, TableSeen>,
    /// The largest id that a source uses for a local concept of its own.
    pub(super) local_id_max: Option<i64>,
    /// Decoded bytes of persons' rows.
    pub(super) decoded_bytes: u64,
}

/// The rows of one part of a pull, and what its numbers are in the whole.
pub(super) struct PartRows {
    pub(super) rows: RowsIn,
    pub(super) flushes: Vec<Flush>,
    pub(super) numbers: Numbers,
}

/// All rows that came in, at rest.
pub(super) struct Spilled {
    pub(super) parts: Vec<PartRows>,
    pub(super) seen: BTreeMap<Table, TableSeen>,
}

/// Where the rows of a piece come from, column by column.
pub(super) struct Provenance {
    pub(super) source_table: UInt32Array,
    pub(super) object: UInt32Array,
    pub(super) line: UInt64Array,
    pub(super) stands: BooleanArray,
}

/// Rows of one table: every column that any batch of the table had, in the
/// schema's order.
pub(super) struct Piece {
    pub(super) table: Table,
    pub(super) rows: RecordBatch,
    pub(super) provenance: Provenance,
}

impl Buffers {
    pub(super) fn new(rows: RowsOut, bytes_max: u64) -> Self {
        Self { rows, bytes_max, pending: Mutex::default(), flushes: Mutex::default() }
    }

    /// Takes rows; when the buffers are full, the largest is written out.
    pub(super) fn push(&self, incoming: Incoming) -> Result<(), Error> {
        let table = incoming.table;
        let (columns, batch, bytes) = with_provenance(incoming)?;
        let local = local_id_max(table, &batch);
        let rows = batch.num_rows() as u64;
        let mut guard = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = &mut *guard;
        let seen = pending.seen.entry(table).or_default();
        seen.columns |= columns;
        seen.rows += rows;
        if rows == 0 {
            return Ok(());
        }
        pending.local_id_max = pending.local_id_max.max(local);
        pending.bytes += bytes;
        if table.scope() == Scope::Person {
            pending.decoded_bytes += bytes;
        }
        let buffer = pending.batches.entry((table, columns)).or_default();
        buffer.0 += bytes;
        buffer.1.push(batch);
        if pending.bytes <= self.bytes_max {
            return Ok(());
        }
        // Ties go by table and columns: HashMap's order must not matter.
        let largest = pending.batches.iter().max_by_key(|(key, (bytes, _))| (*bytes, **key));
        let Some(key) = largest.map(|(key, _)| *key) else { return Ok(()) };
        let Some((bytes, batches)) = pending.batches.remove(&key) else { return Ok(()) };
        pending.bytes -= bytes;
        drop(guard);
        self.flush(key.0, &batches, FINE)
    }

    /// Decoded bytes of persons' rows so far.
    pub(super) fn decoded_bytes(&self) -> u64 {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).decoded_bytes
    }

    /// Writes out what is left, divided by shard.
    pub(super) fn close(self, shard_count: u32) -> Result<Closed, Error> {
        let mut pending = {
            let mut guard = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *guard)
        };
        let left: Vec<_> = pending.batches.drain().collect();
        left.into_par_iter().try_for_each(|((table, _), (_, batches))| {
            self.flush(table, &batches, shard_count.min(FINE))
        })?;
        Ok(Closed {
            rows: self.rows.close()?,
            flushes: self.flushes.into_inner().unwrap_or_else(PoisonError::into_inner),
            seen: pending.seen,
            local_id_max: pending.local_id_max,
            decoded_bytes: pending.decoded_bytes,
        })
    }

    fn flush(&self, table: Table, batches: &[RecordBatch], parts: u32) -> Result<(), Error> {
        let failed = |source| Error::Arrow { table, source };
        let Some(first) = batches.first() else { return Ok(()) };
        let batch = concat_batches(&first.schema(), batches).map_err(failed)?;
        let write = |batch: &RecordBatch| -> Result<Option<Segment>, Error> {
            if batch.num_rows() == 0 {
                return Ok(None);
            }
            let bytes = spill::encode(batch).map_err(failed)?;
            Ok(Some(self.rows.append(&bytes)?))
        };
        let segments = match table.person_column() {
            Some(person) if parts > 1 => {
                let (order, starts) = by_shard(&batch, person, parts);
                let sorted = take_record_batch(&batch, &order).map_err(failed)?;
                let slices = starts.windows(2).map(|w| sorted.slice(w[0], w[1] - w[0]));
                slices.map(|slice| write(&slice)).collect::<Result<_, _>>()?
            }
            _ => vec![write(&batch)?],
        };
        let mut flushes = self.flushes.lock().unwrap_or_else(PoisonError::into_inner);
        flushes.push(Flush { table, segments });
        Ok(())
    }
}

impl Spilled {
    /// All rows of a table without persons, with at least these columns.
    pub(super) fn one_piece(&self, table: Table, columns: ColumnSet) -> Result<Piece, Error> {
        self.piece(table, columns, None)
    }

    /// The rows of a table for one shard, with at least these columns. Rows
    /// without a person are all in shard 0.
    pub(super) fn of_shard(
        &self,
        table: Table,
        columns: ColumnSet,
        shard: ShardId,
    ) -> Result<Piece, Error> {
        self.piece(table, columns, Some(shard))
    }

    /// Hands on the rows of a table without persons, some at a time, with their
    /// provenance.
    pub(super) fn each_batch(
        &self,
        table: Table,
        columns: ColumnSet,
        mut take: impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |source| Error::Arrow { table, source };
        let schema = spill_schema(table, columns);
        for part in &self.parts {
            for flush in part.flushes.iter().filter(|flush| flush.table == table) {
                for segment in flush.segments.iter().flatten() {
                    for bytes in part.rows.batches(std::slice::from_ref(segment))? {
                        let batch = spill::decode(bytes).map_err(failed)?;
                        let batch = part.numbers.renumber(table, &batch).map_err(failed)?;
                        take(&padded(&batch, &schema).map_err(failed)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn piece(
        &self,
        table: Table,
        columns: ColumnSet,
        shard: Option<ShardId>,
    ) -> Result<Piece, Error> {
        let failed = |source| Error::Arrow { table, source };
        let schema = spill_schema(table, columns);
        let mut batches = Vec::new();
        let of_parts =
            self.parts.iter().flat_map(|part| part.flushes.iter().map(move |f| (part, f)));
        for (part, flush) in of_parts.filter(|(_, flush)| flush.table == table) {
            let parts = flush.segments.len() as u32;
            let (range, mixed) = match shard {
                None => (0..parts, false),
                Some(shard) if parts >= shard.count() => {
                    let each = parts / shard.count();
                    (shard.index() * each..(shard.index() + 1) * each, false)
                }
                Some(shard) => {
                    let place = shard.index() / (shard.count() / parts);
                    (place..place + 1, true)
                }
            };
            let range = range.start as usize..range.end as usize;
            let segments: Vec<_> = flush.segments[range].iter().flatten().copied().collect();
            for bytes in part.rows.batches(&segments)? {
                let batch = spill::decode(bytes).map_err(failed)?;
                let batch = part.numbers.renumber(table, &batch).map_err(failed)?;
                let batch = match shard {
                    Some(shard) if mixed => only(&batch, table, shard).map_err(failed)?,
                    _ => batch,
                };
                batches.push(padded(&batch, &schema).map_err(failed)?);
            }
        }
        let batch = concat_batches(&schema, &batches).map_err(failed)?;
        Piece::of(table, &batch)
    }
}

/// Derived rows with the columns and the provenance of a table's others.
pub(super) fn derived_batch(
    table: Table,
    columns: ColumnSet,
    rows: &RecordBatch,
) -> Result<RecordBatch, Error> {
    let schema = spill_schema(table, columns);
    let mut piece = Piece::of(table, &RecordBatch::new_empty(schema.clone()))?;
    piece.add_derived(rows)?;
    let Provenance { source_table, object, line, stands } = piece.provenance;
    let from: [ArrayRef; 4] =
        [Arc::new(source_table), Arc::new(object), Arc::new(line), Arc::new(stands)];
    let columns = [piece.rows.columns(), &from].concat();
    RecordBatch::try_new(schema, columns).map_err(|source| Error::Arrow { table, source })
}

impl Piece {
    /// Splits the provenance off.
    pub(super) fn of(table: Table, batch: &RecordBatch) -> Result<Self, Error> {
        let failed = |source| Error::Arrow { table, source };
        let width = batch.num_columns() - PROVENANCE.len();
        let rows = batch.project(&(0..width).collect::<Vec<_>>()).map_err(failed)?;
        let bug = || Error::Bug { table, broken: "rows without provenance" };
        let column = |i: usize| batch.column(width + i);
        let provenance = Provenance {
            source_table: column(0).as_primitive_opt::<UInt32Type>().ok_or_else(bug)?.clone(),
            object: column(1).as_primitive_opt::<UInt32Type>().ok_or_else(bug)?.clone(),
            line: column(2).as_primitive_opt::<UInt64Type>().ok_or_else(bug)?.clone(),
            stands: column(3).as_boolean_opt().ok_or_else(bug)?.clone(),
        };
        Ok(Self { table, rows, provenance })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// A column, if the piece has it; of another type than it should be only
    /// by a bug, since [`Buffers::push`] checks.
    pub(super) fn primitive<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Option<&arrow::array::PrimitiveArray<T>> {
        self.rows.column_by_name(name)?.as_primitive_opt::<T>()
    }

    /// The same rows with a column put in place of the one of that name.
    pub(super) fn replace(&mut self, name: &str, array: ArrayRef) -> Result<(), Error> {
        let schema = self.rows.schema();
        let failed = |source| Error::Arrow { table: self.table, source };
        let place = schema.index_of(name).map_err(failed)?;
        let mut columns = self.rows.columns().to_vec();
        columns[place] = array;
        self.rows = RecordBatch::try_new(schema, columns).map_err(failed)?;
        Ok(())
    }

    /// Adds derived rows, which come from no source row. They must have the
    /// piece's columns; any that are missing are null.
    pub(super) fn add_derived(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let failed = |source| Error::Arrow { table: self.table, source };
        let rows = padded(rows, &self.rows.schema()).map_err(failed)?;
        let both = concat_batches(&self.rows.schema(), [&self.rows, &rows]).map_err(failed)?;
        let added = rows.num_rows();
        let from = &self.provenance;
        let table = extended(&from.source_table, DERIVED, added);
        let object = extended(&from.object, DERIVED, added);
        let lines = from.line.values().iter().copied();
        let line = lines.chain(std::iter::repeat_n(0, added)).collect::<Vec<_>>();
        let stands = from.stands.values().iter();
        let stands = stands.chain(std::iter::repeat_n(false, added)).collect::<Vec<_>>();
        self.rows = both;
        self.provenance = Provenance {
            source_table: table,
            object,
            line: UInt64Array::from(line),
            stands: BooleanArray::from(stands),
        };
        Ok(())
    }
}

/// The source table and object of derived rows.
pub(super) const DERIVED: u32 = u32::MAX;

pub(super) const PROVENANCE: [(&str, DataType); 4] = [
    ("farr source table", DataType::UInt32),
    ("farr object", DataType::UInt32),
    ("farr line", DataType::UInt64),
    ("farr stands for source", DataType::Boolean),
];

fn extended(array: &UInt32Array, value: u32, times: usize) -> UInt32Array {
    let values = array.values().iter().copied();
    UInt32Array::from(values.chain(std::iter::repeat_n(value, times)).collect::<Vec<_>>())
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
fn fields(table: Table, columns: ColumnSet) -> impl Iterator<Item = Field> {
    let chosen = table.columns().iter().enumerate().filter(move |(i, _)| columns & (1 << i) != 0);
    chosen.map(|(_, column)| Field::new(column.name, column.kind.data_type(), true))
}

fn spill_schema(table: Table, columns: ColumnSet) -> SchemaRef {
    let provenance = PROVENANCE.into_iter().map(|(name, kind)| Field::new(name, kind, false));
    Arc::new(Schema::new(fields(table, columns).chain(provenance).collect::<Vec<_>>()))
}

/// Checks the batch against the table, orders its columns as the schema does
/// and adds the provenance. Gives the columns it has, and its decoded bytes,
/// which do not depend on how rows were cut into batches.
fn with_provenance(incoming: Incoming) -> Result<(ColumnSet, RecordBatch, u64), Error> {
    let Incoming { table, rows, source_table, object, lines, stands_for_source } = incoming;
    if lines.len() != rows.num_rows() {
        return Err(Error::Bug { table, broken: "not every row has its line" });
    }
    let mut columns: ColumnSet = 0;
    for field in rows.schema().fields() {
        let known = table.column(field.name());
        let column =
            known.ok_or_else(|| Error::UnknownColumn { table, column: field.name().clone() })?;
        let expected = column.kind.data_type();
        if *field.data_type() != expected {
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
    let mut bytes = 0;
    let mut arrays = Vec::new();
    for field in fields(table, columns) {
        let Some(array) = rows.column_by_name(field.name()) else { continue };
        bytes += decoded_bytes(array.as_ref());
        arrays.push(Arc::clone(array));
    }
    bytes += 17 * count as u64;
    let lines = lines.iter().map(|line| line.0).collect::<Vec<_>>();
    arrays.push(Arc::new(UInt32Array::from(vec![source_table.0; count])));
    arrays.push(Arc::new(UInt32Array::from(vec![object.0; count])));
    arrays.push(Arc::new(UInt64Array::from(lines)));
    arrays.push(Arc::new(BooleanArray::from(vec![stands_for_source; count])));
    let batch = RecordBatch::try_new(spill_schema(table, columns), arrays);
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
    match array.as_string_opt::<i32>() {
        Some(texts) => {
            let offsets = texts.value_offsets();
            let text = offsets[offsets.len() - 1] - offsets[0];
            4 * rows + text as u64
        }
        None => rows * array.data_type().primitive_width().unwrap_or(8) as u64,
    }
}

/// The batch with every field of the schema; missing ones are null.
fn padded(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(array) => Arc::clone(array),
        None => new_null_array(field.data_type(), rows),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Which shard each row belongs to; rows without a person to shard 0, where
/// they will be rejected.
fn shard_of_rows(persons: &Int64Array, count: u32) -> impl Iterator<Item = u32> {
    (0..persons.len()).map(move |row| {
        if persons.is_null(row) {
            return 0;
        }
        ShardId::index_of(PersonId(persons.value(row)), count)
    })
}

/// The order that sorts rows by shard, and where each shard's rows start.
fn by_shard(batch: &RecordBatch, person: &str, parts: u32) -> (UInt32Array, Vec<usize>) {
    let persons = batch.column_by_name(person).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let shards: Vec<u32> = persons.map_or(Vec::new(), |p| shard_of_rows(p, parts).collect());
    let mut starts = vec![0; parts as usize + 1];
    for shard in &shards {
        starts[*shard as usize + 1] += 1;
    }
    for part in 0..parts as usize {
        starts[part + 1] += starts[part];
    }
    let mut next = starts.clone();
    let mut order = vec![0; shards.len()];
    for (row, shard) in shards.iter().enumerate() {
        order[next[*shard as usize]] = row as u32;
        next[*shard as usize] += 1;
    }
    (UInt32Array::from(order), starts)
}

fn only(batch: &RecordBatch, table: Table, shard: ShardId) -> Result<RecordBatch, ArrowError> {
    let persons = table.person_column().and_then(|name| batch.column_by_name(name));
    let Some(persons) = persons.and_then(|p| p.as_primitive_opt::<Int64Type>()) else {
        return Ok(batch.clone());
    };
    let here = shard_of_rows(persons, shard.count()).map(|index| index == shard.index());
    filter_record_batch(batch, &BooleanArray::from(here.collect::<Vec<_>>()))
}

/// The batch with every column of the table, in the schema's types.
pub(super) fn whole(table: Table, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    padded(batch, &table.schema()).map_err(|source| Error::Arrow { table, source })
}

/// The concept columns of a table.
pub(super) fn concept_columns(table: Table) -> impl Iterator<Item = &'static str> {
    table.columns().iter().filter(|c| c.kind == Kind::Concept).map(|column| column.name)
}
