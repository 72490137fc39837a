//! Ranges of one version of an object.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};

use crate::runtime::wait;
use crate::{Error, Location};

/// Blocks fetched ahead of the one that is read.
const BLOCKS_AHEAD: usize = 3;

/// An object as it was when it was pinned: if it changes, reading fails.
#[derive(Clone)]
pub struct Pinned {
    store: Arc<dyn ObjectStore>,
    path: Path,
    object: String,
    size: u64,
    etag: Option<String>,
    /// Whether a server answers that may know no ranges.
    is_plain: bool,
}

/// Consecutive blocks of an object, fetched ahead in the background.
pub struct Blocks {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    object: String,
    /// Where pieces come in any size: what came, and the size of a block.
    regrouped: Option<(BytesMut, usize)>,
}

impl Location {
    /// Pins an object.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of any request.
    pub fn pin(&self, path: &str) -> Result<Pinned, Error> {
        let (store, is_plain) = self.store();
        let place = crate::location::object_path(path);
        let object = self.url_of(path);
        let head = wait(store.head(&place));
        let head = head.map_err(|e| Error::of_request(object.clone(), "read", e))?;
        let (size, etag) = (head.size, head.e_tag);
        Ok(Pinned { store, path: place, object, size, etag, is_plain })
    }
}

impl Pinned {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The object's url, for messages.
    pub fn url(&self) -> &str {
        &self.object
    }

    /// Bytes `start..end` of the object.
    ///
    /// # Errors
    /// [`Error::Changed`] if it is another one by now.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let got = wait(fetch(self.clone(), range));
        got.map_err(|e| Error::of_request(self.object.clone(), "read", e))
    }

    /// The bytes `start..end` as blocks of so many bytes, the last perhaps
    /// shorter.
    ///
    /// # Errors
    /// Those of a request, here or with a block.
    pub fn blocks(&self, range: Range<u64>, block_bytes: u64) -> Result<Blocks, Error> {
        let object = self.object.clone();
        if self.is_plain && range == (0..self.size) {
            let got = wait(self.store.get(&self.path));
            let got = got.map_err(|e| Error::of_request(object.clone(), "read", e))?;
            let regrouped = Some((BytesMut::new(), block_bytes as usize));
            return Ok(Blocks { stream: got.into_stream(), object, regrouped });
        }
        let pinned = self.clone();
        let starts = range.clone().step_by(block_bytes as usize);
        let blocks = starts.map(move |start| start..range.end.min(start + block_bytes));
        let spawn = move |range| tokio::spawn(fetch(pinned.clone(), range));
        let fetched = futures::stream::iter(blocks).map(spawn).buffered(BLOCKS_AHEAD);
        Ok(Blocks { stream: fetched.map(|joined| joined?).boxed(), object, regrouped: None })
    }
}

async fn fetch(pinned: Pinned, range: Range<u64>) -> object_store::Result<Bytes> {
    let if_match = pinned.etag.clone();
    let options = GetOptions { range: Some(range.into()), if_match, ..Default::default() };
    let got = pinned.store.get_opts(&pinned.path, options).await?;
    if got.meta.size != pinned.size {
        let path = pinned.path.to_string();
        return Err(object_store::Error::Precondition { path, source: "another size".into() });
    }
    got.bytes().await
}

impl Blocks {
    fn fetched(&mut self) -> Option<Result<Bytes, Error>> {
        let next = wait(self.stream.next())?;
        Some(next.map_err(|e| Error::of_request(self.object.clone(), "read", e)))
    }
}

impl Iterator for Blocks {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match &mut self.regrouped {
                None => return self.fetched(),
                Some((came, size)) if came.len() >= *size => {
                    return Some(Ok(came.split_to(*size).freeze()));
                }
                Some(_) => {}
            }
            match self.fetched() {
                Some(Ok(more)) => {
                    if let Some((came, _)) = &mut self.regrouped {
                        came.extend_from_slice(&more);
                    }
                }
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    let (came, _) = self.regrouped.as_mut()?;
                    let rest = std::mem::take(came);
                    return (!rest.is_empty()).then(|| Ok(rest.freeze()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn pieces_of_any_size_are_regrouped() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let path = Path::from("one");
        wait(store.put(&path, Bytes::from_static(b"0123456789").into())).unwrap();
        let (object, etag) = ("one".to_owned(), None);
        let pinned = Pinned { store, path, object, size: 10, etag, is_plain: true };
        for size in [1, 4, 10, 11] {
            let blocks = pinned.blocks(0..10, size).unwrap().map(Result::unwrap);
            let blocks: Vec<Bytes> = blocks.collect();
            assert_eq!(blocks.concat(), b"0123456789");
            assert!(blocks[..blocks.len() - 1].iter().all(|block| block.len() as u64 == size));
        }
    }
}
