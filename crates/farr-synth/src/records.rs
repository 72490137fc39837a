//! Patients as rows of OMOP tables, as an ingest of their Synthea CSV has them.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use farr_records::{Day, Table};

use crate::Error;
use crate::billing::{Bills, CostRows, VisitDetailRows};
use crate::codes::Code;
use crate::concepts::Concepts;
use crate::model::{EncounterClass, Instant, Patient, Sex, Value};
use crate::rows::rows;
use crate::site::{PAYERS, organization_of};

/// OMOP's type concept "EHR".
pub(crate) const EHR: i64 = 32_817;
/// OMOP's type concept "Standard algorithm".
const STANDARD_ALGORITHM: i64 = 32_880;
/// Ids of a person's rows lie from the person's id times this up.
pub(crate) const IDS_EACH: i64 = 1_000_000;

rows! { PersonRows of PersonRow in Person {
    person_id: i64,
    gender_concept_id: i64,
    year_of_birth: i64,
    month_of_birth: i64,
    day_of_birth: i64,
    birth_datetime: Instant,
    race_concept_id: i64,
    ethnicity_concept_id: i64,
    location_id: i64,
    person_source_value: String,
    gender_source_value: &'static str,
    race_source_value: &'static str,
    ethnicity_source_value: &'static str,
} }
rows! { PeriodRows of PeriodRow in ObservationPeriod {
    observation_period_id: i64,
    person_id: i64,
    observation_period_start_date: Day,
    observation_period_end_date: Day,
    period_type_concept_id: i64,
} }
rows! { VisitRows of VisitRow in VisitOccurrence {
    visit_occurrence_id: i64,
    person_id: i64,
    visit_concept_id: i64,
    visit_start_date: Day,
    visit_start_datetime: Instant,
    visit_end_date: Day,
    visit_end_datetime: Instant,
    visit_type_concept_id: i64,
    provider_id: i64,
    care_site_id: i64,
    visit_source_value: &'static str,
    visit_source_concept_id: i64,
} }
rows! { ConditionRows of ConditionRow in ConditionOccurrence {
    condition_occurrence_id: i64,
    person_id: i64,
    condition_concept_id: i64,
    condition_start_date: Day,
    condition_end_date: Option<Day>,
    condition_type_concept_id: i64,
    provider_id: i64,
    visit_occurrence_id: i64,
    condition_source_value: &'static str,
    condition_source_concept_id: i64,
} }
rows! { DrugRows of DrugRow in DrugExposure {
    drug_exposure_id: i64,
    person_id: i64,
    drug_concept_id: i64,
    drug_exposure_start_date: Day,
    drug_exposure_start_datetime: Instant,
    drug_exposure_end_date: Day,
    drug_exposure_end_datetime: Instant,
    verbatim_end_date: Option<Day>,
    drug_type_concept_id: i64,
    refills: Option<i64>,
    provider_id: i64,
    visit_occurrence_id: i64,
    drug_source_value: &'static str,
    drug_source_concept_id: i64,
} }
rows! { ProcedureRows of ProcedureRow in ProcedureOccurrence {
    procedure_occurrence_id: i64,
    person_id: i64,
    procedure_concept_id: i64,
    procedure_date: Day,
    procedure_datetime: Option<Instant>,
    procedure_end_date: Option<Day>,
    procedure_end_datetime: Option<Instant>,
    procedure_type_concept_id: i64,
    provider_id: i64,
    visit_occurrence_id: i64,
    procedure_source_value: &'static str,
    procedure_source_concept_id: i64,
    modifier_source_value: Option<String>,
} }
rows! { DeviceRows of DeviceRow in DeviceExposure {
    device_exposure_id: i64,
    person_id: i64,
    device_concept_id: i64,
    device_exposure_start_date: Day,
    device_exposure_start_datetime: Option<Instant>,
    device_type_concept_id: i64,
    unique_device_id: Option<String>,
    quantity: Option<i64>,
    provider_id: i64,
    visit_occurrence_id: i64,
    device_source_value: &'static str,
    device_source_concept_id: i64,
} }
rows! { MeasurementRows of MeasurementRow in Measurement {
    measurement_id: i64,
    person_id: i64,
    measurement_concept_id: i64,
    measurement_date: Day,
    measurement_datetime: Instant,
    measurement_type_concept_id: i64,
    value_as_number: Option<f64>,
    provider_id: i64,
    visit_occurrence_id: i64,
    measurement_source_value: &'static str,
    measurement_source_concept_id: i64,
    unit_source_value: Option<&'static str>,
    value_source_value: String,
} }
rows! { ObservationRows of ObservationRow in Observation {
    observation_id: i64,
    person_id: i64,
    observation_concept_id: i64,
    observation_date: Day,
    observation_datetime: Option<Instant>,
    observation_type_concept_id: i64,
    value_as_string: String,
    provider_id: i64,
    visit_occurrence_id: i64,
    observation_source_value: &'static str,
    observation_source_concept_id: i64,
    qualifier_source_value: String,
    value_source_value: String,
} }
rows! { DeathRows of DeathRow in Death {
    person_id: i64,
    death_date: Day,
    death_type_concept_id: i64,
} }
rows! { PayerRows of PayerRow in PayerPlanPeriod {
    payer_plan_period_id: i64,
    person_id: i64,
    payer_plan_period_start_date: Day,
    payer_plan_period_end_date: Day,
    payer_concept_id: i64,
    payer_source_value: &'static str,
    payer_source_concept_id: i64,
    sponsor_source_value: &'static str,
    family_source_value: String,
} }

