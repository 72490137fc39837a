//! Closed forms: rates, proportions, tables, tests, prediction, signals.

use farr_stats::charlson::{self, ComorbidityIndex, Condition};
use farr_stats::estimate::{Estimate, EstimateError};
use farr_stats::hypothesis::{self, TTests};
use farr_stats::prediction::CalibrationLine;
use farr_stats::rates::{self, DirectStratum, IndirectStratum, RateComparison, RateStratum};
use farr_stats::signal::{self, Disproportionality, GammaPoissonPrior};
use farr_stats::tables::{self, TwoByTwo, TwoByTwoResult};
use farr_stats::{multiplicity, prediction, proportion};
use serde_json::{Map, Value, json};

use super::{Answer, Case, number, numbers};

/// The answer to a case of this family.
pub(super) fn family(case: &Case) -> Option<Answer> {
    Some(match case.method.as_str() {
        "incidence_rate" => incidence_rate(case),
        "proportion" => proportion_intervals(case),
        "rate_ratio" => rate_ratio(case),
        "mantel_haenszel_rate_ratio" => mantel_haenszel_rate_ratio(case),
        "direct_standardisation" => direct_standardisation(case),
        "indirect_standardisation" => indirect_standardisation(case),
        "two_by_two" => two_by_two(case),
        "mantel_haenszel_odds_ratio" => mantel_haenszel_odds_ratio(case),
        "mantel_haenszel_risk_ratio" => mantel_haenszel_risk_ratio(case),
        "two_sample_tests" => two_sample_tests(case),
        "mann_whitney_exact" => mann_whitney_exact(case),
        "multiplicity" => adjusted(case),
        "auc" => auc(case),
        "auc_compare" => auc_compare(case),
        "average_precision" => average_precision(case),
        "calibration" => calibration(case),
        "net_benefit" => net_benefit(case),
        "disproportionality" => disproportionality(case),
        "disproportionality_bayes" => disproportionality_bayes(case),
        "charlson" => charlson_scores(case),
        _ => return None,
    })
}

fn incidence_rate(case: &Case) -> Answer {
    let (events, years) = (counts(case, "events")?, case.column("person_years")?);
    let rate = rates::incidence_rate(first(&events)?, first(&years)?, level(case)).map_err(text)?;
    Ok(named("rate", rate))
}

fn proportion_intervals(case: &Case) -> Answer {
    let (events, trials) = (counts(case, "x")?, counts(case, "n")?);
    let (events, trials, level) = (first(&events)?, first(&trials)?, level(case));
    let exact = proportion::clopper_pearson(events, trials, level).map_err(text)?;
    let wilson = proportion::wilson(events, trials, level).map_err(text)?;
    Ok(json!({
        "estimate": wilson.estimate,
        "clopper_pearson": [exact.lower, exact.upper],
        "wilson": [wilson.lower, wilson.upper],
    }))
}

fn rate_ratio(case: &Case) -> Answer {
    let rows: Vec<RateComparison> = rate_strata(case)?
        .iter()
        .map(|s| {
            let (events, time) = (s.events_reference, s.time_reference);
            rates::compare_rates(s.events_exposed, s.time_exposed, events, time, level(case))
        })
        .collect::<Result<_, _>>()
        .map_err(text)?;
    Ok(json!({
        "rate_ratio": column(&rows, |r| r.ratio_wald.estimate),
        "wald_lower": column(&rows, |r| r.ratio_wald.lower),
        "wald_upper": column(&rows, |r| r.ratio_wald.upper),
        "exact_lower": column(&rows, |r| r.ratio_exact.lower),
        "exact_upper": column(&rows, |r| r.ratio_exact.upper),
        "exact_p": column(&rows, |r| r.exact_p),
        "rate_difference": column(&rows, |r| r.difference.estimate),
        "difference_lower": column(&rows, |r| r.difference.lower),
        "difference_upper": column(&rows, |r| r.difference.upper),
    }))
}

fn mantel_haenszel_rate_ratio(case: &Case) -> Answer {
    check_strata(case)?;
    let pooled = rates::mantel_haenszel_rate_ratio(&rate_strata(case)?, level(case));
    Ok(named("rate_ratio", pooled.map_err(text)?))
}

