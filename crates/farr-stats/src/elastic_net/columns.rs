//! Sparse columns, as patient data has them: mostly indicators of a code.

use super::error::Error;

/// A matrix by columns, zeros left out. A column whose values are all 1 keeps
/// no values: 4 bytes an entry instead of 12, which is what bounds the speed
/// of a descent over them.
#[derive(Debug, Clone, Default)]
pub struct SparseColumns {
    rows: usize,
    row_numbers: Vec<u32>,
    values: Vec<f64>,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// Where the column's values start; `None` when they are all 1.
    values: Option<usize>,
}

/// One column's entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    pub(crate) rows: &'a [u32],
    /// `None` when all are 1.
    pub(crate) values: Option<&'a [f64]>,
}

impl SparseColumns {
    /// No columns yet, of `rows` rows each.
    pub fn new(rows: usize) -> Result<Self, Error> {
        if u32::try_from(rows).is_err() {
            return Err(Error::TooManyRows { rows });
        }
        Ok(Self { rows, ..Self::default() })
    }

    /// Dense columns, each of `rows` finite values.
    pub fn from_dense(rows: usize, columns: &[&[f64]]) -> Result<Self, Error> {
        let mut sparse = Self::new(rows)?;
        let all: Vec<u32> = (0..rows as u32).collect();
        for column in columns {
            sparse.push(&all, column)?;
        }
        Ok(sparse)
    }

    /// Appends a column by its rows, ascending, and their values; zeros among
    /// them are left out.
    pub fn push(&mut self, rows: &[u32], values: &[f64]) -> Result<(), Error> {
        let column = self.spans.len();
        self.check_rows(rows)?;
        if rows.len() != values.len() {
            return Err(Error::ColumnValue { column, entry: rows.len().min(values.len()) });
        }
        if let Some(entry) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::ColumnValue { column, entry });
        }
        let start = self.row_numbers.len();
        let kept = || rows.iter().zip(values).filter(|(_, v)| **v != 0.0);
        self.row_numbers.extend(kept().map(|(row, _)| row));
        let ones = kept().all(|(_, v)| *v == 1.0);
        let values_start = (!ones).then_some(self.values.len());
        if !ones {
            self.values.extend(kept().map(|(_, v)| v));
        }
        self.spans.push(Span { start, end: self.row_numbers.len(), values: values_start });
        Ok(())
    }

    /// Appends an indicator by the rows, ascending, where it is 1.
    pub fn push_indicator(&mut self, rows: &[u32]) -> Result<(), Error> {
        self.check_rows(rows)?;
        let start = self.row_numbers.len();
        self.row_numbers.extend(rows);
        self.spans.push(Span { start, end: self.row_numbers.len(), values: None });
        Ok(())
    }

    fn check_rows(&self, rows: &[u32]) -> Result<(), Error> {
        let wrong = rows
            .iter()
            .enumerate()
            .find(|&(i, &row)| row as usize >= self.rows || (i > 0 && rows[i - 1] >= row));
        match wrong {
            Some((_, &found)) => {
                Err(Error::RowNumber { column: self.spans.len(), found, rows: self.rows })
            }
            None => Ok(()),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.spans.len()
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.row_numbers.len()
    }

    pub(crate) fn column(&self, j: usize) -> Column<'_> {
        let span = self.spans[j];
        let rows = &self.row_numbers[span.start..span.end];
        let values = span.values.map(|at| &self.values[at..at + rows.len()]);
        Column { rows, values }
    }
}

/// Independent sums, so that an addition need not wait for the one before.
const LANES: usize = 4;

fn add(sum: &mut [f64; 2], pair: [f64; 2]) {
    sum[0] += pair[0];
    sum[1] += pair[1];
}

