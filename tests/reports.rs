//! Every column that a report has is in its reference page, and no other; every
//! setting too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::binary::root;
use crate::place::{Export, Place};

/// What a page's `## Output` sections say: columns by table.
fn documented(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut table = None;
    for line in page.lines() {
        if line.starts_with("## ") {
            let name = line.strip_prefix("## Output: `");
            table = name.and_then(|name| name.split_once(".parquet`")).map(|(name, _)| name);
        }
        let Some(columns) = table.and_then(|_| line.strip_prefix("| `")) else { continue };
        let cell = columns.split(" | ").next().unwrap_or_default();
        let names = cell.split("`, `").map(|name| name.trim_end_matches('`').to_owned());
        tables.entry(table.unwrap_or_default().to_owned()).or_default().extend(names);
    }
    tables
}

/// `denominator_count <age group>` stands for any column of that start.
fn is_documented(column: &str, documented: &BTreeSet<String>) -> bool {
    let starts_so = |name: &String| {
        let start = name.strip_suffix("<age group>");
        start.is_some_and(|start| column.starts_with(start))
    };
    documented.contains(column) || documented.iter().any(starts_so)
}

fn page(kind: &str) -> String {
    fs::read_to_string(root().join(format!("docs/reference/{kind}.md"))).unwrap()
}

const KINDS: [&str; 8] = [
    "attrition",
    "characteristics",
    "cumulative_incidence",
    "incidence",
    "overlap",
    "prevalence",
    "regression",
    "survival",
];

/// Every analysis over the sample data, in an open zone, where reports have all
/// the columns that they ever have.
#[test]
fn the_pages_have_the_columns_of_the_reports() {
    let place = Place::new();
    let folder = root().join("sample-data/synthea-csv");
    let export = Export { format: "synthea-csv", folder };
    let open = ["--set", "locations.reports.zone=open"];
    place.run(&root().join("pipelines/outcomes.toml"), &export, &open).ends_with(0).says(&[
        "regression: ",
        "prevalence: ",
        "cumulative_incidence: ",
    ]);
    let pages: BTreeMap<String, BTreeSet<String>> =
        KINDS.iter().flat_map(|kind| documented(&page(kind))).collect();
    let tables = place.report().tables();
    assert!(tables.keys().eq(pages.keys()), "{:?}\n{:?}", tables.keys(), pages.keys());
    for (name, table) in &tables {
        let schema = table.schema();
        let written: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let documented = &pages[name];
        for column in &written {
            assert!(is_documented(column, documented), "{name}.{column} is in no page");
        }
        for column in documented.iter().filter(|column| !column.contains('<')) {
            assert!(written.contains(&column), "{name}.{column} is documented, but not written");
        }
    }
}

#[test]
fn the_pages_have_every_setting() {
    let text = fs::read_to_string(root().join("docs/reference/job.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let analyses = schema["$defs"]["Settings"]["oneOf"].as_array().unwrap();
    assert_eq!(analyses.len(), KINDS.len());
    for analysis in analyses {
        let settings = analysis["properties"].as_object().unwrap();
        let kind = settings["kind"]["const"].as_str().unwrap();
        let page = page(kind);
        for key in settings.keys().filter(|key| *key != "kind") {
            assert!(page.contains(&format!("\n| `{key}` |")), "{kind}: no setting '{key}'");
        }
    }
}
