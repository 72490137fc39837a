//! The reports of `cumulative_incidence`: curves of both causes, a summary a
//! target and stratum, and Gray's test between targets and between strata.

use std::collections::BTreeSet;

use farr_disclosure::AggregateTable;
use farr_stats::distribution::normal_quantile;
use farr_stats::survival::cox::ChiSquareTest;
use farr_stats::survival::{CompetingRisks, cumulative_incidence, gray_test};

use super::CumulativeIncidence;
use crate::Error;
use crate::follow_up::{Counted, Tallies, Tally};
use crate::strata::{Level, Strata};
use crate::survival::table::{
    FEW_GROUPS, NEVER_AT_RISK, NO_EVENTS, NO_VARIANCE, StrataRows, Tested, defined,
    entries_are_persons, outcome_of, outcome_of_test, quantity, sums_over_time,
};

/// The outcome's code in the kernels; 0 is censored.
const OUTCOME: u32 = 1;
/// The code of what competes with it.
const COMPETING: u32 = 2;

/// The curves of one target or stratum on the days of its target.
struct Curves<'a> {
    id: i64,
    level: Level,
    tally: &'a Tally,
    days: BTreeSet<i32>,
    outcome: Estimates,
    competing: Estimates,
}

/// One cause: incidence and its standard error by day.
struct Estimates {
    incidence: Vec<f64>,
    std_err: Vec<f64>,
}

pub(super) fn tables(
    analysis: &CumulativeIncidence,
    tallies: &Tallies,
) -> Result<Vec<AggregateTable>, Error> {
    let settings = &analysis.settings;
    let mut curves = Vec::new();
    for &id in &settings.targets {
        let days = tallies.grid(id, &settings.times_days);
        for (level, tally) in tallies.of(id) {
            let [outcome, competing] = estimates(analysis, tally, &days)?;
            curves.push(Curves { id, level, tally, days: days.clone(), outcome, competing });
        }
    }
    let failed = |source| Error::Table { analysis: settings.name.clone(), source };
    let mut tables = vec![
        curve_table(analysis, &curves).map_err(failed)?,
        summary_table(analysis, &curves).map_err(failed)?,
    ];
    if settings.targets.len() > 1 {
        let whole: Vec<&Curves<'_>> = curves.iter().filter(|c| c.level == Level::All).collect();
        let test = test_of(analysis, &whole)?;
        tables.push(gray_table(analysis, &whole, &test).map_err(failed)?);
    }
    if !analysis.strata.divisions().is_empty() {
        tables.push(strata_table(analysis, &curves)?);
    }
    Ok(tables)
}

fn kernel(analysis: &CumulativeIncidence, error: &farr_stats::Error) -> Error {
    Error::Kernel { analysis: analysis.settings.name.clone(), reason: error.to_string() }
}

/// Days and causes, with how many entries have them as weight: estimates and
/// tests are those of the entries written out.
#[derive(Default)]
struct Rows {
    time: Vec<f64>,
    cause: Vec<u32>,
    weight: Vec<f64>,
}

impl Rows {
    fn add(&mut self, tally: &Tally) {
        for (day, leaving) in &tally.leaving {
            let causes =
                [(OUTCOME, leaving.outcome), (COMPETING, leaving.competing), (0, leaving.censored)];
            for (code, n) in causes.into_iter().filter(|(_, n)| *n > 0) {
                self.time.push(f64::from(*day));
                self.cause.push(code);
                self.weight.push(n as f64);
            }
        }
    }

    fn risks(&self) -> CompetingRisks<'_> {
        CompetingRisks::new(&self.time, &self.cause).with_weight(&self.weight)
    }
}

