//! Documents for open places: trees of texts that hold nothing of persons, and
//! of counts, which pass disclosure control together with the tables.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::{Labelled, Releasable};

/// A tree of texts and counts, written as JSON: a manifest, a pointer.
///
/// Keys stand in the order in which they were set. A count that is withheld
/// is written as null.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    name: String,
    entries: Vec<(String, Node)>,
    relations: Vec<(String, Vec<String>)>,
}

/// A part of a [`Document`].
///
/// All but [`Count`](Self::Count) are for what holds nothing of persons:
/// hashes, versions, settings, definitions, names of cohorts. Whoever makes
/// one vouches for that, as with [`Labelled::aggregate`]; numbers of persons,
/// rows or events are counts, always.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Nothing.
    Null,
    /// A yes or no.
    Bool(bool),
    /// A whole number that counts no persons, rows or events.
    Integer(i64),
    /// A number that was not computed from persons.
    Float(f64),
    /// A text that holds nothing of persons.
    Text(String),
    /// Several parts.
    List(Vec<Node>),
    /// Named parts.
    Map(Vec<(String, Node)>),
    /// A number of persons, rows or events.
    Count(Count),
}

/// A number of persons, rows or events in a [`Document`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The number; `None` if it is withheld.
    pub(crate) number: Option<u64>,
    /// The name that it shares with cells of tables, if any.
    pub(crate) quantity: Option<String>,
}

impl Count {
    /// The number; `None` if it is withheld.
    pub fn number(&self) -> Option<u64> {
        self.number
    }
}

impl Node {
    /// A count.
    pub fn count(number: u64) -> Self {
        Self::Count(Count { number: Some(number), quantity: None })
    }

    /// A count with the name of its quantity: cells of that name, in all
    /// tables and documents of a run, hold the same number.
    pub fn quantity(number: u64, name: &str) -> Self {
        Self::Count(Count { number: Some(number), quantity: Some(name.to_owned()) })
    }

    /// Named parts.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, node)| (key.into(), node)).collect())
    }

    fn visit<'a>(&'a self, found: &mut Vec<&'a Count>) {
        match self {
            Self::Count(count) => found.push(count),
            Self::List(nodes) => nodes.iter().for_each(|node| node.visit(found)),
            Self::Map(entries) => entries.iter().for_each(|(_, node)| node.visit(found)),
            _ => {}
        }
    }

    fn visit_mut(&mut self, change: &mut impl FnMut(&mut Count)) {
        match self {
            Self::Count(count) => change(count),
            Self::List(nodes) => nodes.iter_mut().for_each(|node| node.visit_mut(change)),
            Self::Map(entries) => entries.iter_mut().for_each(|(_, node)| node.visit_mut(change)),
            _ => {}
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Document {
    /// An empty document; the name is for messages.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), entries: Vec::new(), relations: Vec::new() }
    }

    /// With one more entry.
    #[must_use]
    pub fn with(mut self, key: &str, node: impl Into<Node>) -> Self {
        self.entries.push((key.to_owned(), node.into()));
        self
    }

    /// Declares that the quantity `whole` is the sum of the quantities
    /// `parts`.
    #[must_use]
    pub fn sum(mut self, whole: &str, parts: &[&str]) -> Self {
        let parts = parts.iter().map(|&part| part.to_owned()).collect();
        self.relations.push((whole.to_owned(), parts));
        self
    }

    /// The document's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[(String, Node)] {
        &self.entries
    }

    /// The document as one that anybody may read; `None` if it holds counts,
    /// which only [`release_run`](crate::release_run) can judge.
    pub fn statement(self) -> Option<Labelled<Releasable, Self>> {
        self.counts().is_empty().then(|| Labelled::with(self))
    }

    pub(crate) fn counts(&self) -> Vec<&Count> {
        let mut found = Vec::new();
        self.entries.iter().for_each(|(_, node)| node.visit(&mut found));
        found
    }

    pub(crate) fn change_counts(&mut self, mut change: impl FnMut(&mut Count)) {
        self.entries.iter_mut().for_each(|(_, node)| node.visit_mut(&mut change));
    }

    pub(crate) fn relations(&self) -> &[(String, Vec<String>)] {
        &self.relations
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_map(&self.entries, serializer)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(count) => count.number.serialize(serializer),
            Self::Map(entries) => serialize_map(entries, serializer),
            Self::List(nodes) => {
                let mut list = serializer.serialize_seq(Some(nodes.len()))?;
                nodes.iter().try_for_each(|node| list.serialize_element(node))?;
                list.end()
            }
        }
    }
}

fn serialize_map<S: Serializer>(
    entries: &[(String, Node)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    entries.iter().try_for_each(|(key, node)| map.serialize_entry(key, node))?;
    map.end()
}

/// From any JSON; what comes out holds no counts, so that the caller vouches
/// for its numbers.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        i64::try_from(value).map(Node::Integer).map_err(|_| E::custom("a number beyond 64 bits"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some((key, node)) = map.next_entry::<String, Node>()? {
            if entries.iter().any(|(earlier, _)| *earlier == key) {
                return Err(A::Error::custom(format!("key '{key}' stands twice")));
            }
            entries.push((key, node));
        }
        Ok(Node::Map(entries))
    }
}
