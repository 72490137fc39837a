//! What a person tells: history, allergies, social findings, surveys; and the
//! tests that go with single illnesses.

use farr_records::Day;

use crate::care::some_day;
use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::disease::Disease;
use crate::model::EncounterClass::{Ambulatory, Emergency};

/// Allergies, in one person of six.
pub(crate) fn allergies(chart: &mut Chart, visit: Visit) {
    if !chart.dice.chance(0.16) {
        return;
    }
    let mut known: Vec<usize> = Vec::new();
    for _ in 0..chart.dice.between(1, 4) {
        let place = chart.dice.weighted(ALLERGENS.iter().map(|allergen| allergen.weight));
        if known.contains(&place) {
            continue;
        }
        known.push(place);
        let allergen = &ALLERGENS[place];
        let weights =
            [40.0, 30.0, if allergen.category == "environment" { 40.0 } else { 2.0 }, 20.0, 4.0];
        let reaction = REACTIONS[chart.dice.weighted(weights.into_iter())];
        let severity = *chart.dice.pick(&["MILD", "MILD", "MODERATE", "SEVERE"]);
        chart.allergy(visit, &allergen.code, allergen.category, reaction, severity);
    }
    if chart.dice.chance(0.2) {
        let day = chart.day(visit).plus(chart.dice.between(7, 60));
        let visit = chart.visit(day, Ambulatory, &ALLERGY_ASSESSMENT);
        chart.procedure(visit, &ALLERGY_TEST);
        chart.measure(visit, ALLERGY_PANEL);
        chart.careplan(visit, &ALLERGY_MONITORING, None);
        if chart.dice.chance(0.2) {
            immunotherapy(chart, day);
        }
    }
}

fn immunotherapy(chart: &mut Chart, from: Day) {
    for week in 1..=chart.dice.between(8, 40) {
        let day = from.plus(week * 7);
        if day > chart.life.exit {
            return;
        }
        let visit = chart.visit(day, Ambulatory, &FOLLOW_UP);
        chart.procedure(visit, &IMMUNOTHERAPY);
    }
}

