//! A stage is a map over shards plus a merge in shard order; where the map
//! runs is the executor's affair.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use farr_records::ShardId;

/// Runs a map over shards and hands the results on in shard order.
pub trait Executor: Sync {
    /// Maps every shard; `merge` gets the results in the shards' order,
    /// whatever order they were made in. The first error, in that order, of
    /// either ends it. Not to be called from one of the threads that map.
    fn map_shards<P, E, M, G>(&self, shards: &[ShardId], map: M, merge: G) -> Result<(), E>
    where
        P: Send,
        E: Send,
        M: Fn(ShardId) -> Result<P, E> + Sync,
        G: FnMut(P) -> Result<(), E>;
}

/// The threads of this process, as many shards in memory as there are threads.
#[derive(Debug)]
pub struct Threads {
    pool: rayon::ThreadPool,
}

/// The threads of this process, with fewer shards in memory than threads.
#[derive(Debug, Clone, Copy)]
pub struct InFlight<'a> {
    threads: &'a Threads,
    shards: usize,
}

impl Threads {
    /// A pool of so many threads; `None`: one a core.
    ///
    /// # Errors
    /// What the system says if it gives no threads.
    pub fn new(threads: Option<usize>) -> std::io::Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .thread_name(|i| format!("farr-{i}"))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self { pool })
    }

    /// Runs something on the pool.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// Runs something on the pool, and something else on this thread meanwhile:
    /// threads take a moment to start.
    pub fn run_beside<T: Send, U>(
        &self,
        work: impl FnOnce() -> T + Send,
        here: impl FnOnce() -> U,
    ) -> (T, U) {
        let mut done = None;
        let here = self.pool.in_place_scope(|scope| {
            scope.spawn(|_| done = Some(work()));
            here()
        });
        // The scope has waited for it, and passed its panic on.
        let Some(done) = done else { unreachable!("work neither ended nor panicked") };
        (done, here)
    }

    /// The same threads, with at most so many shards in memory.
    pub fn with_in_flight(&self, shards: usize) -> InFlight<'_> {
        InFlight { threads: self, shards: shards.max(1) }
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }
}

impl Executor for Threads {
    fn map_shards<P, E, M, G>(&self, shards: &[ShardId], map: M, merge: G) -> Result<(), E>
    where
        P: Send,
        E: Send,
        M: Fn(ShardId) -> Result<P, E> + Sync,
        G: FnMut(P) -> Result<(), E>,
    {
        self.with_in_flight(self.count()).map_shards(shards, map, merge)
    }
}

impl Executor for InFlight<'_> {
    fn map_shards<P, E, M, G>(&self, shards: &[ShardId], map: M, mut merge: G) -> Result<(), E>
    where
        P: Send,
        E: Send,
        M: Fn(ShardId) -> Result<P, E> + Sync,
        G: FnMut(P) -> Result<(), E>,
    {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        // Who merges may be slower than those who map, and is waited for.
        let (sender, receiver) = mpsc::sync_channel(self.shards);
        // Tasks take shards in order, so that those before a failed one have
        // all been taken, and their results come.
        let (next, failed, map) = (&next, &failed, &map);
        self.threads.pool.in_place_scope(|scope| {
            for _ in 0..self.shards.min(shards.len()) {
                let sender = sender.clone();
                scope.spawn(move |_| {
                    while !failed.load(Ordering::Relaxed) {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(shard) = shards.get(place) else { return };
                        let result = map(*shard);
                        failed.fetch_or(result.is_err(), Ordering::Relaxed);
                        // Nobody listens any more once a shard has failed.
                        let _ = sender.send((place, result));
                    }
                });
            }
            drop(sender);
            let mut early = BTreeMap::new();
            let mut merged = 0;
            for (place, result) in receiver {
                early.insert(place, result);
                while let Some(result) = early.remove(&merged) {
                    let result = result.and_then(&mut merge);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    result?;
                    merged += 1;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_shard_order() {
        let shards: Vec<ShardId> = ShardId::all(64).collect();
        for threads in [1, 2, 16] {
            let mut seen = Vec::new();
            let threads = Threads::new(Some(threads)).unwrap();
            let map = |shard: ShardId| Ok::<_, ()>(shard.index());
            let merge = |index| {
                seen.push(index);
                Ok(())
            };
            threads.map_shards(&shards, map, merge).unwrap();
            assert!(seen.iter().copied().eq(0..64));
        }
    }

    #[test]
    fn the_first_error_in_order_is_given() {
        let shards: Vec<ShardId> = ShardId::all(8).collect();
        let map = |shard: ShardId| if shard.index() < 3 { Ok(()) } else { Err(shard.index()) };
        let threads = Threads::new(Some(4)).unwrap();
        assert_eq!(threads.map_shards(&shards, map, |()| Ok(())), Err(3));
        let map = |shard: ShardId| Ok(shard.index());
        let merge = |index| if index < 5 { Ok(()) } else { Err(index) };
        assert_eq!(threads.map_shards(&shards, map, merge), Err(5));
    }
}
