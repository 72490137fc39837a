//! How many persons each inclusion rule leaves, alone and in sequence.
//!
//! Counted by a person's best event, as OHDSI's tools do: the qualifying event
//! that meets most rules, then earlier rules, then the earlier event.

use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::Table;
use serde::{Deserialize, Serialize};

use crate::overlap::{persons_of, shared_by};
use crate::{Analysis, Chain, Concepts, Error, Needs, ShardView};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Attrition {
    name: String,
    cohorts: Vec<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Funnel {
    rules: Vec<String>,
    chain: Option<Chain>,
    /// Events and persons by mask.
    masks: BTreeMap<u64, (i64, i64)>,
    persons: i64,
    entries: i64,
}

/// Funnels by cohort.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    funnels: BTreeMap<i64, Funnel>,
}

/// One step of a funnel.
struct Step {
    cohort: i64,
    sequence: i64,
    name: String,
    alone: Option<i64>,
    remaining: i64,
    lost: i64,
    events: i64,
    /// The cohort whose persons remain, if these are a cohort's.
    of_cohort: Option<i64>,
    /// The two cohorts in both of which those lost are, if that is who is lost.
    lost_of: Option<(i64, i64)>,
}

impl Attrition {
    pub(crate) fn new(name: &str, cohorts: Vec<i64>) -> Self {
        Self { name: name.to_owned(), cohorts }
    }
}

impl Funnel {
    /// The two cohorts in both of which the persons are whom a step takes.
    fn lost_of(&self, sequence: i64) -> Option<(i64, i64)> {
        let chain = self.chain.as_ref()?;
        let rule = usize::try_from(sequence).ok()?.checked_sub(1)?;
        let without = chain.without.get(rule).copied().flatten()?;
        Some((*chain.cohorts.get(rule)?, without))
    }

    /// Qualifying events, then one step a rule, then the cohort itself.
    fn steps(&self, cohort: i64) -> Vec<Step> {
        let sum = |met: &dyn Fn(u64) -> bool| {
            let masks = self.masks.iter().filter(|(mask, _)| met(**mask));
            masks.fold((0, 0), |(e, p), (_, (events, persons))| (e + events, p + persons))
        };
        let mut steps = Vec::new();
        // Without rules there is nothing to qualify for.
        let (events, mut remaining) =
            if self.rules.is_empty() { (self.entries, self.persons) } else { sum(&|_| true) };
        let mut push = |sequence, name: &str, alone, now: i64, before: i64, events, of_cohort| {
            let (name, lost) = (name.to_owned(), before - now);
            let (remaining, lost_of) = (now, self.lost_of(sequence));
            steps.push(Step {
                cohort,
                sequence,
                name,
                alone,
                remaining,
                lost,
                events,
                of_cohort,
                lost_of,
            });
        };
        // What a step of a derivation leaves is a cohort too; alone it leaves
        // nothing else.
        let of_step =
            |place: usize| self.chain.as_ref().and_then(|chain| chain.cohorts.get(place).copied());
        let base = self.chain.as_ref().map_or("qualifying events", |chain| &chain.base);
        push(0, base, None, remaining, remaining, events, of_step(0));
        for (i, rule) in self.rules.iter().enumerate() {
            let all_so_far = (1_u64 << (i + 1)) - 1;
            let (events, now) = sum(&|mask| mask & all_so_far == all_so_far);
            let (_, alone) = sum(&|mask| mask & (1 << i) != 0);
            let alone = self.chain.is_none().then_some(alone);
            push(i as i64 + 1, rule, alone, now, remaining, events, of_step(i + 1));
            remaining = now;
        }
        let last = self.rules.len() as i64 + 1;
        push(last, "cohort", None, self.persons, remaining, self.entries, Some(cohort));
        steps
    }
}

