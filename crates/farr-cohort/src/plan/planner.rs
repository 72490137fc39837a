//! From definitions to a plan: what is shared, and what must be read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use farr_records::{ConceptSetExpression, ConceptSetWarning, RowKey, Table, Vocabulary};

use super::{
    CriterionPlace, Plan, PlannedConcepts, PlannedCorrelated, PlannedCriterion, PlannedDefinition,
    PlannedDemographic, PlannedEnd, PlannedGroup, PlannedTest, SetPlace, Warning,
};
use crate::count::{Counted, column_of};
use crate::domain::{Domain, End};
use crate::evaluate::Universe;
use crate::model::{
    ConceptField, ConceptSet, ConceptSetId, ConceptTest, Concepts, Correlated, Criterion,
    Definition, Demographic, EndStrategy, Group, Moment, PersonConcept, Quantity, Test,
};

/// Compiles definitions; see [`Plan::over_unique_ids`].
pub(super) fn compile(
    definitions: &[Definition],
    vocabulary: &Vocabulary,
    has_unique_ids: &dyn Fn(Table) -> bool,
) -> Plan {
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
    Plan {
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

struct Planner<'a> {
    vocabulary: &'a Vocabulary,
    has_unique_ids: &'a dyn Fn(Table) -> bool,
    sets: Vec<Vec<i64>>,
    set_places: HashMap<Vec<i64>, SetPlace>,
    resolved: HashMap<ConceptSetExpression, (SetPlace, Vec<ConceptSetWarning>)>,
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
