//! Parts of a job, and what joins them: one job over many processes or
//! machines that share its places.
//!
//! `ingest --shard I/N` pulls a share of the sources; `merge` builds the records
//! of all shares. `run --shard I/N` evaluates a share of the records' shards;
//! `merge` makes the reports of all of them. What is published is what the
//! whole run would have published, byte for byte.

use farr_records::RecordsStore;
use farr_source::Share;

use crate::evaluate::{evaluate_share, shards_missing};
use crate::identity::{Inputs, Standing};
use crate::ingest::warn;
use crate::progress::{Cancel, Observer};
use crate::run::{Parts, RunOutcome, RunRequest, Running, Scope};
use crate::{Error, RunStatus};

/// Which part of how many: `2/5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part(Share);

impl Part {
    /// A part by its text, `I/N`, I from 1 to N.
    ///
    /// # Errors
    /// [`Error::Parameter`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let share = text.split_once('/').and_then(|(index, of)| {
            let index: u32 = index.trim().parse().ok()?;
            Share::new(index.checked_sub(1)?, of.trim().parse().ok()?)
        });
        share.map(Self).ok_or_else(|| Error::Parameter {
            parameter: "--shard".to_owned(),
            reason: "expected I/N, with I from 1 to N".to_owned(),
        })
    }
}

/// What a part of a job gave.
#[derive(Debug, Clone)]
pub struct PartOutcome {
    /// Whether there was anything to do.
    pub status: RunStatus,
    /// What is there now, for a person.
    pub summary: String,
}

/// Pulls a share of the job's sources, for `merge` to build records of.
///
/// # Errors
/// As [`run`](crate::run).
pub fn ingest_part(
    request: &RunRequest,
    part: Part,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<PartOutcome, Error> {
    let Part(share) = part;
    let running = Running::start(request, observer, cancel, Scope::Part("pull", share))?;
    let inputs = Inputs::list(&running.plan)?;
    let (identity, work) = running.records_work(&inputs)?;
    if let Standing::Published(..) = running.records_standing(&identity)? {
        let summary = "nothing to do: this input's records are there".to_owned();
        return Ok(PartOutcome { status: RunStatus::Unchanged, summary });
    }
    let (_, found) = running.ingest_of(&work).pull(share)?;
    warn(&found, running.plan.shows_counts(), &running.recorder);
    if Inputs::list(&running.plan)? != inputs {
        return Err(Error::InputChanged);
    }
    let summary =
        format!("part {}/{} is pulled; when all are: farr merge", share.index() + 1, share.of());
    Ok(PartOutcome { status: RunStatus::Done, summary })
}

/// Evaluates a share of the shards, for `merge` to make the reports of.
///
/// # Errors
/// [`Error::Parts`] while the records of the input are not there; else as
/// [`run`](crate::run).
pub fn run_part(
    request: &RunRequest,
    part: Part,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<PartOutcome, Error> {
    let Part(share) = part;
    let running = Running::start(request, observer, cancel, Scope::Part("run", share))?;
    let inputs = Inputs::list(&running.plan)?;
    let (identity, _) = running.records_work(&inputs)?;
    let Standing::Published(records, _) = running.records_standing(&identity)? else {
        return Err(Error::Parts {
            reason: "this input has no records yet; run `farr ingest`, or `farr ingest --shard \
                     I/N` for each of N parts and `farr merge`"
                .to_owned(),
        });
    };
    let store = RecordsStore::open(&records.folder)?;
    let work = running.report_work(&running.report_identity(&inputs))?;
    evaluate_share(
        &running.plan,
        (&store, share),
        (&running.threads, request.memory),
        (&work, &records.run),
        (&running.recorder, cancel),
    )?;
    let summary =
        format!("part {}/{} is evaluated; when all are: farr merge", share.index() + 1, share.of());
    Ok(PartOutcome { status: RunStatus::Done, summary })
}

/// What `merge` made of the parts.
#[derive(Debug, Clone)]
pub enum Merged {
    /// The records: their run's id and url. No part has been evaluated yet.
    Records {
        /// The run's id, which names its folder.
        run_id: String,
        /// Where the records are.
        records: String,
        /// Whether there was anything to do.
        status: RunStatus,
    },
    /// The reports.
    Report(RunOutcome),
}

/// Joins the parts that are there: pulled shares become records; evaluated
/// shards become reports.
///
/// # Errors
/// [`Error::Parts`] if some are missing, naming them; else as
/// [`run`](crate::run).
pub fn merge(
    request: &RunRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Merged, Error> {
    let running = Running::start(request, observer, cancel, Scope::Run)?;
    let report = match running.report()? {
        Ok(done) => return Ok(Merged::Report(done)),
        Err(report) => report,
    };
    let records = running.records(&report.inputs, Parts::Kept)?;
    let work = running.report_work(&report.identity)?;
    let missing = shards_missing(&records.store, (&work, &records.run_id))?;
    if missing.len() == records.store.shards().count() {
        let url = records.store.location().url().to_owned();
        return Ok(Merged::Records {
            run_id: records.run_id,
            records: url,
            status: records.status,
        });
    }
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|shard| shard.index().to_string()).collect();
        let reason = format!(
            "of {} shards, no part has evaluated {}; run `farr run --shard` for all parts first",
            records.store.shards().count(),
            names.join(", ")
        );
        return Err(Error::Parts { reason });
    }
    running.finish(report, &records).map(Merged::Report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_one() {
        assert_eq!(Part::parse("2/5").unwrap().0, Share::new(1, 5).unwrap());
        for text in ["0/5", "6/5", "1", "a/b", "1/0", ""] {
            assert!(Part::parse(text).is_err(), "{text}");
        }
    }
}
