//! Does a hazard ratio change with time?

use super::CoxModel;
use super::fit::ChiSquareTest;
use super::risk_sets::walk;
use crate::error::{Error, Result};
use crate::survival::follow_up::FollowUp;
use crate::survival::linear::{Cholesky, square_of};
use crate::survival::risk_table::RiskTable;

/// The function of time that a coefficient may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeTransform {
    /// 1 - S(t-), the Kaplan-Meier curve of all rows, unweighted.
    #[default]
    KaplanMeier,
    /// Mean rank of the exit time among all rows.
    Rank,
    /// Time itself.
    Identity,
    /// Its logarithm.
    Log,
}

/// Score tests that coefficients do not change with the transform of time.
#[derive(Debug, Clone, PartialEq)]
pub struct ProportionalityTest {
    /// Each covariate by itself; aliased ones have NaN.
    pub covariates: Vec<ChiSquareTest>,
    /// All together.
    pub global: ChiSquareTest,
}

impl CoxModel {
    /// The score test of adding x g(t) to the model, without a fit.
    ///
    /// With u the sum over events of g times the Schoenfeld residual, and I
    /// the information of (beta, theta) with blocks sum V, sum g V, sum g^2 V,
    /// the statistic is (0, u)' I^-1 (0, u); each covariate by itself with
    /// only its own theta. Source: survival 3.5-3 `cox.zph(terms = FALSE)`.
    /// Errors: log of a time that is not positive, singular information.
    /// Cost: O(n p^2 + p^4).
    pub fn proportionality(&self, transform: TimeTransform) -> Result<ProportionalityTest> {
        let g = self.transformed(transform)?;
        let (design, p) = (&self.design, self.design.columns);
        let cells = p * (p + 1) / 2;
        let mut u = vec![0.0; p];
        let mut information = [vec![0.0; cells], vec![0.0; cells], vec![0.0; cells]];
        walk(design, &self.weighted_risk(), self.ties, true, |set| {
            let g = g[set.leaving.start];
            let (sums, w) = (set.tie_sums(), set.step_weight());
            for i in set.leaving.clone().filter(|&i| design.event[i]) {
                for (u, x) in u.iter_mut().zip(design.x(i)) {
                    *u += g * design.weight[i] * x;
                }
            }
            for (j, u) in u.iter_mut().enumerate() {
                *u -= g * w * (set.s1[j] * sums.one - set.e1[j] * sums.f);
            }
            for (power, block) in information.iter_mut().enumerate() {
                set.add_information(&sums, g.powi(power as i32), block);
            }
        });
        let blocks = information.map(|triangle| square_of(&triangle, p));
        let used: Vec<usize> = (0..p).filter(|j| !self.fit.aliased.contains(j)).collect();
        let test = |tested: &[usize]| score_test(&blocks, &u, p, &used, tested);
        let undefined = ChiSquareTest { chi_square: f64::NAN, degrees_of_freedom: 0, p: f64::NAN };
        let covariates: Result<Vec<_>> =
            (0..p).map(|j| if used.contains(&j) { test(&[j]) } else { Ok(undefined) }).collect();
        Ok(ProportionalityTest { covariates: covariates?, global: test(&used)? })
    }

    /// g of each position's time, centred on the mean at the events: the test
    /// does not depend on it, the digits do.
    fn transformed(&self, transform: TimeTransform) -> Result<Vec<f64>> {
        let design = &self.design;
        let time = &design.time;
        let mut g: Vec<f64> = match transform {
            TimeTransform::Identity => time.clone(),
            TimeTransform::Log => {
                if let Some(position) = time.iter().position(|&t| t <= 0.0) {
                    let row = design.order[position] as usize;
                    let expected = "above 0 for the logarithm of time";
                    return Err(Error::OutOfRange { column: "time", row, expected });
                }
                time.iter().map(|t| t.ln()).collect()
            }
            TimeTransform::Rank => {
                let mut sorted = time.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                let rank = |&t: &f64| {
                    let before = sorted.partition_point(|&s| s < t);
                    let until = sorted.partition_point(|&s| s <= t);
                    (before + until + 1) as f64 / 2.0
                };
                time.iter().map(rank).collect()
            }
            TimeTransform::KaplanMeier => {
                let entry = design.entry.as_deref();
                let rows = FollowUp { entry, time, event: &design.event, weight: None };
                let table = RiskTable::of(&rows);
                let mut survival = 1.0;
                let mut before = Vec::with_capacity(table.time.len());
                for (n, d) in table.n_risk.iter().zip(&table.n_event) {
                    before.push(survival);
                    survival *= (n - d) / n;
                }
                let passed = |t: &f64| table.time.partition_point(|s| s < t);
                time.iter().map(|t| 1.0 - before[passed(t)]).collect()
            }
        };
        let events = design.event.iter().filter(|&&event| event).count() as f64;
        let at_events = g.iter().zip(&design.event).filter(|(_, event)| **event);
        let mean = at_events.map(|(g, _)| g).sum::<f64>() / events;
        for g in &mut g {
            *g -= mean;
        }
        Ok(g)
    }
}

/// `blocks`: sums of V, g V and g^2 V, p by p.
fn score_test(
    blocks: &[Vec<f64>; 3],
    u: &[f64],
    p: usize,
    used: &[usize],
    tested: &[usize],
) -> Result<ChiSquareTest> {
    let size = used.len() + tested.len();
    let index = |k: usize| if k < used.len() { (used[k], 0) } else { (tested[k - used.len()], 1) };
    let mut matrix = Vec::with_capacity(size * size);
    for a in 0..size {
        for b in 0..size {
            let ((i, power_i), (j, power_j)) = (index(a), index(b));
            matrix.push(blocks[power_i + power_j][i * p + j]);
        }
    }
    // The two halves may differ by orders of magnitude: equal diagonals keep
    // the test of singularity honest.
    let scale: Vec<f64> = (0..size).map(|a| matrix[a * size + a].sqrt()).collect();
    for a in 0..size {
        for b in 0..size {
            matrix[a * size + b] /= scale[a] * scale[b];
        }
    }
    let score: Vec<f64> =
        (0..size).map(|a| if a < used.len() { 0.0 } else { u[index(a).0] / scale[a] }).collect();
    let statistic = Cholesky::of(matrix, size)
        .quadratic_of_inverse(&score)
        .ok_or(Error::Singular { what: "proportionality test" })?;
    Ok(ChiSquareTest::new(statistic, tested.len()))
}
