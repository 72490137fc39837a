//! Signals of drug and event reported together more often than expected.
//!
//! Tables are [`TwoByTwo`] with the drug in the first row and the event in the
//! first column; expected counts come from the margins, the cell included.

use statrs::function::gamma::digamma;

use crate::distribution::{
    GammaComponent, gamma_mixture_quantile, gamma_quantile, gamma_upper_quantile,
    negative_binomial_ln_probability,
};
use crate::estimate::{
    Estimate, EstimateError, check_positive, check_probability, tail_probability,
};
use crate::tables::{TwoByTwo, two_by_two};

/// Measures of disproportionality of one table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disproportionality {
    /// `(a + b)(a + c) / n`.
    pub expected: f64,
    /// Proportional reporting ratio (Evans 2001), bounds on the log scale.
    pub proportional_reporting_ratio: Estimate,
    /// Reporting odds ratio (van Puijenbroek 2002), bounds on the log scale.
    pub reporting_odds_ratio: Estimate,
    /// Chi-square with Yates' correction; NaN where a margin is zero.
    pub chi_square_yates: f64,
    /// Information component `log2((a + 1/2) / (E + 1/2))` with the bounds of
    /// its gamma distribution (Noren 2013).
    pub information_component: Estimate,
    /// The information component as the posterior mean of BCPNN.
    pub bcpnn: Bcpnn,
}

/// The information component of the Bayesian confidence propagation neural
/// network (Bate 1998), with Gould's variance (2003).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bcpnn {
    /// The information component.
    pub information_component: f64,
    /// Its posterior standard deviation.
    pub std_dev: f64,
    /// `ic - 1.96 std_dev`, the rounded deviate of the publications.
    pub lower: f64,
}

/// DuMouchel's prior of the ratio of observed and expected: a mixture of two
/// gamma distributions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaPoissonPrior {
    /// Shape of the first gamma distribution.
    pub alpha1: f64,
    /// Its rate.
    pub beta1: f64,
    /// Shape of the second.
    pub alpha2: f64,
    /// Its rate.
    pub beta2: f64,
    /// Weight of the first.
    pub p: f64,
}

/// The posterior of one table's ratio of observed and expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShrunkRatio {
    /// Posterior weight of the first gamma distribution.
    pub q: f64,
    /// `exp(E[ln ratio])`, the empirical Bayes geometric mean.
    pub ebgm: f64,
    /// The 5 % quantile.
    pub eb05: f64,
    /// The 95 % quantile.
    pub eb95: f64,
    /// The count's logarithmic probability under the prior; their sum over the
    /// tables is what a fit of the prior maximises.
    pub log_marginal: f64,
}

/// All measures but the shrinker's, of one table.
///
/// Zero cells: ratios are 0, infinite or NaN with bounds 0 and infinity; the
/// information components always exist. Errors: an empty table, a level
/// outside of (0, 1).
pub fn disproportionality(
    table: TwoByTwo,
    level: f64,
) -> Result<Disproportionality, EstimateError> {
    let tail = tail_probability(level)?;
    let ratios = two_by_two(table, level)?;
    let expected = expected_count(table);
    let (shape, rate) = (table.a as f64 + 0.5, expected + 0.5);
    Ok(Disproportionality {
        expected,
        proportional_reporting_ratio: ratios.risk_ratio,
        reporting_odds_ratio: ratios.odds_ratio,
        chi_square_yates: ratios.chi_square_yates,
        information_component: Estimate {
            estimate: (shape / rate).log2(),
            lower: gamma_quantile(tail, shape, rate).log2(),
            upper: gamma_upper_quantile(tail, shape, rate).log2(),
        },
        bcpnn: bcpnn(table),
    })
}

/// The count that drug and event would share if they were independent.
fn expected_count(table: TwoByTwo) -> f64 {
    let [a, b, c, d] = [table.a, table.b, table.c, table.d].map(|cell| cell as f64);
    (a + b) * ((a + c) / (a + b + c + d))
}

/// With priors of one report for the cell and each margin and of two for the
/// total: `C`, `c1`, `c2`, `c11` being total, margins and cell,
/// `g = (C + 2)^2 / ((c1 + 1)(c2 + 1))`,
/// `IC = log2((c11 + 1) g / (C + g))`, and `ln(2)^2` times the variance is
/// `(C - c11 + g - 1) / ((c11 + 1)(C + g + 1))` and for each margin
/// `(C - c + 1) / ((c + 1)(C + 3))`.
fn bcpnn(table: TwoByTwo) -> Bcpnn {
    let [a, b, c, d] = [table.a, table.b, table.c, table.d].map(|cell| cell as f64);
    let (total, drug, event) = (a + b + c + d, a + b, a + c);
    let g = ((total + 2.0) / (drug + 1.0)) * ((total + 2.0) / (event + 1.0));
    let information_component = ((a + 1.0) * g / (total + g)).log2();
    let of_margin = |margin: f64| (total - margin + 1.0) / ((margin + 1.0) * (total + 3.0));
    let of_cell = (total - a + g - 1.0) / ((a + 1.0) * (total + g + 1.0));
    let variance = of_cell + of_margin(drug) + of_margin(event);
    let std_dev = variance.sqrt() / std::f64::consts::LN_2;
    Bcpnn { information_component, std_dev, lower: information_component - 1.96 * std_dev }
}

