//! By-hand cases and properties of the elastic net.

use proptest::prelude::*;

use super::*;

fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-8 * (1.0 + a.abs().max(b.abs())), "{a} is not {b}");
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn given(alpha: f64, lambdas: &[f64]) -> Options<'_> {
    Options { alpha, lambdas: Lambdas::Given(lambdas), ..Options::default() }
}

#[test]
fn lasso_of_one_indicator_by_hand() {
    // 8 rows, 2 exposed, 1 event there, 2 of 6 elsewhere; s = sqrt(1/4 3/4).
    // At the optimum the mean of x (y - p) is lambda s and that of y - p is
    // 0: p1 = 1/2 - lambda s 8/2 and p0 = 1/3 + lambda s 8/6.
    let mut columns = SparseColumns::new(8).unwrap();
    columns.push_indicator(&[0, 1]).unwrap();
    let outcome = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let lambda = 0.01;
    let response = Response::Binary { outcome: &outcome };
    let path = fit(&columns, &response, &given(1.0, &[lambda, 1.0])).unwrap();
    let s = (3.0f64 / 16.0).sqrt();
    let (p1, p0) = (0.5 - 4.0 * lambda * s, 1.0 / 3.0 + lambda * s * 8.0 / 6.0);
    assert_close(path.points[0].intercept, logit(p0));
    assert_close(path.points[0].coefficients[0].1, logit(p1) - logit(p0));
    // Far above the first lambda only the intercept is left, ln(3/5).
    assert_eq!(path.points[1].coefficients, []);
    assert_close(path.points[1].intercept, (3.0f64 / 5.0).ln());
    assert_close(path.null_deviance, -2.0 * (0.375 * 0.375f64.ln() + 0.625 * 0.625f64.ln()));
    // The path starts where |mean of x (y - 3/8)| = lambda s:
    // (1 - 2 3/8) / 8 / s.
    let lambdas = Lambdas::Path { count: 3, min_ratio: Some(0.01), stop_early: false };
    let path = fit(&columns, &response, &Options { lambdas, ..given(1.0, &[]) }).unwrap();
    assert_close(path.points[0].lambda, 0.25 / 8.0 / s);
    assert_close(path.points[1].lambda, 0.1 * 0.25 / 8.0 / s);
    assert_eq!(path.points[0].coefficients, []);
}

#[test]
fn a_ridge_path_begins_flat() {
    // Column 1 where two rows of four are 1, both events: the mean of
    // x (y - 1/2) is 1/4 and s = 1/2, so the first lambda, that of alpha
    // 0.001, is 500.
    let mut columns = SparseColumns::new(4).unwrap();
    columns.push_indicator(&[1, 2]).unwrap();
    let response = Response::Binary { outcome: &[0.0, 1.0, 1.0, 0.0] };
    let lambdas = Lambdas::Path { count: 2, min_ratio: Some(0.5), stop_early: false };
    let path = fit(&columns, &response, &Options { lambdas, ..given(0.0, &[]) }).unwrap();
    assert_close(path.points[0].lambda, 500.0);
    assert!(path.points[0].dense(1)[0].abs() < 1e-30);
    assert!(path.points[0].deviance_ratio.abs() < 1e-12);
    // At 250 the slope (1/4 = 250 s^2 b) all but holds.
    assert!((path.points[1].dense(1)[0] - 0.004).abs() < 1e-5);
}

#[test]
fn a_path_stops_once_the_deviance_does() {
    let columns = SparseColumns::from_dense(6, &[&[1.0, 2.0, 0.0, 1.0, 5.0, 2.0]]).unwrap();
    let response = Response::Binary { outcome: &[1.0, 0.0, 1.0, 1.0, 0.0, 1.0] };
    let count_of = |stop_early| {
        let lambdas = Lambdas::Path { count: 100, min_ratio: Some(1e-6), stop_early };
        fit(&columns, &response, &Options { lambdas, ..given(1.0, &[]) }).unwrap().points
    };
    let (stopped, all) = (count_of(true), count_of(false));
    assert_eq!(all.len(), 100);
    let gain = |k: usize| all[k].deviance_ratio - all[k - 1].deviance_ratio;
    let last = stopped.len() - 1;
    assert!(last >= 4 && gain(last) < 1e-5 && gain(last - 1) >= 1e-5, "stopped at {last}");
}

