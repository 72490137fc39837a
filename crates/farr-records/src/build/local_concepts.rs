//! What the concept tables mean for a build: rows for local codes, and which
//! ingredients a drug has.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;

use farr_store::Location;

use super::derive::Ingredients;
use crate::manifest::FileEntry;
use crate::{ConceptId, Day, Error, LocalCode, RowKey, Table, parquet_file};

/// The first id for local codes: past any local one that the sources use, in
/// their concept table or elsewhere.
pub(super) fn first_local(local_id_max: Option<i64>) -> ConceptId {
    local_id_max.map_or(ConceptId::FIRST_LOCAL, |id| ConceptId(id + 1))
}

/// The rows of `concept` for local codes. They stand in the standard concept
/// columns of events, so they are standard in this store; their validity is
/// the one that OMOP gives where none is known.
pub(super) fn rows(codes: &[(ConceptId, LocalCode)]) -> Result<RecordBatch, Error> {
    let texts = |text: fn(&LocalCode) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(codes.iter().map(|(_, code)| text(code))))
    };
    let days = |day: Option<Day>| -> ArrayRef {
        Arc::new(Date32Array::from(vec![day.map(|day| day.0); codes.len()]))
    };
    let ids = Int64Array::from_iter_values(codes.iter().map(|(id, _)| id.0));
    RecordBatch::try_from_iter_with_nullable(
        [
            ("concept_id", Arc::new(ids) as ArrayRef),
            ("concept_name", texts(|code| &code.concept_name)),
            ("domain_id", texts(|code| &code.domain_id)),
            ("vocabulary_id", texts(|code| &code.vocabulary_id)),
            ("concept_class_id", texts(|_| "Local")),
            ("standard_concept", texts(|_| "S")),
            ("concept_code", texts(|code| &code.concept_code)),
            ("valid_start_date", days(Day::from_ymd(1970, 1, 1))),
            ("valid_end_date", days(Day::from_ymd(2099, 12, 31))),
        ]
        .map(|(name, array)| (name, array, true)),
    )
    .map_err(|source| Error::Arrow { table: Table::Concept, source })
}

/// The ingredients of each drug by `concept_ancestor`, an ingredient's own
/// being itself; `None` if the vocabulary has no ingredients with descendants.
/// Only the rows of ingredients are kept in memory.
pub(super) fn ingredients(
    location: &Location,
    concepts: &FileEntry,
    ancestors: &FileEntry,
) -> Result<Option<Ingredients>, Error> {
    let object = (location, concepts.path.as_str(), concepts.size);
    let columns = ["concept_id", "concept_class_id"];
    let found = parquet_file::scan(object, &columns, None, |batch| {
        let ids = batch.column_by_name("concept_id").and_then(|c| c.as_primitive_opt());
        let classes = batch.column_by_name("concept_class_id").and_then(|c| c.as_string_opt());
        Ok(ids.zip(classes).map_or_else(Vec::new, ingredients_among))
    })?;
    let found = found.concat();
    let key = RowKey::new("ancestor_concept_id", found.clone());
    let object = (location, ancestors.path.as_str(), ancestors.size);
    let columns = ["ancestor_concept_id", "descendant_concept_id"];
    let pairs = parquet_file::scan(object, &columns, Some(&key), |batch| {
        let column = |name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
        let both = column("ancestor_concept_id").zip(column("descendant_concept_id"));
        Ok(both.map_or_else(Vec::new, |(above, below)| {
            below.values().iter().copied().zip(above.values().iter().copied()).collect()
        }))
    })?;
    let mut pairs: Ingredients = pairs.concat();
    if pairs.is_empty() {
        return Ok(None);
    }
    pairs.extend(found.into_iter().map(|id| (id, id)));
    pairs.sort_unstable();
    pairs.dedup();
    Ok(Some(pairs))
}

fn ingredients_among((ids, classes): (&Int64Array, &StringArray)) -> Vec<i64> {
    let is_ingredient = |row: &usize| classes.is_valid(*row) && classes.value(*row) == "Ingredient";
    (0..ids.len()).filter(is_ingredient).map(|row| ids.value(row)).collect()
}
