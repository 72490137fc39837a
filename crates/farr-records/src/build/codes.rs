//! The codes of concepts, sorted by vocabulary and code, so that a code is
//! found without a look at every concept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;
use farr_disclosure::Labelled;
use farr_store::ObjectWriter;

use super::shards::Plan;
use super::spill::{self, Segment};
use crate::manifest::FileEntry;
use crate::parquet_file::{self, CODE_COLUMNS, ParquetFile, lookup_group_rows, of_parquet};
use crate::{Error, Table};

const TABLE: Table = Table::Concept;

fn failed(source: ArrowError) -> Error {
    Error::Arrow { table: TABLE, source }
}

impl Plan<'_> {
    /// Writes the codes of a concept table: vocabulary by vocabulary, of which
    /// one at a time is in memory.
    pub(super) fn write_codes(&self, concepts: &FileEntry) -> Result<FileEntry, Error> {
        let by_vocabulary: Mutex<BTreeMap<String, Vec<Segment>>> = Mutex::default();
        let object = (self.location, concepts.path.as_str(), concepts.size);
        parquet_file::scan(object, &CODE_COLUMNS, None, |batch| {
            for (vocabulary, rows) in divided(batch)? {
                let part = take_record_batch(batch, &UInt32Array::from(rows)).map_err(failed)?;
                let segment = self.scratch.append(&spill::encode(&part).map_err(failed)?)?;
                let mut all = by_vocabulary.lock().unwrap_or_else(PoisonError::into_inner);
                all.entry(vocabulary).or_default().push(segment);
            }
            Ok(())
        })?;
        let by_vocabulary = by_vocabulary.into_inner().unwrap_or_else(PoisonError::into_inner);
        let path = "vocabulary/concept_code.parquet".to_owned();
        let of_file = |source| of_parquet(self.location.url_of(&path), source);
        let fields = CODE_COLUMNS.map(|name| TABLE.schema().field_with_name(name).cloned());
        let fields = fields.into_iter().collect::<Result<Vec<_>, ArrowError>>().map_err(failed)?;
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let mut rows = 0;
        let content = |sink: &mut ObjectWriter| {
            let group_rows = lookup_group_rows(concepts.rows as usize);
            let mut file =
                ParquetFile::new(sink, schema.clone(), &[], group_rows).map_err(of_file)?;
            for segments in by_vocabulary.values() {
                let sorted = self.sorted_codes(segments)?;
                rows += sorted.num_rows() as u64;
                let columns = CODE_COLUMNS.map(|name| sorted.column_by_name(name).cloned());
                let columns = columns.into_iter().flatten().collect();
                let sorted = RecordBatch::try_new(schema.clone(), columns).map_err(failed)?;
                file.push(&sorted).map_err(of_file)?;
            }
            file.finish().map_err(of_file)
        };
        let written = self.location.write_streamed(&path, Labelled::person_level(content))?;
        let (size, sha256) = (written.size, written.sha256);
        Ok(FileEntry { path, rows, persons: 0, size, sha256 })
    }

    /// The codes of one vocabulary, in order; equal ones by their concept.
    fn sorted_codes(&self, segments: &[Segment]) -> Result<RecordBatch, Error> {
        let decode =
            |segment: &Segment| spill::decode(self.scratch.read(*segment)?.into()).map_err(failed);
        let batches = segments.iter().map(decode).collect::<Result<Vec<RecordBatch>, Error>>()?;
        let Some(first) = batches.first() else {
            return Ok(RecordBatch::new_empty(TABLE.schema()));
        };
        let batch = concat_batches(&first.schema(), &batches).map_err(failed)?;
        let columns = CODE_COLUMNS.iter().filter_map(|name| batch.column_by_name(name));
        let columns: Vec<SortColumn> =
            columns.map(|c| SortColumn { values: c.clone(), options: None }).collect();
        let order = lexsort_to_indices(&columns, None).map_err(failed)?;
        take_record_batch(&batch, &order).map_err(failed)
    }
}

/// The rows of a batch by vocabulary; those without vocabulary or code are left
/// out, since nobody can ask for them.
fn divided(batch: &RecordBatch) -> Result<BTreeMap<String, Vec<u32>>, Error> {
    let text = |name: &str| -> Result<&StringArray, Error> {
        let column = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        column.ok_or(Error::Bug { table: TABLE, broken: "a code that is no text" })
    };
    let (vocabularies, codes) = (text("vocabulary_id")?, text("concept_code")?);
    let mut divided: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        if vocabularies.is_null(row) || codes.is_null(row) {
            continue;
        }
        let vocabulary = vocabularies.value(row);
        match divided.get_mut(vocabulary) {
            Some(rows) => rows.push(row as u32),
            None => drop(divided.insert(vocabulary.to_owned(), vec![row as u32])),
        }
    }
    Ok(divided)
}
