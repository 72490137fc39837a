//! Making a table: columns with what they mean, then the relations.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{AggregateTable, ColumnDescription, Curve, Quantities, Relation, Role, Term};
use crate::Error;
use crate::release::SUPPRESSED;

/// Values that can be a column.
pub trait IntoColumn {
    /// The values as an Arrow array.
    fn into_column(self) -> ArrayRef;
}

impl IntoColumn for ArrayRef {
    fn into_column(self) -> ArrayRef {
        self
    }
}

macro_rules! into_column {
    ($($values:ty => $array:ty),* $(,)?) => {$(
        impl IntoColumn for Vec<$values> {
            fn into_column(self) -> ArrayRef {
                Arc::new(<$array>::from(self))
            }
        }
    )*};
}

into_column! {
    i64 => Int64Array, Option<i64> => Int64Array,
    i32 => Int32Array, Option<i32> => Int32Array,
    f64 => Float64Array, Option<f64> => Float64Array,
    bool => BooleanArray, Option<bool> => BooleanArray,
    String => StringArray, Option<String> => StringArray,
    &str => StringArray, Option<&str> => StringArray,
}

/// An [`AggregateTable`] in the making. Columns stand in the order in which
/// they are named; what does not fit together is said by
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct TableBuilder {
    table: String,
    description: String,
    columns: Vec<ColumnDescription>,
    values: Vec<ArrayRef>,
    relations: Vec<Relation>,
    templates: Vec<(String, String)>,
    column_sums: Vec<[String; 3]>,
    quantities: Vec<Quantities>,
    curve: Option<Curve>,
}

impl TableBuilder {
    pub(super) fn new(name: &str, description: &str) -> Self {
        Self {
            table: name.to_owned(),
            description: description.to_owned(),
            columns: Vec::new(),
            values: Vec::new(),
            relations: Vec::new(),
            templates: Vec::new(),
            column_sums: Vec::new(),
            quantities: Vec::new(),
            curve: None,
        }
    }

    /// A column of any role.
    #[must_use]
    pub fn column(mut self, description: ColumnDescription, values: impl IntoColumn) -> Self {
        self.columns.push(description);
        self.values.push(values.into_column());
        self
    }

    fn push(
        self,
        (name, description): (&str, &str),
        unit: &str,
        role: Role,
        values: impl IntoColumn,
    ) -> Self {
        let unit = (!unit.is_empty()).then(|| unit.to_owned());
        let (name, description) = (name.to_owned(), description.to_owned());
        self.column(ColumnDescription { name, description, unit, role }, values)
    }

    /// A key column ([`Role::Key`]).
    #[must_use]
    pub fn key(self, name: &str, description: &str, values: impl IntoColumn) -> Self {
        self.push((name, description), "", Role::Key, values)
    }

    /// A column of counts ([`Role::Count`]) of `unit` (`persons`, `rows`, …).
    #[must_use]
    pub fn count(self, name: &str, about: &str, unit: &str, values: impl IntoColumn) -> Self {
        self.push((name, about), unit, Role::Count { persons: None }, values)
    }

    /// A column of counts of events, which the count column `persons` had.
    #[must_use]
    pub fn events(self, name: &str, about: &str, persons: &str, values: impl IntoColumn) -> Self {
        let role = Role::Count { persons: Some(persons.to_owned()) };
        self.push((name, about), "events", role, values)
    }

    /// A column computed from the counts of its row ([`Role::Derived`]), in
    /// `unit` (`""` for none).
    #[must_use]
    pub fn derived(self, name: &str, about: &str, unit: &str, values: impl IntoColumn) -> Self {
        self.push((name, about), unit, Role::Derived { from: Vec::new() }, values)
    }

    /// A column computed from the counts of all rows
    /// ([`Role::DerivedOfAll`]).
    #[must_use]
    pub fn derived_of_all(
        self,
        name: &str,
        about: &str,
        unit: &str,
        values: impl IntoColumn,
    ) -> Self {
        self.derived_within(&[], (name, about), unit, values)
    }

