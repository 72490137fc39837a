//! The path of fits over penalties.

use super::columns::SparseColumns;
use super::cox::Cox;
use super::descent::{ColumnPenalty, Descent};
use super::error::Error;
use super::likelihood::{Logistic, Poisson, RowLikelihood, shares};
use super::options::{Lambdas, Options, Response};
use crate::regression::{self, checks};

/// Fits along a path, in the order of the penalties asked for.
#[derive(Debug, Clone)]
pub struct Path {
    /// One fit a penalty.
    pub points: Vec<Point>,
    /// Twice the mean log-likelihood's gap between the saturated model and
    /// that of the intercept alone.
    pub null_deviance: f64,
}

/// The fit at one penalty, on the scale of the columns as given.
#[derive(Debug, Clone)]
pub struct Point {
    /// The penalty.
    pub lambda: f64,
    /// The intercept; 0 for a Cox model.
    pub intercept: f64,
    /// Column and coefficient, where it is not zero, by column.
    pub coefficients: Vec<(usize, f64)>,
    /// 1 - deviance / null deviance.
    pub deviance_ratio: f64,
    /// The maximised quantity: mean log-likelihood (without ln y! of counts)
    /// minus the penalty.
    pub objective: f64,
    /// Passes over columns.
    pub passes: usize,
}

impl Point {
    /// The coefficients of all `columns` columns.
    pub fn dense(&self, columns: usize) -> Vec<f64> {
        let mut out = vec![0.0; columns];
        for &(j, b) in &self.coefficients {
            out[j] = b;
        }
        out
    }

    /// Linear predictors, without any offset, one a row.
    pub fn linear_predictor(&self, columns: &SparseColumns) -> Vec<f64> {
        let mut eta = vec![self.intercept; columns.rows()];
        for &(j, b) in &self.coefficients {
            columns.column(j).add_to(&mut eta, b);
        }
        eta
    }
}

impl Path {
    /// The penalties, in order.
    pub fn lambdas(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.lambda).collect()
    }
}

/// Elastic net regression along a path of penalties.
///
/// Maximises the mean log-likelihood (weights sum to 1; Cox's too is divided
/// by all rows, not by events) minus
/// lambda * sum over columns of f (alpha |b| + (1 - alpha) / 2 b^2), where b
/// is the coefficient of the column divided by its standard deviation and f
/// its penalty factor; the intercept is free. Answers are exact to
/// `Options::threshold`, whatever the path before them: a screen by the
/// sequential strong rule (Tibshirani and others 2012, JRSS B 74:245) is
/// followed by a check of the optimum's conditions on every column left out.
///
/// Constant columns have coefficient 0. Agrees with R's glmnet. Cost a pass:
/// entries of the columns screened in; once or twice a penalty, all entries.
pub fn fit(
    columns: &SparseColumns,
    response: &Response<'_>,
    options: &Options<'_>,
) -> Result<Path, Error> {
    let rows = match response {
        Response::Binary { outcome } => outcome.len(),
        Response::Counts { count, .. } => count.len(),
        Response::Survival { time, .. } => time.len(),
    };
    options.check()?;
    if columns.rows() != rows {
        return Err(Error::Rows { found: columns.rows(), expected: rows });
    }
    let weights = shares(checks::weights(options.weights, rows)?)?;
    match *response {
        Response::Binary { outcome } => {
            checks::binary("outcome", outcome, &weights)?;
            let offset = vec![0.0; rows];
            Trace::new(columns, Logistic { outcome, offset, weights }, options)?
                .run(options, logistic_stops)
        }
        Response::Counts { count, person_time } => {
            checks::counts(count, &weights)?;
            let offset = checks::log_person_time(person_time, rows)?;
            Trace::new(columns, Poisson { count, offset, weights }, options)?
                .run(options, |ratios| relative_stops(ratios, 1e-4, 0.999))
        }
        Response::Survival { time, event } => {
            checks::finite("time", time, rows)?;
            let events = event.iter().zip(&weights).any(|(e, w)| e * w > 0.0);
            checks::zero_or_one("event", event, rows)?;
            if !events {
                return Err(regression::Error::ConstantOutcome { always: "no event" }.into());
            }
            Trace::new(columns, Cox::new(time, event, weights), options)?
                .run(options, |ratios| relative_stops(ratios, 1e-3, 0.99))
        }
    }
}

/// glmnet never stops before this many penalties.
const POINTS_MIN: usize = 5;

/// glmnet's rule for logistic models: the deviance ratio grows by less than
/// 1e-5, or exceeds 0.999.
fn logistic_stops(ratios: &[f64]) -> bool {
    let Some([before, last]) = ratios.last_chunk::<2>() else { return false };
    ratios.len() >= POINTS_MIN && (last - before < 1e-5 || *last > 0.999)
}

