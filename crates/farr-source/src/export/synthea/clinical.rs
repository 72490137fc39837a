//! Encounters and the events in them.

use arrow::array::{
    Array, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use farr_records::Table;

use super::super::columns::{Columns, day, integer, money, text, time};
use super::{Chunk, File, Totals, bits, uuid};
use crate::Error;

/// The files of encounters and clinical events.
pub(super) fn files(chunk: &Chunk, totals: &mut Totals) -> Result<Vec<File>, Error> {
    let mut files = vec![encounters(chunk, totals)?, conditions(chunk)?];
    files.extend(drugs(chunk, totals)?);
    files.extend(procedures(chunk, totals)?);
    files.extend(observations(chunk)?);
    files.extend(devices(chunk)?);
    Ok(files)
}

/// What every event has.
struct Events<'a> {
    chunk: &'a Chunk<'a>,
    table: Columns<'a>,
    ids: &'a Int64Array,
    persons: &'a Int64Array,
    visits: &'a Int64Array,
    concepts: &'a Int64Array,
}

impl<'a> Events<'a> {
    fn of(chunk: &'a Chunk<'a>, table: Table, concept: &str) -> Result<Self, Error> {
        let columns = chunk.table(table)?;
        Ok(Self {
            chunk,
            table: columns,
            ids: columns.integers(table.id_column().unwrap_or_default())?,
            persons: columns.integers("person_id")?,
            visits: columns.integers("visit_occurrence_id")?,
            concepts: columns.integers(concept)?,
        })
    }

    fn patient(&self, row: usize) -> &'a str {
        self.chunk.person(self.persons.value(row))
    }

    fn encounter(&self, row: usize) -> &'a str {
        self.chunk.visit(self.visits.value(row))
    }

    fn vocabulary(&self, row: usize) -> &'a str {
        self.chunk.concept(self.concepts.value(row)).map_or("", |concept| &concept.vocabulary)
    }

    fn code(&self, row: usize) -> &'a str {
        self.chunk.concept(self.concepts.value(row)).map_or("", |concept| &concept.code)
    }

    fn name(&self, row: usize) -> &'a str {
        self.chunk.concept(self.concepts.value(row)).map_or("", |concept| &concept.name)
    }

    fn reason(&self, row: usize) -> (&'a str, &'a str) {
        self.chunk.reason(self.visits.value(row))
    }
}

/// The cost of an event: base, total, covered, and the payer's name.
struct Cost<'a> {
    base: String,
    total: String,
    covered: String,
    payer: &'a str,
}

fn cost<'a>(chunk: &'a Chunk, domain: &'static str, event: i64) -> Result<Cost<'a>, Error> {
    let table = chunk.table(Table::Cost)?;
    let plans = table.integers("payer_plan_period_id")?;
    let Some(row) = chunk.costs.get(&(domain, event)).copied() else {
        let blank = String::new;
        return Ok(Cost { base: blank(), total: blank(), covered: blank(), payer: "" });
    };
    let plan = plans.is_valid(row).then(|| chunk.plans.get(&plans.value(row)));
    Ok(Cost {
        base: money(table.numbers("total_cost")?, row),
        total: money(table.numbers("total_charge")?, row),
        covered: money(table.numbers("paid_by_payer")?, row),
        payer: plan.flatten().copied().unwrap_or("NO_INSURANCE"),
    })
}

/// Adds an event to a payer's totals: 0 encounters, 1 drugs, 2 procedures,
/// 3 vaccines.
fn count(totals: &mut Totals, kind: usize, cost: &Cost) {
    let cents = |text: &str| text.parse::<f64>().map_or(0, |value| (value * 100.0).round() as i64);
    let sums = totals.payers.entry(cost.payer.to_owned()).or_default();
    let covered = cents(&cost.covered);
    sums.covered_cents += covered;
    sums.uncovered_cents += (cents(&cost.total) - covered).max(0);
    if covered > 0 {
        sums.covered[kind] += 1;
    } else {
        sums.uncovered[kind] += 1;
    }
}

