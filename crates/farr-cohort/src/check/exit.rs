//! How persons get in and out: entry, limits, end strategy.

use super::draft::{Draft, Exit};
use super::{Check, Findings};
use crate::model::Limit;

pub(super) fn check(draft: &Draft, findings: &mut Findings) {
    if draft.entry.is_empty() {
        let message = "there is no entry event, so nobody can enter; add one to CriteriaList";
        findings.add(Check::NoInitialEvent, &draft.entry_path, message.to_owned());
    }
    progression(draft, findings);
    no_exit(draft, findings);
    match draft.exit {
        Exit::CustomEra { drugs: None } => {
            let message = "the exit follows a drug era, but names no drugs; give CustomEra's \
                           DrugCodesetId";
            findings.add(Check::ExitDrugs, &draft.exit_path, message.to_owned());
        }
        Exit::DateOffset { is_from_start: true, offset_days: 0 } => {
            let message = "persons leave on the day they enter; make the offset greater than 0 \
                           days, or count it from the event's end";
            findings.add(Check::ExitOffset, &draft.exit_path, message.to_owned());
        }
        _ => {}
    }
}

/// How many events a limit lets through, from few to many.
fn weight(limit: Option<Limit>) -> u8 {
    match limit {
        None | Some(Limit::First) => 0,
        Some(Limit::Last) => 1,
        Some(Limit::All) => 2,
    }
}

fn word(limit: Option<Limit>) -> &'static str {
    match limit {
        None | Some(Limit::First) => "earliest",
        Some(Limit::Last) => "latest",
        Some(Limit::All) => "all",
    }
}

/// Each limit works on what the one before has left.
///
/// The qualified limit counts only with additional criteria; without them the
/// reference still holds it against the entry's, and so do we.
fn progression(draft: &Draft, findings: &mut Findings) {
    let (entry, qualified) = (draft.primary_limit, draft.qualified_limit);
    let included = draft.expression_limit;
    let root = draft.entry_path.strip_suffix(".PrimaryCriteria");
    let path = |key: &str| root.map_or_else(|| "entry.limit".to_owned(), |r| format!("{r}.{key}"));
    if weight(entry) < weight(qualified) {
        let message = format!(
            "the {} qualified events are asked for, but only the {} entry event is left by then; \
             loosen PrimaryCriteriaLimit, or tighten QualifiedLimit",
            word(qualified),
            word(entry)
        );
        findings.add(Check::LimitProgression, &path("QualifiedLimit"), message);
    }
    if draft.additional.is_none() {
        return;
    }
    let before = if weight(qualified) < weight(entry) { qualified } else { entry };
    if weight(before) < weight(included) {
        let message = format!(
            "the {} included events are asked for, but only the {} event is left by then; loosen \
             the limits before, or tighten ExpressionLimit",
            word(included),
            word(before)
        );
        findings.add(Check::LimitProgression, &path("ExpressionLimit"), message);
    }
}

fn no_exit(draft: &Draft, findings: &mut Findings) {
    let all = Some(Limit::All);
    if draft.primary_limit == all
        && draft.expression_limit == all
        && (draft.additional.is_none() || draft.qualified_limit == all)
        && draft.exit == Exit::Observation
    {
        let message = "every event of a person enters, and each stays to the end of observation, \
                       so that later events add nothing; set an EndStrategy, or let only the \
                       earliest event enter";
        findings.add(Check::NoExit, &draft.exit_path, message.to_owned());
    }
}
