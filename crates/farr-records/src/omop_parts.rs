//! OMOP Parquet that does not fit memory: a temporary records store, in which
//! the rows lie by shard until they are asked for.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;

use crate::build::spill::{self, Scratch, Segment};
use crate::omop_parquet::{OmopParquet, shard_of};
use crate::{Error, PersonId, Shard, ShardId, Table, sorted_by_person};

/// Columns of a folder's persons, as shards in a temporary file.
pub struct OmopParts {
    spill: Scratch,
    count: u32,
    /// Of each shard, table by table.
    segments: Vec<BTreeMap<Table, Vec<Segment>>>,
}

impl OmopParts {
    /// Reads the columns asked for once, and lays them out as so many shards, a
    /// power of two, in a file in `folder` (`None`: the system's for temporary
    /// files) that is gone with the process.
    ///
    /// # Errors
    /// As [`OmopParquet::read`]; [`Error::ShardCount`]; [`Error::Spill`].
    pub fn new(
        omop: &OmopParquet,
        needs: &BTreeMap<Table, Vec<&'static str>>,
        count: u32,
        folder: Option<&Path>,
    ) -> Result<Self, Error> {
        if ShardId::new(0, count).is_none() {
            return Err(Error::ShardCount { found: count });
        }
        let mut parts = Self {
            spill: Scratch::new(folder)?,
            count,
            segments: vec![BTreeMap::new(); count as usize],
        };
        omop.each_batch(needs, |table, batch| parts.add(table, &batch))?;
        Ok(parts)
    }

    /// The shards, in order.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        ShardId::all(self.count)
    }

    /// One shard, as [`OmopParquet::shard`] makes the whole.
    ///
    /// # Errors
    /// [`Error::UnknownShard`]; [`Error::Spill`] if the file cannot be read.
    pub fn shard(&self, shard: ShardId) -> Result<Shard, Error> {
        let unknown = || Error::UnknownShard { shard, count: self.count };
        let segments = self.segments.get(shard.index() as usize);
        let segments = segments.filter(|_| shard.count() == self.count).ok_or_else(unknown)?;
        let mut tables = BTreeMap::new();
        for (table, segments) in segments {
            let table = *table;
            let failed = |source| Error::Arrow { table, source };
            let decode = |segment: &Segment| {
                spill::decode(Buffer::from_vec(self.spill.read(*segment)?)).map_err(failed)
            };
            let batches =
                segments.iter().map(decode).collect::<Result<Vec<RecordBatch>, Error>>()?;
            let Some(first) = batches.first() else { continue };
            let batch = concat_batches(&first.schema(), &batches).map_err(failed)?;
            drop(batches);
            tables.insert(table, sorted_by_person(table, &batch)?);
        }
        shard_of(shard, tables)
    }

    /// Appends each shard's rows of a batch. Tables without rows are kept too:
    /// they are there.
    fn add(&mut self, table: Table, batch: &RecordBatch) -> Result<(), Error> {
        let failed = |source| Error::Arrow { table, source };
        let persons = table.person_column().and_then(|name| batch.column_by_name(name));
        let persons = persons.and_then(|column| column.as_primitive_opt::<Int64Type>());
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.count as usize];
        for (row, person) in persons.into_iter().flat_map(|p| p.values().iter().enumerate()) {
            rows[ShardId::index_of(PersonId(*person), self.count) as usize].push(row as u32);
        }
        for (rows, segments) in rows.into_iter().zip(&mut self.segments) {
            let segments = segments.entry(table).or_default();
            if rows.is_empty() && !segments.is_empty() {
                continue;
            }
            let taken = take_record_batch(batch, &UInt32Array::from(rows)).map_err(failed)?;
            segments.push(self.spill.append(&spill::encode(&taken).map_err(failed)?)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A population of the references, if it is there.
    fn population() -> Option<OmopParquet> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/circe/cdm");
        if folder.is_dir() {
            return Some(OmopParquet::open(&folder).unwrap());
        }
        assert!(std::env::var_os("CI").is_none(), "{} is missing", folder.display());
        println!("skipped: {} is missing", folder.display());
        None
    }

    /// Each person has the same rows in the parts as in the whole.
    #[test]
    fn parts_hold_what_the_whole_holds() {
        let Some(omop) = population() else { return };
        let needs = BTreeMap::from([
            (Table::ConditionOccurrence, vec!["condition_concept_id", "condition_end_date"]),
            (Table::Death, vec!["death_date"]),
            (Table::LocationHistory, vec!["location_id"]),
            (Table::Person, vec!["year_of_birth"]),
        ]);
        let whole = omop.shard(&needs).unwrap();
        let parts = OmopParts::new(&omop, &needs, 8, None).unwrap();
        let mut persons = 0;
        for id in parts.shards() {
            let part = parts.shard(id).unwrap();
            persons += part.persons().len();
            for (place, person) in part.persons().iter().enumerate() {
                let in_whole = whole.place_of(*person).unwrap();
                for (table, rows) in whole.tables() {
                    let given = part.table(table).unwrap();
                    let (from, to) = (rows.rows_of(in_whole), given.rows_of(place));
                    let expected = rows.batch().slice(from.start, from.len());
                    assert_eq!(given.batch().slice(to.start, to.len()), expected, "{table}");
                }
            }
        }
        assert_eq!(persons, whole.persons().len());
        assert!(omop.decoded_bytes(&needs).unwrap() > 19_245 * 32);
    }

    #[test]
    fn a_number_of_parts_is_a_power_of_two() {
        let Some(omop) = population() else { return };
        let refused = OmopParts::new(&omop, &BTreeMap::new(), 3, None);
        assert!(matches!(refused, Err(Error::ShardCount { found: 3 })));
    }
}
