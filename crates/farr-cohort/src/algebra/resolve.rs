//! From what a job file says to an order of derivations: names become ids,
//! and what stands for nothing, contradicts itself or goes round is refused.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::settings::{CohortReference, Derivation};
use super::words::words;
use super::{Algebra, DerivedCohort};
use crate::Error;

/// A cohort of a job: its id and name, and how it is derived, if it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ToDerive {
    /// Id and name.
    pub name: CohortName,
    /// `None` for a cohort with a definition.
    pub derivation: Option<Derivation<CohortReference>>,
}

/// A cohort's id and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortName {
    /// `cohort_definition_id`.
    pub id: i64,
    /// What people call it.
    pub name: String,
}

impl CohortName {
    fn words(&self) -> String {
        format!("{} '{}'", self.id, self.name)
    }
}

/// The most steps of a chain: as many as a mask of inclusion rules has bits.
const STEPS_MAX: usize = 62;

impl Algebra {
    /// The derived ones of a job's cohorts, ordered. The error comes with the
    /// cohort that it is about.
    ///
    /// # Errors
    /// [`Error::NoSuchCohort`], [`Error::SharedName`], [`Error::Cycle`],
    /// [`Error::Derivation`].
    pub fn new(cohorts: &[ToDerive]) -> Result<Self, (CohortName, Error)> {
        let mut resolved: Vec<Option<Derivation<i64>>> = Vec::new();
        for cohort in cohorts {
            let Some(derivation) = &cohort.derivation else {
                resolved.push(None);
                continue;
            };
            let of_cohort = |error| (cohort.name.clone(), error);
            check(derivation).map_err(of_cohort)?;
            let ids = derivation.try_map(|reference| resolve(reference, &cohort.name, cohorts));
            let ids = ids.map_err(of_cohort)?;
            check_inputs(&ids).map_err(of_cohort)?;
            resolved.push(Some(ids));
        }
        let places: BTreeMap<i64, usize> =
            cohorts.iter().enumerate().map(|(place, cohort)| (cohort.name.id, place)).collect();
        let mut order = Order {
            cohorts,
            resolved: &resolved,
            places,
            done: vec![false; cohorts.len()],
            path: Vec::new(),
            derived: Vec::new(),
        };
        for place in 0..cohorts.len() {
            order.visit(place)?;
        }
        Ok(Self { derived: order.derived })
    }

    /// Hashes of the derived cohorts, which change when their derivation or a
    /// cohort behind it does; `hashes` has those of the others, and gets
    /// theirs. Neither ids nor names matter.
    pub fn add_hashes(&self, hashes: &mut BTreeMap<i64, String>) {
        for derived in &self.derived {
            let input = |id: &i64| Ok::<_, ()>(hashes.get(id).cloned().unwrap_or_default());
            let Ok(content) = derived.derivation.try_map(input) else { continue };
            // Plain values into memory: this cannot fail.
            let text = serde_json::to_string(&content).unwrap_or_default();
            let hash =
                Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
                    use std::fmt::Write as _;
                    let _ = write!(hex, "{byte:02x}");
                    hex
                });
            hashes.insert(derived.id, hash);
        }
    }
}

