//! Who is at risk, has the event and is censored at each time: the one pass
//! over sorted rows from which the curves are computed.

use super::follow_up::{FollowUp, ascending};

/// One row a distinct exit time, ascending. Numbers are sums of weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RiskTable {
    pub(crate) time: Vec<f64>,
    pub(crate) n_risk: Vec<f64>,
    pub(crate) n_event: Vec<f64>,
    pub(crate) n_censor: Vec<f64>,
    /// Rows with the event, not weighted.
    pub(crate) events: Vec<u32>,
}

impl RiskTable {
    pub(crate) fn of(rows: &FollowUp) -> Self {
        let order = ascending(rows.time);
        Self::of_sorted(rows, &order)
    }

    /// No rows yet, with room for so many.
    fn with_capacity(rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        Self {
            time: column(),
            n_risk: column(),
            n_event: column(),
            n_censor: column(),
            events: Vec::with_capacity(rows),
        }
    }

    /// `order`: the rows to use, by ascending time.
    pub(crate) fn of_sorted(rows: &FollowUp, order: &[u32]) -> Self {
        let mut entering: Vec<(f64, f64)> = rows.entry.map_or_else(Vec::new, |entry| {
            order.iter().map(|&r| (entry[r as usize], rows.weight_of(r as usize))).collect()
        });
        entering.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut entering = entering.into_iter().peekable();
        // Rows are fetched in one go, whose reads need not wait for each other.
        let sorted: Vec<(f64, f64, bool)> = order
            .iter()
            .map(|&row| row as usize)
            .map(|row| (rows.time[row], rows.weight_of(row), rows.event[row]))
            .collect();
        let mut table = Self::with_capacity(order.len());
        // From the last time backwards, so that sums of weights start at 0
        // where few are at risk and a curve that reaches 0 is exactly 0.
        let mut n_risk = 0.0;
        for tied in sorted.chunk_by(|a, b| a.0 == b.0).rev() {
            let time = tied[0].0;
            let (mut n_event, mut n_censor, mut events) = (0.0, 0.0, 0);
            for &(_, weight, event) in tied.iter().rev() {
                n_risk += weight;
                if event {
                    n_event += weight;
                    events += 1;
                } else {
                    n_censor += weight;
                }
            }
            while let Some((_, weight)) = entering.next_if(|(entry, _)| *entry >= time) {
                n_risk -= weight;
            }
            table.time.push(time);
            table.n_risk.push(n_risk);
            table.n_event.push(n_event);
            table.n_censor.push(n_censor);
            table.events.push(events);
        }
        table.time.reverse();
        table.n_risk.reverse();
        table.n_event.reverse();
        table.n_censor.reverse();
        table.events.reverse();
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        // Rows (entry, time]: (0,2] event, (1,3] censored, (2,3] event, (0,5] event.
        // At 2: rows 0, 1, 3; at 3: rows 1, 2, 3; at 5: row 3.
        let rows = FollowUp::new(&[2.0, 3.0, 3.0, 5.0], &[true, false, true, true]);
        let entry = [0.0, 1.0, 2.0, 0.0];
        let table = RiskTable::of(&rows.with_entry(&entry));
        assert_eq!(table.time, [2.0, 3.0, 5.0]);
        assert_eq!(table.n_risk, [3.0, 3.0, 1.0]);
        assert_eq!(table.n_event, [1.0, 1.0, 1.0]);
        assert_eq!(table.n_censor, [0.0, 1.0, 0.0]);
    }
}
