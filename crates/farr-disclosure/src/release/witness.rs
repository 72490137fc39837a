//! Proof that a withheld number is in doubt: another set of numbers that a
//! reader could not tell from the true one and in which it differs.

use std::collections::BTreeMap;

use super::system::{CellId, System};

/// What is added to the true numbers to get the other set.
pub(crate) type Witness = BTreeMap<CellId, i64>;

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
