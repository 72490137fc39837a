//! The vocabulary in memory: sorted columns, no maps.
//!
//! Concepts lie by id, codes by (vocabulary, code), descendants by ancestor,
//! mapped concepts by what they map to; every question is a binary search.

mod ids;
mod partial;
mod scan;

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::{ConceptId, Error, Table};
pub(crate) use ids::IdSet;
pub(crate) use partial::{VocabularyTables, keyed};
pub use scan::RowKey;
pub(crate) use scan::Scanned;

/// The part of the OMOP vocabulary that concept sets need.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    concepts: Vec<ConceptId>,
    /// Whether the concept at the same place has no `invalid_reason`.
    valid: Vec<bool>,
    /// (place in `vocabularies`, code, concept), sorted.
    codes: Vec<(u16, Box<str>, ConceptId)>,
    vocabularies: Vec<String>,
    /// (ancestor, descendant), sorted.
    ancestors: Vec<(ConceptId, ConceptId)>,
    /// Whether there are ancestor rows, here or where a part was taken from.
    has_ancestors: bool,
    /// (`concept_id_2`, `concept_id_1`) of valid `Maps to` rows, sorted.
    mapped: Vec<(ConceptId, ConceptId)>,
}

impl Vocabulary {
    /// The vocabulary of batches of [`Table::Concept`],
    /// [`Table::ConceptAncestor`] and [`Table::ConceptRelationship`]; other
    /// tables are passed over, and any of the three may be absent.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] and [`Error::WrongType`] for batches of
    /// another shape than the table's schema.
    pub fn new(batches: &[(Table, RecordBatch)]) -> Result<Self, Error> {
        let mut vocabulary = Self::default();
        let mut concepts: Vec<(ConceptId, bool)> = Vec::new();
        let mut names: BTreeMap<String, u16> = BTreeMap::new();
        for (table, batch) in batches {
            match table {
                Table::Concept => vocabulary.add_concepts(batch, &mut concepts, &mut names)?,
                Table::ConceptAncestor => vocabulary.add_ancestors(batch)?,
                Table::ConceptRelationship => vocabulary.add_mappings(batch)?,
                _ => {}
            }
        }
        concepts.sort_unstable();
        concepts.dedup_by_key(|concept| concept.0);
        (vocabulary.concepts, vocabulary.valid) = concepts.into_iter().unzip();
        vocabulary.vocabularies = vec![String::new(); names.len()];
        for (name, place) in names {
            vocabulary.vocabularies[usize::from(place)] = name;
        }
        vocabulary.codes.sort_unstable();
        sort_pairs(&mut vocabulary.ancestors);
        sort_pairs(&mut vocabulary.mapped);
        vocabulary.has_ancestors = !vocabulary.ancestors.is_empty();
        Ok(vocabulary)
    }

    fn add_concepts(
        &mut self,
        batch: &RecordBatch,
        concepts: &mut Vec<(ConceptId, bool)>,
        names: &mut BTreeMap<String, u16>,
    ) -> Result<(), Error> {
        let table = Table::Concept;
        let ids = integers(table, batch, "concept_id")?;
        let reasons = texts(table, batch, "invalid_reason")?;
        let vocabularies = texts(table, batch, "vocabulary_id")?;
        let codes = texts(table, batch, "concept_code")?;
        for row in 0..batch.num_rows() {
            let Some(id) = ids(row).map(ConceptId) else { continue };
            concepts.push((id, reasons(row).is_none()));
            let (Some(name), Some(code)) = (vocabularies(row), codes(row)) else { continue };
            let place = if let Some(place) = names.get(name) {
                *place
            } else {
                let Ok(next) = u16::try_from(names.len()) else { continue };
                names.insert(name.to_owned(), next);
                next
            };
            self.codes.push((place, code.into(), id));
        }
        Ok(())
    }

    fn add_ancestors(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let table = Table::ConceptAncestor;
        let ancestors = integers(table, batch, "ancestor_concept_id")?;
        let descendants = integers(table, batch, "descendant_concept_id")?;
        self.ancestors
            .extend((0..batch.num_rows()).filter_map(|row| {
                Some((ConceptId(ancestors(row)?), ConceptId(descendants(row)?)))
            }));
        Ok(())
    }

