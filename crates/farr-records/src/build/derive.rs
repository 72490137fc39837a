//! What is derived for the persons of a shard from their kept rows:
//! observation periods, eras, and providers from visits.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};

use super::at_rest::Piece;
use super::eras::{Era, Occurrence, append_eras, span_of};
use super::persons::Persons;
use crate::narrow::column_of;
use crate::{Day, Error, IdHasher, Interval, Table};

/// OMOP's type concept "Standard algorithm".
const STANDARD_ALGORITHM: i64 = 32_880;

/// Tables whose rows are events that an observation period must reach. Spans
/// that a payer or an address gives are none.
const EVENTS: [Table; 11] = [
    Table::VisitOccurrence,
    Table::VisitDetail,
    Table::ConditionOccurrence,
    Table::DrugExposure,
    Table::ProcedureOccurrence,
    Table::DeviceExposure,
    Table::Measurement,
    Table::Observation,
    Table::Death,
    Table::Specimen,
    Table::Note,
];

/// The first and last day of each person's events.
pub(super) struct Observed {
    spans: Vec<Option<Interval>>,
}

impl Observed {
    pub(super) fn new(persons: usize) -> Self {
        Self { spans: vec![None; persons] }
    }

    /// Widens the persons' spans by the rows of a table: start and end.
    pub(super) fn see(&mut self, table: Table, rows: &RecordBatch, places: &[u32]) {
        if !EVENTS.contains(&table) {
            return;
        }
        let column = |name: Option<&str>| name.and_then(|name| days(rows, name));
        let (starts, ends) = (column(table.start_column()), column(table.end_column()));
        for (row, place) in places.iter().enumerate() {
            let day = |days: &Option<Date32Array>| {
                let days = days.as_ref().filter(|days| days.is_valid(row))?;
                Some(Day(days.value(row)))
            };
            let (start, end) = (day(&starts), day(&ends));
            // A row that ends before it starts is one of its first day.
            let (Some(start), Some(end)) = (start.or(end), start.max(end)) else { continue };
            let span = &mut self.spans[*place as usize];
            let known = span.unwrap_or(Interval { start, end });
            *span = Some(Interval { start: known.start.min(start), end: known.end.max(end) });
        }
    }

    /// An observation period for each person of whom `asked` says so and who
    /// has an event with a date.
    pub(super) fn periods(
        &self,
        persons: &Persons,
        asked: impl Fn(usize) -> bool,
    ) -> Result<RecordBatch, Error> {
        let table = Table::ObservationPeriod;
        let ids = DerivedIds::new(table);
        let (mut id, mut person, mut start, mut end) = (vec![], vec![], vec![], vec![]);
        let mut key = String::new();
        for (place, span) in self.spans.iter().enumerate() {
            let Some(span) = span.filter(|_| asked(place)) else { continue };
            id.push(ids.id(&mut key, persons.id(place).0, 0, span.start));
            person.push(persons.id(place).0);
            start.push(span.start.0);
            end.push(span.end.0);
        }
        let kinds = Int64Array::from(vec![STANDARD_ALGORITHM; id.len()]);
        batch(
            table,
            [
                ("observation_period_id", Arc::new(Int64Array::from(id)) as ArrayRef),
                ("person_id", Arc::new(Int64Array::from(person))),
                ("observation_period_start_date", Arc::new(Date32Array::from(start))),
                ("observation_period_end_date", Arc::new(Date32Array::from(end))),
                ("period_type_concept_id", Arc::new(kinds)),
            ],
        )
    }
}

/// The ingredients of drugs: (drug, ingredient), sorted.
pub(super) type Ingredients = Vec<(i64, i64)>;

/// Condition eras of the persons of whom `asked` says so. `rows` are sorted by
/// person, `places` are their persons' places.
pub(super) fn condition_eras(
    rows: &RecordBatch,
    places: &[u32],
    persons: &Persons,
    asked: impl Fn(usize) -> bool,
) -> Result<RecordBatch, Error> {
    let columns = EventColumns::of(Table::ConditionOccurrence, rows);
    let occurrence = |row: usize, found: &mut Vec<Occurrence>| {
        let Some((concept, start, end)) = columns.at(row) else { return };
        found.push(Occurrence { concept, span: span_of(start, end, None) });
    };
    let (of, eras) = eras_of_persons(places, asked, occurrence);
    era_rows(Table::ConditionEra, persons, &of, &eras)
}

