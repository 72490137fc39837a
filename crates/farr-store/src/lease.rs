//! A lease: the right of one process to work on something, among processes
//! that share nothing but a place.
//!
//! A lease is a row of numbered objects, `leases/<name>/<20 digits>.json`, each
//! made by put-if-absent; the highest number counts. The holder shows that it
//! is alive by putting the next number now and then. Whoever waits watches the
//! highest number: if it has not changed for a while *by the watcher's own
//! clock*, or if it names a process of this very machine that is gone, the
//! watcher puts the next number and is the holder. Clocks are never compared.
//!
//! A holder that was thought dead finds that somebody else has put its next
//! number, and must stop: [`Lease::check`] says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use farr_disclosure::Document;
use serde::Deserialize;

use crate::{Error, Location};

/// How a lease is kept and taken over.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTiming {
    /// How often the holder shows that it is alive.
    pub beat: Duration,
    /// After so long without a sign the holder is taken to be dead; several
    /// beats.
    pub dead_after: Duration,
    /// How often a watcher looks.
    pub look: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(5),
            dead_after: Duration::from_secs(30),
            look: Duration::from_millis(500),
        }
    }
}

/// Numbers below the highest that stay, so that a slow watcher does not find
/// its number free again.
const KEPT: u64 = 8;

/// What one object of a lease says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Claim {
    /// Tells one holder from another.
    holder: String,
    /// The holder has let go.
    released: bool,
    /// The process, where the system names it.
    #[serde(default)]
    process: Option<Process>,
}

/// A process, named so that another process of the same machine can tell
/// whether it still runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Process {
    /// The boot of the machine, and the space that process ids count in.
    machine: String,
    id: u32,
    /// When it started, in ticks since the boot: ids are used again.
    started: String,
}

/// What a watcher knows of who held a lease.
enum Seen {
    /// It has let go, or is no process any more, or there was none.
    Gone,
    /// It has given no sign for so long that it is taken to be dead.
    Silent,
}

/// The right to work on something, until it is dropped or lost.
pub struct Lease {
    shared: Arc<Shared>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    location: Location,
    name: String,
    holder: String,
    timing: LeaseTiming,
    state: Mutex<State>,
    wake: Condvar,
    lost: AtomicBool,
}

struct State {
    number: u64,
    ends: bool,
}

impl Lease {
    /// Takes the lease of a name, of which no other process may hold it, nor
    /// [all](Self::take_all).
    ///
    /// While another one does, `goes_on` is asked now and then, with the
    /// holder's name, whether to wait further.
    ///
    /// # Errors
    /// [`Error::Held`] if another process holds it and `goes_on` says no;
    /// [`Error::Unsupported`] where the store has no put-if-absent.
    pub fn take(
        location: &Location,
        name: &str,
        holder: &str,
        timing: LeaseTiming,
        mut goes_on: impl FnMut(&str) -> bool,
    ) -> Result<Self, Error> {
        let lease = Self::take_one(location, name, holder, timing, &mut goes_on)?;
        // Who takes all from now on finds this one.
        if Self::is_held(location, ALL)? {
            let all = Shared::new(location, ALL, holder, timing)?;
            if let (Some(number), Seen::Silent) = all.wait(&mut goes_on)? {
                all.put(number + 1, true)?;
            }
        }
        Ok(lease)
    }

