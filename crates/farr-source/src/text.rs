//! A range of a delimited text object: where its rows start, and where those
//! of the next range do.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use farr_records::RangeRead;
use farr_store::Pinned;

use crate::Error;
use crate::chunks::{Body, Chunk, Chunks, Tail, Window};
use crate::cutting::RECORD_BYTES_MAX;
use crate::decode::{BlockHashes, Compression, Stored, compression, decoded};
use crate::tokens::{Alien, Beginning, Head};

/// Bytes of a chunk at most, unless one record is larger.
pub(crate) const CHUNK_BYTES: u64 = 4 << 20;

/// The head is looked for in so many bytes.
const HEAD_BYTES: usize = 1 << 20;

/// Bytes in which a record's start or end is looked for at first.
const WINDOW_BYTES: u64 = 1 << 18;

/// What a range of a text object is.
pub(crate) enum Text {
    Rows(Box<Rows>),
    /// An object without head and rows.
    Nothing(RangeRead),
    /// A compressed object, which is read whole where it starts.
    Elsewhere,
}

/// The rows of a range, on their way.
pub(crate) struct Rows {
    pub(crate) head: Head,
    chunks: Chunks,
    hashes: BlockHashes,
    pinned: Pinned,
    place: Place,
}

/// Where rows stand.
enum Place {
    Compressed { block_bytes: u64 },
    Range { start: u64, first_record: u64, first_block: u64 },
}

/// Opens the bytes `range` of an object, which starts at a block's start.
pub(crate) fn open(
    pinned: &Pinned,
    path: &str,
    range: Range<u64>,
    block_bytes: u64,
) -> Result<Text, Error> {
    let size = pinned.size();
    if range == (0..size) {
        return open_whole(pinned, path, block_bytes);
    }
    let first = pinned.read(0..size.min(HEAD_BYTES as u64))?;
    if compression(path, &first).map_err(|e| damaged(pinned, e))? != Compression::None {
        return match range.start {
            0 => open_whole(pinned, path, block_bytes),
            _ => Ok(Text::Elsewhere),
        };
    }
    let hashes = BlockHashes::default();
    let stored = Stored::new(pinned.hashed_blocks(range.clone(), block_bytes)?, hashes.clone());
    let first_block = range.start / block_bytes;
    let head = match Head::begins(&first, first.len() as u64 == size) {
        Beginning::Head(head) => head,
        Beginning::Alien(alien) => return Err(is_alien(pinned, alien)),
        Beginning::Nothing | Beginning::Short => {
            return nothing(pinned, stored, &hashes, (range, first_block));
        }
    };
    let head_ends = head.length as u64;
    let is_first = range.start == 0;
    let first_record = match range.start {
        0 => head_ends,
        at if at <= head_ends => head_ends,
        at => start_behind(pinned, &head, (head_ends, at), block_bytes)?,
    };
    let line = if is_first { head.lines + 1 } else { 1 };
    let skip = first_record - range.start;
    let tail = (range.end < size).then(|| tail(pinned.clone(), range.end));
    let body = (Body::Stored(stored), Bytes::new());
    let chunk_bytes = CHUNK_BYTES.min(block_bytes) as usize;
    let chunks = Chunks::new(head.rule(), body, tail, (skip, line), chunk_bytes);
    let start = if is_first { 0 } else { first_record };
    let place = Place::Range { start, first_record, first_block };
    Ok(Text::Rows(Box::new(Rows { head, chunks, hashes, pinned: pinned.clone(), place })))
}

/// Opens an object as a whole.
fn open_whole(pinned: &Pinned, path: &str, block_bytes: u64) -> Result<Text, Error> {
    let failed = |source| damaged(pinned, source);
    let hashes = BlockHashes::default();
    let range = 0..pinned.size();
    let mut stored = Stored::new(pinned.hashed_blocks(range.clone(), block_bytes)?, hashes.clone());
    let first = stored.next_block().map_err(failed)?.unwrap_or_default();
    let compression = compression(path, &first).map_err(failed)?;
    let chunk_bytes = CHUNK_BYTES.min(block_bytes) as usize;
    let (mut body, mut ahead) = match compression {
        Compression::None => (Body::Stored(stored), first),
        _ => (Body::Decoded(decoded(compression, first, stored).map_err(failed)?), Bytes::new()),
    };
    let mut is_all = false;
    let begins = loop {
        let seen = &ahead[..ahead.len().min(HEAD_BYTES)];
        match Head::begins(seen, is_all) {
            Beginning::Short if !is_all => {}
            begins => break begins,
        }
        match body.next(chunk_bytes).map_err(failed)? {
            Some(more) if ahead.is_empty() => ahead = more,
            Some(more) => ahead = [ahead, more].concat().into(),
            None => is_all = true,
        }
    };
    let head = match begins {
        Beginning::Head(head) => head,
        Beginning::Alien(alien) => return Err(is_alien(pinned, alien)),
        Beginning::Nothing | Beginning::Short => {
            return Ok(Text::Nothing(RangeRead::whole(hashes.taken())));
        }
    };
    let from = (head.length as u64, head.lines + 1);
    let chunks = Chunks::new(head.rule(), (body, ahead), None, from, chunk_bytes);
    let place = match compression {
        Compression::None => {
            Place::Range { start: 0, first_record: head.length as u64, first_block: 0 }
        }
        _ => Place::Compressed { block_bytes },
    };
    Ok(Text::Rows(Box::new(Rows { head, chunks, hashes, pinned: pinned.clone(), place })))
}

