//! The short form: a TOML file for the common cohort, compiled to the same
//! tree as Circe.

use farr_records::{ConceptId, ConceptReference, ConceptSetExpression, ConceptSetItem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::domain::Domain;
use crate::model::{
    Bound, Comparison, ConceptSet, ConceptSetId, ConceptTest, Concepts, Correlated, Criterion,
    Definition, Demographic, EndStrategy, Expression, Filter, Group, GroupKind, InclusionRule,
    Limit, Moment, Occurrence, OccurrenceKind, Period, PersonConcept, PrimaryCriteria, Quantity,
    Test, Window,
};

/// A cohort in the short form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShortForm {
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// What it explains of itself.
    #[serde(default)]
    pub description: Option<String>,
    /// Which events enter.
    pub entry: Entry,
    /// What an entry event must meet, rule by rule.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// When persons leave.
    #[serde(default)]
    pub exit: Exit,
}

/// `[entry]`: the entry events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the events are.
    pub domain: ShortDomain,
    /// Codes like `"SNOMED:44054006"`.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Concept ids.
    #[serde(default)]
    pub concepts: Vec<i64>,
    /// Whether descendants of the codes and concepts count too.
    #[serde(default = "yes")]
    pub descendants: bool,
    /// Codes taken out, with their descendants if those count.
    #[serde(default)]
    pub except_codes: Vec<String>,
    /// Concept ids taken out, with their descendants if those count.
    #[serde(default)]
    pub except_concepts: Vec<i64>,
    /// Which of a person's events enter, of those with enough observation.
    #[serde(default)]
    pub limit: ShortLimit,
    /// Whether only the first event of a person's whole history may enter.
    #[serde(default)]
    pub first_ever: bool,
    /// Days under observation asked for before the event.
    #[serde(default)]
    pub prior_observation_days: u32,
    /// Days under observation asked for after the event.
    #[serde(default)]
    pub post_observation_days: u32,
    /// Age at the event, in years.
    #[serde(default)]
    pub age: Option<Range>,
    /// The person's sex.
    #[serde(default)]
    pub sex: Option<Sex>,
    /// The value of a measurement or observation.
    #[serde(default)]
    pub value: Option<Range>,
}

/// `[[rule]]`: events in a window around the entry event, or age and sex, or
/// both; all that is asked must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// What the events are; without it only age and sex are asked.
    #[serde(default)]
    pub domain: Option<ShortDomain>,
    /// Codes like `"SNOMED:44054006"`.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Concept ids.
    #[serde(default)]
    pub concepts: Vec<i64>,
    /// Whether descendants of the codes and concepts count too.
    #[serde(default = "yes")]
    pub descendants: bool,
    /// Codes taken out, with their descendants if those count.
    #[serde(default)]
    pub except_codes: Vec<String>,
    /// Concept ids taken out, with their descendants if those count.
    #[serde(default)]
    pub except_concepts: Vec<i64>,
    /// First and last day, counted from entry, within the same observation
    /// period; `"any"` is that period's start or end.
    #[serde(default = "whole_period")]
    pub window: [WindowEnd; 2],
    /// Fewest events; 1 if neither `min` nor `max` is given.
    #[serde(default)]
    pub min: Option<u32>,
    /// Most events.
    #[serde(default)]
    pub max: Option<u32>,
    /// The value of a measurement or observation.
    #[serde(default)]
    pub value: Option<Range>,
    /// Age at entry, in years.
    #[serde(default)]
    pub age: Option<Range>,
    /// The person's sex.
    #[serde(default)]
    pub sex: Option<Sex>,
}

/// `[exit]`: when persons leave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// So many days after the event, within observation; without it at the
    /// end of observation.
    #[serde(default)]
    pub after_days: Option<u32>,
    /// From which of the event's dates these days count.
    #[serde(default)]
    pub from: ExitFrom,
    /// Days between rows that are merged.
    #[serde(default)]
    pub era_gap_days: u32,
}

/// From which date the days to the exit count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitFrom {
    /// The event's start.
    #[default]
    Start,
    /// The event's end.
    End,
}

