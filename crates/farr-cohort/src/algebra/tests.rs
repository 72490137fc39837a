use proptest::prelude::*;
use serde_json::json;

use super::settings::{NearKeep, RowDate, WindowDay};
use super::*;
use crate::algebra::settings::CohortReference;

fn span(start: i32, end: i32) -> Interval {
    Interval { start: Day(start), end: Day(end) }
}

fn spans(days: &[(i32, i32)]) -> Vec<Interval> {
    days.iter().map(|(start, end)| span(*start, *end)).collect()
}

fn joined(days: &[(i32, i32)], gap_days: u16) -> Vec<Interval> {
    let mut all = spans(days);
    spans::union(&mut all, gap_days);
    all
}

fn out(of: impl FnOnce(&mut Vec<Interval>)) -> Vec<Interval> {
    let mut found = Vec::new();
    of(&mut found);
    found
}

#[test]
fn unions_join_what_shares_a_day() {
    assert_eq!(joined(&[(5, 8), (1, 5)], 0), spans(&[(1, 8)]));
    assert_eq!(joined(&[(1, 5), (6, 8)], 0), spans(&[(1, 5), (6, 8)]));
    assert_eq!(joined(&[(1, 5), (6, 8), (10, 12)], 1), spans(&[(1, 8), (10, 12)]));
    assert_eq!(joined(&[(1, 5), (6, 8), (10, 12)], 2), spans(&[(1, 12)]));
    assert_eq!(joined(&[(1, 20), (2, 3), (19, 21)], 0), spans(&[(1, 21)]));
}

#[test]
fn intersections_keep_borders() {
    let both = |a: &[(i32, i32)], b: &[(i32, i32)]| {
        out(|out| spans::intersection(&spans(a), &spans(b), out))
    };
    assert_eq!(both(&[(1, 10)], &[(10, 20)]), spans(&[(10, 10)]));
    assert_eq!(both(&[(1, 5), (6, 10)], &[(3, 8)]), spans(&[(3, 5), (6, 8)]));
    assert_eq!(both(&[(1, 5)], &[(6, 10)]), spans(&[]));
}

/// The example of OHDSI's CohortAlgebra (test-minusCohorts.R), days counted
/// from 1998-12-31: of days 1 to 31 are taken 20 to 59 and -30 to 1.
#[test]
fn minus_cuts_rows() {
    let less =
        |a: &[(i32, i32)], b: &[(i32, i32)]| out(|out| spans::minus(&spans(a), &spans(b), out));
    assert_eq!(less(&[(1, 31)], &[(-30, 1), (20, 59)]), spans(&[(2, 19)]));
    assert_eq!(less(&[(1, 10)], &[(4, 4), (6, 7)]), spans(&[(1, 3), (5, 5), (8, 10)]));
    assert_eq!(less(&[(1, 3), (5, 9)], &[(2, 6)]), spans(&[(1, 1), (7, 9)]));
    assert_eq!(less(&[(1, 3)], &[(0, 3)]), spans(&[]));
    let rows = |a: &[(i32, i32)], b: &[(i32, i32)]| {
        out(|out| spans::minus_rows(&spans(a), &spans(b), out))
    };
    assert_eq!(rows(&[(1, 3), (5, 9), (11, 12)], &[(3, 3), (10, 10)]), spans(&[(5, 9), (11, 12)]));
}

#[test]
fn rows_near_others() {
    let near = |dates, first, last, keep| {
        let window = [WindowDay::Days(first), WindowDay::Days(last)];
        out(|out| {
            spans::near(
                &spans(&[(10, 20), (40, 50)]),
                &spans(&[(5, 12)]),
                dates,
                window,
                keep,
                out,
            );
        })
    };
    let starts = (RowDate::Start, RowDate::Start);
    assert_eq!(near(starts, -5, 0, NearKeep::With), spans(&[(10, 20)]));
    assert_eq!(near(starts, -4, 0, NearKeep::With), spans(&[]));
    assert_eq!(near(starts, -5, 0, NearKeep::Without), spans(&[(40, 50)]));
    assert_eq!(near((RowDate::End, RowDate::End), -38, -38, NearKeep::With), spans(&[(40, 50)]));
}