/// DuMouchel's gamma Poisson shrinker (1999, The American Statistician 53) of
/// every table, at a given prior, without strata.
///
/// Given the prior `p G(alpha1, beta1) + (1 - p) G(alpha2, beta2)` with rates
/// beta, the posterior of the ratio is such a mixture with `alpha + a` and
/// `beta + E`, its weights by the negative binomial probabilities of `a`.
///
/// Errors: shapes and rates that are not above zero, a weight outside of
/// [0, 1], an empty table.
pub fn gamma_poisson_shrinker(
    tables: &[TwoByTwo],
    prior: GammaPoissonPrior,
) -> Result<Vec<ShrunkRatio>, EstimateError> {
    let shapes_and_rates = [prior.alpha1, prior.beta1, prior.alpha2, prior.beta2];
    check_positive("prior's shapes and rates", &shapes_and_rates)?;
    check_probability("prior's weight p", &[prior.p])?;
    tables.iter().map(|table| shrink(*table, prior)).collect()
}

fn shrink(table: TwoByTwo, prior: GammaPoissonPrior) -> Result<ShrunkRatio, EstimateError> {
    let expected = expected_count(table);
    if expected.is_nan() {
        return Err(EstimateError::TooFew { what: "reports in the table", found: 0, expected: 1 });
    }
    let observed = table.a as f64;
    let parts = [(prior.p, prior.alpha1, prior.beta1), (1.0 - prior.p, prior.alpha2, prior.beta2)];
    let [ln1, ln2] = parts.map(|(weight, alpha, beta)| {
        weight.ln() + negative_binomial_ln_probability(table.a, expected, alpha, beta)
    });
    // The larger one is taken out, so that far tails do not become 0 / 0.
    let largest = ln1.max(ln2);
    let (first, second) = ((ln1 - largest).exp(), (ln2 - largest).exp());
    let weights = [first / (first + second), second / (first + second)];
    let mut mean_log = 0.0;
    let mut components = Vec::with_capacity(2);
    for ((_, alpha, beta), weight) in parts.into_iter().zip(weights) {
        let (shape, rate) = (alpha + observed, beta + expected);
        mean_log += weight * (digamma(shape) - rate.ln());
        components.push(GammaComponent { weight, shape, rate });
    }
    Ok(ShrunkRatio {
        q: weights[0],
        ebgm: mean_log.exp(),
        eb05: gamma_mixture_quantile(0.05, &components),
        eb95: gamma_mixture_quantile(0.95, &components),
        log_marginal: largest + (first + second).ln(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    #[test]
    fn one_table_by_hand() {
        // 4 of 10 with the drug against 6 of 90: E = 10 * 10 / 100 = 1.
        let found = disproportionality(TwoByTwo { a: 4, b: 6, c: 6, d: 84 }, 0.95).unwrap();
        close(found.expected, 1.0, 1e-15);
        close(found.proportional_reporting_ratio.estimate, 6.0, 1e-14);
        close(found.reporting_odds_ratio.estimate, 4.0 * 84.0 / 36.0, 1e-15);
        close(found.information_component.estimate, 3f64.log2(), 1e-15);
        // g = 102^2 / 11^2; IC = log2(5 g / (100 + g)).
        let g = 102.0f64 * 102.0 / 121.0;
        close(found.bcpnn.information_component, (5.0 * g / (100.0 + g)).log2(), 1e-14);
    }

    #[test]
    fn one_component_is_a_gamma_posterior() {
        // Weight 1 on shape 1 and rate 1, a = 4, E = 1: posterior G(5, 2); its
        // marginal is geometric, (1/2)^5.
        let prior = GammaPoissonPrior { alpha1: 1.0, beta1: 1.0, alpha2: 3.0, beta2: 1.0, p: 1.0 };
        let table = TwoByTwo { a: 4, b: 6, c: 6, d: 84 };
        let found = gamma_poisson_shrinker(&[table], prior).unwrap()[0];
        assert_eq!(found.q, 1.0);
        close(found.eb05, gamma_quantile(0.05, 5.0, 2.0), 1e-13);
        close(found.log_marginal, -5.0 * std::f64::consts::LN_2, 1e-13);
        // digamma(5) = 1 + 1/2 + 1/3 + 1/4 - Euler's constant.
        let mean_log = 25.0 / 12.0 - 0.577_215_664_901_532_9 - std::f64::consts::LN_2;
        close(found.ebgm, mean_log.exp(), 1e-13);
    }

    #[test]
    fn bad_input_is_named() {
        let prior = GammaPoissonPrior { alpha1: 1.0, beta1: -1.0, alpha2: 3.0, beta2: 1.0, p: 1.0 };
        let empty = TwoByTwo { a: 0, b: 0, c: 0, d: 0 };
        assert!(gamma_poisson_shrinker(&[], prior).is_err());
        let prior = GammaPoissonPrior { beta1: 1.0, ..prior };
        assert!(gamma_poisson_shrinker(&[empty], prior).is_err());
        let prior = GammaPoissonPrior { p: 1.5, ..prior };
        assert!(gamma_poisson_shrinker(&[], prior).is_err());
        assert!(disproportionality(empty, 0.95).is_err());
    }

    proptest! {
        #[test]
        fn intervals_hold_the_estimate(
            a in 0u64..400, b in 0u64..9999, c in 0u64..9999, d in 1u64..99999,
        ) {
            let table = TwoByTwo { a, b, c, d };
            let found = disproportionality(table, 0.95).unwrap();
            let ic = found.information_component;
            prop_assert!(ic.lower < ic.estimate && ic.estimate < ic.upper);
            let prior =
                GammaPoissonPrior { alpha1: 0.2, beta1: 0.1, alpha2: 2.0, beta2: 4.0, p: 0.3 };
            let found = gamma_poisson_shrinker(&[table], prior).unwrap()[0];
            prop_assert!(found.eb05 < found.ebgm && found.ebgm < found.eb95);
        }
    }
}
