//! Places: locations, retries, atomic publishing, checksums; the single door
//! through which anything is written.
//!
//! The one central decision: every place, local folders included, is an
//! `object_store`, and the only way to write to one takes a
//! [`Labelled`](farr_disclosure::Labelled) value and checks it against the
//! place's zone. Calls block: the rooms above are synchronous, and the
//! asynchronous runtime stays in here.
//!
//! It does not know what the bytes mean.

mod error;
mod local;
mod location;
mod open;
mod publication;
mod read;
mod runtime;
mod write;

#[cfg(test)]
mod suite;

pub use error::Error;
pub use location::{Location, ObjectInfo};
pub use publication::{Publication, Published};
pub use read::{ObjectReader, Sha256Hash};
pub use write::{ObjectWriter, Written};
