//! A set of definitions compiled into one plan: concept sets resolved once
//! and shared, equal criteria shared, and the tables and columns that are
//! needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use farr_records::{ConceptSetWarning, RowKey, Table, Vocabulary};

use crate::Error;
use crate::count::{Counted, column_of};
use crate::domain::{Domain, End};
use crate::evaluate::{CohortEntries, Universe};
use crate::model::{
    Comparison, ConceptField, ConceptSet, ConceptSetId, ConceptTest, Concepts, Correlated,
    Criterion, DateAdjustment, Definition, Demographic, EndStrategy, Group, GroupKind, Limit,
    Moment, OccurrenceKind, Period, PersonConcept, Quantity, Test, TextTest, Window,
};
use crate::statistics::{CensorCounts, InclusionCounts};

/// What is odd about a definition once its concept sets are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The definition's id.
    pub definition: i64,
    /// The definition's name.
    pub name: String,
    /// The concept set's id in it.
    pub concept_set: ConceptSetId,
    /// The concept set's name.
    pub concept_set_name: String,
    /// What is odd.
    pub warning: ConceptSetWarning,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "definition {} ({}): concept set {} ({}) {}",
            self.definition, self.name, self.concept_set.0, self.concept_set_name, self.warning
        )
    }
}

/// A place in `Plan::sets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SetPlace(pub(crate) usize);

/// A place in `Plan::criteria`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CriterionPlace(pub(crate) usize);

#[derive(Debug)]
pub(crate) struct PlannedCriterion {
    pub(crate) domain: Domain,
    pub(crate) set: Option<SetPlace>,
    pub(crate) source_set: Option<SetPlace>,
    pub(crate) first: bool,
    pub(crate) tests: Vec<PlannedTest>,
    pub(crate) adjustment: Option<DateAdjustment>,
    pub(crate) period: Period,
    pub(crate) correlated: Option<PlannedGroup>,
}

