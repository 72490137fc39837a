//! Codes of source vocabularies to standard concepts, by 'Maps to'.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use farr_records::{ConceptId, Intake};
use farr_store::Location;

use crate::share::Division;
use crate::{Error, Format, Share, SourceSettings, SourceSummary};

/// A standard concept that a code maps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The concept.
    pub concept: ConceptId,
    /// Its domain, which chooses the table.
    pub domain: String,
}

/// What a vocabulary says of codes.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    vocabularies: HashMap<String, HashMap<String, ConceptId>>,
    targets: HashMap<ConceptId, Vec<ConceptId>>,
    domains: HashMap<ConceptId, u16>,
    domain_names: Vec<String>,
}

impl Mapping {
    /// The mapping that `concept` and `concept_relationship` rows hold.
    ///
    /// Of several concepts with one code, a valid one counts, then the lowest
    /// id. Of relations only valid 'Maps to' to standard concepts count.
    pub fn new(concept: &[RecordBatch], concept_relationship: &[RecordBatch]) -> Self {
        let mut mapping = Self::default();
        let mut is_valid: HashMap<ConceptId, bool> = HashMap::new();
        for batch in concept {
            mapping.add_concepts(batch, &mut is_valid);
        }
        for batch in concept_relationship {
            mapping.add_relationships(batch);
        }
        for targets in mapping.targets.values_mut() {
            targets.sort_unstable();
            targets.dedup();
        }
        mapping
    }

    /// The code's own concept, if the vocabulary has it.
    pub fn source_concept(&self, vocabulary: &str, code: &str) -> Option<ConceptId> {
        self.vocabularies.get(vocabulary)?.get(code).copied()
    }

