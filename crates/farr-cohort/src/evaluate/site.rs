//! Facts of the site that criteria ask for: providers, care sites, locations.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use farr_records::Table;

/// Lookups of the site's tables, shared by all shards.
#[derive(Debug, Clone, Default)]
pub struct Site {
    tables: Vec<Table>,
    /// Provider and specialty.
    specialties: Pairs,
    /// Care site and place of service.
    places: Pairs,
    /// Care site and location.
    care_site_locations: Pairs,
    /// Location and region.
    regions: Pairs,
}

/// Ids and what they stand for, sorted by id; the first of an id counts.
type Pairs = Vec<(i64, Option<i64>)>;

impl Site {
    /// Of the site's tables with the columns that the plan needs; others are
    /// passed over.
    pub fn new(tables: &BTreeMap<Table, RecordBatch>) -> Self {
        let pairs = |table, id, value| pairs(tables.get(&table), id, value);
        Self {
            tables: tables.keys().copied().collect(),
            specialties: pairs(Table::Provider, "provider_id", "specialty_concept_id"),
            places: pairs(Table::CareSite, "care_site_id", "place_of_service_concept_id"),
            care_site_locations: pairs(Table::CareSite, "care_site_id", "location_id"),
            regions: pairs(Table::Location, "location_id", "region_concept_id"),
        }
    }

    pub(crate) fn has(&self, table: Table) -> bool {
        self.tables.contains(&table)
    }

    /// The specialty of a provider; `None` if there is no such provider.
    pub(crate) fn specialty(&self, provider: i64) -> Option<Option<i64>> {
        find(&self.specialties, provider)
    }

    pub(crate) fn place_of_service(&self, care_site: i64) -> Option<Option<i64>> {
        find(&self.places, care_site)
    }

    pub(crate) fn region_of_care_site(&self, care_site: i64) -> Option<Option<i64>> {
        self.region(find(&self.care_site_locations, care_site)??)
    }

    pub(crate) fn region(&self, location: i64) -> Option<Option<i64>> {
        find(&self.regions, location)
    }
}

fn find(pairs: &Pairs, id: i64) -> Option<Option<i64>> {
    let place = pairs.partition_point(|pair| pair.0 < id);
    pairs.get(place).filter(|pair| pair.0 == id).map(|pair| pair.1)
}

fn pairs(batch: Option<&RecordBatch>, id: &str, value: &str) -> Pairs {
    let column = |name: &str| {
        batch.and_then(|b| b.column_by_name(name)).and_then(|c| c.as_primitive_opt::<Int64Type>())
    };
    let Some(ids) = column(id) else { return Vec::new() };
    let values = column(value);
    let value = |row: usize| values.filter(|v| v.is_valid(row)).map(|v| v.value(row));
    let mut pairs: Pairs = (0..ids.len())
        .filter(|row| ids.is_valid(*row))
        .map(|row| (ids.value(row), value(row)))
        .collect();
    pairs.sort_by_key(|pair| pair.0);
    pairs.dedup_by_key(|pair| pair.0);
    pairs
}
