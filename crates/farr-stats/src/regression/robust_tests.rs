//! Robust variances of likelihoods that condition on a stratum.

use proptest::prelude::*;

use super::*;

/// Eight sets with one case each: set, case, x1, x2.
const SETS: [(usize, f64, f64, f64); 22] = [
    (1, 1.0, 1.0, 0.5),
    (1, 0.0, 0.0, 1.2),
    (1, 0.0, 1.0, -0.3),
    (2, 0.0, 0.0, 2.1),
    (2, 1.0, 1.0, 0.4),
    (2, 0.0, 0.0, 1.1),
    (3, 1.0, 1.0, -0.7),
    (3, 0.0, 1.0, 0.9),
    (4, 0.0, 0.0, 1.5),
    (4, 0.0, 1.0, 0.2),
    (4, 1.0, 1.0, -1.1),
    (4, 0.0, 0.0, 0.6),
    (5, 1.0, 0.0, 0.3),
    (5, 0.0, 1.0, 0.8),
    (6, 0.0, 1.0, 1.9),
    (6, 1.0, 0.0, 1.4),
    (6, 0.0, 0.0, -0.2),
    (7, 1.0, 1.0, 0.1),
    (7, 0.0, 0.0, 0.7),
    (8, 1.0, 0.0, 1.3),
    (8, 0.0, 1.0, 0.9),
    (8, 0.0, 0.0, -0.5),
];

/// A row of matched sets: set, case, x1, x2.
type Row = (usize, f64, f64, f64);

fn fit(rows: &[Row]) -> Result<ConditionalFit, Error> {
    let column = |of: fn(&Row) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let (y, x1, x2) = (column(|r| r.1), column(|r| r.2), column(|r| r.3));
    let covariates = [Covariate { name: "x1", values: &x1 }, Covariate { name: "x2", values: &x2 }];
    conditional_logistic(&y, &covariates, &sets(rows))
}

fn sets(rows: &[Row]) -> Vec<usize> {
    rows.iter().map(|row| row.0).collect()
}

fn assert_matrix(found: &SquareMatrix, expected: [f64; 3], tolerance: f64) {
    for ((i, j), e) in [(0, 0), (0, 1), (1, 1)].into_iter().zip(expected) {
        let f = found.get(i, j);
        assert!((f - e).abs() <= tolerance * e.abs(), "[{i}, {j}]: {f} is not {e}");
        assert!((f - found.get(j, i)).abs() <= 1e-15);
    }
}

/// R 4.2 with survival 3.5-3, with `d` the rows of `SETS` in columns set, y,
/// x1, x2, and `id` the set, (row - 1) %% 5, or the row:
///
/// ```r
/// options(digits = 15)
/// f <- clogit(y ~ x1 + x2 + strata(set), d, method = "efron", cluster = id)
/// coef(f); sqrt(diag(f$naive.var)); f$var
/// ```
///
/// printed coefficients 0.396357484281278 and -0.583981129597695, standard
/// errors 0.846613733971439 and 0.528767758705635, and the variances below.
#[test]
fn clustered_variance_is_that_of_clogit() {
    let fit = fit(&SETS).unwrap();
    let se = fit.estimates.std_errors();
    for (found, expected) in fit.estimates.coefficients.iter().chain(&se).zip([
        0.396_357_484_281_278,
        -0.583_981_129_597_695,
        0.846_613_733_971_439,
        0.528_767_758_705_635,
    ]) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
    let cross: Vec<usize> = (0..SETS.len()).map(|row| row % 5).collect();
    for (clusters, expected) in [
        (Some(sets(&SETS)), [0.366_639_791_080_748, -0.100_325_623_407_601, 0.205_599_203_814_347]),
        (Some(cross), [0.248_301_336_225_751_6, 0.047_545_862_122_036_7, 0.058_327_238_405_025_9]),
        (None, [0.274_181_419_708_111_7, -0.006_850_320_950_784_89, 0.162_714_322_168_936_2]),
    ] {
        let found = fit.robust_covariance(clusters.as_deref()).unwrap();
        assert_matrix(&found, expected, 1e-8);
    }
}

