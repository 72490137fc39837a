//! By-hand cases and properties of the regressions.

use proptest::prelude::*;

use super::*;

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

fn assert_close(a: f64, b: f64) {
    assert!(close(a, b, 1e-10), "{a} is not {b}");
}

/// `count` rows of `value` each.
fn repeated(groups: &[(f64, usize)]) -> Vec<f64> {
    groups.iter().flat_map(|&(value, count)| vec![value; count]).collect()
}

#[test]
fn logistic_is_the_odds_ratio_of_a_two_by_two_table() {
    // Exposed: 6 events of 10; not exposed: 2 of 8. Saturated, so
    // b0 = ln(2/6), b1 = ln((6/4)/(2/6)) = ln 4.5, and
    // var b1 = 1/6 + 1/4 + 1/2 + 1/6 (Woolf), var b0 = 1/2 + 1/6.
    let exposed = repeated(&[(1.0, 10), (0.0, 8)]);
    let outcome = repeated(&[(1.0, 6), (0.0, 4), (1.0, 2), (0.0, 6)]);
    let covariates = [Covariate { name: "exposed", values: &exposed }];
    let fit = logistic(&outcome, &covariates, None).unwrap();
    let se = fit.estimates.std_errors();
    assert_eq!(fit.estimates.terms, [INTERCEPT, "exposed"]);
    assert_close(fit.estimates.coefficients[0], (2.0f64 / 6.0).ln());
    assert_close(fit.estimates.coefficients[1], 4.5f64.ln());
    assert_close(se[0].powi(2), 1.0 / 2.0 + 1.0 / 6.0);
    assert_close(se[1].powi(2), 1.0 / 6.0 + 1.0 / 4.0 + 1.0 / 2.0 + 1.0 / 6.0);
    // ln likelihood: 6 ln .6 + 4 ln .4 + 2 ln .25 + 6 ln .75.
    let by_hand = 6.0 * 0.6f64.ln() + 4.0 * 0.4f64.ln() + 2.0 * 0.25f64.ln() + 6.0 * 0.75f64.ln();
    assert_close(fit.log_likelihood, by_hand);
    assert_close(fit.deviance, -2.0 * by_hand);
    let null = 8.0 * (8.0f64 / 18.0).ln() + 10.0 * (10.0f64 / 18.0).ln();
    assert_close(fit.null_deviance, -2.0 * null);
    assert_close(fit.aic(), -2.0 * by_hand + 4.0);
    assert_close(fit.bic(), -2.0 * by_hand + 2.0 * 18f64.ln());
    // A saturated model's sandwich is the model's variance: in each group
    // the sum of (y - p)^2 is n p (1 - p).
    let hc0 = fit.robust_covariance(Sandwich::Hc0).unwrap();
    assert_close(hc0.get(1, 1), se[1].powi(2));
    let hc1 = fit.robust_covariance(Sandwich::Hc1).unwrap();
    assert_close(hc1.get(1, 1), se[1].powi(2) * 18.0 / 16.0);
}

#[test]
fn an_offset_takes_its_part() {
    // The table above with the exposed's ln 4.5 known: nothing is left to
    // estimate for them, and the null model is already the full one.
    let exposed = repeated(&[(1.0, 10), (0.0, 8)]);
    let outcome = repeated(&[(1.0, 6), (0.0, 4), (1.0, 2), (0.0, 6)]);
    let offset: Vec<f64> = exposed.iter().map(|x| x * 4.5f64.ln()).collect();
    let covariates = [Covariate { name: "exposed", values: &exposed }];
    let fit = logistic_with_offset(&outcome, &covariates, None, Some(&offset)).unwrap();
    assert!(fit.estimates.coefficients[1].abs() < 1e-10);
    assert_close(fit.estimates.coefficients[0], (2.0f64 / 6.0).ln());
    assert_close(fit.null_deviance, fit.deviance);
    let eta = predict(&fit.estimates, &covariates).unwrap();
    assert_close(eta[0], (2.0f64 / 6.0).ln());
}

