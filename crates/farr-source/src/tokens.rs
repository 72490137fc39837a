//! Splitting delimited text into columns of text, with the line of each row.

use arrow::array::StringArray;
use bytes::Bytes;
use farr_records::Line;

use crate::chunks::Chunk;
use crate::cutting::{Bad, RECORD_BYTES_MAX, Record, Rule, is_blank, line_end};
use crate::plain::{Texts, marks, stretch};

/// A batch is full with so many rows, and may have some lines more,
const ROWS_MAX: usize = 65_536;
/// or with so many bytes.
const BYTES_MAX: usize = 16 << 20;
/// A header longer than this is none.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// Why a row was not kept, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: Line,
    /// The export's column at fault, if it is one column.
    pub(crate) column: Option<String>,
    pub(crate) reason: String,
}

/// Rows as text; an empty field is null.
#[derive(Debug)]
pub(crate) struct TextRows {
    pub(crate) lines: Vec<Line>,
    /// One array for each column that was asked for.
    pub(crate) columns: Vec<StringArray>,
    /// How many rows were read, faulty ones too.
    pub(crate) rows_read: u64,
    pub(crate) faults: Vec<Fault>,
}

/// What the head of a delimited text says.
///
/// It tells the delimiter: comma, tab, semicolon or bar, whichever is most
/// frequent. Tab-separated text has no quotes, since Athena writes names with
/// quotes in them as they are; unless the head has some, as R writes it.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The columns, without blanks around them.
    pub(crate) names: Vec<String>,
    pub(crate) delimiter: u8,
    has_quotes: bool,
    /// Bytes of it, with a mark of byte order.
    pub(crate) length: usize,
    /// Line breaks in it.
    pub(crate) lines: u64,
}

/// What the first bytes of a text are.
#[derive(Debug)]
pub(crate) enum Beginning {
    Head(Head),
    /// There is nothing but white space.
    Nothing,
    /// They end within the head.
    Short,
    /// Something that is not read as text.
    Alien(Alien),
}

/// What an object is instead of text, and how to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alien {
    pub(crate) found: &'static str,
    pub(crate) remedy: &'static str,
}

impl Alien {
    /// What the first bytes of an object show; `is_all` if there are no more.
    fn of(bytes: &[u8], is_all: bool) -> Option<Self> {
        let alien = |found, remedy| Some(Self { found, remedy });
        let starts = |marks: &[&[u8]]| marks.iter().any(|mark| bytes.starts_with(mark));
        if starts(&[b"\xff\xfe", b"\xfe\xff"]) {
            return alien("is text in UTF-16", "export it in UTF-8");
        }
        if starts(&[b"PAR1"]) {
            let remedy = "name it .parquet where the format takes that, or export it as CSV";
            return alien("is Parquet, not text", remedy);
        }
        if starts(&[b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]) {
            return alien("is compressed twice", "compress it once");
        }
        let end = memchr::memchr(b'\n', bytes).or(is_all.then_some(bytes.len()))?;
        // Else all of it would be the head, and shown as names of columns. Several
        // at the end of a line are ends that were converted twice.
        let line = bytes[..end].trim_ascii_end();
        if memchr::memchr(b'\r', line).is_some() {
            let found = "has lines that end with a carriage return alone";
            return alien(found, "export it with line feeds");
        }
        None
    }
}

impl Head {
    /// The head that a text starts with; `is_all` if there is no more of it.
    pub(crate) fn begins(text: &[u8], is_all: bool) -> Beginning {
        let is_long = text.len() >= HEADER_BYTES_MAX;
        let bytes = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if bytes.iter().all(u8::is_ascii_whitespace) && !is_long {
            return if is_all { Beginning::Nothing } else { Beginning::Short };
        }
        if let Some(alien) = Alien::of(bytes, is_all || is_long) {
            return Beginning::Alien(alien);
        }
        match Self::of(text, is_all || is_long) {
            Some(head) => Beginning::Head(head),
            None => Beginning::Short,
        }
    }

