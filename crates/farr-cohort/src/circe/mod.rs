//! Circe JSON into the expression tree.
//!
//! Every value is read with its JSON path, every key must be known, null is
//! the same as absent. Text that holds a number or a truth value counts as
//! one, as in the reference. ATLAS's wrapper is taken off.

mod criterion;
mod json;
mod keys;
mod tape;

use farr_records::{ConceptId, ConceptReference, ConceptSetExpression, ConceptSetItem};

use crate::Error;
use crate::model::{
    ConceptSet, ConceptSetId, Definition, EndStrategy, Expression, InclusionRule, Limit, Moment,
    Period, PrimaryCriteria,
};
use criterion::{criterion, group};
use json::Node;
use tape::{Document, Kind};

pub use keys::circe_keys;

/// The keys of ATLAS's wrapper around an expression.
const WRAPPER: [&str; 16] = [
    "id",
    "name",
    "description",
    "expression",
    "expressionType",
    "createdBy",
    "createdDate",
    "modifiedBy",
    "modifiedDate",
    "tags",
    "hasWriteAccess",
    "hasReadAccess",
    "writeAccess",
    "readAccess",
    "groupIds",
    "cohortDefinitionDetails",
];

/// The most inclusion rules whose masks fit a signed 64-bit integer, with the
/// mask of all of them plus one.
const RULES_MAX: usize = 62;

/// What reading a criterion needs to know of its definition.
struct Context {
    concept_sets: Vec<i64>,
}

impl Context {
    /// An id of a concept set that the definition has.
    fn concept_set(&self, node: Node) -> Result<Option<ConceptSetId>, Error> {
        let Some(id) = node.integer()? else { return Ok(None) };
        if self.concept_sets.contains(&id) {
            return Ok(Some(ConceptSetId(id)));
        }
        Err(Error::NoConceptSet { path: node.path(), id })
    }
}

/// Reads a definition of Circe JSON, plain or in ATLAS's wrapper. Its name is
/// the wrapper's or the title, else `cohort <id>`.
///
/// # Errors
/// The first thing that is wrong, with its JSON path.
pub fn parse_circe(id: i64, text: &str) -> Result<Definition, Error> {
    Ok(read(text)?.with_id(id))
}

/// Reads a definition that goes by ATLAS's `id`, or else by the one given;
/// `None` if there is neither.
///
/// # Errors
/// As [`parse_circe`].
pub fn parse_circe_file(id: Option<i64>, text: &str) -> Result<Option<Definition>, Error> {
    let read = read(text)?;
    Ok(read.id.or(id).map(|id| read.with_id(id)))
}

/// A definition, with what its wrapper says of it.
struct Read {
    id: Option<i64>,
    name: Option<String>,
    expression: Expression,
}

impl Read {
    fn with_id(self, id: i64) -> Definition {
        let name = self.name.unwrap_or_else(|| format!("cohort {id}"));
        Definition { id, name, expression: self.expression }
    }
}

fn read(text: &str) -> Result<Read, Error> {
    let document = Document::read(text).map_err(|source| Error::Json { source })?;
    let value = document.root();
    let root = Node::root(value);
    let is_wrapped = value.get("PrimaryCriteria").is_none() && value.get("expression").is_some();
    if !is_wrapped {
        let expression = expression(root)?;
        return Ok(Read { id: None, name: name_of(root, "Title")?, expression });
    }
    root.keys(&WRAPPER)?;
    let id = root.get("id").integer()?;
    let name = name_of(root, "name")?;
    let inner = root.get("expression");
    let expression = match inner.kind() {
        Kind::Text(text) => {
            let document = Document::read(text).map_err(|source| Error::Json { source })?;
            expression(inner.within(document.root()))?
        }
        _ => expression(inner)?,
    };
    Ok(Read { id, name, expression })
}

fn name_of(root: Node, key: &'static str) -> Result<Option<String>, Error> {
    let name = root.get(key).text()?.filter(|name| !name.is_empty());
    Ok(name.map(str::to_owned))
}

fn expression(node: Node) -> Result<Expression, Error> {
    node.keys(keys::EXPRESSION)?;
    let concept_sets = node.get("ConceptSets").list(concept_set)?;
    let context = Context { concept_sets: concept_sets.iter().map(|set| set.id.0).collect() };
    let primary = node.required("PrimaryCriteria")?;
    let additional = node.get("AdditionalCriteria");
    let additional = if additional.is_absent() { None } else { Some(group(additional, &context)?) };
    let rules = node.get("InclusionRules");
    let inclusion_rules = rules.list(|rule| inclusion_rule(rule, &context))?;
    if inclusion_rules.len() > RULES_MAX {
        return Err(Error::TooManyRules { path: rules.path(), found: inclusion_rules.len() });
    }
    Ok(Expression {
        primary: primary_criteria(primary, &context)?,
        additional,
        qualified_limit: limit(node.get("QualifiedLimit"))?,
        expression_limit: limit(node.get("ExpressionLimit"))?,
        inclusion_rules,
        end_strategy: end_strategy(node.get("EndStrategy"), &context)?,
        censoring: node.get("CensoringCriteria").list(|c| criterion(c, &context))?,
        censor_window: period(node.get("CensorWindow"))?,
        era_pad_days: era_pad(node.get("CollapseSettings"))?,
        concept_sets,
    })
}

