//! Rules and groups: what asks nothing, what asks twice, what cannot hold.

use super::draft::{Correlated, Criterion, Draft, Group, Part, Parts};
use super::{Check, Findings, Severity};
use crate::explain::noun;
use crate::model::{GroupKind, OccurrenceKind};

pub(super) fn check(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    for rule in &draft.rules {
        if rule.group.as_ref().is_none_or(|group| group.asked() == 0) {
            let message = format!(
                "{} asks nothing, so every event meets it; add criteria to its expression, or \
                 take it out",
                Part::Rule(&rule.name).words()
            );
            findings.add(Check::IncompleteRule, &rule.path, message);
        }
    }
    for (part, group) in &parts.groups {
        group_count(*part, group, findings);
    }
    for (part, correlated) in &parts.correlated {
        at_least_none(*part, correlated, findings);
    }
    contradictions(draft, parts, findings);
    duplicates(parts, findings);
}

fn group_count(part: Part, group: &Group, findings: &mut Findings) {
    let asked = group.asked() as i64;
    if asked == 0 {
        return;
    }
    let (held, words) = match group.kind {
        Some(GroupKind::AtLeast(count)) if count > asked => ("never", format!("at least {count}")),
        Some(GroupKind::AtLeast(count)) if count <= 0 => ("always", format!("at least {count}")),
        Some(GroupKind::AtMost(count)) if count >= asked => ("always", format!("at most {count}")),
        Some(GroupKind::AtMost(count)) if count < 0 => ("never", format!("at most {count}")),
        _ => return,
    };
    let message = format!(
        "a group in {} asks for {words} of {asked} criteria, which {held} holds; mend its Count",
        part.words()
    );
    findings.add(Check::GroupCount, &group.path, message);
}

fn at_least_none(part: Part, correlated: &Correlated, findings: &mut Findings) {
    let Some(occurrence) = correlated.occurrence else { return };
    if occurrence.kind == OccurrenceKind::AtLeast && occurrence.count <= 0 {
        let noun = correlated.criterion.as_ref().map_or("events", |c| noun(c.domain));
        let message = format!(
            "at least 0 of {noun} in {} always holds; write exactly 0 if there must be none, or \
             at least 1 if there must be some",
            part.words()
        );
        findings.add(Check::AtLeastNone, &correlated.path, message);
    }
}

/// Criteria around one index event.
struct Scope<'a> {
    /// Where each stands, and whether it must hold.
    criteria: Vec<(Part<'a>, &'a Correlated, bool)>,
}

impl<'a> Scope<'a> {
    fn add(&mut self, part: Part<'a>, group: &'a Group, is_asked: bool) {
        let is_asked = is_asked && group.asks_for_each();
        for correlated in &group.criteria {
            self.criteria.push((part, correlated, is_asked));
        }
        group.groups.iter().for_each(|group| self.add(part, group, is_asked));
    }
}

/// Pairs of criteria around one index event whose counts exclude each other.
fn contradictions(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    let mut around_entry = Scope { criteria: Vec::new() };
    draft.additional.iter().for_each(|group| around_entry.add(Part::Additional, group, true));
    for rule in &draft.rules {
        let part = Part::Rule(&rule.name);
        rule.group.iter().for_each(|group| around_entry.add(part, group, true));
    }
    let mut scopes = vec![around_entry];
    for (part, criterion) in &parts.criteria {
        if let Some(group) = &criterion.correlated {
            let mut scope = Scope { criteria: Vec::new() };
            scope.add(*part, group, true);
            scopes.push(scope);
        }
    }
    for scope in &scopes {
        for (place, later) in scope.criteria.iter().enumerate() {
            for earlier in &scope.criteria[..place] {
                contradiction(earlier, later, findings);
            }
        }
    }
}

fn contradiction(
    (earlier_part, earlier, earlier_asked): &(Part, &Correlated, bool),
    (later_part, later, later_asked): &(Part, &Correlated, bool),
    findings: &mut Findings,
) {
    let (Some(a), Some(b)) = (&earlier.criterion, &later.criterion) else { return };
    let (Some(a_count), Some(b_count)) = (earlier.occurrence, later.occurrence) else { return };
    if a.domain != b.domain || a.concept_set != b.concept_set {
        return;
    }
    let (a_range, b_range) = (a_count.range(), b_count.range());
    let (few, many, few_count, many_count) = if a_range.1 < b_range.0 {
        (earlier, later, a_count, b_count)
    } else if b_range.1 < a_range.0 {
        (later, earlier, b_count, a_count)
    } else {
        return;
    };
    let both_asked = *earlier_asked && *later_asked;
    let is_sure = both_asked
        && few_count.is_distinct == many_count.is_distinct
        && is_within(many, few)
        && few.criterion.iter().zip(&many.criterion).all(|(few, many)| {
            few.source_concept_set == many.source_concept_set && few.asks_no_more_than(many)
        });
    let words = if is_sure {
        "exclude each other, so nobody meets both"
    } else {
        "may exclude each other: their counts do, though not their windows and filters"
    };
    let severity = if is_sure { Severity::Warning } else { Severity::Info };
    let message = format!(
        "{} of {} in {} and {} in {} at {} {words}; mend or take out one",
        counted(b_count),
        noun(b.domain),
        later_part.words(),
        counted(a_count),
        earlier_part.words(),
        earlier.path
    );
    findings.add_as(Check::Contradiction, severity, &later.path, message);
}

