//! Which objects hold which table, by their names.

use std::collections::{BTreeMap, BTreeSet};

use farr_records::is_hidden;
use farr_store::{Location, ObjectInfo};

use crate::error::nearest;
use crate::{Error, Format, SourceSettings};

const COMPRESSIONS: [&str; 3] = [".gz", ".zst", ".zstd"];

/// The ending that promises compression, if the name has one.
pub(crate) fn compression_of(path: &str) -> Option<&'static str> {
    let path = path.to_ascii_lowercase();
    COMPRESSIONS.into_iter().find(|ending| path.ends_with(ending))
}

/// Endings of Parquet objects: as usual, as Dask and others shorten them, and as
/// pandas' documentation names compressed ones.
pub(crate) const PARQUET: [&str; 4] = [".parquet", ".parq", ".pq", ".parquet.gzip"];

/// Endings of delimited text. Readmes and dictionaries lie beside tables as `.txt`:
/// such a table is named by the settings.
pub(crate) const TEXT: [&str; 2] = [".csv", ".tsv"];

/// How Parquet's pages are compressed, which some writers name before the ending.
const CODECS: [&str; 8] =
    [".snappy", ".gz", ".gzip", ".zstd", ".zst", ".lz4", ".brotli", ".uncompressed"];

/// Whether an object is named as Parquet.
pub(crate) fn is_named_parquet(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    PARQUET.iter().any(|ending| path.ends_with(ending))
}

/// Whether an object is named as delimited text, compressed or not.
pub(crate) fn is_named_text(path: &str) -> bool {
    stem_of(path, &TEXT).is_some()
}

