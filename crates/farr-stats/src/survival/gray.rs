//! Gray's test of equal cumulative incidence.

use super::competing::CompetingRisks;
use super::cox::ChiSquareTest;
use super::cumulative_incidence::check_counted;
use super::follow_up::{ascending, ascending_by_code, check_length, codes};
use super::linear::Cholesky;
use crate::error::{Error, Result};

/// Gray's test for one cause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrayTest {
    /// Code of the cause.
    pub cause: u32,
    /// The test, groups less one degrees of freedom; `None` where the score's
    /// variance is singular.
    pub test: Option<ChiSquareTest>,
}

/// Tests, cause by cause (ascending), that the subdistribution hazards of all
/// groups are equal (within every stratum).
///
/// Each time adds `(1 - F(t-))^rho (d_g - d R_g / sum R)`, with
/// `R_g = n_g (1 - F_g(t-)) / S_g(t-)`; F is the pooled curve with hazard
/// `d / sum of n_g / S_g(t-)`. Source: Gray (1988), section 2, as cmprsk 2.2-11
/// `cuminc` has it (which writes statistic -1 and p 1 where there is no test).
/// A weight says how many equal rows a row stands for. Errors: bad rows, entry
/// times (cmprsk has none), weights that are not whole, fewer than two groups,
/// no event. Cost: one sort, then O(n + times g^3) a cause.
pub fn gray_test(
    rows: &CompetingRisks,
    group: &[u32],
    strata: Option<&[u32]>,
    rho: f64,
) -> Result<Vec<GrayTest>> {
    const WHAT: &str = "Gray's test";
    rows.check(WHAT)?;
    check_counted(rows)?;
    check_length("group", rows.time.len(), group.len())?;
    if !rho.is_finite() {
        return Err(Error::Setting { setting: "rho", found: rho, expected: "a finite number" });
    }
    let causes = rows.causes();
    if causes.is_empty() {
        return Err(Error::NoEvents { what: WHAT });
    }
    let (group, groups) = codes(group);
    if groups.len() < 2 {
        return Err(Error::TooFewGroups { what: WHAT, found: groups.len() });
    }
    let mut order = ascending(rows.time);
    let mut starts = vec![0, order.len()];
    if let Some(strata) = strata {
        check_length("strata", rows.time.len(), strata.len())?;
        let (code, labels) = codes(strata);
        (order, starts) = ascending_by_code(&order, &code, labels.len());
    }
    let tested = groups.len() - 1;
    let test = |&cause: &u32| {
        let mut score = vec![0.0; tested];
        let mut variance = vec![0.0; tested * tested];
        for stratum in starts.windows(2) {
            let order = &order[stratum[0]..stratum[1]];
            let mut sums = Stratum::new(groups.len(), rho);
            sums.walk(rows, &group, order, cause);
            sums.add_to(&mut score, &mut variance);
        }
        let statistic = Cholesky::of(variance, tested).quadratic_of_inverse(&score);
        GrayTest { cause, test: statistic.map(|statistic| ChiSquareTest::new(statistic, tested)) }
    };
    Ok(causes.iter().map(test).collect())
}

/// One group at the current time: just before (`_left`) and at it.
#[derive(Clone)]
struct Group {
    n: f64,
    own: f64,
    other: f64,
    survival_left: f64,
    survival: f64,
    incidence_left: f64,
    incidence: f64,
    /// Sum of the variance of this group's hazards, each seen at F(t).
    v3: f64,
}

/// Score and variance of one stratum. g by g matrices row by row.
struct Stratum {
    groups: Vec<Group>,
    rho: f64,
    pooled: f64,
    score: Vec<f64>,
    variance: Vec<f64>,
    /// Weights of this time's hazards in the score.
    a: Vec<f64>,
    /// Their integrals by the pooled hazard.
    c: Vec<f64>,
    v2: Vec<f64>,
}

impl Stratum {
    fn new(groups: usize, rho: f64) -> Self {
        let group = Group {
            n: 0.0,
            own: 0.0,
            other: 0.0,
            survival_left: 1.0,
            survival: 1.0,
            incidence_left: 0.0,
            incidence: 0.0,
            v3: 0.0,
        };
        let square = vec![0.0; groups * groups];
        Self {
            groups: vec![group; groups],
            rho,
            pooled: 0.0,
            score: vec![0.0; groups],
            variance: square.clone(),
            a: square.clone(),
            c: square.clone(),
            v2: square,
        }
    }

