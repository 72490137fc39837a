//! The committed JSON Schema is the one of the types.

use std::fs;

use serde_json::Value;

use crate::binary::{root, say};

const COMMITTED: &str = "docs/reference/job.schema.json";

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let printed = say(&["schema", "job"]).ends_with(0).out;
    let committed = fs::read_to_string(root().join(COMMITTED)).unwrap_or_default();
    assert!(
        printed == committed,
        "{COMMITTED} is stale; write it anew:\n    cargo run --release -- schema job > {COMMITTED}"
    );
}

#[test]
fn the_schema_knows_the_job_files_keys() {
    let schema: Value = serde_json::from_str(&say(&["schema", "job"]).out).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let keys: Vec<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["job", "locations", "source", "records", "cohort", "analysis", "report"]);
}
