//! The expression tree: a closed set of nodes, made by the parsers (`circe`,
//! `short`), read by everything else.
//!
//! Attributes of a criterion are not fields of sixteen structs: a filter is
//! what is asked of which quantity, and `domain` says which filters a domain
//! has under which name.

use farr_records::{ConceptId, ConceptSetExpression, Day};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::Domain;

/// A cohort definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// `cohort_definition_id`.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// What it says.
    pub expression: Expression,
}

impl Definition {
    /// A stable hash of the expression, hexadecimal; neither id nor name nor
    /// anything merely descriptive changes it.
    pub fn hash(&self) -> String {
        // Serialising a tree of plain values into memory cannot fail.
        let text = serde_json::to_string(&self.expression).unwrap_or_default();
        Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            use std::fmt::Write as _;
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Who enters when, who stays in, and when they leave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expression {
    /// The concept sets that criteria name by id.
    pub concept_sets: Vec<ConceptSet>,
    /// The entry events.
    pub primary: PrimaryCriteria,
    /// What an entry event must meet to qualify.
    pub additional: Option<Group>,
    /// Which qualified events count, once `additional` is there.
    pub qualified_limit: Limit,
    /// Which included events count.
    pub expression_limit: Limit,
    /// What a qualified event must meet, rule by rule, to be included.
    pub inclusion_rules: Vec<InclusionRule>,
    /// When a person leaves.
    pub end_strategy: EndStrategy,
    /// Events at whose first start after entry a person leaves.
    pub censoring: Vec<Criterion>,
    /// To which the rows are clipped at the end.
    pub censor_window: Period,
    /// Days between rows that are merged.
    pub era_pad_days: i32,
}

/// A concept set with the id by which criteria name it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConceptSet {
    /// Its id in the definition.
    pub id: ConceptSetId,
    /// What people call it.
    #[serde(skip)]
    pub name: String,
    /// What is in it.
    pub expression: ConceptSetExpression,
}

/// How criteria name a concept set of their definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ConceptSetId(pub i64);

/// The entry events of a definition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrimaryCriteria {
    /// Events of any of these enter.
    pub criteria: Vec<Criterion>,
    /// Days under observation asked for before the event.
    pub prior_days: i32,
    /// Days under observation asked for after the event.
    pub post_days: i32,
    /// Which of a person's events count.
    pub limit: Limit,
}

/// Which of a person's events count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Limit {
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// Every one.
    All,
}

/// One inclusion rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InclusionRule {
    /// What people call it.
    #[serde(skip)]
    pub name: String,
    /// What it explains of itself.
    #[serde(skip)]
    pub description: String,
    /// What must hold.
    pub group: Group,
}

/// Criteria of which so many must hold. An empty group always holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// How many.
    pub kind: GroupKind,
    /// Events around the index event.
    pub criteria: Vec<Correlated>,
    /// Facts of the person at the index event.
    pub demographics: Vec<Demographic>,
    /// Groups within.
    pub groups: Vec<Group>,
}

impl Group {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.criteria.is_empty() && self.demographics.is_empty() && self.groups.is_empty()
    }
}

/// How many criteria of a group must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum GroupKind {
    /// Every one.
    All,
    /// One or more.
    Any,
    /// So many or more.
    AtLeast(i64),
    /// So many or fewer.
    AtMost(i64),
}

/// So many events of a criterion in windows around the index event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlated {
    /// Which events.
    pub criterion: Criterion,
    /// Where they start (or end).
    pub start_window: Window,
    /// Where they end (or start).
    pub end_window: Option<Window>,
    /// Whether they belong to the index event's visit.
    pub restrict_visit: bool,
    /// Whether they may lie outside the index event's observation period.
    pub ignore_observation_period: bool,
    /// How many.
    pub occurrence: Occurrence,
}

