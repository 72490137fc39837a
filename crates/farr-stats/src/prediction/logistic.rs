//! The two small logistic fits that calibration needs, on the logit of the
//! risk: one with a free slope, one with slope 1 (an offset).

use crate::estimate::EstimateError;

/// Whether the slope on the logit is fitted or held at 1.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Slope {
    Free,
    One,
}

/// The fitted line and its standard errors, from the inverse information.
pub(super) struct LogisticLine {
    pub(super) intercept: f64,
    pub(super) slope: f64,
    pub(super) intercept_std_err: f64,
    /// 0 where the slope was held.
    pub(super) slope_std_err: f64,
}

/// Gradient and information of the log likelihood at one line.
#[derive(Default)]
struct Curvature {
    gradient: [f64; 2],
    /// Entries 00, 01 and 11.
    information: [f64; 3],
}

/// Maximum likelihood by Newton's method from the line of perfect calibration,
/// each step halved until the likelihood does not fall. Converged when the
/// step is below 1e-10 of the line's size. O(n) a step.
pub(super) fn fit(
    outcome: &[bool],
    logit: &[f64],
    slope: Slope,
) -> Result<LogisticLine, EstimateError> {
    const STEPS_MAX: usize = 50;
    const HALVINGS_MAX: usize = 30;
    let what = "the calibration line";
    let not_converged = || EstimateError::NotConverged { what, steps: STEPS_MAX };
    let mut line = [0.0, 1.0];
    let mut likelihood = log_likelihood(outcome, logit, line);
    for _ in 0..STEPS_MAX {
        let curvature = curvature(outcome, logit, line);
        let step = newton_step(&curvature, slope);
        if !(step[0].is_finite() && step[1].is_finite()) {
            return Err(not_converged());
        }
        let size = |v: [f64; 2]| v[0].abs().max(v[1].abs());
        let small = size(step) <= 1e-10 * size(line).max(1.0);
        let mut scale = 1.0;
        for _ in 0..HALVINGS_MAX {
            let next = [line[0] + scale * step[0], line[1] + scale * step[1]];
            let found = log_likelihood(outcome, logit, next);
            // A fall within rounding is none, or the last steps would be refused.
            if found >= likelihood - 1e-12 * likelihood.abs() {
                (line, likelihood) = (next, found);
                break;
            }
            scale /= 2.0;
        }
        if small {
            return Ok(with_errors(outcome, logit, line, slope));
        }
    }
    Err(not_converged())
}

fn with_errors(outcome: &[bool], logit: &[f64], line: [f64; 2], slope: Slope) -> LogisticLine {
    let [i00, i01, i11] = curvature(outcome, logit, line).information;
    let determinant = i00 * i11 - i01 * i01;
    let (intercept_variance, slope_variance) = match slope {
        Slope::Free => (i11 / determinant, i00 / determinant),
        Slope::One => (1.0 / i00, 0.0),
    };
    LogisticLine {
        intercept: line[0],
        slope: line[1],
        intercept_std_err: intercept_variance.sqrt(),
        slope_std_err: slope_variance.sqrt(),
    }
}

fn newton_step(curvature: &Curvature, slope: Slope) -> [f64; 2] {
    let [g0, g1] = curvature.gradient;
    let [i00, i01, i11] = curvature.information;
    match slope {
        Slope::Free => {
            let determinant = i00 * i11 - i01 * i01;
            [(i11 * g0 - i01 * g1) / determinant, (i00 * g1 - i01 * g0) / determinant]
        }
        Slope::One => [g0 / i00, 0.0],
    }
}

fn curvature(outcome: &[bool], logit: &[f64], line: [f64; 2]) -> Curvature {
    let mut sums = Curvature::default();
    for (event, x) in outcome.iter().zip(logit) {
        let eta = line[0] + line[1] * x;
        let (p, q) = (1.0 / (1.0 + (-eta).exp()), 1.0 / (1.0 + eta.exp()));
        let residual = if *event { q } else { -p };
        let weight = p * q;
        sums.gradient[0] += residual;
        sums.gradient[1] += residual * x;
        sums.information[0] += weight;
        sums.information[1] += weight * x;
        sums.information[2] += weight * x * x;
    }
    sums
}

/// `sum of -ln(1 + exp(-eta))` of events and of `-ln(1 + exp(eta))` of others.
fn log_likelihood(outcome: &[bool], logit: &[f64], line: [f64; 2]) -> f64 {
    let terms = outcome.iter().zip(logit).map(|(event, x)| {
        let eta = line[0] + line[1] * x;
        let away = if *event { -eta } else { eta };
        // Never the exponential of something large.
        -(away.max(0.0) + (-away.abs()).exp().ln_1p())
    });
    terms.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;

    #[test]
    fn two_groups_by_hand() {
        // Logit 0: 1 of 2; logit 1: 3 of 4. The line goes through 0 and ln 3.
        // Informations of the groups: 2/4 and 4 * 3/16.
        let outcome = [true, false, true, true, true, false];
        let logit = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        let found = fit(&outcome, &logit, Slope::Free).ok().unwrap();
        assert!(found.intercept.abs() < 1e-12);
        close(found.slope, 3f64.ln(), 1e-12);
        close(found.intercept_std_err, 2f64.sqrt(), 1e-12);
        close(found.slope_std_err, (2.0f64 + 4.0 / 3.0).sqrt(), 1e-12);
        // One group at logit 1: 3/4 of events need the intercept ln 3 - 1.
        let found = fit(&outcome[2..], &logit[2..], Slope::One).ok().unwrap();
        close(found.intercept, 3f64.ln() - 1.0, 1e-12);
        close(found.intercept_std_err, (4.0f64 / 3.0).sqrt(), 1e-12);
    }

    #[test]
    fn separation_is_named() {
        let found = fit(&[false, false, true, true], &[-2.0, -1.0, 1.0, 2.0], Slope::Free);
        assert!(matches!(found, Err(EstimateError::NotConverged { .. })));
    }
}