/// Four rows with two cases, x = 1 0 1 0, cases rows 0 and 1, and three such
/// sets, so that b = 0 by symmetry: p is 1/2 in each row, the mean 1/2 and the
/// residuals (1/2)(1/2), (-1/2)(1/2), (1/2)(-1/2), (-1/2)(-1/2). The sum of
/// x over cases has the hypergeometric variance 2 * 2/4 * 2/4 * 2/3 = 1/3.
#[test]
fn several_cases_by_hand() {
    let (mut y, mut x, mut strata) = (vec![], vec![], vec![]);
    for stratum in 0..3 {
        y.extend([1.0, 1.0, 0.0, 0.0]);
        x.extend([1.0, 0.0, 1.0, 0.0]);
        strata.extend([stratum; 4]);
    }
    let fit = conditional_logistic(&y, &[Covariate { name: "x", values: &x }], &strata).unwrap();
    assert!((fit.estimates.covariance.get(0, 0) - 1.0).abs() < 1e-12);
    let by = |clusters: Option<&[usize]>| fit.robust_covariance(clusters).unwrap().get(0, 0);
    // Twelve squares of 1/4.
    assert!((by(None) - 12.0 / 16.0).abs() < 1e-12);
    // Every set's score is 0.
    assert!(by(Some(&strata)).abs() < 1e-12);
    // Rows 0 of all sets: 3/4, and so on.
    let places: Vec<usize> = (0..12).map(|row| row % 4).collect();
    assert!((by(Some(&places)) - 4.0 * 9.0 / 16.0).abs() < 1e-12);
}

/// A person with one event, and intervals of one length, is a matched set.
#[test]
fn a_series_of_single_events_is_matched_sets() {
    let rows = &SETS;
    let column = |of: fn(&Row) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let (y, x1, x2) = (column(|r| r.1), column(|r| r.2), column(|r| r.3));
    let covariates = [Covariate { name: "x1", values: &x1 }, Covariate { name: "x2", values: &x2 }];
    let length = vec![30.0; y.len()];
    let series = self_controlled_case_series(&y, &length, &covariates, &sets(rows)).unwrap();
    let fit = fit(rows).unwrap();
    let cross: Vec<usize> = (0..rows.len()).map(|row| row % 5).collect();
    for clusters in [None, Some(&cross[..])] {
        let (a, b) = (fit.robust_covariance(clusters), series.robust_covariance(clusters));
        let b = b.unwrap();
        assert_matrix(&a.unwrap(), [b.get(0, 0), b.get(0, 1), b.get(1, 1)], 1e-10);
    }
}

#[test]
fn what_cannot_be_clustered_is_named() {
    let length = fit(&SETS).unwrap().robust_covariance(Some(&[0, 1])).map(|_| ());
    let column = "clusters".to_owned();
    assert_eq!(length, Err(Error::Length { column, found: 2, expected: SETS.len() }));
    // A column constant within sets is not estimated, nor has it a variance.
    let column = |of: fn(&Row) -> f64| SETS.iter().map(of).collect::<Vec<f64>>();
    let (y, x1, constant) = (column(|r| r.1), column(|r| r.2), column(|r| r.0 as f64));
    let covariates =
        [Covariate { name: "set", values: &constant }, Covariate { name: "x1", values: &x1 }];
    let fit = conditional_logistic(&y, &covariates, &sets(&SETS)).unwrap();
    let robust = fit.robust_covariance(Some(&sets(&SETS))).unwrap();
    assert!(robust.get(0, 0).is_nan() && robust.get(0, 1).is_nan());
    assert!(robust.get(1, 1) > 0.0);
    let nothing = conditional_logistic(&y, &covariates[..1], &sets(&SETS)).unwrap();
    assert!(nothing.robust_covariance(None).unwrap().get(0, 0).is_nan());
}

/// The chance of each row to be a case, by listing every subset as large.
fn listed_chances(eta: &[f64], cases: u32) -> Vec<f64> {
    let subsets = (0..1u32 << eta.len()).filter(|subset| subset.count_ones() == cases);
    let (mut total, mut by_row) = (0.0, vec![0.0; eta.len()]);
    for subset in subsets {
        let inside = |i: usize| subset >> i & 1 == 1;
        let weight = (0..eta.len()).filter(|&i| inside(i)).map(|i| eta[i]).sum::<f64>().exp();
        total += weight;
        (0..eta.len()).filter(|&i| inside(i)).for_each(|i| by_row[i] += weight);
    }
    by_row.into_iter().map(|weight| weight / total).collect()
}

