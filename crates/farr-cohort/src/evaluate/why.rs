//! What the evaluator does with one person, written down.

use farr_records::{Day, Interval, Shard};

use super::cohort::{Bound, Entry};
use super::events::{Event, MISSING};
use super::group::{
    BoundCorrelated, BoundDemographic, BoundGroup, IndexRow, correlated_holds, demographic_holds,
    group_holds,
};
use super::trace::{Counting, Dropped, ExitBy, Gathering, Trace};
use super::{Prepared, Site};
use crate::Error;
use crate::explain::{Explainer, group_words};
use crate::model::{Correlated, Criterion, Definition, Demographic, Group};
use crate::plan::{CriterionPlace, Plan, PlannedDefinition};
use crate::statistics::full_mask;
use crate::why::{
    AskedEvents, AskedGroup, AskedPart, AskedRule, EntryCriterion, EntryEvent, Fate, Found,
    FoundEvent, Why,
};

impl Plan {
    /// Why the person at a place of a shard is in each cohort, or out of it.
    /// The definitions must be those that the plan was made of, in their order.
    ///
    /// # Errors
    /// As [`Plan::evaluate`].
    pub fn why(
        &self,
        definitions: &[Definition],
        shard: &Shard,
        site: &Site,
        person: usize,
    ) -> Result<Vec<Why>, Error> {
        let has = |table| shard.table(table).is_some() || site.has(table);
        if let Some((_, error)) = self.lacking(has).into_iter().next() {
            return Err(error);
        }
        let prepared = Prepared::new(self, shard, site, person..person + 1)?;
        let both = self.definitions.iter().zip(definitions);
        both.map(|(planned, definition)| {
            Asker { prepared: &prepared, explainer: Explainer::new(definition), person }
                .why(planned, definition)
        })
        .collect()
    }
}

fn day_or_none(day: i32) -> Option<Day> {
    (day != MISSING).then_some(Day(day))
}

/// One entry event as the evaluator tells of it.
struct Told {
    criterion: usize,
    event: Event,
    id: Option<i64>,
    entry: Option<Entry>,
    stage: Stage,
    mask: Option<u64>,
    exits: Vec<(i32, ExitBy)>,
    exit: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Found,
    Observed,
    Entered,
    FailsAdditional,
    Qualified,
    Included,
    Leaves,
}

/// Writes down what it is told.
#[derive(Default)]
struct Log(Vec<Told>);

impl Log {
    /// The first event that this entry stands for and that is at a stage: two
    /// alike are told of twice.
    fn at(&mut self, entry: &Entry, stage: Stage) -> Option<&mut Told> {
        self.0.iter_mut().find(|told| told.entry.as_ref() == Some(entry) && told.stage == stage)
    }

    fn move_on(&mut self, entries: &[Entry], from: Stage, to: Stage) {
        for entry in entries {
            if let Some(told) = self.at(entry, from) {
                told.stage = to;
            }
        }
    }
}

impl Trace for Log {
    const ON: bool = true;

    fn event(&mut self, criterion: usize, event: &Event, id: Option<i64>) {
        self.0.push(Told {
            criterion,
            event: *event,
            id,
            entry: None,
            stage: Stage::Found,
            mask: None,
            exits: Vec::new(),
            exit: None,
        });
    }

    fn period(&mut self, entry: &Entry, is_enough: bool) {
        let Some(last) = self.0.last() else { return };
        if last.entry.is_some() {
            let (criterion, event, id) = (last.criterion, last.event, last.id);
            self.event(criterion, &event, id);
        }
        if let Some(last) = self.0.last_mut() {
            last.entry = Some(*entry);
            last.stage = if is_enough { Stage::Observed } else { Stage::Found };
        }
    }

    fn entered(&mut self, entries: &[Entry]) {
        self.move_on(entries, Stage::Observed, Stage::Entered);
    }

    fn additional(&mut self, entry: &Entry, holds: bool) {
        if !holds && let Some(told) = self.at(entry, Stage::Entered) {
            told.stage = Stage::FailsAdditional;
        }
    }

    fn qualified(&mut self, entries: &[Entry]) {
        self.move_on(entries, Stage::Entered, Stage::Qualified);
    }

    fn rules(&mut self, entry: &Entry, mask: u64) {
        let mut alike = self.0.iter_mut().filter(|told| told.entry.as_ref() == Some(entry));
        let unasked = |told: &&mut Told| told.stage == Stage::Qualified && told.mask.is_none();
        if let Some(told) = alike.find(unasked) {
            told.mask = Some(mask);
        }
    }

    fn included(&mut self, entries: &[Entry]) {
        self.move_on(entries, Stage::Qualified, Stage::Included);
    }

    fn may_exit(&mut self, entry: &Entry, day: i32, by: ExitBy) {
        if let Some(told) = self.at(entry, Stage::Included) {
            told.exits.push((day, by));
        }
    }

