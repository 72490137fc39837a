//! Codes by part of their name or code.

use std::fmt::Write;

use farr_records::RecordsStore;

use super::ConceptTable;
use super::counts::Counts;
use super::table::Row;
use crate::executor::Threads;
use crate::{Error, number};

/// The codes whose name or code has a part, in any case, the most frequent
/// first; in words and as rows.
pub(super) fn find(
    part: &str,
    (store, threads): (&RecordsStore, &Threads),
    counts: &Counts,
) -> Result<(String, Vec<Row>), Error> {
    let wanted = part.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let names = threads.run(|| store.names_where(|name, code| has(name) || has(code)))?;
    let concepts = ConceptTable::new(names.as_ref());
    let mut rows: Vec<Row> =
        concepts.ids().map(|id| Row::of(id, &concepts, counts.get(id))).collect();
    rows.sort_by_key(Row::rank);
    if rows.is_empty() {
        return Ok((format!("no concept whose name or code has '{part}' in it\n"), rows));
    }
    let mut text = format!(
        "{:<14}{:<12}{:<16}{:>10}{:>10}  name\n",
        "concept_id", "vocabulary", "code", "records", "persons"
    );
    for row in &rows {
        let _ = writeln!(
            text,
            "{:<14}{:<12}{:<16}{:>10}{:>10}  {}",
            row.concept_id,
            row.vocabulary_id,
            row.concept_code,
            number(row.records),
            number(row.persons),
            row.concept_name
        );
    }
    Ok((text, rows))
}
