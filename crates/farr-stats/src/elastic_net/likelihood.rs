//! Log-likelihoods as functions of the rows' linear predictors.

use crate::regression::Error;

/// A mean log-likelihood (weights sum to 1) that is concave in the linear
/// predictors.
pub(crate) trait RowLikelihood {
    /// Whether an intercept changes it.
    fn has_intercept(&self) -> bool;
    /// Each row's share, summing to 1.
    fn weights(&self) -> &[f64];
    /// The known part of the linear predictors.
    fn offset(&self) -> &[f64];
    /// The intercept to start from.
    fn start(&self) -> f64;
    /// The saturated model's value.
    fn saturated(&self) -> f64;
    /// The value at `eta`; writes each row's derivative to `residual` and, to
    /// `curvature`, a row's part in a quadratic model of the descent. No row
    /// of positive weight has curvature below `CURVATURE_MIN` times it.
    fn evaluate(&self, eta: &[f64], residual: &mut [f64], curvature: &mut [f64]) -> f64;
    /// How fast the derivatives at `eta` fall when the linear predictors move
    /// by `along`: minus the Hessian times it, exactly.
    fn curvature_along(&self, eta: &[f64], along: &[f64], out: &mut [f64]);
}

/// Rows as good as certain keep this much curvature, so that residuals can be
/// turned back into linear predictors; the optimum does not depend on it.
pub(crate) const CURVATURE_MIN: f64 = 1e-9;

/// Weights scaled to sum to 1.
pub(crate) fn shares(weights: Vec<f64>) -> Result<Vec<f64>, Error> {
    let total: f64 = weights.iter().sum();
    if total > 0.0 && total.is_finite() {
        Ok(weights.into_iter().map(|w| w / total).collect())
    } else {
        Err(Error::NoRows)
    }
}

/// 0/1 outcomes, logit link.
pub(crate) struct Logistic<'a> {
    pub(crate) outcome: &'a [f64],
    pub(crate) offset: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

/// Rows a block: so many factors of at most 2 stay below the largest number.
const BLOCK: usize = 512;

impl RowLikelihood for Logistic<'_> {
    fn has_intercept(&self) -> bool {
        true
    }

    fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn offset(&self) -> &[f64] {
        &self.offset
    }

    fn start(&self) -> f64 {
        let mean: f64 = self.outcome.iter().zip(&self.weights).map(|(y, w)| y * w).sum();
        (mean / (1.0 - mean)).ln()
    }

    fn saturated(&self) -> f64 {
        0.0
    }

    fn evaluate(&self, eta: &[f64], residual: &mut [f64], curvature: &mut [f64]) -> f64 {
        // Sums by block round less. Where a block's weights are equal, one
        // logarithm serves it: the sum of ln(1 + e) is the ln of a product.
        let mut value = 0.0;
        let outputs = residual.chunks_mut(BLOCK).zip(curvature.chunks_mut(BLOCK));
        let inputs = eta.chunks(BLOCK).zip(self.outcome.chunks(BLOCK));
        let blocks = inputs.zip(self.weights.chunks(BLOCK)).zip(outputs);
        for (((eta, outcome), weights), (residual, curvature)) in blocks {
            let equal = weights.iter().all(|w| *w == weights[0]);
            let (mut sum, mut product) = (0.0, 1.0);
            for (i, (&eta, &y)) in eta.iter().zip(outcome).enumerate() {
                let w = weights[i];
                let e = (-eta.abs()).exp();
                let inverse = 1.0 / (1.0 + e);
                let small = e * inverse;
                let (p, q) = if eta > 0.0 { (inverse, small) } else { (small, inverse) };
                residual[i] = w * (y * q - (1.0 - y) * p);
                curvature[i] = w * (p * q).max(CURVATURE_MIN);
                // y eta - ln(1 + e^eta)
                sum += w * (y * eta - eta.max(0.0));
                if equal {
                    product *= 1.0 + e;
                } else {
                    sum -= w * e.ln_1p();
                }
            }
            value += sum - weights[0] * f64::ln(product);
        }
        value
    }

    fn curvature_along(&self, eta: &[f64], along: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let e = (-eta[i].abs()).exp();
            *out = self.weights[i] * e / ((1.0 + e) * (1.0 + e)) * along[i];
        }
    }
}

/// Counts, log link; values leave out ln y!.
pub(crate) struct Poisson<'a> {
    pub(crate) count: &'a [f64],
    pub(crate) offset: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

impl RowLikelihood for Poisson<'_> {
    fn has_intercept(&self) -> bool {
        true
    }

    fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn offset(&self) -> &[f64] {
        &self.offset
    }

    fn start(&self) -> f64 {
        let (mut events, mut exposed) = (0.0, 0.0);
        for ((y, o), w) in self.count.iter().zip(&self.offset).zip(&self.weights) {
            events += w * y;
            exposed += w * o.exp();
        }
        (events / exposed).ln()
    }

    fn saturated(&self) -> f64 {
        let row = |y: f64| if y > 0.0 { y * y.ln() - y } else { 0.0 };
        self.count.iter().zip(&self.weights).map(|(&y, w)| w * row(y)).sum()
    }

    fn evaluate(&self, eta: &[f64], residual: &mut [f64], curvature: &mut [f64]) -> f64 {
        let mut value = 0.0;
        for (block, etas) in eta.chunks(BLOCK).enumerate() {
            let mut sum = 0.0;
            for (k, &eta) in etas.iter().enumerate() {
                let i = block * BLOCK + k;
                let (y, w) = (self.count[i], self.weights[i]);
                let mean = eta.exp();
                residual[i] = w * (y - mean);
                curvature[i] = w * mean.max(CURVATURE_MIN);
                sum += w * (y * eta - mean);
            }
            value += sum;
        }
        value
    }

    fn curvature_along(&self, eta: &[f64], along: &[f64], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.weights[i] * eta[i].exp() * along[i];
        }
    }
}
