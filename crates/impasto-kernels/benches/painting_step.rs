//! A step of painting with the article's layers and Adam: `cargo bench -p impasto-kernels --bench painting_step`.

#[path = "common/trunk_step.rs"]
mod trunk_step;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use impasto_kernels::{Engine, Isa, PackedTrunk, Pooling, Threads};
use std::sync::Arc;
use std::thread::available_parallelism;
use trunk_step::{Step, network, taps};

fn painting_step(criterion: &mut Criterion) {
    let threads = Threads::new(available_parallelism().map_or(1, usize::from));
    let isa = Isa::best();
    let mut group = criterion.benchmark_group("a step of painting");
    group.sample_size(10);
    for size in [512, 1024] {
        let trunk = PackedTrunk::new(isa, &threads, &network()).map(Arc::new);
        let new = |trunk| Engine::new(trunk, threads.clone(), Pooling::Average, [120.0; 3], [1.0; 3], &taps());
        let Ok(mut engine) = trunk.and_then(new) else { unreachable!("VGG19 is a trunk") };
        let mut step = Step::new(&mut engine, isa, size, size);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| (step.run(&mut engine), step.optimise(&threads)));
        });
    }
}

criterion_group!(benches, painting_step);
criterion_main!(benches);
