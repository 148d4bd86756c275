//! How long the image transformation network takes: `cargo run --release -p impasto-kernels --example style_bench`.
//!
//! Prints the best of several rounds, in milliseconds: one training picture (forward, backward), what a step costs
//! beside (packing, gathering), and one pass at several sizes.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use impasto_kernels::{Isa, StyleNet, StyleNetShape, StyleNetTrainer, Threads};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(2), |count| count.parse())?;
    let isa = Isa::best();
    let shape = StyleNetShape::johnson(1);
    let mut seed = 1_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 24) as f32
    };
    let mut parameters: Vec<f32> = (0..shape.parameter_count()).map(|_| (random() - 0.5) * 0.1).collect();
    for parameter in shape.parameters().iter().filter(|parameter| parameter.name.ends_with("scale")) {
        parameters[parameter.range.clone()].fill(1.0);
    }
    println!("{isa:?}, {threads} threads");
    train(isa, threads, shape, &parameters, random)?;
    for size in [256, 512, 1024] {
        let net = StyleNet::new(isa, Threads::new(threads), shape, &parameters)?;
        let picture = vec![100.0; 3 * size * size];
        let mut out = vec![0.0; picture.len()];
        let best = best_of(5, || net.run(&picture, size, size, &[1.0], usize::MAX, &mut out).map(drop));
        println!("pass at {size}×{size}: {best:.1} ms");
    }
    Ok(())
}

fn train(
    isa: Isa,
    threads: usize,
    shape: StyleNetShape,
    parameters: &[f32],
    mut random: impl FnMut() -> f32,
) -> Result<(), Box<dyn std::error::Error>> {
    let size = 256;
    let mut trainer = StyleNetTrainer::new(isa, Threads::new(threads), shape, size, size)?;
    let picture: Vec<f32> = (0..3 * size * size).map(|_| random() * 255.0).collect();
    let mut out = vec![0.0; picture.len()];
    let mut gradient = vec![0.0; parameters.len()];
    trainer.set_parameters(parameters)?;
    println!("training at {size}×{size}:");
    println!("  packing {:.1} ms", best_of(5, || trainer.set_parameters(parameters)));
    println!("  forward {:.1} ms", best_of(5, || trainer.forward(&picture, 0, &mut out)));
    println!("  backward {:.1} ms", best_of(5, || trainer.backward(&picture)));
    println!("  gathering {:.1} ms", best_of(5, || trainer.take_gradient(1.0, &mut gradient)));
    Ok(())
}

/// Milliseconds of the fastest of so many rounds.
fn best_of<T>(rounds: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        drop(work());
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    best
}