/// A span around the index event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Window {
    /// Its first day.
    pub start: Bound,
    /// Its last day.
    pub end: Bound,
    /// Whether days count from the index event's end.
    pub use_index_end: bool,
    /// Whether the event's end must lie in it.
    pub use_event_end: bool,
}

/// One end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Bound {
    /// So many days after the index day; negative ones are before.
    Days(i32),
    /// The start of the index event's observation period.
    PeriodStart,
    /// The end of the index event's observation period.
    PeriodEnd,
}

/// How many events must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Occurrence {
    /// Against what the number is held.
    pub kind: OccurrenceKind,
    /// The number.
    pub count: i64,
    /// Whose distinct values are counted, instead of events.
    pub distinct: Option<CountColumn>,
}

/// How an event count is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum OccurrenceKind {
    /// Equal.
    Exactly,
    /// Equal or fewer.
    AtMost,
    /// Equal or more.
    AtLeast,
}

/// What distinct values are counted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum CountColumn {
    /// Days a drug lasts.
    DaysSupply,
    /// The event's concept.
    DomainConcept,
    /// The event's source concept.
    DomainSourceConcept,
    /// Days from start to end.
    Duration,
    /// The end.
    EndDate,
    /// How many occurrences an era has.
    EraOccurrences,
    /// An era's gap days.
    GapDays,
    /// The quantity.
    Quantity,
    /// The upper end of the normal range.
    RangeHigh,
    /// The lower end of the normal range.
    RangeLow,
    /// How many refills.
    Refills,
    /// The start.
    StartDate,
    /// The unit's concept.
    Unit,
    /// The value.
    ValueAsNumber,
    /// The visit.
    VisitId,
    /// The visit detail.
    VisitDetailId,
}

/// Facts of the person at the index event. All that is asked must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Demographic {
    /// Age at the index event's start.
    pub age: Option<Comparison<i64>>,
    /// Tests of gender, race and ethnicity.
    pub concepts: Vec<(PersonConcept, ConceptTest)>,
    /// When the index event starts.
    pub occurrence_start_date: Option<Comparison<i32>>,
    /// When the index event ends.
    pub occurrence_end_date: Option<Comparison<i32>>,
}

/// A concept of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PersonConcept {
    /// `gender_concept_id`.
    Gender,
    /// `race_concept_id`.
    Race,
    /// `ethnicity_concept_id`.
    Ethnicity,
}

/// Events of one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criterion {
    /// Which table, read how.
    pub domain: Domain,
    /// Concepts of the events; all events without it.
    pub concept_set: Option<ConceptSetId>,
    /// Source concepts of the events.
    pub source_concept_set: Option<ConceptSetId>,
    /// Whether only a person's first such event counts, before all else.
    pub first: bool,
    /// What else must hold of an event.
    pub filters: Vec<Filter>,
    /// Shifted dates.
    pub date_adjustment: Option<DateAdjustment>,
    /// Dates that replace those of the period that contains them.
    pub user_defined_period: Period,
    /// What must hold around an event.
    pub correlated: Option<Box<Group>>,
}

impl Criterion {
    /// Every event of a domain.
    pub fn all(domain: Domain) -> Self {
        Self {
            domain,
            concept_set: None,
            source_concept_set: None,
            first: false,
            filters: Vec::new(),
            date_adjustment: None,
            user_defined_period: Period::default(),
            correlated: None,
        }
    }
}

/// Something asked of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filter {
    /// Circe's name of the attribute.
    pub attribute: &'static str,
    /// What is asked.
    pub test: Test,
}

/// A test of one event. A missing value meets none, negated ones neither.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Test {
    /// A date against days.
    Date(Moment, Comparison<i32>),
    /// A number against whole numbers.
    Whole(Quantity, Comparison<i64>),
    /// A number against numbers of four decimals.
    Real(Quantity, Comparison<f64>),
    /// A concept.
    Concept(ConceptField, ConceptTest),
    /// A text, by pattern.
    Text(&'static str, TextTest),
    /// A value below or above its range, or said to be abnormal.
    Abnormal,
}

