//! What a criterion leaves open.

use super::draft::{Draft, Parts};
use super::{Check, Findings};
use crate::domain::Domain;
use crate::explain::noun;

/// The attributes that say what type of record is meant, by domain.
fn type_of(domain: Domain) -> Option<&'static str> {
    Some(match domain {
        Domain::ConditionOccurrence => "ConditionType",
        Domain::Death => "DeathType",
        Domain::DeviceExposure => "DeviceType",
        Domain::DrugExposure => "DrugType",
        Domain::Measurement => "MeasurementType",
        Domain::Observation => "ObservationType",
        Domain::ProcedureOccurrence => "ProcedureType",
        Domain::Specimen => "SpecimenType",
        Domain::VisitDetail => "VisitDetailType",
        Domain::VisitOccurrence => "VisitType",
        _ => return None,
    })
}

/// Whether records of billing, registries and so on are told apart: one
/// finding a definition, since most definitions do not tell.
pub(super) fn check(draft: &Draft, parts: &Parts, findings: &mut Findings) {
    let mut open: Vec<(&str, &str)> = Vec::new();
    let mut path = None;
    for (_, criterion) in &parts.criteria {
        let Some(key) = type_of(criterion.domain) else { continue };
        let by_set = format!("{key}CS");
        if criterion.attributes.iter().any(|a| a.key == key || a.key == by_set) {
            continue;
        }
        path.get_or_insert(&criterion.path);
        let pair = (noun(criterion.domain), key);
        if !open.contains(&pair) {
            open.push(pair);
        }
    }
    if open.is_empty() {
        return;
    }
    let names: Vec<&str> = open.iter().map(|(noun, _)| *noun).collect();
    let keys: Vec<&str> = open.iter().map(|(_, key)| *key).collect();
    let message = format!(
        "records of every type count ({}), those of billing too; set {} where only some should",
        names.join(", "),
        keys.join(", ")
    );
    findings.add(Check::RecordType, path.unwrap_or(&draft.entry_path), message);
}