fn primary_criteria(node: Node, context: &Context) -> Result<PrimaryCriteria, Error> {
    node.keys(keys::PRIMARY_CRITERIA)?;
    let window = node.get("ObservationWindow");
    if !window.is_absent() {
        window.keys(keys::OBSERVATION_WINDOW)?;
    }
    Ok(PrimaryCriteria {
        criteria: node.get("CriteriaList").list(|c| criterion(c, context))?,
        prior_days: window.get("PriorDays").days()?.unwrap_or(0),
        post_days: window.get("PostDays").days()?.unwrap_or(0),
        limit: limit(node.get("PrimaryCriteriaLimit"))?,
    })
}

/// A limit; without one the first counts, with a null type all do.
fn limit(node: Node) -> Result<Limit, Error> {
    if node.is_absent() {
        return Ok(Limit::First);
    }
    node.keys(keys::LIMIT)?;
    let kind = node.get("Type");
    let Some(name) = kind.text()? else {
        return Ok(if kind.is_null() { Limit::All } else { Limit::First });
    };
    match name.to_ascii_uppercase().as_str() {
        "FIRST" => Ok(Limit::First),
        "LAST" => Ok(Limit::Last),
        "ALL" => Ok(Limit::All),
        _ => Err(kind.unlike("First, Last or All")),
    }
}

fn concept_set(node: Node) -> Result<ConceptSet, Error> {
    node.keys(keys::CONCEPT_SET)?;
    let id = node.required("id")?;
    let id = id.integer()?.ok_or_else(|| id.unlike("a whole number"))?;
    let expression = node.get("expression");
    let mut items = Vec::new();
    if !expression.is_absent() {
        expression.keys(keys::CONCEPT_SET_EXPRESSION)?;
        items = expression.get("items").list(concept_set_item)?;
    }
    Ok(ConceptSet {
        id: ConceptSetId(id),
        name: node.get("name").text()?.unwrap_or_default().to_owned(),
        expression: ConceptSetExpression { items },
    })
}

fn concept_set_item(node: Node) -> Result<ConceptSetItem, Error> {
    node.keys(keys::CONCEPT_SET_ITEM)?;
    Ok(ConceptSetItem {
        concept: concept(node.required("concept")?)?,
        is_excluded: node.get("isExcluded").truth()?.unwrap_or(false),
        include_descendants: node.get("includeDescendants").truth()?.unwrap_or(false),
        include_mapped: node.get("includeMapped").truth()?.unwrap_or(false),
    })
}

fn concept(node: Node) -> Result<ConceptReference, Error> {
    node.keys(keys::CONCEPT)?;
    let concept_id = node.get("CONCEPT_ID").integer()?.map(ConceptId);
    let vocabulary = node.get("VOCABULARY_ID").text()?;
    let code = node.get("CONCEPT_CODE").text()?;
    let code = match (vocabulary, code) {
        (Some(vocabulary), Some(code)) if !vocabulary.is_empty() && !code.is_empty() => {
            Some((vocabulary.to_owned(), code.to_owned()))
        }
        _ => None,
    };
    if concept_id.is_none() && code.is_none() {
        return Err(Error::MissingKey { path: node.path(), key: "CONCEPT_ID" });
    }
    Ok(ConceptReference { concept_id, code })
}

fn inclusion_rule(node: Node, context: &Context) -> Result<InclusionRule, Error> {
    node.keys(keys::INCLUSION_RULE)?;
    Ok(InclusionRule {
        name: node.get("name").text()?.unwrap_or_default().to_owned(),
        description: node.get("description").text()?.unwrap_or_default().to_owned(),
        group: group(node.required("expression")?, context)?,
    })
}

fn end_strategy(node: Node, context: &Context) -> Result<EndStrategy, Error> {
    if node.is_absent() {
        return Ok(EndStrategy::Observation);
    }
    node.keys(keys::END_STRATEGY)?;
    let (offset, era) = (node.get("DateOffset"), node.get("CustomEra"));
    match (offset.is_absent(), era.is_absent()) {
        (true, true) => Ok(EndStrategy::Observation),
        (false, false) => Err(node.unlike("one of DateOffset and CustomEra")),
        (false, true) => {
            offset.keys(keys::DATE_OFFSET)?;
            let field = offset.get("DateField");
            let from = match field.text()? {
                None | Some("StartDate") => Moment::Start,
                Some("EndDate") => Moment::End,
                Some(_) => return Err(field.unlike("StartDate or EndDate")),
            };
            let offset_days = offset.get("Offset").days()?.unwrap_or(0);
            Ok(EndStrategy::DateOffset { from, offset_days })
        }
        (true, false) => {
            era.keys(keys::CUSTOM_ERA)?;
            let drugs = era.required("DrugCodesetId")?;
            Ok(EndStrategy::CustomEra {
                drugs: context.concept_set(drugs)?.ok_or_else(|| drugs.unlike("a concept set"))?,
                gap_days: era.get("GapDays").days()?.unwrap_or(0),
                offset_days: era.get("Offset").days()?.unwrap_or(0),
                days_supply_override: era.get("DaysSupplyOverride").days()?,
            })
        }
    }
}

fn period(node: Node) -> Result<Period, Error> {
    if node.is_absent() {
        return Ok(Period::default());
    }
    node.keys(keys::PERIOD)?;
    Ok(Period { start: node.get("StartDate").day()?, end: node.get("EndDate").day()? })
}

fn era_pad(node: Node) -> Result<i32, Error> {
    if node.is_absent() {
        return Ok(0);
    }
    node.keys(keys::COLLAPSE_SETTINGS)?;
    let kind = node.get("CollapseType");
    match kind.text()? {
        None | Some("ERA") => Ok(node.get("EraPad").days()?.unwrap_or(0)),
        Some(_) => Err(kind.unlike("ERA")),
    }
}
