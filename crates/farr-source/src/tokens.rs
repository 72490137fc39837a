//! Splitting delimited text into columns of text, with the line of each row.

use std::io::{self, Read};

use arrow::array::{StringArray, StringBuilder};
use farr_records::Line;

use crate::cutting::{Bad, Cutter, RECORD_BYTES_MAX, Record};

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

/// A delimited text that is being split.
///
/// The header tells the delimiter: comma, tab, semicolon or bar, whichever is
/// most frequent. Tab-separated text has no quotes.
pub(crate) struct Tokens {
    cutter: Cutter,
    header: Vec<String>,
    record: Record,
}

impl Tokens {
    /// Reads the header; `None` if there is nothing at all.
    pub(crate) fn open(mut content: Box<dyn Read + Send>) -> io::Result<Option<Self>> {
        let first = first_line(&mut content)?;
        let bytes = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
        if bytes.iter().all(u8::is_ascii_whitespace) && bytes.len() < HEADER_BYTES_MAX {
            return Ok(None);
        }
        let mut lines = bytes.split(|b| *b == b'\n');
        let line = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
        let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
        let delimiter = [b'|', b';', b'\t', b','].into_iter().max_by_key(|d| count(*d));
        let mut cutter = Cutter::new(bytes.to_vec(), content, delimiter.unwrap_or(b','));
        let mut record = Record::default();
        // A header that is none has no column, which the layout says.
        if !matches!(cutter.next(None, &mut record)?, Some(Ok(()))) {
            record = Record::default();
        }
        let name = |field| String::from_utf8_lossy(&record.text[record.span(field)]);
        let header = (0..record.len()).map(|field| name(field).trim().to_owned()).collect();
        Ok(Some(Self { cutter, header, record }))
    }

    /// The names of the columns, without blanks around them.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
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
        let columns = Some(self.header.len());
        while bytes < BYTES_MAX && rows_read < ROWS_MAX as u64 {
            let Some(cut) = self.cutter.next(columns, &mut self.record)? else { break };
            rows_read += 1;
            bytes += self.record.text.len();
            let text = match cut {
                Ok(()) => self.checked(),
                Err(bad) => Err(self.fault_of(bad)),
            };
            match text {
                Ok(text) => {
                    for (builder, place) in builders.iter_mut().zip(places) {
                        let field = &text[self.record.span(*place)];
                        builder.append_option((!field.is_empty()).then_some(field));
                    }
                    lines.push(Line(self.record.line));
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

    /// The record's text, if it has the header's columns and is text.
    fn checked(&self) -> Result<&str, Fault> {
        let record = &self.record;
        let fault = |field: Option<usize>, reason: &str| {
            let column = field.and_then(|field| self.header.get(field).cloned());
            Fault { line: Line(record.line), column, reason: reason.to_owned() }
        };
        if record.len() != self.header.len() {
            let (found, expected) = (record.len(), self.header.len());
            return Err(fault(None, &format!("{found} columns, expected {expected}")));
        }
        let mut fields = 0..record.len();
        if memchr::memchr(0, &record.text).is_some() {
            let field = fields.find(|field| record.text[record.span(*field)].contains(&0));
            return Err(fault(field, "holds a NUL byte"));
        }
        let text = std::str::from_utf8(&record.text).ok();
        // Two fields may each be wrong and right together.
        match text.filter(|text| record.ends.iter().all(|end| text.is_char_boundary(*end))) {
            Some(text) => Ok(text),
            None => {
                let is_wrong =
                    |field: &usize| std::str::from_utf8(&record.text[record.span(*field)]).is_err();
                Err(fault(fields.find(is_wrong), "is not valid UTF-8"))
            }
        }
    }

    fn fault_of(&self, bad: Bad) -> Fault {
        let (line, field, reason) = match bad {
            Bad::OpenQuote { line, field } => {
                (line, field, "opens a quote that is not closed before the next row".to_owned())
            }
            Bad::TooLong { line, field } => {
                let mebibytes = RECORD_BYTES_MAX >> 20;
                (line, field, format!("is in a row of more than {mebibytes} MiB"))
            }
        };
        Fault { line: Line(line), column: self.header.get(field).cloned(), reason }
    }
}

/// Everything up to the end of the first line that is not blank, and perhaps
/// some of the next.
fn first_line(content: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = match content.read(&mut chunk) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        first.extend_from_slice(&chunk[..n]);
        let has_line = || first.trim_ascii_start().contains(&b'\n');
        if n == 0 || first.len() >= HEADER_BYTES_MAX || (chunk[..n].contains(&b'\n') && has_line())
        {
            return Ok(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use arrow::array::Array;

    use super::*;

    fn split(text: &'static [u8]) -> (Vec<String>, Vec<Vec<Option<String>>>, Vec<Fault>) {
        let mut tokens = Tokens::open(Box::new(text)).unwrap().unwrap();
        let header = tokens.header().to_vec();
        let places: Vec<usize> = (0..header.len()).collect();
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
        (header, rows, faults)
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
            let (_, rows, faults) = split(text.leak().as_bytes());
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
            let mut tokens = Tokens::open(Box::new(Cursor::new(text))).unwrap().unwrap();
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
    }

    #[test]
    fn blank_lines_may_stand_before_the_header() {
        for text in ["\n\na|b\n1|2\n", "\r\n\r\na|b\n1|2\n"] {
            let one_by_one =
                text.bytes().fold(Box::new(io::empty()) as Box<dyn Read + Send>, |before, byte| {
                    Box::new(before.chain(Cursor::new([byte])))
                });
            let mut tokens = Tokens::open(one_by_one).unwrap().unwrap();
            let rows = tokens.next_rows(&[0]).unwrap().unwrap();
            assert_eq!((rows.rows_read, rows.lines.len()), (1, 1), "{text:?}");
        }
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(Tokens::open(Box::new(&b"\xef\xbb\xbf\n"[..])).unwrap().is_none());
    }
}
