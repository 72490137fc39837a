//! The search for a witness: the cheapest change of numbers that leaves all
//! sums zero. Numbers that are shown may change too, at the cost of being
//! withheld.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use super::system::{CellId, System};
use super::witness::Witness;
use crate::Policy;

/// What a change of a number costs that is not shown anyway.
const COST_OF_CHANGE: i64 = 1;

/// A search by cost, over sets of changes: it takes the cheapest set, picks the
/// sum that is broken and has fewest repairs, and makes one set more for each.
pub(crate) struct Search<'a> {
    system: &'a System,
    policy: Policy,
    /// For each row of a table, whether something of it is withheld.
    rows_hit: &'a [bool],
    /// Terms looked at before the search gives up.
    work_left: i64,
    /// How much the estimate of what remains counts against what is spent:
    /// the more, the sooner a witness is found, and the dearer it is.
    haste: i64,
    target: CellId,
    nodes: Vec<Node>,
    open: BinaryHeap<Reverse<(i64, Reverse<usize>)>>,
    seen: HashSet<u64>,
}

/// A set of changes: one more than its parent has.
#[derive(Clone, Copy)]
struct Node {
    parent: Option<usize>,
    cell: CellId,
    change: i64,
    /// What the changes so far cost.
    cost: i64,
    /// The estimate of what remains was made for this very node.
    is_estimated: bool,
    hash: u64,
}

