//! The codes that the population uses: facts of SNOMED CT, RxNorm, LOINC and
//! CVX (identifier and meaning), with names in our own words.

mod conditions;
mod drugs;
mod measures;
mod others;
mod procedures;

use std::collections::BTreeMap;

pub(crate) use conditions::*;
pub(crate) use drugs::*;
pub(crate) use measures::*;
pub(crate) use others::*;
pub(crate) use procedures::*;

use crate::illness::{ACUTE, INJURIES};
use crate::site::PAYERS;

/// A code of a public vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// OMOP's `vocabulary_id`.
    pub vocabulary: &'static str,
    /// The code; text, since leading zeros count.
    pub code: &'static str,
    /// What it means, in our words.
    pub name: &'static str,
    /// OMOP's `domain_id` of the table that it goes to.
    pub domain: &'static str,
    /// OMOP's `concept_class_id`.
    pub class: &'static str,
}

/// A condition by its SNOMED code.
pub(crate) const fn condition(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "SNOMED", code, name, domain: "Condition", class: "Clinical Finding" }
}

/// A drug by its RxNorm code.
pub(crate) const fn drug(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "RxNorm", code, name, domain: "Drug", class: "Clinical Drug" }
}

/// A vaccine by its CVX code.
pub(crate) const fn vaccine(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "CVX", code, name, domain: "Drug", class: "CVX" }
}

/// A procedure by its SNOMED code.
pub(crate) const fn procedure(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "SNOMED", code, name, domain: "Procedure", class: "Procedure" }
}

/// A kind of encounter by its SNOMED code.
pub(crate) const fn encounter(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "SNOMED", code, name, domain: "Visit", class: "Procedure" }
}

/// A device or supply by its SNOMED code.
pub(crate) const fn device(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "SNOMED", code, name, domain: "Device", class: "Physical Object" }
}

/// What a person is allergic to, by its SNOMED code.
pub(crate) const fn allergen(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "SNOMED", code, name, domain: "Observation", class: "Substance" }
}

/// A question of a survey by its LOINC code; answers are texts.
pub(crate) const fn question(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "LOINC", code, name, domain: "Observation", class: "Survey" }
}

/// A laboratory finding in words by its LOINC code.
pub(crate) const fn finding(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "LOINC", code, name, domain: "Measurement", class: "Lab Test" }
}

/// How an allergy shows, by its SNOMED code.
pub(crate) const fn reaction(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "SNOMED", code, name, domain: "Observation", class: "Clinical Finding" }
}

/// A modality of imaging by DICOM's code.
pub(crate) const fn modality(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "DICOM", code, name, domain: "Procedure", class: "Modality" }
}

/// A body site by its SNOMED code.
pub(crate) const fn body_site(code: &'static str, name: &'static str) -> Code {
    let (domain, class) = ("Spec Anatomic Site", "Body Structure");
    Code { vocabulary: "SNOMED", code, name, domain, class }
}

/// A payer by the identifier that the site gave it.
pub(crate) const fn payer(code: &'static str, name: &'static str) -> Code {
    Code { vocabulary: "Payer", code, name, domain: "Payer", class: "Payer" }
}

/// Statics of one kind, and the list of them all.
macro_rules! codes {
    ($all:ident, $make:expr; $($name:ident $code:literal $text:literal;)*) => {
        $(pub(crate) static $name: super::Code = $make($code, $text);)*
        /// Every code of this list.
        pub(crate) static $all: &[&super::Code] = &[$(&$name),*];
    };
}
pub(crate) use codes;

/// Every code of the population in order of (vocabulary, code), once.
pub(crate) fn catalog() -> Vec<&'static Code> {
    let lists = [
        CHRONIC_CONDITIONS,
        EVENT_CONDITIONS,
        SOCIAL_FINDINGS,
        DRUGS,
        VACCINES,
        PROCEDURES,
        CAREPLANS,
        ENCOUNTERS,
        DEVICES,
        SUPPLIES,
        QUESTIONS,
        LAB_FINDINGS,
        REACTIONS,
        MODALITIES,
        BODY_SITES,
    ];
    let acute = ACUTE.iter().chain(INJURIES).map(|illness| &illness.code);
    let all = lists
        .into_iter()
        .flatten()
        .copied()
        .chain(MEASURES.iter().map(|measure| &measure.code))
        .chain(PAYERS.iter().map(|payer| &payer.code))
        .chain(ALLERGENS.iter().map(|allergen| &allergen.code))
        .chain(acute);
    let mut by_key = BTreeMap::new();
    for code in all {
        by_key.entry((code.vocabulary, code.code)).or_insert(code);
    }
    by_key.into_values().collect()
}
