//! An object's bytes, decompressed while they are read and hashed.

use std::io::{self, BufReader, Cursor, Read};

use farr_store::{Location, Sha256Hash};
use flate2::read::MultiGzDecoder;

use crate::Error;

/// A stream of an object's content, with a handle to the hash of its bytes as
/// they are stored, complete once the stream has been read to its end.
pub(crate) struct Content {
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) hash: Box<dyn Fn() -> Sha256Hash + Send>,
}

/// Opens an object. What its first bytes say counts, not its name; but a name
/// that promises compression must keep it, so that a truncated object is seen.
pub(crate) fn open(location: &Location, path: &str) -> Result<Content, Error> {
    let mut stored = location.reader(path)?;
    let hash = Box::new(stored.hash());
    let damaged = |source| Error::Damaged { object: location.url_of(path), source };
    let mut magic = Vec::with_capacity(4);
    (&mut stored).take(4).read_to_end(&mut magic).map_err(damaged)?;
    let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
    let is_zstd = magic == [0x28, 0xb5, 0x2f, 0xfd];
    let promised = crate::objects::compression_of(path);
    if promised.is_some() && !is_gzip && !is_zstd {
        let found = "named as compressed, but it is not";
        return Err(damaged(io::Error::new(io::ErrorKind::InvalidData, found)));
    }
    let whole = Cursor::new(magic).chain(stored);
    let reader: Box<dyn Read + Send> = if is_gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)))
    } else if is_zstd {
        Box::new(zstd::Decoder::new(whole).map_err(damaged)?)
    } else {
        Box::new(whole)
    };
    Ok(Content { reader, hash })
}
