//! Curves on a time grid coarse enough that no step tells of few persons.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int64Type;

use super::system::{groups, sorted_by};
use crate::table::{Curve, Quantities, Relation};
use crate::{AggregateTable, Error, Policy};

/// The table with neighbouring times merged until each step, in each group,
/// has no event or enough, no one censored or enough, and no one left or
/// enough. Groups between which totals are declared share one grid, since
/// differences between curves would tell of what lies between two grids.
///
/// What is left over at the end joins the steps before it; where that does not
/// help, it stays a step, which suppression then withholds. A group with few
/// events in all does not coarsen the others' grid: its steps are withheld.
pub(crate) fn merge(table: &AggregateTable, policy: Policy) -> Result<AggregateTable, Error> {
    let Some(curve) = &table.curve else { return Ok(table.clone()) };
    let grid = Grid::new(table, curve)?;
    let mut steps: Vec<Step> = Vec::new();
    for cluster in &grid.clusters {
        steps.extend(grid.steps_of(cluster, policy));
    }
    // Rows stay in the order of the table.
    steps.sort_by_key(|step| step.rows[0]);
    apply(table, curve, &steps)
}

/// Rows of one group that become one row.
struct Step {
    /// In the order of time.
    rows: Vec<usize>,
    /// A row with the time at which the step ends.
    end: usize,
}

/// The rows of one curve in the order of time.
type Group = Vec<usize>;

struct Grid {
    /// Groups that share a grid.
    clusters: Vec<Vec<Group>>,
    /// For each row, the rank of its time.
    ranks: Vec<usize>,
    at_risk: Int64Array,
    leaving: Vec<Int64Array>,
}

impl Grid {
    fn new(table: &AggregateTable, curve: &Curve) -> Result<Self, Error> {
        let counts = |name: &String| {
            let place = table.position(name).unwrap_or_default();
            table.batch.column(place).as_primitive::<Int64Type>().clone()
        };
        let mut ranks = vec![0; table.batch.num_rows()];
        let by_time = sorted_by(table, &curve.time, (0..ranks.len()).collect())?;
        let times = times(table, curve)?;
        for pair in by_time.windows(2) {
            ranks[pair[1]] = ranks[pair[0]] + usize::from(times[pair[0]] != times[pair[1]]);
        }
        let mut without = vec![curve.time.as_str()];
        for relation in &table.relations {
            if let Relation::TotalOver { key, .. } | Relation::UnionOver { key, .. } = relation {
                without.push(key);
            }
        }
        let mut clusters: Vec<Vec<Group>> = Vec::new();
        let mut cluster_of: HashMap<usize, usize> = HashMap::new();
        for (place, (_, rows)) in groups(table, &without)?.into_iter().enumerate() {
            clusters.push(Vec::new());
            cluster_of.extend(rows.into_iter().map(|row| (row, place)));
        }
        for (_, mut rows) in groups(table, &[&curve.time])? {
            let place = cluster_of[&rows[0]];
            rows.sort_by_key(|&row| ranks[row]);
            clusters[place].push(rows);
        }
        let leaving = curve.leaving.iter().map(counts).collect();
        Ok(Self { clusters, ranks, at_risk: counts(&curve.at_risk), leaving })
    }

    fn steps_of(&self, cluster: &[Group], policy: Policy) -> Vec<Step> {
        let ranks: BTreeSet<usize> = cluster.iter().flatten().map(|&row| self.ranks[row]).collect();
        let watched = self.watched(cluster, policy);
        let is_safe = |from, to| self.is_safe(cluster, &watched, from, to, policy);
        let row_of: BTreeMap<usize, usize> =
            cluster.iter().flatten().map(|&row| (self.ranks[row], row)).collect();
        // The grid: pairs of the ranks at which a step starts and ends.
        let mut closed: Vec<(usize, usize)> = Vec::new();
        let mut start = None;
        let mut last = 0;
        for &rank in &ranks {
            let from = *start.get_or_insert(rank);
            last = rank;
            if is_safe(from, rank) {
                closed.push((from, rank));
                start = None;
            }
        }
        if let Some(rest) = start {
            let joined = (0..closed.len()).rev().find(|&place| is_safe(closed[place].0, last));
            match joined {
                Some(place) => {
                    let from = closed[place].0;
                    closed.truncate(place);
                    closed.push((from, last));
                }
                None => closed.push((rest, last)),
            }
        }
        let mut steps = Vec::new();
        for group in cluster {
            for &(from, to) in &closed {
                let rows = self.rows_within(group, from, to).to_vec();
                if !rows.is_empty() {
                    steps.push(Step { rows, end: row_of[&to] });
                }
            }
        }
        steps
    }

