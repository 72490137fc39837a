//! A job file becomes a plan: everything that can be known without reading
//! data is known, or the job is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use farr_analysis::{AnyAnalysis, AttritionSettings, Composition, Settings, analysis_of};
use farr_cohort::Definition;
use farr_cohort::algebra::settings::Derivation;
use farr_cohort::algebra::{Algebra, CohortName, ToDerive};
use farr_disclosure::Zone;
use farr_source::{Format, SourceSettings};
use farr_store::{Location, Sha256Hash};
use serde_json::json;

use crate::cohorts::read_definition;
use crate::job_file::{CohortSettings, FormatName, JobFile, LocationSettings, RejectsMax};
use crate::parse::{Parameter, parse_job};
use crate::{Error, near};

/// Which job: a file, and what the command line says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRequest {
    /// The job file.
    pub file: PathBuf,
    /// `--set` parameters, in order.
    pub parameters: Vec<Parameter>,
}

/// A checked job.
#[derive(Debug)]
pub struct Plan {
    /// The job as read.
    pub job: JobFile,
    /// The folder that relative paths start at.
    pub folder: PathBuf,
    /// The definitions of the cohorts that have one, in the job's order.
    pub definitions: Vec<Definition>,
    /// The cohorts that are derived from others.
    pub algebra: Algebra,
    /// All cohorts, in the job's order.
    pub cohorts: Vec<PlannedCohort>,
    /// The analyses, in the job's order; then, if there are derived cohorts,
    /// what their steps leave.
    pub analyses: Vec<AnyAnalysis>,
    /// Hash of all that can change an answer: definitions, settings, farr's
    /// version; not threads, shards, places or secrets.
    pub job_hash: Sha256Hash,
}

/// A cohort of a job, defined or derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCohort {
    /// `cohort_definition_id`.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Hash of its definition, or of its derivation and what is behind it.
    pub hash: String,
}

/// The table that says what the steps of derived cohorts leave.
const DERIVATION_TABLE: &str = "derivation";

/// The table that says of whom unions are made.
const UNION_TABLE: &str = "derivation_union";

impl Plan {
    /// Reads and checks a job and its cohorts; reads no data.
    ///
    /// # Errors
    /// What is wrong with the job file, with its place; a cohort's definition
    /// with its own; ids and names that stand twice or stand for nothing.
    pub fn load(request: &JobRequest) -> Result<Self, Error> {
        let file = request.file.display().to_string();
        let text = std::fs::read_to_string(&request.file)
            .map_err(|source| Error::File { file: file.clone(), source })?;
        let environment = |name: &str| std::env::var(name).ok();
        let job = parse_job(&file, &text, &request.parameters, &environment)?;
        let folder = request.file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        check(&file, &job)?;
        let definitions = definitions(&job, &folder)?;
        let algebra = algebra(&job)?;
        let cohorts = planned(&job, &definitions, &algebra);
        let ids: Vec<i64> = job.cohort.iter().map(|cohort| cohort.id).collect();
        let asked = job.analysis.iter().map(|settings| analysis_of(settings, &ids));
        let mut analyses = asked.collect::<Result<Vec<_>, _>>()?;
        analyses.extend(derivation_analyses(&algebra)?);
        let job_hash = job_hash(&job, &cohorts);
        let plan = Self { job, folder, definitions, algebra, cohorts, analyses, job_hash };
        plan.check_places()?;
        Ok(plan)
    }

    /// Urls, their options and the sources' settings, without asking any place.
    fn check_places(&self) -> Result<(), Error> {
        for name in self.job.locations.keys() {
            self.location(name)?;
        }
        self.job.source.iter().try_for_each(|source| {
            farr_source::check(&Self::source_settings(source))
                .map_err(|error| Error::Source { system: source.system.clone(), source: error })
        })
    }

