//! References in order of distance, for finding and using up the nearest.

use super::matching::TIE;

/// Reference rows in runs of equal distance variable. Used-up runs are
/// skipped by links that shorten as they are followed, so that taking all of
/// n references costs n log n.
pub(crate) struct Pool {
    runs: Vec<Run>,
    /// For run k at k + 1: itself, or a run below where it is used up. Entry
    /// 0 is the end.
    below: Vec<usize>,
    /// For run k: itself, or a run above. The last entry is the end.
    above: Vec<usize>,
}

struct Run {
    at: f64,
    /// Ascending; those before `used` are taken.
    rows: Vec<usize>,
    used: usize,
}

impl Pool {
    pub(crate) fn new(mut rows: Vec<usize>, distance: &[f64]) -> Self {
        rows.sort_by(|&a, &b| distance[a].total_cmp(&distance[b]).then(a.cmp(&b)));
        let mut runs: Vec<Run> = Vec::new();
        for row in rows {
            match runs.last_mut() {
                Some(run) if distance[row] - run.at <= TIE => run.rows.push(row),
                _ => runs.push(Run { at: distance[row], rows: vec![row], used: 0 }),
            }
        }
        for run in &mut runs {
            run.rows.sort_unstable();
        }
        let links: Vec<usize> = (0..=runs.len()).collect();
        Self { runs, below: links.clone(), above: links }
    }

    /// Takes the nearest free row within `within` of `at`.
    pub(crate) fn take_nearest(&mut self, at: f64, within: f64) -> Option<usize> {
        let split = self.runs.partition_point(|run| run.at <= at);
        let below = follow(&mut self.below, split).checked_sub(1);
        let above = Some(follow(&mut self.above, split)).filter(|&k| k < self.runs.len());
        let head = |k: usize| (self.runs[k].at, self.runs[k].rows[self.runs[k].used], k);
        let (_, row, k) = nearer(at, below.map(head), above.map(head))
            .filter(|(found, ..)| (found - at).abs() <= within)?;
        self.runs[k].used += 1;
        if self.runs[k].used == self.runs[k].rows.len() {
            self.below[k + 1] = k;
            self.above[k] = k + 1;
        }
        Some(row)
    }

    /// The `count` nearest rows within `within` of `at`, nearest first.
    pub(crate) fn nearest(&self, at: f64, count: usize, within: f64) -> Vec<usize> {
        let split = self.runs.partition_point(|run| run.at <= at);
        // Position of the next row on either side: run and place within.
        let (mut below, mut above) = ((split.checked_sub(1), 0), (split, 0));
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let low = below.0.map(|k| (self.runs[k].at, self.runs[k].rows[below.1], k));
            let high = self.runs.get(above.0).map(|run| (run.at, run.rows[above.1], above.0));
            let Some((value, row, k)) = nearer(at, low, high) else { break };
            if (value - at).abs() > within {
                break;
            }
            found.push(row);
            let size = self.runs[k].rows.len();
            if below.0 == Some(k) {
                below.1 += 1;
                if below.1 == size {
                    below = (k.checked_sub(1), 0);
                }
            } else {
                above.1 += 1;
                if above.1 == size {
                    above = (k + 1, 0);
                }
            }
        }
        found
    }
}

/// The nearer of two rows (value, row, run); of equally near ones the lower.
fn nearer(
    at: f64,
    low: Option<(f64, usize, usize)>,
    high: Option<(f64, usize, usize)>,
) -> Option<(f64, usize, usize)> {
    let (Some(l), Some(h)) = (low, high) else { return low.or(high) };
    let (to_low, to_high) = ((at - l.0).abs(), (h.0 - at).abs());
    let take_low = if (to_low - to_high).abs() <= TIE { l.1 < h.1 } else { to_low < to_high };
    Some(if take_low { l } else { h })
}

/// The end of the chain of links from `k`, which are all made to point there.
fn follow(links: &mut [usize], k: usize) -> usize {
    let mut end = k;
    while links[end] != end {
        end = links[end];
    }
    let mut at = k;
    while links[at] != end {
        at = std::mem::replace(&mut links[at], end);
    }
    end
}
