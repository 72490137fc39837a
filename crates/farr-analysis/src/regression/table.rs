//! The reports of `regression`: the model and its terms, and its persons.

use farr_disclosure::{AggregateTable, CellReference, TableBuilder, Term as Summand};
use farr_stats::survival::cox::HazardRatio;

use super::design::{Column, Design};
use super::fit::{Fitted, Term, line};
use super::{Partial, Regression};
use crate::RegressionModel;
use crate::follow_up::Counted;
use crate::strata::Level;
use crate::survival::table::{defined, entries_are_persons};

/// Names of the causes 0, 1 and 2 of a design, and what they count as.
const EXITS: [(&str, Counted); 3] = [
    ("censored", Counted::Censored),
    ("outcome", Counted::Outcome),
    ("competing", Counted::Competing),
];

pub(super) fn tables(
    analysis: &Regression,
    design: &Design,
    fitted: &Fitted,
    merged: &Partial,
) -> Result<Vec<AggregateTable>, farr_disclosure::Error> {
    Ok(vec![terms(analysis, design, fitted)?, persons(analysis, design, merged)?])
}

fn count(design: &Design, cause: u32) -> i64 {
    design.cause.iter().filter(|other| **other == cause).count() as i64
}

/// The 0/1 column of a term; `None` for others.
fn flag<'a>(design: &'a Design, term: &Term) -> Option<&'a Column> {
    design.columns.get(term.column?).filter(|column| column.is_flag)
}

/// Persons of a 0/1 column, all or with the outcome; `None` for others.
fn with(design: &Design, term: &Term, only_events: bool) -> Option<i64> {
    let rows = flag(design, term)?.values.iter().zip(&design.cause);
    Some(rows.filter(|(v, cause)| **v == 1.0 && (!only_events || **cause == 1)).count() as i64)
}

/// What the first row, of the whole model, has in a column of terms.
fn under<T>(model: T, terms: impl Iterator<Item = T>) -> Vec<T> {
    std::iter::once(model).chain(terms).collect()
}

fn terms(
    analysis: &Regression,
    design: &Design,
    fitted: &Fitted,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let terms = &fitted.terms;
    let rows = terms.len() + 1;
    let lines: Vec<HazardRatio> =
        terms.iter().map(|term| line(term, settings.confidence_level)).collect();
    let numbers = |of: &dyn Fn(usize) -> f64| defined(under(f64::NAN, (0..terms.len()).map(of)));
    let measure = match settings.model {
        RegressionModel::Cox => "hazard ratio",
        RegressionModel::FineGray => "subdistribution hazard ratio",
        RegressionModel::Poisson => "rate ratio",
        RegressionModel::Logistic => "odds ratio",
    };
    let flags =
        |only_events: bool| under(None, terms.iter().map(|term| with(design, term, only_events)));
    let log_likelihood = under(fitted.log_likelihood, terms.iter().map(|_| f64::NAN));
    let table = AggregateTable::build(
        &settings.name,
        "A regression and its terms, or why it or a term has no numbers.",
    )
    .key("target_cohort_definition_id", "Target cohort.", vec![settings.target; rows])
    .key("outcome_cohort_definition_id", "Outcome cohort.", vec![settings.outcome; rows])
    .key("term", "The covariate, or its level; null: the model.", {
        under(None, terms.iter().map(|term| Some(term.name.clone())))
    })
    .plain("measure", "What the ratio is.", "", vec![measure; rows])
    .count("n_persons", "Persons in the model.", "persons", {
        vec![design.cause.len() as i64; rows]
    })
    .count("n_event", "Persons of them with the outcome.", "persons", vec![count(design, 1); rows])
    .count("n_with", "Persons with a 0/1 term; null for others.", "persons", flags(false))
    .count("n_event_with", "Those of them with the outcome.", "persons", flags(true))
    .derived_of_all("outcome", "fitted, or why there are no numbers.", "", {
        under(fitted.outcome.clone(), terms.iter().map(|term| term.outcome.clone()))
    })
    .derived_of_all("reason", "What stood in the way of the model; null if fitted.", "", {
        let reason = (!fitted.reason.is_empty()).then(|| fitted.reason.clone());
        under(reason, terms.iter().map(|_| None))
    })
    .derived_of_all("coefficient", "Log ratio.", "", numbers(&|i| terms[i].coefficient))
    .derived_of_all("std_err", "Its standard error.", "", numbers(&|i| terms[i].std_err))
    .derived_of_all("ratio", "exp(coefficient).", "", numbers(&|i| lines[i].hazard_ratio))
    .derived_of_all("ratio_lower", "Wald's lower bound.", "", numbers(&|i| lines[i].lower))
    .derived_of_all("ratio_upper", "Wald's upper bound.", "", numbers(&|i| lines[i].upper))
    .derived_of_all("z", "coefficient / std_err.", "", numbers(&|i| lines[i].z))
    .derived_of_all("p_value", "Two-sided p of a coefficient of 0.", "", numbers(&|i| lines[i].p))
    .derived_of_all("log_likelihood", "Of the model, at the coefficients.", "", {
        defined(log_likelihood)
    });
    ties(table, analysis, design, terms).finish()
}

