//! `survival` over small populations.

use crate::testing::{Person, check, population, real, run, texts, whole};
use crate::{AnyAnalysis, Settings, analysis_of};
use farr_disclosure::{AggregateTable, Policy, release};

fn survival(extra: &str) -> AnyAnalysis {
    let targets = if extra.contains("targets") { "" } else { r#", "targets": [1]"# };
    let text = format!(r#"{{"kind": "survival", "outcome": 2{targets}{extra}}}"#);
    let settings: Settings = serde_json::from_str(&text).unwrap();
    analysis_of(&settings, &[]).unwrap()
}

/// Four persons enter on day 0: outcome on 10 (woman), censored on 20 (man),
/// outcome on 30 (man), censored on 40 (woman). S = 3/4 from 10, 3/8 from 30;
/// women 1/2 from 10; men 0 from 30.
#[test]
fn curves_by_sex_by_hand() {
    let person = |gender, end, outcome: Option<i32>| Person {
        gender,
        periods: vec![(0, end)],
        cohorts: [(1, 0, end)].into_iter().chain(outcome.map(|day| (2, day, day))).collect(),
        ..Person::default()
    };
    let people = [
        person(8532, 50, Some(10)),
        person(8507, 20, None),
        person(8507, 50, Some(30)),
        person(8532, 40, None),
    ];
    let tables = check(&survival(r#", "strata": ["sex"], "times_days": []"#), &people);
    let curve = &tables[0];
    let gender = whole(curve, "gender_id");
    let survival = real(curve, "survival");
    let of = |sex: Option<i64>| {
        let rows = gender.iter().zip(&survival).filter(|(g, _)| **g == sex);
        rows.map(|(_, s)| s.unwrap()).collect::<Vec<f64>>()
    };
    assert_eq!(of(None), [0.75, 0.75, 0.375, 0.375]);
    assert_eq!(of(Some(8532)), [0.5, 0.5, 0.5, 0.5]);
    assert_eq!(of(Some(8507)), [1.0, 1.0, 0.0, 0.0]);
    let test = tables.last().unwrap();
    assert_eq!(test.name(), "survival_strata_log_rank");
    // Day 10: 2 of 4 at risk are women, one outcome; day 30: 1 of 2. O - E for
    // women is 1 - 1/2 - 1/2 = 0.
    assert_eq!(whole(test, "gender_id"), [Some(8507), Some(8532)]);
    assert_eq!(real(test, "chi_square"), [Some(0.0); 2]);
    assert_eq!(real(test, "degrees_of_freedom"), [Some(1.0); 2]);
}

#[test]
fn strata_add_up_and_shards_do_not_matter() {
    let extra = r#", "strata": ["sex", "age", "year"], "age_breaks": [40, 60]"#;
    let tables = check(&survival(extra), &population(400));
    let names: Vec<&str> = tables.iter().map(AggregateTable::name).collect();
    assert_eq!(names, ["survival", "survival_summary", "survival_strata_log_rank"]);
    assert!(real(&tables[2], "p_value").iter().all(Option::is_some));
}

#[test]
fn nobody_followed_is_no_number() {
    let tables = check(&survival(r#", "strata": ["sex"]"#), &[Person::default()]);
    assert_eq!(tables[0].batch().num_rows(), 0);
    assert_eq!(real(&tables[1], "median_days"), [None]);
    assert!(real(&tables[2], "chi_square").is_empty());
}

/// Two persons of 22 had the outcome before: 22 in the cohort less 20 followed
/// would give them away, in whatever tables of the run these stand.
#[test]
fn a_few_prior_outcomes_do_not_show_as_a_difference() {
    let person = |outcome: Option<i32>| Person {
        gender: 8532,
        periods: vec![(0, 900)],
        cohorts: [(1, 100, 900)].into_iter().chain(outcome.map(|day| (2, day, day))).collect(),
        ..Person::default()
    };
    let people: Vec<Person> =
        [Some(50); 2].into_iter().chain([Some(300); 10]).chain([None; 10]).map(person).collect();
    let overlap: Settings =
        serde_json::from_str(r#"{"kind": "overlap", "cohorts": [1, 2]}"#).unwrap();
    let mut tables = run(&survival(""), &people, 1);
    tables.extend(run(&analysis_of(&overlap, &[]).unwrap(), &people, 1));
    let released = release(tables, &Policy::default()).unwrap();
    let shown = |table: &str, column: &str| {
        let table = released.iter().find(|t| t.get().name() == table).unwrap();
        whole(table.get(), column)[0]
    };
    assert_eq!(shown("survival_summary", "n_prior_outcome"), None);
    let persons = shown("overlap", "n_first");
    let entries = shown("survival_summary", "n_entries");
    assert!(persons.is_none() || entries.is_none(), "{persons:?} less {entries:?}");
}

/// 14 in each of three age groups, 3 of the oldest with the outcome: the test
/// between the groups is withheld with that count, though it is not that of
/// the smallest group.
#[test]
fn a_test_is_withheld_with_the_counts_of_any_stratum() {
    let person = |i: i32| {
        let (group, place) = (i / 20, i % 20);
        let size = [20, 16, 14][group as usize];
        let outcomes = [10, 7, 3][group as usize];
        let cohorts = [(1, 0, 99)].into_iter().chain((place < outcomes).then_some((2, 9, 9)));
        (place < size).then(|| Person {
            gender: 8507,
            birth: Some((1950 - 20 * i64::from(group), 1, 1)),
            periods: vec![(-400, 99)],
            cohorts: cohorts.collect(),
            ..Person::default()
        })
    };
    let people: Vec<Person> = (0..60).filter_map(person).collect();
    let analysis = survival(r#", "strata": ["age"], "age_breaks": [30, 50]"#);
    let released = release(run(&analysis, &people, 1), &Policy::default()).unwrap();
    let test = released.iter().find(|t| t.get().name() == "survival_strata_log_rank").unwrap();
    assert!(whole(test.get(), "n_event").iter().any(Option::is_none));
    assert_eq!(real(test.get(), "p_value"), [None; 3]);
}

/// Bad data: each has a word for it, and null instead of a number.
#[test]
fn what_cannot_be_estimated_has_a_name() {
    let person = |gender, outcome: Option<i32>| Person {
        gender,
        periods: vec![(0, 50)],
        cohorts: [(1, 0, 50)].into_iter().chain(outcome.map(|day| (2, day, day))).collect(),
        ..Person::default()
    };
    let outcomes = |people: &[Person]| {
        let tables = check(&survival(r#", "targets": [1, 4], "strata": ["sex"]"#), people);
        let of = |place: usize| -> Vec<String> {
            texts(&tables[place], "outcome").into_iter().map(Option::unwrap).collect()
        };
        for column in ["chi_square", "p_value"] {
            let numbers = real(&tables[3], column);
            assert!(numbers.iter().flatten().all(|x| x.is_finite()), "{column}");
        }
        (of(1), of(2), of(3))
    };
    let few = "fewer than two groups with anybody followed";
    // All censored, in both sexes; nobody in cohort 4.
    let censored = [person(8507, None), person(8532, None)];
    let (summary, targets, strata) = outcomes(&censored);
    assert_eq!(summary, ["no events", "no events", "no events", "nobody followed"]);
    assert_eq!((targets, strata), (vec![few.to_owned(); 2], vec!["no events".to_owned(); 2]));
    // One group empty.
    let (summary, _, strata) = outcomes(&[person(8507, Some(9)), person(8507, None)]);
    assert_eq!(summary, ["estimated", "estimated", "nobody followed"]);
    assert_eq!(strata, [few]);
    // Tied times only, everybody with the outcome: no variance to test with.
    let tied = [person(8507, Some(9)), person(8532, Some(9))];
    let (summary, _, strata) = outcomes(&tied);
    assert_eq!(summary, ["estimated", "estimated", "estimated", "nobody followed"]);
    assert_eq!(strata, ["the statistic has no variance"; 2]);
    // The men leave before the first outcome.
    let early = Person { periods: vec![(0, 5)], ..person(8507, None) };
    let (_, _, strata) = outcomes(&[early, person(8532, Some(9)), person(8532, None)]);
    assert_eq!(strata, ["fewer than two groups at risk at an event"; 2]);
}

/// Index date 0; at risk from day 30 to day 99: time zero is day 29. Outcome on
/// day 30 (time 1), censored with observation on 69 (40), still free on 99
/// (70), outcome on day 10 (prior), death on day 20 (not at risk).
#[test]
fn a_time_at_risk_of_its_own() {
    let person = |end, outcome: Option<i32>, death| Person {
        periods: vec![(-100, end)],
        cohorts: [(1, 0, 5)].into_iter().chain(outcome.map(|day| (2, day, day))).collect(),
        death,
        ..Person::default()
    };
    let people = [
        person(200, Some(30), None),
        person(69, None, None),
        person(200, Some(100), None),
        person(200, Some(10), None),
        person(200, None, Some(20)),
    ];
    let window = r#", "times_days": [], "time_at_risk": {
        "start": {"anchor": "cohort_start", "offset_days": 30},
        "end": {"anchor": "cohort_start", "offset_days": 99}}"#;
    let tables = check(&survival(window), &people);
    assert_eq!(whole(&tables[0], "time_days"), [1, 40, 70].map(Some));
    assert_eq!(whole(&tables[0], "n_risk"), [3, 2, 1].map(Some));
    let summary = |column| whole(&tables[1], column)[0].unwrap();
    assert_eq!(
        ["n_entries", "n_event", "n_censor", "n_prior_outcome", "n_unobserved", "n_not_at_risk"]
            .map(summary),
        [3, 1, 2, 1, 0, 1]
    );
    assert_eq!(summary("follow_up_days"), 111);
    let refused = r#"{"kind": "survival", "targets": [1], "outcome": 2,
        "time_at_risk": {"start": {"anchor": "cohort_start", "offset_days": 30},
                         "end": {"anchor": "cohort_start", "offset_days": 10}}}"#;
    let settings: Settings = serde_json::from_str(refused).unwrap();
    let Err(error) = analysis_of(&settings, &[]) else { panic!("accepted") };
    assert!(error.to_string().contains("time_at_risk"), "{error}");
}

/// Two of 22 die before the time at risk: their number, and what would give it
/// away, are withheld in whatever tables of the run they stand.
#[test]
fn a_few_not_at_risk_do_not_show_as_a_difference() {
    let person = |death| Person {
        gender: 8532,
        periods: vec![(0, 900)],
        cohorts: vec![(1, 100, 900), (2, 500, 500)],
        death,
        ..Person::default()
    };
    let people: Vec<Person> = [Some(110); 2].into_iter().chain([None; 20]).map(person).collect();
    let overlap: Settings =
        serde_json::from_str(r#"{"kind": "overlap", "cohorts": [1, 2]}"#).unwrap();
    let later = r#", "strata": ["sex"],
        "time_at_risk": {"start": {"anchor": "cohort_start", "offset_days": 30}}"#;
    let mut tables = run(&survival(later), &people, 1);
    tables.extend(run(&analysis_of(&overlap, &[]).unwrap(), &people, 1));
    let released = release(tables, &Policy::default()).unwrap();
    let shown = |table: &str, column: &str| {
        let table = released.iter().find(|t| t.get().name() == table).unwrap();
        whole(table.get(), column)
    };
    assert_eq!(shown("survival_summary", "n_not_at_risk"), [None, None]);
    let persons = shown("overlap", "n_first")[0];
    let entries = shown("survival_summary", "n_entries");
    assert!(persons.is_none() || entries == [None, None], "{persons:?} less {entries:?}");
}
