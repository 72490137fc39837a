//! Streaming an object through a hash.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::buffers::Buffers;
use crate::retry::{Retries, Tries, is_cut};
use crate::runtime::wait;
use crate::{Error, ObjectInfo};

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

/// Bytes of a piece that one request fetches.
const PIECE_BYTES: u64 = 8 << 20;

/// Pieces fetched ahead of the one that is read.
const PIECES_AHEAD: usize = 3;

pub(crate) type Pieces = BoxStream<'static, Result<Bytes, Error>>;

/// Which content of an object is read: what must stay as it is meanwhile.
#[derive(Debug, Clone)]
struct Version {
    size: u64,
    etag: Option<String>,
    /// Milliseconds since 1970; what counts where there is no entity tag.
    modified_ms: i64,
    /// What to ask for. Listings may write tags in another form than answers.
    if_match: Option<String>,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        let modified_ms = meta.last_modified.timestamp_millis();
        // By HTTP's rules a weak tag never matches.
        let if_match = meta.e_tag.clone().filter(|tag| !tag.starts_with("W/"));
        Self { size: meta.size, etag: meta.e_tag.clone(), modified_ms, if_match }
    }

    fn listed(info: &ObjectInfo) -> Self {
        let (etag, modified_ms) = (info.etag.clone(), info.modified_ms);
        Self { size: info.size, etag, modified_ms, if_match: None }
    }

    fn is_same(&self, other: &Self) -> bool {
        // Listings and headers quote tags differently, and times to the second.
        let bare = |tag: &String| tag.trim_start_matches("W/").trim_matches('"').to_owned();
        let same = match (&self.etag, &other.etag) {
            (Some(one), Some(other)) => bare(one) == bare(other),
            _ => self.modified_ms / 1000 == other.modified_ms / 1000,
        };
        same && self.size == other.size
    }
}

/// An object to be read, of one version: the listed one, or else what the first
/// answer shows.
#[derive(Clone)]
pub(crate) struct Reading {
    store: Arc<dyn ObjectStore>,
    path: Path,
    object: String,
    retries: Retries,
    version: Option<Version>,
    buffers: Buffers,
}

/// What one request gave.
struct Piece {
    bytes: Bytes,
    /// Where it was asked for, and the bytes come from a local file.
    hash: Option<Sha256Hash>,
    version: Version,
}

impl Reading {
    pub(crate) fn new(
        store: &Arc<dyn ObjectStore>,
        path: Path,
        object: String,
        retries: Retries,
    ) -> Self {
        let store = Arc::clone(store);
        Self { store, path, object, retries, version: None, buffers: Buffers::default() }
    }

    pub(crate) fn of_listed(self, info: &ObjectInfo) -> Self {
        Self { version: Some(Version::listed(info)), ..self }
    }

    /// Of the version that is there now; with its size.
    pub(crate) async fn of_now(mut self) -> Result<(Self, u64), Error> {
        let version = self.check_head().await?;
        let size = version.size;
        self.version = Some(version);
        Ok((self, size))
    }

    /// An object as a stream of ranges, fetched ahead in the background, of one
    /// version: a change in the midst is an error.
    pub(crate) async fn pieces(mut self) -> Result<Pieces, Error> {
        if self.version.as_ref().is_some_and(|version| version.size == 0) {
            self.check_head().await?;
            return Ok(futures::stream::empty().boxed());
        }
        let Piece { bytes: first, version, .. } = match self.piece(0..PIECE_BYTES, false).await {
            Ok(found) => found,
            Err(Error::Unsupported { .. }) => return self.whole().await,
            Err(error) => {
                // An empty object has no range to ask for.
                let is_empty = matches!(error, Error::Request { .. })
                    && self.check_head().await.is_ok_and(|version| version.size == 0);
                let none = futures::stream::empty().boxed();
                return if is_empty { Ok(none) } else { Err(error) };
            }
        };
        let size = version.size;
        self.version = Some(version);
        let starts = (PIECE_BYTES..size).step_by(PIECE_BYTES as usize);
        let object = self.object.clone();
        let fetch = move |start: u64| {
            let reading = self.clone();
            let range = start..size.min(start + PIECE_BYTES);
            tokio::spawn(async move { reading.range(range).await })
        };
        let rest = futures::stream::iter(starts).map(fetch).buffered(PIECES_AHEAD);
        let stopped =
            move |e| Error::of_request(object.clone(), "read", object_store::Error::from(e));
        let rest = rest.map(move |joined| joined.map_err(&stopped)?);
        Ok(futures::stream::iter([Ok(first)]).chain(rest).boxed())
    }

    /// Bytes of a range, cut at the object's end. An answer that breaks off is
    /// asked for again.
    pub(crate) async fn range(&self, range: Range<u64>) -> Result<Bytes, Error> {
        Ok(self.piece(range, false).await?.bytes)
    }

