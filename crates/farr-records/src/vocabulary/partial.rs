//! The part of a vocabulary that some concept sets need.
//!
//! A vocabulary may be larger than memory; what a few thousand items of
//! concept sets ask of it is not. So items are gathered first, and then the
//! tables are scanned for them: ancestors, concepts by id and those below them,
//! codes of items whose id is unknown and what is below these, and what maps to
//! any.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;

use super::Vocabulary;
use super::scan::RowKey;
use crate::{ConceptId, ConceptSetExpression, ConceptSetItem, Error, Table};

/// Where vocabulary tables lie.
pub(crate) trait VocabularyTables {
    /// Columns of the rows that a key asks for, with the schema's types, batch
    /// by batch; nothing of a table that is not there.
    fn scan<T: Send>(
        &self,
        table: Table,
        columns: &[&'static str],
        key: Option<&RowKey>,
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error>;

    /// The concepts of some codes, each with its vocabulary, batch by batch;
    /// others may come along.
    fn scan_codes<T: Send>(
        &self,
        codes: &[(&str, &str)],
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error>;

    /// Whether a table has any row.
    fn has_rows(&self, table: Table) -> Result<bool, Error>;
}

impl Vocabulary {
    /// What the sets need of these tables, and no more: their resolution is
    /// the same as with the whole vocabulary.
    pub(crate) fn partial<'a>(
        tables: &impl VocabularyTables,
        sets: impl IntoIterator<Item = &'a ConceptSetExpression>,
    ) -> Result<Self, Error> {
        let items: HashSet<&ConceptSetItem> = sets.into_iter().flat_map(|set| &set.items).collect();
        let mut batches = Vec::new();
        // Whether an id is a concept's at all comes out with the concepts below
        // it, so that they are scanned once.
        let ids = |item: &&ConceptSetItem| item.concept.concept_id;
        let above = items.iter().copied().filter(|item| item.include_descendants);
        let above: HashSet<ConceptId> = above.filter_map(|item| ids(&item)).collect();
        add_ancestors(tables, above.iter().copied(), &mut batches)?;
        let known = Self::new(&batches)?;
        let below = known.ancestors.iter().map(|(_, descendant)| *descendant);
        add_concepts(tables, items.iter().filter_map(ids).chain(below), &mut batches)?;
        let mut known = Self::new(&batches)?;
        if add_codes(tables, &items, &known, &mut batches)? {
            known = Self::new(&batches)?;
        }
        let named: Vec<(&ConceptSetItem, ConceptId)> =
            items.iter().filter_map(|item| Some((*item, item.concept.resolve(&known)?))).collect();
        let of_codes = named.iter().filter(|(item, _)| item.include_descendants);
        let of_codes = of_codes.map(|(_, concept)| *concept);
        let of_codes: Vec<ConceptId> = of_codes.filter(|c| !above.contains(c)).collect();
        if !of_codes.is_empty() {
            add_ancestors(tables, of_codes.into_iter(), &mut batches)?;
            known = Self::new(&batches)?;
            let below = known.ancestors.iter().map(|(_, descendant)| *descendant);
            let below = below.filter(|concept| !known.contains(*concept));
            add_concepts(tables, below, &mut batches)?;
            known = Self::new(&batches)?;
        }
        let mut targets = Vec::new();
        for (item, concept) in named.into_iter().filter(|(item, _)| item.include_mapped) {
            targets.push(concept.0);
            if item.include_descendants {
                targets.extend(known.descendants(concept).map(|concept| concept.0));
            }
        }
        add(
            tables,
            Table::ConceptRelationship,
            &["concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"],
            ("concept_id_2", targets),
            &mut batches,
        )?;
        let mut partial = Self::new(&batches)?;
        partial.has_ancestors = tables.has_rows(Table::ConceptAncestor)?;
        Ok(partial)
    }
}

type Batches = Vec<(Table, RecordBatch)>;

fn add(
    tables: &impl VocabularyTables,
    table: Table,
    columns: &[&'static str],
    (column, ids): (&'static str, Vec<i64>),
    batches: &mut Batches,
) -> Result<(), Error> {
    let key = RowKey::new(column, ids);
    if key.ids.is_empty() {
        return Ok(());
    }
    let rows = tables.scan(table, columns, Some(&key), |batch| Ok(batch.clone()))?;
    batches.extend(rows.into_iter().map(|batch| (table, batch)));
    Ok(())
}

fn add_concepts(
    tables: &impl VocabularyTables,
    ids: impl Iterator<Item = ConceptId>,
    batches: &mut Batches,
) -> Result<(), Error> {
    let key = ("concept_id", ids.map(|id| id.0).collect());
    add(tables, Table::Concept, &["concept_id", "invalid_reason"], key, batches)
}

fn add_ancestors(
    tables: &impl VocabularyTables,
    ids: impl Iterator<Item = ConceptId>,
    batches: &mut Batches,
) -> Result<(), Error> {
    let columns = ["ancestor_concept_id", "descendant_concept_id"];
    let key = (columns[0], ids.map(|id| id.0).collect());
    add(tables, Table::ConceptAncestor, &columns, key, batches)
}

/// The concepts of the codes that items name, where their id is unknown;
/// whether there are such.
fn add_codes(
    tables: &impl VocabularyTables,
    items: &HashSet<&ConceptSetItem>,
    known: &Vocabulary,
    batches: &mut Batches,
) -> Result<bool, Error> {
    let is_known =
        |item: &ConceptSetItem| item.concept.concept_id.is_some_and(|id| known.contains(id));
    let wanted: BTreeSet<(&str, &str)> = items
        .iter()
        .filter(|item| !is_known(item))
        .filter_map(|item| item.concept.code.as_ref())
        .map(|(vocabulary, code)| (vocabulary.as_str(), code.as_str()))
        .collect();
    if wanted.is_empty() {
        return Ok(false);
    }
    let table = Table::Concept;
    let only_wanted = |batch: &RecordBatch| {
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let (Some(vocabularies), Some(texts)) = (text("vocabulary_id"), text("concept_code"))
        else {
            return Ok(batch.slice(0, 0));
        };
        let is_wanted = |row: usize| {
            vocabularies.is_valid(row)
                && texts.is_valid(row)
                && wanted.contains(&(vocabularies.value(row), texts.value(row)))
        };
        let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_wanted(row))).collect();
        filter_record_batch(batch, &keep).map_err(|source| Error::Arrow { table, source })
    };
    let codes: Vec<(&str, &str)> = wanted.iter().copied().collect();
    let rows = tables.scan_codes(&codes, only_wanted)?;
    batches.extend(rows.into_iter().map(|batch| (table, batch)));
    Ok(true)
}

/// The rows of a batch that a key asks for, whatever the file had it as.
pub(crate) fn keyed(
    table: Table,
    batch: RecordBatch,
    key: Option<&RowKey>,
) -> Result<RecordBatch, Error> {
    let Some(key) = key else { return Ok(batch) };
    let values = batch.column_by_name(key.column).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let Some(values) = values else { return Ok(batch) };
    let is_wanted = |row| values.is_valid(row) && key.ids.contains(values.value(row));
    let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_wanted(row))).collect();
    if keep.true_count() == batch.num_rows() {
        return Ok(batch);
    }
    filter_record_batch(&batch, &keep).map_err(|source| Error::Arrow { table, source })
}
