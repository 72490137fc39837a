//! A local folder of OMOP Parquet as it lies: any order of rows, CDM 5.3 or
//! 5.4, any letter case of file names, ids of any numeric type or as text,
//! tables divided into folders by the values of columns.

mod files;
mod reading;
#[cfg(test)]
mod tests;
mod typing;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};

use self::files::{Part, Parts};
use self::reading::Wanted;
use crate::vocabulary::{RowKey, Scanned, VocabularyTables, keyed};
use crate::{
    Column, ConceptSetExpression, Error, Scope, Shard, ShardId, Table, Vocabulary, parquet_file,
    sorted_by_person,
};

/// A local folder with one file `<table>.parquet`, or one folder of such files
/// `<table>/` and of folders of them, for each table that it has.
#[derive(Debug, Clone)]
pub struct OmopParquet {
    files: BTreeMap<Table, Parts>,
}

impl OmopParquet {
    /// Looks which tables the folder has.
    ///
    /// # Errors
    /// [`Error::Folder`] if it cannot be listed.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self { files: files::tables(folder)? })
    }

    /// The files of a table; `None` if the folder lacks it.
    fn parts(&self, table: Table) -> Result<Option<&[Part]>, Error> {
        match self.files.get(&table) {
            None => Ok(None),
            Some(Ok(parts)) => Ok(Some(parts)),
            Some(Err(unread)) => Err(unread.clone().into()),
        }
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
    /// [`Error::OmopParquet`] for a file that is none; [`Error::OmopType`],
    /// [`Error::OmopValue`] and [`Error::OmopFolderName`] for what does not fit
    /// a column's type; [`Error::OmopColumn`] for a column that must be there once
    /// and is not; [`Error::OmopEmpty`] and [`Error::OmopFormat`] for a folder
    /// that does not hold the table as plain Parquet.
    pub fn read(&self, table: Table, columns: &[&str]) -> Result<Option<RecordBatch>, Error> {
        let Some(files) = self.parts(table)? else { return Ok(None) };
        let wanted = Wanted::new(table, columns);
        let mut batches = Vec::new();
        for part in files {
            part.read(&wanted, |batch| {
                batches.push(batch);
                Ok(())
            })?;
        }
        let joined = concat_batches(&wanted.schema, &batches);
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
        for (table, columns) in with_keys(needs) {
            if let Some(batch) = self.read(table, &columns)? {
                let batch = of_persons(table, &batch)?;
                tables.insert(table, sorted_by_person(table, &batch)?);
            }
        }
        shard_of(whole_shard()?, tables)
    }

    /// Bytes that the columns asked for of persons' tables take in memory,
    /// going by the files' footers.
    ///
    /// # Errors
    /// As [`OmopParquet::read`].
    pub fn decoded_bytes(&self, needs: &BTreeMap<Table, Vec<&'static str>>) -> Result<u64, Error> {
        let mut bytes = 0;
        for (table, columns) in with_keys(needs) {
            for part in self.parts(table)?.unwrap_or_default() {
                let metadata = part.footer()?;
                let rows = metadata.metadata().file_metadata().num_rows() as u64;
                let width = columns.iter().filter_map(|name| table.column(name)).map(width_of);
                bytes = rows.saturating_mul(width.sum()).saturating_add(bytes);
            }
        }
        Ok(bytes)
    }

    /// Hands on the rows of persons, some at a time, with the columns that a
    /// shard of these needs has.
    pub(crate) fn each_batch(
        &self,
        needs: &BTreeMap<Table, Vec<&'static str>>,
        mut take: impl FnMut(Table, RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (table, names) in with_keys(needs) {
            let wanted = Wanted::new(table, &names);
            for part in self.parts(table)?.unwrap_or_default() {
                part.read(&wanted, |batch| take(table, of_persons(table, &batch)?))?;
            }
        }
        Ok(())
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

    /// The part of the folder's vocabulary that some concept sets need.
    ///
    /// # Errors
    /// As [`OmopParquet::read`].
    pub fn vocabulary_for<'a>(
        &self,
        sets: impl IntoIterator<Item = &'a ConceptSetExpression>,
    ) -> Result<Vocabulary, Error> {
        Vocabulary::partial(self, sets)
    }
}

impl VocabularyTables for OmopParquet {
    fn scan<T: Send>(
        &self,
        table: Table,
        columns: &[&'static str],
        key: Option<&RowKey>,
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let wanted = Wanted::new(table, columns);
        let mut mapped = Vec::new();
        for part in self.parts(table)?.unwrap_or_default() {
            let failed = |source| part.unreadable(source);
            let metadata = part.footer()?;
            let open = |_: usize, _: &[usize]| part.open();
            let scanned = Scanned { metadata: &metadata, columns, key, open, failed };
            let left = key.filter(|_| !scanned.is_exact());
            mapped.extend(scanned.map(|batch| match part.conform(&wanted, batch) {
                Ok(columns) => {
                    let batch = wanted.batch(columns, batch.num_rows())?;
                    map(&keyed(table, batch, left)?)
                }
                // Rows that the key passes over are not counted here.
                Err(_) => Err(part.first_misfit(&wanted)),
            })?);
        }
        Ok(mapped)
    }

    fn scan_codes<T: Send>(
        &self,
        _: &[(&str, &str)],
        map: impl Fn(&RecordBatch) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        self.scan(Table::Concept, &parquet_file::CODE_COLUMNS, None, map)
    }

    fn has_rows(&self, table: Table) -> Result<bool, Error> {
        for part in self.parts(table)?.unwrap_or_default() {
            if part.footer()?.metadata().file_metadata().num_rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The persons' tables asked for and the persons', with what sorts their rows.
fn with_keys(needs: &BTreeMap<Table, Vec<&'static str>>) -> BTreeMap<Table, Vec<&'static str>> {
    let mut needs: BTreeMap<Table, Vec<&'static str>> =
        needs.iter().map(|(table, columns)| (*table, columns.clone())).collect();
    needs.entry(Table::Person).or_default();
    needs.retain(|table, columns| {
        let keys = [table.person_column(), table.start_column(), table.id_column()];
        let domain = (*table == Table::LocationHistory).then_some("domain_id");
        for key in keys.into_iter().flatten().chain(domain) {
            if !columns.contains(&key) {
                columns.push(key);
            }
        }
        table.person_column().is_some()
    });
    needs
}

/// About how many bytes a value takes in memory.
fn width_of(column: Column) -> u64 {
    match column.kind.data_type() {
        DataType::Date32 => 4,
        DataType::Utf8 => 24,
        _ => 8,
    }
}

fn whole_shard() -> Result<ShardId, Error> {
    let broken = "there is no whole shard";
    ShardId::new(0, 1).ok_or(Error::Contract { table: Table::Person, row: 0, broken })
}

/// A shard of sorted tables, in which persons without a row in the person
/// table get one whose other columns are null.
pub(crate) fn shard_of(
    id: ShardId,
    mut tables: BTreeMap<Table, RecordBatch>,
) -> Result<Shard, Error> {
    let mut persons: Vec<i64> = Vec::new();
    for (table, batch) in tables.iter().filter(|(table, _)| **table != Table::Person) {
        persons.extend_from_slice(person_values(*table, batch));
        persons.dedup();
    }
    persons.sort_unstable();
    persons.dedup();
    let none = || RecordBatch::new_empty(Arc::new(Schema::new(vec![person_field()])));
    let known = tables.remove(&Table::Person).unwrap_or_else(none);
    tables.insert(Table::Person, with_persons(&known, &persons)?);
    Shard::new(id, tables)
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
