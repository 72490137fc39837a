//! Removes what dead runs left, and nothing that a pointer names.

use farr_records::RecordsStore;
use farr_store::{Lease, LeaseTiming, Location, Publication};

use crate::plan::{JobRequest, Plan};
use crate::progress::Cancel;
use crate::work::{KeptCohorts, WORK, Work};
use crate::{Error, counted};

/// How the name of a cleaning starts, as a holder of leases.
pub(crate) const CLEAN: &str = "clean-";

/// What a cleaning gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanOutcome {
    /// What was removed, for a person.
    pub summary: String,
}

/// Removes, at a job's places, the folders of runs that were never published,
/// the work and the cohort rows they kept, and files left half-written. All jobs
/// that use the places are kept out meanwhile.
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
        let holder = format!("{CLEAN}{}-{}", jiff::Timestamp::now(), std::process::id());
        let leases = Lease::take_all(location, &holder, LeaseTiming::default())?;
        let mut runs = 0;
        for run in Publication::unpublished(location)? {
            cancel.check()?;
            leases.iter().try_for_each(Lease::confirm)?;
            Publication::remove(location, &run)?;
            runs += 1;
        }
        let works = location.folders(WORK)?;
        for name in &works {
            cancel.check()?;
            leases.iter().try_for_each(Lease::confirm)?;
            remove_work((location, name), &reports)?;
        }
        leases.iter().try_for_each(Lease::confirm)?;
        location.below(WORK).remove_all()?;
        leases.iter().try_for_each(Lease::confirm)?;
        let remnants = location.remove_remnants()?;
        lines.push(format!(
            "{}: removed {}, {} and {}",
            location.url(),
            counted(runs, "dead run", "dead runs"),
            counted(works.len() as u64, "folder of unfinished work", "folders of unfinished work"),
            counted(remnants, "half-written file", "half-written files"),
        ));
    }
    Ok(CleanOutcome { summary: lines.join("\n") })
}

/// Removes the work of a dead run, and before it the cohort rows that it kept with
/// the records, unless its report is there: it may have died once that was. Of a
/// report that was to be at another place nothing is known, and its rows stay.
fn remove_work((location, name): (&Location, &str), reports: &Location) -> Result<(), Error> {
    let work = Work::of(location, name);
    if let Some(report) = name.strip_prefix("report-")
        && let Some(KeptCohorts { records, job, reports: Some(of) }) = work.kept_cohorts()?
        // A place where the job never was is not that place, whatever its url.
        && of == reports.url() && Lease::names(reports)?.contains(&job)
    {
        let ending = format!("-{report}");
        if Publication::latest_of(reports, |run| run.ends_with(&ending))?.is_none() {
            let records = Publication::folder_of(location, &records);
            RecordsStore::remove_kept_cohorts(&records, (&job, report))?;
        }
    }
    work.remove()
}
