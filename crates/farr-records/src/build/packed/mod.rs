//! Rows at rest as bytes, segment by segment: how many rows and columns, then the
//! columns one behind the other, each number in as few bytes as the segment's largest
//! takes, and what is the same in all rows once. Columns that are null throughout are
//! left out.

mod pack;
mod unpack;

use arrow::error::ArrowError;

pub(super) use pack::{Run, pack};
pub(super) use unpack::unpacked;

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

fn broken(what: &str) -> ArrowError {
    ArrowError::ParseError(format!("rows at rest with {what}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    };
    use arrow::buffer::Buffer;
    use arrow::datatypes::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::super::at_rest::spill_schema;
    use super::super::buffers::all_columns;
    use super::super::divided::{Divided, Origin, joined};
    use super::super::texts::{Texts, plain};
    use super::*;
    use crate::narrow::whole;
    use crate::{Line, Table};

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
