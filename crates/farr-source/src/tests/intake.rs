//! A small intake in memory, which checks what the trait promises.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use farr_disclosure::Zone;
use farr_records::{
    Day, Derivations, Incoming, Intake, LocalCodes, ObjectId, ObjectRead, RangeRead, Reject, Scope,
    SourceTableId, Table, dictionary_of_texts,
};
use farr_store::{Location, Sha256Hash};

use crate::{Error, Format, Share, SourceSettings, SourceSummary, read};

#[derive(Debug, Default)]
struct State {
    tables: Vec<(String, Derivations)>,
    objects: Vec<ObjectRead>,
    rows_read: BTreeMap<u32, u64>,
    incoming: Vec<Incoming>,
    rejects: Vec<Reject>,
}

/// Keeps everything.
#[derive(Debug, Default)]
pub(super) struct Kept {
    state: Mutex<State>,
    codes: LocalCodes,
}

impl Intake for Kept {
    type Error = Infallible;

    fn source_table(&self, _: &str, name: &str, derive: Derivations) -> SourceTableId {
        let mut state = self.state.lock().unwrap();
        state.tables.push((name.to_owned(), derive));
        SourceTableId(state.tables.len() as u32 - 1)
    }

    fn object(&self, object: ObjectRead) -> ObjectId {
        let mut state = self.state.lock().unwrap();
        state.objects.push(object);
        ObjectId(state.objects.len() as u32 - 1)
    }

    fn range_read(&self, object: ObjectId, range: RangeRead) {
        let mut state = self.state.lock().unwrap();
        let sha256 = Sha256Hash::of_blocks(&range.blocks).to_string();
        state.objects[object.0 as usize].sha256 = Some(sha256);
    }

    fn rows_read(&self, table: SourceTableId, rows: u64) {
        *self.state.lock().unwrap().rows_read.entry(table.0).or_default() += rows;
    }

    fn rows(&self, mut incoming: Incoming) -> Result<(), Infallible> {
        assert_eq!(incoming.lines.len(), incoming.rows.num_rows());
        for field in incoming.rows.schema().fields() {
            let column = incoming.table.column(field.name()).unwrap();
            let (found, expected) = (field.data_type(), column.kind.data_type());
            let is_keyed = *found == dictionary_of_texts() && expected == DataType::Utf8;
            assert!(is_keyed || *found == expected, "{}", field.name());
            // Keys are for rows of persons, of whom there are many.
            assert!(!is_keyed || incoming.table.scope() == Scope::Person, "{}", incoming.table);
        }
        incoming.rows = with_plain_texts(&incoming.rows);
        let person = incoming.table.person_column();
        assert!(person.is_none_or(|name| incoming.rows[name].null_count() == 0));
        self.state.lock().unwrap().incoming.push(incoming);
        Ok(())
    }

    fn rejects(&self, rejects: Vec<Reject>) -> Result<(), Infallible> {
        self.state.lock().unwrap().rejects.extend(rejects);
        Ok(())
    }

    fn local_codes(&self) -> &LocalCodes {
        &self.codes
    }
}

