//! Bad input gets a clear error or a reject, with its place and the exit code
//! that the documentation names, and never with a patient's value.

use std::path::PathBuf;

use crate::binary::Said;
use crate::place::{Export, Place, Reject};

const JOB: &str = r#"[job]
name = "small"

[locations.exports]
url = "exports"

[locations.records]
url = "records"

[locations.reports]
url = "reports"

[[source]]
format = "synthea-csv"
location = "exports"
system = "hospital"

[records]
location = "records"

[[cohort]]
id = 1
name = "hypertension"
file = "hypertension.toml"

[[analysis]]
kind = "attrition"

[report]
location = "reports"
"#;

const COHORT: &str = r#"name = "Hypertension"

[entry]
domain = "condition"
codes = ["SNOMED:59621000"]
descendants = false
"#;

const CIRCE: &str = r#"{
  "ConceptSets": [{ "id": 0, "name": "hypertension", "expression": { "items": [
    { "concept": { "CONCEPT_ID": 320128, "CONCEPT_CODE": "59621000", "VOCABULARY_ID": "SNOMED" } }
  ] } }],
  "PrimaryCriteria": {
    "CriteriaList": [{ "ConditionOccurrence": { "CodesetId": 0 } }],
    "ObservationWindow": { "PriorDays": 0, "PostDays": 0 },
    "PrimaryCriteriaLimit": { "Type": "First" }
  }
}
"#;

const PATIENTS: &str = "Id,BIRTHDATE,GENDER\nJones-1,1950-01-01,M\nJones-2,1960-02-03,F\n";
pub(crate) const CONDITIONS: &str = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n";
pub(crate) const ONE_ROW: &str = "2020-01-05,,Jones-1,e1,59621000,Hypertension\n";

/// A place with the job, its cohort, and an export of two patients.
pub(crate) struct Site {
    pub(crate) place: Place,
    job: PathBuf,
}

impl Site {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        place.write("hypertension.toml", COHORT);
        place.write("exports/patients.csv", PATIENTS);
        place.write("exports/conditions.csv", format!("{CONDITIONS}{ONE_ROW}"));
        let job = place.write("job.toml", JOB);
        Self { place, job }
    }

    pub(crate) fn with(self, file: &str, content: impl AsRef<[u8]>) -> Self {
        self.place.write(&format!("exports/{file}"), content);
        self
    }

    pub(crate) fn without(self, file: &str) -> Self {
        std::fs::remove_file(self.place.path(&format!("exports/{file}"))).unwrap();
        self
    }

    pub(crate) fn export(&self, format: &'static str) -> Export {
        Export { format, folder: self.place.path("exports") }
    }

    /// Runs the job; whatever it says names no patient.
    pub(crate) fn run(&self, more: &[&str]) -> Said {
        self.place.run(&self.job, &self.export("synthea-csv"), more).keeps(&["Jones"])
    }

    pub(crate) fn run_omop(&self, more: &[&str]) -> Said {
        self.place.run(&self.job, &self.export("omop"), more)
    }

    /// Runs the job after a change of its text.
    pub(crate) fn run_changed(&self, from: &str, to: &str) -> Said {
        let text = JOB.replace(from, to);
        assert_ne!(text, JOB);
        self.place.write("job.toml", text);
        self.run(&[])
    }

    /// Runs the job with another definition.
    pub(crate) fn run_cohort(&self, file: &str, content: &str) -> Said {
        self.place.write(file, content);
        self.run(&["--set", &format!("cohort.0.file={file}")])
    }

    /// Read, kept, merged and rejected rows of a source table.
    pub(crate) fn balance(&self, table: &str) -> [u64; 4] {
        let manifest = self.place.report().manifest();
        let rows = manifest["balance"].as_array().unwrap();
        let row = rows.iter().find(|row| row["source_table"] == table).unwrap();
        ["read", "kept", "merged", "rejected"].map(|key| row[key].as_u64().unwrap())
    }

    /// Persons in the one cohort.
    pub(crate) fn persons(&self) -> i64 {
        self.place.report().manifest()["cohorts"][0]["n_persons"].as_i64().unwrap()
    }
}

