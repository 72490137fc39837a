//! What attributes ask: ranges, concepts, texts.

use super::draft::{Attribute, AttributeValue, Draft, Part, Parts, Period, Point, Range};
use super::{Check, Findings, Severity};
use crate::explain::{noun, spaced};

pub(super) fn check(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    for (part, criterion) in &parts.criteria {
        let place = format!("{} in {}", noun(criterion.domain), part.words());
        for attribute in &criterion.attributes {
            value(attribute, &place, findings);
        }
        if let Some(asked) = &criterion.period {
            period(asked, &format!("the user-defined period of the {place}"), findings);
        }
    }
    for (part, demographic) in &parts.demographics {
        let place = format!("demographic criterion in {}", part.words());
        if demographic.attributes.is_empty() {
            let message = format!(
                "the {place} asks nothing and always holds; ask for age, gender, race, ethnicity \
                 or a date, or take it out"
            );
            findings.add(Check::EmptyDemographic, &demographic.path, message);
        }
        for attribute in &demographic.attributes {
            value(attribute, &place, findings);
        }
    }
    for (part, group) in &parts.groups {
        demographics_of(*part, group, findings);
    }
    for (name, days) in [("prior", draft.prior_days), ("post", draft.post_days)] {
        if days < 0 {
            let message = format!(
                "{days} {name} days of observation are asked for; write a number that is not \
                 negative"
            );
            findings.add(Check::Range, &draft.entry_path, message);
        }
    }
    if let Some(window) = &draft.censor_window {
        period(window, "the censor window", findings);
    }
}

fn value(attribute: &Attribute, place: &str, findings: &mut Findings) {
    let name = spaced(&attribute.key);
    let path = &attribute.path;
    match &attribute.value {
        AttributeValue::Range(asked) => {
            if let Some(trouble) = trouble_of(asked) {
                findings.add(Check::Range, path, format!("{name} of the {place}: {trouble}"));
            } else if let Some(trouble) = never_of(asked, &attribute.key) {
                let message = format!("{name} of the {place}: {trouble}");
                findings.add_as(Check::Range, Severity::Warning, path, message);
            }
        }
        AttributeValue::Concepts(concepts) if concepts.is_empty() => {
            let message = format!(
                "{name} of the {place}: the list has no concept, so any is taken; name one, or \
                 take the attribute out"
            );
            findings.add(Check::EmptyConcepts, path, message);
        }
        AttributeValue::Selection(None, _) => {
            let message = format!(
                "{name} of the {place}: no concept set is named, so any concept is taken; give \
                 its CodesetId, or take the attribute out"
            );
            findings.add(Check::EmptySelection, path, message);
        }
        AttributeValue::Text(_, text) if text.as_deref().is_none_or(str::is_empty) => {
            let message = format!(
                "{name} of the {place}: there is no text to look for; write one, or take the \
                 attribute out"
            );
            findings.add(Check::EmptyText, path, message);
        }
        _ => {}
    }
}

/// What makes a range mean nothing.
fn trouble_of(range: &Range) -> Option<String> {
    let is_between = range.operator.as_deref().is_some_and(|name| name.ends_with("bt"));
    for point in [&range.value, &range.extent].into_iter().flatten() {
        if let Point::NoDate(text) = point {
            return Some(format!("'{text}' is no date; write it like 2010-12-31"));
        }
    }
    match (&range.value, &range.extent) {
        (None, _) if is_between => {
            Some("the range has no first value; add 'Value', and 'Extent' for the last".to_owned())
        }
        (None, _) => Some("there is no value to compare with; add 'Value'".to_owned()),
        (Some(_), None) if is_between => {
            Some("the range has no last value; add 'Extent'".to_owned())
        }
        (Some(first), Some(last)) if is_between && is_after(first, last) => Some(format!(
            "the range goes from {} to {}, the greater first; exchange 'Value' and 'Extent'",
            shown(first),
            shown(last)
        )),
        _ => None,
    }
}

/// Attributes that are never negative.
const NEVER_NEGATIVE: [&str; 12] = [
    "Age",
    "AgeAtStart",
    "AgeAtEnd",
    "EraLength",
    "OccurrenceCount",
    "GapDays",
    "Refills",
    "DaysSupply",
    "Quantity",
    "PeriodLength",
    "VisitLength",
    "VisitDetailLength",
];

