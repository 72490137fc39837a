//! Bad data, kernel by kernel: an error that names what is wrong, or a number
//! that is right; never a silent one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use farr_stats::Error;
use farr_stats::elastic_net::{self, Options, Response, SparseColumns};
use farr_stats::regression::{self, Covariate, Fit, logistic, poisson};
use farr_stats::survival::cox::{CoxData, CoxModel, CoxOptions, cox};
use farr_stats::survival::{
    CompetingRisks, FollowUp, KaplanMeierOptions, cumulative_incidence, fine_gray, gray_test,
    kaplan_meier, log_rank,
};

const TIME: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
const EVENT: [bool; 6] = [true, false, true, true, false, true];
const GROUP: [u32; 6] = [0, 1, 0, 1, 0, 1];
const X: [f64; 6] = [1.0, 3.0, 2.0, 2.0, 1.0, 2.5];
/// 1 for the rows with the event.
const SEPARATING: [f64; 6] = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
const MISSING: [f64; 6] = [1.0, f64::NAN, 2.0, 2.0, 1.0, 2.5];
const INFINITE: [f64; 6] = [1.0, f64::INFINITY, 1.0, 1.0, 1.0, 1.0];

#[test]
fn kaplan_meier_and_log_rank() {
    let options = KaplanMeierOptions::default();
    let curve = |rows: &FollowUp<'_>| kaplan_meier(rows, &options);
    // All censored: the curve stays at 1, which is what is known.
    let censored = curve(&FollowUp::new(&TIME, &[false; 6])).unwrap();
    assert!(censored.survival.iter().all(|s| *s == 1.0));
    assert!(censored.median().time.is_nan());
    // Tied times only: 4 of 6 at once.
    let tied = curve(&FollowUp::new(&[2.0; 6], &EVENT)).unwrap();
    assert!((tied.survival[0] - 2.0 / 6.0).abs() < 1e-15);
    let rows = FollowUp::new(&TIME, &EVENT);
    let bad = curve(&rows.with_weight(&INFINITE)).unwrap_err();
    assert_eq!(bad, Error::NotFinite { column: "weight", row: 1 });
    let bad = curve(&FollowUp::new(&MISSING, &EVENT)).unwrap_err();
    assert_eq!(bad, Error::NotFinite { column: "time", row: 1 });

    let test = |time: &[f64; 6], event: &[bool; 6], group: &[u32; 6]| {
        log_rank(&FollowUp::new(time, event), group, None, 0.0)
    };
    // All censored: 0 degrees of freedom, so no p.
    let censored = test(&TIME, &[false; 6], &GROUP).unwrap();
    assert!(censored.degrees_of_freedom == 0 && censored.p.is_nan());
    assert!(matches!(test(&TIME, &EVENT, &[1; 6]), Err(Error::TooFewGroups { found: 1, .. })));
    assert!(matches!(test(&[2.0; 6], &[true; 6], &GROUP), Err(Error::Singular { .. })));
}

#[test]
fn competing_risks() {
    let rows = CompetingRisks::new(&TIME, &[0; 6]);
    assert!(matches!(gray_test(&rows, &GROUP, None, 0.0), Err(Error::NoEvents { .. })));
    let causes = [1, 0, 2, 1, 0, 2];
    let rows = CompetingRisks::new(&TIME, &causes);
    assert!(matches!(gray_test(&rows, &[1; 6], None, 0.0), Err(Error::TooFewGroups { .. })));
    let missing = CompetingRisks::new(&MISSING, &causes);
    assert!(matches!(gray_test(&missing, &GROUP, None, 0.0), Err(Error::NotFinite { .. })));
    assert!(cumulative_incidence(&missing, &GROUP, &[1.0]).is_err());

    let fit = |columns: &[&[f64]]| fine_gray(&rows, 1, columns);
    assert!(matches!(fine_gray(&rows, 3, &[&X]), Err(Error::NoEvents { .. })));
    assert!(matches!(
        fit(&[&X, &MISSING]),
        Err(Error::CovariateNotFinite { covariate: 1, row: 1 })
    ));
    let first_cause = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    assert!(matches!(fit(&[&first_cause]), Err(Error::MonotoneLikelihood { covariate: 0 })));
    // Constant and collinear columns have no coefficient; the others do.
    let twice = X.map(|x| 2.0 * x + 1.0);
    let found = fit(&[&X, &[4.0; 6], &twice]).unwrap();
    assert!(found.coefficients[0].is_finite());
    assert!(found.coefficients[1].is_nan() && found.coefficients[2].is_nan());
}

fn cox_of(time: &[f64], event: &[bool], columns: &[&[f64]]) -> Result<CoxModel, Error> {
    let data = CoxData { rows: FollowUp::new(time, event), covariates: columns, strata: None };
    cox(&data, &CoxOptions::default())
}

