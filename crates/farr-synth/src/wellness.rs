//! Check-ups, screening and vaccinations.

use farr_records::Day;

use crate::care::some_day;
use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::disease::Disease;
use crate::model::EncounterClass::{Outpatient, Wellness};
use crate::model::Sex;
use crate::social;

/// A general examination with vital signs.
pub(crate) fn examination(chart: &mut Chart, day: Day) -> Visit {
    let age = chart.life.age(day);
    let code = if age < 18 { &WELL_CHILD_VISIT } else { &GENERAL_EXAMINATION };
    let visit = chart.visit(day, Wellness, code);
    if age < 18 || chart.dice.chance(0.25) {
        chart.measure(visit, &[&HEIGHT]);
    }
    chart.measure(visit, &[&WEIGHT]);
    match age {
        0..=1 => chart.measure(visit, &[&HEAD_CIRCUMFERENCE]),
        2..=17 => chart.measure(visit, &[&BMI_PERCENTILE]),
        _ => chart.measure(visit, &[&BODY_MASS_INDEX, &SYSTOLIC, &DIASTOLIC]),
    }
    visit
}

/// What is done at birth.
pub(crate) fn newborn(chart: &mut Chart, visit: Visit) {
    chart.procedure(visit, &NEWBORN_SCREENING);
    chart.procedure(visit, &HEARING_EXAMINATION);
    chart.vaccine(visit, &HEPATITIS_B_CHILD);
    if chart.dice.chance(0.09) {
        chart.condition(visit, &PREMATURE_BIRTH, None);
    }
}

/// Months of age at which children are vaccinated, and with what.
static CHILD_SCHEDULE: &[(i32, &[&Code])] = &[
    (1, &[&HEPATITIS_B_CHILD]),
    (2, &[&ROTAVIRUS, &DTAP, &HIB, &POLIO, &PNEUMOCOCCAL_13]),
    (4, &[&ROTAVIRUS, &DTAP, &HIB, &POLIO, &PNEUMOCOCCAL_13]),
    (6, &[&HEPATITIS_B_CHILD, &DTAP, &POLIO, &PNEUMOCOCCAL_13]),
    (12, &[&HIB, &PNEUMOCOCCAL_13, &MEASLES_MUMPS_RUBELLA, &VARICELLA, &HEPATITIS_A_CHILD]),
    (15, &[&DTAP]),
    (18, &[&HEPATITIS_A_CHILD]),
    (48, &[&DTAP, &POLIO, &MEASLES_MUMPS_RUBELLA, &VARICELLA]),
    (132, &[&TDAP, &PAPILLOMAVIRUS, &MENINGOCOCCAL]),
    (138, &[&PAPILLOMAVIRUS]),
    (192, &[&MENINGOCOCCAL]),
];

/// A year's check-ups.
pub(crate) fn year(chart: &mut Chart, from: Day, to: Day, part: f64) {
    child_visits(chart, from, to);
    let age = chart.life.age(from);
    let ill = chart.life.diseases(from).any(|profile| profile.visits >= 0.5);
    let mean = match age {
        0..=1 => 0.0,
        2..=17 => 0.2,
        18..=44 => 0.14 + if ill { 0.1 } else { 0.0 },
        45..=64 => 0.22 + if ill { 0.12 } else { 0.0 },
        _ => 0.38,
    };
    if chart.dice.chance(mean * part * (0.5 + 0.5 * chart.life.demand).min(2.0)) {
        let day = some_day(chart, from, to);
        let visit = examination(chart, day);
        if age >= 18 {
            adult(chart, visit, age);
        }
        shots(chart, visit, age);
    } else if chart.dice.chance(0.08 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Outpatient, &VACCINATION_VISIT);
        shots(chart, visit, age);
    }
    if age >= 40 {
        screening(chart, from, to, age, part);
    }
}

