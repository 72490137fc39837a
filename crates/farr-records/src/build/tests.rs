//! By-hand cases of building a store, read back through [`RecordsStore`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Int64Type};
use bytes::Bytes;
use farr_disclosure::{Labelled, Zone};
use farr_store::{Location, Sha256Hash};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{BuildSettings, Builder, Built, RejectsMax};
use crate::{
    CohortKey, CohortSort, ConceptId, ConceptReference, ConceptSetExpression, ConceptSetItem, Day,
    Derivations, Error, IdHasher, Incoming, Intake, Interval, Kind, Line, ObjectId, ObjectRead,
    PersonId, RangeRead, RecordsStore, Reject, RowKey, Scope, Shard, ShardId, SourceTableId, Table,
};

/// A value of any column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
    Null,
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows of the named columns as a batch of a table.
pub(super) fn batch(table: Table, names: &[&str], rows: &[Vec<Value>]) -> RecordBatch {
    let number = |value: &Value| match value {
        Value::Number(number) => Some(*number),
        _ => None,
    };
    let column = |place: usize, name: &str| -> ArrayRef {
        let values = || rows.iter().map(|row| &row[place]);
        match table.column(name).unwrap().kind {
            Kind::Text => Arc::new(
                values()
                    .map(|value| match value {
                        Value::Text(text) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect::<StringArray>(),
            ),
            Kind::Date => Arc::new(
                values().map(|v| number(v).map(|days| days as i32)).collect::<Date32Array>(),
            ),
            Kind::Number => {
                Arc::new(values().map(|v| number(v).map(|n| n as f64)).collect::<Float64Array>())
            }
            _ => Arc::new(values().map(number).collect::<Int64Array>()),
        }
    };
    let columns = names.iter().enumerate().map(|(place, name)| (*name, column(place, name), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

macro_rules! rows {
    ($([$($value:expr),* $(,)?]),* $(,)?) => {
        [$(vec![$(Value::from($value)),*]),*]
    };
}

/// A builder with one source, and a place for its store.
pub(super) struct Case {
    pub(super) builder: Builder,
    folder: tempfile::TempDir,
    derive: Derivations,
    object: ObjectId,
}

impl Case {
    pub(super) fn new(settings: BuildSettings, derive: Derivations) -> Self {
        let builder = Builder::new(settings).unwrap();
        let object = builder.object(ObjectRead {
            system: "hospital".to_owned(),
            path: "export.csv".to_owned(),
            size: 1,
            etag: Some("tag".to_owned()),
            sha256: None,
        });
        builder.range_read(object, RangeRead::whole(vec![Sha256Hash::of(b"ab")]));
        Self { builder, folder: tempfile::tempdir().unwrap(), derive, object }
    }

    pub(super) fn source(&self, table: Table) -> SourceTableId {
        self.builder.source_table("hospital", table.name(), self.derive)
    }

    /// Rows that stand for source rows on lines from `line` up.
    pub(super) fn rows(&self, table: Table, line: u64, names: &[&str], rows: &[Vec<Value>]) {
        let source_table = self.source(table);
        self.builder.rows_read(source_table, rows.len() as u64);
        let lines = (0..rows.len() as u64).map(|row| Line(line + row)).collect();
        let (object, rows) = (self.object, batch(table, names, rows));
        let incoming =
            Incoming { table, rows, source_table, object, lines, stands_for_source: true };
        self.builder.rows(incoming).unwrap();
    }

    pub(super) fn persons(&self, ids: &[i64]) {
        let rows: Vec<_> = ids.iter().map(|id| vec![Value::Number(*id)]).collect();
        self.rows(Table::Person, 2, &["person_id"], &rows);
    }

    pub(super) fn finish(self) -> Result<Store, Error> {
        let location = Location::folder(self.folder.path(), Zone::Restricted).unwrap();
        let built = self.builder.finish(&location)?;
        let store = RecordsStore::open(&location)?;
        assert_eq!(*store.manifest(), built.manifest);
        Ok(Store { records: store, built, folder: self.folder })
    }
}

/// A store that was built, and its folder for as long as it is looked at.
pub(super) struct Store {
    pub(super) records: RecordsStore,
    pub(super) built: Built,
    pub(super) folder: tempfile::TempDir,
}

impl Store {
    pub(super) fn shards(&self, table: Table) -> Vec<Shard> {
        let names = table.columns().iter().map(|column| column.name).collect();
        let tables = BTreeMap::from([(table, names)]);
        self.records
            .shards()
            .map(|shard| self.records.read_shard(shard, &tables).unwrap())
            .collect()
    }

    /// All rows of a table, shard by shard.
    pub(super) fn all(&self, table: Table) -> RecordBatch {
        if table.scope() != Scope::Person {
            return self.records.read_piece(table).unwrap().unwrap();
        }
        let shards = self.shards(table);
        let batches: Vec<_> =
            shards.iter().map(|shard| shard.table(table).unwrap().batch().clone()).collect();
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    /// Columns of whole numbers or days of all rows.
    pub(super) fn numbers(&self, table: Table, names: &[&str]) -> Vec<Vec<Option<i64>>> {
        let all = self.all(table);
        let column = |name: &&str| -> Vec<Option<i64>> {
            let column = all.column_by_name(name).unwrap();
            match column.as_primitive_opt::<Date32Type>() {
                Some(days) => days.iter().map(|day| day.map(i64::from)).collect(),
                None => column.as_primitive::<Int64Type>().iter().collect(),
            }
        };
        let columns: Vec<_> = names.iter().map(column).collect();
        (0..all.num_rows()).map(|row| columns.iter().map(|c| c[row]).collect()).collect()
    }

    /// (read, kept, merged, rejected) of a source table.
    pub(super) fn balance(&self, table: Table) -> (u64, u64, u64, u64) {
        let balance = &self.built.manifest.balance;
        let of = balance.iter().find(|b| b.source_table == table.name()).unwrap();
        (of.read, of.kept, of.merged, of.rejected)
    }
}

fn some(rows: &[&[i64]]) -> Vec<Vec<Option<i64>>> {
    rows.iter().map(|row| row.iter().map(|value| Some(*value)).collect()).collect()
}

const CONDITION: [&str; 5] = [
    "condition_occurrence_id",
    "person_id",
    "condition_concept_id",
    "condition_start_date",
    "condition_end_date",
];

#[test]
fn equal_rows_are_merged_and_repeated_ids_kept() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[2, 1]);
    let none: Option<i64> = None;
    case.rows(
        Table::ConditionOccurrence,
        2,
        &CONDITION,
        &rows![
            [10, 2, 7, 100, none],
            [10, 1, 7, 100, none],
            [11, 1, 8, 90, 95],
            [10, 1, 7, 100, none],
            [11, 1, 8, 90, 96],
            [12, 1, 8, none, none],
            [none, 2, 8, 100, 120],
        ],
    );
    let store = case.finish().unwrap();
    let columns = ["person_id", "condition_occurrence_id", "condition_start_date"];
    let mut expected = some(&[
        &[1, 12, 0],
        &[1, 11, 90],
        &[1, 11, 90],
        &[1, 10, 100],
        &[2, 0, 100],
        &[2, 10, 100],
    ]);
    expected[0][2] = None;
    expected[4][1] = None;
    assert_eq!(store.numbers(Table::ConditionOccurrence, &columns), expected);
    assert_eq!(store.balance(Table::ConditionOccurrence), (7, 6, 1, 0));
    let repeated = store.built.manifest.repeated_ids["condition_occurrence"];
    assert_eq!((repeated.ids, repeated.rows, repeated.missing), (2, 4, 1));
    assert!(store.built.manifest.table(Table::DrugExposure).is_none());
    assert_eq!(store.built.manifest.objects[0].etag, None);
    assert_eq!(store.built.objects[0].etag.as_deref(), Some("tag"));
}

#[test]
fn dangling_rows_and_second_persons_are_rejected_by_line() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    let person = ["person_id", "year_of_birth"];
    case.rows(Table::Person, 2, &person, &rows![[1, 1950], [1, 1951], [1, 1950], [3, 1970]]);
    case.rows(
        Table::ConditionOccurrence,
        2,
        &CONDITION,
        &rows![[10, 1, 7, 100, 100], [11, 2, 7, 100, 100],],
    );
    let reject = Reject {
        source_table: case.source(Table::ConditionOccurrence),
        object: case.object,
        line: Line(4),
        column: Some("START".to_owned()),
        reason: "no date".to_owned(),
    };
    case.builder.rows_read(reject.source_table, 1);
    case.builder.rejects(vec![reject]).unwrap();
    let store = case.finish().unwrap();
    assert_eq!(store.balance(Table::Person), (4, 2, 1, 1));
    assert_eq!(store.balance(Table::ConditionOccurrence), (3, 1, 0, 2));
    assert_eq!(store.numbers(Table::Person, &person), some(&[&[1, 1950], &[3, 1970]]));
    let file = &store.built.manifest.rejects;
    let table =
        crate::parquet_file::read((store.records.location(), &file.path, file.size), None, None)
            .unwrap();
    let lines = table.column_by_name("line").unwrap().as_primitive::<Int64Type>();
    assert_eq!(lines.values(), &[3, 4, 3]);
    let reasons = table.column_by_name("reason").unwrap().as_string::<i32>();
    assert_eq!(reasons.value(0), "the person is not in the person table");
    assert_eq!(reasons.value(2), "another row of this person, with other content, was kept");
}

#[test]
fn too_many_rejects_fail_with_reasons() {
    for (allowed, fails) in [(RejectsMax::Count(1), false), (RejectsMax::Share(0.4), true)] {
        let settings = BuildSettings { rejects_max: Some(allowed), ..BuildSettings::default() };
        let case = Case::new(settings, Derivations::default());
        case.persons(&[1]);
        case.rows(Table::ConditionOccurrence, 2, &CONDITION, &rows![[11, 2, 7, 100, 100]]);
        match case.finish() {
            Err(Error::TooManyRejects { rejected: 1, read: 2, commonest, .. }) => {
                assert!(fails);
                let expected = "condition_occurrence.person_id: \
                                the person is not in the person table (1; first at export.csv, line 2)";
                assert_eq!(commonest, expected);
            }
            Err(error) => panic!("{error}"),
            Ok(_) => assert!(!fails),
        }
    }
}

#[test]
fn an_id_that_is_not_the_hash_of_its_key_is_no_collision() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    let id = IdHasher::new("hospital", "person").id(&["a"]);
    let names = ["person_id", "person_source_value"];
    case.rows(Table::Person, 2, &names, &rows![[id, "a"], [id, "b"]]);
    let store = case.finish().unwrap();
    assert_eq!(store.balance(Table::Person), (2, 1, 0, 1));
}

#[test]
fn a_vocabulary_does_not_make_room_for_rejects() {
    let settings =
        BuildSettings { rejects_max: Some(RejectsMax::Share(0.3)), ..BuildSettings::default() };
    let case = Case::new(settings, Derivations::default());
    case.persons(&[1]);
    let concept = ["concept_id", "concept_name"];
    for id in 1..20 {
        case.rows(Table::Concept, id as u64 + 1, &concept, &rows![[id, "a"]]);
    }
    case.rows(Table::ConditionOccurrence, 2, &CONDITION, &rows![[11, 2, 7, 100, 100]]);
    let error = case.finish().err().unwrap();
    assert!(matches!(error, Error::TooManyRejects { rejected: 1, read: 2, .. }), "{error}");
    assert!(error.to_string().contains("condition_occurrence.person_id"), "{error}");
}

#[test]
fn without_persons_there_is_no_store() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.rows(Table::ConditionOccurrence, 2, &CONDITION, &rows![[11, 2, 7, 100, 100]]);
    assert!(matches!(case.finish(), Err(Error::NoPersons { rows: 1 })));
}

#[test]
fn lost_rows_are_a_bug() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[1]);
    case.builder.rows_read(case.source(Table::Person), 1);
    assert!(matches!(case.finish(), Err(Error::Balance { read: 2, kept: 1, .. })));
}

