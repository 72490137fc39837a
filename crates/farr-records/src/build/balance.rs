//! What became of rows: tallies by source table and target table, rejects,
//! and the check that nothing got lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde::{Deserialize, Serialize};

use super::TableRejects;
use super::arrange::Arranged;
use super::at_rest::{DERIVED, Piece};
use super::registry::{Registry, SourceTable};
use crate::manifest::{Balance, RecordsMade};
use crate::{Error, Scope, Table, shown_path};

/// How many rejects a job allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RejectsMax {
    /// So many rows.
    Count(u64),
    /// This share of the rows read, 0 to 1: of those of the vocabulary, and of
    /// all others.
    Share(f64),
}

/// What became of the records of one source table, for one target table.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Tally {
    all: Fates,
    /// Of records that stand for their source row.
    standing: Fates,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Fates {
    written: u64,
    merged: u64,
    rejected: u64,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Written,
    Merged,
    Rejected,
}

/// Why the builder itself rejects a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    /// The row names no person.
    NoPerson,
    /// The row's person is not in the person table.
    Dangling,
    /// Another row of the person, with other content, was kept.
    SecondPerson,
}

impl Refusal {
    fn reason(self) -> &'static str {
        match self {
            Self::NoPerson => "no person",
            Self::Dangling => "the person is not in the person table",
            Self::SecondPerson => "another row of this person, with other content, was kept",
        }
    }
}

/// A row that the builder rejected and that stands for its source row.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Refused {
    table: Table,
    refusal: Refusal,
    source_table: u32,
    object: u32,
    line: u64,
}

/// What became of rows; those of pieces and shards are added up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Fortunes {
    #[serde(with = "pairs")]
    tallies: BTreeMap<(Table, u32), Tally>,
    pub(super) refused: Vec<Refused>,
}

