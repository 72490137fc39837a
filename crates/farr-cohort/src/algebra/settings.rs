//! What a job file says of a derived cohort: plain data, in which `C` is what
//! names a cohort: a [`CohortReference`] as written, an id once resolved.

use farr_records::Day;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::short::Sex;

/// A cohort of the job, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CohortReference {
    /// By its id.
    Id(i64),
    /// By its name, which no other cohort of the job may have.
    Name(String),
}

/// How a cohort is derived from others of the job; `kind` says which way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "Derivation")]
pub enum Derivation<C> {
    /// The days that a person is in any of the cohorts.
    Union(Union<C>),
    /// The days that a person is in all of the cohorts.
    Intersection(Intersection<C>),
    /// The days, or the persons, of a cohort that are not in others.
    Minus(Minus<C>),
    /// Some of a cohort's persons, by a seed.
    Sample(Sample<C>),
    /// Comparators of the same sex and age as the persons of another cohort.
    Match(Match<C>),
    /// The part of a cohort that lies in a window of the calendar.
    Window(CalendarWindow<C>),
    /// The rows of a cohort that lie near rows of another.
    Near(Near<C>),
    /// Each person's first, last or n-th row.
    Entry(Entry<C>),
    /// The rows of persons of an age and sex.
    Demographics(Demographics<C>),
}

/// Settings of `union`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Union")]
pub struct Union<C> {
    /// Two cohorts or more.
    pub cohorts: Vec<C>,
    /// A row that starts at most so many days after the end of the one before
    /// is joined to it; 0: only rows that share a day are.
    #[serde(default)]
    pub gap_days: u16,
}

/// Settings of `intersection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Intersection")]
pub struct Intersection<C> {
    /// Two cohorts or more.
    pub cohorts: Vec<C>,
}

/// What `minus` takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinusBy {
    /// The days in the other cohorts; a row may be cut in two.
    #[default]
    Days,
    /// The rows that share a day with the other cohorts.
    Rows,
    /// The persons who are ever in the other cohorts.
    Persons,
}

/// Settings of `minus`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Minus")]
pub struct Minus<C> {
    /// The cohort.
    pub cohort: C,
    /// What is taken away: one cohort or more.
    pub without: Vec<C>,
    /// Whether days, rows or whole persons are taken away.
    #[serde(default)]
    pub by: MinusBy,
}

/// Settings of `sample`: `persons` or `fraction`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sample")]
pub struct Sample<C> {
    /// The cohort.
    pub cohort: C,
    /// Exactly so many persons, or all if there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons: Option<u32>,
    /// The share of the persons that is kept, by chance: above 0, at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
    /// The seed: the same seed gives the same persons.
    #[serde(default)]
    pub seed: u32,
}

/// Which side of a match the cohort holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchSide {
    /// The persons found.
    #[default]
    Comparators,
    /// The persons for whom any was found.
    Targets,
}

/// Settings of `match`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Match")]
pub struct Match<C> {
    /// Where comparators are looked for.
    pub cohort: C,
    /// The targets: whom they are to be like.
    pub to: C,
    /// At most so many comparators a target.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub ratio: u8,
    /// At most so many years between the ages at entry; left out: age is not
    /// looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_years: Option<u16>,
    /// Whether sexes must be the same.
    #[serde(default = "yes")]
    pub sex: bool,
    /// At most so many days between the entries; left out: dates are not
    /// looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_days: Option<u32>,
    /// The seed: the same seed gives the same persons.
    #[serde(default)]
    pub seed: u32,
    /// Whether this cohort holds the comparators or the matched targets.
    #[serde(default)]
    pub keep: MatchSide,
}

fn one() -> u8 {
    1
}

fn yes() -> bool {
    true
}

/// What of a row `window` keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowKeep {
    /// The days in the window; rows are cut.
    #[default]
    Days,
    /// Whole rows that start in the window.
    Starts,
}

/// Settings of `window`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CalendarWindow")]
pub struct CalendarWindow<C> {
    /// The cohort.
    pub cohort: C,
    /// The first day; left out: open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CalendarDay>,
    /// The last day; left out: open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<CalendarDay>,
    /// Whether rows are cut to the window, or kept whole by their start.
    #[serde(default)]
    pub keep: WindowKeep,
}

/// A date of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowDate {
    /// `cohort_start_date`.
    #[default]
    Start,
    /// `cohort_end_date`.
    End,
}

/// Which rows `near` keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NearKeep {
    /// Those with a row of the other cohort in the window.
    #[default]
    With,
    /// Those without.
    Without,
}

