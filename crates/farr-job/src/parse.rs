//! From a job file's text to a [`JobFile`]: parameters, the environment, and
//! errors that point at line and key.

use std::fmt::Write;
use std::ops::Range;

use serde_path_to_error::Segment;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::job_file::JobFile;
use crate::{Error, near};

/// A parameter from the command line: `path.to.key=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    path: Vec<String>,
    value: Value,
}

impl Parameter {
    /// Reads `path.to.key=value`. The value is TOML, or else text; parts of the
    /// path that are numbers are places in a list, from 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is no `=` or no key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let failed = || Error::Parameter {
            parameter: format!("--set {}", text.split('=').next().unwrap_or_default()),
            reason: "expected path.to.key=value".to_owned(),
        };
        let (path, value) = text.split_once('=').ok_or_else(failed)?;
        let path: Vec<String> = path.trim().split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(failed());
        }
        let parsed = format!("value = {value}").parse::<Table>();
        let value = match parsed.map(|mut table| table.remove("value")) {
            Ok(Some(value)) => value,
            _ => Value::String(value.to_owned()),
        };
        Ok(Self { path, value })
    }

    fn name(&self) -> String {
        self.path.join(".")
    }
}

/// Reads a job file: `file` names it in errors, `environment` gives variables.
///
/// # Errors
/// [`Error::Syntax`], [`Error::Key`], [`Error::Variable`], [`Error::Secret`]
/// and [`Error::Parameter`], each with the place.
pub fn parse_job(
    file: &str,
    text: &str,
    parameters: &[Parameter],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<JobFile, Error> {
    let place = |span: Option<Range<usize>>| span.map_or(1, |span| line_of(text, span.start));
    let mut table = text.parse::<Table>().map_err(|e| Error::Syntax {
        file: file.to_owned(),
        line: place(e.span()),
        reason: e.message().to_owned(),
    })?;
    for parameter in parameters {
        set(&mut table, parameter)?;
    }
    refuse_written_secrets(file, &table)?;
    let mut root = Value::Table(table);
    substitute(file, &mut root, &mut Vec::new(), environment)?;
    serde_path_to_error::deserialize(root.clone()).map_err(|e| {
        let mut keys: Vec<Key> = e.path().iter().filter_map(Key::of).collect();
        let message = e.inner().message().trim().to_owned();
        keys.extend(culprit(&root, &keys, &message));
        let unknown = near::quoted_after(&message, "unknown field ");
        let span = DeTable::parse(text)
            .ok()
            .and_then(|root| span_of(root.get_ref(), &keys, unknown.as_deref()));
        let mut key = join(&keys);
        if let Some(field) = &unknown
            && keys.last() != Some(&Key::Name(field.clone()))
        {
            key = if key.is_empty() { field.clone() } else { format!("{key}.{field}") };
        }
        Error::Key {
            file: file.to_owned(),
            line: place(span),
            key,
            hint: near::hint(&message),
            reason: message,
        }
    })
}

/// The keys behind a path that ends with a table, as it does where `kind` says
/// what else is in it: down to the value at fault, without which there is another
/// error, or none.
fn culprit(root: &Value, path: &[Key], message: &str) -> Vec<Key> {
    let says = ["missing field", "unknown field"];
    if says.iter().any(|start| message.starts_with(start)) {
        return Vec::new();
    }
    let mut keys = path.to_vec();
    while let Some(key) = keys_at(&mut root.clone(), &keys).into_iter().find(|key| {
        let mut without = root.clone();
        remove(&mut without, &keys, key);
        let read: Result<JobFile, _> = serde_path_to_error::deserialize(without);
        read.err().is_none_or(|e: serde_path_to_error::Error<toml::de::Error>| {
            e.inner().message().trim() != message
        })
    }) {
        keys.push(key);
    }
    keys.split_off(path.len())
}

fn at<'v>(root: &'v mut Value, keys: &[Key]) -> Option<&'v mut Value> {
    keys.iter().try_fold(root, |value, key| match key {
        Key::Name(name) => value.get_mut(name),
        Key::Place(place) => value.get_mut(*place),
    })
}

/// The keys of a table, or the places of a list.
fn keys_at(root: &mut Value, keys: &[Key]) -> Vec<Key> {
    match at(root, keys) {
        Some(Value::Table(table)) => {
            let mut names: Vec<String> = table.keys().cloned().collect();
            // Without its kind a table always has another error.
            names.sort_by_key(|name| name == "kind");
            names.into_iter().map(Key::Name).collect()
        }
        Some(Value::Array(list)) => (0..list.len()).map(Key::Place).collect(),
        _ => Vec::new(),
    }
}

