//! Circe JSON into a draft. What cannot be read is a finding, and reading goes
//! on behind it.

use farr_records::Day;
use serde_json::{Map, Value};

use super::draft::{
    Attribute, AttributeValue, Correlated, Criterion, Demographic, Draft, Exit, Group, Item,
    Occurrence, Period, Point, Range, Rule, Set, Window, WindowEnd,
};
use super::{Check, Findings};
use crate::domain::{Asks, Domain, Specification};
use crate::model::{GroupKind, Limit, OccurrenceKind, Quantity};

/// The draft of a text; `None` if the text holds none.
pub(super) fn draft(text: &str, findings: &mut Findings) -> Option<Draft> {
    let mut reader = Reader { findings, sets: Vec::new() };
    let value = reader.json(text, "$")?;
    let is_wrapped = value.get("PrimaryCriteria").is_none() && value.get("expression").is_some();
    if !is_wrapped {
        return reader.draft(&Place { value: &value, path: "$".to_owned() });
    }
    let path = "$.expression".to_owned();
    match value.get("expression") {
        Some(Value::String(inner)) => {
            let inner = reader.json(inner, &path)?;
            reader.draft(&Place { value: &inner, path })
        }
        Some(inner) => reader.draft(&Place { value: inner, path }),
        None => None,
    }
}

/// A value that is there, and where.
struct Place<'a> {
    value: &'a Value,
    path: String,
}

/// An object whose keys have been looked at.
struct Object<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    /// The value of a key; null is none.
    fn get(&self, key: &str) -> Option<Place<'a>> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        Some(Place { value, path: self.path_of(key) })
    }

    fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }
}

struct Reader<'f> {
    findings: &'f mut Findings,
    /// The ids that may be named.
    sets: Vec<i64>,
}

