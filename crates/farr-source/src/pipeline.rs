//! From objects to the intake: open, split, type, map, hand over.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::StringArray;
use farr_records::{
    Derivations, Incoming, Intake, ObjectId, ObjectRead, RangeRead, Reject, SourceTableId,
    shown_path,
};
use farr_store::{Location, ObjectInfo, Pinned, Sha256Hash};
use rayon::prelude::*;

use crate::chunks::Chunk;
use crate::clock::Clock;
use crate::layout::{Absence, Header, TableLayout};
use crate::outgoing::Mapped;
use crate::rows::{RawColumn, Rows, typed};
use crate::share::Division;
use crate::text::{self, CHUNK_BYTES, Text};
use crate::tokens::{Fault, Head, Tokens};
use crate::{Error, SourceSettings, TableSummary};

/// What reading any object needs.
pub(crate) struct Context<'a, I> {
    pub(crate) settings: &'a SourceSettings,
    pub(crate) location: &'a Location,
    pub(crate) clock: Clock,
    pub(crate) intake: &'a I,
    pub(crate) derive: Derivations,
    pub(crate) division: Division,
}

/// A table, the objects that hold it, and what was found in them so far.
pub(crate) struct TableReader {
    pub(crate) layout: TableLayout,
    pub(crate) objects: Vec<ObjectInfo>,
    /// Of each object the bytes that are to be read, if any.
    ranges: Vec<Option<Range<u64>>>,
    /// Its place in the intake, once registered.
    id: Option<SourceTableId>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    rows_read: u64,
    rows_rejected: u64,
    rows_backward: u64,
    /// Columns that no object read so far has, and those that some lack.
    absent: Option<BTreeSet<&'static str>>,
    absent_somewhere: BTreeSet<&'static str>,
    unknown: BTreeSet<String>,
    not_kept: BTreeSet<String>,
    notes: BTreeSet<String>,
    objects: Vec<ObjectRead>,
}

/// What makes records of typed rows.
pub(crate) type MapRows<'m> = dyn Fn(&Rows) -> Result<Mapped, Error> + Sync + 'm;

impl TableReader {
    pub(crate) fn new(layout: TableLayout, objects: Vec<ObjectInfo>) -> Self {
        let ranges = objects.iter().map(|object| Some(0..object.size)).collect();
        Self { layout, objects, ranges, id: None, found: Mutex::default() }
    }

    /// Objects of which something is to be read: their places, and which bytes.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (usize, Range<u64>)> + '_ {
        self.ranges.iter().enumerate().filter_map(|(place, range)| Some((place, range.clone()?)))
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that a reader of the run should know.
    pub(crate) fn note(&self, note: String) {
        self.found().notes.insert(note);
    }

    /// Counts rows that end before they start and are kept.
    pub(crate) fn count_backward(&self, rows: u64) {
        self.found().rows_backward += rows;
    }

    /// Takes note of which columns an object has.
    pub(crate) fn saw(&self, header: &Header) {
        let mut found = self.found();
        let absent: BTreeSet<_> = header.absent.iter().copied().collect();
        found.absent_somewhere.extend(&absent);
        found.absent = Some(match found.absent.take() {
            Some(before) => before.intersection(&absent).copied().collect(),
            None => absent,
        });
        found.unknown.extend(header.unknown.iter().cloned());
        found.not_kept.extend(header.not_kept.iter().cloned());
    }

    /// What was found, and the objects read.
    pub(crate) fn into_summary(self) -> (TableSummary, Vec<ObjectRead>) {
        let mut found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Of an object without a head nothing is known.
        let is_read = found.absent.is_some();
        let everywhere = found.absent.take().unwrap_or_default();
        let somewhere = found.absent_somewhere.difference(&everywhere);
        let columns_missing_somewhere = somewhere.map(|column| (*column).to_owned()).collect();
        let absent = match self.layout.absence {
            Absence::Means(meaning) => meaning,
            Absence::Error | Absence::ErrorUnlessEmpty | Absence::Silent => "nothing follows",
        };
        let summary = TableSummary {
            table: self.layout.name.to_owned(),
            objects: self.ranges.iter().flatten().filter(|range| range.start == 0).count(),
            is_read,
            rows_read: found.rows_read,
            rows_rejected: found.rows_rejected,
            rows_backward: found.rows_backward,
            absent: self.objects.is_empty().then(|| absent.to_owned()),
            columns_missing: everywhere.into_iter().map(str::to_owned).collect(),
            columns_missing_somewhere,
            unknown_columns: found.unknown.into_iter().collect(),
            columns_not_kept: found.not_kept.into_iter().collect(),
            notes: found.notes.into_iter().collect(),
        };
        (summary, found.objects)
    }
}

