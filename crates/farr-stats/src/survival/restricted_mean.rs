//! Difference and ratio of two groups' restricted mean survival times.

use super::confidence::Confidence;
use super::confidence::normal_quantile_two_sided;
use super::follow_up::FollowUp;
use super::kaplan_meier::{KaplanMeierOptions, kaplan_meier_by_group};
use crate::distribution::normal_two_sided;
use crate::error::{Error, Result};

/// Which groups are compared, up to when, how sure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMeanOptions {
    /// Label of the group that is subtracted and divides.
    pub reference: u32,
    /// Horizon, in the unit of time.
    pub tau: f64,
    /// Coverage of the intervals, e.g. 0.95.
    pub conf_level: f64,
}

/// The other group's mean against the reference's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMeanDifference {
    /// Other minus reference.
    pub difference: f64,
    /// Its standard error.
    pub difference_std_err: f64,
    /// Lower bound of the difference.
    pub difference_lower: f64,
    /// Upper bound of the difference.
    pub difference_upper: f64,
    /// Other over reference.
    pub ratio: f64,
    /// Lower bound of the ratio.
    pub ratio_lower: f64,
    /// Upper bound of the ratio.
    pub ratio_upper: f64,
    /// Two-sided p of no difference.
    pub p: f64,
}

/// Compares two groups' areas under the Kaplan-Meier curve up to tau.
///
/// `group` has one label a row, two labels in all. The difference gets a
/// normal interval, the ratio one by the delta method on its log. Source:
/// the means of survival 3.5-3 `survfit(~ group)`. Errors: bad rows, not two
/// groups, the reference is neither. Cost: one sort, then linear.
pub fn restricted_mean_difference(
    rows: &FollowUp,
    group: &[u32],
    options: &RestrictedMeanOptions,
) -> Result<RestrictedMeanDifference> {
    let confidence = Confidence { level: options.conf_level, ..Confidence::default() };
    let settings = KaplanMeierOptions { confidence, ..KaplanMeierOptions::default() };
    let curves = kaplan_meier_by_group(rows, group, &settings)?;
    let [(first, a), (second, b)] = curves.as_slice() else {
        return Err(Error::Setting {
            setting: "number of groups",
            found: curves.len() as f64,
            expected: "exactly 2",
        });
    };
    let (reference, other) = match options.reference {
        label if label == *first => (a, b),
        label if label == *second => (b, a),
        label => return Err(Error::NoSuchLabel { what: "group", label }),
    };
    let z = normal_quantile_two_sided(options.conf_level)?;
    let reference = reference.restricted_mean(options.tau)?;
    let other = other.restricted_mean(options.tau)?;
    let difference = other.mean - reference.mean;
    let std_err = other.std_err.hypot(reference.std_err);
    let ratio = other.mean / reference.mean;
    let log_std_err = (other.std_err / other.mean).hypot(reference.std_err / reference.mean);
    Ok(RestrictedMeanDifference {
        difference,
        difference_std_err: std_err,
        difference_lower: difference - z * std_err,
        difference_upper: difference + z * std_err,
        ratio,
        ratio_lower: ratio * (-z * log_std_err).exp(),
        ratio_upper: ratio * (z * log_std_err).exp(),
        p: normal_two_sided(difference / std_err),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_by_hand() {
        // Up to 4. Group 1: times 2 4, area 2 + 1 = 3; variance 1^2 / (2 * 1).
        // Group 0: times 1 3, area 1 + 1 = 2; variance 1^2 / (2 * 1).
        let rows = FollowUp::new(&[2.0, 4.0, 1.0, 3.0], &[true; 4]);
        let options = RestrictedMeanOptions { reference: 0, tau: 4.0, conf_level: 0.95 };
        let found = restricted_mean_difference(&rows, &[1, 1, 0, 0], &options).unwrap();
        assert_eq!((found.difference, found.ratio), (1.0, 1.5));
        assert!((found.difference_std_err - 1.0).abs() < 1e-15);
        assert!((found.p - 0.317_310_507_862_914_1).abs() < 1e-13);
        let missing = RestrictedMeanOptions { reference: 7, ..options };
        let found = restricted_mean_difference(&rows, &[1, 1, 0, 0], &missing);
        assert_eq!(found, Err(Error::NoSuchLabel { what: "group", label: 7 }));
    }
}
