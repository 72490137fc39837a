//! What happens on a person's way through a definition, told to whoever wants
//! to know. Nobody does when cohorts are run: those calls compile to nothing.

use super::cohort::Entry;
use super::events::Event;
use super::group::IndexRow;

/// Told by what a person may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitBy {
    /// So many days after the event.
    Offset,
    /// The end of the observation period.
    Period,
    /// The end of the drug era.
    Era,
    /// An event of a censoring criterion, by its place.
    Censoring(usize),
}

/// Told of one person's way through one definition, in its order.
pub(super) trait Trace {
    /// Whether anybody listens.
    const ON: bool;
    /// An event of the entry criterion at a place.
    fn event(&mut self, _criterion: usize, _event: &Event, _id: Option<i64>) {}
    /// An observation period around that event, and whether it is long enough.
    fn period(&mut self, _entry: &Entry, _is_enough: bool) {}
    /// What the primary limit has left.
    fn entered(&mut self, _entries: &[Entry]) {}
    /// Whether the additional criteria hold around an entry event.
    fn additional(&mut self, _entry: &Entry, _holds: bool) {}
    /// What the qualified limit has left.
    fn qualified(&mut self, _entries: &[Entry]) {}
    /// The rules that an event meets: bit i is set if it meets rule i.
    fn rules(&mut self, _entry: &Entry, _mask: u64) {}
    /// What the rules and then the expression limit have left.
    fn included(&mut self, _entries: &[Entry]) {}
    /// A day on which the person may leave.
    fn may_exit(&mut self, _entry: &Entry, _day: i32, _by: ExitBy) {}
    /// The day on which they do.
    fn exit(&mut self, _entry: &Entry, _day: Option<i32>) {}
}

/// Nobody listens.
pub(super) struct Untold;

impl Trace for Untold {
    const ON: bool = false;
}

/// Why an event of a criterion's concepts is none of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Only the person's first counts.
    NotFirst,
    /// It ends before it starts, once its dates are adjusted.
    Reversed,
    /// The user-defined period does not lie in it.
    OutsidePeriod,
    /// The filter at a place does not hold.
    Filter(usize),
}

/// Told how the events of a criterion are gathered.
pub(super) trait Gathering {
    /// Whether anybody listens.
    const ON: bool;
    /// A row of the criterion's concepts that is none of its events.
    fn dropped(&mut self, _event: &Event, _why: Dropped) {}
    /// The index rows of an event, and whether what is asked around it holds.
    fn around(&mut self, _event: &Event, _rows: &[IndexRow], _holds: bool) {}
}

impl Gathering for Untold {
    const ON: bool = false;
}

/// Told what a correlated criterion counts.
pub(super) trait Counting {
    /// Whether anybody listens: if so, counting does not stop at enough.
    const ON: bool;
    /// An event that counts.
    fn event(&mut self, _event: &Event) {}
    /// The number that is compared.
    fn count(&mut self, _count: i64) {}
}

impl Counting for Untold {
    const ON: bool = false;
}
