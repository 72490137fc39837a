//! Who pays: spans of coverage, and what things cost.

use crate::chart::Chart;
use crate::codes::Code;
use crate::model::{Coverage, EncounterClass, Instant, Patient};
use crate::site::{DUAL, FIRST_PRIVATE, MEDICAID, MEDICARE, PAYERS, UNINSURED};

/// Coverage from entry to exit, a span a year; now and then the payer changes.
pub(crate) fn cover(chart: &mut Chart) {
    let poor = chart.life.income_dollars < 24_000;
    let mut payer = first_payer(chart, poor);
    let mut start = chart.life.entry;
    while start <= chart.life.exit {
        let age = chart.life.age(start);
        if age >= 65 && payer != MEDICARE && payer != DUAL {
            payer = if poor { DUAL } else { MEDICARE };
        } else if age < 65 && chart.dice.chance(0.12) {
            payer = first_payer(chart, poor);
        }
        let end = start.plus(364).min(chart.life.exit);
        chart.patient.coverage.push(Coverage { start, end, payer });
        start = end.plus(1);
    }
}

fn first_payer(chart: &mut Chart, poor: bool) -> usize {
    if poor && chart.dice.chance(0.6) {
        MEDICAID
    } else if chart.dice.chance(if poor { 0.25 } else { 0.06 }) {
        UNINSURED
    } else {
        chart.dice.between(FIRST_PRIVATE as i32, PAYERS.len() as i32 - 1) as usize
    }
}

/// The span of coverage at an instant: its place.
pub(crate) fn span_at(patient: &Patient, time: Instant) -> Option<usize> {
    let day = time.day();
    patient.coverage.iter().position(|span| span.start <= day && day <= span.end)
}

/// Cents of an encounter itself.
pub(crate) fn encounter_cents(class: EncounterClass, nights: i64) -> i64 {
    match class {
        EncounterClass::Wellness => 13_680,
        EncounterClass::Ambulatory => 8_555,
        EncounterClass::Outpatient => 12_500,
        EncounterClass::UrgentCare => 14_258,
        EncounterClass::Emergency => 14_618,
        EncounterClass::Inpatient => 14_618 + nights * 211_000,
    }
}

/// Cents of a code: fixed, between what its domain usually has.
pub(crate) fn code_cents(code: &Code) -> i64 {
    let (low, high) = match (code.domain, code.vocabulary) {
        ("Procedure", _) => (9_000, 320_000),
        (_, "CVX") => (12_000, 16_000),
        ("Drug", _) => (800, 32_000),
        _ => (0, 0),
    };
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in code.code.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // Most are cheap: the square of a uniform.
    let unit = (hash >> 11) as f64 / (1u64 << 53) as f64;
    low + ((high - low) as f64 * unit * unit) as i64
}

/// Cents that the payer of a span pays of an amount.
pub(crate) fn covered_cents(patient: &Patient, span: Option<usize>, cents: i64) -> i64 {
    let share = span.map_or(0.0, |span| PAYERS[patient.coverage[span].payer].share);
    (cents as f64 * share).round() as i64
}
