//! Where Synthea's columns go.

use farr_records::{IdHasher, Table};

use super::intake::{Kept, folder, read_folder, synthea};

const PATIENTS: &str = "Id,BIRTHDATE,DEATHDATE,RACE,ETHNICITY,GENDER,ADDRESS,CITY,STATE,ZIP,LAT,LON\n\
    p1,1980-03-04,2021-05-06,white,hispanic,F,1 Main St,Boston,MA,02115,42.5,-71.25\n";

fn with(name: &str, text: &str) -> Kept {
    let files = folder(&[("patients.csv", PATIENTS.as_bytes()), (name, text.as_bytes())]);
    let mut settings = synthea();
    "America/New_York".clone_into(&mut settings.timezone);
    let (kept, summary) = read_folder(files.path(), &settings);
    summary.unwrap();
    kept.balance();
    assert_eq!(kept.rejects(), []);
    kept
}

fn one(kept: &Kept, table: Table, columns: &[&str]) -> Vec<String> {
    columns.iter().flat_map(|column| kept.column(table, column)).collect()
}

fn id(kind: &str, key: &str) -> String {
    IdHasher::new("hospital", kind).id(&[key]).to_string()
}

#[test]
fn patients() {
    let kept = with("none.txt", "");
    let columns = [
        "person_id",
        "gender_concept_id",
        "year_of_birth",
        "month_of_birth",
        "day_of_birth",
        "birth_datetime",
        "race_concept_id",
        "ethnicity_concept_id",
        "person_source_value",
    ];
    let expected = [
        &id("person", "p1"),
        "8532",
        "1980",
        "3",
        "4",
        "1980-03-04 00:00:00",
        "8527",
        "38003563",
        "p1",
    ];
    assert_eq!(one(&kept, Table::Person, &columns), expected);
    assert_eq!(one(&kept, Table::Death, &["death_date", "death_datetime"]), ["2021-05-06", ""]);
    let place = one(&kept, Table::Location, &["address_1", "city", "state", "zip", "latitude"]);
    assert_eq!(place, ["1 Main St", "Boston", "MA", "02115", "42.5"]);
    assert_eq!(
        kept.column(Table::Location, "location_id"),
        kept.column(Table::Person, "location_id")
    );
}

#[test]
fn encounters_and_their_costs() {
    let kept = with(
        "encounters.csv",
        "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,ENCOUNTERCLASS,CODE,DESCRIPTION,BASE_ENCOUNTER_COST,TOTAL_CLAIM_COST,PAYER_COVERAGE,REASONCODE,REASONDESCRIPTION\n\
         e1,2020-01-01T02:00:00Z,2020-01-01T06:00:00Z,p1,o1,d1,x,emergency,50849002,Emergency room admission,77.5,100,40,,\n",
    );
    let columns = [
        "visit_occurrence_id",
        "person_id",
        "visit_concept_id",
        "visit_start_date",
        "visit_start_datetime",
        "visit_end_date",
        "provider_id",
        "care_site_id",
        "visit_source_value",
    ];
    let expected = [
        &id("visit", "e1"),
        &id("person", "p1"),
        "9203",
        "2019-12-31",
        "2019-12-31 21:00:00",
        "2020-01-01",
        &id("provider", "d1"),
        &id("care_site", "o1"),
        "emergency",
    ];
    assert_eq!(one(&kept, Table::VisitOccurrence, &columns), expected);
    let columns =
        ["cost_event_id", "cost_domain_id", "total_charge", "total_cost", "paid_by_payer"];
    let expected = [&id("visit", "e1"), "Visit", "100", "77.5", "40"];
    assert_eq!(one(&kept, Table::Cost, &columns), expected);
    assert_eq!(kept.codes(), [code("SNOMED", "50849002", "Emergency room admission", "Visit")]);
}

fn code(
    vocabulary: &str,
    code: &str,
    name: &str,
    domain: &str,
) -> (String, String, String, String) {
    (vocabulary.to_owned(), code.to_owned(), name.to_owned(), domain.to_owned())
}