/// What events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShortDomain {
    /// Diagnoses.
    Condition,
    /// Condition eras.
    ConditionEra,
    /// Drugs.
    Drug,
    /// Drug eras.
    DrugEra,
    /// Dose eras.
    DoseEra,
    /// Procedures.
    Procedure,
    /// Measurements.
    Measurement,
    /// Observations.
    Observation,
    /// Devices.
    Device,
    /// Specimens.
    Specimen,
    /// Visits.
    Visit,
    /// Parts of visits.
    VisitDetail,
    /// Deaths.
    Death,
    /// Observation periods.
    ObservationPeriod,
}

impl ShortDomain {
    fn domain(self) -> Domain {
        match self {
            Self::Condition => Domain::ConditionOccurrence,
            Self::ConditionEra => Domain::ConditionEra,
            Self::Drug => Domain::DrugExposure,
            Self::DrugEra => Domain::DrugEra,
            Self::DoseEra => Domain::DoseEra,
            Self::Procedure => Domain::ProcedureOccurrence,
            Self::Measurement => Domain::Measurement,
            Self::Observation => Domain::Observation,
            Self::Device => Domain::DeviceExposure,
            Self::Specimen => Domain::Specimen,
            Self::Visit => Domain::VisitOccurrence,
            Self::VisitDetail => Domain::VisitDetail,
            Self::Death => Domain::Death,
            Self::ObservationPeriod => Domain::ObservationPeriod,
        }
    }

    /// Whether it makes sense without concepts.
    fn may_be_any(self) -> bool {
        matches!(self, Self::Death | Self::ObservationPeriod | Self::Visit)
    }
}

/// Which of a person's events enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShortLimit {
    /// The earliest.
    #[default]
    First,
    /// The latest.
    Last,
    /// Every one.
    All,
}

/// A person's sex, as OMOP's standard concepts have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// Concept 8532.
    Female,
    /// Concept 8507.
    Male,
}

impl Sex {
    /// Its standard concept.
    pub(crate) fn concept(self) -> ConceptId {
        match self {
            Self::Female => ConceptId(8532),
            Self::Male => ConceptId(8507),
        }
    }
}

/// From and to, both included; either may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lowest.
    #[serde(default)]
    pub min: Option<f64>,
    /// The highest.
    #[serde(default)]
    pub max: Option<f64>,
}

/// One end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WindowEnd {
    /// Days from entry; negative ones are before.
    Days(i32),
    /// `"any"`.
    Open(OpenEnd),
}

/// An end that is not bounded in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpenEnd {
    /// As far as the observation period reaches.
    Any,
}

fn yes() -> bool {
    true
}

fn whole_period() -> [WindowEnd; 2] {
    [WindowEnd::Open(OpenEnd::Any); 2]
}

/// Reads a definition of the short form. Its name is the file's, else
/// `cohort <id>`.
///
/// # Errors
/// [`Error::Toml`] with line and key, and the near miss of a key that the form
/// does not have; [`Error::Value`] and [`Error::MissingKey`] for what does not
/// fit together.
pub fn parse_short(id: i64, text: &str) -> Result<Definition, Error> {
    let form: ShortForm = toml::from_str(text).map_err(|error| {
        let hint = near_miss(error.message());
        let hint = hint.map_or_else(String::new, |name| format!("\ndid you mean '{name}'?"));
        Error::Toml { message: format!("{}{hint}", error.to_string().trim_end()) }
    })?;
    form.definition(id)
}

/// The known name nearest to the one that serde did not know.
fn near_miss(message: &str) -> Option<String> {
    let rest = message.split_once("unknown ")?.1;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let given = quoted.next()?;
    let nearest = quoted.min_by_key(|known| strsim::damerau_levenshtein(given, known))?;
    (strsim::damerau_levenshtein(given, nearest) <= 3).then(|| nearest.to_owned())
}

/// Events as entry and rules name them.
struct Events<'a> {
    path: String,
    domain: ShortDomain,
    codes: &'a [String],
    concepts: &'a [i64],
    descendants: bool,
    except_codes: &'a [String],
    except_concepts: &'a [i64],
    value: Option<Range>,
}

