//! The frame of a life: who a person is, when they are observed, which lasting
//! diseases they get and when, when they die.

use farr_records::Day;

use crate::codes::{
    ALZHEIMER, CARDIAC_ARREST, Code, DRUG_OVERDOSE, LUNG_CANCER_NON_SMALL, SEPSIS, STROKE,
};
use crate::disease::{DISEASES, Disease, PROFILES, Profile};
use crate::model::Sex;
use crate::random::Dice;
use crate::site::TOWNS;

/// The registry's first day, 2012-01-01.
pub(crate) const FIRST_DAY: Day = Day(15_340);
/// The registry's last day, 2023-12-31.
pub(crate) const LAST_DAY: Day = Day(19_722);

/// Share of entrants by decade of age, newborns apart.
const AGES: [f64; 9] = [11.0, 13.0, 14.0, 13.5, 12.5, 12.5, 11.5, 8.0, 4.0];
/// Deaths a year per 1,000 persons without lasting disease, at the start of
/// each decade of age and at 100.
const DEATHS: [f64; 11] = [0.25, 0.12, 0.7, 0.9, 1.3, 2.4, 5.0, 11.0, 32.0, 110.0, 400.0];

/// The frame of a life.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) birth: Day,
    pub(crate) sex: Sex,
    pub(crate) race: &'static str,
    pub(crate) ethnicity: &'static str,
    pub(crate) town: usize,
    pub(crate) income_dollars: i32,
    /// First day under observation.
    pub(crate) entry: Day,
    /// Last day under observation: of death, of leaving, or the registry's.
    pub(crate) exit: Day,
    /// Cause of death, if the exit is one.
    pub(crate) death: Option<&'static Code>,
    /// First day of each lasting disease, if it starts by the exit.
    pub(crate) onset: [Option<Day>; DISEASES],
    /// How much care a person seeks; near 1 on average, up to 24.
    pub(crate) demand: f64,
    /// A person's own deviations, for values that stay alike: spread 1.
    pub(crate) traits: [f64; 4],
}

impl Life {
    /// A life by a person's dice.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let sex = if dice.chance(0.508) { Sex::Female } else { Sex::Male };
        let (birth, entry) = birth_and_entry(dice);
        let race = RACES[dice.weighted(RACES.iter().map(|race| race.1))].0;
        let ethnicity = if dice.chance(0.15) { "hispanic" } else { "nonhispanic" };
        let town = dice.weighted(TOWNS.iter().map(|town| town.weight));
        let wealth = dice.unit();
        let income_dollars = 9_000 + (wealth * 70_000.0 + wealth.powi(8) * 260_000.0) as i32;
        let leaving = leaving_day(dice, entry);
        // Few persons seek most of the care.
        let steady = 0.22 + dice.unit().powi(9) * 4.0;
        let demand = steady + if dice.chance(0.018) { 8.0 + 12.0 * dice.unit() } else { 0.0 };
        let traits = [dice.normal(), dice.normal(), dice.normal(), dice.normal()];
        let mut life = Self {
            birth,
            sex,
            race,
            ethnicity,
            town,
            income_dollars,
            entry,
            exit: leaving,
            death: None,
            onset: [None; DISEASES],
            demand,
            traits,
        };
        life.draw_diseases(dice);
        life.draw_death(dice);
        for onset in &mut life.onset {
            *onset = onset.filter(|day| *day <= life.exit);
        }
        life
    }

    /// Whole years from birth to a day.
    pub(crate) fn age(&self, day: Day) -> i32 {
        (f64::from(day.days_since(self.birth)) / 365.25) as i32
    }

    /// Whether a disease has begun by a day.
    pub(crate) fn has(&self, disease: Disease, day: Day) -> bool {
        self.onset[disease as usize].is_some_and(|onset| onset <= day)
    }

    /// Years since a disease began, if it has.
    pub(crate) fn years_with(&self, disease: Disease, day: Day) -> Option<f64> {
        let onset = self.onset[disease as usize].filter(|onset| *onset <= day)?;
        Some(f64::from(day.days_since(onset)) / 365.25)
    }

    /// The diseases begun by a day.
    pub(crate) fn diseases(&self, day: Day) -> impl Iterator<Item = &'static Profile> {
        let onset = self.onset;
        PROFILES.iter().filter(move |p| onset[p.disease as usize].is_some_and(|o| o <= day))
    }

    fn draw_diseases(&mut self, dice: &mut Dice) {
        let years = self.age(self.exit);
        for profile in &PROFILES {
            let times = match self.sex {
                Sex::Female => profile.women,
                Sex::Male => profile.men,
            };
            let (luck, part) = (dice.unit(), dice.unit());
            if times == 0.0 {
                continue;
            }
            let mut free = 1.0;
            for age in 0..=years {
                let decade = (age as usize / 10).min(8);
                let day = self.birth.plus((f64::from(age) * 365.25) as i32);
                let mut hazard = profile.onset[decade] * times / 1_000.0;
                for (risk, raise) in profile.raised_by {
                    if self.has(*risk, day) {
                        hazard *= raise;
                    }
                }
                free *= 1.0 - hazard.min(0.5);
                if 1.0 - free > luck {
                    let onset = day.plus((part * 365.0) as i32);
                    // Nobody lives for years with lung cancer before entry.
                    let kept = profile.disease != Disease::LungCancer || onset >= self.entry;
                    self.onset[profile.disease as usize] = kept.then_some(onset);
                    break;
                }
            }
        }
    }

    fn draw_death(&mut self, dice: &mut Dice) {
        let mut from = self.entry;
        while from <= self.exit {
            let part = dice.unit();
            let day = from.plus((part * 365.0) as i32);
            let age = f64::from(day.days_since(self.birth)) / 365.25;
            let mut times = if self.sex == Sex::Male { 1.2 } else { 0.85 };
            let mut added = 0.0;
            for profile in self.diseases(day) {
                times *= profile.death;
                added += added_hazard(profile.disease);
            }
            let hazard = (base_hazard(age) * times.min(12.0) + added).min(0.9);
            if dice.chance(hazard) && day <= self.exit {
                self.exit = day;
                self.death = Some(self.cause(dice, day));
                return;
            }
            from = from.plus(365);
        }
    }

    fn cause(&self, dice: &mut Dice, day: Day) -> &'static Code {
        let blamed: Vec<_> =
            self.diseases(day).filter(|p| p.death > 1.2 && p.disease != Disease::Smoking).collect();
        let weights = blamed.iter().map(|p| p.death - 1.0 + 60.0 * added_hazard(p.disease));
        if blamed.is_empty() || dice.chance(0.2) {
            return if self.age(day) > 75 && dice.chance(0.3) {
                &ALZHEIMER
            } else if self.age(day) < 40 && dice.chance(0.4) {
                &DRUG_OVERDOSE
            } else if dice.chance(0.5) {
                &CARDIAC_ARREST
            } else {
                &SEPSIS
            };
        }
        let chosen = blamed[dice.weighted(weights)];
        match (chosen.code, chosen.disease) {
            (Some(code), _) => code,
            (None, Disease::Stroke) => &STROKE,
            (None, Disease::LungCancer) => &LUNG_CANCER_NON_SMALL,
            (None, _) => &SEPSIS,
        }
    }
}

