//! Bad input gets a clear error or a reject with its place.

use std::io::Write;

use farr_records::Table;

use super::intake::{Kept, folder, omop, read_folder, synthea};
use crate::{Error, SourceSettings, SourceSummary};

const PATIENTS: &[u8] = b"Id,BIRTHDATE,GENDER\np1,1980-01-01,M\np2,1990-02-03,F\n";
const CONDITIONS: &str = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n";

fn with(name: &str, content: &[u8]) -> (Kept, SourceSummary) {
    let folder = folder(&[("patients.csv", PATIENTS), (name, content)]);
    let (kept, summary) = read_folder(folder.path(), &synthea());
    let summary = summary.unwrap();
    kept.balance();
    (kept, summary)
}

fn error_of(files: &[(&str, &[u8])], settings: &SourceSettings) -> String {
    read_folder(folder(files).path(), settings).1.unwrap_err().to_string()
}

/// Line, column and reason of each reject.
fn rejects(kept: &Kept) -> Vec<(u64, String, String)> {
    kept.rejects().into_iter().map(|(_, line, column, reason)| (line, column, reason)).collect()
}

fn is(reject: &(u64, String, String), line: u64, column: &str, reason: &str) {
    assert_eq!((reject.0, reject.1.as_str(), reject.2.as_str()), (line, column, reason));
}

#[test]
fn rows_that_cannot_be_kept_are_placed() {
    let mut text = CONDITIONS.as_bytes().to_vec();
    text.extend_from_slice(
        b"2020-01-01,,p1,e1,1,ok\n\
          2020-01-01,,p1,e1,1\n\
          2020-01-01,,p1,e1,1,\xff\n\
          2020-02-30,,p1,e1,1,no such day\n\
          1492-10-12,,p1,e1,1,too early\n\
          2020-01-01,9999-12-31,p1,e1,1,too late\n\
          2020-01-02,2020-01-01,p1,e1,1,backward\n\
          2020-01-01,,,e1,1,nobody\n\
          2020-01-01,,p1,e1,,nothing\n\
          2020-01-01,,p1,e1,1,\"a\0b\"\n\
          ,,p1,e1,1,never\n\
          2020-01-01,2020-01-01,nobody,e1,1,dangling passes\n",
    );
    let (kept, summary) = with("conditions.csv", &text);
    let rejects = rejects(&kept);
    is(&rejects[0], 3, "", "5 columns, expected 6");
    is(&rejects[1], 4, "DESCRIPTION", "is not valid UTF-8");
    is(&rejects[2], 5, "START", "is no date that exists");
    is(&rejects[3], 6, "START", "is a date outside 1850 to 2199");
    is(&rejects[4], 7, "STOP", "is a date outside 1850 to 2199");
    is(&rejects[5], 8, "STOP", "ends before it starts");
    is(&rejects[6], 9, "PATIENT", "is empty");
    is(&rejects[7], 10, "CODE", "is empty");
    is(&rejects[8], 11, "DESCRIPTION", "holds a NUL byte");
    is(&rejects[9], 12, "START", "is empty");
    assert_eq!(rejects.len(), 10);
    let table = summary.tables.iter().find(|t| t.table == "conditions").unwrap();
    assert_eq!((table.rows_read, table.rows_rejected), (12, 10));
    assert_eq!(kept.rows(Table::ConditionOccurrence).num_rows(), 2);
}

#[test]
fn marks_line_ends_quotes_and_breaks_in_fields() {
    let text = "\u{feff}START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\r\n\
                2020-01-01,,p1,e1,1,\"two, on\r\ntwo lines, \"\"quoted\"\"\"\r\n\
                2020-01-02,,p1,e1,2,next\r\n\
                2020-01-99,,p1,e1,2,bad\r\n";
    let (kept, _) = with("conditions.csv", text.as_bytes());
    assert_eq!(kept.codes()[0].2, "two, on\r\ntwo lines, \"quoted\"");
    is(&rejects(&kept)[0], 5, "START", "is no date that exists");
}