impl Column<'_> {
    /// Sum of x times `at`, over the entries.
    #[inline]
    fn sum(self, at: impl Fn(usize) -> f64) -> f64 {
        let mut sums = [0.0; LANES];
        let mut rest = 0.0;
        match self.values {
            None => {
                let chunks = self.rows.chunks_exact(LANES);
                for &row in chunks.remainder() {
                    rest += at(row as usize);
                }
                for chunk in chunks {
                    for (sum, &row) in sums.iter_mut().zip(chunk) {
                        *sum += at(row as usize);
                    }
                }
            }
            Some(values) => {
                let (chunks, parts) = (self.rows.chunks_exact(LANES), values.chunks_exact(LANES));
                for (&row, x) in chunks.remainder().iter().zip(parts.remainder()) {
                    rest += x * at(row as usize);
                }
                for (chunk, part) in chunks.zip(parts) {
                    for ((sum, &row), x) in sums.iter_mut().zip(chunk).zip(part) {
                        *sum += x * at(row as usize);
                    }
                }
            }
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
    }

    /// Sum of x y.
    pub(crate) fn dot(self, y: &[f64]) -> f64 {
        self.sum(|row| y[row])
    }

    /// Sum of x r over pairs (r, v).
    pub(crate) fn dot_first(self, pairs: &[[f64; 2]]) -> f64 {
        self.sum(|row| pairs[row][0])
    }

    /// Sums of x r, x v and x^2 v over pairs (r, v).
    pub(crate) fn moments(self, pairs: &[[f64; 2]]) -> [f64; 3] {
        match self.values {
            None => {
                let mut lanes = [[0.0; 2]; LANES];
                let chunks = self.rows.chunks_exact(LANES);
                for &row in chunks.remainder() {
                    add(&mut lanes[0], pairs[row as usize]);
                }
                for chunk in chunks {
                    for (lane, &row) in lanes.iter_mut().zip(chunk) {
                        add(lane, pairs[row as usize]);
                    }
                }
                let total = |k: usize| (lanes[0][k] + lanes[1][k]) + (lanes[2][k] + lanes[3][k]);
                [total(0), total(1), total(1)]
            }
            Some(values) => {
                let mut sums = [0.0; 3];
                for (&row, x) in self.rows.iter().zip(values) {
                    let [r, v] = pairs[row as usize];
                    sums[0] += x * r;
                    sums[1] += x * v;
                    sums[2] += x * x * v;
                }
                sums
            }
        }
    }

    /// Takes `step` x v from each r.
    pub(crate) fn descend(self, pairs: &mut [[f64; 2]], step: f64) {
        match self.values {
            None => {
                for &row in self.rows {
                    let pair = &mut pairs[row as usize];
                    pair[0] -= step * pair[1];
                }
            }
            Some(values) => {
                for (&row, x) in self.rows.iter().zip(values) {
                    let pair = &mut pairs[row as usize];
                    pair[0] -= step * x * pair[1];
                }
            }
        }
    }

    /// Adds `factor` x to `y`.
    pub(crate) fn add_to(self, y: &mut [f64], factor: f64) {
        match self.values {
            None => {
                for &row in self.rows {
                    y[row as usize] += factor;
                }
            }
            Some(values) => {
                for (&row, x) in self.rows.iter().zip(values) {
                    y[row as usize] += factor * x;
                }
            }
        }
    }

    /// Weighted mean and standard deviation over all rows, zeros included;
    /// the weights sum to 1. No spread (0) where it is only rounding.
    pub(crate) fn mean_and_spread(self, weights: &[f64]) -> (f64, f64) {
        let mean = self.dot(weights);
        let mut square = 0.0;
        let mut covered = 0.0;
        for (k, &row) in self.rows.iter().enumerate() {
            let x = self.values.map_or(1.0, |v| v[k]);
            square += weights[row as usize] * (x - mean) * (x - mean);
            covered += weights[row as usize];
        }
        let spread = (square + (1.0 - covered).max(0.0) * mean * mean).sqrt();
        // An indicator that is 1 everywhere leaves rounding in `covered`.
        (mean, if spread > 1e-7 * mean.abs() { spread } else { 0.0 })
    }
}