/// A row is a stratum; a column that names them must not name one twice.
fn check_strata(case: &Case) -> Result<(), String> {
    let Some(name) = case.text_arg("strata") else { return Ok(()) };
    let mut labels = case.texts(name)?.to_vec();
    labels.sort_unstable();
    match labels.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("stratum '{}' has two rows", pair[0])),
        None => Ok(()),
    }
}

fn rate_strata(case: &Case) -> Result<Vec<RateStratum>, String> {
    let events_exposed = counts(case, "events_exposed")?;
    let time_exposed = case.column("time_exposed")?;
    let events_reference = counts(case, "events_reference")?;
    let time_reference = case.column("time_reference")?;
    Ok((0..events_exposed.len())
        .map(|row| RateStratum {
            events_exposed: events_exposed[row],
            time_exposed: time_exposed[row],
            events_reference: events_reference[row],
            time_reference: time_reference[row],
        })
        .collect())
}

fn direct_standardisation(case: &Case) -> Answer {
    let (events, weight) = (counts(case, "events")?, case.column("weight")?);
    let years = case.column("person_years")?;
    let strata: Vec<DirectStratum> = (0..events.len())
        .map(|row| DirectStratum {
            events: events[row],
            person_years: years[row],
            weight: weight[row],
        })
        .collect();
    match rates::direct_standardisation(&strata, level(case)) {
        // R divides by 0.
        Err(EstimateError::NotPositive { column: "person_years", .. }) => {
            Ok(json!({ "rate": null, "lower": null, "upper": null }))
        }
        rate => Ok(named("rate", rate.map_err(text)?)),
    }
}

fn indirect_standardisation(case: &Case) -> Answer {
    let (events, years) = (counts(case, "events")?, case.column("person_years")?);
    let reference_events = counts(case, "reference_events")?;
    let reference_years = case.column("reference_person_years")?;
    let strata: Vec<IndirectStratum> = (0..events.len())
        .map(|row| IndirectStratum {
            events: events[row],
            person_years: years[row],
            reference_events: reference_events[row],
            reference_person_years: reference_years[row],
        })
        .collect();
    let ratio = rates::indirect_standardisation(&strata, level(case)).map_err(text)?;
    Ok(json!({
        "observed": ratio.observed,
        "expected": number(ratio.expected),
        "smr": number(ratio.exact.estimate),
        "exact_lower": number(ratio.exact.lower),
        "exact_upper": number(ratio.exact.upper),
        "byar_lower": number(ratio.byar.lower),
        "byar_upper": number(ratio.byar.upper),
        "log_lower": number(ratio.log.lower),
        "log_upper": number(ratio.log.upper),
    }))
}

fn two_by_two(case: &Case) -> Answer {
    let rows: Vec<TwoByTwoResult> = two_by_two_tables(case)?
        .into_iter()
        .map(|table| tables::two_by_two(table, level(case)))
        .collect::<Result<_, _>>()
        .map_err(text)?;
    Ok(json!({
        "odds_ratio": column(&rows, |r| r.odds_ratio.estimate),
        "odds_ratio_lower": column(&rows, |r| r.odds_ratio.lower),
        "odds_ratio_upper": column(&rows, |r| r.odds_ratio.upper),
        "risk_ratio": column(&rows, |r| r.risk_ratio.estimate),
        "risk_ratio_lower": column(&rows, |r| r.risk_ratio.lower),
        "risk_ratio_upper": column(&rows, |r| r.risk_ratio.upper),
        "risk_difference": column(&rows, |r| r.risk_difference.estimate),
        "risk_difference_lower": column(&rows, |r| r.risk_difference.lower),
        "risk_difference_upper": column(&rows, |r| r.risk_difference.upper),
        "chisq": column(&rows, |r| r.chi_square),
        "chisq_yates": column(&rows, |r| r.chi_square_yates),
        "fisher_p": column(&rows, |r| r.fisher_p),
    }))
}

fn mantel_haenszel_odds_ratio(case: &Case) -> Answer {
    check_strata(case)?;
    let pooled = tables::mantel_haenszel_odds_ratio(&two_by_two_tables(case)?, level(case));
    let pooled = pooled.map_err(text)?;
    Ok(json!({
        "odds_ratio": number(pooled.odds_ratio.estimate),
        "lower": number(pooled.odds_ratio.lower),
        "upper": number(pooled.odds_ratio.upper),
        "chisq": number(pooled.chi_square),
        "chisq_continuity": number(pooled.chi_square_continuity),
        "p": number(pooled.p),
    }))
}

