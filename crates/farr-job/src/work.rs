//! What a run keeps of its work, so that the same run, started again after it
//! died, goes on where it was. It holds persons' data and lies with the
//! records, in `work/`.

use std::collections::BTreeSet;

use bytes::Bytes;
use farr_disclosure::Labelled;
use farr_store::{Location, Sha256Hash};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The folder of all work at the records' location.
pub(crate) const WORK: &str = "work";

/// The work of one run.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    location: Location,
}

/// What says that cohort rows are kept.
const COHORTS: &str = "cohorts";

/// Whose cohort rows a run keeps with the records.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptCohorts {
    /// The run of the records.
    pub(crate) records: String,
    pub(crate) job: String,
    /// The url of the place where the report is to be; `None` once runs for
    /// several places have kept them: any of these may have its report.
    pub(crate) reports: Option<String>,
}

/// Bytes of the hash in front of what is kept.
const HASH: usize = 64;

impl Work {
    /// The work of a run, by kind and identity: `records-…` or `report-…`.
    pub(crate) fn of(records: &Location, name: &str) -> Self {
        Self { location: records.below(&format!("{WORK}/{name}")) }
    }

    /// The place for what other rooms keep.
    pub(crate) fn below(&self, folder: &str) -> Location {
        self.location.below(folder)
    }

    /// Keeps a value.
    pub(crate) fn keep<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let object = || self.location.url_of(name);
        let content = postcard::to_allocvec(value).map_err(|_| Error::Work { object: object() })?;
        let mut bytes = Sha256Hash::of(&content).to_string().into_bytes();
        bytes.extend(content);
        Ok(self.location.write(name, Labelled::person_level(Bytes::from(bytes)))?)
    }

    /// What was kept; `None` if nothing was, or it is damaged: then the work is
    /// done again.
    pub(crate) fn find<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let bytes = match self.location.read(name) {
            Ok(bytes) => bytes,
            Err(farr_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some((hash, content)) = bytes.split_at_checked(HASH) else { return Ok(None) };
        if Sha256Hash::of(content).to_string().as_bytes() != hash {
            return Ok(None);
        }
        Ok(postcard::from_bytes(content).ok())
    }

    /// Says which cohort rows the run keeps, before it does: should it die, they can
    /// be told from those of reports that are there.
    pub(crate) fn keeps_cohorts(&self, kept: &KeptCohorts) -> Result<(), Error> {
        self.keep(COHORTS, kept)
    }

    /// The cohort rows that the run said it keeps.
    pub(crate) fn kept_cohorts(&self) -> Result<Option<KeptCohorts>, Error> {
        self.find(COHORTS)
    }

    /// The names of what is kept in a folder, whole or damaged.
    pub(crate) fn names(&self, folder: &str) -> Result<BTreeSet<String>, Error> {
        Ok(self.location.list(folder)?.into_iter().map(|object| object.path).collect())
    }

    /// Removes all of it.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        Ok(self.location.remove_all()?)
    }
}

#[cfg(test)]
mod tests {
    use farr_disclosure::Zone;

    use super::*;

    #[test]
    fn what_is_kept_is_found_unless_it_is_damaged() {
        let place = Location::memory(Zone::Restricted);
        let work = Work::of(&place, "report-1");
        assert_eq!(work.find::<Vec<f64>>("a").unwrap(), None);
        let value = vec![0.1 + 0.2, f64::INFINITY, -0.0];
        work.keep("a", &value).unwrap();
        assert_eq!(work.find::<Vec<f64>>("a").unwrap(), Some(value));
        let path = "work/report-1/a";
        let mut bytes = place.read(path).unwrap().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        place.write(path, Labelled::person_level(Bytes::from(bytes))).unwrap();
        assert_eq!(work.find::<Vec<f64>>("a").unwrap(), None);
        place.write(path, Labelled::person_level(Bytes::from_static(b"short"))).unwrap();
        assert_eq!(work.find::<Vec<f64>>("a").unwrap(), None);
        work.remove().unwrap();
        assert!(place.list("").unwrap().is_empty());
    }
}
