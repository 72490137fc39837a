//! The report of `incidence`: one row a target, time at risk, subgroup,
//! outcome and stratum.

use std::collections::BTreeMap;

use farr_disclosure::{AggregateTable, CellReference, Term};
use farr_stats::estimate::{Estimate, EstimateError};
use farr_stats::{proportion, rates};

use super::{Incidence, OutcomeCounts, RiskCounts, StratumKey, Tally, TargetKey};
use crate::Error;
use crate::overlap::persons_of;

/// Days of a person-year.
const DAYS_PER_YEAR: f64 = 365.25;

struct Row {
    key: TargetKey,
    outcome: i64,
    stratum: StratumKey,
    risk: RiskCounts,
    counts: OutcomeCounts,
}

impl Row {
    fn persons_at_risk(&self) -> i64 {
        self.risk.persons - self.counts.excluded_persons
    }

    fn person_days(&self) -> i64 {
        self.risk.days - self.counts.excluded_days
    }

    fn person_years(&self) -> f64 {
        self.person_days() as f64 / DAYS_PER_YEAR
    }
}

/// Counts by stratum.
type Counts = BTreeMap<(TargetKey, StratumKey), Tally>;

fn rows(analysis: &Incidence, merged: &Counts) -> Vec<Row> {
    let nobody = Tally::default();
    let mut rows = Vec::new();
    let subgroups: Vec<i64> =
        [0].into_iter().chain(analysis.subgroups.iter().map(|subgroup| subgroup.id)).collect();
    for &target in &analysis.targets {
        for time in &analysis.times_at_risk {
            for &subgroup in &subgroups {
                let key = TargetKey { target, time_at_risk: time.id, subgroup };
                let mut strata: Vec<(StratumKey, &Tally)> = merged
                    .range((key, StratumKey::default())..)
                    .take_while(|((other, _), _)| *other == key)
                    .map(|((_, stratum), tally)| (*stratum, tally))
                    .collect();
                if strata.is_empty() {
                    strata.push((StratumKey::default(), &nobody));
                }
                for (place, outcome) in analysis.outcomes.iter().enumerate() {
                    rows.extend(strata.iter().map(|(stratum, tally)| Row {
                        key,
                        outcome: outcome.id,
                        stratum: *stratum,
                        risk: tally.risk,
                        counts: tally.outcomes.get(place).copied().unwrap_or_default(),
                    }));
                }
            }
        }
    }
    rows
}

/// Estimate, lower and upper bound, each times 100; null where nobody is at risk.
type Estimates = [Vec<Option<f64>>; 3];

/// The estimates of numerators and of denominators that are above zero.
fn estimates<N: Copy, D: Copy + PartialOrd + Default>(
    analysis: &Incidence,
    parts: impl Iterator<Item = (N, D)> + Clone,
    of: impl Fn(&[N], &[D], f64) -> Result<Vec<Estimate>, EstimateError>,
) -> Result<Estimates, Error> {
    let has = |denominator: D| denominator > D::default();
    let (numerators, denominators): (Vec<N>, Vec<D>) = parts.clone().filter(|p| has(p.1)).unzip();
    let given = of(&numerators, &denominators, analysis.confidence_level);
    let failed =
        |e: EstimateError| Error::Kernel { analysis: analysis.name.clone(), reason: e.to_string() };
    let mut given = given.map_err(failed)?.into_iter();
    let mut columns: Estimates = Default::default();
    for (_, denominator) in parts {
        let estimate = if has(denominator) { given.next() } else { None };
        let values = estimate.map(|e| [e.estimate, e.lower, e.upper]);
        for (column, i) in columns.iter_mut().zip(0..) {
            column.push(values.map(|values| values[i] * 100.0));
        }
    }
    Ok(columns)
}

