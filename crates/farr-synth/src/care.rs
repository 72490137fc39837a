//! What happens to a person year by year: check-ups, vaccinations, care of
//! lasting diseases, illnesses, stays in hospital, the end.

use farr_records::Day;

use crate::chart::{Chart, Visit};
use crate::codes::*;
use crate::coverage;
use crate::disease::{Disease, PROFILES, Profile, Regimen, Stay};
use crate::illness::{ACUTE, INJURIES, Illness};
use crate::model::EncounterClass::{Ambulatory, Emergency, Outpatient, Wellness};
use crate::model::{Patient, Sex};
use crate::{cardiac, diabetes, kidney, pregnancy, social, tumor, wellness};

/// First day of the epidemic, 2020-03-01.
const EPIDEMIC: Day = Day(18_322);

/// Person `number` of the population of a seed.
pub(crate) fn patient(seed: u64, number: u64) -> Patient {
    let mut chart = Chart::new(seed, number);
    coverage::cover(&mut chart);
    first_visit(&mut chart);
    for profile in &PROFILES {
        let onset = chart.life.onset[profile.disease as usize];
        if let Some(day) = onset.filter(|day| *day > chart.life.entry) {
            begin(&mut chart, profile, day);
        }
    }
    let mut from = chart.life.entry;
    while from <= chart.life.exit {
        let to = from.plus(364).min(chart.life.exit);
        year(&mut chart, from, to);
        from = from.plus(365);
    }
    pregnancy::pregnancies(&mut chart);
    last_visit(&mut chart);
    chart.finish()
}

/// The visit at entry: newborns are examined, others tell what they have.
fn first_visit(chart: &mut Chart) {
    let entry = chart.life.entry;
    let visit = wellness::examination(chart, entry);
    if chart.life.birth == entry {
        wellness::newborn(chart, visit);
    }
    social::allergies(chart, visit);
    social::history(chart, visit);
    for profile in &PROFILES {
        if chart.life.has(profile.disease, entry) {
            known(chart, profile, visit);
        }
    }
}

/// A disease that a person already has at entry.
fn known(chart: &mut Chart, profile: &'static Profile, visit: Visit) {
    match profile.disease {
        Disease::ChronicKidney => kidney::known(chart, visit),
        Disease::Stroke => chart.condition(visit, &STROKE, None),
        Disease::Diabetes => diabetes::equip(chart, visit),
        _ => {}
    }
    if let Some(code) = profile.code {
        chart.condition(visit, code, None);
    }
    prescribe(chart, profile, visit);
}

/// A disease that begins under observation.
fn begin(chart: &mut Chart, profile: &'static Profile, day: Day) {
    match profile.disease {
        Disease::Smoking => return,
        Disease::ChronicKidney => return kidney::begin(chart, day),
        Disease::Stroke => return cardiac::stroke(chart, day),
        Disease::IschemicHeart if cardiac::begins_with_attack(chart) => {
            let visit = cardiac::attack(chart, day);
            return diagnose(chart, profile, visit);
        }
        Disease::LungCancer
        | Disease::BreastCancer
        | Disease::ColonCancer
        | Disease::ProstateCancer => return tumor::course(chart, profile, day),
        _ => {}
    }
    let code = if profile.visits > 0.5 { &PROBLEM_VISIT } else { &CHECK_UP };
    let visit = chart.visit(day, Ambulatory, code);
    diagnose(chart, profile, visit);
    match profile.disease {
        Disease::Diabetes => diabetes::equip(chart, visit),
        Disease::HeartFailure => cardiac::failure_workup(chart, visit),
        _ => social::workup(chart, profile.disease, visit),
    }
}

/// The diagnosis, its care plan, first measures and first drugs.
pub(crate) fn diagnose(chart: &mut Chart, profile: &'static Profile, visit: Visit) {
    if let Some(code) = profile.code {
        chart.condition(visit, code, None);
    }
    if let Some(plan) = profile.careplan {
        chart.careplan(visit, plan, None);
    }
    for panel in profile.panels {
        if chart.dice.chance(0.45) {
            chart.measure(visit, panel);
        }
    }
    prescribe(chart, profile, visit);
}

/// The person's drugs for a disease, if it has lasted long enough for them.
fn prescribe(chart: &mut Chart, profile: &'static Profile, visit: Visit) {
    let day = chart.day(visit);
    let Some(years) = chart.life.years_with(profile.disease, day) else { return };
    for (place, regimen) in profile.drugs.iter().enumerate() {
        // A visit renews most of the drugs, not all.
        if years >= f64::from(regimen.after_years)
            && chart.dice.chance(0.6)
            && let Some(code) = own_choice(chart, profile, place, regimen)
        {
            let days = if chart.dice.chance(0.6) { 90 } else { 30 * chart.dice.between(1, 6) };
            chart.drug(visit, code, days);
        }
    }
    if profile.disease == Disease::Diabetes {
        diabetes::prescribe(chart, visit, years);
    }
}