impl PlannedCriterion {
    /// The column and the set of concepts that choose its rows, before its
    /// tests; `None`: all rows of its table.
    pub(crate) fn rows(&self) -> Option<(&'static str, SetPlace)> {
        let specification = self.domain.specification();
        let source = specification.source.map(|(_, column)| column);
        match (self.set, self.source_set, source) {
            _ if self.domain == Domain::LocationRegion => None,
            (Some(set), None, _) | (Some(set), Some(_), Some(_)) => {
                Some((specification.concept, set))
            }
            (None, Some(set), Some(source)) => Some((source, set)),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) enum PlannedTest {
    Date(Moment, Comparison<i32>),
    Whole(Quantity, Comparison<i64>),
    Real(Quantity, Comparison<f64>),
    Concept(ConceptField, PlannedConcepts),
    Text(&'static str, TextTest),
    Abnormal,
}

/// Membership of a concept. "Not in" a set without concepts holds even of a
/// missing value when the set came by id, as a sub-query does in SQL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedConcepts {
    pub(crate) set: SetPlace,
    pub(crate) is_exclusion: bool,
    pub(crate) is_by_id: bool,
}

#[derive(Debug)]
pub(crate) struct PlannedGroup {
    pub(crate) kind: GroupKind,
    pub(crate) criteria: Vec<PlannedCorrelated>,
    pub(crate) demographics: Vec<PlannedDemographic>,
    pub(crate) groups: Vec<PlannedGroup>,
}

#[derive(Debug)]
pub(crate) struct PlannedCorrelated {
    pub(crate) criterion: CriterionPlace,
    pub(crate) start_window: Window,
    pub(crate) end_window: Option<Window>,
    pub(crate) restrict_visit: bool,
    pub(crate) ignore_observation_period: bool,
    pub(crate) kind: OccurrenceKind,
    pub(crate) count: i64,
    pub(crate) distinct: Option<Counted>,
}

#[derive(Debug)]
pub(crate) struct PlannedDemographic {
    pub(crate) age: Option<Comparison<i64>>,
    pub(crate) concepts: Vec<(PersonConcept, PlannedConcepts)>,
    pub(crate) start: Option<Comparison<i32>>,
    pub(crate) end: Option<Comparison<i32>>,
}

#[derive(Debug)]
pub(crate) enum PlannedEnd {
    Observation,
    DateOffset {
        from: Moment,
        offset_days: i32,
    },
    CustomEra {
        exposures: [CriterionPlace; 2],
        gap_days: i32,
        offset_days: i32,
        days_supply_override: Option<i32>,
    },
}

#[derive(Debug)]
pub(crate) struct PlannedDefinition {
    pub(crate) id: i64,
    pub(crate) primary: Vec<CriterionPlace>,
    pub(crate) prior_days: i32,
    pub(crate) post_days: i32,
    pub(crate) primary_limit: Limit,
    pub(crate) additional: Option<PlannedGroup>,
    pub(crate) qualified_limit: Limit,
    pub(crate) rules: Vec<PlannedGroup>,
    pub(crate) expression_limit: Limit,
    pub(crate) end: PlannedEnd,
    pub(crate) censoring: Vec<CriterionPlace>,
    pub(crate) censor_window: Period,
    pub(crate) era_pad_days: i32,
    tables: Vec<Table>,
}

/// A set of definitions, ready to be evaluated over shards.
#[derive(Debug)]
pub struct Plan {
    /// Concept ids, ascending.
    pub(crate) sets: Vec<Vec<i64>>,
    pub(crate) criteria: Vec<PlannedCriterion>,
    pub(crate) definitions: Vec<PlannedDefinition>,
    /// Every concept of the sets, as dense numbers.
    pub(crate) universe: Universe,
    /// The sets in dense numbers.
    pub(crate) dense_sets: Vec<Vec<u32>>,
    needs: BTreeMap<Table, Vec<&'static str>>,
    keys: BTreeMap<Table, Vec<RowKey>>,
    warnings: Vec<Warning>,
    n_concepts: u64,
}

impl Plan {
    /// Compiles definitions.
    pub fn new(definitions: &[Definition], vocabulary: &Vocabulary) -> Self {
        Self::over_unique_ids(definitions, vocabulary, &|_| false)
    }

    /// The same for records of which some tables have an id in each row that no
    /// other row has, and are sorted by it within a person's day: of these it
    /// [needs](Self::needs) neither ids to settle ties, nor ends that no definition
    /// asks for.
    pub fn over_unique_ids(
        definitions: &[Definition],
        vocabulary: &Vocabulary,
        has_unique_ids: &dyn Fn(Table) -> bool,
    ) -> Self {
        let mut planner = Planner {
            vocabulary,
            has_unique_ids,
            sets: Vec::new(),
            set_places: HashMap::new(),
            resolved: HashMap::new(),
            criteria: Vec::new(),
            criterion_places: HashMap::new(),
            needs: BTreeMap::new(),
            keyed: BTreeMap::new(),
            warnings: Vec::new(),
            of_definition: HashMap::new(),
            tables: Vec::new(),
            n_concepts: 0,
        };
        let definitions = definitions.iter().map(|definition| planner.definition(definition));
        let definitions = definitions.collect();
        let mut concepts: Vec<i64> = planner.sets.iter().flatten().copied().collect();
        concepts.sort_unstable();
        concepts.dedup();
        let universe = Universe::new(&concepts);
        let dense = |set: &Vec<i64>| set.iter().filter_map(|c| universe.dense(*c)).collect();
        Self {
            definitions,
            dense_sets: planner.sets.iter().map(dense).collect(),
            universe,
            keys: planner.keys(),
            sets: planner.sets,
            criteria: planner.criteria,
            needs: planner.needs,
            warnings: planner.warnings,
            n_concepts: planner.n_concepts,
        }
    }

    /// The columns that must be read of each table, the site's tables too.
    pub fn needs(&self) -> &BTreeMap<Table, Vec<&'static str>> {
        &self.needs
    }

    /// Whether a column must be read.
    pub(crate) fn needs_column(&self, table: Table, column: &str) -> bool {
        self.needs.get(&table).is_some_and(|columns| columns.contains(&column))
    }

    /// Which rows matter of those tables of which not all do.
    pub fn keys(&self) -> &BTreeMap<Table, Vec<RowKey>> {
        &self.keys
    }

    /// Concept sets that hold nothing, or less than they ask for.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many concepts the sets of all definitions hold, set by set.
    pub fn n_concepts(&self) -> u64 {
        self.n_concepts
    }

    /// What the definitions give where nobody is.
    pub(crate) fn empty(&self) -> Vec<CohortEntries> {
        let empty = |definition: &PlannedDefinition| CohortEntries {
            definition: definition.id,
            entries: Vec::new(),
            statistics: InclusionCounts { rules: definition.rules.len(), ..Default::default() },
            censored: CensorCounts {
                has_window: !definition.censor_window.is_open(),
                ..Default::default()
            },
        };
        self.definitions.iter().map(empty).collect()
    }

    /// How many definitions it has.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether it has no definition.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// For each definition that asks for a table which is not there, its id
    /// and the error that names the table: leave these out, then plan anew.
    pub fn lacking(&self, has: impl Fn(Table) -> bool) -> Vec<(i64, Error)> {
        let lack = |definition: &PlannedDefinition| {
            let table = definition.tables.iter().copied().find(|table| !has(*table))?;
            Some((definition.id, Error::NoTable { definition: definition.id, table }))
        };
        self.definitions.iter().filter_map(lack).collect()
    }
}

struct Planner<'a> {
    vocabulary: &'a Vocabulary,
    has_unique_ids: &'a dyn Fn(Table) -> bool,
    sets: Vec<Vec<i64>>,
    set_places: HashMap<Vec<i64>, SetPlace>,
    resolved: HashMap<farr_records::ConceptSetExpression, (SetPlace, Vec<ConceptSetWarning>)>,
    criteria: Vec<PlannedCriterion>,
    /// By what a criterion prints as, so that equal ones are shared.
    criterion_places: HashMap<String, CriterionPlace>,
    needs: BTreeMap<Table, Vec<&'static str>>,
    /// By table, the columns and sets that choose its rows; `None`: all rows
    /// matter.
    keyed: BTreeMap<Table, Option<BTreeMap<&'static str, BTreeSet<SetPlace>>>>,
    warnings: Vec<Warning>,
    /// Sets of the definition at hand.
    of_definition: HashMap<ConceptSetId, SetPlace>,
    /// Tables of the definition at hand.
    tables: Vec<Table>,
    n_concepts: u64,
}

