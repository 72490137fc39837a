//! Rows of text without quotes: they end with their line, and fields at their
//! delimiters.

use std::ops::Range;

use arrow::array::{BooleanBufferBuilder, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// So much text is looked at together: little enough to stay in the processor's
/// cache while field after field is copied.
const STRETCH_BYTES: usize = if cfg!(any(test, fuzzing)) { 100 } else { 1 << 17 };

/// The first lines of a text, about [`STRETCH_BYTES`], or one that is longer; the
/// last line may lack its end. Where quotes count, lines up to the first with one.
pub(crate) fn stretch(text: &[u8], has_quotes: bool) -> &[u8] {
    let quote_in = |text| has_quotes.then(|| memchr::memchr(b'"', text)).flatten();
    let first = &text[..text.len().min(STRETCH_BYTES)];
    if let Some(quote) = quote_in(first) {
        let end = memchr::memrchr(b'\n', &first[..quote]);
        return &text[..end.map_or(0, |end| end + 1)];
    }
    if first.len() == text.len() {
        return text;
    }
    if let Some(end) = memchr::memrchr(b'\n', first) {
        return &text[..=end];
    }
    let end = memchr::memchr(b'\n', &text[STRETCH_BYTES..]);
    let line = &text[..end.map_or(text.len(), |end| STRETCH_BYTES + end + 1)];
    if quote_in(line).is_some() { &[] } else { line }
}

/// Where delimiters and line ends stand in a text, in order.
pub(crate) fn marks(text: &[u8], delimiter: u8, mut found: impl FnMut(usize)) {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (start, block) in blocks.iter().enumerate().map(|(i, block)| (i * BLOCK, block)) {
        let mut bits = bits_of(&block.map(|byte| u8::from(byte == delimiter || byte == b'\n')));
        while bits != 0 {
            found(start + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
    for (i, byte) in rest.iter().enumerate() {
        if *byte == delimiter || *byte == b'\n' {
            found(text.len() - rest.len() + i);
        }
    }
}

/// Bytes that are looked at together, a bit for each.
const BLOCK: usize = u64::BITS as usize;

/// A bit for each byte, which is 0 or 1.
#[inline]
fn bits_of(bytes: &[u8; BLOCK]) -> u64 {
    const WORD: usize = size_of::<u64>();
    bytes.as_chunks::<WORD>().0.iter().enumerate().fold(0, |bits, (i, word)| {
        // Brings the lowest bit of each byte into the highest byte.
        let gathered = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits | gathered << (i * WORD)
    })
}

/// Appends a field of a text.
#[inline]
pub(crate) fn append(bytes: &mut Vec<u8>, text: &[u8], field: Range<usize>) {
    let length = bytes.len() + field.len();
    // A copy of known length is one of a few steps: what is too much is cut off
    // again.
    if !(copy::<16>(bytes, text, &field) || copy::<48>(bytes, text, &field)) {
        bytes.extend_from_slice(&text[field]);
    }
    bytes.truncate(length);
}

/// Copies so many bytes, if the field is no longer and they are there.
#[inline]
fn copy<const BYTES: usize>(bytes: &mut Vec<u8>, text: &[u8], field: &Range<usize>) -> bool {
    match text[field.start..].first_chunk::<BYTES>() {
        Some(chunk) if field.len() <= BYTES => {
            bytes.extend_from_slice(chunk);
            true
        }
        _ => false,
    }
}

/// Texts of a column, one behind the other; an empty one is null.
pub(crate) struct Texts {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { bytes: Vec::new(), offsets: vec![0] }
    }
}

impl Texts {
    pub(crate) fn push(&mut self, field: &str) {
        self.bytes.extend_from_slice(field.as_bytes());
        self.offsets.push(self.bytes.len() as i32);
    }

    /// Makes room for so many times as many texts.
    pub(crate) fn reserve(&mut self, times: usize) {
        self.bytes.reserve(self.bytes.len() * times + self.bytes.len() / 8);
        self.offsets.reserve(self.offsets.len() * times + self.offsets.len() / 8);
    }

    /// Takes fields of a text: where they start and end.
    pub(crate) fn extend(
        &mut self,
        text: &[u8],
        spans: impl ExactSizeIterator<Item = (usize, usize)>,
    ) {
        self.offsets.reserve(spans.len());
        for (start, end) in spans {
            append(&mut self.bytes, text, start..end);
            self.offsets.push(self.bytes.len() as i32);
        }
    }

    /// The texts.
    ///
    /// # Panics
    /// If they are not UTF-8: fields come from text that is, and end with ASCII.
    pub(crate) fn finish(self) -> StringArray {
        let is_some = |span: &[i32]| span[0] < span[1];
        let nulls = (!self.offsets.windows(2).all(is_some)).then(|| {
            let mut valid = BooleanBufferBuilder::new(self.offsets.len() - 1);
            self.offsets.windows(2).for_each(|span| valid.append(is_some(span)));
            NullBuffer::new(valid.finish())
        });
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        StringArray::new(offsets, Buffer::from_vec(self.bytes), nulls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn marks_are_where_they_stand(
            text in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::sample::select(b",\n-\x0b\xac\x8a\0\xff".to_vec()),
                    proptest::num::u8::ANY,
                ],
                0..300,
            ),
        ) {
            let mut found = Vec::new();
            marks(&text, b',', |at| found.push(at));
            let is_mark = |at: &usize| [b',', b'\n'].contains(&text[*at]);
            proptest::prop_assert_eq!(found, (0..text.len()).filter(is_mark).collect::<Vec<_>>());
        }

        #[test]
        fn stretches_are_whole_lines(text in "([a-z\"]{0,3}[a-z]{0,60}\n){0,9}[a-z]{0,150}\"?") {
            let (mut rest, mut n_lines) = (text.as_bytes(), 0);
            while !rest.is_empty() {
                let lines = stretch(rest, false);
                proptest::prop_assert!(lines.ends_with(b"\n") || lines.len() == rest.len());
                let breaks = memchr::memchr_iter(b'\n', lines).count();
                proptest::prop_assert!(lines.len() <= STRETCH_BYTES || breaks <= 1);
                // What comes before a line with a quote, or within the stretch.
                let plain = stretch(rest, true);
                proptest::prop_assert!(lines.starts_with(plain) && !plain.contains(&b'"'));
                proptest::prop_assert!(plain.is_empty() || plain.ends_with(b"\n") || plain == rest);
                let next = lines[plain.len()..].split_inclusive(|b| *b == b'\n').next();
                proptest::prop_assert!(next.is_none_or(|line| line.contains(&b'"')));
                n_lines += breaks;
                rest = &rest[lines.len()..];
            }
            proptest::prop_assert_eq!(n_lines, text.matches('\n').count());
        }
    }
}
