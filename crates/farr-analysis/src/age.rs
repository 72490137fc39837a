//! Age on a day, age groups, and the columns of a person they need.

use arrow::array::{Array, Int64Array};
use farr_records::{Day, Shard, Table};

use crate::{AgeMethod, Error};

/// What analyses ask of the person table for sex, and for ages by a method.
pub(crate) fn person_columns(age: AgeMethod) -> Vec<&'static str> {
    let mut columns = vec!["person_id", "gender_concept_id", "year_of_birth"];
    if age == AgeMethod::Exact {
        columns.extend(["month_of_birth", "day_of_birth"]);
    }
    columns
}

/// The columns of the persons of one shard.
pub(crate) struct Persons<'a> {
    gender: &'a Int64Array,
    year: &'a Int64Array,
    month: Option<&'a Int64Array>,
    day: Option<&'a Int64Array>,
}

impl<'a> Persons<'a> {
    pub(crate) fn of(analysis: &str, shard: &'a Shard) -> Result<Self, Error> {
        let column = |column: &'static str| {
            shard.table(Table::Person).and_then(|rows| rows.integers(column)).ok_or_else(|| {
                Error::Missing { analysis: analysis.to_owned(), table: Table::Person, column }
            })
        };
        let optional = |column| shard.table(Table::Person).and_then(|rows| rows.integers(column));
        Ok(Self {
            gender: column("gender_concept_id")?,
            year: column("year_of_birth")?,
            month: optional("month_of_birth"),
            day: optional("day_of_birth"),
        })
    }

    /// `gender_concept_id`, 0 where it is missing.
    #[inline]
    pub(crate) fn gender(&self, person: u32) -> i64 {
        value(self.gender, person).unwrap_or(0)
    }

    /// Age on a day in years; `None` without a year of birth.
    #[inline]
    pub(crate) fn age(&self, person: u32, day: Day, method: AgeMethod) -> Option<i32> {
        let year = value(self.year, person)?;
        let difference = i64::from(day.year()) - year;
        let completed = match method {
            AgeMethod::YearDifference => difference,
            AgeMethod::Exact => {
                let of = |column: Option<&Int64Array>| {
                    column.and_then(|column| value(column, person)).unwrap_or(1)
                };
                let birthday = (of(self.month), of(self.day));
                let date = day.date();
                let today = (i64::from(date.month()), i64::from(date.day()));
                difference - i64::from(today < birthday)
            }
        };
        i32::try_from(completed).ok()
    }

    /// The first day on which a person has an age; `None` without a year of
    /// birth, or for a year that no calendar has. Agrees with
    /// [`age`](Self::age).
    pub(crate) fn birthday(&self, person: u32, age: i32, method: AgeMethod) -> Option<Day> {
        let year = value(self.year, person)? + i64::from(age);
        let year = i16::try_from(year).ok()?;
        if method == AgeMethod::YearDifference {
            return Day::from_ymd(year, 1, 1);
        }
        let of = |column: Option<&Int64Array>| {
            let value = column.and_then(|column| value(column, person)).unwrap_or(1);
            i8::try_from(value).unwrap_or(1)
        };
        let (month, day) = (of(self.month), of(self.day));
        // 29 February is 1 March in other years; so is any day that a month lacks.
        Day::from_ymd(year, month, day)
            .or_else(|| Day::from_ymd(year, month.checked_add(1)?, 1))
            .or_else(|| Day::from_ymd(year.checked_add(1)?, 1, 1))
    }
}

#[inline]
fn value(column: &Int64Array, person: u32) -> Option<i64> {
    let row = person as usize;
    column.is_valid(row).then(|| column.value(row))
}

/// A group of ages: `min <= age < max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgeGroup {
    pub(crate) min: Option<i32>,
    pub(crate) max: Option<i32>,
}

impl AgeGroup {
    /// The groups that ascending bounds divide ages into.
    pub(crate) fn between(breaks: &[i32]) -> Vec<Self> {
        let bounds = breaks.iter().copied().map(Some);
        let mins = [None].into_iter().chain(bounds.clone());
        let maxs = bounds.chain([None]);
        mins.zip(maxs).map(|(min, max)| Self { min, max }).collect()
    }

    pub(crate) fn contains(self, age: i32) -> bool {
        self.min.is_none_or(|min| min <= age) && self.max.is_none_or(|max| age < max)
    }

    /// As in "<18", "18-34", ">=80".
    pub(crate) fn name(self) -> String {
        match (self.min, self.max) {
            (None, None) => "all".to_owned(),
            (None, Some(max)) => format!("<{max}"),
            (Some(min), Some(max)) => format!("{min}-{}", max - 1),
            (Some(min), None) => format!(">={min}"),
        }
    }
}

/// Refuses bounds that do not ascend.
pub(crate) fn check_breaks(analysis: &str, breaks: &[i32]) -> Result<(), Error> {
    if breaks.is_empty() || breaks.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::Settings {
            analysis: analysis.to_owned(),
            key: "age_breaks",
            reason: "expected ascending bounds, like [18, 65]".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_all_ages_once() {
        let groups = AgeGroup::between(&[18, 65]);
        for age in -1..130 {
            assert_eq!(groups.iter().filter(|group| group.contains(age)).count(), 1);
        }
        let names: Vec<String> = groups.into_iter().map(AgeGroup::name).collect();
        assert_eq!(names, ["<18", "18-64", ">=65"]);
        assert!(check_breaks("a", &[65, 18]).is_err());
    }
}
