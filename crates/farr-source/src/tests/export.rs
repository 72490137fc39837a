//! One population, two formats: what is written back out is read as it was.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use farr_records::{Kind, Table};
use farr_synth::Population;

use super::intake::{Kept, folder, omop, read_folder, synthea, text_of};
use crate::export::{Piece, SyntheaCsv, Totals, omop_parquet};

const PERSONS: u64 = 120;

/// Appends pieces to their files.
fn append(files: &mut BTreeMap<String, Vec<u8>>, pieces: Vec<Piece>) {
    for piece in pieces {
        files.entry(piece.file).or_default().extend(piece.bytes);
    }
}

fn synthea_files(population: &Population, each: u64) -> BTreeMap<String, Vec<u8>> {
    let csv = SyntheaCsv::new(&population.site_tables().unwrap()).unwrap();
    let mut files = BTreeMap::new();
    let mut totals = Totals::default();
    append(&mut files, csv.headers());
    for range in population.chunks(each) {
        let (pieces, more) = csv.chunk(&population.chunk(range).unwrap()).unwrap();
        append(&mut files, pieces);
        totals.merge(&more);
    }
    append(&mut files, csv.finish(&totals));
    files
}

fn read_files(files: &BTreeMap<String, Vec<u8>>, settings: &crate::SourceSettings) -> Kept {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = folder(&files);
    let (kept, summary) = read_folder(folder.path(), settings);
    assert_eq!(summary.unwrap().unknown_objects, Vec::<String>::new());
    kept
}

/// Columns that are the same whatever ids are: not ids, nor local concepts.
fn plain_columns(table: Table) -> Vec<&'static str> {
    let fixed =
        ["visit_concept_id", "gender_concept_id", "race_concept_id", "ethnicity_concept_id"];
    table
        .columns()
        .iter()
        .filter(|column| match column.kind {
            Kind::Person | Kind::Id => false,
            Kind::Concept => {
                fixed.contains(&column.name) || column.name.ends_with("type_concept_id")
            }
            _ => true,
        })
        .map(|column| column.name)
        .collect()
}

fn rows_of_batch(table: Table, batch: &RecordBatch) -> Vec<Vec<String>> {
    let columns = plain_columns(table);
    let row = |row: usize| columns.iter().map(|name| text_of(&batch[*name], row)).collect();
    let mut rows: Vec<_> = (0..batch.num_rows()).map(row).collect();
    rows.sort();
    rows
}

fn rows_of_kept(table: Table, kept: &Kept) -> Vec<Vec<String>> {
    let columns: Vec<Vec<String>> =
        plain_columns(table).iter().map(|name| kept.column(table, name)).collect();
    let count = columns[0].len();
    let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
    let mut rows: Vec<_> = (0..count).map(row).collect();
    rows.sort();
    rows
}

#[test]
fn synthea_csv_is_read_as_the_records_it_was_made_of() {
    let population = Population::new(7, PERSONS).unwrap();
    let kept = read_files(&synthea_files(&population, 50), &synthea());
    assert_eq!(kept.rejects(), []);
    kept.balance();
    for (table, batch) in population.chunk(0..PERSONS).unwrap() {
        // Observation periods are derived later.
        if table == Table::ObservationPeriod {
            continue;
        }
        let (ours, read) = (rows_of_batch(table, &batch), rows_of_kept(table, &kept));
        assert_eq!(ours.len(), read.len(), "{table}");
        for (ours, read) in ours.iter().zip(&read) {
            assert_eq!(ours, read, "{table}: {:?}", plain_columns(table));
        }
    }
    let site = population.site_tables().unwrap();
    let texts = |name: &str| -> Vec<String> {
        let column = &site[&Table::Concept][name];
        (0..column.len()).map(|row| text_of(column, row)).collect()
    };
    let (vocabularies, codes) = (texts("vocabulary_id"), texts("concept_code"));
    let names = texts("concept_name");
    let known: BTreeMap<_, _> = vocabularies.iter().zip(&codes).zip(&names).collect();
    for (vocabulary, code, name, _) in kept.codes() {
        assert_eq!(known.get(&(&vocabulary, &code)), Some(&&name), "{vocabulary} {code}");
    }
}

#[test]
fn omop_parquet_is_read_as_the_records_it_was_made_of() {
    let population = Population::new(7, PERSONS).unwrap();
    let mut files = BTreeMap::new();
    append(&mut files, omop_parquet(&population.site_tables().unwrap(), 0).unwrap());
    for (part, range) in population.chunks(50).enumerate() {
        append(&mut files, omop_parquet(&population.chunk(range).unwrap(), part).unwrap());
    }
    let kept = read_files(&files, &omop());
    assert_eq!(kept.rejects(), []);
    for (table, batch) in population.chunk(0..PERSONS).unwrap() {
        let read = kept.column(table, table.id_column().unwrap());
        assert_eq!(read.len(), batch.num_rows(), "{table}");
    }
}

#[test]
fn chunks_do_not_show_in_the_files() {
    let population = Population::new(7, PERSONS).unwrap();
    assert_eq!(synthea_files(&population, 11), synthea_files(&population, PERSONS));
}

#[test]
fn every_row_has_the_fields_of_its_header() {
    let population = Population::new(7, PERSONS).unwrap();
    for (name, bytes) in synthea_files(&population, PERSONS) {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes.as_slice());
        let width = reader.headers().unwrap().len();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert!(rows.iter().all(|row| row.len() == width), "{name}");
        assert!(!rows.is_empty(), "{name}");
    }
}
