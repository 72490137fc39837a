//! What to read, and what was found.

use std::collections::BTreeMap;

use farr_records::ObjectRead;
use serde::{Deserialize, Serialize};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// CSV files as Synthea writes them, of any year.
    SyntheaCsv,
    /// OMOP CDM 5.3 or 5.4 tables, as CSV or Parquet.
    Omop,
}

impl Format {
    /// Its name in a job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::SyntheaCsv => "synthea-csv",
            Self::Omop => "omop",
        }
    }
}

/// How to read one export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// Its format.
    pub format: Format,
    /// The name of the source system: ids are made of it, so it must not change.
    pub system: String,
    /// The IANA name of the zone in whose local time days are counted.
    pub timezone: String,
    /// What this site calls columns: table, logical column, name in the export.
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    /// Where this site keeps tables: table, path of an object or folder.
    pub files: BTreeMap<String, String>,
}

impl SourceSettings {
    /// An export with its usual names, in UTC.
    pub fn new(format: Format, system: &str) -> Self {
        Self {
            format,
            system: system.to_owned(),
            timezone: "UTC".to_owned(),
            columns: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }
}

/// What was found in an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSummary {
    /// The objects whose start was read, by path, with their hashes where all
    /// of them was.
    pub objects: Vec<ObjectRead>,
    /// Every table that the format has, in the format's order.
    pub tables: Vec<TableSummary>,
    /// Objects that belong to no known table, by path.
    pub unknown_objects: Vec<String>,
}

impl SourceSummary {
    /// What shares of an export found, as one.
    pub fn joined(shares: Vec<Self>) -> Self {
        let mut shares = shares.into_iter();
        let Some(mut all) = shares.next() else { return Self::default() };
        for share in shares {
            all.objects.extend(share.objects);
            all.unknown_objects.extend(share.unknown_objects);
            for table in share.tables {
                match all.tables.iter_mut().find(|known| known.table == table.table) {
                    Some(known) => known.join(table),
                    None => all.tables.push(table),
                }
            }
        }
        all.objects.sort_by(|a, b| a.path.cmp(&b.path));
        all.unknown_objects.sort();
        all.unknown_objects.dedup();
        crate::omop::note_empty_eras(&mut all);
        all
    }
}

impl TableSummary {
    fn join(&mut self, other: Self) {
        let union = |mine: &mut Vec<String>, others: Vec<String>| {
            mine.extend(others);
            mine.sort();
            mine.dedup();
        };
        if self.is_read && other.is_read {
            let missing = [self.columns_missing.clone(), other.columns_missing.clone()].concat();
            self.columns_missing.retain(|column| other.columns_missing.contains(column));
            union(&mut self.columns_missing_somewhere, missing);
            self.columns_missing_somewhere.retain(|column| !self.columns_missing.contains(column));
        } else if other.is_read {
            self.columns_missing = other.columns_missing;
        }
        union(&mut self.columns_missing_somewhere, other.columns_missing_somewhere);
        self.is_read |= other.is_read;
        self.objects += other.objects;
        self.rows_read += other.rows_read;
        self.rows_rejected += other.rows_rejected;
        self.rows_backward += other.rows_backward;
        union(&mut self.unknown_columns, other.unknown_columns);
        union(&mut self.columns_not_kept, other.columns_not_kept);
        union(&mut self.notes, other.notes);
    }
}

/// What was found of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSummary {
    /// The table's name.
    pub table: String,
    /// How many objects hold it; in a share, how many start in it.
    pub objects: usize,
    /// Whether the columns of any of its objects are known.
    pub is_read: bool,
    /// Rows read.
    pub rows_read: u64,
    /// Rows rejected while reading.
    pub rows_rejected: u64,
    /// Rows that end before they start, and are kept as they are.
    #[serde(default)]
    pub rows_backward: u64,
    /// If no object holds it: what that means.
    pub absent: Option<String>,
    /// Known columns that no object of the table has.
    #[serde(default)]
    pub columns_missing: Vec<String>,
    /// Those that some have and others lack.
    #[serde(default)]
    pub columns_missing_somewhere: Vec<String>,
    /// Columns that are not known, and so not kept.
    pub unknown_columns: Vec<String>,
    /// Columns that are known and have no place in the records.
    pub columns_not_kept: Vec<String>,
    /// What else a reader of the run should know.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_some_objects_lack_are_those_of_all_shares() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let share = |is_read, missing: &[&str], somewhere: &[&str]| TableSummary {
            is_read,
            columns_missing: names(missing),
            columns_missing_somewhere: names(somewhere),
            ..TableSummary::default()
        };
        let joined = |shares: Vec<TableSummary>| {
            let of_share = |table| SourceSummary { tables: vec![table], ..Default::default() };
            let all = SourceSummary::joined(shares.into_iter().map(of_share).collect());
            let table = &all.tables[0];
            (table.columns_missing.join(" "), table.columns_missing_somewhere.join(" "))
        };
        let expected = |all: &str, some: &str| (all.to_owned(), some.to_owned());
        let (one, other) = (share(true, &["a", "b"], &["c"]), share(true, &["b", "d"], &[]));
        assert_eq!(joined(vec![one.clone(), other]), expected("b", "a c d"));
        // A share in which nothing was, or only an empty object, says nothing.
        let nothing = share(false, &[], &[]);
        assert_eq!(joined(vec![one.clone(), nothing.clone()]), expected("a b", "c"));
        assert_eq!(joined(vec![nothing, one]), expected("a b", "c"));
    }
}