    /// The head that a text starts with; `None` if it does not end there and
    /// there is more.
    pub(crate) fn of(text: &[u8], is_all: bool) -> Option<Self> {
        let bytes = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mark = text.len() - bytes.len();
        let mut start = 0;
        let first = loop {
            let end = line_end(bytes, start, is_all)?;
            let line = &bytes[start..end];
            // Excel is told the delimiter in a line of its own.
            let is_for_excel = start == 0 && line.starts_with(b"sep=");
            if start == bytes.len() || !is_blank(line) && !is_for_excel {
                break line;
            }
            start = end;
        };
        let count = |delimiter: u8| memchr::memchr_iter(delimiter, first).count();
        let delimiter = [b'|', b';', b'\t', b','].into_iter().max_by_key(|d| count(*d));
        let delimiter = delimiter.unwrap_or(b',');
        let has_quotes = delimiter != b'\t' || first.starts_with(b"\"");
        let mut head = Self { names: Vec::new(), delimiter, has_quotes, length: 0, lines: 0 };
        let rule = Rule { columns: None, ..head.rule() };
        let mut record = Record::default();
        let cut = rule.cut(&bytes[start..], is_all, &mut record)?;
        // A header that is none has no column, which the layout says.
        if cut.found.is_ok() {
            let name = |field| String::from_utf8_lossy(&record.text[record.span(field)]);
            head.names = (0..record.len()).map(|field| name(field).trim().to_owned()).collect();
        }
        let length = start + cut.end;
        head.length = mark + length;
        head.lines = memchr::memchr_iter(b'\n', &bytes[..length]).count() as u64;
        Some(head)
    }

    /// What is wrong with a row of so many columns.
    fn fault_of_count(&self, found: usize, line: Line) -> Option<Fault> {
        let expected = self.names.len();
        let reason = || format!("{found} columns, expected {expected}");
        (found != expected).then(|| Fault { line, column: None, reason: reason() })
    }

    /// How text of this kind is cut.
    pub(crate) fn rule(&self) -> Rule {
        let Self { delimiter, has_quotes, .. } = *self;
        // A table's id, or a person's; concepts may be missing, and codes are text.
        let is_id = |name: &String| {
            let name = name.to_ascii_lowercase();
            name.ends_with("_id") && !name.ends_with("concept_id")
        };
        let has_ids = self.names.first().is_some_and(is_id);
        Rule { delimiter, has_quotes, columns: Some(self.names.len()), has_ids }
    }
}

/// Rows that are being gathered.
#[derive(Default)]
struct Gathered {
    columns: Vec<Texts>,
    lines: Vec<Line>,
    faults: Vec<Fault>,
    /// Bytes of all fields.
    bytes: usize,
    rows_read: usize,
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX || self.rows_read >= ROWS_MAX
    }
}

/// Whole rows that are being split.
pub(crate) struct Tokens<'h> {
    head: &'h Head,
    rule: Rule,
    bytes: Bytes,
    /// Where the next row starts, and its line.
    start: usize,
    line: u64,
    record: Record,
    /// Rows that start before are split one by one: some of them are no text.
    singly_until: usize,
    plain: Plain,
}

/// Rows without quotes in some lines.
#[derive(Default)]
struct Plain {
    /// Where each row starts,
    starts: Vec<usize>,
    /// and where its fields end, row by row.
    ends: Vec<usize>,
}

impl<'h> Tokens<'h> {
    pub(crate) fn new(head: &'h Head, chunk: Chunk) -> Self {
        let Chunk { bytes, first_line: line } = chunk;
        let (rule, record, plain) = (head.rule(), Record::default(), Plain::default());
        Self { head, rule, bytes, start: 0, line, record, singly_until: 0, plain }
    }

