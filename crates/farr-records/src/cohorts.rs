//! Cohort rows: sorted, however many there are, and kept beside the records.

use std::collections::{BTreeMap, btree_map};
use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use farr_disclosure::{Labelled, PersonLevel};
use farr_store::{Location, ObjectWriter};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::build::spill::{Scratch, Segment};
use crate::encoding::Sequences;
use crate::parquet_file::{ParquetFile, of_parquet};
use crate::{Day, Error, Interval, PersonId, RecordsStore};

/// The columns of cohort rows, by all of which they are sorted.
const COLUMNS: [&str; 4] =
    ["cohort_definition_id", "subject_id", "cohort_start_date", "cohort_end_date"];

/// The columns of cohort rows: OMOP's `cohort` table.
pub fn cohort_schema() -> SchemaRef {
    let kinds = [DataType::Int64, DataType::Int64, DataType::Date32, DataType::Date32];
    let columns = COLUMNS.into_iter().zip(kinds);
    let fields = columns.map(|(name, kind)| Field::new(name, kind, false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A row of a cohort: its person, start and end as one number that sorts as
/// they do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CohortKey(i128);

impl CohortKey {
    /// The key of a row.
    #[inline]
    pub fn new(person: PersonId, interval: Interval) -> Self {
        let days = (i128::from(interval.start.0) << 32) + i128::from(interval.end.0);
        Self((i128::from(person.0) << 64) + days)
    }

    /// The person.
    #[inline]
    pub fn person(self) -> PersonId {
        self.row().0
    }

    #[inline]
    fn row(self) -> (PersonId, Day, Day) {
        let end = self.0 as i32;
        let rest = (self.0 - i128::from(end)) >> 32;
        let start = rest as i32;
        (PersonId(((rest - i128::from(start)) >> 32) as i64), Day(start), Day(end))
    }
}

/// Prints redacted: logs hold no patient.
impl std::fmt::Debug for CohortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CohortKey(redacted)")
    }
}

/// Rows of a row group: few, since all of them are in memory when it is encoded.
const GROUP_ROWS: usize = if cfg!(test) { 32 } else { 1 << 15 };

/// Rows that are held, at 16 bytes each.
const HELD_MAX: usize = 2 * GROUP_ROWS;

/// Rows of a run that are read at a time, at least.
const READ_MIN: usize = if cfg!(test) { 2 } else { 1 << 8 };

/// Rows of cohorts, which come in any order and leave sorted by cohort, person
/// and dates. More than are held go, sorted, into a temporary file.
pub struct CohortSort {
    /// As they came, by cohort.
    held: BTreeMap<i64, Vec<Vec<CohortKey>>>,
    n_held: usize,
    held_max: usize,
    spilled: Option<Spilled>,
}

/// Sorted runs of rows in a temporary file: one a cohort each time.
struct Spilled {
    scratch: Scratch,
    /// By cohort.
    runs: BTreeMap<i64, Vec<Segment>>,
}

impl Default for CohortSort {
    fn default() -> Self {
        Self { held: BTreeMap::new(), n_held: 0, held_max: HELD_MAX, spilled: None }
    }
}

impl CohortSort {
    /// Takes rows of a cohort.
    ///
    /// # Errors
    /// [`Error::Spill`] if the temporary file cannot be made or written.
    pub fn push(&mut self, cohort: i64, rows: Vec<CohortKey>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        self.n_held += rows.len();
        self.held.entry(cohort).or_default().push(rows);
        if self.n_held > self.held_max { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), Error> {
        let Spilled { scratch, runs } = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled { scratch: Scratch::new(None)?, runs: BTreeMap::new() }),
        };
        for (cohort, parts) in std::mem::take(&mut self.held) {
            let bytes: Vec<u8> = sorted(parts).iter().flat_map(|key| key.0.to_le_bytes()).collect();
            runs.entry(cohort).or_default().push(scratch.append(&bytes)?);
        }
        self.n_held = 0;
        Ok(())
    }

    /// Writes the rows as a Parquet file, whose bytes depend on the rows alone.
    fn write<W: Write + Send>(mut self, object: &str, sink: W) -> Result<(), Error> {
        if self.spilled.is_some() {
            self.spill()?;
        }
        let held = std::mem::take(&mut self.held).into_par_iter();
        let sort = |(cohort, parts)| (cohort, sorted(parts));
        let mut held: Vec<(i64, Vec<CohortKey>)> = held.map(sort).collect();
        let mut merged = self.spilled.as_ref().map(Merged::of);
        let failed = |source| of_parquet(object.to_owned(), source);
        let mut next = || {
            let mut columns = Columns::default();
            for (cohort, keys) in held.drain(..) {
                columns.extend(cohort, keys);
            }
            if let Some(merged) = &mut merged {
                merged.fill(&mut columns, GROUP_ROWS)?;
            }
            columns.into_batch().map_err(|source| failed(source.into()))
        };
        let mut rows = next()?;
        // Persons come once or twice in a cohort.
        let sequences = Sequences { near: COLUMNS.to_vec(), unique: vec![COLUMNS[1]] };
        // The first row group says how all are written, however many rows are here.
        let first = rows.slice(0, rows.num_rows().min(GROUP_ROWS));
        let file = ParquetFile::fitting(sink, &first, &cohort_schema(), &sequences, GROUP_ROWS);
        let mut file = file.map_err(failed)?;
        while rows.num_rows() > 0 {
            let (pushed, following) = rayon::join(|| file.push(&rows), &mut next);
            pushed.map_err(failed)?;
            rows = following?;
        }
        file.finish().map_err(failed)
    }
}