/// A person keeps to the same choice, drawn from the identifier.
fn own_choice(
    chart: &Chart,
    profile: &Profile,
    place: usize,
    regimen: &Regimen,
) -> Option<&'static Code> {
    let salt = (profile.disease as u64) << 8 | place as u64;
    let luck = chart.own_luck(salt);
    let share = luck / regimen.share;
    (share < 1.0).then(|| regimen.choices[(share * regimen.choices.len() as f64) as usize])
}

/// One year of care, both days inclusive.
fn year(chart: &mut Chart, from: Day, to: Day) {
    let part = f64::from(to.days_since(from) + 1) / 365.0;
    wellness::year(chart, from, to, part);
    lasting_care(chart, from, to, part);
    illnesses(chart, ACUTE, 0.6, from, to, part);
    illnesses(chart, INJURIES, 0.6, from, to, part);
    for profile in &PROFILES {
        if let Some(stay) = &profile.stay
            && chart.life.has(profile.disease, from)
        {
            stays(chart, stay, from, to, part);
        }
    }
    if chart.life.has(Disease::Asthma, from) && chart.dice.chance(0.06 * part) {
        social::asthma_attack(chart, from, to);
    }
    kidney::year(chart, from, to, part);
    diabetes::year(chart, from, to, part);
}

/// A random day of a span.
pub(crate) fn some_day(chart: &mut Chart, from: Day, to: Day) -> Day {
    from.plus(chart.dice.between(0, to.days_since(from)))
}

/// Follow-up visits: at each, several of a person's diseases are looked at.
fn lasting_care(chart: &mut Chart, from: Day, to: Day, part: f64) {
    let diseases: Vec<&'static Profile> =
        chart.life.diseases(from).filter(|profile| profile.visits > 0.0).collect();
    if diseases.is_empty() {
        return;
    }
    let most = diseases.iter().map(|p| p.visits).fold(0.0, f64::max);
    let all: f64 = diseases.iter().map(|p| p.visits).sum();
    let mean = (most + 0.3 * (all - most)) * chart.life.demand * part * 0.38;
    for _ in 0..chart.dice.count(mean) {
        let day = some_day(chart, from, to);
        let code = if chart.dice.chance(0.7) { &FOLLOW_UP } else { &CHECK_UP };
        let visit = chart.visit(day, Ambulatory, code);
        let share = (all / diseases.len() as f64 / most).clamp(0.25, 0.6);
        for (place, profile) in diseases.iter().enumerate() {
            if place > 0 && !chart.dice.chance(share) {
                continue;
            }
            prescribe(chart, profile, visit);
            if chart.dice.chance(0.15) {
                profile.panels.iter().for_each(|panel| chart.measure(visit, panel));
            }
        }
        if chart.dice.chance(0.4) {
            chart.measure(visit, &[&SYSTOLIC, &DIASTOLIC]);
        }
    }
}

fn illnesses(
    chart: &mut Chart,
    list: &'static [Illness],
    scale: f64,
    from: Day,
    to: Day,
    part: f64,
) {
    let group = match chart.life.age(from) {
        ..18 => 0,
        18..45 => 1,
        45..65 => 2,
        _ => 3,
    };
    let weights = list.iter().map(|illness| illness.per_1000[group]);
    let total: f64 = weights.clone().sum::<f64>() / 1_000.0;
    let frail = if chart.life.has(Disease::Diabetes, from) { 1.25 } else { 1.0 };
    for _ in 0..chart.dice.count(total * scale * chart.life.demand * frail * part) {
        let illness = &list[chart.dice.weighted(weights.clone())];
        let day = some_day(chart, from, to);
        let epidemic = matches!(illness.code.code, "840539006" | "840544004" | "36955009");
        if epidemic && day < EPIDEMIC || illness.women_only && chart.life.sex == Sex::Male {
            continue;
        }
        fall_ill(chart, illness, day, group == 3);
    }
}

fn fall_ill(chart: &mut Chart, illness: &'static Illness, day: Day, old: bool) {
    let days = chart.dice.between(illness.days.0, illness.days.1);
    let code = match illness.class {
        Ambulatory => &SYMPTOM_VISIT,
        Outpatient => &OUTPATIENT_PROCEDURE,
        Emergency => &EMERGENCY_VISIT,
        _ => &URGENT_CARE,
    };
    let mut visit = chart.visit(day, illness.class, code);
    chart.condition(visit, &illness.code, Some(days));
    if !illness.panel.is_empty() && chart.dice.chance(0.3) {
        chart.measure(visit, illness.panel);
    }
    social::tests_of(chart, &illness.code, visit);
    let admitted = illness.admitted * if old { 2.0 } else { 1.0 };
    if chart.dice.chance(admitted) {
        let nights = chart.dice.between(1, if old { 9 } else { 4 });
        visit = chart.stay(day, nights, &EMERGENCY_ADMISSION);
        hospital_course(chart, visit, nights);
    }
    for procedure in illness.procedures {
        if illness.procedures.len() < 2 || chart.dice.chance(0.7) {
            chart.procedure(visit, procedure);
        }
    }
    if !illness.drugs.is_empty() && chart.dice.chance(0.75) {
        let code = *chart.dice.pick(illness.drugs);
        chart.drug(visit, code, days.clamp(3, 30));
    }
    if let Some(plan) = illness.careplan {
        chart.careplan(visit, plan, Some(days));
    }
}

