//! What can be wrong with a regression's input or stand in its way.

/// Why a regression has no answer. Rows and columns are counted from 0;
/// values themselves are never shown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A slice has not as many rows as the outcome.
    #[error("'{column}' has {found} rows, the outcome has {expected}; give one value a row")]
    Length {
        /// The argument or covariate.
        column: String,
        /// Its number of rows.
        found: usize,
        /// The outcome's number of rows.
        expected: usize,
    },
    /// A value is missing (NaN) or infinite.
    #[error(
        "row {row} of '{column}' is missing or infinite; leave such rows out first (complete_rows)"
    )]
    NotFinite {
        /// The argument or covariate.
        column: String,
        /// The row, from 0.
        row: usize,
    },
    /// A value that the model does not allow.
    #[error("row {row} of '{column}' is out of range; expected {expected}")]
    OutOfRange {
        /// The argument or covariate.
        column: String,
        /// The row, from 0.
        row: usize,
        /// What is allowed, in words.
        expected: &'static str,
    },
    /// There is no row (of positive weight).
    #[error("there are no rows of positive weight; nothing can be estimated")]
    NoRows,
    /// The outcome does not vary: its estimate would be infinite.
    #[error("the outcome is {always} in every row; the intercept would be infinite")]
    ConstantOutcome {
        /// "an event", "no event" or "zero".
        always: &'static str,
    },
    /// No stratum or person has both a case and a non-case.
    #[error("none of {groups} strata holds both a case and a non-case; nothing can be compared")]
    NoInformativeStratum {
        /// How many strata there are.
        groups: usize,
    },
    /// The likelihood has no maximum: it rises forever along a direction of
    /// the covariates (complete or quasi-complete separation, or an exposure
    /// group without events).
    #[error(
        "the estimates of {terms:?} run to infinity: they separate the outcomes, or a group has \
         no events; merge categories, leave the terms out, or fit with a penalty"
    )]
    Separation {
        /// The terms that run furthest.
        terms: Vec<String>,
    },
    /// The iteration came to its limit without converging.
    #[error(
        "no convergence in {iterations} iterations (squared Newton step {decrement:e}); check for \
         extreme values or weights"
    )]
    NotConverged {
        /// Iterations done.
        iterations: usize,
        /// The Newton decrement: the squared length of the last step in
        /// standard errors.
        decrement: f64,
    },
    /// The negative binomial's theta runs to infinity.
    #[error(
        "the counts vary no more than a Poisson model allows: theta is infinite; use the Poisson \
         regression"
    )]
    NoOverdispersion,
    /// A confidence level outside (0, 1).
    #[error("the confidence level must lie between 0 and 1, both excluded")]
    ConfidenceLevel,
    /// A robust variance was asked with too few clusters or rows.
    #[error("the robust variance needs {needed}, found {found}")]
    TooFew {
        /// What is needed, in words.
        needed: &'static str,
        /// How many there are.
        found: usize,
    },
}

/// Checks that `values` has `rows` finite rows.
pub(crate) fn check_finite(column: &str, values: &[f64], rows: usize) -> Result<(), Error> {
    if values.len() != rows {
        return Err(Error::Length {
            column: column.to_owned(),
            found: values.len(),
            expected: rows,
        });
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(Error::NotFinite { column: column.to_owned(), row }),
        None => Ok(()),
    }
}

/// Checks that `values` has `rows` finite rows, each of them `allowed`.
pub(crate) fn check_range(
    column: &str,
    values: &[f64],
    rows: usize,
    expected: &'static str,
    allowed: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    check_finite(column, values, rows)?;
    match values.iter().position(|&v| !allowed(v)) {
        Some(row) => Err(Error::OutOfRange { column: column.to_owned(), row, expected }),
        None => Ok(()),
    }
}
