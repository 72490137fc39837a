//! What a table declares of its counts. Every relation is a sum that is zero;
//! an inequality is one with a number in it that the table does not show.

/// A declared relation between counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The row in which `key` is null is the sum of the rows that agree with
    /// it in all other keys.
    TotalOver { key: String, counts: Vec<String> },
    /// As `TotalOver`, but one person may count in several parts: the total is
    /// at least each part and at most their sum.
    UnionOver { key: String, counts: Vec<String> },
    /// In each row `whole` is the sum of `parts`, and of a rest that is not
    /// shown if `has_rest`.
    RowSum { whole: String, parts: Vec<String>, has_rest: bool },
    /// Along `order`, within equal other keys: a row's `remaining` is the
    /// previous row's less its own `lost`; without `lost` the difference is
    /// there for everyone to take.
    Loss { order: String, remaining: String, lost: Option<String> },
    /// The sum of `column` over the rows that differ in `along` only is the
    /// quantity that `names` gives to those rows.
    ColumnSum { column: String, along: String, names: Vec<Option<String>> },
    /// Any other sum that is zero.
    Sum(Vec<Term>),
}

/// A count in a sum that is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What the count is multiplied by: 1 or -1.
    pub sign: i8,
    /// Which count.
    pub cell: CellReference,
}

/// A count, for relations that no other declaration covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellReference {
    /// The count in a column and row of this table.
    Cell {
        /// The count column.
        column: String,
        /// The row, from 0.
        row: usize,
    },
    /// The count of that name in whatever table or document of the run; a
    /// relation with a name that the run does not give is left out.
    Quantity(String),
    /// A number of persons or events that is shown nowhere, but which this
    /// relation would give: it is protected like one that is shown.
    Hidden,
}

/// Declares a table to be curves over time, one for each value of its other
/// keys (survival, cumulative incidence).
///
/// Rows are given on every time; for an open zone, neighbours are merged until
/// each step has no event or at least as many as the threshold, no one
/// censored or at least as many. A merged row has the last time, the first
/// number at risk, sums of events and censored, and, in every other column,
/// the values of the last row: so those must be states at that time (an
/// estimate, its limits), not increments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// The key column that holds the time.
    pub time: String,
    /// The count column of persons at risk just before that time.
    pub at_risk: String,
    /// The count columns of those who leave at that time: events (of each
    /// cause) and censored. `at_risk` of the next row is `at_risk` less these.
    pub leaving: Vec<String>,
}
