//! Whether a group of criteria holds around an index event.

use std::cell::RefCell;

use arrow::array::{Array, Float64Array};
use farr_records::{Day, Table};

use super::Prepared;
use super::events::{Columns, Cursor, Event, Integers, MISSING, is_member};
use super::trace::{Counting, Untold};
use crate::Error;
use crate::count::Counted;
use crate::model::{Bound, GroupKind, OccurrenceKind, Window};
use crate::plan::{PlannedConcepts, PlannedCorrelated, PlannedDemographic, PlannedGroup};

/// An index event within one observation period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexRow {
    pub(super) start: i32,
    /// `MISSING` if it has none.
    pub(super) end: i32,
    pub(super) period_start: i32,
    pub(super) period_end: i32,
    pub(super) visit: Option<i64>,
}

/// A group with the events and columns that it reads.
pub(super) struct BoundGroup<'a> {
    kind: GroupKind,
    pub(super) criteria: Vec<BoundCorrelated<'a>>,
    pub(super) demographics: Vec<BoundDemographic<'a>>,
    pub(super) groups: Vec<BoundGroup<'a>>,
}

pub(super) struct BoundCorrelated<'a> {
    pub(super) planned: &'a PlannedCorrelated,
    events: Cursor<'a>,
    visits: Option<Integers<'a>>,
    counted: Option<BoundCounted<'a>>,
    /// The values of one count, so that none allocates.
    values: RefCell<Vec<i64>>,
}

impl BoundGroup<'_> {
    /// Whether it asks for the visit of the index event.
    pub(super) fn asks_visits(&self) -> bool {
        self.criteria.iter().any(|criterion| criterion.planned.restrict_visit)
            || self.groups.iter().any(Self::asks_visits)
    }
}

enum BoundCounted<'a> {
    Integers(Integers<'a>),
    IntegersOrZero(Integers<'a>),
    Reals(&'a Float64Array),
    Start,
    End,
    Length,
    One,
    Region(Integers<'a>),
    Nothing,
}

pub(super) struct BoundDemographic<'a> {
    planned: &'a PlannedDemographic,
    pub(super) births: Integers<'a>,
    pub(super) concepts: Vec<(Integers<'a>, &'a [i64], PlannedConcepts)>,
}

impl<'a> Prepared<'a> {
    /// Gathers what a group reads.
    pub(super) fn bind_group(&'a self, group: &'a PlannedGroup) -> Result<BoundGroup<'a>, Error> {
        let criteria = group.criteria.iter().map(|c| self.bind_correlated(c));
        let demographics = group.demographics.iter().map(|d| self.bind_demographic(d));
        let groups = group.groups.iter().map(|g| self.bind_group(g));
        Ok(BoundGroup {
            kind: group.kind,
            criteria: criteria.collect::<Result<_, Error>>()?,
            demographics: demographics.collect::<Result<_, Error>>()?,
            groups: groups.collect::<Result<_, Error>>()?,
        })
    }

    fn bind_correlated(
        &'a self,
        planned: &'a PlannedCorrelated,
    ) -> Result<BoundCorrelated<'a>, Error> {
        let criterion = &self.plan.criteria[planned.criterion.0];
        let columns = self.columns(criterion.domain.table())?;
        let visits = if planned.restrict_visit { self.visits_of(criterion.domain)? } else { None };
        Ok(BoundCorrelated {
            planned,
            events: Cursor::new(self.events(planned.criterion)?),
            visits,
            counted: planned.distinct.map(|counted| bind_counted(counted, columns)).transpose()?,
            values: RefCell::default(),
        })
    }

    fn bind_demographic(
        &'a self,
        planned: &'a PlannedDemographic,
    ) -> Result<BoundDemographic<'a>, Error> {
        let persons = self.columns(Table::Person)?;
        let concepts = planned.concepts.iter().map(|(concept, test)| {
            let set = self.plan.sets[test.set.0].as_slice();
            Ok((persons.integers(concept.column())?, set, *test))
        });
        Ok(BoundDemographic {
            planned,
            births: persons.integers("year_of_birth")?,
            concepts: concepts.collect::<Result<_, Error>>()?,
        })
    }
}

