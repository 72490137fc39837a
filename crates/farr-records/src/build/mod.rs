//! Building a records store: rows in from sources, shards of sorted tables out.
//!
//! A [`Builder`] takes rows, divides them by shard and holds them; more than
//! its buffers hold go into a temporary file, or into a place that keeps them.
//! Closed, it is a [`Pulled`]. [`build`] makes a store of one or of several such parts.
//! Memory is bounded by the buffers in front of the file, then by the shards
//! in flight. What a store holds does not depend on threads, on the order of
//! arrival or on how the input was divided into parts, and its tables not on
//! the number of shards.

mod arrange;
mod at_rest;
mod balance;
mod buffers;
mod codes;
mod derive;
mod divided;
#[cfg(test)]
mod division;
mod eras;
mod finish;
mod local_concepts;
mod marks;
mod packed;
mod parts;
mod persons;
mod pieces;
#[cfg(test)]
mod properties;
mod pulled;
mod registry;
mod repeated;
mod shards;
pub(crate) mod spill;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use farr_store::Location;

pub use balance::RejectsMax;
use buffers::Buffers;
pub use finish::build;
use pulled::Found;
pub use pulled::Pulled;
use registry::Registry;
use spill::RowsOut;

use crate::manifest::Manifest;
use crate::{
    Derivations, Error, Incoming, Intake, LocalCodes, ObjectId, ObjectRead, RangeRead, Reject,
    SHARDS_MAX, ShardId, SourceTableId, Table,
};

/// Where rows lie until they are built into shards.
#[derive(Debug, Clone)]
pub enum SpillPlace {
    /// In an unnamed file of a folder (`None`: the system's for temporary
    /// files), gone with the process.
    Temporary(Option<PathBuf>),
    /// In a place that holds nothing else, until whoever named it takes them
    /// away. They are persons' rows. What the buffers hold whole stays there:
    /// it is read again as fast as it is built.
    Kept(Location),
}

/// How a store is built. None but `shards` changes what files it has, and none
/// what rows they hold together.
#[derive(Debug, Clone)]
pub struct BuildSettings {
    /// The number of shards, a power of two; `None`: chosen by the input's
    /// size, one per `bytes_per_shard`.
    pub shards: Option<u32>,
    /// Decoded bytes of persons' rows per shard.
    pub bytes_per_shard: u64,
    /// Shards that are built at the same time, hence in memory; never more
    /// than there are threads.
    pub shards_in_flight: usize,
    /// Bytes of rows that are held before they go where rows lie.
    pub buffer_bytes: u64,
    /// Where rows go.
    pub spill: SpillPlace,
    /// Into how many parts of about the same size the input is divided, of
    /// which a builder takes one. It changes how fast a build is, not what it
    /// gives.
    pub parts: u32,
    /// How many rejects are allowed; `None`: any number.
    pub rejects_max: Option<RejectsMax>,
    /// The time zone of each source system, for the manifest.
    pub timezones: BTreeMap<String, String>,
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self {
            shards: None,
            bytes_per_shard: 64 << 20,
            shards_in_flight: 16,
            buffer_bytes: 256 << 20,
            spill: SpillPlace::Temporary(None),
            parts: 1,
            rejects_max: None,
            timezones: BTreeMap::new(),
        }
    }
}

/// Takes what sources read, and makes a records store of it.
pub struct Builder {
    settings: BuildSettings,
    buffers: Buffers,
    registry: Mutex<Registry>,
    local_codes: LocalCodes,
}

/// What a build gave.
#[derive(Debug, Clone)]
pub struct Built {
    /// The store's manifest, as written.
    pub manifest: Manifest,
    /// The objects read, with their entity tags, by system and path.
    pub objects: Vec<ObjectRead>,
    /// The source tables of which rows were rejected, by system and name.
    pub rejects: Vec<TableRejects>,
}

/// Rows of a source table that were rejected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableRejects {
    /// The source system.
    pub system: String,
    /// The table's name there.
    pub source_table: String,
    /// Rows read.
    pub read: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// The commonest reason, behind the column if it is one column's.
    pub commonest: String,
}

/// How far a build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It begins: there will be so many shards.
    Begins {
        /// How many.
        shards: u32,
    },
    /// A table without persons is written.
    Table {
        /// Which.
        table: Table,
        /// Whether it was there from an earlier build.
        was_there: bool,
    },
    /// A shard is written.
    Shard {
        /// Which.
        shard: ShardId,
        /// Whether it was there from an earlier build.
        was_there: bool,
    },
}

/// Is told how far a build has come, by any thread; a `Break` stops it.
pub type Watch<'a> = dyn Fn(Progress) -> ControlFlow<()> + Sync + 'a;

