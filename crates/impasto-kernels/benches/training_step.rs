//! A step of training, one picture of 256×256 through Johnson's network: `cargo bench -p impasto-kernels --bench training_step`.
//! The perceptual loss between forward and backward is not in it: it is a step of painting.

#[path = "common/style_parameters.rs"]
mod style_parameters;

use criterion::{Criterion, criterion_group, criterion_main};
use impasto_kernels::{Isa, Normalisation, StyleNetShape, StyleNetTrainer, Threads};
use std::thread::available_parallelism;
use style_parameters::{numbers, parameters};

const SIZE: usize = 256;

fn training_step(criterion: &mut Criterion) {
    let threads = Threads::new(available_parallelism().map_or(1, usize::from));
    let parameters = parameters(StyleNetShape::JOHNSON);
    let Ok(mut trainer) = StyleNetTrainer::new(Isa::best(), threads, StyleNetShape::JOHNSON, SIZE, SIZE) else {
        unreachable!("Johnson's network is one")
    };
    let picture: Vec<f32> = numbers(3 * SIZE * SIZE).iter().map(|value| 255.0 * value).collect();
    let (mut out, mut gradient) = (vec![0.0; picture.len()], vec![0.0; parameters.len()]);
    let mut group = criterion.benchmark_group("a step of training");
    group.bench_function("packing", |bencher| bencher.iter(|| trainer.set_parameters(&parameters)));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| trainer.forward(&picture, Normalisation::Style(0), &mut out));
    });
    group.bench_function("backward", |bencher| bencher.iter(|| trainer.backward(&picture)));
    group.bench_function("gathering", |bencher| bencher.iter(|| trainer.take_gradient(1.0, &mut gradient)));
}

criterion_group!(benches, training_step);
criterion_main!(benches);
