//! Eras, by the conventions of the OHDSI scripts for the OMOP CDM: exposures
//! or occurrences of one concept whose gaps are at most 30 days become one.
//!
//! An occurrence ends on its end date; a drug exposure without one ends
//! `days_supply` days after its start if that is more than none; anything else
//! ends on the day after its start. Rows with concept 0 or without start date
//! make no era, nor do exposures with a negative supply. Supplies are not
//! stockpiled. An end before the start counts as the start.

use crate::{Day, Interval};

/// Days without exposure that an era may bridge.
pub(super) const GAP_DAYS: i32 = 30;

/// One person's occurrence of one concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Occurrence {
    pub(super) concept: i64,
    pub(super) span: Interval,
}

/// One era of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Era {
    pub(super) concept: i64,
    pub(super) span: Interval,
    /// Occurrences in it.
    pub(super) count: i64,
    /// Days from start to end less the days of exposure, overlaps once.
    pub(super) gap_days: i64,
}

/// When an occurrence ends: see the module.
pub(super) fn span_of(start: Day, end: Option<Day>, days_supply: Option<i64>) -> Interval {
    let supplied = days_supply
        .and_then(|days| i32::try_from(days).ok())
        .filter(|days| *days > 0)
        .map(|days| start.plus(days));
    let end = end.or(supplied).unwrap_or_else(|| start.plus(1));
    Interval { start, end: end.max(start) }
}

/// Sorts the occurrences of one person and appends their eras, by concept and
/// start.
pub(super) fn append_eras(occurrences: &mut [Occurrence], eras: &mut Vec<Era>) {
    occurrences.sort_unstable();
    for of_concept in occurrences.chunk_by(|a, b| a.concept == b.concept) {
        let first = of_concept[0];
        let mut era = Era { concept: first.concept, span: first.span, count: 1, gap_days: 0 };
        for next in &of_concept[1..] {
            let gap = next.span.start.days_since(era.span.end);
            if gap > GAP_DAYS {
                eras.push(era);
                era = Era { span: next.span, count: 1, gap_days: 0, ..era };
                continue;
            }
            era.count += 1;
            era.gap_days += i64::from(gap.max(0));
            era.span.end = era.span.end.max(next.span.end);
        }
        eras.push(era);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn occurrence(concept: i64, start: i32, end: i32) -> Occurrence {
        Occurrence { concept, span: Interval::new(Day(start), Day(end)).unwrap() }
    }

    fn eras_of(mut occurrences: Vec<Occurrence>) -> Vec<Era> {
        let mut eras = Vec::new();
        append_eras(&mut occurrences, &mut eras);
        eras
    }

    fn era(concept: i64, start: i32, end: i32, count: i64, gap_days: i64) -> Era {
        Era { concept, span: Interval::new(Day(start), Day(end)).unwrap(), count, gap_days }
    }

    #[test]
    fn gaps_of_thirty_days_are_bridged() {
        // Day 10 to day 40 are 30 days, day 40 to day 71 are 31.
        let given = vec![occurrence(7, 71, 80), occurrence(7, 0, 10), occurrence(7, 40, 40)];
        assert_eq!(eras_of(given), [era(7, 0, 40, 2, 30), era(7, 71, 80, 1, 0)]);
    }

    #[test]
    fn overlaps_are_no_gap_and_concepts_stay_apart() {
        // 1 June to 1 July, 15 June to 15 July, 25 July to 25 August: a gap of
        // ten days, the overlap not added to the end.
        let given = vec![
            occurrence(1, 0, 30),
            occurrence(1, 14, 44),
            occurrence(1, 54, 85),
            occurrence(2, 10, 11),
        ];
        assert_eq!(eras_of(given), [era(1, 0, 85, 3, 10), era(2, 10, 11, 1, 0)]);
    }

    #[test]
    fn ends_are_inferred_as_the_scripts_do() {
        let day = Day;
        let end = |end: Option<i32>, supply| span_of(day(5), end.map(day), supply).end;
        assert_eq!(end(Some(9), Some(30)), day(9));
        assert_eq!(end(None, Some(30)), day(35));
        assert_eq!(end(None, Some(0)), day(6));
        assert_eq!(end(None, None), day(6));
        assert_eq!(end(Some(2), None), day(5));
    }

    /// Looks at every step from one day to the next: a step is exposed if an
    /// occurrence covers both days, and bridged if one covers them once its
    /// end is moved 30 days on. An era is a run of bridged steps, cut back to
    /// the last end in it.
    fn oracle(occurrences: &[Occurrence], concept: i64) -> Vec<Era> {
        let mine: Vec<_> = occurrences.iter().filter(|o| o.concept == concept).collect();
        let covers = |day: i32, more: i32| {
            mine.iter().any(|o| o.span.start.0 <= day && day < o.span.end.0 + more)
        };
        let mut eras = Vec::new();
        let mut day = 0;
        while day < 1_000 {
            if !mine.iter().any(|o| o.span.start.0 == day) {
                day += 1;
                continue;
            }
            let start = day;
            while covers(day, GAP_DAYS) {
                day += 1;
            }
            let inside = |o: &&&Occurrence| (start..=day).contains(&o.span.start.0);
            let count = mine.iter().filter(inside).count() as i64;
            let end = mine.iter().filter(inside).map(|o| o.span.end.0).max().unwrap();
            let gap_days = (start..end).filter(|step| !covers(*step, 0)).count() as i64;
            eras.push(era(concept, start, end, count, gap_days));
            day += 1;
        }
        eras
    }

    proptest! {
        #[test]
        fn eras_equal_the_day_by_day_ones(
            given in prop::collection::vec((1..3_i64, 0..400_i32, 0..60_i32), 0..40),
        ) {
            let given: Vec<_> =
                given.into_iter().map(|(c, start, days)| occurrence(c, start, start + days)).collect();
            let expected: Vec<_> =
                [1, 2].into_iter().flat_map(|concept| oracle(&given, concept)).collect();
            prop_assert_eq!(eras_of(given), expected);
        }
    }
}
