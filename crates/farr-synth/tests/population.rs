//! What holds for any population, and how it is spread.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use farr_records::{Table, sorted_by_person};
use farr_synth::{Error, PERSONS_MAX, Patient, Population, Value};
use proptest::prelude::*;

const SEED: u64 = 1839;

/// Tables whose rows are clinical events.
const EVENTS: [Table; 8] = [
    Table::VisitOccurrence,
    Table::ConditionOccurrence,
    Table::DrugExposure,
    Table::ProcedureOccurrence,
    Table::DeviceExposure,
    Table::Measurement,
    Table::Observation,
    Table::Death,
];

fn integers<'a>(batch: &'a RecordBatch, column: &str) -> &'a [i64] {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values()
}

/// Events of each person, by place.
fn events_each(tables: &BTreeMap<Table, RecordBatch>, persons: usize) -> Vec<usize> {
    let mut counts = vec![0; persons];
    for table in EVENTS {
        for person in integers(&tables[&table], "person_id") {
            counts[*person as usize - 1] += 1;
        }
    }
    counts
}

#[test]
fn same_seed_same_rows_however_it_is_cut() {
    let population = Population::new(SEED, 300).unwrap();
    let whole = population.chunk(0..300).unwrap();
    let chunks: Vec<_> = population.chunks(77).map(|r| population.chunk(r).unwrap()).collect();
    for (table, batch) in &whole {
        let parts: Vec<_> = chunks.iter().map(|chunk| chunk[table].clone()).collect();
        let joined = concat_batches(&table.schema(), &parts).unwrap();
        assert_eq!(batch, &joined, "{table}");
    }
    assert_eq!(whole, Population::new(SEED, 5_000).unwrap().chunk(0..300).unwrap());
    assert_ne!(whole, Population::new(SEED + 1, 300).unwrap().chunk(0..300).unwrap());
}

#[test]
fn rows_keep_the_shard_contract_and_ids_are_unique() {
    let population = Population::new(SEED, 400).unwrap();
    for (table, batch) in population.chunk(0..400).unwrap() {
        assert_eq!(batch, sorted_by_person(table, &batch).unwrap(), "{table}");
        assert_eq!(batch.schema(), table.schema());
        let ids = integers(&batch, table.id_column().unwrap());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{table}");
    }
}

#[test]
fn references_lead_to_rows() {
    let population = Population::new(SEED, 400).unwrap();
    let chunk = population.chunk(0..400).unwrap();
    let site = population.site_tables().unwrap();
    let set = |batch: &RecordBatch, column: &str| -> BTreeSet<i64> {
        integers(batch, column).iter().copied().collect()
    };
    let concepts = set(&site[&Table::Concept], "concept_id");
    for (table, batch) in &chunk {
        for (column, target) in [
            ("visit_occurrence_id", set(&chunk[&Table::VisitOccurrence], "visit_occurrence_id")),
            ("provider_id", set(&site[&Table::Provider], "provider_id")),
            ("care_site_id", set(&site[&Table::CareSite], "care_site_id")),
            ("location_id", set(&site[&Table::Location], "location_id")),
            ("payer_plan_period_id", set(&chunk[&Table::PayerPlanPeriod], "payer_plan_period_id")),
        ] {
            let Some(column) = batch.column_by_name(column) else { continue };
            let column = column.as_primitive::<Int64Type>();
            assert!(column.iter().flatten().all(|id| target.contains(&id)), "{table}");
        }
        for column in table.columns().iter().filter(|c| c.name.ends_with("source_concept_id")) {
            let values = batch.column_by_name(column.name).unwrap().as_primitive::<Int64Type>();
            assert!(values.iter().flatten().all(|id| concepts.contains(&id)), "{table}");
        }
    }
}

