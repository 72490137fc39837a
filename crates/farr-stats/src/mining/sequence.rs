//! Frequent sequential patterns.

use std::collections::HashMap;

use super::PatternLimits;
use crate::estimate::EstimateError;

/// Items that follow each other in so many sequences.
#[derive(Clone, Debug, PartialEq)]
pub struct SequentialPattern {
    /// The items in their order; the same one may come again.
    pub items: Vec<u32>,
    /// Sequences that hold them in this order, other items between them or not.
    pub count: usize,
    /// The share of sequences.
    pub support: f64,
}

/// The patterns that at least `min_count` of `sequences` (one a person, items
/// in time order) hold, up to `max_length` items, by length and then by items.
///
/// Each item is a step of its own; a sequence counts once however often it
/// holds the pattern. `PrefixSpan` (Pei et al. 2004, IEEE TKDE 16): depth
/// first, a prefix keeps for each sequence only where its first match ends.
/// Errors: a limit of 0. Cost O(items after the prefix) a prefix.
pub fn sequential_patterns(
    sequences: &[Vec<u32>],
    limits: PatternLimits,
) -> Result<Vec<SequentialPattern>, EstimateError> {
    limits.check()?;
    // Items as positions in a list, so that a scan marks them in an array.
    let mut items: Vec<u32> = sequences.iter().flatten().copied().collect();
    items.sort_unstable();
    items.dedup();
    let position: HashMap<u32, usize> = items.iter().enumerate().map(|(i, v)| (*v, i)).collect();
    let dense: Vec<Vec<usize>> =
        sequences.iter().map(|sequence| sequence.iter().map(|v| position[v]).collect()).collect();
    let mut search = Search {
        sequences: &dense,
        items: &items,
        limits,
        last_seen: vec![usize::MAX; items.len()],
        prefix: Vec::new(),
        found: Vec::new(),
    };
    let everywhere: Vec<(usize, usize)> = (0..dense.len()).map(|sequence| (sequence, 0)).collect();
    search.extend(&everywhere);
    let mut found = search.found;
    found.sort_unstable_by(|a, b| (a.items.len(), &a.items).cmp(&(b.items.len(), &b.items)));
    Ok(found)
}

struct Search<'a> {
    sequences: &'a [Vec<usize>],
    items: &'a [u32],
    limits: PatternLimits,
    /// By item: the sequence that showed it last in the scan under way.
    last_seen: Vec<usize>,
    prefix: Vec<u32>,
    found: Vec<SequentialPattern>,
}

impl Search<'_> {
    /// Adds the prefix with each item that often follows it, and goes deeper.
    /// `projection` holds the sequences with the prefix and where they go on.
    fn extend(&mut self, projection: &[(usize, usize)]) {
        let mut longer: HashMap<usize, Vec<(usize, usize)>> = HashMap::new();
        for &(sequence, start) in projection {
            for (offset, item) in self.sequences[sequence][start..].iter().enumerate() {
                if self.last_seen[*item] != sequence {
                    self.last_seen[*item] = sequence;
                    longer.entry(*item).or_default().push((sequence, start + offset + 1));
                }
            }
        }
        for item in longer.keys() {
            self.last_seen[*item] = usize::MAX;
        }
        for (item, projection) in longer {
            if projection.len() < self.limits.min_count {
                continue;
            }
            self.prefix.push(self.items[item]);
            self.found.push(SequentialPattern {
                items: self.prefix.clone(),
                count: projection.len(),
                support: projection.len() as f64 / self.sequences.len() as f64,
            });
            if self.prefix.len() < self.limits.max_length {
                self.extend(&projection);
            }
            self.prefix.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // 1 then 2 in two of three; 1 then 1 once only.
        let sequences = [vec![1, 3, 2], vec![1, 1, 2], vec![2, 1]];
        let limits = PatternLimits { min_count: 2, max_length: 2 };
        let found = sequential_patterns(&sequences, limits).unwrap();
        let found: Vec<(&[u32], usize)> =
            found.iter().map(|pattern| (pattern.items.as_slice(), pattern.count)).collect();
        assert_eq!(found, [(&[1][..], 3), (&[2], 3), (&[1, 2], 2)]);
    }

    #[test]
    fn bad_limits_are_named() {
        let error = EstimateError::TooFew { what: "max_length", found: 0, expected: 1 };
        let limits = PatternLimits { min_count: 1, max_length: 0 };
        assert_eq!(sequential_patterns(&[], limits), Err(error));
    }

    /// Whether `pattern` is a subsequence.
    fn holds(sequence: &[u32], pattern: &[u32]) -> bool {
        let mut rest = sequence.iter();
        pattern.iter().all(|item| rest.any(|found| found == item))
    }

    proptest! {
        #[test]
        fn every_pattern_is_counted(
            sequences in prop::collection::vec(prop::collection::vec(0u32..3, 0..8), 0..15),
            min_count in 1usize..5, max_length in 1usize..4,
        ) {
            let limits = PatternLimits { min_count, max_length };
            let found = sequential_patterns(&sequences, limits).unwrap();
            let mut patterns = vec![Vec::new()];
            let mut expected = Vec::new();
            for _ in 0..max_length {
                patterns = patterns
                    .iter()
                    .flat_map(|p: &Vec<u32>| (0..3).map(move |i| [p.as_slice(), &[i]].concat()))
                    .collect();
                for pattern in &patterns {
                    let count = sequences.iter().filter(|s| holds(s, pattern)).count();
                    if count >= min_count {
                        expected.push((pattern.clone(), count));
                    }
                }
            }
            let found: Vec<_> = found.into_iter().map(|p| (p.items, p.count)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