/// Rows that came in parts, most of which are sorted, which the sort makes use of.
fn sorted(parts: Vec<Vec<CohortKey>>) -> Vec<CohortKey> {
    let mut keys = parts.concat();
    drop(parts);
    keys.sort();
    keys
}

/// The columns of some rows.
#[derive(Default)]
struct Columns {
    cohorts: Vec<i64>,
    persons: Vec<i64>,
    starts: Vec<i32>,
    ends: Vec<i32>,
}

impl Columns {
    fn extend(&mut self, cohort: i64, keys: impl IntoIterator<Item = CohortKey>) {
        for key in keys {
            let (person, start, end) = key.row();
            self.cohorts.push(cohort);
            self.persons.push(person.0);
            self.starts.push(start.0);
            self.ends.push(end.0);
        }
    }

    fn into_batch(self) -> Result<RecordBatch, ArrowError> {
        let columns: [ArrayRef; 4] = [
            Arc::new(Int64Array::from(self.cohorts)),
            Arc::new(Int64Array::from(self.persons)),
            Arc::new(Date32Array::from(self.starts)),
            Arc::new(Date32Array::from(self.ends)),
        ];
        RecordBatch::try_new(cohort_schema(), columns.to_vec())
    }
}

/// The rows of a temporary file, in order.
struct Merged<'a> {
    scratch: &'a Scratch,
    cohorts: btree_map::Iter<'a, i64, Vec<Segment>>,
    cohort: i64,
    /// Those of its runs that have rows left.
    runs: Vec<Run>,
    /// The next of its rows.
    sorted: std::vec::IntoIter<CohortKey>,
}

/// A run of rows: some that have been read, and those behind them.
struct Run {
    read: Vec<CohortKey>,
    rest: Segment,
}

/// Bytes of a row.
const ROW: u64 = size_of::<CohortKey>() as u64;

impl<'a> Merged<'a> {
    fn of(Spilled { scratch, runs }: &'a Spilled) -> Self {
        let (runs, sorted) = (runs.iter(), Vec::new().into_iter());
        Self { scratch, cohorts: runs, cohort: 0, runs: Vec::new(), sorted }
    }

    /// Puts rows behind those that are there, until there are so many.
    fn fill(&mut self, columns: &mut Columns, rows: usize) -> Result<(), Error> {
        loop {
            let room = rows - columns.cohorts.len();
            columns.extend(self.cohort, self.sorted.by_ref().take(room));
            if columns.cohorts.len() == rows {
                return Ok(());
            }
            if self.runs.is_empty() {
                let Some((cohort, runs)) = self.cohorts.next() else { return Ok(()) };
                self.cohort = *cohort;
                let run = |rest: &Segment| Run { read: Vec::new(), rest: *rest };
                self.runs = runs.iter().map(run).collect();
            }
            self.sort_next()?;
        }
    }

    /// Sorts what has been read of all runs and comes before all that has not been.
    fn sort_next(&mut self) -> Result<(), Error> {
        let at_a_time = (GROUP_ROWS / self.runs.len().max(1)).max(READ_MIN);
        for run in self.runs.iter_mut().filter(|run| run.read.is_empty()) {
            run.read_on(self.scratch, at_a_time)?;
        }
        let unfinished = self.runs.iter().filter(|run| run.rest.length() > 0);
        let bound = unfinished.filter_map(|run| run.read.last()).min().copied();
        let mut keys = Vec::new();
        for run in &mut self.runs {
            let is_before = |key: &CohortKey| bound.is_none_or(|bound| *key <= bound);
            keys.extend(run.read.drain(..run.read.partition_point(is_before)));
        }
        self.runs.retain(|run| !run.read.is_empty() || run.rest.length() > 0);
        keys.sort();
        self.sorted = keys.into_iter();
        Ok(())
    }
}

impl Run {
    fn read_on(&mut self, scratch: &Scratch, rows: usize) -> Result<(), Error> {
        let (next, rest) = self.rest.split_at(self.rest.length().min(rows as u64 * ROW));
        let bytes = scratch.read(next)?;
        let rows = bytes.as_chunks().0.iter().map(|row| CohortKey(i128::from_le_bytes(*row)));
        self.read.extend(rows);
        self.rest = rest;
        Ok(())
    }
}

/// Where the rows of a job's current report lie.
fn path_of(job: &str) -> String {
    format!("cohort/{job}.parquet")
}

/// Where those of one of its reports are kept.
fn kept_path_of((job, report): (&str, &str)) -> String {
    format!("cohort/{job}/{report}.parquet")
}

