//! Cox models small enough to be solved by hand.

use super::*;
use crate::error::Error;
use crate::survival::{Confidence, FollowUp};

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

fn fit(time: &[f64], event: &[bool], covariates: &[&[f64]], ties: Ties) -> Result<CoxModel> {
    let data = CoxData { rows: FollowUp::new(time, event), covariates, strata: None };
    cox(&data, &CoxOptions { ties, ..CoxOptions::default() })
}

/// Events at 1, 2, 3 with x = 1, 0, 1; r = exp(b). The likelihood is
/// r / (2 r + 1) * 1 / (1 + r), the score 1 / (2 r + 1) - r / (1 + r) is 0 at
/// r = 1 / sqrt 2.
fn without_ties() -> (CoxModel, f64) {
    let model = fit(&[1.0, 2.0, 3.0], &[true; 3], &[&[1.0, 0.0, 1.0]], Ties::Efron);
    (model.unwrap(), 0.5_f64.sqrt())
}

#[test]
fn fit_by_hand() {
    let (model, r) = without_ties();
    close(model.fit.coefficients[0], r.ln());
    close(model.fit.log_likelihood, (r / (2.0 * r + 1.0) / (1.0 + r)).ln());
    close(model.fit.log_likelihood_null, (1.0_f64 / 6.0).ln());
    let information = 2.0 * r / (2.0 * r + 1.0).powi(2) + r / (1.0 + r).powi(2);
    close(model.fit.covariance[0][0], 1.0 / information);
    // At 0: score 1/3 - 1/2, information 2/9 + 1/4.
    close(model.fit.score_test.chi_square, (1.0 / 36.0) / (17.0 / 36.0));
    close(model.fit.wald_test.chi_square, r.ln().powi(2) * information);
}

#[test]
fn tied_events_by_hand() {
    // x = 1 and x = 0 have the event together, a second x = 0 is censored.
    // Efron: r / ((r + 2) (r + 3) / 2), score 0 at r = sqrt 6. Breslow:
    // r / (r + 2)^2, score 0 at r = 2.
    let (time, event) = ([1.0, 1.0, 2.0], [true, true, false]);
    let x: &[&[f64]] = &[&[1.0, 0.0, 0.0]];
    let efron = fit(&time, &event, x, Ties::Efron).unwrap();
    close(efron.fit.coefficients[0], 6.0_f64.ln() / 2.0);
    let r = 6.0_f64.sqrt();
    let hazard = 1.0 / (r + 2.0) + 2.0 / (r + 3.0);
    close(efron.baseline_hazard(BaselineAt::Zero)[0].cumulative_hazard[0], hazard);
    // Those with the event bear half of the second step.
    let own = 1.0 / (r + 2.0) + 1.0 / (r + 3.0);
    let martingale = efron.martingale_residuals();
    close(martingale[0], 1.0 - r * own);
    close(martingale[1], 1.0 - own);
    close(martingale[2], -hazard);
    let breslow = fit(&time, &event, x, Ties::Breslow).unwrap();
    close(breslow.fit.coefficients[0], 2.0_f64.ln());
    close(breslow.baseline_hazard(BaselineAt::Zero)[0].cumulative_hazard[1], 0.5);
}

#[test]
fn survival_and_residuals_by_hand() {
    let (model, r) = without_ties();
    let steps = [1.0 / (2.0 * r + 1.0), 1.0 / (1.0 + r), 1.0 / r];
    let hazard: f64 = steps[0] + steps[1];
    let profile = Profile { covariates: vec![1.0], stratum: None };
    let curves = model.survival(&[profile], &[0.5, 2.5], Confidence::default(), None).unwrap();
    close(curves[0].survival[0], 1.0);
    close(curves[0].survival[1], (-r * hazard).exp());
    // Var log S: r^2 (sum of steps^2 + q^2 V), q = sum of steps (1 - mean x).
    let means = [2.0 * r / (2.0 * r + 1.0), r / (1.0 + r), 1.0];
    let q = steps[0] * (1.0 - means[0]) + steps[1] * (1.0 - means[1]);
    let v = model.fit.covariance[0][0];
    let variance = r * r * (steps[0].powi(2) + steps[1].powi(2) + q * q * v);
    close(curves[0].std_err_survival[1], (-r * hazard).exp() * variance.sqrt());
    let residuals = model.residuals();
    for (found, mean) in residuals.schoenfeld.iter().zip(means) {
        let x = if mean == means[1] { 0.0 } else { 1.0 };
        close(found[0], x - mean);
    }
    // Score residual of the first row: 1 - mean - r step (1 - mean).
    close(residuals.score[0][0], (1.0 - means[0]) * (1.0 - r * steps[0]));
    close(residuals.dfbeta[0][0], residuals.score[0][0] * v);
    let sandwich: f64 = residuals.dfbeta.iter().map(|d| d[0] * d[0]).sum();
    close(model.robust_covariance(None).unwrap().covariance[0][0], sandwich);
}

