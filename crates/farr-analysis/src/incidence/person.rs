//! The time at risk of one person.

use farr_records::Interval;

use super::OutcomeCounts;
use crate::{CohortRow, TimeAtRiskSettings};

/// Joins intervals that share a day. Neighbours that only touch (one starts
/// the day after the other's end) stay apart, as in CohortIncidence.
pub(super) fn join(intervals: &mut Vec<Interval>) {
    if intervals.len() < 2 {
        return;
    }
    intervals.sort_unstable();
    intervals.dedup_by(|interval, last| {
        let is_joined = last.end >= interval.start;
        if is_joined {
            last.end = last.end.max(interval.end);
        }
        is_joined
    });
}

/// The joined times at risk that a person's target rows give. A row counts in
/// the observation period in which it starts, if its time at risk starts there
/// too; the period's end cuts the time at risk.
pub(super) fn risk_eras(
    rows: &[CohortRow],
    time: &TimeAtRiskSettings,
    periods: &[Interval],
    eras: &mut Vec<Interval>,
) {
    eras.clear();
    for row in rows {
        let (start, end) = (time.start.day(row.interval), time.end.day(row.interval));
        let Some(at_risk) = Interval::new(start, end) else { continue };
        for period in periods {
            if period.contains(row.interval.start) && period.contains(at_risk.start) {
                eras.push(Interval { start: at_risk.start, end: at_risk.end.min(period.end) });
            }
        }
    }
    join(eras);
}

/// The rows of one outcome of a person, and what they exclude.
pub(super) struct PersonOutcome<'a> {
    rows: &'a [CohortRow],
    /// Days on which the person is not at risk.
    excluded: Vec<Interval>,
}

impl<'a> PersonOutcome<'a> {
    /// Of an outcome's rows, whose clean window is so long, and those of the
    /// cohort that it excludes.
    #[inline]
    pub(super) fn new(
        rows: &'a [CohortRow],
        clean_window_days: i32,
        excluded: &[CohortRow],
    ) -> Self {
        // As a rule.
        if rows.is_empty() && excluded.is_empty() {
            return Self { rows, excluded: Vec::new() };
        }
        let after = rows.iter().filter_map(|row| {
            Interval::new(row.interval.start.plus(1), row.interval.end.plus(clean_window_days))
        });
        let excluded = excluded.iter().map(|row| row.interval);
        let mut excluded = after.chain(excluded).collect();
        join(&mut excluded);
        Self { rows, excluded }
    }

    /// Whether the person neither has it nor is excluded from it.
    #[inline]
    pub(super) fn is_nothing(&self) -> bool {
        self.rows.is_empty() && self.excluded.is_empty()
    }

    /// What it does to some of the person's times at risk.
    pub(super) fn counts(&self, eras: &[Interval]) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        let mut stays = false;
        for era in eras {
            let overlaps = self.excluded.iter().filter_map(|other| era.intersect(*other));
            let days: i64 = overlaps.map(|overlap| i64::from(overlap.days())).sum();
            stays |= i64::from(era.days()) > days;
            counts.excluded_days += days;
            let starts = self.rows.iter().map(|row| row.interval.start);
            for day in starts.filter(|day| era.contains(*day)) {
                let is_counted = !self.excluded.iter().any(|other| other.contains(day));
                counts.outcomes_before += 1;
                counts.outcomes += i64::from(is_counted);
            }
        }
        counts.excluded_persons = i64::from(!stays);
        counts.persons_before = i64::from(counts.outcomes_before > 0);
        counts.persons = i64::from(counts.outcomes > 0);
        counts
    }
}

#[cfg(test)]
mod tests {
    use farr_records::Day;
    use proptest::prelude::*;

    use super::*;
    use crate::{Anchor, AnchorSettings};

    fn interval(start: i32, end: i32) -> Interval {
        Interval::new(Day(start), Day(end)).unwrap()
    }

    #[test]
    fn touching_eras_stay_apart() {
        let mut joined = vec![interval(5, 9), interval(1, 4), interval(9, 12)];
        join(&mut joined);
        assert_eq!(joined, [interval(1, 4), interval(5, 12)]);
    }

    #[test]
    fn time_at_risk_starts_in_the_period_of_the_row() {
        let row = CohortRow { person: 0, interval: interval(10, 20) };
        let at = |anchor, offset_days| AnchorSettings { anchor, offset_days };
        let time = |start, end| TimeAtRiskSettings {
            id: 1,
            start: at(Anchor::CohortStart, start),
            end: at(Anchor::CohortEnd, end),
        };
        let periods = [interval(0, 25), interval(40, 60)];
        let eras = |time| {
            let mut eras = vec![interval(0, 1)];
            risk_eras(&[row], &time, &periods, &mut eras);
            eras
        };
        assert_eq!(eras(time(1, 30)), [interval(11, 25)]);
        assert_eq!(eras(time(35, 30)), []);
        assert_eq!(eras(time(11, -5)), []);
    }

    proptest! {
        #[test]
        fn eras_cover_the_same_days_once(
            pairs in proptest::collection::vec((0..40_i32, 0..8_i32), 0..12),
        ) {
            let intervals: Vec<_> = pairs.iter().map(|(s, n)| interval(*s, s + n)).collect();
            let mut joined = intervals.clone();
            join(&mut joined);
            for day in (0..60).map(Day) {
                let before = intervals.iter().any(|i| i.contains(day));
                let after = joined.iter().filter(|i| i.contains(day)).count();
                prop_assert_eq!(usize::from(before), after);
            }
        }
    }
}
