//! Derivations in words, for attrition tables, checks and explanations.

use super::settings::{
    CalendarDay, Demographics, Derivation, Match, MatchSide, Minus, MinusBy, Near, NearKeep,
    RowDate, Sample, WindowDay, WindowKeep,
};
use crate::short::Sex;

/// What a derivation leaves of its first input, or for a union, what it is;
/// `name` gives the words for a cohort.
pub(super) fn words<C>(derivation: &Derivation<C>, name: &dyn Fn(&C) -> String) -> String {
    let list = |cohorts: &[C], last: &str| {
        let names: Vec<String> = cohorts.iter().map(name).collect();
        match names.split_last() {
            Some((end, start)) if !start.is_empty() => {
                format!("{} {last} {end}", start.join(", "))
            }
            _ => names.concat(),
        }
    };
    match derivation {
        Derivation::Union(s) => {
            let gap = match s.gap_days {
                0 => String::new(),
                days => format!(", rows at most {days} days apart joined"),
            };
            format!("in {}{gap}", list(&s.cohorts, "or"))
        }
        Derivation::Intersection(s) => {
            format!("days also in {}", list(s.cohorts.get(1..).unwrap_or_default(), "and"))
        }
        Derivation::Minus(Minus { without, by, .. }) => match by {
            MinusBy::Days => format!("days not in {}", list(without, "or")),
            MinusBy::Rows => format!("rows that share no day with {}", list(without, "or")),
            MinusBy::Persons => format!("persons never in {}", list(without, "or")),
        },
        Derivation::Sample(s) => sample(s),
        Derivation::Match(s) => matched(s, name),
        Derivation::Window(s) => {
            let window = calendar(s.from, s.to);
            match s.keep {
                WindowKeep::Days => format!("days {window}"),
                WindowKeep::Starts => format!("rows that start {window}"),
            }
        }
        Derivation::Near(s) => near(s, name),
        Derivation::Entry(s) => match s.nth {
            1 => "the first row of each person".to_owned(),
            -1 => "the last row of each person".to_owned(),
            nth if nth > 0 => format!("row {nth} of each person"),
            nth => format!("row {} of each person, from the end", nth.unsigned_abs()),
        },
        Derivation::Demographics(s) => demographics(s),
    }
}

fn sample<C>(settings: &Sample<C>) -> String {
    match (settings.persons, settings.fraction) {
        (_, Some(fraction)) => {
            format!("a sample of the share {fraction} of persons, seed {}", settings.seed)
        }
        (persons, None) => {
            format!("a sample of {} persons, seed {}", persons.unwrap_or_default(), settings.seed)
        }
    }
}

fn matched<C>(settings: &Match<C>, name: &dyn Fn(&C) -> String) -> String {
    let mut like = Vec::new();
    if settings.sex {
        like.push("same sex".to_owned());
    }
    if let Some(years) = settings.age_years {
        like.push(format!("ages at most {years} years apart"));
    }
    if let Some(days) = settings.index_days {
        like.push(format!("entries at most {days} days apart"));
    }
    let like = like.join(", ");
    let (ratio, seed) = (settings.ratio, settings.seed);
    match settings.keep {
        MatchSide::Comparators => {
            format!("matched to {}, up to {ratio} each: {like}; seed {seed}", name(&settings.to))
        }
        MatchSide::Targets => {
            format!("with a match in {}: {like}; seed {seed}", name(&settings.cohort))
        }
    }
}

fn calendar(from: Option<CalendarDay>, to: Option<CalendarDay>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("from {} to {}", from.0, to.0),
        (Some(from), None) => format!("from {} on", from.0),
        (None, Some(to)) => format!("up to {}", to.0),
        (None, None) => "of any date".to_owned(),
    }
}

fn near<C>(settings: &Near<C>, name: &dyn Fn(&C) -> String) -> String {
    let day = |end: WindowDay| match end {
        WindowDay::Days(days) => days.to_string(),
        WindowDay::Open(_) => "any".to_owned(),
    };
    let date = |date: RowDate| match date {
        RowDate::Start => "start",
        RowDate::End => "end",
    };
    let has = match settings.keep {
        NearKeep::With => "with",
        NearKeep::Without => "without",
    };
    let [first, last] = settings.window;
    format!(
        "rows {has} the {} of a row of {} {} to {} days after their {}",
        date(settings.of_date),
        name(&settings.of),
        day(first),
        day(last),
        date(settings.date)
    )
}

fn demographics<C>(settings: &Demographics<C>) -> String {
    let mut parts = Vec::new();
    if let Some(range) = settings.age {
        parts.push(match (range.min, range.max) {
            (Some(min), Some(max)) => format!("{min} to {max} years old"),
            (Some(min), None) => format!("{min} years or older"),
            (None, Some(max)) => format!("at most {max} years old"),
            (None, None) => "of any age".to_owned(),
        });
    }
    if let Some(sex) = settings.sex {
        parts.push(match sex {
            Sex::Female => "female".to_owned(),
            Sex::Male => "male".to_owned(),
        });
    }
    parts.join(", ")
}
