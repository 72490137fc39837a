//! Maximising the partial likelihood.

use super::design::{CoxData, Design};
use super::risk_sets::{RiskSet, TieSums, walk};
use super::{CoxModel, Ties};
use crate::distribution::chi_square_upper_tail;
use crate::error::{Error, Result};
use crate::survival::linear::{Cholesky, add_outer_products, dot, masked, square_of};
use crate::survival::newton::{self, Derivatives, Maximum, Problem, maximise};

const WHAT: &str = "Cox regression";

/// Settings of [`super::cox`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoxOptions {
    /// How tied event times are treated.
    pub ties: Ties,
    /// A ridge penalty, if wished.
    pub ridge: Option<Ridge>,
    /// Newton steps before giving up.
    pub max_iterations: usize,
}

impl Default for CoxOptions {
    fn default() -> Self {
        Self { ties: Ties::Efron, ridge: None, max_iterations: 40 }
    }
}

/// theta / 2 times the sum of squared coefficients is taken off the log
/// partial likelihood. Source: survival 3.5-3 `ridge`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ridge {
    /// Strength, at least 0.
    pub theta: f64,
    /// Whether each square is multiplied by the column's variance (n - 1).
    pub scale: bool,
}

/// A chi-square test with its tail probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquareTest {
    /// The statistic.
    pub chi_square: f64,
    /// Degrees of freedom.
    pub degrees_of_freedom: usize,
    /// P of a larger statistic.
    pub p: f64,
}

impl ChiSquareTest {
    pub(crate) fn new(chi_square: f64, degrees_of_freedom: usize) -> Self {
        let p = chi_square_upper_tail(chi_square, degrees_of_freedom as f64);
        Self { chi_square, degrees_of_freedom, p }
    }
}

/// Coefficients and likelihood of a fitted Cox model. Vectors and matrices
/// are in the order of the covariates.
#[derive(Debug, Clone, PartialEq)]
pub struct CoxFit {
    /// Log hazard ratios; NaN for an aliased covariate.
    pub coefficients: Vec<f64>,
    /// Inverse of the information matrix; 0 for aliased covariates.
    pub covariance: Vec<Vec<f64>>,
    /// Covariates that are constant or depend on earlier ones: they have no
    /// coefficient and take no part in anything else.
    pub aliased: Vec<usize>,
    /// Where linear predictors are 0: weighted column means, but 0 for
    /// columns of only -1, 0 and 1 (R's `means`).
    pub centers: Vec<f64>,
    /// Log partial likelihood without covariates.
    pub log_likelihood_null: f64,
    /// Log partial likelihood at the coefficients, penalty not taken off.
    pub log_likelihood: f64,
    /// Ridge penalty at the coefficients; 0 without one.
    pub penalty: f64,
    /// Score test that all coefficients are 0.
    pub score_test: ChiSquareTest,
    /// Wald test with the model's covariance.
    pub wald_test: ChiSquareTest,
    /// Likelihood ratio test.
    pub likelihood_ratio_test: ChiSquareTest,
    /// Rows.
    pub n: usize,
    /// Rows with the event, not weighted.
    pub events: usize,
    /// Newton steps done.
    pub iterations: usize,
}

impl CoxFit {
    /// Standard errors from the model's covariance; NaN for aliased ones.
    pub fn std_err(&self) -> Vec<f64> {
        std_err(&self.coefficients, &self.covariance)
    }
}

pub(crate) fn std_err(coefficients: &[f64], covariance: &[Vec<f64>]) -> Vec<f64> {
    let one = |(j, b): (usize, &f64)| if b.is_nan() { f64::NAN } else { covariance[j][j].sqrt() };
    coefficients.iter().enumerate().map(one).collect()
}

pub(crate) fn fit(data: &CoxData, options: &CoxOptions) -> Result<CoxModel> {
    let design = Design::of(data, WHAT)?;
    if !design.has_events() {
        return Err(Error::NoEvents { what: WHAT });
    }
    let penalty = penalty_of(data, &design, options.ridge)?;
    let start = derivatives(&design, &vec![0.0; design.columns], options.ties);
    let problem = Problem {
        what: WHAT,
        derivatives: &|beta| derivatives(&design, beta, options.ties),
        penalty: &penalty,
        range: &design.range,
        max_iterations: options.max_iterations,
    };
    let found = maximise(&problem, &start)?;
    Ok(model_of(design, options, &penalty, &start, found))
}

/// theta times each scaled column's share of the penalty; empty without one.
fn penalty_of(data: &CoxData, design: &Design, ridge: Option<Ridge>) -> Result<Vec<f64>> {
    let Some(Ridge { theta, scale }) = ridge else { return Ok(vec![0.0; design.columns]) };
    if !(theta.is_finite() && theta >= 0.0) {
        let expected = "a finite number of at least 0";
        return Err(Error::Setting { setting: "theta", found: theta, expected });
    }
    let variance = |column: &[f64]| {
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)
    };
    let share = |(column, scaled): (&&[f64], &f64)| {
        theta * if scale { variance(column) } else { 1.0 } / (scaled * scaled)
    };
    Ok(data.covariates.iter().zip(&design.scale).map(share).collect())
}

