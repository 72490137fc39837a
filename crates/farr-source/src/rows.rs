//! Typed rows of one batch, and what could not be typed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{cast, filter, max, min};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use farr_records::{Line, dictionary_of_texts, texts_of_numbers, whole_numbers};

use crate::Error;
use crate::clock::{Clock, MICROS_A_DAY, Moment};
use crate::layout::{Absence, Reading, TableLayout};
use crate::tokens::Fault;
use crate::typing::{
    MISSING_TEXTS, each_run, finite, has_decimal_comma, integers, means_missing, numbers, trimmed,
    with_missing,
};

/// A column as it came: text of a CSV, or any type of a Parquet object.
#[derive(Debug)]
pub(crate) struct RawColumn<'h> {
    /// Its place in the layout.
    pub(crate) index: usize,
    /// What the object calls it.
    pub(crate) name: &'h str,
    pub(crate) values: ArrayRef,
}

/// Rows whose every value could be read.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) lines: Vec<Line>,
    columns: BTreeMap<&'static str, Column>,
    /// Whether columns that are not kept were read as well.
    is_whole: bool,
}

#[derive(Debug)]
struct Column {
    /// Text, as it is or as a dictionary, Int64, Float64 or Date32.
    values: ArrayRef,
    /// Beside days: the local time.
    times: Option<ArrayRef>,
    /// Beside local times of a column of instants: these, in microseconds in UTC.
    instants: Option<ArrayRef>,
    /// The text that it was read from, where it was text.
    text: Option<ArrayRef>,
    /// False for what is only a part of the row's id.
    is_kept: bool,
}

impl Column {
    /// The instant of a row, where it says one, in microseconds since 1970 in UTC.
    fn instant(&self, row: usize) -> Option<i64> {
        if let Some(instants) = &self.instants {
            let instants = instants.as_primitive::<TimestampMicrosecondType>();
            return instants.is_valid(row).then(|| instants.value(row));
        }
        let text = self.text.as_ref()?.as_string_opt::<i32>()?;
        Clock::instant(text.is_valid(row).then(|| text.value(row))?)
    }
}

impl Rows {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether the export has the column, and it is kept.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.kept(name).is_some()
    }

    /// The column, or nulls.
    pub(crate) fn values(&self, name: &str, data_type: &DataType) -> ArrayRef {
        match self.kept(name) {
            Some(column) => column.values.clone(),
            None => new_null_array(data_type, self.len()),
        }
    }

    fn kept(&self, name: &str) -> Option<&Column> {
        self.columns.get(name).filter(|column| column.is_kept)
    }

    pub(crate) fn text(&self, name: &str) -> StringArray {
        let values = self.values(name, &DataType::Utf8);
        as_text(&values).unwrap_or_else(|| StringArray::new_null(self.len()))
    }

    pub(crate) fn integers(&self, name: &str) -> Int64Array {
        self.values(name, &DataType::Int64).as_primitive::<Int64Type>().clone()
    }

    pub(crate) fn numbers(&self, name: &str) -> Float64Array {
        self.values(name, &DataType::Float64).as_primitive::<Float64Type>().clone()
    }

    pub(crate) fn days(&self, name: &str) -> Date32Array {
        self.values(name, &DataType::Date32).as_primitive::<Date32Type>().clone()
    }

    /// The local times of a column of days; null where it says a day only.
    pub(crate) fn times(&self, name: &str) -> TimestampMicrosecondArray {
        let times = self.kept(name).and_then(|column| column.times.clone());
        let times = times.unwrap_or_else(|| {
            new_null_array(&DataType::Timestamp(TimeUnit::Microsecond, None), self.len())
        });
        times.as_primitive::<TimestampMicrosecondType>().clone()
    }

    /// Name and text of every column that came as text, in order of name, of rows
    /// that are read whole.
    pub(crate) fn texts(&self) -> Vec<(&'static str, StringArray)> {
        assert!(self.is_whole, "the layout says which rows are read whole");
        let texts = self.columns.iter();
        texts.filter_map(|(name, c)| Some((*name, as_text(c.text.as_ref()?)?))).collect()
    }
}

/// Faults by row; a row's first one stands.
struct Faults<'a> {
    lines: &'a [Line],
    by_row: BTreeMap<usize, Fault>,
}

