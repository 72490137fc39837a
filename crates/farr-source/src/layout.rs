//! What the tables and columns of a format are called, as data.

use std::borrow::Cow;
use std::collections::BTreeMap;

use farr_records::partition_of;

use crate::clock::BareYear;
use crate::error::nearest;
use crate::{Error, SourceSettings};

/// How the text of a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As text, as it is.
    Text,
    /// As text without blanks around it: ids and codes.
    Code,
    /// As a whole number.
    Integer,
    /// As a real number.
    Number,
    /// As a day, with the time of day where there is one.
    When(BareYear),
    /// As text, for the id of the row only, if at all: it has no place in the
    /// records.
    NotKept,
}

/// What follows if a column is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The table cannot be read; and a row without a value is a reject.
    Error,
    /// The table cannot be read; but values may be empty.
    ErrorUnlessEmpty,
    /// What it means, in words.
    Means(&'static str),
    /// Nothing that needs saying: the column may be missing in any export.
    Silent,
}

impl Absence {
    fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::ErrorUnlessEmpty)
    }
}

/// A column: its logical name and the names that it has had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnLayout {
    pub(crate) name: &'static str,
    /// Any letter case; the first that the export has counts.
    pub(crate) names: &'static [&'static str],
    pub(crate) reading: Reading,
    pub(crate) absence: Absence,
}

/// A table of a format.
#[derive(Debug, Clone)]
pub(crate) struct TableLayout {
    pub(crate) name: &'static str,
    /// What follows if no object holds it.
    pub(crate) absence: Absence,
    pub(crate) columns: Cow<'static, [ColumnLayout]>,
    /// Columns of which the second must not lie before the first.
    pub(crate) spans: &'static [(&'static str, &'static str)],
    /// The first and last year that a date may have.
    pub(crate) years: (i32, i32),
    /// Whether ids of rows are made of all that they say, so that columns which
    /// are not kept are read as well.
    pub(crate) is_read_whole: bool,
}

/// Years of events. The oldest living persons were born after 1850; what lies
/// outside is a placeholder or a mistake.
pub(crate) const YEARS_OF_EVENTS: (i32, i32) = (1850, 2199);
/// Years of validity: `9999-12-31` is a usual "for good".
pub(crate) const YEARS_OF_VALIDITY: (i32, i32) = (1, 9999);

/// Which columns of one object are which.
#[derive(Debug, Clone, Default)]
pub(crate) struct Header {
    /// For each column of the layout that is read: its place in the layout,
    /// its place in the object, the object's name of it.
    pub(crate) read: Vec<(usize, usize, String)>,
    /// For each column that the object's folders say instead (`column=value`):
    /// its place in the layout, its name, what all rows have.
    pub(crate) fixed: Vec<(usize, String, Option<String>)>,
    pub(crate) absent: Vec<&'static str>,
    pub(crate) unknown: Vec<String>,
    pub(crate) not_kept: Vec<String>,
}

impl Header {
    /// Reads no other columns than these, by logical name.
    pub(crate) fn keep(&mut self, layout: &TableLayout, columns: &[&str]) {
        let is_kept = |index: usize| columns.contains(&layout.columns[index].name);
        self.read.retain(|(index, _, _)| is_kept(*index));
        self.fixed.retain(|(index, _, _)| is_kept(*index));
    }
}

