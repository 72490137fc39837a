//! Columns of whole numbers that Parquet keeps as places in a dictionary: which
//! rows hold a wanted number is told by their places, and of the others no number
//! is looked up.
//!
//! Only what our writer makes is read here: pages of version 1 without a missing
//! value, all of them places. Whatever else there is, damage too, is left to the
//! general way.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::ROW_GROUP_ROWS;

/// A column chunk of which the dictionary has been read.
pub(crate) struct Dictionary<R: ChunkReader> {
    numbers: Vec<i64>,
    pages: Pages<R>,
    rows: usize,
    has_levels: bool,
}

/// The pages of a column chunk. Those by zstd are decompressed here, by one
/// machinery a thread: the crate sets one up for each chunk, and one that compresses
/// as well, which takes longer than a page.
struct Pages<R: ChunkReader> {
    reader: SerializedPageReader<R>,
    are_zstd: bool,
}

impl<R: ChunkReader> Pages<R> {
    fn of(reader: Arc<R>, group: &RowGroupMetaData, leaf: usize, rows: usize) -> Option<Self> {
        let mut chunk = group.column(leaf).clone();
        let are_zstd = matches!(chunk.compression(), Compression::ZSTD(_));
        if are_zstd {
            let as_they_lie = Compression::UNCOMPRESSED;
            chunk = chunk.into_builder().set_compression(as_they_lie).build().ok()?;
        }
        let reader = SerializedPageReader::new(reader, &chunk, rows, None).ok()?;
        Some(Self { reader, are_zstd })
    }

    /// The next page, if there is one; `None` for a damaged one.
    fn next(&mut self) -> Option<Option<Page>> {
        let mut page = self.reader.get_next_page().ok()?;
        if self.are_zstd
            && let Some(Page::DictionaryPage { buf, .. } | Page::DataPage { buf, .. }) = &mut page
        {
            *buf = decompressed(buf)?;
        }
        Some(page)
    }
}

/// Larger pages are left to the general way.
const PAGE_BYTES_MAX: u64 = 16 << 20;

fn decompressed(page: &[u8]) -> Option<Bytes> {
    thread_local! {
        static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let size = get_frame_content_size(page).ok()?.filter(|size| *size <= PAGE_BYTES_MAX)?;
    ZSTD.with_borrow_mut(|zstd| {
        let zstd = match zstd {
            Some(zstd) => zstd,
            none => none.insert(Decompressor::new().ok()?),
        };
        zstd.decompress(page, size as usize).ok().map(Bytes::from)
    })
}

/// A column chunk: the dictionary, and the rows' places in it.
#[derive(Debug)]
pub(crate) struct Coded {
    numbers: Vec<i64>,
    pages: Vec<Places>,
}

/// Places in a dictionary, as Parquet's hybrid of runs and packed bits has them.
#[derive(Debug)]
struct Places {
    rows: usize,
    bits: usize,
    bytes: Bytes,
}

/// Rows of a row group at most: runs take no bytes, so that damaged ones could be
/// of any length.
const ROWS_MAX: usize = ROW_GROUP_ROWS;

/// Wider places are left to the general way: dictionaries so large are rare.
const BITS_MAX: usize = 16;

impl<R: ChunkReader> Dictionary<R> {
    /// Of a column of a row group; `None` if it has no dictionary of whole numbers.
    pub(crate) fn read(reader: Arc<R>, group: &RowGroupMetaData, leaf: usize) -> Option<Self> {
        let chunk = group.column(leaf);
        let levels = (chunk.column_descr().max_def_level(), chunk.column_descr().max_rep_level());
        let is_plain = chunk.column_type() == Type::INT64 && matches!(levels, (0 | 1, 0));
        if !is_plain || chunk.dictionary_page_offset().is_none() {
            return None;
        }
        let rows = usize::try_from(group.num_rows()).ok().filter(|rows| *rows <= ROWS_MAX)?;
        let mut pages = Pages::of(reader, group, leaf, rows)?;
        let Page::DictionaryPage { buf, num_values, .. } = pages.next()?? else {
            return None;
        };
        let (numbers, rest) = buf.as_chunks();
        // What it leaves out would be taken for what no row has.
        if numbers.len() != num_values as usize || !rest.is_empty() {
            return None;
        }
        let numbers = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        Some(Self { numbers, pages, rows, has_levels: levels.0 > 0 })
    }

    /// The numbers: all that the rows have, if our writer made the file.
    pub(crate) fn numbers(&self) -> &[i64] {
        &self.numbers
    }

    /// Reads the places; `None` unless every row has one.
    pub(crate) fn places(mut self) -> Option<Coded> {
        let (mut pages, mut rows) = (Vec::new(), 0);
        while let Some(page) = self.pages.next()? {
            let Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } = page else {
                return None;
            };
            let is_coded =
                matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
                    && (!self.has_levels || def_level_encoding == Encoding::RLE);
            if !is_coded {
                return None;
            }
            let n_rows = num_values as usize;
            rows += n_rows;
            if rows > self.rows {
                return None;
            }
            let bytes = if self.has_levels { behind_levels(&buf, n_rows)? } else { buf };
            let bits = usize::from(*bytes.first()?);
            if bits > BITS_MAX {
                return None;
            }
            pages.push(Places { rows: n_rows, bits, bytes: bytes.slice(1..) });
        }
        (rows == self.rows).then_some(Coded { numbers: self.numbers, pages })
    }
}

