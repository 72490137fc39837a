//! One definition over a range of persons: entry events, qualification,
//! rules, ends, merged rows.

use std::cmp::Reverse;

use farr_records::{Day, Interval};

use super::Prepared;
use super::events::{Cursor, Event, Integers, MISSING};
use super::group::{BoundGroup, IndexRow, group_holds};
use super::trace::{ExitBy, Trace};
use crate::Error;
use crate::model::{Limit, Moment};
use crate::plan::{CriterionPlace, PlannedDefinition, PlannedEnd};
use crate::statistics::{CensorCounts, InclusionCounts, full_mask};

/// What one definition gave over some persons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortEntries {
    /// The definition's id.
    pub definition: i64,
    /// Person's place in the shard and days, sorted by both; rows of a person
    /// neither overlap nor touch.
    pub entries: Vec<(u32, Interval)>,
    /// Events by the rules they met.
    pub statistics: InclusionCounts,
    /// Persons before and after the censor window.
    pub censored: CensorCounts,
}

/// An entry event in one observation period around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) sort: i32,
    /// Which criterion gave it, and the row it is of.
    source: u32,
    row: u32,
    pub(super) index: IndexRow,
}

/// One criterion that gives entry events.
struct Source<'a> {
    events: &'a [Event],
    /// To settle ties, and to tell of events; not read where rows lie by unique
    /// ids.
    ids: Option<Integers<'a>>,
    visits: Option<Integers<'a>>,
    /// Where the next person's events are.
    at: usize,
}

/// The era exit of a definition.
struct Eras<'a> {
    exposures: [Cursor<'a>; 2],
    gap_days: i32,
    offset_days: i32,
    days_supply_override: Option<i32>,
    /// The eras of the person at hand.
    spans: Vec<(i32, i32)>,
}

/// A definition with all that it reads.
pub(super) struct Bound<'a> {
    planned: &'a PlannedDefinition,
    pub(super) additional: Option<BoundGroup<'a>>,
    pub(super) rules: Vec<BoundGroup<'a>>,
    censoring: Vec<Cursor<'a>>,
    eras: Option<Eras<'a>>,
    /// Whether anything asks for the visit of an entry event.
    asks_visits: bool,
}

/// Lists that every person fills anew.
#[derive(Default)]
struct Scratch {
    entries: Vec<Entry>,
    masks: Vec<u64>,
    rows: Vec<(i32, i32)>,
}

impl<'a> Prepared<'a> {
    pub(super) fn cohort(
        &'a self,
        planned: &'a PlannedDefinition,
        trace: &mut impl Trace,
    ) -> Result<CohortEntries, Error> {
        let mut sources = Vec::with_capacity(planned.primary.len());
        for place in &planned.primary {
            sources.push(self.source(*place)?);
        }
        let has_window = !planned.censor_window.is_open();
        let mut cohort = CohortEntries {
            definition: planned.id,
            entries: Vec::new(),
            statistics: InclusionCounts { rules: planned.rules.len(), ..Default::default() },
            censored: CensorCounts { has_window, ..Default::default() },
        };
        // What else the definition reads is gathered only if anybody enters.
        if sources.iter().all(|source| source.events.is_empty()) {
            return Ok(cohort);
        }
        let mut bound = self.bind_definition(planned)?;
        cohort.entries.reserve(sources.iter().map(|source| source.events.len()).sum());
        let mut scratch = Scratch::default();
        while let Some(person) = next_person(&sources) {
            let way = (&mut scratch, &mut *trace);
            self.person(&mut bound, &mut sources, person, way, &mut cohort);
        }
        Ok(cohort)
    }

    fn source(&'a self, place: CriterionPlace) -> Result<Source<'a>, Error> {
        let domain = self.plan.criteria[place.0].domain;
        let specification = domain.specification();
        let columns = self.columns(specification.table)?;
        let needs_ids = self.plan.needs_column(specification.table, specification.id);
        Ok(Source {
            events: self.events(place)?,
            ids: needs_ids.then(|| columns.integers(specification.id)).transpose()?,
            visits: self.visits_of(domain)?,
            at: 0,
        })
    }

    pub(super) fn bind_definition(
        &'a self,
        planned: &'a PlannedDefinition,
    ) -> Result<Bound<'a>, Error> {
        let rules = planned.rules.iter().map(|group| self.bind_group(group));
        let censoring = planned.censoring.iter().map(|place| Ok(Cursor::new(self.events(*place)?)));
        let eras = match planned.end {
            PlannedEnd::CustomEra { exposures, gap_days, offset_days, days_supply_override } => {
                Some(Eras {
                    exposures: [
                        Cursor::new(self.events(exposures[0])?),
                        Cursor::new(self.events(exposures[1])?),
                    ],
                    gap_days,
                    offset_days,
                    days_supply_override,
                    spans: Vec::new(),
                })
            }
            _ => None,
        };
        let additional = planned.additional.as_ref().map(|g| self.bind_group(g)).transpose()?;
        let rules = rules.collect::<Result<Vec<_>, Error>>()?;
        Ok(Bound {
            planned,
            asks_visits: additional.iter().chain(&rules).any(BoundGroup::asks_visits),
            additional,
            rules,
            censoring: censoring.collect::<Result<_, Error>>()?,
            eras,
        })
    }

