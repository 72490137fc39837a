//! Adapters of the elastic net.

use farr_stats::elastic_net::{
    CrossValidation, Lambdas, Measure, Options, Path, Response, SparseColumns, cross_validate, fit,
};
use serde_json::{Value, json};

use super::super::{Answer, Case, numbers};
use super::{Rows, said};

/// Answers the methods of the elastic net.
pub(super) fn family(case: &Case) -> Option<Answer> {
    let answer = match case.method.as_str() {
        "elastic_net_logistic" | "elastic_net_logistic_weighted" => coefficients(case, logistic),
        "elastic_net_poisson" => coefficients(case, poisson),
        "elastic_net_cox" => coefficients(case, cox),
        "elastic_net_path" => path(case),
        "elastic_net_cv" => cross_validation(case),
        _ => return None,
    };
    Some(answer)
}

const COLUMNS: [&str; 7] =
    ["outcome", "time", "event", "covariates", "person_time", "weight", "fold"];

/// The covariates and settings of a case.
struct Problem<'a> {
    rows: Rows<'a>,
    columns: SparseColumns,
    weights: Option<Vec<f64>>,
    factors: Option<Vec<f64>>,
    lambdas: Option<Vec<f64>>,
}

impl<'a> Problem<'a> {
    fn read(case: &'a Case) -> Result<Self, String> {
        let rows = Rows::complete(case, &COLUMNS)?;
        let named = rows.named("covariates")?;
        let dense: Vec<&[f64]> = named.iter().map(|(_, values)| values.as_slice()).collect();
        let columns = SparseColumns::from_dense(rows.kept.len(), &dense).map_err(said)?;
        let weights = rows.optional("weight")?;
        let lambdas =
            case.numbers_arg("lambda").or_else(|| case.number_arg("lambda").map(|l| vec![l]));
        Ok(Self { rows, columns, weights, factors: case.numbers_arg("penalty_factor"), lambdas })
    }

    fn options(&self) -> Options<'_> {
        let case = self.rows.case;
        let lambdas = match &self.lambdas {
            Some(lambdas) => Lambdas::Given(lambdas),
            None => Lambdas::Path {
                count: case.arg("nlambda").and_then(Value::as_u64).unwrap_or(100) as usize,
                min_ratio: case.number_arg("lambda_min_ratio"),
                stop_early: true,
            },
        };
        Options {
            alpha: case.number_arg("alpha").unwrap_or(1.0),
            lambdas,
            standardise: case.arg("standardize").and_then(Value::as_bool).unwrap_or(true),
            weights: self.weights.as_deref(),
            penalty_factors: self.factors.as_deref(),
            ..Options::default()
        }
    }
}

type Fitted = Result<Path, String>;

fn logistic(problem: &Problem<'_>) -> Fitted {
    let outcome = problem.rows.column("outcome")?;
    fit(&problem.columns, &Response::Binary { outcome: &outcome }, &problem.options()).map_err(said)
}

fn poisson(problem: &Problem<'_>) -> Fitted {
    let count = problem.rows.column("outcome")?;
    let time = problem.rows.optional("person_time")?;
    let response = Response::Counts { count: &count, person_time: time.as_deref() };
    fit(&problem.columns, &response, &problem.options()).map_err(said)
}

fn cox(problem: &Problem<'_>) -> Fitted {
    let (time, event) = (problem.rows.column("time")?, problem.rows.column("event")?);
    let response = Response::Survival { time: &time, event: &event };
    fit(&problem.columns, &response, &problem.options()).map_err(said)
}

fn coefficients(case: &Case, fitted: fn(&Problem<'_>) -> Fitted) -> Answer {
    let problem = Problem::read(case)?;
    let path = fitted(&problem)?;
    let columns = problem.columns.columns();
    let intercepts: Vec<f64> = path.points.iter().map(|point| point.intercept).collect();
    let rows: Value = path.points.iter().map(|point| numbers(&point.dense(columns))).collect();
    Ok(json!({ "intercept": numbers(&intercepts), "coef": rows }))
}

fn path(case: &Case) -> Answer {
    let problem = Problem::read(case)?;
    let path = logistic(&problem)?;
    let nonzero: Vec<usize> = path.points.iter().map(|point| point.coefficients.len()).collect();
    let ratios: Vec<f64> = path.points.iter().map(|point| point.deviance_ratio).collect();
    Ok(json!({
        "lambda": numbers(&path.lambdas()),
        "nonzero": nonzero,
        "deviance_ratio": numbers(&ratios),
    }))
}

fn cross_validation(case: &Case) -> Answer {
    let problem = Problem::read(case)?;
    let measure = match case.text_arg("measure") {
        None | Some("deviance") => Measure::Deviance,
        Some("class") => Measure::Misclassification,
        Some("auc") => Measure::Auc,
        Some("mse") => Measure::SquaredError,
        Some("mae") => Measure::AbsoluteError,
        Some(other) => return Err(format!("unknown measure '{other}'")),
    };
    let outcome = problem.rows.column("outcome")?;
    let response = Response::Binary { outcome: &outcome };
    let folds = problem.rows.groups("fold")?;
    let result: CrossValidation =
        cross_validate(&problem.columns, &response, &folds, measure, &problem.options())
            .map_err(said)?;
    Ok(json!({
        "mean_loss": numbers(&result.mean_loss),
        "std_err_loss": numbers(&result.std_err_loss),
        "lambda_min": result.lambda_min,
        "lambda_1se": result.lambda_1se,
    }))
}
