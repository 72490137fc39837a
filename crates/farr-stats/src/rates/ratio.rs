//! Two rates compared.

use crate::distribution::{beta_quantile, binomial_two_sided};
use crate::estimate::{
    Estimate, EstimateError, check_positive, interval_deviate, tail_probability,
};

/// Ratio and difference of the exposed rate and the reference rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateComparison {
    /// Rate ratio with Wald bounds on the log scale, variance `1/e1 + 1/e0`.
    pub ratio_wald: Estimate,
    /// Rate ratio with bounds from the exact conditional binomial interval.
    pub ratio_exact: Estimate,
    /// Exact two-sided p of a ratio of 1, by minimum likelihood.
    pub exact_p: f64,
    /// Exposed minus reference rate with Wald bounds, variance
    /// `e1/t1^2 + e0/t0^2`.
    pub difference: Estimate,
}

/// Compares `events_exposed` in `time_exposed` with `events_reference` in
/// `time_reference`, both times in the same unit.
///
/// Given all events together, the exposed ones are binomial with probability
/// `t1 R / (t1 + t0 R)`: the Clopper-Pearson interval of that share gives the
/// ratio's (R's two-sample `poisson.test`), and its p is not doubled. Without
/// events in one group the ratio is 0 or infinite, the Wald bounds are 0 and
/// infinity, and the exact ones still say something; without any event the
/// ratio is NaN and p is 1.
///
/// Errors: times that are not above zero, a level outside of (0, 1).
pub fn compare_rates(
    events_exposed: u64,
    time_exposed: f64,
    events_reference: u64,
    time_reference: f64,
    level: f64,
) -> Result<RateComparison, EstimateError> {
    let (tail, z) = (tail_probability(level)?, interval_deviate(level)?);
    check_positive("time_exposed", &[time_exposed])?;
    check_positive("time_reference", &[time_reference])?;
    let (e1, e0) = (events_exposed as f64, events_reference as f64);
    let (rate1, rate0) = (e1 / time_exposed, e0 / time_reference);
    let ratio = rate1 / rate0;
    // Both bounds as odds of a small share: one near 1 would lose its digits.
    let odds = |events: f64, other: f64| {
        let share = beta_quantile(tail, events, other + 1.0);
        share / (1.0 - share)
    };
    let times = time_reference / time_exposed;
    let lower = if events_exposed == 0 { 0.0 } else { odds(e1, e0) * times };
    let upper = if events_reference == 0 { f64::INFINITY } else { times / odds(e0, e1) };
    let share_expected = time_exposed / (time_exposed + time_reference);
    Ok(RateComparison {
        ratio_wald: Estimate::from_log_ratio(ratio, (1.0 / e1 + 1.0 / e0).sqrt(), z),
        ratio_exact: Estimate { estimate: ratio, lower, upper },
        exact_p: binomial_two_sided(
            events_exposed,
            events_exposed + events_reference,
            share_expected,
        ),
        difference: Estimate::from_difference(
            rate1 - rate0,
            (rate1 / time_exposed + rate0 / time_reference).sqrt(),
            z,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn one_against_four_by_hand() {
        // 1 event in 1 year, 4 in 1 year: ratio 1/4, se^2 = 1 + 1/4, difference
        // -3 with variance 5; p: of 5 fair coins 0, 1, 4 or 5 heads, 12/32.
        let found = compare_rates(1, 1.0, 4, 1.0, 0.95).unwrap();
        let z = 1.959_963_984_540_054;
        close(found.ratio_wald.upper, 0.25 * (z * 1.25f64.sqrt()).exp(), 1e-14);
        close(found.difference.lower, -3.0 - z * 5f64.sqrt(), 1e-14);
        close(found.exact_p, 12.0 / 32.0, 1e-14);
        // Lower bound of the share: 1 - (1 - p)^5 = 0.025.
        let share = 1.0 - 0.975f64.powf(0.2);
        close(found.ratio_exact.lower, share / (1.0 - share), 1e-12);
    }

    #[test]
    fn without_events() {
        let found = compare_rates(0, 2.0, 3, 1.0, 0.95).unwrap();
        assert_eq!(found.ratio_wald, Estimate { estimate: 0.0, lower: 0.0, upper: f64::INFINITY });
        // (1 - p)^3 = 0.025 of the share.
        let odds = (1.0 - 0.025f64.cbrt()) / 0.025f64.cbrt();
        close(found.ratio_exact.upper, odds / 2.0, 1e-13);
        let none = compare_rates(0, 2.0, 0, 1.0, 0.95).unwrap();
        assert!(none.ratio_exact.estimate.is_nan());
        assert_eq!((none.exact_p, none.ratio_exact.upper), (1.0, f64::INFINITY));
        let error = EstimateError::NotPositive { column: "time_reference", row: 0 };
        assert_eq!(compare_rates(1, 1.0, 1, -1.0, 0.95), Err(error));
    }

    proptest! {
        #[test]
        fn exchanging_the_groups_inverts(
            e1 in 1u64..300, e0 in 1u64..300, t1 in 0.1..100.0f64, t0 in 0.1..100.0f64,
        ) {
            let there = compare_rates(e1, t1, e0, t0, 0.9).unwrap();
            let back = compare_rates(e0, t0, e1, t1, 0.9).unwrap();
            for (a, b) in [
                (there.ratio_exact.lower, 1.0 / back.ratio_exact.upper),
                (there.ratio_wald.upper, 1.0 / back.ratio_wald.lower),
                (there.exact_p, back.exact_p),
            ] {
                // Numbers below the smallest normal one have fewer digits.
                prop_assert!((a - b).abs() <= 1e-10 * b + f64::MIN_POSITIVE, "{a} {b}");
            }
            prop_assert!(there.ratio_exact.lower <= there.ratio_exact.estimate);
            prop_assert!(there.ratio_exact.upper >= there.ratio_exact.estimate);
        }
    }
}
