//! Newton's method on the columns with a coefficient, where a descent is slow.
//!
//! With columns near collinear, as where there are about as many as rows,
//! coordinates creep: their moves fall below any tolerance while the optimum
//! is still far. On the active columns with their signs held the objective is
//! smooth and one linear system leads there. Which columns are active, the
//! descent alone decides.

use super::descent::Descent;
use super::likelihood::RowLikelihood;
use crate::regression::linear_algebra::{Cholesky, SquareMatrix};

/// A step of so many operations takes about a millisecond, and is tried at the
/// end of every descent.
const CHEAP: usize = 200_000;
/// What a row costs in a product with the Hessian, in entries of a column.
const ROW_COST: usize = 4;
const POLISHING_STEPS: usize = 2;

impl<L: RowLikelihood> Descent<'_, L> {
    /// Steps towards the optimum of the active columns of `set`, at most until
    /// the first coefficient comes to zero. Needs the residuals of the present
    /// point. False where there is no such step.
    pub(super) fn newton_step(&mut self, lambda: f64, set: &[usize]) -> bool {
        let active = self.active(set);
        let Some((intercept, steps)) = self.newton_direction(lambda, &active) else {
            return false;
        };
        // Up to where the first penalised coefficient would change its sign.
        let (mut part, mut stopped) = (1.0, None);
        for (&j, &step) in active.iter().zip(&steps) {
            let b = self.coefficients[j];
            if self.penalty.absolute[j] * lambda > 0.0 && (b + part * step) * b < 0.0 {
                (part, stopped) = (-b / step, Some(j));
            }
        }
        self.intercept += part * intercept;
        self.eta.iter_mut().for_each(|eta| *eta += part * intercept);
        for (&j, &step) in active.iter().zip(&steps) {
            let old = self.coefficients[j];
            let new = if stopped == Some(j) { 0.0 } else { old + part * step };
            self.coefficients[j] = new;
            self.columns.column(j).add_to(&mut self.eta, new - old);
        }
        true
    }

    /// Operations of a pass over the active columns and of a Newton step.
    pub(super) fn costs(&self, active: &[usize]) -> (usize, usize) {
        let entries: usize = active.iter().map(|&j| self.columns.column(j).rows.len()).sum();
        (entries, active.len() * (entries + ROW_COST * self.eta.len()))
    }

    /// A step or two at the end of a descent, if it `crept` or they are cheap,
    /// each kept if it comes nearer to the optimum's conditions and costs no
    /// objective.
    pub(super) fn polish(&mut self, lambda: f64, set: &[usize], crept: bool) {
        let active = self.active(set);
        if active.is_empty() || !(crept || self.costs(&active).1 <= CHEAP) {
            return;
        }
        for _ in 0..POLISHING_STEPS {
            let (intercept, coefficients, eta) =
                (self.intercept, self.coefficients.clone(), self.eta.clone());
            let (objective, distance) =
                (self.value - self.paid(lambda), self.distance(lambda, set));
            let stepped = self.newton_step(lambda, set);
            self.evaluate();
            let fine =
                self.value - self.paid(lambda) >= objective - 1e-12 * (1.0 + objective.abs());
            if !(stepped && fine && self.distance(lambda, set) < distance) {
                (self.intercept, self.coefficients, self.eta) = (intercept, coefficients, eta);
                self.evaluate();
                return;
            }
        }
    }

    fn active(&self, set: &[usize]) -> Vec<usize> {
        set.iter().copied().filter(|&j| self.coefficients[j] != 0.0).collect()
    }

    /// The step of the intercept (0 where there is none) and of each active
    /// column; `None` where the system is singular.
    fn newton_direction(&self, lambda: f64, active: &[usize]) -> Option<(f64, Vec<f64>)> {
        let first = usize::from(self.likelihood.has_intercept());
        let size = first + active.len();
        let mut matrix = SquareMatrix::zeros(size);
        let mut slope = Vec::with_capacity(size);
        let (mut along, mut curved) = (vec![0.0; self.eta.len()], vec![0.0; self.eta.len()]);
        if first == 1 {
            along.fill(1.0);
            self.likelihood.curvature_along(&self.eta, &along, &mut curved);
            matrix.set(0, 0, curved.iter().sum());
            slope.push(self.residual.iter().sum());
        }
        for (a, &j) in active.iter().enumerate() {
            let i = first + a;
            let column = self.columns.column(j);
            along.fill(0.0);
            column.add_to(&mut along, 1.0);
            self.likelihood.curvature_along(&self.eta, &along, &mut curved);
            if first == 1 {
                matrix.set(i, 0, curved.iter().sum());
            }
            for (b, &k) in active[..=a].iter().enumerate() {
                matrix.set(i, first + b, self.columns.column(k).dot(&curved));
            }
            let (b, square) = (self.coefficients[j], lambda * self.penalty.square[j]);
            matrix.add(i, i, square);
            let bound = lambda * self.penalty.absolute[j];
            slope.push(self.gradient(j) - bound.copysign(b) - square * b);
        }
        // The factor reads the lower triangle alone.
        let mut step = Cholesky::new(&matrix)?.solve(&slope);
        if step.iter().any(|s| !s.is_finite()) {
            return None;
        }
        let intercept = if first == 1 { step.remove(0) } else { 0.0 };
        Some((intercept, step))
    }
}