#[test]
fn poisson_is_the_rate_ratio() {
    // 12 events in 4 years against 5 in 10: ln((12/4)/(5/10)) = ln 6,
    // variance 1/12 + 1/5.
    let covariates = [Covariate { name: "exposed", values: &[1.0, 1.0, 0.0] }];
    let fit = poisson(&[5.0, 7.0, 5.0], Some(&[1.0, 3.0, 10.0]), &covariates, None).unwrap();
    assert_close(fit.estimates.coefficients[0], 0.5f64.ln());
    assert_close(fit.estimates.coefficients[1], 6f64.ln());
    assert_close(fit.estimates.covariance.get(1, 1), 1.0 / 12.0 + 1.0 / 5.0);
    // Only the exposed rows deviate: means 3 and 9 for counts 5 and 7.
    let deviance = 2.0 * (5.0 * (5.0f64 / 3.0).ln() + 7.0 * (7.0f64 / 9.0).ln());
    assert_close(fit.deviance, deviance);
    let wald = fit.estimates.wald(0.95).unwrap();
    let half_width = 1.959_963_984_540_054 * (1.0f64 / 12.0 + 1.0 / 5.0).sqrt();
    assert_close(wald.lower[1], 6.0 * (-half_width).exp());
}

#[test]
fn clustered_sandwich_by_hand() {
    // Intercept-only Poisson, counts 1 2 3 6, mean 3, model variance 1/12.
    // Clusters {1, 2} and {3, 6} have scores -3 and 3: variance 18/144.
    let fit = poisson(&[1.0, 2.0, 3.0, 6.0], None, &[], None).unwrap();
    let clusters = group_indices(&["a", "a", "b", "b"]);
    let plain = fit.robust_covariance(Sandwich::Cluster(&clusters)).unwrap();
    assert_close(plain.get(0, 0), 18.0 / 144.0);
    // G/(G-1) = 2 and (n-1)/(n-k) = 1.
    let adjusted = fit.robust_covariance(Sandwich::ClusterAdjusted(&clusters)).unwrap();
    assert_close(adjusted.get(0, 0), 36.0 / 144.0);
    let scaled = fit.robust_covariance(Sandwich::ClusterHc1(&clusters)).unwrap();
    assert_close(scaled.get(0, 0), 36.0 / 144.0);
}

#[test]
fn negative_binomial_of_one_group() {
    // Without covariates the mean is the sample's, and at theta the score
    // vanishes: sum over y of sum_{k<y} 1/(theta+k) = n ln(1 + mean/theta),
    // here 6 rows of 0, 3 of 2 and 1 of 4: mean 1.
    let count = repeated(&[(0.0, 6), (2.0, 3), (4.0, 1)]);
    let fit = negative_binomial(&count, None, &[], None).unwrap();
    let theta = fit.theta;
    assert!(fit.fit.estimates.coefficients[0].abs() < 1e-10, "ln 1");
    let below = |k: f64| 1.0 / (theta + k);
    let left = 4.0 * (below(0.0) + below(1.0)) + below(2.0) + below(3.0);
    assert_close(left, 10.0 * (1.0 / theta).ln_1p());
    // var of the intercept: 1 / sum of mu / (1 + mu/theta).
    assert_close(fit.fit.estimates.covariance.get(0, 0), (1.0 + 1.0 / theta) / 10.0);
    // P(0) = q^theta, P(2) = theta (theta+1)/2 q^theta (1-q)^2, and so on.
    let q = theta / (theta + 1.0);
    let p0 = q.powf(theta);
    let p2 = theta * (theta + 1.0) / 2.0 * p0 * (1.0 - q).powi(2);
    let p4 = p2 * (theta + 2.0) * (theta + 3.0) / 12.0 * (1.0 - q).powi(2);
    let by_hand = 6.0 * p0.ln() + 3.0 * p2.ln() + p4.ln();
    assert_close(fit.fit.log_likelihood, by_hand);
}

#[test]
fn standard_error_of_theta_is_of_the_step_before_the_last() {
    // MASS gives 1.06445606 where the information at theta itself has another
    // sixth digit; theta.ml stops once a step is below 1.2e-4.
    let fit = negative_binomial(&[4.0, 0.0, 1.0, 7.0, 3.0, 8.0, 0.0, 2.0], None, &[], None);
    let fit = fit.unwrap();
    assert!((fit.theta / 1.287_455_44 - 1.0).abs() < 1e-8);
    assert!((fit.theta_std_err / 1.064_456_06 - 1.0).abs() < 1e-8);
}

