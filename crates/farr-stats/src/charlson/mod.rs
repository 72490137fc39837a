//! Charlson's comorbidity index, or any other weighted sum of conditions that
//! are found by prefixes of diagnosis codes.
//!
//! Conditions, prefixes and weights come in as data; [`quan_icd10`] has Quan's
//! ICD-10 lists (2005) with the weights of Charlson (1987) or of Quan (2011).

mod quan;

use std::collections::HashMap;

use thiserror::Error;

pub use quan::{QuanWeights, quan_icd10};

/// The milder and the severer form of a disease, under the names that R's
/// comorbidity and Python's comorbidipy use: diabetes, liver disease, cancer.
pub const HIERARCHY: [(&str, &str); 3] =
    [("diab", "diabwc"), ("mld", "msld"), ("canc", "metacanc")];

/// One condition of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// What it adds to the score.
    pub weight: f64,
    /// Codes that start with one of these mean the condition. Dots and case do
    /// not matter.
    pub prefixes: Vec<String>,
}

/// An index that is ready to score persons.
#[derive(Clone, Debug)]
pub struct ComorbidityIndex {
    names: Vec<String>,
    weights: Vec<f64>,
    /// Pairs of milder and severer condition, as positions.
    hierarchy: Vec<(usize, usize)>,
    by_prefix: HashMap<String, Vec<usize>>,
    longest_prefix: usize,
}

/// One person's score.
#[derive(Clone, Debug, PartialEq)]
pub struct CharlsonScore {
    /// Whether each condition was coded, in the order of the index; a milder
    /// form stays true beside the severer one.
    pub flags: Vec<bool>,
    /// The sum of weights, where the severer form silences the milder one.
    pub score: f64,
    /// The score and one point per full decade past age 40, at most 4.
    pub age_adjusted_score: f64,
    /// `0.983 ^ exp(0.9 age_adjusted_score)` (Charlson 1987).
    pub survival_10_year: f64,
}

/// What is wrong with an index or a person.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum CharlsonError {
    /// An index of nothing.
    #[error("the index has no conditions; give at least one with its prefixes")]
    NoConditions,
    /// A prefix that every code starts with.
    #[error("condition '{condition}' has an empty prefix, which every code would match")]
    EmptyPrefix {
        /// The condition.
        condition: String,
    },
    /// A weight that is no number.
    #[error("condition '{condition}' has no finite weight")]
    Weight {
        /// The condition.
        condition: String,
    },
    /// A hierarchy of conditions that the index does not have.
    #[error("the hierarchy names '{name}', which is no condition of the index")]
    UnknownCondition {
        /// The name.
        name: String,
    },
    /// An age that is none.
    #[error("the age is missing, infinite or negative")]
    Age,
}

