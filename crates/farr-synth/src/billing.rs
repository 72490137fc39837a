//! Costs of events, and the claims made for them.

use farr_records::Day;

use crate::codes::Code;
use crate::coverage::{code_cents, covered_cents, encounter_cents, span_at};
use crate::model::{Instant, Patient};
use crate::records::{EHR, IDS_EACH, provider};
use crate::rows::rows;

/// OMOP's type concept "Claim".
const CLAIM: i64 = 32_810;
/// OMOP's concept of the US dollar.
const US_DOLLAR: i64 = 44_818_668;

rows! { VisitDetailRows of VisitDetailRow in VisitDetail {
    visit_detail_id: i64,
    person_id: i64,
    visit_detail_concept_id: i64,
    visit_detail_start_date: Day,
    visit_detail_start_datetime: Instant,
    visit_detail_end_date: Day,
    visit_detail_end_datetime: Instant,
    visit_detail_type_concept_id: i64,
    provider_id: i64,
    visit_detail_source_value: &'static str,
    visit_occurrence_id: i64,
} }
rows! { CostRows of CostRow in Cost {
    cost_id: i64,
    person_id: i64,
    cost_event_id: i64,
    cost_domain_id: &'static str,
    cost_type_concept_id: i64,
    currency_concept_id: i64,
    total_charge: Option<f64>,
    total_cost: Option<f64>,
    total_paid: Option<f64>,
    paid_by_payer: Option<f64>,
    paid_by_patient: Option<f64>,
    paid_patient_copay: Option<f64>,
    payer_plan_period_id: Option<i64>,
    revenue_code_source_value: Option<&'static str>,
    drg_source_value: Option<&'static str>,
} }

/// A line of a claim.
struct Line {
    code: &'static str,
    cents: i64,
}

/// A claim: of an encounter, or of a drug.
struct Claim {
    time: Instant,
    encounter: usize,
    lines: Vec<Line>,
}

/// A patient's bills.
pub(crate) struct Bills<'a> {
    patient: &'a Patient,
    person: i64,
    details: &'a mut VisitDetailRows,
    costs: &'a mut CostRows,
    next_cost: i64,
    /// Claims of encounters, at their places, then those of drugs.
    claims: Vec<Claim>,
}

fn dollars(cents: i64) -> f64 {
    cents as f64 / 100.0
}

impl<'a> Bills<'a> {
    /// No bills yet.
    pub(crate) fn new(
        patient: &'a Patient,
        person: i64,
        details: &'a mut VisitDetailRows,
        costs: &'a mut CostRows,
    ) -> Self {
        Self { patient, person, details, costs, next_cost: person * IDS_EACH, claims: Vec::new() }
    }

    fn cost(&mut self, event: i64, domain: &'static str, time: Instant, kind: i64) -> CostRow {
        let cost_id = self.next_cost;
        self.next_cost += 1;
        let span = span_at(self.patient, time);
        CostRow {
            cost_id,
            person_id: self.person,
            cost_event_id: event,
            cost_domain_id: domain,
            cost_type_concept_id: kind,
            currency_concept_id: US_DOLLAR,
            total_charge: None,
            total_cost: None,
            total_paid: None,
            paid_by_payer: None,
            paid_by_patient: None,
            paid_patient_copay: None,
            payer_plan_period_id: span.map(|place| self.person * IDS_EACH + place as i64),
            revenue_code_source_value: None,
            drg_source_value: None,
        }
    }

    /// Every encounter costs itself and what is done in it.
    pub(crate) fn encounters(&mut self) {
        let patient = self.patient;
        let base = |place: usize| {
            let encounter = &patient.encounters[place];
            let nights = encounter.stop.day().days_since(encounter.start.day());
            encounter_cents(encounter.class, i64::from(nights))
        };
        let mut totals: Vec<i64> = (0..patient.encounters.len()).map(base).collect();
        for done in &patient.procedures {
            totals[done.encounter] += code_cents(done.code);
        }
        for vaccine in &patient.immunizations {
            totals[vaccine.encounter] += code_cents(vaccine.code);
        }
        for (place, encounter) in patient.encounters.iter().enumerate() {
            let event = self.person * IDS_EACH + place as i64;
            let mut cost = self.cost(event, "Visit", encounter.start, EHR);
            let covered = covered_cents(patient, span_at(patient, encounter.start), totals[place]);
            cost.total_charge = Some(dollars(totals[place]));
            cost.total_cost = Some(dollars(base(place)));
            cost.paid_by_payer = Some(dollars(covered));
            self.costs.push(cost);
            let line = Line { code: encounter.code.code, cents: base(place) };
            self.claims.push(Claim { time: encounter.start, encounter: place, lines: vec![line] });
        }
    }

