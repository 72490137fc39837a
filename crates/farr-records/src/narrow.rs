//! Rows in narrow form: without columns that are null throughout, each number,
//! amount, date and time in no more bytes than it takes. Memory is what rows wait for.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowDictionaryKeyType, ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Field,
    Float64Type, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

/// Days before 1970 that a narrow date reaches back: to 1880, and on to 2059.
const DAYS_BEFORE: i32 = 1 << 15;

/// Seconds before 1970 that a narrow time reaches back: to 1935, and on to 2072.
const SECONDS_BEFORE: i64 = 1 << 30;

const MICROS: i64 = 1_000_000;

/// A narrow real number counts so many parts of one: amounts of money and most
/// results of measurements have no more than two decimals.
const PARTS: f64 = 100.0;

/// The rows, one at least, in an order, without columns that are null throughout,
/// numbers and dates in the narrowest type that holds them.
pub(crate) fn narrowed_in(
    batch: &RecordBatch,
    order: &UInt32Array,
) -> Result<RecordBatch, ArrowError> {
    narrowed_by(batch, |column| match narrow_of(column, Some(order.values())) {
        Some(column) => Ok(column),
        None => take(column, order, None),
    })
}

/// As [`narrowed_in`], in the order that they have.
pub(crate) fn narrowed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    narrowed_by(batch, |column| Ok(narrowest(column)))
}

fn narrowed_by(
    batch: &RecordBatch,
    narrowed: impl Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.null_count() == column.len() {
            continue;
        }
        let column = narrowed(column)?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// How many bytes a number takes, one at least.
pub(crate) fn byte_width(number: u64) -> usize {
    ((u64::BITS - number.leading_zeros()).div_ceil(u8::BITS) as usize).max(1)
}

/// A type of columns with a narrow form.
pub(crate) trait Numbered: ArrowPrimitiveType {
    /// The value in narrow form; for one that has none, more bits than those of any
    /// narrower type.
    fn number(value: Self::Native) -> u64;
    /// The value of a number in narrow form.
    fn of_number(number: u64) -> Self::Native;
    /// The value's own bits.
    fn bits(value: Self::Native) -> u64;
    /// The value of its bits.
    fn of_bits(bits: u64) -> Self::Native;
}

/// Whole numbers, which are their own narrow form.
macro_rules! whole_numbers {
    ($($kind:ty: $native:ty, $bits:expr, $of_bits:expr;)*) => {$(
        impl Numbered for $kind {
            fn number(value: $native) -> u64 {
                $bits(value)
            }
            fn of_number(number: u64) -> $native {
                $of_bits(number)
            }
            fn bits(value: $native) -> u64 {
                $bits(value)
            }
            fn of_bits(bits: u64) -> $native {
                $of_bits(bits)
            }
        }
    )*};
}

whole_numbers! {
    UInt8Type: u8, u64::from, |bits| bits as u8;
    UInt16Type: u16, u64::from, |bits| bits as u16;
    UInt32Type: u32, u64::from, |bits| bits as u32;
    UInt64Type: u64, u64::from, u64::from;
    Int64Type: i64, |value| value as u64, |bits| bits as i64;
}

impl Numbered for Date32Type {
    fn number(day: i32) -> u64 {
        u64::from(day.wrapping_add(DAYS_BEFORE) as u32)
    }
    fn of_number(number: u64) -> i32 {
        (number as i32).wrapping_sub(DAYS_BEFORE)
    }
    fn bits(day: i32) -> u64 {
        u64::from(day as u32)
    }
    fn of_bits(bits: u64) -> i32 {
        bits as i32
    }
}

impl Numbered for TimestampMicrosecondType {
    fn number(micros: i64) -> u64 {
        match micros % MICROS {
            0 => (micros / MICROS).wrapping_add(SECONDS_BEFORE) as u64,
            _ => u64::MAX,
        }
    }
    fn of_number(number: u64) -> i64 {
        (number as i64).wrapping_sub(SECONDS_BEFORE).wrapping_mul(MICROS)
    }
    fn bits(micros: i64) -> u64 {
        micros as u64
    }
    fn of_bits(bits: u64) -> i64 {
        bits as i64
    }
}

impl Numbered for Float64Type {
    fn number(value: f64) -> u64 {
        parts_of(value)
    }
    fn of_number(number: u64) -> f64 {
        number_of(number)
    }
    fn bits(value: f64) -> u64 {
        value.to_bits()
    }
    fn of_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
}

/// A column in the narrowest type that holds it.
pub(crate) fn narrowest(column: &ArrayRef) -> ArrayRef {
    narrow_of(column, None).unwrap_or_else(|| Arc::clone(column))
}

/// The same, with the rows in an order; `None` for a column that has no narrow form.
fn narrow_of(column: &ArrayRef, order: Option<&[u32]>) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::Int64 => narrow::<Int64Type>(column, order),
        DataType::UInt32 => narrow::<UInt32Type>(column, order),
        DataType::UInt64 => narrow::<UInt64Type>(column, order),
        DataType::Date32 => narrow::<Date32Type>(column, order),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            narrow::<TimestampMicrosecondType>(column, order)
        }
        DataType::Float64 => narrow::<Float64Type>(column, order),
        _ => None,
    }
}

