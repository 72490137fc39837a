//! Publishing a run: a folder that never changes, and one small pointer put
//! last.
//!
//! A run's objects lie in `runs/<run>/`; `pointers/<20 digits>.json` names the
//! run, is made by put-if-absent, and the highest number counts. So a reader
//! who follows the pointer sees the old set or the new one, and two runs that
//! publish at once both do, one after the other. In a local folder a link
//! `latest` follows the pointer.

use std::io;
use std::path::Path;

use bytes::Bytes;
use farr_disclosure::Document;
use serde::Deserialize;

use crate::{Error, Location};

const RUNS: &str = "runs";
const POINTERS: &str = "pointers";
const LATEST: &str = "latest";

/// A run on its way: its objects are written, and nobody sees them.
#[derive(Debug, Clone)]
pub struct Publication {
    location: Location,
    folder: Location,
    run: String,
}

/// A run that a pointer names.
#[derive(Debug, Clone)]
pub struct Published {
    /// The pointer's number: the highest is the current one.
    pub number: u64,
    /// The run's name.
    pub run: String,
    /// The run's folder.
    pub folder: Location,
}

/// The content of a pointer.
#[derive(Deserialize)]
struct Pointer {
    run: String,
}

impl Publication {
    /// Starts to publish a run, whose name holds nothing of persons.
    ///
    /// A run of that name that was cut short is taken up: its objects are
    /// written again.
    ///
    /// # Errors
    /// [`Error::RunName`] for a name that is no folder's, [`Error::Published`]
    /// if a pointer names the run already.
    pub fn begin(location: &Location, run: &str) -> Result<Self, Error> {
        check_name(run)?;
        let folder = Self::folder_of(location, run);
        // There may be a pointer for each night of years, and a request for
        // each: they are read only if the run has objects.
        let has_objects = !folder.list("")?.is_empty();
        if has_objects && Self::latest_of(location, |other| other == run)?.is_some() {
            return Err(Error::Published { folder: folder.url().to_owned() });
        }
        Ok(Self { location: location.clone(), folder, run: run.to_owned() })
    }

    /// The run's folder, to write its objects to.
    pub fn folder(&self) -> &Location {
        &self.folder
    }

    /// Makes the run the current one: puts its pointer, with the next number.
    ///
    /// On a local folder `latest` is set afterwards; a process that dies in
    /// between leaves a link to the run before, and the next commit mends it.
    pub fn commit(self) -> Result<Published, Error> {
        self.point()
    }

    /// Makes a run that a pointer names already the current one again.
    ///
    /// # Errors
    /// [`Error::Unpublished`] if no pointer names it.
    pub fn point_again(location: &Location, run: &str) -> Result<Published, Error> {
        let Some((known, is_current)) = Self::latest_of(location, |other| other == run)? else {
            return Err(Error::Unpublished { folder: location.url_of(&format!("{RUNS}/{run}")) });
        };
        if is_current {
            return Ok(known);
        }
        let (location, folder) = (location.clone(), known.folder);
        Self { location, folder, run: run.to_owned() }.point()
    }

    /// Mends the link `latest` of a local folder, should a process have died
    /// before it set it.
    pub fn mend_link(location: &Location) -> Result<(), Error> {
        follow(location)
    }

    fn point(self) -> Result<Published, Error> {
        let mut number = 1 + highest(&self.location)?.unwrap_or(0);
        let pointer = Document::new("pointer").with("run", self.run.as_str());
        let bytes = serde_json::to_vec(&pointer).map(Bytes::from);
        let object = || self.location.url_of(&pointer_path(number));
        let bytes = bytes.map_err(|_| Error::Pointer { object: object() })?;
        let statement = pointer.clone().statement();
        let statement = statement.ok_or_else(|| Error::Pointer { object: object() })?;
        loop {
            let content = statement.as_ref().map(|_| bytes.clone());
            match self.location.write_if_absent(&pointer_path(number), content) {
                Ok(()) => break,
                // Another run was faster, or a repeated request met itself.
                Err(Error::Exists { .. }) if self.is_own(number)? => break,
                Err(Error::Exists { .. }) => number += 1,
                Err(error) => return Err(error),
            }
        }
        follow(&self.location)?;
        Ok(Published { number, run: self.run, folder: self.folder })
    }

    fn is_own(&self, number: u64) -> Result<bool, Error> {
        Ok(read_pointer(&self.location, number)? == self.run)
    }