/// Whether the days of one criterion's windows lie in those of another's.
fn is_within(inner: &Correlated, outer: &Correlated) -> bool {
    let (Some(inner_start), Some(outer_start)) = (&inner.start_window, &outer.start_window) else {
        return false;
    };
    let lies = |inner: &super::draft::Window, outer: &super::draft::Window| {
        let (a, b) = (inner.span(), outer.span());
        inner.use_event_end == outer.use_event_end
            && inner.use_index_end == outer.use_index_end
            && outer.start.is_some()
            && a.0 >= b.0
            && a.1 <= b.1
    };
    let by_end = match (&inner.end_window, &outer.end_window) {
        (_, None) => true,
        (Some(inner), Some(outer)) => lies(inner, outer),
        (None, Some(_)) => false,
    };
    lies(inner_start, outer_start) && by_end
}

fn counted(occurrence: super::draft::Occurrence) -> String {
    let verb = match occurrence.kind {
        OccurrenceKind::Exactly => "exactly",
        OccurrenceKind::AtMost => "at most",
        OccurrenceKind::AtLeast => "at least",
    };
    let distinct = if occurrence.is_distinct { " different" } else { "" };
    format!("{verb} {}{distinct}", occurrence.count)
}

/// A criterion, where it stands, and what it is asked around an index event.
type Placed<'a> = (Part<'a>, &'a Criterion, Option<&'a Correlated>);

/// Criteria with the same events. As in the reference a criterion of the entry
/// or of a rule is held against all others; that their windows and filters
/// are alike too makes it a warning.
fn duplicates(parts: &Parts, findings: &mut Findings) {
    let correlated_of = |criterion: &Criterion| {
        let is_it =
            |c: &&Correlated| c.criterion.as_ref().is_some_and(|c| std::ptr::eq(c, criterion));
        parts.correlated.iter().map(|(_, correlated)| *correlated).find(is_it)
    };
    let all: Vec<Placed> = parts
        .criteria
        .iter()
        .filter(|(part, _)| *part != Part::Censoring)
        .map(|(part, criterion)| (*part, *criterion, correlated_of(criterion)))
        .collect();
    for (place, (part, criterion, window)) in all.iter().enumerate() {
        let same = all[..place].iter().filter(|(_, earlier, _)| same_events(earlier, criterion));
        let mut best: Option<(Severity, &Placed)> = None;
        for earlier in same {
            let severity = if repeats(earlier, (criterion, *window)) {
                Severity::Warning
            } else {
                Severity::Info
            };
            if best.is_none_or(|(known, _)| severity > known) {
                best = Some((severity, earlier));
            }
        }
        let Some((severity, (earlier_part, earlier, _))) = best else { continue };
        let words = match severity {
            Severity::Info => "asks for the same events, though otherwise,",
            _ => "asks for nothing more",
        };
        let message = format!(
            "the {} in {} {words} than the one in {} at {}; take one out, or mend it if another \
             concept set was meant",
            noun(criterion.domain),
            part.words(),
            earlier_part.words(),
            earlier.path
        );
        findings.add_as(Check::DuplicateCriteria, severity, &criterion.path, message);
    }
}

/// Periods have no concept sets: theirs are the same events if all that is
/// asked of them is.
fn same_events(one: &Criterion, other: &Criterion) -> bool {
    let has_concepts = one.domain.specification().has_codeset;
    if has_concepts { one.has_same_events(other) } else { one.is_like(other) }
}

fn repeats(
    (_, earlier, earlier_window): &Placed,
    (later, later_window): (&Criterion, Option<&Correlated>),
) -> bool {
    match (earlier_window, later_window) {
        (None, None) => earlier.is_like(later),
        (Some(a), Some(b)) => {
            let alike =
                |a: &Option<super::draft::Window>, b: &Option<super::draft::Window>| match (a, b) {
                    (None, None) => true,
                    (Some(a), Some(b)) => a.is_like(b),
                    _ => false,
                };
            earlier.is_like(later)
                && a.occurrence == b.occurrence
                && alike(&a.start_window, &b.start_window)
                && alike(&a.end_window, &b.end_window)
        }
        // The entry event itself is the one event that the rule asks for.
        (None, Some(rule)) => {
            let covers_entry = rule.start_window.as_ref().is_some_and(|window| {
                let (first, last) = window.span();
                first <= 0 && last >= 0 && !window.use_event_end && !window.use_index_end
            });
            let asks_for_one = rule.occurrence.is_some_and(|occurrence| {
                occurrence.kind == OccurrenceKind::AtLeast && occurrence.count == 1
            });
            covers_entry
                && asks_for_one
                && rule.end_window.is_none()
                && later.asks_no_more_than(earlier)
        }
        (Some(_), None) => false,
    }
}
