//! Small tables of text into a shard, and a definition over it.

pub(crate) mod literal;
pub(crate) mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, or};
use arrow::datatypes::{Field, Schema};
use farr_cohort::{CohortEntries, Definition, Plan, Site, Why};
use farr_records::{Day, Kind, Scope, Shard, ShardId, Table, Vocabulary, sorted_by_person};

/// Rows of one table, each with the cells that it has.
pub(crate) type Rows = Vec<BTreeMap<String, String>>;

/// A small world: tables by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) tables: BTreeMap<Table, Rows>,
}

impl World {
    /// Adds a table written as text: a line of column names, then a line a
    /// row; `-` is a missing value, `~` a blank in a text.
    pub(crate) fn add(&mut self, table: Table, text: &str) {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let names: Vec<&str> = lines.next().expect("a header").split_whitespace().collect();
        for name in &names {
            assert!(table.column(name).is_some(), "{table} has no column {name}");
        }
        for line in lines {
            let cells: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(cells.len(), names.len(), "{table}: {line}");
            let row = names
                .iter()
                .zip(cells)
                .filter(|(_, cell)| *cell != "-")
                .map(|(name, cell)| ((*name).to_owned(), cell.replace('~', " ")));
            self.tables.entry(table).or_default().push(row.collect());
        }
    }

    /// Gives ids to rows that have none, a person row to everybody, and an
    /// observation period from 2000 to 2029 if nobody has one.
    pub(crate) fn complete(&mut self) {
        for (table, rows) in &mut self.tables {
            let Some(id) = table.id_column().filter(|id| Some(*id) != table.person_column()) else {
                continue;
            };
            for (place, row) in rows.iter_mut().enumerate() {
                row.entry(id.to_owned()).or_insert_with(|| (place + 1).to_string());
            }
        }
        if !self.tables.contains_key(&Table::Person) {
            let text =
                self.persons().into_iter().fold(
                    "person_id gender_concept_id year_of_birth\n".to_owned(),
                    |text, person| format!("{text}{person} 8532 1980\n"),
                );
            self.add(Table::Person, &text);
        }
        if !self.tables.contains_key(&Table::ObservationPeriod) {
            let head = "person_id observation_period_id observation_period_start_date \
                        observation_period_end_date\n";
            let text = self.persons().into_iter().fold(head.to_owned(), |text, person| {
                format!("{text}{person} {person} 2000-01-01 2029-12-31\n")
            });
            self.add(Table::ObservationPeriod, &text);
        }
    }

    fn persons(&self) -> BTreeSet<i64> {
        let person = |(table, rows): (&Table, &Rows)| {
            let column = table.person_column();
            rows.iter().filter_map(|row| row.get(column?)?.parse().ok()).collect::<Vec<i64>>()
        };
        self.tables.iter().flat_map(person).collect()
    }