const ALL: Derivations = Derivations {
    observation_periods: true,
    condition_eras: true,
    drug_eras: true,
    providers_from_visits: true,
};

#[test]
fn periods_eras_and_providers_are_derived() {
    let case = Case::new(BuildSettings::default(), ALL);
    case.persons(&[1, 2, 3]);
    let none: Option<i64> = None;
    case.rows(
        Table::VisitOccurrence,
        2,
        &["visit_occurrence_id", "person_id", "visit_start_date", "visit_end_date", "provider_id"],
        &rows![[50, 1, 10, 12, 900], [50, 2, 10, 11, 901]],
    );
    let drug = [
        "drug_exposure_id",
        "person_id",
        "drug_concept_id",
        "drug_exposure_start_date",
        "days_supply",
        "visit_occurrence_id",
        "provider_id",
    ];
    case.rows(
        Table::DrugExposure,
        2,
        &drug,
        &rows![
            [1, 1, 7, 20, 10, 50, none],
            [2, 1, 7, 60, none, none, none],
            [3, 1, 7, 100, -3, 50, 800],
            [4, 2, 0, 15, 5, 50, none],
        ],
    );
    case.rows(
        Table::ConditionOccurrence,
        2,
        &CONDITION,
        // The last ends before it starts: its day alone counts.
        &rows![[9, 1, 5, 5, none], [8, 1, 5, 36, 40], [7, 2, 5, 250, 2]],
    );
    case.rows(Table::Death, 2, &["person_id", "death_date"], &rows![[2, 300]]);
    let store = case.finish().unwrap();
    let period = ["person_id", "observation_period_start_date", "observation_period_end_date"];
    // Person 3 has no event, hence no period.
    assert_eq!(
        store.numbers(Table::ObservationPeriod, &period),
        some(&[&[1, 5, 100], &[2, 10, 300]])
    );
    // From day 20 with supply to day 30, then 60 to 61: a gap of 30 days.
    let era = [
        "person_id",
        "drug_concept_id",
        "drug_era_start_date",
        "drug_era_end_date",
        "drug_exposure_count",
        "gap_days",
    ];
    assert_eq!(store.numbers(Table::DrugEra, &era), some(&[&[1, 7, 20, 61, 2, 30]]));
    let era = ["person_id", "condition_era_start_date", "condition_era_end_date"];
    // Day 5 ends on day 6, and day 36 is 30 days later.
    assert_eq!(store.numbers(Table::ConditionEra, &era), some(&[&[1, 5, 40], &[2, 250, 250]]));
    let mut providers = some(&[&[1, 900], &[2, 0], &[3, 800], &[4, 901]]);
    providers[1][1] = None;
    assert_eq!(store.numbers(Table::DrugExposure, &["drug_exposure_id", "provider_id"]), providers);
    assert_eq!(store.built.manifest.derived.providers_filled, 2);
    let made = &store.built.manifest.records;
    let derived: Vec<_> = made.iter().filter(|r| r.source_table == "derived").collect();
    assert_eq!(derived.iter().map(|r| r.written).collect::<Vec<_>>(), [2, 1, 2]);
}

