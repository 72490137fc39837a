//! A definition as it was written, whole or not: what the checks look at.
//!
//! The tree of `model` cannot hold a mistake such as a range without a value.
//! A draft can: every part may be missing, and every part knows its place.

use farr_records::Day;

use crate::domain::Domain;
use crate::model::{GroupKind, Limit, OccurrenceKind};

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) sets: Vec<Set>,
    pub(super) entry: Vec<Criterion>,
    pub(super) entry_path: String,
    pub(super) prior_days: i64,
    pub(super) post_days: i64,
    pub(super) primary_limit: Option<Limit>,
    pub(super) additional: Option<Group>,
    pub(super) qualified_limit: Option<Limit>,
    pub(super) expression_limit: Option<Limit>,
    pub(super) rules: Vec<Rule>,
    pub(super) exit: Exit,
    pub(super) exit_path: String,
    pub(super) censoring: Vec<Criterion>,
    pub(super) censor_window: Option<Period>,
}

#[derive(Debug)]
pub(super) struct Set {
    pub(super) path: String,
    pub(super) id: Option<i64>,
    pub(super) name: String,
    pub(super) items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) concept_id: Option<i64>,
    /// Vocabulary and code.
    pub(super) code: Option<(String, String)>,
    /// The domain that the file says it has.
    pub(super) domain: Option<String>,
    pub(super) is_excluded: bool,
    pub(super) include_descendants: bool,
    pub(super) include_mapped: bool,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) group: Option<Group>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) path: String,
    pub(super) kind: Option<GroupKind>,
    pub(super) criteria: Vec<Correlated>,
    pub(super) demographics: Vec<Demographic>,
    pub(super) groups: Vec<Group>,
}

impl Group {
    /// How many things are asked.
    pub(super) fn asked(&self) -> usize {
        self.criteria.len() + self.demographics.len() + self.groups.len()
    }

    /// Whether each of its criteria must hold for it to hold.
    pub(super) fn asks_for_each(&self) -> bool {
        match self.kind {
            Some(GroupKind::All) => true,
            Some(GroupKind::AtLeast(count)) => count >= self.asked() as i64,
            Some(GroupKind::Any) => self.asked() == 1,
            _ => false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Correlated {
    pub(super) path: String,
    pub(super) criterion: Option<Criterion>,
    pub(super) start_window: Option<Window>,
    pub(super) end_window: Option<Window>,
    pub(super) occurrence: Option<Occurrence>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) kind: OccurrenceKind,
    pub(super) count: i64,
    pub(super) is_distinct: bool,
}

impl Occurrence {
    /// The counts that meet it, from and to.
    pub(super) fn range(self) -> (i64, i64) {
        match self.kind {
            OccurrenceKind::Exactly => (self.count, self.count),
            OccurrenceKind::AtMost => (i64::MIN, self.count),
            OccurrenceKind::AtLeast => (self.count, i64::MAX),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) path: String,
    pub(super) start: Option<WindowEnd>,
    pub(super) end: Option<WindowEnd>,
    pub(super) use_index_end: bool,
    pub(super) use_event_end: bool,
}

/// Days and the sign they are counted with; no days: open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WindowEnd {
    pub(super) days: Option<i64>,
    pub(super) sign: i64,
}

impl WindowEnd {
    /// The day from the index day, if it is not open.
    pub(super) fn day(self) -> Option<i64> {
        self.days.map(|days| days.saturating_mul(self.sign))
    }
}

impl Window {
    /// First and last day from the index day; open ends reach as far as a
    /// number can.
    pub(super) fn span(&self) -> (i64, i64) {
        let edge = |end: Option<WindowEnd>, open: i64| match end {
            None => open,
            Some(end) => end.day().unwrap_or(if end.sign < 0 { i64::MIN } else { i64::MAX }),
        };
        (edge(self.start, i64::MIN), edge(self.end, i64::MAX))
    }

    /// Whether two windows look at the same days of the same dates.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.span() == other.span()
            && self.use_index_end == other.use_index_end
            && self.use_event_end == other.use_event_end
    }
}

#[derive(Debug)]
pub(super) struct Criterion {
    pub(super) path: String,
    pub(super) domain: Domain,
    pub(super) concept_set: Option<i64>,
    pub(super) source_concept_set: Option<i64>,
    pub(super) first: Option<bool>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) period: Option<Period>,
    pub(super) correlated: Option<Group>,
}

