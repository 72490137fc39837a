//! The one way from exact aggregates to what anybody may see.
//!
//! What a release promises, for all tables and documents of a run together:
//! 1. No count of 1 to threshold - 1 is shown, nor events of so few persons,
//!    nor anything computed from a count that is withheld. Zeros are shown.
//! 2. No withheld count can be worked out from what is shown and the declared
//!    relations: for each there is another set of numbers, with another value
//!    there, that fits all that is shown, in whole numbers that are not
//!    negative. That other set is found, kept and checked, not argued for. The
//!    same holds for small numbers that no table shows but that a declared
//!    relation gives (persons without a condition, lost between two rules).
//! 3. In the other set small counts stay small wherever that is possible, so
//!    that knowing the method does not rule it out.
//! 4. A curve has no step with few events, few censored or few left; after a
//!    step that is withheld, all later ones are.
//!
//! What it does not promise: a withheld count is known to lie within a range
//! (1 to threshold - 1 if it stands alone); relations that nobody declared are
//! not seen; two releases of changed data may be compared.

mod curve;
mod search;
mod suppress;
mod system;
mod witness;

#[cfg(test)]
mod cube;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema};

use crate::table::Role;
use crate::{
    Aggregate, AggregateTable, ColumnDescription, Document, Error, Labelled, Policy, Releasable,
};
use system::{System, groups, sorted_by};

/// The name of the column that a release adds: whether anything of the row is
/// withheld.
pub(crate) const SUPPRESSED: &str = "suppressed";

/// What a run may show.
#[derive(Debug, Clone)]
pub struct Released {
    /// The tables, in the order given, each with a column `suppressed`.
    pub tables: Vec<Labelled<Releasable, AggregateTable>>,
    /// The documents, in the order given, withheld counts as null.
    pub documents: Vec<Labelled<Releasable, Document>>,
}

/// Releases all tables of a run, which must be given together; see
/// [`release_run`].
pub fn release(
    tables: Vec<Labelled<Aggregate, AggregateTable>>,
    policy: &Policy,
) -> Result<Vec<Labelled<Releasable, AggregateTable>>, Error> {
    Ok(release_run(tables, Vec::new(), policy)?.tables)
}

/// Releases all tables and documents of a run: merges curves, withholds what
/// must be, adds the column `suppressed`. The result depends on nothing but
/// the arguments.
///
/// # Errors
/// [`Error::Relation`] and [`Error::Quantity`] if a declared relation does not
/// hold: what follows from it could not be protected.
pub fn release_run(
    tables: Vec<Labelled<Aggregate, AggregateTable>>,
    documents: Vec<Labelled<Aggregate, Document>>,
    policy: &Policy,
) -> Result<Released, Error> {
    let tables = tables
        .into_iter()
        .map(|table| curve::merge(table.get(), *policy))
        .collect::<Result<Vec<_>, _>>()?;
    let documents: Vec<Document> = documents.into_iter().map(Labelled::into_inner).collect();
    let mut system = System::new(&tables, &documents, *policy)?;
    suppress::suppress(&mut system, *policy);
    let tables = tables
        .into_iter()
        .enumerate()
        .map(|(place, table)| Ok(Labelled::with(withheld(&system, place, table)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let documents = documents.into_iter().enumerate().map(|(place, mut document)| {
        let mut cells = system.documents[place].iter();
        document.change_counts(|count| {
            if cells.next().is_none_or(|&cell| system.cells[cell].suppressed) {
                count.number = None;
            }
        });
        Labelled::with(document)
    });
    Ok(Released { documents: documents.collect(), tables })
}

/// The table without what is withheld.
fn withheld(system: &System, place: usize, table: AggregateTable) -> Result<AggregateTable, Error> {
    let rows = table.batch.num_rows();
    let counts: BTreeMap<&String, Vec<bool>> = system.tables[place]
        .iter()
        .map(|(name, cells)| {
            let suppressed =
                |cell: &Option<usize>| cell.is_some_and(|c| system.cells[c].suppressed);
            (name, cells.iter().map(suppressed).collect())
        })
        .collect();
    let any: Vec<bool> = (0..rows).map(|row| counts.values().any(|column| column[row])).collect();
    let after = after_withheld(&table, &any)?;
    let failed = |source| Error::Arrow { table: table.name.clone(), source };
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut suppressed = any.clone();
    for (column, values) in table.columns.iter().zip(table.batch.columns()) {
        let gone: Vec<bool> = match &column.role {
            Role::Key | Role::Plain => vec![false; rows],
            Role::Count { .. } => counts[&column.name].clone(),
            Role::DerivedOfAll { within } => with_any(&table, within, &any)?,
            Role::Derived { from } => (0..rows)
                .map(|row| {
                    let named = from.iter().any(|name| counts[name][row]);
                    after[row] || named || (from.is_empty() && any[row])
                })
                .collect(),
        };
        for (row, gone) in gone.iter().enumerate() {
            suppressed[row] |= gone & values.is_valid(row);
        }
        // Woven with a null, so that no withheld value stays in a buffer.
        let null = new_null_array(values.data_type(), 1);
        let kept: Vec<(usize, usize)> =
            (0..rows).map(|row| if gone[row] { (1, 0) } else { (0, row) }).collect();
        columns.push(interleave(&[values.as_ref(), null.as_ref()], &kept).map_err(failed)?);
    }
    columns.push(Arc::new(BooleanArray::from(suppressed)));
    let mut fields: Vec<Arc<Field>> = table.batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(SUPPRESSED, DataType::Boolean, true)));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options).map_err(failed)?;
    let mut described = table.columns.clone();
    described.push(ColumnDescription {
        name: SUPPRESSED.to_owned(),
        description: "Whether values of this row are withheld to protect persons.".to_owned(),
        unit: None,
        role: Role::Plain,
    });
    Ok(AggregateTable {
        batch,
        columns: described,
        relations: Vec::new(),
        quantities: Vec::new(),
        curve: None,
        ..table
    })
}

/// The rows that agree in the keys `within` with one of which something is
/// withheld.
fn with_any(table: &AggregateTable, within: &[String], any: &[bool]) -> Result<Vec<bool>, Error> {
    let keys = table.columns.iter().filter(|column| column.role == Role::Key);
    let others: Vec<&str> = keys
        .map(|key| key.name.as_str())
        .filter(|name| !within.iter().any(|w| w == name))
        .collect();
    let mut gone = vec![false; any.len()];
    for (_, rows) in groups(table, &others)? {
        let is_gone = rows.iter().any(|&row| any[row]);
        for row in rows {
            gone[row] = is_gone;
        }
    }
    Ok(gone)
}

/// For curves, the rows from the first on which something is withheld: what is
/// computed there runs on from it.
fn after_withheld(table: &AggregateTable, any: &[bool]) -> Result<Vec<bool>, Error> {
    let mut after = vec![false; any.len()];
    if let Some(curve) = &table.curve {
        for (_, rows) in groups(table, &[&curve.time])? {
            let mut found = false;
            for row in sorted_by(table, &curve.time, rows)? {
                found |= any[row];
                after[row] = found;
            }
        }
    }
    Ok(after)
}
