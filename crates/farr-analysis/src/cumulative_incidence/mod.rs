//! Cumulative incidence of an outcome where death or other cohorts compete;
//! see [`follow_up`](crate::follow_up) for the conventions of time.

mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::Table;
use serde::{Deserialize, Serialize};

use crate::follow_up::{Rules, Tallies};
use crate::strata::Strata;
use crate::survival::{check_curves, check_times};
use crate::{Analysis, Concepts, CumulativeIncidenceSettings, Error, Needs, ShardView};

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct CumulativeIncidence {
    settings: CumulativeIncidenceSettings,
    rules: Rules,
    strata: Strata,
}

/// Follow-up by target and stratum.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    tallies: Tallies,
}

impl CumulativeIncidence {
    /// Checks the settings.
    pub(crate) fn new(settings: &CumulativeIncidenceSettings) -> Result<Self, Error> {
        check_curves(&settings.name, &settings.targets, settings.confidence_level)?;
        check_times(&settings.name, &settings.times_days)?;
        let nothing_competes = !settings.death_competes && settings.competing.is_empty();
        if nothing_competes || settings.competing.contains(&settings.outcome) {
            return Err(Error::Settings {
                analysis: settings.name.clone(),
                key: "competing",
                reason: "expected death or cohorts other than the outcome; for a curve without \
                         competing events ask for `survival`"
                    .to_owned(),
            });
        }
        let rules = Rules {
            outcome: settings.outcome,
            time_at_risk: settings.time_at_risk,
            first_entry_only: settings.first_entry_only,
            remove_prior_outcome: settings.remove_prior_outcome,
            prior_outcome_days: settings.prior_outcome_days,
            censor_at_cohort_end: settings.censor_at_cohort_end,
            // Nobody is followed past death, whether it competes or not.
            censor_at_death: true,
            follow_up_days_max: settings.follow_up_days_max,
            death_competes: settings.death_competes,
            competing_cohorts: settings.competing.clone(),
        };
        rules.check(&settings.name)?;
        let strata =
            Strata::new(&settings.name, &settings.strata, &settings.age_breaks, settings.age)?;
        Ok(Self { settings: settings.clone(), rules, strata })
    }
}

impl Analysis for CumulativeIncidence {
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
