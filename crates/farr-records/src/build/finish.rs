//! From rows at rest to a store: pieces, shards, balance, manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use bytes::Bytes;
use farr_disclosure::Labelled;
use farr_store::Location;

use super::at_rest::{PartRows, Spilled};
use super::balance::{
    Fortunes, check_rejects, commonest, note_refused, rejects_table, tables_with_rejects,
};
use super::buffers::{ColumnSet, all_columns, column_set};
use super::local_concepts;
use super::marks::Marks;
use super::parts::Joined;
use super::pulled::Pulled;
use super::registry::Registry;
use super::repeated::{IdsSpilled, count_repeated};
use super::shards::{Outcome, Plan, write};
use super::spill::Scratch;
use super::{BuildSettings, Built, Progress, SpillPlace, Watch};
use crate::encoding::Sequences;
use crate::manifest::{
    Derived, DrugEraBasis, FORMAT_VERSION, FileEntry, MANIFEST_PATH, Manifest, RepeatedIds,
    TableEntry,
};
use crate::{ConceptId, Derivations, Error, LocalCode, ObjectRead, Scope, ShardId, Table};

/// Builds a store of one or several parts of a pull and writes it to a place
/// that holds none, its manifest last, on the threads of rayon's current pool.
/// Its bytes depend on what was read, not on how that was divided into parts.
///
/// With a place for `marks` a shard that is built leaves a mark there, once its
/// files are written; a later build of the same objects to the same place takes
/// it as it is if its files still have their hashes. The place must belong to
/// one way of reading the objects.
///
/// # Errors
/// [`Error::NoPersons`] without a person table, [`Error::AllRejected`] if no person
/// could be kept; [`Error::TooManyRejects`];
/// [`Error::Collision`]; [`Error::Balance`] if rows got lost;
/// [`Error::Unfinished`], [`Error::Changed`] and [`Error::Ranges`] for objects
/// that the parts do not make up; [`Error::Stopped`] if `watch` says so; and
/// what fails in reading and writing.
pub fn build(
    parts: Vec<Pulled>,
    settings: &BuildSettings,
    store: &Location,
    marks: Option<&Location>,
    watch: &Watch<'_>,
) -> Result<Built, Error> {
    settings.check()?;
    let Joined { mut registry, numbers, codes, seen, decoded_bytes } = Joined::of(&parts)?;
    check_rejects(&registry, settings.rejects_max)?;
    let snapshot = registry.snapshot()?;
    let shard_count = settings.shard_count(decoded_bytes);
    let marks = marks.map(|place| Marks::of(place, &snapshot, shard_count));
    let rows_of = |(part, numbers)| PartRows::new(part, numbers);
    let parts = parts.into_iter().zip(numbers).map(rows_of).collect::<Result<_, _>>()?;
    let spilled = Spilled { parts, seen };
    let scratch_folder = match &settings.spill {
        SpillPlace::Temporary(folder) => folder.as_deref(),
        SpillPlace::Kept(_) => None,
    };
    let scratch = Scratch::new(scratch_folder)?;
    let mut work = Work {
        plan: Plan {
            location: store,
            ranks: registry.ranks(),
            tables: tables_of(&spilled, &registry, !codes.is_empty())?,
            derive: registry.tables.iter().map(|table| registry.systems[&table.system]).collect(),
            registry: &registry,
            spilled: &spilled,
            scratch: &scratch,
            ingredients: None,
        },
        marks,
        watch,
        in_flight_max: settings.shards_in_flight,
    };
    work.tell(Progress::Begins { shards: shard_count })?;
    let pieces = work.build_pieces(&codes)?;
    let built = work.build_shards(shard_count)?;
    let by_ingredient = work.plan.ingredients.is_some();
    drop(work);
    let mut outcome = Gathered::default();
    for part in pieces.into_iter().chain(built) {
        outcome.add(part);
    }
    let repeated_ids = repeated_ids(&scratch, &outcome)?;

    let balance = outcome.fortunes.balance(&registry)?;
    note_refused(&mut registry, &outcome.fortunes.refused);
    check_rejects(&registry, settings.rejects_max)?;
    let persons = outcome.files[&Table::Person].iter().map(|file| file.rows).sum();
    if persons == 0 {
        return Err(no_persons(&registry));
    }
    let records = outcome.fortunes.records(&registry);
    let rejects = write_rejects(store, &registry)?;
    let tables_with_rejects = tables_with_rejects(&registry);
    let derived = derived_of(&registry, &outcome, by_ingredient);
    let has = |table: Table| spilled.seen.get(&table).is_some_and(|seen| seen.rows > 0);
    let objects: Vec<ObjectRead> = registry.objects.into_iter().map(|object| object.read).collect();
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        farr_version: env!("CARGO_PKG_VERSION").to_owned(),
        omop_version: "5.4".to_owned(),
        shard_count,
        persons,
        snapshot,
        timezones: settings.timezones.clone(),
        tables: outcome.tables(),
        codes: outcome.codes.clone(),
        balance,
        records,
        repeated_ids,
        rejects,
        derived,
        local_concepts: codes.len() as u64,
        has_vocabulary: has(Table::Concept),
        has_ancestors: has(Table::ConceptAncestor),
        objects: objects.iter().map(|o| ObjectRead { etag: None, ..o.clone() }).collect(),
    };
    write_manifest(store, &manifest)?;
    Ok(Built { manifest, objects, rejects: tables_with_rejects })
}

