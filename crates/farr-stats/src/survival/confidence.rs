//! Pointwise confidence intervals of a survival probability.

use crate::distribution::normal_upper_quantile;
use crate::error::{Error, Result};

/// The scale on which an interval is symmetric. R's `conf.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConfidenceType {
    /// On the probability itself, cut to [0, 1].
    Plain,
    /// On log S, cut to at most 1: R's default.
    #[default]
    Log,
    /// On log(-log S); not defined while S is 1.
    LogLog,
    /// On log(S / (1 - S)); not defined while S is 1.
    Logit,
    /// On arcsin(sqrt S).
    ArcSine,
}

/// How sure an interval is, and on which scale it is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// The scale.
    pub kind: ConfidenceType,
    /// Coverage, e.g. 0.95.
    pub level: f64,
}

impl Default for Confidence {
    fn default() -> Self {
        Self { kind: ConfidenceType::Log, level: 0.95 }
    }
}

impl Confidence {
    pub(crate) fn interval(self) -> Result<Interval> {
        Ok(Interval { kind: self.kind, z: normal_quantile_two_sided(self.level)? })
    }
}

/// A `Confidence` whose normal quantile is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    kind: ConfidenceType,
    z: f64,
}

impl Interval {
    /// Bounds of survival `s` with standard error `se_log` of log S: those of
    /// survival 3.5-3 `survfit_confint`. NaN where they are not defined: at
    /// S = 0 (but for plain with a standard error of 0), and for log-log and
    /// logit at S = 1.
    pub(crate) fn bounds(self, s: f64, se_log: f64) -> (f64, f64) {
        let width = self.z * se_log;
        match self.kind {
            ConfidenceType::Plain if se_log == 0.0 => (s, s),
            _ if s == 0.0 => (f64::NAN, f64::NAN),
            ConfidenceType::Plain => ((s - width * s).max(0.0), (s + width * s).min(1.0)),
            ConfidenceType::Log => ((s.ln() - width).exp(), (s.ln() + width).exp().min(1.0)),
            ConfidenceType::LogLog | ConfidenceType::Logit if s == 1.0 => (f64::NAN, f64::NAN),
            ConfidenceType::LogLog => {
                let (center, width) = ((-s.ln()).ln(), width / s.ln());
                let back = |x: f64| (-x.exp()).exp();
                (back(center - width), back(center + width))
            }
            ConfidenceType::Logit => {
                let (center, width) = ((s / (1.0 - s)).ln(), width / (1.0 - s));
                let back = |x: f64| 1.0 / (1.0 + (-x).exp());
                (back(center - width), back(center + width))
            }
            ConfidenceType::ArcSine => {
                let width = 0.5 * width * (s / (1.0 - s)).sqrt();
                let center = s.sqrt().asin();
                let half_pi = std::f64::consts::FRAC_PI_2;
                let back = |x: f64| x.sin().powi(2);
                (back((center - width).max(0.0)), back((center + width).min(half_pi)))
            }
        }
    }
}

/// The z with P(|Z| <= z) = `conf_level`; 1.96 at 0.95.
pub(crate) fn normal_quantile_two_sided(conf_level: f64) -> Result<f64> {
    if conf_level > 0.0 && conf_level < 1.0 {
        return Ok(normal_upper_quantile((1.0 - conf_level) / 2.0));
    }
    let (setting, expected) = ("conf_level", "a number between 0 and 1");
    Err(Error::Setting { setting, found: conf_level, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_by_hand() {
        // S = 0.5 and a standard error of 0.1 of log S (0.05 of S), z = 1.96.
        let bounds = |kind| Interval { kind, z: 1.96 }.bounds(0.5, 0.1);
        let close = |found: (f64, f64), expected: (f64, f64)| {
            assert!((found.0 - expected.0).abs() < 1e-12, "{found:?}");
            assert!((found.1 - expected.1).abs() < 1e-12, "{found:?}");
        };
        close(bounds(ConfidenceType::Plain), (0.402, 0.598));
        close(bounds(ConfidenceType::Log), (0.5 * (-0.196_f64).exp(), 0.5 * 0.196_f64.exp()));
        // log-log: 0.5^exp(+-0.196 / log 0.5)
        let factor = (0.196 / 0.5_f64.ln().abs()).exp();
        close(bounds(ConfidenceType::LogLog), (0.5_f64.powf(factor), 0.5_f64.powf(1.0 / factor)));
        // logit: odds 1 times exp(+-0.392)
        let odds = 0.392_f64.exp();
        close(bounds(ConfidenceType::Logit), (1.0 / (1.0 + odds), odds / (1.0 + odds)));
    }
}
