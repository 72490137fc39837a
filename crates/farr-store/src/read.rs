//! Streaming an object through a hash.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::runtime::wait;

/// A SHA-256, printed in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha256Hash(String);

impl Sha256Hash {
    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&Sha256::digest(bytes))
    }

    /// The hash of an object of which the hashes of its blocks of
    /// [`BLOCK_BYTES`](crate::BLOCK_BYTES) are known, in order: of one block,
    /// the block's; of several, the hash of their hexadecimal hashes, a line
    /// each. So parts of an object can be hashed apart, and
    /// `split -b 8M --filter=sha256sum FILE | cut -c 1-64 | sha256sum` gives
    /// the same.
    pub fn of_blocks(blocks: &[Self]) -> Self {
        match blocks {
            [] => Self::of(b""),
            [block] => block.clone(),
            blocks => {
                let lines: Vec<&str> = blocks.iter().flat_map(|b| [b.as_str(), "\n"]).collect();
                Self::of(lines.concat().as_bytes())
            }
        }
    }

    pub(crate) fn from_digest(digest: &[u8]) -> Self {
        use fmt::Write;
        let mut text = String::with_capacity(64);
        for byte in digest {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of a block, of which the hash of an object is made: see
/// [`Sha256Hash::of_blocks`].
pub const BLOCK_BYTES: u64 = 8 << 20;

/// Reads an object from its start to its end, hashing what passes.
pub struct ObjectReader {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    current: Bytes,
    hasher: Arc<Mutex<Sha256>>,
    object: String,
}

/// Bytes of a piece that one request fetches.
const PIECE_BYTES: u64 = 8 << 20;

/// Pieces fetched ahead of the one that is read.
const PIECES_AHEAD: usize = 3;

/// An object as a stream of ranges, fetched ahead in the background. All are
/// of one version: a change in the midst is an error, where the store has
/// entity tags.
pub(crate) async fn pieces(
    store: Arc<dyn ObjectStore>,
    path: Path,
) -> object_store::Result<BoxStream<'static, object_store::Result<Bytes>>> {
    let head = store.head(&path).await?;
    let starts = (0..head.size).step_by(PIECE_BYTES as usize);
    let fetch = move |start: u64| {
        let (store, path) = (Arc::clone(&store), path.clone());
        let range = start..head.size.min(start + PIECE_BYTES);
        let if_match = head.e_tag.clone();
        tokio::spawn(async move {
            let options = GetOptions { range: Some(range.into()), if_match, ..Default::default() };
            store.get_opts(&path, options).await?.bytes().await
        })
    };
    let fetched = futures::stream::iter(starts).map(fetch).buffered(PIECES_AHEAD);
    Ok(fetched.map(|joined| joined?).boxed())
}

impl ObjectReader {
    pub(crate) fn new(
        stream: BoxStream<'static, object_store::Result<Bytes>>,
        object: String,
    ) -> Self {
        Self { stream, current: Bytes::new(), hasher: Arc::default(), object }
    }

    /// A handle that gives the hash of what was read, also after the reader
    /// has been handed to a decoder.
    pub fn hash(&self) -> impl Fn() -> Sha256Hash + Send + 'static {
        let hasher = Arc::clone(&self.hasher);
        move || {
            let hasher = hasher.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Sha256Hash::from_digest(&hasher.clone().finalize())
        }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match wait(self.stream.next()) {
                None => return Ok(0),
                Some(chunk) => {
                    let failed = |e| Error::of_request(self.object.clone(), "read", e);
                    self.current = chunk.map_err(|e| io::Error::other(failed(e)))?;
                }
            }
        }
        let n = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..n]);
        self.hasher.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(&buffer[..n]);
        Ok(n)
    }
}
