//! Why a person is in a cohort or out of it: what the evaluator did with each
//! of the person's events, as data, and as text.
//!
//! There is no second semantics: `evaluate` is told to say what it does, and
//! the parts of a group are asked by the functions that decide it.

mod text;

use farr_records::{Day, Interval};

/// Why a person is in a cohort, or out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// The definition's id.
    pub definition: i64,
    /// Its name.
    pub name: String,
    /// What the entry criteria found, criterion by criterion.
    pub entry: Vec<EntryCriterion>,
    /// The entry events, in the order in which they were found; one that lies
    /// in several observation periods is there for each.
    pub events: Vec<EntryEvent>,
    /// The days of observation that an entry event needs before and after it.
    pub observation_days: (i32, i32),
    /// The person's rows of the cohort.
    pub rows: Vec<Interval>,
    /// Days between rows that are merged.
    pub era_pad_days: i32,
    /// To which the rows are clipped.
    pub censor_window: (Option<Day>, Option<Day>),
}

/// What an entry criterion found of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryCriterion {
    /// The criterion in words.
    pub words: String,
    /// The person's events with the criterion's concepts, by day.
    pub found: Vec<FoundEvent>,
}

/// A person's event with the concepts of a criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundEvent {
    /// Its first day.
    pub start: Day,
    /// Its last day, if it has one.
    pub end: Option<Day>,
    /// Its id in its table.
    pub id: Option<i64>,
    /// Whether it is an event of the criterion.
    pub fate: Found,
}

/// Whether an event with the concepts of a criterion is one of its events.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is.
    Event {
        /// What is asked around it, which holds.
        around: Option<AskedGroup>,
    },
    /// Only the first counts, and it is not.
    NotFirst,
    /// With its dates adjusted it ends before it starts.
    Reversed,
    /// It does not contain the user-defined period.
    OutsidePeriod,
    /// A filter does not hold, given in words.
    Filter(String),
    /// What is asked around it does not hold; nothing is shown if it lies
    /// outside observation.
    Around(Option<AskedGroup>),
}

/// An entry event in one observation period around it.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryEvent {
    /// Its criterion's place in [`Why::entry`].
    pub criterion: usize,
    /// Its first day.
    pub start: Day,
    /// Its last day, if it has one.
    pub end: Option<Day>,
    /// Its id in its table.
    pub id: Option<i64>,
    /// The observation period around it.
    pub period: Option<Interval>,
    /// How far it got.
    pub fate: Fate,
    /// The additional criteria, if it got to them.
    pub additional: Option<AskedGroup>,
    /// The inclusion rules, if it got to them.
    pub rules: Vec<AskedRule>,
    /// The exits, if it got to them: days, and by what.
    pub exits: Vec<(Day, String)>,
    /// The day on which the person leaves.
    pub exit: Option<Day>,
}

/// How far an entry event got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// No observation period contains its start.
    OutsideObservation,
    /// There is too little observation before or after it.
    TooLittleObservation,
    /// The primary limit took another.
    PrimaryLimit,
    /// The additional criteria do not hold.
    Additional,
    /// The qualified limit took another.
    QualifiedLimit,
    /// It does not meet every inclusion rule.
    Rules,
    /// The expression limit took another.
    ExpressionLimit,
    /// No exit lies at or after it.
    NoExit,
    /// It gives a row.
    Row,
}

/// An inclusion rule, asked of an entry event.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedRule {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub group: AskedGroup,
}

/// A group, asked of an index event.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedGroup {
    /// How many of its parts must hold, in words.
    pub words: String,
    /// Whether it holds.
    pub holds: bool,
    /// Its parts.
    pub parts: Vec<AskedPart>,
}

/// A part of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum AskedPart {
    /// Events around the index event.
    Events(Box<AskedEvents>),
    /// Facts of the person.
    Person {
        /// What is asked, in words.
        words: String,
        /// Whether it holds.
        holds: bool,
        /// What the person has of it, in words.
        facts: String,
    },
    /// A group within.
    Group(AskedGroup),
}

/// A number of events, asked around an index event.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedEvents {
    /// What is asked, in words.
    pub words: String,
    /// Whether it holds.
    pub holds: bool,
    /// The number that was found and compared.
    pub count: i64,
    /// The events that were counted: first and last day.
    pub counted: Vec<(Day, Option<Day>)>,
    /// Other events of the person with the criterion's concepts; those that
    /// are events of the criterion lie outside its windows, the observation
    /// period or the visit.
    pub others: Vec<FoundEvent>,
}

impl Why {
    /// Whether the person is in the cohort.
    pub fn is_in(&self) -> bool {
        !self.rows.is_empty()
    }
}
