//! Sets of ids that are asked of every row.

use arrow::buffer::BooleanBuffer;

/// Ids as an open-addressed table, and sorted. Most ids that are asked for are
/// not there: a bit for each hash says so without a look at the table.
#[derive(Debug, Default)]
pub(crate) struct IdSet {
    sorted: Vec<i64>,
    /// A bit that is not set: no id has this hash. A power of two of words.
    bits: Vec<u64>,
    /// Each id somewhere after the slot of its hash; `None` ends the search.
    slots: Vec<Option<i64>>,
}

impl IdSet {
    /// Of ids in any order, repeated or not.
    pub(crate) fn new(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        let words = (ids.len() / 4).next_power_of_two().clamp(64, BIT_WORDS_MAX);
        let slots = vec![None; (ids.len() * 2).next_power_of_two()];
        let mut set = Self { slots, bits: vec![0; words], sorted: ids };
        for id in &set.sorted {
            let (word, bit) = bit_of(*id, words);
            set.bits[word] |= bit;
            let mut slot = slot_of(*id, set.slots.len());
            while set.slots[slot].is_some() {
                slot = (slot + 1) & (set.slots.len() - 1);
            }
            set.slots[slot] = Some(*id);
        }
        set
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Which of some ids it holds.
    pub(crate) fn contains_each<T: Copy + Into<i64>>(&self, ids: &[T]) -> BooleanBuffer {
        let of_block = |block: &[T]| {
            // A bit an id without a branch, then a look at those that it leaves.
            let may_hold = block.iter().map(|id| u64::from(self.may_contain((*id).into())));
            let mut may = may_hold.zip(0..).fold(0, |all, (bit, place)| all | bit << place);
            let mut holds = 0;
            while may != 0 {
                let place = may.trailing_zeros();
                holds |= u64::from(self.contains(block[place as usize].into())) << place;
                may &= may - 1;
            }
            holds
        };
        let words: Vec<u64> = ids.chunks(u64::BITS as usize).map(of_block).collect();
        BooleanBuffer::new(words.into(), 0, ids.len())
    }

    #[inline]
    fn may_contain(&self, id: i64) -> bool {
        let (word, bit) = bit_of(id, self.bits.len());
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    #[inline]
    pub(crate) fn contains(&self, id: i64) -> bool {
        if !self.may_contain(id) {
            return false;
        }
        let mut slot = slot_of(id, self.slots.len());
        while let Some(known) = self.slots.get(slot).copied().flatten() {
            if known == id {
                return true;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        false
    }

    /// Whether any id lies between two, both included.
    pub(crate) fn meets(&self, least: i64, greatest: i64) -> bool {
        let first = self.sorted.partition_point(|id| *id < least);
        self.sorted.get(first).is_some_and(|id| *id <= greatest)
    }
}

/// Half a megabyte: what a core keeps at hand.
const BIT_WORDS_MAX: usize = 1 << 16;

/// A Fibonacci hash.
#[inline]
fn hash_of(id: i64) -> u64 {
    (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// `slots` is a power of two.
#[inline]
fn slot_of(id: i64, slots: usize) -> usize {
    (hash_of(id) >> 32) as usize & slots.wrapping_sub(1)
}

/// `words` is a power of two.
#[inline]
fn bit_of(id: i64, words: usize) -> (usize, u64) {
    let hash = hash_of(id);
    ((hash >> 32) as usize & words.wrapping_sub(1), 1 << (hash >> 58))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_tree(
            ids in prop::collection::vec(-40i64..40, 0..60),
            far in prop::collection::vec(any::<i64>(), 0..20),
            (least, greatest) in (-50i64..50, -50i64..50),
        ) {
            let all: Vec<i64> = ids.iter().chain(&far).copied().collect();
            let tree: BTreeSet<i64> = all.iter().copied().collect();
            let set = IdSet::new(all);
            let asked: Vec<i64> = (-50..50).chain(far).collect();
            let each = set.contains_each(&asked);
            prop_assert_eq!(each.len(), asked.len());
            for (id, found) in asked.iter().zip(&each) {
                prop_assert_eq!(set.contains(*id), tree.contains(id));
                prop_assert_eq!(found, tree.contains(id));
            }
            let meets = tree.iter().any(|id| least <= *id && *id <= greatest);
            prop_assert_eq!(set.meets(least, greatest), meets);
            prop_assert_eq!(set.is_empty(), tree.is_empty());
        }
    }
}
