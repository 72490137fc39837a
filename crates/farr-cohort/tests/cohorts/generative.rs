//! Random definitions over random small worlds: the fast evaluator against
//! the literal one.

use crate::common::World;
use crate::common::literal::{Answer, Literal};
use crate::common::random::{Dice, definition, world};
use farr_cohort::{Mode, parse_circe};
use proptest::prelude::*;
use serde_json::Value;

fn given(world: &World, json: &Value) -> (Answer, Answer) {
    let definition = parse_circe(1, &json.to_string()).expect("a definition");
    let (cohort, rows) = world.evaluate(&definition);
    let masks = Mode::ALL.into_iter().flat_map(|mode| {
        let counts = cohort.statistics.masks(mode).clone();
        counts.into_iter().map(move |(mask, count)| (mode.id(), mask, count))
    });
    let fast = Answer {
        rows: rows.into_iter().map(|(person, start, end)| (person, start.0, end.0)).collect(),
        masks: masks.collect(),
    };
    let vocabulary = world.vocabulary(&definition);
    let expression = &definition.expression;
    let literal = Literal { world, expression, vocabulary: &vocabulary }.answer();
    (fast, literal)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn fast_and_literal_agree(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let world = world(&mut dice);
        let json = definition(&mut dice);
        let (fast, literal) = given(&world, &json);
        prop_assert_eq!(fast, literal, "seed {}: {}", seed, json);
    }
}

/// Most random definitions must have somebody in them, else they test little.
#[test]
fn random_cohorts_are_seldom_empty() {
    let not_empty = (0..500).filter(|seed| {
        let mut dice = Dice(*seed);
        let world = world(&mut dice);
        let json = definition(&mut dice);
        !given(&world, &json).0.rows.is_empty()
    });
    let count = not_empty.count();
    assert!(count > 100, "only {count} of 500 are not empty");
}