#[test]
fn medications() {
    let kept = with(
        "medications.csv",
        "START,STOP,PATIENT,PAYER,ENCOUNTER,CODE,DESCRIPTION,BASE_COST,PAYER_COVERAGE,DISPENSES,TOTALCOST\n\
         2020-01-01,2020-01-31,p1,x,e1,308192, Amoxicillin ,4,1,3,12\n",
    );
    let columns = [
        "drug_exposure_start_date",
        "drug_exposure_end_date",
        "verbatim_end_date",
        "refills",
        "visit_occurrence_id",
        "drug_source_value",
        "drug_type_concept_id",
    ];
    let expected =
        ["2020-01-01", "2020-01-31", "2020-01-31", "2", &id("visit", "e1"), "308192", "32817"];
    assert_eq!(one(&kept, Table::DrugExposure, &columns), expected);
    assert_eq!(
        kept.column(Table::DrugExposure, "drug_concept_id"),
        kept.column(Table::DrugExposure, "drug_source_concept_id")
    );
    assert_eq!(
        kept.column(Table::Cost, "cost_event_id"),
        kept.column(Table::DrugExposure, "drug_exposure_id")
    );
    assert_eq!(kept.codes(), [code("RxNorm", "308192", "Amoxicillin", "Drug")]);
}

#[test]
fn vaccines_keep_their_zeros() {
    let kept = with(
        "immunizations.csv",
        "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,COST\n2020-01-01,p1,e1,08,Hep B,140.5\n",
    );
    let columns = ["drug_exposure_start_date", "drug_exposure_end_date", "drug_source_value"];
    assert_eq!(one(&kept, Table::DrugExposure, &columns), ["2020-01-01", "2020-01-01", "08"]);
    assert_eq!(one(&kept, Table::Cost, &["cost_domain_id", "total_cost"]), ["Drug", "140.5"]);
}

#[test]
fn numbers_are_measured_and_texts_observed() {
    let kept = with(
        "observations.csv",
        "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE\n\
         2020-01-01,p1,e1,vital-signs,8302-2,Body Height,127.9,cm,numeric\n\
         2020-01-01,p1,e1,laboratory,5778-6,Color of Urine,yellow,,text\n\
         2020-01-01,p1,e1,survey,72166-2,Smoking,Never,,text\n\
         2020-01-01,p1,e1,survey,70274-6,GAD-7,3,{score},numeric\n\
         2020-01-01,p1,,social-history,99999-9,Ward,12,,text\n",
    );
    let columns =
        ["measurement_source_value", "value_as_number", "unit_source_value", "value_source_value"];
    assert_eq!(
        one(&kept, Table::Measurement, &columns),
        [
            "8302-2", "5778-6", "70274-6", "127.9", "", "3", "cm", "", "{score}", "127.9",
            "yellow", "3"
        ]
    );
    let columns = ["observation_source_value", "value_as_string", "qualifier_source_value"];
    assert_eq!(
        one(&kept, Table::Observation, &columns),
        ["72166-2", "99999-9", "Never", "12", "survey", "social-history"]
    );
}

#[test]
fn observations_of_2017_have_no_type() {
    let kept = with(
        "observations.csv",
        "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,VALUE,UNITS\n\
         2008-04-15,p1,e1,8302-2,Body Height,163.33,cm\n2008-04-15,p1,e1,1-1,Smoking,Never,\n",
    );
    assert_eq!(one(&kept, Table::Measurement, &["value_as_number"]), ["163.33"]);
    assert_eq!(one(&kept, Table::Observation, &["value_as_string"]), ["Never"]);
}

#[test]
fn allergies() {
    let kept = with(
        "allergies.csv",
        "START,STOP,PATIENT,ENCOUNTER,CODE,SYSTEM,DESCRIPTION,TYPE,CATEGORY,REACTION1,DESCRIPTION1,SEVERITY1,REACTION2,DESCRIPTION2,SEVERITY2\n\
         2009-09-27,,p1,e1,7984,RxNorm,Penicillin,allergy,medication,1,Itching,MODERATE,2,Wheal,\n",
    );
    let columns = ["value_as_string", "qualifier_source_value", "observation_date"];
    let expected = ["Itching (MODERATE); Wheal", "allergy, medication", "2009-09-27"];
    assert_eq!(one(&kept, Table::Observation, &columns), expected);
    assert_eq!(kept.codes(), [code("RxNorm", "7984", "Penicillin", "Observation")]);
}

#[test]
fn devices_and_supplies() {
    let kept = with(
        "supplies.csv",
        "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p1,e1,1,Gloves,24\n",
    );
    assert_eq!(one(&kept, Table::DeviceExposure, &["quantity"]), ["24"]);
    let kept = with(
        "devices.csv",
        "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,UDI\n2020-01-01,,p1,e1,1,Stent,(01)2\n",
    );
    let columns = ["unique_device_id", "device_exposure_end_date"];
    assert_eq!(one(&kept, Table::DeviceExposure, &columns), ["(01)2", ""]);
}

