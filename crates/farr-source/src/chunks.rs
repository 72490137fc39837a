//! Cutting delimited text into chunks of whole rows, so that splitting them
//! into fields needs no order: where a row ends, the same rule tells that
//! splits it, which only follows the quotes as long as they are closed.

use std::io::{self, Read};

use bytes::Bytes;

use crate::cutting::{RECORD_BYTES_MAX, Record, Rule, line_end};
use crate::decode::Stored;

/// Whole rows; of the last one, if its line is too long, only what tells so.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// The line on which it starts, counted from the start of the range.
    pub(crate) first_line: u64,
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

/// The rows that start in a range, in chunks.
pub(crate) struct Chunks {
    body: Body,
    /// None if the object ends with the range.
    tail: Option<Tail>,
    rule: Rule,
    chunk_bytes: usize,
    /// Bytes that are at hand and not looked at.
    rest: Bytes,
    /// Bytes of the body that belong to no row of the range.
    skip: u64,
    /// Whether the line is passed over that is being read.
    is_in_long_line: bool,
    /// Text from the start of a row on that is not in one piece with the rest.
    carry: Vec<u8>,
    /// Whether its first line has ended, and the row has not.
    is_open: bool,
    /// Rows that start behind so many bytes of it are not the range's, once
    /// that is known.
    own: Option<usize>,
    /// The line on which the next chunk starts.
    line: u64,
    /// Bytes handed out or passed over.
    length: u64,
    scratch: Record,
}

impl Chunks {
    /// Of a body of which `rest` was read ahead; its first `skip` bytes are
    /// passed over, and the next one stands on `line`.
    pub(crate) fn new(
        rule: Rule,
        (body, rest): (Body, Bytes),
        tail: Option<Tail>,
        (skip, line): (u64, u64),
        chunk_bytes: usize,
    ) -> Self {
        Self {
            body,
            tail,
            rule,
            chunk_bytes: chunk_bytes.max(1),
            rest,
            skip,
            is_in_long_line: false,
            carry: Vec::new(),
            is_open: false,
            own: None,
            line,
            length: 0,
            scratch: Record::default(),
        }
    }

    /// The next chunk.
    pub(crate) fn next(&mut self) -> io::Result<Option<Chunk>> {
        while self.own.is_none() {
            if !self.has_more()? {
                self.own = Some(self.carry.len());
                break;
            }
            let ahead = self.chunk_bytes.min(self.rest.len());
            if self.carry.is_empty() && !self.is_in_long_line {
                let end = self.rule.rows_end(&self.rest[..ahead], false, &mut self.scratch);
                if end > 0 {
                    let bytes = self.rest.split_to(end);
                    return Ok(Some(self.chunk(bytes)));
                }
            }
            // Of the row that started before, the rest is likely to be one line.
            let line = line_end(&self.rest[..ahead], 0, false);
            let part = self.rest.split_to(line.filter(|_| !self.is_open).unwrap_or(ahead));
            self.take(&part);
            let end = self.rule.rows_end(&self.carry, false, &mut self.scratch);
            let is_begun = end == 0 && !self.carry.is_empty();
            self.is_open = is_begun && (self.is_open || line.is_some());
            if let Some(chunk) = self.hand_out(end) {
                return Ok(Some(chunk));
            }
        }
        self.last()
    }

    fn chunk(&mut self, bytes: Bytes) -> Chunk {
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        self.length += bytes.len() as u64;
        Chunk { bytes, first_line }
    }

    /// Lines handed out.
    pub(crate) fn lines(&self) -> u64 {
        self.line - 1
    }

    /// Bytes handed out.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the body has more bytes; they are the rest.
    fn has_more(&mut self) -> io::Result<bool> {
        loop {
            let skipped = self.skip.min(self.rest.len() as u64);
            let _ = self.rest.split_to(skipped as usize);
            self.skip -= skipped;
            if !self.rest.is_empty() {
                return Ok(true);
            }
            match self.body.next(self.chunk_bytes)? {
                Some(bytes) => self.rest = bytes,
                None => return Ok(false),
            }
        }
    }

    /// Takes text on, but for what is left of a line that is too long.
    fn take(&mut self, part: &[u8]) {
        let mut start = 0;
        if self.is_in_long_line {
            let end = line_end(part, 0, false);
            self.is_in_long_line = end.is_none();
            start = end.unwrap_or(part.len());
            self.length += start as u64;
            self.line += u64::from(end.is_some());
        }
        self.carry.extend_from_slice(&part[start..]);
    }

