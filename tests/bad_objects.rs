//! Objects that are damaged, or hold text that is not as a table should be: an
//! error that names the object, or a reject with its place; no other row is
//! lost.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;

use crate::bad_input::{CONDITIONS, ONE_ROW, Site, reject};

const OPEN: &str = "opens a quote that is not closed before the next row";

/// So many rows, all different.
fn rows(count: usize) -> Vec<u8> {
    let row = |n| format!("2020-01-05,,Jones-1,e{n},59621000,Hypertension {n}\n");
    CONDITIONS.bytes().chain((0..count).flat_map(|n| row(n).into_bytes())).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn parquet(columns: &[(&str, &[i64])]) -> Vec<u8> {
    let arrays = columns
        .iter()
        .map(|(name, values)| (*name, Arc::new(Int64Array::from(values.to_vec())) as ArrayRef));
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Checks that nothing is published of a run that failed.
fn left_nothing(site: &Site) {
    assert_eq!(site.place.published(), 0);
    assert!(!site.place.path("records/latest").exists());
}

#[test]
fn compressed_objects_cut_short_are_named() {
    let text = rows(5_000);
    let zstd = zstd::encode_all(&text[..], 3).unwrap();
    for (name, whole) in [("conditions.csv.gz", gzip(&text)), ("conditions.csv.zst", zstd)] {
        let site = Site::new().without("conditions.csv").with(name, &whole);
        site.run(&[]).ends_with(0);
        assert_eq!(site.balance("conditions"), [5_000, 5_000, 0, 0]);
        for length in [whole.len() - 1, whole.len() / 2, 3, 0] {
            let site = Site::new().without("conditions.csv").with(name, &whole[..length]);
            site.run(&[]).ends_with(3).says(&[name, "truncated or damaged"]);
            left_nothing(&site);
        }
    }
}

/// Persons as Parquet, and a site with them and one condition.
fn persons(count: i64) -> Vec<u8> {
    let ids: Vec<i64> = (1..=count).collect();
    let years: Vec<i64> = ids.iter().map(|id| 1950 + id % 50).collect();
    let sexes: Vec<i64> = ids.iter().map(|_| 8507).collect();
    parquet(&[("person_id", &ids), ("gender_concept_id", &sexes), ("year_of_birth", &years)])
}

fn site_of(person: &[u8]) -> Site {
    let conditions = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date\n\
                      5,1,320128,2020-01-05\n";
    let site = Site::new().without("conditions.csv").without("patients.csv");
    site.with("person.parquet", person).with("condition_occurrence.csv", conditions)
}

#[test]
fn parquet_objects_cut_short_are_named() {
    let person = persons(2_000);
    site_of(&person).run_omop(&[]).ends_with(0);
    for length in [person.len() - 1, person.len() / 2, 6, 0] {
        let site = site_of(&person[..length]);
        site.run_omop(&[]).ends_with(3).says(&["person.parquet", "Parquet"]);
        left_nothing(&site);
    }
}

/// Whatever stands in a footer: rows, or an error that names the object; no
/// panic, whose message might quote it.
#[test]
fn parquet_objects_with_damaged_footers_are_read_or_named() {
    let person = persons(3);
    let length = u32::from_le_bytes(person[person.len() - 8..][..4].try_into().unwrap());
    let footer = person.len() - 8 - length as usize;
    let mut named = 0;
    for (round, place) in (footer..person.len()).step_by(5).enumerate() {
        let mut damaged = person.clone();
        damaged[place] = [0xff, 0x80, damaged[place] ^ 1][round % 3];
        let site = site_of(&damaged);
        let said = site.run_omop(&[]).keeps(&["panicked"]);
        if said.code == Some(3) {
            said.says(&["person.parquet"]);
            left_nothing(&site);
            named += 1;
        } else {
            said.ends_with(0);
        }
    }
    assert!(named > 20, "{named}");
}

/// Records that are cut short are named, and how they are mended is said.
#[test]
fn records_cut_short_are_named() {
    let site = Site::new();
    site.run(&[]).ends_with(0);
    let tables = "records/latest/tables/condition_occurrence";
    let mut names =
        std::fs::read_dir(site.place.path(tables)).unwrap().map(|f| f.unwrap().file_name());
    let first = format!("{tables}/{}", names.next().unwrap().display());
    let whole = std::fs::read(site.place.path(&first)).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 6, 0] {
        site.place.write(&first, &whole[..length]);
        let said = site.run(&["--set", "report.threshold=7"]).ends_with(3);
        said.says(&["condition_occurrence/", "cut short", "build the records anew"]);
    }
    site.place.write(&first, &whole);
    site.run(&["--set", "report.threshold=7"]).ends_with(0);
}

/// A stray quote costs the row in which it stands, and no row behind it.
#[test]
fn stray_quotes_cost_one_row() {
    let text = format!(
        "{CONDITIONS}{ONE_ROW}\
         2020-01-06,,Jones-1,e1,59621000,\"open to the next quoted field\n\
         2020-01-07,,Jones-1,e1,59621000,behind it\n\
         2020-01-08,,Jones-1,e1,59621000,\"quoted, as it should be\"\n\
         2020-01-09,,Jones-2,e1,59621000,\"open to a quote at a field's end\n\
         2020-01-10,,Jones-2,e1,59621000,pipe of 5\"\n\
         2020-01-11,,Jones-2,e1,59621000,pipe of 6\" length\n\
         2020-01-12,,Jones-2,\"e1,59621000,open to the end\n\
         2020-01-13,,Jones-2,e1,59621000,last\n"
    );
    let site = Site::new().with("conditions.csv", text);
    site.run(&[]).ends_with(0);
    let expected = [(3, "DESCRIPTION"), (6, "DESCRIPTION"), (9, "ENCOUNTER")];
    let expected = expected.map(|(line, column)| reject("conditions.csv", line, column, OPEN));
    assert_eq!(site.place.rejects(), expected);
    assert_eq!(site.balance("conditions"), [9, 6, 0, 3]);
    assert_eq!(site.persons(), 2);
}

#[test]
fn marks_line_ends_and_breaks_in_fields_are_read() {
    let text = format!(
        "\u{feff}{CONDITIONS}{ONE_ROW}\
         2020-01-06,,Jones-2,e1,59621000,\"on two\nlines, \"\"quoted\"\", and a comma\"\n\n\
         2020-01-99,,Jones-2,e1,59621000,bad\n"
    );
    for (text, line_end) in [(text.clone(), "\n"), (text.replace('\n', "\r\n"), "\r\n")] {
        let site = Site::new().with("conditions.csv", text);
        site.run(&[]).ends_with(0);
        assert_eq!(site.balance("conditions"), [3, 2, 0, 1], "{line_end:?}");
        let expected = reject("conditions.csv", 6, "START", "is no date that exists");
        assert_eq!(site.place.rejects(), [expected]);
        assert_eq!(site.persons(), 2);
    }
}

#[test]
fn text_that_is_none_is_placed() {
    let text = [
        CONDITIONS.as_bytes(),
        ONE_ROW.as_bytes(),
        b"2020-01-06,,Jones-1,e1,59621000,a\0b\n",
        b"2020-01-06,,Jones-1,e\xc3,\xa959621000,halves of a letter\n",
        b"2020-01-07,,Jones-2,e1,59621000,last",
    ];
    let site = Site::new().with("conditions.csv", text.concat());
    site.run(&[]).ends_with(0);
    let nul = reject("conditions.csv", 3, "DESCRIPTION", "holds a NUL byte");
    let halves = reject("conditions.csv", 4, "ENCOUNTER", "is not valid UTF-8");
    assert_eq!(site.place.rejects(), [nul, halves]);
    assert_eq!(site.balance("conditions"), [4, 2, 0, 2]);
}

/// What a field holds at most is bounded; the tokenizer's tests bound its
/// memory.
#[test]
fn a_field_of_a_hundred_megabytes_costs_one_row() {
    let mut text = format!("{CONDITIONS}{ONE_ROW}2020-01-06,,Jones-1,e1,59621000,").into_bytes();
    text.resize(text.len() + 100_000_000, b'x');
    text.extend_from_slice(b"\n2020-01-07,,Jones-2,e1,59621000,last\n");
    let site = Site::new().with("conditions.csv", text);
    site.run(&[]).ends_with(0);
    let long = reject("conditions.csv", 3, "DESCRIPTION", "is in a row of more than 16 MiB");
    assert_eq!(site.place.rejects(), [long]);
    assert_eq!(site.balance("conditions"), [3, 2, 0, 1]);
}

/// Without a header its first row would be taken for one, and must not be told.
#[test]
fn a_header_that_is_none_is_not_repeated() {
    let site = Site::new().with("patients.csv", "Jones-1,1950-01-01,M\nJones-2,1960-02-03,F\n");
    site.run(&[]).ends_with(3).says(&["patients.csv", "no column 'id'", "first line"]);
    left_nothing(&site);
}

#[test]
fn unknown_columns_and_objects_are_named() {
    let text = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,MOOD\n\
                2020-01-05,,Jones-1,e1,59621000,Hypertension,good\n";
    let site = Site::new().with("conditions.csv", text).with("moods.csv", "a,b\n1,2\n");
    site.run(&[]).ends_with(0).says(&["MOOD", "moods.csv"]);
    assert_eq!(site.balance("conditions"), [1, 1, 0, 0]);
}

/// Somebody goes on writing to an object while it is read.
#[test]
fn an_object_that_changes_is_named() {
    let site = Site::new().with("conditions.csv", rows(500_000));
    let path = site.place.path("exports/conditions.csv");
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_over);
    let writer = std::thread::spawn(move || {
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        while !stop.load(Ordering::Relaxed) {
            file.write_all(b"\n").unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let said = site.run(&[]);
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    said.ends_with(3).says(&["conditions.csv", "changed while"]);
    left_nothing(&site);
}

/// Also for root, who may write to any folder, but not below a file.
#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    for name in ["records", "reports"] {
        let site = Site::new();
        let folder = site.place.write("taken", "").join("below").display().to_string();
        let said = site.run(&["--set", &format!("locations.{name}.url={folder}")]);
        said.ends_with(4).says(&["taken/below", "Not a directory"]);
        assert_eq!(site.place.published(), 0);
    }
}
