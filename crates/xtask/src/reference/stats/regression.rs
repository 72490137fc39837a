//! Adapters of the regression, elastic net and balance families.

mod balance;
mod elastic_net;

use farr_stats::regression::{
    self, ConditionalFit, Covariate, Fit, Sandwich, SquareMatrix, complete_rows, group_indices,
};
use serde_json::{Value, json};

use super::{Answer, Case, is_missing, numbers};

/// Answers the methods of this family.
pub(super) fn family(case: &Case) -> Option<Answer> {
    let answer = match case.method.as_str() {
        "logistic" => logistic(case),
        "logistic_summary" => logistic_summary(case),
        "logistic_robust" => logistic_robust(case),
        "poisson" => poisson(case),
        "poisson_robust" => poisson_robust(case),
        "negative_binomial" => negative_binomial(case),
        "conditional_logistic" => conditional_logistic(case),
        "self_controlled_case_series" => self_controlled_case_series(case),
        _ => return elastic_net::family(case).or_else(|| balance::family(case)),
    };
    Some(answer)
}

/// The rows of a case that have every column its arguments name, as R's
/// `na.omit` leaves them.
struct Rows<'a> {
    case: &'a Case,
    kept: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// `keys` are arguments that name a column, or a list of columns; absent
    /// and null ones are passed over.
    fn complete(case: &'a Case, keys: &[&str]) -> Result<Self, String> {
        let mut columns = Vec::new();
        for key in keys {
            for name in case.texts_arg(key).unwrap_or_default() {
                // Labels may be texts, of which only the missing ones count.
                let texts = case.texts(name)?;
                let of = |t: &String| if is_missing(t) { f64::NAN } else { 0.0 };
                let labels = || Ok::<_, String>(texts.iter().map(of).collect());
                columns.push(case.numbers(name).or_else(|_| labels())?);
            }
        }
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        Ok(Self { case, kept: complete_rows(&slices) })
    }

    fn pick<T: Clone>(&self, values: &[T]) -> Vec<T> {
        self.kept.iter().map(|&row| values[row].clone()).collect()
    }

    /// The column that argument `key` names.
    fn column(&self, key: &str) -> Result<Vec<f64>, String> {
        Ok(self.pick(&self.case.column(key)?))
    }

    /// The column that argument `key` names, if it names one.
    fn optional(&self, key: &str) -> Result<Option<Vec<f64>>, String> {
        self.case.text_arg(key).map(|_| self.column(key)).transpose()
    }

    /// The group numbers of the column that argument `key` names.
    fn groups(&self, key: &str) -> Result<Vec<usize>, String> {
        let name = self.case.text_arg(key).ok_or_else(|| format!("no argument '{key}'"))?;
        Ok(group_indices(&self.pick(self.case.texts(name)?)))
    }

    /// The columns that argument `key` lists, with their names.
    fn named(&self, key: &str) -> Result<Vec<(&'a str, Vec<f64>)>, String> {
        let names = self.case.texts_arg(key).ok_or_else(|| format!("no argument '{key}'"))?;
        names.into_iter().map(|name| Ok((name, self.pick(&self.case.numbers(name)?)))).collect()
    }
}

