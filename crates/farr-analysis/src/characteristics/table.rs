//! The reports of `characteristics`: counts, ages, and standardised mean
//! differences from the first cohort.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use farr_disclosure::{AggregateTable, TableBuilder};

use super::{Characteristics, Cohort, Partial, Variable};
use crate::concepts::Concept;
use crate::overlap::persons_of;
use crate::{Concepts, Error};

pub(super) fn tables(
    analysis: &Characteristics,
    merged: &Partial,
    concepts: &Concepts,
) -> Result<Vec<AggregateTable>, Error> {
    let variables = variables(analysis, merged);
    let names = concepts.of(&concepts_of(&variables));
    let cohorts: Vec<(i64, &Cohort)> = analysis
        .cohorts
        .iter()
        .filter_map(|id| merged.cohorts.get(id).map(|cohort| (*id, cohort)))
        .collect();
    let failed = |source| Error::Table { analysis: analysis.name.clone(), source };
    let mut tables = vec![
        counts(analysis, &cohorts, &variables, &names).map_err(failed)?,
        ages(analysis, &cohorts).map_err(failed)?,
    ];
    if cohorts.len() > 1 {
        tables.push(differences(analysis, &cohorts, &variables, &names).map_err(failed)?);
    }
    Ok(tables)
}

/// The concepts that the tables have.
pub(super) fn named(analysis: &Characteristics, merged: &Partial) -> BTreeSet<i64> {
    concepts_of(&variables(analysis, merged))
}

fn concepts_of(variables: &[Variable]) -> BTreeSet<i64> {
    variables.iter().filter_map(|variable| concept_of(*variable)).collect()
}

/// Every variable that some cohort has often enough, sexes and age groups all.
fn variables(analysis: &Characteristics, merged: &Partial) -> Vec<Variable> {
    let mut largest: BTreeMap<Variable, i64> = BTreeMap::new();
    for cohort in merged.cohorts.values() {
        for (variable, count) in &cohort.counts {
            let most = largest.entry(*variable).or_default();
            *most = (*most).max(*count);
        }
    }
    let groups = (0..analysis.age_groups.len()).map(Variable::AgeGroup);
    let kept = largest.into_iter().filter(|(variable, most)| match variable {
        Variable::Concept { .. } => *most >= analysis.persons_min,
        Variable::Age | Variable::Sex(_) | Variable::AgeGroup(_) => true,
    });
    kept.map(|(variable, _)| variable).chain(groups).collect::<BTreeSet<_>>().into_iter().collect()
}

fn concept_of(variable: Variable) -> Option<i64> {
    match variable {
        Variable::Sex(concept) | Variable::Concept { concept, .. } => Some(concept),
        Variable::Age | Variable::AgeGroup(_) => None,
    }
}

type Names = BTreeMap<i64, Concept>;

/// What the concepts of rows are called.
fn with_names(table: TableBuilder, rows: &[(i64, Variable)], names: &Names) -> TableBuilder {
    let of = |text: fn(&Concept) -> &Option<String>| {
        let text = |variable: Variable| {
            concept_of(variable).and_then(|id| names.get(&id)).and_then(|c| text(c).clone())
        };
        rows.iter().map(|(_, variable)| text(*variable)).collect::<Vec<Option<String>>>()
    };
    table
        .plain("concept_name", "The concept's name; null if the store has none.", "", {
            of(|concept| &concept.name)
        })
        .plain("vocabulary_id", "The vocabulary of its code.", "", {
            of(|concept| &concept.vocabulary_id)
        })
        .plain("concept_code", "Its code there.", "", of(|concept| &concept.code))
}

/// The key columns of a variable.
struct Keys {
    name: Vec<String>,
    first_day: Vec<Option<i64>>,
    last_day: Vec<Option<i64>>,
    concept: Vec<Option<i64>>,
    level: Vec<Option<String>>,
}

