//! Checks of outcomes and weights that the elastic net and balance share.

use super::error::{Error, check_finite, check_range};
use super::generalised_linear::{check_counts, checked_weights};

pub(crate) use super::generalised_linear::{log_person_time, weights_or_ones};

/// Finite, one a row.
pub(crate) fn finite(column: &str, values: &[f64], rows: usize) -> Result<(), Error> {
    check_finite(column, values, rows)
}

/// Finite and 0 or more, some above; ones where not given.
pub(crate) fn weights(given: Option<&[f64]>, rows: usize) -> Result<Vec<f64>, Error> {
    checked_weights(given, rows)
}

/// Counts of 0 or more, not all 0 among weighted rows.
pub(crate) fn counts(count: &[f64], weights: &[f64]) -> Result<(), Error> {
    check_counts(count, weights)
}

/// 0 or 1.
pub(crate) fn zero_or_one(column: &str, values: &[f64], rows: usize) -> Result<(), Error> {
    check_range(column, values, rows, "0 or 1", |y| y == 0.0 || y == 1.0)
}

/// From 0 to 1.
pub(crate) fn share(column: &str, values: &[f64], rows: usize) -> Result<(), Error> {
    check_range(column, values, rows, "a number from 0 to 1", |s| (0.0..=1.0).contains(&s))
}

/// 0 or 1, and both among weighted rows.
pub(crate) fn binary(column: &str, outcome: &[f64], weights: &[f64]) -> Result<(), Error> {
    zero_or_one(column, outcome, weights.len())?;
    for (value, always) in [(0.0, "no event"), (1.0, "an event")] {
        if outcome.iter().zip(weights).all(|(&y, &w)| w == 0.0 || y == value) {
            return Err(Error::ConstantOutcome { always });
        }
    }
    Ok(())
}