/// What comes after the levels of a page; `None` unless they say that all of its
/// rows have a value.
fn behind_levels(page: &Bytes, rows: usize) -> Option<Bytes> {
    let (length, rest) = page.split_first_chunk()?;
    let levels = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let is_there = |run: Run| matches!(run, Run::Same { place: 1, .. });
    (Runs { bytes: levels, bits: 1, left: rows }.all_rows(is_there))
        .then(|| page.slice(length.len() + levels.len()..))
}

impl Coded {
    /// The rows whose place in the dictionary is wanted, ascending; `None` for
    /// places that are damaged.
    pub(crate) fn rows_where(&self, wanted: &BooleanBuffer) -> Option<Vec<u32>> {
        let n_rows: usize = self.pages.iter().map(|page| page.rows).sum();
        let (mut rows, mut start) = (Vec::with_capacity(n_rows / 8), 0);
        for page in &self.pages {
            let mut answers = vec![OUTSIDE; 1 << page.bits];
            for (answer, is_wanted) in answers.iter_mut().zip(wanted) {
                *answer = u32::from(is_wanted);
            }
            let scanned = page.runs().all_rows(|run| {
                let first = start as u32;
                start += run.rows();
                match run {
                    Run::Same { place, rows: n_rows } => match answers.get(place) {
                        Some(1) => rows.extend(first..first + n_rows as u32),
                        Some(0) => {}
                        _ => return false,
                    },
                    Run::Packed(packed) => return packed.scan(&answers, first, &mut rows),
                }
                true
            });
            if !scanned {
                return None;
            }
        }
        Some(rows)
    }

    /// The numbers of rows, which ascend; `None` where places are damaged.
    pub(crate) fn numbers_at(&self, rows: &[u32]) -> Option<Vec<i64>> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut rows = rows.iter().map(|row| *row as usize).peekable();
        let mut start = 0;
        for page in &self.pages {
            let found = page.runs().all_rows(|run| {
                let end = start + run.rows();
                while let Some(row) = rows.next_if(|row| *row < end) {
                    let Some(number) = self.numbers.get(run.place(row - start)) else {
                        return false;
                    };
                    numbers.push(*number);
                }
                start = end;
                true
            });
            if !found {
                return None;
            }
        }
        rows.next().is_none().then_some(numbers)
    }
}

impl Places {
    fn runs(&self) -> Runs<'_> {
        Runs { bytes: &self.bytes, bits: self.bits, left: self.rows }
    }
}

/// The runs of some rows' places.
struct Runs<'a> {
    bytes: &'a [u8],
    bits: usize,
    /// Rows that are still to come.
    left: usize,
}

#[derive(Clone, Copy)]
enum Run<'a> {
    /// Rows of one place.
    Same {
        place: usize,
        rows: usize,
    },
    Packed(Packed<'a>),
}

/// Places of at least one bit and at most [`BITS_MAX`], one after the other.
#[derive(Clone, Copy)]
struct Packed<'a> {
    bytes: &'a [u8],
    bits: usize,
    rows: usize,
}

