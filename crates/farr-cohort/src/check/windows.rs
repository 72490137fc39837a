//! Windows around the index event.

use std::collections::BTreeMap;

use super::draft::{Correlated, Draft, Part, Parts, Window, WindowEnd};
use super::{Check, Findings, Severity};
use crate::domain::Domain;
use crate::explain::noun;
use crate::model::OccurrenceKind;

pub(super) fn check(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    for (part, correlated) in &parts.correlated {
        let place = place_of(*part, correlated);
        for window in [&correlated.start_window, &correlated.end_window].into_iter().flatten() {
            negative(window, &place, findings);
            impossible(window, correlated, &place, findings);
        }
        drug_era(correlated, &place, findings);
        let Some(window) = &correlated.start_window else { continue };
        beyond_observation(draft, window, &place, findings);
        death(correlated, window, &place, findings);
        first(correlated, window, &place, findings);
    }
    pattern(parts, findings);
}

fn place_of(part: Part, correlated: &Correlated) -> String {
    let noun = correlated.criterion.as_ref().map_or("criterion", |c| noun(c.domain));
    format!("{noun} in {}", part.words())
}

/// Days are written without a sign; the coefficient says whether they are
/// before or after.
fn negative(window: &Window, place: &str, findings: &mut Findings) {
    for (name, end) in [("start", window.start), ("end", window.end)] {
        let Some(days) = end.and_then(|end| end.days).filter(|days| *days < 0) else { continue };
        let message = format!(
            "the window's {name} for the {place} is {days} days; write {} and let Coeff say \
             whether it is before (-1) or after (1)",
            days.unsigned_abs()
        );
        findings.add(Check::Range, &window.path, message);
    }
}

/// A window that starts after its end contains no day.
fn impossible(window: &Window, correlated: &Correlated, place: &str, findings: &mut Findings) {
    let (first, last) = window.span();
    // An open end is the period's; a window from its end to its start is empty
    // too, unless the period has one day.
    let is_open_backwards = first == i64::MAX || last == i64::MIN;
    if first <= last && !is_open_backwards {
        return;
    }
    let holds_anyway = correlated.occurrence.is_some_and(|occurrence| {
        matches!(occurrence.kind, OccurrenceKind::Exactly | OccurrenceKind::AtMost)
            && occurrence.range().0 <= 0
            && occurrence.range().1 >= 0
    });
    let result = if holds_anyway { "always" } else { "never" };
    if is_open_backwards {
        // The day itself is left: the first or last of the observation period.
        let message = format!(
            "the window for the {place} goes from {} to {}, so it holds at most the one day at \
             the edge of observation; mend the Coeff of its ends",
            day(first),
            day(last)
        );
        let severity = Severity::Warning;
        findings.add_as(Check::ImpossibleWindow, severity, &window.path, message);
        return;
    }
    let message = format!(
        "the window for the {place} goes from {} to {}, the later first, so it holds no day and \
         the criterion {result} holds; exchange its ends, or mend their Coeff",
        day(first),
        day(last)
    );
    findings.add(Check::ImpossibleWindow, &window.path, message);
}

/// A day from the index day, in words.
pub(super) fn day(day: i64) -> String {
    match day {
        i64::MIN => "the start of observation".to_owned(),
        i64::MAX => "the end of observation".to_owned(),
        0 => "the index day".to_owned(),
        day if day < 0 => format!("{} days before", day.unsigned_abs()),
        day => format!("{day} days after"),
    }
}

/// As the reference: a window longer than all observation that is asked for
/// reaches where some persons were not seen. Open ends count as the index day.
fn beyond_observation(draft: &Draft, window: &Window, place: &str, findings: &mut Findings) {
    let day = |end: Option<WindowEnd>| end.and_then(WindowEnd::day).unwrap_or(0);
    let length = day(window.end).saturating_sub(day(window.start));
    let observed = draft.prior_days.saturating_add(draft.post_days);
    if length > observed {
        let message = format!(
            "the window for the {place} is {length} days long, but only {observed} days of \
             observation are asked for, so some persons were not seen for all of it; ask for more \
             in ObservationWindow, or shorten the window"
        );
        findings.add(Check::WindowBeyondObservation, &window.path, message);
    }
}

fn death(correlated: &Correlated, window: &Window, place: &str, findings: &mut Findings) {
    let is_death = correlated.criterion.as_ref().is_some_and(|c| c.domain == Domain::Death);
    let starts_before = window.start.is_some_and(|start| start.sign < 0);
    let ends_after = window.end.is_some_and(|end| end.sign > 0);
    if is_death && starts_before && !ends_after {
        let message = format!(
            "a {place} is looked for before the index event, but the dead have no later events; \
             look after the index event instead"
        );
        findings.add(Check::DeathBeforeIndex, &window.path, message);
    }
}

fn drug_era(correlated: &Correlated, place: &str, findings: &mut Findings) {
    let is_era = correlated.criterion.as_ref().is_some_and(|c| c.domain == Domain::DrugEra);
    let is_unbounded = |window: &Option<Window>| {
        window.as_ref().is_none_or(|window| window.start.is_none() && window.end.is_none())
    };
    if is_era && is_unbounded(&correlated.start_window) && is_unbounded(&correlated.end_window) {
        let message = format!(
            "the {place} is not bounded in time, and eras from claims may be wrong where days of \
             supply are missing (biologics, for one); give it a window, or use drug exposures"
        );
        findings.add(Check::DrugEra, &correlated.path, message);
    }
}

fn first(correlated: &Correlated, window: &Window, place: &str, findings: &mut Findings) {
    let Some(criterion) = &correlated.criterion else { return };
    let is_bounded = [window.start, window.end].into_iter().flatten().any(|end| end.days.is_some());
    let may_be_first = criterion.domain.specification().has_first;
    if is_bounded && may_be_first && criterion.first.is_none() {
        let message = format!(
            "the {place} need not be the first in the person's history; set First if it must be, \
             else set it to false"
        );
        findings.add(Check::NotFirstInHistory, &criterion.path, message);
    }
}

/// Where most windows of the rules start on one day, one that does not may be
/// a slip.
fn pattern(parts: &Parts, findings: &mut Findings) {
    let windows = parts.correlated.iter().filter_map(|(part, correlated)| {
        let is_rule = matches!(part, Part::Rule(_));
        let window = correlated.start_window.as_ref().filter(|_| is_rule)?;
        Some((place_of(*part, correlated), window))
    });
    let windows: Vec<(String, &Window)> = windows.collect();
    let start = |window: &Window| window.start.and_then(WindowEnd::day);
    let mut counts: BTreeMap<Option<i64>, usize> = BTreeMap::new();
    for (_, window) in &windows {
        *counts.entry(start(window)).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    if most < 2 {
        return;
    }
    let Some((_, usual)) = windows.iter().find(|(_, window)| counts[&start(window)] == most) else {
        return;
    };
    for (place, window) in &windows {
        if counts[&start(window)] < most {
            let (first, usual_first) = (window.span().0, usual.span().0);
            let message = format!(
                "the window for the {place} starts at {}, most of the others at {}; make them \
                 alike, or let it stand if they are meant to differ",
                day(first),
                day(usual_first)
            );
            findings.add(Check::WindowPattern, &window.path, message);
        }
    }
}
