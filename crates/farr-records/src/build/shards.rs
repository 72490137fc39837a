//! One shard after the other: its persons, their rows in order, what is
//! derived of them, and the files.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use farr_disclosure::Labelled;
use farr_store::{Location, Sha256Hash};
use std::collections::BTreeMap;

use super::arrange::{arrange, by_person};
use super::at_rest::{Piece, Spilled};
use super::balance::Fortunes;
use super::buffers::ColumnSet;
use super::derive::{Ingredients, Observed, VisitProviders, condition_eras, drug_eras};
use super::persons::Persons;
use super::pieces::ids_of;
use super::registry::{Ranks, Registry};
use super::repeated::{IdsSpilled, ranges_for, spill_ids};
use super::spill::Scratch;
use crate::encoding::Sequences;
use crate::manifest::FileEntry;
use crate::{Derivations, Error, Scope, ShardId, Table, parquet_file};

/// What every shard of a build needs to know.
pub(super) struct Plan<'a> {
    pub(super) location: &'a Location,
    pub(super) registry: &'a Registry,
    pub(super) spilled: &'a Spilled,
    /// For the ids of rows, which are counted at last.
    pub(super) scratch: &'a Scratch,
    pub(super) ranks: Ranks,
    /// The tables that the store will have, and the columns that any of their
    /// rows have.
    pub(super) tables: BTreeMap<Table, ColumnSet>,
    /// By source table, what is derived for its persons.
    pub(super) derive: Vec<Derivations>,
    /// Ingredients of drugs, where the vocabulary has any.
    pub(super) ingredients: Option<Ingredients>,
}

/// What building a shard or a piece gave.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) files: BTreeMap<Table, FileEntry>,
    /// The codes of the concepts, beside their table.
    pub(super) codes: Option<FileEntry>,
    pub(super) fortunes: Fortunes,
    pub(super) ids: BTreeMap<Table, IdsSpilled>,
    pub(super) exposures_without_ingredient: u64,
    pub(super) providers_filled: u64,
}

/// Tables made after all others, since they are derived of them.
const DERIVED_LAST: [Table; 3] = [Table::ConditionEra, Table::DrugEra, Table::ObservationPeriod];

impl Plan<'_> {
    /// Builds a shard and writes its files.
    pub(super) fn build_shard(&self, shard: ShardId) -> Result<Outcome, Error> {
        let mut build = ShardBuild::start(self, shard)?;
        if self.tables.contains_key(&Table::VisitOccurrence) {
            let (rows, places) = build.events(Table::VisitOccurrence, None)?;
            build.visit_providers = VisitProviders::of(&rows, &places);
        }
        let mut eras = BTreeMap::new();
        for table in self.tables.keys().copied().filter(|table| table.scope() == Scope::Person) {
            let done = matches!(table, Table::Person | Table::VisitOccurrence);
            if done || DERIVED_LAST.contains(&table) {
                continue;
            }
            let (rows, places) = build.events(table, None)?;
            let persons = &build.persons;
            if table == Table::ConditionOccurrence {
                let asked = |place| build.asks(place).condition_eras;
                eras.insert(Table::ConditionEra, condition_eras(&rows, &places, persons, asked)?);
            }
            if table == Table::DrugExposure {
                let asked = |place| build.asks(place).drug_eras;
                let ingredients = self.ingredients.as_ref();
                let (rows, without) = drug_eras(&rows, &places, persons, ingredients, asked)?;
                eras.insert(Table::DrugEra, rows);
                build.outcome.exposures_without_ingredient += without;
            }
        }
        let asked = |place| build.asks(place).observation_periods;
        eras.insert(Table::ObservationPeriod, build.observed.periods(&build.persons, asked)?);
        for table in DERIVED_LAST {
            if self.tables.contains_key(&table) {
                build.events(table, eras.get(&table))?;
            }
        }
        Ok(build.outcome)
    }

    /// Writes a table's file and notes its ids.
    fn finish_table(
        &self,
        outcome: &mut Outcome,
        table: Table,
        path: String,
        rows: &RecordBatch,
        persons: u64,
    ) -> Result<(), Error> {
        let sequences = Sequences::of(table);
        let file = write(self.location, path, rows, &table.schema(), persons, &sequences)?;
        outcome.files.insert(table, file);
        self.note_ids(outcome, table, &ids_of(table, rows))
    }

    /// Notes the ids of a table's rows, where they are counted.
    pub(super) fn note_ids(
        &self,
        outcome: &mut Outcome,
        table: Table,
        ids: &[i64],
    ) -> Result<(), Error> {
        if counted_ids(table).is_some() {
            let seen = self.spilled.seen.get(&table).map_or(0, |seen| seen.rows);
            outcome.ids.insert(table, spill_ids(self.scratch, ids, ranges_for(seen))?);
        }
        Ok(())
    }
}

