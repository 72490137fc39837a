//! What is left of a shard that was built, so that a build that was cut short
//! need not build it again.

use std::collections::BTreeMap;

use bytes::Bytes;
use farr_disclosure::Labelled;
use farr_store::{Location, Sha256Hash};
use serde::{Deserialize, Serialize};

use super::balance::Fortunes;
use super::pieces::ids_of;
use super::shards::{Outcome, Plan, counted_ids};
use crate::manifest::{FORMAT_VERSION, FileEntry};
use crate::{Error, Table, parquet_file};

/// The place of marks, and what they are marks of.
pub(super) struct Marks<'a> {
    location: &'a Location,
    /// The hash of all that the bytes of a shard depend on.
    key: Sha256Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    key: Sha256Hash,
    files: BTreeMap<Table, FileEntry>,
    codes: Option<FileEntry>,
    fortunes: Fortunes,
    exposures_without_ingredient: u64,
    providers_filled: u64,
}

impl<'a> Marks<'a> {
    /// Marks of a build of objects with this hash into so many shards.
    pub(super) fn of(location: &'a Location, snapshot: &Sha256Hash, shard_count: u32) -> Self {
        let farr = env!("CARGO_PKG_VERSION");
        let text = format!("{farr}\n{FORMAT_VERSION}\n{shard_count}\n{snapshot}\n");
        Self { location, key: Sha256Hash::of(text.as_bytes()) }
    }

    /// What a shard or piece gave that was built before, if its files are as
    /// they were.
    pub(super) fn outcome(&self, plan: &Plan<'_>, name: &str) -> Result<Option<Outcome>, Error> {
        let bytes = match self.location.read(&path_of(name)) {
            Ok(bytes) => bytes,
            Err(farr_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Ok(mark) = serde_json::from_slice::<Mark>(&bytes) else { return Ok(None) };
        if mark.key != self.key {
            return Ok(None);
        }
        let mut outcome = Outcome {
            fortunes: mark.fortunes,
            exposures_without_ingredient: mark.exposures_without_ingredient,
            providers_filled: mark.providers_filled,
            ..Outcome::default()
        };
        if let Some(codes) = mark.codes {
            if unchanged(plan.location, &codes)?.is_none() {
                return Ok(None);
            }
            outcome.codes = Some(codes);
        }
        for (table, file) in mark.files {
            let Some(bytes) = unchanged(plan.location, &file)? else { return Ok(None) };
            if let Some(ids) = counted_ids(table) {
                let failed = |source| Error::Parquet { object: file.path.clone(), source };
                let rows = parquet_file::decode(bytes, &[ids]).map_err(failed)?;
                plan.note_ids(&mut outcome, table, &ids_of(table, &rows))?;
            }
            outcome.files.insert(table, file);
        }
        Ok(Some(outcome))
    }

    /// Marks a shard or piece as built.
    pub(super) fn put(&self, name: &str, outcome: &Outcome) -> Result<(), Error> {
        let mark = Mark {
            key: self.key.clone(),
            files: outcome.files.clone(),
            codes: outcome.codes.clone(),
            fortunes: outcome.fortunes.clone(),
            exposures_without_ingredient: outcome.exposures_without_ingredient,
            providers_filled: outcome.providers_filled,
        };
        let path = path_of(name);
        let failed = |source| Error::Manifest { object: self.location.url_of(&path), source };
        let bytes = serde_json::to_vec(&mark).map_err(failed)?;
        // Places of refused rows are in it.
        Ok(self.location.write(&path, Labelled::person_level(Bytes::from(bytes)))?)
    }
}

/// The bytes of a file, if they are those that were written.
fn unchanged(location: &Location, file: &FileEntry) -> Result<Option<Bytes>, Error> {
    match location.read(&file.path) {
        Ok(bytes) => {
            let is_same = bytes.len() as u64 == file.size && Sha256Hash::of(&bytes) == file.sha256;
            Ok(is_same.then_some(bytes))
        }
        Err(farr_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn path_of(name: &str) -> String {
    format!("{name}.json")
}
