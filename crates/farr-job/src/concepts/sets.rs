//! The concept sets of definitions: what is in each, and what in the data is
//! near but not in it.

use std::collections::HashMap;
use std::fmt::Write;

use farr_cohort::Definition;
use farr_cohort::model::ConceptSet;
use farr_records::{
    ConceptSetExpression, ConceptSetItem, ConceptSetWarning, Members, Origin, RecordsStore, Table,
    Vocabulary,
};

use super::ConceptTable;
use super::counts::Counts;
use super::neighbours::{Neighbours, Why};
use super::table::Row;
use crate::{Error, counted, number};

/// A set, resolved: sets that say the same are so once.
struct Resolved {
    members: Members,
    near: Vec<(i64, Why)>,
    warnings: Vec<ConceptSetWarning>,
    /// The items of which nothing in the store has a concept, and why.
    idle: Vec<(String, &'static str)>,
}

/// All sets of all definitions, in words and as rows.
pub(super) fn find(
    definitions: &[Definition],
    store: &RecordsStore,
    (concepts, counts): (&ConceptTable<'_>, &Counts),
    near_max: usize,
) -> Result<(String, Vec<Row>), Error> {
    let vocabulary = store.read_vocabulary()?;
    let ancestors = store.read_vocabulary_table(Table::ConceptAncestor)?;
    let neighbours = Neighbours::new(concepts, &counts.concepts(), ancestors.as_ref());
    let mut known: HashMap<&ConceptSetExpression, Resolved> = HashMap::new();
    let (mut text, mut rows) = (String::new(), Vec::new());
    for definition in definitions {
        let _ = writeln!(text, "cohort {} '{}'", definition.id, definition.name);
        if definition.expression.concept_sets.is_empty() {
            text.push_str("\n  no concept sets\n");
        }
        for set in &definition.expression.concept_sets {
            let resolved = known
                .entry(&set.expression)
                .or_insert_with(|| resolve(&set.expression, &vocabulary, counts, &neighbours));
            let of_set = |concept: i64, relation, how| Row {
                cohort_definition_id: Some(definition.id),
                cohort_name: Some(definition.name.clone()),
                concept_set_id: Some(set.id.0),
                concept_set_name: Some(set.name.clone()),
                relation,
                how: Some(how),
                ..Row::of(concept, concepts, counts.get(concept))
            };
            let members = resolved.members.included.iter();
            let mut members: Vec<Row> =
                members.map(|m| of_set(m.concept.0, "member", origin(m.origin))).collect();
            let near = resolved.near.iter();
            let mut near: Vec<Row> =
                near.map(|(id, why)| of_set(*id, "near", why.name())).collect();
            members.sort_by_key(Row::rank);
            near.sort_by_key(Row::rank);
            set_text(&mut text, set, resolved, (&members, &near), near_max);
            rows.append(&mut members);
            rows.append(&mut near);
        }
        text.push('\n');
    }
    Ok((text, rows))
}

fn resolve(
    expression: &ConceptSetExpression,
    vocabulary: &Vocabulary,
    counts: &Counts,
    neighbours: &Neighbours<'_>,
) -> Resolved {
    let members = expression.members(vocabulary);
    let near = neighbours.of(&members, vocabulary);
    let named = expression.items.iter().filter(|item| !item.is_excluded);
    let idle = named.filter_map(|item| idle(item, vocabulary, counts)).collect();
    Resolved { members, near, warnings: expression.resolve(vocabulary).1, idle }
}

/// An item by itself, if nothing in the store has a concept of it.
fn idle(
    item: &ConceptSetItem,
    vocabulary: &Vocabulary,
    counts: &Counts,
) -> Option<(String, &'static str)> {
    let alone = ConceptSetExpression { items: vec![item.clone()] };
    let concepts = alone.resolve(vocabulary).0;
    let reason = if concepts.is_empty() {
        "the store's vocabulary does not have it"
    } else if concepts.iter().all(|concept| counts.get(concept.0).records == 0) {
        "no record in the store"
    } else {
        return None;
    };
    Some((item.concept.to_string(), reason))
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Item => "item",
        Origin::Descendant => "descendant",
        Origin::Mapped => "mapped",
    }
}

fn set_text(
    text: &mut String,
    set: &ConceptSet,
    resolved: &Resolved,
    (members, near): (&[Row], &[Row]),
    near_max: usize,
) {
    let with_records = members.iter().take_while(|row| row.records > 0).count();
    let _ = writeln!(
        text,
        "\n  concept set {}, {}: {}, {} with records",
        set.id.0,
        set.name,
        counted(members.len() as u64, "concept", "concepts"),
        number(with_records as u64)
    );
    for warning in &resolved.warnings {
        let _ = writeln!(text, "  warning: it {warning}");
    }
    if with_records + near.len() > 0 {
        let _ = writeln!(
            text,
            "    {:<12}{:<14}{:<12}{:<16}{:>10}{:>10}  name",
            "how", "concept_id", "vocabulary", "code", "records", "persons"
        );
    }
    members[..with_records].iter().for_each(|row| line(text, row));
    for (item, reason) in &resolved.idle {
        let _ = writeln!(text, "    item {item}: {reason}");
    }
    if !near.is_empty() {
        let _ = writeln!(text, "    near, but not in it:");
        near.iter().take(near_max).for_each(|row| line(text, row));
    }
    if near.len() > near_max {
        let _ = writeln!(text, "    and {} more", number((near.len() - near_max) as u64));
    }
}

fn line(text: &mut String, row: &Row) {
    let _ = writeln!(
        text,
        "    {:<12}{:<14}{:<12}{:<16}{:>10}{:>10}  {}",
        row.how.unwrap_or_default(),
        row.concept_id,
        row.vocabulary_id,
        row.concept_code,
        number(row.records),
        number(row.persons),
        row.concept_name
    );
}
