//! `regression` over small populations.

use farr_disclosure::{Policy, release};
use farr_stats::survival::FollowUp;
use farr_stats::survival::cox::{CoxData, CoxOptions, cox};

use crate::testing::{Person, check, population, real, run, texts, whole};
use crate::{AnyAnalysis, Settings, analysis_of};

fn analysis(model: &str, covariates: &str) -> AnyAnalysis {
    analysis_with(model, covariates, "")
}

fn analysis_with(model: &str, covariates: &str, extra: &str) -> AnyAnalysis {
    let text = format!(
        r#"{{"kind": "regression", "target": 1, "outcome": 2, "model": "{model}",
            "covariates": [{covariates}]{extra}}}"#
    );
    let settings: Settings = serde_json::from_str(&text).unwrap();
    analysis_of(&settings, &[]).unwrap()
}

const ALL: &str = r#"
    {"kind": "age", "name": "age", "per_years": 10},
    {"kind": "sex", "name": "sex"},
    {"kind": "cohort", "name": "exposed", "cohort": 3, "window": [-30, 0]},
    {"kind": "concept", "name": "101", "domain": "condition", "concepts": [101]},
    {"kind": "visits", "name": "visits", "window": [-365, 0]},
    {"kind": "measurement", "name": "hba1c", "concepts": [3004410], "missing": "indicator"},
    {"kind": "charlson", "name": "charlson", "window": [-365, 0],
     "conditions": [{"name": "mi", "weight": 1, "prefixes": ["I21"]}]}"#;

#[test]
fn every_model_over_every_covariate() {
    let people = population(600);
    for model in ["cox", "fine_gray", "poisson", "logistic"] {
        let tables = check(&analysis(model, ALL), &people);
        let outcomes = texts(&tables[0], "outcome");
        assert!(outcomes.iter().all(|o| o.as_deref() == Some("fitted")), "{model}: {outcomes:?}");
        assert!(real(&tables[0], "std_err")[1..].iter().all(|se| se.is_some_and(|se| se > 0.0)));
        assert!(real(&tables[0], "log_likelihood")[0].is_some_and(|l| l < 0.0));
        let terms = texts(&tables[0], "term");
        let exposed = terms.iter().position(|t| t.as_deref() == Some("exposed")).unwrap();
        assert!(real(&tables[0], "ratio")[exposed].unwrap() > 1.3, "{model}");
    }
}

