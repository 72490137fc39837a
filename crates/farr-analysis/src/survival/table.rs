//! The reports of `survival`: curves, a summary a target and stratum, and
//! log-rank tests between targets and between strata.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use farr_disclosure::{AggregateTable, CellReference, TableBuilder, Term};
use farr_stats::survival::{
    Confidence, ConfidenceType, FollowUp, KaplanMeierOptions, LogRank, SurvivalCurve,
    SurvivalQuantile, kaplan_meier, log_rank,
};

use super::Survival;
use crate::follow_up::{Counted, Rules, Tallies, Tally};
use crate::overlap::persons_of;
use crate::strata::{Level, Strata, name_of};
use crate::{Error, Stratum};

/// One curve: a target, or one of its strata.
struct Curve<'a> {
    id: i64,
    level: Level,
    tally: &'a Tally,
    /// `None` where nobody is followed.
    estimate: Option<SurvivalCurve>,
}

pub(super) fn tables(analysis: &Survival, tallies: &Tallies) -> Result<Vec<AggregateTable>, Error> {
    let mut curves = Vec::new();
    for &id in &analysis.settings.targets {
        for (level, tally) in tallies.of(id) {
            curves.push(Curve { id, level, tally, estimate: curve_of(analysis, tally)? });
        }
    }
    let failed = |source| Error::Table { analysis: analysis.settings.name.clone(), source };
    let mut tables = vec![
        curve_table(analysis, tallies, &curves).map_err(failed)?,
        summary_table(analysis, &curves).map_err(failed)?,
    ];
    if analysis.settings.targets.len() > 1 {
        let whole: Vec<&Curve<'_>> = curves.iter().filter(|c| c.level == Level::All).collect();
        let test = test_of(analysis, &whole)?;
        tables.push(log_rank_table(analysis, &whole, &test).map_err(failed)?);
    }
    if !analysis.strata.divisions().is_empty() {
        tables.push(strata_table(analysis, &curves)?);
    }
    Ok(tables)
}

fn kernel(analysis: &Survival, error: &farr_stats::Error) -> Error {
    Error::Kernel { analysis: analysis.settings.name.clone(), reason: error.to_string() }
}

/// Times and events, with how many entries have them as weight: estimates and
/// tests are those of the entries written out.
#[derive(Default)]
struct Rows {
    time: Vec<f64>,
    event: Vec<bool>,
    weight: Vec<f64>,
}

impl Rows {
    fn add(&mut self, tally: &Tally) {
        for (day, leaving) in &tally.leaving {
            for (is_event, n) in [(true, leaving.outcome), (false, leaving.censored)] {
                if n > 0 {
                    self.time.push(f64::from(*day));
                    self.event.push(is_event);
                    self.weight.push(n as f64);
                }
            }
        }
    }

    fn follow_up(&self) -> FollowUp<'_> {
        FollowUp::new(&self.time, &self.event).with_weight(&self.weight)
    }
}

fn curve_of(analysis: &Survival, tally: &Tally) -> Result<Option<SurvivalCurve>, Error> {
    let mut rows = Rows::default();
    rows.add(tally);
    if rows.time.is_empty() {
        return Ok(None);
    }
    let level = analysis.settings.confidence_level;
    let confidence = Confidence { kind: ConfidenceType::LogLog, level };
    let options = KaplanMeierOptions { confidence, ..KaplanMeierOptions::default() };
    kaplan_meier(&rows.follow_up(), &options).map(Some).map_err(|e| kernel(analysis, &e))
}

/// Finite numbers; null where one is not defined.
pub(crate) fn defined(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    let values = values.into_iter().map(|x| x.is_finite().then_some(x));
    Arc::new(values.collect::<Float64Array>())
}