    /// Takes the leases of all names that were ever used at a place, unless one is
    /// held. Names first used meanwhile wait too.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_all(
        location: &Location,
        holder: &str,
        timing: LeaseTiming,
    ) -> Result<Vec<Self>, Error> {
        let take = |name: &str| Self::take_one(location, name, holder, timing, &mut |_| false);
        let mut leases = vec![take(ALL)?];
        for name in Self::names(location)?.iter().filter(|name| *name != ALL) {
            leases.push(take(name)?);
        }
        Ok(leases)
    }

    fn take_one(
        location: &Location,
        name: &str,
        holder: &str,
        timing: LeaseTiming,
        goes_on: &mut impl FnMut(&str) -> bool,
    ) -> Result<Self, Error> {
        let shared = Shared::new(location, name, holder, timing)?;
        loop {
            let (highest, _) = shared.wait(goes_on)?;
            if shared.put(highest.map_or(1, |number| number + 1), false)? {
                let shared = Arc::new(shared);
                let keeper = {
                    let shared = Arc::clone(&shared);
                    let thread = std::thread::Builder::new().name("farr-lease".to_owned());
                    thread.spawn(move || shared.keep()).ok()
                };
                return Ok(Self { shared, keeper });
            }
        }
    }

    /// Whether the lease is still this process's own.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another process has it: stop, publish nothing.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_lost() { Err(self.shared.lost_error()) } else { Ok(()) }
    }

    /// As [`check`](Self::check), without the error.
    pub fn is_lost(&self) -> bool {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Asks the place itself whether the lease is still this process's own,
    /// and holds it anew: for the moment before something is made visible.
    pub fn confirm(&self) -> Result<(), Error> {
        self.check()?;
        self.shared.renew()
    }

    /// The names that leases were ever taken of, at a place.
    pub fn names(location: &Location) -> Result<Vec<String>, Error> {
        location.folders(LEASES)
    }

    /// Whether somebody may hold the lease of a name: its last claim is neither
    /// released nor of a process that is known to be gone.
    pub fn is_held(location: &Location, name: &str) -> Result<bool, Error> {
        let Some(number) = highest(location, name)? else { return Ok(false) };
        let claim = claim(location, name, number)?;
        Ok(claim.is_none_or(|claim| !claim.released && !claim.is_of_the_dead()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.ends = true;
            self.shared.wake.notify_all();
        }
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        if !self.is_lost() {
            // If this fails, the others wait until the lease is out.
            let number = self.shared.lock().number;
            let _ = self.shared.put(number + 1, true);
        }
    }
}

const LEASES: &str = "leases";

/// The name that stands for all names.
const ALL: &str = "all.names";

fn path(name: &str, number: u64) -> String {
    format!("{LEASES}/{name}/{number:020}.json")
}

fn numbers(location: &Location, name: &str) -> Result<Vec<u64>, Error> {
    let number = |path: &str| -> Option<u64> {
        let digits = path.rsplit('/').next()?.strip_suffix(".json")?;
        digits.parse().ok().filter(|_| digits.len() == 20)
    };
    let objects = location.list(&format!("{LEASES}/{name}"))?;
    Ok(objects.iter().filter_map(|object| number(&object.path)).collect())
}

fn highest(location: &Location, name: &str) -> Result<Option<u64>, Error> {
    Ok(numbers(location, name)?.into_iter().max())
}

/// What a number says; `None` if it is gone by now, or is no claim.
fn claim(location: &Location, name: &str, number: u64) -> Result<Option<Claim>, Error> {
    match location.read(&path(name, number)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Shared {
    fn new(
        location: &Location,
        name: &str,
        holder: &str,
        timing: LeaseTiming,
    ) -> Result<Self, Error> {
        crate::publication::check_name(name)?;
        Ok(Self {
            location: location.clone(),
            name: name.to_owned(),
            holder: holder.to_owned(),
            timing,
            state: Mutex::new(State { number: 0, ends: false }),
            wake: Condvar::new(),
            lost: AtomicBool::new(false),
        })
    }

    /// Waits until nobody holds the name: its highest number, and what is known
    /// of who had it.
    fn wait(&self, goes_on: &mut impl FnMut(&str) -> bool) -> Result<(Option<u64>, Seen), Error> {
        let mut watched: Option<(u64, Instant)> = None;
        loop {
            let Some(number) = self.highest()? else { return Ok((None, Seen::Gone)) };
            let claim = self.claim(number)?;
            if claim.as_ref().is_some_and(|claim| claim.released || claim.is_of_the_dead()) {
                return Ok((Some(number), Seen::Gone));
            }
            let since = watched.filter(|(seen, _)| *seen == number);
            let (_, since) = *watched.insert(since.unwrap_or((number, Instant::now())));
            if since.elapsed() >= self.timing.dead_after {
                return Ok((Some(number), Seen::Silent));
            }
            let other = claim.map_or_else(String::new, |claim| claim.holder);
            if !goes_on(&other) {
                let object = self.location.url_of(&format!("{LEASES}/{}", self.name));
                return Err(Error::Held { object, holder: other });
            }
            std::thread::sleep(self.timing.look);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn highest(&self) -> Result<Option<u64>, Error> {
        highest(&self.location, &self.name)
    }

    fn claim(&self, number: u64) -> Result<Option<Claim>, Error> {
        claim(&self.location, &self.name, number)
    }

    fn lost_error(&self) -> Error {
        Error::LeaseLost { object: self.location.url_of(&format!("{LEASES}/{}", self.name)) }
    }

    /// Puts a number; true if it is this holder's and, unless it lets go, the
    /// highest.
    fn put(&self, number: u64, released: bool) -> Result<bool, Error> {
        let path = path(&self.name, number);
        let mut document = Document::new("lease")
            .with("holder", self.holder.as_str())
            .with("released", farr_disclosure::Node::Bool(released));
        if let Some(process) = Process::own() {
            document = document.with("process", process.node());
        }
        let object = || self.location.url_of(&path);
        let bytes = serde_json::to_vec(&document).map(Bytes::from);
        let bytes = bytes.map_err(|_| Error::Pointer { object: object() })?;
        let statement = document.statement().ok_or_else(|| Error::Pointer { object: object() })?;
        match self.location.write_if_absent(&path, statement.map(|_| bytes)) {
            Ok(()) => {}
            // Another holder was faster, or a repeated request met itself.
            Err(Error::Exists { .. }) => {
                let is_own =
                    |claim: Claim| claim.holder == self.holder && claim.released == released;
                if !self.claim(number)?.is_some_and(is_own) {
                    return Ok(false);
                }
            }
            Err(error) => return Err(error),
        }
        // Who lets go needs to know nothing more.
        if released {
            return Ok(true);
        }
        // Lower numbers go; a number that was free again, because its holder
        // has moved on, is not the highest.
        let numbers = numbers(&self.location, &self.name)?;
        if numbers.iter().any(|other| *other > number) {
            return Ok(false);
        }
        self.lock().number = number;
        let old = numbers.into_iter().filter(|other| other + KEPT < number);
        for other in old {
            match self.location.delete(&crate::lease::path(&self.name, other)) {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Shows that the holder is alive.
    fn renew(&self) -> Result<(), Error> {
        let number = self.lock().number;
        // Numbers are put by the keeper and by `confirm`: whoever finds its
        // number taken by this very holder takes the next one.
        let mut next = number + 1;
        loop {
            if self.put(next, false)? {
                return Ok(());
            }
            let highest = self.highest()?.unwrap_or(next);
            let own = self.claim(highest)?.is_some_and(|claim| claim.holder == self.holder);
            if !own {
                self.lost.store(true, Ordering::Relaxed);
                return Err(self.lost_error());
            }
            next = highest + 1;
        }
    }

    /// The keeper's work, until the lease ends or is lost.
    fn keep(&self) {
        let mut last = Instant::now();
        let mut state = self.lock();
        while !state.ends {
            let (guard, _) = self
                .wake
                .wait_timeout(state, self.timing.beat)
                .unwrap_or_else(PoisonError::into_inner);
            if guard.ends {
                return;
            }
            drop(guard);
            match self.renew() {
                Ok(()) => last = Instant::now(),
                Err(Error::LeaseLost { .. }) => return,
                // The place did not answer: by now somebody else may think
                // that this process is dead.
                Err(_) if last.elapsed() >= self.timing.dead_after => {
                    self.lost.store(true, Ordering::Relaxed);
                    return;
                }
                Err(_) => {}
            }
            state = self.lock();
        }
    }
}

impl Claim {
    /// Whether the claim is of a process of this machine that runs no more.
    fn is_of_the_dead(&self) -> bool {
        let (Some(process), Some(own)) = (&self.process, Process::own()) else { return false };
        process.machine == own.machine && started(process.id).as_ref() != Some(&process.started)
    }
}

impl Process {
    /// This process, where the system tells enough of it.
    fn own() -> Option<&'static Self> {
        static OWN: OnceLock<Option<Process>> = OnceLock::new();
        OWN.get_or_init(Self::look_at_own).as_ref()
    }

    fn look_at_own() -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let id = std::process::id();
        Some(Self {
            machine: format!("{} {}", boot.trim(), space.display()),
            id,
            started: started(id)?,
        })
    }

    fn node(&self) -> farr_disclosure::Node {
        farr_disclosure::Node::map([
            ("machine", farr_disclosure::Node::from(self.machine.as_str())),
            ("id", farr_disclosure::Node::Integer(i64::from(self.id))),
            ("started", farr_disclosure::Node::from(self.started.as_str())),
        ])
    }
}

/// When a process started, in ticks since the boot; `None` if there is none.
fn started(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in brackets, may hold anything; 20 fields on comes the start.
    let rest = &stat[stat.rfind(')')? + 1..];
    let mut fields = rest.split_ascii_whitespace();
    let is_gone = matches!(fields.next()?, "Z" | "X");
    fields.nth(18).filter(|_| !is_gone).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use farr_disclosure::Zone;

    use super::*;

    const QUICK: LeaseTiming = LeaseTiming {
        beat: Duration::from_millis(20),
        dead_after: Duration::from_millis(400),
        look: Duration::from_millis(5),
    };

    fn claim(place: &Location, name: &str, number: u64, process: Option<&Process>) {
        let mut document = Document::new("lease")
            .with("holder", "other")
            .with("released", farr_disclosure::Node::Bool(false));
        if let Some(process) = process {
            document = document.with("process", process.node());
        }
        let bytes = Bytes::from(serde_json::to_vec(&document).unwrap());
        place.write(&path(name, number), document.statement().unwrap().map(|_| bytes)).unwrap();
    }

    #[test]
    fn one_of_many_holds_it_at_a_time() {
        let place = Location::memory(Zone::Restricted);
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for i in 0..8 {
                let (place, inside) = (place.clone(), &inside);
                scope.spawn(move || {
                    let lease =
                        Lease::take(&place, "job", &i.to_string(), QUICK, |_| true).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::sleep(Duration::from_millis(60));
                    lease.confirm().unwrap();
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                });
            }
        });
        assert!(!Lease::is_held(&place, "job").unwrap());
        assert!(place.list("leases").unwrap().len() <= 2 + KEPT as usize);
    }

    #[test]
    fn all_are_taken_and_names_that_are_new_wait() {
        let place = Location::memory(Zone::Restricted);
        let job = Lease::take(&place, "job", "first", QUICK, |_| false).unwrap();
        let refused = Lease::take_all(&place, "clean", QUICK).err().unwrap();
        assert!(matches!(&refused, Error::Held { holder, .. } if holder == "first"), "{refused}");
        drop(job);
        let all = Lease::take_all(&place, "clean", QUICK).unwrap();
        assert_eq!(all.len(), 2);
        for name in ["job", "new"] {
            let refused = Lease::take(&place, name, "second", QUICK, |_| false).err().unwrap();
            let is_held = matches!(&refused, Error::Held { holder, .. } if holder == "clean");
            assert!(is_held, "{name}: {refused}");
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| Lease::take(&place, "new", "second", QUICK, |_| true));
            std::thread::sleep(2 * QUICK.look);
            assert!(!waits.is_finished());
            drop(all);
            waits.join().unwrap().unwrap().confirm().unwrap();
        });
        // Who had all of them died on another machine: that is found out once.
        let stranger = Process { machine: "elsewhere".into(), id: 1, started: "1".into() };
        claim(&place, ALL, 50, Some(&stranger));
        let start = Instant::now();
        Lease::take(&place, "job", "third", QUICK, |_| true).unwrap();
        assert!(start.elapsed() >= QUICK.dead_after);
        assert!(Lease::take(&place, "job", "fourth", QUICK, |_| false).is_ok());
    }

    #[test]
    fn who_does_not_wait_is_told_the_holder() {
        let place = Location::memory(Zone::Restricted);
        let lease = Lease::take(&place, "job", "first", QUICK, |_| false).unwrap();
        let refused = Lease::take(&place, "job", "second", QUICK, |_| false).err().unwrap();
        assert!(matches!(&refused, Error::Held { holder, .. } if holder == "first"), "{refused}");
        assert!(Lease::take(&place, "another", "second", QUICK, |_| false).is_ok());
        drop(lease);
        assert!(Lease::take(&place, "job", "second", QUICK, |_| false).is_ok());
    }

    #[test]
    fn a_silent_holder_is_followed_and_learns_it() {
        let place = Location::memory(Zone::Restricted);
        let silent = LeaseTiming { beat: Duration::from_mins(10), ..QUICK };
        // A process of another machine cannot be seen to be alive.
        let first = Lease::take(&place, "job", "first", silent, |_| false).unwrap();
        let stranger = Process { machine: "elsewhere".into(), id: 1, started: "1".into() };
        claim(&place, "job", 2, Some(&stranger));
        let start = Instant::now();
        let second = Lease::take(&place, "job", "second", QUICK, |_| true).unwrap();
        assert!(start.elapsed() >= QUICK.dead_after);
        assert!(matches!(first.confirm(), Err(Error::LeaseLost { .. })));
        assert!(first.is_lost());
        second.confirm().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_this_machine_that_is_gone_is_followed_at_once() {
        let place = Location::memory(Zone::Restricted);
        let own = Process::own().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = child.id();
        child.wait().unwrap();
        claim(&place, "job", 7, Some(&Process { id, ..own.clone() }));
        let slow = LeaseTiming { dead_after: Duration::from_mins(10), ..QUICK };
        let lease = Lease::take(&place, "job", "second", slow, |_| false).unwrap();
        drop(lease);
        // One that runs is waited for.
        claim(&place, "job", 100, Some(own));
        assert!(Lease::take(&place, "job", "third", slow, |_| false).is_err());
    }
}
