//! What can be wrong with the numbers that a kernel is given.

/// A kernel's answer, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a kernel gives no answer. Rows and columns count from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is not a single row.
    #[error("no rows: {what} needs at least one")]
    Empty {
        /// The kernel.
        what: &'static str,
    },
    /// Two columns differ in length.
    #[error("'{column}' has {found} rows, but {expected} are expected: one for every row")]
    Length {
        /// The column that does not fit.
        column: &'static str,
        /// Rows of the first column.
        expected: usize,
        /// Rows of this column.
        found: usize,
    },
    /// A number is missing (NaN) or infinite.
    #[error("'{column}' is missing or infinite in row {row}: remove or impute the row before")]
    NotFinite {
        /// The column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
    },
    /// A covariate is missing (NaN) or infinite.
    #[error(
        "covariate {covariate} is missing or infinite in row {row}: remove or impute it before"
    )]
    CovariateNotFinite {
        /// The covariate, from 0.
        covariate: usize,
        /// The row, from 0.
        row: usize,
    },
    /// A covariate's values are so near or far apart that squares overflow.
    #[error("covariate {covariate} spreads by less than 1e-100 or more than 1e100: rescale it")]
    CovariateScale {
        /// The covariate, from 0.
        covariate: usize,
    },
    /// A number is outside of what the column may hold.
    #[error("'{column}' in row {row} is outside of its range: {expected} expected")]
    OutOfRange {
        /// The column.
        column: &'static str,
        /// The row, from 0.
        row: usize,
        /// What is allowed.
        expected: &'static str,
    },
    /// A setting is outside of what it may be.
    #[error("setting '{setting}' is {found}, but {expected} is expected")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What was given.
        found: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// Follow-up ends before or when it starts.
    #[error("row {row} leaves at or before its entry: nobody is at risk for no time")]
    EntryNotBeforeTime {
        /// The row, from 0.
        row: usize,
    },
    /// There is nothing to estimate from.
    #[error("no events: {what} needs at least one")]
    NoEvents {
        /// The kernel.
        what: &'static str,
    },
    /// A comparison needs more groups.
    #[error("{found} group(s): {what} compares at least two")]
    TooFewGroups {
        /// The kernel.
        what: &'static str,
        /// Groups with rows.
        found: usize,
    },
    /// A group, stratum or cause that was asked for has no rows.
    #[error("{what} {label} has no rows")]
    NoSuchLabel {
        /// Group, stratum or cause.
        what: &'static str,
        /// Its code.
        label: u32,
    },
    /// A stratified model was asked for a prediction without a stratum.
    #[error("the model has {strata} strata: say which one each profile belongs to")]
    StratumNeeded {
        /// Strata of the model.
        strata: usize,
    },
    /// No two rows can be compared.
    #[error("no comparable pair of rows: {what} is not defined")]
    NoPairs {
        /// The kernel.
        what: &'static str,
    },
    /// A matrix that has to be inverted is singular.
    #[error("the variance matrix of {what} is singular")]
    Singular {
        /// The kernel.
        what: &'static str,
    },
    /// A coefficient runs to infinity: the covariate separates the events.
    #[error(
        "the coefficient of covariate {covariate} is infinite: it separates those with the event; \
         leave it out, merge its level or use a penalty"
    )]
    MonotoneLikelihood {
        /// The covariate, from 0.
        covariate: usize,
    },
    /// The iteration did not come to rest.
    #[error("{what} did not converge in {iterations} iterations: scale or thin the covariates")]
    NotConverged {
        /// The kernel.
        what: &'static str,
        /// Iterations done.
        iterations: usize,
    },
    /// Survival or censoring-free survival is zero where it divides.
    #[error("the {what} curve is zero at time {time}: choose earlier times")]
    CurveIsZero {
        /// The curve.
        what: &'static str,
        /// The time asked for.
        time: f64,
    },
}
