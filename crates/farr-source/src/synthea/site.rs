//! Places and people of care, and payers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use farr_records::{IdHasher, Table};

use super::concepts::{gender, specialty};
use super::{Synthea, or_blank};
use crate::Error;
use crate::outgoing::{Outgoing, constant, constant_text, ids_of};
use crate::rows::Rows;

/// Where each row's address is, and the addresses.
pub(super) struct Addresses {
    pub(super) ids: ArrayRef,
    pub(super) outgoing: Outgoing,
}

/// Locations of the address columns; equal addresses are one location.
pub(super) fn addresses(synthea: &Synthea, rows: &Rows) -> Result<Addresses, Error> {
    const PARTS: [(&str, &str); 5] = [
        ("address", "address_1"),
        ("city", "city"),
        ("state", "state"),
        ("county", "county"),
        ("zip", "zip"),
    ];
    let parts = PARTS.map(|(name, column)| (column, rows.text(name)));
    let (lat, lon) = (rows.numbers("lat"), rows.numbers("lon"));
    let id = |row: usize| {
        let mut key: Vec<&str> = parts.iter().map(|(_, part)| or_blank(part, row)).collect();
        let point = [&lat, &lon]
            .map(|x| if x.is_valid(row) { x.value(row).to_string() } else { String::new() });
        key.extend(point.iter().map(String::as_str));
        key.iter().any(|part| !part.is_empty()).then(|| synthea.locations.id(&key))
    };
    let ids: Int64Array = (0..rows.len()).map(id).collect();
    let chosen: Vec<u32> =
        (0..rows.len()).filter(|row| ids.is_valid(*row)).map(|row| row as u32).collect();
    let ids: ArrayRef = Arc::new(ids);
    let mut columns: Vec<(&str, ArrayRef)> = vec![("location_id", ids.clone())];
    columns.extend(parts.into_iter().map(|(column, part)| (column, Arc::new(part) as ArrayRef)));
    columns.push(("latitude", Arc::new(lat)));
    columns.push(("longitude", Arc::new(lon)));
    let outgoing = Outgoing::of_rows(Table::Location, rows, &chosen, columns)?;
    Ok(Addresses { ids, outgoing })
}

pub(super) fn organizations(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let Addresses { ids: location_ids, outgoing: locations } = addresses(synthea, rows)?;
    let sites = Outgoing::new(
        Table::CareSite,
        rows.lines.clone(),
        true,
        vec![
            ("care_site_id", ids_of(&synthea.care_sites, &rows.text("id"))),
            ("care_site_name", Arc::new(rows.text("name"))),
            ("place_of_service_concept_id", constant(0, rows.len())),
            ("location_id", location_ids),
            ("care_site_source_value", Arc::new(rows.text("id"))),
        ],
    )?;
    Ok(vec![sites, locations])
}

pub(super) fn providers(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let (genders, specialties) = (rows.text("gender"), rows.text("specialty"));
    let concepts = |texts: &StringArray, of: fn(&str) -> i64| -> ArrayRef {
        let value = |row| Some(of(or_blank(texts, row)));
        Arc::new((0..rows.len()).map(value).collect::<Int64Array>())
    };
    let providers = Outgoing::new(
        Table::Provider,
        rows.lines.clone(),
        true,
        vec![
            ("provider_id", ids_of(&synthea.providers, &rows.text("id"))),
            ("provider_name", Arc::new(rows.text("name"))),
            ("specialty_concept_id", concepts(&specialties, specialty)),
            ("care_site_id", ids_of(&synthea.care_sites, &rows.text("organization"))),
            ("gender_concept_id", concepts(&genders, gender)),
            ("provider_source_value", Arc::new(rows.text("id"))),
            ("specialty_source_value", Arc::new(specialties.clone())),
            ("gender_source_value", Arc::new(genders.clone())),
        ],
    )?;
    Ok(vec![providers])
}

/// OMOP has no table of payers: their names stand in the plans of persons, and
/// here in `metadata`.
pub(super) fn payers(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let ids = rows.text("id");
    let hasher = IdHasher::new(synthea.system, "payer");
    let metadata = Outgoing::new(
        Table::Metadata,
        rows.lines.clone(),
        true,
        vec![
            ("metadata_id", ids_of(&hasher, &ids)),
            ("metadata_concept_id", constant(0, rows.len())),
            ("metadata_type_concept_id", constant(0, rows.len())),
            ("name", constant_text("payer", rows.len())),
            ("value_as_string", Arc::new(rows.text("name"))),
        ],
    )?;
    Ok(vec![metadata])
}