    fn add_mappings(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let table = Table::ConceptRelationship;
        let first = integers(table, batch, "concept_id_1")?;
        let second = integers(table, batch, "concept_id_2")?;
        let kinds = texts(table, batch, "relationship_id")?;
        let reasons = texts(table, batch, "invalid_reason")?;
        self.mapped.extend((0..batch.num_rows()).filter_map(|row| {
            let holds = kinds(row) == Some("Maps to") && reasons(row).is_none();
            if holds { Some((ConceptId(second(row)?), ConceptId(first(row)?))) } else { None }
        }));
        Ok(())
    }

    /// How many concepts there are.
    pub fn len(&self) -> usize {
        self.concepts.len()
    }

    /// Whether there are no concepts.
    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty()
    }

    /// Whether there are ancestor rows at all.
    pub fn has_ancestors(&self) -> bool {
        self.has_ancestors
    }

    /// Whether the concept is in the concept table.
    pub fn contains(&self, concept: ConceptId) -> bool {
        self.concepts.binary_search(&concept).is_ok()
    }

    /// Whether the concept is in the concept table, without `invalid_reason`.
    pub fn is_valid(&self, concept: ConceptId) -> bool {
        self.concepts.binary_search(&concept).is_ok_and(|place| self.valid[place])
    }

    /// The concept of a code, the smallest id if there are several.
    pub fn by_code(&self, vocabulary_id: &str, code: &str) -> Option<ConceptId> {
        let vocabulary = self.vocabularies.iter().position(|name| name == vocabulary_id)? as u16;
        let first = self
            .codes
            .partition_point(|(place, text, _)| (*place, text.as_ref()) < (vocabulary, code));
        let (place, text, id) = self.codes.get(first)?;
        (*place == vocabulary && text.as_ref() == code).then_some(*id)
    }

    /// The descendants of a concept as `concept_ancestor` has them (the
    /// concept itself only if it has such a row), ascending.
    pub fn descendants(&self, ancestor: ConceptId) -> impl Iterator<Item = ConceptId> {
        self.ancestors[range_of(&self.ancestors, ancestor)].iter().map(|pair| pair.1)
    }

    /// The concepts with a valid `Maps to` row to the target, ascending.
    pub fn mapped_to(&self, target: ConceptId) -> impl Iterator<Item = ConceptId> {
        self.mapped[range_of(&self.mapped, target)].iter().map(|pair| pair.1)
    }
}

fn sort_pairs(pairs: &mut Vec<(ConceptId, ConceptId)>) {
    if !pairs.is_sorted() {
        pairs.sort_unstable();
    }
    pairs.dedup();
}

fn range_of(pairs: &[(ConceptId, ConceptId)], key: ConceptId) -> Range<usize> {
    let first = pairs.partition_point(|pair| pair.0 < key);
    first..first + pairs[first..].partition_point(|pair| pair.0 == key)
}

fn missing(table: Table, batch: &RecordBatch, column: &str) -> Error {
    let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    Error::MissingColumn { table, column: column.to_owned(), found: names.join(", ") }
}

fn wrong_type(table: Table, column: &str, found: &dyn Array, expected: &str) -> Error {
    Error::WrongType {
        table,
        column: column.to_owned(),
        found: found.data_type().to_string(),
        expected: expected.to_owned(),
    }
}

fn integers<'a>(
    table: Table,
    batch: &'a RecordBatch,
    name: &str,
) -> Result<impl Fn(usize) -> Option<i64> + 'a, Error> {
    let column = batch.column_by_name(name).ok_or_else(|| missing(table, batch, name))?;
    let values = column
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| wrong_type(table, name, column, "Int64"))?;
    Ok(move |row| values.is_valid(row).then(|| values.value(row)))
}

/// A text column; one that is absent holds only nulls.
fn texts<'a>(
    table: Table,
    batch: &'a RecordBatch,
    name: &str,
) -> Result<impl Fn(usize) -> Option<&'a str> + 'a, Error> {
    let values = match batch.column_by_name(name) {
        None => None,
        Some(column) => Some(
            column.as_string_opt::<i32>().ok_or_else(|| wrong_type(table, name, column, "Utf8"))?,
        ),
    };
    Ok(move |row: usize| values.filter(|v| v.is_valid(row)).map(|v| v.value(row)))
}