/// The rows of some patients, all tables.
#[derive(Default)]
pub(crate) struct Records {
    persons: PersonRows,
    periods: PeriodRows,
    visits: VisitRows,
    conditions: ConditionRows,
    drugs: DrugRows,
    procedures: ProcedureRows,
    devices: DeviceRows,
    measurements: MeasurementRows,
    observations: ObservationRows,
    deaths: DeathRows,
    payers: PayerRows,
    details: VisitDetailRows,
    costs: CostRows,
}

/// A patient's ids: the person's, and running numbers of each table.
struct Ids {
    person: i64,
}

impl Ids {
    /// The id of a person's row at a place of a table, from 0.
    fn row(&self, place: usize) -> i64 {
        self.person * IDS_EACH + place as i64
    }
}

impl Records {
    /// Adds a patient.
    pub(crate) fn push(&mut self, patient: &Patient, concepts: &Concepts) {
        let ids = Ids { person: patient.number as i64 + 1 };
        self.push_person(patient, &ids);
        self.push_visits(patient, &ids, concepts);
        self.push_conditions(patient, &ids, concepts);
        let mut bills = Bills::new(patient, ids.person, &mut self.details, &mut self.costs);
        bills.encounters();
        push_drugs(&mut self.drugs, &mut bills, patient, &ids, concepts);
        push_procedures(&mut self.procedures, &mut bills, patient, &ids, concepts);
        bills.claims();
        self.push_devices(patient, &ids, concepts);
        self.push_findings(patient, &ids, concepts);
        self.push_coverage(patient, &ids, concepts);
    }

    /// The batches, each in order of person and start; tables without a row
    /// are there too.
    pub(crate) fn batches(self) -> Result<BTreeMap<Table, RecordBatch>, Error> {
        Ok(BTreeMap::from([
            (Table::Person, self.persons.batch()?),
            (Table::ObservationPeriod, self.periods.batch()?),
            (Table::VisitOccurrence, self.visits.batch()?),
            (Table::VisitDetail, self.details.batch()?),
            (Table::ConditionOccurrence, self.conditions.batch()?),
            (Table::DrugExposure, self.drugs.batch()?),
            (Table::ProcedureOccurrence, self.procedures.batch()?),
            (Table::DeviceExposure, self.devices.batch()?),
            (Table::Measurement, self.measurements.batch()?),
            (Table::Observation, self.observations.batch()?),
            (Table::Death, self.deaths.batch()?),
            (Table::PayerPlanPeriod, self.payers.batch()?),
            (Table::Cost, self.costs.batch()?),
        ]))
    }

