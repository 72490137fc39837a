//! Parts of local files, read without a detour over the runtime: a run reads
//! hundreds of them, and each detour costs two changes of thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Bytes of a file in a folder; `None` for a name that is not plainly a path
/// below it, and wherever anything is amiss: then the store says what.
pub(crate) fn read_range(folder: &Path, path: &str, range: &Range<u64>) -> Option<Bytes> {
    read(&plain(folder, path)?, range).ok()
}

fn plain(folder: &Path, path: &str) -> Option<PathBuf> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=".contains(c);
    let is_below = |part: &str| !part.is_empty() && part != "." && part != "..";
    (path.chars().all(is_plain) && path.split('/').all(is_below)).then(|| folder.join(path))
}

/// All bytes of a file in a folder; `None` as with [`read_range`], and for a
/// file that changes meanwhile.
pub(crate) fn read_all(folder: &Path, path: &str) -> Option<Bytes> {
    let mut file = File::open(plain(folder, path)?).ok()?;
    let version = |file: &File| {
        let metadata = file.metadata()?;
        io::Result::Ok((metadata.len(), metadata.modified()?))
    };
    let before = version(&file).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(before.0).ok()?);
    file.read_to_end(&mut bytes).ok()?;
    (version(&file).ok()? == before && bytes.len() as u64 == before.0).then(|| bytes.into())
}

fn read(path: &Path, range: &Range<u64>) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let length = range.end.saturating_sub(range.start);
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start))?;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    let read = file.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