    /// One person's way through the definition.
    fn person(
        &self,
        bound: &mut Bound,
        sources: &mut [Source],
        person: u32,
        (scratch, trace): (&mut Scratch, &mut impl Trace),
        cohort: &mut CohortEntries,
    ) {
        let planned = bound.planned;
        self.enter(bound, sources, person, (&mut scratch.entries, trace));
        if let Some(group) = &bound.additional {
            scratch.entries.retain(|entry| {
                let holds = group_holds(self, group, person, std::slice::from_ref(&entry.index));
                trace.additional(entry, holds);
                holds
            });
            limit(&mut scratch.entries, planned.qualified_limit);
        }
        trace.qualified(&scratch.entries);
        if scratch.entries.is_empty() {
            return;
        }
        if !bound.rules.is_empty() {
            self.apply_rules(bound, person, (scratch, trace), cohort);
        }
        limit(&mut scratch.entries, planned.expression_limit);
        trace.included(&scratch.entries);
        if scratch.entries.is_empty() {
            return;
        }
        if let Some(eras) = &mut bound.eras {
            eras.of_person(person);
        }
        scratch.rows.clear();
        for entry in &scratch.entries {
            let start = entry.index.start;
            let end = exit(bound, person, entry, trace);
            trace.exit(entry, end);
            if let Some(end) = end {
                scratch.rows.push((start, end.saturating_add(planned.era_pad_days)));
            }
        }
        merge(&mut scratch.rows);
        finish(planned, person, &scratch.rows, cohort);
    }

    /// The entry events in their order, cut by the primary limit.
    fn enter<T: Trace>(
        &self,
        bound: &Bound,
        sources: &mut [Source],
        person: u32,
        (entries, trace): (&mut Vec<Entry>, &mut T),
    ) {
        let planned = bound.planned;
        entries.clear();
        for (criterion, source) in sources.iter_mut().enumerate() {
            while let Some(event) = source.events.get(source.at)
                && event.person == person
            {
                source.at += 1;
                let row = event.row as usize;
                if T::ON {
                    trace.event(criterion, event, source.ids.and_then(|ids| ids.get(row)));
                }
                let visits = source.visits.filter(|_| bound.asks_visits);
                for (period_start, period_end) in self.periods.around(person, event.start) {
                    let is_enough = period_start.saturating_add(planned.prior_days) <= event.start
                        && event.start.saturating_add(planned.post_days) <= period_end;
                    let index = IndexRow {
                        start: event.start,
                        end: event.end,
                        period_start,
                        period_end,
                        visit: visits.and_then(|visits| visits.get(row)),
                    };
                    let (sort, row) = (event.sort, event.row);
                    let entry = Entry { sort, source: criterion as u32, row, index };
                    trace.period(&entry, is_enough);
                    if is_enough {
                        entries.push(entry);
                    }
                }
            }
        }
        let order = |a: &Entry, b: &Entry| {
            let sorts = match planned.primary_limit {
                Limit::Last => b.sort.cmp(&a.sort),
                Limit::First | Limit::All => a.sort.cmp(&b.sort),
            };
            // Ids and visits are looked up only for what they must settle.
            sorts.then_with(|| tie(sources, a).cmp(&tie(sources, b)))
        };
        if planned.primary_limit == Limit::All {
            entries.sort_by(order);
        } else {
            let first = (0..entries.len()).min_by(|a, b| order(&entries[*a], &entries[*b]));
            keep_one(entries, first);
        }
        trace.entered(entries);
    }

    /// Counts the events by the rules they meet, and keeps those that meet
    /// all.
    fn apply_rules(
        &self,
        bound: &Bound,
        person: u32,
        (scratch, trace): (&mut Scratch, &mut impl Trace),
        cohort: &mut CohortEntries,
    ) {
        let all = full_mask(bound.rules.len());
        scratch.masks.clear();
        for entry in &scratch.entries {
            let rows = std::slice::from_ref(&entry.index);
            let mask = bound
                .rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| group_holds(self, rule, person, rows))
                .fold(0u64, |mask, (place, _)| mask | 1 << place);
            *cohort.statistics.all_events.entry(mask).or_default() += 1;
            trace.rules(entry, mask);
            scratch.masks.push(mask);
        }
        // Most rules, then the earliest rule, then the earliest event.
        let masks = &scratch.masks;
        let rank = |place: &usize| {
            let mask = masks[*place];
            let earliest = if mask == 0 { 0 } else { mask.trailing_zeros() };
            (Reverse(mask.count_ones()), earliest, scratch.entries[*place].index.start, *place)
        };
        if let Some(best) = (0..masks.len()).min_by_key(rank) {
            *cohort.statistics.best_events.entry(masks[best]).or_default() += 1;
        }
        let mut places = 0..;
        scratch.entries.retain(|_| places.next().is_some_and(|place| masks[place] == all));
    }
}

