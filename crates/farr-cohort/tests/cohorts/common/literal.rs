//! The slow evaluator: the definition's text, one clause at a time, over
//! whole tables, by nested loops. It shares nothing with the fast one but the
//! expression tree.

use std::collections::{BTreeMap, BTreeSet};

use farr_cohort::Domain;
use farr_cohort::model::{
    Bound, Comparison, ConceptField, ConceptTest, Concepts, Correlated, CountColumn, Criterion,
    Demographic, EndStrategy, Expression, Group, GroupKind, Limit, Moment, OccurrenceKind,
    PersonConcept, Quantity, Test, Window,
};
use farr_records::{Table, Vocabulary};

use super::{Rows, World, day};

type Row = BTreeMap<String, String>;

/// An event as a criterion's query gives it.
#[derive(Debug, Clone)]
struct Event {
    person: i64,
    id: i64,
    start: i32,
    end: Option<i32>,
    sort: i32,
    visit: Option<i64>,
    domain: Domain,
    row: Row,
}

/// An index event joined to an observation period.
#[derive(Debug, Clone, PartialEq)]
struct Index {
    person: i64,
    id: i64,
    start: i32,
    end: Option<i32>,
    visit: Option<i64>,
    first: i32,
    last: i32,
}

/// What a definition gives.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// Person, start, end.
    pub(crate) rows: Vec<(i64, i32, i32)>,
    /// Mode, mask, count.
    pub(crate) masks: Vec<(i32, u64, u64)>,
}

pub(crate) struct Literal<'a> {
    pub(crate) world: &'a World,
    pub(crate) expression: &'a Expression,
    pub(crate) vocabulary: &'a Vocabulary,
}

fn integer(row: &Row, column: &str) -> Option<i64> {
    row.get(column).map(|cell| cell.parse().expect("a number"))
}

fn number(row: &Row, column: &str) -> Option<f64> {
    row.get(column).map(|cell| cell.parse().expect("a number"))
}

fn date(row: &Row, column: &str) -> Option<i32> {
    row.get(column).map(|cell| day(cell))
}

fn year(of: i32) -> i64 {
    i64::from(farr_records::Day(of).year())
}

/// A text against a pattern of SQL's LIKE.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skipped| like(&text[skipped..], rest)),
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(c, more)| (*wanted == '_' || c == wanted) && like(more, rest)),
    }
}

