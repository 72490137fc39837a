//! Criteria, groups, windows and ranges of Circe JSON.

use farr_records::ConceptId;

use super::json::Node;
use super::{Context, keys, period};
use crate::Error;
use crate::count::column_of;
use crate::domain::{Adjusts, Asks, Domain, Specification};
use crate::model::{
    Bound, Comparison, ConceptTest, Concepts, Correlated, CountColumn, Criterion, DateAdjustment,
    Demographic, Filter, Group, GroupKind, Moment, Occurrence, OccurrenceKind, PersonConcept,
    Quantity, Test, TextTest, Window,
};

/// A criterion: an object whose one key names the domain.
pub(super) fn criterion(node: Node, context: &Context) -> Result<Criterion, Error> {
    let (name, keys) = node.only_key()?;
    let domains = || Domain::ALL.iter().map(|domain| domain.name().to_owned()).collect();
    node.keys_by(|key| Domain::from_name(key).is_some(), domains)?;
    let Some(domain) = Domain::from_name(name) else {
        return Err(node.unlike("the name of a domain"));
    };
    if keys != 1 {
        return Err(node.unlike("an object with the name of one domain"));
    }
    let specification = domain.specification();
    let node = node.get(specification.name);
    known_keys(node, specification)?;
    let mut criterion = Criterion::all(domain);
    if specification.has_codeset {
        criterion.concept_set = context.concept_set(node.get("CodesetId"))?;
    }
    if let Some((key, _)) = specification.source {
        criterion.source_concept_set = context.concept_set(node.get(key))?;
    }
    if specification.has_first {
        criterion.first = node.get("First").truth()?.unwrap_or(false);
    }
    if specification.has_user_defined_period {
        criterion.user_defined_period = period(node.get("UserDefinedPeriod"))?;
    }
    criterion.date_adjustment = date_adjustment(node.get("DateAdjustment"), specification.adjusts)?;
    for attribute in specification.attributes {
        let (key, asks) = (attribute.key, attribute.asks);
        filters(node, key, asks, context, &mut criterion.filters)?;
    }
    let correlated = node.get("CorrelatedCriteria");
    if !correlated.is_absent() {
        let group = group(correlated, context)?;
        criterion.correlated = (!group.is_empty()).then(|| Box::new(group));
    }
    Ok(criterion)
}

fn known_keys(node: Node, specification: &Specification) -> Result<(), Error> {
    let source = specification.source.map(|(key, _)| key);
    let is_own = |key: &str| match key {
        "CorrelatedCriteria" | "DateAdjustment" => true,
        "CodesetId" => specification.has_codeset,
        "First" => specification.has_first,
        "UserDefinedPeriod" => specification.has_user_defined_period,
        _ => Some(key) == source,
    };
    let is_attribute = |key: &str| {
        specification.attributes.iter().any(|attribute| {
            let Some(rest) = key.strip_prefix(attribute.key) else { return false };
            match attribute.asks {
                Asks::Concepts { exclude, .. } => {
                    rest.is_empty() || rest == "CS" || (exclude && rest == "Exclude")
                }
                _ => rest.is_empty(),
            }
        })
    };
    node.keys_by(|key| is_own(key) || is_attribute(key), || keys::of_domain(specification))
}