    /// The next rows, of the columns at `places` of the header; `None` after
    /// the last.
    pub(crate) fn next_rows(&mut self, places: &[usize]) -> Option<TextRows> {
        let columns = places.iter().map(|_| Texts::default()).collect();
        let mut gathered = Gathered { columns, ..Gathered::default() };
        while !gathered.is_full() {
            self.plain_rows(places, &mut gathered);
            if gathered.is_full() {
                break;
            }
            let Some((line, found)) = self.next_row() else { break };
            gathered.rows_read += 1;
            gathered.bytes += self.record.text.len();
            let text = match found {
                Ok(()) => self.checked(line),
                Err(bad) => Err(self.fault_of(bad, line)),
            };
            match text {
                Ok(text) => {
                    for (column, place) in gathered.columns.iter_mut().zip(places) {
                        column.push(&text[self.record.span(*place)]);
                    }
                    gathered.lines.push(line);
                }
                Err(fault) => gathered.faults.push(fault),
            }
        }
        let Gathered { columns, lines, faults, rows_read, .. } = gathered;
        if rows_read == 0 {
            return None;
        }
        let columns = columns.into_iter().map(Texts::finish).collect();
        Some(TextRows { lines, columns, rows_read: rows_read as u64, faults })
    }

    /// Gathers the next rows as long as they are plain text without quotes: what
    /// [`next_row`](Self::next_row) and [`checked`](Self::checked) make of such,
    /// in fewer steps.
    fn plain_rows(&mut self, places: &[usize], gathered: &mut Gathered) {
        while !gathered.is_full() && self.start >= self.singly_until {
            // All that is asked of a stretch is asked while it is in the cache.
            let lines = stretch(&self.bytes[self.start..], self.rule.has_quotes);
            if lines.is_empty() || lines.len() > RECORD_BYTES_MAX {
                return;
            }
            if memchr::memchr(0, lines).is_some() || std::str::from_utf8(lines).is_err() {
                self.singly_until = self.start + lines.len();
                return;
            }
            let is_first = gathered.rows_read == 0;
            self.start += lines.len();
            self.line += self.plain.find(lines, self.head, Line(self.line), gathered);
            // What follows is likely to be alike.
            let times = (self.bytes.len() - self.start) / lines.len();
            let times = times.min(ROWS_MAX / gathered.rows_read.max(1));
            for (column, place) in gathered.columns.iter_mut().zip(places) {
                column.extend(lines, self.plain.spans(*place, self.head.names.len()));
                if is_first {
                    column.reserve(times);
                }
            }
        }
    }

    /// The next row that is not blank: its line, and whether it is a record.
    fn next_row(&mut self) -> Option<(Line, Result<(), Bad>)> {
        while self.start < self.bytes.len() {
            let rest = &self.bytes[self.start..];
            let first = line_end(rest, 0, true)?;
            if is_blank(&rest[..first]) {
                self.start += first;
                self.line += 1;
                continue;
            }
            let cut = self.rule.cut(rest, true, &mut self.record)?;
            let line = Line(self.line);
            self.line += memchr::memchr_iter(b'\n', &rest[..cut.end]).count() as u64;
            self.start += cut.end;
            return Some((line, cut.found));
        }
        None
    }

    /// The record's text, if it has the header's columns and is text.
    fn checked(&self, line: Line) -> Result<&str, Fault> {
        let record = &self.record;
        let fault = |field: Option<usize>, reason: &str| {
            let column = field.and_then(|field| self.head.names.get(field).cloned());
            Fault { line, column, reason: reason.to_owned() }
        };
        if let Some(fault) = self.head.fault_of_count(record.len(), line) {
            return Err(fault);
        }
        let mut fields = 0..record.len();
        if memchr::memchr(0, &record.text).is_some() {
            let field = fields.find(|field| record.text[record.span(*field)].contains(&0));
            return Err(fault(field, "holds a NUL byte"));
        }
        // Two fields may each be wrong and right together.
        let is_cut = |text: &&str| record.ends.iter().all(|end| text.is_char_boundary(*end));
        let text = std::str::from_utf8(&record.text).ok().filter(is_cut);
        text.ok_or_else(|| {
            let is_wrong =
                |field: &usize| std::str::from_utf8(&record.text[record.span(*field)]).is_err();
            fault(fields.find(is_wrong), "is not valid UTF-8")
        })
    }

