//! Cutting delimited text into chunks of whole records, so that splitting them
//! into fields needs no order: where a record ends is found by following the
//! quotes, which is fast, as the splitter does.

use std::io::{self, Read};

use bytes::Bytes;

use crate::decode::Stored;
use crate::tokens::Head;

/// Whole records.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// The line on which it starts, counted from the start of the range.
    pub(crate) first_line: u64,
}

/// Follows quotes through text, and so tells which line breaks end a record.
///
/// As the `csv` crate: a quote opens only at the start of a field, two quotes
/// within are one, and what follows a closing one is unquoted text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    delimiter: u8,
    has_quotes: bool,
    is_quoted: bool,
    /// Whether the byte before was a quote within quotes: the last of the
    /// field, or the first of two.
    is_open_ended: bool,
    /// The byte before.
    before: u8,
}

/// Which of the records that end in some bytes is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    First,
    Last,
}

impl Scanner {
    /// A scanner that stands at the start of a record.
    pub(crate) fn new(head: &Head) -> Self {
        Self {
            delimiter: head.delimiter,
            has_quotes: head.has_quotes(),
            is_quoted: false,
            is_open_ended: false,
            before: b'\n',
        }
    }

    /// Where the first record of these bytes, which follow those before, ends.
    pub(crate) fn first_end(&mut self, bytes: &[u8]) -> Option<usize> {
        self.scan(bytes, Wanted::First)
    }

    /// Where the last record that ends in these bytes does so.
    pub(crate) fn last_end(&mut self, bytes: &[u8]) -> Option<usize> {
        self.scan(bytes, Wanted::Last)
    }

    fn scan(&mut self, bytes: &[u8], wanted: Wanted) -> Option<usize> {
        let mut at = 0;
        let mut end = None;
        while at < bytes.len() {
            if self.is_open_ended {
                // Two quotes stand for one; after a single one quotes end.
                self.is_open_ended = false;
                if bytes[at] == b'"' {
                    at += 1;
                    continue;
                }
                (self.is_quoted, self.before) = (false, b'"');
            }
            let looked_at = if self.has_quotes { &bytes[at..] } else { &[] };
            let quote = memchr::memchr(b'"', looked_at).map(|found| at + found);
            let stop = quote.unwrap_or(bytes.len());
            if self.is_quoted {
                self.is_open_ended = quote.is_some();
            } else {
                let text = &bytes[at..stop];
                let found = match wanted {
                    Wanted::First => memchr::memchr(b'\n', text),
                    Wanted::Last => memchr::memrchr(b'\n', text),
                };
                if let Some(found) = found {
                    end = Some(at + found + 1);
                    if wanted == Wanted::First {
                        return end;
                    }
                }
                let before = text.last().copied().unwrap_or(self.before);
                self.is_quoted = quote.is_some() && (before == self.delimiter || before == b'\n');
                self.before = if quote.is_some() { b'"' } else { before };
            }
            at = stop + 1;
        }
        end
    }
}

/// Where the bytes of a range come from.
pub(crate) enum Body {
    Stored(Stored),
    Decoded(Box<dyn Read + Send>),
}

impl Body {
    /// The next bytes: a block, or so many decoded ones.
    pub(crate) fn next(&mut self, bytes_max: usize) -> io::Result<Option<Bytes>> {
        match self {
            Self::Stored(stored) => stored.next_block(),
            Self::Decoded(reader) => {
                let mut bytes = Vec::with_capacity(bytes_max);
                reader.take(bytes_max as u64).read_to_end(&mut bytes)?;
                Ok((!bytes.is_empty()).then(|| bytes.into()))
            }
        }
    }
}

/// What follows a range: the next bytes, or none at the end of the object.
pub(crate) type Tail = Box<dyn FnMut() -> io::Result<Option<Bytes>> + Send>;

/// The records that start in a range, in chunks.
pub(crate) struct Chunks {
    body: Body,
    /// None if the object ends with the range.
    tail: Option<Tail>,
    scanner: Scanner,
    chunk_bytes: usize,
    /// Bytes that are at hand and not looked at.
    rest: Bytes,
    /// Bytes of the body that belong to no record of the range.
    skip: u64,
    /// The start of a record.
    carry: Vec<u8>,
    /// The line on which the next chunk starts.
    line: u64,
    /// Bytes handed out.
    length: u64,
    is_done: bool,
}

impl Chunks {
    /// Of a body of which `rest` was read ahead; its first `skip` bytes are
    /// passed over, and the next one stands on `line`.
    pub(crate) fn new(
        head: &Head,
        (body, rest): (Body, Bytes),
        tail: Option<Tail>,
        (skip, line): (u64, u64),
        chunk_bytes: usize,
    ) -> Self {
        Self {
            body,
            tail,
            scanner: Scanner::new(head),
            chunk_bytes: chunk_bytes.max(1),
            rest,
            skip,
            carry: Vec::new(),
            line,
            length: 0,
            is_done: false,
        }
    }