/// How many hundredths a number is, if it is the number nearest to so many, to
/// the bit; `u64::MAX` for any other.
fn parts_of(number: f64) -> u64 {
    /// Numbers from here on have no fraction: whole ones stand in their low bits.
    const WHOLE: f64 = (1_u64 << 52) as f64;
    let parts = (number * PARTS + WHOLE).to_bits() & u64::from(u32::MAX);
    if number_of(parts).to_bits() == number.to_bits() { parts } else { u64::MAX }
}

fn number_of(parts: u64) -> f64 {
    parts as f64 / PARTS
}

/// What lies under nulls counts as well: it costs bytes at most.
fn narrow<T: Numbered>(column: &ArrayRef, order: Option<&[u32]>) -> Option<ArrayRef> {
    let array = column.as_primitive_opt::<T>()?;
    let bits = array.values().iter().fold(0, |bits, value| bits | T::number(*value));
    let width = array.data_type().primitive_width().unwrap_or(0);
    Some(if u8::try_from(bits).is_ok() {
        in_order::<T, UInt8Type>(array, order, |value| T::number(value) as u8)
    } else if u16::try_from(bits).is_ok() {
        in_order::<T, UInt16Type>(array, order, |value| T::number(value) as u16)
    } else if u32::try_from(bits).is_ok() && width > size_of::<u32>() {
        in_order::<T, UInt32Type>(array, order, |value| T::number(value) as u32)
    } else if order.is_some() {
        in_order::<T, T>(array, order, |value| value)
    } else {
        Arc::clone(column)
    })
}

/// Each value as another, in an order.
fn in_order<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &PrimitiveArray<F>,
    order: Option<&[u32]>,
    value: impl Fn(F::Native) -> T::Native,
) -> ArrayRef {
    let Some(order) = order else { return Arc::new(array.unary::<_, T>(value)) };
    let values = array.values();
    let taken: Vec<T::Native> = order.iter().map(|row| value(values[*row as usize])).collect();
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| {
        BooleanBuffer::collect_bool(order.len(), |row| nulls.is_valid(order[row] as usize))
    });
    Arc::new(PrimitiveArray::<T>::new(taken.into(), nulls.map(NullBuffer::new)))
}

/// A column that [`narrowed`] gave in a type that holds as much or more, up to
/// its own.
pub(crate) fn widened(column: &ArrayRef, kind: &DataType) -> ArrayRef {
    let wide = match column.data_type() {
        found if found == kind => None,
        DataType::UInt8 => wide(column.as_primitive::<UInt8Type>(), kind),
        DataType::UInt16 => wide(column.as_primitive::<UInt16Type>(), kind),
        DataType::UInt32 => wide(column.as_primitive::<UInt32Type>(), kind),
        _ => None,
    };
    wide.unwrap_or_else(|| Arc::clone(column))
}

