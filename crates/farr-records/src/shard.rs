//! One shard of records in memory: tables whose rows lie by person.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{
    Array, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use crate::{Error, PersonId, ShardId, Table};

/// The rows of one table of one shard, person by person.
///
/// Columns are those that were read: a subset of the table's schema, with its
/// types. Rows of a person are contiguous, by start date, then id.
#[derive(Debug, Clone)]
pub struct TableRows {
    batch: RecordBatch,
    /// Rows of the person at place `p` are `offsets[p]..offsets[p + 1]`.
    offsets: Vec<u32>,
}

/// One shard: its persons in ascending order of id, and the tables read.
#[derive(Debug, Clone)]
pub struct Shard {
    id: ShardId,
    persons: Vec<PersonId>,
    tables: BTreeMap<Table, TableRows>,
}

impl TableRows {
    /// Rows of the person at place `person` of the shard.
    #[inline]
    pub fn rows_of(&self, person: usize) -> Range<usize> {
        self.offsets[person] as usize..self.offsets[person + 1] as usize
    }

    /// Where each person's rows start; one entry more than there are persons.
    #[inline]
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are no rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows as a batch.
    #[inline]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// An id, concept or integer column, if it was read.
    pub fn integers(&self, column: &str) -> Option<&Int64Array> {
        self.batch.column_by_name(column)?.as_primitive_opt::<Int64Type>()
    }

    /// A column of days, if it was read.
    pub fn days(&self, column: &str) -> Option<&Date32Array> {
        self.batch.column_by_name(column)?.as_primitive_opt::<Date32Type>()
    }

    /// A column of real numbers, if it was read.
    pub fn numbers(&self, column: &str) -> Option<&Float64Array> {
        self.batch.column_by_name(column)?.as_primitive_opt::<Float64Type>()
    }

    /// A column of local dates and times, if it was read.
    pub fn datetimes(&self, column: &str) -> Option<&TimestampMicrosecondArray> {
        self.batch.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()
    }

    /// A text column, if it was read.
    pub fn texts(&self, column: &str) -> Option<&StringArray> {
        self.batch.column_by_name(column)?.as_string_opt::<i32>()
    }
}

