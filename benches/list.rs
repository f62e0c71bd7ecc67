//! Listing 10,000 runs afresh: what `pv list` does, and the API when it starts.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pv_benches::{RUNS, full_in_memory, full_on_disk, now};
use pv_lib::{
    job::{JobFilter, JobState, ListedState, Thresholds},
    store::Store,
};

fn list(c: &mut Criterion) {
    let (on_disk, _root) = full_on_disk();
    let mut group = c.benchmark_group("list of 10k");
    group.sample_size(10).throughput(Throughput::Elements(RUNS.into()));
    let running = JobFilter { states: vec![ListedState::Known(JobState::Running)], ..JobFilter::default() };
    let newest = JobFilter { limit: Some(50), ..JobFilter::default() };
    for (place, store) in [("memory", &full_in_memory()), ("disk", &on_disk)] {
        let select = |filter: &JobFilter| store.select(filter, now(), Thresholds::default());
        group.bench_function(BenchmarkId::new("runs", place), |b| b.iter(|| Store::runs(store)));
        group.bench_function(BenchmarkId::new("running", place), |b| b.iter(|| select(&running)));
        group.bench_function(BenchmarkId::new("newest 50", place), |b| b.iter(|| select(&newest)));
    }
    group.finish();
}

criterion_group!(benches, list);
criterion_main!(benches);
