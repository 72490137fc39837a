//! What can go wrong with places.

use std::error::Error as StdError;
use std::io;

use farr_disclosure::{Label, Zone};
use object_store::client::{HttpError, HttpErrorKind};

use crate::retry::is_about_certificates;

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
    /// An option of a location that there is not, or that has a wrong value.
    #[error("location '{url}', option '{option}': {reason}")]
    Option {
        /// The url, without credentials.
        url: String,
        /// The option; its value may be a secret.
        option: String,
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
    /// A place that does not answer.
    #[error("{object}: could not {action}: the place does not answer: {source}")]
    Unreachable {
        /// The object's or folder's url.
        object: String,
        /// What was tried.
        action: &'static str,
        /// What the client says.
        source: object_store::Error,
    },
    /// Credentials that are missing or wrong.
    #[error(
        "{object}: could not {action}: the credentials are missing or wrong; set them in the \
         environment: {source}"
    )]
    Unauthenticated {
        /// The object's or folder's url.
        object: String,
        /// What was tried.
        action: &'static str,
        /// What the store says.
        source: object_store::Error,
    },
    /// A right that the credentials do not give.
    #[error("{object}: no permission to {action}: {source}")]
    PermissionDenied {
        /// The object's or folder's url.
        object: String,
        /// What was tried.
        action: &'static str,
        /// What the store says.
        source: object_store::Error,
    },
    /// A clock that is wrong, here or there.
    #[error(
        "{object}: could not {action}: this machine's clock and the store's differ too much; set \
         this machine's clock (NTP) and try again: {source}"
    )]
    ClockSkew {
        /// The object's or folder's url.
        object: String,
        /// What was tried.
        action: &'static str,
        /// What the store says.
        source: object_store::Error,
    },
    /// A certificate that this machine does not trust.
    #[error(
        "{object}: could not {action}: the server's certificate is not trusted; name its authority \
         in the location's option 'ca_certificate': {source}"
    )]
    Certificate {
        /// The object's or folder's url.
        object: String,
        /// What was tried.
        action: &'static str,
        /// What the client says.
        source: object_store::Error,
    },
    /// A disk or quota that is full.
    #[error("{object}: could not {action}: no space is left")]
    Full {
        /// The object's url.
        object: String,
        /// What was tried.
        action: &'static str,
    },
    /// A request that the kind of store does not know.
    #[error("{object}: this kind of store cannot {action}")]
    Unsupported {
        /// The object's or folder's url.
        object: String,
        /// What was tried.
        action: &'static str,
    },
    /// A listing over plain HTTP.
    #[error(
        "{object}: nothing can be listed over http; name the objects (files = \"a.csv,b.csv\"), or \
         an object there that names one a line (files_from = \"files.txt\")"
    )]
    NoListing {
        /// The location's url.
        object: String,
    },
    /// Writing to a place that can only be read.
    #[error("{object}: http can only be read; write to a folder or a bucket")]
    ReadOnly {
        /// The object's url.
        object: String,
    },
    /// An object that is not what was written, or changed while it was read.
    #[error("{object}: changed while it was in use, by something other than this run")]
    Changed {
        /// The object's url.
        object: String,
    },
    /// A request that failed otherwise, after retries.
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
    /// A name that cannot be a run's folder.
    #[error("run name '{run}': expected letters, digits, '.', '_' or '-', not starting with '.'")]
    RunName {
        /// The name.
        run: String,
    },
    /// A run that a pointer names and that therefore never changes.
    #[error("{folder}: is published and does not change any more")]
    Published {
        /// The run's folder.
        folder: String,
    },
    /// Work that another process does at the moment.
    #[error("{object}: another process is at it ('{holder}'); try again when it has ended")]
    Held {
        /// The lease's url.
        object: String,
        /// The process that holds it.
        holder: String,
    },
    /// A lease that went to another process, which took this one to be dead.
    #[error("{object}: another process took over, since this one gave no sign for too long")]
    LeaseLost {
        /// The lease's url.
        object: String,
    },
    /// A run that no pointer names.
    #[error("{folder}: is not published")]
    Unpublished {
        /// The run's folder.
        folder: String,
    },
    /// A local file or folder that cannot be removed.
    #[error("{path}: could not be removed: {source}")]
    Removal {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A pointer that cannot be read.
    #[error("{object}: is no pointer to a run; expected JSON with a key 'run'")]
    Pointer {
        /// The pointer's url.
        object: String,
    },
    /// A local link that cannot be set.
    #[error("{link}: could not be set: {source}")]
    Link {
        /// The link's path.
        link: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    /// The error of a request, sorted by what mends it.
    pub(crate) fn of_request(
        object: String,
        action: &'static str,
        source: object_store::Error,
    ) -> Self {
        use object_store::Error as Store;
        match source {
            Store::NotFound { .. } => Self::NotFound { object },
            Store::AlreadyExists { .. } => Self::Exists { object },
            Store::Precondition { .. } => Self::Changed { object },
            Store::NotImplemented { .. } | Store::NotSupported { .. } => {
                Self::Unsupported { object, action }
            }
            source => match cause_of(&source) {
                Some(Cause::Clock) => Self::ClockSkew { object, action, source },
                Some(Cause::Credentials) => Self::Unauthenticated { object, action, source },
                Some(Cause::Certificate) => Self::Certificate { object, action, source },
                Some(Cause::Unreachable) => Self::Unreachable { object, action, source },
                Some(Cause::Denied) => Self::PermissionDenied { object, action, source },
                Some(Cause::Full) => Self::Full { object, action },
                None => Self::Request { object, action, source },
            },
        }
    }
}

/// What stores write into their answers when a clock is wrong.
const CLOCK: [&str; 4] =
    ["RequestTimeTooSkewed", "RequestExpired", "date header too old", "reasonable timeframe"];

/// What they write when credentials are missing or wrong, though they answer
/// with 403 like where a right is missing; and where roles were asked for in
/// vain, since there were no other credentials.
const CREDENTIALS: [&str; 10] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "<Code>AuthenticationFailed</Code>",
    "Server failed to authenticate the request",
    "<Code>InvalidAuthenticationInfo</Code>",
    "169.254.169.254",
    "169.254.170.2",
    "metadata.google.internal",
];

