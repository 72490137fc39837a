//! Dense symmetric matrices of a few dozen columns: factor, solve, invert.

/// A pivot below this fraction of the largest diagonal entry is none: R's
/// `.Machine$double.eps^0.75`, `coxph.control(toler.chol)`.
const TOLERANCE: f64 = 1.818_989_403_545_856_5e-12;

/// L D L' of a symmetric, positive semidefinite p by p matrix. Columns that
/// depend on earlier ones get a zero pivot and take no part in what follows:
/// the generalised inverse of survival's `cholesky2`.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    size: usize,
    /// Unit lower triangle below the diagonal, pivots on it; row by row.
    factor: Vec<f64>,
    aliased: Vec<bool>,
}

impl Cholesky {
    /// `matrix`: p by p, row by row; only its lower triangle is read.
    /// Cost: O(p^3).
    pub(crate) fn of(matrix: Vec<f64>, size: usize) -> Self {
        let mut factor = matrix;
        let largest = (0..size).map(|i| factor[i * size + i]).fold(0.0, f64::max);
        let smallest = if largest > 0.0 { largest * TOLERANCE } else { f64::MIN_POSITIVE };
        let mut aliased = vec![false; size];
        for i in 0..size {
            let pivot = factor[i * size + i];
            // NaN is no pivot either.
            if pivot.is_nan() || pivot < smallest {
                aliased[i] = true;
                factor[i * size + i] = 0.0;
                for j in i + 1..size {
                    factor[j * size + i] = 0.0;
                }
                continue;
            }
            for j in i + 1..size {
                let multiple = factor[j * size + i] / pivot;
                for k in j..size {
                    factor[k * size + j] -= multiple * factor[k * size + i];
                }
            }
            for j in i + 1..size {
                factor[j * size + i] /= pivot;
            }
        }
        Self { size, factor, aliased }
    }

    /// Columns that depend on earlier ones.
    pub(crate) fn aliased(&self) -> &[bool] {
        &self.aliased
    }

    /// Whether no column depends on others.
    pub(crate) fn is_regular(&self) -> bool {
        !self.aliased.contains(&true)
    }

    /// Solves matrix x = b; 0 for aliased columns.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let (p, mut x) = (self.size, b.to_vec());
        for i in 0..p {
            for j in 0..i {
                x[i] -= x[j] * self.factor[i * p + j];
            }
        }
        for i in (0..p).rev() {
            if self.aliased[i] {
                x[i] = 0.0;
                continue;
            }
            x[i] /= self.factor[i * p + i];
            for j in i + 1..p {
                x[i] -= x[j] * self.factor[j * p + i];
            }
        }
        x
    }

    /// b' (matrix^-1) b; `None` when the matrix is singular.
    pub(crate) fn quadratic_of_inverse(&self, b: &[f64]) -> Option<f64> {
        self.is_regular().then(|| dot(b, &self.solve(b)))
    }

    /// The inverse, row by row; zero in aliased rows and columns.
    pub(crate) fn inverse(&self) -> Vec<f64> {
        let p = self.size;
        let mut inverse = vec![0.0; p * p];
        let mut unit = vec![0.0; p];
        for i in (0..p).filter(|&i| !self.aliased[i]) {
            unit[i] = 1.0;
            inverse[i * p..(i + 1) * p].copy_from_slice(&self.solve(&unit));
            unit[i] = 0.0;
        }
        for i in 0..p {
            for j in 0..i {
                let mean = f64::midpoint(inverse[i * p + j], inverse[j * p + i]);
                inverse[i * p + j] = mean;
                inverse[j * p + i] = mean;
            }
        }
        inverse
    }
}

/// The inner product.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// row' matrix for a square matrix, row by row.
pub(crate) fn row_times_matrix(row: &[f64], matrix: &[f64]) -> Vec<f64> {
    let p = row.len();
    let mut out = vec![0.0; p];
    for (x, line) in row.iter().zip(matrix.chunks_exact(p.max(1))) {
        out.iter_mut().zip(line).for_each(|(out, m)| *out += x * m);
    }
    out
}

