//! The job file's types: what a job is made of, as TOML has it.
//!
//! Serde's names are a promise to users; the JSON Schema is made of them.

use std::collections::BTreeMap;

use farr_analysis::Settings;
use farr_cohort::algebra::settings::{CohortReference, Derivation};
use farr_disclosure::Zone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A job: exports in, cohorts and outcomes run, reports out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// What the job is called.
    pub job: JobSettings,
    /// Places by name.
    pub locations: BTreeMap<String, LocationSettings>,
    /// Exports to read, one or more.
    pub source: Vec<SourceSettings>,
    /// Where the canonical records are kept.
    pub records: RecordsSettings,
    /// Cohorts, each with an id of its own.
    #[serde(default)]
    pub cohort: Vec<CohortSettings>,
    /// Analyses over the cohorts, each with a name of its own.
    #[serde(default)]
    pub analysis: Vec<Settings>,
    /// Where the reports go.
    pub report: ReportSettings,
}

/// `[job]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSettings {
    /// The job's name: letters, digits, `-` and `_`.
    pub name: String,
    /// What the job is to find out.
    #[serde(default)]
    pub description: String,
}

/// `[locations.<name>]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocationSettings {
    /// A path (relative ones start at the job file), `file://`, `s3://`,
    /// `gs://`, `az://`, `http://` or `https://`.
    pub url: String,
    /// Who can read the place: `restricted` (the default) or `open`.
    #[serde(default)]
    #[schemars(with = "ZoneName")]
    pub zone: Zone,
    /// Options of the store, like `endpoint` or `region`. Secrets come from the
    /// environment only: `secret_access_key = "${AWS_SECRET_ACCESS_KEY}"`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

#[derive(JsonSchema)]
#[schemars(rename = "Zone", rename_all = "lowercase")]
#[expect(dead_code, reason = "stands in for disclosure's Zone in the schema only")]
enum ZoneName {
    /// People cleared for the persons' rows.
    Restricted,
    /// Anybody.
    Open,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FormatName {
    /// Synthea's CSV export, of any year.
    SyntheaCsv,
    /// OMOP CDM 5.3 or 5.4, as Parquet or CSV.
    Omop,
}

/// `[[source]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// The export's format.
    pub format: FormatName,
    /// The name of the location that holds it.
    pub location: String,
    /// The name of the source system: ids are hashed with it.
    pub system: String,
    /// The IANA time zone in which the site's days are counted.
    #[serde(default = "utc")]
    pub timezone: String,
    /// Columns that the site renamed: table, then farr's name = the site's.
    #[serde(default)]
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    /// Files that the site renamed: table = the file's name without ending.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// `[records]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsSettings {
    /// The name of the location for the records: a restricted one.
    pub location: String,
    /// The name of a location with an OMOP vocabulary in Athena's CSV layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<String>,
    /// How many shards, a power of two; left out: by the input's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// The job fails above so many rejects: a count like `100`, or a share of
    /// the rows read like `"1%"`, of the vocabulary's and of all others each on
    /// its own; left out: any number is fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<RejectsMax>,
}

/// A bound on rejects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RejectsMax {
    /// So many rows.
    Count(u64),
    /// A share of the rows read, like `"1%"`.
    Share(String),
}

/// `[[cohort]]`: a definition's file, or how the cohort is derived from others
/// of the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["file"] }, { "required": ["derive"] }]))]
pub struct CohortSettings {
    /// `cohort_definition_id`, unique in the job.
    pub id: i64,
    /// What the cohort is called.
    pub name: String,
    /// A definition: Circe JSON (`.json`) or the short form (`.toml`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How the cohort is derived from others of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derive: Option<Derivation<CohortReference>>,
}

/// `[report]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSettings {
    /// The name of the location for the reports.
    pub location: String,
    /// In an open zone, counts below this are suppressed: 3 or more.
    #[serde(default = "threshold")]
    #[schemars(range(min = 3))]
    pub threshold: u64,
}

fn threshold() -> u64 {
    5
}
