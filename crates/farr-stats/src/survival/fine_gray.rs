//! Fine and Gray's regression of a subdistribution hazard.

use super::competing::CompetingRisks;
use super::cox::{CoxData, Design};
use super::cumulative_incidence::check_counted;
use super::follow_up::{FollowUp, check_finite, check_length};
use super::linear::{Cholesky, cross_product, dot, row_times_matrix, square_of};
use super::newton::{Derivatives, Maximum, Problem, maximise};
use super::risk_table::RiskTable;
use crate::error::{Error, Result};

const WHAT: &str = "Fine-Gray regression";

/// A fitted model. Vectors are in the order of the covariates.
#[derive(Debug, Clone, PartialEq)]
pub struct FineGrayFit {
    /// Log subdistribution hazard ratios; NaN for an aliased covariate.
    pub coefficients: Vec<f64>,
    /// Sandwich covariance, which includes the estimation of the censoring
    /// curve; 0 for aliased covariates.
    pub covariance: Vec<Vec<f64>>,
    /// Covariates that are constant or depend on earlier ones.
    pub aliased: Vec<usize>,
    /// Log pseudo-likelihood at the coefficients.
    pub log_likelihood: f64,
    /// Log pseudo-likelihood without covariates.
    pub log_likelihood_null: f64,
    /// Rows.
    pub n: usize,
    /// Rows with the cause of interest.
    pub events: usize,
    /// Newton steps done.
    pub iterations: usize,
    /// Times of the cause of interest, ascending.
    pub time: Vec<f64>,
    /// Cumulative baseline subdistribution hazard (covariates 0) at them.
    pub baseline_hazard: Vec<f64>,
}

impl FineGrayFit {
    /// Sandwich standard errors; NaN for aliased covariates.
    pub fn std_err(&self) -> Vec<f64> {
        super::cox::std_err(&self.coefficients, &self.covariance)
    }

    /// Incidence of the cause for each row of covariates at `times`,
    /// 1 - exp(-H(t) exp(x beta)): 0 before the first event, flat after the
    /// last. Source: cmprsk 2.2-11 `predict.crr`.
    pub fn cumulative_incidence(
        &self,
        profiles: &[Vec<f64>],
        times: &[f64],
    ) -> Result<Vec<Vec<f64>>> {
        check_finite("times", times)?;
        let one = |profile: &Vec<f64>| {
            check_length("profile", self.coefficients.len(), profile.len())?;
            check_finite("profile", profile)?;
            let term = |(b, x): (&f64, &f64)| if b.is_nan() { 0.0 } else { b * x };
            let risk = self.coefficients.iter().zip(profile).map(term).sum::<f64>().exp();
            let at = |&time: &f64| match self.time.partition_point(|&t| t <= time) {
                0 => 0.0,
                i => -(-self.baseline_hazard[i - 1] * risk).exp_m1(),
            };
            Ok(times.iter().map(at).collect())
        };
        profiles.iter().map(one).collect()
    }
}

/// Fits the subdistribution hazard of `cause`.
///
/// At an event time t those at risk are all with time >= t, and those with
/// another cause before t at weight G(t-) / G(time-), where G is the
/// Kaplan-Meier curve of censoring that counts everyone with time >= t at
/// risk. At time 0 itself G counts the censorings of that time, since `crr`
/// looks it up at time (1 - 2e-14). Ties are Breslow's. The covariance is the
/// sandwich of Fine and Gray (1999), equation (8), with the influence of G.
/// Source: cmprsk 2.2-11 `crr`. Errors: bad rows or covariates, entry times or weights (cmprsk has
/// neither), no event, a coefficient that runs to infinity, no convergence.
/// Cost: one sort, then O(n p^2) a step and for the covariance.
pub fn fine_gray(rows: &CompetingRisks, cause: u32, covariates: &[&[f64]]) -> Result<FineGrayFit> {
    rows.check(WHAT)?;
    check_counted(rows)?;
    if let Some(row) = rows.weight.and_then(|weight| weight.iter().position(|&w| w != 1.0)) {
        let expected = "1: this estimator has no weighted form";
        return Err(Error::OutOfRange { column: "weight", row, expected });
    }
    let event: Vec<bool> = rows.cause.iter().map(|&c| c == cause && c != 0).collect();
    let follow_up = FollowUp::new(rows.time, &event);
    let design = Design::of(&CoxData { rows: follow_up, covariates, strata: None }, WHAT)?;
    if !design.has_events() {
        return Err(Error::NoEvents { what: WHAT });
    }
    let sample = Sample::of(rows, design);
    let p = sample.design.columns;
    let start = sample.derivatives(&vec![0.0; p]);
    let problem = Problem {
        what: WHAT,
        derivatives: &|beta| sample.derivatives(beta),
        penalty: &vec![0.0; p],
        range: &sample.design.range,
        max_iterations: 40,
    };
    let found = maximise(&problem, &start)?;
    Ok(sample.fit_of(found, start.log_likelihood))
}

