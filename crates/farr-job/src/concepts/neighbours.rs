//! Codes in the data that are near a concept set but not in it.
//!
//! Near means, by the first that holds: the set's exclusions name it; it
//! descends from a concept that an item names; it maps to a member; it is a
//! parent of a concept that an item names; it has a parent with one; its code
//! and a member's, of one vocabulary, share their stem; its name shares at
//! least half of the significant words of the name of a concept that an item
//! names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use farr_records::{ConceptId, Members, Origin, Vocabulary};

use super::ConceptTable;

/// Why a code is near a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Excluded,
    Descendant,
    Mapped,
    Parent,
    Sibling,
    Code,
    Name,
}

impl Why {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Descendant => "descendant",
            Self::Mapped => "mapped",
            Self::Parent => "parent",
            Self::Sibling => "sibling",
            Self::Code => "code",
            Self::Name => "name",
        }
    }
}

/// The codes that the data has, ready to be asked what is near.
pub(super) struct Neighbours<'a> {
    concepts: &'a ConceptTable<'a>,
    in_data: HashSet<i64>,
    parents: HashMap<i64, Vec<i64>>,
    children: HashMap<i64, Vec<i64>>,
    /// By vocabulary and stem of the code.
    stems: BTreeMap<(&'a str, &'a str), Vec<i64>>,
    words: BTreeMap<String, Vec<i64>>,
}

impl<'a> Neighbours<'a> {
    /// Of the concepts that the data has; `steps` are rows of
    /// `concept_ancestor`: those of items' parents, and of these parents'
    /// children. Rows may stand twice.
    pub(super) fn new(
        concepts: &'a ConceptTable<'a>,
        in_data: &[i64],
        steps: &[RecordBatch],
    ) -> Self {
        let mut stems: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
        let mut words: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for id in in_data {
            let described = concepts.describe(*id);
            if let Some(stem) = stem(described.code) {
                stems.entry((described.vocabulary, stem)).or_default().push(*id);
            }
            for word in significant(described.name) {
                words.entry(word).or_default().push(*id);
            }
        }
        let mut neighbours = Self {
            concepts,
            in_data: in_data.iter().copied().collect(),
            parents: HashMap::new(),
            children: HashMap::new(),
            stems,
            words,
        };
        for (parent, child) in steps.iter().flat_map(steps_of) {
            neighbours.parents.entry(child).or_default().push(parent);
            if neighbours.in_data.contains(&child) {
                neighbours.children.entry(parent).or_default().push(child);
            }
        }
        neighbours
    }

    /// The codes in the data near a set, by concept; `mapped` has what maps to
    /// its members.
    pub(super) fn of(
        &self,
        members: &Members,
        vocabulary: &Vocabulary,
        mapped: &Vocabulary,
    ) -> Vec<(i64, Why)> {
        let mut near: BTreeMap<i64, Why> = BTreeMap::new();
        let inside =
            |id: i64| members.included.binary_search_by_key(&ConceptId(id), |m| m.concept).is_ok();
        let mut add = |id: i64, why: Why| {
            if self.in_data.contains(&id) && !inside(id) {
                let known = near.entry(id).or_insert(why);
                *known = why.min(*known);
            }
        };
        members.excluded.iter().for_each(|member| add(member.concept.0, Why::Excluded));
        for member in &members.included {
            mapped.mapped_to(member.concept).for_each(|source| add(source.0, Why::Mapped));
        }
        let items = members.included.iter().filter(|member| member.origin == Origin::Item);
        let items: Vec<i64> = items.map(|member| member.concept.0).collect();
        for item in &items {
            vocabulary.descendants(ConceptId(*item)).for_each(|c| add(c.0, Why::Descendant));
            for parent in self.parents.get(item).into_iter().flatten() {
                add(*parent, Why::Parent);
                for sibling in self.children.get(parent).into_iter().flatten() {
                    add(*sibling, Why::Sibling);
                }
            }
            for id in self.of_words(self.concepts.describe(*item).name) {
                add(id, Why::Name);
            }
        }
        for (vocabulary, stem) in self.stems_of(members) {
            for id in self.stems.get(&(vocabulary, stem)).into_iter().flatten() {
                add(*id, Why::Code);
            }
        }
        near.into_iter().collect()
    }

