//! Small populations for the tests of analyses.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use farr_disclosure::{AggregateTable, Labelled, Policy, release};
use farr_records::{Day, Interval, PersonId, Shard, ShardId, Table, sorted_by_person};

use crate::{AnyAnalysis, CohortRow, CohortRows, Concepts, ShardView};

/// A measurement: concept, day, value.
pub(crate) type Measured = (i64, i32, Option<f64>);

/// One person of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) gender: i64,
    /// Year, month and day of birth.
    pub(crate) birth: Option<(i64, i64, i64)>,
    pub(crate) periods: Vec<(i32, i32)>,
    pub(crate) death: Option<i32>,
    /// Cohort, first and last day.
    pub(crate) cohorts: Vec<(i64, i32, i32)>,
    /// Concept, day, source code.
    pub(crate) conditions: Vec<(i64, i32, &'static str)>,
    /// Concept, day.
    pub(crate) visits: Vec<(i64, i32)>,
    pub(crate) measurements: Vec<Measured>,
}

fn integers(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

fn days(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(values))
}

/// Persons with their ids and rows of something.
fn rows<T>(people: &[(i64, &Person)], of: impl Fn(&Person) -> &[T]) -> Vec<(i64, T)>
where
    T: Clone,
{
    people.iter().flat_map(|(id, person)| of(person).iter().map(|row| (*id, row.clone()))).collect()
}

fn with_ids<T>(rows: &[(i64, T)], id: &str, others: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let ids = [
        ("person_id", integers(rows.iter().map(|(person, _)| Some(*person)))),
        (id, integers((0..rows.len()).map(|row| Some(row as i64)))),
    ];
    RecordBatch::try_from_iter(ids.into_iter().chain(others)).unwrap()
}

fn person_batch(people: &[(i64, &Person)]) -> RecordBatch {
    let birth =
        |part: fn((i64, i64, i64)) -> i64| integers(people.iter().map(|(_, p)| p.birth.map(part)));
    RecordBatch::try_from_iter([
        ("person_id", integers(people.iter().map(|(id, _)| Some(*id)))),
        ("gender_concept_id", integers(people.iter().map(|(_, p)| Some(p.gender)))),
        ("year_of_birth", birth(|b| b.0)),
        ("month_of_birth", birth(|b| b.1)),
        ("day_of_birth", birth(|b| b.2)),
    ])
    .unwrap()
}

fn tables(people: &[(i64, &Person)]) -> BTreeMap<Table, RecordBatch> {
    let periods = rows(people, |p| &p.periods);
    let deaths: Vec<(i64, i32)> =
        people.iter().filter_map(|(id, p)| Some((*id, p.death?))).collect();
    let conditions = rows(people, |p| &p.conditions);
    let visits = rows(people, |p| &p.visits);
    let measured = rows(people, |p| &p.measurements);
    let codes: ArrayRef = Arc::new(conditions.iter().map(|r| Some(r.1.2)).collect::<StringArray>());
    let values: ArrayRef = Arc::new(measured.iter().map(|r| r.1.2).collect::<Float64Array>());
    let death = RecordBatch::try_from_iter([
        ("person_id", integers(deaths.iter().map(|(id, _)| Some(*id)))),
        ("death_date", days(deaths.iter().map(|(_, day)| *day))),
    ]);
    BTreeMap::from([
        (Table::Person, person_batch(people)),
        (Table::Death, death.unwrap()),
        (Table::ObservationPeriod, {
            with_ids(
                &periods,
                "observation_period_id",
                vec![
                    ("observation_period_start_date", days(periods.iter().map(|r| r.1.0))),
                    ("observation_period_end_date", days(periods.iter().map(|r| r.1.1))),
                ],
            )
        }),
        (Table::ConditionOccurrence, {
            with_ids(
                &conditions,
                "condition_occurrence_id",
                vec![
                    ("condition_concept_id", integers(conditions.iter().map(|r| Some(r.1.0)))),
                    ("condition_start_date", days(conditions.iter().map(|r| r.1.1))),
                    ("condition_source_value", codes),
                ],
            )
        }),
        (Table::VisitOccurrence, {
            with_ids(
                &visits,
                "visit_occurrence_id",
                vec![
                    ("visit_concept_id", integers(visits.iter().map(|r| Some(r.1.0)))),
                    ("visit_start_date", days(visits.iter().map(|r| r.1.1))),
                ],
            )
        }),
        (Table::Measurement, {
            with_ids(
                &measured,
                "measurement_id",
                vec![
                    ("measurement_concept_id", integers(measured.iter().map(|r| Some(r.1.0)))),
                    ("measurement_date", days(measured.iter().map(|r| r.1.1))),
                    ("value_as_number", values),
                ],
            )
        }),
    ])
}

