//! Fitting the model: a line a term, or the name of what stood in the way.

use farr_stats::Error;
use farr_stats::distribution::{normal_quantile, normal_two_sided};
use farr_stats::regression::{Covariate, Error as GlmError, Fit, logistic, poisson};
use farr_stats::survival::cox::{CoxData, CoxOptions, HazardRatio, cox};
use farr_stats::survival::{CompetingRisks, FollowUp, fine_gray};

use super::design::Design;
use crate::{RegressionModel, RegressionSettings};

/// Days of a person-year.
const DAYS_PER_YEAR: f64 = 365.25;

/// A term's line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) name: String,
    /// Its column; `None` for the intercept.
    pub(super) column: Option<usize>,
    pub(super) coefficient: f64,
    pub(super) std_err: f64,
    /// `fitted`, or why there are no numbers.
    pub(super) outcome: String,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitted {
    pub(super) terms: Vec<Term>,
    pub(super) log_likelihood: f64,
    /// `fitted`, or why there is none.
    pub(super) outcome: String,
    /// What the kernel says; empty if fitted.
    pub(super) reason: String,
}

/// Coefficients and standard errors of the columns used, the intercept first
/// where there is one.
struct Numbers {
    intercept: Option<(f64, f64)>,
    columns: Vec<(f64, f64)>,
    log_likelihood: f64,
}

/// Why there is no model, and what the kernel says.
type Failure = (&'static str, String);

pub(super) fn fit(settings: &RegressionSettings, design: &Design) -> Fitted {
    let used: Vec<usize> =
        (0..design.columns.len()).filter(|c| !design.columns[*c].is_constant()).collect();
    let found = if !design.cause.contains(&1) {
        Err(("no events", "nobody of those followed has the outcome".to_owned()))
    } else if used.is_empty() {
        Err(("constant columns", "no covariate varies".to_owned()))
    } else {
        numbers(settings.model, design, &used)
    };
    let (outcome, reason) = match &found {
        Ok(_) => ("fitted".to_owned(), String::new()),
        Err((outcome, reason)) => ((*outcome).to_owned(), reason.clone()),
    };
    let mut terms = Vec::new();
    if let Some((coefficient, std_err)) = found.as_ref().ok().and_then(|n| n.intercept) {
        let (name, outcome) = ("(Intercept)".to_owned(), outcome.clone());
        terms.push(Term { name, column: None, coefficient, std_err, outcome });
    }
    for (place, column) in design.columns.iter().enumerate() {
        let position = used.iter().position(|c| *c == place);
        let number = found.as_ref().ok().zip(position).map(|(n, position)| n.columns[position]);
        let (coefficient, std_err) = number.unwrap_or((f64::NAN, f64::NAN));
        let outcome = match number {
            _ if position.is_none() => "constant column".to_owned(),
            Some(_) if !coefficient.is_finite() => "collinear column".to_owned(),
            Some(_) => "fitted".to_owned(),
            None => format!("not fitted: {outcome}"),
        };
        let name = column.term.clone();
        terms.push(Term { name, column: Some(place), coefficient, std_err, outcome });
    }
    let log_likelihood = found.map_or(f64::NAN, |numbers| numbers.log_likelihood);
    Fitted { terms, log_likelihood, outcome, reason }
}

fn numbers(model: RegressionModel, design: &Design, used: &[usize]) -> Result<Numbers, Failure> {
    let columns: Vec<&[f64]> = used.iter().map(|c| design.columns[*c].values.as_slice()).collect();
    let named: Vec<Covariate<'_>> = used
        .iter()
        .map(|c| Covariate { name: &design.columns[*c].term, values: &design.columns[*c].values })
        .collect();
    let event: Vec<bool> = design.cause.iter().map(|cause| *cause == 1).collect();
    let flags = || event.iter().map(|e| f64::from(u8::from(*e))).collect::<Vec<f64>>();
    let name = |place: usize| named[place].name;
    match model {
        RegressionModel::Cox => {
            let rows = FollowUp::new(&design.days, &event);
            let data = CoxData { rows, covariates: &columns, strata: None };
            let found =
                cox(&data, &CoxOptions::default()).map_err(|e| survival_failure(&e, name))?;
            let pairs = found.fit.coefficients.iter().copied().zip(found.fit.std_err());
            let log_likelihood = found.fit.log_likelihood;
            Ok(Numbers { intercept: None, columns: pairs.collect(), log_likelihood })
        }
        RegressionModel::FineGray => {
            let rows = CompetingRisks::new(&design.days, &design.cause);
            let found = fine_gray(&rows, 1, &columns).map_err(|e| survival_failure(&e, name))?;
            let pairs = found.coefficients.iter().copied().zip(found.std_err());
            let log_likelihood = found.log_likelihood;
            Ok(Numbers { intercept: None, columns: pairs.collect(), log_likelihood })
        }
        RegressionModel::Poisson => {
            let years: Vec<f64> = design.days.iter().map(|days| days / DAYS_PER_YEAR).collect();
            let found = poisson(&flags(), Some(&years), &named, None);
            found.map(|fit| generalised(&fit)).map_err(|e| failure(&e))
        }
        RegressionModel::Logistic => {
            let found = logistic(&flags(), &named, None);
            found.map(|fit| generalised(&fit)).map_err(|e| failure(&e))
        }
    }
}

fn generalised(fit: &Fit) -> Numbers {
    let errors = fit.estimates.std_errors();
    let mut pairs = fit.estimates.coefficients.iter().copied().zip(errors);
    let intercept = pairs.next();
    Numbers { intercept, columns: pairs.collect(), log_likelihood: fit.log_likelihood }
}

fn survival_failure<'a>(error: &Error, name: impl Fn(usize) -> &'a str) -> Failure {
    match error {
        Error::MonotoneLikelihood { covariate } => {
            ("separation", format!("'{}' separates those with the outcome", name(*covariate)))
        }
        Error::NotConverged { .. } => ("not converged", error.to_string()),
        Error::CovariateScale { covariate } => {
            ("extreme values", format!("'{}' spreads too little or too much", name(*covariate)))
        }
        other => ("not estimable", other.to_string()),
    }
}

fn failure(error: &GlmError) -> Failure {
    let outcome = match error {
        GlmError::Separation { .. } => "separation",
        GlmError::NotConverged { .. } => "not converged",
        GlmError::ConstantOutcome { .. } => "constant outcome",
        _ => "not estimable",
    };
    (outcome, error.to_string())
}

/// exp(coefficient) with its Wald interval, z and p: NaN without numbers.
pub(super) fn line(term: &Term, level: f64) -> HazardRatio {
    let quantile = normal_quantile(0.5 + level / 2.0);
    let (b, se) = (term.coefficient, term.std_err);
    let z = b / se;
    HazardRatio {
        hazard_ratio: b.exp(),
        lower: (b - quantile * se).exp(),
        upper: (b + quantile * se).exp(),
        z,
        p: if z.is_finite() { normal_two_sided(z) } else { f64::NAN },
    }
}
