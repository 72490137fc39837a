//! Which run a run is: the same job over the same input is the same run,
//! found again by name, whoever started it and wherever it died.

use farr_records::FORMAT_VERSION;
use farr_store::{Location, ObjectInfo, Publication, Published, Sha256Hash};
use serde_json::{Value, json};

use crate::Error;
use crate::plan::Plan;

/// The objects of a job's input, as their places list them; no data is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inputs(Vec<Value>);

impl Inputs {
    /// Lists the sources, and the vocabulary if there is one.
    pub(crate) fn list(plan: &Plan) -> Result<Self, Error> {
        let mut found = Vec::new();
        for source in &plan.job.source {
            let location = plan.location(&source.location)?;
            let objects = farr_source::inputs(&Plan::source_settings(source), &location)
                .map_err(|error| Error::Source { system: source.system.clone(), source: error })?;
            found.extend(objects.iter().map(|object| entry(&source.system, &location, object)));
        }
        if let Some(name) = &plan.job.records.vocabulary {
            let location = plan.location(name)?;
            let objects = farr_source::vocabulary_inputs(&location)
                .map_err(|error| Error::Source { system: name.clone(), source: error })?;
            found.extend(objects.iter().map(|object| entry("vocabulary", &location, object)));
        }
        Ok(Self(found))
    }
}

/// What tells an object from a changed one: path, size, and entity tag or
/// version; the modification time for files, and where a store has neither.
fn entry(of: &str, location: &Location, object: &ObjectInfo) -> Value {
    let is_file = location.local_folder().is_some();
    let tag = object.etag.as_ref().or(object.version.as_ref()).filter(|_| !is_file);
    let tag = tag.map_or(json!(object.modified_ms), |tag| json!([tag, object.version]));
    json!([of, object.path, object.size, tag])
}

/// What a run is known by: sixteen digits of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(String);

impl Identity {
    fn of(content: &Value) -> Self {
        let hash = Sha256Hash::of(content.to_string().as_bytes()).to_string();
        Self(hash.chars().take(16).collect())
    }

    /// Of the records: what they are made of, and how.
    pub(crate) fn of_records(
        plan: &Plan,
        inputs: &Inputs,
        rejects_max: Option<farr_records::RejectsMax>,
    ) -> Self {
        let job = &plan.job;
        let sources: Vec<_> = job
            .source
            .iter()
            .map(|s| json!([s.format, s.system, s.timezone, s.columns, s.files]))
            .collect();
        Self::of(&json!({
            "farr": crate::VERSION,
            "format": FORMAT_VERSION,
            "sources": sources,
            "vocabulary": job.records.vocabulary.is_some(),
            "shards": job.records.shards,
            "max_rejects": rejects_max.map(|max| format!("{max:?}")),
            "inputs": inputs.0,
        }))
    }

    /// Of the reports: the job, over such records.
    pub(crate) fn of_report(plan: &Plan, records: &Self) -> Self {
        Self::of(&json!([plan.job_hash.as_str(), records.0]))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The run's name at a place: it sorts by the time the run was begun.
    fn run_id(&self, started: jiff::Timestamp) -> String {
        format!("{}-{}", started.strftime("%Y%m%dT%H%M%S%3f"), self.0)
    }
}

/// How far a run has come at a place.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It is published; `is_current`: readers see it.
    Published(Published, /* is_current */ bool),
    /// It was begun and has died: its name.
    Unfinished(String),
    /// Nothing is there: the name to give it.
    New(String),
}

impl Standing {
    /// Looks for a run; `force`: as if there were none.
    pub(crate) fn of(
        location: &Location,
        identity: &Identity,
        started: jiff::Timestamp,
        force: bool,
    ) -> Result<Self, Error> {
        let new = identity.run_id(started);
        if force {
            return Ok(Self::New(new));
        }
        let ending = format!("-{}", identity.0);
        let mut names = Publication::runs(location)?;
        names.retain(|name| name.ends_with(&ending));
        if names.is_empty() {
            return Ok(Self::New(new));
        }
        let known = Publication::latest_of(location, |run| names.iter().any(|name| name == run))?;
        Ok(match known {
            Some((known, is_current)) => Self::Published(known, is_current),
            None => names.pop().map_or(Self::New(new), Self::Unfinished),
        })
    }
}
