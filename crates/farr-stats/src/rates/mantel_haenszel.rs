//! The Mantel-Haenszel rate ratio.

use crate::estimate::{Estimate, EstimateError, check_not_negative, interval_deviate};

/// Events and person-time of both groups in one stratum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateStratum {
    /// Events of the exposed.
    pub events_exposed: u64,
    /// Person-time of the exposed.
    pub time_exposed: f64,
    /// Events of the reference group.
    pub events_reference: u64,
    /// Person-time of the reference group.
    pub time_reference: f64,
}

/// The rate ratio pooled over strata by Mantel and Haenszel's weights, with
/// Greenland and Robins' variance (1985, Biometrics 41, equation 14; Rothman,
/// Modern Epidemiology).
///
/// With `R = sum e1 t0 / t`, `S = sum e0 t1 / t`: ratio `R / S`, variance of
/// its logarithm `sum (e1 + e0) t1 t0 / t^2 / (R S)`. Strata without
/// person-time add nothing. Without events in one group: 0 or infinite, with
/// bounds 0 and infinity; NaN without any.
///
/// Errors: no strata, negative or missing time, a level outside of (0, 1).
pub fn mantel_haenszel_rate_ratio(
    strata: &[RateStratum],
    level: f64,
) -> Result<Estimate, EstimateError> {
    let z = interval_deviate(level)?;
    if strata.is_empty() {
        return Err(EstimateError::TooFew { what: "strata", found: 0, expected: 1 });
    }
    let times = |time: fn(&RateStratum) -> f64| strata.iter().map(time).collect::<Vec<_>>();
    check_not_negative("time_exposed", &times(|s| s.time_exposed))?;
    check_not_negative("time_reference", &times(|s| s.time_reference))?;
    let (mut exposed, mut reference, mut variance) = (0.0, 0.0, 0.0);
    for stratum in strata {
        let (t1, t0) = (stratum.time_exposed, stratum.time_reference);
        let (e1, e0) = (stratum.events_exposed as f64, stratum.events_reference as f64);
        let time = t1 + t0;
        if time > 0.0 {
            exposed += e1 * t0 / time;
            reference += e0 * t1 / time;
            variance += (e1 + e0) * (t1 / time) * (t0 / time);
        }
    }
    let log_std_err = (variance / (exposed * reference)).sqrt();
    Ok(Estimate::from_log_ratio(exposed / reference, log_std_err, z))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;

    #[test]
    fn one_stratum_by_hand() {
        // 6 in 2 years against 2 in 2: R = 3, S = 1, variance 8/4 / 3 = 2/3,
        // which is 1/6 + 1/2.
        let stratum = RateStratum {
            events_exposed: 6,
            time_exposed: 2.0,
            events_reference: 2,
            time_reference: 2.0,
        };
        let found = mantel_haenszel_rate_ratio(&[stratum], 0.95).unwrap();
        close(found.estimate, 3.0, 1e-15);
        let factor = (1.959_963_984_540_054 * (2.0f64 / 3.0).sqrt()).exp();
        close(found.lower, 3.0 / factor, 1e-14);
        // A stratum without time changes nothing.
        let empty = RateStratum { time_exposed: 0.0, time_reference: 0.0, ..stratum };
        assert_eq!(mantel_haenszel_rate_ratio(&[stratum, empty], 0.95).unwrap(), found);
        let none = RateStratum { events_reference: 0, ..stratum };
        let found = mantel_haenszel_rate_ratio(&[none], 0.95).unwrap();
        assert_eq!((found.estimate, found.lower), (f64::INFINITY, 0.0));
        assert!(mantel_haenszel_rate_ratio(&[], 0.95).is_err());
    }
}
