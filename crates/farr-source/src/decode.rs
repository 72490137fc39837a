//! An object's bytes, hashed block by block, and decompressed while they are
//! read.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use farr_store::{Blocks, Sha256Hash};
use flate2::read::MultiGzDecoder;

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// How an object is compressed. What its first bytes say counts, not its name;
/// but a name that promises compression must keep it, so that a truncated
/// object is seen.
pub(crate) fn compression(path: &str, first: &[u8]) -> io::Result<Compression> {
    if first.starts_with(&[0x1f, 0x8b]) {
        return Ok(Compression::Gzip);
    }
    if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Compression::Zstd);
    }
    if crate::objects::compression_of(path).is_some() {
        let found = "named as compressed, but it is not";
        return Err(io::Error::new(io::ErrorKind::InvalidData, found));
    }
    Ok(Compression::None)
}

/// The hashes of blocks that were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockHashes(Arc<Mutex<Vec<Sha256Hash>>>);

impl BlockHashes {
    pub(crate) fn taken(&self) -> Vec<Sha256Hash> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Hashed blocks as they are stored.
pub(crate) struct Stored {
    blocks: Blocks,
    current: Bytes,
    hashes: BlockHashes,
}

impl Stored {
    pub(crate) fn new(blocks: Blocks, hashes: BlockHashes) -> Self {
        Self { blocks, current: Bytes::new(), hashes }
    }

    /// The next block, or what is left of one.
    pub(crate) fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        if !self.current.is_empty() {
            return Ok(Some(std::mem::take(&mut self.current)));
        }
        let Some(block) = self.blocks.next_hashed() else { return Ok(None) };
        let (block, hash) = block.map_err(io::Error::other)?;
        self.hashes.0.lock().unwrap_or_else(PoisonError::into_inner).push(hash);
        Ok(Some(block))
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            match self.next_block()? {
                Some(block) => self.current = block,
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

/// The content of a compressed object, of which `first` was read ahead.
pub(crate) fn decoded(
    compression: Compression,
    first: Bytes,
    stored: Stored,
) -> io::Result<Box<dyn Read + Send>> {
    let whole = Read::chain(Cursor::new(first), stored);
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)))
        }
        Compression::Zstd => Box::new(zstd::Decoder::new(whole)?),
    })
}