    /// `order`: the stratum's rows by ascending time.
    fn walk(&mut self, rows: &CompetingRisks, group: &[u32], order: &[u32], cause: u32) {
        for &row in order {
            self.groups[group[row as usize] as usize].n += rows.weight_of(row as usize);
        }
        let mut leaving = vec![0.0; self.groups.len()];
        let mut start = 0;
        while start < order.len() {
            let time = rows.time[order[start] as usize];
            leaving.fill(0.0);
            self.groups.iter_mut().for_each(|g| (g.own, g.other) = (0.0, 0.0));
            while let Some(&row) = order.get(start).filter(|&&r| rows.time[r as usize] == time) {
                let g = group[row as usize] as usize;
                let weight = rows.weight_of(row as usize);
                leaving[g] += weight;
                match rows.cause[row as usize] {
                    0 => {}
                    c if c == cause => self.groups[g].own += weight,
                    _ => self.groups[g].other += weight,
                }
                start += 1;
            }
            if self.groups.iter().any(|g| g.own + g.other > 0.0) {
                self.add_time();
            }
            for (g, left) in self.groups.iter_mut().zip(&leaving) {
                g.n -= left;
                g.survival_left = g.survival;
                g.incidence_left = g.incidence;
            }
        }
    }

    fn add_time(&mut self) {
        let count = self.groups.len();
        let own: f64 = self.groups.iter().map(|g| g.own).sum();
        // Sums of n_g / S_g and of R_g over groups with anyone at risk.
        let (mut risk, mut subdistribution_risk) = (0.0, 0.0);
        for g in self.groups.iter_mut().filter(|g| g.n > 0.0) {
            g.survival = g.survival_left * (g.n - g.own - g.other) / g.n;
            g.incidence = g.incidence_left + g.survival_left * g.own / g.n;
            risk += g.n / g.survival_left;
            subdistribution_risk += g.n * (1.0 - g.incidence_left) / g.survival_left;
        }
        let pooled_left = self.pooled;
        self.pooled += own / risk;
        let weight = (1.0 - pooled_left).powf(self.rho);
        let share = |g: &Group| if g.n > 0.0 { g.n / g.survival_left } else { 0.0 };
        for i in 0..count {
            let share_i = share(&self.groups[i]);
            for j in 0..count {
                let same = if i == j { 1.0 } else { 0.0 };
                let a = weight * share_i * (same - share(&self.groups[j]) / risk);
                self.a[i * count + j] = a;
                // Once the pooled curve is at 1 a hazard that moves nothing
                // would count 0 / 0.
                if a * own != 0.0 {
                    self.c[i * count + j] += a * own / (risk * (1.0 - pooled_left));
                }
            }
            let g = &self.groups[i];
            if g.n > 0.0 {
                let expected = own * share_i * (1.0 - g.incidence_left) / subdistribution_risk;
                self.score[i] += weight * (g.own - expected);
            }
        }
        if own > 0.0 {
            self.add_own(own, risk);
        }
        self.add_other();
    }

    /// Variance from the pooled hazard of the cause.
    fn add_own(&mut self, own: f64, risk: f64) {
        let (count, pooled) = (self.groups.len(), self.pooled);
        for k in 0..count {
            let g = &mut self.groups[k];
            if g.n <= 0.0 {
                continue;
            }
            let t4 = if g.survival > 0.0 { 1.0 - (1.0 - pooled) / g.survival } else { 1.0 };
            let ties =
                if own > 1.0 { 1.0 - (own - 1.0) / (risk * g.survival_left - 1.0) } else { 1.0 };
            let hazard = ties * g.survival_left * own / (risk * g.n);
            g.v3 += t4 * t4 * hazard;
            self.add_moments(k, hazard, t4, 1.0);
        }
    }