    fn push_person(&mut self, patient: &Patient, ids: &Ids) {
        let date = patient.birth.date();
        let (gender, gender_concept_id) = match patient.sex {
            Sex::Female => ("F", 8_532),
            Sex::Male => ("M", 8_507),
        };
        let hispanic = patient.ethnicity == "hispanic";
        self.persons.push(PersonRow {
            person_id: ids.person,
            gender_concept_id,
            year_of_birth: i64::from(date.year()),
            month_of_birth: i64::from(date.month()),
            day_of_birth: i64::from(date.day()),
            birth_datetime: Instant::of(patient.birth, 0),
            race_concept_id: race_concept(patient.race),
            ethnicity_concept_id: if hispanic { 38_003_563 } else { 38_003_564 },
            location_id: patient.town as i64 + 1,
            person_source_value: patient.uuid.clone(),
            gender_source_value: gender,
            race_source_value: patient.race,
            ethnicity_source_value: patient.ethnicity,
        });
        let first = patient.encounters.first().map(|e| e.start.day());
        let last = patient.encounters.iter().map(|e| e.stop.day()).max();
        if let (Some(start), Some(end)) = (first, last) {
            self.periods.push(PeriodRow {
                observation_period_id: ids.person,
                person_id: ids.person,
                observation_period_start_date: start,
                observation_period_end_date: end,
                period_type_concept_id: STANDARD_ALGORITHM,
            });
        }
        if let Some((day, _)) = patient.death {
            self.deaths.push(DeathRow {
                person_id: ids.person,
                death_date: day,
                death_type_concept_id: EHR,
            });
        }
    }

    fn push_visits(&mut self, patient: &Patient, ids: &Ids, concepts: &Concepts) {
        for (place, encounter) in patient.encounters.iter().enumerate() {
            self.visits.push(VisitRow {
                visit_occurrence_id: ids.row(place),
                person_id: ids.person,
                visit_concept_id: visit_concept(encounter.class),
                visit_start_date: encounter.start.day(),
                visit_start_datetime: encounter.start,
                visit_end_date: encounter.stop.day(),
                visit_end_datetime: encounter.stop,
                visit_type_concept_id: EHR,
                provider_id: encounter.provider as i64 + 1,
                care_site_id: organization_of(encounter.provider) as i64 + 1,
                visit_source_value: encounter.class.name(),
                visit_source_concept_id: concepts.id(encounter.code),
            });
        }
    }

    fn push_conditions(&mut self, patient: &Patient, ids: &Ids, concepts: &Concepts) {
        for (place, condition) in patient.conditions.iter().enumerate() {
            let concept = concepts.id(condition.code);
            self.conditions.push(ConditionRow {
                condition_occurrence_id: ids.row(place),
                person_id: ids.person,
                condition_concept_id: concept,
                condition_start_date: condition.start,
                condition_end_date: condition.stop,
                condition_type_concept_id: EHR,
                provider_id: provider(patient, condition.encounter),
                visit_occurrence_id: ids.row(condition.encounter),
                condition_source_value: condition.code.code,
                condition_source_concept_id: concept,
            });
        }
    }

    /// Devices first, then supplies.
    fn push_devices(&mut self, patient: &Patient, ids: &Ids, concepts: &Concepts) {
        let devices = patient.devices.iter().map(|device| {
            let udi = format!("(01){:014}(21){:010}", device.serial, device.start.0.unsigned_abs());
            (device.start.day(), Some(device.start), device.encounter, device.code, Some(udi), None)
        });
        let supplies = patient.supplies.iter().map(|supply| {
            (supply.day, None, supply.encounter, supply.code, None, Some(supply.quantity))
        });
        let mut all: Vec<_> = devices.chain(supplies).collect();
        all.sort_by_key(|row| row.0);
        for (place, (day, time, encounter, code, udi, quantity)) in all.into_iter().enumerate() {
            let concept = concepts.id(code);
            self.devices.push(DeviceRow {
                device_exposure_id: ids.row(place),
                person_id: ids.person,
                device_concept_id: concept,
                device_exposure_start_date: day,
                device_exposure_start_datetime: time,
                device_type_concept_id: EHR,
                unique_device_id: udi,
                quantity,
                provider_id: provider(patient, encounter),
                visit_occurrence_id: ids.row(encounter),
                device_source_value: code.code,
                device_source_concept_id: concept,
            });
        }
    }

