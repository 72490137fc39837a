//! Splitting delimited text into columns of text, with the line of each row.

use std::io::{self, Chain, Cursor, Read};

use arrow::array::{StringArray, StringBuilder};
use csv::{ByteRecord, ReaderBuilder, StringRecord};
use farr_records::Line;

use crate::chunks::Chunk;

/// At most so many rows in a batch,
const ROWS_MAX: usize = 65_536;
/// and at most so many bytes, or one row more.
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
/// quotes in them as they are.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The columns, without blanks around them.
    pub(crate) names: Vec<String>,
    pub(crate) delimiter: u8,
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
}

impl Head {
    /// The head that a text starts with; `is_all` if there is no more of it.
    pub(crate) fn begins(text: &[u8], is_all: bool) -> Beginning {
        let is_long = text.len() >= HEADER_BYTES_MAX;
        let bytes = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if bytes.iter().all(u8::is_ascii_whitespace) && !is_long {
            return if is_all { Beginning::Nothing } else { Beginning::Short };
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
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
        let delimiter = [b'|', b';', b'\t', b','].into_iter().max_by_key(|d| count(*d));
        let delimiter = delimiter.unwrap_or(b',');
        let mut head = Self { names: Vec::new(), delimiter, length: 0, lines: 0 };
        let mut reader = head.reader(bytes);
        let mut record = ByteRecord::new();
        // Bytes in memory can always be read.
        let _ = reader.read_byte_record(&mut record);
        let length = reader.position().byte() as usize;
        if !is_all && (length >= bytes.len() || !bytes[..length].ends_with(b"\n")) {
            return None;
        }
        let name = |name: &[u8]| String::from_utf8_lossy(name).trim().to_owned();
        head.names = record.iter().map(name).collect();
        head.length = mark + length;
        head.lines = memchr::memchr_iter(b'\n', &bytes[..length]).count() as u64;
        Some(head)
    }

    /// Whether quotes mean anything.
    pub(crate) fn has_quotes(&self) -> bool {
        self.delimiter != b'\t'
    }

    /// A splitter of text of this kind.
    pub(crate) fn reader<R: Read>(&self, text: R) -> csv::Reader<R> {
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            // Not at carriage returns, after which lines would be miscounted.
            .terminator(csv::Terminator::Any(b'\n'))
            .quoting(self.has_quotes())
            .buffer_capacity(1 << 16)
            .from_reader(text)
    }
}

/// Whole records that are being split.
pub(crate) struct Tokens<'h> {
    reader: csv::Reader<Chain<Cursor<Vec<u8>>, &'static [u8]>>,
    head: &'h Head,
    /// Lines before the records.
    lines_before: u64,
    record: ByteRecord,
}

impl<'h> Tokens<'h> {
    pub(crate) fn new(head: &'h Head, chunk: Chunk) -> Self {
        // One more line's end, so that the last row has one, too.
        let text = Cursor::new(chunk.bytes).chain(&b"\n"[..]);
        let (reader, lines_before) = (head.reader(text), chunk.first_line - 1);
        Self { reader, head, lines_before, record: ByteRecord::new() }
    }

    /// The next rows, of the columns at `places` of the header; `None` after
    /// the last.
    pub(crate) fn next_rows(&mut self, places: &[usize]) -> io::Result<Option<TextRows>> {
        let mut builders: Vec<StringBuilder> =
            places.iter().map(|_| StringBuilder::new()).collect();
        let mut lines = Vec::new();
        let mut faults = Vec::new();
        let mut bytes = 0;
        let mut rows_read = 0;
        while lines.len() < ROWS_MAX && bytes < BYTES_MAX && rows_read < ROWS_MAX as u64 {
            let mut record = std::mem::take(&mut self.record);
            if !self.reader.read_byte_record(&mut record).map_err(io_error)? {
                break;
            }
            if record.len() == 1 && record.as_slice() == b"\r" {
                self.record = record;
                continue;
            }
            rows_read += 1;
            bytes += record.as_slice().len();
            let line = self.line_of(&record);
            match self.checked(record, line) {
                Ok(record) => {
                    for (builder, place) in builders.iter_mut().zip(places) {
                        let field = record.get(*place).unwrap_or_default();
                        let is_last = place + 1 == record.len();
                        let field = field.strip_suffix('\r').filter(|_| is_last).unwrap_or(field);
                        builder.append_option((!field.is_empty()).then_some(field));
                    }
                    lines.push(line);
                    self.record = record.into_byte_record();
                }
                Err(fault) => faults.push(fault),
            }
        }
        if rows_read == 0 {
            return Ok(None);
        }
        let columns = builders.iter_mut().map(StringBuilder::finish).collect();
        Ok(Some(TextRows { lines, columns, rows_read, faults }))
    }

