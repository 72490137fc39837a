//! Student's t test, with equal variances and without.

use crate::distribution::{student_t_quantile, student_t_two_sided};
use crate::estimate::{Estimate, EstimateError, check_finite, tail_probability};

/// One t test of a difference of means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TTest {
    /// The statistic.
    pub t: f64,
    /// Degrees of freedom, Welch's being a fraction.
    pub degrees_of_freedom: f64,
    /// Two-sided p.
    pub p: f64,
    /// The difference of means with its interval.
    pub difference: Estimate,
}

/// Both t tests of two groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TTests {
    /// Welch's test, each group with its own variance.
    pub welch: TTest,
    /// Student's test, variances pooled.
    pub pooled: TTest,
}

/// Tests whether `exposed` and `reference` have the same mean (R's `t.test`).
///
/// The difference is exposed minus reference; variances divide by n - 1;
/// Welch's degrees of freedom are Satterthwaite's. Errors: fewer than two
/// values in a group, missing values, both groups constant, a level outside of
/// (0, 1).
pub fn t_tests(exposed: &[f64], reference: &[f64], level: f64) -> Result<TTests, EstimateError> {
    let tail = tail_probability(level)?;
    let (mean1, variance1) = mean_and_variance("exposed", exposed)?;
    let (mean0, variance0) = mean_and_variance("reference", reference)?;
    let (n1, n0) = (exposed.len() as f64, reference.len() as f64);
    let (share1, share0) = (variance1 / n1, variance0 / n0);
    let welch_variance = share1 + share0;
    // As in R: spread that is only the rounding of the means is none.
    let rounding = 10.0 * f64::EPSILON * mean1.abs().max(mean0.abs());
    if welch_variance.sqrt() <= rounding {
        return Err(EstimateError::NoSpread { what: "the t test", column: "value" });
    }
    let welch_degrees =
        welch_variance.powi(2) / (share1.powi(2) / (n1 - 1.0) + share0.powi(2) / (n0 - 1.0));
    let pooled_degrees = n1 + n0 - 2.0;
    let pooled_variance =
        ((n1 - 1.0) * variance1 + (n0 - 1.0) * variance0) / pooled_degrees * (1.0 / n1 + 1.0 / n0);
    let test = |variance: f64, degrees_of_freedom: f64| {
        let (difference, std_err) = (mean1 - mean0, variance.sqrt());
        let t = difference / std_err;
        let quantile = -student_t_quantile(tail, degrees_of_freedom);
        TTest {
            t,
            degrees_of_freedom,
            p: student_t_two_sided(t, degrees_of_freedom),
            difference: Estimate::from_difference(difference, std_err, quantile),
        }
    };
    Ok(TTests {
        welch: test(welch_variance, welch_degrees),
        pooled: test(pooled_variance, pooled_degrees),
    })
}

fn mean_and_variance(column: &'static str, values: &[f64]) -> Result<(f64, f64), EstimateError> {
    if values.len() < 2 {
        return Err(EstimateError::TooFew { what: column, found: values.len(), expected: 2 });
    }
    check_finite(column, values)?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    Ok((mean, squares / (n - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;

    #[test]
    fn small_groups_by_hand() {
        // 1, 3 and 2, 6: means 2 and 4, variances 2 and 8; both tests have
        // variance 2/2 + 8/2 = 5; Welch's degrees 25 / (1 + 16) = 25/17.
        let found = t_tests(&[1.0, 3.0], &[2.0, 6.0], 0.95).unwrap();
        close(found.welch.t, -2.0 / 5f64.sqrt(), 1e-15);
        close(found.welch.degrees_of_freedom, 25.0 / 17.0, 1e-15);
        close(found.pooled.t, -2.0 / 5f64.sqrt(), 1e-15);
        // With 2 degrees of freedom: p = 1 - t / sqrt(2 + t^2), t^2 = 4/5.
        close(found.pooled.p, 1.0 - (0.8f64 / 2.8).sqrt(), 1e-14);
    }

    #[test]
    fn bad_groups_are_named() {
        let error = EstimateError::TooFew { what: "exposed", found: 1, expected: 2 };
        assert_eq!(t_tests(&[1.0], &[1.0, 2.0], 0.95), Err(error));
        let error = EstimateError::NotFinite { column: "reference", row: 1 };
        assert_eq!(t_tests(&[1.0, 2.0], &[1.0, f64::NAN], 0.95), Err(error));
        let error = EstimateError::NoSpread { what: "the t test", column: "value" };
        assert_eq!(t_tests(&[1.0, 1.0], &[2.0, 2.0], 0.95), Err(error));
    }
}
