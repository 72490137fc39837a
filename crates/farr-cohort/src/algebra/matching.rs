//! Matching by sex, age and entry date: greedy, without replacement.
//!
//! Targets are taken in the order of their rank. In the first round each takes
//! its nearest free comparator, in the second its next, and so on up to the
//! ratio, so that nobody has a second before everybody had the chance of a
//! first. Nearest is the least difference of ages, then of entry dates (if
//! those count), then the lowest rank. O(targets · ratio · ages within the
//! caliper · log comparators).

use std::collections::{BTreeMap, BTreeSet};

use farr_records::Day;

use super::settings::{Match, MatchSide};

/// A person who may be matched, as at their first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The order among equals; no two persons share one.
    pub(super) rank: u64,
    pub(super) person: i64,
    /// `gender_concept_id`; 0 where sex does not count.
    pub(super) sex: i64,
    /// Years of age; 0 where age does not count.
    pub(super) age: i32,
    /// The first day of the first row.
    pub(super) index: Day,
}

/// Both sides of a match; a partial of each shard, and all of them together.
#[derive(Debug, Clone, Default)]
pub(super) struct Sides {
    pub(super) targets: Vec<Candidate>,
    pub(super) comparators: Vec<Candidate>,
}

/// The free comparators of one sex and age, by entry date, rank and person;
/// all of one date where dates do not count.
type Free = BTreeSet<(Day, u64, i64)>;

struct Pool {
    free: BTreeMap<(i64, i32), Free>,
    age_years: i32,
    index_days: Option<u32>,
}

impl Pool {
    fn key_day(&self, day: Day) -> Day {
        if self.index_days.is_some() { day } else { Day(0) }
    }

    /// Takes the nearest comparator.
    fn take(&mut self, target: &Candidate) -> Option<i64> {
        let day = self.key_day(target.index);
        let days_max = self.index_days.unwrap_or_default();
        let ages =
            (target.sex, target.age - self.age_years)..=(target.sex, target.age + self.age_years);
        let nearest = self.free.range(ages).flat_map(|(key, free)| {
            let years = key.1.abs_diff(target.age);
            around(free, day)
                .into_iter()
                .flatten()
                .map(move |found| (years, found.0.0.abs_diff(day.0), found.1, found, *key))
        });
        let (.., found, key) = nearest.filter(|near| near.1 <= days_max).min()?;
        let free = self.free.get_mut(&key)?;
        free.remove(&found);
        if free.is_empty() {
            self.free.remove(&key);
        }
        Some(found.2)
    }
}

/// Of the dates nearest to a day, not after and after it, the lowest rank.
fn around(free: &Free, day: Day) -> [Option<(Day, u64, i64)>; 2] {
    let first_of = |day: Day| free.range((day, 0, i64::MIN)..).next().copied();
    let before = free.range(..=(day, u64::MAX, i64::MAX)).next_back();
    [before.and_then(|last| first_of(last.0)), first_of(day.plus(1))]
}