impl ComorbidityIndex {
    /// An index of `conditions`; of each pair in `hierarchy` the first is not
    /// counted where the second is found, see [`HIERARCHY`].
    pub fn new(
        conditions: &[Condition],
        hierarchy: &[(&str, &str)],
    ) -> Result<Self, CharlsonError> {
        if conditions.is_empty() {
            return Err(CharlsonError::NoConditions);
        }
        let mut by_prefix: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, condition) in conditions.iter().enumerate() {
            let name = || condition.name.clone();
            if !condition.weight.is_finite() {
                return Err(CharlsonError::Weight { condition: name() });
            }
            for prefix in &condition.prefixes {
                let prefix = plain_code(prefix);
                if prefix.is_empty() {
                    return Err(CharlsonError::EmptyPrefix { condition: name() });
                }
                by_prefix.entry(prefix).or_default().push(position);
            }
        }
        let position = |name: &str| {
            conditions
                .iter()
                .position(|condition| condition.name == name)
                .ok_or_else(|| CharlsonError::UnknownCondition { name: name.to_owned() })
        };
        let hierarchy = hierarchy
            .iter()
            .map(|(milder, severer)| Ok((position(milder)?, position(severer)?)))
            .collect::<Result<_, CharlsonError>>()?;
        Ok(Self {
            names: conditions.iter().map(|condition| condition.name.clone()).collect(),
            weights: conditions.iter().map(|condition| condition.weight).collect(),
            hierarchy,
            longest_prefix: by_prefix.keys().map(String::len).max().unwrap_or(0),
            by_prefix,
        })
    }

    /// The names of the conditions, in the order of [`CharlsonScore::flags`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Scores a person of `age_years` with these diagnosis codes, in any order
    /// and as often as they come. O(length of the longest prefix) a code.
    pub fn score<'a>(
        &self,
        codes: impl IntoIterator<Item = &'a str>,
        age_years: f64,
    ) -> Result<CharlsonScore, CharlsonError> {
        if !(age_years >= 0.0 && age_years.is_finite()) {
            return Err(CharlsonError::Age);
        }
        let mut flags = vec![false; self.names.len()];
        for code in codes {
            let code = plain_code(code);
            for length in 1..=self.longest_prefix.min(code.len()) {
                // A cut inside of a character matches nothing.
                let positions = code.get(..length).and_then(|prefix| self.by_prefix.get(prefix));
                for position in positions.into_iter().flatten() {
                    flags[*position] = true;
                }
            }
        }
        let mut counted = flags.clone();
        for (milder, severer) in &self.hierarchy {
            counted[*milder] &= !flags[*severer];
        }
        let weighed = self.weights.iter().zip(&counted).filter(|(_, counted)| **counted);
        let score: f64 = weighed.map(|(weight, _)| weight).sum();
        let age_adjusted_score = score + ((age_years - 40.0) / 10.0).floor().clamp(0.0, 4.0);
        Ok(CharlsonScore {
            flags,
            score,
            age_adjusted_score,
            survival_10_year: 0.983f64.powf((0.9 * age_adjusted_score).exp()),
        })
    }
}

/// A code without dots and blanks, in capitals.
fn plain_code(code: &str) -> String {
    code.chars()
        .filter(|c| *c != '.' && !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(name: &str, weight: f64, prefixes: &[&str]) -> Condition {
        let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        Condition { name: name.to_owned(), weight, prefixes }
    }

    fn index(hierarchy: &[(&str, &str)]) -> ComorbidityIndex {
        let conditions = [
            condition("ami", 1.0, &["I21", "I25.2"]),
            condition("diab", 1.0, &["E110"]),
            condition("diabwc", 2.0, &["E112"]),
        ];
        ComorbidityIndex::new(&conditions, hierarchy).unwrap()
    }

    #[test]
    fn by_hand() {
        // Infarct 1 and complicated diabetes 2, which silences the plain one;
        // at 62, two decades past 40.
        let person = index(&[("diab", "diabwc")]).score(["i25.2", "E1101", "E112"], 62.0).unwrap();
        assert_eq!(person.flags, [true, true, true]);
        assert_eq!((person.score, person.age_adjusted_score), (3.0, 5.0));
        assert_eq!(person.survival_10_year, 0.983f64.powf(4.5f64.exp()));
        let person = index(&[]).score(["E1101", "E112"], 39.9).unwrap();
        assert_eq!((person.score, person.age_adjusted_score), (3.0, 3.0));
        // A code shorter than the prefix is not the condition.
        let person = index(&[]).score(["I25", "E11", "", "ÄÖ"], 200.0).unwrap();
        assert_eq!((person.score, person.age_adjusted_score), (0.0, 4.0));
    }

    #[test]
    fn bad_input_is_named() {
        assert!(matches!(ComorbidityIndex::new(&[], &[]), Err(CharlsonError::NoConditions)));
        let everything = [condition("all", 1.0, &["."])];
        let error = CharlsonError::EmptyPrefix { condition: "all".to_owned() };
        assert_eq!(ComorbidityIndex::new(&everything, &[]).err(), Some(error));
        let conditions = [condition("ami", f64::NAN, &["I21"])];
        assert!(ComorbidityIndex::new(&conditions, &[]).is_err());
        let conditions = [condition("ami", 1.0, &["I21"])];
        let error = CharlsonError::UnknownCondition { name: "diab".to_owned() };
        assert_eq!(ComorbidityIndex::new(&conditions, &HIERARCHY).err(), Some(error));
        assert_eq!(index(&[]).score([], -1.0), Err(CharlsonError::Age));
    }
}
