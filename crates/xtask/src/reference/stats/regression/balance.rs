//! Adapters of balance.

use farr_stats::balance::{
    Caliper, CaliperScale, MatchingOptions, Order, PropensityScore, QuantilesOf, Scale, Weighting,
    effective_sample_size, match_nearest, propensity_score, propensity_weights,
    standardised_mean_difference, stratify, table_one, truncated_weights, weighted_mean_difference,
};
use farr_stats::regression::group_indices;
use farr_stats::survival::FollowUp;
use farr_stats::survival::cox::{CoxData, CoxOptions, Ties, cox};
use serde_json::{Value, json};

use super::super::{Answer, Case, number, numbers};
use super::{Rows, covariates, said};

/// Answers the methods of balance.
pub(super) fn family(case: &Case) -> Option<Answer> {
    let answer = match case.method.as_str() {
        "propensity" => propensity(case),
        "propensity_weights" => weights(case),
        "propensity_stratification" => stratification(case),
        "propensity_matching" => matching(case),
        "propensity_weighted_cox" => weighted_cox(case),
        "table_one" => table(case),
        "table_one_categorical" => table_categorical(case),
        _ => return None,
    };
    Some(answer)
}

const COLUMNS: [&str; 6] = ["treatment", "covariates", "outcome", "time", "event", "exact"];

fn score(rows: &Rows<'_>) -> Result<PropensityScore, String> {
    let named = rows.named("covariates")?;
    propensity_score(&rows.column("treatment")?, &covariates(&named)).map_err(said)
}

const WEIGHTINGS: [(&str, Weighting); 6] = [
    ("ate", Weighting::Ate),
    ("att", Weighting::Att),
    ("atc", Weighting::Atc),
    ("overlap", Weighting::Overlap),
    ("matching", Weighting::Matching),
    ("ate_stabilised", Weighting::AteStabilised),
];

fn differences(
    columns: &[(&str, Vec<f64>)],
    treated: &[bool],
    weights: Option<&[f64]>,
    scale: Scale,
) -> Result<Value, String> {
    columns
        .iter()
        .map(|(_, values)| {
            standardised_mean_difference(values, treated, weights, scale).map(number).map_err(said)
        })
        .collect()
}

fn propensity(case: &Case) -> Answer {
    let rows = Rows::complete(case, &COLUMNS)?;
    let score = score(&rows)?;
    let named = rows.named("covariates")?;
    let none = vec![1.0; score.score.len()];
    let mut smd = json!({ "none": differences(&named, &score.treated, None, Scale::Pooled)? });
    let mut ess = json!({ "none": effective_sample_size(&none) });
    for (key, weighting) in WEIGHTINGS {
        let weights = propensity_weights(&score.score, &score.treated, weighting).map_err(said)?;
        smd[key] = differences(&named, &score.treated, Some(&weights), Scale::Pooled)?;
        ess[key] = json!(effective_sample_size(&weights));
    }
    Ok(json!({
        "score_head": super::head(case, "score_head", &score.score),
        "smd": smd,
        "ess": ess,
    }))
}

/// The part of weights that belongs to a group.
fn of_group(weights: &[f64], treated: &[bool], wanted: bool) -> Vec<f64> {
    weights.iter().zip(treated).filter(|(_, t)| **t == wanted).map(|(w, _)| *w).collect()
}