impl Planner<'_> {
    fn need(&mut self, table: Table, columns: &[&'static str]) {
        if !self.tables.contains(&table) {
            self.tables.push(table);
        }
        let needed = self.needs.entry(table).or_default();
        for column in columns {
            if !needed.contains(column) {
                needed.push(column);
            }
        }
    }

    /// All rows of a table matter.
    fn need_all_rows(&mut self, table: Table) {
        self.keyed.insert(table, None);
    }

    /// Rows of a table matter whose column holds a concept of the set.
    fn need_rows(&mut self, table: Table, column: &'static str, set: SetPlace) {
        let keyed = self.keyed.entry(table).or_insert_with(|| Some(BTreeMap::new()));
        if let Some(columns) = keyed {
            columns.entry(column).or_default().insert(set);
        }
    }

    fn keys(&self) -> BTreeMap<Table, Vec<RowKey>> {
        let key_of = |(column, sets): (&&'static str, &BTreeSet<SetPlace>)| {
            let ids = sets.iter().flat_map(|set| &self.sets[set.0]).copied().collect();
            RowKey::new(column, ids)
        };
        let keyed = self.keyed.iter().filter_map(|(table, keyed)| Some((*table, keyed.as_ref()?)));
        keyed.map(|(table, columns)| (table, columns.iter().map(key_of).collect())).collect()
    }

    fn set(&mut self, mut concepts: Vec<i64>) -> SetPlace {
        concepts.sort_unstable();
        concepts.dedup();
        let next = SetPlace(self.sets.len());
        let place = *self.set_places.entry(concepts.clone()).or_insert(next);
        if place == next {
            self.sets.push(concepts);
        }
        place
    }

    fn concept_set(&mut self, definition: &Definition, set: &ConceptSet) {
        let (place, warnings) = if let Some(known) = self.resolved.get(&set.expression) {
            known.clone()
        } else {
            let (concepts, warnings) = set.expression.resolve(self.vocabulary);
            let place = self.set(concepts.into_iter().map(|concept| concept.0).collect());
            self.resolved.insert(set.expression.clone(), (place, warnings.clone()));
            (place, warnings)
        };
        // Of two sets with one id the union counts.
        let place = match self.of_definition.get(&set.id) {
            Some(first) => {
                let union = [self.sets[first.0].as_slice(), &self.sets[place.0]].concat();
                self.set(union)
            }
            None => place,
        };
        self.of_definition.insert(set.id, place);
        self.warnings.extend(warnings.into_iter().map(|warning| Warning {
            definition: definition.id,
            name: definition.name.clone(),
            concept_set: set.id,
            concept_set_name: set.name.clone(),
            warning,
        }));
    }

    /// The concepts of a set; none if the definition lacks it, which the
    /// parsers do not let pass.
    fn set_of(&mut self, id: ConceptSetId) -> SetPlace {
        match self.of_definition.get(&id) {
            Some(place) => *place,
            None => self.set(Vec::new()),
        }
    }

    /// Whether the entry events of a day lie as their ids do: where they are rows
    /// of one table, sorted by start and unique ids, and no start is another
    /// day's.
    fn lie_by_id(&self, criteria: &[Criterion]) -> bool {
        let Some(first) = criteria.first() else { return false };
        let specification = first.domain.specification();
        let table = specification.table;
        (self.has_unique_ids)(table)
            && table.start_column() == Some(specification.start)
            && table.id_column() == Some(specification.id)
            && criteria.iter().all(|c| c.domain == first.domain && c.date_adjustment.is_none())
    }

    fn definition(&mut self, definition: &Definition) -> PlannedDefinition {
        self.of_definition.clear();
        self.tables.clear();
        let expression = &definition.expression;
        for set in &expression.concept_sets {
            self.concept_set(definition, set);
        }
        let sizes = self.of_definition.values().map(|place| self.sets[place.0].len() as u64);
        self.n_concepts += sizes.sum::<u64>();
        self.need(Table::Person, &["person_id"]);
        self.need_all_rows(Table::Person);
        self.need_all_rows(Table::ObservationPeriod);
        self.need(
            Table::ObservationPeriod,
            &["person_id", "observation_period_start_date", "observation_period_end_date"],
        );
        // Ids settle ties between entry events, where rows do not.
        let rows_settle = self.lie_by_id(&expression.primary.criteria);
        for criterion in expression.primary.criteria.iter().filter(|_| !rows_settle) {
            self.need(criterion.domain.table(), &[criterion.domain.specification().id]);
        }
        let groups = || {
            let rules = expression.inclusion_rules.iter().map(|rule| &rule.group);
            rules.chain(&expression.additional)
        };
        let asks_end = !rows_settle
            || matches!(expression.end_strategy, EndStrategy::DateOffset { from: Moment::End, .. })
            || groups().any(asks_index_end);
        if groups().any(asks_visits) {
            for criterion in &expression.primary.criteria {
                self.need_visit(criterion.domain);
            }
        }
        let primary = expression.primary.criteria.iter();
        let primary = primary.map(|criterion| self.criterion(criterion, asks_end)).collect();
        let additional = expression.additional.as_ref().map(|group| self.group(group));
        let rules = expression.inclusion_rules.iter().map(|r| self.group(&r.group)).collect();
        let end = self.end(&expression.end_strategy);
        let censoring = expression.censoring.iter().map(|c| self.criterion(c, false)).collect();
        PlannedDefinition {
            id: definition.id,
            primary,
            prior_days: expression.primary.prior_days,
            post_days: expression.primary.post_days,
            primary_limit: expression.primary.limit,
            additional,
            qualified_limit: expression.qualified_limit,
            rules,
            expression_limit: expression.expression_limit,
            end,
            censoring,
            censor_window: expression.censor_window,
            era_pad_days: expression.era_pad_days,
            tables: std::mem::take(&mut self.tables),
        }
    }

    fn end(&mut self, strategy: &EndStrategy) -> PlannedEnd {
        match *strategy {
            EndStrategy::Observation => PlannedEnd::Observation,
            EndStrategy::DateOffset { from, offset_days } => {
                PlannedEnd::DateOffset { from, offset_days }
            }
            EndStrategy::CustomEra { drugs, gap_days, offset_days, days_supply_override } => {
                let mut standard = Criterion::all(Domain::DrugExposure);
                standard.concept_set = Some(drugs);
                let mut source = Criterion::all(Domain::DrugExposure);
                source.source_concept_set = Some(drugs);
                PlannedEnd::CustomEra {
                    exposures: [self.criterion(&standard, true), self.criterion(&source, true)],
                    gap_days,
                    offset_days,
                    days_supply_override,
                }
            }
        }
    }

    /// A criterion, the ends of whose events may be asked for by what it is of.
    fn criterion(&mut self, criterion: &Criterion, asks_end: bool) -> CriterionPlace {
        self.need_columns(criterion, asks_end);
        let planned = PlannedCriterion {
            domain: criterion.domain,
            set: criterion.concept_set.map(|id| self.set_of(id)),
            source_set: criterion.source_concept_set.map(|id| self.set_of(id)),
            first: criterion.first,
            tests: criterion.filters.iter().map(|f| self.test(criterion.domain, &f.test)).collect(),
            adjustment: criterion.date_adjustment,
            period: criterion.user_defined_period,
            correlated: criterion.correlated.as_ref().map(|group| self.group(group)),
        };
        match planned.rows() {
            Some((column, set)) => self.need_rows(planned.domain.table(), column, set),
            None => self.need_all_rows(planned.domain.table()),
        }
        let next = CriterionPlace(self.criteria.len());
        let place = *self.criterion_places.entry(format!("{planned:?}")).or_insert(next);
        if place == next {
            self.criteria.push(planned);
        }
        place
    }

    fn need_columns(&mut self, criterion: &Criterion, asks_end: bool) {
        if criterion.correlated.as_deref().is_some_and(asks_visits) {
            self.need_visit(criterion.domain);
        }
        let specification = criterion.domain.specification();
        let table = specification.table;
        let person = table.person_column().unwrap_or("person_id");
        self.need(table, &[person, specification.start]);
        // Rows with one id are one event where something must hold around it.
        if criterion.correlated.is_some() {
            self.need(table, &[specification.id]);
        }
        // Ends that nothing asks for are not read. Where ids are not known to be
        // unique they are: there the records are as they came.
        let asks_end = asks_end || !(self.has_unique_ids)(table) || asks_own_end(criterion);
        match specification.end {
            _ if !asks_end => {}
            End::NextDay => {}
            End::Column(end) | End::ColumnOrNextDay(end) | End::ColumnOrFarFuture(end) => {
                self.need(table, &[end]);
            }
            End::OfDrug => self.need(table, &["drug_exposure_end_date", "days_supply"]),
        }
        if criterion.domain == Domain::LocationRegion {
            self.need(table, &["location_id", "domain_id"]);
            self.need(Table::Location, &["location_id", "region_concept_id"]);
        } else if criterion.concept_set.is_some() {
            self.need(table, &[specification.concept]);
        }
        if let (Some(_), Some((_, column))) = (criterion.source_concept_set, specification.source) {
            self.need(table, &[column]);
        }
    }

    /// Which visit the events of a domain belong to: for visits that must be
    /// the same.
    fn need_visit(&mut self, domain: Domain) {
        if let Some(visit) = domain.specification().visit {
            self.need(domain.table(), &[visit]);
        }
    }

    fn test(&mut self, domain: Domain, test: &Test) -> PlannedTest {
        let table = domain.table();
        match test {
            Test::Date(moment, range) => PlannedTest::Date(*moment, *range),
            Test::Whole(quantity, range) => {
                self.need_quantity(table, *quantity);
                PlannedTest::Whole(*quantity, *range)
            }
            Test::Real(quantity, range) => {
                self.need_quantity(table, *quantity);
                PlannedTest::Real(*quantity, *range)
            }
            Test::Concept(field, test) => {
                self.need_field(table, *field);
                PlannedTest::Concept(*field, self.concepts(test))
            }
            Test::Text(column, test) => {
                self.need(table, &[column]);
                PlannedTest::Text(column, test.clone())
            }
            Test::Abnormal => {
                let columns = ["value_as_number", "range_low", "range_high", "value_as_concept_id"];
                self.need(table, &columns);
                PlannedTest::Abnormal
            }
        }
    }

    fn need_quantity(&mut self, table: Table, quantity: Quantity) {
        match quantity {
            Quantity::Column(column) => self.need(table, &[column]),
            Quantity::Ratio(column) => self.need(table, &["value_as_number", column]),
            Quantity::Age(_) => self.need(Table::Person, &["year_of_birth", "gender_concept_id"]),
            Quantity::Length => {}
        }
    }

    fn need_field(&mut self, table: Table, field: ConceptField) {
        match field {
            ConceptField::Column(column) => self.need(table, &[column]),
            ConceptField::Gender => {
                self.need(Table::Person, &["gender_concept_id", "year_of_birth"]);
            }
            ConceptField::ProviderSpecialty => {
                self.need(table, &["provider_id"]);
                self.need(Table::Provider, &["provider_id", "specialty_concept_id"]);
            }
            ConceptField::VisitConcept => {
                self.need(table, &["visit_occurrence_id"]);
                let columns = ["person_id", "visit_occurrence_id", "visit_concept_id"];
                self.need(Table::VisitOccurrence, &columns);
                self.need_all_rows(Table::VisitOccurrence);
            }
            ConceptField::PlaceOfService => {
                self.need(table, &["care_site_id"]);
                self.need(Table::CareSite, &["care_site_id", "place_of_service_concept_id"]);
            }
            ConceptField::PlaceOfServiceRegion => {
                self.need(table, &["care_site_id"]);
                self.need(Table::CareSite, &["care_site_id", "location_id"]);
                self.need(Table::Location, &["location_id", "region_concept_id"]);
            }
        }
    }

    fn concepts(&mut self, test: &ConceptTest) -> PlannedConcepts {
        let (set, is_by_id) = match &test.concepts {
            Concepts::Listed(concepts) => (self.set(concepts.iter().map(|c| c.0).collect()), false),
            Concepts::Set(id) => (self.set_of(*id), true),
        };
        PlannedConcepts { set, is_exclusion: test.is_exclusion, is_by_id }
    }

    fn group(&mut self, group: &Group) -> PlannedGroup {
        PlannedGroup {
            kind: group.kind,
            criteria: group.criteria.iter().map(|c| self.correlated(c)).collect(),
            demographics: group.demographics.iter().map(|d| self.demographic(d)).collect(),
            groups: group.groups.iter().map(|g| self.group(g)).collect(),
        }
    }

    fn correlated(&mut self, correlated: &Correlated) -> PlannedCorrelated {
        let criterion = &correlated.criterion;
        let distinct = correlated.occurrence.distinct.and_then(|c| column_of(criterion.domain, c));
        if let Some(
            Counted::Integers(column) | Counted::IntegersOrZero(column) | Counted::Reals(column),
        ) = distinct
        {
            self.need(criterion.domain.table(), &[column]);
        }
        if correlated.restrict_visit {
            self.need_visit(criterion.domain);
        }
        let windows = [Some(correlated.start_window), correlated.end_window];
        let asks_end = windows.into_iter().flatten().any(|window| window.use_event_end)
            || matches!(distinct, Some(Counted::End | Counted::Length));
        PlannedCorrelated {
            criterion: self.criterion(criterion, asks_end),
            start_window: correlated.start_window,
            end_window: correlated.end_window,
            restrict_visit: correlated.restrict_visit,
            ignore_observation_period: correlated.ignore_observation_period,
            kind: correlated.occurrence.kind,
            count: correlated.occurrence.count,
            distinct,
        }
    }

    fn demographic(&mut self, demographic: &Demographic) -> PlannedDemographic {
        self.need(Table::Person, &["year_of_birth", "gender_concept_id"]);
        for (concept, _) in &demographic.concepts {
            self.need(Table::Person, &[concept.column()]);
        }
        PlannedDemographic {
            age: demographic.age,
            concepts: demographic
                .concepts
                .iter()
                .map(|(concept, test)| (*concept, self.concepts(test)))
                .collect(),
            start: demographic.occurrence_start_date,
            end: demographic.occurrence_end_date,
        }
    }
}

