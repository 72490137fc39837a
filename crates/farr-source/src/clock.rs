//! Texts of dates and times into local days and local times.
//!
//! Instants (`...Z`, `...+01:00`) move into the source's zone, daylight saving
//! included; dates and local times stay as they are.

use std::ops::Range;

use farr_records::Day;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::Error;
use crate::error::nearest;

/// Microseconds of a day.
pub(crate) const MICROS_A_DAY: i64 = 86_400_000_000;

/// What a text says: a day, and the time of day where it says one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) day: Day,
    /// Local microseconds since 1970.
    pub(crate) local_us: Option<i64>,
}

/// What a bare year stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BareYear {
    /// It is no date.
    Refused,
    /// Its first day.
    First,
    /// Its last day.
    Last,
}

/// Reads dates and times in one zone.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    pub(crate) fn new(system: &str, timezone: &str) -> Result<Self, Error> {
        // The same rules on every machine: those that farr was built with.
        let database = TimeZoneDatabase::bundled();
        let zone = database.get(timezone).map_err(|_| {
            let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
            let near = nearest(timezone, names.iter().map(String::as_str));
            Error::Setting {
                system: system.to_owned(),
                setting: "timezone".to_owned(),
                reason: format!("'{timezone}' is no IANA time zone"),
                hint: near.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default(),
            }
        })?;
        Ok(Self { zone })
    }

    /// `YYYY-MM-DD`, `YYYYMMDD`, or a date and a time with `T` or blank, with
    /// or without zone, and what databases write instead; `None` for anything
    /// else.
    pub(crate) fn parse(&self, text: &str, bare_year: BareYear) -> Option<Moment> {
        let text = text.trim();
        let usual = self.parse_usual(text, bare_year);
        usual.or_else(|| self.parse_usual(&rewritten(text)?, bare_year))
    }

    fn parse_usual(&self, text: &str, bare_year: BareYear) -> Option<Moment> {
        if bare_year != BareYear::Refused && text.len() == 4 {
            let year: i16 = text.parse().ok()?;
            let day = match bare_year {
                BareYear::Last => Day::from_ymd(year, 12, 31),
                BareYear::First | BareYear::Refused => Day::from_ymd(year, 1, 1),
            };
            return day.map(|day| Moment { day, local_us: None });
        }
        if text.len() <= 10 {
            let day = Day::from_date(text.parse::<Date>().ok()?);
            return Some(Moment { day, local_us: None });
        }
        if !text.as_bytes().get(..8)?.iter().all(|b| b.is_ascii_digit() || *b == b'-') {
            return None;
        }
        let time = &text.as_bytes()[8..];
        let zone_starts = |b: &u8| matches!(b, b'Z' | b'z' | b'+');
        if time.iter().any(zone_starts) || time[3..].contains(&b'-') {
            let instant = utc_second(text.as_bytes()).or_else(|| text.parse().ok());
            return instant.map(|instant| self.local(instant));
        }
        text.parse().ok().map(moment)
    }

    /// The instant that a text says, in microseconds since 1970 in UTC; `None`
    /// where it says a day or a local time.
    pub(crate) fn instant(text: &str) -> Option<i64> {
        let text = text.trim();
        let instant = text.parse::<Timestamp>().ok();
        let instant = instant.or_else(|| rewritten(text)?.parse().ok());
        instant.map(Timestamp::as_microsecond)
    }

    /// The local time of an instant, in microseconds since 1970 in UTC.
    pub(crate) fn local_of(&self, utc_us: i64) -> Option<Moment> {
        Timestamp::from_microsecond(utc_us).ok().map(|instant| self.local(instant))
    }

    fn local(&self, instant: Timestamp) -> Moment {
        moment(self.zone.to_datetime(instant))
    }
}

/// The instant of `YYYY-MM-DDThh:mm:ssZ`, of which exports hold more than of all
/// other forms: a parser for all of them takes longer. `None` for anything else.
fn utc_second(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let marks = [4, 7, 10, 13, 16, 19].map(|place| text[place]);
    if &marks != b"--T::Z" {
        return None;
    }
    let number = |places: Range<usize>| {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        text[places].iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    };
    let day = Day::from_ymd(
        i16::try_from(number(0..4)?).ok()?,
        i8::try_from(number(5..7)?).ok()?,
        i8::try_from(number(8..10)?).ok()?,
    )?;
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // A leap second is none of these.
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(day.0) * 86_400 + hour * 3600 + minute * 60 + second;
    Timestamp::from_second(seconds).ok()
}

