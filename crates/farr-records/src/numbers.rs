//! Numbers of any type as whole numbers and as text, exactly: shared by all that
//! reads what other tools wrote.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, i256};

/// Where whole numbers of a floating type are no longer exact: there it has one
/// for several, of which its first is the nearest to the one above it, too.
fn exact_end(data_type: &DataType) -> Option<f64> {
    match data_type {
        DataType::Float16 => Some(f64::from(1 << 11)),
        DataType::Float32 => Some(f64::from(1 << 24)),
        DataType::Float64 => Some((1_u64 << 53) as f64),
        _ => None,
    }
}

/// The whole numbers of a column of numbers, exactly; null where a number is not
/// whole, not exact (of 2^53 or more as a double) or none of 64 bits. `None` for a
/// column of anything else.
pub fn whole_numbers(column: &ArrayRef) -> Option<Int64Array> {
    let of = |read: &dyn Fn(usize) -> Option<i64>| {
        (0..column.len()).map(|row| column.is_valid(row).then(|| read(row)).flatten()).collect()
    };
    match column.data_type() {
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().clone()),
        whole if whole.is_integer() || *whole == DataType::Boolean => {
            // Numbers that are too large become null.
            let read = cast(column, &DataType::Int64).ok()?;
            Some(read.as_primitive::<Int64Type>().clone())
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            whole_numbers(&cast(column, &DataType::Decimal128(*precision, *scale)).ok()?)
        }
        DataType::Decimal128(_, scale) => {
            let values = column.as_primitive::<Decimal128Type>();
            let power = 10_i128.checked_pow(u32::from(scale.unsigned_abs()));
            let whole = |value: i128| match (power, *scale > 0) {
                _ if value == 0 => Some(0),
                (Some(power), true) => (value % power == 0).then(|| value / power),
                (Some(power), false) => value.checked_mul(power),
                (None, _) => None,
            };
            Some(of(&|row| i64::try_from(whole(values.value(row))?).ok()))
        }
        DataType::Decimal256(_, scale) => {
            let values = column.as_primitive::<Decimal256Type>();
            let ten = i256::from_i128(10);
            let power =
                (0..scale.unsigned_abs()).try_fold(i256::ONE, |power, _| power.checked_mul(ten));
            let whole = |value: i256| match (power, *scale > 0) {
                _ if value == i256::ZERO => Some(value),
                (Some(power), true) => {
                    let is_whole = value.checked_rem(power)? == i256::ZERO;
                    if is_whole { value.checked_div(power) } else { None }
                }
                (Some(power), false) => value.checked_mul(power),
                (None, _) => None,
            };
            Some(of(&|row| i64::try_from(whole(values.value(row))?.to_i128()?).ok()))
        }
        real => {
            let end = exact_end(real)?;
            let values = cast(column, &DataType::Float64).ok()?;
            let values = values.as_primitive::<Float64Type>();
            let whole =
                |value: f64| (value.fract() == 0.0 && value.abs() < end).then_some(value as i64);
            Some(of(&|row| whole(values.value(row))))
        }
    }
}

/// The whole number that a decimal text is (`12`, `-7.00`, `1.2e3`), digit by
/// digit: a real number would round those of 16 digits and more.
pub fn whole_number(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    if before.len() + after.len() == 0 {
        return None;
    }
    // So many of the digits stand before the point.
    let point = i64::try_from(before.len()).ok()? + i64::from(exponent);
    let mut value: i64 = 0;
    let mut place = 0;
    for digit in before.bytes().chain(after.bytes()) {
        let digit = i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        if place < point {
            // Downwards, since there is one number more below nought than above.
            value = value.checked_mul(10)?.checked_sub(digit)?;
        } else if digit != 0 {
            return None;
        }
        place += 1;
    }
    while place < point && value != 0 {
        value = value.checked_mul(10)?;
        place += 1;
    }
    if is_negative { Some(value) } else { value.checked_neg() }
}

/// Real and decimal numbers as text, without a needless fraction (`12.0`, `0.70`);
/// null where there is none. `None` for a column of anything else.
pub fn texts_of_numbers(column: &ArrayRef) -> Option<StringArray> {
    let kind = column.data_type();
    if !kind.is_floating() && !kind.is_decimal() {
        return None;
    }
    let shown = cast(column, &DataType::Utf8).ok()?;
    let short = |text| match text {
        "NaN" | "inf" | "-inf" => None,
        // With an exponent noughts may be its.
        _ if !text.contains('.') || text.contains(['e', 'E']) => Some(text),
        _ => Some(text.trim_end_matches('0').trim_end_matches('.')),
    };
    Some(shown.as_string::<i32>().iter().map(|text| text.and_then(short)).collect())
}
