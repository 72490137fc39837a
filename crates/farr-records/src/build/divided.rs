//! Rows as they are held and as they lie at rest: divided by shard, without
//! columns that nobody has, each number in no more bytes than it takes.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray, RecordBatch,
    RecordBatchOptions, UInt32Array, UInt64Array, new_null_array,
};
use arrow::compute::{concat, take_record_batch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Int64Type, Schema, SchemaRef, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use crate::{Line, PersonId, ShardId, Table};

/// How finely rows of persons are divided before the number of shards is
/// known: their rows lie in so many parts, and a shard's parts side by side.
pub(super) const FINE: u32 = 256;

/// The columns behind a table's own that say where a row comes from.
pub(super) const PROVENANCE: [(&str, DataType); 4] = [
    ("farr source table", DataType::UInt32),
    ("farr object", DataType::UInt32),
    ("farr line", DataType::UInt64),
    ("farr stands for source", DataType::Boolean),
];

/// Days before 1970 that a narrow date reaches back: to 1880, and on to 2059.
const DAYS_BEFORE: i32 = 1 << 15;

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
        let narrow = narrowed(&whole)?;
        let persons = table.person_column().and_then(|name| rows.column_by_name(name));
        let Some(persons) = persons.and_then(|p| p.as_primitive_opt::<Int64Type>()) else {
            let starts = vec![0, rows.num_rows() as u32];
            return Ok(Self { rows: narrow, starts, origin });
        };
        let (order, starts) = by_shard(persons);
        Ok(Self { rows: take_record_batch(&narrow, &order)?, starts, origin })
    }

    /// How many parts there are.
    pub(super) fn parts(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// The rows of some parts.
    pub(super) fn slice(&self, parts: Range<u32>) -> Slice {
        let start = self.starts[parts.start as usize] as usize;
        let end = self.starts[parts.end as usize] as usize;
        Slice { rows: self.rows.slice(start, end - start), origin: Some(self.origin) }
    }

    /// Bytes that the rows take.
    pub(super) fn bytes(&self) -> u64 {
        self.rows.get_array_memory_size() as u64
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

    /// A column of the schema, if the rows have it.
    fn column(&self, field: &Field) -> Option<ArrayRef> {
        if let Some(column) = self.rows.column_by_name(field.name()) {
            return Some(widened(column, field.data_type()));
        }
        let origin = self.origin?;
        let [source_table, object, _, stands] = PROVENANCE.map(|(name, _)| name);
        let numbers = |number| Arc::new(UInt32Array::from(vec![number; self.len()]));
        Some(match field.name() {
            name if name == source_table => numbers(origin.source_table),
            name if name == object => numbers(origin.object),
            name if name == stands => Arc::new(BooleanArray::from(vec![origin.stands; self.len()])),
            _ => return None,
        })
    }
}

/// All rows of the slices in the schema's columns and types; columns that a
/// slice lacks are null.
pub(super) fn joined(schema: &SchemaRef, slices: &[Slice]) -> Result<RecordBatch, ArrowError> {
    let slices: Vec<&Slice> = slices.iter().filter(|slice| slice.len() > 0).collect();
    let rows = slices.iter().map(|slice| slice.len()).sum();
    let join = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        let columns: Vec<Option<ArrayRef>> = slices.iter().map(|s| s.column(field)).collect();
        if columns.iter().all(Option::is_none) {
            return Ok(new_null_array(field.data_type(), rows));
        }
        let or_null = |(column, slice): (Option<ArrayRef>, &&Slice)| {
            column.unwrap_or_else(|| new_null_array(field.data_type(), slice.len()))
        };
        let columns: Vec<ArrayRef> = columns.into_iter().zip(&slices).map(or_null).collect();
        concat(&columns.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    };
    let columns = schema.fields().iter().map(join).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The rows, one at least, without columns that are null throughout, numbers
/// and dates in the narrowest type that holds them.
pub(super) fn narrowed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.null_count() == column.len() {
            continue;
        }
        let column = match field.data_type() {
            DataType::Int64 => narrow::<Int64Type>(column, |value| value as u64),
            DataType::UInt32 => narrow::<UInt32Type>(column, u64::from),
            DataType::UInt64 => narrow::<UInt64Type>(column, |value| value),
            DataType::Date32 => {
                narrow::<Date32Type>(column, |day| u64::from(day.wrapping_add(DAYS_BEFORE) as u32))
            }
            _ => Arc::clone(column),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// A column in the narrowest type, if it has another than its own. What lies
/// under nulls counts as well: it costs bytes at most.
fn narrow<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    number: impl Fn(T::Native) -> u64 + Copy,
) -> ArrayRef {
    let Some(array) = column.as_primitive_opt::<T>() else { return Arc::clone(column) };
    let bits = array.values().iter().fold(0, |bits, value| bits | number(*value));
    let width = array.data_type().primitive_width().unwrap_or(0);
    if u8::try_from(bits).is_ok() {
        Arc::new(array.unary::<_, UInt8Type>(|value| number(value) as u8))
    } else if u16::try_from(bits).is_ok() {
        Arc::new(array.unary::<_, UInt16Type>(|value| number(value) as u16))
    } else if u32::try_from(bits).is_ok() && width > size_of::<u32>() {
        Arc::new(array.unary::<_, UInt32Type>(|value| number(value) as u32))
    } else {
        Arc::clone(column)
    }
}

/// A column that [`narrowed`] gave in its own type.
fn widened(column: &ArrayRef, kind: &DataType) -> ArrayRef {
    let wide = match column.data_type() {
        found if found == kind => None,
        DataType::UInt8 => wide(column.as_primitive::<UInt8Type>(), kind),
        DataType::UInt16 => wide(column.as_primitive::<UInt16Type>(), kind),
        DataType::UInt32 => wide(column.as_primitive::<UInt32Type>(), kind),
        _ => None,
    };
    wide.unwrap_or_else(|| Arc::clone(column))
}

fn wide<F: ArrowPrimitiveType<Native: Into<u64>>>(
    array: &PrimitiveArray<F>,
    kind: &DataType,
) -> Option<ArrayRef> {
    Some(match kind {
        DataType::Int64 => Arc::new(array.unary::<_, Int64Type>(|value| value.into() as i64)),
        DataType::UInt32 => Arc::new(array.unary::<_, UInt32Type>(|value| value.into() as u32)),
        DataType::UInt64 => Arc::new(array.unary::<_, UInt64Type>(Into::into)),
        DataType::Date32 => Arc::new(
            array.unary::<_, Date32Type>(|value| (value.into() as i32).wrapping_sub(DAYS_BEFORE)),
        ),
        _ => return None,
    })
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
    use arrow::array::{Date32Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    /// Every width and both sides of each bound, with and without nulls.
    fn column() -> impl Strategy<Value = Vec<Option<i64>>> {
        let bound = prop::sample::select(vec![0, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32]);
        let near = (bound, -2..3_i64).prop_map(|(bound, near): (i64, i64)| bound + near);
        let any = prop_oneof![4 => near, 1 => any::<i64>()];
        prop::collection::vec(prop::option::weighted(0.8, any), 1..20)
    }

    proptest! {
        #[test]
        fn what_is_narrowed_comes_back(values in column(), twice in any::<bool>()) {
            let days = values.iter().map(|v| v.map(|v| v as i32));
            let batch = RecordBatch::try_from_iter_with_nullable([
                ("number", Arc::new(Int64Array::from(values.clone())) as ArrayRef, true),
                ("day", Arc::new(days.clone().collect::<Date32Array>()), true),
                ("short", Arc::new(days.map(|v| v.map(|v| v as u32)).collect::<UInt32Array>()), true),
                ("line", Arc::new(UInt64Array::from_iter_values(0..values.len() as u64)), true),
                ("text", Arc::new(StringArray::new_null(values.len())), true),
            ]).unwrap();
            let slice = || Slice { rows: narrowed(&batch).unwrap(), origin: None };
            let slices: Vec<Slice> = (0..=usize::from(twice)).map(|_| slice()).collect();
            let rows = joined(&batch.schema(), &slices).unwrap();
            for part in 0..slices.len() {
                prop_assert_eq!(&rows.slice(part * values.len(), values.len()), &batch);
            }
        }
    }

    #[test]
    fn numbers_take_no_more_bytes_than_they_need() {
        let width = |values: Vec<i64>| {
            let column: ArrayRef = Arc::new(Int64Array::from(values));
            let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
            narrowed(&batch).unwrap().column(0).data_type().primitive_width()
        };
        assert_eq!(width(vec![0, 255]), Some(1));
        assert_eq!(width(vec![0, 256]), Some(2));
        assert_eq!(width(vec![65_536]), Some(4));
        assert_eq!(width(vec![1 << 32]), Some(8));
        assert_eq!(width(vec![-1]), Some(8));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![-32_768, 32_767]));
        let batch = RecordBatch::try_from_iter([("day", days)]).unwrap();
        assert_eq!(narrowed(&batch).unwrap().column(0).data_type(), &DataType::UInt16);
    }
}
