//! Numbers of about 32 digits, for sums in which nearly all cancels.

/// The sum of two doubles, the second below the rounding of the first (after
/// Dekker 1971, Numer Math 18:224).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Twofold {
    high: f64,
    low: f64,
}

impl Twofold {
    /// a b, exactly.
    pub(crate) fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = self.high + other.high;
        // What rounding took from the sum, whichever part is larger (Knuth).
        let part = sum - self.high;
        let lost = (self.high - (sum - part)) + (other.high - part);
        let rest = lost + self.low + other.low;
        let high = sum + rest;
        Self { high, low: rest - (high - sum) }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.plus(Self { high: -other.high, low: -other.low })
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        let product = Self::product(self.high, factor);
        product.plus((self.low * factor).into())
    }

    /// The nearest double.
    pub(crate) fn value(self) -> f64 {
        self.high
    }
}

impl From<f64> for Twofold {
    fn from(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cancels_leaves_nothing_and_what_does_not_stays() {
        // (1 + e)^2 - 1 - 2 e is e^2, far below the rounding of 1.
        let e = 2.0_f64.powi(-40);
        let square = Twofold::product(1.0 + e, 1.0 + e);
        let rest = square.minus(Twofold::product(1.0, 1.0)).minus(Twofold::product(2.0, e));
        assert_eq!(rest.value(), e * e);
        assert_eq!(square.times(3.0).minus(square.plus(square).plus(square)).value(), 0.0);
    }
}