#[test]
fn nothing_happens_before_birth_or_after_the_end() {
    let population = Population::new(SEED, 3_000).unwrap();
    let tables = population.chunk(0..3_000).unwrap();
    let people: Vec<Patient> = (0..3_000).map(|number| population.patient(number)).collect();
    let last = |p: &Patient| p.encounters.iter().map(|e| e.stop.day()).max().unwrap();
    for table in EVENTS {
        let batch = &tables[&table];
        let persons = integers(batch, "person_id");
        let starts = batch.column_by_name(table.start_column().unwrap()).unwrap();
        let starts = starts.as_primitive::<Date32Type>();
        let ends = table.end_column().map(|c| batch[c].as_primitive::<Date32Type>());
        for (row, person) in persons.iter().enumerate() {
            let patient = &people[*person as usize - 1];
            let start = starts.value(row);
            let days = (patient.birth.0, last(patient).0);
            assert!(days.0 <= start && start <= days.1, "{table}, person {person}, row {row}");
            let Some(ends) = ends else { continue };
            if ends.is_valid(row) {
                let end = ends.value(row);
                assert!(start <= end && end <= days.1, "{table}, person {person}, row {row}");
            }
        }
    }
    for patient in people.iter().filter(|patient| patient.death.is_some()) {
        assert_eq!(Some(last(patient)), patient.death.map(|death| death.0));
    }
}

#[test]
fn events_have_the_asked_spread() {
    let persons = 20_000;
    let population = Population::new(SEED, persons).unwrap();
    let tables = population.chunk(0..persons).unwrap();
    let mut counts = events_each(&tables, persons as usize);
    let mean = counts.iter().sum::<usize>() as f64 / persons as f64;
    assert!((50.0..70.0).contains(&mean), "mean {mean}");
    counts.sort_unstable();
    let above = counts.iter().filter(|n| **n > 500).count() as f64 / persons as f64;
    assert!((0.005..0.02).contains(&above), "share above 500: {above}");
    assert!(counts[0] >= 1);
    let mut codes = BTreeSet::new();
    let mut ties = 0;
    for table in EVENTS {
        let batch = &tables[&table];
        let Some(column) = table.columns().iter().find(|c| c.name.ends_with("source_concept_id"))
        else {
            continue;
        };
        if table != Table::Death {
            codes.extend(integers(batch, column.name).iter().copied());
        }
        let days = batch.column_by_name(table.start_column().unwrap()).unwrap();
        let days = days.as_primitive::<Date32Type>().values();
        let people = integers(batch, "person_id");
        ties += (1..people.len())
            .filter(|i| (people[*i], days[*i]) == (people[i - 1], days[i - 1]))
            .count();
    }
    assert!(codes.len() >= 500, "codes {}", codes.len());
    let events: usize = counts.iter().sum();
    assert!(ties * 5 > events, "at least a fifth shares its day with the one before: {ties}");
}

#[test]
fn every_code_of_the_concept_table_has_a_use() {
    let persons = 60_000;
    let population = Population::new(SEED, persons).unwrap();
    let mut used = BTreeSet::new();
    for range in population.chunks(10_000) {
        for number in range {
            let p = population.patient(number);
            used.extend(p.encounters.iter().map(|e| e.code.code));
            used.extend(p.conditions.iter().map(|e| e.code.code));
            used.extend(p.medications.iter().map(|e| e.code.code));
            used.extend(p.immunizations.iter().map(|e| e.code.code));
            used.extend(p.procedures.iter().map(|e| e.code.code));
            used.extend(p.procedures.iter().filter_map(|e| e.image).map(|image| image.0.code));
            used.extend(p.procedures.iter().filter_map(|e| e.image).map(|image| image.1.code));
            used.extend(p.careplans.iter().map(|e| e.code.code));
            used.extend(p.observations.iter().map(|e| e.code.code));
            used.extend(p.allergies.iter().flat_map(|e| [e.code.code, e.reaction.code]));
            used.extend(p.devices.iter().map(|e| e.code.code));
            used.extend(p.supplies.iter().map(|e| e.code.code));
        }
    }
    let site = population.site_tables().unwrap();
    let concepts = &site[&Table::Concept];
    let texts = |column: &str| concepts.column_by_name(column).unwrap().as_string::<i32>().clone();
    let (codes, names) = (texts("concept_code"), texts("concept_name"));
    let vocabularies = texts("vocabulary_id");
    let unused: Vec<_> = (0..concepts.num_rows())
        .filter(|i| vocabularies.value(*i) != "Payer" && !used.contains(codes.value(*i)))
        .map(|i| names.value(i))
        .collect();
    assert!(unused.is_empty(), "{} unused: {unused:?}", unused.len());
    assert!(codes.iter().flatten().any(|code| code == "08"));
}

