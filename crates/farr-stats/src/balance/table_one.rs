//! Baseline characteristics of two groups (Table 1).

use super::difference::{Scale, standardised_mean_difference};
use super::error::{Error, check_groups};
use super::moments::{mean_and_variance, quantile, sorted};
use crate::distribution::chi_square_upper_tail;
use crate::regression::{Cholesky, SquareMatrix, dot};

/// One continuous characteristic of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContinuousSummary {
    /// Rows with a value.
    pub n: usize,
    /// Rows without.
    pub missing: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, n - 1.
    pub std_dev: f64,
    /// Median; this and the quartiles by R's type 7.
    pub median: f64,
    /// Lower quartile.
    pub q25: f64,
    /// Upper quartile.
    pub q75: f64,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

/// A continuous characteristic of both groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Continuous {
    /// The exposed.
    pub exposed: ContinuousSummary,
    /// The reference.
    pub reference: ContinuousSummary,
    /// Standardised mean difference, [`Scale::Pooled`].
    pub smd: f64,
}

/// A 0/1 characteristic of both groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binary {
    /// The exposed with a 1, and with a value.
    pub exposed: (usize, usize),
    /// The reference with a 1, and with a value.
    pub reference: (usize, usize),
    /// Standardised difference, [`Scale::PooledBinary`].
    pub smd: f64,
}

/// A characteristic of several levels, of both groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Categorical {
    /// The levels that occur, ascending.
    pub levels: Vec<f64>,
    /// Exposed rows by level.
    pub exposed: Vec<usize>,
    /// Reference rows by level.
    pub reference: Vec<usize>,
    /// Percent of the exposed with a value.
    pub exposed_percent: Vec<f64>,
    /// Percent of the reference with a value.
    pub reference_percent: Vec<f64>,
    /// Multinomial standardised difference.
    pub smd: f64,
    /// Pearson's chi-square of levels by group; with Yates' correction for
    /// two levels, as R's `chisq.test`.
    pub chi_square: f64,
    /// Its p-value, levels - 1 degrees of freedom.
    pub chi_square_p: f64,
}

/// Summarises a continuous characteristic; one value a row, NaN where
/// missing. A group without values has NaN for all.
pub fn continuous(values: &[f64], exposed: &[bool]) -> Result<Continuous, Error> {
    let Present { values, exposed, missing } = present(values, exposed)?;
    let summary = |wanted: bool| {
        let group = sorted(of_group(&values, &exposed, wanted));
        let (mean, variance) = mean_and_variance(&group);
        ContinuousSummary {
            n: group.len(),
            missing: missing[usize::from(wanted)],
            mean,
            std_dev: variance.sqrt(),
            median: quantile(&group, 0.5),
            q25: quantile(&group, 0.25),
            q75: quantile(&group, 0.75),
            min: quantile(&group, 0.0),
            max: quantile(&group, 1.0),
        }
    };
    let smd = standardised_mean_difference(&values, &exposed, None, Scale::Pooled)?;
    Ok(Continuous { exposed: summary(true), reference: summary(false), smd })
}

/// Summarises a 0/1 characteristic; one value a row, NaN where missing.
pub fn binary(values: &[f64], exposed: &[bool]) -> Result<Binary, Error> {
    let Present { values, exposed, .. } = present(values, exposed)?;
    crate::regression::checks::zero_or_one("values", &values, values.len())?;
    let count = |wanted: bool| {
        let group = of_group(&values, &exposed, wanted);
        (group.iter().filter(|v| **v == 1.0).count(), group.len())
    };
    let smd = standardised_mean_difference(&values, &exposed, None, Scale::PooledBinary)?;
    Ok(Binary { exposed: count(true), reference: count(false), smd })
}

