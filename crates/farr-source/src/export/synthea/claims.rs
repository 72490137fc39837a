//! Claims and their transactions.

use std::collections::HashMap;

use farr_records::Table;

use super::super::columns::{money, text, time};
use super::{Chunk, File, uuid};
use crate::Error;

/// What transactions need of their claim.
struct Claim<'a> {
    id: String,
    time: String,
    visit: i64,
    provider: &'a str,
    organization: &'a str,
}

pub(super) fn files(chunk: &Chunk) -> Result<[File; 2], Error> {
    let claims = claims(chunk)?;
    Ok([claim_file(chunk, &claims)?, transaction_file(chunk, &claims)?])
}

fn claims<'a>(chunk: &Chunk<'a>) -> Result<HashMap<i64, Claim<'a>>, Error> {
    let table = chunk.table(Table::VisitDetail)?;
    let (ids, persons) = (table.integers("visit_detail_id")?, table.integers("person_id")?);
    let times = table.times("visit_detail_start_datetime")?;
    let (visits, providers) =
        (table.integers("visit_occurrence_id")?, table.integers("provider_id")?);
    let claim = |row: usize| {
        let provider = chunk.csv.providers.get(&providers.value(row));
        let organization =
            provider.and_then(|provider| chunk.csv.organizations.get(&provider.organization));
        Claim {
            id: uuid("claim", chunk.person(persons.value(row)), ids.value(row)),
            time: time(times, row),
            visit: visits.value(row),
            provider: provider.map_or("", |provider| &provider.id),
            organization: organization.map_or("", |organization| &organization.id),
        }
    };
    Ok((0..table.len()).map(|row| (ids.value(row), claim(row))).collect())
}

/// Which payer each claim was made to: that of its first transaction.
fn insurers<'a>(chunk: &'a Chunk) -> Result<HashMap<i64, &'a str>, Error> {
    let table = chunk.table(Table::Cost)?;
    let (events, domains) = (table.integers("cost_event_id")?, table.texts("cost_domain_id")?);
    let plans = table.integers("payer_plan_period_id")?;
    let mut insurers = HashMap::new();
    for row in (0..table.len()).filter(|row| domains.value(*row) == "Visit Detail") {
        let name = chunk.plans.get(&plans.value(row)).copied().unwrap_or("NO_INSURANCE");
        let id = chunk.csv.payers.get(name).map_or("", String::as_str);
        insurers.entry(events.value(row)).or_insert(id);
    }
    Ok(insurers)
}

fn claim_file(chunk: &Chunk, claims: &HashMap<i64, Claim>) -> Result<File, Error> {
    let insurers = insurers(chunk)?;
    let table = chunk.table(Table::VisitDetail)?;
    let (ids, persons) = (table.integers("visit_detail_id")?, table.integers("person_id")?);
    let statuses = table.texts("visit_detail_source_value")?;
    let mut file = File::new("claims");
    for row in 0..table.len() {
        let Some(claim) = claims.get(&ids.value(row)) else { continue };
        let status = text(statuses, row).strip_prefix("claim ").unwrap_or_default();
        let (diagnosis, _) = chunk.reason(claim.visit);
        let insurer = insurers.get(&ids.value(row)).copied().unwrap_or_default();
        let when = claim.time.as_str();
        let mut fields =
            vec![claim.id.as_str(), chunk.person(persons.value(row)), claim.provider, insurer];
        fields.extend(["0", "1", "1", diagnosis, "", "", "", "", "", "", "", ""]);
        fields.extend([chunk.visit(claim.visit), when, when, claim.provider]);
        fields.extend([status, "", status, "0", "", "0", when, "", when, "1", "0"]);
        file.row(&fields);
    }
    Ok(file)
}

fn transaction_file(chunk: &Chunk, claims: &HashMap<i64, Claim>) -> Result<File, Error> {
    let names = names_of_codes(chunk);
    let table = chunk.table(Table::Cost)?;
    let (ids, persons) = (table.integers("cost_id")?, table.integers("person_id")?);
    let (events, domains) = (table.integers("cost_event_id")?, table.texts("cost_domain_id")?);
    let (charges, paid) = (table.numbers("total_charge")?, table.numbers("total_paid")?);
    let (kinds, codes) =
        (table.texts("revenue_code_source_value")?, table.texts("drg_source_value")?);
    let mut file = File::new("claims_transactions");
    let mut charge_of_claim = (i64::MIN, 0_u64);
    for row in (0..table.len()).filter(|row| domains.value(*row) == "Visit Detail") {
        let Some(claim) = claims.get(&events.value(row)) else { continue };
        let patient = chunk.person(persons.value(row));
        let (kind, method) = text(kinds, row).split_once(':').unwrap_or((text(kinds, row), ""));
        let next = if charge_of_claim.0 == events.value(row) { charge_of_claim.1 + 1 } else { 1 };
        charge_of_claim = (events.value(row), next);
        let (id, number) = (uuid("transaction", patient, ids.value(row)), next.to_string());
        let (amount, payment, code) = (money(charges, row), money(paid, row), text(codes, row));
        let when = claim.time.as_str();
        let mut fields = vec![id.as_str(), &claim.id, &number, patient, kind, &amount, method];
        fields.extend([when, when, claim.organization, code, "", "", "1", "", "", "", "1", "1"]);
        fields.push(names.get(code).copied().unwrap_or_default());
        fields.extend([amount.as_str(), "", "", payment.as_str(), "", "", ""]);
        fields.extend([chunk.visit(claim.visit), "", patient, "1", claim.provider, claim.provider]);
        file.row(&fields);
    }
    Ok(file)
}

fn names_of_codes<'a>(chunk: &'a Chunk) -> HashMap<&'a str, &'a str> {
    let concepts = chunk.csv.concepts.values();
    concepts.map(|concept| (concept.code.as_str(), concept.name.as_str())).collect()
}