fn mantel_haenszel_risk_ratio(case: &Case) -> Answer {
    check_strata(case)?;
    let pooled = tables::mantel_haenszel_risk_ratio(&two_by_two_tables(case)?, level(case));
    Ok(named("risk_ratio", pooled.map_err(text)?))
}

fn two_by_two_tables(case: &Case) -> Result<Vec<TwoByTwo>, String> {
    let (a, b) = (counts(case, "a")?, counts(case, "b")?);
    let (c, d) = (counts(case, "c")?, counts(case, "d")?);
    let table = |row: usize| TwoByTwo { a: a[row], b: b[row], c: c[row], d: d[row] };
    Ok((0..a.len()).map(table).collect())
}

fn two_sample_tests(case: &Case) -> Answer {
    let (exposed, reference) = two_samples(case)?;
    let TTests { welch, pooled } =
        hypothesis::t_tests(&exposed, &reference, level(case)).map_err(text)?;
    let ranks = hypothesis::mann_whitney(&exposed, &reference).map_err(text)?;
    Ok(json!({
        "difference": number(welch.difference.estimate),
        "welch_t": number(welch.t),
        "welch_df": number(welch.degrees_of_freedom),
        "welch_p": number(welch.p),
        "welch_lower": number(welch.difference.lower),
        "welch_upper": number(welch.difference.upper),
        "pooled_t": number(pooled.t),
        "pooled_p": number(pooled.p),
        "mann_whitney_w": number(ranks.w),
        "mann_whitney_p_corrected": number(ranks.p_corrected),
        "mann_whitney_p": number(ranks.p),
    }))
}

fn mann_whitney_exact(case: &Case) -> Answer {
    let (exposed, reference) = two_samples(case)?;
    let exact = hypothesis::mann_whitney_exact(&exposed, &reference).map_err(text)?;
    Ok(json!({"w": number(exact.w), "p": number(exact.p)}))
}

/// The values of group 1 and of group 0; R's tests drop missing ones.
fn two_samples(case: &Case) -> Result<(Vec<f64>, Vec<f64>), String> {
    let (values, group) = (case.column("value")?, case.column("group")?);
    let of = |wanted: f64| {
        let rows = values.iter().zip(&group).filter(|(_, group)| **group == wanted);
        rows.map(|(value, _)| *value).filter(|value| !value.is_nan()).collect()
    };
    Ok((of(1.0), of(0.0)))
}

fn adjusted(case: &Case) -> Answer {
    let p = case.column("p")?;
    Ok(json!({
        "bonferroni": numbers(&multiplicity::bonferroni(&p).map_err(text)?),
        "holm": numbers(&multiplicity::holm(&p).map_err(text)?),
        "benjamini_hochberg": numbers(&multiplicity::benjamini_hochberg(&p).map_err(text)?),
        "benjamini_yekutieli": numbers(&multiplicity::benjamini_yekutieli(&p).map_err(text)?),
    }))
}

fn auc(case: &Case) -> Answer {
    let (outcome, risk) = (outcome(case)?, case.column("risk")?);
    let area = prediction::auc(&outcome, &risk, level(case)).map_err(text)?;
    Ok(json!({
        "auc": number(area.auc.estimate),
        "lower": number(area.auc.lower),
        "upper": number(area.auc.upper),
        // Scores outside of [0, 1] have an area, but no Brier score.
        "brier": prediction::brier(&outcome, &risk).map_or(Value::Null, number),
    }))
}

fn auc_compare(case: &Case) -> Answer {
    let (risk, other) = (case.column("risk")?, case.column("risk_other")?);
    let found = prediction::compare_auc(&outcome(case)?, &risk, &other).map_err(text)?;
    Ok(json!({
        "auc": number(found.auc),
        "auc_other": number(found.auc_other),
        "variance": number(found.variance),
        "variance_other": number(found.variance_other),
        "covariance": number(found.covariance),
        "z": number(found.z),
        "p": number(found.p),
    }))
}

