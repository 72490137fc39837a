//! Residuals of a Cox model and the robust covariance made of them.

use super::baseline::HazardSteps;
use super::fit::{ChiSquareTest, std_err};
use super::{CoxModel, Ties};
use crate::error::Result;
use crate::survival::follow_up::{check_length, codes};
use crate::survival::linear::{Cholesky, cross_product, dot, row_times_matrix};

/// Residuals, one entry a row of the data. Matrices have one vector a row
/// with one entry a covariate. Not weighted but for `dfbeta`.
#[derive(Debug, Clone, PartialEq)]
pub struct CoxResiduals {
    /// Event less expected number of events.
    pub martingale: Vec<f64>,
    /// Martingale residuals made symmetric.
    pub deviance: Vec<f64>,
    /// Each row's share of the score vector.
    pub score: Vec<Vec<f64>>,
    /// Change of the coefficients, roughly, if the row were left out; times
    /// its weight.
    pub dfbeta: Vec<Vec<f64>>,
    /// Times of the events, ascending within strata: rows of the next two.
    pub schoenfeld_time: Vec<f64>,
    /// Covariates of each event less their mean among those at risk.
    pub schoenfeld: Vec<Vec<f64>>,
    /// The same times the covariance and the number of events, plus the
    /// coefficients.
    pub scaled_schoenfeld: Vec<Vec<f64>>,
}

/// The sandwich covariance of the coefficients.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustCovariance {
    /// In the order of the covariates; no small-sample factor.
    pub covariance: Vec<Vec<f64>>,
    /// Its standard errors; NaN for aliased covariates.
    pub std_err: Vec<f64>,
    /// Wald test with it.
    pub wald_test: ChiSquareTest,
}

/// Martingale and score residuals in the order of positions.
struct ByPosition {
    martingale: Vec<f64>,
    score: Vec<f64>,
    schoenfeld: Vec<f64>,
}

impl CoxModel {
    /// All residuals. With Efron's ties those with the event at a tied time
    /// bear only part of its hazard, as in survival 3.5-3
    /// `residuals.coxph`. Cost: O(n log n + n p).
    pub fn residuals(&self) -> CoxResiduals {
        let (design, p) = (&self.design, self.design.columns);
        let found = self.residuals_by_position();
        let martingale = design.unsort(&found.martingale);
        let event = |row: usize| f64::from(u8::from(design.event[row]));
        let deviance: Vec<f64> =
            (0..design.size).map(|i| deviance(found.martingale[i], event(i))).collect();
        let by_row = |matrix: &[f64], factor: &dyn Fn(usize, usize) -> f64| {
            let mut rows = vec![Vec::new(); design.size];
            for (i, &row) in design.order.iter().enumerate() {
                let one = |j| matrix[i * p + j] * factor(i, j);
                rows[row as usize] = (0..p).map(one).collect();
            }
            rows
        };
        let dfbeta = self.dfbeta(&found.score);
        let with_event: Vec<usize> = (0..design.size).filter(|&i| design.event[i]).collect();
        let events = with_event.len() as f64;
        let schoenfeld = |i: &usize| &found.schoenfeld[i * p..(i + 1) * p];
        let unscaled = |i: &usize| -> Vec<f64> {
            schoenfeld(i).iter().zip(&design.scale).map(|(r, scale)| r * scale).collect()
        };
        let scaled = |i: &usize| -> Vec<f64> {
            let moved = row_times_matrix(schoenfeld(i), &self.scaled_covariance);
            (0..p).map(|j| (moved[j] * events + self.beta[j]) / design.scale[j]).collect()
        };
        CoxResiduals {
            martingale,
            deviance: design.unsort(&deviance),
            score: by_row(&found.score, &|_, j| design.scale[j]),
            dfbeta: by_row(&dfbeta, &|_, j| 1.0 / design.scale[j]),
            schoenfeld_time: with_event.iter().map(|&i| design.time[i]).collect(),
            schoenfeld: with_event.iter().map(unscaled).collect(),
            scaled_schoenfeld: with_event.iter().map(scaled).collect(),
        }
    }

    /// Martingale residuals alone, one a row. Cost: O(n log n).
    pub fn martingale_residuals(&self) -> Vec<f64> {
        self.design.unsort(&self.residuals_by_position().martingale)
    }