    /// The run that the highest pointer names, if there is one.
    pub fn current(location: &Location) -> Result<Option<Published>, Error> {
        let Some(number) = highest(location)? else { return Ok(None) };
        Ok(Some(named(location, number)?))
    }

    /// Of the runs asked for the one that was published last, and whether it is
    /// the current one. Pointers are read from the newest on, until one names
    /// such a run.
    pub fn latest_of(
        location: &Location,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<(Published, bool)>, Error> {
        let mut numbers = numbers(location)?;
        numbers.sort_unstable();
        for (place, number) in numbers.into_iter().rev().enumerate() {
            let published = named(location, number)?;
            if is_wanted(&published.run) {
                return Ok(Some((published, place == 0)));
            }
        }
        Ok(None)
    }

    /// The names of all runs that have a folder, published or not, in order.
    pub fn runs(location: &Location) -> Result<Vec<String>, Error> {
        location.folders(RUNS)
    }

    /// The folder of a run.
    pub fn folder_of(location: &Location, run: &str) -> Location {
        location.below(&format!("{RUNS}/{run}"))
    }

    /// The runs whose folders no pointer names: dead ones, and those that are
    /// still on their way, which only the caller can tell apart.
    pub fn unpublished(location: &Location) -> Result<Vec<String>, Error> {
        // Folders first: a run that is published in between is then named.
        let mut runs = Self::runs(location)?;
        for number in numbers(location)? {
            let named = read_pointer(location, number)?;
            runs.retain(|run| *run != named);
        }
        Ok(runs)
    }

    /// Removes the folder of a run that no pointer names.
    ///
    /// # Errors
    /// [`Error::Published`] if one does.
    pub fn remove(location: &Location, run: &str) -> Result<(), Error> {
        Self::begin(location, run)?.folder.remove_all()
    }
}

pub(crate) fn check_name(run: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if run.is_empty() || run.len() > 200 || run.starts_with('.') || !run.chars().all(fits) {
        return Err(Error::RunName { run: run.to_owned() });
    }
    Ok(())
}

fn pointer_path(number: u64) -> String {
    format!("{POINTERS}/{number:020}.json")
}

/// The numbers of the pointers.
fn numbers(location: &Location) -> Result<Vec<u64>, Error> {
    let objects = location.list(POINTERS)?;
    let number = |path: &str| {
        let name = path.strip_prefix(POINTERS)?.strip_prefix('/')?.strip_suffix(".json")?;
        name.parse::<u64>().ok().filter(|_| name.len() == 20)
    };
    Ok(objects.iter().filter_map(|object| number(&object.path)).collect())
}

fn highest(location: &Location) -> Result<Option<u64>, Error> {
    Ok(numbers(location)?.into_iter().max())
}

fn named(location: &Location, number: u64) -> Result<Published, Error> {
    let run = read_pointer(location, number)?;
    let folder = Publication::folder_of(location, &run);
    Ok(Published { number, run, folder })
}

fn read_pointer(location: &Location, number: u64) -> Result<String, Error> {
    let path = pointer_path(number);
    let bytes = location.read(&path)?;
    let pointer: Option<Pointer> = serde_json::from_slice(&bytes).ok();
    let run = pointer.map(|pointer| pointer.run).filter(|run| check_name(run).is_ok());
    run.ok_or_else(|| Error::Pointer { object: location.url_of(&path) })
}

/// Sets the link `latest` of a local folder to the current run; where another
/// commit comes in between, to that one.
fn follow(location: &Location) -> Result<(), Error> {
    let Some(folder) = location.local_folder() else { return Ok(()) };
    let link = folder.join(LATEST);
    let failed = |source| Error::Link { link: link.display().to_string(), source };
    let mut set = None;
    while let Some(number) = highest(location)?.filter(|&number| set != Some(number)) {
        let target = Path::new(RUNS).join(read_pointer(location, number)?);
        if std::fs::read_link(&link).ok().as_ref() != Some(&target) {
            replace_link(folder, &target, &link).map_err(failed)?;
        }
        set = Some(number);
    }
    Ok(())
}

#[cfg(unix)]
fn replace_link(folder: &Path, target: &Path, link: &Path) -> io::Result<()> {
    // A name of its own, then an atomic rename over the old link.
    let temporary = tempfile::Builder::new().prefix(".latest-").tempdir_in(folder)?;
    let fresh = temporary.path().join(LATEST);
    std::os::unix::fs::symlink(target, &fresh)?;
    std::fs::rename(&fresh, link)
}

#[cfg(not(unix))]
fn replace_link(_: &Path, _: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}