    /// What is left, with the end of its last row from behind the range.
    fn last(&mut self) -> io::Result<Option<Chunk>> {
        let Some(own) = self.own else { return Ok(None) };
        let mut is_all = self.tail.is_none();
        loop {
            if !self.is_in_long_line {
                let mut end = 0;
                while end < own
                    && let Some(row) =
                        self.rule.row_end(&self.carry[end..], is_all, &mut self.scratch)
                {
                    end += row;
                }
                if end >= own || end > 0 {
                    self.own = Some(own.saturating_sub(end));
                    return Ok(if end > 0 { self.hand_out(end) } else { None });
                }
                if let Some(chunk) = self.hand_out(0) {
                    self.own = Some(0);
                    return Ok(Some(chunk));
                }
            }
            if is_all {
                return Ok(None);
            }
            match self.tail.as_mut().map_or(Ok(None), |tail| tail())? {
                Some(bytes) => self.take(&bytes),
                None => is_all = true,
            }
        }
    }

    /// The rows that end at `end` of the text at hand; or of the first one, if
    /// its line is too long and has not ended, what tells so.
    fn hand_out(&mut self, end: usize) -> Option<Chunk> {
        if end > 0 {
            let carry = self.carry.split_off(end);
            let bytes = std::mem::replace(&mut self.carry, carry);
            return Some(self.chunk(bytes.into()));
        }
        let is_long = self.carry.len() > RECORD_BYTES_MAX;
        if !is_long || line_end(&self.carry, 0, false).is_some() {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.carry);
        self.length += bytes.len() as u64;
        self.is_in_long_line = true;
        bytes.truncate(RECORD_BYTES_MAX + 1);
        Some(Chunk { bytes: bytes.into(), first_line: self.line })
    }
}

/// Rows that are tried to tell where one starts.
const ROWS_TRIED: usize = 200;

/// Text in which the first row is looked for that starts at or behind a place.
pub(crate) struct Window<'w> {
    pub(crate) rule: Rule,
    pub(crate) text: &'w [u8],
    /// The place in the text, before which there is some of it.
    pub(crate) at: usize,
    /// Whether a row starts with the text.
    pub(crate) is_row: bool,
    /// Whether the object ends with the text.
    pub(crate) is_all: bool,
}

