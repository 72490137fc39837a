//! The keys of Circe's classes: what the parser knows, and what tests count.

use std::collections::BTreeMap;

use crate::domain::{Asks, Domain, Specification};

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident $class:literal [$($key:literal),* $(,)?])*) => {
        $($(#[$doc])* pub(super) const $name: &[&str] = &[$($key),*];)*
        const CLASSES: &[(&str, &[&str])] = &[$(($class, $name)),*];
    };
}

classes! {
    EXPRESSION "CohortExpression" [
        "cdmVersionRange", "Title", "PrimaryCriteria", "AdditionalCriteria", "ConceptSets",
        "QualifiedLimit", "ExpressionLimit", "InclusionRules", "EndStrategy",
        "CensoringCriteria", "CollapseSettings", "CensorWindow",
    ]
    PRIMARY_CRITERIA "PrimaryCriteria" [
        "CriteriaList", "ObservationWindow", "PrimaryCriteriaLimit",
    ]
    OBSERVATION_WINDOW "ObservationFilter" ["PriorDays", "PostDays"]
    LIMIT "ResultLimit" ["Type"]
    CONCEPT_SET "ConceptSet" [
        "id", "name", "expression", "description", "createdBy", "createdDate", "modifiedBy",
        "modifiedDate", "tags", "hasWriteAccess", "hasReadAccess",
    ]
    CONCEPT_SET_EXPRESSION "ConceptSetExpression" ["items"]
    CONCEPT_SET_ITEM "ConceptSetItem" [
        "concept", "isExcluded", "includeDescendants", "includeMapped",
    ]
    /// Only id, code and vocabulary matter.
    CONCEPT "Concept" [
        "CONCEPT_ID", "CONCEPT_NAME", "STANDARD_CONCEPT", "STANDARD_CONCEPT_CAPTION",
        "INVALID_REASON", "INVALID_REASON_CAPTION", "CONCEPT_CODE", "DOMAIN_ID",
        "VOCABULARY_ID", "CONCEPT_CLASS_ID", "VALID_START_DATE", "VALID_END_DATE",
    ]
    INCLUSION_RULE "InclusionRule" ["name", "description", "expression"]
    END_STRATEGY "EndStrategy" ["DateOffset", "CustomEra"]
    DATE_OFFSET "DateOffsetStrategy" ["DateField", "Offset"]
    CUSTOM_ERA "CustomEraStrategy" ["DrugCodesetId", "GapDays", "Offset", "DaysSupplyOverride"]
    PERIOD "Period" ["StartDate", "EndDate"]
    COLLAPSE_SETTINGS "CollapseSettings" ["CollapseType", "EraPad"]
    GROUP "CriteriaGroup" ["Type", "Count", "CriteriaList", "DemographicCriteriaList", "Groups"]
    CORRELATED "CorelatedCriteria" [
        "Criteria", "StartWindow", "EndWindow", "RestrictVisit", "IgnoreObservationPeriod",
        "Occurrence",
    ]
    WINDOW "Window" ["Start", "End", "UseIndexEnd", "UseEventEnd"]
    BOUND "Endpoint" ["Days", "Coeff"]
    OCCURRENCE "Occurrence" ["Type", "Count", "IsDistinct", "CountColumn"]
    DEMOGRAPHIC "DemographicCriteria" [
        "Age", "Gender", "GenderCS", "Race", "RaceCS", "Ethnicity", "EthnicityCS",
        "OccurrenceStartDate", "OccurrenceEndDate",
    ]
    SELECTION "ConceptSetSelection" ["CodesetId", "IsExclusion"]
    DATE_ADJUSTMENT "DateAdjustment" ["StartWith", "StartOffset", "EndWith", "EndOffset"]
    RANGE "Range" ["Op", "Value", "Extent"]
    TEXT_FILTER "TextFilter" ["Text", "Op"]
}

/// Every key of a domain's criterion.
pub(super) fn of_domain(specification: &Specification) -> Vec<String> {
    let mut keys = vec!["CorrelatedCriteria".to_owned(), "DateAdjustment".to_owned()];
    let mut own = |is_there: bool, key: &str| keys.extend(is_there.then(|| key.to_owned()));
    own(specification.has_codeset, "CodesetId");
    own(specification.has_first, "First");
    own(specification.has_user_defined_period, "UserDefinedPeriod");
    keys.extend(specification.source.map(|(key, _)| key.to_owned()));
    for attribute in specification.attributes {
        keys.push(attribute.key.to_owned());
        if let Asks::Concepts { exclude, .. } = attribute.asks {
            keys.push(format!("{}CS", attribute.key));
            if exclude {
                keys.push(format!("{}Exclude", attribute.key));
            }
        }
    }
    keys
}

/// Every class of the language, by circe-be's name, criteria by their domain's,
/// with the keys that its JSON may have. The classes of ranges are one, and
/// ATLAS's wrapper is none.
pub fn circe_keys() -> BTreeMap<&'static str, Vec<String>> {
    let classes = CLASSES
        .iter()
        .map(|(class, keys)| (*class, keys.iter().map(|key| (*key).to_owned()).collect()));
    let domains = Domain::ALL.iter().map(|domain| {
        let specification = domain.specification();
        (specification.name, of_domain(specification))
    });
    classes.chain(domains).collect()
}
