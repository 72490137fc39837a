//! Cox regression and concordance.

use farr_stats::survival::cox::{
    BaselineAt, ChiSquareTest, CoxData, CoxModel, CoxOptions, Profile, ProportionalityTest, Ridge,
    Ties, TimeTransform, cox as fit_cox,
};
use farr_stats::survival::{self, Concordance, ConcordanceOptions, TimeWeight};
use serde_json::{Map, Value, json};

use super::super::{Answer, Case, number, numbers};
use super::{Labels, Rows, confidence, failed, slices};

/// A fit with the labels that its case names.
struct Fitted {
    model: CoxModel,
    strata: Option<Labels>,
    cluster: Option<Labels>,
}

impl Fitted {
    fn of(case: &Case, ridge: Option<Ridge>) -> Result<Self, String> {
        let rows = Rows::of(case)?;
        let columns = case.matrix("covariates")?;
        let strata = Labels::optional(case, "strata")?;
        let data = CoxData {
            rows: rows.follow_up(),
            covariates: &slices(&columns),
            strata: strata.as_ref().map(|s| s.codes.as_slice()),
        };
        let ties = match case.text_arg("ties") {
            None | Some("efron") => Ties::Efron,
            Some("breslow") => Ties::Breslow,
            Some(other) => return Err(format!("unknown ties '{other}'")),
        };
        let options = CoxOptions { ties, ridge, ..CoxOptions::default() };
        let model = fit_cox(&data, &options).map_err(failed)?;
        let cluster = Labels::optional(case, "cluster")?;
        Ok(Self { model, strata, cluster })
    }

    fn cluster_codes(&self) -> Option<&[u32]> {
        self.cluster.as_ref().map(|c| c.codes.as_slice())
    }
}

pub(super) fn cox(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    if !rows.event.contains(&true) {
        return Ok(without_events(case, rows.event.len()));
    }
    let fitted = Fitted::of(case, None)?;
    let (model, fit) = (&fitted.model, &fitted.model.fit);
    // Either may have no answer where the fit has one.
    let concordance = model.concordance(fitted.cluster_codes()).ok();
    let zph = model.proportionality(TimeTransform::KaplanMeier).ok();
    let mut answer = json!({
        "terms": case.texts_arg("covariates"),
        "coef": numbers(&fit.coefficients),
        "se": numbers(&fit.std_err()),
        "robust_se": Value::Null,
        "loglik_null": number(fit.log_likelihood_null),
        "loglik": number(fit.log_likelihood),
        "score_test": number(fit.score_test.chi_square),
        "wald_test": number(fit.wald_test.chi_square),
        "lr_test": number(fit.likelihood_ratio_test.chi_square),
        "concordance": concordance.as_ref().map(|c| number(c.concordance)),
        "concordance_se": concordance.as_ref().map(|c| number(c.std_err)),
        "n": fit.n,
        "events": fit.events,
        "zph_chisq": zph.as_ref().map(|z| list(z, |t| number(t.chi_square))),
        "zph_p": zph.as_ref().map(|z| list(z, |t| number(t.p))),
        "martingale_sum_sq": number(sum_of_squares(&model.martingale_residuals())),
    });
    let robust = case.arg("robust").and_then(Value::as_bool).unwrap_or(false);
    if robust || fitted.cluster.is_some() {
        let robust = model.robust_covariance(fitted.cluster_codes()).map_err(failed)?;
        answer["robust_se"] = numbers(&robust.std_err);
        answer["wald_test"] = number(robust.wald_test.chi_square);
    }
    if let [baseline] = model.baseline_hazard(BaselineAt::Zero).as_slice() {
        answer["basehaz_time"] = numbers(&baseline.time);
        answer["basehaz"] = numbers(&baseline.cumulative_hazard);
    }
    Ok(answer)
}

/// What coxph gives where nobody has the event.
fn without_events(case: &Case, n: usize) -> Value {
    // Asked for, though it changes nothing.
    for key in ["covariates", "entry", "weight", "strata", "cluster", "ties", "robust"] {
        let _ = case.arg(key);
    }
    let terms = case.texts_arg("covariates").unwrap_or_default();
    let none = numbers(&vec![f64::NAN; terms.len()]);
    json!({
        "terms": terms,
        "coef": none,
        "se": none,
        "robust_se": Value::Null,
        "loglik_null": 0.0,
        "loglik": 0.0,
        "score_test": 0.0,
        "wald_test": 0.0,
        "lr_test": 0.0,
        "concordance": Value::Null,
        "concordance_se": Value::Null,
        "n": n,
        "events": 0,
        "zph_chisq": Value::Null,
        "zph_p": Value::Null,
        "martingale_sum_sq": 0.0,
    })
}