/// The covariance A (sum of s s') A from listed chances.
fn listed(fit: &ConditionalFit, rows: &[Row], clusters: &[usize]) -> [f64; 3] {
    let b = &fit.estimates.coefficients;
    let mut scores = vec![[0.0; 2]; rows.len()];
    for set in 0..=rows.iter().map(|row| row.0).max().unwrap() {
        let inside: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].0 == set).collect();
        let cases = inside.iter().filter(|&&i| rows[i].1 == 1.0).count();
        if cases == 0 || cases == inside.len() {
            continue;
        }
        let eta: Vec<f64> = inside.iter().map(|&i| b[0] * rows[i].2 + b[1] * rows[i].3).collect();
        let p = listed_chances(&eta, cases as u32);
        let mean = |of: fn(&Row) -> f64| -> f64 {
            inside.iter().zip(&p).map(|(&i, p)| p * of(&rows[i])).sum::<f64>() / cases as f64
        };
        let (m1, m2) = (mean(|r| r.2), mean(|r| r.3));
        for (&i, p) in inside.iter().zip(&p) {
            let residual = rows[i].1 - p;
            scores[i] = [(rows[i].2 - m1) * residual, (rows[i].3 - m2) * residual];
        }
    }
    let mut sums = vec![[0.0; 2]; clusters.iter().max().unwrap() + 1];
    for (&cluster, score) in clusters.iter().zip(&scores) {
        sums[cluster][0] += score[0];
        sums[cluster][1] += score[1];
    }
    let a = |i, j| fit.estimates.covariance.get(i, j);
    let mut out = [0.0; 3];
    for [s1, s2] in sums {
        let (d1, d2) = (a(0, 0) * s1 + a(0, 1) * s2, a(1, 0) * s1 + a(1, 1) * s2);
        out = [out[0] + d1 * d1, out[1] + d1 * d2, out[2] + d2 * d2];
    }
    out
}

proptest! {
    #[test]
    fn clustered_variance_is_the_listed_one_in_any_order(
        sets_of_rows in prop::collection::vec(
            prop::collection::vec((any::<bool>(), -9..9i8, 0..3u8), 2..8), 4..10),
        clusters in prop::collection::vec(0..6_usize, 80),
        order in Just((0..80_usize).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let rows: Vec<Row> = sets_of_rows.iter().enumerate().flat_map(|(set, rows)| {
            rows.iter().map(move |&(y, a, b)| {
                (set, f64::from(u8::from(y)), f64::from(a) / 5.0, f64::from(b))
            })
        }).collect();
        let Ok(fitted) = fit(&rows) else { return Ok(()) };
        if !fitted.estimates.aliased.is_empty() {
            return Ok(());
        }
        let clusters = &clusters[..rows.len()];
        let robust = fitted.robust_covariance(Some(clusters)).unwrap();
        let expected = listed(&fitted, &rows, clusters);
        let size = expected[0].max(expected[2]) + 1e-12;
        for ((i, j), e) in [(0, 0), (0, 1), (1, 1)].into_iter().zip(expected) {
            prop_assert!((robust.get(i, j) - e).abs() < 1e-8 * size, "{} and {}", robust.get(i, j), e);
        }
        // The rows in another order.
        let order: Vec<usize> = order.into_iter().filter(|i| *i < rows.len()).collect();
        let shuffled: Vec<Row> = order.iter().map(|&i| rows[i]).collect();
        let moved: Vec<usize> = order.iter().map(|&i| clusters[i]).collect();
        let again = fit(&shuffled).unwrap().robust_covariance(Some(&moved)).unwrap();
        for (i, j) in [(0, 0), (0, 1), (1, 1)] {
            prop_assert!((robust.get(i, j) - again.get(i, j)).abs() < 1e-7 * size);
        }
    }
}