#[derive(Clone, Copy, PartialEq)]
enum Exit {
    Censored,
    Own,
    Other,
}

/// Sorted rows with the censoring curve just before each exit.
struct Sample {
    design: Design,
    exit: Vec<Exit>,
    /// G(time-) of each position; G(time) up to time 0.
    censoring: Vec<f64>,
}

/// Sums over the risk set of one event time.
struct EventTime<'a> {
    time: f64,
    events: f64,
    censoring: f64,
    leaving: std::ops::Range<usize>,
    s0: f64,
    s1: &'a [f64],
    s2: &'a [f64],
}

impl Sample {
    fn of(rows: &CompetingRisks, design: Design) -> Self {
        let exit: Vec<Exit> = (design.order.iter().zip(&design.event))
            .map(|(&row, &own)| match rows.cause[row as usize] {
                0 => Exit::Censored,
                _ if own => Exit::Own,
                _ => Exit::Other,
            })
            .collect();
        let censored: Vec<bool> = exit.iter().map(|&e| e == Exit::Censored).collect();
        let table = RiskTable::of(&FollowUp::new(&design.time, &censored));
        let mut censoring = Vec::with_capacity(design.size);
        let mut curve = 1.0;
        for i in 0..table.time.len() {
            let leaving = table.n_event[i] + table.n_censor[i];
            let before = curve;
            curve *= (table.n_risk[i] - table.n_event[i]) / table.n_risk[i];
            let seen = if table.time[i] > 0.0 { before } else { curve };
            censoring.extend(std::iter::repeat_n(seen, leaving as usize));
        }
        Self { design, exit, censoring }
    }

    /// Calls `visit` for each event time, the last one first. `risk`:
    /// exp(x beta) of each position.
    fn walk(&self, risk: &[f64], second: bool, mut visit: impl FnMut(&EventTime)) {
        let (design, p) = (&self.design, self.design.columns);
        let cells = if second { p * (p + 1) / 2 } else { 0 };
        // `late`: those with time >= t. `gone`: those with another cause
        // before t, at weight 1 / G(time-); it starts full.
        let mut late = vec![0.0; 1 + p + cells];
        let mut gone = late.clone();
        let mut both = late.clone();
        for i in (0..design.size).filter(|&i| self.exit[i] == Exit::Other) {
            add_moments(&mut gone, risk[i] / self.censoring[i], design.x(i));
        }
        let mut end = design.size;
        while end > 0 {
            let (last, time) = (end, design.time[end - 1]);
            let mut events = 0.0;
            while end > 0 && design.time[end - 1] == time {
                end -= 1;
                add_moments(&mut late, risk[end], design.x(end));
                match self.exit[end] {
                    Exit::Own => events += 1.0,
                    Exit::Other => {
                        add_moments(&mut gone, -risk[end] / self.censoring[end], design.x(end));
                    }
                    Exit::Censored => {}
                }
            }
            if events == 0.0 {
                continue;
            }
            let censoring = self.censoring[end];
            for ((both, late), gone) in both.iter_mut().zip(&late).zip(&gone) {
                *both = late + censoring * gone;
            }
            let (s1, s2) = both[1..].split_at(p);
            let leaving = end..last;
            visit(&EventTime { time, events, censoring, leaving, s0: both[0], s1, s2 });
        }
    }

    fn derivatives(&self, beta: &[f64]) -> Derivatives {
        let (design, p) = (&self.design, self.design.columns);
        let eta = design.linear_predictor(beta);
        let top = eta.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let eta: Vec<f64> = eta.into_iter().map(|eta| eta - top).collect();
        let risk: Vec<f64> = eta.iter().map(|eta| eta.exp()).collect();
        let mut log_likelihood = 0.0;
        let mut score = vec![0.0; p];
        let mut triangle = vec![0.0; p * (p + 1) / 2];
        self.walk(&risk, true, |at| {
            for i in at.leaving.clone().filter(|&i| self.exit[i] == Exit::Own) {
                log_likelihood += eta[i];
                score.iter_mut().zip(design.x(i)).for_each(|(sum, x)| *sum += x);
            }
            log_likelihood -= at.events * at.s0.ln();
            let mut cell = 0;
            for (i, score) in score.iter_mut().enumerate() {
                let mean = at.s1[i] / at.s0;
                *score -= at.events * mean;
                for j in 0..=i {
                    let covariance = (at.s2[cell] - mean * at.s1[j]) / at.s0;
                    triangle[cell] += at.events * covariance;
                    cell += 1;
                }
            }
        });
        Derivatives { log_likelihood, score, information: square_of(&triangle, p) }
    }

