//! What can go wrong with places.

use farr_disclosure::{Label, Zone};

/// What can go wrong with places.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A url that names no place farr can reach.
    #[error(
        "location '{url}': {reason}; expected a path, file://, s3://bucket/prefix, \
         gs://bucket/prefix, az://container/prefix or https://host/path"
    )]
    Url {
        /// The url, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An object that is not there.
    #[error("{object}: no such object")]
    NotFound {
        /// The object's url.
        object: String,
    },
    /// An object that exists already and was to be made.
    #[error("{object}: exists already")]
    Exists {
        /// The object's url.
        object: String,
    },
    /// A request that failed, after retries.
    #[error("{object}: could not {action}: {source}")]
    Request {
        /// The object's or folder's url.
        object: String,
        /// What was tried: `read`, `list`, `write`, `delete`.
        action: &'static str,
        /// What the store says.
        source: object_store::Error,
    },
    /// A value that the place's zone does not take.
    #[error("{object}: the zone '{zone}' takes no {label} content; write it to a restricted zone")]
    Zone {
        /// The object's url.
        object: String,
        /// The place's zone.
        zone: Zone,
        /// The content's label.
        label: Label,
    },
}
