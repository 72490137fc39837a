//! The input of every estimator of the family: who was watched from when to
//! when, and how it ended.

use crate::error::{Error, Result};

/// Follow-up of n persons or spells, one row each; all slices have n rows.
#[derive(Debug, Clone, Copy)]
pub struct FollowUp<'a> {
    /// When a row comes under observation; `None`: all from the start. A row
    /// is at risk at t when entry < t <= time.
    pub entry: Option<&'a [f64]>,
    /// When the row leaves observation, in the unit of the answer.
    pub time: &'a [f64],
    /// Whether it leaves by the event; otherwise it is censored. Events of a
    /// time come before its censorings.
    pub event: &'a [bool],
    /// Case weights, at least 0; `None`: all 1.
    pub weight: Option<&'a [f64]>,
}

impl<'a> FollowUp<'a> {
    /// Follow-up that starts at 0 for everyone, unweighted.
    pub fn new(time: &'a [f64], event: &'a [bool]) -> Self {
        Self { entry: None, time, event, weight: None }
    }

    /// The same with entry times.
    #[must_use]
    pub fn with_entry(self, entry: &'a [f64]) -> Self {
        Self { entry: Some(entry), ..self }
    }

    /// The same with case weights.
    #[must_use]
    pub fn with_weight(self, weight: &'a [f64]) -> Self {
        Self { weight: Some(weight), ..self }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    pub(crate) fn weight_of(&self, row: usize) -> f64 {
        self.weight.map_or(1.0, |weight| weight[row])
    }

    /// Same lengths, no missing number, entry before time, weights >= 0.
    pub(crate) fn check(&self, what: &'static str) -> Result<()> {
        let n = self.rows();
        if n == 0 {
            return Err(Error::Empty { what });
        }
        check_length("event", n, self.event.len())?;
        check_finite("time", self.time)?;
        if let Some(entry) = self.entry {
            check_length("entry", n, entry.len())?;
            check_finite("entry", entry)?;
            if let Some(row) = (0..n).find(|&row| entry[row] >= self.time[row]) {
                return Err(Error::EntryNotBeforeTime { row });
            }
        }
        if let Some(weight) = self.weight {
            check_length("weight", n, weight.len())?;
            check_finite("weight", weight)?;
            if let Some(row) = weight.iter().position(|&w| w < 0.0) {
                return Err(Error::OutOfRange { column: "weight", row, expected: "at least 0" });
            }
        }
        Ok(())
    }
}

/// Whole weights, 1 or more: how many equal rows each stands for.
pub(crate) fn check_whole(weight: Option<&[f64]>) -> Result<()> {
    let is_whole = |w: &f64| *w >= 1.0 && w.fract() == 0.0;
    match weight.and_then(|weight| weight.iter().position(|w| !is_whole(w))) {
        Some(row) => {
            let expected = "a whole number: how many equal rows it stands for";
            Err(Error::OutOfRange { column: "weight", row, expected })
        }
        None => Ok(()),
    }
}

pub(crate) fn check_length(column: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Length { column, expected, found }) }
}

pub(crate) fn check_finite(column: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(row) => Err(Error::NotFinite { column, row }),
        None => Ok(()),
    }
}

pub(crate) fn check_covariates(covariates: &[&[f64]], rows: usize) -> Result<()> {
    for (covariate, column) in covariates.iter().enumerate() {
        check_length("covariate", rows, column.len())?;
        if let Some(row) = column.iter().position(|x| !x.is_finite()) {
            return Err(Error::CovariateNotFinite { covariate, row });
        }
    }
    Ok(())
}