#[test]
fn rows_by_place_and_date() {
    let rows = spans(&[(1, 3), (5, 9), (11, 12)]);
    assert_eq!(
        [1, 3, 4, -1, -3, -4].map(|n| spans::nth(&rows, n)),
        [Some(span(1, 3)), Some(span(11, 12)), None, Some(span(11, 12)), Some(span(1, 3)), None,]
    );
    let window = (Some(Day(3)), Some(Day(5)));
    assert_eq!(out(|out| spans::cut(&rows, window, out)), spans(&[(3, 3), (5, 5)]));
    assert_eq!(out(|out| spans::starting(&rows, window, out)), spans(&[(5, 9)]));
}

/// The slow way: a span covers its days, and between two of its days the
/// border. Days are even numbers, borders odd ones.
const HALF_DAYS: usize = 160;

fn covered(spans: &[Interval]) -> [bool; HALF_DAYS] {
    let mut points = [false; HALF_DAYS];
    for span in spans {
        for point in span.start.0 * 2..=span.end.0 * 2 {
            points[point as usize] = true;
        }
    }
    points
}

fn runs(points: &[bool; HALF_DAYS]) -> Vec<Interval> {
    let mut found: Vec<Interval> = Vec::new();
    for day in (0..HALF_DAYS / 2).filter(|day| points[day * 2]) {
        let goes_on = day > 0 && points[day * 2 - 1] && points[day * 2 - 2];
        match found.last_mut() {
            Some(last) if goes_on => last.end = Day(day as i32),
            _ => found.push(span(day as i32, day as i32)),
        }
    }
    found
}

/// The spans of a person in one cohort.
fn some_spans() -> impl Strategy<Value = Vec<Interval>> {
    prop::collection::vec((0_i32..70, 0_i32..9), 0..6).prop_map(|rows| {
        let mut spans = rows.into_iter().map(|(start, days)| span(start, start + days)).collect();
        spans::union(&mut spans, 0);
        spans
    })
}

proptest! {
    #[test]
    fn days_as_the_slow_way(a in some_spans(), b in some_spans(), gap in 0_u16..4) {
        let (in_a, in_b) = (covered(&a), covered(&b));
        let mut all = [a.clone(), b.clone()].concat();
        spans::union(&mut all, 0);
        let either: [bool; HALF_DAYS] = std::array::from_fn(|i| in_a[i] || in_b[i]);
        prop_assert_eq!(&all, &runs(&either));

        let both: [bool; HALF_DAYS] = std::array::from_fn(|i| in_a[i] && in_b[i]);
        prop_assert_eq!(out(|out| spans::intersection(&a, &b, out)), runs(&both));

        // A day that goes takes the borders beside it along.
        let gone = |i: usize| i.is_multiple_of(2) && in_b[i];
        let beside = |i: usize| i % 2 == 1 && (gone(i - 1) || gone((i + 1).min(HALF_DAYS - 2)));
        let rest: [bool; HALF_DAYS] =
            std::array::from_fn(|i| in_a[i] && !gone(i) && !beside(i));
        prop_assert_eq!(out(|out| spans::minus(&a, &b, out)), runs(&rest));

        let shares = |row: &Interval| (row.start.0..=row.end.0).any(|day| in_b[day as usize * 2]);
        let apart: Vec<Interval> = a.iter().copied().filter(|row| !shares(row)).collect();
        prop_assert_eq!(out(|out| spans::minus_rows(&a, &b, out)), apart);

        // Gaps: days that no row has, at most `gap - 1` of them in a row.
        let mut padded = [a, b].concat();
        spans::union(&mut padded, gap);
        for pair in padded.windows(2) {
            prop_assert!(pair[1].start.days_since(pair[0].end) > i32::from(gap));
        }
        for row in &all {
            prop_assert!(padded.iter().any(|p| p.intersect(*row) == Some(*row)));
        }
    }

    /// All derivations over random persons, cut into shards in two ways: the
    /// same rows.
    #[test]
    fn shards_do_not_matter(
        people in prop::collection::vec((some_spans(), some_spans(), 1940_i32..1960, any::<bool>()), 0..40),
        cut in 1_usize..6,
    ) {
        let algebra = everything();
        let whole = over(&algebra, &people, people.len().max(1));
        prop_assert_eq!(&over(&algebra, &people, cut), &whole);
        let persons = |id: i64| {
            let rows = whole[&id].iter().map(|row| row.0);
            rows.collect::<BTreeSet<i64>>()
        };
        prop_assert_eq!(persons(12).len(), persons(1).len().min(5));
        prop_assert!(persons(14).is_disjoint(&persons(2)));
        prop_assert!(persons(14).is_subset(&persons(1)));
        prop_assert!(persons(14).len() <= 2 * persons(15).len());
        for rows in whole.values() {
            for pair in rows.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                prop_assert!(pair[0].1.end < pair[1].1.start);
            }
        }
        for derived in algebra.derived() {
            let along = derived.chain.iter().map(|id| persons(*id));
            let along: Vec<BTreeSet<i64>> = along.collect();
            prop_assert!(along.windows(2).all(|pair| pair[1].is_subset(&pair[0])));
        }
    }
}

