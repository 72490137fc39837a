//! All counts of a run as one system of sums that are zero.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::table::{CellReference, Relation, Role};
use crate::{AggregateTable, Document, Error, Policy};

/// The place of a number in a [`System`].
pub(crate) type CellId = usize;

/// A number that a reader may see, or may work out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub(crate) value: i64,
    /// In no table: a remainder, an overlap.
    pub(crate) hidden: bool,
    /// Must not be known: a small count, or events of few persons.
    pub(crate) sensitive: bool,
    /// Not shown.
    pub(crate) suppressed: bool,
    /// Cells that are no longer shown when this one is not.
    pub(crate) takes_along: Vec<CellId>,
    /// What is lost when the number is withheld: more for large numbers, for
    /// totals, and for those that stand in many places.
    pub(crate) cost: i64,
    /// The row, counted over all tables, of a number that stands in one.
    pub(crate) row: Option<usize>,
}

impl Cell {
    /// Whether a reader does not see the number.
    pub(crate) fn is_unknown(&self) -> bool {
        self.hidden || self.suppressed
    }
}

/// What is lost with any number withheld, with each key over which it is a
/// total, and at most with its size.
const COST_OF_PLACE: i64 = 50;
const COST_OF_TOTAL: i64 = 400;
const VALUE_MAX: i64 = 1_000;

/// A sum of cells, each with a sign, that is zero.
pub(crate) type Equation = Vec<(CellId, i64)>;

/// All numbers of a run, and the sums that a reader knows to be zero.
#[derive(Debug, Default)]
pub(crate) struct System {
    pub(crate) cells: Vec<Cell>,
    pub(crate) equations: Vec<Equation>,
    /// For each cell, the equations that it stands in and its factor there.
    pub(crate) uses: Vec<Vec<(usize, i64)>>,
    /// For each equation, a hidden number of factor 1 or -1 that stands in no
    /// other: the equation says no more than that this is not negative.
    pub(crate) slacks: Vec<Option<(CellId, i64)>>,
    /// For each table, for each count column, the cells by row.
    pub(crate) tables: Vec<BTreeMap<String, Vec<Option<CellId>>>>,
    /// For each document, the cells of its counts in order.
    pub(crate) documents: Vec<Vec<CellId>>,
    named: HashMap<String, CellId>,
}

impl System {
    /// The system of these tables and documents, small counts marked.
    pub(crate) fn new(
        tables: &[AggregateTable],
        documents: &[Document],
        policy: Policy,
    ) -> Result<Self, Error> {
        let mut system = Self::default();
        for table in tables {
            let cells = system.table_cells(table)?;
            system.tables.push(cells);
        }
        for document in documents {
            let cells = system.document_cells(document)?;
            system.documents.push(cells);
        }
        for (place, table) in tables.iter().enumerate() {
            system.table_equations(place, table)?;
        }
        for document in documents {
            for relation in document.relations() {
                system.quantity_equation(document, relation)?;
            }
        }
        system.uses = vec![Vec::new(); system.cells.len()];
        for (number, equation) in system.equations.iter().enumerate() {
            for &(cell, factor) in equation {
                system.uses[cell].push((number, factor));
            }
        }
        system.find_slacks();
        system.set_costs(tables);
        for cell in &mut system.cells {
            cell.sensitive |= policy.withholds(cell.value) && !cell.hidden;
        }
        for (place, table) in tables.iter().enumerate() {
            system.mark_events(place, table, policy);
        }
        // What is hidden is sensitive only where it is small.
        for cell in &mut system.cells {
            cell.sensitive &= !cell.hidden || policy.withholds(cell.value);
        }
        Ok(system)
    }

    fn find_slacks(&mut self) {
        let (cells, uses) = (&self.cells, &self.uses);
        let is_slack = |&&(cell, factor): &&(CellId, i64)| {
            cells[cell].hidden && uses[cell].len() == 1 && factor.abs() == 1
        };
        let slack = |equation: &Equation| equation.iter().find(is_slack).copied();
        self.slacks = self.equations.iter().map(slack).collect();
    }

