//! Cohorts and analyses: each shard is read once, its cohorts entered and
//! every analysis counted.

use std::collections::{BTreeMap, BTreeSet};

use farr_analysis::{
    AnyAnalysis, AnyPartial, CohortRow, CohortRows, Concepts, Inclusion, MaskCount, ShardView,
};
use farr_cohort::algebra::Choices;
use farr_cohort::{CohortEntries, Definition, Mode, Site};
use farr_disclosure::{Aggregate, AggregateTable, Labelled, PersonLevel};
use farr_records::{
    CohortKey, CohortSort, ConceptSetExpression, PersonId, RecordsStore, Scope, Shard, ShardId,
    Table,
};
use farr_source::Share;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::derive::{add_derived, choose};
use crate::executor::{Executor, Threads};
use crate::ingest::stop_if_asked;
use crate::job_file::FormatName;
use crate::kept::KeptParts;
use crate::limits::Memory;
use crate::plan::Plan;
use crate::progress::{Cancel, Event, Figures, Observer, Stage, StageClock};
use crate::work::Work;
use crate::{Error, counted};

/// What the cohorts and analyses gave.
#[derive(Debug)]
pub(crate) struct Evaluated {
    /// The analyses' tables, in the job's order.
    pub(crate) tables: Vec<Labelled<Aggregate, AggregateTable>>,
    /// Persons and rows by cohort.
    pub(crate) sizes: BTreeMap<i64, CohortSize>,
}

/// How large a cohort is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CohortSize {
    pub(crate) persons: u64,
    pub(crate) rows: u64,
}

/// About how many bytes the largest shard takes once it is decoded.
fn decoded_bytes(store: &RecordsStore) -> u64 {
    /// Records in Parquet take about a sixth of what they take in memory.
    const COMPRESSION: u64 = 6;
    let mut shards = vec![0; store.manifest().shard_count as usize];
    for (_, table) in store.manifest().tables() {
        for (shard, file) in shards.iter_mut().zip(&table.files) {
            *shard += file.size * COMPRESSION;
        }
    }
    shards.into_iter().max().unwrap_or_default()
}

/// What one shard contributes.
#[derive(Serialize, Deserialize)]
struct ShardPart {
    partials: Vec<AnyPartial>,
    /// Rows by cohort, of each person's together.
    cohorts: Vec<(i64, Vec<CohortKey>)>,
}

/// The site's tables that the cohorts need, and the vocabulary.
pub(crate) fn lookups(
    store: &RecordsStore,
    needs: &BTreeMap<Table, Vec<&'static str>>,
) -> Result<Site, Error> {
    let mut tables = BTreeMap::new();
    for table in needs.keys().filter(|table| table.scope() == Scope::Site) {
        if let Some(batch) = store.read_site_table(*table)? {
            tables.insert(*table, batch);
        }
    }
    Ok(Site::new(&tables))
}

/// The concept sets of definitions.
pub(crate) fn concept_sets(
    definitions: &[Definition],
) -> impl Iterator<Item = &ConceptSetExpression> {
    let sets = definitions.iter().flat_map(|definition| &definition.expression.concept_sets);
    sets.map(|set| &set.expression)
}

/// Names the concept sets that hold less than they ask for, those with the
/// same trouble together.
pub(crate) fn warn_of_sets(warnings: &[farr_cohort::Warning], observer: &dyn Observer) {
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for warning in warnings {
        let set = format!("cohort {} '{}'", warning.definition, warning.concept_set_name);
        sets.entry(warning.warning.to_string()).or_default().push(set);
    }
    for (trouble, sets) in sets {
        let message = format!("a concept set {trouble}: {}", sets.join(", "));
        observer.event(Event::Warning { message });
    }
}

/// Names the tables that analyses ask for and the records lack: to an analysis
/// without them nobody has died, or had a drug. Of Synthea a table is lacking as
/// well where nobody has a row.
fn warn_of_tables(plan: &Plan, store: &RecordsStore, observer: &dyn Observer) {
    if plan.job.source.iter().any(|source| source.format == FormatName::SyntheaCsv) {
        return;
    }
    let mut lacking: BTreeMap<Table, Vec<&str>> = BTreeMap::new();
    for (settings, analysis) in plan.job.analysis.iter().zip(&plan.analyses) {
        let needs = analysis.needs().into_keys();
        for table in needs.filter(|table| store.manifest().table(*table).is_none()) {
            lacking.entry(table).or_default().push(settings.name());
        }
    }
    for (table, names) in lacking {
        let names = names.join("', '");
        let message = format!("the records have no {table}, which '{names}' takes for empty");
        observer.event(Event::Warning { message });
    }
}

/// The shards whose parts are not kept yet, of a run over records.
pub(crate) fn shards_missing(
    store: &RecordsStore,
    kept: (&Work, &str),
) -> Result<Vec<ShardId>, Error> {
    let parts = KeptParts::open(kept, Share::WHOLE)?;
    Ok(store.shards().filter(|shard| !parts.has(*shard)).collect())
}

