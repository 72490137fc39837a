//! The concept sets of definitions: what is in each, and what in the data is
//! near but not in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use arrow::array::RecordBatch;
use farr_cohort::Definition;
use farr_cohort::model::ConceptSet;
use farr_records::{
    ConceptId, ConceptReference, ConceptSetExpression, ConceptSetItem, ConceptSetWarning, Members,
    Origin, RecordsStore, RowKey, Vocabulary,
};

use super::ConceptTable;
use super::counts::Counts;
use super::neighbours::{Neighbours, Why, steps_of};
use super::table::Row;
use crate::evaluate::concept_sets;
use crate::executor::Threads;
use crate::{Error, counted, number};

/// A set, resolved: sets that say the same are so once.
struct Resolved {
    members: Members,
    near: Vec<(i64, Why)>,
    warnings: Vec<ConceptSetWarning>,
    /// The items of which nothing in the store has a concept, and why.
    idle: Vec<(String, &'static str)>,
}

/// The part of the vocabulary that sets and what is near them need.
struct Surroundings {
    /// The sets' items, what is below them and what maps to that.
    vocabulary: Vocabulary,
    /// What maps to the sets' members.
    mapped: Vocabulary,
    /// Rows of `concept_ancestor` about parents of items.
    steps: Vec<RecordBatch>,
    /// What members and the data's concepts are called.
    names: Option<RecordBatch>,
}

impl Surroundings {
    fn read(
        store: &RecordsStore,
        sets: &HashSet<&ConceptSetExpression>,
        counts: &Counts,
    ) -> Result<Self, Error> {
        let wide = |item: &ConceptSetItem| ConceptSetItem {
            include_descendants: true,
            include_mapped: true,
            ..item.clone()
        };
        let items: HashSet<ConceptSetItem> =
            sets.iter().flat_map(|set| set.items.iter().map(wide)).collect();
        let wide = ConceptSetExpression { items: items.into_iter().collect() };
        let vocabulary = store.vocabulary_for([&wide])?;
        let mut members: BTreeMap<ConceptId, Origin> = BTreeMap::new();
        for member in sets.iter().flat_map(|set| set.members(&vocabulary).included) {
            let origin = members.entry(member.concept).or_insert(member.origin);
            *origin = member.origin.min(*origin);
        }
        let targets = members.keys().map(|concept| ConceptSetItem {
            concept: ConceptReference::id(concept.0),
            is_excluded: false,
            include_descendants: false,
            include_mapped: true,
        });
        let mapped = store.vocabulary_for([&ConceptSetExpression { items: targets.collect() }])?;
        let of_items = members.iter().filter(|(_, origin)| **origin == Origin::Item);
        let of_items = of_items.map(|(concept, _)| concept.0).collect();
        let mut steps = Vec::new();
        steps.extend(store.read_ancestors(&RowKey::new("descendant_concept_id", of_items))?);
        let parents = steps.iter().flat_map(|rows| steps_of(rows).map(|(parent, _)| parent));
        let key = RowKey::new("ancestor_concept_id", parents.collect());
        steps.extend(store.read_ancestors(&key)?);
        let names = members.keys().map(|concept| concept.0).chain(counts.concepts());
        let names = store.read_names(names)?;
        Ok(Self { vocabulary, mapped, steps, names })
    }
}

/// All sets of all definitions, in words and as rows.
pub(super) fn find(
    definitions: &[Definition],
    (store, threads): (&RecordsStore, &Threads),
    counts: &Counts,
    near_max: usize,
) -> Result<(String, Vec<Row>), Error> {
    let sets: HashSet<&ConceptSetExpression> = concept_sets(definitions).collect();
    let surroundings = threads.run(|| Surroundings::read(store, &sets, counts))?;
    let concepts = &ConceptTable::new(surroundings.names.as_ref());
    let neighbours = Neighbours::new(concepts, &counts.concepts(), &surroundings.steps);
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
                .or_insert_with(|| resolve(&set.expression, &surroundings, counts, &neighbours));
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
    Surroundings { vocabulary, mapped, .. }: &Surroundings,
    counts: &Counts,
    neighbours: &Neighbours<'_>,
) -> Resolved {
    let members = expression.members(vocabulary);
    let near = neighbours.of(&members, vocabulary, mapped);
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
