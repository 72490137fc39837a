//! The manifest of a run's reports: `manifest.json`.

use bytes::Bytes;
use farr_disclosure::{Document, Labelled, Level, Node};
use farr_store::Sha256Hash;
use serde::{Deserialize, Serialize};

use crate::{Error, Metadata};

/// A report file in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportTable {
    /// The table's name.
    pub name: String,
    /// The file, relative to the manifest.
    pub file: String,
    /// Rows of the table.
    pub rows: u64,
    /// The version of the file's layout.
    pub schema_version: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// The hash of the file's bytes.
    pub sha256: Sha256Hash,
}

/// What a manifest says of the reports beside it. Read back by serde, which
/// leaves out the sections that a job adds; written by
/// [`document`](Self::document).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest's layout.
    pub schema_version: u32,
    /// Where the reports came from.
    pub origin: Metadata,
    /// The report files, in the order of the job.
    pub tables: Vec<ReportTable>,
}

impl Manifest {
    /// The manifest as a document, which a job extends by sections of its own
    /// and gives to disclosure control together with the tables.
    pub fn document(&self) -> Document {
        let text = |text: &str| Node::from(text);
        let number = |number: u64| Node::Integer(number as i64);
        let cohorts = self.origin.cohort_hashes.iter();
        let cohorts =
            cohorts.map(|(name, hash)| Node::List(vec![text(name), text(hash)])).collect();
        let origin = Node::map([
            ("job_hash", text(&self.origin.job_hash)),
            ("farr_version", text(&self.origin.farr_version)),
            ("source_snapshot", text(&self.origin.source_snapshot)),
            ("cohort_hashes", Node::List(cohorts)),
        ]);
        let tables = self.tables.iter().map(|table| {
            Node::map([
                ("name", text(&table.name)),
                ("file", text(&table.file)),
                ("rows", number(table.rows)),
                ("schema_version", number(u64::from(table.schema_version))),
                ("bytes", number(table.bytes)),
                ("sha256", text(table.sha256.as_str())),
            ])
        });
        Document::new("manifest.json")
            .with("schema_version", number(u64::from(self.schema_version)))
            .with("origin", origin)
            .with("tables", Node::List(tables.collect()))
    }

    /// Reads a manifest back.
    ///
    /// # Errors
    /// [`Error::Json`], with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let object = "manifest.json".to_owned();
        serde_json::from_slice(bytes).map_err(|source| Error::Json { object, source })
    }
}

/// A document as the bytes of a JSON file, indented, keys in the document's
/// order.
///
/// # Errors
/// [`Error::Json`] for a number that JSON does not have.
pub fn json<L: Level>(document: Labelled<L, Document>) -> Result<Labelled<L, Bytes>, Error> {
    document.try_map(|document| {
        let failed = |source| Error::Json { object: document.name().to_owned(), source };
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(failed)?;
        bytes.push(b'\n');
        Ok(Bytes::from(bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use farr_disclosure::{Policy, release_run};

    fn manifest() -> Manifest {
        Manifest {
            schema_version: 1,
            origin: Metadata {
                job_hash: "aa".to_owned(),
                farr_version: "0.1.0".to_owned(),
                source_snapshot: "bb".to_owned(),
                cohort_hashes: vec![("diabetes".to_owned(), "cc".to_owned())],
            },
            tables: vec![ReportTable {
                name: "incidence".to_owned(),
                file: "incidence.parquet".to_owned(),
                rows: 3,
                schema_version: 1,
                bytes: 100,
                sha256: Sha256Hash::of(b"x"),
            }],
        }
    }

    #[test]
    fn a_manifest_comes_back_without_the_jobs_sections() {
        let document = manifest().document().with("rejects", Node::count(2));
        let exact = json(Labelled::aggregate(document.clone())).unwrap().into_inner();
        assert_eq!(Manifest::parse(&exact).unwrap(), manifest());
        assert!(String::from_utf8_lossy(&exact).contains("\"rejects\": 2"));
        let documents = vec![Labelled::aggregate(document)];
        let mut run = release_run(Vec::new(), documents, &Policy::default()).unwrap();
        let open = json(run.documents.remove(0)).unwrap().into_inner();
        assert!(String::from_utf8_lossy(&open).contains("\"rejects\": null"));
        assert_eq!(Manifest::parse(&open).unwrap(), manifest());
    }

    #[test]
    fn the_document_has_the_keys_of_the_type() {
        let written = serde_json::to_string(&manifest().document()).unwrap();
        assert_eq!(written, serde_json::to_string(&manifest()).unwrap());
    }
}