/// The quantity of a count of a target or stratum, by which tables agree.
pub(crate) fn quantity(
    (rules, strata): (&Rules, &Strata),
    (id, level): (i64, Level),
    counted: Counted,
) -> String {
    format!("follow_up/{id}/{}/{}", strata.quantity(level), rules.quantity(counted))
}

/// Declares that the sums over time are the quantities of the summary.
pub(crate) fn sums_over_time(
    mut table: TableBuilder,
    (rules, strata): (&Rules, &Strata),
    counts: &[(&str, Counted)],
) -> TableBuilder {
    for template in strata.quantity_templates() {
        for (column, counted) in counts {
            let counted = rules.quantity(*counted);
            let name = format!("follow_up/{{target_cohort_definition_id}}/{template}/{counted}");
            table = table.column_sum(column, "time_days", &name);
        }
    }
    table
}

/// One row a day on which somebody of the target leaves, and one a chosen
/// time; strata have the rows of their target, so that totals hold at each.
fn curve_table(
    analysis: &Survival,
    tallies: &Tallies,
    curves: &[Curve<'_>],
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let (mut ids, mut levels, mut days) = (Vec::new(), Vec::new(), Vec::new());
    let (mut at_risk, mut events, mut censored) = (Vec::new(), Vec::new(), Vec::new());
    let mut estimates = Vec::new();
    for Curve { id, level, tally, estimate: curve } in curves {
        let Some(curve) = curve else { continue };
        let grid = tallies.grid(*id, &settings.times_days);
        let times: Vec<f64> = grid.iter().copied().map(f64::from).collect();
        let counts = tally.on(&grid);
        for ((day, at), (n_risk, leaving)) in grid.iter().zip(curve.at(&times)).zip(counts) {
            ids.push(*id);
            levels.push(*level);
            days.push(i64::from(*day));
            at_risk.push(n_risk);
            events.push(leaving.outcome);
            censored.push(leaving.censored);
            estimates.push(at);
        }
    }
    let of =
        |value: fn(&farr_stats::survival::SurvivalAt) -> f64| defined(estimates.iter().map(value));
    let table = AggregateTable::build(
        &settings.name,
        "Kaplan-Meier estimates of being free of the outcome.",
    )
    .key("target_cohort_definition_id", "Target cohort.", ids);
    let counts = ["n_risk", "n_event", "n_censor"];
    let table = analysis
        .strata
        .keys(table, &levels)
        .key("time_days", "Days from time zero, the day before time at risk.", days)
        .count(counts[0], "At risk just before the time.", "persons", at_risk)
        .count(counts[1], "Outcomes at the time.", "persons", events)
        .count(counts[2], "Censored at the time.", "persons", censored)
        .derived("survival", "S(t), outcomes at t included.", "", of(|at| at.survival))
        .derived("std_err_survival", "Greenwood's standard error of S(t).", "", {
            of(|at| at.std_err_survival)
        })
        .derived("survival_lower", "Lower bound (log-log).", "", of(|at| at.lower))
        .derived("survival_upper", "Upper bound (log-log).", "", of(|at| at.upper))
        .curve("time_days", counts[0], &counts[1..]);
    let sums = [(counts[1], Counted::Outcome), (counts[2], Counted::Censored)];
    let table = sums_over_time(table, (&analysis.rules, &analysis.strata), &sums);
    Strata::totals(table, &counts).finish()
}

fn summary_table(
    analysis: &Survival,
    curves: &[Curve<'_>],
) -> Result<AggregateTable, farr_disclosure::Error> {
    let settings = &analysis.settings;
    let count = |of: fn(&Tally) -> i64| curves.iter().map(|c| of(c.tally)).collect::<Vec<i64>>();
    let medians = |of: fn(&SurvivalQuantile) -> f64| {
        let median =
            |c: &Curve<'_>| c.estimate.as_ref().map_or(f64::NAN, |curve| of(&curve.median()));
        defined(curves.iter().map(median).collect::<Vec<f64>>())
    };
    let names = |counted| {
        let of = (&analysis.rules, &analysis.strata);
        let name = |c: &Curve<'_>| Some(quantity(of, (c.id, c.level), counted));
        curves.iter().map(name).collect::<Vec<_>>()
    };
    let levels: Vec<Level> = curves.iter().map(|curve| curve.level).collect();
    let name = format!("{}_summary", settings.name);
    let table = AggregateTable::build(&name, "Follow-up and median time to the outcome.")
        .key("target_cohort_definition_id", "Target cohort.", {
            curves.iter().map(|curve| curve.id).collect::<Vec<i64>>()
        })
        .key("outcome_cohort_definition_id", "Outcome cohort.", {
            vec![settings.outcome; curves.len()]
        });
    let counts =
        ["n_entries", "n_event", "n_censor", "n_prior_outcome", "n_unobserved", "n_not_at_risk"];
    let table = analysis
        .strata
        .keys(table, &levels)
        .count(counts[0], "Entries followed.", "persons", count(|t| t.total().all()))
        .count(counts[1], "Entries with the outcome.", "persons", count(|t| t.total().outcome))
        .count(counts[2], "Entries censored.", "persons", count(|t| t.total().censored))
        .count(counts[3], "Entries removed for a prior outcome.", "persons", count(|t| t.prior))
        .count(counts[4], "Entries outside observation.", "persons", count(|t| t.unobserved))
        .count(counts[5], "Entries whose follow-up ends before time at risk.", "persons", {
            count(|t| t.not_at_risk)
        })
        .derived("follow_up_days", "Sum of follow-up.", "days", count(Tally::follow_up_days))
        .derived("median_days", "First day with S(t) at or below 1/2.", "days", medians(|q| q.time))
        .derived("median_days_lower", "Lower bound of the median.", "days", medians(|q| q.lower))
        .derived("median_days_upper", "Upper bound of the median.", "days", medians(|q| q.upper))
        .derived("outcome", "estimated, no events, or nobody followed.", "", {
            curves.iter().map(|curve| outcome_of(curve.tally)).collect::<Vec<&str>>()
        })
        .row_sum(counts[0], &counts[1..3])
        .quantities(counts[0], names(Counted::Entries))
        .quantities(counts[1], names(Counted::Outcome))
        .quantities(counts[2], names(Counted::Censored))
        .quantities(counts[3], names(Counted::PriorOutcome))
        .quantities(counts[4], names(Counted::Unobserved))
        .quantities(counts[5], names(Counted::NotAtRisk));
    let table = if settings.first_entry_only {
        let rows: Vec<(i64, Level)> = curves.iter().map(|c| (c.id, c.level)).collect();
        entries_are_persons(table, &rows, &[counts[0], counts[3], counts[4], counts[5]])
    } else {
        table
    };
    Strata::totals(table, &counts).finish()
}

/// What became of an estimate, in a word.
pub(crate) fn outcome_of(tally: &Tally) -> &'static str {
    let total = tally.total();
    match total.all() {
        0 => "nobody followed",
        all if all == total.censored => "no events",
        _ => "estimated",
    }
}

/// A test's answer, or why there is none.
pub(crate) type Tested<T> = Result<T, &'static str>;

/// What became of a test, in a word.
pub(crate) fn outcome_of_test<T>(test: &Tested<T>) -> &'static str {
    match test {
        Ok(_) => "tested",
        Err(reason) => reason,
    }
}