impl<'a> Runs<'a> {
    /// Whether the runs have all rows, and something holds of each.
    fn all_rows(&mut self, mut holds: impl FnMut(Run<'a>) -> bool) -> bool {
        while self.left > 0 {
            let Some(run) = self.next_run() else { return false };
            if !holds(run) {
                return false;
            }
        }
        true
    }

    /// `None` where the bytes end too early.
    #[inline]
    fn next_run(&mut self) -> Option<Run<'a>> {
        let head = self.number()?;
        let length = (head >> 1) as usize;
        let is_packed = head & 1 == 1;
        let rows = if is_packed { length.saturating_mul(8) } else { length }.min(self.left);
        self.left -= rows;
        if self.bits == 0 {
            return (rows > 0).then_some(Run::Same { place: 0, rows });
        }
        if is_packed {
            // The last run may be cut where its rows end.
            let n_bytes = length.saturating_mul(self.bits).min(self.bytes.len());
            let bytes = self.bytes.split_off(..n_bytes)?;
            let is_whole = rows > 0 && rows * self.bits <= n_bytes * 8;
            return is_whole.then_some(Run::Packed(Packed { bytes, bits: self.bits, rows }));
        }
        let bytes = self.bytes.split_off(..self.bits.div_ceil(8))?;
        let place = bytes.iter().rev().fold(0, |place, byte| place << 8 | usize::from(*byte));
        // Whole bytes have room for more than the bits of a place.
        let is_whole = rows > 0 && place >> self.bits == 0;
        is_whole.then_some(Run::Same { place, rows })
    }

    /// A number of seven bits a byte, the lowest first.
    #[inline]
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = *self.bytes.split_off_first()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl Run<'_> {
    #[inline]
    fn rows(&self) -> usize {
        match self {
            Self::Same { rows, .. } => *rows,
            Self::Packed(packed) => packed.rows,
        }
    }

    /// The place of one of its rows.
    #[inline]
    fn place(&self, row: usize) -> usize {
        match self {
            Self::Same { place, .. } => *place,
            Self::Packed(packed) => {
                let bit = row * packed.bits;
                let word = word_at(packed.bytes, bit / 8) >> (bit % 8);
                word as usize & ((1 << packed.bits) - 1)
            }
        }
    }
}

/// The answer to a place that the dictionary does not have: above the bits of
/// eight rows' answers.
const OUTSIDE: u32 = 1 << 8;

impl Packed<'_> {
    /// Adds the rows, the first of which is `first`, whose place has the answer 1;
    /// false if one is outside the dictionary. There is an answer to each place.
    fn scan(&self, answers: &[u32], first: u32, rows: &mut Vec<u32>) -> bool {
        for start in (0..self.rows).step_by(u64::BITS as usize) {
            let (mut wanted, mut outside) = (0, 0);
            let groups = (self.rows - start).div_ceil(8).min(8);
            for group in 0..groups {
                let answered = self.answers_of_eight(start / 8 + group, answers);
                wanted |= u64::from(answered & 0xff) << (group * 8);
                outside |= u64::from(answered >> 8) << (group * 8);
            }
            // What fills the last byte up is no row's.
            let those = u64::MAX >> (u64::BITS as usize - (self.rows - start).min(64));
            if outside & those != 0 {
                return false;
            }
            wanted &= those;
            while wanted != 0 {
                rows.push(first + start as u32 + wanted.trailing_zeros());
                wanted &= wanted - 1;
            }
        }
        true
    }

    /// A bit for each of eight rows, and above these those of [`OUTSIDE`].
    #[inline]
    fn answers_of_eight(&self, group: usize, answers: &[u32]) -> u32 {
        let mask = (1u64 << self.bits) - 1;
        let answer = |word: u64| answers.get((word & mask) as usize).copied().unwrap_or(OUTSIDE);
        // Eight places fill whole bytes, and four of them a word at most.
        let bytes = group * self.bits;
        let mut low = word_at(self.bytes, bytes);
        let mut high = word_at(self.bytes, bytes + self.bits / 2) >> (self.bits % 2 * 4);
        let mut all = 0;
        for at in 0..4 {
            all |= answer(low) << at | answer(high) << (at + 4);
            low = low.wrapping_shr(self.bits as u32);
            high = high.wrapping_shr(self.bits as u32);
        }
        all
    }
}

