//! Of whom unions of cohorts are made: persons by the cohorts that they are in.
//!
//! It tells disclosure control how the size of a union hangs together with
//! those of its parts: what two cohorts share is the sum of their sizes less
//! that of their union.

use std::collections::BTreeMap;
use std::ops::Range;

use farr_disclosure::{AggregateTable, CellReference, TableBuilder, Term};
use farr_records::Table;
use serde::{Deserialize, Serialize};

use crate::overlap::{persons_of, shared_by};
use crate::{Analysis, Concepts, Error, Needs, ShardView};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Composition {
    name: String,
    /// Each union, and the cohorts that it is of.
    unions: Vec<(i64, Vec<i64>)>,
}

/// Persons by union and by the cohorts that they are in.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    persons: BTreeMap<(i64, Vec<i64>), i64>,
}

impl Composition {
    /// Of these unions, each with the cohorts that it is of.
    pub fn new(name: &str, unions: Vec<(i64, Vec<i64>)>) -> Self {
        Self { name: name.to_owned(), unions }
    }
}

impl Analysis for Composition {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        BTreeMap::from([(Table::Person, vec!["person_id"])])
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let mut partial = Partial::default();
        for (union, parts) in &self.unions {
            let mut of_person: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
            for part in parts {
                for person in view.persons_in(*part) {
                    of_person.entry(person).or_default().push(*part);
                }
            }
            for parts in of_person.into_values() {
                *partial.persons.entry((*union, parts)).or_default() += 1;
            }
        }
        Ok(partial)
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        for (key, persons) in later.persons {
            *into.persons.entry(key).or_default() += persons;
        }
    }

    /// The rows of each union, then those of each of its parts.
    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        let mut rows: Vec<(i64, i64, String, i64)> = Vec::new();
        for (union, parts) in &self.unions {
            for of in [union].into_iter().chain(parts) {
                let mine = merged.persons.iter().filter(|((id, _), _)| id == union);
                let mine = mine.filter(|((_, parts), _)| of == union || parts.contains(of));
                rows.extend(mine.map(|((_, parts), persons)| {
                    let parts = parts.iter().map(ToString::to_string);
                    (*union, *of, parts.collect::<Vec<_>>().join("+"), *persons)
                }));
            }
        }
        // Of two cohorts, what is in both stands elsewhere too.
        let quantity = |row: &(i64, i64, String, i64)| {
            let parts = self.unions.iter().find(|(union, _)| *union == row.0);
            Some(match parts.map(|(_, parts)| parts.as_slice()) {
                Some([one, other]) if row.2.contains('+') => shared_by(*one, *other),
                _ => format!("union/{}/{}/persons", row.0, row.2),
            })
        };
        let sums = rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).scan(0, |first, same| {
            let places = *first..*first + same.len();
            *first = places.end;
            Some(sum(same[0].1, places))
        });
        let description = "Of whom unions are made: persons by the cohorts that they are in.";
        let table = AggregateTable::build(&self.name, description)
            .key("cohort_definition_id", "The union.", {
                rows.iter().map(|row| row.0).collect::<Vec<i64>>()
            })
            .key("of_cohort_definition_id", "It, or a cohort that it is of.", {
                rows.iter().map(|row| row.1).collect::<Vec<i64>>()
            })
            .key("in_cohorts", "The cohorts of the union that the persons are in.", {
                rows.iter().map(|row| row.2.clone()).collect::<Vec<String>>()
            })
            .count("n_persons", "Persons in exactly these.", "persons", {
                rows.iter().map(|row| row.3).collect::<Vec<i64>>()
            })
            .quantities("n_persons", rows.iter().map(quantity).collect());
        sums.fold(table, TableBuilder::sum)
            .finish()
            .map(|table| vec![table])
            .map_err(|source| Error::Table { analysis: self.name.clone(), source })
    }
}

/// The rows of a cohort add up to its persons.
fn sum(cohort: i64, rows: Range<usize>) -> Vec<Term> {
    let whole = Term { sign: 1, cell: CellReference::Quantity(persons_of(cohort)) };
    let cell = |row| CellReference::Cell { column: "n_persons".to_owned(), row };
    [whole].into_iter().chain(rows.map(|row| Term { sign: -1, cell: cell(row) })).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use farr_disclosure::{Labelled, Policy, release_run};

    use super::*;

    /// Cohort 9 is the union of 1 and 2: forty persons in 1 only, sixty in 2
    /// only, and `both` in both.
    fn made(both: i64) -> AggregateTable {
        let composition = Composition::new("derivation_union", vec![(9, vec![1, 2])]);
        let cells = [(vec![1], 40), (vec![2], 60), (vec![1, 2], both)];
        let persons = cells.into_iter().map(|(parts, n)| ((9, parts), n)).collect();
        composition.finish(Partial { persons }, &Concepts::default()).unwrap().remove(0)
    }

    #[test]
    fn unions_and_parts_have_their_persons() {
        let table = made(7);
        let batch = table.batch();
        let longs = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
            column.values().to_vec()
        };
        let rows: Vec<(i64, i64)> =
            longs("of_cohort_definition_id").into_iter().zip(longs("n_persons")).collect();
        let sum = |of: i64| -> i64 { rows.iter().filter(|row| row.0 == of).map(|row| row.1).sum() };
        assert_eq!([sum(9), sum(1), sum(2)], [107, 47, 67]);
    }

    /// Two shared persons are withheld, and with them what would give them
    /// away: the sizes of the union and both parts are never all shown.
    #[test]
    fn what_two_parts_share_is_not_given_away() {
        let sizes = AggregateTable::build("sizes", "Sizes of cohorts.")
            .key("cohort_definition_id", "The cohort.", vec![1_i64, 2, 9])
            .count("n_persons", "Persons.", "persons", vec![42_i64, 62, 102])
            .quantity("n_persons", "cohort/{cohort_definition_id}/persons")
            .finish()
            .unwrap();
        let tables = [sizes, made(2)].into_iter().map(Labelled::aggregate).collect();
        let released = release_run(tables, Vec::new(), &Policy::new(5).unwrap()).unwrap();
        let shown = released.tables[0].get().batch().column_by_name("n_persons").unwrap().clone();
        assert!(shown.null_count() > 0, "{shown:?}");
    }
}