#[test]
fn conditional_logistic_of_pairs_is_the_discordant_ratio() {
    // 6 pairs with the case exposed alone, 2 with the control exposed alone,
    // 3 concordant: ln(6/2), variance 1/6 + 1/2.
    let (mut outcome, mut exposed, mut strata) = (vec![], vec![], vec![]);
    let pairs = [(1.0, 0.0, 6), (0.0, 1.0, 2), (1.0, 1.0, 3)];
    for (case, control, count) in pairs {
        for _ in 0..count {
            let stratum = outcome.len() / 2;
            outcome.extend([1.0, 0.0]);
            exposed.extend([case, control]);
            strata.extend([stratum; 2]);
        }
    }
    let covariates = [Covariate { name: "exposed", values: &exposed }];
    let fit = conditional_logistic(&outcome, &covariates, &strata).unwrap();
    assert_close(fit.estimates.coefficients[0], 3f64.ln());
    assert_close(fit.estimates.covariance.get(0, 0), 1.0 / 6.0 + 1.0 / 2.0);
    let by_hand = 6.0 * 0.75f64.ln() + 2.0 * 0.25f64.ln() + 3.0 * 0.5f64.ln();
    assert_close(fit.log_likelihood, by_hand);
}

#[test]
fn conditional_logistic_of_a_large_stratum() {
    // A stratum of 3000 rows with 1500 cases has C(3000, 1500) > 1e900
    // subsets. Drawing 1500 of 3000 at b = 0 is a hypergeometric number of
    // exposed; half of all rows and 760 cases are exposed, near its mean 750.
    let outcome = repeated(&[(1.0, 1500), (0.0, 1500)]);
    let exposed = repeated(&[(1.0, 760), (0.0, 740), (1.0, 740), (0.0, 760)]);
    let covariates = [Covariate { name: "exposed", values: &exposed }];
    let fit = conditional_logistic(&outcome, &covariates, &vec![0; 3000]).unwrap();
    // Close to the unconditional ln(760^2 / 740^2), shrunk by (n - 1) / n.
    let crude = 2.0 * (760f64 / 740.0).ln();
    let b = fit.estimates.coefficients[0];
    assert!((b - crude * 2999.0 / 3000.0).abs() < 1e-6, "{b} beside {crude}");
}

#[test]
fn self_controlled_case_series_of_two_intervals() {
    // Each person: 30 days at risk, 60 not. 8 events at risk, 4 not:
    // rate ratio (8/30)/(4/60) = 4, variance of the log 1/8 + 1/4. A person
    // without events is dropped.
    let count = [5.0, 1.0, 3.0, 3.0, 0.0, 0.0];
    let length = [30.0, 60.0, 30.0, 60.0, 30.0, 60.0];
    let risk = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let covariates = [Covariate { name: "risk", values: &risk }];
    let fit =
        self_controlled_case_series(&count, &length, &covariates, &[0, 0, 1, 1, 2, 2]).unwrap();
    assert_close(fit.estimates.coefficients[0], 4f64.ln());
    assert_close(fit.estimates.covariance.get(0, 0), 1.0 / 8.0 + 1.0 / 4.0);
    assert_close(fit.log_likelihood, 8.0 * (2.0f64 / 3.0).ln() + 4.0 * (1.0f64 / 3.0).ln());
    assert_eq!((fit.groups, fit.events), (2, 12.0));
}

#[test]
fn aliased_columns_are_named() {
    let outcome = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    let x = [1.0, 2.0, 3.0, 4.0, 7.0, 6.0];
    let sum = [1.5, 2.5, 3.5, 4.5, 7.5, 6.5];
    let constant = [1950.0; 6];
    let covariates = [
        Covariate { name: "constant", values: &constant },
        Covariate { name: "x", values: &x },
        Covariate { name: "sum", values: &sum },
    ];
    let fit = logistic(&outcome, &covariates, None).unwrap();
    assert_eq!(fit.estimates.aliased, [1, 3]);
    let alone = logistic(&outcome, &covariates[1..2], None).unwrap();
    assert!(fit.estimates.coefficients[3].is_nan());
    assert_close(fit.estimates.coefficients[2], alone.estimates.coefficients[1]);
    assert_close(fit.estimates.coefficients[0], alone.estimates.coefficients[0]);
}

