//! Cutting delimited text into records, one line at a time, so that a quote
//! which is never closed costs one row and not the rest of the object.
//!
//! A quote at the start of a field opens it; there two quotes are one, and a
//! line's end is text. A record that spans lines is taken as it stands only if
//! its quotes and its number of columns are right and its lines do not look
//! like rows of their own. Else the line on which its quote opened is a bad
//! row, and cutting goes on at the next line.

use std::io::{self, Read};

/// A record, with the quotes that hold its fields, is at most so long.
pub(crate) const RECORD_BYTES_MAX: usize = 16 << 20;
/// A record spans at most so many lines.
const RECORD_LINES_MAX: u64 = 10_000;
/// With fewer columns a line says too little to look like a row.
const COLUMNS_TELLING: usize = 3;
/// How much is asked of the content at a time.
const CHUNK: usize = 1 << 18;

/// A record's fields, without what quotes them.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// All fields, one behind the other.
    pub(crate) text: Vec<u8>,
    /// Where each field ends in `text`.
    pub(crate) ends: Vec<usize>,
    /// The line on which it starts.
    pub(crate) line: u64,
}

impl Record {
    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a field lies in `text`.
    pub(crate) fn span(&self, field: usize) -> std::ops::Range<usize> {
        let start = if field == 0 { 0 } else { self.ends[field - 1] };
        start..self.ends[field]
    }

    fn clear(&mut self, line: u64) {
        self.text.clear();
        self.ends.clear();
        self.line = line;
    }
}

/// A row that is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A quote opens in this field and is not closed before the next row.
    OpenQuote { line: u64, field: usize },
    /// The line is longer than [`RECORD_BYTES_MAX`], passed in this field.
    TooLong { line: u64, field: usize },
}

/// Text that is being cut.
pub(crate) struct Cutter {
    content: Box<dyn Read + Send>,
    /// What was read and is not cut yet starts at `start`.
    buffer: Vec<u8>,
    start: usize,
    is_at_end: bool,
    /// The line at `start`, from 1.
    line: u64,
    delimiter: u8,
    has_quotes: bool,
}

/// Where a line ends.
enum LineEnd {
    /// Behind its `\n`, or at the end of the content.
    At(usize),
    /// There is no line.
    None,
    /// Too far away.
    TooFar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Bare,
    Quoted,
    /// Behind a quote in a quoted field.
    Closing,
}

/// How far a record was read.
struct Scan {
    state: State,
    /// Whether only a delimiter or a line's end stood behind each closing quote.
    is_strict: bool,
    /// The field that is, or was last, quoted over a line's end.
    opened: usize,
}

impl Cutter {
    /// Text that starts with `head`, which was read already.
    pub(crate) fn new(head: Vec<u8>, content: Box<dyn Read + Send>, delimiter: u8) -> Self {
        Self {
            content,
            buffer: head,
            start: 0,
            is_at_end: false,
            line: 1,
            delimiter,
            // Athena writes names with quotes in them as they are.
            has_quotes: delimiter != b'\t',
        }
    }

