//! Every real export is read whole, and its balance closes.

use farr_records::Table;

use super::intake::{Kept, omop, read_folder, shared, synthea};
use crate::SourceSettings;

fn whole(folder: &str, settings: &SourceSettings) -> Option<(Kept, crate::SourceSummary)> {
    let path = shared(folder)?;
    let (kept, summary) = read_folder(&path, settings);
    let summary = summary.unwrap();
    let balance = kept.balance();
    for table in summary.tables.iter().filter(|table| table.objects > 0) {
        let read = (table.rows_read, table.rows_rejected);
        assert_eq!(balance[&table.table], read, "{}", table.table);
    }
    assert!(kept.objects().iter().all(|object| object.sha256.is_some()));
    assert_eq!(kept.objects().len(), summary.objects.len());
    Some((kept, summary))
}

fn rows_read(kept: &Kept, table: &str) -> u64 {
    kept.balance()[table].0
}

#[test]
fn synthea_2017() {
    let Some((kept, summary)) = whole("data/synthea-csv-2017", &synthea()) else { return };
    let counts = [
        ("allergies", 25),
        ("careplans", 895),
        ("conditions", 633),
        ("encounters", 1_706),
        ("immunizations", 1_421),
        ("medications", 473),
        ("observations", 8_229),
        ("patients", 157),
        ("procedures", 837),
    ];
    for (table, rows) in counts {
        assert_eq!(rows_read(&kept, table), rows, "{table}");
    }
    assert_eq!(kept.rejects(), []);
    assert_eq!(summary.unknown_objects, ["README.md"]);
    let absent: Vec<_> = summary.tables.iter().filter(|t| t.absent.is_some()).collect();
    assert_eq!(absent.len(), 9);
    assert!(kept.column(Table::VisitOccurrence, "visit_concept_id").contains(&"9203".to_owned()));
    // Every care plan is a record of its own, though ids repeat.
    assert_eq!(distinct(&kept, Table::ProcedureOccurrence), 837 + 895);
}

/// How many different ids there are.
fn distinct(kept: &Kept, table: Table) -> usize {
    let mut ids = kept.column(table, table.id_column().unwrap());
    ids.sort();
    ids.dedup();
    ids.len()
}

#[test]
fn synthea_2023() {
    let Some((kept, summary)) = whole("data/synthea-csv-2023", &synthea()) else { return };
    assert_eq!(kept.rejects(), []);
    assert!(summary.tables.iter().all(|t| t.absent.is_none()));
    assert!(summary.tables.iter().all(|t| t.unknown_columns.is_empty()));
    assert_eq!(kept.column(Table::Person, "person_id").len(), 27);
    assert_eq!(kept.column(Table::VisitDetail, "visit_detail_id").len(), 1_267);
    // Charges, and what is paid on them.
    let sum = |column: &str| -> f64 {
        kept.column(Table::Cost, column).iter().filter_map(|x| x.parse::<f64>().ok()).sum()
    };
    assert!(sum("paid_by_payer") > 0.0);
    assert!((sum("total_paid") - sum("paid_by_patient")) > 0.0);
}

#[test]
fn synthea_2024() {
    let Some((kept, _)) = whole("data/synthea-csv-2024", &synthea()) else { return };
    let rejects = kept.rejects();
    assert_eq!(rejects.len(), 2);
    for (table, _, column, reason) in rejects {
        assert_eq!(
            (table.as_str(), column.as_str(), reason.as_str()),
            ("medications", "STOP", "ends before it starts")
        );
    }
    // 15 supplies are repeated rows: equal rows have equal ids.
    assert_eq!(rows_read(&kept, "supplies"), 1_101);
    assert_eq!(distinct(&kept, Table::DeviceExposure), 155 + 1_101 - 15);
    // Codes are text.
    assert!(kept.codes().iter().any(|(v, code, _, d)| v == "CVX" && code == "08" && d == "Drug"));
}

/// Texts that whoever made the Parquet export took for numbers (`65363002.0`).
const AS_NUMBERS: [(Table, &str); 6] = [
    (Table::ConditionOccurrence, "condition_source_value"),
    (Table::Death, "cause_source_value"),
    (Table::DeviceExposure, "device_source_value"),
    (Table::DrugExposure, "lot_number"),
    (Table::DrugExposure, "drug_source_value"),
    (Table::ProcedureOccurrence, "procedure_source_value"),
];

#[test]
fn omop_as_csv_and_as_parquet() {
    let Some((csv, summary)) = whole("data/omop-synthea27nj-csv", &omop()) else { return };
    let Some((parquet, _)) = whole("data/omop-synthea27nj-parquet", &omop()) else { return };
    assert_eq!(summary.unknown_objects, ["COHORT.csv", "COHORT_DEFINITION.csv"]);
    assert_eq!(csv.rejects(), []);
    assert_eq!(parquet.rejects(), []);
    for table in Table::ALL {
        let (a, b) = (csv.rows(table), parquet.rows(table));
        assert_eq!(a.num_rows(), b.num_rows(), "{table}");
        for column in table.columns() {
            let mut a = csv.column(table, column.name);
            if AS_NUMBERS.contains(&(table, column.name)) {
                a.iter_mut().filter(|text| !text.is_empty()).for_each(|text| text.push_str(".0"));
            }
            assert!(a == parquet.column(table, column.name), "{table}.{}", column.name);
        }
    }
    assert_eq!(csv.rows(Table::Person).num_rows(), 28);
    let eras = summary.tables.iter().find(|t| t.table == "drug_era").unwrap();
    assert_eq!(eras.notes.len(), 1);
    let derive = csv.derivations();
    assert!(!derive.drug_eras && !derive.condition_eras && !derive.observation_periods);
}

#[test]
fn gibleed() {
    let Some((kept, _)) = whole("reference/gibleed/cdm", &omop()) else { return };
    assert_eq!(kept.rejects(), []);
    assert_eq!(kept.rows(Table::Person).num_rows(), 2_694);
    assert_eq!(kept.rows(Table::DrugEra).num_rows(), 52_508);
    // The names of CDM 5.3.
    let schema = kept.rows(Table::VisitOccurrence).schema();
    assert!(schema.index_of("admitted_from_concept_id").is_ok());
}

#[test]
fn circe() {
    for folder in ["reference/circe/cdm", "reference/circe-random/cdm"] {
        let Some((kept, summary)) = whole(folder, &omop()) else { return };
        // Locations of care sites have no history; all else is kept.
        let of_sites = |(table, _, column, _): &(String, u64, String, String)| {
            table == "location_history" && column == "domain_id"
        };
        assert!(kept.rejects().iter().all(of_sites));
        assert_eq!(kept.rows(Table::Person).num_rows(), 1_000);
        let backward = summary.tables.iter().filter(|table| table.rows_backward > 0).count();
        assert_eq!(backward, if folder.contains("random") { 2 } else { 0 });
    }
}