/// That there are no persons, and why.
fn no_persons(registry: &Registry) -> Error {
    let rejected = registry.rejects.len() as u64;
    let read = registry.tables.iter().map(|table| table.read).sum();
    if rejected == 0 {
        return Error::NoPersons { rows: read };
    }
    let (commonest, reasons) = commonest(registry, |_| true);
    Error::AllRejected { rejected, read, commonest, reasons }
}

/// The tables that the store will have, and the columns their rows have.
fn tables_of(
    spilled: &Spilled,
    registry: &Registry,
    local: bool,
) -> Result<BTreeMap<Table, ColumnSet>, Error> {
    let seen = spilled.seen.iter().map(|(table, seen)| (*table, seen.columns));
    let mut tables: BTreeMap<Table, ColumnSet> = seen.collect();
    if !tables.contains_key(&Table::Person) {
        return Err(no_persons(registry));
    }
    let asks = |what: fn(&Derivations) -> bool| registry.systems.values().any(what);
    let mut add = |table: Table| {
        tables.insert(table, all_columns(table));
    };
    if asks(|derive| derive.observation_periods) {
        add(Table::ObservationPeriod);
    }
    if asks(|derive| derive.condition_eras)
        && spilled.seen.contains_key(&Table::ConditionOccurrence)
    {
        add(Table::ConditionEra);
    }
    if asks(|derive| derive.drug_eras) && spilled.seen.contains_key(&Table::DrugExposure) {
        add(Table::DrugEra);
    }
    if local {
        add(Table::Concept);
    }
    if asks(|derive| derive.providers_from_visits) {
        for (table, columns) in &mut tables {
            if *columns & column_set(*table, "visit_occurrence_id") != 0 {
                *columns |= column_set(*table, "provider_id");
            }
        }
    }
    Ok(tables)
}

/// A build on its way.
struct Work<'a> {
    plan: Plan<'a>,
    marks: Option<Marks<'a>>,
    watch: &'a Watch<'a>,
    in_flight_max: usize,
}

impl Work<'_> {
    fn tell(&self, progress: Progress) -> Result<(), Error> {
        match (self.watch)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    }

    /// What an earlier build of a shard or piece gave, if it left a mark.
    fn marked(&self, name: &str) -> Result<Option<Outcome>, Error> {
        match &self.marks {
            Some(marks) => marks.outcome(&self.plan, name),
            None => Ok(None),
        }
    }

    fn mark(&self, name: &str, outcome: &Outcome) -> Result<(), Error> {
        self.marks.as_ref().map_or(Ok(()), |marks| marks.put(name, outcome))
    }

    fn build_shards(&self, shard_count: u32) -> Result<Vec<Outcome>, Error> {
        let shards: Vec<ShardId> = ShardId::all(shard_count).collect();
        in_flight(&shards, self.in_flight_max, |shard| {
            let name = format!("shard-{:05}", shard.index());
            let (outcome, was_there) = match self.marked(&name)? {
                Some(outcome) => (outcome, true),
                None => (self.plan.build_shard(*shard)?, false),
            };
            if !was_there {
                self.mark(&name, &outcome)?;
            }
            self.tell(Progress::Shard { shard: *shard, was_there })?;
            Ok(outcome)
        })
    }

    /// Builds a table without persons, and of concepts their codes.
    fn build_piece(&self, table: Table, derived: Option<&RecordBatch>) -> Result<Outcome, Error> {
        let name = format!("table-{table}");
        let marked = self.marked(&name)?;
        let was_there = marked.is_some();
        let outcome = if let Some(outcome) = marked {
            outcome
        } else {
            let mut outcome = self.plan.build_piece(table, derived)?;
            if let Some(file) = outcome.files.get(&Table::Concept) {
                outcome.codes = Some(self.plan.write_codes(file)?);
            }
            self.mark(&name, &outcome)?;
            outcome
        };
        self.tell(Progress::Table { table, was_there })?;
        Ok(outcome)
    }

    /// Builds the tables without persons, and learns the ingredients of drugs.
    fn build_pieces(&mut self, codes: &[(ConceptId, LocalCode)]) -> Result<Vec<Outcome>, Error> {
        let local = (!codes.is_empty()).then(|| local_concepts::rows(codes)).transpose()?;
        let concept_tables = [Table::Concept, Table::ConceptAncestor];
        let has = |table: &Table| self.plan.tables.contains_key(table);
        let mut outcomes = Vec::new();
        for table in concept_tables.into_iter().filter(has) {
            let derived = local.as_ref().filter(|_| table == Table::Concept);
            outcomes.push(self.build_piece(table, derived)?);
        }
        let file = |table: Table| outcomes.iter().find_map(|outcome| outcome.files.get(&table));
        if let (true, Some(concepts), Some(ancestors)) =
            (has(&Table::DrugEra), file(Table::Concept), file(Table::ConceptAncestor))
        {
            let location = self.plan.location;
            self.plan.ingredients = local_concepts::ingredients(location, concepts, ancestors)?;
        }
        let is_other =
            |table: &Table| table.scope() != Scope::Person && !concept_tables.contains(table);
        let others: Vec<Table> = self.plan.tables.keys().copied().filter(is_other).collect();
        let build = |table: &Table| self.build_piece(*table, None);
        outcomes.extend(in_flight(&others, self.in_flight_max, build)?);
        Ok(outcomes)
    }
}

