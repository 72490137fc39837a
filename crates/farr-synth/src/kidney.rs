//! Chronic kidney disease: stages, dialysis, transplants.

use farr_records::Day;

use crate::care::some_day;
use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::model::EncounterClass::{Ambulatory, Outpatient};
use crate::values::stage;

fn code_of(stage: i32) -> &'static Code {
    match stage {
        ..=1 => &CKD_1,
        2 => &CKD_2,
        3 => &CKD_3,
        4 => &CKD_4,
        _ => &ESRD,
    }
}

/// The stage that a person already has at entry.
pub(crate) fn known(chart: &mut Chart, visit: Visit) {
    let now = stage(&chart.life, chart.day(visit));
    chart.condition(visit, code_of(now), None);
}

/// The first diagnosis.
pub(crate) fn begin(chart: &mut Chart, day: Day) {
    let visit = chart.visit(day, Ambulatory, &PROBLEM_VISIT);
    known(chart, visit);
    chart.measure(visit, METABOLIC_PANEL);
    chart.measure(visit, &[&FILTRATION_RATE, &ALBUMIN_CREATININE]);
}

/// A year: a new stage, or dialysis.
pub(crate) fn year(chart: &mut Chart, from: Day, to: Day, part: f64) {
    let (before, after) = (stage(&chart.life, from), stage(&chart.life, to));
    if before > 0 && after > before {
        let visit = chart.visit(to, Ambulatory, &FOLLOW_UP);
        chart.condition(visit, code_of(after), None);
        chart.measure(visit, &[&FILTRATION_RATE, &CREATININE]);
        if after == 4 && chart.dice.chance(0.5) {
            chart.condition(visit, &AWAITING_KIDNEY, None);
        }
        if after == 5 {
            chart.careplan(visit, &DIALYSIS_PLAN, None);
        }
    }
    if before < 5 {
        return;
    }
    // By a person's own luck, one in four has a transplant by the third year.
    if chart.own_luck(801) < 0.25 {
        transplanted(chart, from, to, part);
    } else {
        dialysis(chart, from, to);
    }
}

/// Dialysis twice a week.
fn dialysis(chart: &mut Chart, from: Day, to: Day) {
    let mut day = from.plus(chart.dice.between(0, 6));
    while day <= to {
        let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
        let kind = if chart.own_luck(802) < 0.5 { &HEMODIALYSIS } else { &RENAL_DIALYSIS };
        chart.procedure(visit, kind);
        if chart.dice.chance(0.2) {
            chart.measure(visit, &[&UREA_NITROGEN, &POTASSIUM, &HEMOGLOBIN]);
            chart.drug(visit, &EPOETIN, 7);
        }
        day = day.plus(if chart.dice.chance(0.5) { 3 } else { 4 });
    }
}

fn transplanted(chart: &mut Chart, from: Day, to: Day, part: f64) {
    let day = some_day(chart, from, to);
    let done = chart.patient.procedures.iter().any(|p| p.code == &KIDNEY_TRANSPLANT);
    if !done {
        let nights = chart.dice.between(5, 12);
        let visit = chart.stay(day, nights, &SURGICAL_ADMISSION);
        chart.procedure(visit, &KIDNEY_TRANSPLANT);
        chart.condition(visit, &KIDNEY_TRANSPLANT_HISTORY, None);
        chart.measure(visit, HOSPITAL_PANEL);
    }
    let choices: [&'static Code; 4] = [&TACROLIMUS_5, &TACROLIMUS_1, &SIROLIMUS, &CYCLOSPORINE];
    let own = choices[(chart.own_luck(803) * 4.0) as usize];
    for _ in 0..chart.dice.count(5.0 * part) {
        let day = some_day(chart, from, to);
        let visit = chart.visit(day, Ambulatory, &FOLLOW_UP);
        chart.drug(visit, own, 90);
        chart.measure(visit, &[&CREATININE, &FILTRATION_RATE]);
    }
    if chart.dice.chance(0.03 * part) {
        let visit = chart.visit(day, Ambulatory, &PROBLEM_VISIT);
        chart.condition(visit, &KIDNEY_TRANSPLANT_FAILURE, None);
    }
}