impl Analysis for Attrition {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        BTreeMap::from([(Table::Person, vec!["person_id"])])
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let mut partial = Partial::default();
        for &id in &self.cohorts {
            let funnel = partial.funnels.entry(id).or_default();
            funnel.persons = view.persons_in(id).count() as i64;
            funnel.entries = view.cohort(id).len() as i64;
            let inclusion = view.inclusions.iter().find(|inclusion| inclusion.id == id);
            let Some(inclusion) = inclusion else { continue };
            funnel.rules.clone_from(&inclusion.rules);
            funnel.chain.clone_from(&inclusion.chain);
            for count in &inclusion.masks {
                funnel.masks.insert(count.mask, (count.events as i64, count.persons as i64));
            }
        }
        Ok(partial)
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (id, funnel) in later.funnels {
            let total = into.funnels.entry(id).or_default();
            if total.rules.is_empty() {
                total.rules = funnel.rules;
            }
            total.chain = total.chain.take().or(funnel.chain);
            total.persons += funnel.persons;
            total.entries += funnel.entries;
            for (mask, (events, persons)) in funnel.masks {
                let sum = total.masks.entry(mask).or_default();
                sum.0 += events;
                sum.1 += persons;
            }
        }
    }

    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        let steps: Vec<Step> =
            merged.funnels.iter().flat_map(|(id, funnel)| funnel.steps(*id)).collect();
        let count = |of: fn(&Step) -> i64| steps.iter().map(of).collect::<Vec<i64>>();
        let lost = |s: &Step| s.lost_of.map(|(one, other)| shared_by(one, other));
        let lost_persons = steps.iter().map(lost).collect();
        let cohort_persons = steps.iter().map(|s| s.of_cohort.map(persons_of)).collect();
        AggregateTable::build(&self.name, "How many persons each inclusion rule leaves.")
            .key("cohort_definition_id", "The cohort.", count(|s| s.cohort))
            .key(
                "rule_sequence",
                "0: qualifying events; 1 and up: the rules.",
                count(|s| s.sequence),
            )
            .plain("rule_name", "The rule.", "", {
                steps.iter().map(|s| s.name.clone()).collect::<Vec<String>>()
            })
            .count("n_alone", "Persons whose best event meets this rule.", "persons", {
                let values: arrow::array::Int64Array = steps.iter().map(|s| s.alone).collect();
                std::sync::Arc::new(values) as arrow::array::ArrayRef
            })
            .count(
                "n_remaining",
                "Persons whose best event meets all rules up to this.",
                "persons",
                count(|s| s.remaining),
            )
            .count("n_lost", "Persons of the row before who do not.", "persons", count(|s| s.lost))
            // Where one event a person enters, these are the persons again.
            .derived_from(
                &["n_remaining"],
                "n_events",
                "Events that meet all rules up to this; last, cohort rows.",
                "events",
                count(|s| s.events),
            )
            .loss("rule_sequence", "n_remaining", Some("n_lost"))
            .quantities("n_remaining", cohort_persons)
            .quantities("n_lost", lost_persons)
            .finish()
            .map(|table| vec![table])
            .map_err(|source| Error::Table { analysis: self.name.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten persons, two rules: masks 0b00 one, 0b01 two, 0b10 three, 0b11 four.
    /// Rule 1 alone 2 + 4 = 6, in sequence 6; rule 2 alone 3 + 4 = 7, in
    /// sequence 4; three of the four are in the cohort.
    #[test]
    fn rules_count_alone_and_in_sequence() {
        let masks = BTreeMap::from([(0, (1, 1)), (1, (2, 2)), (2, (3, 3)), (3, (4, 4))]);
        let rules = vec!["first".to_owned(), "second".to_owned()];
        let funnel = Funnel { rules, chain: None, masks, persons: 3, entries: 5 };
        let steps = funnel.steps(7);
        let columns: Vec<_> = steps.iter().map(|s| (s.alone, s.remaining, s.lost)).collect();
        assert_eq!(columns, [(None, 10, 0), (Some(6), 6, 4), (Some(7), 4, 2), (None, 3, 1)]);
        assert_eq!(steps[3].events, 5);
    }
}