    /// The line on which a record starts that has just been read. The reader
    /// itself says where the blank lines before it start.
    fn line_of(&self, record: &ByteRecord) -> Line {
        let breaks = memchr::memchr_iter(b'\n', record.as_slice()).count() as u64;
        let counted = self.reader.position().line().saturating_sub(breaks + 1);
        let line = counted.max(record.position().map_or(0, csv::Position::line));
        Line(self.lines_before + line)
    }

    fn checked(&self, record: ByteRecord, line: Line) -> Result<StringRecord, Fault> {
        let fault = |column: Option<usize>, reason: String| Fault {
            line,
            column: column.and_then(|place| self.head.names.get(place).cloned()),
            reason,
        };
        if record.len() != self.head.names.len() {
            let (found, expected) = (record.len(), self.head.names.len());
            let end = self.lines_before + self.reader.position().line();
            let lines = end.saturating_sub(line.0);
            let spans = if lines > 1 {
                format!("; it spans {lines} lines, perhaps a quote is not closed")
            } else {
                String::new()
            };
            return Err(fault(None, format!("{found} columns, expected {expected}{spans}")));
        }
        if record.as_slice().contains(&0) {
            let place = record.iter().position(|field| field.contains(&0));
            return Err(fault(place, "holds a NUL byte".to_owned()));
        }
        StringRecord::from_byte_record(record).map_err(|error| {
            fault(Some(error.utf8_error().field()), "is not valid UTF-8".to_owned())
        })
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    type Split = (Vec<String>, Vec<Vec<Option<String>>>, Vec<Fault>);

    fn tokens<'h>(head: &'h Head, text: &[u8]) -> Tokens<'h> {
        let (bytes, first_line) = (text[head.length..].to_vec(), head.lines + 1);
        Tokens::new(head, Chunk { bytes, first_line })
    }

    fn split(text: &[u8]) -> Split {
        let head = Head::of(text, true).unwrap();
        let mut tokens = tokens(&head, text);
        let places: Vec<usize> = (0..head.names.len()).collect();
        let (mut rows, mut faults) = (Vec::new(), Vec::new());
        while let Some(batch) = tokens.next_rows(&places).unwrap() {
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
            let batch = tokens.next_rows(&[0, 1]).unwrap();
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
        assert_eq!(rows.len(), 2);
        let (_, _, faults_of_three) = split(b"a,b,c\n3,\"4\n5,6\n7,8\n");
        assert!(faults.is_empty());
        assert!(faults_of_three[0].reason.contains("quote"), "{:?}", faults_of_three[0]);
    }

    #[test]
    fn tabs_have_no_quotes() {
        let (header, rows, _) = split(b"id\tname\n1\t\"Ringer's\" 5\"\n");
        assert_eq!(header, ["id", "name"]);
        assert_eq!(texts(&rows[0]), ["1", "\"Ringer's\" 5\""]);
    }

    #[test]
    fn nothing_is_nothing() {
        let begins = |is_all| Head::begins(b"\xef\xbb\xbf\n", is_all);
        assert!(matches!(begins(true), Beginning::Nothing));
        assert!(matches!(begins(false), Beginning::Short));
        assert!(matches!(Head::begins(b"a,\"b\nc", false), Beginning::Short));
    }
}
