//! Newton's method on the logarithm of a tail, kept inside a bracket.

use super::Tails;

/// Which tail is asked to be how large. The smaller tail is always chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Lower(f64),
    Upper(f64),
}

/// The bracket of an inversion of which nothing is known.
pub(super) const ANYWHERE: (f64, f64) = (0.0, f64::INFINITY);

impl Target {
    /// The target of a lower probability; above one half `1 - p` is exact.
    pub(super) fn from_lower(p: f64) -> Self {
        if p > 0.5 { Self::Upper(1.0 - p) } else { Self::Lower(p) }
    }

    /// The target of an upper probability.
    pub(super) fn from_upper(p: f64) -> Self {
        if p > 0.5 { Self::Lower(1.0 - p) } else { Self::Upper(p) }
    }

    /// The normal deviate with this tail.
    pub(super) fn normal_deviate(self) -> f64 {
        match self {
            Self::Lower(p) => -super::normal_upper_quantile(p),
            Self::Upper(p) => super::normal_upper_quantile(p),
        }
    }
}

/// The `v > 0` where the target's tail has its probability, from `start` within
/// `bracket`, which may be all of 0 to infinity.
///
/// `tails_and_slope(v)` gives both tails and `v f(v)`, the lower tail's slope
/// in `ln v`. The log of a gamma or beta tail is concave in `ln v`, so Newton
/// converges from one side; the bracket guards against tails that underflow.
pub(super) fn solve(
    target: Target,
    start: f64,
    bracket: (f64, f64),
    tails_and_slope: impl Fn(f64) -> (Tails, f64),
) -> f64 {
    const STEPS_MAX: usize = 300;
    let (mut below, mut above) = bracket;
    let (mut v, mut stride) = (start, 2.0);
    for _ in 0..STEPS_MAX {
        let (tails, slope) = tails_and_slope(v);
        // Positive when v is too small, in both cases.
        let (gap, rate) = match target {
            Target::Lower(p) => ((p / tails.lower).ln(), slope / tails.lower),
            Target::Upper(p) => ((tails.upper / p).ln(), slope / tails.upper),
        };
        if gap > 0.0 {
            below = v;
        } else {
            above = v;
        }
        let step = gap / rate;
        let next = v * step.exp();
        // Newton doubles the digits: after a step this small none are missing.
        if step.abs() < 1e-10 || (next == 0.0 && below == 0.0) {
            return next;
        }
        v = if next > below && next < above {
            next
        } else if above == f64::INFINITY {
            stride *= 2.0;
            below * stride
        } else if below == 0.0 {
            stride *= 2.0;
            above / stride
        } else {
            (below * above).sqrt()
        };
    }
    v
}