impl Shard {
    /// A shard of tables that keep the contract: each sorted as
    /// [`sorted_by_person`] sorts, the person table with one row a person, no
    /// row of anybody else. Tables without the person column cannot be in it.
    ///
    /// # Errors
    /// [`Error::Contract`] with the first row that breaks it;
    /// [`Error::MissingColumn`] and [`Error::WrongType`] for batches of
    /// another shape.
    pub fn new(id: ShardId, tables: BTreeMap<Table, RecordBatch>) -> Result<Self, Error> {
        let persons = match tables.get(&Table::Person) {
            Some(batch) => person_column(Table::Person, batch)?.values().to_vec(),
            None => Vec::new(),
        };
        if let Some(row) = persons.windows(2).position(|pair| pair[0] >= pair[1]) {
            let broken = "persons are not in strictly ascending order";
            return Err(Error::Contract { table: Table::Person, row: row + 1, broken });
        }
        let persons: Vec<PersonId> = persons.into_iter().map(PersonId).collect();
        let outside = persons.iter().position(|p| ShardId::index_of(*p, id.count()) != id.index());
        if let Some(row) = outside {
            let broken = "a person belongs to another shard";
            return Err(Error::Contract { table: Table::Person, row, broken });
        }
        let tables = tables
            .into_iter()
            .map(|(table, batch)| Ok((table, table_rows(table, batch, &persons)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self { id, persons, tables })
    }

    /// Which shard it is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Its persons, ascending.
    #[inline]
    pub fn persons(&self) -> &[PersonId] {
        &self.persons
    }

    /// The place of a person, if the shard holds them.
    pub fn place_of(&self, person: PersonId) -> Option<usize> {
        self.persons.binary_search(&person).ok()
    }

    /// The rows of a table; `None` if the store lacks it or it was not read.
    pub fn table(&self, table: Table) -> Option<&TableRows> {
        self.tables.get(&table)
    }

    /// The tables that were read.
    pub fn tables(&self) -> impl Iterator<Item = (Table, &TableRows)> {
        self.tables.iter().map(|(table, rows)| (*table, rows))
    }
}

fn table_rows(table: Table, batch: RecordBatch, persons: &[PersonId]) -> Result<TableRows, Error> {
    check_types(table, &batch)?;
    let column = person_column(table, &batch)?;
    let values = column.values();
    let starts = run_starts(values);
    let mut each = starts.iter().zip(persons);
    let offsets = if starts.len() == persons.len() + 1
        && each.all(|(row, person)| values[*row as usize] == person.0)
    {
        // As a rule of the tables in which everybody is.
        starts
    } else {
        offsets_of(persons, values, &starts)
    };
    let row = offsets.last().map_or(0, |end| *end as usize);
    if row < values.len() {
        let broken = "its person is not in the person table, or out of order";
        return Err(Error::Contract { table, row, broken });
    }
    let start = table.start_column().and_then(|name| batch.column_by_name(name));
    if let Some(days) = start.and_then(|days| days.as_primitive_opt::<Date32Type>())
        && let Some(row) = first_unsorted(values, days)
    {
        let broken = "a person's rows are not sorted by start date";
        return Err(Error::Contract { table, row, broken });
    }
    Ok(TableRows { batch, offsets })
}

/// Where each person's rows start, and behind them where those end that are of
/// somebody, given where runs of one person start.
fn offsets_of(persons: &[PersonId], values: &[i64], starts: &[u32]) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(persons.len() + 1);
    let mut run = 0;
    offsets.extend(persons.iter().map(|person| {
        let start = starts[run];
        // Whether a person has rows cannot be foreseen: no branch tells.
        run += usize::from(values.get(start as usize) == Some(&person.0));
        start
    }));
    offsets.push(starts[run]);
    offsets
}

/// Where runs of equal numbers start, and behind them where the last ends.
fn run_starts(numbers: &[i64]) -> Vec<u32> {
    let mut starts = vec![0; numbers.len() + 1];
    let mut runs = usize::from(!numbers.is_empty());
    // Without a branch a row: most runs are too short to be foreseen.
    for (row, pair) in numbers.windows(2).enumerate() {
        starts[runs] = row as u32 + 1;
        runs += usize::from(pair[0] != pair[1]);
    }
    starts[runs] = numbers.len() as u32;
    starts.truncate(runs + 1);
    starts
}

/// The first row that starts before the one above it, which is of the same
/// person; missing dates come first.
#[expect(clippy::needless_bitwise_bool, reason = "a branch a row is what it saves")]
fn first_unsorted(persons: &[i64], days: &Date32Array) -> Option<usize> {
    if days.null_count() == 0 {
        // Without a branch a row: as a rule there is none to be found.
        let pairs = persons.windows(2).zip(days.values().windows(2));
        let is_wrong =
            |(persons, days): (&[i64], &[i32])| (persons[0] == persons[1]) & (days[0] > days[1]);
        if !pairs.fold(false, |any, pair| any | is_wrong(pair)) {
            return None;
        }
    }
    let day = |row: usize| days.is_valid(row).then(|| days.value(row));
    (1..days.len()).find(|row| persons[row - 1] == persons[*row] && day(row - 1) > day(*row))
}

fn check_types(table: Table, batch: &RecordBatch) -> Result<(), Error> {
    for field in batch.schema().fields() {
        let Some(column) = table.column(field.name()) else { continue };
        let (found, expected) = (field.data_type(), column.kind.data_type());
        if *found != expected {
            return Err(Error::WrongType {
                table,
                column: field.name().clone(),
                found: describe(found),
                expected: describe(&expected),
            });
        }
    }
    Ok(())
}

fn describe(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, None) => "local timestamp".to_owned(),
        other => other.to_string(),
    }
}

fn person_column(table: Table, batch: &RecordBatch) -> Result<&Int64Array, Error> {
    let name = table.person_column().unwrap_or("person_id");
    let missing = || {
        let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        Error::MissingColumn { table, column: name.to_owned(), found: names.join(", ") }
    };
    let column = batch.column_by_name(name).ok_or_else(missing)?;
    column.as_primitive_opt::<Int64Type>().ok_or_else(|| Error::WrongType {
        table,
        column: name.to_owned(),
        found: describe(column.data_type()),
        expected: describe(&DataType::Int64),
    })
}

