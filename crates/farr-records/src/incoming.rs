//! What a source hands over: rows on their way into the records, rejects, and
//! how many rows were read. Sources write to an [`Intake`]; the builder is one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use farr_store::Sha256Hash;
use serde::{Deserialize, Serialize};

use crate::{ConceptId, Table};

/// A place in the list of source tables that an [`Intake`] keeps: one source's
/// logical table, like `encounters` of system `hospital`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceTableId(pub u32);

/// A place in the list of objects that an [`Intake`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// Where a source row stands: line of a text object, row of a Parquet one,
/// both from 1 (a CSV's header is line 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub u64);

/// The type of texts of which each comes many times.
pub fn dictionary_of_texts() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Rows for one table, from one object.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Where the rows go.
    pub table: Table,
    /// Any of the table's columns, with its types; those left out are null.
    /// Texts may come as [`dictionary_of_texts`].
    pub rows: RecordBatch,
    /// Which source table they come from.
    pub source_table: SourceTableId,
    /// Which object they come from.
    pub object: ObjectId,
    /// For each row, where its source row stands.
    pub lines: Vec<Line>,
    /// Whether each row stands for its source row in the balance: every source
    /// row has exactly one such record, or a reject. False for further records
    /// made of the same source row (an encounter's cost).
    pub stands_for_source: bool,
}

/// Why a source row was not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    /// Which source table the row belongs to.
    pub source_table: SourceTableId,
    /// Which object it stands in.
    pub object: ObjectId,
    /// Where it stands.
    pub line: Line,
    /// The source's column at fault, if it is one column.
    pub column: Option<String>,
    /// What is wrong: never holds a value.
    pub reason: String,
}

/// What a source says of an object before it hands over rows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRead {
    /// The name of the source system.
    pub system: String,
    /// The path, relative to the source's location.
    pub path: String,
    /// Bytes as stored.
    pub size: u64,
    /// The store's entity tag.
    pub etag: Option<String>,
    /// SHA-256 of the bytes, hexadecimal; of an object larger than one block,
    /// of its blocks' ([`Sha256Hash::of_blocks`]). Set once the object has been
    /// read.
    pub sha256: Option<String>,
}

/// What a source says of a range of an object once it has read it: the whole
/// object, or one of several ranges, each of which was registered for itself.
/// Ranges of an object must abut and together be all of it, wherever and in
/// whatever order they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeRead {
    /// Where the rows of the range start: a byte of a text object, a row group
    /// of a Parquet one.
    pub start: u64,
    /// Where those of the next range start.
    pub end: u64,
    /// Where the last range of the object ends.
    pub of: u64,
    /// By how many lines the range moves the lines of the next one on: lines of
    /// rows and rejects are counted from the start of their range. 0 where they
    /// are counted from the start of the object.
    pub lines: u64,
    /// The first of the object's blocks that this range answers for.
    pub first_block: u64,
    /// The hashes of these blocks.
    pub blocks: Vec<Sha256Hash>,
}

impl RangeRead {
    /// An object that was read whole.
    pub fn whole(blocks: Vec<Sha256Hash>) -> Self {
        Self { start: 0, end: 1, of: 1, lines: 0, first_block: 0, blocks }
    }
}

/// What records must be derived for the persons of one source, because its
/// exports do not carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches")]
pub struct Derivations {
    /// Observation periods, from the earliest kept event to the latest.
    pub observation_periods: bool,
    /// Condition eras.
    pub condition_eras: bool,
    /// Drug eras.
    pub drug_eras: bool,
    /// An event without provider takes its visit's.
    pub providers_from_visits: bool,
}

/// Takes what sources read. Calls may come from several threads at once.
pub trait Intake: Sync {
    /// What fails when the records cannot take more.
    type Error;

    /// Registers a source table of a system, with what must be derived for
    /// that system's persons.
    fn source_table(&self, system: &str, name: &str, derive: Derivations) -> SourceTableId;

    /// Registers an object that is about to be read, or a range of one: each
    /// range has a place of its own.
    fn object(&self, object: ObjectRead) -> ObjectId;

    /// States that an object, or a range of one, was read to its end.
    fn range_read(&self, object: ObjectId, range: RangeRead);

    /// States that so many more rows of a source table have been read.
    fn rows_read(&self, source_table: SourceTableId, rows: u64);

    /// Takes rows.
    fn rows(&self, incoming: Incoming) -> Result<(), Self::Error>;

    /// Takes rejects.
    fn rejects(&self, rejects: Vec<Reject>) -> Result<(), Self::Error>;

    /// The codes that become local concepts.
    fn local_codes(&self) -> &LocalCodes;
}

