//! Kaplan-Meier curves from cohort entry to an outcome; see
//! [`follow_up`](crate::follow_up) for the conventions of time.

pub(crate) mod table;

use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::Table;
use serde::{Deserialize, Serialize};

use crate::error::check_each_once;
use crate::follow_up::{Rules, Tallies};
use crate::strata::Strata;
use crate::{Analysis, Concepts, Error, Needs, ShardView, SurvivalSettings};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Survival {
    settings: SurvivalSettings,
    rules: Rules,
    strata: Strata,
}

/// Follow-up by target and stratum.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    tallies: Tallies,
}

impl Survival {
    /// Checks the settings.
    pub(crate) fn new(settings: &SurvivalSettings) -> Result<Self, Error> {
        check_curves(&settings.name, &settings.targets, settings.confidence_level)?;
        check_times(&settings.name, &settings.times_days)?;
        let rules = Rules {
            outcome: settings.outcome,
            time_at_risk: settings.time_at_risk,
            first_entry_only: settings.first_entry_only,
            remove_prior_outcome: settings.remove_prior_outcome,
            prior_outcome_days: settings.prior_outcome_days,
            censor_at_cohort_end: settings.censor_at_cohort_end,
            censor_at_death: settings.censor_at_death,
            follow_up_days_max: settings.follow_up_days_max,
            ..Rules::default()
        };
        rules.check(&settings.name)?;
        let strata =
            Strata::new(&settings.name, &settings.strata, &settings.age_breaks, settings.age)?;
        Ok(Self { settings: settings.clone(), rules, strata })
    }
}

/// Refuses settings of curves that name nothing, or no level of confidence.
pub(crate) fn check_curves(name: &str, targets: &[i64], level: f64) -> Result<(), Error> {
    if targets.is_empty() {
        return Err(Error::Settings {
            analysis: name.to_owned(),
            key: "targets",
            reason: "expected one or more cohort ids".to_owned(),
        });
    }
    check_each_once(name, "targets", targets)?;
    check_level(name, level)
}

/// Refuses days of estimates before the first day.
pub(crate) fn check_times(name: &str, times_days: &[i32]) -> Result<(), Error> {
    if times_days.iter().all(|day| *day >= 0) {
        return Ok(());
    }
    Err(Error::Settings {
        analysis: name.to_owned(),
        key: "times_days",
        reason: "expected days of 0 or more".to_owned(),
    })
}

/// Refuses a level of confidence that is none.
pub(crate) fn check_level(name: &str, level: f64) -> Result<(), Error> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(Error::Settings {
        analysis: name.to_owned(),
        key: "confidence_level",
        reason: "expected a number between 0 and 1".to_owned(),
    })
}

impl Analysis for Survival {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let mut needs = BTreeMap::from([(Table::Person, self.strata.person_columns())]);
        self.rules.add_needs(&mut needs);
        needs
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let (name, targets) = (&self.settings.name, &self.settings.targets);
        let tallies = Tallies::count(name, (&self.rules, &self.strata), targets, view)?;
        Ok(Partial { tallies })
    }

    fn merge(&self, into: &mut Partial, later: Partial) {
        into.tallies.add(later.tallies);
    }

    fn finish(&self, merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        table::tables(self, &merged.tallies)
    }
}

#[cfg(test)]
mod tests;