#[test]
fn poisson_of_one_indicator_by_hand() {
    // Exposed: 6 events in 2 years, 1 row of 2; else 1 event in 4 years. Mean
    // of x (y - mu): (6 - 2 r1) / 2 = lambda s with s = 1/2, so
    // r1 = 3 - lambda / 2 and r0 = (1 + lambda) / 4.
    let mut columns = SparseColumns::new(2).unwrap();
    columns.push_indicator(&[0]).unwrap();
    let response = Response::Counts { count: &[6.0, 1.0], person_time: Some(&[2.0, 4.0]) };
    let path = fit(&columns, &response, &given(1.0, &[0.2])).unwrap();
    assert_close(path.points[0].intercept, (1.2f64 / 4.0).ln());
    assert_close(path.points[0].coefficients[0].1, (2.9f64 / 0.3).ln());
}

#[test]
fn cox_of_two_rows_by_hand() {
    // The exposed row dies first: (b - ln(1 + e^b)) / 2, whose slope
    // (1 - p) / 2 is lambda s = lambda / 2: b = logit(1 - lambda).
    let mut columns = SparseColumns::new(2).unwrap();
    columns.push_indicator(&[1]).unwrap();
    let response = Response::Survival { time: &[2.0, 1.0], event: &[0.0, 1.0] };
    let path = fit(&columns, &response, &given(1.0, &[0.2])).unwrap();
    assert_close(path.points[0].coefficients[0].1, logit(0.8));
    assert_eq!(path.points[0].intercept, 0.0);
}

#[test]
fn near_collinear_columns_do_not_creep() {
    // Rows (0, 0), (1, 1) and (1, 1.01) with 2, 4 and 6 of 8 events, no
    // penalty: logits -ln 3, 0 and ln 3 are met exactly. Coordinates alone
    // would take a million passes, each 5e-5 of the way.
    let group = |row: usize| row / 8;
    let first: Vec<f64> = (0..24).map(|row| f64::from(u8::from(group(row) > 0))).collect();
    let second: Vec<f64> = (0..24).map(|row| [0.0, 1.0, 1.01][group(row)]).collect();
    let outcome: Vec<f64> =
        (0..24).map(|row| f64::from(u8::from(row % 8 < 2 * (group(row) + 1)))).collect();
    let columns = SparseColumns::from_dense(24, &[&first, &second]).unwrap();
    let response = Response::Binary { outcome: &outcome };
    let point = fit(&columns, &response, &given(1.0, &[0.0])).unwrap().points.remove(0);
    let ln3 = 3.0_f64.ln();
    assert_close(point.intercept, -ln3);
    assert_close(point.dense(2)[1], 100.0 * ln3);
    assert_close(point.dense(2)[0], -99.0 * ln3);
    assert!(point.passes < 1000, "{}", point.passes);
}

#[test]
fn constant_and_excluded_columns_stay_out() {
    let columns = SparseColumns::from_dense(
        6,
        &[
            &[2010.3; 6],
            &[0.0, 1.0, 0.0, 2.0, 1.0, 3.0],
            &[0.0; 6],
            &[1.0, 0.0, 2.0, 1.0, 3.0, 1.0],
        ],
    )
    .unwrap();
    let response = Response::Binary { outcome: &[0.0, 0.0, 1.0, 1.0, 0.0, 1.0] };
    let factors = [1.0, 1.0, 1.0, f64::INFINITY];
    let options = Options { penalty_factors: Some(&factors), ..given(0.5, &[1e-3]) };
    let path = fit(&columns, &response, &options).unwrap();
    let columns: Vec<usize> = path.points[0].coefficients.iter().map(|c| c.0).collect();
    assert_eq!(columns, [1]);
}

