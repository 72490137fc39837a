//! Conditional logistic regression of matched sets, by the exact likelihood.

use std::ops::RangeInclusive;

use super::conditional::{Conditional, ConditionalFit, fit, write_group_scores};
use super::design::{Covariate, Design};
use super::error::{Error, check_range};
use super::generalised_linear::ln_one_plus_exp;
use super::groups::rows_by_group;
use super::linear_algebra::{SquareMatrix, dot};
use super::newton::Likelihood;

/// Conditional logistic regression: the likelihood of which rows of a stratum
/// are its cases, given their number m,
/// exp(sum over cases of x b) / sum over all m-subsets of exp(sum of x b).
///
/// - `outcome`: 0 or 1, one a row.
/// - `covariates`: named columns of the same length.
/// - `strata`: a stratum number from 0, one a row
///   (see [`super::group_indices`]); rows in any order.
///
/// Strata without a case or without a non-case say nothing and are dropped.
/// A column that is constant within strata is aliased. Errors: a missing or
/// wrong value, no informative stratum, separation, no convergence.
///
/// The sum over subsets is not enumerated. With any t, drawing row i with
/// probability t e^(x b) / (1 + t e^(x b)) independently makes the
/// sum equal to P(m drawn) * product of (1 + t e^(x b)) / t^m. P and its
/// derivatives come from a recursion over rows and numbers drawn; with t such
/// that m are expected nothing over- or underflows, however large the
/// stratum. (Recursion: Gail, Lubin and Rubinstein 1981, Biometrika 68:703;
/// tilt: Chen, Dempster and Liu 1994, Biometrika 81:457.) Agrees with R
/// survival's `clogit(method = "exact")`. Cost per step and stratum of n rows:
/// n min(m, n - m) p^2. For standard errors that hold with dependent strata or
/// rows see [`ConditionalFit::robust_covariance`].
pub fn conditional_logistic(
    outcome: &[f64],
    covariates: &[Covariate<'_>],
    strata: &[usize],
) -> Result<ConditionalFit, Error> {
    let rows = outcome.len();
    check_range("outcome", outcome, rows, "0 or 1", |y| y == 0.0 || y == 1.0)?;
    if strata.len() != rows {
        let column = "strata".to_owned();
        return Err(Error::Length { column, found: strata.len(), expected: rows });
    }
    let all = rows_by_group(strata);
    let groups = all.iter().filter(|g| !g.is_empty()).count();
    let sets: Vec<Vec<usize>> = all
        .into_iter()
        .filter(|set| {
            let cases = set.iter().filter(|&&i| outcome[i] == 1.0).count();
            0 < cases && cases < set.len()
        })
        .collect();
    if sets.is_empty() {
        return Err(Error::NoInformativeStratum { groups });
    }
    let mut weights = vec![0.0; rows];
    sets.iter().flatten().for_each(|&i| weights[i] = 1.0);
    let design = Design::within_groups(covariates, &sets, &weights)?;
    let events = sets.iter().flatten().map(|&i| outcome[i]).sum();
    let informative = sets.len();
    let mut likelihood = MatchedSets { outcome, design: &design, sets };
    fit(&mut likelihood, informative, events)
}

struct MatchedSets<'a> {
    outcome: &'a [f64],
    design: &'a Design,
    sets: Vec<Vec<usize>>,
}

impl Likelihood for MatchedSets<'_> {
    fn design(&self) -> &Design {
        self.design
    }

    fn value(&mut self, at: &[f64]) -> f64 {
        self.sets.iter().map(|rows| Set::new(self, rows, at).log_likelihood()).sum()
    }

    fn derivatives(&mut self, at: &[f64]) -> (Vec<f64>, SquareMatrix) {
        let p = self.design.size();
        let (mut score, mut information) = (vec![0.0; p], SquareMatrix::zeros(p));
        for rows in &self.sets {
            Set::new(self, rows, at).add_derivatives(self.design, &mut score, &mut information);
        }
        (score, information)
    }
}

impl Conditional for MatchedSets<'_> {
    fn row_scores(&self, at: &[f64]) -> Vec<f64> {
        let mut scores = vec![0.0; self.outcome.len() * self.design.size()];
        for rows in &self.sets {
            let residuals = Set::new(self, rows, at).residuals();
            write_group_scores(self.design, rows, &residuals, &mut scores);
        }
        scores
    }
}

/// One stratum, turned so that at most half of its rows are to be drawn:
/// drawing m cases by x b is drawing n - m non-cases by -x b.
struct Set<'a> {
    rows: &'a [usize],
    sign: f64,
    /// Whether each row is among those drawn.
    drawn: Vec<bool>,
    count: usize,
    /// Signed linear predictors.
    eta: Vec<f64>,
    ln_tilt: f64,
    /// Each row's probability to be drawn, and the rest to 1.
    chance: Vec<(f64, f64)>,
}