/// The tables that an analysis gives over persons 1, 2, ... in so many shards.
pub(crate) fn run(
    analysis: &AnyAnalysis,
    people: &[Person],
    shards: u32,
) -> Vec<Labelled<farr_disclosure::Aggregate, AggregateTable>> {
    let mut merged = analysis.empty();
    for id in ShardId::all(shards) {
        let ids = (1..).zip(people);
        let inside: Vec<(i64, &Person)> = ids
            .filter(|(person, _)| ShardId::index_of(PersonId(*person), shards) == id.index())
            .collect();
        let sorted = tables(&inside)
            .into_iter()
            .map(|(table, batch)| (table, sorted_by_person(table, &batch).unwrap()))
            .collect();
        let shard = Shard::new(id, sorted).unwrap();
        let mut by_cohort: BTreeMap<i64, Vec<CohortRow>> = BTreeMap::new();
        for (place, (_, person)) in (0_u32..).zip(&inside) {
            for (cohort, start, end) in &person.cohorts {
                let interval = Interval::new(Day(*start), Day(*end)).unwrap();
                let rows = by_cohort.entry(*cohort).or_default();
                rows.push(CohortRow { person: place, interval });
            }
        }
        let mut cohorts: Vec<CohortRows> =
            by_cohort.into_iter().map(|(id, rows)| CohortRows { id, rows }).collect();
        for cohort in &mut cohorts {
            cohort.rows.sort_unstable();
        }
        let view = ShardView { shard: &shard, cohorts: &cohorts, inclusions: &[] };
        analysis.merge(&mut merged, analysis.shard(&view).unwrap());
    }
    analysis.finish(merged, &Concepts::default()).unwrap()
}

/// The same tables whatever the shards, and all of them can be released: so
/// every declared relation holds. Gives the tables.
pub(crate) fn check(analysis: &AnyAnalysis, people: &[Person]) -> Vec<AggregateTable> {
    let one = run(analysis, people, 1);
    for shards in [2, 8] {
        let many = run(analysis, people, shards);
        for (one, many) in one.iter().zip(&many) {
            assert_eq!(one.get().batch(), many.get().batch(), "{shards} shards");
        }
    }
    release(one.clone(), &Policy::default()).unwrap();
    one.into_iter().map(Labelled::into_inner).collect()
}

/// The whole numbers of a column.
pub(crate) fn whole(table: &AggregateTable, column: &str) -> Vec<Option<i64>> {
    let column = table.batch().column_by_name(column).unwrap();
    column.as_any().downcast_ref::<Int64Array>().unwrap().iter().collect()
}

/// The real numbers of a column.
pub(crate) fn real(table: &AggregateTable, column: &str) -> Vec<Option<f64>> {
    let column = table.batch().column_by_name(column).unwrap();
    column.as_any().downcast_ref::<Float64Array>().unwrap().iter().collect()
}

/// The texts of a column.
pub(crate) fn texts(table: &AggregateTable, column: &str) -> Vec<Option<String>> {
    let column = table.batch().column_by_name(column).unwrap();
    let texts = column.as_any().downcast_ref::<StringArray>().unwrap();
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

/// So many persons of cohort 1 with a plausible mixture of follow-up, ages,
/// sexes, outcomes (cohort 2), an exposure (cohort 3) and deaths.
pub(crate) fn population(size: u64) -> Vec<Person> {
    let mut state = 7_u64;
    let mut draw = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let person = |_| {
        let index = 10_000 + draw(700) as i32;
        let end = index + draw(2_000) as i32;
        let mut cohorts = vec![(1, index, end)];
        let exposed = draw(2) == 1;
        if draw(10) < if exposed { 6 } else { 3 } {
            let start = index + draw(900) as i32;
            cohorts.push((2, start, start + draw(40) as i32));
        }
        if exposed {
            cohorts.push((3, index - draw(30) as i32, index));
        }
        let first_day = index - 400 - draw(3_000) as i32;
        let measured = draw(4) > 0;
        Person {
            gender: [8507, 8532, 8532, 0][draw(4) as usize],
            birth: (draw(50) > 0)
                .then(|| (1920 + draw(75) as i64, 1 + draw(12) as i64, 1 + draw(28) as i64)),
            periods: vec![(first_day, end)],
            death: (draw(4) == 0).then_some(end),
            cohorts,
            conditions: (0..draw(4))
                .map(|i| (100 + i as i64, index - 50 * i as i32, "I21"))
                .collect(),
            visits: (0..draw(5)).map(|i| (9202, index - 20 * i as i32)).collect(),
            measurements: if measured {
                vec![(3_004_410, index - draw(300) as i32, Some(5.0 + draw(50) as f64 / 10.0))]
            } else {
                Vec::new()
            },
        }
    };
    (0..size).map(person).collect()
}