    fn fault_of(&self, bad: Bad, line: Line) -> Fault {
        let (field, reason) = match bad {
            Bad::OpenQuote { field } => {
                (field, "opens a quote that is not closed before the next row".to_owned())
            }
            Bad::TooLong { field } => {
                let mebibytes = RECORD_BYTES_MAX >> 20;
                (field, format!("is in a row of more than {mebibytes} MiB"))
            }
        };
        Fault { line, column: self.head.names.get(field).cloned(), reason }
    }
}

impl Plain {
    /// Finds the rows of some lines: their fields stay here, all else of them is
    /// gathered. How many lines there are.
    fn find(&mut self, lines: &[u8], head: &Head, first: Line, gathered: &mut Gathered) -> u64 {
        let Self { starts, ends } = self;
        starts.clear();
        ends.clear();
        // Where the row starts, how many ends lie before its own, and which of the
        // lines it is.
        let (mut start, mut before, mut n_lines) = (0, 0, 0);
        let mut found = |at: usize| {
            if lines.get(at) == Some(&head.delimiter) {
                return ends.push(at);
            }
            let line = Line(first.0 + n_lines);
            n_lines += 1;
            let row = std::mem::replace(&mut start, at + 1);
            let end = at - usize::from(lines[row..at].ends_with(b"\r"));
            if row == end {
                return;
            }
            ends.push(end);
            let fields = ends.len() - before;
            gathered.rows_read += 1;
            gathered.bytes += end - row + 1 - fields;
            if let Some(fault) = head.fault_of_count(fields, line) {
                gathered.faults.push(fault);
                ends.truncate(before);
            } else {
                gathered.lines.push(line);
                starts.push(row);
                before = ends.len();
            }
        };
        marks(lines, head.delimiter, &mut found);
        if !lines.ends_with(b"\n") {
            found(lines.len());
        }
        n_lines
    }

