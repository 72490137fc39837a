//! Follow-up that can end in more than one way.

use super::follow_up::{FollowUp, check_length};
use crate::error::Result;

/// Follow-up of n rows with competing causes; all slices have n rows.
#[derive(Debug, Clone, Copy)]
pub struct CompetingRisks<'a> {
    /// When a row comes under observation; `None`: all from the start. A row
    /// is at risk at t when entry < t <= time.
    pub entry: Option<&'a [f64]>,
    /// When the row leaves observation.
    pub time: &'a [f64],
    /// Why: 0 for censored, else the cause's code.
    pub cause: &'a [u32],
    /// Case weights, at least 0; `None`: all 1.
    pub weight: Option<&'a [f64]>,
}

impl<'a> CompetingRisks<'a> {
    /// Follow-up that starts at 0 for everyone, unweighted.
    pub fn new(time: &'a [f64], cause: &'a [u32]) -> Self {
        Self { entry: None, time, cause, weight: None }
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

    /// The causes that occur, ascending.
    pub fn causes(&self) -> Vec<u32> {
        let (_, mut labels) = super::follow_up::codes(self.cause);
        labels.retain(|&cause| cause != 0);
        labels
    }

    pub(crate) fn check(&self, what: &'static str) -> Result<()> {
        check_length("cause", self.time.len(), self.cause.len())?;
        let event = vec![false; self.time.len()];
        let rows =
            FollowUp { entry: self.entry, time: self.time, event: &event, weight: self.weight };
        rows.check(what)
    }

    pub(crate) fn weight_of(&self, row: usize) -> f64 {
        self.weight.map_or(1.0, |weight| weight[row])
    }
}