#[test]
fn what_has_no_maximum_is_an_error_that_names_the_term() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let noise = [0.3, -0.2, 0.5, 0.1, -0.4, 0.2];
    let covariates =
        [Covariate { name: "noise", values: &noise }, Covariate { name: "x", values: &x }];
    let complete = logistic(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], &covariates, None);
    let Err(Error::Separation { terms }) = complete else { panic!("{complete:?}") };
    assert!(terms.contains(&"x".to_owned()));
    // Quasi-complete: no event among the exposed.
    let exposed = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
    let covariates = [Covariate { name: "exposed", values: &exposed }];
    let outcome = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let separated = Err(Error::Separation { terms: vec!["exposed".to_owned()] });
    assert_eq!(logistic(&outcome, &covariates, None).map(|_| ()), separated);
    assert_eq!(poisson(&outcome, None, &covariates, None).map(|_| ()), separated);
    let pairs = conditional_logistic(
        &[1.0, 0.0, 1.0, 0.0],
        &[Covariate { name: "exposed", values: &[1.0, 0.0, 1.0, 0.0] }],
        &[0, 0, 1, 1],
    );
    assert_eq!(pairs.map(|_| ()), separated);
    let constant = logistic(&[0.0; 6], &covariates, None).map(|_| ());
    assert_eq!(constant, Err(Error::ConstantOutcome { always: "no event" }));
    let zero = poisson(&[0.0; 6], None, &covariates, None).map(|_| ());
    assert_eq!(zero, Err(Error::ConstantOutcome { always: "zero" }));
    let even = negative_binomial(&[3.0, 3.0, 3.0, 2.0, 2.0, 2.0], None, &covariates, None);
    assert_eq!(even.map(|_| ()), Err(Error::NoOverdispersion));
}

#[test]
fn wrong_input_is_named() {
    let covariates = [Covariate { name: "age", values: &[1.0, f64::NAN, 2.0] }];
    let missing = logistic(&[0.0, 1.0, 0.0], &covariates, None).map(|_| ());
    assert_eq!(missing, Err(Error::NotFinite { column: "age".to_owned(), row: 1 }));
    let wrong = logistic(&[0.0, 2.0, 0.0], &[], None).map(|_| ());
    assert!(matches!(wrong, Err(Error::OutOfRange { row: 1, .. })));
    let infinite = logistic(&[0.0, 1.0], &[], Some(&[1.0, f64::INFINITY])).map(|_| ());
    assert_eq!(infinite, Err(Error::NotFinite { column: "weights".to_owned(), row: 1 }));
    let time = poisson(&[0.0, 1.0], Some(&[1.0, 0.0]), &[], None).map(|_| ());
    assert!(matches!(time, Err(Error::OutOfRange { row: 1, .. })));
}

/// Data with an event and a non-event, in rows of (outcome, x1, x2, count).
fn rows() -> impl Strategy<Value = Vec<(f64, f64, f64, f64)>> {
    let row = (0..2u8, -20..20i8, 0..2u8, 0..6u8)
        .prop_map(|(y, a, b, c)| (f64::from(y), f64::from(a) / 10.0, f64::from(b), f64::from(c)));
    prop::collection::vec(row, 12..60)
}

fn column(rows: &[(f64, f64, f64, f64)], of: impl Fn(&(f64, f64, f64, f64)) -> f64) -> Vec<f64> {
    rows.iter().map(of).collect()
}

