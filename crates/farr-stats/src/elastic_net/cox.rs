//! Cox's partial likelihood, Breslow's for ties.

use super::likelihood::{CURVATURE_MIN, RowLikelihood};

/// Times with events, weights summing to 1. A row is at risk at t when its
/// time is t or later, censored rows included.
pub(crate) struct Cox<'a> {
    event: &'a [f64],
    weights: Vec<f64>,
    offset: Vec<f64>,
    /// Rows by falling time.
    order: Vec<u32>,
    /// Ends in `order` of the runs of equal times.
    run_ends: Vec<usize>,
}

impl<'a> Cox<'a> {
    pub(crate) fn new(time: &[f64], event: &'a [f64], weights: Vec<f64>) -> Self {
        let mut order: Vec<u32> = (0..time.len() as u32).collect();
        order.sort_by(|&a, &b| time[b as usize].total_cmp(&time[a as usize]));
        let run_ends = (1..=order.len())
            .filter(|&k| k == order.len() || time[order[k] as usize] != time[order[k - 1] as usize])
            .collect();
        let offset = vec![0.0; time.len()];
        Self { event, weights, offset, order, run_ends }
    }

    /// The runs of equal times, from the last time to the first.
    fn runs(&self) -> impl DoubleEndedIterator<Item = &[u32]> + ExactSizeIterator {
        self.run_ends.iter().enumerate().map(|(k, &end)| {
            let start = if k == 0 { 0 } else { self.run_ends[k - 1] };
            &self.order[start..end]
        })
    }

    fn deaths(&self, run: &[u32]) -> f64 {
        run.iter().map(|&i| self.weights[i as usize] * self.event[i as usize]).sum()
    }
}

impl RowLikelihood for Cox<'_> {
    fn has_intercept(&self) -> bool {
        false
    }

    fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn offset(&self) -> &[f64] {
        &self.offset
    }

    fn start(&self) -> f64 {
        0.0
    }

    fn saturated(&self) -> f64 {
        // The deaths of a day share its risk set's whole hazard.
        let run = |d: f64| if d > 0.0 { -d * d.ln() } else { 0.0 };
        self.runs().map(|r| run(self.deaths(r))).sum()
    }

    /// With hazard H(t) = sum over event times u <= t of d(u) / R(u) and R(u)
    /// the sum of w e^eta at risk: the derivative of a row is
    /// w (event - e^eta H). The curvature w e^eta H leaves the covariances
    /// within risk sets out of the Hessian, so it is never too small: a step
    /// never overshoots. It pretends an intercept that the likelihood does
    /// not see, which the descent centres away.
    fn evaluate(&self, eta: &[f64], residual: &mut [f64], curvature: &mut [f64]) -> f64 {
        let largest = eta.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut value = 0.0;
        let mut at_risk = 0.0;
        let mut increments = Vec::with_capacity(self.run_ends.len());
        for run in self.runs() {
            for &i in run {
                let i = i as usize;
                let risk = self.weights[i] * (eta[i] - largest).exp();
                curvature[i] = risk;
                at_risk += risk;
                value += self.weights[i] * self.event[i] * (eta[i] - largest);
            }
            let deaths = self.deaths(run);
            if deaths > 0.0 {
                value -= deaths * at_risk.ln();
                increments.push(deaths / at_risk);
            } else {
                increments.push(0.0);
            }
        }
        let mut hazard = 0.0;
        for (run, increment) in self.runs().zip(&increments).rev() {
            hazard += increment;
            for &i in run {
                let i = i as usize;
                let expected = curvature[i] * hazard;
                residual[i] = self.weights[i] * self.event[i] - expected;
                curvature[i] = expected.max(CURVATURE_MIN * self.weights[i]);
            }
        }
        value
    }

    /// A row's derivative w (event - e^eta H) moves with its own eta and with
    /// the risk sets: by z, dH(t) is less the sum of d(u) / R(u)^2 times the
    /// sum of w e^eta z at risk.
    fn curvature_along(&self, eta: &[f64], along: &[f64], out: &mut [f64]) {
        let largest = eta.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut at_risk, mut moved) = (0.0, 0.0);
        let mut increments = Vec::with_capacity(self.run_ends.len());
        for run in self.runs() {
            for &i in run {
                let i = i as usize;
                out[i] = self.weights[i] * (eta[i] - largest).exp();
                at_risk += out[i];
                moved += out[i] * along[i];
            }
            let deaths = self.deaths(run);
            let hazard = if deaths > 0.0 { deaths / at_risk } else { 0.0 };
            increments.push((hazard, if deaths > 0.0 { hazard * moved / at_risk } else { 0.0 }));
        }
        let (mut hazard, mut shifted) = (0.0, 0.0);
        for (run, increment) in self.runs().zip(&increments).rev() {
            hazard += increment.0;
            shifted += increment.1;
            for &i in run {
                let i = i as usize;
                out[i] *= along[i] * hazard - shifted;
            }
        }
    }
}
