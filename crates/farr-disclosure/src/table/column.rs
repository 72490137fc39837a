//! What a column of an aggregate table means.

/// A column: its name, what it means, its unit, and its part in disclosure
/// control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDescription {
    /// The name, as in the report.
    pub name: String,
    /// One sentence on what it means, for the report's schema.
    pub description: String,
    /// The unit, as a word (`persons`, `days`, `years`, `per 1000
    /// person-years`); `None` where there is none.
    pub unit: Option<String>,
    /// What disclosure control does with it.
    pub role: Role,
}

/// What disclosure control does with a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Says what the row is about: cohort, age group, sex, year. Null is the
    /// total over this key, never "unknown". Always shown.
    Key,
    /// How many persons or events: a whole number, not negative (Int64). Null
    /// where a row has no such count.
    Count {
        /// For events: the count column of the persons that had them. A row in
        /// which those persons are too few withholds the events, however many.
        persons: Option<String>,
    },
    /// Computed from counts of its own row and nothing else that is withheld
    /// anywhere: a rate, a proportion, a mean over the persons counted. Null
    /// when one of them is withheld. A denominator therefore belongs into the
    /// row, as a count.
    Derived {
        /// The count columns that it is computed from; empty means all of the
        /// row's.
        from: Vec<String>,
    },
    /// Computed from the counts of all rows that agree in the key columns
    /// `within` (the statistic of a test between them, a model's coefficients);
    /// of the whole table if it names none. Null in all those rows when one of
    /// their counts is withheld.
    DerivedOfAll {
        /// Key columns.
        within: Vec<String>,
    },
    /// Says nothing of persons (a label, a setting). Always shown.
    Plain,
}

impl Role {
    /// The role's name in a report's schema.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Count { .. } => "count",
            Self::Derived { .. } | Self::DerivedOfAll { .. } => "derived",
            Self::Plain => "plain",
        }
    }

    /// Whether the column holds counts.
    pub fn is_count(&self) -> bool {
        matches!(self, Self::Count { .. })
    }
}