fn resolve(
    reference: &CohortReference,
    from: &CohortName,
    cohorts: &[ToDerive],
) -> Result<i64, Error> {
    let names = cohorts.iter().map(|cohort| &cohort.name);
    let found: Vec<&CohortName> = match reference {
        CohortReference::Id(id) => names.clone().filter(|name| name.id == *id).collect(),
        CohortReference::Name(text) => names.clone().filter(|name| name.name == *text).collect(),
    };
    match (found.as_slice(), reference) {
        ([one], _) | ([one, ..], CohortReference::Id(_)) => Ok(one.id),
        ([], _) => {
            let suggestion = match reference {
                CohortReference::Id(_) => None,
                CohortReference::Name(text) => nearest(text, names.clone()),
            };
            Err(Error::NoSuchCohort {
                reference: match reference {
                    CohortReference::Id(id) => id.to_string(),
                    CohortReference::Name(text) => format!("'{text}'"),
                },
                suggestion,
                known: names.map(CohortName::words).collect::<Vec<_>>().join(", "),
                needed_by: needed_by(from, cohorts),
            })
        }
        (several, _) => Err(Error::SharedName {
            name: several[0].name.clone(),
            ids: several.iter().map(|one| one.id.to_string()).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a CohortName>) -> Option<String> {
    names
        .map(|known| (strsim::jaro_winkler(given, &known.name), known))
        .filter(|(nearness, _)| *nearness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.name.clone())
}

/// The cohorts that are derived from this one, and those from them, by the
/// first that names each.
fn needed_by(from: &CohortName, cohorts: &[ToDerive]) -> String {
    let names_it = |derivation: &Derivation<CohortReference>, wanted: &CohortName| {
        derivation.inputs().into_iter().any(|reference| match reference {
            CohortReference::Id(id) => *id == wanted.id,
            CohortReference::Name(name) => *name == wanted.name,
        })
    };
    let mut path = vec![from];
    while let Some(last) = path.last().copied() {
        let next = cohorts.iter().find(|cohort| {
            let derivation = cohort.derivation.as_ref();
            derivation.is_some_and(|d| names_it(d, last)) && !path.contains(&&cohort.name)
        });
        let Some(next) = next else { break };
        path.push(&next.name);
    }
    let chain = path.iter().skip(1).map(|name| name.words());
    chain.collect::<Vec<_>>().join(", and from that ")
}

/// What a derivation says by itself.
fn check(derivation: &Derivation<CohortReference>) -> Result<(), Error> {
    let failed = |key, found: String, expected: &str| {
        Err(Error::Derivation { key, found, expected: expected.to_owned() })
    };
    match derivation {
        Derivation::Union(s) if s.cohorts.len() < 2 => {
            failed("cohorts", s.cohorts.len().to_string(), "two cohorts or more")
        }
        Derivation::Intersection(s) if s.cohorts.len() < 2 => {
            failed("cohorts", s.cohorts.len().to_string(), "two cohorts or more")
        }
        Derivation::Minus(s) if s.without.is_empty() => {
            failed("without", "none".to_owned(), "one cohort or more")
        }
        Derivation::Sample(s) => match (s.persons, s.fraction) {
            (Some(0), None) => failed("persons", "0".to_owned(), "1 or more"),
            (Some(_), None) => Ok(()),
            (None, Some(fraction)) if fraction > 0.0 && fraction <= 1.0 => Ok(()),
            (None, Some(fraction)) => {
                failed("fraction", fraction.to_string(), "a share above 0, at most 1")
            }
            (None, None) => failed("persons", "none".to_owned(), "persons or fraction"),
            (Some(_), Some(_)) => {
                failed("fraction", "persons too".to_owned(), "persons or fraction, not both")
            }
        },
        Derivation::Match(s) => {
            if !(1..=100).contains(&s.ratio) {
                return failed("ratio", s.ratio.to_string(), "1 to 100");
            }
            if !s.sex && s.age_years.is_none() && s.index_days.is_none() {
                let expected = "sex = true, age_years or index_days: what is to be alike";
                return failed("sex", "nothing to match by".to_owned(), expected);
            }
            Ok(())
        }
        Derivation::Window(s) => match (s.from, s.to) {
            (None, None) => failed("from", "none".to_owned(), "from, to or both"),
            (Some(from), Some(to)) if from.0 > to.0 => {
                failed("to", to.0.to_string(), &format!("a day not before {}", from.0))
            }
            _ => Ok(()),
        },
        Derivation::Near(s) => {
            use super::settings::WindowDay::Days;
            match s.window {
                [Days(first), Days(last)] if first > last => failed(
                    "window",
                    format!("[{first}, {last}]"),
                    "the first day not after the last",
                ),
                _ => Ok(()),
            }
        }
        Derivation::Entry(s) if s.nth == 0 => {
            failed("nth", "0".to_owned(), "1 for the first, -1 for the last, and so on")
        }
        Derivation::Demographics(s) => match s.age {
            None if s.sex.is_none() => failed("age", "none".to_owned(), "age, sex or both"),
            Some(range) if range.min > range.max && range.max.is_some() => {
                let found = format!("min {}", range.min.unwrap_or_default());
                failed("age", found, "a min not above max")
            }
            _ => Ok(()),
        },
        Derivation::Union(_)
        | Derivation::Intersection(_)
        | Derivation::Minus(_)
        | Derivation::Entry(_) => Ok(()),
    }
}

/// No cohort is named twice by one derivation.
fn check_inputs(derivation: &Derivation<i64>) -> Result<(), Error> {
    let mut ids: Vec<i64> = derivation.inputs().into_iter().copied().collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(Error::Derivation {
            key: "cohorts",
            found: format!("cohort {} twice", pair[0]),
            expected: "different cohorts".to_owned(),
        }),
    }
}

/// Depth first, each cohort after its inputs.
struct Order<'a> {
    cohorts: &'a [ToDerive],
    resolved: &'a [Option<Derivation<i64>>],
    places: BTreeMap<i64, usize>,
    done: Vec<bool>,
    path: Vec<usize>,
    derived: Vec<DerivedCohort>,
}

impl Order<'_> {
    fn visit(&mut self, place: usize) -> Result<(), (CohortName, Error)> {
        let name = &self.cohorts[place].name;
        let Some(derivation) = &self.resolved[place] else { return Ok(()) };
        if self.done[place] {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|at| *at == place) {
            let round = self.path[start..].iter().chain([&place]);
            let chain = round.map(|at| self.cohorts[*at].name.words()).collect::<Vec<_>>();
            return Err((name.clone(), Error::Cycle { chain: chain.join(" from ") }));
        }
        self.path.push(place);
        for input in derivation.inputs() {
            if let Some(input) = self.places.get(input).copied() {
                self.visit(input)?;
            }
        }
        self.path.pop();
        self.done[place] = true;
        let derived = self.derived(name, derivation);
        if derived.steps.len() > STEPS_MAX {
            let found = format!("{} steps from {}", derived.steps.len(), derived.base);
            let expected = format!("at most {STEPS_MAX} one after the other");
            return Err((name.clone(), Error::Derivation { key: "derive", found, expected }));
        }
        self.derived.push(derived);
        Ok(())
    }

    fn derived(&self, name: &CohortName, derivation: &Derivation<i64>) -> DerivedCohort {
        let words_of = |id: &i64| match self.places.get(id) {
            Some(place) => self.cohorts[*place].name.words(),
            None => id.to_string(),
        };
        let words = words(derivation, &words_of);
        let mut derived = DerivedCohort {
            id: name.id,
            name: name.name.clone(),
            derivation: derivation.clone(),
            chain: Vec::new(),
            steps: Vec::new(),
            base: words.clone(),
        };
        let main = match derivation {
            Derivation::Union(_) => None,
            _ => derivation.inputs().first().map(|id| **id),
        };
        if let Some(main) = main {
            if let Some(earlier) = self.derived.iter().find(|earlier| earlier.id == main) {
                derived.chain.clone_from(&earlier.chain);
                derived.steps.clone_from(&earlier.steps);
                derived.base.clone_from(&earlier.base);
            } else {
                derived.chain.push(main);
                derived.base = format!("in {}", words_of(&main));
            }
            derived.steps.push(words);
        }
        derived.chain.push(name.id);
        derived
    }
}
