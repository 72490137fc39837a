//! Persons and cases by interval, kept as differences between neighbours: a
//! person adds two numbers for a run of intervals, however long.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use farr_records::{Day, Interval};

use super::calendar::Window;
use crate::CalendarInterval;

/// Counts by interval number: each entry is the change from the one before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Steps {
    changes: BTreeMap<i32, i64>,
}

impl Steps {
    /// One more in each of the intervals of these runs, each counted once.
    fn count(&mut self, mut runs: Vec<(i32, i32)>) {
        runs.sort_unstable();
        let mut open: Option<(i32, i32)> = None;
        for (first, last) in runs {
            match &mut open {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                _ => {
                    if let Some(run) = open.replace((first, last)) {
                        self.add_run(run);
                    }
                }
            }
        }
        if let Some(run) = open {
            self.add_run(run);
        }
    }

    fn add_run(&mut self, (first, last): (i32, i32)) {
        *self.changes.entry(first).or_default() += 1;
        *self.changes.entry(last + 1).or_default() -= 1;
    }

    fn add(&mut self, later: Self) {
        for (number, change) in later.changes {
            *self.changes.entry(number).or_default() += change;
        }
    }

    /// The counts of `first..=last`.
    fn between(&self, first: i32, last: i32) -> Vec<i64> {
        let mut count: i64 = self.changes.range(..first).map(|(_, change)| change).sum();
        (first..=last)
            .map(|number| {
                count += self.changes.get(&number).copied().unwrap_or_default();
                count
            })
            .collect()
    }
}

/// Persons and, by outcome, cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) persons: i64,
    pub(super) cases: Vec<i64>,
}

/// Counts of one denominator in all intervals of a kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    persons: Steps,
    cases: Vec<Steps>,
    /// With full contribution: those in the denominator for a part of an
    /// interval only, by the part. They count if the interval itself is cut so
    /// at the first or last day of the whole denominator.
    partly: BTreeMap<(i32, Day, Day), Counts>,
}

impl Tally {
    pub(super) fn new(outcomes: usize) -> Self {
        Self { cases: vec![Steps::default(); outcomes], ..Self::default() }
    }

    /// One person who counts in every interval that has a day of a span.
    pub(super) fn count(
        &mut self,
        interval: CalendarInterval,
        window: Window,
        spans: &[Interval],
        outcomes: &[Vec<Interval>],
    ) {
        let touched = |span: &Interval| interval.touched(*span, window);
        self.persons.count(spans.iter().filter_map(touched).collect());
        for (steps, rows) in self.cases.iter_mut().zip(outcomes) {
            let days = rows.iter().flat_map(|row| spans.iter().map(|span| span.intersect(*row)));
            steps.count(days.flatten().filter_map(|days| touched(&days)).collect());
        }
    }

    /// One person who counts in every interval that lies in a span.
    pub(super) fn count_full(
        &mut self,
        interval: CalendarInterval,
        spans: &[Interval],
        outcomes: &[Vec<Interval>],
    ) {
        let covered: Vec<Option<(i32, i32)>> =
            spans.iter().map(|span| interval.covered(*span)).collect();
        self.persons.count(covered.iter().flatten().copied().collect());
        for (steps, rows) in self.cases.iter_mut().zip(outcomes) {
            let mut runs = Vec::new();
            for (span, covered) in spans.iter().zip(&covered) {
                let Some((first, last)) = *covered else { continue };
                let days = rows.iter().filter_map(|row| span.intersect(*row));
                let touched = days.filter_map(|days| interval.touched(days, Window::All));
                let kept = touched.map(|(from, to)| (from.max(first), to.min(last)));
                runs.extend(kept.filter(|(from, to)| from <= to));
            }
            steps.count(runs);
        }
        for (span, covered) in spans.iter().zip(covered) {
            let Some((first, last)) = interval.touched(*span, Window::All) else { continue };
            let numbers = if first == last { vec![first] } else { vec![first, last] };
            for number in numbers {
                if covered.is_some_and(|(from, to)| from <= number && number <= to) {
                    continue;
                }
                let window = interval.window(number, Window::All);
                let Some(part) = window.intersect(*span) else { continue };
                let none = || Counts { persons: 0, cases: vec![0; outcomes.len()] };
                let key = (number, part.start, part.end);
                let counts = self.partly.entry(key).or_insert_with(none);
                counts.persons += 1;
                for (cases, rows) in counts.cases.iter_mut().zip(outcomes) {
                    let is_case = rows.iter().any(|row| row.intersect(part).is_some());
                    *cases += i64::from(is_case);
                }
            }
        }
    }

    pub(super) fn add(&mut self, later: Self) {
        self.persons.add(later.persons);
        for (total, steps) in self.cases.iter_mut().zip(later.cases) {
            total.add(steps);
        }
        for (key, counts) in later.partly {
            let none = || Counts { persons: 0, cases: vec![0; counts.cases.len()] };
            let total = self.partly.entry(key).or_insert_with(none);
            total.persons += counts.persons;
            total.cases.iter_mut().zip(counts.cases).for_each(|(sum, n)| *sum += n);
        }
    }

    /// The counts of neighbouring intervals, given the days that are observed
    /// of each.
    pub(super) fn of(&self, observed: &[(i32, Interval)]) -> Vec<Counts> {
        let (Some((first, _)), Some((last, _))) = (observed.first(), observed.last()) else {
            return Vec::new();
        };
        let persons = self.persons.between(*first, *last);
        let cases: Vec<Vec<i64>> = self.cases.iter().map(|s| s.between(*first, *last)).collect();
        let counts = |(place, (number, days)): (usize, &(i32, Interval))| {
            let mut counts = Counts {
                persons: persons[place],
                cases: cases.iter().map(|steps| steps[place]).collect(),
            };
            let from = (*number, Day(i32::MIN), Day(i32::MIN));
            let parts = self.partly.range(from..).take_while(|((other, _, _), _)| other == number);
            for ((_, start, end), part) in parts {
                if *start <= days.start && days.end <= *end {
                    counts.persons += part.persons;
                    counts.cases.iter_mut().zip(&part.cases).for_each(|(sum, n)| *sum += n);
                }
            }
            counts
        };
        observed.iter().enumerate().map(counts).collect()
    }
}

/// Spans that share a day, or of which one starts the day after another's
/// end, as one.
pub(super) fn joined(mut spans: Vec<Interval>) -> Vec<Interval> {
    spans.sort_unstable();
    let mut joined: Vec<Interval> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.end.plus(1) >= span.start => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}
