//! The temporary file that rows lie in until their shard is built: segments,
//! appended by any thread, read back in any order.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;

use crate::Error;

/// A part of the spill file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    offset: u64,
    length: usize,
}

/// An unnamed file, gone with the process: persons' rows must not outlive it.
pub(crate) struct Spill {
    file: Mutex<(File, u64)>,
}

impl Spill {
    /// A spill file in a folder, else in the system's for temporary files.
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
        let segment = Segment { offset: *end, length: bytes.len() };
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
        let mut bytes = vec![0; segment.length];
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = &mut guard.0;
        let mut read = || -> io::Result<()> {
            file.seek(SeekFrom::Start(segment.offset))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(|source| Error::Spill { action: "read", source })?;
        Ok(bytes)
    }
}

/// A batch as the bytes of an Arrow IPC stream.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::with_capacity(batch.num_rows() * 64 + 4096);
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// The batch of the bytes that [`encode`] made.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<RecordBatch, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut buffer = Buffer::from_vec(bytes);
    while !buffer.is_empty() {
        if let Some(batch) = decoder.decode(&mut buffer)? {
            return Ok(batch);
        }
    }
    Err(ArrowError::IpcError("a segment without a batch".to_owned()))
}
