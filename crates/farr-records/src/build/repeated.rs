//! Ids that several rows of a table have. They may lie in different shards, so
//! ids are spilled in ranges of their hash and counted range by range.

use rayon::prelude::*;

use super::spill::{Scratch, Segment};
use crate::manifest::RepeatedIds;
use crate::{Error, PersonId, hash_of_person};

/// Ids of a range, about.
const IDS_PER_RANGE: u64 = 1 << 18;

/// Ranges that are read together, at most: of each of many shards a piece worth
/// reading. They are in memory, of every thread.
const RANGES_READ: usize = 8;

/// Bytes of an id.
const BYTES: usize = size_of::<i64>();

/// Into how many ranges the ids of so many rows are divided.
pub(super) fn ranges_for(rows: u64) -> u32 {
    (rows / IDS_PER_RANGE + 1).next_power_of_two().min(1 << 12) as u32
}

/// Ids of a shard in the temporary file, range by range.
#[derive(Debug)]
pub(super) struct IdsSpilled {
    all: Segment,
    /// Where each range's bytes start; one more than there are ranges.
    starts: Vec<usize>,
    /// How many there are.
    pub(super) ids: u64,
}

/// Writes ids to a temporary file, in one go: range by range.
pub(super) fn spill_ids(spill: &Scratch, ids: &[i64], ranges: u32) -> Result<IdsSpilled, Error> {
    let range_of = |id: &i64| {
        let high = hash_of_person(PersonId(*id)) >> 32;
        ((high * u64::from(ranges)) >> 32) as usize
    };
    let of_ids: Vec<usize> = ids.iter().map(range_of).collect();
    let mut ends = vec![0; ranges as usize + 1];
    for range in &of_ids {
        ends[range + 1] += BYTES;
    }
    for range in 0..ranges as usize {
        ends[range + 1] += ends[range];
    }
    let starts = ends.clone();
    let mut bytes = vec![0; ids.len() * BYTES];
    for (id, range) in ids.iter().zip(of_ids) {
        let place = ends[range];
        bytes[place..place + BYTES].copy_from_slice(&id.to_le_bytes());
        ends[range] += BYTES;
    }
    let all = spill.append(&bytes)?;
    Ok(IdsSpilled { all, starts, ids: ids.len() as u64 })
}

/// Counts the ids that occur more than once in shards that have the same ranges.
pub(super) fn count_repeated(spill: &Scratch, shards: &[IdsSpilled]) -> Result<RepeatedIds, Error> {
    let sum = |a: RepeatedIds, b: RepeatedIds| RepeatedIds {
        ids: a.ids + b.ids,
        rows: a.rows + b.rows,
        missing: 0,
    };
    let ranges: Vec<usize> = shards.first().map_or(0..0, |shard| 1..shard.starts.len()).collect();
    let together = (ranges.len() / rayon::current_num_threads()).clamp(1, RANGES_READ);
    let counted = ranges.par_chunks(together).map(|ends| {
        let (first, last) = (ends[0] - 1, ends[0] - 1 + ends.len());
        let bytes_of = |shard: &IdsSpilled, end: usize| shard.starts[end] - shard.starts[end - 1];
        let ids =
            |end: &usize| shards.iter().map(|shard| bytes_of(shard, *end)).sum::<usize>() / BYTES;
        let mut of_ranges: Vec<Vec<i64>> =
            ends.iter().map(|end| Vec::with_capacity(ids(end))).collect();
        for shard in shards {
            let (start, stop) = (shard.starts[first], shard.starts[last]);
            let bytes = spill.read(shard.all.part(start as u64..stop as u64))?;
            for (end, ids) in ends.iter().zip(&mut of_ranges) {
                let bytes = &bytes[shard.starts[end - 1] - start..shard.starts[*end] - start];
                ids.extend(bytes.as_chunks::<BYTES>().0.iter().map(|id| i64::from_le_bytes(*id)));
            }
        }
        Ok(of_ranges.iter_mut().map(|ids| count(ids)).fold(RepeatedIds::default(), sum))
    });
    counted.try_reduce(RepeatedIds::default, |a, b| Ok(sum(a, b)))
}

/// Counts the ids that occur more than once; sorts them.
pub(super) fn count(ids: &mut [i64]) -> RepeatedIds {
    ids.sort_unstable();
    let mut repeated = RepeatedIds::default();
    for run in ids.chunk_by(|a, b| a == b).filter(|run| run.len() > 1) {
        repeated.ids += 1;
        repeated.rows += run.len() as u64;
    }
    repeated
}

#[cfg(test)]
mod tests {
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
}
