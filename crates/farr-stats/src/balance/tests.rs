//! By-hand cases and properties of balance.

use proptest::prelude::*;

use super::*;
use crate::regression::{self, Covariate};

fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs())), "{a} is not {b}");
}

#[test]
fn score_of_an_indicator_is_its_group_share() {
    // 2 of 3 with the covariate are treated, 1 of 4 without.
    let treatment = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let x = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let score = propensity_score(&treatment, &[Covariate { name: "x", values: &x }]).unwrap();
    assert!((score.score[0] - 2.0 / 3.0).abs() < 1e-10);
    assert!((score.logit[6] - (1.0f64 / 3.0).ln()).abs() < 1e-10);
    assert_eq!(score.treated, [true, true, false, true, false, false, false]);
}

#[test]
fn weights_by_hand() {
    let (score, treated) = ([0.25, 0.8, 0.25, 0.5], [true, true, false, false]);
    let cases = [
        (Weighting::Ate, [4.0, 1.25, 4.0 / 3.0, 2.0]),
        (Weighting::AteStabilised, [2.0, 0.625, 2.0 / 3.0, 1.0]),
        (Weighting::Att, [1.0, 1.0, 1.0 / 3.0, 1.0]),
        (Weighting::Atc, [3.0, 0.25, 1.0, 1.0]),
        (Weighting::Overlap, [0.75, 0.2, 0.25, 0.5]),
        (Weighting::Matching, [1.0, 0.25, 1.0 / 3.0, 1.0]),
    ];
    for (weighting, expected) in cases {
        let weights = propensity_weights(&score, &treated, weighting).unwrap();
        weights.iter().zip(expected).for_each(|(w, e)| assert_close(*w, e));
    }
    // A treated row of score 0 has an infinite weight, but a finite one among
    // the treated themselves.
    let (score, treated) = ([0.5, 0.0], [false, true]);
    let infinite = propensity_weights(&score, &treated, Weighting::Ate);
    assert_eq!(infinite, Err(Error::InfiniteWeight { row: 1 }));
    assert_eq!(propensity_weights(&score, &treated, Weighting::Att), Ok(vec![1.0, 1.0]));
    let alone = propensity_weights(&[0.5], &[true], Weighting::Ate);
    assert_eq!(alone, Err(Error::EmptyGroup { group: "reference" }));
}

#[test]
fn truncation_and_effective_size_by_hand() {
    // Quartiles of 1 2 3 4 10 are 2 and 4.
    let cut = truncated_weights(&[10.0, 1.0, 3.0, 2.0, 4.0], 0.25, 0.75).unwrap();
    assert_eq!(cut, [4.0, 2.0, 3.0, 2.0, 4.0]);
    // (1 + 1 + 2)^2 / (1 + 1 + 4).
    assert_close(effective_sample_size(&[1.0, 1.0, 2.0]), 16.0 / 6.0);
}

#[test]
fn differences_by_hand() {
    // Treated 1 3 (mean 2, variance 2), reference 0 4 8 (mean 4, variance
    // 16); weighted 1 1 2 the reference's mean is 5.
    let values = [1.0, 3.0, 0.0, 4.0, 8.0];
    let treated = [true, true, false, false, false];
    let weights = [1.0, 1.0, 1.0, 1.0, 2.0];
    let smd =
        |weights, scale| standardised_mean_difference(&values, &treated, weights, scale).unwrap();
    assert_close(smd(None, Scale::Pooled), -2.0 / 3.0);
    assert_close(smd(Some(&weights[..]), Scale::Pooled), -3.0 / 3.0);
    assert_close(smd(None, Scale::Treated), -2.0 / 2f64.sqrt());
    // No match within the caliper: nobody has weight.
    assert!(smd(Some(&[0.0; 5][..]), Scale::Treated).is_nan());
    let difference = weighted_mean_difference(&values, &treated, &weights).unwrap();
    assert_close(difference.difference, -3.0);
    // (1 + 1) / 4 and (25 + 1 + 4 * 9) / 16.
    assert_close(difference.robust_std_err, (0.5f64 + 62.0 / 16.0).sqrt());
    // Shares 1/2 and 1/4: 1/4 over sqrt((1/4 + 3/16) / 2).
    let binary = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let treated = [true, true, false, false, false, false];
    let smd = standardised_mean_difference(&binary, &treated, None, Scale::PooledBinary).unwrap();
    assert_close(smd, 0.25 / (7.0f64 / 32.0).sqrt());
}

#[test]
fn strata_by_hand() {
    // The treated's median is 0.4, which belongs to the lower stratum.
    let score = [0.2, 0.4, 0.6, 0.1, 0.4, 0.5, 0.9];
    let treated = [true, true, true, false, false, false, false];
    let strata = stratify(&score, &treated, 2, QuantilesOf::Treated).unwrap();
    assert_eq!(strata.breaks, [0.4]);
    assert_eq!((strata.treated, strata.reference), (vec![2, 1], vec![2, 2]));
    assert_close(strata.mean_score[0], 1.1 / 4.0);
    assert_eq!(strata.stratum, [0, 0, 1, 0, 0, 1, 1]);
}