    /// A column computed from the counts of all rows that agree in these key
    /// columns ([`Role::DerivedOfAll`]).
    #[must_use]
    pub fn derived_within(
        self,
        within: &[&str],
        (name, about): (&str, &str),
        unit: &str,
        values: impl IntoColumn,
    ) -> Self {
        let role = Role::DerivedOfAll { within: owned(within) };
        self.push((name, about), unit, role, values)
    }

    /// A column computed from the named counts of its row only.
    #[must_use]
    pub fn derived_from(
        self,
        from: &[&str],
        name: &str,
        about: &str,
        unit: &str,
        values: impl IntoColumn,
    ) -> Self {
        self.push((name, about), unit, Role::Derived { from: owned(from) }, values)
    }

    /// A column that says nothing of persons ([`Role::Plain`]).
    #[must_use]
    pub fn plain(self, name: &str, about: &str, unit: &str, values: impl IntoColumn) -> Self {
        self.push((name, about), unit, Role::Plain, values)
    }

    /// The row in which `key` is null is, in these counts, the sum of the rows
    /// that agree with it in all other keys. Where there is no such row, or
    /// where one of the counts is null, nothing is said.
    #[must_use]
    pub fn total_over(mut self, key: &str, counts: &[&str]) -> Self {
        self.relations.push(Relation::TotalOver { key: key.to_owned(), counts: owned(counts) });
        self
    }

    /// As [`total_over`](Self::total_over) where a person may count in several
    /// parts (calendar years): the total is at least each part and at most
    /// their sum.
    #[must_use]
    pub fn union_over(mut self, key: &str, counts: &[&str]) -> Self {
        self.relations.push(Relation::UnionOver { key: key.to_owned(), counts: owned(counts) });
        self
    }

    /// In each row, `whole` is the sum of `parts`.
    #[must_use]
    pub fn row_sum(mut self, whole: &str, parts: &[&str]) -> Self {
        let (whole, parts) = (whole.to_owned(), owned(parts));
        self.relations.push(Relation::RowSum { whole, parts, has_rest: false });
        self
    }

    /// In each row, `part` counts some of `whole`. What remains (persons
    /// without the condition) is not shown, but a reader can take it: it is
    /// protected as if it were.
    #[must_use]
    pub fn row_part(mut self, part: &str, whole: &str) -> Self {
        let (whole, parts) = (whole.to_owned(), vec![part.to_owned()]);
        self.relations.push(Relation::RowSum { whole, parts, has_rest: true });
        self
    }

    /// Along the key column `order`, within equal other keys, `remaining` is
    /// the previous row's less this row's `lost` (attrition); without a `lost`
    /// column the difference is protected as if it were shown.
    #[must_use]
    pub fn loss(mut self, order: &str, remaining: &str, lost: Option<&str>) -> Self {
        let (order, remaining) = (order.to_owned(), remaining.to_owned());
        self.relations.push(Relation::Loss { order, remaining, lost: lost.map(str::to_owned) });
        self
    }

    /// The sum of a count column over the rows that differ in the key `along`
    /// only (the events of a curve) is the quantity of that template; see
    /// [`quantity`](Self::quantity). A null in `along` must not be a total.
    #[must_use]
    pub fn column_sum(mut self, column: &str, along: &str, template: &str) -> Self {
        self.column_sums.push([column.to_owned(), along.to_owned(), template.to_owned()]);
        self
    }

    /// Any other relation: a sum that is zero.
    #[must_use]
    pub fn sum(mut self, terms: Vec<Term>) -> Self {
        self.relations.push(Relation::Sum(terms));
        self
    }

    /// The rows are curves over time.
    #[must_use]
    pub fn curve(mut self, time: &str, at_risk: &str, leaving: &[&str]) -> Self {
        let (time, at_risk) = (time.to_owned(), at_risk.to_owned());
        self.curve = Some(Curve { time, at_risk, leaving: owned(leaving) });
        self
    }