/// Share with a condition, among persons of an age at the end of observation.
fn prevalence(people: &[Patient], code: &str, ages: std::ops::Range<i32>) -> f64 {
    let of_age: Vec<_> = people
        .iter()
        .filter(|p| {
            let last = p.encounters.last().unwrap().start.day();
            ages.contains(&(last.days_since(p.birth) / 365))
        })
        .collect();
    let ill = of_age.iter().filter(|p| p.conditions.iter().any(|c| c.code.code == code)).count();
    ill as f64 / of_age.len() as f64
}

#[test]
fn diseases_are_as_common_as_they_should_be() {
    let population = Population::new(SEED, 20_000).unwrap();
    let people: Vec<_> = (0..20_000).map(|number| population.patient(number)).collect();
    let cases = [
        ("44054006", 0..20, 0.0, 0.01),
        ("44054006", 45..65, 0.06, 0.2),
        ("44054006", 65..90, 0.14, 0.35),
        ("59621000", 20..40, 0.03, 0.16),
        ("59621000", 65..90, 0.45, 0.8),
        ("88805009", 45..65, 0.01, 0.08),
        ("88805009", 70..95, 0.06, 0.3),
        ("230690007", 70..95, 0.06, 0.25),
        ("13645005", 65..90, 0.08, 0.3),
        ("195967001", 5..18, 0.06, 0.18),
        ("254837009", 60..90, 0.01, 0.08),
        ("370143000", 20..65, 0.08, 0.3),
    ];
    for (code, ages, low, high) in cases {
        let found = prevalence(&people, code, ages.clone());
        assert!((low..high).contains(&found), "{code} at {ages:?}: {found}");
    }
    let women = people.iter().filter(|p| p.sex == farr_synth::Sex::Female).count();
    assert!((9_500..10_900).contains(&women), "{women}");
    let dead = people.iter().filter(|p| p.death.is_some()).count();
    assert!((1_000..3_500).contains(&dead), "{dead}");
}

#[test]
fn diabetes_raises_heart_failure_stroke_and_death() {
    let population = Population::new(SEED, 20_000).unwrap();
    let people: Vec<_> = (0..20_000).map(|number| population.patient(number)).collect();
    let has = |p: &Patient, code: &str| p.conditions.iter().any(|c| c.code.code == code);
    let old = |p: &&Patient| {
        let last = p.encounters.last().unwrap().start.day();
        (60..80).contains(&(last.days_since(p.birth) / 365))
    };
    let (ill, well): (Vec<_>, Vec<_>) = people.iter().filter(old).partition(|p| has(p, "44054006"));
    let share = |group: &[&Patient], of: &dyn Fn(&Patient) -> bool| {
        group.iter().filter(|p| of(p)).count() as f64 / group.len() as f64
    };
    for (name, of) in [
        (
            "heart failure",
            Box::new(|p: &Patient| has(p, "88805009")) as Box<dyn Fn(&Patient) -> bool>,
        ),
        ("stroke", Box::new(|p: &Patient| has(p, "230690007"))),
        ("death", Box::new(|p: &Patient| p.death.is_some())),
    ] {
        let (raised, usual) = (share(&ill, &*of), share(&well, &*of));
        assert!(raised > 1.25 * usual, "{name}: {raised} against {usual}");
    }
    let hba1c = |p: &Patient| {
        p.observations.iter().find_map(|o| match o.value {
            Value::Number(value, ..) if o.code.code == "4548-4" => Some(value),
            _ => None,
        })
    };
    let values: Vec<f64> = ill.iter().filter_map(|p| hba1c(p)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    assert!((6.3..8.5).contains(&mean), "{mean}");
}

/// Rows a person of each Synthea table, from the records.
fn rows_each(tables: &BTreeMap<Table, RecordBatch>, persons: f64) -> Vec<(&'static str, f64)> {
    let rows = |table: Table| tables[&table].num_rows() as f64 / persons;
    let drugs = tables[&Table::DrugExposure].column_by_name("refills").unwrap();
    let vaccines = drugs.null_count() as f64 / persons;
    let costs = tables[&Table::Cost].column_by_name("cost_domain_id").unwrap().as_string::<i32>();
    let transactions = costs.iter().flatten().filter(|d| *d == "Visit Detail").count() as f64;
    vec![
        ("encounters", rows(Table::VisitOccurrence)),
        ("conditions", rows(Table::ConditionOccurrence)),
        ("medications", rows(Table::DrugExposure) - vaccines),
        ("immunizations", vaccines),
        ("observations", rows(Table::Measurement) + rows(Table::Observation)),
        ("procedures", rows(Table::ProcedureOccurrence)),
        ("payer_transitions", rows(Table::PayerPlanPeriod)),
        ("claims", rows(Table::VisitDetail)),
        ("claims_transactions", transactions / persons),
    ]
}

/// Ours are lives of about 8 years of observation, the real export's whole
/// lives: a tenth to twice its rows a person is asserted.
#[test]
fn rows_a_person_are_of_the_order_of_a_real_export() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/synthea-csv-2023");
    if !folder.exists() {
        assert!(std::env::var_os("CI").is_none(), "no {}", folder.display());
        println!("skipped: no {}", folder.display());
        return;
    }
    let population = Population::new(SEED, 5_000).unwrap();
    let ours = rows_each(&population.chunk(0..5_000).unwrap(), 5_000.0);
    let lines = |name: &str| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.csv"))).unwrap();
        text.lines().count() as f64 - 1.0
    };
    let persons = lines("patients");
    for (name, ours) in ours {
        let theirs = lines(name) / persons;
        let ratio = ours / theirs;
        // The 27 real patients had hardly any vaccination.
        let most = if name == "immunizations" { 5.0 } else { 2.0 };
        assert!((0.1..most).contains(&ratio), "{name}: {ours} a person, really {theirs}");
    }
}

