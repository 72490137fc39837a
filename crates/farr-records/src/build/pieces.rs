//! Tables without persons: sorted whole where they are small, and range by
//! range where they are large, so that a vocabulary may be larger than memory.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use farr_disclosure::Labelled;
use farr_store::ObjectWriter;

use super::arrange::{arrange, piece_keys, sorted};
use super::at_rest::{Piece, derived_batch, spill_schema};
use super::buffers::{ColumnSet, all_columns};
use super::divided::{Slice, joined};
use super::shards::{Outcome, Plan, counted_ids, taken};
use super::spill::{self, Segment};
use crate::manifest::FileEntry;
use crate::narrow::{column_of, whole};
use crate::parquet_file::{ParquetFile, lookup_group_rows, of_parquet};
use crate::{Error, Scope, Table};

/// Rows that are sorted at a time, about.
const RANGE_ROWS: u64 = if cfg!(test) { 16 } else { 1 << 20 };

/// Rows whose keys are looked at to divide a table, for each range.
const SAMPLES: u64 = 64;

impl Plan<'_> {
    /// Builds a table without persons and writes its file.
    pub(super) fn build_piece(
        &self,
        table: Table,
        derived: Option<&RecordBatch>,
    ) -> Result<Outcome, Error> {
        let columns = self.tables.get(&table).copied().unwrap_or_default();
        let seen = self.spilled.seen.get(&table).map_or(0, |seen| seen.rows);
        let rows = seen + derived.map_or(0, |rows| rows.num_rows() as u64);
        let folder = if table.scope() == Scope::Site { "site" } else { "vocabulary" };
        let path = format!("{folder}/{table}.parquet");
        let failed = |source| of_parquet(self.location.url_of(&path), source);
        let unique: Vec<&str> = table.id_column().into_iter().collect();
        let mut outcome = Outcome::default();
        let (mut ids, mut kept) = (Vec::new(), 0);
        let content = |sink: &mut ObjectWriter| {
            let group_rows = lookup_group_rows(rows as usize);
            let mut file =
                ParquetFile::new(sink, table.schema(), &unique, group_rows).map_err(failed)?;
            let mut take = |piece: &Piece| {
                let arranged = arrange(piece, sorted(piece_keys(piece)), &self.ranks)?;
                outcome.fortunes.count(piece, &arranged);
                let rows = taken(piece, &UInt32Array::from(arranged.kept))?;
                ids.extend(ids_of(table, &rows));
                kept += rows.num_rows() as u64;
                let rows = whole(&rows, &table.schema());
                let rows = rows.map_err(|source| Error::Arrow { table, source })?;
                file.push(&rows).map_err(failed)
            };
            if rows <= RANGE_ROWS {
                let mut piece = self.spilled.one_piece(table, columns)?;
                if let Some(derived) = derived {
                    piece.add_derived(derived)?;
                }
                take(&piece)?;
            } else {
                for segments in &self.divided(table, columns, derived, rows)? {
                    if let Some(piece) = self.piece_of(table, segments)? {
                        take(&piece)?;
                    }
                }
            }
            file.finish().map_err(failed)
        };
        let written = self.location.write_streamed(&path, Labelled::person_level(content))?;
        let (size, sha256) = (written.size, written.sha256);
        let file = FileEntry { path, rows: kept, persons: 0, size, sha256 };
        outcome.files.insert(table, file);
        self.note_ids(&mut outcome, table, &ids)?;
        Ok(outcome)
    }

    /// Divides a table's rows into ranges of their keys, of about as many rows
    /// each, in order; they lie in the temporary file.
    fn divided(
        &self,
        table: Table,
        columns: ColumnSet,
        derived: Option<&RecordBatch>,
        rows: u64,
    ) -> Result<Vec<Vec<Segment>>, Error> {
        let each = |take: &mut dyn FnMut(&RecordBatch) -> Result<(), Error>| {
            self.spilled.each_batch(table, columns, &mut *take)?;
            match derived {
                None => Ok(()),
                Some(derived) => take(&derived_batch(table, columns, derived)?),
            }
        };
        let count = rows.div_ceil(RANGE_ROWS);
        let stride = (rows / (count * SAMPLES)).max(1);
        let (mut sampled, mut place) = (Vec::new(), 0);
        each(&mut |batch| {
            for keyed in piece_keys(&Piece::of(table, batch)?) {
                if place % stride == 0 {
                    sampled.push(keyed.key);
                }
                place += 1;
            }
            Ok(())
        })?;
        sampled.sort_unstable();
        let bound = |range: u64| sampled[(sampled.len() as u64 * range / count) as usize];
        // No row of a range reaches its bound.
        let mut bounds: Vec<u128> = (1..count).map(bound).collect();
        bounds.dedup();
        let mut segments = vec![Vec::new(); bounds.len() + 1];
        let failed = |source| Error::Arrow { table, source };
        each(&mut |batch| {
            let mut parts: Vec<Vec<u32>> = vec![Vec::new(); segments.len()];
            for keyed in piece_keys(&Piece::of(table, batch)?) {
                let range = bounds.partition_point(|bound| *bound <= keyed.key);
                parts[range].push(keyed.row);
            }
            for (rows, segments) in parts.into_iter().zip(&mut segments) {
                if !rows.is_empty() {
                    let part =
                        take_record_batch(batch, &UInt32Array::from(rows)).map_err(failed)?;
                    segments.push(self.scratch.append(&spill::encode(&part).map_err(failed)?)?);
                }
            }
            Ok(())
        })?;
        Ok(segments)
    }

    fn piece_of(&self, table: Table, segments: &[Segment]) -> Result<Option<Piece>, Error> {
        let failed = |source| Error::Arrow { table, source };
        let decode = |segment: &Segment| -> Result<Slice, Error> {
            let rows = spill::decode(self.scratch.read(*segment)?.into()).map_err(failed)?;
            Ok(Slice { rows, origin: None })
        };
        let slices = segments.iter().map(decode).collect::<Result<Vec<_>, Error>>()?;
        if slices.is_empty() {
            return Ok(None);
        }
        let batch = joined(&spill_schema(table, all_columns(table)), &slices).map_err(failed)?;
        Piece::of(table, &batch).map(Some)
    }
}

/// The ids of rows, where they are counted.
pub(super) fn ids_of(table: Table, rows: &RecordBatch) -> Vec<i64> {
    let ids = counted_ids(table).and_then(|name| column_of::<Int64Type>(rows, name));
    ids.map_or_else(Vec::new, |ids| ids.iter().flatten().collect())
}