    fn fit_of(&self, found: Maximum, log_likelihood_null: f64) -> FineGrayFit {
        let (design, p) = (&self.design, self.design.columns);
        let Maximum { beta, at, factor, iterations } = found;
        let steps = Steps::of(self, &beta);
        let aliased: Vec<usize> = (0..p).filter(|&j| factor.aliased()[j]).collect();
        let sandwich = sandwich(&factor, &self.influences(&beta, &steps), p);
        let scale = &design.scale;
        let at_zero: f64 = (0..p).map(|j| -design.mean[j] / scale[j] * beta[j]).sum();
        let mut sum = 0.0;
        let baseline = steps.events.iter().zip(&steps.s0).map(|(d, s0)| {
            sum += d / s0 * at_zero.exp();
            sum
        });
        FineGrayFit {
            baseline_hazard: baseline.collect(),
            coefficients: (0..p)
                .map(|j| if factor.aliased()[j] { f64::NAN } else { beta[j] / scale[j] })
                .collect(),
            covariance: (0..p)
                .map(|i| (0..p).map(|j| sandwich[i * p + j] / (scale[i] * scale[j])).collect())
                .collect(),
            aliased,
            log_likelihood: at.log_likelihood,
            log_likelihood_null,
            n: design.size,
            events: design.event.iter().filter(|&&event| event).count(),
            iterations,
            time: steps.time,
        }
    }

    /// Each position's share of the score, eta + psi of Fine and Gray: its
    /// own martingale and what it does to the censoring curve.
    fn influences(&self, beta: &[f64], steps: &Steps) -> Vec<f64> {
        let (design, p) = (&self.design, self.design.columns);
        let risk: Vec<f64> = design.linear_predictor(beta).iter().map(|eta| eta.exp()).collect();
        let mut out = vec![0.0; design.size * p];
        // Up to t: sums of d / s0 and d mean / s0. From t on: the same times G.
        let mut passed = vec![0.0; 1 + p];
        let mut ahead = vec![0.0; 1 + p];
        for step in 0..steps.time.len() {
            steps.add(&mut ahead, step, steps.censoring[step]);
        }
        // Of those with another cause before t: sums of r / G, x r / G.
        let mut gone = vec![0.0; 1 + p];
        let mut censored_sum = vec![0.0; p];
        let (mut start, mut step) = (0, 0);
        while start < design.size {
            let time = design.time[start];
            let tied = (start..design.size).take_while(|&i| design.time[i] == time).count();
            let range = start..start + tied;
            let at_risk = (design.size - start) as f64;
            let censored = range.clone().filter(|&i| self.exit[i] == Exit::Censored).count() as f64;
            // q(t) of the paper: what a censoring at t moves, before the
            // events of t itself have passed.
            let q: Vec<f64> =
                (0..p).map(|j| gone[1 + j] * ahead[0] - gone[0] * ahead[1 + j]).collect();
            for (sum, q) in censored_sum.iter_mut().zip(&q) {
                *sum -= q * censored / (at_risk * at_risk);
            }
            let here = (steps.time.get(step) == Some(&time)).then_some(step);
            if let Some(here) = here {
                steps.add(&mut passed, here, 1.0);
                steps.add(&mut ahead, here, -steps.censoring[here]);
                step += 1;
            }
            for i in range.clone() {
                let (r, x, exit) = (risk[i], design.x(i), self.exit[i]);
                for j in 0..p {
                    let mut share = -r * (x[j] * passed[0] - passed[1 + j]) + censored_sum[j];
                    match exit {
                        Exit::Censored => share += q[j] / at_risk,
                        Exit::Own => share += x[j] - here.map_or(0.0, |s| steps.mean[s * p + j]),
                        Exit::Other => {
                            let later = x[j] * ahead[0] - ahead[1 + j];
                            share -= r / self.censoring[i] * later;
                        }
                    }
                    out[i * p + j] = share;
                }
            }
            for i in range.clone().filter(|&i| self.exit[i] == Exit::Other) {
                add_moments(&mut gone, risk[i] / self.censoring[i], design.x(i));
            }
            start = range.end;
        }
        out
    }
}

/// Event times, ascending, with their risk sets' sums.
struct Steps {
    time: Vec<f64>,
    events: Vec<f64>,
    censoring: Vec<f64>,
    s0: Vec<f64>,
    /// p numbers a time.
    mean: Vec<f64>,
}

