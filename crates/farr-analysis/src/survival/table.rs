//! The reports of `survival`: curves, a summary a target, and the log-rank test.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use farr_disclosure::AggregateTable;
use farr_stats::survival::{
    Confidence, ConfidenceType, FollowUp, KaplanMeierOptions, LogRank, SurvivalCurve, kaplan_meier,
    log_rank,
};

use super::{Partial, Target};
use crate::{Error, SurvivalSettings};

struct Curve<'a> {
    id: i64,
    target: &'a Target,
    /// `None` where nobody is followed.
    estimate: Option<SurvivalCurve>,
}

pub(super) fn tables(
    settings: &SurvivalSettings,
    merged: &Partial,
) -> Result<Vec<AggregateTable>, Error> {
    let curves = settings
        .targets
        .iter()
        .filter_map(|id| merged.targets.get(id).map(|target| (*id, target)))
        .map(|(id, target)| Ok(Curve { id, target, estimate: curve_of(settings, target)? }))
        .collect::<Result<Vec<Curve<'_>>, Error>>()?;
    let mut tables = vec![curve_table(settings, &curves)?, summary_table(settings, &curves)?];
    if settings.targets.len() > 1 {
        tables.push(log_rank_table(settings, &curves)?);
    }
    Ok(tables)
}

fn kernel(settings: &SurvivalSettings, error: &farr_stats::Error) -> Error {
    Error::Kernel { analysis: settings.name.clone(), reason: error.to_string() }
}

fn failed(settings: &SurvivalSettings) -> impl Fn(farr_disclosure::Error) -> Error + '_ {
    |source| Error::Table { analysis: settings.name.clone(), source }
}

/// Rows (time, event) with their number as weight: Greenwood's variance with
/// such weights is that of the rows written out.
fn curve_of(settings: &SurvivalSettings, target: &Target) -> Result<Option<SurvivalCurve>, Error> {
    let (mut time, mut event, mut weight) = (Vec::new(), Vec::new(), Vec::new());
    for (day, (events, censored)) in &target.leaving {
        for (is_event, n) in [(true, *events), (false, *censored)] {
            if n > 0 {
                time.push(f64::from(*day));
                event.push(is_event);
                weight.push(n as f64);
            }
        }
    }
    if time.is_empty() {
        return Ok(None);
    }
    let confidence = Confidence { kind: ConfidenceType::LogLog, level: settings.confidence_level };
    let options = KaplanMeierOptions { confidence, ..KaplanMeierOptions::default() };
    let rows = FollowUp::new(&time, &event).with_weight(&weight);
    kaplan_meier(&rows, &options).map(Some).map_err(|e| kernel(settings, &e))
}

/// Finite numbers; null where one is not defined.
fn defined(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    let values = values.into_iter().map(|x| x.is_finite().then_some(x));
    Arc::new(values.collect::<Float64Array>())
}

