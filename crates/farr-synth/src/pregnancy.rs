//! Pregnancies and contraception.

use farr_records::Day;

use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::model::EncounterClass::{Ambulatory, Emergency, Outpatient};
use crate::model::Sex;

/// All pregnancies of a woman under observation, and the contraception between.
pub(crate) fn pregnancies(chart: &mut Chart) {
    if chart.life.sex == Sex::Male {
        if chart.dice.chance(0.01) && (30..50).contains(&chart.life.age(chart.life.entry)) {
            let day = chart.life.entry.plus(chart.dice.between(10, 700));
            if day <= chart.life.exit {
                let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
                chart.procedure(visit, &VASECTOMY);
            }
        }
        return;
    }
    let mut day = chart.life.entry;
    while day < chart.life.exit {
        let rate = match chart.life.age(day) {
            16..20 => 0.03,
            20..25 => 0.07,
            25..35 => 0.1,
            35..40 => 0.055,
            40..45 => 0.012,
            _ => 0.0,
        };
        let start = day.plus(chart.dice.between(0, 364));
        if chart.dice.chance(rate) && start < chart.life.exit {
            day = pregnancy(chart, start).plus(150);
        } else {
            if (16..46).contains(&chart.life.age(day)) {
                contraception(chart, start);
            }
            day = day.plus(365);
        }
    }
}

fn contraception(chart: &mut Chart, day: Day) {
    if day > chart.life.exit || chart.own_luck(601) > 0.45 || !chart.dice.chance(0.6) {
        return;
    }
    let pills: [&'static Code; 6] = [
        &CONTRACEPTIVE_JOLIVETTE,
        &CONTRACEPTIVE_CAMILA,
        &CONTRACEPTIVE_TRINESSA,
        &CONTRACEPTIVE_NATAZIA,
        &CONTRACEPTIVE_YAZ,
        &CONTRACEPTIVE_LEVORA,
    ];
    let luck = chart.own_luck(602);
    let visit = chart.visit(day, Ambulatory, &CONSULTATION);
    if luck < 0.7 {
        let own = pills[(luck / 0.7 * 6.0) as usize];
        chart.drug(visit, own, 336);
    } else if luck < 0.8 {
        chart.drug(visit, &MEDROXYPROGESTERONE, 90);
    } else if luck < 0.9 && chart.dice.chance(0.4) {
        chart.procedure(visit, &IMPLANT_INSERTION);
        chart.drug(visit, &ETONOGESTREL_IMPLANT, 1_000);
    } else if chart.dice.chance(0.4) {
        chart.procedure(visit, &DEVICE_INSERTION);
        chart.drug(visit, &LEVONORGESTREL_DEVICE, 1_800);
    }
    if chart.dice.chance(0.3) {
        chart.procedure(visit, &CERVICAL_SMEAR);
    }
}

/// A pregnancy from its first visit on; gives the day on which it ended.
fn pregnancy(chart: &mut Chart, start: Day) -> Day {
    let visit = chart.visit(start, Ambulatory, &PRENATAL_INITIAL);
    for procedure in [
        &PREGNANCY_TEST,
        &FETAL_ULTRASOUND,
        &BLOOD_GROUPING,
        &RUBELLA_SCREENING,
        &CHLAMYDIA_TEST,
        &HIV_TEST,
        &CERVICAL_SMEAR,
    ] {
        if chart.dice.chance(0.6) {
            chart.procedure(visit, procedure);
        }
    }
    chart.measure(visit, &[&WEIGHT, &SYSTOLIC, &DIASTOLIC, &HEMOGLOBIN]);
    let fate = chart.dice.unit();
    if fate < 0.17 {
        return loss(chart, visit, start, fate / 0.17);
    }
    let length = 225 + chart.dice.between(-24, 12);
    let risky = chart.dice.chance(0.06);
    let code = if risky { &HIGH_RISK_PREGNANCY } else { &NORMAL_PREGNANCY };
    chart.condition(visit, code, Some(length));
    chart.careplan(visit, &ANTENATAL_PLAN, Some(length));
    let mut day = start.plus(28);
    while day < start.plus(length) && day <= chart.life.exit {
        prenatal(chart, day, day.days_since(start));
        day = day.plus(28);
    }
    let birth = start.plus(length);
    if birth <= chart.life.exit {
        delivery(chart, birth, risky);
    }
    birth
}

fn prenatal(chart: &mut Chart, day: Day, since: i32) {
    let visit = chart.visit(day, Ambulatory, &PRENATAL_VISIT);
    chart.procedure(visit, &FETAL_HEART);
    if chart.dice.chance(0.6) {
        chart.procedure(visit, &FUNDAL_HEIGHT);
    }
    chart.measure(visit, &[&SYSTOLIC, &DIASTOLIC]);
    match since {
        84 => chart.procedure(visit, &FETAL_ANATOMY),
        140 => {
            chart.procedure(visit, &GLUCOSE_TOLERANCE);
            chart.measure(visit, &[&GLUCOSE]);
        }
        168 => chart.vaccine(visit, &TDAP),
        _ => {}
    }
}

/// A pregnancy that ends early; `share` in [0, 1) tells how.
fn loss(chart: &mut Chart, visit: Visit, start: Day, share: f64) -> Day {
    let weeks = if share < 0.75 { 4 } else { 9 };
    let end = start.plus(weeks * 7 - chart.dice.between(0, 20));
    chart.condition(visit, &NORMAL_PREGNANCY, Some(end.days_since(start)));
    if end > chart.life.exit {
        return end;
    }
    let visit = chart.visit(end, Emergency, &OBSTETRIC_EMERGENCY);
    if share < 0.75 {
        chart.condition(visit, &MISCARRIAGE_FIRST, Some(20));
    } else if share < 0.83 {
        chart.condition(visit, &MISCARRIAGE_SECOND, Some(20));
    } else if share < 0.92 {
        chart.condition(visit, &BLIGHTED_OVUM, Some(20));
    } else {
        chart.condition(visit, &TUBAL_PREGNANCY, Some(20));
        chart.procedure(visit, &ECTOPIC_SURGERY);
    }
    end
}

fn delivery(chart: &mut Chart, day: Day, risky: bool) {
    let nights = chart.dice.between(1, 4);
    let visit = chart.stay(day, nights, &HOSPITAL_ADMISSION);
    if risky || chart.dice.chance(0.03) {
        chart.condition(visit, &PREECLAMPSIA, Some(nights));
        if chart.dice.chance(0.1) {
            chart.condition(visit, &ECLAMPSIA, Some(nights));
        }
    }
    if chart.dice.chance(0.32) {
        chart.procedure(visit, &CESAREAN_SECTION);
        chart.drug(visit, &CEFAZOLIN, 1);
        if chart.dice.chance(0.1) {
            chart.procedure(visit, &TUBAL_LIGATION);
        }
    } else {
        for (procedure, share) in [
            (&LABOR_INDUCTION, 0.25),
            (&LABOR_AUGMENTATION, 0.15),
            (&EPIDURAL, 0.6),
            (&EPISIOTOMY, 0.1),
            (&INSTRUMENTAL_DELIVERY, 0.05),
        ] {
            if chart.dice.chance(share) {
                chart.procedure(visit, procedure);
            }
        }
    }
    chart.procedure(visit, &CHILDBIRTH);
    chart.measure(visit, &[&HEMOGLOBIN, &PLATELETS, &HEART_RATE]);
    let day = day.plus(42);
    if day <= chart.life.exit {
        chart.visit(day, Ambulatory, &POSTNATAL_VISIT);
    }
}
