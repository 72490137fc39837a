//! What must hold of any build, whatever came in and however it was cut.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use proptest::prelude::*;

use super::BuildSettings;
use super::tests::{Case, Store, Value};
use crate::manifest::{Balance, RecordsMade, RepeatedIds};
use crate::{Derivations, Intake, Table, sorted_by_person};

const DERIVE: Derivations = Derivations {
    observation_periods: true,
    condition_eras: true,
    drug_eras: true,
    providers_from_visits: true,
};

const COLUMNS: [(Table, &[&str]); 4] = [
    (Table::Person, &["person_id", "year_of_birth", "person_source_value"]),
    (
        Table::VisitOccurrence,
        &["visit_occurrence_id", "person_id", "visit_start_date", "provider_id"],
    ),
    (
        Table::ConditionOccurrence,
        &[
            "condition_occurrence_id",
            "person_id",
            "condition_start_date",
            "condition_end_date",
            "condition_concept_id",
            "visit_occurrence_id",
            "condition_source_value",
        ],
    ),
    (
        Table::DrugExposure,
        &[
            "drug_exposure_id",
            "person_id",
            "drug_exposure_start_date",
            "days_supply",
            "drug_concept_id",
            "visit_occurrence_id",
            "quantity",
        ],
    ),
];

/// A source row: which of [`COLUMNS`], where it stands, what it says.
#[derive(Debug, Clone)]
struct SourceRow {
    kind: usize,
    line: u64,
    values: Vec<Value>,
}

fn number(range: std::ops::Range<i64>) -> BoxedStrategy<Value> {
    prop_oneof![8 => range.prop_map(Value::Number), 1 => Just(Value::Null)].boxed()
}

fn source_row() -> impl Strategy<Value = (usize, Vec<Value>)> {
    let person = || number(-6..14);
    let text = || prop_oneof![Just(Value::Null), "[ab]".prop_map(Value::Text)].boxed();
    let day = || number(100..180);
    let rows = [
        vec![person(), number(1950..1952), text()],
        vec![number(0..5), person(), day(), number(1..3)],
        vec![number(0..5), person(), day(), day(), number(0..3), number(0..5), text()],
        vec![
            number(0..5),
            person(),
            day(),
            number(-1..40),
            number(0..3),
            number(0..5),
            number(0..2),
        ],
    ];
    (0..COLUMNS.len()).prop_flat_map(move |kind| (Just(kind), rows[kind].clone()))
}

/// How a build goes about it.
#[derive(Debug, Clone, Copy)]
struct Manner {
    shards: u32,
    threads: usize,
    rows_per_batch: usize,
    backwards: bool,
    buffer_bytes: u64,
}

const PLAIN: Manner = Manner {
    shards: 1,
    threads: 1,
    rows_per_batch: 1_000,
    backwards: false,
    buffer_bytes: 1 << 20,
};

