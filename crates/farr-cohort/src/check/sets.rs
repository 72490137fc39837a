//! Concept sets: empty, unused, twice, or missing where one is expected.

use super::draft::{AttributeValue, Draft, Exit, Item, Part, Parts, Set};
use super::{Check, Findings, Severity};
use crate::domain::Domain;
use crate::explain::noun;

pub(super) fn check(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    for set in &draft.sets {
        empty(set, findings);
    }
    unused(draft, parts, findings);
    duplicates(&draft.sets, findings);
    missing(parts, findings);
    not_in_exit(draft, findings);
}

fn name_of(set: &Set) -> String {
    match (set.name.trim(), set.id) {
        ("", Some(id)) => format!("concept set {id}"),
        ("", None) => "the concept set".to_owned(),
        (name, _) => format!("concept set '{name}'"),
    }
}

fn empty(set: &Set, findings: &mut Findings) {
    if set.items.is_empty() {
        let message = format!(
            "{} holds no concept, so criteria that name it find nothing; add concepts, or take it \
             out",
            name_of(set)
        );
        findings.add(Check::EmptyConceptSet, &set.path, message);
    } else if set.items.iter().all(|item| item.is_excluded) {
        let message = format!(
            "{} only takes concepts out, so nothing is left in it; add what they are taken out of",
            name_of(set)
        );
        findings.add(Check::EmptyConceptSet, &set.path, message);
    }
}

fn unused(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    let mut used: Vec<i64> = Vec::new();
    for (_, criterion) in &parts.criteria {
        used.extend(criterion.concept_set);
        used.extend(criterion.source_concept_set);
    }
    let of_events = parts.criteria.iter().flat_map(|(_, criterion)| &criterion.attributes);
    let of_persons = parts.demographics.iter().flat_map(|(_, person)| &person.attributes);
    for attribute in of_events.chain(of_persons) {
        match attribute.value {
            AttributeValue::ConceptSet(id) | AttributeValue::Selection(Some(id), _) => {
                used.push(id);
            }
            _ => {}
        }
    }
    if let Exit::CustomEra { drugs } = draft.exit {
        used.extend(drugs);
    }
    for set in &draft.sets {
        if set.id.is_some_and(|id| !used.contains(&id)) {
            let message =
                format!("{} is used by no criterion; use it, or take it out", name_of(set));
            findings.add(Check::UnusedConceptSet, &set.path, message);
        }
    }
}

fn duplicates(sets: &[Set], findings: &mut Findings) {
    let items: Vec<Vec<&Item>> = sets.iter().map(normal).collect();
    for later in 1..sets.len() {
        if let Some(earlier) = (0..later).find(|earlier| sets[*earlier].id == sets[later].id)
            && sets[later].id.is_some()
        {
            let message = format!(
                "{} has the id of {} at {}, and criteria get the concepts of both; give it an id \
                 of its own, or take it out",
                name_of(&sets[later]),
                name_of(&sets[earlier]),
                sets[earlier].path
            );
            findings.add(Check::DuplicateConceptSets, &sets[later].path, message);
            continue;
        }
        if items[later].is_empty() {
            continue;
        }
        let same = |earlier: &usize| items[*earlier] == items[later];
        let listed = |earlier: &usize| concepts(&items[*earlier]) == concepts(&items[later]);
        let (earlier, severity, words) = match ((0..later).find(same), (0..later).find(listed)) {
            (Some(earlier), _) => (earlier, Severity::Warning, "holds the same concepts as"),
            (None, Some(earlier)) => {
                let words = "differs only in descendants, mapped or excluded concepts from";
                (earlier, Severity::Info, words)
            }
            (None, None) => continue,
        };
        let message = format!(
            "{} {words} {} at {}; use one for both, or mend the one that was meant otherwise",
            name_of(&sets[later]),
            name_of(&sets[earlier]),
            sets[earlier].path
        );
        findings.add_as(Check::DuplicateConceptSets, severity, &sets[later].path, message);
    }
}

/// What a set holds, whatever the order.
fn normal(set: &Set) -> Vec<&Item> {
    let mut items: Vec<&Item> = set.items.iter().collect();
    items.sort();
    items.dedup();
    items
}

/// A concept by id, by vocabulary and code, or both.
type Concept<'a> = (Option<i64>, Option<&'a (String, String)>);

/// Which concepts are listed, however they are taken.
fn concepts<'a>(items: &[&'a Item]) -> Vec<Concept<'a>> {
    let mut concepts: Vec<_> =
        items.iter().map(|item| (item.concept_id, item.code.as_ref())).collect();
    concepts.dedup();
    concepts
}

/// Domains without concepts of their own, or where any is meant more often
/// than not.
fn needs_no_set(domain: Domain) -> bool {
    matches!(domain, Domain::ObservationPeriod | Domain::PayerPlanPeriod | Domain::LocationRegion)
}

fn missing(parts: &Parts, findings: &mut Findings) {
    for (part, criterion) in &parts.criteria {
        if criterion.concept_set.is_some()
            || criterion.source_concept_set.is_some()
            || needs_no_set(criterion.domain)
            || (*part == Part::Censoring && criterion.domain == Domain::Death)
            || criterion.attributes.iter().any(|a| a.key == "SpecimenSourceConcept")
        {
            continue;
        }
        let message = format!(
            "the {} in {} names no concept set, so any counts; give its CodesetId, or let it \
             stand if any is meant",
            noun(criterion.domain),
            part.words()
        );
        findings.add(Check::NoConceptSet, &criterion.path, message);
    }
}

/// Drugs that let a person enter, but by which nobody leaves.
fn not_in_exit(draft: &Draft, findings: &mut Findings) {
    let exit = match draft.exit {
        Exit::CustomEra { drugs } => drugs,
        _ => None,
    };
    let mut told: Vec<i64> = Vec::new();
    for criterion in &draft.entry {
        let Some(id) = criterion.concept_set else { continue };
        if exit == Some(id) || told.contains(&id) {
            continue;
        }
        let Some(set) = draft.sets.iter().find(|set| set.id == Some(id)) else { continue };
        let is_drug = |item: &Item| {
            item.domain.as_deref().is_some_and(|domain| domain.eq_ignore_ascii_case("Drug"))
        };
        if set.items.iter().any(is_drug) {
            told.push(id);
            let message = format!(
                "{} lets a person enter, but the exit does not follow exposure to it; set \
                 EndStrategy.CustomEra with this set if persons leave when they stop the drug",
                name_of(set)
            );
            findings.add(Check::DrugNotInExit, &criterion.path, message);
        }
    }
}
