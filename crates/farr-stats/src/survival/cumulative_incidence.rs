//! Cumulative incidence by group with Aalen's variance.

use super::competing::CompetingRisks;
use super::follow_up::{
    ascending, ascending_by_code, check_finite, check_length, check_whole, codes,
};
use crate::error::{Error, Result};

/// One group's curve of one cause at the times asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CumulativeIncidence {
    /// Label of the group.
    pub group: u32,
    /// Code of the cause.
    pub cause: u32,
    /// Incidence at each time; NaN after the group's last exit.
    pub estimate: Vec<f64>,
    /// Its variance.
    pub variance: Vec<f64>,
}

/// Curves of every cause in every group (causes first, then groups, both
/// ascending) at `times`.
///
/// `F(t) = sum S(s-) d_k / n`, with the delta-method variance of Aalen (1978) as
/// cmprsk 2.2-11 `cuminc` has it: tied events get the factor
/// 1 - (d - 1) / (n - 1), and the variance moves only when the curve does. A
/// weight says how many equal rows a row stands for. Errors: bad rows, entry
/// times (cmprsk has none), weights that are not whole, no event.
/// Cost: one sort, then O(n causes).
pub fn cumulative_incidence(
    rows: &CompetingRisks,
    group: &[u32],
    times: &[f64],
) -> Result<Vec<CumulativeIncidence>> {
    const WHAT: &str = "cumulative incidence";
    rows.check(WHAT)?;
    check_counted(rows)?;
    check_length("group", rows.time.len(), group.len())?;
    check_finite("times", times)?;
    let causes = rows.causes();
    if causes.is_empty() {
        return Err(Error::NoEvents { what: WHAT });
    }
    let (code, groups) = codes(group);
    let (order, starts) = ascending_by_code(&ascending(rows.time), &code, groups.len());
    let mut out = Vec::with_capacity(causes.len() * groups.len());
    for &cause in &causes {
        for (g, &group) in groups.iter().enumerate() {
            let order = &order[starts[g]..starts[g + 1]];
            let steps = steps_of(rows, order, cause);
            let last = order.last().map_or(f64::NEG_INFINITY, |&row| rows.time[row as usize]);
            let at = |time: f64| match steps.partition_point(|step| step.0 <= time) {
                _ if time > last => (f64::NAN, f64::NAN),
                0 => (0.0, 0.0),
                i => (steps[i - 1].1, steps[i - 1].2),
            };
            let (estimate, variance) = times.iter().map(|&time| at(time)).unzip();
            out.push(CumulativeIncidence { group, cause, estimate, variance });
        }
    }
    Ok(out)
}

/// No entry times, and weights that are counts.
pub(crate) fn check_counted(rows: &CompetingRisks) -> Result<()> {
    if rows.entry.is_some() {
        let expected = "none: this estimator has no such form";
        return Err(Error::OutOfRange { column: "entry", row: 0, expected });
    }
    check_whole(rows.weight)
}

/// Time, F and its variance at each time of the cause.
fn steps_of(rows: &CompetingRisks, order: &[u32], cause: u32) -> Vec<(f64, f64, f64)> {
    let mut steps = Vec::new();
    let (mut survival, mut incidence, mut start) = (1.0, 0.0, 0);
    // Sums over events before t of the variance of their hazard times a^2,
    // a b and b^2, where the event moves F(t) by a - F(t) b.
    let mut sums = [0.0; 3];
    let mut at_risk: f64 = order.iter().map(|&row| rows.weight_of(row as usize)).sum();
    while start < order.len() {
        let time = rows.time[order[start] as usize];
        let n = at_risk;
        let (mut own, mut other) = (0.0, 0.0);
        while let Some(&row) = order.get(start).filter(|&&r| rows.time[r as usize] == time) {
            let weight = rows.weight_of(row as usize);
            match rows.cause[row as usize] {
                0 => {}
                c if c == cause => own += weight,
                _ => other += weight,
            }
            at_risk -= weight;
            start += 1;
        }
        if own + other == 0.0 {
            continue;
        }
        let after = survival * (n - own - other) / n;
        incidence += survival * own / n;
        let b = if after > 0.0 { 1.0 / after } else { 0.0 };
        let mut add = |events: f64, a: f64| {
            let ties = if events > 1.0 { 1.0 - (events - 1.0) / (n - 1.0) } else { 1.0 };
            let variance = survival * survival * ties * events / (n * n);
            sums[0] += a * a * variance;
            sums[1] += a * b * variance;
            sums[2] += b * b * variance;
        };
        if other > 0.0 && after > 0.0 {
            add(other, incidence * b);
        }
        if own > 0.0 {
            add(own, 1.0 + incidence * b);
            let variance = sums[0] + incidence * incidence * sums[2] - 2.0 * incidence * sums[1];
            steps.push((time, incidence, variance));
        }
        survival = after;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variance_by_hand() {
        // Four rows, the first event at 1: F = 1/4, and the only thing random
        // so far is that hazard, with variance 1 / 4^2.
        let rows = CompetingRisks::new(&[1.0, 2.0, 3.0, 4.0], &[1, 2, 0, 1]);
        let found = cumulative_incidence(&rows, &[5; 4], &[0.5, 1.0, 4.5]).unwrap();
        assert_eq!((found[0].group, found[0].cause), (5, 1));
        assert_eq!(found[0].estimate[..2], [0.0, 0.25]);
        assert!((found[0].variance[1] - 1.0 / 16.0).abs() < 1e-15);
        assert!(found[0].estimate[2].is_nan());
    }
}