impl<'a> Set<'a> {
    fn new(sets: &MatchedSets<'_>, rows: &'a [usize], at: &[f64]) -> Self {
        let cases = rows.iter().filter(|&&i| sets.outcome[i] == 1.0).count();
        let turned = 2 * cases > rows.len();
        let (sign, value) = if turned { (-1.0, 0.0) } else { (1.0, 1.0) };
        let drawn: Vec<bool> = rows.iter().map(|&i| sets.outcome[i] == value).collect();
        let count = if turned { rows.len() - cases } else { cases };
        let eta: Vec<f64> = rows.iter().map(|&i| sign * dot(sets.design.row(i), at)).collect();
        let ln_tilt = ln_tilt(&eta, count as f64);
        let chance = eta.iter().map(|e| chances(e + ln_tilt)).collect();
        Self { rows, sign, drawn, count, eta, ln_tilt, chance }
    }

    fn log_likelihood(&self) -> f64 {
        let m = self.count;
        let mut probability = certain_none(m);
        for (j, &chance) in self.chance.iter().enumerate() {
            draw(&mut probability, chance, self.reachable(j));
        }
        let cases: f64 =
            self.eta.iter().zip(&self.drawn).filter(|(_, d)| **d).map(|(e, _)| e).sum();
        let product: f64 = self.eta.iter().map(|e| ln_one_plus_exp(e + self.ln_tilt)).sum();
        cases - (probability[m].ln() + product - m as f64 * self.ln_tilt)
    }

    /// Of each row: whether it is a case less the chance that it is one, given
    /// the number of cases; and that chance. A row is drawn among m when it is,
    /// and the rows before and after it give the other m - 1. What the rows
    /// before give is kept at every root-n-th row only and made again between,
    /// so that a large stratum takes little memory.
    fn residuals(&self) -> Vec<(f64, f64)> {
        let (n, m) = (self.rows.len(), self.count);
        let block = n.isqrt().max(1);
        let (mut starts, mut before) = (Vec::new(), certain_none(m));
        for chances in self.chance.chunks(block) {
            starts.push(before.clone());
            for &chance in chances {
                draw(&mut before, chance, 0..=m);
            }
        }
        let all = before[m];
        let mut after = certain_none(m);
        let mut residuals = vec![(0.0, 0.0); n];
        for (b, start) in starts.into_iter().enumerate().rev() {
            let (first, last) = (b * block, n.min((b + 1) * block));
            let mut inside = vec![start];
            for &chance in &self.chance[first..last - 1] {
                let mut next = inside[inside.len() - 1].clone();
                draw(&mut next, chance, 0..=m);
                inside.push(next);
            }
            for j in (first..last).rev() {
                let others: f64 = inside[j - first][..m]
                    .iter()
                    .zip(after[..m].iter().rev())
                    .map(|(b, a)| b * a)
                    .sum();
                let drawn = self.chance[j].0 * others / all;
                let residual = self.sign * (f64::from(u8::from(self.drawn[j])) - drawn);
                residuals[j] = (residual, if self.sign > 0.0 { drawn } else { 1.0 - drawn });
                draw(&mut after, self.chance[j], 0..=m);
            }
        }
        residuals
    }

    /// The numbers drawn after row `j` from which `count` can still be met.
    fn reachable(&self, j: usize) -> RangeInclusive<usize> {
        let left = self.rows.len() - (j + 1);
        self.count.saturating_sub(left)..=self.count.min(j + 1)
    }

    /// Adds the score, sum over cases of x minus its conditional mean, and
    /// the information, the conditional covariance of the sum.
    fn add_derivatives(&self, design: &Design, score: &mut [f64], information: &mut SquareMatrix) {
        let (p, m) = (design.size(), self.count);
        // Columns taken from their mean under the draw, so that the
        // covariance is not a difference of large numbers.
        let mut centre = vec![0.0; p];
        for (&i, &(yes, _)) in self.rows.iter().zip(&self.chance) {
            for (c, x) in centre.iter_mut().zip(design.row(i)) {
                *c += yes * x / m as f64;
            }
        }
        let mut moments = Moments::new(p, m);
        let mut x = vec![0.0; p];
        for (j, (&i, &(yes, no))) in self.rows.iter().zip(&self.chance).enumerate() {
            for ((x, value), c) in x.iter_mut().zip(design.row(i)).zip(&centre) {
                *x = value - c;
            }
            if self.drawn[j] {
                for (s, x) in score.iter_mut().zip(&x) {
                    *s += self.sign * x;
                }
            }
            for k in self.reachable(j).rev() {
                moments.update(k, &x, yes, no);
            }
        }
        let (mean, covariance) = moments.conditional(m);
        for (a, s) in score.iter_mut().enumerate() {
            *s -= self.sign * mean[a];
            for b in 0..p {
                information.add(a, b, covariance.get(a, b));
            }
        }
    }
}

