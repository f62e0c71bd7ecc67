//! Reading and writing `job.json`, without a disk.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pv_benches::{RUNS, record};
use pv_lib::job::JobRecord;

fn one(c: &mut Criterion) {
    let (record, bytes) = (record(0), record(0).to_bytes());
    c.bench_function("record/write", |b| b.iter(|| black_box(&record).to_bytes()));
    c.bench_function("record/parse", |b| b.iter(|| JobRecord::from_bytes(black_box(&bytes))));
}

fn many(c: &mut Criterion) {
    let records: Vec<_> = (0..RUNS).map(record).collect();
    let bytes: Vec<_> = records.iter().map(JobRecord::to_bytes).collect();
    let mut group = c.benchmark_group("10k records");
    group.sample_size(10).throughput(Throughput::Elements(RUNS.into()));
    group.bench_function("write", |b| {
        b.iter_batched(
            || (),
            |()| records.iter().map(JobRecord::to_bytes).collect::<Vec<_>>(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("parse", |b| {
        let parse = || bytes.iter().map(|bytes| JobRecord::from_bytes(bytes)).collect::<Vec<_>>();
        b.iter_batched(|| (), |()| parse(), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, one, many);
criterion_main!(benches);
