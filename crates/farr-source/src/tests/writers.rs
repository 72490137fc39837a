//! OMOP as other tools write it: the same values in other types, folders and
//! words.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array,
    Float64Array, Int32Array, Int64Array, LargeBinaryArray, NullArray, RecordBatch, StringArray,
    StringViewArray, Time64MicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, i256};
use farr_disclosure::Zone;
use farr_records::Table;
use farr_store::Location;
use parquet::arrow::ArrowWriter;

use super::intake::{Kept, folder, omop, read_folder, synthea, text_of};
use crate::{Share, SourceSummary, read};

const PERSON: &[u8] = b"person_id,gender_concept_id,year_of_birth\n1,8507,1980\n2,8532,1990\n";
const TABLE: Table = Table::Measurement;

fn parquet(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let columns = columns.iter().map(|(name, column)| (*name, column.clone(), true));
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    bytes
}

/// Two measurements with some columns in place of the usual ones.
fn measurements(columns: &[(&str, ArrayRef)]) -> (Kept, SourceSummary) {
    let usual: [(&str, ArrayRef); 4] = [
        ("measurement_id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("person_id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("measurement_concept_id", Arc::new(Int64Array::from(vec![3, 3]))),
        ("measurement_date", Arc::new(StringArray::from(vec!["2020-01-05", "2020-01-06"]))),
    ];
    let is_given = |name: &str| columns.iter().any(|(given, _)| *given == name);
    let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
    let bytes = parquet(&usual.chain(columns.iter().cloned()).collect::<Vec<_>>());
    let folder = folder(&[("person.csv", PERSON), ("measurement.parquet", &bytes)]);
    let (kept, summary) = read_folder(folder.path(), &omop());
    let summary = summary.unwrap();
    kept.balance();
    (kept, summary)
}

fn column(name: &str, values: ArrayRef) -> Vec<String> {
    let (kept, _) = measurements(&[(name, values)]);
    assert_eq!(kept.rejects(), [], "{name}");
    kept.column(TABLE, name)
}

fn reasons(name: &str, values: ArrayRef) -> Vec<String> {
    let (kept, _) = measurements(&[(name, values)]);
    kept.rejects().into_iter().map(|(_, _, _, reason)| reason).collect()
}

#[test]
fn a_column_of_nulls_is_empty_whatever_it_should_hold() {
    for name in
        ["visit_occurrence_id", "value_as_number", "measurement_datetime", "value_source_value"]
    {
        assert_eq!(column(name, Arc::new(NullArray::new(2))), ["", ""], "{name}");
    }
    assert_eq!(reasons("person_id", Arc::new(NullArray::new(2))), ["is empty", "is empty"]);
}

#[test]
fn numbers_as_text_keep_their_fraction() {
    let floats = |values: [f64; 2]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    assert_eq!(column("value_source_value", floats([0.7, 12.0])), ["0.7", "12"]);
    assert_eq!(column("value_source_value", floats([f64::NAN, -1.5])), ["", "-1.5"]);
    let decimals = Decimal128Array::from(vec![700, 12_000]).with_precision_and_scale(18, 3);
    assert_eq!(column("value_source_value", Arc::new(decimals.unwrap())), ["0.7", "12"]);
    let large = 10_i128.pow(20);
    let decimals = Decimal128Array::from(vec![large, -9 * large]).with_precision_and_scale(38, 0);
    let expected = [large, -9 * large].map(|number| number.to_string());
    assert_eq!(column("value_source_value", Arc::new(decimals.unwrap())), expected);
}

#[test]
fn ids_are_exact_or_refused() {
    const ID: &str = "visit_occurrence_id";
    let large = 9_007_199_254_740_993_i128;
    let unit = 10_i128.pow(10);
    let decimals = |values: Vec<i128>| {
        let decimals = Decimal128Array::from(values).with_precision_and_scale(38, 10);
        Arc::new(decimals.unwrap()) as ArrayRef
    };
    let expected = ["9007199254740993", "9007199254740995"];
    assert_eq!(column(ID, decimals(vec![large * unit, (large + 2) * unit])), expected);
    let unit_of_40 = i256::from_i128(10).wrapping_pow(40);
    let wide = [large, large + 2].map(|id| i256::from_i128(id).wrapping_mul(unit_of_40));
    let wide = Decimal256Array::from_iter_values(wide).with_precision_and_scale(76, 40);
    assert_eq!(column(ID, Arc::new(wide.unwrap())), expected);
    let texts = ["9007199254740993.0", "9007199254740995.00"];
    assert_eq!(column(ID, Arc::new(StringArray::from(texts.to_vec()))), expected);
    assert_eq!(reasons(ID, decimals(vec![large * unit + 1, 5])), ["is no whole number"; 2]);
    let floats = Float64Array::from(vec![Some(9_007_199_254_740_992.0), Some(1.5)]);
    let found = reasons(ID, Arc::new(floats));
    assert!(found[0].contains("too large") && found[1] == "is no whole number", "{found:?}");
    assert_eq!(column(ID, Arc::new(Float64Array::from(vec![f64::NAN, 7.0]))), ["", "7"]);
    let found = reasons(ID, Arc::new(Float32Array::from(vec![16_777_216.0, 16_777_215.0])));
    assert!(found.len() == 1 && found[0].contains("too large"), "{found:?}");
}

#[test]
fn keys_name_values_of_any_type() {
    let keys = Int32Array::from(vec![Some(0), Some(1)]);
    let of = |values: ArrayRef| {
        let keyed = DictionaryArray::<Int32Type>::try_new(keys.clone(), values).unwrap();
        Arc::new(keyed) as ArrayRef
    };
    let concepts: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
    assert_eq!(column("measurement_type_concept_id", of(concepts)), ["7", "8"]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["2020-01-05", "2020-01-06"]));
    let days = cast(&texts, &DataType::Date32).unwrap();
    assert_eq!(column("measurement_date", of(days)), ["2020-01-05", "2020-01-06"]);
}

