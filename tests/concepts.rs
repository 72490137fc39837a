//! `farr concepts`: what concept sets hold, with counts, and what is near.

use std::fs;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use serde_json::Value;

use crate::binary::say;
use crate::place::{Place, read_parquet};

const CONCEPTS: &str = "\
concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,valid_start_date,valid_end_date,invalid_reason
1,Disorder of glucose regulation,Condition,SNOMED,Disorder,S,100,1970-01-01,2099-12-31,
2,Diabetes mellitus,Condition,SNOMED,Disorder,S,200,1970-01-01,2099-12-31,
3,Type 2 diabetes mellitus,Condition,SNOMED,Disorder,S,201,1970-01-01,2099-12-31,
4,Type 1 diabetes mellitus,Condition,SNOMED,Disorder,S,202,1970-01-01,2099-12-31,
5,Prediabetes,Condition,SNOMED,Disorder,S,300,1970-01-01,2099-12-31,
6,Sugar trouble,Condition,ICD10CM,Code,,E11.9,1970-01-01,2099-12-31,
7,Gestational diabetes mellitus,Condition,SNOMED,Disorder,S,400,1970-01-01,2099-12-31,
8,Old sugar trouble,Condition,ICD10CM,Code,,E11.65,1970-01-01,2099-12-31,
9,Asthma,Condition,SNOMED,Disorder,S,500,1970-01-01,2099-12-31,
10,Diabetes of nobody,Condition,SNOMED,Disorder,S,600,1970-01-01,2099-12-31,
11,Brittle,Condition,SNOMED,Disorder,S,203,1970-01-01,2099-12-31,D
";

const ANCESTORS: &str = "\
ancestor_concept_id,descendant_concept_id,min_levels_of_separation,max_levels_of_separation
1,1,0,0
1,2,1,1
1,5,1,1
1,3,2,2
1,4,2,2
2,2,0,0
2,3,1,1
2,4,1,1
2,11,1,1
3,3,0,0
4,4,0,0
";

const RELATIONS: &str = "\
concept_id_1,concept_id_2,relationship_id,valid_start_date,valid_end_date,invalid_reason
6,3,Maps to,1970-01-01,2099-12-31,
";

/// Person 1 has concept 3 three times, each from source code 6, and 7 once;
/// person 2 has 2, 4, 5 and 1; person 3 has 9, 8 and 11.
const CONDITIONS: &str = "\
condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_end_date,condition_type_concept_id,condition_source_concept_id
1,1,3,2015-01-01,,32817,6
2,1,3,2015-02-01,,32817,6
3,1,3,2015-03-01,,32817,6
4,1,7,2015-03-01,,32817,7
5,2,2,2015-01-01,,32817,0
6,2,4,2015-01-02,,32817,0
7,2,5,2015-01-03,,32817,0
8,2,1,2015-01-04,,32817,0
9,3,9,2015-01-01,,32817,0
10,3,0,2015-01-02,,32817,8
11,3,11,2015-01-03,,32817,0
";

const JOB: &str = r#"
[job]
name = "codes"
[locations.exports]
url = "export"
[locations.records]
url = "records"
[locations.reports]
url = "reports"
[[source]]
format = "omop"
location = "exports"
system = "clinic"
[records]
location = "records"
[[cohort]]
id = 7
name = "diabetes"
file = "definitions/7.toml"
[report]
location = "reports"
"#;

/// The records of these persons, and a definition of diabetes but type 1.
fn clinic() -> Place {
    let place = Place::new();
    place.write("export/concept.csv", CONCEPTS);
    place.write("export/concept_ancestor.csv", ANCESTORS);
    place.write("export/concept_relationship.csv", RELATIONS);
    place.write("export/condition_occurrence.csv", CONDITIONS);
    let persons = ["1,8532,1950,0,0", "2,8507,1960,0,0", "3,8507,1970,0,0"].join("\n");
    let head = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id";
    place.write("export/person.csv", format!("{head}\n{persons}\n"));
    let period = |id: u32| format!("{id},{id},2010-01-01,2020-01-01,32880");
    let head = "observation_period_id,person_id,observation_period_start_date,\
                observation_period_end_date,period_type_concept_id";
    let periods = [period(1), period(2), period(3)].join("\n");
    place.write("export/observation_period.csv", format!("{head}\n{periods}\n"));
    place.write(
        "definitions/7.toml",
        "name = \"diabetes\"\n[entry]\ndomain = \"condition\"\nconcepts = [2, 10, 99]\n\
         except_concepts = [4]\n",
    );
    let job = place.write("job.toml", JOB).display().to_string();
    say(&["ingest", &job]).ends_with(0);
    place
}

/// Relation, how, concept, records, persons.
type Line = (String, String, i64, i64, i64);

fn lines(rows: &Value) -> Vec<Line> {
    let line = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| row[key].as_i64().unwrap();
        (text("relation"), text("how"), number("concept_id"), number("records"), number("persons"))
    };
    rows.as_array().unwrap().iter().map(line).collect()
}

