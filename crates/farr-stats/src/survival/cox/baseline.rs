//! Baseline hazards and the survival of given covariates.

use super::CoxModel;
use super::risk_sets::walk;
use crate::error::{Error, Result};
use crate::survival::confidence::Confidence;
use crate::survival::follow_up::{check_finite, check_length};
use crate::survival::linear::{dot, row_times_matrix};
use crate::survival::twofold::Twofold;

/// Whose hazard a baseline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaselineAt {
    /// All covariates 0.
    Zero,
    /// Covariates at [`super::CoxFit::centers`].
    Centers,
}

/// The cumulative baseline hazard of one stratum, one entry a distinct exit
/// time, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineHazard {
    /// Label of the stratum; 0 without strata.
    pub stratum: u32,
    /// Exit times, of events and censorings.
    pub time: Vec<f64>,
    /// H(t), events at t included.
    pub cumulative_hazard: Vec<f64>,
}

/// Covariates whose survival is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// One value a covariate.
    pub covariates: Vec<f64>,
    /// Label of the stratum; `None`: the only one.
    pub stratum: Option<u32>,
}

/// Predicted survival of one profile; one entry a time asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CoxSurvival {
    /// S(t).
    pub survival: Vec<f64>,
    /// Standard error of S(t), on its own scale.
    pub std_err_survival: Vec<f64>,
    /// Lower bound.
    pub lower: Vec<f64>,
    /// Upper bound.
    pub upper: Vec<f64>,
    /// x beta, not centred.
    pub linear_predictor: f64,
}

/// What each event time adds to hazards, ascending within each stratum, at
/// the column means. p numbers a step in the matrices.
pub(crate) struct HazardSteps {
    /// Steps of stratum s: `starts[s]..starts[s + 1]`.
    pub(crate) starts: Vec<usize>,
    pub(crate) time: Vec<f64>,
    pub(crate) hazard: Vec<f64>,
    /// What it adds for those with the event at this very time (Efron).
    pub(crate) hazard_own: Vec<f64>,
    /// Adds to the variance of H.
    pub(crate) variance: Vec<f64>,
    /// Mean covariates of those at risk, averaged over tied events.
    pub(crate) mean: Vec<f64>,
    /// Integral of mean covariates by the hazard.
    pub(crate) x_hazard: Vec<f64>,
    pub(crate) x_hazard_own: Vec<f64>,
}

impl HazardSteps {
    pub(crate) fn of(model: &CoxModel) -> Self {
        let (design, p) = (&model.design, model.design.columns);
        let mut steps = Self {
            starts: vec![0; design.starts.len()],
            time: Vec::new(),
            hazard: Vec::new(),
            hazard_own: Vec::new(),
            variance: Vec::new(),
            mean: Vec::new(),
            x_hazard: Vec::new(),
            x_hazard_own: Vec::new(),
        };
        let mut order = Vec::new();
        walk(design, &model.weighted_risk(), model.ties, false, |set| {
            let (sums, w) = (set.tie_sums(), set.step_weight());
            steps.starts[set.stratum + 1] += 1;
            order.push(set.stratum);
            steps.time.push(set.time);
            steps.hazard.push(w * sums.one);
            steps.hazard_own.push(w * (sums.one - sums.f));
            steps.variance.push(w * sums.one_sq);
            for (s, e) in set.s1.iter().zip(set.e1) {
                steps.mean.push((s * sums.one - e * sums.f) / f64::from(set.events));
                steps.x_hazard.push(w * (s * sums.one_sq - e * sums.f_sq));
                let own = s * (sums.one_sq - sums.f_sq) - e * (sums.f_sq - sums.ff_sq);
                steps.x_hazard_own.push(w * own);
            }
        });
        for s in 1..steps.starts.len() {
            steps.starts[s] += steps.starts[s - 1];
        }
        // The walk goes back in time: turn each stratum's steps round.
        for bounds in steps.starts.windows(2) {
            let (a, b) = (bounds[0], bounds[1]);
            for column in
                [&mut steps.time, &mut steps.hazard, &mut steps.hazard_own, &mut steps.variance]
            {
                column[a..b].reverse();
            }
            for matrix in [&mut steps.mean, &mut steps.x_hazard, &mut steps.x_hazard_own] {
                reverse_rows(&mut matrix[a * p..b * p], p);
            }
        }
        steps
    }

    /// Cumulative hazards, before the first step and after each one:
    /// those of stratum s start at `starts[s] + s`. Twofold, since a row that
    /// enters late has a difference of two of them, which may be far smaller.
    pub(crate) fn cumulative(&self, values: &[f64], columns: usize) -> Vec<Twofold> {
        let mut out = Vec::with_capacity(values.len() + self.starts.len() * columns);
        for bounds in self.starts.windows(2) {
            let mut sum = vec![Twofold::default(); columns];
            out.extend_from_slice(&sum);
            for step in bounds[0]..bounds[1] {
                for (sum, &v) in sum.iter_mut().zip(&values[step * columns..]) {
                    *sum = sum.plus(v.into());
                }
                out.extend_from_slice(&sum);
            }
        }
        out
    }

