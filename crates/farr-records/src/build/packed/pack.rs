//! Rows to bytes.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, NullBufferBuilder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use super::{COUNT_BYTES, flag};
use crate::narrow::{Numbered, byte_width, widened};

/// Some rows of a batch, column by column as the schema has them.
pub(crate) struct Run<'a> {
    pub(crate) columns: &'a [Option<ArrayRef>],
    pub(crate) rows: Range<usize>,
}

/// Puts rows, one run below the other, behind what is there. Some runs may have
/// texts where others have keys of the column at a place: the keys' are looked up then.
pub(crate) fn pack(
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
        let width = byte_width(bounds.or) as u8;
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