/// Which of an event's dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Moment {
    /// Its start.
    Start,
    /// Its end.
    End,
}

/// A number of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Quantity {
    /// A column of its table.
    Column(&'static str),
    /// Days from start to end.
    Length,
    /// Year of a date minus year of birth.
    Age(Moment),
    /// `value_as_number` / a column; missing if that is 0.
    Ratio(&'static str),
}

/// A concept of an event, or of what it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ConceptField {
    /// A column of its table.
    Column(&'static str),
    /// The person's gender.
    Gender,
    /// The provider's specialty.
    ProviderSpecialty,
    /// The concept of the visit, which must be the same person's.
    VisitConcept,
    /// The care site's place of service.
    PlaceOfService,
    /// The region of the care site's location.
    PlaceOfServiceRegion,
}

/// What is asked of a concept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ConceptTest {
    /// Which concepts.
    pub concepts: Concepts,
    /// Whether it must be none of them.
    pub is_exclusion: bool,
}

/// Concepts, listed or by set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub enum Concepts {
    /// These.
    Listed(Vec<ConceptId>),
    /// Those of a set of the definition.
    Set(ConceptSetId),
}

/// A comparison with one value, or with two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Comparison<T> {
    /// Below.
    Less(T),
    /// Below or equal.
    LessOrEqual(T),
    /// Equal.
    Equal(T),
    /// Not equal.
    NotEqual(T),
    /// Above.
    Greater(T),
    /// Above or equal.
    GreaterOrEqual(T),
    /// From the first to the second, both included.
    Between(T, T),
    /// Below the first or above the second.
    NotBetween(T, T),
}

impl<T: PartialOrd + Copy> Comparison<T> {
    /// Whether a value meets it.
    #[inline]
    pub fn holds(&self, value: T) -> bool {
        match *self {
            Self::Less(other) => value < other,
            Self::LessOrEqual(other) => value <= other,
            Self::Equal(other) => value == other,
            Self::NotEqual(other) => value != other,
            Self::Greater(other) => value > other,
            Self::GreaterOrEqual(other) => value >= other,
            Self::Between(low, high) => low <= value && value <= high,
            Self::NotBetween(low, high) => !(low <= value && value <= high),
        }
    }
}

/// What is asked of a text. Case counts; `%` stands for any run of
/// characters and `_` for any one, as in SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct TextTest {
    /// The pattern, wildcards for "starts with" and the like included.
    pub pattern: String,
    /// Whether the text must not match.
    pub is_negated: bool,
}

/// Shifted dates of an event; an event that ends before it starts then goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct DateAdjustment {
    /// From which date the start is made.
    pub start_with: Moment,
    /// Days added to it.
    pub start_offset_days: i32,
    /// From which date the end is made.
    pub end_with: Moment,
    /// Days added to it.
    pub end_offset_days: i32,
}

/// Two days, each of which may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Period {
    /// The first day.
    pub start: Option<Day>,
    /// The last day.
    pub end: Option<Day>,
}

impl Period {
    /// Whether neither day is given.
    pub fn is_open(self) -> bool {
        self.start.is_none() && self.end.is_none()
    }
}

impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.start.map(|day| day.0), self.end.map(|day| day.0)).serialize(serializer)
    }
}

/// When a person leaves, besides the end of observation and censoring events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EndStrategy {
    /// At the end of the observation period.
    Observation,
    /// So many days after the event's start or end, within observation.
    DateOffset {
        /// From which date.
        from: Moment,
        /// How many days later.
        offset_days: i32,
    },
    /// At the end of the drug era that the event falls in.
    CustomEra {
        /// Which drugs.
        drugs: ConceptSetId,
        /// Days between exposures that are merged.
        gap_days: i32,
        /// Days added to each exposure's end.
        offset_days: i32,
        /// Days that every exposure lasts, instead of what is recorded.
        days_supply_override: Option<i32>,
    },
}