impl<I> Context<'_, I>
where
    I: Intake,
    I::Error: StdError + Send + Sync + 'static,
{
    /// Registers the tables that some object holds, in their order, and chooses
    /// what is read of their objects.
    pub(crate) fn register(&self, tables: &mut [TableReader]) {
        let system = &self.settings.system;
        for table in tables.iter_mut().filter(|table| !table.objects.is_empty()) {
            table.id = Some(self.intake.source_table(system, table.layout.name, self.derive));
        }
        let objects = tables.iter().flat_map(|table| &table.objects);
        let mut ranges = self.division.ranges(objects).into_iter();
        for table in tables {
            table.ranges = ranges.by_ref().take(table.objects.len()).collect();
        }
    }

    /// Pins an object, which must be as it was listed.
    pub(crate) fn pin(&self, object: &ObjectInfo) -> Result<Pinned, Error> {
        let pinned = self.location.pin(&object.path)?;
        if pinned.size() != object.size {
            let object = pinned.url().to_owned();
            return Err(Error::Store(farr_store::Error::Changed { object }));
        }
        Ok(pinned)
    }

    /// Starts an object of a registered table, or a range of one.
    pub(crate) fn start(&self, table: &TableReader, place: usize) -> Started {
        let read = read_of(&self.settings.system, &table.objects[place]);
        Started {
            id: self.intake.object(read.clone()),
            source_table: table.id.expect("tables are registered before they are read"),
            read,
            has_rows: AtomicBool::new(false),
        }
    }

    /// Ends what was read to its end.
    pub(crate) fn finish(&self, table: &TableReader, mut started: Started, range: RangeRead) {
        if range.start == 0 {
            let is_whole = range.end == range.of;
            started.read.sha256 =
                is_whole.then(|| Sha256Hash::of_blocks(&range.blocks).to_string());
            table.found().objects.push(started.read);
        }
        self.intake.range_read(started.id, range);
    }

    /// Reads the bytes `range` of a delimited text object.
    pub(crate) fn read_text(
        &self,
        table: &TableReader,
        (place, range): (usize, Range<u64>),
        map: &MapRows,
    ) -> Result<(), Error> {
        let object = &table.objects[place];
        let pinned = self.pin(object)?;
        let block_bytes = self.division.block_bytes;
        let mut text = match text::open(&pinned, &object.path, range.clone(), block_bytes)? {
            Text::Rows(text) => text,
            Text::Elsewhere => return Ok(()),
            Text::Nothing(read) => {
                // A part of a table may be empty, a table that must be there not.
                if table.layout.absence == Absence::Error && table.objects.len() == 1 {
                    table.layout.resolve(self.settings, (pinned.url(), &object.path), &[])?;
                }
                if range.start == 0 {
                    let path = &object.path;
                    let path = shown_path(path);
                    table.note(format!("{path} is empty: it has no header and no rows"));
                }
                self.finish(table, self.start(table, place), read);
                return Ok(());
            }
        };
        let started = self.start(table, place);
        let head = text.head.clone();
        let header =
            table.layout.resolve(self.settings, (pinned.url(), &object.path), &head.names)?;
        table.saw(&header);
        let take = |chunk| self.take_text(table, &started, (&head, &header), chunk, map);
        // Cutting into chunks is serial, the rest is not: so many at a time,
        // while the next are cut. A row across two blocks is a chunk as well, for
        // which no thread need wait.
        let bytes_max = rayon::current_num_threads().max(1) * CHUNK_BYTES as usize;
        let mut next = || -> Result<Vec<Chunk>, Error> {
            let (mut chunks, mut bytes) = (Vec::new(), 0);
            while bytes + CHUNK_BYTES as usize / 2 < bytes_max
                && let Some(chunk) = text.next()?
            {
                bytes += chunk.bytes.len();
                chunks.push(chunk);
            }
            Ok(chunks)
        };
        let mut chunks = next()?;
        while !chunks.is_empty() {
            let (taken, following) =
                rayon::join(|| chunks.into_par_iter().try_for_each(take), &mut next);
            taken?;
            chunks = following?;
        }
        if range.start == 0 && !started.has_rows() {
            self.take_none(table, &started, &header, map)?;
        }
        self.finish(table, started, text.read()?);
        Ok(())
    }

    /// Reads some columns of an object ahead, for what other tables need of
    /// them: nothing goes to the intake.
    pub(crate) fn peek_text(
        &self,
        table: &TableReader,
        object: &ObjectInfo,
        columns: &[&str],
        look: &mut dyn FnMut(&Rows),
    ) -> Result<(), Error> {
        let pinned = self.pin(object)?;
        let (whole, block_bytes) = (0..object.size, self.division.block_bytes);
        let Text::Rows(mut text) = text::open(&pinned, &object.path, whole, block_bytes)? else {
            return Ok(());
        };
        let head = text.head.clone();
        let mut header =
            table.layout.resolve(self.settings, (pinned.url(), &object.path), &head.names)?;
        header.keep(&table.layout, columns);
        let places: Vec<usize> = header.read.iter().map(|(_, place, _)| *place).collect();
        while let Some(chunk) = text.next()? {
            let mut tokens = Tokens::new(&head, chunk);
            while let Some(text) = tokens.next_rows(&places) {
                let raw = raw_of(&header, text.columns, text.lines.len());
                let (rows, _) = typed(text.lines, &raw, &table.layout, &self.clock)?;
                look(&rows);
            }
        }
        Ok(())
    }

    /// Splits a chunk into fields, types them and hands them over.
    fn take_text(
        &self,
        table: &TableReader,
        started: &Started,
        (head, header): (&Head, &Header),
        chunk: Chunk,
        map: &MapRows,
    ) -> Result<(), Error> {
        let places: Vec<usize> = header.read.iter().map(|(_, place, _)| *place).collect();
        let mut tokens = Tokens::new(head, chunk);
        while let Some(text) = tokens.next_rows(&places) {
            let raw = raw_of(header, text.columns, text.lines.len());
            let (rows, faults) = typed(text.lines, &raw, &table.layout, &self.clock)?;
            let faults = text.faults.into_iter().chain(faults).collect();
            self.take(table, started, &rows, text.rows_read, faults, map)?;
        }
        Ok(())
    }

    /// Hands over that an object of which no row is kept is there: its tables are
    /// empty, not absent.
    pub(crate) fn take_none(
        &self,
        table: &TableReader,
        started: &Started,
        header: &Header,
        map: &MapRows,
    ) -> Result<(), Error> {
        let columns = header.read.iter().map(|_| StringArray::new_null(0)).collect();
        let raw = raw_of(header, columns, 0);
        let (rows, _) = typed(Vec::new(), &raw, &table.layout, &self.clock)?;
        for outgoing in map(&rows)?.outgoing {
            let incoming = Incoming {
                table: outgoing.table,
                rows: outgoing.rows,
                source_table: started.source_table,
                object: started.id,
                lines: outgoing.lines,
                stands_for_source: outgoing.stands_for_source,
            };
            self.intake.rows(incoming).map_err(|error| Error::Intake(Box::new(error)))?;
        }
        Ok(())
    }

    /// Maps typed rows and hands them over, with the faults of the others.
    pub(crate) fn take(
        &self,
        table: &TableReader,
        started: &Started,
        rows: &Rows,
        rows_read: u64,
        mut faults: Vec<Fault>,
        map: &MapRows,
    ) -> Result<(), Error> {
        let refused = |error: I::Error| Error::Intake(Box::new(error));
        let mapped = if rows.len() > 0 { map(rows)? } else { Mapped::default() };
        if rows.len() > 0 {
            started.has_rows.store(true, Ordering::Relaxed);
        }
        faults.extend(mapped.faults);
        self.intake.rows_read(started.source_table, rows_read);
        let mut stand = 0;
        for outgoing in mapped.outgoing.into_iter().filter(|o| !o.lines.is_empty()) {
            if outgoing.stands_for_source {
                stand += outgoing.lines.len() as u64;
            }
            let incoming = Incoming {
                table: outgoing.table,
                rows: outgoing.rows,
                source_table: started.source_table,
                object: started.id,
                lines: outgoing.lines,
                stands_for_source: outgoing.stands_for_source,
            };
            self.intake.rows(incoming).map_err(refused)?;
        }
        assert_eq!(rows_read, stand + faults.len() as u64, "each row is kept or rejected");
        {
            let mut found = table.found();
            found.rows_read += rows_read;
            found.rows_rejected += faults.len() as u64;
        }
        if faults.is_empty() {
            return Ok(());
        }
        let reject = |fault: Fault| Reject {
            source_table: started.source_table,
            object: started.id,
            line: fault.line,
            column: fault.column,
            reason: fault.reason,
        };
        self.intake.rejects(faults.into_iter().map(reject).collect()).map_err(refused)
    }
}

