//! The three functions of an analysis, and any analysis of a job file as one
//! type, so that a run can hold a list of them.

use std::collections::{BTreeMap, BTreeSet};

use farr_disclosure::{Aggregate, AggregateTable, Labelled};
use farr_records::Table;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::attrition::Attrition;
use crate::characteristics::Characteristics;
use crate::composition::Composition;
use crate::cumulative_incidence::CumulativeIncidence;
use crate::incidence::Incidence;
use crate::overlap::Overlap;
use crate::prevalence::Prevalence;
use crate::regression::Regression;
use crate::survival::Survival;
use crate::{
    Concepts, Error, Settings, ShardView, attrition, characteristics, composition,
    cumulative_incidence, incidence, overlap, prevalence, regression, survival,
};

/// Which columns of which tables an analysis reads.
pub type Needs = BTreeMap<Table, Vec<&'static str>>;

/// An analysis: a shard becomes a partial, partials are merged in shard order,
/// the merged one becomes tables.
pub trait Analysis {
    /// What one shard contributes. It is person-level unless its analysis says
    /// otherwise, and leaves the process only for a place that holds records.
    type Partial: Send + Default + Serialize + DeserializeOwned;

    /// What must be read of the records.
    fn needs(&self) -> Needs;

    /// One shard's contribution.
    fn shard(&self, view: &ShardView<'_>) -> Result<Self::Partial, Error>;

    /// Adds what came later in shard order.
    fn merge(&self, into: &mut Self::Partial, later: Self::Partial);

    /// The concepts whose names its tables have.
    fn named(&self, _merged: &Self::Partial) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    /// The report's tables, in which concepts have the names given.
    fn finish(
        &self,
        merged: Self::Partial,
        concepts: &Concepts,
    ) -> Result<Vec<AggregateTable>, Error>;
}

macro_rules! any_analysis {
    ($($name:ident => $module:ident),* $(,)?) => {
        /// Any analysis of a job file.
        #[derive(Debug, Clone)]
        pub enum AnyAnalysis {
            $(#[doc = concat!("See the settings of `", stringify!($module), "`.")] $name($name),)*
        }

        /// A partial of any analysis.
        #[derive(Debug, Serialize, Deserialize)]
        pub enum AnyPartial {
            $(#[doc = concat!("Of `", stringify!($module), "`.")] $name($module::Partial),)*
        }

        impl AnyAnalysis {
            /// An empty partial, to merge into.
            pub fn empty(&self) -> AnyPartial {
                match self {
                    $(Self::$name(_) => AnyPartial::$name($module::Partial::default()),)*
                }
            }

            /// What must be read of the records.
            pub fn needs(&self) -> Needs {
                match self { $(Self::$name(analysis) => analysis.needs(),)* }
            }

            /// One shard's contribution.
            pub fn shard(&self, view: &ShardView<'_>) -> Result<AnyPartial, Error> {
                match self {
                    $(Self::$name(analysis) => analysis.shard(view).map(AnyPartial::$name),)*
                }
            }

            /// The concepts whose names its tables have.
            pub fn named(&self, merged: &AnyPartial) -> BTreeSet<i64> {
                match (self, merged) {
                    $((Self::$name(analysis), AnyPartial::$name(merged)) => {
                        analysis.named(merged)
                    })*
                    _ => BTreeSet::new(),
                }
            }

            /// Adds what came later in shard order; a partial of another
            /// analysis cannot be, and is left out.
            pub fn merge(&self, into: &mut AnyPartial, later: AnyPartial) {
                match (self, into, later) {
                    $((Self::$name(a), AnyPartial::$name(i), AnyPartial::$name(l)) => {
                        a.merge(i, l);
                    })*
                    _ => debug_assert!(false, "a partial of another analysis"),
                }
            }

            /// The report's tables, in which concepts have the names given.
            pub fn finish(
                &self,
                merged: AnyPartial,
                concepts: &Concepts,
            ) -> Result<Vec<Labelled<Aggregate, AggregateTable>>, Error> {
                let tables = match (self, merged) {
                    $((Self::$name(analysis), AnyPartial::$name(merged)) => {
                        analysis.finish(merged, concepts)?
                    })*
                    _ => Vec::new(),
                };
                Ok(tables.into_iter().map(Labelled::aggregate).collect())
            }
        }
    };
}

any_analysis! {
    Attrition => attrition,
    Characteristics => characteristics,
    Composition => composition,
    CumulativeIncidence => cumulative_incidence,
    Incidence => incidence,
    Overlap => overlap,
    Prevalence => prevalence,
    Regression => regression,
    Survival => survival,
}

/// The analysis that settings ask for; `cohorts` are all of the job, which an
/// analysis that names none takes.
///
/// # Errors
/// [`Error::Settings`] for settings that ask for nothing, or what cannot be.
pub fn analysis_of(settings: &Settings, cohorts: &[i64]) -> Result<AnyAnalysis, Error> {
    // A cohort that is named twice is meant once.
    let or_all = |named: &[i64]| {
        let mut seen = Vec::new();
        let named = if named.is_empty() { cohorts } else { named };
        for id in named {
            if !seen.contains(id) {
                seen.push(*id);
            }
        }
        seen
    };
    Ok(match settings {
        Settings::Attrition(s) => {
            AnyAnalysis::Attrition(Attrition::new(&s.name, or_all(&s.cohorts)))
        }
        Settings::Characteristics(s) => {
            AnyAnalysis::Characteristics(Characteristics::new(s, or_all(&s.cohorts))?)
        }
        Settings::Incidence(s) => AnyAnalysis::Incidence(Incidence::new(s)?),
        Settings::Overlap(s) => AnyAnalysis::Overlap(Overlap::new(&s.name, or_all(&s.cohorts))),
        Settings::Prevalence(s) => AnyAnalysis::Prevalence(Prevalence::new(s)?),
        Settings::Regression(s) => AnyAnalysis::Regression(Regression::new(s)?),
        Settings::Survival(s) => AnyAnalysis::Survival(Survival::new(s)?),
        Settings::CumulativeIncidence(s) => {
            AnyAnalysis::CumulativeIncidence(CumulativeIncidence::new(s)?)
        }
    })
}