#[test]
fn drug_eras_are_of_ingredients_where_the_vocabulary_has_them() {
    let case = Case::new(BuildSettings::default(), ALL);
    case.persons(&[1]);
    case.rows(
        Table::Concept,
        2,
        &["concept_id", "concept_class_id"],
        &rows![
            [100, "Ingredient"],
            [101, "Ingredient"],
            [7, "Clinical Drug"],
            [8, "Clinical Drug"],
        ],
    );
    case.rows(
        Table::ConceptAncestor,
        2,
        &["ancestor_concept_id", "descendant_concept_id"],
        &rows![[101, 7], [100, 7], [7, 7],],
    );
    let drug = ["drug_exposure_id", "person_id", "drug_concept_id", "drug_exposure_start_date"];
    case.rows(Table::DrugExposure, 2, &drug, &rows![[1, 1, 7, 20], [2, 1, 100, 22], [3, 1, 8, 9]]);
    let store = case.finish().unwrap();
    let era = ["drug_concept_id", "drug_era_start_date", "drug_exposure_count", "gap_days"];
    let found = store.numbers(Table::DrugEra, &era);
    assert_eq!(found.len(), 2);
    assert!(found.contains(&vec![Some(100), Some(20), Some(2), Some(1)]));
    assert!(found.contains(&vec![Some(101), Some(20), Some(1), Some(0)]));
    assert_eq!(store.built.manifest.derived.drug_exposures_without_ingredient, 1);
}

