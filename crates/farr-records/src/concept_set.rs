//! Concept sets: expressions over the vocabulary, and the concepts they hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ConceptId, Vocabulary};

/// How an item names its concept: by id, by code, or by both (then the code
/// counts where the vocabulary does not know the id).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConceptReference {
    /// OMOP's concept id.
    pub concept_id: Option<ConceptId>,
    /// OMOP's `vocabulary_id` and `concept_code`.
    pub code: Option<(String, String)>,
}

impl ConceptReference {
    /// A concept by its id.
    pub fn id(concept: i64) -> Self {
        Self { concept_id: Some(ConceptId(concept)), code: None }
    }

    /// The concept in the vocabulary. An id that is unknown and has no code,
    /// or whose code is unknown, stays what it is.
    pub fn resolve(&self, vocabulary: &Vocabulary) -> Option<ConceptId> {
        if let Some(id) = self.concept_id
            && vocabulary.contains(id)
        {
            return Some(id);
        }
        let by_code = self.code.as_ref().and_then(|(name, code)| vocabulary.by_code(name, code));
        by_code.or(self.concept_id)
    }
}

impl fmt::Display for ConceptReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.concept_id, &self.code) {
            (_, Some((vocabulary, code))) => write!(f, "{vocabulary}:{code}"),
            (Some(id), None) => id.fmt(f),
            (None, None) => f.write_str("no concept"),
        }
    }
}

/// One item of a concept set expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConceptSetItem {
    /// The concept.
    pub concept: ConceptReference,
    /// Whether it takes concepts out of the set.
    pub is_excluded: bool,
    /// Whether its valid descendants count too.
    pub include_descendants: bool,
    /// Whether concepts that map to it (or to its descendants) count too.
    pub include_mapped: bool,
}

/// A concept set expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ConceptSetExpression {
    /// What is in it, and what is taken out.
    pub items: Vec<ConceptSetItem>,
}

/// What is odd about a concept set once it is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConceptSetWarning {
    /// It holds no concept.
    Empty,
    /// It asks for descendants, and the vocabulary has no ancestor rows.
    NoAncestors,
}

impl fmt::Display for ConceptSetWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "resolves to no concept",
            Self::NoAncestors => "asks for descendants, but the vocabulary has no ancestor rows",
        })
    }
}

impl ConceptSetExpression {
    /// The concepts of the set, ascending and without repetition.
    ///
    /// A listed concept must be in the concept table, valid or not; a
    /// descendant must be valid; a mapped concept (`Maps to` a listed one, or
    /// to a valid descendant where those count) need not be in the table.
    /// Exclusions are the same sets, taken away.
    pub fn resolve(&self, vocabulary: &Vocabulary) -> (Vec<ConceptId>, Vec<ConceptSetWarning>) {
        let mut concepts = self.side(false, vocabulary);
        let excluded = self.side(true, vocabulary);
        concepts.retain(|concept| excluded.binary_search(concept).is_err());
        let mut warnings = Vec::new();
        if concepts.is_empty() {
            warnings.push(ConceptSetWarning::Empty);
        }
        if !vocabulary.has_ancestors() && self.items.iter().any(|item| item.include_descendants) {
            warnings.push(ConceptSetWarning::NoAncestors);
        }
        (concepts, warnings)
    }

    fn side(&self, is_excluded: bool, vocabulary: &Vocabulary) -> Vec<ConceptId> {
        let mut concepts = Vec::new();
        let mut targets = Vec::new();
        for item in self.items.iter().filter(|item| item.is_excluded == is_excluded) {
            let Some(concept) = item.concept.resolve(vocabulary) else { continue };
            targets.clear();
            if vocabulary.contains(concept) {
                targets.push(concept);
            }
            if item.include_descendants {
                targets.extend(vocabulary.descendants(concept).filter(|c| vocabulary.is_valid(*c)));
            }
            concepts.extend_from_slice(&targets);
            if item.include_mapped {
                for target in &targets {
                    concepts.extend(vocabulary.mapped_to(*target));
                }
            }
        }
        concepts.sort_unstable();
        concepts.dedup();
        concepts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::Table;

    fn vocabulary() -> Vocabulary {
        let concepts = RecordBatch::try_from_iter([
            ("concept_id", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef),
            ("vocabulary_id", Arc::new(StringArray::from(vec!["A", "A", "A", "B"]))),
            ("concept_code", Arc::new(StringArray::from(vec!["01", "02", "03", "01"]))),
            ("invalid_reason", Arc::new(StringArray::from(vec![None, None, Some("D"), Some("U")]))),
        ]);
        let ancestors = RecordBatch::try_from_iter([
            ("ancestor_concept_id", Arc::new(Int64Array::from(vec![1, 1, 1, 9])) as ArrayRef),
            ("descendant_concept_id", Arc::new(Int64Array::from(vec![1, 2, 3, 2]))),
        ]);
        let relations = RecordBatch::try_from_iter([
            ("concept_id_1", Arc::new(Int64Array::from(vec![70, 71, 72])) as ArrayRef),
            ("concept_id_2", Arc::new(Int64Array::from(vec![1, 2, 1]))),
            ("relationship_id", Arc::new(StringArray::from(vec!["Maps to", "Maps to", "Is a"]))),
            ("invalid_reason", Arc::new(StringArray::from(vec![None::<&str>, None, None]))),
        ]);
        Vocabulary::new(&[
            (Table::Concept, concepts.unwrap()),
            (Table::ConceptAncestor, ancestors.unwrap()),
            (Table::ConceptRelationship, relations.unwrap()),
        ])
        .unwrap()
    }

    fn item(concept: i64, flags: &str) -> ConceptSetItem {
        ConceptSetItem {
            concept: ConceptReference::id(concept),
            is_excluded: flags.contains('x'),
            include_descendants: flags.contains('d'),
            include_mapped: flags.contains('m'),
        }
    }

    fn resolved(items: Vec<ConceptSetItem>) -> Vec<i64> {
        let (concepts, _) = ConceptSetExpression { items }.resolve(&vocabulary());
        concepts.into_iter().map(|concept| concept.0).collect()
    }

    #[test]
    fn invalid_concepts_count_when_listed_but_not_as_descendants() {
        assert_eq!(resolved(vec![item(3, "")]), [3]);
        assert_eq!(resolved(vec![item(1, "d")]), [1, 2]);
        assert_eq!(resolved(vec![item(9, "")]), Vec::<i64>::new());
        assert_eq!(resolved(vec![item(9, "d")]), [2]);
    }

    #[test]
    fn mapped_concepts_follow_descendants_only_when_those_count() {
        assert_eq!(resolved(vec![item(1, "m")]), [1, 70]);
        assert_eq!(resolved(vec![item(1, "md")]), [1, 2, 70, 71]);
        assert_eq!(resolved(vec![item(1, "md"), item(2, "mx")]), [1, 70]);
    }

    #[test]
    fn an_unknown_id_falls_back_to_its_code() {
        let mut by_code = item(5, "");
        by_code.concept.code = Some(("B".to_owned(), "01".to_owned()));
        assert_eq!(resolved(vec![by_code]), [4]);
    }

    #[test]
    fn an_empty_set_is_a_warning() {
        let (_, warnings) = ConceptSetExpression::default().resolve(&vocabulary());
        assert_eq!(warnings, [ConceptSetWarning::Empty]);
    }
}
