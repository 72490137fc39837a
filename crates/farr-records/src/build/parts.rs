//! Parts of a pull joined: what each numbered for itself gets one number.

use std::collections::BTreeMap;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{Field, Int64Type, Schema, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use farr_store::Sha256Hash;

use super::buffers::{TableSeen, concept_columns};
use super::divided::{Origin, PROVENANCE, Slice};
use super::local_concepts::first_local;
use super::pulled::{Index, Pulled};
use super::registry::{ObjectPiece, Registry};
use crate::narrow::{column_of, narrowest};
use crate::{
    ConceptId, Error, FinalIds, LocalCode, LocalCodes, ObjectRead, RangeRead, Reject,
    SourceTableId, Table,
};

/// What a part's numbers are in the whole.
pub(super) struct Numbers {
    tables: Vec<u32>,
    objects: Vec<u32>,
    /// By the part's object, the lines that lie before its range.
    lines_before: Vec<u64>,
    final_ids: FinalIds,
}

/// All parts together.
pub(super) struct Joined {
    pub(super) registry: Registry,
    pub(super) numbers: Vec<Numbers>,
    /// Codes without a vocabulary, with their ids.
    pub(super) codes: Vec<(ConceptId, LocalCode)>,
    pub(super) seen: BTreeMap<Table, TableSeen>,
    pub(super) decoded_bytes: u64,
}

impl Joined {
    /// Joins parts; the result does not depend on their order.
    ///
    /// # Errors
    /// [`Error::Unfinished`] for a range nobody read to its end,
    /// [`Error::Changed`] for an object that was another one for another part,
    /// [`Error::Ranges`] if the ranges of an object do not make it up.
    pub(super) fn of(parts: &[Pulled]) -> Result<Self, Error> {
        let parts: Vec<&Index> = parts.iter().map(|part| &part.index).collect();
        let mut registry = Registry::default();
        let tables = join_tables(&mut registry, &parts);
        let objects = join_objects(&mut registry, &parts)?;
        let (codes, final_ids) = join_codes(&parts);
        let mut numbers = Vec::new();
        for ((tables, (objects, lines_before)), final_ids) in
            tables.into_iter().zip(objects).zip(final_ids)
        {
            numbers.push(Numbers { tables, objects, lines_before, final_ids });
        }
        for (part, numbers) in parts.iter().zip(&numbers) {
            for kept in &part.registry.rejects {
                let reject = part.registry.reject_of(kept);
                registry.reject(numbers.of_reject(reject));
            }
        }
        let mut seen: BTreeMap<Table, TableSeen> = BTreeMap::new();
        for (table, of_part) in parts.iter().flat_map(|part| &part.seen) {
            let known = seen.entry(*table).or_default();
            known.columns |= of_part.columns;
            known.rows += of_part.rows;
        }
        let decoded_bytes = parts.iter().map(|part| part.decoded_bytes).sum();
        Ok(Self { registry, numbers, codes, seen, decoded_bytes })
    }
}

impl Numbers {
    fn of_reject(&self, reject: Reject) -> Reject {
        let (table, object) = (reject.source_table.0 as usize, reject.object.0 as usize);
        Reject {
            source_table: SourceTableId(self.tables[table]),
            object: crate::ObjectId(self.objects[object]),
            line: crate::Line(reject.line.0 + self.lines_before[object]),
            ..reject
        }
    }

    /// Puts the whole's numbers and the final concept ids into rows of a part.
    pub(super) fn renumber(&self, table: Table, slice: Slice) -> Result<Slice, ArrowError> {
        let Slice { rows, origin } = slice;
        let schema = rows.schema();
        let mut columns = rows.columns().to_vec();
        for name in concept_columns(table) {
            let Some((place, _)) = schema.column_with_name(name) else { continue };
            // A provisional id is in no narrow column.
            let Some(concepts) = columns[place].as_primitive_opt::<Int64Type>() else { continue };
            if concepts.values().iter().any(|id| self.final_ids.is_provisional(*id)) {
                let finals =
                    concepts.unary::<_, Int64Type>(|id| self.final_ids.of(ConceptId(id)).0);
                columns[place] = narrowest(&(Arc::new(finals) as ArrayRef));
            }
        }
        let [source_table, object, line, _] = PROVENANCE.map(|(name, _)| name);
        let unknown = || ArrowError::SchemaError("rows without provenance".to_owned());
        let mut put = |name, column: ArrayRef| -> Result<(), ArrowError> {
            let (place, _) = schema.column_with_name(name).ok_or_else(unknown)?;
            columns[place] = narrowest(&column);
            Ok(())
        };
        let number =
            |numbers: &[u32], old: u32| numbers.get(old as usize).copied().ok_or_else(unknown);
        let origin = if let Some(origin) = origin {
            let before = *self.lines_before.get(origin.object as usize).ok_or_else(unknown)?;
            if before > 0 {
                let lines = column_of::<UInt64Type>(&rows, line).ok_or_else(unknown)?;
                put(line, Arc::new(lines.unary::<_, UInt64Type>(|line| before + line)))?;
            }
            let source_table = number(&self.tables, origin.source_table)?;
            Some(Origin { source_table, object: number(&self.objects, origin.object)?, ..origin })
        } else {
            let objects = column_of::<UInt32Type>(&rows, object).ok_or_else(unknown)?;
            put(object, renumbered(&objects, &self.objects).ok_or_else(unknown)?)?;
            if self.lines_before.iter().any(|before| *before > 0) {
                let lines = column_of::<UInt64Type>(&rows, line).ok_or_else(unknown)?;
                let moved = objects.values().iter().zip(lines.values());
                let moved = moved.map(|(object, line)| self.lines_before[*object as usize] + line);
                put(line, Arc::new(UInt64Array::from_iter_values(moved)))?;
            }
            let tables = column_of::<UInt32Type>(&rows, source_table).ok_or_else(unknown)?;
            put(source_table, renumbered(&tables, &self.tables).ok_or_else(unknown)?)?;
            None
        };
        let fields = schema.fields().iter().zip(&columns);
        let fields =
            fields.map(|(f, column)| Field::new(f.name(), column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Slice { rows: RecordBatch::try_new(schema, columns)?, origin })
    }
}

/// The numbers that stand at the places that the old ones name; `None` if there is
/// no such place.
fn renumbered(old: &UInt32Array, numbers: &[u32]) -> Option<ArrayRef> {
    let largest = old.values().iter().max().map_or(0, |largest| *largest as usize);
    let in_range = old.is_empty() || largest < numbers.len();
    in_range.then(|| Arc::new(old.unary::<_, UInt32Type>(|old| numbers[old as usize])) as ArrayRef)
}

/// Registers the source tables of all parts, in order of their names. Gives,
/// part by part, their places.
fn join_tables(registry: &mut Registry, parts: &[&Index]) -> Vec<Vec<u32>> {
    for part in parts {
        for (system, derive) in &part.registry.systems {
            registry.system(system, *derive);
        }
    }
    let tables = || parts.iter().flat_map(|part| &part.registry.tables);
    let mut names: Vec<_> = tables().map(|table| (&table.system, &table.name)).collect();
    names.sort_unstable();
    for (system, name) in names {
        registry.table(system, name);
    }
    let mut place_of = |table: &super::registry::SourceTable| {
        let place = registry.table(&table.system, &table.name);
        registry.tables[place.0 as usize].read += table.read;
        place.0
    };
    let of_part = |part: &&Index| part.registry.tables.iter().map(&mut place_of).collect();
    parts.iter().map(of_part).collect()
}

/// Places of a part's objects in the whole, and the lines before each.
type ObjectPlaces = (Vec<u32>, Vec<u64>);

/// A part, a place in it, and the piece of an object there.
type PieceOfPart<'a> = (usize, usize, &'a ObjectPiece);

/// Registers the objects of all parts, in order of their names. Gives, part by
/// part, their places and the lines before them.
fn join_objects(registry: &mut Registry, parts: &[&Index]) -> Result<Vec<ObjectPlaces>, Error> {
    let mut pieces: BTreeMap<(&str, &str), Vec<PieceOfPart<'_>>> = BTreeMap::new();
    for (part, index) in parts.iter().enumerate() {
        for (place, piece) in index.registry.objects.iter().enumerate() {
            let name = (piece.read.system.as_str(), piece.read.path.as_str());
            pieces.entry(name).or_default().push((part, place, piece));
        }
    }
    let none = |part: &&Index| {
        let count = part.registry.objects.len();
        (vec![0; count], vec![0; count])
    };
    let mut places: Vec<ObjectPlaces> = parts.iter().map(none).collect();
    for (object, pieces) in pieces.into_values().enumerate() {
        let mut ranges = Vec::new();
        for (part, place, piece) in pieces {
            let unfinished = || Error::Unfinished { object: piece.read.path.clone() };
            ranges.push((piece.range.as_ref().ok_or_else(unfinished)?, part, place, &piece.read));
        }
        ranges.sort_by_key(|(range, ..)| (range.first_block, range.start, range.end));
        let read = ranges[0].3;
        let of_ranges: Vec<&RangeRead> = ranges.iter().map(|(range, ..)| *range).collect();
        check_ranges(&read.path, &of_ranges)?;
        if ranges.iter().any(|(.., other)| (other.size, &other.etag) != (read.size, &read.etag)) {
            return Err(Error::Changed { object: read.path.clone() });
        }
        let mut lines = 0;
        for (range, part, place, _) in &ranges {
            places[*part].0[*place] = object as u32;
            places[*part].1[*place] = lines;
            lines += range.lines;
        }
        let blocks: Vec<Sha256Hash> = of_ranges.iter().flat_map(|r| r.blocks.clone()).collect();
        let sha256 = Some(Sha256Hash::of_blocks(&blocks).to_string());
        registry.object(ObjectRead { sha256, ..read.clone() });
    }
    Ok(places)
}

/// Fails unless ranges, in order, are an object from its start to its end.
fn check_ranges(object: &str, ranges: &[&RangeRead]) -> Result<(), Error> {
    let failed =
        |end: u64, start: u64| Err(Error::Ranges { object: object.to_owned(), end, start });
    let (mut end, mut block) = (0, 0);
    for range in ranges {
        if range.start != end || range.first_block != block {
            return failed(end, range.start);
        }
        end = range.end;
        block += range.blocks.len() as u64;
    }
    match ranges.iter().find(|range| range.of != end) {
        Some(range) => failed(end, range.of),
        None => Ok(()),
    }
}

/// The codes of all parts with their ids, and the ids of each part's.
fn join_codes(parts: &[&Index]) -> (Vec<(ConceptId, LocalCode)>, Vec<FinalIds>) {
    let joint = LocalCodes::default();
    let provisional = |code: &LocalCode| {
        let LocalCode { vocabulary_id, concept_code, concept_name, domain_id } = code;
        joint.provisional(vocabulary_id, concept_code, concept_name, domain_id)
    };
    let of_part = |part: &&Index| part.codes.iter().map(provisional).collect::<Vec<_>>();
    let provisional: Vec<Vec<ConceptId>> = parts.iter().map(of_part).collect();
    let local_id_max = parts.iter().filter_map(|part| part.local_id_max).max();
    let (codes, final_ids) = joint.assign(first_local(local_id_max));
    (codes, provisional.iter().map(|ids| final_ids.of_part(ids)).collect())
}