fn weights(case: &Case) -> Answer {
    let rows = Rows::complete(case, &COLUMNS)?;
    let score = score(&rows)?;
    let outcome = rows.column("outcome")?;
    let mut all = Vec::new();
    for (key, weighting) in WEIGHTINGS {
        all.push((key, propensity_weights(&score.score, &score.treated, weighting).map_err(said)?));
    }
    let trimmed = truncated_weights(&all[0].1, 0.01, 0.99).map_err(said)?;
    all.push(("ate_trimmed_01_99", trimmed));
    let mut answer = json!({});
    for (key, weights) in all {
        let treated = of_group(&weights, &score.treated, true);
        let reference = of_group(&weights, &score.treated, false);
        let listed = case.expected.get(key).and_then(|e| e.get("head")).and_then(Value::as_array);
        let head = listed.map_or(0, Vec::len).min(weights.len());
        let difference =
            weighted_mean_difference(&outcome, &score.treated, &weights).map_err(said)?;
        answer[key] = json!({
            "head": numbers(&weights[..head]),
            "sum_treated": treated.iter().sum::<f64>(),
            "sum_reference": reference.iter().sum::<f64>(),
            "max": weights.iter().copied().fold(0.0, f64::max),
            "ess_treated": effective_sample_size(&treated),
            "ess_reference": effective_sample_size(&reference),
            "weighted_mean_difference": difference.difference,
            "robust_std_err": difference.robust_std_err,
        });
    }
    Ok(answer)
}

fn weighted_cox(case: &Case) -> Answer {
    let rows = Rows::complete(case, &COLUMNS)?;
    let score = score(&rows)?;
    let (time, treatment) = (rows.column("time")?, rows.column("treatment")?);
    let event: Vec<bool> = rows.column("event")?.into_iter().map(|e| e == 1.0).collect();
    let ties = match case.text_arg("ties") {
        None | Some("efron") => Ties::Efron,
        Some("breslow") => Ties::Breslow,
        Some(other) => return Err(format!("unknown ties '{other}'")),
    };
    let mut answer = json!({});
    for (key, weighting) in WEIGHTINGS {
        let weights = propensity_weights(&score.score, &score.treated, weighting).map_err(said)?;
        let follow_up = FollowUp::new(&time, &event).with_weight(&weights);
        let data = CoxData { rows: follow_up, covariates: &[&treatment], strata: None };
        let model = cox(&data, &CoxOptions { ties, ..CoxOptions::default() }).map_err(said)?;
        let robust = model.robust_covariance(None).map_err(said)?;
        answer[key] = json!({
            "coef": number(model.fit.coefficients[0]),
            "robust_se": number(robust.std_err[0]),
            "naive_se": number(model.fit.std_err()[0]),
        });
    }
    Ok(answer)
}

fn stratification(case: &Case) -> Answer {
    let score = score(&Rows::complete(case, &COLUMNS)?)?;
    let strata = case.arg("strata").and_then(Value::as_u64).ok_or("no argument 'strata'")?;
    let of = match case.text_arg("quantiles_of") {
        None | Some("treated" | "exposed") => QuantilesOf::Treated,
        Some("all" | "everyone") => QuantilesOf::All,
        Some("reference" | "control") => QuantilesOf::Reference,
        Some(other) => return Err(format!("unknown quantiles_of '{other}'")),
    };
    let strata = stratify(&score.score, &score.treated, strata as usize, of).map_err(said)?;
    Ok(json!({
        "treated": strata.treated,
        "reference": strata.reference,
        "mean_score": numbers(&strata.mean_score),
    }))
}