/// One code without a vocabulary, which becomes a local concept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCode {
    /// OMOP's `vocabulary_id`: `SNOMED`, `RxNorm`, `LOINC`, `CVX`, ...
    pub vocabulary_id: String,
    /// The code as text.
    pub concept_code: String,
    /// The smallest of the names that it came with.
    pub concept_name: String,
    /// OMOP's `domain_id` of the table it was first seen in, smallest name.
    pub domain_id: String,
}

/// Gives provisional concept ids to codes; the builder replaces them by final
/// ones, in order of (vocabulary, code), when all pieces are there.
#[derive(Debug, Default)]
pub struct LocalCodes {
    codes: Mutex<Codes>,
}

#[derive(Debug, Default)]
struct Codes {
    by_key: HashMap<(String, String), usize>,
    list: Vec<LocalCode>,
}

/// Provisional ids lie from here up, where no vocabulary has any.
pub(crate) const PROVISIONAL: i64 = 1 << 62;

impl LocalCodes {
    /// The provisional id of a code.
    pub fn provisional(&self, vocabulary: &str, code: &str, name: &str, domain: &str) -> ConceptId {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let codes = &mut *codes;
        let next = codes.list.len();
        let place = *codes.by_key.entry((vocabulary.to_owned(), code.to_owned())).or_insert(next);
        if place == next {
            codes.list.push(LocalCode {
                vocabulary_id: vocabulary.to_owned(),
                concept_code: code.to_owned(),
                concept_name: name.to_owned(),
                domain_id: domain.to_owned(),
            });
        } else {
            let known = &mut codes.list[place];
            if known.concept_name.is_empty() || (!name.is_empty() && *name < *known.concept_name) {
                name.clone_into(&mut known.concept_name);
            }
            if *domain < *known.domain_id {
                domain.clone_into(&mut known.domain_id);
            }
        }
        ConceptId(PROVISIONAL + place as i64)
    }

    /// The codes, each at the place that its provisional id counts from
    /// [`PROVISIONAL`] up.
    pub(crate) fn list(&self) -> Vec<LocalCode> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).list.clone()
    }

    /// Every code in order of (vocabulary, code), and the final id of each
    /// provisional one: local ids count from `first` up in that order.
    pub fn assign(&self, first: ConceptId) -> (Vec<(ConceptId, LocalCode)>, FinalIds) {
        let codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut order: Vec<usize> = (0..codes.list.len()).collect();
        order.sort_by_key(|i| (&codes.list[*i].vocabulary_id, &codes.list[*i].concept_code));
        let mut ids = vec![ConceptId::NONE; order.len()];
        let mut list = Vec::with_capacity(order.len());
        for (rank, place) in order.into_iter().enumerate() {
            ids[place] = ConceptId(first.0 + rank as i64);
            list.push((ids[place], codes.list[place].clone()));
        }
        (list, FinalIds { ids })
    }
}

/// The final ids of provisional ones.
#[derive(Debug, Clone)]
pub struct FinalIds {
    ids: Vec<ConceptId>,
}

impl FinalIds {
    /// The final ids of the codes of a part, whose provisional ids in the whole
    /// are these.
    pub(crate) fn of_part(&self, provisional: &[ConceptId]) -> Self {
        Self { ids: provisional.iter().map(|id| self.of(*id)).collect() }
    }

    /// Whether the number is a provisional id.
    pub(crate) fn is_provisional(&self, id: i64) -> bool {
        id >= PROVISIONAL && ((id - PROVISIONAL) as u64) < self.ids.len() as u64
    }

    /// The final id of a provisional one; any other id is its own.
    pub fn of(&self, id: ConceptId) -> ConceptId {
        match usize::try_from(id.0 - PROVISIONAL) {
            Ok(place) if id.0 >= PROVISIONAL => self.ids.get(place).copied().unwrap_or(id),
            _ => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_ids_follow_vocabulary_and_code() {
        let codes = LocalCodes::default();
        let snomed = codes.provisional("SNOMED", "44054006", "Diabetes", "Condition");
        let cvx = codes.provisional("CVX", "08", "Hep B", "Drug");
        let again = codes.provisional("CVX", "08", "Hep A", "Drug");
        assert_eq!(cvx, again);
        let (list, ids) = codes.assign(ConceptId::FIRST_LOCAL);
        assert_eq!(list[0].1.concept_name, "Hep A");
        assert_eq!(ids.of(cvx), ConceptId(2_000_000_000));
        assert_eq!(ids.of(snomed), ConceptId(2_000_000_001));
        assert_eq!(ids.of(ConceptId(8507)), ConceptId(8507));
    }
}
