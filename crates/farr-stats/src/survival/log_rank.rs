//! The log-rank test and its G-rho family, stratified or not.

use super::follow_up::{FollowUp, ascending, ascending_by_code, check_length, check_whole, codes};
use super::linear::Cholesky;
use crate::distribution::chi_square_upper_tail;
use crate::error::{Error, Result};

/// A test of equal survival. Vectors have one entry a group, by ascending
/// label.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRank {
    /// The groups' labels.
    pub groups: Vec<u32>,
    /// Events, weighted by S(t-)^rho.
    pub observed: Vec<f64>,
    /// Expected events, weighted likewise.
    pub expected: Vec<f64>,
    /// Covariance of observed - expected, row by row.
    pub covariance: Vec<Vec<f64>>,
    /// The statistic.
    pub chi_square: f64,
    /// Degrees of freedom: groups with expected events less one. With 0 there
    /// is no test: the statistic is 0.
    pub degrees_of_freedom: usize,
    /// P of a larger statistic; NaN without any expected event.
    pub p: f64,
}

/// Tests that the hazards of all groups are equal (within every stratum).
///
/// `group` and `strata` have one label a row. Each event time adds
/// weight `(d_g - d n_g / n)` with weight S(t-)^rho, S the Kaplan-Meier curve
/// of all groups of the stratum, and the hypergeometric covariance
/// `d (n - d) / (n - 1) n_g / n ([g = h] - n_h / n)` times the squared weight.
/// rho 0 is the log-rank test, 1 Peto and Peto's. Entry times are honoured as
/// usual (entry < t <= time). Where fewer than two groups ever meet an event
/// the statistic is 0, on 0 degrees of freedom (R's `pchisq`: p is 1 with one
/// such group, NaN with none). A weight says how many equal rows a row stands
/// for. Source: survival 3.5-3 `survdiff`, which has no weights. Errors: bad
/// rows, weights that are not whole, fewer than two labels, a singular
/// variance. Cost: one sort, then O(n + times g^2).
pub fn log_rank(
    rows: &FollowUp,
    group: &[u32],
    strata: Option<&[u32]>,
    rho: f64,
) -> Result<LogRank> {
    const WHAT: &str = "log-rank test";
    rows.check(WHAT)?;
    check_length("group", rows.rows(), group.len())?;
    if !rho.is_finite() {
        return Err(Error::Setting { setting: "rho", found: rho, expected: "a finite number" });
    }
    check_whole(rows.weight)?;
    let (group_code, groups) = codes(group);
    if groups.len() < 2 {
        return Err(Error::TooFewGroups { what: WHAT, found: groups.len() });
    }
    let order = ascending(rows.time);
    let (order, starts) = match strata {
        None => {
            let end = order.len();
            (order, vec![0, end])
        }
        Some(strata) => {
            check_length("strata", rows.rows(), strata.len())?;
            let (code, labels) = codes(strata);
            ascending_by_code(&order, &code, labels.len())
        }
    };
    let mut sums = Sums::new(groups.len());
    for stratum in starts.windows(2) {
        sums.add_stratum(rows, &group_code, &order[stratum[0]..stratum[1]], rho);
    }
    sums.finish(groups)
}

struct Sums {
    observed: Vec<f64>,
    expected: Vec<f64>,
    /// Lower triangle, row by row.
    covariance: Vec<f64>,
}

impl Sums {
    fn new(groups: usize) -> Self {
        Self {
            observed: vec![0.0; groups],
            expected: vec![0.0; groups],
            covariance: vec![0.0; groups * (groups + 1) / 2],
        }
    }

