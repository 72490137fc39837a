//! Names of folders and files as Hive, Spark and DuckDB give them to tables.

use std::borrow::Cow;

/// How Hive writes a null into a folder's name.
pub(crate) const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Whether Spark and Hive pass over it: what they are writing, checksums, logs.
/// A folder of a column whose name starts with `_` is none of these.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name.starts_with('_') && !name.contains('=')
}

/// What a folder's name says of all rows below it, as Hive, Spark and DuckDB
/// divide tables (`column=value`): the column, and its text or null.
pub fn partition_of(folder: &str) -> Option<(&str, Option<String>)> {
    let (column, text) = folder.split_once('=')?;
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let value = decoded.map_or_else(|_| text.to_owned(), Cow::into_owned);
    Some((column, Some(value).filter(|_| !text.is_empty() && text != HIVE_NULL)))
}

/// A path for messages: what its folders say of their rows is shown of concepts,
/// years, months and days alone, since it may be a person's.
pub fn shown_path(path: &str) -> String {
    path.split('/').map(shown_name).collect::<Vec<_>>().join("/")
}

/// The same of one part.
pub(crate) fn shown_name(name: &str) -> Cow<'_, str> {
    let Some((key, value)) = name.split_once('=') else { return Cow::Borrowed(name) };
    let key_text = key.to_ascii_lowercase();
    let is_harmless =
        matches!(&*key_text, "year" | "month" | "day") || key_text.ends_with("_concept_id");
    if value == HIVE_NULL || is_harmless && is_number(value) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{key}=…"))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
