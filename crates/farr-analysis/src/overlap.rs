//! How many persons cohorts share.

use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::Table;
use serde::{Deserialize, Serialize};

use crate::{Analysis, Concepts, Error, Needs, ShardView};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Overlap {
    name: String,
    cohorts: Vec<i64>,
}

/// Persons by pair of cohorts, the first id not above the second; a cohort
/// with itself gives its persons.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    both: BTreeMap<(i64, i64), i64>,
}

/// A pair of cohorts and how many persons they share.
type Shared = ((i64, i64), i64);

impl Overlap {
    pub(crate) fn new(name: &str, cohorts: Vec<i64>) -> Self {
        Self { name: name.to_owned(), cohorts }
    }
}

impl Analysis for Overlap {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        BTreeMap::from([(Table::Person, vec!["person_id"])])
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let mut partial = Partial::default();
        let members: Vec<(i64, Vec<u32>)> =
            self.cohorts.iter().map(|id| (*id, view.persons_in(*id).collect())).collect();
        for (a, first) in &members {
            for (b, second) in members.iter().filter(|(b, _)| a <= b) {
                let shared = first.iter().filter(|p| second.binary_search(p).is_ok()).count();
                *partial.both.entry((*a, *b)).or_default() += shared as i64;
            }
        }
        Ok(partial)
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (pair, persons) in later.both {
            *into.both.entry(pair).or_default() += persons;
        }
    }

    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        let pairs: Vec<Shared> =
            merged.both.iter().filter(|((a, b), _)| a < b).map(|(p, n)| (*p, *n)).collect();
        let alone = |id: i64| merged.both.get(&(id, id)).copied().unwrap_or_default();
        let column = |of: &dyn Fn(&Shared) -> i64| pairs.iter().map(of).collect::<Vec<_>>();
        let share = |part: i64, whole: i64| (whole > 0).then(|| part as f64 / whole as f64);
        let shares = |whole: &dyn Fn(&Shared) -> i64| {
            let values = pairs.iter().map(|pair| share(pair.1, whole(pair)));
            arrow::array::Float64Array::from(values.collect::<Vec<_>>())
        };
        let first = |pair: &Shared| alone(pair.0.0);
        let second = |pair: &Shared| alone(pair.0.1);
        AggregateTable::build(&self.name, "Persons that two cohorts share, whenever they were in.")
            .key("cohort_definition_id", "The first cohort.", column(&|p| p.0.0))
            .key("other_cohort_definition_id", "The second cohort.", column(&|p| p.0.1))
            .count("n_first", "Persons in the first.", "persons", column(&first))
            .count("n_second", "Persons in the second.", "persons", column(&second))
            .count("n_both", "Persons in both.", "persons", column(&|p| p.1))
            .count("n_first_only", "Persons in the first only.", "persons", {
                column(&|p| first(p) - p.1)
            })
            .count("n_second_only", "Persons in the second only.", "persons", {
                column(&|p| second(p) - p.1)
            })
            .derived("share_of_first", "n_both / n_first.", "", array(shares(&first)))
            .derived("share_of_second", "n_both / n_second.", "", array(shares(&second)))
            .row_sum("n_first", &["n_both", "n_first_only"])
            .row_sum("n_second", &["n_both", "n_second_only"])
            .quantities("n_both", pairs.iter().map(|p| Some(shared_by(p.0.0, p.0.1))).collect())
            .quantities("n_first", pairs.iter().map(|p| Some(persons_of(p.0.0))).collect())
            .quantities("n_second", pairs.iter().map(|p| Some(persons_of(p.0.1))).collect())
            .finish()
            .map(|table| vec![table])
            .map_err(|source| Error::Table { analysis: self.name.clone(), source })
    }
}

fn array(values: arrow::array::Float64Array) -> arrow::array::ArrayRef {
    std::sync::Arc::new(values)
}

/// The quantity "persons in both cohorts", which several reports show.
pub(crate) fn shared_by(one: i64, other: i64) -> String {
    format!("cohort/{}/and/{}/persons", one.min(other), one.max(other))
}

/// The quantity "persons of a cohort", which several reports show.
pub(crate) fn persons_of(cohort: i64) -> String {
    format!("cohort/{cohort}/persons")
}
