//! Coordinate descent at one penalty.
//!
//! At the current linear predictors the log-likelihood is replaced by a
//! quadratic, with derivative r and curvature v of each row; coordinates are
//! then minimised one after the other, and the quadratic is renewed. Columns
//! stay as given: the intercept is at its optimum at all times, which is the
//! same as centring each column at its v-weighted mean c, and standardisation
//! is a factor on the penalty.
//!
//! A step d of column x turns r into r - d v (x - c). The sparse part touches
//! the column's rows alone; the rest, d c v, is the same multiple of v for
//! every row and kept as one number, `shift`.
//!
//! Where coordinates creep, Newton's method takes over: see `newton`.

use super::columns::SparseColumns;
use super::error::Error;
use super::likelihood::RowLikelihood;

/// What each column pays.
#[derive(Default)]
pub(crate) struct ColumnPenalty {
    /// The penalty factor on the scale of the column.
    pub(crate) unit: Vec<f64>,
    /// Times lambda: the L1 penalty of a unit coefficient.
    pub(crate) absolute: Vec<f64>,
    /// Times lambda: the L2 penalty's factor.
    pub(crate) square: Vec<f64>,
    /// Columns that may enter: not constant, not excluded.
    pub(crate) eligible: Vec<bool>,
}

pub(crate) struct Descent<'a, L> {
    pub(crate) columns: &'a SparseColumns,
    pub(crate) likelihood: L,
    pub(crate) penalty: ColumnPenalty,
    pub(crate) intercept: f64,
    pub(crate) coefficients: Vec<f64>,
    /// Derivative of the likelihood in each row at the last solution.
    pub(crate) residual: Vec<f64>,
    /// The likelihood at the last solution.
    pub(crate) value: f64,
    /// A pass whose squared moves, in curvature, sum to less counts as still;
    /// the sum is about twice what the pass gains.
    pub(crate) tolerance: f64,
    pub(crate) passes_max: usize,
    pub(super) eta: Vec<f64>,
    curvature: Vec<f64>,
    /// (r, v) of each row side by side, since a step needs both.
    pairs: Vec<[f64; 2]>,
    shift: f64,
    /// Sum of v.
    curvature_sum: f64,
    /// By column, sum of x v and sum of (x - c)^2 v.
    weighted_sum: Vec<f64>,
    weighted_square: Vec<f64>,
}

/// A point to fall back to when a step went too far.
struct Before {
    objective: f64,
    intercept: f64,
    coefficients: Vec<f64>,
    eta: Vec<f64>,
    halvings: usize,
}

/// Passes over the active columns go on until they move this part of what the
/// first pass over all moved; then the quadratic is renewed.
const INNER_PART: f64 = 0.1;
const HALVINGS_MAX: usize = 30;
/// So many passes at one lambda are nothing unusual.
const CREEPING_PASSES: usize = 50;

impl<'a, L: RowLikelihood> Descent<'a, L> {
    pub(crate) fn new(
        columns: &'a SparseColumns,
        likelihood: L,
        penalty: ColumnPenalty,
        passes_max: usize,
    ) -> Self {
        let (n, p) = (columns.rows(), columns.columns());
        let mut descent = Self {
            columns,
            intercept: likelihood.start(),
            likelihood,
            penalty,
            coefficients: vec![0.0; p],
            residual: vec![0.0; n],
            value: 0.0,
            tolerance: 0.0,
            passes_max,
            eta: vec![0.0; n],
            curvature: vec![0.0; n],
            pairs: vec![[0.0; 2]; n],
            shift: 0.0,
            curvature_sum: 0.0,
            weighted_sum: vec![0.0; p],
            weighted_square: vec![0.0; p],
        };
        descent.renew_eta();
        descent.evaluate();
        descent
    }

    pub(super) fn evaluate(&mut self) {
        self.value = self.likelihood.evaluate(&self.eta, &mut self.residual, &mut self.curvature);
    }