    fn set_costs(&mut self, tables: &[AggregateTable]) {
        let mut first_row = 0;
        for (table, columns) in tables.iter().zip(&self.tables) {
            let keys: Vec<&ArrayRef> = table
                .columns
                .iter()
                .zip(table.batch.columns())
                .filter(|(column, _)| column.role == Role::Key)
                .map(|(_, values)| values)
                .collect();
            for cells in columns.values() {
                for (row, &cell) in cells.iter().enumerate() {
                    let Some(cell) = cell else { continue };
                    let cell = &mut self.cells[cell];
                    let totals = keys.iter().filter(|values| values.is_null(row)).count();
                    let totals = i64::try_from(totals).unwrap_or(i64::MAX / COST_OF_TOTAL);
                    cell.row = (cell.cost == 0).then_some(first_row + row);
                    cell.cost += COST_OF_PLACE + cell.value.min(VALUE_MAX) + totals * COST_OF_TOTAL;
                }
            }
            first_row += table.batch.num_rows();
        }
        for &cell in self.documents.iter().flatten() {
            let cell = &mut self.cells[cell];
            cell.row = None;
            cell.cost += COST_OF_PLACE + cell.value.min(VALUE_MAX);
        }
        for &cell in self.named.values() {
            self.cells[cell].cost += COST_OF_TOTAL;
        }
    }

    fn add(&mut self, value: i64) -> CellId {
        self.cells.push(Cell { value, ..Cell::default() });
        self.cells.len() - 1
    }

    fn table_cells(
        &mut self,
        table: &AggregateTable,
    ) -> Result<BTreeMap<String, Vec<Option<CellId>>>, Error> {
        let mut columns = BTreeMap::new();
        for (column, values) in table.columns.iter().zip(table.batch.columns()) {
            if !column.role.is_count() {
                continue;
            }
            let values = values.as_primitive::<Int64Type>();
            let mut cells: Vec<Option<CellId>> = vec![None; values.len()];
            for quantities in table.quantities.iter().filter(|q| q.column == column.name) {
                for (row, name) in quantities.names.iter().enumerate() {
                    let (Some(name), true) = (name, values.is_valid(row)) else { continue };
                    let cell = self.named_cell(name, values.value(row)).ok_or_else(|| {
                        let (table, column) = (table.name.clone(), column.name.clone());
                        Error::Quantity { table, column, row, quantity: name.clone() }
                    })?;
                    match cells[row] {
                        None => cells[row] = Some(cell),
                        Some(other) => self.equations.push(vec![(cell, 1), (other, -1)]),
                    }
                }
            }
            for (row, cell) in cells.iter_mut().enumerate() {
                if cell.is_none() && values.is_valid(row) {
                    *cell = Some(self.add(values.value(row)));
                }
            }
            columns.insert(column.name.clone(), cells);
        }
        Ok(columns)
    }

    fn document_cells(&mut self, document: &Document) -> Result<Vec<CellId>, Error> {
        let mut cells = Vec::new();
        for (place, count) in document.counts().into_iter().enumerate() {
            let value = i64::try_from(count.number.unwrap_or(0)).unwrap_or(i64::MAX);
            cells.push(match &count.quantity {
                None => self.add(value),
                Some(name) => self.named_cell(name, value).ok_or_else(|| Error::Quantity {
                    table: document.name().to_owned(),
                    column: String::new(),
                    row: place,
                    quantity: name.clone(),
                })?,
            });
        }
        Ok(cells)
    }

    /// The cell of a quantity; `None` if it holds another number already.
    fn named_cell(&mut self, name: &str, value: i64) -> Option<CellId> {
        if let Some(&cell) = self.named.get(name) {
            return (self.cells[cell].value == value).then_some(cell);
        }
        let cell = self.add(value);
        self.named.insert(name.to_owned(), cell);
        Some(cell)
    }

    fn table_equations(&mut self, place: usize, table: &AggregateTable) -> Result<(), Error> {
        for relation in &table.relations {
            match relation {
                Relation::TotalOver { key, counts } => {
                    self.totals(place, table, key, counts, false)?;
                }
                Relation::UnionOver { key, counts } => {
                    self.totals(place, table, key, counts, true)?;
                }
                Relation::RowSum { whole, parts, has_rest } => {
                    self.row_sums(place, table, whole, parts, *has_rest)?;
                }
                Relation::Loss { order, remaining, lost } => {
                    let lost: Vec<&String> = lost.iter().collect();
                    self.losses(place, table, order, remaining, &lost)?;
                }
                Relation::ColumnSum { column, along, names } => {
                    self.column_sums(place, table, column, along, names)?;
                }
                Relation::Sum(terms) => {
                    let terms: Vec<(i64, &CellReference)> =
                        terms.iter().map(|term| (i64::from(term.sign), &term.cell)).collect();
                    self.general(place, &table.name, &terms)?;
                }
            }
        }
        for column in &table.columns {
            if let Role::Count { persons: Some(persons) } = &column.role {
                self.at_least(place, table, &column.name, persons)?;
            }
        }
        self.curves(place, table)
    }