    /// The next record or bad row; `None` at the end. Blank lines are neither.
    /// `columns` is how many a record should have, if that is known.
    pub(crate) fn next(
        &mut self,
        columns: Option<usize>,
        record: &mut Record,
    ) -> io::Result<Option<Result<(), Bad>>> {
        if self.start >= CHUNK || self.start == self.buffer.len() {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        loop {
            let end = match self.line_end(self.start)? {
                LineEnd::None => return Ok(None),
                LineEnd::TooFar => return self.skip_line(record).map(|bad| Some(Err(bad))),
                LineEnd::At(end) => end,
            };
            if !matches!(&self.buffer[self.start..end], b"\n" | b"\r\n" | b"\r") {
                return self.record(end, columns, record).map(Some);
            }
            self.start = end;
            self.line += 1;
        }
    }

    /// The record whose first line ends at `first_end`.
    fn record(
        &mut self,
        first_end: usize,
        columns: Option<usize>,
        record: &mut Record,
    ) -> io::Result<Result<(), Bad>> {
        record.clear(self.line);
        let line = &self.buffer[self.start..first_end];
        if !self.has_quotes || memchr::memchr(b'"', line).is_none() {
            split_bare(line, self.delimiter, record);
            self.start = first_end;
            self.line += 1;
            return Ok(Ok(()));
        }
        let mut scan = Scan { state: State::FieldStart, is_strict: true, opened: 0 };
        let (mut from, mut end, mut lines) = (self.start, first_end, 0);
        loop {
            lines += 1;
            scan.line(&self.buffer[from..end], self.delimiter, record);
            if scan.state != State::Quoted {
                break;
            }
            from = end;
            let next =
                if lines < RECORD_LINES_MAX { self.line_end(from)? } else { LineEnd::TooFar };
            match next {
                LineEnd::At(next) => end = next,
                LineEnd::None | LineEnd::TooFar => break,
            }
        }
        let is_whole = scan.state != State::Quoted
            && (lines == 1
                || columns.is_none()
                || (scan.is_strict
                    && columns == Some(record.len())
                    && !self.looks_like_rows(first_end, end, record.len())));
        if is_whole {
            self.start = end;
            self.line += lines;
            return Ok(Ok(()));
        }
        let bad = Bad::OpenQuote { line: self.line, field: scan.opened };
        self.start = first_end;
        self.line += 1;
        Ok(Err(bad))
    }

    /// Whether the lines of a record could each be a row: the first if its
    /// quotes were only text, and most of those behind it.
    fn looks_like_rows(&self, first_end: usize, end: usize, columns: usize) -> bool {
        let first = &self.buffer[self.start..first_end];
        let has_all =
            |line: &[u8]| memchr::memchr_iter(self.delimiter, line).count() + 1 == columns;
        if columns < COLUMNS_TELLING || !has_all(first) {
            return false;
        }
        let (mut rows, mut others) = (0_usize, 0_usize);
        let mut alone = Record::default();
        for line in self.buffer[first_end..end].split_inclusive(|b| *b == b'\n') {
            alone.clear(0);
            let mut scan = Scan { state: State::FieldStart, is_strict: true, opened: 0 };
            scan.line(line, self.delimiter, &mut alone);
            if scan.state != State::Quoted && alone.len() == columns {
                rows += 1;
            } else {
                others += 1;
            }
        }
        rows > others
    }

    /// Leaves out the line at `start`, which is too long.
    fn skip_line(&mut self, record: &mut Record) -> io::Result<Bad> {
        record.clear(self.line);
        let head = &self.buffer[self.start..];
        let mut scan = Scan { state: State::FieldStart, is_strict: true, opened: 0 };
        if self.has_quotes {
            scan.line(head, self.delimiter, record);
        } else {
            split_bare(head, self.delimiter, record);
        }
        let is_open = scan.state == State::Quoted;
        let field = if is_open { scan.opened } else { record.len().saturating_sub(1) };
        // What was put there is large, and not needed.
        *record = Record::default();
        let bad = Bad::TooLong { line: self.line, field };
        loop {
            self.buffer.clear();
            self.start = 0;
            if !self.fill()? {
                break;
            }
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                self.start = end + 1;
                break;
            }
        }
        self.buffer.shrink_to(2 * CHUNK);
        self.line += 1;
        Ok(bad)
    }

    /// The end of the line that starts at `from`, which with all from `start`
    /// on is no longer than a record may be.
    fn line_end(&mut self, from: usize) -> io::Result<LineEnd> {
        let mut looked = from;
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[looked..]) {
                let end = looked + found + 1;
                let is_far = end - self.start > RECORD_BYTES_MAX;
                return Ok(if is_far { LineEnd::TooFar } else { LineEnd::At(end) });
            }
            looked = self.buffer.len();
            if looked - self.start > RECORD_BYTES_MAX {
                return Ok(LineEnd::TooFar);
            }
            if !self.fill()? {
                return Ok(if looked == from { LineEnd::None } else { LineEnd::At(looked) });
            }
        }
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let n = loop {
            match self.content.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + n.as_ref().copied().unwrap_or(0));
        let n = n?;
        self.is_at_end = n == 0;
        Ok(n > 0)
    }
}

impl Scan {
    /// Reads a line on, with its end; behind a line that does not end in a
    /// quoted field the record is complete.
    fn line(&mut self, line: &[u8], delimiter: u8, record: &mut Record) {
        let content = without_end(line);
        for byte in content {
            let byte = *byte;
            match (self.state, byte) {
                (State::FieldStart, b'"') => {
                    self.state = State::Quoted;
                    self.opened = record.ends.len();
                }
                (State::Quoted, b'"') => self.state = State::Closing,
                (State::Closing, b'"') => {
                    record.text.push(b'"');
                    self.state = State::Quoted;
                }
                (State::FieldStart | State::Bare | State::Closing, _) if byte == delimiter => {
                    record.ends.push(record.text.len());
                    self.state = State::FieldStart;
                }
                (State::FieldStart | State::Bare, _) => {
                    record.text.push(byte);
                    self.state = State::Bare;
                }
                (State::Closing, _) => {
                    record.text.push(byte);
                    self.is_strict = false;
                    self.state = State::Bare;
                }
                (State::Quoted, _) => record.text.push(byte),
            }
        }
        if self.state == State::Quoted {
            record.text.extend_from_slice(&line[content.len()..]);
        } else {
            record.ends.push(record.text.len());
        }
    }
}