#[test]
fn days_as_numbers_are_digits_of_a_date() {
    let days = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let expected = ["2020-01-05", "2020-01-06"];
    assert_eq!(column("measurement_date", days([20_200_105, 20_200_106])), expected);
    let floats = Float64Array::from(vec![20_200_105.0, 20_200_106.0]);
    assert_eq!(column("measurement_date", Arc::new(floats)), expected);
    // Days since 1970, say.
    let found = reasons("measurement_date", days([18_266, 20_200_230]));
    assert_eq!(found, ["is no date that exists"; 2]);
    let floats = Float64Array::from(vec![f64::NAN, 20_200_106.5]);
    assert_eq!(
        reasons("measurement_date", Arc::new(floats)),
        ["is empty", "is no date that exists"]
    );
}

#[test]
fn texts_come_as_bytes_views_and_times() {
    let bytes = BinaryArray::from_vec(vec![b"a", "é".as_bytes()]);
    assert_eq!(column("value_source_value", Arc::new(bytes)), ["a", "é"]);
    let bytes = LargeBinaryArray::from_vec(vec![b"a", b"\xff"]);
    assert_eq!(reasons("value_source_value", Arc::new(bytes)), ["is not valid UTF-8"]);
    let views = StringViewArray::from(vec!["2020-01-05 10:11:12 UTC", "NULL"]);
    assert_eq!(column("measurement_datetime", Arc::new(views)), ["2020-01-05 10:11:12", ""]);
    let times = Time64MicrosecondArray::from(vec![Some(36_672_000_000), None]);
    assert_eq!(column("measurement_time", Arc::new(times)), ["10:11:12", ""]);
}

#[test]
fn infinite_numbers_are_none() {
    let floats = Float64Array::from(vec![Some(f64::INFINITY), Some(f64::NAN)]);
    assert_eq!(reasons("value_as_number", Arc::new(floats)), ["is no number"]);
}

