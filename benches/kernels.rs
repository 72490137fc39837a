//! Kernels of `farr-stats` on data made from a fixed seed:
//! `cargo bench -p farr-benches --bench kernels`.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use farr_stats::survival::{
    CompetingRisks, FollowUp, KaplanMeierOptions, fine_gray, kaplan_meier_by_group, log_rank,
};

/// A multiplicative congruential generator (Lehmer, modulus 2^31 - 1).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0 as f64 / 2_147_483_647.0
    }
}

/// Exponential times in whole days, a third censored, two groups.
struct Rows {
    time: Vec<f64>,
    event: Vec<bool>,
    group: Vec<u32>,
}

fn rows(n: usize) -> Rows {
    let mut uniform = Uniform(1839);
    let mut rows = Rows { time: Vec::new(), event: Vec::new(), group: Vec::new() };
    for _ in 0..n {
        let group = u32::from(uniform.next() < 0.5);
        let rate = if group == 1 { 1.3 } else { 1.0 } / 1_000.0;
        rows.time.push((-uniform.next().ln() / rate).ceil());
        rows.event.push(uniform.next() < 2.0 / 3.0);
        rows.group.push(group);
    }
    rows
}

fn curves(c: &mut Criterion) {
    let rows = rows(1_000_000);
    let mut group = c.benchmark_group("1,000,000 rows");
    group.sample_size(10);
    group.bench_function("Kaplan-Meier by group and log-rank", |b| {
        b.iter(|| {
            let follow_up = FollowUp::new(&rows.time, &rows.event);
            let options = KaplanMeierOptions::default();
            let curves = kaplan_meier_by_group(&follow_up, &rows.group, &options).unwrap();
            let test = log_rank(&follow_up, &rows.group, None, 0.0).unwrap();
            assert_eq!(curves.len(), 2);
            black_box(test.chi_square)
        });
    });
    group.finish();
}

fn competing(c: &mut Criterion) {
    let rows = rows(20_000);
    let mut uniform = Uniform(1807);
    let cause: Vec<u32> = rows
        .event
        .iter()
        .map(|event| if *event { 1 + u32::from(uniform.next() < 0.4) } else { 0 })
        .collect();
    let covariates: Vec<Vec<f64>> = vec![
        rows.group.iter().map(|g| f64::from(*g)).collect(),
        rows.time.iter().map(|_| uniform.next()).collect(),
    ];
    let columns: Vec<&[f64]> = covariates.iter().map(Vec::as_slice).collect();
    let mut group = c.benchmark_group("20,000 rows");
    group.sample_size(10);
    group.bench_function("Fine-Gray, two covariates", |b| {
        b.iter(|| {
            let risks = CompetingRisks::new(&rows.time, &cause);
            black_box(fine_gray(&risks, 1, &columns).unwrap())
        });
    });
    group.finish();
}

criterion_group!(benches, curves, competing);
criterion_main!(benches);