impl BuildSettings {
    /// How many shards persons' rows of so many decoded bytes make, a part's.
    fn expected_shards(&self, decoded_bytes: u64) -> u32 {
        self.shard_count(decoded_bytes.saturating_mul(u64::from(self.parts)))
    }

    /// How many shards persons' rows of so many decoded bytes make.
    fn shard_count(&self, decoded_bytes: u64) -> u32 {
        self.shards.unwrap_or_else(|| {
            let shards = decoded_bytes.div_ceil(self.bytes_per_shard.max(1));
            shards.next_power_of_two().min(u64::from(SHARDS_MAX)) as u32
        })
    }

    fn check(&self) -> Result<(), Error> {
        match self.shards {
            Some(found) if !found.is_power_of_two() || found > SHARDS_MAX => {
                Err(Error::ShardCount { found })
            }
            _ => Ok(()),
        }
    }
}

impl Builder {
    /// A builder without rows.
    ///
    /// # Errors
    /// [`Error::ShardCount`] for a number of shards that cannot be;
    /// [`Error::Spill`] if no temporary file can be made.
    pub fn new(settings: BuildSettings) -> Result<Self, Error> {
        settings.check()?;
        let buffers = Buffers::new(RowsOut::new(&settings.spill)?, settings.clone());
        let (registry, local_codes) = (Mutex::default(), LocalCodes::default());
        Ok(Self { settings, buffers, registry, local_codes })
    }

    /// Whether the pull will outlive the process: the rows are to be kept, and
    /// there are more than the buffers hold, or another process builds them.
    pub fn keeps(&self) -> bool {
        let is_kept = matches!(self.settings.spill, SpillPlace::Kept(_));
        is_kept && (self.settings.parts > 1 || self.buffers.has_flushed())
    }

    /// Ends the pull: all rows are in memory or at rest, and, where they are
    /// kept, their index is written last.
    ///
    /// # Errors
    /// [`Error::Store`] or [`Error::Spill`] if something cannot be written.
    pub fn close(self) -> Result<Pulled, Error> {
        let keeps = self.keeps();
        let Self { settings, buffers, registry, local_codes } = self;
        let decoded_bytes = buffers.decoded_bytes();
        let in_memory = !keeps && !buffers.has_flushed();
        let closed = buffers.close(settings.expected_shards(decoded_bytes), in_memory)?;
        let found = Found {
            registry: registry.into_inner().unwrap_or_else(PoisonError::into_inner),
            codes: local_codes.list(),
            seen: closed.seen,
            local_id_max: closed.local_id_max,
            decoded_bytes: closed.decoded_bytes,
            flushes: closed.flushes,
            texts: closed.texts,
        };
        let kept = match &settings.spill {
            SpillPlace::Kept(location) if keeps => Some(location),
            SpillPlace::Kept(_) | SpillPlace::Temporary(_) => None,
        };
        Pulled::new(found, (closed.rows, closed.held), kept)
    }

    /// Ends the pull and builds the store of this one part: see [`build`].
    ///
    /// # Errors
    /// Those of both.
    pub fn finish(self, location: &Location) -> Result<Built, Error> {
        let settings = self.settings.clone();
        let pulled = self.close()?;
        build(vec![pulled], &settings, location, None, &|_| ControlFlow::Continue(()))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intake for Builder {
    type Error = Error;

    fn source_table(&self, system: &str, name: &str, derive: Derivations) -> SourceTableId {
        self.registry().source_table(system, name, derive)
    }

    fn object(&self, object: ObjectRead) -> ObjectId {
        self.registry().object(object)
    }

    fn range_read(&self, object: ObjectId, range: RangeRead) {
        if let Some(object) = self.registry().objects.get_mut(object.0 as usize) {
            object.range = Some(range);
        }
    }

    fn rows_read(&self, source_table: SourceTableId, rows: u64) {
        if let Some(table) = self.registry().tables.get_mut(source_table.0 as usize) {
            table.read += rows;
        }
    }

    fn rows(&self, incoming: Incoming) -> Result<(), Error> {
        if !self.registry().knows(incoming.source_table, incoming.object) {
            return Err(Error::Unregistered);
        }
        self.buffers.push(incoming)
    }

    fn rejects(&self, rejects: Vec<Reject>) -> Result<(), Error> {
        let mut registry = self.registry();
        for reject in rejects {
            if !registry.knows(reject.source_table, reject.object) {
                return Err(Error::Unregistered);
            }
            registry.reject(reject);
        }
        Ok(())
    }

    fn local_codes(&self) -> &LocalCodes {
        &self.local_codes
    }
}