/// Its rule for the others: growth over the last five penalties, relative to
/// the last ratio.
fn relative_stops(ratios: &[f64], growth_min: f64, ratio_max: f64) -> bool {
    let Some(recent) = ratios.last_chunk::<POINTS_MIN>() else { return false };
    let (first, last) = (recent[0], recent[POINTS_MIN - 1]);
    (last - first) / last < growth_min || last > ratio_max
}

struct Trace<'a, L> {
    descent: Descent<'a, L>,
    null_deviance: f64,
    /// Whether a column has coefficient 0 at every large enough lambda.
    penalised: Vec<bool>,
    /// The solution before the last, to go on in its direction.
    before: Option<Solved>,
}

/// A solution on the path.
struct Solved {
    lambda: f64,
    intercept: f64,
    coefficients: Vec<f64>,
}

/// Below this alpha the first lambda of a path is that of this alpha, since
/// a ridge never sets a coefficient to zero.
const ALPHA_FOR_FIRST_LAMBDA: f64 = 1e-3;

/// A penalty beyond any, whose products with column scales stay finite.
const INFINITE: f64 = 9.9e35;

impl<'a, L: RowLikelihood> Trace<'a, L> {
    fn new(
        columns: &'a SparseColumns,
        likelihood: L,
        options: &Options<'_>,
    ) -> Result<Self, Error> {
        let (penalty, penalised) = column_penalties(columns, likelihood.weights(), options)?;
        let mut descent = Descent::new(columns, likelihood, penalty, options.passes_max);
        // The intercept alone; it starts at its optimum unless there are
        // offsets, so the deviance there has the right size.
        descent.tolerance = tolerance(1e-20, descent.deviance());
        descent.solve(INFINITE, &[])?;
        let null_deviance = descent.deviance();
        descent.tolerance = tolerance(options.threshold, null_deviance);
        Ok(Self { descent, null_deviance, penalised, before: None })
    }

    fn run(
        &mut self,
        options: &Options<'_>,
        stops: impl Fn(&[f64]) -> bool,
    ) -> Result<Path, Error> {
        let free: Vec<usize> = (0..self.penalised.len())
            .filter(|&j| self.descent.penalty.eligible[j] && !self.penalised[j])
            .collect();
        let passes = self.descent.solve(INFINITE, &free)?;
        let mut gradient = self.gradients();
        let first = self.first_lambda(&gradient, options.alpha.max(ALPHA_FOR_FIRST_LAMBDA));
        let mut points = Vec::new();
        match options.lambdas {
            Lambdas::Given(lambdas) => {
                let mut order: Vec<usize> = (0..lambdas.len()).collect();
                order.sort_by(|&a, &b| lambdas[b].total_cmp(&lambdas[a]));
                let mut last = first;
                let mut found = vec![None; lambdas.len()];
                for &at in &order {
                    found[at] = Some(self.point(lambdas[at], last, &mut gradient)?);
                    last = lambdas[at];
                }
                points.extend(found.into_iter().flatten());
            }
            Lambdas::Path { count, min_ratio, stop_early } => {
                // A path begins at an infinite penalty, reported under the
                // first lambda, where a ridge's coefficients are as good as
                // zero: glmnet's convention.
                if options.alpha == 0.0 {
                    let all: Vec<usize> = (0..self.penalised.len())
                        .filter(|&j| self.descent.penalty.eligible[j])
                        .collect();
                    self.descent.solve(INFINITE, &all)?;
                }
                let small = self.descent.columns.rows() < self.penalised.len();
                let ratio = min_ratio.unwrap_or(if small { 0.01 } else { 1e-4 });
                let mut ratios = Vec::new();
                let mut last = first;
                for k in 0..count {
                    let part = if count > 1 { k as f64 / (count - 1) as f64 } else { 0.0 };
                    let lambda = first * ratio.powf(part);
                    let point = if k == 0 {
                        self.read(lambda, passes)
                    } else {
                        self.point(lambda, last, &mut gradient)?
                    };
                    ratios.push(point.deviance_ratio);
                    points.push(point);
                    last = lambda;
                    if stop_early && stops(&ratios) {
                        break;
                    }
                }
            }
        }
        Ok(Path { points, null_deviance: self.null_deviance })
    }

