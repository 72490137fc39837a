//! One table, one Parquet file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use farr_disclosure::{AggregateTable, ColumnDescription, Labelled, Level};
use farr_store::{Location, Sha256Hash};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

use crate::{Error, ReportTable};

/// The version of the layout of reports: of metadata keys and the manifest,
/// not of the single tables' columns.
pub const REPORT_SCHEMA_VERSION: u32 = 1;

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Tables of fewer rows are not compressed.
const FEW_ROWS: usize = 1 << 11;

/// Where a report came from: what can change its content, and nothing of
/// threads, places or times. Holds nothing of persons.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The hash of the job: definitions, settings, farr's version.
    pub job_hash: String,
    /// farr's version.
    pub farr_version: String,
    /// The hash of the sources' contents.
    pub source_snapshot: String,
    /// The cohorts' definitions: name and hash, in the order of the job.
    pub cohort_hashes: Vec<(String, String)>,
}

/// A column's description as it stands in the file, under `farr.columns`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredColumn {
    pub(crate) name: String,
    pub(crate) description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    pub(crate) role: String,
}

impl From<&ColumnDescription> for StoredColumn {
    fn from(column: &ColumnDescription) -> Self {
        Self {
            name: column.name.clone(),
            description: column.description.clone(),
            unit: column.unit.clone(),
            role: column.role.name().to_owned(),
        }
    }
}

/// A table as the bytes of a Parquet file: zstd unless its rows are few,
/// statistics, the columns documented, `metadata` under `farr.*` keys. Equal arguments give equal
/// bytes.
///
/// # Errors
/// [`Error::Encode`] for a type that Parquet does not hold.
pub fn encode<L: Level>(
    table: Labelled<L, AggregateTable>,
    metadata: &Metadata,
) -> Result<Labelled<L, Bytes>, Error> {
    table.try_map(|table| encode_table(&table, metadata))
}

/// Writes a table as `<name>.parquet` into a folder, and gives its entry in
/// the manifest.
///
/// # Errors
/// [`Error::Name`] for a name that is no file's; those of [`encode`]; those of
/// the store, its zone's refusal among them.
pub fn write<L: Level>(
    folder: &Location,
    table: Labelled<L, AggregateTable>,
    metadata: &Metadata,
) -> Result<ReportTable, Error> {
    let name = table.get().name().to_owned();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(Error::Name { table: name });
    }
    let rows = table.get().batch().num_rows() as u64;
    let bytes = encode(table, metadata)?;
    let entry = ReportTable {
        file: format!("{name}.parquet"),
        name,
        rows,
        schema_version: REPORT_SCHEMA_VERSION,
        bytes: bytes.get().len() as u64,
        sha256: Sha256Hash::of(bytes.get()),
    };
    folder.write(&entry.file, bytes)?;
    Ok(entry)
}

fn encode_table(table: &AggregateTable, metadata: &Metadata) -> Result<Bytes, Error> {
    let failed = |source| Error::Encode { table: table.name().to_owned(), source };
    // The machinery of compression takes longer than few rows do.
    let compression = match table.batch().num_rows() {
        ..FEW_ROWS => Compression::UNCOMPRESSED,
        _ => Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?),
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_created_by(format!("farr {}", metadata.farr_version))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_key_value_metadata(Some(key_values(table, metadata)?))
        .build();
    let batch = documented(table).map_err(failed)?;
    let mut bytes = Vec::new();
    let writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties));
    let mut writer = writer.map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(Bytes::from(bytes))
}

/// The values with the descriptions in the fields' metadata.
fn documented(table: &AggregateTable) -> Result<RecordBatch, ParquetError> {
    let batch = table.batch();
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(table.columns()).map(|(field, column)| {
        let mut notes = HashMap::from([
            ("description".to_owned(), column.description.clone()),
            ("role".to_owned(), column.role.name().to_owned()),
        ]);
        notes.extend(column.unit.clone().map(|unit| ("unit".to_owned(), unit)));
        field.as_ref().clone().with_metadata(notes)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &options)?)
}