fn build(source: &[SourceRow], manner: Manner) -> Store {
    let settings = BuildSettings {
        shards: Some(manner.shards),
        buffer_bytes: manner.buffer_bytes,
        ..BuildSettings::default()
    };
    let case = Case::new(settings, DERIVE);
    // Provisional ids come in the order of arrival, the final ones do not.
    let mut codes: Vec<&str> = vec!["a", "b"];
    if manner.backwards {
        codes.reverse();
    }
    let ids: BTreeMap<&str, i64> = codes
        .into_iter()
        .map(|code| (code, case.builder.local_codes().provisional("V", code, code, "D").0))
        .collect();
    let concept_of = |value: &Value| match value {
        Value::Number(1) => Value::Number(ids["a"]),
        Value::Number(2) => Value::Number(ids["b"]),
        other => other.clone(),
    };
    let send = |(table, columns): (Table, &[&str]), rows: &[&SourceRow]| {
        for row in rows.chunk_by(|a, b| a.line + 1 == b.line) {
            let translate = |row: &&SourceRow| -> Vec<Value> {
                let named = row.values.iter().zip(columns);
                let concept = |name: &str| name.ends_with("_concept_id");
                named.map(|(v, n)| if concept(n) { concept_of(v) } else { v.clone() }).collect()
            };
            let values: Vec<_> = row.iter().map(translate).collect();
            case.rows(table, row[0].line, columns, &values);
        }
    };
    for (kind, columns) in COLUMNS.into_iter().enumerate() {
        let mut rows: Vec<_> = source.iter().filter(|row| row.kind == kind).collect();
        if manner.backwards {
            rows.reverse();
        }
        // The table must be there even if it has no rows.
        case.rows(columns.0, 1, columns.1, &[]);
        rows.chunks(manner.rows_per_batch).for_each(|rows| send(columns, rows));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(manner.threads).build().unwrap();
    pool.install(|| case.finish().unwrap())
}

/// All that must not depend on the number of shards.
#[derive(Debug, PartialEq)]
struct Content {
    tables: BTreeMap<Table, RecordBatch>,
    balance: Vec<Balance>,
    records: Vec<RecordsMade>,
    repeated: BTreeMap<String, RepeatedIds>,
    rejects_sha256: String,
    snapshot: String,
}

fn content(store: &Store) -> Content {
    let manifest = &store.built.manifest;
    let sorted = |(table, _)| {
        let rows = store.all(table);
        let rows = match table {
            Table::Concept => rows,
            _ => sorted_by_person(table, &rows).unwrap(),
        };
        (table, rows)
    };
    Content {
        tables: manifest.tables().map(sorted).collect(),
        balance: manifest.balance.clone(),
        records: manifest.records.clone(),
        repeated: manifest.repeated_ids.clone(),
        rejects_sha256: manifest.rejects.sha256.to_string(),
        snapshot: manifest.snapshot.to_string(),
    }
}

/// The rows that must be kept: each different one of a known person, once.
fn distinct_rows(source: &[SourceRow], kind: usize) -> usize {
    let known = |row: &&SourceRow| row.kind == 0 && row.values[0] != Value::Null;
    let persons: BTreeSet<String> =
        source.iter().filter(known).map(|row| format!("{:?}", row.values[0])).collect();
    if kind == 0 {
        return persons.len();
    }
    let mine = source.iter().filter(|row| row.kind == kind);
    let kept = mine.filter(|row| persons.contains(&format!("{:?}", row.values[1])));
    kept.map(|row| format!("{:?}", row.values)).collect::<BTreeSet<_>>().len()
}

#[test]
fn more_shards_than_a_flush_has_parts_are_filled_too() {
    let row = |kind, line, values: &[i64]| {
        let values = values.iter().map(|value| Value::Number(*value)).collect();
        SourceRow { kind, line, values }
    };
    let mut source = Vec::new();
    for person in 0..300 {
        source.push(row(0, 2 + person as u64, &[person, 1950]));
        source.push(row(1, 2 + person as u64, &[person, person, 100 + person, 1]));
    }
    for row in source.iter_mut().filter(|row| row.kind == 0) {
        row.values.push(Value::Null);
    }
    let expected = content(&build(&source, PLAIN));
    let fine = Manner { shards: 512, buffer_bytes: 900, rows_per_batch: 50, ..PLAIN };
    assert_eq!(content(&build(&source, fine)), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_build_depends_on_rows_alone(rows in prop::collection::vec(source_row(), 0..120)) {
        // Without anybody there is no store.
        let somebody = vec![Value::Number(3), Value::Number(1950), Value::Null];
        let source: Vec<SourceRow> = std::iter::once((0, somebody))
            .chain(rows)
            .enumerate()
            .map(|(place, (kind, values))| SourceRow { kind, line: place as u64 + 2, values })
            .collect();
        let plain = build(&source, PLAIN);
        let expected = content(&plain);
        for shards in [1, 4, 64] {
            let unruly = Manner {
                shards,
                threads: 4,
                rows_per_batch: 7,
                backwards: true,
                buffer_bytes: 900,
            };
            let unruly = build(&source, unruly);
            prop_assert_eq!(&content(&unruly), &expected);
            if shards < 64 {
                let orderly = build(&source, Manner { shards, ..PLAIN });
                prop_assert_eq!(&orderly.built.manifest, &unruly.built.manifest);
            }
        }
        for (kind, (table, _)) in COLUMNS.into_iter().enumerate() {
            let (read, kept, merged, rejected) = plain.balance(table);
            prop_assert_eq!(read, source.iter().filter(|row| row.kind == kind).count() as u64);
            prop_assert_eq!(read, kept + merged + rejected);
            // Visits' providers do not make different rows equal: rows of a
            // visit differ in it before and after.
            prop_assert_eq!(kept, distinct_rows(&source, kind) as u64, "{}", table);
        }
    }
}
