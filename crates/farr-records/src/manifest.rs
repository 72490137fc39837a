//! What a records store says of itself: `manifest.json`.

use std::collections::{BTreeMap, BTreeSet};

use farr_store::Sha256Hash;
use serde::{Deserialize, Serialize};

use crate::{ObjectRead, Table};

/// The layout that this farr writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The path of the manifest in a store.
pub const MANIFEST_PATH: &str = "manifest.json";

/// What a records store holds, where it came from, and what became of every
/// source row. Times, entity tags and places are not in it, so that equal
/// input gives an equal manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The store's layout: [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The version of farr that built it.
    pub farr_version: String,
    /// The version of the OMOP CDM.
    pub omop_version: String,
    /// How many shards there are, a power of two.
    pub shard_count: u32,
    /// Persons.
    pub persons: u64,
    /// SHA-256 over the sources' contents; the same for any number of shards.
    pub snapshot: Sha256Hash,
    /// The time zone of each source system, where it was given.
    pub timezones: BTreeMap<String, String>,
    /// Tables by OMOP's name. One that is not here, the store lacks.
    pub tables: BTreeMap<String, TableEntry>,
    /// The codes of concepts by vocabulary and code, where there are concepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<FileEntry>,
    /// What became of the rows of each source table.
    pub balance: Vec<Balance>,
    /// What records were made, by target table and source table.
    pub records: Vec<RecordsMade>,
    /// Ids that several rows of a table have, by table.
    pub repeated_ids: BTreeMap<String, RepeatedIds>,
    /// The file of rejects.
    pub rejects: FileEntry,
    /// What was derived.
    pub derived: Derived,
    /// Codes that became local concepts.
    pub local_concepts: u64,
    /// Whether sources brought a concept table.
    pub has_vocabulary: bool,
    /// Whether sources brought rows of `concept_ancestor`.
    pub has_ancestors: bool,
    /// The objects read, by system and path; without entity tags.
    pub objects: Vec<ObjectRead>,
}

/// One table of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Rows.
    pub rows: u64,
    /// Persons with at least one row; 0 for tables that are not persons'.
    pub persons: u64,
    /// A file per shard, in order; one file for tables of site or vocabulary.
    pub files: Vec<FileEntry>,
}

/// One Parquet file of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The path in the store.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Persons with at least one row.
    pub persons: u64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: Sha256Hash,
}

/// What became of the rows of one source table: `read` is the sum of the
/// other three, or the build fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// The source system.
    pub system: String,
    /// Its table.
    pub source_table: String,
    /// Rows read.
    pub read: u64,
    /// Rows kept.
    pub kept: u64,
    /// Rows equal to another in every column.
    pub merged: u64,
    /// Rows that could not be read or kept.
    pub rejected: u64,
}

/// The records made for one table from one source table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsMade {
    /// The table they were made for.
    pub table: String,
    /// The source system; `farr` for derived records.
    pub system: String,
    /// Its table; `derived` for derived records.
    pub source_table: String,
    /// Records in the store.
    pub written: u64,
    /// Records equal to another in every column.
    pub merged: u64,
    /// Records that could not be kept.
    pub rejected: u64,
}

/// Ids that several rows of a table have, or that rows lack. The rows are all
/// kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatedIds {
    /// Ids with more than one row.
    pub ids: u64,
    /// The rows that have them.
    pub rows: u64,
    /// Rows without an id.
    #[serde(default, skip_serializing_if = "is_none")]
    pub missing: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none(rows: &u64) -> bool {
    *rows == 0
}

/// What drug eras are eras of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrugEraBasis {
    /// Ingredients, since the vocabulary has them.
    Ingredient,
    /// Drug concepts as they are.
    DrugConcept,
}

/// What was derived, and for the persons of which systems.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Systems with derived observation periods.
    pub observation_periods: BTreeSet<String>,
    /// Systems with derived condition eras.
    pub condition_eras: BTreeSet<String>,
    /// Systems with derived drug eras.
    pub drug_eras: BTreeSet<String>,
    /// What derived drug eras are eras of, where there are any.
    pub drug_era_basis: Option<DrugEraBasis>,
    /// Exposures of which no era was made, for want of an ingredient.
    pub drug_exposures_without_ingredient: u64,
    /// Systems whose events took their visit's provider.
    pub providers_from_visits: BTreeSet<String>,
    /// Events that took their visit's provider.
    pub providers_filled: u64,
}

impl Manifest {
    /// What the manifest says of a table; `None` if the store lacks it.
    pub fn table(&self, table: Table) -> Option<&TableEntry> {
        self.tables.get(table.name())
    }

    /// The tables that the store has.
    pub fn tables(&self) -> impl Iterator<Item = (Table, &TableEntry)> {
        Table::ALL.into_iter().filter_map(|table| Some((table, self.table(table)?)))
    }
}
