//! Random small worlds and random definitions of the whole language.

use farr_cohort::Domain;
use farr_records::{Day, Kind, Table};
use serde_json::{Map, Value, json};

use super::World;

/// A stream of numbers from a seed (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `first` to `last`, both included.
    pub(crate) fn within(&mut self, first: i64, last: i64) -> i64 {
        first + (self.next() % (last - first + 1) as u64) as i64
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.within(0, from.len() as i64 - 1) as usize]
    }
}

const PERSONS: i64 = 5;
const CONCEPTS: i64 = 4;
const TEXTS: [&str; 5] = ["a", "ab", "Ab", "b_a", "ba%"];

fn random_day(dice: &mut Dice, last: i64) -> String {
    Day(18_300 + dice.within(0, last) as i32).to_string()
}

/// A world of a few persons with a few rows in every table, dirt included:
/// missing values, ends before starts, references to nobody, overlapping and
/// absent observation periods.
pub(crate) fn world(dice: &mut Dice) -> World {
    let mut world = World::default();
    for person in 1..=PERSONS {
        let mut row = vec![("person_id", person.to_string())];
        row.push(("gender_concept_id", dice.within(1, 2).to_string()));
        row.push(("year_of_birth", dice.within(1995, 2002).to_string()));
        row.push(("race_concept_id", dice.within(1, 2).to_string()));
        if dice.chance(80) {
            row.push(("ethnicity_concept_id", dice.within(1, 2).to_string()));
        }
        push(&mut world, Table::Person, row);
        for _ in 0..dice.within(0, 2) {
            let start = dice.within(0, 60) as i32;
            let end = start + dice.within(0, 60) as i32;
            let row = vec![
                ("person_id", person.to_string()),
                ("observation_period_start_date", Day(18_290 + start).to_string()),
                ("observation_period_end_date", Day(18_290 + end).to_string()),
                ("period_type_concept_id", dice.within(1, CONCEPTS).to_string()),
            ];
            push(&mut world, Table::ObservationPeriod, row);
        }
        for domain in Domain::ALL {
            let table = domain.table();
            if table == Table::ObservationPeriod {
                continue;
            }
            let most = if table == Table::Death { 1 } else { 5 };
            for _ in 0..dice.within(0, most) {
                let row = event(dice, table, person);
                push(&mut world, table, row);
            }
        }
    }
    for place in 1..=3 {
        let concept = dice.within(1, CONCEPTS).to_string();
        let row = vec![("provider_id", place.to_string()), ("specialty_concept_id", concept)];
        push(&mut world, Table::Provider, row);
        let row = vec![
            ("care_site_id", place.to_string()),
            ("place_of_service_concept_id", dice.within(1, CONCEPTS).to_string()),
            ("location_id", dice.within(1, 4).to_string()),
        ];
        push(&mut world, Table::CareSite, row);
        let row = vec![
            ("location_id", place.to_string()),
            ("region_concept_id", dice.within(1, CONCEPTS).to_string()),
        ];
        push(&mut world, Table::Location, row);
    }
    vocabulary(dice, &mut world);
    world
}

/// Concepts with codes, some invalid, and who descends from whom or maps to it.
fn vocabulary(dice: &mut Dice, world: &mut World) {
    for concept in 1..=CONCEPTS {
        let mut row = vec![
            ("concept_id", concept.to_string()),
            ("vocabulary_id", "A".to_owned()),
            ("concept_code", format!("c{concept}")),
        ];
        row.extend(dice.chance(10).then(|| ("invalid_reason", "D".to_owned())));
        push(world, Table::Concept, row);
    }
    for _ in 0..dice.within(0, 3) {
        let row = vec![
            ("ancestor_concept_id", dice.within(1, CONCEPTS).to_string()),
            ("descendant_concept_id", dice.within(1, CONCEPTS + 1).to_string()),
        ];
        push(world, Table::ConceptAncestor, row);
        let mut row = vec![
            ("concept_id_1", dice.within(1, CONCEPTS + 1).to_string()),
            ("concept_id_2", dice.within(1, CONCEPTS).to_string()),
            ("relationship_id", dice.pick(&["Maps to", "Maps to", "Is a"]).to_owned()),
        ];
        row.extend(dice.chance(10).then(|| ("invalid_reason", "D".to_owned())));
        push(world, Table::ConceptRelationship, row);
    }
}