impl Window<'_> {
    /// Where that row starts; `None` if more text is needed to tell.
    ///
    /// Rows are cut from the window's start on. Whether its first line is in
    /// a quoted field cannot be known, but both readings mostly come to the same
    /// rows soon; else that counts of which more rows behind the place are
    /// records.
    pub(crate) fn first_row(&self) -> Option<usize> {
        let mut scratch = Record::default();
        let first = if self.is_row { 0 } else { line_end(self.text, 0, self.is_all)? };
        let plain = self.follow(first, &mut scratch)?;
        if self.is_row || !self.rule.has_quotes || first >= self.text.len() {
            return Some(plain);
        }
        let quoted = match self.rule.quoted_end(&self.text[first..], &mut scratch) {
            Some(0) => return Some(plain),
            Some(end) => self.follow(first + end, &mut scratch)?,
            None if self.is_all => return Some(plain),
            None => return None,
        };
        if plain == quoted {
            return Some(plain);
        }
        let (fits_a, of_a) = self.fitting(plain, &mut scratch);
        let (fits_b, of_b) = self.fitting(quoted, &mut scratch);
        Some(if fits_b * of_a > fits_a * of_b { quoted } else { plain })
    }

    /// The first row at or behind the place, of those from `start` on.
    fn follow(&self, mut start: usize, scratch: &mut Record) -> Option<usize> {
        while start < self.at {
            start += self.rule.row_end(&self.text[start..], self.is_all, scratch)?;
        }
        Some(start)
    }

    /// How many of how many rows from `start` on are records.
    fn fitting(&self, mut start: usize, scratch: &mut Record) -> (usize, usize) {
        let (mut tried, mut fitting) = (0, 0);
        while tried < ROWS_TRIED
            && start < self.text.len()
            && let Some(cut) = self.rule.cut(&self.text[start..], self.is_all, scratch)
        {
            tried += 1;
            let has_all = self.rule.columns == Some(scratch.len());
            fitting += usize::from(cut.found.is_ok() && has_all);
            start += cut.end;
        }
        (fitting, tried.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::{Head, Tokens};

    fn head() -> Head {
        Head::of(b"a,b,c\n", true).unwrap()
    }

    struct Pieces(Vec<u8>, usize);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = into.len().min(self.0.len()).min(self.1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    /// The rows that start in a range, kept or not, with their lines; and where
    /// the next one starts.
    fn rows(text: &[u8], (start, end): (usize, usize), chunk_bytes: usize) -> (Vec<String>, usize) {
        let (head, end) = (head(), end.max(start));
        let breaks = |text: &[u8]| memchr::memchr_iter(b'\n', text).count() as u64;
        let own = Body::Decoded(Box::new(Pieces(text[start..end].to_vec(), chunk_bytes)));
        let behind = text[end..].chunks(chunk_bytes).map(Bytes::copy_from_slice);
        let mut behind = behind.collect::<Vec<_>>().into_iter();
        let tail: Tail = Box::new(move || Ok(behind.next()));
        let (body, from) = ((own, Bytes::new()), (0, 1 + breaks(&text[..start])));
        let mut chunks = Chunks::new(head.rule(), body, Some(tail), from, chunk_bytes);
        let mut rows = Vec::new();
        while let Some(chunk) = chunks.next().unwrap() {
            assert!(chunk.bytes.len() <= 3 * (RECORD_BYTES_MAX + chunk_bytes), "bounded");
            let mut tokens = Tokens::new(&head, chunk);
            while let Some(batch) = tokens.next_rows(&[0, 1, 2]) {
                let kept = batch.lines.iter().enumerate().map(|(row, line)| {
                    let values: Vec<_> = batch.columns.iter().map(|c| c.value(row)).collect();
                    (line.0, values.join("|"))
                });
                let bad = batch.faults.iter().map(|fault| {
                    let column = fault.column.as_deref().unwrap_or_default();
                    (fault.line.0, format!("{column} {}", fault.reason))
                });
                let mut all: Vec<_> = kept.chain(bad).collect();
                all.sort();
                rows.extend(all.into_iter().map(|(line, row)| format!("{line}: {row}")));
            }
        }
        let next = start + chunks.length() as usize;
        assert_eq!(chunks.lines(), breaks(&text[..next]));
        (rows, next)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// Whatever the chunks and the ranges, rows are those of the whole.
        #[test]
        fn rows_do_not_depend_on_where_text_is_cut(
            fields in prop::collection::vec("[a,\"\n]{0,3}|a|\"a\"|,|,|\n", 0..40),
            at in 0..60_usize,
            chunk_bytes in 1..30_usize,
        ) {
            let text = fields.concat();
            let text = text.as_bytes();
            let (whole, end) = rows(text, (0, text.len()), 1 << 20);
            prop_assert_eq!(end, text.len());
            prop_assert_eq!(&rows(text, (0, text.len()), chunk_bytes).0, &whole);
            let (mut parts, next) = rows(text, (0, at.min(text.len())), chunk_bytes);
            prop_assert!(next >= at.min(text.len()));
            parts.extend(rows(text, (next, text.len()), chunk_bytes).0);
            prop_assert_eq!(parts, whole);
        }
    }

    /// A line too long is one fault, wherever it is cut, and costs no memory.
    #[test]
    fn long_lines_cost_one_row() {
        let long = "x".repeat(100 << 20);
        let text = format!("1,a,b\n2,\"{long},b\n3,a,b\n").into_bytes();
        let reason = "is in a row of more than 16 MiB";
        let expected = ["1: 1|a|b".to_owned(), format!("2: b {reason}"), "3: 3|a|b".to_owned()];
        let (whole, end) = rows(&text, (0, text.len()), 4 << 20);
        assert_eq!((whole.as_slice(), end), (expected.as_slice(), text.len()));
        for at in [8, 3 << 20, 50 << 20, (100 << 20) + 4] {
            let (mut parts, next) = rows(&text, (0, at), 1 << 20);
            assert_eq!(next, text.len() - 6);
            parts.extend(rows(&text, (next, text.len()), 1 << 20).0);
            assert_eq!(parts, expected);
        }
    }

    /// Where rows end, as they are cut.
    fn ends(rule: Rule, text: &[u8]) -> Vec<usize> {
        let (mut start, mut ends, mut scratch) = (0, vec![0], Record::default());
        while start < text.len() {
            start += rule.row_end(&text[start..], true, &mut scratch).unwrap();
            ends.push(start);
        }
        ends
    }

    fn found(rule: Rule, text: &[u8], at: usize, back: usize) -> usize {
        let from = at.saturating_sub(back);
        let (text, is_row) = (&text[from..], from == 0);
        let window = Window { rule, text, at: at - from, is_row, is_all: true };
        from + window.first_row().unwrap()
    }

    /// Notes with line breaks and commas: from anywhere in the text the next
    /// row is found, even if hardly anything before it is looked at.
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
        let rule = Head::of(b"id,note,value,place\n", true).unwrap().rule();
        let ends = ends(rule, &text);
        for at in 1..text.len() / 2 {
            let next = ends.iter().find(|end| **end >= at).copied();
            for back in [1, 2, 20, 200] {
                assert_eq!(Some(found(rule, &text, at, back)), next, "{at} {back}");
            }
        }
    }

    /// A stray quote misleads nobody.
    #[test]
    fn starts_are_found_near_stray_quotes() {
        let mut text = Vec::new();
        for i in 0..40 {
            let value = if i % 10 == 3 { "\"open" } else { "\"a, b\"" };
            text.extend_from_slice(format!("{i},{value},c\n").as_bytes());
        }
        let rule = head().rule();
        let ends = ends(rule, &text);
        assert_eq!(ends.len(), 41);
        for at in 1..text.len() {
            let next = ends.iter().find(|end| **end >= at).copied();
            for back in [1, 20, 200] {
                assert_eq!(Some(found(rule, &text, at, back)), next, "{at} {back}");
            }
        }
    }
}
