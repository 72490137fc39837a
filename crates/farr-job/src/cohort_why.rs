//! Why a person is in or out of cohorts: read their shard, ask, and give the
//! account to whom it may be given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use farr_cohort::{Definition, Plan, Site};
use farr_disclosure::{Labelled, PersonLevel, Zone};
use farr_records::{OmopParquet, PersonId, RecordsStore, Shard, ShardId, Table, Vocabulary};
use farr_store::Location;

use crate::Error;
use crate::cohorts::{CohortInput, read_definition};
use crate::evaluate::{concept_sets, lookups};
use crate::inspect::current;

/// The account's file in a folder.
pub const WHY_FILE: &str = "why.md";

/// Who is asked about, and where the account goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyRequest {
    /// The definitions' files.
    pub definitions: Vec<PathBuf>,
    /// Where the persons are.
    pub input: CohortInput,
    /// The person.
    pub person: PersonId,
    /// Where the account goes.
    pub destination: WhyDestination,
}

/// Where the account of a person goes. It is at person level: it goes to a
/// person's eyes or to a restricted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyDestination {
    /// A folder, which is a restricted zone.
    Folder(PathBuf),
    /// Standard output, which is a terminal.
    Terminal,
    /// Standard output, which is a file or a pipe.
    Stream {
        /// Whether whoever started farr says that it ends in a restricted zone.
        is_restricted: bool,
    },
}

/// The account: to be shown, or where it was written.
#[derive(Debug)]
pub enum WhyOutcome {
    /// To be shown on standard output.
    Shown(Labelled<PersonLevel, String>),
    /// The url of what was written.
    Written(String),
}

/// Says why a person is in each cohort or out of it.
///
/// # Errors
/// [`Error::NotRestricted`], before anything is read, for standard output that
/// is neither a terminal nor said to be restricted; [`Error::NoPerson`];
/// [`Error::Cohort`] for a definition that the tables at hand cannot answer;
/// what fails in reading or writing.
pub fn why_cohort(request: &WhyRequest) -> Result<WhyOutcome, Error> {
    if request.destination == (WhyDestination::Stream { is_restricted: false }) {
        return Err(Error::NotRestricted { what: "the account of a person" });
    }
    let mut definitions = Vec::with_capacity(request.definitions.len());
    for (place, file) in request.definitions.iter().enumerate() {
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        let id = stem.and_then(|stem| stem.parse().ok()).unwrap_or(place as i64 + 1);
        definitions.push(read_definition(Some(id), file)?);
    }
    let text = account(request, &definitions)?;
    match &request.destination {
        WhyDestination::Folder(folder) => {
            let location = Location::folder(folder, Zone::Restricted)?;
            location.write(WHY_FILE, text.map(|text| Bytes::from(text.into_bytes())))?;
            Ok(WhyOutcome::Written(location.url_of(WHY_FILE)))
        }
        WhyDestination::Terminal | WhyDestination::Stream { .. } => Ok(WhyOutcome::Shown(text)),
    }
}

fn account(
    request: &WhyRequest,
    definitions: &[Definition],
) -> Result<Labelled<PersonLevel, String>, Error> {
    match &request.input {
        CohortInput::Records(path) => {
            let store = RecordsStore::open(&current(path)?)?;
            let has = |table| store.manifest().table(table).is_some();
            let plan = plan(definitions, &store.vocabulary_for(concept_sets(definitions))?, has)?;
            let site = lookups(&store, plan.needs())?;
            let count = store.manifest().shard_count;
            let index = ShardId::index_of(request.person, count);
            let shard = ShardId::new(index, count).ok_or(Error::NoPerson)?;
            ask(request, (&plan, definitions), &store.read_shard(shard, plan.needs())?, &site)
        }
        CohortInput::Omop(path) => {
            let omop = OmopParquet::open(path)?;
            let plan =
                plan(definitions, &omop.vocabulary_for(concept_sets(definitions))?, |table| {
                    omop.has(table)
                })?;
            let site = Site::new(&omop.site(plan.needs())?);
            ask(request, (&plan, definitions), &omop.shard(plan.needs())?, &site)
        }
    }
}

/// The plan, if the tables at hand can answer every definition.
fn plan(
    definitions: &[Definition],
    vocabulary: &Vocabulary,
    has: impl Fn(Table) -> bool,
) -> Result<Plan, Error> {
    let plan = Plan::new(definitions, vocabulary);
    let names: BTreeMap<i64, &str> = definitions.iter().map(|d| (d.id, d.name.as_str())).collect();
    match plan.lacking(has).into_iter().next() {
        None => Ok(plan),
        Some((id, source)) => {
            let name = names.get(&id).copied().unwrap_or_default().to_owned();
            Err(Error::Cohort { id, name, source })
        }
    }
}

fn ask(
    request: &WhyRequest,
    (plan, definitions): (&Plan, &[Definition]),
    shard: &Shard,
    site: &Site,
) -> Result<Labelled<PersonLevel, String>, Error> {
    let person = shard.persons().binary_search(&request.person).map_err(|_| Error::NoPerson)?;
    let accounts = plan.why(definitions, shard, site, person);
    let accounts =
        accounts.map_err(|source| Error::Cohort { id: 0, name: "all".to_owned(), source })?;
    let texts: Vec<String> = accounts.iter().map(farr_cohort::Why::text).collect();
    Ok(Labelled::person_level(texts.join("\n")))
}
