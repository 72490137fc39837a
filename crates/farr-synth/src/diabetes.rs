//! Type 2 diabetes: drugs by its duration, supplies, complications.

use farr_records::Day;

use crate::care::some_day;
use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::disease::Disease;
use crate::model::EncounterClass::{Ambulatory, Outpatient};

/// The means to measure glucose at home, and what comes with the diagnosis.
pub(crate) fn equip(chart: &mut Chart, visit: Visit) {
    if chart.own_luck(701) < 0.6 {
        chart.device(visit, &GLUCOSE_METER);
        chart.procedure(visit, &GLUCOSE_SELF_MONITORING);
    }
    let day = chart.day(visit);
    if chart.life.has(Disease::Obesity, day) && chart.life.has(Disease::Hypertension, day) {
        chart.condition(visit, &METABOLIC_SYNDROME, None);
    }
    if chart.dice.chance(0.3) {
        chart.condition(visit, &HYPERTRIGLYCERIDEMIA, None);
        chart.measure(visit, LIPID_PANEL);
    }
    if chart.dice.chance(0.3) {
        chart.condition(visit, &HYPERGLYCEMIA, Some(60));
    }
}

/// Metformin first, insulin after years; newer drugs for some.
pub(crate) fn prescribe(chart: &mut Chart, visit: Visit, years: f64) {
    let days = 90;
    if chart.own_luck(702) < 0.85 {
        chart.drug(visit, &METFORMIN, days);
    }
    let until_insulin = 3.0 + 14.0 * chart.own_luck(703);
    if years > until_insulin {
        chart.drug(visit, &INSULIN_70_30, days);
        if chart.own_luck(704) < 0.3 {
            chart.drug(visit, &INSULIN_LISPRO, days);
        }
    }
    if years > 2.0 && chart.day(visit) > Day(16_436) {
        match chart.own_luck(705) {
            luck if luck < 0.12 => chart.drug(visit, &LIRAGLUTIDE, days),
            luck if luck < 0.25 => chart.drug(visit, &CANAGLIFLOZIN, days),
            _ => {}
        }
    }
    if chart.own_luck(701) < 0.6 && chart.dice.chance(0.35) {
        chart.supply(visit, &TEST_STRIPS, 100);
        chart.supply(visit, &LANCETS, 100);
    }
}

/// A year's steps of the complications.
pub(crate) fn year(chart: &mut Chart, from: Day, to: Day, part: f64) {
    if let Some(years) = chart.life.years_with(Disease::Retinopathy, from) {
        let steps: [(&'static Code, f64); 4] = [
            (&NONPROLIFERATIVE_RETINOPATHY, 1.0),
            (&PROLIFERATIVE_RETINOPATHY, 4.0),
            (&MACULAR_EDEMA, 7.0),
            (&DIABETIC_BLINDNESS, 13.0),
        ];
        step(chart, &steps, years, 711, from, to, part);
    }
    if let Some(years) = chart.life.years_with(Disease::Nephropathy, from) {
        let steps: [(&'static Code, f64); 2] = [(&MICROALBUMINURIA, 1.0), (&PROTEINURIA, 4.0)];
        step(chart, &steps, years, 712, from, to, part);
    }
}

/// A step of a complication is found in the year in which it is due.
fn step(
    chart: &mut Chart,
    steps: &[(&'static Code, f64)],
    years: f64,
    salt: u64,
    from: Day,
    to: Day,
    part: f64,
) {
    let pace = 0.6 + 1.6 * chart.own_luck(salt);
    for (code, due) in steps {
        let due = due * pace;
        if due >= years && due < years + part {
            let day = some_day(chart, from, to);
            let visit = chart.visit(day, Outpatient, &CONSULTATION);
            chart.condition(visit, code, None);
            chart.measure(visit, &[&HBA1C, &GLUCOSE]);
            if salt == 712 {
                chart.measure(visit, &[&ALBUMIN_CREATININE, &FILTRATION_RATE]);
            }
        }
    }
    if salt == 711 && chart.dice.chance(0.5 * part) {
        let day = some_day(chart, from, to);
        chart.visit(day, Ambulatory, &FOLLOW_UP);
    }
}