    fn exit(&mut self, entry: &Entry, day: Option<i32>) {
        if let Some(told) = self.at(entry, Stage::Included) {
            told.exit = day;
            told.stage = Stage::Leaves;
        }
    }
}

/// How the events of a criterion were gathered.
#[derive(Default)]
struct Gathered {
    dropped: Vec<(Event, Dropped)>,
    around: Vec<(Event, Vec<IndexRow>, bool)>,
}

impl Gathering for Gathered {
    const ON: bool = true;

    fn dropped(&mut self, event: &Event, why: Dropped) {
        self.dropped.push((*event, why));
    }

    fn around(&mut self, event: &Event, rows: &[IndexRow], holds: bool) {
        self.around.push((*event, rows.to_vec(), holds));
    }
}

/// What a correlated criterion counted.
#[derive(Default)]
struct Counted {
    events: Vec<Event>,
    count: i64,
}

impl Counting for Counted {
    const ON: bool = true;

    fn event(&mut self, event: &Event) {
        self.events.push(*event);
    }

    fn count(&mut self, count: i64) {
        self.count = count;
    }
}

/// Asks the evaluator about one person and one definition.
struct Asker<'a> {
    prepared: &'a Prepared<'a>,
    explainer: Explainer<'a>,
    person: usize,
}

impl<'a> Asker<'a> {
    fn why(
        &self,
        planned: &'a PlannedDefinition,
        definition: &'a Definition,
    ) -> Result<Why, Error> {
        let expression = &definition.expression;
        let mut log = Log::default();
        let cohort = self.prepared.cohort(planned, &mut log)?;
        let mut entry = Vec::new();
        for (place, criterion) in planned.primary.iter().zip(&expression.primary.criteria) {
            let words = self.explainer.criterion_words(criterion);
            entry.push(EntryCriterion { words, found: self.found(*place, criterion)? });
        }
        let bound = self.prepared.bind_definition(planned)?;
        let mut events = Vec::with_capacity(log.0.len());
        for told in &log.0 {
            events.push(self.event(told, &bound, definition)?);
        }
        let mine = cohort.entries.iter().filter(|(person, _)| *person as usize == self.person);
        Ok(Why {
            definition: definition.id,
            name: definition.name.clone(),
            entry,
            events,
            observation_days: (planned.prior_days, planned.post_days),
            rows: mine.map(|(_, days)| *days).collect(),
            era_pad_days: planned.era_pad_days,
            censor_window: (planned.censor_window.start, planned.censor_window.end),
        })
    }

    fn event(
        &self,
        told: &Told,
        bound: &Bound<'a>,
        definition: &'a Definition,
    ) -> Result<EntryEvent, Error> {
        let expression = &definition.expression;
        let (mut additional, mut rules) = (None, Vec::new());
        if let Some(entry) = told.entry {
            let rows = [entry.index];
            if let (Some(group), Some(bound)) = (&expression.additional, &bound.additional)
                && told.stage >= Stage::Entered
            {
                additional = Some(self.group(group, bound, &rows)?);
            }
            if told.stage >= Stage::Qualified {
                for (rule, bound) in expression.inclusion_rules.iter().zip(&bound.rules) {
                    let group = self.group(&rule.group, bound, &rows)?;
                    rules.push(AskedRule { name: rule.name.clone(), group });
                }
            }
        }
        let by = |by: ExitBy| self.explainer.exit_words(by_censoring(by), by == ExitBy::Period);
        Ok(EntryEvent {
            criterion: told.criterion,
            start: Day(told.event.start),
            end: day_or_none(told.event.end),
            id: told.id,
            period: told.entry.map(|entry| Interval {
                start: Day(entry.index.period_start),
                end: Day(entry.index.period_end),
            }),
            fate: fate(told, expression.inclusion_rules.len()),
            additional,
            rules,
            exits: told.exits.iter().map(|(day, how)| (Day(*day), by(*how))).collect(),
            exit: told.exit.map(Day),
        })
    }

