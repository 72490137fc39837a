//! Competing risks: Aalen-Johansen, Gray, Fine-Gray.

use farr_stats::survival::cox::ChiSquareTest;
use farr_stats::survival::{self, CompetingRisks, FineGrayFit};
use serde_json::{Map, Value, json};

use super::super::{Answer, Case, number, numbers};
use super::cox::newdata;
use super::{Labels, failed, optional_column, slices};

/// Columns of follow-up with causes, owned.
struct Rows {
    entry: Option<Vec<f64>>,
    time: Vec<f64>,
    cause: Vec<u32>,
}

impl Rows {
    fn of(case: &Case) -> Result<Self, String> {
        let cause = case.column("cause")?.iter().map(|&c| c as u32).collect();
        Ok(Self { entry: optional_column(case, "entry")?, time: case.column("time")?, cause })
    }

    fn risks(&self) -> CompetingRisks<'_> {
        CompetingRisks {
            entry: self.entry.as_deref(),
            time: &self.time,
            cause: &self.cause,
            weight: None,
        }
    }
}

pub(super) fn aalen_johansen(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    let curves = survival::aalen_johansen(&rows.risks()).map_err(failed)?;
    let mut answer = Map::new();
    let times = case.numbers_arg("times");
    let n_risk = times.as_ref().map_or(curves.n_risk.clone(), |t| curves.n_risk_at(t));
    answer.insert("n_risk".into(), numbers(&n_risk));
    answer.insert("time".into(), numbers(&curves.time));
    for (k, curve) in curves.causes.iter().enumerate() {
        let at = curves.at(k, times.as_deref().unwrap_or(&curves.time));
        let list = |f: fn(&survival::IncidenceAt) -> f64| -> Value {
            at.iter().map(|a| number(f(a))).collect()
        };
        answer.insert(format!("cif_{}", curve.cause), list(|a| a.incidence));
        answer.insert(format!("std_err_{}", curve.cause), list(|a| a.std_err));
    }
    // A cause that nobody has has no curve of its own.
    for key in case.expected.keys().filter(|k| k.starts_with("cif_") || k.starts_with("std_err_")) {
        if !answer.contains_key(key) {
            answer.insert(key.clone(), numbers(&vec![0.0; n_risk.len()]));
        }
    }
    Ok(Value::Object(answer))
}

pub(super) fn cumulative_incidence(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    let group = Labels::of(case, "group")?;
    let times = case.numbers_arg("times").ok_or("no argument 'times'")?;
    let curves =
        survival::cumulative_incidence(&rows.risks(), &group.codes, &times).map_err(failed)?;
    let one = |c: &survival::CumulativeIncidence| {
        json!({
            "group": group.labels[c.group as usize],
            "cause": c.cause,
            "estimate": numbers(&c.estimate),
            "variance": numbers(&c.variance),
        })
    };
    Ok(json!({ "curves": curves.iter().map(one).collect::<Value>() }))
}

pub(super) fn gray_test(case: &Case) -> Answer {
    let group = Labels::of(case, "group")?;
    let strata = Labels::optional(case, "strata")?;
    let tests = survival::gray_test(
        &Rows::of(case)?.risks(),
        &group.codes,
        strata.as_ref().map(|s| s.codes.as_slice()),
        case.number_arg("rho").unwrap_or(0.0),
    )
    .map_err(failed)?;
    // As cuminc writes a cause that cannot be tested.
    let each = |f: fn(&ChiSquareTest) -> f64, none: f64| -> Value {
        tests.iter().map(|t| number(t.test.as_ref().map_or(none, f))).collect()
    };
    let degrees_of_freedom = group.labels.len() - 1;
    Ok(json!({
        "stat": each(|t| t.chi_square, -1.0),
        "p": each(|t| t.p, 1.0),
        "df": vec![degrees_of_freedom; tests.len()],
    }))
}

fn fit_of(case: &Case) -> Result<FineGrayFit, String> {
    let rows = Rows::of(case)?;
    let columns = case.matrix("covariates")?;
    let cause = case.number_arg("failcode").unwrap_or(1.0) as u32;
    survival::fine_gray(&rows.risks(), cause, &slices(&columns)).map_err(failed)
}

pub(super) fn fine_gray(case: &Case) -> Answer {
    let fit = fit_of(case)?;
    Ok(json!({
        "coef": numbers(&fit.coefficients),
        "se": numbers(&fit.std_err()),
        "loglik": number(fit.log_likelihood),
    }))
}

pub(super) fn fine_gray_predict(case: &Case) -> Answer {
    let fit = fit_of(case)?;
    let names = case.texts_arg("covariates").ok_or("no argument 'covariates'")?;
    let times = case.numbers_arg("times").ok_or("no argument 'times'")?;
    let curves = fit.cumulative_incidence(&newdata(case, &names)?, &times).map_err(failed)?;
    Ok(json!({ "cif": curves.iter().map(|c| numbers(c)).collect::<Value>() }))
}