pub(crate) fn reject(object: &str, line: i64, column: &str, reason: &str) -> Reject {
    Reject { object: object.to_owned(), line, column: column.to_owned(), reason: reason.to_owned() }
}

#[test]
fn rows_that_cannot_be_kept_are_rejects_with_their_place() {
    let mut rows = format!("{CONDITIONS}{ONE_ROW}").into_bytes();
    rows.extend_from_slice(
        b"2020-01-05,,Jones-1,e1,59621000\n\
          2020-01-05,,Jones-1,e1,59621000,one,too many\n\
          2020-01-05,,Jones-1,e1,59621000,Jones\xff\n\
          2020-02-30,,Jones-1,e1,59621000,no such day\n\
          Jones,,Jones-1,e1,59621000,no day at all\n\
          1492-10-12,,Jones-1,e1,59621000,early\n\
          2020-01-05,2999-01-01,Jones-1,e1,59621000,late\n\
          2020-01-05,2020-01-04,Jones-1,e1,59621000,backward\n\
          2020-01-05,,Jones-3,e1,59621000,dangling\n\
          2020-01-05,,,e1,59621000,nobody\n",
    );
    let site = Site::new().with("conditions.csv", rows);
    site.run(&[]).ends_with(0);
    let expected = [
        (3, "", "5 columns, expected 6"),
        (4, "", "7 columns, expected 6"),
        (5, "DESCRIPTION", "is not valid UTF-8"),
        (6, "START", "is no date that exists"),
        (7, "START", "is no date that exists"),
        (8, "START", "is a date outside 1850 to 2199"),
        (9, "STOP", "is a date outside 1850 to 2199"),
        (10, "STOP", "ends before it starts"),
        (11, "person_id", "the person is not in the person table"),
        (12, "PATIENT", "is empty"),
    ];
    let expected =
        expected.map(|(line, column, reason)| reject("conditions.csv", line, column, reason));
    assert_eq!(site.place.rejects(), expected);
    assert_eq!(site.balance("conditions"), [11, 1, 0, 10]);
    assert_eq!(site.persons(), 1);
}

#[test]
fn tables_that_lost_rows_are_named() {
    let bad = "2020-02-30,,Jones-1,e1,59621000,x\n";
    let site = Site::new().with("conditions.csv", format!("{CONDITIONS}{ONE_ROW}{bad}{bad}"));
    let lost = "table 'conditions': 2 of 3 rows were rejected, most often since START is no date \
                that exists";
    site.run(&[]).ends_with(0).says(&[lost, "rejects.parquet"]);
    // What is printed follows the zone of the report.
    let open = ["--set", "locations.reports.zone=open", "--force"];
    site.run(&open).ends_with(0).says(&["table 'conditions': some rows were rejected"]);
    let site = Site::new().with("conditions.csv", format!("{CONDITIONS}{bad}"));
    site.run(&[]).ends_with(0).says(&["table 'conditions': every row was rejected"]);
    // It is there, and empty.
    assert_eq!(site.persons(), 0);
    let nobody = PATIENTS.replace("-01-01", "").replace("-02-03", "");
    let said = Site::new().with("patients.csv", nobody.replace("19", "x")).run(&[]);
    said.ends_with(3).says(&[
        "no person could be kept",
        "patients.BIRTHDATE",
        "patients.csv, line 2",
    ]);
}

/// A row in the place of a header is shown to nobody.
#[test]
fn rows_are_not_taken_for_columns() {
    let site = Site::new().with("patients.csv", PATIENTS.replace('\n', "\r"));
    let said = site.run(&[]).ends_with(3);
    said.says(&["patients.csv", "carriage return"]).keeps(&["1950"]);
    let site = Site::new().with("conditions.csv", CONDITIONS.replace('\n', "\r") + ONE_ROW);
    site.run(&[]).ends_with(3).says(&["conditions.csv", "carriage return"]);
    let site = Site::new().with("providers.csv", "p1,o1,Jones\np2,o1,Jones\n");
    let said = site.run(&[]).ends_with(3);
    said.says(&["providers.csv", "3 columns, none of them known"]).keeps(&["p1", "o1"]);
}