/// The persons of the side that is kept, ascending.
pub(super) fn matched<C>(settings: &Match<C>, mut sides: Sides) -> Vec<i64> {
    sides.targets.sort_unstable();
    let mut pool = Pool {
        free: BTreeMap::new(),
        age_years: settings.age_years.map_or(0, i32::from),
        index_days: settings.index_days,
    };
    for candidate in sides.comparators {
        let key = (pool.key_day(candidate.index), candidate.rank, candidate.person);
        pool.free.entry((candidate.sex, candidate.age)).or_default().insert(key);
    }
    let mut targets = sides.targets;
    let mut found: Vec<i64> = Vec::new();
    let mut with_any = Vec::new();
    for round in 0..settings.ratio {
        // Whoever finds nobody now finds nobody later: the pool only shrinks.
        targets.retain(|target| {
            let taken = pool.take(target);
            found.extend(taken);
            if round == 0 && taken.is_some() {
                with_any.push(target.person);
            }
            taken.is_some()
        });
    }
    let mut kept = match settings.keep {
        MatchSide::Comparators => found,
        MatchSide::Targets => with_any,
    };
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(ratio: u8, age_years: Option<u16>, index_days: Option<u32>) -> Match<i64> {
        let (cohort, to, sex, seed) = (1, 2, true, 0);
        Match { cohort, to, ratio, age_years, sex, index_days, seed, keep: MatchSide::Comparators }
    }

    fn someone(rank: u64, sex: i64, age: i32, index: i32) -> Candidate {
        Candidate { rank, person: rank as i64, sex, age, index: Day(index) }
    }

    /// Targets 1 (50 years) and 2 (52 years), both women; comparators 11 (51),
    /// 12 (52), 13 (53), and a man 14 of 50. Within two years: target 1 takes
    /// 11 (one year), target 2 takes 12 (none); in the second round target 1
    /// finds nobody (13 is three years away), target 2 takes 13.
    #[test]
    fn nearest_first_and_by_rounds() {
        let sides = Sides {
            targets: vec![someone(2, 0, 52, 0), someone(1, 0, 50, 0)],
            comparators: vec![
                someone(14, 1, 50, 0),
                someone(13, 0, 53, 0),
                someone(12, 0, 52, 0),
                someone(11, 0, 51, 0),
            ],
        };
        let found = |ratio| matched(&settings(ratio, Some(2), None), sides.clone());
        assert_eq!(found(1), [11, 12]);
        assert_eq!(found(2), [11, 12, 13]);
        let targets = Match { keep: MatchSide::Targets, ..settings(1, Some(0), None) };
        assert_eq!(matched(&targets, sides), [2]);
    }

    /// The same, a comparator at a time.
    fn slowly(settings: &Match<i64>, mut sides: Sides) -> Vec<i64> {
        sides.targets.sort_by_key(|target| target.rank);
        let mut kept = Vec::new();
        let mut satisfied = vec![true; sides.targets.len()];
        for _ in 0..settings.ratio {
            for (place, target) in sides.targets.iter().enumerate() {
                if !satisfied[place] {
                    continue;
                }
                let mut best: Option<((u32, u32, u64), usize)> = None;
                for (at, one) in sides.comparators.iter().enumerate() {
                    let years = one.age.abs_diff(target.age);
                    let days = one.index.0.abs_diff(target.index.0);
                    let fits = one.sex == target.sex
                        && years <= u32::from(settings.age_years.unwrap_or(0))
                        && settings.index_days.is_none_or(|max| days <= max);
                    let days = if settings.index_days.is_some() { days } else { 0 };
                    let key = (years, days, one.rank);
                    if fits && best.is_none_or(|(so_far, _)| key < so_far) {
                        best = Some((key, at));
                    }
                }
                match best {
                    Some((_, at)) => kept.push(sides.comparators.swap_remove(at).person),
                    None => satisfied[place] = false,
                }
            }
        }
        kept.sort_unstable();
        kept
    }

    proptest! {
        #[test]
        fn as_the_slow_way(
            people in prop::collection::vec((0_i64..2, 40_i32..48, 0_i32..60, any::<bool>()), 0..60),
            ratio in 1_u8..4,
            age_years in 0_u16..4,
            index_days in prop::option::of(0_u32..30),
            reversed in any::<bool>(),
        ) {
            let mut sides = Sides::default();
            for (place, (sex, age, index, is_target)) in people.into_iter().enumerate() {
                let one = someone(place as u64 * 7919 % 61, sex, age, index);
                if is_target { sides.targets.push(one) } else { sides.comparators.push(one) }
            }
            let settings = settings(ratio, Some(age_years), index_days);
            let expected = slowly(&settings, sides.clone());
            if reversed {
                sides.targets.reverse();
                sides.comparators.reverse();
            }
            prop_assert_eq!(matched(&settings, sides), expected);
        }
    }
}
