//! Who may see what: the labels of tables, zones and their policy, small-cell
//! suppression, rounding, pseudonyms.
//!
//! The one central decision: a label is part of a value's type, and only the
//! code of this crate can make the label [`Releasable`]. Whatever is written
//! anywhere passes `farr-store`'s write door as a [`Labelled`] value, so a table
//! of persons in an open zone is not a mistake that can be compiled. The road
//! not taken: a flag on tables, checked at the last step, which every new
//! writer would have to remember.
//!
//! The way of a number: an analysis makes an [`AggregateTable`] and declares
//! what its counts have to do with each other; for an open zone, all tables
//! and documents of a run go through [`release_run`] together, whose module
//! says what it promises and what it does not.
//!
//! The properties, and the files that hold them: nothing but `release` and a
//! [`Document`] without counts makes a [`Releasable`] value (`label.rs`,
//! `release/mod.rs`, `document.rs`); no small count and nothing that gives one
//! away is in it (`release/suppress.rs`, proven for each by
//! `release/witness.rs`); what a zone takes (`zone.rs`).
//!
//! Pure: no I/O, and no knowledge of records, cohorts or reports.

mod document;
mod error;
mod label;
mod policy;
mod release;
mod table;
mod zone;

pub use document::{Count, Document, Node};
pub use error::Error;
pub use label::{Aggregate, Label, Labelled, Level, PersonLevel, Releasable};
pub use policy::Policy;
pub use release::{Released, release, release_run};
pub use table::{
    AggregateTable, CellReference, ColumnDescription, Curve, IntoColumn, Role, TableBuilder, Term,
};
pub use zone::Zone;