    /// Where the fields of a column start and end, of so many columns.
    fn spans(
        &self,
        column: usize,
        columns: usize,
    ) -> impl ExactSizeIterator<Item = (usize, usize)> {
        let rows = self.starts.iter().zip(self.ends.chunks_exact(columns));
        rows.map(move |(start, ends)| match column {
            0 => (*start, ends[0]),
            _ => (ends[column - 1] + 1, ends[column]),
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    type Split = (Vec<String>, Vec<Vec<Option<String>>>, Vec<Fault>);

    fn tokens<'h>(head: &'h Head, text: &[u8]) -> Tokens<'h> {
        let bytes = Bytes::copy_from_slice(&text[head.length..]);
        let first_line = head.lines + 1;
        Tokens::new(head, Chunk { bytes, first_line })
    }

    fn split(text: &[u8]) -> Split {
        let head = Head::of(text, true).unwrap();
        let mut tokens = tokens(&head, text);
        let places: Vec<usize> = (0..head.names.len()).collect();
        let (mut rows, mut faults) = (Vec::new(), Vec::new());
        while let Some(batch) = tokens.next_rows(&places) {
            let texts = |i: usize| {
                let value = |c: &StringArray| c.iter().nth(i).flatten().map(str::to_owned);
                batch.columns.iter().map(value).collect()
            };
            rows.extend((0..batch.lines.len()).map(texts));
            assert_eq!(batch.rows_read as usize, batch.lines.len() + batch.faults.len());
            faults.extend(batch.faults);
        }
        (head.names, rows, faults)
    }

    fn texts(row: &[Option<String>]) -> Vec<&str> {
        row.iter().map(|t| t.as_deref().unwrap_or("-")).collect()
    }

    #[test]
    fn marks_line_ends_and_quotes() {
        let text = b"\xef\xbb\xbfa, b ,c\r\n1,\"x,\r\n\"\"y\"\"\",\r\n\r\n4,5,6";
        let (header, rows, faults) = split(text);
        assert_eq!(header, ["a", "b", "c"]);
        assert_eq!(texts(&rows[0]), ["1", "x,\r\n\"y\"", "-"]);
        assert_eq!(texts(&rows[1]), ["4", "5", "6"]);
        assert!(faults.is_empty());
    }

    #[test]
    fn lines_are_counted_over_blank_ones_and_breaks() {
        for end in ["\n", "\r\n"] {
            let text = ["a,b", "", "1", "", "", "\"2", "3\",4", "5", "6,7", "8"].join(end);
            let (_, rows, faults) = split(text.as_bytes());
            assert_eq!(rows.len(), 2, "{rows:?}");
            let lines: Vec<_> = faults.iter().map(|fault| fault.line.0).collect();
            assert_eq!(lines, [3, 8, 10]);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_a_writer_wrote_is_read_and_placed(
            rows in proptest::collection::vec(proptest::array::uniform2("[a-z,\"\n é]{0,5}"), 0..20),
            crlf in proptest::bool::ANY,
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            writer.write_record(["a", "b"]).unwrap();
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let head = Head::of(&text, true).unwrap();
            let mut tokens = tokens(&head, &text);
            let mut line = 2;
            let batch = tokens.next_rows(&[0, 1]);
            for (i, row) in rows.iter().enumerate() {
                let batch = batch.as_ref().unwrap();
                proptest::prop_assert_eq!(batch.lines[i], Line(line));
                for (column, expected) in batch.columns.iter().zip(row) {
                    let text = column.is_valid(i).then(|| column.value(i));
                    proptest::prop_assert_eq!(text.unwrap_or_default(), expected);
                }
                line += 1 + row.iter().map(|field| field.matches('\n').count() as u64).sum::<u64>();
            }
        }
    }

    proptest::proptest! {
        /// The short way and the long one give the same rows.
        #[test]
        fn plain_rows_are_what_all_rows_are(
            text in "(a,b|a\tb|\"a\",b)\n\
                ([0-9a,\t\"\r\n é]|[0-9],\"?[0-9]\"?\n|[0-9é]{10,60},[a-z]{0,60}\n|[\0~]){0,40}",
        ) {
            // No text has such a byte.
            let text: Vec<u8> = text.bytes().map(|b| if b == b'~' { 0xff } else { b }).collect();
            let head = Head::of(&text, true).unwrap();
            let read = |is_plain: bool| {
                let mut tokens = tokens(&head, &text);
                if !is_plain {
                    tokens.singly_until = usize::MAX;
                }
                let places: Vec<usize> = (0..head.names.len()).rev().collect();
                let mut all = Vec::new();
                while let Some(rows) = tokens.next_rows(&places) {
                    all.push((rows.lines, rows.columns, rows.rows_read, rows.faults));
                }
                all
            };
            proptest::prop_assert_eq!(read(true), read(false));
        }
    }

    #[test]
    fn batches_follow_each_other() {
        let head = Head::of(b"a,b\n", true).unwrap();
        let rows: Vec<String> = (0..3 * ROWS_MAX).map(|row| format!("{row},\n")).collect();
        let mut tokens = tokens(&head, format!("a,b\n{}", rows.concat()).as_bytes());
        let (mut batches, mut next) = (0, 0);
        while let Some(batch) = tokens.next_rows(&[1, 0]) {
            assert!(batch.lines.len() <= 2 * ROWS_MAX);
            assert_eq!(batch.columns[0].null_count(), batch.lines.len());
            for (line, value) in batch.lines.iter().zip(&batch.columns[1]) {
                assert_eq!((line.0, value), (next + 2, Some(next.to_string().as_str())));
                next += 1;
            }
            batches += 1;
        }
        assert_eq!((batches >= 2, next), (true, 3 * ROWS_MAX as u64));
    }

    #[test]
    fn bad_rows_are_placed() {
        let (_, rows, faults) = split(b"a,b\n1\n2,\xff\n3,x\n4,a\0b\n5,6,7\n");
        assert_eq!(rows.len(), 1);
        let places: Vec<_> = faults.iter().map(|f| (f.line.0, f.column.as_deref())).collect();
        assert_eq!(places, [(2, None), (3, Some("b")), (5, Some("b")), (6, None)]);
        assert_eq!(faults[0].reason, "1 columns, expected 2");
    }

    #[test]
    fn an_open_quote_is_named() {
        let (_, rows, faults) = split(b"a,b\n1,2\n3,\"4\n5,6\n7,8\n");
        assert_eq!(rows.len(), 3);
        let column = Some("b".to_owned());
        let reason = "opens a quote that is not closed before the next row".to_owned();
        assert_eq!(faults, [Fault { line: Line(3), column, reason }]);
    }

    #[test]
    fn halves_of_a_letter_are_none() {
        let (_, rows, faults) = split(b"a,b\n\xc3,\xa9\n");
        assert!(rows.is_empty());
        assert_eq!(faults[0].column.as_deref(), Some("a"));
    }

    #[test]
    fn tabs_have_no_quotes() {
        let (header, rows, _) = split(b"id\tname\n1\t\"Ringer's\" 5\"\n");
        assert_eq!(header, ["id", "name"]);
        assert_eq!(texts(&rows[0]), ["1", "\"Ringer's\" 5\""]);
        let (header, rows, _) = split(b"\"id\"\t\"name\"\n1\t\"a\tb \"\"c\"\"\"\n");
        assert_eq!(header, ["id", "name"]);
        assert_eq!(texts(&rows[0]), ["1", "a\tb \"c\""]);
    }

    #[test]
    fn what_is_no_text_is_named() {
        let found = |text: &[u8]| match Head::begins(text, true) {
            Beginning::Alien(alien) => alien.found,
            other => panic!("{other:?}"),
        };
        assert!(found(b"\xff\xfei\0d\0").contains("UTF-16"));
        assert!(found(b"PAR1...").contains("Parquet"));
        assert!(found(b"\x1f\x8b...").contains("twice"));
        assert!(found(b"Id,NAME\r1,Jones\r").contains("carriage return"));
        assert!(found(b"Id,NAME\r1,Jones\r2,\"a\nb\"\r").contains("carriage return"));
        for text in [&b"a,b\r\n1,2\r\n"[..], b"\r\na,b\r\n", b"a,b\r\r\n1,2\r\r\n", b"a,b\r", b"a"]
        {
            assert!(matches!(Head::begins(text, true), Beginning::Head(_)), "{text:?}");
        }
    }

    #[test]
    fn a_line_for_excel_is_passed_over() {
        let (header, rows, _) = split(b"sep=;\na;b\n1;2\n");
        assert_eq!((header.len(), texts(&rows[0])), (2, vec!["1", "2"]));
    }

    #[test]
    fn blank_lines_may_stand_before_the_header() {
        for text in ["\n\na|b\n1|2\n", "\r\n\r\na|b\n1|2\n"] {
            for have in 0..text.len() {
                let begins = Head::begins(&text.as_bytes()[..have], false);
                let is_short = have < text.find('b').unwrap() + 2;
                assert_eq!(matches!(begins, Beginning::Short), is_short, "{text:?} {have}");
            }
            let (header, rows, _) = split(text.as_bytes());
            assert_eq!((header.len(), rows.len()), (2, 1), "{text:?}");
        }
    }

    #[test]
    fn nothing_is_nothing() {
        let begins = |is_all| Head::begins(b"\xef\xbb\xbf\n", is_all);
        assert!(matches!(begins(true), Beginning::Nothing));
        assert!(matches!(begins(false), Beginning::Short));
        assert!(matches!(Head::begins(b"a,\"b\nc", false), Beginning::Short));
    }
}
