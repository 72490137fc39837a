//! The events of one criterion over a range of persons.

use std::cell::Cell;
use std::ops::Range;

use arrow::array::{Array, Date32Array, Float64Array, Int64Array, StringArray};
use farr_records::{Day, Table, TableRows};

use super::Prepared;
use super::group::{IndexRow, group_holds};
use super::text::Pattern;
use super::trace::{Dropped, Gathering, Untold};
use crate::Error;
use crate::domain::{Domain, End};
use crate::model::{Comparison, ConceptField, Moment, Quantity};
use crate::plan::{CriterionPlace, PlannedConcepts, PlannedCriterion, PlannedTest, SetPlace};

/// A missing day; no record has it.
pub(super) const MISSING: i32 = i32::MIN;

/// 2099-12-31, the end of a residence that goes on.
const FAR_FUTURE: i32 = 47_481;

/// One event of a criterion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// The person's place in the shard.
    pub(super) person: u32,
    /// Its row in its table.
    pub(super) row: u32,
    pub(super) start: i32,
    /// `MISSING` if it has none.
    pub(super) end: i32,
    /// The day by which entry events are ordered.
    pub(super) sort: i32,
}

/// Events by person, then row.
pub(super) type Events = Vec<Event>;

/// Events person by person. Persons are asked for in ascending order nearly
/// always, so each search starts where the last one ended.
pub(super) struct Cursor<'a> {
    events: &'a [Event],
    at: Cell<usize>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(events: &'a [Event]) -> Self {
        Self { events, at: Cell::new(0) }
    }

    /// The events of one person.
    #[inline]
    pub(super) fn of_person(&self, person: u32) -> &'a [Event] {
        let events = self.events;
        let mut first = self.at.get();
        if first > 0 && events[first - 1].person >= person {
            first = 0;
        }
        let is_before = |place: usize| events.get(place).is_some_and(|e| e.person < person);
        if is_before(first) {
            let mut step = 1;
            while is_before(first + step) {
                first += step;
                step *= 2;
            }
            let last = (first + step).min(events.len());
            first += events[first..last].partition_point(|event| event.person < person);
        }
        self.at.set(first);
        let rest = &events[first..];
        &rest[..rest.iter().take_while(|event| event.person == person).count()]
    }
}

/// A column that may be missing as a whole.
#[derive(Clone, Copy)]
pub(super) struct Integers<'a>(&'a Int64Array);

impl Integers<'_> {
    #[inline]
    pub(super) fn get(self, row: usize) -> Option<i64> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// Typed columns of a table, by name.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) table: Table,
    pub(super) rows: &'a TableRows,
}

