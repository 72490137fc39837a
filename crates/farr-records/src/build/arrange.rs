//! The order of rows, and which of them are equal.

use std::cmp::Ordering;

use arrow::array::{Array, DynComparator, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use rayon::slice::ParallelSliceMut;

use super::at_rest::{DERIVED, Piece, Provenance};
use super::registry::Ranks;
use crate::{Error, Table};

/// A row and the number it is sorted by: equal numbers are told apart by the
/// rows themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keyed {
    pub(super) key: u128,
    pub(super) row: u32,
}

/// Rows in order, those equal to an earlier one set apart.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    pub(super) kept: Vec<u32>,
    pub(super) merged: Vec<u32>,
}

/// Below this many rows one thread sorts as fast as several.
const PARALLEL_ROWS: usize = 1 << 16;

/// Rows by key.
pub(super) fn sorted(mut keyed: Vec<Keyed>) -> Vec<Keyed> {
    if keyed.len() < PARALLEL_ROWS {
        keyed.sort_unstable_by_key(|item| item.key);
    } else {
        keyed.par_sort_unstable_by_key(|item| item.key);
    }
    keyed
}

/// Sorts rows that lie by key by every column, then by where they come from;
/// rows equal in every column are merged into the first.
pub(super) fn arrange(
    piece: &Piece,
    mut keyed: Vec<Keyed>,
    ranks: &Ranks,
) -> Result<Arranged, Error> {
    debug_assert!(keyed.is_sorted_by_key(|item| item.key));
    let compare = RowComparator::new(piece)?;
    let mut arranged = Arranged { kept: Vec::with_capacity(keyed.len()), merged: Vec::new() };
    for run in keyed.chunk_by_mut(|a, b| a.key == b.key) {
        if run.len() > 1 {
            run.sort_unstable_by(|a, b| {
                let provenance = || origin(&piece.provenance, ranks, a.row);
                let other = || origin(&piece.provenance, ranks, b.row);
                compare.rows(a.row, b.row).then_with(|| provenance().cmp(&other()))
            });
        }
        let mut last: Option<u32> = None;
        for item in run {
            if last.is_some_and(|kept| compare.rows(kept, item.row).is_eq()) {
                arranged.merged.push(item.row);
            } else {
                arranged.kept.push(item.row);
                last = Some(item.row);
            }
        }
    }
    Ok(arranged)
}

/// Compares rows of a piece by all columns: id first, then the schema's order.
pub(super) struct RowComparator {
    columns: Vec<DynComparator>,
}

impl RowComparator {
    pub(super) fn new(piece: &Piece) -> Result<Self, Error> {
        let make = |name: &str| -> Result<Option<DynComparator>, Error> {
            let Some(array) = piece.rows.column_by_name(name) else { return Ok(None) };
            let made = make_comparator(array, array, SortOptions::default());
            made.map(Some).map_err(|source| Error::Arrow { table: piece.table, source })
        };
        let columns: Result<Vec<_>, _> = sort_columns(piece.table).into_iter().map(make).collect();
        Ok(Self { columns: columns?.into_iter().flatten().collect() })
    }

    pub(super) fn rows(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (a as usize, b as usize);
        let unequal = self.columns.iter().map(|compare| compare(a, b)).find(|order| order.is_ne());
        unequal.unwrap_or(Ordering::Equal)
    }
}

/// Person, start date, id, then the others in the schema's order. Of
/// relationships, the concept that others map to comes first: concept sets look
/// for it.
fn sort_columns(table: Table) -> Vec<&'static str> {
    let first = match table {
        Table::ConceptRelationship => [Some("concept_id_2"), None, None],
        _ => [table.person_column(), table.start_column(), table.id_column()],
    };
    let others = table.columns().iter().map(|column| column.name);
    let mut names: Vec<&str> = Vec::new();
    for name in first.into_iter().flatten().chain(others) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Where a row comes from, comparable whatever the order of arrival was; rows
/// that stand for their source row come first.
pub(super) fn origin(from: &Provenance, ranks: &Ranks, row: u32) -> (u32, u32, u64, bool) {
    let row = row as usize;
    let rank = |ranks: &[u32], id: u32| match id {
        DERIVED => DERIVED,
        id => ranks[id as usize],
    };
    (
        rank(&ranks.tables, from.source_table.value(row)),
        rank(&ranks.objects, from.object.value(row)),
        from.line.value(row),
        !from.stands.value(row),
    )
}

/// A row of a person, half as large as [`Keyed`]: most of the time goes into
/// moving them.
#[derive(Clone, Copy)]
struct OfPerson {
    id: u64,
    day: u32,
    row: u32,
}