fn payer_id<'a>(chunk: &'a Chunk, name: &'a str) -> &'a str {
    chunk.csv.payers.get(name).map_or("", String::as_str)
}

fn encounters(chunk: &Chunk, totals: &mut Totals) -> Result<File, Error> {
    let events = Events::of(chunk, Table::VisitOccurrence, "visit_source_concept_id")?;
    let table = events.table;
    let (starts, stops) =
        (table.times("visit_start_datetime")?, table.times("visit_end_datetime")?);
    let (providers, sites) = (table.integers("provider_id")?, table.integers("care_site_id")?);
    let classes = table.texts("visit_source_value")?;
    let mut file = File::new("encounters");
    for row in 0..table.len() {
        let cost = cost(chunk, "Visit", events.ids.value(row))?;
        count(totals, 0, &cost);
        totals.providers.entry(providers.value(row)).or_default().0 += 1;
        let (reason, reason_name) = events.reason(row);
        file.row(&[
            events.encounter(row),
            &time(starts, row),
            &time(stops, row),
            events.patient(row),
            chunk.csv.organizations.get(&sites.value(row)).map_or("", |site| &site.id),
            chunk.csv.providers.get(&providers.value(row)).map_or("", |provider| &provider.id),
            payer_id(chunk, cost.payer),
            text(classes, row),
            events.code(row),
            events.name(row),
            &cost.base,
            &cost.total,
            &cost.covered,
            reason,
            reason_name,
        ]);
    }
    Ok(file)
}

fn conditions(chunk: &Chunk) -> Result<File, Error> {
    let events = Events::of(chunk, Table::ConditionOccurrence, "condition_source_concept_id")?;
    let (starts, ends) =
        (events.table.days("condition_start_date")?, events.table.days("condition_end_date")?);
    let mut file = File::new("conditions");
    for row in 0..events.table.len() {
        file.row(&[
            &day(starts, row),
            &day(ends, row),
            events.patient(row),
            events.encounter(row),
            events.code(row),
            events.name(row),
        ]);
    }
    Ok(file)
}

/// Medications, and immunizations by their vocabulary.
fn drugs(chunk: &Chunk, totals: &mut Totals) -> Result<[File; 2], Error> {
    let events = Events::of(chunk, Table::DrugExposure, "drug_source_concept_id")?;
    let (starts, ends) = (
        events.table.times("drug_exposure_start_datetime")?,
        events.table.times("drug_exposure_end_datetime")?,
    );
    let refills = events.table.integers("refills")?;
    let (mut medications, mut immunizations) =
        (File::new("medications"), File::new("immunizations"));
    for row in 0..events.table.len() {
        let cost = cost(chunk, "Drug", events.ids.value(row))?;
        let (patient, encounter) = (events.patient(row), events.encounter(row));
        let (code, name) = (events.code(row), events.name(row));
        if events.vocabulary(row) == "CVX" {
            count(totals, 3, &cost);
            immunizations.row(&[&time(starts, row), patient, encounter, code, name, &cost.base]);
            continue;
        }
        count(totals, 1, &cost);
        let dispenses = if refills.is_valid(row) { refills.value(row) + 1 } else { 1 };
        let (reason, reason_name) = events.reason(row);
        medications.row(&[
            &time(starts, row),
            &time(ends, row),
            patient,
            payer_id(chunk, cost.payer),
            encounter,
            code,
            name,
            &cost.base,
            &cost.covered,
            &dispenses.to_string(),
            &cost.total,
            reason,
            reason_name,
        ]);
    }
    Ok([medications, immunizations])
}

