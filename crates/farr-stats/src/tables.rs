//! Two-by-two tables, one or many strata of them.
//!
//! Rows are exposed and reference, columns events and non-events, as in R:
//!
//! |           | event | no event |
//! |-----------|-------|----------|
//! | exposed   | a     | b        |
//! | reference | c     | d        |

use crate::distribution::{chi_square_upper_tail, hypergeometric_two_sided};
use crate::estimate::{Estimate, EstimateError, interval_deviate};

/// A two-by-two table of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoByTwo {
    /// Exposed with event.
    pub a: u64,
    /// Exposed without event.
    pub b: u64,
    /// Reference with event.
    pub c: u64,
    /// Reference without event.
    pub d: u64,
}

/// What [`two_by_two`] says of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoByTwoResult {
    /// `ad / bc` with Woolf's bounds on the log scale.
    pub odds_ratio: Estimate,
    /// Risk ratio with Katz' bounds on the log scale.
    pub risk_ratio: Estimate,
    /// Risk difference with Wald's bounds.
    pub risk_difference: Estimate,
    /// Pearson's chi-square, 1 degree of freedom; NaN where a margin is zero.
    pub chi_square: f64,
    /// With Yates' correction, at most the distance from expectation.
    pub chi_square_yates: f64,
    /// Fisher's exact two-sided p by minimum likelihood.
    pub fisher_p: f64,
}

/// What [`mantel_haenszel_odds_ratio`] says of strata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MantelHaenszelOdds {
    /// The pooled odds ratio.
    pub odds_ratio: Estimate,
    /// The chi-square of conditional independence, 1 degree of freedom.
    pub chi_square: f64,
    /// With the continuity correction of 1/2.
    pub chi_square_continuity: f64,
    /// The p value of `chi_square`.
    pub p: f64,
    /// The p value of `chi_square_continuity`.
    pub p_continuity: f64,
}

/// The table's margins as numbers.
struct Margins {
    exposed: f64,
    reference: f64,
    events: f64,
    non_events: f64,
    total: f64,
}

impl TwoByTwo {
    fn cells(self) -> [f64; 4] {
        [self.a, self.b, self.c, self.d].map(|cell| cell as f64)
    }

    fn margins(self) -> Margins {
        let [a, b, c, d] = self.cells();
        Margins {
            exposed: a + b,
            reference: c + d,
            events: a + c,
            non_events: b + d,
            total: a + b + c + d,
        }
    }

    /// Pearson's chi-square without and with Yates' correction (R's
    /// `chisq.test`); NaN where a margin is zero.
    pub fn chi_square(self) -> (f64, f64) {
        let [a, b, c, d] = self.cells();
        let margins = self.margins();
        // All four cells are equally far from expectation, |ad - bc| / n.
        let distance = (a * d - b * c).abs() / margins.total;
        let scale = margins.total.powi(3)
            / (margins.exposed * margins.reference * margins.events * margins.non_events);
        let yates = distance - distance.min(0.5);
        if scale.is_finite() {
            (distance * distance * scale, yates * yates * scale)
        } else {
            (f64::NAN, f64::NAN)
        }
    }

    /// Fisher's exact two-sided p: all tables with these margins that are no
    /// likelier than this one (R's `fisher.test`); 1 where a margin is zero.
    pub fn fisher_p(self) -> f64 {
        hypergeometric_two_sided(self.a, self.a + self.c, self.b + self.d, self.a + self.b)
    }
}