/// What any stay brings: vital signs, now and then a complication.
pub(crate) fn hospital_course(chart: &mut Chart, visit: Visit, nights: i32) {
    chart.measure(visit, &[&HEART_RATE, &TEMPERATURE, &PULSE_OXIMETRY]);
    if nights > 2 && chart.dice.chance(0.07) {
        chart.condition_of_stay(visit, &PRESSURE_ULCER);
    }
    if chart.dice.chance(0.035) {
        sepsis(chart, visit);
    }
    if chart.dice.chance(0.5) {
        chart.procedure(visit, &DISCHARGE_ASSESSMENT);
    }
}

fn sepsis(chart: &mut Chart, visit: Visit) {
    chart.condition_of_stay(visit, &SEPSIS);
    chart.measure(visit, &[&LACTATE, &PROCALCITONIN, &C_REACTIVE_PROTEIN]);
    let found = if chart.dice.chance(0.5) { "Escherichia coli" } else { "No growth" };
    chart.answer(visit, &BLOOD_CULTURE, found);
    chart.procedure(visit, &INTRAVENOUS_ANTIBIOTICS);
    let drugs: [&'static Code; 4] =
        [&PIPERACILLIN_4000, &VANCOMYCIN_1000, &VANCOMYCIN_INFUSION, &AZTREONAM];
    let code = *chart.dice.pick(&drugs);
    chart.drug(visit, code, 7);
    if chart.dice.chance(0.25) {
        chart.condition_of_stay(visit, &SEPTIC_SHOCK);
        chart.drug(visit, &NOREPINEPHRINE, 2);
        chart.condition_of_stay(visit, &RESPIRATORY_FAILURE);
        chart.procedure(visit, &INTUBATION);
        chart.procedure(visit, &VENTILATION);
        chart.drug(visit, &MIDAZOLAM, 2);
        chart.drug(visit, &ROCURONIUM, 1);
    }
}

fn stays(chart: &mut Chart, stay: &'static Stay, from: Day, to: Day, part: f64) {
    for _ in 0..chart.dice.count(stay.per_year * part * (0.6 + 0.4 * chart.life.demand)) {
        let mut day = some_day(chart, from, to);
        // One in five comes back within a month.
        loop {
            let nights = chart.dice.between(stay.nights.0, stay.nights.1);
            admission(chart, stay, day, nights);
            day = day.plus(nights + chart.dice.between(3, 30));
            if !chart.dice.chance(0.2) || day > chart.life.exit {
                break;
            }
        }
    }
}

fn admission(chart: &mut Chart, stay: &'static Stay, day: Day, nights: i32) {
    if chart.dice.chance(0.5) {
        chart.visit(day, Emergency, &EMERGENCY_VISIT);
    }
    let intensive = chart.dice.chance(0.12);
    let code = if intensive { &INTENSIVE_CARE } else { &HOSPITAL_ADMISSION };
    let visit = chart.stay(day, nights, code);
    chart.condition_of_stay(visit, stay.code);
    stay.panels.iter().for_each(|panel| chart.measure(visit, panel));
    for procedure in stay.procedures {
        if chart.dice.chance(0.7) {
            chart.procedure(visit, procedure);
        }
    }
    for code in stay.drugs {
        if chart.dice.chance(0.7) {
            chart.drug(visit, code, nights.max(1));
        }
    }
    hospital_course(chart, visit, nights);
}

/// The end of observation: death is certified, others are seen once more.
fn last_visit(chart: &mut Chart) {
    let exit = chart.life.exit;
    let Some(cause) = chart.life.death else {
        if chart.dice.chance(0.35) && chart.life.entry < exit {
            let visit = chart.visit(exit, Wellness, &CHECK_UP);
            chart.measure(visit, &[&HEART_RATE]);
        }
        return;
    };
    if chart.dice.chance(0.55) {
        let nights = chart.dice.between(0, 9);
        let day = exit.plus(-nights).max(chart.life.entry);
        let visit = chart.stay(day, nights, &INTENSIVE_CARE);
        hospital_course(chart, visit, nights);
        chart.measure(visit, HOSPITAL_PANEL);
        if chart.dice.chance(0.4) {
            chart.condition_of_stay(visit, &RESPIRATORY_FAILURE);
            chart.procedure(visit, &VENTILATION);
        }
    } else if chart.dice.chance(0.5) {
        let visit = chart.visit(exit, Emergency, &EMERGENCY_TREATMENT);
        chart.condition(visit, &CARDIAC_ARREST, Some(0));
        chart.procedure(visit, &DEFIBRILLATION);
        chart.drug(visit, &EPINEPHRINE_INJECTION, 1);
    }
    let visit = chart.certificate(exit);
    chart.procedure(visit, &DEATH_CERTIFICATION);
    chart.answer(visit, &CAUSE_OF_DEATH, cause.name);
}