fn average_precision(case: &Case) -> Answer {
    let found = prediction::average_precision(&outcome(case)?, &case.column("risk")?);
    Ok(json!({"average_precision": number(found.map_err(text)?)}))
}

fn calibration(case: &Case) -> Answer {
    let bins = case.number_arg("bins").ok_or("no argument 'bins'")? as usize;
    let found = prediction::calibration(&outcome(case)?, &case.column("risk")?, bins);
    let found = found.map_err(text)?;
    // Without a line all else stands.
    let line = found.line.ok();
    let of = |f: fn(&CalibrationLine) -> f64| line.as_ref().map(|line| number(f(line)));
    Ok(json!({
        "slope": of(|l| l.slope),
        "slope_std_err": of(|l| l.slope_std_err),
        "slope_intercept": of(|l| l.slope_intercept),
        "intercept_in_the_large": of(|l| l.intercept_in_the_large),
        "intercept_std_err": of(|l| l.intercept_std_err),
        "observed": found.observed,
        "expected": number(found.expected),
        "e_o": number(found.expected_over_observed),
        "brier": number(found.brier),
        "scaled_brier": number(found.scaled_brier),
        "bin_n": column(&found.bins, |bin| bin.n as f64),
        "bin_mean_risk": column(&found.bins, |bin| bin.mean_risk),
        "bin_observed": column(&found.bins, |bin| bin.observed),
    }))
}

fn net_benefit(case: &Case) -> Answer {
    let thresholds = case.numbers_arg("thresholds").ok_or("no argument 'thresholds'")?;
    let points = prediction::net_benefit(&outcome(case)?, &case.column("risk")?, &thresholds);
    let points = points.map_err(text)?;
    Ok(json!({
        "net_benefit": column(&points, |p| p.net_benefit),
        "treat_all": column(&points, |p| p.treat_all),
        "sensitivity": column(&points, |p| p.sensitivity),
        "specificity": column(&points, |p| p.specificity),
        "ppv": column(&points, |p| p.positive_predictive_value),
    }))
}

/// The column 'outcome' names, 1 meaning the event.
fn outcome(case: &Case) -> Result<Vec<bool>, String> {
    case.column("outcome")?
        .iter()
        .map(|y| match *y {
            1.0 => Ok(true),
            0.0 => Ok(false),
            _ => Err("'outcome' is neither 0 nor 1".to_owned()),
        })
        .collect()
}

fn disproportionality(case: &Case) -> Answer {
    let rows = disproportionality_rows(case)?;
    Ok(json!({
        "prr": column(&rows, |r| r.proportional_reporting_ratio.estimate),
        "prr_lower": column(&rows, |r| r.proportional_reporting_ratio.lower),
        "ror": column(&rows, |r| r.reporting_odds_ratio.estimate),
        "ror_lower": column(&rows, |r| r.reporting_odds_ratio.lower),
        "ic": column(&rows, |r| r.information_component.estimate),
        "chisq_yates": column(&rows, |r| r.chi_square_yates),
    }))
}

fn disproportionality_bayes(case: &Case) -> Answer {
    let rows = disproportionality_rows(case)?;
    let prior = |key: &str| {
        let value = case.arg("prior").and_then(|prior| prior.get(key));
        value.and_then(Value::as_f64).ok_or_else(|| format!("no '{key}' in 'prior'"))
    };
    let prior = GammaPoissonPrior {
        alpha1: prior("alpha1")?,
        beta1: prior("beta1")?,
        alpha2: prior("alpha2")?,
        beta2: prior("beta2")?,
        p: prior("p")?,
    };
    let shrunk = signal::gamma_poisson_shrinker(&two_by_two_tables(case)?, prior);
    let shrunk = shrunk.map_err(text)?;
    Ok(json!({
        "expected_count": column(&rows, |r| r.expected),
        "ic": column(&rows, |r| r.information_component.estimate),
        "ic_025": column(&rows, |r| r.information_component.lower),
        "ic_975": column(&rows, |r| r.information_component.upper),
        "bcpnn_ic": column(&rows, |r| r.bcpnn.information_component),
        "bcpnn_std_dev": column(&rows, |r| r.bcpnn.std_dev),
        "bcpnn_025": column(&rows, |r| r.bcpnn.lower),
        "gps_q": column(&shrunk, |r| r.q),
        "ebgm": column(&shrunk, |r| r.ebgm),
        "eb05": column(&shrunk, |r| r.eb05),
        "eb95": column(&shrunk, |r| r.eb95),
        "log_marginal": number(shrunk.iter().map(|r| r.log_marginal).sum()),
    }))
}