fn bind_counted(counted: Counted, columns: Columns) -> Result<BoundCounted, Error> {
    Ok(match counted {
        Counted::Integers(column) => BoundCounted::Integers(columns.integers(column)?),
        Counted::IntegersOrZero(column) => BoundCounted::IntegersOrZero(columns.integers(column)?),
        Counted::Reals(column) => BoundCounted::Reals(columns.reals(column)?),
        Counted::Start => BoundCounted::Start,
        Counted::End => BoundCounted::End,
        Counted::Length => BoundCounted::Length,
        Counted::One => BoundCounted::One,
        Counted::Region => BoundCounted::Region(columns.integers("location_id")?),
        Counted::Nothing => BoundCounted::Nothing,
    })
}

/// Whether a group holds around one index event, given as its rows: one for
/// each observation period around it (and for each row with the same id).
///
/// The reference counts joined rows: with several index rows every criterion
/// that holds counts as often as there are rows, and an empty group within
/// gives that many more.
pub(super) fn group_holds(
    prepared: &Prepared,
    group: &BoundGroup,
    person: u32,
    rows: &[IndexRow],
) -> bool {
    let asked = group.criteria.len() + group.demographics.len() + group.groups.len();
    if asked == 0 {
        return true;
    }
    let times = rows.len() as i64;
    let mut sum = 0i64;
    let mut answers = 0;
    let criteria = group
        .criteria
        .iter()
        .map(|c| i64::from(correlated_holds(prepared, c, person, (rows, &mut Untold))));
    let demographics =
        group.demographics.iter().map(|d| i64::from(demographic_holds(prepared, d, person, rows)));
    let groups = group.groups.iter().map(|g| {
        if g.criteria.is_empty() && g.demographics.is_empty() && g.groups.is_empty() {
            times
        } else {
            i64::from(group_holds(prepared, g, person, rows))
        }
    });
    for held in demographics.chain(criteria).chain(groups) {
        sum += held;
        answers += 1;
        match group.kind {
            GroupKind::All if times == 1 && sum < answers => return false,
            GroupKind::Any if sum > 0 => return true,
            _ => {}
        }
    }
    let count = times * sum;
    match group.kind {
        GroupKind::All => count == asked as i64,
        GroupKind::Any => count > 0,
        // Without a left join an event that meets nothing is not there.
        GroupKind::AtLeast(least) => count >= least && (least == 0 || sum > 0),
        GroupKind::AtMost(most) => count <= most,
    }
}

/// One window around one index row: the days that an event's date may have.
#[derive(Clone, Copy)]
struct Span {
    uses_event_end: bool,
    first: i32,
    last: i32,
}

const NO_FIRST: i32 = i32::MIN;
const NO_LAST: i32 = i32::MAX;

impl Span {
    /// `None` if it counts from an index end that is missing.
    fn new(window: &Window, index: &IndexRow, is_observed: bool) -> Option<Self> {
        let day = if window.use_index_end { index.end } else { index.start };
        let bound = |bound, open| match bound {
            Bound::Days(_) if day == MISSING => None,
            Bound::Days(days) => Some(day.saturating_add(days)),
            Bound::PeriodStart if is_observed => Some(index.period_start),
            Bound::PeriodEnd if is_observed => Some(index.period_end),
            Bound::PeriodStart | Bound::PeriodEnd => Some(open),
        };
        Some(Self {
            uses_event_end: window.use_event_end,
            first: bound(window.start, NO_FIRST)?,
            last: bound(window.end, NO_LAST)?,
        })
    }

    #[inline]
    fn contains(self, event: &Event) -> bool {
        let day = if self.uses_event_end { event.end } else { event.start };
        // A missing day is in no window that has a bound.
        let is_there = day != MISSING || (self.first == NO_FIRST && self.last == NO_LAST);
        is_there && self.first <= day && day <= self.last
    }
}

