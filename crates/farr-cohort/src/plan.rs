//! A set of definitions compiled into one plan: concept sets resolved once
//! and shared, equal criteria shared, and the tables and columns that are
//! needed.

mod planner;

use std::collections::BTreeMap;
use std::fmt;

use farr_records::{ConceptSetWarning, RowKey, Table, Vocabulary};

use crate::Error;
use crate::count::Counted;
use crate::domain::Domain;
use crate::evaluate::{CohortEntries, Universe};
use crate::model::{
    Comparison, ConceptField, ConceptSetId, DateAdjustment, Definition, GroupKind, Limit, Moment,
    OccurrenceKind, Period, PersonConcept, Quantity, TextTest, Window,
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
        planner::compile(definitions, vocabulary, has_unique_ids)
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

#[cfg(test)]
mod tests;
