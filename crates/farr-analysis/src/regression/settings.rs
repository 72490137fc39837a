//! What a job file says of a regression, and its language of covariates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::{confidence_level, yes};
use crate::{AgeMethod, CharacteristicsDomain, RiskWindowSettings};

/// Settings of `regression`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegressionSettings {
    /// The report's name.
    #[serde(default = "regression_name")]
    pub name: String,
    /// The target cohort; a person counts once, by the first entry.
    pub target: i64,
    /// The outcome cohort: the event is its first start in the time at risk.
    pub outcome: i64,
    /// Which regression.
    pub model: RegressionModel,
    /// Covariates, in the order of the report.
    pub covariates: Vec<CovariateSettings>,
    /// With `fine_gray`: whether death competes with the outcome.
    #[serde(default = "yes")]
    pub death_competes: bool,
    /// With `fine_gray`: cohorts whose first start in the time at risk
    /// competes too.
    #[serde(default)]
    pub competing: Vec<i64>,
    /// From which day to which outcomes count; left out: from the day after
    /// the index date to the end of follow-up.
    #[serde(default)]
    pub time_at_risk: RiskWindowSettings,
    /// Persons with the outcome before the time at risk are removed.
    #[serde(default = "yes")]
    pub remove_prior_outcome: bool,
    /// How many days before the index date a prior outcome counts; left out:
    /// any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_outcome_days: Option<i32>,
    /// Time ends with the cohort row.
    #[serde(default)]
    pub censor_at_cohort_end: bool,
    /// Time ends so many days after the index date; left out: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up_days_max: Option<i32>,
    /// How age is counted.
    #[serde(default)]
    pub age: AgeMethod,
    /// The confidence level of intervals.
    #[serde(default = "confidence_level")]
    pub confidence_level: f64,
}

impl RegressionSettings {
    /// Every cohort that the analysis names.
    pub(crate) fn cohorts(&self) -> Vec<i64> {
        let flags = self.covariates.iter().filter_map(|covariate| match covariate {
            CovariateSettings::Cohort(covariate) => Some(covariate.cohort),
            _ => None,
        });
        [self.target, self.outcome]
            .into_iter()
            .chain(self.competing.iter().copied())
            .chain(flags)
            .collect()
    }
}

/// Which regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegressionModel {
    /// Cox's proportional hazards (Efron's ties): hazard ratios.
    Cox,
    /// Fine and Gray's subdistribution hazards: their ratios.
    FineGray,
    /// Poisson with person-time: rate ratios.
    Poisson,
    /// Logistic: odds ratios of an outcome in the time at risk, however long
    /// that was.
    Logistic,
}

/// A covariate of a regression; `kind` says from what it is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CovariateSettings {
    /// Age at the index date in years, as a number.
    Age(AgeCovariate),
    /// Age at the index date in groups.
    AgeGroup(AgeGroupCovariate),
    /// `gender_concept_id`.
    Sex(SexCovariate),
    /// Whether a person is in a cohort on a day of the window.
    Cohort(CohortCovariate),
    /// Whether a record with one of the concepts starts in the window.
    Concept(ConceptCovariate),
    /// How many visits start in the window.
    Visits(VisitsCovariate),
    /// The latest value of a measurement in the window.
    Measurement(MeasurementCovariate),
    /// Charlson's index, or another weighted sum, from the condition codes in
    /// the window.
    Charlson(CharlsonCovariate),
}

/// Age as a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeCovariate {
    /// The term's name.
    pub name: String,
    /// The ratio is of so many years more.
    #[serde(default = "one_year")]
    pub per_years: f64,
}

/// Age in groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeGroupCovariate {
    /// The terms' name, before the group's.
    pub name: String,
    /// Bounds: `[50, 65]` makes under 50, 50 to 64, 65 and over.
    pub age_breaks: Vec<i32>,
    /// The group that the others are compared with, as "50-64"; left out: the
    /// first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Sex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SexCovariate {
    /// The terms' name, before the concept.
    pub name: String,
    /// The `gender_concept_id` that the others are compared with.
    #[serde(default = "male")]
    pub reference: i64,
}

/// Membership of a cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CohortCovariate {
    /// The term's name.
    pub name: String,
    /// The cohort.
    pub cohort: i64,
    /// Days from the index date, both ends included.
    #[serde(default = "index_day")]
    pub window: (i32, i32),
}

/// A record with a concept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConceptCovariate {
    /// The term's name.
    pub name: String,
    /// Which records.
    pub domain: CharacteristicsDomain,
    /// Concept ids, descendants not included.
    pub concepts: Vec<i64>,
    /// Days from the index date, both ends included.
    #[serde(default = "year_before")]
    pub window: (i32, i32),
}

/// A count of visits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitsCovariate {
    /// The term's name.
    pub name: String,
    /// `visit_concept_id`s; left out: all visits.
    #[serde(default)]
    pub concepts: Vec<i64>,
    /// Days from the index date, both ends included.
    #[serde(default = "year_before")]
    pub window: (i32, i32),
}

/// A measurement's latest value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasurementCovariate {
    /// The term's name.
    pub name: String,
    /// Concept ids, descendants not included. Values are taken as they are:
    /// name concepts that the site records in one unit.
    pub concepts: Vec<i64>,
    /// Days from the index date, both ends included.
    #[serde(default = "year_before")]
    pub window: (i32, i32),
    /// What becomes of persons without a value.
    pub missing: MissingValue,
}

/// What becomes of persons without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingValue {
    /// They are left out of the model.
    Drop,
    /// They have the value 0, and a 0/1 term `<name> missing` of their own.
    Indicator,
}

/// A comorbidity index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharlsonCovariate {
    /// The term's name.
    pub name: String,
    /// Days from the index date, both ends included.
    #[serde(default = "year_before")]
    pub window: (i32, i32),
    /// The weights of Quan's ICD-10 lists, where `conditions` are left out.
    #[serde(default)]
    pub weights: CharlsonWeights,
    /// The conditions; left out: Quan's ICD-10 lists. Where a milder and a severer form are both named
    /// (`diab` and `diabwc`, `mld` and `msld`, `canc` and `metacanc`), the
    /// severer one silences the milder.
    #[serde(default)]
    pub conditions: Vec<CharlsonCondition>,
}

/// Weights of the conditions of Charlson's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CharlsonWeights {
    /// Charlson's of 1987.
    #[default]
    Charlson,
    /// Quan's of 2011.
    Quan,
}

/// A condition of a comorbidity index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharlsonCondition {
    /// Its name.
    pub name: String,
    /// What it adds to the score.
    pub weight: f64,
    /// Starts of `condition_source_value` that mean it; dots and case do not
    /// matter.
    pub prefixes: Vec<String>,
}

fn regression_name() -> String {
    "regression".to_owned()
}

fn one_year() -> f64 {
    1.0
}

fn male() -> i64 {
    8507
}

fn index_day() -> (i32, i32) {
    (0, 0)
}

fn year_before() -> (i32, i32) {
    (-365, -1)
}
