//! Columns of Parquet, as tools write them, into the schema's types: exactly, or
//! not at all. Empty texts and NaN are nulls, as in ingest; any other value that
//! is none of its column's is a misfit. Nothing that Arrow says of a value goes
//! further than this file, since it prints the value.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveBuilder, StringArray, StringBuilder,
    new_null_array,
};
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use crate::Kind;
use crate::numbers::{texts_of_numbers, whole_number, whole_numbers};

/// Why a column cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Its type is not one of such values.
    Type,
    /// The value in this row, from 0.
    Row(usize),
}

const SECONDS_A_DAY: i64 = 86_400;
const MICROS_A_DAY: i64 = SECONDS_A_DAY * 1_000_000;

/// The column with the type of the kind. One that has it already is handed on,
/// but for real numbers, of which those that are none become null.
pub(super) fn read_as(column: &ArrayRef, kind: Kind) -> Result<ArrayRef, Misfit> {
    if kind != Kind::Number && *column.data_type() == kind.data_type() {
        return Ok(column.clone());
    }
    if *column.data_type() == DataType::Null {
        return Ok(new_null_array(&kind.data_type(), column.len()));
    }
    let column = plain(column)?;
    match kind {
        Kind::Person | Kind::Id | Kind::Concept | Kind::Integer => integers(&column),
        Kind::Number => numbers(&column),
        Kind::Date => days(&column),
        Kind::Datetime => times(&column),
        Kind::Text => texts(&column),
    }
}

/// The column without dictionary or runs, its texts as Utf8.
fn plain(column: &ArrayRef) -> Result<ArrayRef, Misfit> {
    match column.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(column, values)?),
        DataType::RunEndEncoded(_, values) => plain(&cast(column, values.data_type())?),
        DataType::LargeUtf8 | DataType::Utf8View => cast(column, &DataType::Utf8),
        // Impala and fastparquet do not mark texts as such.
        DataType::Binary => of_bytes(column, column.as_binary::<i32>().iter()),
        DataType::LargeBinary => of_bytes(column, column.as_binary::<i64>().iter()),
        DataType::BinaryView => of_bytes(column, column.as_binary_view().iter()),
        _ => Ok(column.clone()),
    }
}

/// For types between which every value has its like.
fn cast(column: &dyn Array, to: &DataType) -> Result<ArrayRef, Misfit> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, to, &options).map_err(|_| Misfit::Type)
}

fn of_bytes<'a>(
    column: &dyn Array,
    values: impl Iterator<Item = Option<&'a [u8]>>,
) -> Result<ArrayRef, Misfit> {
    let bytes = column.get_buffer_memory_size();
    let mut texts = StringBuilder::with_capacity(column.len(), bytes);
    for (row, value) in values.enumerate() {
        let text = value.map(std::str::from_utf8).transpose().map_err(|_| Misfit::Row(row))?;
        texts.append_option(text);
    }
    Ok(Arc::new(texts.finish()))
}

/// What becomes of the values, one by one: a value, a null, or `None` for a
/// misfit.
fn each<T: ArrowPrimitiveType>(
    column: &dyn Array,
    read: impl Fn(usize) -> Option<Option<T::Native>>,
) -> Result<ArrayRef, Misfit> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(column.len());
    for row in 0..column.len() {
        let value = if column.is_null(row) { None } else { read(row).ok_or(Misfit::Row(row))? };
        values.append_option(value);
    }
    Ok(Arc::new(values.finish()))
}