    /// Steps of the stratum at or before `time`.
    pub(crate) fn passed(&self, stratum: usize, time: f64) -> usize {
        self.time[self.starts[stratum]..self.starts[stratum + 1]].partition_point(|&t| t <= time)
    }
}

fn reverse_rows(rows: &mut [f64], p: usize) {
    rows.reverse();
    rows.chunks_exact_mut(p.max(1)).for_each(<[f64]>::reverse);
}

impl CoxModel {
    /// Cumulative baseline hazards, one a stratum: Efron's with an Efron fit,
    /// else Breslow's. Source: survival 3.5-3 `basehaz`. Cost: O(n p).
    pub fn baseline_hazard(&self, at: BaselineAt) -> Vec<BaselineHazard> {
        let design = &self.design;
        let steps = HazardSteps::of(self);
        let cumulative = steps.cumulative(&steps.hazard, 1);
        let predictor = match at {
            BaselineAt::Zero => self.predictor_at(&vec![0.0; design.columns]),
            BaselineAt::Centers => self.predictor_at_centers(),
        };
        let factor = predictor.exp();
        let one = |(s, bounds): (usize, &[usize])| {
            let mut time = design.time[bounds[0]..bounds[1]].to_vec();
            time.dedup();
            let offset = steps.starts[s] + s;
            let hazard = |&t: &f64| factor * cumulative[offset + steps.passed(s, t)].value();
            let cumulative_hazard = time.iter().map(hazard).collect();
            BaselineHazard { stratum: design.strata_labels[s], time, cumulative_hazard }
        };
        design.starts.windows(2).enumerate().map(one).collect()
    }

    /// Survival of each profile at `times`, S(t) = exp(-H(t) exp(x beta)).
    ///
    /// The standard error of log S has the hazard's own variance and that of
    /// the coefficients: exp(2 x beta) (sum of steps' variance + q' V q) with
    /// q = H(t) x - integral of the mean covariates by H. `covariance`: V; the
    /// model's own if `None`. Source: survival 3.5-3 `survfit.coxph`. Errors:
    /// profiles of another length, missing values, unknown strata. Cost:
    /// O(n p), then O(p^2) a profile and time.
    pub fn survival(
        &self,
        profiles: &[Profile],
        times: &[f64],
        confidence: Confidence,
        covariance: Option<&[Vec<f64>]>,
    ) -> Result<Vec<CoxSurvival>> {
        check_finite("times", times)?;
        let interval = confidence.interval()?;
        let (design, p) = (&self.design, self.design.columns);
        let scaled = match covariance {
            None => self.scaled_covariance.clone(),
            Some(v) => (0..p * p)
                .map(|k| v[k / p][k % p] * design.scale[k / p] * design.scale[k % p])
                .collect(),
        };
        let steps = HazardSteps::of(self);
        let hazard = steps.cumulative(&steps.hazard, 1);
        let variance = steps.cumulative(&steps.variance, 1);
        let x_hazard = steps.cumulative(&steps.x_hazard, p);
        let one = |profile: &Profile| {
            let stratum = self.check_profile(profile)?;
            let predictor = self.predictor_at(&profile.covariates);
            let x: Vec<f64> = (0..p)
                .map(|j| (profile.covariates[j] - design.mean[j]) / design.scale[j])
                .collect();
            let mut curve = CoxSurvival {
                survival: Vec::with_capacity(times.len()),
                std_err_survival: Vec::with_capacity(times.len()),
                lower: Vec::with_capacity(times.len()),
                upper: Vec::with_capacity(times.len()),
                linear_predictor: predictor - self.predictor_at(&vec![0.0; p]),
            };
            for &time in times {
                let at = steps.starts[stratum] + stratum + steps.passed(stratum, time);
                let (hazard, variance) = (hazard[at].value(), variance[at].value());
                let q: Vec<f64> =
                    (0..p).map(|j| hazard * x[j] - x_hazard[at * p + j].value()).collect();
                let spread = dot(&row_times_matrix(&q, &scaled), &q);
                let se_log = predictor.exp() * (variance + spread).sqrt();
                let survival = (-hazard * predictor.exp()).exp();
                // Before anybody has left there is nothing to be unsure of.
                let (lower, upper) = if time < design.time[design.starts[stratum]] {
                    (1.0, 1.0)
                } else {
                    interval.bounds(survival, se_log)
                };
                curve.survival.push(survival);
                curve.std_err_survival.push(survival * se_log);
                curve.lower.push(lower);
                curve.upper.push(upper);
            }
            Ok(curve)
        };
        profiles.iter().map(one).collect()
    }

    fn check_profile(&self, profile: &Profile) -> Result<usize> {
        check_length("profile", self.design.columns, profile.covariates.len())?;
        check_finite("profile", &profile.covariates)?;
        let labels = &self.design.strata_labels;
        match profile.stratum {
            Some(label) => labels
                .binary_search(&label)
                .map_err(|_| Error::NoSuchLabel { what: "stratum", label }),
            None if labels.len() == 1 => Ok(0),
            None => Err(Error::StratumNeeded { strata: labels.len() }),
        }
    }
}