impl Steps {
    fn of(sample: &Sample, beta: &[f64]) -> Self {
        let p = sample.design.columns;
        let risk: Vec<f64> =
            sample.design.linear_predictor(beta).iter().map(|eta| eta.exp()).collect();
        let mut steps = Self {
            time: Vec::new(),
            events: Vec::new(),
            censoring: Vec::new(),
            s0: Vec::new(),
            mean: Vec::new(),
        };
        sample.walk(&risk, false, |at| {
            steps.time.push(at.time);
            steps.events.push(at.events);
            steps.censoring.push(at.censoring);
            steps.s0.push(at.s0);
            steps.mean.extend(at.s1.iter().rev().map(|s| s / at.s0));
        });
        // Backwards, each row too, so that one reversal rights them all.
        for column in [
            &mut steps.time,
            &mut steps.events,
            &mut steps.censoring,
            &mut steps.s0,
            &mut steps.mean,
        ] {
            column.reverse();
        }
        debug_assert_eq!(steps.mean.len(), steps.time.len() * p);
        steps
    }

    /// Adds factor d / s0 and factor d mean / s0 of a step.
    fn add(&self, into: &mut [f64], step: usize, factor: f64) {
        let hazard = factor * self.events[step] / self.s0[step];
        let p = into.len() - 1;
        add_moments(into, hazard, &self.mean[step * p..(step + 1) * p]);
    }
}

/// Adds r, r x and, where there is room, r x x' (lower triangle).
fn add_moments(into: &mut [f64], r: f64, x: &[f64]) {
    into[0] += r;
    let (first, mut rest) = into[1..].split_at_mut(x.len());
    first.iter_mut().zip(x).for_each(|(sum, x)| *sum += r * x);
    if rest.is_empty() {
        return;
    }
    for (i, x_i) in x.iter().enumerate() {
        let (row, after) = rest.split_at_mut(i + 1);
        let scaled = r * x_i;
        row.iter_mut().zip(x).for_each(|(sum, x_j)| *sum += scaled * x_j);
        rest = after;
    }
}

/// I^-1 (sum of influences' outer products) I^-1.
fn sandwich(factor: &Cholesky, influences: &[f64], p: usize) -> Vec<f64> {
    let inverse = factor.inverse();
    let middle = cross_product(influences, p);
    let mut out = Vec::with_capacity(p * p);
    for i in 0..p {
        let left = row_times_matrix(&inverse[i * p..(i + 1) * p], &middle);
        out.extend((0..p).map(|j| dot(&left, &inverse[j * p..(j + 1) * p])));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficient_by_hand() {
        // No censoring, so G = 1. Time, cause, x: (1, 1, 1), (2, 2, 0),
        // (3, 1, 0), (4, 1, 1). The second stays at risk for good. With
        // r = exp(b): l = 2 b - log(2 + 2 r) - log(2 + r) - log(1 + r), whose
        // score 2 / (1 + r) - r / (2 + r) is 0 at r^2 - r - 4 = 0.
        let rows = CompetingRisks::new(&[1.0, 2.0, 3.0, 4.0], &[1, 2, 1, 1]);
        let fit = fine_gray(&rows, 1, &[&[1.0, 0.0, 0.0, 1.0]]).unwrap();
        let r = f64::midpoint(1.0, 17.0_f64.sqrt());
        assert!((fit.coefficients[0] - r.ln()).abs() < 1e-12);
        let l = 2.0 * r.ln() - (2.0 + 2.0 * r).ln() - (2.0 + r).ln() - (1.0 + r).ln();
        assert!((fit.log_likelihood - l).abs() < 1e-12);
        let hazard = 1.0 / (2.0 + 2.0 * r);
        let found = fit.cumulative_incidence(&[vec![0.0]], &[0.5, 1.5]).unwrap();
        assert_eq!(found[0][0], 0.0);
        assert!((found[0][1] - (1.0 - (-hazard).exp())).abs() < 1e-14);
    }

    #[test]
    fn rows_at_time_zero_see_its_censorings() {
        // cmprsk's crr gives -1.036982; with G(0-) = 1 it were -0.967250.
        let time = [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let x = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let rows = CompetingRisks::new(&time, &[2, 0, 0, 1, 1, 0, 1, 2, 1, 0]);
        let fit = fine_gray(&rows, 1, &[&x]).unwrap();
        assert!((fit.coefficients[0] + 1.036_982).abs() < 1e-6);
    }

    #[test]
    fn separation_is_named() {
        let rows = CompetingRisks::new(&[1.0, 2.0, 3.0, 4.0], &[1, 1, 2, 0]);
        let found = fine_gray(&rows, 1, &[&[1.0, 1.0, 0.0, 0.0]]);
        assert_eq!(found, Err(Error::MonotoneLikelihood { covariate: 0 }));
        assert_eq!(fine_gray(&rows, 3, &[&[0.0; 4]]), Err(Error::NoEvents { what: WHAT }));
    }
}
