//! Parts of shards that a run keeps while it evaluates, so that the same run,
//! started again after it died, does not evaluate them again.
//!
//! They are kept some at a time: a file a shard would take longer to make than
//! the shard. A run that dies loses what it has evaluated since, about [`EVERY`] or
//! [`WAITING_MAX`].

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use farr_records::ShardId;
use farr_source::Share;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::work::Work;

/// How long evaluated parts wait before they are kept. Those of the first such
/// time are not: most stages end within it.
const EVERY: Duration = Duration::from_secs(1);

/// Bytes of parts that wait at most, about: they are in memory meanwhile.
const WAITING_MAX: usize = 4 << 20;

/// How kept parts are laid out: parts of another layout are not looked for.
const LAYOUT: u32 = 4;

/// Encoded parts by shard.
type Parts = Vec<(u32, Vec<u8>)>;

/// The kept parts of a run over records, and those that a share of it will keep.
pub(crate) struct KeptParts<'a> {
    work: &'a Work,
    /// The folder: the records' run. Parts of other records do not count.
    records: &'a str,
    share: Share,
    /// Whether all of them are kept, for another process to find.
    keeps_all: bool,
    every: Duration,
    began: Instant,
    /// In which file each shard's part is, whoever kept it.
    files: BTreeMap<u32, String>,
    /// Parts of files that have been read, for shards that come next.
    read: Mutex<BTreeMap<u32, Vec<u8>>>,
    waiting: Mutex<Waiting>,
}

/// Parts that are not kept yet.
struct Waiting {
    since: Instant,
    parts: Parts,
    bytes: usize,
}