/// Objects by table, and those that belong to none.
#[derive(Debug, Default)]
pub(crate) struct Assigned {
    pub(crate) by_table: BTreeMap<String, Vec<ObjectInfo>>,
    pub(crate) unknown: Vec<String>,
    /// Objects that are a tool's own.
    passed_over: usize,
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
/// A table's object has its name (any letter case), perhaps with the number of a
/// part behind, or lies in a folder of that name; its ending is one of `endings`,
/// perhaps followed by `.gz` or `.zst`. The settings' `files` come first. Objects
/// and, within a table's folder, folders whose name starts with a dot or a line are
/// a tool's own, and so are folders anywhere with a dot.
///
/// # Errors
/// [`Error::Setting`] for a table that the format has not, or a place where
/// nothing is; [`Error::Twice`]; [`Error::TableFormat`].
pub(crate) fn assign(
    location: &Location,
    settings: &SourceSettings,
    tables: &[&str],
    endings: &[&str],
) -> Result<Assigned, Error> {
    check_names(settings, tables)?;
    let listed = location.list("")?;
    check_places(settings, tables, &listed)?;
    let formats = table_formats(&listed);
    let mut assigned = Assigned::default();
    for object in &listed {
        match table_of(&object.path, settings, tables, endings) {
            Some(table) => assigned.by_table.entry(table).or_default().push(object.clone()),
            None if is_of_tool(&object.path, tables) => assigned.passed_over += 1,
            None => assigned.unknown.push(object.path.clone()),
        }
    }
    for (table, objects) in &assigned.by_table {
        let mut stems: BTreeMap<String, &str> = BTreeMap::new();
        for object in objects {
            let lies_in = |folder: &str| folder.is_empty() || below(&object.path, folder).is_some();
            if let Some((folder, form)) = formats.iter().find(|(folder, _)| lies_in(folder)) {
                return Err(Error::TableFormat {
                    location: location.url().to_owned(),
                    folder: if folder.is_empty() { "." } else { folder }.to_owned(),
                    form,
                });
            }
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

/// That no object holds a table without which there is nothing to read; `other`
/// is the like of another format.
pub(crate) fn missing(
    location: &Location,
    table: &str,
    assigned: &Assigned,
    (other, format): (&str, Format),
) -> Error {
    let unknown = &assigned.unknown;
    let is_other = |path: &String| {
        let stem = stem_of(path, &PARQUET).or_else(|| stem_of(path, &TEXT));
        let name = stem.map(|stem| stem.rsplit('/').next().unwrap_or(stem));
        name.is_some_and(|name| is_name_of(name, other))
    };
    let near = nearest(table, unknown.iter().map(String::as_str)).unwrap_or("PATH");
    let tables: Vec<&str> = assigned.by_table.keys().map(String::as_str).collect();
    let hint = if unknown.is_empty() && !tables.is_empty() {
        String::new()
    } else if unknown.is_empty() && assigned.passed_over == 0 {
        "; is its url right?".to_owned()
    } else if unknown.iter().any(is_other) {
        format!("; it looks like an export of format = \"{}\"", format.name())
    } else {
        format!(
            "; if it has another name there, say so under the source's files: {table} = \"{near}\""
        )
    };
    let found = match (unknown.len(), assigned.passed_over) {
        (0, _) if !tables.is_empty() => format!("only {}", tables.join(", ")),
        (_, _) if !tables.is_empty() => format!("{}; {}", tables.join(", "), listed(unknown)),
        (0, 0) => "no object at all".to_owned(),
        (0, _) => "only objects of tools, whose names start with a dot or a line".to_owned(),
        _ => listed(unknown),
    };
    let (location, table) = (location.url().to_owned(), table.to_owned());
    Error::MissingTable { location, table, found, hint }
}

/// The first names of a list, and how many more there are. One that is long or
/// blank is no name to be shown: it may be what stands in a row.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    const LONG: usize = 200;
    let shown = |name: &String| match name.trim() {
        "" => "one without a name".to_owned(),
        name if name.len() > LONG || name.contains(char::is_control) => "a long one".to_owned(),
        name => name.to_owned(),
    };
    let shown = names.iter().take(SHOWN).map(shown).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// The folders of table formats, and which format each is of: files of earlier
/// states of the table lie beside those of the last.
fn table_formats(listed: &[ObjectInfo]) -> BTreeMap<&str, &'static str> {
    // The folder before the name that shows the format.
    let before = |path: &'_ str, name: &str| {
        let whole = path.strip_prefix(name).filter(|rest| rest.starts_with('/'));
        match (whole, path.find(&format!("/{name}/"))) {
            (Some(_), _) => Some(0),
            (None, place) => place,
        }
    };
    let (mut formats, mut with_data) = (BTreeMap::new(), BTreeSet::new());
    for object in listed {
        let path = object.path.as_str();
        for (name, format) in [("_delta_log", "Delta Lake"), (".hoodie", "Hudi")] {
            if let Some(end) = before(path, name) {
                formats.insert(&path[..end], format);
            }
        }
        if let Some(end) = before(path, "metadata").filter(|_| path.ends_with(".metadata.json")) {
            formats.entry(&path[..end]).or_insert(ICEBERG);
        }
        if let Some(end) = before(path, "data") {
            with_data.insert(&path[..end]);
        }
    }
    // Other folders are named so as well.
    formats.retain(|folder, format| *format != ICEBERG || with_data.contains(folder));
    formats
}

const ICEBERG: &str = "Iceberg";

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

/// A place that the settings name must be there: the table would be missing
/// without a word.
fn check_places(
    settings: &SourceSettings,
    tables: &[&str],
    listed: &[ObjectInfo],
) -> Result<(), Error> {
    let is_read = |table: &str| tables.iter().any(|known| known.eq_ignore_ascii_case(table));
    for (table, place) in settings.files.iter().filter(|(table, _)| is_read(table)) {
        if !listed.iter().any(|object| is_at(&object.path, place)) {
            let near = nearest(place, listed.iter().map(|object| object.path.as_str()));
            return Err(Error::Setting {
                system: settings.system.clone(),
                setting: format!("files.{table}"),
                reason: format!("there is no object and no folder '{place}'"),
                hint: near.map(|path| format!("; did you mean '{path}'?")).unwrap_or_default(),
            });
        }
    }
    Ok(())
}

/// Whether a path is named as tools name what is theirs: Spark's `_SUCCESS` and
/// `_temporary` below a table's folder, `.crc`, `.trash`. A folder above a table's
/// may be the site's own, for all its line.
fn is_of_tool(path: &str, tables: &[&str]) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_table = |part: &&str| {
        let name = part.split('.').next().unwrap_or(part);
        tables.iter().any(|table| table.eq_ignore_ascii_case(name))
    };
    let above = parts.iter().position(is_table).unwrap_or(parts.len() - 1);
    let (above, below) = parts.split_at(above);
    above.iter().any(|part| part.starts_with('.')) || below.iter().any(|part| is_hidden(part))
}

fn is_at(path: &str, place: &str) -> bool {
    let place = place.trim_end_matches('/');
    path == place || below(path, place).is_some()
}

/// The path below a folder.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn table_of(
    path: &str,
    settings: &SourceSettings,
    tables: &[&str],
    endings: &[&str],
) -> Option<String> {
    let mut placed = settings.files.iter();
    if let Some((table, _)) = placed.find(|(_, place)| is_at(path, place)) {
        return Some(table.to_ascii_lowercase());
    }
    let stem = stem_of(path, endings)?;
    let mut parts: Vec<&str> = stem.split('/').collect();
    if is_of_tool(path, tables) {
        return None;
    }
    let name = parts.pop()?;
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
    let without = |path: &'a str, endings: &[&str]| {
        let lower = path.to_ascii_lowercase();
        let ending = endings.iter().find(|ending| lower.ends_with(**ending))?;
        Some(&path[..path.len() - ending.len()])
    };
    let path = &path[..path.len() - compression_of(path).map_or(0, str::len)];
    let stem = without(path, endings)?;
    Some(if is_named_parquet(path) { without(stem, &CODECS).unwrap_or(stem) } else { stem })
}