    /// Twice the gap to the saturated model's mean log-likelihood.
    pub(crate) fn deviance(&self) -> f64 {
        2.0 * (self.likelihood.saturated() - self.value)
    }

    /// Minimises over the intercept and the columns of `set`, the others
    /// staying where they are. Returns the number of passes over columns.
    pub(crate) fn solve(&mut self, lambda: f64, set: &[usize]) -> Result<usize, Error> {
        self.renew_eta();
        let mut passes = 0;
        let mut settled = false;
        // Whether passes have been many and dearer than a Newton step: since
        // the last one, which followed `stepped_at` passes, or ever.
        let (mut creeps, mut crept, mut stepped_at) = (false, false, 0);
        let mut before: Option<Before> = None;
        loop {
            self.evaluate();
            let objective = self.value - self.paid(lambda);
            if let Some(point) = &mut before {
                // Rounding of the sum over rows is not a fall. Written so
                // that NaN is one.
                let fine = objective >= point.objective - 1e-12 * (1.0 + point.objective.abs());
                if !fine && point.halvings < HALVINGS_MAX {
                    point.halvings += 1;
                    self.go_half_way_to(point, set);
                    continue;
                }
            }
            if settled && self.distance(lambda, set) <= self.tolerance {
                self.polish(lambda, set, crept);
                return Ok(passes);
            }
            before = Some(Before {
                objective,
                intercept: self.intercept,
                coefficients: set.iter().map(|&j| self.coefficients[j]).collect(),
                eta: self.eta.clone(),
                halvings: 0,
            });
            // The descent has the next turn: it alone brings columns in.
            if std::mem::take(&mut creeps) {
                stepped_at = passes;
                if self.newton_step(lambda, set) {
                    settled = false;
                    continue;
                }
            }
            let first = self.start_quadratic() + self.first_pass(lambda, set);
            passes += 1;
            let still = first <= self.tolerance;
            if !still {
                let active: Vec<usize> =
                    set.iter().copied().filter(|&j| self.coefficients[j] != 0.0).collect();
                let target = (INNER_PART * first).max(self.tolerance);
                let mut moved = f64::INFINITY;
                let (pass, newton) = self.costs(&active);
                while moved > target && passes < self.passes_max && !creeps {
                    moved = self.active_pass(lambda, &active);
                    passes += 1;
                    let taken = passes - stepped_at;
                    creeps = taken > CREEPING_PASSES && taken * pass > newton;
                }
                settled = moved <= self.tolerance;
                crept |= creeps;
            }
            self.finish_quadratic();
            if still {
                self.evaluate();
                self.polish(lambda, set, crept);
                return Ok(passes);
            }
            if passes >= self.passes_max {
                return Err(Error::NotConverged { lambda, passes });
            }
        }
    }

    /// What a pass would about move, squared and in curvature, if each column
    /// went by itself: the cheaper half of a pass, which tells whether another
    /// is needed.
    pub(super) fn distance(&self, lambda: f64, set: &[usize]) -> f64 {
        let intercept: f64 = self.residual.iter().sum();
        let with_intercept = self.likelihood.has_intercept();
        let mut sum = if with_intercept { intercept * intercept / self.curvature_sum } else { 0.0 };
        for &j in set {
            let b = self.coefficients[j];
            let (square, bound) = (self.weighted_square[j], lambda * self.penalty.absolute[j]);
            let gradient = self.gradient(j);
            let pull = if b == 0.0 {
                (gradient.abs() - bound).max(0.0)
            } else {
                gradient - bound.copysign(b) - lambda * self.penalty.square[j] * b
            };
            sum += pull * pull / (square + lambda * self.penalty.square[j]);
        }
        sum
    }

    /// The derivative of the log-likelihood in column `j` at the last
    /// solution.
    pub(crate) fn gradient(&self, j: usize) -> f64 {
        self.columns.column(j).dot(&self.residual)
    }

