//! OMOP CDM 5.4 as Parquet: a folder a table, a part a chunk.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use farr_records::Table;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Piece;
use crate::Error;

/// Each table as a whole Parquet file, `table/part-00007.parquet` for part 7.
/// A table without rows has a file too: it says that the table is known.
///
/// # Errors
/// [`Error::Parquet`] if a batch cannot be encoded.
pub fn omop_parquet(
    tables: &BTreeMap<Table, RecordBatch>,
    part: usize,
) -> Result<Vec<Piece>, Error> {
    let file = |(table, batch): (&Table, &RecordBatch)| {
        let file = format!("{table}/part-{part:05}.parquet");
        let bytes =
            encode(batch).map_err(|source| Error::Parquet { object: file.clone(), source })?;
        Ok(Piece { file, bytes })
    };
    tables.iter().map(file).collect()
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by("farr".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(bytes)
}