fn key_values(table: &AggregateTable, metadata: &Metadata) -> Result<Vec<KeyValue>, Error> {
    let json_error = |source| Error::Json { object: "report metadata".to_owned(), source };
    let columns: Vec<StoredColumn> = table.columns().iter().map(StoredColumn::from).collect();
    let columns = serde_json::to_string(&columns).map_err(json_error)?;
    let cohorts: serde_json::Map<String, serde_json::Value> = metadata
        .cohort_hashes
        .iter()
        .map(|(name, hash)| (name.clone(), hash.clone().into()))
        .collect();
    let cohorts = serde_json::to_string(&cohorts).map_err(json_error)?;
    let version = REPORT_SCHEMA_VERSION.to_string();
    Ok([
        ("farr.table", table.name()),
        ("farr.description", table.description()),
        ("farr.schema_version", &version),
        ("farr.version", &metadata.farr_version),
        ("farr.job_hash", &metadata.job_hash),
        ("farr.source_snapshot", &metadata.source_snapshot),
        ("farr.cohort_hashes", &cohorts),
        ("farr.columns", &columns),
    ]
    .into_iter()
    .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()))
    .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe;
    use arrow::array::{Int64Array, StringArray};
    use farr_disclosure::{Label, Zone};
    use parquet::basic::ColumnOrder;
    use parquet::file::metadata::ParquetMetaDataReader;
    use proptest::prelude::*;

    fn table(counts: Vec<Option<i64>>) -> AggregateTable {
        let rows = counts.len();
        AggregateTable::build("incidence", "Outcomes by year.")
            .key("year", "Calendar year.", (0..rows as i64).collect::<Vec<_>>())
            .count("n", "Persons.", "persons", counts)
            .derived("rate", "Rate.", "per year", vec![0.1; rows])
            .plain("note", "A note.", "", vec![None::<&str>; rows])
            .finish()
            .unwrap()
    }

    fn metadata() -> Metadata {
        Metadata {
            job_hash: "aa".to_owned(),
            farr_version: "0.1.0".to_owned(),
            source_snapshot: "bb".to_owned(),
            cohort_hashes: vec![("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
        }
    }

    #[test]
    fn a_report_explains_itself() {
        let made = table(vec![Some(7), None, Some(0)]);
        let bytes = encode(Labelled::aggregate(made.clone()), &metadata()).unwrap();
        assert_eq!(bytes.label(), Label::Aggregate);
        let read = describe(bytes.into_inner()).unwrap();
        assert_eq!(read.rows, 3);
        assert_eq!(read.batch.columns(), made.batch().columns());
        let n = &read.columns[1];
        assert_eq!((n.name.as_str(), n.role.as_str(), n.nulls), ("n", "count", 1));
        assert_eq!(n.unit.as_deref(), Some("persons"));
        assert_eq!((n.minimum.as_deref(), n.maximum.as_deref()), (Some("0"), Some("7")));
        assert_eq!(read.columns[3].minimum, None);
        let note = read.batch.schema().field(1).metadata().get("description").cloned();
        assert_eq!(note.as_deref(), Some("Persons."));
        let value = |key: &str| {
            let found = read.metadata.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str()).unwrap()
        };
        assert_eq!(value("farr.job_hash"), "aa");
        assert_eq!(value("farr.cohort_hashes"), r#"{"b":"1","a":"2"}"#);
        assert_eq!(value("farr.table"), "incidence");
    }

    /// Readers of some years ago take an order that they do not know for damage.
    #[test]
    fn columns_have_the_order_that_all_readers_know() {
        let bytes = encode(Labelled::aggregate(table(vec![Some(7)])), &metadata()).unwrap();
        let footer = ParquetMetaDataReader::new().parse_and_finish(&bytes.into_inner()).unwrap();
        for place in 0..4 {
            let order = footer.file_metadata().column_order(place);
            assert!(matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)), "{place}: {order:?}");
        }
    }

    #[test]
    fn an_empty_table_is_a_report() {
        let bytes = encode(Labelled::aggregate(table(Vec::new())), &metadata()).unwrap();
        let read = describe(bytes.into_inner()).unwrap();
        assert_eq!((read.rows, read.columns.len()), (0, 4));
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let bytes = encode(Labelled::aggregate(table(vec![Some(7)])), &metadata()).unwrap();
        let bytes = bytes.into_inner();
        let short = describe(bytes.slice(..bytes.len() - 9));
        assert!(matches!(short, Err(Error::Decode { .. })));
        assert!(matches!(describe(Bytes::new()), Err(Error::Decode { .. })));
    }

    #[test]
    fn the_zone_judges_the_bytes_of_a_table() {
        let made = || table(vec![Some(2), Some(9)]);
        let open = Location::memory(Zone::Open);
        let refused = write(&open, Labelled::aggregate(made()), &metadata());
        assert!(matches!(refused, Err(Error::Store(farr_store::Error::Zone { .. }))));
        let tables = vec![Labelled::aggregate(made())];
        let released = farr_disclosure::release(tables, &farr_disclosure::Policy::default());
        for table in released.unwrap() {
            let entry = write(&open, table, &metadata()).unwrap();
            assert_eq!(entry.rows, 2);
            let bytes = open.read("incidence.parquet").unwrap();
            assert_eq!(Sha256Hash::of(&bytes), entry.sha256);
            let read = describe(bytes).unwrap();
            let counts = read.batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
            assert_eq!(counts.iter().collect::<Vec<_>>(), [None, Some(9)]);
        }
    }

    #[test]
    fn a_name_that_is_no_file_is_refused() {
        let bad = AggregateTable::build("../up", "").finish().unwrap();
        let place = Location::memory(Zone::Restricted);
        let refused = write(&place, Labelled::aggregate(bad), &metadata());
        assert!(matches!(refused, Err(Error::Name { .. })));
    }

    proptest! {
        #[test]
        fn same_table_same_bytes_and_all_values_back(
            rows in prop::collection::vec((any::<Option<u32>>(), any::<Option<f64>>(), "\\PC{0,9}"), 0..60)
        ) {
            let counts: Vec<_> = rows.iter().map(|row| row.0.map(i64::from)).collect();
            let rates: Vec<_> = rows.iter().map(|row| row.1).collect();
            let texts: Vec<_> = rows.iter().map(|row| row.2.clone()).collect();
            let table = || {
                AggregateTable::build("t", "Values.")
                    .key("k", "Text.", texts.clone())
                    .count("n", "Persons.", "persons", counts.clone())
                    .derived("rate", "Rate.", "per year", rates.clone())
                    .finish()
                    .unwrap()
            };
            let encoded = || encode(Labelled::aggregate(table()), &metadata()).unwrap().into_inner();
            prop_assert_eq!(encoded(), encoded());
            let read = describe(encoded()).unwrap();
            let read_texts = read.batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
            prop_assert_eq!(read_texts.iter().flatten().collect::<Vec<_>>(), texts.clone());
            let made = table();
            prop_assert_eq!(&read.batch.columns()[1..], &made.batch().columns()[1..]);
        }
    }
}