    /// The same, with their hash where that takes less time than later.
    pub(crate) async fn hashed(
        &self,
        range: Range<u64>,
    ) -> Result<(Bytes, Option<Sha256Hash>), Error> {
        let Piece { bytes, hash, .. } = self.piece(range, true).await?;
        Ok((bytes, hash))
    }

    async fn piece(&self, range: Range<u64>, is_hashed: bool) -> Result<Piece, Error> {
        let mut tries = Tries::new(self.retries);
        loop {
            match self.piece_once(range.clone(), is_hashed).await {
                Ok(piece) => return Ok(piece),
                Err(Cut::Passing(error)) if !tries.again(None).await => {
                    return Err(self.failed(tries.broke_off(&error)));
                }
                Err(Cut::Passing(_)) => {}
                Err(Cut::Final(error)) => return Err(error),
            }
        }
    }

    async fn piece_once(&self, range: Range<u64>, is_hashed: bool) -> Result<Piece, Cut> {
        let if_match = self.version.as_ref().and_then(|version| version.if_match.clone());
        let options =
            GetOptions { range: Some(range.clone().into()), if_match, ..Default::default() };
        let got = self.store.get_opts(&self.path, options).await;
        let got = got.map_err(|error| self.sorted(error))?;
        let (version, expected) = (Version::of(&got.meta), got.range.end - got.range.start);
        self.check(&version).map_err(Cut::Final)?;
        let found = self.bytes_of(got, is_hashed).await;
        let (bytes, hash) = found.map_err(|error| self.sorted(error))?;
        if bytes.len() as u64 != expected {
            return Err(Cut::Final(self.changed()));
        }
        Ok(Piece { bytes, hash, version })
    }

    async fn bytes_of(
        &self,
        got: GetResult,
        is_hashed: bool,
    ) -> Result<(Bytes, Option<Sha256Hash>), object_store::Error> {
        let GetResultPayload::File(file, _) = got.payload else {
            return Ok((got.bytes().await?, None));
        };
        let buffers = self.buffers.clone();
        let read = move || buffers.read(file, got.range, is_hashed);
        let read = tokio::task::spawn_blocking(read).await?;
        read.map_err(|e| object_store::Error::Generic { store: "file", source: Box::new(e) })
    }

    /// An object from a store that gives no ranges: in one answer, which cannot
    /// be taken up again.
    pub(crate) async fn whole(&self) -> Result<Pieces, Error> {
        let got = self.store.get(&self.path).await.map_err(|e| self.failed(e))?;
        self.check(&Version::of(&got.meta))?;
        let object = self.object.clone();
        let failed = move |e| Error::of_request(object.clone(), "read", e);
        Ok(got.into_stream().map_err(failed).boxed())
    }

    /// A local file, which is open all the while; what was changed meanwhile is
    /// seen at the end.
    pub(crate) async fn file(self) -> Result<Pieces, Error> {
        let got = self.store.get(&self.path).await.map_err(|e| self.failed(e))?;
        let version = Version::of(&got.meta);
        self.check(&version)?;
        let object = self.object.clone();
        let failed = move |e| Error::of_request(object.clone(), "read", e);
        let content = GetResult::into_stream(got).map_err(failed);
        let at_end = futures::stream::once(async move {
            let now = self.store.head(&self.path).await;
            let same = now.is_ok_and(|now| Version::of(&now).is_same(&version));
            if same { Ok(Bytes::new()) } else { Err(self.changed()) }
        });
        Ok(content.chain(at_end).boxed())
    }

    async fn check_head(&self) -> Result<Version, Error> {
        let meta = self.store.head(&self.path).await.map_err(|e| self.failed(e))?;
        let version = Version::of(&meta);
        self.check(&version)?;
        Ok(version)
    }

    fn check(&self, found: &Version) -> Result<(), Error> {
        match &self.version {
            Some(version) if !version.is_same(found) => Err(self.changed()),
            _ => Ok(()),
        }
    }

    fn sorted(&self, error: object_store::Error) -> Cut {
        if is_cut(&error) { Cut::Passing(error) } else { Cut::Final(self.failed(error)) }
    }

    fn failed(&self, source: object_store::Error) -> Error {
        Error::of_request(self.object.clone(), "read", source)
    }

    fn changed(&self) -> Error {
        Error::Changed { object: self.object.clone() }
    }
}

/// Why a piece did not come.
enum Cut {
    Passing(object_store::Error),
    Final(Error),
}

/// Reads an object from its start to its end, hashing what passes.
pub struct ObjectReader {
    pieces: Pieces,
    current: Bytes,
    hasher: Arc<Mutex<Sha256>>,
}

impl ObjectReader {
    pub(crate) fn new(pieces: Pieces) -> Self {
        Self { pieces, current: Bytes::new(), hasher: Arc::default() }
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
            match wait(self.pieces.next()) {
                None => return Ok(0),
                Some(piece) => self.current = piece.map_err(io::Error::other)?,
            }
        }
        let n = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..n]);
        self.hasher.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(&buffer[..n]);
        Ok(n)
    }
}