fn with_plain_texts(rows: &RecordBatch) -> RecordBatch {
    let plain = |column: &ArrayRef| match column.data_type() {
        kind if *kind == dictionary_of_texts() => cast(column, &DataType::Utf8).unwrap(),
        _ => column.clone(),
    };
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    let columns = columns.map(|(f, column)| (f.name(), plain(column), f.is_nullable()));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

impl Kept {
    /// Source rows read and rejected, and records that stand for one, by
    /// source table; asserts that they add up.
    pub(super) fn balance(&self) -> BTreeMap<String, (u64, u64)> {
        let state = self.state.lock().unwrap();
        let balance = state.tables.iter().enumerate().map(|(id, (name, _))| {
            let id = SourceTableId(id as u32);
            let rejects = state.rejects.iter().filter(|r| r.source_table == id).count() as u64;
            let of = state.incoming.iter().filter(|i| i.source_table == id && i.stands_for_source);
            let kept: u64 = of.map(|i| i.lines.len() as u64).sum();
            let read = state.rows_read.get(&id.0).copied().unwrap_or_default();
            assert_eq!(read, kept + rejects, "{name}");
            (name.clone(), (read, rejects))
        });
        balance.collect()
    }

    /// All rows of a table, with the same columns, in order of source line.
    pub(super) fn rows(&self, table: Table) -> RecordBatch {
        let state = self.state.lock().unwrap();
        let mut of: Vec<&Incoming> =
            state.incoming.iter().filter(|i| i.table == table && !i.lines.is_empty()).collect();
        of.sort_by_key(|i| (i.source_table, i.lines[0]));
        let Some(first) = of.first() else { return RecordBatch::new_empty(table.schema()) };
        let schema = first.rows.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let same = of.iter().filter_map(|i| {
            let places = names.iter().map(|name| i.rows.schema().index_of(name));
            i.rows.project(&places.collect::<Result<Vec<_>, _>>().ok()?).ok()
        });
        let same: Vec<RecordBatch> = same.collect();
        concat_batches(&same[0].schema(), &same).unwrap()
    }

    /// A column of a table, as text, in order of source line.
    pub(super) fn column(&self, table: Table, name: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut all = Vec::new();
        for incoming in state.incoming.iter().filter(|i| i.table == table) {
            for (row, line) in incoming.lines.iter().enumerate() {
                let text = incoming.rows.column_by_name(name).map(|c| text_of(c.as_ref(), row));
                all.push(((incoming.source_table, *line), text.unwrap_or_default()));
            }
        }
        all.sort();
        all.into_iter().map(|(_, text)| text).collect()
    }

    /// Rejects as (source table, line, column, reason), sorted.
    pub(super) fn rejects(&self) -> Vec<(String, u64, String, String)> {
        let state = self.state.lock().unwrap();
        let mut rejects: Vec<_> = state
            .rejects
            .iter()
            .map(|r| {
                let table = state.tables[r.source_table.0 as usize].0.clone();
                (table, r.line.0, r.column.clone().unwrap_or_default(), r.reason.clone())
            })
            .collect();
        rejects.sort();
        rejects
    }

    pub(super) fn objects(&self) -> Vec<ObjectRead> {
        self.state.lock().unwrap().objects.clone()
    }

    pub(super) fn derivations(&self) -> Derivations {
        self.state.lock().unwrap().tables[0].1
    }

    /// Local codes as (vocabulary, code, name, domain).
    pub(super) fn codes(&self) -> Vec<(String, String, String, String)> {
        let (list, _) = self.codes.assign(farr_records::ConceptId::FIRST_LOCAL);
        let code = |c: farr_records::LocalCode| {
            (c.vocabulary_id, c.concept_code, c.concept_name, c.domain_id)
        };
        list.into_iter().map(|(_, c)| code(c)).collect()
    }
}

pub(super) fn text_of(values: &dyn Array, row: usize) -> String {
    if values.is_null(row) {
        return String::new();
    }
    if let Some(values) = values.as_string_opt::<i32>() {
        return values.value(row).to_owned();
    }
    if let Some(values) = values.as_primitive_opt::<Int64Type>() {
        return values.value(row).to_string();
    }
    if let Some(values) = values.as_primitive_opt::<Date32Type>() {
        return Day(values.value(row)).to_string();
    }
    if let Some(values) = values.as_primitive_opt::<TimestampMicrosecondType>() {
        return values.value_as_datetime(row).unwrap().to_string();
    }
    values.as_primitive::<Float64Type>().value(row).to_string()
}

/// A folder of `../shared`, or `None` where it is missing and may be.
pub(super) fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").is_err(), "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

/// Reads a folder.
pub(super) fn read_folder(
    folder: &Path,
    settings: &SourceSettings,
) -> (Kept, Result<SourceSummary, Error>) {
    let location = Location::folder(folder, Zone::Restricted).unwrap();
    let kept = Kept::default();
    let summary = read(settings, &location, None, Share::WHOLE, &kept);
    (kept, summary)
}

pub(super) fn synthea() -> SourceSettings {
    SourceSettings::new(Format::SyntheaCsv, "hospital")
}

pub(super) fn omop() -> SourceSettings {
    SourceSettings::new(Format::Omop, "hospital")
}

/// A folder with these files.
#[expect(clippy::disallowed_methods, reason = "a test makes its input")]
pub(super) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}
