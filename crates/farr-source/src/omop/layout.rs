//! OMOP's tables as layouts: the names of CDM 5.4, and those of 5.3 beside.

use std::borrow::Cow;

use farr_records::{Column, Kind, Scope, Table};

use crate::clock::BareYear;
use crate::layout::{
    Absence, ColumnLayout, Reading, TableLayout, YEARS_OF_EVENTS, YEARS_OF_VALIDITY,
};

/// Table, column, and every name that it has had.
const NAMES: &[(Table, &str, &[&str])] = &[
    (
        Table::VisitOccurrence,
        "admitted_from_concept_id",
        &["admitted_from_concept_id", "admitting_source_concept_id"],
    ),
    (
        Table::VisitOccurrence,
        "admitted_from_source_value",
        &["admitted_from_source_value", "admitting_source_value"],
    ),
    (
        Table::VisitOccurrence,
        "discharged_to_concept_id",
        &["discharged_to_concept_id", "discharge_to_concept_id"],
    ),
    (
        Table::VisitOccurrence,
        "discharged_to_source_value",
        &["discharged_to_source_value", "discharge_to_source_value"],
    ),
    (
        Table::VisitDetail,
        "admitted_from_concept_id",
        &["admitted_from_concept_id", "admitting_source_concept_id"],
    ),
    (
        Table::VisitDetail,
        "admitted_from_source_value",
        &["admitted_from_source_value", "admitting_source_value"],
    ),
    (
        Table::VisitDetail,
        "discharged_to_concept_id",
        &["discharged_to_concept_id", "discharge_to_concept_id"],
    ),
    (
        Table::VisitDetail,
        "discharged_to_source_value",
        &["discharged_to_source_value", "discharge_to_source_value"],
    ),
    (
        Table::VisitDetail,
        "parent_visit_detail_id",
        &["parent_visit_detail_id", "visit_detail_parent_id"],
    ),
];

/// The layout of a table.
pub(super) fn layout(table: Table, absence: Absence) -> TableLayout {
    let columns = table.columns().iter().map(|column| ColumnLayout {
        name: column.name,
        names: names_of(table, *column),
        reading: reading(column.kind),
        absence: absence_of(table, *column),
    });
    let is_of_events = table.scope() == Scope::Person;
    TableLayout {
        name: table.name(),
        absence,
        columns: Cow::Owned(columns.collect()),
        spans: match table {
            Table::ObservationPeriod => {
                &[("observation_period_start_date", "observation_period_end_date")]
            }
            _ => &[],
        },
        years: if is_of_events { YEARS_OF_EVENTS } else { YEARS_OF_VALIDITY },
        is_read_whole: false,
    }
}

fn names_of(table: Table, column: Column) -> &'static [&'static str] {
    let known = NAMES.iter().find(|(t, name, _)| *t == table && *name == column.name);
    if let Some((_, _, names)) = known {
        return names;
    }
    let place = table.columns().iter().position(|other| other.name == column.name);
    place.map_or(&[], |place| std::slice::from_ref(&table.columns()[place].name))
}

fn reading(kind: Kind) -> Reading {
    match kind {
        Kind::Person | Kind::Id | Kind::Concept | Kind::Integer => Reading::Integer,
        Kind::Number => Reading::Number,
        Kind::Date | Kind::Datetime => Reading::When(BareYear::Refused),
        Kind::Text => Reading::Text,
    }
}

/// A table needs its person, day and main concept; a row, its person and day.
fn absence_of(table: Table, column: Column) -> Absence {
    let is_start = Some(column.name) == table.start_column();
    let main = table.columns().iter().find(|column| column.kind == Kind::Concept);
    let is_main = main.is_some_and(|main| main.name == column.name);
    match (table, column.kind) {
        // CDM 5.4 has no person in `cost`: it follows from the event.
        (Table::Cost, Kind::Person) => Absence::Means("the person follows from the event"),
        (Table::Cost, _) if ["cost_event_id", "cost_domain_id"].contains(&column.name) => {
            Absence::ErrorUnlessEmpty
        }
        (_, Kind::Person) => Absence::Error,
        (Table::LocationHistory | Table::Death, _) if !is_start => Absence::Silent,
        _ if is_start => Absence::Error,
        (Table::Person, Kind::Integer) if column.name == "year_of_birth" => {
            Absence::ErrorUnlessEmpty
        }
        (Table::Concept | Table::ConceptRelationship | Table::ConceptAncestor, Kind::Concept) => {
            Absence::Error
        }
        _ if is_main && table.scope() == Scope::Person && table != Table::Cost => {
            Absence::ErrorUnlessEmpty
        }
        _ => Absence::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_own_name_first() {
        for table in Table::ALL {
            for column in layout(table, Absence::Silent).columns.iter() {
                assert_eq!(column.names.first(), Some(&column.name), "{table}");
            }
        }
    }

    #[test]
    fn what_a_table_needs() {
        let needs = |table: Table| {
            let layout = layout(table, Absence::Silent);
            let needed =
                |c: &&ColumnLayout| matches!(c.absence, Absence::Error | Absence::ErrorUnlessEmpty);
            layout.columns.iter().filter(needed).map(|c| c.name).collect::<Vec<_>>()
        };
        assert_eq!(needs(Table::Person), ["person_id", "gender_concept_id", "year_of_birth"]);
        assert_eq!(needs(Table::Death), ["person_id", "death_date"]);
        assert_eq!(
            needs(Table::ConditionOccurrence),
            ["person_id", "condition_concept_id", "condition_start_date"]
        );
        assert_eq!(needs(Table::Cost), ["cost_event_id", "cost_domain_id"]);
    }
}
