//! Records and persons of every concept of a store.

use std::collections::HashMap;

use arrow::array::Array;
use farr_records::{RecordsStore, Shard, ShardId, Table};

use crate::Error;
use crate::executor::{Executor, Threads};

/// Tables of events, with their columns of concepts and of source concepts.
const CONCEPT_COLUMNS: [(Table, [&str; 2]); 8] = [
    (Table::ConditionOccurrence, ["condition_concept_id", "condition_source_concept_id"]),
    (Table::DrugExposure, ["drug_concept_id", "drug_source_concept_id"]),
    (Table::ProcedureOccurrence, ["procedure_concept_id", "procedure_source_concept_id"]),
    (Table::Measurement, ["measurement_concept_id", "measurement_source_concept_id"]),
    (Table::Observation, ["observation_concept_id", "observation_source_concept_id"]),
    (Table::DeviceExposure, ["device_concept_id", "device_source_concept_id"]),
    (Table::VisitOccurrence, ["visit_concept_id", "visit_source_concept_id"]),
    (Table::Specimen, ["specimen_concept_id", "specimen_concept_id"]),
];

/// Records and persons of a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// Records that have it as concept or as source concept.
    pub(super) records: u64,
    /// Persons with such a record.
    pub(super) persons: u64,
}

/// Records and persons by concept; concepts without any are absent, and 0, no
/// matching concept, too.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<i64, Found>);

impl Counts {
    /// Counts a whole store.
    pub(super) fn of(store: &RecordsStore, threads: &Threads) -> Result<Self, Error> {
        let columns = CONCEPT_COLUMNS.iter();
        let needs = columns.map(|(table, columns)| (*table, columns.to_vec())).collect();
        let shards: Vec<ShardId> = store.shards().collect();
        let mut counts = Self::default();
        let map = |id: ShardId| Ok::<_, Error>(of_shard(&store.read_shard(id, &needs)?));
        threads.map_shards(&shards, map, |shard: HashMap<i64, Found>| {
            for (concept, found) in shard {
                let sum = counts.0.entry(concept).or_default();
                sum.records += found.records;
                sum.persons += found.persons;
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// A concept's, nought if nothing in the store has it.
    pub(super) fn get(&self, concept: i64) -> Found {
        self.0.get(&concept).copied().unwrap_or_default()
    }

    /// The concepts that the store has records of, ascending.
    pub(super) fn concepts(&self) -> Vec<i64> {
        let mut concepts: Vec<i64> = self.0.keys().copied().collect();
        concepts.sort_unstable();
        concepts
    }
}

fn of_shard(shard: &Shard) -> HashMap<i64, Found> {
    let mut counts: HashMap<i64, Found> = HashMap::new();
    let mut mine = Vec::new();
    for person in 0..shard.persons().len() {
        mine.clear();
        for (table, [standard, source]) in CONCEPT_COLUMNS {
            let Some(rows) = shard.table(table) else { continue };
            let [standard, source] = [standard, source].map(|column| rows.integers(column));
            for row in rows.rows_of(person) {
                let concept = |column: Option<&arrow::array::Int64Array>| {
                    let value = column.filter(|values| values.is_valid(row))?.value(row);
                    (value != 0).then_some(value)
                };
                let (standard, source) = (concept(standard), concept(source));
                mine.extend(standard);
                mine.extend(source.filter(|source| Some(*source) != standard));
            }
        }
        mine.sort_unstable();
        for same in mine.chunk_by(|a, b| a == b) {
            let found = counts.entry(same[0]).or_default();
            found.records += same.len() as u64;
            found.persons += 1;
        }
    }
    counts
}
