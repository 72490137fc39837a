//! Rows by stratum, person or cluster.

/// Numbers the distinct values from 0 in their order; one number a row.
pub fn group_indices<T: Ord>(values: &[T]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].cmp(&values[b]));
    let mut groups = vec![0; values.len()];
    let mut current = 0;
    for pair in order.windows(2) {
        if values[pair[0]] != values[pair[1]] {
            current += 1;
        }
        groups[pair[1]] = current;
    }
    groups
}

/// The rows of each group, in order of rows; groups without rows are empty.
pub(crate) fn rows_by_group(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); groups.iter().max().map_or(0, |m| m + 1)];
    for (row, &group) in groups.iter().enumerate() {
        rows[group].push(row);
    }
    rows
}
