//! All rows that came in, in memory or at rest, shard by shard.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, UInt32Array, UInt64Array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{
    ArrowPrimitiveType, Field, Int64Type, Schema, SchemaRef, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

use super::buffers::{ColumnSet, TableSeen, fields};
use super::divided::{Divided, Origin, PROVENANCE, Slice, joined, shard_of_rows};
use super::packed::unpacked;
use super::parts::Numbers;
use super::pulled::Pulled;
use super::spill::{RowsIn, Segment};
use super::texts::{TextTables, plain};
use crate::narrow::column_of;
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
    rows: RowsIn,
    flushes: Vec<Flush>,
    texts: TextTables,
    held: Held,
    numbers: Numbers,
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

/// Rows of one table in narrow form: every column that any of them has.
pub(super) struct Piece {
    pub(super) table: Table,
    pub(super) rows: RecordBatch,
    pub(super) provenance: Provenance,
}

impl Provenance {
    fn none() -> Self {
        Self {
            source_table: UInt32Array::new_null(0),
            object: UInt32Array::new_null(0),
            line: UInt64Array::new_null(0),
            stands: BooleanArray::new_null(0),
        }
    }
}

impl PartRows {
    /// Of a part, whose rows in memory get their texts again.
    pub(super) fn new(part: Pulled, numbers: Numbers) -> Result<Self, Error> {
        let Pulled { rows, index, held } = part;
        let texts = TextTables::new(index.texts);
        let with_texts = |(table, held): (Table, Vec<Divided>)| {
            let held = held.into_iter().map(|divided| divided.with_texts(table, &texts));
            let held = held.collect::<Result<Vec<_>, _>>();
            Ok((table, held.map_err(|source| Error::Arrow { table, source })?))
        };
        let held = held.into_iter().map(with_texts).collect::<Result<_, Error>>()?;
        Ok(Self { rows, flushes: index.flushes, texts, held, numbers })
    }

    /// The rows of a table for one shard (`None`: all), and whether others are
    /// among them.
    fn slices(
        &self,
        table: Table,
        schema: &Schema,
        shard: Option<ShardId>,
    ) -> Result<(Vec<Slice>, bool), Error> {
        let (mut segments, mut mixed) = (Vec::new(), false);
        for flush in self.flushes.iter().filter(|flush| flush.table == table) {
            let range = parts_of(shard, flush.segments.len() as u32, &mut mixed);
            let range = range.start as usize..range.end as usize;
            segments.extend(flush.segments[range].iter().flatten().copied());
        }
        let mut slices = Vec::new();
        if !segments.is_empty() {
            slices.push(self.read(table, schema, &segments)?);
        }
        for divided in self.held.get(&table).into_iter().flatten() {
            slices.push(divided.slice(parts_of(shard, divided.parts(), &mut mixed)));
        }
        Ok((slices, mixed))
    }

    /// The rows of segments.
    fn read(&self, table: Table, schema: &Schema, segments: &[Segment]) -> Result<Slice, Error> {
        let rows = unpacked(table, schema, &self.rows.bytes_of(segments)?, &self.texts);
        rows.map_err(|source| Error::Arrow { table, source })
    }

