//! What sources have and lack, seen from a job.

use crate::binary::say;
use crate::place::Place;

const JOB: &str = r#"
[job]
name = "clinics"
[locations.one]
url = "one"
[locations.two]
url = "two"
[locations.records]
url = "records"
[locations.reports]
url = "reports"
[[source]]
format = "omop"
location = "one"
system = "north"
[records]
location = "records"
[[cohort]]
id = 1
name = "falls"
file = "falls.toml"
[report]
location = "reports"
"#;

const SECOND: &str = "[[source]]\nformat = \"omop\"\nlocation = \"two\"\nsystem = \"south\"\n";

const FALLS: &str = "\
[entry]\ndomain = \"condition\"\nconcepts = [7]\ndescendants = false\n";

/// An OMOP export of these persons, its condition table a header without rows.
fn export(place: &Place, folder: &str, persons: &[u32]) {
    let write = |table: &str, head: &str, row: &dyn Fn(&u32) -> String| {
        let rows: Vec<String> = persons.iter().map(row).collect();
        place.write(&format!("{folder}/{table}.csv"), format!("{head}\n{}\n", rows.join("\n")));
    };
    let head = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id";
    write("person", head, &|id| format!("{id},8532,1950,0,0"));
    let head = "observation_period_id,person_id,observation_period_start_date,\
                observation_period_end_date,period_type_concept_id";
    write("observation_period", head, &|id| format!("{id},{id},2010-01-01,2020-01-01,32880"));
    place.write(
        &format!("{folder}/condition_occurrence.csv"),
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,\
         condition_end_date,condition_type_concept_id\n",
    );
}

/// A table with a header and no rows is empty, not absent: a cohort on it is
/// empty too.
#[test]
fn a_table_without_rows_is_there() {
    let place = Place::new();
    export(&place, "one", &[1, 2]);
    place.write("falls.toml", FALLS);
    let job = place.write("job.toml", JOB).display().to_string();
    say(&["run", &job]).ends_with(0).says(&["cohort 1 'falls': 0 persons"]);
}

/// What would make an answer wrong without a word is said.
#[test]
fn what_records_lack_is_said() {
    let place = Place::new();
    export(&place, "one", &[1, 2]);
    place.write("falls.toml", FALLS);
    let head = "observation_period_id,person_id,observation_period_start_date,\
                observation_period_end_date,period_type_concept_id";
    let rows = "1,1,2010-01-01,,32880\n2,2,2010-01-01,2020-01-01,32880";
    place.write("one/observation_period.csv", format!("{head}\n{rows}\n"));
    let survival = "[[analysis]]\nkind = \"survival\"\nname = \"falls\"\ntargets = [1]\n\
                    outcome = 1\n";
    let job = JOB.replace("[report]", &format!("{survival}[report]"));
    let job = place.write("job.toml", job).display().to_string();
    let nobody = "the records have no death, which 'falls' takes for empty";
    say(&["run", &job]).ends_with(0).says(&["some rows have no end", nobody]);
}

/// Else the records would be read as a part of the export.
#[test]
fn records_inside_the_export_are_refused() {
    let place = Place::new();
    export(&place, "one", &[1, 2]);
    place.write("falls.toml", FALLS);
    let job =
        JOB.replace("\"records\"\n[locations.reports]", "\"one/records\"\n[locations.reports]");
    let job = place.write("job.toml", job).display().to_string();
    say(&["run", &job]).ends_with(2).says(&["'one'", "inside"]);
    assert!(!place.path("one/records").exists());
}

/// A folder without persons is not said to be empty.
#[test]
fn an_export_without_persons_is_told_by_its_tables() {
    let place = Place::new();
    export(&place, "one", &[1, 2]);
    place.write("falls.toml", FALLS);
    std::fs::remove_file(place.path("one/person.csv")).unwrap();
    let job = place.write("job.toml", JOB).display().to_string();
    say(&["run", &job]).ends_with(3).says(&["only condition_occurrence, observation_period"]);
}

/// Persons of two systems are not taken for one another.
#[test]
fn systems_that_share_ids_are_refused() {
    let place = Place::new();
    export(&place, "one", &[1, 2]);
    export(&place, "two", &[2, 3]);
    place.write("falls.toml", FALLS);
    let job = JOB.replace("[records]", &format!("{SECOND}[records]"));
    let job = place.write("job.toml", job).display().to_string();
    say(&["run", &job]).ends_with(3).says(&["'north' and 'south'", "same person_id"]);
    assert_eq!(place.published(), 0);
    export(&place, "two", &[3, 4]);
    say(&["run", &job]).ends_with(0);
}