pub(crate) fn derivatives(design: &Design, beta: &[f64], ties: Ties) -> Derivatives {
    let p = design.columns;
    let eta = design.linear_predictor(beta);
    // The likelihood does not change when all predictors are shifted; so the
    // exponential cannot overflow.
    let top = eta.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let eta: Vec<f64> = eta.into_iter().map(|eta| eta - top).collect();
    let risk: Vec<f64> = eta.iter().zip(&design.weight).map(|(eta, w)| w * eta.exp()).collect();
    let mut log_likelihood = 0.0;
    let mut score = vec![0.0; p];
    let mut information = Information::new(design);
    let with_entry = design.entry.is_some();
    walk(design, &risk, ties, with_entry, |set| {
        for i in set.leaving.clone().filter(|&i| design.event[i]) {
            log_likelihood += design.weight[i] * eta[i];
            for (sum, x) in score.iter_mut().zip(design.x(i)) {
                *sum += design.weight[i] * x;
            }
        }
        let sums = set.tie_sums();
        let w = set.step_weight();
        log_likelihood -= w * sums.log;
        for (j, sum) in score.iter_mut().enumerate() {
            *sum -= w * (set.s1[j] * sums.one - set.e1[j] * sums.f);
        }
        if with_entry {
            set.add_information(&sums, 1.0, &mut information.triangle);
        } else {
            information.add(set, &sums);
        }
    });
    let triangle = if with_entry { information.triangle } else { information.finish(&risk) };
    Derivatives { log_likelihood, score, information: square_of(&triangle, p) }
}

/// The information where nobody enters late. It is the sum over event times of
/// second moments by 1 / s0, less means' products; and a row is in the moments
/// of all times until its own, so that it adds r x x' once, times the sum of
/// 1 / s0 until then: the cumulative hazard. That is p^2 numbers a row and an
/// event time, instead of three times as many.
struct Information<'a> {
    design: &'a Design,
    triangle: Vec<f64>,
    /// Event times from the last, as (first position of those leaving, step of
    /// the hazard).
    steps: Vec<(usize, f64)>,
    /// What is taken from the hazard of tied events.
    tied: Vec<(std::ops::Range<usize>, f64)>,
    /// Sums s1 of single events, each with its factor, until they are added.
    means: Vec<f64>,
    factors: Vec<f64>,
}

/// Event times after which their means are added.
const MEANS_MAX: usize = 256;

impl<'a> Information<'a> {
    fn new(design: &'a Design) -> Self {
        let p = design.columns;
        Self {
            design,
            triangle: vec![0.0; p * (p + 1) / 2],
            steps: Vec::new(),
            tied: Vec::new(),
            means: Vec::new(),
            factors: Vec::new(),
        }
    }

    fn add(&mut self, set: &RiskSet, sums: &TieSums) {
        let w = set.step_weight();
        self.steps.push((set.leaving.start, w * sums.one));
        if set.is_efron() {
            self.tied.push((set.leaving.clone(), w * sums.f));
            set.subtract_means(sums, &mut self.triangle);
        } else {
            self.means.extend_from_slice(set.s1);
            self.factors.push(-w * sums.one_sq);
            if self.factors.len() == MEANS_MAX {
                self.add_means();
            }
        }
    }

    fn add_means(&mut self) {
        let p = self.design.columns;
        add_outer_products(&self.means, &self.factors, p, &mut self.triangle);
        self.means.clear();
        self.factors.clear();
    }

    /// `risk`: w exp(x beta) of each position. Gives the lower triangle.
    fn finish(mut self, risk: &[f64]) -> Vec<f64> {
        self.add_means();
        let design = self.design;
        let mut factors = vec![0.0; design.size];
        // Strata and times ascend by position; steps were found from the last
        // time of each stratum.
        self.steps.sort_unstable_by_key(|step| step.0);
        let mut steps = self.steps.iter().peekable();
        for stratum in design.starts.windows(2) {
            let mut hazard = 0.0;
            for i in stratum[0]..stratum[1] {
                while let Some((_, step)) = steps.next_if(|step| step.0 <= i) {
                    hazard += step;
                }
                factors[i] = risk[i] * hazard;
            }
        }
        for (leaving, step) in self.tied {
            for i in leaving.filter(|&i| design.event[i] && design.weight[i] > 0.0) {
                factors[i] -= risk[i] * step;
            }
        }
        add_outer_products(design.all_x(), &factors, design.columns, &mut self.triangle);
        self.triangle
    }
}

fn model_of(
    design: Design,
    options: &CoxOptions,
    penalty: &[f64],
    start: &Derivatives,
    found: Maximum,
) -> CoxModel {
    let p = design.columns;
    let Maximum { beta, at, factor, iterations } = found;
    let aliased: Vec<usize> = (0..p).filter(|&j| factor.aliased()[j]).collect();
    let df = p - aliased.len();
    let scaled_covariance = factor.inverse();
    let scale = &design.scale;
    let covariance = (0..p)
        .map(|i| (0..p).map(|j| scaled_covariance[i * p + j] / (scale[i] * scale[j])).collect())
        .collect();
    let coefficient = |j: usize| if aliased.contains(&j) { f64::NAN } else { beta[j] / scale[j] };
    let center = |j: usize| if design.is_indicator[j] { 0.0 } else { design.mean[j] };
    let zero = Cholesky::of(masked(&start.information, &aliased, p), p);
    let wald = Cholesky::of(masked(&scaled_covariance, &aliased, p), p);
    let ratio = 2.0 * (at.log_likelihood - start.log_likelihood);
    let fit = CoxFit {
        coefficients: (0..p).map(coefficient).collect(),
        covariance,
        centers: (0..p).map(center).collect(),
        aliased,
        log_likelihood_null: start.log_likelihood,
        log_likelihood: at.log_likelihood,
        penalty: newton::penalty_at(penalty, &beta),
        score_test: ChiSquareTest::new(dot(&start.score, &zero.solve(&start.score)), df),
        wald_test: ChiSquareTest::new(dot(&beta, &wald.solve(&beta)), df),
        likelihood_ratio_test: ChiSquareTest::new(ratio, df),
        n: design.size,
        events: design.event.iter().filter(|&&event| event).count(),
        iterations,
    };
    CoxModel { fit, ties: options.ties, beta, scaled_covariance, design }
}