    /// The rows of slices with the whole's numbers.
    fn joined(
        &self,
        table: Table,
        schema: &Schema,
        slices: Vec<Slice>,
    ) -> Result<RecordBatch, ArrowError> {
        let renumbered = slices.into_iter().map(|slice| self.numbers.renumber(table, slice));
        joined(schema, &renumbered.collect::<Result<Vec<_>, _>>()?)
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

    /// Hands on the rows of a table without persons, some at a time, in narrow
    /// form with their provenance.
    pub(super) fn each_batch(
        &self,
        table: Table,
        columns: ColumnSet,
        mut take: impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let schema = spill_schema(table, columns);
        let failed = |source| Error::Arrow { table, source };
        for part in &self.parts {
            for flush in part.flushes.iter().filter(|flush| flush.table == table) {
                for segment in flush.segments.iter().flatten() {
                    let rows = part.read(table, &schema, std::slice::from_ref(segment))?;
                    take(&part.joined(table, &schema, vec![rows]).map_err(failed)?)?;
                }
            }
            for divided in part.held.get(&table).into_iter().flatten() {
                let slices = vec![divided.slice(0..divided.parts())];
                take(&part.joined(table, &schema, slices).map_err(failed)?)?;
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
        let of_part = |part: &PartRows| -> Result<Slice, Error> {
            let (slices, mixed) = part.slices(table, &schema, shard)?;
            let rows = part.joined(table, &schema, slices).map_err(failed)?;
            let rows = match shard {
                Some(shard) if mixed => only(&rows, table, shard).map_err(failed)?,
                _ => rows,
            };
            // Each part has numbers of its own for texts.
            let rows = if self.parts.len() > 1 { plain(&rows).map_err(failed)? } else { rows };
            Ok(Slice { rows, origin: None })
        };
        let parts = self.parts.iter().map(of_part).collect::<Result<Vec<_>, _>>()?;
        Piece::of(table, &joined(&schema, &parts).map_err(failed)?)
    }
}

/// Derived rows with a provenance, as a table's others have.
pub(super) fn derived_batch(
    table: Table,
    columns: ColumnSet,
    rows: &RecordBatch,
) -> Result<RecordBatch, Error> {
    let failed = |source| Error::Arrow { table, source };
    let count = rows.num_rows();
    let [_, _, (line, _), _] = PROVENANCE;
    let lines: ArrayRef = Arc::new(UInt64Array::from_value(0, count));
    let named = rows.schema_ref().fields().iter().zip(rows.columns());
    let named = named.map(|(field, column)| (field.name().clone(), Arc::clone(column), true));
    let rows = named.chain([(line.to_owned(), lines, true)]);
    let rows = RecordBatch::try_from_iter_with_nullable(rows).map_err(failed)?;
    let origin = Origin { source_table: DERIVED, object: DERIVED, stands: false };
    joined(&spill_schema(table, columns), &[Slice { rows, origin: Some(origin) }]).map_err(failed)
}

impl Piece {
    /// Splits the provenance off.
    pub(super) fn of(table: Table, batch: &RecordBatch) -> Result<Self, Error> {
        let failed = |source| Error::Arrow { table, source };
        let is_own = |place: &usize| {
            PROVENANCE.iter().all(|(name, _)| batch.schema_ref().field(*place).name() != name)
        };
        let own: Vec<usize> = (0..batch.num_columns()).filter(is_own).collect();
        let rows = batch.project(&own).map_err(failed)?;
        let [source_table, object, line, stands] = PROVENANCE.map(|(name, _)| name);
        let stands = batch.column_by_name(stands).and_then(|c| c.as_boolean_opt());
        let provenance = || {
            Some(Provenance {
                source_table: column_of::<UInt32Type>(batch, source_table)?,
                object: column_of::<UInt32Type>(batch, object)?,
                line: column_of::<UInt64Type>(batch, line)?,
                stands: stands?.clone(),
            })
        };
        let provenance = match provenance() {
            Some(provenance) => provenance,
            None if batch.num_rows() == 0 => Provenance::none(),
            None => return Err(Error::Bug { table, broken: "rows without provenance" }),
        };
        Ok(Self { table, rows, provenance })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// A column, if any row has it; of another type than it should be only by a
    /// bug, since [`Buffers::push`] checks.
    pub(super) fn primitive<T: ArrowPrimitiveType>(&self, name: &str) -> Option<PrimitiveArray<T>> {
        column_of(&self.rows, name)
    }

    /// The same rows with a column put in place of the one of that name, if
    /// there is one.
    pub(super) fn replace(&mut self, name: &str, array: ArrayRef) -> Result<(), Error> {
        let columns = self.rows.schema_ref().fields().iter().zip(self.rows.columns());
        let others = columns.filter(|(field, _)| field.name() != name);
        let others = others.map(|(field, column)| (field.name().clone(), Arc::clone(column), true));
        let all = others.chain([(name.to_owned(), array, true)]);
        let rows = RecordBatch::try_from_iter_with_nullable(all);
        self.rows = rows.map_err(|source| Error::Arrow { table: self.table, source })?;
        Ok(())
    }

    /// Adds derived rows, which come from no source row.
    pub(super) fn add_derived(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let own = Slice { rows: self.rows.clone(), origin: None };
        let derived = Slice { rows: rows.clone(), origin: None };
        let both = joined(&self.table.schema(), &[own, derived]);
        let both = both.map_err(|source| Error::Arrow { table: self.table, source })?;
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

fn only(batch: &RecordBatch, table: Table, shard: ShardId) -> Result<RecordBatch, ArrowError> {
    let persons = table.person_column().and_then(|name| column_of::<Int64Type>(batch, name));
    let Some(persons) = persons else { return Ok(batch.clone()) };
    let here = shard_of_rows(&persons, shard.count()).map(|index| index == shard.index());
    filter_record_batch(batch, &BooleanArray::from(here.collect::<Vec<_>>()))
}