    /// Each person has at least one of the events counted.
    fn at_least(
        &mut self,
        place: usize,
        table: &AggregateTable,
        events: &str,
        persons: &str,
    ) -> Result<(), Error> {
        for row in 0..table.batch.num_rows() {
            let (Some(events), Some(persons)) =
                (self.cell(place, events, row), self.cell(place, persons, row))
            else {
                continue;
            };
            let rest = self.hidden(&[(events, 1), (persons, -1)]);
            self.push(vec![(events, 1), (persons, -1), (rest, -1)], || {
                broken(&table.name, "events of persons", row)
            })?;
        }
        Ok(())
    }

    fn totals(
        &mut self,
        place: usize,
        table: &AggregateTable,
        key: &str,
        counts: &[String],
        is_union: bool,
    ) -> Result<(), Error> {
        let keys = table.batch.column_by_name(key).cloned();
        for (_, rows) in groups(table, &[key])? {
            let is_total = |row: usize| keys.as_ref().is_some_and(|keys| keys.is_null(row));
            let totals: Vec<usize> = rows.iter().copied().filter(|&row| is_total(row)).collect();
            let parts: Vec<usize> = rows.iter().copied().filter(|&row| !is_total(row)).collect();
            if totals.len() > 1 {
                let reason = format!("rows {} and {} are the same total", totals[0], totals[1]);
                let (table, column) = (table.name.clone(), key.to_owned());
                return Err(Error::Table { table, column, reason });
            }
            let Some(&total_row) = totals.first().filter(|_| !parts.is_empty()) else { continue };
            for count in counts {
                let Some(total) = self.cell(place, count, total_row) else { continue };
                let parts: Vec<CellId> =
                    parts.iter().filter_map(|&row| self.cell(place, count, row)).collect();
                let name = || broken(&table.name, &format!("{count} over {key}"), total_row);
                let mut sum: Equation = vec![(total, 1)];
                sum.extend(parts.iter().map(|&part| (part, -1)));
                if is_union {
                    let mut overlap: Equation =
                        sum.iter().map(|&(c, factor)| (c, -factor)).collect();
                    let rest = self.hidden(&overlap);
                    overlap.push((rest, -1));
                    self.push(overlap, name)?;
                    for part in parts {
                        let rest = self.hidden(&[(total, 1), (part, -1)]);
                        self.push(vec![(total, 1), (part, -1), (rest, -1)], name)?;
                    }
                } else {
                    self.push(sum, name)?;
                }
            }
        }
        Ok(())
    }

    fn row_sums(
        &mut self,
        place: usize,
        table: &AggregateTable,
        whole: &str,
        parts: &[String],
        has_rest: bool,
    ) -> Result<(), Error> {
        for row in 0..table.batch.num_rows() {
            let Some(whole_cell) = self.cell(place, whole, row) else { continue };
            let mut sum: Equation = vec![(whole_cell, 1)];
            sum.extend(parts.iter().filter_map(|p| Some((self.cell(place, p, row)?, -1))));
            if sum.len() == 1 {
                continue;
            }
            if has_rest {
                let rest = self.hidden(&sum);
                self.cells[rest].sensitive = true;
                sum.push((rest, -1));
            }
            self.push(sum, || broken(&table.name, &format!("parts of {whole}"), row))?;
        }
        Ok(())
    }

    fn losses(
        &mut self,
        place: usize,
        table: &AggregateTable,
        order: &str,
        remaining: &str,
        lost: &[&String],
    ) -> Result<(), Error> {
        for (_, rows) in groups(table, &[order])? {
            for pair in sorted_by(table, order, rows)?.windows(2) {
                let (Some(before), Some(after)) =
                    (self.cell(place, remaining, pair[0]), self.cell(place, remaining, pair[1]))
                else {
                    continue;
                };
                let mut sum: Equation = vec![(before, 1), (after, -1)];
                let lost = lost.iter().map(|lost| self.cell(place, lost, pair[1]));
                let lost: Vec<CellId> = lost.flatten().collect();
                if lost.is_empty() {
                    let rest = self.hidden(&sum);
                    self.cells[rest].sensitive = true;
                    sum.push((rest, -1));
                } else {
                    sum.extend(lost.into_iter().map(|lost| (lost, -1)));
                }
                let name = format!("{remaining} along {order}");
                self.push(sum, || broken(&table.name, &name, pair[1]))?;
            }
        }
        Ok(())
    }

