//! Ids that several rows of a table have. They may lie in different shards, so
//! ids are spilled in ranges of their hash and counted range by range.

use super::spill::{Scratch, Segment};
use crate::manifest::RepeatedIds;
use crate::{Error, PersonId, hash_of_person};

/// Ids of a range, about.
const IDS_PER_RANGE: u64 = 1 << 18;

/// Into how many ranges the ids of so many rows are divided.
pub(super) fn ranges_for(rows: u64) -> u32 {
    (rows / IDS_PER_RANGE + 1).next_power_of_two().min(1 << 12) as u32
}

/// Ids of a shard in the temporary file, range by range.
#[derive(Debug)]
pub(super) struct IdsSpilled {
    ranges: Vec<Option<Segment>>,
    /// How many there are.
    pub(super) ids: u64,
}

/// Writes ids to a temporary file, in one go: range by range.
pub(super) fn spill_ids(spill: &Scratch, ids: &[i64], ranges: u32) -> Result<IdsSpilled, Error> {
    const BYTES: usize = size_of::<i64>();
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
    let part = |range: usize| {
        let (start, end) = (starts[range], starts[range + 1]);
        (start < end).then(|| all.part(start as u64..end as u64))
    };
    let ranges = (0..ranges as usize).map(part).collect();
    Ok(IdsSpilled { ranges, ids: ids.len() as u64 })
}

/// Counts the ids that occur more than once in one range of all shards.
pub(super) fn count_range(
    spill: &Scratch,
    shards: &[&IdsSpilled],
    range: usize,
) -> Result<RepeatedIds, Error> {
    let mut ids = Vec::new();
    for segment in shards.iter().filter_map(|shard| shard.ranges[range]) {
        let bytes = spill.read(segment)?;
        ids.extend(bytes.as_chunks::<8>().0.iter().map(|id| i64::from_le_bytes(*id)));
    }
    Ok(count(&mut ids))
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
        let one = spill_ids(&spill, &[1, 2, 3, -7, -7], 4).unwrap();
        let two = spill_ids(&spill, &[3, 4, 3], 4).unwrap();
        let mut sum = RepeatedIds::default();
        for range in 0..4 {
            let found = count_range(&spill, &[&one, &two], range).unwrap();
            sum.ids += found.ids;
            sum.rows += found.rows;
        }
        assert_eq!(sum, RepeatedIds { ids: 2, rows: 5, missing: 0 });
    }
}