/// Drug eras, likewise: of ingredients if there are any, else of drug
/// concepts; and how many exposures have no ingredient.
pub(super) fn drug_eras(
    rows: &RecordBatch,
    places: &[u32],
    persons: &Persons,
    ingredients: Option<&Ingredients>,
    asked: impl Fn(usize) -> bool,
) -> Result<(RecordBatch, u64), Error> {
    let columns = EventColumns::of(Table::DrugExposure, rows);
    let supplies = integers(rows, "days_supply");
    let mut without = 0;
    let occurrence = |row: usize, found: &mut Vec<Occurrence>| {
        let Some((concept, start, end)) = columns.at(row) else { return };
        let supply =
            supplies.as_ref().filter(|days| days.is_valid(row)).map(|days| days.value(row));
        if supply.is_some_and(|days| days < 0) {
            return;
        }
        let span = span_of(start, end, supply);
        let Some(ingredients) = ingredients else {
            found.push(Occurrence { concept, span });
            return;
        };
        let first = ingredients.partition_point(|(drug, _)| *drug < concept);
        let of_drug = ingredients[first..].iter().take_while(|(drug, _)| *drug == concept);
        let before = found.len();
        found.extend(of_drug.map(|(_, concept)| Occurrence { concept: *concept, span }));
        without += u64::from(found.len() == before);
    };
    let (of, eras) = eras_of_persons(places, asked, occurrence);
    Ok((era_rows(Table::DrugEra, persons, &of, &eras)?, without))
}

/// Concept, start and end of events.
struct EventColumns {
    concepts: Option<Int64Array>,
    starts: Option<Date32Array>,
    ends: Option<Date32Array>,
}

impl EventColumns {
    fn of(table: Table, rows: &RecordBatch) -> Self {
        let concept = match table {
            Table::DrugExposure => "drug_concept_id",
            _ => "condition_concept_id",
        };
        let days = |name: Option<&str>| days(rows, name?);
        Self {
            concepts: integers(rows, concept),
            starts: days(table.start_column()),
            ends: days(table.end_column()),
        }
    }

    /// `None` for rows of no concept or without start date.
    fn at(&self, row: usize) -> Option<(i64, Day, Option<Day>)> {
        let concepts = self.concepts.as_ref().filter(|c| c.is_valid(row) && c.value(row) != 0)?;
        let starts = self.starts.as_ref().filter(|days| days.is_valid(row))?;
        let end =
            self.ends.as_ref().filter(|days| days.is_valid(row)).map(|days| Day(days.value(row)));
        Some((concepts.value(row), Day(starts.value(row)), end))
    }
}

/// Eras, and for each the place of its person.
fn eras_of_persons(
    places: &[u32],
    asked: impl Fn(usize) -> bool,
    mut occurrence: impl FnMut(usize, &mut Vec<Occurrence>),
) -> (Vec<u32>, Vec<Era>) {
    let (mut of, mut eras) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    let mut row = 0;
    for rows in places.chunk_by(|a, b| a == b) {
        let place = rows[0];
        if asked(place as usize) {
            found.clear();
            for row in row..row + rows.len() {
                occurrence(row, &mut found);
            }
            append_eras(&mut found, &mut eras);
            of.resize(eras.len(), place);
        }
        row += rows.len();
    }
    (of, eras)
}

fn era_rows(
    table: Table,
    persons: &Persons,
    of: &[u32],
    eras: &[Era],
) -> Result<RecordBatch, Error> {
    let ids = DerivedIds::new(table);
    let mut key = String::new();
    let id = of.iter().zip(eras).map(|(place, era)| {
        ids.id(&mut key, persons.id(*place as usize).0, era.concept, era.span.start)
    });
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(id));
    let numbers = |number: &dyn Fn(&Era) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(eras.iter().map(number)))
    };
    let days = |day: &dyn Fn(&Era) -> Day| -> ArrayRef {
        Arc::new(Date32Array::from_iter_values(eras.iter().map(|era| day(era).0)))
    };
    let person = of.iter().map(|place| persons.id(*place as usize).0);
    let person: ArrayRef = Arc::new(Int64Array::from_iter_values(person));
    let (concept, count) = (numbers(&|era| era.concept), numbers(&|era| era.count));
    let (start, end) = (days(&|era| era.span.start), days(&|era| era.span.end));
    if table == Table::DrugEra {
        return batch(
            table,
            [
                ("drug_era_id", id),
                ("person_id", person),
                ("drug_concept_id", concept),
                ("drug_era_start_date", start),
                ("drug_era_end_date", end),
                ("drug_exposure_count", count),
                ("gap_days", numbers(&|era| era.gap_days)),
            ],
        );
    }
    batch(
        table,
        [
            ("condition_era_id", id),
            ("person_id", person),
            ("condition_concept_id", concept),
            ("condition_era_start_date", start),
            ("condition_era_end_date", end),
            ("condition_occurrence_count", count),
        ],
    )
}