/// A shard under construction.
struct ShardBuild<'a> {
    plan: &'a Plan<'a>,
    shard: ShardId,
    persons: Persons,
    observed: Observed,
    visit_providers: VisitProviders,
    outcome: Outcome,
}

impl<'a> ShardBuild<'a> {
    /// Settles the persons and writes their table.
    fn start(plan: &'a Plan<'a>, shard: ShardId) -> Result<Self, Error> {
        let columns = plan.tables.get(&Table::Person).copied().unwrap_or_default();
        let piece = plan.spilled.of_shard(Table::Person, columns, shard)?;
        let mut outcome = Outcome::default();
        let (persons, piece) =
            Persons::settle(piece, plan.registry, &plan.ranks, &mut outcome.fortunes)?;
        let path = path_of(Table::Person, shard);
        let count = persons.len() as u64;
        plan.finish_table(&mut outcome, Table::Person, path, &piece.rows, count)?;
        let observed = Observed::new(persons.len());
        let visit_providers = VisitProviders::default();
        Ok(Self { plan, shard, persons, observed, visit_providers, outcome })
    }

    /// What is derived for the person at a place.
    fn asks(&self, place: usize) -> Derivations {
        self.plan.derive[self.persons.source_table(place) as usize]
    }

    /// Settles the rows of a table, with derived ones if given, and writes
    /// them. Gives them in order, and the place of each row's person.
    fn events(
        &mut self,
        table: Table,
        derived: Option<&RecordBatch>,
    ) -> Result<(RecordBatch, Vec<u32>), Error> {
        let plan = self.plan;
        let columns = plan.tables.get(&table).copied().unwrap_or_default();
        let mut piece = plan.spilled.of_shard(table, columns, self.shard)?;
        if let Some(derived) = derived {
            piece.add_derived(derived)?;
        }
        let (places, refused) = self.persons.places(&piece)?;
        if table != Table::VisitOccurrence {
            let asked = |place| self.asks(place).providers_from_visits;
            let filled = self.visit_providers.fill(&mut piece, &places, asked)?;
            self.outcome.providers_filled += filled;
        }
        let keyed = by_person(&piece, &places, self.persons.len());
        let arranged = arrange(&piece, keyed, &plan.ranks)?;
        self.outcome.fortunes.count(&piece, &arranged);
        self.outcome.fortunes.refuse(&piece, &refused);
        let places: Vec<u32> =
            arranged.kept.iter().filter_map(|row| places[*row as usize]).collect();
        let rows = taken(&piece, &UInt32Array::from(arranged.kept))?;
        self.observed.see(table, &rows, &places);
        let persons = places.chunk_by(|a, b| a == b).count() as u64;
        let path = path_of(table, self.shard);
        plan.finish_table(&mut self.outcome, table, path, &rows, persons)?;
        Ok((rows, places))
    }
}

/// The column of ids that are counted if they repeat; persons' never do.
pub(super) fn counted_ids(table: Table) -> Option<&'static str> {
    table.id_column().filter(|_| table != Table::Person)
}

pub(super) fn taken(piece: &Piece, rows: &UInt32Array) -> Result<RecordBatch, Error> {
    let failed = |source| Error::Arrow { table: piece.table, source };
    take_record_batch(&piece.rows, rows).map_err(failed)
}

/// Where the rows of a table lie in a store.
fn path_of(table: Table, shard: ShardId) -> String {
    format!("tables/{table}/{shard}.parquet")
}

/// Writes rows in narrow form as a Parquet file with a schema's columns.
pub(super) fn write(
    location: &Location,
    path: String,
    rows: &RecordBatch,
    schema: &SchemaRef,
    persons: u64,
    sequences: &Sequences,
) -> Result<FileEntry, Error> {
    let failed = |source| Error::Parquet { object: location.url_of(&path), source };
    let bytes = parquet_file::encode(rows, schema, sequences, parquet_file::ROW_GROUP_ROWS);
    let bytes = bytes.map_err(failed)?;
    let sha256 = Sha256Hash::of(&bytes);
    let size = bytes.len() as u64;
    location.write(&path, Labelled::person_level(bytes))?;
    Ok(FileEntry { path, rows: rows.num_rows() as u64, persons, size, sha256 })
}
