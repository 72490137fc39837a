//! Heart attacks, strokes, failure of the heart.

use farr_records::Day;

use crate::care::{diagnose, hospital_course};
use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::disease::{Disease, PROFILES};
use crate::model::EncounterClass::{Ambulatory, Emergency};

/// Two in five find out by an attack.
pub(crate) fn begins_with_attack(chart: &mut Chart) -> bool {
    chart.dice.chance(0.4)
}

/// A heart attack: emergency room, catheter, stent or surgery, follow-up.
pub(crate) fn attack(chart: &mut Chart, day: Day) -> Visit {
    let emergency = chart.visit(day, Emergency, &EMERGENCY_VISIT);
    chart.procedure(emergency, &ELECTROCARDIOGRAM);
    chart.measure(emergency, &[&TROPONIN, &CREATINE_KINASE, &HEART_RATE]);
    chart.drug(emergency, &ASPIRIN_325, 1);
    chart.drug(emergency, &MORPHINE, 1);
    let nights = chart.dice.between(2, 8);
    let visit = chart.stay(day, nights, &EMERGENCY_ADMISSION);
    let elevated = chart.dice.chance(0.4);
    let code = if elevated { &MYOCARDIAL_INFARCTION_STEMI } else { &MYOCARDIAL_INFARCTION_NSTEMI };
    chart.condition_of_stay(visit, code);
    chart.condition(visit, &HISTORY_OF_MYOCARDIAL_INFARCTION, None);
    chart.condition(visit, &ABNORMAL_HEART_IMAGING, None);
    chart.procedure(visit, &CORONARY_ANGIOGRAPHY);
    chart.drug(visit, &HEPARIN, 2);
    chart.measure(visit, HOSPITAL_PANEL);
    if chart.dice.chance(0.7) {
        chart.procedure(visit, &PERCUTANEOUS_INTERVENTION);
        chart.device(visit, &CORONARY_STENT);
    } else if chart.dice.chance(0.5) {
        chart.procedure(visit, &CORONARY_BYPASS);
        chart.condition(visit, &HISTORY_OF_BYPASS, None);
        chart.drug(visit, &PROPOFOL, 1);
        chart.drug(visit, &FENTANYL_INJECTION, 2);
        if chart.dice.chance(0.1) {
            chart.condition_of_stay(visit, &POSTOPERATIVE_COMPLICATION);
        }
    }
    if chart.dice.chance(0.08) {
        chart.condition_of_stay(visit, &CARDIAC_ARREST);
        chart.condition(visit, &HISTORY_OF_CARDIAC_ARREST, None);
        chart.procedure(visit, &DEFIBRILLATION);
        chart.device(visit, &DEFIBRILLATOR);
    }
    hospital_course(chart, visit, nights);
    visit
}

/// A stroke: emergency room, images, lysis, rehabilitation.
pub(crate) fn stroke(chart: &mut Chart, day: Day) {
    let emergency = chart.visit(day, Emergency, &EMERGENCY_VISIT);
    chart.procedure(emergency, &HEAD_CT);
    chart.measure(emergency, &[&SYSTOLIC, &DIASTOLIC, &GLUCOSE_SERUM, &INR, &PROTHROMBIN_TIME]);
    let nights = chart.dice.between(3, 14);
    let visit = chart.stay(day, nights, &EMERGENCY_ADMISSION);
    chart.condition(visit, &STROKE, None);
    if chart.dice.chance(0.25) {
        chart.drug(visit, &ALTEPLASE_INJECTION, 1);
    }
    if chart.dice.chance(0.1) {
        chart.procedure(visit, &THROMBECTOMY);
    }
    for procedure in [&SPEECH_THERAPY, &OCCUPATIONAL_THERAPY, &PHYSICAL_THERAPY] {
        if chart.dice.chance(0.5) {
            chart.procedure(visit, procedure);
        }
    }
    hospital_course(chart, visit, nights);
    diagnose(chart, &PROFILES[Disease::Stroke as usize], visit);
    let sessions = chart.dice.between(0, 10);
    for week in 1..=sessions {
        let day = day.plus(nights + week * 7);
        if day > chart.life.exit {
            return;
        }
        let visit = chart.visit(day, Ambulatory, &FOLLOW_UP);
        chart.procedure(visit, &REHABILITATION);
    }
    if chart.dice.chance(0.3) {
        let visit = chart.visit(day.plus(nights), Ambulatory, &FOLLOW_UP);
        let devices: [&'static Code; 3] = [&WALKER, &WHEELCHAIR, &POWER_WHEELCHAIR];
        let code = *chart.dice.pick(&devices);
        chart.device(visit, code);
    }
}

/// What a new diagnosis of heart failure leads to.
pub(crate) fn failure_workup(chart: &mut Chart, visit: Visit) {
    chart.procedure(visit, &ECHOCARDIOGRAM);
    chart.procedure(visit, &NYHA_ASSESSMENT);
    let classes = ["NYHA class I", "NYHA class II", "NYHA class II", "NYHA class III"];
    let class = *chart.dice.pick(&classes);
    chart.answer(visit, &NYHA_CLASS, class);
    chart.condition(visit, &DYSPNEA, None);
    if chart.dice.chance(0.1) {
        let day = chart.day(visit).plus(chart.dice.between(30, 300));
        if day <= chart.life.exit {
            let nights = chart.dice.between(1, 4);
            let visit = chart.stay(day, nights, &SURGICAL_ADMISSION);
            if chart.dice.chance(0.85) {
                chart.procedure(visit, &DEFIBRILLATOR_IMPLANT);
                let code = if chart.dice.chance(0.6) { &DEFIBRILLATOR } else { &PACEMAKER };
                chart.device(visit, code);
            } else {
                chart.procedure(visit, &VENTRICULAR_ASSIST);
            }
            hospital_course(chart, visit, nights);
        }
    }
}
