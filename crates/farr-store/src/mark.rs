//! A mark on what is written, by which a writer knows its own object again.
//!
//! When the answer to a write is lost, the repeated request finds the object
//! there, or the upload gone, and cannot tell its own success from another's.
//! So each write puts a value of its own into the object's metadata.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions, ObjectStore};

/// The key: letters only, since Azure takes nothing else.
const KEY: &str = "farrwrite";

#[derive(Debug, Clone)]
pub(crate) struct Mark(String);

/// What lies at the place of an object that was to be written.
pub(crate) enum Found {
    Own { size: u64 },
    Other,
    Nothing,
}

impl Mark {
    pub(crate) fn new() -> Self {
        // Its keys are random in each process, and others for each state.
        let once = (SystemTime::now(), std::process::id());
        let half = || RandomState::new().hash_one(once);
        Self(format!("{:016x}{:016x}", half(), half()))
    }

    pub(crate) fn attributes(&self) -> Attributes {
        Attributes::from_iter([(Attribute::Metadata(KEY.into()), self.0.clone())])
    }

    pub(crate) async fn find(
        &self,
        store: &dyn ObjectStore,
        path: &Path,
    ) -> object_store::Result<Found> {
        let options = GetOptions { head: true, ..Default::default() };
        match store.get_opts(path, options).await {
            Ok(got) => {
                let found = got.attributes.get(&Attribute::Metadata(KEY.into()));
                let is_own = found.is_some_and(|found| found.as_ref() == self.0);
                Ok(if is_own { Found::Own { size: got.meta.size } } else { Found::Other })
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
