//! Evaluates a plan over the persons of a shard.

mod cohort;
mod events;
mod group;
mod index;
mod site;
mod text;
mod trace;
mod why;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array as _, Int64Array};
use farr_records::{Shard, Table, TableRows};

use crate::Error;
use crate::plan::Plan;
pub use cohort::CohortEntries;
use events::{Columns, Events};
use index::Postings;
pub(crate) use index::Universe;
pub use site::Site;

/// What every definition of a plan gave over some persons of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardCohorts {
    /// In the plan's order.
    pub cohorts: Vec<CohortEntries>,
}

/// A plan over a range of the persons of a shard, with all that is gathered
/// once for several definitions.
struct Prepared<'a> {
    plan: &'a Plan,
    shard: &'a Shard,
    site: &'a Site,
    persons: Range<usize>,
    dense_sets: &'a [Vec<u32>],
    periods: Periods,
    /// Whether there is a person table, and what of it tells who has a row.
    has_persons: bool,
    births: Option<&'a Int64Array>,
    genders: Option<&'a Int64Array>,
    /// By table and column.
    postings: HashMap<(Table, &'static str), OnceCell<Postings>>,
    /// The person of each row in range, by table.
    row_persons: HashMap<Table, OnceCell<RowPersons>>,
    events: Vec<OnceCell<Events>>,
}

/// The persons of rows from `first` on.
#[derive(Debug)]
struct RowPersons {
    first: usize,
    persons: Vec<u32>,
}

impl std::ops::Index<usize> for RowPersons {
    type Output = u32;

    #[inline]
    fn index(&self, row: usize) -> &u32 {
        &self.persons[row - self.first]
    }
}

/// Observation periods by person.
struct Periods {
    offsets: Vec<u32>,
    spans: Vec<(i32, i32)>,
}

impl Periods {
    fn new(columns: Columns) -> Result<Self, Error> {
        let starts = columns.days("observation_period_start_date")?;
        let ends = columns.days("observation_period_end_date")?;
        let day = |days: &arrow::array::Date32Array, row: usize| {
            days.is_valid(row).then(|| days.value(row))
        };
        // A period without start or end contains no day.
        let span = |row| match (day(starts, row), day(ends, row)) {
            (Some(start), Some(end)) => (start, end),
            _ => (0, -1),
        };
        Ok(Self {
            offsets: columns.rows.offsets().to_vec(),
            spans: (0..columns.rows.len()).map(span).collect(),
        })
    }

    /// The periods of a person that contain a day.
    #[inline]
    fn around(&self, person: u32, day: i32) -> impl Iterator<Item = (i32, i32)> {
        let person = person as usize;
        let mine = self.offsets[person] as usize..self.offsets[person + 1] as usize;
        self.spans[mine].iter().copied().filter(move |(start, end)| *start <= day && day <= *end)
    }
}

impl Plan {
    /// Every definition over every person of a shard.
    ///
    /// # Errors
    /// [`Error::NoTable`] for a table that neither the shard nor the site has,
    /// [`Error::NoColumn`] for a column that was not read.
    pub fn evaluate(&self, shard: &Shard, site: &Site) -> Result<ShardCohorts, Error> {
        self.evaluate_range(shard, site, 0..shard.persons().len())
    }

    /// Every definition over the persons at some places of a shard. Ranges
    /// are independent, and their answers add up.
    ///
    /// # Errors
    /// As [`Plan::evaluate`].
    pub fn evaluate_range(
        &self,
        shard: &Shard,
        site: &Site,
        persons: Range<usize>,
    ) -> Result<ShardCohorts, Error> {
        let has = |table: Table| shard.table(table).is_some() || site.has(table);
        if let Some((_, error)) = self.lacking(has).into_iter().next() {
            return Err(error);
        }
        if self.definitions.is_empty() || shard.persons().is_empty() {
            return Ok(ShardCohorts { cohorts: self.empty() });
        }
        let prepared = Prepared::new(self, shard, site, persons)?;
        let cohorts = self
            .definitions
            .iter()
            .map(|definition| prepared.cohort(definition, &mut trace::Untold));
        Ok(ShardCohorts { cohorts: cohorts.collect::<Result<_, Error>>()? })
    }
}

impl<'a> Prepared<'a> {
    /// Makes ready for a range of persons.
    ///
    /// # Errors
    /// As [`Plan::evaluate`].
    fn new(
        plan: &'a Plan,
        shard: &'a Shard,
        site: &'a Site,
        persons: Range<usize>,
    ) -> Result<Self, Error> {
        let of_persons = shard.table(Table::Person);
        let known = |column| of_persons.and_then(|rows| rows.integers(column));
        let mut prepared = Self {
            plan,
            shard,
            site,
            persons,
            has_persons: of_persons.is_some(),
            births: known("year_of_birth"),
            genders: known("gender_concept_id"),
            dense_sets: &plan.dense_sets,
            periods: Periods { offsets: Vec::new(), spans: Vec::new() },
            postings: HashMap::new(),
            row_persons: HashMap::new(),
            events: plan.criteria.iter().map(|_| OnceCell::new()).collect(),
        };
        for (table, columns) in plan.needs() {
            prepared.row_persons.insert(*table, OnceCell::new());
            for column in columns {
                prepared.postings.insert((*table, column), OnceCell::new());
            }
        }
        prepared.periods = Periods::new(prepared.columns_of(shard, Table::ObservationPeriod)?)?;
        Ok(prepared)
    }

    fn columns(&self, table: Table) -> Result<Columns<'a>, Error> {
        self.columns_of(self.shard, table)
    }

    fn columns_of<'b>(&self, shard: &'b Shard, table: Table) -> Result<Columns<'b>, Error> {
        let definition = self.plan.definitions.first().map_or(0, |definition| definition.id);
        let rows = shard.table(table).ok_or(Error::NoTable { definition, table })?;
        Ok(Columns { table, rows })
    }

    /// The rows of the persons in range.
    fn rows_in_range(&self, rows: &TableRows) -> Range<usize> {
        let offsets = rows.offsets();
        offsets[self.persons.start] as usize..offsets[self.persons.end] as usize
    }

    fn persons_of(&self, table: Table) -> Result<&RowPersons, Error> {
        let rows = self.columns(table)?.rows;
        let make = || {
            let range = self.rows_in_range(rows);
            let mut persons = Vec::with_capacity(range.len());
            for person in self.persons.clone() {
                let end = rows.rows_of(person).end - range.start;
                persons.resize(end, person as u32);
            }
            RowPersons { first: range.start, persons }
        };
        let column = table.person_column().unwrap_or("person_id");
        let cell = self.row_persons.get(&table).ok_or(Error::NoColumn { table, column })?;
        Ok(cell.get_or_init(make))
    }

    fn postings(&self, columns: Columns, column: &'static str) -> Result<&Postings, Error> {
        let table = columns.table;
        let cell = self.postings.get(&(table, column)).ok_or(Error::NoColumn { table, column })?;
        let array = columns.array(column)?;
        let range = self.rows_in_range(columns.rows);
        Ok(cell.get_or_init(|| Postings::new(&self.plan.universe, array, range)))
    }

    /// Whether the person has a row of their own in the person table: one
    /// that only stands for rows elsewhere has neither birth nor gender.
    #[inline]
    fn has_person_row(&self, person: usize) -> bool {
        let known = [self.births, self.genders];
        known.iter().flatten().any(|column| column.is_valid(person))
            || self.has_persons && known.iter().all(Option::is_none)
    }
}