    /// Names the quantity that a count column holds, from a template with key
    /// columns in braces: `"cohort/{cohort_id}/persons"`. It is given to the
    /// rows in which exactly the key columns of the template are not null;
    /// cells of one name, in all tables of a run, hold the same number.
    #[must_use]
    pub fn quantity(mut self, column: &str, template: &str) -> Self {
        self.templates.push((column.to_owned(), template.to_owned()));
        self
    }

    /// Names the quantity of a count column row by row.
    #[must_use]
    pub fn quantities(mut self, column: &str, names: Vec<Option<String>>) -> Self {
        self.quantities.push(Quantities { column: column.to_owned(), names });
        self
    }

    /// The table.
    ///
    /// # Errors
    /// [`Error::Table`] if columns differ in length or share a name, a count
    /// is not Int64 or negative, or a declaration names no column of the
    /// right role.
    pub fn finish(mut self) -> Result<AggregateTable, Error> {
        self.check_columns()?;
        self.check_relations()?;
        for (column, template) in std::mem::take(&mut self.templates) {
            let names = self.expand(&template, None)?;
            self.quantities.push(Quantities { column, names });
        }
        for [column, along, template] in std::mem::take(&mut self.column_sums) {
            self.expect_count(&column)?;
            self.expect_key(&along)?;
            let names = self.expand(&template, Some(&along))?;
            self.relations.push(Relation::ColumnSum { column, along, names });
        }
        for quantities in &self.quantities {
            self.expect_count(&quantities.column)?;
            if quantities.names.len() != self.rows() {
                let found = quantities.names.len();
                return Err(self.error(
                    &quantities.column,
                    format!("{found} quantity names for {} rows", self.rows()),
                ));
            }
        }
        let fields: Vec<Field> = self
            .columns
            .iter()
            .zip(&self.values)
            .map(|(column, values)| Field::new(&column.name, values.data_type().clone(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows()));
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new_with_options(schema, self.values, &options)
            .map_err(|source| Error::Arrow { table: self.table.clone(), source })?;
        Ok(AggregateTable {
            name: self.table,
            description: self.description,
            batch,
            columns: self.columns,
            relations: self.relations,
            quantities: self.quantities,
            curve: self.curve,
        })
    }

    fn rows(&self) -> usize {
        self.values.first().map_or(0, Array::len)
    }

    fn error(&self, column: &str, reason: impl Into<String>) -> Error {
        let (table, column) = (self.table.clone(), column.to_owned());
        Error::Table { table, column, reason: reason.into() }
    }

    fn check_columns(&self) -> Result<(), Error> {
        for (place, (column, values)) in self.columns.iter().zip(&self.values).enumerate() {
            let name = &column.name;
            if self.columns[..place].iter().any(|earlier| earlier.name == *name) {
                return Err(self.error(name, "stands twice"));
            }
            if name == SUPPRESSED {
                return Err(self.error(name, "is the name of the column that a release adds"));
            }
            if values.len() != self.rows() {
                let found = values.len();
                return Err(self.error(name, format!("{found} values, expected {}", self.rows())));
            }
            match &column.role {
                Role::Key | Role::Plain => {}
                Role::DerivedOfAll { within } => {
                    within.iter().try_for_each(|key| self.expect_key(key))?;
                }
                Role::Count { persons } => {
                    self.check_count(name, values)?;
                    persons.iter().try_for_each(|persons| self.expect_count(persons))?;
                }
                Role::Derived { from } => {
                    from.iter().try_for_each(|count| self.expect_count(count))?;
                }
            }
        }
        Ok(())
    }

    fn check_count(&self, name: &str, values: &ArrayRef) -> Result<(), Error> {
        let Some(counts) = values.as_any().downcast_ref::<Int64Array>() else {
            let found = values.data_type();
            return Err(self.error(name, format!("a count of type {found}, expected Int64")));
        };
        match counts.iter().position(|count| count.is_some_and(|count| count < 0)) {
            Some(row) => Err(self.error(name, format!("a negative count in row {row}"))),
            None => Ok(()),
        }
    }

    fn check_relations(&self) -> Result<(), Error> {
        let counts = |names: &[String]| names.iter().try_for_each(|name| self.expect_count(name));
        for relation in &self.relations {
            match relation {
                Relation::TotalOver { key, counts: named }
                | Relation::UnionOver { key, counts: named } => {
                    self.expect_key(key)?;
                    counts(named)?;
                }
                Relation::RowSum { whole, parts, .. } => {
                    self.expect_count(whole)?;
                    counts(parts)?;
                }
                Relation::Loss { order, remaining, lost } => {
                    self.expect_key(order)?;
                    self.expect_count(remaining)?;
                    lost.iter().try_for_each(|lost| self.expect_count(lost))?;
                }
                Relation::ColumnSum { .. } => {}
                Relation::Sum(terms) => {
                    if self.curve.is_some() {
                        return Err(self.error("", "a curve's rows are merged: name no row of it"));
                    }
                    terms.iter().try_for_each(|term| self.check_term(term))?;
                }
            }
        }
        if let Some(curve) = &self.curve {
            self.expect_key(&curve.time)?;
            self.expect_count(&curve.at_risk)?;
            counts(&curve.leaving)?;
        }
        Ok(())
    }

    fn check_term(&self, term: &Term) -> Result<(), Error> {
        if let super::CellReference::Cell { column, row } = &term.cell {
            self.expect_count(column)?;
            if *row >= self.rows() {
                return Err(self.error(column, format!("a relation names row {row}")));
            }
        }
        if term.sign.abs() != 1 {
            return Err(self.error("", "a term of a relation has a sign that is not 1 or -1"));
        }
        Ok(())
    }

    fn role(&self, name: &str) -> Option<&Role> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.role)
    }

    fn expect_count(&self, name: &str) -> Result<(), Error> {
        match self.role(name) {
            Some(role) if role.is_count() => Ok(()),
            _ => Err(self.error(name, "is declared a count, but is no count column")),
        }
    }

    fn expect_key(&self, name: &str) -> Result<(), Error> {
        match self.role(name) {
            Some(Role::Key) => Ok(()),
            _ => Err(self.error(name, "is declared a key, but is no key column")),
        }
    }

    /// The names that a template gives to each row, whatever the key `along`.
    fn expand(&self, template: &str, along: Option<&str>) -> Result<Vec<Option<String>>, Error> {
        let parts = parse(template).ok_or_else(|| {
            self.error(template, "a quantity template with a brace that is not closed")
        })?;
        for part in &parts {
            if let Part::Key(name) = part {
                self.expect_key(name)?;
            }
        }
        let keys: Vec<(&str, &ArrayRef)> = self
            .columns
            .iter()
            .zip(&self.values)
            .filter(|(column, _)| column.role == Role::Key && along != Some(&column.name))
            .map(|(column, values)| (column.name.as_str(), values))
            .collect();
        let options = FormatOptions::default();
        let formatters = keys
            .iter()
            .map(|(_, values)| ArrayFormatter::try_new(values.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| Error::Arrow { table: self.table.clone(), source })?;
        let named =
            |name: &str| parts.iter().any(|part| matches!(part, Part::Key(k) if *k == name));
        let name_of_row = |row: usize| {
            if keys.iter().any(|(name, values)| values.is_null(row) == named(name)) {
                return None;
            }
            let mut text = String::new();
            for part in &parts {
                match part {
                    Part::Text(literal) => text.push_str(literal),
                    Part::Key(key) => {
                        let place = keys.iter().position(|(name, _)| name == key)?;
                        text.push_str(&formatters[place].value(row).to_string());
                    }
                }
            }
            Some(text)
        };
        Ok((0..self.rows()).map(name_of_row).collect())
    }
}

enum Part<'a> {
    Text(&'a str),
    Key(&'a str),
}

fn parse(mut template: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    while let Some((text, rest)) = template.split_once('{') {
        let (key, rest) = rest.split_once('}')?;
        parts.extend([Part::Text(text), Part::Key(key)]);
        template = rest;
    }
    parts.push(Part::Text(template));
    Some(parts)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