/// The one covariate's model against the kernel, rows in the order of ids.
#[test]
fn cox_is_the_kernels() {
    let people = population(300);
    let tables = check(
        &analysis("cox", r#"{"kind": "cohort", "name": "x", "cohort": 3, "window": [-30, 0]}"#),
        &people,
    );
    let (mut time, mut event, mut x) = (Vec::new(), Vec::new(), Vec::new());
    for person in &people {
        let (_, index, _) = person.cohorts[0];
        let outcome = person.cohorts.iter().find(|c| c.0 == 2).map(|c| c.1);
        let end = person.periods[0].1;
        if outcome == Some(index) {
            continue;
        }
        let seen = outcome.filter(|day| *day <= end);
        time.push(f64::from(seen.unwrap_or(end) - index));
        event.push(seen.is_some());
        x.push(f64::from(u8::from(person.cohorts.iter().any(|c| c.0 == 3))));
    }
    let columns = [x.as_slice()];
    let rows = FollowUp::new(&time, &event);
    let data = CoxData { rows, covariates: &columns, strata: None };
    let expected = cox(&data, &CoxOptions::default()).unwrap().fit.coefficients[0];
    let found = real(&tables[0], "coefficient")[1].unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    assert_eq!(whole(&tables[1], "n_persons")[0], Some(time.len() as i64));
}

/// Ten persons of one age; the exposed have the outcome, nobody else.
fn separated() -> Vec<Person> {
    let person = |i: i32| {
        let mut cohorts = vec![(1, 0, 99)];
        if i % 2 == 0 {
            cohorts.extend([(2, 10 + i, 10 + i), (3, 0, 0)]);
        }
        Person {
            gender: 8507,
            birth: Some((1930, 1, 1)),
            periods: vec![(-400, 99)],
            cohorts,
            ..Person::default()
        }
    };
    (0..10).map(person).collect()
}

#[test]
fn bad_data_has_a_named_outcome() {
    let exposed = r#"{"kind": "cohort", "name": "exposed", "cohort": 3}"#;
    let age = r#"{"kind": "age", "name": "age"}"#;
    for model in ["cox", "fine_gray", "poisson", "logistic"] {
        let tables = check(&analysis(model, &format!("{exposed}, {age}")), &separated());
        let outcomes = texts(&tables[0], "outcome");
        let constant = Some("constant column".to_owned());
        let model_outcome = Some("separation".to_owned());
        let term_outcome = Some("not fitted: separation".to_owned());
        assert_eq!(outcomes, [model_outcome, term_outcome, constant], "{model}");
        assert!(real(&tables[0], "ratio").iter().all(Option::is_none), "{model}");
    }
    let twice = format!(r#"{exposed}, {{"kind": "cohort", "name": "again", "cohort": 3}}"#);
    let tables = check(&analysis("cox", &twice), &population(300));
    // Only 1 in 30 entered the exposure on the index date.
    assert_eq!(texts(&tables[0], "outcome")[2], Some("collinear column".to_owned()));
    let nobody = check(&analysis("cox", exposed), &[Person::default()]);
    assert_eq!(texts(&nobody[0], "outcome")[0], Some("no events".to_owned()));
}

#[test]
fn missing_values_are_dropped_and_counted() {
    let people = population(300);
    let hba1c = |missing: &str| {
        let text = format!(
            r#"{{"kind": "measurement", "name": "hba1c", "concepts": [3004410],
                "missing": "{missing}"}}"#
        );
        check(&analysis("cox", &text), &people)
    };
    let (dropped, kept) = (hba1c("drop"), hba1c("indicator"));
    let missing = whole(&dropped[1], "n_missing")[0].unwrap();
    assert!(missing > 0);
    let persons = |tables: &[farr_disclosure::AggregateTable]| whole(&tables[1], "n_persons")[0];
    assert_eq!(persons(&dropped).unwrap() + missing, persons(&kept).unwrap());
    assert_eq!(texts(&kept[0], "term")[2], Some("hba1c missing".to_owned()));
}

/// With nothing said of small counts, a model would still give them away: one
/// 0/1 term's coefficient and the log likelihood are functions of its four
/// counts.
#[test]
fn a_model_is_withheld_with_any_of_its_counts() {
    let person = |i: i32| {
        // Four of 40 exposed have the outcome, 10 of 40 others.
        let exposed = i < 40;
        let place = i % 40;
        let mut cohorts = vec![(1, 0, 99)];
        cohorts.extend(exposed.then_some((3, 0, 0)));
        cohorts.extend((place < if exposed { 4 } else { 10 }).then_some((2, 10 + i, 10 + i)));
        Person { gender: 8507, periods: vec![(-400, 99)], cohorts, ..Person::default() }
    };
    let people: Vec<Person> = (0..80).map(person).collect();
    let exposed = r#"{"kind": "cohort", "name": "exposed", "cohort": 3}"#;
    let tables = run(&analysis("logistic", exposed), &people, 1);
    let released = release(tables.clone(), &Policy::default()).unwrap();
    let terms = released[0].get();
    assert!(whole(terms, "n_event_with").iter().all(Option::is_none));
    assert_eq!(real(tables[0].get(), "coefficient").iter().flatten().count(), 2);
    for column in ["coefficient", "std_err", "ratio", "z", "p_value", "log_likelihood"] {
        assert!(real(terms, column).iter().all(Option::is_none), "{column}");
    }
    assert!(texts(terms, "outcome").iter().all(Option::is_none));
}

/// Three of 60 have no measurement: the persons of the model beside those of a
/// curve over the same follow-up would give them away.
#[test]
fn those_left_out_do_not_show_beside_a_curve() {
    let person = |i: i32| Person {
        gender: 8507,
        periods: vec![(-400, 99)],
        cohorts: [(1, 0, 99)].into_iter().chain((i % 3 == 0).then_some((2, 10, 10))).collect(),
        measurements: (i >= 3).then_some((7, -5, Some(f64::from(i % 7)))).into_iter().collect(),
        ..Person::default()
    };
    let people: Vec<Person> = (0..60).map(person).collect();
    let lab = r#"{"kind": "measurement", "name": "lab", "concepts": [7], "missing": "drop"}"#;
    let curve = r#"{"kind": "survival", "targets": [1], "outcome": 2}"#;
    let curve: Settings = serde_json::from_str(curve).unwrap();
    let mut tables = run(&analysis("cox", lab), &people, 1);
    tables.extend(run(&analysis_of(&curve, &[]).unwrap(), &people, 1));
    let released = release(tables, &Policy::default()).unwrap();
    let shown = |table: &str, column: &str| {
        let table = released.iter().find(|t| t.get().name() == table).unwrap();
        whole(table.get(), column)[0]
    };
    assert_eq!(shown("regression_persons", "n_missing"), None);
    let followed = shown("survival_summary", "n_entries");
    assert!(followed.is_none() || shown("regression", "n_persons").is_none());
    let outcomes = shown("survival_summary", "n_event");
    assert!(outcomes.is_none() || shown("regression", "n_event").is_none());
}

