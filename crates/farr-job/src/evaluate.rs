//! Cohorts and analyses: each shard is read once, its cohorts entered and
//! every analysis counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch};
use farr_analysis::{
    AnyAnalysis, AnyPartial, CohortRow, CohortRows, Inclusion, MaskCount, ShardView,
};
use farr_cohort::{CohortEntries, Definition, Mode, Site};
use farr_disclosure::{Aggregate, AggregateTable, Labelled};
use farr_records::{
    ConceptSetExpression, PersonId, RecordsStore, Scope, ShardId, Table, cohort_schema,
};

use crate::executor::{Executor, Threads};
use crate::ingest::{finished, stop_if_asked};
use crate::plan::Plan;
use crate::progress::{Cancel, Event, Observer, Stage};
use crate::{Error, counted};

/// What the cohorts and analyses gave.
#[derive(Debug)]
pub(crate) struct Evaluated {
    /// The analyses' tables, in the job's order.
    pub(crate) tables: Vec<Labelled<Aggregate, AggregateTable>>,
    /// The cohorts' rows.
    pub(crate) rows: RecordBatch,
    /// Persons and rows by cohort.
    pub(crate) sizes: BTreeMap<i64, CohortSize>,
}

/// How large a cohort is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CohortSize {
    pub(crate) persons: u64,
    pub(crate) rows: u64,
}

/// What one shard contributes.
struct ShardPart {
    partials: Vec<AnyPartial>,
    columns: CohortColumns,
}

/// Columns of the cohort table.
#[derive(Default)]
struct CohortColumns {
    definition: Vec<i64>,
    subject: Vec<i64>,
    start: Vec<i32>,
    end: Vec<i32>,
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

/// Enters the cohorts and counts the analyses over a store.
pub(crate) fn evaluate(
    plan: &Plan,
    store: &RecordsStore,
    threads: &Threads,
    (observer, cancel): (&dyn Observer, &Cancel),
) -> Result<Evaluated, Error> {
    let start = Instant::now();
    let shards: Vec<ShardId> = store.shards().collect();
    let steps = Some(shards.len() as u64);
    observer.event(Event::Started { stage: Stage::Cohorts, steps });
    let vocabulary = threads.run(|| store.vocabulary_for(concept_sets(&plan.definitions)))?;
    let cohorts = farr_cohort::Plan::new(&plan.definitions, &vocabulary);
    let name_of = |id: i64| {
        let definition = plan.definitions.iter().find(|definition| definition.id == id);
        definition.map_or_else(String::new, |definition| definition.name.clone())
    };
    let lacking = cohorts.lacking(|table| store.manifest().table(table).is_some());
    if let Some((id, source)) = lacking.into_iter().next() {
        return Err(Error::Cohort { id, name: name_of(id), source });
    }
    warn_of_sets(cohorts.warnings(), observer);
    let site = lookups(store, cohorts.needs())?;
    let mut needs = cohorts.needs().clone();
    for analysis in &plan.analyses {
        for (table, columns) in analysis.needs() {
            needs.entry(table).or_default().extend(columns);
        }
    }
    for columns in needs.values_mut() {
        columns.sort_unstable();
        columns.dedup();
    }
    let map = |shard: ShardId| {
        stop_if_asked(cancel)?;
        let part = shard_part(plan, (store, &needs), (&cohorts, &site), shard)?;
        observer.event(Event::Stepped { stage: Stage::Cohorts });
        Ok::<_, Error>(part)
    };
    let mut merged: Vec<AnyPartial> = plan.analyses.iter().map(AnyAnalysis::empty).collect();
    let mut columns = CohortColumns::default();
    threads.map_shards(&shards, map, |part: ShardPart| {
        for ((analysis, into), later) in plan.analyses.iter().zip(&mut merged).zip(part.partials) {
            analysis.merge(into, later);
        }
        columns.append(part.columns);
    })?;
    let mut tables = Vec::new();
    for (analysis, merged) in plan.analyses.iter().zip(merged) {
        tables.extend(analysis.finish(merged)?);
    }
    let sizes = columns.sizes();
    let mut summary = counted(plan.definitions.len() as u64, "cohort", "cohorts");
    if plan.shows_counts() {
        let rows = counted(columns.subject.len() as u64, "row", "rows");
        summary = format!("{summary} with {rows}");
    }
    let analyses = counted(plan.analyses.len() as u64, "analysis", "analyses");
    let summary = format!("{summary}, {analyses}");
    let rows = columns.into_batch()?;
    finished(observer, Stage::Cohorts, start, summary);
    Ok(Evaluated { tables, rows, sizes })
}

fn shard_part(
    plan: &Plan,
    (store, needs): (&RecordsStore, &BTreeMap<Table, Vec<&'static str>>),
    (cohorts, site): (&farr_cohort::Plan, &Site),
    id: ShardId,
) -> Result<ShardPart, Error> {
    let shard = store.read_shard(id, needs)?;
    let failed = |source| Error::Cohort { id: 0, name: "all".to_owned(), source };
    let entered = cohorts.evaluate(&shard, site).map_err(failed)?.cohorts;
    let rows: Vec<CohortRows> = entered.iter().map(rows_of).collect();
    let inclusions: Vec<Inclusion> =
        entered.iter().zip(&plan.definitions).map(|(e, d)| inclusion_of(e, d)).collect();
    let view = ShardView { shard: &shard, cohorts: &rows, inclusions: &inclusions };
    let partials = plan.analyses.iter().map(|analysis| analysis.shard(&view));
    let partials = partials.collect::<Result<Vec<AnyPartial>, _>>()?;
    let mut columns = CohortColumns::default();
    for cohort in &rows {
        columns.push(cohort, shard.persons());
    }
    Ok(ShardPart { partials, columns })
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
    }
}

impl CohortColumns {
    fn push(&mut self, cohort: &CohortRows, persons: &[PersonId]) {
        for row in &cohort.rows {
            self.definition.push(cohort.id);
            self.subject.push(persons[row.person as usize].0);
            self.start.push(row.interval.start.0);
            self.end.push(row.interval.end.0);
        }
    }

    fn append(&mut self, mut later: Self) {
        self.definition.append(&mut later.definition);
        self.subject.append(&mut later.subject);
        self.start.append(&mut later.start);
        self.end.append(&mut later.end);
    }

    /// A person's rows of a cohort stand together: they lie in one shard.
    fn sizes(&self) -> BTreeMap<i64, CohortSize> {
        let mut sizes: BTreeMap<i64, CohortSize> = BTreeMap::new();
        let mut last = None;
        for pair in self.definition.iter().zip(&self.subject) {
            let size = sizes.entry(*pair.0).or_default();
            size.rows += 1;
            size.persons += u64::from(last.replace(pair) != Some(pair));
        }
        sizes
    }

    fn into_batch(self) -> Result<RecordBatch, Error> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.definition)),
            Arc::new(Int64Array::from(self.subject)),
            Arc::new(Date32Array::from(self.start)),
            Arc::new(Date32Array::from(self.end)),
        ];
        RecordBatch::try_new(cohort_schema(), columns).map_err(|source| {
            Error::Records(farr_records::Error::Arrow { table: Table::Person, source })
        })
    }
}