fn disproportionality_rows(case: &Case) -> Result<Vec<Disproportionality>, String> {
    two_by_two_tables(case)?
        .into_iter()
        .map(|table| signal::disproportionality(table, level(case)).map_err(text))
        .collect()
}

fn charlson_scores(case: &Case) -> Answer {
    let index = comorbidity_index(case)?;
    let (ids, ages) = (case.column("id")?, case.column("age")?);
    let codes = case.texts(case.text_arg("code").ok_or("no argument 'code'")?)?;
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|a, b| ids[*a].total_cmp(&ids[*b]));
    let (mut persons, mut scores) = (Vec::new(), Vec::new());
    for rows in order.chunk_by(|a, b| ids[*a] == ids[*b]) {
        let codes = rows.iter().map(|row| codes[*row].as_str());
        persons.push(ids[rows[0]]);
        scores.push(index.score(codes, ages[rows[0]]).map_err(text)?);
    }
    let flags: Map<String, Value> = index
        .names()
        .iter()
        .enumerate()
        .map(|(i, name)| (name.clone(), column(&scores, |s| f64::from(u8::from(s.flags[i])))))
        .collect();
    Ok(json!({
        "id": numbers(&persons),
        "flags": flags,
        "score": column(&scores, |s| s.score),
        "age_adjusted_score": column(&scores, |s| s.age_adjusted_score),
        "survival_10_year": column(&scores, |s| s.survival_10_year),
    }))
}

/// The conditions of the case's mapping file, in the order of their first rows.
fn comorbidity_index(case: &Case) -> Result<ComorbidityIndex, String> {
    let file = case.text_arg("mapping").ok_or("no argument 'mapping'")?;
    let mapping = case.other_csv(&format!("{file}.csv"))?;
    let weight_column = format!("weight_{}", case.text_arg("weights").unwrap_or("charlson"));
    let texts =
        |name: &str| mapping.get(name).ok_or_else(|| format!("no column '{name}' in the mapping"));
    let (names, prefixes) = (texts("comorbidity")?, texts("prefix")?);
    let weights = texts(&weight_column)?;
    let mut conditions: Vec<Condition> = Vec::new();
    for ((name, prefix), weight) in names.iter().zip(prefixes).zip(weights) {
        match conditions.iter_mut().find(|condition| condition.name == *name) {
            Some(condition) => condition.prefixes.push(prefix.clone()),
            None => conditions.push(Condition {
                name: name.clone(),
                weight: weight.parse().map_err(|_| format!("'{weight}' is no weight"))?,
                prefixes: vec![prefix.clone()],
            }),
        }
    }
    let counts_once = case.arg("hierarchy").and_then(Value::as_bool).unwrap_or(true);
    let hierarchy: &[_] = if counts_once { &charlson::HIERARCHY } else { &[] };
    ComorbidityIndex::new(&conditions, hierarchy).map_err(text)
}

/// One number of every row.
fn column<T>(rows: &[T], value: impl Fn(&T) -> f64) -> Value {
    numbers(&rows.iter().map(value).collect::<Vec<_>>())
}

/// The confidence level, 0.95 where the case names none.
fn level(case: &Case) -> f64 {
    case.number_arg("conf_level").unwrap_or(0.95)
}

/// The column that argument `key` names, as counts.
fn counts(case: &Case, key: &str) -> Result<Vec<u64>, String> {
    case.column(key)?
        .iter()
        .map(|&x| {
            let count = x as u64;
            if count as f64 == x { Ok(count) } else { Err(format!("'{key}' is not a count")) }
        })
        .collect()
}

fn first<T: Copy>(values: &[T]) -> Result<T, String> {
    values.first().copied().ok_or_else(|| "no rows".to_owned())
}

/// An estimate under the reference's names.
fn named(name: &str, estimate: Estimate) -> Value {
    json!({
        name: number(estimate.estimate),
        "lower": number(estimate.lower),
        "upper": number(estimate.upper),
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
