//! Which files of a folder hold which table, and what the names of the folders
//! between say of their rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::folders::{is_hidden, partition_of, shown_name};
use crate::{Column, Error, Table};

/// A file of a table.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// The path as messages have it: a folder's name may hold a person's value.
    pub(super) shown: String,
    /// Columns that the names of folders give (`key=value`), as text or null.
    pub(super) given: Vec<(Column, Option<String>)>,
}

/// What other formats than plain Parquet have in a table's folder.
const FOREIGN: [(&str, &str); 2] = [("_delta_log", "Delta Lake"), (".hoodie", "Hudi")];

/// The files of a table, in order of their paths; or why they are not read, which
/// only matters to who needs it.
pub(super) type Parts = Result<Vec<Part>, Unread>;

/// Why a table's folder is not read.
#[derive(Debug, Clone)]
pub(super) enum Unread {
    /// There is no Parquet file.
    Empty { folder: String },
    /// It belongs to a format whose folders may hold files that are no longer part
    /// of the table.
    Foreign { folder: String, mark: &'static str, format: &'static str },
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Empty { folder } => Self::OmopEmpty { folder },
            Unread::Foreign { folder, mark, format } => {
                Self::OmopFormat { folder, mark: mark.to_owned(), format }
            }
        }
    }
}

/// The tables that a folder has.
pub(super) fn tables(folder: &Path) -> Result<BTreeMap<Table, Parts>, Error> {
    let mut tables: BTreeMap<Table, Parts> = BTreeMap::new();
    let mut add = |table: Table, found: Parts| {
        let known = tables.entry(table).or_insert_with(|| Ok(Vec::new()));
        match (known, found) {
            (Ok(parts), Ok(more)) => parts.extend(more),
            (known, Err(unread)) => *known = Err(unread),
            (Err(_), Ok(_)) => {}
        }
    };
    for path in entries(folder, &folder.display().to_string())? {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let Some(table) = Table::from_name(stem) else { continue };
        let shown = path.display().to_string();
        if path.is_dir() {
            let mut parts = Vec::new();
            let is_named = path.extension().is_none() || is_parquet(&path);
            let above = Part { path, shown: shown.clone(), given: Vec::new() };
            match add_below(table, &above, &mut Vec::new(), &mut parts)? {
                Some(unread) => add(table, Err(unread)),
                None if !parts.is_empty() => add(table, Ok(parts)),
                None if is_named => add(table, Err(Unread::Empty { folder: shown })),
                None => {}
            }
        } else if is_parquet(&path) {
            add(table, Ok(vec![Part { path, shown, given: Vec::new() }]));
        }
    }
    Ok(tables)
}

/// Adds the files of a folder and of all folders below it; `above` are the
/// folders on the way to it, so that a link back does not lead round for ever.
fn add_below(
    table: Table,
    folder: &Part,
    above: &mut Vec<PathBuf>,
    parts: &mut Vec<Part>,
) -> Result<Option<Unread>, Error> {
    let failed = |source| Error::Folder { folder: folder.shown.clone(), source };
    let place = fs::canonicalize(&folder.path).map_err(failed)?;
    if above.contains(&place) {
        return Ok(None);
    }
    if let Some(foreign) = foreign(folder)? {
        return Ok(Some(foreign));
    }
    above.push(place);
    for path in entries(&folder.path, &folder.shown)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if is_hidden(name) {
            continue;
        }
        let shown = format!("{}/{}", folder.shown, shown_name(name));
        let mut part = Part { shown, given: folder.given.clone(), path: path.clone() };
        if path.is_dir() {
            if let Some((column, value)) = given(table, name) {
                part.given.retain(|(known, _)| *known != column);
                part.given.push((column, value));
            }
            if let Some(foreign) = add_below(table, &part, above, parts)? {
                return Ok(Some(foreign));
            }
        } else if is_parquet(&path) {
            parts.push(part);
        }
    }
    above.pop();
    Ok(None)
}

/// What shows that a folder is of another format.
fn foreign(folder: &Part) -> Result<Option<Unread>, Error> {
    let foreign =
        |mark, format| Some(Unread::Foreign { folder: folder.shown.clone(), mark, format });
    for (mark, format) in FOREIGN {
        if folder.path.join(mark).exists() {
            return Ok(foreign(mark, format));
        }
    }
    let metadata = folder.path.join("metadata");
    if metadata.is_dir() && folder.path.join("data").is_dir() {
        let is_iceberg = |path: &PathBuf| path.to_string_lossy().ends_with(".metadata.json");
        if entries(&metadata, &folder.shown)?.iter().any(is_iceberg) {
            return Ok(foreign("metadata", "Iceberg"));
        }
    }
    Ok(None)
}

/// The column of the table that a folder's name gives, and its value.
fn given(table: Table, name: &str) -> Option<(Column, Option<String>)> {
    let (key, value) = partition_of(name)?;
    Some((table.column(&key.to_ascii_lowercase())?, value))
}