/// One entry into the cohort on day 0, of a person who is in the exposure if
/// `exposed`, and has the outcome or leaves on a day.
fn follow(exposed: bool, outcome: Option<i32>, end: i32) -> Person {
    let cohorts = [(1, 0, end)].into_iter();
    let cohorts = cohorts.chain(outcome.map(|day| (2, day, day)));
    Person {
        gender: 8507,
        birth: Some((1930, 1, 1)),
        periods: vec![(-400, end)],
        cohorts: cohorts.chain(exposed.then_some((3, 0, 0))).collect(),
        ..Person::default()
    }
}

const MODELS: [&str; 4] = ["cox", "fine_gray", "poisson", "logistic"];
const EXPOSED: &str = r#"{"kind": "cohort", "name": "exposed", "cohort": 3}"#;

/// The outcomes of the model and of its terms; numbers are finite or null.
fn outcomes(model: &str, covariates: &str, people: &[Person]) -> Vec<String> {
    let tables = check(&analysis(model, covariates), people);
    let outcomes = texts(&tables[0], "outcome").into_iter().map(Option::unwrap);
    let outcomes: Vec<String> = outcomes.collect();
    for column in ["coefficient", "std_err", "ratio", "ratio_lower", "ratio_upper", "p_value"] {
        let numbers = real(&tables[0], column);
        assert!(numbers.iter().flatten().all(|x| x.is_finite()), "{model}: {column}");
        for (number, outcome) in numbers.iter().zip(&outcomes) {
            assert!(number.is_none() || outcome == "fitted", "{model}: {column} of {outcome}");
        }
    }
    outcomes
}

#[test]
fn without_an_event_no_model_has_numbers() {
    let people: Vec<Person> = (0..20).map(|i| follow(i % 2 == 0, None, 50 + i)).collect();
    for model in MODELS {
        assert_eq!(outcomes(model, EXPOSED, &people), ["no events", "not fitted: no events"]);
    }
}

#[test]
fn an_empty_group_is_a_constant_column() {
    let people: Vec<Person> =
        (0..20).map(|i| follow(false, (i % 3 == 0).then_some(5 + i), 50)).collect();
    for model in MODELS {
        let found = outcomes(model, EXPOSED, &people);
        assert_eq!(found, ["constant columns", "constant column"], "{model}");
    }
}

