//! Tables of aggregates: values, what each column means, and the relations
//! between counts from which a reader could work out one that is withheld.

mod build;
mod column;
mod relation;

pub use build::{IntoColumn, TableBuilder};
pub use column::{ColumnDescription, Role};
pub use relation::{CellReference, Curve, Term};

use arrow::array::RecordBatch;

pub(crate) use relation::Relation;

/// A table of aggregates, as an analysis gives it and a report writes it.
///
/// Long and tidy: key columns say what a row is about (null: the total over
/// that key), then counts, then what is computed from the row's counts. Made
/// by [`AggregateTable::build`]; one row of an incidence table and its
/// declarations:
///
/// ```
/// use farr_disclosure::AggregateTable;
///
/// let table = AggregateTable::build("incidence", "First outcomes per person-year.")
///     .key("cohort_id", "Target cohort.", vec![1_i64, 1, 1])
///     .key("sex", "Sex; null for both.", vec![None, Some("female"), Some("male")])
///     .count("n_persons", "Persons at risk.", "persons", vec![100_i64, 60, 40])
///     .count("n_events", "Persons with the outcome.", "persons", vec![12_i64, 7, 5])
///     .derived("person_years", "Time at risk.", "years", vec![210.5, 130.0, 80.5])
///     .total_over("sex", &["n_persons", "n_events"])
///     .quantity("n_persons", "cohort/{cohort_id}/persons")
///     .finish()?;
/// assert_eq!(table.batch().num_rows(), 3);
/// # Ok::<(), farr_disclosure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateTable {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) batch: RecordBatch,
    pub(crate) columns: Vec<ColumnDescription>,
    pub(crate) relations: Vec<Relation>,
    pub(crate) quantities: Vec<Quantities>,
    pub(crate) curve: Option<Curve>,
}

/// For one count column, the name of each row's quantity, where it has one:
/// cells of one name, in whatever table, hold the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quantities {
    pub(crate) column: String,
    pub(crate) names: Vec<Option<String>>,
}

impl AggregateTable {
    /// Starts a table: its name (the report's file name) and what it shows.
    pub fn build(name: &str, description: &str) -> TableBuilder {
        TableBuilder::new(name, description)
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the table shows.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The values, with the columns in the order of [`columns`](Self::columns).
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// What each column means.
    pub fn columns(&self) -> &[ColumnDescription] {
        &self.columns
    }

    /// The place of a column.
    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|description| description.name == column)
    }
}