    /// The penalty of the present coefficients.
    pub(crate) fn paid(&self, lambda: f64) -> f64 {
        let held = self.coefficients.iter().enumerate().filter(|(_, b)| **b != 0.0);
        held.map(|(j, b)| {
            let (absolute, square) = (self.penalty.absolute[j], self.penalty.square[j]);
            lambda * b.abs() * (absolute + square * b.abs() / 2.0)
        })
        .sum()
    }

    /// Linear predictors afresh, so that rounding does not gather.
    fn renew_eta(&mut self) {
        for (eta, offset) in self.eta.iter_mut().zip(self.likelihood.offset()) {
            *eta = offset + self.intercept;
        }
        for (j, &b) in self.coefficients.iter().enumerate().filter(|(_, b)| **b != 0.0) {
            self.columns.column(j).add_to(&mut self.eta, b);
        }
    }

    fn go_half_way_to(&mut self, point: &Before, set: &[usize]) {
        self.intercept = f64::midpoint(self.intercept, point.intercept);
        for (&j, &b) in set.iter().zip(&point.coefficients) {
            self.coefficients[j] = f64::midpoint(self.coefficients[j], b);
        }
        for (eta, old) in self.eta.iter_mut().zip(&point.eta) {
            *eta = f64::midpoint(*eta, *old);
        }
    }

    /// Sets up the quadratic with the intercept at its optimum. Returns the
    /// intercept's squared move in curvature.
    fn start_quadratic(&mut self) -> f64 {
        let (mut derivative, mut curvature) = (0.0, 0.0);
        for ((pair, &r), &v) in self.pairs.iter_mut().zip(&self.residual).zip(&self.curvature) {
            *pair = [r, v];
            derivative += r;
            curvature += v;
        }
        self.curvature_sum = curvature;
        // Cox's derivatives sum to zero but for rounding.
        let with_intercept = self.likelihood.has_intercept();
        self.shift = if with_intercept { -derivative / curvature } else { 0.0 };
        curvature * self.shift * self.shift
    }

    /// Takes what the quadratic gave into intercept and linear predictors.
    fn finish_quadratic(&mut self) {
        self.intercept -= self.shift;
        for ((&[r, v], residual), eta) in self.pairs.iter().zip(&self.residual).zip(&mut self.eta) {
            if v > 0.0 {
                *eta += (residual - r) / v - self.shift;
            }
        }
    }

    /// A step of each column of `set`, measuring its curvature on the way.
    /// Returns the sum of squared moves.
    fn first_pass(&mut self, lambda: f64, set: &[usize]) -> f64 {
        let mut moved = 0.0;
        for &j in set {
            let [derivative, sum, square] = self.columns.column(j).moments(&self.pairs);
            self.weighted_sum[j] = sum;
            // Rounding must not make a curvature vanish.
            let centred = square - sum * sum / self.curvature_sum;
            self.weighted_square[j] = centred.max(1e-13 * square);
            moved += self.step(lambda, j, derivative);
        }
        moved
    }

    fn active_pass(&mut self, lambda: f64, active: &[usize]) -> f64 {
        let mut moved = 0.0;
        for &j in active {
            let derivative = self.columns.column(j).dot_first(&self.pairs);
            moved += self.step(lambda, j, derivative);
        }
        moved
    }

    /// Moves column `j` to its optimum, given the sum of x times the sparse
    /// part of r. Returns its squared move in curvature.
    fn step(&mut self, lambda: f64, j: usize, sparse: f64) -> f64 {
        let (sum, square, old) =
            (self.weighted_sum[j], self.weighted_square[j], self.coefficients[j]);
        let derivative = sparse + self.shift * sum;
        let pull = derivative + square * old;
        let beyond = pull.abs() - lambda * self.penalty.absolute[j];
        let new = if beyond > 0.0 {
            beyond.copysign(pull) / (square + lambda * self.penalty.square[j])
        } else {
            0.0
        };
        let step = new - old;
        if step == 0.0 {
            return 0.0;
        }
        self.coefficients[j] = new;
        self.columns.column(j).descend(&mut self.pairs, step);
        self.shift += step * sum / self.curvature_sum;
        square * step * step
    }
}
