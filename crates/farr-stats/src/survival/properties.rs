//! Properties on random small data: fast kernels against slow, obvious code.

use proptest::prelude::*;

use super::cox::{CoxData, CoxOptions, Ties, TimeTransform, cox};
use super::*;

/// Random rows with many ties; `entry` is always below `time`.
#[derive(Debug, Clone)]
struct Sample {
    entry: Vec<f64>,
    time: Vec<f64>,
    event: Vec<bool>,
    cause: Vec<u32>,
    weight: Vec<f64>,
    x: Vec<Vec<f64>>,
    group: Vec<u32>,
}

impl Sample {
    fn rows(&self) -> FollowUp<'_> {
        FollowUp::new(&self.time, &self.event).with_entry(&self.entry).with_weight(&self.weight)
    }

    fn columns(&self) -> Vec<&[f64]> {
        self.x.iter().map(Vec::as_slice).collect()
    }

    fn n(&self) -> usize {
        self.time.len()
    }

    fn at_risk(&self, row: usize, time: f64) -> bool {
        self.entry[row] < time && time <= self.time[row]
    }

    /// Distinct times of the rows for which `keep` holds, ascending.
    fn times(&self, keep: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut times: Vec<f64> =
            (0..self.n()).filter(|&i| keep(i)).map(|i| self.time[i]).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    }
}

fn sample() -> impl Strategy<Value = Sample> {
    let row = (1..12_u8, 0..10_u8, 0..3_u32, 1..9_u8, -20..20_i8, 0..2_u8, 0..3_u32);
    prop::collection::vec(row, 12..40).prop_map(|rows| {
        let time: Vec<f64> = rows.iter().map(|r| f64::from(r.0)).collect();
        Sample {
            entry: rows.iter().map(|r| f64::from(r.0) * f64::from(r.1) / 10.0 - 0.5).collect(),
            time,
            event: rows.iter().map(|r| r.2 > 0).collect(),
            cause: rows.iter().map(|r| r.2).collect(),
            weight: rows.iter().map(|r| f64::from(r.3) / 4.0).collect(),
            x: vec![
                rows.iter().map(|r| f64::from(r.4) / 10.0).collect(),
                rows.iter().map(|r| f64::from(r.5)).collect(),
            ],
            group: rows.iter().map(|r| r.6).collect(),
        }
    })
}

fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * (1.0 + expected.abs())
}

fn all_close(found: &[f64], expected: &[f64], tolerance: f64) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(&f, &e)| close(f, e, tolerance) || (f.is_nan() && e.is_nan()))
}

fn jackknife() -> KaplanMeierOptions {
    let variance = CurveVariance::InfinitesimalJackknife;
    KaplanMeierOptions { variance, ..KaplanMeierOptions::default() }
}

/// S(t), H(t) and each row's influences on them, by the definition: the
/// derivative of each factor by each weight.
fn slow_kaplan_meier(s: &Sample, until: f64) -> (f64, f64, Vec<f64>, Vec<f64>) {
    let (mut survival, mut hazard) = (1.0, 0.0);
    let (mut on_survival, mut on_hazard) = (vec![0.0; s.n()], vec![0.0; s.n()]);
    for t in s.times(|i| s.event[i] && s.time[i] <= until) {
        let dies = |i: usize| s.event[i] && s.time[i] == t;
        let sum = |f: &dyn Fn(usize) -> bool| -> f64 {
            (0..s.n()).filter(|&i| f(i)).map(|i| s.weight[i]).sum()
        };
        let (n, d) = (sum(&|i| s.at_risk(i, t)), sum(&dies));
        for i in 0..s.n() {
            let at_risk = if s.at_risk(i, t) { d / (n * n) } else { 0.0 };
            let step = s.weight[i] * (if dies(i) { 1.0 / n } else { 0.0 } - at_risk);
            on_survival[i] = on_survival[i] * (1.0 - d / n) - survival * step;
            on_hazard[i] += step;
        }
        // Rounding must not leave a hair where everyone has the event.
        let everyone = (0..s.n()).all(|i| !s.at_risk(i, t) || dies(i));
        survival *= if everyone { 0.0 } else { 1.0 - d / n };
        hazard += d / n;
    }
    (survival, hazard, on_survival, on_hazard)
}

