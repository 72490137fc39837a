//! OMOP CDM 5.3 and 5.4, as CSV or Parquet: tables pass through typed, ids are
//! kept. `docs/reference/source-omop.md` says what is done to which column.
//!
//! Rows of events that end before they start are kept as they are, since the
//! cohort language says what they mean; they are counted in the summary.

mod costs;
mod layout;
mod parquet;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray};
use farr_records::{Derivations, Intake, Kind, Scope, Table};
use farr_store::{Location, ObjectInfo};
use rayon::prelude::*;

use self::costs::CostPersons;
use crate::clock::{Clock, MICROS_A_DAY};

use crate::layout::Absence;
use crate::objects::{PARQUET, TEXT, assign, is_named_parquet, is_named_text, missing};
use crate::outgoing::{Mapped, Outgoing};
use crate::pipeline::{Context, MapRows, TableReader};
use crate::rows::Rows;
use crate::share::{Division, Share};
use crate::tokens::Fault;
use crate::unheard::Unheard;
use crate::{Error, Format, SourceSettings, SourceSummary};

const ENDINGS: [&str; 6] = [TEXT[0], TEXT[1], PARQUET[0], PARQUET[1], PARQUET[2], PARQUET[3]];

/// Which tables are read, and without which there is nothing to read.
struct Tables<'t> {
    all: &'t [Table],
    required: Table,
}

pub(crate) fn read<I>(
    settings: &SourceSettings,
    location: &Location,
    division: Division,
    intake: &I,
) -> Result<SourceSummary, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let tables = Tables { all: &Table::ALL, required: Table::Person };
    read_tables((settings, location), division, intake, &tables, &|_, _| ())
}

/// The objects that hold tables, by path: of all, or of a vocabulary.
pub(crate) fn objects(
    settings: &SourceSettings,
    location: &Location,
    is_vocabulary: bool,
) -> Result<Vec<ObjectInfo>, Error> {
    let all = if is_vocabulary { vocabulary_tables() } else { Table::ALL.to_vec() };
    let names: Vec<&str> = all.iter().map(|table| table.name()).collect();
    Ok(assign(location, settings, &names, &ENDINGS)?.objects())
}

fn vocabulary_tables() -> Vec<Table> {
    Table::ALL.into_iter().filter(|table| table.scope() == Scope::Vocabulary).collect()
}

/// Batches of the two tables that a mapping is made of.
#[derive(Debug, Default)]
pub(crate) struct VocabularyTables {
    pub(crate) concept: Vec<RecordBatch>,
    pub(crate) concept_relationship: Vec<RecordBatch>,
}

/// Reads vocabulary tables only, and keeps a copy of what a mapping needs. A
/// share reads the two tables of the mapping whole, and hands over its own rows
/// of all.
pub(crate) fn read_vocabulary<I>(
    settings: &SourceSettings,
    location: &Location,
    division: Division,
    intake: &I,
) -> Result<(VocabularyTables, SourceSummary), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let tables = Tables { all: &vocabulary_tables(), required: Table::Concept };
    let kept = Mutex::new(VocabularyTables::default());
    let keep = |table: Table, rows: &RecordBatch| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match table {
            Table::Concept => kept.concept.push(rows.clone()),
            Table::ConceptRelationship => kept.concept_relationship.push(rows.clone()),
            _ => {}
        }
    };
    let source = (settings, location);
    let summary = if division.share.is_whole() {
        read_tables(source, division, intake, &tables, &keep)?
    } else {
        let of_mapping =
            Tables { all: &[Table::Concept, Table::ConceptRelationship], required: Table::Concept };
        let whole = Division { share: Share::WHOLE, ..division };
        read_tables(source, whole, &Unheard::default(), &of_mapping, &keep)?;
        read_tables(source, division, intake, &tables, &|_, _| ())?
    };
    Ok((kept.into_inner().unwrap_or_else(PoisonError::into_inner), summary))
}

fn read_tables<I>(
    (settings, location): (&SourceSettings, &Location),
    division: Division,
    intake: &I,
    tables: &Tables<'_>,
    keep: &(dyn Fn(Table, &RecordBatch) + Sync),
) -> Result<SourceSummary, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let &Tables { all: tables, required } = tables;
    let names: Vec<&str> = tables.iter().map(|table| table.name()).collect();
    let mut assigned = assign(location, settings, &names, &ENDINGS)?;
    if !assigned.by_table.contains_key(required.name()) {
        let other = ("patients", Format::SyntheaCsv);
        return Err(missing(location, required.name(), &assigned, other));
    }
    let mut readers: Vec<TableReader> = Vec::new();
    for table in tables {
        let objects = assigned.by_table.remove(table.name()).unwrap_or_default();
        let absence = match table {
            table if *table == required => Absence::Error,
            Table::ObservationPeriod => Absence::Means("made of each person's events"),
            Table::ConditionEra | Table::DrugEra => {
                Absence::Means("made of the exposures or occurrences")
            }
            _ => Absence::Means("the records have no such rows"),
        };
        readers.push(TableReader::new(layout::layout(*table, absence), objects));
    }
    let lacks = |table: Table| {
        readers.iter().any(|r| r.layout.name == table.name() && r.objects.is_empty())
    };
    let context = Context {
        settings,
        location,
        clock: Clock::new(&settings.system, &settings.timezone)?,
        intake,
        derive: Derivations {
            observation_periods: lacks(Table::ObservationPeriod),
            condition_eras: lacks(Table::ConditionEra),
            drug_eras: lacks(Table::DrugEra),
            providers_from_visits: false,
        },
        division,
    };
    context.register(&mut readers);
    let persons = CostPersons::read(&context, &readers)?;
    let pieces: Vec<_> = readers.iter().flat_map(|r| r.pieces().map(move |p| (r, p))).collect();
    pieces.into_par_iter().with_max_len(1).try_for_each(|(reader, piece)| {
        let Some(table) = Table::from_name(reader.layout.name) else { return Ok(()) };
        read_object(&context, reader, piece, &|rows| {
            let mapped = pass(table, rows, &persons)?;
            for outgoing in &mapped.outgoing {
                keep(table, &outgoing.rows);
            }
            note_backward(reader, table, rows);
            Ok(mapped)
        })
    })?;
    let mut summary =
        SourceSummary { unknown_objects: assigned.unknown, ..SourceSummary::default() };
    for reader in readers {
        let (table, objects) = reader.into_summary();
        summary.tables.push(table);
        summary.objects.extend(objects);
    }
    summary.objects.sort_by(|a, b| a.path.cmp(&b.path));
    if division.share.is_whole() {
        note_empty_eras(&mut summary);
    }
    Ok(summary)
}

