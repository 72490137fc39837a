//! What can go wrong with records.

use std::io;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::Table;

/// What can go wrong with records. No message holds a patient's value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch lacks a column that the table must have.
    #[error("table {table}: no column '{column}'; found {found}")]
    MissingColumn {
        /// The table.
        table: Table,
        /// The column's name.
        column: String,
        /// The columns that are there, joined by commas.
        found: String,
    },
    /// A column has another type than the table's schema says.
    #[error("table {table}, column '{column}': type {found}, expected {expected}")]
    WrongType {
        /// The table.
        table: Table,
        /// The column's name.
        column: String,
        /// The type found.
        found: String,
        /// The type expected.
        expected: String,
    },
    /// Rows break the shard contract.
    #[error("table {table}, row {row}: {broken}; build the records anew")]
    Contract {
        /// The table.
        table: Table,
        /// The row's place in the shard, from 0.
        row: usize,
        /// What is not so.
        broken: &'static str,
    },
    /// Arrow refused an operation.
    #[error("table {table}: {source}")]
    Arrow {
        /// The table.
        table: Table,
        /// What Arrow says.
        source: ArrowError,
    },
    /// A batch has a column that the table does not have.
    #[error("table {table}: OMOP has no column '{column}' there; leave it out")]
    UnknownColumn {
        /// The table.
        table: Table,
        /// The column's name.
        column: String,
    },
    /// No source gave a person table, so no row could be kept.
    #[error(
        "no source has a person: their table is missing or empty, so none of {rows} rows could \
         be kept; check that the patients' file is at the source's location"
    )]
    NoPersons {
        /// Rows read.
        rows: u64,
    },
    /// No row of a person could be kept, and so none of anything else.
    #[error(
        "no person could be kept: {rejected} of {read} rows read were rejected; the commonest: \
         {commonest}; mend the source"
    )]
    AllRejected {
        /// Rows rejected.
        rejected: u64,
        /// Rows read.
        read: u64,
        /// The commonest reasons, with counts.
        commonest: String,
        /// The same without.
        reasons: String,
    },
    /// Two different natural keys of persons have the same hashed id.
    #[error(
        "{object}, line {line}: the hashed id of this person is also that of another one, at \
         {other_object}, line {other_line}; name the source system otherwise, which changes the \
         hashes"
    )]
    Collision {
        /// The object of the one row.
        object: String,
        /// Where the row stands in it.
        line: u64,
        /// The object of the other row.
        other_object: String,
        /// Where that row stands in it.
        other_line: u64,
    },
    /// Two source systems have persons of the same id.
    #[error(
        "sources '{system}' and '{other_system}' have persons of the same person_id: whether these \
         are the same people is not known; give one of them other ids, or read each into records \
         of its own"
    )]
    SharedPerson {
        /// The one system.
        system: String,
        /// The other.
        other_system: String,
    },
    /// More rows were rejected than the job allows.
    #[error(
        "{rejected} of {read} rows read were rejected, {limit} allowed; the commonest: {commonest}; \
         mend the source or raise --max-rejects"
    )]
    TooManyRejects {
        /// Rows rejected.
        rejected: u64,
        /// Rows read.
        read: u64,
        /// What the job allows, in words.
        limit: String,
        /// The commonest reasons, with counts.
        commonest: String,
        /// The same without.
        reasons: String,
    },
    /// One of the two, without numbers of rows.
    #[error("{what}; the commonest reasons: {reasons}; mend the source")]
    Rejected {
        /// What is wrong.
        what: String,
        /// The commonest reasons.
        reasons: String,
    },
    /// Rows got lost or were counted twice: a bug in farr.
    #[error(
        "{system}, {source_table}: {kept} rows kept, {merged} merged and {rejected} rejected do \
         not add up to {read} read; this is a bug in farr"
    )]
    Balance {
        /// The source system.
        system: String,
        /// Its table.
        source_table: String,
        /// Rows read.
        read: u64,
        /// Rows kept.
        kept: u64,
        /// Rows merged.
        merged: u64,
        /// Rows rejected.
        rejected: u64,
    },
    /// What only a bug in farr can break.
    #[error("table {table}: {broken}; this is a bug in farr")]
    Bug {
        /// The table.
        table: Table,
        /// What is not so.
        broken: &'static str,
    },
    /// A row or a reject of a source table or object that no source named.
    #[error("rows or rejects of a source table or object not registered; this is a bug in farr")]
    Unregistered,
    /// An object of which rows may be missing, since nobody said that it was
    /// read to its end.
    #[error("{object}: was not read to its end; this is a bug in farr")]
    Unfinished {
        /// The object's path.
        object: String,
    },
    /// An object that was another one for another part of the pull.
    #[error("{object}: changed while it was read; read the sources anew, all parts of them")]
    Changed {
        /// The object's path.
        object: String,
    },
    /// Ranges of an object that do not make it up.
    #[error(
        "{object}: of the ranges that were read of it one ends at {end}, and the next starts at \
         {start}; a part is missing or stands twice, or a quoted field with a line break lies \
         where the object was divided: read the sources without dividing them"
    )]
    Ranges {
        /// The object's path.
        object: String,
        /// Where the one ends.
        end: u64,
        /// Where the next starts.
        start: u64,
    },
    /// A build that was asked to stop.
    #[error("stopped; the store is unfinished")]
    Stopped,
    /// A number of shards that is no power of two, or too large.
    #[error("{found} shards; expected a power of two, at most {}", crate::SHARDS_MAX)]
    ShardCount {
        /// The number found.
        found: u32,
    },
    /// The temporary file that rows are kept in while they are sorted could not
    /// be used.
    #[error("temporary file: could not {action}: {source}; free space, or set TMPDIR")]
    Spill {
        /// What was tried: `make`, `list`, `remove`, `open`, `read`, `write`.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A place could not be read from or written to.
    #[error(transparent)]
    Store(#[from] farr_store::Error),
    /// A Parquet file of a store could not be read or made.
    #[error("{object}: {source}; build the records anew")]
    Parquet {
        /// The object.
        object: String,
        /// What the reader or writer says.
        source: ParquetError,
    },
    /// A store's manifest could not be read or made.
    #[error("{object}: {source}; build the records anew")]
    Manifest {
        /// The object.
        object: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A store whose layout this farr does not know.
    #[error("{object}: format version {found}, expected {expected}; build the records anew")]
    FormatVersion {
        /// The object.
        object: String,
        /// The version found.
        found: u32,
        /// The version that this farr reads.
        expected: u32,
    },
    /// A store that has no such shard.
    #[error("shard {shard}: the store has {count} shards")]
    UnknownShard {
        /// The shard asked for.
        shard: crate::ShardId,
        /// How many shards the store has.
        count: u32,
    },
    /// A folder or file cannot be read.
    #[error("{folder}: {source}")]
    Folder {
        /// Where.
        folder: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not the Parquet that it should be.
    #[error("{file}: {source}; is it a Parquet file?")]
    OmopParquet {
        /// Which file.
        file: String,
        /// What the reader says.
        source: ParquetError,
    },
    /// A value of a file that is none of its column's.
    #[error(
        "{file}, row {row}, column '{column}': found a value of type {found} that is not \
         {expected}; mend the export, or read it with farr ingest, which sets such rows apart with \
         their reasons, and run cohorts over the records (--records)"
    )]
    OmopValue {
        /// Which file.
        file: String,
        /// The row in it, from 1.
        row: u64,
        /// The column, as OMOP names it.
        column: &'static str,
        /// The type that the file has it as.
        found: String,
        /// What the value should be.
        expected: &'static str,
    },
    /// A column of a file whose type is not one of such values.
    #[error("{file}, column '{column}': type {found}, expected {expected}; {remedy}")]
    OmopType {
        /// Which file.
        file: String,
        /// The column, as OMOP names it.
        column: &'static str,
        /// The type that the file has it as.
        found: String,
        /// What it should hold.
        expected: &'static str,
        /// How to mend it.
        remedy: &'static str,
    },
    /// A column that must stand once in a file, and does not.
    #[error("{file}: found the column '{column}' {times} times, expected once; export it so")]
    OmopColumn {
        /// Which file.
        file: String,
        /// The column, as OMOP names it.
        column: &'static str,
        /// How often it stands there, in any letter case.
        times: usize,
    },
    /// A folder's name that gives a column a value that is none of its.
    #[error(
        "{file}: a folder's name gives the column '{column}' a value that is not {expected}; name \
         the folder otherwise, or write the column into the files"
    )]
    OmopFolderName {
        /// A file in the folder.
        file: String,
        /// The column, as OMOP names it.
        column: &'static str,
        /// What the value should be.
        expected: &'static str,
    },
    /// A table's folder that holds nothing to read.
    #[error(
        "{folder}: no file in it, or in the folders below, ends in .parquet; write the table there \
         as Parquet, or take the folder away"
    )]
    OmopEmpty {
        /// The folder.
        folder: String,
    },
    /// A table's folder of another format than plain Parquet.
    #[error(
        "{folder}: '{mark}' shows a {format} table, whose folder may hold files that are no longer \
         part of it; export it as plain Parquet"
    )]
    OmopFormat {
        /// The folder.
        folder: String,
        /// What shows the format.
        mark: String,
        /// The format.
        format: &'static str,
    },
}

impl Error {
    /// The same without numbers of rows, which go to restricted zones only.
    #[must_use]
    pub fn without_counts(self) -> Self {
        match self {
            Self::TooManyRejects { limit, reasons, .. } => {
                let what = format!("more rows were rejected than the job allows ({limit})");
                Self::Rejected { what, reasons }
            }
            Self::AllRejected { reasons, .. } => {
                Self::Rejected { what: "no person could be kept".to_owned(), reasons }
            }
            other => other,
        }
    }
}
