//! What can go wrong with an analysis.

/// What can go wrong with an analysis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Settings that ask for nothing, or for what cannot be.
    #[error("analysis '{analysis}', {key}: {reason}")]
    Settings {
        /// The analysis.
        analysis: String,
        /// The key of its settings.
        key: &'static str,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A table or column of the records that the analysis needs.
    #[error("analysis '{analysis}': the records have no {table}.{column}")]
    Missing {
        /// The analysis.
        analysis: String,
        /// The table.
        table: farr_records::Table,
        /// The column.
        column: &'static str,
    },
    /// A kernel refused its input.
    #[error("analysis '{analysis}': {reason}")]
    Kernel {
        /// The analysis.
        analysis: String,
        /// What the kernel says.
        reason: String,
    },
    /// A table that does not fit together: a mistake in farr.
    #[error("analysis '{analysis}': {source}")]
    Table {
        /// The analysis.
        analysis: String,
        /// What does not fit.
        source: farr_disclosure::Error,
    },
}

/// Refuses a list of which one stands twice: it would be counted twice, or have
/// its rows twice.
pub(crate) fn check_each_once<T: Ord + std::fmt::Debug>(
    analysis: &str,
    key: &'static str,
    items: impl IntoIterator<Item = T>,
) -> Result<(), Error> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    let Some(pair) = items.windows(2).find(|pair| pair[0] == pair[1]) else { return Ok(()) };
    let reason = format!("{:?} stands twice and would be counted twice; name it once", pair[0]);
    Err(Error::Settings { analysis: analysis.to_owned(), key, reason })
}
