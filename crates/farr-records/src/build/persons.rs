//! The persons of a shard: one row each.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, Int64Array, UInt32Array};
use arrow::compute::{cast, take, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};

use super::arrange::{Arranged, RowComparator, origin};
use super::at_rest::Piece;
use super::balance::{Fortunes, Refusal};
use super::registry::{Ranks, Registry};
use crate::{Error, IdHasher, PersonId, Table};

/// For each row, the place of its person in the shard.
pub(super) type Places = Vec<Option<u32>>;

/// The persons of a shard, in ascending order of id.
pub(super) struct Persons {
    ids: Vec<i64>,
    /// The source table that each person's row comes from.
    source_tables: Vec<u32>,
}

impl Persons {
    /// Keeps, of the rows of each person, the first by system, table, object
    /// and line; equal ones are merged into it, the others refused.
    ///
    /// # Errors
    /// [`Error::Collision`] if two natural keys have the same hashed id,
    /// [`Error::SharedPerson`] if two systems use the same id.
    pub(super) fn settle(
        mut piece: Piece,
        registry: &Registry,
        ranks: &Ranks,
        fortunes: &mut Fortunes,
    ) -> Result<(Self, Piece), Error> {
        let ids = person_ids(&piece)?;
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        let mut refused = Vec::new();
        order.retain(|row| {
            let known = ids.is_valid(*row as usize);
            if !known {
                refused.push((*row, Refusal::NoPerson));
            }
            known
        });
        let id = |row: u32| ids.value(row as usize);
        order.sort_unstable_by(|a, b| {
            let provenance = || origin(&piece.provenance, ranks, *a);
            id(*a)
                .cmp(&id(*b))
                .then_with(|| provenance().cmp(&origin(&piece.provenance, ranks, *b)))
        });
        let system = |row: u32| {
            let source_table = piece.provenance.source_table.value(row as usize);
            registry.tables[source_table as usize].system.as_str()
        };
        let compare = RowComparator::new(&piece)?;
        let mut arranged = Arranged::default();
        for rows in order.chunk_by(|a, b| id(*a) == id(*b)) {
            let first = rows[0];
            arranged.kept.push(first);
            for row in &rows[1..] {
                if system(*row) != system(first) {
                    refuse_collision(&piece, registry, first, *row)?;
                    return Err(Error::SharedPerson {
                        system: system(first).to_owned(),
                        other_system: system(*row).to_owned(),
                    });
                }
                if compare.rows(first, *row) == Ordering::Equal {
                    arranged.merged.push(*row);
                    continue;
                }
                refuse_collision(&piece, registry, first, *row)?;
                refused.push((*row, Refusal::SecondPerson));
            }
        }
        fortunes.count(&piece, &arranged);
        fortunes.refuse(&piece, &refused);
        let kept = UInt32Array::from(arranged.kept);
        let persons = Self {
            ids: kept.values().iter().map(|row| id(*row)).collect(),
            source_tables: kept
                .values()
                .iter()
                .map(|row| piece.provenance.source_table.value(*row as usize))
                .collect(),
        };
        let failed = |source| Error::Arrow { table: Table::Person, source };
        piece.rows = take_record_batch(&piece.rows, &kept).map_err(failed)?;
        Ok((persons, piece))
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, place: usize) -> PersonId {
        PersonId(self.ids[place])
    }

    /// The source table that the person's row comes from.
    pub(super) fn source_table(&self, place: usize) -> u32 {
        self.source_tables[place]
    }

    /// The place of each row's person, and the rows that have none.
    pub(super) fn places(&self, piece: &Piece) -> Result<(Places, Vec<(u32, Refusal)>), Error> {
        let ids = person_ids(piece)?;
        let mut refused = Vec::new();
        let mut places = Vec::with_capacity(ids.len());
        let finder = Finder::new(&self.ids);
        // Exports mostly hold the rows of a person together.
        let mut last: Option<(i64, Option<u32>)> = None;
        for row in 0..ids.len() {
            if ids.is_null(row) {
                refused.push((row as u32, Refusal::NoPerson));
                places.push(None);
                continue;
            }
            let id = ids.value(row);
            let place = match last {
                Some((known, place)) if known == id => place,
                _ => finder.place_of(id),
            };
            last = Some((id, place));
            if place.is_none() {
                refused.push((row as u32, Refusal::Dangling));
            }
            places.push(place);
        }
        Ok((places, refused))
    }
}

/// Finds numbers in a list in ascending order: each is looked for only among
/// those that share its leading bits.
struct Finder<'a> {
    ids: &'a [i64],
    shift: u32,
    /// Where the numbers of each bucket start, and, last, where all end.
    starts: Vec<u32>,
}

