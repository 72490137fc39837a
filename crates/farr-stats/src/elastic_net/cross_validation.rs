//! Choosing the penalty by cross-validation.

use super::columns::SparseColumns;
use super::error::Error;
use super::options::{Lambdas, Options, Response};
use super::path::fit;
use crate::regression::{checks, group_indices};

/// The loss of held-out rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// -2 log-likelihood; risks are cut to [1e-5, 1 - 1e-5].
    Deviance,
    /// 0/1 outcomes: part of rows on the wrong side of 1/2.
    Misclassification,
    /// 0/1 outcomes: area under the ROC curve of a fold; more is better.
    Auc,
    /// Squared error; over both outcomes, so twice (y - p)^2, for 0/1.
    SquaredError,
    /// Absolute error; twice |y - p| for 0/1.
    AbsoluteError,
}

/// The loss along the path.
#[derive(Debug, Clone)]
pub struct CrossValidation {
    /// The penalties, in the order of the options.
    pub lambda: Vec<f64>,
    /// Mean of the folds' mean losses, weighted by their rows' weights.
    pub mean_loss: Vec<f64>,
    /// Its standard error: root of the folds' weighted variance over
    /// (folds - 1).
    pub std_err_loss: Vec<f64>,
    /// The largest penalty of least loss.
    pub lambda_min: f64,
    /// The largest penalty whose loss is within one standard error of it.
    pub lambda_1se: f64,
}

/// Cross-validation as R's `cv.glmnet`: every fold is predicted by the fit to
/// the other rows at the same penalties; those of a path come from all rows.
///
/// `folds` gives each row's fold, any numbers. As there, folds of fewer than
/// 3 rows on average are taken together row by row, and [`Measure::Auc`]
/// becomes the deviance with fewer than 10. Fitting the other rows means
/// giving the fold's rows weight 0. A Cox model has no loss here.
pub fn cross_validate(
    columns: &SparseColumns,
    response: &Response<'_>,
    folds: &[usize],
    measure: Measure,
    options: &Options<'_>,
) -> Result<CrossValidation, Error> {
    let held_out = HeldOut::new(response, measure)?;
    let rows = held_out.outcome.len();
    let weights = checks::weights(options.weights, rows)?;
    if folds.len() != rows {
        return Err(Error::Rows { found: folds.len(), expected: rows });
    }
    let fold_of = group_indices(folds);
    let count = fold_of.iter().max().map_or(0, |m| m + 1);
    if count < 2 {
        return Err(Error::Folds { found: count });
    }
    let lambda = match options.lambdas {
        Lambdas::Given(lambdas) => lambdas.to_vec(),
        Lambdas::Path { .. } => fit(columns, response, options)?.lambdas(),
    };
    let few_rows = |least: usize| rows < least * count;
    let measure = if measure == Measure::Auc && few_rows(10) { Measure::Deviance } else { measure };

    // Linear predictors of each row by the fit that has not seen it.
    let mut eta = vec![vec![0.0; rows]; lambda.len()];
    for fold in 0..count {
        let others: Vec<f64> =
            fold_of.iter().zip(&weights).map(|(&f, &w)| if f == fold { 0.0 } else { w }).collect();
        let within =
            Options { weights: Some(&others), lambdas: Lambdas::Given(&lambda), ..*options };
        let path = fit(columns, response, &within)?;
        for (point, eta) in path.points.iter().zip(&mut eta) {
            let predicted = point.linear_predictor(columns);
            for i in (0..rows).filter(|&i| fold_of[i] == fold) {
                eta[i] = predicted[i] + held_out.offset[i];
            }
        }
    }

    let (mut mean_loss, mut std_err_loss) = (Vec::new(), Vec::new());
    for eta in &eta {
        let losses: Vec<(f64, f64)> = if measure == Measure::Auc {
            by_fold(&fold_of, count, |rows| held_out.auc(rows, eta, &weights), &weights)
        } else {
            let loss: Vec<f64> =
                (0..rows).map(|i| held_out.loss(measure, held_out.outcome[i], eta[i])).collect();
            if few_rows(3) {
                loss.into_iter().zip(weights.iter().copied()).collect()
            } else {
                let mean = |rows: &[usize]| {
                    let total: f64 = rows.iter().map(|&i| weights[i]).sum();
                    rows.iter().map(|&i| weights[i] * loss[i]).sum::<f64>() / total
                };
                by_fold(&fold_of, count, mean, &weights)
            }
        };
        let (mean, std_err) = mean_and_std_err(&losses);
        mean_loss.push(mean);
        std_err_loss.push(std_err);
    }
    let sign = if measure == Measure::Auc { -1.0 } else { 1.0 };
    let (lambda_min, lambda_1se) = choose(&lambda, &mean_loss, &std_err_loss, sign);
    Ok(CrossValidation { lambda, mean_loss, std_err_loss, lambda_min, lambda_1se })
}

