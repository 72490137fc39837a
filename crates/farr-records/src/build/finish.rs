//! From rows at rest to a store: pieces, shards, balance, manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use farr_disclosure::Labelled;
use farr_store::Location;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::balance::{Fortunes, check_rejects, note_refused, rejects_table};
use super::buffers::{ColumnSet, Spilled, all_columns, column_set};
use super::local_concepts;
use super::registry::Registry;
use super::repeated::{IdsSpilled, count_range, ranges_for};
use super::shards::{Outcome, Plan, write};
use super::{Builder, Built};
use crate::manifest::{
    Derived, DrugEraBasis, FORMAT_VERSION, FileEntry, MANIFEST_PATH, Manifest, RepeatedIds,
    TableEntry,
};
use crate::{
    ConceptId, Derivations, Error, LocalCode, ObjectRead, SHARDS_MAX, Scope, ShardId, Table,
};

/// See [`Builder::finish`].
pub(super) fn finish(builder: Builder, location: &Location) -> Result<Built, Error> {
    let Builder { settings, buffers, registry, local_codes } = builder;
    let mut registry = registry.into_inner().unwrap_or_else(PoisonError::into_inner);
    check_rejects(&registry, settings.rejects_max)?;
    let snapshot = registry.snapshot()?;
    let shard_count = settings.shards.unwrap_or_else(|| {
        let shards = buffers.decoded_bytes().div_ceil(settings.bytes_per_shard.max(1));
        shards.next_power_of_two().min(u64::from(SHARDS_MAX)) as u32
    });
    let spilled = buffers.close(shard_count)?;
    let (codes, final_ids) = local_codes.assign(local_concepts::first_local(spilled.local_id_max));
    let tables = tables_of(&spilled, &registry, !codes.is_empty())?;
    let derive = registry.tables.iter().map(|table| registry.systems[&table.system]).collect();
    let mut plan = Plan {
        location,
        ranks: registry.ranks(),
        registry: &registry,
        spilled: &spilled,
        final_ids,
        tables,
        derive,
        ingredients: None,
    };
    let pieces = build_pieces(&mut plan, &codes, settings.shards_in_flight)?;
    let shards: Vec<ShardId> = ShardId::all(shard_count).collect();
    let built = in_flight(&shards, settings.shards_in_flight, |shard| plan.build_shard(*shard))?;
    let by_ingredient = plan.ingredients.is_some();
    let mut outcome = Gathered::default();
    for part in pieces.into_iter().chain(built) {
        outcome.add(part);
    }
    let repeated_ids = repeated_ids(&spilled, &outcome.ids)?;
    drop(plan);

    let balance = outcome.fortunes.balance(&registry)?;
    note_refused(&mut registry, &outcome.fortunes.refused);
    check_rejects(&registry, settings.rejects_max)?;
    let records = outcome.fortunes.records(&registry);
    let rejects = write_rejects(location, &registry)?;
    let objects = objects_of(&registry);
    let derived = derived_of(&registry, &outcome, by_ingredient);
    let has = |table: Table| spilled.seen.get(&table).is_some_and(|seen| seen.rows > 0);
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        farr_version: env!("CARGO_PKG_VERSION").to_owned(),
        omop_version: "5.4".to_owned(),
        shard_count,
        persons: outcome.files[&Table::Person].iter().map(|file| file.rows).sum(),
        snapshot,
        timezones: settings.timezones,
        tables: outcome.tables(),
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
    write_manifest(location, &manifest)?;
    Ok(Built { manifest, objects })
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
        let persons = spilled.seen.iter().filter(|(table, _)| table.scope() == Scope::Person);
        return Err(Error::NoPersons { rows: persons.map(|(_, seen)| seen.rows).sum() });
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

/// Builds the tables without persons, and learns the ingredients of drugs.
fn build_pieces(
    plan: &mut Plan<'_>,
    codes: &[(ConceptId, LocalCode)],
    in_flight_max: usize,
) -> Result<Vec<Outcome>, Error> {
    let local = (!codes.is_empty()).then(|| local_concepts::rows(codes)).transpose()?;
    let concept_tables = [Table::Concept, Table::ConceptAncestor];
    let mut outcomes = Vec::new();
    let mut concept_rows = Vec::new();
    for table in concept_tables.into_iter().filter(|table| plan.tables.contains_key(table)) {
        let derived = local.as_ref().filter(|_| table == Table::Concept);
        let (outcome, rows) = plan.build_piece(table, derived)?;
        outcomes.push(outcome);
        concept_rows.push(rows);
    }
    if plan.tables.contains_key(&Table::DrugEra)
        && let [concepts, ancestors] = &concept_rows[..]
    {
        plan.ingredients = local_concepts::ingredients(concepts, ancestors);
    }
    drop(concept_rows);
    let others: Vec<Table> = plan
        .tables
        .keys()
        .copied()
        .filter(|table| table.scope() != Scope::Person && !concept_tables.contains(table))
        .collect();
    let build = |table: &Table| Ok(plan.build_piece(*table, None)?.0);
    outcomes.extend(in_flight(&others, in_flight_max, build)?);
    Ok(outcomes)
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
    spilled: &Spilled,
    ids: &BTreeMap<Table, Vec<IdsSpilled>>,
) -> Result<BTreeMap<String, RepeatedIds>, Error> {
    let mut repeated = BTreeMap::new();
    for (table, shards) in ids {
        let shards: Vec<&IdsSpilled> = shards.iter().collect();
        let ranges = ranges_for(spilled.seen.get(table).map_or(0, |seen| seen.rows));
        let count = |range: u32| count_range(spilled.file(), &shards, range as usize);
        let sum = |a: RepeatedIds, b: RepeatedIds| {
            Ok(RepeatedIds { ids: a.ids + b.ids, rows: a.rows + b.rows })
        };
        let found = (0..ranges).into_par_iter().map(count).try_reduce(RepeatedIds::default, sum)?;
        if found.ids > 0 {
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

fn objects_of(registry: &Registry) -> Vec<ObjectRead> {
    let mut objects = registry.objects.clone();
    objects.sort_by(|a, b| (&a.system, &a.path).cmp(&(&b.system, &b.path)));
    objects
}

fn write_rejects(location: &Location, registry: &Registry) -> Result<FileEntry, Error> {
    let path = "rejects.parquet".to_owned();
    let failed = |source: arrow::error::ArrowError| Error::Parquet {
        object: location.url_of(&path),
        source: source.into(),
    };
    let table = rejects_table(registry).map_err(failed)?;
    write(location, path.clone(), &table, 0, &[])
}

fn write_manifest(location: &Location, manifest: &Manifest) -> Result<(), Error> {
    let failed = |source| Error::Manifest { object: location.url_of(MANIFEST_PATH), source };
    let mut text = serde_json::to_vec_pretty(manifest).map_err(failed)?;
    text.push(b'\n');
    // Counts, but exact ones: they stay where the records are.
    location.write(MANIFEST_PATH, Labelled::aggregate(Bytes::from(text)))?;
    Ok(())
}