/// Procedures, care plans and imaging studies, told apart by the modifier.
fn procedures(chunk: &Chunk, totals: &mut Totals) -> Result<[File; 3], Error> {
    let events = Events::of(chunk, Table::ProcedureOccurrence, "procedure_source_concept_id")?;
    let table = events.table;
    let (days, end_days) = (table.days("procedure_date")?, table.days("procedure_end_date")?);
    let (times, ends) =
        (table.times("procedure_datetime")?, table.times("procedure_end_datetime")?);
    let (providers, modifiers) =
        (table.integers("provider_id")?, table.texts("modifier_source_value")?);
    let [mut procedures, mut careplans, mut studies] =
        ["procedures", "careplans", "imaging_studies"].map(File::new);
    for row in 0..table.len() {
        let (patient, encounter) = (events.patient(row), events.encounter(row));
        let (code, name) = (events.code(row), events.name(row));
        let (reason, reason_name) = events.reason(row);
        match text(modifiers, row) {
            "" => {
                let cost = cost(chunk, "Procedure", events.ids.value(row))?;
                count(totals, 2, &cost);
                totals.providers.entry(providers.value(row)).or_default().1 += 1;
                let (start, stop) = (time(times, row), time(ends, row));
                let base = &cost.base;
                procedures.row(&[
                    &start,
                    &stop,
                    patient,
                    encounter,
                    code,
                    name,
                    base,
                    reason,
                    reason_name,
                ]);
            }
            "care plan" => {
                let id = uuid("careplan", patient, events.ids.value(row));
                let (start, stop) = (day(days, row), day(end_days, row));
                careplans.row(&[
                    &id,
                    &start,
                    &stop,
                    patient,
                    encounter,
                    code,
                    name,
                    reason,
                    reason_name,
                ]);
            }
            image => study(chunk, &events, row, image, &time(times, row), &mut studies),
        }
    }
    Ok([procedures, careplans, studies])
}

/// An imaging study of one series with one image.
fn study(chunk: &Chunk, events: &Events, row: usize, image: &str, time: &str, file: &mut File) {
    let (modality, site) = image.split_once(", ").unwrap_or((image, ""));
    let code_of = |name: &str| chunk.csv.codes_by_name.get(name).map_or("", String::as_str);
    let (patient, id) = (events.patient(row), events.ids.value(row));
    let number = bits("series", patient, id) % 1_000_000_000;
    // DICOM's storage classes of the modalities.
    let (class, class_name) = match code_of(modality) {
        "CT" => ("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"),
        "MR" => ("1.2.840.10008.5.1.4.1.1.4", "MR Image Storage"),
        "US" => ("1.2.840.10008.5.1.4.1.1.6.1", "Ultrasound Image Storage"),
        "MG" => ("1.2.840.10008.5.1.4.1.1.1.2", "Digital Mammography Image Storage"),
        _ => ("1.2.840.10008.5.1.4.1.1.1.1", "Digital X-Ray Image Storage"),
    };
    file.row(&[
        &uuid("imaging_study", patient, id),
        time,
        patient,
        events.encounter(row),
        &format!("1.2.840.99999999.1.{number}"),
        code_of(site),
        site,
        code_of(modality),
        modality,
        &format!("1.2.840.99999999.1.1.{number}"),
        class,
        class_name,
        events.code(row),
    ]);
}

/// Observations from both tables, and allergies by their qualifier; person by
/// person, so that chunks do not show.
fn observations(chunk: &Chunk) -> Result<[File; 2], Error> {
    let measured = Measured::of(chunk)?;
    let told = Told::of(chunk)?;
    let [mut observations, mut allergies] = ["observations", "allergies"].map(File::new);
    let (mut next, mut next_told) = (0, 0);
    while next < measured.events.table.len() || next_told < told.events.table.len() {
        let is_measured = next_told == told.events.table.len()
            || next < measured.events.table.len()
                && measured.events.persons.value(next) <= told.events.persons.value(next_told);
        if is_measured {
            measured.write(next, &mut observations);
            next += 1;
        } else {
            told.write(next_told, &mut observations, &mut allergies);
            next_told += 1;
        }
    }
    Ok([observations, allergies])
}

/// Rows of `measurement`.
struct Measured<'a> {
    events: Events<'a>,
    times: &'a TimestampMicrosecondArray,
    values: &'a StringArray,
    units: &'a StringArray,
    numbers: &'a Float64Array,
}

