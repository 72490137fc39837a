//! Whether spec cases and the random generator reach the whole language: every
//! key of every class that the parser knows ([`circe_keys`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::cases;
use crate::common::random::{Dice, definition};
use farr_cohort::{Domain, circe_keys};
use serde_json::Value;

/// A class and one of its keys.
type Key = (&'static str, String);

/// Keys that only describe, and are read and not kept or only shown.
const DESCRIPTIVE: &[(&str, &[&str])] = &[
    ("CohortExpression", &["Title", "cdmVersionRange"]),
    (
        "Concept",
        &[
            "CONCEPT_CLASS_ID",
            "CONCEPT_NAME",
            "DOMAIN_ID",
            "INVALID_REASON",
            "INVALID_REASON_CAPTION",
            "STANDARD_CONCEPT",
            "STANDARD_CONCEPT_CAPTION",
            "VALID_END_DATE",
            "VALID_START_DATE",
        ],
    ),
    (
        "ConceptSet",
        &[
            "createdBy",
            "createdDate",
            "description",
            "hasReadAccess",
            "hasWriteAccess",
            "modifiedBy",
            "modifiedDate",
            "name",
            "tags",
        ],
    ),
    ("InclusionRule", &["description", "name"]),
];

/// Keys without effect, as in the reference: cases show that they have none.
const WITHOUT_EFFECT: &[(&str, &[&str])] = &[
    // There is but one way to collapse.
    ("CollapseSettings", &["CollapseType"]),
    ("LocationRegion", &["DateAdjustment", "EndDate", "StartDate"]),
    ("Specimen", &["DateAdjustment", "SpecimenSourceConcept"]),
];

fn is_in(list: &[(&str, &[&str])], key: &Key) -> bool {
    list.iter().any(|(class, keys)| *class == key.0 && keys.contains(&key.1.as_str()))
}

/// Every key of the language that can matter or be shown not to.
fn language() -> BTreeSet<Key> {
    let classes = circe_keys();
    let keys =
        classes.into_iter().flat_map(|(class, keys)| keys.into_iter().map(move |k| (class, k)));
    keys.filter(|key| !is_in(DESCRIPTIVE, key)).collect()
}

/// The class of what stands under a key, or of each element of a list there.
fn class_under(class: &str, key: &str, value: &Value) -> Option<&'static str> {
    let is_domain = Domain::from_name(class).is_some();
    Some(match (class, key) {
        ("CohortExpression", "PrimaryCriteria") => "PrimaryCriteria",
        ("CohortExpression", "AdditionalCriteria")
        | ("InclusionRule", "expression")
        | ("CriteriaGroup", "Groups")
        | (_, "CorrelatedCriteria") => "CriteriaGroup",
        ("CohortExpression", "ConceptSets") => "ConceptSet",
        ("CohortExpression", "QualifiedLimit" | "ExpressionLimit")
        | ("PrimaryCriteria", "PrimaryCriteriaLimit") => "ResultLimit",
        ("CohortExpression", "InclusionRules") => "InclusionRule",
        ("CohortExpression", "EndStrategy") => "EndStrategy",
        ("CohortExpression", "CollapseSettings") => "CollapseSettings",
        ("CohortExpression", "CensorWindow") | (_, "UserDefinedPeriod") => "Period",
        ("PrimaryCriteria", "ObservationWindow") => "ObservationFilter",
        ("ConceptSet", "expression") => "ConceptSetExpression",
        ("ConceptSetExpression", "items") => "ConceptSetItem",
        ("ConceptSetItem", "concept") => "Concept",
        ("EndStrategy", "DateOffset") => "DateOffsetStrategy",
        ("EndStrategy", "CustomEra") => "CustomEraStrategy",
        ("CriteriaGroup", "CriteriaList") => "CorelatedCriteria",
        ("CriteriaGroup", "DemographicCriteriaList") => "DemographicCriteria",
        ("CorelatedCriteria", "StartWindow" | "EndWindow") => "Window",
        ("CorelatedCriteria", "Occurrence") => "Occurrence",
        ("Window", "Start" | "End") => "Endpoint",
        (_, "DateAdjustment") => "DateAdjustment",
        _ if !is_domain && class != "DemographicCriteria" => return None,
        _ if value.get("Text").is_some() => "TextFilter",
        _ if value.get("Op").is_some() => "Range",
        _ if value.get("CodesetId").is_some() => "ConceptSetSelection",
        _ if value.is_array() => "Concept",
        _ => return None,
    })
}

/// Calls `see` with class, key and JSON pointer of every key below a value.
fn walk(class: &'static str, value: &Value, at: &str, see: &mut dyn FnMut(Key, String)) {
    let Some(map) = value.as_object() else { return };
    for (key, inner) in map {
        let at = format!("{at}/{key}");
        see((class, key.clone()), at.clone());
        let is_criterion = matches!(
            (class, key.as_str()),
            ("PrimaryCriteria", "CriteriaList")
                | ("CohortExpression", "CensoringCriteria")
                | ("CorelatedCriteria", "Criteria")
        );
        let mut one = |value: &Value, at: &str| {
            if is_criterion {
                for (name, criterion) in value.as_object().into_iter().flatten() {
                    let domain = Domain::from_name(name).expect("a domain").name();
                    walk(domain, criterion, &format!("{at}/{name}"), see);
                }
            } else if let Some(class) = class_under(class, key, inner) {
                walk(class, value, at, see);
            }
        };
        match inner {
            Value::Array(values) => {
                for (place, value) in values.iter().enumerate() {
                    one(value, &format!("{at}/{place}"));
                }
            }
            value => one(value, &at),
        }
    }
}

fn without(definition: &Value, at: &str) -> Value {
    let mut definition = definition.clone();
    let (parent, key) = at.rsplit_once('/').expect("a key");
    let parent = definition.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(key).expect("the key");
    definition
}

/// Without the key a case gives other rows, or is no definition.
#[test]
fn every_key_has_a_case_that_needs_it() {
    let language = language();
    let mut needed: BTreeMap<Key, bool> = BTreeMap::new();
    for case in cases::all() {
        let given = case.evaluate(&case.definition);
        walk("CohortExpression", &case.definition, "", &mut |key, at| {
            assert!(language.contains(&key) || is_in(DESCRIPTIVE, &key), "{}: {key:?}", case.name);
            let is_needed = needed.entry(key).or_default();
            *is_needed = *is_needed || case.evaluate(&without(&case.definition, &at)) != given;
        });
    }
    let without_case: Vec<&Key> = language
        .iter()
        .filter(|key| match needed.get(key) {
            Some(is_needed) => !is_needed && !is_in(WITHOUT_EFFECT, key),
            None => true,
        })
        .collect();
    assert!(without_case.is_empty(), "no spec case needs {without_case:?}");
    let changing: Vec<&Key> =
        language.iter().filter(|key| is_in(WITHOUT_EFFECT, key) && needed[key]).collect();
    assert!(changing.is_empty(), "these have an effect: {changing:?}");
}

#[test]
fn the_random_generator_makes_every_key() {
    let mut made = BTreeSet::new();
    for seed in 0..6_000 {
        let definition = definition(&mut Dice(seed));
        walk("CohortExpression", &definition, "", &mut |key, _| {
            made.insert(key);
        });
    }
    let never: Vec<_> = language().into_iter().filter(|key| !made.contains(key)).collect();
    assert!(never.is_empty(), "never made: {never:?}");
}
