//! `prevalence` over small populations, and against obvious code.

use farr_records::{Day, Interval};

use super::calendar::Window;
use crate::testing::{Person, check, population, real, texts, whole};
use crate::{AnyAnalysis, CalendarInterval, Settings, TimePoint, analysis_of};

fn settings(extra: &str) -> Settings {
    let text = format!(r#"{{"kind": "prevalence", "outcomes": [2]{extra}}}"#);
    serde_json::from_str(&text).unwrap()
}

fn analysis(extra: &str) -> AnyAnalysis {
    analysis_of(&settings(extra), &[]).unwrap()
}

fn day(text: &str) -> i32 {
    Day::parse(text).unwrap().0
}

/// One woman observed from July 2018 to 2020, with the outcome in May 2020;
/// one man observed in all of 2019 and 2020, with it in March 2019; both are
/// 40 on 1 January 2020.
fn two() -> Vec<Person> {
    let person = |gender, period: (&str, &str), outcome: (&str, &str)| Person {
        gender,
        birth: Some((1980, 1, 1)),
        periods: vec![(day(period.0), day(period.1))],
        cohorts: vec![(2, day(outcome.0), day(outcome.1))],
        ..Person::default()
    };
    vec![
        person(8532, ("2018-07-01", "2020-12-31"), ("2020-05-01", "2020-05-31")),
        person(8507, ("2019-01-01", "2020-12-31"), ("2019-03-01", "2019-03-31")),
    ]
}

#[test]
fn years_by_hand() {
    let tables = check(&analysis(""), &two());
    // 2018 is not complete.
    assert_eq!(whole(&tables[0], "denominator_count"), [Some(2), Some(2)]);
    assert_eq!(whole(&tables[0], "outcome_count"), [Some(1), Some(1)]);
    let any = check(&analysis(r#", "complete_database_intervals": false"#), &two());
    assert_eq!(whole(&any[0], "denominator_count"), [1, 2, 2].map(Some));
    let full = r#", "complete_database_intervals": false, "full_contribution": true,
        "intervals": ["years", "overall"]"#;
    // The woman covers what there is of 2018, and alone covers all days.
    let full = check(&analysis(full), &two());
    assert_eq!(whole(&full[0], "denominator_count"), [1, 2, 2, 1].map(Some));
    assert_eq!(whole(&full[0], "outcome_count"), [0, 1, 1, 1].map(Some));
    let prior = check(&analysis(r#", "prior_observation_days": 365"#), &two());
    // From July 2019 and from January 2020: 2020 only is complete.
    assert_eq!(whole(&prior[0], "denominator_count"), [Some(2)]);
}

#[test]
fn points_by_hand() {
    let extra = r#", "measure": "point", "time_point": "middle", "intervals": ["months"],
        "strata": ["sex", "age"], "age_breaks": [40],
        "study_window": {"start": "2020-04-01", "end": "2020-06-30"}"#;
    let tables = check(&analysis(extra), &two());
    let table = &tables[0];
    let rows: Vec<_> = whole(table, "gender_id")
        .into_iter()
        .zip(texts(table, "age_group"))
        .zip(whole(table, "denominator_count").into_iter().zip(whole(table, "outcome_count")))
        .filter(|((gender, age), _)| *gender == Some(8532) && age.as_deref() == Some(">=40"))
        .map(|(_, counts)| counts)
        .collect();
    assert_eq!(rows, [(Some(1), Some(0)), (Some(1), Some(1)), (Some(1), Some(0))]);
}

/// Two groups, 1 of 1 and 0 of 1, weighted 1 to 3: 1/4.
#[test]
fn standardised_by_hand() {
    let mut people = two();
    people[0].birth = Some((1950, 6, 1));
    let extra = r#", "strata": ["age"], "age_breaks": [60],
        "study_window": {"start": "2020-01-01", "end": "2020-12-31"},
        "standard_population": [{"age_group": ">=60", "weight": 1},
                                {"age_group": "<60", "weight": 3}]"#;
    let tables = check(&analysis(extra), &people);
    assert_eq!(tables[1].name(), "prevalence_standardised");
    assert_eq!(real(&tables[1], "prevalence"), [Some(0.25)]);
    assert!(real(&tables[1], "prevalence_upper")[0].is_some_and(|upper| upper <= 1.0));
    let alone = check(&analysis(extra), &people[..1]);
    assert_eq!(real(&alone[1], "prevalence"), [None]);
    assert_eq!(texts(&alone[1], "outcome"), [Some("an age group has nobody".to_owned())]);
}

#[test]
fn bad_settings_are_named() {
    for extra in [
        r#", "measure": "point", "intervals": ["overall"]"#,
        r#", "strata": ["year"]"#,
        r#", "intervals": []"#,
        r#", "standard_population": [{"age_group": "<60", "weight": 1}]"#,
        r#", "strata": ["age"], "standard_population": [{"age_group": "6-7", "weight": 1}]"#,
        r#", "study_window": {"start": "2020-01-01", "end": "2019-12-31"}"#,
        r#", "targets": [3, 1, 3]"#,
        r#", "strata": ["age"], "age_breaks": [60], "standard_population":
            [{"age_group": "<60", "weight": 1}, {"age_group": "<60", "weight": 1}]"#,
    ] {
        assert!(analysis_of(&settings(extra), &[]).is_err(), "{extra}");
    }
}

/// Declared relations hold and shards do not matter, for each rule.
#[test]
fn every_rule_adds_up() {
    let people = population(300);
    for rule in [
        r#", "intervals": ["years", "quarters", "months", "weeks", "overall"]"#,
        r#", "full_contribution": true, "intervals": ["years", "overall"]"#,
        r#", "full_contribution": true, "complete_database_intervals": false"#,
        r#", "measure": "point", "time_point": "end", "intervals": ["quarters"]"#,
        r#", "targets": [1, 3], "intervals": ["months"]"#,
    ] {
        let extra = format!(r#"{rule}, "strata": ["sex", "age"], "age_breaks": [40, 60]"#);
        let tables = check(&analysis(&extra), &people);
        assert!(tables[0].batch().num_rows() > 0, "{rule}");
    }
}

/// Each interval in turn, person by person, against the counts by difference.
#[test]
fn totals_agree_with_obvious_code() {
    let people: Vec<Person> =
        population(200).into_iter().filter(|p| p.birth.is_some() && p.gender != 0).collect();
    let extent = Interval {
        start: Day(people.iter().map(|p| p.periods[0].0).min().unwrap()),
        end: Day(people.iter().map(|p| p.periods[0].1).max().unwrap()),
    };
    let months = CalendarInterval::Months;
    let numbers = months.number_of(extent.start)..=months.number_of(extent.end);
    for (extra, window, full) in [
        (r#", "intervals": ["months"]"#, Window::All, false),
        (r#", "intervals": ["months"], "full_contribution": true"#, Window::All, true),
        (r#", "intervals": ["months"], "measure": "point""#, Window::Day(TimePoint::Start), false),
    ] {
        let mut expected = Vec::new();
        for number in numbers.clone() {
            let days = months.window(number, window);
            if !(extent.start <= days.start && days.end <= extent.end) {
                continue;
            }
            let mut counts = (0, 0);
            for person in &people {
                let (start, end) = person.periods[0];
                let period = Interval { start: Day(start), end: Day(end) };
                let Some(inside) = period.intersect(days) else { continue };
                if full && inside != days {
                    continue;
                }
                let mut rows = person.cohorts.iter().filter(|row| row.0 == 2);
                counts.0 += 1;
                counts.1 += i64::from(rows.any(|row| {
                    let row = Interval { start: Day(row.1), end: Day(row.2) };
                    row.intersect(inside).is_some()
                }));
            }
            expected.push((Some(counts.0), Some(counts.1)));
        }
        let tables = check(&analysis(extra), &people);
        let found: Vec<_> = whole(&tables[0], "denominator_count")
            .into_iter()
            .zip(whole(&tables[0], "outcome_count"))
            .collect();
        assert_eq!(found, expected, "{extra}");
    }
}