impl<'a> Columns<'a> {
    pub(super) fn integers(&self, column: &'static str) -> Result<Integers<'a>, Error> {
        self.rows.integers(column).map(Integers).ok_or_else(|| self.lacks(column))
    }

    pub(super) fn array(&self, column: &'static str) -> Result<&'a Int64Array, Error> {
        self.rows.integers(column).ok_or_else(|| self.lacks(column))
    }

    pub(super) fn days(&self, column: &'static str) -> Result<&'a Date32Array, Error> {
        self.rows.days(column).ok_or_else(|| self.lacks(column))
    }

    pub(super) fn reals(&self, column: &'static str) -> Result<&'a Float64Array, Error> {
        self.rows.numbers(column).ok_or_else(|| self.lacks(column))
    }

    fn texts(&self, column: &'static str) -> Result<&'a StringArray, Error> {
        self.rows.texts(column).ok_or_else(|| self.lacks(column))
    }

    fn lacks(&self, column: &'static str) -> Error {
        Error::NoColumn { table: self.table, column }
    }
}

/// A number of an event, ready to be read.
enum BoundQuantity<'a> {
    Integers(Integers<'a>),
    Reals(&'a Float64Array),
    Length,
    Age(Moment, Integers<'a>),
    Ratio(&'a Float64Array, &'a Float64Array),
}

enum BoundField<'a> {
    Own(Integers<'a>),
    Gender(Integers<'a>),
    Specialty(Integers<'a>),
    Visit { own: Integers<'a>, ids: Integers<'a>, concepts: Integers<'a>, visits: &'a TableRows },
    Place(Integers<'a>),
    Region(Integers<'a>),
}

enum BoundTest<'a> {
    Date(Moment, Comparison<i32>),
    Whole(BoundQuantity<'a>, Comparison<i64>),
    Real(BoundQuantity<'a>, Comparison<f64>),
    Concept(BoundField<'a>, &'a [i64], PlannedConcepts),
    Text(&'a StringArray, Pattern, bool),
    Abnormal {
        value: &'a Float64Array,
        low: &'a Float64Array,
        high: &'a Float64Array,
        concept: Integers<'a>,
    },
}

/// Concepts that say that a value is below or above what is normal.
const ABNORMAL: [i64; 2] = [4_155_142, 4_155_143];

impl<'a> Prepared<'a> {
    /// The events of a criterion; gathered at the first asking.
    pub(super) fn events(&'a self, place: CriterionPlace) -> Result<&'a Events, Error> {
        let cell = &self.events[place.0];
        if let Some(events) = cell.get() {
            return Ok(events);
        }
        let events = self.gather(place, &mut Untold)?;
        Ok(cell.get_or_init(|| events))
    }

    /// The events of a criterion, gathered anew.
    pub(super) fn gather(
        &'a self,
        place: CriterionPlace,
        told: &mut impl Gathering,
    ) -> Result<Events, Error> {
        let criterion = &self.plan.criteria[place.0];
        let mut events = self.own_events(criterion, told)?;
        if let Some(group) = &criterion.correlated {
            let bound = self.bind_group(group)?;
            self.keep_correlated(criterion, (&bound, told), &mut events)?;
        }
        Ok(events)
    }

    /// The events before what must hold around them.
    fn own_events<G: Gathering>(
        &'a self,
        criterion: &'a PlannedCriterion,
        told: &mut G,
    ) -> Result<Events, Error> {
        let specification = criterion.domain.specification();
        let columns = self.columns(specification.table)?;
        let mut rows = self.candidate_rows(criterion, columns)?;
        let starts = columns.days(specification.start)?;
        rows.retain(|row| starts.is_valid(*row as usize));
        let persons = self.persons_of(specification.table)?;
        let end = self.bind_end(specification.end, columns)?;
        let event_of = |row: u32| {
            let start = starts.value(row as usize);
            let end = end.of(row as usize, start);
            Event { person: persons[row as usize], row, start, end, sort: start }
        };
        if criterion.first {
            if G::ON {
                let later =
                    rows.windows(2).filter(|r| persons[r[0] as usize] == persons[r[1] as usize]);
                later.for_each(|r| told.dropped(&event_of(r[1]), Dropped::NotFirst));
            }
            // Rows of a person lie by start, then id.
            rows.dedup_by_key(|row| persons[*row as usize]);
        }
        let tests: Vec<BoundTest> = criterion
            .tests
            .iter()
            .map(|test| self.bind(test, columns))
            .collect::<Result<_, Error>>()?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let mut event = event_of(row);
            let dropped = if !adjusted(criterion, &mut event) {
                Some(Dropped::Reversed)
            } else if !within_period(criterion, &event) {
                Some(Dropped::OutsidePeriod)
            } else {
                let failed = tests.iter().position(|test| !self.holds(test, &event));
                failed.map(Dropped::Filter)
            };
            if let Some(why) = dropped {
                told.dropped(&event, why);
            } else {
                replace_dates(criterion, &mut event);
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Rows with the criterion's concepts, ascending.
    fn candidate_rows(
        &'a self,
        criterion: &PlannedCriterion,
        columns: Columns<'a>,
    ) -> Result<Vec<u32>, Error> {
        if criterion.domain == Domain::LocationRegion {
            return self.residence_rows(criterion, columns);
        }
        let Some((column, set)) = criterion.rows() else {
            let range = self.rows_in_range(columns.rows);
            return Ok((range.start as u32..range.end as u32).collect());
        };
        let mut rows = self.rows_of_set(columns, column, set)?;
        let source = criterion.domain.specification().source;
        if let (Some(_), Some(set), Some((_, source))) =
            (criterion.set, criterion.source_set, source)
        {
            let sources = columns.integers(source)?;
            let wanted = &self.plan.sets[set.0];
            rows.retain(|row| {
                sources.get(*row as usize).is_some_and(|c| wanted.binary_search(&c).is_ok())
            });
        }
        Ok(rows)
    }

    fn rows_of_set(
        &'a self,
        columns: Columns<'a>,
        column: &'static str,
        set: SetPlace,
    ) -> Result<Vec<u32>, Error> {
        let postings = self.postings(columns, column)?;
        let lists = || self.dense_sets[set.0].iter().map(|concept| postings.rows(*concept));
        let lists = || lists().filter(|list| !list.is_empty());
        let (n_lists, n_rows) = lists().fold((0, 0), |(n, sum), list| (n + 1, sum + list.len()));
        let range = self.rows_in_range(columns.rows);
        // A bit a row sorts many rows faster than a sort does.
        if n_lists > 1 && n_rows > range.len() / BITMAP_SHARE {
            return Ok(sorted_by_bits(lists().flatten().copied(), range));
        }
        let mut rows = Vec::with_capacity(n_rows);
        lists().for_each(|list| rows.extend_from_slice(list));
        if n_lists > 1 {
            rows.sort_unstable();
        }
        Ok(rows)
    }

    /// Rows of persons' residences whose location has one of the regions.
    fn residence_rows(
        &'a self,
        criterion: &PlannedCriterion,
        columns: Columns<'a>,
    ) -> Result<Vec<u32>, Error> {
        let locations = columns.integers("location_id")?;
        let domains = columns.texts("domain_id")?;
        let wanted = criterion.set.map(|set| self.plan.sets[set.0].as_slice());
        let lies_there = |row: usize| {
            let is_persons = domains.is_valid(row) && domains.value(row) == "PERSON";
            let region = locations.get(row).and_then(|location| self.site.region(location));
            is_persons
                && region.is_some_and(|region| match wanted {
                    None => true,
                    Some(set) => region.is_some_and(|region| set.binary_search(&region).is_ok()),
                })
        };
        let range = self.rows_in_range(columns.rows);
        Ok(range.filter(|row| lies_there(*row)).map(|row| row as u32).collect())
    }

    fn bind(&'a self, test: &'a PlannedTest, columns: Columns<'a>) -> Result<BoundTest<'a>, Error> {
        Ok(match test {
            PlannedTest::Date(moment, range) => BoundTest::Date(*moment, *range),
            PlannedTest::Whole(quantity, range) => {
                BoundTest::Whole(self.bind_quantity(*quantity, columns)?, *range)
            }
            PlannedTest::Real(quantity, range) => {
                BoundTest::Real(self.bind_quantity(*quantity, columns)?, *range)
            }
            PlannedTest::Concept(field, concepts) => {
                let set = self.plan.sets[concepts.set.0].as_slice();
                BoundTest::Concept(self.bind_field(*field, columns)?, set, *concepts)
            }
            PlannedTest::Text(column, test) => BoundTest::Text(
                columns.texts(column)?,
                Pattern::new(&test.pattern),
                test.is_negated,
            ),
            PlannedTest::Abnormal => BoundTest::Abnormal {
                value: columns.reals("value_as_number")?,
                low: columns.reals("range_low")?,
                high: columns.reals("range_high")?,
                concept: columns.integers("value_as_concept_id")?,
            },
        })
    }

    /// The events' ends, if the plan asks for them.
    fn bind_end(&self, end: End, columns: Columns<'a>) -> Result<BoundEnd<'a>, Error> {
        let days = |column| {
            let is_asked = self.plan.needs_column(columns.table, column);
            is_asked.then(|| columns.days(column)).transpose()
        };
        let bound = match end {
            End::NextDay => Some(BoundEnd::NextDay),
            End::Column(column) => days(column)?.map(BoundEnd::Column),
            End::ColumnOrNextDay(column) => days(column)?.map(BoundEnd::ColumnOrNextDay),
            End::ColumnOrFarFuture(column) => days(column)?.map(BoundEnd::ColumnOrFarFuture),
            End::OfDrug => match days("drug_exposure_end_date")? {
                Some(days) => Some(BoundEnd::Drug(days, columns.integers("days_supply")?)),
                None => None,
            },
        };
        Ok(bound.unwrap_or(BoundEnd::Unread))
    }

    fn bind_quantity(
        &'a self,
        quantity: Quantity,
        columns: Columns<'a>,
    ) -> Result<BoundQuantity<'a>, Error> {
        Ok(match quantity {
            Quantity::Length => BoundQuantity::Length,
            Quantity::Age(moment) => {
                let persons = self.columns(Table::Person)?;
                BoundQuantity::Age(moment, persons.integers("year_of_birth")?)
            }
            Quantity::Ratio(column) => {
                BoundQuantity::Ratio(columns.reals("value_as_number")?, columns.reals(column)?)
            }
            Quantity::Column(column) => match columns.rows.numbers(column) {
                Some(reals) => BoundQuantity::Reals(reals),
                None => BoundQuantity::Integers(columns.integers(column)?),
            },
        })
    }

    fn bind_field(
        &'a self,
        field: ConceptField,
        columns: Columns<'a>,
    ) -> Result<BoundField<'a>, Error> {
        Ok(match field {
            ConceptField::Column(column) => BoundField::Own(columns.integers(column)?),
            ConceptField::Gender => {
                BoundField::Gender(self.columns(Table::Person)?.integers("gender_concept_id")?)
            }
            ConceptField::ProviderSpecialty => {
                BoundField::Specialty(columns.integers("provider_id")?)
            }
            ConceptField::VisitConcept => {
                let visits = self.columns(Table::VisitOccurrence)?;
                BoundField::Visit {
                    own: columns.integers("visit_occurrence_id")?,
                    ids: visits.integers("visit_occurrence_id")?,
                    concepts: visits.integers("visit_concept_id")?,
                    visits: visits.rows,
                }
            }
            ConceptField::PlaceOfService => BoundField::Place(columns.integers("care_site_id")?),
            ConceptField::PlaceOfServiceRegion => {
                BoundField::Region(columns.integers("care_site_id")?)
            }
        })
    }

    fn holds(&self, test: &BoundTest, event: &Event) -> bool {
        let row = event.row as usize;
        match test {
            BoundTest::Date(Moment::Start, range) => range.holds(event.start),
            BoundTest::Date(Moment::End, range) => event.end != MISSING && range.holds(event.end),
            BoundTest::Whole(quantity, range) => match quantity {
                BoundQuantity::Integers(column) => {
                    column.get(row).is_some_and(|value| range.holds(value))
                }
                BoundQuantity::Reals(column) => {
                    column.is_valid(row) && holds_real(range, column.value(row))
                }
                BoundQuantity::Length => {
                    event.end != MISSING && range.holds(i64::from(event.end - event.start))
                }
                BoundQuantity::Age(moment, births) => {
                    let day = match moment {
                        Moment::Start => event.start,
                        Moment::End => event.end,
                    };
                    day != MISSING
                        && births
                            .get(event.person as usize)
                            .is_some_and(|birth| range.holds(Day(day).year_of_any() - birth))
                }
                BoundQuantity::Ratio(..) => false,
            },
            BoundTest::Real(quantity, range) => {
                let value = match quantity {
                    BoundQuantity::Integers(column) => column.get(row).map(|value| value as f64),
                    BoundQuantity::Reals(column) => real(column, row),
                    BoundQuantity::Ratio(value, bound) => {
                        match (real(value, row), real(bound, row)) {
                            (Some(value), Some(bound)) if bound != 0.0 => Some(value / bound),
                            _ => None,
                        }
                    }
                    BoundQuantity::Length | BoundQuantity::Age(..) => None,
                };
                value.is_some_and(|value| range.holds(value))
            }
            BoundTest::Concept(field, set, concepts) => self
                .concept_of(field, event)
                .is_some_and(|concept| is_member(concept, set, concepts)),
            BoundTest::Text(column, pattern, is_negated) => {
                column.is_valid(row) && pattern.matches(column.value(row)) != *is_negated
            }
            BoundTest::Abnormal { value, low, high, concept } => {
                let value = real(value, row);
                let below = matches!((value, real(low, row)), (Some(v), Some(low)) if v < low);
                let above = matches!((value, real(high, row)), (Some(v), Some(high)) if v > high);
                below || above || concept.get(row).is_some_and(|c| ABNORMAL.contains(&c))
            }
        }
    }

    /// The concept of a field; `None` if the row that would have it is not
    /// there, `Some(None)` if it is missing.
    fn concept_of(&self, field: &BoundField, event: &Event) -> Option<Option<i64>> {
        let row = event.row as usize;
        match field {
            BoundField::Own(column) => Some(column.get(row)),
            BoundField::Gender(genders) => {
                let person = event.person as usize;
                self.has_person_row(person).then(|| genders.get(person))
            }
            BoundField::Specialty(providers) => {
                let specialty = providers.get(row).and_then(|id| self.site.specialty(id));
                Some(specialty.flatten())
            }
            BoundField::Visit { own, ids, concepts, visits } => {
                let visit = own.get(row)?;
                let mut rows = visits.rows_of(event.person as usize);
                rows.find(|row| ids.get(*row) == Some(visit)).map(|row| concepts.get(row))
            }
            BoundField::Place(sites) => self.site.place_of_service(sites.get(row)?),
            BoundField::Region(sites) => self.site.region_of_care_site(sites.get(row)?),
        }
    }

    /// Keeps the events around which a group holds. Rows with the same event
    /// id of a person are one index event, and so are the rows that one event
    /// gives for each observation period around it.
    fn keep_correlated(
        &'a self,
        criterion: &PlannedCriterion,
        (group, told): (&super::group::BoundGroup<'a>, &mut impl Gathering),
        events: &mut Events,
    ) -> Result<(), Error> {
        let columns = self.columns(criterion.domain.table())?;
        let ids = columns.integers(criterion.domain.specification().id)?;
        let visits = if group.asks_visits() { self.visits_of(criterion.domain)? } else { None };
        let mut kept = Vec::with_capacity(events.len());
        let mut order: Vec<(Option<i64>, usize)> = Vec::new();
        let mut passes: Vec<bool> = Vec::new();
        let mut rows: Vec<IndexRow> = Vec::new();
        for mine in events.chunk_by(|a, b| a.person == b.person) {
            let person = mine[0].person;
            order.clear();
            order.extend(mine.iter().enumerate().map(|(i, e)| (ids.get(e.row as usize), i)));
            order.sort_unstable();
            passes.clear();
            passes.resize(mine.len(), false);
            for same in order.chunk_by(|a, b| a.0 == b.0) {
                rows.clear();
                for (_, place) in same {
                    let event = &mine[*place];
                    let visit = visits.and_then(|visits| visits.get(event.row as usize));
                    self.index_rows(event, visit, &mut rows);
                }
                let holds = same[0].0.is_some()
                    && !rows.is_empty()
                    && group_holds(self, group, person, &rows);
                for (_, place) in same {
                    passes[*place] = holds;
                    told.around(&mine[*place], &rows, holds);
                }
            }
            kept.extend(mine.iter().zip(&passes).filter(|(_, passes)| **passes).map(|(e, _)| *e));
        }
        *events = kept;
        Ok(())
    }

    /// One row for each observation period that contains the event's start.
    fn index_rows(&self, event: &Event, visit: Option<i64>, rows: &mut Vec<IndexRow>) {
        for (period_start, period_end) in self.periods.around(event.person, event.start) {
            rows.push(IndexRow {
                start: event.start,
                end: event.end,
                period_start,
                period_end,
                visit,
            });
        }
    }

    /// The column of the visits that a domain's events belong to, if it was
    /// read: it is where anything asks for it.
    pub(super) fn visits_of(&'a self, domain: Domain) -> Result<Option<Integers<'a>>, Error> {
        let specification = domain.specification();
        let Some(column) = specification.visit else { return Ok(None) };
        Ok(self.columns(specification.table)?.rows.integers(column).map(Integers))
    }
}

/// Rows are sorted by a bitmap if they are more than one in so many.
const BITMAP_SHARE: usize = 512;

/// Rows of a range, each of which comes once, ascending.
fn sorted_by_bits(rows: impl Iterator<Item = u32>, range: Range<usize>) -> Vec<u32> {
    let mut bits = vec![0u64; range.len().div_ceil(64)];
    let mut count = 0;
    for row in rows {
        let place = row as usize - range.start;
        bits[place / 64] |= 1 << (place % 64);
        count += 1;
    }
    let mut sorted = Vec::with_capacity(count);
    for (place, word) in bits.into_iter().enumerate() {
        let mut word = word;
        while word != 0 {
            let bit = word.trailing_zeros() as usize;
            sorted.push((range.start + place * 64 + bit) as u32);
            word &= word - 1;
        }
    }
    sorted
}

/// Whether a concept is in a set, or is not.
#[inline]
pub(super) fn is_member(concept: Option<i64>, set: &[i64], test: &PlannedConcepts) -> bool {
    match concept {
        None => test.is_exclusion && test.is_by_id && set.is_empty(),
        Some(concept) => set.binary_search(&concept).is_ok() != test.is_exclusion,
    }
}

fn real(column: &Float64Array, row: usize) -> Option<f64> {
    column.is_valid(row).then(|| column.value(row))
}

/// A range of whole numbers against a real one.
fn holds_real(range: &Comparison<i64>, value: f64) -> bool {
    match *range {
        Comparison::Less(other) => value < other as f64,
        Comparison::LessOrEqual(other) => value <= other as f64,
        Comparison::Equal(other) => value == other as f64,
        Comparison::NotEqual(other) => value != other as f64,
        Comparison::Greater(other) => value > other as f64,
        Comparison::GreaterOrEqual(other) => value >= other as f64,
        Comparison::Between(low, high) => low as f64 <= value && value <= high as f64,
        Comparison::NotBetween(low, high) => !(low as f64 <= value && value <= high as f64),
    }
}

enum BoundEnd<'a> {
    /// The plan did not ask for it.
    Unread,
    NextDay,
    Column(&'a Date32Array),
    ColumnOrNextDay(&'a Date32Array),
    Drug(&'a Date32Array, Integers<'a>),
    ColumnOrFarFuture(&'a Date32Array),
}

impl BoundEnd<'_> {
    fn of(&self, row: usize, start: i32) -> i32 {
        let or = |days: &Date32Array, other: i32| {
            if days.is_valid(row) { days.value(row) } else { other }
        };
        match self {
            Self::Unread => MISSING,
            Self::NextDay => start + 1,
            Self::Column(days) => or(days, MISSING),
            Self::ColumnOrNextDay(days) => or(days, start + 1),
            Self::ColumnOrFarFuture(days) => or(days, FAR_FUTURE),
            Self::Drug(days, supply) => {
                or(days, start.saturating_add(supply.get(row).map_or(1, |days| days as i32)))
            }
        }
    }
}

/// Shifts the dates; false if the event then ends before it starts.
fn adjusted(criterion: &PlannedCriterion, event: &mut Event) -> bool {
    let Some(adjustment) = criterion.adjustment else { return true };
    let (start, end) = (event.start, event.end);
    let shifted = |moment: Moment, offset: i32| match moment {
        Moment::Start => start + offset,
        Moment::End if end == MISSING => MISSING,
        Moment::End => end + offset,
    };
    event.start = shifted(adjustment.start_with, adjustment.start_offset_days);
    event.end = shifted(adjustment.end_with, adjustment.end_offset_days);
    event.sort = event.start;
    event.start != MISSING && event.end != MISSING && event.end >= event.start
}

/// Whether the true period contains the days of a user-defined one.
fn within_period(criterion: &PlannedCriterion, event: &Event) -> bool {
    let contains = |day: Option<Day>| {
        day.is_none_or(|day| event.start <= day.0 && event.end != MISSING && event.end >= day.0)
    };
    contains(criterion.period.start) && contains(criterion.period.end)
}

fn replace_dates(criterion: &PlannedCriterion, event: &mut Event) {
    if let Some(day) = criterion.period.start {
        event.start = day.0;
    }
    if let Some(day) = criterion.period.end {
        event.end = day.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residence_goes_on_to_the_end_of_a_century() {
        assert_eq!(Day::from_ymd(2099, 12, 31), Some(Day(FAR_FUTURE)));
    }
}