/// An item of a concept set, by its code.
fn item(vocabulary: &str, code: &str) -> ConceptSetItem {
    ConceptSetItem {
        concept: ConceptReference {
            concept_id: None,
            code: Some((vocabulary.to_owned(), code.to_owned())),
        },
        is_excluded: false,
        include_descendants: false,
        include_mapped: false,
    }
}

#[test]
fn local_codes_follow_the_sources_own_local_concepts() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    let codes = case.builder.local_codes();
    let diabetes = codes.provisional("SNOMED", "44054006", "Diabetes", "Condition");
    let vaccine = codes.provisional("CVX", "08", "Hep B", "Drug");
    case.persons(&[1]);
    case.rows(
        Table::Concept,
        2,
        &["concept_id", "concept_name"],
        &rows![[2_000_000_005, "own"], [44, "other"], [44, "other"],],
    );
    case.rows(
        Table::ConditionOccurrence,
        2,
        &CONDITION,
        &rows![[1, 1, diabetes.0, 5, 5], [2, 1, vaccine.0, 6, 6], [3, 1, 44, 7, 7],],
    );
    let store = case.finish().unwrap();
    assert_eq!(
        store.numbers(Table::ConditionOccurrence, &["condition_concept_id"]),
        some(&[&[2_000_000_007], &[2_000_000_006], &[44]])
    );
    assert_eq!(
        store.numbers(Table::Concept, &["concept_id"]),
        some(&[&[44], &[2_000_000_005], &[2_000_000_006], &[2_000_000_007]])
    );
    let concepts = store.all(Table::Concept);
    assert_eq!(concepts.column_by_name("concept_code").unwrap().as_string::<i32>().value(2), "08");
    assert_eq!(store.balance(Table::Concept), (3, 2, 1, 0));
    assert_eq!(store.built.manifest.local_concepts, 2);
    let named = store.records.read_names([2_000_000_006, 44, 45]).unwrap().unwrap();
    assert_eq!(named.num_rows(), 2);
    let names = named.column_by_name("concept_name").unwrap().as_string::<i32>();
    assert_eq!((names.value(0), names.value(1)), ("other", "Hep B"));
    let set = ConceptSetExpression { items: vec![item("CVX", "08")] };
    let vocabulary = store.records.vocabulary_for([&set]).unwrap();
    assert_eq!(vocabulary.by_code("CVX", "08"), Some(ConceptId(2_000_000_006)));
    assert!(store.built.manifest.has_vocabulary && !store.built.manifest.has_ancestors);
}

