//! What is measured in a person on a day: by age, sex and lasting disease.

use farr_records::Day;

use crate::codes::Measure;
use crate::disease::Disease as D;
use crate::life::Life;
use crate::model::Sex;
use crate::random::Dice;

/// A value of a measure, rounded to its decimals.
pub(crate) fn of(dice: &mut Dice, life: &Life, measure: &Measure, day: Day) -> f64 {
    let noise = dice.normal();
    let has = |disease| life.has(disease, day);
    let years = |disease| life.years_with(disease, day);
    let plain = measure.mean + measure.spread * (0.6 * life.traits[2] + 0.8 * noise);
    let value = match measure.code.code {
        "8302-2" => height(life, day),
        "29463-7" => body_mass_index(life, day) * (height(life, day) / 100.0).powi(2) + noise,
        "39156-5" => body_mass_index(life, day),
        "8480-6" => systolic(life, day) + 7.0 * noise,
        "8462-4" => systolic(life, day) * 0.46 + 23.0 + 4.0 * noise,
        "9843-4" => 35.0 + 12.0 * (1.0 - 1.0 / (1.0 + age(life, day) * 2.0)) + 0.5 * noise,
        "4548-4" => hba1c(life, day) + 0.25 * noise,
        "2339-0" | "2345-7" | "5792-7" if has(D::Diabetes) || has(D::Prediabetes) => {
            (hba1c(life, day) * 28.7 - 46.7) * (1.0 + 0.12 * noise)
        }
        "33914-3" => (filtration(life, day) * (1.0 + 0.07 * noise)).max(4.0),
        "38483-4" | "2160-0" => (82.0 / filtration(life, day) * (1.0 + 0.08 * noise)).max(0.4),
        "6299-2" | "3094-0" if has(D::ChronicKidney) => {
            14.0 + 700.0 / filtration(life, day).max(8.0) * (1.0 + 0.1 * noise)
        }
        "14959-1" if has(D::Nephropathy) || has(D::ChronicKidney) => {
            let course = years(D::Nephropathy).or(years(D::ChronicKidney)).unwrap_or(0.0);
            40.0 + 35.0 * course + 15.0 * noise
        }
        "2093-3" if has(D::Hyperlipidemia) => 214.0 + 20.0 * noise,
        "18262-6" if has(D::Hyperlipidemia) => 131.0 + 18.0 * noise,
        "2571-8" if has(D::Hyperlipidemia) || has(D::Diabetes) => 168.0 + 30.0 * noise,
        "718-7" if has(D::Anemia) => 10.4 + 0.8 * noise,
        "4544-3" if has(D::Anemia) => 31.5 + 2.2 * noise,
        "2276-4" if has(D::Anemia) => 14.0 + 5.0 * noise,
        "718-7" if life.sex == Sex::Female => 13.2 + 0.9 * noise,
        "33762-6" if has(D::HeartFailure) => 1_900.0 + 650.0 * noise,
        "10230-1" if has(D::HeartFailure) => 38.0 + 6.0 * noise,
        "19926-5" if has(D::Copd) => 58.0 - 0.8 * years(D::Copd).unwrap_or(0.0) + 4.0 * noise,
        "19926-5" if has(D::Asthma) => 71.0 + 5.0 * noise,
        "2708-6" | "59408-5" if has(D::Copd) => 92.0 + 2.0 * noise,
        "2857-1" if has(D::ProstateCancer) => 9.5 + 4.0 * noise,
        "2857-1" if has(D::ProstateHyperplasia) => 3.4 + 1.1 * noise,
        "38265-5" if has(D::Osteoporosis) => -2.9 + 0.3 * noise,
        "72106-8" => 25.0 - 2.2 * years(D::Alzheimer).unwrap_or(0.0) + 1.5 * noise,
        "55758-7" if has(D::Depression) => 3.0 + 1.4 * noise,
        "70274-6" if has(D::Anxiety) => 10.5 + 3.5 * noise,
        "75626-2" if has(D::Alcoholism) => 7.5 + 2.0 * noise,
        "82667-7" if has(D::OpioidAbuse) => 6.0 + 1.5 * noise,
        "72514-3" if has(D::ChronicPain) || has(D::Fibromyalgia) => 6.0 + 1.4 * noise,
        "3016-3" if has(D::Hypothyroidism) => 4.6 + 1.8 * noise,
        "59576-9" => 50.0 + 22.0 * life.traits[0] + 4.0 * noise,
        _ => plain,
    };
    let value = match measure.code.code {
        "38265-5" => value,
        "59576-9" | "2708-6" | "59408-5" => value.clamp(1.0, 100.0),
        _ => value.max(0.0),
    };
    round(value, measure.decimals)
}