impl Faults<'_> {
    fn add(&mut self, row: usize, column: &str, reason: impl Into<String>) {
        self.by_row.entry(row).or_insert_with(|| {
            let column = Some(column.to_owned());
            Fault { line: self.lines[row], column, reason: reason.into() }
        });
    }

    /// A fault in each row that is null in the column read and was not in the
    /// one that came, unless its text says that it is missing.
    fn add_unread(&mut self, read: &dyn Array, came: &dyn Array, column: &str, reason: &str) {
        if read.null_count() > came.null_count() {
            let text = came.as_string_opt::<i32>();
            for row in nulls_of(read).filter(|row| came.is_valid(*row)) {
                match text.map(|text| text.value(row)) {
                    Some(text) if means_missing(text) => {}
                    Some(text) if reason == NO_NUMBER && has_decimal_comma(text) => {
                        self.add(row, column, "has a decimal comma; export it with a point");
                    }
                    _ => self.add(row, column, reason),
                }
            }
        }
    }

    /// The whole numbers of a column of numbers; a fault in each row that has
    /// another.
    fn whole_numbers(
        &mut self,
        values: &ArrayRef,
        column: &str,
        reason: &str,
    ) -> Result<ArrayRef, ArrowError> {
        let read = whole_numbers(values).ok_or_else(|| {
            ArrowError::CastError(format!("{} to whole numbers", values.data_type()))
        })?;
        if read.null_count() > values.null_count() {
            let real = values.data_type().is_floating();
            let real = real.then(|| cast(values, &DataType::Float64)).transpose()?;
            let real = real.as_ref().map(AsArray::as_primitive::<Float64Type>);
            for row in nulls_of(&read).filter(|row| values.is_valid(*row)) {
                match real.map(|values| values.value(row)) {
                    // How some tools write that there is none.
                    Some(value) if value.is_nan() => {}
                    Some(value) if value.is_finite() && value.fract() == 0.0 => {
                        self.add(row, column, INEXACT);
                    }
                    _ => self.add(row, column, reason),
                }
            }
        }
        Ok(Arc::new(read))
    }
}

const NO_NUMBER: &str = "is no number";
const INEXACT: &str =
    "is too large for a real number to be exact; export it as a whole number or as text";
const NO_DATE: &str = "is no date that exists";

/// The rows in which a column is null.
fn nulls_of(column: &dyn Array) -> impl Iterator<Item = usize> {
    let nulls = column.logical_nulls();
    let any = nulls.as_ref().is_some_and(|nulls| nulls.null_count() > 0);
    let rows = if any { 0..column.len() } else { 0..0 };
    rows.filter(move |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(*row)))
}

/// Types the columns as the layout says; rows with a value that is none of its
/// type, is missing and must not be, or lies out of range are faults.
pub(crate) fn typed(
    lines: Vec<Line>,
    raw: &[RawColumn],
    layout: &TableLayout,
    clock: &Clock,
) -> Result<(Rows, Vec<Fault>), Error> {
    let is_whole = layout.is_read_whole;
    let mut faults = Faults { lines: &lines, by_row: BTreeMap::new() };
    let mut columns = BTreeMap::new();
    for column in raw {
        let shape = &layout.columns[column.index];
        let read = read_column(column, shape.reading, layout, clock, &mut faults)?;
        if shape.absence == Absence::Error {
            for row in nulls_of(&read.values) {
                faults.add(row, column.name, "is empty");
            }
        }
        columns.insert(shape.name, read);
    }
    for (start, end) in layout.spans {
        let (Some(first), Some(last)) = (columns.get(start), columns.get(end)) else { continue };
        let name = raw.iter().find(|c| layout.columns[c.index].name == *end).map_or("", |c| c.name);
        for row in ends_before_start(first, last) {
            faults.add(row, name, "ends before it starts");
        }
    }
    let by_row = faults.by_row;
    if by_row.is_empty() {
        return Ok((Rows { lines, columns, is_whole }, Vec::new()));
    }
    let keep: BooleanArray = (0..lines.len()).map(|row| Some(!by_row.contains_key(&row))).collect();
    let failed = |source| Error::Arrow { object: layout.name.to_owned(), source };
    for column in columns.values_mut() {
        let kept = |array: &ArrayRef| filter(array, &keep).map_err(failed);
        column.values = kept(&column.values)?;
        column.times = column.times.as_ref().map(kept).transpose()?;
        column.instants = column.instants.as_ref().map(kept).transpose()?;
        column.text = column.text.as_ref().map(kept).transpose()?;
    }
    let lines = lines.iter().enumerate().filter(|(row, _)| keep.value(*row));
    let lines = lines.map(|(_, line)| *line).collect();
    Ok((Rows { lines, columns, is_whole }, by_row.into_values().collect()))
}