#[test]
fn further_records_of_a_row_do_not_count_in_the_balance() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[1]);
    let source_table = case.source(Table::VisitOccurrence);
    case.rows(
        Table::VisitOccurrence,
        2,
        &["visit_occurrence_id", "person_id"],
        &rows![[5, 1], [6, 2],],
    );
    let costs = batch(Table::Cost, &["cost_id", "person_id"], &rows![[5, 1], [6, 2]]);
    let lines = vec![Line(2), Line(3)];
    let (table, object) = (Table::Cost, case.object);
    let further =
        Incoming { table, rows: costs, source_table, object, lines, stands_for_source: false };
    case.builder.rows(further).unwrap();
    let store = case.finish().unwrap();
    assert_eq!(store.balance(Table::VisitOccurrence), (2, 1, 0, 1));
    assert_eq!(store.built.manifest.rejects.rows, 1);
    let made = &store.built.manifest.records;
    let cost = made.iter().find(|r| r.table == "cost").unwrap();
    assert_eq!((cost.written, cost.rejected), (1, 1));
}

#[test]
fn wrong_batches_are_refused() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    let source_table = case.source(Table::Person);
    let send = |table: Table, rows: RecordBatch| {
        let (object, lines) = (case.object, vec![Line(1); rows.num_rows()]);
        let incoming =
            Incoming { table, rows, source_table, object, lines, stands_for_source: true };
        case.builder.rows(incoming)
    };
    let costs = batch(Table::Cost, &["cost_id"], &rows![[5]]);
    assert!(matches!(send(Table::Cost, costs.clone()), Err(Error::MissingColumn { .. })));
    assert!(matches!(send(Table::Person, costs), Err(Error::UnknownColumn { .. })));
    let texts = Arc::new(StringArray::from(vec!["1"])) as ArrayRef;
    let texts = RecordBatch::try_from_iter([("person_id", texts)]).unwrap();
    assert!(matches!(send(Table::Person, texts), Err(Error::WrongType { .. })));
}