impl OfPerson {
    /// What a person's rows are sorted by: start date, id.
    fn key(self) -> u128 {
        u128::from(self.day) << 64 | u128::from(self.id)
    }
}

/// Rows of persons by their keys: place of the person, of so many, start date,
/// id. Rows whose place is `None` are left out.
pub(super) fn by_person(piece: &Piece, places: &[Option<u32>], persons: usize) -> Vec<Keyed> {
    let days = piece.table.start_column().and_then(|name| piece.primitive::<Date32Type>(name));
    let ids = piece.table.id_column().and_then(|name| piece.primitive::<Int64Type>(name));
    // Rows are laid by person, by counting, and only a person's are sorted.
    let mut ends = vec![0; persons + 1];
    for place in places.iter().flatten() {
        ends[*place as usize + 1] += 1;
    }
    for place in 0..persons {
        ends[place + 1] += ends[place];
    }
    let mut laid = vec![OfPerson { id: 0, day: 0, row: 0 }; ends[persons]];
    for (row, place) in places.iter().enumerate() {
        let Some(place) = place else { continue };
        let day = match &days {
            // Above a null. The two first days of all share a number: there ids must
            // not decide.
            Some(days) if days.is_valid(row) => {
                (days.value(row).wrapping_sub(i32::MIN) as u32).max(1)
            }
            _ => 0,
        };
        let id = match &ids {
            Some(ids) if ids.is_valid(row) && day != 1 => ascending(ids.value(row)),
            _ => 0,
        };
        // Where the next of the person's rows goes: in the end, where they end.
        let next = &mut ends[*place as usize];
        laid[*next] = OfPerson { id, day, row: row as u32 };
        *next += 1;
    }
    let mut keyed = Vec::with_capacity(laid.len());
    let mut start = 0;
    for (place, end) in (0_u128..).zip(&ends[..persons]) {
        let rows = &mut laid[start..*end];
        rows.sort_unstable_by_key(|row| row.key());
        keyed.extend(rows.iter().map(|row| Keyed { key: place << 96 | row.key(), row: row.row }));
        start = *end;
    }
    keyed
}

/// The keys of rows without persons: their first two sort columns, as far as
/// they are whole numbers.
pub(super) fn piece_keys(piece: &Piece) -> Vec<Keyed> {
    let names = sort_columns(piece.table);
    let mut columns = Vec::new();
    for name in names.iter().take(2) {
        let kind = piece.table.column(name).map(|column| column.kind.data_type());
        if kind != Some(DataType::Int64) {
            break;
        }
        // A column that nobody has is null everywhere: equal, so skipped.
        columns.push(piece.primitive::<Int64Type>(name));
    }
    let part = |place: usize, row: usize| match columns.get(place) {
        Some(Some(array)) if array.is_valid(row) => ascending(array.value(row)),
        _ => 0,
    };
    // A null and the smallest number share a part; what follows it must then
    // not decide, so the second part is left out beside such a first one.
    let key = |row: usize| {
        let first = part(0, row);
        let second = if first == 0 && columns.first().is_some_and(Option::is_some) {
            0
        } else {
            part(1, row)
        };
        u128::from(first) << 64 | u128::from(second)
    };
    (0..piece.len()).map(|row| Keyed { key: key(row), row: row as u32 }).collect()
}

/// The number as an unsigned one that sorts alike.
fn ascending(value: i64) -> u64 {
    (value as u64) ^ (1 << 63)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch};

    use super::super::at_rest::derived_batch;
    use super::super::buffers::all_columns;
    use super::*;

    /// Rows without a day first, then by day, then by id: the first days of all too.
    #[test]
    fn rows_of_a_person_lie_by_day_and_id() {
        const TABLE: Table = Table::ConditionOccurrence;
        let days = [Some(7), Some(i32::MIN + 1), Some(i32::MIN), Some(i32::MIN), None, Some(7)];
        let ids = [Some(1), Some(3), Some(5), Some(-5), Some(9), None];
        let rows = RecordBatch::try_from_iter_with_nullable([
            ("condition_occurrence_id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef, true),
            ("person_id", Arc::new(Int64Array::from(vec![1; 6])), true),
            ("condition_start_date", Arc::new(Date32Array::from(days.to_vec())), true),
        ]);
        let batch = derived_batch(TABLE, all_columns(TABLE), &rows.unwrap()).unwrap();
        let piece = Piece::of(TABLE, &batch).unwrap();
        let ranks = Ranks { tables: Vec::new(), objects: Vec::new() };
        let arranged = arrange(&piece, by_person(&piece, &[Some(0); 6], 1), &ranks).unwrap();
        assert_eq!(arranged.kept, [4, 3, 2, 1, 5, 0]);
        assert!(arranged.merged.is_empty());
    }
}
