//! A person's record, in the terms of Synthea's CSV of 2024.

use farr_records::Day;

use crate::codes::Code;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// A second of a day.
    pub fn of(day: Day, second: i64) -> Self {
        Self(i64::from(day.0) * 86_400 + second)
    }

    /// The UTC day.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(86_400) as i32)
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }
}

/// A person's sex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// Women and girls.
    Female,
    /// Men and boys.
    Male,
}

/// Synthea's classes of encounters that the population has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncounterClass {
    /// Check-ups of the well.
    Wellness,
    /// A visit to a doctor.
    Ambulatory,
    /// A hospital's clinic, without a night.
    Outpatient,
    /// Urgent care.
    UrgentCare,
    /// An emergency room.
    Emergency,
    /// A stay in hospital.
    Inpatient,
}

impl EncounterClass {
    /// Synthea's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wellness => "wellness",
            Self::Ambulatory => "ambulatory",
            Self::Outpatient => "outpatient",
            Self::UrgentCare => "urgentcare",
            Self::Emergency => "emergency",
            Self::Inpatient => "inpatient",
        }
    }
}

/// A person and everything recorded of them; events are in order of start.
#[derive(Debug, Clone)]
pub struct Patient {
    /// Which person of the population, from 0.
    pub number: u64,
    /// The identifier, a UUID.
    pub uuid: String,
    /// Day of birth.
    pub birth: Day,
    /// Sex.
    pub sex: Sex,
    /// Synthea's word for race.
    pub race: &'static str,
    /// Synthea's word for ethnicity.
    pub ethnicity: &'static str,
    /// Which town of the site's list they live in.
    pub town: usize,
    /// Yearly income of the household, dollars.
    pub income_dollars: i32,
    /// Day and cause of death.
    pub death: Option<(Day, &'static Code)>,
    /// Encounters; events name them by place.
    pub encounters: Vec<Encounter>,
    /// Diagnoses and findings.
    pub conditions: Vec<Condition>,
    /// Prescriptions.
    pub medications: Vec<Medication>,
    /// Vaccinations.
    pub immunizations: Vec<Immunization>,
    /// Procedures; imaging studies are procedures with a modality.
    pub procedures: Vec<Procedure>,
    /// Care plans.
    pub careplans: Vec<Careplan>,
    /// Laboratory values, vital signs, scores and answers.
    pub observations: Vec<Observation>,
    /// Allergies.
    pub allergies: Vec<Allergy>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Supplies.
    pub supplies: Vec<Supply>,
    /// Coverage, year by year.
    pub coverage: Vec<Coverage>,
}

/// An encounter.
#[derive(Debug, Clone, Copy)]
pub struct Encounter {
    /// From when.
    pub start: Instant,
    /// Until when.
    pub stop: Instant,
    /// What kind of care.
    pub class: EncounterClass,
    /// What it is, by SNOMED.
    pub code: &'static Code,
    /// Which provider of the site's list gave it.
    pub provider: usize,
}

/// A diagnosis or finding.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// From when.
    pub start: Day,
    /// Until when, if it ended while observed.
    pub stop: Option<Day>,
    /// Place of the encounter.
    pub encounter: usize,
    /// SNOMED code.
    pub code: &'static Code,
}

/// A prescription.
#[derive(Debug, Clone, Copy)]
pub struct Medication {
    /// From when.
    pub start: Instant,
    /// Until when.
    pub stop: Instant,
    /// Place of the encounter.
    pub encounter: usize,
    /// `RxNorm` code.
    pub code: &'static Code,
    /// How often it is dispensed.
    pub dispenses: i64,
}

/// A vaccination.
#[derive(Debug, Clone, Copy)]
pub struct Immunization {
    /// When.
    pub time: Instant,
    /// Place of the encounter.
    pub encounter: usize,
    /// CVX code.
    pub code: &'static Code,
}

/// A procedure.
#[derive(Debug, Clone, Copy)]
pub struct Procedure {
    /// From when.
    pub start: Instant,
    /// Until when.
    pub stop: Instant,
    /// Place of the encounter.
    pub encounter: usize,
    /// SNOMED code.
    pub code: &'static Code,
    /// Modality and body site, if an image was made.
    pub image: Option<(&'static Code, &'static Code)>,
}

/// A care plan.
#[derive(Debug, Clone, Copy)]
pub struct Careplan {
    /// From when.
    pub start: Day,
    /// Until when, if it ended while observed.
    pub stop: Option<Day>,
    /// Place of the encounter.
    pub encounter: usize,
    /// SNOMED code.
    pub code: &'static Code,
}

/// What was observed.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// A number, with digits after the point and unit.
    Number(f64, u8, &'static str),
    /// A text.
    Text(&'static str),
}

/// A laboratory value, vital sign, score or answer.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// When.
    pub time: Instant,
    /// Place of the encounter.
    pub encounter: usize,
    /// LOINC code.
    pub code: &'static Code,
    /// What was found.
    pub value: Value,
}

/// An allergy.
#[derive(Debug, Clone, Copy)]
pub struct Allergy {
    /// Since when it is known.
    pub start: Day,
    /// Place of the encounter.
    pub encounter: usize,
    /// SNOMED or `RxNorm` code.
    pub code: &'static Code,
    /// `food`, `environment` or `medication`.
    pub category: &'static str,
    /// How it shows.
    pub reaction: &'static Code,
    /// How strongly: `MILD`, `MODERATE` or `SEVERE`.
    pub severity: &'static str,
}

/// A device.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    /// From when; it is kept.
    pub start: Instant,
    /// Place of the encounter.
    pub encounter: usize,
    /// SNOMED code.
    pub code: &'static Code,
    /// Serial number in the unique device identifier.
    pub serial: u64,
}

/// A supply.
#[derive(Debug, Clone, Copy)]
pub struct Supply {
    /// When.
    pub day: Day,
    /// Place of the encounter.
    pub encounter: usize,
    /// SNOMED code.
    pub code: &'static Code,
    /// How many.
    pub quantity: i64,
}

/// A span under one payer.
#[derive(Debug, Clone, Copy)]
pub struct Coverage {
    /// First day.
    pub start: Day,
    /// Last day.
    pub end: Day,
    /// Which payer of the site's list.
    pub payer: usize,
}
