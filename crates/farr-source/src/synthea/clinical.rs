//! Encounters and the events in them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use farr_records::{IdHasher, Table};

use super::concepts::{TYPE_EHR, US_DOLLAR, visit_of_class, visit_of_code, vocabulary};
use super::events::{Emitted, Events, Role, domain_of, emit};
use super::{Synthea, or_blank};
use crate::Error;
use crate::outgoing::{Outgoing, constant, constant_text, ids_of, ids_of_rows};
use crate::rows::Rows;
use crate::typing::numbers;

type Made = Result<Vec<Outgoing>, Error>;

/// Encounters become visits, and costs where they have any.
pub(super) fn encounters(synthea: &Synthea, rows: &Rows) -> Made {
    let ids = ids_of(&synthea.visits, &rows.text("id"));
    let (codes, names) = (rows.text("code"), rows.text("description"));
    let classes = rows.text("class");
    let count = rows.len();
    let kind = |row: usize| match (rows.has("class"), codes.is_valid(row)) {
        (true, _) => visit_of_class(or_blank(&classes, row)),
        (false, true) => visit_of_code(codes.value(row)),
        (false, false) => 0,
    };
    let kinds: Int64Array = (0..count).map(|row| Some(kind(row))).collect();
    let source_concept = |row: usize| {
        let (code, name) = (codes.value(row), or_blank(&names, row));
        let known = synthea.mapping.and_then(|m| m.source_concept("SNOMED", code));
        known.unwrap_or_else(|| synthea.local.provisional("SNOMED", code, name, "Visit")).0
    };
    let source_concepts: Int64Array = (0..count).map(|row| Some(source_concept(row))).collect();
    let (starts, stops) = (rows.days("start"), rows.days("stop"));
    let end =
        |row: usize| Some(if stops.is_valid(row) { stops.value(row) } else { starts.value(row) });
    let ends: arrow::array::Date32Array = (0..count).map(end).collect();
    let source_values: ArrayRef =
        if rows.has("class") { Arc::new(classes.clone()) } else { Arc::new(codes.clone()) };
    let visits = Outgoing::new(
        Table::VisitOccurrence,
        rows.lines.clone(),
        true,
        vec![
            ("visit_occurrence_id", ids.clone()),
            ("person_id", synthea.person_ids(rows)),
            ("visit_concept_id", Arc::new(kinds)),
            ("visit_start_date", Arc::new(starts.clone())),
            ("visit_start_datetime", Arc::new(rows.times("start"))),
            ("visit_end_date", Arc::new(ends)),
            ("visit_end_datetime", Arc::new(rows.times("stop"))),
            ("visit_type_concept_id", constant(TYPE_EHR, count)),
            ("provider_id", ids_of(&synthea.providers, &rows.text("provider"))),
            ("care_site_id", ids_of(&synthea.care_sites, &rows.text("organization"))),
            ("visit_source_value", source_values),
            ("visit_source_concept_id", Arc::new(source_concepts)),
        ],
    )?;
    let amounts = [
        ("total_charge", rows.numbers("total_claim_cost")),
        ("total_cost", rows.numbers("base_cost")),
        ("paid_by_payer", rows.numbers("payer_coverage")),
    ];
    let costs = costs(synthea, rows, &ids, &vec![Table::VisitOccurrence; count], &amounts)?;
    Ok([visits].into_iter().chain(costs).collect())
}

/// A cost for each row that has an amount.
fn costs(
    synthea: &Synthea,
    rows: &Rows,
    event_ids: &ArrayRef,
    tables: &[Table],
    amounts: &[(&str, Float64Array)],
) -> Result<Option<Outgoing>, Error> {
    let has = |row: &usize| amounts.iter().any(|(_, amount)| amount.is_valid(*row));
    let chosen: Vec<u32> = (0..rows.len()).filter(has).map(|row| row as u32).collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    let domains = StringArray::from_iter_values(tables.iter().map(|table| domain_of(*table)));
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("cost_id", Arc::new(ids_of_rows(&synthea.costs, rows))),
        ("person_id", synthea.person_ids(rows)),
        ("cost_event_id", event_ids.clone()),
        ("cost_domain_id", Arc::new(domains)),
        ("cost_type_concept_id", constant(TYPE_EHR, rows.len())),
        ("currency_concept_id", constant(US_DOLLAR, rows.len())),
    ];
    for (name, amount) in amounts {
        columns.push((name, Arc::new(amount.clone())));
    }
    Outgoing::of_rows(Table::Cost, rows, &chosen, columns).map(Some)
}

