//! Cancer of lung, breast, colon and prostate: finding, surgery, cycles.

use farr_records::Day;

use crate::care::{diagnose, hospital_course};
use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::disease::{Disease, Profile};
use crate::model::EncounterClass::{Ambulatory, Outpatient};

/// What a course is made of.
struct Plan {
    signs: &'static [&'static Code],
    workup: &'static [&'static Code],
    surgery: &'static [&'static Code],
    surgery_share: f64,
    drugs: &'static [&'static Code],
    cycle_share: f64,
    radiation_share: f64,
}

static LUNG: Plan = Plan {
    signs: &[&HEMOPTYSIS, &DYSPNEA],
    workup: &[&CHEST_XRAY, &CHEST_CT, &LUNG_NEEDLE_BIOPSY, &BRONCHOSCOPY],
    surgery: &[&THORACENTESIS],
    surgery_share: 0.2,
    drugs: &[&CISPLATIN, &PACLITAXEL, &CARBOPLATIN, &ETOPOSIDE],
    cycle_share: 0.7,
    radiation_share: 0.5,
};
static BREAST: Plan = Plan {
    signs: &[],
    workup: &[&MAMMOGRAPHY, &BREAST_ULTRASOUND, &BREAST_BIOPSY, &BREAST_MRI],
    surgery: &[&LUMPECTOMY, &MASTECTOMY, &SENTINEL_NODE_BIOPSY],
    surgery_share: 0.9,
    drugs: &[&DOXORUBICIN, &CYCLOPHOSPHAMIDE, &DOCETAXEL, &EPIRUBICIN, &TRASTUZUMAB],
    cycle_share: 0.5,
    radiation_share: 0.6,
};
static COLON: Plan = Plan {
    signs: &[&RECTAL_BLEEDING],
    workup: &[&COLONOSCOPY, &COLON_BIOPSY, &CHEST_CT],
    surgery: &[&COLON_RESECTION, &COLOSTOMY],
    surgery_share: 0.8,
    drugs: &[&OXALIPLATIN, &LEUCOVORIN, &FLUOROURACIL],
    cycle_share: 0.6,
    radiation_share: 0.1,
};
static PROSTATE: Plan = Plan {
    signs: &[],
    workup: &[&RECTAL_EXAMINATION, &PROSTATE_BIOPSY],
    surgery: &[&PROSTATECTOMY],
    surgery_share: 0.45,
    drugs: &[&DOCETAXEL],
    cycle_share: 0.08,
    radiation_share: 0.35,
};

/// A tumor that begins under observation.
pub(crate) fn course(chart: &mut Chart, profile: &'static Profile, day: Day) {
    let plan = match profile.disease {
        Disease::LungCancer => &LUNG,
        Disease::BreastCancer => &BREAST,
        Disease::ColonCancer => &COLON,
        _ => &PROSTATE,
    };
    let visit = chart.visit(day, Outpatient, &CONSULTATION);
    for sign in plan.signs {
        if chart.dice.chance(0.5) {
            chart.condition(visit, sign, Some(30));
        }
    }
    for procedure in plan.workup {
        if chart.dice.chance(0.75) {
            chart.procedure(visit, procedure);
        }
    }
    diagnose(chart, profile, visit);
    kind(chart, profile.disease, visit);
    let mut day = day.plus(chart.dice.between(7, 28));
    if chart.dice.chance(plan.surgery_share) && day <= chart.life.exit {
        surgery(chart, plan, day);
        day = day.plus(chart.dice.between(21, 45));
    }
    if chart.dice.chance(plan.cycle_share) {
        cycles(chart, plan, day);
    }
    if chart.dice.chance(plan.radiation_share) {
        radiation(chart, day.plus(30));
    }
}

