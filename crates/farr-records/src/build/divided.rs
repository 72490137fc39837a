//! Rows as they are held and as they lie at rest: divided by shard, without
//! columns that nobody has, each number in no more bytes than it takes.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions,
    UInt32Array, UInt64Array, new_null_array,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;

use super::texts::{TextTables, is_dictionary, joined_texts};
use crate::narrow::{narrowed, narrowed_in, narrowest, rank, widened};
use crate::{Line, PersonId, ShardId, Table};

/// How finely rows of persons are divided before the number of shards is
/// known: their rows lie in so many parts, and a shard's parts side by side.
pub(super) const FINE: u32 = 2048;

/// The columns behind a table's own that say where a row comes from.
pub(super) const PROVENANCE: [(&str, DataType); 4] = [
    ("farr source table", DataType::UInt32),
    ("farr object", DataType::UInt32),
    ("farr line", DataType::UInt64),
    ("farr stands for source", DataType::Boolean),
];

/// Where the rows of a batch come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) source_table: u32,
    pub(super) object: u32,
    pub(super) stands: bool,
}

/// The rows of one batch, in memory.
pub(super) struct Divided {
    rows: RecordBatch,
    /// The rows of part `i` are `starts[i]..starts[i + 1]`.
    starts: Vec<u32>,
    origin: Origin,
}

impl Divided {
    /// Divides rows of a table, one at least, by their persons' shards; those
    /// of a table without persons are one part.
    pub(super) fn of(
        table: Table,
        rows: &RecordBatch,
        lines: Vec<Line>,
        origin: Origin,
    ) -> Result<Self, ArrowError> {
        let lines = UInt64Array::from_iter_values(lines.into_iter().map(|line| line.0));
        let fields = rows.schema().fields().iter().cloned().collect::<Vec<_>>();
        let [_, _, (name, kind), _] = PROVENANCE;
        let line = Arc::new(Field::new(name, kind, false));
        let schema = Schema::new([fields, vec![line]].concat());
        let columns = [rows.columns(), &[Arc::new(lines) as ArrayRef]].concat();
        let whole = RecordBatch::try_new(Arc::new(schema), columns)?;
        let persons = table.person_column().and_then(|name| rows.column_by_name(name));
        let Some(persons) = persons.and_then(|p| p.as_primitive_opt::<Int64Type>()) else {
            let starts = vec![0, rows.num_rows() as u32];
            return Ok(Self { rows: narrowed(&whole)?, starts, origin });
        };
        let (order, starts) = by_shard(persons);
        Ok(Self { rows: narrowed_in(&whole, &order)?, starts, origin })
    }

    /// For each column of the schema the rows' own in narrow form, if they have it.
    pub(super) fn columns(&self, schema: &Schema) -> Vec<Option<ArrayRef>> {
        self.slice(0..self.parts()).columns(schema)
    }

    /// Which rows are of some parts.
    pub(super) fn rows_of(&self, parts: Range<u32>) -> Range<usize> {
        self.starts[parts.start as usize] as usize..self.starts[parts.end as usize] as usize
    }

    /// The same rows with their texts.
    pub(super) fn with_texts(self, table: Table, texts: &TextTables) -> Result<Self, ArrowError> {
        Ok(Self { rows: texts.read(table, &self.rows)?, ..self })
    }

    /// How many parts there are.
    pub(super) fn parts(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// The rows of some parts.
    pub(super) fn slice(&self, parts: Range<u32>) -> Slice {
        let rows = self.rows_of(parts);
        Slice { rows: self.rows.slice(rows.start, rows.len()), origin: Some(self.origin) }
    }

    /// Bytes that the rows take.
    pub(super) fn bytes(&self) -> u64 {
        (self.rows.get_array_memory_size() + size_of_val(&self.starts[..])) as u64
    }
}

/// Rows in narrow form: of one origin, or each with its own.
pub(super) struct Slice {
    pub(super) rows: RecordBatch,
    pub(super) origin: Option<Origin>,
}

impl Slice {
    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// For each column of the schema the rows' own in narrow form, if they have it.
    fn columns(&self, schema: &Schema) -> Vec<Option<ArrayRef>> {
        let wanted = schema.fields();
        let mut columns: Vec<Option<ArrayRef>> = vec![None; wanted.len()];
        // Both are in the same order, as a rule: each is looked for behind the last.
        let mut next = 0;
        for (field, column) in self.rows.schema_ref().fields().iter().zip(self.rows.columns()) {
            let mut places = (next..wanted.len()).chain(0..next);
            if let Some(place) = places.find(|place| wanted[*place].name() == field.name()) {
                columns[place] = Some(Arc::clone(column));
                next = place + 1;
            }
        }
        if let Some(origin) = self.origin {
            for (field, column) in wanted.iter().zip(&mut columns) {
                *column = column.take().or_else(|| self.of_origin(origin, field.name()));
            }
        }
        columns
    }

