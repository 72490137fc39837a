//! The schema that our files of a table have. To read it anew of each of many
//! small files takes longer than to compare the bytes that hold it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::FieldRef;
use bytes::Buf;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::schema::types::SchemaDescPtr;

use crate::Table;

/// A schema, and how each footer begins that has it.
pub(crate) struct KnownSchema {
    head: Vec<u8>,
    schema: SchemaDescPtr,
}

impl KnownSchema {
    /// That of a persons' table.
    pub(crate) fn of(table: Table) -> Option<Self> {
        let none = footer(table, 0)?;
        let one = footer(table, 1)?;
        // Behind the schema comes how many rows there are, which is where the
        // footers of no row and of one part: before it is all of the schema.
        let shared = none.iter().zip(&one).take_while(|(none, one)| none == one).count();
        let schema = ParquetMetaDataReader::decode_schema(&none).ok()?;
        Some(Self { head: none[..shared].to_vec(), schema })
    }

    /// The schema, where it is that of a footer.
    pub(crate) fn if_of(&self, footer: &[u8]) -> Option<&SchemaDescPtr> {
        footer.starts_with(&self.head).then_some(&self.schema)
    }
}

/// The footer of a file of so many rows, written on this thread alone: one that
/// waits for others could be given a shard's work meanwhile, which asks for this.
fn footer(table: Table, rows: usize) -> Option<Vec<u8>> {
    let schema = table.schema();
    let column = |field: &FieldRef| -> ArrayRef {
        if field.is_nullable() {
            new_null_array(field.data_type(), rows)
        } else {
            // A person.
            Arc::new(Int64Array::from(vec![0; rows]))
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    let rows = RecordBatch::try_new(schema.clone(), columns).ok()?;
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, schema, None).ok()?;
    writer.write(&rows).ok()?;
    writer.close().ok()?;
    let (file, trailer) = file.split_at_checked(file.len().checked_sub(8)?)?;
    let length = (&trailer[..4]).get_u32_le() as usize;
    Some(file.get(file.len().checked_sub(length)?..)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::encoding::Sequences;
    use crate::parquet_file;

    /// As our tables are written.
    fn written(table: Table) -> Vec<u8> {
        let persons = Arc::new(Int64Array::from(vec![4, 5, 6])) as ArrayRef;
        let name = table.person_column().unwrap();
        let rows = RecordBatch::try_from_iter([(name, persons)]).unwrap();
        let (schema, sequences) = (table.schema(), Sequences::of(table));
        parquet_file::encode(&rows, &schema, &sequences, 2).unwrap().to_vec()
    }

    #[test]
    fn footers_are_known_by_their_table() {
        let of_persons = || Table::ALL.into_iter().filter(|table| table.scope() == Scope::Person);
        for table in of_persons() {
            let known = KnownSchema::of(table).unwrap();
            for other in of_persons() {
                let file = written(other);
                let (file, trailer) = file.split_at(file.len() - 8);
                let footer = &file[file.len() - (&trailer[..4]).get_u32_le() as usize..];
                let metadata = ParquetMetaDataReader::decode_metadata(footer).unwrap();
                let schema = metadata.file_metadata().schema_descr();
                let is_same = schema == known.schema.as_ref();
                assert_eq!(is_same, table == other);
                assert_eq!(known.if_of(footer).is_some(), is_same, "{table}, {other}");
                assert!(known.if_of(&footer[..known.head.len() - 1]).is_none());
            }
        }
    }
}
