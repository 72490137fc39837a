//! Objects that are copied and compared within a place, block by block.

use std::io::{self, Write};

use farr_disclosure::Labelled;

use crate::location::generic;
use crate::{Blocks, Error, Location, ObjectWriter};

/// Bytes of an object that is read whole.
const WHOLE_BYTES: u64 = 1 << 20;

impl Location {
    /// Makes `to` an object with the bytes of `from`, which are persons'; replaces
    /// one that is there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Changed`] if `from` changes meanwhile;
    /// [`Error::Zone`] if the zone does not take persons' rows.
    pub fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let size = self.info(from)?.size;
        if size <= WHOLE_BYTES {
            return self.write(to, Labelled::person_level(self.read(from)?));
        }
        let blocks = self.blocks_of(from, size)?;
        let content = |sink: &mut ObjectWriter| -> Result<(), Error> {
            for block in blocks {
                sink.write_all(&block?).map_err(|error| self.written(to, error))?;
            }
            Ok(())
        };
        self.write_streamed(to, Labelled::person_level(content)).map(drop)
    }

    /// Whether two objects have the same bytes; not if `other` is not there.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub fn are_equal(&self, one: &str, other: &str) -> Result<bool, Error> {
        let size = self.info(one)?.size;
        match self.info(other) {
            Ok(other) if other.size == size => {}
            Ok(_) | Err(Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        if size <= WHOLE_BYTES {
            return Ok(self.read(one)? == self.read(other)?);
        }
        for (one, other) in self.blocks_of(one, size)?.zip(self.blocks_of(other, size)?) {
            if one? != other? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn blocks_of(&self, path: &str, size: u64) -> Result<Blocks, Error> {
        let pinned = self.pin(path)?;
        if pinned.size() != size {
            return Err(Error::Changed { object: self.url_of(path) });
        }
        pinned.blocks(0..size, self.part_bytes())
    }

    /// What kept bytes from being written.
    fn written(&self, path: &str, error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::of_request(self.url_of(path), "write", generic(error)),
        }
    }
}
