//! Kaplan-Meier and its kin, log-rank.

use farr_stats::survival::{
    self, CurveVariance, KaplanMeierOptions, RestrictedMeanOptions, SurvivalCurve,
};
use serde_json::{Map, Value, json};

use super::super::{Answer, Case, number, numbers};
use super::{Labels, Rows, confidence, failed, label_arg};

pub(super) fn kaplan_meier(case: &Case) -> Answer {
    kaplan_meier_with(case, CurveVariance::Greenwood)
}

/// R's default is the jackknife where a weight is no whole number; a source
/// may say `robust=FALSE` or `robust=TRUE`.
pub(super) fn kaplan_meier_weighted(case: &Case) -> Answer {
    let source: String = case.source.split_whitespace().collect();
    let is_whole = case.column("weight")?.iter().all(|w| w.fract() == 0.0);
    let is_greenwood = source.contains("robust=F") || (is_whole && !source.contains("robust=T"));
    kaplan_meier_with(
        case,
        if is_greenwood { CurveVariance::Greenwood } else { CurveVariance::InfinitesimalJackknife },
    )
}

pub(super) fn kaplan_meier_weighted_robust(case: &Case) -> Answer {
    kaplan_meier_with(case, CurveVariance::InfinitesimalJackknife)
}

fn kaplan_meier_with(case: &Case, variance: CurveVariance) -> Answer {
    let options = KaplanMeierOptions { confidence: confidence(case)?, variance };
    let curve = survival::kaplan_meier(&Rows::of(case)?.follow_up(), &options).map_err(failed)?;
    let mut answer = columns(&curve);
    if variance == CurveVariance::InfinitesimalJackknife {
        // The reference took the jackknife's standard error of S (R's
        // `logse` is FALSE) for one of log S and multiplied it by S, as is
        // right for Greenwood's; its bounds are made with the right one.
        let times_survival = curve.std_err_survival.iter().zip(&curve.survival);
        let times_survival: Vec<f64> = times_survival.map(|(se, s)| se * s).collect();
        answer.insert("std_err_survival".into(), numbers(&times_survival));
    }
    if let Some(tau) = case.number_arg("rmean_tau") {
        let mean = curve.restricted_mean(tau).map_err(failed)?;
        answer.insert("rmean".into(), number(mean.mean));
        answer.insert("rmean_std_err".into(), number(mean.std_err));
    }
    if let Some(quantiles) = case.numbers_arg("quantiles") {
        let quantiles: Result<Vec<_>, _> = quantiles.iter().map(|&p| curve.quantile(p)).collect();
        let quantiles = quantiles.map_err(failed)?;
        let list = |f: fn(&survival::SurvivalQuantile) -> f64| -> Value {
            quantiles.iter().map(|q| number(f(q))).collect()
        };
        answer.insert("quantile".into(), list(|q| q.time));
        answer.insert("quantile_lower".into(), list(|q| q.lower));
        answer.insert("quantile_upper".into(), list(|q| q.upper));
    }
    Ok(Value::Object(answer))
}

fn columns(curve: &SurvivalCurve) -> Map<String, Value> {
    [
        ("time", &curve.time),
        ("n_risk", &curve.n_risk),
        ("n_event", &curve.n_event),
        ("n_censor", &curve.n_censor),
        ("survival", &curve.survival),
        ("std_err_survival", &curve.std_err_survival),
        ("lower", &curve.lower),
        ("upper", &curve.upper),
        ("cumhaz", &curve.cumulative_hazard),
        ("std_err_cumhaz", &curve.std_err_cumulative_hazard),
    ]
    .into_iter()
    .map(|(key, values)| (key.to_owned(), numbers(values)))
    .collect()
}

