//! Identifiers as types: none is a bare integer, and persons print redacted.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// A person, as `person_id` has it. Prints redacted: logs hold no patient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub i64);

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonId(redacted)")
    }
}

/// A concept, as `concept_id` has it; 0 is "no matching concept".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConceptId(pub i64);

impl ConceptId {
    /// OMOP's "no matching concept".
    pub const NONE: Self = Self(0);
    /// The first id that OMOP leaves to a site's own concepts.
    pub const FIRST_LOCAL: Self = Self(2_000_000_000);
}

impl fmt::Display for ConceptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many shards there are at most.
pub const SHARDS_MAX: u32 = 1 << 16;

/// One of a power of two of equal ranges of the hash of the person.
///
/// Shards nest: shard `i` of `n` is the union of shards `2i` and `2i + 1` of
/// `2n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    index: u32,
    count: u32,
}

impl ShardId {
    /// Shard `index` of `count`; `None` unless `count` is a power of two, at
    /// most [`SHARDS_MAX`], and `index < count`.
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (count.is_power_of_two() && count <= SHARDS_MAX && index < count)
            .then_some(Self { index, count })
    }

    /// All shards of a division into `count`, in order; none unless `count`
    /// is a power of two.
    pub fn all(count: u32) -> impl Iterator<Item = Self> {
        (0..count).filter_map(move |index| Self::new(index, count))
    }

    /// Which shard of `count` (a power of two) holds the person.
    #[inline]
    pub fn index_of(person: PersonId, count: u32) -> u32 {
        debug_assert!(count.is_power_of_two());
        ((u64::from(count) * (hash_of_person(person) >> 32)) >> 32) as u32
    }

    /// The shard's place, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many shards the division has.
    pub fn count(self) -> u32 {
        self.count
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05}-of-{:05}", self.index, self.count)
    }
}

/// The hash that places a person: the finaliser of splitmix64 (Steele, Lea,
/// Flood 2014), fixed for good, since stores are laid out by it.
#[inline]
pub fn hash_of_person(person: PersonId) -> u64 {
    let mut z = (person.0 as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Makes stable 63-bit ids of natural keys, so that no table of ids is held.
///
/// XXH3 over the source system, the kind of thing and the key, each preceded
/// by its length; the sign bit is cleared. Such an id is still an identifier.
#[derive(Clone)]
pub struct IdHasher {
    /// System and kind, as they are hashed.
    prefix: Vec<u8>,
}

/// Keys of up to so many bytes, as nearly all are, are put together on the stack.
const SHORT_KEY: usize = 192;

impl IdHasher {
    /// Ids of one kind of thing (`"person"`, `"visit"`) of one source system.
    pub fn new(system: &str, kind: &str) -> Self {
        let mut prefix = Vec::new();
        for part in [system, kind] {
            prefix.extend_from_slice(&(part.len() as u64).to_le_bytes());
            prefix.extend_from_slice(part.as_bytes());
        }
        Self { prefix }
    }

    /// The id of a natural key, given in parts.
    pub fn id(&self, key: &[&str]) -> i64 {
        let length = key.iter().map(|part| size_of::<u64>() + part.len()).sum::<usize>();
        if self.prefix.len() + length > SHORT_KEY {
            let mut bytes = self.prefix.clone();
            for part in key {
                bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
            return Self::id_of_bytes(&bytes);
        }
        let mut bytes = [0; SHORT_KEY];
        let mut end = 0;
        let mut put = |part: &[u8]| {
            bytes[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        };
        put(&self.prefix);
        for part in key {
            put(&(part.len() as u64).to_le_bytes());
            put(part.as_bytes());
        }
        Self::id_of_bytes(&bytes[..end])
    }

    /// What is hashed before a key's parts, for those who put together the
    /// bytes of many keys themselves; each part has its length before it, as a
    /// `u64` in little endian.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The id of a prefix and a key's parts.
    pub fn id_of_bytes(bytes: &[u8]) -> i64 {
        (xxh3_64(bytes) & (u64::MAX >> 1)) as i64
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::Xxh3;

    use super::*;

    #[test]
    fn shards_nest() {
        for person in (-500..500).map(PersonId) {
            let eight = ShardId::index_of(person, 8);
            assert_eq!(ShardId::index_of(person, 4), eight / 2);
            assert_eq!(ShardId::index_of(person, 1), 0);
        }
    }

    #[test]
    fn ids_are_stable_and_unambiguous() {
        let hasher = IdHasher::new("hospital", "person");
        assert_eq!(hasher.id(&["a"]), hasher.id(&["a"]));
        assert_ne!(hasher.id(&["ab", "c"]), hasher.id(&["a", "bc"]));
        assert_ne!(hasher.id(&["a"]), IdHasher::new("hospital", "visit").id(&["a"]));
        assert!(hasher.id(&["a"]) >= 0);
    }

    /// Ids stay what they were, whatever way they are hashed.
    #[test]
    fn short_and_long_keys_are_hashed_alike() {
        let streamed = |system: &str, kind: &str, key: &str| {
            let mut hasher = Xxh3::new();
            for part in [system, kind, key] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            (hasher.digest() & (u64::MAX >> 1)) as i64
        };
        for length in 0..600 {
            let key = "k".repeat(length);
            let id = IdHasher::new("hospital", "person").id(&[&key]);
            assert_eq!(id, streamed("hospital", "person", &key), "{length}");
        }
        assert_eq!(IdHasher::new("a", "visit").id(&["1"]), 4_621_582_299_298_881_927);
    }

    #[test]
    fn persons_print_redacted() {
        assert_eq!(format!("{:?}", PersonId(4711)), "PersonId(redacted)");
    }
}
