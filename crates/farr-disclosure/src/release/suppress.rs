//! Which numbers to withhold: the small ones, and others until every one of
//! them is in doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::system::{CellId, System};
use super::witness::{self, Witness};
use crate::Policy;

/// Withholds small counts, what they take along, and, for each withheld or
/// hidden small number that could be worked out, the smallest other number of
/// a sum that gives it away, until none can be.
pub(crate) fn suppress(system: &mut System, policy: Policy) {
    let cells = 0..system.cells.len();
    let mut open: BTreeSet<CellId> = BTreeSet::new();
    for cell in cells.filter(|&cell| system.cells[cell].sensitive).collect::<Vec<_>>() {
        open.insert(cell);
        withhold(system, cell, &mut open);
    }
    let mut proofs: BTreeMap<CellId, Witness> = BTreeMap::new();
    // A proof stays valid when more is withheld, so that this ends: each round
    // proves a number or withholds one more.
    while let Some(&cell) = open.first() {
        if let Some(found) = witness::find(system, policy, cell) {
            for proven in found.keys() {
                open.remove(proven);
            }
            proofs.insert(cell, found);
        } else if let Some(other) = next_to_withhold(system, cell) {
            withhold(system, other, &mut open);
        } else {
            let found = witness::doubled(system, cell);
            proofs.insert(cell, found.expect("a number is in doubt when none is shown"));
            open.remove(&cell);
        }
    }
    for (&cell, proof) in &proofs {
        let holds = witness::holds(system, proof, cell);
        assert!(holds, "two sets of numbers fit what is shown");
    }
}

/// Withholds a number and what it takes along, all of which is to be proven.
/// Zeros are always shown.
fn withhold(system: &mut System, cell: CellId, to_prove: &mut BTreeSet<CellId>) {
    let mut open = vec![cell];
    while let Some(place) = open.pop() {
        let cell = &mut system.cells[place];
        if cell.suppressed || cell.hidden || cell.value == 0 {
            continue;
        }
        cell.suppressed = true;
        to_prove.insert(place);
        open.extend(&cell.takes_along);
    }
}

/// The smallest number shown, but zero, in a sum in which `target` is the only
/// unknown; else in the sums nearest to it.
fn next_to_withhold(system: &System, target: CellId) -> Option<CellId> {
    let is_alone = |equation: usize| {
        let unknown = |&&(cell, _): &&(CellId, i64)| system.cells[cell].is_unknown();
        system.equations[equation].iter().filter(unknown).count() == 1
    };
    let of_target = || system.uses[target].iter().map(|&(equation, _)| equation);
    if let Some(found) = smallest_shown(system, of_target().filter(|&e| is_alone(e))) {
        return Some(found);
    }
    let mut seen_equations: BTreeSet<usize> = BTreeSet::new();
    let mut seen_cells = BTreeSet::from([target]);
    let mut ring: BTreeSet<usize> = of_target().collect();
    while !ring.is_empty() {
        if let Some(found) = smallest_shown(system, ring.iter().copied()) {
            return Some(found);
        }
        seen_equations.extend(&ring);
        let mut next = BTreeSet::new();
        for &equation in &ring {
            for &(cell, _) in &system.equations[equation] {
                let may_change = system.cells[cell].hidden || system.cells[cell].value != 0;
                if may_change && seen_cells.insert(cell) {
                    next.extend(system.uses[cell].iter().map(|&(equation, _)| equation));
                }
            }
        }
        ring = next.difference(&seen_equations).copied().collect();
    }
    None
}

fn smallest_shown(system: &System, equations: impl Iterator<Item = usize>) -> Option<CellId> {
    let cells = equations.flat_map(|equation| &system.equations[equation]).map(|&(cell, _)| cell);
    let shown = cells.filter(|&cell| {
        let cell = &system.cells[cell];
        !cell.is_unknown() && cell.value != 0
    });
    shown.min_by_key(|&cell| (system.cells[cell].value, cell))
}
