//! The rows of a Cox model, sorted once: by stratum, then by time.

use crate::error::{Error, Result};
use crate::survival::follow_up::{
    FollowUp, ascending, ascending_by_code, check_covariates, check_length, codes, order_key,
};

/// What a Cox model is fitted to. All slices have one entry a row.
#[derive(Debug, Clone, Copy)]
pub struct CoxData<'a> {
    /// Follow-up, with entry times and case weights where there are any.
    pub rows: FollowUp<'a>,
    /// Covariates, one slice a column.
    pub covariates: &'a [&'a [f64]],
    /// Labels of strata, each with its own baseline hazard.
    pub strata: Option<&'a [u32]>,
}

/// Rows in order, covariates centred and scaled so that sums of squares keep
/// their digits.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) size: usize,
    pub(crate) columns: usize,
    /// Row of each position; positions ascend by stratum, then by time.
    pub(crate) order: Vec<u32>,
    /// Stratum s holds positions `starts[s]..starts[s + 1]`.
    pub(crate) starts: Vec<usize>,
    pub(crate) strata_labels: Vec<u32>,
    pub(crate) time: Vec<f64>,
    pub(crate) event: Vec<bool>,
    pub(crate) weight: Vec<f64>,
    pub(crate) entry: Option<Vec<f64>>,
    /// Positions by stratum, then by descending entry; empty without entry.
    pub(crate) by_entry: Vec<u32>,
    /// (covariate - mean) / scale, position by position.
    x: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    pub(crate) scale: Vec<f64>,
    /// Largest less smallest value of each scaled column.
    pub(crate) range: Vec<f64>,
    /// Columns with no other value than -1, 0 and 1.
    pub(crate) is_indicator: Vec<bool>,
}

impl Design {
    pub(crate) fn of(data: &CoxData, what: &'static str) -> Result<Self> {
        data.rows.check(what)?;
        let (n, p) = (data.rows.rows(), data.covariates.len());
        check_covariates(data.covariates, n)?;
        let mut order = ascending(data.rows.time);
        let (mut starts, mut strata_labels) = (vec![0, n], vec![0]);
        if let Some(strata) = data.strata {
            check_length("strata", n, strata.len())?;
            let (code, labels) = codes(strata);
            (order, starts) = ascending_by_code(&order, &code, labels.len());
            strata_labels = labels;
        }
        let sorted = |values: &[f64]| -> Vec<f64> {
            order.iter().map(|&row| values[row as usize]).collect()
        };
        let weight = data.rows.weight.map_or_else(|| vec![1.0; n], sorted);
        let entry = data.rows.entry.map(sorted);
        let by_entry = entry.as_deref().map_or_else(Vec::new, |e| descending(e, &starts));
        let mut design = Self {
            size: n,
            columns: p,
            time: sorted(data.rows.time),
            event: order.iter().map(|&row| data.rows.event[row as usize]).collect(),
            weight,
            entry,
            by_entry,
            x: vec![0.0; n * p],
            mean: Vec::with_capacity(p),
            scale: Vec::with_capacity(p),
            range: Vec::with_capacity(p),
            is_indicator: Vec::with_capacity(p),
            order,
            starts,
            strata_labels,
        };
        for (j, column) in data.covariates.iter().enumerate() {
            design.measure(j, column, data.rows.weight)?;
        }
        design.fill(data.covariates);
        Ok(design)
    }

    /// Mean, scale and range of a column. It is read in the order of its rows,
    /// which is faster than in that of time.
    fn measure(&mut self, j: usize, column: &[f64], weight: Option<&[f64]>) -> Result<()> {
        let total: f64 = self.weight.iter().sum();
        let total = if total > 0.0 { total } else { 1.0 };
        let weighted = |f: &dyn Fn(f64) -> f64| -> f64 {
            let sum: f64 = match weight {
                None => column.iter().map(|x| f(*x)).sum(),
                Some(weight) => weight.iter().zip(column).map(|(w, x)| w * f(*x)).sum(),
            };
            sum / total
        };
        let mean = weighted(&|x| x);
        let deviation = weighted(&|x| (x - mean).abs());
        let (low, high) = column
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
        let constant = low >= high;
        // A column may vary among rows of weight 0 only: it cannot matter.
        let scale = if constant || deviation == 0.0 { 1.0 } else { deviation };
        if !(1e-100..1e100).contains(&scale) || (high - low).is_infinite() {
            return Err(Error::CovariateScale { covariate: j });
        }
        // Rounding of the mean must not make a constant column vary.
        self.mean.push(if constant { low } else { mean });
        self.scale.push(scale);
        self.range.push(if constant { 0.0 } else { (high - low) / scale });
        self.is_indicator.push(column.iter().all(|x| [-1.0, 0.0, 1.0].contains(x)));
        Ok(())
    }

    fn fill(&mut self, covariates: &[&[f64]]) {
        if covariates.is_empty() {
            return;
        }
        // In the order of rows: each is read from as many places as there are
        // columns, but written to one.
        let p = covariates.len();
        let mut position_of = vec![0_u32; self.size];
        for (position, &row) in (0..).zip(&self.order) {
            position_of[row as usize] = position;
        }
        for (row, &position) in position_of.iter().enumerate() {
            let cells = &mut self.x[position as usize * p..][..p];
            for (j, (cell, column)) in cells.iter_mut().zip(covariates).enumerate() {
                *cell = (column[row] - self.mean[j]) / self.scale[j];
            }
        }
    }

    pub(crate) fn x(&self, position: usize) -> &[f64] {
        &self.x[position * self.columns..(position + 1) * self.columns]
    }

    /// The scaled covariates of all positions, one after the other.
    pub(crate) fn all_x(&self) -> &[f64] {
        &self.x
    }

    /// x beta of each position, for coefficients of the scaled columns.
    pub(crate) fn linear_predictor(&self, beta: &[f64]) -> Vec<f64> {
        (0..self.size).map(|i| crate::survival::linear::dot(self.x(i), beta)).collect()
    }

    /// Sorted positions' values in the order of the rows.
    pub(crate) fn unsort(&self, values: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; values.len()];
        for (&row, &value) in self.order.iter().zip(values) {
            out[row as usize] = value;
        }
        out
    }

    /// Rows with the event and a positive weight.
    pub(crate) fn has_events(&self) -> bool {
        self.event.iter().zip(&self.weight).any(|(&event, &weight)| event && weight > 0.0)
    }
}

fn descending(entry: &[f64], starts: &[usize]) -> Vec<u32> {
    let mut positions: Vec<u32> = (0..entry.len() as u32).collect();
    for stratum in starts.windows(2) {
        positions[stratum[0]..stratum[1]]
            .sort_unstable_by_key(|&i| (std::cmp::Reverse(order_key(entry[i as usize])), i));
    }
    positions
}