/// What one attribute asks, if it is there.
fn filters(
    node: Node,
    key: &'static str,
    asks: Asks,
    context: &Context,
    filters: &mut Vec<Filter>,
) -> Result<(), Error> {
    let value = node.get(key);
    let mut push = |test| filters.push(Filter { attribute: key, test });
    match asks {
        Asks::Concepts { field, exclude } => {
            let listed = concept_ids(value)?;
            if !listed.is_empty() {
                let is_exclusion = exclude && flag(node, key)?;
                let concepts = Concepts::Listed(listed);
                push(Test::Concept(field, ConceptTest { concepts, is_exclusion }));
            }
            if let Some(test) = selection(node, key, context)? {
                push(Test::Concept(field, test));
            }
        }
        Asks::ConceptSet(field) => {
            if let Some(set) = context.concept_set(value)? {
                let concepts = Concepts::Set(set);
                push(Test::Concept(field, ConceptTest { concepts, is_exclusion: false }));
            }
        }
        Asks::IgnoredConceptSet => {
            context.concept_set(value)?;
        }
        Asks::IgnoredDate => {
            if !value.is_absent() {
                date_range(value)?;
            }
        }
        Asks::Abnormal => {
            if value.truth()? == Some(true) {
                push(Test::Abnormal);
            }
        }
        _ if value.is_absent() => {}
        Asks::Date(moment) => push(Test::Date(moment, date_range(value)?)),
        Asks::Whole(Quantity::Column("gap_days")) => {
            // The reference holds gap days against the range of EraLength.
            whole_range(value)?;
            let length = node.get("EraLength");
            let range = whole_range(if length.is_absent() { value } else { length })?;
            push(Test::Whole(Quantity::Column("gap_days"), range));
        }
        Asks::Whole(quantity) => push(Test::Whole(quantity, whole_range(value)?)),
        Asks::Real(quantity) => push(Test::Real(quantity, real_range(value)?)),
        Asks::Text(column) => push(Test::Text(column, text_test(value)?)),
    }
    Ok(())
}

/// The flag `<key>Exclude`, for the keys that have one.
fn flag(node: Node, key: &str) -> Result<bool, Error> {
    const FLAGS: [&str; 9] = [
        "ConditionTypeExclude",
        "DeathTypeExclude",
        "DeviceTypeExclude",
        "DrugTypeExclude",
        "MeasurementTypeExclude",
        "ObservationTypeExclude",
        "ProcedureTypeExclude",
        "SpecimenTypeExclude",
        "VisitTypeExclude",
    ];
    match FLAGS.into_iter().find(|name| name.strip_suffix("Exclude") == Some(key)) {
        Some(name) => Ok(node.get(name).truth()?.unwrap_or(false)),
        None => Ok(false),
    }
}

/// The concept set under `<key>CS`; without an id in it nothing is asked.
fn selection(node: Node, key: &str, context: &Context) -> Result<Option<ConceptTest>, Error> {
    const KEYS: [&str; 26] = [
        "AnatomicSiteCS",
        "ConditionStatusCS",
        "ConditionTypeCS",
        "DeathTypeCS",
        "DeviceTypeCS",
        "DiseaseStatusCS",
        "DoseUnitCS",
        "DrugTypeCS",
        "EthnicityCS",
        "GenderCS",
        "MeasurementTypeCS",
        "ModifierCS",
        "ObservationTypeCS",
        "OperatorCS",
        "PeriodTypeCS",
        "PlaceOfServiceCS",
        "ProcedureTypeCS",
        "ProviderSpecialtyCS",
        "QualifierCS",
        "RaceCS",
        "RouteConceptCS",
        "SpecimenTypeCS",
        "UnitCS",
        "ValueAsConceptCS",
        "VisitDetailTypeCS",
        "VisitTypeCS",
    ];
    let Some(name) = KEYS.into_iter().find(|name| name.strip_suffix("CS") == Some(key)) else {
        return Ok(None);
    };
    let value = node.get(name);
    if value.is_absent() {
        return Ok(None);
    }
    value.keys(keys::SELECTION)?;
    let is_exclusion = value.get("IsExclusion").truth()?.unwrap_or(false);
    let set = context.concept_set(value.get("CodesetId"))?;
    Ok(set.map(|set| ConceptTest { concepts: Concepts::Set(set), is_exclusion }))
}

fn concept_ids(node: Node) -> Result<Vec<ConceptId>, Error> {
    node.list(|concept| {
        concept.keys(keys::CONCEPT)?;
        let id = concept.required("CONCEPT_ID")?;
        id.integer()?.map(ConceptId).ok_or_else(|| id.unlike("a concept id"))
    })
}