#[test]
fn words_for_nothing_are_nothing() {
    let text = b"measurement_id,person_id,measurement_concept_id,measurement_date,value_as_number,visit_occurrence_id,value_source_value,unit_source_value\n\
        1,1,3,2020-01-05,NULL,\\N,NULL,NA\n\
        2,1,3,2020-01-05,NaN,None,\\N,null\n\
        3,1,NA,2020-01-05,<NA>,(null),a,\n\
        4,1,3,NULL,,,,\n\
        5,1,3,2020-01-05,NAN,,,\n";
    let files = folder(&[("person.csv", PERSON), ("measurement.csv", text)]);
    let (kept, summary) = read_folder(files.path(), &omop());
    summary.unwrap();
    assert_eq!(kept.column(TABLE, "value_as_number"), ["", "", ""]);
    assert_eq!(kept.column(TABLE, "visit_occurrence_id"), ["", "", ""]);
    assert_eq!(kept.column(TABLE, "measurement_concept_id"), ["3", "3", ""]);
    assert_eq!(kept.column(TABLE, "value_source_value"), ["", "", "a"]);
    // In a text they may be meant.
    assert_eq!(kept.column(TABLE, "unit_source_value"), ["NA", "null", ""]);
    let rejects: Vec<_> = kept.rejects().into_iter().map(|(_, line, _, why)| (line, why)).collect();
    assert_eq!(rejects, [(5, "is empty".to_owned()), (6, "is no number".to_owned())]);
    // Keys, of which one is such a word.
    let texts: DictionaryArray<Int32Type> = [Some("NULL"), Some("a")].into_iter().collect();
    assert_eq!(column("value_source_value", Arc::new(texts)), ["", "a"]);
}

#[test]
fn a_decimal_comma_is_named() {
    let text = b"measurement_id;person_id;measurement_concept_id;measurement_date;value_as_number\n1;1;3;2020-01-05;8,5\n";
    let files = folder(&[("person.csv", PERSON), ("measurement.csv", text)]);
    let (kept, _) = read_folder(files.path(), &omop());
    assert_eq!(kept.rejects()[0].3, "has a decimal comma; export it with a point");
}