    /// Numbers and laboratory findings are measurements; allergies and other
    /// answers are observations.
    fn push_findings(&mut self, patient: &Patient, ids: &Ids, concepts: &Concepts) {
        let mut texts: Vec<_> = patient
            .allergies
            .iter()
            .map(|allergy| {
                let value = format!("{} ({})", allergy.reaction.name, allergy.severity);
                let qualifier = format!("allergy, {}", allergy.category);
                (allergy.start, None, allergy.encounter, allergy.code, value, qualifier)
            })
            .collect();
        let mut place = 0;
        for observation in &patient.observations {
            let code = observation.code;
            let (number, unit, text) = match observation.value {
                Value::Number(value, decimals, unit) => {
                    let text = format!("{value:.*}", usize::from(decimals));
                    (Some(value), Some(unit), text)
                }
                Value::Text(text) => (None, None, text.to_owned()),
            };
            if number.is_none() && code.class != "Lab Test" {
                let time = observation.time;
                let qualifier = "survey".to_owned();
                texts.push((time.day(), Some(time), observation.encounter, code, text, qualifier));
                continue;
            }
            let concept = concepts.id(code);
            self.measurements.push(MeasurementRow {
                measurement_id: ids.row(place),
                person_id: ids.person,
                measurement_concept_id: concept,
                measurement_date: observation.time.day(),
                measurement_datetime: observation.time,
                measurement_type_concept_id: EHR,
                value_as_number: number,
                provider_id: provider(patient, observation.encounter),
                visit_occurrence_id: ids.row(observation.encounter),
                measurement_source_value: code.code,
                measurement_source_concept_id: concept,
                unit_source_value: unit,
                value_source_value: text,
            });
            place += 1;
        }
        texts.sort_by_key(|row| row.0);
        for (place, (day, time, encounter, code, value, qualifier)) in texts.into_iter().enumerate()
        {
            let concept = concepts.id(code);
            self.observations.push(ObservationRow {
                observation_id: ids.row(place),
                person_id: ids.person,
                observation_concept_id: concept,
                observation_date: day,
                observation_datetime: time,
                observation_type_concept_id: EHR,
                value_as_string: value.clone(),
                provider_id: provider(patient, encounter),
                visit_occurrence_id: ids.row(encounter),
                observation_source_value: code.code,
                observation_source_concept_id: concept,
                qualifier_source_value: qualifier,
                value_source_value: value,
            });
        }
    }

    fn push_coverage(&mut self, patient: &Patient, ids: &Ids, concepts: &Concepts) {
        for (place, span) in patient.coverage.iter().enumerate() {
            let payer = &PAYERS[span.payer].code;
            let child = span.start.days_since(patient.birth) < 18 * 365;
            self.payers.push(PayerRow {
                payer_plan_period_id: ids.row(place),
                person_id: ids.person,
                payer_plan_period_start_date: span.start,
                payer_plan_period_end_date: span.end,
                payer_concept_id: concepts.id(payer),
                payer_source_value: payer.name,
                payer_source_concept_id: concepts.id(payer),
                sponsor_source_value: if child { "Guardian" } else { "Self" },
                family_source_value: format!("M{:010}-{:02}", ids.person, span.payer),
            });
        }
    }
}

