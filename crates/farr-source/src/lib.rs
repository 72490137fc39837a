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
mod chunks;
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
mod plain;
mod rows;
mod settings;
mod share;
mod synthea;
mod text;
mod tokens;
mod typing;
mod unheard;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use mapping::{Mapping, Target, read_vocabulary};
pub use objects::listed;
pub use settings::{Format, SourceSettings, SourceSummary, TableSummary};
pub use share::Share;

use farr_records::Intake;
use farr_store::{Location, ObjectInfo};
use share::Division;

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
/// Of a [`Share`] only its rows go to the intake, and hardly more than these
/// are read: text is divided between rows, Parquet between row groups,
/// compressed text not at all. Where quoted fields hold much that looks like
/// rows, a guess tells where the rows of a share start; the records notice a
/// wrong one when shares are joined.
///
/// # Errors
/// A table or column that must be there and is not, an object that cannot be
/// read to its end, a setting that names nothing; or what the intake refuses.
pub fn read<I>(
    settings: &SourceSettings,
    location: &Location,
    vocabulary: Option<&Mapping>,
    share: Share,
    intake: &I,
) -> Result<SourceSummary, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    read_divided(settings, location, vocabulary, Division::of(share), intake)
}

fn read_divided<I>(
    settings: &SourceSettings,
    location: &Location,
    vocabulary: Option<&Mapping>,
    division: Division,
    intake: &I,
) -> Result<SourceSummary, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    match settings.format {
        Format::SyntheaCsv => synthea::read(settings, location, vocabulary, division, intake),
        Format::Omop => omop::read(settings, location, division, intake),
    }
}

/// The objects that [`read`] would read, by path, as they are listed: none is
/// opened.
///
/// # Errors
/// [`Error::Store`] if the location cannot be listed, and wrong settings.
pub fn inputs(settings: &SourceSettings, location: &Location) -> Result<Vec<ObjectInfo>, Error> {
    match settings.format {
        Format::SyntheaCsv => synthea::objects(settings, location),
        Format::Omop => omop::objects(settings, location, false),
    }
}

/// The objects that [`read_vocabulary`] would read, as [`inputs`] gives them.
///
/// # Errors
/// Those of [`inputs`].
pub fn vocabulary_inputs(location: &Location) -> Result<Vec<ObjectInfo>, Error> {
    omop::objects(&mapping::settings_of_vocabulary(), location, true)
}
