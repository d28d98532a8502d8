//! What a job costs with 10² to 10⁶ jobs under way, and a delivery with 1 to 10⁴ endpoints.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dubhook_tests::paths::{Bench, UnderWay};
use std::time::Duration;

/// With so many jobs under way, one ends, another comes in and is started; their events are delivered.
fn jobs(criterion: &mut Criterion) {
    for (name, random) in [("jobs_oldest_first", false), ("jobs_in_any_order", true)] {
        let mut group = criterion.benchmark_group(name);
        group.measurement_time(Duration::from_secs(2));
        group.warm_up_time(Duration::from_secs(1));
        for count in [100, 1_000, 10_000, 100_000, 1_000_000] {
            let mut jobs = UnderWay::new(count, random);
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                bencher.iter(|| jobs.replace_one());
            });
        }
        group.finish();
    }
}

/// The life of one job whose three events go to so many endpoints.
fn endpoints(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deliveries");
    group.measurement_time(Duration::from_secs(2));
    group.warm_up_time(Duration::from_secs(1));
    for count in [1, 10, 100, 1_000, 10_000] {
        let mut bench = Bench::new(count.max(64), count, false);
        group.throughput(Throughput::Elements(3 * count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| bench.job(Bench::write));
        });
    }
    group.finish();
}

criterion_group!(benches, jobs, endpoints);
criterion_main!(benches);
