//! Closed forms: rates, proportions, tables, tests, prediction, signals.

use farr_stats::estimate::Estimate;
use farr_stats::{proportion, rates};
use serde_json::{Value, json};

use super::{Answer, Case, number};

/// The answer to a case of this family.
pub fn family(case: &Case) -> Option<Answer> {
    Some(match case.method.as_str() {
        "incidence_rate" => incidence_rate(case),
        "proportion" => proportion_intervals(case),
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
