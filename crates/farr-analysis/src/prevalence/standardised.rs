//! Prevalence standardised to the ages of a named population.
//!
//! Direct standardisation: the sum over age groups of (weight / sum of
//! weights) times the group's prevalence, with Fay and Feuer's gamma interval,
//! in which a group's cases are events and its persons the person-time; the
//! upper bound ends at 1. Where a weighted group has nobody, there is no
//! number.

use std::collections::HashMap;

use farr_disclosure::AggregateTable;
use farr_stats::rates::{DirectStratum, direct_standardisation};

use super::table::{Row, keys, quantity};
use super::{Key, Prevalence};
use crate::age::AgeGroup;
use crate::error::check_each_once;
use crate::{Error, PrevalenceSettings};

/// The weight of each age group; empty without a standard population.
pub(super) fn weights(
    settings: &PrevalenceSettings,
    groups: &[AgeGroup],
) -> Result<Vec<f64>, Error> {
    let failed = |reason: String| Error::Settings {
        analysis: settings.name.clone(),
        key: "standard_population",
        reason,
    };
    let population = &settings.standard_population;
    if population.is_empty() {
        return Ok(Vec::new());
    }
    if groups.is_empty() {
        return Err(failed("expected \"age\" among the strata".to_owned()));
    }
    let names = population.iter().map(|given| &given.age_group);
    check_each_once(&settings.name, "standard_population", names)?;
    let mut weights = vec![0.0; groups.len()];
    for given in population {
        let place = groups.iter().position(|group| group.name() == given.age_group);
        let Some(place) = place else {
            let known: Vec<String> = groups.iter().map(|group| group.name()).collect();
            let (found, known) = (&given.age_group, known.join(", "));
            return Err(failed(format!("no age group '{found}'; the groups are {known}")));
        };
        if !(given.weight.is_finite() && given.weight >= 0.0) {
            let group = &given.age_group;
            return Err(failed(format!("the weight of '{group}' is not a number of 0 or more")));
        }
        weights[place] = given.weight;
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(failed("expected a weight above 0".to_owned()));
    }
    Ok(weights)
}

/// One row an interval, outcome and sex. It shows the counts of every weighted
/// age group, so that it is withheld where one of them is.
pub(super) fn table(analysis: &Prevalence, rows: &[Row]) -> Result<AggregateTable, Error> {
    let settings = &analysis.settings;
    let whole = |row: &Row| (Key { age: None, ..row.key }, row.outcome, row.days);
    let mut by_whole: HashMap<_, Vec<&Row>> = HashMap::new();
    for row in rows.iter().filter(|row| row.key.age.is_some()) {
        by_whole.entry(whole(row)).or_default().push(row);
    }
    let totals: Vec<&Row> = rows.iter().filter(|row| row.key.age.is_none()).collect();
    let groups: Vec<&Vec<&Row>> =
        totals.iter().filter_map(|row| by_whole.get(&whole(row))).collect();
    let mut estimates: [Vec<Option<f64>>; 3] = Default::default();
    let mut outcomes = Vec::new();
    for groups in &groups {
        let weighted = || analysis.weights.iter().zip(*groups).filter(|(weight, _)| **weight > 0.0);
        let is_empty = weighted().any(|(_, row)| row.persons == 0);
        let strata: Vec<DirectStratum> = weighted()
            .map(|(weight, row)| DirectStratum {
                events: row.cases as u64,
                person_years: row.persons as f64,
                weight: *weight,
            })
            .collect();
        let estimate = (!is_empty)
            .then(|| direct_standardisation(&strata, settings.confidence_level))
            .transpose()
            .map_err(|e| Error::Kernel {
                analysis: settings.name.clone(),
                reason: e.to_string(),
            })?;
        outcomes.push(if is_empty { "an age group has nobody" } else { "estimated" });
        let values = estimate.map(|e| [e.estimate, e.lower, e.upper.min(1.0)]);
        for (place, column) in estimates.iter_mut().enumerate() {
            column.push(values.map(|values| values[place]));
        }
    }
    let [estimate, lower, upper] = estimates;
    let name = format!("{}_standardised", settings.name);
    let about = "Prevalence standardised to the ages of the standard population.";
    let mut table = keys(AggregateTable::build(&name, about), &totals);
    for (place, group) in analysis.age_groups.iter().enumerate() {
        if analysis.weights[place] == 0.0 {
            continue;
        }
        let column =
            |of: fn(&Row) -> i64| groups.iter().map(|g| of(g[place])).collect::<Vec<i64>>();
        let names = |of: fn(&Row) -> Option<i64>| {
            groups.iter().map(|g| quantity(analysis, g[place], of(g[place]))).collect::<Vec<_>>()
        };
        let group = group.name();
        let (persons, cases) =
            (format!("denominator_count {group}"), format!("outcome_count {group}"));
        table = table
            .count(&persons, &format!("Persons aged {group}."), "persons", column(|r| r.persons))
            .count(&cases, &format!("Those of them with the outcome, aged {group}."), "persons", {
                column(|r| r.cases)
            })
            .quantities(&persons, names(|_| None))
            .quantities(&cases, names(|row| Some(row.outcome)));
    }
    table
        .derived("prevalence", "The directly standardised prevalence.", "", estimate)
        .derived("prevalence_lower", "Fay and Feuer's lower bound.", "", lower)
        .derived("prevalence_upper", "Fay and Feuer's upper bound.", "", upper)
        .plain("outcome", "Whether there is an estimate, or why not.", "", outcomes)
        .finish()
        .map_err(|source| Error::Table { analysis: settings.name.clone(), source })
}
