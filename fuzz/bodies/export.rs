//! An export of several objects, each behind a line `=== name`; the first line
//! says which format. Every row read is kept or rejected, and an error can be
//! printed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use farr_disclosure::{Labelled, PersonLevel, Zone};
use farr_records::{
    Derivations, Incoming, Intake, LocalCodes, ObjectId, ObjectRead, RangeRead, Reject,
    SourceTableId,
};
use farr_source::{Format, Share, SourceSettings, read};
use farr_store::Location;

/// Counts rows by source table.
#[derive(Default)]
struct Counts {
    tables: Mutex<Vec<[u64; 3]>>,
    objects: Mutex<u32>,
    codes: LocalCodes,
}

impl Counts {
    fn add(&self, table: SourceTableId, place: usize, rows: usize) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables[table.0 as usize][place] += rows as u64;
    }
}

impl Intake for Counts {
    type Error = Infallible;

    fn source_table(&self, _: &str, _: &str, _: Derivations) -> SourceTableId {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.push([0; 3]);
        SourceTableId(tables.len() as u32 - 1)
    }

    fn object(&self, _: ObjectRead) -> ObjectId {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        *objects += 1;
        ObjectId(*objects - 1)
    }

    fn range_read(&self, _: ObjectId, _: RangeRead) {}

    fn rows_read(&self, table: SourceTableId, rows: u64) {
        self.add(table, 0, rows as usize);
    }

    fn rows(&self, incoming: Incoming) -> Result<(), Infallible> {
        assert_eq!(incoming.lines.len(), incoming.rows.num_rows());
        if incoming.stands_for_source {
            self.add(incoming.source_table, 1, incoming.lines.len());
        }
        Ok(())
    }

    fn rejects(&self, rejects: Vec<Reject>) -> Result<(), Infallible> {
        for reject in rejects {
            self.add(reject.source_table, 2, 1);
        }
        Ok(())
    }

    fn local_codes(&self) -> &LocalCodes {
        &self.codes
    }
}

pub(crate) fn check(data: &[u8]) {
    let (format, rest) = data.split_at(data.iter().position(|b| *b == b'\n').unwrap_or(0));
    let format = if format == b"omop" { Format::Omop } else { Format::SyntheaCsv };
    let place = Location::memory(Zone::Restricted);
    for (name, content) in objects(rest) {
        let content = Labelled::<PersonLevel, _>::person_level(Bytes::from(content));
        if place.write(&name, content).is_err() {
            return;
        }
    }
    let counts = Counts::default();
    if let Err(error) =
        read(&SourceSettings::new(format, "site"), &place, None, Share::WHOLE, &counts)
    {
        assert!(!error.to_string().is_empty());
        return;
    }
    let tables = counts.tables.lock().unwrap_or_else(PoisonError::into_inner);
    for [read, kept, rejected] in tables.iter() {
        assert_eq!(*read, kept + rejected);
    }
}

/// The objects by name, at most eight.
fn objects(data: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut objects: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = String::new();
    for line in data.split_inclusive(|b| *b == b'\n') {
        if let Some(rest) = line.strip_prefix(b"=== ") {
            String::from_utf8_lossy(rest).trim().clone_into(&mut name);
        } else if !name.is_empty() && (objects.len() < 8 || objects.contains_key(&name)) {
            objects.entry(name.clone()).or_default().extend_from_slice(line);
        }
    }
    objects
}
