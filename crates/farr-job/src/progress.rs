//! What a run tells while it goes on. It knows no terminal and no log format.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::limits::{forget_peak_memory, peak_memory};

/// The stages of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Sources are read.
    Pull,
    /// Records are sorted, merged and written.
    Records,
    /// Cohorts are entered and analyses counted, shard by shard.
    Cohorts,
    /// Tables and cohort rows are made, and published.
    Reports,
    /// A synthetic population is made.
    Synth,
}

impl Stage {
    /// The stage in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Records => "records",
            Self::Cohorts => "cohorts",
            Self::Reports => "reports",
            Self::Synth => "synth",
        }
    }
}

/// How much a stage did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Persons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons: Option<u64>,
    /// Rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes read or written, as stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Something that happened. No event holds a patient's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A stage began; it has so many steps, where that is known.
    Started {
        /// The stage.
        stage: Stage,
        /// Its steps.
        steps: Option<u64>,
    },
    /// A step of a stage is done.
    Stepped {
        /// The stage.
        stage: Stage,
    },
    /// A stage ended.
    Finished {
        /// The stage.
        stage: Stage,
        /// Wall time.
        seconds: f64,
        /// The most memory that the process took meanwhile, in bytes, where
        /// the system tells.
        #[serde(skip_serializing_if = "Option::is_none")]
        peak_memory: Option<u64>,
        /// How much was done, as far as the report's zone lets it be told.
        #[serde(flatten)]
        figures: Figures,
        /// In a few words, what it did.
        summary: String,
    },
    /// Something to know that stops nothing.
    Warning {
        /// What.
        message: String,
    },
}

/// Gets the events of a run, from whatever thread they happen on.
pub trait Observer: Sync {
    /// Takes an event.
    fn event(&self, event: Event);
}

/// A stage on its way: its clock and its peak of memory.
pub(crate) struct StageClock {
    stage: Stage,
    start: Instant,
}

impl StageClock {
    /// Starts a stage of so many steps, where that is known.
    pub(crate) fn start(observer: &dyn Observer, stage: Stage, steps: Option<u64>) -> Self {
        observer.event(Event::Started { stage, steps });
        Self::unannounced(stage)
    }

    /// Starts a stage whose steps are not known yet: whoever learns them says
    /// that it has started.
    pub(crate) fn unannounced(stage: Stage) -> Self {
        forget_peak_memory();
        Self { stage, start: Instant::now() }
    }

    /// Ends it.
    pub(crate) fn finish(self, observer: &dyn Observer, figures: Figures, summary: String) {
        let seconds = self.start.elapsed().as_secs_f64();
        let (stage, peak_memory) = (self.stage, peak_memory());
        observer.event(Event::Finished { stage, seconds, peak_memory, figures, summary });
    }
}

/// Passes events on, and keeps what stages ended with.
pub(crate) struct Recorder<'a> {
    inner: &'a dyn Observer,
    stages: Mutex<Vec<Event>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(inner: &'a dyn Observer) -> Self {
        Self { inner, stages: Mutex::default() }
    }

    /// The stages that have ended, in order.
    pub(crate) fn stages(&self) -> Vec<Event> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Recorder<'_> {
    fn event(&self, event: Event) {
        if matches!(event, Event::Finished { .. }) {
            self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }
        self.inner.event(event);
    }
}

/// Lets whoever started a run stop it: nothing is published after that.
#[derive(Debug, Default)]
pub struct Cancel {
    asked: AtomicBool,
    deadline: OnceLock<Instant>,
}

impl Cancel {
    /// A run that nobody has stopped.
    pub const fn new() -> Self {
        Self { asked: AtomicBool::new(false), deadline: OnceLock::new() }
    }

    /// Stops the run when so much time has passed; the first such call counts.
    pub(crate) fn after(&self, time: Duration) {
        let _ = Instant::now().checked_add(time).map(|end| self.deadline.set(end));
    }

    /// Why the run has to stop, if it has to.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.asked.load(Ordering::Relaxed) {
            Err(Error::Stopped)
        } else if self.deadline.get().is_some_and(|end| Instant::now() >= *end) {
            Err(Error::TimedOut)
        } else {
            Ok(())
        }
    }

    /// Asks the run to stop at its next step.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether it has to stop.
    pub fn is_asked(&self) -> bool {
        self.check().is_err()
    }
}
