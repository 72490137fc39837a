//! What a job file says of an analysis: plain data, decided once at the edge.

use farr_records::{Day, Interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RegressionSettings, RiskWindowSettings};

/// One analysis of a job file; `kind` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Settings {
    /// How many entry events each inclusion rule leaves.
    Attrition(AttritionSettings),
    /// Table 1: age, sex, and records in windows around the index date.
    Characteristics(CharacteristicsSettings),
    /// Incidence proportions and rates, as OHDSI's CohortIncidence defines them.
    Incidence(IncidenceSettings),
    /// Kaplan-Meier curves from cohort entry to an outcome.
    Survival(SurvivalSettings),
    /// Cumulative incidence of an outcome where death or other cohorts compete.
    CumulativeIncidence(CumulativeIncidenceSettings),
    /// Point and period prevalence by calendar interval, as DARWIN EU's
    /// IncidencePrevalence defines them.
    Prevalence(PrevalenceSettings),
    /// A regression of an outcome on covariates taken from records.
    Regression(RegressionSettings),
    /// How many persons cohorts share.
    Overlap(OverlapSettings),
}

impl Settings {
    /// The name of the analysis, which is also its report's.
    pub fn name(&self) -> &str {
        match self {
            Self::Attrition(settings) => &settings.name,
            Self::Characteristics(settings) => &settings.name,
            Self::Incidence(settings) => &settings.name,
            Self::Survival(settings) => &settings.name,
            Self::CumulativeIncidence(settings) => &settings.name,
            Self::Prevalence(settings) => &settings.name,
            Self::Regression(settings) => &settings.name,
            Self::Overlap(settings) => &settings.name,
        }
    }

    /// The names of the tables that its report has.
    pub fn tables(&self) -> Vec<String> {
        let further: &[&str] = match self {
            Self::Attrition(_) | Self::Incidence(_) | Self::Overlap(_) => &[],
            Self::Characteristics(_) => &["age", "smd"],
            Self::CumulativeIncidence(_) => &["summary", "gray", "strata_gray"],
            Self::Prevalence(_) => &["standardised", "persons"],
            Self::Regression(_) => &["persons"],
            Self::Survival(_) => &["summary", "log_rank", "strata_log_rank"],
        };
        let further = further.iter().map(|part| format!("{}_{part}", self.name()));
        [self.name().to_owned()].into_iter().chain(further).collect()
    }

    /// The cohorts that the analysis names; empty means all of the job.
    pub fn cohorts(&self) -> Vec<i64> {
        match self {
            Self::Attrition(settings) => settings.cohorts.clone(),
            Self::Characteristics(settings) => settings.cohorts.clone(),
            Self::Incidence(settings) => {
                let outcomes = settings.outcomes.iter().flat_map(OutcomeSettings::cohorts);
                let subgroups = settings.subgroups.iter().map(|subgroup| subgroup.cohort);
                settings.targets.iter().copied().chain(outcomes).chain(subgroups).collect()
            }
            Self::Survival(settings) => {
                settings.targets.iter().copied().chain([settings.outcome]).collect()
            }
            Self::CumulativeIncidence(settings) => {
                let outcomes = [settings.outcome].into_iter().chain(settings.competing.clone());
                settings.targets.iter().copied().chain(outcomes).collect()
            }
            Self::Prevalence(settings) => {
                settings.targets.iter().chain(&settings.outcomes).copied().collect()
            }
            Self::Regression(settings) => settings.cohorts(),
            Self::Overlap(settings) => settings.cohorts.clone(),
        }
    }
}

/// How age is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgeMethod {
    /// Year of the date minus year of birth, as OHDSI's tools do.
    #[default]
    YearDifference,
    /// Completed years, by month and day of birth where they are known
    /// (missing ones count as 1).
    Exact,
}

/// Settings of `attrition`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttritionSettings {
    /// The report's name.
    #[serde(default = "attrition_name")]
    pub name: String,
    /// Cohorts by id; left out: all of the job.
    #[serde(default)]
    pub cohorts: Vec<i64>,
}

fn attrition_name() -> String {
    "attrition".to_owned()
}

