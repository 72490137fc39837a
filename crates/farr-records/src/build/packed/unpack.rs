//! Bytes to rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, NullBufferBuilder, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringBuilder, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Float64Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use super::super::divided::{PROVENANCE, Slice};
use super::super::texts::TextTables;
use super::{COUNT_BYTES, broken, flag};
use crate::Table;
use crate::narrow::Numbered;

/// The rows of segments of a table, one below the other, in narrow form and in the
/// schema's order of columns; without those that no row has, the first apart.
pub(crate) fn unpacked(
    table: Table,
    schema: &Schema,
    segments: &[Buffer],
    texts: &TextTables,
) -> Result<Slice, ArrowError> {
    let segments = segments.iter().map(|bytes| Packed::of(bytes));
    let segments = segments.collect::<Result<Vec<_>, ArrowError>>()?;
    let rows = segments.iter().map(|segment| segment.rows).sum();
    let own = table.columns().iter().map(|column| column.name);
    let names: Vec<&str> = own.chain(PROVENANCE.iter().map(|(name, _)| *name)).collect();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (number, field) in schema.fields().iter().enumerate() {
        let place = names.iter().position(|name| name == field.name());
        let place = place.ok_or_else(|| broken("a column that the table lacks"))?;
        let of_segments = segments.iter().map(|segment| {
            let column = segment.columns.iter().find(|column| usize::from(column.place) == place);
            (column.copied(), segment.rows)
        });
        let parts = Parts { of_segments: of_segments.collect(), rows };
        if number > 0 && parts.packed().next().is_none() {
            continue;
        }
        let column = parts.unpack(field.data_type(), &|keys| texts.keyed_of(table, place, keys))?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let rows = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
    Ok(Slice { rows, origin: None })
}

/// A segment, looked into.
struct Packed<'a> {
    rows: usize,
    columns: Vec<PackedColumn<'a>>,
}

/// A column of a segment.
#[derive(Clone, Copy)]
struct PackedColumn<'a> {
    place: u8,
    flags: u8,
    /// Bytes of a number.
    width: u8,
    rows: usize,
    /// A bit for each row, if some have no value.
    nulls: Option<&'a [u8]>,
    values: &'a [u8],
    /// Texts one behind the other, the lengths of which `values` are.
    texts: &'a [u8],
}

impl<'a> Packed<'a> {
    fn of(mut bytes: &'a [u8]) -> Result<Self, ArrowError> {
        let count = take(&mut bytes, COUNT_BYTES)?.first_chunk().copied().unwrap_or_default();
        let rows = u32::from_le_bytes(count) as usize;
        let count = take(&mut bytes, 1)?[0];
        let columns = (0..count).map(|_| PackedColumn::of(&mut bytes, rows));
        let columns = columns.collect::<Result<_, ArrowError>>()?;
        if bytes.is_empty() { Ok(Self { rows, columns }) } else { Err(broken("bytes left over")) }
    }
}

/// The next bytes.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], ArrowError> {
    bytes.split_off(..count).ok_or_else(|| broken("fewer bytes than they should have"))
}

fn lengths(values: &[u8]) -> impl Iterator<Item = usize> {
    values.as_chunks::<COUNT_BYTES>().0.iter().map(|length| u32::from_le_bytes(*length) as usize)
}

impl<'a> PackedColumn<'a> {
    fn of(bytes: &mut &'a [u8], rows: usize) -> Result<Self, ArrowError> {
        let [place, flags, width] = take(bytes, 3)?.first_chunk().copied().unwrap_or_default();
        if !(1..=size_of::<u64>()).contains(&usize::from(width)) {
            return Err(broken("numbers of a width that cannot be"));
        }
        let is = |flag: u8| flags & flag != 0;
        let is_plain = usize::from(width) == COUNT_BYTES && !is(flag::CONSTANT | flag::SPARSE);
        if is(flag::TEXTS) && !is_plain {
            return Err(broken("texts of a form that cannot be"));
        }
        let nulls = is(flag::NULLS).then(|| take(bytes, rows.div_ceil(8))).transpose()?;
        let values = match nulls {
            _ if is(flag::CONSTANT) => 1,
            Some(nulls) if is(flag::SPARSE) => {
                BooleanBuffer::new(nulls.into(), 0, rows).count_set_bits()
            }
            _ => rows,
        };
        let values = take(bytes, values * usize::from(width))?;
        let texts = if is(flag::TEXTS) { lengths(values).sum() } else { 0 };
        let texts = take(bytes, texts)?;
        Ok(Self { place, flags, width, rows, nulls, values, texts })
    }

    fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn nulls(&self) -> Option<NullBuffer> {
        let nulls = self.nulls?;
        Some(NullBuffer::new(BooleanBuffer::new(nulls.into(), 0, self.rows)))
    }

    /// Puts the value of each row behind what is there; of rows without one any.
    fn unpack<N: Copy + Default>(&self, into: &mut Vec<N>, value: impl Fn(u64) -> N + Copy) {
        let end = into.len() + self.rows;
        match self.width {
            1 => self.unpack_wide::<1, N>(into, value),
            2 => self.unpack_wide::<2, N>(into, value),
            3 => self.unpack_wide::<3, N>(into, value),
            4 => self.unpack_wide::<4, N>(into, value),
            5 => self.unpack_wide::<5, N>(into, value),
            6 => self.unpack_wide::<6, N>(into, value),
            7 => self.unpack_wide::<7, N>(into, value),
            _ => self.unpack_wide::<8, N>(into, value),
        }
        into.resize(end, N::default());
    }

    fn unpack_wide<const WIDTH: usize, N: Copy + Default>(
        &self,
        into: &mut Vec<N>,
        value: impl Fn(u64) -> N,
    ) {
        let (numbers, _) = self.values.as_chunks::<WIDTH>();
        let values = numbers.iter().map(|bytes| {
            let mut number = [0; size_of::<u64>()];
            number[..WIDTH].copy_from_slice(bytes);
            value(u64::from_le_bytes(number))
        });
        if self.is(flag::CONSTANT) {
            into.extend(values.flat_map(|value| std::iter::repeat_n(value, self.rows)));
        } else if let Some(nulls) = self.nulls().filter(|_| self.is(flag::SPARSE)) {
            let start = into.len();
            into.resize(start + self.rows, N::default());
            for (row, value) in nulls.valid_indices().zip(values) {
                into[start + row] = value;
            }
        } else {
            into.extend(values);
        }
    }
}

/// A column, segment by segment.
struct Parts<'a> {
    /// `None` for a segment that lacks it, with its rows.
    of_segments: Vec<(Option<PackedColumn<'a>>, usize)>,
    rows: usize,
}

