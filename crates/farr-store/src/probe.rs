//! Whether a store keeps its word on put-if-absent.

use bytes::Bytes;
use farr_disclosure::Document;

use crate::mark::Mark;
use crate::{Error, Location};

impl Location {
    /// Makes sure that the place has put-if-absent, on which leases and
    /// pointers stand: puts a small object twice, and deletes it. Some private
    /// clouds ignore the condition, and would let two runs overwrite each other
    /// without a word.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the second put succeeds or the store refuses
    /// conditions; those of a request otherwise.
    pub fn require_put_if_absent(&self) -> Result<(), Error> {
        let action = "put an object only if it is absent";
        let unsupported = || Error::Unsupported { object: self.url().to_owned(), action };
        let path = format!(".farr-probe-{}", Mark::new());
        let statement = Document::new("probe").statement().ok_or_else(unsupported)?;
        let content = || statement.as_ref().map(|_| Bytes::from_static(b"{}"));
        let first = self.write_if_absent(&path, content());
        let second = first.and_then(|()| match self.write_if_absent(&path, content()) {
            Err(Error::Exists { .. }) => Ok(()),
            Ok(()) => Err(unsupported()),
            Err(error) => Err(error),
        });
        self.delete(&path)?;
        second
    }
}