impl Literal<'_> {
    fn table(&self, table: Table) -> &Rows {
        static NONE: Rows = Rows::new();
        self.world.tables.get(&table).unwrap_or(&NONE)
    }

    fn set(&self, id: farr_cohort::model::ConceptSetId) -> BTreeSet<i64> {
        let sets = self.expression.concept_sets.iter().filter(|set| set.id == id);
        sets.flat_map(|set| set.expression.resolve(self.vocabulary).0).map(|c| c.0).collect()
    }

    fn person(&self, person: i64) -> Option<&Row> {
        self.table(Table::Person).iter().find(|row| integer(row, "person_id") == Some(person))
    }

    fn periods(&self, person: i64) -> Vec<(i32, i32)> {
        let rows = self.table(Table::ObservationPeriod).iter();
        let mine = rows.filter(|row| integer(row, "person_id") == Some(person));
        mine.filter_map(|row| {
            let start = date(row, "observation_period_start_date")?;
            Some((start, date(row, "observation_period_end_date")?))
        })
        .collect()
    }

    fn region(&self, row: &Row, column: &str) -> Option<Option<i64>> {
        let location = integer(row, column)?;
        let rows = self.table(Table::Location);
        let found = rows.iter().find(|row| integer(row, "location_id") == Some(location))?;
        Some(integer(found, "region_concept_id"))
    }

    fn events(&self, criterion: &Criterion) -> Vec<Event> {
        let domain = criterion.domain;
        let table = domain.table();
        let (concept, source) = concept_columns(domain);
        let rows = self.table(table).iter().filter(|row| {
            if domain == Domain::LocationRegion {
                let Some(region) = self.region(row, "location_id") else { return false };
                let is_persons = row.get("domain_id").is_some_and(|domain| domain == "PERSON");
                return is_persons
                    && criterion.concept_set.is_none_or(|set| {
                        region.is_some_and(|region| self.set(set).contains(&region))
                    });
            }
            let is_in = |set, column: &str| {
                integer(row, column).is_some_and(|concept| self.set(set).contains(&concept))
            };
            criterion.concept_set.is_none_or(|set| is_in(set, concept))
                && criterion.source_concept_set.is_none_or(|set| is_in(set, source))
        });
        let mut events: Vec<Event> = rows.filter_map(|row| raw_event(domain, row)).collect();
        if criterion.first {
            let all = events.clone();
            events.retain(|event| {
                !all.iter().any(|other| {
                    other.person == event.person
                        && (other.start, other.id) < (event.start, event.id)
                })
            });
        }
        events.retain_mut(|event| self.keeps(criterion, event));
        let Some(group) = &criterion.correlated else { return events };
        let mut index = Vec::new();
        for event in &events {
            for (first, last) in self.periods(event.person) {
                if first <= event.start && event.start <= last {
                    index.push(Index {
                        person: event.person,
                        id: event.id,
                        start: event.start,
                        end: event.end,
                        visit: event.visit,
                        first,
                        last,
                    });
                }
            }
        }
        let passing = self.group(group, &index);
        events.retain(|event| passing.contains(&(event.person, event.id)));
        events
    }

    /// Adjusts the dates and asks every filter.
    fn keeps(&self, criterion: &Criterion, event: &mut Event) -> bool {
        if let Some(adjustment) = criterion.date_adjustment {
            let of = |moment| match moment {
                Moment::Start => Some(event.start),
                Moment::End => event.end,
            };
            let start = of(adjustment.start_with).map(|d| d + adjustment.start_offset_days);
            let end = of(adjustment.end_with).map(|d| d + adjustment.end_offset_days);
            let (Some(start), Some(end)) = (start, end) else { return false };
            if end < start {
                return false;
            }
            (event.start, event.end, event.sort) = (start, Some(end), start);
        }
        let period = criterion.user_defined_period;
        for given in [period.start, period.end].into_iter().flatten() {
            if !(event.start <= given.0 && event.end.is_some_and(|end| end >= given.0)) {
                return false;
            }
        }
        if !criterion.filters.iter().all(|filter| self.holds(&filter.test, event)) {
            return false;
        }
        if let Some(start) = period.start {
            event.start = start.0;
        }
        if let Some(end) = period.end {
            event.end = Some(end.0);
        }
        true
    }

    fn holds(&self, test: &Test, event: &Event) -> bool {
        let row = &event.row;
        let moment = |moment: &Moment| match moment {
            Moment::Start => Some(event.start),
            Moment::End => event.end,
        };
        let value = |quantity: &Quantity| match quantity {
            Quantity::Column(column) => number(row, column),
            Quantity::Length => event.end.map(|end| f64::from(end - event.start)),
            Quantity::Age(which) => {
                let birth = integer(self.person(event.person)?, "year_of_birth")?;
                Some((year(moment(which)?) - birth) as f64)
            }
            Quantity::Ratio(column) => {
                let bound = number(row, column).filter(|bound| *bound != 0.0)?;
                Some(number(row, "value_as_number")? / bound)
            }
        };
        match test {
            Test::Date(which, range) => moment(which).is_some_and(|day| range.holds(day)),
            Test::Whole(quantity, range) => {
                value(quantity).is_some_and(|value| compare(range, value, |x| x as f64))
            }
            Test::Real(quantity, range) => {
                value(quantity).is_some_and(|value| compare(range, value, |x| x))
            }
            Test::Concept(field, test) => {
                self.field(*field, event).is_some_and(|concept| self.is_member(test, concept))
            }
            Test::Text(column, test) => row.get(*column).is_some_and(|text| {
                let text: Vec<char> = text.chars().collect();
                let pattern: Vec<char> = test.pattern.chars().collect();
                like(&text, &pattern) != test.is_negated
            }),
            Test::Abnormal => {
                let value = number(row, "value_as_number");
                let low = number(row, "range_low");
                let high = number(row, "range_high");
                value.zip(low).is_some_and(|(value, low)| value < low)
                    || value.zip(high).is_some_and(|(value, high)| value > high)
                    || integer(row, "value_as_concept_id")
                        .is_some_and(|concept| [4_155_142, 4_155_143].contains(&concept))
            }
        }
    }

    fn field(&self, field: ConceptField, event: &Event) -> Option<Option<i64>> {
        let row = &event.row;
        let other = |table, key: &str, value: &str| {
            let id = integer(row, key)?;
            let found = self.table(table).iter().find(|row| integer(row, key) == Some(id))?;
            Some(integer(found, value))
        };
        match field {
            ConceptField::Column(column) => Some(integer(row, column)),
            ConceptField::Gender => Some(integer(self.person(event.person)?, "gender_concept_id")),
            ConceptField::ProviderSpecialty => {
                Some(other(Table::Provider, "provider_id", "specialty_concept_id").flatten())
            }
            ConceptField::PlaceOfService => {
                other(Table::CareSite, "care_site_id", "place_of_service_concept_id")
            }
            ConceptField::PlaceOfServiceRegion => {
                let id = integer(row, "care_site_id")?;
                let sites = self.table(Table::CareSite);
                let site = sites.iter().find(|row| integer(row, "care_site_id") == Some(id))?;
                self.region(site, "location_id")
            }
            ConceptField::VisitConcept => {
                let visit = integer(row, "visit_occurrence_id")?;
                let visits = self.table(Table::VisitOccurrence).iter();
                let mut mine = visits.filter(|other| {
                    integer(other, "visit_occurrence_id") == Some(visit)
                        && integer(other, "person_id") == Some(event.person)
                });
                mine.next().map(|visit| integer(visit, "visit_concept_id"))
            }
        }
    }

    fn is_member(&self, test: &ConceptTest, concept: Option<i64>) -> bool {
        let (set, is_query) = match &test.concepts {
            Concepts::Listed(list) => (list.iter().map(|c| c.0).collect(), false),
            Concepts::Set(id) => (self.set(*id), true),
        };
        match concept {
            // `null not in (an empty query)` is true in SQL.
            None => test.is_exclusion && is_query && set.is_empty(),
            Some(concept) => set.contains(&concept) != test.is_exclusion,
        }
    }

    /// Person and event id of the index events that meet a group: one entry
    /// each, but every row if the group is empty.
    fn group(&self, group: &Group, index: &[Index]) -> Vec<(i64, i64)> {
        if group.is_empty() {
            return index.iter().map(|row| (row.person, row.id)).collect();
        }
        let mut met: Vec<(i64, i64)> = Vec::new();
        met.extend(group.criteria.iter().flat_map(|c| self.correlated(c, index)));
        met.extend(group.demographics.iter().flat_map(|d| self.demographic(d, index)));
        met.extend(group.groups.iter().flat_map(|g| self.group(g, index)));
        let asked = group.criteria.len() + group.demographics.len() + group.groups.len();
        let mut passing = Vec::new();
        for key in keys(index) {
            let rows = index.iter().filter(|row| (row.person, row.id) == key).count();
            let matches = met.iter().filter(|other| **other == key).count();
            let count = (rows * matches) as i64;
            let passes = match group.kind {
                GroupKind::All => matches > 0 && count == asked as i64,
                GroupKind::Any => count > 0,
                GroupKind::AtLeast(least) => count >= least && (least == 0 || matches > 0),
                GroupKind::AtMost(most) => count <= most,
            };
            if passes {
                passing.push(key);
            }
        }
        passing
    }

    fn correlated(&self, correlated: &Correlated, index: &[Index]) -> Vec<(i64, i64)> {
        let events = self.events(&correlated.criterion);
        let mut joined: Vec<((i64, i64), Option<String>)> = Vec::new();
        for row in index {
            for event in events.iter().filter(|event| event.person == row.person) {
                if is_within(correlated, row, event) {
                    let column = correlated.occurrence.distinct;
                    let value = column.and_then(|column| self.counted(column, event));
                    joined.push(((row.person, row.id), value));
                }
            }
        }
        let occurrence = correlated.occurrence;
        let is_left = occurrence.kind == OccurrenceKind::AtMost || occurrence.count == 0;
        let mut passing = Vec::new();
        for key in keys(index) {
            let rows = index.iter().filter(|row| (row.person, row.id) == key).count();
            let mine: Vec<_> = joined.iter().filter(|(other, _)| *other == key).collect();
            if mine.is_empty() && !is_left {
                continue;
            }
            let count = if occurrence.distinct.is_some() {
                mine.iter().filter_map(|(_, value)| value.as_ref()).collect::<BTreeSet<_>>().len()
            } else if is_left {
                mine.len() * rows
            } else {
                mine.len()
            };
            let count = count as i64;
            let passes = match occurrence.kind {
                OccurrenceKind::Exactly => count == occurrence.count,
                OccurrenceKind::AtMost => count <= occurrence.count,
                OccurrenceKind::AtLeast => count >= occurrence.count,
            };
            if passes {
                passing.push(key);
            }
        }
        passing
    }

    /// The value that a distinct count counts, as text.
    fn counted(&self, column: CountColumn, event: &Event) -> Option<String> {
        use Domain as D;
        let domain = event.domain;
        let cell = |name: &str| event.row.get(name).cloned();
        match column {
            CountColumn::StartDate => Some(event.start.to_string()),
            CountColumn::EndDate => event.end.map(|end| end.to_string()),
            CountColumn::VisitId => event.visit.map(|visit| visit.to_string()),
            CountColumn::VisitDetailId => cell("visit_detail_id"),
            CountColumn::Duration => match domain {
                D::Death
                | D::Measurement
                | D::Observation
                | D::ProcedureOccurrence
                | D::Specimen => Some("1".to_owned()),
                _ => event.end.map(|end| (end - event.start).to_string()),
            },
            CountColumn::DomainConcept => match domain {
                D::Death => Some(cell("cause_concept_id").unwrap_or_else(|| "0".to_owned())),
                D::LocationRegion => {
                    self.region(&event.row, "location_id")?.map(|region| region.to_string())
                }
                _ => cell(concept_columns(domain).0),
            },
            CountColumn::DomainSourceConcept => cell(concept_columns(domain).1),
            CountColumn::EraOccurrences => match domain {
                D::ConditionEra => cell("condition_occurrence_count"),
                _ => cell("drug_exposure_count"),
            },
            CountColumn::GapDays => cell("gap_days"),
            CountColumn::DaysSupply => cell("days_supply"),
            CountColumn::Refills => cell("refills"),
            CountColumn::Quantity => cell("quantity"),
            CountColumn::RangeHigh => cell("range_high"),
            CountColumn::RangeLow => cell("range_low"),
            CountColumn::Unit => cell("unit_concept_id"),
            CountColumn::ValueAsNumber if domain == D::DoseEra => cell("dose_value"),
            CountColumn::ValueAsNumber => cell("value_as_number"),
        }
    }

    fn demographic(&self, demographic: &Demographic, index: &[Index]) -> Vec<(i64, i64)> {
        let mut passing: Vec<(i64, i64)> = Vec::new();
        for row in index {
            let Some(person) = self.person(row.person) else { continue };
            let age = || integer(person, "year_of_birth").map(|birth| year(row.start) - birth);
            let holds = demographic.age.is_none_or(|range| age().is_some_and(|a| range.holds(a)))
                && demographic.occurrence_start_date.is_none_or(|range| range.holds(row.start))
                && demographic
                    .occurrence_end_date
                    .is_none_or(|range| row.end.is_some_and(|end| range.holds(end)))
                && demographic.concepts.iter().all(|(concept, test)| {
                    let column = match concept {
                        PersonConcept::Gender => "gender_concept_id",
                        PersonConcept::Race => "race_concept_id",
                        PersonConcept::Ethnicity => "ethnicity_concept_id",
                    };
                    self.is_member(test, integer(person, column))
                });
            if holds && !passing.contains(&(row.person, row.id)) {
                passing.push((row.person, row.id));
            }
        }
        passing
    }

    /// The qualified events; their ids are their places in a person's order.
    fn qualified(&self) -> Vec<Index> {
        let primary = &self.expression.primary;
        let mut found = Vec::new();
        for event in primary.criteria.iter().flat_map(|criterion| self.events(criterion)) {
            for (first, last) in self.periods(event.person) {
                let is_observed = first <= event.start
                    && event.start <= last
                    && first + primary.prior_days <= event.start
                    && event.start + primary.post_days <= last;
                if is_observed {
                    found.push((event.clone(), first, last));
                }
            }
        }
        let direction = if primary.limit == Limit::Last { -1 } else { 1 };
        found.sort_by_key(|(event, first, last)| {
            let end = event.end.unwrap_or(i32::MAX);
            (
                event.person,
                direction * event.sort,
                event.id,
                event.start,
                end,
                *first,
                *last,
                event.visit,
            )
        });
        let mut index: Vec<Index> = Vec::new();
        for (event, first, last) in found {
            let before = index.iter().filter(|other| other.person == event.person).count();
            index.push(Index {
                person: event.person,
                id: before as i64 + 1,
                start: event.start,
                end: event.end,
                visit: event.visit,
                first,
                last,
            });
        }
        if primary.limit != Limit::All {
            index.retain(|row| row.id == 1);
        }
        if let Some(group) = &self.expression.additional {
            let passing = self.group(group, &index);
            index.retain(|row| passing.contains(&(row.person, row.id)));
            index = limited(&index, self.expression.qualified_limit);
        }
        index
    }

    /// The whole definition.
    pub(crate) fn answer(&self) -> Answer {
        let expression = self.expression;
        let qualified = self.qualified();
        let rules: Vec<Vec<(i64, i64)>> = expression
            .inclusion_rules
            .iter()
            .map(|rule| self.group(&rule.group, &qualified))
            .collect();
        let mask = |row: &Index| {
            let met =
                rules.iter().enumerate().filter(|(_, met)| met.contains(&(row.person, row.id)));
            met.map(|(place, _)| 1u64 << place).sum::<u64>()
        };
        let mut masks: BTreeMap<(i32, u64), u64> = BTreeMap::new();
        if !rules.is_empty() {
            for row in &qualified {
                *masks.entry((0, mask(row))).or_default() += 1;
            }
            for person in qualified.iter().map(|row| row.person).collect::<BTreeSet<_>>() {
                let mine = qualified.iter().filter(|row| row.person == person);
                let best = mine.min_by_key(|row| {
                    let mask = mask(row);
                    let earliest = (0..64).find(|bit| mask & (1 << bit) != 0).unwrap_or(0);
                    (-i64::from(mask.count_ones()), earliest, row.start, row.id)
                });
                *masks.entry((1, mask(best.expect("an event")))).or_default() += 1;
            }
        }
        let all = (1u64 << rules.len()) - 1;
        let included: Vec<Index> =
            qualified.iter().filter(|row| mask(row) == all).cloned().collect();
        let included = limited(&included, expression.expression_limit);
        let mut rows: Vec<(i64, i32, i32)> = Vec::new();
        for row in &included {
            let ends = self.ends(row);
            if let Some(end) = ends.into_iter().filter(|end| *end >= row.start).min() {
                rows.push((row.person, row.start, end + expression.era_pad_days));
            }
        }
        let mut rows: Vec<(i64, i32, i32)> = merged(rows)
            .into_iter()
            .map(|(person, start, end)| (person, start, end - expression.era_pad_days))
            .collect();
        let window = expression.censor_window;
        if !window.is_open() {
            for row in &mut rows {
                row.1 = window.start.map_or(row.1, |first| row.1.max(first.0));
                row.2 = window.end.map_or(row.2, |last| row.2.min(last.0));
            }
            rows.retain(|row| row.1 <= row.2);
        }
        rows.sort_unstable();
        let masks = masks.into_iter().map(|((mode, mask), count)| (mode, mask, count)).collect();
        Answer { rows, masks }
    }

    /// Every candidate for the end of an included event.
    fn ends(&self, row: &Index) -> Vec<i32> {
        let mut ends = Vec::new();
        match &self.expression.end_strategy {
            EndStrategy::Observation => ends.push(row.last),
            EndStrategy::DateOffset { from, offset_days } => {
                let day = match from {
                    Moment::Start => Some(row.start),
                    Moment::End => row.end,
                };
                ends.extend(day.map(|day| (day + offset_days).min(row.last)));
            }
            EndStrategy::CustomEra { drugs, gap_days, offset_days, days_supply_override } => {
                ends.push(row.last);
                let set = self.set(*drugs);
                let mut exposures = Vec::new();
                for column in ["drug_concept_id", "drug_source_concept_id"] {
                    for exposure in self.table(Table::DrugExposure) {
                        let is_such = integer(exposure, "person_id") == Some(row.person)
                            && integer(exposure, column).is_some_and(|c| set.contains(&c));
                        let Some(event) = raw_event(Domain::DrugExposure, exposure) else {
                            continue;
                        };
                        if is_such {
                            let end = match days_supply_override {
                                Some(days) => event.start + days,
                                None => event.end.expect("a drug always ends"),
                            };
                            exposures.push((row.person, event.start, end + gap_days + offset_days));
                        }
                    }
                }
                for (_, first, last) in merged(exposures) {
                    let last = last - gap_days;
                    if first <= row.start && row.start <= last {
                        ends.push(last);
                    }
                }
            }
        }
        for criterion in &self.expression.censoring {
            let starts = self.events(criterion);
            let starts = starts.iter().filter(|event| event.person == row.person);
            let within = starts.map(|e| e.start).filter(|d| row.start <= *d && *d <= row.last);
            ends.extend(within.min());
        }
        ends
    }
}

