//! The time at risk of a follow-up, as a job file sets it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rules;
use crate::{Anchor, AnchorSettings, Error};

/// The time at risk of a follow-up: outcomes count from its first day to its
/// last. OHDSI's CohortMethod has it as `startAnchor`, `riskWindowStart`,
/// `endAnchor` and `riskWindowEnd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskWindowSettings {
    /// Its first day; left out: the day after the index date. Where it lies
    /// before the observation period, that period's first day.
    #[serde(default = "day_after_index")]
    pub start: AnchorSettings,
    /// Its last day; left out: the end of follow-up. Follow-up may end earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<AnchorSettings>,
}

impl Default for RiskWindowSettings {
    fn default() -> Self {
        Self { start: day_after_index(), end: None }
    }
}

fn day_after_index() -> AnchorSettings {
    AnchorSettings { anchor: Anchor::CohortStart, offset_days: 1 }
}

impl Rules {
    /// Refuses numbers of days that cannot be, and ends that lie before time
    /// at risk whatever the entry.
    pub(crate) fn check(&self, analysis: &str) -> Result<(), Error> {
        let failed = |key: &'static str, reason: &str| {
            let (analysis, reason) = (analysis.to_owned(), reason.to_owned());
            Err(Error::Settings { analysis, key, reason })
        };
        for (key, days) in [
            ("prior_outcome_days", self.prior_outcome_days),
            ("follow_up_days_max", self.follow_up_days_max),
        ] {
            if days.is_some_and(|days| days < 0) {
                return failed(key, "expected 0 or more days");
            }
        }
        let RiskWindowSettings { start, end } = self.time_at_risk;
        // No row ends before it starts: only an end counted from the end can
        // lie after a start counted from the start by more than its offset.
        let may_be_later = |end: AnchorSettings| {
            (start.anchor, end.anchor) == (Anchor::CohortStart, Anchor::CohortEnd)
        };
        if end.is_some_and(|end| end.offset_days < start.offset_days && !may_be_later(end)) {
            return failed(
                "time_at_risk",
                "its end lies before its start for every entry; expected an end on that day or later",
            );
        }
        let day_before = start.offset_days.saturating_sub(1);
        if self.follow_up_days_max.is_some_and(|days| days < day_before) {
            return failed(
                "follow_up_days_max",
                "follow-up ends before time_at_risk starts for every entry; it counts from the \
                 index date",
            );
        }
        if self.censor_at_cohort_end && start.anchor == Anchor::CohortEnd && day_before > 0 {
            return failed(
                "censor_at_cohort_end",
                "follow-up ends before time_at_risk starts for every entry; expected false where \
                 time at risk starts after cohort_end",
            );
        }
        Ok(())
    }
}
