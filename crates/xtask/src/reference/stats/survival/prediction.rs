//! Quality of predicted survival.

use farr_stats::survival::{self, CensoringCurve};
use serde_json::json;

use super::super::{Answer, Case, number, numbers};
use super::{Rows, failed, slices};

pub(super) fn survival_prediction(case: &Case) -> Answer {
    let rows = Rows::of(case)?;
    let follow_up = rows.follow_up();
    let risk = case.column("risk")?;
    let predicted = case.matrix("survival")?;
    let times = case.numbers_arg("times").ok_or("no argument 'times'")?;
    let censoring = CensoringCurve::of(&follow_up).map_err(failed)?;
    // What one measure cannot be made of says nothing of the others.
    let brier = survival::brier_score(&censoring, &follow_up, &slices(&predicted), &times).ok();
    let integrated = brier.as_ref().map(|b| survival::integrated_brier_score(&times, b));
    let auc = survival::time_dependent_auc(&censoring, &follow_up, &risk, &times).ok();
    let harrell = survival::harrell_concordance(&follow_up, &risk);
    let tau = times.last().copied();
    let uno = survival::uno_concordance(&censoring, &follow_up, &risk, tau);
    Ok(json!({
        "brier": brier.as_deref().map(numbers),
        "integrated_brier": integrated.and_then(Result::ok).map(number),
        "time_dependent_auc": auc.as_ref().map(|a| numbers(&a.auc)),
        "mean_auc": auc.as_ref().map(|a| number(a.mean)),
        "harrell_c": harrell.ok().map(number),
        "uno_c_tau_last": uno.ok().map(number),
    }))
}