/// Whether a correlated criterion holds around one index event, given as its
/// rows.
pub(super) fn correlated_holds<C: Counting>(
    prepared: &Prepared,
    correlated: &BoundCorrelated,
    person: u32,
    (rows, counting): (&[IndexRow], &mut C),
) -> bool {
    let planned = correlated.planned;
    let may_be_none = planned.kind == OccurrenceKind::AtMost || planned.count == 0;
    let mine = correlated.events.of_person(person);
    let mut values = correlated.values.borrow_mut();
    values.clear();
    let mut count = 0i64;
    for index in rows {
        let is_observed = !planned.ignore_observation_period;
        let Some(start_span) = Span::new(&planned.start_window, index, is_observed) else {
            continue;
        };
        let end_span = match &planned.end_window {
            None => None,
            Some(window) => match Span::new(window, index, is_observed) {
                None => continue,
                span => span,
            },
        };
        for event in mine {
            let is_in = (!is_observed
                || (index.period_start <= event.start && event.start <= index.period_end))
                && start_span.contains(event)
                && end_span.is_none_or(|span| span.contains(event))
                && (!planned.restrict_visit || same_visit(correlated, event, index));
            if is_in {
                count += 1;
                counting.event(event);
                if let Some(counted) = &correlated.counted {
                    values.extend(value_of(prepared, counted, event));
                } else if !C::ON
                    && planned.kind == OccurrenceKind::AtLeast
                    && count >= planned.count
                {
                    return true;
                }
            }
        }
    }
    if count == 0 && !may_be_none {
        counting.count(0);
        return false;
    }
    if correlated.counted.is_some() {
        values.sort_unstable();
        values.dedup();
        count = values.len() as i64;
    } else if may_be_none {
        count *= rows.len() as i64;
    }
    counting.count(count);
    match planned.kind {
        OccurrenceKind::Exactly => count == planned.count,
        OccurrenceKind::AtMost => count <= planned.count,
        OccurrenceKind::AtLeast => count >= planned.count,
    }
}

fn same_visit(correlated: &BoundCorrelated, event: &Event, index: &IndexRow) -> bool {
    let visit = correlated.visits.and_then(|visits| visits.get(event.row as usize));
    visit.is_some() && visit == index.visit
}

/// The value that is counted, as a number that differs when it does.
fn value_of(prepared: &Prepared, counted: &BoundCounted, event: &Event) -> Option<i64> {
    let row = event.row as usize;
    match counted {
        BoundCounted::Integers(column) => column.get(row),
        BoundCounted::IntegersOrZero(column) => Some(column.get(row).unwrap_or(0)),
        // 0.0 and -0.0 are one value.
        BoundCounted::Reals(column) => {
            column.is_valid(row).then(|| (column.value(row) + 0.0).to_bits() as i64)
        }
        BoundCounted::Start => Some(i64::from(event.start)),
        BoundCounted::End => (event.end != MISSING).then(|| i64::from(event.end)),
        BoundCounted::Length => (event.end != MISSING).then(|| i64::from(event.end - event.start)),
        BoundCounted::One => Some(1),
        BoundCounted::Region(locations) => prepared.site.region(locations.get(row)?)?,
        BoundCounted::Nothing => None,
    }
}

/// Whether a demographic criterion holds at one index event, given as its rows.
pub(super) fn demographic_holds(
    prepared: &Prepared,
    demographic: &BoundDemographic,
    person: u32,
    rows: &[IndexRow],
) -> bool {
    let place = person as usize;
    if !prepared.has_person_row(place) {
        return false;
    }
    let is_such = demographic
        .concepts
        .iter()
        .all(|(column, set, test)| is_member(column.get(place), set, test));
    if !is_such {
        return false;
    }
    let planned = demographic.planned;
    rows.iter().any(|index| {
        let age =
            || demographic.births.get(place).map(|birth| Day(index.start).year_of_any() - birth);
        planned.age.as_ref().is_none_or(|range| age().is_some_and(|age| range.holds(age)))
            && planned.start.as_ref().is_none_or(|range| range.holds(index.start))
            && planned
                .end
                .as_ref()
                .is_none_or(|range| index.end != MISSING && range.holds(index.end))
    })
}
