//! What a set of definitions gave, as the tables that OHDSI's tools have.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use farr_records::PersonId;

use crate::evaluate::ShardCohorts;
use crate::statistics::{CensorCounts, InclusionCounts, Mode};

/// Cohort rows and inclusion statistics of many shards or ranges of persons,
/// added in order.
#[derive(Debug, Clone, Default)]
pub struct CohortResults {
    /// Rows by definition: subject, start, end.
    rows: BTreeMap<i64, Vec<(i64, i32, i32)>>,
    statistics: BTreeMap<i64, (InclusionCounts, CensorCounts)>,
}

/// A table by its name, which is also its file's.
pub type NamedTable = (&'static str, RecordBatch);

impl CohortResults {
    /// Adds what a plan gave over some persons; `persons` are those of the
    /// whole shard.
    pub fn add(&mut self, cohorts: &ShardCohorts, persons: &[PersonId]) {
        for cohort in &cohorts.cohorts {
            let rows = self.rows.entry(cohort.definition).or_default();
            rows.extend(
                cohort
                    .entries
                    .iter()
                    .map(|(person, days)| (persons[*person as usize].0, days.start.0, days.end.0)),
            );
            let (statistics, censored) = self.statistics.entry(cohort.definition).or_default();
            statistics.merge(&cohort.statistics);
            censored.merge(&cohort.censored);
        }
    }

    /// Rows and persons of a definition.
    pub fn size(&self, definition: i64) -> (u64, u64) {
        let Some(rows) = self.rows.get(&definition) else { return (0, 0) };
        let mut last = None;
        let persons = rows.iter().filter(|row| last.replace(row.0) != Some(row.0)).count();
        (rows.len() as u64, persons as u64)
    }

    /// `cohort`, `cohort_inclusion_result`, `cohort_inclusion_stats`,
    /// `cohort_summary_stats` and `cohort_censor_stats`, with OHDSI's columns,
    /// sorted by definition and by what follows it.
    ///
    /// # Errors
    /// What Arrow refuses, which only a bug can make it do.
    pub fn tables(mut self) -> Result<Vec<NamedTable>, ArrowError> {
        for rows in self.rows.values_mut() {
            // Shards are sorted runs, which this sort only merges.
            rows.sort_unstable();
        }
        Ok(vec![
            ("cohort", self.cohort()?),
            ("cohort_inclusion_result", self.inclusion_result()?),
            ("cohort_inclusion_stats", self.inclusion_stats()?),
            ("cohort_summary_stats", self.summary_stats()?),
            ("cohort_censor_stats", self.censor_stats()?),
        ])
    }

    fn cohort(&self) -> Result<RecordBatch, ArrowError> {
        let rows = || {
            let rows = self.rows.iter();
            rows.flat_map(|(id, rows)| rows.iter().map(|(s, start, end)| (*id, *s, *start, *end)))
        };
        batch(vec![
            ("cohort_definition_id", long(rows().map(|row| row.0))),
            ("subject_id", long(rows().map(|row| row.1))),
            ("cohort_start_date", Arc::new(Date32Array::from_iter_values(rows().map(|row| row.2)))),
            ("cohort_end_date", Arc::new(Date32Array::from_iter_values(rows().map(|row| row.3)))),
        ])
    }

    /// Statistics of the definitions that have inclusion rules, by mode.
    fn by_mode(&self) -> impl Iterator<Item = (i64, Mode, &InclusionCounts)> {
        let with_rules = self.statistics.iter().filter(|(_, (counts, _))| counts.rules > 0);
        with_rules.flat_map(|(id, (counts, _))| Mode::ALL.map(|mode| (*id, mode, counts)))
    }

    fn inclusion_result(&self) -> Result<RecordBatch, ArrowError> {
        let rows = || {
            self.by_mode().flat_map(|(id, mode, counts)| {
                counts.masks(mode).iter().map(move |(mask, n)| (id, mode, *mask, *n))
            })
        };
        batch(vec![
            ("cohort_definition_id", long(rows().map(|row| row.0))),
            ("mode_id", short(rows().map(|row| row.1.id()))),
            ("inclusion_rule_mask", long(rows().map(|row| row.2 as i64))),
            ("person_count", long(rows().map(|row| row.3 as i64))),
        ])
    }

    fn inclusion_stats(&self) -> Result<RecordBatch, ArrowError> {
        let rows = || {
            self.by_mode().flat_map(|(id, mode, counts)| {
                counts.by_rule(mode).into_iter().map(move |rule| (id, mode, rule))
            })
        };
        batch(vec![
            ("cohort_definition_id", long(rows().map(|row| row.0))),
            ("rule_sequence", short(rows().map(|row| row.2.rule_sequence as i32))),
            ("mode_id", short(rows().map(|row| row.1.id()))),
            ("person_count", long(rows().map(|row| row.2.person_count as i64))),
            ("gain_count", long(rows().map(|row| row.2.gain_count as i64))),
            ("person_total", long(rows().map(|row| row.2.person_total as i64))),
        ])
    }

    fn summary_stats(&self) -> Result<RecordBatch, ArrowError> {
        let rows = || self.by_mode().map(|(id, mode, counts)| (id, mode, counts.summary(mode)));
        batch(vec![
            ("cohort_definition_id", long(rows().map(|row| row.0))),
            ("mode_id", short(rows().map(|row| row.1.id()))),
            ("base_count", long(rows().map(|row| row.2.0 as i64))),
            ("final_count", long(rows().map(|row| row.2.1 as i64))),
        ])
    }

    fn censor_stats(&self) -> Result<RecordBatch, ArrowError> {
        let rows = || {
            let windowed = self.statistics.iter().filter(|(_, (_, c))| c.has_window);
            windowed.map(|(id, (_, censored))| (*id, censored.lost()))
        };
        batch(vec![
            ("cohort_definition_id", long(rows().map(|row| row.0))),
            ("lost_count", long(rows().map(|row| row.1 as i64))),
        ])
    }
}

fn long(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn short(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let field = |(name, values): &(&str, ArrayRef)| {
        let data_type: DataType = values.data_type().clone();
        Field::new(*name, data_type, false)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let values = columns.into_iter().map(|(_, values)| values).collect();
    RecordBatch::try_new(Arc::new(schema), values)
}

#[cfg(test)]
mod tests {
    use farr_records::{Day, Interval};

    use super::*;
    use crate::evaluate::CohortEntries;

    /// Two ranges of persons: rows come sorted, masks add up.
    #[test]
    fn ranges_add_up() {
        let range = |person: u32, mask: u64| ShardCohorts {
            cohorts: vec![CohortEntries {
                definition: 7,
                entries: vec![(person, Interval { start: Day(1), end: Day(2) })],
                statistics: InclusionCounts {
                    rules: 1,
                    all_events: BTreeMap::from([(mask, 2)]),
                    best_events: BTreeMap::from([(mask, 1)]),
                },
                censored: CensorCounts::default(),
            }],
        };
        let persons = [PersonId(10), PersonId(20)];
        let mut results = CohortResults::default();
        results.add(&range(1, 1), &persons);
        results.add(&range(0, 0), &persons);
        assert_eq!(results.size(7), (2, 2));
        let tables = results.tables().unwrap();
        let rows: Vec<_> = tables.iter().map(|(name, table)| (*name, table.num_rows())).collect();
        assert_eq!(
            rows,
            [
                ("cohort", 2),
                ("cohort_inclusion_result", 4),
                ("cohort_inclusion_stats", 2),
                ("cohort_summary_stats", 2),
                ("cohort_censor_stats", 0)
            ]
        );
        let subjects = tables[0].1.column(1).as_ref();
        let subjects = subjects.as_any().downcast_ref::<Int64Array>().unwrap();
        assert_eq!(subjects.values(), &[10, 20]);
    }
}
