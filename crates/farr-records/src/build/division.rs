//! However a pull is divided into parts, and wherever a build of it was cut
//! short, the store has the same bytes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use farr_disclosure::{Labelled, Zone};
use farr_store::{Location, Sha256Hash};
use proptest::prelude::*;

use super::tests::{Value, batch};
use super::{BuildSettings, Builder, Progress, Pulled, SpillPlace, build};
use crate::{Derivations, Error, Incoming, Intake, Line, ObjectRead, RangeRead, Reject, Table};

const DERIVE: Derivations = Derivations {
    observation_periods: true,
    condition_eras: true,
    drug_eras: true,
    providers_from_visits: true,
};

/// What a line of an object says.
#[derive(Debug, Clone)]
enum Row {
    Person { id: i64, born: i64 },
    Condition { id: i64, person: i64, start: i64, code: usize },
    Bad,
}

const CODES: [(&str, [&str; 2]); 4] =
    [("a", ["Asthma", "asthma"]), ("b", ["Burn", ""]), ("c", ["", "Cold"]), ("d", ["D", "E"])];

/// Lines `start..end` of an object, counted from 0.
#[derive(Debug, Clone, Copy)]
struct Range {
    object: usize,
    start: usize,
    end: usize,
}

fn block(object: usize, line: usize) -> Sha256Hash {
    Sha256Hash::of(format!("{object} {line}").as_bytes())
}

/// Hands the rows of a range over, as a source would. Every line is a block.
fn read(builder: &Builder, objects: &[Vec<Row>], range: Range) {
    let Range { object, start, end } = range;
    let rows = &objects[object];
    let id = builder.object(ObjectRead {
        system: "hospital".to_owned(),
        path: format!("{object}.csv"),
        size: rows.len() as u64,
        etag: None,
        sha256: None,
    });
    for (place, row) in rows[start..end].iter().enumerate() {
        let line = Line(place as u64 + 1);
        let (table, names, values): (Table, &[&str], Vec<Value>) = match row {
            Row::Person { id, born } => {
                (Table::Person, &["person_id", "year_of_birth"], vec![(*id).into(), (*born).into()])
            }
            Row::Condition { id, person, start: day, code } => {
                let (text, names) = CODES[*code % CODES.len()];
                let name = names[(start + place) % 2];
                let codes = builder.local_codes();
                let concept = codes.provisional("V", text, name, "Condition").0;
                let names = &[
                    "condition_occurrence_id",
                    "person_id",
                    "condition_start_date",
                    "condition_concept_id",
                ];
                let values = vec![(*id).into(), (*person).into(), (*day).into(), concept.into()];
                (Table::ConditionOccurrence, names, values)
            }
            Row::Bad => {
                let source_table = builder.source_table("hospital", "person", DERIVE);
                builder.rows_read(source_table, 1);
                let (column, reason) = (Some("x".to_owned()), "is bad".to_owned());
                let reject = Reject { source_table, object: id, line, column, reason };
                builder.rejects(vec![reject]).unwrap();
                continue;
            }
        };
        let source_table = builder.source_table("hospital", table.name(), DERIVE);
        builder.rows_read(source_table, 1);
        let rows = batch(table, names, &[values]);
        let (lines, stands_for_source) = (vec![line], true);
        let incoming = Incoming { table, rows, source_table, object: id, lines, stands_for_source };
        builder.rows(incoming).unwrap();
    }
    let lines = (end - start) as u64;
    let blocks = (start..end.max(start + 1)).map(|line| block(object, line)).collect();
    let (first_block, of) = (start as u64, rows.len() as u64);
    let read = RangeRead { start: start as u64, end: end as u64, of, lines, first_block, blocks };
    builder.range_read(id, read);
}

fn settings(spill: SpillPlace) -> BuildSettings {
    BuildSettings {
        shards: Some(4),
        buffer_bytes: 900,
        parts: 3,
        spill,
        ..BuildSettings::default()
    }
}

fn pull(objects: &[Vec<Row>], ranges: &[Range], spill: SpillPlace) -> Pulled {
    pull_with(objects, ranges, settings(spill))
}

fn pull_with(objects: &[Vec<Row>], ranges: &[Range], settings: BuildSettings) -> Pulled {
    let builder = Builder::new(settings).unwrap();
    builder.source_table("hospital", "person", DERIVE);
    builder.source_table("hospital", "condition_occurrence", DERIVE);
    for range in ranges {
        read(&builder, objects, *range);
    }
    builder.close().unwrap()
}

