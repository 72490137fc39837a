//! Follow-up by hand, and against a walk through its days.

use proptest::prelude::*;

use super::*;
use crate::{Anchor, AnchorSettings};

fn interval(start: i32, end: i32) -> Interval {
    Interval::new(Day(start), Day(end)).unwrap()
}

fn row(start: i32, end: i32) -> CohortRow {
    CohortRow { person: 0, interval: interval(start, end) }
}

fn rules(change: impl Fn(&mut Rules)) -> Rules {
    let mut rules = Rules { remove_prior_outcome: true, censor_at_death: true, ..Rules::default() };
    change(&mut rules);
    rules
}

fn ends(death: Option<i32>, competing: Option<i32>) -> Ends {
    Ends { observed: interval(0, 100), death: death.map(Day), competing: competing.map(Day) }
}

/// Index day 10, observed until 100; outcomes at 40 and 70.
#[test]
fn the_first_outcome_in_time_counts() {
    let outcomes = [row(40, 45), row(70, 70)];
    let default = rules(|_| {});
    let of = |rules: &Rules, outcomes: &[CohortRow], death: Option<i32>| {
        rules.exit(&row(10, 60), outcomes, ends(death, None))
    };
    assert_eq!(of(&default, &outcomes, None), Exit::Outcome(30));
    assert_eq!(of(&default, &[], None), Exit::Censored(90));
    assert_eq!(of(&default, &outcomes, Some(39)), Exit::Censored(29));
    assert_eq!(of(&default, &outcomes, Some(40)), Exit::Outcome(30));
    assert_eq!(of(&default, &[row(101, 101)], None), Exit::Censored(90));
    let until_cohort_end = rules(|r| r.censor_at_cohort_end = true);
    assert_eq!(of(&until_cohort_end, &outcomes[1..], None), Exit::Censored(50));
    let short = rules(|r| r.follow_up_days_max = Some(29));
    assert_eq!(of(&short, &outcomes, None), Exit::Censored(29));
}

#[test]
fn prior_outcomes_remove_or_are_passed_over() {
    let outcomes = [row(5, 5), row(10, 10), row(50, 50)];
    let of = |rules: &Rules, outcomes: &[CohortRow]| {
        rules.exit(&row(10, 60), outcomes, ends(None, None))
    };
    assert_eq!(of(&rules(|_| {}), &outcomes), Exit::PriorOutcome);
    assert_eq!(of(&rules(|r| r.remove_prior_outcome = false), &outcomes), Exit::Outcome(40));
    let recent = rules(|r| r.prior_outcome_days = Some(4));
    assert_eq!(of(&recent, &[row(5, 5), row(50, 50)]), Exit::Outcome(40));
    assert_eq!(of(&recent, &[row(6, 6), row(50, 50)]), Exit::PriorOutcome);
}

#[test]
fn the_outcome_wins_on_the_day_of_death() {
    let competing = rules(|r| r.death_competes = true);
    let of =
        |death, cohort| competing.exit(&row(10, 60), &[row(40, 45)], ends(Some(death), cohort));
    assert_eq!(of(40, None), Exit::Outcome(30));
    assert_eq!(of(39, None), Exit::Competing(29));
    assert_eq!(of(50, Some(20)), Exit::Competing(10));
    assert_eq!(of(10, None), Exit::Competing(0));
    // A death before the index date is taken for one on it.
    assert_eq!(of(4, None), Exit::Competing(0));
    // Death after the last day observed is not seen.
    assert_eq!(competing.exit(&row(10, 60), &[], ends(Some(101), None)), Exit::Censored(90));
}

fn at(anchor: Anchor, offset_days: i32) -> AnchorSettings {
    AnchorSettings { anchor, offset_days }
}

/// Time at risk from and to days after the index date.
fn window(start: i32, end: Option<i32>) -> RiskWindowSettings {
    let day = |offset| at(Anchor::CohortStart, offset);
    RiskWindowSettings { start: day(start), end: end.map(day) }
}