#[test]
fn local_codes_keep_clear_of_ids_that_only_events_use() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    let code = case.builder.local_codes().provisional("CVX", "08", "Hep B", "Drug");
    case.persons(&[1]);
    let events = rows![[1, 1, code.0, 5, 5], [2, 1, 2_000_000_900, 6, 6]];
    case.rows(Table::ConditionOccurrence, 2, &CONDITION, &events);
    let store = case.finish().unwrap();
    assert_eq!(
        store.numbers(Table::ConditionOccurrence, &["condition_concept_id"]),
        some(&[&[2_000_000_901], &[2_000_000_900]])
    );
}

#[test]
fn what_nobody_registered_or_finished_is_an_error() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[1]);
    let source_table = SourceTableId(7);
    let (object, line) = (case.object, Line(1));
    let reject = Reject { source_table, object, line, column: None, reason: String::new() };
    assert!(matches!(case.builder.rejects(vec![reject]), Err(Error::Unregistered)));
    case.builder.object(ObjectRead {
        system: "hospital".to_owned(),
        path: "half.csv".to_owned(),
        size: 1,
        etag: None,
        sha256: None,
    });
    assert!(matches!(case.finish(), Err(Error::Unfinished { .. })));
}

#[test]
fn stores_are_summarised_from_their_footers() {
    let settings = BuildSettings { shards: Some(4), ..BuildSettings::default() };
    let case = Case::new(settings, Derivations::default());
    case.persons(&(1..=20).collect::<Vec<_>>());
    let none: Option<i64> = None;
    case.rows(
        Table::ConditionOccurrence,
        2,
        &CONDITION,
        &rows![[1, 1, 7, 100, none], [2, 5, 7, 90, none], [3, 9, none, 110, 120],],
    );
    case.rows(Table::Death, 2, &["person_id"], &[]);
    let store = case.finish().unwrap();
    let summary = store.records.summarise(Table::ConditionOccurrence).unwrap().unwrap();
    assert_eq!((summary.rows, summary.persons), (3, 3));
    assert_eq!(summary.starts, Some((Day(90), Day(110))));
    let nulls = |name: &str| summary.columns.iter().find(|c| c.name == name).unwrap().nulls;
    assert_eq!(nulls("condition_end_date"), 2);
    assert_eq!(nulls("condition_concept_id"), 1);
    assert_eq!(nulls("stop_reason"), 3);
    assert_eq!(store.records.summarise(Table::Death).unwrap().unwrap().rows, 0);
    assert!(store.records.summarise(Table::Note).unwrap().is_none());
}

