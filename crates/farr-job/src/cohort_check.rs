//! Checks of definitions: files in, findings out, as text or JSON lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use farr_cohort::{Finding, Severity, check_circe, check_short};
use serde_json::json;

use crate::{Error, Failure, counted};

/// Which definitions are checked, and what is told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest {
    /// Definitions, or folders of them: Circe JSON (`.json`) and the short
    /// form (`.toml`), whatever their names.
    pub paths: Vec<PathBuf>,
    /// The least severe findings that are told.
    pub least: Severity,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct CheckOutcome {
    /// Findings by file, the worst first: those that are told.
    findings: BTreeMap<String, Vec<Finding>>,
    /// How many there are of each severity, told or not.
    counts: BTreeMap<Severity, u64>,
}

/// Checks definitions.
///
/// # Errors
/// [`Error::File`] for what cannot be read, and for a folder without
/// definitions. What is wrong inside a definition is a finding.
pub fn check_cohorts(request: &CheckRequest) -> Result<CheckOutcome, Error> {
    let mut outcome = CheckOutcome { findings: BTreeMap::new(), counts: BTreeMap::new() };
    for path in &request.paths {
        for file in definitions(path)? {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file)
                .map_err(|source| Error::File { file: name.clone(), source })?;
            let is_short = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
            let mut findings = if is_short { check_short(&text) } else { check_circe(&text) };
            for finding in &findings {
                *outcome.counts.entry(finding.severity).or_default() += 1;
            }
            findings.retain(|finding| finding.severity >= request.least);
            outcome.findings.insert(name, findings);
        }
    }
    Ok(outcome)
}

/// The file itself, or the definitions of a folder, by name.
fn definitions(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| Error::File { file: path.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let ending = file.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
        if matches!(ending.as_deref(), Some("json" | "toml")) {
            files.push(file);
        }
    }
    if files.is_empty() {
        let reason = "no definitions here; expected .json or .toml files";
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, reason)));
    }
    files.sort();
    Ok(files)
}

impl CheckOutcome {
    /// Whether there is a critical finding.
    pub fn is_critical(&self) -> bool {
        self.count(Severity::Critical) > 0
    }

    /// The exit code: 0, or that of a bad job where something is critical.
    pub fn exit_code(&self) -> u8 {
        if self.is_critical() { Failure::Job.exit_code() } else { 0 }
    }

    fn count(&self, severity: Severity) -> u64 {
        self.counts.get(&severity).copied().unwrap_or_default()
    }

    /// The findings, file by file, for a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (file, findings) in &self.findings {
            if findings.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{file}");
            for finding in findings {
                let _ = writeln!(
                    text,
                    "  {:<8}  {} at {}\n            {}",
                    finding.severity.to_string(),
                    finding.check,
                    finding.path,
                    finding.message.replace('\n', "\n            ")
                );
            }
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "{}: {} critical, {}, {}",
            counted(self.findings.len() as u64, "definition", "definitions"),
            self.count(Severity::Critical),
            counted(self.count(Severity::Warning), "warning", "warnings"),
            counted(self.count(Severity::Info), "note", "notes"),
        );
        text
    }

    /// One JSON object a finding, and a last one that counts them.
    pub fn json_lines(&self) -> String {
        let mut lines = String::new();
        for (file, findings) in &self.findings {
            for finding in findings {
                let line = json!({
                    "file": file,
                    "severity": finding.severity,
                    "check": finding.check,
                    "path": finding.path,
                    "message": finding.message,
                });
                let _ = writeln!(lines, "{line}");
            }
        }
        let last = json!({
            "status": if self.is_critical() { "failed" } else { "done" },
            "definitions": self.findings.len(),
            "critical": self.count(Severity::Critical),
            "warning": self.count(Severity::Warning),
            "info": self.count(Severity::Info),
            "exit_code": self.exit_code(),
        });
        let _ = writeln!(lines, "{last}");
        lines
    }
}