/// Index day 10, end of the cohort 60, observed 0 to 100.
fn exit_of(rules: &Rules, outcomes: &[i32], death: Option<i32>, rival: Option<i32>) -> Exit {
    let outcomes: Vec<CohortRow> = outcomes.iter().map(|day| row(*day, *day)).collect();
    rules.exit(&row(10, 60), &outcomes, ends(death, rival))
}

/// From 30 days after the index date, day 40: time zero is day 39.
#[test]
fn a_later_start_moves_time_zero() {
    let later = rules(|r| r.time_at_risk = window(30, None));
    let of = |outcomes: &[i32], death| exit_of(&later, outcomes, death, None);
    assert_eq!(of(&[40], None), Exit::Outcome(1));
    assert_eq!(of(&[50], None), Exit::Outcome(11));
    assert_eq!(of(&[], None), Exit::Censored(61));
    // Between index date and time at risk: a prior outcome.
    assert_eq!(of(&[39, 50], None), Exit::PriorOutcome);
    // Death on time zero leaves no day, earlier death not even that.
    assert_eq!(of(&[], Some(39)), Exit::Censored(0));
    assert_eq!(of(&[], Some(38)), Exit::NotAtRisk);
    assert_eq!(of(&[20], Some(38)), Exit::PriorOutcome);
    let passed = Rules { remove_prior_outcome: false, ..later.clone() };
    assert_eq!(exit_of(&passed, &[20, 50], None, None), Exit::Outcome(11));
    // The lookback counts from the index date, here to day 5.
    let recent = Rules { prior_outcome_days: Some(5), ..later.clone() };
    assert_eq!(exit_of(&recent, &[4, 50], None, None), Exit::Outcome(11));
    assert_eq!(exit_of(&recent, &[5, 50], None, None), Exit::PriorOutcome);
    // So does the longest follow-up: to day 45.
    let short = Rules { follow_up_days_max: Some(35), ..later.clone() };
    assert_eq!(exit_of(&short, &[46], None, None), Exit::Censored(6));
    let competing = Rules { death_competes: true, ..later.clone() };
    assert_eq!(exit_of(&competing, &[], Some(39), None), Exit::Competing(0));
    assert_eq!(exit_of(&competing, &[], Some(38), None), Exit::NotAtRisk);
    assert_eq!(exit_of(&competing, &[], Some(45), Some(41)), Exit::Competing(2));
}

/// With offset 0 the index date is the first day at risk.
#[test]
fn the_index_date_may_count() {
    let from_index = rules(|r| r.time_at_risk = window(0, None));
    assert_eq!(exit_of(&from_index, &[10], None, None), Exit::Outcome(1));
    assert_eq!(exit_of(&from_index, &[9], None, None), Exit::PriorOutcome);
    assert_eq!(exit_of(&from_index, &[], Some(10), None), Exit::Censored(1));
    // A start before observation is its first day: day -10 becomes day 0.
    let before = rules(|r| r.time_at_risk = window(-20, None));
    assert_eq!(exit_of(&before, &[0], None, None), Exit::Outcome(1));
    assert_eq!(exit_of(&before, &[9], None, None), Exit::Outcome(10));
    assert_eq!(exit_of(&before, &[-1], None, None), Exit::PriorOutcome);
}

