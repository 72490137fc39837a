//! Patients and their insurance.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use farr_records::{Day, IdHasher, Table};

use super::concepts::{TYPE_EHR, ethnicity, gender, race};
use super::site::{Addresses, addresses};
use super::{Synthea, or_blank};
use crate::Error;
use crate::outgoing::{Outgoing, constant, ids_of, ids_of_rows};
use crate::rows::Rows;

/// Patients become persons, and a location and a death where they have any.
pub(super) fn patients(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let keys = rows.text("id");
    let ids = ids_of(&synthea.persons, &keys);
    let count = rows.len();
    let (genders, races) = (rows.text("gender"), rows.text("race"));
    let ethnicities = rows.text("ethnicity");
    let (births, times) = (rows.days("birthdate"), rows.times("birthdate"));
    let birth = |part: fn(Day) -> i32| -> ArrayRef {
        let value = |day: Option<i32>| day.map(|day| i64::from(part(Day(day))));
        Arc::new(births.iter().map(value).collect::<Int64Array>())
    };
    let midnight = |row: usize| {
        let day = i64::from(births.value(row)) * 86_400_000_000;
        Some(if times.is_valid(row) { times.value(row) } else { day })
    };
    let birth_times: TimestampMicrosecondArray = (0..count).map(midnight).collect();
    let concept = |of: &dyn Fn(usize) -> i64| -> ArrayRef {
        Arc::new((0..count).map(|row| Some(of(row))).collect::<Int64Array>())
    };
    let Addresses { ids: location_ids, outgoing: locations } = addresses(synthea, rows)?;
    let persons = Outgoing::new(
        Table::Person,
        rows.lines.clone(),
        true,
        vec![
            ("person_id", ids.clone()),
            ("gender_concept_id", concept(&|row| gender(or_blank(&genders, row)))),
            ("year_of_birth", birth(Day::year)),
            ("month_of_birth", birth(Day::month)),
            ("day_of_birth", birth(|day| i32::from(day.date().day()))),
            ("birth_datetime", Arc::new(birth_times)),
            ("race_concept_id", concept(&|row| race(or_blank(&races, row)))),
            (
                "ethnicity_concept_id",
                concept(&|row| ethnicity(or_blank(&ethnicities, row), or_blank(&races, row))),
            ),
            ("location_id", location_ids),
            ("person_source_value", Arc::new(keys)),
            ("gender_source_value", Arc::new(genders.clone())),
            ("race_source_value", Arc::new(races.clone())),
            ("ethnicity_source_value", Arc::new(ethnicities.clone())),
        ],
    )?;
    let deaths = rows.days("deathdate");
    let dead: Vec<u32> =
        (0..count).filter(|row| deaths.is_valid(*row)).map(|row| row as u32).collect();
    let deaths = Outgoing::of_rows(
        Table::Death,
        rows,
        &dead,
        vec![
            ("person_id", ids),
            ("death_date", Arc::new(deaths.clone())),
            ("death_datetime", Arc::new(rows.times("deathdate"))),
            ("death_type_concept_id", constant(TYPE_EHR, count)),
        ],
    )?;
    Ok(vec![persons, deaths, locations])
}

/// Spans under one payer. The payer is a local concept, named as in `payers`.
pub(super) fn payer_transitions(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let payers = rows.text("payer");
    let name_of = |id: &str| synthea.payers.get(id).map_or("", String::as_str);
    let concept = |id: &str| synthea.local.provisional("Payer", id, name_of(id), "Payer").0;
    let concepts: Int64Array = payers.iter().map(|id| id.map(concept)).collect();
    let named = |id: &str| match name_of(id) {
        "" => id.to_owned(),
        name => name.to_owned(),
    };
    let names: StringArray = payers.iter().map(|id| id.map(named)).collect();
    let concepts: ArrayRef = Arc::new(concepts);
    let periods = Outgoing::new(
        Table::PayerPlanPeriod,
        rows.lines.clone(),
        true,
        vec![
            (
                "payer_plan_period_id",
                Arc::new(ids_of_rows(&IdHasher::new(synthea.system, "payer_plan_period"), rows)),
            ),
            ("person_id", synthea.person_ids(rows)),
            ("payer_plan_period_start_date", Arc::new(rows.days("start"))),
            ("payer_plan_period_end_date", Arc::new(rows.days("end"))),
            ("payer_concept_id", concepts.clone()),
            ("payer_source_value", Arc::new(names)),
            ("payer_source_concept_id", concepts),
            ("sponsor_source_value", Arc::new(rows.text("ownership"))),
            ("family_source_value", Arc::new(rows.text("memberid"))),
        ],
    )?;
    Ok(vec![periods])
}
