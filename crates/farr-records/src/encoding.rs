//! Which columns of whole numbers Parquet keeps as the differences of
//! neighbours, not as places in a dictionary. Rows lie by person and time, so
//! that the next date or reference is near as a rule: then differences take
//! less room, and no table of distinct values has to be kept.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type,
};

use crate::narrow::widened;
use crate::schema::Kind;
use crate::{Scope, Table};

/// Columns that may be kept as differences.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    /// Whose values come once, so that a dictionary is of no use.
    pub(crate) unique: Vec<&'static str>,
    /// Whose neighbours may be near to each other.
    pub(crate) near: Vec<&'static str>,
}

impl Sequences {
    /// Those of a table: its ids; persons, dates, times, and references to
    /// persons' rows. Concepts, places and providers are few and come in any order.
    pub(crate) fn of(table: Table) -> Self {
        let is_of_site = |name: &str| {
            Table::ALL
                .into_iter()
                .any(|other| other.scope() == Scope::Site && other.id_column() == Some(name))
        };
        let near = table.columns().iter().filter(|column| match column.kind {
            Kind::Person | Kind::Date | Kind::Datetime => true,
            Kind::Id => !is_of_site(column.name),
            _ => false,
        });
        Self {
            unique: table.id_column().into_iter().collect(),
            near: near.map(|column| column.name).collect(),
        }
    }
}

/// How far a value is from the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// Differences take about what places in a dictionary take, of which each
    /// value comes several times in a row group, or less.
    Near,
    Far,
    /// Differences take as much as the values.
    Scattered,
}

/// Values that Parquet packs to the same number of bits.
const BLOCK: usize = 32;

/// One block in so many is looked at.
const SAMPLED: usize = 8;

const NEAR_BITS_MAX: u32 = 17;
const FAR_BITS_MAX: u32 = 56;

/// How far neighbours in a column of a kind, in narrow form or not, are from
/// each other. Depends on its values alone.
pub(crate) fn steps(column: &ArrayRef, kind: &DataType) -> Steps {
    if let DataType::Timestamp(..) = kind {
        return if has_scattered_times(column, kind) { Steps::Near } else { Steps::Far };
    }
    let bits = match column.data_type() {
        DataType::UInt8 => step_bits::<UInt8Type>(column, i64::from),
        DataType::UInt16 => step_bits::<UInt16Type>(column, i64::from),
        DataType::UInt32 => step_bits::<UInt32Type>(column, i64::from),
        DataType::Int64 => step_bits::<Int64Type>(column, |value| value),
        DataType::Date32 => step_bits::<Date32Type>(column, i64::from),
        _ => None,
    };
    match bits {
        Some(..=NEAR_BITS_MAX) => Steps::Near,
        None | Some(..=FAR_BITS_MAX) => Steps::Far,
        Some(_) => Steps::Scattered,
    }
}

/// Whether most values of a column of local dates and times have a time of day
/// and differ from the last. They hardly come twice: differences take more than
/// a date's, but less than a dictionary with a value for each.
fn has_scattered_times(column: &ArrayRef, kind: &DataType) -> bool {
    const DAY: i64 = 86_400_000_000;
    let (mut known, mut scattered) = (0, 0);
    for start in (0..column.len()).step_by(BLOCK * SAMPLED) {
        let block = column.slice(start, BLOCK.min(column.len() - start));
        let block = widened(&block, kind);
        let Some(times) = block.as_primitive_opt::<TimestampMicrosecondType>() else { continue };
        let mut last = None;
        for time in times.iter().flatten() {
            known += 1;
            scattered += usize::from(time % DAY != 0 && last.replace(time) != Some(time));
        }
    }
    scattered * 3 > known * 2
}

/// About how many bits the difference to the last value takes.
fn step_bits<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    value: impl Fn(T::Native) -> i64,
) -> Option<u32> {
    let array = column.as_primitive_opt::<T>()?;
    let (mut bits, mut blocks) = (0, 0);
    for start in (0..array.len()).step_by(BLOCK * SAMPLED) {
        let rows = start..array.len().min(start + BLOCK);
        let mut valid = rows.filter(|row| array.is_valid(*row)).map(|row| value(array.value(row)));
        let Some(mut last) = valid.next() else { continue };
        let widest = valid.fold(0, |widest, next| {
            let step = next.wrapping_sub(std::mem::replace(&mut last, next));
            widest | step.unsigned_abs()
        });
        // Packed above the least of a block: steps back take a bit more.
        bits += u64::BITS - widest.leading_zeros() + 1;
        blocks += 1;
    }
    (blocks > 0).then(|| bits.div_ceil(blocks))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::TimeUnit;
    use proptest::prelude::*;

    use super::*;
    use crate::narrow::narrowest;

    #[test]
    fn persons_dates_and_references_may_be_near() {
        let found = Sequences::of(Table::VisitOccurrence);
        assert_eq!(found.unique, ["visit_occurrence_id"]);
        assert_eq!(
            found.near,
            [
                "visit_occurrence_id",
                "person_id",
                "visit_start_date",
                "visit_start_datetime",
                "visit_end_date",
                "visit_end_datetime",
                "preceding_visit_occurrence_id"
            ]
        );
    }

    #[test]
    fn what_is_near() {
        let of = |values: Vec<Option<i64>>| {
            steps(&(Arc::new(Int64Array::from(values)) as ArrayRef), &DataType::Int64)
        };
        assert_eq!(of((0..1000).map(|i| Some((1 << 60) | (i / 3))).collect()), Steps::Near);
        assert_eq!(of((0..1000).map(|i| (i % 2 == 0).then_some(i)).collect()), Steps::Near);
        assert_eq!(of((0..1000).map(|i| Some((i % 10) << 40)).collect()), Steps::Far);
        let scattered = |i: u64| Some(i.wrapping_mul(0x9E37_79B9_7F4A_7C15) as i64);
        assert_eq!(of((0..1000).map(scattered).collect()), Steps::Scattered);
        assert_eq!(of(vec![None; 100]), Steps::Far);
        assert_eq!(of(vec![]), Steps::Far);
        let days: Vec<i32> = (0..1000).map(|i| i * 7919 % 20_000).collect();
        let days: ArrayRef = Arc::new(Date32Array::from(days));
        assert_eq!(steps(&days, &DataType::Date32), Steps::Near);
        let kind = DataType::Timestamp(TimeUnit::Microsecond, None);
        let of = |seconds: fn(i64) -> i64| {
            let times = (0..1000).map(|i| seconds(i) * 1_000_000);
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(times));
            assert_eq!(steps(&narrowest(&times), &kind), steps(&times, &kind));
            steps(&times, &kind)
        };
        assert_eq!(of(|i| i * 7919), Steps::Near);
        assert_eq!(of(|i| i * 86_400), Steps::Far);
        assert_eq!(of(|i| i / 4 * 7919), Steps::Far);
    }

    proptest! {
        #[test]
        fn narrow_columns_are_judged_like_wide_ones(
            values in prop::collection::vec(prop::option::of(-5_i64..200_000), 0..600),
        ) {
            let wide: ArrayRef = Arc::new(Int64Array::from(values));
            let kind = DataType::Int64;
            prop_assert_eq!(steps(&narrowest(&wide), &kind), steps(&wide, &kind));
        }
    }
}
