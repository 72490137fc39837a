//! Reading Parquet objects of a table, row group by row group.

use arrow::array::RecordBatch;
use bytes::Bytes;
use farr_records::{Intake, Line};
use farr_store::{ObjectInfo, Sha256Hash};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use rayon::prelude::*;

use crate::Error;
use crate::layout::{Header, Reading};
use crate::pipeline::{Context, MapRows, TableReader};
use crate::rows::{RawColumn, Rows, can_read, typed};
use crate::tokens::Fault;

const ROWS_A_BATCH: usize = 65_536;

/// An object in memory, with its columns resolved.
struct Opened {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    header: Header,
    url: String,
}

fn open<I>(
    context: &Context<'_, I>,
    table: &TableReader,
    object: &ObjectInfo,
) -> Result<Opened, Error> {
    let url = context.location.url_of(&object.path);
    let bytes = context.location.read(&object.path)?;
    let failed = |source| Error::Parquet { object: url.clone(), source };
    let metadata =
        ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default()).map_err(failed)?;
    let fields = metadata.schema().fields();
    let found: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let mut header = table.layout.resolve(context.settings, &url, &found)?;
    header.read.retain(|(index, _, _)| table.layout.columns[*index].reading != Reading::NotKept);
    for (index, place, name) in &header.read {
        let data_type = fields[*place].data_type();
        can_read(data_type, table.layout.columns[*index].reading).map_err(|expected| {
            Error::WrongType {
                object: url.clone(),
                column: name.clone(),
                found: data_type.to_string(),
                expected,
            }
        })?;
    }
    Ok(Opened { bytes, metadata, header, url })
}

/// What is done with the typed rows of a batch: how many were read, those that
/// could be typed, and the faults of the others.
type TakeRows<'t> = dyn FnMut(u64, &Rows, Vec<Fault>) -> Result<(), Error> + 't;

impl Opened {
    fn row_group<I>(
        &self,
        context: &Context<'_, I>,
        table: &TableReader,
        group: usize,
        take: &mut TakeRows,
    ) -> Result<(), Error> {
        let failed = |source| Error::Parquet { object: self.url.clone(), source };
        let places = self.header.read.iter().map(|(_, place, _)| *place);
        let metadata = self.metadata.metadata();
        let mask = ProjectionMask::roots(metadata.file_metadata().schema_descr(), places);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.bytes.clone(),
            self.metadata.clone(),
        );
        let reader = builder
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(ROWS_A_BATCH)
            .build()
            .map_err(failed)?;
        let before = metadata.row_groups()[..group].iter().map(RowGroupMetaData::num_rows);
        let mut line = before.sum::<i64>() as u64;
        for batch in reader {
            let failed = |source| Error::Arrow { object: self.url.clone(), source };
            let batch = batch.map_err(failed)?;
            let lines = (0..batch.num_rows() as u64).map(|row| Line(line + row + 1)).collect();
            line += batch.num_rows() as u64;
            let raw = self.raw(&batch);
            let (rows, faults) = typed(lines, &raw, &table.layout, &context.clock)?;
            take(batch.num_rows() as u64, &rows, faults)?;
        }
        Ok(())
    }

    fn raw(&self, batch: &RecordBatch) -> Vec<RawColumn<'_>> {
        let raw =
            |(index, _, name): &'_ (usize, usize, String)| (*index, batch.column_by_name(name));
        let columns = self.header.read.iter();
        columns
            .filter_map(|column| {
                let (index, values) = raw(column);
                Some(RawColumn { index, name: &column.2, values: values?.clone() })
            })
            .collect()
    }
}

/// Reads an object: its rows go through `map` to the intake.
pub(super) fn read<I>(
    context: &Context<'_, I>,
    table: &TableReader,
    place: usize,
    map: &MapRows,
) -> Result<(), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let started = context.start(table, place);
    let opened = open(context, table, &table.objects[place])?;
    table.saw(&opened.header);
    (0..opened.metadata.metadata().num_row_groups()).into_par_iter().try_for_each(|group| {
        opened.row_group(context, table, group, &mut |read, rows, faults| {
            context.take(table, &started, rows, read, faults, map)
        })
    })?;
    if opened.metadata.metadata().file_metadata().num_rows() == 0 {
        context.take_none(table, &started, &opened.header, map)?;
    }
    context.finish(table, started, Sha256Hash::of(&opened.bytes).as_str());
    Ok(())
}

/// Reads some columns of an object ahead: nothing goes to the intake.
pub(super) fn peek<I>(
    context: &Context<'_, I>,
    table: &TableReader,
    object: &ObjectInfo,
    columns: &[&str],
    look: &mut dyn FnMut(&Rows),
) -> Result<(), Error> {
    let mut opened = open(context, table, object)?;
    opened.header.keep(&table.layout, columns);
    for group in 0..opened.metadata.metadata().num_row_groups() {
        opened.row_group(context, table, group, &mut |_, rows, _| {
            look(rows);
            Ok(())
        })?;
    }
    Ok(())
}
