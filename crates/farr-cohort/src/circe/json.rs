//! JSON values that know where they stand.

use std::num::ParseFloatError;

use farr_records::Day;

use super::tape::{Kind, Value};
use crate::Error;

/// Where a value stands: a chain of steps up to the root, so that reading
/// allocates nothing unless something is wrong.
#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a Node<'a>, &'static str),
    Index(&'a Node<'a>, usize),
    Within(&'a Node<'a>),
}

/// A value, or its absence, at a place.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    value: Option<Value<'a>>,
    step: Step<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: Value<'a>) -> Self {
        Self { value: Some(value), step: Step::Root }
    }

    /// JSON that was written as text at this place.
    pub(super) fn within(&'a self, value: Value<'a>) -> Self {
        Node { value: Some(value), step: Step::Within(self) }
    }

    /// What is here; nothing is as null.
    pub(super) fn kind(&self) -> Kind<'a> {
        self.value.map_or(Kind::Null, Value::kind)
    }

    /// Whether there is nothing, or null.
    pub(super) fn is_absent(&self) -> bool {
        self.kind() == Kind::Null
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_some_and(|value| value.kind() == Kind::Null)
    }

    /// The path, like `$.PrimaryCriteria.CriteriaList[0]`.
    pub(super) fn path(&self) -> String {
        match self.step {
            Step::Root => "$".to_owned(),
            Step::Key(parent, key) => format!("{}.{key}", parent.path()),
            Step::Index(parent, index) => format!("{}[{index}]", parent.path()),
            Step::Within(parent) => parent.path(),
        }
    }

    /// An error that says what should stand here.
    pub(super) fn unlike(&self, expected: &str) -> Error {
        let found = match self.kind() {
            Kind::Null => "nothing".to_owned(),
            Kind::Object => "an object".to_owned(),
            Kind::List => "a list".to_owned(),
            Kind::Text(text) => format!("'{text}'"),
            Kind::Truth(truth) => truth.to_string(),
            Kind::Number(text) => text.to_owned(),
        };
        Error::Value { path: self.path(), found, expected: expected.to_owned() }
    }

    /// Checks that this is an object with none but the given keys.
    pub(super) fn keys(&self, known: &[&str]) -> Result<(), Error> {
        self.keys_by(|key| known.contains(&key), || known.iter().map(|k| (*k).to_owned()).collect())
    }

    /// Checks that this is an object with none but known keys; `all` is asked
    /// for them only if one is not.
    pub(super) fn keys_by(
        &self,
        is_known: impl Fn(&str) -> bool,
        all: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Error> {
        let mut keys = self.object()?.entries().map(|(key, _)| key);
        let Some(key) = keys.find(|key| !is_known(key)) else { return Ok(()) };
        let near = |name: &String| strsim::damerau_levenshtein(name, key);
        let suggestion = all().into_iter().min_by_key(near).filter(|name| near(name) <= 3);
        Err(Error::UnknownKey { path: self.path(), key: key.to_owned(), suggestion })
    }

    /// The value, which must be an object.
    fn object(&self) -> Result<Value<'a>, Error> {
        let object = self.value.filter(|value| value.kind() == Kind::Object);
        object.ok_or_else(|| self.unlike("an object"))
    }

    /// The value of a key, which may be absent.
    pub(super) fn get<'b>(&'b self, key: &'static str) -> Node<'b> {
        Node { value: self.value.and_then(|value| value.get(key)), step: Step::Key(self, key) }
    }

    /// The value of a key that must be there.
    pub(super) fn required<'b>(&'b self, key: &'static str) -> Result<Node<'b>, Error> {
        let node = self.get(key);
        if node.is_absent() {
            return Err(Error::MissingKey { path: self.path(), key });
        }
        Ok(node)
    }

    /// Each element of a list; none if it is absent.
    pub(super) fn list<T>(&self, read: impl Fn(Node) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        match (self.value, self.kind()) {
            (_, Kind::Null) | (None, _) => Ok(Vec::new()),
            (Some(values), Kind::List) => values
                .elements()
                .enumerate()
                .map(|(i, value)| read(Node { value: Some(value), step: Step::Index(self, i) }))
                .collect(),
            _ => Err(self.unlike("a list")),
        }
    }

    /// The first key and its value.
    pub(super) fn only_key(&self) -> Result<(&'a str, usize), Error> {
        let mut keys = self.object()?.entries().map(|(key, _)| key);
        let first = keys.next();
        let first = first.ok_or_else(|| self.unlike("an object with the name of a domain"))?;
        Ok((first, 1 + keys.filter(|key| *key != first).count()))
    }

    pub(super) fn text(&self) -> Result<Option<&'a str>, Error> {
        match self.kind() {
            Kind::Null => Ok(None),
            Kind::Text(text) => Ok(Some(text)),
            _ => Err(self.unlike("text")),
        }
    }

    pub(super) fn truth(&self) -> Result<Option<bool>, Error> {
        match self.kind() {
            Kind::Null | Kind::Text("") => Ok(None),
            Kind::Truth(truth) => Ok(Some(truth)),
            Kind::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Kind::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ => Err(self.unlike("true or false")),
        }
    }

    pub(super) fn number(&self) -> Result<Option<f64>, Error> {
        match self.kind() {
            Kind::Null => Ok(None),
            Kind::Number(text) => {
                text.parse().map(Some).map_err(|_: ParseFloatError| self.unlike("a number"))
            }
            Kind::Text(text) if text.trim().is_empty() => Ok(None),
            Kind::Text(text) => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.unlike("a number")),
            },
            _ => Err(self.unlike("a number")),
        }
    }

    /// A whole number; a fraction is cut off, as in the reference.
    pub(super) fn integer(&self) -> Result<Option<i64>, Error> {
        if let Kind::Number(text) = self.kind()
            && let Ok(integer) = text.parse()
        {
            return Ok(Some(integer));
        }
        match self.number()? {
            None => Ok(None),
            Some(number) if number.abs() < 9e15 => Ok(Some(number.trunc() as i64)),
            Some(_) => Err(self.unlike("a whole number")),
        }
    }

    /// A number of days, at most a million either way.
    pub(super) fn days(&self) -> Result<Option<i32>, Error> {
        match self.integer()? {
            None => Ok(None),
            Some(days) if days.unsigned_abs() <= 1_000_000 => Ok(Some(days as i32)),
            Some(_) => Err(self.unlike("at most a million days")),
        }
    }

    /// A day, written year-month-day; empty text counts as absent.
    pub(super) fn day(&self) -> Result<Option<Day>, Error> {
        let Some(text) = self.text()? else { return Ok(None) };
        if text.is_empty() {
            return Ok(None);
        }
        let mut parts = text.split('-');
        let mut next = || parts.next();
        let (year, month, day) = (next(), next(), next());
        let parsed =
            || Day::from_ymd(year?.parse().ok()?, month?.parse().ok()?, day?.parse().ok()?);
        parsed().map(Some).ok_or_else(|| self.unlike("a date like 2010-12-31"))
    }
}