/// Events of a table with the usual columns; `more` adds to their roles.
fn events<'a>(
    synthea: &Synthea,
    rows: &'a Rows,
    kind: &str,
    table: Table,
    vocabulary: &'a str,
    more: Vec<(Role, ArrayRef)>,
) -> Events<'a> {
    let mut roles: Vec<(Role, ArrayRef)> = vec![
        (Role::Person, synthea.person_ids(rows)),
        (Role::Visit, synthea.visit_ids(rows)),
        (Role::Start, Arc::new(rows.days("start"))),
        (Role::StartTime, Arc::new(rows.times("start"))),
    ];
    if rows.has("stop") {
        roles.push((Role::End, Arc::new(rows.days("stop"))));
        roles.push((Role::EndTime, Arc::new(rows.times("stop"))));
    }
    roles.extend(more);
    Events {
        rows,
        ids: ids_of_rows(&IdHasher::new(synthea.system, kind), rows),
        homes: vec![table],
        tables: vec![table; rows.len()],
        vocabularies: vec![vocabulary; rows.len()],
        codes: rows.text("code"),
        names: rows.text("description"),
        roles,
    }
}

fn made(synthea: &Synthea, events: &Events) -> Result<Emitted, Error> {
    emit(events, synthea.mapping, synthea.local)
}

/// The records of events, and a cost for each that has an amount.
fn with_costs(
    synthea: &Synthea,
    rows: &Rows,
    events: &Events,
    amounts: &[(&str, Float64Array)],
) -> Made {
    let emitted = made(synthea, events)?;
    let ids: ArrayRef = Arc::new(events.ids.clone());
    let costs = costs(synthea, rows, &ids, &emitted.standing, amounts)?;
    Ok(emitted.outgoing.into_iter().chain(costs).collect())
}

pub(super) fn conditions(synthea: &Synthea, rows: &Rows) -> Made {
    let systems = rows.text("system");
    let table = Table::ConditionOccurrence;
    let mut events = events(synthea, rows, "condition", table, "SNOMED", Vec::new());
    events.vocabularies = vocabularies(&systems, rows.len());
    Ok(made(synthea, &events)?.outgoing)
}

/// The vocabulary of each row: its SYSTEM, or SNOMED.
fn vocabularies(systems: &StringArray, rows: usize) -> Vec<&str> {
    let of = |row| if systems.is_valid(row) { vocabulary(systems.value(row)) } else { "SNOMED" };
    (0..rows).map(of).collect()
}

pub(super) fn medications(synthea: &Synthea, rows: &Rows) -> Made {
    let dispenses = rows.integers("dispenses");
    // The first dispensing is no refill.
    let refills: Int64Array = dispenses.iter().map(|n| n.map(|n| (n - 1).max(0))).collect();
    let more: Vec<(Role, ArrayRef)> =
        vec![(Role::VerbatimEnd, Arc::new(rows.days("stop"))), (Role::Refills, Arc::new(refills))];
    let events = events(synthea, rows, "medication", Table::DrugExposure, "RxNorm", more);
    let amounts = [
        ("total_charge", rows.numbers("totalcost")),
        ("total_cost", rows.numbers("base_cost")),
        ("paid_by_payer", rows.numbers("payer_coverage")),
    ];
    with_costs(synthea, rows, &events, &amounts)
}

pub(super) fn procedures(synthea: &Synthea, rows: &Rows) -> Made {
    let systems = rows.text("system");
    let table = Table::ProcedureOccurrence;
    let mut events = events(synthea, rows, "procedure", table, "SNOMED", Vec::new());
    events.vocabularies = vocabularies(&systems, rows.len());
    with_costs(synthea, rows, &events, &[("total_cost", rows.numbers("base_cost"))])
}

/// A vaccination ends on the day it starts.
pub(super) fn immunizations(synthea: &Synthea, rows: &Rows) -> Made {
    let more: Vec<(Role, ArrayRef)> = vec![
        (Role::End, Arc::new(rows.days("start"))),
        (Role::EndTime, Arc::new(rows.times("start"))),
    ];
    let events = events(synthea, rows, "immunization", Table::DrugExposure, "CVX", more);
    with_costs(synthea, rows, &events, &[("total_cost", rows.numbers("base_cost"))])
}

/// Categories whose observations are measurements, also where they are no numbers.
const MEASURED: [&str; 2] = ["vital-signs", "laboratory"];