#[test]
fn cox_regression() {
    let fit = |columns: &[&[f64]]| cox_of(&TIME, &EVENT, columns);
    assert!(matches!(cox_of(&TIME, &[false; 6], &[&X]), Err(Error::NoEvents { .. })));
    assert!(matches!(fit(&[&SEPARATING]), Err(Error::MonotoneLikelihood { covariate: 0 })));
    assert!(matches!(fit(&[&MISSING]), Err(Error::CovariateNotFinite { covariate: 0, row: 1 })));
    let far = X.map(|x| x * 1e200);
    assert!(matches!(fit(&[&far]), Err(Error::CovariateScale { covariate: 0 })));
    let rows = FollowUp::new(&TIME, &EVENT).with_weight(&INFINITE);
    let weighted = CoxData { rows, covariates: &[&X], strata: None };
    let found = cox(&weighted, &CoxOptions::default()).map(|_| ());
    assert_eq!(found, Err(Error::NotFinite { column: "weight", row: 1 }));
    let twice = X.map(|x| 2.0 * x + 1.0);
    let found = fit(&[&X, &[4.0; 6], &twice]).unwrap().fit;
    assert!(found.coefficients[0].is_finite());
    assert_eq!(found.aliased, [1, 2]);
    // Tied times only, with no more than half of the rows.
    let tied = cox_of(&[2.0; 6], &[true, false, true, false, false, true], &[&X]).unwrap();
    assert!(tied.fit.coefficients[0].is_finite() && tied.fit.std_err()[0] > 0.0);
}

fn named<'a>(columns: &'a [(&'a str, &'a [f64])]) -> Vec<Covariate<'a>> {
    columns.iter().map(|(name, values)| Covariate { name, values }).collect()
}

/// Outcome, covariates and weights to a fit.
type Model = fn(&[f64], &[Covariate<'_>], Option<&[f64]>) -> Result<Fit, regression::Error>;

#[test]
fn logistic_and_poisson_regression() {
    let outcome = EVENT.map(|event| f64::from(u8::from(event)));
    let models: [Model; 2] = [|y, x, w| logistic(y, x, w), |y, x, w| poisson(y, None, x, w)];
    for model in models {
        let of = |columns: &[(&str, &[f64])]| model(&outcome, &named(columns), None);
        let separated = of(&[("x", &SEPARATING)]).unwrap_err();
        assert!(matches!(separated, regression::Error::Separation { .. }), "{separated}");
        let missing = of(&[("x", &MISSING)]).unwrap_err();
        assert!(matches!(missing, regression::Error::NotFinite { row: 1, .. }), "{missing}");
        let weighted = model(&outcome, &named(&[("x", &X)]), Some(&INFINITE)).unwrap_err();
        assert!(matches!(weighted, regression::Error::NotFinite { .. }), "{weighted}");
        let none = model(&[0.0; 6], &named(&[("x", &X)]), None).unwrap_err();
        assert!(matches!(none, regression::Error::ConstantOutcome { .. }), "{none}");
        let twice = X.map(|x| 2.0 * x + 1.0);
        let fit = of(&[("x", &X), ("constant", &[4.0; 6]), ("twice", &twice)]).unwrap();
        let coefficients = fit.estimates.coefficients;
        assert!(coefficients[1].is_finite(), "{coefficients:?}");
        assert!(coefficients[2].is_nan() && coefficients[3].is_nan(), "{coefficients:?}");
    }
}

#[test]
fn elastic_net() {
    let columns = SparseColumns::from_dense(6, &[&X, &SEPARATING]).unwrap();
    let outcome = EVENT.map(|event| f64::from(u8::from(event)));
    let fit = |outcome: &[f64; 6], weights: Option<&[f64]>| {
        let options = Options { weights, ..Options::default() };
        elastic_net::fit(&columns, &Response::Binary { outcome }, &options).map(|_| ())
    };
    assert!(fit(&[0.0; 6], None).is_err());
    assert!(fit(&outcome, Some(&INFINITE)).is_err());
    assert!(fit(&outcome, Some(&[0.0; 6])).is_err());
    assert!(fit(&MISSING, None).is_err());
    assert!(SparseColumns::from_dense(6, &[&MISSING]).is_err());
    // A penalty keeps a separating column's coefficient finite.
    let lambdas = elastic_net::Lambdas::Given(&[0.01]);
    let options = Options { lambdas, ..Options::default() };
    let response = Response::Binary { outcome: &outcome };
    let path = elastic_net::fit(&columns, &response, &options).unwrap();
    assert!(path.points[0].coefficients.iter().all(|(_, b)| b.is_finite()));
    let survival = Response::Survival { time: &TIME, event: &[0.0; 6] };
    assert!(elastic_net::fit(&columns, &survival, &Options::default()).is_err());
}
