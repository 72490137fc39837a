//! Time-to-event methods: a case's arguments to `farr_stats::survival`.

mod competing;
mod cox;
mod curves;
mod prediction;

use farr_stats::survival::{Confidence, ConfidenceType};
use serde_json::Value;

use super::{Answer, Case};

/// The methods of this family, which take complete rows only.
pub(super) const METHODS: [&str; 25] = [
    "kaplan_meier_at_times",
    "kaplan_meier",
    "kaplan_meier_left_truncated",
    "kaplan_meier_weighted",
    "kaplan_meier_weighted_robust",
    "nelson_aalen",
    "fleming_harrington",
    "rmst_difference",
    "logrank",
    "logrank_stratified",
    "cox",
    "cox_baseline_strata",
    "cox_predict",
    "cox_residuals",
    "cox_ridge",
    "cox_summary",
    "cox_zph",
    "concordance",
    "aalen_johansen",
    "aalen_johansen_left_truncated",
    "cumulative_incidence_aalen_variance",
    "gray_test",
    "fine_gray",
    "fine_gray_predict",
    "survival_prediction",
];

/// Adapters of the time-to-event family.
pub(super) fn family(case: &Case) -> Option<Answer> {
    Some(match case.method.as_str() {
        "kaplan_meier_at_times" => curves::kaplan_meier_at_times(case),
        "kaplan_meier" | "kaplan_meier_left_truncated" => curves::kaplan_meier(case),
        "kaplan_meier_weighted" => curves::kaplan_meier_weighted(case),
        "kaplan_meier_weighted_robust" => curves::kaplan_meier_weighted_robust(case),
        "nelson_aalen" => curves::nelson_aalen(case),
        "fleming_harrington" => curves::fleming_harrington(case),
        "rmst_difference" => curves::rmst_difference(case),
        "logrank" | "logrank_stratified" => curves::log_rank(case),
        "cox" => cox::cox(case),
        "cox_baseline_strata" => cox::cox_baseline_strata(case),
        "cox_predict" => cox::cox_predict(case),
        "cox_residuals" => cox::cox_residuals(case),
        "cox_ridge" => cox::cox_ridge(case),
        "cox_summary" => cox::cox_summary(case),
        "cox_zph" => cox::cox_zph(case),
        "concordance" => cox::concordance(case),
        "aalen_johansen" | "aalen_johansen_left_truncated" => competing::aalen_johansen(case),
        "cumulative_incidence_aalen_variance" => competing::cumulative_incidence(case),
        "gray_test" => competing::gray_test(case),
        "fine_gray" => competing::fine_gray(case),
        "fine_gray_predict" => competing::fine_gray_predict(case),
        "survival_prediction" => prediction::survival_prediction(case),
        _ => return None,
    })
}

/// The columns of follow-up that a case names, owned.
struct Rows {
    entry: Option<Vec<f64>>,
    time: Vec<f64>,
    event: Vec<bool>,
    weight: Option<Vec<f64>>,
}

impl Rows {
    fn of(case: &Case) -> Result<Self, String> {
        let event = case.column("event")?.iter().map(|&e| e == 1.0).collect();
        Self::with_event(case, event)
    }

    fn with_event(case: &Case, event: Vec<bool>) -> Result<Self, String> {
        Ok(Self {
            entry: optional_column(case, "entry")?,
            time: case.column("time")?,
            event,
            weight: optional_column(case, "weight")?,
        })
    }

    fn follow_up(&self) -> farr_stats::survival::FollowUp<'_> {
        farr_stats::survival::FollowUp {
            entry: self.entry.as_deref(),
            time: &self.time,
            event: &self.event,
            weight: self.weight.as_deref(),
        }
    }
}

fn optional_column(case: &Case, key: &str) -> Result<Option<Vec<f64>>, String> {
    case.text_arg(key).map(|name| case.numbers(name)).transpose()
}

/// A column of labels as codes in the order of the labels, and the labels:
/// numbers by size, else texts by the alphabet.
struct Labels {
    codes: Vec<u32>,
    labels: Vec<Value>,
}

impl Labels {
    fn of(case: &Case, key: &str) -> Result<Self, String> {
        let name = case.text_arg(key).ok_or_else(|| format!("no argument '{key}'"))?;
        let texts = case.texts(name)?;
        let mut distinct: Vec<&String> = texts.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let numbers: Option<Vec<f64>> = distinct.iter().map(|t| t.parse().ok()).collect();
        let labels: Vec<Value> = if let Some(numbers) = numbers {
            let mut pairs: Vec<(f64, &String)> = numbers.into_iter().zip(distinct).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            distinct = pairs.iter().map(|p| p.1).collect();
            pairs.iter().map(|p| super::number(p.0)).collect()
        } else {
            distinct.iter().map(|t| Value::from(t.as_str())).collect()
        };
        let code = |text| distinct.iter().position(|&d| d == text).unwrap_or_default() as u32;
        Ok(Self { codes: texts.iter().map(code).collect(), labels })
    }

    fn optional(case: &Case, key: &str) -> Result<Option<Self>, String> {
        case.text_arg(key).map(|_| Self::of(case, key)).transpose()
    }
}

/// The code that a number argument names among labels.
fn label_arg(case: &Case, key: &str, labels: &Labels) -> Result<u32, String> {
    let wanted = case.arg(key).ok_or_else(|| format!("no argument '{key}'"))?;
    let same = |label: &Value| label == wanted || label.as_f64() == wanted.as_f64();
    let found = labels.labels.iter().position(same);
    found.map(|code| code as u32).ok_or_else(|| format!("'{key}' is no label of the column"))
}

fn confidence(case: &Case) -> Result<Confidence, String> {
    let kind = match case.text_arg("conf_type") {
        None | Some("log") => ConfidenceType::Log,
        Some("plain") => ConfidenceType::Plain,
        Some("log-log") => ConfidenceType::LogLog,
        Some("logit") => ConfidenceType::Logit,
        Some("arcsin") => ConfidenceType::ArcSine,
        Some(other) => return Err(format!("unknown conf_type '{other}'")),
    };
    Ok(Confidence { kind, level: case.number_arg("conf_level").unwrap_or(0.95) })
}

/// An error of a kernel as text.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn failed(error: farr_stats::Error) -> String {
    error.to_string()
}

/// Column slices of owned columns.
fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}