/// Settings of `characteristics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CharacteristicsSettings {
    /// The report's name.
    #[serde(default = "characteristics_name")]
    pub name: String,
    /// Cohorts by id; left out: all of the job. Standardised mean differences
    /// compare each with the first.
    #[serde(default)]
    pub cohorts: Vec<i64>,
    /// Windows of days around the index date, both ends included, like
    /// `[-365, -1]`.
    #[serde(default = "characteristics_windows")]
    pub windows: Vec<(i32, i32)>,
    /// Which records are counted.
    #[serde(default = "characteristics_domains")]
    pub domains: Vec<CharacteristicsDomain>,
    /// Upper bounds (exclusive) of age groups.
    #[serde(default = "age_breaks")]
    pub age_breaks: Vec<i32>,
    /// How age is counted.
    #[serde(default)]
    pub age: AgeMethod,
    /// Concepts that fewer persons of every cohort have are left out.
    #[serde(default = "one")]
    pub persons_min: u64,
}

/// A domain of records that `characteristics` counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CharacteristicsDomain {
    /// `condition_occurrence`.
    Condition,
    /// `drug_exposure`.
    Drug,
    /// `procedure_occurrence`.
    Procedure,
    /// `measurement`.
    Measurement,
    /// `observation`.
    Observation,
    /// `device_exposure`.
    Device,
    /// `visit_occurrence`.
    Visit,
}

fn characteristics_name() -> String {
    "characteristics".to_owned()
}

fn characteristics_windows() -> Vec<(i32, i32)> {
    vec![(-365, -1)]
}

fn characteristics_domains() -> Vec<CharacteristicsDomain> {
    vec![
        CharacteristicsDomain::Condition,
        CharacteristicsDomain::Drug,
        CharacteristicsDomain::Visit,
    ]
}

fn age_breaks() -> Vec<i32> {
    vec![18, 35, 50, 65, 80]
}

fn one() -> u64 {
    1
}

/// An end of a time at risk: an anchor and days after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnchorSettings {
    /// Which date of the cohort row.
    pub anchor: Anchor,
    /// Days after it; negative: before it.
    #[serde(default)]
    pub offset_days: i32,
}

impl AnchorSettings {
    /// The day of a cohort row.
    #[inline]
    pub(crate) fn day(self, row: Interval) -> Day {
        let date = match self.anchor {
            Anchor::CohortStart => row.start,
            Anchor::CohortEnd => row.end,
        };
        date.plus(self.offset_days)
    }
}

/// A date of a cohort row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// `cohort_start_date`.
    CohortStart,
    /// `cohort_end_date`.
    CohortEnd,
}

/// A time at risk: both ends count, clipped to the observation period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeAtRiskSettings {
    /// Its number in the report.
    pub id: i64,
    /// Its first day.
    pub start: AnchorSettings,
    /// Its last day.
    pub end: AnchorSettings,
}

/// An outcome of `incidence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeSettings {
    /// Its number in the report; left out: the cohort's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The outcome cohort.
    pub cohort: i64,
    /// Days after an outcome's end in which a person is not at risk.
    #[serde(default)]
    pub clean_window_days: i32,
    /// A cohort whose time is not at risk either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_cohort: Option<i64>,
}

impl OutcomeSettings {
    fn cohorts(&self) -> impl Iterator<Item = i64> {
        [self.cohort].into_iter().chain(self.excluded_cohort)
    }
}

/// What an analysis is divided by, besides the total.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stratum {
    /// Age at the start of the time at risk (the index date), in groups.
    Age,
    /// `gender_concept_id`.
    Sex,
    /// Calendar year of the start of the time at risk (the index date).
    Year,
}

/// Persons of one kind, among whom `incidence` is given too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubgroupSettings {
    /// Its number in the report, above 0.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The cohort that a time at risk must start in.
    pub cohort: i64,
}

/// Settings of `incidence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidenceSettings {
    /// The report's name.
    #[serde(default = "incidence_name")]
    pub name: String,
    /// Target cohorts by id.
    pub targets: Vec<i64>,
    /// Outcomes.
    pub outcomes: Vec<OutcomeSettings>,
    /// Times at risk; left out: the whole cohort row.
    #[serde(default = "whole_row")]
    pub time_at_risk: Vec<TimeAtRiskSettings>,
    /// Divisions; every combination of those named is given.
    #[serde(default)]
    pub strata: Vec<Stratum>,
    /// Bounds of age groups: `[18, 65]` makes under 18, 18 to 64, 65 and over.
    /// Several lists, `[[18, 65], [40]]`, give several divisions side by side.
    #[serde(default)]
    pub age_breaks: AgeBreaks,
    /// How age is counted.
    #[serde(default)]
    pub age: AgeMethod,
    /// Subgroups of the target cohorts.
    #[serde(default)]
    pub subgroups: Vec<SubgroupSettings>,
    /// Only times at risk that start in these days (`YYYY-MM-DD`) count, and
    /// they end with the second.
    #[serde(default)]
    pub study_window: StudyWindowSettings,
    /// The confidence level of intervals.
    #[serde(default = "confidence_level")]
    pub confidence_level: f64,
}

