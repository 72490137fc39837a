//! Which objects, and which ranges of them, are one share's.

use std::ops::Range;

use farr_store::{BLOCK_BYTES, ObjectInfo};

use crate::objects::compression_of;

/// One of several equal shares of an export. All shares together read every
/// row once; each must see the same objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    index: u32,
    of: u32,
}

impl Share {
    /// The export as a whole.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Share `index`, from 0, of so many; `None` if there is none such.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of).then_some(Self { index, of })
    }

    /// Its place, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether it is all there is.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }
}

/// A share, and how finely objects are divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Division {
    pub(crate) share: Share,
    /// Objects are divided between blocks of so many bytes, and hashed by them.
    pub(crate) block_bytes: u64,
}

impl Division {
    pub(crate) fn of(share: Share) -> Self {
        Self { share, block_bytes: BLOCK_BYTES }
    }

    /// The share's bytes of each object, in order: none of an object of which
    /// it has nothing. Blocks go by where they start if all objects lie one
    /// behind the other; an object that cannot be divided is one block.
    pub(crate) fn ranges<'o>(
        self,
        objects: impl Iterator<Item = &'o ObjectInfo> + Clone,
    ) -> Vec<Option<Range<u64>>> {
        // Empty objects are somebody's, too.
        let size_of = |object: &ObjectInfo| u128::from(object.size.max(1));
        let total: u128 = objects.clone().map(size_of).sum();
        let bound = |index: u32| total * u128::from(index) / u128::from(self.share.of);
        let mine = bound(self.share.index)..bound(self.share.index + 1);
        let mut before = 0;
        let range = |object: &ObjectInfo| {
            let size = size_of(object);
            let block = match compression_of(&object.path) {
                Some(_) => size,
                None => u128::from(self.block_bytes),
            };
            let first_at = |bound: u128| {
                (bound.saturating_sub(before).div_ceil(block) * block).min(size) as u64
            };
            let range = first_at(mine.start)..first_at(mine.end);
            before += size;
            (!range.is_empty()).then(|| range.start..range.end.min(object.size))
        };
        objects.map(range).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(size: u64, is_compressed: bool) -> ObjectInfo {
        ObjectInfo {
            path: if is_compressed { "a.csv.gz" } else { "a.csv" }.to_owned(),
            size,
            etag: None,
            version: None,
            modified_ms: 0,
        }
    }

    proptest! {
        #[test]
        fn every_block_is_in_one_share(
            sizes in prop::collection::vec((0..100_u64, any::<bool>()), 1..12),
            of in 1..9_u32,
        ) {
            let objects: Vec<_> = sizes.into_iter().map(|(s, gz)| object(s, gz)).collect();
            let mut ends = vec![0; objects.len()];
            let mut pieces = vec![0; objects.len()];
            let total: u64 = objects.iter().map(|object| object.size.max(1)).sum();
            for index in 0..of {
                let share = Share::new(index, of).unwrap();
                let division = Division { share, block_bytes: 10 };
                let mut bytes = 0;
                for (place, range) in division.ranges(objects.iter()).into_iter().enumerate() {
                    let Some(range) = range else { continue };
                    prop_assert_eq!(range.start, ends[place]);
                    prop_assert!(range.start.is_multiple_of(10));
                    bytes += range.end - range.start;
                    ends[place] = range.end;
                    pieces[place] += 1;
                }
                let largest = objects.iter().map(|o| o.size).max().unwrap_or_default();
                prop_assert!(bytes <= total / u64::from(of) + 1 + 10.max(largest));
            }
            for (object, (end, pieces)) in objects.iter().zip(ends.iter().zip(pieces)) {
                prop_assert_eq!(object.size, *end);
                let is_one = object.size <= 10 || compression_of(&object.path).is_some();
                prop_assert!(pieces == 1 || (pieces > 1 && !is_one));
            }
        }
    }
}