    /// The standard concepts that a concept maps to, in order of id.
    pub fn targets(&self, source: ConceptId) -> impl Iterator<Item = Target> + '_ {
        self.targets.get(&source).into_iter().flatten().map(|concept| Target {
            concept: *concept,
            domain: self.domain_of(*concept).to_owned(),
        })
    }

    fn domain_of(&self, concept: ConceptId) -> &str {
        let place = self.domains.get(&concept);
        place.map_or("", |place| self.domain_names[usize::from(*place)].as_str())
    }

    fn add_concepts(&mut self, batch: &RecordBatch, is_valid: &mut HashMap<ConceptId, bool>) {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let ids =
            batch.column_by_name("concept_id").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let (Some(ids), Some(codes), Some(vocabularies)) =
            (ids, text("concept_code"), text("vocabulary_id"))
        else {
            return;
        };
        let (domains, standard) = (text("domain_id"), text("standard_concept"));
        let invalid = text("invalid_reason");
        for row in (0..ids.len()).filter(|row| codes.is_valid(*row) && vocabularies.is_valid(*row))
        {
            let id = ConceptId(ids.value(row));
            let valid = invalid.is_none_or(|reasons| reasons.is_null(row));
            is_valid.insert(id, valid);
            if standard.is_some_and(|s| s.is_valid(row) && s.value(row) == "S") {
                let domain = domains.map_or("", |domains| domains.value(row));
                let place = self.domain_place(domain);
                self.domains.insert(id, place);
            }
            let vocabulary = vocabularies.value(row);
            if !self.vocabularies.contains_key(vocabulary) {
                self.vocabularies.insert(vocabulary.to_owned(), HashMap::new());
            }
            let Some(by_code) = self.vocabularies.get_mut(vocabulary) else { continue };
            let known = by_code.entry(codes.value(row).to_owned()).or_insert(id);
            let known_valid = is_valid.get(known).copied().unwrap_or_default();
            if (valid, known.0) > (known_valid, id.0) {
                *known = id;
            }
        }
    }

    fn domain_place(&mut self, domain: &str) -> u16 {
        let place = self.domain_names.iter().position(|name| name == domain);
        let place = place.unwrap_or_else(|| {
            self.domain_names.push(domain.to_owned());
            self.domain_names.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    fn add_relationships(&mut self, batch: &RecordBatch) {
        let ids = |name| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let (Some(from), Some(to), Some(kinds)) =
            (ids("concept_id_1"), ids("concept_id_2"), text("relationship_id"))
        else {
            return;
        };
        let invalid = text("invalid_reason");
        for row in (0..from.len()).filter(|row| kinds.is_valid(*row)) {
            let target = ConceptId(to.value(row));
            let is_valid = invalid.is_none_or(|reasons| reasons.is_null(row));
            if is_valid && kinds.value(row) == "Maps to" && self.domains.contains_key(&target) {
                self.targets.entry(ConceptId(from.value(row))).or_default().push(target);
            }
        }
    }
}

/// How a vocabulary is read.
pub(crate) fn settings_of_vocabulary() -> SourceSettings {
    SourceSettings::new(Format::Omop, "vocabulary")
}

/// Reads a vocabulary in Athena's layout (`CONCEPT.csv`,
/// `CONCEPT_RELATIONSHIP.csv`, ..., tab-separated, or as CSV or Parquet): its
/// share's rows go to the intake, and all codes can be mapped by what it
/// returns.
///
/// # Errors
/// As [`read`](crate::read); a location without the table `concept` is one.
pub fn read_vocabulary<I>(
    location: &Location,
    share: Share,
    intake: &I,
) -> Result<(Mapping, SourceSummary), Error>
where
    I: Intake,
    I::Error: std::error::Error + Send + Sync + 'static,
{
    let (settings, division) = (settings_of_vocabulary(), Division::of(share));
    let (tables, summary) = crate::omop::read_vocabulary(&settings, location, division, intake)?;
    Ok((Mapping::new(&tables.concept, &tables.concept_relationship), summary))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, values)| (name, values, true)),
        )
        .unwrap()
    }

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn all_valid_standard_targets_are_kept() {
        let concepts = batch(vec![
            ("concept_id", Arc::new(Int64Array::from(vec![9, 3, 1, 2, 4])) as _),
            ("concept_code", texts(&[Some("x"), Some("x"), Some("a"), Some("b"), Some("c")])),
            (
                "vocabulary_id",
                texts(&[Some("ICD10CM"), Some("ICD10CM"), Some("S"), Some("S"), Some("S")]),
            ),
            (
                "domain_id",
                texts(&[
                    Some("Condition"),
                    Some("Condition"),
                    Some("Condition"),
                    Some("Measurement"),
                    Some("Drug"),
                ]),
            ),
            ("standard_concept", texts(&[None, None, Some("S"), Some("S"), None])),
            ("invalid_reason", texts(&[None, Some("D"), None, None, None])),
        ]);
        let relations = batch(vec![
            ("concept_id_1", Arc::new(Int64Array::from(vec![9, 9, 9, 9, 3])) as _),
            ("concept_id_2", Arc::new(Int64Array::from(vec![2, 1, 4, 1, 1])) as _),
            (
                "relationship_id",
                texts(&[
                    Some("Maps to"),
                    Some("Maps to"),
                    Some("Maps to"),
                    Some("Is a"),
                    Some("Maps to"),
                ]),
            ),
            ("invalid_reason", texts(&[None, None, None, None, Some("D")])),
        ]);
        let mapping = Mapping::new(&[concepts], &[relations]);
        let source = mapping.source_concept("ICD10CM", "x").unwrap();
        assert_eq!(source, ConceptId(9));
        let targets: Vec<_> = mapping.targets(source).map(|t| (t.concept.0, t.domain)).collect();
        assert_eq!(targets, [(1, "Condition".to_owned()), (2, "Measurement".to_owned())]);
        assert_eq!(mapping.targets(ConceptId(3)).count(), 0);
        assert_eq!(mapping.source_concept("ICD10CM", "y"), None);
    }
}