fn remove(root: &mut Value, keys: &[Key], key: &Key) {
    match (at(root, keys), key) {
        (Some(Value::Table(table)), Key::Name(name)) => drop(table.remove(name)),
        (Some(Value::Array(list)), Key::Place(place)) => drop(list.remove(*place)),
        _ => {}
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Key {
    Name(String),
    Place(usize),
}

impl Key {
    fn of(segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Map { key } => Some(Self::Name(key.clone())),
            Segment::Seq { index } => Some(Self::Place(*index)),
            _ => None,
        }
    }
}

fn join(keys: &[Key]) -> String {
    let mut text = String::new();
    for key in keys {
        match key {
            Key::Name(name) if text.is_empty() => text.push_str(name),
            Key::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Key::Place(place) => {
                let _ = write!(text, "[{place}]");
            }
        }
    }
    text
}

/// Where the deepest of the keys that the text has stands.
fn span_of(table: &DeTable<'_>, keys: &[Key], unknown: Option<&str>) -> Option<Range<usize>> {
    let unknown = unknown.map(|name| Key::Name(name.to_owned()));
    let mut keys: Vec<Key> = keys.to_vec();
    if let Some(key) = unknown
        && keys.last() != Some(&key)
    {
        keys.push(key);
    }
    let Some(Key::Name(first)) = keys.first() else { return None };
    let (name, value) = table.iter().find(|(name, _)| name.get_ref() == first.as_str())?;
    let mut span = name.span();
    let mut value = value.get_ref();
    for key in &keys[1..] {
        match (key, value) {
            (Key::Name(wanted), DeValue::Table(table)) => {
                let found = table.iter().find(|(name, _)| name.get_ref() == wanted.as_str());
                let Some((name, inner)) = found else { break };
                span = name.span();
                value = inner.get_ref();
            }
            (Key::Place(place), DeValue::Array(items)) => {
                let Some(inner) = items.get(*place) else { break };
                span = inner.span();
                value = inner.get_ref();
            }
            _ => break,
        }
    }
    Some(span)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

fn set(table: &mut Table, parameter: &Parameter) -> Result<(), Error> {
    let failed = |reason: String| Error::Parameter {
        parameter: format!("--set {}", parameter.name()),
        reason,
    };
    let Some((last, parents)) = parameter.path.split_last() else {
        return Err(failed("expected path.to.key=value".to_owned()));
    };
    let mut root = Value::Table(std::mem::take(table));
    let mut at = &mut root;
    for part in parents {
        at = match at {
            Value::Table(inner) => {
                inner.entry(part.clone()).or_insert_with(|| Value::Table(Table::new()))
            }
            Value::Array(items) => {
                let count = items.len();
                part.parse::<usize>().ok().and_then(|place| items.get_mut(place)).ok_or_else(
                    || failed(format!("'{part}' is no place in a list of {count}, from 0")),
                )?
            }
            _ => return Err(failed(format!("'{part}' lies below a plain value"))),
        };
    }
    match at {
        Value::Table(inner) => {
            inner.insert(last.clone(), parameter.value.clone());
        }
        Value::Array(items) => {
            let count = items.len();
            let slot = last.parse::<usize>().ok().and_then(|place| items.get_mut(place));
            *slot.ok_or_else(|| {
                failed(format!("'{last}' is no place in a list of {count}, from 0"))
            })? = parameter.value.clone();
        }
        _ => return Err(failed(format!("'{last}' lies below a plain value"))),
    }
    if let Value::Table(root) = root {
        *table = root;
    }
    Ok(())
}

/// Options that hold secrets, by what their names contain.
const SECRET_WORDS: [&str; 5] = ["secret", "password", "token", "account_key", "access_key"];

/// Whether an option holds a secret. An access key's id is none.
pub(crate) fn is_secret(option: &str) -> bool {
    let option = option.to_lowercase();
    !option.ends_with("key_id") && SECRET_WORDS.iter().any(|word| option.contains(word))
}

/// Secrets come from the environment: one written into the file is refused.
fn refuse_written_secrets(file: &str, table: &Table) -> Result<(), Error> {
    let locations = table.get("locations").and_then(Value::as_table);
    for (name, location) in locations.into_iter().flatten() {
        let options = location.get("options").and_then(Value::as_table);
        for (option, value) in options.into_iter().flatten() {
            let written = value.as_str().is_none_or(|text| {
                let text = text.trim();
                !(text.starts_with("${") && text.ends_with('}'))
            });
            if is_secret(option) && written {
                let key = format!("locations.{name}.options.{option}");
                return Err(Error::Secret { file: file.to_owned(), key });
            }
        }
    }
    Ok(())
}

/// Replaces `${NAME}` in every text by the variable's value.
fn substitute(
    file: &str,
    value: &mut Value,
    at: &mut Vec<Key>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Error> {
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            let mut whole = String::new();
            while let Some(start) = rest.find("${") {
                let Some(length) = rest[start..].find('}') else { break };
                let name = &rest[start + 2..start + length];
                whole.push_str(&rest[..start]);
                whole.push_str(&environment(name).ok_or_else(|| Error::Variable {
                    file: file.to_owned(),
                    key: join(at),
                    name: name.to_owned(),
                })?);
                rest = &rest[start + length + 1..];
            }
            whole.push_str(rest);
            *text = whole;
        }
        Value::Array(items) => {
            for (place, item) in items.iter_mut().enumerate() {
                at.push(Key::Place(place));
                substitute(file, item, at, environment)?;
                at.pop();
            }
        }
        Value::Table(table) => {
            for (name, item) in table.iter_mut() {
                at.push(Key::Name(name.to_owned()));
                substitute(file, item, at, environment)?;
                at.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = r#"
[job]
name = "small"

[locations.exports]
url = "exports"

[locations.out]
url = "${OUT}/reports"
zone = "open"

[[source]]
format = "synthea-csv"
location = "exports"
system = "site"

[records]
location = "exports"

[[cohort]]
id = 1
name = "diabetes"
file = "diabetes.toml"

[[analysis]]
kind = "survival"
targets = [1]
outcome = 2

[report]
location = "out"
"#;

    fn parse(text: &str, parameters: &[&str]) -> Result<JobFile, Error> {
        let parameters: Vec<_> =
            parameters.iter().map(|text| Parameter::parse(text).unwrap()).collect();
        parse_job("job.toml", text, &parameters, &|name| (name == "OUT").then(|| "/out".to_owned()))
    }

    #[test]
    fn variables_and_parameters_are_filled_in() {
        let job = parse(JOB, &[]).unwrap();
        assert_eq!(job.locations["out"].url, "/out/reports");
        let job = parse(
            JOB,
            &[
                "locations.exports.url=s3://bucket/a=b",
                "source.0.system=other",
                "report.threshold=11",
            ],
        )
        .unwrap();
        assert_eq!(job.locations["exports"].url, "s3://bucket/a=b");
        assert_eq!(job.source[0].system, "other");
        assert_eq!(job.report.threshold, 11);
    }

    #[test]
    fn unknown_keys_are_placed_and_mended() {
        let text = JOB.replace("system = \"site\"", "sistem = \"site\"");
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(message.contains("job.toml, line 15"), "{message}");
        assert!(message.contains("source[0].sistem"), "{message}");
        assert!(message.contains("did you mean 'system'?"), "{message}");
    }

    #[test]
    fn unknown_analyses_are_mended() {
        let text = JOB.replace("\"survival\"", "\"survivel\"");
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(message.contains("did you mean 'survival'?"), "{message}");
        let text = JOB.replace("outcome = 2", "outcome = 2\nfirst_entry = true");
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(message.contains("first_entry_only"), "{message}");
        assert!(message.contains("line 29"), "{message}");
    }

    #[test]
    fn wrong_types_are_placed() {
        let text = JOB.replace("id = 1", "id = \"one\"");
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(message.contains("line 21") && message.contains("cohort[0].id"), "{message}");
        let text = JOB.replace("outcome = 2", "outcome = \"c\"");
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(
            message.contains("line 28") && message.contains("analysis[0].outcome"),
            "{message}"
        );
    }

    #[test]
    fn secrets_come_from_the_environment_only() {
        let text = JOB.replace(
            "url = \"exports\"",
            "url = \"s3://b\"\noptions = { secret_access_key = \"abc\" }",
        );
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(message.contains("secret_access_key") && !message.contains("abc"), "{message}");
    }

    #[test]
    fn missing_variables_are_named() {
        let text = JOB.replace("${OUT}", "${NOWHERE}");
        let message = parse(&text, &[]).unwrap_err().to_string();
        assert!(message.contains("NOWHERE") && message.contains("locations.out.url"), "{message}");
    }
}