fn push(world: &mut World, table: Table, row: Vec<(&str, String)>) {
    let rows = world.tables.entry(table).or_default();
    let mut row: std::collections::BTreeMap<String, String> =
        row.into_iter().map(|(name, cell)| (name.to_owned(), cell)).collect();
    if let Some(id) = table.id_column().filter(|id| Some(*id) != table.person_column()) {
        row.entry(id.to_owned()).or_insert_with(|| (rows.len() + 1).to_string());
    }
    rows.push(row);
}

fn event(dice: &mut Dice, table: Table, person: i64) -> Vec<(&'static str, String)> {
    let mut row = Vec::new();
    let own = table.id_column();
    for column in table.columns() {
        let name = column.name;
        if Some(name) == table.person_column() {
            row.push((name, person.to_string()));
            continue;
        }
        if Some(name) == table.start_column() {
            row.push((name, random_day(dice, 100)));
            continue;
        }
        if Some(name) == own || dice.chance(20) {
            continue;
        }
        let cell = match column.kind {
            Kind::Concept => dice.within(1, CONCEPTS).to_string(),
            Kind::Id => dice.within(1, 4).to_string(),
            Kind::Integer => dice.within(0, 4).to_string(),
            Kind::Number => (dice.within(0, 6) as f64 / 2.0).to_string(),
            Kind::Date => random_day(dice, 130),
            Kind::Text if name == "domain_id" => {
                if dice.chance(80) {
                    "PERSON".to_owned()
                } else {
                    "OTHER".to_owned()
                }
            }
            Kind::Text => dice.pick(&TEXTS).to_owned(),
            Kind::Person | Kind::Datetime => continue,
        };
        row.push((name, cell));
    }
    row
}

/// What an attribute takes.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Date,
    Whole,
    Real,
    Age,
    Concepts,
    /// Concepts with a flag that excludes them.
    Typed,
    Text,
    Set,
    Flag,
}

