//! Time zones and what they mend.

use std::collections::HashMap;

use farr_records::Table;

use super::intake::{read_folder, shared, synthea};

/// How many conditions start a day or more before their visit, of how many.
fn before_their_visit(timezone: &str) -> Option<(usize, usize)> {
    let mut settings = synthea();
    timezone.clone_into(&mut settings.timezone);
    let (kept, summary) = read_folder(&shared("data/synthea-csv-2024")?, &settings);
    summary.unwrap();
    let visits = kept.column(Table::VisitOccurrence, "visit_occurrence_id");
    let starts: HashMap<_, _> =
        visits.into_iter().zip(kept.column(Table::VisitOccurrence, "visit_start_date")).collect();
    let of = kept.column(Table::ConditionOccurrence, "visit_occurrence_id");
    let days = kept.column(Table::ConditionOccurrence, "condition_start_date");
    let early = of.iter().zip(&days).filter(|(visit, day)| *day < &starts[*visit]);
    Some((early.count(), days.len()))
}

#[test]
fn the_right_zone_mends_conditions_before_their_visit() {
    let Some((in_utc, all)) = before_their_visit("UTC") else { return };
    let Some((in_chicago, _)) = before_their_visit("America/Chicago") else { return };
    assert_eq!((all, in_utc, in_chicago), (4_428, 1_041, 0));
}
