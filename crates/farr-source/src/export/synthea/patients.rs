//! Patients and their payers.

use std::collections::{HashMap, HashSet};

use arrow::array::Array;
use farr_records::{Day, Table};

use super::super::columns::{day, text};
use super::{Chunk, File, Totals, bits};
use crate::Error;

const WOMEN: [&str; 24] = [
    "Anna", "Beth", "Carla", "Dora", "Emma", "Fiona", "Greta", "Hanna", "Ida", "Julia", "Karin",
    "Laura", "Maria", "Nora", "Olivia", "Paula", "Rosa", "Sara", "Tina", "Ursula", "Vera", "Wanda",
    "Yvonne", "Zoe",
];
const MEN: [&str; 24] = [
    "Adam", "Bruno", "Carl", "Diego", "Emil", "Frank", "Georg", "Hans", "Ivan", "Jack", "Karl",
    "Louis", "Marco", "Noah", "Oscar", "Peter", "Robert", "Simon", "Thomas", "Ulrich", "Victor",
    "Walter", "Xavier", "Yuri",
];
const FAMILIES: [&str; 24] = [
    "Adams",
    "Baker",
    "Clark",
    "Davis",
    "Evans",
    "Foster",
    "Garcia",
    "Hughes",
    "Irving",
    "Jones",
    "King",
    "Lopez",
    "Miller",
    "Nelson",
    "Olsen",
    "Parker",
    "Quinn",
    "Reed",
    "Smith",
    "Turner",
    "Underwood",
    "Vargas",
    "White",
    "Young",
];

/// A name out of a list, with digits that tell it from a real one.
fn name(list: &[&str], bits: u64) -> String {
    format!("{}{}", list[(bits % list.len() as u64) as usize], bits / 64 % 1_000)
}

/// What a person paid and what was paid for them, in cents.
fn expenses(chunk: &Chunk) -> Result<HashMap<i64, (i64, i64)>, Error> {
    let table = chunk.table(Table::Cost)?;
    let (persons, domains) = (table.integers("person_id")?, table.texts("cost_domain_id")?);
    let (charges, paid) = (table.numbers("total_charge")?, table.numbers("paid_by_payer")?);
    let mut sums: HashMap<i64, (i64, i64)> = HashMap::new();
    for row in (0..table.len()).filter(|row| domains.value(*row) != "Visit Detail") {
        if charges.is_valid(row) && paid.is_valid(row) {
            let cents = |value: f64| (value * 100.0).round() as i64;
            let sum = sums.entry(persons.value(row)).or_default();
            sum.0 += cents(charges.value(row)) - cents(paid.value(row));
            sum.1 += cents(paid.value(row));
        }
    }
    Ok(sums)
}

