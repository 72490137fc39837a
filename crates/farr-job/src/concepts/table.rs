//! What was found, as a table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use bytes::Bytes;
use serde::Serialize;

use super::counts::Found;
use super::{ConceptTable, Described};

/// A concept with its counts, and what it has to do with which set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// The definition; absent in a search.
    pub(super) cohort_definition_id: Option<i64>,
    /// Its name.
    pub(super) cohort_name: Option<String>,
    /// The concept set's id in it.
    pub(super) concept_set_id: Option<i64>,
    /// The set's name.
    pub(super) concept_set_name: Option<String>,
    /// `member`, `near`, or `found` by a search.
    pub(super) relation: &'static str,
    /// How it came in, or why it is near.
    pub(super) how: Option<&'static str>,
    /// The concept.
    pub(super) concept_id: i64,
    pub(super) vocabulary_id: String,
    pub(super) concept_code: String,
    pub(super) concept_name: String,
    /// Records in the store.
    pub(super) records: u64,
    /// Persons with such a record.
    pub(super) persons: u64,
}

impl Row {
    /// A concept as the store has it.
    pub(super) fn of(concept: i64, concepts: &ConceptTable<'_>, found: Found) -> Self {
        let Described { name, code, vocabulary } = concepts.describe(concept);
        Self {
            cohort_definition_id: None,
            cohort_name: None,
            concept_set_id: None,
            concept_set_name: None,
            relation: "found",
            how: None,
            concept_id: concept,
            vocabulary_id: vocabulary.to_owned(),
            concept_code: code.to_owned(),
            concept_name: name.to_owned(),
            records: found.records,
            persons: found.persons,
        }
    }

    /// What sorts the most frequent first.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (std::cmp::Reverse((self.persons, self.records)), self.concept_id)
    }
}

/// The rows as a batch.
pub(super) fn batch_of(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let longs = |of: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Int64Array>())
    };
    let texts = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    RecordBatch::try_from_iter_with_nullable([
        ("cohort_definition_id", longs(&|row| row.cohort_definition_id), true),
        ("cohort_name", texts(&|row| row.cohort_name.clone()), true),
        ("concept_set_id", longs(&|row| row.concept_set_id), true),
        ("concept_set_name", texts(&|row| row.concept_set_name.clone()), true),
        ("relation", texts(&|row| Some(row.relation.to_owned())), false),
        ("how", texts(&|row| row.how.map(str::to_owned)), true),
        ("concept_id", longs(&|row| Some(row.concept_id)), false),
        ("vocabulary_id", texts(&|row| Some(row.vocabulary_id.clone())), false),
        ("concept_code", texts(&|row| Some(row.concept_code.clone())), false),
        ("concept_name", texts(&|row| Some(row.concept_name.clone())), false),
        ("records", longs(&|row| i64::try_from(row.records).ok()), false),
        ("persons", longs(&|row| i64::try_from(row.persons).ok()), false),
    ])
}

/// The rows as a list of JSON objects.
pub(super) fn json_of(rows: &[Row]) -> Bytes {
    // Plain values into memory: this cannot fail.
    let mut text = serde_json::to_string_pretty(rows).unwrap_or_default();
    text.push('\n');
    Bytes::from(text)
}
