//! Small dense symmetric matrices and their Cholesky factor.
//!
//! A model has tens of terms, seldom hundreds, so the factor is written out
//! plainly here: its pivots decide what counts as singular, which a library
//! call would hide. The heavy product over all rows is faer's (see `design`).

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct SquareMatrix {
    size: usize,
    values: Vec<f64>,
}

impl SquareMatrix {
    /// A matrix of `size` rows and columns, all zero.
    pub fn zeros(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    /// Number of rows, which is the number of columns.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The entry in row `i` and column `j`.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.size + j]
    }

    /// Sets the entry in row `i` and column `j`.
    pub fn set(&mut self, i: usize, j: usize, value: f64) {
        self.values[i * self.size + j] = value;
    }

    /// Adds to the entry in row `i` and column `j`.
    pub fn add(&mut self, i: usize, j: usize, value: f64) {
        self.values[i * self.size + j] += value;
    }

    /// The rows, in order.
    pub fn rows(&self) -> Vec<&[f64]> {
        (0..self.size).map(|i| &self.values[i * self.size..(i + 1) * self.size]).collect()
    }

    /// The diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        (0..self.size).map(|i| self.get(i, i)).collect()
    }

    /// Every entry, row by row.
    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// `left * self * left'` where `left` is given by rows.
    pub(crate) fn congruent(&self, left: &[Vec<f64>]) -> Self {
        let product: Vec<Vec<f64>> = left
            .iter()
            .map(|row| {
                (0..self.size)
                    .map(|j| row.iter().enumerate().map(|(k, l)| l * self.get(k, j)).sum())
                    .collect()
            })
            .collect();
        let mut out = Self::zeros(left.len());
        for (i, row) in product.iter().enumerate() {
            for (j, other) in left.iter().enumerate() {
                out.set(i, j, dot(row, other));
            }
        }
        out
    }
}

/// The sum of products of two equally long slices.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The lower triangular factor L of a positive definite matrix L L'.
pub(crate) struct Cholesky {
    lower: SquareMatrix,
}

/// A pivot below this part of its diagonal entry counts as zero.
const PIVOT_RELATIVE_MIN: f64 = 1e-13;

impl Cholesky {
    /// Factors `matrix`; `None` when it is not positive definite to working
    /// precision. Cost n^3 / 6.
    pub(crate) fn new(matrix: &SquareMatrix) -> Option<Self> {
        let n = matrix.size();
        let mut lower = SquareMatrix::zeros(n);
        for i in 0..n {
            for j in 0..=i {
                let (row_i, row_j) = (&lower.values[i * n..], &lower.values[j * n..]);
                let rest = matrix.get(i, j) - dot(&row_i[..j], &row_j[..j]);
                if i == j {
                    // Written so that NaN is refused as well.
                    if !(rest > PIVOT_RELATIVE_MIN * matrix.get(i, i) && rest.is_finite()) {
                        return None;
                    }
                    lower.set(i, i, rest.sqrt());
                } else {
                    let pivot = lower.get(j, j);
                    lower.set(i, j, rest / pivot);
                }
            }
        }
        Some(Self { lower })
    }

    /// Solves L L' x = `right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.lower.size();
        let mut x = right.to_vec();
        for i in 0..n {
            let done = dot(&self.lower.values[i * n..i * n + i], &x[..i]);
            x[i] = (x[i] - done) / self.lower.get(i, i);
        }
        for i in (0..n).rev() {
            let done: f64 = (i + 1..n).map(|k| self.lower.get(k, i) * x[k]).sum();
            x[i] = (x[i] - done) / self.lower.get(i, i);
        }
        x
    }

    /// The inverse of L L'.
    pub(crate) fn inverse(&self) -> SquareMatrix {
        let n = self.lower.size();
        let mut inverse = SquareMatrix::zeros(n);
        let mut unit = vec![0.0; n];
        for j in 0..n {
            unit[j] = 1.0;
            for (i, value) in self.solve(&unit).into_iter().enumerate() {
                inverse.set(i, j, value);
            }
            unit[j] = 0.0;
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_by_hand() {
        // [4 2; 2 3] = L L' with L = [2 0; 1 sqrt 2]; inverse = [3 -2; -2 4] / 8.
        let mut matrix = SquareMatrix::zeros(2);
        for (i, j, v) in [(0, 0, 4.0), (0, 1, 2.0), (1, 0, 2.0), (1, 1, 3.0)] {
            matrix.set(i, j, v);
        }
        let factor = Cholesky::new(&matrix).expect("positive definite");
        let inverse = factor.inverse();
        for (i, j, v) in [(0, 0, 0.375), (0, 1, -0.25), (1, 0, -0.25), (1, 1, 0.5)] {
            assert!((inverse.get(i, j) - v).abs() < 1e-15);
        }
        assert!((factor.solve(&[8.0, 8.0])[0] - 1.0).abs() < 1e-15);
        matrix.set(1, 1, 1.0);
        assert!(Cholesky::new(&matrix).is_none(), "determinant 4 * 1 - 2 * 2 = 0");
    }
}