fn read_of(system: &str, object: &ObjectInfo) -> ObjectRead {
    ObjectRead {
        system: system.to_owned(),
        path: object.path.clone(),
        size: object.size,
        etag: object.etag.clone(),
        sha256: None,
    }
}

fn raw_of(header: &Header, columns: Vec<StringArray>, rows: usize) -> Vec<RawColumn<'_>> {
    let mut raw = Vec::with_capacity(columns.len() + header.fixed.len());
    for ((index, _, name), values) in header.read.iter().zip(columns) {
        raw.push(RawColumn { index: *index, name, values: Arc::new(values) });
    }
    raw.extend(fixed_of(header, rows));
    raw
}

/// The columns that the object's folders say, the same in every row.
pub(crate) fn fixed_of(header: &Header, rows: usize) -> impl Iterator<Item = RawColumn<'_>> {
    header.fixed.iter().map(move |(index, name, value)| {
        let values = std::iter::repeat_n(value.as_deref(), rows).collect::<StringArray>();
        RawColumn { index: *index, name, values: Arc::new(values) }
    })
}

/// An object, or a range of one, that is being read.
pub(crate) struct Started {
    pub(crate) id: ObjectId,
    pub(crate) source_table: SourceTableId,
    pub(crate) read: ObjectRead,
    has_rows: AtomicBool,
}

impl Started {
    /// Whether any of its rows could be read.
    pub(crate) fn has_rows(&self) -> bool {
        self.has_rows.load(Ordering::Relaxed)
    }
}