/// What the shards gave together: nothing is finished or encoded yet.
pub(crate) struct Counted {
    partials: Vec<AnyPartial>,
    cohorts: CohortSort,
    sizes: BTreeMap<i64, CohortSize>,
    clock: StageClock,
}

/// Enters the cohorts and counts the analyses over a store. Shards whose parts
/// are kept are not read again; of a stage that takes no time none are.
pub(crate) fn evaluate(
    plan: &Plan,
    store: &RecordsStore,
    of_machine: (&Threads, Memory),
    kept: (&Work, &str),
    (observer, cancel): (&dyn Observer, &Cancel),
) -> Result<Counted, Error> {
    let shards: Vec<ShardId> = store.shards().collect();
    let mut partials: Vec<AnyPartial> = plan.analyses.iter().map(AnyAnalysis::empty).collect();
    let mut cohorts = CohortSort::default();
    let mut sizes: BTreeMap<i64, CohortSize> = BTreeMap::new();
    let clock = StageClock::start(observer, Stage::Cohorts, Some(shards.len() as u64));
    let add = |part: ShardPart| {
        for ((analysis, into), later) in plan.analyses.iter().zip(&mut partials).zip(part.partials)
        {
            analysis.merge(into, later);
        }
        for (id, rows) in part.cohorts {
            // A person is in one shard only.
            let size = sizes.entry(id).or_default();
            size.rows += rows.len() as u64;
            size.persons += rows.chunk_by(|a, b| a.person() == b.person()).count() as u64;
            cohorts.push(id, rows)?;
        }
        Ok(())
    };
    let keep = || KeptParts::open(kept, Share::WHOLE);
    map_shards(plan, (store, &shards), of_machine, keep, (observer, cancel), add)?;
    Ok(Counted { partials, cohorts, sizes, clock })
}

impl Counted {
    /// Finishes the analyses, for `report`, and beside that gives the cohorts' rows
    /// to `keep`: on the threads of the pool at hand.
    pub(crate) fn finish<T: Send>(
        self,
        plan: &Plan,
        store: &RecordsStore,
        observer: &dyn Observer,
        report: impl FnOnce(Evaluated) -> Result<T, Error> + Send,
        keep: impl FnOnce(Labelled<PersonLevel, CohortSort>) -> Result<(), Error> + Send,
    ) -> Result<T, Error> {
        let Self { partials, cohorts, sizes, clock } = self;
        let finish = || {
            let tables = finish_analyses(plan, store, partials)?;
            let rows = sizes.values().map(|size| size.rows).sum();
            let shown = |n| plan.shows_counts().then_some(n);
            let figures = Figures {
                persons: shown(store.manifest().persons),
                rows: shown(rows),
                bytes: None,
            };
            clock.finish(observer, figures, summary(plan, rows));
            report(Evaluated { tables, sizes })
        };
        let (reported, kept) = rayon::join(finish, || keep(Labelled::person_level(cohorts)));
        // The first error in this order, whichever came first.
        let reported = reported?;
        kept.map(|()| reported)
    }
}

fn finish_analyses(
    plan: &Plan,
    store: &RecordsStore,
    partials: Vec<AnyPartial>,
) -> Result<Vec<Labelled<Aggregate, AggregateTable>>, Error> {
    let of_analyses = plan.analyses.iter().zip(&partials);
    let named: BTreeSet<i64> = of_analyses.flat_map(|(one, merged)| one.named(merged)).collect();
    let named = if named.is_empty() { None } else { store.read_names(named)? };
    let concepts = named.map(Concepts::new).unwrap_or_default();
    let finish =
        |(analysis, merged): (&AnyAnalysis, AnyPartial)| analysis.finish(merged, &concepts);
    // The first error in the job's order, whichever came first.
    let finished: Vec<Result<_, _>> = plan.analyses.par_iter().zip(partials).map(finish).collect();
    let finished: Vec<Vec<_>> = finished.into_iter().collect::<Result<_, _>>()?;
    Ok(finished.into_iter().flatten().collect())
}

/// What the stage did, as far as the report's zone lets it be told.
fn summary(plan: &Plan, rows: u64) -> String {
    let mut summary = counted(plan.cohorts.len() as u64, "cohort", "cohorts");
    if plan.shows_counts() {
        let rows = counted(rows, "row", "rows");
        summary = format!("{summary} with {rows}");
    }
    let analyses = counted(plan.analyses.len() as u64, "analysis", "analyses");
    format!("{summary}, {analyses}")
}

/// Does a share of the shards, and keeps their parts.
pub(crate) fn evaluate_share(
    plan: &Plan,
    (store, share): (&RecordsStore, Share),
    of_machine: (&Threads, Memory),
    kept: (&Work, &str),
    (observer, cancel): (&dyn Observer, &Cancel),
) -> Result<(), Error> {
    let shards: Vec<ShardId> =
        store.shards().filter(|shard| shard.index() % share.of() == share.index()).collect();
    let clock = StageClock::start(observer, Stage::Cohorts, Some(shards.len() as u64));
    let summary = counted(shards.len() as u64, "shard", "shards");
    let keep = || Ok(KeptParts::open(kept, share)?.all());
    map_shards(plan, (store, &shards), of_machine, keep, (observer, cancel), |_| Ok(()))?;
    clock.finish(observer, Figures::default(), summary);
    Ok(())
}