impl ShortForm {
    /// The definition that it stands for.
    ///
    /// # Errors
    /// [`Error::Value`] and [`Error::MissingKey`] for what does not fit.
    pub fn definition(&self, id: i64) -> Result<Definition, Error> {
        let mut sets = Vec::new();
        let entry = &self.entry;
        let mut criterion = criterion(
            &Events {
                path: "entry".to_owned(),
                domain: entry.domain,
                codes: &entry.codes,
                concepts: &entry.concepts,
                descendants: entry.descendants,
                except_codes: &entry.except_codes,
                except_concepts: &entry.except_concepts,
                value: entry.value,
            },
            &mut sets,
        )?;
        criterion.first = entry.first_ever && criterion.domain.specification().has_first;
        let mut rules = Vec::with_capacity(self.rule.len());
        for (place, rule) in self.rule.iter().enumerate() {
            rules.push(inclusion_rule(rule, place, &mut sets)?);
        }
        let demographics = demographic("entry", entry.age, entry.sex)?;
        let additional = demographics.map(|demographic| Group {
            kind: GroupKind::All,
            criteria: Vec::new(),
            demographics: vec![demographic],
            groups: Vec::new(),
        });
        let limit = match entry.limit {
            ShortLimit::First => Limit::First,
            ShortLimit::Last => Limit::Last,
            ShortLimit::All => Limit::All,
        };
        let expression = Expression {
            concept_sets: sets,
            primary: PrimaryCriteria {
                criteria: vec![criterion],
                prior_days: days("entry.prior_observation_days", entry.prior_observation_days)?,
                post_days: days("entry.post_observation_days", entry.post_observation_days)?,
                // Age and sex are asked first, then events are picked.
                limit: if additional.is_some() { Limit::All } else { limit },
            },
            qualified_limit: limit,
            additional,
            expression_limit: Limit::All,
            inclusion_rules: rules,
            end_strategy: self.exit.strategy()?,
            censoring: Vec::new(),
            censor_window: Period::default(),
            era_pad_days: days("exit.era_gap_days", self.exit.era_gap_days)?,
        };
        let name = self.name.clone().unwrap_or_else(|| format!("cohort {id}"));
        Ok(Definition { id, name, expression })
    }
}

impl Rule {
    /// Whether it has a key that only makes sense with a domain.
    fn asks_for_events(&self) -> bool {
        let lists = [&self.codes, &self.except_codes].iter().any(|list| !list.is_empty())
            || [&self.concepts, &self.except_concepts].iter().any(|list| !list.is_empty());
        let counts = self.min.is_some() || self.max.is_some();
        lists || counts || self.value.is_some() || self.window != whole_period()
    }
}

impl Exit {
    fn strategy(&self) -> Result<EndStrategy, Error> {
        let Some(after) = self.after_days else {
            if self.from != ExitFrom::Start {
                return Err(Error::MissingKey { path: "exit".to_owned(), key: "after_days" });
            }
            return Ok(EndStrategy::Observation);
        };
        Ok(EndStrategy::DateOffset {
            from: match self.from {
                ExitFrom::Start => Moment::Start,
                ExitFrom::End => Moment::End,
            },
            offset_days: days("exit.after_days", after)?,
        })
    }
}

/// So many days, at most a million.
fn days(path: &str, days: u32) -> Result<i32, Error> {
    match i32::try_from(days) {
        Ok(days) if days <= 1_000_000 => Ok(days),
        _ => Err(Error::Value {
            path: path.to_owned(),
            found: days.to_string(),
            expected: "at most a million days".to_owned(),
        }),
    }
}

fn criterion(events: &Events, sets: &mut Vec<ConceptSet>) -> Result<Criterion, Error> {
    let domain = events.domain.domain();
    let specification = domain.specification();
    let mut criterion = Criterion::all(domain);
    let has_concepts = !events.codes.is_empty() || !events.concepts.is_empty();
    if has_concepts && !specification.has_codeset {
        return Err(Error::Value {
            path: events.path.clone(),
            found: "codes or concepts".to_owned(),
            expected: format!("none, since {domain} has no concepts"),
        });
    }
    let has_exceptions = !events.except_codes.is_empty() || !events.except_concepts.is_empty();
    if has_exceptions && !has_concepts {
        return Err(Error::MissingKey { path: events.path.clone(), key: "codes" });
    }
    if has_concepts {
        criterion.concept_set = Some(concept_set(events, sets)?);
    } else if !events.domain.may_be_any() {
        return Err(Error::MissingKey { path: events.path.clone(), key: "codes" });
    }
    if let Some(range) = events.value {
        if !matches!(domain, Domain::Measurement | Domain::Observation) {
            return Err(Error::Value {
                path: format!("{}.value", events.path),
                found: format!("a range for {domain}"),
                expected: "one for measurements or observations only".to_owned(),
            });
        }
        let quantity = Quantity::Column("value_as_number");
        let path = format!("{}.value", events.path);
        let range = comparison(&path, range, |number| number)?;
        let test = Test::Real(quantity, range);
        criterion.filters.push(Filter { attribute: "ValueAsNumber", test });
    }
    Ok(criterion)
}