/// The curves of outcome and competing events on `days`, carried on flat after
/// the last exit. Without any event both are 0 and have no standard error.
fn estimates(
    analysis: &CumulativeIncidence,
    tally: &Tally,
    days: &BTreeSet<i32>,
) -> Result<[Estimates; 2], Error> {
    let mut rows = Rows::default();
    rows.add(tally);
    let flat = || {
        let incidence = if rows.time.is_empty() { f64::NAN } else { 0.0 };
        Estimates { incidence: vec![incidence; days.len()], std_err: vec![f64::NAN; days.len()] }
    };
    let mut found = [flat(), flat()];
    let last = tally.last_day().unwrap_or_default();
    let times: Vec<f64> = days.iter().map(|day| f64::from((*day).min(last))).collect();
    if rows.cause.iter().any(|cause| *cause != 0) {
        let group = vec![0; rows.time.len()];
        let curves = cumulative_incidence(&rows.risks(), &group, &times);
        let curves = curves.map_err(|e| kernel(analysis, &e))?;
        for curve in curves {
            let std_err = curve.variance.iter().map(|v| v.sqrt()).collect();
            let place = usize::from(curve.cause == COMPETING);
            found[place] = Estimates { incidence: curve.estimate, std_err };
        }
    }
    Ok(found)
}

/// F to the power exp(-+ z se / (F ln F)): the interval of ln(-ln F). Null at
/// 0 and 1, where it is not defined.
fn bound(level: f64, sign: f64, incidence: f64, std_err: f64) -> f64 {
    let z = normal_quantile(0.5 + level / 2.0);
    let bound = incidence.powf((sign * z * std_err / (incidence * incidence.ln())).exp());
    if incidence > 0.0 && incidence < 1.0 { bound } else { f64::NAN }
}

