//! Organizations, providers and payers.

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;
use farr_records::Table;

use super::super::columns::{Columns, number, text};
use super::{File, SyntheaCsv, Totals};
use crate::Error;

/// An address.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) address: String,
    pub(super) city: String,
    pub(super) state: String,
    pub(super) county: String,
    pub(super) fips: String,
    pub(super) zip: String,
    pub(super) latitude: String,
    pub(super) longitude: String,
}

/// An organization: where care is given.
#[derive(Debug)]
pub(super) struct Organization {
    pub(super) id: String,
    name: String,
    place: i64,
}

/// Who gives care.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) organization: i64,
    name: String,
    gender: String,
    specialty: String,
}

pub(super) fn places(site: &BTreeMap<Table, RecordBatch>) -> Result<HashMap<i64, Place>, Error> {
    let table = Columns::of(site, Table::Location)?;
    let ids = table.integers("location_id")?;
    let of = |name: &str| table.texts(name);
    let (address, city, state) = (of("address_1")?, of("city")?, of("state")?);
    let (county, zip, fips) = (of("county")?, of("zip")?, of("location_source_value")?);
    let (latitude, longitude) = (table.numbers("latitude")?, table.numbers("longitude")?);
    let place = |row: usize| Place {
        address: text(address, row).to_owned(),
        city: text(city, row).to_owned(),
        state: text(state, row).to_owned(),
        county: text(county, row).to_owned(),
        fips: text(fips, row).to_owned(),
        zip: text(zip, row).to_owned(),
        latitude: number(latitude, row),
        longitude: number(longitude, row),
    };
    Ok((0..table.len()).map(|row| (ids.value(row), place(row))).collect())
}

pub(super) fn organizations(
    site: &BTreeMap<Table, RecordBatch>,
) -> Result<BTreeMap<i64, Organization>, Error> {
    let table = Columns::of(site, Table::CareSite)?;
    let (ids, places) = (table.integers("care_site_id")?, table.integers("location_id")?);
    let (names, keys) = (table.texts("care_site_name")?, table.texts("care_site_source_value")?);
    let organization = |row: usize| Organization {
        id: text(keys, row).to_owned(),
        name: text(names, row).to_owned(),
        place: places.value(row),
    };
    Ok((0..table.len()).map(|row| (ids.value(row), organization(row))).collect())
}

pub(super) fn providers(
    site: &BTreeMap<Table, RecordBatch>,
) -> Result<BTreeMap<i64, Provider>, Error> {
    let table = Columns::of(site, Table::Provider)?;
    let (ids, sites) = (table.integers("provider_id")?, table.integers("care_site_id")?);
    let (names, keys) = (table.texts("provider_name")?, table.texts("provider_source_value")?);
    let (genders, specialties) =
        (table.texts("gender_source_value")?, table.texts("specialty_source_value")?);
    let provider = |row: usize| Provider {
        id: text(keys, row).to_owned(),
        organization: sites.value(row),
        name: text(names, row).to_owned(),
        gender: text(genders, row).to_owned(),
        specialty: text(specialties, row).to_owned(),
    };
    Ok((0..table.len()).map(|row| (ids.value(row), provider(row))).collect())
}

/// The files of the site, with the totals of all persons.
pub(super) fn files(csv: &SyntheaCsv, totals: &Totals) -> [File; 3] {
    [organization_file(csv, totals), provider_file(csv, totals), payer_file(csv, totals)]
}

fn organization_file(csv: &SyntheaCsv, totals: &Totals) -> File {
    let mut visits: HashMap<i64, u64> = HashMap::new();
    for (provider, (encounters, _)) in &totals.providers {
        if let Some(provider) = csv.providers.get(provider) {
            *visits.entry(provider.organization).or_default() += encounters;
        }
    }
    let mut file = File::new("organizations");
    for (key, organization) in &csv.organizations {
        let place = csv.places.get(&organization.place).cloned().unwrap_or_default();
        let phone = format!("617555{:04}", key % 10_000);
        let utilization = visits.get(key).copied().unwrap_or_default().to_string();
        file.row(&[
            &organization.id,
            &organization.name,
            &place.address,
            &place.city,
            &place.state,
            &place.zip,
            &place.latitude,
            &place.longitude,
            &phone,
            "0.0",
            &utilization,
        ]);
    }
    file
}

fn provider_file(csv: &SyntheaCsv, totals: &Totals) -> File {
    let mut file = File::new("providers");
    for (key, provider) in &csv.providers {
        let organization = csv.organizations.get(&provider.organization);
        let place = organization.and_then(|organization| csv.places.get(&organization.place));
        let place = place.cloned().unwrap_or_default();
        let (encounters, procedures) = totals.providers.get(key).copied().unwrap_or_default();
        file.row(&[
            &provider.id,
            organization.map_or("", |organization| &organization.id),
            &provider.name,
            &provider.gender,
            &provider.specialty,
            &place.address,
            &place.city,
            &place.state,
            &place.zip,
            &place.latitude,
            &place.longitude,
            &encounters.to_string(),
            &procedures.to_string(),
        ]);
    }
    file
}

fn payer_file(csv: &SyntheaCsv, totals: &Totals) -> File {
    let mut file = File::new("payers");
    for (name, id) in &csv.payers {
        let sums = totals.payers.get(name).cloned().unwrap_or_default();
        let public = ["Medicare", "Medicaid", "Dual Eligible"].contains(&name.as_str());
        let ownership = match name.as_str() {
            "NO_INSURANCE" => "NO_INSURANCE",
            _ if public => "GOVERNMENT",
            _ => "PRIVATE",
        };
        let dollars = |cents: i64| format!("{:.2}", cents as f64 / 100.0);
        let mut fields: Vec<String> = vec![id.clone(), name.clone(), ownership.to_owned()];
        fields.extend(vec![String::new(); 5]);
        fields.push(dollars(sums.covered_cents));
        fields.push(dollars(sums.uncovered_cents));
        fields.push("0.00".to_owned());
        for kind in 0..4 {
            fields.push(sums.covered[kind].to_string());
            fields.push(sums.uncovered[kind].to_string());
        }
        fields.push(sums.customers.to_string());
        fields.push(String::new());
        fields.push(sums.member_months.to_string());
        file.row(&fields.iter().map(String::as_str).collect::<Vec<_>>());
    }
    file
}