/// Rounded to so many digits after the point.
fn round(value: f64, decimals: u8) -> f64 {
    let scale = 10.0_f64.powi(i32::from(decimals));
    // Minus zero would print with its sign.
    (value * scale).round() / scale + 0.0
}

fn age(life: &Life, day: Day) -> f64 {
    f64::from(day.days_since(life.birth)) / 365.25
}

/// Share of the adult height at some ages.
const HEIGHT_SHARES: [(f64, f64); 7] =
    [(0.0, 0.29), (1.0, 0.44), (2.0, 0.51), (5.0, 0.64), (10.0, 0.81), (14.0, 0.95), (18.0, 1.0)];

/// Centimetres: a line between the heights of a few ages, then the adult's.
fn height(life: &Life, day: Day) -> f64 {
    let adult = if life.sex == Sex::Male { 176.0 } else { 162.5 } + 7.0 * life.traits[1];
    let age = age(life, day);
    let above = HEIGHT_SHARES.iter().position(|(at, _)| age < *at);
    match above {
        Some(0) | None => adult,
        Some(place) => {
            let ((a, low), (b, high)) = (HEIGHT_SHARES[place - 1], HEIGHT_SHARES[place]);
            adult * (low + (high - low) * (age - a) / (b - a))
        }
    }
}

fn body_mass_index(life: &Life, day: Day) -> f64 {
    let age = age(life, day);
    if age < 18.0 {
        return 15.8 + 0.3 * age + 1.4 * life.traits[0];
    }
    match life.years_with(D::Obesity, day) {
        Some(years) => 31.0 + years.min(20.0) * 0.2 + 2.2 * (life.traits[0] + 1.5).max(0.0),
        None => (25.2 + 2.4 * life.traits[0]).min(29.8),
    }
}

fn systolic(life: &Life, day: Day) -> f64 {
    let age = age(life, day);
    let healthy = 92.0 + age.min(20.0) * 1.2 + (age - 40.0).max(0.0) * 0.15;
    match life.years_with(D::Hypertension, day) {
        // Treatment brings it down over the first years.
        Some(years) => 147.0 - 3.0 * years.min(4.0) + 4.0 * life.traits[3],
        None => healthy + 3.0 * life.traits[3],
    }
}

fn hba1c(life: &Life, day: Day) -> f64 {
    match (life.years_with(D::Diabetes, day), life.years_with(D::Prediabetes, day)) {
        (Some(years), _) => 6.7 + 0.09 * years.min(15.0) + 0.7 * life.traits[2].max(-0.6),
        (None, Some(_)) => 6.0 + 0.12 * life.traits[2],
        (None, None) => 5.25 + 0.15 * life.traits[2],
    }
}

/// Estimated filtration rate by stage of kidney disease.
fn filtration(life: &Life, day: Day) -> f64 {
    let healthy = 112.0 - 0.55 * (age(life, day) - 20.0).max(0.0) + 6.0 * life.traits[3];
    match stage(life, day) {
        0 => healthy.max(62.0),
        1 => 93.0,
        2 => 74.0,
        3 => 44.0,
        4 => 22.0,
        _ => 9.0,
    }
}

/// Stage of kidney disease on a day, 0 (none) to 5.
pub(crate) fn stage(life: &Life, day: Day) -> i32 {
    let Some(years) = life.years_with(D::ChronicKidney, day) else { return 0 };
    // A person's own pace: most stay at stage 2 or 3, few lose the kidney.
    let pace = 0.095 + 0.075 * (life.traits[1] * life.traits[3]).max(-0.6);
    (1.0 + f64::from(life.age(day) > 55) + years * pace).min(5.0) as i32
}
