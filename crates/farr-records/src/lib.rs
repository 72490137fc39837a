//! and manifest on storage, vocabulary and concept sets, ids and dates as types.
//!
//! The one central decision is the shard contract (after MEDS): a person is in
//! exactly one shard, their rows of a table are contiguous and sorted by start
//! date and id. It is checked on write and on read, and everything downstream
//! is simple because of it. The road not taken: a row store or hash maps by
//! person.
//!
//! It does not know where records came from (`farr-source`), nor what is asked
//! of them (`farr-cohort`, `farr-analysis`).

mod build;
mod cohorts;
mod concept_set;
mod day;
mod encoding;
mod error;
mod folders;
mod ids;
mod incoming;
mod manifest;
mod members;
mod narrow;
mod numbers;
mod omop_parquet;
mod omop_parts;
mod parquet_file;
mod schema;
mod shard;
mod store;
mod vocabulary;

pub use build::{
    BuildSettings, Builder, Built, Progress, Pulled, RejectsMax, SpillPlace, TableRejects, Watch,
    build,
};
pub use cohorts::{CohortKey, CohortSort, cohort_schema};
pub use concept_set::{ConceptReference, ConceptSetExpression, ConceptSetItem, ConceptSetWarning};
pub use day::{Day, Interval};
pub use error::Error;
pub use folders::{is_hidden, partition_of, shown_path};
pub use ids::{ConceptId, IdHasher, PersonId, SHARDS_MAX, ShardId, hash_of_person};
pub use incoming::{
    Derivations, FinalIds, Incoming, Intake, Line, LocalCode, LocalCodes, ObjectId, ObjectRead,
    RangeRead, Reject, SourceTableId, dictionary_of_texts,
};
pub use manifest::{
    Balance, Derived, DrugEraBasis, FORMAT_VERSION, FileEntry, MANIFEST_PATH, Manifest,
    RecordsMade, RepeatedIds, TableEntry,
};
pub use members::{Member, Members, Origin};
pub use numbers::{texts_of_numbers, whole_number, whole_numbers};
pub use omop_parquet::OmopParquet;
pub use omop_parts::OmopParts;
pub use parquet_file::{batches, check_footer, guarded, parquet_bytes};
pub use schema::{Column, Kind, Scope, Table};
pub use shard::{Shard, TableRows, sorted_by_person};
pub use store::{Batches, ColumnSummary, RecordsStore, TableSummary};
pub use vocabulary::{RowKey, Vocabulary};
