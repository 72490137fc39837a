//! Regression of an outcome on covariates taken from records.
//!
//! A person counts once, by the first entry; follow-up is that of `survival`
//! (see [`follow_up`](crate::follow_up)), with death as the end of it, or, in
//! Fine and Gray's model, as what competes. Persons' rows are collected, and
//! put in the order of the person's hash before the model is fitted, so that
//! sums are folded in one order whatever the shards.

mod covariate;
mod design;
mod fit;
pub(crate) mod settings;
mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use farr_disclosure::AggregateTable;
use farr_records::{Table, hash_of_person};

use crate::follow_up::{Counted, Exit, Rules};
use crate::survival::check_level;
use crate::{Analysis, Concepts, Error, Needs, RegressionModel, RegressionSettings, ShardView};
use covariate::Source;

/// The analysis, ready to run.
#[derive(Debug, Clone)]
pub struct Regression {
    settings: RegressionSettings,
    rules: Rules,
    sources: Vec<Source>,
}

/// One person's row of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    /// The hash of the person, then the id: the order of rows.
    order: (u64, i64),
    exit: Exit,
    /// One value a covariate; NaN where missing.
    values: Vec<f64>,
}

/// The rows of some shards, and how many persons are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    rows: Vec<Row>,
    /// For a prior outcome.
    prior: i64,
    /// Since the first entry lies outside observation.
    unobserved: i64,
    /// Since follow-up ends before time at risk.
    not_at_risk: i64,
}

impl Regression {
    /// Checks the settings.
    pub(crate) fn new(settings: &RegressionSettings) -> Result<Self, Error> {
        let failed = |key: &'static str, reason: &str| Error::Settings {
            analysis: settings.name.clone(),
            key,
            reason: reason.to_owned(),
        };
        check_level(&settings.name, settings.confidence_level)?;
        if settings.covariates.is_empty() {
            return Err(failed("covariates", "expected one or more"));
        }
        let is_fine_gray = settings.model == RegressionModel::FineGray;
        if !is_fine_gray && !settings.competing.is_empty() {
            return Err(failed("competing", "nothing competes but in the model fine_gray"));
        }
        if is_fine_gray && !settings.death_competes && settings.competing.is_empty() {
            return Err(failed("competing", "expected death or cohorts; else use the model cox"));
        }
        let rules = Rules {
            outcome: settings.outcome,
            time_at_risk: settings.time_at_risk,
            first_entry_only: true,
            remove_prior_outcome: settings.remove_prior_outcome,
            prior_outcome_days: settings.prior_outcome_days,
            censor_at_cohort_end: settings.censor_at_cohort_end,
            censor_at_death: true,
            follow_up_days_max: settings.follow_up_days_max,
            death_competes: is_fine_gray && settings.death_competes,
            competing_cohorts: settings.competing.clone(),
        };
        rules.check(&settings.name)?;
        let sources = settings
            .covariates
            .iter()
            .map(|covariate| Source::new(&settings.name, covariate, settings.age))
            .collect::<Result<Vec<Source>, Error>>()?;
        for (place, source) in sources.iter().enumerate() {
            if sources[..place].iter().any(|earlier| earlier.name == source.name) {
                return Err(failed("covariates", &format!("'{}' stands twice", source.name)));
            }
        }
        Ok(Self { settings: settings.clone(), rules, sources })
    }

    /// The start of the names of the model's counts: regressions of the same
    /// persons agree on them.
    fn model_quantity(&self) -> String {
        let Self { settings, rules, .. } = self;
        let target = settings.target;
        let (rules, covariates) = (rules.quantity(Counted::Outcome), &settings.covariates);
        let (age, has_time) = (settings.age, settings.model == RegressionModel::Poisson);
        format!("regression/{target}/{rules}/{covariates:?}/{age:?}/{has_time}")
    }
}

impl Analysis for Regression {
    type Partial = Partial;

    fn needs(&self) -> Needs {
        let mut needs =
            BTreeMap::from([(Table::Person, crate::age::person_columns(self.settings.age))]);
        self.rules.add_needs(&mut needs);
        for source in &self.sources {
            source.add_needs(&mut needs);
        }
        needs
    }

    fn shard(&self, view: &ShardView<'_>) -> Result<Partial, Error> {
        let (name, target) = (&self.settings.name, self.settings.target);
        let mut partial = Partial::default();
        let mut entries = Vec::new();
        self.rules.visit(name, view, target, |row, exit| match exit {
            Exit::Unobserved => partial.unobserved += 1,
            Exit::PriorOutcome => partial.prior += 1,
            Exit::NotAtRisk => partial.not_at_risk += 1,
            exit @ (Exit::Outcome(_) | Exit::Competing(_) | Exit::Censored(_)) => {
                let person = view.shard.persons()[row.person as usize];
                entries.push(*row);
                let order = (hash_of_person(person), person.0);
                let values = Vec::with_capacity(self.sources.len());
                partial.rows.push(Row { order, exit, values });
            }
        })?;
        for source in &self.sources {
            let values = source.values(name, view, &entries)?;
            for (row, value) in partial.rows.iter_mut().zip(values) {
                row.values.push(value);
            }
        }
        Ok(partial)
    }

    fn merge(&self, into: &mut Partial, mut later: Partial) {
        into.rows.append(&mut later.rows);
        into.prior += later.prior;
        into.unobserved += later.unobserved;
        into.not_at_risk += later.not_at_risk;
    }

    fn finish(&self, mut merged: Partial, _: &Concepts) -> Result<Vec<AggregateTable>, Error> {
        merged.rows.sort_unstable_by_key(|row| row.order);
        let design = design::Design::new(&self.sources, &merged.rows, self.settings.model);
        let fitted = fit::fit(&self.settings, &design);
        table::tables(self, &design, &fitted, &merged)
            .map_err(|source| Error::Table { analysis: self.settings.name.clone(), source })
    }
}