/// Rows whose last day lies before the first, or, on one day, whose last time
/// does; unless both are instants that are in order: when clocks are set back,
/// what comes later may show an earlier time.
fn ends_before_start(first: &Column, last: &Column) -> Vec<usize> {
    let (start, end) =
        (first.values.as_primitive::<Date32Type>(), last.values.as_primitive::<Date32Type>());
    (0..start.len())
        .filter(|row| start.is_valid(*row) && end.is_valid(*row))
        .filter(|row| {
            let days = end.value(*row).cmp(&start.value(*row));
            let is_earlier = || {
                let instants = (last.instant(*row), first.instant(*row));
                let in_order = matches!(instants, (Some(last), Some(first)) if first <= last);
                time_is_earlier(last, first, *row) && !in_order
            };
            days.is_lt() || (days.is_eq() && is_earlier())
        })
        .collect()
}

fn time_is_earlier(a: &Column, b: &Column, row: usize) -> bool {
    let time = |column: &Column| {
        let times = column.times.as_ref()?.as_primitive::<TimestampMicrosecondType>();
        times.is_valid(row).then(|| times.value(row))
    };
    matches!((time(a), time(b)), (Some(a), Some(b)) if a < b)
}

fn read_column(
    column: &RawColumn,
    reading: Reading,
    layout: &TableLayout,
    clock: &Clock,
    faults: &mut Faults,
) -> Result<Column, Error> {
    if reading == Reading::Text && is_keyed(&column.values) && !says_missing(&column.values) {
        let (values, text) = (column.values.clone(), Some(column.values.clone()));
        return Ok(Column { values, times: None, instants: None, text, is_kept: true });
    }
    let failed = |source| Error::Arrow { object: layout.name.to_owned(), source };
    let values = unwrapped(&column.values).map_err(failed)?;
    if let Some(text) = as_text(&values) {
        // A column of bytes that are no text.
        faults.add_unread(&text, &values, column.name, "is not valid UTF-8");
        return read_text(text, column.name, reading, layout, clock, faults);
    }
    let values = match reading {
        Reading::Text | Reading::Code | Reading::NotKept => match texts_of_numbers(&values) {
            Some(texts) => Arc::new(texts),
            None => cast(&values, &DataType::Utf8).map_err(failed)?,
        },
        Reading::Number => {
            let read = cast(&values, &DataType::Float64).map_err(failed)?;
            let read = read.as_primitive::<Float64Type>();
            // A Parquet double that is not a number is how some tools write null.
            let finite = finite(read);
            if finite.null_count() > read.null_count() {
                let infinite = nulls_of(&finite).filter(|row| read.value(*row).is_infinite());
                let infinite = infinite.filter(|row| read.is_valid(*row));
                infinite.for_each(|row| faults.add(row, column.name, NO_NUMBER));
            }
            Arc::new(finite)
        }
        Reading::Integer => {
            faults.whole_numbers(&values, column.name, "is no whole number").map_err(failed)?
        }
        Reading::When(bare_year) if values.data_type().is_numeric() => {
            // Days as numbers: 20120131.
            let whole = faults.whole_numbers(&values, column.name, NO_DATE).map_err(failed)?;
            let text = cast(&whole, &DataType::Utf8).map_err(failed)?;
            let (text, reading) = (text.as_string().clone(), Reading::When(bare_year));
            return read_text(text, column.name, reading, layout, clock, faults);
        }
        Reading::When(_) => {
            return read_times(&values, column.name, layout, clock, faults).map_err(failed);
        }
    };
    let is_kept = reading != Reading::NotKept;
    Ok(Column { values, times: None, instants: None, text: None, is_kept })
}

/// The type of a column's values: a dictionary's are those that its keys name.
fn type_of(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// The values of a column of keys, and text for one that has nothing but nulls.
fn unwrapped(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match type_of(values.data_type()) {
        DataType::Null => Ok(new_null_array(&DataType::Utf8, values.len())),
        kind if kind != values.data_type() => cast(values, kind),
        _ => Ok(values.clone()),
    }
}

/// Whether one of the texts that a column's keys name says that it is missing.
fn says_missing(values: &ArrayRef) -> bool {
    let keyed = values.as_dictionary_opt::<Int32Type>();
    let texts = keyed.and_then(|keyed| keyed.values().as_string_opt::<i32>());
    texts.is_some_and(|texts| texts.iter().flatten().any(|text| MISSING_TEXTS.contains(&text)))
}

/// Whether a column has keys of texts.
pub(crate) fn is_keyed(values: &ArrayRef) -> bool {
    *values.data_type() == dictionary_of_texts()
}

/// Texts, and bytes that may be text without saying so.
fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
    )
}

/// The column's texts, if it is one of texts.
fn as_text(values: &ArrayRef) -> Option<StringArray> {
    let text = is_text(type_of(values.data_type())).then(|| cast(values, &DataType::Utf8).ok());
    Some(text.flatten()?.as_string().clone())
}