    /// The fit at `lambda`, coming from `last` whose gradients are given and
    /// are replaced.
    fn point(&mut self, lambda: f64, last: f64, gradient: &mut Vec<f64>) -> Result<Point, Error> {
        let descent = &mut self.descent;
        let screen = (2.0 * lambda - last).max(0.0);
        let mut set: Vec<usize> = (0..gradient.len())
            .filter(|&j| {
                descent.penalty.eligible[j]
                    && (!self.penalised[j]
                        || descent.coefficients[j] != 0.0
                        || gradient[j].abs() >= screen * descent.penalty.absolute[j])
            })
            .collect();
        self.start_towards(lambda, last);
        let mut passes = 0;
        loop {
            passes += self.descent.solve(lambda, &set)?;
            *gradient = self.gradients();
            let mut inside = vec![false; gradient.len()];
            for &j in &set {
                inside[j] = true;
            }
            let penalty = &self.descent.penalty;
            let missed: Vec<usize> = (0..gradient.len())
                .filter(|&j| {
                    !inside[j]
                        && penalty.eligible[j]
                        && gradient[j].abs() > lambda * penalty.absolute[j]
                })
                .collect();
            if missed.is_empty() {
                return Ok(self.read(lambda, passes));
            }
            set.extend(missed);
            set.sort_unstable();
        }
    }

    /// Starts where the line through the last two solutions leads, since
    /// coefficients bend little from one lambda to the next. Columns that
    /// have just entered, or would change sign, stay.
    fn start_towards(&mut self, lambda: f64, last: f64) {
        let descent = &mut self.descent;
        let here = Solved {
            lambda: last,
            intercept: descent.intercept,
            coefficients: descent.coefficients.clone(),
        };
        if let Some(before) = self.before.replace(here) {
            let part = (lambda - last) / (last - before.lambda);
            // A far extrapolation would be no better than none.
            if part > 0.0 && part < 2.0 {
                descent.intercept += part * (descent.intercept - before.intercept);
                for (b, old) in descent.coefficients.iter_mut().zip(&before.coefficients) {
                    let next = *b + part * (*b - old);
                    if *b * old > 0.0 && *b * next > 0.0 {
                        *b = next;
                    }
                }
            }
        }
    }

    /// Derivatives of every column but those whose coefficients hold them at
    /// the bound anyway.
    fn gradients(&self) -> Vec<f64> {
        let descent = &self.descent;
        (0..descent.coefficients.len())
            .map(|j| if descent.coefficients[j] == 0.0 { descent.gradient(j) } else { 0.0 })
            .collect()
    }

    fn first_lambda(&self, gradient: &[f64], alpha: f64) -> f64 {
        (0..gradient.len())
            .filter(|&j| self.descent.penalty.eligible[j] && self.penalised[j])
            .map(|j| gradient[j].abs() / (alpha * self.descent.penalty.unit[j]))
            .fold(0.0, f64::max)
    }

    fn read(&self, lambda: f64, passes: usize) -> Point {
        let descent = &self.descent;
        let held = descent.coefficients.iter().copied().enumerate().filter(|(_, b)| *b != 0.0);
        let with_intercept = descent.likelihood.has_intercept();
        Point {
            lambda,
            intercept: if with_intercept { descent.intercept } else { 0.0 },
            coefficients: held.collect(),
            deviance_ratio: 1.0 - descent.deviance() / self.null_deviance,
            objective: descent.value - descent.paid(lambda),
            passes,
        }
    }
}

/// A part of a deviance, but not below rounding.
fn tolerance(part: f64, deviance: f64) -> f64 {
    (part * deviance).max(1e-28)
}

fn column_penalties(
    columns: &SparseColumns,
    weights: &[f64],
    options: &Options<'_>,
) -> Result<(ColumnPenalty, Vec<bool>), Error> {
    let p = columns.columns();
    let factors = match options.penalty_factors {
        None => vec![1.0; p],
        Some(given) if given.len() != p => {
            return Err(Error::PenaltyFactors { found: given.len(), expected: p });
        }
        Some(given) if given.iter().any(|f| f.is_nan() || *f < 0.0) => {
            return Err(Error::Setting { setting: "a penalty factor", expected: "0 or more" });
        }
        Some(given) => given.to_vec(),
    };
    // A column left out counts with factor 1 in the sum.
    let counted = |f: f64| if f.is_infinite() { 1.0 } else { f };
    let total: f64 = factors.iter().map(|&f| counted(f)).sum();
    if p > 0 && total == 0.0 {
        return Err(Error::Setting {
            setting: "the penalty factors",
            expected: "above 0 for at least one column",
        });
    }
    let mut penalty = ColumnPenalty::default();
    let mut penalised = Vec::with_capacity(p);
    for (j, &factor) in factors.iter().enumerate() {
        let (_, spread) = columns.column(j).mean_and_spread(weights);
        let scale = if options.standardise { spread } else { 1.0 };
        let factor_scaled = counted(factor) * p as f64 / total;
        penalty.unit.push(factor_scaled * scale);
        penalty.absolute.push(options.alpha * factor_scaled * scale);
        penalty.square.push((1.0 - options.alpha) * factor_scaled * scale * scale);
        penalty.eligible.push(spread > 0.0 && factor.is_finite());
        penalised.push(factor > 0.0);
    }
    Ok((penalty, penalised))
}