/// The same of texts; those of blanks only are null.
fn each_text<T: ArrowPrimitiveType>(
    texts: &StringArray,
    read: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef, Misfit> {
    each::<T>(texts, |row| match texts.value(row).trim() {
        "" => Some(None),
        text => read(text).map(Some),
    })
}

fn integers(column: &ArrayRef) -> Result<ArrayRef, Misfit> {
    if let Some(texts) = column.as_string_opt() {
        return each_text::<Int64Type>(texts, whole_number);
    }
    let whole = whole_numbers(column).ok_or(Misfit::Type)?;
    let reals = column.data_type().is_floating().then(|| cast(column, &DataType::Float64));
    let reals = reals.transpose()?;
    let reals = reals.as_ref().map(AsArray::as_primitive::<Float64Type>);
    // NaN is how some tools write null.
    let is_nan = |row: usize| reals.is_some_and(|reals| reals.value(row).is_nan());
    if whole.null_count() > column.null_count()
        && let Some(row) = (0..column.len())
            .find(|row| whole.is_null(*row) && column.is_valid(*row) && !is_nan(*row))
    {
        return Err(Misfit::Row(row));
    }
    Ok(Arc::new(whole))
}

fn numbers(column: &ArrayRef) -> Result<ArrayRef, Misfit> {
    match column.data_type() {
        number if number.is_numeric() || *number == DataType::Boolean => {
            let values = cast(column, &DataType::Float64)?;
            let reals = values.as_primitive::<Float64Type>();
            // What lies under nulls may only cost the slow way.
            if reals.values().iter().all(|value| value.is_finite()) {
                return Ok(values);
            }
            each::<Float64Type>(reals, |row| match reals.value(row) {
                value if value.is_nan() => Some(None),
                value => value.is_finite().then_some(Some(value)),
            })
        }
        DataType::Utf8 => each_text::<Float64Type>(column.as_string(), |text| {
            text.parse().ok().filter(|value: &f64| value.is_finite())
        }),
        _ => Err(Misfit::Type),
    }
}

/// Days; of an instant with a zone, the day in UTC. Whole numbers are refused:
/// 20120101 and days since 1970 cannot be told apart.
fn days(column: &ArrayRef) -> Result<ArrayRef, Misfit> {
    let of_ticks = |ticks_a_day: i64| {
        let ticks = cast(column, &DataType::Int64)?;
        let ticks = ticks.as_primitive::<Int64Type>();
        let day = |row| i32::try_from(ticks.value(row).div_euclid(ticks_a_day)).ok();
        each::<Date32Type>(ticks, |row| day(row).map(Some))
    };
    match column.data_type() {
        DataType::Date32 => Ok(column.clone()),
        DataType::Date64 => of_ticks(SECONDS_A_DAY * 1000),
        DataType::Timestamp(unit, _) => of_ticks(SECONDS_A_DAY * ticks_a_second(*unit)),
        DataType::Utf8 => each_text::<Date32Type>(column.as_string(), day_of_text),
        _ => Err(Misfit::Type),
    }
}

fn ticks_a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Times without a zone; those with one, in UTC. A day alone is its midnight.
fn times(column: &ArrayRef) -> Result<ArrayRef, Misfit> {
    let of_ticks = |micros: &dyn Fn(i64) -> Option<i64>| {
        let ticks = cast(column, &DataType::Int64)?;
        let ticks = ticks.as_primitive::<Int64Type>();
        each::<TimestampMicrosecondType>(ticks, |row| micros(ticks.value(row)).map(Some))
    };
    match column.data_type() {
        DataType::Date32 => of_ticks(&|day| day.checked_mul(MICROS_A_DAY)),
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => {
            of_ticks(&|ticks| ticks.checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Second, _) => of_ticks(&|ticks| ticks.checked_mul(1_000_000)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => of_ticks(&Some),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            of_ticks(&|ticks| Some(ticks.div_euclid(1_000)))
        }
        DataType::Utf8 => each_text::<TimestampMicrosecondType>(column.as_string(), time_of_text),
        _ => Err(Misfit::Type),
    }
}

fn day_of_text(text: &str) -> Option<i32> {
    if text.len() > 10 {
        return i32::try_from(time_of_text(text)?.div_euclid(MICROS_A_DAY)).ok();
    }
    // The parser passes over what it does not know.
    let is_dash = |place: usize| text.len() == 10 && matches!(place, 4 | 7);
    let is_right = |(place, byte): (usize, u8)| {
        if is_dash(place) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    let is_date = matches!(text.len(), 8 | 10) && text.bytes().enumerate().all(is_right);
    is_date.then(|| Date32Type::parse(text)).flatten()
}

fn time_of_text(text: &str) -> Option<i64> {
    if text.len() <= 10 {
        return i64::from(day_of_text(text)?).checked_mul(MICROS_A_DAY);
    }
    let utc: arrow::array::timezone::Tz = "+00:00".parse().ok()?;
    string_to_datetime(&utc, text).ok().map(|time| time.timestamp_micros())
}

/// Texts. Codes that a tool took for numbers lose a fraction of nought, which
/// is not theirs.
fn texts(column: &ArrayRef) -> Result<ArrayRef, Misfit> {
    match column.data_type() {
        DataType::Utf8 => Ok(column.clone()),
        number if number.is_floating() || number.is_decimal() => {
            texts_of_numbers(column).map(|texts| Arc::new(texts) as ArrayRef).ok_or(Misfit::Type)
        }
        DataType::Timestamp(unit, Some(_)) => {
            let local = cast(&cast(column, &DataType::Int64)?, &DataType::Timestamp(*unit, None))?;
            cast(&local, &DataType::Utf8)
        }
        other if other.is_integer() => cast(column, &DataType::Utf8),
        DataType::Boolean | DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, None) => {
            cast(column, &DataType::Utf8)
        }
        _ => Err(Misfit::Type),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, BooleanArray, Date64Array, Decimal128Array, Decimal256Array, Float32Array,
        Float64Array, Int32Array, Int64Array, LargeBinaryArray, LargeStringArray, ListArray,
        NullArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::{Int32Type, i256};
    use proptest::prelude::*;

    use super::*;
    use crate::Day;

    const KINDS: [Kind; 8] = [
        Kind::Person,
        Kind::Id,
        Kind::Concept,
        Kind::Integer,
        Kind::Number,
        Kind::Date,
        Kind::Datetime,
        Kind::Text,
    ];

    fn array(values: impl Array + 'static) -> ArrayRef {
        Arc::new(values)
    }

    fn text(values: &[&str]) -> ArrayRef {
        array(StringArray::from(values.to_vec()))
    }

    fn ids(values: &ArrayRef) -> Result<Vec<Option<i64>>, Misfit> {
        let read = read_as(values, Kind::Id)?;
        Ok(read.as_primitive::<Int64Type>().iter().collect())
    }

    fn dates(values: &ArrayRef) -> Result<Vec<Option<String>>, Misfit> {
        let read = read_as(values, Kind::Date)?;
        let days = read.as_primitive::<Date32Type>().iter();
        Ok(days.map(|day| day.map(|day| Day(day).to_string())).collect())
    }

    fn words(values: &ArrayRef) -> Result<Vec<Option<String>>, Misfit> {
        let read = read_as(values, Kind::Text)?;
        Ok(read.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
    }

    fn some(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| Some((*value).to_owned())).collect()
    }

    #[test]
    fn ids_of_text_are_whole_numbers_however_they_are_held() {
        let values = ["1", " -7 ", "1.0", "", " ", "9007199254740993.0", "1e3", "+12.", "-0.0"];
        let expected = [
            Some(1),
            Some(-7),
            Some(1),
            None,
            None,
            Some(9_007_199_254_740_993),
            Some(1000),
            Some(12),
            Some(0),
        ];
        let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let dictionary = |of: &DataType| {
            let keys = DataType::Dictionary(Box::new(DataType::Int32), Box::new(of.clone()));
            cast(&text(&values), &keys).unwrap()
        };
        for column in [
            text(&values),
            array(LargeStringArray::from(values.to_vec())),
            array(StringViewArray::from(values.to_vec())),
            array(BinaryArray::from(bytes.clone())),
            array(LargeBinaryArray::from(bytes)),
            dictionary(&DataType::Utf8),
            dictionary(&DataType::LargeUtf8),
            dictionary(&DataType::Utf8View),
        ] {
            let data_type = column.data_type().clone();
            assert_eq!(ids(&column).unwrap(), expected, "{data_type}");
        }
        for value in [
            "MRN-JOHN-SMITH-0",
            "1.7",
            "1e-1",
            "nan",
            "inf",
            ".",
            "-",
            "1 2",
            "9223372036854775808",
        ] {
            assert_eq!(ids(&text(&["5", value])), Err(Misfit::Row(1)), "{value}");
        }
        assert_eq!(whole_number("-9223372036854775808.00"), Some(i64::MIN));
        assert_eq!(whole_number("1e999999999"), None);
        assert_eq!(whole_number("0e999999999"), Some(0));
    }

    #[test]
    fn ids_of_numbers_are_exact_or_none() {
        let doubles = |values: &[f64]| ids(&array(Float64Array::from(values.to_vec())));
        assert_eq!(doubles(&[1.0, f64::NAN, -3.0]), Ok(vec![Some(1), None, Some(-3)]));
        for value in [0.7, f64::INFINITY, 9_007_199_254_740_992.0] {
            assert_eq!(doubles(&[1.0, value]), Err(Misfit::Row(1)), "{value}");
        }
        let singles = |value: f32| ids(&array(Float32Array::from(vec![value])));
        assert_eq!(singles(f32::NAN), Ok(vec![None]));
        assert_eq!(singles(16_777_215.0), Ok(vec![Some((1 << 24) - 1)]));
        // What a column of these makes of 16,777,217.
        assert_eq!(singles(16_777_216.0), Err(Misfit::Row(0)));

        let large = 9_007_199_254_740_993_i128;
        let decimals = |values: Vec<i128>, scale| {
            let narrow = Decimal128Array::from(values.clone());
            let narrow = ids(&array(narrow.with_precision_and_scale(38, scale).unwrap()));
            let wide = values.into_iter().map(i256::from_i128);
            let wide = Decimal256Array::from_iter_values(wide);
            let wide = ids(&array(wide.with_precision_and_scale(76, scale).unwrap()));
            assert_eq!(narrow, wide, "{scale}");
            narrow
        };
        assert_eq!(decimals(vec![large, -5], 0), Ok(vec![Some(large as i64), Some(-5)]));
        let scaled = vec![large * 10_i128.pow(12), 0];
        assert_eq!(decimals(scaled, 12), Ok(vec![Some(large as i64), Some(0)]));
        assert_eq!(decimals(vec![10, 17], 1), Err(Misfit::Row(1)));
        assert_eq!(decimals(vec![7], -2), Ok(vec![Some(700)]));
        assert_eq!(decimals(vec![1 << 63], 0), Err(Misfit::Row(0)));

        assert_eq!(ids(&array(UInt64Array::from(vec![1, u64::MAX]))), Err(Misfit::Row(1)));
        assert_eq!(ids(&array(BooleanArray::from(vec![true]))), Ok(vec![Some(1)]));
        assert_eq!(ids(&array(Date64Array::from(vec![0]))), Err(Misfit::Type));
    }

    #[test]
    fn dates_are_read_from_dates_times_and_texts() {
        let values = [
            "2012-01-31",
            "20120131",
            "2012-01-31 23:59:59",
            "2012-01-31T00:00:00.5Z",
            "2012-01-31 19:00:00-05:00",
        ];
        let expected = ["2012-01-31", "2012-01-31", "2012-01-31", "2012-01-31", "2012-02-01"];
        assert_eq!(dates(&text(&values)), Ok(some(&expected)));
        assert_eq!(dates(&text(&["", "  "])), Ok(vec![None, None]));
        for value in [
            "2012-02-30",
            "2012",
            "31/01/2012",
            "tomorrow",
            "NaT",
            "2012-01-31 at noon",
            "2012-1-31",
            "2012-01-3x",
            "2012-1-3xy",
        ] {
            assert_eq!(dates(&text(&["", value])), Err(Misfit::Row(1)), "{value}");
        }
        // One microsecond before midnight, before and after 1970.
        let micros = [MICROS_A_DAY - 1, -1];
        let nanos = micros.map(|us| us * 1000).to_vec();
        let expected = ["1970-01-01", "1969-12-31"];
        for zone in [None, Some("UTC"), Some("Europe/Berlin")] {
            let micros = TimestampMicrosecondArray::from(micros.to_vec()).with_timezone_opt(zone);
            assert_eq!(dates(&array(micros)), Ok(some(&expected)), "{zone:?}");
            let nanos = TimestampNanosecondArray::from(nanos.clone()).with_timezone_opt(zone);
            assert_eq!(dates(&array(nanos)), Ok(some(&expected)), "{zone:?}");
        }
        assert_eq!(dates(&array(Date64Array::from(vec![-1]))), Ok(some(&["1969-12-31"])));
        let beyond = TimestampMillisecondArray::from(vec![0, i64::MAX]);
        assert_eq!(dates(&array(beyond)), Err(Misfit::Row(1)));
    }

    #[test]
    fn numbers_are_no_dates() {
        for column in [
            array(Int64Array::from(vec![20_120_101])),
            array(Int32Array::from(vec![15_340])),
            array(Float64Array::from(vec![20_120_101.0])),
        ] {
            assert_eq!(read_as(&column, Kind::Date), Err(Misfit::Type));
            assert_eq!(read_as(&column, Kind::Datetime), Err(Misfit::Type));
        }
    }

    #[test]
    fn times_are_of_microseconds_without_zone() {
        let times = |values: ArrayRef| {
            let read = read_as(&values, Kind::Datetime)?;
            Ok(read.as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>())
        };
        let texts = ["1970-01-02", "", "1970-01-01T00:00:01.5", "9999-12-31 23:00:00-01:00"];
        let expected =
            vec![Some(MICROS_A_DAY), None, Some(1_500_000), Some(253_402_300_800_000_000)];
        assert_eq!(times(text(&texts)), Ok(expected));
        assert_eq!(times(text(&["noon at the town hall"])), Err(Misfit::Row(0)));
        let nanos = TimestampNanosecondArray::from(vec![-1]).with_timezone("UTC");
        assert_eq!(times(array(nanos)), Ok(vec![Some(-1)]));
        let days = arrow::array::Date32Array::from(vec![1]);
        assert_eq!(times(array(days)), Ok(vec![Some(MICROS_A_DAY)]));
    }

    #[test]
    fn numbers_are_finite() {
        let numbers = |values: ArrayRef| {
            let read = read_as(&values, Kind::Number)?;
            Ok(read.as_primitive::<Float64Type>().iter().collect::<Vec<_>>())
        };
        let doubles = |other| array(Float64Array::from(vec![1.5, other]));
        assert_eq!(numbers(doubles(f64::NAN)), Ok(vec![Some(1.5), None]));
        assert_eq!(numbers(doubles(f64::INFINITY)), Err(Misfit::Row(1)));
        assert_eq!(numbers(text(&["1.5", "", "-2e3"])), Ok(vec![Some(1.5), None, Some(-2000.0)]));
        for value in ["inf", "NaN", "positive"] {
            assert_eq!(numbers(text(&[value])), Err(Misfit::Row(0)), "{value}");
        }
        let decimals = Decimal128Array::from(vec![15]).with_precision_and_scale(5, 1).unwrap();
        assert_eq!(numbers(array(decimals)), Ok(vec![Some(1.5)]));
    }

    #[test]
    fn texts_are_of_bytes_numbers_and_times() {
        let bytes: Vec<&[u8]> = vec![b"M\xc3\xbcller", b"M\xfcller"];
        assert_eq!(words(&array(BinaryArray::from(bytes[..1].to_vec()))), Ok(some(&["Müller"])));
        assert_eq!(words(&array(BinaryArray::from(bytes))), Err(Misfit::Row(1)));
        let codes = Float64Array::from(vec![250.0, 401.9]);
        assert_eq!(words(&array(codes)), Ok(some(&["250", "401.9"])));
        let nothing = Float64Array::from(vec![f64::NAN, f64::INFINITY]);
        assert_eq!(words(&array(nothing)), Ok(vec![None, None]));
        let codes = |values: Vec<i128>, scale| {
            let codes = Decimal128Array::from(values).with_precision_and_scale(38, scale);
            words(&array(codes.unwrap())).unwrap()
        };
        assert_eq!(codes(vec![25_000, 70, -5], 2), some(&["250", "0.7", "-0.05"]));
        let large = 10_i128.pow(20);
        assert_eq!(
            codes(vec![large, -9 * large], 0),
            some(&[&large.to_string(), &format!("-9{}", "0".repeat(20))])
        );
        assert_eq!(codes(vec![large * 100, large * 100 + 10], 2)[0], Some(large.to_string()));
        let small = Float64Array::from(vec![1.5e-70, 1e300]);
        let read = words(&array(small)).unwrap();
        let numbers = read.iter().flatten().map(|text| text.parse::<f64>().unwrap());
        assert_eq!(numbers.collect::<Vec<_>>(), [1.5e-70, 1e300]);
        let time = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
        assert_eq!(words(&array(time)), Ok(some(&["1970-01-01T00:00:00"])));
    }

    #[test]
    fn columns_of_nothing_are_null_and_lists_are_refused() {
        for kind in KINDS {
            let read = read_as(&array(NullArray::new(3)), kind).unwrap();
            assert_eq!((read.data_type(), read.null_count()), (&kind.data_type(), 3));
            let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
            assert_eq!(read_as(&array(list), kind), Err(Misfit::Type), "{kind:?}");
        }
    }

    #[test]
    fn columns_of_the_wanted_type_are_handed_on() {
        let values = array(Int64Array::from(vec![1, 2]));
        assert!(Arc::ptr_eq(&read_as(&values, Kind::Id).unwrap(), &values));
        let values = array(Float64Array::from(vec![1.0]));
        let read = read_as(&values, Kind::Number).unwrap();
        let buffer = |array: &ArrayRef| array.as_primitive::<Float64Type>().values().as_ptr();
        assert_eq!(buffer(&read), buffer(&values));
    }

    /// A text of digits, a point among them, and an exponent.
    fn decimal_text() -> impl Strategy<Value = (i128, u32, i32)> {
        let edges = prop::sample::select(vec![i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1, 0]);
        let value = prop_oneof![
            any::<i64>().prop_map(i128::from),
            (edges, -2..3_i128).prop_map(|(edge, more)| i128::from(edge) + more),
            (-1000..1000_i128, 0..16_u32).prop_map(|(few, zeros)| few * 10_i128.pow(zeros)),
        ];
        (value, 0..18_u32, -20..20_i32)
    }

    proptest! {
        /// The number is `value` × 10^(exponent − places), reckoned with i128.
        #[test]
        fn decimal_texts_are_the_numbers_that_they_say((value, places, exponent) in decimal_text()) {
            let digits = format!("{:0>1$}", value.unsigned_abs(), places as usize + 1);
            let (before, after) = digits.split_at(digits.len() - places as usize);
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{before}.{after}e{exponent}");
            let power = exponent - places as i32;
            let scaled = 10_i128.checked_pow(power.unsigned_abs());
            let expected = match (power >= 0, scaled) {
                (true, Some(scaled)) => value.checked_mul(scaled),
                (false, Some(scaled)) => (value % scaled == 0).then(|| value / scaled),
                (_, None) => (value == 0).then_some(0),
            };
            let expected = expected.and_then(|whole| i64::try_from(whole).ok());
            prop_assert_eq!(whole_number(&text), expected, "{}", text);
        }

        /// No text brings a reader down, and none is read as more than it says.
        #[test]
        fn any_text_is_read_or_a_misfit(value in "\\PC{0,24}", date in "[0-9:TZ+. é-]{0,32}") {
            for kind in KINDS {
                let _ = read_as(&text(&[&value]), kind);
                let _ = read_as(&text(&[&date]), kind);
                let _ = read_as(&text(&[&format!("2012-01-31{date}")]), kind);
            }
        }
    }
}