/// Sum of outer products of `rows` (each p long), row by row.
pub(crate) fn cross_product(rows: &[f64], p: usize) -> Vec<f64> {
    let mut out = vec![0.0; p * p];
    for row in rows.chunks_exact(p.max(1)) {
        for (x, line) in row.iter().zip(out.chunks_exact_mut(p)) {
            line.iter_mut().zip(row).for_each(|(out, y)| *out += x * y);
        }
    }
    out
}

/// Adds the sum of factor x x' over `rows` (each p long), one factor a row, to
/// a lower triangle, row by row.
///
/// Four rows at a time, since most of the time goes into reading and writing
/// the triangle. Cost: rows p^2 / 2.
pub(crate) fn add_outer_products(rows: &[f64], factors: &[f64], p: usize, triangle: &mut [f64]) {
    if p == 0 {
        return;
    }
    let blocks = rows.chunks_exact(4 * p).zip(factors.chunks_exact(4));
    for (block, f) in blocks {
        let (first, rest) = block.split_at(p);
        let (second, rest) = rest.split_at(p);
        let (third, fourth) = rest.split_at(p);
        let mut left = &mut *triangle;
        for i in 0..p {
            let (line, after) = left.split_at_mut(i + 1);
            let a = [f[0] * first[i], f[1] * second[i], f[2] * third[i], f[3] * fourth[i]];
            let columns = first.iter().zip(second).zip(third).zip(fourth);
            for (cell, (((x, y), z), w)) in line.iter_mut().zip(columns) {
                *cell += (a[0] * x + a[1] * y) + (a[2] * z + a[3] * w);
            }
            left = after;
        }
    }
    let done = factors.len() / 4 * 4;
    for (row, factor) in rows[done * p..].chunks_exact(p).zip(&factors[done..]) {
        let mut left = &mut *triangle;
        for (i, x) in row.iter().enumerate() {
            let (line, after) = left.split_at_mut(i + 1);
            line.iter_mut().zip(row).for_each(|(cell, y)| *cell += factor * x * y);
            left = after;
        }
    }
}

/// The full symmetric matrix of a lower triangle, row by row.
pub(crate) fn square_of(triangle: &[f64], p: usize) -> Vec<f64> {
    let cell = |i: usize, j: usize| triangle[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)];
    (0..p * p).map(|k| cell(k / p, k % p)).collect()
}

/// The matrix with the rows and columns of `aliased` set to 0.
pub(crate) fn masked(matrix: &[f64], aliased: &[usize], p: usize) -> Vec<f64> {
    let keep = |k: usize| !aliased.contains(&(k / p)) && !aliased.contains(&(k % p));
    matrix.iter().enumerate().map(|(k, &m)| if keep(k) { m } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_by_hand() {
        // [[4, 2], [2, 3]] x = (2, 5): determinant 8, x = (-4 / 8, 16 / 8).
        let factored = Cholesky::of(vec![4.0, 2.0, 2.0, 3.0], 2);
        assert_eq!(factored.solve(&[2.0, 5.0]), [-0.5, 2.0]);
        assert_eq!(factored.inverse(), [0.375, -0.25, -0.25, 0.5]);
        assert_eq!(factored.quadratic_of_inverse(&[2.0, 5.0]), Some(9.0));
    }

    #[test]
    fn dependent_columns_are_named() {
        // The third column is the sum of the first two.
        let matrix = vec![2.0, 0.0, 2.0, 0.0, 1.0, 1.0, 2.0, 1.0, 3.0];
        let factored = Cholesky::of(matrix, 3);
        assert_eq!(factored.aliased(), [false, false, true]);
        assert_eq!(factored.solve(&[2.0, 1.0, 3.0]), [1.0, 1.0, 0.0]);
        assert_eq!(factored.quadratic_of_inverse(&[1.0, 1.0, 1.0]), None);
    }
}