fn read_text(
    text: StringArray,
    name: &str,
    reading: Reading,
    layout: &TableLayout,
    clock: &Clock,
    faults: &mut Faults,
) -> Result<Column, Error> {
    if reading == Reading::Text {
        let values: ArrayRef = Arc::new(with_missing(text));
        let text = Some(values.clone());
        return Ok(Column { values, times: None, instants: None, text, is_kept: true });
    }
    let text = trimmed(&text);
    let mut times = None;
    let (values, wanted): (ArrayRef, _) = match reading {
        Reading::Integer => (Arc::new(integers(&text)?), "is no whole number"),
        Reading::Number => (Arc::new(numbers(&text)?), NO_NUMBER),
        Reading::When(bare_year) => {
            let moments = each_run(&text, |text| clock.parse(text, bare_year));
            let (days, local) = columns_of(moments, text.len());
            times = Some(Arc::new(local) as ArrayRef);
            check_years(&days, name, layout, faults);
            (Arc::new(days), NO_DATE)
        }
        Reading::Code | Reading::Text | Reading::NotKept => {
            (Arc::new(with_missing(text.clone())), "")
        }
    };
    faults.add_unread(&values, &text, name, wanted);
    let is_kept = reading != Reading::NotKept;
    let text = if reading == Reading::Code { values.clone() } else { Arc::new(text) };
    Ok(Column { values, times, instants: None, text: Some(text), is_kept })
}

fn columns_of(
    moments: impl Iterator<Item = Option<Moment>>,
    rows: usize,
) -> (Date32Array, TimestampMicrosecondArray) {
    let mut days = Date32Array::builder(rows);
    let mut times = TimestampMicrosecondArray::builder(rows);
    for moment in moments {
        days.append_option(moment.map(|moment| moment.day.0));
        times.append_option(moment.and_then(|moment| moment.local_us));
    }
    (days.finish(), times.finish())
}

fn check_years(days: &Date32Array, name: &str, layout: &TableLayout, faults: &mut Faults) {
    let (first, last) = layout.years;
    let day = |year: i32, month, day| {
        i16::try_from(year).ok().and_then(|year| farr_records::Day::from_ymd(year, month, day))
    };
    let (Some(least), Some(most)) = (day(first, 1, 1), day(last, 12, 31)) else { return };
    let years = least.0..=most.0;
    if [min(days), max(days)].iter().flatten().all(|day| years.contains(day)) {
        return;
    }
    for row in 0..days.len() {
        if days.is_valid(row) && !years.contains(&days.value(row)) {
            faults.add(row, name, format!("is a date outside {first} to {last}"));
        }
    }
}

/// Days and local times of a column of dates or timestamps.
fn read_times(
    values: &ArrayRef,
    name: &str,
    layout: &TableLayout,
    clock: &Clock,
    faults: &mut Faults,
) -> Result<Column, ArrowError> {
    let mut instants = None;
    let (days, times) = match values.data_type() {
        DataType::Date32 => (values.as_primitive::<Date32Type>().clone(), None),
        DataType::Timestamp(_, zone) => {
            let micros = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            let (days, times) = if zone.is_some() {
                instants = Some(Arc::new(micros.clone()) as ArrayRef);
                let moments = micros.iter().map(|us| us.and_then(|us| clock.local_of(us)));
                columns_of(moments, micros.len())
            } else {
                (micros.unary(|us| us.div_euclid(MICROS_A_DAY) as i32), micros.clone())
            };
            (days, Some(Arc::new(times) as ArrayRef))
        }
        _ => (cast(values, &DataType::Date32)?.as_primitive::<Date32Type>().clone(), None),
    };
    faults.add_unread(&days, values, name, NO_DATE);
    check_years(&days, name, layout, faults);
    Ok(Column { values: Arc::new(days), times, instants, text: None, is_kept: true })
}

/// Whether a Parquet column of this type can be read so.
pub(crate) fn can_read(data_type: &DataType, reading: Reading) -> Result<(), &'static str> {
    let data_type = type_of(data_type);
    let is_number = data_type.is_numeric() || *data_type == DataType::Boolean;
    let is_day =
        matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _));
    let is_time = is_day || matches!(data_type, DataType::Time32(_) | DataType::Time64(_));
    let (can, expected) = match reading {
        _ if is_text(data_type) || *data_type == DataType::Null => (true, ""),
        Reading::Text | Reading::Code => (is_number || is_time, "text"),
        Reading::Integer => (is_number, "whole numbers"),
        Reading::Number => (is_number, "numbers"),
        Reading::When(_) => (is_day || data_type.is_numeric(), "dates"),
        Reading::NotKept => (true, ""),
    };
    if can { Ok(()) } else { Err(expected) }
}