/// Cohort rows of a job's reports, kept beside the records by the identity of the
/// report that they belong to; and those of its current report, under its name.
impl RecordsStore {
    /// Keeps the cohort rows of a report, on the threads of the pool at hand.
    /// Columns as in [`cohort_schema`].
    ///
    /// # Errors
    /// [`Error::Spill`] if what is held in a temporary file cannot be read;
    /// [`Error::Store`].
    pub fn keep_cohorts(
        &self,
        report: (&str, &str),
        rows: Labelled<PersonLevel, CohortSort>,
    ) -> Result<(), Error> {
        let path = kept_path_of(report);
        let object = self.location().url_of(&path);
        if rows.get().spilled.is_some() {
            let content = rows.map(|rows| {
                let object = &object;
                move |sink: &mut ObjectWriter| rows.write(object, sink)
            });
            return self.location().write_streamed(&path, content).map(drop);
        }
        let bytes = rows.try_map(|rows| {
            let mut bytes = Vec::new();
            rows.write(&object, &mut bytes).map(|()| Bytes::from(bytes))
        })?;
        Ok(self.location().write(&path, bytes)?)
    }

    /// Makes the kept cohort rows of a report those of the job; where none are
    /// kept, nothing.
    pub fn show_cohorts(&self, report: (&str, &str)) -> Result<(), Error> {
        if self.keeps_cohorts(report)? {
            self.location().copy(&kept_path_of(report), &path_of(report.0))?;
        }
        Ok(())
    }

    /// Whether the rows of the job are those of the report, or none are kept.
    pub fn shows_cohorts(&self, report: (&str, &str)) -> Result<bool, Error> {
        Ok(!self.keeps_cohorts(report)?
            || self.location().are_equal(&kept_path_of(report), &path_of(report.0))?)
    }

    /// Whether cohort rows are kept for a report.
    pub fn keeps_cohorts(&self, report: (&str, &str)) -> Result<bool, Error> {
        match self.location().info(&kept_path_of(report)) {
            Ok(_) => Ok(true),
            Err(farr_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the cohort rows that are kept for a report at a store's place.
    pub fn remove_kept_cohorts(place: &Location, report: (&str, &str)) -> Result<(), Error> {
        Ok(place.delete(&kept_path_of(report))?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Date32Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;

    use super::*;

    type Row = (i64, (i64, i32, i32));

    fn key((person, start, end): (i64, i32, i32)) -> CohortKey {
        CohortKey::new(PersonId(person), Interval { start: Day(start), end: Day(end) })
    }

    /// The file of rows that come in parts of so many, with so many held.
    fn file(rows: &[Row], part: usize, held_max: usize) -> (Vec<u8>, bool) {
        let mut sort = CohortSort { held_max, ..CohortSort::default() };
        for part in rows.chunks(part) {
            for rows in part.chunk_by(|one, next| one.0 == next.0) {
                sort.push(rows[0].0, rows.iter().map(|row| key(row.1)).collect()).unwrap();
            }
        }
        let (mut bytes, is_spilled) = (Vec::new(), sort.spilled.is_some());
        sort.write("cohort.parquet", &mut bytes).unwrap();
        (bytes, is_spilled)
    }

    fn rows_of(file: Vec<u8>) -> Vec<Row> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        assert_eq!(reader.schema(), &cohort_schema());
        let rows = reader.build().unwrap().flat_map(|rows| {
            let rows = rows.unwrap();
            let ids = |place: usize| rows.column(place).as_primitive::<Int64Type>().values();
            let days = |place: usize| rows.column(place).as_primitive::<Date32Type>().values();
            let of_person = ids(1).iter().zip(days(2)).zip(days(3));
            let rows = ids(0).iter().zip(of_person);
            rows.map(|(id, ((one, start), end))| (*id, (*one, *start, *end))).collect::<Vec<_>>()
        });
        rows.collect()
    }

    proptest! {
        #[test]
        fn keys_sort_as_the_rows(
            one in any::<(i64, i32, i32)>(),
            other in any::<(i64, i32, i32)>(),
            shared in 0..4,
        ) {
            let other = match shared {
                0 => other,
                1 => (one.0, other.1, other.2),
                2 => (one.0, one.1, other.2),
                _ => one,
            };
            let (person, start, end) = key(one).row();
            prop_assert_eq!((person.0, start.0, end.0), one);
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn a_file_is_of_its_rows_alone_however_few_are_held(
            mut rows in prop::collection::vec(
                (0..4_i64, (prop_oneof![any::<i64>(), 0..20_i64], any::<i32>(), -9..9_i32)),
                0..200,
            ),
            (part, other_part) in (1..80_usize, 1..80_usize),
            held_max in 1..=HELD_MAX,
            is_sorted: bool,
        ) {
            let (one, is_spilled) = file(&rows, part, HELD_MAX);
            prop_assert_eq!(is_spilled, rows.len() > HELD_MAX);
            if is_sorted {
                rows.sort_unstable();
            }
            let (other, is_spilled) = file(&rows, other_part, held_max);
            prop_assert_eq!(is_spilled, rows.len() > held_max);
            prop_assert!(one == other);
            rows.sort_unstable();
            prop_assert_eq!(rows_of(one), rows);
        }
    }
}