/// Findings of a person's past and place in life, told once.
pub(crate) fn history(chart: &mut Chart, visit: Visit) {
    let age = chart.life.age(chart.day(visit));
    if age < 18 {
        return;
    }
    let education: &'static Code =
        if chart.own_luck(901) < 0.45 { &HIGHER_EDUCATION } else { &PRIMARY_EDUCATION };
    if chart.dice.chance(0.25) {
        chart.condition(visit, education, None);
    }
    let rare: [(&'static Code, f64); 6] = [
        (&ARMED_FORCES, 0.04),
        (&REFUGEE, 0.01),
        (&CRIMINAL_RECORD, 0.03),
        (&NO_TRANSPORT, 0.02),
        (&HOUSING_UNSATISFACTORY, 0.02),
        (&HOMELESS, 0.006),
    ];
    for (code, share) in rare {
        if chart.dice.chance(share) {
            chart.condition(visit, code, None);
        }
    }
    if chart.life.has(Disease::Smoking, chart.day(visit)) {
        let daily = chart.own_luck(902) < 0.5;
        chart.condition(visit, if daily { &DAILY_SMOKER } else { &FORMER_SMOKER }, None);
    }
}

/// Questions asked at check-ups.
pub(crate) fn interview(chart: &mut Chart, visit: Visit, age: i32) {
    let day = chart.day(visit);
    if chart.dice.chance(0.5) {
        let status = match (chart.life.has(Disease::Smoking, day), chart.own_luck(902) < 0.5) {
            (false, _) => "Never smoked",
            (true, true) => "Smokes every day",
            (true, false) => "Smoked in the past",
        };
        chart.answer(visit, &SMOKING_STATUS, status);
        if status == "Smokes every day" && chart.dice.chance(0.3) {
            chart.procedure(visit, &SMOKING_CESSATION_EDUCATION);
            chart.drug(visit, &NICOTINE_PATCH, 60);
        }
    }
    if chart.dice.chance(0.22) {
        work(chart, visit, age);
    }
    if chart.dice.chance(0.25) {
        let short = chart.dice.chance(0.5);
        let screening = if short { &DEPRESSION_SCREENING_PHQ2 } else { &DEPRESSION_SCREENING };
        chart.procedure(visit, screening);
        chart.measure(visit, &[&PHQ_2]);
    }
    let surveys: [(&'static Code, &'static Measure, f64); 5] = [
        (&ANXIETY_ASSESSMENT, &GAD_7, 0.1),
        (&ALCOHOL_ASSESSMENT, &AUDIT_C, 0.1),
        (&DRUG_ABUSE_SCREENING, &DAST_10, 0.05),
        (&DOMESTIC_ABUSE_SCREENING, &HARK, 0.04),
        (&FALL_RISK_ASSESSMENT, &FALL_RISK, if age >= 65 { 0.25 } else { 0.0 }),
    ];
    for (procedure, score, share) in surveys {
        if chart.dice.chance(share) {
            chart.procedure(visit, procedure);
            chart.measure(visit, &[score]);
        }
    }
    if chart.dice.chance(0.12) {
        questionnaire(chart, visit);
    }
    if chart.dice.chance(0.2) {
        chart.procedure(visit, &MEDICATION_RECONCILIATION);
        chart.condition(visit, &MEDICATION_REVIEW_DUE, Some(0));
    }
}

fn work(chart: &mut Chart, visit: Visit, age: i32) {
    let kinds: [(&'static Code, f64); 4] = [
        (&FULL_TIME_WORK, if age < 66 { 60.0 } else { 8.0 }),
        (&PART_TIME_WORK, 14.0),
        (&UNEMPLOYED, if age < 66 { 6.0 } else { 0.0 }),
        (&NOT_IN_LABOR_FORCE, if age < 66 { 18.0 } else { 70.0 }),
    ];
    let (code, _) = kinds[chart.dice.weighted(kinds.iter().map(|kind| kind.1))];
    chart.condition(visit, code, Some(364));
    let found: [(&'static Code, f64); 7] = [
        (&STRESS, 0.3),
        (&SOCIAL_ISOLATION, 0.08),
        (&LIMITED_CONTACT, 0.1),
        (&PARTNER_VIOLENCE, 0.03),
        (&VIOLENT_ENVIRONMENT, 0.03),
        (&RISK_ACTIVITY, 0.04),
        (&UNHEALTHY_ALCOHOL, 0.05),
    ];
    for (code, share) in found {
        if chart.dice.chance(share) {
            chart.condition(visit, code, Some(364));
        }
    }
}

fn questionnaire(chart: &mut Chart, visit: Visit) {
    chart.procedure(visit, &CARE_NEEDS_ASSESSMENT);
    let yes_or_no = |yes: bool| if yes { "Yes" } else { "No" };
    let answers: [(&'static Code, &'static str); 8] = [
        (&HOUSING_STATUS, if chart.dice.chance(0.95) { "Has housing" } else { "Has no housing" }),
        (&WORK_STATUS, if chart.dice.chance(0.65) { "Works" } else { "Does not work" }),
        (
            &SCHOOL_FINISHED,
            if chart.own_luck(901) < 0.45 { "College" } else { "High school or less" },
        ),
        (&LANGUAGE, if chart.own_luck(903) < 0.8 { "English" } else { "Spanish" }),
        (&REFUGEE_STATUS, yes_or_no(chart.own_luck(904) < 0.01)),
        (&FEELS_SAFE, yes_or_no(chart.dice.chance(0.94))),
        (&TRANSPORT, yes_or_no(chart.dice.chance(0.06))),
        (&STRESS_LEVEL, if chart.dice.chance(0.4) { "Somewhat" } else { "A little" }),
    ];
    for (code, text) in answers {
        chart.answer(visit, code, text);
    }
    let often =
        if chart.dice.chance(0.7) { "Five or more times a week" } else { "Less than once a week" };
    chart.answer(visit, &SOCIAL_CONTACT, often);
    let payer = if chart.life.income_dollars < 25_000 { "Medicaid" } else { "Other" };
    chart.answer(visit, &INSURANCE, payer);
}

/// Tests in words that go with an illness.
pub(crate) fn tests_of(chart: &mut Chart, illness: &'static Code, visit: Visit) {
    match illness.code {
        "6142004" => {
            let a = chart.dice.chance(0.7);
            chart.answer(visit, &INFLUENZA_A, if a { "Positive" } else { "Negative" });
            chart.answer(visit, &INFLUENZA_B, if a { "Negative" } else { "Positive" });
        }
        "840539006" => {
            chart.answer(visit, &COVID_TEST, "Positive");
            if chart.dice.chance(0.05) {
                chart.drug(visit, &REMDESIVIR, 5);
                for (code, quantity) in
                    [(&GLOVES, 24), (&GOWN, 8), (&FACE_SHIELD, 2), (&RESPIRATOR, 2)]
                {
                    chart.supply(visit, code, quantity);
                }
            }
        }
        "840544004" => chart.answer(visit, &COVID_TEST, "Negative"),
        "38822007" | "301011002" | "68566005" => {
            chart.answer(visit, &URINE_LEUKOCYTES, "Positive");
            let nitrite = chart.dice.chance(0.6);
            chart.answer(visit, &URINE_NITRITE, if nitrite { "Positive" } else { "Negative" });
        }
        _ => {}
    }
}

/// What a new diagnosis leads to, beside its own measures.
pub(crate) fn workup(chart: &mut Chart, disease: Disease, visit: Visit) {
    let procedure: &'static Code = match disease {
        Disease::Copd => &SPIROMETRY,
        Disease::Asthma => &LUNG_FUNCTION,
        Disease::Depression => &DEPRESSION_SCREENING_PHQ9,
        Disease::Anxiety => &COGNITIVE_THERAPY,
        Disease::StressDisorder => &GROUP_PSYCHOTHERAPY,
        Disease::Bipolar | Disease::Schizophrenia => &PSYCHIATRIC_EVALUATION,
        Disease::Epilepsy => &ELECTROENCEPHALOGRAM,
        Disease::Alzheimer | Disease::Parkinson | Disease::MultipleSclerosis => &BRAIN_MRI,
        Disease::SleepApnea => &SLEEP_ASSESSMENT,
        Disease::AtrialFibrillation => &ELECTROCARDIOGRAM,
        Disease::IschemicHeart => &CARDIAC_STRESS_TEST,
        Disease::AorticStenosis | Disease::MitralRegurgitation | Disease::AorticRegurgitation => {
            &ECHOCARDIOGRAM
        }
        Disease::Alcoholism => &ALCOHOL_COUNSELING,
        Disease::OpioidAbuse => &SUBSTANCE_COUNSELING,
        Disease::Hyperlipidemia | Disease::Prediabetes | Disease::Obesity => &DIET_EDUCATION,
        Disease::HearingLoss => &HEARING_EXAMINATION,
        Disease::Osteoporosis => &BONE_DENSITY,
        Disease::ColonPolyp => &COLONOSCOPY,
        Disease::BackPain | Disease::NeckPain => &PHYSICAL_THERAPY,
        _ => return,
    };
    chart.procedure(visit, procedure);
    match disease {
        Disease::SleepApnea => {
            chart.device(visit, &CPAP_UNIT);
            chart.supply(visit, &CPAP_MASK, 1);
            chart.supply(visit, &CPAP_CUSHION, 2);
            chart.supply(visit, &AIR_FILTER, 2);
            if chart.dice.chance(0.5) {
                chart.device(visit, &HUMIDIFIER);
                chart.supply(visit, &AIR_TUBING, 1);
            }
        }
        Disease::Copd => oxygen(chart, visit),
        Disease::Depression if chart.dice.chance(0.3) => {
            chart.condition(visit, &DEPRESSION_SINGLE_EPISODE, Some(180));
        }
        Disease::Obesity if chart.dice.chance(0.1) => {
            chart.condition(visit, &SEVERE_OBESITY, None);
        }
        Disease::Anxiety if chart.dice.chance(0.15) => {
            chart.condition(visit, &PANIC_ANXIETY, Some(90));
        }
        Disease::Epilepsy => chart.condition(visit, &SEIZURE, None),
        Disease::Asthma if chart.life.age(chart.day(visit)) < 12 => {
            chart.condition(visit, &CHILDHOOD_ASTHMA, None);
            chart.device(visit, &NEBULIZER);
        }
        Disease::Alzheimer | Disease::Parkinson if chart.dice.chance(0.4) => {
            let devices: [&'static Code; 4] = [&WALKER, &WHEELCHAIR, &HOSPITAL_BED, &COMMODE];
            let code = *chart.dice.pick(&devices);
            chart.device(visit, code);
        }
        _ => {}
    }
}

fn oxygen(chart: &mut Chart, visit: Visit) {
    let form: &'static Code =
        if chart.dice.chance(0.5) { &PULMONARY_EMPHYSEMA } else { &CHRONIC_OBSTRUCTIVE_BRONCHITIS };
    chart.condition(visit, form, None);
    if chart.dice.chance(0.15) {
        chart.condition(visit, &HYPOXEMIA, None);
        chart.device(visit, &OXYGEN_CONCENTRATOR);
        if chart.dice.chance(0.5) {
            chart.device(visit, &PORTABLE_OXYGEN);
        }
    }
    if chart.dice.chance(0.4) {
        chart.device(visit, &NEBULIZER);
    }
}

/// An attack of asthma that needs the emergency room.
pub(crate) fn asthma_attack(chart: &mut Chart, from: Day, to: Day) {
    let day = some_day(chart, from, to);
    let visit = chart.visit(day, Emergency, &ASTHMA_EMERGENCY);
    chart.condition(visit, &ASTHMA_EXACERBATION, Some(7));
    chart.condition(visit, &WHEEZING, Some(3));
    chart.measure(visit, &[&PULSE_OXIMETRY, &HEART_RATE, &RESPIRATORY_RATE]);
    chart.procedure(visit, &NEBULIZER_THERAPY);
    chart.drug(visit, &ALBUTEROL_NEBULIZER_083, 3);
    chart.drug(visit, &PREDNISONE_20, 5);
    let day = day.plus(chart.dice.between(7, 30));
    if day <= chart.life.exit {
        let visit = chart.visit(day, Ambulatory, &ASTHMA_FOLLOW_UP);
        chart.measure(visit, &[&FEV1_FVC]);
    }
}
