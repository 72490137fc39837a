//! A chart being written: a life, its dice, and the record so far.

use farr_records::Day;

use crate::codes::{Code, DEATH_CERTIFICATE, IMAGES, Measure};
use crate::life::Life;
use crate::model::{
    Allergy, Careplan, Condition, Device, Encounter, EncounterClass, Immunization, Instant,
    Medication, Observation, Patient, Procedure, Supply, Value,
};
use crate::random::Dice;
use crate::site::{ORGANIZATIONS, PROVIDERS_EACH};
use crate::values;

/// A chart being written.
pub(crate) struct Chart {
    pub(crate) dice: Dice,
    pub(crate) life: Life,
    pub(crate) patient: Patient,
    /// The three providers of a person's own organizations.
    own_provider: usize,
    own_bits: u64,
}

/// Place of an encounter in the chart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit(usize);

impl Chart {
    /// An empty chart of person `number`.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed, number);
        let uuid = uuid(dice.bits(), dice.bits());
        let life = Life::draw(&mut dice);
        let own_bits = dice.bits();
        let own_provider = dice.between(0, PROVIDERS_EACH as i32 - 1) as usize;
        let patient = Patient {
            number,
            uuid,
            birth: life.birth,
            sex: life.sex,
            race: life.race,
            ethnicity: life.ethnicity,
            town: life.town,
            income_dollars: life.income_dollars,
            death: life.death.map(|cause| (life.exit, cause)),
            encounters: Vec::new(),
            conditions: Vec::new(),
            medications: Vec::new(),
            immunizations: Vec::new(),
            procedures: Vec::new(),
            careplans: Vec::new(),
            observations: Vec::new(),
            allergies: Vec::new(),
            devices: Vec::new(),
            supplies: Vec::new(),
            coverage: Vec::new(),
        };
        Self { dice, life, patient, own_provider, own_bits }
    }

    /// An encounter on a day (moved to the exit if that is earlier), by daylight.
    pub(crate) fn visit(&mut self, day: Day, class: EncounterClass, code: &'static Code) -> Visit {
        let minutes = match class {
            EncounterClass::Wellness | EncounterClass::Ambulatory => self.dice.between(15, 45),
            EncounterClass::Outpatient => self.dice.between(30, 120),
            EncounterClass::UrgentCare => self.dice.between(20, 60),
            EncounterClass::Emergency | EncounterClass::Inpatient => self.dice.between(60, 240),
        };
        let second = i64::from(self.dice.between(13 * 3_600, 19 * 3_600));
        let start = Instant::of(day.min(self.life.exit), second);
        self.push_visit(start, start.plus(i64::from(minutes) * 60), class, code)
    }

    /// The certification of death, late on the day of death.
    pub(crate) fn certificate(&mut self, day: Day) -> Visit {
        let latest = self.patient.encounters.iter().map(|e| e.stop).max();
        let start = Instant::of(day, 22 * 3_600).max(latest.unwrap_or(Instant(0)));
        let stop = start.plus(900).min(Instant::of(day, 86_399));
        self.push_visit(start, stop.max(start), EncounterClass::Wellness, &DEATH_CERTIFICATE)
    }

    /// A number in [0, 1) that a person keeps for life, one for each salt.
    pub(crate) fn own_luck(&self, salt: u64) -> f64 {
        let mut bits = self.own_bits ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A stay of so many nights, cut at the exit.
    pub(crate) fn stay(&mut self, day: Day, nights: i32, code: &'static Code) -> Visit {
        let visit = self.visit(day, EncounterClass::Inpatient, code);
        let encounter = &mut self.patient.encounters[visit.0];
        let last = encounter.start.day().plus(nights).min(self.life.exit);
        let second = (encounter.start.0 + 1_800).rem_euclid(86_400);
        encounter.stop = encounter.stop.max(Instant::of(last, second));
        visit
    }

    fn push_visit(
        &mut self,
        start: Instant,
        stop: Instant,
        class: EncounterClass,
        code: &'static Code,
    ) -> Visit {
        let kind = match class {
            EncounterClass::Wellness | EncounterClass::Ambulatory => {
                if self.dice.chance(0.12) {
                    3
                } else {
                    0
                }
            }
            EncounterClass::Outpatient | EncounterClass::Inpatient | EncounterClass::Emergency => 1,
            EncounterClass::UrgentCare => 2,
        };
        let organization = self.life.town * ORGANIZATIONS.len() + kind;
        let provider = organization * PROVIDERS_EACH + self.own_provider;
        self.patient.encounters.push(Encounter { start, stop, class, code, provider });
        Visit(self.patient.encounters.len() - 1)
    }

    /// The encounter of a visit.
    pub(crate) fn encounter(&self, visit: Visit) -> Encounter {
        self.patient.encounters[visit.0]
    }

    /// The day of a visit's start.
    pub(crate) fn day(&self, visit: Visit) -> Day {
        self.encounter(visit).start.day()
    }

    /// A diagnosis at a visit, for so many days or for good.
    pub(crate) fn condition(&mut self, visit: Visit, code: &'static Code, days: Option<i32>) {
        let start = self.day(visit);
        let stop = days.map(|days| start.plus(days));
        self.patient.conditions.push(Condition { start, stop, encounter: visit.0, code });
    }

    /// A diagnosis that ends with the visit.
    pub(crate) fn condition_of_stay(&mut self, visit: Visit, code: &'static Code) {
        let Encounter { start, stop, .. } = self.encounter(visit);
        self.condition(visit, code, Some(stop.day().days_since(start.day())));
    }

    /// A prescription for so many days.
    pub(crate) fn drug(&mut self, visit: Visit, code: &'static Code, days: i32) {
        let start = self.encounter(visit).start;
        let stop = start.plus(i64::from(days) * 86_400);
        let dispenses = i64::from((days / 30).max(1));
        let encounter = visit.0;
        self.patient.medications.push(Medication { start, stop, encounter, code, dispenses });
    }

    /// A vaccination.
    pub(crate) fn vaccine(&mut self, visit: Visit, code: &'static Code) {
        let time = self.encounter(visit).start;
        self.patient.immunizations.push(Immunization { time, encounter: visit.0, code });
    }

    /// A procedure within a visit.
    pub(crate) fn procedure(&mut self, visit: Visit, code: &'static Code) {
        let Encounter { start, stop, .. } = self.encounter(visit);
        let minutes = i64::from(self.dice.between(10, 60));
        let stop = start.plus(minutes * 60).min(stop);
        let image = IMAGES.iter().find(|image| image.0 == code).map(|image| (image.1, image.2));
        self.patient.procedures.push(Procedure { start, stop, encounter: visit.0, code, image });
    }

    /// A care plan from a visit on, for so many days or for good.
    pub(crate) fn careplan(&mut self, visit: Visit, code: &'static Code, days: Option<i32>) {
        let start = self.day(visit);
        let stop = days.map(|days| start.plus(days));
        self.patient.careplans.push(Careplan { start, stop, encounter: visit.0, code });
    }

    /// Measures of a visit, each as the person has it on that day.
    pub(crate) fn measure(&mut self, visit: Visit, panel: &[&'static Measure]) {
        let time = self.encounter(visit).start;
        for measure in panel {
            let value = values::of(&mut self.dice, &self.life, measure, time.day());
            self.patient.observations.push(Observation {
                time,
                encounter: visit.0,
                code: &measure.code,
                value: Value::Number(value, measure.decimals, measure.unit),
            });
        }
    }

    /// An answer or finding in words.
    pub(crate) fn answer(&mut self, visit: Visit, code: &'static Code, text: &'static str) {
        let time = self.encounter(visit).start;
        let value = Value::Text(text);
        self.patient.observations.push(Observation { time, encounter: visit.0, code, value });
    }

    /// An allergy found at a visit.
    pub(crate) fn allergy(
        &mut self,
        visit: Visit,
        code: &'static Code,
        category: &'static str,
        reaction: &'static Code,
        severity: &'static str,
    ) {
        let start = self.day(visit);
        let encounter = visit.0;
        self.patient.allergies.push(Allergy {
            start,
            encounter,
            code,
            category,
            reaction,
            severity,
        });
    }

    /// A device given at a visit, kept for good.
    pub(crate) fn device(&mut self, visit: Visit, code: &'static Code) {
        let start = self.encounter(visit).start;
        let serial = self.dice.bits() % 100_000_000_000_000;
        self.patient.devices.push(Device { start, encounter: visit.0, code, serial });
    }

    /// A supply given at a visit.
    pub(crate) fn supply(&mut self, visit: Visit, code: &'static Code, quantity: i64) {
        let day = self.day(visit);
        self.patient.supplies.push(Supply { day, encounter: visit.0, code, quantity });
    }

    /// The patient, with everything in order of time and nothing after the
    /// end of observation: the last encounter's, or the day of death.
    pub(crate) fn finish(mut self) -> Patient {
        let patient = &mut self.patient;
        let mut order: Vec<usize> = (0..patient.encounters.len()).collect();
        order.sort_by_key(|place| patient.encounters[*place].start);
        let mut moved = vec![0; order.len()];
        for (to, from) in order.iter().enumerate() {
            moved[*from] = to;
        }
        patient.encounters = order.iter().map(|from| patient.encounters[*from]).collect();
        let end = patient.encounters.iter().map(|e| e.stop).max().unwrap_or(Instant(0));
        let last = end.day();
        for condition in &mut patient.conditions {
            condition.encounter = moved[condition.encounter];
            condition.stop = condition.stop.filter(|stop| *stop <= last);
        }
        patient.conditions.sort_by_key(|c| (c.start, c.encounter));
        for drug in &mut patient.medications {
            drug.encounter = moved[drug.encounter];
            drug.stop = drug.stop.min(end).max(drug.start);
        }
        patient.medications.sort_by_key(|m| (m.start, m.encounter));
        for procedure in &mut patient.procedures {
            procedure.encounter = moved[procedure.encounter];
        }
        patient.procedures.sort_by_key(|p| (p.start, p.encounter));
        for plan in &mut patient.careplans {
            plan.encounter = moved[plan.encounter];
            plan.stop = plan.stop.filter(|stop| *stop <= last);
        }
        patient.careplans.sort_by_key(|p| (p.start, p.encounter));
        patient.immunizations.iter_mut().for_each(|i| i.encounter = moved[i.encounter]);
        patient.immunizations.sort_by_key(|i| (i.time, i.encounter));
        patient.observations.iter_mut().for_each(|o| o.encounter = moved[o.encounter]);
        patient.observations.sort_by_key(|o| (o.time, o.encounter));
        patient.allergies.iter_mut().for_each(|a| a.encounter = moved[a.encounter]);
        patient.allergies.sort_by_key(|a| (a.start, a.encounter));
        patient.devices.iter_mut().for_each(|d| d.encounter = moved[d.encounter]);
        patient.devices.sort_by_key(|d| (d.start, d.encounter));
        patient.supplies.iter_mut().for_each(|s| s.encounter = moved[s.encounter]);
        patient.supplies.sort_by_key(|s| (s.day, s.encounter));
        patient.coverage.retain(|span| span.start <= last);
        for span in &mut patient.coverage {
            span.end = span.end.min(last);
        }
        self.patient
    }
}

/// A UUID of 128 random bits, of version 4.
pub(crate) fn uuid(high: u64, low: u64) -> String {
    let high = high & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