fn date_adjustment(node: Node, adjusts: Adjusts) -> Result<Option<DateAdjustment>, Error> {
    if node.is_absent() {
        return Ok(None);
    }
    node.keys(keys::DATE_ADJUSTMENT)?;
    let moment = |key, default| {
        let node = node.get(key);
        match node.text()? {
            None => Ok(default),
            Some("START_DATE") => Ok(Moment::Start),
            Some("END_DATE") => Ok(Moment::End),
            Some(_) => Err(node.unlike("START_DATE or END_DATE")),
        }
    };
    let adjustment = DateAdjustment {
        start_with: moment("StartWith", Moment::Start)?,
        start_offset_days: node.get("StartOffset").days()?.unwrap_or(0),
        end_with: moment("EndWith", Moment::End)?,
        end_offset_days: node.get("EndOffset").days()?.unwrap_or(0),
    };
    Ok(match adjusts {
        Adjusts::Yes => Some(adjustment),
        Adjusts::OffsetsOnly => {
            Some(DateAdjustment { start_with: Moment::Start, end_with: Moment::End, ..adjustment })
        }
        Adjusts::No => None,
    })
}

/// A group of criteria.
pub(super) fn group(node: Node, context: &Context) -> Result<Group, Error> {
    node.keys(keys::GROUP)?;
    let criteria = node.get("CriteriaList").list(|c| correlated(c, context))?;
    let demographics = node.get("DemographicCriteriaList").list(|c| demographic(c, context))?;
    let groups = node.get("Groups").list(|g| group(g, context))?;
    let mut found = Group { kind: GroupKind::All, criteria, demographics, groups };
    // A group that asks for nothing always holds, whatever its count; it may
    // leave its type out.
    let is_empty = found.is_empty();
    let kind = if is_empty { node.get("Type") } else { node.required("Type")? };
    let name = kind.text()?.unwrap_or_default().to_ascii_uppercase();
    if is_empty && ["", "ALL", "ANY", "AT_LEAST", "AT_MOST"].contains(&name.as_str()) {
        return Ok(found);
    }
    let count = || {
        let count = node.required("Count")?;
        count.integer()?.ok_or_else(|| count.unlike("a whole number"))
    };
    found.kind = match name.as_str() {
        "ALL" => GroupKind::All,
        "ANY" => GroupKind::Any,
        "AT_LEAST" => GroupKind::AtLeast(count()?),
        "AT_MOST" => GroupKind::AtMost(count()?),
        _ => return Err(kind.unlike("ALL, ANY, AT_LEAST or AT_MOST")),
    };
    Ok(found)
}

fn correlated(node: Node, context: &Context) -> Result<Correlated, Error> {
    node.keys(keys::CORRELATED)?;
    let criterion = criterion(node.required("Criteria")?, context)?;
    let end = node.get("EndWindow");
    let occurrence = occurrence(node.required("Occurrence")?, criterion.domain)?;
    Ok(Correlated {
        start_window: window(node.required("StartWindow")?, false)?,
        end_window: if end.is_absent() { None } else { Some(window(end, true)?) },
        restrict_visit: node.get("RestrictVisit").truth()?.unwrap_or(false),
        ignore_observation_period: node.get("IgnoreObservationPeriod").truth()?.unwrap_or(false),
        occurrence,
        criterion,
    })
}

fn window(node: Node, event_end_by_default: bool) -> Result<Window, Error> {
    node.keys(keys::WINDOW)?;
    Ok(Window {
        start: bound(node.required("Start")?)?,
        end: bound(node.required("End")?)?,
        use_index_end: node.get("UseIndexEnd").truth()?.unwrap_or(false),
        use_event_end: node.get("UseEventEnd").truth()?.unwrap_or(event_end_by_default),
    })
}

