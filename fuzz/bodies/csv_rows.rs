//! The tokenizer: every line that is not blank is read as a row, or is part of
//! one; lines ascend; and where nothing is quoted, rows are what splitting at
//! delimiters gives.

use std::io::{Cursor, Read};

use arrow::array::Array;

use crate::tokens::{TextRows, Tokens};

pub(crate) fn check(data: &[u8]) {
    let whole = read_all(Box::new(Cursor::new(data.to_vec())));
    let pieces = read_all(Box::new(Pieces { rest: data.to_vec() }));
    let Some((columns, batches)) = whole else {
        assert!(pieces.is_none());
        return;
    };
    let (_, others) = pieces.expect("the same content");
    assert_eq!(rows_of(&batches), rows_of(&others));
    let lines_max = data.iter().filter(|b| **b == b'\n').count() as u64 + 1;
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
        assert_eq!(places.len() + 1, rows, "a row a line, and the header");
    }
}

fn read_all(content: Box<dyn Read + Send>) -> Option<(usize, Vec<TextRows>)> {
    let mut tokens = Tokens::open(content).expect("memory can be read")?;
    let places: Vec<usize> = (0..tokens.header().len()).collect();
    let mut batches = Vec::new();
    while let Some(rows) = tokens.next_rows(&places).expect("memory can be read") {
        batches.push(rows);
    }
    Some((places.len(), batches))
}

fn rows_of(batches: &[TextRows]) -> Vec<String> {
    let one = |batch: &TextRows| format!("{:?} {:?}", batch.columns, batch.faults);
    batches.iter().map(one).collect()
}

/// Content that comes a few bytes at a time.
struct Pieces {
    rest: Vec<u8>,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = into.len().min(self.rest.len()).min(1 + self.rest.len() % 7);
        into[..n].copy_from_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Ok(n)
    }
}
