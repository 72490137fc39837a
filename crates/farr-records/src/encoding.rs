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

/// How a value follows the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// Differences take less than a dictionary and places in it: they are small, or
    /// a value does not come again once another has come.
    Near,
    /// As near ones, but differences are all of many bits, and compression finds
    /// nothing in them.
    Wide,
    /// Values rise, and each stays for some rows: differences are zeros as a rule,
    /// which compression takes its time over, and a dictionary has few values.
    Runs,
    /// Values come again and again, in any order.
    Far,
    /// Values hardly come twice, and differences take as much as they do.
    Scattered,
}

/// Values that Parquet packs to the same number of bits.
const BLOCK: usize = 32;

/// One block in so many is looked at.
const SAMPLED: usize = 8;

const NEAR_BITS_MAX: usize = 17;
const WIDE_BITS_MIN: usize = 24;
const RUN_MIN: usize = 4;
const FAR_BITS_MAX: usize = 56;

/// How neighbours in a column of a kind, in narrow form or not, follow each other.
/// Depends on its values alone.
pub(crate) fn steps(column: &ArrayRef, kind: &DataType) -> Steps {
    if let DataType::Timestamp(..) = kind {
        return if has_scattered_times(column, kind) { Steps::Near } else { Steps::Far };
    }
    let sampled = match column.data_type() {
        DataType::UInt8 => Sampled::of::<UInt8Type>(column, i64::from),
        DataType::UInt16 => Sampled::of::<UInt16Type>(column, i64::from),
        DataType::UInt32 => Sampled::of::<UInt32Type>(column, i64::from),
        DataType::Int64 => Sampled::of::<Int64Type>(column, |value| value),
        DataType::Date32 => Sampled::of::<Date32Type>(column, i64::from),
        _ => None,
    };
    sampled.map_or(Steps::Far, |sampled| sampled.steps())
}

/// Whether most of the values of a column of local dates and times that differ from
/// the last have a time of day. They hardly come twice: differences take more than a
/// date's, but less than a dictionary with a value for each.
fn has_scattered_times(column: &ArrayRef, kind: &DataType) -> bool {
    const DAY: i64 = 86_400_000_000;
    let (mut changes, mut scattered) = (0, 0);
    for start in (0..column.len()).step_by(BLOCK * SAMPLED) {
        let block = column.slice(start, BLOCK.min(column.len() - start));
        let block = widened(&block, kind);
        let Some(times) = block.as_primitive_opt::<TimestampMicrosecondType>() else { continue };
        let mut last = None;
        for time in times.iter().flatten() {
            if last.replace(time) != Some(time) {
                changes += 1;
                scattered += usize::from(time % DAY != 0);
            }
        }
    }
    scattered * 3 > changes * 2
}

/// What some blocks of values are like.
#[derive(Default)]
struct Sampled {
    blocks: usize,
    values: usize,
    /// Bits that differences take, about, of all blocks.
    bits: usize,
    /// Values that differ from the last, and those of them that the block has had.
    changes: usize,
    returns: usize,
    /// Whether any is less than the last.
    falls: bool,
}

impl Sampled {
    /// `None` if none has a value.
    fn of<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        value: impl Fn(T::Native) -> i64,
    ) -> Option<Self> {
        let array = column.as_primitive_opt::<T>()?;
        let mut sampled = Self::default();
        let mut block = Vec::with_capacity(BLOCK);
        for start in (0..array.len()).step_by(BLOCK * SAMPLED) {
            let rows = start..array.len().min(start + BLOCK);
            let valid = rows.filter(|row| array.is_valid(*row));
            block.clear();
            block.extend(valid.map(|row| value(array.value(row))));
            if !block.is_empty() {
                sampled.add(&mut block);
            }
        }
        (sampled.blocks > 0).then_some(sampled)
    }

    /// Takes a block in; leaves it in another order.
    fn add(&mut self, block: &mut Vec<i64>) {
        let steps = block.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]).unsigned_abs());
        let (widest, changes) =
            steps.fold((0, 0), |(widest, n), step| (widest | step, n + usize::from(step != 0)));
        self.blocks += 1;
        self.values += block.len();
        // Packed above the least of a block: steps back take a bit more.
        self.bits += (u64::BITS - widest.leading_zeros()) as usize + 1;
        self.changes += changes;
        self.falls |= !block.is_sorted();
        block.sort_unstable();
        block.dedup();
        self.returns += changes + 1 - block.len();
    }

    fn steps(&self) -> Steps {
        let bits = self.bits.div_ceil(self.blocks);
        let few_return = self.returns * 20 < self.values;
        let most_change = self.changes * 10 > self.values * 9;
        if bits > FAR_BITS_MAX && few_return && most_change {
            Steps::Scattered
        } else if bits >= WIDE_BITS_MIN && few_return && most_change {
            Steps::Wide
        } else if bits >= WIDE_BITS_MIN && !self.falls && self.changes * RUN_MIN < self.values {
            Steps::Runs
        } else if bits <= NEAR_BITS_MAX || few_return {
            Steps::Near
        } else {
            Steps::Far
        }
    }
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
        // Each comes some times, and then no more.
        let hash = |i: u64| Some((i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1) as i64);
        assert_eq!(of((0..1000).map(|i| hash(i / 3)).collect()), Steps::Near);
        assert_eq!(of((0..1000).map(|i| hash(i / 3 + i % 2)).collect()), Steps::Far);
        assert_eq!(of((0..1000).map(|i| hash(i / 6)).collect()), Steps::Near);
        assert_eq!(of(vec![hash(7); 100]), Steps::Near);
        let scattered = |i: u64| Some(i.wrapping_mul(0x9E37_79B9_7F4A_7C15) as i64);
        assert_eq!(of((0..1000).map(scattered).collect()), Steps::Scattered);
        let ids = |i: u64| Some((i << 40 | i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24) as i64);
        assert_eq!(of((0..1000).map(ids).collect()), Steps::Wide);
        assert_eq!(of((0..1000).map(|i| ids(i / 3)).collect()), Steps::Near);
        assert_eq!(of((0..1000).map(|i| ids(i / 6)).collect()), Steps::Runs);
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
        assert_eq!(of(|i| i / 4 * 7919), Steps::Near);
        assert_eq!(of(|i| i / 4 * 86_400 + i % 4 / 3), Steps::Far);
        assert_eq!(of(|_| 7919), Steps::Near);
    }

    proptest! {
        #[test]
        fn narrow_columns_are_judged_like_wide_ones(
            mut values in prop::collection::vec(prop::option::of(-5_i64..200_000), 0..600),
            factor in prop::sample::select(vec![1, 21_000]),
            repeats in 1_usize..8,
            is_sorted: bool,
        ) {
            if is_sorted {
                values.sort_unstable();
            }
            let values = values.iter().map(|value| value.map(|value| value * factor));
            let values = values.flat_map(|value| std::iter::repeat_n(value, repeats));
            let wide: ArrayRef = Arc::new(values.collect::<Int64Array>());
            let kind = DataType::Int64;
            prop_assert_eq!(steps(&narrowest(&wide), &kind), steps(&wide, &kind));
        }
    }
}