/// Two cohorts of random rows, 1 and 2, and one of each derivation.
fn everything() -> Algebra {
    let derivations = [
        (9, json!({"kind": "near", "cohort": 3, "of": 2, "window": [-10, "any"]})),
        (3, json!({"kind": "union", "cohorts": [1, "two"], "gap_days": 2})),
        (10, json!({"kind": "intersection", "cohorts": [3, 2]})),
        (11, json!({"kind": "minus", "cohort": 3, "without": [10]})),
        (12, json!({"kind": "sample", "cohort": 1, "persons": 5, "seed": 3})),
        (13, json!({"kind": "sample", "cohort": 12, "fraction": 0.5})),
        (14, json!({"kind": "match", "cohort": 1, "to": 2, "ratio": 2, "age_years": 2})),
        (
            15,
            json!({
                "kind": "match", "cohort": 1, "to": 2, "ratio": 2, "age_years": 2, "keep": "targets",
            }),
        ),
        (16, json!({"kind": "sample", "cohort": 14, "persons": 3})),
        (17, json!({"kind": "entry", "cohort": 16, "nth": -1})),
        (18, json!({"kind": "window", "cohort": 3, "from": "1970-01-10", "to": "1970-02-10"})),
        (19, json!({"kind": "demographics", "cohort": 3, "age": {"min": 15}, "sex": "female"})),
    ];
    let named = |id: i64, name: &str, derivation| ToDerive {
        name: CohortName { id, name: name.to_owned() },
        derivation,
    };
    let mut cohorts = vec![named(1, "one", None), named(2, "two", None)];
    for (id, derivation) in derivations {
        let derivation: Derivation<CohortReference> = serde_json::from_value(derivation).unwrap();
        cohorts.push(named(id, "derived", Some(derivation)));
    }
    Algebra::new(&cohorts).unwrap()
}

type Person = (Vec<Interval>, Vec<Interval>, i32, bool);

/// All cohorts, by person, over shards of so many persons.
fn over(algebra: &Algebra, people: &[Person], size: usize) -> BTreeMap<i64, Vec<(i64, Interval)>> {
    let mut shards: Vec<(ShardPersons, BTreeMap<i64, Rows>)> = Vec::new();
    for (shard, part) in people.chunks(size).enumerate() {
        let first = shard * size;
        let persons = ShardPersons {
            ids: (0..part.len()).map(|place| PersonId((first + place) as i64)).collect(),
            born: part.iter().map(|p| (Some(p.2), Some(if p.3 { 8532 } else { 8507 }))).collect(),
        };
        let rows = |of: fn(&Person) -> &Vec<Interval>| -> Rows {
            let numbered = part.iter().enumerate();
            numbered.flat_map(|(at, p)| of(p).iter().map(move |row| (at as u32, *row))).collect()
        };
        shards.push((persons, BTreeMap::from([(1, rows(|p| &p.0)), (2, rows(|p| &p.1))])));
    }
    let mut choices = Choices::default();
    for id in algebra.choices() {
        for (persons, cohorts) in &mut shards {
            algebra.derive(cohorts, persons, &choices);
        }
        let gathered = shards.iter().map(|(persons, cohorts)| algebra.gather(id, cohorts, persons));
        algebra.choose(id, gathered.collect::<Vec<_>>(), &mut choices);
    }
    let mut all: BTreeMap<i64, Vec<(i64, Interval)>> = [1, 2]
        .into_iter()
        .chain(algebra.derived().iter().map(|d| d.id))
        .map(|id| (id, Vec::new()))
        .collect();
    for (persons, cohorts) in &mut shards {
        algebra.derive(cohorts, persons, &choices);
        for (id, rows) in cohorts {
            let rows = rows.iter().map(|(place, span)| (persons.id(*place).0, *span));
            all.entry(*id).or_default().extend(rows);
        }
    }
    all
}

