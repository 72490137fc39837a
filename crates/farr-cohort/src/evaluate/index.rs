//! From concepts to rows: the rows of each concept that any definition names.

use std::ops::Range;

use arrow::array::{Array, Int64Array};

/// Concepts that matter, as dense numbers: an open-addressed table, since one
/// lookup a row is the only thing that touches every row.
#[derive(Debug)]
pub(crate) struct Universe {
    /// Slots of (concept, dense number + 1); 0 is empty.
    slots: Vec<(i64, u32)>,
    shift: u32,
    len: usize,
}

impl Universe {
    /// Of concepts, ascending, each once.
    pub(crate) fn new(concepts: &[i64]) -> Self {
        let bits = (concepts.len() * 2).next_power_of_two().trailing_zeros().max(4);
        let mut universe =
            Self { slots: vec![(0, 0); 1 << bits], shift: 64 - bits, len: concepts.len() };
        for (dense, concept) in concepts.iter().enumerate() {
            let mut slot = universe.slot(*concept);
            while universe.slots[slot].1 != 0 {
                slot = (slot + 1) & (universe.slots.len() - 1);
            }
            universe.slots[slot] = (*concept, dense as u32 + 1);
        }
        universe
    }

    fn slot(&self, concept: i64) -> usize {
        ((concept as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// How many concepts there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn dense(&self, concept: i64) -> Option<u32> {
        let mut slot = self.slot(concept);
        loop {
            let (key, number) = self.slots[slot];
            if number == 0 {
                return None;
            }
            if key == concept {
                return Some(number - 1);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

/// For each dense concept its rows, ascending.
#[derive(Debug)]
pub(super) struct Postings {
    offsets: Vec<u32>,
    rows: Vec<u32>,
}

impl Postings {
    /// Of a range of rows of a concept column.
    pub(super) fn new(universe: &Universe, column: &Int64Array, range: Range<usize>) -> Self {
        let mut dense: Vec<(u32, u32)> = Vec::new();
        let mut offsets = vec![0u32; universe.len() + 1];
        for (row, concept) in range.clone().zip(&column.values()[range]) {
            if let Some(number) = universe.dense(*concept)
                && column.is_valid(row)
            {
                dense.push((number, row as u32));
                offsets[number as usize + 1] += 1;
            }
        }
        for place in 1..offsets.len() {
            offsets[place] += offsets[place - 1];
        }
        let mut next = offsets.clone();
        let mut rows = vec![0u32; dense.len()];
        for (number, row) in dense {
            rows[next[number as usize] as usize] = row;
            next[number as usize] += 1;
        }
        Self { offsets, rows }
    }

    /// The rows of a concept, ascending.
    pub(super) fn rows(&self, dense: u32) -> &[u32] {
        let dense = dense as usize;
        &self.rows[self.offsets[dense] as usize..self.offsets[dense + 1] as usize]
    }
}
