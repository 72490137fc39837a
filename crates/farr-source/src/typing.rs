//! Texts into numbers, not strictly: what cannot be one becomes null, and the
//! caller tells that from an empty text. Polars does the reading.

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, StringArray,
};
use arrow::datatypes::{Float64Type, Int64Type};
use polars::prelude::{DataType, Series};

use crate::Error;
use crate::bridge::{to_array, to_series};

/// Whole numbers below this are exact as doubles; it is the nearest to the one
/// above it, too.
pub(crate) const EXACT_END: f64 = 9_007_199_254_740_992.0;
/// ... as single-precision numbers, and as half-precision ones.
pub(crate) const EXACT_END_SINGLE: f64 = 16_777_216.0;
pub(crate) const EXACT_END_HALF: f64 = 2048.0;

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

fn read_as(text: &StringArray, data_type: &DataType) -> Result<ArrayRef, Error> {
    let series: Series = to_series("text", text)?;
    let failed = |source| Error::Frame { object: "a column of text".to_owned(), source };
    to_array(&series.cast(data_type).map_err(failed)?)
}

/// Real numbers; blanks around them are allowed, infinities are not.
pub(crate) fn numbers(text: &StringArray) -> Result<Float64Array, Error> {
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
    let whole = integers_of_numbers(&numbers(text)?, EXACT_END);
    let either = |i: usize| {
        if read.is_valid(i) {
            return Some(read.value(i));
        }
        let text = trimmed.is_valid(i).then(|| trimmed.value(i))?;
        match text.split_once('.') {
            Some((before, nought)) if !nought.is_empty() && nought.bytes().all(|b| b == b'0') => {
                before.parse().ok()
            }
            _ => whole.is_valid(i).then(|| whole.value(i)),
        }
    };
    Ok((0..text.len()).map(either).collect())
}

/// Decimals that are whole, as such; null where they are not.
pub(crate) fn integers_of_decimals(decimals: &Decimal128Array, scale: i8) -> Int64Array {
    let unit = u32::try_from(scale).ok().and_then(|scale| 10_i128.checked_pow(scale));
    let whole = |value: i128| {
        let unit = unit?;
        (value % unit == 0).then(|| i64::try_from(value / unit).ok()).flatten()
    };
    decimals.iter().map(|value| value.and_then(whole)).collect()
}

/// Real numbers that are whole and lie where such are exact, as such; null where
/// they are not.
pub(crate) fn integers_of_numbers(numbers: &Float64Array, exact_end: f64) -> Int64Array {
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() < exact_end).then_some(x as i64);
    numbers.iter().map(|x| x.and_then(whole)).collect()
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
    use super::*;

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
        assert_eq!(whole[11..], [Some(9_007_199_254_740_993), None, None]);
        let real: Vec<_> = numbers(&text).unwrap().iter().collect();
        assert_eq!(real[3], Some(12.5));
        assert_eq!((real[7], real[8], real[10]), (None, None, None));
    }
}
