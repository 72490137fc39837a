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
    let brier = survival::brier_score(&censoring, &follow_up, &slices(&predicted), &times)
        .map_err(failed)?;
    let auc =
        survival::time_dependent_auc(&censoring, &follow_up, &risk, &times).map_err(failed)?;
    let harrell = survival::harrell_concordance(&follow_up, &risk).map_err(failed)?;
    let tau = times.last().copied();
    let uno = survival::uno_concordance(&censoring, &follow_up, &risk, tau).map_err(failed)?;
    let integrated = survival::integrated_brier_score(&times, &brier).map_err(failed)?;
    Ok(json!({
        "brier": numbers(&brier),
        "integrated_brier": number(integrated),
        "time_dependent_auc": numbers(&auc.auc),
        "mean_auc": number(auc.mean),
        "harrell_c": number(harrell),
        "uno_c_tau_last": number(uno),
    }))
}