#[test]
fn imaging_studies_of_years_without_procedures() {
    let kept = with(
        "imaging_studies.csv",
        "Id,DATE,PATIENT,ENCOUNTER,BODYSITE_CODE,BODYSITE_DESCRIPTION,MODALITY_CODE,MODALITY_DESCRIPTION,SOP_CODE,SOP_DESCRIPTION\n\
         i1,2020-01-01,p1,e1,1,Chest,DX,Digital Radiography,2,x\n",
    );
    let columns = ["procedure_source_value", "modifier_source_value"];
    assert_eq!(
        one(&kept, Table::ProcedureOccurrence, &columns),
        ["DX", "Digital Radiography, Chest"]
    );
    assert_eq!(kept.codes(), [code("DICOM", "DX", "Digital Radiography", "Procedure")]);
}

#[test]
fn plans_of_years_and_of_days() {
    let columns =
        ["payer_plan_period_start_date", "payer_plan_period_end_date", "payer_source_value"];
    let kept = with(
        "payer_transitions.csv",
        "PATIENT,START_YEAR,END_YEAR,PAYER,OWNERSHIP\np1,2014,2015,x,Self\n",
    );
    let expected = ["2014-01-01", "2015-12-31", "x"];
    assert_eq!(one(&kept, Table::PayerPlanPeriod, &columns), expected);
    let files = folder(&[
        ("patients.csv", PATIENTS.as_bytes()),
        ("payers.csv", b"Id,NAME\nx,Medicare\n"),
        (
            "payer_transitions.csv",
            b"PATIENT,MEMBERID,START_DATE,END_DATE,PAYER\np1,m,2014-10-14T12:00:00Z,2015-10-20T12:00:00Z,x\n",
        ),
    ]);
    let (kept, summary) = read_folder(files.path(), &synthea());
    summary.unwrap();
    let expected = ["2014-10-14", "2015-10-20", "Medicare"];
    assert_eq!(one(&kept, Table::PayerPlanPeriod, &columns), expected);
    assert_eq!(one(&kept, Table::Metadata, &["name", "value_as_string"]), ["payer", "Medicare"]);
    assert_eq!(kept.codes(), [code("Payer", "x", "Medicare", "Payer")]);
}

#[test]
fn claims_are_details_of_visits_and_carry_their_money() {
    let kept = with(
        "claims.csv",
        "Id,PATIENTID,PROVIDERID,APPOINTMENTID,SERVICEDATE,STATUSP\nc1,p1,d1,e1,2020-01-01T12:00:00Z,CLOSED\n",
    );
    let columns = ["visit_detail_id", "visit_occurrence_id", "visit_detail_source_value"];
    let expected = [&id("claim", "c1"), &id("visit", "e1"), "claim CLOSED"];
    assert_eq!(one(&kept, Table::VisitDetail, &columns), expected);
    let kept = with(
        "claims_transactions.csv",
        "ID,CLAIMID,CHARGEID,PATIENTID,TYPE,AMOUNT,METHOD,PROCEDURECODE,TRANSFERTYPE,PAYMENTS,TRANSFERS\n\
         t1,c1,0,p1,CHARGE,100,,185345009,1,,\n\
         t2,c1,1,p1,PAYMENT,,ECHECK,185345009,,60,\n\
         t3,c1,2,p1,TRANSFERIN,40,,185345009,p,,40\n\
         t4,c1,3,p1,PAYMENT,,COPAY,185345009,,15,\n\
         t5,c1,4,p1,PAYMENT,,CASH,185345009,,25,\n\
         t6,c1,5,p1,payment,,echeck,185345009,,5,\n\
         t7,c1,6,p1,payment,, ,185345009,,1,\n",
    );
    let of = |column: &str| kept.column(Table::Cost, column);
    assert_eq!(of("total_charge"), ["100", "", "", "", "", "", ""]);
    assert_eq!(of("total_paid"), ["", "60", "", "15", "25", "5", "1"]);
    assert_eq!(of("paid_by_payer"), ["", "60", "", "", "", "5", ""]);
    assert_eq!(of("paid_by_patient"), ["", "", "", "15", "25", "", "1"]);
    assert_eq!(of("paid_patient_copay"), ["", "", "", "15", "", "", ""]);
    assert_eq!(of("amount_allowed"), ["", "", "40", "", "", "", ""]);
    let mut kinds = vec!["CHARGE:1", "PAYMENT:ECHECK", "TRANSFERIN:p", "PAYMENT:COPAY"];
    kinds.extend(["PAYMENT:CASH", "PAYMENT:ECHECK", "PAYMENT"]);
    assert_eq!(of("revenue_code_source_value"), kinds);
    assert!(of("cost_event_id").iter().all(|event| *event == id("claim", "c1")));
}
