//! Cohorts derived from other cohorts: unions, intersections, differences,
//! samples, matches, restrictions.
//!
//! The one central decision: a derivation works on a person's rows alone
//! (`spans`), but for exact samples and matches, which first need a choice of
//! persons over all shards. A choice is a map over shards ([`Algebra::gather`])
//! and a merge ([`Algebra::choose`]); once it is made, it too is a question to
//! each person's rows. The road not taken: SQL over the cohort table, as
//! OHDSI's CohortAlgebra has it; its semantics of days are kept.
//!
//! It knows neither threads nor places.

mod matching;
mod resolve;
mod sample;
pub mod settings;
mod spans;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use farr_records::{Day, Interval, PersonId, Shard, Table};

use matching::{Candidate, Sides};
pub use resolve::{CohortName, ToDerive};
use settings::{Derivation, Match, MinusBy, WindowKeep};

/// Rows of a cohort in a shard: a person's place in it and days, sorted. A
/// person's rows share no day.
pub type Rows = Vec<(u32, Interval)>;

/// A derived cohort of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivedCohort {
    /// `cohort_definition_id`.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// How it is derived, from cohorts by id.
    pub derivation: Derivation<i64>,
    /// The cohort whose persons the steps start from, then the derived ones
    /// that each take some away, this one last.
    pub chain: Vec<i64>,
    /// What each step after the first of the chain does, in words.
    pub steps: Vec<String>,
    /// The first of the chain, in words.
    pub base: String,
}

/// The derived cohorts of a job, each after those that it is derived from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Algebra {
    derived: Vec<DerivedCohort>,
}

/// Persons chosen over all shards, by derived cohort.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Ascending.
    persons: BTreeMap<i64, Vec<i64>>,
}

/// The persons of a shard as derivations see them.
#[derive(Debug, Clone)]
pub struct ShardPersons {
    ids: Vec<PersonId>,
    /// Year of birth and `gender_concept_id`, where derivations ask for them.
    born: Vec<(Option<i32>, Option<i64>)>,
}

/// What one shard contributes to a choice.
#[derive(Debug)]
pub struct Partial(PartialKind);

#[derive(Debug)]
enum PartialKind {
    /// Ranks and persons.
    Sample(Vec<(u64, i64)>),
    Match(Sides),
}

impl DerivedCohort {
    /// What it is, in words.
    pub fn words(&self) -> String {
        [self.base.as_str()]
            .into_iter()
            .chain(self.steps.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("; then ")
    }
}

impl ShardPersons {
    /// The persons of a shard.
    pub fn of(shard: &Shard) -> Self {
        use arrow::array::Array as _;
        let ids = shard.persons().to_vec();
        let table = shard.table(Table::Person);
        let column = |name| table.and_then(|rows| rows.integers(name));
        let value = |name, row: usize| {
            column(name).filter(|values| values.is_valid(row)).map(|values| values.value(row))
        };
        let born = (0..ids.len())
            .map(|row| {
                let year = value("year_of_birth", row).and_then(|year| i32::try_from(year).ok());
                (year, value("gender_concept_id", row).filter(|concept| *concept != 0))
            })
            .collect();
        Self { ids, born }
    }

    fn id(&self, place: u32) -> PersonId {
        self.ids[place as usize]
    }

    /// Year of the day less year of birth, as Circe counts.
    fn age(&self, place: u32, day: Day) -> Option<i32> {
        self.born[place as usize].0.map(|year| day.year() - year)
    }

    fn sex(&self, place: u32) -> Option<i64> {
        self.born[place as usize].1
    }
}

impl Choices {
    fn has(&self, cohort: i64, person: PersonId) -> bool {
        self.persons.get(&cohort).is_some_and(|chosen| chosen.binary_search(&person.0).is_ok())
    }
}

/// The rows of one cohort, taken person by person, ascending.
struct ByPerson<'a> {
    rows: &'a [(u32, Interval)],
}

impl<'a> ByPerson<'a> {
    fn next_person(&self) -> Option<u32> {
        self.rows.first().map(|row| row.0)
    }

