//! Texts into numbers, not strictly: what cannot be one becomes null, and the
//! caller tells that from an empty text. Polars does the reading.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use farr_records::whole_number;
use polars::prelude::{DataType, Series};

use crate::Error;
use crate::bridge::{to_array, to_series};

/// Texts that say that there is none, as databases write them, in a column of
/// any type.
pub(crate) const MISSING_TEXTS: [&str; 2] = ["NULL", "\\N"];
/// ... and where a number or a date should stand.
const MISSING_VALUES: [&str; 10] =
    ["NULL", "\\N", "null", "(null)", "NA", "<NA>", "NaN", "nan", "NaT", "None"];

/// Whether a text that should be a number or a date says that there is none.
pub(crate) fn means_missing(text: &str) -> bool {
    MISSING_VALUES.contains(&text)
}

/// The texts, null where they say that there is none.
pub(crate) fn with_missing(texts: StringArray) -> StringArray {
    let is_missing = |text: &str| text.len() <= 4 && MISSING_TEXTS.contains(&text);
    // Nearly always there is none: lengths are looked at first.
    if !texts.iter().flatten().any(is_missing) {
        return texts;
    }
    texts.iter().map(|text| text.filter(|text| !is_missing(text))).collect()
}

/// Whether a text would be a number if its comma were a point.
pub(crate) fn has_decimal_comma(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = text.strip_prefix('-').unwrap_or(text).split_once(',');
    parts.is_some_and(|(whole, fraction)| digits(whole) && digits(fraction))
}

/// What is made of each text. One that stands in row after row, as a person's or
/// a visit's does, is looked at once.
pub(crate) fn each_run<'t, T: Copy>(
    texts: &'t StringArray,
    make: impl Fn(&'t str) -> Option<T>,
) -> impl Iterator<Item = Option<T>> {
    let mut last = None;
    texts.iter().map(move |text| {
        let text = text?;
        match last {
            Some((before, made)) if before == text => made,
            _ => {
                let made = make(text);
                last = Some((text, made));
                made
            }
        }
    })
}

fn read_as(text: &StringArray, data_type: &DataType) -> Result<ArrayRef, Error> {
    let series: Series = to_series("text", text)?;
    let failed = |source| Error::Frame { object: "a column of text".to_owned(), source };
    to_array(&series.cast(data_type).map_err(failed)?)
}

/// A number of so few digits that they and the power of ten below them are exact
/// as real numbers, so that their quotient is the nearest to what stands there
/// (Clinger 1990, "How to read floating point numbers accurately").
fn plain_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_number = |digits: &[u8]| digits.first().is_some_and(u8::is_ascii_digit);
    if unsigned.len() > DIGITS_MAX || !is_number(unsigned) {
        return None;
    }
    let (mut digits, mut divisor) = (0_u64, None);
    for byte in unsigned {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                divisor = divisor.map(|divisor: u64| divisor * 10);
            }
            b'.' if divisor.is_none() => divisor = Some(1),
            _ => return None,
        }
    }
    let number = digits as f64 / divisor.unwrap_or(1) as f64;
    Some(if unsigned.len() < text.len() { -number } else { number })
}

/// Numbers of so many digits are below 2^53.
const DIGITS_MAX: usize = 15;

/// Real numbers; blanks around them are allowed, infinities are not.
pub(crate) fn numbers(text: &StringArray) -> Result<Float64Array, Error> {
    let plain = |text: Option<&str>| text.map(plain_number).map_or(Some(None), |n| n.map(Some));
    if let Some(numbers) = text.iter().map(plain).collect() {
        return Ok(numbers);
    }
    let trimmed = trimmed(text);
    let read = read_as(&trimmed, &DataType::Float64)?;
    Ok(finite(read.as_primitive::<Float64Type>()))
}

/// Whole numbers, also when written as real ones (`12.0`).
pub(crate) fn integers(text: &StringArray) -> Result<Int64Array, Error> {
    let trimmed = trimmed(text);
    let read = read_as(&trimmed, &DataType::Int64)?;
    let read = read.as_primitive::<Int64Type>();
    if read.null_count() == text.null_count() {
        return Ok(read.clone());
    }
    let either = |i: usize| {
        if read.is_valid(i) {
            return Some(read.value(i));
        }
        whole_number(trimmed.is_valid(i).then(|| trimmed.value(i))?)
    };
    Ok((0..text.len()).map(either).collect())
}

/// The numbers, null where they are infinite or none.
pub(crate) fn finite(numbers: &Float64Array) -> Float64Array {
    // What lies under nulls may only cost the slow way.
    if numbers.values().iter().all(|x| x.is_finite()) {
        return numbers.clone();
    }
    numbers.iter().map(|x| x.filter(|x| x.is_finite())).collect()
}

/// Texts without blanks around them; one of blanks only is null.
pub(crate) fn trimmed(text: &StringArray) -> StringArray {
    let is_trimmed = |t: &str| {
        let bytes = t.as_bytes();
        !bytes.first().is_none_or(u8::is_ascii_whitespace)
            && !bytes.last().is_none_or(u8::is_ascii_whitespace)
    };
    if text.iter().flatten().all(is_trimmed) {
        return text.clone();
    }
    text.iter().map(|t| t.map(str::trim).filter(|t| !t.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_numbers_are_as_others_read_them(text in "-?[0-9]{0,9}(\\.[0-9]{0,8})?|[-0-9.]{0,6}") {
            if let Some(number) = plain_number(&text) {
                prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
            let texts = StringArray::from(vec![Some(text.as_str()), None]);
            let slowly = StringArray::from(vec![Some(text.as_str()), Some("x")]);
            prop_assert_eq!(numbers(&texts).unwrap(), numbers(&slowly).unwrap());
        }
    }

    #[test]
    fn a_text_that_comes_again_is_made_once() {
        let text = StringArray::from(vec![
            Some("1"),
            Some("1"),
            None,
            Some("1"),
            Some("x"),
            Some("x"),
            Some("2"),
        ]);
        let made = std::cell::Cell::new(0);
        let parse = |text: &str| {
            made.set(made.get() + 1);
            text.parse::<i64>().ok()
        };
        let one = Some(1);
        let all: Vec<_> = each_run(&text, parse).collect();
        assert_eq!(all, [one, one, None, one, None, None, Some(2)]);
        assert_eq!(made.get(), 3);
    }

    #[test]
    fn what_is_no_number_is_null() {
        let text = StringArray::from(vec![
            Some("12"),
            Some(" -7 "),
            Some("12.0"),
            Some("12.5"),
            Some("9223372036854775807"),
            Some("-9223372036854775808"),
            Some("9223372036854775808"),
            Some("12a"),
            Some("inf"),
            Some("1e3"),
            None,
            Some("9007199254740993.0"),
            Some("9007199254740993.5"),
            Some("1e16"),
        ]);
        let whole: Vec<_> = integers(&text).unwrap().iter().collect();
        let (most, least) = (Some(i64::MAX), Some(i64::MIN));
        let expected =
            [Some(12), Some(-7), Some(12), None, most, least, None, None, None, Some(1000), None];
        assert_eq!(whole[..11], expected);
        let large = Some(10_000_000_000_000_000);
        assert_eq!(whole[11..], [Some(9_007_199_254_740_993), None, large]);
        let real: Vec<_> = numbers(&text).unwrap().iter().collect();
        assert_eq!(real[3], Some(12.5));
        assert_eq!((real[7], real[8], real[10]), (None, None, None));
    }
}