/// The rows sorted as the shard contract asks: by person, start date and id
/// (missing ones first), and by every further column in the schema's order,
/// so that equal sets of rows give equal bytes whatever their order was.
///
/// # Errors
/// [`Error::MissingColumn`] without the person column; [`Error::Arrow`] for
/// types that cannot be sorted.
pub fn sorted_by_person(table: Table, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    person_column(table, batch)?;
    let keys = [table.person_column(), table.start_column(), table.id_column()];
    let schema = batch.schema();
    let others = table.columns().iter().map(|column| column.name);
    let mut columns: Vec<usize> = Vec::new();
    for name in keys.into_iter().flatten().chain(others) {
        if let Ok(index) = schema.index_of(name)
            && !columns.contains(&index)
        {
            columns.push(index);
        }
    }
    let columns: Vec<SortColumn> = columns
        .into_iter()
        .map(|i| SortColumn { values: batch.column(i).clone(), options: None })
        .collect();
    let failed = |source| Error::Arrow { table, source };
    let order = lexsort_to_indices(&columns, None).map_err(failed)?;
    take_record_batch(batch, &order).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(columns: &[(&str, Vec<i64>)]) -> RecordBatch {
        let schema = Schema::new(
            columns
                .iter()
                .map(|(name, _)| Field::new(*name, DataType::Int64, true))
                .collect::<Vec<_>>(),
        );
        let arrays = columns
            .iter()
            .map(|(_, values)| Arc::new(Int64Array::from(values.clone())) as Arc<dyn Array>)
            .collect();
        RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
    }

    fn shard(persons: Vec<i64>, costs: Vec<i64>) -> Result<Shard, Error> {
        let ids = (0..costs.len() as i64).collect();
        let tables = BTreeMap::from([
            (Table::Person, batch(&[("person_id", persons)])),
            (Table::Cost, batch(&[("person_id", costs), ("cost_id", ids)])),
        ]);
        Shard::new(ShardId::new(0, 1).unwrap(), tables)
    }

    #[test]
    fn rows_lie_by_person() {
        let shard = shard(vec![-3, 2, 5, 9], vec![-3, -3, 5]).unwrap();
        let costs = shard.table(Table::Cost).unwrap();
        let rows: Vec<_> = (0..4).map(|person| costs.rows_of(person)).collect();
        assert_eq!(rows, [0..2, 2..2, 2..3, 3..3]);
        assert_eq!(shard.place_of(PersonId(5)), Some(2));
        assert!(shard.table(Table::Death).is_none());
    }

    #[test]
    fn runs_start_where_numbers_change() {
        assert_eq!(run_starts(&[]), [0]);
        assert_eq!(run_starts(&[7]), [0, 1]);
        assert_eq!(run_starts(&[7, 7, 3, 4, 4]), [0, 2, 3, 5]);
    }

    #[test]
    fn days_that_go_back_within_a_person_are_found() {
        let days = |days: [Option<i32>; 4]| Date32Array::from(days.to_vec());
        let found = |persons: [i64; 4], list| first_unsorted(&persons, &days(list));
        let falling = [Some(3), Some(2), Some(1), Some(0)];
        assert_eq!(found([1, 2, 3, 4], falling), None);
        assert_eq!(found([1, 2, 3, 3], falling), Some(3));
        assert_eq!(found([1; 4], [None, None, Some(1), Some(1)]), None);
        assert_eq!(found([1; 4], [None, Some(1), None, Some(1)]), Some(2));
    }

    #[test]
    fn broken_contracts_are_named() {
        let row = |result: Result<Shard, Error>| match result {
            Err(Error::Contract { row, .. }) => row,
            other => panic!("{other:?}"),
        };
        assert_eq!(row(shard(vec![1, 1], vec![])), 1);
        assert_eq!(row(shard(vec![1, 2], vec![1, 3])), 1);
        assert_eq!(row(shard(vec![1, 2], vec![2, 1])), 1);
    }

    #[test]
    fn sorting_is_by_person_then_id() {
        let batch = batch(&[("cost_id", vec![7, 3, 3, 1]), ("person_id", vec![2, 1, 1, 2])]);
        let sorted = sorted_by_person(Table::Cost, &batch).unwrap();
        let column = |i: usize| sorted.column(i).as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(column(1), [1, 1, 2, 2]);
        assert_eq!(column(0), [3, 3, 1, 7]);
    }
}
