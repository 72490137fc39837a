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
