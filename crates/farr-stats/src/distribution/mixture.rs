//! Mixtures of gamma distributions.

use super::Tails;
use super::gamma::{gamma_density, gamma_quantile, gamma_upper_quantile, scaled_tails};
use super::solve::{Target, solve};

/// One gamma distribution of a mixture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaComponent {
    /// Its weight; the weights of a mixture sum to 1.
    pub weight: f64,
    /// Its shape.
    pub shape: f64,
    /// Its rate.
    pub rate: f64,
}

/// The x with P(X <= x) = p of a mixture of gamma distributions; NaN for a
/// mixture of nothing, or a p, shape or rate that is none.
pub fn gamma_mixture_quantile(p: f64, components: &[GammaComponent]) -> f64 {
    let target = Target::from_lower(p);
    let of = |component: &GammaComponent| match target {
        Target::Lower(p) => gamma_quantile(p, component.shape, component.rate),
        Target::Upper(p) => gamma_upper_quantile(p, component.shape, component.rate),
    };
    let quantiles: Vec<f64> = components.iter().filter(|c| c.weight > 0.0).map(of).collect();
    if quantiles.is_empty() || quantiles.iter().any(|quantile| quantile.is_nan()) {
        return f64::NAN;
    }
    // The mixture's quantile lies between those of its components.
    let least = quantiles.iter().copied().fold(f64::INFINITY, f64::min);
    let most = quantiles.iter().copied().fold(0.0, f64::max);
    if least == most {
        return least;
    }
    solve(target, most, (least, most), |x| {
        let (mut mixed, mut slope) = (Tails { lower: 0.0, upper: 0.0 }, 0.0);
        for GammaComponent { weight, shape, rate } in components.iter().copied() {
            let tails = scaled_tails(x, shape, rate);
            mixed.lower += weight * tails.lower;
            mixed.upper += weight * tails.upper;
            slope += weight * x * gamma_density(x, shape, rate);
        }
        (mixed, slope)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_tail_undoes_the_quantile(
            p in 1e-6..1.0f64, weight in 0.0..1.0f64,
            shapes in (0.1..50.0f64, 0.1..50.0f64), rates in (0.1..50.0f64, 0.1..50.0f64),
        ) {
            let components = [
                GammaComponent { weight, shape: shapes.0, rate: rates.0 },
                GammaComponent { weight: 1.0 - weight, shape: shapes.1, rate: rates.1 },
            ];
            let x = gamma_mixture_quantile(p, &components);
            let lower: f64 =
                components.iter().map(|c| c.weight * scaled_tails(x, c.shape, c.rate).lower).sum();
            prop_assert!((lower - p).abs() < 1e-10 * p, "{lower} {p}");
        }
    }
}
