//! What can go wrong with definitions and their evaluation.

use farr_records::Table;

/// What can go wrong with definitions and their evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no JSON.
    #[error("not JSON: {source}")]
    Json {
        /// What the reader says, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// The text is no TOML of the short form.
    #[error("{message}")]
    Toml {
        /// What the reader says, with line and key.
        message: String,
    },
    /// A key that the language does not have.
    #[error("{path}: unknown key '{key}'{}", suggestion.as_ref().map_or_else(String::new, |s| format!("; did you mean '{s}'?")))]
    UnknownKey {
        /// Where in the JSON.
        path: String,
        /// The key.
        key: String,
        /// The nearest known key.
        suggestion: Option<String>,
    },
    /// A key that must be there.
    #[error("{path}: no '{key}'; add it")]
    MissingKey {
        /// Where in the JSON.
        path: String,
        /// The key.
        key: &'static str,
    },
    /// A value of another type, or none that the language has.
    #[error("{path}: found {found}, expected {expected}")]
    Value {
        /// Where in the JSON.
        path: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A criterion names a concept set that the definition lacks.
    #[error("{path}: the definition has no concept set {id}; add it to ConceptSets")]
    NoConceptSet {
        /// Where in the JSON.
        path: String,
        /// The id that is named.
        id: i64,
    },
    /// A definition asks for a table that is not there.
    #[error(
        "definition {definition}: it has criteria on table {table}, which these records lack; \
         add the table, or leave the definition out"
    )]
    NoTable {
        /// The definition's id.
        definition: i64,
        /// The table.
        table: Table,
    },
    /// A column that was to be read is not in the shard.
    #[error("table {table}: column '{column}' was not read; read what the plan needs")]
    NoColumn {
        /// The table.
        table: Table,
        /// The column.
        column: &'static str,
    },
    /// More rules than a mask of 63 bits holds.
    #[error("{path}: {found} inclusion rules; at most 62 can be evaluated")]
    TooManyRules {
        /// Where in the JSON.
        path: String,
        /// How many there are.
        found: usize,
    },
    /// A count of distinct values that the domain does not have.
    #[error("{path}: {domain} has no {column} to count distinct values of")]
    NoCountColumn {
        /// Where in the JSON.
        path: String,
        /// The domain.
        domain: &'static str,
        /// Circe's name of the column.
        column: String,
    },
    /// A derived cohort names one that the job does not have.
    #[error(
        "derived from {reference}, but the job has no such cohort{}; it has {known}{}",
        suggestion.as_ref().map_or_else(String::new, |s| format!("; did you mean '{s}'?")),
        if needed_by.is_empty() { String::new() } else { format!("; from it is derived {needed_by}") }
    )]
    NoSuchCohort {
        /// What it names.
        reference: String,
        /// The nearest name.
        suggestion: Option<String>,
        /// The job's cohorts.
        known: String,
        /// The cohorts that are derived from it in turn.
        needed_by: String,
    },
    /// A derived cohort names one by a name that several have.
    #[error("derived from '{name}', but several cohorts are called so ({ids}); name one by its id")]
    SharedName {
        /// The name.
        name: String,
        /// The ids.
        ids: String,
    },
    /// A cohort is derived from itself.
    #[error("derived from itself: {chain}")]
    Cycle {
        /// The cohorts, each derived from the next.
        chain: String,
    },
    /// A setting of a derived cohort that cannot be.
    #[error("derive.{key}: found {found}, expected {expected}")]
    Derivation {
        /// The key.
        key: &'static str,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
}

impl Error {
    /// Where in the definition, if the error has a place in it: a JSON path, or
    /// in the short form a key.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { path, .. }
            | Self::MissingKey { path, .. }
            | Self::Value { path, .. }
            | Self::NoConceptSet { path, .. }
            | Self::TooManyRules { path, .. }
            | Self::NoCountColumn { path, .. } => Some(path),
            Self::Json { .. }
            | Self::Toml { .. }
            | Self::NoTable { .. }
            | Self::NoColumn { .. }
            | Self::NoSuchCohort { .. }
            | Self::SharedName { .. }
            | Self::Cycle { .. }
            | Self::Derivation { .. } => None,
        }
    }
}