/// Every attribute of a domain, by Circe's name.
pub(crate) fn attributes(domain: Domain) -> Vec<(&'static str, Takes)> {
    use Takes as T;
    let era = [
        ("EraStartDate", T::Date),
        ("EraEndDate", T::Date),
        ("EraLength", T::Whole),
        ("AgeAtStart", T::Age),
        ("AgeAtEnd", T::Age),
        ("Gender", T::Concepts),
    ];
    let person = [("OccurrenceStartDate", T::Date), ("Age", T::Age), ("Gender", T::Concepts)];
    let visit = [("ProviderSpecialty", T::Concepts), ("VisitType", T::Concepts)];
    let value =
        [("ValueAsNumber", T::Real), ("ValueAsConcept", T::Concepts), ("Unit", T::Concepts)];
    let own: Vec<&[(&'static str, Takes)]> = match domain {
        Domain::ConditionEra => vec![&era, &[("OccurrenceCount", T::Whole)]],
        Domain::DrugEra => vec![&era, &[("OccurrenceCount", T::Whole), ("GapDays", T::Whole)]],
        Domain::DoseEra => vec![&era, &[("Unit", T::Concepts), ("DoseValue", T::Real)]],
        Domain::ConditionOccurrence => vec![
            &person,
            &visit,
            &[
                ("OccurrenceEndDate", T::Date),
                ("ConditionType", T::Typed),
                ("StopReason", T::Text),
                ("ConditionStatus", T::Concepts),
            ],
        ],
        Domain::Death => vec![&person, &[("DeathType", T::Typed)]],
        Domain::DeviceExposure => vec![
            &person,
            &visit,
            &[
                ("OccurrenceEndDate", T::Date),
                ("DeviceType", T::Typed),
                ("UniqueDeviceId", T::Text),
                ("Quantity", T::Whole),
            ],
        ],
        Domain::DrugExposure => vec![
            &person,
            &visit,
            &[
                ("OccurrenceEndDate", T::Date),
                ("DrugType", T::Typed),
                ("StopReason", T::Text),
                ("Refills", T::Whole),
                ("Quantity", T::Real),
                ("DaysSupply", T::Whole),
                ("RouteConcept", T::Concepts),
                ("EffectiveDrugDose", T::Real),
                ("DoseUnit", T::Concepts),
                ("LotNumber", T::Text),
            ],
        ],
        Domain::LocationRegion => vec![&[("StartDate", T::Date), ("EndDate", T::Date)]],
        Domain::Measurement => vec![
            &person,
            &visit,
            &value,
            &[
                ("MeasurementType", T::Typed),
                ("Operator", T::Concepts),
                ("RangeLow", T::Real),
                ("RangeHigh", T::Real),
                ("RangeLowRatio", T::Real),
                ("RangeHighRatio", T::Real),
                ("Abnormal", T::Flag),
            ],
        ],
        Domain::Observation => vec![
            &person,
            &visit,
            &value,
            &[
                ("ObservationType", T::Typed),
                ("ValueAsString", T::Text),
                ("Qualifier", T::Concepts),
            ],
        ],
        Domain::ObservationPeriod => vec![&[
            ("PeriodStartDate", T::Date),
            ("PeriodEndDate", T::Date),
            ("PeriodType", T::Concepts),
            ("PeriodLength", T::Whole),
            ("AgeAtStart", T::Age),
            ("AgeAtEnd", T::Age),
        ]],
        Domain::PayerPlanPeriod => vec![&[
            ("PeriodStartDate", T::Date),
            ("PeriodEndDate", T::Date),
            ("PeriodLength", T::Whole),
            ("AgeAtStart", T::Age),
            ("AgeAtEnd", T::Age),
            ("Gender", T::Concepts),
            ("PayerConcept", T::Set),
            ("PlanConcept", T::Set),
            ("SponsorConcept", T::Set),
            ("StopReasonConcept", T::Set),
            ("PayerSourceConcept", T::Set),
            ("PlanSourceConcept", T::Set),
            ("SponsorSourceConcept", T::Set),
            ("StopReasonSourceConcept", T::Set),
        ]],
        Domain::ProcedureOccurrence => vec![
            &person,
            &visit,
            &[("ProcedureType", T::Typed), ("Modifier", T::Concepts), ("Quantity", T::Whole)],
        ],
        Domain::Specimen => vec![
            &person,
            &[
                ("SpecimenType", T::Typed),
                ("Quantity", T::Real),
                ("Unit", T::Concepts),
                ("AnatomicSite", T::Concepts),
                ("DiseaseStatus", T::Concepts),
                ("SourceId", T::Text),
                ("SpecimenSourceConcept", T::Set),
            ],
        ],
        Domain::VisitDetail => vec![&[
            ("VisitDetailStartDate", T::Date),
            ("VisitDetailEndDate", T::Date),
            ("VisitDetailType", T::Concepts),
            ("VisitDetailLength", T::Whole),
            ("Age", T::Age),
            ("Gender", T::Concepts),
            ("ProviderSpecialty", T::Concepts),
            ("PlaceOfService", T::Concepts),
            ("PlaceOfServiceLocation", T::Set),
        ]],
        Domain::VisitOccurrence => vec![
            &person,
            &[
                ("OccurrenceEndDate", T::Date),
                ("VisitType", T::Typed),
                ("VisitLength", T::Whole),
                ("ProviderSpecialty", T::Concepts),
                ("PlaceOfService", T::Concepts),
                ("PlaceOfServiceLocation", T::Set),
            ],
        ],
    };
    own.concat()
}

/// The key of a domain's source concept set.
fn source_key(domain: Domain) -> Option<&'static str> {
    Some(match domain {
        Domain::ConditionOccurrence => "ConditionSourceConcept",
        Domain::Death => "DeathSourceConcept",
        Domain::DeviceExposure => "DeviceSourceConcept",
        Domain::DrugExposure => "DrugSourceConcept",
        Domain::Measurement => "MeasurementSourceConcept",
        Domain::Observation => "ObservationSourceConcept",
        Domain::ProcedureOccurrence => "ProcedureSourceConcept",
        Domain::VisitDetail => "VisitDetailSourceConcept",
        Domain::VisitOccurrence => "VisitSourceConcept",
        _ => return None,
    })
}

