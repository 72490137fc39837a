//! Reports: disclosure control where the zone asks for it, Parquet, manifest.
//! The run then puts the pointer that shows them.

use bytes::Bytes;
use farr_disclosure::{AggregateTable, Document, Labelled, Level, Node, Policy, Zone, release_run};
use farr_records::Manifest as RecordsManifest;
use farr_report::{Manifest, Metadata, REPORT_SCHEMA_VERSION, json, write};
use farr_store::Location;
use rayon::prelude::*;

use crate::evaluate::Evaluated;
use crate::plan::Plan;
use crate::{Error, summary};

/// Writes the reports of a run to its folder, and gives what the run found, as
/// the zone allows it to be shown. Nothing is visible before it is published.
pub(crate) fn write_report(
    plan: &Plan,
    folder: &Location,
    run: Document,
    records: &RecordsManifest,
    evaluated: Evaluated,
) -> Result<Vec<String>, Error> {
    let counts = counts(plan, records, &evaluated, folder.zone());
    let tables = evaluated.tables;
    match folder.zone() {
        Zone::Restricted => {
            let counts = Labelled::aggregate(counts);
            let run = Labelled::aggregate(run);
            write_all(plan, folder, run, records, (tables, counts))
        }
        Zone::Open => {
            let threshold = u32::try_from(plan.job.report.threshold).unwrap_or(u32::MAX);
            let policy = Policy::new(threshold)?;
            let documents = vec![Labelled::aggregate(counts), Labelled::aggregate(run)];
            let mut released = release_run(tables, documents, &policy)?;
            let run = released.documents.pop();
            let counts = released.documents.pop();
            let (Some(counts), Some(run)) = (counts, run) else { return Err(Error::Stopped) };
            write_all(plan, folder, run, records, (released.tables, counts))
        }
    }
}

fn write_all<L: Level + Send>(
    plan: &Plan,
    folder: &Location,
    run: Labelled<L, Document>,
    records: &RecordsManifest,
    (tables, counts): (Vec<Labelled<L, AggregateTable>>, Labelled<L, Document>),
) -> Result<Vec<String>, Error> {
    let origin = metadata(plan, records);
    let lines = summary::lines(&plan.job, &tables, counts.get());
    let entries = tables.into_par_iter().map(|table| write(folder, table, &origin));
    let entries: Vec<Result<_, _>> = entries.collect();
    let entries = entries.into_iter().collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest { schema_version: REPORT_SCHEMA_VERSION, origin, tables: entries };
    let whole = counts.map(|counts| {
        let sections = counts.entries().iter();
        sections.fold(manifest.document(), |whole, (key, node)| whole.with(key, node.clone()))
    });
    put(folder, "manifest.json", json(whole)?)?;
    put(folder, "run.json", json(run)?)?;
    Ok(lines)
}

fn put<L: Level>(folder: &Location, name: &str, content: Labelled<L, Bytes>) -> Result<(), Error> {
    Ok(folder.write(name, content)?)
}

fn metadata(plan: &Plan, records: &RecordsManifest) -> Metadata {
    Metadata {
        job_hash: plan.job_hash.to_string(),
        farr_version: crate::VERSION.to_owned(),
        source_snapshot: records.snapshot.to_string(),
        cohort_hashes: plan.cohorts.iter().map(|c| (c.name.clone(), c.hash.clone())).collect(),
    }
}

/// What the manifest counts: cohorts, and in a restricted zone what became of
/// every source row.
fn counts(plan: &Plan, records: &RecordsManifest, evaluated: &Evaluated, zone: Zone) -> Document {
    let cohorts = plan.cohorts.iter().map(|cohort| {
        let size = evaluated.sizes.get(&cohort.id).copied().unwrap_or_default();
        let persons = format!("cohort/{}/persons", cohort.id);
        let mut entries = vec![
            ("cohort_definition_id", Node::Integer(cohort.id)),
            ("name", Node::from(cohort.name.as_str())),
            ("hash", Node::from(cohort.hash.as_str())),
            ("n_persons", Node::quantity(size.persons, &persons)),
        ];
        // Where persons enter once, rows are persons again.
        if zone == Zone::Restricted {
            entries.push(("n_rows", Node::count(size.rows)));
        }
        Node::map(entries)
    });
    let cohorts = Node::List(cohorts.collect());
    let document = Document::new("manifest")
        .with("job", plan.job.job.name.as_str())
        .with("description", plan.job.job.description.as_str())
        .with("zone", zone.to_string())
        .with("cohorts", cohorts);
    if zone == Zone::Open {
        return document;
    }
    let balance = records.balance.iter().map(|balance| {
        Node::map([
            ("system", Node::from(balance.system.as_str())),
            ("source_table", Node::from(balance.source_table.as_str())),
            ("read", Node::count(balance.read)),
            ("kept", Node::count(balance.kept)),
            ("merged", Node::count(balance.merged)),
            ("rejected", Node::count(balance.rejected)),
        ])
    });
    let made = records.records.iter().map(|made| {
        Node::map([
            ("table", Node::from(made.table.as_str())),
            ("system", Node::from(made.system.as_str())),
            ("source_table", Node::from(made.source_table.as_str())),
            ("written", Node::count(made.written)),
            ("merged", Node::count(made.merged)),
            ("rejected", Node::count(made.rejected)),
        ])
    });
    let objects = records.objects.iter().map(|object| {
        Node::map([
            ("system", Node::from(object.system.as_str())),
            ("path", Node::from(object.path.as_str())),
            ("size", Node::Integer(object.size as i64)),
            ("sha256", Node::from(object.sha256.clone().unwrap_or_default())),
        ])
    });
    let timezones = records.timezones.iter().map(|(k, v)| (k.clone(), Node::from(v.as_str())));
    document
        .with("n_persons", Node::count(records.persons))
        .with("timezones", Node::map(timezones))
        .with("balance", Node::List(balance.collect()))
        .with("records", Node::List(made.collect()))
        .with("objects", Node::List(objects.collect()))
}