/// Synthea's words for race, and their shares.
const RACES: [(&str, f64); 6] = [
    ("white", 72.0),
    ("black", 13.0),
    ("asian", 8.0),
    ("native", 1.2),
    ("hawaiian", 0.4),
    ("other", 5.4),
];

fn birth_and_entry(dice: &mut Dice) -> (Day, Day) {
    let span = LAST_DAY.days_since(FIRST_DAY) - 60;
    if dice.chance(0.09) {
        let birth = FIRST_DAY.plus(dice.between(0, span));
        return (birth, birth);
    }
    let entry =
        FIRST_DAY.plus(if dice.chance(0.5) { dice.between(0, 364) } else { dice.between(0, span) });
    let decade = dice.weighted(AGES.iter().copied());
    let years = 10.0 * (decade as f64 + dice.unit());
    (entry.plus(-1 - (years * 365.25) as i32), entry)
}

/// Every year one in twenty leaves.
fn leaving_day(dice: &mut Dice, entry: Day) -> Day {
    let mut day = entry;
    while day < LAST_DAY {
        if dice.chance(0.05) {
            day = day.plus(dice.between(0, 364));
            break;
        }
        day = day.plus(365);
    }
    day.min(LAST_DAY)
}

/// The hazard of death a year of a person without lasting disease.
fn base_hazard(age: f64) -> f64 {
    if age < 1.0 {
        return 0.005;
    }
    let decade = ((age / 10.0) as usize).min(9);
    let part = age / 10.0 - decade as f64;
    (DEATHS[decade] + (DEATHS[decade + 1] - DEATHS[decade]) * part) / 1_000.0
}

/// Deaths a year that a disease adds whatever the age.
fn added_hazard(disease: Disease) -> f64 {
    match disease {
        Disease::LungCancer => 0.35,
        Disease::ColonCancer => 0.05,
        Disease::HeartFailure => 0.035,
        Disease::BreastCancer | Disease::ProstateCancer => 0.01,
        Disease::Alzheimer => 0.03,
        Disease::OpioidAbuse => 0.012,
        Disease::Copd | Disease::Stroke => 0.008,
        _ => 0.0,
    }
}