/// Whether an object of this name, without its endings, is a table's: the name
/// alone, or with the number of a part behind, as databases, Spark and others
/// write it.
fn is_name_of(name: &str, table: &str) -> bool {
    let Some(start) = name.get(..table.len()) else { return false };
    if !start.eq_ignore_ascii_case(table) {
        return false;
    }
    let rest = name[table.len()..].to_ascii_lowercase();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let part = match rest.strip_prefix(['_', '-', '.']) {
        Some(part) => part,
        None if rest.is_empty() => return true,
        // A number of less digits behind the name is rather another table's.
        None if digits >= 4 => rest.as_str(),
        None => return false,
    };
    let words: Vec<&str> = part.split(['_', '-', '.']).collect();
    let is_hex = |word: &str| word.bytes().all(|b| b.is_ascii_hexdigit());
    let has_digit = |word: &str| word.bytes().any(|b| b.is_ascii_digit());
    // One of so many letters is no word.
    let has_uuid = words.iter().any(|word| word.len() >= 8 && is_hex(word));
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let is_of_part = |word: &&str| {
        let number = word.strip_prefix("part").unwrap_or(word);
        matches!(*word, "" | "part" | "tid")
            || number.split("of").all(is_number)
            || is_hex(word) && (has_digit(word) || has_uuid && word.len() >= 4)
    };
    has_digit(part) && words.iter().all(is_of_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn table(path: &str) -> Option<String> {
        let settings = SourceSettings::new(Format::SyntheaCsv, "hospital");
        let tables = ["patients", "claims", "claims_transactions", "drug_exposure"];
        table_of(path, &settings, &tables, &[".csv", ".parquet", ".pq", ".parquet.gzip"])
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
            ("patients000000000012.csv", Some("patients")),
            ("patients-000000000012.csv", Some("patients")),
            ("drug_exposure_0001_part_00.parquet", Some("drug_exposure")),
            ("drug_exposure0001_part_00.parquet", Some("drug_exposure")),
            ("drug_exposure_0_0_0.snappy.parquet", Some("drug_exposure")),
            ("drug_exposure_part1of2.parquet", Some("drug_exposure")),
            ("drug_exposure.gz.parquet", Some("drug_exposure")),
            ("drug_exposure.parquet.gzip", Some("drug_exposure")),
            ("drug_exposure.PQ", Some("drug_exposure")),
            ("drug_exposure-0b9d8a31-beef-4c3e-8a57-c3f0a1b2c3d4.parquet", Some("drug_exposure")),
            ("drug_exposure/part-00000-tid-1-0b9d-c000.parquet", Some("drug_exposure")),
            ("drug_exposure_0a.csv", Some("drug_exposure")),
            ("drug_exposure_3f2a9c1.csv", Some("drug_exposure")),
            ("drug_exposure_bad_2.parquet", None),
            ("drug_exposure_of_2.parquet", None),
            ("drug_exposure2.parquet", None),
            ("_2024/drug_exposure.csv", Some("drug_exposure")),
            ("_2024/drug_exposure.csv/part-0.csv", Some("drug_exposure")),
            ("drug_exposure/_2024=a/part-0.csv", Some("drug_exposure")),
            ("drug_exposure.csv/_SUCCESS.csv", None),
            ("drug_exposure/_temporary/0/part-0.parquet", None),
            (".trash/drug_exposure.parquet", None),
            ("claims_extra.csv", None),
            ("patients.txt", None),
            ("_patients.csv", None),
            ("README.md", None),
        ] {
            assert_eq!(table(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn folders_of_table_formats_are_known() {
        let object = |path: &&str| ObjectInfo {
            path: (*path).to_owned(),
            size: 0,
            modified_ms: 0,
            etag: None,
            version: None,
        };
        let listed = [
            "person/_delta_log/00000.json",
            "person/_delta_log/00001.json",
            "cdm/visits/metadata/v1.metadata.json",
            "cdm/visits/data/a.parquet",
            "cdm/metadata/v1.metadata.json",
            "metadata.csv",
            "death/.hoodie/hoodie.properties",
            "note/_delta_logs/0",
        ];
        let listed: Vec<ObjectInfo> = listed.iter().map(object).collect();
        let expected = [("cdm/visits", "Iceberg"), ("death", "Hudi"), ("person", "Delta Lake")];
        assert_eq!(table_formats(&listed), expected.into());
        assert_eq!(table_formats(&[object(&"_delta_log/0.json")]), [("", "Delta Lake")].into());
    }
}
