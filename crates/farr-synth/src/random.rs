//! A person's dice.
//!
//! One `ChaCha` stream a person, so that anybody can be made alone. Only sums,
//! products and comparisons are used, no logarithm or sine: equal seeds give
//! equal bytes on every machine.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws of one person.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of stream `stream` of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number, both ends possible; `low` if `high` is below it.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        if high <= low {
            return low;
        }
        low + (self.unit() * f64::from(high - low + 1)) as i32
    }

    /// Near to normal with mean 0 and spread 1: the sum of four uniforms.
    pub(crate) fn normal(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.unit()).sum();
        (sum - 2.0) * 3.0_f64.sqrt()
    }

    /// A count with this mean, never negative; spread about as a Poisson's.
    pub(crate) fn count(&mut self, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        // A binomial of few trials: near enough, and free of exponentials.
        let trials = (mean * 3.0).ceil().max(3.0);
        if trials > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let probability = mean / trials;
        (0..trials as u32).map(|_| u32::from(self.chance(probability))).sum()
    }

    /// One of a list; the list must have some.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[(self.unit() * list.len() as f64) as usize]
    }

    /// A place in a list of weights.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let total: f64 = weights.clone().sum();
        let mut left = self.unit() * total;
        let mut last = 0;
        for (place, weight) in weights.enumerate() {
            last = place;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let bits = |seed, stream| Dice::new(seed, stream).bits();
        assert_eq!(bits(1, 2), bits(1, 2));
        assert_ne!(bits(1, 2), bits(1, 3));
        assert_ne!(bits(1, 2), bits(2, 2));
    }

    #[test]
    fn draws_have_their_means() {
        let mut dice = Dice::new(7, 0);
        let n = 20_000;
        for mean in [0.05, 0.9, 3.3, 40.0] {
            let sum: u32 = (0..n).map(|_| dice.count(mean)).sum();
            let found = f64::from(sum) / f64::from(n);
            assert!((found - mean).abs() < 0.05 * mean + 0.01, "{mean}: {found}");
        }
        let sum: f64 = (0..n).map(|_| dice.normal()).sum();
        assert!((sum / f64::from(n)).abs() < 0.03);
        let squares: f64 = (0..n).map(|_| dice.normal()).map(|x| x * x).sum();
        assert!((squares / f64::from(n) - 1.0).abs() < 0.05);
    }
}
