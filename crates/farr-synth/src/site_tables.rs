//! Tables without persons: places, care sites, providers, payers, concepts.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use farr_records::Table;

use crate::Error;
use crate::chart::uuid;
use crate::codes::catalog;
use crate::concepts::Concepts;
use crate::random::Dice;
use crate::rows::{Cell, batch, rows};
use crate::site::{
    ORGANIZATIONS, PAYERS, PROVIDERS_EACH, STATE, TOWNS, organization_count, provider_count,
};

rows! { LocationRows of LocationRow in Location {
    location_id: i64,
    address_1: String,
    city: &'static str,
    state: &'static str,
    zip: &'static str,
    county: Option<&'static str>,
    location_source_value: Option<&'static str>,
    latitude: Option<f64>,
    longitude: Option<f64>,
} }
rows! { CareSiteRows of CareSiteRow in CareSite {
    care_site_id: i64,
    care_site_name: String,
    place_of_service_concept_id: i64,
    location_id: i64,
    care_site_source_value: String,
} }
rows! { ProviderRows of ProviderRow in Provider {
    provider_id: i64,
    provider_name: String,
    specialty_concept_id: i64,
    care_site_id: i64,
    gender_concept_id: i64,
    provider_source_value: String,
    specialty_source_value: &'static str,
    gender_source_value: &'static str,
} }
rows! { MetadataRows of MetadataRow in Metadata {
    metadata_id: i64,
    metadata_concept_id: i64,
    metadata_type_concept_id: i64,
    name: &'static str,
    value_as_string: &'static str,
} }
rows! { SourceRows of SourceRow in CdmSource {
    cdm_source_name: &'static str,
    cdm_source_abbreviation: &'static str,
    cdm_holder: &'static str,
    source_description: &'static str,
    cdm_version: &'static str,
} }

/// Streams of the dice from here up are the site's, below the persons'.
const SITE_STREAM: u64 = 1 << 62;

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Irene", "Jonas", "Kira",
    "Leon", "Mara", "Nils", "Olga", "Paul",
];
const LAST_NAMES: [&str; 16] = [
    "Abbott", "Brooks", "Castro", "Dunn", "Ellis", "Frost", "Grant", "Hale", "Ingram", "Joyce",
    "Keller", "Lowe", "Moore", "Nash", "Owens", "Price",
];

/// All tables without persons.
pub(crate) fn site_tables(concepts: &Concepts) -> Result<BTreeMap<Table, RecordBatch>, Error> {
    Ok(BTreeMap::from([
        (Table::Location, locations()?),
        (Table::CareSite, care_sites()?),
        (Table::Provider, providers()?),
        (Table::Metadata, payers()?),
        (Table::CdmSource, source()?),
        (Table::Concept, concepts.table()?),
        (Table::Vocabulary, vocabularies()?),
    ]))
}

/// A town has two places: where its people live, and where care is given.
fn locations() -> Result<RecordBatch, Error> {
    let mut rows = LocationRows::default();
    for (place, town) in TOWNS.iter().enumerate() {
        rows.push(LocationRow {
            location_id: place as i64 + 1,
            address_1: format!("{} Main Street", 100 + place),
            city: town.name,
            state: STATE.0,
            zip: town.zip,
            county: Some(town.county),
            location_source_value: Some(town.fips),
            latitude: Some(town.latitude),
            longitude: Some(town.longitude),
        });
    }
    for (place, town) in TOWNS.iter().enumerate() {
        rows.push(LocationRow {
            location_id: (TOWNS.len() + place) as i64 + 1,
            address_1: format!("{} Hospital Road", 10 + place),
            city: town.name,
            state: STATE.1,
            zip: town.zip,
            county: None,
            location_source_value: None,
            latitude: Some(town.latitude),
            longitude: Some(town.longitude),
        });
    }
    rows.batch()
}

fn care_sites() -> Result<RecordBatch, Error> {
    let mut rows = CareSiteRows::default();
    for organization in 0..organization_count() {
        let (town, kind) = (organization / ORGANIZATIONS.len(), organization % ORGANIZATIONS.len());
        let mut dice = Dice::new(0, SITE_STREAM + organization as u64);
        rows.push(CareSiteRow {
            care_site_id: organization as i64 + 1,
            care_site_name: format!("{} {}", TOWNS[town].name, ORGANIZATIONS[kind].0),
            place_of_service_concept_id: 0,
            location_id: (TOWNS.len() + town) as i64 + 1,
            care_site_source_value: uuid(dice.bits(), dice.bits()),
        });
    }
    rows.batch()
}

fn providers() -> Result<RecordBatch, Error> {
    let mut rows = ProviderRows::default();
    for provider in 0..provider_count() {
        let organization = provider / PROVIDERS_EACH;
        let specialty = ORGANIZATIONS[organization % ORGANIZATIONS.len()].1;
        let mut dice = Dice::new(1, SITE_STREAM + provider as u64);
        let (first, last) = (*dice.pick(&FIRST_NAMES), *dice.pick(&LAST_NAMES));
        let woman = dice.chance(0.5);
        let general = specialty == "GENERAL PRACTICE";
        rows.push(ProviderRow {
            provider_id: provider as i64 + 1,
            provider_name: format!("{first} {last}"),
            specialty_concept_id: if general { 38_004_446 } else { 0 },
            care_site_id: organization as i64 + 1,
            gender_concept_id: if woman { 8_532 } else { 8_507 },
            provider_source_value: uuid(dice.bits(), dice.bits()),
            specialty_source_value: specialty,
            gender_source_value: if woman { "F" } else { "M" },
        });
    }
    rows.batch()
}

fn payers() -> Result<RecordBatch, Error> {
    let mut rows = MetadataRows::default();
    for (place, payer) in PAYERS.iter().enumerate() {
        rows.push(MetadataRow {
            metadata_id: place as i64 + 1,
            metadata_concept_id: 0,
            metadata_type_concept_id: 0,
            name: "payer",
            value_as_string: payer.code.name,
        });
    }
    rows.batch()
}

fn source() -> Result<RecordBatch, Error> {
    let mut rows = SourceRows::default();
    rows.push(SourceRow {
        cdm_source_name: "farr synthetic population",
        cdm_source_abbreviation: "farr-synth",
        cdm_holder: "farr",
        source_description: "Made-up persons; any likeness is chance.",
        cdm_version: "v5.4",
    });
    rows.batch()
}

fn vocabularies() -> Result<RecordBatch, Error> {
    let ids: BTreeSet<&'static str> = catalog().iter().map(|code| code.vocabulary).collect();
    let ids: Vec<&'static str> = ids.into_iter().collect();
    let none = vec![0_i64; ids.len()];
    let columns = [
        ("vocabulary_id", Cell::column(ids.clone())),
        ("vocabulary_name", Cell::column(ids)),
        ("vocabulary_concept_id", Cell::column(none)),
    ];
    batch(Table::Vocabulary, &columns)
}
