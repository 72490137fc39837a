//! Rates of a population with another age structure, and events against those
//! that another population's rates would give.

use crate::distribution::{gamma_quantile, gamma_upper_quantile};
use crate::estimate::{
    Estimate, EstimateError, check_not_negative, check_positive, interval_deviate, tail_probability,
};
use crate::rates::incidence_rate;

/// One stratum of the study population and its share of the standard one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectStratum {
    /// Events.
    pub events: u64,
    /// Person-years.
    pub person_years: f64,
    /// Weight in the standard population, in any unit.
    pub weight: f64,
}

/// One stratum of the study population and of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndirectStratum {
    /// Events of the study population.
    pub events: u64,
    /// Its person-years.
    pub person_years: f64,
    /// Events of the reference.
    pub reference_events: u64,
    /// Its person-years.
    pub reference_person_years: f64,
}

/// Observed over expected events, with three kinds of bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StandardisedRatio {
    /// Events that were observed.
    pub observed: u64,
    /// Events that the reference's rates give.
    pub expected: f64,
    /// Exact Poisson bounds (Garwood).
    pub exact: Estimate,
    /// Byar's approximation of the exact bounds.
    pub byar: Estimate,
    /// Bounds on the log scale with standard error `1 / sqrt(observed)`.
    pub log: Estimate,
}

/// The directly standardised rate with Fay and Feuer's gamma interval (1997,
/// Statistics in Medicine 16; epitools' `ageadjust.direct`).
///
/// With `w = weight / sum of weights / person_years`: rate `y = sum w e`,
/// variance `v = sum w^2 e`; the lower bound is the gamma quantile with mean y
/// and variance v, the upper one that with mean `y + max w` and variance
/// `v + (max w)^2`. Without events the lower bound is 0.
///
/// Strata of weight 0 count for nothing. Errors: no strata or no weight,
/// negative weights, a weighted stratum without person-years, a level outside
/// of (0, 1).
pub fn direct_standardisation(
    strata: &[DirectStratum],
    level: f64,
) -> Result<Estimate, EstimateError> {
    let tail = tail_probability(level)?;
    check_not_negative("weight", &strata.iter().map(|s| s.weight).collect::<Vec<_>>())?;
    let total: f64 = strata.iter().map(|s| s.weight).sum();
    if total <= 0.0 {
        return Err(EstimateError::TooFew { what: "weighted strata", found: 0, expected: 1 });
    }
    let (mut rate, mut variance, mut largest) = (0.0, 0.0, 0.0f64);
    for (row, stratum) in strata.iter().enumerate().filter(|(_, s)| s.weight > 0.0) {
        check_row("person_years", row, stratum.person_years)?;
        let weight = stratum.weight / total / stratum.person_years;
        let events = stratum.events as f64;
        rate += weight * events;
        variance += weight * weight * events;
        largest = largest.max(weight);
    }
    let lower = if rate > 0.0 {
        gamma_quantile(tail, rate * rate / variance, rate / variance)
    } else {
        0.0
    };
    let (mean, variance) = (rate + largest, variance + largest * largest);
    let upper = gamma_upper_quantile(tail, mean * mean / variance, mean / variance);
    Ok(Estimate { estimate: rate, lower, upper })
}

/// The standardised incidence or mortality ratio: events over those expected
/// at the reference's rates.
///
/// Byar's bounds are `O (1 - 1/9O - z/(3 sqrt O))^3 / E` and the same with
/// `O + 1` and `+ z` (Breslow and Day 1987). Without events the lower bounds
/// are 0 and the log interval's upper one is infinite.
///
/// Errors: no strata, negative person-years, a reference without person-years,
/// no expected events, a level outside of (0, 1).
pub fn indirect_standardisation(
    strata: &[IndirectStratum],
    level: f64,
) -> Result<StandardisedRatio, EstimateError> {
    let z = interval_deviate(level)?;
    let column = |f: fn(&IndirectStratum) -> f64| strata.iter().map(f).collect::<Vec<_>>();
    check_not_negative("person_years", &column(|s| s.person_years))?;
    check_positive("reference_person_years", &column(|s| s.reference_person_years))?;
    let observed: u64 = strata.iter().map(|s| s.events).sum();
    let expected: f64 = strata
        .iter()
        .map(|s| s.person_years * (s.reference_events as f64 / s.reference_person_years))
        .sum();
    if expected <= 0.0 {
        return Err(EstimateError::TooFew { what: "expected events", found: 0, expected: 1 });
    }
    let count = observed as f64;
    let estimate = count / expected;
    let byar = |count: f64, z: f64| {
        count * (1.0 - 1.0 / (9.0 * count) + z / (3.0 * count.sqrt())).powi(3) / expected
    };
    Ok(StandardisedRatio {
        observed,
        expected,
        exact: incidence_rate(observed, expected, level)?,
        byar: Estimate {
            estimate,
            lower: if observed == 0 { 0.0 } else { byar(count, -z) },
            upper: byar(count + 1.0, z),
        },
        log: Estimate::from_log_ratio(estimate, 1.0 / count.sqrt(), z),
    })
}

fn check_row(column: &'static str, row: usize, value: f64) -> Result<(), EstimateError> {
    if !value.is_finite() {
        Err(EstimateError::NotFinite { column, row })
    } else if value <= 0.0 {
        Err(EstimateError::NotPositive { column, row })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn two_strata_by_hand() {
        // Rates 1/10 and 4/10 weighted 3:1 give 7/40.
        let strata = [
            DirectStratum { events: 1, person_years: 10.0, weight: 3.0 },
            DirectStratum { events: 4, person_years: 10.0, weight: 1.0 },
        ];
        close(direct_standardisation(&strata, 0.95).unwrap().estimate, 7.0 / 40.0, 1e-15);
        // At rates 1/10 and 2/10 of the reference 1 + 2 = 3 are expected.
        let strata = [(1, 1), (5, 2)].map(|(events, reference_events)| IndirectStratum {
            events,
            person_years: 10.0,
            reference_events,
            reference_person_years: 10.0,
        });
        let found = indirect_standardisation(&strata, 0.95).unwrap();
        close(found.expected, 3.0, 1e-15);
        close(found.exact.estimate, 2.0, 1e-15);
    }

    #[test]
    fn bad_strata_are_named() {
        let good = DirectStratum { events: 1, person_years: 10.0, weight: 3.0 };
        let bad = DirectStratum { person_years: 0.0, ..good };
        let error = EstimateError::NotPositive { column: "person_years", row: 1 };
        assert_eq!(direct_standardisation(&[good, bad], 0.95), Err(error));
        let unused = DirectStratum { weight: 0.0, ..bad };
        assert!(direct_standardisation(&[good, unused], 0.95).is_ok());
        assert!(direct_standardisation(&[unused], 0.95).is_err());
        assert!(indirect_standardisation(&[], 0.95).is_err());
    }

    proptest! {
        /// With one stratum of weight 1 the gamma interval is Garwood's.
        #[test]
        fn one_stratum_is_the_crude_rate(events in 0u64..5000, person_years in 0.5..1e5f64) {
            let stratum = DirectStratum { events, person_years, weight: 7.0 };
            let found = direct_standardisation(&[stratum], 0.95).unwrap();
            let crude = incidence_rate(events, person_years, 0.95).unwrap();
            prop_assert!((found.lower - crude.lower).abs() <= 1e-11 * crude.lower);
            prop_assert!((found.upper - crude.upper).abs() <= 1e-11 * crude.upper);
        }
    }
}