fn curve_table(
    analysis: &CumulativeIncidence,
    curves: &[Curves<'_>],
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let (mut ids, mut levels, mut days) = (Vec::new(), Vec::new(), Vec::new());
    let mut counts: [Vec<i64>; 4] = Default::default();
    let mut estimates: [Vec<(f64, f64)>; 2] = Default::default();
    for curve in curves.iter().filter(|curve| !curve.tally.leaving.is_empty()) {
        let rows = curve.days.iter().zip(curve.tally.on(&curve.days));
        for (place, (day, (n_risk, leaving))) in rows.enumerate() {
            ids.push(curve.id);
            levels.push(curve.level);
            days.push(i64::from(*day));
            let values = [n_risk, leaving.outcome, leaving.competing, leaving.censored];
            counts.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
            for (column, of) in estimates.iter_mut().zip([&curve.outcome, &curve.competing]) {
                column.push((of.incidence[place], of.std_err[place]));
            }
        }
    }
    let names = ["n_risk", "n_event", "n_competing", "n_censor"];
    let [n_risk, n_event, n_competing, n_censor] = counts;
    let table = AggregateTable::build(
        &settings.name,
        "Aalen-Johansen estimates of the cumulative incidence of the outcome and of what competes.",
    )
    .key("target_cohort_definition_id", "Target cohort.", ids);
    let mut table = analysis
        .strata
        .keys(table, &levels)
        .key("time_days", "Days from time zero, the day before time at risk.", days)
        .count(names[0], "At risk just before the time.", "persons", n_risk)
        .count(names[1], "Outcomes at the time.", "persons", n_event)
        .count(names[2], "Competing events at the time.", "persons", n_competing)
        .count(names[3], "Censored at the time.", "persons", n_censor);
    let level = settings.confidence_level;
    for (cause, about, column) in [
        ("incidence", "Probability of the outcome until the time.", &estimates[0]),
        ("competing_incidence", "Probability of a competing event first.", &estimates[1]),
    ] {
        let of = |value: &dyn Fn(f64, f64) -> f64| {
            defined(column.iter().map(|(f, se)| value(*f, *se)).collect::<Vec<f64>>())
        };
        // exp(-z se / (F ln F)) with ln F below 0 makes the exponent larger.
        table = table
            .derived(cause, about, "", of(&|f, _| f))
            .derived(&format!("std_err_{cause}"), "Its standard error (Aalen).", "", {
                of(&|_, se| se)
            })
            .derived(&format!("{cause}_lower"), "Lower bound (log-log).", "", {
                of(&|f, se| bound(level, -1.0, f, se))
            })
            .derived(&format!("{cause}_upper"), "Upper bound (log-log).", "", {
                of(&|f, se| bound(level, 1.0, f, se))
            });
    }
    let sums = [
        (names[1], Counted::Outcome),
        (names[2], Counted::Competing),
        (names[3], Counted::Censored),
    ];
    let table = sums_over_time(table, (&analysis.rules, &analysis.strata), &sums);
    let table = table.curve("time_days", names[0], &names[1..]);
    Strata::totals(table, &names).finish()
}

fn summary_table(
    analysis: &CumulativeIncidence,
    curves: &[Curves<'_>],
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let count = |of: fn(&Tally) -> i64| curves.iter().map(|c| of(c.tally)).collect::<Vec<i64>>();
    let names = |counted| {
        let of = (&analysis.rules, &analysis.strata);
        curves.iter().map(|c| Some(quantity(of, (c.id, c.level), counted))).collect::<Vec<_>>()
    };
    let levels: Vec<Level> = curves.iter().map(|curve| curve.level).collect();
    let counts = [
        "n_entries",
        "n_event",
        "n_competing",
        "n_censor",
        "n_prior_outcome",
        "n_unobserved",
        "n_not_at_risk",
    ];
    let name = format!("{}_summary", settings.name);
    let table = AggregateTable::build(&name, "Follow-up by target and stratum.")
        .key("target_cohort_definition_id", "Target cohort.", {
            curves.iter().map(|curve| curve.id).collect::<Vec<i64>>()
        })
        .key("outcome_cohort_definition_id", "Outcome cohort.", {
            vec![settings.outcome; curves.len()]
        });
    let table = analysis
        .strata
        .keys(table, &levels)
        .count(counts[0], "Entries followed.", "persons", count(|t| t.total().all()))
        .count(counts[1], "Entries with the outcome.", "persons", count(|t| t.total().outcome))
        .count(counts[2], "Entries with a competing event.", "persons", {
            count(|t| t.total().competing)
        })
        .count(counts[3], "Entries censored.", "persons", count(|t| t.total().censored))
        .count(counts[4], "Entries removed for a prior outcome.", "persons", count(|t| t.prior))
        .count(counts[5], "Entries outside observation.", "persons", count(|t| t.unobserved))
        .count(counts[6], "Entries whose follow-up ends before time at risk.", "persons", {
            count(|t| t.not_at_risk)
        })
        .derived("follow_up_days", "Sum of follow-up.", "days", count(Tally::follow_up_days))
        .derived("outcome", "estimated, no events, or nobody followed.", "", {
            curves.iter().map(|curve| outcome_of(curve.tally)).collect::<Vec<&str>>()
        })
        .row_sum(counts[0], &counts[1..4])
        .quantities(counts[0], names(Counted::Entries))
        .quantities(counts[1], names(Counted::Outcome))
        .quantities(counts[2], names(Counted::Competing))
        .quantities(counts[3], names(Counted::Censored))
        .quantities(counts[4], names(Counted::PriorOutcome))
        .quantities(counts[5], names(Counted::Unobserved))
        .quantities(counts[6], names(Counted::NotAtRisk));
    let table = if settings.first_entry_only {
        let rows: Vec<(i64, Level)> = curves.iter().map(|c| (c.id, c.level)).collect();
        entries_are_persons(table, &rows, &[counts[0], counts[4], counts[5], counts[6]])
    } else {
        table
    };
    Strata::totals(table, &counts).finish()
}

/// All targets together, cause by cause: are their incidences equal?
fn gray_table(
    analysis: &CumulativeIncidence,
    curves: &[&Curves<'_>],
    tests: &[Tested<ChiSquareTest>; 2],
) -> Result<AggregateTable, farr_disclosure::Error> {
    let count = |of: fn(&Tally) -> i64| curves.iter().map(|c| of(c.tally)).collect::<Vec<i64>>();
    let names = |counted| {
        let of = (&analysis.rules, &analysis.strata);
        curves.iter().map(|c| Some(quantity(of, (c.id, c.level), counted))).collect::<Vec<_>>()
    };
    let name = format!("{}_gray", analysis.settings.name);
    let mut table =
        AggregateTable::build(&name, "Gray's test that all targets have equal incidence.")
            .key("target_cohort_definition_id", "Target cohort.", {
                curves.iter().map(|curve| curve.id).collect::<Vec<i64>>()
            })
            .count("n_entries", "Entries followed.", "persons", count(|t| t.total().all()))
            .count("n_event", "Outcomes seen.", "persons", count(|t| t.total().outcome))
            .count("n_competing", "Competing events seen.", "persons", {
                count(|t| t.total().competing)
            });
    for (prefix, tested) in ["", "competing_"].into_iter().zip(tests) {
        let test = tested.ok();
        let whole = |value: Option<f64>| defined(curves.iter().map(|_| value.unwrap_or(f64::NAN)));
        table = table
            .derived_of_all(&format!("{prefix}chi_square"), "The statistic, of all targets.", "", {
                whole(test.map(|t| t.chi_square))
            })
            .derived_of_all(&format!("{prefix}degrees_of_freedom"), "Degrees of freedom.", "", {
                whole(test.map(|t| t.degrees_of_freedom as f64))
            })
            .derived_of_all(&format!("{prefix}p_value"), "P of a larger statistic.", "", {
                whole(test.map(|t| t.p))
            })
            .derived_of_all(&format!("{prefix}outcome"), "tested, or why not.", "", {
                vec![outcome_of_test(tested); curves.len()]
            });
    }
    table
        .row_part("n_event", "n_entries")
        .quantities("n_entries", names(Counted::Entries))
        .quantities("n_event", names(Counted::Outcome))
        .quantities("n_competing", names(Counted::Competing))
        .finish()
}

/// The strata of each target: are the incidences of the outcome equal?
fn strata_table(
    analysis: &CumulativeIncidence,
    curves: &[Curves<'_>],
) -> Result<AggregateTable, Error> {
    let settings = &analysis.settings;
    let mut rows = StrataRows::default();
    for &id in &settings.targets {
        for &division in analysis.strata.divisions() {
            let strata: Vec<&Curves<'_>> = curves
                .iter()
                .filter(|c| c.id == id && c.level.stratum() == Some(division))
                .collect();
            let [test, _] = test_of(analysis, &strata)?;
            let tallies = strata.iter().map(|c| (c.level, c.tally));
            let statistics = test.map(|t| (t.chi_square, t.degrees_of_freedom, t.p));
            rows.push((id, division), tallies, statistics);
        }
    }
    let about = "Gray's test that the strata of a target have equal incidence of the outcome.";
    let name = format!("{}_strata_gray", settings.name);
    rows.table(&name, about, (&analysis.rules, &analysis.strata))
        .finish()
        .map_err(|source| Error::Table { analysis: settings.name.clone(), source })
}

/// Gray's test of the outcome and of what competes: none where there are
/// fewer than two groups, no such event, or nothing that varies.
fn test_of(
    analysis: &CumulativeIncidence,
    curves: &[&Curves<'_>],
) -> Result<[Tested<ChiSquareTest>; 2], Error> {
    let (mut rows, mut group) = (Rows::default(), Vec::new());
    let mut groups = 0;
    for curve in curves.iter().filter(|curve| !curve.tally.leaving.is_empty()) {
        rows.add(curve.tally);
        group.resize(rows.time.len(), groups);
        groups += 1;
    }
    if groups < 2 {
        return Ok([Err(FEW_GROUPS); 2]);
    }
    if rows.cause.iter().all(|cause| *cause == 0) {
        return Ok([Err(NO_EVENTS); 2]);
    }
    match gray_test(&rows.risks(), &group, None, 0.0) {
        Ok(tests) => {
            let of = |cause| match tests.iter().find(|t| t.cause == cause) {
                None => Err(NO_EVENTS),
                Some(found) => found.test.ok_or(NO_VARIANCE),
            };
            Ok([OUTCOME, COMPETING].map(of))
        }
        Err(farr_stats::Error::TooFewGroups { .. }) => Ok([Err(NEVER_AT_RISK); 2]),
        Err(other) => Err(kernel(analysis, &other)),
    }
}
