//! Synthea's words for OMOP's concepts. Ids are those of the OMOP vocabulary.

/// Registered from a health record ("EHR").
pub(crate) const TYPE_EHR: i64 = 32_817;
/// Taken from a claim ("Claim").
pub(crate) const TYPE_CLAIM: i64 = 32_810;
/// US dollar.
pub(crate) const US_DOLLAR: i64 = 44_818_668;

fn concept_of(words: &[(&str, i64)], word: &str) -> i64 {
    words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map_or(0, |(_, id)| *id)
}

/// Male or female; 0 for anything else.
pub(crate) fn gender(word: &str) -> i64 {
    concept_of(&[("M", 8507), ("F", 8532), ("male", 8507), ("female", 8532)], word)
}

/// Race; 0 for `other`, and for `hispanic`, which the export of 2017 calls a
/// race.
pub(crate) fn race(word: &str) -> i64 {
    let words =
        [("white", 8527), ("black", 8516), ("asian", 8515), ("native", 8657), ("hawaiian", 8557)];
    concept_of(&words, word)
}

/// Ethnicity: Hispanic or not; 0 where neither is said. In 2017 `hispanic` is
/// a race, and the ethnicity is a place of descent.
pub(crate) fn ethnicity(word: &str, race: &str) -> i64 {
    if race.eq_ignore_ascii_case("hispanic") {
        return 38_003_563;
    }
    concept_of(&[("hispanic", 38_003_563), ("nonhispanic", 38_003_564)], word)
}

/// The kind of visit of an encounter class; 0 for one that is not known.
pub(crate) fn visit_of_class(class: &str) -> i64 {
    let words = [
        ("inpatient", 9201),
        ("emergency", 9203),
        ("ambulatory", 9202),
        ("outpatient", 9202),
        ("wellness", 9202),
        ("urgentcare", 8782),
        ("home", 581_476),
        ("hospice", 8546),
        ("snf", 42_898_160),
        ("virtual", 5083),
    ];
    concept_of(&words, class)
}

/// The kind of visit of an encounter's SNOMED code, for exports without
/// classes: what exports with classes call it as a rule; else an outpatient visit.
pub(crate) fn visit_of_code(code: &str) -> i64 {
    match code {
        // Admissions: in general, orthopaedic, for isolation; to a ward, to
        // intensive care, to surgery, thoracic surgery, transplantation, and
        // for detoxification.
        "183452005" | "34285007" | "32485007" | "183495009" | "1505002" | "305342007"
        | "305351004" | "397821002" | "305408004" | "305411003" | "305432006" | "56876005" => 9201,
        // Emergencies: in general, obstetric, for asthma, myocardial
        // infarction, cardiac arrest.
        "50849002" | "4525004" | "182813001" | "183460006" | "183478001" | "22298006"
        | "410429000" => 9203,
        "702927004" => 8782,
        "305336008" => 8546,
        "449411000124106" => 42_898_160,
        "210098006" => 581_476,
        _ => 9202,
    }
}

/// A provider's specialty, where OMOP has one of the same words.
pub(crate) fn specialty(word: &str) -> i64 {
    concept_of(&[("GENERAL PRACTICE", 38_004_446)], word)
}

/// OMOP's `vocabulary_id` of a SYSTEM; a system that is not known is its own.
pub(crate) fn vocabulary(system: &str) -> &str {
    let words = [
        ("SNOMED-CT", "SNOMED"),
        ("SNOMED", "SNOMED"),
        ("http://snomed.info/sct", "SNOMED"),
        ("RxNorm", "RxNorm"),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "RxNorm"),
        ("LOINC", "LOINC"),
        ("http://loinc.org", "LOINC"),
        ("CVX", "CVX"),
        ("http://hl7.org/fhir/sid/cvx", "CVX"),
        ("ICD10-CM", "ICD10CM"),
        ("ICD-10-CM", "ICD10CM"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "ICD10CM"),
        ("DICOM-DCM", "DICOM"),
        ("CDT", "CDT"),
        ("http://www.ada.org/cdt", "CDT"),
    ];
    let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(system));
    known.map_or(system, |(_, vocabulary)| vocabulary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_years() {
        assert_eq!((gender("M"), gender("female"), gender("x")), (8507, 8532, 0));
        assert_eq!(ethnicity("puerto_rican", "hispanic"), 38_003_563);
        assert_eq!(ethnicity("irish", "white"), 0);
        assert_eq!(visit_of_class("Wellness"), 9202);
        assert_eq!(visit_of_code("50849002"), 9203);
        assert_eq!(visit_of_code("185349003"), 9202);
        assert_eq!((visit_of_code("183495009"), visit_of_code("185389009")), (9201, 9202));
        assert_eq!(vocabulary("http://snomed.info/sct"), "SNOMED");
        assert_eq!(vocabulary("local"), "local");
    }
}
