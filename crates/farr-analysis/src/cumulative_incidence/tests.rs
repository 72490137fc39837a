//! `cumulative_incidence` over small populations.

use crate::testing::{Person, check, population, real, texts, whole};
use crate::{AnyAnalysis, Settings, analysis_of};
use farr_disclosure::AggregateTable;

fn analysis(extra: &str) -> AnyAnalysis {
    let text = format!(r#"{{"kind": "cumulative_incidence", "outcome": 2{extra}}}"#);
    let settings: Settings = serde_json::from_str(&text).unwrap();
    analysis_of(&settings, &[]).unwrap()
}

/// Four persons enter on day 0: outcome on 10, death on 20, censored on 30,
/// outcome on 40, the day of death. F(10) = 1/4, F of death (20) = 3/4 * 1/3
/// = 1/4, F(40) = 1/4 + 1/2. Aalen's variance at 10 is 1/16.
#[test]
fn curves_by_hand() {
    let person = |end, outcome: Option<i32>, death| Person {
        periods: vec![(0, end)],
        cohorts: [(1, 0, end)].into_iter().chain(outcome.map(|day| (2, day, day))).collect(),
        death,
        ..Person::default()
    };
    let people = [
        person(50, Some(10), None),
        person(50, None, Some(20)),
        person(30, None, None),
        person(50, Some(40), Some(40)),
    ];
    let tables = check(&analysis(r#", "targets": [1], "times_days": [25]"#), &people);
    assert_eq!(whole(&tables[0], "time_days"), [10, 20, 25, 30, 40].map(Some));
    assert_eq!(whole(&tables[0], "n_risk"), [4, 3, 2, 2, 1].map(Some));
    assert_eq!(real(&tables[0], "incidence"), [0.25, 0.25, 0.25, 0.25, 0.75].map(Some));
    let competing = real(&tables[0], "competing_incidence");
    assert_eq!(competing, [0.0, 0.25, 0.25, 0.25, 0.25].map(Some));
    let std_err = real(&tables[0], "std_err_incidence")[0].unwrap();
    assert!((std_err - 0.25).abs() < 1e-15);
    // exp(z 1/4 / (1/4 ln 4)) = exp(1.959964 / 1.386294) = 4.111587, and
    // (1/4)^4.111587 = 0.003346.
    let lower = real(&tables[0], "incidence_lower")[0].unwrap();
    assert!((lower - 0.003_346).abs() < 5e-6, "{lower}");
    assert_eq!(whole(&tables[1], "n_competing"), [Some(1)]);
}

#[test]
fn strata_add_up_and_shards_do_not_matter() {
    let extra = r#", "targets": [1, 3], "strata": ["sex", "age"], "age_breaks": [50]"#;
    let tables = check(&analysis(extra), &population(400));
    let names: Vec<&str> = tables.iter().map(AggregateTable::name).collect();
    assert_eq!(
        names,
        [
            "cumulative_incidence",
            "cumulative_incidence_summary",
            "cumulative_incidence_gray",
            "cumulative_incidence_strata_gray",
        ]
    );
    assert!(real(&tables[2], "p_value").iter().all(Option::is_some));
    assert!(real(&tables[3], "p_value").iter().all(Option::is_some));
}

#[test]
fn bad_settings_and_bad_data_have_names() {
    let refused = |extra: &str| {
        let text = format!(r#"{{"kind": "cumulative_incidence", "outcome": 2{extra}}}"#);
        let settings: Settings = serde_json::from_str(&text).unwrap();
        analysis_of(&settings, &[]).is_err()
    };
    assert!(refused(r#", "targets": [1], "death_competes": false"#));
    assert!(refused(r#", "targets": [1], "competing": [2]"#));
    assert!(refused(r#", "targets": []"#));
    assert!(refused(r#", "targets": [1, 1]"#));
    assert!(refused(r#", "targets": [1], "times_days": [365, -5]"#));
    // All censored: an incidence of 0 without a standard error, and no test.
    let person = Person {
        gender: 8507,
        periods: vec![(0, 9)],
        cohorts: vec![(1, 0, 9), (3, 0, 9)],
        ..Person::default()
    };
    let tables = check(&analysis(r#", "targets": [1, 3]"#), &[person]);
    assert!(real(&tables[0], "incidence").iter().all(|f| *f == Some(0.0)));
    assert!(real(&tables[0], "std_err_incidence").iter().all(Option::is_none));
    assert!(real(&tables[2], "p_value").iter().all(Option::is_none));
}

/// Both of target 1 have the outcome on day 1; of target 3 one has it on day 2
/// and one dies on day 3, when nobody else is left to compare with.
#[test]
fn one_cause_is_tested_without_the_other() {
    let person = |target, outcome: Option<i32>, death| Person {
        periods: vec![(0, 9)],
        cohorts: [(target, 0, 9)].into_iter().chain(outcome.map(|day| (2, day, day))).collect(),
        death,
        ..Person::default()
    };
    let people = [
        person(1, Some(1), None),
        person(1, Some(1), None),
        person(3, Some(2), None),
        person(3, None, Some(3)),
    ];
    let tables = check(&analysis(r#", "targets": [1, 3]"#), &people);
    let words = |column| texts(&tables[2], column).into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(words("outcome"), ["tested"; 2]);
    assert_eq!(words("competing_outcome"), ["the statistic has no variance"; 2]);
    assert!((real(&tables[2], "chi_square")[0].unwrap() - 3.0).abs() < 1e-12);
    assert_eq!(real(&tables[2], "competing_p_value"), [None; 2]);
}

/// At risk from the cohort's end, day 20 or 40, for the index date's first 60
/// days: outcome on day 25 (time 6), death on day 45 (time 6), a rival on day
/// 19, passed over, and one on day 50 (time 31), the end on day 60 (41). Death
/// on day 30 is before the time at risk from day 40.
#[test]
fn a_time_at_risk_after_the_cohort() {
    let person = |cohort_end, others: &[(i64, i32)], death| Person {
        periods: vec![(-100, 200)],
        cohorts: [(1, 0, cohort_end)]
            .into_iter()
            .chain(others.iter().map(|(id, day)| (*id, *day, *day)))
            .collect(),
        death,
        ..Person::default()
    };
    let people = [
        person(20, &[(2, 25)], None),
        person(40, &[], Some(45)),
        person(20, &[(3, 19)], None),
        person(20, &[(3, 50)], None),
        person(40, &[], Some(30)),
    ];
    let window = r#", "targets": [1], "competing": [3], "times_days": [], "time_at_risk": {
        "start": {"anchor": "cohort_end"},
        "end": {"anchor": "cohort_start", "offset_days": 60}}"#;
    let tables = check(&analysis(window), &people);
    assert_eq!(whole(&tables[0], "time_days"), [6, 31, 41].map(Some));
    assert_eq!(whole(&tables[0], "n_event"), [1, 0, 0].map(Some));
    assert_eq!(whole(&tables[0], "n_competing"), [1, 1, 0].map(Some));
    assert_eq!(whole(&tables[0], "n_censor"), [0, 0, 1].map(Some));
    assert_eq!(whole(&tables[1], "n_not_at_risk"), [Some(1)]);
}
