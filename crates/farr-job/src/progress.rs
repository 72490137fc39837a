//! What a run tells while it goes on. It knows no terminal and no log format.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

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
    /// Tables are made and published.
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

/// Lets whoever started a run stop it: nothing is published after that.
#[derive(Debug, Default)]
pub struct Cancel {
    asked: AtomicBool,
}

impl Cancel {
    /// A run that nobody has stopped.
    pub const fn new() -> Self {
        Self { asked: AtomicBool::new(false) }
    }

    /// Asks the run to stop at its next step.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
