//! Coded events: one form for all, whose target tables the concepts choose.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use farr_records::{LocalCodes, Table};
use rustc_hash::FxHashMap;

use super::concepts::TYPE_EHR;
use crate::outgoing::{Outgoing, constant};
use crate::rows::Rows;
use crate::{Error, Mapping};

/// What a column of an event means, whatever its table calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Person,
    Visit,
    Start,
    StartTime,
    End,
    EndTime,
    VerbatimEnd,
    Refills,
    Quantity,
    Number,
    TextValue,
    ValueSource,
    UnitSource,
    DeviceId,
    Qualifier,
}

/// Events of one batch.
pub(crate) struct Events<'a> {
    pub(crate) rows: &'a Rows,
    /// Ids of the rows.
    pub(crate) ids: Int64Array,
    /// The tables that they are for: there, though empty, if there is no event.
    pub(crate) homes: Vec<Table>,
    /// The table of each event whose concept does not choose one.
    pub(crate) tables: Vec<Table>,
    /// The vocabulary of each code.
    pub(crate) vocabularies: Vec<&'a str>,
    pub(crate) codes: StringArray,
    pub(crate) names: StringArray,
    pub(crate) roles: Vec<(Role, ArrayRef)>,
}

/// What becomes of events.
pub(crate) struct Emitted {
    pub(crate) outgoing: Vec<Outgoing>,
    /// The table of the record that stands for each row.
    pub(crate) standing: Vec<Table>,
}

/// A code's own concept, and where it leads.
struct Coded {
    source: i64,
    targets: Vec<(i64, Option<Table>)>,
}

#[derive(Default)]
struct Part {
    rows: Vec<u32>,
    ids: Vec<i64>,
    concepts: Vec<i64>,
    sources: Vec<i64>,
}

/// Makes records of events. With a vocabulary a code leads to all its standard
/// concepts, each in the table of its domain, the first standing for the row;
/// without, or if it has none, to the event's default table.
pub(crate) fn emit(
    events: &Events,
    mapping: Option<&Mapping>,
    local: &LocalCodes,
) -> Result<Emitted, Error> {
    let mut known: FxHashMap<(&str, &str, &str, Table), Coded> = FxHashMap::default();
    let mut parts: BTreeMap<(bool, Table), Part> = BTreeMap::new();
    if events.tables.is_empty() {
        parts.extend(events.homes.iter().map(|table| ((true, *table), Part::default())));
    }
    let mut standing = Vec::with_capacity(events.tables.len());
    for row in 0..events.tables.len() {
        let (vocabulary, default) = (events.vocabularies[row], events.tables[row]);
        let code = events.codes.value(row);
        let name = if events.names.is_valid(row) { events.names.value(row).trim() } else { "" };
        let coded = known
            .entry((vocabulary, code, name, default))
            .or_insert_with(|| look_up(vocabulary, code, name, default, mapping, local));
        for (place, (concept, table)) in coded.targets.iter().enumerate() {
            let table = table.unwrap_or(default);
            if place == 0 {
                standing.push(table);
            }
            let part = parts.entry((place == 0, table)).or_default();
            part.rows.push(row as u32);
            // Further records of one row in one table need ids of their own.
            part.ids.push((events.ids.value(row) ^ place as i64) & i64::MAX);
            part.concepts.push(*concept);
            part.sources.push(coded.source);
        }
    }
    let outgoing = parts
        .into_iter()
        .rev()
        .map(|((stands, table), part)| outgoing_of(events, stands, table, part))
        .collect::<Result<_, Error>>()?;
    Ok(Emitted { outgoing, standing })
}

fn look_up(
    vocabulary: &str,
    code: &str,
    name: &str,
    default: Table,
    mapping: Option<&Mapping>,
    local: &LocalCodes,
) -> Coded {
    let provisional = || local.provisional(vocabulary, code, name, domain_of(default)).0;
    let Some(mapping) = mapping else {
        let concept = provisional();
        return Coded { source: concept, targets: vec![(concept, None)] };
    };
    let Some(source) = mapping.source_concept(vocabulary, code) else {
        return Coded { source: provisional(), targets: vec![(0, None)] };
    };
    let mut targets: Vec<_> =
        mapping.targets(source).map(|t| (t.concept.0, table_of(&t.domain))).collect();
    if targets.is_empty() {
        targets.push((0, None));
    }
    Coded { source: source.0, targets }
}