fn matching(case: &Case) -> Answer {
    let rows = Rows::complete(case, &COLUMNS)?;
    let score = score(&rows)?;
    let named = rows.named("covariates")?;
    let scale = case.text_arg("caliper_scale").unwrap_or("pooled standard deviation of the logit");
    let unit = match scale {
        _ if scale.contains("pooled") => CaliperScale::PooledStdDev,
        _ if scale.contains("standard") => CaliperScale::StdDev,
        "score" | "logit" => CaliperScale::Unit,
        other => return Err(format!("unknown caliper_scale '{other}'")),
    };
    let distance = if scale.contains("logit") { &score.logit } else { &score.score };
    let order = match case.text_arg("order") {
        None | Some("largest score first" | "largest") => Order::LargestFirst,
        Some("smallest score first" | "smallest") => Order::SmallestFirst,
        Some("data" | "file order" | "as given") => Order::AsGiven,
        Some(other) => return Err(format!("unknown order '{other}'")),
    };
    let exact: Option<Vec<usize>> = match case.texts_arg("exact") {
        None => None,
        Some(columns) => {
            let texts: Result<Vec<Vec<String>>, String> =
                columns.iter().map(|name| Ok(rows.pick(case.texts(name)?))).collect();
            let texts = texts?;
            let keys: Vec<Vec<&String>> = (0..rows.kept.len())
                .map(|row| texts.iter().map(|column| &column[row]).collect())
                .collect();
            Some(group_indices(&keys))
        }
    };
    let options = MatchingOptions {
        ratio: case.arg("ratio").and_then(Value::as_u64).unwrap_or(1) as usize,
        caliper: case.number_arg("caliper").map(|width| Caliper { width, scale: unit }),
        order,
        replace: case.arg("replace").and_then(Value::as_bool).unwrap_or(false),
        exact: exact.as_deref(),
    };
    let matched = match_nearest(distance, &score.treated, &options).map_err(said)?;
    let weights = matched.weights(score.score.len());
    // Rows of the CSV, from 1.
    let row = |&row: &usize| rows.kept[row] + 1;
    let sets: Vec<Vec<usize>> =
        matched.sets.iter().map(|(_, references)| references.iter().map(row).collect()).collect();
    Ok(json!({
        "treated_row": matched.sets.iter().map(|(treated, _)| row(treated)).collect::<Vec<_>>(),
        "matched_rows": sets,
        "matched_treated": matched.matched_treated(),
        "matched_reference": matched.matched_references(),
        "caliper_width": matched.caliper_width,
        "smd_before": differences(&named, &score.treated, None, Scale::Treated)?,
        "smd_after": differences(&named, &score.treated, Some(&weights), Scale::Treated)?,
    }))
}

fn groups(rows: &Rows<'_>) -> Result<Vec<bool>, String> {
    Ok(rows.column("group")?.into_iter().map(|g| g == 1.0).collect())
}

fn summary(of: &table_one::ContinuousSummary) -> Value {
    json!({
        "mean": number(of.mean),
        "sd": number(of.std_dev),
        "median": number(of.median),
        "q25": number(of.q25),
        "q75": number(of.q75),
        "min": number(of.min),
        "max": number(of.max),
    })
}

fn table(case: &Case) -> Answer {
    let rows = Rows::complete(case, &["group"])?;
    let exposed = groups(&rows)?;
    let mut answer = json!({ "exposed": {}, "reference": {} });
    let (mut continuous, mut binary) = (Vec::new(), Vec::new());
    for name in case.texts_arg("continuous").unwrap_or_default() {
        let values = rows.pick(&case.numbers(name)?);
        let result = table_one::continuous(&values, &exposed).map_err(said)?;
        answer["exposed"][name] = summary(&result.exposed);
        answer["reference"][name] = summary(&result.reference);
        continuous.push(result.smd);
    }
    for name in case.texts_arg("binary").unwrap_or_default() {
        let values = rows.pick(&case.numbers(name)?);
        binary.push(table_one::binary(&values, &exposed).map_err(said)?.smd);
    }
    answer["smd_continuous"] = numbers(&continuous);
    answer["smd_binary"] = numbers(&binary);
    Ok(answer)
}

fn table_categorical(case: &Case) -> Answer {
    let rows = Rows::complete(case, &["group"])?;
    let values = rows.column("categorical")?;
    let result: table_one::Categorical =
        table_one::categorical(&values, &groups(&rows)?).map_err(said)?;
    Ok(json!({
        "levels": numbers(&result.levels),
        "exposed_n": result.exposed,
        "reference_n": result.reference,
        "exposed_percent": numbers(&result.exposed_percent),
        "reference_percent": numbers(&result.reference_percent),
        "smd": number(result.smd),
        "chisq": number(result.chi_square),
        "chisq_p": number(result.chi_square_p),
    }))
}
