//! The draft of a definition of the short form, with paths that are its keys.

use super::draft::{
    Attribute, AttributeValue, Correlated, Criterion, Demographic, Draft, Exit, Group, Item,
    Occurrence, Point, Range, Rule, Set, Window, WindowEnd,
};
use crate::model::{
    self, Bound, Comparison, Concepts, EndStrategy, Expression, Moment, PersonConcept, Test,
};
use farr_records::Day;

/// What the short form compiled to, as a draft.
pub(super) fn draft(expression: &Expression) -> Draft {
    let rules = expression.inclusion_rules.iter().enumerate();
    let rules = rules.map(|(place, rule)| {
        let path = format!("rule[{place}]");
        Rule { group: Some(group(&rule.group, &path)), name: rule.name.clone(), path }
    });
    let primary = &expression.primary;
    Draft {
        sets: expression.concept_sets.iter().map(set).collect(),
        entry: primary.criteria.iter().map(|c| criterion(c, "entry")).collect(),
        entry_path: "entry".to_owned(),
        prior_days: i64::from(primary.prior_days),
        post_days: i64::from(primary.post_days),
        primary_limit: Some(primary.limit),
        additional: expression.additional.as_ref().map(|asked| group(asked, "entry")),
        qualified_limit: Some(expression.qualified_limit),
        // The form has one limit; what is left after it all counts.
        expression_limit: Some(expression.qualified_limit),
        rules: rules.collect(),
        exit: exit(&expression.end_strategy),
        exit_path: "exit".to_owned(),
        censoring: Vec::new(),
        censor_window: None,
    }
}

/// The form names its sets by the part that they stand in.
fn set(set: &model::ConceptSet) -> Set {
    let item = |item: &farr_records::ConceptSetItem| Item {
        concept_id: item.concept.concept_id.map(|concept| concept.0),
        code: item.concept.code.clone(),
        domain: None,
        is_excluded: item.is_excluded,
        include_descendants: item.include_descendants,
        include_mapped: item.include_mapped,
    };
    Set {
        path: set.name.clone(),
        id: Some(set.id.0),
        name: set.name.clone(),
        items: set.expression.items.iter().map(item).collect(),
    }
}

fn exit(strategy: &EndStrategy) -> Exit {
    match *strategy {
        EndStrategy::Observation => Exit::Observation,
        EndStrategy::DateOffset { from, offset_days } => Exit::DateOffset {
            is_from_start: from == Moment::Start,
            offset_days: i64::from(offset_days),
        },
        EndStrategy::CustomEra { drugs, .. } => Exit::CustomEra { drugs: Some(drugs.0) },
    }
}

fn group(group: &model::Group, path: &str) -> Group {
    let inner = |asked: &model::Group| self::group(asked, path);
    Group {
        path: path.to_owned(),
        kind: Some(group.kind),
        criteria: group.criteria.iter().map(|asked| correlated(asked, path)).collect(),
        demographics: group.demographics.iter().map(|asked| demographic(asked, path)).collect(),
        groups: group.groups.iter().map(inner).collect(),
    }
}

fn correlated(correlated: &model::Correlated, path: &str) -> Correlated {
    Correlated {
        path: path.to_owned(),
        criterion: Some(criterion(&correlated.criterion, path)),
        start_window: Some(window(&correlated.start_window, path)),
        end_window: correlated.end_window.as_ref().map(|asked| window(asked, path)),
        occurrence: Some(Occurrence {
            kind: correlated.occurrence.kind,
            count: correlated.occurrence.count,
            is_distinct: correlated.occurrence.distinct.is_some(),
        }),
    }
}