    /// The rows of a person, who comes after those taken before.
    fn take(&mut self, person: u32) -> impl Iterator<Item = Interval> + use<'a> {
        let skipped = self.rows.iter().take_while(|row| row.0 < person).count();
        let rows = &self.rows[skipped..];
        let length = rows.iter().take_while(|row| row.0 == person).count();
        self.rows = &rows[length..];
        rows[..length].iter().map(|row| row.1)
    }
}

impl Algebra {
    /// The derived cohorts, each after those that it is derived from.
    pub fn derived(&self) -> &[DerivedCohort] {
        &self.derived
    }

    /// A derived cohort by its id.
    pub fn get(&self, id: i64) -> Option<&DerivedCohort> {
        self.derived.iter().find(|derived| derived.id == id)
    }

    /// The columns that must be read.
    pub fn needs(&self) -> BTreeMap<Table, Vec<&'static str>> {
        let asks = |derived: &DerivedCohort| match &derived.derivation {
            Derivation::Match(_) | Derivation::Demographics(_) => true,
            Derivation::Union(_)
            | Derivation::Intersection(_)
            | Derivation::Minus(_)
            | Derivation::Sample(_)
            | Derivation::Window(_)
            | Derivation::Near(_)
            | Derivation::Entry(_) => false,
        };
        let mut columns = vec!["person_id"];
        if self.derived.iter().any(asks) {
            columns.extend(["year_of_birth", "gender_concept_id"]);
        }
        if self.derived.is_empty() {
            return BTreeMap::new();
        }
        BTreeMap::from([(Table::Person, columns)])
    }

    /// Those that need a choice of persons over all shards, in order.
    pub fn choices(&self) -> impl Iterator<Item = i64> {
        self.derived.iter().filter(|derived| needs_choice(&derived.derivation)).map(|d| d.id)
    }

    /// The cohorts, derived ones and others, that choices depend on.
    pub fn behind_choices(&self) -> BTreeSet<i64> {
        let mut behind = BTreeSet::new();
        for derived in self.derived.iter().rev() {
            if needs_choice(&derived.derivation) || behind.contains(&derived.id) {
                behind.extend(derived.derivation.inputs());
            }
        }
        behind
    }

    /// Adds the derived cohorts to a shard's, those whose inputs are all there
    /// and whose choice, if they need one, is made. A cohort that is there
    /// already stays.
    pub fn derive(
        &self,
        cohorts: &mut BTreeMap<i64, Rows>,
        persons: &ShardPersons,
        choices: &Choices,
    ) {
        for derived in &self.derived {
            let derivation = &derived.derivation;
            let is_ready = derivation.inputs().into_iter().all(|id| cohorts.contains_key(id))
                && (!needs_choice(derivation) || choices.persons.contains_key(&derived.id));
            if is_ready && !cohorts.contains_key(&derived.id) {
                let rows = rows(derived, cohorts, persons, choices);
                cohorts.insert(derived.id, rows);
            }
        }
    }

    /// What a shard contributes to the choice of a derived cohort; `cohorts`
    /// hold its inputs.
    pub fn gather(
        &self,
        id: i64,
        cohorts: &BTreeMap<i64, Rows>,
        persons: &ShardPersons,
    ) -> Partial {
        let rows = |id: &i64| cohorts.get(id).map_or(&[][..], Vec::as_slice);
        let kind = match self.get(id).map(|derived| &derived.derivation) {
            Some(Derivation::Sample(s)) => {
                let ranked = first_rows(rows(&s.cohort)).map(|(place, _)| {
                    let person = persons.id(place);
                    (sample::rank(s.seed, person), person.0)
                });
                let mut ranked: Vec<(u64, i64)> = ranked.collect();
                sample::lowest(&mut ranked, s.persons.unwrap_or(u32::MAX));
                PartialKind::Sample(ranked)
            }
            Some(Derivation::Match(s)) => {
                PartialKind::Match(sides(s, rows(&s.to), rows(&s.cohort), persons))
            }
            _ => PartialKind::Sample(Vec::new()),
        };
        Partial(kind)
    }

    /// Makes the choice of a derived cohort from what the shards gave, in
    /// their order.
    pub fn choose(
        &self,
        id: i64,
        partials: impl IntoIterator<Item = Partial>,
        choices: &mut Choices,
    ) {
        let mut ranked = Vec::new();
        let mut both = Sides::default();
        let derivation = self.get(id).map(|derived| &derived.derivation);
        let persons_max = match derivation {
            Some(Derivation::Sample(s)) => s.persons.unwrap_or(u32::MAX),
            _ => u32::MAX,
        };
        for partial in partials {
            match partial.0 {
                PartialKind::Sample(more) => {
                    ranked.extend(more);
                    sample::lowest(&mut ranked, persons_max);
                }
                PartialKind::Match(more) => {
                    both.targets.extend(more.targets);
                    both.comparators.extend(more.comparators);
                }
            }
        }
        let chosen = if let Some(Derivation::Match(s)) = derivation {
            matching::matched(s, both)
        } else {
            let mut persons: Vec<i64> = ranked.into_iter().map(|(_, person)| person).collect();
            persons.sort_unstable();
            persons
        };
        choices.persons.insert(id, chosen);
    }
}

