//! Cutting delimited text into records, one line at a time, so that a quote
//! which is never closed costs one row and not the rest of the object.
//!
//! A quote at the start of a field opens it; there two quotes are one, and a
//! line's end is text. A record that spans lines is taken as it stands only if
//! its quotes and its number of columns are right and its lines do not look
//! like rows of their own. Else the line on which its quote opened is a bad
//! row, and cutting goes on at the next line.
//!
//! What a row is depends on the text from its start on and nothing else, and
//! on no more of it than [`RECORD_BYTES_MAX`]: text may be cut anywhere between
//! two rows, and the rows are the same.

/// A record, with the quotes that hold its fields, is at most so long.
pub(crate) const RECORD_BYTES_MAX: usize = 16 << 20;
/// A record spans at most so many lines.
const RECORD_LINES_MAX: u64 = 10_000;
/// With fewer columns a line says too little to look like a row.
const COLUMNS_TELLING: usize = 3;

/// A record's fields, without what quotes them.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// All fields, one behind the other.
    pub(crate) text: Vec<u8>,
    /// Where each field ends in `text`.
    pub(crate) ends: Vec<usize>,
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

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn first(&self) -> Option<&[u8]> {
        self.text.get(..*self.ends.first()?)
    }

    /// Takes text up to a byte that may end it, and gives what is left.
    fn take<'t>(&mut self, text: &'t [u8], end: u8) -> &'t [u8] {
        let (taken, rest) = text.split_at(memchr::memchr(end, text).unwrap_or(text.len()));
        self.text.extend_from_slice(taken);
        rest
    }
}

/// A row that is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A quote opens in this field and is not closed before the next row.
    OpenQuote { field: usize },
    /// The line is longer than [`RECORD_BYTES_MAX`], passed in this field.
    TooLong { field: usize },
}

/// A row: where it ends, and whether it is a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) end: usize,
    pub(crate) found: Result<(), Bad>,
}

/// How a text is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) delimiter: u8,
    pub(crate) has_quotes: bool,
    /// How many columns a record should have, if that is known.
    pub(crate) columns: Option<usize>,
    /// Whether the first column is one of ids of a database: numbers, as a rule.
    pub(crate) has_ids: bool,
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
    /// The field that was quoted last.
    opened: usize,
}

/// What the lines behind one that ends within quotes are.
enum Rest {
    /// They belong to the record, which ends there.
    End(usize),
    /// They do not.
    Not,
    /// The text ends too early to tell.
    Open,
}

impl Rule {
    /// The row that starts with the text, whose first line is not blank; `None`
    /// if more text is needed to tell. `is_all` says that there is no more.
    pub(crate) fn cut(self, text: &[u8], is_all: bool, record: &mut Record) -> Option<Cut> {
        record.clear();
        let Some(first_end) = line_end(text, 0, is_all) else {
            if text.len() <= RECORD_BYTES_MAX {
                return None;
            }
            return Some(self.too_long(text, text.len(), record));
        };
        if first_end > RECORD_BYTES_MAX {
            return Some(self.too_long(text, first_end, record));
        }
        let line = &text[..first_end];
        if !self.has_quotes || memchr::memchr(b'"', line).is_none() {
            split_bare(line, self.delimiter, record);
            return Some(Cut { end: first_end, found: Ok(()) });
        }
        let mut scan = Scan::new(State::FieldStart);
        scan.line(line, self.delimiter, record);
        let field = scan.opened;
        if scan.state != State::Quoted {
            return Some(Cut { end: first_end, found: Ok(()) });
        }
        let end = match self.rest(text, first_end, is_all, scan, record) {
            Rest::Open => return None,
            Rest::Not => None,
            Rest::End(end) => Some(end).filter(|end| {
                self.columns.is_none_or(|columns| {
                    columns == record.len() && !self.looks_like_rows(text, first_end, *end, columns)
                })
            }),
        };
        Some(match end {
            Some(end) => Cut { end, found: Ok(()) },
            None => Cut { end: first_end, found: Err(Bad::OpenQuote { field }) },
        })
    }

    /// Where the row ends that starts with the text, be it a record, a bad row,
    /// or a blank line; `None` if more text is needed to tell.
    pub(crate) fn row_end(self, text: &[u8], is_all: bool, scratch: &mut Record) -> Option<usize> {
        let end = line_end(text, 0, is_all)?;
        if end > RECORD_BYTES_MAX || !self.has_quotes || !self.ends_quoted(&text[..end]) {
            return Some(end);
        }
        self.cut(text, is_all, scratch).map(|cut| cut.end)
    }

