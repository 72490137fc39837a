//! Calendar intervals, numbered along time, so that counts over many of them
//! can be kept as differences.

use farr_records::{Day, Interval};

use crate::{CalendarInterval, TimePoint};

/// What is observed of each interval: a day of it, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Day(TimePoint),
    All,
}

impl CalendarInterval {
    /// The name in a report, as in a job file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Weeks => "weeks",
            Self::Months => "months",
            Self::Quarters => "quarters",
            Self::Years => "years",
            Self::Overall => "overall",
        }
    }

    /// The number of the interval that a day is in.
    pub(super) fn number_of(self, day: Day) -> i32 {
        match self {
            // 1970-01-01 was a Thursday.
            Self::Weeks => (day.0 + 3).div_euclid(7),
            Self::Months => day.year() * 12 + day.month() - 1,
            Self::Quarters => day.year() * 4 + (day.month() - 1) / 3,
            Self::Years => day.year(),
            Self::Overall => 0,
        }
    }

    /// All days of an interval; `overall` has no bounds of its own.
    fn whole(self, number: i32) -> Interval {
        let start = |number: i32| match self {
            Self::Weeks => Day(number.saturating_mul(7).saturating_sub(3)),
            Self::Months => month_start(number),
            Self::Quarters => month_start(number * 3),
            Self::Years => month_start(number * 12),
            Self::Overall => Day(i32::MIN),
        };
        let end = match self {
            Self::Overall => Day(i32::MAX),
            _ => start(number + 1).plus(-1),
        };
        Interval { start: start(number), end }
    }

    /// What is observed of an interval.
    pub(super) fn window(self, number: i32, window: Window) -> Interval {
        let whole = self.whole(number);
        let day = match window {
            Window::All => return whole,
            Window::Day(TimePoint::Start) => whole.start,
            Window::Day(TimePoint::End) => whole.end,
            Window::Day(TimePoint::Middle) => match self {
                Self::Weeks => whole.start.plus(3),
                Self::Months => whole.start.plus(14),
                Self::Quarters => month_start(number * 3 + 1).plus(14),
                Self::Years | Self::Overall => month_start(number * 12 + 6),
            },
        };
        Interval { start: day, end: day }
    }

    /// The first and last number of the intervals of whose windows a span has
    /// a day; `None` if it has none.
    pub(super) fn touched(self, span: Interval, window: Window) -> Option<(i32, i32)> {
        let (mut first, mut last) = (self.number_of(span.start), self.number_of(span.end));
        first += i32::from(self.window(first, window).end < span.start);
        last -= i32::from(self.window(last, window).start > span.end);
        (first <= last).then_some((first, last))
    }

    /// The first and last number of the intervals that lie wholly in a span.
    pub(super) fn covered(self, span: Interval) -> Option<(i32, i32)> {
        let (mut first, mut last) = (self.number_of(span.start), self.number_of(span.end));
        first += i32::from(self.window(first, Window::All).start < span.start);
        last -= i32::from(self.window(last, Window::All).end > span.end);
        (first <= last).then_some((first, last))
    }
}

/// The first day of a month, counted from year 0.
fn month_start(months: i32) -> Day {
    let year = i16::try_from(months.div_euclid(12)).unwrap_or(i16::MAX);
    let month = (months.rem_euclid(12) + 1) as i8;
    // Beyond the calendar's last year there is no later day.
    Day::from_ymd(year, month, 1).unwrap_or(Day(i32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn middles_and_ends_by_hand() {
        use CalendarInterval as C;
        use TimePoint::{End, Middle, Start};
        let at = |kind: CalendarInterval, point| {
            let number = kind.number_of(day("2020-05-14"));
            kind.window(number, Window::Day(point)).start.to_string()
        };
        // 14 May 2020 was a Thursday.
        assert_eq!(at(C::Weeks, Start), "2020-05-11");
        assert_eq!(at(C::Weeks, Middle), "2020-05-14");
        assert_eq!(at(C::Weeks, End), "2020-05-17");
        assert_eq!(at(C::Months, Middle), "2020-05-15");
        assert_eq!(at(C::Months, End), "2020-05-31");
        assert_eq!(at(C::Quarters, Middle), "2020-05-15");
        assert_eq!(at(C::Quarters, End), "2020-06-30");
        assert_eq!(at(C::Years, Middle), "2020-07-01");
        assert_eq!(at(C::Years, End), "2020-12-31");
    }

    proptest! {
        /// Against every interval in turn.
        #[test]
        fn touched_and_covered(start in -3000..20_000_i32, days in 0..900_i32) {
            let span = Interval { start: Day(start), end: Day(start + days) };
            for kind in [CalendarInterval::Weeks, CalendarInterval::Months,
                CalendarInterval::Quarters, CalendarInterval::Years, CalendarInterval::Overall] {
                let all = kind.number_of(span.start) - 2..=kind.number_of(span.end) + 2;
                let all: Vec<i32> =
                    if kind == CalendarInterval::Overall { vec![0] } else { all.collect() };
                let range = |found: Option<(i32, i32)>| -> Vec<i32> {
                    found.map_or_else(Vec::new, |(first, last)| (first..=last).collect())
                };
                let mut windows = vec![Window::All];
                if kind != CalendarInterval::Overall {
                    windows.extend([TimePoint::Start, TimePoint::Middle, TimePoint::End]
                        .map(Window::Day));
                }
                for window in windows {
                    let slow: Vec<i32> = all.iter().copied()
                        .filter(|n| kind.window(*n, window).intersect(span).is_some()).collect();
                    prop_assert_eq!(range(kind.touched(span, window)), slow);
                }
                let slow: Vec<i32> = all.iter().copied().filter(|n| {
                    let whole = kind.window(*n, Window::All);
                    span.start <= whole.start && whole.end <= span.end
                }).collect();
                prop_assert_eq!(range(kind.covered(span)), slow);
            }
        }
    }
}
