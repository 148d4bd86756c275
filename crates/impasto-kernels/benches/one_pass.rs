//! One pass of a style, Johnson's network: `cargo bench -p impasto-kernels --bench one_pass`.

#[path = "common/style_parameters.rs"]
mod style_parameters;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use impasto_kernels::{Isa, Normalisation, StyleNet, StyleNetShape, Threads};
use std::thread::available_parallelism;
use style_parameters::{numbers, parameters};

fn one_pass(criterion: &mut Criterion) {
    let threads = Threads::new(available_parallelism().map_or(1, usize::from));
    let shape = StyleNetShape::JOHNSON;
    let Ok(net) = StyleNet::new(Isa::best(), threads, shape, &parameters(shape)) else {
        unreachable!("Johnson's network is one")
    };
    let mut group = criterion.benchmark_group("one pass of a style");
    group.sample_size(10);
    for size in [256, 512, 1024] {
        let picture: Vec<f32> = numbers(3 * size * size).iter().map(|value| 255.0 * value).collect();
        let mut out = vec![0.0; picture.len()];
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| net.run(&picture, size, size, Normalisation::Style(0), usize::MAX, &mut out));
        });
    }
}

criterion_group!(benches, one_pass);
criterion_main!(benches);