/// The covariates that have a coefficient, as R lists them, and all together.
fn list(test: &ProportionalityTest, f: impl Fn(&ChiSquareTest) -> Value) -> Value {
    let covariates = test.covariates.iter().filter(|t| t.degrees_of_freedom > 0);
    covariates.chain([&test.global]).map(f).collect()
}

fn sum_of_squares(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

pub(super) fn cox_baseline_strata(case: &Case) -> Answer {
    let fitted = Fitted::of(case, None)?;
    let baselines = fitted.model.baseline_hazard(BaselineAt::Zero);
    let strata = fitted.strata.ok_or("no argument 'strata'")?;
    Ok(json!({
        "strata": strata.labels,
        "basehaz_time": baselines.iter().map(|b| numbers(&b.time)).collect::<Value>(),
        "basehaz": baselines.iter().map(|b| numbers(&b.cumulative_hazard)).collect::<Value>(),
    }))
}

pub(super) fn cox_predict(case: &Case) -> Answer {
    let fitted = Fitted::of(case, None)?;
    let model = &fitted.model;
    let names = case.texts_arg("covariates").ok_or("no argument 'covariates'")?;
    let profiles: Vec<Profile> = newdata(case, &names)?
        .into_iter()
        .map(|covariates| Profile { covariates, stratum: None })
        .collect();
    let times = case.numbers_arg("times").ok_or("no argument 'times'")?;
    let curves = model.survival(&profiles, &times, confidence(case)?, None).map_err(failed)?;
    let last = |at| {
        let baseline = model.baseline_hazard(at);
        let hazard = baseline.last().and_then(|b| b.cumulative_hazard.last());
        hazard.copied().map_or(Value::Null, number)
    };
    Ok(json!({
        "survival": curves.iter().map(|c| numbers(&c.survival)).collect::<Value>(),
        "std_err_survival": curves.iter().map(|c| numbers(&c.std_err_survival)).collect::<Value>(),
        "lower": curves.iter().map(|c| numbers(&c.lower)).collect::<Value>(),
        "upper": curves.iter().map(|c| numbers(&c.upper)).collect::<Value>(),
        "basehaz_zero_last": last(BaselineAt::Zero),
        "basehaz_mean_last": last(BaselineAt::Centers),
        "means": numbers(&model.fit.centers),
        "linear_predictor": curves.iter().map(|c| number(c.linear_predictor)).collect::<Value>(),
    }))
}

/// The rows of the argument `newdata`, in the order of `names`.
pub(super) fn newdata(case: &Case, names: &[&str]) -> Result<Vec<Vec<f64>>, String> {
    let rows = case.arg("newdata").and_then(Value::as_array).ok_or("no argument 'newdata'")?;
    let value = |row: &Value, name: &str| {
        row.get(name).and_then(Value::as_f64).ok_or_else(|| format!("newdata: no '{name}'"))
    };
    rows.iter().map(|row| names.iter().map(|name| value(row, name)).collect()).collect()
}

pub(super) fn cox_residuals(case: &Case) -> Answer {
    let fitted = Fitted::of(case, None)?;
    let residuals = fitted.model.residuals();
    let mut schoenfeld_time = residuals.schoenfeld_time.clone();
    schoenfeld_time.sort_by(f64::total_cmp);
    let rows = |matrix: &[Vec<f64>]| matrix.iter().map(|r| numbers(r)).collect::<Value>();
    let column_sums = |matrix: &[Vec<f64>], f: fn(f64) -> f64| -> Value {
        let columns = matrix.first().map_or(0, Vec::len);
        (0..columns).map(|j| number(matrix.iter().map(|r| f(r[j])).sum())).collect()
    };
    Ok(json!({
        "martingale": numbers(&residuals.martingale),
        "deviance": numbers(&residuals.deviance),
        "score": rows(&residuals.score),
        "dfbeta": rows(&residuals.dfbeta),
        "schoenfeld_time": numbers(&schoenfeld_time),
        "schoenfeld_column_sum": column_sums(&residuals.schoenfeld, |r| r),
        "schoenfeld_column_sum_sq": column_sums(&residuals.schoenfeld, |r| r * r),
        "scaled_schoenfeld_column_sum": column_sums(&residuals.scaled_schoenfeld, |r| r),
    }))
}

pub(super) fn cox_ridge(case: &Case) -> Answer {
    let theta = case.number_arg("theta").ok_or("no argument 'theta'")?;
    let scale = case.arg("scale").and_then(Value::as_bool).unwrap_or(true);
    let fit = Fitted::of(case, Some(Ridge { theta, scale }))?.model.fit;
    Ok(json!({
        "coef": numbers(&fit.coefficients),
        "loglik": number(fit.log_likelihood),
        "penalty": number(fit.penalty),
    }))
}

pub(super) fn cox_summary(case: &Case) -> Answer {
    let model = Fitted::of(case, None)?.model;
    let conf_level = case.number_arg("conf_level").unwrap_or(0.95);
    let summary = model.summary(conf_level, None).map_err(failed)?;
    let concordance = model.concordance(None).map_err(failed)?;
    let each = |f: fn(&survival::cox::HazardRatio) -> f64| -> Value {
        summary.hazard_ratios.iter().map(|h| number(f(h))).collect()
    };
    let fit = &model.fit;
    Ok(json!({
        "terms": case.texts_arg("covariates"),
        "hazard_ratio": each(|h| h.hazard_ratio),
        "lower": each(|h| h.lower),
        "upper": each(|h| h.upper),
        "z": each(|h| h.z),
        "p": each(|h| h.p),
        "covariance": fit.covariance.iter().map(|r| numbers(r)).collect::<Value>(),
        "lr_p": number(fit.likelihood_ratio_test.p),
        "wald_p": number(fit.wald_test.p),
        "score_p": number(fit.score_test.p),
        "aic": number(summary.aic),
        "bic": number(summary.bic),
        "concordance_counts": counts(&concordance),
    }))
}

fn counts(c: &Concordance) -> Value {
    numbers(&[c.concordant, c.discordant, c.tied_risk, c.tied_time, c.tied_both])
}

pub(super) fn cox_zph(case: &Case) -> Answer {
    let model = Fitted::of(case, None)?.model;
    let mut answer = Map::new();
    for name in case.texts_arg("transforms").ok_or("no argument 'transforms'")? {
        let transform = match name {
            "km" => TimeTransform::KaplanMeier,
            "rank" => TimeTransform::Rank,
            "identity" => TimeTransform::Identity,
            "log" => TimeTransform::Log,
            other => return Err(format!("unknown transform '{other}'")),
        };
        let test = model.proportionality(transform).ok();
        let value = test.map(|test| {
            json!({
                "chisq": list(&test, |t| number(t.chi_square)),
                "df": list(&test, |t| Value::from(t.degrees_of_freedom)),
                "p": list(&test, |t| number(t.p)),
            })
        });
        let value = value.unwrap_or_default();
        answer.insert(name.to_owned(), value);
    }
    Ok(Value::Object(answer))
}

pub(super) fn concordance(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    let risk = case.column("risk")?;
    let strata = Labels::optional(case, "strata")?;
    let cluster = Labels::optional(case, "cluster")?;
    let mut answer = Map::new();
    for name in case.texts_arg("time_weights").unwrap_or(vec!["n"]) {
        let time_weight = match name {
            "n" => TimeWeight::Pairs,
            "S" => TimeWeight::Survival,
            "S_over_G" => TimeWeight::SurvivalOverCensoring,
            "n_over_G2" => TimeWeight::InverseCensoringSquared,
            other => return Err(format!("unknown time weight '{other}'")),
        };
        let options = ConcordanceOptions {
            time_weight,
            strata: strata.as_ref().map(|s| s.codes.as_slice()),
            cluster: cluster.as_ref().map(|c| c.codes.as_slice()),
        };
        let found = survival::concordance(&rows.follow_up(), &risk, &options).map_err(failed)?;
        let value = json!({
            "concordance": number(found.concordance),
            "std_err": number(found.std_err),
            "counts": counts(&found),
        });
        answer.insert(name.to_owned(), value);
    }
    Ok(Value::Object(answer))
}
