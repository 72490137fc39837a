//! How each concept came into a concept set.

use crate::{ConceptId, ConceptSetExpression, ConceptSetItem, Vocabulary};

/// How a concept came into a set; the first way counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// An item names it.
    Item,
    /// It descends from an item's concept.
    Descendant,
    /// It maps to an item's concept, or to a descendant.
    Mapped,
}

/// A concept of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The concept.
    pub concept: ConceptId,
    /// How it came in.
    pub origin: Origin,
    /// By which item, from 0: the first, of those that give the origin.
    pub item: usize,
}

/// The concepts of a set, and those that its exclusions name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// What is in it, by concept: as
    /// [`resolve`](ConceptSetExpression::resolve) gives them.
    pub included: Vec<Member>,
    /// What exclusions name, in the set otherwise or not, by concept.
    pub excluded: Vec<Member>,
}

impl ConceptSetExpression {
    /// The concepts of the set, each with how it came in.
    pub fn members(&self, vocabulary: &Vocabulary) -> Members {
        let side = |is_excluded: bool| {
            let items = self.items.iter().enumerate();
            let mut members: Vec<Member> = items
                .filter(|(_, item)| item.is_excluded == is_excluded)
                .flat_map(|(place, item)| members_of(place, item, vocabulary))
                .collect();
            members.sort_unstable();
            members.dedup_by_key(|member| member.concept);
            members
        };
        let excluded = side(true);
        let mut included = side(false);
        included.retain(|member| {
            excluded.binary_search_by_key(&member.concept, |out| out.concept).is_err()
        });
        Members { included, excluded }
    }
}

fn members_of(place: usize, item: &ConceptSetItem, vocabulary: &Vocabulary) -> Vec<Member> {
    let member = |concept, origin| Member { concept, origin, item: place };
    let Some(concept) = item.concept.resolve(vocabulary) else { return Vec::new() };
    let mut members = Vec::new();
    if vocabulary.contains(concept) {
        members.push(member(concept, Origin::Item));
    }
    if item.include_descendants {
        let valid = vocabulary.descendants(concept).filter(|c| vocabulary.is_valid(*c));
        members.extend(valid.map(|descendant| member(descendant, Origin::Descendant)));
    }
    if item.include_mapped {
        for target in 0..members.len() {
            let sources = vocabulary.mapped_to(members[target].concept);
            members.extend(sources.map(|source| member(source, Origin::Mapped)));
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use proptest::prelude::*;

    use super::*;
    use crate::{ConceptReference, Table};

    fn vocabulary(invalid: &[bool], ancestors: &[(i64, i64)], mapped: &[(i64, i64)]) -> Vocabulary {
        let ids = || (1..=invalid.len() as i64).collect::<Vec<_>>();
        let longs = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let texts = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
        let reasons = invalid.iter().map(|invalid| invalid.then_some("D")).collect();
        let names = vec![Some("V"); invalid.len()];
        let concepts = RecordBatch::try_from_iter([
            ("concept_id", longs(ids())),
            ("vocabulary_id", texts(names.clone())),
            ("concept_code", texts(names)),
            ("invalid_reason", texts(reasons)),
        ]);
        let pairs = |one: &str, two: &str, pairs: &[(i64, i64)]| {
            let (first, second) = pairs.iter().copied().unzip();
            vec![(one.to_owned(), longs(first)), (two.to_owned(), longs(second))]
        };
        let ancestors = pairs("ancestor_concept_id", "descendant_concept_id", ancestors);
        let mut relations = pairs("concept_id_1", "concept_id_2", mapped);
        relations.push(("relationship_id".to_owned(), texts(vec![Some("Maps to"); mapped.len()])));
        Vocabulary::new(&[
            (Table::Concept, concepts.unwrap()),
            (Table::ConceptAncestor, RecordBatch::try_from_iter(ancestors).unwrap()),
            (Table::ConceptRelationship, RecordBatch::try_from_iter(relations).unwrap()),
        ])
        .unwrap()
    }

    fn item(concept: i64, flags: u8) -> ConceptSetItem {
        ConceptSetItem {
            concept: ConceptReference::id(concept),
            is_excluded: flags & 4 != 0,
            include_descendants: flags & 1 != 0,
            include_mapped: flags & 2 != 0,
        }
    }

    /// 2 descends from 1, and 3 maps to 2; 2 is an item too.
    #[test]
    fn the_first_way_counts() {
        let vocabulary = vocabulary(&[false; 3], &[(1, 1), (1, 2)], &[(3, 2)]);
        let members = |items| ConceptSetExpression { items }.members(&vocabulary);
        let found = members(vec![item(1, 3), item(2, 0), item(3, 4)]);
        let ways: Vec<_> = found.included.iter().map(|m| (m.concept.0, m.origin, m.item)).collect();
        assert_eq!(ways, [(1, Origin::Item, 0), (2, Origin::Item, 1)]);
        assert_eq!(found.excluded.len(), 1);
        let found = members(vec![item(1, 3)]);
        let ways: Vec<_> = found.included.iter().map(|m| (m.concept.0, m.origin)).collect();
        assert_eq!(ways, [(1, Origin::Item), (2, Origin::Descendant), (3, Origin::Mapped)]);
    }

    proptest! {
        #[test]
        fn members_are_what_a_set_resolves_to(
            invalid in prop::collection::vec(any::<bool>(), 1..9),
            ancestors in prop::collection::vec((1_i64..12, 1_i64..12), 0..20),
            mapped in prop::collection::vec((1_i64..12, 1_i64..12), 0..12),
            items in prop::collection::vec((1_i64..12, 0_u8..8), 0..5),
        ) {
            let vocabulary = vocabulary(&invalid, &ancestors, &mapped);
            let items = items.into_iter().map(|(concept, flags)| item(concept, flags)).collect();
            let set = ConceptSetExpression { items };
            let members = set.members(&vocabulary).included;
            let members: Vec<ConceptId> = members.iter().map(|member| member.concept).collect();
            prop_assert_eq!(members, set.resolve(&vocabulary).0);
        }
    }
}