    fn rows_within<'a>(&self, group: &'a [usize], from: usize, to: usize) -> &'a [usize] {
        let start = group.partition_point(|&row| self.ranks[row] < from);
        let end = group.partition_point(|&row| self.ranks[row] <= to);
        &group[start..end]
    }

    /// For each group, the columns whose sums no grid can make large enough
    /// are not watched; unless that leaves nothing to watch.
    fn watched(&self, cluster: &[Group], policy: Policy) -> Vec<Vec<bool>> {
        let totals = |group: &Group| self.leaving.iter().map(|counts| sum(counts, group)).collect();
        let totals: Vec<Vec<i64>> = cluster.iter().map(totals).collect();
        let none = totals.iter().flatten().all(|&total| total == 0 || policy.withholds(total));
        let watch = |total: &i64| none || !policy.withholds(*total);
        totals.iter().map(|totals| totals.iter().map(watch).collect()).collect()
    }

    /// Whether a step tells of no few persons in any group.
    fn is_safe(
        &self,
        cluster: &[Group],
        watched: &[Vec<bool>],
        from: usize,
        to: usize,
        policy: Policy,
    ) -> bool {
        cluster.iter().zip(watched).all(|(group, watched)| {
            let rows = self.rows_within(group, from, to);
            let Some(&first) = rows.first() else { return true };
            let sums: Vec<i64> = self.leaving.iter().map(|counts| sum(counts, rows)).collect();
            let left = self.at_risk.value(first) - sums.iter().sum::<i64>();
            let small = |(&sum, &watch): (&i64, &bool)| watch && policy.withholds(sum);
            !policy.withholds(left) && !sums.iter().zip(watched).any(small)
        })
    }
}

fn sum(counts: &Int64Array, rows: &[usize]) -> i64 {
    rows.iter().map(|&row| counts.value(row)).sum()
}

/// Each row's time, as a number that only equal times share.
fn times(table: &AggregateTable, curve: &Curve) -> Result<Vec<usize>, Error> {
    let others: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| *name != curve.time)
        .collect();
    let mut times = vec![0; table.batch.num_rows()];
    for (place, (_, rows)) in groups(table, &others)?.into_iter().enumerate() {
        for row in rows {
            times[row] = place;
        }
    }
    Ok(times)
}

/// The table with each step as one row.
fn apply(table: &AggregateTable, curve: &Curve, steps: &[Step]) -> Result<AggregateTable, Error> {
    let failed = |source| Error::Arrow { table: table.name.clone(), source };
    let index = |row: fn(&Step) -> usize| -> UInt32Array {
        steps.iter().map(|step| row(step) as u32).collect::<Vec<u32>>().into()
    };
    let first = index(|step| step.rows[0]);
    let last = index(|step| step.rows[step.rows.len() - 1]);
    let end = index(|step| step.end);
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (column, values) in table.columns.iter().zip(table.batch.columns()) {
        columns.push(if curve.leaving.contains(&column.name) {
            let counts = values.as_primitive::<Int64Type>();
            let sums = steps.iter().map(|step| sum(counts, &step.rows));
            Arc::new(Int64Array::from_iter_values(sums))
        } else if column.name == curve.at_risk {
            take(values, &first, None).map_err(failed)?
        } else if column.name == curve.time {
            take(values, &end, None).map_err(failed)?
        } else {
            take(values, &last, None).map_err(failed)?
        });
    }
    let batch = RecordBatch::try_new(table.batch.schema(), columns).map_err(failed)?;
    let mut merged = AggregateTable { batch, ..table.clone() };
    merged.quantities = table.quantities.iter().map(|q| names_kept(q, curve, steps)).collect();
    for relation in &mut merged.relations {
        if let Relation::ColumnSum { names, .. } = relation {
            *names = steps.iter().map(|step| names[step.rows[0]].clone()).collect();
        }
    }
    Ok(merged)
}

/// Names of quantities that still hold: at risk keeps the first row's; a sum
/// over several rows has none.
fn names_kept(quantities: &Quantities, curve: &Curve, steps: &[Step]) -> Quantities {
    let is_sum = curve.leaving.contains(&quantities.column);
    let is_first = quantities.column == curve.at_risk;
    let name = |step: &Step| {
        let row = if is_first { step.rows[0] } else { step.rows[step.rows.len() - 1] };
        (!is_sum || step.rows.len() == 1).then(|| quantities.names[row].clone()).flatten()
    };
    Quantities { column: quantities.column.clone(), names: steps.iter().map(name).collect() }
}