impl<'a> Finder<'a> {
    fn new(ids: &'a [i64]) -> Self {
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            return Self { ids, shift: 0, starts: Vec::new() };
        };
        // About as many buckets as numbers.
        let span = last.wrapping_sub(*first) as u64;
        let shift = (64 - span.leading_zeros()).saturating_sub(ids.len().ilog2() + 1);
        let bucket = |id: &i64| (id.wrapping_sub(*first) as u64 >> shift) as usize;
        let mut starts = vec![0; bucket(last) + 2];
        for id in ids {
            starts[bucket(id) + 1] += 1;
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        Self { ids, shift, starts }
    }

    fn place_of(&self, id: i64) -> Option<u32> {
        let first = self.ids.first().filter(|first| id >= **first)?;
        let bucket = usize::try_from(id.wrapping_sub(*first) as u64 >> self.shift).ok()?;
        let (start, end) = (*self.starts.get(bucket)?, *self.starts.get(bucket + 1)?);
        let place = self.ids[start as usize..end as usize].binary_search(&id).ok()?;
        Some(start + place as u32)
    }
}

fn person_ids(piece: &Piece) -> Result<Int64Array, Error> {
    let table = piece.table;
    let name = table.person_column();
    let name = name.ok_or(Error::Bug { table, broken: "rows of persons without persons" })?;
    // A column that no row has is null everywhere.
    let ids = piece.primitive::<Int64Type>(name);
    Ok(ids.unwrap_or_else(|| Int64Array::new_null(piece.len())))
}

/// Fails if both rows have the hash of their own natural key as id, and the
/// keys differ: then two persons would become one.
fn refuse_collision(piece: &Piece, registry: &Registry, a: u32, b: u32) -> Result<(), Error> {
    let Some(keys) = piece.rows.column_by_name("person_source_value") else { return Ok(()) };
    let rows = UInt32Array::from(vec![a, b]);
    let keys = take(keys, &rows, None).and_then(|keys| cast(&keys, &DataType::Utf8));
    let keys = keys.map_err(|source| Error::Arrow { table: piece.table, source })?;
    let keys = keys.as_string::<i32>();
    let from = &piece.provenance;
    let key = |place: usize| {
        let row = [a, b][place] as usize;
        let source = &registry.tables[from.source_table.value(row) as usize];
        keys.is_valid(place).then(|| (source.system.as_str(), keys.value(place)))
    };
    let (Some(key_a), Some(key_b)) = (key(0), key(1)) else { return Ok(()) };
    let id = person_ids(piece)?.value(a as usize);
    let hashed = |(system, key): (&str, &str)| IdHasher::new(system, "person").id(&[key]);
    if !collide(id, key_a, key_b, hashed) {
        return Ok(());
    }
    let object =
        |row: u32| registry.objects[from.object.value(row as usize) as usize].read.path.clone();
    Err(Error::Collision {
        object: object(b),
        line: from.line.value(b as usize),
        other_object: object(a),
        other_line: from.line.value(a as usize),
    })
}

/// Whether an id is the hash of two different keys (system, natural key).
fn collide<'a>(
    id: i64,
    a: (&'a str, &'a str),
    b: (&'a str, &'a str),
    hashed: impl Fn((&'a str, &'a str)) -> i64,
) -> bool {
    a != b && hashed(a) == id && hashed(b) == id
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_found_as_by_halving(
            near in prop::collection::btree_set(-20..20_i64, 0..30),
            far in prop::collection::btree_set(any::<i64>(), 0..30),
            asked in prop::collection::vec(prop_oneof![-25..25_i64, any::<i64>()], 1..20),
        ) {
            let all: BTreeSet<i64> = near.iter().chain(&far).copied().collect();
            for ids in [near, far, all] {
                let ids: Vec<i64> = ids.into_iter().collect();
                let finder = Finder::new(&ids);
                for id in asked.iter().chain(&ids).chain(&[i64::MIN, i64::MAX]) {
                    let expected = ids.binary_search(id).ok().map(|place| place as u32);
                    prop_assert_eq!(finder.place_of(*id), expected);
                }
            }
        }
    }

    #[test]
    fn only_hashes_of_different_keys_collide() {
        // No two keys are known whose real hashes are equal; so a weak hash.
        let weak = |(_, key): (&str, &str)| key.len() as i64;
        assert!(collide(2, ("s", "ab"), ("s", "cd"), weak));
        assert!(collide(2, ("s", "ab"), ("t", "ab"), weak));
        assert!(!collide(2, ("s", "ab"), ("s", "ab"), weak));
        assert!(!collide(2, ("s", "ab"), ("s", "abc"), weak));
        assert!(!collide(9, ("s", "ab"), ("s", "cd"), weak));
    }
}