#[test]
fn an_end_anchor_ends_follow_up() {
    let month = rules(|r| r.time_at_risk = window(1, Some(30)));
    assert_eq!(exit_of(&month, &[40], None, None), Exit::Outcome(30));
    assert_eq!(exit_of(&month, &[41], None, None), Exit::Censored(30));
    assert_eq!(exit_of(&month, &[41], Some(20), None), Exit::Censored(10));
    // On treatment and 14 days more: to day 74.
    let treated = rules(|r| r.time_at_risk.end = Some(at(Anchor::CohortEnd, 14)));
    assert_eq!(exit_of(&treated, &[74], None, None), Exit::Outcome(64));
    assert_eq!(exit_of(&treated, &[75], None, None), Exit::Censored(64));
    // After treatment, from day 61.
    let after = rules(|r| r.time_at_risk.start = at(Anchor::CohortEnd, 1));
    assert_eq!(exit_of(&after, &[61], None, None), Exit::Outcome(1));
    assert_eq!(exit_of(&after, &[60], None, None), Exit::PriorOutcome);
    assert_eq!(exit_of(&after, &[], Some(59), None), Exit::NotAtRisk);
    // The cohort ends 51 days or more before this end does not: day 9.
    let early = rules(|r| r.time_at_risk.end = Some(at(Anchor::CohortEnd, -51)));
    assert_eq!(exit_of(&early, &[], None, None), Exit::NotAtRisk);
    let edge = rules(|r| r.time_at_risk.end = Some(at(Anchor::CohortEnd, -50)));
    assert_eq!(exit_of(&edge, &[], None, None), Exit::Censored(0));
}

#[test]
fn ends_before_the_start_for_everybody_are_refused() {
    let key_of = |change: &dyn Fn(&mut Rules)| match rules(change).check("it") {
        Err(Error::Settings { key, .. }) => Some(key),
        _ => None,
    };
    let start = |r: &mut Rules, anchor, days| r.time_at_risk.start = at(anchor, days);
    let end = |r: &mut Rules, anchor, days| r.time_at_risk.end = Some(at(anchor, days));
    assert_eq!(key_of(&|r| r.time_at_risk = window(30, Some(10))), Some("time_at_risk"));
    assert_eq!(key_of(&|r| r.time_at_risk = window(30, Some(30))), None);
    assert_eq!(key_of(&|r| r.time_at_risk = window(-30, Some(-1))), None);
    let swapped = |r: &mut Rules, days| {
        start(r, Anchor::CohortEnd, 0);
        end(r, Anchor::CohortStart, days);
    };
    assert_eq!(key_of(&|r| swapped(r, -1)), Some("time_at_risk"));
    assert_eq!(key_of(&|r| swapped(r, 0)), None);
    assert_eq!(key_of(&|r| end(r, Anchor::CohortEnd, -30)), None);
    let at_most = |r: &mut Rules, days| {
        start(r, Anchor::CohortStart, 30);
        r.follow_up_days_max = Some(days);
    };
    assert_eq!(key_of(&|r| at_most(r, 28)), Some("follow_up_days_max"));
    assert_eq!(key_of(&|r| at_most(r, 29)), None);
    assert_eq!(key_of(&|r| r.follow_up_days_max = Some(-1)), Some("follow_up_days_max"));
    let while_in = |r: &mut Rules, days| {
        start(r, Anchor::CohortEnd, days);
        r.censor_at_cohort_end = true;
    };
    assert_eq!(key_of(&|r| while_in(r, 2)), Some("censor_at_cohort_end"));
    assert_eq!(key_of(&|r| while_in(r, 1)), None);
}

