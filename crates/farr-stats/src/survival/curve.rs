//! A step curve of survival and what is read off it: values at given times,
//! quantiles, the median, the restricted mean.

use crate::error::{Error, Result};

/// Two probabilities nearer than this are one: R's `sqrt(.Machine$double.eps)`.
const TOLERANCE: f64 = 1.490_116_119_384_765_6e-8;

/// A survival curve: one entry a distinct exit time, ascending; each value
/// holds from its time on. Numbers at risk, of events and of censorings are
/// sums of weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SurvivalCurve {
    /// Exit times, of events and censorings.
    pub time: Vec<f64>,
    /// At risk just before the time.
    pub n_risk: Vec<f64>,
    /// Events at the time.
    pub n_event: Vec<f64>,
    /// Censorings at the time.
    pub n_censor: Vec<f64>,
    /// S(t), events at t included.
    pub survival: Vec<f64>,
    /// Standard error of S(t), on its own scale; Greenwood's is NaN once S
    /// is 0.
    pub std_err_survival: Vec<f64>,
    /// Lower bound of S(t); NaN where it is not defined.
    pub lower: Vec<f64>,
    /// Upper bound of S(t); NaN where it is not defined.
    pub upper: Vec<f64>,
    /// Cumulative hazard H(t).
    pub cumulative_hazard: Vec<f64>,
    /// Standard error of H(t).
    pub std_err_cumulative_hazard: Vec<f64>,
}

/// A curve at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalAt {
    /// The time asked for.
    pub time: f64,
    /// At risk: leaving at the time or later.
    pub n_risk: f64,
    /// S(t), events at t included.
    pub survival: f64,
    /// Standard error of S(t).
    pub std_err_survival: f64,
    /// Lower bound of S(t).
    pub lower: f64,
    /// Upper bound of S(t).
    pub upper: f64,
    /// Cumulative hazard H(t).
    pub cumulative_hazard: f64,
}

/// A time with its bounds; NaN where the curve does not come down so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalQuantile {
    /// First time at which survival is at most 1 - p.
    pub time: f64,
    /// The same of the curve of lower bounds.
    pub lower: f64,
    /// The same of the curve of upper bounds.
    pub upper: f64,
}

/// A mean survival time up to a horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMean {
    /// Area under the curve up to the horizon.
    pub mean: f64,
    /// Its standard error.
    pub std_err: f64,
}

impl SurvivalCurve {
    /// Sum of the weights of all rows: their number when there are none.
    pub fn n(&self) -> f64 {
        self.n_event.iter().sum::<f64>() + self.n_censor.iter().sum::<f64>()
    }

    /// Sum of the weights of the rows with the event.
    pub fn events(&self) -> f64 {
        self.n_event.iter().sum()
    }

    /// The curve at `times` (any order; finite). Before the first exit it is
    /// 1 with certainty, after the last it stays flat. Cost: O(log n) a time.
    pub fn at(&self, times: &[f64]) -> Vec<SurvivalAt> {
        times.iter().map(|&time| self.at_one(time)).collect()
    }

    fn at_one(&self, time: f64) -> SurvivalAt {
        let passed = self.time.partition_point(|&t| t <= time);
        let before = self.time.partition_point(|&t| t < time);
        let n_risk = self.n_risk.get(before).copied().unwrap_or(0.0);
        let Some(i) = passed.checked_sub(1) else {
            let (survival, lower, upper) = (1.0, 1.0, 1.0);
            let (std_err_survival, cumulative_hazard) = (0.0, 0.0);
            return SurvivalAt {
                time,
                n_risk,
                survival,
                std_err_survival,
                lower,
                upper,
                cumulative_hazard,
            };
        };
        SurvivalAt {
            time,
            n_risk,
            survival: self.survival[i],
            std_err_survival: self.std_err_survival[i],
            lower: self.lower[i],
            upper: self.upper[i],
            cumulative_hazard: self.cumulative_hazard[i],
        }
    }

