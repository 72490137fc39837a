//! Building a records store: rows in from sources, shards of sorted tables out.
//!
//! Rows are divided by shard on their way into a temporary file; memory is
//! bounded by the buffers in front of it, then by the shards in flight. What a
//! store holds does not depend on threads or on the order of arrival, and its
//! tables not on the number of shards.

mod arrange;
mod balance;
mod buffers;
mod derive;
mod eras;
mod finish;
mod local_concepts;
mod persons;
#[cfg(test)]
mod properties;
mod registry;
mod repeated;
mod shards;
pub(crate) mod spill;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use farr_store::Location;

pub use balance::RejectsMax;
use buffers::Buffers;
use registry::Registry;
use spill::Spill;

use crate::manifest::Manifest;
use crate::{
    Derivations, Error, Incoming, Intake, LocalCodes, ObjectId, ObjectRead, Reject, SHARDS_MAX,
    SourceTableId,
};

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
    /// Decoded bytes of rows that are held before they go to the temporary
    /// file.
    pub buffer_bytes: u64,
    /// The folder of the temporary file; `None`: the system's.
    pub spill_folder: Option<PathBuf>,
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
            spill_folder: None,
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
}

impl Builder {
    /// A builder without rows.
    ///
    /// # Errors
    /// [`Error::ShardCount`] for a number of shards that cannot be;
    /// [`Error::Spill`] if no temporary file can be made.
    pub fn new(settings: BuildSettings) -> Result<Self, Error> {
        if let Some(found) = settings.shards
            && (!found.is_power_of_two() || found > SHARDS_MAX)
        {
            return Err(Error::ShardCount { found });
        }
        let spill = Spill::new(settings.spill_folder.as_deref())?;
        let buffers = Buffers::new(spill, settings.buffer_bytes);
        let (registry, local_codes) = (Mutex::default(), LocalCodes::default());
        Ok(Self { settings, buffers, registry, local_codes })
    }

    /// Writes the store to a place that holds none, its manifest last, on the
    /// threads of rayon's current pool.
    ///
    /// # Errors
    /// [`Error::NoPersons`] without a person table; [`Error::TooManyRejects`];
    /// [`Error::Collision`]; [`Error::Balance`] if rows got lost;
    /// [`Error::Unfinished`] for an object without hash; and what fails in
    /// reading and writing.
    pub fn finish(self, location: &Location) -> Result<Built, Error> {
        finish::finish(self, location)
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

    fn object_hash(&self, object: ObjectId, sha256: &str) {
        if let Some(object) = self.registry().objects.get_mut(object.0 as usize) {
            object.sha256 = Some(sha256.to_owned());
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