    /// The next chunk.
    pub(crate) fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            while self.rest.is_empty() {
                match self.body.next(self.chunk_bytes)? {
                    Some(bytes) => self.rest = bytes,
                    None => return self.last(),
                }
            }
            let skipped = self.skip.min(self.rest.len() as u64);
            let _ = self.rest.split_to(skipped as usize);
            self.skip -= skipped;
            let part = self.rest.split_to(self.chunk_bytes.min(self.rest.len()));
            let Some(end) = self.scanner.last_end(&part) else {
                self.carry.extend_from_slice(&part);
                continue;
            };
            self.carry.extend_from_slice(&part[..end]);
            let bytes = std::mem::take(&mut self.carry);
            self.carry.extend_from_slice(&part[end..]);
            return Ok(Some(self.hand_out(bytes)));
        }
    }

    /// Lines handed out.
    pub(crate) fn lines(&self) -> u64 {
        self.line - 1
    }

    /// Bytes handed out.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// What is left, with the end of its last record from behind the range.
    fn last(&mut self) -> io::Result<Option<Chunk>> {
        if std::mem::replace(&mut self.is_done, true) || self.carry.is_empty() {
            return Ok(None);
        }
        if let Some(tail) = &mut self.tail {
            while let Some(bytes) = tail()? {
                let end = self.scanner.first_end(&bytes);
                self.carry.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
                if end.is_some() {
                    break;
                }
            }
        }
        let bytes = std::mem::take(&mut self.carry);
        Ok(Some(self.hand_out(bytes)))
    }

    fn hand_out(&mut self, bytes: Vec<u8>) -> Chunk {
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        self.length += bytes.len() as u64;
        Chunk { bytes, first_line }
    }
}

/// Records that are tried to tell where one starts.
const RECORDS_TRIED: usize = 200;

/// Where the first record starts behind the second byte of a window, which lies
/// anywhere in a text: its offset in the window; `None` if it does not start
/// there. Whether the window starts within quotes cannot be known: the reading
/// counts of which more records have as many fields as the head.
pub(crate) fn first_record(head: &Head, window: &[u8]) -> Option<usize> {
    let (before, text) = window.split_first()?;
    let outside = Scanner { before: *before, ..Scanner::new(head) };
    if !head.has_quotes() {
        return outside.clone().first_end(text).map(|end| end + 1);
    }
    let within = Scanner { is_quoted: true, ..outside.clone() };
    // The byte before may be the first of two quotes.
    let between = Scanner { is_open_ended: *before == b'"', ..within.clone() };
    let mut best: Option<(usize, usize, usize)> = None;
    for mut scanner in [outside, within, between] {
        let Some(start) = scanner.first_end(text).map(|end| end + 1) else { continue };
        let (fitting, tried) = fitting(head, &window[start..]);
        let is_better = |(_, best_fitting, best_tried)| fitting * best_tried > best_fitting * tried;
        if best.is_none_or(is_better) {
            best = Some((start, fitting, tried));
        }
    }
    best.map(|(start, ..)| start)
}

/// How many of the first records have as many fields as the head, and of how
/// many, at least 1.
fn fitting(head: &Head, records: &[u8]) -> (usize, usize) {
    let mut reader = head.reader(records);
    let mut record = csv::ByteRecord::new();
    let (mut tried, mut fitting) = (0, 0);
    while tried < RECORDS_TRIED && matches!(reader.read_byte_record(&mut record), Ok(true)) {
        // The last one may be cut short.
        if reader.position().byte() as usize >= records.len() {
            break;
        }
        tried += 1;
        fitting += usize::from(record.len() == head.names.len());
    }
    (fitting, tried.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(delimiter: &str) -> Head {
        Head::of(format!("a{delimiter}b\n").as_bytes(), true).unwrap()
    }

    /// Where records end, as the splitter says: one more byte behind tells
    /// whether the last one has ended.
    fn ends(head: &Head, text: &[u8]) -> Vec<usize> {
        let more = [text, b"x"].concat();
        let mut reader = head.reader(more.as_slice());
        let mut record = csv::ByteRecord::new();
        let mut ends = Vec::new();
        while reader.read_byte_record(&mut record).unwrap() {
            ends.push(reader.position().byte() as usize);
        }
        ends.retain(|end| *end <= text.len());
        ends
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn records_end_where_the_splitter_ends_them(text in "[a,\"\n\r]{0,40}", cut in 0..40_usize) {
            let text = text.as_bytes();
            for delimiter in [",", "\t"] {
                let head = head(delimiter);
                let ends = ends(&head, text);
                let mut scanner = Scanner::new(&head);
                let cut = cut.min(text.len());
                let one = scanner.last_end(&text[..cut]);
                let other = scanner.last_end(&text[cut..]);
                // Blank lines are no records to the splitter: theirs are ends, too.
                let last = other.map(|end| cut + end).or(one);
                let expected = ends.last().copied().unwrap_or(0);
                let behind = &text[expected..last.unwrap_or(0).max(expected)];
                prop_assert!(last.unwrap_or(0) >= expected);
                prop_assert!(behind.iter().all(|b| *b == b'\n'), "{:?} {:?}", last, ends);
                let mut scanner = Scanner::new(&head);
                if let Some(first) = scanner.first_end(text) {
                    let expected = ends.first().copied().unwrap_or(first);
                    prop_assert!(first == expected || text[..first].iter().all(|b| *b == b'\n'));
                }
            }
        }
    }

    /// Notes with line breaks and commas: from anywhere in the text the next
    /// record is found.
    #[test]
    fn starts_are_found_within_quotes() {
        let mut text = Vec::new();
        let mut writer = csv::Writer::from_writer(&mut text);
        for i in 0..40 {
            let note = format!("seen on day {i}, better\nno fever, no \"pain\"\n\nto return");
            let id = (i * 7_919).to_string();
            writer.write_record([id.as_str(), &note, "12.5", "Ward, 3"]).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        let head = Head::of(b"id,note,value,place\n", true).unwrap();
        let ends = ends(&head, &text);
        for at in 0..text.len() / 2 {
            let found = first_record(&head, &text[at..]).map(|start| at + start);
            let next = ends.iter().find(|end| **end > at + 1).copied();
            assert_eq!(found, next, "{at}");
        }
    }
}