fn whole(objects: &[Vec<Row>]) -> Vec<Range> {
    let range = |(object, rows): (usize, &Vec<Row>)| Range { object, start: 0, end: rows.len() };
    objects.iter().enumerate().map(range).collect()
}

fn built(parts: Vec<Pulled>, store: &Location, marks: Option<&Location>) -> Result<(), Error> {
    let settings = settings(SpillPlace::Temporary(None));
    build(parts, &settings, store, marks, &|_| ControlFlow::Continue(())).map(|_| ())
}

/// Every object of a place.
fn bytes(location: &Location) -> BTreeMap<String, Bytes> {
    let objects = location.list("").unwrap();
    objects.into_iter().map(|o| (o.path.clone(), location.read(&o.path).unwrap())).collect()
}

fn memory() -> Location {
    Location::memory(Zone::Restricted)
}

fn row() -> impl Strategy<Value = Row> {
    prop_oneof![
        3 => (0..12_i64, 1950..1952_i64).prop_map(|(id, born)| Row::Person { id, born }),
        6 => (0..6_i64, 0..14_i64, 100..150_i64, 0..4_usize).prop_map(
            |(id, person, start, code)| Row::Condition { id, person, start, code }
        ),
        1 => Just(Row::Bad),
    ]
}

/// Two objects, their lines cut into ranges, and a part for each range.
fn divided() -> impl Strategy<Value = (Vec<Vec<Row>>, Vec<(Range, usize)>)> {
    let objects = prop::collection::vec(prop::collection::vec(row(), 1..40), 2);
    (objects, prop::collection::vec((0..40_usize, 0..3_usize), 0..8)).prop_map(
        |(mut objects, cuts)| {
            objects[0][0] = Row::Person { id: 3, born: 1950 };
            let mut ranges = Vec::new();
            for (object, rows) in objects.iter().enumerate() {
                let inside = |(at, _): &&(usize, usize)| (1..rows.len()).contains(at);
                let mut starts: BTreeMap<usize, usize> =
                    cuts.iter().filter(inside).copied().collect();
                starts.insert(0, object);
                let ends = starts.keys().copied().skip(1).chain([rows.len()]);
                ranges.extend(
                    starts
                        .iter()
                        .zip(ends)
                        .map(|((start, part), end)| (Range { object, start: *start, end }, *part)),
                );
            }
            ranges.reverse();
            (objects, ranges)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn parts_make_the_whole((objects, ranges) in divided()) {
        let expected = memory();
        built(vec![pull(&objects, &whole(&objects), SpillPlace::Temporary(None))], &expected, None)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Vec::new();
        for part in (0..3).rev() {
            let mine: Vec<Range> =
                ranges.iter().filter(|(_, of)| *of == part).map(|(range, _)| *range).collect();
            let place = match part {
                0 => memory(),
                _ => Location::folder(&folder.path().join(part.to_string()), Zone::Restricted).unwrap(),
            };
            let pulled = pull(&objects, &mine, SpillPlace::Kept(place.clone()));
            // As it is, and as another process finds it.
            parts.push(if part == 1 { pulled } else { Pulled::open(&place).unwrap().unwrap() });
        }
        let store = memory();
        built(parts, &store, None).unwrap();
        prop_assert!(bytes(&store) == bytes(&expected));
    }
}

fn objects() -> Vec<Vec<Row>> {
    let mut rows = Vec::new();
    for id in 0..60 {
        rows.push(Row::Person { id, born: 1950 });
        rows.push(Row::Condition { id, person: id, start: 100 + id, code: id as usize });
        rows.push(Row::Condition { id, person: id + 1, start: 90 + id, code: 1 });
    }
    rows.push(Row::Bad);
    vec![rows]
}

#[test]
fn a_build_cut_short_is_taken_up() {
    let objects = objects();
    let expected = memory();
    let pulled = pull(&objects, &whole(&objects), SpillPlace::Temporary(None));
    built(vec![pulled], &expected, None).unwrap();
    for cut in 0..6 {
        let (place, store, marks) = (memory(), memory(), memory());
        let pulled = pull(&objects, &whole(&objects), SpillPlace::Kept(place.clone()));
        let told = AtomicUsize::new(0);
        let watch = |_| match told.fetch_add(1, Ordering::Relaxed) {
            n if n >= cut => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let settings =
            BuildSettings { shards_in_flight: 1, ..settings(SpillPlace::Temporary(None)) };
        let stopped = build(vec![pulled], &settings, &store, Some(&marks), &watch);
        assert!(matches!(stopped, Err(Error::Stopped)));
        let marked = marks.list("").unwrap().len();
        assert_eq!(marked, cut);
        // A file that was spoilt is made again.
        if cut == 5 {
            let path = "tables/person/00001-of-00004.parquet";
            store.write(path, Labelled::person_level(Bytes::from_static(b"x"))).unwrap();
        }
        let there = Mutex::new(Vec::new());
        let watch = |progress| {
            if let Progress::Shard { was_there, .. } | Progress::Table { was_there, .. } = progress
            {
                there.lock().unwrap().push(was_there);
            }
            ControlFlow::Continue(())
        };
        let pulled = Pulled::open(&place).unwrap().unwrap();
        build(vec![pulled], &settings, &store, Some(&marks), &watch).unwrap();
        let there = there.into_inner().unwrap();
        assert_eq!(there.len(), 5);
        let taken = there.iter().filter(|was_there| **was_there).count();
        assert_eq!(taken, if cut == 5 { 4 } else { marked });
        assert!(bytes(&store) == bytes(&expected));
    }
}

#[test]
fn marks_of_other_parts_do_not_count() {
    let (place, store, marks) = (memory(), memory(), memory());
    let mut objects = objects();
    let pulled = pull(&objects, &whole(&objects), SpillPlace::Kept(place.clone()));
    built(vec![pulled], &store, Some(&marks)).unwrap();
    objects[0].push(Row::Person { id: 99, born: 1950 });
    let pulled = pull(&objects, &whole(&objects), SpillPlace::Kept(place.clone()));
    built(vec![pulled], &store, Some(&marks)).unwrap();
    let expected = memory();
    let pulled = pull(&objects, &whole(&objects), SpillPlace::Temporary(None));
    built(vec![pulled], &expected, None).unwrap();
    assert!(bytes(&store) == bytes(&expected));
}

/// A whole pull that the buffers hold is not kept, but the marks of its shards
/// still count after the next.
#[test]
fn what_fits_in_memory_is_not_kept() {
    let objects = objects();
    let (place, store, marks) = (memory(), memory(), memory());
    for expected in [false, true] {
        let kept = SpillPlace::Kept(place.clone());
        let settings = BuildSettings { buffer_bytes: 1 << 24, parts: 1, ..settings(kept) };
        let pulled = pull_with(&objects, &whole(&objects), settings.clone());
        assert!(place.list("").unwrap().is_empty());
        let watch = |progress| {
            if let Progress::Shard { was_there, .. } = progress {
                assert_eq!(was_there, expected);
            }
            ControlFlow::Continue(())
        };
        build(vec![pulled], &settings, &store, Some(&marks), &watch).unwrap();
    }
}

#[test]
fn an_unfinished_or_damaged_pull_is_none() {
    let objects = objects();
    let place = memory();
    assert!(Pulled::open(&place).unwrap().is_none());
    drop(pull(&objects, &whole(&objects), SpillPlace::Kept(place.clone())));
    for (path, content) in bytes(&place) {
        let mut spoilt = content.to_vec();
        let middle = spoilt.len() / 2;
        spoilt[middle] ^= 1;
        place.write(&path, Labelled::person_level(Bytes::from(spoilt))).unwrap();
        assert!(Pulled::open(&place).unwrap().is_none(), "{path}");
        place.delete(&path).unwrap();
        assert!(Pulled::open(&place).unwrap().is_none(), "{path}");
        place.write(&path, Labelled::person_level(content)).unwrap();
        assert!(Pulled::open(&place).unwrap().is_some(), "{path}");
    }
}

#[test]
fn kept_rows_stay_in_restricted_zones() {
    let place = Location::memory(Zone::Open);
    let builder = Builder::new(settings(SpillPlace::Kept(place))).unwrap();
    assert!(matches!(builder.close(), Err(Error::Store(farr_store::Error::Zone { .. }))));
}

#[test]
fn ranges_that_do_not_make_up_an_object_are_named() {
    let objects = objects();
    let range = |start, end| Range { object: 0, start, end };
    let end = objects[0].len();
    for ranges in [
        vec![range(0, 10), range(12, end)],
        vec![range(0, 10)],
        vec![range(1, end)],
        vec![range(0, end), range(0, end)],
    ] {
        let part = |range: &Range| pull(&objects, &[*range], SpillPlace::Temporary(None));
        let error = built(ranges.iter().map(part).collect(), &memory(), None).unwrap_err();
        assert!(matches!(&error, Error::Ranges { object, .. } if object == "0.csv"), "{error}");
    }
}
