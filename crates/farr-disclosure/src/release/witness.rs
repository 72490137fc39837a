//! Proof that a withheld number is in doubt: another set of numbers that a
//! reader could not tell from the true one and in which it differs.

use std::collections::BTreeMap;

use super::system::{CellId, System};
use crate::Policy;

/// What is added to the true numbers to get the other set.
pub(crate) type Witness = BTreeMap<CellId, i64>;

/// Steps of a search before it gives up; giving up is safe, since then more is
/// withheld.
const STEPS_MAX: u32 = 3_000;

/// A witness for `target`, or `None` if the search finds none.
///
/// In it, all sums are zero; shown numbers keep their values; withheld ones
/// are at least 1 (a reader knows that zeros are shown), and small counts stay
/// small counts, so that the same cells would have been withheld for the same
/// reason; hidden ones are at least 0.
pub(crate) fn find(system: &System, policy: Policy, target: CellId) -> Option<Witness> {
    [1, -1].into_iter().find_map(|change| {
        if !allowed(system, policy, target, change) {
            return None;
        }
        let mut search = Search {
            system,
            policy,
            changes: BTreeMap::new(),
            residuals: BTreeMap::new(),
            steps: 0,
        };
        search.apply(target, change);
        search.balance().then_some(search.changes)
    })
}

/// The witness that there is when no number but zero is shown in the whole
/// component of `target`: everything doubled. Small counts do not stay small.
pub(crate) fn doubled(system: &System, target: CellId) -> Option<Witness> {
    let mut witness = Witness::from([(target, system.cells[target].value)]);
    let mut open = vec![target];
    while let Some(cell) = open.pop() {
        for &(equation, _) in &system.uses[cell] {
            for &(other, _) in &system.equations[equation] {
                let value = system.cells[other].value;
                if value != 0 && !system.cells[other].is_unknown() {
                    return None;
                }
                if value != 0 && witness.insert(other, value).is_none() {
                    open.push(other);
                }
            }
        }
    }
    (system.cells[target].value != 0).then_some(witness)
}

/// Whether a witness proves what it should, checked from the definition.
pub(crate) fn holds(system: &System, witness: &Witness, target: CellId) -> bool {
    let changed = witness.get(&target).is_some_and(|&change| change != 0);
    let within = witness.iter().all(|(&cell, &change)| {
        let cell = &system.cells[cell];
        change == 0 || (cell.is_unknown() && cell.value + change >= i64::from(!cell.hidden))
    });
    let balanced = witness.keys().flat_map(|&cell| &system.uses[cell]).all(|&(equation, _)| {
        let terms = system.equations[equation].iter();
        terms.map(|(cell, factor)| factor * witness.get(cell).unwrap_or(&0)).sum::<i64>() == 0
    });
    changed && within && balanced
}

fn allowed(system: &System, policy: Policy, cell: CellId, change: i64) -> bool {
    let cell = &system.cells[cell];
    let value = cell.value + change;
    if cell.hidden {
        return value >= 0;
    }
    let stays_small = !policy.withholds(cell.value) || policy.withholds(value);
    cell.suppressed && value >= 1 && stays_small
}

/// A depth-first search that repairs one sum after the other; each number
/// changes once.
struct Search<'a> {
    system: &'a System,
    policy: Policy,
    changes: Witness,
    /// The sums that are not zero.
    residuals: BTreeMap<usize, i64>,
    steps: u32,
}

impl Search<'_> {
    fn apply(&mut self, cell: CellId, change: i64) {
        self.changes.insert(cell, change);
        self.shift(cell, change);
    }

    fn undo(&mut self, cell: CellId) {
        if let Some(change) = self.changes.remove(&cell) {
            self.shift(cell, -change);
        }
    }

    fn shift(&mut self, cell: CellId, change: i64) {
        for &(equation, factor) in &self.system.uses[cell] {
            let residual = self.residuals.entry(equation).or_insert(0);
            *residual += factor * change;
            if *residual == 0 {
                self.residuals.remove(&equation);
            }
        }
    }

    fn balance(&mut self) -> bool {
        let Some((&equation, &residual)) = self.residuals.last_key_value() else { return true };
        for (_, cell, change) in self.repairs(equation, residual) {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return false;
            }
            self.apply(cell, change);
            if self.balance() {
                return true;
            }
            self.undo(cell);
        }
        false
    }

    /// The changes that make one sum zero, those first that disturb fewest
    /// others.
    fn repairs(&self, equation: usize, residual: i64) -> Vec<(i64, CellId, i64)> {
        let mut repairs: Vec<(i64, CellId, i64)> = self.system.equations[equation]
            .iter()
            .filter(|(cell, factor)| !self.changes.contains_key(cell) && residual % factor == 0)
            .map(|&(cell, factor)| (cell, -residual / factor))
            .filter(|&(cell, change)| allowed(self.system, self.policy, cell, change))
            .map(|(cell, change)| (self.disturbance(cell, change), cell, change))
            .collect();
        repairs.sort_unstable();
        repairs
    }

    /// How many more sums are not zero after a change.
    fn disturbance(&self, cell: CellId, change: i64) -> i64 {
        let uses = self.system.uses[cell].iter();
        uses.map(|&(equation, factor)| match self.residuals.get(&equation) {
            None => 1,
            Some(residual) if residual + factor * change == 0 => -1,
            Some(_) => 0,
        })
        .sum()
    }
}
