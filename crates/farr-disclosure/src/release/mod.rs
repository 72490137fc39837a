//! The one way from exact aggregates to what anybody may see.

/// The name of the column that a release adds: whether anything of the row is
/// withheld.
pub(crate) const SUPPRESSED: &str = "suppressed";
