//! The design matrix: checked, standardised, with aliased columns left out.
//!
//! Every fit works on columns with mean 0 and variance 1, and its answer is
//! carried back to the columns as given. So pivots, step lengths and
//! convergence mean the same whatever the units, and a year of birth near
//! 1950 costs no digits.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::error::{Error, check_finite};
use super::linear_algebra::{SquareMatrix, dot};

/// A named column of the design.
#[derive(Debug, Clone, Copy)]
pub struct Covariate<'a> {
    /// The name, which becomes the term's.
    pub name: &'a str,
    /// One value a row.
    pub values: &'a [f64],
}

/// The intercept's name, as R writes it.
pub const INTERCEPT: &str = "(Intercept)";

/// A column counts as aliased when the columns before it explain all but
/// this part of its variance.
const UNEXPLAINED_MIN: f64 = 1e-11;

/// Rows a block of the product over rows; fixed, so that sums do not depend
/// on the machine's load.
const BLOCK_ROWS: usize = 512;

#[derive(Debug, Clone)]
pub(crate) struct Design {
    rows: usize,
    /// Names of all terms, the intercept first if there is one.
    pub(crate) terms: Vec<String>,
    /// Positions in `terms` of the columns of `values`.
    kept: Vec<usize>,
    /// Positions in `terms` of what is not estimated.
    pub(crate) aliased: Vec<usize>,
    intercept: bool,
    centre: Vec<f64>,
    scale: Vec<f64>,
    /// Row by row, the kept columns, standardised.
    values: Vec<f64>,
}