    /// `order`: the stratum's rows by ascending time.
    fn add_stratum(&mut self, rows: &FollowUp, group: &[u32], order: &[u32], rho: f64) {
        let count = self.observed.len();
        // At risk are those who entered less those who left; both are counted
        // forwards in whole numbers, which is exact.
        let mut entering: Vec<u32> = Vec::new();
        let mut n = vec![0.0; count];
        if let Some(entry) = rows.entry {
            entering.extend_from_slice(order);
            entering.sort_by(|&a, &b| entry[a as usize].total_cmp(&entry[b as usize]));
        } else {
            for &row in order {
                n[group[row as usize] as usize] += rows.weight_of(row as usize);
            }
        }
        // Rows are fetched in one go, whose reads need not wait for each other.
        let sorted: Vec<(f64, u32, bool, f64)> = order
            .iter()
            .map(|&row| row as usize)
            .map(|row| (rows.time[row], group[row], rows.event[row], rows.weight_of(row)))
            .collect();
        let (mut entered, mut survival) = (0, 1.0_f64);
        let (mut events, mut leaving) = (vec![0.0; count], vec![0.0; count]);
        for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
            let time = tied[0].0;
            events.fill(0.0);
            leaving.fill(0.0);
            for &(_, g, event, weight) in tied {
                leaving[g as usize] += weight;
                events[g as usize] += f64::from(u8::from(event)) * weight;
            }
            while let Some(&row) = entering.get(entered) {
                if rows.entry.is_some_and(|entry| entry[row as usize] >= time) {
                    break;
                }
                n[group[row as usize] as usize] += rows.weight_of(row as usize);
                entered += 1;
            }
            let d: f64 = events.iter().sum();
            if d > 0.0 {
                let total: f64 = n.iter().sum();
                let weight = if rho == 0.0 { 1.0 } else { survival.powf(rho) };
                self.add_time(&n, &events, total, d, weight);
                if rho != 0.0 {
                    survival *= (total - d) / total;
                }
            }
            n.iter_mut().zip(&leaving).for_each(|(n, left)| *n -= left);
        }
    }

    fn add_time(&mut self, n: &[f64], events: &[f64], total: f64, d: f64, weight: f64) {
        let inverse = 1.0 / total;
        let expected = weight * d * inverse;
        for (g, &events) in events.iter().enumerate() {
            self.observed[g] += weight * events;
            self.expected[g] += expected * n[g];
        }
        if total <= 1.0 {
            return;
        }
        let factor = weight * weight * d * (total - d) * inverse / (total - 1.0);
        let mut cell = self.covariance.iter_mut();
        for g in 0..n.len() {
            for (h, cell) in cell.by_ref().take(g + 1).enumerate() {
                let same = if g == h { 1.0 } else { 0.0 };
                *cell += factor * n[g] * (same - n[h] * inverse);
            }
        }
    }

    fn finish(self, groups: Vec<u32>) -> Result<LogRank> {
        let count = groups.len();
        let cell = |g: usize, h: usize| {
            let (g, h) = (g.max(h), g.min(h));
            self.covariance[g * (g + 1) / 2 + h]
        };
        let covariance: Vec<Vec<f64>> =
            (0..count).map(|g| (0..count).map(|h| cell(g, h)).collect()).collect();
        // Groups that never meet an event add nothing; one of the others is
        // left out, since differences sum to 0.
        let used: Vec<usize> = (0..count).filter(|&g| self.expected[g] > 0.0).collect();
        let degrees_of_freedom = used.len().saturating_sub(1);
        let tested = used.get(1..).unwrap_or_default();
        let matrix = tested.iter().flat_map(|&g| tested.iter().map(move |&h| (g, h)));
        let matrix: Vec<f64> = matrix.map(|(g, h)| covariance[g][h]).collect();
        let difference: Vec<f64> =
            tested.iter().map(|&g| self.observed[g] - self.expected[g]).collect();
        let chi_square = Cholesky::of(matrix, tested.len())
            .quadratic_of_inverse(&difference)
            .ok_or(Error::Singular { what: "log-rank test" })?;
        let p = match used.len() {
            0 => f64::NAN,
            1 => 1.0,
            _ => chi_square_upper_tail(chi_square, degrees_of_freedom as f64),
        };
        Ok(LogRank {
            groups,
            observed: self.observed,
            expected: self.expected,
            covariance,
            chi_square,
            degrees_of_freedom,
            p,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_by_hand() {
        // Group 0 has events at 1 and 3, group 1 at 2 and 4. At risk of group 0
        // 2 of 4, 1 of 3, 1 of 2, 0 of 1: expected 1/2 + 1/3 + 1/2 = 4/3,
        // variance 1/4 + 2/9 + 1/4 = 13/18, statistic (2/3)^2 * 18/13 = 8/13.
        let rows = FollowUp::new(&[1.0, 2.0, 3.0, 4.0], &[true; 4]);
        let test = log_rank(&rows, &[0, 1, 0, 1], None, 0.0).unwrap();
        assert_eq!(test.observed, [2.0, 2.0]);
        assert!((test.expected[0] - 4.0 / 3.0).abs() < 1e-15);
        assert!((test.covariance[0][0] - 13.0 / 18.0).abs() < 1e-15);
        assert!((test.chi_square - 8.0 / 13.0).abs() < 1e-14);
        assert_eq!(test.degrees_of_freedom, 1);
    }

    #[test]
    fn nothing_to_compare() {
        let rows = FollowUp::new(&[1.0, 2.0], &[true, false]);
        let what = "log-rank test";
        assert_eq!(
            log_rank(&rows, &[3, 3], None, 0.0),
            Err(Error::TooFewGroups { what, found: 1 })
        );
        let half = FollowUp::new(&[1.0, 2.0], &[true; 2]).with_weight(&[1.0, 0.5]);
        let error = log_rank(&half, &[0, 1], None, 0.0).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { column: "weight", row: 1, .. }), "{error}");
        let censored = FollowUp::new(&[1.0, 2.0, 3.0, 4.0], &[false; 4]);
        let test = log_rank(&censored, &[0, 1, 0, 1], None, 0.0).unwrap();
        assert_eq!((test.observed, test.expected), (vec![0.0; 2], vec![0.0; 2]));
        assert_eq!((test.chi_square, test.degrees_of_freedom), (0.0, 0));
        assert!(test.p.is_nan());
        // Group 1 has left before the first event.
        let event = [true, true, false, false, false, false];
        let rows = FollowUp::new(&[5.0, 6.0, 7.0, 1.0, 2.0, 3.0], &event);
        let test = log_rank(&rows, &[0, 0, 0, 1, 1, 1], None, 0.0).unwrap();
        assert_eq!((test.observed, test.expected), (vec![2.0, 0.0], vec![2.0, 0.0]));
        assert_eq!((test.chi_square, test.degrees_of_freedom, test.p), (0.0, 0, 1.0));
    }
}
