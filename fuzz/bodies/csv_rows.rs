//! The tokenizer: every line that is not blank is read as a row, or is part of
//! one; lines ascend; and where nothing is quoted, rows are what splitting at
//! delimiters gives.

use arrow::array::Array;
use bytes::Bytes;

use crate::chunks::{Body, Chunks};
use crate::tokens::{Beginning, Head, TextRows, Tokens};

pub(crate) fn check(data: &[u8]) {
    let whole = read_all(data, 1 << 20);
    let pieces = read_all(data, 1 + data.len() % 7);
    let Some((columns, batches)) = whole else {
        assert!(pieces.is_none());
        return;
    };
    let (_, others) = pieces.expect("the same content");
    assert_eq!(rows_of(&batches), rows_of(&others));
    let lines_max = memchr::memchr_iter(b'\n', data).count() as u64 + 1;
    let mut places = Vec::new();
    for batch in &batches {
        assert_eq!(batch.rows_read, (batch.lines.len() + batch.faults.len()) as u64);
        assert!(batch.columns.iter().all(|column| column.len() == batch.lines.len()));
        assert_eq!(batch.columns.len(), columns);
        let faults = batch.faults.iter().map(|fault| fault.line.0);
        places.extend(batch.lines.iter().map(|line| line.0).chain(faults));
        assert!(batch.faults.iter().all(|fault| !fault.reason.is_empty()));
    }
    places.sort_unstable();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "a line is read once");
    assert!(places.last().is_none_or(|last| *last <= lines_max));
    if !data.contains(&b'"') {
        let is_blank = |line: &&[u8]| matches!(*line, b"" | b"\r");
        let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
        let rows = text.split(|b| *b == b'\n').filter(|line| !is_blank(line)).count();
        // A first line that tells Excel the delimiter is neither.
        let is_for_excel = text.starts_with(b"sep=") && rows > 1;
        let others = 1 + usize::from(is_for_excel);
        assert_eq!(places.len() + others, rows, "a row a line, and the header");
    }
}

/// How many columns there are, and the rows, cut in chunks of about so many
/// bytes.
fn read_all(data: &[u8], chunk_bytes: usize) -> Option<(usize, Vec<TextRows>)> {
    let Beginning::Head(head) = Head::begins(data, true) else { return None };
    let (body, text) = (Body::Decoded(Box::new(std::io::empty())), Bytes::copy_from_slice(data));
    let from = (head.length as u64, head.lines + 1);
    let mut chunks = Chunks::new(head.rule(), (body, text), None, from, chunk_bytes);
    let places: Vec<usize> = (0..head.names.len()).collect();
    let mut batches = Vec::new();
    while let Some(chunk) = chunks.next().expect("memory can be read") {
        let mut tokens = Tokens::new(&head, chunk);
        while let Some(rows) = tokens.next_rows(&places) {
            batches.push(rows);
        }
    }
    Some((places.len(), batches))
}

/// Each row that is kept, and each fault, in order.
fn rows_of(batches: &[TextRows]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        for (row, line) in batch.lines.iter().enumerate() {
            let values: Vec<_> = batch.columns.iter().map(|column| column.value(row)).collect();
            rows.push((line.0, format!("{values:?}")));
        }
        rows.extend(batch.faults.iter().map(|fault| (fault.line.0, format!("{fault:?}"))));
    }
    rows.sort();
    rows.into_iter().map(|(_, row)| row).collect()
}