/// A finite number as an integer of the same order.
pub(crate) fn order_key(x: f64) -> u64 {
    // Adding 0 makes -0 and 0 one key.
    let bits = (x + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// Rows by ascending `values` (finite), equal ones in the order of the rows.
/// Cost: O(n log n), or six passes where that is less.
pub(crate) fn ascending(values: &[f64]) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> =
        values.iter().zip(0..).map(|(&x, row)| (order_key(x), row)).collect();
    if keyed.len() < RADIX_MIN {
        keyed.sort_unstable();
    } else {
        keyed = radix_sorted(keyed);
    }
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// From so many rows on, counting digits is faster than comparing.
const RADIX_MIN: usize = 10_000;
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts by key, one digit after the other from the lowest, each pass keeping
/// the order of the one before; a digit that all keys share is passed over.
fn radix_sorted(mut keyed: Vec<(u64, u32)>) -> Vec<(u64, u32)> {
    let shifts = (0..u64::BITS).step_by(DIGIT_BITS as usize);
    let mut counts = vec![[0_usize; DIGITS]; shifts.len()];
    let digit = |key: u64, shift: u32| (key >> shift) as usize & (DIGITS - 1);
    for &(key, _) in &keyed {
        for (counts, shift) in counts.iter_mut().zip(shifts.clone()) {
            counts[digit(key, shift)] += 1;
        }
    }
    let mut sorted = vec![(0, 0); keyed.len()];
    for (counts, shift) in counts.into_iter().zip(shifts) {
        if counts.contains(&keyed.len()) {
            continue;
        }
        let mut next = counts;
        let mut start = 0;
        for slot in &mut next {
            start += std::mem::replace(slot, start);
        }
        for &pair in &keyed {
            let slot = &mut next[digit(pair.0, shift)];
            sorted[*slot] = pair;
            *slot += 1;
        }
        std::mem::swap(&mut keyed, &mut sorted);
    }
    keyed
}

/// Rows by ascending code, then by ascending `values`, and where each code
/// starts: `starts[c]..starts[c + 1]`. A counting pass keeps the sort's order.
pub(crate) fn ascending_by_code(
    order: &[u32],
    codes: &[u32],
    count: usize,
) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0; count + 1];
    for &code in codes {
        starts[code as usize + 1] += 1;
    }
    for c in 0..count {
        starts[c + 1] += starts[c];
    }
    let mut next = starts.clone();
    let mut sorted = vec![0; order.len()];
    for &row in order {
        let slot = &mut next[codes[row as usize] as usize];
        sorted[*slot] = row;
        *slot += 1;
    }
    (sorted, starts)
}

/// Labels as codes 0, 1, ... in the order of the labels, and the labels.
pub(crate) fn codes(labels: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut distinct: Vec<u32> = Vec::new();
    let mut last = None;
    for &label in labels {
        if last != Some(label) && !distinct.contains(&label) {
            if distinct.len() >= 64 {
                return codes_of_many(labels);
            }
            distinct.push(label);
        }
        last = Some(label);
    }
    distinct.sort_unstable();
    (codes_in(labels, &distinct), distinct)
}

fn codes_of_many(labels: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut distinct = labels.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    (codes_in(labels, &distinct), distinct)
}

fn codes_in(labels: &[u32], distinct: &[u32]) -> Vec<u32> {
    let find = |label| distinct.partition_point(|&d| d < label) as u32;
    labels.iter().map(|&label| find(label)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rows_are_named() {
        let event = [true, false];
        let check = |time: &[f64]| FollowUp::new(time, &event).check("test");
        assert_eq!(check(&[]), Err(Error::Empty { what: "test" }));
        assert_eq!(check(&[1.0, f64::NAN]), Err(Error::NotFinite { column: "time", row: 1 }));
        assert_eq!(check(&[1.0]), Err(Error::Length { column: "event", expected: 1, found: 2 }));
        let with_entry = FollowUp::new(&[1.0, 2.0], &event).with_entry(&[0.0, 2.0]);
        assert_eq!(with_entry.check("test"), Err(Error::EntryNotBeforeTime { row: 1 }));
        let weighted = FollowUp::new(&[1.0, 2.0], &event);
        let infinite = weighted.with_weight(&[f64::INFINITY, 1.0]);
        assert_eq!(infinite.check("test"), Err(Error::NotFinite { column: "weight", row: 0 }));
        assert!(weighted.with_weight(&[1.0, -1.0]).check("test").is_err());
    }

    #[test]
    fn order_is_stable_and_by_code() {
        let values = [2.0, -1.0, 2.0, 0.0, -0.0];
        let order = ascending(&values);
        assert_eq!(order, [1, 3, 4, 0, 2]);
        let (sorted, starts) = ascending_by_code(&order, &[1, 0, 0, 1, 0], 2);
        assert_eq!(sorted, [1, 4, 2, 3, 0]);
        assert_eq!(starts, [0, 3, 5]);
    }

    /// Against comparisons, on numbers of all sizes and signs, with ties.
    #[test]
    fn counting_digits_sorts_as_comparing_does() {
        let mut state = 1_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 11
        };
        let number = |bits: u64| match bits % 4 {
            0 => (bits >> 2) as f64 / 1e6,
            1 => -((bits % 1_000) as f64),
            2 => (bits % 50) as f64,
            _ => f64::from_bits(bits << 2),
        };
        let values: Vec<f64> = (0..3 * RADIX_MIN).map(|_| number(draw())).collect();
        let mut expected: Vec<u32> = (0..values.len() as u32).collect();
        expected
            .sort_by(|&a, &b| (values[a as usize] + 0.0).total_cmp(&(values[b as usize] + 0.0)));
        assert_eq!(ascending(&values), expected);
    }

    #[test]
    fn codes_follow_the_labels() {
        assert_eq!(codes(&[7, 3, 7]), (vec![1, 0, 1], vec![3, 7]));
        let many: Vec<u32> = (0..200).rev().collect();
        assert_eq!(codes(&many).0, many);
    }
}