pub(super) fn patients(chunk: &Chunk) -> Result<File, Error> {
    let expenses = expenses(chunk)?;
    let deaths = chunk.table(Table::Death)?;
    let (dead, days) = (deaths.integers("person_id")?, deaths.days("death_date")?);
    let deaths: HashMap<i64, String> =
        (0..deaths.len()).map(|row| (dead.value(row), day(days, row))).collect();
    let poor = poor(chunk)?;
    let table = chunk.table(Table::Person)?;
    let (ids, births) = (table.integers("person_id")?, table.times("birth_datetime")?);
    let (races, ethnicities) =
        (table.texts("race_source_value")?, table.texts("ethnicity_source_value")?);
    let (genders, locations) =
        (table.texts("gender_source_value")?, table.integers("location_id")?);
    let mut file = File::new("patients");
    for row in 0..table.len() {
        let id = ids.value(row);
        let key = chunk.person(id);
        let luck = |what: &str| bits(what, key, id);
        let birth = Day(births.value(row).div_euclid(86_400_000_000) as i32);
        let woman = text(genders, row) == "F";
        // As of the last day that any record can have.
        let age = 2_024 - birth.year();
        let adult = age >= 18;
        let married = adult && luck("married") % 100 < 60;
        let place = chunk.csv.places.get(&locations.value(row)).cloned().unwrap_or_default();
        let (spent, covered) = expenses.get(&id).copied().unwrap_or_default();
        let dollars = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let range = if poor.contains(&id) { (9_000, 15_000) } else { (24_000, 120_000) };
        let income = range.0 + luck("income") % range.1;
        let prefix = match (adult, woman, married) {
            (false, ..) => "",
            (true, false, _) => "Mr.",
            (true, true, true) => "Mrs.",
            (true, true, false) => "Ms.",
        };
        let keep = |yes: bool, value: String| if yes { value } else { String::new() };
        let (digits, pass) = (luck("digits"), luck("passport"));
        file.row(&[
            key,
            &birth.to_string(),
            deaths.get(&id).map_or("", String::as_str),
            &format!("999-{:02}-{:04}", 10 + digits % 90, digits / 100 % 10_000),
            &keep(age >= 16, format!("S999{:05}", digits / 1_000_000 % 100_000)),
            &keep(adult && pass % 2 == 0, format!("X{:08}X", pass / 2 % 100_000_000)),
            prefix,
            &name(if woman { &WOMEN } else { &MEN }, luck("first")),
            &name(&FAMILIES, luck("family")),
            "",
            &keep(woman && married, name(&FAMILIES, luck("maiden"))),
            match (adult, married) {
                (false, _) => "",
                (true, true) => "M",
                (true, false) => "S",
            },
            text(races, row),
            text(ethnicities, row),
            text(genders, row),
            &format!("{}  {}  US", place.city, place.state),
            &place.address,
            &place.city,
            &place.state,
            &place.county,
            &place.fips,
            &place.zip,
            &place.latitude,
            &place.longitude,
            &dollars(spent),
            &dollars(covered),
            &income.to_string(),
        ]);
    }
    Ok(file)
}

/// Persons whom Medicaid ever covered.
fn poor(chunk: &Chunk) -> Result<HashSet<i64>, Error> {
    let table = chunk.table(Table::PayerPlanPeriod)?;
    let (persons, payers) = (table.integers("person_id")?, table.texts("payer_source_value")?);
    let poor = |row: &usize| ["Medicaid", "Dual Eligible"].contains(&text(payers, *row));
    Ok((0..table.len()).filter(poor).map(|row| persons.value(row)).collect())
}

pub(super) fn transitions(chunk: &Chunk, totals: &mut Totals) -> Result<File, Error> {
    let table = chunk.table(Table::PayerPlanPeriod)?;
    let (persons, payers) = (table.integers("person_id")?, table.texts("payer_source_value")?);
    let (starts, ends) =
        (table.days("payer_plan_period_start_date")?, table.days("payer_plan_period_end_date")?);
    let (owners, members) =
        (table.texts("sponsor_source_value")?, table.texts("family_source_value")?);
    let mut customers = HashSet::new();
    let mut file = File::new("payer_transitions");
    for row in 0..table.len() {
        let (id, payer) = (persons.value(row), text(payers, row));
        let key = chunk.person(id);
        let sums = totals.payers.entry(payer.to_owned()).or_default();
        sums.customers += u64::from(customers.insert((id, payer)));
        let days = ends.value(row) - starts.value(row) + 1;
        sums.member_months += u64::from(days.unsigned_abs()) / 30;
        let owner = match text(owners, row) {
            "Self" => name(&FAMILIES, bits("family", key, id)),
            _ => name(&WOMEN, bits("mother", key, id)),
        };
        file.row(&[
            key,
            text(members, row),
            &midnight(&day(starts, row)),
            &midnight(&day(ends, row)),
            chunk.csv.payers.get(payer).map_or(payer, String::as_str),
            "",
            text(owners, row),
            &owner,
        ]);
    }
    Ok(file)
}

fn midnight(day: &str) -> String {
    if day.is_empty() { String::new() } else { format!("{day}T00:00:00Z") }
}