/// Findings of the biopsy: kind, stage, receptors.
fn kind(chart: &mut Chart, disease: Disease, visit: Visit) {
    let stages = ["Stage 1", "Stage 2", "Stage 3", "Stage 4"];
    let weights =
        if disease == Disease::LungCancer { [2.0, 1.0, 2.5, 4.5] } else { [4.5, 3.0, 1.5, 1.0] };
    let stage = chart.dice.weighted(weights.into_iter());
    chart.answer(visit, &TUMOR_STAGE, stages[stage]);
    match disease {
        Disease::LungCancer => {
            chart.condition(visit, &SUSPECTED_LUNG_CANCER, Some(10));
            if chart.dice.chance(0.15) {
                chart.condition(visit, &LUNG_CANCER_SMALL, None);
            } else {
                chart.condition(visit, &LUNG_CANCER_NON_SMALL, None);
                match stage {
                    0 => chart.condition(visit, &LUNG_CANCER_NON_SMALL_1, None),
                    3 => chart.condition(visit, &LUNG_CANCER_NON_SMALL_4, None),
                    _ => {}
                }
            }
        }
        Disease::BreastCancer => {
            for (code, share) in
                [(&ESTROGEN_RECEPTOR, 0.78), (&PROGESTERONE_RECEPTOR, 0.66), (&HER2_RECEPTOR, 0.16)]
            {
                let found = chart.dice.chance(share);
                chart.answer(visit, code, if found { "Positive" } else { "Negative" });
            }
        }
        Disease::ColonCancer => {
            chart.condition(visit, &COLON_CANCER_PRIMARY, None);
            chart.answer(visit, &OCCULT_BLOOD, "Positive");
            if stage == 3 {
                chart.condition(visit, &COLON_CANCER_METASTASIS, None);
            }
        }
        _ => {
            chart.condition(visit, &PROSTATE_CARCINOMA_IN_SITU, None);
            if stage == 3 {
                chart.condition(visit, &PROSTATE_METASTASIS, None);
            }
        }
    }
}

fn surgery(chart: &mut Chart, plan: &Plan, day: Day) {
    let nights = chart.dice.between(1, 6);
    let visit = chart.stay(day, nights, &SURGICAL_ADMISSION);
    let procedure = *chart.dice.pick(plan.surgery);
    chart.procedure(visit, procedure);
    chart.drug(visit, &CEFAZOLIN, 1);
    chart.drug(visit, &PROPOFOL, 1);
    chart.drug(visit, &OXYCODONE_10, 7);
    chart.measure(visit, BLOOD_PANEL);
    if chart.dice.chance(0.06) {
        chart.condition_of_stay(visit, &POSTOPERATIVE_COMPLICATION);
    }
    hospital_course(chart, visit, nights);
    let day = day.plus(nights + chart.dice.between(7, 21));
    if day <= chart.life.exit {
        chart.visit(day, Ambulatory, &POSTOPERATIVE_FOLLOW_UP);
    }
}

/// Chemotherapy every three weeks.
fn cycles(chart: &mut Chart, plan: &Plan, from: Day) {
    for cycle in 0..chart.dice.between(4, 8) {
        let day = from.plus(cycle * 21);
        if day > chart.life.exit {
            return;
        }
        let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
        chart.procedure(visit, &CHEMOTHERAPY);
        chart.measure(visit, BLOOD_PANEL);
        for code in plan.drugs {
            if plan.drugs.len() < 2 || chart.dice.chance(0.5) {
                chart.drug(visit, code, 1);
            }
        }
        if chart.dice.chance(0.6) {
            chart.drug(visit, &ONDANSETRON, 3);
        }
    }
}

/// Radiation on weekdays of some weeks.
fn radiation(chart: &mut Chart, from: Day) {
    let both = chart.dice.chance(0.15);
    for session in 0..chart.dice.between(8, 20) {
        let day = from.plus(session / 5 * 7 + session % 5);
        if day > chart.life.exit {
            return;
        }
        let visit = chart.visit(day, Outpatient, &OUTPATIENT_PROCEDURE);
        chart.procedure(visit, if both { &CHEMORADIATION } else { &RADIATION_THERAPY });
    }
}
