//! How long the core's main paths take, without sockets, disk or clock.

use criterion::{Criterion, criterion_group, criterion_main};
use dubhook_tests::paths::Path;

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    for (name, path) in Path::ALL {
        let mut run = path.set_up();
        group.bench_function(name, |bencher| bencher.iter(&mut run));
    }
    group.finish();
}

criterion_group!(benches, paths);
criterion_main!(benches);