proptest! {
    #[test]
    fn score_is_zero_at_the_solution(rows in rows()) {
        let (y, x1, x2) = (column(&rows, |r| r.0), column(&rows, |r| r.1), column(&rows, |r| r.2));
        let count = column(&rows, |r| r.3);
        let covariates =
            [Covariate { name: "x1", values: &x1 }, Covariate { name: "x2", values: &x2 }];
        let fits = [logistic(&y, &covariates, None), poisson(&count, None, &covariates, None)];
        for (fit, y) in fits.iter().zip([&y, &count]) {
            // Separation and constant outcomes are tested above.
            let Ok(fit) = fit else { continue };
            let residual: Vec<f64> = y.iter().zip(&fit.fitted).map(|(y, m)| y - m).collect();
            for x in [&vec![1.0; y.len()], &x1, &x2] {
                let score: f64 = residual.iter().zip(x).map(|(r, x)| r * x).sum();
                prop_assert!(score.abs() < 1e-8, "score {}", score);
            }
        }
    }

    #[test]
    fn weight_two_is_a_row_twice(rows in rows(), twice in prop::collection::vec(any::<bool>(), 60)) {
        let weights: Vec<f64> = rows.iter().zip(&twice).map(|(_, &t)| if t { 2.0 } else { 1.0 }).collect();
        let mut doubled = Vec::new();
        for (row, &weight) in rows.iter().zip(&weights) {
            doubled.extend(vec![*row; weight as usize]);
        }
        let fit = |rows: &[(f64, f64, f64, f64)], weights: Option<&[f64]>| {
            let (x1, x2) = (column(rows, |r| r.1), column(rows, |r| r.2));
            let covariates =
                [Covariate { name: "x1", values: &x1 }, Covariate { name: "x2", values: &x2 }];
            logistic(&column(rows, |r| r.0), &covariates, weights)
        };
        match (fit(&rows, Some(&weights)), fit(&doubled, None)) {
            (Ok(a), Ok(b)) => {
                prop_assert!(close(a.log_likelihood, b.log_likelihood, 1e-9));
                let pairs = a.estimates.coefficients.iter().zip(&b.estimates.coefficients);
                for (x, y) in pairs.filter(|(x, _)| !x.is_nan()) {
                    prop_assert!(close(*x, *y, 1e-7), "{} and {}", x, y);
                }
            }
            (a, b) => prop_assert_eq!(a.is_ok(), b.is_ok()),
        }
    }

    #[test]
    fn conditional_likelihood_is_the_enumerated_one(
        sets in prop::collection::vec(prop::collection::vec((any::<bool>(), -9..9i8, 0..3u8), 2..8), 4..10),
    ) {
        let (mut y, mut x1, mut x2, mut strata) = (vec![], vec![], vec![], vec![]);
        for (stratum, set) in sets.iter().enumerate() {
            for &(case, a, b) in set {
                y.push(f64::from(u8::from(case)));
                x1.push(f64::from(a) / 5.0);
                x2.push(f64::from(b));
                strata.push(stratum);
            }
        }
        let covariates =
            [Covariate { name: "x1", values: &x1 }, Covariate { name: "x2", values: &x2 }];
        let Ok(fit) = conditional_logistic(&y, &covariates, &strata) else { return Ok(()) };
        if !fit.estimates.aliased.is_empty() {
            return Ok(());
        }
        let b = &fit.estimates.coefficients;
        let at = |b1: f64, b2: f64| enumerated(&sets, b1, b2);
        prop_assert!(close(fit.log_likelihood, at(b[0], b[1]), 1e-9));
        // The score is zero and the information is the curvature.
        let h = 1e-4;
        let slope = (at(b[0] + h, b[1]) - at(b[0] - h, b[1])) / (2.0 * h);
        prop_assert!(slope.abs() < 1e-5, "slope {}", slope);
        let second = |i: f64, j: f64| (at(b[0] + i * h, b[1] + j * h) - at(b[0], b[1])
            + at(b[0] - i * h, b[1] - j * h) - at(b[0], b[1])) / (h * h);
        let (aa, bb) = (second(1.0, 0.0), second(0.0, 1.0));
        let ab = (second(1.0, 1.0) - aa - bb) / 2.0;
        let determinant = aa * bb - ab * ab;
        let variance = -bb / determinant;
        prop_assert!(close(fit.estimates.covariance.get(0, 0), variance, 1e-2),
            "{} and {}", fit.estimates.covariance.get(0, 0), variance);
    }
}

/// The conditional log-likelihood by listing every subset of every stratum.
fn enumerated(sets: &[Vec<(bool, i8, u8)>], b1: f64, b2: f64) -> f64 {
    sets.iter()
        .map(|set| {
            let eta: Vec<f64> =
                set.iter().map(|&(_, a, b)| b1 * f64::from(a) / 5.0 + b2 * f64::from(b)).collect();
            let cases: u32 = (0..set.len()).filter(|&i| set[i].0).map(|i| 1 << i).sum();
            let sum_of = |subset: u32| -> f64 {
                (0..set.len()).filter(|&i| subset >> i & 1 == 1).map(|i| eta[i]).sum()
            };
            let all: f64 = (0..1u32 << set.len())
                .filter(|subset| subset.count_ones() == cases.count_ones())
                .map(|subset| sum_of(subset).exp())
                .sum();
            sum_of(cases) - all.ln()
        })
        .sum()
}
