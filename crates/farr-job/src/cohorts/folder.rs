//! The definitions of a folder: their files, their ids, and what is wrong with
//! those that cannot be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farr_cohort::{Definition, parse_circe, parse_circe_file, parse_short};
use rayon::prelude::*;

use crate::Error;

/// Definitions of a folder: those that can be read, by id, and what is wrong
/// with the others, by file.
pub(super) struct Folder {
    pub(super) definitions: Vec<Definition>,
    /// The file of each definition, by its id.
    pub(super) files: BTreeMap<i64, String>,
    pub(super) refused: BTreeMap<String, String>,
}

impl Folder {
    /// Reads every `.json` (Circe) and `.toml` (short form), on the threads of
    /// the pool at hand.
    ///
    /// # Errors
    /// [`Error::File`] for a folder that cannot be read or has no such file;
    /// [`Error::RepeatedDefinition`] for two files with one id.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let paths = definition_files(path)?;
        let read: Vec<Result<Definition, Error>> =
            paths.par_iter().map(|file| read_definition(None, file)).collect();
        let mut folder =
            Self { definitions: Vec::new(), files: BTreeMap::new(), refused: BTreeMap::new() };
        for (path, definition) in paths.iter().zip(read) {
            let file = name_of(path);
            match definition {
                Ok(definition) => {
                    let id = definition.id;
                    if let Some(first) = folder.files.insert(id, file.clone()) {
                        return Err(Error::RepeatedDefinition { id, first, second: file });
                    }
                    folder.definitions.push(definition);
                }
                // The file stands before the reason already.
                Err(Error::Definition { source, .. }) => {
                    folder.refused.insert(file, source.to_string());
                }
                Err(error) => drop(folder.refused.insert(file, error.to_string())),
            }
        }
        folder.definitions.sort_by_key(|definition| definition.id);
        Ok(folder)
    }

    /// Takes out a definition that cannot be run.
    pub(super) fn refuse(&mut self, id: i64, reason: String) {
        self.definitions.retain(|definition| definition.id != id);
        let file = self.files.get(&id).cloned().unwrap_or_default();
        self.refused.insert(file, reason);
    }
}

/// The files of definitions, in the order of their names.
fn definition_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { file: folder.display().to_string(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if matches!(ending.as_deref(), Some("json" | "toml")) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let reason = "no definitions here; expected files that end in .json or .toml";
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, reason)));
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The number in a file's name: the whole of it, or the one run of digits.
fn number_in(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    if let Ok(number) = stem.parse() {
        return Some(number);
    }
    let mut runs = stem.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    let only = runs.next()?;
    if runs.next().is_some() { None } else { only.parse().ok() }
}

/// A definition by its file's ending: `.toml` is the short form, all else
/// Circe JSON. Without an id from outside it is ATLAS's, or else the number in
/// the file's name.
pub(crate) fn read_definition(id: Option<i64>, path: &Path) -> Result<Definition, Error> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::File { file: file.clone(), source })?;
    let is_short = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    let named = number_in(path);
    let parsed = match (is_short, id) {
        (true, id) => id.or(named).map(|id| parse_short(id, &text)).transpose(),
        (false, Some(id)) => parse_circe(id, &text).map(Some),
        (false, None) => parse_circe_file(named, &text),
    };
    let parsed = parsed.map_err(|source| Error::Definition { file: file.clone(), source })?;
    parsed.ok_or(Error::NoDefinitionId { file })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = r#"{"PrimaryCriteria": {"CriteriaList": [{"Death": {}}]}}"#;

    fn folder(files: &[(&str, &str)]) -> Result<Folder, Error> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            #[expect(clippy::disallowed_methods, reason = "a test's own folder")]
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Folder::read(folder.path())
    }

    fn ids(folder: &Folder) -> Vec<i64> {
        folder.definitions.iter().map(|definition| definition.id).collect()
    }

    #[test]
    fn an_id_is_atlas_own_or_stands_in_the_name() {
        let wrapped = format!(r#"{{"id": 77, "name": "w", "expression": {DEFINITION}}}"#);
        let without = format!(r#"{{"id": null, "expression": {DEFINITION}}}"#);
        let found = folder(&[
            ("stroke 12.json", DEFINITION),
            ("5.JSON", &wrapped),
            ("any name.json", &wrapped.replace("77", "78")),
            ("phenotype-0009.json", &without),
            ("short_3.toml", "name = \"d\"\n[entry]\ndomain = \"death\"\nlimit = \"first\"\n"),
            ("notes.txt", "none of ours"),
        ]);
        let found = found.unwrap();
        assert!(found.refused.is_empty(), "{:?}", found.refused);
        assert_eq!(ids(&found), [3, 9, 12, 77, 78]);
        assert_eq!(found.files[&77], "5.JSON");
    }

    #[test]
    fn files_without_an_id_are_named_and_the_others_read() {
        let found = folder(&[
            ("stroke.json", DEFINITION),
            ("1 or 2.json", DEFINITION),
            ("4.json", DEFINITION),
            ("5.json", "{\"PrimaryCriteria\": {\"CriteriaList\": [{\"Death\": {\"Frist\": 1}}]}}"),
            ("6.json", "{"),
        ]);
        let found = found.unwrap();
        assert_eq!(ids(&found), [4]);
        let refused: Vec<&str> = found.refused.keys().map(String::as_str).collect();
        assert_eq!(refused, ["1 or 2.json", "5.json", "6.json", "stroke.json"]);
        assert!(found.refused["stroke.json"].contains("no id"));
        assert!(found.refused["5.json"].contains("$.PrimaryCriteria.CriteriaList[0].Death"));
    }

    #[test]
    fn two_files_with_one_id_are_both_named() {
        let twice = folder(&[("7.json", DEFINITION), ("cohort 7.json", DEFINITION)]);
        let error = twice.err().unwrap();
        assert_eq!(
            error.to_string(),
            "definition 7: both 7.json and cohort 7.json have this id; rename one, or give it \
             another id"
        );
        assert_eq!(error.failure(), crate::Failure::Job);
    }
}