/// Bounds of age groups: one division or several side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AgeBreaks {
    /// One division.
    One(Vec<i32>),
    /// Several divisions, which may overlap each other.
    Several(Vec<Vec<i32>>),
}

impl Default for AgeBreaks {
    fn default() -> Self {
        Self::One(age_breaks())
    }
}

impl AgeBreaks {
    /// The divisions, each a list of ascending bounds.
    pub fn divisions(&self) -> Vec<&[i32]> {
        match self {
            Self::One(breaks) => vec![breaks],
            Self::Several(divisions) => divisions.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// First and last day of a study; an end left out is open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyWindowSettings {
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

fn incidence_name() -> String {
    "incidence".to_owned()
}

fn whole_row() -> Vec<TimeAtRiskSettings> {
    vec![TimeAtRiskSettings {
        id: 1,
        start: AnchorSettings { anchor: Anchor::CohortStart, offset_days: 0 },
        end: AnchorSettings { anchor: Anchor::CohortEnd, offset_days: 0 },
    }]
}

pub(crate) fn confidence_level() -> f64 {
    0.95
}

/// Settings of `survival`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct SurvivalSettings {
    /// The report's name.
    #[serde(default = "survival_name")]
    pub name: String,
    /// Target cohorts by id; each has a curve, and the log-rank test compares
    /// them when there are two or more.
    pub targets: Vec<i64>,
    /// The outcome cohort: the event is its first start in the time at risk.
    pub outcome: i64,
    /// From which day to which outcomes count; left out: from the day after
    /// the index date to the end of follow-up.
    #[serde(default)]
    pub time_at_risk: RiskWindowSettings,
    /// Only a person's first entry into a target counts.
    #[serde(default = "yes")]
    pub first_entry_only: bool,
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
    /// Time ends with death, where the outcome is something else.
    #[serde(default = "yes")]
    pub censor_at_death: bool,
    /// Time ends so many days after the index date; left out: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up_days_max: Option<i32>,
    /// Days at which estimates and the number at risk are given besides.
    #[serde(default = "survival_times")]
    pub times_days: Vec<i32>,
    /// Divisions at the index date: each gives one curve a stratum, beside the
    /// total, and a log-rank test between the strata of a target.
    #[serde(default)]
    pub strata: Vec<Stratum>,
    /// Bounds of age groups: `[18, 65]` makes under 18, 18 to 64, 65 and over.
    #[serde(default = "age_breaks")]
    pub age_breaks: Vec<i32>,
    /// How age is counted.
    #[serde(default)]
    pub age: AgeMethod,
    /// The confidence level of intervals.
    #[serde(default = "confidence_level")]
    pub confidence_level: f64,
}

/// Settings of `cumulative_incidence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct CumulativeIncidenceSettings {
    /// The report's name.
    #[serde(default = "cumulative_incidence_name")]
    pub name: String,
    /// Target cohorts by id; each has curves, and Gray's test compares them
    /// when there are two or more.
    pub targets: Vec<i64>,
    /// The outcome cohort: the event is its first start in the time at risk.
    pub outcome: i64,
    /// Whether death, from the death table, competes with the outcome.
    #[serde(default = "yes")]
    pub death_competes: bool,
    /// Cohorts whose first start in the time at risk competes too.
    #[serde(default)]
    pub competing: Vec<i64>,
    /// From which day to which outcomes count; left out: from the day after
    /// the index date to the end of follow-up.
    #[serde(default)]
    pub time_at_risk: RiskWindowSettings,
    /// Only a person's first entry into a target counts.
    #[serde(default = "yes")]
    pub first_entry_only: bool,
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
    /// Days at which estimates and the number at risk are given besides.
    #[serde(default = "survival_times")]
    pub times_days: Vec<i32>,
    /// Divisions at the index date: each gives one curve a stratum, beside the
    /// total, and Gray's test between the strata of a target.
    #[serde(default)]
    pub strata: Vec<Stratum>,
    /// Bounds of age groups: `[18, 65]` makes under 18, 18 to 64, 65 and over.
    #[serde(default = "age_breaks")]
    pub age_breaks: Vec<i32>,
    /// How age is counted.
    #[serde(default)]
    pub age: AgeMethod,
    /// The confidence level of intervals.
    #[serde(default = "confidence_level")]
    pub confidence_level: f64,
}

fn cumulative_incidence_name() -> String {
    "cumulative_incidence".to_owned()
}

fn survival_name() -> String {
    "survival".to_owned()
}

fn survival_times() -> Vec<i32> {
    vec![0, 30, 90, 180, 365, 730, 1095, 1825]
}

pub(crate) fn yes() -> bool {
    true
}

/// Settings of `prevalence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrevalenceSettings {
    /// The report's name.
    #[serde(default = "prevalence_name")]
    pub name: String,
    /// Outcome cohorts by id: a person has the outcome on the days of a row.
    pub outcomes: Vec<i64>,
    /// Target cohorts by id, whose rows bound the denominator; left out:
    /// everybody under observation.
    #[serde(default)]
    pub targets: Vec<i64>,
    /// Point or period prevalence.
    #[serde(default)]
    pub measure: PrevalenceMeasure,
    /// Calendar intervals; each kind named is given.
    #[serde(default = "prevalence_intervals")]
    pub intervals: Vec<CalendarInterval>,
    /// The day of an interval on which point prevalence is taken.
    #[serde(default)]
    pub time_point: TimePoint,
    /// Period prevalence only of intervals that lie wholly between the
    /// denominator's first and last day.
    #[serde(default = "yes")]
    pub complete_database_intervals: bool,
    /// Period prevalence only among those in the denominator for the whole
    /// interval; otherwise one day of it is enough.
    #[serde(default)]
    pub full_contribution: bool,
    /// Days of observation before a person counts.
    #[serde(default)]
    pub prior_observation_days: u32,
    /// First and last day of the study.
    #[serde(default)]
    pub study_window: StudyWindowSettings,
    /// Divisions, `sex` and `age`; every combination of those named is given.
    #[serde(default)]
    pub strata: Vec<Stratum>,
    /// Bounds of age groups: `[18, 65]` makes under 18, 18 to 64, 65 and over.
    /// A person changes the group on a birthday.
    #[serde(default = "age_breaks")]
    pub age_breaks: Vec<i32>,
    /// How age is counted.
    #[serde(default = "exact")]
    pub age: AgeMethod,
    /// A population to whose ages prevalence is standardised; needs `age`
    /// among the strata.
    #[serde(default)]
    pub standard_population: Vec<StandardWeightSettings>,
    /// The confidence level of intervals.
    #[serde(default = "confidence_level")]
    pub confidence_level: f64,
}

