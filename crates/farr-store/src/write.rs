//! Streaming bytes into an object.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};

use crate::runtime::wait;
use crate::{Error, Sha256Hash};

/// Bytes of a part: ten thousand of them, the most that S3 takes, are 80 GB.
const PART_BYTES: usize = 8 << 20;

/// Parts on their way at a time.
const PARTS_IN_FLIGHT: usize = 2;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// The hash of the bytes.
    pub sha256: Sha256Hash,
}

/// Writes an object from its start to its end, in parts.
///
/// The object appears, whole, with [`finish`](Self::finish); a writer that is
/// dropped before leaves nothing.
pub struct ObjectWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    object: String,
    buffer: Vec<u8>,
    upload: Option<WriteMultipart>,
    hasher: Sha256,
    size: u64,
    is_finished: bool,
}

impl ObjectWriter {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, object: String) -> Self {
        Self {
            store,
            path,
            object,
            buffer: Vec::new(),
            upload: None,
            hasher: Sha256::new(),
            size: 0,
            is_finished: false,
        }
    }

    /// Ends the object, which appears now, and says what it holds.
    ///
    /// # Errors
    /// Those of a request; [`Error::Changed`] if the store holds another
    /// number of bytes than were written.
    pub fn finish(mut self) -> Result<Written, Error> {
        self.is_finished = true;
        let buffer = std::mem::take(&mut self.buffer);
        let done = match self.upload.take() {
            None => wait(async { self.store.put(&self.path, buffer.into()).await.map(|_| ()) }),
            Some(mut upload) => wait(async {
                upload.write(&buffer);
                upload.finish().await.map(|_| ())
            }),
        };
        let head = done.and_then(|()| wait(self.store.head(&self.path)));
        let head = head.map_err(|e| Error::of_request(self.object.clone(), "write", e))?;
        if head.size != self.size {
            return Err(Error::Changed { object: self.object.clone() });
        }
        let sha256 = Sha256Hash::from_digest(&self.hasher.clone().finalize());
        Ok(Written { size: self.size, sha256 })
    }

    /// Sends the buffer as a part.
    fn send(&mut self) -> Result<(), object_store::Error> {
        let buffer = std::mem::take(&mut self.buffer);
        wait(async {
            if self.upload.is_none() {
                let upload = self.store.put_multipart(&self.path).await?;
                self.upload = Some(WriteMultipart::new_with_chunk_size(upload, PART_BYTES));
            }
            if let Some(upload) = &mut self.upload {
                upload.wait_for_capacity(PARTS_IN_FLIGHT).await?;
                upload.write(&buffer);
            }
            Ok(())
        })
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.hasher.update(&bytes[..taken]);
        self.size += taken as u64;
        if self.buffer.len() == PART_BYTES {
            let sent = self.send();
            let failed = |e| io::Error::other(Error::of_request(self.object.clone(), "write", e));
            sent.map_err(failed)?;
        }
        Ok(taken)
    }

    /// Does nothing: an object has no half-written state to bring out.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let (false, Some(upload)) = (self.is_finished, self.upload.take()) {
            // Parts that stay behind are invisible; stores clear them away.
            let _ = wait(upload.abort());
        }
    }
}

impl fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectWriter({}, {} bytes)", self.object, self.size)
    }
}
