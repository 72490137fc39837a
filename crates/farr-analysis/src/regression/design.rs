//! From persons' values to the columns of a model.

use super::Row;
use super::covariate::{Kind, Source};
use crate::follow_up::Exit;
use crate::strata::{age_quantity, sex_quantity};
use crate::{MissingValue, RegressionModel};

/// The model's rows and columns.
#[derive(Debug, Default)]
pub(super) struct Design {
    /// Days of follow-up.
    pub(super) days: Vec<f64>,
    /// 0 censored, 1 outcome, 2 competing.
    pub(super) cause: Vec<u32>,
    pub(super) columns: Vec<Column>,
    /// Persons left out since a value is missing, by cause.
    pub(super) n_missing: [i64; 3],
    /// Persons left out of a Poisson model, since they have no person-time, by
    /// cause.
    pub(super) n_without_time: [i64; 3],
}

/// A column and its name.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) term: String,
    /// The place of its covariate.
    pub(super) source: usize,
    /// The stratum of the target that has it, in the names of quantities.
    pub(super) level: Option<String>,
    pub(super) values: Vec<f64>,
    /// Whether it has no other values than 0 and 1.
    pub(super) is_flag: bool,
}

impl Design {
    pub(super) fn new(sources: &[Source], rows: &[Row], model: RegressionModel) -> Self {
        let mut design = Self::default();
        let mut kept: Vec<&Row> = Vec::new();
        for row in rows {
            let (day, cause) = match row.exit {
                Exit::Outcome(day) => (day, 1),
                Exit::Competing(day) => (day, 2),
                Exit::Censored(day) => (day, 0),
                Exit::Unobserved | Exit::PriorOutcome | Exit::NotAtRisk => continue,
            };
            if sources.iter().zip(&row.values).any(|(s, v)| v.is_nan() && !s.has_indicator()) {
                design.n_missing[cause as usize] += 1;
            } else if model == RegressionModel::Poisson && day == 0 {
                design.n_without_time[cause as usize] += 1;
            } else {
                kept.push(row);
                design.days.push(f64::from(day));
                design.cause.push(cause);
            }
        }
        for (place, source) in sources.iter().enumerate() {
            let values: Vec<f64> = kept.iter().map(|row| row.values[place]).collect();
            let from = design.columns.len();
            source.add_columns(&values, &mut design.columns);
            design.columns[from..].iter_mut().for_each(|column| column.source = place);
        }
        design
    }
}

impl Column {
    fn new(term: String, values: Vec<f64>) -> Self {
        let is_flag = values.iter().all(|value| *value == 0.0 || *value == 1.0);
        Self { term, source: 0, level: None, values, is_flag }
    }

    fn flag(term: String, values: &[f64], is_so: impl Fn(f64) -> bool) -> Self {
        Self::new(term, values.iter().map(|v| f64::from(u8::from(is_so(*v)))).collect())
    }

    /// Whether it takes a single value.
    pub(super) fn is_constant(&self) -> bool {
        self.values.windows(2).all(|pair| pair[0] == pair[1])
    }
}

impl Source {
    fn has_indicator(&self) -> bool {
        matches!(self.kind, Kind::Measurement { missing: MissingValue::Indicator, .. })
    }

    fn add_columns(&self, values: &[f64], columns: &mut Vec<Column>) {
        let name = &self.name;
        match &self.kind {
            Kind::AgeGroup { groups, reference } => {
                for (place, group) in groups.iter().enumerate().filter(|(p, _)| p != reference) {
                    let term = format!("{name}: {}", group.name());
                    let column = Column::flag(term, values, |value| value == place as f64);
                    let level = Some(age_quantity(self.age, &group.name()));
                    columns.push(Column { level, ..column });
                }
            }
            Kind::Sex { reference } => {
                let mut found: Vec<i64> = values.iter().map(|value| *value as i64).collect();
                found.sort_unstable();
                found.dedup();
                for gender in found.into_iter().filter(|gender| gender != reference) {
                    let term = format!("{name}: {gender}");
                    let column = Column::flag(term, values, |value| value == gender as f64);
                    columns.push(Column { level: Some(sex_quantity(gender)), ..column });
                }
            }
            Kind::Measurement { missing: MissingValue::Indicator, .. } => {
                let known = values.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
                columns.push(Column::new(name.clone(), known));
                columns.push(Column::flag(format!("{name} missing"), values, f64::is_nan));
            }
            _ => columns.push(Column::new(name.clone(), values.to_vec())),
        }
    }
}