/// Members: 2 by an item, 3 as its descendant (11 is invalid), 10 by an item
/// without a record; 99 is in no vocabulary. Near: 4 is excluded, 11 is a
/// descendant though no valid one, 6 maps to 3, 1 is the parent and 5 a
/// sibling of 2, 7 shares both words of "Diabetes mellitus". 9 shares nothing, nor
/// 8: no member is of ICD-10.
#[test]
fn sets_are_told_with_what_is_near() {
    let place = clinic();
    let path = |name: &str| place.path(name).display().to_string();
    let (records, out) = (path("records"), path("found.json"));
    let definition = path("definitions/7.toml");
    let by_file = ["concepts", "--records", &records, "--definitions", &definition, "--out", &out];
    let said = say(&by_file).ends_with(0).says(&[
        "cohort 7 'diabetes'",
        "3 concepts, 2 with records",
        "item 99: the store's vocabulary does not have it",
        "item 10: no record in the store",
    ]);
    let rows: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    let expected = [
        ("member", "descendant", 3, 3, 1),
        ("member", "item", 2, 1, 1),
        ("member", "item", 10, 0, 0),
        ("near", "mapped", 6, 3, 1),
        ("near", "parent", 1, 1, 1),
        ("near", "excluded", 4, 1, 1),
        ("near", "sibling", 5, 1, 1),
        ("near", "name", 7, 1, 1),
        ("near", "descendant", 11, 1, 1),
    ];
    let expected = expected.map(|(a, b, c, d, e)| (a.to_owned(), b.to_owned(), c, d, e));
    assert_eq!(lines(&rows), expected);

    let job = path("job.toml");
    let by_job = say(&["concepts", "--records", &records, "--job", &job]).ends_with(0);
    assert_eq!(by_job.out, said.out);
    let folder = path("definitions");
    let one = ["concepts", "--records", &records, "--definitions", &folder, "--near", "1"];
    say(&one).ends_with(0).says(&["and 5 more"]);
}

/// With concept 6 in the set, 8 shares the stem E11 with it.
#[test]
fn codes_of_one_stem_are_near() {
    let place = clinic();
    let path = |name: &str| place.path(name).display().to_string();
    place.write(
        "definitions/7.toml",
        "[entry]\ndomain = \"condition\"\ncodes = [\"ICD10CM:E11.9\"]\ndescendants = false\n",
    );
    let out = path("found.parquet");
    let (records, folder) = (path("records"), path("definitions"));
    say(&["concepts", "--records", &records, "--definitions", &folder, "--out", &out]).ends_with(0);
    let table = read_parquet(&place.path("found.parquet"));
    let how = table.column_by_name("how").unwrap().as_string::<i32>().clone();
    let ids = table.column_by_name("concept_id").unwrap().as_primitive::<Int64Type>();
    let found: Vec<(&str, i64)> =
        (0..table.num_rows()).map(|row| (how.value(row), ids.value(row))).collect();
    assert_eq!(found, [("item", 6), ("code", 8)]);
}

/// A definition that cannot be read is named, the others are told.
#[test]
fn what_cannot_be_read_is_named() {
    let place = clinic();
    let path = |name: &str| place.path(name).display().to_string();
    place.write("definitions/8.json", "{\"Oops\": 1}");
    let (records, folder) = (path("records"), path("definitions"));
    say(&["concepts", "--records", &records, "--definitions", &folder])
        .ends_with(6)
        .says(&["cohort 7", "8.json", "Oops"]);
    say(&["concepts", "--records", &records]).ends_with(2);
    let both = ["concepts", "--records", &records, "--definitions", &folder, "--search", "x"];
    say(&both).ends_with(2);
    let text = path("found.txt");
    say(&["concepts", "--records", &records, "--search", "diab", "--out", &text])
        .ends_with(2)
        .says(&["expected a file that ends in .parquet or .json"]);
}

/// Sets that hold nothing, or ask for descendants where there are none, are
/// warned of, by a run and here.
#[test]
fn odd_sets_are_warned_of() {
    let place = clinic();
    let path = |name: &str| place.path(name).display().to_string();
    let warned = |concepts: &str, expected: &[&str]| {
        let definition = format!("[entry]\ndomain = \"condition\"\nconcepts = [{concepts}]\n");
        place.write("definitions/7.toml", definition);
        let job = path("job.toml");
        say(&["run", &job]).ends_with(0).says(expected);
        let records = path("records");
        let file = path("definitions/7.toml");
        let arguments = ["concepts", "--records", &records, "--definitions", &file];
        say(&arguments).ends_with(0).says(expected);
    };
    warned("99", &["resolves to no concept"]);
    fs::remove_file(place.path("export/concept_ancestor.csv")).unwrap();
    warned("2", &["asks for descendants, but the vocabulary has no ancestor rows"]);
}