    /// That records and reports are not at one place; and that no OMOP source is
    /// read in whose midst the records are written: they would be taken for a part
    /// of it, and it would never stay as it is meanwhile.
    pub(crate) fn check_apart(&self) -> Result<(), Error> {
        let (records, reports) = (&self.job.records.location, &self.job.report.location);
        if self.is_inside(records, reports)? && self.is_inside(reports, records)? {
            return Err(self.one_place());
        }
        let sources = self.job.source.iter().map(|source| (source.format, &source.location));
        let vocabulary = self.job.records.vocabulary.iter().map(|name| (FormatName::Omop, name));
        for (format, name) in sources.chain(vocabulary) {
            if format == FormatName::Omop && self.is_inside(records, name)? {
                return Err(Error::Job {
                    file: "job".to_owned(),
                    key: format!("locations.{records}"),
                    reason: format!(
                        "the records lie inside the location '{name}' and would be read as a part \
                         of it; give them a place beside it"
                    ),
                    hint: None,
                });
            }
        }
        Ok(())
    }

    /// What is wrong with records and reports at one place.
    pub(crate) fn one_place(&self) -> Error {
        Error::Job {
            file: "job".to_owned(),
            key: format!("locations.{}", self.job.report.location),
            reason: "records and reports lie at one place, where each would pass for the other's \
                     current run; give the reports a place beside the records"
                .to_owned(),
            hint: None,
        }
    }