impl Parts<'_> {
    fn packed(&self) -> impl Iterator<Item = &PackedColumn<'_>> {
        self.of_segments.iter().filter_map(|(column, _)| column.as_ref())
    }

    /// The column in the narrowest type that holds what all segments have.
    fn unpack(
        &self,
        own: &DataType,
        keyed: &dyn Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>,
    ) -> Result<ArrayRef, ArrowError> {
        if self.packed().next().is_none() {
            return Ok(new_null_array(own, self.rows));
        }
        if self.packed().any(|column| column.is(flag::TEXTS)) {
            return self.texts(keyed);
        }
        let width = self.packed().map(|column| column.width).max().unwrap_or(1);
        let any_own = self.packed().any(|column| column.is(flag::OWN));
        let column: ArrayRef = match (own, width) {
            (DataType::Boolean, _) => {
                let mut values: Vec<bool> = Vec::with_capacity(self.rows);
                self.each(&mut values, |column, values| column.unpack(values, |n| n != 0));
                Arc::new(BooleanArray::new(values.into(), self.nulls()))
            }
            (_, 1) if !any_own => self.numbers::<UInt8Type>(|number| number as u8),
            (_, 2) if !any_own => self.numbers::<UInt16Type>(|number| number as u16),
            (_, 3 | 4) if !any_own => self.numbers::<UInt32Type>(|number| number as u32),
            (DataType::Int64, _) => self.own::<Int64Type>(),
            (DataType::UInt32, _) => self.own::<UInt32Type>(),
            (DataType::UInt64, _) => self.own::<UInt64Type>(),
            (DataType::Date32, _) => self.own::<Date32Type>(),
            (DataType::Float64, _) => self.own::<Float64Type>(),
            (DataType::Timestamp(TimeUnit::Microsecond, None), _) => {
                self.own::<TimestampMicrosecondType>()
            }
            _ => return Err(broken("numbers that are too large for their column")),
        };
        if *own == DataType::Utf8 { keyed(&column) } else { Ok(column) }
    }

    fn nulls(&self) -> Option<NullBuffer> {
        let mut nulls = NullBufferBuilder::new(self.rows);
        for (column, rows) in &self.of_segments {
            match column.map(|column| column.nulls()) {
                None => nulls.append_n_nulls(*rows),
                Some(None) => nulls.append_n_non_nulls(*rows),
                Some(Some(of_segment)) => nulls.append_buffer(&of_segment),
            }
        }
        nulls.finish()
    }

    fn each<N: Copy + Default>(
        &self,
        values: &mut Vec<N>,
        unpack: impl Fn(&PackedColumn<'_>, &mut Vec<N>),
    ) {
        for (column, rows) in &self.of_segments {
            match column {
                Some(column) => unpack(column, values),
                None => values.resize(values.len() + rows, N::default()),
            }
        }
    }

    fn numbers<T: ArrowPrimitiveType>(&self, value: impl Fn(u64) -> T::Native + Copy) -> ArrayRef {
        let mut values: Vec<T::Native> = Vec::with_capacity(self.rows);
        self.each(&mut values, |column, values| column.unpack(values, value));
        Arc::new(PrimitiveArray::<T>::new(values.into(), self.nulls()))
    }

    fn own<T: Numbered>(&self) -> ArrayRef {
        let mut values: Vec<T::Native> = Vec::with_capacity(self.rows);
        self.each(&mut values, |column, values| {
            if column.is(flag::OWN) {
                column.unpack(values, T::of_bits);
            } else {
                column.unpack(values, T::of_number);
            }
        });
        Arc::new(PrimitiveArray::<T>::new(values.into(), self.nulls()))
    }

    /// Plain texts, of which some segments have keys.
    fn texts(
        &self,
        keyed: &dyn Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>,
    ) -> Result<ArrayRef, ArrowError> {
        let none = || broken("a text that is none");
        let bytes = self.packed().map(|column| column.texts.len()).sum();
        let mut texts = StringBuilder::with_capacity(self.rows, bytes);
        let check = |there: &StringBuilder, more: usize| {
            let bytes = there.values_slice().len() + more;
            i32::try_from(bytes).map_err(|_| ArrowError::OffsetOverflowError(bytes))
        };
        for (column, rows) in &self.of_segments {
            let Some(column) = column else {
                texts.append_nulls(*rows);
                continue;
            };
            if !column.is(flag::TEXTS) {
                let of_segments = vec![(Some(*column), *rows)];
                let keys = Parts { of_segments, rows: *rows }.unpack(&DataType::Utf8, keyed)?;
                let plain = cast(&keys, &DataType::Utf8)?;
                let plain = plain.as_string_opt::<i32>().ok_or_else(none)?;
                check(&texts, plain.values().len())?;
                texts.extend(plain);
                continue;
            }
            check(&texts, column.texts.len())?;
            let (nulls, mut rest) = (column.nulls(), column.texts);
            for (row, length) in lengths(column.values).enumerate() {
                let text = rest.split_off(..length).ok_or_else(none)?;
                if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    texts.append_null();
                } else {
                    texts.append_value(std::str::from_utf8(text).map_err(|_| none())?);
                }
            }
        }
        Ok(Arc::new(texts.finish()) as ArrayRef)
    }
}