    /// A column's sum along a key is a quantity of the run.
    fn column_sums(
        &mut self,
        place: usize,
        table: &AggregateTable,
        column: &str,
        along: &str,
        names: &[Option<String>],
    ) -> Result<(), Error> {
        for (_, rows) in groups(table, &[along])? {
            let Some(name) = rows.iter().find_map(|&row| names[row].as_ref()) else { continue };
            let parts = rows.iter().filter_map(|&row| Some((self.cell(place, column, row)?, -1)));
            let mut sum: Equation = parts.collect();
            let total: i64 = sum.iter().map(|&(cell, _)| self.cells[cell].value).sum();
            let is_new = !self.named.contains_key(name);
            let relation = format!("sum of {column} along {along}");
            let whole = self.named_cell(name, total);
            let whole = whole.ok_or_else(|| broken(&table.name, &relation, rows[0]))?;
            if is_new {
                self.cells[whole].hidden = true;
                self.cells[whole].sensitive = true;
            }
            sum.push((whole, 1));
            self.push(sum, || broken(&table.name, &relation, rows[0]))?;
        }
        Ok(())
    }

    /// At risk next = at risk now − who leaves now; a step that is withheld
    /// takes along all later ones, since estimates run on.
    fn curves(&mut self, place: usize, table: &AggregateTable) -> Result<(), Error> {
        let Some(curve) = &table.curve else { return Ok(()) };
        for (_, rows) in groups(table, &[&curve.time])? {
            let rows = sorted_by(table, &curve.time, rows)?;
            let mut counts: Vec<Vec<CellId>> = Vec::with_capacity(rows.len());
            for (step, &row) in rows.iter().enumerate() {
                let Some(at_risk) = self.cell(place, &curve.at_risk, row) else { continue };
                let leaving: Vec<CellId> =
                    curve.leaving.iter().filter_map(|name| self.cell(place, name, row)).collect();
                let mut sum: Equation = vec![(at_risk, 1)];
                sum.extend(leaving.iter().map(|&cell| (cell, -1)));
                let next = rows.get(step + 1);
                let left: i64 = sum.iter().map(|&(c, factor)| factor * self.cells[c].value).sum();
                match next.and_then(|&next| self.cell(place, &curve.at_risk, next)) {
                    Some(after) => sum.push((after, -1)),
                    // That nobody is left at the end is what a reader expects.
                    None if left == 0 => {}
                    None => {
                        let rest = self.hidden(&sum);
                        self.cells[rest].sensitive = true;
                        sum.push((rest, -1));
                    }
                }
                self.push(sum, || broken(&table.name, "at risk and leaving", row))?;
                counts.push(leaving.into_iter().chain([at_risk]).collect());
            }
            for pair in counts.windows(2) {
                for &cell in &pair[0] {
                    self.cells[cell].takes_along.extend(&pair[1]);
                }
            }
        }
        Ok(())
    }

    fn general(
        &mut self,
        place: usize,
        table: &str,
        terms: &[(i64, &CellReference)],
    ) -> Result<(), Error> {
        let mut sum: Equation = Vec::new();
        let mut hidden_sign = None;
        for &(sign, reference) in terms {
            let cell = match reference {
                CellReference::Cell { column, row } => self.cell(place, column, *row),
                CellReference::Quantity(name) => self.named.get(name).copied(),
                CellReference::Hidden => {
                    hidden_sign = Some(sign);
                    continue;
                }
            };
            let Some(cell) = cell else { return Ok(()) };
            sum.push((cell, sign));
        }
        if let Some(sign) = hidden_sign {
            let signed: Equation = sum.iter().map(|&(c, factor)| (c, -sign * factor)).collect();
            let rest = self.hidden(&signed);
            self.cells[rest].sensitive = true;
            sum.push((rest, sign));
        }
        self.push(sum, || broken(table, "sum", 0))
    }