impl TableLayout {
    /// Tells which of the `found` columns of an object, given by its url and its
    /// path, are which.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] for one that must be there, or if none is known;
    /// [`Error::RepeatedColumn`] for one that stands twice.
    pub(crate) fn resolve(
        &self,
        settings: &SourceSettings,
        (object, path): (&str, &str),
        found: &[String],
    ) -> Result<Header, Error> {
        let renamed = self.renamed(settings)?;
        let folders = said_by_folders(path);
        let mut taken = vec![false; found.len()];
        let mut header = Header::default();
        for (index, column) in self.columns.iter().enumerate() {
            let given = renamed.get(column.name).copied();
            let names = given.as_ref().map_or(column.names, std::slice::from_ref);
            let is_called = |name: &str, other: &str| other.eq_ignore_ascii_case(name);
            let place =
                names.iter().find_map(|name| found.iter().position(|other| is_called(name, other)));
            let folder = || {
                // The innermost, if there are several.
                let mut said = folders.iter().rev();
                said.find(|(key, _)| names.iter().any(|name| is_called(name, key)))
            };
            if let Some(place) = place {
                let name = &found[place];
                if found[place + 1..].iter().any(|other| is_called(name, other)) {
                    return Err(Error::RepeatedColumn {
                        object: object.to_owned(),
                        table: self.name.to_owned(),
                        column: name.clone(),
                    });
                }
                taken[place] = true;
                if column.reading == Reading::NotKept {
                    header.not_kept.push(name.clone());
                    if !self.is_read_whole {
                        continue;
                    }
                }
                header.read.push((index, place, name.clone()));
            } else if let Some((key, value)) = folder() {
                header.fixed.push((index, (*key).to_owned(), value.clone()));
            } else if given.is_some() || column.absence.is_error() {
                let wanted = given.unwrap_or(column.name);
                return Err(self.missing(object, column.name, wanted, found));
            } else {
                header.absent.push(column.name);
            }
        }
        if !taken.contains(&true)
            && let Some(first) = self.columns.first()
        {
            return Err(self.missing(object, first.name, first.name, found));
        }
        let unknown = found.iter().zip(&taken).filter(|(_, taken)| !**taken);
        header.unknown = unknown.map(|(name, _)| name.clone()).collect();
        Ok(header)
    }

    /// The settings' names for columns, by logical column.
    fn renamed<'a>(
        &self,
        settings: &'a SourceSettings,
    ) -> Result<BTreeMap<&'static str, &'a str>, Error> {
        let mut renamed = BTreeMap::new();
        let tables = settings.columns.iter();
        for (_, columns) in tables.filter(|(table, _)| table.eq_ignore_ascii_case(self.name)) {
            for (logical, name) in columns {
                let known = self.columns.iter().find(|column| {
                    let mut names = std::iter::once(&column.name).chain(column.names);
                    names.any(|name| name.eq_ignore_ascii_case(logical))
                });
                let Some(column) = known else {
                    let near = nearest(logical, self.columns.iter().map(|column| column.name));
                    return Err(Error::Setting {
                        system: settings.system.clone(),
                        setting: format!("columns.{}.{logical}", self.name),
                        reason: "the table has no such column".to_owned(),
                        hint: near
                            .map(|name| format!("; did you mean '{name}'?"))
                            .unwrap_or_default(),
                    });
                };
                renamed.insert(column.name, name.as_str());
            }
        }
        Ok(renamed)
    }

    fn missing(&self, object: &str, column: &str, wanted: &str, found: &[String]) -> Error {
        let near = nearest(wanted, found.iter().map(String::as_str)).unwrap_or("NAME");
        let is_known = |name: &String| {
            let mut columns = self.columns.iter();
            columns.any(|known| known.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
        };
        let (found, hint) = if found.is_empty() {
            ("nothing".to_owned(), String::new())
        } else if found.iter().any(is_known) {
            let hint = format!(
                "; if it has another name there, say so under the source's columns: {}.{column} = \"{near}\"",
                self.name
            );
            (found.join(", "), hint)
        } else {
            // It may be a row, which is nobody's business.
            let count = found.len();
            (
                format!("{count} columns, none of them known"),
                "; is its first line a header?".to_owned(),
            )
        };
        Error::MissingColumn {
            object: object.to_owned(),
            table: self.name.to_owned(),
            column: column.to_owned(),
            found,
            hint,
        }
    }
}

