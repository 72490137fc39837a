//! What Synthea's tables and columns have been called, 2017 to 2025.

use std::borrow::Cow;

use crate::clock::BareYear;
use crate::layout::{Absence, ColumnLayout, Reading, TableLayout, YEARS_OF_EVENTS};

const fn column(
    name: &'static str,
    names: &'static [&'static str],
    reading: Reading,
    absence: Absence,
) -> ColumnLayout {
    ColumnLayout { name, names, reading, absence }
}

const fn must(
    name: &'static str,
    names: &'static [&'static str],
    reading: Reading,
) -> ColumnLayout {
    column(name, names, reading, Absence::Error)
}

const fn may(
    name: &'static str,
    names: &'static [&'static str],
    reading: Reading,
    meaning: &'static str,
) -> ColumnLayout {
    column(name, names, reading, Absence::Means(meaning))
}

const fn not_kept(name: &'static str, names: &'static [&'static str]) -> ColumnLayout {
    column(name, names, Reading::NotKept, Absence::Silent)
}

const WHEN: Reading = Reading::When(BareYear::Refused);
use Reading::{Code, Integer, Number, Text};

const ID: ColumnLayout = must("id", &["ID"], Code);
const PATIENT: ColumnLayout = must("patient", &["PATIENT", "PATIENTID", "PATIENT_ID"], Code);
const ENCOUNTER: ColumnLayout =
    may("encounter", &["ENCOUNTER", "ENCOUNTERID"], Code, "events belong to no visit");
const CODE: ColumnLayout = must("code", &["CODE"], Code);
const DESCRIPTION: ColumnLayout = may("description", &["DESCRIPTION"], Text, "codes have no names");
const START: ColumnLayout = must("start", &["START", "DATE"], WHEN);
const STOP: ColumnLayout = may("stop", &["STOP"], WHEN, "ends are not known");
const REASON_CODE: ColumnLayout = not_kept("reasoncode", &["REASONCODE"]);
const REASON: ColumnLayout = not_kept("reasondescription", &["REASONDESCRIPTION"]);
const BASE_COST: ColumnLayout = may("base_cost", &["BASE_COST"], Number, "no costs");

const PATIENTS: &[ColumnLayout] = &[
    ID,
    must("birthdate", &["BIRTHDATE"], WHEN),
    may("deathdate", &["DEATHDATE"], WHEN, "no deaths"),
    may("race", &["RACE"], Code, "race is not known"),
    may("ethnicity", &["ETHNICITY"], Code, "ethnicity is not known"),
    must("gender", &["GENDER"], Code),
    may("address", &["ADDRESS"], Text, "no address"),
    may("city", &["CITY"], Text, "the address is one text"),
    may("state", &["STATE"], Text, "the address is one text"),
    may("county", &["COUNTY"], Text, "the address is one text"),
    may("zip", &["ZIP"], Code, "the address is one text"),
    may("lat", &["LAT"], Number, "no coordinates"),
    may("lon", &["LON"], Number, "no coordinates"),
    not_kept("ssn", &["SSN"]),
    not_kept("drivers", &["DRIVERS"]),
    not_kept("passport", &["PASSPORT"]),
    not_kept("prefix", &["PREFIX"]),
    not_kept("first", &["FIRST"]),
    not_kept("middle", &["MIDDLE"]),
    not_kept("last", &["LAST"]),
    not_kept("suffix", &["SUFFIX"]),
    not_kept("maiden", &["MAIDEN"]),
    not_kept("marital", &["MARITAL"]),
    not_kept("birthplace", &["BIRTHPLACE"]),
    not_kept("fips", &["FIPS"]),
    not_kept("healthcare_expenses", &["HEALTHCARE_EXPENSES"]),
    not_kept("healthcare_coverage", &["HEALTHCARE_COVERAGE"]),
    not_kept("income", &["INCOME"]),
];

const ENCOUNTERS: &[ColumnLayout] = &[
    ID,
    START,
    may("stop", &["STOP"], WHEN, "visits end on the day they start"),
    PATIENT,
    may("organization", &["ORGANIZATION"], Code, "care sites are not known"),
    may("provider", &["PROVIDER"], Code, "providers are not known"),
    may("class", &["ENCOUNTERCLASS", "CLASS"], Code, "the kind of visit follows from its code"),
    CODE,
    DESCRIPTION,
    may("base_cost", &["BASE_ENCOUNTER_COST", "COST"], Number, "no costs"),
    may("total_claim_cost", &["TOTAL_CLAIM_COST"], Number, "no charges"),
    may("payer_coverage", &["PAYER_COVERAGE"], Number, "no payments by payers"),
    not_kept("payer", &["PAYER"]),
    REASON_CODE,
    REASON,
];

const CONDITIONS: &[ColumnLayout] = &[
    START,
    STOP,
    PATIENT,
    ENCOUNTER,
    may("system", &["SYSTEM"], Code, "codes are of SNOMED"),
    CODE,
    DESCRIPTION,
];

const MEDICATIONS: &[ColumnLayout] = &[
    START,
    STOP,
    PATIENT,
    ENCOUNTER,
    CODE,
    DESCRIPTION,
    BASE_COST,
    may("payer_coverage", &["PAYER_COVERAGE"], Number, "no payments by payers"),
    may("dispenses", &["DISPENSES"], Integer, "refills are not known"),
    may("totalcost", &["TOTALCOST"], Number, "no charges"),
    not_kept("payer", &["PAYER"]),
    REASON_CODE,
    REASON,
];

const PROCEDURES: &[ColumnLayout] = &[
    START,
    STOP,
    PATIENT,
    ENCOUNTER,
    may("system", &["SYSTEM"], Code, "codes are of SNOMED"),
    CODE,
    DESCRIPTION,
    may("base_cost", &["BASE_COST", "COST"], Number, "no costs"),
    REASON_CODE,
    REASON,
];

const OBSERVATIONS: &[ColumnLayout] = &[
    START,
    PATIENT,
    ENCOUNTER,
    may("category", &["CATEGORY"], Code, "numbers become measurements, texts observations"),
    CODE,
    DESCRIPTION,
    may("value", &["VALUE"], Text, "no values"),
    may("units", &["UNITS"], Text, "no units"),
    may("type", &["TYPE"], Code, "a value is a number if it reads as one"),
];

const IMMUNIZATIONS: &[ColumnLayout] = &[
    START,
    PATIENT,
    ENCOUNTER,
    CODE,
    DESCRIPTION,
    may("base_cost", &["BASE_COST", "COST"], Number, "no costs"),
];

const ALLERGIES: &[ColumnLayout] = &[
    START,
    not_kept("stop", &["STOP"]),
    PATIENT,
    ENCOUNTER,
    CODE,
    may("system", &["SYSTEM"], Code, "codes are of SNOMED"),
    DESCRIPTION,
    may("type", &["TYPE"], Text, "kinds of allergy are not known"),
    may("category", &["CATEGORY"], Text, "kinds of allergen are not known"),
    not_kept("reaction1", &["REACTION1"]),
    may("description1", &["DESCRIPTION1"], Text, "no reactions"),
    may("severity1", &["SEVERITY1"], Text, "no reactions"),
    not_kept("reaction2", &["REACTION2"]),
    may("description2", &["DESCRIPTION2"], Text, "no reactions"),
    may("severity2", &["SEVERITY2"], Text, "no reactions"),
];

const CAREPLANS: &[ColumnLayout] =
    &[ID, START, STOP, PATIENT, ENCOUNTER, CODE, DESCRIPTION, REASON_CODE, REASON];

const DEVICES: &[ColumnLayout] = &[
    START,
    STOP,
    PATIENT,
    ENCOUNTER,
    CODE,
    DESCRIPTION,
    may("udi", &["UDI"], Text, "no device identifiers"),
];

const SUPPLIES: &[ColumnLayout] = &[
    START,
    PATIENT,
    ENCOUNTER,
    CODE,
    DESCRIPTION,
    may("quantity", &["QUANTITY"], Integer, "quantities are not known"),
];

const IMAGING_STUDIES: &[ColumnLayout] = &[
    ID,
    START,
    PATIENT,
    ENCOUNTER,
    may("procedure_code", &["PROCEDURE_CODE"], Code, "studies are named by modality"),
    must("modality_code", &["MODALITY_CODE"], Code),
    may("modality", &["MODALITY_DESCRIPTION"], Text, "modalities have no names"),
    may("bodysite", &["BODYSITE_DESCRIPTION"], Text, "body sites have no names"),
    not_kept("bodysite_code", &["BODYSITE_CODE"]),
    not_kept("series_uid", &["SERIES_UID"]),
    not_kept("instance_uid", &["INSTANCE_UID"]),
    not_kept("sop_code", &["SOP_CODE"]),
    not_kept("sop_description", &["SOP_DESCRIPTION"]),
];

const ORGANIZATIONS: &[ColumnLayout] = &[
    ID,
    may("name", &["NAME"], Text, "care sites have no names"),
    may("address", &["ADDRESS"], Text, "no address"),
    may("city", &["CITY"], Text, "no address"),
    may("state", &["STATE"], Text, "no address"),
    may("zip", &["ZIP"], Code, "no address"),
    may("lat", &["LAT"], Number, "no coordinates"),
    may("lon", &["LON"], Number, "no coordinates"),
    not_kept("phone", &["PHONE"]),
    not_kept("revenue", &["REVENUE"]),
    not_kept("utilization", &["UTILIZATION"]),
];

const PROVIDERS: &[ColumnLayout] = &[
    ID,
    may("organization", &["ORGANIZATION"], Code, "care sites of providers are not known"),
    may("name", &["NAME"], Text, "providers have no names"),
    may("gender", &["GENDER"], Code, "genders of providers are not known"),
    may("specialty", &["SPECIALITY", "SPECIALTY"], Text, "specialties are not known"),
    not_kept("address", &["ADDRESS"]),
    not_kept("city", &["CITY"]),
    not_kept("state", &["STATE"]),
    not_kept("zip", &["ZIP"]),
    not_kept("lat", &["LAT"]),
    not_kept("lon", &["LON"]),
    not_kept("utilization", &["UTILIZATION"]),
    not_kept("encounters", &["ENCOUNTERS"]),
    not_kept("procedures", &["PROCEDURES"]),
];

const PAYERS: &[ColumnLayout] = &[
    ID,
    must("name", &["NAME"], Text),
    not_kept("ownership", &["OWNERSHIP"]),
    not_kept("address", &["ADDRESS"]),
    not_kept("city", &["CITY"]),
    not_kept("state_headquartered", &["STATE_HEADQUARTERED"]),
    not_kept("zip", &["ZIP"]),
    not_kept("phone", &["PHONE"]),
    not_kept("amount_covered", &["AMOUNT_COVERED"]),
    not_kept("amount_uncovered", &["AMOUNT_UNCOVERED"]),
    not_kept("revenue", &["REVENUE"]),
    not_kept("covered_encounters", &["COVERED_ENCOUNTERS"]),
    not_kept("uncovered_encounters", &["UNCOVERED_ENCOUNTERS"]),
    not_kept("covered_medications", &["COVERED_MEDICATIONS"]),
    not_kept("uncovered_medications", &["UNCOVERED_MEDICATIONS"]),
    not_kept("covered_procedures", &["COVERED_PROCEDURES"]),
    not_kept("uncovered_procedures", &["UNCOVERED_PROCEDURES"]),
    not_kept("covered_immunizations", &["COVERED_IMMUNIZATIONS"]),
    not_kept("uncovered_immunizations", &["UNCOVERED_IMMUNIZATIONS"]),
    not_kept("unique_customers", &["UNIQUE_CUSTOMERS"]),
    not_kept("qols_avg", &["QOLS_AVG"]),
    not_kept("member_months", &["MEMBER_MONTHS"]),
];

const PAYER_TRANSITIONS: &[ColumnLayout] = &[
    PATIENT,
    may("memberid", &["MEMBERID", "MEMBER_ID"], Code, "members are not known"),
    must("start", &["START_DATE", "START_YEAR"], Reading::When(BareYear::First)),
    may("end", &["END_DATE", "END_YEAR"], Reading::When(BareYear::Last), "ends are not known"),
    must("payer", &["PAYER"], Code),
    may("ownership", &["PLAN_OWNERSHIP", "OWNERSHIP"], Text, "owners of plans are not known"),
    not_kept("secondary_payer", &["SECONDARY_PAYER"]),
    not_kept("owner_name", &["OWNER_NAME", "OWNERNAME"]),
];

const CLAIMS: &[ColumnLayout] = &[
    ID,
    PATIENT,
    may("provider", &["PROVIDERID"], Code, "providers of claims are not known"),
    may("encounter", &["APPOINTMENTID"], Code, "claims belong to no visit"),
    must("start", &["SERVICEDATE"], WHEN),
    not_kept("primarypatientinsuranceid", &["PRIMARYPATIENTINSURANCEID"]),
    not_kept("secondarypatientinsuranceid", &["SECONDARYPATIENTINSURANCEID"]),
    not_kept("departmentid", &["DEPARTMENTID"]),
    not_kept("patientdepartmentid", &["PATIENTDEPARTMENTID"]),
    not_kept("diagnosis1", &["DIAGNOSIS1"]),
    not_kept("diagnosis2", &["DIAGNOSIS2"]),
    not_kept("diagnosis3", &["DIAGNOSIS3"]),
    not_kept("diagnosis4", &["DIAGNOSIS4"]),
    not_kept("diagnosis5", &["DIAGNOSIS5"]),
    not_kept("diagnosis6", &["DIAGNOSIS6"]),
    not_kept("diagnosis7", &["DIAGNOSIS7"]),
    not_kept("diagnosis8", &["DIAGNOSIS8"]),
    not_kept("referringproviderid", &["REFERRINGPROVIDERID"]),
    not_kept("currentillnessdate", &["CURRENTILLNESSDATE"]),
    not_kept("supervisingproviderid", &["SUPERVISINGPROVIDERID"]),
    not_kept("status1", &["STATUS1"]),
    not_kept("status2", &["STATUS2"]),
    may("statusp", &["STATUSP"], Code, "whether a claim is closed is not known"),
    not_kept("outstanding1", &["OUTSTANDING1"]),
    not_kept("outstanding2", &["OUTSTANDING2"]),
    not_kept("outstandingp", &["OUTSTANDINGP"]),
    not_kept("lastbilleddate1", &["LASTBILLEDDATE1"]),
    not_kept("lastbilleddate2", &["LASTBILLEDDATE2"]),
    not_kept("lastbilleddatep", &["LASTBILLEDDATEP"]),
    not_kept("healthcareclaimtypeid1", &["HEALTHCARECLAIMTYPEID1"]),
    not_kept("healthcareclaimtypeid2", &["HEALTHCARECLAIMTYPEID2"]),
];

const CLAIMS_TRANSACTIONS: &[ColumnLayout] = &[
    ID,
    must("claim", &["CLAIMID"], Code),
    PATIENT,
    must("type", &["TYPE"], Code),
    may("amount", &["AMOUNT"], Number, "no charges"),
    may("method", &["METHOD"], Code, "who pays is not known"),
    may("payments", &["PAYMENTS"], Number, "no payments"),
    may("transfers", &["TRANSFERS"], Number, "no transfers"),
    may("transfer_type", &["TRANSFERTYPE"], Code, "to whom transfers go is not known"),
    may("procedure_code", &["PROCEDURECODE"], Code, "what is charged for is not known"),
    not_kept("chargeid", &["CHARGEID"]),
    not_kept("fromdate", &["FROMDATE"]),
    not_kept("todate", &["TODATE"]),
    not_kept("placeofservice", &["PLACEOFSERVICE"]),
    not_kept("modifier1", &["MODIFIER1"]),
    not_kept("modifier2", &["MODIFIER2"]),
    not_kept("diagnosisref1", &["DIAGNOSISREF1"]),
    not_kept("diagnosisref2", &["DIAGNOSISREF2"]),
    not_kept("diagnosisref3", &["DIAGNOSISREF3"]),
    not_kept("diagnosisref4", &["DIAGNOSISREF4"]),
    not_kept("units", &["UNITS"]),
    not_kept("departmentid", &["DEPARTMENTID"]),
    not_kept("notes", &["NOTES"]),
    not_kept("unitamount", &["UNITAMOUNT"]),
    not_kept("transferoutid", &["TRANSFEROUTID"]),
    not_kept("adjustments", &["ADJUSTMENTS"]),
    not_kept("outstanding", &["OUTSTANDING"]),
    not_kept("appointmentid", &["APPOINTMENTID"]),
    not_kept("linenote", &["LINENOTE"]),
    not_kept("patientinsuranceid", &["PATIENTINSURANCEID"]),
    not_kept("feescheduleid", &["FEESCHEDULEID"]),
    not_kept("providerid", &["PROVIDERID"]),
    not_kept("supervisingproviderid", &["SUPERVISINGPROVIDERID"]),
];

const NO_SPAN: &[(&str, &str)] = &[];
const START_STOP: &[(&str, &str)] = &[("start", "stop")];

/// Name, absence, columns, spans.
type Row =
    (&'static str, Absence, &'static [ColumnLayout], &'static [(&'static str, &'static str)]);

const TABLES: &[Row] = &[
    ("patients", Absence::Error, PATIENTS, &[("birthdate", "deathdate")]),
    ("encounters", Absence::Means("no visits"), ENCOUNTERS, START_STOP),
    ("conditions", Absence::Means("no conditions"), CONDITIONS, START_STOP),
    ("medications", Absence::Means("no drugs but vaccines"), MEDICATIONS, START_STOP),
    ("procedures", Absence::Means("no procedures"), PROCEDURES, START_STOP),
    ("observations", Absence::Means("no measurements"), OBSERVATIONS, NO_SPAN),
    ("immunizations", Absence::Means("no vaccines"), IMMUNIZATIONS, NO_SPAN),
    ("allergies", Absence::Means("no allergies"), ALLERGIES, NO_SPAN),
    ("careplans", Absence::Means("no care plans"), CAREPLANS, START_STOP),
    ("devices", Absence::Means("no devices"), DEVICES, START_STOP),
    ("supplies", Absence::Means("no supplies"), SUPPLIES, NO_SPAN),
    ("imaging_studies", Absence::Means("no imaging studies"), IMAGING_STUDIES, NO_SPAN),
    ("organizations", Absence::Means("care sites have ids only"), ORGANIZATIONS, NO_SPAN),
    ("providers", Absence::Means("providers have ids only"), PROVIDERS, NO_SPAN),
    ("payers", Absence::Means("payers have ids only, no names"), PAYERS, NO_SPAN),
    ("payer_transitions", Absence::Means("no payer plans"), PAYER_TRANSITIONS, &[("start", "end")]),
    ("claims", Absence::Means("no claims"), CLAIMS, NO_SPAN),
    (
        "claims_transactions",
        Absence::Means("no charges and payments of claims"),
        CLAIMS_TRANSACTIONS,
        NO_SPAN,
    ),
];

/// Tables whose rows have ids of their own, and of which nothing is made that
/// has none.
const WITH_IDS: [&str; 6] =
    ["patients", "organizations", "providers", "payers", "claims", "claims_transactions"];

/// Every table of the format, persons first.
pub(crate) fn tables() -> Vec<TableLayout> {
    let layout = |(name, absence, columns, spans): &Row| TableLayout {
        name,
        absence: *absence,
        columns: Cow::Borrowed(columns),
        spans,
        years: YEARS_OF_EVENTS,
        is_read_whole: !WITH_IDS.contains(name),
    };
    TABLES.iter().map(layout).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page has every column of every table, with its names and whether it
    /// is kept, and nothing else in its tables.
    #[test]
    fn the_reference_page_is_not_stale() {
        let page = include_str!("../../../../docs/reference/source-synthea.md");
        let rows = |text: &str| {
            let columns = text.lines().filter(|line| line.starts_with("| `"));
            columns.map(str::to_owned).collect::<Vec<_>>()
        };
        for table in tables() {
            let start = page.find(&format!("\n## {}\n", table.name)).expect(table.name) + 4;
            let end = page[start..].find("\n## ").map_or(page.len(), |length| start + length);
            let rows = rows(&page[start..end]);
            assert_eq!(rows.len(), table.columns.len(), "{}", table.name);
            for (row, column) in rows.iter().zip(table.columns.iter()) {
                let names: Vec<_> = column.names.iter().map(|name| format!("`{name}`")).collect();
                let start = format!("| `{}` | {} | ", column.name, names.join(", "));
                assert!(row.starts_with(&start), "{}: {row}", table.name);
                let rest = &row[start.len()..];
                let is_kept = !rest.starts_with("not kept |");
                assert_eq!(is_kept, column.reading != Reading::NotKept, "{row}");
                let meaning = match column.absence {
                    Absence::Error | Absence::ErrorUnlessEmpty => "error",
                    Absence::Means(meaning) => meaning,
                    Absence::Silent => "",
                };
                assert!(rest.ends_with(&format!("| {meaning} |")), "{row}");
            }
        }
    }
}