/// Settings of `near`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Near")]
pub struct Near<C> {
    /// The cohort.
    pub cohort: C,
    /// The other cohort.
    pub of: C,
    /// In which days after the row's date the other's date must lie, both ends
    /// included, negative before; `"any"`: open.
    pub window: [WindowDay; 2],
    /// Which date of the row.
    #[serde(default)]
    pub date: RowDate,
    /// Which date of the other cohort's row.
    #[serde(default)]
    pub of_date: RowDate,
    /// Whether rows with or without such a row are kept.
    #[serde(default)]
    pub keep: NearKeep,
}

/// An end of a window of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WindowDay {
    /// So many days after, negative before.
    Days(i32),
    /// `"any"`.
    Open(Open),
}

/// The word for an open end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// As far as there are days.
    Any,
}

/// Settings of `entry`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Entry")]
pub struct Entry<C> {
    /// The cohort.
    pub cohort: C,
    /// 1: a person's first row, 2: the second; -1: the last, -2: the one
    /// before it.
    pub nth: i32,
}

/// Settings of `demographics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Demographics")]
pub struct Demographics<C> {
    /// The cohort.
    pub cohort: C,
    /// Years of age at the row's start, both ends included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<AgeRange>,
    /// The sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

/// Ages, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeRange {
    /// The least age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u16>,
    /// The greatest age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u16>,
}

/// A day as job files have it: `"2015-01-31"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarDay(pub Day);

impl Serialize for CalendarDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CalendarDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Day::parse(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("found '{text}', expected a day like \"2015-01-31\""))
        })
    }
}

impl JsonSchema for CalendarDay {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CalendarDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A day like \"2015-01-31\".",
            "type": "string",
            "format": "date",
        })
    }
}

impl<C> Derivation<C> {
    /// The cohorts that it is derived from; the first is the one whose persons
    /// it keeps, but for a union.
    pub fn inputs(&self) -> Vec<&C> {
        match self {
            Self::Union(s) => s.cohorts.iter().collect(),
            Self::Intersection(s) => s.cohorts.iter().collect(),
            Self::Minus(s) => [&s.cohort].into_iter().chain(&s.without).collect(),
            Self::Sample(s) => vec![&s.cohort],
            Self::Match(s) => match s.keep {
                MatchSide::Comparators => vec![&s.cohort, &s.to],
                MatchSide::Targets => vec![&s.to, &s.cohort],
            },
            Self::Window(s) => vec![&s.cohort],
            Self::Near(s) => vec![&s.cohort, &s.of],
            Self::Entry(s) => vec![&s.cohort],
            Self::Demographics(s) => vec![&s.cohort],
        }
    }

    /// The same with other names for the cohorts.
    ///
    /// # Errors
    /// The first that `name` gives.
    pub fn try_map<D, E>(
        &self,
        mut name: impl FnMut(&C) -> Result<D, E>,
    ) -> Result<Derivation<D>, E> {
        let mut all = |cohorts: &[C]| cohorts.iter().map(&mut name).collect::<Result<Vec<D>, E>>();
        Ok(match self {
            Self::Union(s) => {
                Derivation::Union(Union { cohorts: all(&s.cohorts)?, gap_days: s.gap_days })
            }
            Self::Intersection(s) => {
                Derivation::Intersection(Intersection { cohorts: all(&s.cohorts)? })
            }
            Self::Minus(s) => Derivation::Minus(Minus {
                without: all(&s.without)?,
                cohort: name(&s.cohort)?,
                by: s.by,
            }),
            Self::Sample(s) => Derivation::Sample(Sample {
                cohort: name(&s.cohort)?,
                persons: s.persons,
                fraction: s.fraction,
                seed: s.seed,
            }),
            Self::Match(s) => Derivation::Match(Match {
                cohort: name(&s.cohort)?,
                to: name(&s.to)?,
                ratio: s.ratio,
                age_years: s.age_years,
                sex: s.sex,
                index_days: s.index_days,
                seed: s.seed,
                keep: s.keep,
            }),
            Self::Window(s) => Derivation::Window(CalendarWindow {
                cohort: name(&s.cohort)?,
                from: s.from,
                to: s.to,
                keep: s.keep,
            }),
            Self::Near(s) => Derivation::Near(Near {
                cohort: name(&s.cohort)?,
                of: name(&s.of)?,
                window: s.window,
                date: s.date,
                of_date: s.of_date,
                keep: s.keep,
            }),
            Self::Entry(s) => Derivation::Entry(Entry { cohort: name(&s.cohort)?, nth: s.nth }),
            Self::Demographics(s) => Derivation::Demographics(Demographics {
                cohort: name(&s.cohort)?,
                age: s.age,
                sex: s.sex,
            }),
        })
    }
}