/// Vital signs, laboratory values and all numbers are measurements, other
/// texts observations.
pub(super) fn observations(synthea: &Synthea, rows: &Rows) -> Made {
    let (values, types) = (rows.text("value"), rows.text("type"));
    let categories = rows.text("category");
    let read = numbers(&values)?;
    let is_number = |row: usize| {
        let said = types.is_null(row) || types.value(row).eq_ignore_ascii_case("numeric");
        said && read.is_valid(row)
    };
    let is_measured = |row: usize| {
        let category = or_blank(&categories, row);
        is_number(row) || MEASURED.iter().any(|name| name.eq_ignore_ascii_case(category))
    };
    let table_of = |row| if is_measured(row) { Table::Measurement } else { Table::Observation };
    let number: Float64Array =
        (0..rows.len()).map(|row| is_number(row).then(|| read.value(row))).collect();
    let text = |row: usize| (!is_number(row) && values.is_valid(row)).then(|| values.value(row));
    let texts: StringArray = (0..rows.len()).map(text).collect();
    let more: Vec<(Role, ArrayRef)> = vec![
        (Role::Number, Arc::new(number)),
        (Role::TextValue, Arc::new(texts)),
        (Role::ValueSource, Arc::new(values.clone())),
        (Role::UnitSource, Arc::new(rows.text("units"))),
        (Role::Qualifier, Arc::new(categories.clone())),
    ];
    let mut events = events(synthea, rows, "observation", Table::Observation, "LOINC", more);
    events.homes.push(Table::Measurement);
    events.tables = (0..rows.len()).map(table_of).collect();
    Ok(made(synthea, &events)?.outgoing)
}

/// Reactions with their severity become the value, kind and category the
/// qualifier.
pub(super) fn allergies(synthea: &Synthea, rows: &Rows) -> Made {
    let systems = rows.text("system");
    let of = |name: &str| rows.text(name);
    let (kinds, categories) = (of("type"), of("category"));
    let reactions = [(of("description1"), of("severity1")), (of("description2"), of("severity2"))];
    let reaction = |row: usize| {
        let parts =
            reactions.iter().filter(|(name, _)| name.is_valid(row)).map(|(name, severity)| {
                match or_blank(severity, row) {
                    "" => or_blank(name, row).to_owned(),
                    severity => format!("{} ({severity})", or_blank(name, row)),
                }
            });
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    };
    let values: StringArray = (0..rows.len()).map(reaction).collect();
    let qualifier = |row: usize| {
        let parts = [or_blank(&kinds, row), or_blank(&categories, row)];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    let qualifiers: StringArray = (0..rows.len()).map(qualifier).collect();
    let more: Vec<(Role, ArrayRef)> = vec![
        (Role::TextValue, Arc::new(values.clone())),
        (Role::ValueSource, Arc::new(values)),
        (Role::Qualifier, Arc::new(qualifiers)),
    ];
    let mut events = events(synthea, rows, "allergy", Table::Observation, "SNOMED", more);
    events.vocabularies = vocabularies(&systems, rows.len());
    Ok(made(synthea, &events)?.outgoing)
}

/// A care plan's id may stand on several rows, one an activity: the row is the
/// record.
pub(super) fn careplans(synthea: &Synthea, rows: &Rows) -> Made {
    let more = vec![(Role::Qualifier, constant_text("care plan", rows.len()))];
    let table = Table::ProcedureOccurrence;
    let events = events(synthea, rows, "careplan", table, "SNOMED", more);
    Ok(made(synthea, &events)?.outgoing)
}

pub(super) fn devices(synthea: &Synthea, rows: &Rows) -> Made {
    let more: Vec<(Role, ArrayRef)> = vec![(Role::DeviceId, Arc::new(rows.text("udi")))];
    let events = events(synthea, rows, "device", Table::DeviceExposure, "SNOMED", more);
    Ok(made(synthea, &events)?.outgoing)
}

pub(super) fn supplies(synthea: &Synthea, rows: &Rows) -> Made {
    let more: Vec<(Role, ArrayRef)> = vec![(Role::Quantity, Arc::new(rows.integers("quantity")))];
    let events = events(synthea, rows, "supply", Table::DeviceExposure, "SNOMED", more);
    Ok(made(synthea, &events)?.outgoing)
}

/// The study's procedure, or its modality where none is named; modality and
/// body site are the modifier.
pub(super) fn imaging_studies(synthea: &Synthea, rows: &Rows) -> Made {
    let (procedures, modalities) = (rows.text("procedure_code"), rows.text("modality_code"));
    let (modality_names, sites) = (rows.text("modality"), rows.text("bodysite"));
    let modifier = |row: usize| {
        let parts = [or_blank(&modality_names, row), or_blank(&sites, row)];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    let modifiers: StringArray = (0..rows.len()).map(modifier).collect();
    let more: Vec<(Role, ArrayRef)> = vec![(Role::Qualifier, Arc::new(modifiers))];
    let table = Table::ProcedureOccurrence;
    let mut events = events(synthea, rows, "imaging_study", table, "SNOMED", more);
    let has_procedure = |row: usize| procedures.is_valid(row);
    events.codes = (0..rows.len())
        .map(|row| {
            Some(if has_procedure(row) { procedures.value(row) } else { modalities.value(row) })
        })
        .collect();
    events.vocabularies =
        (0..rows.len()).map(|row| if has_procedure(row) { "SNOMED" } else { "DICOM" }).collect();
    let name = |row: usize| (!has_procedure(row)).then(|| or_blank(&modality_names, row));
    events.names = (0..rows.len()).map(name).collect();
    Ok(made(synthea, &events)?.outgoing)
}