fn refused(derivations: &[(i64, serde_json::Value)]) -> (i64, String) {
    let cohort = |(id, derivation): &(i64, serde_json::Value)| ToDerive {
        name: CohortName { id: *id, name: format!("cohort of {id}") },
        derivation: (!derivation.is_null())
            .then(|| serde_json::from_value(derivation.clone()).unwrap()),
    };
    let cohorts: Vec<ToDerive> = derivations.iter().map(cohort).collect();
    let (name, error) = Algebra::new(&cohorts).unwrap_err();
    (name.id, error.to_string())
}

#[test]
fn what_goes_round_is_named() {
    let of = |id: i64| json!({"kind": "entry", "cohort": id, "nth": 1});
    let (id, message) = refused(&[(1, json!(null)), (2, of(3)), (3, of(4)), (4, of(2))]);
    assert_eq!(id, 2);
    assert_eq!(
        message,
        "derived from itself: 2 'cohort of 2' from 3 'cohort of 3' from 4 'cohort of 4' from \
         2 'cohort of 2'"
    );
}

#[test]
fn what_is_not_there_is_named() {
    let (id, message) = refused(&[
        (1, json!(null)),
        (2, json!({"kind": "union", "cohorts": [1, "cohort off 1"]})),
        (3, json!({"kind": "entry", "cohort": 2, "nth": 1})),
    ]);
    assert_eq!(id, 2);
    assert!(message.contains("did you mean 'cohort of 1'?"), "{message}");
    assert!(message.contains("from it is derived 3 'cohort of 3'"), "{message}");
}

#[test]
fn settings_that_cannot_be_are_named() {
    let cases = [
        (json!({"kind": "union", "cohorts": [1]}), "derive.cohorts"),
        (json!({"kind": "union", "cohorts": [1, 1]}), "twice"),
        (json!({"kind": "minus", "cohort": 1, "without": []}), "derive.without"),
        (json!({"kind": "sample", "cohort": 1}), "persons or fraction"),
        (json!({"kind": "sample", "cohort": 1, "persons": 1, "fraction": 0.5}), "not both"),
        (json!({"kind": "sample", "cohort": 1, "fraction": 1.5}), "above 0, at most 1"),
        (json!({"kind": "match", "cohort": 1, "to": 3, "ratio": 0}), "derive.ratio"),
        (json!({"kind": "match", "cohort": 1, "to": 3, "sex": false}), "what is to be alike"),
        (json!({"kind": "window", "cohort": 1}), "from, to or both"),
        (json!({"kind": "window", "cohort": 1, "from": "2020-01-02", "to": "2020-01-01"}), "2020"),
        (json!({"kind": "near", "cohort": 1, "of": 3, "window": [3, 2]}), "derive.window"),
        (json!({"kind": "entry", "cohort": 1, "nth": 0}), "derive.nth"),
        (json!({"kind": "demographics", "cohort": 1}), "age, sex or both"),
        (json!({"kind": "demographics", "cohort": 1, "age": {"min": 9, "max": 8}}), "derive.age"),
    ];
    for (derivation, expected) in cases {
        let (id, message) = refused(&[(1, json!(null)), (2, derivation), (3, json!(null))]);
        assert!(id == 2 && message.contains(expected), "{message}");
    }
}

/// A hash follows its inputs' hashes, not ids or names.
#[test]
fn hashes_follow_what_is_behind() {
    let algebra = everything();
    let hashes = |one: &str| {
        let mut hashes = BTreeMap::from([(1, one.to_owned()), (2, "two".to_owned())]);
        algebra.add_hashes(&mut hashes);
        hashes
    };
    let (before, after) = (hashes("a"), hashes("b"));
    assert_eq!(before.len(), 14);
    for derived in algebra.derived() {
        assert_ne!(before[&derived.id], after[&derived.id], "all depend on cohort 1");
    }
    assert_eq!(hashes("a"), before);
}