#[test]
fn a_late_entry_keeps_the_digits_of_a_small_hazard() {
    // A row with x = -1 has its event alone and adds r to the hazard. Then
    // enter x = 1 and two x = 0, one of them with a weight of u; the weights of
    // x = 0 sum to 1. With the event together, x = 1 and the light row have the
    // likelihood r / (r + 1)^(1 + u): score 0 at r = 1 / u, and the step of
    // the hazard, (1 + u) / (r + 1), is u: 1 / u^2 times below what it adds to.
    let u = 2.0_f64.powi(-17);
    let (time, event) = ([1.0, 2.0, 2.0, 2.0], [true, true, true, false]);
    let (entry, weight) = ([0.0, 1.0, 1.0, 1.0], [1.0, 1.0, u, 1.0 - u]);
    let rows = FollowUp::new(&time, &event).with_entry(&entry).with_weight(&weight);
    let data = CoxData { rows, covariates: &[&[-1.0, 1.0, 0.0, 0.0]], strata: None };
    let options = CoxOptions { ties: Ties::Breslow, ..CoxOptions::default() };
    let residuals = cox(&data, &options).unwrap().residuals();
    for (i, expected) in [0.0, 0.0, 1.0 - u, -u].into_iter().enumerate() {
        close(residuals.martingale[i], expected);
    }
    // Of x = 1: (1 - mean) (1 - r step), the mean being 1 - u; nothing either.
    close(residuals.score[1][0], 0.0);
}

#[test]
fn dependent_columns_are_left_out_and_named() {
    let time = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let x = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let twice = [2.3, 0.3, 2.3, 0.3, 0.3, 2.3];
    let constant = [0.1; 6];
    let model = fit(&time, &[true; 6], &[&constant, &x, &twice], Ties::Efron).unwrap();
    assert_eq!(model.fit.aliased, [0, 2]);
    assert!(model.fit.coefficients[0].is_nan() && model.fit.coefficients[2].is_nan());
    let alone = fit(&time, &[true; 6], &[&x], Ties::Efron).unwrap();
    close(model.fit.coefficients[1], alone.fit.coefficients[0]);
    close(model.fit.wald_test.chi_square, alone.fit.wald_test.chi_square);
    assert_eq!(model.fit.score_test.degrees_of_freedom, 1);
    let zph = model.proportionality(TimeTransform::Rank).unwrap();
    close(
        zph.global.chi_square,
        alone.proportionality(TimeTransform::Rank).unwrap().global.chi_square,
    );
}

#[test]
fn bad_data_are_named() {
    let x: &[f64] = &[1.0, 1.0, 0.0, 0.0];
    let time = [1.0, 2.0, 3.0, 4.0];
    let separated = fit(&time, &[true; 4], &[x], Ties::Efron);
    assert_eq!(separated.err(), Some(Error::MonotoneLikelihood { covariate: 0 }));
    let censored = fit(&time, &[false; 4], &[x], Ties::Efron);
    assert_eq!(censored.err(), Some(Error::NoEvents { what: "Cox regression" }));
    let missing = fit(&time, &[true; 4], &[x, &[0.0, 1.0, f64::NAN, 0.0]], Ties::Efron);
    assert_eq!(missing.err(), Some(Error::CovariateNotFinite { covariate: 1, row: 2 }));
    let rows = FollowUp::new(&time, &[true; 4]).with_weight(&[1.0, 1.0, f64::INFINITY, 1.0]);
    let data = CoxData { rows, covariates: &[x], strata: None };
    let infinite = cox(&data, &CoxOptions::default());
    assert_eq!(infinite.err(), Some(Error::NotFinite { column: "weight", row: 2 }));
}

#[test]
fn ridge_shrinks_by_hand() {
    // The likelihood of `without_ties` less theta / 2 b^2: theta is chosen so
    // that r = 0.8 solves 1 / (2 r + 1) - r / (1 + r) - theta log r = 0.
    let r: f64 = 0.8;
    let theta = (1.0 / (2.0 * r + 1.0) - r / (1.0 + r)) / r.ln();
    let rows = FollowUp::new(&[1.0, 2.0, 3.0], &[true; 3]);
    let data = CoxData { rows, covariates: &[&[1.0, 0.0, 1.0]], strata: None };
    let ridge = Some(Ridge { theta, scale: false });
    let model = cox(&data, &CoxOptions { ridge, ..CoxOptions::default() }).unwrap();
    close(model.fit.coefficients[0], r.ln());
    close(model.fit.penalty, theta / 2.0 * r.ln().powi(2));
    // A penalty also holds a coefficient that would run away.
    let rows = FollowUp::new(&[1.0, 2.0, 3.0], &[true; 3]);
    let data = CoxData { rows, covariates: &[&[1.0, 0.0, 0.0]], strata: None };
    assert!(cox(&data, &CoxOptions { ridge, ..CoxOptions::default() }).is_ok());
}