/// Makes or finds the part of each shard; `add` gets them in order.
fn map_shards<'k>(
    plan: &Plan,
    (store, shards): (&RecordsStore, &[ShardId]),
    (threads, memory): (&Threads, Memory),
    keep: impl FnOnce() -> Result<KeptParts<'k>, Error>,
    (observer, cancel): (&dyn Observer, &Cancel),
    add: impl FnMut(ShardPart) -> Result<(), Error>,
) -> Result<(), Error> {
    let vocabulary = threads.run(|| store.vocabulary_for(concept_sets(&plan.definitions)))?;
    let unique = |table| store.has_unique_ids(table);
    let cohorts = farr_cohort::Plan::over_unique_ids(&plan.definitions, &vocabulary, &unique);
    let name_of = |id: i64| {
        let definition = plan.definitions.iter().find(|definition| definition.id == id);
        definition.map_or_else(String::new, |definition| definition.name.clone())
    };
    let lacking = cohorts.lacking(|table| store.manifest().table(table).is_some());
    if let Some((id, source)) = lacking.into_iter().next() {
        return Err(Error::Cohort { id, name: name_of(id), source });
    }
    warn_of_sets(cohorts.warnings(), observer);
    warn_of_tables(plan, store, observer);
    let site = lookups(store, cohorts.needs())?;
    let (mut needs, mut keys) = (cohorts.needs().clone(), cohorts.keys().clone());
    let choices = choose(plan, (store, &vocabulary), threads, cancel)?;
    let analyses = plan.analyses.iter().map(AnyAnalysis::needs);
    for (table, columns) in analyses.chain([plan.algebra.needs()]).flatten() {
        keys.remove(&table);
        needs.entry(table).or_default().extend(columns);
    }
    for columns in needs.values_mut() {
        columns.sort_unstable();
        columns.dedup();
    }
    let kept = keep()?;
    let map = |shard: ShardId| {
        stop_if_asked(cancel)?;
        let part = if let Some(part) = kept.find(shard)? {
            part
        } else {
            let rows = store.read_shard_rows(shard, &needs, &keys)?;
            let part = shard_part(plan, &rows, (&cohorts, &site, &choices))?;
            kept.keep(shard, &part)?;
            part
        };
        observer.event(Event::Stepped { stage: Stage::Cohorts });
        Ok::<_, Error>(part)
    };
    let in_flight = memory.shards_in_flight(decoded_bytes(store), threads.count());
    let mapped = threads.with_in_flight(in_flight).map_shards(shards, map, add);
    // What was evaluated before something failed is kept as well.
    let flushed = kept.flush();
    mapped.and(flushed)
}

fn shard_part(
    plan: &Plan,
    shard: &Shard,
    (cohorts, site, choices): (&farr_cohort::Plan, &Site, &Choices),
) -> Result<ShardPart, Error> {
    let failed = |source| Error::Cohort { id: 0, name: "all".to_owned(), source };
    let entered = cohorts.evaluate(shard, site).map_err(failed)?.cohorts;
    let mut rows: Vec<CohortRows> = entered.iter().map(rows_of).collect();
    let mut inclusions: Vec<Inclusion> =
        entered.iter().zip(&plan.definitions).map(|(e, d)| inclusion_of(e, d)).collect();
    add_derived(plan, shard, choices, (&mut rows, &mut inclusions));
    let view = ShardView { shard, cohorts: &rows, inclusions: &inclusions };
    let partials = plan.analyses.iter().map(|analysis| analysis.shard(&view));
    let partials = partials.collect::<Result<Vec<AnyPartial>, _>>()?;
    let cohorts = rows.iter().map(|cohort| (cohort.id, keys_of(cohort, shard.persons()))).collect();
    Ok(ShardPart { partials, cohorts })
}

fn keys_of(cohort: &CohortRows, persons: &[PersonId]) -> Vec<CohortKey> {
    let key = |row: &CohortRow| CohortKey::new(persons[row.person as usize], row.interval);
    cohort.rows.iter().map(key).collect()
}

fn rows_of(cohort: &CohortEntries) -> CohortRows {
    let row = |(person, interval): &(u32, _)| CohortRow { person: *person, interval: *interval };
    CohortRows { id: cohort.definition, rows: cohort.entries.iter().map(row).collect() }
}

fn inclusion_of(cohort: &CohortEntries, definition: &Definition) -> Inclusion {
    let persons = cohort.statistics.masks(Mode::BestEvent);
    let masks = cohort.statistics.masks(Mode::AllEvents).iter().map(|(mask, events)| MaskCount {
        mask: *mask,
        events: *events,
        persons: persons.get(mask).copied().unwrap_or_default(),
    });
    Inclusion {
        id: cohort.definition,
        rules: definition.expression.inclusion_rules.iter().map(|rule| rule.name.clone()).collect(),
        masks: masks.collect(),
        chain: None,
    }
}