fn root_of_squares(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Weighted Cox log likelihood of the rows of `strata`, its slope and its
/// curvature by two coefficients, straight from their definitions.
fn slow_likelihood(
    s: &Sample,
    beta: &[f64],
    ties: Ties,
    strata: &[u32],
) -> (f64, [f64; 2], [[f64; 2]; 2]) {
    let eta = |i: usize| s.x.iter().zip(beta).map(|(x, b)| x[i] * b).sum::<f64>();
    let (mut sum, mut slope, mut curvature) = (0.0, [0.0; 2], [[0.0; 2]; 2]);
    for stratum in 0..3 {
        for t in s.times(|i| s.event[i] && strata[i] == stratum) {
            let inside = |i: usize| strata[i] == stratum;
            let dies = |i: usize| inside(i) && s.event[i] && s.time[i] == t;
            let dead: Vec<usize> = (0..s.n()).filter(|&i| dies(i)).collect();
            let at_risk: Vec<usize> =
                (0..s.n()).filter(|&i| inside(i) && s.at_risk(i, t)).collect();
            let weight: f64 = dead.iter().map(|&i| s.weight[i]).sum();
            let weight = weight / dead.len() as f64;
            for (k, &event) in dead.iter().enumerate() {
                let gone = if ties == Ties::Efron { k as f64 / dead.len() as f64 } else { 0.0 };
                let risk =
                    |i: usize| s.weight[i] * eta(i).exp() * if dies(i) { 1.0 - gone } else { 1.0 };
                let all: f64 = at_risk.iter().map(|&i| risk(i)).sum();
                sum += s.weight[event] * eta(event) - weight * all.ln();
                for a in 0..2 {
                    let mean = at_risk.iter().map(|&i| risk(i) * s.x[a][i]).sum::<f64>() / all;
                    slope[a] += s.weight[event] * s.x[a][event] - weight * mean;
                    // Half the mean product of the differences of all pairs.
                    for b in 0..2 {
                        let pair = |i: usize, j: usize| {
                            let apart = |c: usize| s.x[c][i] - s.x[c][j];
                            risk(i) * risk(j) * apart(a) * apart(b)
                        };
                        let pairs: f64 = at_risk
                            .iter()
                            .flat_map(|&i| at_risk.iter().map(move |&j| pair(i, j)))
                            .sum();
                        curvature[a][b] += weight * pairs / (2.0 * all * all);
                    }
                }
            }
        }
    }
    (sum, slope, curvature)
}

/// Central differences of a function of two coefficients.
fn gradient(f: impl Fn(&[f64]) -> f64, at: &[f64]) -> Vec<f64> {
    let h = 1e-5;
    let moved = |j: usize, by: f64| {
        let mut b = at.to_vec();
        b[j] += by;
        f(&b)
    };
    (0..at.len()).map(|j| (moved(j, h) - moved(j, -h)) / (2.0 * h)).collect()
}

/// Concordant, discordant, tied on risk, on time, on both: every pair once.
fn slow_pairs(s: &Sample, risk: &[f64]) -> [f64; 5] {
    let mut counts = [0.0; 5];
    for i in (0..s.n()).filter(|&i| s.event[i]) {
        for j in (0..s.n()).filter(|&j| j != i && s.group[i] == s.group[j]) {
            let w = s.weight[i] * s.weight[j];
            let together = s.event[j] && s.time[j] == s.time[i];
            if together && i < j {
                counts[if risk[i] == risk[j] { 4 } else { 3 }] += w;
            } else if !together && s.at_risk(j, s.time[i]) {
                let place = if risk[i] > risk[j] {
                    0
                } else if risk[i] < risk[j] {
                    1
                } else {
                    2
                };
                counts[place] += w;
            }
        }
    }
    counts
}

/// Of any size; missing and infinite now and then.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        40 => -5.0..5.0_f64,
        10 => prop::num::f64::NORMAL,
        5 => prop::num::f64::SUBNORMAL,
        1 => prop::num::f64::ANY,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn kaplan_meier_is_the_product(s in sample()) {
        let curve = kaplan_meier(&s.rows(), &jackknife()).unwrap();
        for (i, &t) in curve.time.iter().enumerate() {
            let (survival, hazard, on_survival, on_hazard) = slow_kaplan_meier(&s, t);
            // Where entries leave a risk set of rounding size, so is the error.
            prop_assert!(close(curve.survival[i], survival, 1e-9));
            prop_assert!(close(curve.cumulative_hazard[i], hazard, 1e-9));
            if survival > 0.0 {
                let expected = root_of_squares(&on_survival);
                prop_assert!(close(curve.std_err_survival[i], expected, 1e-7));
            }
            let expected = root_of_squares(&on_hazard);
            prop_assert!(close(curve.std_err_cumulative_hazard[i], expected, 1e-7));
        }
    }

    #[test]
    fn weight_two_is_the_row_twice(s in sample()) {
        let twice = |values: &[f64]| [values, values].concat();
        let doubled = vec![2.0; s.n()];
        let (entry, time) = (twice(&s.entry), twice(&s.time));
        let event = [s.event.as_slice(), &s.event].concat();
        let rows = FollowUp::new(&s.time, &s.event).with_entry(&s.entry);
        let both = FollowUp::new(&time, &event).with_entry(&entry);
        let options = KaplanMeierOptions::default();
        let weighted = kaplan_meier(&rows.with_weight(&doubled), &options).unwrap();
        let repeated = kaplan_meier(&both, &options).unwrap();
        prop_assert!(all_close(&weighted.survival, &repeated.survival, 1e-12));
        prop_assert!(all_close(&weighted.std_err_survival, &repeated.std_err_survival, 1e-12));
        let x: Vec<Vec<f64>> = s.x.iter().map(|x| twice(x)).collect();
        let x: Vec<&[f64]> = x.iter().map(Vec::as_slice).collect();
        let options = CoxOptions { ties: Ties::Breslow, ..CoxOptions::default() };
        let strata = None;
        let weighted = rows.with_weight(&doubled);
        let one = cox(&CoxData { rows: weighted, covariates: &s.columns(), strata }, &options);
        let two = cox(&CoxData { rows: both, covariates: &x, strata }, &options);
        if let (Ok(one), Ok(two)) = (one, two) {
            prop_assert!(all_close(&one.fit.coefficients, &two.fit.coefficients, 1e-8));
            prop_assert!(all_close(&one.fit.std_err(), &two.fit.std_err(), 1e-8));
        }
    }

    #[test]
    fn early_entry_is_no_entry(s in sample()) {
        let early = vec![-1.0; s.n()];
        let plain = FollowUp::new(&s.time, &s.event);
        let entered = plain.with_entry(&early);
        let with_entry = kaplan_meier(&entered, &jackknife()).unwrap();
        let without = kaplan_meier(&plain, &jackknife()).unwrap();
        prop_assert!(all_close(&with_entry.std_err_survival, &without.std_err_survival, 1e-9));
        let test = |rows| log_rank(&rows, &s.group, None, 0.5).map(|t| t.chi_square);
        prop_assert_eq!(test(entered), test(plain));
        let strata = Some(s.group.as_slice());
        let fit = |rows| cox(&CoxData { rows, covariates: &s.columns(), strata }, &CoxOptions::default());
        if let (Ok(a), Ok(b)) = (fit(entered), fit(plain)) {
            prop_assert!(all_close(&a.fit.coefficients, &b.fit.coefficients, 1e-8));
            prop_assert!(all_close(&a.martingale_residuals(), &b.martingale_residuals(), 1e-8));
            let (a, b) = (a.concordance(None), b.concordance(None));
            prop_assert!(a.map(|c| c.concordant) == b.map(|c| c.concordant));
        }
    }

    #[test]
    fn cox_is_at_the_top_of_its_likelihood(s in sample(), is_efron: bool, is_stratified: bool) {
        let ties = if is_efron { Ties::Efron } else { Ties::Breslow };
        let strata = is_stratified.then_some(s.group.as_slice());
        let data = CoxData { rows: s.rows(), covariates: &s.columns(), strata };
        let Ok(model) = cox(&data, &CoxOptions { ties, ..CoxOptions::default() }) else {
            return Ok(());
        };
        prop_assume!(model.fit.aliased.is_empty());
        let all = vec![0; s.n()];
        let strata = strata.unwrap_or(&all);
        let (log_likelihood, slope, curvature) =
            slow_likelihood(&s, &model.fit.coefficients, ties, strata);
        let (null, ..) = slow_likelihood(&s, &[0.0, 0.0], ties, strata);
        prop_assert!(close(model.fit.log_likelihood, log_likelihood, 1e-9));
        prop_assert!(close(model.fit.log_likelihood_null, null, 1e-9));
        // Nothing to gain, in standard errors; and the curvature is the
        // inverse of the covariance: their product is 1.
        let v = &model.fit.covariance;
        for (i, row) in curvature.iter().enumerate() {
            prop_assert!(slope[i].abs() * v[i][i].sqrt() < 1e-6, "{slope:?}");
            for j in 0..2 {
                let product: f64 = row.iter().zip(v).map(|(s, v)| s * v[j]).sum();
                let one = if i == j { 1.0 } else { 0.0 };
                prop_assert!((product - one).abs() < 1e-6, "{product}");
            }
        }
        // Residuals sum to nothing, and a row is a cluster of one.
        let residuals = model.residuals();
        let sum = |f: &dyn Fn(usize) -> f64| -> f64 {
            (0..s.n()).map(|i| s.weight[i] * f(i)).sum()
        };
        prop_assert!(sum(&|i| residuals.martingale[i]).abs() < 1e-8);
        prop_assert!((0..2).all(|j| sum(&|i| residuals.score[i][j]).abs() < 1e-7));
        let rows: Vec<u32> = (0..s.n() as u32).collect();
        let alone = model.robust_covariance(None).unwrap();
        let clustered = model.robust_covariance(Some(&rows)).unwrap();
        prop_assert!(all_close(&alone.std_err, &clustered.std_err, 1e-10));
    }

    #[test]
    fn log_rank_is_the_score_test_without_ties(s in sample()) {
        let time: Vec<f64> = s.time.iter().zip(0..).map(|(t, i)| t + f64::from(i) / 100.0).collect();
        let rows = FollowUp::new(&time, &s.event);
        let group: Vec<u32> = s.group.iter().map(|&g| u32::from(g == 1)).collect();
        let x: Vec<f64> = group.iter().map(|&g| f64::from(g)).collect();
        let data = CoxData { rows, covariates: &[&x], strata: None };
        let fit = cox(&data, &CoxOptions::default());
        if let (Ok(test), Ok(model)) = (log_rank(&rows, &group, None, 0.0), fit) {
            prop_assert!(close(test.chi_square, model.fit.score_test.chi_square, 1e-9));
            let (observed, expected): (f64, f64) =
                (test.observed.iter().sum(), test.expected.iter().sum());
            prop_assert!(close(observed, expected, 1e-12));
        }
    }

    #[test]
    fn concordance_counts_every_pair(s in sample()) {
        let risk = &s.x[0];
        let options = ConcordanceOptions { strata: Some(&s.group), ..Default::default() };
        let Ok(found) = concordance(&s.rows(), risk, &options) else { return Ok(()) };
        let [concordant, discordant, tied_risk, tied_time, tied_both] = slow_pairs(&s, risk);
        prop_assert!(close(found.concordant, concordant, 1e-12));
        prop_assert!(close(found.discordant, discordant, 1e-12));
        prop_assert!(close(found.tied_risk, tied_risk, 1e-12));
        prop_assert!(close(found.tied_time, tied_time, 1e-12));
        prop_assert!(close(found.tied_both, tied_both, 1e-12));
        // The jackknife: derivatives of the concordance by the weights.
        let at = |weight: &[f64]| {
            let moved = Sample { weight: weight.to_vec(), ..s.clone() };
            let [c, d, t, ..] = slow_pairs(&moved, risk);
            (c + t / 2.0) / (c + d + t)
        };
        let influence = gradient(at, &s.weight);
        let influence: Vec<f64> = influence.iter().zip(&s.weight).map(|(g, w)| g * w).collect();
        prop_assert!(close(found.std_err, root_of_squares(&influence), 1e-6));
    }

    #[test]
    fn aalen_johansen_adds_up(s in sample()) {
        let rows = CompetingRisks::new(&s.time, &s.cause).with_entry(&s.entry);
        let rows = rows.with_weight(&s.weight);
        let Ok(found) = aalen_johansen(&rows) else { return Ok(()) };
        let curve = kaplan_meier(&s.rows(), &KaplanMeierOptions::default()).unwrap();
        prop_assert!(all_close(&found.event_free, &curve.survival, 1e-9));
        for i in 0..found.time.len() {
            let all: f64 = found.causes.iter().map(|c| c.incidence[i]).sum();
            prop_assert!(close(all + found.event_free[i], 1.0, 1e-9));
        }
        // The influence on a cause, step by step as its definition has it.
        for cause in &found.causes {
            let mut on_incidence = vec![0.0; s.n()];
            for (i, &t) in found.time.iter().enumerate() {
                let before = if i == 0 { -1.0 } else { found.time[i - 1] };
                let (survival, _, on_survival, _) = slow_kaplan_meier(&s, before);
                let n: f64 = (0..s.n()).filter(|&r| s.at_risk(r, t)).map(|r| s.weight[r]).sum();
                let own = |r: usize| s.cause[r] == cause.cause && s.time[r] == t;
                let d: f64 = (0..s.n()).filter(|&r| own(r)).map(|r| s.weight[r]).sum();
                for r in 0..s.n() {
                    let event = if own(r) { 1.0 / n } else { 0.0 };
                    let at_risk = if s.at_risk(r, t) { d / (n * n) } else { 0.0 };
                    on_incidence[r] += on_survival[r] * d / n;
                    on_incidence[r] += survival * s.weight[r] * (event - at_risk);
                }
                prop_assert!(close(cause.std_err[i], root_of_squares(&on_incidence), 1e-6));
            }
        }
    }

    #[test]
    fn fine_gray_without_competitors_is_cox(s in sample()) {
        let cause: Vec<u32> = s.event.iter().map(|&e| u32::from(e)).collect();
        let rows = CompetingRisks::new(&s.time, &cause);
        let fit = fine_gray(&rows, 1, &s.columns());
        let follow_up = FollowUp::new(&s.time, &s.event);
        let data = CoxData { rows: follow_up, covariates: &s.columns(), strata: None };
        let model = cox(&data, &CoxOptions { ties: Ties::Breslow, ..CoxOptions::default() });
        if let (Ok(fit), Ok(model)) = (fit, model) {
            prop_assert!(all_close(&fit.coefficients, &model.fit.coefficients, 1e-9));
            // Without competitors nothing hangs on G: the sandwich is Cox's.
            let robust = model.robust_covariance(None).unwrap();
            prop_assert!(all_close(&fit.std_err(), &robust.std_err, 1e-8));
        }
    }

    #[test]
    fn gray_test_does_not_know_the_labels(s in sample()) {
        let rows = CompetingRisks::new(&s.time, &s.cause);
        let turned: Vec<u32> = s.group.iter().map(|g| 7 - 2 * g).collect();
        let test = |group: &[u32]| gray_test(&rows, group, None, 0.5);
        if let (Ok(a), Ok(b)) = (test(&s.group), test(&turned)) {
            for (a, b) in a.iter().zip(&b) {
                if let (Some(a), Some(b)) = (a.test, b.test) {
                    prop_assert!(close(a.chi_square, b.chi_square, 1e-7));
                }
            }
        }
    }

    /// Not a bit differs: numbers of rows are whole.
    #[test]
    fn tests_and_incidence_of_counted_rows_are_those_of_rows_written_out(
        s in sample(),
        counts in prop::collection::vec(1_u8..5, 64),
    ) {
        fn written_out<T: Copy>(column: &[T], counts: &[u8]) -> Vec<T> {
            let rows = column.iter().zip(counts);
            rows.flat_map(|(x, n)| std::iter::repeat_n(*x, usize::from(*n))).collect()
        }
        prop_assume!(s.n() <= counts.len());
        let counts = &counts[..s.n()];
        let weight: Vec<f64> = counts.iter().map(|n| f64::from(*n)).collect();
        let (time, event) = (written_out(&s.time, counts), written_out(&s.event, counts));
        let (cause, group) = (written_out(&s.cause, counts), written_out(&s.group, counts));
        let counted = FollowUp::new(&s.time, &s.event).with_weight(&weight);
        let rows = FollowUp::new(&time, &event);
        for rho in [0.0, 1.0] {
            let one = log_rank(&counted, &s.group, None, rho);
            let other = log_rank(&rows, &group, None, rho);
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        }
        let counted = CompetingRisks::new(&s.time, &s.cause).with_weight(&weight);
        let rows = CompetingRisks::new(&time, &cause);
        let (one, other) = (gray_test(&counted, &s.group, None, 0.0), gray_test(&rows, &group, None, 0.0));
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        let one = cumulative_incidence(&counted, &s.group, &s.time);
        let other = cumulative_incidence(&rows, &group, &s.time);
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn proportionality_does_not_know_the_unit_of_time(s in sample()) {
        let model = |factor: f64| {
            let time: Vec<f64> = s.time.iter().map(|t| t * factor).collect();
            let rows = FollowUp::new(&time, &s.event);
            let data = CoxData { rows, covariates: &s.columns(), strata: None };
            cox(&data, &CoxOptions::default())
        };
        if let (Ok(a), Ok(b)) = (model(1.0), model(365.0)) {
            for transform in [TimeTransform::Identity, TimeTransform::Log, TimeTransform::Rank] {
                let (a, b) = (a.proportionality(transform), b.proportionality(transform));
                if let (Ok(a), Ok(b)) = (a, b) {
                    prop_assert!(close(a.global.chi_square, b.global.chi_square, 1e-6));
                }
            }
        }
    }

    #[test]
    fn any_numbers_give_an_answer_or_a_name(
        time in prop::collection::vec(any_number(), 0..12),
        x in prop::collection::vec(any_number(), 12),
    ) {
        let event: Vec<bool> = (0..time.len()).map(|i| i % 3 > 0).collect();
        let rows = FollowUp::new(&time, &event);
        let _ = kaplan_meier(&rows, &KaplanMeierOptions::default());
        let x = &x[..time.len()];
        let data = CoxData { rows, covariates: &[x], strata: None };
        if let Ok(model) = cox(&data, &CoxOptions::default()) {
            prop_assert!(model.fit.log_likelihood.is_finite());
            prop_assert!(model.fit.covariance[0][0].is_finite());
        }
        let cause: Vec<u32> = (0..time.len() as u32).map(|i| i % 3).collect();
        let risks = CompetingRisks::new(&time, &cause);
        let _ = (aalen_johansen(&risks), fine_gray(&risks, 1, &[x]));
        let _ = concordance(&rows, x, &ConcordanceOptions::default());
    }
}