/// What the folders of a path say of the rows below them.
fn said_by_folders(path: &str) -> Vec<(&str, Option<String>)> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders).split('/');
    folders.filter_map(partition_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    const COLUMNS: &[ColumnLayout] = &[
        ColumnLayout {
            name: "start",
            names: &["START", "DATE"],
            reading: Reading::When(BareYear::Refused),
            absence: Absence::Error,
        },
        ColumnLayout {
            name: "class",
            names: &["CLASS"],
            reading: Reading::Code,
            absence: Absence::Means("no class"),
        },
        ColumnLayout {
            name: "ssn",
            names: &["SSN"],
            reading: Reading::NotKept,
            absence: Absence::Silent,
        },
    ];

    fn layout() -> TableLayout {
        TableLayout {
            name: "encounters",
            absence: Absence::Silent,
            columns: Cow::Borrowed(COLUMNS),
            spans: &[],
            years: YEARS_OF_EVENTS,
            is_read_whole: true,
        }
    }

    fn settings(columns: &[(&str, &str)]) -> SourceSettings {
        let mut settings = SourceSettings::new(Format::SyntheaCsv, "hospital");
        let columns = columns.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        settings.columns.insert("encounters".to_owned(), columns);
        settings
    }

    fn resolve(columns: &[(&str, &str)], found: &[&str]) -> Result<Header, Error> {
        let found: Vec<String> = found.iter().map(|name| (*name).to_owned()).collect();
        layout().resolve(&settings(columns), ("url", "CLASS=a%20b/encounters.csv"), &found)
    }

    #[test]
    fn names_of_any_year_and_case_are_found() {
        let header = resolve(&[], &["more", "date", "Ssn"]).unwrap();
        assert_eq!(header.read, [(0, 1, "date".to_owned()), (2, 2, "Ssn".to_owned())]);
        assert_eq!(header.fixed, [(1, "CLASS".to_owned(), Some("a b".to_owned()))]);
        assert!(header.absent.is_empty());
        assert_eq!(header.unknown, ["more"]);
        assert_eq!(header.not_kept, ["Ssn"]);
    }

    #[test]
    fn what_is_not_kept_is_read_for_ids_only() {
        let layout = TableLayout { is_read_whole: false, ..layout() };
        let found = ["DATE".to_owned(), "SSN".to_owned()];
        let header = layout.resolve(&settings(&[]), ("url", "encounters.csv"), &found).unwrap();
        assert_eq!(header.read, [(0, 0, "DATE".to_owned())]);
        assert_eq!(header.not_kept, ["SSN"]);
        assert!(header.unknown.is_empty());
        // All that is needed may be said by folders.
        let lenient = TableLayout { columns: Cow::Borrowed(&COLUMNS[1..]), ..layout };
        let place = ("url", "CLASS=a/encounters.csv");
        let header = lenient.resolve(&settings(&[]), place, &found[1..]).unwrap();
        assert_eq!((header.read.len(), header.fixed.len()), (0, 1));
    }

    #[test]
    fn a_column_must_not_stand_twice_nor_none_be_known() {
        let error = resolve(&[], &["START", "x", "x", "start"]).unwrap_err().to_string();
        assert!(error.contains("column 'START' stands twice"), "{error}");
        resolve(&[], &["START", "x", "x"]).unwrap();
        let lenient = TableLayout { columns: Cow::Borrowed(&COLUMNS[1..]), ..layout() };
        let found = ["Jones".to_owned(), "1950-01-01".to_owned()];
        let place = ("url", "encounters.csv");
        let error = lenient.resolve(&settings(&[]), place, &found).unwrap_err().to_string();
        assert!(error.contains("none of them known") && !error.contains("Jones"), "{error}");
    }

    #[test]
    fn a_site_says_what_it_calls_a_column() {
        let header = resolve(&[("Start", "BEGIN")], &["begin", "date"]).unwrap();
        assert_eq!(header.read, [(0, 0, "begin".to_owned())]);
        assert_eq!(header.unknown, ["date"]);
    }

    #[test]
    fn what_is_missing_is_named_with_the_nearest() {
        let error = resolve(&[], &["STARTED", "CLASS"]).unwrap_err().to_string();
        assert!(error.contains("encounters.start = \"STARTED\""), "{error}");
        let error = resolve(&[("begin", "X")], &["START"]).unwrap_err().to_string();
        assert!(error.contains("columns.encounters.begin"), "{error}");
        let error = resolve(&[], &["Jones", "1950-01-01"]).unwrap_err().to_string();
        assert!(error.contains("first line") && !error.contains("Jones"), "{error}");
        let error = resolve(&[("class", "X")], &["START"]).unwrap_err().to_string();
        assert!(error.contains("no column 'class'"), "{error}");
    }
}
