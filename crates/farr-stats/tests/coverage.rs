//! Coverage by simulation: 95 % intervals hold the truth 93 to 97 % of the
//! time, over 2,000 samples with fixed seeds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use farr_stats::regression::{Covariate, poisson};
use farr_stats::survival::FollowUp;
use farr_stats::survival::cox::{CoxData, CoxOptions, cox};

const SAMPLES: u64 = 2_000;
const ROWS: usize = 200;
/// The true log ratio of the exposed.
const TRUE_LOG_RATIO: f64 = 0.405;

/// Splitmix64 (Steele, Lea, Flood 2014): one stream a sample.
struct Random {
    state: u64,
}

impl Random {
    /// A number in (0, 1).
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, rate: f64) -> f64 {
        -self.uniform().ln() / rate
    }

    /// Events in a unit of time at a rate: exponential waits until it is over.
    fn poisson(&mut self, mean: f64) -> f64 {
        let (mut count, mut time) = (0.0, self.exponential(mean));
        while time <= 1.0 {
            count += 1.0;
            time += self.exponential(mean);
        }
        count
    }
}

/// The share of samples in which `interval` holds the true log ratio.
fn coverage(seed: u64, interval: impl Fn(&mut Random) -> (f64, f64)) -> f64 {
    let held = (0..SAMPLES).filter(|sample| {
        let mut random = Random { state: seed ^ (sample << 32) };
        let (lower, upper) = interval(&mut random);
        lower.ln() <= TRUE_LOG_RATIO && TRUE_LOG_RATIO <= upper.ln()
    });
    held.count() as f64 / SAMPLES as f64
}

/// A second covariate with an effect of its own, so that the model is not a
/// comparison of two groups only.
fn covariates(random: &mut Random) -> (Vec<f64>, Vec<f64>) {
    let exposed = (0..ROWS).map(|row| f64::from(u8::from(row % 2 == 0))).collect();
    (exposed, (0..ROWS).map(|_| random.uniform()).collect())
}

#[test]
fn the_hazard_ratio_is_inside_its_interval() {
    let share = coverage(1, |random| {
        let (exposed, other) = covariates(random);
        let (mut time, mut event) = (Vec::new(), Vec::new());
        for (exposed, other) in exposed.iter().zip(&other) {
            let rate = (TRUE_LOG_RATIO * exposed + 0.7 * other).exp();
            let (outcome, censoring) = (random.exponential(rate), random.exponential(0.5));
            time.push(outcome.min(censoring));
            event.push(outcome <= censoring);
        }
        let columns = [exposed.as_slice(), other.as_slice()];
        let rows = FollowUp::new(&time, &event);
        let data = CoxData { rows, covariates: &columns, strata: None };
        let model = cox(&data, &CoxOptions::default()).unwrap();
        let line = model.summary(0.95, None).unwrap().hazard_ratios[0];
        (line.lower, line.upper)
    });
    assert!((0.93..=0.97).contains(&share), "{share}");
}

#[test]
fn the_rate_ratio_is_inside_its_interval() {
    let share = coverage(2, |random| {
        let (exposed, other) = covariates(random);
        let person_time: Vec<f64> = (0..ROWS).map(|_| 0.2 + random.uniform()).collect();
        let mut count = Vec::new();
        for ((exposed, other), time) in exposed.iter().zip(&other).zip(&person_time) {
            let rate = (TRUE_LOG_RATIO * exposed + 0.7 * other - 1.0).exp();
            count.push(random.poisson(rate * time));
        }
        let columns = [
            Covariate { name: "exposed", values: &exposed },
            Covariate { name: "other", values: &other },
        ];
        let fit = poisson(&count, Some(&person_time), &columns, None).unwrap();
        let wald = fit.estimates.wald(0.95).unwrap();
        // The intercept stands first.
        (wald.lower[1], wald.upper[1])
    });
    assert!((0.93..=0.97).contains(&share), "{share}");
}
