//! The footer of a Parquet object and the bytes of its columns, in few requests.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use farr_store::{Location, Ranges};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};

use super::{KnownSchema, check_footer, guarded};
use crate::Error;

/// How objects are read where a request costs much: up to this size whole, and
/// ranges nearer to each other than this as one.
const REMOTE: Reach = Reach { whole_bytes: 1 << 20, gap_bytes: 1 << 18, tail_bytes: 1 << 16 };

/// ... and where it costs little.
const LOCAL: Reach = Reach { whole_bytes: 1 << 15, gap_bytes: 1 << 13, tail_bytes: 1 << 13 };

/// How a Parquet file ends: the length of the footer before, and four letters.
const TRAILER_BYTES: u64 = 8;

/// How much more is read than is asked for, to save requests.
#[expect(clippy::struct_field_names, reason = "units come last")]
#[derive(Clone, Copy)]
pub(super) struct Reach {
    whole_bytes: u64,
    pub(super) gap_bytes: u64,
    /// What is read of the end of any other object, for its footer.
    tail_bytes: u64,
}

impl Reach {
    pub(super) fn of(location: &Location) -> Self {
        if location.local_folder().is_some() { LOCAL } else { REMOTE }
    }
}

/// What of a footer has to be read.
pub(super) struct Needed<'a> {
    pub(super) statistics: ParquetStatisticsPolicy,
    /// A schema that is not read again.
    pub(super) known: Option<&'a KnownSchema>,
}

impl Needed<'_> {
    pub(super) const ALL: Self = Self { statistics: ParquetStatisticsPolicy::KeepAll, known: None };
}

/// Fetches the end of an object, and reads its footer.
pub(super) fn open(
    (ranges, size): (&Ranges, u64),
    reach: Reach,
    needed: Needed,
) -> Result<(Fetched, ParquetMetaData), Error> {
    let failed = |source| Error::Parquet { object: ranges.url(), source };
    // A footer is small: the last part holds it as a rule.
    let start = if size <= reach.whole_bytes { 0 } else { size - reach.tail_bytes };
    let tail = ranges.read(start..size)?;
    let found = start + tail.len() as u64;
    let mut fetched = Fetched { size, pieces: vec![(start, tail)] };
    let not_parquet =
        || failed(ParquetError::General("cut short: it does not end as Parquet does".to_owned()));
    let footer_end = size.checked_sub(TRAILER_BYTES).filter(|_| found == size);
    let footer_end = footer_end.ok_or_else(not_parquet)?;
    let trailer = fetched.bytes(footer_end, TRAILER_BYTES as usize).map_err(failed)?;
    let length = u64::from((&trailer[..4]).get_u32_le());
    let footer_start = footer_end.checked_sub(length).filter(|_| trailer.ends_with(b"PAR1"));
    let footer_start = footer_start.ok_or_else(not_parquet)?;
    if footer_start < start {
        let bytes = ranges.read(footer_start..size)?;
        fetched.pieces.push((footer_start, bytes));
    }
    let footer = fetched.bytes(footer_start, length as usize).map_err(failed)?;
    let mut options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_column_stats_policy(needed.statistics);
    if let Some(schema) = needed.known.and_then(|known| known.if_of(&footer)) {
        options.set_schema(schema.clone());
    }
    let decode = || {
        let found = ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options))?;
        check_footer(&found, size).map(|()| found)
    };
    let metadata = guarded(decode).map_err(failed)?;
    Ok((fetched, metadata))
}

/// A footer as Arrow reads it: Parquet's own types are the schema's.
pub(super) fn arrow_metadata(
    footer: Arc<ParquetMetaData>,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    guarded(|| ArrowReaderMetadata::try_new(footer, options))
}

/// Which bytes of the file the columns take, close ones joined.
pub(super) fn ranges_of(
    groups: &[RowGroupMetaData],
    columns: &[usize],
    gap_bytes: u64,
) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for group in groups {
        for column in columns {
            let (start, length) = group.column(*column).byte_range();
            ranges.push(start..start + length);
        }
    }
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end + gap_bytes => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The parts of an object that have been fetched.
#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) size: u64,
    /// Where each part starts, and its bytes.
    pub(super) pieces: Vec<(u64, Bytes)>,
}

impl Fetched {
    pub(super) fn holds(&self, range: &Range<u64>) -> bool {
        let holds = |(start, bytes): &(u64, Bytes)| {
            *start <= range.start && range.end <= start + bytes.len() as u64
        };
        self.pieces.iter().any(holds)
    }

    /// Bytes from `start` up to the end of the part that holds it.
    fn tail(&self, start: u64) -> Result<Bytes, ParquetError> {
        let holds = |(at, bytes): &&(u64, Bytes)| *at <= start && start - at < bytes.len() as u64;
        let missing = || ParquetError::EOF("a part that was not fetched".to_owned());
        let (at, bytes) = self.pieces.iter().rev().find(holds).ok_or_else(missing)?;
        Ok(bytes.slice((start - at) as usize..))
    }

    fn bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let range = start..start + length as u64;
        let holds = |(at, bytes): &&(u64, Bytes)| {
            *at <= range.start && range.end <= at + bytes.len() as u64
        };
        let missing = || ParquetError::EOF("a part that was not fetched".to_owned());
        let (at, bytes) = self.pieces.iter().find(holds).ok_or_else(missing)?;
        let offset = (start - at) as usize;
        Ok(bytes.slice(offset..offset + length))
    }
}

impl Length for Fetched {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Fetched {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(self.tail(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.bytes(start, length)
    }
}