impl Design {
    /// Columns centred at their weighted mean, with an intercept before them.
    /// `weights` decide the mean, the scale and what is aliased.
    pub(crate) fn with_intercept(
        covariates: &[Covariate<'_>],
        weights: &[f64],
    ) -> Result<Self, Error> {
        let rows = weights.len();
        check_columns(covariates, rows)?;
        let total: f64 = weights.iter().sum();
        let (mut columns, mut centre, mut scale) = (Vec::new(), Vec::new(), Vec::new());
        for covariate in covariates {
            let mean = dot(covariate.values, weights) / total;
            let column: Vec<f64> = covariate.values.iter().map(|v| v - mean).collect();
            let (column, spread) = scaled(column, weights, mean.abs());
            columns.push(column);
            centre.push(mean);
            scale.push(spread);
        }
        let kept = independent(&columns, weights, &scale);
        Ok(Self::assemble(covariates, &columns, &kept, (&centre, &scale), rows, true))
    }

    /// Columns centred within each group, which leaves a likelihood that
    /// conditions on the group as it is; no intercept.
    pub(crate) fn within_groups(
        covariates: &[Covariate<'_>],
        groups: &[Vec<usize>],
        weights: &[f64],
    ) -> Result<Self, Error> {
        let rows = weights.len();
        check_columns(covariates, rows)?;
        let (mut columns, mut scale) = (Vec::new(), Vec::new());
        for covariate in covariates {
            let mut column = vec![0.0; rows];
            let mut largest = 0.0f64;
            for group in groups {
                let total: f64 = group.iter().map(|&i| weights[i]).sum();
                let sum: f64 = group.iter().map(|&i| weights[i] * covariate.values[i]).sum();
                for &i in group {
                    column[i] = covariate.values[i] - sum / total;
                    largest = largest.max(covariate.values[i].abs());
                }
            }
            let (column, spread) = scaled(column, weights, largest);
            columns.push(column);
            scale.push(spread);
        }
        let kept = independent(&columns, weights, &scale);
        let centre = vec![0.0; covariates.len()];
        Ok(Self::assemble(covariates, &columns, &kept, (&centre, &scale), rows, false))
    }

    fn assemble(
        covariates: &[Covariate<'_>],
        columns: &[Vec<f64>],
        kept: &[bool],
        (centre, scale): (&[f64], &[f64]),
        rows: usize,
        intercept: bool,
    ) -> Self {
        let first = usize::from(intercept);
        let mut terms: Vec<String> = covariates.iter().map(|c| c.name.to_owned()).collect();
        let mut positions = Vec::new();
        let (mut kept_centre, mut kept_scale, mut kept_columns) = (vec![], vec![], vec![]);
        let ones = vec![1.0; if intercept { rows } else { 0 }];
        if intercept {
            terms.insert(0, INTERCEPT.to_owned());
            positions.push(0);
            kept_centre.push(0.0);
            kept_scale.push(1.0);
            kept_columns.push(&ones);
        }
        for (j, _) in kept.iter().enumerate().filter(|(_, k)| **k) {
            positions.push(j + first);
            kept_centre.push(centre[j]);
            kept_scale.push(scale[j]);
            kept_columns.push(&columns[j]);
        }
        let mut values = Vec::with_capacity(rows * positions.len());
        for i in 0..rows {
            values.extend(kept_columns.iter().map(|column| column[i]));
        }
        let aliased =
            kept.iter().enumerate().filter(|(_, k)| !**k).map(|(j, _)| j + first).collect();
        Self {
            rows,
            terms,
            kept: positions,
            aliased,
            intercept,
            centre: kept_centre,
            scale: kept_scale,
            values,
        }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of estimated terms.
    pub(crate) fn size(&self) -> usize {
        self.kept.len()
    }

    /// The estimated terms of row `i`, standardised.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.size()..(i + 1) * self.size()]
    }

    /// `into[i] = row(i) . at + offset[i]`.
    pub(crate) fn linear_predictor(&self, at: &[f64], offset: &[f64], into: &mut [f64]) {
        for (i, eta) in into.iter_mut().enumerate() {
            *eta = dot(self.row(i), at) + offset[i];
        }
    }

    /// The furthest that `step` moves any row's linear predictor.
    pub(crate) fn reach(&self, step: &[f64]) -> f64 {
        (0..self.rows).map(|i| dot(self.row(i), step).abs()).fold(0.0, f64::max)
    }

    /// X' v, one entry a term.
    pub(crate) fn transpose_times(&self, v: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.size()];
        for (i, &factor) in v.iter().enumerate() {
            for (s, x) in sum.iter_mut().zip(self.row(i)) {
                *s += factor * x;
            }
        }
        sum
    }

    /// X' diag(w) X, in blocks of rows. Cost n p^2.
    pub(crate) fn weighted_cross_product(&self, w: &[f64]) -> SquareMatrix {
        let p = self.size();
        let mut product = SquareMatrix::zeros(p);
        if p == 0 {
            return product;
        }
        let mut weighted = Vec::with_capacity(BLOCK_ROWS * p);
        for (block, w) in self.values.chunks(BLOCK_ROWS * p).zip(w.chunks(BLOCK_ROWS)) {
            weighted.clear();
            for (row, &factor) in block.chunks(p).zip(w) {
                weighted.extend(row.iter().map(|x| factor * x));
            }
            let rows = w.len();
            matmul(
                MatMut::from_row_major_slice_mut(product.values_mut(), p, p),
                Accum::Add,
                MatRef::from_row_major_slice(block, rows, p).transpose(),
                MatRef::from_row_major_slice(&weighted, rows, p),
                1.0,
                Par::Seq,
            );
        }
        product
    }

    /// Standardised coefficients carried back to the columns as given, one a
    /// term; NaN where aliased.
    pub(crate) fn coefficients(&self, standardised: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; self.terms.len()];
        for (row, &position) in self.back().iter().zip(&self.kept) {
            out[position] = dot(row, standardised);
        }
        out
    }

    /// A covariance matrix of standardised coefficients carried back; NaN in
    /// the rows and columns of aliased terms.
    pub(crate) fn covariance(&self, standardised: &SquareMatrix) -> SquareMatrix {
        let small = standardised.congruent(&self.back());
        let mut out = SquareMatrix::zeros(self.terms.len());
        out.values_mut().fill(f64::NAN);
        for (i, &row) in self.kept.iter().enumerate() {
            for (j, &column) in self.kept.iter().enumerate() {
                out.set(row, column, small.get(i, j));
            }
        }
        out
    }

    /// The linear map from standardised to given coefficients, by rows.
    fn back(&self) -> Vec<Vec<f64>> {
        let p = self.size();
        let mut rows: Vec<Vec<f64>> = (0..p)
            .map(|j| {
                let mut row = vec![0.0; p];
                row[j] = 1.0 / self.scale[j];
                row
            })
            .collect();
        if self.intercept {
            for (j, entry) in rows[0].iter_mut().enumerate().skip(1) {
                *entry = -self.centre[j] / self.scale[j];
            }
        }
        rows
    }

    /// The names of the terms that `step` moves most, the intercept aside.
    pub(crate) fn terms_moved(&self, step: &[f64]) -> Vec<String> {
        let first = usize::from(self.intercept && self.size() > 1);
        let largest = step[first..].iter().fold(0.0f64, |a, s| a.max(s.abs()));
        self.kept
            .iter()
            .zip(step)
            .skip(first)
            .filter(|(_, s)| s.abs() >= 0.1 * largest)
            .map(|(&position, _)| self.terms[position].clone())
            .collect()
    }
}

fn check_columns(covariates: &[Covariate<'_>], rows: usize) -> Result<(), Error> {
    covariates.iter().try_for_each(|c| check_finite(c.name, c.values, rows))
}

/// The centred column divided by its spread, and the spread: 0 when it is
/// rounding beside values of `size`.
fn scaled(mut column: Vec<f64>, weights: &[f64], size: f64) -> (Vec<f64>, f64) {
    let total: f64 = weights.iter().sum();
    let square: f64 = column.iter().zip(weights).map(|(v, w)| w * v * v).sum();
    let spread = (square / total).sqrt();
    // Written so that NaN counts as constant.
    if !(spread > 1e-13 * size && spread.is_finite()) {
        return (column, 0.0);
    }
    for value in &mut column {
        *value /= spread;
    }
    (column, spread)
}

/// Which columns are not explained by the ones before them, in the manner of
/// R's limited column pivoting: the later column of a collinear set goes.
fn independent(columns: &[Vec<f64>], weights: &[f64], scale: &[f64]) -> Vec<bool> {
    let total: f64 = weights.iter().sum();
    let mut kept: Vec<usize> = Vec::new();
    // The Cholesky factor of the kept columns' correlations, a row a column.
    let mut lower: Vec<Vec<f64>> = Vec::new();
    for (j, column) in columns.iter().enumerate() {
        if scale[j] == 0.0 {
            continue;
        }
        let weighted: Vec<f64> = column.iter().zip(weights).map(|(v, w)| v * w / total).collect();
        let mut row: Vec<f64> = Vec::with_capacity(kept.len() + 1);
        for (above, &k) in lower.iter().zip(&kept) {
            let done = row.len();
            let rest = dot(&columns[k], &weighted) - dot(&above[..done], &row);
            row.push(rest / above[done]);
        }
        let unexplained = 1.0 - dot(&row, &row);
        if unexplained > UNEXPLAINED_MIN {
            row.push(unexplained.sqrt());
            lower.push(row);
            kept.push(j);
        }
    }
    (0..columns.len()).map(|j| kept.contains(&j)).collect()
}
