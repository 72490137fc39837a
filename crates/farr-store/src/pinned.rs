//! Ranges of one version of an object.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::read::Reading;
use crate::runtime::wait;
use crate::{Error, Location, Sha256Hash};

/// Blocks fetched ahead of the one that is read.
const BLOCKS_AHEAD: usize = 3;

/// An object as it was when it was pinned: if it changes, reading fails.
#[derive(Clone)]
pub struct Pinned {
    reading: Reading,
    object: String,
    size: u64,
    /// Whether a server answers that may know no ranges.
    is_plain: bool,
}

/// The bytes of a block, and their hash if it is known.
type Block = (Bytes, Option<Sha256Hash>);

/// Consecutive blocks of an object, fetched ahead in the background.
pub struct Blocks {
    stream: BoxStream<'static, Result<Block, Error>>,
    /// Where pieces come in any size: what came, and the size of a block.
    regrouped: Option<(BytesMut, usize)>,
}

impl Location {
    /// Pins an object.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of any request.
    pub fn pin(&self, path: &str) -> Result<Pinned, Error> {
        let (reading, size) = wait(self.reading(path).of_now())?;
        Ok(Pinned { reading, object: self.url_of(path), size, is_plain: self.is_plain() })
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
        wait(self.reading.range(range))
    }

    /// The bytes `start..end` as blocks of so many bytes, the last perhaps
    /// shorter.
    ///
    /// # Errors
    /// Those of a request, here or with a block.
    pub fn blocks(&self, range: Range<u64>, block_bytes: u64) -> Result<Blocks, Error> {
        self.blocks_of(range, block_bytes, false)
    }

    /// The same, each of which will be asked for with its hash.
    ///
    /// # Errors
    /// As [`blocks`](Self::blocks).
    pub fn hashed_blocks(&self, range: Range<u64>, block_bytes: u64) -> Result<Blocks, Error> {
        self.blocks_of(range, block_bytes, true)
    }

    fn blocks_of(
        &self,
        range: Range<u64>,
        block_bytes: u64,
        is_hashed: bool,
    ) -> Result<Blocks, Error> {
        if self.is_plain && range == (0..self.size) {
            let stream = wait(self.reading.whole())?;
            let stream = stream.map(|piece| Ok((piece?, None))).boxed();
            return Ok(Blocks { stream, regrouped: Some((BytesMut::new(), block_bytes as usize)) });
        }
        let reading = self.reading.clone();
        let starts = range.clone().step_by(block_bytes as usize);
        let blocks = starts.map(move |start| start..range.end.min(start + block_bytes));
        let fetch = move |range| {
            let reading = reading.clone();
            tokio::spawn(async move {
                if is_hashed {
                    return reading.hashed(range).await;
                }
                Ok((reading.range(range).await?, None))
            })
        };
        let object = self.object.clone();
        let stopped =
            move |e| Error::of_request(object.clone(), "read", object_store::Error::from(e));
        let fetched = futures::stream::iter(blocks).map(fetch).buffered(BLOCKS_AHEAD);
        let stream = fetched.map(move |joined| joined.map_err(&stopped)?).boxed();
        Ok(Blocks { stream, regrouped: None })
    }
}

impl Blocks {
    /// The next block, with its hash.
    pub fn next_hashed(&mut self) -> Option<Result<(Bytes, Sha256Hash), Error>> {
        let hashed = |(bytes, hash): Block| {
            let hash = hash.unwrap_or_else(|| Sha256Hash::of(&bytes));
            (bytes, hash)
        };
        Some(self.fetched()?.map(hashed))
    }

    fn fetched(&mut self) -> Option<Result<Block, Error>> {
        loop {
            match &mut self.regrouped {
                None => return wait(self.stream.next()),
                Some((came, size)) if came.len() >= *size => {
                    return Some(Ok((came.split_to(*size).freeze(), None)));
                }
                Some(_) => {}
            }
            match wait(self.stream.next()) {
                Some(Ok((more, _))) => {
                    if let Some((came, _)) = &mut self.regrouped {
                        came.extend_from_slice(&more);
                    }
                }
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    let (came, _) = self.regrouped.as_mut()?;
                    let rest = std::mem::take(came);
                    return (!rest.is_empty()).then(|| Ok((rest.freeze(), None)));
                }
            }
        }
    }
}

impl Iterator for Blocks {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.fetched()?.map(|(bytes, _)| bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::retry::Retries;

    #[test]
    fn pieces_of_any_size_are_regrouped() {
        let store: Arc<dyn object_store::ObjectStore> = Arc::new(InMemory::new());
        let path = Path::from("one");
        wait(store.put(&path, Bytes::from_static(b"0123456789").into())).unwrap();
        let reading = Reading::new(&store, path, "one".to_owned(), Retries::default());
        let pinned = Pinned { reading, object: "one".to_owned(), size: 10, is_plain: true };
        for size in [1, 4, 10, 11] {
            let blocks = pinned.blocks(0..10, size).unwrap().map(Result::unwrap);
            let blocks: Vec<Bytes> = blocks.collect();
            assert_eq!(blocks.concat(), b"0123456789");
            assert!(blocks[..blocks.len() - 1].iter().all(|block| block.len() as u64 == size));
        }
    }
}