fn batch<const N: usize>(
    table: Table,
    columns: [(&str, ArrayRef); N],
) -> Result<RecordBatch, Error> {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .map_err(|source| Error::Arrow { table, source })
}

/// Ids of derived rows: hashes of person, concept and start.
struct DerivedIds {
    hasher: IdHasher,
}

impl DerivedIds {
    fn new(table: Table) -> Self {
        Self { hasher: IdHasher::new("farr", table.name()) }
    }

    /// `key` is scratch space.
    fn id(&self, key: &mut String, person: i64, concept: i64, start: Day) -> i64 {
        key.clear();
        // Writing to a text cannot fail.
        let _ = write!(key, "{person}/{concept}/{}", start.0);
        self.hasher.id(&[key])
    }
}

/// The providers of visits: (person's place, visit, provider), sorted.
#[derive(Default)]
pub(super) struct VisitProviders {
    visits: Vec<(u32, i64, i64)>,
}

impl VisitProviders {
    /// Of the kept visits of a shard.
    pub(super) fn of(rows: &RecordBatch, places: &[u32]) -> Self {
        let (Some(ids), Some(providers)) =
            (integers(rows, "visit_occurrence_id"), integers(rows, "provider_id"))
        else {
            return Self::default();
        };
        let both = |row: &usize| ids.is_valid(*row) && providers.is_valid(*row);
        let visit = |row: usize| (places[row], ids.value(row), providers.value(row));
        let mut visits: Vec<_> = (0..places.len()).filter(both).map(visit).collect();
        visits.sort_unstable();
        visits.dedup_by_key(|(place, visit, _)| (*place, *visit));
        Self { visits }
    }

    /// Gives events of persons of whom `asked` says so, which have a visit but
    /// no provider, their visit's. Gives how many there were.
    pub(super) fn fill(
        &self,
        piece: &mut Piece,
        places: &[Option<u32>],
        asked: impl Fn(usize) -> bool,
    ) -> Result<u64, Error> {
        let Some(visits) = piece.primitive::<Int64Type>("visit_occurrence_id") else {
            return Ok(0);
        };
        let providers = piece.primitive::<Int64Type>("provider_id");
        let mut filled = 0;
        // Exports mostly hold the events of a visit together.
        let mut last = None;
        let mut found = |row: usize| {
            let place = places[row].filter(|place| asked(*place as usize))?;
            let visit = visits.is_valid(row).then(|| visits.value(row))?;
            let key = (place, visit);
            if let Some((known, provider)) = last
                && known == key
            {
                return provider;
            }
            let at = self.visits.binary_search_by_key(&key, |(place, visit, _)| (*place, *visit));
            let provider = at.ok().map(|at| self.visits[at].2);
            last = Some((key, provider));
            provider
        };
        let provider = |row: usize| {
            let known = providers.as_ref().filter(|providers| providers.is_valid(row));
            if let Some(providers) = known {
                return Some(providers.value(row));
            }
            let provider = found(row);
            filled += u64::from(provider.is_some());
            provider
        };
        let array: Int64Array = (0..places.len()).map(provider).collect();
        piece.replace("provider_id", Arc::new(array))?;
        Ok(filled)
    }
}

fn integers(rows: &RecordBatch, name: &str) -> Option<Int64Array> {
    column_of::<Int64Type>(rows, name)
}

fn days(rows: &RecordBatch, name: &str) -> Option<Date32Array> {
    column_of::<Date32Type>(rows, name)
}
