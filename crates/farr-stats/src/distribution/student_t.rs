//! Student's t distribution, with any positive degrees of freedom.

use super::beta::{beta_tails, quantile_and_complement};
use super::solve::Target;
use super::{Tails, normal_quantile, normal_two_sided};

/// P(T <= t).
pub fn student_t_cdf(t: f64, degrees_of_freedom: f64) -> f64 {
    student_t_upper_tail(-t, degrees_of_freedom)
}

/// P(T > t).
pub fn student_t_upper_tail(t: f64, degrees_of_freedom: f64) -> f64 {
    let beyond = absolute_tails(t, degrees_of_freedom);
    if t > 0.0 { 0.5 * beyond.upper } else { 0.5 + 0.5 * beyond.lower }
}

/// P(|T| > |t|), the two-sided p value of a t statistic.
pub fn student_t_two_sided(t: f64, degrees_of_freedom: f64) -> f64 {
    absolute_tails(t, degrees_of_freedom).upper
}

/// The t with P(T <= t) = p; infinite at 0 and 1.
pub fn student_t_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    if degrees_of_freedom == f64::INFINITY {
        return normal_quantile(p);
    }
    if !(degrees_of_freedom > 0.0 && (0.0..=1.0).contains(&p)) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    // P(|T| > t) is a lower tail of nu / (nu + t^2), which is beta.
    let one_sided = p.min(1.0 - p);
    let target = if one_sided > 0.25 {
        Target::Upper(1.0 - 2.0 * one_sided)
    } else {
        Target::Lower(2.0 * one_sided)
    };
    let (x, y) = quantile_and_complement(2.0 * one_sided, target, degrees_of_freedom / 2.0, 0.5);
    let t = (degrees_of_freedom * (y / x)).sqrt();
    if p < 0.5 { -t } else { t }
}

/// Both tails of |T| at |t|.
fn absolute_tails(t: f64, degrees_of_freedom: f64) -> Tails {
    if degrees_of_freedom == f64::INFINITY {
        return Tails::from_upper(normal_two_sided(t));
    }
    // Divided by t^2 or nu first, so that neither overflows.
    let ratio = t * (t / degrees_of_freedom);
    let (x, y) =
        if ratio.is_infinite() { (0.0, 1.0) } else { (1.0 / (1.0 + ratio), ratio / (1.0 + ratio)) };
    beta_tails(x, y, degrees_of_freedom / 2.0, 0.5).swapped()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;
    use proptest::prelude::*;

    /// With 1 degree of freedom, the Cauchy distribution: 1/2 - atan(t) / pi;
    /// with 2, 1/2 - t / (2 sqrt(2 + t^2)). The last of mpmath 1.4.
    #[test]
    fn tails_are_known() {
        close(student_t_upper_tail(1.0, 1.0), 0.25, 1e-14);
        close(student_t_quantile(0.75, 1.0), 1.0, 1e-14);
        close(student_t_upper_tail(3.0, 2.0), 0.5 - 1.5 / 11f64.sqrt(), 1e-14);
        close(student_t_upper_tail(2.7, 170.1), 0.003_817_323_580_650_547_7, 1e-13);
        close(student_t_upper_tail(40.0, 5.0), 9.205_981_085_886_477e-8, 1e-13);
        close(student_t_upper_tail(0.01, 3.5), 0.496_282_356_225_962_06, 1e-13);
        close(student_t_upper_tail(12.0, 1000.0), 2.162_028_693_387_266_6e-31, 1e-13);
    }

    proptest! {
        #[test]
        fn quantile_undoes_the_tail(t in 1e-4..40.0f64, nu in 0.5..500.0f64) {
            let back = -student_t_quantile(student_t_upper_tail(t, nu), nu);
            prop_assert!((back / t - 1.0).abs() < 1e-11, "{back} {t}");
        }
    }
}
