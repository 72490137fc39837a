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

mod buffers;
mod copy;
mod error;
mod files;
mod lease;
mod local;
mod location;
mod mark;
mod open;
mod pinned;
mod probe;
mod publication;
mod read;
mod retry;
mod runtime;
mod write;

pub use error::Error;
pub use lease::{Lease, LeaseTiming};
pub use local::LocalFile;
pub use location::{Location, ObjectInfo, Ranges};
pub use pinned::{Blocks, Pinned};
pub use publication::{Publication, Published};
pub use read::{BLOCK_BYTES, ObjectReader, Sha256Hash};
pub use write::{ObjectWriter, Written};