fn bound(node: Node) -> Result<Bound, Error> {
    node.keys(keys::BOUND)?;
    let coefficient = node.get("Coeff").days()?.unwrap_or(0);
    Ok(match node.get("Days").days()? {
        Some(days) => Bound::Days(days.saturating_mul(coefficient)),
        None if coefficient == -1 => Bound::PeriodStart,
        None => Bound::PeriodEnd,
    })
}

fn occurrence(node: Node, domain: Domain) -> Result<Occurrence, Error> {
    node.keys(keys::OCCURRENCE)?;
    let kind = node.get("Type");
    let kind = match kind.integer()?.unwrap_or(0) {
        0 => OccurrenceKind::Exactly,
        1 => OccurrenceKind::AtMost,
        2 => OccurrenceKind::AtLeast,
        _ => return Err(kind.unlike("0 (exactly), 1 (at most) or 2 (at least)")),
    };
    let column = node.get("CountColumn");
    let named = match column.text()? {
        None | Some("") => CountColumn::DomainConcept,
        Some(name) => count_column(name).ok_or_else(|| column.unlike("a column to count"))?,
    };
    let distinct = node.get("IsDistinct").truth()?.unwrap_or(false).then_some(named);
    if let Some(named) = distinct
        && column_of(domain, named).is_none()
    {
        return Err(Error::NoCountColumn {
            path: node.path(),
            domain: domain.name(),
            column: format!("{named:?}"),
        });
    }
    Ok(Occurrence { kind, count: node.get("Count").integer()?.unwrap_or(0), distinct })
}

fn count_column(name: &str) -> Option<CountColumn> {
    Some(match name {
        "DAYS_SUPPLY" => CountColumn::DaysSupply,
        "DOMAIN_CONCEPT" => CountColumn::DomainConcept,
        "DOMAIN_SOURCE_CONCEPT" => CountColumn::DomainSourceConcept,
        "DURATION" => CountColumn::Duration,
        "END_DATE" => CountColumn::EndDate,
        "ERA_OCCURRENCES" => CountColumn::EraOccurrences,
        "GAP_DAYS" => CountColumn::GapDays,
        "QUANTITY" => CountColumn::Quantity,
        "RANGE_HIGH" => CountColumn::RangeHigh,
        "RANGE_LOW" => CountColumn::RangeLow,
        "REFILLS" => CountColumn::Refills,
        "START_DATE" => CountColumn::StartDate,
        "UNIT" => CountColumn::Unit,
        "VALUE_AS_NUMBER" => CountColumn::ValueAsNumber,
        "VISIT_ID" => CountColumn::VisitId,
        "VISIT_DETAIL_ID" => CountColumn::VisitDetailId,
        _ => return None,
    })
}

fn demographic(node: Node, context: &Context) -> Result<Demographic, Error> {
    node.keys(keys::DEMOGRAPHIC)?;
    let optional = |key| Some(node.get(key)).filter(|value: &Node| !value.is_absent());
    let mut concepts = Vec::new();
    for (key, concept) in [
        ("Gender", PersonConcept::Gender),
        ("Race", PersonConcept::Race),
        ("Ethnicity", PersonConcept::Ethnicity),
    ] {
        let listed = concept_ids(node.get(key))?;
        if !listed.is_empty() {
            let test = ConceptTest { concepts: Concepts::Listed(listed), is_exclusion: false };
            concepts.push((concept, test));
        }
        concepts.extend(selection(node, key, context)?.map(|test| (concept, test)));
    }
    Ok(Demographic {
        age: optional("Age").map(|range| whole_range(range)).transpose()?,
        concepts,
        occurrence_start_date: optional("OccurrenceStartDate")
            .map(|range| date_range(range))
            .transpose()?,
        occurrence_end_date: optional("OccurrenceEndDate")
            .map(|range| date_range(range))
            .transpose()?,
    })
}

