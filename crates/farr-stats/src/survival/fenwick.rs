//! Sums over ranks that change: Fenwick's tree.

/// Sums of values by rank; adding and asking cost O(log ranks).
pub(crate) struct Fenwick {
    tree: Vec<f64>,
    total: f64,
}

impl Fenwick {
    pub(crate) fn new(ranks: usize) -> Self {
        Self { tree: vec![0.0; ranks + 1], total: 0.0 }
    }

    pub(crate) fn add(&mut self, rank: usize, value: f64) {
        self.total += value;
        let mut i = rank + 1;
        while i < self.tree.len() {
            self.tree[i] += value;
            i += i & i.wrapping_neg();
        }
    }

    /// Sum over ranks below `rank`.
    pub(crate) fn below(&self, rank: usize) -> f64 {
        let (mut i, mut sum) = (rank, 0.0);
        while i > 0 {
            sum += self.tree[i];
            i &= i - 1;
        }
        sum
    }

    /// Sums over ranks below, at and above `rank`.
    pub(crate) fn around(&self, rank: usize) -> (f64, f64, f64) {
        let (below, until) = (self.below(rank), self.below(rank + 1));
        (below, until - below, self.total - until)
    }

    pub(crate) fn total(&self) -> f64 {
        self.total
    }
}

/// Dense ranks of `values`, and the distinct values in order.
pub(crate) fn dense_ranks(values: &[f64]) -> (Vec<u32>, Vec<f64>) {
    let order = super::follow_up::ascending(values);
    let mut ranks = vec![0; values.len()];
    let mut distinct: Vec<f64> = Vec::new();
    for row in order {
        let value = values[row as usize];
        if distinct.last() != Some(&value) {
            distinct.push(value);
        }
        ranks[row as usize] = distinct.len() as u32 - 1;
    }
    (ranks, distinct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_hand() {
        let mut tree = Fenwick::new(5);
        for (rank, value) in [(0, 1.0), (3, 2.0), (4, 4.0), (3, 8.0)] {
            tree.add(rank, value);
        }
        assert_eq!(tree.around(3), (1.0, 10.0, 4.0));
        assert_eq!(tree.total(), 15.0);
        assert_eq!(dense_ranks(&[3.0, -1.0, 3.0]), (vec![1, 0, 1], vec![-1.0, 3.0]));
    }
}
