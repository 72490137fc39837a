//! The outcome kernels of `farr-stats` on data that `benches/outcomes.py` has
//! written, beside R and lifelines on the same files:
//!
//!     outcomes FOLDER TASK REPEATS [THRESHOLD]
//!
//! Reads columns as little-endian numbers, runs a task so many times, prints
//! the fastest run's seconds, and writes the answer's numbers beside the data.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use farr_stats::elastic_net::{Lambdas, Options, Path as NetPath, Response, SparseColumns, fit};
use farr_stats::survival::cox::{CoxData, CoxOptions, cox};
use farr_stats::survival::{
    CompetingRisks, FollowUp, KaplanMeierOptions, fine_gray, kaplan_meier_by_group, log_rank,
};

struct Bench {
    folder: PathBuf,
    repeats: usize,
    /// Of the elastic net; the objectives agree to some 1e-8 at this one.
    threshold: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, task, repeats, more @ ..] = arguments.as_slice() else {
        panic!("expected: outcomes FOLDER TASK REPEATS [THRESHOLD]")
    };
    let threshold = more.first().map_or(3e-8, |text| text.parse().unwrap());
    let bench = Bench { folder: folder.into(), repeats: repeats.parse().unwrap(), threshold };
    match task.as_str() {
        "curves" => bench.curves(),
        "cox" => bench.cox(),
        "fine_gray" => bench.fine_gray(),
        "elastic_net" => bench.elastic_net(),
        other => panic!("no task '{other}'"),
    }
}

impl Bench {
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    fn reals(&self, name: &str) -> Vec<f64> {
        self.bytes(name)
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
            .collect()
    }

    fn whole(&self, name: &str) -> Vec<u32> {
        self.bytes(name)
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    }

    /// Runs the task and prints the seconds of the fastest run; gives the last
    /// answer.
    fn time<T>(&self, run: impl Fn() -> T) -> T {
        let mut best = f64::INFINITY;
        let mut answer = None;
        for _ in 0..self.repeats {
            let start = Instant::now();
            answer = Some(run());
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{best}");
        answer.unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a bench's answer, for the script beside it")]
    fn answer(&self, task: &str, numbers: &[f64]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        fs::write(self.folder.join(format!("{task}.farr")), bytes).unwrap();
    }

    /// Both curves' survival and standard error at 1,000 times, then the test.
    fn curves(&self) {
        let time = self.reals("time");
        let event: Vec<bool> = self.whole("event").iter().map(|e| *e == 1).collect();
        let group = self.whole("group");
        let (curves, test) = self.time(|| {
            let rows = FollowUp::new(&time, &event);
            let curves = kaplan_meier_by_group(&rows, &group, &KaplanMeierOptions::default());
            (curves.unwrap(), log_rank(&rows, &group, None, 0.0).unwrap())
        });
        let times: Vec<f64> = (1..=1_000).map(|i| f64::from(i) * 2.0).collect();
        let at = curves.iter().flat_map(|(_, curve)| curve.at(&times));
        let mut numbers: Vec<f64> = at.flat_map(|a| [a.survival, a.std_err_survival]).collect();
        numbers.push(test.chi_square);
        self.answer("curves", &numbers);
    }

    /// Coefficients, then standard errors.
    fn cox(&self) {
        let time = self.reals("time");
        let event: Vec<bool> = self.whole("event").iter().map(|e| *e == 1).collect();
        let covariates = self.reals("covariates");
        let columns: Vec<&[f64]> = covariates.chunks_exact(time.len()).collect();
        let rows = FollowUp::new(&time, &event);
        let data = CoxData { rows, covariates: &columns, strata: None };
        let model = self.time(|| cox(&data, &CoxOptions::default()).unwrap());
        let numbers: Vec<f64> =
            model.fit.coefficients.iter().copied().chain(model.fit.std_err()).collect();
        self.answer("cox", &numbers);
    }

    /// Coefficients, then standard errors.
    fn fine_gray(&self) {
        let (time, cause) = (self.reals("competing_time"), self.whole("cause"));
        let covariates = self.reals("competing_covariates");
        let columns: Vec<&[f64]> = covariates.chunks_exact(time.len()).collect();
        let rows = CompetingRisks::new(&time, &cause);
        let model = self.time(|| fine_gray(&rows, 1, &columns).unwrap());
        let numbers: Vec<f64> = model.coefficients.iter().copied().chain(model.std_err()).collect();
        self.answer("fine_gray", &numbers);
    }

    /// For each penalty: it, the intercept, then triples of its place, column
    /// and coefficient.
    fn elastic_net(&self) {
        let outcome = self.reals("outcome");
        let (starts, rows) = (self.whole("starts"), self.whole("rows"));
        let mut columns = SparseColumns::new(outcome.len()).unwrap();
        for span in starts.windows(2) {
            columns.push_indicator(&rows[span[0] as usize..span[1] as usize]).unwrap();
        }
        let lambdas = Lambdas::Path { count: 50, min_ratio: Some(0.01), stop_early: false };
        let options = Options { lambdas, threshold: self.threshold, ..Options::default() };
        let response = Response::Binary { outcome: &outcome };
        let path: NetPath = self.time(|| fit(&columns, &response, &options).unwrap());
        let mut numbers: Vec<f64> =
            path.points.iter().flat_map(|point| [point.lambda, point.intercept]).collect();
        for (place, point) in path.points.iter().enumerate() {
            let triples = point.coefficients.iter();
            numbers.extend(triples.flat_map(|(j, b)| [place as f64, *j as f64, *b]));
        }
        self.answer("elastic_net", &numbers);
    }
}