/// Eight bytes from a place on, those behind the end as zeros.
#[inline]
fn word_at(bytes: &[u8], place: usize) -> u64 {
    let rest = bytes.get(place..).unwrap_or_default();
    rest.first_chunk().map_or_else(
        || rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        |bytes| u64::from_le_bytes(*bytes),
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::ZstdLevel;
    use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
    use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
    use proptest::prelude::*;

    use super::*;
    use crate::vocabulary::IdSet;

    /// A Parquet file of one column, of which a page has few rows.
    fn file(numbers: Int64Array, version: WriterVersion) -> (Arc<Bytes>, ParquetMetaData) {
        let numbers = Arc::new(numbers) as ArrayRef;
        let is_nullable = numbers.len().is_multiple_of(2) || numbers.null_count() > 0;
        let compression = match numbers.len() % 3 {
            0 => Compression::UNCOMPRESSED,
            _ => Compression::ZSTD(ZstdLevel::default()),
        };
        let rows = RecordBatch::try_from_iter_with_nullable([("n", numbers, is_nullable)]);
        let properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_compression(compression)
            .set_writer_version(version)
            .set_write_batch_size(50)
            .set_data_page_row_count_limit(300)
            .build();
        let rows = rows.unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let bytes = Bytes::from(bytes);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
        (Arc::new(bytes), metadata)
    }

    fn dictionary((bytes, metadata): &(Arc<Bytes>, ParquetMetaData)) -> Option<Dictionary<Bytes>> {
        Dictionary::read(bytes.clone(), metadata.row_group(0), 0)
    }

    fn wanted_rows(coded: &Coded, ids: &IdSet) -> Option<Vec<u32>> {
        coded.rows_where(&ids.contains_each(&coded.numbers))
    }

    /// Numbers of which some come often, some in long runs.
    fn numbers() -> impl Strategy<Value = Vec<i64>> {
        let run = (0..400_u64, prop_oneof![4 => Just(1_usize), 1 => 1..60_usize]);
        (prop::collection::vec(run, 1..500), 1..400_u64).prop_map(|(runs, kinds)| {
            let number = |kind: u64| (kind % kinds).wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64;
            let runs = runs.into_iter();
            runs.flat_map(|(kind, n)| std::iter::repeat_n(number(kind), n)).collect()
        })
    }

    proptest! {
        #[test]
        fn rows_and_numbers_are_those_of_the_column(numbers in numbers(), one_in in 1..9_usize) {
            let file = file(Int64Array::from(numbers.clone()), WriterVersion::PARQUET_1_0);
            let coded = dictionary(&file).unwrap().places().unwrap();
            let ids = IdSet::new(numbers.iter().copied().step_by(one_in * 7).collect());
            let rows = wanted_rows(&coded, &ids).unwrap();
            let obvious = (0..numbers.len()).filter(|row| ids.contains(numbers[*row]));
            prop_assert_eq!(&rows, &obvious.map(|row| row as u32).collect::<Vec<_>>());
            for rows in [rows, (0..numbers.len() as u32).step_by(one_in).collect()] {
                let there: Vec<i64> = rows.iter().map(|row| numbers[*row as usize]).collect();
                prop_assert_eq!(coded.numbers_at(&rows), Some(there));
            }
            prop_assert_eq!(coded.numbers_at(&[numbers.len() as u32]), None);
        }

        #[test]
        fn damage_is_left_to_others(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            bits in 0..=BITS_MAX,
            rows in 0..2_000_usize,
            known in 0..300_i64,
        ) {
            let bytes = Bytes::from(bytes);
            let numbers: Vec<i64> = (0..known).collect();
            let coded = Coded { numbers, pages: vec![Places { rows, bits, bytes: bytes.clone() }] };
            let all: Vec<u32> = (0..rows as u32).collect();
            // Both ways find the same, and both find the same damage.
            let found = coded.numbers_at(&all);
            let wanted = wanted_rows(&coded, &IdSet::new((0..known).step_by(3).collect()));
            let obvious = found.map(|numbers| {
                all.iter().copied().filter(|row| numbers[*row as usize] % 3 == 0).collect()
            });
            prop_assert_eq!(wanted, obvious);
            behind_levels(&bytes, rows);
        }

        #[test]
        fn a_damaged_file_breaks_nothing(numbers in numbers(), place in 0..4_000_usize, byte in any::<u8>()) {
            let (bytes, metadata) = file(Int64Array::from(numbers), WriterVersion::PARQUET_1_0);
            let mut bytes = bytes.to_vec();
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            let file = (Arc::new(bytes.into()), metadata);
            if let Some(coded) = dictionary(&file).and_then(Dictionary::places) {
                wanted_rows(&coded, &IdSet::new(vec![0]));
                coded.numbers_at(&[0, 5]);
            }
        }
    }

    #[test]
    fn what_else_parquet_has_is_left_to_others() {
        let few = || (0..500).map(|row| row % 7);
        let coded = |numbers: Int64Array, version| {
            dictionary(&file(numbers, version)).and_then(Dictionary::places)
        };
        let (first, second) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
        assert!(coded(Int64Array::from_iter_values(few()), first).is_some());
        assert!(coded(Int64Array::from_iter_values(few()), second).is_none());
        let some = few().map(|number| (number > 0).then_some(number));
        assert!(coded(some.collect(), first).is_none());
    }
}
