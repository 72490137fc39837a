//! Tests of two groups, and of two classifications.
//!
//! Fisher's exact test is in [`crate::tables`], log-rank tests are in
//! `survival`.

mod mann_whitney;
mod student;

pub use mann_whitney::{MannWhitney, MannWhitneyExact, mann_whitney, mann_whitney_exact};
pub use student::{TTest, TTests, t_tests};

use crate::distribution::chi_square_upper_tail;
use crate::estimate::{EstimateError, check_length};

/// Pearson's chi-square test of a table of counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquareTest {
    /// The statistic, without continuity correction.
    pub chi_square: f64,
    /// Rows less one times columns less one.
    pub degrees_of_freedom: usize,
    /// P of a larger statistic under independence.
    pub p: f64,
}

/// Pearson's chi-square test that rows and columns are independent (R's
/// `chisq.test(correct = FALSE)`).
///
/// Rows and columns without counts are left out. Errors: rows of unequal
/// length, fewer than two rows or columns with counts.
pub fn chi_square_test(rows: &[&[u64]]) -> Result<ChiSquareTest, EstimateError> {
    let width = rows.first().map_or(0, |row| row.len());
    for row in rows {
        check_length("a row of the table", row.len(), "its first row", width)?;
    }
    let row_totals: Vec<u64> = rows.iter().map(|row| row.iter().sum()).collect();
    let column_totals: Vec<u64> =
        (0..width).map(|column| rows.iter().map(|row| row[column]).sum()).collect();
    let filled = |totals: &[u64]| totals.iter().filter(|total| **total > 0).count();
    for (what, found) in
        [("rows with counts", filled(&row_totals)), ("columns with counts", filled(&column_totals))]
    {
        if found < 2 {
            return Err(EstimateError::TooFew { what, found, expected: 2 });
        }
    }
    let total = row_totals.iter().sum::<u64>() as f64;
    let mut chi_square = 0.0;
    for (row, row_total) in rows.iter().zip(&row_totals) {
        for (count, column_total) in row.iter().zip(&column_totals) {
            let expected = *row_total as f64 * (*column_total as f64 / total);
            if expected > 0.0 {
                chi_square += (*count as f64 - expected).powi(2) / expected;
            }
        }
    }
    let degrees_of_freedom = (filled(&row_totals) - 1) * (filled(&column_totals) - 1);
    let p = chi_square_upper_tail(chi_square, degrees_of_freedom as f64);
    Ok(ChiSquareTest { chi_square, degrees_of_freedom, p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::close;

    #[test]
    fn chi_square_by_hand() {
        // 10 20 / 20 10: all expected 15, 4 * 25 / 15; an empty column is nothing.
        let found = chi_square_test(&[&[10, 0, 20], &[20, 0, 10]]).unwrap();
        close(found.chi_square, 100.0 / 15.0, 1e-14);
        assert_eq!(found.degrees_of_freedom, 1);
        assert!(chi_square_test(&[&[1, 2], &[0, 0]]).is_err());
        assert!(chi_square_test(&[&[1, 2], &[1]]).is_err());
        assert!(chi_square_test(&[]).is_err());
    }
}