    /// What is the same for all rows.
    fn of_origin(&self, origin: Origin, name: &str) -> Option<ArrayRef> {
        let [source_table, object, _, stands] = PROVENANCE.map(|(name, _)| name);
        let numbers = |number| {
            narrowest(&(Arc::new(UInt32Array::from_value(number, self.len())) as ArrayRef))
        };
        Some(match name {
            name if name == source_table => numbers(origin.source_table),
            name if name == object => numbers(origin.object),
            name if name == stands => Arc::new(BooleanArray::from(vec![origin.stands; self.len()])),
            _ => return None,
        })
    }
}

/// All rows of the slices in narrow form, in the schema's order of columns;
/// without those that no slice has, the first apart.
pub(super) fn joined(schema: &Schema, slices: &[Slice]) -> Result<RecordBatch, ArrowError> {
    let slices = slices.iter().filter(|slice| slice.len() > 0);
    let (columns, rows) = slices.map(|slice| (slice.columns(schema), slice.len())).unzip();
    below_each_other(schema, columns, rows)
}

/// Columns of batches of so many rows, by the schema's places, below each other.
/// Each is let go once it is joined: no more than one is there twice.
fn below_each_other(
    schema: &Schema,
    mut batches: Vec<Vec<Option<ArrayRef>>>,
    rows: Vec<usize>,
) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (place, field) in schema.fields().iter().enumerate() {
        let found: Vec<_> = batches.iter_mut().map(|columns| columns[place].take()).collect();
        if place > 0 && found.iter().all(Option::is_none) {
            continue;
        }
        let found = found.into_iter().zip(rows.iter().copied()).collect();
        let column = joined_column(field.data_type(), found)?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.into_iter().sum()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

/// A column of batches, each with its rows, in the widest of its types; in its own
/// if no batch has it.
fn joined_column(
    own: &DataType,
    found: Vec<(Option<ArrayRef>, usize)>,
) -> Result<ArrayRef, ArrowError> {
    let kinds = || found.iter().filter_map(|(column, _)| Some(column.as_ref()?.data_type()));
    if kinds().any(is_dictionary) {
        return joined_texts(found);
    }
    let kind = kinds().max_by_key(|kind| rank(kind)).unwrap_or(own).clone();
    let in_kind = |(column, rows): (Option<ArrayRef>, usize)| match column {
        Some(column) => widened(&column, &kind),
        None => new_null_array(&kind, rows),
    };
    let columns: Vec<ArrayRef> = found.into_iter().map(in_kind).collect();
    if columns.is_empty() { Ok(new_null_array(&kind, 0)) } else { below(&columns) }
}

/// Columns of one type, one at least, below each other; a single one as it is.
pub(super) fn below(columns: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    match columns {
        [one] => Ok(Arc::clone(one)),
        all => concat(&all.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
    }
}

/// Which shard of so many each row belongs to; rows without a person to shard
/// 0, where they will be rejected.
pub(super) fn shard_of_rows(persons: &Int64Array, count: u32) -> impl Iterator<Item = u32> {
    (0..persons.len()).map(move |row| {
        if persons.is_null(row) {
            return 0;
        }
        ShardId::index_of(PersonId(persons.value(row)), count)
    })
}

/// The order that sorts rows by part, and where each part's rows start.
fn by_shard(persons: &Int64Array) -> (UInt32Array, Vec<u32>) {
    let parts: Vec<u32> = shard_of_rows(persons, FINE).collect();
    let mut starts = vec![0; FINE as usize + 1];
    for part in &parts {
        starts[*part as usize + 1] += 1;
    }
    for part in 0..FINE as usize {
        starts[part + 1] += starts[part];
    }
    let mut next = starts.clone();
    let mut order = vec![0; parts.len()];
    for (row, part) in parts.iter().enumerate() {
        let place = &mut next[*part as usize];
        order[*place as usize] = row as u32;
        *place += 1;
    }
    (UInt32Array::from(order), starts)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Float64Array, StringArray, TimestampMicrosecondArray};
    use arrow::compute::take_record_batch;
    use proptest::prelude::*;

    use super::*;
    use crate::narrow::whole;

    /// Every width and both sides of each bound, with and without nulls.
    fn column() -> impl Strategy<Value = Vec<Option<i64>>> {
        let bound = prop::sample::select(vec![0, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32]);
        let near = (bound, -2..3_i64).prop_map(|(bound, near): (i64, i64)| bound + near);
        let any = prop_oneof![4 => near, 1 => any::<i64>()];
        prop::collection::vec(prop::option::weighted(0.8, any), 1..20)
    }

    proptest! {
        #[test]
        fn what_is_narrowed_comes_back(
            values in column(), twice in any::<bool>(), whole_seconds in any::<bool>(),
        ) {
            let times = values.iter().map(|v| v.map(|v| if whole_seconds { v.wrapping_mul(1_000_000) } else { v }));
            let days = values.iter().map(|v| v.map(|v| v as i32));
            let amounts: Float64Array = values.iter().map(|v| v.map(|v| v as f64 / 100.0)).collect();
            let batch = RecordBatch::try_from_iter_with_nullable([
                ("number", Arc::new(Int64Array::from(values.clone())) as ArrayRef, true),
                ("day", Arc::new(days.clone().collect::<Date32Array>()), true),
                ("short", Arc::new(days.map(|v| v.map(|v| v as u32)).collect::<UInt32Array>()), true),
                ("line", Arc::new(UInt64Array::from_iter_values(0..values.len() as u64)), true),
                ("time", Arc::new(times.collect::<TimestampMicrosecondArray>()), true),
                ("amount", Arc::new(amounts), true),
                ("text", Arc::new(StringArray::new_null(values.len())), true),
            ]).unwrap();
            let order = UInt32Array::from_iter_values((0..values.len() as u32).rev());
            let back = take_record_batch(&narrowed_in(&batch, &order).unwrap(), &order).unwrap();
            prop_assert_eq!(back, narrowed(&batch).unwrap());
            let slice = || Slice { rows: narrowed(&batch).unwrap(), origin: None };
            let slices: Vec<Slice> = (0..=usize::from(twice)).map(|_| slice()).collect();
            let rows = whole(&joined(&batch.schema(), &slices).unwrap(), &batch.schema()).unwrap();
            for part in 0..slices.len() {
                prop_assert_eq!(&rows.slice(part * values.len(), values.len()), &batch);
            }
        }
    }
}