fn concept_set(events: &Events, sets: &mut Vec<ConceptSet>) -> Result<ConceptSetId, Error> {
    let mut items = Vec::new();
    for (codes, concepts, is_excluded) in [
        (events.codes, events.concepts, false),
        (events.except_codes, events.except_concepts, true),
    ] {
        let listed = concepts.iter().map(|concept| Ok(ConceptReference::id(*concept)));
        let coded = codes.iter().map(|code| reference(&events.path, code));
        for concept in listed.chain(coded) {
            items.push(ConceptSetItem {
                concept: concept?,
                is_excluded,
                include_descendants: events.descendants,
                include_mapped: false,
            });
        }
    }
    let id = ConceptSetId(sets.len() as i64);
    let name = events.path.clone();
    sets.push(ConceptSet { id, name, expression: ConceptSetExpression { items } });
    Ok(id)
}

/// A concept by `vocabulary:code`.
fn reference(path: &str, code: &str) -> Result<ConceptReference, Error> {
    match code.split_once(':') {
        Some((vocabulary, code)) if !vocabulary.is_empty() && !code.is_empty() => {
            let code = Some((vocabulary.to_owned(), code.to_owned()));
            Ok(ConceptReference { concept_id: None, code })
        }
        _ => Err(Error::Value {
            path: format!("{path}.codes"),
            found: format!("'{code}'"),
            expected: "a vocabulary and a code, like 'SNOMED:44054006'".to_owned(),
        }),
    }
}

fn comparison<T>(
    path: &str,
    range: Range,
    value: impl Fn(f64) -> T,
) -> Result<Comparison<T>, Error> {
    match (range.min, range.max) {
        (Some(min), Some(max)) if min <= max => Ok(Comparison::Between(value(min), value(max))),
        (Some(min), None) => Ok(Comparison::GreaterOrEqual(value(min))),
        (None, Some(max)) => Ok(Comparison::LessOrEqual(value(max))),
        (min, max) => Err(Error::Value {
            path: path.to_owned(),
            found: match (min, max) {
                (Some(min), Some(max)) => format!("min {min} and max {max}"),
                _ => "neither min nor max".to_owned(),
            },
            expected: "min, max or both, min not above max".to_owned(),
        }),
    }
}

fn demographic(
    path: &str,
    age: Option<Range>,
    sex: Option<Sex>,
) -> Result<Option<Demographic>, Error> {
    if age.is_none() && sex.is_none() {
        return Ok(None);
    }
    let path = format!("{path}.age");
    let age = age.map(|range| comparison(&path, range, |years| years as i64)).transpose()?;
    let test = |sex: Sex| ConceptTest {
        concepts: Concepts::Listed(vec![sex.concept()]),
        is_exclusion: false,
    };
    let concepts = sex.map(|sex| (PersonConcept::Gender, test(sex))).into_iter().collect();
    Ok(Some(Demographic { age, concepts, ..Demographic::default() }))
}

