//! Days and intervals of days.

use serde::{Deserialize, Serialize};
use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

/// A calendar day, as days since 1970-01-01: the value of Arrow's Date32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

impl Day {
    /// The day of a civil date; `None` if there is no such date.
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().map(Self::from_date)
    }

    /// The day of a `YYYY-MM-DD` text; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<Date>().ok().map(Self::from_date)
    }

    /// The day of a civil date.
    pub fn from_date(date: Date) -> Self {
        let days = date.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days());
        Self(days)
    }

    /// The civil date; days beyond year 9999 or before -9999 are clamped.
    pub fn date(self) -> Date {
        Date::constant(1970, 1, 1).saturating_add(self.0.days())
    }

    /// The calendar year, clamped as [`Day::date`] is.
    #[inline]
    pub fn year(self) -> i32 {
        self.year_of_any().clamp(-9_999, 9_999) as i32
    }

    /// The calendar year, of any day.
    #[inline]
    pub fn year_of_any(self) -> i64 {
        // Days since a first of March, in eras of 400 years (Howard Hinnant,
        // "chrono-Compatible Low-Level Date Algorithms", 2013), of which so many
        // come before the year 0 that none is negative.
        const ERAS: i64 = 14_700;
        const DAYS_OF_ERA: u64 = 146_097;
        let days = (i64::from(self.0) + 719_468 + ERAS * DAYS_OF_ERA as i64) as u64;
        let (era, day_of_era) = ((days / DAYS_OF_ERA) as i64, (days % DAYS_OF_ERA) as u32);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // The year starts in March: from day 306 on it is January.
        (era - ERAS) * 400 + i64::from(year_of_era) + i64::from(day_of_year >= 306)
    }

    /// The month, 1 to 12.
    pub fn month(self) -> i32 {
        i32::from(self.date().month())
    }

    /// The day so many days later.
    #[must_use]
    #[inline]
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Days from `earlier` to this day.
    #[inline]
    pub fn days_since(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Days from `start` to `end`, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first day.
    pub start: Day,
    /// The last day; never before the first in an interval made by `new`.
    pub end: Day,
}

impl Interval {
    /// The interval, or `None` if it ends before it starts.
    #[inline]
    pub fn new(start: Day, end: Day) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// Whether the day lies inside.
    #[inline]
    pub fn contains(self, day: Day) -> bool {
        self.start <= day && day <= self.end
    }

    /// How many days it has, both ends counted.
    #[inline]
    pub fn days(self) -> i32 {
        self.end.days_since(self.start) + 1
    }

    /// The days in both, or `None` if there are none.
    #[inline]
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_those_of_the_calendar() {
        let far = [-7_000_000, -4_371_588, -4_371_587, 2_932_896, 2_932_897, 7_000_000];
        for day in (-800_000..800_000).step_by(13).chain(far).map(Day) {
            assert_eq!(day.year(), i32::from(day.date().year()), "{}", day.0);
        }
    }

    #[test]
    fn days_count_from_1970() {
        assert_eq!(Day::from_ymd(1970, 1, 1), Some(Day(0)));
        assert_eq!(Day::from_ymd(2000, 3, 1), Some(Day(11_017)));
        assert_eq!(Day::from_ymd(1969, 12, 31), Some(Day(-1)));
        assert_eq!(Day::from_ymd(2023, 2, 29), None);
        assert_eq!(Day(11_017).to_string(), "2000-03-01");
        assert_eq!(Day::parse("2000-03-01"), Some(Day(11_017)));
        assert_eq!(Day(11_017).year(), 2000);
    }

    #[test]
    fn both_ends_of_an_interval_count() {
        let interval = Interval::new(Day(3), Day(3)).unwrap();
        assert_eq!(interval.days(), 1);
        assert_eq!(Interval::new(Day(3), Day(2)), None);
        assert_eq!(interval.intersect(Interval::new(Day(4), Day(9)).unwrap()), None);
    }
}
