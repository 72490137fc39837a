use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};

use super::*;
use crate::parse_short;

/// A vocabulary of nothing but ids.
fn vocabulary(concepts: Vec<i64>) -> Vocabulary {
    let texts = Arc::new(arrow::array::StringArray::new_null(concepts.len())) as ArrayRef;
    let ids = Arc::new(Int64Array::from(concepts)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("concept_id", ids),
        ("vocabulary_id", texts.clone()),
        ("concept_code", texts.clone()),
        ("invalid_reason", texts),
    ]);
    Vocabulary::new(&[(Table::Concept, batch.unwrap())]).unwrap()
}

/// Definitions that say the same share their concept sets and criteria; each
/// is warned of by itself.
#[test]
fn sets_that_say_the_same_are_one() {
    let definition = |id: i64, concepts: &str| {
        let text = format!("[entry]\ndomain = \"condition\"\nconcepts = [{concepts}]\n");
        parse_short(id, &text).unwrap()
    };
    let vocabulary = vocabulary(vec![7, 8]);
    let of = |definitions: &[Definition]| {
        let plan = Plan::new(definitions, &vocabulary);
        (plan.sets.len(), plan.criteria.len(), plan.warnings().len())
    };
    let (one, same, other) = (definition(1, "7"), definition(2, "7"), definition(3, "8"));
    assert_eq!(of(&[one.clone(), same]), (1, 1, 2));
    assert_eq!(of(&[one.clone(), other]), (2, 2, 2));
    let empty = definition(4, "9");
    let plan = Plan::new(&[one, empty], &vocabulary);
    let warnings: Vec<(i64, ConceptSetWarning)> =
        plan.warnings().iter().map(|w| (w.definition, w.warning)).collect();
    let (none, bare) = (ConceptSetWarning::Empty, ConceptSetWarning::NoAncestors);
    assert_eq!(warnings, [(1, bare), (4, none), (4, bare)]);
}
