//! A seeded synthetic population, as records.
//!
//! The one central decision: a person is a function of (seed, number). Each
//! has a random stream of their own, so that anybody can be made alone, chunks
//! are independent of each other, and a population of ten millions needs no
//! more memory than a chunk. The road not taken: a simulation that moves all
//! persons through time together, in which persons could meet, but which must
//! be held whole.
//!
//! A life is framed first (birth, entry, lasting diseases, death: `life`), then
//! filled with care year by year (`care` and the modules of single diseases),
//! as a [`Patient`] in the terms of Synthea's CSV of 2024. [`Population::chunk`]
//! gives patients as rows of OMOP tables, column for column what an ingest of
//! their Synthea CSV gives, save for hashed ids:
//!
//! | Synthea | where it stands in the records |
//! |---|---|
//! | patients | `person` (`person_source_value` is the id, `location_id` the address, FIPS in its `location_source_value`), `death` |
//! | encounters | `visit_occurrence`: class in `visit_source_value`, code by `visit_source_concept_id`; its costs in `cost` of domain `Visit`, payer by their `payer_plan_period_id` |
//! | conditions | `condition_occurrence` |
//! | medications | `drug_exposure` of `RxNorm` concepts, DISPENSES is `refills` + 1; costs of domain `Drug` |
//! | immunizations | `drug_exposure` of CVX concepts; costs of domain `Drug` |
//! | procedures | `procedure_occurrence` without modifier; costs of domain `Procedure` |
//! | imaging_studies | `procedure_occurrence` with "modality, body site" as modifier; concepts have these names |
//! | careplans | `procedure_occurrence` with "care plan" as modifier |
//! | observations | `measurement` (numbers, laboratory findings) and `observation` of LOINC concepts; the category follows from the concept's class |
//! | allergies | `observation` with "allergy, category" as qualifier and "reaction (severity)" as value |
//! | devices, supplies | `device_exposure`, with or without `unique_device_id` |
//! | payer_transitions | `payer_plan_period`: OWNERSHIP is the sponsor, MEMBERID the family |
//! | claims | `visit_detail` |
//! | claims_transactions | `cost` of domain `Visit Detail`: kind and method in `revenue_code_source_value`, code in `drg_source_value` |
//! | organizations, providers, payers | `care_site`, `provider`, concepts of vocabulary `Payer` |
//!
//! What Synthea has beside (names, addresses within a town, encounter ids) says
//! nothing of health, and a writer derives it from ids. Ids are running numbers:
//! a person's is their number + 1, their rows' in a table lie from that times
//! 1,000,000 up.
//!
//! It knows no format and writes nothing: see `farr-source`'s `export`.

// Clippy lets test builds import by wildcard.
#![cfg_attr(
    not(test),
    expect(
        clippy::wildcard_imports,
        reason = "modules of care name dozens of the hundreds of codes, which are one vocabulary"
    )
)]

mod billing;
mod cardiac;
mod care;
mod chart;
mod codes;
mod concepts;
mod coverage;
mod diabetes;
mod disease;
mod error;
mod illness;
mod kidney;
mod life;
mod model;
mod population;
mod pregnancy;
mod random;
mod records;
mod rows;
mod site;
mod site_tables;
mod social;
mod tumor;
mod values;
mod wellness;

pub use codes::Code;
pub use error::Error;
pub use model::{
    Allergy, Careplan, Condition, Coverage, Device, Encounter, EncounterClass, Immunization,
    Instant, Medication, Observation, Patient, Procedure, Sex, Supply, Value,
};
pub use population::{PERSONS_MAX, Population};
