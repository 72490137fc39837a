//! Removes what dead runs left, and nothing that a pointer names.

use farr_store::{Lease, LeaseTiming, Location, Publication};

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
/// the work they kept, and files left half-written. All jobs that use the
/// places are kept out meanwhile.
///
/// # Errors
/// [`farr_store::Error::Held`] if a run of any job is going on there.
pub fn clean(request: &JobRequest, cancel: &Cancel) -> Result<CleanOutcome, Error> {
    let plan = Plan::load(request)?;
    let names = [&plan.job.report.location, &plan.job.records.location];
    let mut locations: Vec<Location> = Vec::new();
    for name in names {
        let location = plan.location(name)?;
        if locations.iter().all(|other| other.url() != location.url()) {
            locations.push(location);
        }
    }
    let mut lines = Vec::new();
    for location in locations {
        let leases = take_all(&location)?;
        let mut runs = 0;
        for run in Publication::unpublished(&location)? {
            cancel.check()?;
            leases.iter().try_for_each(Lease::confirm)?;
            Publication::remove(&location, &run)?;
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
    }
    Ok(CleanOutcome { summary: lines.join("\n") })
}

/// The leases of all jobs that were ever run at a place.
fn take_all(location: &Location) -> Result<Vec<Lease>, Error> {
    let holder = format!("clean-{}-{}", jiff::Timestamp::now(), std::process::id());
    let take = |name: String| {
        Ok(Lease::take(location, &name, &holder, LeaseTiming::default(), |_| false)?)
    };
    Lease::names(location)?.into_iter().map(take).collect()
}