    /// Whether one location is the other or lies in it.
    fn is_inside(&self, inner: &str, outer: &str) -> Result<bool, Error> {
        let [inside, outside] = [self.location(inner)?, self.location(outer)?];
        if let (Some(inside), Some(outside)) = (inside.local_folder(), outside.local_folder()) {
            return Ok(real(inside).starts_with(real(outside)));
        }
        let options = [inner, outer].map(|name| self.location_settings(name));
        let [inner, outer] = [&options[0], &options[1]];
        let same = matches!((inner, outer), (Ok(a), Ok(b)) if a.options == b.options);
        let [inside, outside] = [inside, outside].map(|place| {
            // Hadoop's name of the same place.
            let path = place.url().strip_prefix("s3a:");
            path.map_or_else(|| place.url().to_owned(), |path| format!("s3:{path}"))
        });
        let rest = inside.strip_prefix(outside.trim_end_matches('/'));
        Ok(same && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Opens a location of the job.
    pub fn location(&self, name: &str) -> Result<Location, Error> {
        let settings = self.location_settings(name)?;
        Ok(Location::open(&settings.url, settings.zone, settings.options.clone(), &self.folder)?)
    }

    /// Whether exact counts may be shown: what terminal and logs print follows
    /// the zone of the report.
    pub(crate) fn shows_counts(&self) -> bool {
        let report = self.job.locations.get(&self.job.report.location);
        report.is_some_and(|location| location.zone == Zone::Restricted)
    }

    fn location_settings(&self, name: &str) -> Result<&LocationSettings, Error> {
        self.job.locations.get(name).ok_or_else(|| Error::Job {
            file: "job".to_owned(),
            key: format!("locations.{name}"),
            reason: "no such location".to_owned(),
            hint: None,
        })
    }

    /// How a source of the job is read.
    pub fn source_settings(source: &crate::job_file::SourceSettings) -> SourceSettings {
        SourceSettings {
            format: match source.format {
                FormatName::SyntheaCsv => Format::SyntheaCsv,
                FormatName::Omop => Format::Omop,
            },
            system: source.system.clone(),
            timezone: source.timezone.clone(),
            columns: source.columns.clone(),
            files: source.files.clone(),
        }
    }

    /// The most rejects that the job allows.
    pub fn rejects_max(&self) -> Option<farr_records::RejectsMax> {
        let max = self.job.records.max_rejects.as_ref()?;
        rejects_max(max)
    }
}

/// A folder without links and dots, of which the end need not be there.
fn real(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let there = folder.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    match there {
        Some((part, real)) => real.join(folder.strip_prefix(part).unwrap_or(Path::new(""))),
        None => folder.clone(),
    }
}

/// A bound on rejects, `None` if the share is not like `"1%"`.
pub(crate) fn rejects_max(max: &RejectsMax) -> Option<farr_records::RejectsMax> {
    match max {
        RejectsMax::Count(rows) => Some(farr_records::RejectsMax::Count(*rows)),
        RejectsMax::Share(text) => {
            let percent: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
            (0.0..=100.0)
                .contains(&percent)
                .then_some(farr_records::RejectsMax::Share(percent / 100.0))
        }
    }
}

/// What serde cannot see: names that stand for nothing, ids that stand twice.
fn check(file: &str, job: &JobFile) -> Result<(), Error> {
    let failed = |key: String, reason: &str, hint: Option<String>| Error::Job {
        file: file.to_owned(),
        key,
        reason: reason.to_owned(),
        hint,
    };
    let is_name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if !is_name(&job.job.name) {
        let reason = "expected letters, digits, '-' and '_'";
        return Err(failed("job.name".to_owned(), reason, None));
    }
    if job.source.is_empty() {
        return Err(failed("source".to_owned(), "expected one or more [[source]]", None));
    }
    let named = job
        .source
        .iter()
        .enumerate()
        .map(|(i, source)| (format!("source[{i}].location"), source.location.as_str()));
    let others = [
        ("records.location".to_owned(), job.records.location.as_str()),
        ("report.location".to_owned(), job.report.location.as_str()),
    ];
    let vocabulary = job.records.vocabulary.as_deref();
    let vocabulary = vocabulary.map(|name| ("records.vocabulary".to_owned(), name));
    for (key, name) in named.chain(others).chain(vocabulary) {
        if !job.locations.contains_key(name) {
            let known = job.locations.keys().map(String::as_str);
            let hint = near::nearest(name, known).map(|name| format!("did you mean '{name}'?"));
            return Err(failed(key, &format!("no [locations.{name}]"), hint));
        }
    }
    if job.records.max_rejects.as_ref().is_some_and(|max| rejects_max(max).is_none()) {
        let reason = "expected a count, or a share like \"1%\"";
        return Err(failed("records.max_rejects".to_owned(), reason, None));
    }
    let shards = job.records.shards;
    if shards.is_some_and(|n| !n.is_power_of_two() || n > farr_records::SHARDS_MAX) {
        let reason = format!("expected a power of two, at most {}", farr_records::SHARDS_MAX);
        return Err(failed("records.shards".to_owned(), &reason, None));
    }
    if job.report.threshold < 3 {
        let reason = "expected 3 or more: below that a withheld count can only be 1";
        return Err(failed("report.threshold".to_owned(), reason, None));
    }
    let records = &job.records.location;
    if job.locations.get(records).is_some_and(|location| location.zone == Zone::Open) {
        return Err(Error::OpenZone { what: "records", location: records.clone() });
    }
    let mut systems = BTreeSet::new();
    for (i, source) in job.source.iter().enumerate() {
        if !systems.insert(&source.system) {
            let reason = format!("the system '{}' stands twice", source.system);
            return Err(failed(format!("source[{i}].system"), &reason, None));
        }
    }
    check_cohorts(job, failed)
}

fn check_cohorts(
    job: &JobFile,
    failed: impl Fn(String, &str, Option<String>) -> Error,
) -> Result<(), Error> {
    let mut ids = BTreeSet::new();
    for (i, cohort) in job.cohort.iter().enumerate() {
        if !ids.insert(cohort.id) {
            let reason = format!("the id {} stands twice", cohort.id);
            return Err(failed(format!("cohort[{i}].id"), &reason, None));
        }
        let reason = match (&cohort.file, &cohort.derive) {
            (Some(_), Some(_)) => "found file and derive, expected one of them",
            (None, None) => "expected file, a definition, or derive, from other cohorts",
            _ => continue,
        };
        return Err(failed(format!("cohort[{i}] '{}'", cohort.name), reason, None));
    }
    let mut names = BTreeSet::new();
    if job.cohort.iter().any(|cohort| cohort.derive.is_some()) {
        names.extend([DERIVATION_TABLE, UNION_TABLE].map(str::to_owned));
    }
    for (i, analysis) in job.analysis.iter().enumerate() {
        let name = analysis.name();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(fits) {
            let reason = "expected lower-case letters, digits and '_'";
            return Err(failed(format!("analysis[{i}].name"), reason, None));
        }
        for table in analysis.tables() {
            if let Some(twice) = names.replace(table) {
                let reason = format!("two tables would be called '{twice}'; name one otherwise");
                return Err(failed(format!("analysis[{i}].name"), &reason, None));
            }
        }
        if let Some(unknown) = analysis.cohorts().into_iter().find(|id| !ids.contains(id)) {
            let known: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let reason = format!("no [[cohort]] has the id {unknown}");
            let hint = format!("the job has {}", known.join(", "));
            return Err(failed(format!("analysis[{i}] '{name}'"), &reason, Some(hint)));
        }
    }
    Ok(())
}

fn definitions(job: &JobFile, folder: &Path) -> Result<Vec<Definition>, Error> {
    let with_file = job.cohort.iter().filter_map(|c| c.file.as_ref().map(|file| (c, file)));
    with_file
        .map(|(cohort, file)| {
            let mut definition = read_definition(Some(cohort.id), &folder.join(file))?;
            definition.name.clone_from(&cohort.name);
            Ok(definition)
        })
        .collect()
}

fn algebra(job: &JobFile) -> Result<Algebra, Error> {
    let cohort = |cohort: &CohortSettings| ToDerive {
        name: CohortName { id: cohort.id, name: cohort.name.clone() },
        derivation: cohort.derive.clone(),
    };
    let cohorts: Vec<ToDerive> = job.cohort.iter().map(cohort).collect();
    Algebra::new(&cohorts).map_err(|(cohort, source)| Error::Cohort {
        id: cohort.id,
        name: cohort.name,
        source,
    })
}

fn planned(job: &JobFile, definitions: &[Definition], algebra: &Algebra) -> Vec<PlannedCohort> {
    let mut hashes: BTreeMap<i64, String> = definitions.iter().map(|d| (d.id, d.hash())).collect();
    algebra.add_hashes(&mut hashes);
    let cohort = |cohort: &CohortSettings| PlannedCohort {
        id: cohort.id,
        name: cohort.name.clone(),
        hash: hashes.get(&cohort.id).cloned().unwrap_or_default(),
    };
    job.cohort.iter().map(cohort).collect()
}

/// The steps of derived cohorts and the parts of unions stand in tables of
/// their own, whatever the job asks for: so disclosure control knows which
/// cohort is part of which.
fn derivation_analyses(algebra: &Algebra) -> Result<Vec<AnyAnalysis>, Error> {
    let mut analyses = Vec::new();
    let cohorts: Vec<i64> = algebra.derived().iter().map(|derived| derived.id).collect();
    if !cohorts.is_empty() {
        let name = DERIVATION_TABLE.to_owned();
        let settings = Settings::Attrition(AttritionSettings { name, cohorts });
        analyses.push(analysis_of(&settings, &[])?);
    }
    let unions = algebra.derived().iter().filter_map(|derived| match &derived.derivation {
        Derivation::Union(union) => Some((derived.id, union.cohorts.clone())),
        _ => None,
    });
    let unions: Vec<(i64, Vec<i64>)> = unions.collect();
    if !unions.is_empty() {
        analyses.push(AnyAnalysis::Composition(Composition::new(UNION_TABLE, unions)));
    }
    Ok(analyses)
}

/// Hashes what can change an answer.
fn job_hash(job: &JobFile, cohorts: &[PlannedCohort]) -> Sha256Hash {
    let cohorts: BTreeMap<i64, (&str, &str)> =
        cohorts.iter().map(|c| (c.id, (c.name.as_str(), c.hash.as_str()))).collect();
    let sources: Vec<_> = job
        .source
        .iter()
        .map(|s| json!([s.format, s.system, s.timezone, s.columns, s.files]))
        .collect();
    let zone = job.locations.get(&job.report.location).map(|location| location.zone);
    let content = json!({
        "farr": crate::VERSION,
        "job": job.job.name,
        "sources": sources,
        "vocabulary": job.records.vocabulary.is_some(),
        "cohorts": cohorts,
        "analyses": job.analysis,
        "zone": zone,
        "threshold": job.report.threshold,
    });
    Sha256Hash::of(content.to_string().as_bytes())
}