/// Prescriptions and vaccinations, each with its cost.
fn push_drugs(
    drugs: &mut DrugRows,
    bills: &mut Bills,
    patient: &Patient,
    ids: &Ids,
    concepts: &Concepts,
) {
    let prescribed = patient
        .medications
        .iter()
        .map(|drug| (drug.start, drug.stop, drug.encounter, drug.code, Some(drug.dispenses)));
    let vaccines = patient
        .immunizations
        .iter()
        .map(|vaccine| (vaccine.time, vaccine.time, vaccine.encounter, vaccine.code, None));
    let mut all: Vec<_> = prescribed.chain(vaccines).collect();
    all.sort_by_key(|row| row.0);
    for (place, (start, stop, encounter, code, dispenses)) in all.into_iter().enumerate() {
        let concept = concepts.id(code);
        let id = ids.row(place);
        bills.drug(id, encounter, start, code, dispenses);
        drugs.push(DrugRow {
            drug_exposure_id: id,
            person_id: ids.person,
            drug_concept_id: concept,
            drug_exposure_start_date: start.day(),
            drug_exposure_start_datetime: start,
            drug_exposure_end_date: stop.day(),
            drug_exposure_end_datetime: stop,
            verbatim_end_date: dispenses.map(|_| stop.day()),
            drug_type_concept_id: EHR,
            refills: dispenses.map(|n| n - 1),
            provider_id: provider(patient, encounter),
            visit_occurrence_id: ids.row(encounter),
            drug_source_value: code.code,
            drug_source_concept_id: concept,
        });
    }
}

/// Procedures with their costs, imaging studies and care plans.
fn push_procedures(
    procedures: &mut ProcedureRows,
    bills: &mut Bills,
    patient: &Patient,
    ids: &Ids,
    concepts: &Concepts,
) {
    struct Done {
        day: Day,
        time: Option<Instant>,
        end: Option<Day>,
        end_time: Option<Instant>,
        encounter: usize,
        code: &'static Code,
        modifier: Option<String>,
        billed: bool,
    }
    let mut all: Vec<Done> = Vec::new();
    for done in &patient.procedures {
        let (day, encounter, code) = (done.start.day(), done.encounter, done.code);
        all.push(Done {
            day,
            time: Some(done.start),
            end: Some(done.stop.day()),
            end_time: Some(done.stop),
            encounter,
            code,
            modifier: None,
            billed: true,
        });
        if let Some((modality, site)) = done.image {
            let modifier = Some(format!("{}, {}", modality.name, site.name));
            let time = Some(done.start);
            let (end, end_time) = (None, None);
            all.push(Done { day, time, end, end_time, encounter, code, modifier, billed: false });
        }
    }
    all.extend(patient.careplans.iter().map(|plan| Done {
        day: plan.start,
        time: None,
        end: plan.stop,
        end_time: None,
        encounter: plan.encounter,
        code: plan.code,
        modifier: Some("care plan".to_owned()),
        billed: false,
    }));
    all.sort_by_key(|done| done.day);
    for (place, done) in all.into_iter().enumerate() {
        let concept = concepts.id(done.code);
        let id = ids.row(place);
        if done.billed {
            bills.procedure(id, done.encounter, done.code);
        }
        procedures.push(ProcedureRow {
            procedure_occurrence_id: id,
            person_id: ids.person,
            procedure_concept_id: concept,
            procedure_date: done.day,
            procedure_datetime: done.time,
            procedure_end_date: done.end,
            procedure_end_datetime: done.end_time,
            procedure_type_concept_id: EHR,
            provider_id: provider(patient, done.encounter),
            visit_occurrence_id: ids.row(done.encounter),
            procedure_source_value: done.code.code,
            procedure_source_concept_id: concept,
            modifier_source_value: done.modifier,
        });
    }
}

/// The provider of an encounter.
pub(crate) fn provider(patient: &Patient, encounter: usize) -> i64 {
    patient.encounters[encounter].provider as i64 + 1
}

fn race_concept(race: &str) -> i64 {
    match race {
        "white" => 8_527,
        "black" => 8_516,
        "asian" => 8_515,
        "native" => 8_657,
        "hawaiian" => 8_557,
        _ => 0,
    }
}

fn visit_concept(class: EncounterClass) -> i64 {
    match class {
        EncounterClass::Inpatient => 9_201,
        EncounterClass::Emergency => 9_203,
        EncounterClass::UrgentCare => 8_782,
        EncounterClass::Wellness | EncounterClass::Ambulatory | EncounterClass::Outpatient => 9_202,
    }
}