#[test]
fn collinear_columns_go_the_later_first() {
    let people: Vec<Person> =
        (0..60).map(|i| follow(i % 2 == 0, (i % 3 == 0).then_some(5 + i), 90)).collect();
    let twice = format!(r#"{EXPOSED}, {{"kind": "cohort", "name": "again", "cohort": 3}}"#);
    for model in MODELS {
        let found = outcomes(model, &twice, &people);
        let terms = &found[found.len() - 2..];
        assert_eq!(terms, ["fitted", "collinear column"], "{model}");
    }
}

/// All leave on one day, a third of the exposed and half of the others with the
/// outcome.
#[test]
fn tied_times_only_are_fitted() {
    let people: Vec<Person> = (0..60)
        .map(|i| {
            let exposed = i < 30;
            let has_outcome = if exposed { i % 3 == 0 } else { i % 2 == 0 };
            follow(exposed, has_outcome.then_some(40), 40)
        })
        .collect();
    for model in MODELS {
        let found = outcomes(model, EXPOSED, &people);
        assert!(found.iter().all(|outcome| outcome == "fitted"), "{model}: {found:?}");
    }
    let tables = check(&analysis("poisson", EXPOSED), &people);
    // Rates of 10 and 15 of 30 over equal time.
    let ratio = real(&tables[0], "ratio").last().copied().flatten().unwrap();
    assert!((ratio - 10.0 / 15.0).abs() < 1e-9, "{ratio}");
}

#[test]
fn an_outcome_in_everybody_is_named() {
    let people: Vec<Person> = (0..20).map(|i| follow(i % 3 == 0, Some(5 + i % 7), 90)).collect();
    assert_eq!(outcomes("logistic", EXPOSED, &people)[0], "constant outcome");
    assert_eq!(outcomes("cox", EXPOSED, &people)[0], "fitted");
}

/// Missing and infinite values are no values; ones that no square can hold
/// have a name.
#[test]
fn values_that_are_none_or_too_far_apart() {
    let with = |value: fn(i32) -> Option<f64>| -> Vec<Person> {
        let person = |i: i32| Person {
            measurements: vec![(7, -5, value(i))],
            ..follow(false, (i % 3 == 0).then_some(5 + i), 90)
        };
        (0..40).map(person).collect()
    };
    let lab = r#"{"kind": "measurement", "name": "lab", "concepts": [7], "missing": "drop"}"#;
    for value in [|_| None, |_| Some(f64::NAN), |_| Some(f64::INFINITY)] {
        for model in MODELS {
            assert_eq!(outcomes(model, lab, &with(value))[0], "no events", "{model}");
        }
    }
    let huge = with(|i| Some(if i % 2 == 0 { 1e200 } else { -1e200 }));
    for model in MODELS {
        let found = outcomes(model, lab, &huge);
        assert!(found.iter().all(|outcome| !outcome.is_empty()), "{model}: {found:?}");
    }
    assert_eq!(outcomes("cox", lab, &huge)[0], "extreme values");
}

/// The Charlson index of ICD-10 codes: Quan's lists, unless others are named.
#[test]
fn charlson_has_lists_of_its_own() {
    let person = |i: i32| Person {
        conditions: [(1, -9, "I21.4"), (2, -9, "E11.9"), (3, -9, "C78")][..(i % 4) as usize].into(),
        ..follow(false, (i % 3 == 0).then_some(5 + i), 90)
    };
    let people: Vec<Person> = (0..60).map(person).collect();
    let charlson = r#"{"kind": "charlson", "name": "score"}"#;
    let named = r#"{"kind": "charlson", "name": "score", "conditions": [
        {"name": "ami", "weight": 1, "prefixes": ["I21"]},
        {"name": "diab", "weight": 1, "prefixes": ["E119"]},
        {"name": "metacanc", "weight": 6, "prefixes": ["C78"]}]}"#;
    let of = |text| real(&check(&analysis("cox", text), &people)[0], "coefficient");
    assert_eq!(of(charlson), of(named));
    assert!(of(charlson)[1].is_some());
}

/// From day 30 to day 99 after the index date. Exposed: 6 outcomes at time 30
/// and 4 censored at 70; others: 3 and 7. Two with an outcome on day 10 are
/// left out, and one whose observation ends on day 20.
#[test]
fn a_time_at_risk_of_its_own() {
    let group = |exposed, outcomes: usize| {
        let of = move |i| follow(exposed, (i < outcomes).then_some(59), 200);
        (0..10).map(of).collect::<Vec<Person>>()
    };
    let mut people = [group(true, 6), group(false, 3)].concat();
    people.extend([follow(true, Some(10), 200), follow(false, Some(10), 200)]);
    people.push(follow(true, None, 20));
    let window = r#", "time_at_risk": {
        "start": {"anchor": "cohort_start", "offset_days": 30},
        "end": {"anchor": "cohort_start", "offset_days": 99}}"#;
    let tables = check(&analysis_with("poisson", EXPOSED, window), &people);
    let ratio = real(&tables[0], "ratio").last().copied().flatten().unwrap();
    let by_hand = (6.0 / f64::from(6 * 30 + 4 * 70)) / (3.0 / f64::from(3 * 30 + 7 * 70));
    assert!((ratio - by_hand).abs() < 1e-9, "{ratio} is not {by_hand}");
    let all = |column| whole(&tables[1], column)[0].unwrap();
    assert_eq!(
        ["n_entries", "n_persons", "n_prior_outcome", "n_unobserved", "n_not_at_risk"].map(all),
        [20, 20, 2, 0, 1]
    );
}
