//! Strata at the index date: sex, age group, calendar year, one at a time,
//! beside the total.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use farr_disclosure::TableBuilder;
use farr_records::Day;

use crate::age::{AgeGroup, Persons, check_breaks, person_columns};
use crate::{AgeMethod, Error, ShardView, Stratum};

/// One stratum of a target, or all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Level {
    /// Everybody.
    #[default]
    All,
    /// `gender_concept_id`.
    Sex(i64),
    /// The place of an age group; one past the last for an unknown age.
    Age(usize),
    /// Calendar year of the index date.
    Year(i32),
}

impl Level {
    /// What the level divides by; `None` for everybody.
    pub(crate) fn stratum(self) -> Option<Stratum> {
        match self {
            Self::All => None,
            Self::Sex(_) => Some(Stratum::Sex),
            Self::Age(_) => Some(Stratum::Age),
            Self::Year(_) => Some(Stratum::Year),
        }
    }
}

/// The name of a division, as in a job file.
pub(crate) fn name_of(stratum: Stratum) -> &'static str {
    match stratum {
        Stratum::Age => "age",
        Stratum::Sex => "sex",
        Stratum::Year => "year",
    }
}

/// Which strata are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strata {
    divisions: Vec<Stratum>,
    age_groups: Vec<AgeGroup>,
    age: AgeMethod,
}

impl Strata {
    /// Checks the settings.
    pub(crate) fn new(
        analysis: &str,
        divisions: &[Stratum],
        age_breaks: &[i32],
        age: AgeMethod,
    ) -> Result<Self, Error> {
        check_breaks(analysis, age_breaks)?;
        let mut divisions = divisions.to_vec();
        divisions.sort_unstable();
        divisions.dedup();
        Ok(Self { divisions, age_groups: AgeGroup::between(age_breaks), age })
    }

    /// The divisions, each once.
    pub(crate) fn divisions(&self) -> &[Stratum] {
        &self.divisions
    }

    /// The columns of a person that are needed.
    pub(crate) fn person_columns(&self) -> Vec<&'static str> {
        if self.divisions.is_empty() { vec!["person_id"] } else { person_columns(self.age) }
    }

    /// The persons of a shard, where the strata need them.
    pub(crate) fn persons<'a>(
        &self,
        analysis: &str,
        view: &ShardView<'a>,
    ) -> Result<Option<Persons<'a>>, Error> {
        (!self.divisions.is_empty()).then(|| Persons::of(analysis, view.shard)).transpose()
    }

    /// The levels that an entry on `index` belongs to: everybody first, then
    /// one of each division.
    pub(crate) fn levels(
        &self,
        persons: Option<&Persons<'_>>,
        person: u32,
        index: Day,
    ) -> Vec<Level> {
        let mut levels = vec![Level::All];
        let Some(persons) = persons else { return levels };
        levels.extend(self.divisions.iter().map(|division| match division {
            Stratum::Sex => Level::Sex(persons.gender(person)),
            Stratum::Year => Level::Year(index.year()),
            Stratum::Age => {
                let age = persons.age(person, index, self.age);
                let place =
                    age.and_then(|age| self.age_groups.iter().position(|g| g.contains(age)));
                Level::Age(place.unwrap_or(self.age_groups.len()))
            }
        }));
        levels
    }

    /// The key columns of rows, of which null stands for everybody.
    pub(crate) fn keys(&self, table: TableBuilder, levels: &[Level]) -> TableBuilder {
        let genders = levels.iter().map(|level| match level {
            Level::Sex(gender) => Some(*gender),
            _ => None,
        });
        let genders: ArrayRef = Arc::new(genders.collect::<Int64Array>());
        let years = levels.iter().map(|level| match level {
            Level::Year(year) => Some(i64::from(*year)),
            _ => None,
        });
        let years: ArrayRef = Arc::new(years.collect::<Int64Array>());
        let ages = levels.iter().map(|level| self.age_name(*level));
        let ages: ArrayRef = Arc::new(ages.collect::<StringArray>());
        table
            .key("gender_id", "`gender_concept_id`; null: all.", genders)
            .key("age_group", "Ages at the index date in years; null: all.", ages)
            .key("start_year", "Year of the index date; null: all.", years)
    }

    /// Declares that each total is the sum over each division.
    pub(crate) fn totals(mut table: TableBuilder, counts: &[&str]) -> TableBuilder {
        for key in STRATUM_KEYS {
            table = table.total_over(key, counts);
        }
        table
    }

    /// The name of an age level.
    fn age_name(&self, level: Level) -> Option<String> {
        let Level::Age(place) = level else { return None };
        let group = self.age_groups.get(place);
        Some(group.map_or_else(|| "unknown".to_owned(), |group| group.name()))
    }

    /// A level in the text of a quantity's name; agrees with
    /// [`quantity_templates`].
    pub(crate) fn quantity(&self, level: Level) -> String {
        match level {
            Level::All => "all".to_owned(),
            Level::Sex(gender) => sex_quantity(gender),
            Level::Year(year) => format!("start_year {year}"),
            Level::Age(_) => age_quantity(self.age, &self.age_name(level).unwrap_or_default()),
        }
    }

    /// Templates of the names that [`quantity`](Self::quantity) gives, one a
    /// division.
    pub(crate) fn quantity_templates(&self) -> [String; 4] {
        [
            "all".to_owned(),
            "gender_id {gender_id}".to_owned(),
            age_quantity(self.age, "{age_group}"),
            "start_year {start_year}".to_owned(),
        ]
    }
}

/// The persons of a sex in the text of a quantity's name.
pub(crate) fn sex_quantity(gender: i64) -> String {
    format!("gender_id {gender}")
}

/// The persons of an age group in the text of a quantity's name.
pub(crate) fn age_quantity(age: AgeMethod, group: &str) -> String {
    format!("age_group {age:?} {group}")
}

/// The key columns that [`Strata::keys`] makes.
pub(crate) const STRATUM_KEYS: [&str; 3] = ["gender_id", "age_group", "start_year"];
