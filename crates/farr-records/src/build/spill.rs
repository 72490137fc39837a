//! Where rows lie until their shard is built: segments, appended by any
//! thread, read back in any order.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use farr_store::{LocalFile, Location, ObjectWriter};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::SpillPlace;
use crate::Error;

/// A part of what was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Which of the objects, where rows are kept in several.
    file: u32,
    offset: u64,
    length: u64,
}

impl Segment {
    /// Some of its bytes.
    pub(super) fn part(self, bytes: Range<u64>) -> Self {
        Self { offset: self.offset + bytes.start, length: bytes.end - bytes.start, ..self }
    }

    /// How many bytes it has.
    pub(crate) fn length(self) -> u64 {
        self.length
    }

    /// So many bytes of it, and the rest.
    pub(crate) fn split_at(self, bytes: u64) -> (Self, Self) {
        (self.part(0..bytes), self.part(bytes..self.length))
    }
}

/// An unnamed file, gone with the process: persons' rows must not outlive it.
pub(crate) struct Scratch {
    file: Mutex<(File, u64)>,
}

impl Scratch {
    /// A file in a folder, else in the system's for temporary files.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, Error> {
        let made = match folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let file = made.map_err(|source| Error::Spill { action: "make", source })?;
        Ok(Self { file: Mutex::new((file, 0)) })
    }

    /// Appends bytes.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<Segment, Error> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = &mut *guard;
        let segment = Segment { file: 0, offset: *end, length: bytes.len() as u64 };
        let mut write = || -> io::Result<()> {
            file.seek(SeekFrom::Start(*end))?;
            file.write_all(bytes)
        };
        write().map_err(|source| Error::Spill { action: "write", source })?;
        *end += bytes.len() as u64;
        Ok(segment)
    }

    /// The bytes of a segment.
    pub(crate) fn read(&self, segment: Segment) -> Result<Vec<u8>, Error> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        read_at(&mut guard.0, segment)
    }
}

fn read_at(file: &mut File, segment: Segment) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(segment.length as usize);
    let mut read = || -> io::Result<()> {
        file.seek(SeekFrom::Start(segment.offset))?;
        let read = file.take(segment.length).read_to_end(&mut bytes)?;
        if read as u64 == segment.length {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    };
    read().map_err(|source| Error::Spill { action: "read", source })?;
    Ok(bytes)
}

/// Bytes of an object of kept rows, about: stores bound the size of one.
const FILE_BYTES: u64 = 8 << 30;

/// An object of kept rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowsFile {
    pub(super) path: String,
    pub(super) size: u64,
    /// XXH3 of 128 bits, in hexadecimal: it is to find damage, not deceit.
    pub(super) hash: String,
}

/// What [`RowsFile`] says of bytes.
pub(super) fn said_of(hasher: &Xxh3) -> String {
    format!("{:032x}", hasher.digest128())
}

/// Where rows go while sources are read.
pub(super) enum RowsOut {
    Temporary(Scratch),
    Near(Box<Mutex<Near>>),
    Far(Box<Mutex<Far>>),
}

/// A file in a local folder; made when the first rows come.
pub(super) struct Near {
    location: Location,
    file: Option<LocalFile>,
    size: u64,
    hasher: Xxh3,
}

/// Objects far away, and a copy at hand.
pub(super) struct Far {
    location: Location,
    /// The object that is being written, its bytes so far and their hash.
    writer: Option<(ObjectWriter, u64, Box<Xxh3>)>,
    files: Vec<RowsFile>,
    copy: Scratch,
}

impl RowsOut {
    pub(super) fn new(place: &SpillPlace) -> Result<Self, Error> {
        let location = match place {
            SpillPlace::Temporary(folder) => {
                return Ok(Self::Temporary(Scratch::new(folder.as_deref())?));
            }
            SpillPlace::Kept(location) => location.clone(),
        };
        if location.local_folder().is_some() {
            remove_unfinished(&location)?;
            let (file, hasher) = (None, Xxh3::new());
            return Ok(Self::Near(Box::new(Mutex::new(Near { location, file, size: 0, hasher }))));
        }
        let (files, copy) = (Vec::new(), Scratch::new(None)?);
        Ok(Self::Far(Box::new(Mutex::new(Far { location, writer: None, files, copy }))))
    }

    /// Appends bytes.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<Segment, Error> {
        match self {
            Self::Temporary(scratch) => scratch.append(bytes),
            Self::Near(near) => near.lock().unwrap_or_else(PoisonError::into_inner).append(bytes),
            Self::Far(far) => far.lock().unwrap_or_else(PoisonError::into_inner).append(bytes),
        }
    }

    /// Ends the writing. Gives the objects, if rows are kept.
    pub(super) fn close(self) -> Result<(RowsIn, Vec<RowsFile>), Error> {
        match self {
            Self::Temporary(scratch) => Ok((RowsIn::Scratch(vec![0], scratch), Vec::new())),
            Self::Near(near) => near.into_inner().unwrap_or_else(PoisonError::into_inner).close(),
            Self::Far(far) => far.into_inner().unwrap_or_else(PoisonError::into_inner).close(),
        }
    }
}

/// Removes what a process that was killed left of rows in a local folder, under
/// names that no listing shows.
fn remove_unfinished(location: &Location) -> Result<(), Error> {
    let Some(folder) = location.local_folder() else { return Ok(()) };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::Spill { action: "list", source }),
    };
    for entry in entries {
        let path = entry.map_err(|source| Error::Spill { action: "list", source })?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("rows-") && name.contains('#') {
            let removed = std::fs::remove_file(&path);
            removed.map_err(|source| Error::Spill { action: "remove", source })?;
        }
    }
    Ok(())
}

