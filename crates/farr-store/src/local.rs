//! Local files, read and written without a detour over the runtime, which costs
//! two changes of thread each time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::Error;
use crate::location::generic;

/// Bytes of a file in a folder; `None` for a name that is not plainly a path
/// below it, and wherever anything is amiss: then the store says what.
pub(crate) fn read_range(folder: &Path, path: &str, range: &Range<u64>) -> Option<Bytes> {
    read(&open(folder, path)?, range).ok()
}

/// A file in a folder, of which ranges will be read; `None` as with [`read_range`].
pub(crate) fn open(folder: &Path, path: &str) -> Option<File> {
    File::open(plain(folder, path)?).ok()
}

fn plain(folder: &Path, path: &str) -> Option<PathBuf> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=".contains(c);
    let is_below = |part: &str| !part.is_empty() && part != "." && part != "..";
    (path.chars().all(is_plain) && path.split('/').all(is_below)).then(|| folder.join(path))
}

/// All bytes of a file in a folder; `None` as with [`read_range`], and for a
/// file that changes meanwhile.
pub(crate) fn read_all(folder: &Path, path: &str) -> Option<Bytes> {
    let mut file = open(folder, path)?;
    let version = |file: &File| {
        let metadata = file.metadata()?;
        io::Result::Ok((metadata.len(), metadata.modified()?))
    };
    let before = version(&file).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(before.0).ok()?);
    file.read_to_end(&mut bytes).ok()?;
    (version(&file).ok()? == before && bytes.len() as u64 == before.0).then(|| bytes.into())
}

/// A range's bytes, as far as the file has them.
pub(crate) fn read(file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    let length = range.end.saturating_sub(range.start);
    // In one go, where `read_to_end` would feel its way.
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], range.start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes.into())
}

/// A file in a local folder that is being written: no listing shows it before
/// it is finished, and without that it is gone.
#[derive(Debug)]
pub struct LocalFile {
    /// Its url.
    object: String,
    file: File,
    unfinished: Unfinished,
    path: PathBuf,
}

#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once the file has its name, nothing is there.
        let _ = fs::remove_file(&self.0);
    }
}

impl LocalFile {
    pub(crate) fn create(folder: &Path, path: &str, object: String) -> Result<Self, Error> {
        let made = Self::made(folder, path);
        let (file, unfinished, path) = made.map_err(|source| failed(&object, source))?;
        Ok(Self { object, file, unfinished, path })
    }

    fn made(folder: &Path, path: &str) -> io::Result<(File, Unfinished, PathBuf)> {
        let path = plain(folder, path).ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut unfinished = path.clone().into_os_string();
        // The store lists no file of such a name.
        unfinished.push("#0");
        let unfinished = Unfinished(PathBuf::from(unfinished));
        let mut options = File::options();
        let file =
            options.read(true).write(true).create(true).truncate(true).open(&unfinished.0)?;
        Ok((file, unfinished, path))
    }

    /// Puts bytes behind those that are there.
    ///
    /// # Errors
    /// [`Error::Full`], or what else kept them from being written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| failed(&self.object, source))
    }

    /// Gives the file its name. It can be read on.
    ///
    /// # Errors
    /// Those of renaming.
    pub fn finish(self) -> Result<File, Error> {
        let named = fs::rename(&self.unfinished.0, &self.path);
        named.map_err(|source| failed(&self.object, source))?;
        Ok(self.file)
    }
}

fn failed(object: &str, source: io::Error) -> Error {
    Error::of_request(object.to_owned(), "write", generic(source))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use farr_disclosure::Zone;

    use super::*;
    use crate::Location;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_local_file_is_seen_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let place = Location::folder(folder.path(), Zone::Restricted).unwrap();
        let mut file = place.local_file("work/rows-0").unwrap().unwrap();
        file.append(b"rows").unwrap();
        assert!(place.list("").unwrap().is_empty());
        assert_eq!(names(&folder.path().join("work")), ["rows-0#0"]);
        let mut file = file.finish().unwrap();
        file.seek(SeekFrom::Start(1)).unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "ows");
        assert_eq!(place.read("work/rows-0").unwrap(), "rows");
        drop(place.local_file("work/rows-1").unwrap());
        assert_eq!(names(&folder.path().join("work")), ["rows-0"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("rows-0#0")).unwrap();
        let place = Location::folder(folder.path(), Zone::Restricted).unwrap();
        let mut file = place.local_file("rows-0").unwrap().unwrap();
        let error = file.append(b"rows").unwrap_err();
        assert!(
            matches!(&error, Error::Full { object, .. } if object.ends_with("/rows-0")),
            "{error}"
        );
    }

    #[test]
    fn a_local_file_is_of_a_restricted_folder() {
        let folder = tempfile::tempdir().unwrap();
        let open = Location::folder(folder.path(), Zone::Open).unwrap();
        assert!(matches!(open.local_file("rows-0"), Err(Error::Zone { .. })));
        assert!(Location::memory(Zone::Restricted).local_file("rows-0").unwrap().is_none());
        let place = Location::folder(folder.path(), Zone::Restricted).unwrap();
        assert!(matches!(place.local_file("../rows-0"), Err(Error::Request { .. })));
        assert!(names(folder.path()).is_empty());
    }
}