/// A value of each fold with the fold's weight; folds of weight 0 are left
/// out.
fn by_fold(
    fold_of: &[usize],
    count: usize,
    value: impl Fn(&[usize]) -> f64,
    weights: &[f64],
) -> Vec<(f64, f64)> {
    (0..count)
        .map(|fold| (0..fold_of.len()).filter(|&i| fold_of[i] == fold).collect::<Vec<usize>>())
        .map(|rows| (rows.iter().map(|&i| weights[i]).sum::<f64>(), rows))
        .filter(|(weight, _)| *weight > 0.0)
        .map(|(weight, rows)| (value(&rows), weight))
        .collect()
}

/// Weighted mean, and root of the weighted variance over (count - 1); values
/// that are not defined (the AUC of a fold with one outcome) are left out of
/// both, but count.
fn mean_and_std_err(losses: &[(f64, f64)]) -> (f64, f64) {
    let defined = || losses.iter().filter(|(loss, _)| !loss.is_nan());
    let total: f64 = defined().map(|(_, w)| w).sum();
    let mean = defined().map(|(loss, w)| loss * w).sum::<f64>() / total;
    let variance = defined().map(|(loss, w)| w * (loss - mean).powi(2)).sum::<f64>() / total;
    (mean, (variance / (losses.len() as f64 - 1.0)).sqrt())
}

/// The largest penalties of least loss and within a standard error of it;
/// `sign` is -1 when more is better.
fn choose(lambda: &[f64], loss: &[f64], std_err: &[f64], sign: f64) -> (f64, f64) {
    let least = loss.iter().map(|l| sign * l).fold(f64::INFINITY, f64::min);
    let largest_below = |bound: f64| {
        (0..lambda.len())
            .filter(|&k| sign * loss[k] <= bound)
            .map(|k| lambda[k])
            .fold(f64::NAN, f64::max)
    };
    let lambda_min = largest_below(least);
    let at = lambda.iter().position(|l| *l == lambda_min);
    let bound = at.map_or(least, |k| sign * loss[k] + std_err[k]);
    (lambda_min, largest_below(bound))
}

/// Outcomes and how predictions of them are judged.
struct HeldOut<'a> {
    outcome: &'a [f64],
    offset: Vec<f64>,
    binary: bool,
}

/// Risks are cut to this and its complement.
const RISK_MIN: f64 = 1e-5;

impl<'a> HeldOut<'a> {
    fn new(response: &Response<'a>, measure: Measure) -> Result<Self, Error> {
        match *response {
            Response::Binary { outcome } => {
                Ok(Self { outcome, offset: vec![0.0; outcome.len()], binary: true })
            }
            Response::Counts { count, person_time } => match measure {
                Measure::Misclassification => Err(Error::Measure { measure: "misclassification" }),
                Measure::Auc => Err(Error::Measure { measure: "AUC" }),
                _ => {
                    let offset = checks::log_person_time(person_time, count.len())?;
                    Ok(Self { outcome: count, offset, binary: false })
                }
            },
            Response::Survival { .. } => Err(Error::Measure { measure: "any" }),
        }
    }

    fn loss(&self, measure: Measure, y: f64, eta: f64) -> f64 {
        if !self.binary {
            let mean = eta.exp();
            return match measure {
                Measure::SquaredError => (y - mean).powi(2),
                Measure::AbsoluteError => (y - mean).abs(),
                _ => {
                    let saturated = if y > 0.0 { y * y.ln() - y } else { 0.0 };
                    2.0 * (saturated - (y * eta - mean))
                }
            };
        }
        let risk = 1.0 / (1.0 + (-eta).exp());
        match measure {
            Measure::SquaredError => 2.0 * (y - risk).powi(2),
            Measure::AbsoluteError => 2.0 * (y - risk).abs(),
            Measure::Misclassification => {
                let predicted = f64::from(u8::from(risk > 0.5));
                (y - predicted).abs()
            }
            _ => {
                let risk = risk.clamp(RISK_MIN, 1.0 - RISK_MIN);
                -2.0 * (y * risk.ln() + (1.0 - y) * (1.0 - risk).ln())
            }
        }
    }

    /// The weighted chance that an event is predicted above a non-event, ties
    /// one half; NaN without both.
    fn auc(&self, rows: &[usize], eta: &[f64], weights: &[f64]) -> f64 {
        let mut order = rows.to_vec();
        order.sort_by(|&a, &b| eta[a].total_cmp(&eta[b]));
        let (mut below, mut concordant, mut events) = (0.0, 0.0, 0.0);
        for run in order.chunk_by(|&a, &b| eta[a] == eta[b]) {
            let event: f64 = run.iter().map(|&i| weights[i] * self.outcome[i]).sum();
            let all: f64 = run.iter().map(|&i| weights[i]).sum();
            concordant += event * (below + (all - event) / 2.0);
            events += event;
            below += all - event;
        }
        concordant / (events * below)
    }
}
