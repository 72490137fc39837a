//! What a report file says of itself.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{SortOptions, concat_batches, sort_to_indices};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::Error;
use crate::parquet_file::StoredColumn;

/// What a report file says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The number of rows.
    pub rows: u64,
    /// The `farr.*` keys but the columns, in the file's order.
    pub metadata: Vec<(String, String)>,
    /// The columns, in order.
    pub columns: Vec<ColumnSummary>,
    /// The values.
    pub batch: RecordBatch,
}

/// A column: what it means and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSummary {
    /// The name.
    pub name: String,
    /// The type, in Arrow's words.
    pub data_type: String,
    /// What it means; empty in a file that does not say.
    pub description: String,
    /// The unit, where there is one.
    pub unit: Option<String>,
    /// What disclosure control did with it: `key`, `count`, `derived` or
    /// `plain`; empty in a file that does not say.
    pub role: String,
    /// How many values are null.
    pub nulls: u64,
    /// The smallest value as text, if there is one.
    pub minimum: Option<String>,
    /// The largest value as text, if there is one.
    pub maximum: Option<String>,
}

/// Reads a report.
///
/// # Errors
/// [`Error::Decode`] if the bytes are no whole Parquet file.
pub fn describe(bytes: Bytes) -> Result<Description, Error> {
    let decode = |source| Error::Decode { source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(decode)?;
    let mut metadata = Vec::new();
    let mut stored: Vec<StoredColumn> = Vec::new();
    for pair in builder.metadata().file_metadata().key_value_metadata().into_iter().flatten() {
        let value = pair.value.clone().unwrap_or_default();
        if pair.key == "farr.columns" {
            let object = "farr.columns".to_owned();
            stored =
                serde_json::from_str(&value).map_err(|source| Error::Json { object, source })?;
        } else if pair.key.starts_with("farr.") {
            metadata.push((pair.key.clone(), value));
        }
    }
    let schema = builder.schema().clone();
    let reader = builder.build().map_err(decode)?;
    let failed = |source| Error::Decode { source: ParquetError::from(source) };
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let batch = concat_batches(&schema, &batches).map_err(failed)?;
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, values)| {
            let column = stored.iter().find(|column| column.name == *field.name());
            summary(field.name(), values, column)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Description { rows: batch.num_rows() as u64, metadata, columns, batch })
}

fn summary(
    name: &str,
    values: &ArrayRef,
    stored: Option<&StoredColumn>,
) -> Result<ColumnSummary, Error> {
    let failed = |source| Error::Column { column: name.to_owned(), source };
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(values.as_ref(), &options).map_err(failed)?;
    let first = |descending: bool| -> Result<Option<String>, Error> {
        let order = SortOptions { descending, nulls_first: false };
        let indices = sort_to_indices(values, Some(order), Some(1)).map_err(failed)?;
        let found = indices.values().first().map(|&row| row as usize);
        Ok::<_, Error>(
            found.filter(|&row| values.is_valid(row)).map(|row| formatter.value(row).to_string()),
        )
    };
    Ok(ColumnSummary {
        name: name.to_owned(),
        data_type: values.data_type().to_string(),
        description: stored.map(|column| column.description.clone()).unwrap_or_default(),
        unit: stored.and_then(|column| column.unit.clone()),
        role: stored.map(|column| column.role.clone()).unwrap_or_default(),
        nulls: values.null_count() as u64,
        minimum: first(false)?,
        maximum: first(true)?,
    })
}
