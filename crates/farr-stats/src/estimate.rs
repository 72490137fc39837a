//! An estimate with its interval, and what can be wrong with counts, times,
//! levels and probabilities that estimators get.

use thiserror::Error;

use crate::distribution::normal_upper_quantile;

/// A point estimate and its confidence bounds.
///
/// A bound that does not exist is 0 or infinite for ratios (all values are
/// allowed), NaN for differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub estimate: f64,
    /// The lower confidence bound.
    pub lower: f64,
    /// The upper confidence bound.
    pub upper: f64,
}

impl Estimate {
    /// `exp(ln ratio ± z se)`. At a ratio of 0, of infinity or without one, or
    /// with an infinite standard error, nothing is known: bounds 0 and infinity.
    pub(crate) fn from_log_ratio(ratio: f64, log_std_err: f64, z: f64) -> Self {
        if ratio > 0.0 && ratio.is_finite() && log_std_err.is_finite() {
            let factor = (z * log_std_err).exp();
            Self { estimate: ratio, lower: ratio / factor, upper: ratio * factor }
        } else {
            Self { estimate: ratio, lower: 0.0, upper: f64::INFINITY }
        }
    }

    /// `difference ± z se`.
    pub(crate) fn from_difference(difference: f64, std_err: f64, z: f64) -> Self {
        let half_width = z * std_err;
        Self {
            estimate: difference,
            lower: difference - half_width,
            upper: difference + half_width,
        }
    }
}

/// What is wrong with an estimator's input. Rows count from 0; no value of a
/// row is named, since it may be a patient's.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum EstimateError {
    /// A confidence level that is none.
    #[error("confidence level {found} is not between 0 and 1; give for instance 0.95")]
    Level {
        /// The level that was given.
        found: f64,
    },
    /// Columns of unequal length.
    #[error("'{column}' has {found} rows, '{reference}' has {expected}; give one value a row")]
    Length {
        /// The column that differs.
        column: &'static str,
        /// Its number of rows.
        found: usize,
        /// The column it is compared with.
        reference: &'static str,
        /// That one's number of rows.
        expected: usize,
    },
    /// A missing or infinite value.
    #[error("'{column}' is missing or infinite in row {row}; drop or impute the row first")]
    NotFinite {
        /// The column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
    },
    /// A time, weight or count at or below zero.
    #[error("'{column}' is not above zero in row {row}")]
    NotPositive {
        /// The column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
    },
    /// A value below zero.
    #[error("'{column}' is negative in row {row}")]
    Negative {
        /// The column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
    },
    /// A value outside of [0, 1].
    #[error("'{column}' is not a probability (between 0 and 1) in row {row}")]
    NotAProbability {
        /// The column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
    },
    /// More events than trials.
    #[error("{events} events among {trials}: there cannot be more events than trials")]
    TooManyEvents {
        /// The events.
        events: u64,
        /// The trials.
        trials: u64,
    },
    /// A group, column or list without rows.
    #[error("{what}: {found} found, at least {expected} needed")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// Something that needs distinct values met ties.
    #[error("{what} needs values without ties; use the normal approximation instead")]
    Ties {
        /// What was computed.
        what: &'static str,
    },
    /// Something that needs spread has none.
    #[error("{what} is not defined: '{column}' has no spread")]
    NoSpread {
        /// What was computed.
        what: &'static str,
        /// The constant column.
        column: &'static str,
    },
    /// A risk of 0 or 1 where its logit is needed.
    #[error("'risk' is exactly 0 or 1 in row {row}, where its logit is infinite")]
    CertainRisk {
        /// The row, from 0.
        row: usize,
    },
    /// An iteration without an end, for instance perfect separation.
    #[error("{what} did not converge in {steps} steps; the outcome may be separated perfectly")]
    NotConverged {
        /// What was fitted.
        what: &'static str,
        /// The steps that were taken.
        steps: usize,
    },
}

/// One tail's probability of a two-sided interval, `(1 - level) / 2`.
pub(crate) fn tail_probability(level: f64) -> Result<f64, EstimateError> {
    if level > 0.0 && level < 1.0 {
        Ok((1.0 - level) / 2.0)
    } else {
        Err(EstimateError::Level { found: level })
    }
}

/// The normal deviate of a two-sided interval, 1.96 at level 0.95.
pub(crate) fn interval_deviate(level: f64) -> Result<f64, EstimateError> {
    tail_probability(level).map(normal_upper_quantile)
}

/// Fails at the first row that is not a finite number above zero.
pub(crate) fn check_positive(column: &'static str, values: &[f64]) -> Result<(), EstimateError> {
    check_finite(column, values)?;
    match values.iter().position(|v| *v <= 0.0) {
        Some(row) => Err(EstimateError::NotPositive { column, row }),
        None => Ok(()),
    }
}

/// Fails at the first row that is negative or not finite.
pub(crate) fn check_not_negative(
    column: &'static str,
    values: &[f64],
) -> Result<(), EstimateError> {
    check_finite(column, values)?;
    match values.iter().position(|v| *v < 0.0) {
        Some(row) => Err(EstimateError::Negative { column, row }),
        None => Ok(()),
    }
}

/// Fails at the first row that is not finite.
pub(crate) fn check_finite(column: &'static str, values: &[f64]) -> Result<(), EstimateError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(EstimateError::NotFinite { column, row }),
        None => Ok(()),
    }
}

/// Fails at the first row outside of [0, 1].
pub(crate) fn check_probability(column: &'static str, values: &[f64]) -> Result<(), EstimateError> {
    check_finite(column, values)?;
    match values.iter().position(|v| !(0.0..=1.0).contains(v)) {
        Some(row) => Err(EstimateError::NotAProbability { column, row }),
        None => Ok(()),
    }
}

/// Fails when two columns have unequal lengths.
pub(crate) fn check_length(
    column: &'static str,
    found: usize,
    reference: &'static str,
    expected: usize,
) -> Result<(), EstimateError> {
    if found == expected {
        Ok(())
    } else {
        Err(EstimateError::Length { column, found, reference, expected })
    }
}
