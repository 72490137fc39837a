//! Streaming bytes into an object.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{Attributes, MultipartUpload, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::mark::{Found, Mark};
use crate::runtime::wait;
use crate::{Error, Sha256Hash};

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
    mark: Option<Mark>,
    part_bytes: usize,
    buffer: Vec<u8>,
    upload: Option<Upload>,
    hasher: Sha256,
    size: u64,
}

/// Parts that are sent, and those on their way.
struct Upload {
    parts: Box<dyn MultipartUpload>,
    on_their_way: JoinSet<object_store::Result<()>>,
}

impl Upload {
    async fn send(&mut self, part: Vec<u8>) -> object_store::Result<()> {
        self.leave(PARTS_IN_FLIGHT - 1).await?;
        self.on_their_way.spawn(self.parts.put_part(part.into()));
        Ok(())
    }

    /// Waits until at most so many parts are on their way.
    async fn leave(&mut self, count: usize) -> object_store::Result<()> {
        while self.on_their_way.len() > count {
            if let Some(done) = self.on_their_way.join_next().await {
                done??;
            }
        }
        Ok(())
    }

    async fn complete(&mut self, last: Vec<u8>) -> object_store::Result<()> {
        if !last.is_empty() {
            self.send(last).await?;
        }
        self.leave(0).await?;
        self.parts.complete().await.map(|_| ())
    }

    async fn abort(&mut self) {
        self.on_their_way.shutdown().await;
        // Parts that stay behind are invisible; stores clear them away.
        let _ = self.parts.abort().await;
    }
}

impl ObjectWriter {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        path: Path,
        object: String,
        mark: Option<Mark>,
        part_bytes: usize,
    ) -> Self {
        Self {
            store,
            path,
            object,
            mark,
            part_bytes,
            buffer: Vec::new(),
            upload: None,
            hasher: Sha256::new(),
            size: 0,
        }
    }

    /// Ends the object, which appears now, and says what it holds.
    ///
    /// # Errors
    /// Those of a request; [`Error::Changed`] if the store holds something else
    /// than what was written.
    pub fn finish(mut self) -> Result<Written, Error> {
        let buffer = std::mem::take(&mut self.buffer);
        let upload = self.upload.take();
        wait(self.end(buffer, upload))?;
        let sha256 = Sha256Hash::from_digest(&self.hasher.clone().finalize());
        Ok(Written { size: self.size, sha256 })
    }

    async fn end(&self, last: Vec<u8>, upload: Option<Upload>) -> Result<(), Error> {
        let Some(mut upload) = upload else {
            let put = self.store.put_opts(&self.path, last.into(), self.attributes().into()).await;
            put.map_err(|e| self.failed(e))?;
            return self.check().await;
        };
        let Err(error) = upload.complete(last).await else { return self.check().await };
        // The answer to a completion may be lost, and the repeated request then
        // finds no upload any more.
        if self.mark.is_some() && self.check().await.is_ok() {
            return Ok(());
        }
        upload.abort().await;
        Err(self.failed(error))
    }

    /// Whether the object is there as it was written.
    async fn check(&self) -> Result<(), Error> {
        let size = match &self.mark {
            Some(mark) => match mark.find(&*self.store, &self.path).await {
                Ok(Found::Own { size }) => Ok(Some(size)),
                Ok(Found::Other | Found::Nothing) => Ok(None),
                Err(error) => Err(error),
            },
            None => self.store.head(&self.path).await.map(|head| Some(head.size)),
        };
        if size.map_err(|e| self.failed(e))? == Some(self.size) {
            return Ok(());
        }
        Err(Error::Changed { object: self.object.clone() })
    }

    fn attributes(&self) -> Attributes {
        self.mark.as_ref().map(Mark::attributes).unwrap_or_default()
    }

    fn failed(&self, source: object_store::Error) -> Error {
        Error::of_request(self.object.clone(), "write", source)
    }

    /// Sends the buffer as a part.
    fn send(&mut self) -> Result<(), object_store::Error> {
        let buffer = std::mem::take(&mut self.buffer);
        wait(async {
            if self.upload.is_none() {
                let attributes = self.attributes().into();
                let parts = self.store.put_multipart_opts(&self.path, attributes).await?;
                self.upload = Some(Upload { parts, on_their_way: JoinSet::new() });
            }
            match &mut self.upload {
                Some(upload) => upload.send(buffer).await,
                None => Ok(()),
            }
        })
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.part_bytes - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.hasher.update(&bytes[..taken]);
        self.size += taken as u64;
        if self.buffer.len() == self.part_bytes {
            self.send().map_err(|e| io::Error::other(self.failed(e)))?;
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
        if let Some(mut upload) = self.upload.take() {
            wait(upload.abort());
        }
    }
}

impl fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectWriter({}, {} bytes)", self.object, self.size)
    }
}
