//! Rows at rest as bytes, segment by segment: a segment's columns one behind the
//! other, each number in as few bytes as the segment's largest takes, and what is the
//! same in all rows once. Columns that are null throughout are left out.

use std::borrow::Cow;
use std::ops::Range;
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

use super::divided::{PROVENANCE, Slice};
use super::texts::TextTables;
use crate::Table;
use crate::narrow::{Numbered, widened};

/// What is said of a column in front of its values.
mod flag {
    /// Texts, not numbers.
    pub(super) const TEXTS: u8 = 1;
    /// Numbers of the column's own type, not of the narrow form.
    pub(super) const OWN: u8 = 2;
    /// One value, which all rows have.
    pub(super) const CONSTANT: u8 = 4;
    /// A bit for each row in front: whether it has a value.
    pub(super) const NULLS: u8 = 8;
    /// Values only for rows that have one.
    pub(super) const SPARSE: u8 = 16;
}

/// Bytes of the number of rows, and of a text's length.
const COUNT_BYTES: usize = size_of::<u32>();

/// Some rows of a batch, column by column as the schema has them.
pub(super) struct Run<'a> {
    pub(super) columns: &'a [Option<ArrayRef>],
    pub(super) rows: Range<usize>,
}

/// Puts rows, one run below the other, behind what is there. Some runs may have
/// texts where others have keys of the column at a place: the keys' are looked up then.
pub(super) fn pack(
    schema: &Schema,
    runs: &[Run<'_>],
    texts_of: &dyn Fn(usize, &ArrayRef) -> Result<ArrayRef, ArrowError>,
    bytes: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    let rows: usize = runs.iter().map(|run| run.rows.len()).sum();
    bytes.extend_from_slice(&(rows as u32).to_le_bytes());
    let count = bytes.len();
    bytes.push(0);
    for (place, field) in schema.fields().iter().enumerate() {
        let columns = runs.iter().map(|run| (run.columns[place].as_ref(), run.rows.clone()));
        let texts_of = |keys: &ArrayRef| texts_of(place, keys);
        if let Some(column) = ToPack::of(columns.collect(), field.data_type(), &texts_of)? {
            column.pack(place as u8, bytes);
            bytes[count] += 1;
        }
    }
    Ok(())
}

/// A column, run by run: all of one kind.
struct ToPack<'a> {
    /// Each run's values; `None` if it has none.
    runs: Vec<(Option<Cow<'a, ArrayRef>>, Range<usize>)>,
    kind: u8,
    rows: usize,
    valid: usize,
}

impl<'a> ToPack<'a> {
    /// `None` if no row has a value.
    fn of(
        runs: Vec<(Option<&'a ArrayRef>, Range<usize>)>,
        own: &DataType,
        texts_of: &dyn Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>,
    ) -> Result<Option<Self>, ArrowError> {
        let rows = runs.iter().map(|(_, rows)| rows.len()).sum();
        let valid = |(column, rows): &(Option<&ArrayRef>, Range<usize>)| {
            let nulls = column.map(|column| column.nulls().filter(|nulls| nulls.null_count() > 0));
            nulls.map_or(0, |nulls| match nulls {
                Some(nulls) => rows.len() - nulls.slice(rows.start, rows.len()).null_count(),
                None => rows.len(),
            })
        };
        let valid = runs.iter().map(valid).sum();
        if valid == 0 {
            return Ok(None);
        }
        let is_own = |column: &ArrayRef| column.data_type() == own;
        let any_own = runs.iter().any(|(column, _)| column.is_some_and(is_own));
        let has_own = matches!(
            own,
            DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..) | DataType::Float64
        );
        let kind = match own {
            DataType::Utf8 if any_own => flag::TEXTS,
            _ if any_own && has_own => flag::OWN,
            _ => 0,
        };
        let of_kind = |(column, rows): (Option<&'a ArrayRef>, Range<usize>)| {
            let Some(column) = column else { return Ok((None, rows)) };
            if kind == 0 || is_own(column) {
                return Ok((Some(Cow::Borrowed(column)), rows));
            }
            let part = column.slice(rows.start, rows.len());
            let part = match kind {
                flag::TEXTS => texts_of(&part)?,
                _ => widened(&part, own),
            };
            Ok((Some(Cow::Owned(part)), 0..rows.len()))
        };
        let runs = runs.into_iter().map(of_kind).collect::<Result<_, ArrowError>>()?;
        Ok(Some(Self { runs, kind, rows, valid }))
    }

    fn pack(&self, place: u8, bytes: &mut Vec<u8>) {
        let nulls = if self.valid < self.rows { flag::NULLS } else { 0 };
        if self.kind == flag::TEXTS {
            bytes.extend_from_slice(&[place, flag::TEXTS | nulls, COUNT_BYTES as u8]);
            self.put_nulls(bytes);
            self.put_texts(bytes);
            return;
        }
        let mut bounds = Bounds { or: 0, and: u64::MAX };
        self.visit(&mut bounds);
        let width = ((u64::BITS - bounds.or.leading_zeros()).div_ceil(u8::BITS) as u8).max(1);
        if nulls == 0 && bounds.or == bounds.and {
            bytes.extend_from_slice(&[place, self.kind | flag::CONSTANT, width]);
            bytes.extend_from_slice(&bounds.or.to_le_bytes()[..usize::from(width)]);
            return;
        }
        let sparse = if self.valid * 2 < self.rows { flag::SPARSE } else { 0 };
        bytes.extend_from_slice(&[place, self.kind | nulls | sparse, width]);
        self.put_nulls(bytes);
        if sparse == 0 {
            put(width, bytes, |put| self.visit(put));
            return;
        }
        let mut numbers = Numbers(Vec::with_capacity(self.rows));
        self.visit(&mut numbers);
        let numbers: Vec<u64> = self.nulls().valid_indices().map(|row| numbers.0[row]).collect();
        put(width, bytes, |put| put.take(numbers.iter().copied()));
    }

    fn nulls(&self) -> NullBuffer {
        let mut nulls = NullBufferBuilder::new(self.rows);
        for (column, rows) in &self.runs {
            match column.as_ref().map(|column| column.nulls()) {
                None => nulls.append_n_nulls(rows.len()),
                Some(None) => nulls.append_n_non_nulls(rows.len()),
                Some(Some(of_run)) => nulls.append_buffer(&of_run.slice(rows.start, rows.len())),
            }
        }
        nulls.finish().unwrap_or_else(|| NullBuffer::new_valid(self.rows))
    }

    fn put_nulls(&self, bytes: &mut Vec<u8>) {
        if self.valid < self.rows {
            // Made anew, they start at a byte.
            bytes.extend_from_slice(&self.nulls().validity()[..self.rows.div_ceil(8)]);
        }
    }

    fn put_texts(&self, bytes: &mut Vec<u8>) {
        let mut texts = String::new();
        for (column, rows) in &self.runs {
            let column = column.as_ref().and_then(|column| column.as_string_opt::<i32>());
            for row in rows.clone() {
                let text = column.filter(|c| c.is_valid(row)).map_or("", |c| c.value(row));
                bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                texts.push_str(text);
            }
        }
        bytes.extend_from_slice(texts.as_bytes());
    }

    /// Shows the number of each row; of those without a value any.
    fn visit(&self, visitor: &mut impl Visitor) {
        for (column, rows) in &self.runs {
            let Some(column) = column else {
                visitor.take(std::iter::repeat_n(0, rows.len()));
                continue;
            };
            let rows = rows.clone();
            match column.data_type() {
                DataType::UInt8 => visit::<UInt8Type>(column, rows, visitor),
                DataType::UInt16 => visit::<UInt16Type>(column, rows, visitor),
                DataType::UInt32 => visit::<UInt32Type>(column, rows, visitor),
                DataType::Int64 => visit::<Int64Type>(column, rows, visitor),
                DataType::UInt64 => visit::<UInt64Type>(column, rows, visitor),
                DataType::Date32 => visit::<Date32Type>(column, rows, visitor),
                DataType::Float64 => visit::<Float64Type>(column, rows, visitor),
                DataType::Timestamp(TimeUnit::Microsecond, None) => {
                    visit::<TimestampMicrosecondType>(column, rows, visitor);
                }
                _ => {
                    let values = column.as_boolean_opt().map(BooleanArray::values);
                    let value = |row: usize| values.is_some_and(|values| values.value(row)).into();
                    visitor.take(rows.map(value));
                }
            }
        }
    }
}

/// Is shown numbers, some at a time.
trait Visitor {
    fn take(&mut self, numbers: impl ExactSizeIterator<Item = u64>);
}

fn visit<T: Numbered>(column: &ArrayRef, rows: Range<usize>, visitor: &mut impl Visitor) {
    let Some(column) = column.as_primitive_opt::<T>() else { return };
    visitor.take(column.values()[rows].iter().map(|value| T::bits(*value)));
}

/// The bits that some and that all numbers have.
struct Bounds {
    or: u64,
    and: u64,
}

impl Visitor for Bounds {
    fn take(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        let both = |(or, and), number| (or | number, and & number);
        (self.or, self.and) = numbers.fold((self.or, self.and), both);
    }
}

struct Numbers(Vec<u64>);

impl Visitor for Numbers {
    fn take(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        self.0.extend(numbers);
    }
}

/// Puts numbers of so many bytes.
struct Put<'a> {
    width: u8,
    bytes: &'a mut Vec<u8>,
}