fn matched(distance: &[f64], treated: &[bool], options: &MatchingOptions<'_>) -> Vec<Vec<usize>> {
    let matching = match_nearest(distance, treated, options).unwrap();
    matching.sets.into_iter().map(|(_, references)| references).collect()
}

const NEAREST: MatchingOptions<'static> = MatchingOptions {
    ratio: 1,
    caliper: None,
    order: Order::LargestFirst,
    replace: false,
    exact: None,
};

#[test]
fn matching_by_hand() {
    // Treated at 1, 2 and 2; references (rows 3 to 6) at 1.5, 1.9, 1.9, 0.
    // The first at 2 takes row 4, the second row 5, the one at 1 row 3.
    let distance = [1.0, 2.0, 2.0, 1.5, 1.9, 1.9, 0.0];
    let treated = [true, true, true, false, false, false, false];
    assert_eq!(matched(&distance, &treated, &NEAREST), [[3], [4], [5]]);
    let replace = MatchingOptions { replace: true, ratio: 2, ..NEAREST };
    assert_eq!(matched(&distance, &treated, &replace), [[3, 4], [4, 5], [4, 5]]);
    let unit = Caliper { width: 0.3, scale: CaliperScale::Unit };
    let caliper = MatchingOptions { caliper: Some(unit), ..NEAREST };
    assert_eq!(matched(&distance, &treated, &caliper), [vec![], vec![4], vec![5]]);
    let smallest = MatchingOptions { order: Order::SmallestFirst, ratio: 2, ..NEAREST };
    assert_eq!(matched(&distance, &treated, &smallest), [vec![3, 6], vec![4], vec![5]]);
    let exact = [0, 0, 1, 1, 1, 0, 1];
    let exact = MatchingOptions { exact: Some(&exact), ..NEAREST };
    assert_eq!(matched(&distance, &treated, &exact), [vec![], vec![5], vec![4]]);
    let matching = match_nearest(&distance, &treated, &smallest).unwrap();
    assert_eq!(matching.weights(7), [1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 0.5]);
    assert_eq!((matching.matched_treated(), matching.matched_references()), (3, 4));
    // Equally far below and above: the lower row.
    let (distance, treated) = ([1.0, 2.0, 0.0], [true, false, false]);
    assert_eq!(matched(&distance, &treated, &NEAREST), [[1]]);
}

#[test]
fn table_one_by_hand() {
    let exposed = [true, true, true, false, false, false, false];
    let age = [1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0, 9.0];
    let result = table_one::continuous(&age, &exposed).unwrap();
    assert_eq!((result.exposed.n, result.exposed.missing), (2, 1));
    assert_close(result.exposed.median, 1.5);
    assert_close(result.reference.q25, 4.75);
    assert_close(result.reference.std_dev, (14.0f64 / 3.0).sqrt());
    // Shares of levels 2 and 3: (1/3, 1/3) and (1/4, 1/2), difference
    // (1, -2) / 12. Mean covariance: [59 -34; -34 68] / 288 with
    // determinant (59 68 - 34^2) / 288^2.
    let stage = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 3.0];
    let result = table_one::categorical(&stage, &exposed).unwrap();
    assert_eq!(result.levels, [1.0, 2.0, 3.0]);
    assert_eq!((result.exposed, result.reference), (vec![1, 1, 1], vec![1, 1, 2]));
    let square: f64 = 2.0 * (68.0 - 2.0 * 2.0 * 34.0 + 4.0 * 59.0) / (59.0 * 68.0 - 34.0 * 34.0);
    assert_close(result.smd, square.sqrt());
    // Expected 6/7 and 8/7 twice, 9/7 and 12/7: chi-square
    // 2 (1/42 + 1/56) + 4/63 + 4/84.
    assert_close(result.chi_square, 2.0 * (1.0 / 42.0 + 1.0 / 56.0) + 4.0 / 63.0 + 4.0 / 84.0);
    assert_close(result.chi_square_p, (-result.chi_square / 2.0).exp());
    // Two levels: Yates. 2 of 3 against 1 of 4, expected 9/7: gap 5/7 - 1/2.
    let binary = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let result = table_one::categorical(&binary, &exposed).unwrap();
    let gap = (3.0f64 / 14.0).powi(2);
    assert_close(result.chi_square, gap * 7.0 * (1.0 / 9.0 + 1.0 / 12.0 + 1.0 / 12.0 + 1.0 / 16.0));
    let two = table_one::binary(&binary, &exposed).unwrap();
    assert_close(result.smd, two.smd.abs());
    assert_eq!((two.exposed, two.reference), ((2, 3), (1, 4)));
    assert_eq!(table_one::categorical(&[5.0; 7], &exposed).unwrap().smd, 0.0);
    let apart = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0];
    assert!(table_one::categorical(&apart, &exposed).unwrap().smd.is_nan());
}