#[test]
fn wrong_input_is_named() {
    let mut columns = SparseColumns::new(3).unwrap();
    let late = columns.push_indicator(&[1, 3]);
    assert_eq!(late, Err(Error::RowNumber { column: 0, found: 3, rows: 3 }));
    let twice = columns.push(&[1, 1], &[1.0, 2.0]);
    assert_eq!(twice, Err(Error::RowNumber { column: 0, found: 1, rows: 3 }));
    let missing = columns.push(&[0, 1], &[1.0, f64::NAN]);
    assert_eq!(missing, Err(Error::ColumnValue { column: 0, entry: 1 }));
    columns.push_indicator(&[1]).unwrap();
    let fit_of = |outcome: &[f64], options: &Options<'_>| {
        fit(&columns, &Response::Binary { outcome }, options).map(|_| ()).unwrap_err()
    };
    assert!(matches!(fit_of(&[0.0, 1.0], &given(1.0, &[0.1])), Error::Rows { .. }));
    assert!(matches!(fit_of(&[0.0, 0.0, 0.0], &given(1.0, &[0.1])), Error::Input(_)));
    assert!(matches!(fit_of(&[0.0, 1.0, 0.0], &given(1.5, &[0.1])), Error::Setting { .. }));
    assert!(matches!(fit_of(&[0.0, 1.0, 0.0], &given(1.0, &[f64::NAN])), Error::Setting { .. }));
    let weights = [1.0, -1.0, 1.0];
    let options = Options { weights: Some(&weights), ..given(1.0, &[0.1]) };
    assert!(matches!(fit_of(&[0.0, 1.0, 0.0], &options), Error::Input(_)));
    let none = Response::Survival { time: &[1.0, 2.0, 3.0], event: &[0.0; 3] };
    assert!(matches!(fit(&columns, &none, &given(1.0, &[0.1])), Err(Error::Input(_))));
}

#[test]
fn cross_validation_by_hand() {
    // At a huge penalty each fold is predicted by the others' mean. Outcomes
    // 1 0 | 1 1 | 0 1: the others' means are 3/4, 1/2, 3/4.
    let columns = SparseColumns::from_dense(6, &[&[1.0, 2.0, 0.0, 1.0, 5.0, 2.0]]).unwrap();
    let outcome = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
    let folds = [7, 7, 8, 8, 9, 9];
    let response = Response::Binary { outcome: &outcome };
    let cv = |measure| {
        cross_validate(&columns, &response, &folds, measure, &given(1.0, &[50.0])).unwrap()
    };
    let result = cv(Measure::SquaredError);
    // Rows of 2 to a fold count one by one: 2 (y - p)^2 is 1/8, 9/8, 1/2,
    // 1/2, 9/8, 1/8.
    let losses = [0.125, 1.125, 0.5, 0.5, 1.125, 0.125];
    let mean = losses.iter().sum::<f64>() / 6.0;
    let variance = losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 6.0;
    assert_close(result.mean_loss[0], mean);
    assert_close(result.std_err_loss[0], (variance / 5.0).sqrt());
    assert_eq!((result.lambda_min, result.lambda_1se), (50.0, 50.0));
    let deviance = -2.0 * (2.0 * (0.75f64.ln() + 0.25f64.ln()) + 2.0 * 0.5f64.ln()) / 6.0;
    assert_close(cv(Measure::Deviance).mean_loss[0], deviance);
    assert_close(cv(Measure::Misclassification).mean_loss[0], 4.0 / 6.0);
}

/// Rows of (time or count, event, x1, x2, x3, weight).
type Row = (u8, bool, i8, bool, u8, u8);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (1..8u8, any::<bool>(), -10..10i8, any::<bool>(), 0..3u8, 1..4u8);
    prop::collection::vec(row, 10..40)
}

struct Data {
    columns: Vec<Vec<f64>>,
    number: Vec<f64>,
    event: Vec<f64>,
    weights: Vec<f64>,
}

fn data(rows: &[Row]) -> Data {
    let of = |f: &dyn Fn(&Row) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
    Data {
        columns: vec![
            // Far from zero, so that centring matters.
            of(&|r| 50.0 + f64::from(r.2)),
            of(&|r| f64::from(u8::from(r.3))),
            of(&|r| f64::from(r.4)),
        ],
        number: of(&|r| f64::from(r.0)),
        event: of(&|r| f64::from(u8::from(r.1))),
        weights: of(&|r| f64::from(r.5)),
    }
}

impl Data {
    fn sparse(&self) -> SparseColumns {
        let dense: Vec<&[f64]> = self.columns.iter().map(Vec::as_slice).collect();
        SparseColumns::from_dense(self.event.len(), &dense).unwrap()
    }

    fn responses(&self) -> [Response<'_>; 3] {
        [
            Response::Binary { outcome: &self.event },
            Response::Counts { count: &self.number, person_time: None },
            Response::Survival { time: &self.number, event: &self.event },
        ]
    }