fn compare<T: Copy>(range: &Comparison<T>, value: f64, real: impl Fn(T) -> f64) -> bool {
    match *range {
        Comparison::Less(x) => value < real(x),
        Comparison::LessOrEqual(x) => value <= real(x),
        Comparison::Equal(x) => value == real(x),
        Comparison::NotEqual(x) => value != real(x),
        Comparison::Greater(x) => value > real(x),
        Comparison::GreaterOrEqual(x) => value >= real(x),
        Comparison::Between(x, y) => real(x) <= value && value <= real(y),
        Comparison::NotBetween(x, y) => value < real(x) || value > real(y),
    }
}

fn keys(index: &[Index]) -> BTreeSet<(i64, i64)> {
    index.iter().map(|row| (row.person, row.id)).collect()
}

fn is_within(correlated: &Correlated, row: &Index, event: &Event) -> bool {
    let is_observed = !correlated.ignore_observation_period;
    if is_observed && !(row.first <= event.start && event.start <= row.last) {
        return false;
    }
    let lies = |window: &Window| {
        let index = if window.use_index_end { row.end } else { Some(row.start) };
        let day = if window.use_event_end { event.end } else { Some(event.start) };
        // None: no clause; Some(None): a clause against a missing day.
        let bound = |bound| match bound {
            Bound::Days(days) => Some(index.map(|index| index + days)),
            Bound::PeriodStart => is_observed.then_some(Some(row.first)),
            Bound::PeriodEnd => is_observed.then_some(Some(row.last)),
        };
        bound(window.start)
            .is_none_or(|first| day.zip(first).is_some_and(|(day, first)| day >= first))
            && bound(window.end)
                .is_none_or(|last| day.zip(last).is_some_and(|(day, last)| day <= last))
    };
    lies(&correlated.start_window)
        && correlated.end_window.as_ref().is_none_or(lies)
        && (!correlated.restrict_visit || (event.visit.is_some() && event.visit == row.visit))
}

