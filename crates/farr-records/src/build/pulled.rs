//! What a pull leaves: rows in memory or at rest, and an index of all that
//! building a store of them takes.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use farr_disclosure::Labelled;
use farr_store::{Location, Sha256Hash};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::Xxh3;

use super::at_rest::{Flush, Held};
use super::buffers::TableSeen;
use super::registry::Registry;
use super::spill::{RowsFile, RowsIn, said_of};
use super::texts::TextLists;
use crate::{Error, LocalCode, Table};

/// The index, written last: a pull without one is unfinished.
const INDEX_PATH: &str = "pulled.json";

/// The layout of rows at rest.
const FORMAT_VERSION: u32 = 5;

/// Bytes of rows that are looked at together.
const BLOCK_BYTES: usize = 1 << 20;

/// What one pull, or one part of it, read: rows at rest and their index.
///
/// Kept in a place it outlives the process, so that a build that was cut short
/// can be taken up, and the parts of several processes be joined. All of it is
/// of persons.
pub struct Pulled {
    pub(super) index: Index,
    pub(super) rows: RowsIn,
    /// Rows that never left memory.
    pub(super) held: Held,
}

/// All that must be known of rows at rest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    format_version: u32,
    farr_version: String,
    pub(super) registry: Registry,
    /// Codes by their provisional ids.
    pub(super) codes: Vec<LocalCode>,
    pub(super) seen: BTreeMap<Table, TableSeen>,
    /// The largest id that a source uses for a local concept of its own.
    pub(super) local_id_max: Option<i64>,
    /// Decoded bytes of persons' rows.
    pub(super) decoded_bytes: u64,
    pub(super) flushes: Vec<Flush>,
    pub(super) texts: TextLists,
    files: Vec<RowsFile>,
}

/// What a pull found, its rows apart.
pub(super) struct Found {
    pub(super) registry: Registry,
    pub(super) codes: Vec<LocalCode>,
    pub(super) seen: BTreeMap<Table, TableSeen>,
    pub(super) local_id_max: Option<i64>,
    pub(super) decoded_bytes: u64,
    pub(super) flushes: Vec<Flush>,
    pub(super) texts: TextLists,
}

impl Pulled {
    /// Of what was found, and where its rows lie; `kept` is where the index
    /// goes.
    pub(super) fn new(
        found: Found,
        ((rows, files), held): ((RowsIn, Vec<RowsFile>), Held),
        kept: Option<&Location>,
    ) -> Result<Self, Error> {
        let Found { registry, codes, seen, local_id_max, decoded_bytes, flushes, texts } = found;
        let index = Index {
            format_version: FORMAT_VERSION,
            farr_version: env!("CARGO_PKG_VERSION").to_owned(),
            registry,
            codes,
            seen,
            local_id_max,
            decoded_bytes,
            flushes,
            texts,
            files,
        };
        kept.map_or(Ok(()), |location| index.write(location))?;
        Ok(Self { index, rows, held })
    }

    /// The pull that a place holds; `None` if it is unfinished, of another
    /// farr, or damaged: all rows are read once to know. Then the sources must
    /// be read anew.
    ///
    /// # Errors
    /// [`Error::Store`] if the place cannot be read.
    pub fn open(location: &Location) -> Result<Option<Self>, Error> {
        let bytes = match location.read(INDEX_PATH) {
            Ok(bytes) => bytes,
            Err(farr_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(index) = Index::read(&bytes) else { return Ok(None) };
        for file in &index.files {
            if !is_whole(location, file)? {
                return Ok(None);
            }
        }
        let rows = RowsIn::open(location, &index.files)?;
        Ok(Some(Self { index, rows, held: Held::new() }))
    }

    /// Rows read, of every source table together.
    pub fn rows_read(&self) -> u64 {
        self.index.registry.tables.iter().map(|table| table.read).sum()
    }

    /// Objects read, or ranges of some.
    pub fn objects(&self) -> usize {
        self.index.registry.objects.len()
    }
}

impl Index {
    /// Writes the index, behind a line with its hash.
    fn write(&self, location: &Location) -> Result<(), Error> {
        let failed = |source| Error::Manifest { object: location.url_of(INDEX_PATH), source };
        let text = serde_json::to_vec(self).map_err(failed)?;
        let mut bytes = format!("{}\n", Sha256Hash::of(&text)).into_bytes();
        bytes.extend_from_slice(&text);
        location.write(INDEX_PATH, Labelled::person_level(Bytes::from(bytes)))?;
        Ok(())
    }

    /// The index, if it is one of this farr and undamaged.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (hash, text) = (&bytes[..end], &bytes[end + 1..]);
        if Sha256Hash::of(text).as_str().as_bytes() != hash {
            return None;
        }
        let index: Self = serde_json::from_slice(text).ok()?;
        let is_ours = index.format_version == FORMAT_VERSION
            && index.farr_version == env!("CARGO_PKG_VERSION");
        is_ours.then_some(index)
    }
}

fn is_whole(location: &Location, file: &RowsFile) -> Result<bool, Error> {
    let mut reader = match location.reader(&file.path) {
        Ok(reader) => reader,
        Err(farr_store::Error::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let (mut hasher, mut size) = (Xxh3::new(), 0);
    let mut bytes = vec![0; BLOCK_BYTES];
    loop {
        let read = reader.read(&mut bytes).map_err(|source| {
            match source.downcast::<farr_store::Error>() {
                Ok(error) => Error::Store(error),
                Err(source) => Error::Spill { action: "read", source },
            }
        })?;
        if read == 0 {
            return Ok(size == file.size && said_of(&hasher) == file.hash);
        }
        hasher.update(&bytes[..read]);
        size += read as u64;
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom("no table of OMOP"))
    }
}
