//! Who hands rows over: systems, their tables, the objects read, and what the
//! sources rejected.

use std::collections::{BTreeMap, HashMap};

use farr_store::Sha256Hash;
use serde::{Deserialize, Serialize};

use crate::{Derivations, Error, Line, ObjectId, ObjectRead, RangeRead, Reject, SourceTableId};

/// One table of one source system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SourceTable {
    pub(super) system: String,
    pub(super) name: String,
    pub(super) read: u64,
}

/// An object, or a range of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ObjectPiece {
    pub(super) read: ObjectRead,
    /// Which range it is; known once it has been read.
    pub(super) range: Option<RangeRead>,
}

/// A rejected source row, its texts as places in [`Registry::texts`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct KeptReject {
    pub(super) source_table: u32,
    pub(super) object: u32,
    pub(super) line: u64,
    pub(super) column: Option<u32>,
    pub(super) reason: u32,
}

/// All that was registered, in order of arrival.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Registry {
    pub(super) tables: Vec<SourceTable>,
    pub(super) systems: BTreeMap<String, Derivations>,
    pub(super) objects: Vec<ObjectPiece>,
    pub(super) rejects: Vec<KeptReject>,
    texts: Vec<String>,
    #[serde(skip)]
    text_places: HashMap<String, u32>,
}

/// The rank of each source table and object in the order of their names,
/// which, unlike the order of arrival, does not depend on threads.
#[derive(Debug)]
pub(super) struct Ranks {
    pub(super) tables: Vec<u32>,
    pub(super) objects: Vec<u32>,
}

impl Registry {
    pub(super) fn source_table(
        &mut self,
        system: &str,
        name: &str,
        derive: Derivations,
    ) -> SourceTableId {
        self.system(system, derive);
        self.table(system, name)
    }

    /// Adds what must be derived for the persons of a system.
    pub(super) fn system(&mut self, system: &str, derive: Derivations) {
        let known = self.systems.entry(system.to_owned()).or_default();
        known.observation_periods |= derive.observation_periods;
        known.condition_eras |= derive.condition_eras;
        known.drug_eras |= derive.drug_eras;
        known.providers_from_visits |= derive.providers_from_visits;
    }

    /// The place of a table of a system that is known.
    pub(super) fn table(&mut self, system: &str, name: &str) -> SourceTableId {
        let place = self.tables.iter().position(|t| t.system == system && t.name == name);
        let place = place.unwrap_or_else(|| {
            let (system, name) = (system.to_owned(), name.to_owned());
            self.tables.push(SourceTable { system, name, read: 0 });
            self.tables.len() - 1
        });
        SourceTableId(place as u32)
    }

    pub(super) fn object(&mut self, object: ObjectRead) -> ObjectId {
        self.objects.push(ObjectPiece { read: object, range: None });
        ObjectId((self.objects.len() - 1) as u32)
    }

    /// Whether both were registered.
    pub(super) fn knows(&self, table: SourceTableId, object: ObjectId) -> bool {
        (table.0 as usize) < self.tables.len() && (object.0 as usize) < self.objects.len()
    }

    pub(super) fn reject(&mut self, reject: Reject) {
        let column = reject.column.map(|column| self.text(column));
        let reason = self.text(reject.reason);
        self.rejects.push(KeptReject {
            source_table: reject.source_table.0,
            object: reject.object.0,
            line: reject.line.0,
            column,
            reason,
        });
    }

    /// A reject that is kept, with its texts.
    pub(super) fn reject_of(&self, kept: &KeptReject) -> Reject {
        Reject {
            source_table: SourceTableId(kept.source_table),
            object: ObjectId(kept.object),
            line: Line(kept.line),
            column: kept.column.map(|column| self.text_at(column).to_owned()),
            reason: self.text_at(kept.reason).to_owned(),
        }
    }

    /// The place of a text, which is kept once.
    pub(super) fn text(&mut self, text: String) -> u32 {
        if let Some(place) = self.text_places.get(&text) {
            return *place;
        }
        let place = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.text_places.insert(text, place);
        place
    }

    /// The text at a place that [`Registry::text`] gave.
    pub(super) fn text_at(&self, place: u32) -> &str {
        &self.texts[place as usize]
    }

    pub(super) fn ranks(&self) -> Ranks {
        Ranks {
            tables: ranks_by(&self.tables, |t| (&t.system, &t.name)),
            objects: ranks_by(&self.objects, |o| (&o.read.system, &o.read.path)),
        }
    }

    /// The hash of what the objects hold, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Unfinished`] if the hash of an object is not known.
    pub(super) fn snapshot(&self) -> Result<Sha256Hash, Error> {
        let line = |object: &ObjectRead| match &object.sha256 {
            Some(sha256) => Ok(format!("{}\0{}\0{sha256}\n", object.system, object.path)),
            None => Err(Error::Unfinished { object: object.path.clone() }),
        };
        let objects = self.objects.iter().map(|object| &object.read);
        let mut lines: Vec<String> = objects.map(line).collect::<Result<_, _>>()?;
        lines.sort_unstable();
        lines.dedup();
        Ok(Sha256Hash::of(lines.concat().as_bytes()))
    }
}

fn ranks_by<'a, T, K: Ord>(items: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<u32> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| key(&items[*a]).cmp(&key(&items[*b])).then(a.cmp(b)));
    let mut ranks = vec![0; items.len()];
    for (rank, place) in order.into_iter().enumerate() {
        ranks[place] = rank as u32;
    }
    ranks
}
