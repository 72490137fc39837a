//! Which objects hold which table, by their names.

use std::collections::BTreeMap;

use farr_store::{Location, ObjectInfo};

use crate::error::nearest;
use crate::{Error, SourceSettings};

const COMPRESSIONS: [&str; 3] = [".gz", ".zst", ".zstd"];

/// The ending that promises compression, if the name has one.
pub(crate) fn compression_of(path: &str) -> Option<&'static str> {
    let path = path.to_ascii_lowercase();
    COMPRESSIONS.into_iter().find(|ending| path.ends_with(ending))
}

/// Objects by table, and those that belong to none.
#[derive(Debug, Default)]
pub(crate) struct Assigned {
    pub(crate) by_table: BTreeMap<String, Vec<ObjectInfo>>,
    pub(crate) unknown: Vec<String>,
}

impl Assigned {
    /// The objects that belong to a table, by path.
    pub(crate) fn objects(self) -> Vec<ObjectInfo> {
        let mut objects: Vec<ObjectInfo> = self.by_table.into_values().flatten().collect();
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        objects
    }
}

/// Lists a location and tells which table each object belongs to.
///
/// A table's object has its name (any letter case), perhaps with a number or
/// `part-…` behind, or lies in a folder of that name; its ending is one of
/// `endings`, perhaps followed by `.gz` or `.zst`. The settings' `files` come
/// first.
pub(crate) fn assign(
    location: &Location,
    settings: &SourceSettings,
    tables: &[&str],
    endings: &[&str],
) -> Result<Assigned, Error> {
    check_names(settings, tables)?;
    let mut assigned = Assigned::default();
    for object in location.list("")? {
        match table_of(&object.path, settings, tables, endings) {
            Some(table) => assigned.by_table.entry(table).or_default().push(object),
            None => assigned.unknown.push(object.path),
        }
    }
    for (table, objects) in &assigned.by_table {
        let mut stems: BTreeMap<String, &str> = BTreeMap::new();
        for object in objects {
            let stem = stem_of(&object.path, endings).unwrap_or(&object.path).to_lowercase();
            if let Some(first) = stems.insert(stem, &object.path) {
                return Err(Error::Twice {
                    location: location.url().to_owned(),
                    table: table.clone(),
                    first: first.to_owned(),
                    second: object.path.clone(),
                });
            }
        }
    }
    Ok(assigned)
}

fn check_names(settings: &SourceSettings, tables: &[&str]) -> Result<(), Error> {
    let named = settings.files.keys().map(|table| ("files", table));
    let named = named.chain(settings.columns.keys().map(|table| ("columns", table)));
    for (setting, table) in named {
        if !tables.iter().any(|known| known.eq_ignore_ascii_case(table)) {
            let near = nearest(table, tables.iter().copied());
            return Err(Error::Setting {
                system: settings.system.clone(),
                setting: format!("{setting}.{table}"),
                reason: "the format has no such table".to_owned(),
                hint: near.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default(),
            });
        }
    }
    Ok(())
}

fn table_of(
    path: &str,
    settings: &SourceSettings,
    tables: &[&str],
    endings: &[&str],
) -> Option<String> {
    for (table, place) in &settings.files {
        let place = place.trim_end_matches('/');
        let below = path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
        if path == place || below {
            return Some(table.to_ascii_lowercase());
        }
    }
    let stem = stem_of(path, endings)?;
    let mut parts: Vec<&str> = stem.split('/').collect();
    let name = parts.pop()?;
    if name.starts_with(['.', '_']) {
        return None;
    }
    let found = tables.iter().find(|table| is_name_of(name, table)).or_else(|| {
        parts.iter().rev().find_map(|folder| {
            let folder = stem_of(folder, endings).unwrap_or(folder);
            tables.iter().find(|table| table.eq_ignore_ascii_case(folder))
        })
    })?;
    // A table whose place the settings name is nowhere else.
    let placed = settings.files.keys().any(|table| table.eq_ignore_ascii_case(found));
    (!placed).then(|| (*found).to_owned())
}

/// The path without the endings of format and compression.
fn stem_of<'a>(path: &'a str, endings: &[&str]) -> Option<&'a str> {
    let path = &path[..path.len() - compression_of(path).map_or(0, str::len)];
    let lower = path.to_ascii_lowercase();
    let ending = endings.iter().find(|ending| lower.ends_with(**ending))?;
    Some(&path[..path.len() - ending.len()])
}

fn is_name_of(name: &str, table: &str) -> bool {
    let Some(start) = name.get(..table.len()) else { return false };
    if !start.eq_ignore_ascii_case(table) {
        return false;
    }
    let rest = name[table.len()..].to_ascii_lowercase();
    let Some(part) = rest.strip_prefix(['_', '-', '.']) else { return rest.is_empty() };
    let part = part.strip_prefix("part").map_or(part, |rest| rest.trim_start_matches(['_', '-']));
    part.bytes().any(|b| b.is_ascii_digit())
        && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn table(path: &str) -> Option<String> {
        let settings = SourceSettings::new(Format::SyntheaCsv, "hospital");
        let tables = ["patients", "claims", "claims_transactions", "drug_exposure"];
        table_of(path, &settings, &tables, &[".csv", ".parquet"])
    }

    #[test]
    fn names_and_folders_tell_the_table() {
        for (path, expected) in [
            ("patients.csv", Some("patients")),
            ("csv/2023/PATIENTS.CSV.GZ", Some("patients")),
            ("patients_1.csv.zst", Some("patients")),
            ("patients.part-0003.csv", Some("patients")),
            ("patients/part-0.csv", Some("patients")),
            ("patients.csv/0.csv", Some("patients")),
            ("Drug_Exposure/year=2020/x.parquet", Some("drug_exposure")),
            ("claims_transactions.csv", Some("claims_transactions")),
            ("claims.csv", Some("claims")),
            ("claims_extra.csv", None),
            ("patients.txt", None),
            ("_patients.csv", None),
            ("README.md", None),
        ] {
            assert_eq!(table(path).as_deref(), expected, "{path}");
        }
    }
}