    /// The sandwich: cross product of the rows' weighted dfbeta, summed by
    /// `cluster` (one label a row) where given. Source: survival 3.5-3
    /// `coxph(robust, cluster)`. Cost: O(n log n + n p^2).
    pub fn robust_covariance(&self, cluster: Option<&[u32]>) -> Result<RobustCovariance> {
        let (design, p) = (&self.design, self.design.columns);
        let mut dfbeta = self.dfbeta(&self.residuals_by_position().score);
        if let Some(cluster) = cluster {
            check_length("cluster", design.size, cluster.len())?;
            let (code, labels) = codes(cluster);
            let mut sums = vec![0.0; labels.len() * p];
            for (i, &row) in design.order.iter().enumerate() {
                let start = code[row as usize] as usize * p;
                for (sum, d) in sums[start..start + p].iter_mut().zip(&dfbeta[i * p..]) {
                    *sum += d;
                }
            }
            dfbeta = sums;
        }
        let scaled = cross_product(&dfbeta, p);
        let covariance: Vec<Vec<f64>> = (0..p)
            .map(|i| {
                (0..p).map(|j| scaled[i * p + j] / (design.scale[i] * design.scale[j])).collect()
            })
            .collect();
        let factor = Cholesky::of(scaled, p);
        let wald = dot(&self.beta, &factor.solve(&self.beta));
        Ok(RobustCovariance {
            std_err: std_err(&self.fit.coefficients, &covariance),
            covariance,
            wald_test: ChiSquareTest::new(wald, p - self.fit.aliased.len()),
        })
    }

    /// Weighted score residuals times the covariance, scaled columns.
    fn dfbeta(&self, score: &[f64]) -> Vec<f64> {
        let p = self.design.columns;
        let mut out = Vec::with_capacity(score.len());
        for (row, w) in score.chunks_exact(p.max(1)).zip(&self.design.weight) {
            let moved = row_times_matrix(row, &self.scaled_covariance);
            out.extend(moved.into_iter().map(|x| w * x));
        }
        out
    }

    fn residuals_by_position(&self) -> ByPosition {
        let (design, p) = (&self.design, self.design.columns);
        let steps = HazardSteps::of(self);
        let hazard = steps.cumulative(&steps.hazard, 1);
        let x_hazard = steps.cumulative(&steps.x_hazard, p);
        let eta = design.linear_predictor(&self.beta);
        let mut out = ByPosition {
            martingale: vec![0.0; design.size],
            score: vec![0.0; design.size * p],
            schoenfeld: vec![0.0; design.size * p],
        };
        for (s, bounds) in design.starts.windows(2).enumerate() {
            let offset = steps.starts[s] + s;
            for i in bounds[0]..bounds[1] {
                let passed = steps.passed(s, design.time[i]);
                let entered = design.entry.as_ref().map_or(0, |entry| steps.passed(s, entry[i]));
                let event = design.event[i] && design.weight[i] > 0.0;
                // Those with a tied event bear part of their own time's step.
                let own = event && self.ties == Ties::Efron;
                let (to, from) = (offset + passed - usize::from(own), offset + entered);
                let step = (steps.starts[s] + passed).wrapping_sub(1);
                let mut integral = hazard[to].minus(hazard[from]).value();
                if own {
                    integral += steps.hazard_own[step];
                }
                let risk = eta[i].exp();
                let count = f64::from(u8::from(design.event[i]));
                out.martingale[i] = count - risk * integral;
                for (j, &x) in design.x(i).iter().enumerate() {
                    let (last, first) = (x_hazard[to * p + j], x_hazard[from * p + j]);
                    let mut x_integral = last.minus(first).value();
                    if own {
                        x_integral += steps.x_hazard_own[step * p + j];
                    }
                    let residual = if event { x - steps.mean[step * p + j] } else { 0.0 };
                    out.schoenfeld[i * p + j] = residual;
                    out.score[i * p + j] = residual - risk * (x * integral - x_integral);
                }
            }
        }
        out
    }
}

/// sign(m) sqrt(-2 (m + d log(d - m))).
fn deviance(martingale: f64, event: f64) -> f64 {
    let log = if event == 0.0 { 0.0 } else { (event - martingale).ln() };
    let square = -2.0 * (martingale + event * log);
    martingale.signum() * square.max(0.0).sqrt()
}