fn path_of(place: usize) -> String {
    format!("rows-{place:05}")
}

impl Near {
    fn append(&mut self, bytes: &[u8]) -> Result<Segment, Error> {
        let bug = || Error::Spill { action: "make", source: io::ErrorKind::Unsupported.into() };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.location.local_file(&path_of(0))?.ok_or_else(bug)?),
        };
        file.append(bytes)?;
        self.hasher.update(bytes);
        let segment = Segment { file: 0, offset: self.size, length: bytes.len() as u64 };
        self.size += bytes.len() as u64;
        Ok(segment)
    }

    fn close(self) -> Result<(RowsIn, Vec<RowsFile>), Error> {
        let Some(file) = self.file else { return Ok((RowsIn::Files(Vec::new()), Vec::new())) };
        let file = file.finish()?;
        let (path, hash) = (path_of(0), said_of(&self.hasher));
        let files = vec![RowsFile { path, size: self.size, hash }];
        Ok((RowsIn::Files(vec![Mutex::new(file)]), files))
    }
}

impl Far {
    /// Ends the object that is being written.
    fn finish(&mut self) -> Result<(), Error> {
        let Some((writer, _, hasher)) = self.writer.take() else { return Ok(()) };
        let size = writer.finish()?.size;
        let (path, hash) = (path_of(self.files.len()), said_of(&hasher));
        self.files.push(RowsFile { path, size, hash });
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<Segment, Error> {
        if self.writer.as_ref().is_some_and(|(_, size, _)| *size >= FILE_BYTES) {
            self.finish()?;
        }
        let place = self.files.len();
        let (writer, size, hasher) = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let writer = self.location.writer(&path_of(place))?;
                none.insert((writer, 0, Box::new(Xxh3::new())))
            }
        };
        writer.write_all(bytes).map_err(|source| match source.downcast::<farr_store::Error>() {
            Ok(error) => Error::Store(error),
            Err(source) => Error::Spill { action: "write", source },
        })?;
        hasher.update(bytes);
        self.copy.append(bytes)?;
        let segment = Segment { file: place as u32, offset: *size, length: bytes.len() as u64 };
        *size += bytes.len() as u64;
        Ok(segment)
    }

    fn close(mut self) -> Result<(RowsIn, Vec<RowsFile>), Error> {
        self.finish()?;
        let starts = self.files.iter().scan(0, |end, file| {
            *end += file.size;
            Some(*end - file.size)
        });
        let starts = starts.collect();
        Ok((RowsIn::Scratch(starts, self.copy), self.files))
    }
}

/// Rows at rest.
pub(super) enum RowsIn {
    /// In a temporary file, with the place in it where each object's bytes
    /// start.
    Scratch(Vec<u64>, Scratch),
    Files(Vec<Mutex<File>>),
    Far(Location, Vec<String>),
}

impl RowsIn {
    /// The rows that objects hold.
    pub(super) fn open(location: &Location, files: &[RowsFile]) -> Result<Self, Error> {
        let Some(folder) = location.local_folder() else {
            let paths = files.iter().map(|file| file.path.clone());
            return Ok(Self::Far(location.clone(), paths.collect()));
        };
        let open = |file: &RowsFile| Ok(Mutex::new(File::open(folder.join(&file.path))?));
        let opened = files.iter().map(open).collect::<io::Result<_>>();
        opened.map(Self::Files).map_err(|source| Error::Spill { action: "open", source })
    }

    /// The bytes of a segment.
    fn read(&self, segment: Segment) -> Result<Buffer, Error> {
        let missing = || Error::Spill { action: "read", source: io::ErrorKind::NotFound.into() };
        let place = segment.file as usize;
        Ok(match self {
            Self::Scratch(starts, scratch) => {
                let start = starts.get(place).ok_or_else(missing)?;
                let segment = Segment { offset: start + segment.offset, ..segment };
                Buffer::from_vec(scratch.read(segment)?)
            }
            Self::Files(files) => {
                let file = files.get(place).ok_or_else(missing)?;
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                Buffer::from_vec(read_at(&mut file, segment)?)
            }
            Self::Far(location, paths) => {
                let path = paths.get(place).ok_or_else(missing)?;
                let range = segment.offset..segment.offset + segment.length;
                Buffer::from(location.read_range(path, range)?)
            }
        })
    }

    /// The bytes of segments. Those that lie one behind the other are read at
    /// once.
    pub(super) fn bytes_of(&self, segments: &[Segment]) -> Result<Vec<Buffer>, Error> {
        let mut read = Vec::with_capacity(segments.len());
        let follows =
            |a: &Segment, b: &Segment| a.file == b.file && a.offset + a.length == b.offset;
        for run in segments.chunk_by(follows) {
            let length = run.iter().map(|segment| segment.length).sum();
            let bytes = self.read(Segment { length, ..run[0] })?;
            let start = run[0].offset;
            let slice = |s: &Segment| {
                bytes.slice_with_length((s.offset - start) as usize, s.length as usize)
            };
            read.extend(run.iter().map(slice));
        }
        Ok(read)
    }
}

/// A batch as the bytes of an Arrow IPC stream.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let bytes = Vec::with_capacity(batch.num_rows() * 64 + 4096);
    let mut writer = StreamWriter::try_new(bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.into_inner()
}

/// The batch of the bytes that [`encode`] made.
pub(crate) fn decode(mut bytes: Buffer) -> Result<RecordBatch, ArrowError> {
    let mut decoder = StreamDecoder::new();
    while !bytes.is_empty() {
        if let Some(batch) = decoder.decode(&mut bytes)? {
            return Ok(batch);
        }
    }
    Err(ArrowError::IpcError("a segment without a batch".to_owned()))
}