/// The first person with an event that was not yet taken.
fn next_person(sources: &[Source]) -> Option<u32> {
    sources.iter().filter_map(|s| s.events.get(s.at)).map(|event| event.person).min()
}

/// What orders entry events of one day.
fn tie(sources: &[Source], entry: &Entry) -> impl Ord + use<> {
    let source = &sources[entry.source as usize];
    let row = entry.row as usize;
    let index = &entry.index;
    // A missing end comes last.
    let end = if index.end == MISSING { i32::MAX } else { index.end };
    let visit = source.visits.and_then(|visits| visits.get(row));
    let id = source.ids.map_or(Some(row as i64), |ids| ids.get(row));
    (id, index.start, end, index.period_start, index.period_end, visit)
}

/// Keeps the first or last event by start, then by its place; the order of
/// the others does not matter.
fn limit(entries: &mut Vec<Entry>, limit: Limit) {
    let starts = |place: &usize| entries[*place].index.start;
    let kept = match limit {
        Limit::All => return,
        Limit::First => (0..entries.len()).min_by_key(|place| (starts(place), *place)),
        Limit::Last => (0..entries.len()).min_by_key(|place| (Reverse(starts(place)), *place)),
    };
    keep_one(entries, kept);
}

fn keep_one(entries: &mut Vec<Entry>, place: Option<usize>) {
    if let Some(place) = place {
        // As a rule there is but one.
        if place > 0 {
            entries.swap(0, place);
        }
        entries.truncate(1);
    }
}

/// The earliest exit at or after the event's start.
fn exit(bound: &Bound, person: u32, entry: &Entry, trace: &mut impl Trace) -> Option<i32> {
    let index = &entry.index;
    let mut earliest: Option<i32> = None;
    let mut candidate = |end: i32, by: ExitBy| {
        trace.may_exit(entry, end, by);
        if end >= index.start && earliest.is_none_or(|known| end < known) {
            earliest = Some(end);
        }
    };
    match &bound.planned.end {
        PlannedEnd::DateOffset { from, offset_days } => {
            let day = match from {
                Moment::Start => index.start,
                Moment::End => index.end,
            };
            if day != MISSING {
                candidate(day.saturating_add(*offset_days).min(index.period_end), ExitBy::Offset);
            }
        }
        PlannedEnd::Observation | PlannedEnd::CustomEra { .. } => {
            candidate(index.period_end, ExitBy::Period);
        }
    }
    if let Some(eras) = &bound.eras {
        let around =
            eras.spans.iter().filter(|(first, last)| *first <= index.start && index.start <= *last);
        around.for_each(|(_, last)| candidate(*last, ExitBy::Era));
    }
    for (place, events) in bound.censoring.iter().enumerate() {
        let within = events.of_person(person).iter().map(|event| event.start);
        within
            .filter(|day| *day >= index.start && *day <= index.period_end)
            .for_each(|day| candidate(day, ExitBy::Censoring(place)));
    }
    earliest
}

impl Eras<'_> {
    /// The eras of a person's exposures, at any time of their history.
    fn of_person(&mut self, person: u32) {
        self.spans.clear();
        for exposures in &self.exposures {
            for event in exposures.of_person(person) {
                let end = self.days_supply_override.map_or(event.end, |days| event.start + days);
                let end = end.saturating_add(self.gap_days + self.offset_days);
                self.spans.push((event.start, end));
            }
        }
        merge(&mut self.spans);
        for span in &mut self.spans {
            span.1 = span.1.saturating_sub(self.gap_days);
        }
    }
}

/// Joins spans that overlap or share a day.
fn merge(spans: &mut Vec<(i32, i32)>) {
    if spans.len() < 2 {
        return;
    }
    spans.sort_unstable_by_key(|(start, end)| (*start, Reverse(*end)));
    let mut kept = 0;
    let mut reach = i32::MIN;
    for place in 0..spans.len() {
        let (start, end) = spans[place];
        if place > 0 && reach >= start {
            spans[kept].1 = spans[kept].1.max(end);
        } else {
            if place > 0 {
                kept += 1;
            }
            spans[kept] = (start, end);
        }
        reach = reach.max(end);
    }
    spans.truncate(kept + 1);
}

/// Takes the padding off and clips to the censor window.
fn finish(
    planned: &PlannedDefinition,
    person: u32,
    rows: &[(i32, i32)],
    cohort: &mut CohortEntries,
) {
    let before = cohort.entries.len();
    for (start, end) in rows {
        let mut start = *start;
        let mut end = end - planned.era_pad_days;
        if let Some(first) = planned.censor_window.start {
            start = start.max(first.0);
        }
        if let Some(last) = planned.censor_window.end {
            end = end.min(last.0);
        }
        if planned.censor_window.is_open() || start <= end {
            cohort.entries.push((person, Interval { start: Day(start), end: Day(end) }));
        }
    }
    cohort.censored.persons_before += u64::from(!rows.is_empty());
    cohort.censored.persons_after += u64::from(cohort.entries.len() > before);
}