/// Reads an object of either form.
fn read_object<I>(
    context: &Context<'_, I>,
    reader: &TableReader,
    (place, range): (usize, Range<u64>),
    map: &MapRows,
) -> Result<(), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    if is_parquet(context.location, &reader.objects[place])? {
        parquet::read(context, reader, (place, range), map)
    } else {
        context.read_text(reader, (place, range), map)
    }
}

/// Whether an object is Parquet: by its name, or, where that says nothing, by how
/// it starts.
fn is_parquet(location: &Location, object: &ObjectInfo) -> Result<bool, Error> {
    const MAGIC: &[u8] = b"PAR1";
    if is_named_parquet(&object.path) || is_named_text(&object.path) {
        return Ok(is_named_parquet(&object.path));
    }
    let is_long = object.size > MAGIC.len() as u64;
    Ok(is_long && *location.read_range(&object.path, 0..MAGIC.len() as u64)? == *MAGIC)
}

/// Rows as they are, typed.
fn pass(table: Table, rows: &Rows, persons: &CostPersons) -> Result<Mapped, Error> {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for column in table.columns().iter().filter(|column| rows.has(column.name)) {
        let values = match column.kind {
            Kind::Datetime => Arc::new(times(rows, column.name)) as ArrayRef,
            kind => rows.values(column.name, &kind.data_type()),
        };
        columns.push((column.name, values));
    }
    let chosen = match table {
        Table::Cost => persons.choose(rows, &mut columns),
        Table::LocationHistory => of_persons(rows),
        _ => None,
    };
    let Some((chosen, faults)) = chosen else {
        let outgoing = Outgoing::new(table, rows.lines.clone(), true, columns)?;
        return Ok(Mapped { outgoing: vec![outgoing], faults: Vec::new() });
    };
    let mut outgoing = Outgoing::of_rows(table, rows, &chosen, columns)?;
    outgoing.stands_for_source = true;
    Ok(Mapped { outgoing: vec![outgoing], faults })
}

/// Local times; midnight where there is a day only.
fn times(rows: &Rows, name: &str) -> TimestampMicrosecondArray {
    let (days, times) = (rows.days(name), rows.times(name));
    if times.null_count() == days.null_count() {
        return times;
    }
    let time = |row: usize| {
        let midnight = days.is_valid(row).then(|| i64::from(days.value(row)) * MICROS_A_DAY);
        if times.is_valid(row) { Some(times.value(row)) } else { midnight }
    };
    (0..rows.len()).map(time).collect()
}

/// Locations of persons, and faults for those of care sites and others; `None`
/// if all are of persons.
fn of_persons(rows: &Rows) -> Option<(Vec<u32>, Vec<Fault>)> {
    let domains = rows.text("domain_id");
    let mut faults = Vec::new();
    let mut chosen = Vec::new();
    for row in 0..rows.len() {
        if domains.is_null(row) || domains.value(row).trim().eq_ignore_ascii_case("person") {
            chosen.push(row as u32);
        } else {
            let reason = "is not PERSON: only persons' locations are kept".to_owned();
            let column = Some("domain_id".to_owned());
            faults.push(Fault { line: rows.lines[row], column, reason });
        }
    }
    (!faults.is_empty()).then_some((chosen, faults))
}

fn note_backward(reader: &TableReader, table: Table, rows: &Rows) {
    let (Some(start), Some(end)) = (table.start_column(), table.end_column()) else { return };
    let (starts, ends) = (rows.days(start), rows.days(end));
    let backward = starts
        .iter()
        .zip(ends.iter())
        .filter(|pair| matches!(pair, (Some(start), Some(end)) if end < start));
    reader.count_backward(backward.count() as u64);
    if table == Table::ObservationPeriod && ends.null_count() > 0 {
        let note = "some rows have no end; kept as they are, but nobody is observed in them: \
                    write the day up to which the data goes there";
        reader.note(note.to_owned());
    }
}

/// An era table that is there and empty is kept so; but it may be a surprise.
pub(crate) fn note_empty_eras(summary: &mut SourceSummary) {
    for (eras, events) in [("condition_era", "condition_occurrence"), ("drug_era", "drug_exposure")]
    {
        let has_events = summary.tables.iter().any(|t| t.table == events && t.rows_read > 0);
        let empty =
            |t: &&mut crate::TableSummary| t.table == eras && t.objects > 0 && t.rows_read == 0;
        if let Some(table) = summary.tables.iter_mut().find(empty).filter(|_| has_events) {
            let note = format!(
                "it is there and empty, though {events} has rows: kept so; take the file away to have the eras made"
            );
            if !table.notes.contains(&note) {
                table.notes.push(note);
            }
        }
    }
}