#[test]
fn equal_rows_are_merged() {
    let site = Site::new().with("conditions.csv", format!("{CONDITIONS}{ONE_ROW}{ONE_ROW}"));
    site.run(&[]).ends_with(0);
    assert_eq!(site.balance("conditions"), [2, 1, 1, 0]);
}

/// Only rows equal in every column are merged; the same id with other content,
/// or of another person, keeps all rows and is counted.
#[test]
fn ids_that_stand_twice_are_kept_and_counted() {
    let site = Site::new()
        .with("person.csv", "person_id,gender_concept_id,year_of_birth\n1,8507,1980\n2,8532,1990\n")
        .with(
            "condition_occurrence.csv",
            "condition_occurrence_id,person_id,condition_concept_id,condition_start_date\n\
             5,1,320128,2020-01-05\n\
             5,1,320128,2020-01-06\n\
             5,2,320128,2020-01-05\n\
             6,2,320128,2020-01-07\n\
             6,2,320128,2020-01-07\n\
             7,3,320128,2020-01-05\n",
        );
    let twice = "'condition_occurrence': 3 rows that differ have 1 id between them";
    site.run_omop(&[]).ends_with(0).says(&[twice]);
    assert_eq!(site.balance("condition_occurrence"), [6, 4, 1, 1]);
    let dangling = "the person is not in the person table";
    let expected = [reject("condition_occurrence.csv", 7, "person_id", dangling)];
    assert_eq!(site.place.rejects(), expected);
    let repeated = &site.place.records_manifest()["repeated_ids"]["condition_occurrence"];
    assert_eq!((&repeated["ids"], &repeated["rows"]), (&1.into(), &3.into()));
}

/// A table without rows is no mistake of the export: with a header it is there
/// and empty; an object without anything is no table, and a cohort that needs
/// it is refused by name.
#[test]
fn an_empty_table_is_named_where_it_is_needed() {
    let site =
        Site::new().with("medications.csv", "").with("procedures.csv", "START,PATIENT,CODE\n");
    site.run(&[]).ends_with(0);
    assert_eq!(site.balance("medications"), [0; 4]);
    assert_eq!(site.balance("procedures"), [0; 4]);
    let lacking = ["cohort 1 'hypertension'", "condition_occurrence", "lack"];
    Site::new().with("conditions.csv", "").run(&[]).ends_with(2).says(&lacking);
    let site = Site::new().with("conditions.csv", CONDITIONS);
    site.run(&[]).ends_with(0);
    assert_eq!(site.balance("conditions"), [0; 4]);
    assert_eq!(site.persons(), 0);
    let said = Site::new().with("patients.csv", "").run(&[]);
    said.ends_with(3).says(&["patients.csv", "no column 'id'", "found nothing"]);
    // With a header alone nobody is there, and every other row dangles.
    Site::new()
        .with("patients.csv", "Id,BIRTHDATE,GENDER\n")
        .run(&[])
        .ends_with(3)
        .says(&["person"]);
}

#[test]
fn a_missing_table_is_named() {
    let lacking = ["cohort 1 'hypertension'", "condition_occurrence", "lack"];
    Site::new().without("conditions.csv").run(&[]).ends_with(2).says(&lacking);
    let said = Site::new().without("patients.csv").with("patient.csv", PATIENTS).run(&[]);
    said.ends_with(3).says(&["'patients'", "patients = \"patient.csv\""]);
    Site::new().run_omop(&[]).ends_with(3).says(&["'person'", "conditions.csv"]);
    let said = Site::new().run(&["--set", "locations.exports.url=nowhere"]);
    said.ends_with(3).says(&["nowhere", "'patients'"]);
}

