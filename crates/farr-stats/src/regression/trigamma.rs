//! psi', which the negative binomial's theta needs.

/// psi'(x), the second derivative of log gamma, for x > 0: recurrence up to
/// 15, then the asymptotic series (Abramowitz and Stegun 6.4.12).
pub(crate) fn trigamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut sum = 0.0;
    while shifted < 15.0 {
        sum += 1.0 / (shifted * shifted);
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = 1.0 / 6.0
        - square
            * (1.0 / 30.0 - square * (1.0 / 42.0 - square * (1.0 / 30.0 - square * 5.0 / 66.0)));
    sum + inverse + square / 2.0 + square * inverse * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // pi^2 / 6 and pi^2 / 2.
        let pi_square = std::f64::consts::PI.powi(2);
        assert!((trigamma(1.0) - pi_square / 6.0).abs() < 1e-13);
        assert!((trigamma(0.5) - pi_square / 2.0).abs() < 1e-13);
    }
}