/// Odds ratio, risk ratio, risk difference and tests of one table.
///
/// No half is added to zero cells: there the ratio is 0 or infinite (or NaN)
/// and its bounds are 0 and infinity; a risk of an empty group is NaN. The
/// variances are `1/a + 1/b + 1/c + 1/d`, `1/a - 1/(a+b) + 1/c - 1/(c+d)` and
/// `r1 (1 - r1) / (a+b) + r0 (1 - r0) / (c+d)`.
///
/// Errors: an empty table, a level outside of (0, 1).
pub fn two_by_two(table: TwoByTwo, level: f64) -> Result<TwoByTwoResult, EstimateError> {
    let z = interval_deviate(level)?;
    let [a, b, c, d] = table.cells();
    let margins = table.margins();
    if margins.total == 0.0 {
        return Err(EstimateError::TooFew { what: "persons in the table", found: 0, expected: 1 });
    }
    let (risk1, risk0) = (a / margins.exposed, c / margins.reference);
    let odds_std_err = (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt();
    // 1/a - 1/(a+b) = b / (a (a+b)), without the difference of near equals.
    let risk_std_err = (b / a / margins.exposed + d / c / margins.reference).sqrt();
    let difference_std_err = (risk1 * (b / margins.exposed) / margins.exposed
        + risk0 * (d / margins.reference) / margins.reference)
        .sqrt();
    let (chi_square, chi_square_yates) = table.chi_square();
    Ok(TwoByTwoResult {
        odds_ratio: Estimate::from_log_ratio(a * d / (b * c), odds_std_err, z),
        risk_ratio: Estimate::from_log_ratio(risk1 / risk0, risk_std_err, z),
        risk_difference: Estimate::from_difference(risk1 - risk0, difference_std_err, z),
        chi_square,
        chi_square_yates,
        fisher_p: table.fisher_p(),
    })
}

/// The Mantel-Haenszel odds ratio with Robins, Breslow and Greenland's
/// interval, and the test of conditional independence (R's `mantelhaen.test`).
///
/// The continuity correction is left out when the sum of `a` is within 1/2 of
/// its expectation, as in R. Strata of fewer than two persons say nothing and
/// are left out. Where the ratio is 0, infinite or NaN, its bounds are 0 and
/// infinity; the tests are NaN where all strata have a zero margin.
///
/// Errors: no strata, a level outside of (0, 1).
pub fn mantel_haenszel_odds_ratio(
    strata: &[TwoByTwo],
    level: f64,
) -> Result<MantelHaenszelOdds, EstimateError> {
    let z = interval_deviate(level)?;
    let strata = informative(strata)?;
    let (mut concordant, mut discordant) = (0.0, 0.0);
    let (mut both_concordant, mut mixed, mut both_discordant) = (0.0, 0.0, 0.0);
    let (mut deviation, mut variance) = (0.0, 0.0);
    for stratum in strata {
        let [a, b, c, d] = stratum.cells();
        let Margins { exposed, reference, events, non_events, total } = stratum.margins();
        let (r, s) = (a * d / total, b * c / total);
        let (p, q) = ((a + d) / total, (b + c) / total);
        concordant += r;
        discordant += s;
        both_concordant += p * r;
        mixed += p * s + q * r;
        both_discordant += q * s;
        deviation += a - exposed * events / total;
        variance += (exposed / total) * (reference / total) * events * (non_events / (total - 1.0));
    }
    let log_variance = both_concordant / (2.0 * concordant * concordant)
        + mixed / (2.0 * concordant * discordant)
        + both_discordant / (2.0 * discordant * discordant);
    let correction = if deviation.abs() >= 0.5 { 0.5 } else { 0.0 };
    let chi_square = deviation * deviation / variance;
    let chi_square_continuity = (deviation.abs() - correction).powi(2) / variance;
    Ok(MantelHaenszelOdds {
        odds_ratio: Estimate::from_log_ratio(concordant / discordant, log_variance.sqrt(), z),
        chi_square,
        chi_square_continuity,
        p: chi_square_upper_tail(chi_square, 1.0),
        p_continuity: chi_square_upper_tail(chi_square_continuity, 1.0),
    })
}

/// The Mantel-Haenszel risk ratio with Greenland and Robins' variance (1985,
/// Biometrics 41, equation 13).
///
/// With `R = sum a n0 / n`, `S = sum c n1 / n`: ratio `R / S`, variance of its
/// logarithm `sum (m1 n1 n0 - a c n) / n^2 / (R S)`. Zero and infinite ratios
/// and errors as in [`mantel_haenszel_odds_ratio`].
pub fn mantel_haenszel_risk_ratio(
    strata: &[TwoByTwo],
    level: f64,
) -> Result<Estimate, EstimateError> {
    let z = interval_deviate(level)?;
    let strata = informative(strata)?;
    let (mut numerator, mut denominator, mut variance) = (0.0, 0.0, 0.0);
    for stratum in strata {
        let [a, _, c, _] = stratum.cells();
        let Margins { exposed, reference, events, total, .. } = stratum.margins();
        numerator += a * reference / total;
        denominator += c * exposed / total;
        variance += events * (exposed / total) * (reference / total) - a * c / total;
    }
    let log_std_err = (variance / (numerator * denominator)).sqrt();
    Ok(Estimate::from_log_ratio(numerator / denominator, log_std_err, z))
}

/// The strata of two persons or more.
fn informative(strata: &[TwoByTwo]) -> Result<Vec<TwoByTwo>, EstimateError> {
    let kept: Vec<TwoByTwo> = strata.iter().copied().filter(|s| s.margins().total >= 2.0).collect();
    if kept.is_empty() {
        let what = "strata of two persons or more";
        return Err(EstimateError::TooFew { what, found: 0, expected: 1 });
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    const Z: f64 = 1.959_963_984_540_054;

    #[test]
    fn one_table_by_hand() {
        // 3 1 / 1 3: odds ratio 9, variance 1/3 + 1 + 1 + 1/3 = 8/3; risks 3/4
        // and 1/4; chi-square 8 (9 - 1)^2 / 4^4 = 2; with Yates 8 (8 - 4)^2 / 256;
        // Fisher (1 + 16 + 16 + 1) / C(8, 4) = 34/70.
        let found = two_by_two(TwoByTwo { a: 3, b: 1, c: 1, d: 3 }, 0.95).unwrap();
        close(found.odds_ratio.estimate, 9.0, 1e-15);
        close(found.odds_ratio.upper, 9.0 * (Z * (8.0f64 / 3.0).sqrt()).exp(), 1e-14);
        close(found.risk_ratio.estimate, 3.0, 1e-15);
        close(found.risk_ratio.lower, 3.0 / (Z * (1.0f64 / 12.0 + 0.75).sqrt()).exp(), 1e-14);
        close(found.risk_difference.lower, 0.5 - Z * (2.0f64 * 3.0 / 64.0).sqrt(), 1e-13);
        close(found.chi_square, 2.0, 1e-15);
        close(found.chi_square_yates, 0.5, 1e-15);
        close(found.fisher_p, 34.0 / 70.0, 1e-14);
    }

    #[test]
    fn zero_cells_have_outcomes() {
        let found = two_by_two(TwoByTwo { a: 0, b: 5, c: 2, d: 3 }, 0.95).unwrap();
        let open = Estimate { estimate: 0.0, lower: 0.0, upper: f64::INFINITY };
        assert_eq!((found.odds_ratio, found.risk_ratio), (open, open));
        assert!(found.risk_difference.lower.is_finite());
        let found = two_by_two(TwoByTwo { a: 0, b: 5, c: 0, d: 3 }, 0.95).unwrap();
        assert!(found.chi_square.is_nan() && found.odds_ratio.estimate.is_nan());
        assert_eq!(found.fisher_p, 1.0);
        assert!(two_by_two(TwoByTwo { a: 0, b: 0, c: 0, d: 0 }, 0.95).is_err());
        assert!(mantel_haenszel_odds_ratio(&[], 0.95).is_err());
    }

    #[test]
    fn one_stratum_is_the_table() {
        // With one stratum, RBG's variance is Woolf's and Greenland-Robins' is
        // Katz'; the chi-square has n - 1 in place of n.
        let table = TwoByTwo { a: 12, b: 31, c: 7, d: 40 };
        let whole = two_by_two(table, 0.9).unwrap();
        let odds = mantel_haenszel_odds_ratio(&[table], 0.9).unwrap();
        close(odds.odds_ratio.lower, whole.odds_ratio.lower, 1e-13);
        close(odds.chi_square, whole.chi_square * 89.0 / 90.0, 1e-13);
        let risk = mantel_haenszel_risk_ratio(&[table], 0.9).unwrap();
        close(risk.upper, whole.risk_ratio.upper, 1e-13);
    }

    proptest! {
        #[test]
        fn fisher_sums_the_tables_with_these_margins(
            a in 0u64..25, b in 0u64..25, c in 0u64..25, d in 0u64..25,
        ) {
            let choose = |n: u64, k: u64| (0..k).fold(1.0, |p, i| p * (n - i) as f64 / (i + 1) as f64);
            let likelihood = |x: u64| {
                choose(a + b, x) * choose(c + d, a + c - x) / choose(a + b + c + d, a + c)
            };
            let observed = likelihood(a) * (1.0 + 1e-7);
            let range = (a + c).saturating_sub(c + d)..=(a + b).min(a + c);
            let sum: f64 = range.map(likelihood).filter(|p| *p <= observed).sum();
            let found = TwoByTwo { a, b, c, d }.fisher_p();
            prop_assert!((found / sum - 1.0).abs() < 1e-11, "{found} {sum}");
        }

        #[test]
        fn intervals_hold_the_estimate(
            a in 0u64..99, b in 0u64..99, c in 0u64..99, d in 1u64..99,
        ) {
            let found = two_by_two(TwoByTwo { a, b, c, d }, 0.95).unwrap();
            for e in [found.odds_ratio, found.risk_ratio, found.risk_difference] {
                prop_assert!(e.estimate.is_nan() || (e.lower <= e.estimate && e.estimate <= e.upper));
            }
        }
    }
}
