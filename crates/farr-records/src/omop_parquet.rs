//! A local folder of OMOP Parquet as it lies: any order of rows, CDM 5.3 or
//! 5.4, any letter case of file names, ids of any numeric type or as text.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::{
    CastOptions, cast_with_options, concat_batches, filter_record_batch, take_record_batch,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{Column, Error, Scope, Shard, ShardId, Table, Vocabulary, sorted_by_person};

/// A local folder with one file `<table>.parquet`, or one folder of such
/// files `<table>/`, for each table that it has.
#[derive(Debug, Clone)]
pub struct OmopParquet {
    files: BTreeMap<Table, Vec<PathBuf>>,
}

/// Rows read at a time.
const BATCH_ROWS: usize = 65_536;

impl OmopParquet {
    /// Looks which tables the folder has.
    ///
    /// # Errors
    /// [`Error::Folder`] if it cannot be listed.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let mut files: BTreeMap<Table, Vec<PathBuf>> = BTreeMap::new();
        for path in entries(folder)? {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let Some(table) = Table::from_name(stem) else { continue };
            if path.is_dir() {
                let parts = entries(&path)?.into_iter().filter(|part| is_parquet(part));
                files.entry(table).or_default().extend(parts);
            } else if is_parquet(&path) {
                files.entry(table).or_default().push(path);
            }
        }
        Ok(Self { files })
    }

    /// Whether the folder has the table.
    pub fn has(&self, table: Table) -> bool {
        self.files.contains_key(&table)
    }

    /// The tables it has.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        self.files.keys().copied()
    }

    /// Columns of a table as they lie, with the types of the schema; columns
    /// that no file has are null. `None` if the folder lacks the table.
    ///
    /// # Errors
    /// [`Error::OmopParquet`] for a file that is none, [`Error::Arrow`] for values
    /// that do not fit the column's type.
    pub fn read(&self, table: Table, columns: &[&str]) -> Result<Option<RecordBatch>, Error> {
        let Some(files) = self.files.get(&table) else { return Ok(None) };
        let columns: Vec<Column> = columns.iter().filter_map(|name| table.column(name)).collect();
        let fields: Vec<Field> =
            columns.iter().map(|c| Field::new(c.name, c.kind.data_type(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut batches = Vec::new();
        for file in files {
            read_file(table, file, &columns, &schema, &mut batches)?;
        }
        let joined = concat_batches(&schema, &batches);
        joined.map(Some).map_err(|source| Error::Arrow { table, source })
    }

    /// One shard with the columns asked for of the persons' tables that the
    /// folder has; tables of other scopes are passed over.
    ///
    /// A person without a row in the person table, but with rows elsewhere,
    /// gets one whose other columns are null: what holds of such persons is
    /// for the reader to say. Rows without a person are left out, and so are
    /// those of `location_history` that are no person's.
    ///
    /// # Errors
    /// As [`OmopParquet::read`].
    pub fn shard(&self, needs: &BTreeMap<Table, Vec<&'static str>>) -> Result<Shard, Error> {
        let mut tables = BTreeMap::new();
        let mut persons: Vec<i64> = Vec::new();
        for (table, columns) in needs {
            let Some(person) = table.person_column() else { continue };
            let mut columns = columns.clone();
            let keys = [Some(person), table.start_column(), table.id_column()];
            let domain = (*table == Table::LocationHistory).then_some("domain_id");
            for key in keys.into_iter().flatten().chain(domain) {
                if !columns.contains(&key) {
                    columns.push(key);
                }
            }
            let Some(batch) = self.read(*table, &columns)? else { continue };
            let batch = of_persons(*table, &batch)?;
            let sorted = sorted_by_person(*table, &batch)?;
            persons.extend_from_slice(person_values(*table, &sorted));
            persons.dedup();
            tables.insert(*table, sorted);
        }
        persons.sort_unstable();
        persons.dedup();
        let table = Table::Person;
        let known = match tables.remove(&table) {
            Some(batch) => batch,
            None => match self.read(table, &["person_id"])? {
                Some(batch) => sorted_by_person(table, &of_persons(table, &batch)?)?,
                None => RecordBatch::new_empty(Arc::new(Schema::new(vec![person_field()]))),
            },
        };
        tables.insert(table, with_persons(&known, &persons)?);
        let whole = ShardId::new(0, 1).ok_or_else(|| Error::Contract {
            table,
            row: 0,
            broken: "there is no whole shard",
        })?;
        Shard::new(whole, tables)
    }

    /// Whole tables of the site, with the columns asked for.
    ///
    /// # Errors
    /// As [`OmopParquet::read`].
    pub fn site(
        &self,
        needs: &BTreeMap<Table, Vec<&'static str>>,
    ) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        let mut tables = BTreeMap::new();
        for (table, columns) in needs {
            if table.scope() == Scope::Site
                && let Some(batch) = self.read(*table, columns)?
            {
                tables.insert(*table, batch);
            }
        }
        Ok(tables)
    }

    /// The vocabulary of the folder.
    ///
    /// # Errors
    /// As [`OmopParquet::read`].
    pub fn vocabulary(&self) -> Result<Vocabulary, Error> {
        let wanted: [(Table, &[&str]); 3] = [
            (Table::Concept, &["concept_id", "vocabulary_id", "concept_code", "invalid_reason"]),
            (Table::ConceptAncestor, &["ancestor_concept_id", "descendant_concept_id"]),
            (
                Table::ConceptRelationship,
                &["concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"],
            ),
        ];
        let mut batches = Vec::new();
        for (table, columns) in wanted {
            if let Some(batch) = self.read(table, columns)? {
                batches.push((table, batch));
            }
        }
        Vocabulary::new(&batches)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Folder { folder: folder.display().to_string(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

fn read_file(
    table: Table,
    path: &Path,
    columns: &[Column],
    schema: &Arc<Schema>,
    batches: &mut Vec<RecordBatch>,
) -> Result<(), Error> {
    let name = path.display().to_string();
    let opened =
        File::open(path).map_err(|source| Error::Folder { folder: name.clone(), source })?;
    let failed = |source| Error::OmopParquet { file: name.clone(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(failed)?;
    let there: Vec<(usize, String)> = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(place, field)| (place, field.name().to_ascii_lowercase()))
        .collect();
    let wanted = there.iter().filter(|(_, name)| columns.iter().any(|c| c.name == name));
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.map(|(place, _)| *place));
    let reader =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(failed)?;
    for batch in reader {
        let batch = batch.map_err(|source| Error::Arrow { table, source })?;
        batches.push(conform(table, &batch, columns, schema)?);
    }
    Ok(())
}

fn conform(
    table: Table,
    batch: &RecordBatch,
    columns: &[Column],
    schema: &Arc<Schema>,
) -> Result<RecordBatch, Error> {
    let failed = |source: ArrowError| Error::Arrow { table, source };
    let found = batch.schema();
    let arrays = columns.iter().map(|column| {
        let place = found.fields().iter().position(|f| f.name().eq_ignore_ascii_case(column.name));
        let wanted = column.kind.data_type();
        match place {
            None => Ok(new_null_array(&wanted, batch.num_rows())),
            Some(place) if *batch.column(place).data_type() == wanted => {
                Ok(batch.column(place).clone())
            }
            Some(place) => converted(batch.column(place), &wanted).map_err(failed),
        }
    });
    let arrays = arrays.collect::<Result<Vec<ArrayRef>, Error>>()?;
    RecordBatch::try_new(schema.clone(), arrays).map_err(failed)
}

/// The column with another type; a value that does not fit is an error, not a
/// null. Ids written as text may have a fraction of nought ("192671.0").
fn converted(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let is_text = matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8);
    match cast_with_options(column, wanted, &options) {
        Err(_) if is_text && *wanted == DataType::Int64 => {
            let numbers = cast_with_options(column, &DataType::Float64, &options)?;
            cast_with_options(&numbers, wanted, &options)
        }
        outcome => outcome,
    }
}

fn person_values(table: Table, batch: &RecordBatch) -> &[i64] {
    let column = table.person_column().and_then(|name| batch.column_by_name(name));
    match column.and_then(|column| column.as_primitive_opt::<Int64Type>()) {
        Some(values) => values.values(),
        None => &[],
    }
}

/// The rows that have a person.
fn of_persons(table: Table, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let failed = |source| Error::Arrow { table, source };
    let person = table.person_column().and_then(|name| batch.column_by_name(name));
    let domains = (table == Table::LocationHistory)
        .then(|| batch.column_by_name("domain_id"))
        .flatten()
        .and_then(|column| column.as_string_opt::<i32>());
    let has_person = |row: usize| {
        person.is_some_and(|column| column.is_valid(row))
            && domains.is_none_or(|d| d.is_valid(row) && d.value(row) == "PERSON")
    };
    let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(has_person(row))).collect();
    if keep.true_count() == batch.num_rows() {
        return Ok(batch.clone());
    }
    filter_record_batch(batch, &keep).map_err(failed)
}

fn person_field() -> Field {
    Field::new("person_id", DataType::Int64, true)
}

/// The person table, one row a person, with null rows for those it lacks.
/// Of several rows of a person the first counts.
fn with_persons(known: &RecordBatch, persons: &[i64]) -> Result<RecordBatch, Error> {
    let table = Table::Person;
    let failed = |source| Error::Arrow { table, source };
    let ids = person_values(table, known);
    let mut everyone: Vec<i64> = [ids, persons].concat();
    everyone.sort_unstable();
    everyone.dedup();
    let rows: UInt32Array = everyone
        .iter()
        .map(|person| {
            let first = ids.partition_point(|id| id < person);
            (ids.get(first) == Some(person)).then_some(first as u32)
        })
        .collect();
    let taken = take_record_batch(known, &rows).map_err(failed)?;
    let mut arrays = taken.columns().to_vec();
    let place = known.schema().index_of("person_id").map_err(failed)?;
    arrays[place] = Arc::new(Int64Array::from(everyone));
    RecordBatch::try_new(taken.schema(), arrays).map_err(failed)
}