fn split_bare(line: &[u8], delimiter: u8, record: &mut Record) {
    let line = without_end(line);
    let mut start = 0;
    for end in memchr::memchr_iter(delimiter, line) {
        record.text.extend_from_slice(&line[start..end]);
        record.ends.push(record.text.len());
        start = end + 1;
    }
    record.text.extend_from_slice(&line[start..]);
    record.ends.push(record.text.len());
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as lines of `line|field|field`, bad ones as `line!field`.
    fn cut(text: &str, columns: usize) -> Vec<String> {
        let content = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
        let mut cutter = Cutter::new(Vec::new(), content, b',');
        let mut record = Record::default();
        let mut all = Vec::new();
        while let Some(cut) = cutter.next(Some(columns), &mut record).unwrap() {
            assert!(
                cutter.buffer.capacity() <= 2 * (RECORD_BYTES_MAX + CHUNK),
                "memory is bounded"
            );
            assert!(record.text.capacity() <= 2 * (RECORD_BYTES_MAX + CHUNK), "memory is bounded");
            all.push(match cut {
                Ok(()) => (0..record.len()).fold(record.line.to_string(), |text, field| {
                    format!("{text}|{}", String::from_utf8_lossy(&record.text[record.span(field)]))
                }),
                Err(Bad::OpenQuote { line, field }) => format!("{line}!{field}"),
                Err(Bad::TooLong { line, field }) => format!("{line}>{field}"),
            });
        }
        all
    }

    #[test]
    fn breaks_in_quoted_fields_are_text() {
        assert_eq!(cut("1,\"a\nb\",c\n2,d,e\n", 3), ["1|1|a\nb|c", "3|2|d|e"]);
        assert_eq!(cut("1,b,\"c\n\nd, e\"\n2,d,e", 3), ["1|1|b|c\n\nd, e", "4|2|d|e"]);
    }

    #[test]
    fn an_open_quote_costs_one_row() {
        // To the end of the content.
        assert_eq!(cut("1,\"a,b\n2,c,d\n3,e,f\n", 3), ["1!1", "2|2|c|d", "3|3|e|f"]);
        // To the next quoted field, behind whose quote there is text.
        assert_eq!(cut("1,a,\"b\n2,c,d\n3,\"e\",f\n", 3), ["1!2", "2|2|c|d", "3|3|e|f"]);
        // To a stray quote at a field's end: columns and quotes are right, but
        // each line looks like a row.
        assert_eq!(cut("1,a,\"b\n2,c,d\n3,e,5\"\n", 3), ["1!2", "2|2|c|d", "3|3|e|5\""]);
        // To a stray quote at a field's start.
        assert_eq!(cut("1,a,\"b\n2,\"c,d\n3,e,f\n", 3), ["1!2", "2!1", "3|3|e|f"]);
    }

    #[test]
    fn with_two_columns_a_line_says_too_little() {
        assert_eq!(cut("1,\"a\nb, c\"\n", 2), ["1|1|a\nb, c"]);
    }

    #[test]
    fn quotes_within_a_line_are_read_with_goodwill() {
        assert_eq!(cut("a \"b\",\"c\"d,\"\"\n", 3), ["1|a \"b\"|cd|"]);
    }

    #[test]
    fn a_line_too_long_is_left_out() {
        let long = "x".repeat(2 * RECORD_BYTES_MAX);
        let text = format!("1,a,b\n2,{long},b\n3,a,\"{long}\n4,a,b\n");
        assert_eq!(cut(&text, 3), ["1|1|a|b", "2>1", "3>2", "4|4|a|b"]);
        let broken = "x\n".repeat(RECORD_LINES_MAX as usize);
        let all = cut(&format!("1,\"{broken}\n2,a,b\n"), 3);
        assert_eq!((all[0].as_str(), all.last().unwrap().as_str()), ("1!1", "10002|2|a|b"));
        assert_eq!(all.len() as u64, RECORD_LINES_MAX + 1);
    }
}
