//! Which numbers to withhold: the small ones, and others until every one of
//! them is in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::search::Search;
use super::system::{CellId, System};
use super::witness::{self, Witness};
use crate::Policy;

/// Searches for each number: terms that one looks at before it gives up, and
/// its haste. Giving up is safe, since then more is withheld.
const SEARCHES: [(i64, i64); 3] = [(4_000, 1), (20_000, 3), (100_000, 20)];

/// Withholds small counts, what they take along, and, for each withheld or
/// hidden small number, what must vary with it so that it is in doubt. Where
/// the search for that gives up, the smallest other number nearby goes, until
/// it does not.
pub(crate) fn suppress(system: &mut System, policy: Policy) {
    let mut round = Round::default();
    let rows = system.cells.iter().filter_map(|cell| cell.row).max().map_or(0, |row| row + 1);
    round.rows_hit = vec![false; rows];
    let cells = 0..system.cells.len();
    for cell in cells.filter(|&cell| system.cells[cell].sensitive).collect::<Vec<_>>() {
        round.open.insert(cell);
        round.withhold(system, cell);
    }
    // A proof stays valid when more is withheld, so that this ends: each round
    // proves a number or withholds one more.
    while let Some(&cell) = round.open.first() {
        let mut searches = SEARCHES.into_iter();
        let found = searches
            .find_map(|effort| Search::new(system, policy, &round.rows_hit, effort, cell).run());
        if let Some(found) = found {
            for &other in found.keys() {
                round.withhold(system, other);
            }
            round.prove(found);
        } else if let Some(other) = next_to_withhold(system, cell) {
            round.withhold(system, other);
        } else {
            // One proof serves a component of which nothing is shown.
            let found = witness::doubled(system, cell);
            round.prove(found.expect("a number is in doubt when none is shown"));
        }
    }
    for (cell, known) in system.cells.iter().enumerate() {
        let is_secret = known.suppressed || known.sensitive;
        let proof = round.proofs.get(&cell);
        let holds = proof.is_some_and(|proof| witness::holds(system, proof, cell));
        assert!(holds || !is_secret, "two sets of numbers fit what is shown");
    }
}

/// How far it is.
#[derive(Default)]
struct Round {
    /// The numbers still to be proven.
    open: BTreeSet<CellId>,
    /// For each number, the set of numbers in which it is another.
    proofs: BTreeMap<CellId, Rc<Witness>>,
    /// For each row of a table, whether something of it is withheld.
    rows_hit: Vec<bool>,
}

impl Round {
    fn prove(&mut self, found: Witness) {
        let found = Rc::new(found);
        for (&proven, _) in found.iter().filter(|&(_, &change)| change != 0) {
            self.open.remove(&proven);
            self.proofs.entry(proven).or_insert_with(|| Rc::clone(&found));
        }
    }

    /// Withholds a number and what it takes along, all of which is to be
    /// proven. Zeros are always shown.
    fn withhold(&mut self, system: &mut System, cell: CellId) {
        let mut open = vec![cell];
        while let Some(place) = open.pop() {
            let cell = &mut system.cells[place];
            if cell.is_unknown() || cell.value == 0 {
                continue;
            }
            cell.suppressed = true;
            if let Some(row) = cell.row {
                self.rows_hit[row] = true;
            }
            self.open.insert(place);
            open.extend(&cell.takes_along);
        }
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