fn range(dice: &mut Dice, mut value: impl FnMut(&mut Dice) -> Value) -> Value {
    let operator = dice.pick(&["lt", "lte", "eq", "!eq", "gt", "gte", "bt", "!bt"]);
    json!({ "Op": operator, "Value": value(dice), "Extent": value(dice) })
}

fn concept_list(dice: &mut Dice) -> Value {
    (0..dice.within(1, 2)).map(|_| json!({ "CONCEPT_ID": dice.within(1, CONCEPTS) })).collect()
}

fn attribute(dice: &mut Dice, key: &str, takes: Takes, into: &mut Map<String, Value>) {
    let value = match takes {
        Takes::Date => range(dice, |dice| json!(random_day(dice, 110))),
        Takes::Whole => range(dice, |dice| json!(dice.within(0, 20) as f64 / 4.0)),
        Takes::Real => range(dice, |dice| json!(dice.within(0, 12) as f64 / 4.0)),
        Takes::Age => range(dice, |dice| json!(dice.within(17, 26))),
        Takes::Set => json!(dice.within(0, 2)),
        Takes::Flag => json!(true),
        Takes::Text => {
            let operator = dice.pick(&[
                "startsWith",
                "endsWith",
                "contains",
                "!startsWith",
                "!endsWith",
                "!contains",
            ]);
            json!({ "Op": operator, "Text": dice.pick(&["a", "b", "_", "A%", "ab"]) })
        }
        Takes::Concepts | Takes::Typed if dice.chance(40) => {
            let selection =
                json!({ "CodesetId": dice.within(0, 3), "IsExclusion": dice.chance(50) });
            into.insert(format!("{key}CS"), selection);
            return;
        }
        Takes::Concepts => concept_list(dice),
        Takes::Typed => {
            into.insert(format!("{key}Exclude"), json!(dice.chance(50)));
            concept_list(dice)
        }
    };
    into.insert(key.to_owned(), value);
}

fn criterion(dice: &mut Dice, depth: u32) -> Value {
    let domain = Domain::ALL[dice.within(0, 15) as usize];
    let mut inner = Map::new();
    let has_codeset = !matches!(domain, Domain::ObservationPeriod | Domain::PayerPlanPeriod);
    if has_codeset && dice.chance(70) {
        inner.insert("CodesetId".to_owned(), json!(dice.within(0, 2)));
    }
    if let Some(key) = source_key(domain).filter(|_| dice.chance(10)) {
        inner.insert(key.to_owned(), json!(dice.within(0, 2)));
    }
    if !matches!(domain, Domain::Death | Domain::LocationRegion) && dice.chance(15) {
        inner.insert("First".to_owned(), json!(true));
    }
    if matches!(domain, Domain::ObservationPeriod | Domain::PayerPlanPeriod) && dice.chance(30) {
        let mut period = Map::new();
        for key in ["StartDate", "EndDate"] {
            if dice.chance(60) {
                period.insert(key.to_owned(), json!(random_day(dice, 100)));
            }
        }
        inner.insert("UserDefinedPeriod".to_owned(), Value::Object(period));
    }
    if dice.chance(15) {
        let adjustment = json!({
            "StartWith": dice.pick(&["START_DATE", "END_DATE"]),
            "StartOffset": dice.within(-10, 10),
            "EndWith": dice.pick(&["START_DATE", "END_DATE"]),
            "EndOffset": dice.within(-10, 20),
        });
        inner.insert("DateAdjustment".to_owned(), adjustment);
    }
    let known = attributes(domain);
    for _ in 0..[0, 0, 1, 1, 2][dice.within(0, 4) as usize] {
        let (key, takes) = known[dice.within(0, known.len() as i64 - 1) as usize];
        attribute(dice, key, takes, &mut inner);
    }
    if depth > 0 && dice.chance(20) {
        inner.insert("CorrelatedCriteria".to_owned(), group(dice, depth - 1));
    }
    json!({ domain.name(): inner })
}