fn covariates<'a>(named: &'a [(&'a str, Vec<f64>)]) -> Vec<Covariate<'a>> {
    named.iter().map(|(name, values)| Covariate { name, values }).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn said(error: impl ToString) -> String {
    error.to_string()
}

fn matrix(values: &SquareMatrix) -> Value {
    values.rows().into_iter().map(numbers).collect()
}

/// As many of the first numbers as the answer lists under `key`.
fn head(case: &Case, key: &str, values: &[f64]) -> Value {
    let listed = case.expected.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    numbers(&values[..listed.min(values.len())])
}

fn fit_logistic(rows: &Rows<'_>) -> Result<Fit, String> {
    let named = rows.named("covariates")?;
    let weight = rows.optional("weight")?;
    regression::logistic(&rows.column("outcome")?, &covariates(&named), weight.as_deref())
        .map_err(said)
}

fn fit_poisson(rows: &Rows<'_>) -> Result<Fit, String> {
    let named = rows.named("covariates")?;
    let (time, weight) = (rows.optional("person_time")?, rows.optional("weight")?);
    let count = rows.column("outcome")?;
    regression::poisson(&count, time.as_deref(), &covariates(&named), weight.as_deref())
        .map_err(said)
}

const LOGISTIC_COLUMNS: [&str; 4] = ["outcome", "covariates", "weight", "cluster"];
const POISSON_COLUMNS: [&str; 5] = ["outcome", "covariates", "person_time", "weight", "cluster"];

fn logistic(case: &Case) -> Answer {
    let fit = fit_logistic(&Rows::complete(case, &LOGISTIC_COLUMNS)?)?;
    Ok(json!({
        "terms": fit.estimates.terms,
        "coef": numbers(&fit.estimates.coefficients),
        "se": numbers(&fit.estimates.std_errors()),
        "deviance": fit.deviance,
        "null_deviance": fit.null_deviance,
        "aic": fit.aic(),
    }))
}

fn logistic_summary(case: &Case) -> Answer {
    let fit = fit_logistic(&Rows::complete(case, &LOGISTIC_COLUMNS)?)?;
    let wald = fit.estimates.wald(case.number_arg("conf_level").unwrap_or(0.95)).map_err(said)?;
    Ok(json!({
        "terms": fit.estimates.terms,
        "odds_ratio": numbers(&wald.ratio),
        "lower": numbers(&wald.lower),
        "upper": numbers(&wald.upper),
        "z": numbers(&wald.z),
        "p": numbers(&wald.p),
        "loglik": fit.log_likelihood,
        "bic": fit.bic(),
        "covariance": matrix(&fit.estimates.covariance),
        "fitted_head": head(case, "fitted_head", &fit.fitted),
    }))
}

/// Standard errors by the name of their key.
fn robust(fit: &Fit, rows: &Rows<'_>) -> Result<Vec<(&'static str, Value)>, String> {
    let clusters = match rows.case.text_arg("cluster") {
        Some(_) => rows.groups("cluster")?,
        None => (0..rows.kept.len()).collect(),
    };
    [
        ("se_hc0", Sandwich::Hc0),
        ("se_hc1", Sandwich::Hc1),
        ("se_cluster_hc0", Sandwich::Cluster(&clusters)),
        ("se_cluster_default", Sandwich::ClusterAdjusted(&clusters)),
    ]
    .into_iter()
    .map(|(key, sandwich)| {
        let covariance = fit.robust_covariance(sandwich).map_err(said)?;
        Ok((key, numbers(&regression::std_errors(&covariance))))
    })
    .collect()
}

fn with_robust(fit: &Fit, rows: &Rows<'_>) -> Answer {
    let mut answer = json!({
        "terms": fit.estimates.terms,
        "coef": numbers(&fit.estimates.coefficients),
        "se_model": numbers(&fit.estimates.std_errors()),
    });
    for (key, value) in robust(fit, rows)? {
        answer[key] = value;
    }
    Ok(answer)
}

fn logistic_robust(case: &Case) -> Answer {
    let rows = Rows::complete(case, &LOGISTIC_COLUMNS)?;
    with_robust(&fit_logistic(&rows)?, &rows)
}

fn poisson(case: &Case) -> Answer {
    let fit = fit_poisson(&Rows::complete(case, &POISSON_COLUMNS)?)?;
    Ok(json!({
        "terms": fit.estimates.terms,
        "coef": numbers(&fit.estimates.coefficients),
        "se": numbers(&fit.estimates.std_errors()),
        "deviance": fit.deviance,
    }))
}

fn poisson_robust(case: &Case) -> Answer {
    let rows = Rows::complete(case, &POISSON_COLUMNS)?;
    with_robust(&fit_poisson(&rows)?, &rows)
}

fn negative_binomial(case: &Case) -> Answer {
    let rows = Rows::complete(case, &POISSON_COLUMNS)?;
    let named = rows.named("covariates")?;
    let (time, weight) = (rows.optional("person_time")?, rows.optional("weight")?);
    let fit = regression::negative_binomial(
        &rows.column("outcome")?,
        time.as_deref(),
        &covariates(&named),
        weight.as_deref(),
    )
    .map_err(said)?;
    Ok(json!({
        "terms": fit.fit.estimates.terms,
        "coef": numbers(&fit.fit.estimates.coefficients),
        "se": numbers(&fit.fit.estimates.std_errors()),
        "theta": fit.theta,
        "theta_std_err": fit.theta_std_err,
        "two_loglik": fit.two_log_likelihood(),
    }))
}

fn conditional_answer(fit: &ConditionalFit) -> Value {
    json!({
        "terms": fit.estimates.terms,
        "coef": numbers(&fit.estimates.coefficients),
        "se": numbers(&fit.estimates.std_errors()),
    })
}

fn conditional_logistic(case: &Case) -> Answer {
    let rows = Rows::complete(case, &["outcome", "covariates", "strata", "cluster"])?;
    let named = rows.named("covariates")?;
    let strata = rows.groups("strata")?;
    let fit =
        regression::conditional_logistic(&rows.column("outcome")?, &covariates(&named), &strata)
            .map_err(said)?;
    let mut answer = conditional_answer(&fit);
    answer["loglik"] = json!(fit.log_likelihood);
    let clusters = case.text_arg("cluster").map(|_| rows.groups("cluster")).transpose()?;
    if clusters.is_some() || case.arg("robust").and_then(Value::as_bool) == Some(true) {
        let covariance = fit.robust_covariance(clusters.as_deref()).map_err(said)?;
        answer["robust_se"] = numbers(&regression::std_errors(&covariance));
    }
    Ok(answer)
}

fn self_controlled_case_series(case: &Case) -> Answer {
    let rows = Rows::complete(case, &["person", "count", "length", "covariates"])?;
    let named = rows.named("covariates")?;
    let fit = regression::self_controlled_case_series(
        &rows.column("count")?,
        &rows.column("length")?,
        &covariates(&named),
        &rows.groups("person")?,
    )
    .map_err(said)?;
    let wald = fit.estimates.wald(case.number_arg("conf_level").unwrap_or(0.95)).map_err(said)?;
    let mut answer = conditional_answer(&fit);
    answer["rate_ratio"] = numbers(&wald.ratio);
    answer["lower"] = numbers(&wald.lower);
    answer["upper"] = numbers(&wald.upper);
    answer["cases"] = json!(fit.groups);
    answer["events"] = json!(fit.events);
    answer["multinomial_loglik"] = json!(fit.log_likelihood);
    Ok(answer)
}