/// Whether anything in a group must belong to the index event's visit.
fn asks_visits(group: &Group) -> bool {
    group.criteria.iter().any(|correlated| correlated.restrict_visit)
        || group.groups.iter().any(asks_visits)
}

/// Whether anything in a group asks for the index event's end.
fn asks_index_end(group: &Group) -> bool {
    let asks = |correlated: &Correlated| {
        let windows = [Some(correlated.start_window), correlated.end_window];
        windows.into_iter().flatten().any(|window| window.use_index_end)
    };
    group.criteria.iter().any(asks)
        || group.demographics.iter().any(|one| one.occurrence_end_date.is_some())
        || group.groups.iter().any(asks_index_end)
}

/// Whether a criterion itself asks for its events' ends.
fn asks_own_end(criterion: &Criterion) -> bool {
    let asks = |test: &Test| {
        let of_end =
            |quantity: &Quantity| matches!(quantity, Quantity::Length | Quantity::Age(Moment::End));
        match test {
            Test::Date(moment, _) => *moment == Moment::End,
            Test::Whole(quantity, _) | Test::Real(quantity, _) => of_end(quantity),
            Test::Concept(..) | Test::Text(..) | Test::Abnormal => false,
        }
    };
    criterion.date_adjustment.is_some()
        || !criterion.user_defined_period.is_open()
        || criterion.filters.iter().any(|filter| asks(&filter.test))
        || criterion.correlated.as_deref().is_some_and(asks_index_end)
}

impl PersonConcept {
    /// Its column in the person table.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Gender => "gender_concept_id",
            Self::Race => "race_concept_id",
            Self::Ethnicity => "ethnicity_concept_id",
        }
    }
}

#[cfg(test)]
mod tests;