/// The rules of matching, looked up from scratch at each choice.
fn matched_plainly(
    distance: &[f64],
    treated: &[bool],
    options: &MatchingOptions<'_>,
) -> Vec<Vec<usize>> {
    let mut chosen = vec![Vec::new(); distance.len()];
    let mut used = vec![false; distance.len()];
    let mut order: Vec<usize> = (0..distance.len()).filter(|&i| treated[i]).collect();
    match options.order {
        Order::LargestFirst => order.sort_by(|&a, &b| distance[b].total_cmp(&distance[a])),
        Order::SmallestFirst => order.sort_by(|&a, &b| distance[a].total_cmp(&distance[b])),
        Order::AsGiven => {}
    }
    for _ in 0..options.ratio {
        for &row in &order {
            let width = options.caliper.map_or(f64::INFINITY, |c| c.width);
            let group = |i: usize| options.exact.map_or(0, |e| e[i]);
            let best = (0..distance.len())
                .filter(|&i| !treated[i] && group(i) == group(row) && !used[i])
                .filter(|i| !chosen[row].contains(i))
                .map(|i| ((distance[i] - distance[row]).abs(), i))
                .filter(|(d, _)| *d <= width)
                .min_by(|a, b| a.partial_cmp(b).unwrap());
            if let Some((_, i)) = best {
                chosen[row].push(i);
                used[i] = !options.replace;
            }
        }
    }
    (0..distance.len()).filter(|&i| treated[i]).map(|i| chosen[i].clone()).collect()
}

proptest! {
    #[test]
    fn matching_is_the_plain_one(
        rows in prop::collection::vec((0..40i8, any::<bool>(), 0..3usize), 2..60),
        ratio in 1..4usize,
        width in prop::option::of(0..5u8),
        order in prop::sample::select(vec![
            Order::LargestFirst, Order::SmallestFirst, Order::AsGiven
        ]),
        replace: bool,
        by_group: bool,
    ) {
        // Quarters are exact in binary, so that ties are ties.
        let distance: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 4.0).collect();
        let treated: Vec<bool> = rows.iter().map(|r| r.1).collect();
        prop_assume!(treated.contains(&true) && treated.contains(&false));
        let groups: Vec<usize> = rows.iter().map(|r| r.2).collect();
        let caliper =
            width.map(|w| Caliper { width: f64::from(w) / 4.0, scale: CaliperScale::Unit });
        let exact = by_group.then_some(groups.as_slice());
        let options = MatchingOptions { ratio, caliper, order, replace, exact };
        prop_assert_eq!(
            matched(&distance, &treated, &options),
            matched_plainly(&distance, &treated, &options)
        );
    }

    #[test]
    fn overlap_weights_balance_exactly(
        rows in prop::collection::vec((any::<bool>(), -9..9i8, any::<bool>()), 10..50),
    ) {
        // A property of logistic regression's score equations (Li and others
        // 2018, theorem 3).
        let of = |f: &dyn Fn(&(bool, i8, bool)) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
        let treatment = of(&|r| f64::from(u8::from(r.0)));
        let columns = [of(&|r| f64::from(r.1)), of(&|r| f64::from(u8::from(r.2)))];
        let covariates: Vec<Covariate<'_>> =
            columns.iter().map(|values| Covariate { name: "x", values }).collect();
        let Ok(score) = propensity_score(&treatment, &covariates) else { return Ok(()) };
        let weights =
            propensity_weights(&score.score, &score.treated, Weighting::Overlap).unwrap();
        for column in &columns {
            let smd =
                standardised_mean_difference(column, &score.treated, Some(&weights), Scale::Pooled)
                    .unwrap();
            prop_assert!(smd.is_nan() || smd.abs() < 1e-7, "smd {}", smd);
        }
    }
}

#[test]
fn wrong_input_is_named() {
    let missing =
        standardised_mean_difference(&[f64::NAN, 1.0], &[true, false], None, Scale::Pooled);
    let row = regression::Error::NotFinite { column: "values".to_owned(), row: 0 };
    assert_eq!(missing, Err(Error::Input(row)));
    let ratio = MatchingOptions { ratio: 0, ..NEAREST };
    let none = match_nearest(&[1.0, 2.0], &[true, false], &ratio).map(|_| ());
    assert!(matches!(none, Err(Error::Setting { .. })));
    let one = Caliper { width: 0.2, scale: CaliperScale::PooledStdDev };
    let alone = MatchingOptions { caliper: Some(one), ..NEAREST };
    let none = match_nearest(&[1.0, 2.0], &[true, false], &alone).map(|_| ());
    assert!(matches!(none, Err(Error::Setting { .. })));
}