fn bound(dice: &mut Dice) -> Value {
    let coefficient = if dice.chance(50) { -1 } else { 1 };
    if dice.chance(25) {
        return json!({ "Coeff": coefficient });
    }
    json!({ "Days": dice.within(0, 40), "Coeff": coefficient })
}

fn window(dice: &mut Dice) -> Value {
    let mut window = json!({ "Start": bound(dice), "End": bound(dice) });
    for key in ["UseIndexEnd", "UseEventEnd"] {
        if dice.chance(50) {
            window[key] = json!(dice.chance(50));
        }
    }
    window
}

/// Columns that every domain can count.
const COUNTED: [&str; 5] = ["DOMAIN_CONCEPT", "START_DATE", "END_DATE", "DURATION", "VISIT_ID"];

/// Columns that some domains can count.
fn own_counted(domain: &str) -> &'static [&'static str] {
    match domain {
        "DrugExposure" => &["DAYS_SUPPLY", "REFILLS", "QUANTITY", "DOMAIN_SOURCE_CONCEPT"],
        "DrugEra" => &["GAP_DAYS", "ERA_OCCURRENCES"],
        "ConditionEra" => &["ERA_OCCURRENCES"],
        "DoseEra" => &["UNIT", "VALUE_AS_NUMBER"],
        "Measurement" => &["RANGE_LOW", "RANGE_HIGH", "VALUE_AS_NUMBER", "UNIT"],
        "Observation" => &["VALUE_AS_NUMBER", "VISIT_DETAIL_ID"],
        "DeviceExposure" | "ProcedureOccurrence" | "Specimen" => &["QUANTITY"],
        _ => &[],
    }
}

fn correlated(dice: &mut Dice, depth: u32) -> Value {
    let criterion = criterion(dice, depth);
    let domain = criterion.as_object().and_then(|map| map.keys().next()).cloned();
    let mut occurrence = json!({ "Type": dice.within(0, 2), "Count": dice.within(0, 2) });
    if dice.chance(30) {
        occurrence["IsDistinct"] = json!(true);
        if dice.chance(70) {
            let columns = [&COUNTED, own_counted(&domain.unwrap_or_default())].concat();
            occurrence["CountColumn"] = json!(dice.pick(&columns));
        }
    }
    let mut correlated = json!({
        "Criteria": criterion,
        "StartWindow": window(dice),
        "Occurrence": occurrence,
        "RestrictVisit": dice.chance(10),
        "IgnoreObservationPeriod": dice.chance(20),
    });
    if dice.chance(20) {
        correlated["EndWindow"] = window(dice);
    }
    correlated
}

fn demographic(dice: &mut Dice) -> Value {
    let mut demographic = Map::new();
    for (key, takes) in [
        ("Age", Takes::Age),
        ("Gender", Takes::Concepts),
        ("Race", Takes::Concepts),
        ("Ethnicity", Takes::Concepts),
        ("OccurrenceStartDate", Takes::Date),
        ("OccurrenceEndDate", Takes::Date),
    ] {
        if dice.chance(25) {
            attribute(dice, key, takes, &mut demographic);
        }
    }
    Value::Object(demographic)
}