    fn stems_of(&self, members: &Members) -> BTreeSet<(&'a str, &'a str)> {
        let described = members.included.iter().map(|m| self.concepts.describe(m.concept.0));
        described.filter_map(|d| stem(d.code).map(|stem| (d.vocabulary, stem))).collect()
    }

    /// The codes whose names share at least half of the words of a name.
    fn of_words(&self, name: &str) -> Vec<i64> {
        let words = significant(name);
        let mut shared: HashMap<i64, usize> = HashMap::new();
        for id in words.iter().filter_map(|word| self.words.get(word)).flatten() {
            *shared.entry(*id).or_default() += 1;
        }
        let enough = |n: usize| n > 0 && n * 2 >= words.len();
        shared.into_iter().filter(|(_, n)| enough(*n)).map(|(id, _)| id).collect()
    }
}

/// Parents and children: rows of `concept_ancestor` one level apart.
pub(super) fn steps_of(rows: &RecordBatch) -> impl Iterator<Item = (i64, i64)> {
    let column = |name| rows.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let columns = (
        column("ancestor_concept_id"),
        column("descendant_concept_id"),
        column("min_levels_of_separation"),
    );
    let columns = if let (Some(a), Some(b), Some(c)) = columns { Some((a, b, c)) } else { None };
    columns.into_iter().flat_map(|(ancestors, descendants, levels)| {
        let steps = levels.iter().enumerate().filter(|(_, levels)| *levels == Some(1));
        steps.map(|(row, _)| (ancestors.value(row), descendants.value(row)))
    })
}

/// What codes of one kind share: of codes with a dot what stands before it, of
/// others that start with a letter all but the last two characters, of short
/// ones the whole. Codes of digits only (SNOMED, `RxNorm`) have none.
fn stem(code: &str) -> Option<&str> {
    /// As long as an ICD-10 category, which has no dot.
    const CATEGORY: usize = 3;
    if let Some((before, _)) = code.split_once('.') {
        return (!before.is_empty()).then_some(before);
    }
    if !code.is_ascii() || !code.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    Some(if code.len() < CATEGORY + 2 { code } else { &code[..code.len() - 2] })
}

/// Words that say nothing about what a concept is.
const COMMON: [&str; 24] = [
    "with",
    "without",
    "from",
    "other",
    "unspecified",
    "type",
    "disorder",
    "disease",
    "finding",
    "procedure",
    "situation",
    "observable",
    "entity",
    "morphologic",
    "abnormality",
    "product",
    "substance",
    "oral",
    "tablet",
    "capsule",
    "solution",
    "injection",
    "release",
    "during",
];

/// The words of a name that tell concepts apart, in lower case: four letters
/// or more, not among the common ones.
fn significant(name: &str) -> BTreeSet<String> {
    name.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= 4)
        .map(str::to_lowercase)
        .filter(|word| !COMMON.contains(&word.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_kind_share_a_stem() {
        let stems = ["E11.9", "E11", "A10BA02", "I50", "250.00", "44054006", "J1815", "2345-7"];
        let found: Vec<Option<&str>> = stems.into_iter().map(stem).collect();
        assert_eq!(
            found,
            [
                Some("E11"),
                Some("E11"),
                Some("A10BA"),
                Some("I50"),
                Some("250"),
                None,
                Some("J18"),
                None
            ]
        );
    }

    #[test]
    fn words_that_tell_apart() {
        let words = |name| significant(name).into_iter().collect::<Vec<_>>();
        assert_eq!(words("Diabetes mellitus type 2 (disorder)"), ["diabetes", "mellitus"]);
        assert_eq!(words("24 HR metformin 500 MG Oral Tablet"), ["metformin"]);
    }
}
