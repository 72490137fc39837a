//! How long each part of a run took.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Wall seconds of the parts of a run of definitions. Where shards are decoded
/// and evaluated side by side, their times are added up and divided by the
/// number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct CohortSeconds {
    /// Reading and parsing the definitions.
    pub parse: f64,
    /// Resolving their concept sets, the vocabulary's reading included.
    pub resolve: f64,
    /// Reading and decoding records.
    pub decode: f64,
    /// Evaluating.
    pub evaluate: f64,
    /// Encoding and writing the tables.
    pub write: f64,
}

impl fmt::Display for CohortSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parse, resolve, decode, evaluate, write } = self;
        write!(
            f,
            "parse {parse:.3} s, resolve {resolve:.3} s, decode {decode:.3} s, \
             evaluate {evaluate:.3} s, write {write:.3} s"
        )
    }
}

/// Time that several threads add to.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    nanoseconds: AtomicU64,
}

impl Stopwatch {
    /// Does something and adds how long it took.
    pub(super) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        self.time_of(1, work)
    }

    /// The same of work that keeps so many threads.
    pub(super) fn time_of<T>(&self, threads: usize, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        let nanoseconds = start.elapsed().as_nanos() as u64 * threads as u64;
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        done
    }

    pub(super) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }
}
