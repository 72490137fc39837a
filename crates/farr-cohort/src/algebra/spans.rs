//! One person's spans of days: sorted by start, no two share a day. Two that
//! are neighbours (one ends the day before the other starts) stay two, as two
//! entries of Circe's cohorts do.
//!
//! Every function is linear in its spans, but for [`union`], which sorts.

use farr_records::{Day, Interval};

use super::settings::{NearKeep, RowDate, WindowDay};

/// Spans of several cohorts, in any order, made the spans of their union: what
/// shares a day is joined, and with `gap_days` above 0 what starts at most so
/// many days after the end of the one before.
pub(super) fn union(spans: &mut Vec<Interval>, gap_days: u16) {
    spans.sort_unstable();
    let mut kept: usize = 0;
    for place in 0..spans.len() {
        let next = spans[place];
        match kept.checked_sub(1).map(|last| &mut spans[last]) {
            Some(last) if next.start <= last.end.plus(i32::from(gap_days)) => {
                last.end = last.end.max(next.end);
            }
            _ => {
                spans[kept] = next;
                kept += 1;
            }
        }
    }
    spans.truncate(kept);
}

/// The days in both. A border between two spans of either stays one.
pub(super) fn intersection(one: &[Interval], other: &[Interval], out: &mut Vec<Interval>) {
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        out.extend(a.intersect(*b));
        if a.end < b.end {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// The days of `from` that are not in `without`.
pub(super) fn minus(from: &[Interval], without: &[Interval], out: &mut Vec<Interval>) {
    let mut first = 0;
    for span in from {
        while without.get(first).is_some_and(|gone| gone.end < span.start) {
            first += 1;
        }
        let mut start = span.start;
        for gone in without[first..].iter().take_while(|gone| gone.start <= span.end) {
            out.extend(Interval::new(start, gone.start.plus(-1)));
            start = gone.end.plus(1);
        }
        out.extend(Interval::new(start, span.end));
    }
}

/// The spans of `from` that share no day with `without`.
pub(super) fn minus_rows(from: &[Interval], without: &[Interval], out: &mut Vec<Interval>) {
    out.extend(from.iter().filter(|span| {
        let next = without.partition_point(|gone| gone.end < span.start);
        without.get(next).is_none_or(|gone| gone.start > span.end)
    }));
}

/// Rows with, or without, a row of the other cohort whose date lies in the
/// window of days after the row's own.
pub(super) fn near(
    rows: &[Interval],
    others: &[Interval],
    (date, of_date): (RowDate, RowDate),
    window: [WindowDay; 2],
    keep: NearKeep,
    out: &mut Vec<Interval>,
) {
    let of = |span: &Interval, date| match date {
        RowDate::Start => span.start,
        RowDate::End => span.end,
    };
    let [first, last] = window;
    let in_window = |distance: i32| {
        let from = match first {
            WindowDay::Days(days) => distance >= days,
            WindowDay::Open(_) => true,
        };
        from && match last {
            WindowDay::Days(days) => distance <= days,
            WindowDay::Open(_) => true,
        }
    };
    out.extend(rows.iter().filter(|row| {
        let day = of(row, date);
        let is_near = others.iter().any(|other| in_window(of(other, of_date).days_since(day)));
        is_near == (keep == NearKeep::With)
    }));
}

/// The days from `from` to `to`, either of them open.
pub(super) fn cut(
    rows: &[Interval],
    (from, to): (Option<Day>, Option<Day>),
    out: &mut Vec<Interval>,
) {
    let window =
        Interval { start: from.unwrap_or(Day(i32::MIN)), end: to.unwrap_or(Day(i32::MAX)) };
    out.extend(rows.iter().filter_map(|row| row.intersect(window)));
}

/// The rows that start from `from` to `to`, either of them open.
pub(super) fn starting(
    rows: &[Interval],
    (from, to): (Option<Day>, Option<Day>),
    out: &mut Vec<Interval>,
) {
    let inside = |day: Day| from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to);
    out.extend(rows.iter().filter(|row| inside(row.start)));
}

/// The n-th row, from 1; from the end with negative `nth`.
pub(super) fn nth(rows: &[Interval], nth: i32) -> Option<Interval> {
    let steps = (nth.unsigned_abs() as usize).checked_sub(1)?;
    if nth > 0 { rows.get(steps).copied() } else { rows.iter().rev().nth(steps).copied() }
}