#[test]
fn folders_say_a_column() {
    let rows = |id: i64| {
        parquet(&[
            ("measurement_id", Arc::new(Int64Array::from(vec![id])) as ArrayRef),
            ("person_id", Arc::new(Int64Array::from(vec![1]))),
            ("measurement_date", Arc::new(StringArray::from(vec!["2020-01-05"]))),
        ])
    };
    let text: &[u8] = b"measurement_id,person_id,measurement_date\n3,2,2020-01-05\n";
    let files = folder(&[
        ("person.csv", PERSON),
        ("measurement/measurement_concept_id=7/unit_source_value=mg%2FdL/data_0.parquet", &rows(1)),
        (
            "measurement/measurement_concept_id=8/unit_source_value=__HIVE_DEFAULT_PARTITION__/a.parquet",
            &rows(2),
        ),
        ("measurement/measurement_concept_id=9/unit_source_value=a/a.csv", text),
    ]);
    let (kept, summary) = read_folder(files.path(), &omop());
    summary.unwrap();
    let rows = kept.rows(TABLE);
    let of = |name: &str, row| text_of(rows.column_by_name(name).unwrap(), row);
    let pair = |row| (of("measurement_concept_id", row), of("unit_source_value", row));
    let mut found: Vec<_> = (0..3).map(pair).collect();
    found.sort();
    let expected = [("7", "mg/dL"), ("8", ""), ("9", "a")];
    assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn table_formats_are_refused_and_their_leavings_passed_over() {
    let of = |files: &[(&str, &[u8])]| read_folder(folder(files).path(), &omop()).1;
    let error = of(&[("person/a.csv", PERSON), ("person/_delta_log/0.json", b"{}")]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("'person' is of the table format Delta Lake"), "{error}");
    let files: &[(&str, &[u8])] = &[
        ("person.csv", PERSON),
        ("person/_temporary/0/part-0.csv", PERSON),
        (".trash/person.csv", PERSON),
        ("more.csv", b"a\n"),
    ];
    let summary = of(files).unwrap();
    assert_eq!(summary.unknown_objects, ["more.csv"]);
    let persons = summary.tables.iter().find(|table| table.table == "person").unwrap();
    assert_eq!(persons.objects, 1);
}

#[test]
fn a_place_where_nothing_is_is_an_error() {
    let files = folder(&[("person.csv", PERSON), ("DEATH.csv", b"person_id,death_date\n")]);
    let mut settings = omop();
    settings.files.insert("death".to_owned(), "death.csv".to_owned());
    let error = read_folder(files.path(), &settings).1.unwrap_err().to_string();
    assert!(error.contains("files.death") && error.contains("'DEATH.csv'"), "{error}");
    settings.files.insert("death".to_owned(), "DEATH.csv".to_owned());
    read_folder(files.path(), &settings).1.unwrap();
}

#[test]
fn parquet_is_known_by_its_content_where_its_name_says_nothing() {
    let person = parquet(&[
        ("person_id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("gender_concept_id", Arc::new(Int64Array::from(vec![8507]))),
        ("year_of_birth", Arc::new(Int64Array::from(vec![1980]))),
    ]);
    let files = folder(&[("export/000000_0", &person)]);
    let mut settings = omop();
    settings.files.insert("person".to_owned(), "export/000000_0".to_owned());
    let (kept, summary) = read_folder(files.path(), &settings);
    summary.unwrap();
    assert_eq!(kept.column(Table::Person, "person_id"), ["1"]);
    let error = read_folder(folder(&[("patients.csv", &person)]).path(), &synthea()).1;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("patients.csv: is Parquet, not text"), "{error}");
}

#[test]
fn another_format_is_named() {
    let error = read_folder(folder(&[("PERSON.csv", PERSON)]).path(), &synthea()).1;
    assert!(error.unwrap_err().to_string().contains("format = \"omop\""));
    let error = read_folder(folder(&[("patients.csv", b"Id\n")]).path(), &omop()).1;
    assert!(error.unwrap_err().to_string().contains("format = \"synthea-csv\""));
}

#[test]
fn lines_that_end_with_a_carriage_return_alone_are_refused_without_a_row() {
    let text = b"person_id,gender_concept_id,year_of_birth\r1,8507,1980\r";
    let error = read_folder(folder(&[("person.csv", text)]).path(), &omop()).1.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("carriage return") && !error.contains("1980"), "{error}");
}

#[test]
fn parts_may_be_empty_or_lack_columns() {
    let files = folder(&[
        ("person_1.csv", PERSON),
        ("person_2.csv", b""),
        (
            "person_3.csv",
            b"person_id,gender_concept_id,year_of_birth,race_concept_id\n3,8507,1980,5\n",
        ),
    ]);
    let (kept, summary) = read_folder(files.path(), &omop());
    let summary = summary.unwrap();
    assert_eq!(kept.column(Table::Person, "person_id").len(), 3);
    let persons = summary.tables.iter().find(|table| table.table == "person").unwrap();
    assert_eq!(persons.notes.len(), 1, "{:?}", persons.notes);
    assert_eq!(persons.columns_missing_somewhere, ["race_concept_id"]);
    // As much is known of shares that have read an object each.
    let location = Location::folder(files.path(), Zone::Restricted).unwrap();
    let share = |place| {
        let share = Share::new(place, 3).unwrap();
        read(&omop(), &location, None, share, &Kept::default()).unwrap()
    };
    let joined = SourceSummary::joined((0..3).map(share).collect());
    let persons = joined.tables.iter().find(|table| table.table == "person").unwrap();
    assert_eq!(persons.columns_missing_somewhere, ["race_concept_id"]);
}
