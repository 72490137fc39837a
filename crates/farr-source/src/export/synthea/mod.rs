//! Synthea's CSV in the layout of 2024.
//!
//! What the records do not hold (names, streets, ids of encounters and claims)
//! is derived from ids, so that equal records give equal files.

mod claims;
mod clinical;
mod patients;
mod site;

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;
use farr_records::{IdHasher, Table};

use self::site::{Organization, Place, Provider};
use super::Piece;
use super::columns::Columns;
use crate::Error;

/// Renders records as Synthea's CSV.
#[derive(Debug)]
pub struct SyntheaCsv {
    concepts: HashMap<i64, Concept>,
    /// Codes of concepts that events name only in words.
    codes_by_name: HashMap<String, String>,
    places: HashMap<i64, Place>,
    organizations: BTreeMap<i64, Organization>,
    providers: BTreeMap<i64, Provider>,
    /// Payers by name, with their ids.
    payers: BTreeMap<String, String>,
}

/// What Synthea's tables of the site sum up over all persons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// Encounters and procedures by provider.
    providers: BTreeMap<i64, (u64, u64)>,
    /// By name of payer.
    payers: BTreeMap<String, PayerTotals>,
}

/// What a payer covered and what not: encounters, drugs, procedures, vaccines.
#[derive(Debug, Clone, Default, PartialEq)]
struct PayerTotals {
    covered_cents: i64,
    uncovered_cents: i64,
    covered: [u64; 4],
    uncovered: [u64; 4],
    customers: u64,
    member_months: u64,
}