fn put(width: u8, bytes: &mut Vec<u8>, visit: impl FnOnce(&mut Put<'_>)) {
    visit(&mut Put { width, bytes });
}

impl Put<'_> {
    fn put<const WIDTH: usize>(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        let start = self.bytes.len();
        self.bytes.resize(start + numbers.len() * WIDTH, 0);
        let (places, _) = self.bytes[start..].as_chunks_mut::<WIDTH>();
        for (place, number) in places.iter_mut().zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes()[..WIDTH]);
        }
    }
}

impl Visitor for Put<'_> {
    fn take(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        match self.width {
            1 => self.put::<1>(numbers),
            2 => self.put::<2>(numbers),
            3 => self.put::<3>(numbers),
            4 => self.put::<4>(numbers),
            5 => self.put::<5>(numbers),
            6 => self.put::<6>(numbers),
            7 => self.put::<7>(numbers),
            _ => self.put::<8>(numbers),
        }
    }
}

/// The rows of segments of a table, one below the other, in narrow form and in the
/// schema's order of columns; without those that no row has, the first apart.
pub(super) fn unpacked(
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

fn broken(what: &str) -> ArrowError {
    ArrowError::ParseError(format!("rows at rest with {what}"))
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

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use proptest::prelude::*;

    use super::super::at_rest::spill_schema;
    use super::super::buffers::all_columns;
    use super::super::divided::{Divided, Origin, joined};
    use super::super::texts::{Texts, plain};
    use super::*;
    use crate::Line;
    use crate::narrow::whole;

    const TABLE: Table = Table::Measurement;

    /// A person, and a number and a text that the other columns are made of.
    type Row = (i64, Option<i64>, Option<String>);

    /// Every width and both sides of each bound; the same over and over; or nothing.
    fn number() -> impl Strategy<Value = Option<i64>> {
        let bound =
            (0..64_u32, -2..3_i64).prop_map(|(bits, near)| (1_i64 << bits).wrapping_add(near));
        let number = prop_oneof![3 => bound, 3 => Just(7), 1 => any::<i64>()];
        prop_oneof![3 => number.prop_map(Some), 1 => Just(None)]
    }

    fn batch() -> impl Strategy<Value = Vec<Row>> {
        let row = (0..6_i64, number(), prop::option::of("[a-c]{0,2}"));
        let rows = prop::collection::vec(row, 1..30);
        (rows, prop::sample::select(vec![0, 1, 2, 3])).prop_map(|(mut rows, manner)| {
            for (place, row) in rows.iter_mut().enumerate() {
                match manner {
                    // Few have a value.
                    0 if place % 4 > 0 => row.1 = None,
                    1 => row.1 = Some(300),
                    2 => row.2 = None,
                    _ => {}
                }
            }
            rows
        })
    }

    fn rows_of(batch: &[Row], lacks: u8) -> RecordBatch {
        let numbers = || batch.iter().map(|row| row.1);
        let ids = Int64Array::from_iter_values(batch.iter().map(|row| row.0));
        let texts: StringArray = batch.iter().map(|row| row.2.as_deref()).collect();
        let days: Date32Array = numbers().map(|n| n.map(|n| n as i32)).collect();
        let seconds = |n: i64| if n % 3 == 0 { n } else { (n % (1 << 33)) * 1_000_000 };
        let times: TimestampMicrosecondArray = numbers().map(|n| n.map(seconds)).collect();
        let amounts: Float64Array = numbers()
            .map(|n| {
                n.map(|n| if n % 5 == 0 { f64::from_bits(n as u64) } else { n as f64 / 100.0 })
            })
            .collect();
        let columns: [(&str, ArrayRef); 5] = [
            ("measurement_concept_id", Arc::new(numbers().collect::<Int64Array>())),
            ("measurement_date", Arc::new(days)),
            ("measurement_datetime", Arc::new(times)),
            ("value_as_number", Arc::new(amounts)),
            ("measurement_source_value", Arc::new(texts)),
        ];
        let kept = (0..).zip(columns).filter(|(place, _)| lacks & (1 << place) == 0);
        let kept = kept.map(|(_, (name, column))| (name, column, true));
        let person: ArrayRef = Arc::new(ids);
        RecordBatch::try_from_iter_with_nullable(
            [("person_id", person, true)].into_iter().chain(kept),
        )
        .unwrap()
    }

    proptest! {
        /// The slow way: each part's slices of all batches below each other.
        #[test]
        fn rows_at_rest_come_back(
            batches in prop::collection::vec((batch(), prop_oneof![Just(0), any::<u8>()]), 1..6),
            parts in prop::sample::select(vec![1_u32, 4, 256, 2048]),
        ) {
            let known = Texts::default();
            let divided = |(place, (batch, lacks)): (usize, &(Vec<Row>, u8))| {
                let lines = (0..batch.len() as u64).map(Line).collect();
                let origin = Origin { source_table: 0, object: place as u32, stands: place < 3 };
                let rows = known.shared(TABLE, &rows_of(batch, *lacks)).unwrap();
                Divided::of(TABLE, &rows, lines, origin).unwrap()
            };
            let divided: Vec<Divided> = batches.iter().enumerate().map(divided).collect();
            let schema = spill_schema(TABLE, all_columns(TABLE));
            let texts = known.of(TABLE);
            let texts_of = |place: usize, keys: &ArrayRef| texts.texts_of(TABLE, place, keys);
            let columns: Vec<_> = divided.iter().map(|divided| divided.columns(&schema)).collect();
            let each = divided[0].parts() / parts;
            let mut segments = Vec::new();
            for part in 0..parts {
                let runs = divided.iter().zip(&columns).map(|(divided, columns)| {
                    Run { columns, rows: divided.rows_of(part * each..(part + 1) * each) }
                });
                let mut bytes = Vec::new();
                pack(&schema, &runs.collect::<Vec<_>>(), &texts_of, &mut bytes).unwrap();
                segments.push(Buffer::from_vec(bytes));
            }
            let whole_rows = |rows: &RecordBatch| whole(&plain(rows).unwrap(), &schema).unwrap();
            let divided = divided.into_iter().map(|divided| divided.with_texts(TABLE, &texts));
            let divided: Vec<Divided> = divided.collect::<Result<_, _>>().unwrap();
            let slices = (0..parts).flat_map(|part| {
                divided.iter().map(move |divided| divided.slice(part * each..(part + 1) * each))
            });
            let expected = joined(&schema, &slices.collect::<Vec<_>>()).unwrap();
            let unpacked = unpacked(TABLE, &schema, &segments, &texts).unwrap();
            prop_assert_eq!(unpacked.rows.num_rows(), expected.num_rows());
            prop_assert_eq!(whole_rows(&unpacked.rows), whole_rows(&expected));
        }
    }

    #[test]
    fn numbers_take_no_more_bytes_than_the_largest_needs() {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let bytes_of = |numbers: Vec<Option<i64>>| {
            let rows = 0..numbers.len();
            let columns = [Some(Arc::new(Int64Array::from(numbers)) as ArrayRef)];
            let mut bytes = Vec::new();
            let none = |_: usize, _: &ArrayRef| Err(broken("no texts"));
            pack(&schema, &[Run { columns: &columns, rows }], &none, &mut bytes).unwrap();
            bytes.len() - COUNT_BYTES - 1
        };
        let head = 3;
        assert_eq!(bytes_of(vec![None; 9]), 0);
        assert_eq!(bytes_of(vec![Some(0); 9]), head + 1);
        assert_eq!(bytes_of(vec![Some(1 << 39); 9]), head + 5);
        assert_eq!(bytes_of((0..9).map(Some).collect()), head + 9);
        assert_eq!(bytes_of((0..9).map(|n| Some(n << 36)).collect()), head + 9 * 5);
        assert_eq!(bytes_of((0..9).map(|n| Some(-n)).collect()), head + 9 * 8);
        // A bit for each row, and bytes for those that have a value.
        let few = |n: i64| (n % 4 == 0).then_some(n);
        assert_eq!(bytes_of((0..16).map(few).collect()), head + 2 + 4);
    }

    #[test]
    fn cut_short_they_are_an_error() {
        let schema = spill_schema(TABLE, all_columns(TABLE));
        let rows = rows_of(&[(1, Some(1), Some("a".to_owned())), (2, None, None)], 0);
        let origin = Origin { source_table: 0, object: 0, stands: true };
        let texts = Texts::default();
        let rows = texts.shared(TABLE, &rows).unwrap();
        let divided = Divided::of(TABLE, &rows, vec![Line(1), Line(2)], origin).unwrap();
        let (columns, texts) = (divided.columns(&schema), texts.of(TABLE));
        let mut bytes = Vec::new();
        let none = |_: usize, _: &ArrayRef| Err(broken("no texts"));
        pack(&schema, &[Run { columns: &columns, rows: 0..2 }], &none, &mut bytes).unwrap();
        let read = |end: usize| {
            unpacked(TABLE, &schema, &[Buffer::from(&bytes[..end])], &texts).map(|rows| rows.len())
        };
        assert_eq!(read(bytes.len()).unwrap(), 2);
        assert!((0..bytes.len()).all(|end| read(end).is_err()));
    }
}