/// What a reader knows of these counts: parts of the persons, levels of one
/// covariate that exclude each other, and the same persons in other tables.
fn ties(
    table: TableBuilder,
    analysis: &Regression,
    design: &Design,
    terms: &[Term],
) -> TableBuilder {
    let rows = terms.len() + 1;
    let model = analysis.model_quantity();
    let named = |what: &str| format!("{model}/{what}");
    let (persons, events) = (named("persons"), named("outcomes"));
    let flag_names = |what: &str| {
        let name =
            |term: &Term| flag(design, term).map(|_| named(&format!("{}/{what}", term.name)));
        under(None, terms.iter().map(name))
    };
    let mut table = table
        .row_part("n_event", "n_persons")
        .row_part("n_with", "n_persons")
        .row_part("n_event_with", "n_event")
        .row_part("n_event_with", "n_with")
        .quantities("n_persons", vec![Some(persons); rows])
        .quantities("n_event", vec![Some(events); rows])
        .quantities("n_with", flag_names("persons"))
        .quantities("n_event_with", flag_names("outcomes"));
    let cell = |sign: i8, column: &str, row: usize| Summand {
        sign,
        cell: CellReference::Cell { column: column.to_owned(), row },
    };
    let hidden = Summand { sign: -1, cell: CellReference::Hidden };
    for (row, term) in (1..).zip(terms) {
        let Some(column) = flag(design, term) else { continue };
        let Some(level) = &column.level else { continue };
        for (count, counted) in [("n_with", Counted::Entries), ("n_event_with", Counted::Outcome)] {
            let (target, counted) = (analysis.settings.target, analysis.rules.quantity(counted));
            let name = format!("follow_up/{target}/{level}/{counted}");
            let whole = Summand { sign: 1, cell: CellReference::Quantity(name) };
            table = table.sum(vec![whole, cell(-1, count, row), hidden.clone()]);
        }
    }
    for source in 0..analysis.sources.len() {
        let of_source = |(row, term): (usize, &Term)| {
            let column = flag(design, term)?;
            (column.level.is_some() && column.source == source).then_some(row)
        };
        let levels: Vec<usize> = (1..).zip(terms).filter_map(of_source).collect();
        if levels.len() < 2 {
            continue;
        }
        for (part, whole) in [("n_with", "n_persons"), ("n_event_with", "n_event")] {
            let parts = levels.iter().map(|row| cell(-1, part, *row));
            let sum = [cell(1, whole, 0)].into_iter().chain(parts).chain([hidden.clone()]);
            table = table.sum(sum.collect());
        }
    }
    table
}

/// Who is in the model and who is not, by how the follow-up ended: a row for
/// all, then one an exit.
fn persons(
    analysis: &Regression,
    design: &Design,
    merged: &Partial,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let in_model = [0, 1, 2].map(|cause| count(design, cause));
    let all = |by_exit: [i64; 3]| under(by_exit.iter().sum(), by_exit.into_iter());
    let only_all = |n: i64| vec![Some(n), None, None, None];
    let parts = [0, 1, 2]
        .map(|cause| in_model[cause] + design.n_missing[cause] + design.n_without_time[cause]);
    let counts = ["n_entries", "n_persons", "n_missing", "n_without_time"];
    let of_rules = |counted| format!("follow_up/{}/all/{}", settings.target, counted);
    let rules = |counted| Some(of_rules(analysis.rules.quantity(counted)));
    let model = analysis.model_quantity();
    let table = AggregateTable::build(
        &format!("{}_persons", settings.name),
        "Who is in the regression, and who is left out.",
    )
    .key("target_cohort_definition_id", "Target cohort.", vec![settings.target; 4])
    .key("outcome_cohort_definition_id", "Outcome cohort.", vec![settings.outcome; 4])
    .key("exit", "How the follow-up ended; null: all.", {
        under(None, EXITS.iter().map(|(name, _)| Some(*name)))
    })
    .count(counts[0], "Persons followed.", "persons", all(parts))
    .count(counts[1], "Persons in the model.", "persons", all(in_model))
    .count(counts[2], "Left out for a missing value.", "persons", all(design.n_missing))
    .count(counts[3], "Left out without person-time.", "persons", all(design.n_without_time))
    .count("n_prior_outcome", "Not followed for a prior outcome.", "persons", {
        only_all(merged.prior)
    })
    .count("n_unobserved", "Not followed, outside observation.", "persons", {
        only_all(merged.unobserved)
    })
    .count("n_not_at_risk", "Not followed, as follow-up ends before time at risk.", "persons", {
        only_all(merged.not_at_risk)
    })
    .total_over("exit", &counts)
    .row_sum(counts[0], &counts[1..])
    .quantities(counts[0], {
        under(rules(Counted::Entries), EXITS.iter().map(|(_, counted)| rules(*counted)))
    })
    .quantities(counts[1], {
        let persons = Some(format!("{model}/persons"));
        vec![persons, None, Some(format!("{model}/outcomes")), None]
    })
    .quantities("n_prior_outcome", under(rules(Counted::PriorOutcome), (0..3).map(|_| None)))
    .quantities("n_unobserved", under(rules(Counted::Unobserved), (0..3).map(|_| None)))
    .quantities("n_not_at_risk", under(rules(Counted::NotAtRisk), (0..3).map(|_| None)));
    let parts = [counts[0], "n_prior_outcome", "n_unobserved", "n_not_at_risk"];
    entries_are_persons(table, &[(settings.target, Level::All)], &parts).finish()
}