impl<'a> KeptParts<'a> {
    /// What is kept so far; what is damaged is not there.
    pub(crate) fn open((work, records): (&'a Work, &'a str), share: Share) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        let prefix = format!("{records}/shards-{LAYOUT}-");
        for name in work.names(records)? {
            let Some(rest) = name.strip_prefix(&prefix) else { continue };
            let shards: Option<Vec<u32>> = work.find(&name)?;
            let file = format!("{records}/parts-{LAYOUT}-{rest}");
            files.extend(shards.into_iter().flatten().map(|shard| (shard, file.clone())));
        }
        let began = Instant::now();
        let (keeps_all, every, read) = (false, EVERY, Mutex::default());
        let waiting = Mutex::new(Waiting { since: began, parts: Parts::new(), bytes: 0 });
        Ok(Self { work, records, share, keeps_all, every, began, files, read, waiting })
    }

    /// The same, all of whose parts will be kept.
    pub(crate) fn all(self) -> Self {
        Self { keeps_all: true, ..self }
    }

    /// Whether a shard's part is kept.
    pub(crate) fn has(&self, shard: ShardId) -> bool {
        self.files.contains_key(&shard.index())
    }

    /// A shard's part, if it is kept and whole. A file is read when the first of
    /// its parts is asked for.
    pub(crate) fn find<P: DeserializeOwned>(&self, shard: ShardId) -> Result<Option<P>, Error> {
        let Some(file) = self.files.get(&shard.index()) else { return Ok(None) };
        let mut read = lock(&self.read);
        if !read.contains_key(&shard.index()) {
            let parts: Option<Parts> = self.work.find(file)?;
            read.extend(parts.into_iter().flatten());
        }
        let part = read.remove(&shard.index());
        Ok(part.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
    }

    /// Keeps a part, now or with the next ones.
    pub(crate) fn keep<P: Serialize>(&self, shard: ShardId, part: &P) -> Result<(), Error> {
        if !self.keeps_all && self.began.elapsed() < self.every {
            return Ok(());
        }
        let object = || Error::Work { object: self.records.to_owned() };
        let bytes = postcard::to_allocvec(part).map_err(|_| object())?;
        let mut waiting = lock(&self.waiting);
        waiting.bytes += bytes.len();
        waiting.parts.push((shard.index(), bytes));
        if waiting.since.elapsed() < self.every && waiting.bytes < WAITING_MAX {
            return Ok(());
        }
        (waiting.since, waiting.bytes) = (Instant::now(), 0);
        let parts = std::mem::take(&mut waiting.parts);
        drop(waiting);
        self.write(&parts)
    }

    /// Keeps what waits.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let parts = std::mem::take(&mut lock(&self.waiting).parts);
        self.write(&parts)
    }

    /// Parts that are kept at one time have a file of their own: no two processes
    /// work at one share, and no shard is the first of two such files. What they
    /// are stands beside them, written last.
    fn write(&self, parts: &Parts) -> Result<(), Error> {
        let Some((first, _)) = parts.first() else { return Ok(()) };
        let (part, of) = (self.share.index() + 1, self.share.of());
        let name =
            |what: &str| format!("{}/{what}-{LAYOUT}-{part}-of-{of}-{first:05}", self.records);
        let shards: Vec<u32> = parts.iter().map(|(shard, _)| *shard).collect();
        self.work.keep(&name("parts"), parts)?;
        self.work.keep(&name("shards"), &shards)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use farr_disclosure::{Labelled, Zone};
    use farr_store::Location;

    use super::*;

    /// Evaluates the shards that are not kept, in this order, and dies: which of
    /// them were evaluated.
    fn run(parts: &KeptParts, order: &[u32]) -> Vec<u32> {
        let shards: Vec<ShardId> = ShardId::all(8).collect();
        let evaluate = |index: &&u32| {
            let shard = shards[**index as usize];
            let found: Option<String> = parts.find(shard).unwrap();
            if let Some(part) = found {
                assert_eq!(part, index.to_string());
                return false;
            }
            parts.keep(shard, &index.to_string()).unwrap();
            true
        };
        order.iter().filter(evaluate).copied().collect()
    }

    fn parts(work: &Work, share: Share, every: Duration) -> KeptParts<'_> {
        KeptParts { every, ..KeptParts::open((work, "r"), share).unwrap() }
    }

    fn at_once(work: &Work) -> KeptParts<'_> {
        parts(work, Share::WHOLE, Duration::ZERO)
    }

    #[test]
    fn what_is_kept_is_not_evaluated_again() {
        let place = Location::memory(Zone::Restricted);
        let work = Work::of(&place, "report-1");
        assert_eq!(run(&at_once(&work), &[1, 0, 4, 2]), [1, 0, 4, 2]);
        assert_eq!(run(&at_once(&work), &[0, 1, 2, 3, 4]), [3]);
        // A damaged part is evaluated anew.
        let path = "work/report-1/r/parts-4-1-of-1-00002";
        place.write(path, Labelled::person_level(Bytes::from_static(b"short"))).unwrap();
        assert_eq!(run(&at_once(&work), &[0, 1, 2, 3, 4, 5, 6, 7]), [2, 5, 6, 7]);
        assert!(run(&at_once(&work), &[0, 1, 2, 3, 4, 5, 6, 7]).is_empty());
        let of_others = KeptParts::open((&work, "s"), Share::WHOLE).unwrap();
        assert!(ShardId::all(8).all(|shard| !of_others.has(shard)));
    }

    #[test]
    fn a_short_stage_keeps_nothing_unless_it_is_a_share() {
        let work = Work::of(&Location::memory(Zone::Restricted), "report-1");
        let slow = |share| parts(&work, share, Duration::MAX);
        let whole = slow(Share::WHOLE);
        run(&whole, &[0, 1, 2]);
        whole.flush().unwrap();
        assert!(work.names("r").unwrap().is_empty());
        for (index, order) in [[0, 2, 4, 6], [1, 3, 5, 7]].iter().enumerate() {
            let share = slow(Share::new(index as u32, 2).unwrap()).all();
            assert_eq!(run(&share, order), order);
            share.flush().unwrap();
        }
        let whole = slow(Share::WHOLE);
        assert!(ShardId::all(8).all(|shard| whole.has(shard)));
        assert!(run(&whole, &[0, 1, 2, 3, 4, 5, 6, 7]).is_empty());
        // Two files a share: the parts, and which they are.
        assert_eq!(work.names("r").unwrap().len(), 4);
    }

    #[test]
    fn what_takes_much_memory_does_not_wait() {
        let work = Work::of(&Location::memory(Zone::Restricted), "report-1");
        let slow = parts(&work, Share::WHOLE, Duration::MAX).all();
        let shards: Vec<ShardId> = ShardId::all(2).collect();
        slow.keep(shards[0], &"little").unwrap();
        assert!(work.names("r").unwrap().is_empty());
        slow.keep(shards[1], &"much".repeat(WAITING_MAX / 4)).unwrap();
        assert_eq!(work.names("r").unwrap().len(), 2);
    }
}