#[test]
fn shards_are_read_column_by_column() {
    let settings = BuildSettings { shards: Some(2), ..BuildSettings::default() };
    let case = Case::new(settings, Derivations::default());
    case.persons(&(1..=9).collect::<Vec<_>>());
    case.rows(Table::ConditionOccurrence, 2, &CONDITION, &rows![[1, 1, 7, 100, 101]]);
    let built = case.finish().unwrap();
    let store = &built.records;
    let tables = BTreeMap::from([
        (Table::ConditionOccurrence, vec!["condition_concept_id"]),
        (Table::DrugExposure, vec!["drug_concept_id"]),
    ]);
    let index = ShardId::index_of(PersonId(1), 2);
    let shard = store.read_shard(ShardId::new(index, 2).unwrap(), &tables).unwrap();
    let place = shard.place_of(PersonId(1)).unwrap();
    let conditions = shard.table(Table::ConditionOccurrence).unwrap();
    assert_eq!(conditions.rows_of(place), 0..1);
    assert!(conditions.integers("condition_concept_id").is_some());
    assert!(conditions.days("condition_end_date").is_none());
    assert!(shard.table(Table::DrugExposure).is_none());
    assert!(matches!(
        store.read_shard(ShardId::new(0, 4).unwrap(), &tables),
        Err(Error::UnknownShard { count: 2, .. })
    ));
}

/// A table that is sorted range by range is sorted as a whole: here a range is
/// a few rows. Equal rows meet, whatever they lie behind.
#[test]
fn large_tables_without_persons_are_sorted() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[1]);
    let names = ["concept_id_1", "concept_id_2", "relationship_id"];
    let rows: Vec<[i64; 2]> = (0..300).map(|i| [i * 7919 % 101, i * 104_729 % 13]).collect();
    let values = |rows: &[[i64; 2]]| -> Vec<Vec<Value>> {
        rows.iter().map(|row| vec![row[0].into(), row[1].into(), "Maps to".into()]).collect()
    };
    for (place, part) in rows.chunks(70).enumerate() {
        case.rows(Table::ConceptRelationship, 2 + 100 * place as u64, &names, &values(part));
    }
    let twice = &rows[100..140];
    case.rows(Table::ConceptRelationship, 1000, &names, &values(twice));
    let store = case.finish().unwrap();
    let mut expected: Vec<Vec<Option<i64>>> =
        rows.iter().map(|row| row.map(Some).to_vec()).collect();
    expected.sort_by_key(|row| (row[1], row[0]));
    expected.dedup();
    let given = store.numbers(Table::ConceptRelationship, &names[..2]);
    assert_eq!(given, expected);
    let merged = 340 - expected.len() as u64;
    let kept = expected.len() as u64;
    assert_eq!(store.balance(Table::ConceptRelationship), (340, kept, merged, 0));
}

/// Codes lie by vocabulary and code, and are found there.
#[test]
fn codes_are_kept_sorted() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[1]);
    let names = ["concept_id", "vocabulary_id", "concept_code"];
    let vocabularies = ["SNOMED", "LOINC", "ICD10CM"];
    let row = |id: i64| -> Vec<Value> {
        let code =
            if id % 10 == 0 { Value::Null } else { format!("c{}", id * 37 % 97).as_str().into() };
        vec![id.into(), vocabularies[id as usize % 3].into(), code]
    };
    let rows: Vec<Vec<Value>> = (1..=90).map(row).collect();
    case.rows(Table::Concept, 2, &names, &rows);
    let store = case.finish().unwrap();
    let file = store.built.manifest.codes.clone().unwrap();
    assert_eq!(file.rows, 81);
    let location = store.records.location();
    let codes = crate::parquet_file::read((location, &file.path, file.size), None, None).unwrap();
    let text = |place: usize, row: usize| codes.column(place).as_string::<i32>().value(row);
    let lie = |row: usize| (text(0, row).to_owned(), text(1, row).to_owned());
    assert!((1..codes.num_rows()).all(|row| lie(row - 1) <= lie(row)));
    let set = ConceptSetExpression { items: vec![item("LOINC", "c37"), item("LOINC", "c98")] };
    let vocabulary = store.records.vocabulary_for([&set]).unwrap();
    assert_eq!(vocabulary.by_code("LOINC", "c37"), Some(ConceptId(1)));
    assert_eq!(vocabulary.by_code("LOINC", "c98"), None);
    assert_eq!(vocabulary.len(), 1);
}

