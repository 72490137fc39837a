//! An incidence table as large as real ones: what must stay visible does.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::*;
use crate::{CellReference, Term};

type Stratum = (Option<i64>, Option<i64>, Option<i64>);

/// Persons at risk before and after exclusion, cases before and after.
type Counts = [i64; 4];

const COLUMNS: [&str; 4] =
    ["persons_at_risk_pe", "persons_at_risk", "person_outcomes_pe", "person_outcomes"];
const COHORTS: [i64; 2] = [320, 620];

struct Row {
    target: i64,
    outcome: i64,
    stratum: Stratum,
    counts: Counts,
}

/// A small generator of numbers (xorshift), so that the cube is always the same.
fn below(state: &mut u64, most: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % most
}

fn rows() -> Vec<Row> {
    let mut state = 0x5EED;
    let mut cube: BTreeMap<(i64, i64, Stratum), Counts> = BTreeMap::new();
    for (target, persons) in (1..).zip(COHORTS) {
        for _ in 0..persons - 12 {
            let age = below(&mut state, 4) as i64 + 1;
            let sex = 8507 + below(&mut state, 2) as i64 * 25;
            let year = 2008 + below(&mut state, 12) as i64;
            for outcome in [11, 12] {
                let excluded = below(&mut state, 20) == 0;
                let case = below(&mut state, 12) == 0;
                let after = case && !excluded;
                let counts = [1, i64::from(!excluded), i64::from(case), i64::from(after)];
                for stratum in 0..8 {
                    let key = |bit: u32, value| (stratum >> bit & 1 == 0).then_some(value);
                    let stratum = (key(0, age), key(1, sex), key(2, year));
                    let entry = cube.entry((target, outcome, stratum)).or_default();
                    for (sum, count) in entry.iter_mut().zip(counts) {
                        *sum += count;
                    }
                }
            }
        }
    }
    let row = |((target, outcome, stratum), counts)| Row { target, outcome, stratum, counts };
    cube.into_iter().map(row).collect()
}

fn table(rows: &[Row]) -> AggregateTable {
    let column = |of: &dyn Fn(&Row) -> i64| rows.iter().map(of).collect::<Vec<i64>>();
    let key = |of: &dyn Fn(&Row) -> Option<i64>| rows.iter().map(of).collect::<Vec<_>>();
    let mut table = AggregateTable::build("incidence", "")
        .key("target", "", column(&|row| row.target))
        .key("outcome", "", column(&|row| row.outcome))
        .key("age", "", key(&|row| row.stratum.0))
        .key("sex", "", key(&|row| row.stratum.1))
        .key("year", "", key(&|row| row.stratum.2));
    for (place, name) in COLUMNS.into_iter().enumerate() {
        table = table.count(name, "", "persons", column(&|row| row.counts[place]));
    }
    table = table
        .row_part(COLUMNS[1], COLUMNS[0])
        .row_part(COLUMNS[3], COLUMNS[2])
        .row_part(COLUMNS[3], COLUMNS[1])
        .total_over("sex", &COLUMNS)
        .union_over("year", &COLUMNS)
        .union_over("age", &COLUMNS);
    for (row, _) in rows.iter().enumerate().filter(|(_, row)| row.stratum == (None, None, None)) {
        let cell = CellReference::Cell { column: COLUMNS[0].to_owned(), row };
        let cohort = CellReference::Quantity(format!("cohort/{}/persons", rows[row].target));
        table = table.sum(vec![
            Term { sign: 1, cell: cohort },
            Term { sign: -1, cell },
            Term { sign: -1, cell: CellReference::Hidden },
        ]);
    }
    let before = |row: &Row| Some(format!("before/{}/{:?}", row.target, row.stratum));
    table.quantities(COLUMNS[0], rows.iter().map(before).collect()).finish().unwrap()
}

#[test]
fn of_a_cube_of_incidence_what_is_large_stays_visible() {
    let rows = rows();
    let cohorts = AggregateTable::build("cohorts", "")
        .key("cohort_id", "", vec![1_i64, 2])
        .count("n_persons", "", "persons", COHORTS.to_vec())
        .quantity("n_persons", "cohort/{cohort_id}/persons")
        .finish()
        .unwrap();
    let tables = vec![Labelled::aggregate(cohorts), Labelled::aggregate(table(&rows))];
    let start = std::time::Instant::now();
    let released = release(tables, &Policy::default()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let shown = |table: usize, name: &str| -> Vec<Option<i64>> {
        let batch = released[table].get().batch();
        batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
    };
    assert_eq!(shown(0, "n_persons"), COHORTS.map(Some));
    let columns = COLUMNS.map(|name| shown(1, name));
    let (mut harmless, mut visible) = (0, 0);
    for (place, row) in rows.iter().enumerate() {
        let [before, at_risk, cases_before, cases] = row.counts;
        if row.stratum == (None, None, None) && at_risk >= 5 {
            assert_eq!(columns[1][place], Some(at_risk));
        }
        let rests = [before - at_risk, cases_before - cases, at_risk - cases];
        let is_small = |&count: &i64| Policy::default().withholds(count);
        if !row.counts.iter().chain(&rests).any(is_small) {
            harmless += 1;
            visible += usize::from(columns.iter().all(|column| column[place].is_some()));
        }
    }
    println!("released in {seconds:.2} s: {visible} of {harmless} harmless rows are whole");
    for (column, name) in columns.iter().zip(COLUMNS) {
        let kept = column.iter().flatten().count();
        println!("{name}: {kept} of {} counts are shown", column.len());
    }
    assert!(visible * 4 >= harmless, "{visible} of {harmless}");
}
