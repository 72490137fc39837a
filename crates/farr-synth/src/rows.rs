//! Rows of OMOP tables while they are gathered, and the batches they become.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use farr_records::{Day, Table};

use crate::Error;
use crate::model::Instant;

/// A value that can stand in a column.
pub(crate) trait Cell: Sized {
    fn column(values: Vec<Self>) -> ArrayRef;
}

impl Cell for i64 {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }
}
impl Cell for Option<i64> {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }
}
impl Cell for Option<f64> {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(Float64Array::from(values))
    }
}
impl Cell for Day {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(values.into_iter().map(|day| Some(day.0)).collect::<Date32Array>())
    }
}
impl Cell for Option<Day> {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(values.into_iter().map(|day| day.map(|day| day.0)).collect::<Date32Array>())
    }
}
impl Cell for Instant {
    fn column(values: Vec<Self>) -> ArrayRef {
        let micros = values.into_iter().map(|time| time.0 * 1_000_000);
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros))
    }
}
impl Cell for Option<Instant> {
    fn column(values: Vec<Self>) -> ArrayRef {
        let micros = values.into_iter().map(|time| time.map(|time| time.0 * 1_000_000));
        Arc::new(micros.collect::<TimestampMicrosecondArray>())
    }
}
impl Cell for &'static str {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }
}
impl Cell for Option<&'static str> {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }
}
impl Cell for String {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }
}
impl Cell for Option<String> {
    fn column(values: Vec<Self>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }
}

/// A batch with every column of the table; those not given are null.
pub(crate) fn batch(table: Table, columns: &[(&str, ArrayRef)]) -> Result<RecordBatch, Error> {
    let schema = table.schema();
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let column = |field: &arrow::datatypes::FieldRef| {
        let given = columns.iter().find(|(name, _)| name == field.name());
        given.map_or_else(|| new_null_array(field.data_type(), rows), |(_, column)| column.clone())
    };
    let arrays = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, arrays).map_err(|source| Error::Arrow { table, source })
}

/// A row of a table with some of its columns, and the rows gathered.
macro_rules! rows {
    ($rows:ident of $row:ident in $table:ident { $($field:ident: $kind:ty,)* }) => {
        pub(crate) struct $row { $(pub(crate) $field: $kind),* }
        #[derive(Default)]
        pub(crate) struct $rows { $($field: Vec<$kind>),* }
        impl $rows {
            pub(crate) fn push(&mut self, row: $row) {
                $(self.$field.push(row.$field);)*
            }
            pub(crate) fn batch(self) -> Result<arrow::array::RecordBatch, $crate::Error> {
                let columns = [$((stringify!($field), $crate::rows::Cell::column(self.$field))),*];
                $crate::rows::batch(farr_records::Table::$table, &columns)
            }
        }
    };
}
pub(crate) use rows;
