//! Columns of a batch, by name.

use std::collections::BTreeMap;

use arrow::array::{
    Array, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use farr_records::{Day, Table};

use crate::Error;

/// A table's batch, whose columns are asked for by name.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    table: Table,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    /// The batch of a table; an error names a table that is missing.
    pub(super) fn of(
        tables: &'a BTreeMap<Table, RecordBatch>,
        table: Table,
    ) -> Result<Self, Error> {
        let batch = tables.get(&table).ok_or_else(|| Error::MissingTable {
            location: "the records to export".to_owned(),
            table: table.to_string(),
            found: tables.keys().map(|table| table.name()).collect::<Vec<_>>().join(", "),
            hint: String::new(),
        })?;
        Ok(Self { table, batch })
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    fn column<T>(
        &self,
        name: &str,
        of: impl Fn(&'a dyn Array) -> Option<&'a T>,
    ) -> Result<&'a T, Error> {
        let found = self.batch.column_by_name(name).and_then(|column| of(column.as_ref()));
        found.ok_or_else(|| Error::MissingColumn {
            object: "the records to export".to_owned(),
            table: self.table.to_string(),
            column: name.to_owned(),
            found: self
                .batch
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect::<Vec<_>>()
                .join(", "),
            hint: String::new(),
        })
    }

    pub(super) fn integers(&self, name: &str) -> Result<&'a Int64Array, Error> {
        self.column(name, |column| column.as_primitive_opt::<Int64Type>())
    }

    pub(super) fn numbers(&self, name: &str) -> Result<&'a Float64Array, Error> {
        self.column(name, |column| column.as_primitive_opt::<Float64Type>())
    }

    pub(super) fn days(&self, name: &str) -> Result<&'a Date32Array, Error> {
        self.column(name, |column| column.as_primitive_opt::<Date32Type>())
    }

    pub(super) fn times(&self, name: &str) -> Result<&'a TimestampMicrosecondArray, Error> {
        self.column(name, |column| column.as_primitive_opt::<TimestampMicrosecondType>())
    }

    pub(super) fn texts(&self, name: &str) -> Result<&'a StringArray, Error> {
        self.column(name, |column| column.as_string_opt::<i32>())
    }
}

/// A text, blank where there is none.
pub(super) fn text(column: &StringArray, row: usize) -> &str {
    if column.is_valid(row) { column.value(row) } else { "" }
}

/// A whole number, blank where there is none.
pub(super) fn integer(column: &Int64Array, row: usize) -> String {
    if column.is_valid(row) { column.value(row).to_string() } else { String::new() }
}

/// A number of cents as dollars, blank where there is none.
pub(super) fn money(column: &Float64Array, row: usize) -> String {
    if column.is_valid(row) { format!("{:.2}", column.value(row)) } else { String::new() }
}

/// A real number in its shortest form, blank where there is none.
pub(super) fn number(column: &Float64Array, row: usize) -> String {
    if column.is_valid(row) { column.value(row).to_string() } else { String::new() }
}

/// A day as `YYYY-MM-DD`, blank where there is none.
pub(super) fn day(column: &Date32Array, row: usize) -> String {
    if column.is_valid(row) { Day(column.value(row)).to_string() } else { String::new() }
}

/// An instant as `YYYY-MM-DDTHH:MM:SSZ`, blank where there is none.
pub(super) fn time(column: &TimestampMicrosecondArray, row: usize) -> String {
    if column.is_valid(row) { instant(column.value(row)) } else { String::new() }
}

/// Microseconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`.
pub(super) fn instant(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let day = Day(seconds.div_euclid(86_400) as i32);
    let second = seconds.rem_euclid(86_400);
    let (hours, minutes) = (second / 3_600, second / 60 % 60);
    format!("{day}T{hours:02}:{minutes:02}:{:02}Z", second % 60)
}
