//! Whose costs are whose: CDM 5.4 keeps no person in `cost`, only the event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use farr_records::{Intake, Table};

use super::{is_parquet, parquet};
use crate::Error;
use crate::pipeline::{Context, TableReader};
use crate::rows::Rows;
use crate::tokens::Fault;

/// The persons of events, by domain: pairs of event and person, sorted.
#[derive(Debug, Default)]
pub(super) struct CostPersons {
    by_domain: BTreeMap<Table, Vec<(i64, i64)>>,
}

impl CostPersons {
    /// Reads the ids of those event tables that some cost without person names.
    pub(super) fn read<I>(context: &Context<'_, I>, readers: &[TableReader]) -> Result<Self, Error>
    where
        I: Intake,
        I::Error: std::error::Error + Send + Sync + 'static,
    {
        let is_cost = |reader: &&TableReader| reader.layout.name == Table::Cost.name();
        if readers.iter().filter(is_cost).all(|reader| reader.pieces().next().is_none()) {
            return Ok(Self::default());
        }
        let mut needed = BTreeSet::new();
        let columns = ["person_id", "cost_domain_id"];
        peek(context, readers, Table::Cost, (&columns, Some("person_id")), &mut |rows| {
            let (persons, domains) = (rows.integers("person_id"), rows.text("cost_domain_id"));
            let lacking = (0..rows.len()).filter(|row| persons.is_null(*row));
            needed.extend(lacking.filter_map(|row| table_of(&domains, row)));
        })?;
        let mut by_domain = BTreeMap::new();
        for table in needed {
            let Some(id) = table.id_column() else { continue };
            let mut pairs = Vec::new();
            peek(context, readers, table, (&[id, "person_id"], None), &mut |rows| {
                let (ids, persons) = (rows.integers(id), rows.integers("person_id"));
                pairs.extend(ids.iter().zip(persons.iter()).filter_map(|(i, p)| Some((i?, p?))));
            })?;
            pairs.sort_unstable();
            pairs.dedup();
            by_domain.insert(table, pairs);
        }
        Ok(Self { by_domain })
    }

    /// Gives costs their persons; those whose event tells none are faults.
    /// `None` if all say themselves whose they are.
    pub(super) fn choose(
        &self,
        rows: &Rows,
        columns: &mut Vec<(&str, ArrayRef)>,
    ) -> Option<(Vec<u32>, Vec<Fault>)> {
        let given = rows.integers("person_id");
        if rows.has("person_id") && given.null_count() == 0 {
            return None;
        }
        let domains = rows.text("cost_domain_id");
        let events = rows.integers("cost_event_id");
        let (mut chosen, mut persons, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..rows.len() {
            let person = if given.is_valid(row) {
                Ok(given.value(row))
            } else if events.is_null(row) {
                Err("is empty: whose cost it is, is not known")
            } else {
                self.person_of(table_of(&domains, row), events.value(row))
            };
            match person {
                Ok(_) => chosen.push(row as u32),
                Err(reason) => faults.push(Fault {
                    line: rows.lines[row],
                    column: Some("cost_event_id".to_owned()),
                    reason: reason.to_owned(),
                }),
            }
            persons.push(person.unwrap_or_default());
        }
        columns.retain(|(name, _)| *name != "person_id");
        columns.push(("person_id", Arc::new(Int64Array::from(persons))));
        Some((chosen, faults))
    }

    fn person_of(&self, table: Option<Table>, event: i64) -> Result<i64, &'static str> {
        let table = table.ok_or("its cost_domain_id names no table of events")?;
        let pairs = self.by_domain.get(&table).map_or(&[][..], Vec::as_slice);
        let first = pairs.partition_point(|(id, _)| *id < event);
        let of_event = || pairs[first..].iter().take_while(|(id, _)| *id == event);
        match (of_event().next(), of_event().count()) {
            (Some((_, person)), 1) => Ok(*person),
            (None, _) => Err("its event is not in the export: whose cost it is, is not known"),
            _ => Err("its event id belongs to several persons: whose cost it is, is not known"),
        }
    }
}

fn table_of(domains: &arrow::array::StringArray, row: usize) -> Option<Table> {
    let domain = if domains.is_valid(row) { domains.value(row).trim() } else { "" };
    Some(match domain.to_ascii_lowercase().as_str() {
        "visit" => Table::VisitOccurrence,
        "visit detail" => Table::VisitDetail,
        "condition" => Table::ConditionOccurrence,
        "drug" => Table::DrugExposure,
        "procedure" => Table::ProcedureOccurrence,
        "device" => Table::DeviceExposure,
        "measurement" => Table::Measurement,
        "observation" => Table::Observation,
        "specimen" => Table::Specimen,
        "note" => Table::Note,
        _ => return None,
    })
}

/// Reads columns ahead; where one is named for it, only as far as that may lack
/// values.
fn peek<I>(
    context: &Context<'_, I>,
    readers: &[TableReader],
    table: Table,
    (columns, lacking): (&[&str], Option<&str>),
    look: &mut dyn FnMut(&Rows),
) -> Result<(), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    for reader in readers.iter().filter(|reader| reader.layout.name == table.name()) {
        for object in &reader.objects {
            if is_parquet(context.location, object)? {
                parquet::peek(context, reader, object, (columns, lacking), look)?;
            } else {
                context.peek_text(reader, object, columns, look)?;
            }
        }
    }
    Ok(())
}