impl Reader<'_> {
    fn json(&mut self, text: &str, path: &str) -> Option<Value> {
        serde_json::from_str(text)
            .map_err(|error| self.malformed(path, format!("this is no JSON: {error}")))
            .ok()
    }

    fn malformed(&mut self, path: &str, message: String) {
        self.findings.add(Check::Malformed, path, message);
    }

    fn unlike(&mut self, place: &Place, expected: &str) {
        let found = match place.value {
            Value::Null => "nothing".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            other => other.to_string(),
        };
        self.malformed(&place.path, format!("found {found}, expected {expected}"));
    }

    /// An object and its keys; those that are not known are findings.
    fn object<'a>(
        &mut self,
        place: &Place<'a>,
        is_known: impl Fn(&str) -> bool,
    ) -> Option<Object<'a>> {
        let Value::Object(map) = place.value else {
            self.unlike(place, "an object");
            return None;
        };
        for key in map.keys().filter(|key| !is_known(key)) {
            let path = format!("{}.{key}", place.path);
            let message = format!(
                "Circe has no key '{key}' here, and `farr cohort run` would not guess what it \
                 means; take it out, or mend its name"
            );
            self.malformed(&path, message);
        }
        Some(Object { map, path: place.path.clone() })
    }

    fn listed<'a>(&mut self, place: &Place<'a>, known: &[&str]) -> Option<Object<'a>> {
        self.object(place, |key| known.contains(&key))
    }

    /// The elements of a list; none if the key is absent.
    fn list<'a>(&mut self, object: &Object<'a>, key: &str) -> Vec<Place<'a>> {
        let Some(place) = object.get(key) else { return Vec::new() };
        let Value::Array(values) = place.value else {
            self.unlike(&place, "a list");
            return Vec::new();
        };
        let at = |(i, value)| Place { value, path: format!("{}[{i}]", place.path) };
        values.iter().enumerate().map(at).collect()
    }

    fn text(&mut self, object: &Object, key: &str) -> Option<String> {
        let place = object.get(key)?;
        let text = place.value.as_str().map(str::to_owned);
        if text.is_none() {
            self.unlike(&place, "text");
        }
        text
    }

    fn truth(&mut self, object: &Object, key: &str) -> Option<bool> {
        let place = object.get(key)?;
        match place.value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) if text.is_empty() => None,
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.unlike(&place, "true or false");
                None
            }
        }
    }

    fn number_at(&mut self, place: &Place) -> Option<f64> {
        let number = match place.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.unlike(place, "a number");
        }
        number
    }

    fn integer(&mut self, object: &Object, key: &str) -> Option<i64> {
        let place = object.get(key)?;
        match place.value.as_i64() {
            Some(integer) => Some(integer),
            None => self.number_at(&place).map(|number| number.trunc() as i64),
        }
    }

    /// An id of a concept set that the definition has.
    fn set_id(&mut self, object: &Object, key: &str) -> Option<i64> {
        let id = self.integer(object, key)?;
        if !self.sets.contains(&id) {
            let message = format!(
                "the definition has no concept set {id}; add it to ConceptSets, or name another"
            );
            self.malformed(&object.path_of(key), message);
        }
        Some(id)
    }

    fn draft(&mut self, place: &Place) -> Option<Draft> {
        let keys = [
            "cdmVersionRange",
            "Title",
            "PrimaryCriteria",
            "AdditionalCriteria",
            "ConceptSets",
            "QualifiedLimit",
            "ExpressionLimit",
            "InclusionRules",
            "EndStrategy",
            "CensoringCriteria",
            "CollapseSettings",
            "CensorWindow",
        ];
        let object = self.listed(place, &keys)?;
        let sets: Vec<Set> =
            self.list(&object, "ConceptSets").iter().filter_map(|set| self.set(set)).collect();
        self.sets = sets.iter().filter_map(|set| set.id).collect();
        let mut draft = Draft {
            sets,
            entry_path: object.path_of("PrimaryCriteria"),
            exit_path: object.path_of("EndStrategy"),
            qualified_limit: self.limit(&object, "QualifiedLimit"),
            expression_limit: self.limit(&object, "ExpressionLimit"),
            additional: object.get("AdditionalCriteria").and_then(|group| self.group(&group)),
            ..Draft::default()
        };
        self.entry(&object, &mut draft);
        let rules = self.list(&object, "InclusionRules");
        draft.rules = rules.iter().filter_map(|rule| self.rule(rule)).collect();
        draft.exit = self.exit(&object);
        let censoring = self.list(&object, "CensoringCriteria");
        draft.censoring = censoring.iter().filter_map(|place| self.criterion(place)).collect();
        draft.censor_window = object.get("CensorWindow").and_then(|p| self.period(&p));
        Some(draft)
    }

    fn entry(&mut self, object: &Object, draft: &mut Draft) {
        let Some(primary) = object.get("PrimaryCriteria") else { return };
        let keys = ["CriteriaList", "ObservationWindow", "PrimaryCriteriaLimit"];
        let Some(primary) = self.listed(&primary, &keys) else { return };
        let criteria = self.list(&primary, "CriteriaList");
        draft.entry = criteria.iter().filter_map(|place| self.criterion(place)).collect();
        draft.primary_limit = self.limit(&primary, "PrimaryCriteriaLimit");
        let Some(window) = primary.get("ObservationWindow") else { return };
        let Some(window) = self.listed(&window, &["PriorDays", "PostDays"]) else { return };
        draft.prior_days = self.integer(&window, "PriorDays").unwrap_or(0);
        draft.post_days = self.integer(&window, "PostDays").unwrap_or(0);
    }

    /// A limit as the strict reader takes it: first if nothing is said, all if
    /// the type is null.
    fn limit(&mut self, object: &Object, key: &str) -> Option<Limit> {
        let place = object.get(key)?;
        let limit = self.listed(&place, &["Type"])?;
        if limit.map.get("Type").is_some_and(Value::is_null) {
            return Some(Limit::All);
        }
        match self.text(&limit, "Type")?.to_ascii_uppercase().as_str() {
            "FIRST" => Some(Limit::First),
            "LAST" => Some(Limit::Last),
            "ALL" => Some(Limit::All),
            _ => {
                self.unlike(&limit.get("Type")?, "First, Last or All");
                None
            }
        }
    }

    fn set(&mut self, place: &Place) -> Option<Set> {
        let object = self.object(place, |_| true)?;
        let id = self.integer(&object, "id");
        if id.is_none() {
            self.malformed(&place.path, "the concept set has no 'id'; give it one".to_owned());
        }
        let mut items = Vec::new();
        if let Some(expression) = object.get("expression").and_then(|e| self.object(&e, |_| true)) {
            let listed = self.list(&expression, "items");
            items = listed.iter().filter_map(|item| self.item(item)).collect();
        }
        let name = self.text(&object, "name").unwrap_or_default();
        Some(Set { path: place.path.clone(), id, name, items })
    }

    fn item(&mut self, place: &Place) -> Option<Item> {
        let object = self.object(place, |_| true)?;
        let concept = object.get("concept").and_then(|concept| self.object(&concept, |_| true));
        let Some(concept) = concept else {
            self.malformed(&place.path, "the item has no 'concept'; add one".to_owned());
            return None;
        };
        let code = self.text(&concept, "VOCABULARY_ID").zip(self.text(&concept, "CONCEPT_CODE"));
        Some(Item {
            concept_id: self.integer(&concept, "CONCEPT_ID"),
            code: code.filter(|(vocabulary, code)| !vocabulary.is_empty() && !code.is_empty()),
            domain: concept.get("DOMAIN_ID").and_then(|p| p.value.as_str().map(str::to_owned)),
            is_excluded: self.truth(&object, "isExcluded").unwrap_or(false),
            include_descendants: self.truth(&object, "includeDescendants").unwrap_or(false),
            include_mapped: self.truth(&object, "includeMapped").unwrap_or(false),
        })
    }

    fn rule(&mut self, place: &Place) -> Option<Rule> {
        let object = self.listed(place, &["name", "description", "expression"])?;
        let group = object.get("expression").and_then(|group| self.group(&group));
        let name = self.text(&object, "name").unwrap_or_default();
        Some(Rule { path: place.path.clone(), name, group })
    }

    fn exit(&mut self, object: &Object) -> Exit {
        let Some(place) = object.get("EndStrategy") else { return Exit::Observation };
        let Some(strategy) = self.listed(&place, &["DateOffset", "CustomEra"]) else {
            return Exit::Observation;
        };
        if let Some(era) = strategy.get("CustomEra") {
            let keys = ["DrugCodesetId", "GapDays", "Offset", "DaysSupplyOverride"];
            let Some(era) = self.listed(&era, &keys) else { return Exit::Observation };
            return Exit::CustomEra { drugs: self.set_id(&era, "DrugCodesetId") };
        }
        let Some(offset) = strategy.get("DateOffset") else { return Exit::Observation };
        let Some(offset) = self.listed(&offset, &["DateField", "Offset"]) else {
            return Exit::Observation;
        };
        Exit::DateOffset {
            is_from_start: self.text(&offset, "DateField").is_none_or(|f| f == "StartDate"),
            offset_days: self.integer(&offset, "Offset").unwrap_or(0),
        }
    }

    fn criterion(&mut self, place: &Place) -> Option<Criterion> {
        let domains = |key: &str| Domain::from_name(key).is_some();
        let object = self.object(place, domains)?;
        let domain = object.map.keys().find_map(|key| Domain::from_name(key));
        let (Some(domain), 1) = (domain, object.map.len()) else {
            self.unlike(
                place,
                "an object with the name of one domain, such as ConditionOccurrence",
            );
            return None;
        };
        let specification = domain.specification();
        let inner = Place {
            value: object.map.get(specification.name)?,
            path: object.path_of(specification.name),
        };
        let object = self.object(&inner, |key| is_key(specification, key))?;
        let mut criterion = Criterion {
            path: inner.path,
            domain,
            concept_set: None,
            source_concept_set: None,
            first: self.truth(&object, "First"),
            attributes: Vec::new(),
            period: object.get("UserDefinedPeriod").and_then(|p| self.period(&p)),
            correlated: object.get("CorrelatedCriteria").and_then(|group| self.group(&group)),
        };
        if specification.has_codeset {
            criterion.concept_set = self.set_id(&object, "CodesetId");
        }
        if let Some((key, _)) = specification.source {
            criterion.source_concept_set = self.set_id(&object, key);
        }
        for attribute in specification.attributes {
            self.attribute(&object, attribute.key, attribute.asks, &mut criterion.attributes);
        }
        Some(criterion)
    }

    fn attribute(
        &mut self,
        object: &Object,
        key: &'static str,
        asks: Asks,
        attributes: &mut Vec<Attribute>,
    ) {
        if let Asks::Concepts { .. } = asks {
            attributes.extend(self.selection(object, key));
        }
        let Some(place) = object.get(key) else { return };
        let value = match asks {
            Asks::Date(_) | Asks::IgnoredDate => self.range(&place, true),
            Asks::Whole(_) | Asks::Real(_) => self.range(&place, false),
            Asks::Concepts { .. } => self.concepts(object, key),
            Asks::ConceptSet(_) | Asks::IgnoredConceptSet => {
                self.set_id(object, key).map(AttributeValue::ConceptSet)
            }
            Asks::Text(_) => self.text_filter(&place),
            Asks::Abnormal => self.truth(object, key).map(AttributeValue::Flag),
        };
        attributes.extend(value.map(|value| Attribute {
            path: place.path.clone(),
            key: key.to_owned(),
            value,
        }));
    }

    /// The concept set under `<key>CS`.
    fn selection(&mut self, object: &Object, key: &str) -> Option<Attribute> {
        let key = format!("{key}CS");
        let place = object.get(&key)?;
        let selection = self.listed(&place, &["CodesetId", "IsExclusion"])?;
        let is_exclusion = self.truth(&selection, "IsExclusion").unwrap_or(false);
        let set = self.set_id(&selection, "CodesetId");
        let value = AttributeValue::Selection(set, is_exclusion);
        Some(Attribute { path: place.path, key, value })
    }

    fn concepts(&mut self, object: &Object, key: &str) -> Option<AttributeValue> {
        let mut ids = Vec::new();
        let place = object.get(key)?;
        if !place.value.is_array() {
            self.unlike(&place, "a list of concepts");
            return None;
        }
        for place in self.list(object, key) {
            let Some(concept) = self.object(&place, |_| true) else { continue };
            if let Some(id) = self.integer(&concept, "CONCEPT_ID") {
                ids.push(id);
            } else {
                let message = "the concept has no 'CONCEPT_ID'; add it".to_owned();
                self.malformed(&place.path, message);
            }
        }
        ids.sort_unstable();
        Some(AttributeValue::Concepts(ids))
    }

    fn range(&mut self, place: &Place, is_date: bool) -> Option<AttributeValue> {
        let object = self.listed(place, &["Op", "Value", "Extent"])?;
        let operator = self.text(&object, "Op");
        if operator.is_none() {
            let message = "the range has no 'Op'; say how to compare: lt, lte, eq, !eq, gt, gte, \
                           bt or !bt";
            self.malformed(&place.path, message.to_owned());
        }
        let value = object.get("Value").and_then(|value| self.point(&value, is_date));
        // Only ranges from and to have a second value; elsewhere it is not read.
        let is_between = operator.as_deref().is_some_and(|name| name.ends_with("bt"));
        let extent = object.get("Extent").filter(|_| is_between);
        let extent = extent.and_then(|value| self.point(&value, is_date));
        Some(AttributeValue::Range(Range { operator, value, extent }))
    }

    fn point(&mut self, place: &Place, is_date: bool) -> Option<Point> {
        if !is_date {
            return self.number_at(place).map(Point::Number);
        }
        match place.value {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => {
                Some(day(text).map_or_else(|| Point::NoDate(text.clone()), Point::Day))
            }
            _ => {
                self.unlike(place, "a date like \"2010-12-31\"");
                None
            }
        }
    }

    fn text_filter(&mut self, place: &Place) -> Option<AttributeValue> {
        let object = self.listed(place, &["Text", "Op"])?;
        let operator = self.text(&object, "Op");
        Some(AttributeValue::Text(operator, self.text(&object, "Text")))
    }

    fn period(&mut self, place: &Place) -> Option<Period> {
        let object = self.listed(place, &["StartDate", "EndDate"])?;
        let start = object.get("StartDate").and_then(|value| self.point(&value, true));
        let end = object.get("EndDate").and_then(|value| self.point(&value, true));
        Some(Period { path: place.path.clone(), start, end })
    }

    fn group(&mut self, place: &Place) -> Option<Group> {
        let keys = ["Type", "Count", "CriteriaList", "DemographicCriteriaList", "Groups"];
        let object = self.listed(place, &keys)?;
        let criteria = self.list(&object, "CriteriaList");
        let demographics = self.list(&object, "DemographicCriteriaList");
        let groups = self.list(&object, "Groups");
        let mut group = Group {
            path: place.path.clone(),
            kind: None,
            criteria: criteria.iter().filter_map(|c| self.correlated(c)).collect(),
            demographics: demographics.iter().filter_map(|d| self.demographic(d)).collect(),
            groups: groups.iter().filter_map(|g| self.group(g)).collect(),
        };
        if group.asked() > 0 {
            group.kind = self.group_kind(&object);
        }
        Some(group)
    }

    fn group_kind(&mut self, object: &Object) -> Option<GroupKind> {
        let name = self.text(object, "Type").unwrap_or_default().to_ascii_uppercase();
        let has_count = matches!(name.as_str(), "AT_LEAST" | "AT_MOST");
        let count = if has_count { self.integer(object, "Count") } else { None };
        match (name.as_str(), count) {
            ("ALL", _) => Some(GroupKind::All),
            ("ANY", _) => Some(GroupKind::Any),
            ("AT_LEAST", Some(count)) => Some(GroupKind::AtLeast(count)),
            ("AT_MOST", Some(count)) => Some(GroupKind::AtMost(count)),
            ("AT_LEAST" | "AT_MOST", None) => {
                let message = "the group has no 'Count'; say of how many".to_owned();
                self.malformed(&object.path_of("Count"), message);
                None
            }
            _ => {
                let message = format!("found '{name}', expected ALL, ANY, AT_LEAST or AT_MOST");
                self.malformed(&object.path_of("Type"), message);
                None
            }
        }
    }

    fn correlated(&mut self, place: &Place) -> Option<Correlated> {
        let keys = [
            "Criteria",
            "StartWindow",
            "EndWindow",
            "RestrictVisit",
            "IgnoreObservationPeriod",
            "Occurrence",
        ];
        let object = self.listed(place, &keys)?;
        for key in ["Criteria", "StartWindow", "Occurrence"] {
            if object.get(key).is_none() {
                let message = format!("the criterion has no '{key}'; add it, or take it out");
                self.malformed(&object.path_of(key), message);
            }
        }
        Some(Correlated {
            path: place.path.clone(),
            criterion: object.get("Criteria").and_then(|c| self.criterion(&c)),
            start_window: object.get("StartWindow").and_then(|w| self.window(&w, false)),
            end_window: object.get("EndWindow").and_then(|w| self.window(&w, true)),
            occurrence: object.get("Occurrence").and_then(|o| self.occurrence(&o)),
        })
    }

    fn window(&mut self, place: &Place, event_end_by_default: bool) -> Option<Window> {
        let object = self.listed(place, &["Start", "End", "UseIndexEnd", "UseEventEnd"])?;
        for key in ["Start", "End"] {
            if object.get(key).is_none() {
                let message = format!(
                    "the window has no '{key}'; add it, {{\"Coeff\": -1}} or {{\"Coeff\": 1}} if \
                     it is open"
                );
                self.malformed(&object.path_of(key), message);
            }
        }
        Some(Window {
            path: place.path.clone(),
            start: object.get("Start").and_then(|end| self.window_end(&end)),
            end: object.get("End").and_then(|end| self.window_end(&end)),
            use_index_end: self.truth(&object, "UseIndexEnd").unwrap_or(false),
            use_event_end: self.truth(&object, "UseEventEnd").unwrap_or(event_end_by_default),
        })
    }

    fn window_end(&mut self, place: &Place) -> Option<WindowEnd> {
        let object = self.listed(place, &["Days", "Coeff"])?;
        let days = self.integer(&object, "Days");
        Some(WindowEnd { days, sign: self.integer(&object, "Coeff").unwrap_or(0) })
    }

    fn occurrence(&mut self, place: &Place) -> Option<Occurrence> {
        let object = self.listed(place, &["Type", "Count", "IsDistinct", "CountColumn"])?;
        let kind = match self.integer(&object, "Type").unwrap_or(0) {
            0 => OccurrenceKind::Exactly,
            1 => OccurrenceKind::AtMost,
            2 => OccurrenceKind::AtLeast,
            _ => {
                let place = object.get("Type")?;
                self.unlike(&place, "0 (exactly), 1 (at most) or 2 (at least)");
                return None;
            }
        };
        let count = self.integer(&object, "Count").unwrap_or(0);
        let is_distinct = self.truth(&object, "IsDistinct").unwrap_or(false);
        Some(Occurrence { kind, count, is_distinct })
    }

    fn demographic(&mut self, place: &Place) -> Option<Demographic> {
        let keys = [
            "Age",
            "Gender",
            "GenderCS",
            "Race",
            "RaceCS",
            "Ethnicity",
            "EthnicityCS",
            "OccurrenceStartDate",
            "OccurrenceEndDate",
        ];
        let object = self.listed(place, &keys)?;
        let concepts = |field| Asks::Concepts { field, exclude: false };
        let gender = concepts(crate::model::ConceptField::Gender);
        let date = Asks::Date(crate::model::Moment::Start);
        let mut attributes = Vec::new();
        for (key, asks) in [
            ("Age", Asks::Whole(Quantity::Length)),
            ("Gender", gender),
            ("Race", gender),
            ("Ethnicity", gender),
            ("OccurrenceStartDate", date),
            ("OccurrenceEndDate", date),
        ] {
            self.attribute(&object, key, asks, &mut attributes);
        }
        Some(Demographic { path: place.path.clone(), attributes })
    }
}

/// Whether a criterion of the domain may have a key.
fn is_key(specification: &Specification, key: &str) -> bool {
    match key {
        "CorrelatedCriteria" | "DateAdjustment" => return true,
        "CodesetId" => return specification.has_codeset,
        "First" => return specification.has_first,
        "UserDefinedPeriod" => return specification.has_user_defined_period,
        _ => {}
    }
    let is_source = specification.source.is_some_and(|(source, _)| source == key);
    is_source
        || specification.attributes.iter().any(|attribute| {
            let Some(rest) = key.strip_prefix(attribute.key) else { return false };
            match attribute.asks {
                Asks::Concepts { exclude, .. } => {
                    rest.is_empty() || rest == "CS" || (exclude && rest == "Exclude")
                }
                _ => rest.is_empty(),
            }
        })
}

/// A day, written year-month-day.
fn day(text: &str) -> Option<Day> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    Day::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}