fn outgoing_of(events: &Events, stands: bool, table: Table, part: Part) -> Result<Outgoing, Error> {
    let names = Names::of(table);
    let rows = part.rows.len();
    let columns = events
        .roles
        .iter()
        .filter_map(|(role, values)| Some((names.column(*role)?, values.clone())));
    let source_value: ArrayRef = Arc::new(events.codes.clone());
    let columns = columns.chain([(names.source_value, source_value)]).collect();
    let mut outgoing = Outgoing::of_rows(table, events.rows, &part.rows, columns)?;
    let own: [(&str, ArrayRef); 4] = [
        (names.id, Arc::new(Int64Array::from(part.ids))),
        (names.concept, Arc::new(Int64Array::from(part.concepts))),
        (names.source_concept, Arc::new(Int64Array::from(part.sources))),
        (names.kind, constant(TYPE_EHR, rows)),
    ];
    let schema = outgoing.rows.schema();
    let taken = schema.fields().iter().map(|field| field.name().as_str());
    let columns = taken.zip(outgoing.rows.columns().iter().cloned()).chain(own).collect();
    let lines = std::mem::take(&mut outgoing.lines);
    Outgoing::new(table, lines, stands, columns)
}

/// OMOP's domain of a table of events.
pub(crate) fn domain_of(table: Table) -> &'static str {
    match table {
        Table::ConditionOccurrence => "Condition",
        Table::DrugExposure => "Drug",
        Table::ProcedureOccurrence => "Procedure",
        Table::DeviceExposure => "Device",
        Table::Measurement => "Measurement",
        Table::VisitOccurrence => "Visit",
        _ => "Observation",
    }
}

/// The table of a domain; none for domains that have no table of events.
fn table_of(domain: &str) -> Option<Table> {
    Some(match domain {
        "Condition" => Table::ConditionOccurrence,
        "Drug" => Table::DrugExposure,
        "Procedure" => Table::ProcedureOccurrence,
        "Device" => Table::DeviceExposure,
        "Measurement" => Table::Measurement,
        "Observation" => Table::Observation,
        _ => return None,
    })
}

struct Names {
    table: Table,
    id: &'static str,
    concept: &'static str,
    source_concept: &'static str,
    source_value: &'static str,
    kind: &'static str,
    start_time: &'static str,
    end_time: &'static str,
}

impl Names {
    fn of(table: Table) -> Self {
        let (concept, source_concept, source_value, kind, start_time, end_time) = match table {
            Table::ConditionOccurrence => (
                "condition_concept_id",
                "condition_source_concept_id",
                "condition_source_value",
                "condition_type_concept_id",
                "condition_start_datetime",
                "condition_end_datetime",
            ),
            Table::DrugExposure => (
                "drug_concept_id",
                "drug_source_concept_id",
                "drug_source_value",
                "drug_type_concept_id",
                "drug_exposure_start_datetime",
                "drug_exposure_end_datetime",
            ),
            Table::ProcedureOccurrence => (
                "procedure_concept_id",
                "procedure_source_concept_id",
                "procedure_source_value",
                "procedure_type_concept_id",
                "procedure_datetime",
                "procedure_end_datetime",
            ),
            Table::DeviceExposure => (
                "device_concept_id",
                "device_source_concept_id",
                "device_source_value",
                "device_type_concept_id",
                "device_exposure_start_datetime",
                "device_exposure_end_datetime",
            ),
            Table::Measurement => (
                "measurement_concept_id",
                "measurement_source_concept_id",
                "measurement_source_value",
                "measurement_type_concept_id",
                "measurement_datetime",
                "",
            ),
            _ => (
                "observation_concept_id",
                "observation_source_concept_id",
                "observation_source_value",
                "observation_type_concept_id",
                "observation_datetime",
                "",
            ),
        };
        let id = table.id_column().unwrap_or_default();
        Self { table, id, concept, source_concept, source_value, kind, start_time, end_time }
    }

    /// The column of a role, if the table has one.
    fn column(&self, role: Role) -> Option<&'static str> {
        let name = match role {
            Role::Person => "person_id",
            Role::Visit => "visit_occurrence_id",
            Role::Start => self.table.start_column()?,
            Role::StartTime => self.start_time,
            Role::End => self.table.end_column()?,
            Role::EndTime => self.end_time,
            Role::VerbatimEnd => "verbatim_end_date",
            Role::Refills => "refills",
            Role::Quantity => "quantity",
            Role::Number => "value_as_number",
            Role::TextValue => "value_as_string",
            Role::ValueSource => "value_source_value",
            Role::UnitSource => "unit_source_value",
            Role::DeviceId => "unique_device_id",
            Role::Qualifier => match self.table {
                Table::ProcedureOccurrence => "modifier_source_value",
                _ => "qualifier_source_value",
            },
        };
        self.table.column(name).map(|column| column.name)
    }
}