    /// The times at which the fraction `p` (0 to 1) has had the event.
    ///
    /// The first time with S(t) <= 1 - p; when S equals 1 - p (to 1.5e-8) over
    /// a stretch, the middle of the stretch, which at the end of the curve is
    /// bounded by the last time. NaN when S stays above. Bounds come from the
    /// curve's own bounds. Source: survival 3.5-3 `quantile.survfit`.
    pub fn quantile(&self, p: f64) -> Result<SurvivalQuantile> {
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::Setting {
                setting: "quantile",
                found: p,
                expected: "a number from 0 to 1",
            });
        }
        Ok(SurvivalQuantile {
            time: self.crossing(&self.survival, p),
            lower: self.crossing(&self.lower, p),
            upper: self.crossing(&self.upper, p),
        })
    }

    fn start(&self) -> f64 {
        self.time.first().map_or(0.0, |first| first.min(0.0))
    }

    /// Where the curve of `heights` comes down to 1 - p.
    fn crossing(&self, heights: &[f64], p: f64) -> f64 {
        let start = self.start();
        if p == 0.0 {
            return start;
        }
        // Distinct steps of 1 - height, from 0 at the start. Bounds may be
        // undefined (NaN) or, rarely, rise: steps are taken by their height.
        let mut steps = vec![(0.0, start)];
        let mut last_height = 1.0;
        for (&height, &time) in heights.iter().zip(&self.time) {
            if height.is_nan() || height == last_height {
                continue;
            }
            steps.push((1.0 - height, time));
            last_height = height;
        }
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let first = |shift: f64| steps.get(steps.partition_point(|s| s.0 + shift < p));
        let Some(from) = first(TOLERANCE) else { return f64::NAN };
        let ends_here = heights.last().is_some_and(|h| (p - (1.0 - h)).abs() < TOLERANCE);
        match first(-TOLERANCE) {
            _ if ends_here => f64::midpoint(from.1, self.time.last().copied().unwrap_or(start)),
            Some(to) => f64::midpoint(from.1, to.1),
            None => f64::NAN,
        }
    }

    /// The median with its bounds. Unlike the quantile 0.5, a curve that ends
    /// flat at 1/2 has the first time at 1/2. Source: survival 3.5-3
    /// `survmean`.
    pub fn median(&self) -> SurvivalQuantile {
        SurvivalQuantile {
            time: self.half(&self.survival),
            lower: self.half(&self.lower),
            upper: self.half(&self.upper),
        }
    }

    fn half(&self, heights: &[f64]) -> f64 {
        let Some(first) = heights.iter().position(|&h| h < 0.5 + TOLERANCE) else {
            return f64::NAN;
        };
        if (heights[first] - 0.5).abs() < TOLERANCE {
            let below = (first..heights.len()).find(|&i| heights[i] < heights[first]);
            if let Some(below) = below {
                return f64::midpoint(self.time[first], self.time[below]);
            }
        }
        self.time[first]
    }

    /// Mean survival time up to `tau`, from 0 (or the first time if that is
    /// negative); beyond the last time the curve goes on flat.
    ///
    /// Variance: sum over events of (area from t to tau)^2 d / (n (n - d)),
    /// without a factor n / (n - 1). Source: survival 3.5-3 `survmean`.
    pub fn restricted_mean(&self, tau: f64) -> Result<RestrictedMean> {
        if !tau.is_finite() || tau < self.start() {
            return Err(Error::Setting {
                setting: "tau",
                found: tau,
                expected: "a finite time at or after the start",
            });
        }
        let within = self.time.partition_point(|&t| t <= tau);
        let (mut area, mut variance, mut until) = (0.0, 0.0, tau);
        for i in (0..within).rev() {
            area += self.survival[i] * (until - self.time[i]);
            until = self.time[i];
            let survivors = self.n_risk[i] - self.n_event[i];
            if survivors > 0.0 && self.n_event[i] > 0.0 {
                variance += area * area * self.n_event[i] / (self.n_risk[i] * survivors);
            }
        }
        let mean = area + until;
        Ok(RestrictedMean { mean, std_err: variance.sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use crate::survival::{
        Confidence, ConfidenceType, FollowUp, KaplanMeierOptions, SurvivalCurve, kaplan_meier,
    };

    fn curve_of(time: &[f64], event: &[bool]) -> SurvivalCurve {
        kaplan_meier(&FollowUp::new(time, event), &KaplanMeierOptions::default()).unwrap()
    }

    #[test]
    fn quantiles_by_hand() {
        // S is 3/4, 1/2, 1/4, 0 at 1, 2, 3, 4: it is 1/2 from 2 to 3.
        let curve = curve_of(&[1.0, 2.0, 3.0, 4.0], &[true; 4]);
        assert_eq!(curve.quantile(0.5).unwrap().time, 2.5);
        assert_eq!(curve.quantile(0.6).unwrap().time, 3.0);
        assert_eq!(curve.quantile(0.0).unwrap().time, 0.0);
        assert_eq!(curve.median().time, 2.5);
        // It ends flat at 1/2, from 2 to 4: the quantile is the middle, the
        // median the start.
        let flat = curve_of(&[1.0, 2.0, 3.0, 4.0], &[true, true, false, false]);
        assert_eq!(flat.quantile(0.5).unwrap().time, 3.0);
        assert_eq!(flat.median().time, 2.0);
        assert!(flat.quantile(0.6).unwrap().time.is_nan());
        assert!(flat.quantile(1.5).is_err());
    }

    #[test]
    fn a_bound_that_ends_undefined_has_no_last_quantile() {
        // Plain lower bounds come to 0 at 3 and are undefined at 4, where S is
        // 0. R's `approx` without `rule = 2` finds nothing beyond 1 - 1.5e-8,
        // so that its quantile 1 of them is NA.
        let confidence = Confidence { kind: ConfidenceType::Plain, level: 0.95 };
        let options = KaplanMeierOptions { confidence, ..KaplanMeierOptions::default() };
        let rows = FollowUp::new(&[1.0, 2.0, 3.0, 4.0], &[true; 4]);
        let curve = kaplan_meier(&rows, &options).unwrap();
        assert!(curve.lower[2] == 0.0 && curve.lower[3].is_nan());
        let last = curve.quantile(1.0).unwrap();
        assert!(last.time == 4.0 && last.lower.is_nan() && last.upper.is_nan());
    }

    #[test]
    fn restricted_mean_by_hand() {
        // Up to 3: 1 + 3/4 + 1/2. Areas right of the events 1, 2: 5/4, 1/2,
        // with 1 / (4 * 3) and 1 / (3 * 2).
        let curve = curve_of(&[1.0, 2.0, 3.0, 4.0], &[true; 4]);
        let mean = curve.restricted_mean(3.0).unwrap();
        assert_eq!(mean.mean, 2.25);
        let variance: f64 = 1.5625 / 12.0 + 0.25 / 6.0;
        assert!((mean.std_err - variance.sqrt()).abs() < 1e-15);
        assert!(curve.restricted_mean(f64::NAN).is_err());
    }

    #[test]
    fn values_between_the_times() {
        let curve = curve_of(&[1.0, 2.0, 4.0], &[true, false, true]);
        let at = curve.at(&[0.5, 3.0, 9.0]);
        assert_eq!((at[0].survival, at[0].lower, at[0].n_risk), (1.0, 1.0, 3.0));
        assert_eq!((at[1].survival, at[1].n_risk), (2.0 / 3.0, 1.0));
        assert_eq!((at[2].survival, at[2].n_risk), (0.0, 0.0));
    }
}