fn child_visits(chart: &mut Chart, from: Day, to: Day) {
    for (months, vaccines) in CHILD_SCHEDULE {
        let late = chart.dice.between(0, 20);
        let day = chart.life.birth.plus((f64::from(*months) * 30.44) as i32 + late);
        if day < from || day > to || day <= chart.life.entry || !chart.dice.chance(0.85) {
            continue;
        }
        let visit = examination(chart, day);
        vaccines.iter().for_each(|vaccine| chart.vaccine(visit, vaccine));
    }
}

fn adult(chart: &mut Chart, visit: Visit, age: i32) {
    if chart.dice.chance(if age >= 45 { 0.14 } else { 0.06 }) {
        chart.measure(visit, LIPID_PANEL);
        chart.measure(visit, METABOLIC_PANEL);
    }
    if chart.dice.chance(0.07) {
        chart.measure(visit, BLOOD_PANEL);
        chart.procedure(visit, &BLOOD_COUNT);
    }
    if chart.dice.chance(0.06) {
        chart.measure(visit, LIVER_PANEL);
    }
    if chart.dice.chance(0.06) {
        chart.measure(visit, URINE_PANEL);
    }
    social::interview(chart, visit, age);
}

fn shots(chart: &mut Chart, visit: Visit, age: i32) {
    if chart.dice.chance(0.5) {
        chart.vaccine(visit, if age >= 65 { &INFLUENZA_HIGH_DOSE } else { &INFLUENZA });
    }
    // From 2021 on.
    if chart.day(visit) >= Day(18_628) && age >= 12 && chart.dice.chance(0.45) {
        let choices: [&'static Code; 5] =
            [&COVID_PFIZER, &COVID_PFIZER, &COVID_MODERNA, &COVID_MODERNA, &COVID_JANSSEN];
        let code = *chart.dice.pick(&choices);
        chart.vaccine(visit, code);
    }
    if age >= 20 && chart.dice.chance(0.09) {
        chart.vaccine(visit, &TD);
    }
    if (20..60).contains(&age) && chart.dice.chance(0.03) {
        chart.vaccine(visit, &HEPATITIS_B_ADULT);
        chart.vaccine(visit, &HEPATITIS_A_ADULT);
    }
    if age >= 60 && chart.dice.chance(0.1) {
        let modern = chart.day(visit) >= Day(17_532);
        chart.vaccine(visit, if modern { &ZOSTER_RECOMBINANT } else { &ZOSTER_LIVE });
    }
    if age >= 65 && chart.dice.chance(0.1) {
        chart.vaccine(visit, &PNEUMOCOCCAL_23);
    }
}

/// Screening for cancer and brittle bones.
fn screening(chart: &mut Chart, from: Day, to: Day, age: i32, part: f64) {
    let woman = chart.life.sex == Sex::Female;
    if woman && (45..75).contains(&age) && chart.dice.chance(0.2 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
        chart.procedure(visit, &SCREENING_MAMMOGRAPHY);
    }
    if (45..76).contains(&age) && chart.dice.chance(0.07 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
        chart.procedure(visit, &COLONOSCOPY);
        if chart.life.has(Disease::ColonPolyp, day) {
            chart.procedure(visit, &POLYPECTOMY);
        }
    }
    if (45..76).contains(&age) && chart.dice.chance(0.05 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Wellness, &CHECK_UP);
        chart.procedure(visit, &OCCULT_BLOOD_SCREENING);
        chart.answer(visit, &OCCULT_BLOOD, "Negative");
    }
    if !woman && (50..75).contains(&age) && chart.dice.chance(0.07 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Wellness, &CHECK_UP);
        chart.procedure(visit, &RECTAL_EXAMINATION);
        chart.measure(visit, &[&PROSTATE_ANTIGEN]);
    }
    if woman && age >= 65 && chart.dice.chance(0.08 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
        chart.procedure(visit, &BONE_DENSITY);
        chart.measure(visit, &[&BONE_DENSITY_SCORE]);
    }
}
