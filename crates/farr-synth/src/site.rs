//! The site: towns, organizations, providers, payers.

use crate::codes::{self, Code};

/// A town with its hospital.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) name: &'static str,
    pub(crate) county: &'static str,
    /// FIPS code of the county.
    pub(crate) fips: &'static str,
    pub(crate) zip: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) weight: f64,
}

/// The state that all towns lie in, long and short.
pub(crate) const STATE: (&str, &str) = ("Massachusetts", "MA");

const fn town(
    name: &'static str,
    county: &'static str,
    fips: &'static str,
    zip: &'static str,
    latitude: f64,
    longitude: f64,
    weight: f64,
) -> Town {
    Town { name, county, fips, zip, latitude, longitude, weight }
}

/// Towns, with weights by their size.
pub(crate) static TOWNS: &[Town] = &[
    town("Boston", "Suffolk County", "25025", "02118", 42.36, -71.06, 65.0),
    town("Worcester", "Worcester County", "25027", "01608", 42.26, -71.80, 20.0),
    town("Springfield", "Hampden County", "25013", "01103", 42.10, -72.59, 15.0),
    town("Cambridge", "Middlesex County", "25017", "02139", 42.37, -71.11, 12.0),
    town("Lowell", "Middlesex County", "25017", "01852", 42.64, -71.32, 11.0),
    town("Brockton", "Plymouth County", "25023", "02301", 42.08, -71.02, 10.0),
    town("Quincy", "Norfolk County", "25021", "02169", 42.25, -71.00, 10.0),
    town("Lynn", "Essex County", "25009", "01902", 42.47, -70.95, 10.0),
    town("New Bedford", "Bristol County", "25005", "02740", 41.64, -70.93, 10.0),
    town("Fall River", "Bristol County", "25005", "02720", 41.70, -71.16, 9.0),
    town("Framingham", "Middlesex County", "25017", "01701", 42.28, -71.42, 7.0),
    town("Haverhill", "Essex County", "25009", "01832", 42.78, -71.08, 6.0),
    town("Plymouth", "Plymouth County", "25023", "02360", 41.96, -70.67, 6.0),
    town("Taunton", "Bristol County", "25005", "02780", 41.90, -71.09, 6.0),
    town("Pittsfield", "Berkshire County", "25003", "01201", 42.45, -73.25, 4.0),
    town("Barnstable", "Barnstable County", "25001", "02601", 41.70, -70.30, 4.0),
    town("Northampton", "Hampshire County", "25015", "01060", 42.33, -72.64, 3.0),
    town("Greenfield", "Franklin County", "25011", "01301", 42.59, -72.60, 2.0),
];

/// Kinds of organizations in every town, with the specialities they hold.
pub(crate) static ORGANIZATIONS: &[(&str, &str)] = &[
    ("Primary Care", "GENERAL PRACTICE"),
    ("Hospital", "INTERNAL MEDICINE"),
    ("Urgent Care", "EMERGENCY MEDICINE"),
    ("Specialty Clinic", "CARDIOLOGY"),
];

/// Providers of each organization.
pub(crate) const PROVIDERS_EACH: usize = 3;

/// A payer and the share of costs that it covers.
#[derive(Debug)]
pub(crate) struct Payer {
    pub(crate) code: Code,
    pub(crate) share: f64,
}

const fn payer(id: &'static str, name: &'static str, share: f64) -> Payer {
    Payer { code: codes::payer(id, name), share }
}

/// Payers: Medicare, Medicaid, both, none, then private ones.
pub(crate) static PAYERS: &[Payer] = &[
    payer("8b0e7153-bf7c-4706-885c-524e44006655", "Medicare", 0.8),
    payer("9a6656c9-0bd5-482a-80a2-9b9fa5ff5180", "Medicaid", 0.95),
    payer("bc0dbc0e-1563-4ebb-8e3b-91d26ab4a829", "Dual Eligible", 1.0),
    payer("a95249f5-12c1-4b8e-8411-fa644d35db41", "NO_INSURANCE", 0.0),
    payer("d94e5efa-f89f-443c-8fa5-2f8b2b19b8f8", "Commonwealth Mutual", 0.75),
    payer("9a50f8a8-e9bb-4bdb-8eba-456bf92d5d98", "Bay State Health Plan", 0.8),
    payer("065e5751-f751-43a5-861d-ebc267b0bc8d", "Minuteman Insurance", 0.7),
    payer("3b1939a9-b4dd-4e45-8f64-2b0c3a4acdd7", "Harbor Care", 0.85),
    payer("f9fcc589-f8d0-49f9-8f03-e7914c0f87f1", "Berkshire Assurance", 0.72),
    payer("7f8499ff-3049-4a90-8bb4-108e360ddfcf", "Pilgrim Group", 0.78),
];
/// Place of Medicare in the list.
pub(crate) const MEDICARE: usize = 0;
/// Place of Medicaid.
pub(crate) const MEDICAID: usize = 1;
/// Place of those with both.
pub(crate) const DUAL: usize = 2;
/// Place of those without insurance.
pub(crate) const UNINSURED: usize = 3;
/// First private payer.
pub(crate) const FIRST_PRIVATE: usize = 4;

/// How many organizations there are.
pub(crate) fn organization_count() -> usize {
    TOWNS.len() * ORGANIZATIONS.len()
}

/// How many providers there are.
pub(crate) fn provider_count() -> usize {
    organization_count() * PROVIDERS_EACH
}

/// The organization of a provider.
pub(crate) fn organization_of(provider: usize) -> usize {
    provider / PROVIDERS_EACH
}