    /// Variance from each group's hazard of the other causes.
    fn add_other(&mut self) {
        let (count, pooled) = (self.groups.len(), self.pooled);
        for k in 0..count {
            let g = &mut self.groups[k];
            if g.survival <= 0.0 || g.other <= 0.0 {
                continue;
            }
            let t4 = (1.0 - pooled) / g.survival;
            let ties = if g.other > 1.0 { 1.0 - (g.other - 1.0) / (g.n - 1.0) } else { 1.0 };
            let hazard = ties * g.survival_left * g.survival_left * g.other / (g.n * g.n);
            g.v3 += t4 * t4 * hazard;
            self.add_moments(k, hazard, -t4, 0.0);
        }
    }

    /// A hazard of group k with the given variance moves the score of group i
    /// by `direct` `a_ik - t4 c_ik` now, and by t4 times what `c_ik` grows later.
    fn add_moments(&mut self, k: usize, hazard: f64, t4: f64, direct: f64) {
        let count = self.groups.len();
        for i in 0..count {
            let t1 = direct * self.a[i * count + k] - t4 * self.c[i * count + k];
            self.v2[i * count + k] += t1 * t4 * hazard;
            for j in 0..=i {
                let t2 = direct * self.a[j * count + k] - t4 * self.c[j * count + k];
                self.variance[i * count + j] += t1 * t2 * hazard;
            }
        }
    }

    /// The last group is left out: scores sum to 0.
    fn add_to(&self, score: &mut [f64], variance: &mut [f64]) {
        let (count, tested) = (self.groups.len(), score.len());
        for i in 0..tested {
            score[i] += self.score[i];
            for j in 0..=i {
                let mut sum = self.variance[i * count + j];
                for (k, g) in self.groups.iter().enumerate() {
                    let (c_i, c_j) = (self.c[i * count + k], self.c[j * count + k]);
                    let (v_i, v_j) = (self.v2[i * count + k], self.v2[j * count + k]);
                    sum += c_i * c_j * g.v3 + c_i * v_j + c_j * v_i;
                }
                variance[i * tested + j] += sum;
                if i != j {
                    variance[j * tested + i] += sum;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_by_hand() {
        // Group 0: an event at 1, one censored at 2; group 1: both censored at
        // 2. At 1 two of each are at risk: score 1 - 1/2. F = 1/4. The pooled
        // hazard has variance 1/8 for each group (1 / (4 * 2)) and moves the
        // score by a = 2 (1 - 2/4) = 1 or -1, corrections for F cancelling:
        // variance 1/8 + 1/8, statistic (1/2)^2 / (1/4) = 1.
        let rows = CompetingRisks::new(&[1.0, 2.0, 2.0, 2.0], &[1, 0, 0, 0]);
        let found = gray_test(&rows, &[0, 0, 1, 1], None, 0.0).unwrap();
        assert_eq!(found.len(), 1);
        let test = found[0].test.unwrap();
        assert!((test.chi_square - 1.0).abs() < 1e-14);
        assert_eq!(test.degrees_of_freedom, 1);
    }

    #[test]
    fn a_cause_that_cannot_be_tested_leaves_the_others() {
        // Group 0: both have cause 1 at 1, when two of each are at risk: score
        // 2 - 1. a = 1 and -1, hazards 1/8 + 1/8 each for one event as above,
        // twice that for two, of which ties leave 2/3: variance 1/3, statistic
        // 3. For cause 2 nobody of group 0 is left: nothing varies.
        let rows = CompetingRisks::new(&[1.0, 1.0, 2.0, 3.0], &[1, 1, 2, 2]);
        let found = gray_test(&rows, &[0, 0, 1, 1], None, 0.0).unwrap();
        assert!((found[0].test.unwrap().chi_square - 3.0).abs() < 1e-14);
        assert_eq!(found[1], GrayTest { cause: 2, test: None });
        // The pooled curve of cause 1 comes to 1 at 3, after which group 1,
        // alone, cannot move the score.
        let rows = CompetingRisks::new(&[1.0, 1.0, 2.0, 3.0], &[1, 1, 2, 1]);
        let found = gray_test(&rows, &[0, 0, 1, 1], None, 0.0).unwrap();
        assert!((found[0].test.unwrap().chi_square - 3.0).abs() < 1e-14);
    }
}