/// Whether a derivation needs a choice of persons over all shards.
fn needs_choice<C>(derivation: &Derivation<C>) -> bool {
    match derivation {
        Derivation::Sample(s) => s.persons.is_some(),
        Derivation::Match(_) => true,
        Derivation::Union(_)
        | Derivation::Intersection(_)
        | Derivation::Minus(_)
        | Derivation::Window(_)
        | Derivation::Near(_)
        | Derivation::Entry(_)
        | Derivation::Demographics(_) => false,
    }
}

/// Each person's first row.
fn first_rows(rows: &[(u32, Interval)]) -> impl Iterator<Item = (u32, Interval)> {
    rows.chunk_by(|a, b| a.0 == b.0).map(|mine| mine[0])
}

/// Who may be matched: persons whose age and sex are known, where they count;
/// a target is never a comparator.
fn sides(
    settings: &Match<i64>,
    targets: &[(u32, Interval)],
    pool: &[(u32, Interval)],
    persons: &ShardPersons,
) -> Sides {
    let candidate = |(place, first): (u32, Interval)| {
        let person = persons.id(place);
        Some(Candidate {
            rank: sample::rank(settings.seed, person),
            person: person.0,
            sex: if settings.sex { persons.sex(place)? } else { 0 },
            age: match settings.age_years {
                Some(_) => persons.age(place, first.start)?,
                None => 0,
            },
            index: first.start,
        })
    };
    let is_target = |place: u32| targets.binary_search_by_key(&place, |row| row.0).is_ok();
    Sides {
        targets: first_rows(targets).filter_map(candidate).collect(),
        comparators: first_rows(pool)
            .filter(|(place, _)| !is_target(*place))
            .filter_map(candidate)
            .collect(),
    }
}

/// The rows of a derived cohort; `cohorts` hold its inputs.
fn rows(
    derived: &DerivedCohort,
    cohorts: &BTreeMap<i64, Rows>,
    persons: &ShardPersons,
    choices: &Choices,
) -> Rows {
    let of = |id: &i64| ByPerson { rows: cohorts.get(id).map_or(&[][..], Vec::as_slice) };
    let mut out = Rows::new();
    let derivation = &derived.derivation;
    if let Derivation::Union(s) = derivation {
        let mut inputs: Vec<ByPerson> = s.cohorts.iter().map(of).collect();
        let mut spans = Vec::new();
        while let Some(person) = inputs.iter().filter_map(ByPerson::next_person).min() {
            spans.clear();
            spans.extend(inputs.iter_mut().flat_map(|rows| rows.take(person)));
            spans::union(&mut spans, s.gap_days);
            out.extend(spans.iter().map(|span| (person, *span)));
        }
        return out;
    }
    // All others keep or cut rows of their first input.
    let mut inputs = derivation.inputs().into_iter().map(of);
    let Some(mut main) = inputs.next() else { return out };
    let mut others: Vec<ByPerson> = inputs.collect();
    let (mut mine, mut kept) = (Vec::new(), Vec::new());
    while let Some(person) = main.next_person() {
        mine.clear();
        mine.extend(main.take(person));
        kept.clear();
        let at = At { derived: derived.id, place: person, persons, choices };
        restrict(derivation, &mut mine, &mut others, at, &mut kept);
        out.extend(kept.iter().map(|span| (person, *span)));
    }
    out
}

