//! Intervals of a proportion.

use crate::distribution::{beta_quantile, beta_upper_quantile};
use crate::estimate::{Estimate, EstimateError, interval_deviate, tail_probability};

/// Wilson's score interval of `events` among `trials`, without continuity
/// correction (R's `prop.test(correct = FALSE)`; Wilson 1927).
///
/// Never leaves [0, 1]; 0 and 1 are reached exactly at no and at all events.
/// Errors: no trials, more events than trials, a level outside of (0, 1).
pub fn wilson(events: u64, trials: u64, level: f64) -> Result<Estimate, EstimateError> {
    score(events, trials, interval_deviate(level)?)
}

/// [`wilson`]'s interval at each place, of slices of one length.
pub fn wilson_each(
    events: &[u64],
    trials: &[u64],
    level: f64,
) -> Result<Vec<Estimate>, EstimateError> {
    let z = interval_deviate(level)?;
    events.iter().zip(trials).map(|(events, trials)| score(*events, *trials, z)).collect()
}

fn score(events: u64, trials: u64, z: f64) -> Result<Estimate, EstimateError> {
    let estimate = share(events, trials)?;
    let n = trials as f64;
    let shift = z * z / (2.0 * n);
    let half_width = z * (estimate * (1.0 - estimate) / n + shift / (2.0 * n)).sqrt();
    let divisor = 1.0 + 2.0 * shift;
    // At no events the root is z^2/2n itself and the difference only rounding.
    let lower = if events == 0 { 0.0 } else { (estimate + shift - half_width) / divisor };
    let upper = if events == trials { 1.0 } else { (estimate + shift + half_width) / divisor };
    Ok(Estimate { estimate, lower, upper })
}

/// Clopper and Pearson's exact interval of `events` among `trials` (R's
/// `binom.test`; Clopper and Pearson 1934), from beta quantiles.
///
/// 0 and 1 are reached exactly at no and at all events. Errors as [`wilson`].
pub fn clopper_pearson(events: u64, trials: u64, level: f64) -> Result<Estimate, EstimateError> {
    let tail = tail_probability(level)?;
    let estimate = share(events, trials)?;
    let (with, without) = (events as f64, (trials - events) as f64);
    let lower = if events == 0 { 0.0 } else { beta_quantile(tail, with, without + 1.0) };
    let upper = if events == trials { 1.0 } else { beta_upper_quantile(tail, with + 1.0, without) };
    Ok(Estimate { estimate, lower, upper })
}

fn share(events: u64, trials: u64) -> Result<f64, EstimateError> {
    if trials == 0 {
        return Err(EstimateError::TooFew { what: "trials", found: 0, expected: 1 });
    }
    if events > trials {
        return Err(EstimateError::TooManyEvents { events, trials });
    }
    Ok(events as f64 / trials as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn no_events_by_hand() {
        // (1 - p)^10 = 0.025, so p = 1 - 0.025^(1/10).
        let exact = clopper_pearson(0, 10, 0.95).unwrap();
        assert_eq!((exact.estimate, exact.lower), (0.0, 0.0));
        close(exact.upper, 1.0 - 0.025f64.powf(0.1), 1e-13);
        // z^2 / (n + z^2)
        let z2 = 1.959_963_984_540_054f64.powi(2);
        let score = wilson(0, 10, 0.95).unwrap();
        assert_eq!(score.lower, 0.0);
        close(score.upper, z2 / (10.0 + z2), 1e-14);
    }

    #[test]
    fn bad_input_is_named() {
        let few = EstimateError::TooFew { what: "trials", found: 0, expected: 1 };
        assert_eq!(wilson(0, 0, 0.95), Err(few));
        let many = EstimateError::TooManyEvents { events: 3, trials: 2 };
        assert_eq!(clopper_pearson(3, 2, 0.95), Err(many));
        assert_eq!(wilson(1, 2, 1.0), Err(EstimateError::Level { found: 1.0 }));
    }

    proptest! {
        #[test]
        fn intervals_hold_the_estimate(
            events in 0u64..500, more in 0u64..5000, level in 0.5..0.999f64,
        ) {
            prop_assume!(events + more > 0);
            let each = wilson_each(&[events], &[events + more], level);
            prop_assert_eq!(each, wilson(events, events + more, level).map(|e| vec![e]));
            for interval in [wilson, clopper_pearson] {
                let e = interval(events, events + more, level).unwrap();
                prop_assert!(0.0 <= e.lower && e.lower <= e.estimate);
                prop_assert!(e.estimate <= e.upper && e.upper <= 1.0);
            }
        }
    }
}
