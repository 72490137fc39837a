//! Strata of a propensity score.

use super::error::{Error, check_groups};
use super::moments::{quantile, sorted};
use crate::regression::checks;

/// Whose scores the strata divide evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantilesOf {
    /// The treated's.
    Treated,
    /// The reference's.
    Reference,
    /// All rows'.
    All,
}

/// Rows by stratum of the score.
#[derive(Debug, Clone)]
pub struct Stratification {
    /// Each row's stratum, from 0 (lowest scores).
    pub stratum: Vec<usize>,
    /// The scores between strata, ascending, one fewer than strata.
    pub breaks: Vec<f64>,
    /// Treated rows by stratum.
    pub treated: Vec<usize>,
    /// Reference rows by stratum.
    pub reference: Vec<usize>,
    /// Mean score of all rows by stratum; NaN where empty.
    pub mean_score: Vec<f64>,
}

/// Divides rows at the type 7 quantiles k / `strata` of the scores of
/// `quantiles_of`. A score equal to a break belongs below it (right closed);
/// the outer strata reach to 0 and 1.
pub fn stratify(
    score: &[f64],
    treated: &[bool],
    strata: usize,
    quantiles_of: QuantilesOf,
) -> Result<Stratification, Error> {
    if strata == 0 {
        return Err(Error::Setting { setting: "the number of strata", expected: "1 or more" });
    }
    checks::share("score", score, score.len())?;
    check_groups(treated, score.len())?;
    let of = score.iter().zip(treated).filter(|(_, t)| match quantiles_of {
        QuantilesOf::Treated => **t,
        QuantilesOf::Reference => !**t,
        QuantilesOf::All => true,
    });
    let ascending = sorted(of.map(|(s, _)| *s).collect());
    let breaks: Vec<f64> =
        (1..strata).map(|k| quantile(&ascending, k as f64 / strata as f64)).collect();
    let stratum: Vec<usize> = score.iter().map(|&s| breaks.partition_point(|&b| b < s)).collect();
    let (mut treated_count, mut reference_count) = (vec![0; strata], vec![0; strata]);
    let mut sum = vec![0.0; strata];
    for ((&s, &treated), &k) in score.iter().zip(treated).zip(&stratum) {
        if treated {
            treated_count[k] += 1;
        } else {
            reference_count[k] += 1;
        }
        sum[k] += s;
    }
    let mean_score =
        (0..strata).map(|k| sum[k] / (treated_count[k] + reference_count[k]) as f64).collect();
    Ok(Stratification {
        stratum,
        breaks,
        treated: treated_count,
        reference: reference_count,
        mean_score,
    })
}