fn wide<F: Numbered>(array: &PrimitiveArray<F>, kind: &DataType) -> Option<ArrayRef> {
    Some(match kind {
        DataType::UInt16 => to::<F, UInt16Type>(array),
        DataType::UInt32 => to::<F, UInt32Type>(array),
        DataType::Int64 => to::<F, Int64Type>(array),
        DataType::UInt64 => to::<F, UInt64Type>(array),
        DataType::Date32 => to::<F, Date32Type>(array),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            to::<F, TimestampMicrosecondType>(array)
        }
        DataType::Float64 => to::<F, Float64Type>(array),
        _ => return None,
    })
}

fn to<F: Numbered, T: Numbered>(array: &PrimitiveArray<F>) -> ArrayRef {
    Arc::new(array.unary::<_, T>(|value| T::of_number(F::bits(value))))
}

/// A column of rows in narrow form, in its own type.
pub(crate) fn column_of<T: ArrowPrimitiveType>(
    rows: &RecordBatch,
    name: &str,
) -> Option<PrimitiveArray<T>> {
    let column = widened(rows.column_by_name(name)?, &T::DATA_TYPE);
    column.as_primitive_opt::<T>().cloned()
}

/// Bytes of all texts of a column, one after the other; `None` if it has none.
pub(crate) fn bytes_of_texts(column: &dyn Array) -> Option<u64> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        let offsets = texts.value_offsets();
        return Some((offsets[texts.len()] - offsets[0]) as u64);
    }
    let dictionary = column.as_any_dictionary_opt()?;
    let texts = dictionary.values().as_string_opt::<i32>()?;
    let lengths: Vec<u64> = texts.offsets().lengths().map(|length| length as u64).collect();
    let keys = dictionary.keys();
    match keys.data_type() {
        DataType::UInt8 => Some(sum_of(keys.as_primitive::<UInt8Type>(), &lengths)),
        DataType::UInt16 => Some(sum_of(keys.as_primitive::<UInt16Type>(), &lengths)),
        DataType::UInt32 => Some(sum_of(keys.as_primitive::<UInt32Type>(), &lengths)),
        DataType::Int32 => Some(sum_of(keys.as_primitive::<Int32Type>(), &lengths)),
        _ => None,
    }
}

/// The sum of the numbers at the places that keys name.
fn sum_of<K: ArrowDictionaryKeyType>(keys: &PrimitiveArray<K>, numbers: &[u64]) -> u64 {
    let number = |key: &K::Native| numbers.get(key.as_usize()).copied().unwrap_or(0);
    match keys.nulls() {
        None => keys.values().iter().map(number).sum(),
        Some(nulls) => nulls.valid_indices().map(|row| number(&keys.values()[row])).sum(),
    }
}

/// Which of the types that a narrow column may have holds more.
pub(crate) fn rank(kind: &DataType) -> u8 {
    match kind {
        DataType::UInt8 => 0,
        DataType::UInt16 => 1,
        DataType::UInt32 => 2,
        _ => 3,
    }
}

/// Rows in narrow form with every column of the schema, in its types.
pub(crate) fn whole(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(array) => widened(array, field.data_type()),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Float64Array, Int64Array};

    use super::*;

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

    #[test]
    fn amounts_take_no_more_bytes_than_they_need() {
        let width = |values: Vec<f64>| {
            let column: ArrayRef = Arc::new(Float64Array::from(values.clone()));
            let narrow = narrowest(&column);
            let wide = widened(&narrow, &DataType::Float64);
            let bits = |value: &f64| value.to_bits();
            let found = wide.as_primitive::<Float64Type>().values().iter().map(bits);
            assert!(found.eq(values.iter().map(bits)), "{values:?}");
            narrow.data_type().primitive_width()
        };
        assert_eq!(width(vec![0.0, 2.55]), Some(1));
        assert_eq!(width(vec![0.1, 655.35]), Some(2));
        assert_eq!(width(vec![655.36, 42_949_672.95]), Some(4));
        for other in
            [42_949_672.96, 0.001, -1.0, -0.0, 0.1 + 0.2, 1e300, f64::NAN, f64::INFINITY, 5e-324]
        {
            assert_eq!(width(vec![1.5, other]), Some(8), "{other}");
        }
    }
}