/// Does the work for every unit, at most so many at a time; results in the
/// units' order. Units are taken in order, by tasks that take the next one
/// when they are done, so that none waits with a shard in its hands.
fn in_flight<U: Sync, T: Send>(
    units: &[U],
    tasks: usize,
    work: impl Fn(&U) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results = Mutex::new(BTreeMap::new());
    rayon::scope(|scope| {
        for _ in 0..tasks.clamp(1, units.len().max(1)) {
            scope.spawn(|_| {
                while !failed.load(Ordering::Relaxed) {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(unit) = units.get(place) else { return };
                    let result = work(unit);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.insert(place, result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// What all pieces and shards gave.
#[derive(Default)]
struct Gathered {
    files: BTreeMap<Table, Vec<FileEntry>>,
    codes: Option<FileEntry>,
    fortunes: Fortunes,
    ids: BTreeMap<Table, Vec<IdsSpilled>>,
    exposures_without_ingredient: u64,
    providers_filled: u64,
}

impl Gathered {
    fn add(&mut self, part: Outcome) {
        for (table, file) in part.files {
            self.files.entry(table).or_default().push(file);
        }
        self.codes = self.codes.take().or(part.codes);
        for (table, ids) in part.ids {
            self.ids.entry(table).or_default().push(ids);
        }
        self.fortunes.join(part.fortunes);
        self.exposures_without_ingredient += part.exposures_without_ingredient;
        self.providers_filled += part.providers_filled;
    }

    fn tables(&self) -> BTreeMap<String, TableEntry> {
        let entry = |files: &Vec<FileEntry>| TableEntry {
            rows: files.iter().map(|file| file.rows).sum(),
            persons: files.iter().map(|file| file.persons).sum(),
            files: files.clone(),
        };
        self.files.iter().map(|(table, files)| (table.name().to_owned(), entry(files))).collect()
    }
}

fn repeated_ids(
    scratch: &Scratch,
    outcome: &Gathered,
) -> Result<BTreeMap<String, RepeatedIds>, Error> {
    let mut repeated = BTreeMap::new();
    for (table, shards) in &outcome.ids {
        let found = count_repeated(scratch, shards)?;
        let rows = outcome.files.get(table).into_iter().flatten().map(|file| file.rows);
        let with_id = shards.iter().map(|shard| shard.ids);
        let missing = rows.sum::<u64>() - with_id.sum::<u64>();
        let found = RepeatedIds { missing, ..found };
        if found.ids > 0 || missing > 0 {
            repeated.insert(table.name().to_owned(), found);
        }
    }
    Ok(repeated)
}

fn derived_of(registry: &Registry, outcome: &Gathered, by_ingredient: bool) -> Derived {
    let made = |table: Table| outcome.files.contains_key(&table);
    let systems = |made: bool, asks: fn(&Derivations) -> bool| -> BTreeSet<String> {
        let asking = registry.systems.iter().filter(|(_, derive)| made && asks(derive));
        asking.map(|(system, _)| system.clone()).collect()
    };
    let drug_eras = systems(made(Table::DrugEra), |derive| derive.drug_eras);
    let basis = if by_ingredient { DrugEraBasis::Ingredient } else { DrugEraBasis::DrugConcept };
    Derived {
        observation_periods: systems(true, |derive| derive.observation_periods),
        condition_eras: systems(made(Table::ConditionEra), |derive| derive.condition_eras),
        drug_era_basis: (!drug_eras.is_empty()).then_some(basis),
        drug_eras,
        drug_exposures_without_ingredient: outcome.exposures_without_ingredient,
        providers_from_visits: systems(true, |derive| derive.providers_from_visits),
        providers_filled: outcome.providers_filled,
    }
}

fn write_rejects(location: &Location, registry: &Registry) -> Result<FileEntry, Error> {
    let path = "rejects.parquet".to_owned();
    let failed = |source: arrow::error::ArrowError| Error::Parquet {
        object: location.url_of(&path),
        source: source.into(),
    };
    let table = rejects_table(registry).map_err(failed)?;
    write(location, path.clone(), &table, &table.schema(), 0, &Sequences::default())
}

fn write_manifest(location: &Location, manifest: &Manifest) -> Result<(), Error> {
    let failed = |source| Error::Manifest { object: location.url_of(MANIFEST_PATH), source };
    let mut text = serde_json::to_vec_pretty(manifest).map_err(failed)?;
    text.push(b'\n');
    // Counts, but exact ones: they stay where the records are.
    location.write(MANIFEST_PATH, Labelled::aggregate(Bytes::from(text)))?;
    Ok(())
}