/// Whether few or many rows are asked for: they all come, as they lie, and
/// others only where many are.
#[test]
fn rows_that_are_asked_for_are_read() {
    let settings = BuildSettings { shards: Some(1), ..BuildSettings::default() };
    let case = Case::new(settings, Derivations::default());
    case.persons(&[1, 2]);
    let concept = |row: i64| match row {
        120 | 121 => Some(55),
        _ => (row % 7 > 0).then_some(row % 9),
    };
    let row = |row: i64| {
        let (concept, none) = (concept(row).into(), Value::Null);
        vec![row.into(), (1 + row % 2).into(), concept, (100 + row).into(), none]
    };
    let rows: Vec<Vec<Value>> = (0..200).map(row).collect();
    case.rows(Table::ConditionOccurrence, 2, &CONDITION, &rows);
    let store = case.finish().unwrap();
    let table = Table::ConditionOccurrence;
    let columns = BTreeMap::from([(table, vec!["condition_concept_id", "condition_end_date"])]);
    let read = |keys: Option<Vec<i64>>| {
        let keys = keys.map(|ids| vec![RowKey::new("condition_concept_id", ids)]);
        let keys = keys.into_iter().map(|keys| (table, keys)).collect();
        let shard = ShardId::new(0, 1).unwrap();
        let shard = store.records.read_shard_rows(shard, &columns, &keys).unwrap();
        let rows = shard.table(table).unwrap();
        let days = rows.days("condition_start_date").unwrap();
        let concepts = rows.integers("condition_concept_id").unwrap();
        assert!(rows.integers("condition_occurrence_id").is_none());
        days.iter().zip(concepts).map(|(day, id)| (day.unwrap(), id)).collect::<Vec<_>>()
    };
    let all = read(None);
    assert_eq!(all.len(), 200);
    let of = |wanted: &[i64]| {
        let mut rows = all.clone();
        rows.retain(|(_, id)| id.is_some_and(|id| wanted.contains(&id)));
        rows
    };
    assert_eq!(read(Some(vec![4])), of(&[4]));
    assert_eq!(read(Some(vec![55])).len(), 2);
    assert_eq!(read(Some(vec![55])), of(&[55]));
    assert_eq!(read(Some(vec![77])), []);
    assert_eq!(read(Some(vec![0, 1, 2, 3, 4, 5])), all);
    assert!(!of(&[4]).is_empty());
}

#[test]
fn cohorts_are_kept_by_report() {
    let case = Case::new(BuildSettings::default(), Derivations::default());
    case.persons(&[1]);
    let store = case.finish().unwrap();
    let kept = |name: &str, rows: i32| {
        let interval = |start| Interval { start: Day(start), end: Day(start + 1) };
        let keys = (0..rows).rev().map(|start| CohortKey::new(PersonId(1), interval(start)));
        let mut sort = CohortSort::default();
        keys.for_each(|key| sort.push(7, vec![key]).unwrap());
        store.records.keep_cohorts(("run-1", name), Labelled::person_level(sort)).unwrap();
    };
    let shown = || store.folder.path().join("cohort/run-1.parquet");
    let rows = || {
        let file = Bytes::from(std::fs::read(shown()).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let days = reader.map(|rows| rows.unwrap().column(2).as_primitive::<Date32Type>().clone());
        days.flat_map(|days| days.values().to_vec()).collect::<Vec<_>>()
    };
    // So many that most go by way of a temporary file.
    kept("a", 200);
    kept("b", 0);
    store.records.show_cohorts(("run-1", "b")).unwrap();
    assert!(rows().is_empty());
    store.records.show_cohorts(("run-1", "none")).unwrap();
    assert!(rows().is_empty());
    assert!(store.records.shows_cohorts(("run-1", "none")).unwrap());
    assert!(!store.records.shows_cohorts(("run-1", "a")).unwrap());
    store.records.show_cohorts(("run-1", "a")).unwrap();
    assert!(store.records.shows_cohorts(("run-1", "a")).unwrap());
    assert_eq!(rows(), (0..200).collect::<Vec<_>>());
}