/// What no value can meet.
fn never_of(range: &Range, key: &str) -> Option<String> {
    let Some(Point::Number(value)) = range.value else { return None };
    let highest = match (range.operator.as_deref()?, &range.extent) {
        ("lt", _) if value <= 0.0 => value,
        ("lte" | "eq", _) if value < 0.0 => value,
        ("bt", Some(Point::Number(last))) if *last < 0.0 => *last,
        _ => return None,
    };
    NEVER_NEGATIVE.contains(&key).then(|| {
        format!("it is never negative, so nothing meets a range up to {highest}; mend the range")
    })
}

fn is_after(first: &Point, last: &Point) -> bool {
    match (first, last) {
        (Point::Day(first), Point::Day(last)) => first > last,
        (Point::Number(first), Point::Number(last)) => first > last,
        _ => false,
    }
}

fn shown(point: &Point) -> String {
    match point {
        Point::Day(day) => day.to_string(),
        Point::Number(number) => number.to_string(),
        Point::NoDate(text) => format!("'{text}'"),
    }
}

fn period(period: &Period, place: &str, findings: &mut Findings) {
    let points = [&period.start, &period.end];
    for point in points.into_iter().flatten() {
        if let Point::NoDate(text) = point {
            let message = format!("{place}: '{text}' is no date; write it like 2010-12-31");
            findings.add(Check::Range, &period.path, message);
            return;
        }
    }
    if let (Some(first), Some(last)) = (&period.start, &period.end)
        && is_after(first, last)
    {
        let message = format!(
            "{place} starts on {} and ends on {}, before it; exchange StartDate and EndDate",
            shown(first),
            shown(last)
        );
        findings.add(Check::Range, &period.path, message);
    }
}

/// Demographic criteria of one group that repeat each other, or of which, all
/// being asked, no two can hold.
fn demographics_of(part: Part, group: &super::draft::Group, findings: &mut Findings) {
    for (place, later) in group.demographics.iter().enumerate() {
        for earlier in &group.demographics[..place] {
            if later.attributes.is_empty() || earlier.attributes.is_empty() {
                continue;
            }
            let is_same = later.attributes.len() == earlier.attributes.len()
                && later.attributes.iter().all(|a| earlier.attributes.iter().any(|b| a.is_like(b)));
            if is_same {
                let message = format!(
                    "a demographic criterion in {} repeats the one at {}; take one out",
                    part.words(),
                    earlier.path
                );
                findings.add(Check::DemographicConflict, &later.path, message);
                continue;
            }
            let mut pairs = later.attributes.iter().flat_map(|a| {
                earlier.attributes.iter().filter(move |b| a.key == b.key).map(move |b| (a, b))
            });
            let conflict = pairs.find(|(a, b)| excludes(&a.value, &b.value));
            if let (Some((mine, _)), true) = (conflict, group.asks_for_each()) {
                let message = format!(
                    "{}: no person meets both this {} and that at {}, and both are asked; make it \
                     'any', or mend one",
                    part.words(),
                    spaced(&mine.key),
                    earlier.path
                );
                findings.add(Check::DemographicConflict, &later.path, message);
            }
        }
    }
}

/// Whether no value meets both.
fn excludes(one: &AttributeValue, other: &AttributeValue) -> bool {
    match (one, other) {
        (AttributeValue::Concepts(one), AttributeValue::Concepts(other)) => {
            !one.is_empty() && !other.is_empty() && !one.iter().any(|c| other.contains(c))
        }
        (AttributeValue::Range(one), AttributeValue::Range(other)) => {
            match (bounds(one), bounds(other)) {
                (Some((a, b)), Some((c, d))) => b < c || d < a,
                _ => false,
            }
        }
        _ => false,
    }
}

/// The lowest and highest whole number that meets a range; days count as such.
fn bounds(range: &Range) -> Option<(f64, f64)> {
    let number = |point: &Option<Point>| match point {
        Some(Point::Number(number)) => Some(number.trunc()),
        Some(Point::Day(day)) => Some(f64::from(day.0)),
        _ => None,
    };
    let value = number(&range.value)?;
    let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
    Some(match range.operator.as_deref()? {
        "lt" => (low, value - 1.0),
        "lte" => (low, value),
        "eq" => (value, value),
        "gt" => (value + 1.0, high),
        "gte" => (value, high),
        "bt" => (value, number(&range.extent)?),
        _ => return None,
    })
}