/// Point or period prevalence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrevalenceMeasure {
    /// On one day of each interval.
    Point,
    /// At any time of each interval.
    #[default]
    Period,
}

/// Into what calendar time is divided.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CalendarInterval {
    /// ISO weeks, from Monday.
    Weeks,
    /// Calendar months.
    Months,
    /// Quarters of a year.
    Quarters,
    /// Calendar years.
    Years,
    /// From the denominator's first day to its last; period prevalence only.
    Overall,
}

/// A day of a calendar interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimePoint {
    /// Its first day.
    #[default]
    Start,
    /// Thursday of a week, the 15th of a month, the 15th of a quarter's second
    /// month, 1 July of a year.
    Middle,
    /// Its last day.
    End,
}

/// An age group's weight in a standard population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandardWeightSettings {
    /// The group, as the report names it: "<18", "18-34", ">=80".
    pub age_group: String,
    /// Its persons or share, in any unit.
    pub weight: f64,
}

fn prevalence_name() -> String {
    "prevalence".to_owned()
}

fn prevalence_intervals() -> Vec<CalendarInterval> {
    vec![CalendarInterval::Years]
}

fn exact() -> AgeMethod {
    AgeMethod::Exact
}

/// Settings of `overlap`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverlapSettings {
    /// The report's name.
    #[serde(default = "overlap_name")]
    pub name: String,
    /// Cohorts by id; left out: all of the job.
    #[serde(default)]
    pub cohorts: Vec<i64>,
}

fn overlap_name() -> String {
    "overlap".to_owned()
}
