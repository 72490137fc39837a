//! Synthea's CSV exports, of any year.
//!
//! Ids are hashes of Synthea's own (patients, encounters, providers, …), or of
//! all that a row says where it has none. `docs/reference/source-synthea.md`
//! says where every column goes.

mod claims;
mod clinical;
mod concepts;
mod events;
mod layout;
mod persons;
mod site;

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, StringArray};
use farr_records::{Derivations, IdHasher, Intake, LocalCodes};
use farr_store::{Location, ObjectInfo};
use rayon::prelude::*;

use crate::clock::Clock;
use crate::layout::Absence;
use crate::objects::{TEXT, assign, missing};
use crate::outgoing::{Mapped, ids_of};
use crate::pipeline::{Context, TableReader};
use crate::rows::Rows;
use crate::share::Division;
use crate::{Error, Format, Mapping, SourceSettings, SourceSummary};

/// What mapping any row needs.
struct Synthea<'a> {
    mapping: Option<&'a Mapping>,
    local: &'a LocalCodes,
    system: &'a str,
    persons: IdHasher,
    visits: IdHasher,
    providers: IdHasher,
    care_sites: IdHasher,
    locations: IdHasher,
    claims: IdHasher,
    costs: IdHasher,
    /// Names of payers, by id.
    payers: HashMap<String, String>,
}

impl<'a> Synthea<'a> {
    fn new(system: &'a str, mapping: Option<&'a Mapping>, local: &'a LocalCodes) -> Self {
        let of = |kind| IdHasher::new(system, kind);
        Self {
            mapping,
            local,
            system,
            persons: of("person"),
            visits: of("visit"),
            providers: of("provider"),
            care_sites: of("care_site"),
            locations: of("location"),
            claims: of("claim"),
            costs: of("cost"),
            payers: HashMap::new(),
        }
    }

    fn person_ids(&self, rows: &Rows) -> ArrayRef {
        ids_of(&self.persons, &rows.text("patient"))
    }

    fn visit_ids(&self, rows: &Rows) -> ArrayRef {
        ids_of(&self.visits, &rows.text("encounter"))
    }

    fn map(&self, table: &str, rows: &Rows) -> Result<Mapped, Error> {
        let outgoing = match table {
            "patients" => persons::patients(self, rows),
            "payer_transitions" => persons::payer_transitions(self, rows),
            "encounters" => clinical::encounters(self, rows),
            "conditions" => clinical::conditions(self, rows),
            "medications" => clinical::medications(self, rows),
            "procedures" => clinical::procedures(self, rows),
            "observations" => clinical::observations(self, rows),
            "immunizations" => clinical::immunizations(self, rows),
            "allergies" => clinical::allergies(self, rows),
            "careplans" => clinical::careplans(self, rows),
            "devices" => clinical::devices(self, rows),
            "supplies" => clinical::supplies(self, rows),
            "imaging_studies" => clinical::imaging_studies(self, rows),
            "organizations" => site::organizations(self, rows),
            "providers" => site::providers(self, rows),
            "payers" => site::payers(self, rows),
            "claims" => claims::claims(self, rows),
            "claims_transactions" => claims::transactions(self, rows),
            other => unreachable!("the layout has no table '{other}'"),
        }?;
        Ok(Mapped { outgoing, faults: Vec::new() })
    }
}

pub(crate) fn read<I>(
    settings: &SourceSettings,
    location: &Location,
    vocabulary: Option<&Mapping>,
    division: Division,
    intake: &I,
) -> Result<SourceSummary, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let layouts = layout::tables();
    let names: Vec<&str> = layouts.iter().map(|layout| layout.name).collect();
    let mut assigned = assign(location, settings, &names, &TEXT)?;
    let mut tables: Vec<TableReader> = Vec::new();
    for layout in layouts {
        let objects = assigned.by_table.remove(layout.name).unwrap_or_default();
        if objects.is_empty() && layout.absence == Absence::Error {
            let other = ("person", Format::Omop);
            return Err(missing(location, layout.name, &assigned, other));
        }
        tables.push(TableReader::new(layout, objects));
    }
    let context = Context {
        settings,
        location,
        clock: Clock::new(&settings.system, &settings.timezone)?,
        intake,
        derive: Derivations {
            observation_periods: true,
            condition_eras: true,
            drug_eras: true,
            providers_from_visits: true,
        },
        division,
    };
    context.register(&mut tables);
    let mut synthea = Synthea::new(&settings.system, vocabulary, intake.local_codes());
    synthea.payers = payer_names(&context, &tables)?;
    let pieces: Vec<_> = tables.iter().flat_map(|t| t.pieces().map(move |p| (t, p))).collect();
    pieces.into_par_iter().with_max_len(1).try_for_each(|(table, piece)| {
        context.read_text(table, piece, &|rows| synthea.map(table.layout.name, rows))
    })?;
    let mut summary =
        SourceSummary { unknown_objects: assigned.unknown, ..SourceSummary::default() };
    for table in tables {
        let (table, objects) = table.into_summary();
        summary.tables.push(table);
        summary.objects.extend(objects);
    }
    summary.objects.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(summary)
}

/// The objects that hold tables, by path.
pub(crate) fn objects(
    settings: &SourceSettings,
    location: &Location,
) -> Result<Vec<ObjectInfo>, Error> {
    let layouts = layout::tables();
    let names: Vec<&str> = layouts.iter().map(|layout| layout.name).collect();
    Ok(assign(location, settings, &names, &TEXT)?.objects())
}

/// The payers' names by id, read ahead since other tables hold ids only.
fn payer_names<I>(
    context: &Context<'_, I>,
    tables: &[TableReader],
) -> Result<HashMap<String, String>, Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let mut names = HashMap::new();
    for table in tables.iter().filter(|table| table.layout.name == "payers") {
        for object in &table.objects {
            context.peek_text(table, object, &["id", "name"], &mut |rows| {
                let (ids, payers) = (rows.text("id"), rows.text("name"));
                for (id, name) in ids.iter().zip(payers.iter()) {
                    if let (Some(id), Some(name)) = (id, name) {
                        let name = name.trim();
                        let known = names.entry(id.to_owned()).or_insert_with(|| name.to_owned());
                        if name < known.as_str() {
                            name.clone_into(known);
                        }
                    }
                }
            })?;
        }
    }
    Ok(names)
}

/// The texts as they are, or blank.
fn or_blank(text: &StringArray, row: usize) -> &str {
    if text.is_valid(row) { text.value(row).trim() } else { "" }
}