    /// Where the last row ends of those that start with the text and of which
    /// the end can be told. It is as fast as finding quotes is.
    pub(crate) fn rows_end(self, text: &[u8], is_all: bool, scratch: &mut Record) -> usize {
        let mut start = 0;
        while start < text.len() {
            let quote = self.has_quotes.then(|| memchr::memchr(b'"', &text[start..])).flatten();
            let stop = quote.map_or(text.len(), |quote| start + quote);
            if let Some(found) = memchr::memrchr(b'\n', &text[start..stop]) {
                start += found + 1;
            }
            if quote.is_none() {
                return if is_all { text.len() } else { start };
            }
            let Some(end) = self.row_end(&text[start..], is_all, scratch) else { return start };
            start += end;
        }
        start
    }

    /// Where the record ends within whose quotes a line starts: 0 if there can
    /// be no such record, `None` if more text is needed to tell.
    pub(crate) fn quoted_end(self, text: &[u8], scratch: &mut Record) -> Option<usize> {
        scratch.clear();
        match self.rest(text, 0, false, Scan::new(State::Quoted), scratch) {
            Rest::End(end) => Some(end),
            Rest::Not => Some(0),
            Rest::Open => None,
        }
    }

    /// Reads lines on from `from`, where quotes are open.
    fn rest(
        self,
        text: &[u8],
        mut from: usize,
        is_all: bool,
        mut scan: Scan,
        record: &mut Record,
    ) -> Rest {
        for _ in 1..RECORD_LINES_MAX {
            let Some(end) = line_end(text, from, is_all) else {
                let is_open = !is_all && text.len() <= RECORD_BYTES_MAX;
                return if is_open { Rest::Open } else { Rest::Not };
            };
            if end > RECORD_BYTES_MAX || end == from {
                return Rest::Not;
            }
            scan.line(&text[from..end], self.delimiter, record);
            if let Some(columns) = self.columns
                && (!scan.is_strict || record.len() > columns)
            {
                return Rest::Not;
            }
            if scan.state != State::Quoted {
                return Rest::End(end);
            }
            from = end;
        }
        Rest::Not
    }

    /// Whether a line by itself ends within quotes.
    fn ends_quoted(self, line: &[u8]) -> bool {
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'"', &line[at..]) {
            let quote = at + found;
            at = quote + 1;
            if quote > 0 && line[quote - 1] != self.delimiter {
                continue;
            }
            loop {
                let Some(found) = memchr::memchr(b'"', &line[at..]) else { return true };
                at += found + 1;
                if line.get(at) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
        }
        false
    }

    /// Whether the lines of a record could each be a row: the first if its
    /// quotes were only text, and most of those behind it. Where the first starts
    /// with an id that is a number, so must they, or have none.
    fn looks_like_rows(self, text: &[u8], first_end: usize, end: usize, columns: usize) -> bool {
        let has_all =
            |line: &[u8]| memchr::memchr_iter(self.delimiter, line).count() + 1 == columns;
        if columns < COLUMNS_TELLING || !has_all(&text[..first_end]) {
            return false;
        }
        let (mut rows, mut others) = (0_usize, 0_usize);
        let mut alone = Record::default();
        Scan::new(State::FieldStart).line(&text[..first_end], self.delimiter, &mut alone);
        let is_numbered = self.has_ids && alone.first().is_some_and(is_number);
        for line in text[first_end..end].split_inclusive(|b| *b == b'\n') {
            alone.clear();
            let mut scan = Scan::new(State::FieldStart);
            scan.line(line, self.delimiter, &mut alone);
            let has_all = scan.state != State::Quoted && alone.len() == columns;
            let has_id = |first: &[u8]| first.is_empty() || is_number(first);
            if has_all && (!is_numbered || alone.first().is_some_and(has_id)) {
                rows += 1;
            } else {
                others += 1;
            }
        }
        rows > others
    }

    fn too_long(self, text: &[u8], end: usize, record: &mut Record) -> Cut {
        let head = &text[..=RECORD_BYTES_MAX];
        let mut scan = Scan::new(State::FieldStart);
        if self.has_quotes {
            scan.line(head, self.delimiter, record);
        } else {
            split_bare(head, self.delimiter, record);
        }
        let is_open = scan.state == State::Quoted;
        let field = if is_open { scan.opened } else { record.len().saturating_sub(1) };
        // What was put there is large, and not needed.
        *record = Record::default();
        Cut { end, found: Err(Bad::TooLong { field }) }
    }
}

impl Scan {
    fn new(state: State) -> Self {
        Self { state, is_strict: true, opened: 0 }
    }

    /// Reads a line on, with its end; behind a line that does not end in a
    /// quoted field the record is complete.
    fn line(&mut self, line: &[u8], delimiter: u8, record: &mut Record) {
        let content = without_end(line);
        let mut rest = content;
        while let Some((byte, behind)) = rest.split_first() {
            rest = match (self.state, *byte) {
                (State::FieldStart, b'"') => {
                    self.state = State::Quoted;
                    self.opened = record.ends.len();
                    behind
                }
                (State::Quoted, b'"') => {
                    self.state = State::Closing;
                    behind
                }
                (State::Closing, b'"') => {
                    record.text.push(b'"');
                    self.state = State::Quoted;
                    behind
                }
                (State::Quoted, _) => record.take(rest, b'"'),
                (_, byte) if byte == delimiter => {
                    record.ends.push(record.text.len());
                    self.state = State::FieldStart;
                    behind
                }
                (state, _) => {
                    self.is_strict &= state != State::Closing;
                    self.state = State::Bare;
                    record.take(rest, delimiter)
                }
            };
        }
        if self.state == State::Quoted {
            record.text.extend_from_slice(&line[content.len()..]);
        } else {
            record.ends.push(record.text.len());
        }
    }
}