/// The person at hand.
#[derive(Clone, Copy)]
struct At<'a> {
    derived: i64,
    place: u32,
    persons: &'a ShardPersons,
    choices: &'a Choices,
}

/// What a derivation leaves of a person's rows `mine`, put into `kept`, which
/// is empty; `mine` serves as scratch space.
fn restrict(
    derivation: &Derivation<i64>,
    mine: &mut Vec<Interval>,
    others: &mut [ByPerson<'_>],
    at: At<'_>,
    kept: &mut Vec<Interval>,
) {
    let person = at.persons.id(at.place);
    let mut spans_of = |other: usize| -> Vec<Interval> {
        others.get_mut(other).map_or_else(Vec::new, |rows| rows.take(at.place).collect())
    };
    match derivation {
        // Not a restriction: see `rows`.
        Derivation::Union(_) => {}
        Derivation::Intersection(s) => {
            for other in 1..s.cohorts.len() {
                kept.clear();
                spans::intersection(mine, &spans_of(other - 1), kept);
                std::mem::swap(mine, kept);
            }
            std::mem::swap(mine, kept);
        }
        Derivation::Minus(s) => {
            let mut without: Vec<Interval> = (0..s.without.len()).flat_map(spans_of).collect();
            spans::union(&mut without, 0);
            match s.by {
                MinusBy::Days => spans::minus(mine, &without, kept),
                MinusBy::Rows => spans::minus_rows(mine, &without, kept),
                MinusBy::Persons if without.is_empty() => kept.append(mine),
                MinusBy::Persons => {}
            }
        }
        Derivation::Sample(s) => {
            let is_in = match s.fraction {
                Some(fraction) => sample::is_in(s.seed, person, fraction),
                None => at.choices.has(at.derived, person),
            };
            if is_in {
                kept.append(mine);
            }
        }
        Derivation::Match(_) => {
            if at.choices.has(at.derived, person) {
                kept.extend(mine.first());
            }
        }
        Derivation::Window(s) => {
            let window = (s.from.map(|day| day.0), s.to.map(|day| day.0));
            match s.keep {
                WindowKeep::Days => spans::cut(mine, window, kept),
                WindowKeep::Starts => spans::starting(mine, window, kept),
            }
        }
        Derivation::Near(s) => {
            spans::near(mine, &spans_of(0), (s.date, s.of_date), s.window, s.keep, kept);
        }
        Derivation::Entry(s) => kept.extend(spans::nth(mine, s.nth)),
        Derivation::Demographics(s) => {
            let fits = s.sex.is_none_or(|sex| at.persons.sex(at.place) == Some(sex.concept().0));
            let of_age = |row: &Interval| {
                let Some(range) = s.age else { return true };
                let age = at.persons.age(at.place, row.start);
                age.is_some_and(|age| {
                    range.min.is_none_or(|min| i32::from(min) <= age)
                        && range.max.is_none_or(|max| age <= i32::from(max))
                })
            };
            if fits {
                kept.extend(mine.iter().copied().filter(of_age));
            }
        }
    }
}

/// How many persons a shard has in each cohort of a derived cohort's chain.
pub fn persons_along(chain: &[i64], cohorts: &BTreeMap<i64, Rows>) -> Vec<u64> {
    let count = |id: &i64| cohorts.get(id).map_or(0, |rows| first_rows(rows).count() as u64);
    chain.iter().map(count).collect()
}