/// The probabilities of 0 to `m` rows drawn before there is any row.
fn certain_none(m: usize) -> Vec<f64> {
    let mut probability = vec![0.0; m + 1];
    probability[0] = 1.0;
    probability
}

/// The probabilities of `numbers` drawn after one more row.
fn draw(probability: &mut [f64], (yes, no): (f64, f64), numbers: RangeInclusive<usize>) {
    for k in numbers.rev() {
        let before = if k > 0 { probability[k - 1] } else { 0.0 };
        probability[k] = no * probability[k] + yes * before;
    }
}

/// By number of rows drawn so far: its probability, and the first and second
/// moments of the sum of x over the drawn, times that probability.
struct Moments {
    p: usize,
    probability: Vec<f64>,
    first: Vec<f64>,
    /// The upper triangle, row by row.
    second: Vec<f64>,
}

impl Moments {
    fn new(p: usize, m: usize) -> Self {
        let probability = certain_none(m);
        let triangle = p * (p + 1) / 2;
        Self {
            p,
            probability,
            first: vec![0.0; (m + 1) * p],
            second: vec![0.0; (m + 1) * triangle],
        }
    }

    /// Number `k` after a row of columns `x`, from `k` (not drawn) and
    /// `k - 1` (drawn) before it; so `k` must fall from call to call.
    fn update(&mut self, k: usize, x: &[f64], yes: f64, no: f64) {
        let (p, triangle) = (self.p, self.p * (self.p + 1) / 2);
        if k == 0 {
            // Nothing drawn: the sums are zero.
            self.probability[0] *= no;
            return;
        }
        let (second_below, second_at) = self.second.split_at_mut(k * triangle);
        let second_below = &second_below[(k - 1) * triangle..];
        let (first_below, first_at) = self.first.split_at_mut(k * p);
        let first_below = &first_below[(k - 1) * p..];
        let below = self.probability[k - 1];
        let mut at = 0;
        for a in 0..p {
            for b in a..p {
                let drawn = second_below[at]
                    + x[a] * first_below[b]
                    + x[b] * first_below[a]
                    + x[a] * x[b] * below;
                second_at[at] = no * second_at[at] + yes * drawn;
                at += 1;
            }
        }
        for (a, first) in first_at[..p].iter_mut().enumerate() {
            *first = no * *first + yes * (first_below[a] + x[a] * below);
        }
        self.probability[k] = no * self.probability[k] + yes * below;
    }

    /// Mean and covariance of the sum, given that `m` were drawn.
    fn conditional(&self, m: usize) -> (Vec<f64>, SquareMatrix) {
        let (p, triangle) = (self.p, self.p * (self.p + 1) / 2);
        let total = self.probability[m];
        let mean: Vec<f64> = self.first[m * p..].iter().map(|f| f / total).collect();
        let mut covariance = SquareMatrix::zeros(p);
        let mut second = self.second[m * triangle..].iter();
        for a in 0..p {
            for (b, value) in (a..p).zip(&mut second) {
                let entry = value / total - mean[a] * mean[b];
                covariance.set(a, b, entry);
                covariance.set(b, a, entry);
            }
        }
        (mean, covariance)
    }
}

/// (p, 1 - p) of the logistic function, neither by cancellation.
fn chances(x: f64) -> (f64, f64) {
    let small = (-x.abs()).exp() / (1.0 + (-x.abs()).exp());
    if x > 0.0 { (1.0 - small, small) } else { (small, 1.0 - small) }
}

/// The t whose draws number `count` on average, 0 < count < rows, to a
/// thousandth: any t is right, a close one keeps numbers in range.
fn ln_tilt(eta: &[f64], count: f64) -> f64 {
    let excess = |t: f64| eta.iter().map(|e| chances(e + t).0).sum::<f64>() - count;
    let odds = (count / (eta.len() as f64 - count)).ln();
    let (mut low, mut high) = eta
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &e| (l.min(odds - e), h.max(odds - e)));
    let mut t = odds - eta.iter().sum::<f64>() / eta.len() as f64;
    for _ in 0..200 {
        let gap = excess(t);
        if gap.abs() < 1e-3 * count || high - low < 1e-9 {
            break;
        }
        if gap > 0.0 {
            high = t;
        } else {
            low = t;
        }
        let slope: f64 = eta.iter().map(|e| chances(e + t)).map(|(yes, no)| yes * no).sum();
        let newton = t - gap / slope;
        t = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
    }
    t
}