fn entries(folder: &Path, shown: &str) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Folder { folder: shown.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::{HIVE_NULL, shown_path};

    #[expect(clippy::disallowed_methods, reason = "a test makes its input")]
    fn folder_of(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn parts(files: &[&str], table: Table) -> Vec<Part> {
        let found = tables(folder_of(files).path()).unwrap().remove(&table);
        found.map_or_else(Vec::new, Result::unwrap)
    }

    fn names(parts: &[Part]) -> Vec<&str> {
        parts.iter().map(|part| part.path.file_name().unwrap().to_str().unwrap()).collect()
    }

    #[test]
    fn files_lie_at_any_depth_and_what_is_hidden_is_passed_over() {
        let found = parts(
            &[
                "Death/a.parquet",
                "Death/year=2020/month=1/b.PARQUET",
                "Death/c.snappy.parquet/part-0.parquet",
                "Death/_temporary/0/d.parquet",
                "Death/.staging/e.parquet",
                "Death/_f.parquet",
                "Death/.a.parquet.crc",
                "Death/_SUCCESS",
                "Death/notes.txt",
                "_death.parquet",
                "deaths.parquet",
            ],
            Table::Death,
        );
        assert_eq!(names(&found), ["a.parquet", "part-0.parquet", "b.PARQUET"]);
        let found = parts(&["DEATH.parquet", "person.csv/part-0.csv"], Table::Death);
        assert_eq!(names(&found), ["DEATH.parquet"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_is_followed_once() {
        let folder = folder_of(&["death/a/b.parquet"]);
        let death = folder.path().join("death");
        std::os::unix::fs::symlink(&death, death.join("a/back")).unwrap();
        let found = &tables(folder.path()).unwrap()[&Table::Death];
        assert_eq!(names(found.as_ref().unwrap()), ["b.parquet"]);
    }

    #[test]
    fn names_of_folders_give_columns() {
        let given = |path: &str| {
            let file = format!("condition_occurrence/{path}/0.parquet");
            let parts = parts(&[&file], Table::ConditionOccurrence);
            let given = parts[0].given.iter();
            given.map(|(column, value)| (column.name, value.clone())).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(given("year=2020"), []);
        let (kind, stop) = ("condition_type_concept_id", "stop_reason");
        let path = format!("{}=32817/{stop}=no%20more%C3%A9%2", kind.to_uppercase());
        assert_eq!(given(&path), [(kind, some("32817")), (stop, some("no moreé%2"))]);
        assert_eq!(given(&format!("{stop}={HIVE_NULL}")), [(stop, None)]);
        assert_eq!(given(&format!("{stop}=")), [(stop, None)]);
        assert_eq!(given(&format!("{kind}=1/{kind}=2")), [(kind, some("2"))]);
        for text in ["%+1", "%", "%%", "100%é", "%FF"] {
            let folder = format!("a={text}");
            assert_eq!(partition_of(&folder), Some(("a", Some(text.to_owned()))));
        }
    }

    #[test]
    fn messages_hold_no_value_of_a_person() {
        let shown = |name: &str| shown_name(name).into_owned();
        assert_eq!(shown("person_id=17"), "person_id=…");
        assert_eq!(shown("PERSON_ID=17"), "PERSON_ID=…");
        assert_eq!(shown("condition_source_value=HIV"), "condition_source_value=…");
        assert_eq!(shown("mrn=123456"), "mrn=…");
        assert_eq!(shown("condition_concept_id=JONES"), "condition_concept_id=…");
        for name in ["condition_concept_id=320128", "year=2020", "part-0.parquet"] {
            assert_eq!(shown(name), name);
        }
        assert_eq!(shown("patient=7"), "patient=…");
        assert_eq!(shown_path("a/year=2020/mrn=7/b"), "a/year=2020/mrn=…/b");
        let parts = parts(&["death/person_id=17/0.parquet"], Table::Death);
        assert!(parts[0].shown.ends_with("death/person_id=…/0.parquet"), "{}", parts[0].shown);
        assert!(parts[0].path.ends_with("death/person_id=17/0.parquet"));
    }

    #[test]
    fn folders_of_other_formats_and_empty_ones_are_refused() {
        for (mark, format) in [
            ("death/_delta_log/0.json", "Delta Lake"),
            ("death/part/.hoodie/hoodie.properties", "Hudi"),
            ("death/metadata/v1.metadata.json", "Iceberg"),
        ] {
            let folder = folder_of(&[mark, "death/data/0.parquet", "death/part/0.parquet"]);
            let unread = tables(folder.path()).unwrap()[&Table::Death].clone().unwrap_err();
            let error = Error::from(unread).to_string();
            assert!(error.contains("death") && error.contains(format), "{error}");
            assert!(error.contains("plain Parquet"), "{error}");
        }
        for files in [["death/_SUCCESS"], ["death/year=2020/000000_0"]] {
            let folder = folder_of(&files);
            let unread = tables(folder.path()).unwrap()[&Table::Death].clone().unwrap_err();
            let error = Error::from(unread);
            let death = folder.path().join("death").display().to_string();
            assert!(matches!(&error, Error::OmopEmpty { folder } if *folder == death), "{error}");
        }
    }
}
