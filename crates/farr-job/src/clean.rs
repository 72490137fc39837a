//! Removes what dead runs left, and nothing that a pointer names.

use farr_records::RecordsStore;
use farr_store::{Lease, LeaseTiming, Location, Publication};

use crate::identity::Identity;
use crate::plan::{JobRequest, Plan};
use crate::progress::Cancel;
use crate::work::WORK;
use crate::{Error, counted};

/// What a cleaning gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanOutcome {
    /// What was removed, for a person.
    pub summary: String,
}

/// Removes, at a job's places, the folders of runs that were never published,
/// the work they kept, files left half-written, and what was kept of the job's
/// cohorts for reports that are not there. All jobs that use the places are kept
/// out meanwhile.
///
/// # Errors
/// [`farr_store::Error::Held`] if a run of any job is going on there.
pub fn clean(request: &JobRequest, cancel: &Cancel) -> Result<CleanOutcome, Error> {
    let plan = Plan::load(request)?;
    let reports = plan.location(&plan.job.report.location)?;
    let records = plan.location(&plan.job.records.location)?;
    let mut locations = vec![&reports, &records];
    locations.dedup_by(|one, other| one.url() == other.url());
    let mut lines = Vec::new();
    for location in locations {
        let leases = take_all(location)?;
        let mut runs = 0;
        for run in Publication::unpublished(location)? {
            cancel.check()?;
            leases.iter().try_for_each(Lease::confirm)?;
            Publication::remove(location, &run)?;
            runs += 1;
        }
        let work = location.below(WORK);
        let works = location.folders(WORK)?.len() as u64;
        work.remove_all()?;
        let remnants = location.remove_remnants()?;
        lines.push(format!(
            "{}: removed {}, {} and {}",
            location.url(),
            counted(runs, "dead run", "dead runs"),
            counted(works, "folder of unfinished work", "folders of unfinished work"),
            counted(remnants, "half-written file", "half-written files"),
        ));
        if location.url() == records.url() {
            let kept = remove_kept(&plan.job.job.name, (&records, &reports), cancel)?;
            let kept = counted(kept, "file", "files");
            lines.push(format!("{}: removed {kept} of cohorts without a report", records.url()));
        }
    }
    Ok(CleanOutcome { summary: lines.join("\n") })
}

/// Removes what was kept of a job's cohorts for reports that are not there: that
/// of runs that died before their pointer was put, and of reports that are gone.
fn remove_kept(
    job: &str,
    (records, reports): (&Location, &Location),
    cancel: &Cancel,
) -> Result<u64, Error> {
    let published = Publication::runs(reports)?;
    let is_there = |report: &str| published.iter().any(|run| Identity::is_of_run(report, run));
    let mut removed = 0;
    for run in Publication::runs(records)? {
        cancel.check()?;
        let place = Publication::folder_of(records, &run);
        removed += RecordsStore::remove_kept_cohorts(&place, job, is_there)?;
    }
    Ok(removed)
}

/// The leases of all jobs that were ever run at a place.
fn take_all(location: &Location) -> Result<Vec<Lease>, Error> {
    let holder = format!("clean-{}-{}", jiff::Timestamp::now(), std::process::id());
    let take = |name: String| {
        Ok(Lease::take(location, &name, &holder, LeaseTiming::default(), |_| false)?)
    };
    Lease::names(location)?.into_iter().map(take).collect()
}