fn keys(analysis: &Characteristics, rows: &[(i64, Variable)]) -> Keys {
    let window = |variable: &Variable| match variable {
        Variable::Concept { window, .. } => analysis.windows.get(*window).copied(),
        Variable::Age | Variable::Sex(_) | Variable::AgeGroup(_) => None,
    };
    let name = |variable: &Variable| match variable {
        Variable::Age => "age",
        Variable::Sex(_) => "sex",
        Variable::AgeGroup(_) => "age_group",
        Variable::Concept { domain, .. } => domain.name(),
    };
    let level = |variable: &Variable| match variable {
        Variable::AgeGroup(place) => Some(analysis.age_groups[*place].name()),
        Variable::Age | Variable::Sex(_) | Variable::Concept { .. } => None,
    };
    Keys {
        name: rows.iter().map(|(_, v)| name(v).to_owned()).collect(),
        first_day: rows.iter().map(|(_, v)| window(v).map(|(day, _)| i64::from(day))).collect(),
        last_day: rows.iter().map(|(_, v)| window(v).map(|(_, day)| i64::from(day))).collect(),
        concept: rows.iter().map(|(_, v)| concept_of(*v)).collect(),
        level: rows.iter().map(|(_, v)| level(v)).collect(),
    }
}

/// The quantity of a count, by which tables agree on it.
fn quantity(analysis: &Characteristics, cohort: i64, variable: Variable) -> String {
    format!("{}/{cohort}/{variable:?}", analysis.name)
}

/// The quantity of a cohort's persons of known age: if that is everybody, they
/// are the cohort.
fn with_age(analysis: &Characteristics, cohort: i64, is_all: bool) -> String {
    if is_all { persons_of(cohort) } else { quantity(analysis, cohort, Variable::Age) }
}

fn share(count: i64, persons: i64) -> f64 {
    count as f64 / persons as f64
}

fn defined(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    let values = values.into_iter().map(|x| x.is_finite().then_some(x));
    Arc::new(values.collect::<Float64Array>())
}

fn counts(
    analysis: &Characteristics,
    cohorts: &[(i64, &Cohort)],
    variables: &[Variable],
    names: &Names,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let (mut rows, mut n, mut persons) = (Vec::new(), Vec::new(), Vec::new());
    for (id, cohort) in cohorts {
        for variable in variables {
            rows.push((*id, *variable));
            n.push(cohort.counts.get(variable).copied().unwrap_or_default());
            persons.push(cohort.persons);
        }
    }
    let shares = n.iter().zip(&persons).map(|(n, persons)| share(*n, *persons));
    let shares = defined(shares.collect::<Vec<f64>>());
    let keys = keys(analysis, &rows);
    let table =
        AggregateTable::build(&analysis.name, "Persons of each cohort with each characteristic.")
            .key("cohort_definition_id", "The cohort.", {
                rows.iter().map(|(id, _)| *id).collect::<Vec<i64>>()
            })
            .key("variable", "sex, age_group, or the domain of the records.", keys.name)
            .key("window_start_day", "First day, from the index date.", keys.first_day)
            .key("window_end_day", "Last day, from the index date.", keys.last_day)
            .key("concept_id", "The concept.", keys.concept)
            .key("level", "The age group.", keys.level);
    with_names(table, &rows, names)
        .count("n_with", "Persons with it.", "persons", n)
        .count("n_persons", "Persons in the cohort.", "persons", persons)
        .derived("proportion", "n_with / n_persons.", "", shares)
        .row_part("n_with", "n_persons")
        .quantities(
            "n_with",
            rows.iter().map(|(id, v)| Some(quantity(analysis, *id, *v))).collect(),
        )
        .quantities("n_persons", rows.iter().map(|(id, _)| Some(persons_of(*id))).collect())
        .finish()
}

/// Mean, spread (n - 1) and type 7 quantiles of whole numbers with counts.
#[derive(Default)]
struct Spread {
    n: i64,
    mean: f64,
    variance: f64,
    quantiles: [f64; 5],
}

