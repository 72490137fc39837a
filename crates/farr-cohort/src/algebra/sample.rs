//! Samples of persons: each person's rank is a hash of seed and id, so that
//! neither order, shards nor threads can change who is in.

use farr_records::{PersonId, hash_of_person};

/// A person's rank under a seed. For one seed no two persons share a rank: the
/// hash is one-to-one.
pub(super) fn rank(seed: u32, person: PersonId) -> u64 {
    let of_seed = hash_of_person(PersonId(i64::from(seed))).rotate_left(32);
    hash_of_person(PersonId((hash_of_person(person) ^ of_seed) as i64))
}

/// Whether a person is in a sample of a share of all persons: whether the
/// first 53 bits of their rank, as a number from 0 to 1, lie below it.
pub(super) fn is_in(seed: u32, person: PersonId, fraction: f64) -> bool {
    /// 2 to the power of 53, the bits that a real number holds exactly.
    const STEPS: f64 = 9_007_199_254_740_992.0;
    ((rank(seed, person) >> 11) as f64) < fraction * STEPS
}

/// The persons of the lowest ranks, at most `persons` of them, sorted by rank.
pub(super) fn lowest(ranked: &mut Vec<(u64, i64)>, persons: u32) {
    ranked.sort_unstable();
    ranked.truncate(persons as usize);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tenth of 100,000 is 10,000 with a standard deviation of 95; another
    /// seed takes others: of the tenth a tenth again.
    #[test]
    fn shares_are_kept_and_seeds_differ() {
        let of = |seed| (0..100_000).filter(move |id| is_in(seed, PersonId(*id), 0.1));
        let first: Vec<i64> = of(1).collect();
        assert!((9_600..10_400).contains(&first.len()), "{}", first.len());
        let both = of(2).filter(|id| first.binary_search(id).is_ok()).count();
        assert!((850..1_150).contains(&both), "{both}");
        assert_eq!((0..1_000).filter(|id| is_in(7, PersonId(*id), 1.0)).count(), 1_000);
    }

    /// A smaller sample is part of a larger one of the same seed.
    #[test]
    fn samples_nest() {
        let sample = |persons| {
            let mut ranked: Vec<_> = (0..50).map(|id| (rank(3, PersonId(id)), id)).collect();
            lowest(&mut ranked, persons);
            ranked
        };
        assert_eq!(sample(10), sample(20)[..10]);
        assert_eq!(sample(80).len(), 50);
    }
}
