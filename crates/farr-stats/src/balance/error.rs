//! What can be wrong with a comparison of groups.

use crate::regression;

/// Why groups cannot be weighted, matched or compared. Rows are counted from
/// 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A column is missing or wrong, or the score's model has no answer.
    #[error(transparent)]
    Input(#[from] regression::Error),
    /// A score of 0 or 1 gives an infinite weight.
    #[error(
        "row {row} has a propensity score of 0 or 1 and would weigh infinitely; trim such rows \
         or use overlap weights"
    )]
    InfiniteWeight {
        /// The row, from 0.
        row: usize,
    },
    /// One of the groups is empty.
    #[error("there are no {group} rows")]
    EmptyGroup {
        /// "treated" or "reference".
        group: &'static str,
    },
    /// A setting is out of its range.
    #[error("{setting} must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is allowed, in words.
        expected: &'static str,
    },
}

/// Checks that `treated` has `rows` rows and both groups.
pub(crate) fn check_groups(treated: &[bool], rows: usize) -> Result<(), Error> {
    if treated.len() != rows {
        let (column, found) = ("treated".to_owned(), treated.len());
        return Err(regression::Error::Length { column, found, expected: rows }.into());
    }
    if !treated.contains(&true) {
        return Err(Error::EmptyGroup { group: "treated" });
    }
    if !treated.contains(&false) {
        return Err(Error::EmptyGroup { group: "reference" });
    }
    Ok(())
}