pub(super) fn tables(analysis: &Incidence, merged: &Counts) -> Result<Vec<AggregateTable>, Error> {
    let rows = rows(analysis, merged);
    let cases = rows.iter().map(|r| (r.counts.persons as u64, r.persons_at_risk().max(0) as u64));
    let [proportion, proportion_lower, proportion_upper] =
        estimates(analysis, cases, proportion::wilson_each)?;
    let events = rows.iter().map(|r| (r.counts.outcomes as u64, r.person_years()));
    let [rate, rate_lower, rate_upper] = estimates(analysis, events, rates::incidence_rate_each)?;
    let count = |of: fn(&Row) -> i64| rows.iter().map(of).collect::<Vec<i64>>();
    let key = |of: fn(&Row) -> Option<i64>| rows.iter().map(of).collect::<Vec<Option<i64>>>();
    let group_name = |row: &Row| {
        let place = usize::try_from(row.stratum.age_group? - 1).ok()?;
        analysis.age_groups.get(place).map(|group| group.name())
    };
    let persons = ["persons_at_risk_pe", "persons_at_risk"];
    let cases = ["person_outcomes_pe", "person_outcomes"];
    let events = ["outcomes_pe", "outcomes"];
    let counted: Vec<&str> = persons.into_iter().chain(cases).collect();
    let mut table = AggregateTable::build(
        &analysis.name,
        "Incidence proportions and rates, as OHDSI's CohortIncidence defines them.",
    )
    .key("target_cohort_definition_id", "Target cohort.", count(|r| r.key.target))
    .key("tar_id", "Time at risk.", count(|r| r.key.time_at_risk))
    .key("subgroup_id", "Subgroup of the target; 0 for all.", count(|r| r.key.subgroup))
    .key("outcome_id", "Outcome.", count(|r| r.outcome))
    .key("age_group_id", "Age group at the start of time at risk.", key(|r| r.stratum.age_group))
    .key("gender_id", "`gender_concept_id` of the persons.", key(|r| r.stratum.gender))
    .key("start_year", "Year in which time at risk starts.", key(|r| r.stratum.year))
    .plain("age_group", "Ages of the group.", "", rows.iter().map(group_name).collect::<Vec<_>>())
    .count(persons[0], "Persons at risk before exclusion.", "persons", count(|r| r.risk.persons))
    .count(persons[1], "Persons at risk.", "persons", count(Row::persons_at_risk))
    .count(
        cases[0],
        "Persons with an outcome, excluded time too.",
        "persons",
        count(|r| r.counts.persons_before),
    )
    .count(cases[1], "Persons with an outcome at risk.", "persons", count(|r| r.counts.persons))
    // Where one outcome a person counts, these are the persons again.
    .derived_from(&cases[..1], events[0], "Outcomes, excluded time too.", "events", {
        count(|r| r.counts.outcomes_before)
    })
    .derived_from(&cases[1..], events[1], "Outcomes at risk.", "events", {
        count(|r| r.counts.outcomes)
    })
    .derived_from(&persons[..1], "person_days_pe", "Time at risk before exclusion.", "days", {
        count(|r| r.risk.days)
    })
    .derived_from(&persons, "person_days", "Time at risk.", "days", count(Row::person_days))
    .derived_from(&persons, "person_years", "Time at risk.", "years", {
        rows.iter().map(Row::person_years).collect::<Vec<f64>>()
    });
    for (name, about, values) in [
        ("incidence_proportion_p100p", "Persons with an outcome per 100 at risk.", proportion),
        ("incidence_proportion_p100p_lower", "Wilson's lower bound.", proportion_lower),
        ("incidence_proportion_p100p_upper", "Wilson's upper bound.", proportion_upper),
    ] {
        table = table.derived(name, about, "per 100 persons", floats(values));
    }
    for (name, about, values) in [
        ("incidence_rate_p100py", "Outcomes per 100 person-years.", rate),
        ("incidence_rate_p100py_lower", "Exact Poisson lower bound.", rate_lower),
        ("incidence_rate_p100py_upper", "Exact Poisson upper bound.", rate_upper),
    ] {
        table = table.derived(name, about, "per 100 person-years", floats(values));
    }
    table = table
        .row_part(persons[1], persons[0])
        .row_part(cases[1], cases[0])
        .row_part(cases[1], persons[1])
        .total_over("gender_id", &counted)
        .union_over("start_year", &counted)
        // Who is at risk before exclusion does not depend on the outcome.
        .quantities(persons[0], {
            rows.iter().map(|row| Some(at_risk_before_exclusion(&analysis.name, row))).collect()
        });
    if analysis.age_divisions == 1 {
        table = table.union_over("age_group_id", &counted);
    }
    for terms in not_at_risk_relations(&rows) {
        table = table.sum(terms);
    }
    for terms in subgroup_relations(&rows) {
        table = table.sum(terms);
    }
    let failed = |source| Error::Table { analysis: analysis.name.clone(), source };
    Ok(vec![table.finish().map_err(failed)?])
}

/// What the persons at risk before exclusion of a target's stratum are called.
fn at_risk_before_exclusion(analysis: &str, row: &Row) -> String {
    let TargetKey { target, time_at_risk, subgroup } = row.key;
    let StratumKey { age_group, gender, year } = row.stratum;
    let mut name = format!("{analysis}/{target}/{time_at_risk}/{subgroup}");
    for key in [age_group, gender, year] {
        name.push('/');
        // A total has none.
        if let Some(key) = key {
            name.push_str(&key.to_string());
        }
    }
    name + "/persons_at_risk_pe"
}

fn floats(values: Vec<Option<f64>>) -> arrow::array::ArrayRef {
    std::sync::Arc::new(arrow::array::Float64Array::from(values))
}