impl Criterion {
    /// Whether it names the same concepts of the same domain.
    pub(super) fn has_same_events(&self, other: &Self) -> bool {
        self.domain == other.domain
            && self.concept_set == other.concept_set
            && self.source_concept_set == other.source_concept_set
    }

    /// Whether each thing that it asks of its events `other` asks too.
    pub(super) fn asks_no_more_than(&self, other: &Self) -> bool {
        let has = |mine: &Attribute| other.attributes.iter().any(|theirs| mine.is_like(theirs));
        self.attributes.iter().all(has)
            && self.correlated.is_none()
            && (self.first != Some(true) || other.first == Some(true))
    }

    /// Whether it asks the same of the same events.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.has_same_events(other)
            && self.asks_no_more_than(other)
            && other.asks_no_more_than(self)
    }
}

#[derive(Debug, Default)]
pub(super) struct Demographic {
    pub(super) path: String,
    pub(super) attributes: Vec<Attribute>,
}

/// Something that is asked of an event or a person.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) path: String,
    /// Circe's name of it.
    pub(super) key: String,
    pub(super) value: AttributeValue,
}

impl Attribute {
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum AttributeValue {
    Range(Range),
    Concepts(Vec<i64>),
    /// A concept set under `<attribute>CS`, and whether it is excluded.
    Selection(Option<i64>, bool),
    /// A concept set, named by its id alone.
    ConceptSet(i64),
    /// Operator and text.
    Text(Option<String>, Option<String>),
    Flag(bool),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    pub(super) operator: Option<String>,
    pub(super) value: Option<Point>,
    pub(super) extent: Option<Point>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Point {
    Day(Day),
    Number(f64),
    /// Text where a date should stand.
    NoDate(String),
}

#[derive(Debug)]
pub(super) struct Period {
    pub(super) path: String,
    pub(super) start: Option<Point>,
    pub(super) end: Option<Point>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Exit {
    #[default]
    Observation,
    DateOffset {
        is_from_start: bool,
        offset_days: i64,
    },
    CustomEra {
        drugs: Option<i64>,
    },
}

/// Where in a definition something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Entry,
    Additional,
    /// A rule by its name.
    Rule(&'a str),
    Censoring,
}

impl Part<'_> {
    /// As it is said in a sentence.
    pub(super) fn words(self) -> String {
        match self {
            Self::Entry => "the entry events".to_owned(),
            Self::Additional => "the additional criteria".to_owned(),
            Self::Rule("") => "an inclusion rule".to_owned(),
            Self::Rule(name) => format!("inclusion rule '{name}'"),
            Self::Censoring => "the censoring events".to_owned(),
        }
    }
}

/// Every criterion, group and so on of a draft, however deep, in its order.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) criteria: Vec<(Part<'a>, &'a Criterion)>,
    pub(super) correlated: Vec<(Part<'a>, &'a Correlated)>,
    pub(super) groups: Vec<(Part<'a>, &'a Group)>,
    pub(super) demographics: Vec<(Part<'a>, &'a Demographic)>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(draft: &'a Draft) -> Self {
        let mut parts = Self::default();
        draft.entry.iter().for_each(|criterion| parts.criterion(Part::Entry, criterion));
        draft.additional.iter().for_each(|group| parts.group(Part::Additional, group));
        for rule in &draft.rules {
            rule.group.iter().for_each(|group| parts.group(Part::Rule(&rule.name), group));
        }
        draft.censoring.iter().for_each(|criterion| parts.criterion(Part::Censoring, criterion));
        parts
    }

    fn criterion(&mut self, part: Part<'a>, criterion: &'a Criterion) {
        self.criteria.push((part, criterion));
        criterion.correlated.iter().for_each(|group| self.group(part, group));
    }

    fn group(&mut self, part: Part<'a>, group: &'a Group) {
        self.groups.push((part, group));
        for demographic in &group.demographics {
            self.demographics.push((part, demographic));
        }
        for correlated in &group.criteria {
            self.correlated.push((part, correlated));
            correlated.criterion.iter().for_each(|criterion| self.criterion(part, criterion));
        }
        group.groups.iter().for_each(|group| self.group(part, group));
    }
}
