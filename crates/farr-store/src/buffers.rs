//! Buffers for pieces of local files, which are used again: else each piece
//! would be read into memory that is cleared first, and new to the process,
//! which takes about as long as reading it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::Sha256Hash;

/// The buffers of one object.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// Bytes that are hashed while the processor's cache still has them: from memory it
/// takes half as long again.
const HASHED_BYTES: u64 = 1 << 16;

/// So many wait for the next pieces; more go back to the system.
const WAITING_MAX: usize = 4;

/// A piece, whose buffer goes back when nobody holds its bytes any more.
struct Piece {
    bytes: Vec<u8>,
    buffers: Buffers,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.buffers.put_back(std::mem::take(&mut self.bytes));
    }
}

impl Buffers {
    /// The bytes of a range, fewer if the file ends within it; and their hash, if it
    /// is asked for.
    pub(crate) fn read(
        &self,
        mut file: File,
        range: Range<u64>,
        is_hashed: bool,
    ) -> io::Result<(Bytes, Option<Sha256Hash>)> {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = self.waiting().pop().unwrap_or_default();
        bytes.clear();
        bytes.reserve_exact(usize::try_from(length).map_err(io::Error::other)?);
        file.seek(SeekFrom::Start(range.start))?;
        let mut file = file.take(length);
        let hash = if is_hashed {
            let mut hasher = Sha256::new();
            loop {
                let read = bytes.len();
                file.by_ref().take(HASHED_BYTES).read_to_end(&mut bytes)?;
                if bytes.len() == read {
                    break Some(Sha256Hash::from_digest(&hasher.finalize()));
                }
                hasher.update(&bytes[read..]);
            }
        } else {
            file.read_to_end(&mut bytes)?;
            None
        };
        Ok((Bytes::from_owner(Piece { bytes, buffers: self.clone() }), hash))
    }

    fn put_back(&self, bytes: Vec<u8>) {
        let mut waiting = self.waiting();
        if waiting.len() < WAITING_MAX {
            waiting.push(bytes);
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_its_bytes_are_dropped() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let buffers = Buffers::default();
        let read = |range| buffers.read(file.reopen().unwrap(), range, false).unwrap().0;
        let first = read(0..6);
        let (held, place) = (first.slice(2..4), first.as_ptr());
        drop(first);
        assert_eq!(read(4..8), "4567");
        assert_eq!(held, "23");
        drop(held);
        assert!([read(0..5), read(1..5)].iter().any(|piece| piece.as_ptr() == place));
        assert_eq!(read(7..20), "789");
        assert_eq!(read(3..3), "");
        drop((0..9).map(|_| read(0..9)).collect::<Vec<_>>());
        assert_eq!(buffers.waiting().len(), WAITING_MAX);
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let step = HASHED_BYTES as usize;
        let all: Vec<u8> = (0..3 * step).map(|i| (i % 251) as u8).collect();
        file.write_all(&all).unwrap();
        for range in [0..0, 0..1, 0..step, 7..step + 8, 5..3 * step, 9..4 * step] {
            let expected = &all[range.start..range.end.min(all.len())];
            let range = range.start as u64..range.end as u64;
            let file = file.reopen().unwrap();
            let (bytes, hash) = Buffers::default().read(file, range, true).unwrap();
            assert_eq!((&bytes[..], hash), (expected, Some(Sha256Hash::of(expected))));
        }
    }
}