/// Those of a cohort who have no time at risk can be taken from its size and
/// those at risk.
fn not_at_risk_relations(rows: &[Row]) -> Vec<Vec<Term>> {
    let is_total = |row: &Row| row.key.subgroup == 0 && row.stratum == StratumKey::default();
    let totals = rows.iter().enumerate().filter(|(_, row)| is_total(row));
    totals
        .map(|(place, row)| {
            let column = "persons_at_risk_pe".to_owned();
            vec![
                Term { sign: 1, cell: CellReference::Quantity(persons_of(row.key.target)) },
                Term { sign: -1, cell: CellReference::Cell { column, row: place } },
                Term { sign: -1, cell: CellReference::Hidden },
            ]
        })
        .collect()
}

/// Those outside a subgroup can be taken from all and those inside.
fn subgroup_relations(rows: &[Row]) -> Vec<Vec<Term>> {
    let mut relations = Vec::new();
    for (row, inside) in rows.iter().enumerate().filter(|(_, row)| row.key.subgroup != 0) {
        let whole = rows.iter().position(|all| {
            let key = TargetKey { subgroup: 0, ..inside.key };
            all.key == key && all.outcome == inside.outcome && all.stratum == inside.stratum
        });
        let Some(whole) = whole else { continue };
        for column in ["persons_at_risk_pe", "persons_at_risk", "person_outcomes"] {
            let cell = |row| CellReference::Cell { column: column.to_owned(), row };
            relations.push(vec![
                Term { sign: 1, cell: cell(whole) },
                Term { sign: -1, cell: cell(row) },
                Term { sign: -1, cell: CellReference::Hidden },
            ]);
        }
    }
    relations
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use farr_disclosure::{Labelled, Policy, release};

    use super::*;
    use crate::IncidenceSettings;

    const SEXES: [i64; 2] = [8507, 8532];
    const YEARS: [i64; 4] = [2018, 2019, 2020, 2021];

    /// Counts of a year and sex are drawn, totals added up: the strata of a
    /// time at risk within one year, so that nobody counts in two.
    fn drawn(seed: u64) -> Counts {
        let mut state = seed;
        let mut below = |bound: i64| {
            state = state * 48_271 % 2_147_483_647;
            (state % bound as u64) as i64
        };
        let key = TargetKey { target: 1, time_at_risk: 1, subgroup: 0 };
        let mut merged = Counts::default();
        for year in YEARS {
            for gender in SEXES {
                let persons = below(30);
                let outcomes = [0, 1].map(|place| {
                    let cases = below(persons.min(8) + 1);
                    (place, cases, below((persons - cases).min(6) + 1))
                });
                for (gender, year) in [
                    (Some(gender), Some(year)),
                    (Some(gender), None),
                    (None, Some(year)),
                    (None, None),
                ] {
                    let stratum = StratumKey { gender, year, ..StratumKey::default() };
                    let tally = merged.entry((key, stratum)).or_default();
                    tally.risk.persons += persons;
                    tally.risk.days += 100 * persons;
                    for (place, cases, excluded) in outcomes {
                        tally.outcome(place).add(&OutcomeCounts {
                            excluded_persons: excluded,
                            excluded_days: 100 * excluded,
                            persons_before: cases,
                            persons: cases,
                            outcomes_before: cases,
                            outcomes: cases,
                        });
                    }
                }
            }
        }
        merged
    }

    /// Persons at risk before exclusion are the same for every outcome: what is
    /// withheld for one must not be copied from another.
    #[test]
    fn what_one_outcome_withholds_no_other_shows() {
        let text = r#"{"targets": [1], "outcomes": [{"cohort": 2}, {"cohort": 3}],
            "strata": ["sex", "year"]}"#;
        let settings: IncidenceSettings = serde_json::from_str(text).unwrap();
        let analysis = Incidence::new(&settings).unwrap();
        let mut withheld = 0;
        for seed in 1..=20 {
            let tables = tables(&analysis, &drawn(seed)).unwrap();
            let tables = tables.into_iter().map(Labelled::aggregate).collect();
            let released = release(tables, &Policy::default()).unwrap();
            let batch = released[0].get().batch();
            let column = |name: &str| {
                let column = batch.column_by_name(name).unwrap();
                column.as_primitive::<Int64Type>().iter().collect::<Vec<Option<i64>>>()
            };
            let strata = column("gender_id").into_iter().zip(column("start_year"));
            let mut known: BTreeMap<_, Option<i64>> = BTreeMap::new();
            for (stratum, shown) in strata.zip(column("persons_at_risk_pe")) {
                let first = *known.entry(stratum).or_insert(shown);
                assert_eq!(first, shown, "seed {seed}, {stratum:?}");
                withheld += usize::from(shown.is_none());
            }
        }
        assert!(withheld > 0, "nothing was withheld, so nothing was tested");
    }
}
