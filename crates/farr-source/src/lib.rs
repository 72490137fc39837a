//! One module per export format: bytes in, records and rejects out.
//!
//! The one central decision: a CSV is split by a tokenizer that knows line and
//! column of every field, and rows stay text until they are typed, not
//! strictly, by Polars; a value that became null is a reject with its place.
//! What an export's columns are called in which year is data ([`Format`]'s
//! layouts), not branches. The road not taken: a CSV reader that types while it
//! reads, which can neither keep nor place a bad row.
//!
//! It does not know how records are sorted, merged or stored
//! (`farr-records`): it writes to an [`Intake`].

mod bridge;
mod clock;
mod cutting;
mod decode;
mod error;
pub mod export;
mod layout;
mod mapping;
mod objects;
mod omop;
mod outgoing;
mod pipeline;
mod rows;
mod settings;
mod synthea;
mod tokens;
mod typing;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use mapping::{Mapping, Target, read_vocabulary};
pub use settings::{AbsentColumn, Format, SourceSettings, SourceSummary, TableSummary};

use farr_records::Intake;
use farr_store::Location;

/// Checks what can be known of settings without reading the export: the time
/// zone.
///
/// # Errors
/// [`Error::Setting`], with the nearest name.
pub fn check(settings: &SourceSettings) -> Result<(), Error> {
    clock::Clock::new(&settings.system, &settings.timezone).map(drop)
}

/// Reads an export: every row goes to `intake`, as a record or as a reject.
///
/// `vocabulary` maps the codes of formats that carry codes (Synthea); without
/// it each code becomes a local concept. OMOP exports are mapped already.
///
/// # Errors
/// A table or column that must be there and is not, an object that cannot be
/// read to its end, a setting that names nothing; or what the intake refuses.
pub fn read<I>(
    settings: &SourceSettings,
    location: &Location,
    vocabulary: Option<&Mapping>,
    intake: &I,
) -> Result<SourceSummary, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    match settings.format {
        Format::SyntheaCsv => synthea::read(settings, location, vocabulary, intake),
        Format::Omop => omop::read(settings, location, intake),
    }
}