#[test]
fn costs_close() {
    let population = Population::new(SEED, 200).unwrap();
    let chunk = population.chunk(0..200).unwrap();
    let costs = &chunk[&Table::Cost];
    let domains = costs.column_by_name("cost_domain_id").unwrap().as_string::<i32>();
    let events = integers(costs, "cost_event_id");
    let cents = |column: &str, row: usize| {
        let column = costs.column_by_name(column).unwrap().as_primitive::<Float64Type>();
        if column.is_valid(row) { (column.value(row) * 100.0).round() as i64 } else { 0 }
    };
    let mut open: BTreeMap<i64, i64> = BTreeMap::new();
    for row in (0..costs.num_rows()).filter(|row| domains.value(*row) == "Visit Detail") {
        *open.entry(events[row]).or_default() +=
            cents("total_charge", row) - cents("total_paid", row);
    }
    assert_eq!(open.len(), chunk[&Table::VisitDetail].num_rows());
    assert!(open.values().all(|cents| *cents == 0));
}

#[test]
fn what_cannot_be_is_refused() {
    assert!(matches!(Population::new(1, 0), Err(Error::Persons { found: 0 })));
    assert!(matches!(Population::new(1, PERSONS_MAX + 1), Err(Error::Persons { .. })));
    let population = Population::new(1, 10).unwrap();
    assert!(matches!(population.chunk(5..11), Err(Error::Chunk { end: 11, .. })));
    assert_eq!(population.chunk(3..3).unwrap()[&Table::Person].num_rows(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn anybody_alone_is_as_in_the_crowd(seed: u64, number in 0..PERSONS_MAX) {
        let population = Population::new(seed, PERSONS_MAX).unwrap();
        let patient = population.patient(number);
        let chunk = population.chunk(number..number + 1).unwrap();
        let person = &chunk[&Table::Person];
        let uuid = person.column_by_name("person_source_value").unwrap().as_string::<i32>();
        prop_assert_eq!(uuid.value(0), patient.uuid.as_str());
        prop_assert_eq!(integers(person, "person_id"), &[number as i64 + 1]);
        prop_assert!(patient.encounters.is_sorted_by_key(|e| e.start));
        prop_assert!(patient.encounters.iter().all(|e| e.start <= e.stop));
        let visits = patient.encounters.len();
        prop_assert_eq!(chunk[&Table::VisitOccurrence].num_rows(), visits);
        prop_assert!(patient.conditions.iter().all(|c| c.encounter < visits));
    }
}