/// JSON has no keys but texts: tallies are kept as pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Tally;
    use crate::Table;

    type Tallies = BTreeMap<(Table, u32), Tally>;

    pub(super) fn serialize<S: Serializer>(of: &Tallies, to: S) -> Result<S::Ok, S::Error> {
        of.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Tallies, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

impl Fortunes {
    /// Counts the rows of a piece.
    pub(super) fn count(&mut self, piece: &Piece, arranged: &Arranged) {
        self.add(piece, arranged.kept.iter().copied(), Fate::Written);
        self.add(piece, arranged.merged.iter().copied(), Fate::Merged);
    }

    /// Counts and notes the rows that were refused.
    pub(super) fn refuse(&mut self, piece: &Piece, rows: &[(u32, Refusal)]) {
        self.add(piece, rows.iter().map(|(row, _)| *row), Fate::Rejected);
        let from = &piece.provenance;
        for (row, refusal) in rows {
            let row = *row as usize;
            if from.stands.value(row) {
                self.refused.push(Refused {
                    table: piece.table,
                    refusal: *refusal,
                    source_table: from.source_table.value(row),
                    object: from.object.value(row),
                    line: from.line.value(row),
                });
            }
        }
    }

    fn add(&mut self, piece: &Piece, rows: impl Iterator<Item = u32>, fate: Fate) {
        let from = &piece.provenance;
        // Rows of one source table mostly follow each other.
        let mut source = 0;
        let mut tally = Tally::default();
        let mut pending = false;
        for row in rows {
            let row = row as usize;
            if !pending || from.source_table.value(row) != source {
                self.store(piece.table, source, &mut tally);
                source = from.source_table.value(row);
                pending = true;
            }
            tally.all.one(fate);
            if from.stands.value(row) {
                tally.standing.one(fate);
            }
        }
        self.store(piece.table, source, &mut tally);
    }

    fn store(&mut self, table: Table, source: u32, tally: &mut Tally) {
        let tally = std::mem::take(tally);
        if tally.all.sum() > 0 {
            let known = self.tallies.entry((table, source)).or_default();
            known.all.join(tally.all);
            known.standing.join(tally.standing);
        }
    }

    /// Adds what became of other rows.
    pub(super) fn join(&mut self, other: Self) {
        for (key, tally) in other.tallies {
            let known = self.tallies.entry(key).or_default();
            known.all.join(tally.all);
            known.standing.join(tally.standing);
        }
        self.refused.extend(other.refused);
    }

    /// What became of the rows of each source table, checked. The builder's own
    /// rejects must not be noted in the registry yet.
    ///
    /// # Errors
    /// [`Error::Balance`] if a source table's rows do not add up.
    pub(super) fn balance(&self, registry: &Registry) -> Result<Vec<Balance>, Error> {
        let mut rejected: Vec<u64> = vec![0; registry.tables.len()];
        for reject in &registry.rejects {
            rejected[reject.source_table as usize] += 1;
        }
        let mut balance = Vec::new();
        for (place, table) in registry.tables.iter().enumerate() {
            let mut fates = Fates { rejected: rejected[place], ..Fates::default() };
            for ((_, source), tally) in &self.tallies {
                if *source == place as u32 {
                    fates.join(tally.standing);
                }
            }
            let (system, source_table) = (table.system.clone(), table.name.clone());
            let Fates { written: kept, merged, rejected } = fates;
            if fates.sum() != table.read {
                let read = table.read;
                return Err(Error::Balance { system, source_table, read, kept, merged, rejected });
            }
            let read = table.read;
            balance.push(Balance { system, source_table, read, kept, merged, rejected });
        }
        balance.sort();
        Ok(balance)
    }

    /// The records made, by target table and source table.
    pub(super) fn records(&self, registry: &Registry) -> Vec<RecordsMade> {
        let of = |((table, source), tally): (&(Table, u32), &Tally)| {
            let (system, source_table) = match *source {
                DERIVED => ("farr".to_owned(), "derived".to_owned()),
                source => {
                    let source = &registry.tables[source as usize];
                    (source.system.clone(), source.name.clone())
                }
            };
            let Fates { written, merged, rejected } = tally.all;
            let table = table.name().to_owned();
            RecordsMade { table, system, source_table, written, merged, rejected }
        };
        let mut records: Vec<_> = self.tallies.iter().map(of).collect();
        records.sort();
        records
    }
}

impl Fates {
    fn one(&mut self, fate: Fate) {
        match fate {
            Fate::Written => self.written += 1,
            Fate::Merged => self.merged += 1,
            Fate::Rejected => self.rejected += 1,
        }
    }

    fn join(&mut self, other: Self) {
        self.written += other.written;
        self.merged += other.merged;
        self.rejected += other.rejected;
    }

    fn sum(self) -> u64 {
        self.written + self.merged + self.rejected
    }
}

/// Notes the builder's own rejects beside the sources'.
pub(super) fn note_refused(registry: &mut Registry, refused: &[Refused]) {
    for row in refused {
        let column = row.table.person_column().map(|name| registry.text(name.to_owned()));
        let reason = registry.text(row.refusal.reason().to_owned());
        registry.rejects.push(super::registry::KeptReject {
            source_table: row.source_table,
            object: row.object,
            line: row.line,
            column,
            reason,
        });
    }
}

/// Fails if more rows are rejected than allowed. A share is of the rows of the
/// vocabulary, and of all others, each on its own: a vocabulary is so large that
/// beside it a table of persons could be missing whole.
///
/// # Errors
/// [`Error::TooManyRejects`].
pub(super) fn check_rejects(registry: &Registry, allowed: Option<RejectsMax>) -> Result<(), Error> {
    let Some(allowed) = allowed else { return Ok(()) };
    let is_vocabulary = |table: &SourceTable| {
        Table::from_name(&table.name).is_some_and(|table| table.scope() == Scope::Vocabulary)
    };
    let parts: &[Option<bool>] = match allowed {
        RejectsMax::Count(_) => &[None],
        RejectsMax::Share(_) => &[Some(false), Some(true)],
    };
    for part in parts {
        let is_in = |table: &SourceTable| part.is_none_or(|part| part == is_vocabulary(table));
        let tables = registry.tables.iter().filter(|table| is_in(table));
        let read: u64 = tables.map(|table| table.read).sum();
        let rejects = registry.rejects.iter();
        let rejects = rejects.filter(|r| is_in(&registry.tables[r.source_table as usize]));
        let rejected = rejects.count() as u64;
        let (too_many, limit) = match allowed {
            RejectsMax::Count(count) => (rejected > count, count.to_string()),
            RejectsMax::Share(share) => (
                rejected as f64 > share * read as f64,
                format!("{} % of them", (share * 1e11).round() / 1e9),
            ),
        };
        if too_many {
            let (commonest, reasons) = commonest(registry, is_in);
            return Err(Error::TooManyRejects { rejected, read, limit, commonest, reasons });
        }
    }
    Ok(())
}

/// Rejects for one reason: source table, column, reason.
type Group = (u32, Option<u32>, u32);

/// How many rejects each reason has, and the path and line of the first.
fn grouped(registry: &Registry) -> BTreeMap<Group, (u64, (&str, u64))> {
    let mut groups = BTreeMap::new();
    for reject in &registry.rejects {
        let path = registry.objects[reject.object as usize].read.path.as_str();
        let place = (path, reject.line);
        let group = (reject.source_table, reject.column, reject.reason);
        let (count, first) = groups.entry(group).or_insert((0, place));
        *count += 1;
        *first = place.min(*first);
    }
    groups
}

/// The five commonest reasons for which rows of some tables were rejected, and
/// where the first row of each is: with counts, and without.
pub(super) fn commonest(
    registry: &Registry,
    is_in: impl Fn(&SourceTable) -> bool,
) -> (String, String) {
    let mut named: Vec<(u64, String, String)> = grouped(registry)
        .into_iter()
        .filter(|((table, _, _), _)| is_in(&registry.tables[*table as usize]))
        .map(|((table, column, reason), (count, (path, line)))| {
            let table = &registry.tables[table as usize].name;
            let column = column.map_or(String::new(), |c| format!(".{}", registry.text_at(c)));
            let reason = format!("{table}{column}: {}", registry.text_at(reason));
            (count, reason, format!("first at {}, line {line}", shown_path(path)))
        })
        .collect();
    named.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    named.truncate(5);
    let joined = |text: &dyn Fn(&(u64, String, String)) -> String| {
        named.iter().map(text).collect::<Vec<_>>().join("; ")
    };
    (
        joined(&|(count, reason, first)| format!("{reason} ({count}; {first})")),
        joined(&|(_, reason, first)| format!("{reason} ({first})")),
    )
}

/// The source tables that have rejects, in their order.
pub(super) fn tables_with_rejects(registry: &Registry) -> Vec<TableRejects> {
    let mut tables: BTreeMap<u32, (u64, u64, String)> = BTreeMap::new();
    for ((table, column, reason), (count, _)) in grouped(registry) {
        let column = column.map_or(String::new(), |c| format!("{} ", registry.text_at(c)));
        let text = format!("{column}{}", registry.text_at(reason));
        let (rejected, most, commonest) = tables.entry(table).or_default();
        *rejected += count;
        if (count, &*commonest) > (*most, &text) {
            (*most, *commonest) = (count, text);
        }
    }
    let of_table = |(table, (rejected, _, commonest)): (u32, (u64, u64, String))| {
        let SourceTable { system, name, read } = registry.tables[table as usize].clone();
        TableRejects { system, source_table: name, read, rejected, commonest }
    };
    let mut rejects: Vec<TableRejects> = tables.into_iter().map(of_table).collect();
    rejects.sort();
    rejects
}

/// All rejects as a table: `system`, `source_table`, `object`, `line` (from 1),
/// `column`, `reason`, in that order. Never a value.
pub(super) fn rejects_table(registry: &Registry) -> Result<RecordBatch, arrow::error::ArrowError> {
    let ranks = registry.ranks();
    let mut rejects: Vec<_> = registry.rejects.iter().collect();
    rejects.sort_by(|a, b| {
        let place = |r: &super::registry::KeptReject| {
            (ranks.tables[r.source_table as usize], ranks.objects[r.object as usize], r.line)
        };
        let texts = |r: &super::registry::KeptReject| {
            (r.column.map(|c| registry.text_at(c)), registry.text_at(r.reason))
        };
        place(a).cmp(&place(b)).then_with(|| texts(a).cmp(&texts(b)))
    });
    let table = |r: &super::registry::KeptReject| &registry.tables[r.source_table as usize];
    let texts = |text: &dyn Fn(&super::registry::KeptReject) -> Option<String>| -> ArrayRef {
        Arc::new(rejects.iter().map(|r| text(r)).collect::<StringArray>())
    };
    let lines = Int64Array::from_iter_values(rejects.iter().map(|r| r.line as i64));
    RecordBatch::try_from_iter_with_nullable([
        ("system", texts(&|r| Some(table(r).system.clone())), false),
        ("source_table", texts(&|r| Some(table(r).name.clone())), false),
        ("object", texts(&|r| Some(registry.objects[r.object as usize].read.path.clone())), false),
        ("line", Arc::new(lines) as ArrayRef, false),
        ("column", texts(&|r| r.column.map(|c| registry.text_at(c).to_owned())), true),
        ("reason", texts(&|r| Some(registry.text_at(r.reason).to_owned())), false),
    ])
}
