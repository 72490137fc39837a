//! The reports of `regression`: one row a term, and one for the model.

use farr_disclosure::AggregateTable;
use farr_stats::survival::cox::HazardRatio;

use super::Regression;
use super::design::Design;
use super::fit::{Fitted, Term, line};
use crate::RegressionModel;
use crate::survival::table::defined;

pub(super) fn tables(
    analysis: &Regression,
    design: &Design,
    fitted: &Fitted,
    prior: i64,
) -> Result<Vec<AggregateTable>, farr_disclosure::Error> {
    Ok(vec![terms(analysis, design, fitted)?, model(analysis, design, fitted, prior)?])
}

fn count(design: &Design, cause: u32) -> i64 {
    design.cause.iter().filter(|other| **other == cause).count() as i64
}

/// Persons of a 0/1 column, all or with the outcome; `None` for others.
fn with(design: &Design, term: &Term, only_events: bool) -> Option<i64> {
    let column = design.columns.get(term.column?).filter(|column| column.is_flag)?;
    let rows = column.values.iter().zip(&design.cause);
    Some(rows.filter(|(v, cause)| **v == 1.0 && (!only_events || **cause == 1)).count() as i64)
}

fn terms(
    analysis: &Regression,
    design: &Design,
    fitted: &Fitted,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let terms = &fitted.terms;
    let lines: Vec<HazardRatio> =
        terms.iter().map(|term| line(term, settings.confidence_level)).collect();
    let of = |value: fn(&HazardRatio) -> f64| defined(lines.iter().map(value));
    let all = |n: i64| vec![n; terms.len()];
    let measure = match settings.model {
        RegressionModel::Cox => "hazard ratio",
        RegressionModel::FineGray => "subdistribution hazard ratio",
        RegressionModel::Poisson => "rate ratio",
        RegressionModel::Logistic => "odds ratio",
    };
    let flags = |only_events: bool| {
        terms.iter().map(|term| with(design, term, only_events)).collect::<Vec<Option<i64>>>()
    };
    let (persons, events) = (design.cause.len() as i64, count(design, 1));
    let name = &settings.name;
    AggregateTable::build(name, "Terms of a regression, or why a term has no numbers.")
        .key("term", "The covariate, or its level.", {
            terms.iter().map(|term| term.name.clone()).collect::<Vec<String>>()
        })
        .plain("measure", "What the ratio is.", "", vec![measure; terms.len()])
        .plain("outcome", "fitted, or why there are no numbers.", "", {
            terms.iter().map(|term| term.outcome.clone()).collect::<Vec<String>>()
        })
        .count("n_persons", "Persons in the model.", "persons", all(persons))
        .count("n_event", "Persons of them with the outcome.", "persons", all(events))
        .count("n_with", "Persons with a 0/1 term; null for others.", "persons", flags(false))
        .count("n_event_with", "Those of them with the outcome.", "persons", flags(true))
        .derived("coefficient", "Log ratio.", "", {
            defined(terms.iter().map(|term| term.coefficient))
        })
        .derived("std_err", "Its standard error.", "", {
            defined(terms.iter().map(|term| term.std_err))
        })
        .derived("ratio", "exp(coefficient).", "", of(|l| l.hazard_ratio))
        .derived("ratio_lower", "Wald's lower bound.", "", of(|l| l.lower))
        .derived("ratio_upper", "Wald's upper bound.", "", of(|l| l.upper))
        .derived("z", "coefficient / std_err.", "", of(|l| l.z))
        .derived("p_value", "Two-sided p of a coefficient of 0.", "", of(|l| l.p))
        .row_part("n_event", "n_persons")
        .row_part("n_with", "n_persons")
        .row_part("n_event_with", "n_event")
        .row_part("n_event_with", "n_with")
        .quantities("n_persons", vec![Some(format!("{name}/persons")); terms.len()])
        .quantities("n_event", vec![Some(format!("{name}/events")); terms.len()])
        .finish()
}

fn model(
    analysis: &Regression,
    design: &Design,
    fitted: &Fitted,
    prior: i64,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let name = &settings.name;
    let parts = ["n_event", "n_competing", "n_censor"];
    AggregateTable::build(&format!("{name}_model"), "The model: its persons, and how it fits.")
        .key("target_cohort_definition_id", "Target cohort.", vec![settings.target])
        .key("outcome_cohort_definition_id", "Outcome cohort.", vec![settings.outcome])
        .plain("outcome", "fitted, or why there is no model.", "", vec![fitted.outcome.clone()])
        .plain("reason", "What stood in the way; empty if fitted.", "", {
            vec![fitted.reason.clone()]
        })
        .count("n_persons", "Persons in the model.", "persons", vec![design.cause.len() as i64])
        .count(parts[0], "With the outcome.", "persons", vec![count(design, 1)])
        .count(parts[1], "With a competing event.", "persons", vec![count(design, 2)])
        .count(parts[2], "Censored.", "persons", vec![count(design, 0)])
        .count("n_prior_outcome", "Removed for a prior outcome.", "persons", vec![prior])
        .count("n_missing", "Left out for a missing value.", "persons", vec![design.n_missing])
        .count("n_without_time", "Left out without person-time.", "persons", {
            vec![design.n_without_time]
        })
        .derived("log_likelihood", "At the coefficients.", "", defined([fitted.log_likelihood]))
        .row_sum("n_persons", &parts)
        .quantities("n_persons", vec![Some(format!("{name}/persons"))])
        .quantities("n_event", vec![Some(format!("{name}/events"))])
        .finish()
}