/// Where the line ends that starts at `from`, behind its `\n`; without one at
/// the end of the text, if that is all.
pub(crate) fn line_end(text: &[u8], from: usize, is_all: bool) -> Option<usize> {
    match memchr::memchr(b'\n', &text[from..]) {
        Some(found) => Some(from + found + 1),
        None => is_all.then_some(text.len()),
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Whether a line holds nothing.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n" | b"\r")
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

/// A line without what ends it.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(columns: usize) -> Rule {
        Rule { delimiter: b',', has_quotes: true, columns: Some(columns), has_ids: false }
    }

    /// Rows as lines of `line|field|field`, bad ones as `line!field`.
    fn cut(text: &str, columns: usize) -> Vec<String> {
        cut_by(rule(columns), text)
    }

    fn cut_by(rule: Rule, text: &str) -> Vec<String> {
        let (mut rest, mut line) = (text.as_bytes(), 1);
        let mut record = Record::default();
        let mut all = Vec::new();
        while !rest.is_empty() {
            let mut end = line_end(rest, 0, true).unwrap();
            if !is_blank(&rest[..end]) {
                let cut = rule.cut(rest, true, &mut record).unwrap();
                assert!(record.text.capacity() <= 2 * RECORD_BYTES_MAX, "memory is bounded");
                end = cut.end;
                all.push(match cut.found {
                    Ok(()) => (0..record.len()).fold(line.to_string(), |text, field| {
                        let field = &record.text[record.span(field)];
                        format!("{text}|{}", String::from_utf8_lossy(field))
                    }),
                    Err(Bad::OpenQuote { field }) => format!("{line}!{field}"),
                    Err(Bad::TooLong { field }) => format!("{line}>{field}"),
                });
            }
            line += memchr::memchr_iter(b'\n', &rest[..end]).count();
            rest = &rest[end..];
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
    fn lines_of_a_note_are_no_rows_where_these_have_ids() {
        let cut = |text, has_ids| cut_by(Rule { has_ids, ..rule(3) }, text);
        let note = "1,a,\"pain\nno fever, no, cough\"\n2,c,d\n";
        assert_eq!(cut(note, true), ["1|1|a|pain\nno fever, no, cough", "3|2|c|d"]);
        assert_eq!(cut(note, false), ["1!2", "2|no fever| no| cough\"", "3|2|c|d"]);
        // Rows behind a stray quote, with other ids, without, and all without numbers.
        let stray = "1,a,\"b\n2,c,d\n,e,f\"\n";
        assert_eq!(cut(stray, true), ["1!2", "2|2|c|d", "3||e|f\""]);
        assert_eq!(cut("p,a,\"b\nq,c,d\"\n", true), ["1!2", "2|q|c|d\""]);
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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

        /// Whether a line ends in quotes is told as the rows are read.
        #[test]
        fn lines_end_quoted_as_they_are_read(line in "[a,\"\r]{0,12}") {
            let mut scan = Scan::new(State::FieldStart);
            scan.line(line.as_bytes(), b',', &mut Record::default());
            prop_assert_eq!(rule(2).ends_quoted(line.as_bytes()), scan.state == State::Quoted);
        }

        /// A row is the same however much text behind it is at hand, once it
        /// can be told; and rows end where they are cut.
        #[test]
        fn rows_do_not_depend_on_what_is_at_hand(
            text in "[a,\"\n]{1,40}", columns in 1..4_usize, at in 0..40_usize,
        ) {
            let (text, rule) = (text.as_bytes(), rule(columns));
            let (mut record, mut start, mut ends) = (Record::default(), 0, vec![0]);
            while start < text.len() {
                let row = rule.cut(&text[start..], true, &mut record).unwrap();
                for have in start..text.len() {
                    if let Some(cut) = rule.cut(&text[start..have], false, &mut record) {
                        prop_assert_eq!(cut, row);
                    }
                }
                // The row alone is the same.
                let alone = rule.cut(&text[start..start + row.end], true, &mut record);
                prop_assert_eq!(alone, Some(row));
                let end = rule.row_end(&text[start..], true, &mut record);
                prop_assert_eq!(end, Some(row.end));
                start += row.end;
                ends.push(start);
            }
            let at = at.min(text.len());
            prop_assert!(ends.contains(&rule.rows_end(&text[..at], false, &mut record)));
            prop_assert_eq!(rule.rows_end(text, true, &mut record), text.len());
        }
    }
}
