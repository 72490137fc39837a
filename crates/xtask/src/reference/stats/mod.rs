//! `cargo xtask reference stats DIR`: every case of every method, with the
//! tolerances that the folder's README names.
//!
//! A family file holds adapters from a case's arguments to kernels of
//! `farr-stats`; it holds no arithmetic of its own.

mod mining;
mod regression;
mod survival;
mod tables;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Methods that belong to a later issue: listed as waiting, not run.
pub const WAITING: [&str; 0] = [];

/// Methods whose answers are iterated, hence asked to 1e-6 instead of 1e-8.
const ITERATED: [&str; 29] = [
    "conditional_logistic",
    "cox",
    "cox_baseline_strata",
    "cox_predict",
    "cox_residuals",
    "cox_ridge",
    "cox_summary",
    "cox_zph",
    "disproportionality_bayes",
    "elastic_net_cox",
    "elastic_net_cv",
    "elastic_net_logistic",
    "elastic_net_logistic_weighted",
    "elastic_net_path",
    "elastic_net_poisson",
    "fine_gray",
    "fine_gray_predict",
    "logistic",
    "logistic_robust",
    "logistic_summary",
    "negative_binomial",
    "poisson",
    "poisson_robust",
    "propensity",
    "propensity_matching",
    "propensity_stratification",
    "propensity_weighted_cox",
    "propensity_weights",
    "self_controlled_case_series",
];

/// One case: its method, arguments and the columns of its CSV.
pub struct Case {
    /// The method's name, which is the folder's.
    pub method: String,
    /// Names of columns, and settings; read by [`arg`](Self::arg).
    args: Map<String, Value>,
    /// The arguments that an adapter has asked for.
    asked: RefCell<BTreeSet<String>>,
    /// The keys of `expected`, so that an adapter computes what is asked.
    pub expected: Map<String, Value>,
    /// Package and call; settings left out of `args` have the default that it
    /// names.
    pub source: String,
    columns: HashMap<String, Vec<String>>,
    directory: PathBuf,
}

/// What an adapter gives: the answer with the keys of `expected`.
pub type Answer = Result<Value, String>;

/// One family of adapters: `None` for a method that it does not know.
type Family = fn(&Case) -> Option<Answer>;

/// Every family, in the order of asking.
const FAMILIES: [Family; 4] =
    [tables::family, survival::family, regression::family, mining::family];

impl Case {
    fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        let object = |key: &str| value.get(key).and_then(Value::as_object).cloned();
        let method = value.get("method").and_then(Value::as_str);
        let (Some(method), Some(args), Some(expected)) =
            (method, object("args"), object("expected"))
        else {
            return Err(format!("{}: no method, args or expected", path.display()));
        };
        let source = value.get("source").and_then(Value::as_str).unwrap_or_default().to_owned();
        let directory = path.parent().unwrap_or(Path::new(".")).to_path_buf();
        let columns = match value.get("data").and_then(Value::as_str) {
            Some(name) => read_csv(&directory.join(name))?,
            None => HashMap::new(),
        };
        Ok(Self {
            method: method.to_owned(),
            args,
            asked: RefCell::default(),
            expected,
            source,
            columns,
            directory,
        })
    }

    /// Without the rows that lack a value of a column that an argument names,
    /// as R's `na.omit` leaves them.
    fn complete(mut self) -> Self {
        let texts = self.args.values().flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        });
        let named = texts.filter_map(|value| self.columns.get(value.as_str()?));
        let rows = self.columns.values().map(Vec::len).max().unwrap_or_default();
        let mut kept = vec![true; rows];
        for column in named {
            for (kept, text) in kept.iter_mut().zip(column) {
                *kept &= !is_missing(text);
            }
        }
        for column in self.columns.values_mut() {
            let mut kept = kept.iter();
            column.retain(|_| kept.next().copied().unwrap_or(false));
        }
        self
    }

    /// The text of a column, or an error that names it.
    pub fn texts(&self, column: &str) -> Result<&[String], String> {
        self.columns
            .get(column)
            .map(Vec::as_slice)
            .ok_or_else(|| format!("no column '{column}' in the data"))
    }

    /// The numbers of a column; an empty field is NaN.
    pub fn numbers(&self, column: &str) -> Result<Vec<f64>, String> {
        self.texts(column)?
            .iter()
            .map(|t| match t.as_str() {
                text if is_missing(text) => Ok(f64::NAN),
                text => text.parse().map_err(|_| format!("column '{column}': '{text}'")),
            })
            .collect()
    }

    /// The argument `key`; none for null.
    pub fn arg(&self, key: &str) -> Option<&Value> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.args.get(key).filter(|value| !value.is_null())
    }

    /// An argument that no adapter has asked for: an answer that takes no
    /// notice of it is an answer to another question.
    fn not_asked(&self) -> Option<&String> {
        let asked = self.asked.borrow();
        self.args.iter().find(|(key, v)| !asked.contains(*key) && !v.is_null()).map(|(k, _)| k)
    }

    /// The string argument `key`.
    pub fn text_arg(&self, key: &str) -> Option<&str> {
        self.arg(key).and_then(Value::as_str)
    }

    /// The number argument `key`.
    pub fn number_arg(&self, key: &str) -> Option<f64> {
        self.arg(key).and_then(Value::as_f64)
    }

    /// The list of numbers argument `key`.
    pub fn numbers_arg(&self, key: &str) -> Option<Vec<f64>> {
        self.arg(key)?.as_array()?.iter().map(Value::as_f64).collect()
    }

    /// The list of strings argument `key` (a single string is a list of one).
    pub fn texts_arg(&self, key: &str) -> Option<Vec<&str>> {
        match self.arg(key)? {
            Value::String(text) => Some(vec![text]),
            Value::Array(items) => items.iter().map(Value::as_str).collect(),
            _ => None,
        }
    }

    /// The numbers of the column that argument `key` names.
    pub fn column(&self, key: &str) -> Result<Vec<f64>, String> {
        let name = self.text_arg(key).ok_or_else(|| format!("no argument '{key}'"))?;
        self.numbers(name)
    }

    /// The columns that argument `key` lists, one vector a column.
    pub fn matrix(&self, key: &str) -> Result<Vec<Vec<f64>>, String> {
        let names = self.texts_arg(key).ok_or_else(|| format!("no argument '{key}'"))?;
        names.iter().map(|name| self.numbers(name)).collect()
    }

    /// Another CSV of the case's folder, as text columns.
    pub fn other_csv(&self, name: &str) -> Result<HashMap<String, Vec<String>>, String> {
        read_csv(&self.directory.join(name))
    }
}