fn spread(ages: &BTreeMap<i32, i64>) -> Spread {
    let n: i64 = ages.values().sum();
    if n == 0 {
        let nan = f64::NAN;
        return Spread { n, mean: nan, variance: nan, quantiles: [nan; 5] };
    }
    // Sums of whole numbers are exact: n * sum of squares - square of the sum.
    let sum: i128 = ages.iter().map(|(age, n)| i128::from(*age) * i128::from(*n)).sum();
    let squares: i128 = ages.iter().map(|(age, n)| i128::from(*age).pow(2) * i128::from(*n)).sum();
    let n_wide = i128::from(n);
    let variance = (n_wide * squares - sum * sum) as f64 / (n_wide * (n_wide - 1)) as f64;
    let at = |rank: i64| {
        let mut passed = 0;
        let found = ages.iter().find(|(_, n)| {
            passed += **n;
            passed > rank
        });
        found.map_or(f64::NAN, |(age, _)| f64::from(*age))
    };
    let quantile = |p: f64| {
        let place = (n - 1) as f64 * p;
        let (below, part) = (at(place.floor() as i64), place.fract());
        if part > 0.0 { below + part * (at(place.floor() as i64 + 1) - below) } else { below }
    };
    let quantiles = [0.0, 0.25, 0.5, 0.75, 1.0].map(quantile);
    Spread { n, mean: sum as f64 / n as f64, variance, quantiles }
}

fn ages(
    analysis: &Characteristics,
    cohorts: &[(i64, &Cohort)],
) -> Result<AggregateTable, farr_disclosure::Error> {
    let spreads: Vec<Spread> = cohorts.iter().map(|(_, cohort)| spread(&cohort.ages)).collect();
    let column = |of: &dyn Fn(&Spread) -> f64| defined(spreads.iter().map(of).collect::<Vec<_>>());
    let mut table = AggregateTable::build(
        &format!("{}_age", analysis.name),
        "Age on the index date, by cohort.",
    )
    .key("cohort_definition_id", "The cohort.", {
        cohorts.iter().map(|(id, _)| *id).collect::<Vec<i64>>()
    })
    .count("n_persons", "Persons in the cohort.", "persons", {
        cohorts.iter().map(|(_, cohort)| cohort.persons).collect::<Vec<i64>>()
    })
    .count("n_with_age", "Persons whose age is known.", "persons", {
        spreads.iter().map(|s| s.n).collect::<Vec<i64>>()
    })
    .derived("mean", "Mean age.", "years", column(&|s| s.mean))
    .derived("standard_deviation", "Standard deviation (n - 1).", "years", {
        column(&|s| s.variance.sqrt())
    });
    // The youngest and oldest are single persons; quartiles stand for many.
    for (place, name, about) in [
        (1, "quartile_1", "First quartile (type 7)."),
        (2, "median", "Median (type 7)."),
        (3, "quartile_3", "Third quartile (type 7)."),
    ] {
        table = table.derived(name, about, "years", column(&|s| s.quantiles[place]));
    }
    table
        .row_part("n_with_age", "n_persons")
        .quantities("n_persons", cohorts.iter().map(|(id, _)| Some(persons_of(*id))).collect())
        // Everybody's age is known as a rule, which a reader will guess.
        .quantities("n_with_age", {
            let known = cohorts.iter().zip(&spreads);
            known.map(|((id, c), s)| Some(with_age(analysis, *id, s.n == c.persons))).collect()
        })
        .finish()
}

/// Cohen's d with the mean of the two variances: Austin 2009, eq. 1 and 2.
fn standardised(difference: f64, variance: f64, other_variance: f64) -> f64 {
    difference / f64::midpoint(variance, other_variance).sqrt()
}

