//! All rows that came in, in memory or at rest, shard by shard.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array, new_null_array,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{
    ArrowPrimitiveType, Field, Int64Type, Schema, SchemaRef, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

use super::buffers::{ColumnSet, TableSeen, fields};
use super::divided::{Divided, PROVENANCE, Slice, joined, shard_of_rows};
use super::parts::Numbers;
use super::spill::{self, RowsIn, Segment};
use crate::{Error, ShardId, Table};

/// Rows of one table that were divided by shard and written together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Flush {
    pub(super) table: Table,
    /// The rows of shard `i` of so many lie in segment `i`.
    pub(super) segments: Vec<Option<Segment>>,
}

/// Rows in memory, by table.
pub(super) type Held = BTreeMap<Table, Vec<Divided>>;

/// The rows of one part of a pull, and what its numbers are in the whole.
pub(super) struct PartRows {
    pub(super) rows: RowsIn,
    pub(super) flushes: Vec<Flush>,
    pub(super) held: Held,
    pub(super) numbers: Numbers,
}

/// All rows that came in.
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

impl PartRows {
    /// The rows of a table for one shard (`None`: all), and whether others are
    /// among them.
    fn slices(&self, table: Table, shard: Option<ShardId>) -> Result<(Vec<Slice>, bool), Error> {
        let (mut slices, mut mixed) = (Vec::new(), false);
        for flush in self.flushes.iter().filter(|flush| flush.table == table) {
            let range = parts_of(shard, flush.segments.len() as u32, &mut mixed);
            let range = range.start as usize..range.end as usize;
            let segments: Vec<_> = flush.segments[range].iter().flatten().copied().collect();
            slices.extend(self.read(table, &segments)?);
        }
        for divided in self.held.get(&table).into_iter().flatten() {
            slices.push(divided.slice(parts_of(shard, divided.parts(), &mut mixed)));
        }
        Ok((slices, mixed))
    }

    /// The rows of segments.
    fn read(&self, table: Table, segments: &[Segment]) -> Result<Vec<Slice>, Error> {
        let slice = |bytes| -> Result<Slice, Error> {
            let rows = spill::decode(bytes).map_err(|source| Error::Arrow { table, source })?;
            Ok(Slice { rows, origin: None })
        };
        self.rows.batches(segments)?.into_iter().map(slice).collect()
    }

    /// The rows of slices with the whole's numbers.
    fn joined(
        &self,
        table: Table,
        schema: &SchemaRef,
        slices: &[Slice],
    ) -> Result<RecordBatch, Error> {
        let joined = joined(schema, slices).and_then(|rows| self.numbers.renumber(table, &rows));
        joined.map_err(|source| Error::Arrow { table, source })
    }
}

/// Where a shard's rows lie in rows divided into so many parts: side by side,
/// or `mixed` with those of other shards in one part.
fn parts_of(shard: Option<ShardId>, parts: u32, mixed: &mut bool) -> Range<u32> {
    match shard {
        None => 0..parts,
        Some(shard) if parts >= shard.count() => {
            let each = parts / shard.count();
            shard.index() * each..(shard.index() + 1) * each
        }
        Some(shard) => {
            *mixed = true;
            let place = shard.index() / (shard.count() / parts);
            place..place + 1
        }
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
        let schema = spill_schema(table, columns);
        for part in &self.parts {
            for flush in part.flushes.iter().filter(|flush| flush.table == table) {
                for segment in flush.segments.iter().flatten() {
                    let slices = part.read(table, std::slice::from_ref(segment))?;
                    take(&part.joined(table, &schema, &slices)?)?;
                }
            }
            for divided in part.held.get(&table).into_iter().flatten() {
                take(&part.joined(table, &schema, &[divided.slice(0..divided.parts())])?)?;
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
        let of_part = |part: &PartRows| -> Result<RecordBatch, Error> {
            let (slices, mixed) = part.slices(table, shard)?;
            let rows = part.joined(table, &schema, &slices)?;
            match shard {
                Some(shard) if mixed => only(&rows, table, shard).map_err(failed),
                _ => Ok(rows),
            }
        };
        let parts = self.parts.iter().map(of_part).collect::<Result<Vec<_>, _>>()?;
        Piece::of(table, &concat_batches(&schema, &parts).map_err(failed)?)
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

fn extended(array: &UInt32Array, value: u32, times: usize) -> UInt32Array {
    let values = array.values().iter().copied();
    UInt32Array::from(values.chain(std::iter::repeat_n(value, times)).collect::<Vec<_>>())
}

pub(super) fn spill_schema(table: Table, columns: ColumnSet) -> SchemaRef {
    let provenance = PROVENANCE.into_iter().map(|(name, kind)| Field::new(name, kind, false));
    Arc::new(Schema::new(fields(table, columns).chain(provenance).collect::<Vec<_>>()))
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
