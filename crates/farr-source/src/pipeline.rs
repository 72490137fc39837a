//! From objects to the intake: open, split, type, map, hand over.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::StringArray;
use farr_records::{Derivations, Incoming, Intake, ObjectId, ObjectRead, Reject, SourceTableId};
use farr_store::{Location, ObjectInfo};
use rayon::prelude::*;

use crate::clock::Clock;
use crate::decode;
use crate::layout::{Absence, Header, TableLayout};
use crate::outgoing::Mapped;
use crate::rows::{RawColumn, Rows, typed};
use crate::settings::AbsentColumn;
use crate::tokens::{Fault, TextRows, Tokens};
use crate::{Error, SourceSettings, TableSummary};

/// What reading any object needs.
pub(crate) struct Context<'a, I> {
    pub(crate) settings: &'a SourceSettings,
    pub(crate) location: &'a Location,
    pub(crate) clock: Clock,
    pub(crate) intake: &'a I,
    pub(crate) derive: Derivations,
}

/// A table, the objects that hold it, and what was found in them so far.
pub(crate) struct TableReader {
    pub(crate) layout: TableLayout,
    pub(crate) objects: Vec<ObjectInfo>,
    /// Its place in the intake, and those of its objects, once registered.
    id: Option<SourceTableId>,
    object_ids: Vec<ObjectId>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    rows_read: u64,
    rows_rejected: u64,
    rows_backward: u64,
    absent: Option<BTreeSet<&'static str>>,
    unknown: BTreeSet<String>,
    not_kept: BTreeSet<String>,
    notes: BTreeSet<String>,
    objects: Vec<ObjectRead>,
}

/// What makes records of typed rows.
pub(crate) type MapRows<'m> = dyn Fn(&Rows) -> Result<Mapped, Error> + Sync + 'm;