#[test]
fn equal_rows_have_equal_ids_and_repeated_ids_stay() {
    let rows = "2020-01-01,,p1,e1,1,a\n2020-01-01,,p1,e1,1,a\n2020-01-01,,p1,e1,2,b\n";
    let (kept, _) = with("conditions.csv", format!("{CONDITIONS}{rows}").as_bytes());
    let ids = kept.column(Table::ConditionOccurrence, "condition_occurrence_id");
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    let encounters = "Id,START,STOP,PATIENT,ENCOUNTERCLASS,CODE\n\
                      e1,2020-01-01,2020-01-01,p1,wellness,1\n\
                      e1,2021-01-01,2021-01-01,p2,wellness,1\n";
    let (kept, _) = with("encounters.csv", encounters.as_bytes());
    let ids = kept.column(Table::VisitOccurrence, "visit_occurrence_id");
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[test]
fn empty_tables_and_headers_alone() {
    let (kept, summary) = with("conditions.csv", b"");
    let table = summary.tables.iter().find(|t| t.table == "conditions").unwrap();
    assert!(table.notes[0].contains("empty"), "{:?}", table.notes);
    assert_eq!(kept.balance()["conditions"], (0, 0));
    let (kept, summary) = with("conditions.csv", CONDITIONS.as_bytes());
    let table = summary.tables.iter().find(|t| t.table == "conditions").unwrap();
    assert_eq!((table.rows_read, table.notes.len()), (0, 0));
    assert!(kept.column(Table::ConditionOccurrence, "condition_concept_id").is_empty());
    assert!(kept.objects().iter().all(|object| object.sha256.is_some()));
    let error = error_of(&[("patients.csv", b"")], &synthea());
    assert!(error.contains("no column 'id'; found nothing"), "{error}");
}

#[test]
fn missing_tables() {
    let (_, summary) = with("more.csv", b"a\n1\n");
    let absent = summary.tables.iter().filter(|table| table.absent.is_some()).count();
    assert_eq!((absent, summary.unknown_objects.as_slice()), (17, &["more.csv".to_owned()][..]));
    let error = error_of(&[("patient.csv", PATIENTS)], &synthea());
    assert!(error.contains("files: patients = \"patient.csv\""), "{error}");
    let error = error_of(&[("conditions.csv", CONDITIONS.as_bytes())], &omop());
    assert!(error.contains("no object holds the table 'person'"), "{error}");
}

#[test]
fn a_missing_column_is_named_and_can_be_renamed() {
    let files: &[(&str, &[u8])] = &[("patients.csv", b"Id,DOB,SEX\np1,1980-01-01,M\n")];
    let error = error_of(files, &synthea());
    assert!(error.contains("the table 'patients' has no column 'birthdate'"), "{error}");
    assert!(error.contains("found Id, DOB, SEX"), "{error}");
    let mut settings = synthea();
    let renamed = [("BirthDate", "dob"), ("gender", "Sex")];
    let renamed = renamed.map(|(logical, name)| (logical.to_owned(), name.to_owned()));
    settings.columns.insert("patients".to_owned(), renamed.into_iter().collect());
    let (kept, summary) = read_folder(folder(files).path(), &settings);
    summary.unwrap();
    assert_eq!(kept.column(Table::Person, "year_of_birth"), ["1980"]);
    settings.columns.insert("patient".to_owned(), [].into());
    let error = error_of(files, &settings);
    assert!(error.contains("columns.patient") && error.contains("'patients'"), "{error}");
}

#[test]
fn unknown_columns_are_named() {
    let (_, summary) = with("conditions.csv", b"START,PATIENT,CODE,MOOD\n2020-01-01,p1,1,good\n");
    let table = summary.tables.iter().find(|t| t.table == "conditions").unwrap();
    assert_eq!(table.unknown_columns, ["MOOD"]);
    assert_eq!(table.columns_missing, ["description", "encounter", "stop", "system"]);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn many_conditions() -> Vec<u8> {
    let row = |n: u32| format!("2020-01-01,,p1,e{n},{},name of {n}\n", n * 7_919 % 10_007);
    let rows: String = (0..20_000).map(row).collect();
    format!("{CONDITIONS}{rows}").into_bytes()
}

#[test]
fn compressed_objects_of_several_members() {
    let text = many_conditions();
    let (first, second) = text.split_at(100_000);
    let members = [gzip(first), gzip(second)].concat();
    let frames = [first, second].map(|part| zstd::encode_all(part, 3).unwrap()).concat();
    for (name, content) in [("conditions.csv.gz", members), ("CONDITIONS.CSV.ZST", frames)] {
        let (kept, _) = with(name, &content);
        assert_eq!(kept.balance()["conditions"], (20_000, 0), "{name}");
        let object = kept.objects().into_iter().find(|object| object.path == name).unwrap();
        assert_eq!(object.sha256.unwrap(), farr_store::Sha256Hash::of(&content).as_str());
    }
}

#[test]
fn truncated_objects_are_errors_that_name_them() {
    let text = many_conditions();
    let zstd = zstd::encode_all(&text[..], 3).unwrap();
    for (name, whole) in [("conditions.csv.gz", gzip(&text)), ("conditions.csv.zst", zstd)] {
        for length in [whole.len() - 4, whole.len() / 2, 2, 0] {
            let files: &[(&str, &[u8])] = &[("patients.csv", PATIENTS), (name, &whole[..length])];
            let error = error_of(files, &synthea());
            assert!(error.contains(name) && error.contains("truncated"), "{length}: {error}");
        }
    }
}

#[test]
fn the_same_table_in_two_forms_is_an_error() {
    let compressed = gzip(PATIENTS);
    let files: &[(&str, &[u8])] = &[("patients.csv", PATIENTS), ("patients.csv.gz", &compressed)];
    let (_, error) = read_folder(folder(files).path(), &synthea());
    assert!(matches!(error, Err(Error::Twice { .. })), "{error:?}");
}

const PERSON: &[u8] = b"person_id,gender_concept_id,year_of_birth\n1,8507,1980\n-2,8532,1990\n";

fn of_omop(name: &str, content: &[u8]) -> Kept {
    let folder = folder(&[("person.csv", PERSON), (name, content)]);
    let (kept, summary) = read_folder(folder.path(), &omop());
    summary.unwrap();
    kept.balance();
    kept
}

#[test]
fn omop_ids_dates_and_rows_that_end_early() {
    let text = b"condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_start_datetime,condition_end_date\n\
        9007199254740993,1,201826,20200105,2020-01-05 10:11:12.5,2020-01-04\n\
        -7,-2.0,201826,2020-01-05 00:00:00,2020-01-05T10:11:12Z,2020-01-05T00:00:00\n\
        x,1,201826,2020-01-05,,\n\
        5,1.5,201826,2020-01-05,,\n\
        6,,201826,2020-01-05,,\n";
    let kept = of_omop("Condition_Occurrence.csv", text);
    let table = Table::ConditionOccurrence;
    assert_eq!(kept.column(table, "condition_occurrence_id"), ["9007199254740993", "-7"]);
    assert_eq!(kept.column(table, "person_id"), ["1", "-2"]);
    assert_eq!(kept.column(table, "condition_end_date"), ["2020-01-04", "2020-01-05"]);
    assert_eq!(
        kept.column(table, "condition_start_datetime"),
        ["2020-01-05 10:11:12.500", "2020-01-05 10:11:12"]
    );
    let rejects = rejects(&kept);
    is(&rejects[0], 4, "condition_occurrence_id", "is no whole number");
    is(&rejects[1], 5, "person_id", "is no whole number");
    is(&rejects[2], 6, "person_id", "is empty");
    let derive = kept.derivations();
    assert!(derive.drug_eras && derive.condition_eras && derive.observation_periods);
}

#[test]
fn omop_periods_that_end_early_are_rejects() {
    let text = b"observation_period_id,person_id,observation_period_start_date,observation_period_end_date,period_type_concept_id\n1,1,2020-01-02,2020-01-01,0\n";
    is(
        &rejects(&of_omop("observation_period.csv", text))[0],
        2,
        "observation_period_end_date",
        "ends before it starts",
    );
}

#[test]
fn costs_take_the_person_of_their_event() {
    let visits: &[u8] = b"visit_occurrence_id,person_id,visit_concept_id,visit_start_date\n10,1,9202,2020-01-01\n11,-2,9202,2020-01-01\n12,1,9202,2020-01-01\n12,-2,9202,2020-01-01\n";
    let costs: &[u8] = b"cost_id,cost_event_id,cost_domain_id,total_cost\n1,11,Visit,5.5\n2,10,visit,6\n3,13,Visit,7\n4,12,Visit,8\n5,10,Weather,9\n6,,Visit,1\n";
    let files =
        folder(&[("person.csv", PERSON), ("visit_occurrence.csv", visits), ("cost.csv", costs)]);
    let (kept, summary) = read_folder(files.path(), &omop());
    summary.unwrap();
    kept.balance();
    assert_eq!(kept.column(Table::Cost, "person_id"), ["-2", "1"]);
    let rejects = rejects(&kept);
    let lines: Vec<_> = rejects.iter().map(|(line, column, _)| (*line, column.as_str())).collect();
    assert_eq!(lines, [4, 5, 6, 7].map(|line| (line, "cost_event_id")));
    assert!(rejects[1].2.contains("several persons"), "{rejects:?}");
}

#[test]
fn locations_of_care_sites_have_no_history() {
    let text = b"location_id,domain_id,entity_id,start_date\n1,PERSON,1,2020-01-01\n2,CARE_SITE,9,2020-01-01\n";
    let kept = of_omop("location_history.csv", text);
    assert_eq!(kept.column(Table::LocationHistory, "entity_id"), ["1"]);
    assert_eq!(rejects(&kept)[0].0, 3);
}