/// The rules of the module's description, one day after the other.
fn walked(rules: &Rules, row: &CohortRow, outcomes: &[CohortRow], ends: Ends) -> Exit {
    let index = row.interval.start.0;
    let day_of = |at: AnchorSettings| match at.anchor {
        Anchor::CohortStart => index + at.offset_days,
        Anchor::CohortEnd => row.interval.end.0 + at.offset_days,
    };
    let mut first_day = day_of(rules.time_at_risk.start);
    while first_day < ends.observed.start.0 {
        first_day += 1;
    }
    let outcome_on = |day: i32| outcomes.iter().any(|row| row.interval.start.0 == day);
    let lookback = rules.prior_outcome_days.unwrap_or(10_000);
    if rules.remove_prior_outcome && (index - lookback..first_day).any(outcome_on) {
        return Exit::PriorOutcome;
    }
    let dead_on = |day: i32| ends.death.is_some_and(|death| death.0.max(index) == day);
    let dies_before = |day: i32| ends.death.is_some_and(|death| death.0.max(index) < day);
    let followed = |day: i32| {
        day <= ends.observed.end.0
            && rules.time_at_risk.end.is_none_or(|end| day <= day_of(end))
            && !(rules.censor_at_cohort_end && day > row.interval.end.0)
            && !((rules.censor_at_death || rules.death_competes) && dies_before(day))
            && rules.follow_up_days_max.is_none_or(|most| day - index <= most)
    };
    let time_zero = first_day - 1;
    if !followed(time_zero) {
        return Exit::NotAtRisk;
    }
    for day in time_zero.. {
        let time = day - time_zero;
        if time > 0 && outcome_on(day) {
            return Exit::Outcome(time);
        }
        let rival = ends.competing.is_some_and(|rival| rival.0 == day);
        if rules.death_competes && dead_on(day) || rival {
            return Exit::Competing(time);
        }
        if !followed(day + 1) {
            return Exit::Censored(time);
        }
    }
    unreachable!()
}

/// An entry with what happens to the person.
#[derive(Debug, Clone)]
struct Story {
    row: CohortRow,
    observed: Interval,
    outcomes: Vec<CohortRow>,
    death: Option<i32>,
    rivals: Vec<i32>,
}

impl Story {
    fn exit(&self, rules: &Rules, by: fn(&Rules, &CohortRow, &[CohortRow], Ends) -> Exit) -> Exit {
        let first_day = rules.first_day(&self.row, self.observed);
        let rivals = self.rivals.iter().map(|day| Day(*day)).filter(|day| *day >= first_day);
        let competing = rivals.min().filter(|_| !rules.competing_cohorts.is_empty());
        let ends = Ends { observed: self.observed, death: self.death.map(Day), competing };
        by(rules, &self.row, &self.outcomes, ends)
    }
}

fn story() -> impl Strategy<Value = Story> {
    let days = |most| prop::collection::vec(-20..70_i32, 0..most);
    let period = (0..20_i32, 0..60_i32);
    (0..30_i32, period, days(3), prop::option::of(-5..70_i32), days(3)).prop_map(
        |(length, (before, after), mut outcomes, death, rivals)| {
            outcomes.sort_unstable();
            Story {
                row: row(0, length),
                observed: interval(-before, after),
                outcomes: outcomes.into_iter().map(|day| row(day, day)).collect(),
                death,
                rivals,
            }
        },
    )
}

fn anchor() -> impl Strategy<Value = AnchorSettings> {
    let offset = prop_oneof![-15..40_i32, prop::sample::select(vec![-1, 0, 1, 2])];
    (any::<bool>(), offset).prop_map(|(from_start, offset)| {
        at(if from_start { Anchor::CohortStart } else { Anchor::CohortEnd }, offset)
    })
}

/// Rules that settings may have.
fn any_rules() -> impl Strategy<Value = Rules> {
    let switches = any::<[bool; 5]>();
    let days = || prop::option::of(0..40_i32);
    let window = (anchor(), prop::option::of(anchor()));
    let rules = (switches, window, days(), days()).prop_map(
        |([removes, cohort_end, until_death, death, rivals], (start, end), lookback, most)| Rules {
            outcome: 2,
            time_at_risk: RiskWindowSettings { start, end },
            first_entry_only: true,
            remove_prior_outcome: removes,
            prior_outcome_days: lookback,
            censor_at_cohort_end: cohort_end,
            censor_at_death: until_death,
            follow_up_days_max: most,
            death_competes: death,
            competing_cohorts: if rivals { vec![5] } else { Vec::new() },
        },
    );
    rules.prop_filter("settings", |rules| rules.check("it").is_ok())
}

