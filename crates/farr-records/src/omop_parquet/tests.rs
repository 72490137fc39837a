//! Files of every kind that tools write, read as tables.

use std::fs::{self, File};

use arrow::array::{
    ArrayRef, Date32Array, DictionaryArray, Float64Array, NullArray, StringArray, StructArray,
};
use arrow::datatypes::{Date32Type, Int32Type};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::{ConceptReference, ConceptSetItem, PersonId};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a file of these columns, in some row groups.
    #[expect(clippy::disallowed_methods, reason = "a test makes its input")]
    fn with(self, file: &str, columns: &[(&str, ArrayRef)]) -> Self {
        let columns = columns.iter().map(|(name, column)| (*name, Arc::clone(column), true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let rows = (batch.num_rows() / 4).max(3);
        let groups = WriterProperties::builder().set_max_row_group_row_count(Some(rows)).build();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(groups)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self
    }

    fn read(&self, table: Table, columns: &[&str]) -> Result<RecordBatch, Error> {
        Ok(OmopParquet::open(self.0.path())?.read(table, columns)?.unwrap())
    }
}

fn whole(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn ids(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
}

/// What is said of an error: its file, column, row and remedy, and no value.
fn says(error: &Error, parts: &[&str], value: &str) {
    let said = error.to_string();
    for part in parts {
        assert!(said.contains(part), "'{part}' is not in: {said}");
    }
    assert!(!said.contains(value), "'{value}' is in: {said}");
}

#[test]
fn a_value_that_is_no_id_is_placed_and_not_shown() {
    let persons = text(&["1", "2", "", "4", "MRN-JOHN-SMITH-0", "x"]);
    let folder = Folder::new().with("person.parquet", &[("PERSON_ID", persons)]);
    let error = folder.read(Table::Person, &["person_id"]).unwrap_err();
    assert!(matches!(error, Error::OmopValue { row: 5, column: "person_id", .. }), "{error}");
    let parts = ["person.parquet", "row 5", "'person_id'", "Utf8", "whole number", "farr ingest"];
    says(&error, &parts, "SMITH");
}

#[test]
fn a_person_must_stand_in_a_file_and_once() {
    let folder = Folder::new().with("death.parquet", &[("subject_id", whole(&[1]))]);
    let error = folder.read(Table::Death, &["person_id"]).unwrap_err();
    assert!(matches!(error, Error::OmopColumn { column: "person_id", times: 0, .. }), "{error}");
    let columns = [("person_id", whole(&[1])), ("PERSON_ID", whole(&[2]))];
    let folder = Folder::new().with("death.parquet", &columns);
    let error = folder.read(Table::Death, &["person_id"]).unwrap_err();
    assert!(matches!(error, Error::OmopColumn { times: 2, .. }), "{error}");
    let folder = Folder::new().with("death/person_id=7/0.parquet", &[("x", whole(&[1]))]);
    assert_eq!(ids(&folder.read(Table::Death, &["person_id"]).unwrap(), "person_id"), [Some(7)]);
}

/// The row is that of the file, whatever batches and row groups it is read in.
#[test]
fn rows_are_counted_through_a_file() {
    let mut values: Vec<f64> = (0..150_000_u32).map(f64::from).collect();
    values[140_000] = 0.7;
    let column: ArrayRef = Arc::new(Float64Array::from(values));
    let folder = Folder::new().with("death/b.parquet", &[("person_id", column)]);
    let folder = folder.with("death/a.parquet", &[("person_id", whole(&[1, 2]))]);
    let error = folder.read(Table::Death, &["person_id"]).unwrap_err();
    assert!(matches!(error, Error::OmopValue { row: 140_001, .. }), "{error}");
    says(&error, &["b.parquet", "Float64"], "0.7");
}

#[test]
fn whole_numbers_are_no_dates() {
    let columns = [("person_id", whole(&[1])), ("death_date", whole(&[20_130_405]))];
    let folder = Folder::new().with("death.parquet", &columns);
    let error = folder.read(Table::Death, &["person_id", "death_date"]).unwrap_err();
    assert!(matches!(error, Error::OmopType { column: "death_date", .. }), "{error}");
    says(&error, &["death.parquet", "Int64", "dates", "cannot be told apart"], "20130405");
}

#[test]
fn empty_texts_and_columns_of_nothing_are_null() {
    let keys: DictionaryArray<Int32Type> = vec!["1.0", "", "7"].into_iter().collect();
    let folder = Folder::new().with(
        "death.parquet",
        &[
            ("person_id", Arc::new(keys)),
            ("death_date", text(&["2012-01-31", "", " "])),
            ("cause_concept_id", Arc::new(NullArray::new(3))),
        ],
    );
    let columns = ["person_id", "death_date", "cause_concept_id", "death_type_concept_id"];
    let batch = folder.read(Table::Death, &columns).unwrap();
    assert_eq!(ids(&batch, "person_id"), [Some(1), None, Some(7)]);
    let days = batch.column_by_name("death_date").unwrap().as_primitive::<Date32Type>();
    assert_eq!(days, &Date32Array::from(vec![Some(15_370), None, None]));
    assert_eq!(ids(&batch, "cause_concept_id"), [None; 3]);
    assert_eq!(ids(&batch, "death_type_concept_id"), [None; 3]);
}

#[test]
fn names_of_folders_give_columns_that_the_files_lack() {
    let folder = Folder::new()
        .with("death/death_type_concept_id=32817/a.parquet", &[("person_id", whole(&[1, 2]))])
        .with(
            "death/death_type_concept_id=5/death_date=2012-01-31/b.parquet",
            &[("person_id", whole(&[3])), ("death_type_concept_id", whole(&[6]))],
        )
        .with(
            "death/death_type_concept_id=__HIVE_DEFAULT_PARTITION__/c.parquet",
            &[("person_id", whole(&[4]))],
        );
    let columns = ["person_id", "death_type_concept_id", "death_date"];
    let batch = folder.read(Table::Death, &columns).unwrap();
    assert_eq!(ids(&batch, "person_id"), [Some(1), Some(2), Some(3), Some(4)]);
    let expected = [Some(32_817), Some(32_817), Some(6), None];
    assert_eq!(ids(&batch, "death_type_concept_id"), expected);
    let days = batch.column_by_name("death_date").unwrap();
    assert_eq!((days.null_count(), days.is_valid(2)), (3, true));
    // Only what folders give: the rows are still so many.
    let batch = folder.read(Table::Death, &["death_type_concept_id"]).unwrap();
    assert_eq!(batch.num_rows(), 4);

    let folder = Folder::new()
        .with("death/person_id=MRN-SMITH/a.parquet", &[("death_date", text(&["2012-01-31"]))]);
    let error = folder.read(Table::Death, &["person_id"]).unwrap_err();
    assert!(matches!(error, Error::OmopFolderName { .. }), "{error}");
    says(&error, &["a.parquet", "'person_id'", "whole number"], "SMITH");
}

/// Persons by the names of folders are as persons in the files.
#[test]
fn folders_may_be_of_persons() {
    let day = || text(&["2012-01-31"]);
    let folder = Folder::new()
        .with("death/person_id=7/0.parquet", &[("death_date", day())])
        .with("death/person_id=-2/0.parquet", &[("death_date", day())]);
    let needs = BTreeMap::from([(Table::Death, vec!["death_date"])]);
    let shard = OmopParquet::open(folder.0.path()).unwrap().shard(&needs).unwrap();
    assert_eq!(shard.persons(), [PersonId(-2), PersonId(7)]);
    assert_eq!(shard.table(Table::Death).unwrap().batch().num_rows(), 2);
}

fn descendants_of(concept: i64, folder: &Folder) -> Result<Vec<i64>, Error> {
    let item = ConceptSetItem {
        concept: ConceptReference { concept_id: Some(crate::ConceptId(concept)), code: None },
        is_excluded: false,
        include_descendants: true,
        include_mapped: false,
    };
    let set = ConceptSetExpression { items: vec![item] };
    let vocabulary = OmopParquet::open(folder.0.path())?.vocabulary_for([&set])?;
    Ok(vocabulary.descendants(crate::ConceptId(concept)).map(|concept| concept.0).collect())
}

/// A vocabulary is scanned by a key: of its rows only some are read, and a
/// column of several leaves before the key moves the key's leaf.
#[test]
fn vocabularies_are_scanned_as_tables_are_read() {
    let fields = ["x", "y"].map(|name| Arc::new(Field::new(name, DataType::Int64, true)));
    let pair = StructArray::new(fields.to_vec().into(), vec![whole(&[9; 4]), whole(&[9; 4])], None);
    let ancestors = whole(&[1, 1, 2, 2]);
    let with = |file: &str, descendants: ArrayRef| {
        let columns = [
            ("more", Arc::new(pair.clone()) as ArrayRef),
            ("ancestor_concept_id", ancestors.clone()),
            ("descendant_concept_id", descendants),
        ];
        Folder::new().with(file, &columns)
    };
    let folder = with("concept_ancestor.parquet", text(&["1", "3.0", "2", "4"]));
    assert_eq!(descendants_of(1, &folder).unwrap(), [1, 3]);
    let error = with("concept_ancestor.parquet", text(&["1", "3", "2", "fever"]));
    let error = descendants_of(2, &error).unwrap_err();
    assert!(matches!(error, Error::OmopValue { row: 4, .. }), "{error}");
    says(&error, &["concept_ancestor.parquet", "'descendant_concept_id'"], "fever");

    let folder = Folder::new()
        .with(
            "concept_ancestor/ancestor_concept_id=1/a.parquet",
            &[("descendant_concept_id", whole(&[1, 5]))],
        )
        .with(
            "concept_ancestor/ancestor_concept_id=2/a.parquet",
            &[("descendant_concept_id", whole(&[6]))],
        );
    assert_eq!(descendants_of(1, &folder).unwrap(), [1, 5]);
}