impl<'a> Measured<'a> {
    fn of(chunk: &'a Chunk<'a>) -> Result<Self, Error> {
        let events = Events::of(chunk, Table::Measurement, "measurement_source_concept_id")?;
        let table = events.table;
        Ok(Self {
            events,
            times: table.times("measurement_datetime")?,
            values: table.texts("value_source_value")?,
            units: table.texts("unit_source_value")?,
            numbers: table.numbers("value_as_number")?,
        })
    }

    fn write(&self, row: usize, file: &mut File) {
        let events = &self.events;
        let concept = events.chunk.concept(events.concepts.value(row));
        let category = match concept.map_or("", |concept| &concept.class) {
            "Lab Test" => "laboratory",
            "Survey" => "survey",
            _ => "vital-signs",
        };
        file.row(&[
            &time(self.times, row),
            events.patient(row),
            events.encounter(row),
            category,
            events.code(row),
            events.name(row),
            text(self.values, row),
            text(self.units, row),
            if self.numbers.is_valid(row) { "numeric" } else { "text" },
        ]);
    }
}

/// Rows of `observation`.
struct Told<'a> {
    events: Events<'a>,
    days: &'a Date32Array,
    times: &'a TimestampMicrosecondArray,
    values: &'a StringArray,
    qualifiers: &'a StringArray,
}

impl<'a> Told<'a> {
    fn of(chunk: &'a Chunk<'a>) -> Result<Self, Error> {
        let events = Events::of(chunk, Table::Observation, "observation_source_concept_id")?;
        let table = events.table;
        Ok(Self {
            events,
            days: table.days("observation_date")?,
            times: table.times("observation_datetime")?,
            values: table.texts("value_source_value")?,
            qualifiers: table.texts("qualifier_source_value")?,
        })
    }

    fn write(&self, row: usize, observations: &mut File, allergies: &mut File) {
        let events = &self.events;
        let (patient, encounter) = (events.patient(row), events.encounter(row));
        let (code, name, value) = (events.code(row), events.name(row), text(self.values, row));
        let qualifier = text(self.qualifiers, row);
        let Some(category) = qualifier.strip_prefix("allergy, ") else {
            let when = time(self.times, row);
            observations
                .row(&[&when, patient, encounter, qualifier, code, name, value, "", "text"]);
            return;
        };
        let system = match events.vocabulary(row) {
            "SNOMED" => "SNOMED-CT",
            vocabulary => vocabulary,
        };
        let (reaction, severity) = value.split_once(" (").unwrap_or((value, ""));
        let codes = &events.chunk.csv.codes_by_name;
        let reaction_code = codes.get(reaction).map_or("", String::as_str);
        let severity = severity.trim_end_matches(')');
        let start = day(self.days, row);
        let mut fields = vec![start.as_str(), "", patient, encounter, code, system, name];
        fields.extend(["allergy", category, reaction_code, reaction, severity, "", "", ""]);
        allergies.row(&fields);
    }
}

/// Devices have an identifier, supplies a quantity.
fn devices(chunk: &Chunk) -> Result<[File; 2], Error> {
    let events = Events::of(chunk, Table::DeviceExposure, "device_source_concept_id")?;
    let table = events.table;
    let (days, times) =
        (table.days("device_exposure_start_date")?, table.times("device_exposure_start_datetime")?);
    let (identifiers, quantities) = (table.texts("unique_device_id")?, table.integers("quantity")?);
    let [mut devices, mut supplies] = ["devices", "supplies"].map(File::new);
    for row in 0..table.len() {
        let (patient, encounter) = (events.patient(row), events.encounter(row));
        let (code, name) = (events.code(row), events.name(row));
        if identifiers.is_valid(row) {
            let udi = text(identifiers, row);
            devices.row(&[&time(times, row), "", patient, encounter, code, name, udi]);
        } else {
            let quantity = integer(quantities, row);
            supplies.row(&[&day(days, row), patient, encounter, code, name, &quantity]);
        }
    }
    Ok([devices, supplies])
}
