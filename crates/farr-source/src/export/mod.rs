//! Formats written back out: records into pieces of files.
//!
//! Nothing is written here: a format turns tables into [`Piece`]s, and the
//! caller appends those of one file, in order, to wherever it lies, labelled as
//! what they are: rows of persons. Chunks of persons are independent, so that
//! they can be rendered by several threads and a large population streams.

mod columns;
mod omop;
mod synthea;

pub use omop::omop_parquet;
pub use synthea::{SyntheaCsv, Totals};

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file's path below the export's folder.
    pub file: String,
    /// What is appended to it.
    pub bytes: Vec<u8>,
}