impl Rows {
    /// The next chunk.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Error> {
        self.chunks.next().map_err(|source| damaged(&self.pinned, source))
    }

    /// What was read, once there is no further chunk.
    pub(crate) fn read(self) -> Result<RangeRead, Error> {
        let blocks = self.hashes.taken();
        let of = self.pinned.size();
        match self.place {
            Place::Range { start, first_record, first_block } => {
                let end = first_record + self.chunks.length();
                let lines = self.chunks.lines();
                Ok(RangeRead { start, end, of, lines, first_block, blocks })
            }
            Place::Compressed { block_bytes } => {
                if blocks.len() as u64 != of.div_ceil(block_bytes) {
                    let source = io::Error::other("there is more behind its end");
                    return Err(damaged(&self.pinned, source));
                }
                Ok(RangeRead::whole(blocks))
            }
        }
    }
}

fn nothing(
    pinned: &Pinned,
    mut stored: Stored,
    hashes: &BlockHashes,
    (range, first_block): (Range<u64>, u64),
) -> Result<Text, Error> {
    while stored.next_block().map_err(|source| damaged(pinned, source))?.is_some() {}
    let Range { start, end } = range;
    let (of, blocks) = (pinned.size(), hashes.taken());
    Ok(Text::Nothing(RangeRead { start, end, of, lines: 0, first_block, blocks }))
}

/// Where the first row starts at or behind a byte that is behind the head; the
/// object's end if none does. It may be wrong where quoted fields hold text that
/// looks like rows, which the records notice when they join the ranges.
fn start_behind(
    pinned: &Pinned,
    head: &Head,
    (head_ends, at): (u64, u64),
    block_bytes: u64,
) -> Result<u64, Error> {
    let size = pinned.size();
    let from = at.saturating_sub(WINDOW_BYTES.min(block_bytes)).max(head_ends);
    let mut length = WINDOW_BYTES;
    loop {
        let end = size.min(at + length);
        let text = pinned.read(from..end)?;
        let (rule, is_row, is_all) = (head.rule(), from == head_ends, end == size);
        let at = (at - from) as usize;
        let window = Window { rule, text: &text, at, is_row, is_all };
        if let Some(start) = window.first_row() {
            return Ok(from + start as u64);
        }
        let is_long = text.len() - at > RECORD_BYTES_MAX;
        if is_long && memchr::memchr(b'\n', &text[at..]).is_none() {
            return line_behind(pinned, end);
        }
        length *= 2;
    }
}

/// Where the first line starts behind a byte.
fn line_behind(pinned: &Pinned, at: u64) -> Result<u64, Error> {
    let mut next = tail(pinned.clone(), at);
    let mut start = at;
    while let Some(bytes) = next().map_err(|source| damaged(pinned, source))? {
        if let Some(found) = memchr::memchr(b'\n', &bytes) {
            return Ok(start + found as u64 + 1);
        }
        start += bytes.len() as u64;
    }
    Ok(start)
}

fn is_alien(pinned: &Pinned, Alien { found, remedy }: Alien) -> Error {
    Error::Form { object: pinned.url().to_owned(), found, remedy }
}

/// What lies behind a range.
fn tail(pinned: Pinned, mut at: u64) -> Tail {
    Box::new(move || {
        let end = pinned.size().min(at + WINDOW_BYTES);
        let bytes = pinned.read(at..end).map_err(io::Error::other)?;
        at = end;
        Ok((!bytes.is_empty()).then_some(bytes))
    })
}

/// An object that ends early; but what the store says is the store's.
pub(crate) fn damaged(pinned: &Pinned, source: io::Error) -> Error {
    match source.downcast::<farr_store::Error>() {
        Ok(error) => Error::Store(error),
        Err(source) => Error::Damaged { object: pinned.url().to_owned(), source },
    }
}