/// A date or time in the usual form that stands in another: `… UTC` (BigQuery),
/// a blank before the offset (SQL Server, Snowflake), digits alone (Oracle, HL7), a
/// whole number as a real one (pandas); `None` for anything else.
fn rewritten(text: &str) -> Option<String> {
    if !text.is_ascii() {
        return None;
    }
    if let Some((time, zone)) = text.rsplit_once(' ') {
        return match zone {
            "UTC" | "GMT" | "Z" => Some(format!("{time}Z")),
            _ if zone.starts_with(['+', '-']) => Some(format!("{time}{zone}")),
            _ => None,
        };
    }
    let digits = text.strip_suffix(".0").unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match digits.len() {
        8 if digits.len() < text.len() => Some(digits.to_owned()),
        14 => Some(format!("{}T{}", &digits[..8], &digits[8..])),
        _ => None,
    }
}

fn moment(local: DateTime) -> Moment {
    let day = Day::from_date(local.date());
    let time = local.time();
    let seconds =
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let micros = seconds * 1_000_000 + i64::from(time.subsec_nanosecond() / 1000);
    Moment { day, local_us: Some(i64::from(day.0) * MICROS_A_DAY + micros) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_second_in_utc_is_what_any_parser_says(
            text in "(0000|1[89][0-9]{2}|20[0-9]{2}|9999)-(0[0-9]|1[0-3])-([0-2][0-9]|3[0-2])\
                T([01][0-9]|2[0-5]):[0-6][0-9]:([0-5][0-9]|6[01])Z|[-0-9T:Z]{18,21}",
        ) {
            if let Some(instant) = utc_second(text.as_bytes()) {
                prop_assert_eq!(text.parse::<Timestamp>().ok(), Some(instant), "{}", text);
            }
        }

        #[test]
        fn seconds_in_utc_are_read(seconds in -5_000_000_000..10_000_000_000_i64) {
            let instant = Timestamp::from_second(seconds).unwrap();
            prop_assert_eq!(utc_second(instant.to_string().as_bytes()), Some(instant));
        }
    }

    fn chicago() -> Clock {
        Clock::new("hospital", "America/Chicago").unwrap()
    }

    #[test]
    fn instants_move_into_the_zone_and_dates_stay() {
        let day = |text| chicago().parse(text, BareYear::Refused).map(|m| m.day.to_string());
        for (text, expected) in [
            ("2024-03-10", Some("2024-03-10")),
            ("20240310", Some("2024-03-10")),
            ("2024-03-10T05:59:59Z", Some("2024-03-09")),
            ("2024-03-10T06:00:00Z", Some("2024-03-10")),
            // Daylight saving: five hours, not six.
            ("2024-07-10T04:59:59Z", Some("2024-07-09")),
            ("2024-07-10T05:00:00Z", Some("2024-07-10")),
            ("2024-07-10T00:30:00+09:00", Some("2024-07-09")),
            ("2024-07-10 23:59:59", Some("2024-07-10")),
            ("2024-07-10 23:59:59.123", Some("2024-07-10")),
            ("2024-07-10T23:59:59", Some("2024-07-10")),
            ("2024-07-10 04:59:59 UTC", Some("2024-07-09")),
            ("2024-07-10 05:00:00.000000 UTC", Some("2024-07-10")),
            ("2024-07-10 04:59:59.0000000 +00:00", Some("2024-07-09")),
            ("2024-07-10 00:30:00.000 +0900", Some("2024-07-09")),
            ("2024-07-10 04:59:59 Z", Some("2024-07-09")),
            ("20240710235959", Some("2024-07-10")),
            // Milliseconds since 1970 have as many digits.
            ("199912312359", None),
            ("20240710.0", Some("2024-07-10")),
            ("20240230.0", None),
            ("20240710.5", None),
            ("2024-07-10 noon", None),
            ("2024-02-30", None),
            ("2024", None),
            ("10/07/2024", None),
            ("yesterday at noon", None),
            ("", None),
        ] {
            assert_eq!(day(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_local() {
        let moment = chicago().parse("1970-01-02T06:00:01.5Z", BareYear::Refused).unwrap();
        assert_eq!(moment.local_us, Some(86_401_500_000));
        assert_eq!(chicago().local_of(0).unwrap().day, Day(-1));
    }

    #[test]
    fn a_bare_year_is_its_first_or_last_day() {
        let day = |rule| chicago().parse("2014", rule).unwrap().day.to_string();
        assert_eq!(day(BareYear::First), "2014-01-01");
        assert_eq!(day(BareYear::Last), "2014-12-31");
    }

    #[test]
    fn an_unknown_zone_is_named_with_the_nearest() {
        let error = Clock::new("hospital", "America/Chicgo").unwrap_err().to_string();
        assert!(error.contains("America/Chicago"), "{error}");
    }
}
