use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use proptest::prelude::*;

use super::system::System;
use super::{suppress, *};
use crate::{CellReference, Node, Term};

const POLICY: fn() -> Policy = Policy::default;

fn released(tables: Vec<AggregateTable>) -> Vec<AggregateTable> {
    let tables = tables.into_iter().map(Labelled::aggregate).collect();
    release(tables, &POLICY()).unwrap().into_iter().map(Labelled::into_inner).collect()
}

fn counts(table: &AggregateTable, column: &str) -> Vec<Option<i64>> {
    table.batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn flags(table: &AggregateTable) -> Vec<bool> {
    table.batch.column_by_name(SUPPRESSED).unwrap().as_boolean().values().iter().collect()
}

fn by_sex(numbers: [i64; 3]) -> AggregateTable {
    let rate = numbers.map(|number| number as f64 / 7.0).to_vec();
    AggregateTable::build("by_sex", "Persons by sex.")
        .key("sex", "Sex.", vec![None, Some("female"), Some("male")])
        .count("n", "Persons.", "persons", numbers.to_vec())
        .derived("rate", "Persons per week.", "per week", rate)
        .plain("note", "A remark.", "", vec!["a", "b", "c"])
        .total_over("sex", &["n"])
        .quantity("n", "persons")
        .finish()
        .unwrap()
}

#[test]
fn a_small_count_takes_another_along_and_what_is_computed() {
    let table = &released(vec![by_sex([103, 100, 3])])[0];
    // 103 - 100 would give the 3 away; 100 is the smallest other number.
    assert_eq!(counts(table, "n"), [Some(103), None, None]);
    let rates = table.batch.column_by_name("rate").unwrap().as_primitive::<Float64Type>();
    assert!(rates.is_valid(0) && rates.is_null(1) && rates.is_null(2));
    assert_eq!(flags(table), [false, true, true]);
    assert_eq!(table.columns.last().unwrap().name, SUPPRESSED);
    // The value is not only marked as null: it is gone.
    let n = table.batch.column_by_name("n").unwrap().as_primitive::<Int64Type>();
    assert_eq!(n.values()[1..], [0, 0]);
    // Zeros are shown, and with them what follows.
    assert_eq!(counts(&released(vec![by_sex([7, 7, 0])])[0], "n"), [Some(7), Some(7), Some(0)]);
}

#[test]
fn what_all_rows_give_is_withheld_with_any_of_them() {
    let table = |smallest: i64| {
        AggregateTable::build("test", "")
            .key("k", "", vec!["a", "b"])
            .count("n", "", "persons", vec![40, smallest])
            .derived_of_all("chi_square", "", "", vec![1.5, 1.5])
            .finish()
            .unwrap()
    };
    let shown = |smallest| {
        let released = released(vec![table(smallest)]);
        let column = released[0].batch.column_by_name("chi_square").unwrap().clone();
        (column.is_valid(0), column.is_valid(1))
    };
    assert_eq!(shown(12), (true, true));
    assert_eq!(shown(3), (false, false));
}

#[test]
fn what_rows_of_one_key_give_is_withheld_within_it() {
    let table = AggregateTable::build("test", "")
        .key("target", "", vec![1_i64, 1, 2, 2])
        .key("stratum", "", vec!["a", "b", "a", "b"])
        .count("n", "", "persons", vec![40_i64, 3, 40, 30])
        .derived_within(&["target"], ("chi_square", ""), "", vec![1.5, 1.5, 2.5, 2.5])
        .finish()
        .unwrap();
    let released = released(vec![table]);
    let column = released[0].batch.column_by_name("chi_square").unwrap().clone();
    assert_eq!([0, 1, 2, 3].map(|row| column.is_valid(row)), [false, false, true, true]);
}

#[test]
fn two_small_counts_whose_sum_leaves_no_doubt_take_the_total_along() {
    // 1 + 1 = 2: withheld counts are at least 1, so a shown 2 would tell. It
    // is small itself here; at 6 = 1 + 1 + 4 shown, the 4 is small too.
    assert_eq!(counts(&released(vec![by_sex([2, 1, 1])])[0], "n"), [None, None, None]);
    let table = AggregateTable::build("t", "")
        .key("k", "", vec![None, Some("a"), Some("b"), Some("c")])
        .count("n", "", "persons", vec![11_i64, 1, 1, 9])
        .total_over("k", &["n"])
        .finish()
        .unwrap();
    assert_eq!(counts(&released(vec![table])[0], "n"), [Some(11), None, None, None]);
}

#[test]
fn a_quantity_is_withheld_in_every_table_of_the_run() {
    let other = AggregateTable::build("cohorts", "")
        .key("cohort_id", "", vec![1_i64])
        .count("n", "", "persons", vec![4_i64])
        .quantities("n", vec![Some("persons".to_owned())])
        .finish()
        .unwrap();
    let tables = released(vec![by_sex([4, 0, 4]), other.clone()]);
    assert_eq!(counts(&tables[0], "n"), [None, Some(0), None]);
    assert_eq!(counts(&tables[1], "n"), [None]);
    let clash = vec![by_sex([5, 0, 5]), other].into_iter().map(Labelled::aggregate).collect();
    assert!(matches!(release(clash, &POLICY()), Err(Error::Quantity { .. })));
}

#[test]
fn totals_of_one_table_do_not_give_away_what_another_withholds() {
    let by_age = AggregateTable::build("by_age", "")
        .key("age", "", vec![None, Some("young"), Some("old")])
        .count("n", "", "persons", vec![100_i64, 50, 50])
        .total_over("age", &["n"])
        .quantity("n", "persons")
        .finish()
        .unwrap();
    let tables = released(vec![by_sex([100, 97, 3]), by_age]);
    assert_eq!(counts(&tables[0], "n"), [Some(100), None, None]);
    assert_eq!(counts(&tables[1], "n"), [Some(100), Some(50), Some(50)]);
}

#[test]
fn a_rest_that_no_column_shows_is_protected() {
    let table = AggregateTable::build("conditions", "")
        .key("condition", "", vec!["a", "b", "c"])
        .count("n_with", "", "persons", vec![98_i64, 60, 100])
        .count("n", "", "persons", vec![100_i64, 100, 100])
        .row_part("n_with", "n")
        .quantities("n", vec![Some("n".to_owned()); 3])
        .finish()
        .unwrap();
    let table = &released(vec![table])[0];
    assert_eq!(counts(table, "n_with"), [None, Some(60), Some(100)]);
    assert_eq!(counts(table, "n"), [Some(100); 3]);
}

#[test]
fn attrition_hides_a_small_loss() {
    let table = AggregateTable::build("attrition", "")
        .key("rule", "", vec![0_i64, 1, 2, 3])
        .count("n_remaining", "", "persons", vec![200_i64, 150, 147, 90])
        .loss("rule", "n_remaining", None)
        .finish()
        .unwrap();
    let shown = counts(&released(vec![table])[0], "n_remaining");
    assert_eq!(shown, [Some(200), Some(150), None, Some(90)]);
}

#[test]
fn events_of_few_persons_are_withheld() {
    let table = AggregateTable::build("incidence", "")
        .key("outcome", "", vec!["a", "b"])
        .count("n_persons", "", "persons", vec![2_i64, 20])
        .events("n_events", "", "n_persons", vec![30_i64, 30])
        .finish()
        .unwrap();
    let table = &released(vec![table])[0];
    assert_eq!(counts(table, "n_persons"), [None, Some(20)]);
    assert_eq!(counts(table, "n_events"), [None, Some(30)]);
}

#[test]
fn overlapping_parts_bound_each_other() {
    // 9 persons in two years, 5 and 4: without the union's bound the 4 would
    // be any of 1 to 4; with 9 <= 5 + 4 it can only be 4.
    let table = AggregateTable::build("years", "")
        .key("year", "", vec![None, Some(2020_i64), Some(2021)])
        .count("n", "", "persons", vec![9_i64, 5, 4])
        .union_over("year", &["n"])
        .finish()
        .unwrap();
    let shown = counts(&released(vec![table])[0], "n");
    assert_eq!(shown, [Some(9), None, None]);
}

#[test]
fn other_relations_and_broken_ones() {
    let table = |difference: i64| {
        let term = |sign, row| {
            let cell = CellReference::Cell { column: "n".to_owned(), row };
            Term { sign, cell }
        };
        AggregateTable::build("t", "")
            .key("k", "", vec!["before", "after", "gone"])
            .count("n", "", "persons", vec![50_i64, 47, difference])
            .sum(vec![term(1, 0), term(-1, 1), term(-1, 2)])
            .finish()
            .unwrap()
    };
    assert_eq!(counts(&released(vec![table(3)])[0], "n"), [Some(50), None, None]);
    let broken = release(vec![Labelled::aggregate(table(4))], &POLICY());
    assert!(matches!(broken, Err(Error::Relation { .. })));
}

fn curve(events: &[i64], censored: &[i64], start: i64) -> AggregateTable {
    let mut at_risk = vec![start];
    for (event, censor) in events.iter().zip(censored) {
        at_risk.push(at_risk[at_risk.len() - 1] - event - censor);
    }
    at_risk.pop();
    let times: Vec<i64> = (0..events.len() as i64).map(|step| step * 10).collect();
    let estimate: Vec<f64> = times.iter().map(|&time| 1.0 - time as f64 / 1e4).collect();
    AggregateTable::build("survival", "")
        .key("time_days", "", times)
        .count("n_at_risk", "", "persons", at_risk)
        .count("n_events", "", "persons", events.to_vec())
        .count("n_censored", "", "persons", censored.to_vec())
        .derived("survival", "", "", estimate)
        .curve("time_days", "n_at_risk", &["n_events", "n_censored"])
        .column_sum("n_events", "time_days", "events")
        .finish()
        .unwrap()
}

#[test]
fn a_curve_is_merged_until_each_step_tells_of_enough() {
    let table = curve(&[0, 2, 3, 0, 5, 1], &[0, 0, 0, 6, 0, 4], 40);
    let table = &released(vec![table])[0];
    // Steps: {0}, {2, 3}, {0 events, 6 censored}, {5}; the last (1 and 4)
    // joins the steps back to the one with 6 censored.
    assert_eq!(counts(table, "time_days"), [Some(0), Some(20), Some(50)]);
    assert_eq!(counts(table, "n_events"), [Some(0), Some(5), Some(6)]);
    assert_eq!(counts(table, "n_censored"), [Some(0), Some(0), Some(10)]);
    assert_eq!(counts(table, "n_at_risk"), [Some(40), Some(40), Some(35)]);
    let survival = table.batch.column_by_name("survival").unwrap().as_primitive::<Float64Type>();
    assert_eq!(survival.value(2), 1.0 - 50.0 / 1e4);
}

#[test]
fn a_tail_with_few_censored_is_withheld_and_the_curve_before_it_stays() {
    let table = curve(&[0, 6, 7, 6], &[0, 0, 0, 2], 21);
    let table = &released(vec![table])[0];
    assert_eq!(counts(table, "n_events"), [Some(0), Some(6), Some(7), None]);
    assert_eq!(counts(table, "n_censored"), [Some(0), Some(0), Some(0), None]);
    assert_eq!(flags(table), [false, false, false, true]);
    let survival = table.batch.column_by_name("survival").unwrap();
    assert!(survival.is_valid(2) && survival.is_null(3));
}

#[test]
fn curves_between_which_totals_are_declared_share_a_grid() {
    // Women have events at 1, 2 (5 each); men at 1 (3) and 2 (3).
    let (times, sexes) = ([1_i64, 2, 1, 2, 1, 2], ["female", "female", "male", "male"]);
    let mut sex: Vec<Option<&str>> = sexes.into_iter().map(Some).collect();
    sex.extend([None, None]);
    let table = |male: [i64; 2]| {
        let events = vec![5, 5, male[0], male[1], 5 + male[0], 5 + male[1]];
        let men = 20;
        let at_risk = vec![30, 25, men, men - male[0], 30 + men, 25 + men - male[0]];
        AggregateTable::build("survival", "")
            .key("sex", "", sex.clone())
            .key("time_days", "", times.to_vec())
            .count("n_at_risk", "", "persons", at_risk)
            .count("n_events", "", "persons", events)
            .curve("time_days", "n_at_risk", &["n_events"])
            .total_over("sex", &["n_events", "n_at_risk"])
            .finish()
            .unwrap()
    };
    let merged = &released(vec![table([3, 3])])[0];
    assert_eq!(counts(merged, "time_days"), [Some(2); 3]);
    assert_eq!(counts(merged, "n_events"), [Some(10), Some(6), Some(16)]);
    // With 3 men in all no grid helps them: the grid stays, and they and the
    // women, from whom the total would give them away, are withheld from there.
    let withheld = &released(vec![table([0, 3])])[0];
    let events = [Some(5), None, Some(0), None, Some(5), Some(8)];
    assert_eq!(counts(withheld, "n_events"), events);
}

#[test]
fn documents_share_the_quantities_of_tables() {
    let document = Document::new("manifest")
        .with("version", "0.1.0")
        .with("persons", Node::quantity(103, "persons"))
        .with("rejected", Node::count(2))
        .with("kept", Node::quantity(60, "kept"))
        .with("by_sex", Node::List(vec![Node::quantity(100, "female")]));
    let female = by_sex([103, 100, 3]);
    assert!(document.clone().statement().is_none());
    let run = release_run(
        vec![Labelled::aggregate(female)],
        vec![Labelled::aggregate(document)],
        &POLICY(),
    )
    .unwrap();
    let text = |name: &str| {
        let entries = run.documents[0].get().entries();
        entries.iter().find(|(key, _)| key == name).unwrap().1.clone()
    };
    assert_eq!(text("persons"), Node::quantity(103, "persons"));
    let Node::Count(rejected) = text("rejected") else { unreachable!() };
    assert_eq!(rejected.number, None);
    assert!(Document::new("pointer").with("run", "a").statement().is_some());
}

#[test]
fn a_threshold_below_three_is_refused() {
    assert!(matches!(Policy::new(2), Err(Error::Threshold { threshold: 2 })));
}

/// Rows by columns with both margins, in the order of a tidy table; the grand
/// total is a quantity.
fn cross_table(name: &str, cells: &[Vec<i64>]) -> AggregateTable {
    let (mut a, mut b, mut n) = (Vec::new(), Vec::new(), Vec::new());
    let total = |row: Option<usize>, column: Option<usize>| -> i64 {
        let rows = cells.iter().enumerate().filter(|(r, _)| row.is_none_or(|row| row == *r));
        let values = rows.flat_map(|(_, values)| values.iter().enumerate());
        values.filter(|(c, _)| column.is_none_or(|column| column == *c)).map(|(_, n)| n).sum()
    };
    for row in (0..cells.len()).map(Some).chain([None]) {
        for column in (0..cells[0].len()).map(Some).chain([None]) {
            a.push(row.map(|row| row as i64));
            b.push(column.map(|column| column as i64));
            n.push(total(row, column));
        }
    }
    AggregateTable::build(name, "")
        .key("a", "", a)
        .key("b", "", b)
        .count("n", "", "persons", n)
        .total_over("a", &["n"])
        .total_over("b", &["n"])
        .quantities("n", {
            let mut names = vec![None; (cells.len() + 1) * (cells[0].len() + 1)];
            *names.last_mut().unwrap() = Some("everybody".to_owned());
            names
        })
        .finish()
        .unwrap()
}

/// All fillings of a released cross table that fit what it shows: an attacker
/// who tries every whole number up to `most`, and knows that zeros are shown.
fn fillings(shown: &[Option<i64>], width: usize, most: i64) -> Vec<Vec<i64>> {
    let inner: Vec<usize> = (0..shown.len())
        .filter(|i| i % (width + 1) < width && i / (width + 1) < shown.len() / (width + 1) - 1)
        .collect();
    let mut found = Vec::new();
    let mut filling = vec![0; shown.len()];
    fill(shown, width, most, &inner, &mut filling, &mut found);
    found
}

fn fill(
    shown: &[Option<i64>],
    width: usize,
    most: i64,
    open: &[usize],
    filling: &mut Vec<i64>,
    found: &mut Vec<Vec<i64>>,
) {
    let Some((&cell, rest)) = open.split_first() else {
        let mut full = filling.clone();
        let height = shown.len() / (width + 1) - 1;
        for margin in 0..shown.len() {
            let (row, column) = (margin / (width + 1), margin % (width + 1));
            if row < height && column < width {
                continue;
            }
            let rows = if row < height { row..row + 1 } else { 0..height };
            let columns = if column < width { column..column + 1 } else { 0..width };
            full[margin] = rows
                .flat_map(|r| columns.clone().map(move |c| r * (width + 1) + c))
                .map(|i| filling[i])
                .sum();
            if shown[margin].map_or(full[margin] < 1, |shown| shown != full[margin]) {
                return;
            }
        }
        found.push(full);
        return;
    };
    // What is left of the row's and the column's shown total bounds the cell.
    let height = shown.len() / (width + 1) - 1;
    let (row, column) = (cell / (width + 1), cell % (width + 1));
    let in_row: i64 = (0..column).map(|c| filling[row * (width + 1) + c]).sum();
    let in_column: i64 = (0..row).map(|r| filling[r * (width + 1) + column]).sum();
    let by_row = shown[row * (width + 1) + width].map_or(most, |total| total - in_row);
    let by_column = shown[height * (width + 1) + column].map_or(most, |total| total - in_column);
    let range = match shown[cell] {
        Some(value) => value..=value,
        None => 1..=most.min(by_row).min(by_column),
    };
    for value in range {
        filling[cell] = value;
        fill(shown, width, most, rest, filling, found);
    }
    filling[cell] = 0;
}

/// Whether linear algebra determines the unknown `target`: whether its unit
/// vector is in the row space of the sums over the unknowns, modulo a prime
/// (what is determined over the rationals is so modulo all but few primes).
fn determined(system: &System, target: usize) -> bool {
    const PRIME: i128 = (1 << 61) - 1;
    let unknown: Vec<usize> = (0..system.cells.len())
        .filter(|&cell| cell != target && system.cells[cell].is_unknown())
        .collect();
    let row = |equation: &Vec<(usize, i64)>| -> Vec<i128> {
        let factor = |cell: &usize| {
            let term = equation.iter().find(|(other, _)| other == cell);
            i128::from(term.map_or(0, |&(_, factor)| factor)).rem_euclid(PRIME)
        };
        unknown.iter().chain([&target]).map(factor).collect()
    };
    let mut rows: Vec<Vec<i128>> = system.equations.iter().map(row).collect();
    let mut used = 0;
    for column in 0..unknown.len() {
        let Some(pivot) = (used..rows.len()).find(|&row| rows[row][column] != 0) else { continue };
        rows.swap(used, pivot);
        for other in used + 1..rows.len() {
            let (factor, by) = (rows[other][column], rows[used][column]);
            if factor != 0 {
                let pivot = rows[used].clone();
                for (value, pivot) in rows[other].iter_mut().zip(pivot) {
                    *value = (*value * by % PRIME - pivot * factor % PRIME).rem_euclid(PRIME);
                }
            }
        }
        used += 1;
    }
    // Rows below the pivots speak of the target alone.
    rows[used..].iter().any(|row| row[unknown.len()] != 0)
}

fn check_against_attacker(tables: &[Vec<Vec<i64>>]) -> Result<(), TestCaseError> {
    let made = tables.iter().map(|cells| cross_table("t", cells)).collect();
    let shown: Vec<Vec<Option<i64>>> =
        released(made).iter().map(|table| counts(table, "n")).collect();
    // The grand total is one number in all tables.
    let per_table: Vec<Vec<Vec<i64>>> = shown
        .iter()
        .zip(tables)
        .map(|(shown, cells)| {
            // At least what is there: who thinks less possible concludes too much.
            let most = cells.iter().flatten().fold(14, |most, cell| most.max(*cell));
            fillings(shown, cells[0].len(), most)
        })
        .collect();
    let grand: Vec<BTreeSet<Option<&i64>>> = per_table
        .iter()
        .map(|fillings| fillings.iter().map(|filling| filling.last()).collect())
        .collect();
    let possible = |filling: &Vec<i64>| grand.iter().all(|grand| grand.contains(&filling.last()));
    for (shown, fillings) in shown.iter().zip(&per_table) {
        let fillings: Vec<&Vec<i64>> = fillings.iter().filter(|f| possible(f)).collect();
        prop_assert!(!fillings.is_empty());
        for cell in (0..shown.len()).filter(|&cell| shown[cell].is_none()) {
            let first = fillings[0][cell];
            prop_assert!(
                fillings.iter().any(|filling| filling[cell] != first),
                "cell {cell} of {shown:?} can only be {first}"
            );
        }
        for cell in shown.iter().flatten() {
            prop_assert!(!POLICY().withholds(*cell));
        }
    }
    Ok(())
}

fn small_table(rows: usize, columns: usize) -> impl Strategy<Value = Vec<Vec<i64>>> {
    prop::collection::vec(prop::collection::vec(0_i64..8, columns), rows)
}

/// Found once at random, when the attacker looked no further than 14.
#[test]
fn a_large_cell_hides_a_small_one() {
    check_against_attacker(&[vec![vec![7, 7], vec![7, 7]], vec![vec![0, 1, 27]]]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_attacker_pins_a_cell_of_one_table(cells in small_table(2, 3)) {
        check_against_attacker(&[cells])?;
    }

    #[test]
    fn no_attacker_pins_a_cell_of_two_tables(
        first in small_table(2, 2),
        row in prop::collection::vec(0_i64..8, 2),
    ) {
        // The second splits the same persons by something else.
        let total: i64 = first.iter().flatten().sum();
        let a = row[0].min(total);
        let b = row[1].min(total - a);
        check_against_attacker(&[first, vec![vec![a, b, total - a - b]]])?;
    }

    #[test]
    fn linear_algebra_determines_no_withheld_cell(
        cells in prop::collection::vec(prop::collection::vec(0_i64..30, 6), 5),
    ) {
        let table = cross_table("t", &cells);
        let mut system = System::new(&[table], &[], POLICY()).unwrap();
        suppress::suppress(&mut system, POLICY());
        for cell in 0..system.cells.len() {
            if system.cells[cell].suppressed {
                prop_assert!(!determined(&system, cell));
            }
        }
    }

    #[test]
    fn curves_show_no_small_step(
        steps in prop::collection::vec((0_i64..4, 0_i64..4), 1..30),
        left in prop::sample::select(vec![0_i64, 3, 50]),
    ) {
        let (events, censored): (Vec<i64>, Vec<i64>) = steps.into_iter().unzip();
        let start = events.iter().chain(&censored).sum::<i64>() + left;
        let table = &released(vec![curve(&events, &censored, start)])[0];
        let mut at_risk = None;
        for row in 0..table.batch.num_rows() {
            let get = |name: &str| counts(table, name)[row];
            let (n, e, c) = (get("n_at_risk"), get("n_events"), get("n_censored"));
            for count in [n, e, c].into_iter().flatten() {
                prop_assert!(!POLICY().withholds(count));
            }
            if let (Some(expected), Some(n)) = (at_risk, n) {
                prop_assert_eq!(n, expected);
            }
            at_risk = (|| Some(n? - e? - c?))();
            if let Some(left) = at_risk {
                prop_assert!(!POLICY().withholds(left));
            }
        }
    }
}

/// All (remaining, lost) that fit an attrition as shown, by trying every whole
/// number up to `most`: remaining falls by what is lost; zeros are shown.
fn attritions(
    remaining: &[Option<i64>],
    lost: &[Option<i64>],
    most: i64,
) -> Vec<(Vec<i64>, Vec<i64>)> {
    let candidates = |shown: Option<i64>| shown.map_or(1..=most, |value| value..=value);
    let mut partial: Vec<(Vec<i64>, Vec<i64>)> =
        candidates(remaining[0]).map(|first| (vec![first], vec![0])).collect();
    for step in 1..remaining.len() {
        let mut longer = Vec::new();
        for (left, gone) in &partial {
            for loss in candidates(lost[step]) {
                let next = left[step - 1] - loss;
                let fits = remaining[step].map_or(next >= 1, |shown| shown == next);
                if fits {
                    let extended = |numbers: &[i64], number| [numbers, &[number]].concat();
                    longer.push((extended(left, next), extended(gone, loss)));
                }
            }
        }
        partial = longer;
    }
    partial
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_attacker_pins_a_cell_of_an_attrition(
        losses in prop::collection::vec(0_i64..9, 1..6),
        left in 0_i64..12,
    ) {
        let mut remaining = vec![left + losses.iter().sum::<i64>()];
        for loss in &losses {
            remaining.push(remaining[remaining.len() - 1] - loss);
        }
        let lost = [&[0], losses.as_slice()].concat();
        let table = AggregateTable::build("attrition", "")
            .key("rule", "", (0..remaining.len() as i64).collect::<Vec<_>>())
            .count("n_remaining", "", "persons", remaining.clone())
            .count("n_lost", "", "persons", lost)
            .loss("rule", "n_remaining", Some("n_lost"))
            .finish()
            .unwrap();
        let table = &released(vec![table])[0];
        let (remaining, lost) = (counts(table, "n_remaining"), counts(table, "n_lost"));
        let possible = attritions(&remaining, &lost, 60);
        prop_assert!(!possible.is_empty());
        for step in 0..remaining.len() {
            if remaining[step].is_none() {
                prop_assert!(possible.iter().any(|p| p.0[step] != possible[0].0[step]));
            }
            if lost[step].is_none() {
                prop_assert!(possible.iter().any(|p| p.1[step] != possible[0].1[step]));
            }
        }
    }

    #[test]
    fn a_part_and_its_rest_stay_in_doubt(parts in prop::collection::vec(0_i64..12, 1..8)) {
        let n = vec![12_i64; parts.len()];
        let table = AggregateTable::build("conditions", "")
            .key("condition", "", (0..parts.len() as i64).collect::<Vec<_>>())
            .count("n_with", "", "persons", parts.clone())
            .count("n", "", "persons", n)
            .row_part("n_with", "n")
            .quantities("n", vec![Some("n".to_owned()); parts.len()])
            .finish()
            .unwrap();
        let table = &released(vec![table])[0];
        let shown = counts(table, "n_with");
        for (row, part) in shown.iter().enumerate() {
            let rest_is_small = part.is_some_and(|part| POLICY().withholds(12 - part));
            let is_exposed = rest_is_small && counts(table, "n")[row].is_some();
            prop_assert!(!is_exposed, "{part:?} of 12 tells of few persons");
        }
    }
}

#[test]
fn a_run_of_many_cells_is_released() {
    // 40,000 conditions in two cohorts, most of them rare, and a cross table.
    let rows = 40_000;
    let number = |row: usize, cohort: usize| ((row * 7919 + cohort * 31) % 1009) as i64 % 40;
    let part = |cohort: usize| (0..rows).map(|row| number(row, cohort)).collect::<Vec<_>>();
    let table = AggregateTable::build("characteristics", "")
        .key("condition", "", (0..rows as i64).collect::<Vec<_>>())
        .count("n_target", "", "persons", part(0))
        .count("n_comparator", "", "persons", part(1))
        .count("n", "", "persons", vec![1_000_i64; rows])
        .row_part("n_target", "n")
        .row_part("n_comparator", "n")
        .quantities("n", vec![Some("n".to_owned()); rows])
        .finish()
        .unwrap();
    let cells: Vec<Vec<i64>> = (0..60)
        .map(|row| (0..60).map(|column| number(row * 60 + column, 2) % 9).collect())
        .collect();
    // A method whose steps grow with the square of the cells would not end.
    let tables = released(vec![table, cross_table("cross", &cells)]);
    assert_eq!(counts(&tables[0], "n")[0], Some(1_000));
}
