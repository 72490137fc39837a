//! The self-controlled case series.

use super::conditional::{Conditional, ConditionalFit, fit, write_group_scores};
use super::design::{Covariate, Design};
use super::error::{Error, check_range};
use super::groups::rows_by_group;
use super::linear_algebra::{SquareMatrix, dot};
use super::newton::Likelihood;

/// The self-controlled case series: conditional Poisson regression, where a
/// person's events fall into the person's intervals with probabilities
/// proportional to length e^(x b) (Farrington 1995, Biometrics 51:228).
///
/// - `count`: events in the interval, 0 or more, one a row.
/// - `length`: the interval's length in any unit of time, 0 or more; an
///   interval of length 0 may hold no event.
/// - `covariates`: named columns (risk periods, age groups) of that length.
/// - `person`: a person number from 0, one a row
///   (see [`super::group_indices`]); rows in any order.
///
/// Persons without events say nothing and are dropped; the rest are the
/// result's `groups`. The log-likelihood leaves out the multinomial
/// coefficient. Errors as for conditional logistic regression. Agrees with R
/// gnm's `gnm(family = poisson, eliminate = person, offset = log(length))`.
/// Cost n p^2 a step.
pub fn self_controlled_case_series(
    count: &[f64],
    length: &[f64],
    covariates: &[Covariate<'_>],
    person: &[usize],
) -> Result<ConditionalFit, Error> {
    let rows = count.len();
    check_range("count", count, rows, "a count of 0 or more", |y| y >= 0.0)?;
    check_range("length", length, rows, "a length of 0 or more", |l| l >= 0.0)?;
    if let Some(row) = (0..rows).find(|&i| length[i] == 0.0 && count[i] > 0.0) {
        let expected = "a length above 0 where the interval holds events";
        return Err(Error::OutOfRange { column: "length".to_owned(), row, expected });
    }
    if person.len() != rows {
        let column = "person".to_owned();
        return Err(Error::Length { column, found: person.len(), expected: rows });
    }
    let all = rows_by_group(person);
    let groups = all.iter().filter(|g| !g.is_empty()).count();
    let persons: Vec<Vec<usize>> = all
        .into_iter()
        .filter(|rows| rows.iter().any(|&i| count[i] > 0.0))
        .map(|rows| rows.into_iter().filter(|&i| length[i] > 0.0).collect())
        .collect();
    if persons.iter().all(|rows: &Vec<usize>| rows.len() < 2) {
        return Err(Error::NoInformativeStratum { groups });
    }
    let mut weights = vec![0.0; rows];
    persons.iter().flatten().for_each(|&i| weights[i] = length[i]);
    let design = Design::within_groups(covariates, &persons, &weights)?;
    let (cases, events) = (persons.len(), count.iter().sum());
    let mut likelihood = Histories { count, length, design: &design, persons };
    fit(&mut likelihood, cases, events)
}

struct Histories<'a> {
    count: &'a [f64],
    length: &'a [f64],
    design: &'a Design,
    persons: Vec<Vec<usize>>,
}

impl Histories<'_> {
    /// ln(length e^(x b)) of a person's rows, and the log of their sum.
    fn log_rates(&self, rows: &[usize], at: &[f64]) -> (Vec<f64>, f64) {
        let rates: Vec<f64> =
            rows.iter().map(|&i| self.length[i].ln() + dot(self.design.row(i), at)).collect();
        let largest = rates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = rates.iter().map(|r| (r - largest).exp()).sum();
        (rates, largest + sum.ln())
    }
}

impl Likelihood for Histories<'_> {
    fn design(&self) -> &Design {
        self.design
    }

    fn value(&mut self, at: &[f64]) -> f64 {
        let mut value = 0.0;
        for rows in &self.persons {
            let (rates, total) = self.log_rates(rows, at);
            value +=
                rows.iter().zip(&rates).map(|(&i, r)| self.count[i] * (r - total)).sum::<f64>();
        }
        value
    }

    fn derivatives(&mut self, at: &[f64]) -> (Vec<f64>, SquareMatrix) {
        let p = self.design.size();
        // Per row: count minus its expectation, and the expectation. The
        // information is the expectation-weighted cross product of columns
        // minus that of the persons' means.
        let mut residual = vec![0.0; self.count.len()];
        let mut information = SquareMatrix::zeros(p);
        let mut centred = vec![0.0; p];
        for rows in &self.persons {
            let (rates, total) = self.log_rates(rows, at);
            let events: f64 = rows.iter().map(|&i| self.count[i]).sum();
            let shares: Vec<f64> = rates.iter().map(|r| (r - total).exp()).collect();
            let mut mean = vec![0.0; p];
            for (&i, share) in rows.iter().zip(&shares) {
                residual[i] = self.count[i] - events * share;
                for (m, x) in mean.iter_mut().zip(self.design.row(i)) {
                    *m += share * x;
                }
            }
            for (&i, share) in rows.iter().zip(&shares) {
                for ((c, x), m) in centred.iter_mut().zip(self.design.row(i)).zip(&mean) {
                    *c = x - m;
                }
                for (a, &left) in centred.iter().enumerate() {
                    for (b, &right) in centred.iter().enumerate() {
                        information.add(a, b, events * share * left * right);
                    }
                }
            }
        }
        (self.design.transpose_times(&residual), information)
    }
}

impl Conditional for Histories<'_> {
    fn row_scores(&self, at: &[f64]) -> Vec<f64> {
        let mut scores = vec![0.0; self.count.len() * self.design.size()];
        for rows in &self.persons {
            let (rates, total) = self.log_rates(rows, at);
            let events: f64 = rows.iter().map(|&i| self.count[i]).sum();
            let residuals: Vec<(f64, f64)> = rows
                .iter()
                .zip(&rates)
                .map(|(&i, rate)| (events * (rate - total).exp(), self.count[i]))
                .map(|(expected, count)| (count - expected, expected))
                .collect();
            write_group_scores(self.design, rows, &residuals, &mut scores);
        }
        scores
    }
}