/// One row a day on which somebody leaves, and one a chosen time.
fn curve_table(settings: &SurvivalSettings, curves: &[Curve<'_>]) -> Result<AggregateTable, Error> {
    let (mut ids, mut days) = (Vec::new(), Vec::new());
    let (mut at_risk, mut events, mut censored) = (Vec::new(), Vec::new(), Vec::new());
    let mut estimates = Vec::new();
    for Curve { id, target, estimate } in curves {
        let Some(curve) = estimate else { continue };
        let last = target.leaving.keys().next_back().copied().unwrap_or_default();
        let chosen = settings.times_days.iter().copied().filter(|day| (0..=last).contains(day));
        let grid: BTreeSet<i32> = target.leaving.keys().copied().chain(chosen).collect();
        let times: Vec<f64> = grid.iter().copied().map(f64::from).collect();
        for (day, at) in grid.into_iter().zip(curve.at(&times)) {
            let (n_event, n_censor) = target.leaving.get(&day).copied().unwrap_or_default();
            ids.push(*id);
            days.push(i64::from(day));
            at_risk.push(at.n_risk.round() as i64);
            events.push(n_event);
            censored.push(n_censor);
            estimates.push(at);
        }
    }
    AggregateTable::build(&settings.name, "Kaplan-Meier estimates of being free of the outcome.")
        .key("target_cohort_definition_id", "Target cohort.", ids)
        .key("time_days", "Days from the index date.", days)
        .count("n_risk", "At risk just before the time.", "persons", at_risk)
        .count("n_event", "Outcomes at the time.", "persons", events)
        .count("n_censor", "Censored at the time.", "persons", censored)
        .derived("survival", "S(t), outcomes at t included.", "", {
            defined(estimates.iter().map(|at| at.survival))
        })
        .derived("std_err_survival", "Greenwood's standard error of S(t).", "", {
            defined(estimates.iter().map(|at| at.std_err_survival))
        })
        .derived("survival_lower", "Lower bound (log-log).", "", {
            defined(estimates.iter().map(|at| at.lower))
        })
        .derived("survival_upper", "Upper bound (log-log).", "", {
            defined(estimates.iter().map(|at| at.upper))
        })
        .curve("time_days", "n_risk", &["n_event", "n_censor"])
        .finish()
        .map_err(failed(settings))
}

fn summary_table(
    settings: &SurvivalSettings,
    curves: &[Curve<'_>],
) -> Result<AggregateTable, Error> {
    let sum = |of: fn(&(i64, i64)) -> i64| {
        let total = |curve: &Curve<'_>| curve.target.leaving.values().map(of).sum::<i64>();
        curves.iter().map(total).collect::<Vec<i64>>()
    };
    let medians = |of: fn(&farr_stats::survival::SurvivalQuantile) -> f64| {
        let median = |curve: &Curve<'_>| {
            curve.estimate.as_ref().map_or(f64::NAN, |curve| of(&curve.median()))
        };
        defined(curves.iter().map(median).collect::<Vec<f64>>())
    };
    let days = curves.iter().map(|curve| {
        curve.target.leaving.iter().map(|(day, (e, c))| i64::from(*day) * (e + c)).sum::<i64>()
    });
    let name = format!("{}_summary", settings.name);
    AggregateTable::build(&name, "Follow-up and median time to the outcome, by target.")
        .key("target_cohort_definition_id", "Target cohort.", {
            curves.iter().map(|curve| curve.id).collect::<Vec<i64>>()
        })
        .key(
            "outcome_cohort_definition_id",
            "Outcome cohort.",
            vec![settings.outcome; curves.len()],
        )
        .count("n_entries", "Entries followed.", "persons", sum(|(e, c)| e + c))
        .count("n_event", "Entries with the outcome.", "persons", sum(|(e, _)| *e))
        .count("n_censor", "Entries censored.", "persons", sum(|(_, c)| *c))
        .count("n_prior_outcome", "Entries removed for a prior outcome.", "persons", {
            curves.iter().map(|curve| curve.target.prior).collect::<Vec<i64>>()
        })
        .derived("follow_up_days", "Sum of follow-up.", "days", days.collect::<Vec<i64>>())
        .derived("median_days", "First day with S(t) at or below 1/2.", "days", medians(|q| q.time))
        .derived("median_days_lower", "Lower bound of the median.", "days", medians(|q| q.lower))
        .derived("median_days_upper", "Upper bound of the median.", "days", medians(|q| q.upper))
        .row_sum("n_entries", &["n_event", "n_censor"])
        .finish()
        .map_err(failed(settings))
}

/// All targets together: are their hazards equal?
fn log_rank_table(
    settings: &SurvivalSettings,
    curves: &[Curve<'_>],
) -> Result<AggregateTable, Error> {
    let test = test_of(settings, curves)?;
    let group = |i: usize| test.as_ref().and_then(|t| t.groups.iter().position(|g| *g == i as u32));
    let of = |values: fn(&LogRank) -> &[f64], i: usize| match (&test, group(i)) {
        (Some(test), Some(place)) => values(test)[place],
        _ => f64::NAN,
    };
    let events = |curve: &Curve<'_>| curve.target.leaving.values().map(|(e, _)| *e).sum::<i64>();
    let entries =
        |curve: &Curve<'_>| curve.target.leaving.values().map(|(e, c)| e + c).sum::<i64>();
    let whole = |value: Option<f64>| defined(curves.iter().map(|_| value.unwrap_or(f64::NAN)));
    let name = format!("{}_log_rank", settings.name);
    AggregateTable::build(&name, "Log-rank test that all targets have equal hazards.")
        .key("target_cohort_definition_id", "Target cohort.", {
            curves.iter().map(|curve| curve.id).collect::<Vec<i64>>()
        })
        .count("n_entries", "Entries followed.", "persons", {
            curves.iter().map(entries).collect::<Vec<i64>>()
        })
        .count("n_event", "Outcomes seen.", "persons", {
            curves.iter().map(events).collect::<Vec<i64>>()
        })
        .derived("expected", "Outcomes expected with equal hazards.", "persons", {
            defined((0..curves.len()).map(|i| of(|t| &t.expected, i)))
        })
        .derived("chi_square", "The statistic, of all targets.", "", {
            whole(test.as_ref().map(|t| t.chi_square))
        })
        .derived("degrees_of_freedom", "Degrees of freedom.", "", {
            whole(test.as_ref().map(|t| t.degrees_of_freedom as f64))
        })
        .derived("p_value", "P of a larger statistic.", "", whole(test.as_ref().map(|t| t.p)))
        .row_part("n_event", "n_entries")
        .finish()
        .map_err(failed(settings))
}

/// `None` where there are no outcomes or fewer than two groups to compare.
fn test_of(settings: &SurvivalSettings, curves: &[Curve<'_>]) -> Result<Option<LogRank>, Error> {
    let (mut time, mut event, mut group) = (Vec::new(), Vec::new(), Vec::new());
    for (place, curve) in (0_u32..).zip(curves) {
        for (day, (events, censored)) in &curve.target.leaving {
            for (is_event, n) in [(true, *events), (false, *censored)] {
                let n = usize::try_from(n).unwrap_or_default();
                time.extend(std::iter::repeat_n(f64::from(*day), n));
                event.extend(std::iter::repeat_n(is_event, n));
                group.extend(std::iter::repeat_n(place, n));
            }
        }
    }
    let groups: BTreeSet<u32> = group.iter().copied().collect();
    if groups.len() < 2 || !event.contains(&true) {
        return Ok(None);
    }
    let rows = FollowUp::new(&time, &event);
    log_rank(&rows, &group, None, 0.0).map(Some).map_err(|e| kernel(settings, &e))
}
