//! Rows of one file with the schema's types.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::reader::Length;

use super::files::Part;
use super::typing::{Misfit, read_as};
use crate::parquet_file::{batches, check_footer, guarded};
use crate::{Column, Error, Kind, Table};

/// Rows read at a time.
const BATCH_ROWS: usize = 65_536;

/// Columns of a table.
pub(super) struct Wanted {
    pub(super) table: Table,
    pub(super) columns: Vec<Column>,
    /// That a batch of them has.
    pub(super) schema: Arc<Schema>,
}

impl Wanted {
    /// The columns of these names, as far as the table has them.
    pub(super) fn new(table: Table, names: &[&str]) -> Self {
        let columns: Vec<Column> = names.iter().filter_map(|name| table.column(name)).collect();
        let fields = columns.iter().map(|c| Field::new(c.name, c.kind.data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { table, columns, schema }
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// A batch of the columns.
    pub(super) fn batch(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, Error> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|source| Error::Arrow { table: self.table, source })
    }
}

/// A column of a batch that does not fit the schema.
pub(super) struct Unfit {
    column: Column,
    /// The type in the file; `None` if a folder's name gives the value.
    found: Option<DataType>,
    misfit: Misfit,
}

impl Part {
    /// Hands on all rows, some at a time.
    pub(super) fn read(
        &self,
        wanted: &Wanted,
        mut take: impl FnMut(RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |source| self.unreadable(source);
        let (file, footer) = (self.open()?, self.footer()?);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
        self.check_columns(wanted, builder.schema())?;
        let fields = builder.schema().fields().iter().enumerate();
        let places = fields.filter(|(_, field)| wanted.has(field.name())).map(|(place, _)| place);
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        let reader = guarded(|| builder.build()).map_err(failed)?;
        let mut rows_before = 0;
        for batch in batches(reader) {
            let batch = batch.map_err(failed)?;
            let columns = self.conform(wanted, &batch);
            let columns = columns.map_err(|unfit| self.error_of(&unfit, rows_before))?;
            take(wanted.batch(columns, batch.num_rows())?)?;
            rows_before += batch.num_rows() as u64;
        }
        Ok(())
    }

    /// Each column wanted stands once at most, and that of the person once: without
    /// it no row would count, and nobody would notice.
    fn check_columns(&self, wanted: &Wanted, schema: &Schema) -> Result<(), Error> {
        // CDM 5.4 has no person in `cost`.
        let person = wanted.table.person_column().filter(|_| wanted.table != Table::Cost);
        for column in &wanted.columns {
            let is_column = |field: &&Arc<Field>| field.name().eq_ignore_ascii_case(column.name);
            let times = schema.fields().iter().filter(is_column).count();
            let is_given = self.given.iter().any(|(given, _)| given.name == column.name);
            let is_missing = times == 0 && !is_given && person == Some(column.name);
            if times > 1 || is_missing {
                let (file, column) = (self.shown.clone(), column.name);
                return Err(Error::OmopColumn { file, column, times });
            }
        }
        Ok(())
    }

    /// The error of the first value, in the order of rows, that does not fit,
    /// once one has been met by somebody who does not know its row.
    pub(super) fn first_misfit(&self, wanted: &Wanted) -> Error {
        match self.read(wanted, |_| Ok(())) {
            Err(error) => error,
            Ok(()) => Error::Changed { object: self.shown.clone() },
        }
    }

    /// The wanted columns of a batch of the file, with their types: as the file
    /// has them, or else as the names of its folders give them, or else nulls.
    pub(super) fn conform(
        &self,
        wanted: &Wanted,
        batch: &RecordBatch,
    ) -> Result<Vec<ArrayRef>, Unfit> {
        let schema = batch.schema();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(wanted.columns.len());
        for column in &wanted.columns {
            let is_column = |field: &Arc<Field>| field.name().eq_ignore_ascii_case(column.name);
            let found = schema.fields().iter().position(is_column);
            arrays.push(match found.map(|place| batch.column(place)) {
                Some(values) => read_as(values, column.kind).map_err(|misfit| Unfit {
                    column: *column,
                    found: Some(values.data_type().clone()),
                    misfit,
                })?,
                None => self.given(*column, batch.num_rows())?,
            });
        }
        Ok(arrays)
    }

    /// A column that the file lacks.
    fn given(&self, column: Column, rows: usize) -> Result<ArrayRef, Unfit> {
        let nulls = new_null_array(&column.kind.data_type(), rows);
        let given = self.given.iter().find(|(known, _)| known.name == column.name);
        let Some((_, Some(text))) = given else { return Ok(nulls) };
        let unfit = |misfit| Unfit { column, found: None, misfit };
        let one: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
        let one = read_as(&one, column.kind).map_err(unfit)?;
        take(&one, &UInt32Array::from(vec![0; rows]), None).map_err(|_| unfit(Misfit::Type))
    }

    fn error_of(&self, unfit: &Unfit, rows_before: u64) -> Error {
        let (file, column) = (self.shown.clone(), unfit.column.name);
        let (one, many) = expected(unfit.column.kind);
        let Some(data_type) = &unfit.found else {
            return Error::OmopFolderName { file, column, expected: one };
        };
        let found = data_type.to_string();
        match unfit.misfit {
            Misfit::Row(row) => {
                let row = rows_before + row as u64 + 1;
                Error::OmopValue { file, row, column, found, expected: one }
            }
            Misfit::Type => {
                let remedy = remedy(data_type, unfit.column.kind);
                Error::OmopType { file, column, found, expected: many, remedy }
            }
        }
    }

    pub(super) fn unreadable(&self, source: ParquetError) -> Error {
        Error::OmopParquet { file: self.shown.clone(), source }
    }

    pub(super) fn open(&self) -> Result<File, Error> {
        let folder = || self.shown.clone();
        File::open(&self.path).map_err(|source| Error::Folder { folder: folder(), source })
    }

    pub(super) fn footer(&self) -> Result<ArrowReaderMetadata, Error> {
        let file = self.open()?;
        let load = || {
            let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
            check_footer(footer.metadata(), Length::len(&file)).map(|()| footer)
        };
        guarded(load).map_err(|source| self.unreadable(source))
    }
}

/// What a value of the kind is, and what a column of it holds.
fn expected(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Person | Kind::Id | Kind::Concept | Kind::Integer => {
            ("a whole number of 64 bits", "whole numbers")
        }
        Kind::Number => ("a number", "numbers"),
        Kind::Date => ("a date that exists", "dates"),
        Kind::Datetime => ("a date and time that exist", "dates and times"),
        Kind::Text => ("text in UTF-8", "text"),
    }
}

fn remedy(found: &DataType, kind: Kind) -> &'static str {
    if found.is_numeric() && matches!(kind, Kind::Date | Kind::Datetime) {
        "numbers like 20120101 and days since 1970 cannot be told apart: write the column as \
         dates, or as text like 2012-01-01"
    } else {
        "write the column with a type that fits"
    }
}