/// A change that mends a sum.
#[derive(Clone, Copy)]
struct Repair {
    cost: i64,
    cell: CellId,
    change: i64,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        system: &'a System,
        policy: Policy,
        rows_hit: &'a [bool],
        (work_left, haste): (i64, i64),
        target: CellId,
    ) -> Self {
        let (nodes, open, seen) = (Vec::new(), BinaryHeap::new(), HashSet::new());
        Self { system, policy, rows_hit, work_left, haste, target, nodes, open, seen }
    }

    /// A witness for the target, in which numbers that are shown may change:
    /// they are to be withheld. `None` if the search gives up.
    ///
    /// In it, all sums are zero; withheld numbers are at least 1 (a reader
    /// knows that zeros are shown), and small counts stay small counts, so
    /// that the same cells would have been withheld for the same reason;
    /// hidden ones are at least 0.
    pub(crate) fn run(mut self) -> Option<Witness> {
        for change in [1, -1] {
            if self.allows(self.target, change) {
                self.push(None, 0, Repair { cost: 0, cell: self.target, change });
            }
        }
        while let Some(Reverse((estimate, Reverse(place)))) = self.open.pop() {
            if self.work_left < 0 {
                return None;
            }
            let changes = self.changes(place);
            let residuals = self.residuals(&changes);
            let node = self.nodes[place];
            let Some((repairs, remaining)) = self.broken(&changes, &residuals) else { continue };
            let Some(repairs) = repairs else {
                return Some(self.with_slacks(changes, &residuals));
            };
            let better = node.cost + remaining * self.haste;
            if better > estimate && !node.is_estimated {
                self.nodes[place].is_estimated = true;
                self.open.push(Reverse((better, Reverse(place))));
                continue;
            }
            let least = repairs.iter().map(|repair| repair.cost).min().unwrap_or(0);
            for repair in repairs {
                self.push(Some(place), remaining - least, repair);
            }
        }
        None
    }

    fn push(&mut self, parent: Option<usize>, remaining: i64, repair: Repair) {
        let Repair { cell, change, .. } = repair;
        let before =
            parent.map_or((0, 0), |parent| (self.nodes[parent].cost, self.nodes[parent].hash));
        let cost = before.0 + repair.cost;
        // The order of changes does not matter: their hashes are added.
        let hash = before.1.wrapping_add(mixed(cell).wrapping_mul(change.cast_unsigned()));
        if self.seen.insert(hash) {
            self.nodes.push(Node { parent, cell, change, cost, is_estimated: false, hash });
            self.open.push(Reverse((cost + remaining * self.haste, Reverse(self.nodes.len() - 1))));
        }
    }

    fn changes(&self, place: usize) -> Witness {
        let mut changes = Witness::new();
        let mut next = Some(place);
        while let Some(place) = next {
            let node = &self.nodes[place];
            *changes.entry(node.cell).or_insert(0) += node.change;
            next = node.parent;
        }
        changes
    }

    fn residuals(&mut self, changes: &Witness) -> BTreeMap<usize, i64> {
        let mut residuals = BTreeMap::new();
        for (&cell, change) in changes {
            for &(equation, factor) in &self.system.uses[cell] {
                *residuals.entry(equation).or_insert(0) += factor * change;
                self.work_left -= 1;
            }
        }
        residuals
    }

    /// The slack of an equation, unless it is the target itself.
    fn slack(&self, equation: usize) -> Option<(CellId, i64)> {
        self.system.slacks[equation].filter(|&(cell, _)| cell != self.target)
    }

    /// By how much an equation's sum of all but its slack must change.
    fn shift(&self, equation: usize, residual: i64) -> i64 {
        let Some((slack, factor)) = self.slack(equation) else { return -residual };
        let value = self.system.cells[slack].value - residual * factor;
        value.min(0) * factor
    }

    /// The repairs of the broken sum that has fewest, `None` if no sum is
    /// broken; and what mending all of them costs at least. Nothing if one
    /// cannot be mended.
    fn broken(
        &mut self,
        changes: &Witness,
        residuals: &BTreeMap<usize, i64>,
    ) -> Option<(Option<Vec<Repair>>, i64)> {
        let mut fewest: Option<Vec<Repair>> = None;
        let mut remaining = 0;
        for (&equation, &residual) in residuals {
            let shift = self.shift(equation, residual);
            if shift == 0 {
                continue;
            }
            let repairs = self.repairs(equation, shift, changes);
            remaining += repairs.iter().map(|repair| repair.cost).min()?;
            if fewest.as_ref().is_none_or(|fewest| repairs.len() < fewest.len()) {
                fewest = Some(repairs);
            }
        }
        Some((fewest, remaining))
    }

    fn repairs(&mut self, equation: usize, shift: i64, changes: &Witness) -> Vec<Repair> {
        let slack = self.slack(equation).map(|(cell, _)| cell);
        let terms = &self.system.equations[equation];
        self.work_left -= i64::try_from(terms.len()).unwrap_or(i64::MAX);
        let mut repairs = Vec::new();
        for &(cell, factor) in terms {
            if Some(cell) == slack || shift % factor != 0 || cell == self.target {
                continue;
            }
            let before = changes.get(&cell).copied().unwrap_or(0);
            let mut offer = |change: i64| {
                // A number does not go back on a change: that ends nowhere.
                if before * change >= 0 && self.allows(cell, before + change) {
                    let cost = if before == 0 { self.cost(cell) } else { COST_OF_CHANGE };
                    repairs.push(Repair { cost, cell, change });
                }
            };
            let whole = shift / factor;
            offer(whole);
            if whole.abs() > 1 {
                offer(whole.signum());
            }
        }
        repairs
    }

    fn cost(&self, cell: CellId) -> i64 {
        let cell = &self.system.cells[cell];
        if cell.is_unknown() {
            return COST_OF_CHANGE;
        }
        let along: i64 = cell.takes_along.iter().map(|&other| self.cost_alone(other)).sum();
        let is_hit = cell.row.is_some_and(|row| self.rows_hit[row]);
        along + if is_hit { cell.cost / 3 } else { cell.cost } + COST_OF_CHANGE
    }

    fn cost_alone(&self, cell: CellId) -> i64 {
        let cell = &self.system.cells[cell];
        if cell.is_unknown() || cell.value == 0 { 0 } else { cell.cost }
    }

    fn allows(&self, cell: CellId, change: i64) -> bool {
        let cell = &self.system.cells[cell];
        let value = cell.value + change;
        if cell.hidden {
            return value >= 0;
        }
        let stays_small = !self.policy.withholds(cell.value) || self.policy.withholds(value);
        cell.value != 0 && value >= 1 && stays_small
    }

    /// The changes together with those of the slacks that follow from them.
    fn with_slacks(&self, mut changes: Witness, residuals: &BTreeMap<usize, i64>) -> Witness {
        for (&equation, &residual) in residuals {
            if let Some((slack, factor)) = self.slack(equation)
                && residual != 0
            {
                changes.insert(slack, -residual * factor);
            }
        }
        changes
    }
}

/// A number's bits, stirred (the finish of splitmix64).
fn mixed(cell: CellId) -> u64 {
    let mut bits = (cell as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