impl Totals {
    /// Adds what another chunk summed up.
    pub fn merge(&mut self, other: &Self) {
        for (provider, (encounters, procedures)) in &other.providers {
            let mine = self.providers.entry(*provider).or_default();
            *mine = (mine.0 + encounters, mine.1 + procedures);
        }
        for (payer, theirs) in &other.payers {
            let mine = self.payers.entry(payer.clone()).or_default();
            mine.covered_cents += theirs.covered_cents;
            mine.uncovered_cents += theirs.uncovered_cents;
            mine.customers += theirs.customers;
            mine.member_months += theirs.member_months;
            for kind in 0..4 {
                mine.covered[kind] += theirs.covered[kind];
                mine.uncovered[kind] += theirs.uncovered[kind];
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Concept {
    vocabulary: String,
    code: String,
    name: String,
    class: String,
}

/// A file while it is rendered.
struct File {
    name: &'static str,
    bytes: Vec<u8>,
}

impl File {
    fn new(name: &'static str) -> Self {
        Self { name, bytes: Vec::new() }
    }

    /// Appends a row; fields with commas, quotes or line ends are quoted.
    fn row(&mut self, fields: &[&str]) {
        for (place, field) in fields.iter().enumerate() {
            if place > 0 {
                self.bytes.push(b',');
            }
            if field.contains([',', '"', '\n', '\r']) {
                self.bytes.push(b'"');
                self.bytes.extend_from_slice(field.replace('"', "\"\"").as_bytes());
                self.bytes.push(b'"');
            } else {
                self.bytes.extend_from_slice(field.as_bytes());
            }
        }
        self.bytes.push(b'\n');
    }

    fn piece(self) -> Piece {
        Piece { file: format!("{}.csv", self.name), bytes: self.bytes }
    }
}

/// What the rows of a chunk refer to.
struct Chunk<'a> {
    csv: &'a SyntheaCsv,
    tables: &'a BTreeMap<Table, RecordBatch>,
    /// Ids of persons, as Synthea has them.
    persons: HashMap<i64, &'a str>,
    /// Ids of encounters.
    visits: HashMap<i64, String>,
    /// The first diagnosis made at a visit: why it took place.
    reasons: HashMap<i64, &'a Concept>,
    /// Names of payers by plan.
    plans: HashMap<i64, &'a str>,
    /// Row of the cost of an event, by domain and event.
    costs: HashMap<(&'a str, i64), usize>,
}

impl SyntheaCsv {
    /// A renderer with the tables of the site: `concept`, `location`,
    /// `care_site`, `provider`.
    ///
    /// # Errors
    /// [`Error::MissingTable`] or [`Error::MissingColumn`].
    pub fn new(site: &BTreeMap<Table, RecordBatch>) -> Result<Self, Error> {
        let table = Columns::of(site, Table::Concept)?;
        let (ids, names) = (table.integers("concept_id")?, table.texts("concept_name")?);
        let (vocabularies, codes) = (table.texts("vocabulary_id")?, table.texts("concept_code")?);
        let classes = table.texts("concept_class_id")?;
        let mut concepts = HashMap::new();
        let mut codes_by_name = HashMap::new();
        let mut payers = BTreeMap::new();
        for row in 0..table.len() {
            let (name, code) = (names.value(row).to_owned(), codes.value(row).to_owned());
            let vocabulary = vocabularies.value(row).to_owned();
            if vocabulary == "Payer" {
                payers.insert(name.clone(), code.clone());
            }
            codes_by_name.insert(name.clone(), code.clone());
            let class = classes.value(row).to_owned();
            concepts.insert(ids.value(row), Concept { vocabulary, code, name, class });
        }
        Ok(Self {
            concepts,
            codes_by_name,
            places: site::places(site)?,
            organizations: site::organizations(site)?,
            providers: site::providers(site)?,
            payers,
        })
    }

    /// The first line of every file.
    pub fn headers(&self) -> Vec<Piece> {
        let header = |(name, line): &(&str, &str)| Piece {
            file: format!("{name}.csv"),
            bytes: format!("{line}\n").into_bytes(),
        };
        HEADERS.iter().map(header).collect()
    }

    /// The rows of a chunk of persons, by file, and what they add to the
    /// totals.
    ///
    /// # Errors
    /// [`Error::MissingTable`] or [`Error::MissingColumn`].
    pub fn chunk(
        &self,
        tables: &BTreeMap<Table, RecordBatch>,
    ) -> Result<(Vec<Piece>, Totals), Error> {
        let chunk = Chunk::new(self, tables)?;
        let mut totals = Totals::default();
        let mut files =
            vec![patients::patients(&chunk)?, patients::transitions(&chunk, &mut totals)?];
        files.extend(clinical::files(&chunk, &mut totals)?);
        files.extend(claims::files(&chunk)?);
        Ok((files.into_iter().map(File::piece).collect(), totals))
    }

    /// The rows of organizations, providers and payers, with the totals of all
    /// chunks.
    pub fn finish(&self, totals: &Totals) -> Vec<Piece> {
        site::files(self, totals).into_iter().map(File::piece).collect()
    }
}

impl<'a> Chunk<'a> {
    fn new(csv: &'a SyntheaCsv, tables: &'a BTreeMap<Table, RecordBatch>) -> Result<Self, Error> {
        let table = Columns::of(tables, Table::Person)?;
        let (ids, keys) = (table.integers("person_id")?, table.texts("person_source_value")?);
        let persons: HashMap<i64, &str> =
            (0..table.len()).map(|row| (ids.value(row), keys.value(row))).collect();
        let key_of = |person: i64| persons.get(&person).copied().unwrap_or_default();

        let table = Columns::of(tables, Table::VisitOccurrence)?;
        let (ids, owners) = (table.integers("visit_occurrence_id")?, table.integers("person_id")?);
        let visits = (0..table.len())
            .map(|row| {
                (ids.value(row), uuid("encounter", key_of(owners.value(row)), ids.value(row)))
            })
            .collect();

        let table = Columns::of(tables, Table::ConditionOccurrence)?;
        let (at, what) = (
            table.integers("visit_occurrence_id")?,
            table.integers("condition_source_concept_id")?,
        );
        let mut reasons = HashMap::new();
        for row in 0..table.len() {
            if let Some(concept) = csv.concepts.get(&what.value(row)) {
                reasons.entry(at.value(row)).or_insert(concept);
            }
        }

        let table = Columns::of(tables, Table::PayerPlanPeriod)?;
        let (ids, names) =
            (table.integers("payer_plan_period_id")?, table.texts("payer_source_value")?);
        let plans = (0..table.len()).map(|row| (ids.value(row), names.value(row))).collect();

        let table = Columns::of(tables, Table::Cost)?;
        let (events, domains) = (table.integers("cost_event_id")?, table.texts("cost_domain_id")?);
        let costs = (0..table.len())
            .filter(|row| domains.value(*row) != "Visit Detail")
            .map(|row| ((domains.value(row), events.value(row)), row))
            .collect();
        Ok(Self { csv, tables, persons, visits, reasons, plans, costs })
    }

    fn table(&self, table: Table) -> Result<Columns<'a>, Error> {
        Columns::of(self.tables, table)
    }

    fn person(&self, id: i64) -> &'a str {
        self.persons.get(&id).copied().unwrap_or_default()
    }

    fn visit(&self, id: i64) -> &str {
        self.visits.get(&id).map_or("", String::as_str)
    }

    fn concept(&self, id: i64) -> Option<&'a Concept> {
        self.csv.concepts.get(&id)
    }

    /// Code and name of the reason of a visit, both blank without one.
    fn reason(&self, visit: i64) -> (&str, &str) {
        self.reasons.get(&visit).map_or(("", ""), |concept| (&concept.code, &concept.name))
    }
}

/// Bits that belong to a thing of a person, for what records do not hold.
fn bits(kind: &str, person: &str, id: i64) -> u64 {
    IdHasher::new("farr-export", kind).id(&[person, &id.to_string()]) as u64
}

/// A UUID of a thing of a person, of version 8: bits of our own making.
fn uuid(kind: &str, person: &str, id: i64) -> String {
    let high = bits(kind, person, id);
    let low = IdHasher::new("farr-export 2", kind).id(&[person, &id.to_string()]) as u64;
    format!(
        "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
        (high >> 28) & 0xffff_ffff,
        (high >> 12) & 0xffff,
        high & 0xfff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// The first line of each file.
const HEADERS: &[(&str, &str)] = &[
    (
        "patients",
        "Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,LAST,SUFFIX,MAIDEN,MARITAL,RACE,ETHNICITY,GENDER,BIRTHPLACE,ADDRESS,CITY,STATE,COUNTY,FIPS,ZIP,LAT,LON,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE,INCOME",
    ),
    (
        "encounters",
        "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,ENCOUNTERCLASS,CODE,DESCRIPTION,BASE_ENCOUNTER_COST,TOTAL_CLAIM_COST,PAYER_COVERAGE,REASONCODE,REASONDESCRIPTION",
    ),
    ("conditions", "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION"),
    (
        "medications",
        "START,STOP,PATIENT,PAYER,ENCOUNTER,CODE,DESCRIPTION,BASE_COST,PAYER_COVERAGE,DISPENSES,TOTALCOST,REASONCODE,REASONDESCRIPTION",
    ),
    (
        "procedures",
        "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST,REASONCODE,REASONDESCRIPTION",
    ),
    ("observations", "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE"),
    ("immunizations", "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST"),
    (
        "allergies",
        "START,STOP,PATIENT,ENCOUNTER,CODE,SYSTEM,DESCRIPTION,TYPE,CATEGORY,REACTION1,DESCRIPTION1,SEVERITY1,REACTION2,DESCRIPTION2,SEVERITY2",
    ),
    ("careplans", "Id,START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,REASONCODE,REASONDESCRIPTION"),
    ("devices", "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,UDI"),
    ("supplies", "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY"),
    (
        "imaging_studies",
        "Id,DATE,PATIENT,ENCOUNTER,SERIES_UID,BODYSITE_CODE,BODYSITE_DESCRIPTION,MODALITY_CODE,MODALITY_DESCRIPTION,INSTANCE_UID,SOP_CODE,SOP_DESCRIPTION,PROCEDURE_CODE",
    ),
    (
        "payer_transitions",
        "PATIENT,MEMBERID,START_DATE,END_DATE,PAYER,SECONDARY_PAYER,PLAN_OWNERSHIP,OWNER_NAME",
    ),
    (
        "claims",
        "Id,PATIENTID,PROVIDERID,PRIMARYPATIENTINSURANCEID,SECONDARYPATIENTINSURANCEID,DEPARTMENTID,PATIENTDEPARTMENTID,DIAGNOSIS1,DIAGNOSIS2,DIAGNOSIS3,DIAGNOSIS4,DIAGNOSIS5,DIAGNOSIS6,DIAGNOSIS7,DIAGNOSIS8,REFERRINGPROVIDERID,APPOINTMENTID,CURRENTILLNESSDATE,SERVICEDATE,SUPERVISINGPROVIDERID,STATUS1,STATUS2,STATUSP,OUTSTANDING1,OUTSTANDING2,OUTSTANDINGP,LASTBILLEDDATE1,LASTBILLEDDATE2,LASTBILLEDDATEP,HEALTHCARECLAIMTYPEID1,HEALTHCARECLAIMTYPEID2",
    ),
    (
        "claims_transactions",
        "ID,CLAIMID,CHARGEID,PATIENTID,TYPE,AMOUNT,METHOD,FROMDATE,TODATE,PLACEOFSERVICE,PROCEDURECODE,MODIFIER1,MODIFIER2,DIAGNOSISREF1,DIAGNOSISREF2,DIAGNOSISREF3,DIAGNOSISREF4,UNITS,DEPARTMENTID,NOTES,UNITAMOUNT,TRANSFEROUTID,TRANSFERTYPE,PAYMENTS,ADJUSTMENTS,TRANSFERS,OUTSTANDING,APPOINTMENTID,LINENOTE,PATIENTINSURANCEID,FEESCHEDULEID,PROVIDERID,SUPERVISINGPROVIDERID",
    ),
    ("organizations", "Id,NAME,ADDRESS,CITY,STATE,ZIP,LAT,LON,PHONE,REVENUE,UTILIZATION"),
    (
        "providers",
        "Id,ORGANIZATION,NAME,GENDER,SPECIALITY,ADDRESS,CITY,STATE,ZIP,LAT,LON,ENCOUNTERS,PROCEDURES",
    ),
    (
        "payers",
        "Id,NAME,OWNERSHIP,ADDRESS,CITY,STATE_HEADQUARTERED,ZIP,PHONE,AMOUNT_COVERED,AMOUNT_UNCOVERED,REVENUE,COVERED_ENCOUNTERS,UNCOVERED_ENCOUNTERS,COVERED_MEDICATIONS,UNCOVERED_MEDICATIONS,COVERED_PROCEDURES,UNCOVERED_PROCEDURES,COVERED_IMMUNIZATIONS,UNCOVERED_IMMUNIZATIONS,UNIQUE_CUSTOMERS,QOLS_AVG,MEMBER_MONTHS",
    ),
];
