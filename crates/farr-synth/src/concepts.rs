//! Local concepts of the population's codes.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use farr_records::{ConceptId, Day, Table};

use crate::Error;
use crate::codes::{Code, catalog};
use crate::rows::batch;

/// Every code with its local concept: ids count from 2,000,000,000 up in order
/// of (vocabulary, code), the same for every population.
#[derive(Debug)]
pub(crate) struct Concepts {
    codes: Vec<&'static Code>,
}

impl Concepts {
    pub(crate) fn new() -> Self {
        Self { codes: catalog() }
    }

    /// The concept of a code; 0 for one that is not in the list.
    pub(crate) fn id(&self, code: &Code) -> i64 {
        let key = (code.vocabulary, code.code);
        let found = self.codes.binary_search_by_key(&key, |known| (known.vocabulary, known.code));
        found.map_or(0, |place| ConceptId::FIRST_LOCAL.0 + place as i64)
    }

    /// The concept table.
    pub(crate) fn table(&self) -> Result<RecordBatch, Error> {
        let texts = |of: fn(&Code) -> &'static str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(self.codes.iter().map(|code| of(code))))
        };
        let rows = self.codes.len();
        let ids: Vec<i64> =
            (0..rows).map(|place| ConceptId::FIRST_LOCAL.0 + place as i64).collect();
        let days = |day: Option<Day>| -> ArrayRef {
            Arc::new(Date32Array::from(vec![day.map_or(0, |day| day.0); rows]))
        };
        batch(
            Table::Concept,
            &[
                ("concept_id", Arc::new(Int64Array::from(ids))),
                ("concept_name", texts(|code| code.name)),
                ("domain_id", texts(|code| code.domain)),
                ("vocabulary_id", texts(|code| code.vocabulary)),
                ("concept_class_id", texts(|code| code.class)),
                ("concept_code", texts(|code| code.code)),
                ("valid_start_date", days(Day::from_ymd(1970, 1, 1))),
                ("valid_end_date", days(Day::from_ymd(2099, 12, 31))),
            ],
        )
    }
}