/// Other rules, which differ in one setting.
fn changed(rules: &Rules, other: &Rules, which: usize) -> Rules {
    let mut rules = rules.clone();
    match which {
        0 => rules.time_at_risk.start = other.time_at_risk.start,
        1 => rules.time_at_risk.end = other.time_at_risk.end,
        2 => rules.remove_prior_outcome = other.remove_prior_outcome,
        3 => rules.prior_outcome_days = other.prior_outcome_days,
        4 => rules.censor_at_cohort_end = other.censor_at_cohort_end,
        5 => rules.censor_at_death = other.censor_at_death,
        6 => rules.follow_up_days_max = other.follow_up_days_max,
        7 => rules.death_competes = other.death_competes,
        _ => rules.competing_cohorts.clone_from(&other.competing_cohorts),
    }
    rules
}

fn counts(exit: Exit, counted: Counted) -> bool {
    match counted {
        Counted::Entries => {
            matches!(exit, Exit::Outcome(_) | Exit::Competing(_) | Exit::Censored(_))
        }
        Counted::PriorOutcome => exit == Exit::PriorOutcome,
        Counted::Unobserved => exit == Exit::Unobserved,
        Counted::NotAtRisk => exit == Exit::NotAtRisk,
        Counted::Outcome => matches!(exit, Exit::Outcome(_)),
        Counted::Competing => matches!(exit, Exit::Competing(_)),
        Counted::Censored => matches!(exit, Exit::Censored(_)),
    }
}

proptest! {
    /// Without anything that competes no exit is a competing one, and what
    /// competes never makes follow-up longer.
    #[test]
    fn competition_only_shortens(
        outcome in 0..130_i32, death in proptest::option::of(0..130_i32),
        competing in proptest::option::of(11..130_i32),
    ) {
        let day = |exit| match exit {
            Exit::Unobserved | Exit::PriorOutcome | Exit::NotAtRisk => -1,
            Exit::Outcome(day) | Exit::Competing(day) | Exit::Censored(day) => day,
        };
        let outcomes = [row(outcome, outcome)];
        let alone = rules(|r| r.censor_at_death = false);
        let without = alone.exit(&row(10, 60), &outcomes, ends(death, None));
        prop_assert!(!matches!(without, Exit::Competing(_)));
        let both = rules(|r| r.death_competes = true);
        let with = both.exit(&row(10, 60), &outcomes, ends(death, competing));
        prop_assert!(day(with) <= day(without));
    }

    #[test]
    fn exits_are_those_of_a_walk_through_the_days(rules in any_rules(), story in story()) {
        prop_assert_eq!(story.exit(&rules, Rules::exit), story.exit(&rules, walked));
    }

    /// What two analyses call by one name is one number.
    #[test]
    fn counts_of_one_name_are_equal(
        rules in any_rules(), other in any_rules(), which in 0..9_usize,
        stories in prop::collection::vec(story(), 8),
    ) {
        let other = changed(&rules, &other, which);
        prop_assume!(other.check("it").is_ok());
        let all = [
            Counted::Entries, Counted::PriorOutcome, Counted::Unobserved, Counted::NotAtRisk,
            Counted::Outcome, Counted::Competing, Counted::Censored,
        ];
        for (counted, second) in all.iter().flat_map(|one| all.map(|two| (*one, two))) {
            if rules.quantity(counted) != other.quantity(second) {
                continue;
            }
            prop_assert_eq!(counted, second);
            for story in &stories {
                let (one, two) = (story.exit(&rules, Rules::exit), story.exit(&other, Rules::exit));
                prop_assert_eq!(counts(one, counted), counts(two, counted), "{:?}", counted);
            }
        }
    }

    /// The names have no braces, which templates of names would fill.
    #[test]
    fn names_have_no_braces(rules in any_rules()) {
        let name = rules.quantity(Counted::Censored);
        prop_assert!(!name.contains(['{', '}']), "{}", name);
    }
}