#[test]
fn a_missing_column_is_named_with_the_nearest() {
    let site = Site::new().with("patients.csv", PATIENTS.replace("BIRTHDATE", "BIRTH_DATE"));
    site.run(&[]).ends_with(3).says(&[
        "patients.csv",
        "no column 'birthdate'",
        "found Id, BIRTH_DATE, GENDER",
        "patients.birthdate = \"BIRTH_DATE\"",
    ]);
    let renamed = r#"source.0.columns={patients={birthdate="BIRTH_DATE"}}"#;
    site.run(&["--set", renamed]).ends_with(0);
    assert_eq!(site.persons(), 1);
}

#[test]
fn damaged_objects_are_named() {
    // A gzip member that was cut short, and text that is no Parquet.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x0b\x0e\x71\x0c\x0a\xd1";
    let site = Site::new().without("conditions.csv").with("conditions.csv.gz", gzip);
    site.run(&[]).ends_with(3).says(&["conditions.csv.gz", "truncated or damaged"]);
    let site = Site::new().with("person.parquet", "Jones");
    site.run_omop(&[]).ends_with(3).says(&["person.parquet", "Parquet"]).keeps(&["Jones"]);
}

#[test]
fn unknown_keys_of_the_job_are_placed_and_mended() {
    let said = Site::new().run_changed("system = ", "sistem = ");
    said.ends_with(2).says(&["job.toml, line 16", "source[0].sistem", "did you mean 'system'?"]);
    let said = Site::new().run_changed("\"attrition\"", "\"atrition\"");
    said.ends_with(2).says(&["line 27", "did you mean 'attrition'?"]);
    let said = Site::new().run_changed("id = 1", "id = \"one\"");
    said.ends_with(2).says(&["line 22", "cohort[0].id"]);
    let said = Site::new().run_changed("[records]\n", "[records\n");
    said.ends_with(2).says(&["job.toml, line 18"]);
    let said = Site::new().run_changed("location = \"records\"", "location = \"record\"");
    said.ends_with(2).says(&["records.location", "did you mean 'records'?"]);
}

#[test]
fn unknown_cohorts_are_named() {
    let analysis = "kind = \"incidence\"\ntargets = [1]\noutcomes = [{ cohort = 9 }]";
    let said = Site::new().run_changed("kind = \"attrition\"", analysis);
    said.ends_with(2).says(&["analysis[0]", "no [[cohort]] has the id 9", "the job has 1"]);
    let said = Site::new().run_changed("hypertension.toml", "hypertenson.toml");
    said.ends_with(2).says(&["hypertenson.toml", "No such file"]);
    let again =
        "[[cohort]]\nid = 1\nname = \"again\"\nfile = \"hypertension.toml\"\n\n[[analysis]]";
    Site::new().run_changed("[[analysis]]", again).ends_with(2).says(&["cohort[1].id", "twice"]);
}

#[test]
fn mistakes_in_definitions_are_placed() {
    let site = Site::new();
    site.run_cohort("circe.json", CIRCE).ends_with(0);
    assert_eq!(site.persons(), 1);
    let wrong = CIRCE.replace("CodesetId", "CodeSetId");
    let place = "$.PrimaryCriteria.CriteriaList[0].ConditionOccurrence";
    let said = site.run_cohort("circe.json", &wrong);
    said.ends_with(2).says(&["circe.json", place, "'CodeSetId'", "did you mean 'CodesetId'?"]);
    let said = site.run_cohort("circe.json", "{\n");
    said.ends_with(2).says(&["circe.json", "line 2"]);
    let wrong = COHORT.replace("domain", "domian");
    let said = site.run_cohort("short.toml", &wrong);
    said.ends_with(2).says(&["short.toml", "line 4", "`domian`", "did you mean 'domain'?"]);
    // Specimens are in no Synthea export.
    let wrong = CIRCE.replace("ConditionOccurrence", "Specimen");
    let said = site.run_cohort("circe.json", &wrong);
    said.ends_with(2).says(&["cohort 1 'hypertension'", "table specimen", "lack"]);
}

