//! Time zones and what they mend.

use std::collections::HashMap;

use farr_records::Table;

use super::intake::{folder, read_folder, shared, synthea};

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

/// In the hour that comes twice when clocks are set back, what is later may show
/// an earlier time. Times without a zone cannot tell.
#[test]
fn visits_over_the_hour_that_comes_twice_are_kept() {
    const PATIENTS: &[u8] = b"Id,BIRTHDATE,GENDER\np1,1980-01-01,M\n";
    let mut settings = synthea();
    "America/New_York".clone_into(&mut settings.timezone);
    let files = folder(&[
        ("patients.csv", PATIENTS),
        (
            "encounters.csv",
            b"Id,START,STOP,PATIENT,ENCOUNTERCLASS,CODE,DESCRIPTION\n\
              e1,2023-11-05T05:30:00Z,2023-11-05T06:15:00Z,p1,ambulatory,1,x\n\
              e2,2023-11-05 05:30:00 UTC,2023-11-05T06:15:00Z,p1,ambulatory,1,x\n\
              e3,2023-11-05T06:30:00Z,2023-11-05T06:15:00Z,p1,ambulatory,1,x\n\
              e4,2023-11-05T01:30:00,2023-11-05T01:15:00,p1,ambulatory,1,x\n",
        ),
    ]);
    let (kept, summary) = read_folder(files.path(), &settings);
    summary.unwrap();
    let ends = kept.column(Table::VisitOccurrence, "visit_end_datetime");
    assert_eq!(ends, ["2023-11-05 01:15:00", "2023-11-05 01:15:00"]);
    let lines: Vec<u64> = kept.rejects().into_iter().map(|reject| reject.1).collect();
    assert_eq!(lines, [4, 5]);
}

#[test]
fn the_right_zone_mends_conditions_before_their_visit() {
    let Some((in_utc, all)) = before_their_visit("UTC") else { return };
    let Some((in_chicago, _)) = before_their_visit("America/Chicago") else { return };
    assert_eq!((all, in_utc, in_chicago), (4_428, 1_041, 0));
}