impl TableReader {
    pub(crate) fn new(layout: TableLayout, objects: Vec<ObjectInfo>) -> Self {
        Self { layout, objects, id: None, object_ids: Vec::new(), found: Mutex::default() }
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
        if found.rows_backward > 0 {
            let rows = found.rows_backward;
            found.notes.insert(format!("{rows} rows end before they start; kept as they are"));
        }
        let absent = match self.layout.absence {
            Absence::Means(meaning) => meaning,
            Absence::Error | Absence::ErrorUnlessEmpty | Absence::Silent => "nothing follows",
        };
        let meaning = |column: &'static str| {
            let layout = self.layout.columns.iter().find(|layout| layout.name == column)?;
            let Absence::Means(meaning) = layout.absence else { return None };
            Some(AbsentColumn { column: column.to_owned(), meaning: meaning.to_owned() })
        };
        let summary = TableSummary {
            table: self.layout.name.to_owned(),
            objects: self.objects.len(),
            rows_read: found.rows_read,
            rows_rejected: found.rows_rejected,
            absent: self.objects.is_empty().then(|| absent.to_owned()),
            absent_columns: found.absent.into_iter().flatten().filter_map(meaning).collect(),
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
    /// Registers the tables that some object holds, and the objects, in their
    /// order, so that their places in the intake do not depend on threads.
    pub(crate) fn register(&self, tables: &mut [TableReader]) {
        let system = &self.settings.system;
        for table in tables.iter_mut().filter(|table| !table.objects.is_empty()) {
            table.id = Some(self.intake.source_table(system, table.layout.name, self.derive));
            let objects = table.objects.iter();
            table.object_ids =
                objects.map(|object| self.intake.object(read_of(system, object))).collect();
        }
    }

    /// Starts the object at a place of a registered table.
    pub(crate) fn start(&self, table: &TableReader, place: usize) -> Started {
        let object = &table.objects[place];
        Started {
            id: table.object_ids[place],
            source_table: table.id.expect("tables are registered before they are read"),
            read: read_of(&self.settings.system, object),
            url: self.location.url_of(&object.path),
        }
    }

    /// Ends an object that was read to its end.
    pub(crate) fn finish(&self, table: &TableReader, mut started: Started, sha256: &str) {
        self.intake.object_hash(started.id, sha256);
        started.read.sha256 = Some(sha256.to_owned());
        table.found().objects.push(started.read);
    }

    /// Reads a delimited text object from its start to its end.
    pub(crate) fn read_text(
        &self,
        table: &TableReader,
        place: usize,
        map: &MapRows,
    ) -> Result<(), Error> {
        let object = &table.objects[place];
        let started = self.start(table, place);
        let damaged = |source| Error::Damaged { object: started.url.clone(), source };
        let content = decode::open(self.location, &object.path)?;
        let Some(mut tokens) = Tokens::open(content.reader).map_err(damaged)? else {
            if table.layout.absence == Absence::Error {
                table.layout.resolve(self.settings, &started.url, &[])?;
            }
            table.note(format!("{} is empty: it has no header and no rows", object.path));
            self.finish(table, started, (content.hash)().as_str());
            return Ok(());
        };
        let header = table.layout.resolve(self.settings, &started.url, tokens.header())?;
        table.saw(&header);
        let places: Vec<usize> = header.read.iter().map(|(_, place, _)| *place).collect();
        // Splitting is serial, the rest is not: so many batches at a time.
        let batches_max = rayon::current_num_threads().max(1);
        let mut has_rows = false;
        loop {
            let mut batches = Vec::new();
            while batches.len() < batches_max
                && let Some(rows) = tokens.next_rows(&places).map_err(damaged)?
            {
                batches.push(rows);
            }
            if batches.is_empty() {
                break;
            }
            has_rows = true;
            batches
                .into_par_iter()
                .try_for_each(|rows| self.take_text(table, &started, &header, rows, map))?;
        }
        if !has_rows {
            self.take_none(table, &started, &header, map)?;
        }
        self.finish(table, started, (content.hash)().as_str());
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
        let url = self.location.url_of(&object.path);
        let damaged = |source| Error::Damaged { object: url.clone(), source };
        let content = decode::open(self.location, &object.path)?;
        let Some(mut tokens) = Tokens::open(content.reader).map_err(damaged)? else {
            return Ok(());
        };
        let mut header = table.layout.resolve(self.settings, &url, tokens.header())?;
        header.keep(&table.layout, columns);
        let places: Vec<usize> = header.read.iter().map(|(_, place, _)| *place).collect();
        while let Some(text) = tokens.next_rows(&places).map_err(damaged)? {
            let raw = raw_of(&header, text.columns);
            let (rows, _) = typed(text.lines, &raw, &table.layout, &self.clock)?;
            look(&rows);
        }
        Ok(())
    }

    fn take_text(
        &self,
        table: &TableReader,
        started: &Started,
        header: &Header,
        text: TextRows,
        map: &MapRows,
    ) -> Result<(), Error> {
        let raw = raw_of(header, text.columns);
        let (rows, faults) = typed(text.lines, &raw, &table.layout, &self.clock)?;
        let faults = text.faults.into_iter().chain(faults).collect();
        self.take(table, started, &rows, text.rows_read, faults, map)
    }

    /// Hands over that an object without rows is there: its tables are empty,
    /// not absent.
    pub(crate) fn take_none(
        &self,
        table: &TableReader,
        started: &Started,
        header: &Header,
        map: &MapRows,
    ) -> Result<(), Error> {
        let columns = header.read.iter().map(|_| StringArray::new_null(0)).collect();
        let raw = raw_of(header, columns);
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

fn raw_of(header: &Header, columns: Vec<StringArray>) -> Vec<RawColumn<'_>> {
    let mut raw = Vec::with_capacity(columns.len());
    for ((index, _, name), values) in header.read.iter().zip(columns) {
        raw.push(RawColumn { index: *index, name, values: Arc::new(values) });
    }
    raw
}

/// An object that is being read.
pub(crate) struct Started {
    pub(crate) id: ObjectId,
    pub(crate) source_table: SourceTableId,
    pub(crate) read: ObjectRead,
    /// For messages.
    pub(crate) url: String,
}
