//! Rows for the records, on their way out of a source.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema};
use farr_records::{IdHasher, Kind, Line, Scope, Table, dictionary_of_texts};

use crate::Error;
use crate::plain::append;
use crate::rows::{Rows, is_keyed};
use crate::tokens::Fault;
use crate::typing::each_run;

/// Rows for one table.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) table: Table,
    pub(crate) rows: RecordBatch,
    pub(crate) lines: Vec<Line>,
    /// See [`Incoming`](farr_records::Incoming).
    pub(crate) stands_for_source: bool,
}

/// What becomes of one batch: its rows by table, and those not kept.
#[derive(Debug, Default)]
pub(crate) struct Mapped {
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) faults: Vec<Fault>,
}

impl Outgoing {
    /// Rows of these columns; those the table does not have are left out, the
    /// others get the table's types.
    pub(crate) fn new(
        table: Table,
        lines: Vec<Line>,
        stands_for_source: bool,
        columns: Vec<(&str, ArrayRef)>,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Arrow { object: table.name().to_owned(), source };
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for (name, values) in columns {
            let Some(column) = table.column(name) else { continue };
            let data_type = match column.kind.data_type() {
                DataType::Utf8 if is_keyed(&values) && table.scope() == Scope::Person => {
                    dictionary_of_texts()
                }
                data_type => data_type,
            };
            fields.push(Field::new(name, data_type.clone(), column.kind != Kind::Person));
            arrays.push(cast(&values, &data_type).map_err(failed)?);
        }
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed)?;
        debug_assert_eq!(rows.num_rows(), lines.len());
        Ok(Self { table, rows, lines, stands_for_source })
    }

    /// As [`new`](Self::new), of the rows in `chosen` only.
    pub(crate) fn of_rows(
        table: Table,
        rows: &Rows,
        chosen: &[u32],
        columns: Vec<(&str, ArrayRef)>,
    ) -> Result<Self, Error> {
        let lines = chosen.iter().map(|row| rows.lines[*row as usize]).collect();
        let places = UInt32Array::from(chosen.to_vec());
        let failed = |source| Error::Arrow { object: table.name().to_owned(), source };
        let columns = columns
            .into_iter()
            .map(|(name, values)| Ok((name, take(&values, &places, None).map_err(failed)?)))
            .collect::<Result<_, Error>>()?;
        Self::new(table, lines, false, columns)
    }
}

/// The ids of natural keys of one part each; null where there is no key.
pub(crate) fn ids_of(hasher: &IdHasher, keys: &StringArray) -> ArrayRef {
    let ids: Int64Array = each_run(keys, |key| Some(hasher.id(&[key]))).collect();
    Arc::new(ids)
}

/// The same value for every row.
pub(crate) fn constant(value: i64, rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_value(value, rows))
}

/// The same text for every row.
pub(crate) fn constant_text(value: &str, rows: usize) -> ArrayRef {
    let texts = Arc::new(StringArray::from(vec![value]));
    Arc::new(DictionaryArray::new(Int32Array::from_value(0, rows), texts))
}

/// An id for each row, of all that it says: equal rows have equal ids, also
/// when another year's export has more columns that are empty.
pub(crate) fn ids_of_rows(hasher: &IdHasher, rows: &Rows) -> Int64Array {
    let length = |part: usize| (part as u64).to_le_bytes();
    let texts = rows.texts().into_iter().map(|(name, text)| {
        let name = [&length(name.len()), name.as_bytes()].concat();
        (name, text)
    });
    let texts: Vec<(Vec<u8>, StringArray)> = texts.collect();
    let mut key = hasher.prefix().to_vec();
    let id = |row: usize| {
        key.truncate(hasher.prefix().len());
        for (name, text) in texts.iter().filter(|(_, text)| text.is_valid(row)) {
            let (start, end) = (text.value_offsets()[row], text.value_offsets()[row + 1]);
            let (start, end) = (start as usize, end as usize);
            key.extend_from_slice(name);
            key.extend_from_slice(&length(end - start));
            append(&mut key, text.value_data(), start..end);
        }
        IdHasher::id_of_bytes(&key)
    };
    Int64Array::from_iter_values((0..rows.len()).map(id))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;

    use super::*;

    /// A vocabulary is looked into before it is handed over, by its texts.
    #[test]
    fn keys_of_texts_are_for_rows_of_persons() {
        let texts: DictionaryArray<Int32Type> = [Some("S"), None].into_iter().collect();
        let texts: ArrayRef = Arc::new(texts);
        let columns = |name| vec![(name, Arc::clone(&texts))];
        let lines = || vec![Line(1), Line(2)];
        let of = |table, name| Outgoing::new(table, lines(), true, columns(name)).unwrap().rows;
        let concepts = of(Table::Concept, "standard_concept");
        assert_eq!(concepts.column(0).as_string::<i32>().value(0), "S");
        let visits = of(Table::VisitOccurrence, "visit_source_value");
        assert_eq!(*visits.column(0).data_type(), dictionary_of_texts());
    }
}