fn inclusion_rule(
    rule: &Rule,
    place: usize,
    sets: &mut Vec<ConceptSet>,
) -> Result<InclusionRule, Error> {
    let path = format!("rule[{place}] '{}'", rule.name);
    let demographics = demographic(&path, rule.age, rule.sex)?;
    let mut criteria = Vec::new();
    if let Some(domain) = rule.domain {
        let events = Events {
            path: path.clone(),
            domain,
            codes: &rule.codes,
            concepts: &rule.concepts,
            descendants: rule.descendants,
            except_codes: &rule.except_codes,
            except_concepts: &rule.except_concepts,
            value: rule.value,
        };
        let criterion = criterion(&events, sets)?;
        if let (Some(min), Some(max)) = (rule.min, rule.max)
            && min > max
        {
            return Err(Error::Value {
                path,
                found: format!("min {min} and max {max}"),
                expected: "min not above max".to_owned(),
            });
        }
        let least = rule.min.or(if rule.max.is_none() { Some(1) } else { None });
        let counts = [
            least.map(|count| (OccurrenceKind::AtLeast, count)),
            rule.max.map(|count| (OccurrenceKind::AtMost, count)),
        ];
        for (kind, count) in counts.into_iter().flatten() {
            criteria.push(Correlated {
                criterion: criterion.clone(),
                start_window: window(&path, rule.window)?,
                end_window: None,
                restrict_visit: false,
                ignore_observation_period: false,
                occurrence: Occurrence { kind, count: i64::from(count), distinct: None },
            });
        }
    } else if rule.asks_for_events() {
        return Err(Error::MissingKey { path, key: "domain" });
    }
    let demographics: Vec<Demographic> = demographics.into_iter().collect();
    if criteria.is_empty() && demographics.is_empty() {
        return Err(Error::MissingKey { path, key: "domain" });
    }
    Ok(InclusionRule {
        name: rule.name.clone(),
        description: String::new(),
        group: Group { kind: GroupKind::All, criteria, demographics, groups: Vec::new() },
    })
}

fn window(path: &str, ends: [WindowEnd; 2]) -> Result<Window, Error> {
    if let [WindowEnd::Days(first), WindowEnd::Days(last)] = ends
        && first > last
    {
        return Err(Error::Value {
            path: format!("{path}.window"),
            found: format!("[{first}, {last}]"),
            expected: "the first day not after the last".to_owned(),
        });
    }
    let bound = |end, open| match end {
        WindowEnd::Days(days) => Bound::Days(days),
        WindowEnd::Open(OpenEnd::Any) => open,
    };
    Ok(Window {
        start: bound(ends[0], Bound::PeriodStart),
        end: bound(ends[1], Bound::PeriodEnd),
        use_index_end: false,
        use_event_end: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = r#"
        name = "Type 2 diabetes"
        [entry]
        domain = "condition"
        codes = ["SNOMED:44054006"]
        prior_observation_days = 365
        [[rule]]
        name = "adult"
        age = { min = 18 }
        [[rule]]
        name = "no insulin in the year before"
        domain = "drug"
        concepts = [1]
        window = [-365, -1]
        max = 0
        [exit]
        after_days = 90
    "#;

    #[test]
    fn the_form_becomes_a_definition() {
        let definition = parse_short(7, FORM).unwrap();
        let expression = &definition.expression;
        assert_eq!(definition.name, "Type 2 diabetes");
        assert_eq!(expression.primary.prior_days, 365);
        assert_eq!(expression.inclusion_rules.len(), 2);
        let insulin = &expression.inclusion_rules[1].group.criteria[0];
        assert_eq!(insulin.start_window.start, Bound::Days(-365));
        assert_eq!(insulin.occurrence.kind, OccurrenceKind::AtMost);
        assert_eq!(
            expression.end_strategy,
            EndStrategy::DateOffset { from: Moment::Start, offset_days: 90 }
        );
    }

    #[test]
    fn a_count_without_room_is_named() {
        let rule = FORM.replace("max = 0", "min = 3\nmax = 1");
        let error = parse_short(7, &rule).unwrap_err().to_string();
        assert!(error.contains("min 3 and max 1"), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let message =
            |from: &str, to: &str| parse_short(7, &FORM.replace(from, to)).unwrap_err().to_string();
        let near = message("prior_observation_days", "prior_observation_day");
        assert!(near.contains("did you mean 'prior_observation_days'?"), "{near}");
        assert!(message("[-365, -1]", "[-1, -365]").contains("rule[1]"));
        assert!(message("SNOMED:44054006", "44054006").contains("a vocabulary and a code"));
        assert!(message("\"drug\"", "\"drugs\"").contains("did you mean 'drug'?"));
        assert!(message("concepts = [1]", "").contains("no 'codes'"));
    }
}
