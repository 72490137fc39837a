//! Derived cohorts of a run: the choices of persons that need all shards, then
//! the derivations shard by shard.

use std::collections::BTreeMap;

use farr_analysis::{Chain, CohortRow, CohortRows, Inclusion, MaskCount};
use farr_cohort::algebra::settings::{Derivation, MinusBy};
use farr_cohort::algebra::{Choices, Partial, Rows, ShardPersons, persons_along};
use farr_cohort::{Definition, Site};
use farr_records::{RecordsStore, Shard, ShardId, Vocabulary};
use rayon::prelude::*;

use crate::Error;
use crate::evaluate::lookups;
use crate::executor::{Executor, Threads};
use crate::ingest::stop_if_asked;
use crate::plan::Plan;
use crate::progress::Cancel;

/// The cohorts of a shard that choices depend on. All shards' are held at
/// once: a row takes twelve bytes.
struct Behind {
    persons: ShardPersons,
    cohorts: BTreeMap<i64, Rows>,
}

/// Makes the choices that need all shards; without any, nothing is read.
pub(crate) fn choose(
    plan: &Plan,
    (store, vocabulary): (&RecordsStore, &Vocabulary),
    threads: &Threads,
    cancel: &Cancel,
) -> Result<Choices, Error> {
    let mut choices = Choices::default();
    let algebra = &plan.algebra;
    let behind = algebra.behind_choices();
    if behind.is_empty() {
        return Ok(choices);
    }
    let wanted = plan.definitions.iter().filter(|d| behind.contains(&d.id));
    let definitions: Vec<Definition> = wanted.cloned().collect();
    let unique = |table| store.has_unique_ids(table);
    let cohorts = farr_cohort::Plan::over_unique_ids(&definitions, vocabulary, &unique);
    let site = lookups(store, cohorts.needs())?;
    let (mut needs, mut keys) = (cohorts.needs().clone(), cohorts.keys().clone());
    for (table, columns) in algebra.needs() {
        keys.remove(&table);
        needs.entry(table).or_default().extend(columns);
    }
    let shards: Vec<ShardId> = store.shards().collect();
    let map = |id: ShardId| {
        stop_if_asked(cancel)?;
        let shard = store.read_shard_rows(id, &needs, &keys)?;
        behind_of(&shard, &cohorts, &site)
    };
    let mut all: Vec<Behind> = Vec::new();
    let add = |shard| {
        all.push(shard);
        Ok(())
    };
    threads.map_shards(&shards, map, add)?;
    for id in algebra.choices() {
        stop_if_asked(cancel)?;
        let partials: Vec<Partial> = threads.run(|| {
            let shards = all.par_iter_mut().map(|shard| {
                algebra.derive(&mut shard.cohorts, &shard.persons, &choices);
                algebra.gather(id, &shard.cohorts, &shard.persons)
            });
            shards.collect()
        });
        algebra.choose(id, partials, &mut choices);
    }
    Ok(choices)
}

fn behind_of(shard: &Shard, plan: &farr_cohort::Plan, site: &Site) -> Result<Behind, Error> {
    let failed = |source| Error::Cohort { id: 0, name: "all".to_owned(), source };
    let entered = plan.evaluate(shard, site).map_err(failed)?.cohorts;
    let cohorts = entered.into_iter().map(|cohort| (cohort.definition, cohort.entries)).collect();
    Ok(Behind { persons: ShardPersons::of(shard), cohorts })
}

/// Adds the derived cohorts of a shard to the others, and how many persons
/// each of their steps left.
pub(crate) fn add_derived(
    plan: &Plan,
    shard: &Shard,
    choices: &Choices,
    (rows, inclusions): (&mut Vec<CohortRows>, &mut Vec<Inclusion>),
) {
    if plan.algebra.derived().is_empty() {
        return;
    }
    let plain = |cohort: &CohortRows| -> (i64, Rows) {
        (cohort.id, cohort.rows.iter().map(|row| (row.person, row.interval)).collect())
    };
    let mut cohorts: BTreeMap<i64, Rows> = rows.iter().map(plain).collect();
    plan.algebra.derive(&mut cohorts, &ShardPersons::of(shard), choices);
    for derived in plan.algebra.derived() {
        let persons = persons_along(&derived.chain, &cohorts);
        inclusions.push(Inclusion {
            id: derived.id,
            rules: derived.steps.clone(),
            masks: masks(&persons),
            chain: Some(Chain {
                base: derived.base.clone(),
                cohorts: derived.chain.clone(),
                without: derived.chain.iter().skip(1).map(|id| without(plan, *id)).collect(),
            }),
        });
        let derived_rows = cohorts.remove(&derived.id).unwrap_or_default();
        let row = |(person, interval)| CohortRow { person, interval };
        rows.push(CohortRows {
            id: derived.id,
            rows: derived_rows.iter().copied().map(row).collect(),
        });
        cohorts.insert(derived.id, derived_rows);
    }
}

/// The cohort whose persons, all of them, a derived cohort takes away.
fn without(plan: &Plan, id: i64) -> Option<i64> {
    match &plan.algebra.get(id)?.derivation {
        Derivation::Minus(minus) if minus.by == MinusBy::Persons => {
            match minus.without.as_slice() {
                [one] => Some(*one),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Persons by how many of the steps they are left by: each step takes some of
/// the persons of the one before.
fn masks(persons: &[u64]) -> Vec<MaskCount> {
    let after = persons.iter().skip(1).copied().chain([0]);
    let lost = persons.iter().zip(after).map(|(now, after)| now.saturating_sub(after));
    let mask =
        |(steps, persons)| MaskCount { mask: (1_u64 << steps) - 1, events: persons, persons };
    lost.enumerate().map(mask).filter(|count| count.persons > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten persons, seven after a step, four after another: three met no
    /// step, three the first only, four both.
    #[test]
    fn persons_are_counted_by_steps() {
        let counts: Vec<_> = masks(&[10, 7, 4]).iter().map(|c| (c.mask, c.persons)).collect();
        assert_eq!(counts, [(0, 3), (1, 3), (3, 4)]);
        assert!(masks(&[0, 0]).is_empty());
    }
}
