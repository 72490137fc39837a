//! Finds mistakes in a definition: what cannot be run, what cannot hold, and
//! what probably was meant otherwise.
//!
//! The checks are those of OHDSI's `circe-be` (`org.ohdsi.circe.check`), with
//! its severities, and some of our own. They look at a *draft* of the
//! definition: as it was written, mistakes included, read leniently, so that
//! one mistake does not hide the next. Whatever the strict reader refuses is a
//! critical finding, always: a definition without one can be run.

mod compiled;
mod criteria;
mod draft;
mod exit;
mod read;
mod rules;
mod sets;
mod values;
mod windows;

use std::fmt;

use serde::Serialize;

use crate::{Error, parse_circe, parse_short};
use draft::{Draft, Parts};

/// How bad a finding is, as in the field; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look; most definitions have some.
    Info,
    /// Probably a mistake: the definition runs, but may not do what was meant.
    Warning,
    /// A mistake: the definition cannot be run, or a part of it means nothing.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// Something that was found in a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which check found it.
    pub check: Check,
    /// Where: a JSON path, or in the short form a key.
    pub path: String,
    /// What is wrong, and how to mend it.
    pub message: String,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident: $name:literal, $severity:ident, $reference:expr;)*) => {
        /// A check, by what it finds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $($(#[$doc])* $variant,)*
        }

        impl Check {
            /// Every check, in the order in which they are made.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad what it finds usually is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// The class of `circe-be` that checks the same; `None` for ours.
            pub fn reference(self) -> Option<&'static str> {
                match self { $(Self::$variant => $reference,)* }
            }
        }
    };
}