fn group(dice: &mut Dice, depth: u32) -> Value {
    let criteria: Value = (0..dice.within(0, 2)).map(|_| correlated(dice, depth)).collect();
    let demographics: Value = (0..dice.within(0, 1)).map(|_| demographic(dice)).collect();
    let groups: Value = if depth > 0 {
        (0..dice.within(0, 1)).map(|_| group(dice, depth - 1)).collect()
    } else {
        json!([])
    };
    json!({
        "Type": dice.pick(&["ALL", "ANY", "AT_LEAST", "AT_MOST"]),
        "Count": dice.within(0, 2),
        "CriteriaList": criteria,
        "DemographicCriteriaList": demographics,
        "Groups": groups,
    })
}

fn limit(dice: &mut Dice) -> Value {
    json!({ "Type": dice.pick(&["First", "Last", "All", "All"]) })
}

fn concept_set_item(dice: &mut Dice, concept: i64) -> Value {
    let named = if dice.chance(80) {
        json!({ "CONCEPT_ID": concept })
    } else {
        json!({ "VOCABULARY_ID": "A", "CONCEPT_CODE": format!("c{concept}") })
    };
    let mut item = json!({ "concept": named });
    for (key, percent) in [("isExcluded", 10), ("includeDescendants", 20), ("includeMapped", 20)] {
        if dice.chance(percent) {
            item[key] = json!(true);
        }
    }
    item
}

/// A random definition, as Circe JSON.
pub(crate) fn definition(dice: &mut Dice) -> Value {
    // Three sets of concepts, and an empty one.
    let sets: Value = (0..4)
        .map(|id| {
            let items: Value = (1..=CONCEPTS)
                .filter_map(|concept| {
                    let takes = id < 3 && dice.chance(50);
                    if takes { Some(concept_set_item(dice, concept)) } else { None }
                })
                .collect();
            json!({ "id": id, "name": format!("set {id}"), "expression": { "items": items } })
        })
        .collect();
    let criteria: Value = (0..dice.within(1, 3)).map(|_| criterion(dice, 2)).collect();
    let rules: Value = (0..dice.within(0, 3))
        .map(|place| json!({ "name": format!("rule {place}"), "expression": group(dice, 2) }))
        .collect();
    let mut definition = json!({
        "ConceptSets": sets,
        "PrimaryCriteria": {
            "CriteriaList": criteria,
            "ObservationWindow": {
                "PriorDays": if dice.chance(30) { dice.within(0, 20) } else { 0 },
                "PostDays": if dice.chance(20) { dice.within(0, 20) } else { 0 },
            },
            "PrimaryCriteriaLimit": limit(dice),
        },
        "QualifiedLimit": limit(dice),
        "ExpressionLimit": limit(dice),
        "InclusionRules": rules,
        "CollapseSettings": { "CollapseType": "ERA", "EraPad": if dice.chance(40) { dice.within(0, 20) } else { 0 } },
    });
    if dice.chance(30) {
        definition["AdditionalCriteria"] = group(dice, 1);
    }
    if dice.chance(40) {
        definition["EndStrategy"] = json!({ "DateOffset": {
            "DateField": dice.pick(&["StartDate", "EndDate"]), "Offset": dice.within(-10, 30),
        }});
    } else if dice.chance(50) {
        let mut era = json!({
            "DrugCodesetId": dice.within(0, 2),
            "GapDays": dice.within(0, 20),
            "Offset": dice.within(0, 10),
        });
        if dice.chance(30) {
            era["DaysSupplyOverride"] = json!(dice.within(0, 20));
        }
        definition["EndStrategy"] = json!({ "CustomEra": era });
    }
    if dice.chance(30) {
        definition["CensoringCriteria"] = json!([criterion(dice, 1)]);
    }
    if dice.chance(25) {
        let mut window = Map::new();
        for (key, earliest) in [("StartDate", 0), ("EndDate", 50)] {
            if dice.chance(60) {
                let day = Day(18_300 + dice.within(earliest, earliest + 60) as i32);
                window.insert(key.to_owned(), json!(day.to_string()));
            }
        }
        definition["CensorWindow"] = Value::Object(window);
    }
    definition
}
