//! Names of what is counted of a follow-up, by which tables of a run agree.

use super::{RiskWindowSettings, Rules};
use crate::{Anchor, AnchorSettings};

/// What a count of follow-up counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Entries,
    PriorOutcome,
    Unobserved,
    NotAtRisk,
    Outcome,
    Competing,
    Censored,
}

impl Rules {
    /// The name, without the target, of the quantity that a count is: analyses
    /// with the same rules have the same number, whatever their names. Each
    /// name has the rules that its number depends on, and no others, so that
    /// numbers that must be equal are known to be.
    pub(crate) fn quantity(&self, counted: Counted) -> String {
        let of = if self.first_entry_only { "first entries" } else { "entries" };
        if counted == Counted::Unobserved {
            return format!("{of} unobserved");
        }
        let outcome = self.outcome;
        let prior = match (self.remove_prior_outcome, self.prior_outcome_days) {
            (false, _) => format!("{of} before {outcome}"),
            (true, None) => format!("{of} without earlier {outcome}"),
            (true, Some(days)) => format!("{of} without {outcome} in {days} days"),
        };
        let RiskWindowSettings { start, end } = self.time_at_risk;
        let prior = format!("{prior} before {}", written(start));
        if counted == Counted::PriorOutcome {
            return format!("{prior} removed");
        }
        let until_death = self.censor_at_death || self.death_competes;
        let at_risk = match self.early_ends(until_death) {
            None => prior,
            Some(ends) => format!("{prior} not ended before by {ends}"),
        };
        match counted {
            Counted::NotAtRisk => return format!("{at_risk} not at risk"),
            Counted::Entries | Counted::PriorOutcome | Counted::Unobserved => return at_risk,
            Counted::Outcome | Counted::Competing | Counted::Censored => {}
        }
        let (cohort_end, most) = (self.censor_at_cohort_end, self.follow_up_days_max);
        let (end, rivals) = (end.map(written), &self.competing_cohorts);
        let outcomes = format!(
            "{at_risk} until {cohort_end} {until_death} {most:?} {end:?} rivals {rivals:?}"
        );
        match counted {
            // Death is the end of follow-up, whether it competes or not.
            Counted::Outcome => format!("{outcomes} outcomes"),
            _ => format!("{outcomes} {counted:?} death competes {}", self.death_competes),
        }
    }

    /// The ends that decide whether an entry is at risk; `None` where it
    /// always is. Left out is what is never before time zero: everything but
    /// the end anchor, where time at risk starts by the day after the index
    /// date, and what [`Rules::check`] refuses.
    fn early_ends(&self, until_death: bool) -> Option<String> {
        let RiskWindowSettings { start, end } = self.time_at_risk;
        let from_start = start.anchor == Anchor::CohortStart;
        let is_later = !from_start || start.offset_days > 1;
        // The start of observation may move the start behind an early end.
        let end = end.filter(|end| end.anchor != start.anchor || end.offset_days < 0);
        if !is_later && end.is_none() {
            return None;
        }
        let end = end.map(written);
        let cohort_end = is_later && from_start && self.censor_at_cohort_end;
        let most = self.follow_up_days_max.filter(|_| !from_start);
        Some(format!("{end:?} {cohort_end} {most:?} {}", is_later && until_death))
    }
}

/// An anchor in the text of a name, without the braces that templates have.
fn written(at: AnchorSettings) -> String {
    let anchor = match at.anchor {
        Anchor::CohortStart => "cohort_start",
        Anchor::CohortEnd => "cohort_end",
    };
    format!("{anchor} {:+}", at.offset_days)
}
