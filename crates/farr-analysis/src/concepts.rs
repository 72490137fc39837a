//! What concepts are called.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;

/// The `concept` table of a store, or nothing where it has none.
#[derive(Debug, Clone, Default)]
pub struct Concepts {
    table: Option<RecordBatch>,
}

/// A concept's row, without what is null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Concept {
    pub(crate) name: Option<String>,
    pub(crate) vocabulary_id: Option<String>,
    pub(crate) code: Option<String>,
}

impl Concepts {
    /// Those of a `concept` table.
    pub fn new(table: RecordBatch) -> Self {
        Self { table: Some(table) }
    }

    /// The rows of these concepts; one without a row is left out. Cost: one
    /// pass over the table.
    pub(crate) fn of(&self, wanted: &BTreeSet<i64>) -> BTreeMap<i64, Concept> {
        let mut found = BTreeMap::new();
        let Some(table) = &self.table else { return found };
        let ids = table.column_by_name("concept_id");
        let Some(ids) = ids.and_then(|ids| ids.as_primitive_opt::<Int64Type>()) else {
            return found;
        };
        let texts = |column| {
            let values = table.column_by_name(column).and_then(|c| c.as_string_opt::<i32>());
            move |row| values.and_then(|v: &StringArray| v.is_valid(row).then(|| v.value(row)))
        };
        let (names, vocabularies) = (texts("concept_name"), texts("vocabulary_id"));
        let codes = texts("concept_code");
        for (row, id) in ids.iter().enumerate() {
            let Some(id) = id.filter(|id| wanted.contains(id)) else { continue };
            found.entry(id).or_insert_with(|| Concept {
                name: names(row).map(str::to_owned),
                vocabulary_id: vocabularies(row).map(str::to_owned),
                code: codes(row).map(str::to_owned),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn names_of_those_wanted() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(1)]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("three"), Some("?"), None]));
        let table = RecordBatch::try_from_iter([("concept_id", ids), ("concept_name", names)]);
        let concepts = Concepts::new(table.unwrap());
        let found = concepts.of(&BTreeSet::from([1, 2, 3]));
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(found[&3].name.as_deref(), Some("three"));
        assert_eq!(found[&1], Concept::default());
        assert!(Concepts::default().of(&BTreeSet::from([1])).is_empty());
    }
}