    /// Derivatives of the log-likelihood in the linear predictors, plainly.
    fn residual(&self, response: &Response<'_>, eta: &[f64]) -> Vec<f64> {
        let n = eta.len();
        let share = |i: usize| self.weights[i] / self.weights.iter().sum::<f64>();
        match response {
            Response::Binary { outcome } => {
                (0..n).map(|i| share(i) * (outcome[i] - 1.0 / (1.0 + (-eta[i]).exp()))).collect()
            }
            Response::Counts { count, .. } => {
                (0..n).map(|i| share(i) * (count[i] - eta[i].exp())).collect()
            }
            Response::Survival { time, event } => {
                let mut residual: Vec<f64> = (0..n).map(|i| share(i) * event[i]).collect();
                for death in (0..n).filter(|&i| event[i] == 1.0) {
                    let risk = |j: usize| share(j) * eta[j].exp();
                    let at_risk = |j: &usize| time[*j] >= time[death];
                    let total: f64 = (0..n).filter(at_risk).map(risk).sum();
                    for j in (0..n).filter(at_risk) {
                        residual[j] -= share(death) * risk(j) / total;
                    }
                }
                residual
            }
        }
    }
}

proptest! {
    #[test]
    fn conditions_of_the_optimum_hold(
        rows in rows(), alpha in prop::sample::select(vec![0.0, 0.3, 1.0]), standardise: bool,
        factor in prop::sample::select(vec![0.0, 1.0, 2.5]),
    ) {
        let data = data(&rows);
        let factors = [1.0, factor, 1.0];
        let lambdas = [0.3, 0.1, 0.03, 0.01];
        let options = Options {
            weights: Some(&data.weights),
            penalty_factors: Some(&factors),
            standardise,
            passes_max: 2_000,
            ..given(alpha, &lambdas)
        };
        let total: f64 = data.weights.iter().sum();
        for response in data.responses() {
            // A constant outcome, or a free column that separates it.
            let Ok(path) = fit(&data.sparse(), &response, &options) else { continue };
            for point in &path.points {
                let eta = point.linear_predictor(&data.sparse());
                let residual = data.residual(&response, &eta);
                prop_assert!(residual.iter().sum::<f64>().abs() < 1e-9);
                for (j, b) in point.dense(3).into_iter().enumerate() {
                    let x = &data.columns[j];
                    let gradient: f64 = x.iter().zip(&residual).map(|(x, r)| x * r).sum();
                    let mean = x.iter().zip(&data.weights).map(|(x, w)| x * w).sum::<f64>() / total;
                    let square: f64 =
                        x.iter().zip(&data.weights).map(|(x, w)| w * (x - mean).powi(2)).sum();
                    let scale = if standardise { (square / total).sqrt() } else { 1.0 };
                    let price = point.lambda * factors[j] * 3.0 / factors.iter().sum::<f64>();
                    let l1 = price * alpha * scale;
                    let gap = if b == 0.0 {
                        if square == 0.0 { 0.0 } else { (gradient.abs() - l1).max(0.0) }
                    } else {
                        gradient - l1 * b.signum() - price * (1.0 - alpha) * scale * scale * b
                    };
                    prop_assert!(gap.abs() < 1e-8, "column {} is off by {}", j, gap);
                }
            }
        }
    }

    #[test]
    fn weights_are_rows_repeated(rows in rows()) {
        let one = data(&rows);
        let repeated: Vec<Row> =
            rows.iter().flat_map(|row| vec![*row; usize::from(row.5)]).collect();
        let many = data(&repeated);
        let lambdas = [0.1, 0.02];
        for (a, b) in one.responses().iter().zip(&many.responses()) {
            let weighted = Options { weights: Some(&one.weights), ..given(0.7, &lambdas) };
            let (left, right) =
                (fit(&one.sparse(), a, &weighted), fit(&many.sparse(), b, &given(0.7, &lambdas)));
            let (Ok(left), Ok(right)) = (left, right) else { continue };
            for (l, r) in left.points.iter().zip(&right.points) {
                for (l, r) in l.dense(3).into_iter().zip(r.dense(3)) {
                    prop_assert!((l - r).abs() < 1e-7, "{} and {}", l, r);
                }
            }
        }
    }

    #[test]
    fn the_path_does_not_matter(rows in rows()) {
        let data = data(&rows);
        for response in data.responses() {
            let all = fit(&data.sparse(), &response, &given(0.5, &[0.2, 0.11, 0.1, 0.01]));
            let alone = fit(&data.sparse(), &response, &given(0.5, &[0.01]));
            let (Ok(all), Ok(alone)) = (all, alone) else { continue };
            for (a, b) in all.points[3].dense(3).into_iter().zip(alone.points[0].dense(3)) {
                prop_assert!((a - b).abs() < 1e-7, "{} and {}", a, b);
            }
        }
    }
}