#[test]
fn parameters_that_fit_nowhere_are_named() {
    let site = Site::new();
    for (parameter, part) in [
        ("nonsense", "--set nonsense: expected path.to.key=value"),
        ("source.7.format=omop", "'7' is no place in a list of 1"),
        ("job.name.deeper=1", "'deeper' lies below a plain value"),
        ("records.shard=4", "did you mean 'shards'?"),
        ("records.shards=3", "a power of two"),
        ("records.max_rejects=few", "a share like \"1%\""),
        ("source.0.timezone=Europe/Londn", "did you mean 'Europe/London'?"),
        ("locations.exports.url=s4://bucket", "'s4' is not known"),
        ("locations.reports.zone=opn", "did you mean 'open'?"),
        ("locations.exports.url=${FARR_TEST_NOWHERE}", "no variable FARR_TEST_NOWHERE"),
    ] {
        site.run(&["--set", parameter]).ends_with(2).says(&[part]);
    }
    site.run(&["--threads", "0"]).ends_with(2).says(&["--threads: expected 1 or more"]);
    site.run(&["--max-rejects", "few"]).ends_with(2).says(&["--max-rejects: expected a count"]);
    site.run(&["--thread", "1"]).ends_with(2).says(&["--threads"]);
    assert_eq!(site.place.published(), 0);
}

#[test]
fn secrets_come_from_the_environment_only() {
    let site = Site::new();
    let options = "url = \"s3://b\"\noptions = { secret_access_key = \"Jones\" }";
    let said = site.run_changed("url = \"exports\"", options);
    said.ends_with(2).says(&["locations.exports.options.secret_access_key", "environment"]);
}

#[test]
fn persons_are_not_bound_for_an_open_zone() {
    let site = Site::new();
    let said = site.run(&["--set", "locations.records.zone=open"]);
    said.ends_with(5).says(&["records 'records'", "open zone"]);
    assert!(!site.place.path("records").exists());
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[test]
fn places_that_do_not_answer_are_named() {
    let options = format!(
        r#"{{endpoint="http://127.0.0.1:{}",allow_http="true",region="here",skip_signature="true",retries_max="0"}}"#,
        closed_port()
    );
    for (name, stage) in [("exports", "source 'hospital'"), ("reports", "could not list")] {
        let site = Site::new();
        let url = format!("locations.{name}.url=s3://bucket/folder");
        let options = format!("locations.{name}.options={options}");
        let said = site.run(&["--set", &url, "--set", &options]);
        said.ends_with(4).says(&["s3://bucket/folder", "does not answer", stage]);
        assert_eq!(site.place.published(), 0);
        // A place that cannot be written to is found before anything is read.
        assert!(!site.place.path("records/latest").exists());
    }
}

#[test]
fn too_many_rejects_fail_the_job() {
    let bad = "2020-02-30,,Jones-1,e1,59621000,x\n";
    let rows = format!("{CONDITIONS}{ONE_ROW}{bad}");
    let site = Site::new().with("conditions.csv", rows);
    let place = "conditions.START: is no date that exists (1; first at conditions.csv, line 3)";
    let parts = ["1 of 4 rows read were rejected", place];
    site.run(&["--max-rejects", "0"]).ends_with(3).says(&parts);
    site.run(&["--max-rejects", "24%"]).ends_with(3).says(&parts);
    let open = ["--max-rejects", "0", "--set", "locations.reports.zone=open"];
    let said = site.run(&open).ends_with(3).keeps(&["of 4 rows", "(1;"]);
    said.says(&["more rows were rejected than the job allows (0)", "conditions.csv, line 3"]);
    assert!(!site.place.path("records/latest").exists());
    site.run(&["--max-rejects", "25%"]).ends_with(0);
    site.run(&["--max-rejects", "1"]).ends_with(0);
}