    fn batch(&self, table: Table, columns: &[&'static str]) -> RecordBatch {
        let none = Rows::new();
        let rows = self.tables.get(&table).unwrap_or(&none);
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for name in columns {
            let column = table.column(name).expect("a column of the schema");
            let cells = rows.iter().map(|row| row.get(*name));
            arrays.push(match column.kind {
                Kind::Person | Kind::Id | Kind::Concept | Kind::Integer => Arc::new(
                    cells
                        .map(|cell| cell.map(|c| c.parse::<i64>().expect("a whole number")))
                        .collect::<Int64Array>(),
                ),
                Kind::Number => Arc::new(
                    cells
                        .map(|cell| cell.map(|c| c.parse::<f64>().expect("a number")))
                        .collect::<Float64Array>(),
                ),
                Kind::Date => {
                    Arc::new(cells.map(|cell| cell.map(|c| day(c))).collect::<Date32Array>())
                }
                Kind::Text | Kind::Datetime => Arc::new(cells.collect::<StringArray>()),
            });
            fields.push(Field::new(*name, column.kind.data_type(), true));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("equal lengths")
    }

    /// The vocabulary: its tables if there are any, else every listed concept.
    pub(crate) fn vocabulary(&self, definition: &Definition) -> Vocabulary {
        let mut world = self.clone();
        if !world.tables.contains_key(&Table::Concept) {
            let sets = &definition.expression.concept_sets;
            let items = sets.iter().flat_map(|set| &set.expression.items);
            let ids: BTreeSet<i64> =
                items.filter_map(|item| item.concept.concept_id).map(|c| c.0).collect();
            let text =
                ids.into_iter().fold("concept_id\n".to_owned(), |t, id| format!("{t}{id}\n"));
            world.add(Table::Concept, &text);
        }
        let wanted: [(Table, &[&'static str]); 3] = [
            (Table::Concept, &["concept_id", "vocabulary_id", "concept_code", "invalid_reason"]),
            (Table::ConceptAncestor, &["ancestor_concept_id", "descendant_concept_id"]),
            (
                Table::ConceptRelationship,
                &["concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"],
            ),
        ];
        let batches = wanted.map(|(table, columns)| (table, world.batch(table, columns)));
        Vocabulary::new(&batches).expect("a vocabulary")
    }

    /// What a definition gives over the world: the same whether ids settle ties
    /// or, where they are unique, the order of rows.
    pub(crate) fn evaluate(
        &self,
        definition: &Definition,
    ) -> (CohortEntries, Vec<(i64, Day, Day)>) {
        let vocabulary = self.vocabulary(definition);
        let definitions = std::slice::from_ref(definition);
        let unique = |table| self.has_unique_ids(table);
        let by_ids = self.evaluate_plan(&Plan::new(definitions, &vocabulary));
        let by_rows = self.evaluate_plan(&Plan::over_unique_ids(definitions, &vocabulary, &unique));
        assert_eq!(by_ids, by_rows);
        by_ids
    }

    fn evaluate_plan(&self, plan: &Plan) -> (CohortEntries, Vec<(i64, Day, Day)>) {
        let (shard, site) = self.shard(plan, true);
        let mut given = plan.evaluate(&shard, &site).expect("an answer");
        let cohort = given.cohorts.remove(0);
        let rows = cohort.entries.iter();
        let rows = rows.map(|(p, days)| (shard.persons()[*p as usize].0, days.start, days.end));
        let rows = rows.collect();
        (cohort, rows)
    }

    fn has_unique_ids(&self, table: Table) -> bool {
        let Some(id) = table.id_column() else { return false };
        let mut seen = BTreeSet::new();
        let rows = self.tables.get(&table).into_iter().flatten();
        rows.map(|row| row.get(id)).all(|id| id.is_some_and(|id| seen.insert(id)))
    }

    /// Why a person is in or out.
    pub(crate) fn why(&self, definition: &Definition, person: i64) -> Vec<Why> {
        let vocabulary = self.vocabulary(definition);
        let plan = Plan::new(std::slice::from_ref(definition), &vocabulary);
        let (shard, site) = self.shard(&plan, false);
        let place = shard.persons().iter().position(|known| known.0 == person).expect("a person");
        plan.why(std::slice::from_ref(definition), &shard, &site, place).expect("an account")
    }

    /// The world's persons with what a plan needs: no row and no column more
    /// than that if it is bare.
    fn shard(&self, plan: &Plan, is_bare: bool) -> (Shard, Site) {
        let mut shard = BTreeMap::new();
        let mut site = BTreeMap::new();
        for (table, columns) in plan.needs() {
            let mut columns = columns.clone();
            columns.extend(table.start_column().filter(|c| !columns.contains(c)));
            columns.extend(table.id_column().filter(|c| !columns.contains(c)));
            let batch = self.batch(*table, &columns);
            match table.scope() {
                Scope::Person => {
                    let sorted = sorted_by_person(*table, &batch).expect("sorted");
                    let batch = if is_bare { bare(plan, *table, &sorted) } else { sorted };
                    shard.insert(*table, batch);
                }
                _ => drop(site.insert(*table, batch)),
            }
        }
        let whole = ShardId::new(0, 1).expect("the whole");
        let shard = Shard::new(whole, shard).expect("a shard");
        (shard, Site::new(&site))
    }
}

/// The rows and columns that a plan asks for.
fn bare(plan: &Plan, table: Table, rows: &RecordBatch) -> RecordBatch {
    let needs = &plan.needs()[&table];
    let always = [table.person_column(), table.start_column()];
    let is_needed = |name: &str| needs.contains(&name) || always.contains(&Some(name));
    let schema = rows.schema();
    let columns = (0..schema.fields().len()).filter(|place| is_needed(schema.field(*place).name()));
    let bare = rows.project(&columns.collect::<Vec<_>>()).expect("columns of the batch");
    let Some(keys) = plan.keys().get(&table) else { return bare };
    let wanted = keys.iter().map(|key| {
        key.wanted(rows.column_by_name(key.column()).expect("a key's column")).expect("ids")
    });
    let wanted = wanted.reduce(|a, b| or(&a, &b).expect("equal lengths")).expect("a key");
    filter_record_batch(&bare, &wanted).expect("equal lengths")
}

/// The days since 1970 of a date like 2020-12-31.
pub(crate) fn day(text: &str) -> i32 {
    Day::parse(text).expect("a date").0
}