/// Why there is no test.
pub(crate) const NO_EVENTS: &str = "no events";
/// Why there is no test.
pub(crate) const FEW_GROUPS: &str = "fewer than two groups with anybody followed";

/// Why there is no test: everybody left has the event, or the like.
pub(crate) const NO_VARIANCE: &str = "the statistic has no variance";
/// Why there is no test: all but one group leave before the first event.
pub(crate) const NEVER_AT_RISK: &str = "fewer than two groups at risk at an event";

/// With first entries only, the entries of a summary's row of a whole target
/// are the persons of the cohort: `parts` are all of them.
pub(crate) fn entries_are_persons(
    mut table: TableBuilder,
    rows: &[(i64, Level)],
    parts: &[&str],
) -> TableBuilder {
    for (row, (id, _)) in rows.iter().enumerate().filter(|(_, (_, l))| *l == Level::All) {
        let part = |column: &&str| Term {
            sign: -1,
            cell: CellReference::Cell { column: (*column).to_owned(), row },
        };
        let whole = Term { sign: 1, cell: CellReference::Quantity(persons_of(*id)) };
        table = table.sum([whole].into_iter().chain(parts.iter().map(part)).collect());
    }
    table
}

/// All targets together: are their hazards equal?
fn log_rank_table(
    analysis: &Survival,
    curves: &[&Curve<'_>],
    test: &Tested<LogRank>,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let outcome = outcome_of_test(test);
    let test = test.as_ref().ok();
    let group = |i: usize| test.and_then(|t| t.groups.iter().position(|g| *g == i as u32));
    let expected = |i: usize| match (test, group(i)) {
        (Some(test), Some(place)) => test.expected[place],
        _ => f64::NAN,
    };
    let count = |of: fn(&Tally) -> i64| curves.iter().map(|c| of(c.tally)).collect::<Vec<i64>>();
    let whole = |value: Option<f64>| defined(curves.iter().map(|_| value.unwrap_or(f64::NAN)));
    let names = |counted| {
        let of = (&analysis.rules, &analysis.strata);
        curves.iter().map(|c| Some(quantity(of, (c.id, c.level), counted))).collect::<Vec<_>>()
    };
    let name = format!("{}_log_rank", analysis.settings.name);
    AggregateTable::build(&name, "Log-rank test that all targets have equal hazards.")
        .key("target_cohort_definition_id", "Target cohort.", {
            curves.iter().map(|curve| curve.id).collect::<Vec<i64>>()
        })
        .count("n_entries", "Entries followed.", "persons", count(|t| t.total().all()))
        .count("n_event", "Outcomes seen.", "persons", count(|t| t.total().outcome))
        .derived_of_all("expected", "Outcomes expected with equal hazards.", "persons", {
            defined((0..curves.len()).map(expected))
        })
        .derived_of_all("chi_square", "The statistic, of all targets.", "", {
            whole(test.map(|t| t.chi_square))
        })
        .derived_of_all("degrees_of_freedom", "Degrees of freedom.", "", {
            whole(test.map(|t| t.degrees_of_freedom as f64))
        })
        .derived_of_all("p_value", "P of a larger statistic.", "", whole(test.map(|t| t.p)))
        .derived_of_all("outcome", "tested, or why not.", "", vec![outcome; curves.len()])
        .row_part("n_event", "n_entries")
        .quantities("n_entries", names(Counted::Entries))
        .quantities("n_event", names(Counted::Outcome))
        .finish()
}

/// The strata of each target: are their hazards equal?
fn strata_table(analysis: &Survival, curves: &[Curve<'_>]) -> Result<AggregateTable, Error> {
    let settings = &analysis.settings;
    let mut rows = StrataRows::default();
    for &id in &settings.targets {
        for &division in analysis.strata.divisions() {
            let strata: Vec<&Curve<'_>> = curves
                .iter()
                .filter(|c| c.id == id && c.level.stratum() == Some(division))
                .collect();
            let test = test_of(analysis, &strata)?;
            let tallies = strata.iter().map(|c| (c.level, c.tally));
            let statistics = test.map(|t| (t.chi_square, t.degrees_of_freedom, t.p));
            rows.push((id, division), tallies, statistics);
        }
    }
    let about = "Log-rank test that the strata of a target have equal hazards.";
    let name = format!("{}_strata_log_rank", settings.name);
    rows.table(&name, about, (&analysis.rules, &analysis.strata))
        .finish()
        .map_err(|source| Error::Table { analysis: settings.name.clone(), source })
}

/// Rows of tests between the strata of targets: one a stratum, each with the
/// test's statistic, which is withheld with any of their counts.
#[derive(Default)]
pub(crate) struct StrataRows {
    ids: Vec<i64>,
    divisions: Vec<&'static str>,
    levels: Vec<Level>,
    entries: Vec<i64>,
    events: Vec<i64>,
    statistics: Vec<Tested<(f64, usize, f64)>>,
}

impl StrataRows {
    pub(crate) fn push<'a>(
        &mut self,
        (id, division): (i64, Stratum),
        tallies: impl Iterator<Item = (Level, &'a Tally)>,
        statistics: Tested<(f64, usize, f64)>,
    ) {
        for (level, tally) in tallies {
            let total = tally.total();
            self.ids.push(id);
            self.divisions.push(name_of(division));
            self.levels.push(level);
            self.entries.push(total.all());
            self.events.push(total.outcome);
            self.statistics.push(statistics);
        }
    }

    pub(crate) fn table(&self, name: &str, about: &str, of: (&Rules, &Strata)) -> TableBuilder {
        let names = |counted| {
            let rows = self.ids.iter().zip(&self.levels);
            rows.map(|(id, level)| Some(quantity(of, (*id, *level), counted))).collect::<Vec<_>>()
        };
        let statistic = |of: fn(&(f64, usize, f64)) -> f64| {
            defined(self.statistics.iter().map(|s| s.as_ref().map_or(f64::NAN, of)))
        };
        let test = ["target_cohort_definition_id", "stratum"];
        let table = AggregateTable::build(name, about)
            .key(test[0], "Target cohort.", self.ids.clone())
            .key(test[1], "What the target is divided by.", self.divisions.clone());
        of.1.keys(table, &self.levels)
            .count("n_entries", "Entries followed.", "persons", self.entries.clone())
            .count("n_event", "Outcomes seen.", "persons", self.events.clone())
            .derived_within(
                &test,
                ("chi_square", "The statistic, of all strata; null without outcomes or strata."),
                "",
                statistic(|s| s.0),
            )
            .derived_within(
                &test,
                ("degrees_of_freedom", "Degrees of freedom."),
                "",
                statistic(|s| s.1 as f64),
            )
            .derived_within(&test, ("p_value", "P of a larger statistic."), "", statistic(|s| s.2))
            .derived_within(&test, ("outcome", "tested, or why not."), "", {
                self.statistics.iter().map(outcome_of_test).collect::<Vec<&str>>()
            })
            .row_part("n_event", "n_entries")
            .quantities("n_entries", names(Counted::Entries))
            .quantities("n_event", names(Counted::Outcome))
    }
}

/// No test where there are no outcomes, or fewer than two groups to compare.
fn test_of(analysis: &Survival, curves: &[&Curve<'_>]) -> Result<Tested<LogRank>, Error> {
    let (mut rows, mut group) = (Rows::default(), Vec::new());
    for (place, curve) in (0_u32..).zip(curves) {
        rows.add(curve.tally);
        group.resize(rows.time.len(), place);
    }
    let groups: BTreeSet<u32> = group.iter().copied().collect();
    if groups.len() < 2 {
        return Ok(Err(FEW_GROUPS));
    }
    if !rows.event.contains(&true) {
        return Ok(Err(NO_EVENTS));
    }
    match log_rank(&rows.follow_up(), &group, None, 0.0) {
        Ok(test) if test.degrees_of_freedom == 0 => Ok(Err(NEVER_AT_RISK)),
        Ok(test) => Ok(Ok(test)),
        Err(farr_stats::Error::Singular { .. }) => Ok(Err(NO_VARIANCE)),
        Err(other) => Err(kernel(analysis, &other)),
    }
}
