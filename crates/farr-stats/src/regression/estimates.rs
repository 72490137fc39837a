//! Estimated coefficients and what every regression says of them.

use super::error::Error;
use super::linear_algebra::SquareMatrix;
use crate::distribution::{normal_quantile, normal_two_sided};

/// Coefficients of the columns as given, and their covariance.
#[derive(Debug, Clone)]
pub struct Estimates {
    /// Names of the terms; `(Intercept)` first where the model has one.
    pub terms: Vec<String>,
    /// One coefficient a term; NaN where aliased (R's NA).
    pub coefficients: Vec<f64>,
    /// Covariance of the coefficients, terms by terms; NaN where aliased.
    pub covariance: SquareMatrix,
    /// Positions in `terms` of what is not estimated: constant columns, and
    /// columns that the ones before them determine.
    pub aliased: Vec<usize>,
}

/// Wald inference on the log scale. One entry a term each.
#[derive(Debug, Clone)]
pub struct Wald {
    /// exp(coefficient): odds ratio, rate ratio.
    pub ratio: Vec<f64>,
    /// Lower bound of the ratio.
    pub lower: Vec<f64>,
    /// Upper bound of the ratio.
    pub upper: Vec<f64>,
    /// Coefficient over its standard error.
    pub z: Vec<f64>,
    /// Two-sided p-value of `z`.
    pub p: Vec<f64>,
}

impl Estimates {
    /// Standard errors: the root of the covariance's diagonal.
    pub fn std_errors(&self) -> Vec<f64> {
        std_errors(&self.covariance)
    }

    /// Ratios with Wald intervals exp(b -+ q se) (R's `confint.default`, not
    /// the profile likelihood), at `conf_level` in (0, 1).
    pub fn wald(&self, conf_level: f64) -> Result<Wald, Error> {
        if !(conf_level > 0.0 && conf_level < 1.0) {
            return Err(Error::ConfidenceLevel);
        }
        let quantile = normal_quantile(0.5 + conf_level / 2.0);
        let se = self.std_errors();
        let of = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            self.coefficients.iter().zip(&se).map(|(&b, &s)| f(b, s)).collect()
        };
        Ok(Wald {
            ratio: of(&|b, _| b.exp()),
            lower: of(&|b, s| (b - quantile * s).exp()),
            upper: of(&|b, s| (b + quantile * s).exp()),
            z: of(&|b, s| b / s),
            p: of(&|b, s| normal_two_sided(b / s)),
        })
    }
}

/// The root of a covariance matrix's diagonal.
pub fn std_errors(covariance: &SquareMatrix) -> Vec<f64> {
    covariance.diagonal().into_iter().map(f64::sqrt).collect()
}