fn window(window: &model::Window, path: &str) -> Window {
    let end = |bound| match bound {
        Bound::Days(days) => {
            let sign = if days < 0 { -1 } else { 1 };
            WindowEnd { days: Some(i64::from(days).abs()), sign }
        }
        Bound::PeriodStart => WindowEnd { days: None, sign: -1 },
        Bound::PeriodEnd => WindowEnd { days: None, sign: 1 },
    };
    Window {
        path: format!("{path}.window"),
        start: Some(end(window.start)),
        end: Some(end(window.end)),
        use_index_end: window.use_index_end,
        use_event_end: window.use_event_end,
    }
}

fn criterion(criterion: &model::Criterion, path: &str) -> Criterion {
    let attribute = |filter: &model::Filter| {
        let value = match &filter.test {
            Test::Date(_, range) => days(range),
            Test::Whole(_, range) => numbers(range, |value| value as f64),
            Test::Real(_, range) => numbers(range, |value| value),
            Test::Concept(_, test) => concepts(test),
            Test::Text(_, test) => AttributeValue::Text(None, Some(test.pattern.clone())),
            Test::Abnormal => AttributeValue::Flag(true),
        };
        let key = filter.attribute.to_owned();
        Attribute { path: path.to_owned(), key, value }
    };
    Criterion {
        path: path.to_owned(),
        domain: criterion.domain,
        concept_set: criterion.concept_set.map(|set| set.0),
        source_concept_set: criterion.source_concept_set.map(|set| set.0),
        first: Some(criterion.first),
        attributes: criterion.filters.iter().map(attribute).collect(),
        period: None,
        correlated: criterion.correlated.as_ref().map(|asked| group(asked, path)),
    }
}

fn demographic(demographic: &model::Demographic, path: &str) -> Demographic {
    let mut attributes = Vec::new();
    let mut push = |key: &str, value| {
        attributes.push(Attribute { path: format!("{path}.{key}"), key: key.to_owned(), value });
    };
    if let Some(age) = &demographic.age {
        push("Age", numbers(age, |value| value as f64));
    }
    for (concept, test) in &demographic.concepts {
        let key = match concept {
            PersonConcept::Gender => "Gender",
            PersonConcept::Race => "Race",
            PersonConcept::Ethnicity => "Ethnicity",
        };
        push(key, concepts(test));
    }
    for (key, range) in [
        ("OccurrenceStartDate", &demographic.occurrence_start_date),
        ("OccurrenceEndDate", &demographic.occurrence_end_date),
    ] {
        if let Some(range) = range {
            push(key, days(range));
        }
    }
    Demographic { path: path.to_owned(), attributes }
}

fn concepts(test: &model::ConceptTest) -> AttributeValue {
    match &test.concepts {
        Concepts::Listed(listed) => {
            AttributeValue::Concepts(listed.iter().map(|concept| concept.0).collect())
        }
        Concepts::Set(set) => AttributeValue::Selection(Some(set.0), test.is_exclusion),
    }
}

fn days(range: &Comparison<i32>) -> AttributeValue {
    points(range, |day| Point::Day(Day(day)))
}

fn numbers<T: Copy>(range: &Comparison<T>, number: impl Fn(T) -> f64) -> AttributeValue {
    points(range, |value| Point::Number(number(value)))
}

fn points<T: Copy>(range: &Comparison<T>, point: impl Fn(T) -> Point) -> AttributeValue {
    let (operator, value, extent) = match *range {
        Comparison::Less(value) => ("lt", value, None),
        Comparison::LessOrEqual(value) => ("lte", value, None),
        Comparison::Equal(value) => ("eq", value, None),
        Comparison::NotEqual(value) => ("!eq", value, None),
        Comparison::Greater(value) => ("gt", value, None),
        Comparison::GreaterOrEqual(value) => ("gte", value, None),
        Comparison::Between(low, high) => ("bt", low, Some(high)),
        Comparison::NotBetween(low, high) => ("!bt", low, Some(high)),
    };
    AttributeValue::Range(Range {
        operator: Some(operator.to_owned()),
        value: Some(point(value)),
        extent: extent.map(point),
    })
}
