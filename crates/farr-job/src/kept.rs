//! Parts of shards that a run keeps while it evaluates, so that the same run,
//! started again after it died, does not evaluate them again.
//!
//! They are kept some at a time: a file a shard would take longer to make than
//! the shard. What a run loses when it dies is about [`EVERY`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use farr_records::ShardId;
use farr_source::Share;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::work::Work;

/// How long evaluated parts wait before they are kept. Those of the first such
/// time do not wait: most stages end within it.
const EVERY: Duration = Duration::from_secs(1);

/// How kept parts are laid out: parts of another layout are not looked for.
const LAYOUT: u32 = 3;

/// Parts of a share of the shards on their way, in the shards' order.
pub(crate) struct KeptParts<'a, P> {
    work: &'a Work,
    /// The folder: the records' run. Parts of other records do not count.
    records: &'a str,
    share: Share,
    /// Whether all of them are kept, for another process to find.
    keeps_all: bool,
    every: Duration,
    began: Instant,
    last_kept: Instant,
    /// Evaluated, neither kept nor handed on.
    waiting: Vec<(u32, P)>,
}

impl<'a, P: Serialize + DeserializeOwned> KeptParts<'a, P> {
    /// The parts of a share of the shards, of a run over records.
    pub(crate) fn of((work, records): (&'a Work, &'a str), share: Share) -> Self {
        let began = Instant::now();
        let (keeps_all, every, last_kept, waiting) = (false, EVERY, began, Vec::new());
        Self { work, records, share, keeps_all, every, began, last_kept, waiting }
    }

    /// The same, all of which are kept.
    pub(crate) fn all(self) -> Self {
        Self { keeps_all: true, ..self }
    }

    /// What any process has kept, by shard. What is damaged is not there.
    pub(crate) fn find(&self) -> Result<BTreeMap<u32, P>, Error> {
        let mut parts = BTreeMap::new();
        for name in self.work.names(self.records)? {
            if name.starts_with(&self.prefix()) {
                let some: Option<Vec<(u32, P)>> = self.work.find(&name)?;
                parts.extend(some.into_iter().flatten());
            }
        }
        Ok(parts)
    }

    /// Takes the part of the next shard, and hands those on that need not wait.
    pub(crate) fn take(
        &mut self,
        shard: ShardId,
        part: P,
        is_new: bool,
        add: &mut impl FnMut(P),
    ) -> Result<(), Error> {
        let is_early = !self.keeps_all && self.began.elapsed() < self.every;
        if is_new && !is_early {
            self.waiting.push((shard.index(), part));
            if self.last_kept.elapsed() >= self.every {
                self.keep(add)?;
            }
        } else {
            self.settle(add)?;
            add(part);
        }
        Ok(())
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self, mut add: impl FnMut(P)) -> Result<(), Error> {
        self.settle(&mut add)
    }

    fn settle(&mut self, add: &mut impl FnMut(P)) -> Result<(), Error> {
        if self.keeps_all {
            return self.keep(add);
        }
        self.hand_on(add);
        Ok(())
    }

    /// Parts that are kept at one time have a file of their own: no two
    /// processes work at one share, and no two such files begin with the same
    /// shard.
    fn keep(&mut self, add: &mut impl FnMut(P)) -> Result<(), Error> {
        if let Some((first, _)) = self.waiting.first() {
            let (part, of) = (self.share.index() + 1, self.share.of());
            let name = format!("{}{part}-of-{of}-{first:05}", self.prefix());
            self.work.keep(&name, &self.waiting)?;
        }
        self.hand_on(add);
        self.last_kept = Instant::now();
        Ok(())
    }

    fn hand_on(&mut self, add: &mut impl FnMut(P)) {
        self.waiting.drain(..).for_each(|(_, part)| add(part));
    }

    fn prefix(&self) -> String {
        format!("{}/parts-{LAYOUT}-", self.records)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use farr_disclosure::{Labelled, Zone};
    use farr_store::Location;

    use super::*;

    type Parts<'a> = KeptParts<'a, String>;

    /// Evaluates the shards that are not kept, up to one at which the run dies:
    /// what was handed on, and which shards were evaluated.
    fn run(mut parts: Parts, dies_at: u32) -> (Vec<String>, Vec<u32>) {
        let (mut handed, mut evaluated) = (Vec::new(), Vec::new());
        let mut found = parts.find().unwrap();
        let share = parts.share;
        for shard in ShardId::all(8).filter(|shard| shard.index() % share.of() == share.index()) {
            let (shard, index) = (shard, shard.index());
            if index == dies_at {
                return (handed, evaluated);
            }
            let part = found.remove(&index);
            let is_new = part.is_none();
            if is_new {
                evaluated.push(index);
            }
            let part = part.unwrap_or_else(|| index.to_string());
            parts.take(shard, part, is_new, &mut |part| handed.push(part)).unwrap();
        }
        parts.finish(|part| handed.push(part)).unwrap();
        (handed, evaluated)
    }

    fn at_once(work: &Work) -> Parts<'_> {
        Parts { every: Duration::ZERO, ..Parts::of((work, "r"), Share::WHOLE) }
    }

    const ALL: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];

    #[test]
    fn what_is_kept_is_not_evaluated_again() {
        let place = Location::memory(Zone::Restricted);
        let work = Work::of(&place, "report-1");
        assert_eq!(run(at_once(&work), 5).1, [0, 1, 2, 3, 4]);
        // Damage: that part is evaluated anew, and all come in order.
        let path = "work/report-1/r/parts-3-1-of-1-00002";
        place.write(path, Labelled::person_level(Bytes::from_static(b"short"))).unwrap();
        let (handed, evaluated) = run(at_once(&work), 9);
        assert_eq!(handed, ALL);
        assert_eq!(evaluated, [2, 5, 6, 7]);
        let others = Parts { records: "s", ..at_once(&work) };
        assert!(others.find().unwrap().is_empty());
    }

    #[test]
    fn a_short_stage_keeps_nothing_unless_it_is_a_share() {
        let work = Work::of(&Location::memory(Zone::Restricted), "report-1");
        let slow = |share| Parts { every: Duration::MAX, ..Parts::of((&work, "r"), share) };
        assert_eq!(run(slow(Share::WHOLE), 9).0, ALL);
        assert!(slow(Share::WHOLE).find().unwrap().is_empty());
        let [first, second] = [0, 1].map(|index| Share::new(index, 2).unwrap());
        run(slow(first).all(), 9);
        run(slow(second).all(), 9);
        assert_eq!(run(slow(Share::WHOLE), 9), (ALL.map(str::to_owned).to_vec(), vec![]));
        assert_eq!(work.names("r").unwrap().len(), 2);
    }
}