/// Summarises a characteristic of levels (coded as numbers); one value a row,
/// NaN where missing.
///
/// The difference is that of Yang and Dalton (2012, SAS Global Forum 335):
/// with t and c the groups' shares of all levels but the first and S the mean
/// of their multinomial covariances, sqrt((t - c)' S^-1 (t - c)); 0 with one
/// level, NaN where S is singular and the groups differ.
pub fn categorical(values: &[f64], exposed: &[bool]) -> Result<Categorical, Error> {
    let Present { values, exposed, .. } = present(values, exposed)?;
    let mut levels = sorted(values.clone());
    levels.dedup();
    let count = |wanted: bool| -> Vec<usize> {
        let group = of_group(&values, &exposed, wanted);
        levels.iter().map(|level| group.iter().filter(|v| *v == level).count()).collect()
    };
    let (one, zero) = (count(true), count(false));
    let share = |counts: &[usize]| -> Vec<f64> {
        let total: usize = counts.iter().sum();
        counts.iter().map(|&c| c as f64 / total as f64).collect()
    };
    let (share1, share0) = (share(&one), share(&zero));
    let percent = |shares: &[f64]| shares.iter().map(|s| 100.0 * s).collect();
    let (chi_square, chi_square_p) = chi_square(&one, &zero);
    Ok(Categorical {
        exposed_percent: percent(&share1),
        reference_percent: percent(&share0),
        smd: multinomial_difference(&share1, &share0),
        chi_square,
        chi_square_p,
        levels,
        exposed: one,
        reference: zero,
    })
}

/// Rows with a value.
struct Present {
    values: Vec<f64>,
    exposed: Vec<bool>,
    /// Rows without, in reference and exposed.
    missing: [usize; 2],
}

fn present(values: &[f64], exposed: &[bool]) -> Result<Present, Error> {
    check_groups(exposed, values.len())?;
    let mut present = Present { values: vec![], exposed: vec![], missing: [0; 2] };
    for (&value, &exposed) in values.iter().zip(exposed) {
        if value.is_nan() {
            present.missing[usize::from(exposed)] += 1;
        } else {
            present.values.push(value);
            present.exposed.push(exposed);
        }
    }
    Ok(present)
}

fn of_group(values: &[f64], exposed: &[bool], wanted: bool) -> Vec<f64> {
    values.iter().zip(exposed).filter(|(_, e)| **e == wanted).map(|(v, _)| *v).collect()
}

fn multinomial_difference(one: &[f64], zero: &[f64]) -> f64 {
    let size = one.len().saturating_sub(1);
    let difference: Vec<f64> = (1..one.len()).map(|k| one[k] - zero[k]).collect();
    if difference.iter().all(|d| *d == 0.0) {
        return 0.0;
    }
    let mut covariance = SquareMatrix::zeros(size);
    for i in 0..size {
        for j in 0..size {
            let part = |p: &[f64]| {
                let own = if i == j { p[i + 1] } else { 0.0 };
                own - p[i + 1] * p[j + 1]
            };
            covariance.set(i, j, f64::midpoint(part(one), part(zero)));
        }
    }
    Cholesky::new(&covariance)
        .map_or(f64::NAN, |factor| dot(&difference, &factor.solve(&difference)).sqrt())
}

fn chi_square(one: &[usize], zero: &[usize]) -> (f64, f64) {
    let totals = [one.iter().sum::<usize>() as f64, zero.iter().sum::<usize>() as f64];
    let all = totals[0] + totals[1];
    // Every |observed - expected| of a 2 x 2 table is the same.
    let gap = |observed: usize, expected: f64| {
        let gap = (observed as f64 - expected).abs();
        if one.len() == 2 { gap - gap.min(0.5) } else { gap }
    };
    let mut statistic = 0.0;
    for (&a, &b) in one.iter().zip(zero) {
        let level = (a + b) as f64;
        for (observed, total) in [(a, totals[0]), (b, totals[1])] {
            let expected = level * total / all;
            statistic += gap(observed, expected).powi(2) / expected;
        }
    }
    let df = one.len() as f64 - 1.0;
    (statistic, if df > 0.0 { chi_square_upper_tail(statistic, df) } else { f64::NAN })
}