fn limited(index: &[Index], limit: Limit) -> Vec<Index> {
    let direction = match limit {
        Limit::All => return index.to_vec(),
        Limit::First => 1,
        Limit::Last => -1,
    };
    let key = |row: &Index| (direction * row.start, row.id);
    let is_first = |row: &&Index| {
        !index.iter().any(|other| other.person == row.person && key(other) < key(row))
    };
    index.iter().filter(is_first).cloned().collect()
}

/// Joins spans of a person that overlap or share a day, until none do.
fn merged(mut spans: Vec<(i64, i32, i32)>) -> Vec<(i64, i32, i32)> {
    loop {
        let mut pairs = (0..spans.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let touching = pairs.find(|(a, b)| {
            let (x, y) = (spans[*a], spans[*b]);
            x.0 == y.0 && x.1 <= y.2 && y.1 <= x.2
        });
        let Some((a, b)) = touching else { return spans };
        let other = spans.remove(a);
        spans[b].1 = spans[b].1.min(other.1);
        spans[b].2 = spans[b].2.max(other.2);
    }
}

/// The columns of a domain's concept and source concept.
fn concept_columns(domain: Domain) -> (&'static str, &'static str) {
    match domain {
        Domain::ConditionEra => ("condition_concept_id", ""),
        Domain::ConditionOccurrence => ("condition_concept_id", "condition_source_concept_id"),
        Domain::Death => ("cause_concept_id", "cause_source_concept_id"),
        Domain::DeviceExposure => ("device_concept_id", "device_source_concept_id"),
        Domain::DoseEra | Domain::DrugEra => ("drug_concept_id", ""),
        Domain::DrugExposure => ("drug_concept_id", "drug_source_concept_id"),
        Domain::LocationRegion => ("", ""),
        Domain::Measurement => ("measurement_concept_id", "measurement_source_concept_id"),
        Domain::Observation => ("observation_concept_id", "observation_source_concept_id"),
        Domain::ObservationPeriod => ("period_type_concept_id", ""),
        Domain::PayerPlanPeriod => ("payer_concept_id", ""),
        Domain::ProcedureOccurrence => ("procedure_concept_id", "procedure_source_concept_id"),
        Domain::Specimen => ("specimen_concept_id", ""),
        Domain::VisitDetail => ("visit_detail_concept_id", "visit_detail_source_concept_id"),
        Domain::VisitOccurrence => ("visit_concept_id", "visit_source_concept_id"),
    }
}

/// A row of a domain's table as an event, before anything is asked.
fn raw_event(domain: Domain, row: &Row) -> Option<Event> {
    let table = domain.table();
    let start = date(row, table.start_column()?)?;
    let column = |name: &str| date(row, name);
    let end =
        match domain {
            Domain::ConditionEra => column("condition_era_end_date"),
            Domain::ConditionOccurrence => Some(column("condition_end_date").unwrap_or(start + 1)),
            Domain::DeviceExposure => Some(column("device_exposure_end_date").unwrap_or(start + 1)),
            Domain::DoseEra => column("dose_era_end_date"),
            Domain::DrugEra => column("drug_era_end_date"),
            Domain::DrugExposure => Some(column("drug_exposure_end_date").unwrap_or_else(|| {
                start + integer(row, "days_supply").map_or(1, |days| days as i32)
            })),
            Domain::LocationRegion => Some(column("end_date").unwrap_or_else(|| day("2099-12-31"))),
            Domain::ObservationPeriod => column("observation_period_end_date"),
            Domain::PayerPlanPeriod => column("payer_plan_period_end_date"),
            Domain::VisitDetail => column("visit_detail_end_date"),
            Domain::VisitOccurrence => column("visit_end_date"),
            Domain::Death
            | Domain::Measurement
            | Domain::Observation
            | Domain::ProcedureOccurrence
            | Domain::Specimen => Some(start + 1),
        };
    let visit = match domain {
        Domain::ConditionOccurrence
        | Domain::DeviceExposure
        | Domain::DrugExposure
        | Domain::Measurement
        | Domain::Observation
        | Domain::ProcedureOccurrence
        | Domain::VisitDetail
        | Domain::VisitOccurrence => integer(row, "visit_occurrence_id"),
        _ => None,
    };
    Some(Event {
        person: integer(row, table.person_column()?)?,
        id: integer(row, table.id_column()?)?,
        start,
        end,
        sort: start,
        visit,
        domain,
        row: row.clone(),
    })
}
