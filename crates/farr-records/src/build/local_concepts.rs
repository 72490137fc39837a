//! What the concept tables mean for a build: rows for local codes, and which
//! ingredients a drug has.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;

use super::derive::Ingredients;
use crate::{ConceptId, Day, Error, LocalCode, Table};

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
pub(super) fn ingredients(concepts: &RecordBatch, ancestors: &RecordBatch) -> Option<Ingredients> {
    let ids = concepts.column_by_name("concept_id")?.as_primitive_opt::<Int64Type>()?;
    let classes = concepts.column_by_name("concept_class_id")?.as_string_opt::<i32>()?;
    let is_ingredient = |row: &usize| classes.is_valid(*row) && classes.value(*row) == "Ingredient";
    let found: HashSet<i64> =
        (0..ids.len()).filter(is_ingredient).map(|row| ids.value(row)).collect();
    let column = |name| ancestors.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let above = column("ancestor_concept_id")?;
    let below = column("descendant_concept_id")?;
    let mut pairs: Ingredients = (0..above.len())
        .filter(|row| found.contains(&above.value(*row)))
        .map(|row| (below.value(row), above.value(row)))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    pairs.extend(found.into_iter().map(|id| (id, id)));
    pairs.sort_unstable();
    pairs.dedup();
    Some(pairs)
}
