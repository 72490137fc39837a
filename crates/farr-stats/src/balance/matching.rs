//! Greedy nearest neighbour matching.

use std::collections::HashMap;

use super::error::{Error, check_groups};
use super::moments::mean_and_variance;
use super::pool::Pool;
use crate::regression::{self, checks};

/// Distances within this are ties.
pub(crate) const TIE: f64 = 1e-9;

/// What a caliper is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaliperScale {
    /// Root of the mean of the two groups' variances (n - 1) of the distance
    /// variable.
    PooledStdDev,
    /// Its standard deviation over all rows (n - 1).
    StdDev,
    /// Its own unit.
    Unit,
}

/// The largest distance of a match.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caliper {
    /// How many units of `scale`, 0 or more.
    pub width: f64,
    /// The unit.
    pub scale: CaliperScale,
}

/// Which treated row chooses first; ties in the order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By falling distance variable.
    LargestFirst,
    /// By rising distance variable.
    SmallestFirst,
    /// In the order of rows.
    AsGiven,
}

/// Settings of a matching.
#[derive(Debug, Clone, Copy)]
pub struct MatchingOptions<'a> {
    /// References wanted for each treated row, 1 or more.
    pub ratio: usize,
    /// The largest distance allowed; none if `None`.
    pub caliper: Option<Caliper>,
    /// Who chooses first.
    pub order: Order,
    /// Whether a reference may serve several treated rows.
    pub replace: bool,
    /// A group number a row (see [`regression::group_indices`]); matches are
    /// made inside a group.
    pub exact: Option<&'a [usize]>,
}

/// The matched sets.
#[derive(Debug, Clone)]
pub struct Matching {
    /// Treated rows in order, each with its references in order of choice:
    /// none where it found none.
    pub sets: Vec<(usize, Vec<usize>)>,
    /// The caliper in the distance variable's own unit.
    pub caliper_width: Option<f64>,
}

impl Matching {
    /// Treated rows with a match.
    pub fn matched_treated(&self) -> usize {
        self.sets.iter().filter(|(_, references)| !references.is_empty()).count()
    }

    /// Distinct references in matched sets.
    pub fn matched_references(&self) -> usize {
        let mut all: Vec<usize> = self.sets.iter().flat_map(|(_, r)| r.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }

    /// Each of `rows` rows' weight in the matched sample: 1 for a matched
    /// treated row, 1 / k for each appearance of a reference in a set of k, 0
    /// else.
    pub fn weights(&self, rows: usize) -> Vec<f64> {
        let mut weights = vec![0.0; rows];
        for (treated, references) in self.sets.iter().filter(|(_, r)| !r.is_empty()) {
            weights[*treated] = 1.0;
            for &reference in references {
                weights[reference] += 1.0 / references.len() as f64;
            }
        }
        weights
    }
}

/// Greedy nearest neighbour matching on `distance` (commonly the logit of the
/// propensity score; one finite value a row).
///
/// Treated rows choose in `order`; each takes the nearest reference that is
/// free and within the caliper, of equally near ones (to 1e-9) the one of the
/// lowest row. For several references a treated row, all choose once before
/// any chooses again. With replacement a treated row takes its `ratio` nearest
/// references. Rows of equal distance variable (to 1e-9) choose in row order.
///
/// Cost n log n and, with ties, no more.
pub fn match_nearest(
    distance: &[f64],
    treated: &[bool],
    options: &MatchingOptions<'_>,
) -> Result<Matching, Error> {
    let rows = distance.len();
    checks::finite("distance", distance, rows)?;
    check_groups(treated, rows)?;
    if options.ratio == 0 {
        return Err(Error::Setting { setting: "the matching ratio", expected: "1 or more" });
    }
    if options.exact.is_some_and(|groups| groups.len() != rows) {
        let (column, found) = ("exact".to_owned(), options.exact.map_or(0, <[usize]>::len));
        return Err(regression::Error::Length { column, found, expected: rows }.into());
    }
    let caliper_width = options.caliper.map(|c| width(c, distance, treated)).transpose()?;
    let within = caliper_width.unwrap_or(f64::INFINITY);
    let group_of = |row: usize| options.exact.map_or(0, |groups| groups[row]);

    let mut pools: HashMap<usize, Pool> = HashMap::new();
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for row in (0..rows).filter(|&row| !treated[row]) {
        members.entry(group_of(row)).or_default().push(row);
    }
    for (group, rows) in members {
        pools.insert(group, Pool::new(rows, distance));
    }

    let mut references: Vec<Vec<usize>> = vec![Vec::new(); rows];
    let order = choosing_order(distance, treated, options.order);
    if options.replace {
        for &row in &order {
            if let Some(pool) = pools.get(&group_of(row)) {
                references[row] = pool.nearest(distance[row], options.ratio, within);
            }
        }
    } else {
        for _ in 0..options.ratio {
            for &row in &order {
                let pool = pools.get_mut(&group_of(row));
                let found = pool.and_then(|pool| pool.take_nearest(distance[row], within));
                references[row].extend(found);
            }
        }
    }
    let sets = (0..rows)
        .filter(|&row| treated[row])
        .map(|row| (row, std::mem::take(&mut references[row])))
        .collect();
    Ok(Matching { sets, caliper_width })
}

fn width(caliper: Caliper, distance: &[f64], treated: &[bool]) -> Result<f64, Error> {
    if !(caliper.width >= 0.0 && caliper.width.is_finite()) {
        return Err(Error::Setting { setting: "the caliper", expected: "a number of 0 or more" });
    }
    let variance = |wanted: bool| {
        let group = distance.iter().zip(treated).filter(|(_, t)| **t == wanted);
        mean_and_variance(&group.map(|(d, _)| *d).collect::<Vec<f64>>()).1
    };
    let unit = match caliper.scale {
        CaliperScale::PooledStdDev => f64::midpoint(variance(true), variance(false)).sqrt(),
        CaliperScale::StdDev => mean_and_variance(distance).1.sqrt(),
        CaliperScale::Unit => 1.0,
    };
    if unit.is_nan() {
        let expected = "asked only with two rows or more in each group";
        return Err(Error::Setting { setting: "a caliper in standard deviations", expected });
    }
    Ok(caliper.width * unit)
}

/// Treated rows in the order of choosing.
fn choosing_order(distance: &[f64], treated: &[bool], order: Order) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..treated.len()).filter(|&row| treated[row]).collect();
    let sign = match order {
        Order::AsGiven => return rows,
        Order::LargestFirst => -1.0,
        Order::SmallestFirst => 1.0,
    };
    rows.sort_by(|&a, &b| (sign * distance[a]).total_cmp(&(sign * distance[b])));
    let mut start = 0;
    for end in 1..=rows.len() {
        let tied = rows
            .get(end)
            .is_some_and(|&row| (distance[row] - distance[rows[end - 1]]).abs() <= TIE);
        if !tied {
            rows[start..end].sort_unstable();
            start = end;
        }
    }
    rows
}