    /// The person's events with a criterion's concepts.
    fn found(
        &self,
        place: CriterionPlace,
        criterion: &'a Criterion,
    ) -> Result<Vec<FoundEvent>, Error> {
        let planned = &self.prepared.plan.criteria[place.0];
        let specification = planned.domain.specification();
        let ids = self.prepared.columns(specification.table)?.integers(specification.id)?;
        let mut gathered = Gathered::default();
        let events = self.prepared.gather(place, &mut gathered)?;
        let mut found: Vec<(i32, FoundEvent)> = Vec::new();
        let mut push = |event: &Event, fate| {
            let id = ids.get(event.row as usize);
            let (start, end) = (Day(event.start), day_or_none(event.end));
            found.push((event.start, FoundEvent { start, end, id, fate }));
        };
        for (event, why) in &gathered.dropped {
            push(
                event,
                match *why {
                    Dropped::NotFirst => Found::NotFirst,
                    Dropped::Reversed => Found::Reversed,
                    Dropped::OutsidePeriod => Found::OutsidePeriod,
                    Dropped::Filter(filter) => {
                        Found::Filter(self.explainer.filter(&criterion.filters[filter]))
                    }
                },
            );
        }
        if let (Some(group), Some(asked)) = (&criterion.correlated, &planned.correlated) {
            let bound = self.prepared.bind_group(asked)?;
            for (event, rows, holds) in &gathered.around {
                let is_asked = !rows.is_empty();
                let around = is_asked.then(|| self.group(group, &bound, rows)).transpose()?;
                push(event, if *holds { Found::Event { around } } else { Found::Around(around) });
            }
        } else {
            for event in &events {
                push(event, Found::Event { around: None });
            }
        }
        found.sort_by_key(|(start, event)| (*start, event.id));
        Ok(found.into_iter().map(|(_, event)| event).collect())
    }

    fn group(
        &self,
        group: &'a Group,
        bound: &BoundGroup<'a>,
        rows: &[IndexRow],
    ) -> Result<AskedGroup, Error> {
        let mut parts = Vec::new();
        for (asked, bound) in group.demographics.iter().zip(&bound.demographics) {
            parts.push(self.demographic(asked, bound, rows));
        }
        for (asked, bound) in group.criteria.iter().zip(&bound.criteria) {
            parts.push(AskedPart::Events(Box::new(self.correlated(asked, bound, rows)?)));
        }
        for (asked, bound) in group.groups.iter().zip(&bound.groups) {
            parts.push(AskedPart::Group(self.group(asked, bound, rows)?));
        }
        Ok(AskedGroup {
            words: group_words(group),
            holds: group_holds(self.prepared, bound, self.person as u32, rows),
            parts,
        })
    }

    fn correlated(
        &self,
        asked: &'a Correlated,
        bound: &BoundCorrelated<'a>,
        rows: &[IndexRow],
    ) -> Result<AskedEvents, Error> {
        let mut counted = Counted::default();
        let asked_of = (rows, &mut counted);
        let holds = correlated_holds(self.prepared, bound, self.person as u32, asked_of);
        let mut events: Vec<(Day, Option<Day>)> = Vec::new();
        for event in &counted.events {
            events.push((Day(event.start), day_or_none(event.end)));
        }
        events.sort_unstable();
        // What was counted is told of once, the rest as it was found.
        let mut others = self.found(bound.planned.criterion, &asked.criterion)?;
        let mut left = events.clone();
        others.retain(|other| {
            let is_event = matches!(other.fate, Found::Event { .. });
            let place = left.iter().position(|days| is_event && *days == (other.start, other.end));
            place.map(|place| left.swap_remove(place)).is_none()
        });
        Ok(AskedEvents {
            words: self.explainer.correlated_words(asked),
            holds,
            count: counted.count,
            counted: events,
            others,
        })
    }

    fn demographic(
        &self,
        asked: &Demographic,
        bound: &BoundDemographic<'a>,
        rows: &[IndexRow],
    ) -> AskedPart {
        let mut facts = Vec::new();
        if asked.age.is_some()
            && let (Some(birth), Some(row)) = (bound.births.get(self.person), rows.first())
        {
            facts.push(format!("age {} years", Day(row.start).year_of_any() - birth));
        }
        for ((concept, _), (column, _, _)) in asked.concepts.iter().zip(&bound.concepts) {
            let value = column.get(self.person);
            let value = value.map_or_else(|| "missing".to_owned(), |id| format!("concept {id}"));
            facts.push(format!("{} {value}", format!("{concept:?}").to_lowercase()));
        }
        AskedPart::Person {
            words: self.explainer.demographic(asked),
            holds: demographic_holds(self.prepared, bound, self.person as u32, rows),
            facts: facts.join(", "),
        }
    }
}

/// The censoring criterion that an exit is by.
fn by_censoring(by: ExitBy) -> Option<usize> {
    match by {
        ExitBy::Censoring(place) => Some(place),
        ExitBy::Offset | ExitBy::Period | ExitBy::Era => None,
    }
}

fn fate(told: &Told, rules: usize) -> Fate {
    match told.stage {
        Stage::Found if told.entry.is_none() => Fate::OutsideObservation,
        Stage::Found => Fate::TooLittleObservation,
        Stage::Observed => Fate::PrimaryLimit,
        Stage::FailsAdditional => Fate::Additional,
        Stage::Entered => Fate::QualifiedLimit,
        Stage::Qualified if told.mask.is_some_and(|mask| mask != full_mask(rules)) => Fate::Rules,
        Stage::Qualified => Fate::ExpressionLimit,
        Stage::Included | Stage::Leaves if told.exit.is_none() => Fate::NoExit,
        Stage::Included | Stage::Leaves => Fate::Row,
    }
}
