//! One population in several formats: the same job over each gives equal
//! tables.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::place::{Export, Place, main_job, population, population_omop, read_parquet};

/// Local concept ids hold in one store only; codes hold everywhere.
const FIRST_LOCAL: i64 = 2_000_000_000;

struct Ran {
    tables: BTreeMap<String, RecordBatch>,
    codes: HashMap<i64, (String, String)>,
}

fn run(export: &Export) -> Ran {
    let place = Place::new();
    place.run(&main_job(), export, &[]).ends_with(0);
    let concepts = read_parquet(&place.path("records/latest/vocabulary/concept.parquet"));
    let text = |name: &str| concepts.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (vocabularies, codes) = (text("vocabulary_id"), text("concept_code"));
    let ids = concepts.column_by_name("concept_id").unwrap().as_primitive::<Int64Type>();
    let code = |row| (vocabularies.value(row).to_owned(), codes.value(row).to_owned());
    let codes = ids.values().iter().enumerate().map(|(row, id)| (*id, code(row))).collect();
    Ran { tables: place.report().tables(), codes }
}

/// A standard id, or the vocabulary and code of a local one.
type Portable<'a> = (i64, Option<&'a (String, String)>);

impl Ran {
    /// Concepts as what they hold everywhere: a standard id, or a code.
    fn concepts(&self, column: &ArrayRef) -> Vec<Option<Portable<'_>>> {
        let ids = column.as_primitive::<Int64Type>().iter();
        let portable = |id: i64| {
            if id < FIRST_LOCAL { (id, None) } else { (FIRST_LOCAL, Some(&self.codes[&id])) }
        };
        ids.map(|id| id.map(portable)).collect()
    }
}

#[test]
fn synthea_csv_and_omop_give_equal_tables() {
    let (synthea, omop) = (run(&population()), run(&population_omop()));
    assert!(synthea.tables.keys().eq(omop.tables.keys()));
    for (name, table) in &synthea.tables {
        let other = &omop.tables[name];
        assert_eq!(table.num_rows(), other.num_rows(), "{name}");
        assert!(table.num_rows() > 0, "{name}");
        for (i, field) in table.schema().fields().iter().enumerate() {
            let column = field.name();
            assert_eq!(column, other.schema().field(i).name(), "{name}");
            if column == "concept_id" {
                let pair = (synthea.concepts(table.column(i)), omop.concepts(other.column(i)));
                assert_eq!(pair.0, pair.1, "{name}.{column}");
            } else {
                assert_eq!(table.column(i), other.column(i), "{name}.{column}");
            }
        }
    }
}
