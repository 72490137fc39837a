//! Buffers for pieces of local files, which are used again: else each piece
//! would be read into memory that is cleared first, and new to the process,
//! which takes about as long as reading it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The buffers of one object.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

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
    /// The bytes of a range; fewer if the file ends within it.
    pub(crate) fn read(&self, mut file: File, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = self.waiting().pop().unwrap_or_default();
        bytes.clear();
        bytes.reserve_exact(usize::try_from(length).map_err(io::Error::other)?);
        file.seek(SeekFrom::Start(range.start))?;
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Bytes::from_owner(Piece { bytes, buffers: self.clone() }))
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
        let read = |range| buffers.read(file.reopen().unwrap(), range).unwrap();
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
}