fn cause_of(error: &object_store::Error) -> Option<Cause> {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&CLOCK) {
        return Some(Cause::Clock);
    }
    if says(&CREDENTIALS) {
        return Some(Cause::Credentials);
    }
    match error {
        object_store::Error::PermissionDenied { .. } => Some(Cause::Denied),
        object_store::Error::Unauthenticated { .. } => Some(Cause::Credentials),
        _ if says(&["<Code>AccessDenied</Code>", "(code: AccessDenied)"]) => Some(Cause::Denied),
        error => deepest(error),
    }
}

enum Cause {
    Clock,
    Credentials,
    Certificate,
    Unreachable,
    Denied,
    Full,
}

/// What the chain of sources says that the outermost error does not.
fn deepest(error: &object_store::Error) -> Option<Cause> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    let mut cause = None;
    while let Some(error) = next {
        if let Some(http) = error.downcast_ref::<HttpError>() {
            cause = match http.kind() {
                _ if is_about_certificates(http) => Some(Cause::Certificate),
                HttpErrorKind::Connect
                | HttpErrorKind::Request
                | HttpErrorKind::Timeout
                | HttpErrorKind::Interrupted => Some(Cause::Unreachable),
                _ => cause,
            };
        }
        if let Some(system) = error.downcast_ref::<io::Error>() {
            cause = match system.kind() {
                io::ErrorKind::PermissionDenied => Some(Cause::Denied),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Cause::Full),
                _ => cause,
            };
        }
        next = error.source();
    }
    cause
}
