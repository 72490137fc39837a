//! Rates of events per person-time: one rate, two rates, rates in strata and
//! against a standard.

mod mantel_haenszel;
mod ratio;
mod standardisation;

pub use mantel_haenszel::{RateStratum, mantel_haenszel_rate_ratio};
pub use ratio::{RateComparison, compare_rates};
pub use standardisation::{
    DirectStratum, IndirectStratum, StandardisedRatio, direct_standardisation,
    indirect_standardisation,
};

use std::collections::HashMap;

use crate::distribution::GammaQuantile;
use crate::estimate::{Estimate, EstimateError, check_positive, tail_probability};

/// Events per person-year with the exact Poisson interval (Garwood 1936; R's
/// `poisson.test`). Any other unit of time does as well.
///
/// The bounds are gamma quantiles of shape `events` and `events + 1`; the lower
/// one is 0 at no events. Errors: time that is not above zero, a level outside
/// of (0, 1). Cost O(sqrt(events)).
pub fn incidence_rate(
    events: u64,
    person_years: f64,
    level: f64,
) -> Result<Estimate, EstimateError> {
    let garwood = Garwood::at(level)?;
    check_positive("person_years", &[person_years])?;
    Ok(garwood.rate(events, person_years))
}

/// [`incidence_rate`] at each place, of slices of one length. What takes long,
/// the bounds of a number of events, is done once for each number.
pub fn incidence_rate_each(
    events: &[u64],
    person_years: &[f64],
    level: f64,
) -> Result<Vec<Estimate>, EstimateError> {
    let garwood = Garwood::at(level)?;
    let mut of_one_year: HashMap<u64, Estimate> = HashMap::new();
    let rate = |(events, years): (&u64, &f64)| {
        check_positive("person_years", &[*years])?;
        let one = of_one_year.entry(*events).or_insert_with(|| garwood.rate(*events, 1.0));
        let Estimate { estimate, lower, upper } = *one;
        Ok(Estimate { estimate: estimate / years, lower: lower / years, upper: upper / years })
    };
    events.iter().zip(person_years).map(rate).collect()
}

/// Garwood's interval at one level.
struct Garwood {
    lower: GammaQuantile,
    upper: GammaQuantile,
}

impl Garwood {
    fn at(level: f64) -> Result<Self, EstimateError> {
        let tail = tail_probability(level)?;
        Ok(Self { lower: GammaQuantile::lower(tail), upper: GammaQuantile::upper(tail) })
    }

    fn rate(&self, events: u64, person_years: f64) -> Estimate {
        let count = events as f64;
        let lower = if events == 0 { 0.0 } else { self.lower.at(count, person_years) };
        let upper = self.upper.at(count + 1.0, person_years);
        Estimate { estimate: count / person_years, lower, upper }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rates_of_each_are_those_of_one(
            rows in prop::collection::vec((0..9_u64, 0.01..1e4_f64), 0..20), level in 0.5..0.999_f64,
        ) {
            let (events, years): (Vec<u64>, Vec<f64>) = rows.iter().copied().unzip();
            let one = |(events, years): &(u64, f64)| incidence_rate(*events, *years, level);
            let ones: Result<Vec<Estimate>, _> = rows.iter().map(one).collect();
            prop_assert_eq!(incidence_rate_each(&events, &years, level), ones);
        }
    }

    #[test]
    fn no_events_by_hand() {
        // exp(-mu) = 0.025, so mu = -ln(0.025), over 10 years.
        let rate = incidence_rate(0, 10.0, 0.95).unwrap();
        assert_eq!((rate.estimate, rate.lower), (0.0, 0.0));
        close(rate.upper, -0.025f64.ln() / 10.0, 1e-14);
    }

    #[test]
    fn bad_time_is_named() {
        let error = EstimateError::NotPositive { column: "person_years", row: 0 };
        assert_eq!(incidence_rate(1, 0.0, 0.95), Err(error));
        let error = EstimateError::NotFinite { column: "person_years", row: 0 };
        assert_eq!(incidence_rate(1, f64::NAN, 0.95), Err(error));
    }

    proptest! {
        #[test]
        fn interval_holds_the_rate(events in 0u64..200_000, years in 0.1..1e6f64) {
            let rate = incidence_rate(events, years, 0.9).unwrap();
            prop_assert!(rate.lower <= rate.estimate && rate.estimate < rate.upper);
        }
    }
}