fn is_missing(field: &str) -> bool {
    matches!(field, "" | "NA")
}

fn read_csv(path: &Path) -> Result<HashMap<String, Vec<String>>, String> {
    let failed = |e: csv::Error| format!("{}: {e}", path.display());
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    let header: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); header.len()];
    for record in reader.records() {
        for (column, field) in columns.iter_mut().zip(&record.map_err(failed)?) {
            column.push(field.to_owned());
        }
    }
    Ok(header.into_iter().zip(columns).collect())
}

/// Finite numbers as JSON numbers, everything else as null.
pub fn number(x: f64) -> Value {
    serde_json::Number::from_f64(x).map_or(Value::Null, Value::Number)
}

/// A list of numbers, not-finite ones as null.
pub fn numbers(xs: &[f64]) -> Value {
    Value::Array(xs.iter().copied().map(number).collect())
}

/// Runs every case below `dir` and prints `N of M`; true if all agree.
pub fn run(dir: &Path, out: Option<&Path>) -> Result<bool, String> {
    let mut paths = Vec::new();
    collect(dir, &mut paths)?;
    paths.sort();
    if paths.is_empty() {
        return Err(format!("{}: no cases", dir.display()));
    }
    let (mut agreed, mut waiting) = (0, 0);
    for path in &paths {
        let name = path.strip_prefix(dir).unwrap_or(path);
        let case = Case::load(path)?;
        let case =
            if survival::METHODS.contains(&case.method.as_str()) { case.complete() } else { case };
        if WAITING.contains(&case.method.as_str()) {
            waiting += 1;
            println!("{}: waiting for a later issue", name.display());
            continue;
        }
        let answer = FAMILIES
            .iter()
            .find_map(|family| family(&case))
            .unwrap_or_else(|| Err(format!("unknown method '{}'", case.method)));
        let answer = answer.and_then(|answer| match case.not_asked() {
            Some(key) => Err(format!("argument '{key}' is not known to '{}'", case.method)),
            None => Ok(answer),
        });
        if let (Some(out), Ok(answer)) = (out, &answer) {
            super::write_json(&out.join(name), answer)?;
        }
        match answer.and_then(|answer| compare_case(&case, &answer)) {
            Ok(()) => agreed += 1,
            Err(difference) => println!("{}: {difference}", name.display()),
        }
    }
    let asked = paths.len() - waiting;
    println!("{agreed} of {asked} cases agree ({waiting} waiting)");
    Ok(agreed == asked)
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|e| e == "json") {
            into.push(path);
        }
    }
    Ok(())
}

fn compare_case(case: &Case, answer: &Value) -> Result<(), String> {
    let tolerance = if ITERATED.contains(&case.method.as_str()) {
        Tolerance { relative: 1e-6, absolute: 1e-9 }
    } else {
        Tolerance { relative: 1e-8, absolute: 1e-10 }
    };
    for (key, expected) in &case.expected {
        let given = answer.get(key).ok_or_else(|| format!("no '{key}' in the answer"))?;
        tolerance.compare(key, expected, given)?;
    }
    Ok(())
}

/// How far two numbers may be apart.
pub(super) struct Tolerance {
    /// As a share of the expected one.
    pub(super) relative: f64,
    /// Near zero.
    pub(super) absolute: f64,
}

impl Tolerance {
    pub(super) fn compare(&self, at: &str, expected: &Value, given: &Value) -> Result<(), String> {
        match (expected, given) {
            (Value::Null, _) => Ok(()),
            (Value::Array(e), Value::Array(g)) => {
                if e.len() != g.len() {
                    return Err(format!("{at}: {} expected, {} given", e.len(), g.len()));
                }
                e.iter()
                    .zip(g)
                    .enumerate()
                    .try_for_each(|(i, (e, g))| self.compare(&format!("{at}[{i}]"), e, g))
            }
            (Value::Object(e), Value::Object(g)) => e.iter().try_for_each(|(key, e)| {
                let at = format!("{at}.{key}");
                self.compare(&at, e, g.get(key).ok_or_else(|| format!("{at}: not given"))?)
            }),
            (Value::Number(e), Value::Number(g)) => {
                let (e, g) = (e.as_f64().unwrap_or(f64::NAN), g.as_f64().unwrap_or(f64::NAN));
                let allowed = self.absolute.max(self.relative * e.abs());
                if (e - g).abs() <= allowed {
                    Ok(())
                } else {
                    Err(format!("{at}: {e} expected, {g} given"))
                }
            }
            (e, g) if e == g => Ok(()),
            (e, g) => Err(format!("{at}: {e} expected, {g} given")),
        }
    }
}