/// A range of any kind; `read` takes the text or number of `Value` and
/// `Extent`.
fn range<T: Copy>(
    node: Node,
    read: impl Fn(Node) -> Result<Option<T>, Error>,
    expected: &str,
) -> Result<Comparison<T>, Error> {
    node.keys(keys::RANGE)?;
    let operator = node.required("Op")?;
    let bound = |key| {
        let value = node.required(key)?;
        read(value)?.ok_or_else(|| value.unlike(expected))
    };
    let value = bound("Value")?;
    Ok(match operator.text()?.unwrap_or_default() {
        "lt" => Comparison::Less(value),
        "lte" => Comparison::LessOrEqual(value),
        "eq" => Comparison::Equal(value),
        "!eq" => Comparison::NotEqual(value),
        "gt" => Comparison::Greater(value),
        "gte" => Comparison::GreaterOrEqual(value),
        "bt" => Comparison::Between(value, bound("Extent")?),
        "!bt" => Comparison::NotBetween(value, bound("Extent")?),
        _ => return Err(operator.unlike("lt, lte, eq, !eq, gt, gte, bt or !bt")),
    })
}

fn date_range(node: Node) -> Result<Comparison<i32>, Error> {
    range(node, |value| Ok(value.day()?.map(|day| day.0)), "a date like 2010-12-31")
}

/// Whole numbers: fractions are cut off.
fn whole_range(node: Node) -> Result<Comparison<i64>, Error> {
    range(node, |value| value.integer(), "a whole number")
}

/// Numbers rounded to four decimals.
fn real_range(node: Node) -> Result<Comparison<f64>, Error> {
    range(node, |value| Ok(value.number()?.map(four_decimals)), "a number")
}

/// Rounds the shortest decimal that stands for the number to four decimals,
/// halves away from zero.
fn four_decimals(number: f64) -> f64 {
    let text = format!("{}", number.abs());
    let Some((whole, fraction)) = text.split_once('.') else { return number };
    if fraction.len() <= 4 {
        return number;
    }
    let (kept, dropped) = fraction.split_at(4);
    let rounds_up = dropped.as_bytes()[0] >= b'5';
    let Ok(digits) = format!("{whole}{kept}").parse::<u128>() else { return number };
    let digits = digits + u128::from(rounds_up);
    let text = format!("{}.{:04}", digits / 10_000, digits % 10_000);
    text.parse::<f64>().map_or(number, |rounded| rounded.copysign(number))
}

fn text_test(node: Node) -> Result<TextTest, Error> {
    node.keys(keys::TEXT_FILTER)?;
    let operator = node.required("Op")?;
    let name = operator.text()?.unwrap_or_default();
    let text = node.required("Text")?.text()?.unwrap_or_default();
    let (is_negated, name) = match name.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let (prefix, suffix) = match name {
        "startsWith" => ("", "%"),
        "endsWith" => ("%", ""),
        "contains" => ("%", "%"),
        "eq" => ("", ""),
        _ => return Err(operator.unlike("startsWith, endsWith, contains or eq, or ! before it")),
    };
    Ok(TextTest { pattern: format!("{prefix}{}{suffix}", unescaped(text)), is_negated })
}

/// The reference drops backslashes that stand before a quote.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut slashes = 0;
    for character in text.chars() {
        if character == '\\' {
            slashes += 1;
            continue;
        }
        if character != '\'' {
            out.extend(std::iter::repeat_n('\\', slashes));
        }
        slashes = 0;
        out.push(character);
    }
    out.extend(std::iter::repeat_n('\\', slashes));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_four_decimals_by_their_digits() {
        assert_eq!(four_decimals(1.000_05), 1.0001);
        assert_eq!(four_decimals(1.000_049), 1.0);
        assert_eq!(four_decimals(-2.345_65), -2.3457);
        assert_eq!(four_decimals(1e-9), 0.0);
        assert_eq!(four_decimals(12_345.5), 12_345.5);
    }

    #[test]
    fn backslashes_go_before_quotes_only() {
        assert_eq!(unescaped(r"a\b\'c\\'d\"), r"a\b'c'd\");
    }
}