    fn quantity_equation(
        &mut self,
        document: &Document,
        (whole, parts): &(String, Vec<String>),
    ) -> Result<(), Error> {
        let Some(&whole_cell) = self.named.get(whole) else { return Ok(()) };
        let mut sum: Equation = vec![(whole_cell, 1)];
        for part in parts {
            let Some(&part) = self.named.get(part) else { return Ok(()) };
            sum.push((part, -1));
        }
        self.push(sum, || broken(document.name(), whole, 0))
    }

    fn cell(&self, place: usize, column: &str, row: usize) -> Option<CellId> {
        self.tables[place].get(column)?.get(row).copied().flatten()
    }

    /// A number that is shown nowhere: the value of a sum.
    fn hidden(&mut self, sum: &[(CellId, i64)]) -> CellId {
        let value = sum.iter().map(|&(cell, factor)| factor * self.cells[cell].value).sum();
        let cell = self.add(value);
        self.cells[cell].hidden = true;
        cell
    }

    /// Adds a sum, after checking that it is zero and its hidden numbers are
    /// none below zero.
    fn push(&mut self, sum: Equation, broken: impl FnOnce() -> Error) -> Result<(), Error> {
        let mut factors: BTreeMap<CellId, i64> = BTreeMap::new();
        for (cell, factor) in sum {
            *factors.entry(cell).or_default() += factor;
        }
        let sum: Equation = factors.into_iter().filter(|&(_, factor)| factor != 0).collect();
        let total: i64 = sum.iter().map(|&(cell, factor)| factor * self.cells[cell].value).sum();
        if total != 0 || sum.iter().any(|&(cell, _)| self.cells[cell].value < 0) {
            return Err(broken());
        }
        if !sum.is_empty() {
            self.equations.push(sum);
        }
        Ok(())
    }

    /// Events of too few persons are as sensitive as those persons.
    fn mark_events(&mut self, place: usize, table: &AggregateTable, policy: Policy) {
        for column in &table.columns {
            let Role::Count { persons: Some(persons) } = &column.role else { continue };
            for row in 0..table.batch.num_rows() {
                let (Some(events), Some(persons)) =
                    (self.cell(place, &column.name, row), self.cell(place, persons, row))
                else {
                    continue;
                };
                self.cells[events].sensitive |= policy.withholds(self.cells[persons].value);
            }
        }
    }
}

fn broken(table: &str, relation: &str, row: usize) -> Error {
    Error::Relation { table: table.to_owned(), relation: relation.to_owned(), row }
}

/// The rows that agree in all key columns but `without`, each group by row,
/// groups in order of their first row.
pub(crate) fn groups(
    table: &AggregateTable,
    without: &[&str],
) -> Result<Vec<(OwnedRow, Vec<usize>)>, Error> {
    let keys: Vec<ArrayRef> = table
        .columns
        .iter()
        .zip(table.batch.columns())
        .filter(|(column, _)| column.role == Role::Key && !without.contains(&column.name.as_str()))
        .map(|(_, values)| values.clone())
        .collect();
    let rows = encode(table, &keys)?;
    let mut places: HashMap<OwnedRow, usize> = HashMap::new();
    let mut groups: Vec<(OwnedRow, Vec<usize>)> = Vec::new();
    for (row, key) in rows.into_iter().enumerate() {
        let place = *places.entry(key.clone()).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(row);
    }
    Ok(groups)
}

/// Rows in ascending order of a key column.
pub(crate) fn sorted_by(
    table: &AggregateTable,
    column: &str,
    mut rows: Vec<usize>,
) -> Result<Vec<usize>, Error> {
    let keys: Vec<ArrayRef> = table.batch.column_by_name(column).cloned().into_iter().collect();
    let encoded = encode(table, &keys)?;
    rows.sort_by(|&a, &b| encoded[a].cmp(&encoded[b]));
    Ok(rows)
}

/// Each row of some columns as bytes that compare like the values, nulls
/// first.
fn encode(table: &AggregateTable, columns: &[ArrayRef]) -> Result<Vec<OwnedRow>, Error> {
    let failed = |source| Error::Arrow { table: table.name.clone(), source };
    if columns.is_empty() {
        let one = arrow::array::new_null_array(
            &arrow::datatypes::DataType::Boolean,
            table.batch.num_rows(),
        );
        return encode(table, &[one]);
    }
    let fields = columns.iter().map(|values| SortField::new(values.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    let rows = converter.convert_columns(columns).map_err(failed)?;
    Ok(rows.iter().map(|row| row.owned()).collect())
}