fn differences(
    analysis: &Characteristics,
    cohorts: &[(i64, &Cohort)],
    variables: &[Variable],
    names: &Names,
) -> Result<AggregateTable, farr_disclosure::Error> {
    let Some(((first_id, first), others)) = cohorts.split_first() else {
        return AggregateTable::build(&analysis.name, "").finish();
    };
    let mut rows = Vec::new();
    let (mut n, mut persons) = (Vec::new(), Vec::new());
    let (mut n_first, mut smd) = (Vec::new(), Vec::new());
    let first_spread = spread(&first.ages);
    for (id, cohort) in others {
        let own = spread(&cohort.ages);
        rows.push((*id, Variable::Age));
        n.push(own.n);
        persons.push(cohort.persons);
        n_first.push(first_spread.n);
        let difference = own.mean - first_spread.mean;
        smd.push(standardised(difference, own.variance, first_spread.variance));
        for variable in variables {
            let of = |cohort: &Cohort| cohort.counts.get(variable).copied().unwrap_or_default();
            let (p, q) = (share(of(cohort), cohort.persons), share(of(first), first.persons));
            rows.push((*id, *variable));
            n.push(of(cohort));
            persons.push(cohort.persons);
            n_first.push(of(first));
            smd.push(standardised(p - q, p * (1.0 - p), q * (1.0 - q)));
        }
    }
    let name_of = |id: i64, variable: Variable| {
        if variable != Variable::Age {
            return Some(quantity(analysis, id, variable));
        }
        let cohort = cohorts.iter().find(|(other, _)| *other == id)?.1;
        Some(with_age(analysis, id, spread(&cohort.ages).n == cohort.persons))
    };
    let keys = keys(analysis, &rows);
    let all_rows = rows.len();
    let table = AggregateTable::build(
        &format!("{}_smd", analysis.name),
        "Standardised mean differences of each cohort from the first.",
    )
    .key("cohort_definition_id", "The cohort.", {
        rows.iter().map(|(id, _)| *id).collect::<Vec<i64>>()
    })
    .key("comparator_cohort_definition_id", "The first cohort.", vec![*first_id; all_rows])
    .key("variable", "sex, age_group, or the domain of the records.", keys.name)
    .key("window_start_day", "First day, from the index date.", keys.first_day)
    .key("window_end_day", "Last day, from the index date.", keys.last_day)
    .key("concept_id", "The concept.", keys.concept)
    .key("level", "The age group.", keys.level);
    with_names(table, &rows, names)
        .count("n_with", "Persons of the cohort with it.", "persons", n)
        .count("n_persons", "Persons in the cohort.", "persons", persons)
        .count("n_with_comparator", "Persons of the first cohort with it.", "persons", n_first)
        .count("n_persons_comparator", "Persons in the first cohort.", "persons", {
            vec![first.persons; all_rows]
        })
        .derived("standardised_mean_difference", "The difference by the mean spread.", "", {
            defined(smd)
        })
        .quantities("n_with", rows.iter().map(|(id, v)| name_of(*id, *v)).collect())
        .quantities("n_persons", rows.iter().map(|(id, _)| Some(persons_of(*id))).collect())
        .quantities("n_with_comparator", {
            rows.iter().map(|(_, v)| name_of(*first_id, *v)).collect()
        })
        .quantities("n_persons_comparator", vec![Some(persons_of(*first_id)); all_rows])
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ages 20, 30, 30, 60: mean 35, squares 400 + 900 + 900 + 3600 = 5800,
    /// variance (5800 - 4 * 35^2) / 3 = 300; quartiles at places 0.75, 1.5 and
    /// 2.25: 20 + 0.75 * 10 = 27.5, 30, 30 + 0.25 * 30 = 37.5.
    #[test]
    fn spread_by_hand() {
        let spread = spread(&BTreeMap::from([(20, 1), (30, 2), (60, 1)]));
        assert_eq!(spread.n, 4);
        assert!((spread.mean - 35.0).abs() < 1e-12);
        assert!((spread.variance - 300.0).abs() < 1e-12);
        assert_eq!(spread.quantiles, [20.0, 27.5, 30.0, 37.5, 60.0]);
    }

    #[test]
    fn nobody_has_no_mean() {
        assert!(spread(&BTreeMap::new()).mean.is_nan());
        assert!(spread(&BTreeMap::from([(40, 1)])).variance.is_nan());
    }
}