checks! {
    /// What cannot be read: no JSON, an unknown key, a value of another type,
    /// a part that must be there, a concept set that is named and missing.
    Malformed: "malformed", Critical, None;
    /// No entry event.
    NoInitialEvent: "no-initial-event", Critical, Some("InitialEventCheck");
    /// A concept set that holds nothing.
    EmptyConceptSet: "empty-concept-set", Critical, Some("EmptyConceptSetCheck");
    /// A concept set that no criterion names.
    UnusedConceptSet: "unused-concept-set", Warning, Some("UnusedConceptsCheck");
    /// Two concept sets with the same concepts, or with one id.
    DuplicateConceptSets: "duplicate-concept-sets", Warning, Some("DuplicatesConceptSetCheck");
    /// A criterion that takes any concept.
    NoConceptSet: "no-concept-set", Warning, Some("ConceptSetCriteriaCheck");
    /// A drug of the entry event that the exit does not follow.
    DrugNotInExit: "drug-not-in-exit", Info, Some("DrugDomainCheck");
    /// A range without a value, from more to less, or of what is no date.
    Range: "range", Critical, Some("RangeCheck");
    /// A list of concepts without a concept.
    EmptyConcepts: "empty-concepts", Critical, Some("ConceptCheck");
    /// A concept-set selector without a concept set.
    EmptySelection: "empty-selection", Critical, Some("ConceptSetSelectionCheck");
    /// A text filter without a text.
    EmptyText: "empty-text", Warning, Some("TextCheck");
    /// A demographic criterion that asks nothing.
    EmptyDemographic: "empty-demographic", Warning, Some("AttributeCheck");
    /// Demographic criteria of a group that exclude or repeat each other.
    DemographicConflict: "demographic-conflict", Warning, None;
    /// An inclusion rule that asks nothing.
    IncompleteRule: "incomplete-rule", Critical, Some("IncompleteRuleCheck");
    /// A group that holds always or never, whatever the events.
    GroupCount: "group-count", Warning, None;
    /// "At least 0", which always holds.
    AtLeastNone: "at-least-none", Warning, Some("OcurrenceCheck");
    /// Criteria that cannot both hold.
    Contradiction: "contradiction", Warning, Some("CriteriaContradictionsCheck");
    /// Criteria that ask the same.
    DuplicateCriteria: "duplicate-criteria", Warning, Some("DuplicatesCriteriaCheck");
    /// A window that contains no day.
    ImpossibleWindow: "impossible-window", Critical, None;
    /// A window longer than the observation that is asked for.
    WindowBeyondObservation: "window-beyond-observation", Info, Some("TimeWindowCheck");
    /// A window unlike the others.
    WindowPattern: "window-pattern", Info, Some("TimePatternCheck");
    /// A death before the index event.
    DeathBeforeIndex: "death-before-index", Warning, Some("DeathTimeWindowCheck");
    /// A drug era without a window.
    DrugEra: "drug-era", Info, Some("DrugEraCheck");
    /// A window for events that need not be a person's first.
    NotFirstInHistory: "not-first-in-history", Info, Some("FirstTimeInHistoryCheck");
    /// A domain whose types of record are not told apart.
    RecordType: "record-type", Info, Some("DomainTypeCheck");
    /// A limit that keeps more events than the one before it lets through.
    LimitProgression: "limit-progression", Warning, Some("EventsProgressionCheck");
    /// All events enter, and none ends.
    NoExit: "no-exit", Warning, Some("NoExitCriteriaCheck");
    /// An exit by drug era without drugs.
    ExitDrugs: "exit-drugs", Critical, Some("ExitCriteriaCheck");
    /// An exit on the day of entry.
    ExitOffset: "exit-offset", Warning, Some("ExitCriteriaDaysOffsetCheck");
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Check {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What is found, in the order of the checks.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding with the check's usual severity.
    fn add(&mut self, check: Check, path: &str, message: String) {
        self.add_as(check, check.severity(), path, message);
    }

    fn add_as(&mut self, check: Check, severity: Severity, path: &str, message: String) {
        self.0.push(Finding { severity, check, path: path.to_owned(), message });
    }

    fn has_critical_at(&self, path: &str) -> bool {
        let is_critical = |finding: &Finding| finding.severity == Severity::Critical;
        self.0.iter().any(|finding| is_critical(finding) && finding.path == path)
    }
}

/// Checks a definition of Circe JSON, plain or in ATLAS's wrapper. What is
/// found, the worst first, then in the order of the checks.
pub fn check_circe(text: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    if let Some(draft) = read::draft(text, &mut findings) {
        check(&draft, &mut findings);
    }
    if let Err(error) = parse_circe(0, text) {
        refused(&error, "$", &mut findings);
    }
    sorted(findings)
}

/// Checks a definition of the short form; it is compiled, then checked as any
/// other. What is found, the worst first, then in the order of the checks.
pub fn check_short(text: &str) -> Vec<Finding> {
    let mut findings = Findings::default();
    match parse_short(0, text) {
        Ok(definition) => check(&compiled::draft(&definition.expression), &mut findings),
        Err(error) => refused(&error, "file", &mut findings),
    }
    sorted(findings)
}

/// What the strict reader refuses is critical, if it was not found so already.
fn refused(error: &Error, whole: &str, findings: &mut Findings) {
    let path = error.path().unwrap_or(whole);
    let is_told = match error {
        // The draft's reader names the key itself.
        Error::MissingKey { path, key } => {
            findings.has_critical_at(&format!("{path}.{key}")) || findings.has_critical_at(path)
        }
        Error::UnknownKey { path, key, .. } => findings.has_critical_at(&format!("{path}.{key}")),
        _ => findings.has_critical_at(path),
    };
    if !is_told {
        let message = error.to_string();
        let message = message.strip_prefix(&format!("{path}: ")).unwrap_or(&message);
        findings.add(Check::Malformed, path, message.to_owned());
    }
}

fn sorted(findings: Findings) -> Vec<Finding> {
    let mut findings = findings.0;
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.check));
    findings
}

fn check(draft: &Draft, findings: &mut Findings) {
    let parts = Parts::of(draft);
    exit::check(draft, findings);
    sets::check(draft, &parts, findings);
    values::check(draft, &parts, findings);
    rules::check(draft, &parts, findings);
    windows::check(draft, &parts, findings);
    criteria::check(draft, &parts, findings);
}