pub(super) fn kaplan_meier_at_times(case: &Case) -> Answer {
    let options = KaplanMeierOptions { confidence: confidence(case)?, ..Default::default() };
    let group = Labels::of(case, "group")?;
    let curves =
        survival::kaplan_meier_by_group(&Rows::of(case)?.follow_up(), &group.codes, &options)
            .map_err(failed)?;
    let times = case.numbers_arg("times").ok_or("no argument 'times'")?;
    let tau = case.number_arg("rmean_tau").ok_or("no argument 'rmean_tau'")?;
    let means: Result<Vec<_>, _> = curves.iter().map(|(_, c)| c.restricted_mean(tau)).collect();
    let means = means.map_err(failed)?;
    let at_times: Vec<Value> = curves
        .iter()
        .map(|(_, curve)| {
            let at = curve.at(&times);
            let list = |f: fn(&survival::SurvivalAt) -> f64| -> Value {
                at.iter().map(|a| number(f(a))).collect()
            };
            json!({
                "n_risk": list(|a| a.n_risk),
                "survival": list(|a| a.survival),
                "std_err_survival": list(|a| a.std_err_survival),
                "lower": list(|a| a.lower),
                "upper": list(|a| a.upper),
                "cumhaz": list(|a| a.cumulative_hazard),
            })
        })
        .collect();
    let each = |f: &dyn Fn(&SurvivalCurve) -> f64| -> Value {
        curves.iter().map(|(_, curve)| number(f(curve))).collect()
    };
    Ok(json!({
        "groups": group.labels,
        "at_times": at_times,
        "n": each(&|c| c.n()),
        "events": each(&|c| c.events()),
        "median": each(&|c| c.median().time),
        "median_lower": each(&|c| c.median().lower),
        "median_upper": each(&|c| c.median().upper),
        "rmean": means.iter().map(|m| number(m.mean)).collect::<Value>(),
        "rmean_std_err": means.iter().map(|m| number(m.std_err)).collect::<Value>(),
    }))
}

pub(super) fn nelson_aalen(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    let curve = survival::nelson_aalen(&rows.follow_up(), confidence(case)?).map_err(failed)?;
    Ok(Value::Object(columns(&curve)))
}

pub(super) fn fleming_harrington(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    let curve =
        survival::fleming_harrington(&rows.follow_up(), confidence(case)?).map_err(failed)?;
    Ok(Value::Object(columns(&curve)))
}

pub(super) fn rmst_difference(case: &Case) -> Answer {
    let group = Labels::of(case, "group")?;
    let options = RestrictedMeanOptions {
        reference: label_arg(case, "reference", &group)?,
        tau: case.number_arg("tau").ok_or("no argument 'tau'")?,
        conf_level: case.number_arg("conf_level").unwrap_or(0.95),
    };
    let rows = Rows::of(case)?;
    let d = survival::restricted_mean_difference(&rows.follow_up(), &group.codes, &options)
        .map_err(failed)?;
    Ok(json!({
        "difference": number(d.difference),
        "difference_std_err": number(d.difference_std_err),
        "difference_lower": number(d.difference_lower),
        "difference_upper": number(d.difference_upper),
        "ratio": number(d.ratio),
        "ratio_lower": number(d.ratio_lower),
        "ratio_upper": number(d.ratio_upper),
        "p": number(d.p),
    }))
}

pub(super) fn log_rank(case: &Case) -> Answer {
    let group = Labels::of(case, "group")?;
    let strata = Labels::optional(case, "strata")?;
    let test = survival::log_rank(
        &Rows::of(case)?.follow_up(),
        &group.codes,
        strata.as_ref().map(|s| s.codes.as_slice()),
        case.number_arg("rho").unwrap_or(0.0),
    )
    .map_err(failed)?;
    // R's has -1 where no group meets an event.
    let df = test.expected.iter().filter(|e| **e > 0.0).count() as i64 - 1;
    Ok(json!({
        "observed": numbers(&test.observed),
        "expected": numbers(&test.expected),
        "chisq": number(test.chi_square),
        "df": df,
        "p": number(test.p),
    }))
}
