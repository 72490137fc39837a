//! Ids that several rows of a table have. They may lie in different shards, so
//! ids are spilled in ranges of their hash and counted range by range.

use std::ops::Range;

use rayon::prelude::*;

use super::spill::{Scratch, Segment};
use crate::manifest::RepeatedIds;
use crate::narrow::byte_width;
use crate::{Error, PersonId, hash_of_person};

/// Ids of a range, about.
const IDS_PER_RANGE: u64 = 1 << 18;

/// Ranges that are read together, at most: of each of many shards a piece worth
/// reading. They are in memory, of every thread.
const RANGES_READ: usize = 8;

/// Bits of the ids that are looked for again, for each id.
const BITS_PER_ID: usize = 8;

/// Into how many ranges the ids of so many rows are divided.
pub(super) fn ranges_for(rows: u64) -> u32 {
    (rows / IDS_PER_RANGE + 1).next_power_of_two().min(1 << 12) as u32
}

/// Ids of a shard in the temporary file, range by range.
#[derive(Debug)]
pub(super) struct IdsSpilled {
    all: Segment,
    /// Bytes of an id: as many as the largest takes.
    width: usize,
    /// The ids of range `i` are `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    /// How many there are.
    pub(super) ids: u64,
}

/// Writes ids to a temporary file, in one go: range by range.
pub(super) fn spill_ids(spill: &Scratch, ids: &[i64], ranges: u32) -> Result<IdsSpilled, Error> {
    let range_of = |id: &i64| {
        let high = hash(*id) >> 32;
        ((high * u64::from(ranges)) >> 32) as usize
    };
    let of_ids: Vec<usize> = ids.iter().map(range_of).collect();
    let mut ends = vec![0; ranges as usize + 1];
    for range in &of_ids {
        ends[range + 1] += 1;
    }
    for range in 0..ranges as usize {
        ends[range + 1] += ends[range];
    }
    let starts = ends.clone();
    let all = ids.iter().fold(0, |bits, id| bits | *id as u64);
    let width = byte_width(all);
    let mut bytes = vec![0; ids.len() * width];
    for (id, range) in ids.iter().zip(of_ids) {
        let place = ends[range] * width;
        bytes[place..place + width].copy_from_slice(&id.to_le_bytes()[..width]);
        ends[range] += 1;
    }
    let all = spill.append(&bytes)?;
    Ok(IdsSpilled { all, width, starts, ids: ids.len() as u64 })
}

fn hash(id: i64) -> u64 {
    hash_of_person(PersonId(id))
}

impl IdsSpilled {
    /// The ids of ranges that lie side by side, each behind those that are there.
    fn read(
        &self,
        spill: &Scratch,
        ranges: Range<usize>,
        into: &mut [Vec<i64>],
    ) -> Result<(), Error> {
        let starts = &self.starts[ranges.start..=ranges.end];
        let place = |start: usize| (start * self.width) as u64;
        let bytes = self.all.part(place(starts[0])..place(starts[ranges.len()]));
        let bytes = spill.read(bytes)?;
        let mut ids = bytes.chunks_exact(self.width).map(|bytes| {
            let mut id = [0; size_of::<i64>()];
            id[..self.width].copy_from_slice(bytes);
            i64::from_le_bytes(id)
        });
        for (bounds, into) in starts.windows(2).zip(into) {
            into.extend(ids.by_ref().take(bounds[1] - bounds[0]));
        }
        Ok(())
    }
}

/// Counts the ids that occur more than once in shards that have the same ranges.
pub(super) fn count_repeated(spill: &Scratch, shards: &[IdsSpilled]) -> Result<RepeatedIds, Error> {
    let sum = |a: RepeatedIds, b: RepeatedIds| RepeatedIds {
        ids: a.ids + b.ids,
        rows: a.rows + b.rows,
        missing: 0,
    };
    let ranges: Vec<usize> =
        shards.first().map_or(0..0, |shard| 0..shard.starts.len() - 1).collect();
    let together = (ranges.len() / rayon::current_num_threads()).clamp(1, RANGES_READ);
    let counted = ranges.par_chunks(together).map(|ranges| {
        let of_shard =
            |shard: &IdsSpilled, range: usize| shard.starts[range + 1] - shard.starts[range];
        let ids = |range: &usize| shards.iter().map(|shard| of_shard(shard, *range)).sum();
        let mut of_ranges: Vec<Vec<i64>> =
            ranges.iter().map(|range| Vec::with_capacity(ids(range))).collect();
        for shard in shards {
            shard.read(spill, ranges[0]..ranges[0] + ranges.len(), &mut of_ranges)?;
        }
        Ok(of_ranges.iter().map(|ids| count(ids)).fold(RepeatedIds::default(), sum))
    });
    counted.try_reduce(RepeatedIds::default, |a, b| Ok(sum(a, b)))
}

/// Counts the ids that occur more than once. Each sets a bit, by its hash; only
/// those are sorted whose bit was set before.
fn count(ids: &[i64]) -> RepeatedIds {
    let bits = (ids.len() * BITS_PER_ID).next_power_of_two().max(u64::BITS as usize);
    let place = |id: i64| {
        let bit = hash(id) as usize & (bits - 1);
        (bit / u64::BITS as usize, 1 << (bit % u64::BITS as usize))
    };
    let mut set = vec![0_u64; bits / u64::BITS as usize];
    let mut again = set.clone();
    for id in ids {
        let (word, bit) = place(*id);
        again[word] |= set[word] & bit;
        set[word] |= bit;
    }
    let shares = |id: &i64| {
        let (word, bit) = place(*id);
        again[word] & bit != 0
    };
    let mut suspects: Vec<i64> = ids.iter().copied().filter(shares).collect();
    suspects.sort_unstable();
    let mut repeated = RepeatedIds::default();
    for run in suspects.chunk_by(|a, b| a == b).filter(|run| run.len() > 1) {
        repeated.ids += 1;
        repeated.rows += run.len() as u64;
    }
    repeated
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repeated_ids_are_found_across_shards() {
        let spill = Scratch::new(None).unwrap();
        for ranges in [1, 4, 64] {
            let one = spill_ids(&spill, &[1, 2, 3, -7, -7], ranges).unwrap();
            let two = spill_ids(&spill, &[3, 4, 3], ranges).unwrap();
            let none = spill_ids(&spill, &[], ranges).unwrap();
            let found = count_repeated(&spill, &[one, none, two]).unwrap();
            assert_eq!(found, RepeatedIds { ids: 2, rows: 5, missing: 0 });
        }
    }

    proptest! {
        #[test]
        fn repeated_ids_are_counted_as_a_map_counts_them(
            shards in prop::collection::vec(
                prop::collection::vec(prop_oneof![-3..40_i64, any::<i64>(), 0..1_i64 << 40], 0..200),
                1..4,
            ),
            ranges in prop::sample::select(vec![1_u32, 2, 32]),
        ) {
            let spill = Scratch::new(None).unwrap();
            let of_shard = |ids: &Vec<i64>| spill_ids(&spill, ids, ranges).unwrap();
            let spilled: Vec<IdsSpilled> = shards.iter().map(of_shard).collect();
            let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
            for id in shards.iter().flatten() {
                *counts.entry(*id).or_default() += 1;
            }
            counts.retain(|_, count| *count > 1);
            let (ids, rows) = (counts.len() as u64, counts.values().sum());
            let expected = RepeatedIds { ids, rows, missing: 0 };
            prop_assert_eq!(count_repeated(&spill, &spilled).unwrap(), expected);
        }
    }
}