    /// A prescription has a claim of its own; a vaccination (without
    /// dispenses) is a line of its encounter's.
    pub(crate) fn drug(
        &mut self,
        id: i64,
        encounter: usize,
        time: Instant,
        code: &'static Code,
        dispenses: Option<i64>,
    ) {
        let base = code_cents(code);
        let mut cost = self.cost(id, "Drug", time, EHR);
        cost.total_cost = Some(dollars(base));
        if let Some(dispenses) = dispenses {
            let total = base * dispenses;
            let covered = covered_cents(self.patient, span_at(self.patient, time), total);
            cost.total_charge = Some(dollars(total));
            cost.paid_by_payer = Some(dollars(covered));
            let line = Line { code: code.code, cents: total };
            self.claims.push(Claim { time, encounter, lines: vec![line] });
        } else {
            self.claims[encounter].lines.push(Line { code: code.code, cents: base });
        }
        self.costs.push(cost);
    }

    /// A procedure is a line of its encounter's claim.
    pub(crate) fn procedure(&mut self, id: i64, encounter: usize, code: &'static Code) {
        let base = code_cents(code);
        let time = self.patient.encounters[encounter].start;
        let mut cost = self.cost(id, "Procedure", time, EHR);
        cost.total_cost = Some(dollars(base));
        self.costs.push(cost);
        self.claims[encounter].lines.push(Line { code: code.code, cents: base });
    }

    /// The claims, in order of time, with their charges and payments.
    pub(crate) fn claims(mut self) {
        let mut claims = std::mem::take(&mut self.claims);
        claims.sort_by_key(|claim| claim.time);
        for (place, claim) in claims.iter().enumerate() {
            let id = self.person * IDS_EACH + place as i64;
            let day = claim.time.day();
            self.details.push(VisitDetailRow {
                visit_detail_id: id,
                person_id: self.person,
                visit_detail_concept_id: 0,
                visit_detail_start_date: day,
                visit_detail_start_datetime: claim.time,
                visit_detail_end_date: day,
                visit_detail_end_datetime: claim.time,
                visit_detail_type_concept_id: CLAIM,
                provider_id: provider(self.patient, claim.encounter),
                visit_detail_source_value: "claim CLOSED",
                visit_occurrence_id: self.person * IDS_EACH + claim.encounter as i64,
            });
            self.transactions(id, claim);
        }
    }

    /// A charge for each line, one payment by the payer, one by the patient.
    fn transactions(&mut self, id: i64, claim: &Claim) {
        for line in &claim.lines {
            let mut charge = self.cost(id, "Visit Detail", claim.time, CLAIM);
            charge.total_charge = Some(dollars(line.cents));
            charge.revenue_code_source_value = Some("CHARGE");
            charge.drg_source_value = Some(line.code);
            self.costs.push(charge);
        }
        let total: i64 = claim.lines.iter().map(|line| line.cents).sum();
        let span = span_at(self.patient, claim.time);
        let covered = covered_cents(self.patient, span, total);
        let code = claim.lines.first().map(|line| line.code);
        if covered > 0 {
            let mut payment = self.cost(id, "Visit Detail", claim.time, CLAIM);
            payment.total_paid = Some(dollars(covered));
            payment.paid_by_payer = Some(dollars(covered));
            payment.revenue_code_source_value = Some("PAYMENT:ECHECK");
            payment.drg_source_value = code;
            self.costs.push(payment);
        }
        if total > covered {
            let mut payment = self.cost(id, "Visit Detail", claim.time, CLAIM);
            payment.total_paid = Some(dollars(total - covered));
            payment.paid_by_patient = Some(dollars(total - covered));
            let copay = covered > 0;
            payment.paid_patient_copay = copay.then(|| dollars(total - covered));
            let kind = if copay { "PAYMENT:COPAY" } else { "PAYMENT:CASH" };
            payment.revenue_code_source_value = Some(kind);
            payment.drg_source_value = code;
            self.costs.push(payment);
        }
    }
}
