//! With a vocabulary, concepts choose the tables.

use farr_disclosure::Zone;
use farr_records::Table;
use farr_store::Location;

use super::intake::{Kept, folder, synthea};
use crate::{Mapping, Share, read, read_vocabulary};

const CONCEPT: &[u8] = b"concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\tvalid_start_date\tvalid_end_date\tinvalid_reason\n\
    1\tRinger's \"5\tCondition\tSNOMED\tx\tS\t100\t19700101\t20991231\t\n\
    2\tan observation\tObservation\tSNOMED\tx\tS\t200\t19700101\t20991231\t\n\
    3\tboth\tCondition\tSNOMED\tx\t\t300\t19700101\t20991231\t\n\
    4\tunmapped\tCondition\tSNOMED\tx\t\t400\t19700101\t20991231\tD\n";
const RELATIONSHIP: &[u8] = b"concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason\n\
    1\t1\tMaps to\t19700101\t20991231\t\n\
    2\t2\tMaps to\t19700101\t20991231\t\n\
    3\t1\tMaps to\t19700101\t20991231\t\n\
    3\t2\tMaps to\t19700101\t20991231\t\n\
    4\t1\tMaps to\t19700101\t20991231\tD\n";

fn vocabulary(kept: &Kept) -> Mapping {
    let files = folder(&[("CONCEPT.csv", CONCEPT), ("CONCEPT_RELATIONSHIP.csv", RELATIONSHIP)]);
    let location = Location::folder(files.path(), Zone::Restricted).unwrap();
    let (mapping, summary) = read_vocabulary(&location, Share::WHOLE, kept).unwrap();
    assert!(summary.tables.iter().any(|table| table.table == "concept" && table.rows_read == 4));
    mapping
}

#[test]
fn targets_choose_the_tables() {
    let kept = Kept::default();
    let mapping = vocabulary(&kept);
    assert_eq!(kept.column(Table::Concept, "concept_name")[0], "Ringer's \"5");
    assert_eq!(kept.column(Table::Concept, "valid_end_date")[0], "2099-12-31");
    let conditions = b"START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n\
        2020-01-01,,p1,e1,100,a\n\
        2020-01-02,,p1,e1,200,b\n\
        2020-01-03,,p1,e1,300,c\n\
        2020-01-04,,p1,e1,400,d\n\
        2020-01-05,,p1,e1,500,e\n";
    let patients = b"Id,BIRTHDATE,GENDER\np1,1980-01-01,M\n";
    let files = folder(&[("patients.csv", patients), ("conditions.csv", conditions)]);
    let location = Location::folder(files.path(), Zone::Restricted).unwrap();
    read(&synthea(), &location, Some(&mapping), Share::WHOLE, &kept).unwrap();
    // Five conditions: one of them is an observation, one is both, so that six
    // rows stand or follow.
    assert_eq!(kept.balance()["conditions"], (5, 0));
    let conditions = |column: &str| kept.column(Table::ConditionOccurrence, column);
    let start = conditions("condition_start_date");
    assert_eq!(start, ["2020-01-01", "2020-01-03", "2020-01-04", "2020-01-05"]);
    assert_eq!(conditions("condition_concept_id"), ["1", "1", "0", "0"]);
    let sources = conditions("condition_source_concept_id");
    assert_eq!(sources[..3], ["1", "3", "4"]);
    assert!(sources[3].parse::<i64>().unwrap() > 2_000_000_000);
    let observed = kept.column(Table::Observation, "observation_date");
    assert_eq!(observed, ["2020-01-02", "2020-01-03"]);
    assert_eq!(kept.column(Table::Observation, "observation_source_concept_id"), ["2", "3"]);
    assert_eq!(kept.codes().len(), 1);
}
